/* Finds the groups that a socket belongs to without searching: what a socket
 * costs hardly grows with the number of groups. */
#ifndef TCPSTATES_GROUP_INDEX_H
#define TCPSTATES_GROUP_INDEX_H

#include "cgroup.h"
#include "diag_msg.h"
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

/* What a condition looks at, as a number: a port, an address, a control group
 * id. */
struct key {
  uint64_t high;
  uint64_t low;
};

/* The configured groups by one condition. Keys fall into sections, each from
 * its start to the next one's; a row has one bit for each group: can a socket
 * whose key is in the section belong to it? */
struct condition_index {
  bool used; /* some group has the condition; else nothing below is there */
  struct key *starts;
  uint64_t *rows; /* sections_num times words */
  size_t sections_num;
  size_t sections_size; /* for how many there is memory */
};

enum condition {
  CONDITION_LOCAL_PORT,
  CONDITION_REMOTE_PORT,
  CONDITION_LOCAL_ADDRESS, /* with the address family */
  CONDITION_REMOTE_ADDRESS,
  CONDITION_CGROUP,
};
#define CONDITIONS_NUM (CONDITION_CGROUP + 1)

/* Groups are numbered: first those of the configuration, in their order, then
 * the ports that are groups only because they are listened on, ascending. */
struct group_index {
  const struct group *groups;
  const struct id_list *cgroup_ids; /* of each of them; NULL: none has any */
  size_t groups_num;
  size_t words; /* that hold a bit for each of them */
  struct condition_index conditions[CONDITIONS_NUM];

  unsigned generation; /* another one after each change of what groups mean */

  struct port_bitmap listening; /* those of listening_ports */
  uint16_t *listening_ports;
  size_t listening_num;
  uint32_t *listening_group; /* by port: its number + 1; 0: it is none */
};

/* Takes the number of a group that a socket belongs to. */
typedef void (*group_index_cb)(uint32_t group, void *data);

/* Makes the index of the configured groups, which it refers to from then on.
 * Returns 0 or -ENOMEM, index needs no freeing then. */
int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num);

/* Gives each configured group the ids of its control groups, which the index
 * refers to until the next call; before the first one there are none. Allocates
 * only when there are more of them than ever before. Returns 0; -ENOMEM: the
 * index knows no control groups any more. */
int group_index_set_cgroups(struct group_index *index,
                            const struct id_list *ids);

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

/* Calls cb for each group that the socket belongs to, once for each, in the
 * order of their numbers. */
void group_index_find(const struct group_index *index,
                      const struct diag_socket *socket, group_index_cb cb,
                      void *data);

void group_index_free(struct group_index *index);

#endif
