/* SPDX-License-Identifier: MIT */
/* Which sockets to ask the kernel for in this read, and which counts follow
 * from its own sums. The kernel walks the sockets of the whole machine for each
 * request; those that it copies out cost nine times as much. So where there are
 * many, nearly all of them in ESTABLISHED and TIME_WAIT, of these only what the
 * groups need is asked for. */
#ifndef TCPSTATES_PLAN_H
#define TCPSTATES_PLAN_H

#include "group_program.h"
#include "plan_found.h"

enum plan_method {
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
  int64_t alloc;  /* full sockets in the table that a walk passes: of the whole
                     machine; not known: those of this namespace */
};

static inline bool plan_sums_known(const struct plan_sums *sums) {
  return sums->inuse >= 0 && sums->inuse6 >= 0 && sums->tw >= 0;
}

/* What is to be counted. */
struct plan_task {
  const struct group_index *index;
  uint32_t states; /* that the values need, settings_states() */
  bool all;        /* the group "all" too */
  bool dump;       /* no sums */
  bool info;       /* tcp_info of sockets in SETTINGS_STATES_AGED */
  const struct services *services; /* the sockets of each; NULL: of none */
  bool destinations; /* every socket of groups that have some: ephemeral.h */
  bool all_aged;     /* these states of all sockets, not only of the groups' */
};

/* With groups: from this number of sockets they are not all dumped; below half
 * of it they are again. */
#define PLAN_THRESHOLD 500

/* What to ask for in this read; and what is kept from read to read.
 * Zero-initialised except for threshold it is ready for use. */
struct plan {
  uint32_t threshold; /* PLAN_THRESHOLD, less in tests */
  bool no_bytecode;   /* this kernel refuses it */

  enum plan_method method;
  const char *why;                 /* it is PLAN_ALL */
  bool empty;                      /* there is nothing to count, except
                                      bound-only ones */
  struct diag_request requests[3]; /* one after the other; states disjoint */
  size_t requests_num;

  /* The rest is plan.c's and plan_cost.c's own. */
  uint64_t sockets; /* in the namespace, as far as is known */
  uint64_t machine; /* those that a walk passes */
  bool told;        /* the method and a reason that lasts */
  /* That leave out the whole complement, and only the ports of it that most of
   * its sockets have. */
  struct group_program programs[2];
  bool by_port;            /* the latter is used */
  struct bytecode outside; /* of the largest service */
  struct plan_found found; /* by the last read */
};

/* The one that is used. */
static inline const struct group_program *
plan_program(const struct plan *plan) {
  return &plan->programs[plan->by_port];
}

/* The number of the group that is counted by its complement; or NO_GROUP. */
static inline size_t plan_complement(const struct plan *plan,
                                     const struct plan_task *task) {
  return group_index_number(task->index, plan->programs[0].complement.group);
}

/* Fills plan->requests, by sums that may be a little old. Allocates only when
 * the groups or the complement have changed. Returns 1: the method is another
 * than in the read before; 0: it is the same; -ENOMEM. */
int plan_make(struct plan *plan, const struct plan_task *task,
              const struct plan_sums *sums);

/* Does plan_complete() need sums that are read right before the first request?
 */
static inline bool plan_uses_sums(const struct plan *plan) {
  return plan->method == PLAN_SUMS && !plan->empty;
}

/* To be called when the answers to all requests are counted in tally: adds what
 * was not dumped, so that tally is as if every socket that the task needs had
 * been, and learns from it. */
void plan_complete(struct plan *plan, const struct plan_task *task,
                   const struct plan_sums *sums, struct tally *tally);

/* The longest text of plan_describe() with a name of collectd's length. */
#define PLAN_TEXT_SIZE 256

/* Says in words which method it is and why: a sentence without a full stop. */
void plan_describe(const struct plan *plan, const struct plan_task *task,
                   char *buf, size_t size);

void plan_free(struct plan *plan);

#endif
