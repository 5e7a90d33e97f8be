/* SPDX-License-Identifier: MIT */
/* Remembers containers' host names for services.c and whose.c. */
#include "service_names.h"

#include "cgroup_walk.h"
#include "hash.h"
#include "hostname.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A container. */
struct service_names_one {
  uint64_t key; /* of its control group's path; 0: the place is free */
  uint64_t id;  /* of its control group: a new id is a new container */
  unsigned tries;
  bool met;                     /* in the tree that is being read */
  char name[SERVICE_NAME_SIZE]; /* its host name; "": none */
};

/* One walk through the tree. */
struct walk {
  const struct service_names *names;
  struct service_names_one *ones;
  size_t size;
  size_t num;
  struct hostname_ask *asks;
  size_t asks_num;
  bool pending; /* there are more to be asked */
  bool changed; /* names have */
};

static uint64_t hash_path(const struct service_names *names, const char *path,
                          size_t len) {
  uint64_t hash = names->multiplier;
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)path[i]) * UINT64_C(0x100000001b3);
  return (hash ^ hash >> 32) * names->multiplier | 1;
}

/* The place of the key, or the free one for it. */
static struct service_names_one *find_place(struct service_names_one *ones,
                                            size_t size, uint64_t key) {
  size_t i = (size_t)(key >> 32);
  while (ones[i & (size - 1)].key != key && ones[i & (size - 1)].key != 0)
    i++;
  return &ones[i & (size - 1)];
}

/* Makes room for one more. Returns 0 or -ENOMEM. */
static int grow(struct walk *walk) {
  if (2 * (walk->num + 1) <= walk->size)
    return 0;
  size_t size = 2 * walk->size;
  struct service_names_one *ones = calloc(size, sizeof(*ones));
  if (ones == NULL)
    return -ENOMEM;
  for (size_t i = 0; i < walk->size; i++)
    if (walk->ones[i].key != 0)
      *find_place(ones, size, walk->ones[i].key) = walk->ones[i];
  free(walk->ones);
  walk->ones = ones;
  walk->size = size;
  return 0;
}

static bool is_to_ask(const struct service_names_one *one) {
  return one->name[0] == '\0' && one->tries < SERVICE_NAMES_TRIES;
}

/* Of a container's control group and those below it, which the tree has after
 * it; those that are gone it has last. */
static int note_cgroup(uint64_t id, const char *path, void *data) {
  struct walk *walk = data;
  const struct service_names *names = walk->names;
  size_t len = service_container(path);
  if (len == 0)
    return 0;
  uint64_t key = hash_path(names, path, len);
  struct service_names_one *one = find_place(walk->ones, walk->size, key);
  if (one->key == 0) {
    if (walk->num == SERVICE_NAMES_MAX)
      return 0;
    if (grow(walk) != 0)
      return -ENOMEM;
    one = find_place(walk->ones, walk->size, key);
    *one = *find_place(names->ones, names->size, key);
    one->met = false;
    one->key = key;
    walk->num++;
  }
  if (path[len] != '\0' || one->met)
    return 0;
  if (one->id != id)
    *one = (struct service_names_one){.key = key, .id = id};
  one->met = true;
  if (!is_to_ask(one))
    return 0;
  if (walk->asks_num == SERVICE_NAMES_ASKS) {
    walk->pending = true;
    return 0;
  }
  if (walk->asks == NULL)
    walk->asks = calloc(SERVICE_NAMES_ASKS, sizeof(*walk->asks));
  if (walk->asks == NULL)
    return -ENOMEM;
  memcpy(walk->asks[walk->asks_num++].path, path, len + 1);
  return 0;
}

static bool is_taken(const struct settings *settings, const char *name) {
  if (settings_find_group(settings, name) != NULL)
    return true;
  for (size_t i = 0; i < settings->namespaces_num; i++)
    if (is_taken(&settings->namespaces[i].settings, name))
      return true;
  return false;
}

/* Records the answers; error: there are none. Returns 0 or the first -errno
 * because of which one is not known. */
static int note_answers(struct service_names *names, struct walk *walk,
                        int error) {
  for (size_t i = 0; i < walk->asks_num; i++) {
    const struct hostname_ask *ask = &walk->asks[i];
    struct service_names_one *one =
        find_place(names->ones, names->size,
                   hash_path(names, ask->path, strlen(ask->path)));
    if (!is_taken(names->settings, ask->name))
      memcpy(one->name, ask->name, sizeof(one->name));
    walk->changed = walk->changed || one->tries == 0 || one->name[0] != '\0';
    one->tries++;
    walk->pending = walk->pending || is_to_ask(one);
    if (error == 0)
      error = ask->error;
  }
  return error;
}

int service_names_refresh(struct service_names *names, struct cgroup_tree *tree,
                          const char *proc) {
  unsigned generation = cgroup_tree_generation(tree);
  if (generation == names->generation && !names->pending)
    return 0;
  struct walk walk = {.names = names, .size = 64};
  walk.ones = calloc(walk.size, sizeof(*walk.ones));
  int err =
      walk.ones == NULL ? -ENOMEM : cgroup_tree_each(tree, note_cgroup, &walk);
  if (err != 0) {
    free(walk.ones);
    free(walk.asks);
    return err == -ENODEV ? 0 : err;
  }
  const char *mount = cgroup_mount();
  if (walk.asks_num > 0)
    err = hostname_ask(mount == NULL ? "" : mount, proc, walk.asks,
                       walk.asks_num);
  pthread_mutex_lock(&names->lock);
  struct service_names_one *old = names->ones;
  names->ones = walk.ones;
  names->size = walk.size;
  names->num = walk.num;
  err = note_answers(names, &walk, err);
  pthread_mutex_unlock(&names->lock);
  names->generation = walk.changed ? cgroup_tree_touch(tree) : generation;
  names->pending = walk.pending;
  free(old);
  free(walk.asks);
  if (err == 0 || names->said)
    return 0;
  names->said = true;
  return err;
}

int service_names_find(struct service_names *names, const char *path,
                       char name[SERVICE_NAME_SIZE]) {
  service_name(name, path);
  size_t len = names == NULL ? 0 : service_container(path);
  if (len == 0)
    return 0;
  pthread_mutex_lock(&names->lock);
  const struct service_names_one *one =
      find_place(names->ones, names->size, hash_path(names, path, len));
  bool unknown = one->key != 0 && one->tries == 0;
  if (one->name[0] != '\0')
    memcpy(name, one->name, SERVICE_NAME_SIZE);
  pthread_mutex_unlock(&names->lock);
  return unknown ? -EAGAIN : 0;
}

void service_names_free(struct service_names *names) {
  if (names->ones == NULL)
    return;
  free(names->ones);
  pthread_mutex_destroy(&names->lock);
  *names = (struct service_names){0};
}

int service_names_init(struct service_names *names,
                       const struct settings *settings) {
  *names = (struct service_names){.settings = settings,
                                  .size = 1,
                                  .multiplier = hash_multiplier(),
                                  .ones = calloc(1, sizeof(*names->ones))};
  if (names->ones == NULL)
    return -ENOMEM;
  pthread_mutex_init(&names->lock, NULL);
  return 0;
}
