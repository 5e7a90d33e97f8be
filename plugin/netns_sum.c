/* SPDX-License-Identifier: MIT */
/* Sums of values by their names, for netns_pattern.c. */
#include "netns_sum.h"

#include "hash.h"
#include "service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum netns_sum_how how_to_add(const struct metric *metric) {
  const char *type = metric->type, *name = metric->type_instance;
  if (strcmp(type, "gauge") == 0 || strcmp(name, "tcp_fin_timeout") == 0 ||
      strcmp(name, "fin_wait2_lifetime") == 0)
    return NETNS_SUM_NONE;
  if (strcmp(type, "percent") == 0 || strcmp(type, "duration") == 0 ||
      strcmp(name, "fullest_destination") == 0)
    return NETNS_SUM_HIGHEST;
  return NETNS_SUM_ADD;
}

/* Is it the group of a service, except "other"? */
static bool is_service(const struct settings *settings, const char *instance) {
  return settings->services && service_is_one(instance) &&
         settings_find_group(settings, instance) == NULL;
}

static bool counts_sockets(const struct settings *settings,
                           const struct metric *metric) {
  return settings->report & REPORT_BY_STATE
             ? strcmp(metric->type, "tcp_connections") == 0
             : how_to_add(metric) == NETNS_SUM_ADD;
}

