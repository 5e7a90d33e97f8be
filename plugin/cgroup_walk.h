/* SPDX-License-Identifier: MIT */
/* The walk through a tree's directories, iterative and within its bounds: one
 * descriptor at a time, however deep they are nested. */
#ifndef TCPSTATES_CGROUP_WALK_H
#define TCPSTATES_CGROUP_WALK_H

#include "cgroup.h"

/* Where the cgroup v2 hierarchy is mounted; NULL: at none of the usual places
 * (a machine with cgroup v1 only), or sockets do not carry their control group
 * (before Linux 5.8). */
const char *cgroup_mount(void);

/* Fills tree->next, and sets tree->due; now: CLOCK_MONOTONIC, seconds. What
 * cannot be entered has an error in the list. Returns 0; -ENOMEM: the list is
 * of no use. */
int cgroup_walk(struct cgroup_tree *tree, int64_t now);

#endif
