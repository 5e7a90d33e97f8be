/* SPDX-License-Identifier: MIT */
/* Turns the groups' conditions into rows of bits, and finds a socket's groups
 * in them; tally.c counts what is found. */
#include "group_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_for_table(const struct filter *filter) {
  return filter_only_ports(filter, true) != NULL ||
         filter_only_ports(filter, false) != NULL;
}

static void count_range(struct key first, struct key last, void *data) {
  (void)first;
  (void)last;
  size_t *num = data;
  ++*num;
}

static void add_starts(struct key first, struct key last, void *data) {
  struct condition_index *c = data;
  c->starts[c->sections_num++] = first;
  if (key_compare(&last, &KEY_MAX) != 0)
    c->starts[c->sections_num++] = key_next(last);
}

static size_t find_section(const struct condition_index *c, struct key key) {
  size_t first = 0;
  for (size_t num = c->sections_num; num > 1;) {
    size_t half = num / 2;
    if (key_compare(&c->starts[first + half], &key) <= 0)
      first += half;
    num -= half;
  }
  return first;
}

/* Where the ranges of one group are being marked. */
struct marker {
  struct condition_index *c;
  size_t words;
  size_t bit;
};

static void mark_range(struct key first, struct key last, void *data) {
  const struct marker *m = data;
  for (size_t i = find_section(m->c, first);
       i < m->c->sections_num && key_compare(&m->c->starts[i], &last) <= 0; i++)
    m->c->rows[i * m->words + m->bit / 64] |= UINT64_C(1) << m->bit % 64;
}

static int reserve_sections(struct condition_index *c, size_t num,
                            size_t words) {
  if (num <= c->sections_size)
    return 0;
  if (num > SIZE_MAX / sizeof(*c->rows) / words)
    return -ENOMEM;
  struct key *starts = realloc(c->starts, num * sizeof(*starts));
  if (starts != NULL)
    c->starts = starts;
  uint64_t *rows = realloc(c->rows, num * words * sizeof(*rows));
  if (rows != NULL)
    c->rows = rows;
  if (starts == NULL || rows == NULL)
    return -ENOMEM;
  c->sections_size = num;
  return 0;
}

static void each_range(const struct group_index *index, size_t group,
                       enum condition condition, condition_range_cb cb,
                       void *data) {
  const struct id_list *ids =
      index->cgroup_ids == NULL ? NULL : &index->cgroup_ids[group];
  condition_each_range(condition, &index->groups[group].filter, ids, cb, data);
}

static int build(struct group_index *index, enum condition condition) {
  struct condition_index *c = &index->conditions[condition];
  size_t ranges = 0;
  c->used = false;
  for (size_t i = 0; i < index->rest_num; i++) {
    size_t group = index->rest[i];
    c->used =
        c->used || condition_is_given(condition, &index->groups[group].filter);
    each_range(index, group, condition, count_range, &ranges);
  }
  if (!c->used)
    return 0;
  int err = reserve_sections(c, 2 * ranges + 1, index->words);
  if (err != 0) {
    c->sections_num = 0;
    return err;
  }

  c->starts[0] = (struct key){0};
  c->sections_num = 1;
  for (size_t i = 0; i < index->rest_num; i++)
    each_range(index, index->rest[i], condition, add_starts, c);
  qsort(c->starts, c->sections_num, sizeof(*c->starts), key_compare);
  size_t num = 1;
  for (size_t i = 1; i < c->sections_num; i++)
    if (key_compare(&c->starts[i], &c->starts[num - 1]) != 0)
      c->starts[num++] = c->starts[i];
  c->sections_num = num;

  memset(c->rows, 0, num * index->words * sizeof(*c->rows));
  for (size_t i = 0; i < index->rest_num; i++) {
    size_t group = index->rest[i];
    struct marker marker = {c, index->words, i};
    if (condition_is_given(condition, &index->groups[group].filter))
      each_range(index, group, condition, mark_range, &marker);
    else
      mark_range((struct key){0}, KEY_MAX, &marker);
  }
  return 0;
}

void group_index_free(struct group_index *index) {
  for (size_t i = 0; i < CONDITIONS_NUM; i++) {
    free(index->conditions[i].starts);
    free(index->conditions[i].rows);
  }
  free(index->rest);
  port_table_free(&index->local_ports);
  port_table_free(&index->remote_ports);
  memset(index, 0, sizeof(*index));
}

/* Is it the group of one local port by its name? No Filter can have such a
 * name.
 */
static bool is_local_port(const struct group *group) {
  const struct port_set *set = &group->filter.local_ports;
  if (set->num != 1)
    return false;
  char name[16];
  snprintf(name, sizeof(name), "%u-local", set->ranges[0].first);
  return strcmp(group->name, name) == 0;
}

