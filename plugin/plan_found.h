/* SPDX-License-Identifier: MIT */
/* What the last read has found: by it plan.c estimates what the next one will
 * cost. */
#ifndef TCPSTATES_PLAN_FOUND_H
#define TCPSTATES_PLAN_FOUND_H

#include "group_program.h"
#include "tally.h"

static inline uint64_t plan_subtract(uint64_t from, uint64_t number) {
  return from > number ? from - number : 0;
}

/* Nothing is known when zero-initialised. */
struct plan_found {
  bool known;
  uint64_t rare;                /* sockets in other states than STATES_COMMON */
  uint64_t aged;                /* of them in SETTINGS_STATES_AGED */
  struct complement complement; /* the group that holds more than half of those
                                   in STATES_COMMON, with the ports that most of
                                   its sockets have */
  /* Of them, in 1/1000: what a program for the groups lets through at most. */
  uint64_t share;      /* when it leaves out the whole complement */
  uint64_t port_share; /* when it leaves out only these ports of it */
};

/* What plan_found_learn() has to know about a read besides its counts. */
struct plan_found_read {
  uint64_t common;   /* its sockets in STATES_COMMON, dumped or not */
  uint64_t left_out; /* of them, those of the complement */
  struct complement complement; /* what was not dumped */
  bool destinations; /* every socket of groups that have some is wanted */
  bool dump;         /* no group is to count by its complement */
};

/* Takes the counts of a complete read. */
void plan_found_learn(struct plan_found *found, const struct tally *tally,
                      const struct plan_found_read *read);

#endif
