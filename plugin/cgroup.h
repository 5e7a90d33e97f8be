/* Control groups (cgroup v2): their directories, and the ids that sockets
 * carry. Source: cgroups(7); the id of a group is the inode number of its
 * directory (include/linux/cgroup.h, cgroup_ino()). */
#ifndef TCPSTATES_CGROUP_H
#define TCPSTATES_CGROUP_H

#include <stddef.h>
#include <stdint.h>

struct id_list {
  uint64_t *ids;
  size_t num;
  size_t size; /* for how many there is memory */
};

/* Where the cgroup v2 hierarchy is mounted; NULL: at none of the usual places
 * (a machine with cgroup v1 only). */
const char *cgroup_mount(void);

/* Finds the ids of the paths and of all below them; mount is where the
 * hierarchy is mounted. A path that is not there has none. Allocates when there
 * are more than ever before; spare is memory for the next time. Returns 1: they
 * have changed; 0: they are as before; -ENOMEM, or -errno of openat(2) or
 * getdents64(2): they are as before. */
int cgroup_find(char *const *paths, size_t num, const char *mount,
                struct id_list *ids, struct id_list *spare);

/* Paths of control groups that were looked up, kept because a group can be gone
 * while its sockets are still there. Zero-initialised it is empty. */
#define CGROUP_NAMES 16
struct cgroup_names {
  struct {
    uint64_t id;
    char path[256];
  } name[CGROUP_NAMES];
  size_t next; /* the one to be forgotten next */
};

/* The path of the control group with this id, absolute within the hierarchy,
 * which is walked through unless it was looked up before. mount: NULL where
 * there is no hierarchy. Returns NULL when there is no such group, or its path
 * has 256 characters or more. The text is valid until the group has been
 * forgotten, CGROUP_NAMES others later. */
const char *cgroup_path(struct cgroup_names *names, const char *mount,
                        uint64_t id);

#endif
