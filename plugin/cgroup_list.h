/* SPDX-License-Identifier: MIT */
/* Directories of control groups in the order in which they are found, breadth
 * first: those in one directory lie side by side, as do all that are equally
 * deep below it. cgroup.c finds them. */
#ifndef TCPSTATES_CGROUP_LIST_H
#define TCPSTATES_CGROUP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bounds of a list: levels below the root, directories, bytes of all their
 * names. What is beyond is not known; what is nearer to the root comes first,
 * and services and containers are nearer than what users make. */
#define CGROUP_DEPTH_MAX 64
#define CGROUP_NUM_MAX 16384
#define CGROUP_NAMES_MAX (1 << 20)

struct cgroup_entry {
  uint64_t id;     /* what sockets carry; 0: it has gone while it was read */
  uint64_t inode;  /* as the directory that it is in has it */
  uint32_t parent; /* the root's is itself */
  uint32_t first;  /* of those in it; they end where the next one's begin */
  uint32_t name;   /* where in names */
  uint32_t before; /* its number in the list before + 1; 0: it is new */
  int watch;       /* of inotify; -1: none */
  int16_t error;   /* -errno: why not all in it are known */
  uint8_t depth;
  bool changed; /* it is to be read */
  bool untold;  /* nothing reports some changes in it */
  bool kept;    /* it is in the list after this one */
};

/* Empty when zero-initialised. */
struct cgroup_list {
  struct cgroup_entry *entries; /* the root is the first */
  size_t num;
  size_t size; /* for how many there is memory */
  char *names;
  size_t names_num;
  size_t names_size;
};

/* The control groups of one filter. */
struct id_list {
  uint64_t *ids; /* of its paths and of all below them; some can be there twice.
                    The list's owner frees them */
  size_t num;
  bool known;  /* its paths are, and all below, except for what is below a
                  directory that cannot be read */
  bool exists; /* a path of them is there */
  int error;   /* 0: they are complete; else -errno, the first reason:
                  -EOVERFLOW: the bounds; -ENODEV: there is no hierarchy, or
                  sockets do not carry their control group */
};

/* Where those in a directory begin and end. */
static inline size_t cgroup_list_first(const struct cgroup_list *list,
                                       size_t i) {
  return list->entries[i].first;
}

static inline size_t cgroup_list_end(const struct cgroup_list *list, size_t i) {
  return i + 1 < list->num ? list->entries[i + 1].first : list->num;
}

/* Appends a directory; the name is copied. Returns 0; -EOVERFLOW: it is beyond
 * the bounds; -ENOMEM. */
int cgroup_list_add(struct cgroup_list *list, const struct cgroup_entry *entry,
                    const char *name);

/* Writes a directory's path, "" for the root, after a prefix. Returns whether
 * it fits. */
bool cgroup_list_path(const struct cgroup_list *list, size_t i,
                      const char *prefix, char *path, size_t size);

/* Finds the ids of the control groups with these paths and of all below them.
 * ids is overwritten; trouble gets the directory that is the reason for its
 * error. Returns 0 or -ENOMEM. */
int cgroup_list_ids(const struct cgroup_list *list, char *const *paths,
                    size_t num, struct id_list *ids, size_t *trouble);

void cgroup_list_free(struct cgroup_list *list);

#endif
