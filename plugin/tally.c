/* SPDX-License-Identifier: MIT */
/* Counts the sockets of a dump; snapshot.c passes it to the decoder. */
#include "tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tally_reset(struct tally *tally, const struct group_index *index) {
  size_t num = group_index_num(index);
  if (num > tally->size) {
    struct tally_counts *groups = realloc(tally->groups, num * sizeof(*groups));
    if (groups == NULL)
      return -ENOMEM;
    tally->groups = groups;
    tally->size = num;
  }
  tally->index = index;
  memset(&tally->all, 0, sizeof(tally->all));
  tally->local_vote = tally->remote_vote = (struct port_vote){0};
  if (tally->holders != NULL)
    holders_reset(tally->holders);
  if (tally->services != NULL)
    services_reset(tally->services);
  if (tally->ephemeral != NULL)
    ephemeral_reset(tally->ephemeral);
  if (num > 0)
    memset(tally->groups, 0, num * sizeof(*tally->groups));
  return 0;
}

/* What is being counted. */
struct counted {
  struct tally *tally;
  const struct diag_socket *socket;
  bool aged;    /* it can be stuck */
  uint64_t age; /* ms */
};

static void count_queue(struct tally_counts *counts,
                        const struct diag_socket *socket) {
  counts->accept_queue += socket->queue;
  counts->accept_queue_limit += socket->queue_limit;
  uint64_t utilization = 10000;
  if (socket->queue == 0)
    utilization = 0;
  else if (socket->queue < socket->queue_limit)
    utilization = (uint64_t)socket->queue * 10000 / socket->queue_limit;
  if (utilization > counts->accept_queue_utilization)
    counts->accept_queue_utilization = (uint32_t)utilization;
}

static void count(struct tally_counts *counts,
                  const struct diag_socket *socket) {
  counts->state[socket->state]++;
  counts->request_socks += socket->request_sock;
  bool owned = socket->inode != 0;
  switch (socket->state) {
  case TCP_LISTEN:
    count_queue(counts, socket);
    break;
  case TCP_CLOSE_WAIT:
    counts->close_wait_unaccepted += !owned;
    break;
  case TCP_FIN_WAIT2:
    if (owned)
      counts->fin_wait2_held++;
    else
      counts->fin_wait2_orphaned++;
    counts->fin_wait2_minisockets += socket->minisocket;
    /* fall through */
  case TCP_FIN_WAIT1:
  case TCP_LAST_ACK:
  case TCP_CLOSING:
    /* In the other states a full socket without owner is one that nobody has
     * accepted yet, and a minisocket is not in sockstat's "orphan". */
    if (!owned && !socket->minisocket)
      counts->orphaned++;
    break;
  default:
    break;
  }
}

static void count_age(struct tally_counts *counts, uint8_t state, uint64_t age,
                      bool stuck) {
  uint64_t *num = state == TCP_FIN_WAIT1   ? &counts->fin_wait1_stuck
                  : state == TCP_FIN_WAIT2 ? &counts->fin_wait2_stuck
                                           : &counts->close_wait_stuck;
  uint64_t *oldest = state == TCP_FIN_WAIT1   ? &counts->fin_wait1_oldest
                     : state == TCP_FIN_WAIT2 ? &counts->fin_wait2_oldest
                                              : &counts->close_wait_oldest;
  *num += stuck;
  if (age > *oldest)
    *oldest = age;
}

static void count_all(struct tally_counts *counts, const struct counted *c) {
  count(counts, c->socket);
  if (c->aged)
    count_age(counts, c->socket->state, c->age, c->age > c->tally->stuck_after);
}

static void count_group(uint32_t group, void *data) {
  const struct counted *c = data;
  const struct group_index *index = c->tally->index;
  count_all(&c->tally->groups[group], c);
  if (c->tally->ephemeral != NULL && group < index->groups_num &&
      filter_has_destinations(&index->groups[group].filter))
    ephemeral_add(c->tally->ephemeral, group, c->socket);
}

int tally_socket(const struct diag_socket *socket, void *data) {
  struct tally *tally = data;
  struct counted c = {tally, socket, false, 0};
  const struct ages *ages = tally->ages;
  if (ages != NULL && ages->size > 0)
    __builtin_prefetch(&ages->slots[ages_home(ages, socket->ahead)]);
  if (tally->ages != NULL && ages_has(socket)) {
    c.aged = true;
    c.age = ages_meet(tally->ages, socket);
  }
  count_all(&tally->all, &c);
  if (tally->holders != NULL && c.age > tally->stuck_after) {
    struct holder holder = whose_holder(tally->whose, socket);
    holders_add(tally->holders, &holder, c.age, socket->inode == 0);
  }
  struct tally_counts *service =
      tally->services == NULL
          ? NULL
          : services_find(tally->services, socket->cgroup_id);
  if (service != NULL)
    count_all(service, &c);
  if (group_index_num(tally->index) == 0)
    return 0;
  group_index_find(tally->index, socket, count_group, &c);
  if (1u << socket->state & STATES_COMMON) {
    port_vote_add(&tally->local_vote, socket->local_port);
    port_vote_add(&tally->remote_vote, socket->remote_port);
  }
  return 0;
}

static uint64_t at_least_0(int64_t count) {
  return count < 0 ? 0 : (uint64_t)count;
}

void tally_set_total(struct tally *tally, size_t complement, int state,
                     int64_t total) {
  uint64_t *all = &tally->all.state[state], dumped = *all;
  *all = at_least_0(total);
  if (complement != NO_GROUP) {
    uint64_t *count = &tally->groups[complement].state[state];
    *count = at_least_0((int64_t)(*all - (dumped - *count)));
  }
  if (state == TCP_ESTABLISHED && tally->services != NULL)
    services_add_missing(tally->services, (int64_t)(*all - dumped));
}

void tally_free(struct tally *tally) {
  free(tally->groups);
  memset(tally, 0, sizeof(*tally));
}
