/* SPDX-License-Identifier: MIT */
/* Made of small pools by one generator; a seed names a case. */
#include "socket_random.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NUM(array) (sizeof(array) / sizeof(*(array)))

static const uint16_t ports[] = {0,    1,    22,    79,    80,    81,   443,
                                 1023, 8000, 32767, 32768, 65534, 65535};

/* Many of them differ from ::ffff:0:0/96 in one bit. */
static const struct address addresses[] = {
    {{[10] = 0xff, 0xff, 0, 0, 0, 0}},
    {{[10] = 0xff, 0xff, 10, 0, 0, 1}},
    {{[10] = 0xff, 0xff, 10, 0, 0, 2}},
    {{[10] = 0xff, 0xff, 10, 128, 0, 1}},
    {{[10] = 0xff, 0xff, 127, 0, 0, 1}},
    {{[10] = 0xff, 0xff, 255, 255, 255, 255}},
    {{0}},
    {{[15] = 1}},
    {{[12] = 10, 0, 0, 1}},
    {{[10] = 0xff, 0xfe, 10, 0, 0, 1}},
    {{[10] = 0x7f, 0xff, 10, 0, 0, 1}},
    {{[9] = 1, 0xff, 0xff, 10, 0, 0, 1}},
    {{[7] = 1, [10] = 0xff, 0xff, 10, 0, 0, 1}},
    {{0x80, [10] = 0xff, 0xff, 10, 0, 0, 1}},
    {{0xfd, [15] = 1}},
    {{0xfd, [7] = 1, [15] = 1}},
    {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff}},
};

static const uint64_t cgroup_ids[] = {
    1, 2, 3, 7, 64, UINT32_MAX, UINT64_C(0x100000007), UINT64_MAX};

const struct random_pool random_pool = {.ports = ports,
                                        .ports_num = NUM(ports),
                                        .addresses = addresses,
                                        .addresses_num = NUM(addresses),
                                        .cgroup_ids = cgroup_ids,
                                        .cgroup_ids_num = NUM(cgroup_ids)};

struct random_source random_seed(unsigned seed) {
  return (struct random_source){
      .seed = seed, .state = UINT64_C(0x9e3779b97f4a7c15) * (seed + 1u)};
}

struct random_source random_bytes(const uint8_t *bytes, size_t num) {
  struct random_source source = random_seed(0);
  source.bytes = bytes;
  source.bytes_num = num;
  return source;
}

/* xorshift64*, after the bytes */
unsigned random_below(struct random_source *source, size_t num) {
  size_t wanted = num <= 256 ? 1 : 4;
  if (source->bytes_num >= wanted) {
    unsigned number = 0;
    for (size_t i = 0; i < wanted; i++)
      number = number << 8 | source->bytes[i];
    source->bytes += wanted;
    source->bytes_num -= wanted;
    return (unsigned)(number % num);
  }
  source->state ^= source->state >> 12;
  source->state ^= source->state << 25;
  source->state ^= source->state >> 27;
  uint64_t bits = source->state * UINT64_C(2685821657736338717);
  return (unsigned)((bits >> 32) % num);
}

static void check(bool ok) {
  if (!ok)
    abort();
}

static uint16_t random_port(struct random_source *source,
                            const struct random_pool *pool) {
  uint16_t port = pool->ports[random_below(source, pool->ports_num)];
  if (random_below(source, 3) == 0)
    port = (uint16_t)(port + random_below(source, 3) - 1);
  return port;
}

static void add_ports(struct port_set *set, struct random_source *source,
                      const struct random_pool *pool) {
  for (unsigned num = random_below(source, 5) + 1; num > 0; num--) {
    uint16_t first = random_port(source, pool), last = first;
    if (random_below(source, 3) == 0)
      last = random_port(source, pool);
    struct port_range range = {first < last ? first : last,
                               first < last ? last : first};
    check(port_set_add(set, range) == 0);
  }
}