int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num) {
  *index = (struct group_index){.groups = groups, .groups_num = num};
  index->rest = malloc((num + 1) * sizeof(*index->rest));
  int err = index->rest == NULL ? -ENOMEM : 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    if (!is_for_table(&groups[i].filter))
      index->rest[index->rest_num++] = (uint32_t)i;
    if (is_local_port(&groups[i]))
      port_bitmap_add(&index->configured,
                      groups[i].filter.local_ports.ranges[0].first);
  }
  index->words = (index->rest_num + 63) / 64;
  if (err == 0)
    err = port_table_init(&index->local_ports, groups, num, true);
  if (err == 0)
    err = port_table_init(&index->remote_ports, groups, num, false);
  for (unsigned i = 0; i < CONDITIONS_NUM && err == 0; i++)
    err = build(index, i);
  if (err != 0)
    group_index_free(index);
  return err;
}

int group_index_set_cgroups(struct group_index *index,
                            const struct id_list *ids) {
  index->cgroup_ids = ids;
  index->generation++;
  return build(index, CONDITION_CGROUP);
}

int group_index_listen(struct group_index *index,
                       const struct port_bitmap *listening) {
  struct port_bitmap wanted, chosen;
  for (size_t i = 0; i < PORTS_NUM / 64; i++) {
    wanted.bits[i] = listening->bits[i] & ~index->configured.bits[i];
    if (i == 0)
      wanted.bits[0] &= ~UINT64_C(1);
    chosen.bits[i] = wanted.bits[i] & index->listening.bits[i];
  }
  size_t num = port_bitmap_count(&chosen);
  for (size_t i = 0; i < PORTS_NUM / 64; i++) {
    uint64_t added = wanted.bits[i] & ~chosen.bits[i];
    for (; added != 0 && num < LISTENING_MAX; added &= added - 1, num++)
      chosen.bits[i] |= added & -added;
  }
  index->listening_left_out = port_bitmap_count(&wanted) - num;
  if (memcmp(&index->listening, &chosen, sizeof(chosen)) == 0)
    return 0;
  index->generation++;
  index->listening = chosen;
  index->listening_num = num;
  port_bitmap_list(&chosen, index->listening_ports);
  return 1;
}

uint32_t group_index_id(const struct group_index *index, size_t group) {
  return group < index->groups_num
             ? (uint32_t)(PORTS_NUM + group)
             : index->listening_ports[group - index->groups_num];
}

static int compare_ports(const void *a, const void *b) {
  return *(const uint16_t *)a - *(const uint16_t *)b;
}

size_t group_index_number(const struct group_index *index, uint32_t id) {
  uint16_t port = (uint16_t)id;
  if (id >= PORTS_NUM)
    return id - PORTS_NUM;
  if (!port_bitmap_has(&index->listening, port))
    return NO_GROUP;
  const uint16_t *own =
      bsearch(&port, index->listening_ports, index->listening_num, sizeof(port),
              compare_ports);
  return index->groups_num + (size_t)(own - index->listening_ports);
}

const char *group_index_name(const struct group_index *index, size_t group,
                             char buf[GROUP_INDEX_NAME_SIZE]) {
  if (group < index->groups_num)
    return index->groups[group].name;
  snprintf(buf, GROUP_INDEX_NAME_SIZE, "%hu-local",
           index->listening_ports[group - index->groups_num]);
  return buf;
}

static const uint64_t *find_row(const struct group_index *index,
                                enum condition condition, struct key key) {
  const struct condition_index *c = &index->conditions[condition];
  return c->rows + find_section(c, key) * index->words;
}

void group_index_find(const struct group_index *index,
                      const struct diag_socket *socket, group_cb cb,
                      void *data) {
  port_table_find(&index->local_ports, socket->local_port, cb, data);
  port_table_find(&index->remote_ports, socket->remote_port, cb, data);

  const uint64_t *rows[CONDITIONS_NUM];
  size_t rows_num = 0;
  for (unsigned i = 0; i < CONDITIONS_NUM; i++)
    if (index->conditions[i].used)
      rows[rows_num++] = find_row(index, i, condition_key(i, socket));
  for (size_t word = 0; word < index->words; word++) {
    size_t left = index->rest_num - word * 64;
    uint64_t bits = left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX;
    for (size_t i = 0; i < rows_num; i++)
      bits &= rows[i][word];
    for (; bits != 0; bits &= bits - 1)
      cb(index->rest[word * 64 + (size_t)__builtin_ctzll(bits)], data);
  }

  size_t own = group_index_number(index, socket->local_port);
  if (own != NO_GROUP)
    cb((uint32_t)own, data);
}
