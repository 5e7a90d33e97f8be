/* SPDX-License-Identifier: MIT */
/* Answers for cgroup.c. */
#include "fake_cgroups.h"

#include <errno.h>
#include <stdio.h>

struct fake_cgroups fake_cgroups;

int __wrap_cgroup_tree_path(struct cgroup_tree *tree, uint64_t id,
                            char path[CGROUP_PATH_SIZE]);
int __wrap_cgroup_tree_path(struct cgroup_tree *tree, uint64_t id,
                            char path[CGROUP_PATH_SIZE]) {
  (void)tree;
  fake_cgroups.lookups++;
  if (id == 0 || id > FAKE_CGROUPS_MAX || fake_cgroups.paths[id - 1] == NULL)
    return -ENOENT;
  snprintf(path, CGROUP_PATH_SIZE, "%s", fake_cgroups.paths[id - 1]);
  return 0;
}

unsigned __wrap_cgroup_tree_generation(struct cgroup_tree *tree);
unsigned __wrap_cgroup_tree_generation(struct cgroup_tree *tree) {
  (void)tree;
  return fake_cgroups.generation;
}
