/* Filters as inet_diag bytecode, so that the kernel leaves out what no group
 * needs. Source: linux/inet_diag.h; net/ipv4/inet_diag.c,
 * inet_diag_bc_audit() and inet_diag_bc_run(). */
#ifndef TCPSTATES_BYTECODE_H
#define TCPSTATES_BYTECODE_H

#include "cgroup.h"
#include "filter.h"

/* What a program of any length must fit in: its netlink attribute with the
 * header ends at UINT16_MAX. */
#define BYTECODE_MAX 65528

/* A program under construction, then ready for the kernel. Zero-initialised it
 * is empty. */
struct bytecode {
  char *ops;
  size_t len;  /* bytes */
  size_t size; /* for how many there is memory */
  size_t cost; /* comparisons that the kernel makes for a socket, at most */
};

/* Compiles "the socket belongs to any of the filters", where filters[i] is
 * replaced by "does not belong to filters[i]" if inverted[i] is true.
 * ids[i] are those of its control groups, NULL: none has any; it is read only
 * where the filter asks for some. A set of
 * control groups can be too large: the program then lets through sockets that
 * belong to none of them, but it never leaves out one that belongs. Allocates
 * when the program is longer than any before.
 * Returns 0; -EMSGSIZE: longer than BYTECODE_MAX; -EINVAL: num is 0, or a
 * filter with control groups is inverted, which nothing can tell of minisockets
 * and request socks; -ENOMEM. */
int bytecode_compile(struct bytecode *program,
                     const struct filter *const *filters,
                     const struct id_list *ids, const bool *inverted,
                     size_t num);

void bytecode_free(struct bytecode *program);

#endif
