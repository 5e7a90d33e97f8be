/* SPDX-License-Identifier: MIT */
/* From a socket's control group to its service, and the largest of them, for
 * tally.c and metrics.c. */
#include "services.h"

#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OTHER 0

/* The id of the machine's root. Source: fs/kernfs/dir.c, kernfs_create_root()
 */
#define ROOT 1

/* A control group. */
struct services_id {
  uint64_t id; /* 0: the place is free */
  uint32_t group;
};

static size_t find_place(const struct services_id *ids, size_t size,
                         uint64_t id) {
  size_t i = hash_id(id);
  while (ids[i & (size - 1)].id != id && ids[i & (size - 1)].id != 0)
    i++;
  return i & (size - 1);
}

static uint32_t hash_name(const char *name) {
  uint32_t hash = HASH_NAME;
  for (; *name != '\0'; name++)
    hash = hash_char(hash, *name);
  return hash;
}

/* The number of the group with this name; a new one where there is room. */
static uint32_t name_group(struct services *services, const char *name) {
  uint32_t hash = hash_name(name);
  size_t free_place = services->num;
  for (size_t i = OTHER + 1; i < services->num; i++) {
    struct services_group *group = &services->groups[i];
    if (group->hash == hash && strcmp(group->name, name) == 0)
      return (uint32_t)i;
    if (group->name[0] == '\0' && free_place == services->num)
      free_place = i;
  }
  if (free_place == SERVICES_NUM_MAX)
    return OTHER;
  if (free_place == services->size) {
    size_t size = 2 * services->size;
    struct services_group *groups =
        realloc(services->groups, size * sizeof(*groups));
    if (groups == NULL) {
      services->stale = true;
      return OTHER;
    }
    services->groups = groups;
    services->size = size;
  }
  struct services_group *group = &services->groups[free_place];
  *group = (struct services_group){
      .hash = hash,
      .taken = settings_find_group(services->settings, name) != NULL};
  memcpy(group->name, name, strlen(name) + 1);
  if (free_place == services->num)
    services->num++;
  return (uint32_t)free_place;
}

static int grow(struct services *services) {
  size_t size = 2 * services->spare_size;
  struct services_id *ids = calloc(size, sizeof(*ids));
  if (ids == NULL)
    return -ENOMEM;
  for (size_t i = 0; i < services->spare_size; i++)
    if (services->spare[i].id != 0)
      ids[find_place(ids, size, services->spare[i].id)] = services->spare[i];
  free(services->spare);
  services->spare = ids;
  services->spare_size = size;
  return 0;
}

static int note_cgroup(uint64_t id, const char *path, void *data) {
  struct services *services = data;
  if (path[0] == '\0')
    services->partial = (uint32_t)id != ROOT; /* above it: the generation */
  if (2 * services->ids_num >= services->spare_size && grow(services) != 0)
    return -ENOMEM;
  const struct services_id *known =
      &services->ids[find_place(services->ids, services->ids_size, id)];
  uint32_t group = known->group;
  /* There may be room now for some that are in "other". */
  if (known->id == 0 || group == OTHER || services->names != NULL) {
    char name[SERVICE_NAME_SIZE];
    int err = service_names_find(services->names, path, name);
    /* Until its name is known, its present one would only make an extra series.
     */
    group = err == 0 ? name_group(services, name) : OTHER;
  }
  struct services_id *place =
      &services->spare[find_place(services->spare, services->spare_size, id)];
  services->ids_num += place->id == 0;
  *place = (struct services_id){id, group};
  services->groups[group].known = true;
  if (services->groups[group].taken)
    memcpy(services->taken, services->groups[group].name,
           sizeof(services->taken));
  return 0;
}

/* Finds the ids of the largest group. */
static void find_largest_ids(struct services *services) {
  services->largest_ids_num = 0;
  for (size_t i = 0; i < services->ids_size && services->largest_group != OTHER;
       i++) {
    const struct services_id *id = &services->ids[i];
    if (id->id == 0 || id->group != services->largest_group)
      continue;
    if (services->largest_ids_num == SERVICES_LARGEST_IDS) {
      services->largest_ids_num = 0;
      return;
    }
    services->largest_ids[services->largest_ids_num++] = id->id;
  }
}

int services_update(struct services *services, struct cgroup_tree *tree) {
  unsigned generation = cgroup_tree_generation(tree);
  if (!services->stale && generation == services->generation)
    return 0;
  services->stale = false;
  services->names = services->settings->host_names ? tree->names : NULL;
  services->taken[0] = '\0';
  services->ids_num = 0;
  memset(services->spare, 0, services->spare_size * sizeof(*services->spare));
  for (size_t i = OTHER + 1; i < services->num; i++)
    services->groups[i].known = false;
  int err = cgroup_tree_each(tree, note_cgroup, services);
  if (err != 0) {
    services->stale = true;
    return err;
  }
  struct services_id *ids = services->ids;
  size_t size = services->ids_size;
  services->ids = services->spare;
  services->ids_size = services->spare_size;
  services->spare = ids;
  services->spare_size = size;
  for (size_t i = OTHER + 1; i < services->num; i++)
    if (!services->groups[i].known && !services->groups[i].reported) {
      services->groups[i].name[0] = '\0';
      if (services->largest_group == i)
        services->largest_group = OTHER;
    }
  find_largest_ids(services);
  services->generation = generation;
  return 0;
}

