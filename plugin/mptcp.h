/* SPDX-License-Identifier: MIT */
/* The groups of MPTCP sockets: counted in their own states, from dumps of their
 * own. TCP's counts do not include them. */
#ifndef TCPSTATES_MPTCP_H
#define TCPSTATES_MPTCP_H

#include "diag_dump.h"
#include "filter_ids.h"
#include "tally.h"

struct mptcp {
  /* What the last mptcp_read() has found: */
  struct group_index index;
  struct tally tally; /* its groups */
  bool has_ages;      /* this kernel says how long they have been idle */
  struct filter_ids filter_ids;

  /* The rest is mptcp.c's own. */
  const struct settings *settings;
  uint32_t states;
  struct ages ages;
  bool info; /* this read asks for mptcp_info */
};

/* Makes it for the settings' groups, which it refers to. Returns 0 or -ENOMEM.
 */
int mptcp_open(struct mptcp *mptcp, const struct settings *settings);

/* Counts the sockets of this network namespace.
 * Returns 0, or -errno as diag_dump_run() and cgroup_tree_ids() do: there are
 * no counts then. */
int mptcp_read(struct mptcp *mptcp, struct diag_dump *dump,
               struct cgroup_tree *cgroups);

/* Is of some stuck sockets only mptcp_info's age known? */
bool mptcp_lost_ages(const struct mptcp *mptcp);

/* What err, a return value of mptcp_read(), means and what to do about it: a
 * sentence without a full stop. NULL: no more than strerror(3) says. */
const char *mptcp_strerror(int err);

void mptcp_close(struct mptcp *mptcp);

#endif
