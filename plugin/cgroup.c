/* Walks the directories of cgroup v2, for the filters with control groups. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *cgroup_mount(void) {
  /* systemd's places: unified, and hybrid with version 1. */
  static const char *const places[] = {"/sys/fs/cgroup",
                                       "/sys/fs/cgroup/unified"};
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
    struct statfs fs;
    if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
      return places[i];
  }
  return NULL;
}

static int id_list_add(struct id_list *list, uint64_t id) {
  if (list->num == list->size) {
    size_t size = 2 * list->size + 8;
    uint64_t *ids = realloc(list->ids, size * sizeof(*ids));
    if (ids == NULL)
      return -ENOMEM;
    list->ids = ids;
    list->size = size;
  }
  list->ids[list->num++] = id;
  return 0;
}

/* The group of this directory and all below it. */
static int walk(int parent, const char *name, struct id_list *list) {
  int dir =
      openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (dir < 0) /* it is not there yet or any more, or can never be */
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
                   errno == ENAMETOOLONG
               ? 0
               : -errno;
  struct stat stat;
  int err = fstat(dir, &stat) == 0 ? id_list_add(list, stat.st_ino) : -errno;
  /* Not readdir(): it would allocate in every read. */
  _Alignas(struct dirent64) char buf[2048];
  ssize_t len = 0;
  while (err == 0 && (len = getdents64(dir, buf, sizeof(buf))) > 0)
    for (ssize_t pos = 0; pos < len && err == 0;) {
      const struct dirent64 *entry = (const void *)(buf + pos);
      pos += entry->d_reclen;
      if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
          strcmp(entry->d_name, "..") != 0)
        err = walk(dir, entry->d_name, list);
    }
  if (err == 0 && len < 0 && errno != ENOENT && errno != ENODEV)
    err = -errno;
  close(dir);
  return err;
}

/* Looks for the group below dir whose path is path[0..len). Returns whether it
 * is there; path is its path then. */
static bool find_path(DIR *dir, uint64_t id, char *path, size_t len,
                      size_t size) {
  bool found = false;
  const struct dirent *entry;
  while (!found && (entry = readdir(dir)) != NULL) {
    size_t name_len = strlen(entry->d_name);
    if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
        strcmp(entry->d_name, "..") == 0 || len + name_len + 2 > size)
      continue;
    snprintf(path + len, size - len, "/%s", entry->d_name);
    if (entry->d_ino == id)
      return true;
    int fd = openat(dirfd(dir), entry->d_name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *below = fd < 0 ? NULL : fdopendir(fd);
    if (below != NULL) {
      found = find_path(below, id, path, len + 1 + name_len, size);
      closedir(below);
    } else if (fd >= 0) {
      close(fd);
    }
  }
  return found;
}

const char *cgroup_path(struct cgroup_names *names, const char *mount,
                        uint64_t id) {
  if (id == 0)
    return NULL;
  for (size_t i = 0; i < CGROUP_NAMES; i++)
    if (names->name[i].id == id)
      return names->name[i].path;
  DIR *dir = mount == NULL ? NULL : opendir(mount);
  if (dir == NULL)
    return NULL;
  char path[sizeof(names->name[0].path)] = "/";
  struct stat stat;
  bool found = (fstat(dirfd(dir), &stat) == 0 && stat.st_ino == id) ||
               find_path(dir, id, path, 0, sizeof(path));
  closedir(dir);
  if (!found)
    return NULL;
  size_t i = names->next;
  names->next = (names->next + 1) % CGROUP_NAMES;
  names->name[i].id = id;
  memcpy(names->name[i].path, path, sizeof(path));
  return names->name[i].path;
}

int cgroup_find(char *const *paths, size_t num, const char *mount,
                struct id_list *ids, struct id_list *spare) {
  struct id_list *found = spare;
  found->num = 0;
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s%s", mount, paths[i]);
    err = walk(AT_FDCWD, path, found);
  }
  if (err != 0)
    return err;
  /* In the order of the directories, which stays while nothing changes. */
  size_t len = found->num * sizeof(*found->ids);
  if (found->num == ids->num &&
      (len == 0 || memcmp(found->ids, ids->ids, len) == 0))
    return 0;
  struct id_list old = *ids;
  *ids = *found;
  *spare = old;
  return 1;
}
