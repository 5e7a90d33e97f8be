/* SPDX-License-Identifier: MIT */
/* Which sockets a group means. group_index.c finds them among those that the
 * kernel reports, bytecode.c lets the kernel report no others: both have to
 * follow what is defined here. */
#ifndef TCPSTATES_FILTER_H
#define TCPSTATES_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The ports first to last, both included, host byte order. */
struct port_range {
  uint16_t first;
  uint16_t last;
};

/* Any of the ranges, ascending, which neither overlap nor meet; none given:
 * every port. */
struct port_set {
  struct port_range *ranges;
  size_t num;
};

#define PORTS_NUM 65536

/* A set of single ports, one bit each. */
struct port_bitmap {
  uint64_t bits[PORTS_NUM / 64];
};

/* An address in network byte order; IPv4 is ::ffff:a.b.c.d (v4-mapped), as an
 * IPv6 socket that speaks IPv4 has it: such a socket counts as IPv4. */
struct address {
  uint8_t bytes[16];
};

/* The addresses that begin with these bits. With IPv4 it has at least 96, and
 * means IPv4 only; with less it means IPv6 only, "::/0" as well. */
struct prefix {
  struct address address; /* the bits after len are 0 */
  uint8_t len;            /* 0 to 128 */
};

/* Any of the prefixes; none given: every address. */
struct prefix_set {
  struct prefix *prefixes;
  size_t num;
};

/* A socket is IPv4 when its local address is. */
enum filter_family { FILTER_ANY_FAMILY, FILTER_IPV4, FILTER_IPV6 };

/* Sockets of MPTCP have states of their own; those that carry its bytes count
 * as TCP's. */
enum filter_protocol { FILTER_TCP, FILTER_MPTCP };
#define FILTER_PROTOCOLS_NUM (FILTER_MPTCP + 1)

/* Any of the control groups and all below them; none given: every socket.
 * Sockets carry ids: group_index.h gets them for each read. */
struct path_set {
  char **paths; /* absolute within the hierarchy */
  size_t num;
};

/* What a socket has to match: every condition that is given. */
struct filter {
  enum filter_protocol protocol;
  struct port_set local_ports;
  struct port_set remote_ports;
  struct prefix_set local_addresses;
  struct prefix_set remote_addresses;
  enum filter_family family;
  struct path_set cgroups;
};

static inline void port_bitmap_add(struct port_bitmap *map, uint16_t port) {
  map->bits[port / 64] |= UINT64_C(1) << port % 64;
}

static inline bool port_bitmap_has(const struct port_bitmap *map,
                                   uint16_t port) {
  return map->bits[port / 64] >> port % 64 & 1;
}

/* The number of ports. */
size_t port_bitmap_count(const struct port_bitmap *map);

/* Writes the ports, ascending. */
void port_bitmap_list(const struct port_bitmap *map, uint16_t *ports);

/* Adds a range, prefix or path to a set; the path is copied.
 * Return 0 or -ENOMEM. */
int port_set_add(struct port_set *set, struct port_range range);
int prefix_set_add(struct prefix_set *set, const struct prefix *prefix);
int path_set_add(struct path_set *set, const char *path);

/* Is it IPv4? */
bool address_is_ipv4(const struct address *address);
bool prefix_is_ipv4(const struct prefix *prefix);

/* Is it an IPv6 prefix whose bits v4-mapped addresses have too? It still
 * matches none of them. */
bool prefix_covers_ipv4(const struct prefix *prefix);

/* The local ports, or the remote ones, if they are all that the filter is
 * about; else NULL. */
const struct port_set *filter_only_ports(const struct filter *filter,
                                         bool local);

/* Is what it means all that the sockets have in use towards their destinations?
 * With a RemotePort, and without a ControlGroup: those in TIME_WAIT have none.
 */
bool filter_has_destinations(const struct filter *filter);

/* Frees what the filter holds. */
void filter_free(struct filter *filter);

#endif
