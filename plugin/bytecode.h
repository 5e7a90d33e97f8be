/* SPDX-License-Identifier: MIT */
/* Filters as inet_diag bytecode, so that the kernel leaves out what no group
 * needs. Source: linux/inet_diag.h; net/ipv4/inet_diag.c,
 * inet_diag_bc_audit() and inet_diag_bc_run(). */
#ifndef TCPSTATES_BYTECODE_H
#define TCPSTATES_BYTECODE_H

#include "assembler.h"
#include "cgroup_list.h"
#include "filter.h"

/* With more control groups than this the kernel would need longer to compare
 * than to copy the socket. */
#define BYTECODE_CGROUPS_MAX 64

/* Compiles "the socket belongs to any of the filters", where filters[i] is
 * replaced by "does not belong to filters[i]" if inverted[i] is true. ids[i]
 * are those of its control groups, NULL: none has any; it is read only where
 * the filter asks for some. A filter that would make it more than
 * BYTECODE_CGROUPS_MAX of them, with those of the filters before it, lets
 * through sockets of every control group; everything else is exact. Allocates.
 * Returns 0; -EMSGSIZE: longer than BYTECODE_MAX; -EINVAL: num is 0, or a
 * filter with control groups is inverted, which cannot be known of minisockets
 * and request socks; -ENOMEM. */
int bytecode_compile(struct bytecode *program,
                     const struct filter *const *filters,
                     const struct id_list *ids, const bool *inverted,
                     size_t num);

/* Compiles "the socket is in none of these control groups". This holds only for
 * full sockets: minisockets and request socks are let through. Returns as
 * bytecode_compile(). */
int bytecode_outside(struct bytecode *program, const uint64_t *ids, size_t num);

void bytecode_free(struct bytecode *program);

#endif
