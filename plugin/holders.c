/* Adds up stuck sockets by who holds them; notice.c names the largest. */
#include "holders.h"

#include <netinet/tcp.h>

static struct holder *find(struct holders *holders, const struct holder *want) {
  uint64_t hash = (want->cgroup_id ^ (uint64_t)want->port << 32 ^
                   (uint64_t)want->state << 50 ^ (uint64_t)want->local << 60) *
                  UINT64_C(0x9e3779b97f4a7c15);
  for (size_t i = 0; i < HOLDERS_NUM; i++) {
    struct holder *h = &holders->holder[((hash >> 32) + i) % HOLDERS_NUM];
    if (h->state == 0 ||
        (h->cgroup_id == want->cgroup_id && h->state == want->state &&
         h->local == want->local && h->port == want->port))
      return h;
  }
  return NULL;
}

void holders_add(struct holders *holders, const struct diag_socket *socket) {
  bool local = socket->local_port < socket->remote_port;
  struct holder want = {
      .cgroup_id = socket->cgroup_id,
      .state = socket->state,
      .local = local,
      .port = local ? socket->local_port : socket->remote_port,
  };
  struct holder *holder = find(holders, &want);
  if (holder == NULL)
    return;
  want.num = holder->num + 1;
  want.inode = holder->inode != 0 ? holder->inode : socket->inode;
  *holder = want;
}

size_t holders_top(const struct holders *holders, uint8_t state,
                   const struct holder **top, size_t num) {
  size_t found = 0;
  for (size_t i = 0; i < HOLDERS_NUM; i++) {
    const struct holder *h = &holders->holder[i];
    if (h->state != state)
      continue;
    size_t place = found < num ? found++ : num;
    for (; place > 0 && top[place - 1]->num < h->num; place--)
      if (place < num)
        top[place] = top[place - 1];
    if (place < num)
      top[place] = h;
  }
  return found;
}
