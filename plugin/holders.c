/* SPDX-License-Identifier: MIT */
/* Finds the largest holders in one pass: the method of Misra and Gries,
 * "Finding repeated elements" (1982). When there is no place for a new holder,
 * one socket of each is dropped together with the new one: as the new
 * one is of yet another holder, that happens at most once in HOLDERS_NUM + 1
 * sockets. */
#include "holders.h"

#include <string.h>

#define INDEX_NUM (sizeof(((struct holders *)0)->index) / sizeof(uint16_t))

bool holder_is_same(const struct holder *a, const struct holder *b) {
  return a->service == b->service && a->port == b->port &&
         a->local == b->local && a->state == b->state;
}

/* Its place in the index, or the empty one that it would have. */
static uint16_t *find(struct holders *holders, const struct holder *whose) {
  uint64_t hash =
      (whose->service ^ (uint64_t)whose->port << 32 ^
       (uint64_t)whose->state << 50 ^ (uint64_t)whose->local << 60) *
      UINT64_C(0x9e3779b97f4a7c15);
  size_t i = (size_t)(hash >> 32) % INDEX_NUM;
  while (holders->index[i] != 0 &&
         !holder_is_same(&holders->holder[holders->index[i] - 1], whose))
    i = (i + 1) % INDEX_NUM;
  return &holders->index[i];
}

static void drop_one_of_each(struct holders *holders) {
  size_t num = holders->num;
  holders->num = 0;
  memset(holders->index, 0, sizeof(holders->index));
  holders->missed++;
  for (size_t i = 0; i < num; i++) {
    struct holder holder = holders->holder[i];
    if (--holder.num == 0)
      continue;
    if (holder.unaccepted > holder.num)
      holder.unaccepted = holder.num;
    holders->holder[holders->num] = holder;
    *find(holders, &holder) = (uint16_t)++holders->num;
  }
}

void holders_reset(struct holders *holders) {
  holders->num = 0;
  holders->missed = 0;
  memset(holders->total, 0, sizeof(holders->total));
  memset(holders->index, 0, sizeof(holders->index));
}

static void count(struct holder *holder, uint64_t age, bool unaccepted) {
  holder->num++;
  holder->unaccepted += unaccepted;
  if (age > holder->oldest)
    holder->oldest = age;
}

void holders_add(struct holders *holders, const struct holder *whose,
                 uint64_t age, bool unaccepted) {
  count(&holders->total[whose->state], age, unaccepted);
  uint16_t *place = find(holders, whose);
  if (*place == 0 && holders->num == HOLDERS_NUM) {
    drop_one_of_each(holders);
    return;
  }
  if (*place == 0) {
    holders->holder[holders->num] = (struct holder){
        .service = whose->service,
        .cgroup_id = whose->cgroup_id,
        .port = whose->port,
        .local = whose->local,
        .state = whose->state,
    };
    *place = (uint16_t)++holders->num;
  }
  count(&holders->holder[*place - 1], age, unaccepted);
}
