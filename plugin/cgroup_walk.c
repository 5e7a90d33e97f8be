/* SPDX-License-Identifier: MIT */
/* Reads the directories of cgroup v2 in which something has changed, and takes
 * over what is known of the others. */
#include "cgroup_walk.h"

#include "proc_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

/* What the handle of a control group is, since Linux 5.5. Source:
 * include/linux/exportfs.h */
#define FILEID_KERNFS 0xfe

const char *cgroup_mount(void) {
  /* systemd's places: unified, and hybrid with version 1. */
  static const char *const places[] = {"/sys/fs/cgroup",
                                       "/sys/fs/cgroup/unified"};
  struct utsname kernel;
  if (uname(&kernel) != 0 ||
      proc_text_release_at_least(kernel.release, 5, 8) != 1)
    return NULL;
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
    struct statfs fs;
    if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
      return places[i];
  }
  return NULL;
}

/* What was known of a directory that is read again. */
struct known {
  uint64_t inode;
  uint32_t number; /* in the last list, + 1 */
};

static int compare_inodes(const void *a, const void *b) {
  const struct known *x = a, *y = b;
  return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* Those in a directory by inode number. Returns NULL without memory. */
static struct known *sort_known(const struct cgroup_list *last, size_t first,
                                size_t num) {
  struct known *known = malloc((num + 1) * sizeof(*known));
  for (size_t i = 0; known != NULL && i < num; i++)
    known[i] = (struct known){last->entries[first + i].inode,
                              (uint32_t)(first + i + 1)};
  if (known != NULL)
    qsort(known, num, sizeof(*known), compare_inodes);
  return known;
}

/* Adds what is in the entry's directory. Returns 0 or -errno. */
static int read_directory(struct cgroup_tree *tree, size_t i,
                          const char *path) {
  size_t before = tree->next.entries[i].before, first = 0, num = 0;
  if (before > 0) {
    first = cgroup_list_first(&tree->now, before - 1);
    num = cgroup_list_end(&tree->now, before - 1) - first;
  }
  struct known *known = sort_known(&tree->now, first, num);
  if (known == NULL)
    return -ENOMEM;
  DIR *dir = opendir(path);
  int err = dir == NULL ? -errno : 0;
  struct cgroup_entry entry = {.parent = (uint32_t)i,
                               .watch = -1,
                               .depth =
                                   (uint8_t)(tree->next.entries[i].depth + 1)};
  const struct dirent *found;
  while (err == 0 && (errno = 0, found = readdir(dir)) != NULL) {
    if (found->d_type != DT_DIR || strcmp(found->d_name, ".") == 0 ||
        strcmp(found->d_name, "..") == 0)
      continue;
    /* No other one has or will get this number, and none can be renamed. */
    const struct known key = {.inode = found->d_ino};
    const struct known *same =
        bsearch(&key, known, num, sizeof(key), compare_inodes);
    entry.inode = found->d_ino;
    entry.before = same == NULL ? 0 : same->number;
    err = cgroup_list_add(&tree->next, &entry, found->d_name);
  }
  if (err == 0)
    err = -errno;
  if (dir != NULL)
    closedir(dir);
  free(known);
  return err == -ENODEV ? -ENOENT : err;
}

/* A directory's id is the handle of its kernfs node: on 64-bit kernels that is
 * the inode number as well, on 32-bit ones it has the node's generation in its
 * upper half. The inode number is all that is left where there are no handles
 * (ENOSYS, EOPNOTSUPP, a sandbox's EPERM) or are another file system's. */
static uint64_t find_id(const char *path, uint64_t inode) {
  union {
    struct file_handle handle;
    char size[sizeof(struct file_handle) + sizeof(uint64_t)];
  } buf = {.handle.handle_bytes = sizeof(uint64_t)};
  int mount;
  if (name_to_handle_at(AT_FDCWD, path, &buf.handle, &mount, 0) == 0 &&
      buf.handle.handle_type == FILEID_KERNFS &&
      buf.handle.handle_bytes == sizeof(uint64_t))
    memcpy(&inode, buf.handle.f_handle, sizeof(inode));
  return inode;
}

static int add_watch(struct cgroup_tree *tree, const char *path) {
  if (tree->inotify < 0 || tree->watches >= tree->watches_limit)
    return -1;
  int watch = inotify_add_watch(
      tree->inotify, path, IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW);
  tree->watches += watch >= 0;
  return watch;
}

/* Reads an entry that is new or has changed. The watch comes first: so what
 * changes after that is reported. Returns 0 or -errno. */
static int enter(struct cgroup_tree *tree, size_t i) {
  struct cgroup_entry *entry = &tree->next.entries[i];
  char path[PATH_MAX];
  struct stat stat;
  if (!cgroup_list_path(&tree->next, i, tree->mount, path, sizeof(path)))
    return -EOVERFLOW;
  if (entry->watch < 0)
    entry->watch = add_watch(tree, path);
  if (fstatat(AT_FDCWD, path, &stat, AT_SYMLINK_NOFOLLOW) != 0)
    return -errno;
  entry->id = find_id(path, stat.st_ino);
  /* A leaf need not be opened: four times faster. */
  if (stat.st_nlink == 2)
    return 0;
  return entry->depth == CGROUP_DEPTH_MAX ? -EOVERFLOW
                                          : read_directory(tree, i, path);
}

/* What is in an entry's directory, in which nothing has changed. */
static int copy(struct cgroup_tree *tree, size_t i, size_t before) {
  int err = 0;
  for (size_t j = cgroup_list_first(&tree->now, before);
       j < cgroup_list_end(&tree->now, before) && err == 0; j++) {
    struct cgroup_entry entry = tree->now.entries[j];
    entry.parent = (uint32_t)i;
    entry.before = (uint32_t)j + 1;
    entry.watch = -1;
    err = cgroup_list_add(&tree->next, &entry, tree->now.names + entry.name);
  }
  return err;
}

/* due: what no event reports is read, too. */
static int walk_one(struct cgroup_tree *tree, size_t i, bool due) {
  struct cgroup_entry *entry = &tree->next.entries[i];
  entry->first = (uint32_t)tree->next.num;
  if (entry->before == 0)
    return enter(tree, i);
  struct cgroup_entry *before = &tree->now.entries[entry->before - 1];
  before->kept = true;
  entry->id = before->id;
  entry->watch = before->watch;
  if (before->changed || (due && before->untold))
    return enter(tree, i);
  int err = copy(tree, i, entry->before - 1);
  return err != 0 ? err : before->error;
}

int cgroup_walk(struct cgroup_tree *tree, int64_t now) {
  struct cgroup_list *list = &tree->next;
  const struct cgroup_entry root = {.before = tree->now.num > 0, .watch = -1};
  const int64_t due = tree->due;
  list->num = list->names_num = 0;
  tree->due = INT64_MAX;
  int err = cgroup_list_add(list, &root, "");
  for (size_t i = 0; i < list->num && err != -ENOMEM; i++) {
    err = walk_one(tree, i, now >= due);
    struct cgroup_entry *entry = &list->entries[i];
    /* Another event reports that it is gone. */
    entry->error = (int16_t)(err == -ENOENT ? 0 : err);
    entry->kept = false;
    /* Other errors are the daemon's, and may be temporary. */
    bool lasting = err == -EACCES || err == -EPERM || err == -EOVERFLOW;
    entry->changed = err != 0 && !lasting;
    entry->untold = lasting || entry->watch < 0;
    if (entry->changed && err != -ENOENT)
      tree->due = 0;
    else if (entry->untold && tree->due > now)
      tree->due = now < due && due != INT64_MAX ? due : now + tree->patience;
  }
  return err == -ENOMEM ? err : 0;
}
