/* SPDX-License-Identifier: MIT */
/* Control groups without directories: the functions below __wrap_ take the
 * place of those of cgroup.c. Link with
 * -Wl,--wrap=cgroup_tree_path,--wrap=cgroup_tree_generation. */
#ifndef TCPSTATES_FAKE_CGROUPS_H
#define TCPSTATES_FAKE_CGROUPS_H

#include "cgroup.h"

#define FAKE_CGROUPS_MAX 300

/* Their ids are 1 + their places; NULL: there is none with this id. */
struct fake_cgroups {
  const char *paths[FAKE_CGROUPS_MAX];
  unsigned generation;
  unsigned lookups;
};

extern struct fake_cgroups fake_cgroups;

#endif
