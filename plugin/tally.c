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
  if (num > 0)
    memset(tally->groups, 0, num * sizeof(*tally->groups));
  return 0;
}

static void count(struct tally_counts *counts,
                  const struct diag_socket *socket) {
  counts->state[socket->state]++;
  bool owned = socket->inode != 0;
  switch (socket->state) {
  case TCP_FIN_WAIT2:
    if (owned)
      counts->fin_wait2_held++;
    else
      counts->fin_wait2_orphaned++;
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

static void count_groups(struct tally *tally, const struct port_index *index,
                         uint16_t port, const struct diag_socket *socket) {
  size_t num;
  const uint32_t *groups = port_index_find(index, port, &num);
  for (size_t i = 0; i < num; i++)
    count(&tally->groups[groups[i]], socket);
}

int tally_socket(const struct diag_socket *socket, void *data) {
  struct tally *tally = data;
  count(&tally->all, socket);
  count_groups(tally, &tally->index->local, socket->local_port, socket);
  count_groups(tally, &tally->index->remote, socket->remote_port, socket);
  return 0;
}

void tally_free(struct tally *tally) {
  free(tally->groups);
  memset(tally, 0, sizeof(*tally));
}
