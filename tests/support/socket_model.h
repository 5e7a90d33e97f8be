/* SPDX-License-Identifier: MIT */
/* What filters and counts mean, straight from filter.h and tally.h and without
 * any cleverness: tests hold it against what the plugin makes of them, for
 * cases written as text and for random ones.
 *
 * A filter as text is a list of conditions, in any order and number:
 *   lport=80 lport=8000-8099 rport=1 laddr=10.0.0.0/8 raddr=::/0
 *   ipv4 ipv6 cgroup=7 cgroup=none (a path that has no id)
 * The path of a control group is its id here, "7", or "none".
 * A socket is "ADDRESS PORT ADDRESS PORT [CGROUP-ID]", the local end first.
 * Without a colon in its local address its family is AF_INET. */
#ifndef TCPSTATES_SOCKET_MODEL_H
#define TCPSTATES_SOCKET_MODEL_H

#include "tally.h"

struct model_case {
  const char *filter;
  const char *socket;
  bool matches;
};

/* Each condition, and its limits. */
extern const struct model_case model_cases[];
extern const size_t model_cases_num;

/* Does the socket belong to a group with this filter? */
bool model_matches(const struct filter *filter,
                   const struct diag_socket *socket);

/* The ids of the filter's control groups; the caller frees them. */
struct id_list model_ids(const struct filter *filter);

/* Gives the index the ids of its groups' control groups, instead of those that
 * it was given before. Returns what group_index_set_cgroups() does. */
int model_index_cgroups(struct group_index *index);

/* Frees the index and the ids that it was given. */
void model_index_free(struct group_index *index);

/* Counts the socket; stuck is what is held for more than this many ms. */
void model_count(struct tally_counts *counts, const struct diag_socket *socket,
                 uint32_t stuck_after);

/* Makes it of a text, or aborts the process. The filter's owner calls
 * filter_free(). */
struct filter model_parse_filter(const char *text);
struct diag_socket model_parse_socket(const char *text);

/* The text that makes them; to be freed. */
char *model_filter_text(const struct filter *filter);
char *model_socket_text(const struct diag_socket *socket);

#endif
