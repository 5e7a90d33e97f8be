/* Which sockets to ask the kernel for this time, and which counts follow from
 * its own sums. Copying sockets out is what costs, so where there are many,
 * those in ESTABLISHED and TIME_WAIT, nearly all of them, are not asked for but
 * for the groups that need them. */
#ifndef TCPSTATES_PLAN_H
#define TCPSTATES_PLAN_H

#include "bytecode.h"
#include "tally.h"

enum plan_way {
  PLAN_ALL,    /* one dump of every socket */
  PLAN_GROUPS, /* one dump of the sockets of the groups */
  PLAN_SUMS, /* a dump of the other states; ESTABLISHED and TIME_WAIT are dumped
                as the groups need them, their total is the kernel's */
};

/* What the kernel itself says of this network namespace (sockstat, sockstat6),
 * -1: not known. */
struct plan_sums {
  int64_t inuse;  /* AF_INET full sockets */
  int64_t inuse6; /* AF_INET6 full sockets */
  int64_t tw;     /* minisockets */
};

static inline bool plan_sums_known(const struct plan_sums *sums) {
  return sums->inuse >= 0 && sums->inuse6 >= 0 && sums->tw >= 0;
}

/* What is to be counted. */
struct plan_task {
  const struct group_index *index;
  bool all;        /* the group "all" too */
  bool exact;      /* no sums */
  bool ages;       /* ages of what is in FIN_WAIT2 and CLOSE_WAIT */
  bool all_ages;   /* also of those in no group */
  uint32_t states; /* that the values need, settings_states() */
};

/* The number of sockets from which on they are not all dumped; with half of it
 * it does so again. */
#define PLAN_FEW 500

/* What to ask for in this read; and what is kept from read to read.
 * Zero-initialised but for the first it is ready for use. */
struct plan {
  uint32_t few;     /* PLAN_FEW, less in tests */
  bool no_bytecode; /* this kernel refuses it */

  enum plan_way way;
  const char *why;                 /* it is PLAN_ALL */
  uint64_t sockets;                /* in the namespace, as far as is known */
  struct diag_request requests[2]; /* one after the other; states disjoint */
  size_t requests_num;

  /* The rest is plan.c's own. */
  struct bytecode program;
  unsigned generation; /* of the index that the program is compiled from */
  bool compiled;       /* it was tried */
  bool fits;           /* and there is one */
  bool *subtracted;    /* by group: it is counted as all sockets less those
                          outside it */
  uint64_t *expected;  /* by group: its sockets in ESTABLISHED and TIME_WAIT, as
                          the last read has found them */
  size_t size;         /* for how many groups there is memory */
  bool was_first_time; /* that was why the last read dumped all */
  bool known;          /* there was a read, and it has found: */
  uint64_t rare;       /* sockets in other states than these */
  bool aged;           /* sockets that can be stuck */
  uint64_t *held;      /* by group of that time, as expected */
  uint16_t *ports;     /* its listening ports */
  size_t groups_num;   /* its configured groups */
  size_t ports_num;
  size_t held_size; /* for how many groups there is memory */
};

/* Fills plan->requests. Allocates only when the groups, or those that are
 * subtracted, have changed. Returns 1: the way is another than in the read
 * before; 0: it is the same; -ENOMEM. */
int plan_make(struct plan *plan, const struct plan_task *task,
              const struct plan_sums *sums);

/* Whether ages need a further request, now that tally has counted the answers
 * to all others: then it is in *request, and tally_age() is to count its
 * answer. */
bool plan_ages_request(const struct plan *plan, const struct plan_task *task,
                       const struct tally *tally, struct diag_request *request);

/* To be called when the answers to all requests are counted in tally: adds what
 * was not dumped, so that tally is as if every socket that the task needs had
 * been, and learns from it. Returns 0 or -ENOMEM. */
int plan_complete(struct plan *plan, const struct plan_task *task,
                  const struct plan_sums *sums, struct tally *tally);

/* Says in words which way it is and why: a sentence without full stop. */
void plan_describe(const struct plan *plan, const struct plan_task *task,
                   char *buf, size_t size);

void plan_free(struct plan *plan);

#endif
