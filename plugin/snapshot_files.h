/* SPDX-License-Identifier: MIT */
/* The files of one read of one namespace. What is not there, or is not
 * understood, stays PROC_UNKNOWN; the first failure is kept in the snapshot. */
#ifndef TCPSTATES_SNAPSHOT_FILES_H
#define TCPSTATES_SNAPSHOT_FILES_H

#include "snapshot.h"

#define SNAPSHOT_NO_SOCKSTAT                                                   \
  { PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN }

/* Keeps that the file could not be read, unless another one failed before. err:
 * as in struct snapshot. */
void snapshot_file_failed(struct snapshot *s, const char *file, int err);

/* Reads the sysctls that the settings need. */
void snapshot_read_files(struct snapshot_reader *reader, struct snapshot *s);

/* After sockstat, where values are added up: of what tcp_max_tw_buckets is for
 * only the percentage is reported then, and none is 0 % of any limit. */
void snapshot_read_summed_limit(struct snapshot_reader *reader,
                                struct snapshot *s);

void snapshot_read_sockstat(struct snapshot_reader *reader, struct snapshot *s);

/* Reads sockstat, too. */
struct plan_sums snapshot_read_sums(struct snapshot_reader *reader,
                                    struct snapshot *s);

/* Does this namespace have a table of sockets of its own? */
bool snapshot_has_own_table(const struct snapshot_reader *reader);

#endif
