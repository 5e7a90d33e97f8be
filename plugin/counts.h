/* SPDX-License-Identifier: MIT */
/* What is counted of the sockets of one group. */
#ifndef TCPSTATES_COUNTS_H
#define TCPSTATES_COUNTS_H

#include <netinet/tcp.h>
#include <stdint.h>

/* The states that nearly all sockets are in where there are many. */
#define STATES_COMMON (1u << TCP_ESTABLISHED | 1u << TCP_TIME_WAIT)

/* The sockets of one group. 64 bits: sums of the kernel's 32-bit numbers. */
struct tally_counts {
  uint64_t state[TCP_CLOSING + 1]; /* by TCP_ESTABLISHED and so on; TCP_CLOSE:
                                      bound only */
  uint64_t fin_wait2_held;
  uint64_t fin_wait2_orphaned;
  uint64_t orphaned; /* full sockets without owner, as sockstat's "orphan" */
  uint64_t fin_wait2_minisockets;
  uint64_t request_socks;
  uint64_t close_wait_unaccepted; /* no program has accepted them */
  /* With an owner in FIN_WAIT1 and FIN_WAIT2, and in CLOSE_WAIT, for longer
   * than stuck_after. */
  uint64_t fin_wait1_stuck;
  uint64_t fin_wait2_stuck;
  uint64_t close_wait_stuck;
  uint64_t fin_wait1_oldest; /* ms, a lower bound; 0: there is none */
  uint64_t fin_wait2_oldest;
  uint64_t close_wait_oldest;
  uint64_t accept_queue; /* connections that wait for accept() */
  uint64_t accept_queue_limit;
  uint64_t
      accept_queue_utilization; /* of the fullest listener, 1/100 percent */
  uint64_t ephemeral_ports;     /* that connect(2) chooses from; 0: not known */
  uint64_t fullest_destination; /* how many of them are in use there */
  uint64_t
      ephemeral_utilization; /* of the fullest destination, 1/100 percent */
};

/* The sockets in any of these states, a bit mask of 1 << TCP_ESTABLISHED and so
 * on. */
static inline uint64_t tally_counts_sum(const struct tally_counts *counts,
                                        uint32_t states) {
  uint64_t num = 0;
  for (int state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++)
    num += states & 1u << state ? counts->state[state] : 0;
  return num;
}

#endif
