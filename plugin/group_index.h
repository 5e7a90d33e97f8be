/* SPDX-License-Identifier: MIT */
/* Finds the groups that a socket belongs to without searching: the time for a
 * socket hardly grows with the number of groups. */
#ifndef TCPSTATES_GROUP_INDEX_H
#define TCPSTATES_GROUP_INDEX_H

#include "condition.h"
#include "port_table.h"

/* The maximum number of groups for listening ports: an unprivileged
 * user can listen on nearly every port. With 21 values each they are 10,752,
 * and write_prometheus fails at some 20,000. */
#define LISTENING_MAX 512

#define NO_GROUP SIZE_MAX

/* For the name of a port that is listened on. */
#define GROUP_INDEX_NAME_SIZE sizeof("65535-local")

/* The groups that are about more than ports, by one condition. Keys fall into
 * sections, each from its start to the next one's; a row has one bit for each
 * group: can a socket whose key is in the section belong to it? A socket
 * belongs to those whose bit is set in its rows of all conditions: a bit vector
 * scheme (Lakshman and Stiliadis, 1998). F groups with R ranges (or prefixes,
 * or control groups) need about R * F / 4 bytes: 250 kB for 1000 with one each.
 */
struct condition_index {
  bool used; /* some group has the condition; else nothing below is there */
  struct key *starts;
  uint64_t *rows; /* sections_num times words */
  size_t sections_num;
  size_t sections_size; /* for how many there is memory */
};

/* Groups are numbered: first those of the configuration, in their order, then
 * the ports that are groups only because they are listened on, ascending. */
struct group_index {
  const struct group *groups;
  const struct id_list *cgroup_ids; /* of each of them; NULL: none has any */
  size_t groups_num;
  struct port_table local_ports;
  struct port_table remote_ports;
  uint32_t *rest; /* the numbers of the groups that are in neither table */
  size_t rest_num;
  size_t words; /* that hold a bit for each of them */
  struct condition_index conditions[CONDITIONS_NUM];

  unsigned generation; /* new after each change of what groups mean */

  struct port_bitmap configured; /* no group because they are listened on */
  struct port_bitmap listening;  /* those of listening_ports */
  uint16_t listening_ports[LISTENING_MAX];
  size_t listening_num;
  size_t listening_left_out; /* ports beyond LISTENING_MAX */
};

/* Makes the index of the configured groups, which it keeps a reference to.
 * Returns 0 or -ENOMEM, index needs no freeing then. */
int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num);

/* Gives each configured group the ids of its control groups, which the index
 * refers to until the next call; before the first one there are none. Allocates
 * only when there are more of them than ever before. Returns 0; -ENOMEM: the
 * index knows no control groups any more. */
int group_index_set_cgroups(struct group_index *index,
                            const struct id_list *ids);

/* Says which ports are listened on: each of them becomes a group, except
 * port 0 and those that are a group by configuration. If they are more than
 * LISTENING_MAX, those that are a group already stay one, then the lowest
 * become one: nobody can push out a service by listening on many ports. Returns
 * 1: the numbers of groups have changed; 0: they are as before. */
int group_index_listen(struct group_index *index,
                       const struct port_bitmap *listening);

/* The number of groups. */
static inline size_t group_index_num(const struct group_index *index) {
  return index->groups_num + index->listening_num;
}

/* A group's number changes with the ports that are listened on; its id does
 * not: up to 65535 it is this listening port, from 65536 it is one of the
 * configured groups; 0: none. */
uint32_t group_index_id(const struct group_index *index, size_t group);

/* The number of the group with this id; NO_GROUP: it is not there now. */
size_t group_index_number(const struct group_index *index, uint32_t id);

/* Returns the group's name: that of the configuration, or buf, into which it
 * was written. */
const char *group_index_name(const struct group_index *index, size_t group,
                             char buf[GROUP_INDEX_NAME_SIZE]);

/* Calls cb once for each group that the socket belongs to, in no order. */
void group_index_find(const struct group_index *index,
                      const struct diag_socket *socket, group_cb cb,
                      void *data);

void group_index_free(struct group_index *index);

#endif
