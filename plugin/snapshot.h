/* SPDX-License-Identifier: MIT */
/* One reading of the TCP sockets and limits of a network namespace. */
#ifndef TCPSTATES_SNAPSHOT_H
#define TCPSTATES_SNAPSHOT_H

#include "cgroup.h"
#include "diag_dump.h"
#include "filter_ids.h"
#include "mptcp.h"
#include "netns_sums.h"
#include "plan.h"
#include "proc_file.h"
#include "proc_text.h"
#include "stuck.h"

/* What one reading has found. */
struct snapshot {
  /* 0: index and tally hold the counts of one complete dump; else -errno, see
   * diag_dump_strerror(): there are no counts */
  int sockets_error;
  bool closed_known; /* this kernel reports bound-only sockets */
  const struct group_index *index;
  const struct tally *tally;
  const struct services *services; /* NULL: not asked for, or not known */
  struct stuck *stuck;             /* its notices; NULL: there can be none */
  const struct mptcp *mptcp;       /* NULL: not asked for */
  int mptcp_error; /* 0, or -errno: mptcp has no counts, see mptcp_strerror() */
  bool ages_lost;  /* of some stuck sockets only tcp_info's age is known */
  /* How the sockets are counted and why, when it is not the method of the
   * read before; else "" */
  char method[PLAN_TEXT_SIZE];

  /* PROC_UNKNOWN: the file is not there, or could not be read */
  struct proc_sockstat sockstat;
  int64_t tcp_fin_timeout; /* seconds, of this namespace */
  int64_t tcp_max_tw_buckets;
  int64_t tcp_max_orphans;
  int64_t tcp_mem[3]; /* low, pressure, high: pages */
  int64_t unhashed;   /* of the machine: set by the caller that has all its
                         namespaces */

  struct netns_sums sums; /* of this namespace, for that */
  int sums_error;         /* -errno: they are not known, or not asked for */

  /* The first file that is there and could not be read; NULL: none */
  const char *file;
  int file_error; /* -errno; -EBADMSG: its text is not understood */

  /* The first directory of the machine's control groups for which this is so */
  const char *cgroups;
  bool cgroups_in_part; /* what is below it is not counted, and the values that
                           it is for are those of the rest; else they are
                           missing */
  int cgroups_error;    /* -errno; -ENODEV: no cgroup v2 hierarchy is mounted
                           there, or this kernel's sockets do not carry their
                           control group */
};

/* Those that are read in each reading. */
enum snapshot_file {
  SNAPSHOT_SOCKSTAT,
  SNAPSHOT_SOCKSTAT6,
  SNAPSHOT_FIN_TIMEOUT,
  SNAPSHOT_MAX_ORPHANS,
  SNAPSHOT_MAX_TW_BUCKETS,
  SNAPSHOT_MEM,
  SNAPSHOT_PORT_RANGE,
  SNAPSHOT_RESERVED_PORTS,
  SNAPSHOT_FILES_NUM
};

/* What is kept from one reading to the next. */
struct snapshot_reader {
  const char *proc; /* "/proc" */
  const struct settings *settings;
  /* Open, but not those of another namespace: they would keep it alive. */
  struct proc_file files[SNAPSHOT_FILES_NUM];
  struct diag_dump dump;
  struct port_bitmap listening;
  struct group_index index;
  struct tally tally;
  struct ages ages;
  struct stuck *stuck; /* NULL: nobody is to be notified */
  struct plan plan;
  struct cgroup_tree *cgroups;
  struct services services;
  struct filter_ids filter_ids;
  struct ephemeral *ephemeral; /* NULL: not asked for */
  struct mptcp *mptcp;         /* NULL: there are no such groups */
  bool has_ipv6;               /* sockstat6 was there */
  bool summed; /* its values are added up with others': what differs from
                  namespace to namespace is not needed. Set by the caller */
};

/* Makes a reader, for one thread at a time; settings, proc, the path where
 * procfs is mounted, and cgroups, the machine's control groups, are referred to
 * until snapshot_close(). cgroups: NULL where the settings need none.
 * Returns 0 or -ENOMEM, reader needs no closing then. */
int snapshot_open(struct snapshot_reader *reader,
                  const struct settings *settings, const char *proc,
                  struct cgroup_tree *cgroups);

/* Reads. What out points to is valid until the next call. Allocates
 * memory only for the first dump and when groups change. */
void snapshot_read(struct snapshot_reader *reader, struct snapshot *out);

void snapshot_close(struct snapshot_reader *reader);

#endif
