/* Finds the groups that a socket belongs to without searching: what a socket
 * costs does not grow with the number of groups. */
#ifndef TCPSTATES_GROUP_INDEX_H
#define TCPSTATES_GROUP_INDEX_H

#include "settings.h"

#define PORTS_NUM 65536

/* A set of ports, one bit each. */
struct port_bitmap {
  uint64_t bits[PORTS_NUM / 64];
};

static inline void port_bitmap_add(struct port_bitmap *map, uint16_t port) {
  map->bits[port / 64] |= UINT64_C(1) << port % 64;
}

static inline bool port_bitmap_has(const struct port_bitmap *map,
                                   uint16_t port) {
  return map->bits[port / 64] >> port % 64 & 1;
}

/* The groups that a port belongs to: members[lists[list_of[port]].first ...] */
struct port_index {
  uint16_t *list_of; /* PORTS_NUM of them; 0: the port is in no group */
  struct port_list {
    uint32_t first;
    uint32_t num;
  } * lists;
  uint32_t *members; /* numbers of groups */
};

/* Groups are numbered: first those of the configuration, in their order, then
 * the ports that are groups only because they are listened on, ascending. */
struct group_index {
  const struct group *groups;
  size_t groups_num;
  struct port_bitmap listening; /* those of listening_ports */
  uint16_t *listening_ports;
  size_t listening_num;
  struct port_index local;
  struct port_index remote;
};

/* Makes the index of the configured groups, which it refers to from then on.
 * Returns 0 or -ENOMEM, index needs no freeing then. */
int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num);

/* Says which ports are listened on: each of them is a group from now on, but
 * port 0 and those that are a group by configuration; those said before are
 * none any more. Allocates only when that is a change. Returns 1: the numbers
 * of groups have changed; 0: they are as before; -ENOMEM, and nothing has
 * changed. */
int group_index_listen(struct group_index *index,
                       const struct port_bitmap *listening);

/* The number of groups. */
static inline size_t group_index_num(const struct group_index *index) {
  return index->groups_num + index->listening_num;
}

/* The groups of a port: their numbers, *num of them. */
static inline const uint32_t *port_index_find(const struct port_index *index,
                                              uint16_t port, size_t *num) {
  const struct port_list *list = &index->lists[index->list_of[port]];
  *num = list->num;
  return index->members + list->first;
}

void group_index_free(struct group_index *index);

#endif
