/* Classifies one socket and counts it in every group that it belongs to. */
#ifndef TCPSTATES_TALLY_H
#define TCPSTATES_TALLY_H

#include "ages.h"
#include "group_index.h"
#include "holders.h"
#include "whose.h"

#include <netinet/tcp.h>

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
  uint64_t accept_queue_fullness; /* of the fullest listener, 1/100 percent */
};

struct tally {
  /* The caller's: */
  uint64_t stuck_after;    /* ms */
  struct ages *ages;       /* of this read; NULL: they are not asked for */
  struct whose *whose;     /* likewise */
  struct holders *holders; /* of what is stuck; NULL: not asked for */
  const struct group_index *index;
  struct tally_counts all;     /* every socket */
  struct tally_counts *groups; /* group_index_num() of them */
  size_t size;                 /* for how many groups there is memory */
};

/* Sets all counts to 0, and the holders to none. To be called before each dump,
 * and after each change of the index; allocates when there are more groups than
 * ever before. Returns 0 or -ENOMEM. */
int tally_reset(struct tally *tally, const struct group_index *index);

/* Counts a socket; tally is a struct tally. Returns 0. */
int tally_socket(const struct diag_socket *socket, void *tally);

void tally_free(struct tally *tally);

#endif
