/* SPDX-License-Identifier: MIT */
/* The processes that a procfs shows, one after the other. */
#ifndef TCPSTATES_PROC_WALK_H
#define TCPSTATES_PROC_WALK_H

#include <stdint.h>

/* Takes a process. Returns 0; or -errno, which ends the walk. */
typedef int (*proc_walk_cb)(uint32_t pid, void *data);

/* Calls cb for each process; proc is where procfs is mounted. Allocates
 * nothing. Returns 0, what cb returned, or -errno of open(2) or getdents64(2).
 */
int proc_walk(const char *proc, proc_walk_cb cb, void *data);

#endif
