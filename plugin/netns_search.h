/* SPDX-License-Identifier: MIT */
/* Which namespaces the paths of a pattern lead to. */
#ifndef TCPSTATES_NETNS_SEARCH_H
#define TCPSTATES_NETNS_SEARCH_H

#include "netns_pattern.h"

/* Marks the members that are there as found, and adds new ones. Returns whether
 * the search is whole: those that were not found have ended. Errors of single
 * paths are in search_error and failed. */
bool netns_search(struct netns_pattern *pattern);

/* Drops those that have ended and that no read uses; over: as of
 * netns_pattern_start(). */
void netns_search_drop(struct netns_pattern *pattern, netns_over_cb over,
                       void *data);

/* Frees a member, and takes its part out of the sum. */
void netns_search_free(struct netns_pattern *pattern,
                       struct netns_member *member);

#endif
