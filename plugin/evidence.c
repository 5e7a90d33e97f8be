/* SPDX-License-Identifier: MIT */
/* Adds up the sockets of a holder for notice.c's text. */
#include "evidence.h"

#include <stdlib.h>
#include <string.h>

static bool is_same(const struct ranked *a, const struct ranked *b) {
  return a->port == b->port && a->local == b->local &&
         memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

void ranking_add(struct ranking *ranking, const struct ranked *one) {
  for (size_t i = 0; i < ranking->num; i++)
    if (is_same(&ranking->top[i], one)) {
      ranking->top[i].num++;
      return;
    }
  if (ranking->num < RANKING_NUM) {
    ranking->top[ranking->num] = *one;
    ranking->top[ranking->num++].num = 1;
    return;
  }
  ranking->num = 0;
  ranking->missed++;
  for (size_t i = 0; i < RANKING_NUM; i++)
    if (--ranking->top[i].num > 0)
      ranking->top[ranking->num++] = ranking->top[i];
}

static int compare(const void *left, const void *right) {
  const struct ranked *a = left, *b = right;
  return a->num < b->num ? 1 : a->num > b->num ? -1 : 0;
}

void ranking_sort(struct ranking *ranking) {
  qsort(ranking->top, ranking->num, sizeof(*ranking->top), compare);
}

void evidence_add(struct evidence *evidence, const struct diag_socket *socket,
                  bool local) {
  struct ranked port = {
      .port = local ? socket->local_port : socket->remote_port, .local = local};
  ranking_add(&evidence->ports, &port);
  if (evidence->with_peers)
    ranking_add(&evidence->peers,
                &(struct ranked){.address = socket->remote_address});
  port = (struct ranked){.port = socket->local_port, .local = true};
  if (socket->inode == 0)
    ranking_add(&evidence->listening, &port);
}

bool evidence_has_listener(const struct evidence *evidence,
                           const struct diag_socket *socket) {
  for (size_t i = 0; i < evidence->listening.num; i++)
    if (evidence->listening.top[i].port == socket->local_port)
      return true;
  return false;
}
