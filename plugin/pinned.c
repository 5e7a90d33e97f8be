/* SPDX-License-Identifier: MIT */
/* Finds and enters namespaces in which there may be no process, for unhashed.c.
 */
#include "pinned.h"

#include "mountinfo.h"
#include "printable.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void pinned_open(struct pinned *pinned, const char *proc,
                 const struct settings *wanted) {
  *pinned = (struct pinned){.proc = proc, .wanted = wanted};
}

static int failed(struct pinned *pinned, const char *path, int err) {
  snprintf(pinned->failed, sizeof(pinned->failed), "%s", path);
  printable(pinned->failed);
  return err;
}

/* root: what the path is below. */
static int add_pin(struct pinned *pinned, uint64_t inode, const char *root,
                   const char *path) {
  for (size_t i = 0; i < pinned->num; i++)
    if (pinned->pins[i].inode == inode)
      return 0;
  if (pinned->num == PINNED_MAX)
    return -ENOSPC;
  if (pinned->pins == NULL)
    pinned->pins = calloc(PINNED_MAX, sizeof(*pinned->pins));
  if (pinned->pins == NULL)
    return -ENOMEM;
  struct pin *pin = &pinned->pins[pinned->num];
  int len = snprintf(pin->path, sizeof(pin->path), "%s%s", root, path);
  if (len < 0 || (size_t)len >= sizeof(pin->path))
    return failed(pinned, path, -ENAMETOOLONG);
  pin->inode = inode;
  pin->alone = true;
  pinned->num++;
  return 0;
}

static int take_mount(uint64_t inode, const char *path, void *data) {
  return add_pin(data, inode, "", path);
}

static int take_first_mount(uint64_t inode, const char *path, void *data) {
  struct pinned *pinned = data;
  char root[128];
  snprintf(root, sizeof(root), "%.100s/1/root", pinned->proc);
  return add_pin(pinned, inode, root, path);
}

/* Each mount of the machine has its own number, and a table begins with the
 * root's. Returns whether both are the same table. */
static bool is_same_table(const char *file, const char *other) {
  char begin[2][64] = {"", ""};
  const char *const files[] = {file, other};
  for (size_t i = 0; i < 2; i++) {
    int fd = open(files[i], O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, begin[i], sizeof(begin[i]) - 1);
    if (fd >= 0)
      close(fd);
    if (n <= 0)
      return false;
  }
  return strcmp(begin[0], begin[1]) == 0;
}

static int find_mounts(struct pinned *pinned) {
  char own[256], first[256];
  snprintf(own, sizeof(own), "%.200s/self/mountinfo", pinned->proc);
  snprintf(first, sizeof(first), "%.200s/1/mountinfo", pinned->proc);
  failed(pinned, own, 0);
  int err = mountinfo_each(own, take_mount, pinned);
  if (err != 0 || is_same_table(own, first))
    return err;
  failed(pinned, first, 0);
  return mountinfo_each(first, take_first_mount, pinned);
}

/* Those of processes are found without their paths. */
static bool is_of_process(const char *path) {
  static const char start[] = "/proc/", end[] = "/ns/net";
  size_t len = strlen(path), end_len = sizeof(end) - 1;
  return strncmp(path, start, sizeof(start) - 1) == 0 && len > end_len &&
         strcmp(path + len - end_len, end) == 0;
}

/* Is there a namespace? All are of one file system. */
static bool is_namespace(const struct pinned *pinned,
                         const struct stat *status) {
  char own_path[256];
  snprintf(own_path, sizeof(own_path), "%.200s/self/ns/net", pinned->proc);
  struct stat own;
  return stat(own_path, &own) == 0 && status->st_dev == own.st_dev;
}

static int add_path(struct pinned *pinned, const char *path) {
  struct stat status;
  if (stat(path, &status) == 0)
    return is_namespace(pinned, &status)
               ? add_pin(pinned, status.st_ino, "", path)
               : 0;
  int err = -errno;
  return netns_is_gone(err) ? 0 : failed(pinned, path, err);
}