static void add_prefixes(struct prefix_set *set, struct random_source *source,
                         const struct random_pool *pool) {
  static const uint8_t lens[] = {0,  1,  8,  64,  80,  90,
                                 95, 96, 97, 104, 127, 128};
  for (unsigned num = random_below(source, 3) + 1; num > 0; num--) {
    struct prefix prefix = {
        .address = pool->addresses[random_below(source, pool->addresses_num)],
        .len = lens[random_below(source, NUM(lens))]};
    if (random_below(source, 3) == 0)
      prefix.len = (uint8_t)random_below(source, 129);
    /* Now and then one bit makes it another's. */
    unsigned bit = random_below(source, 4 * 128);
    if (bit < 128)
      prefix.address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    for (bit = prefix.len; bit < 128; bit++)
      prefix.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    check(prefix_set_add(set, &prefix) == 0);
  }
}

void random_ids(struct filter *filter, struct random_source *source,
                const struct random_pool *pool) {
  struct path_set *set = &filter->cgroups;
  if (set->num == 0)
    return;
  struct filter old = {.cgroups = *set};
  filter_free(&old);
  *set = (struct path_set){0};
  unsigned num = random_below(source, 50) == 0 ? 65 : random_below(source, 5);
  if (num == 0)
    check(path_set_add(set, "none") == 0);
  for (unsigned i = 0; i < num; i++) {
    char id[24];
    snprintf(id, sizeof(id), "%" PRIu64,
             pool->cgroup_ids[random_below(source, pool->cgroup_ids_num)]);
    check(path_set_add(set, id) == 0);
  }
}

struct filter random_filter(struct random_source *source,
                            const struct random_pool *pool) {
  enum {
    LOCAL_PORTS = 1 << 0,
    REMOTE_PORTS = 1 << 1,
    LOCAL_ADDRESSES = 1 << 2,
    REMOTE_ADDRESSES = 1 << 3,
    FAMILY = 1 << 4,
    CGROUPS = 1 << 5,
    ALL = CGROUPS | (CGROUPS - 1)
  };
  unsigned possible = pool->cgroup_ids_num > 0 ? ALL : ALL & ~CGROUPS;
  unsigned given = 0;
  while (given == 0)
    given = random_below(source, ALL + 1) & random_below(source, ALL + 1) &
            possible;

  struct filter filter = {0};
  if (given & LOCAL_PORTS)
    add_ports(&filter.local_ports, source, pool);
  if (given & REMOTE_PORTS)
    add_ports(&filter.remote_ports, source, pool);
  if (given & LOCAL_ADDRESSES)
    add_prefixes(&filter.local_addresses, source, pool);
  if (given & REMOTE_ADDRESSES)
    add_prefixes(&filter.remote_addresses, source, pool);
  if (given & FAMILY)
    filter.family = random_below(source, 2) ? FILTER_IPV4 : FILTER_IPV6;
  if (given & CGROUPS) {
    check(path_set_add(&filter.cgroups, "none") == 0);
    random_ids(&filter, source, pool);
  }
  return filter;
}

static struct address random_address(struct random_source *source,
                                     const struct random_pool *pool,
                                     bool ipv4) {
  const struct address *address;
  do
    address = &pool->addresses[random_below(source, pool->addresses_num)];
  while (ipv4 && !address_is_ipv4(address));
  return *address;
}

struct diag_socket random_socket(struct random_source *source,
                                 const struct random_pool *pool) {
  bool af_inet = random_below(source, 3) == 0;
  bool ipv4 = af_inet || random_below(source, 2) == 0;
  struct diag_socket socket = {
      .state = (uint8_t)(TCP_ESTABLISHED + random_below(source, TCP_CLOSING)),
      .family = af_inet ? AF_INET : AF_INET6,
      .local_port = random_port(source, pool),
      .local_address = random_address(source, pool, ipv4)};
  bool connected = socket.state != TCP_LISTEN && socket.state != TCP_CLOSE;
  if (connected) {
    socket.remote_port = random_port(source, pool);
    socket.remote_address = random_address(source, pool, ipv4);
  } else if (af_inet) {
    socket.remote_address = (struct address){{[10] = 0xff, 0xff, 0, 0, 0, 0}};
  }
  socket.minisocket =
      socket.state == TCP_TIME_WAIT ||
      (socket.state == TCP_FIN_WAIT2 && random_below(source, 2) == 0);
  socket.request_sock = socket.state == TCP_SYN_RECV;
  if (!socket.minisocket && !socket.request_sock && pool->cgroup_ids_num > 0)
    socket.cgroup_id =
        pool->cgroup_ids[random_below(source, pool->cgroup_ids_num)];
  return socket;
}
