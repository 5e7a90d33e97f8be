/* SPDX-License-Identifier: MIT */
/* Reads a fake kernel by plan.c's requests, as snapshot.c reads the real one,
 * and checks each step. To be linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc */
#ifndef TCPSTATES_PLAN_READER_H
#define TCPSTATES_PLAN_READER_H

#include "fake_kernel.h"

#define READER_GROUPS_MAX 6

/* All that is kept from read to read. Zero-initialised except for
 * plan.threshold it is ready for groups; reader_free() ends it. */
struct reader {
  unsigned seed; /* what messages tell */
  struct fake_kernel kernel;
  struct settings settings;
  struct group_index index;
  struct port_bitmap listening;
  struct tally tally;
  struct ages ages;
  struct plan plan;
  struct plan_task task;

  /* The sums that the next plan is made from; NULL: those of the dump. */
  const struct plan_sums *early;
  size_t dumped;         /* sockets, in the last read */
  int changed;           /* for the tests: what a read has returned */
  char description[200]; /* of its plan */
  unsigned allocations;  /* of a read, since somebody set it to 0 */
  unsigned fail_at;      /* this one fails; 0: none */

  struct {
    bool known;  /* there was a read, by this method: */
    bool failed; /* and after it one that ran out of memory */
    enum plan_method method;
    bool first_time; /* for that reason */
    uint32_t complement;
  } before;
};

/* Adds a group without conditions; the one of a single local port. */
struct filter *reader_add_group(struct reader *r, const char *name);
void reader_add_port(struct reader *r, uint16_t port);

/* Adds every second port below end: 443, and others of fake_pool. */
void reader_add_odd_ports(struct port_set *set, unsigned end);

/* To be called after the last group. all: count the group "all" too. */
void reader_begin(struct reader *r, bool all);

/* A read, whose plan must be sound. Returns what plan_make() returned, or
 * -ENOMEM. */
int reader_read(struct reader *r, const struct plan_sums *sums);

/* The same with the right sums. */
int reader_read_at_rest(struct reader *r);

/* All groups' counts must be those of the whole table, as far as the task needs
 * and metrics.c knows them. */
void reader_check_counts(const struct reader *r);

void reader_free(struct reader *r);

#endif
