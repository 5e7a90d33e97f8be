/* SPDX-License-Identifier: MIT */
/* The ids of the control groups that filters ask for, for the index of groups.
 */
#ifndef TCPSTATES_FILTER_IDS_H
#define TCPSTATES_FILTER_IDS_H

#include "cgroup.h"
#include "group_index.h"

struct filter_ids {
  int error;      /* of the first filter that does not have all of its; or 0 */
  bool in_part;   /* it has the others */
  char file[300]; /* the place that is the reason, and whose it is */

  /* The rest is filter_ids.c's own. */
  struct id_list *lists; /* of each group; NULL: none asks for any */
  size_t num;
  unsigned generation; /* of the tree that they are from */
  bool stale;          /* the index lacks some that were found */
};

/* Makes it for these groups. Returns 0 or -ENOMEM. */
int filter_ids_init(struct filter_ids *ids, const struct group *groups,
                    size_t num);

/* Gives the index of the same groups their ids, when the tree has changed.
 * Returns 0; -ENOMEM: the next call tries again. */
int filter_ids_update(struct filter_ids *ids, struct cgroup_tree *tree,
                      struct group_index *index);

void filter_ids_free(struct filter_ids *ids);

#endif
