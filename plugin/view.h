/* SPDX-License-Identifier: MIT */
/* A network namespace, or a pattern of them, as the log names it. */
#ifndef TCPSTATES_VIEW_H
#define TCPSTATES_VIEW_H

#include "netns_pattern.h"
#include "remarks.h"
#include "trouble.h"

/* A network namespace as the user sees it. */
struct view {
  const char *name; /* NULL: that of the daemon */
  char label[80];   /* what log lines begin with: "namespace NAME: ", or "" */
  const struct settings *settings;
  struct remarks remarks;
  struct trouble no_entry;
  struct trouble no_sockets;
  struct trouble no_mptcp;
  struct trouble no_file;
  struct trouble no_cgroups;
  struct trouble no_group;
  struct trouble no_unhashed;
  struct netns_pattern *pattern; /* NULL: it is one namespace */
};

/* Logs how the dump of MPTCP went, when that is news. */
void view_log_mptcp(struct view *view, const struct snapshot *snapshot);

/* Logs what is not known of the machine's control groups, when that is news. */
void view_log_cgroups(struct view *view, const struct snapshot *snapshot);

/* Logs how a whole read went, when that is news: both of these, too. */
void view_log(struct view *view, const struct snapshot *snapshot);

/* Says why there are no values of another namespace; error: as in struct netns.
 */
void view_log_missing(struct view *view, const struct netns *netns, int error);

#endif
