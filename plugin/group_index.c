/* Turns the groups' conditions into rows of bits, and finds a socket's groups
 * in them; tally.c counts what is found. */
#include "group_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct key key_max = {UINT64_MAX, UINT64_MAX};
/* IPv4, as ::ffff:a.b.c.d */
static const struct key ipv4_first = {0, UINT64_C(0xffff00000000)};
static const struct key ipv4_last = {0, UINT64_C(0xffffffffffff)};

static int compare_keys(const void *a, const void *b) {
  const struct key *x = a, *y = b;
  if (x->high != y->high)
    return x->high < y->high ? -1 : 1;
  return x->low < y->low ? -1 : x->low > y->low;
}

static struct key next_key(struct key key) {
  key.low++;
  key.high += key.low == 0;
  return key;
}

static struct key address_key(const struct address *address) {
  struct key key = {0};
  for (int i = 0; i < 8; i++) {
    key.high = key.high << 8 | address->bytes[i];
    key.low = key.low << 8 | address->bytes[i + 8];
  }
  return key;
}

/* Takes a range of keys that fulfil a condition, both ends included. */
typedef void (*range_cb)(struct key first, struct key last, void *data);

static void each_ipv6_range(struct key first, struct key last, range_cb cb,
                            void *data) {
  bool around_ipv4 = compare_keys(&first, &ipv4_first) <= 0 &&
                     compare_keys(&last, &ipv4_last) >= 0;
  if (!around_ipv4) {
    cb(first, last, data);
    return;
  }
  cb(first, (struct key){ipv4_first.high, ipv4_first.low - 1}, data);
  cb(next_key(ipv4_last), last, data);
}

static void each_address_range(const struct prefix_set *set,
                               enum filter_family family, range_cb cb,
                               void *data) {
  for (size_t i = 0; i < set->num; i++) {
    const struct prefix *prefix = &set->prefixes[i];
    bool ipv4 = prefix_is_ipv4(prefix);
    if (family == (ipv4 ? FILTER_IPV6 : FILTER_IPV4))
      continue;
    struct key first = address_key(&prefix->address);
    struct key last = first;
    unsigned len = prefix->len;
    if (len <= 64)
      last.low = UINT64_MAX;
    else if (len < 128)
      last.low |= UINT64_MAX >> (len - 64);
    if (len < 64)
      last.high |= UINT64_MAX >> len;
    if (ipv4)
      cb(first, last, data);
    else
      each_ipv6_range(first, last, cb, data);
  }
  if (set->num == 0 && family == FILTER_IPV4)
    cb(ipv4_first, ipv4_last, data);
  if (set->num == 0 && family == FILTER_IPV6)
    each_ipv6_range((struct key){0}, key_max, cb, data);
}

static void each_port_range(const struct port_set *set, range_cb cb,
                            void *data) {
  for (size_t i = 0; i < set->num; i++)
    cb((struct key){0, set->ranges[i].first},
       (struct key){0, set->ranges[i].last}, data);
}

static void each_range(const struct group_index *index, size_t group,
                       enum condition condition, range_cb cb, void *data) {
  const struct filter *filter = &index->groups[group].filter;
  switch (condition) {
  case CONDITION_LOCAL_PORT:
    each_port_range(&filter->local_ports, cb, data);
    break;
  case CONDITION_REMOTE_PORT:
    each_port_range(&filter->remote_ports, cb, data);
    break;
  case CONDITION_LOCAL_ADDRESS:
    each_address_range(&filter->local_addresses, filter->family, cb, data);
    break;
  case CONDITION_REMOTE_ADDRESS:
    each_address_range(&filter->remote_addresses, FILTER_ANY_FAMILY, cb, data);
    break;
  case CONDITION_CGROUP:
    for (size_t i = 0;
         index->cgroup_ids != NULL && i < index->cgroup_ids[group].num; i++) {
      struct key key = {0, index->cgroup_ids[group].ids[i]};
      cb(key, key, data);
    }
    break;
  }
}

static bool has_condition(const struct filter *filter,
                          enum condition condition) {
  switch (condition) {
  case CONDITION_LOCAL_PORT:
    return filter->local_ports.num > 0;
  case CONDITION_REMOTE_PORT:
    return filter->remote_ports.num > 0;
  case CONDITION_LOCAL_ADDRESS:
    return filter->local_addresses.num > 0 ||
           filter->family != FILTER_ANY_FAMILY;
  case CONDITION_REMOTE_ADDRESS:
    return filter->remote_addresses.num > 0;
  case CONDITION_CGROUP:
    return filter->cgroups.num > 0;
  }
  return false;
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
  if (compare_keys(&last, &key_max) != 0)
    c->starts[c->sections_num++] = next_key(last);
}

static size_t find_section(const struct condition_index *c, struct key key) {
  size_t first = 0;
  for (size_t num = c->sections_num; num > 1;) {
    size_t half = num / 2;
    if (compare_keys(&c->starts[first + half], &key) <= 0)
      first += half;
    num -= half;
  }
  return first;
}

/* Where the ranges of one group are being marked. */
struct marker {
  struct condition_index *c;
  size_t words;
  size_t group;
};

