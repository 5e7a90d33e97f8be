/* The conditions of a group, as config.c has read them. */
#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int port_set_add(struct port_set *set, struct port_range range) {
  struct port_range *ranges =
      realloc(set->ranges, (set->num + 1) * sizeof(*ranges));
  if (ranges == NULL)
    return -ENOMEM;
  ranges[set->num++] = range;
  set->ranges = ranges;
  return 0;
}

void filter_free(struct filter *filter) {
  free(filter->local_ports.ranges);
  free(filter->remote_ports.ranges);
  memset(filter, 0, sizeof(*filter));
}