static int find_configured(struct pinned *pinned,
                           const struct settings_namespace *block) {
  int err = 0;
  for (size_t i = 0; i < block->paths_num && err == 0; i++) {
    glob_t found;
    if (is_of_process(block->paths[i]))
      continue;
    int status = glob(block->paths[i], GLOB_NOSORT, NULL, &found);
    if (status != 0 && status != GLOB_NOMATCH)
      return -ENOMEM;
    for (size_t k = 0; status == 0 && k < found.gl_pathc && err == 0; k++)
      err = add_path(pinned, found.gl_pathv[k]);
    if (status == 0)
      globfree(&found);
  }
  return err;
}

int pinned_find(struct pinned *pinned) {
  pinned->num = 0;
  int err = find_mounts(pinned);
  for (size_t i = 0; i < pinned->wanted->namespaces_num && err == 0; i++)
    err = find_configured(pinned, &pinned->wanted->namespaces[i]);
  return err;
}

/* The slots are those of a pattern, whose path is not used. */
static int open_set(struct pinned *pinned) {
  pinned->none = pinned->failed;
  pinned->block = (struct settings_namespace){
      .paths = &pinned->none, .paths_num = 1, .pattern = true};
  pinned->block.settings.report = REPORT_SUMS;
  pinned->block.settings.other_namespace = true;
  pinned->settings =
      (struct settings){.namespaces = &pinned->block, .namespaces_num = 1};
  int err =
      netns_open(&pinned->set, &pinned->settings, pinned->proc, NULL, NULL);
  pinned->open = err == 0;
  return err;
}

/* Gives a slot the next that is to be read, at *next or after it. */
static void give(struct pinned *pinned, size_t slot, size_t *next, bool all) {
  while (*next < pinned->num && !all && !pinned->pins[*next].alone)
    (*next)++;
  pinned->slots[slot].pin = NULL;
  if (*next >= pinned->num)
    return;
  struct pin *pin = &pinned->pins[(*next)++];
  struct netns *netns = &pinned->set.netns[slot];
  pinned->slots[slot].pin = pin;
  memcpy(pinned->slots[slot].path, pin->path, sizeof(pin->path));
  netns->path = pinned->slots[slot].path;
  netns_add(&pinned->set, netns);
}

static int take(struct pinned *pinned, const struct netns *netns,
                struct pin *pin, pinned_cb cb, void *data) {
  int err = netns->error != 0 ? netns->error : netns->snapshot.sums_error;
  if (err == 0)
    pin->alone = cb(&netns->snapshot.sums, data);
  /* EINVAL: it was unmounted, and the file under it is none. */
  bool may_have_gone = netns_is_gone(err) || err == -EINVAL;
  struct stat status;
  if (err == 0 || (may_have_gone && (stat(pin->path, &status) != 0 ||
                                     !is_namespace(pinned, &status))))
    return 0;
  return failed(pinned, pin->path, err);
}

int pinned_read(struct pinned *pinned, bool all, int64_t deadline, pinned_cb cb,
                void *data) {
  size_t next = 0;
  while (next < pinned->num && !all && !pinned->pins[next].alone)
    next++;
  if (next == pinned->num)
    return 0;
  int err = pinned->open ? 0 : open_set(pinned);
  if (err != 0)
    return err;
  netns_start(&pinned->set);
  for (size_t i = 0; i < NETNS_SLOTS; i++) {
    pinned->slots[i].pin = NULL;
    if (!netns_is_late(&pinned->set.netns[i]))
      give(pinned, i, &next, all);
  }
  struct netns *netns;
  while ((netns = netns_next(&pinned->set, deadline)) != NULL) {
    size_t slot = (size_t)(netns - pinned->set.netns);
    int error = take(pinned, netns, pinned->slots[slot].pin, cb, data);
    err = err == 0 ? error : err;
    give(pinned, slot, &next, all);
  }
  for (size_t i = 0; i < NETNS_SLOTS && err == 0; i++) {
    if (pinned->slots[i].pin != NULL)
      err = netns_missing(&pinned->set, &pinned->set.netns[i]);
    if (err != 0)
      failed(pinned, pinned->slots[i].path, err);
  }
  if (err == 0 && next < pinned->num) /* all slots are late */
    err = failed(pinned, pinned->pins[next].path, -ETIMEDOUT);
  return err;
}

size_t pinned_close(struct pinned *pinned) {
  size_t going_on = pinned->open ? netns_close(&pinned->set) : 0;
  if (going_on > 0)
    return going_on;
  free(pinned->pins);
  *pinned = (struct pinned){0};
  return 0;
}
