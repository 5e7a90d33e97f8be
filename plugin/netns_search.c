/* SPDX-License-Identifier: MIT */
/* Finds the namespaces of a pattern, for netns_pattern.c. */
#include "netns_search.h"

#include "printable.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t *find_index(struct netns_pattern *pattern, ino_t ino) {
  const size_t mask = 2 * NETNS_PATTERN_MAX - 1;
  for (size_t i = (size_t)ino;; i++) {
    uint16_t *at = &pattern->index[i & mask];
    if (*at == 0 || pattern->members[*at - 1]->ino == ino)
      return at;
  }
}

static void search_failed(struct netns_pattern *pattern, const char *path,
                          int err) {
  if (pattern->search_error != 0)
    return;
  pattern->search_error = err;
  snprintf(pattern->failed, sizeof(pattern->failed), "%s", path);
  printable(pattern->failed);
}

static int add_member(struct netns_pattern *pattern, uint16_t *at, ino_t ino,
                      const char *path) {
  struct netns_member *member = calloc(1, sizeof(*member));
  char *copy = strdup(path);
  if (member == NULL || copy == NULL) {
    free(member);
    free(copy);
    return -ENOMEM;
  }
  *member = (struct netns_member){.ino = ino, .path = copy, .found = true};
  pattern->members[pattern->num++] = member;
  *at = (uint16_t)pattern->num;
  return 0;
}

/* ip-netns(8) and Docker have a file that is no namespace for a moment before
 * and after they have one there: only one that stays is said. */
static void note_file(struct netns_pattern *pattern, ino_t ino,
                      const char *path) {
  if (ino == pattern->file_before)
    search_failed(pattern, path, -EINVAL);
  if (ino == pattern->file_before || pattern->file == 0)
    pattern->file = ino;
}

/* Records which namespace a path leads to. */
static void note_path(struct netns_pattern *pattern, const struct stat *own,
                      const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) {
    int err = -errno;
    if (!netns_is_gone(err))
      search_failed(pattern, path, err);
    return;
  }
  /* All namespaces are of one file system. Others' files take no place. */
  if (status.st_dev != own->st_dev)
    note_file(pattern, status.st_ino, path);
  if (status.st_dev != own->st_dev || status.st_ino == own->st_ino)
    return;
  uint16_t *at = find_index(pattern, status.st_ino);
  if (*at == 0 && pattern->num == NETNS_PATTERN_MAX) {
    pattern->too_many = true;
    return;
  }
  if (*at == 0) {
    int err = add_member(pattern, at, status.st_ino, path);
    if (err != 0)
      search_failed(pattern, path, err);
    return;
  }
  struct netns_member *member = pattern->members[*at - 1];
  if (member->found)
    return;
  member->found = true;
  if (member->busy || strcmp(member->path, path) == 0)
    return;
  /* The path of a process ends with it, though others are in its namespace. */
  char *copy = strdup(path);
  if (copy == NULL)
    return;
  free(member->path);
  member->path = copy;
}

static void fill_index(struct netns_pattern *pattern) {
  memset(pattern->index, 0, sizeof(pattern->index));
  for (size_t i = 0; i < pattern->num; i++) {
    struct netns_member *member = pattern->members[i];
    member->found = false;
    *find_index(pattern, member->ino) = (uint16_t)(i + 1);
  }
}

/* glob(3) passes nothing of its caller's to its callback. */
static _Thread_local struct netns_pattern *searching;

static int note_directory(const char *path, int err) {
  if (!netns_is_gone(-err))
    search_failed(searching, path, -err);
  return 0;
}

/* Returns 0 or -ENOMEM. */
static int search_paths(struct netns_pattern *pattern, const struct stat *own,
                        const char *path) {
  /* glob(3) does not say why a path that has no pattern leads nowhere. */
  if (strpbrk(path, "*?[\\") == NULL) {
    note_path(pattern, own, path);
    return 0;
  }
  glob_t found;
  int status = glob(path, GLOB_NOSORT, note_directory, &found);
  if (status != 0)
    return status == GLOB_NOMATCH ? 0 : -ENOMEM;
  for (size_t i = 0; i < found.gl_pathc; i++)
    note_path(pattern, own, found.gl_pathv[i]);
  globfree(&found);
  return 0;
}

bool netns_search(struct netns_pattern *pattern) {
  searching = pattern;
  pattern->search_error = 0;
  pattern->too_many = false;
  pattern->file_before = pattern->file;
  pattern->file = 0;
  char path[256];
  snprintf(path, sizeof(path), "%s/self/ns/net", pattern->proc);
  struct stat own;
  if (stat(path, &own) != 0) {
    search_failed(pattern, path, -errno);
    return false;
  }
  fill_index(pattern);
  bool whole = true;
  for (size_t i = 0; i < pattern->block->paths_num; i++) {
    const char *wanted = pattern->block->paths[i];
    if (search_paths(pattern, &own, wanted) == 0)
      continue;
    search_failed(pattern, wanted, -ENOMEM);
    whole = false;
  }
  pattern->searched = true;
  return whole;
}

void netns_search_free(struct netns_pattern *pattern,
                       struct netns_member *member) {
  netns_sum_drop(&pattern->sum, &member->part);
  ages_free(&member->past.ages);
  ages_free(&member->past.mptcp_ages);
  free(member->past.notices);
  free(member->path);
  free(member);
}

/* Is there one that the search has not found? It could not read everything: not
 * a directory without a free descriptor, for example. */
static bool may_be_there(const struct netns_pattern *pattern,
                         const struct netns_member *member) {
  if (pattern->search_error == 0)
    return false;
  struct stat status;
  if (stat(member->path, &status) == 0)
    return status.st_ino == member->ino;
  return !netns_is_gone(-errno) &&
         pattern->now - member->read <= NETNS_PATTERN_KEEP;
}

void netns_search_drop(struct netns_pattern *pattern, netns_over_cb over,
                       void *data) {
  size_t num = 0;
  for (size_t i = 0; i < pattern->num; i++) {
    struct netns_member *member = pattern->members[i];
    if (member->found || member->busy || may_be_there(pattern, member)) {
      pattern->members[num++] = member;
      continue;
    }
    for (size_t k = 0; k < ALARMS_NUM; k++)
      if (member->past.alarms.alarm[k].said > 0)
        over(&member->past.alarms.alarm[k], data);
    netns_search_free(pattern, member);
  }
  pattern->num = num;
}
