/* SPDX-License-Identifier: MIT */
/* Classifies one socket and counts it in every group that it belongs to. */
#ifndef TCPSTATES_TALLY_H
#define TCPSTATES_TALLY_H

#include "ages.h"
#include "counts.h"
#include "ephemeral.h"
#include "group_index.h"
#include "holders.h"
#include "port_vote.h"
#include "services.h"
#include "whose.h"

struct tally {
  /* The caller's: */
  uint64_t stuck_after;        /* ms */
  struct ages *ages;           /* of this read; NULL: they are not asked for */
  struct whose *whose;         /* likewise */
  struct holders *holders;     /* of what is stuck; NULL: not asked for */
  struct services *services;   /* counted as well; NULL: not asked for */
  struct ephemeral *ephemeral; /* likewise, of groups with destinations */
  const struct group_index *index;
  struct tally_counts all;     /* every socket */
  struct port_vote local_vote; /* of those in STATES_COMMON, with groups */
  struct port_vote remote_vote;
  struct tally_counts *groups; /* group_index_num() of them */
  size_t size;                 /* for how many groups there is memory */
};

/* Sets all counts to 0, and the holders to none. To be called before each dump,
 * and after each change of the index; allocates when there are more groups than
 * ever before. Returns 0 or -ENOMEM. */
int tally_reset(struct tally *tally, const struct group_index *index);

/* Counts a socket; tally is a struct tally. Returns 0. */
int tally_socket(const struct diag_socket *socket, void *tally);

/* Replaces what was dumped of the sockets in a state by their total, and what
 * follows from it: for the service of which none were dumped, and for the group
 * that is counted by its complement, of which those outside it were; NO_GROUP:
 * there is none. */
void tally_set_total(struct tally *tally, size_t complement, int state,
                     int64_t total);

void tally_free(struct tally *tally);

#endif
