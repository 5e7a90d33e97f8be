/* SPDX-License-Identifier: MIT */
/* Control groups (cgroup v2): the tree of their directories, and the ids that
 * sockets carry. One tree serves the machine: control groups know nothing of
 * network namespaces. Anybody who owns a part of it decides how large that is,
 * so everything is bounded. Source: cgroups(7), inotify(7). */
#ifndef TCPSTATES_CGROUP_H
#define TCPSTATES_CGROUP_H

#include "cgroup_list.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A group whose path is longer has no name. */
#define CGROUP_PATH_SIZE 256

/* Groups that are gone, whose ids sockets may still carry: the last ones are
 * remembered. */
#define CGROUP_GONE_NUM 1024

/* Places for all of them, by id: a power of 2. */
#define CGROUP_INDEX_NUM (2 * CGROUP_NUM_MAX)
_Static_assert(CGROUP_NUM_MAX + CGROUP_GONE_NUM < CGROUP_INDEX_NUM / 4 * 3 &&
                   CGROUP_NUM_MAX + CGROUP_GONE_NUM <= UINT16_MAX,
               "some are empty");

/* The kernel reports changes where there is an inotify watch. All programs of
 * a user share max_user_watches of them, 8192 on Linux 5.8: others need some,
 * too. Directories without a watch, and those that could not be entered, are
 * read again after this many seconds. */
#define CGROUP_WATCHES_MAX 4096
#define CGROUP_PATIENCE 30

struct service_names;

struct cgroup_tree {
  struct service_names *names; /* of its containers; NULL: nobody wants them */
  unsigned patience;           /* CGROUP_PATIENCE, less in tests */
  size_t watches_limit;        /* CGROUP_WATCHES_MAX, less in tests */

  /* The rest is cgroup.c's own. The lock is for this: */
  pthread_mutex_t lock;
  const char *mount;      /* NULL: there is none */
  struct cgroup_list now; /* what was found last */
  struct cgroup_gone *gone;
  size_t gone_num; /* ever */
  unsigned generation;
  uint16_t index[CGROUP_INDEX_NUM]; /* see find_place() */
  unsigned index_generation;        /* of the tree that it is of */

  /* This is of the one thread that refreshes: */
  struct cgroup_list next;
  int inotify; /* -1: none */
  size_t watches;
  int64_t due; /* CLOCK_MONOTONIC, seconds: to walk without an event, too */
};

/* Makes an empty tree, which must not be moved. */
void cgroup_tree_init(struct cgroup_tree *tree);

/* Brings the tree up to date; for one thread, the only one that may. Costs a
 * system call when nothing has changed. Reads the directories in which
 * something has, with two descriptors at most. Returns 1: it may have changed;
 * 0: it is as before; -ENOMEM: it is as before, and the next call tries again.
 */
int cgroup_tree_refresh(struct cgroup_tree *tree);

/* The other functions may be called by any thread. */

/* A new number after each change of the tree. */
unsigned cgroup_tree_generation(struct cgroup_tree *tree);

/* What is known of its groups has changed: counts as a change of the tree.
 * Returns its new number. */
unsigned cgroup_tree_touch(struct cgroup_tree *tree);

/* Finds the control groups with these paths, absolute within the hierarchy, and
 * all below them. Where that is not complete, where gets the place in the file
 * system that is the reason. Returns 1: the ids are others than they were; 0:
 * they are the same; -ENOMEM: ids is as before. */
int cgroup_tree_ids(struct cgroup_tree *tree, char *const *paths, size_t num,
                    struct id_list *ids, char *where, size_t where_size);

/* Writes the path of the control group with this id, absolute within the
 * hierarchy; also of one that has gone recently. Returns 0; -ENOENT: there is
 * no such group, or its path is longer than CGROUP_PATH_SIZE. */
int cgroup_tree_path(struct cgroup_tree *tree, uint64_t id,
                     char path[CGROUP_PATH_SIZE]);

/* Takes a control group; path is cut after CGROUP_PATH_SIZE. Returns 0, or an
 * error, which ends it. */
typedef int (*cgroup_cb)(uint64_t id, const char *path, void *data);

/* Calls cb for each control group, then for those that are gone. Returns 0;
 * -ENODEV: there is no hierarchy; or what cb returned. */
int cgroup_tree_each(struct cgroup_tree *tree, cgroup_cb cb, void *data);

void cgroup_tree_free(struct cgroup_tree *tree);

#endif
