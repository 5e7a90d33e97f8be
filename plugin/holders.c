/* SPDX-License-Identifier: MIT */
/* Adds up what the holders of stuck sockets hold; hitters.c finds the largest.
 */
#include "holders.h"

#include "hitters.h"

#include <string.h>

bool holder_is_same(const struct holder *a, const struct holder *b) {
  return a->service == b->service && a->port == b->port &&
         a->local == b->local && a->state == b->state;
}

static bool is_same(const void *a, const void *b) {
  return holder_is_same(a, b);
}

static uint64_t hash(const void *entry, uint64_t multiplier) {
  const struct holder *whose = entry;
  return (whose->service ^ (uint64_t)whose->port << 32 ^
          (uint64_t)whose->state << 50 ^ (uint64_t)whose->local << 60) *
         multiplier;
}

static struct hitters table_of(struct holders *holders) {
  return (struct hitters){.entries = holders->holder,
                          .size = sizeof(*holders->holder),
                          .max = HOLDERS_NUM,
                          .num = &holders->num,
                          .missed = &holders->missed,
                          .index = holders->index,
                          .same = is_same,
                          .hash = hash,
                          .multiplier = UINT64_C(0x9e3779b97f4a7c15)};
}

void holders_reset(struct holders *holders) {
  struct hitters table = table_of(holders);
  hitters_reset(&table);
  memset(holders->total, 0, sizeof(holders->total));
}

static void count(struct holder *holder, uint64_t age, bool unaccepted) {
  holder->unaccepted += unaccepted;
  if (age > holder->oldest)
    holder->oldest = age;
}

void holders_add(struct holders *holders, const struct holder *whose,
                 uint64_t age, bool unaccepted) {
  struct holder *total = &holders->total[whose->state];
  total->num++;
  count(total, age, unaccepted);
  const struct holder named = {
      .service = whose->service,
      .cgroup_id = whose->cgroup_id,
      .port = whose->port,
      .local = whose->local,
      .state = whose->state,
  };
  struct hitters table = table_of(holders);
  struct holder *holder = hitters_add(&table, &named);
  if (holder != NULL) {
    count(holder, age, unaccepted);
    return;
  }
  for (size_t i = 0; i < holders->num; i++)
    if (holders->holder[i].unaccepted > holders->holder[i].num)
      holders->holder[i].unaccepted = holders->holder[i].num;
}
