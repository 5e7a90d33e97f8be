/* SPDX-License-Identifier: MIT */
/* The tree of control groups, kept up to date by inotify. */
#include "cgroup.h"

#include "cgroup_walk.h"
#include "clock.h"
#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* This many directories with events are searched for; with more all are read.
 */
#define EVENTS_MAX 256

/* As many buffers as a queue of events (max_queued_events) has, and more. */
#define READS_MAX 256

struct cgroup_gone {
  uint64_t id;
  char path[CGROUP_PATH_SIZE];
};

/* watch: -1: all. */
static void mark_changed(struct cgroup_tree *tree, int watch) {
  for (size_t i = 0; i < tree->now.num; i++)
    if (watch < 0 || tree->now.entries[i].watch == watch)
      tree->now.entries[i].changed = true;
}

/* Marks the directories with events. Returns whether there was any. */
static bool read_events(struct cgroup_tree *tree) {
  _Alignas(struct inotify_event) char buf[8192];
  size_t marked = 0;
  int last = -1;
  ssize_t len = tree->inotify >= 0;
  /* Not to the end: others may make them as fast as they are read. */
  for (int reads = 0; reads < READS_MAX && len > 0; reads++) {
    len = read(tree->inotify, buf, sizeof(buf));
    for (ssize_t pos = 0; pos < len;) {
      const struct inotify_event *event = (const void *)(buf + pos);
      pos += (ssize_t)(sizeof(*event) + event->len);
      /* We have ended this watch ourselves. */
      if (event->mask & IN_IGNORED || marked > EVENTS_MAX ||
          (marked > 0 && event->wd == last))
        continue;
      last = event->wd;
      mark_changed(tree, ++marked > EVENTS_MAX ? -1 : last);
    }
  }
  return marked > 0;
}

/* What is no longer in the next list. Its watch holds the
 * memory of its directory: on this file system it does not end by itself. */
static void forget_gone(struct cgroup_tree *tree) {
  for (size_t i = 0; i < tree->now.num; i++) {
    const struct cgroup_entry *entry = &tree->now.entries[i];
    if (entry->kept)
      continue;
    if (entry->watch >= 0) {
      inotify_rm_watch(tree->inotify, entry->watch);
      tree->watches--;
    }
    if (tree->gone == NULL)
      tree->gone = calloc(CGROUP_GONE_NUM, sizeof(*tree->gone));
    if (tree->gone == NULL || entry->id == 0)
      continue;
    struct cgroup_gone *gone = &tree->gone[tree->gone_num % CGROUP_GONE_NUM];
    if (!cgroup_list_path(&tree->now, i, "", gone->path, sizeof(gone->path)))
      continue;
    gone->id = entry->id;
    tree->gone_num++;
  }
}

/* Forgets all watches, so that every directory will be read. */
static void end_watches(struct cgroup_tree *tree) {
  if (tree->inotify >= 0)
    close(tree->inotify);
  tree->inotify = -1;
  tree->watches = 0;
  tree->due = 0;
  for (size_t i = 0; i < tree->now.num; i++) {
    tree->now.entries[i].watch = -1;
    tree->now.entries[i].changed = true;
    tree->now.entries[i].kept = false;
  }
}

int cgroup_tree_refresh(struct cgroup_tree *tree) {
  int64_t now = clock_ms() / 1000;
  if (!read_events(tree) && now < tree->due && tree->mount != NULL)
    return 0;
  const char *mount = cgroup_mount();
  bool moved = mount != tree->mount;
  if (moved) {
    end_watches(tree);
    pthread_mutex_lock(&tree->lock);
    tree->mount = mount;
    tree->now.num = 0;
    tree->generation++;
    pthread_mutex_unlock(&tree->lock);
  }
  if (mount == NULL)
    return moved;
  if (tree->inotify < 0)
    tree->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  int err = cgroup_walk(tree, now);
  if (err != 0) {
    end_watches(tree);
    return err;
  }
  pthread_mutex_lock(&tree->lock);
  forget_gone(tree);
  struct cgroup_list old = tree->now;
  tree->now = tree->next;
  tree->next = old;
  tree->generation++;
  pthread_mutex_unlock(&tree->lock);
  return 1;
}

void cgroup_tree_init(struct cgroup_tree *tree) {
  *tree = (struct cgroup_tree){.patience = CGROUP_PATIENCE,
                               .watches_limit = CGROUP_WATCHES_MAX,
                               .inotify = -1};
  pthread_mutex_init(&tree->lock, NULL);
}

