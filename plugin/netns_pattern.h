/* SPDX-License-Identifier: MIT */
/* All network namespaces that a block's paths and patterns lead to at the
 * moment: which there are, whose turn it is, and what each has said last.
 * netns.c reads them, netns_sum.c adds up. */
#ifndef TCPSTATES_NETNS_PATTERN_H
#define TCPSTATES_NETNS_PATTERN_H

#include "netns.h"
#include "netns_sum.h"

#include <sys/stat.h>

/* This many namespaces are read of one pattern, those that were found first:
 * users who are allowed to make namespaces can make many. */
#define NETNS_PATTERN_MAX 1024

/* Of those that had no socket in this many reads, a third is read each time,
 * but at least this many: a machine can have hundreds of idle ones, and
 * entering one takes ten times as long as reading its sums. */
#define NETNS_PATTERN_IDLE 3
#define NETNS_PATTERN_LEAST 16

/* What a namespace has said last stays in the sum for this many ms while it is
 * there and cannot be read. */
#define NETNS_PATTERN_KEEP 300000

/* What is remembered of one namespace from one read of it to the next. Zero-
 * initialised it is nothing. */
struct netns_past {
  struct ages ages, mptcp_ages;
  struct alarms alarms;
  struct notice *notices; /* of a read that was given up: to be said later */
  size_t notices_num;
};

struct netns_member {
  ino_t ino;     /* its file's, which tells it from all others */
  char *path;    /* that leads to it */
  bool found;    /* in the last search */
  bool busy;     /* a read of it goes on, perhaps late */
  bool stale;    /* its last read has brought nothing for its part */
  unsigned idle; /* reads, up to NETNS_PATTERN_IDLE, since one found a socket */
  uint64_t turn; /* the number of its last one; 0: it had none yet */
  uint64_t turn_before; /* if there was no time for that one */
  int64_t cost;         /* ns of CPU time, of its last read */
  int64_t read;         /* ms, when it said what is in its part; 0: not yet */
  int error;            /* of its last read; -errno */
  const char *(*strerror)(int error); /* says what it means; NULL: the C library
                                         alone does */
  struct netns_part part;
  struct netns_past past;
};

/* An alarm is over because its namespace has ended. */
typedef void (*netns_over_cb)(const struct alarm *alarm, void *data);

struct netns_pattern {
  const struct settings_namespace *block;
  const char *proc;
  struct netns *slots; /* NETNS_SLOTS of the set's, that read them */
  struct netns_member *reading[NETNS_SLOTS]; /* by slot; NULL: none */
  struct netns_member *members[NETNS_PATTERN_MAX];
  size_t num;
  uint16_t index[2 * NETNS_PATTERN_MAX]; /* hash table: position + 1 */
  struct netns_sum sum;
  uint64_t turn;        /* the last number */
  uint64_t first_turn;  /* the last before this read */
  size_t idle;          /* this many idle ones may still be read in this one */
  int64_t now;          /* ms, when this read began */
  int64_t share;        /* ns of CPU time for each interval */
  int64_t credit;       /* ns of it that may still be used */
  int64_t cost;         /* ns, of the last read of any namespace */
  int64_t searched_for; /* ns: less of it is left in each interval, and there
                           is a search when none is */
  bool searched;        /* it is known what there is */
  bool complete; /* all that were there at the start have had their turn */

  bool too_many;           /* there are more than NETNS_PATTERN_MAX */
  ino_t file, file_before; /* that this search and the last one have met, and
                              that is no namespace; 0: none */
  int search_error;        /* -errno of stat(2) or glob(3); 0: none */
  char failed[256];        /* the path of one that could not be read */
};

/* Makes the pattern of a block; slots are those of the set. It keeps references
 * to all of them. */
void netns_pattern_open(struct netns_pattern *pattern,
                        const struct settings_namespace *block,
                        struct netns *slots, const char *proc);

/* Begins a read at now, of clock_ms(), after netns_start(): finds what is
 * there, and chooses the first to be read, unless what was read before has used
 * up the budget. How long a search takes is decided by users, who make
 * processes: it gets half of the budget, unless all that were found have had
 * their turn. interval: ns between two reads. Calls over for each alarm of a
 * namespace that is not there any more. */
void netns_pattern_start(struct netns_pattern *pattern, struct netns_set *set,
                         int64_t now, int64_t interval, netns_over_cb over,
                         void *data);

/* Takes what one of the slots has found, and chooses another namespace for it.
 */
void netns_pattern_take(struct netns_pattern *pattern, struct netns_set *set,
                        struct netns *slot);

/* Once netns_next() has returned NULL: calls cb for each value. Returns how
 * many there were: none until all that were there at the start have had their
 * turn. */
size_t netns_pattern_end(struct netns_pattern *pattern, metric_cb cb,
                         void *data);

/* After that: returns 0; or -errno, why one of them could not be read, whose
 * path is pattern->failed then: -E2BIG: there are too many, -ENOSPC: too many
 * values. reason: what that means, a sentence without a full stop; NULL: no
 * more than strerror(3) says. */
int netns_pattern_error(struct netns_pattern *pattern, const char **reason);

/* After netns_close(), when it has returned 0. */
void netns_pattern_close(struct netns_pattern *pattern);

#endif
