/* SPDX-License-Identifier: MIT */
/* Finds the filters' control groups in the tree, for snapshot.c. */
#include "filter_ids.h"

#include "printable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int filter_ids_init(struct filter_ids *ids, const struct group *groups,
                    size_t num) {
  *ids = (struct filter_ids){.num = num, .stale = true};
  bool ask = false;
  for (size_t i = 0; i < num; i++)
    ask = ask || groups[i].filter.cgroups.num > 0;
  if (!ask)
    return 0;
  ids->lists = calloc(num, sizeof(*ids->lists));
  return ids->lists == NULL ? -ENOMEM : 0;
}

int filter_ids_update(struct filter_ids *ids, struct cgroup_tree *tree,
                      struct group_index *index) {
  if (ids->lists == NULL)
    return 0;
  unsigned generation = cgroup_tree_generation(tree);
  if (!ids->stale && generation == ids->generation)
    return 0;
  bool changed = ids->stale;
  ids->stale = true;
  ids->error = 0;
  for (size_t i = 0; i < ids->num; i++) {
    const struct path_set *set = &index->groups[i].filter.cgroups;
    char where[256] = "";
    int err = set->num == 0
                  ? 0
                  : cgroup_tree_ids(tree, set->paths, set->num, &ids->lists[i],
                                    where, sizeof(where));
    if (err < 0)
      return err;
    changed = changed || err > 0;
    if (ids->lists[i].error == 0 || ids->error != 0)
      continue;
    ids->error = ids->lists[i].error;
    ids->in_part = ids->lists[i].known;
    snprintf(ids->file, sizeof(ids->file), "%s, of Filter \"%s\"", where,
             index->groups[i].name);
    /* Others choose names of control groups. */
    printable(ids->file);
  }
  int err = changed ? group_index_set_cgroups(index, ids->lists) : 0;
  ids->stale = err != 0;
  ids->generation = generation;
  return err;
}

void filter_ids_free(struct filter_ids *ids) {
  for (size_t i = 0; ids->lists != NULL && i < ids->num; i++)
    free(ids->lists[i].ids);
  free(ids->lists);
  *ids = (struct filter_ids){0};
}