/* FNV-1a. */
static uint64_t hash_text(uint64_t hash, const char *text) {
  for (const char *c = text; *c != '\0'; c++)
    hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static uint32_t *find_slot(const struct netns_sum *sum, const char *instance,
                           const char *type, const char *type_instance) {
  uint64_t hash = hash_text(sum->seed, instance);
  hash = hash_text(hash_text(hash, type), type_instance);
  for (size_t i = (size_t)(hash ^ hash >> 32);; i++) {
    uint32_t *slot = &sum->slots[i & (sum->slots_num - 1)];
    if (*slot == 0)
      return slot;
    const struct netns_sum_value *value = &sum->values[*slot - 1];
    if (strcmp(value->instance, instance) == 0 &&
        strcmp(value->type, type) == 0 &&
        strcmp(value->type_instance, type_instance) == 0)
      return slot;
  }
}

static void fill_slots(struct netns_sum *sum) {
  memset(sum->slots, 0, sum->slots_num * sizeof(*sum->slots));
  for (size_t i = 0; i < sum->num; i++) {
    const struct netns_sum_value *value = &sum->values[i];
    if (value->instance != NULL)
      *find_slot(sum, value->instance, value->type, value->type_instance) =
          (uint32_t)i + 1;
  }
}

/* Makes room for one more value. Returns 0 or -ENOMEM. */
static int reserve(struct netns_sum *sum) {
  if (sum->num < sum->size)
    return 0;
  size_t size = sum->size == 0 ? 64 : 2 * sum->size;
  struct netns_sum_value *values =
      realloc(sum->values, size * sizeof(*sum->values));
  if (values == NULL)
    return -ENOMEM;
  sum->values = values;
  uint32_t *slots = realloc(sum->slots, 2 * size * sizeof(*slots));
  if (slots == NULL)
    return -ENOMEM;
  sum->slots = slots;
  sum->slots_num = 2 * size;
  sum->size = size;
  sum->seed = hash_multiplier();
  fill_slots(sum);
  return 0;
}

/* Returns the position of a value that is not in use; there is one. */
static size_t find_unused(struct netns_sum *sum) {
  while (sum->values[sum->hint % sum->num].instance != NULL)
    sum->hint++;
  return sum->hint++ % sum->num;
}

/* Returns the position of a new value, or -ENOMEM; -ENOSPC: there are too many.
 */
static int64_t add_value(struct netns_sum *sum, const struct metric *metric) {
  size_t at = sum->unused > 0 ? find_unused(sum) : sum->num;
  if (at == NETNS_SUM_MAX)
    return -ENOSPC;
  if (at == sum->num && reserve(sum) != 0)
    return -ENOMEM;
  size_t instance = strlen(metric->plugin_instance) + 1;
  size_t type = strlen(metric->type) + 1;
  size_t type_instance = strlen(metric->type_instance) + 1;
  char *text = malloc(instance + type + type_instance);
  if (text == NULL)
    return -ENOMEM;
  memcpy(text, metric->plugin_instance, instance);
  memcpy(text + instance, metric->type, type);
  memcpy(text + instance + type, metric->type_instance, type_instance);
  struct netns_sum_value *value = &sum->values[at];
  *value = (struct netns_sum_value){.instance = text,
                                    .type = text + instance,
                                    .type_instance = text + instance + type,
                                    .how = how_to_add(metric)};
  value->service = is_service(sum->settings, metric->plugin_instance);
  value->sockets = value->service && counts_sockets(sum->settings, metric);
  *find_slot(sum, value->instance, value->type, value->type_instance) =
      (uint32_t)at + 1;
  if (at == sum->num)
    sum->num++;
  else
    sum->unused--;
  return (int64_t)at;
}

/* Returns the position of the value of that name, or as add_value() does. */
static int64_t find_value(struct netns_sum *sum, const struct metric *metric) {
  if (sum->slots != NULL) {
    const uint32_t *slot = find_slot(sum, metric->plugin_instance, metric->type,
                                     metric->type_instance);
    if (*slot != 0)
      return *slot - 1;
  }
  return add_value(sum, metric);
}

static void take_metric(const struct metric *metric, void *data) {
  struct netns_sum *sum = data;
  struct netns_part *part = sum->filling;
  if (sum->error != 0)
    return;
  if (part->num == part->size) {
    size_t size = part->size == 0 ? 32 : 2 * part->size;
    struct netns_part_value *values =
        realloc(part->values, size * sizeof(*values));
    if (values == NULL) {
      sum->error = -ENOMEM;
      return;
    }
    part->values = values;
    part->size = size;
  }
  int64_t at = find_value(sum, metric);
  if (at == -ENOMEM)
    sum->error = -ENOMEM;
  if (at < 0)
    return;
  sum->values[at].parts++;
  part->values[part->num++] =
      (struct netns_part_value){.at = (uint32_t)at, .value = metric->value};
}

static void forget(struct netns_sum *sum, struct netns_part *part) {
  for (size_t i = 0; i < part->num; i++)
    sum->values[part->values[i].at].parts--;
  part->num = 0;
}

void netns_sum_drop(struct netns_sum *sum, struct netns_part *part) {
  forget(sum, part);
  free(part->values);
  *part = (struct netns_part){0};
}

int netns_sum_take(struct netns_sum *sum, struct netns_part *part,
                   const struct settings *settings,
                   const struct snapshot *snapshot) {
  forget(sum, part);
  sum->filling = part;
  sum->settings = settings;
  sum->error = 0;
  metrics_each(settings, snapshot, take_metric, sum);
  if (sum->error != 0)
    netns_sum_drop(sum, part);
  return sum->error;
}

void netns_sum_start(struct netns_sum *sum) {
  for (size_t i = 0; i < sum->num; i++) {
    sum->values[i].sum = 0;
    sum->values[i].fed = false;
  }
}

static void add(struct netns_sum_value *value, double number) {
  if (value->how == NETNS_SUM_ADD)
    value->sum += number;
  else if (number > value->sum)
    value->sum = number;
}

void netns_sum_add(struct netns_sum *sum, const struct netns_part *part) {
  for (size_t i = 0; i < part->num; i++)
    add(&sum->values[part->values[i].at], part->values[i].value);
}

/* A service, in all namespaces. */
struct service {
  const char *name;
  double rank;
  bool here; /* a namespace has it */
  bool shown;
};

static int compare_names(const void *a, const void *b) {
  const struct service *x = a, *y = b;
  return strcmp(x->name, y->name);
}

static int compare_ranks(const void *a, const void *b) {
  const struct service *x = a, *y = b;
  return x->rank > y->rank ? -1 : x->rank < y->rank;
}

/* Returns how many there are; they are in the order of their names. */
static size_t find_services(const struct netns_sum *sum,
                            struct service *services) {
  size_t all = 0, num = 0;
  for (size_t i = 0; i < sum->num; i++) {
    const struct netns_sum_value *value = &sum->values[i];
    if (value->instance == NULL || !value->service)
      continue;
    /* One that was reported stays until another is a quarter larger. */
    double rank = value->sockets ? value->sum * (value->shown ? 5 : 4) : 0;
    services[all++] =
        (struct service){value->instance, rank, value->parts > 0, value->shown};
  }
  qsort(services, all, sizeof(*services), compare_names);
  for (size_t i = 0; i < all; i++) {
    if (num == 0 || compare_names(&services[num - 1], &services[i]) != 0) {
      services[num++] = services[i];
      continue;
    }
    services[num - 1].rank += services[i].rank;
    services[num - 1].here |= services[i].here;
  }
  return num;
}

/* Leaves the largest, and in the order of their names. Returns how many. */
static size_t leave_largest(struct service *services, size_t num, size_t max) {
  size_t left = 0;
  for (size_t i = 0; i < num; i++)
    if (services[i].here || services[i].shown)
      services[left++] = services[i];
  if (left <= max)
    return left;
  qsort(services, left, sizeof(*services), compare_ranks);
  qsort(services, max, sizeof(*services), compare_names);
  return max;
}

/* Adds the value of a service that is not shown to that of "other". */
static void feed(struct netns_sum *sum, size_t from) {
  const struct netns_sum_value *value = &sum->values[from];
  const double number = value->sum;
  int64_t at = find_value(
      sum, &(struct metric){"other", value->type, value->type_instance, 0});
  if (at < 0)
    return;
  add(&sum->values[at], number);
  sum->values[at].fed = true;
}

int netns_sum_limit(struct netns_sum *sum, const struct settings *settings) {
  size_t num = 0, before = sum->num;
  for (size_t i = 0; i < before; i++)
    num += sum->values[i].instance != NULL && sum->values[i].service;
  if (num == 0)
    return 0;
  struct service *services = malloc(num * sizeof(*services));
  if (services == NULL)
    return -ENOMEM;
  num = find_services(sum, services);
  num = leave_largest(services, num, settings->services_max);
  for (size_t i = 0; i < before; i++) {
    struct netns_sum_value *value = &sum->values[i];
    if (value->instance == NULL || !value->service)
      continue;
    const struct service key = {.name = value->instance};
    value->shown =
        bsearch(&key, services, num, sizeof(key), compare_names) != NULL;
    if (!value->shown && value->parts > 0)
      feed(sum, i);
  }
  free(services);
  return 0;
}

size_t netns_sum_each(struct netns_sum *sum, metric_cb cb, void *data) {
  size_t num = 0;
  bool removed = false;
  for (size_t i = 0; i < sum->num; i++) {
    struct netns_sum_value *value = &sum->values[i];
    if (value->instance == NULL)
      continue;
    value->zeros = value->parts > 0 || value->fed ? 0 : value->zeros + 1;
    if (value->zeros > NETNS_SUM_ZEROS) {
      free(value->instance);
      value->instance = NULL;
      sum->unused++;
      removed = true;
    } else if (value->how != NETNS_SUM_NONE &&
               (!value->service || value->shown)) {
      cb(&(struct metric){value->instance, value->type, value->type_instance,
                          value->sum},
         data);
      num++;
    }
  }
  if (removed)
    fill_slots(sum);
  return num;
}

bool netns_sum_is_full(const struct netns_sum *sum) {
  return sum->num - sum->unused == NETNS_SUM_MAX;
}

void netns_sum_free(struct netns_sum *sum) {
  for (size_t i = 0; i < sum->num; i++)
    free(sum->values[i].instance);
  free(sum->values);
  free(sum->slots);
  *sum = (struct netns_sum){0};
}
