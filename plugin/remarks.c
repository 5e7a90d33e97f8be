/* SPDX-License-Identifier: MIT */
/* Remarks on what a read could not find out; tcpstates.c logs them. */
#include "remarks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SAID_AGES = 1 << 0,
  SAID_CGROUPS = 1 << 1,
  SAID_PROCESSES = 1 << 2,
  SAID_TAKEN = 1 << 3,
  SAID_MPTCP = 1 << 4,
  SAID_PARTIAL = 1 << 5
};

/* Of a filter with control groups. */
enum { FILTER_NEW, FILTER_MISSED, FILTER_FOUND };

static int first_time(struct remarks *remarks, unsigned what) {
  int is_first = !(remarks->said & what);
  remarks->said |= what;
  return is_first;
}

static int remark_filter(uint8_t *said, const struct group *group,
                         const struct id_list *ids, char *text, size_t size) {
  const struct path_set *cgroups = &group->filter.cgroups;
  if (cgroups->num == 0 || !ids->known || *said == FILTER_FOUND ||
      (*said == FILTER_MISSED && !ids->exists))
    return 0;
  bool was_missed = *said == FILTER_MISSED;
  *said = ids->exists ? FILTER_FOUND : FILTER_MISSED;
  if (!ids->exists)
    snprintf(
        text, size,
        "Filter \"%s\": there is no ControlGroup \"%.200s\"%s: it counts 0 "
        "until there is",
        group->name, cgroups->paths[0],
        cgroups->num > 1 ? " nor the others" : "");
  else if (was_missed)
    snprintf(text, size, "Filter \"%s\": its ControlGroup is there now",
             group->name);
  return !ids->exists || was_missed;
}

/* said: of each group of the index. */
static int next_filter(uint8_t **said, const struct group_index *index,
                       char *text, size_t size) {
  if (index->cgroup_ids == NULL || index->groups_num == 0)
    return 0;
  if (*said == NULL)
    *said = calloc(index->groups_num, sizeof(**said));
  for (size_t i = 0; *said != NULL && i < index->groups_num; i++)
    if (remark_filter(&(*said)[i], &index->groups[i], &index->cgroup_ids[i],
                      text, size))
      return 1;
  return 0;
}

int remarks_next(struct remarks *remarks, const struct snapshot *snapshot,
                 char *text, size_t size) {
  if (snapshot->ages_lost && first_time(remarks, SAID_AGES)) {
    snprintf(text, size,
             "too many sockets can be stuck, or memory is short: the age of "
             "some is tcp_info's, which each probe resets");
    return 1;
  }
  const struct stuck *stuck = snapshot->stuck;
  if (stuck != NULL && stuck->no_cgroups && first_time(remarks, SAID_CGROUPS)) {
    snprintf(text, size,
             "control groups of stuck sockets are not found: services are "
             "named after their ports (does collectd have its own control "
             "group namespace?)");
    return 1;
  }
  if (stuck != NULL && stuck->no_processes &&
      first_time(remarks, SAID_PROCESSES)) {
    process_explain(&stuck->search, text, size);
    return 1;
  }
  const struct services *services = snapshot->services;
  if (services != NULL && services->taken[0] != '\0' &&
      first_time(remarks, SAID_TAKEN)) {
    snprintf(text, size,
             "a service and a Filter are called \"%s\": the group is the "
             "Filter's, the service is in \"other\"",
             services->taken);
    return 1;
  }
  if (services != NULL && services->partial && services->groups[0].reported &&
      first_time(remarks, SAID_PARTIAL)) {
    snprintf(text, size,
             "Services: only a part of the control groups is seen here, the "
             "sockets of others are in \"other\" (does collectd have its own "
             "control group namespace?)");
    return 1;
  }
  const struct mptcp *mptcp = snapshot->mptcp;
  if (mptcp != NULL && !mptcp->has_ages && first_time(remarks, SAID_MPTCP)) {
    snprintf(text, size,
             "this kernel does not say how long MPTCP's sockets have been idle "
             "(Linux 6.10 does): their stuck counts and ages are missing");
    return 1;
  }
  if (next_filter(&remarks->filters, snapshot->index, text, size))
    return 1;
  return mptcp == NULL
             ? 0
             : next_filter(&remarks->mptcp_filters, &mptcp->index, text, size);
}

const char *remarks_file_strerror(int err) {
  switch (-err) {
  case EBADMSG:
    return "not understood";
  case ENODEV:
    return "no cgroup v2 with Linux 5.8 or later here";
  case EOVERFLOW:
    return "too many control groups, or too deep";
  default:
    return NULL;
  }
}

void remarks_free(struct remarks *remarks) {
  free(remarks->filters);
  free(remarks->mptcp_filters);
  *remarks = (struct remarks){0};
}
