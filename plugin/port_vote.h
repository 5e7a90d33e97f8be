/* SPDX-License-Identifier: MIT */
/* Finds the port that most sockets have, in one pass and without a count for
 * each port: the method of Boyer and Moore, "MJRTY" (1981). */
#ifndef TCPSTATES_PORT_VOTE_H
#define TCPSTATES_PORT_VOTE_H

#include <stdint.h>

/* Before the first socket it is zero-initialised. */
struct port_vote {
  uint16_t port;  /* if any port has more than half of the sockets, this one */
  uint64_t votes; /* it has at least this many: those of its sockets that are
                     left when each of another port takes one away */
};

static inline void port_vote_add(struct port_vote *vote, uint16_t port) {
  if (vote->votes == 0)
    vote->port = port;
  if (vote->port == port)
    vote->votes++;
  else
    vote->votes--;
}

#endif
