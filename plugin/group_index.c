/* Builds the look-up from ports to groups that tally.c uses for each socket. */
#include "group_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The group to which all ports of a range belong. */
struct member {
  struct port_range range;
  uint32_t group;
};

struct members {
  struct member *member;
  size_t num;
};

static int compare_members(const void *a, const void *b) {
  const struct member *x = a, *y = b;
  if (x->range.first != y->range.first)
    return x->range.first < y->range.first ? -1 : 1;
  return (x->group > y->group) - (x->group < y->group);
}

static void add_members(struct members *members, const struct port_set *set,
                        uint32_t group) {
  for (size_t i = 0; i < set->num; i++)
    members->member[members->num++] = (struct member){set->ranges[i], group};
}

static bool is_single_port(const struct port_set *set) {
  return set->num == 1 && set->ranges[0].first == set->ranges[0].last;
}

/* Every configured group has ports of one side. Those of the other side have
 * none here. */
static const struct port_set *ports_of(const struct group *group, bool local) {
  return local ? &group->filter.local_ports : &group->filter.remote_ports;
}

static size_t count_ranges(const struct group_index *index, bool local) {
  size_t num = local ? index->listening_num : 0;
  for (size_t i = 0; i < index->groups_num; i++)
    num += ports_of(&index->groups[i], local)->num;
  return num;
}

static void collect_members(const struct group_index *index, bool local,
                            struct members *members) {
  for (size_t i = 0; i < index->groups_num; i++)
    add_members(members, ports_of(&index->groups[i], local), (uint32_t)i);
  for (size_t i = 0; local && i < index->listening_num; i++) {
    struct port_range range = {index->listening_ports[i],
                               index->listening_ports[i]};
    const struct port_set set = {&range, 1};
    add_members(members, &set, (uint32_t)(index->groups_num + i));
  }
  qsort(members->member, members->num, sizeof(*members->member),
        compare_members);
}

/* What the sweep over the ports needs to grow. */
struct builder {
  struct port_index index;
  size_t lists_num, lists_size;
  size_t members_num, members_size;
  uint32_t *listed; /* by group: 1 + the last list that it stands in */
};

static int reserve(void **array, size_t *size, size_t need, size_t item) {
  if (need <= *size)
    return 0;
  size_t larger = need > *size * 2 ? need : *size * 2;
  void *grown = realloc(*array, larger * item);
  if (grown == NULL)
    return -ENOMEM;
  *array = grown;
  *size = larger;
  return 0;
}

/* Gives the ports first to last the list of the active members' groups; a group
 * of which two ranges overlap stands in it once. */
static int add_list(struct builder *b, unsigned first, unsigned last,
                    const struct members *active) {
  if (reserve((void **)&b->index.lists, &b->lists_size, b->lists_num + 1,
              sizeof(*b->index.lists)) != 0 ||
      reserve((void **)&b->index.members, &b->members_size,
              b->members_num + active->num + 1, sizeof(*b->index.members)) != 0)
    return -ENOMEM;

  struct port_list *list = &b->index.lists[b->lists_num];
  *list = (struct port_list){.first = (uint32_t)b->members_num};
  for (size_t i = 0; i < active->num; i++) {
    uint32_t group = active->member[i].group;
    if (b->listed[group] == b->lists_num + 1)
      continue;
    b->listed[group] = (uint32_t)b->lists_num + 1;
    b->index.members[list->first + list->num++] = group;
  }
  b->members_num += list->num;

  for (unsigned port = first; port <= last; port++)
    b->index.list_of[port] = (uint16_t)b->lists_num;
  b->lists_num++;
  return 0;
}

static void drop_ended(struct members *active, unsigned port) {
  size_t kept = 0;
  for (size_t i = 0; i < active->num; i++)
    if (active->member[i].range.last >= port)
      active->member[kept++] = active->member[i];
  active->num = kept;
}

/* Goes over the ports from low to high; between two places where a range
 * begins or ends, all ports have the same groups. */
