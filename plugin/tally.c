/* Counts the sockets of a dump; snapshot.c hands it to the decoder. */
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
  if (tally->holders != NULL)
    *tally->holders = (struct holders){0};
  if (num > 0)
    memset(tally->groups, 0, num * sizeof(*tally->groups));
  return 0;
}

/* Who is being counted. */
struct counted {
  struct tally *tally;
  const struct diag_socket *socket;
};

static void count_queue(struct tally_counts *counts,
                        const struct diag_socket *socket) {
  counts->accept_queue += socket->queue;
  counts->accept_queue_limit += socket->queue_limit;
  uint64_t fullness = 10000;
  if (socket->queue == 0)
    fullness = 0;
  else if (socket->queue < socket->queue_limit)
    fullness = (uint64_t)socket->queue * 10000 / socket->queue_limit;
  if (fullness > counts->accept_queue_fullness)
    counts->accept_queue_fullness = (uint32_t)fullness;
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

static bool is_stuck(const struct tally *tally,
                     const struct diag_socket *socket) {
  bool held = socket->state == TCP_FIN_WAIT2 && socket->inode != 0;
  return socket->has_age && (held || socket->state == TCP_CLOSE_WAIT) &&
         socket->age > tally->stuck_after;
}

static void count_age(const struct tally *tally, struct tally_counts *counts,
                      const struct diag_socket *socket) {
  if (!socket->has_age)
    return;
  bool stuck = is_stuck(tally, socket);
  if (socket->state == TCP_CLOSE_WAIT) {
    counts->close_wait_stuck += stuck;
    if (socket->age > counts->close_wait_oldest)
      counts->close_wait_oldest = socket->age;
  } else if (socket->state == TCP_FIN_WAIT2 && socket->inode != 0) {
    counts->fin_wait2_stuck += stuck;
    if (socket->age > counts->fin_wait2_oldest)
      counts->fin_wait2_oldest = socket->age;
  }
}

static void count_group(uint32_t group, void *data) {
  const struct counted *c = data;
  count(&c->tally->groups[group], c->socket);
  count_age(c->tally, &c->tally->groups[group], c->socket);
}

int tally_socket(const struct diag_socket *socket, void *data) {
  struct tally *tally = data;
  count(&tally->all, socket);
  count_age(tally, &tally->all, socket);
  if (tally->holders != NULL && is_stuck(tally, socket))
    holders_add(tally->holders, socket);
  if (group_index_num(tally->index) > 0)
    group_index_find(tally->index, socket, count_group,
                     &(struct counted){tally, socket});
  return 0;
}

void tally_free(struct tally *tally) {
  free(tally->groups);
  memset(tally, 0, sizeof(*tally));
}
