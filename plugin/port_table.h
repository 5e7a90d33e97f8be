/* SPDX-License-Identifier: MIT */
/* By port, the groups that are about ports of one side and nothing else. */
#ifndef TCPSTATES_PORT_TABLE_H
#define TCPSTATES_PORT_TABLE_H

#include "settings.h"

/* Takes the number of a group that a socket belongs to. */
typedef void (*group_cb)(uint32_t group, void *data);

/* The ports fall into sections, in each of which all belong to the same groups.
 * These are in a segment tree over the sections (de Berg and others,
 * Computational Geometry, 10.3): a range is in at most 2 log2(sections)
 * nodes, and a port's groups are in those from its section to the root.
 *
 * Bounds, for R ranges: R * 156 + 10 bytes, 24 for a single port that no range
 * overlaps; to find a port's groups 34 steps, and one for each group.
 * Empty when zero-initialised. */
struct port_table {
  uint16_t *starts; /* of the sections, each ends where the next one starts */
  size_t sections_num;
  uint32_t *ends;   /* by node: where in groups its own end, and the next one's
                       begin; 1 is the root, sections_num the first section */
  uint32_t *groups; /* their numbers */
};

/* Makes the table of those groups that are only about local ports, or only
 * about remote ones. Returns 0 or -ENOMEM, table needs no freeing then. */
int port_table_init(struct port_table *table, const struct group *groups,
                    size_t num, bool local);

/* Calls cb once for each of the port's groups, in no order. */
void port_table_find(const struct port_table *table, uint16_t port, group_cb cb,
                     void *data);

void port_table_free(struct port_table *table);

#endif