void cgroup_tree_free(struct cgroup_tree *tree) {
  end_watches(tree);
  cgroup_list_free(&tree->now);
  cgroup_list_free(&tree->next);
  free(tree->gone);
  pthread_mutex_destroy(&tree->lock);
}

unsigned cgroup_tree_generation(struct cgroup_tree *tree) {
  pthread_mutex_lock(&tree->lock);
  unsigned generation = tree->generation;
  pthread_mutex_unlock(&tree->lock);
  return generation;
}

unsigned cgroup_tree_touch(struct cgroup_tree *tree) {
  pthread_mutex_lock(&tree->lock);
  unsigned generation = ++tree->generation;
  pthread_mutex_unlock(&tree->lock);
  return generation;
}

int cgroup_tree_ids(struct cgroup_tree *tree, char *const *paths, size_t num,
                    struct id_list *ids, char *where, size_t where_size) {
  struct id_list found;
  size_t trouble;
  pthread_mutex_lock(&tree->lock);
  int err = cgroup_list_ids(&tree->now, paths, num, &found, &trouble);
  if (err == 0 && found.error != 0)
    cgroup_list_path(&tree->now, trouble,
                     tree->mount == NULL ? "/sys/fs/cgroup" : tree->mount,
                     where, where_size);
  pthread_mutex_unlock(&tree->lock);
  if (err != 0)
    return err;
  bool same = found.num == ids->num &&
              (found.num == 0 || memcmp(found.ids, ids->ids,
                                        found.num * sizeof(*found.ids)) == 0);
  free(ids->ids);
  *ids = found;
  return !same;
}

static uint64_t id_at(const struct cgroup_tree *tree, size_t number) {
  return number < CGROUP_NUM_MAX ? tree->now.entries[number].id
                                 : tree->gone[number - CGROUP_NUM_MAX].id;
}

/* The place of the id, or the empty one that it would be put into. There is 1 +
 * the number of its entry, or from CGROUP_NUM_MAX on of one that is gone. */
static uint16_t *find_place(struct cgroup_tree *tree, uint64_t id) {
  size_t i = hash_id(id);
  while (1) {
    uint16_t *place = &tree->index[i++ & (CGROUP_INDEX_NUM - 1)];
    if (*place == 0 || id_at(tree, *place - 1u) == id)
      return place;
  }
}

static void note_number(struct cgroup_tree *tree, size_t number) {
  uint64_t id = id_at(tree, number);
  uint16_t *place = find_place(tree, id);
  if (id != 0 && *place == 0)
    *place = (uint16_t)(number + 1);
}

/* Only where there is somebody who looks for ids. */
static void fill_index(struct cgroup_tree *tree) {
  if (tree->index_generation == tree->generation)
    return;
  tree->index_generation = tree->generation;
  memset(tree->index, 0, sizeof(tree->index));
  for (size_t i = 0; i < tree->now.num; i++)
    note_number(tree, i);
  for (size_t i = 0; i < tree->gone_num && i < CGROUP_GONE_NUM; i++)
    note_number(tree, CGROUP_NUM_MAX + i);
}

int cgroup_tree_path(struct cgroup_tree *tree, uint64_t id,
                     char path[CGROUP_PATH_SIZE]) {
  pthread_mutex_lock(&tree->lock);
  fill_index(tree);
  size_t number = *find_place(tree, id);
  bool found = number > 0;
  if (number > CGROUP_NUM_MAX)
    memcpy(path, tree->gone[number - CGROUP_NUM_MAX - 1].path,
           CGROUP_PATH_SIZE);
  else if (found)
    found =
        cgroup_list_path(&tree->now, number - 1, "", path, CGROUP_PATH_SIZE);
  pthread_mutex_unlock(&tree->lock);
  if (found && path[0] == '\0')
    memcpy(path, "/", 2);
  return found ? 0 : -ENOENT;
}

int cgroup_tree_each(struct cgroup_tree *tree, cgroup_cb cb, void *data) {
  char path[CGROUP_PATH_SIZE];
  pthread_mutex_lock(&tree->lock);
  int err = tree->now.num == 0 ? -ENODEV : 0;
  for (size_t i = 0; i < tree->now.num && err == 0; i++) {
    cgroup_list_path(&tree->now, i, "", path, sizeof(path));
    if (tree->now.entries[i].id != 0)
      err = cb(tree->now.entries[i].id, path, data);
  }
  for (size_t i = 0; i < tree->gone_num && i < CGROUP_GONE_NUM && err == 0; i++)
    err = cb(tree->gone[i].id, tree->gone[i].path, data);
  pthread_mutex_unlock(&tree->lock);
  return err;
}
