/* The conditions' memory; config.c fills them. */
#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int port_set_add(struct port_set *set, struct port_range range) {
  struct port_range *ranges =
      realloc(set->ranges, (set->num + 1) * sizeof(*ranges));
  if (ranges == NULL)
    return -ENOMEM;
  set->ranges = ranges;
  ranges[set->num++] = range;
  return 0;
}

static int compare_ranges(const void *a, const void *b) {
  const struct port_range *x = a, *y = b;
  return x->first - y->first;
}

void port_set_join(struct port_set *set) {
  if (set->num == 0)
    return;
  qsort(set->ranges, set->num, sizeof(*set->ranges), compare_ranges);
  size_t joined = 0;
  for (size_t i = 1; i < set->num; i++) {
    struct port_range *before = &set->ranges[joined];
    if (set->ranges[i].first > before->last + 1)
      set->ranges[++joined] = set->ranges[i];
    else if (set->ranges[i].last > before->last)
      before->last = set->ranges[i].last;
  }
  set->num = joined + 1;
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