static void mark_range(struct key first, struct key last, void *data) {
  const struct marker *m = data;
  for (size_t i = find_section(m->c, first);
       i < m->c->sections_num && compare_keys(&m->c->starts[i], &last) <= 0;
       i++)
    m->c->rows[i * m->words + m->group / 64] |= UINT64_C(1) << m->group % 64;
}

static int reserve_sections(struct condition_index *c, size_t num,
                            size_t words) {
  if (num <= c->sections_size)
    return 0;
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

static int build(struct group_index *index, enum condition condition) {
  struct condition_index *c = &index->conditions[condition];
  size_t ranges = 0;
  c->used = false;
  for (size_t i = 0; i < index->groups_num; i++) {
    c->used = c->used || has_condition(&index->groups[i].filter, condition);
    each_range(index, i, condition, count_range, &ranges);
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
  for (size_t i = 0; i < index->groups_num; i++)
    each_range(index, i, condition, add_starts, c);
  qsort(c->starts, c->sections_num, sizeof(*c->starts), compare_keys);
  size_t num = 1;
  for (size_t i = 1; i < c->sections_num; i++)
    if (compare_keys(&c->starts[i], &c->starts[num - 1]) != 0)
      c->starts[num++] = c->starts[i];
  c->sections_num = num;

  memset(c->rows, 0, num * index->words * sizeof(*c->rows));
  for (size_t i = 0; i < index->groups_num; i++) {
    const struct filter *filter = &index->groups[i].filter;
    struct marker marker = {c, index->words, i};
    if (has_condition(filter, condition))
      each_range(index, i, condition, mark_range, &marker);
    else
      mark_range((struct key){0}, key_max, &marker);
  }
  return 0;
}

void group_index_free(struct group_index *index) {
  for (size_t i = 0; i < CONDITIONS_NUM; i++) {
    free(index->conditions[i].starts);
    free(index->conditions[i].rows);
  }
  free(index->listening_ports);
  free(index->listening_group);
  memset(index, 0, sizeof(*index));
}

int group_index_init(struct group_index *index, const struct group *groups,
                     size_t num) {
  *index = (struct group_index){
      .groups = groups, .groups_num = num, .words = (num + 63) / 64};
  int err = 0;
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

/* Takes the ports out that are a configured group already: no Filter may have
 * such a name. */
static void drop_configured(const struct group_index *index,
                            struct port_bitmap *ports) {
  for (size_t i = 0; i < index->groups_num; i++) {
    const struct port_set *set = &index->groups[i].filter.local_ports;
    if (set->num != 1)
      continue;
    uint16_t port = set->ranges[0].first;
    char name[16];
    snprintf(name, sizeof(name), "%u-local", port);
    if (strcmp(index->groups[i].name, name) == 0)
      ports->bits[port / 64] &= ~(UINT64_C(1) << port % 64);
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
  uint32_t *group = calloc(PORTS_NUM, sizeof(*group));
  if (ports == NULL || group == NULL) {
    free(ports);
    free(group);
    return -ENOMEM;
  }
  num = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++)
    if (port_bitmap_has(&own, (uint16_t)port)) {
      group[port] = (uint32_t)(index->groups_num + num + 1);
      ports[num++] = (uint16_t)port;
    }
  free(index->listening_ports);
  free(index->listening_group);
  index->generation++;
  index->listening = own;
  index->listening_ports = ports;
  index->listening_group = group;
  index->listening_num = num;
  return 1;
}

static const uint64_t *find_row(const struct group_index *index,
                                const struct diag_socket *socket,
                                enum condition condition) {
  struct key key = {0};
  switch (condition) {
  case CONDITION_LOCAL_PORT:
    key.low = socket->local_port;
    break;
  case CONDITION_REMOTE_PORT:
    key.low = socket->remote_port;
    break;
  case CONDITION_LOCAL_ADDRESS:
    key = address_key(&socket->local_address);
    break;
  case CONDITION_REMOTE_ADDRESS:
    key = address_key(&socket->remote_address);
    break;
  case CONDITION_CGROUP:
    key.low = socket->cgroup_id;
    break;
  }
  const struct condition_index *c = &index->conditions[condition];
  return c->rows + find_section(c, key) * index->words;
}

void group_index_find(const struct group_index *index,
                      const struct diag_socket *socket, group_index_cb cb,
                      void *data) {
  const uint64_t *rows[CONDITIONS_NUM];
  size_t rows_num = 0;
  for (unsigned i = 0; i < CONDITIONS_NUM; i++)
    if (index->conditions[i].used)
      rows[rows_num++] = find_row(index, socket, i);

  for (size_t word = 0; word < index->words; word++) {
    size_t left = index->groups_num - word * 64;
    uint64_t bits = left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX;
    for (size_t i = 0; i < rows_num; i++)
      bits &= rows[i][word];
    for (; bits != 0; bits &= bits - 1)
      cb((uint32_t)(word * 64 + (size_t)__builtin_ctzll(bits)), data);
  }
  if (index->listening_num > 0 && index->listening_group[socket->local_port])
    cb(index->listening_group[socket->local_port] - 1, data);
}
