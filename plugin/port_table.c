/* SPDX-License-Identifier: MIT */
/* Makes a segment tree of the ranges of ports. */
#include "port_table.h"

#include <errno.h>
#include <stdlib.h>

static size_t find_section(const struct port_table *table, uint16_t port) {
  size_t first = 0;
  for (size_t num = table->sections_num; num > 1;) {
    size_t half = num / 2;
    if (table->starts[first + half] <= port)
      first += half;
    num -= half;
  }
  return first;
}

/* Calls cb for each node whose sections together are the range. */
static void each_node(const struct port_table *table,
                      const struct port_range *range,
                      void (*cb)(const struct port_table *, size_t, uint32_t),
                      uint32_t group) {
  size_t left = table->sections_num + find_section(table, range->first);
  size_t right = table->sections_num + find_section(table, range->last) + 1;
  for (; left < right; left /= 2, right /= 2) {
    if (left % 2)
      cb(table, left++, group);
    if (right % 2)
      cb(table, --right, group);
  }
}

static void count(const struct port_table *table, size_t node, uint32_t group) {
  (void)group;
  table->ends[node]++;
}

static void add(const struct port_table *table, size_t node, uint32_t group) {
  table->groups[table->ends[node]++] = group;
}

/* Calls cb for each node that has one of the groups. */
static void each_group(const struct port_table *table,
                       const struct group *groups, size_t num, bool local,
                       void (*cb)(const struct port_table *, size_t,
                                  uint32_t)) {
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = filter_only_ports(&groups[i].filter, local);
    for (size_t j = 0; set != NULL && j < set->num; j++)
      each_node(table, &set->ranges[j], cb, (uint32_t)i);
  }
}

static int make_sections(struct port_table *table, const struct group *groups,
                         size_t num, bool local) {
  struct port_bitmap starts = {{1}};
  bool used = false;
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = filter_only_ports(&groups[i].filter, local);
    for (size_t j = 0; set != NULL && j < set->num; j++) {
      used = true;
      port_bitmap_add(&starts, set->ranges[j].first);
      if (set->ranges[j].last < UINT16_MAX)
        port_bitmap_add(&starts, (uint16_t)(set->ranges[j].last + 1));
    }
  }
  if (!used)
    return 0;
  size_t sections = port_bitmap_count(&starts);
  table->starts = malloc(sections * sizeof(*table->starts));
  table->ends = calloc(2 * sections, sizeof(*table->ends));
  if (table->starts == NULL || table->ends == NULL)
    return -ENOMEM;
  port_bitmap_list(&starts, table->starts);
  table->sections_num = sections;
  return 0;
}

void port_table_free(struct port_table *table) {
  free(table->starts);
  free(table->ends);
  free(table->groups);
  *table = (struct port_table){0};
}

int port_table_init(struct port_table *table, const struct group *groups,
                    size_t num, bool local) {
  *table = (struct port_table){0};
  int err = make_sections(table, groups, num, local);
  each_group(table, groups, err == 0 ? num : 0, local, count);
  uint32_t all = 0;
  for (size_t node = 0; node < 2 * table->sections_num; node++) {
    uint32_t own = table->ends[node];
    table->ends[node] = all;
    all += own;
  }
  if (all > 0) {
    table->groups = malloc(all * sizeof(*table->groups));
    err = table->groups == NULL ? -ENOMEM : 0;
  }
  if (err != 0) {
    port_table_free(table);
    return err;
  }
  each_group(table, groups, num, local, add);
  return 0;
}

void port_table_find(const struct port_table *table, uint16_t port, group_cb cb,
                     void *data) {
  size_t node = table->sections_num + find_section(table, port);
  for (; node > 0; node /= 2)
    for (uint32_t i = table->ends[node - 1]; i < table->ends[node]; i++)
      cb(table->groups[i], data);
}