void services_reset(struct services *services) {
  for (size_t i = 0; i < services->num; i++)
    memset(&services->groups[i].counts, 0, sizeof(services->groups[i].counts));
}

struct tally_counts *services_find(const struct services *services,
                                   uint64_t id) {
  if (id == 0)
    return NULL;
  size_t place = find_place(services->ids, services->ids_size, id);
  return &services->groups[services->ids[place].group].counts;
}

static uint64_t count_sockets(const struct services_group *group) {
  return tally_counts_sum(&group->counts, UINT32_MAX);
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void add(struct tally_counts *to, const struct tally_counts *from) {
  uint64_t *sums = (void *)to;
  const uint64_t *parts = (const void *)from;
  struct tally_counts before = *to;
  for (size_t i = 0; i < sizeof(*to) / sizeof(*sums); i++)
    sums[i] += parts[i];
  to->fin_wait1_oldest =
      larger(before.fin_wait1_oldest, from->fin_wait1_oldest);
  to->fin_wait2_oldest =
      larger(before.fin_wait2_oldest, from->fin_wait2_oldest);
  to->close_wait_oldest =
      larger(before.close_wait_oldest, from->close_wait_oldest);
  to->accept_queue_utilization =
      larger(before.accept_queue_utilization, from->accept_queue_utilization);
}

static size_t most(const struct services *services) {
  return services->summed ? SERVICES_SUMMED_MAX
                          : services->settings->services_max;
}

/* Marks the largest services. Returns how many. */
static size_t choose_largest(struct services *services) {
  size_t num = 0, max = most(services);
  for (size_t i = OTHER + 1; i < services->num; i++) {
    struct services_group *group = &services->groups[i];
    group->chosen = false;
    /* One that was reported stays until another is a quarter larger. */
    group->rank = count_sockets(group) * (group->reported ? 5 : 4);
    if (group->rank == 0 || group->taken)
      continue;
    size_t place = num;
    while (place > 0 &&
           services->groups[services->largest[place - 1]].rank < group->rank)
      place--;
    if (place == max)
      continue;
    num += num < max;
    memmove(&services->largest[place + 1], &services->largest[place],
            (num - 1 - place) * sizeof(*services->largest));
    services->largest[place] = (uint32_t)i;
  }
  for (size_t i = 0; i < num; i++)
    services->groups[services->largest[i]].chosen = true;
  return num;
}

static uint64_t established(const struct services *services, size_t i) {
  return services->groups[i].counts.state[TCP_ESTABLISHED];
}

/* More than half of the sockets, until it is less than 40 %. */
static void note_largest(struct services *services) {
  uint32_t before = services->largest_group, now = OTHER;
  uint64_t all = 0;
  for (size_t i = 0; i < services->num; i++)
    all += established(services, i);
  if (before != OTHER && established(services, before) * 10 > all * 4)
    return;
  for (size_t i = OTHER + 1; i < services->num; i++)
    if (established(services, i) * 2 > all)
      now = (uint32_t)i;
  services->largest_group = now;
  find_largest_ids(services);
}

void services_add_missing(struct services *services, int64_t num) {
  uint64_t *count =
      &services->groups[services->largest_group].counts.state[TCP_ESTABLISHED];
  if (services->largest_ids_num > 0)
    *count = num < 0 && *count < (uint64_t)-num ? 0 : *count + (uint64_t)num;
}

static bool goes_on(struct services_group *group, bool has_sockets) {
  group->zeros = has_sockets ? 0 : group->zeros + 1;
  return group->reported && group->zeros <= SERVICES_ZEROS;
}

void services_choose(struct services *services) {
  note_largest(services);
  size_t num = choose_largest(services);
  struct services_group *other = &services->groups[OTHER];
  for (size_t i = OTHER + 1; i < services->num; i++) {
    struct services_group *group = &services->groups[i];
    bool sockets = count_sockets(group) > 0;
    bool zeros = goes_on(group, sockets) && !sockets && num < most(services);
    num += zeros;
    if (sockets && !group->chosen)
      add(&other->counts, &group->counts);
    group->reported = group->chosen || zeros;
  }
  bool sockets = count_sockets(other) > 0;
  other->reported = goes_on(other, sockets) || sockets;
}

void services_free(struct services *services) {
  free(services->groups);
  free(services->ids);
  free(services->spare);
  free(services->largest);
  *services = (struct services){0};
}

int services_init(struct services *services, const struct settings *settings) {
  const size_t first = 64;
  *services = (struct services){
      .settings = settings,
      .stale = true,
      .size = first,
      .num = 1,
      .ids_size = first,
      .spare_size = first,
      .groups = calloc(first, sizeof(*services->groups)),
      .ids = calloc(first, sizeof(*services->ids)),
      .spare = calloc(first, sizeof(*services->spare)),
      .largest = calloc(SERVICES_SUMMED_MAX, sizeof(*services->largest))};
  if (services->groups == NULL || services->ids == NULL ||
      services->spare == NULL || services->largest == NULL) {
    services_free(services);
    return -ENOMEM;
  }
  memcpy(services->groups[OTHER].name, "other", sizeof("other"));
  return 0;
}
