/* SPDX-License-Identifier: MIT */
/* Which processes hold TCP sockets that are in no state: their descriptors are
 * TCP's, and no dump has their inodes. */
#ifndef TCPSTATES_CULPRITS_H
#define TCPSTATES_CULPRITS_H

#include "diag_dump.h"
#include "process.h"

/* Users decide in how many network namespaces their processes are. Descriptors
 * of processes in this many are distinguished: those that were found first. */
#define CULPRITS_NAMESPACES 32

/* To read one of the others has the kernel walk the sockets of all, twice: 0.9
 * s among a million. When they have taken this much CPU time, the rest is not
 * read. */
#define CULPRITS_TABLES_NS INT64_C(2000000000)

/* Finds them: reads all descriptors, up to PROCESS_DESCRIPTORS_MAX of all and
 * PROCESS_DESCRIPTORS_EACH of one process; then dumps all sockets of this
 * namespace with dump, and reads those of the other namespaces from /proc; and
 * looks once more at what is left. A process that holds a socket of a namespace
 * in which no process with TCP sockets is may be taken for one. Needs the right
 * to inspect the processes. Returns how it went; error can be one of
 * diag_dump_run(), too: then nothing was found. */
struct process_search culprits_find(const char *proc, struct diag_dump *dump,
                                    struct processes *out);

#endif