static int sweep(struct builder *b, const struct members *members,
                 struct members *active) {
  int err = add_list(b, 1, 0, active); /* list 0: no port, no group */
  size_t next = 0;
  unsigned port = 0;
  while (err == 0 && (next < members->num || active->num > 0)) {
    if (active->num == 0)
      port = members->member[next].range.first;
    while (next < members->num && members->member[next].range.first == port)
      active->member[active->num++] = members->member[next++];

    unsigned last = PORTS_NUM - 1;
    if (next < members->num)
      last = members->member[next].range.first - 1u;
    for (size_t i = 0; i < active->num; i++)
      if (active->member[i].range.last < last)
        last = active->member[i].range.last;

    err = add_list(b, port, last, active);
    port = last + 1;
    drop_ended(active, port);
  }
  return err;
}

static void port_index_free(struct port_index *index) {
  free(index->list_of);
  free(index->lists);
  free(index->members);
  memset(index, 0, sizeof(*index));
}

static int port_index_build(const struct group_index *index, bool local,
                            struct port_index *out) {
  size_t num = count_ranges(index, local);
  struct members members = {malloc((num + 1) * sizeof(struct member)), 0};
  struct members active = {malloc((num + 1) * sizeof(struct member)), 0};
  /* calloc() gives pages of this size straight from the kernel: those of ports
   * without a group are never written and take no memory. */
  struct builder b = {
      .index.list_of = calloc(PORTS_NUM, sizeof(uint16_t)),
      .listed = calloc(group_index_num(index) + 1, sizeof(uint32_t)),
  };
  int err = -ENOMEM;
  if (members.member != NULL && active.member != NULL &&
      b.index.list_of != NULL && b.listed != NULL) {
    collect_members(index, local, &members);
    err = sweep(&b, &members, &active);
  }
  free(members.member);
  free(active.member);
  free(b.listed);
  if (err != 0)
    port_index_free(&b.index);
  else
    *out = b.index;
  return err;
}

void group_index_free(struct group_index *index) {
  port_index_free(&index->local);
  port_index_free(&index->remote);
  free(index->listening_ports);
  memset(index, 0, sizeof(*index));
}

int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num) {
  memset(index, 0, sizeof(*index));
  index->groups = groups;
  index->groups_num = num;
  int err = port_index_build(index, true, &index->local);
  if (err == 0)
    err = port_index_build(index, false, &index->remote);
  if (err != 0)
    group_index_free(index);
  return err;
}

/* Takes the ports out that are a configured group already. */
static void drop_configured(const struct group_index *index,
                            struct port_bitmap *ports) {
  for (size_t i = 0; i < index->groups_num; i++) {
    const struct port_set *set = &index->groups[i].filter.local_ports;
    if (is_single_port(set)) {
      uint16_t port = set->ranges[0].first;
      ports->bits[port / 64] &= ~(UINT64_C(1) << port % 64);
    }
  }
}

int group_index_listen(struct group_index *index,
                       const struct port_bitmap *listening) {
  struct port_bitmap own = *listening;
  own.bits[0] &= ~UINT64_C(1);
  drop_configured(index, &own);
  if (memcmp(&index->listening, &own, sizeof(own)) == 0)
    return 0;

  size_t num = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++)
    num += port_bitmap_has(&own, (uint16_t)port);
  uint16_t *ports = malloc((num + 1) * sizeof(*ports));
  if (ports == NULL)
    return -ENOMEM;
  num = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++)
    if (port_bitmap_has(&own, (uint16_t)port))
      ports[num++] = (uint16_t)port;

  struct group_index changed = *index;
  changed.listening_ports = ports;
  changed.listening_num = num;
  changed.listening = own;
  int err = port_index_build(&changed, true, &changed.local);
  if (err != 0) {
    free(ports);
    return err;
  }
  port_index_free(&index->local);
  free(index->listening_ports);
  *index = changed;
  return 1;
}
