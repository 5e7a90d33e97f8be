/* SPDX-License-Identifier: MIT */
/* A filter's conditions as numbers, for group_index.c. */
#include "condition.h"

/* IPv4, as ::ffff:a.b.c.d */
static const struct key ipv4_first = {0, UINT64_C(0xffff00000000)};
static const struct key ipv4_last = {0, UINT64_C(0xffffffffffff)};

int key_compare(const void *a, const void *b) {
  const struct key *x = a, *y = b;
  if (x->high != y->high)
    return x->high < y->high ? -1 : 1;
  return x->low < y->low ? -1 : x->low > y->low;
}

struct key key_next(struct key key) {
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

static void each_ipv6_range(struct key first, struct key last,
                            condition_range_cb cb, void *data) {
  bool around_ipv4 = key_compare(&first, &ipv4_first) <= 0 &&
                     key_compare(&last, &ipv4_last) >= 0;
  if (!around_ipv4) {
    cb(first, last, data);
    return;
  }
  cb(first, (struct key){ipv4_first.high, ipv4_first.low - 1}, data);
  cb(key_next(ipv4_last), last, data);
}

static void each_address_range(const struct prefix_set *set,
                               enum filter_family family, condition_range_cb cb,
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
    each_ipv6_range((struct key){0}, KEY_MAX, cb, data);
}

static void each_port_range(const struct port_set *set, condition_range_cb cb,
                            void *data) {
  for (size_t i = 0; i < set->num; i++)
    cb((struct key){0, set->ranges[i].first},
       (struct key){0, set->ranges[i].last}, data);
}

void condition_each_range(enum condition condition, const struct filter *filter,
                          const struct id_list *ids, condition_range_cb cb,
                          void *data) {
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
    for (size_t i = 0; ids != NULL && i < ids->num; i++) {
      struct key key = {0, ids->ids[i]};
      cb(key, key, data);
    }
    break;
  }
}

bool condition_is_given(enum condition condition, const struct filter *filter) {
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

struct key condition_key(enum condition condition,
                         const struct diag_socket *socket) {
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
  return key;
}
