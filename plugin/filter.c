/* SPDX-License-Identifier: MIT */
/* The conditions' memory; config_groups.c fills them. */
#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t port_bitmap_count(const struct port_bitmap *map) {
  size_t num = 0;
  for (size_t i = 0; i < PORTS_NUM / 64; i++)
    num += (size_t)__builtin_popcountll(map->bits[i]);
  return num;
}

void port_bitmap_list(const struct port_bitmap *map, uint16_t *ports) {
  for (size_t i = 0; i < PORTS_NUM / 64; i++)
    for (uint64_t bits = map->bits[i]; bits != 0; bits &= bits - 1)
      *ports++ = (uint16_t)(i * 64 + (size_t)__builtin_ctzll(bits));
}

int port_set_add(struct port_set *set, struct port_range range) {
  /* It absorbs those from first to end. */
  size_t first = set->num;
  while (first > 0 && set->ranges[first - 1].last + 1 >= range.first)
    first--;
  size_t end = first;
  for (; end < set->num && set->ranges[end].first <= range.last + 1; end++) {
    const struct port_range *old = &set->ranges[end];
    range.first = old->first < range.first ? old->first : range.first;
    range.last = old->last > range.last ? old->last : range.last;
  }
  if (first == end) {
    struct port_range *ranges =
        realloc(set->ranges, (set->num + 1) * sizeof(*ranges));
    if (ranges == NULL)
      return -ENOMEM;
    set->ranges = ranges;
  }
  memmove(&set->ranges[first + 1], &set->ranges[end],
          (set->num - end) * sizeof(*set->ranges));
  set->ranges[first] = range;
  set->num -= end - first;
  set->num++;
  return 0;
}

int prefix_set_add(struct prefix_set *set, const struct prefix *prefix) {
  struct prefix *prefixes =
      realloc(set->prefixes, (set->num + 1) * sizeof(*prefixes));
  if (prefixes == NULL)
    return -ENOMEM;
  set->prefixes = prefixes;
  prefixes[set->num++] = *prefix;
  return 0;
}

int path_set_add(struct path_set *set, const char *path) {
  char **paths = realloc(set->paths, (set->num + 1) * sizeof(*paths));
  if (paths == NULL)
    return -ENOMEM;
  set->paths = paths;
  paths[set->num] = strdup(path);
  if (paths[set->num] == NULL)
    return -ENOMEM;
  set->num++;
  return 0;
}

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_ipv4(const struct address *address) {
  return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

bool prefix_is_ipv4(const struct prefix *prefix) {
  return prefix->len >= 96 && address_is_ipv4(&prefix->address);
}

bool prefix_covers_ipv4(const struct prefix *prefix) {
  if (prefix->len >= 96)
    return false;
  unsigned whole = prefix->len / 8, rest = prefix->len % 8;
  uint8_t mask = (uint8_t)(0xff00u >> rest);
  return memcmp(prefix->address.bytes, mapped, whole) == 0 &&
         prefix->address.bytes[whole] == (mapped[whole] & mask);
}

const struct port_set *filter_only_ports(const struct filter *filter,
                                         bool local) {
  const struct port_set *set =
      local ? &filter->local_ports : &filter->remote_ports;
  const struct port_set *other =
      local ? &filter->remote_ports : &filter->local_ports;
  bool only = set->num > 0 && other->num == 0 &&
              filter->family == FILTER_ANY_FAMILY &&
              filter->local_addresses.num == 0 &&
              filter->remote_addresses.num == 0 && filter->cgroups.num == 0;
  return only ? set : NULL;
}

bool filter_has_destinations(const struct filter *filter) {
  return filter->remote_ports.num > 0 && filter->cgroups.num == 0 &&
         filter->protocol == FILTER_TCP;
}

void filter_free(struct filter *filter) {
  free(filter->local_ports.ranges);
  free(filter->remote_ports.ranges);
  free(filter->local_addresses.prefixes);
  free(filter->remote_addresses.prefixes);
  for (size_t i = 0; i < filter->cgroups.num; i++)
    free(filter->cgroups.paths[i]);
  free(filter->cgroups.paths);
  *filter = (struct filter){0};
}
