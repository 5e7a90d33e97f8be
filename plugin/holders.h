/* Who holds the sockets that are stuck: their control groups and ports, the
 * largest first. */
#ifndef TCPSTATES_HOLDERS_H
#define TCPSTATES_HOLDERS_H

#include "diag_msg.h"

/* Sockets in the same state, with the same control group and service. */
struct holder {
  uint64_t cgroup_id; /* 0: not known */
  uint8_t state;      /* TCP_FIN_WAIT2 or TCP_CLOSE_WAIT; 0: no holder */
  bool local;         /* port is the local one */
  uint16_t port;      /* the smaller one of both ends: that of the service */
  uint32_t num;
  uint32_t inode; /* of one of them; 0: nobody has accepted them yet */
};

#define HOLDERS_NUM 256

/* Zero-initialised it is empty. */
struct holders {
  struct holder holder[HOLDERS_NUM];
};

/* Counts a socket. When there are more holders than HOLDERS_NUM, the later ones
 * are left out. */
void holders_add(struct holders *holders, const struct diag_socket *socket);

/* The num holders of this state with the most sockets, in that order.
 * Returns how many there are, at most num. */
size_t holders_top(const struct holders *holders, uint8_t state,
                   const struct holder **top, size_t num);

#endif
