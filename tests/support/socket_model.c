/* SPDX-License-Identifier: MIT */
/* The oracle of the property tests, the cases as text, and the way back. */
#include "socket_model.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const struct model_case model_cases[] = {
    /* ports */
    {"lport=0-65535", "::1 0 ::1 9", true},
    {"lport=7000-7001 lport=7001-7002", "::1 7001 ::1 9", true},
    {"rport=9 rport=7-9 rport=9", "::1 7001 ::1 9", true},
    {"lport=80", "10.0.0.1 80 10.0.0.2 81", true},
    {"lport=80", "10.0.0.1 79 10.0.0.2 80", false},
    {"lport=80", "10.0.0.1 81 10.0.0.2 80", false},
    {"lport=80", "10.0.0.1 80 0.0.0.0 0", true},
    {"lport=80-90", "fd00::1 79 fd00::2 80", false},
    {"lport=80-90", "fd00::1 80 fd00::2 1", true},
    {"lport=80-90", "fd00::1 90 fd00::2 1", true},
    {"lport=80-90", "fd00::1 91 fd00::2 80", false},
    {"rport=80", "10.0.0.1 81 10.0.0.2 80", true},
    {"rport=80", "10.0.0.1 80 10.0.0.2 79", false},
    {"rport=80", "10.0.0.1 80 10.0.0.2 81", false},
    {"rport=80-90", "fd00::1 85 fd00::2 91", false},
    {"rport=80-90", "fd00::1 1 fd00::2 90", true},
    {"lport=80 rport=90", "10.0.0.1 80 10.0.0.2 90", true},
    {"lport=80 rport=90", "10.0.0.1 80 10.0.0.2 80", false},
    {"lport=80 rport=90", "10.0.0.1 90 10.0.0.2 90", false},
    {"lport=80 rport=90", "10.0.0.1 90 10.0.0.2 80", false},
    {"lport=80 lport=443 lport=22", "10.0.0.1 22 10.0.0.2 5", true},
    {"lport=80 lport=443 lport=22", "10.0.0.1 443 10.0.0.2 5", true},
    {"lport=80 lport=443 lport=22", "10.0.0.1 442 10.0.0.2 5", false},
    {"lport=10-30 lport=20-40 lport=25", "10.0.0.1 26 10.0.0.2 5", true},
    {"lport=10-30 lport=20-40 lport=25", "10.0.0.1 31 10.0.0.2 5", true},
    {"lport=10-30 lport=20-40 lport=25", "10.0.0.1 40 10.0.0.2 5", true},
    {"lport=10-30 lport=20-40 lport=25", "10.0.0.1 41 10.0.0.2 5", false},
    {"lport=10-40 lport=20-30", "10.0.0.1 35 10.0.0.2 5", true},
    {"lport=20-29 lport=30-40", "10.0.0.1 29 10.0.0.2 5", true},
    {"lport=20-29 lport=30-40", "10.0.0.1 30 10.0.0.2 5", true},
    {"lport=20-29 lport=31-40", "10.0.0.1 30 10.0.0.2 5", false},
    {"lport=1-65535", "10.0.0.1 1 10.0.0.2 5", true},
    {"lport=1-65535", "10.0.0.1 65535 10.0.0.2 5", true},
    {"lport=1-65535", "10.0.0.1 0 10.0.0.2 5", false},
    {"rport=65535", "10.0.0.1 5 10.0.0.2 65535", true},
    {"rport=65535", "10.0.0.1 5 10.0.0.2 65534", false},
    {"rport=1-65535", "10.0.0.1 5 0.0.0.0 0", false},
    {"lport=0", "10.0.0.1 0 10.0.0.2 5", true},

    /* families */
    {"ipv4", "10.0.0.1 1 10.0.0.2 2", true},
    {"ipv4", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", true},
    {"ipv4", "::ffff:10.0.0.1 1 :: 0", true},
    {"ipv4", "0.0.0.0 1 0.0.0.0 0", true},
    {"ipv4", "255.255.255.255 1 10.0.0.1 2", true},
    {"ipv4", "fd00::1 1 fd00::2 2", false},
    {"ipv4", ":: 1 :: 0", false},
    {"ipv4", "::10.0.0.1 1 ::10.0.0.2 2", false},
    {"ipv6", "::fffe:ffff:ffff 1 ::1 2", true},
    {"ipv6", "::1:0:0:0 1 ::1 2", true},
    {"ipv6", ":: 1 :: 0", true},
    {"ipv6", "::fffe:10.0.0.1 1 ::fffe:10.0.0.2 2", true},
    {"ipv6", "0:0:0:0:1:ffff:a00:1 1 fd00::2 2", true},
    {"ipv6", "10.0.0.1 1 10.0.0.2 2", false},
    {"ipv6", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"ipv6", "::ffff:0.0.0.0 1 :: 0", false},

    /* IPv4 prefixes */
    {"laddr=10.0.0.0/8", "10.255.255.255 1 192.0.2.1 2", true},
    {"laddr=10.0.0.0/8", "::ffff:10.0.0.0 1 ::ffff:192.0.2.1 2", true},
    {"laddr=10.0.0.0/8", "11.0.0.0 1 10.0.0.1 2", false},
    {"laddr=10.0.0.0/8", "9.255.255.255 1 10.0.0.1 2", false},
    {"laddr=10.0.0.0/8", "::10.0.0.1 1 fd00::1 2", false},
    {"raddr=10.0.0.0/8", "192.0.2.1 1 10.1.2.3 2", true},
    {"raddr=10.0.0.0/8", "10.1.2.3 1 192.0.2.1 2", false},
    {"laddr=10.0.0.1/32", "10.0.0.1 1 10.0.0.1 2", true},
    {"laddr=10.0.0.1/32", "10.0.0.0 1 10.0.0.1 2", false},
    {"laddr=10.0.0.1/32", "10.0.0.2 1 10.0.0.1 2", false},
    {"laddr=10.0.0.128/25", "10.0.0.127 1 10.0.0.1 2", false},
    {"laddr=10.0.0.128/25", "10.0.0.128 1 10.0.0.1 2", true},
    {"laddr=10.0.0.128/25", "10.0.0.255 1 10.0.0.1 2", true},
    {"laddr=10.0.0.128/25", "10.0.1.0 1 10.0.0.1 2", false},
    {"raddr=0.0.0.0/0", "10.0.0.1 1 0.0.0.0 0", true},
    {"raddr=0.0.0.0/0", "::ffff:10.0.0.1 1 ::ffff:1.2.3.4 2", true},
    {"raddr=0.0.0.0/0", "::ffff:10.0.0.1 1 :: 0", false},
    {"raddr=0.0.0.0/0", "fd00::1 1 fd00::2 2", false},
    {"raddr=0.0.0.0/1", "10.0.0.1 1 127.255.255.255 2", true},
    {"raddr=0.0.0.0/1", "10.0.0.1 1 128.0.0.0 2", false},
    {"laddr=::ffff:0:0/96", "255.255.255.255 1 10.0.0.1 2", true},
    {"laddr=::ffff:0:0/96", "::fffe:ffff:ffff 1 ::1 2", false},
    {"laddr=::ffff:0:0/96", "::1:0:0:0 1 ::1 2", false},

    /* IPv6 prefixes */
    {"laddr=::/0", "fd00::1 1 fd00::2 2", true},
    {"laddr=::/0", ":: 1 :: 0", true},
    {"laddr=::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 1 :: 0", true},
    {"laddr=::/0", "10.0.0.1 1 10.0.0.2 2", false},
    {"laddr=::/0", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"raddr=::/0", "::ffff:10.0.0.1 1 :: 0", true},
    {"raddr=::/0", "10.0.0.1 1 0.0.0.0 0", false},
    {"laddr=::/1", "7fff::1 1 fd00::2 2", true},
    {"laddr=::/1", "8000::1 1 fd00::2 2", false},
    {"laddr=::/1", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"laddr=::/80", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"laddr=::/80", "::ffee:10.0.0.1 1 ::1 2", true},
    {"laddr=::/80", "10.0.0.1 1 10.0.0.2 2", false},
    {"laddr=::fffe:0:0/95", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"laddr=::fffe:0:0/95", "::fffe:10.0.0.1 1 ::1 2", true},
    {"laddr=::fffe:0:0/95", "::fffd:10.0.0.1 1 ::1 2", false},
    {"laddr=::fffe:0:0/96", "::ffff:10.0.0.1 1 ::1 2", false},
    {"laddr=::/96", "::10.0.0.1 1 ::1 2", true},
    {"laddr=::/96", "10.0.0.1 1 10.0.0.2 2", false},
    {"laddr=::1/128", "::1 1 ::1 2", true},
    {"laddr=::1/128", "::2 1 ::1 2", false},
    {"laddr=::1/128", "::101 1 ::1 2", false},
    {"raddr=fd00::/64", "::1 1 fd00::ffff:ffff:ffff:ffff 2", true},
    {"raddr=fd00::/64", "::1 1 fd00:0:0:1:: 2", false},
    {"raddr=fd00::/63", "::1 1 fd00:0:0:1:: 2", true},
    {"raddr=fd00::/63", "::1 1 fd00:0:0:2:: 2", false},
    {"raddr=fd00::8000:0:0:0/65", "::1 1 fd00::8000:0:0:1 2", true},
    {"raddr=fd00::8000:0:0:0/65", "::1 1 fd00::7fff:0:0:1 2", false},
    {"raddr=fe00::/7", "::1 1 ff02::1 2", true},
    {"raddr=fe00::/7", "::1 1 fd00::1 2", false},
    {"raddr=ffff::/16", "::1 1 ffff:ffff::1 2", true},

    /* several conditions */
    {"laddr=10.0.0.0/8 laddr=::1/128", "10.0.0.1 1 10.0.0.2 2", true},
    {"laddr=10.0.0.0/8 laddr=::1/128", "::1 1 ::1 2", true},
    {"laddr=10.0.0.0/8 laddr=::1/128", "::2 1 ::1 2", false},
    {"laddr=10.0.0.0/8 laddr=10.1.0.0/16", "10.2.0.1 1 10.0.0.2 2", true},
    {"laddr=10.1.0.0/16 laddr=10.0.0.0/8", "10.2.0.1 1 10.0.0.2 2", true},
    {"laddr=::/0 laddr=0.0.0.0/0", "::ffff:10.0.0.1 1 :: 2", true},
    {"laddr=::/0 laddr=0.0.0.0/0", "fd00::1 1 :: 2", true},
    {"laddr=10.0.0.0/8 raddr=10.1.0.0/16", "10.2.0.1 1 10.1.0.1 2", true},
    {"laddr=10.0.0.0/8 raddr=10.1.0.0/16", "10.1.0.1 1 10.2.0.1 2", false},
    {"laddr=10.0.0.0/8 ipv4", "10.2.0.1 1 10.1.0.1 2", true},
    {"laddr=10.0.0.0/8 ipv6", "10.2.0.1 1 10.1.0.1 2", false},
    {"laddr=10.0.0.0/8 ipv6", "::ffff:10.2.0.1 1 ::ffff:10.1.0.1 2", false},
    {"laddr=::/0 ipv4", "fd00::1 1 fd00::2 2", false},
    {"laddr=::/0 ipv4", "::ffff:10.0.0.1 1 ::ffff:10.0.0.2 2", false},
    {"raddr=::/0 ipv4", "::ffff:10.0.0.1 1 :: 0", true},
    {"laddr=10.0.0.0/8 laddr=fd00::/8 ipv6", "10.2.0.1 1 10.1.0.1 2", false},
    {"laddr=10.0.0.0/8 laddr=fd00::/8 ipv6", "fd00::1 1 fd00::2 2", true},
    {"lport=80 ipv6 raddr=fd00::/8", "::1 80 fd01::1 5", true},
    {"lport=80 ipv6 raddr=fd00::/8", "::1 80 fc01::1 5", false},
    {"lport=80 ipv6 raddr=fd00::/8", "::1 81 fd01::1 5", false},

    /* control groups */
    {"cgroup=7", "10.0.0.1 1 10.0.0.2 2 7", true},
    {"cgroup=7", "10.0.0.1 1 10.0.0.2 2 6", false},
    {"cgroup=7", "10.0.0.1 1 10.0.0.2 2 8", false},
    {"cgroup=7", "10.0.0.1 1 10.0.0.2 2", false},
    {"cgroup=7 cgroup=9", "10.0.0.1 1 10.0.0.2 2 8", false},
    {"cgroup=9 cgroup=7 cgroup=9", "10.0.0.1 1 10.0.0.2 2 9", true},
    {"cgroup=none", "10.0.0.1 1 10.0.0.2 2 7", false},
    {"cgroup=none", "10.0.0.1 1 10.0.0.2 2", false},
    {"cgroup=4294967303", "10.0.0.1 1 10.0.0.2 2 7", false},
    {"cgroup=4294967303", "10.0.0.1 1 10.0.0.2 2 4294967303", true},
    {"cgroup=18446744073709551615", "::1 1 ::1 2 18446744073709551615", true},
    {"cgroup=18446744073709551615", "::1 1 ::1 2 18446744073709551614", false},
    {"cgroup=7 lport=80", "10.0.0.1 80 10.0.0.2 2 7", true},
    {"cgroup=7 lport=80", "10.0.0.1 80 10.0.0.2 2 8", false},
    {"cgroup=7 lport=80", "10.0.0.1 81 10.0.0.2 2 7", false},
};
const size_t model_cases_num = sizeof(model_cases) / sizeof(*model_cases);

static bool in_ports(const struct port_set *set, uint16_t port) {
  for (size_t i = 0; i < set->num; i++)
    if (set->ranges[i].first <= port && port <= set->ranges[i].last)
      return true;
  return set->num == 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned num) {
  for (unsigned i = 0; i < num; i++)
    if ((a[i / 8] ^ b[i / 8]) & 0x80 >> i % 8)
      return false;
  return true;
}

static bool is_mapped(const uint8_t *bytes) {
  static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
  return same_bits(bytes, prefix, 96);
}

static bool in_prefixes(const struct prefix_set *set,
                        const struct address *address) {
  for (size_t i = 0; i < set->num; i++) {
    const struct prefix *prefix = &set->prefixes[i];
    bool ipv4 = prefix->len >= 96 && is_mapped(prefix->address.bytes);
    if (ipv4 == is_mapped(address->bytes) &&
        same_bits(prefix->address.bytes, address->bytes, prefix->len))
      return true;
  }
  return set->num == 0;
}

/* Returns whether the path has an id. */
static bool id_of_path(const char *path, uint64_t *id) {
  return sscanf(path, "%" SCNu64, id) == 1;
}

static bool in_cgroups(const struct path_set *set, uint64_t id) {
  uint64_t other;
  for (size_t i = 0; i < set->num; i++)
    if (id_of_path(set->paths[i], &other) && other == id)
      return true;
  return set->num == 0;
}

bool model_matches(const struct filter *filter,
                   const struct diag_socket *socket) {
  bool ipv4 = is_mapped(socket->local_address.bytes);
  return in_ports(&filter->local_ports, socket->local_port) &&
         in_ports(&filter->remote_ports, socket->remote_port) &&
         in_prefixes(&filter->local_addresses, &socket->local_address) &&
         in_prefixes(&filter->remote_addresses, &socket->remote_address) &&
         filter->family != (ipv4 ? FILTER_IPV6 : FILTER_IPV4) &&
         in_cgroups(&filter->cgroups, socket->cgroup_id);
}

static void check(bool ok, const char *text) {
  if (ok)
    return;
  fprintf(stderr, "socket_model.c: cannot read \"%s\"\n", text);
  abort();
}

/* Returns whether it is written as an IPv4 address. */
static bool parse_address(const char *text, struct address *address) {
  *address = (struct address){.bytes = {[10] = 0xff, [11] = 0xff}};
  bool ipv4 = strchr(text, ':') == NULL;
  void *bytes = address->bytes + (ipv4 ? 12 : 0);
  check(inet_pton(ipv4 ? AF_INET : AF_INET6, text, bytes) == 1, text);
  return ipv4;
}

static struct prefix parse_prefix(const char *text) {
  char address[INET6_ADDRSTRLEN];
  struct prefix prefix;
  check(sscanf(text, "%45[^/]/%" SCNu8, address, &prefix.len) == 2, text);
  if (parse_address(address, &prefix.address))
    prefix.len += 96;
  return prefix;
}

static struct port_range parse_ports(const char *text) {
  struct port_range range;
  int num = sscanf(text, "%" SCNu16 "-%" SCNu16, &range.first, &range.last);
  check(num >= 1, text);
  if (num == 1)
    range.last = range.first;
  return range;
}

struct id_list model_ids(const struct filter *filter) {
  const struct path_set *set = &filter->cgroups;
  struct id_list list = {.known = true};
  list.ids = calloc(set->num + 1, sizeof(*list.ids));
  check(list.ids != NULL, "no memory");
  for (size_t i = 0; i < set->num; i++)
    list.num += id_of_path(set->paths[i], &list.ids[list.num]);
  return list;
}

static void free_ids(const struct group_index *index) {
  struct id_list *ids = (struct id_list *)(uintptr_t)index->cgroup_ids;
  for (size_t i = 0; ids != NULL && i < index->groups_num; i++)
    free(ids[i].ids);
  free(ids);
}

int model_index_cgroups(struct group_index *index) {
  struct id_list *ids = calloc(index->groups_num + 1, sizeof(*ids));
  check(ids != NULL, "no memory");
  for (size_t i = 0; i < index->groups_num; i++)
    ids[i] = model_ids(&index->groups[i].filter);
  free_ids(index);
  return group_index_set_cgroups(index, ids);
}

void model_index_free(struct group_index *index) {
  free_ids(index);
  group_index_free(index);
}

static void add_condition(struct filter *filter, const char *key,
                          const char *value) {
  struct prefix prefix;
  int err = 0;
  if (strcmp(key, "ipv4") == 0) {
    filter->family = FILTER_IPV4;
  } else if (strcmp(key, "ipv6") == 0) {
    filter->family = FILTER_IPV6;
  } else if (strcmp(key, "lport") == 0) {
    err = port_set_add(&filter->local_ports, parse_ports(value));
  } else if (strcmp(key, "rport") == 0) {
    err = port_set_add(&filter->remote_ports, parse_ports(value));
  } else if (strcmp(key, "laddr") == 0) {
    prefix = parse_prefix(value);
    err = prefix_set_add(&filter->local_addresses, &prefix);
  } else if (strcmp(key, "raddr") == 0) {
    prefix = parse_prefix(value);
    err = prefix_set_add(&filter->remote_addresses, &prefix);
  } else {
    check(strcmp(key, "cgroup") == 0, key);
    err = path_set_add(&filter->cgroups, value);
  }
  check(err == 0, "no memory");
}

struct filter model_parse_filter(const char *text) {
  struct filter filter = {0};
  while (*text != '\0') {
    int len = 0;
    char key[8], value[64] = "";
    check(sscanf(text, " %7[a-z0-9] %n=%63[^ ] %n", key, &len, value, &len) > 0,
          text);
    add_condition(&filter, key, value);
    text += len;
  }
  return filter;
}

struct diag_socket model_parse_socket(const char *text) {
  struct diag_socket socket = {.state = TCP_ESTABLISHED};
  char local[64], remote[64];
  check(sscanf(text, "%63s %" SCNu16 " %63s %" SCNu16 " %" SCNu64, local,
               &socket.local_port, remote, &socket.remote_port,
               &socket.cgroup_id) >= 4,
        text);
  socket.family =
      parse_address(local, &socket.local_address) ? AF_INET : AF_INET6;
  parse_address(remote, &socket.remote_address);
  return socket;
}

static void print_address(FILE *out, int family,
                          const struct address *address) {
  char text[INET6_ADDRSTRLEN];
  const uint8_t *bytes = address->bytes + (family == AF_INET ? 12 : 0);
  fputs(inet_ntop(family, bytes, text, sizeof(text)), out);
}

static void print_ports(FILE *out, const char *key,
                        const struct port_set *set) {
  for (size_t i = 0; i < set->num; i++)
    fprintf(out, "%s=%u-%u ", key, set->ranges[i].first, set->ranges[i].last);
}

static void print_prefixes(FILE *out, const char *key,
                           const struct prefix_set *set) {
  for (size_t i = 0; i < set->num; i++) {
    fprintf(out, "%s=", key);
    print_address(out, AF_INET6, &set->prefixes[i].address);
    fprintf(out, "/%u ", set->prefixes[i].len);
  }
}

char *model_filter_text(const struct filter *filter) {
  static const char *const families[] = {"", "ipv4 ", "ipv6 "};
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  check(out != NULL, "no memory");
  print_ports(out, "lport", &filter->local_ports);
  print_ports(out, "rport", &filter->remote_ports);
  print_prefixes(out, "laddr", &filter->local_addresses);
  print_prefixes(out, "raddr", &filter->remote_addresses);
  fputs(families[filter->family], out);
  for (size_t i = 0; i < filter->cgroups.num; i++)
    fprintf(out, "cgroup=%s ", filter->cgroups.paths[i]);
  fclose(out);
  return text;
}

char *model_socket_text(const struct diag_socket *socket) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  check(out != NULL, "no memory");
  print_address(out, socket->family, &socket->local_address);
  fprintf(out, " %u ", socket->local_port);
  print_address(out, socket->family, &socket->remote_address);
  fprintf(out, " %u", socket->remote_port);
  if (socket->cgroup_id != 0)
    fprintf(out, " %" PRIu64, socket->cgroup_id);
  fclose(out);
  return text;
}

/* Adds a socket of a state that sockets can be stuck in, which ages.c has never
 * met before. */
static void count_age(const struct diag_socket *socket, uint32_t stuck_after,
                      uint64_t *stuck, uint64_t *oldest) {
  uint32_t age = socket->age < socket->idle ? socket->age : socket->idle;
  if (!socket->has_age || socket->state == TCP_FIN_WAIT1)
    age = 0;
  age -= age % 16;
  *stuck += age > stuck_after;
  if (age > *oldest)
    *oldest = age;
}

static uint32_t utilization(const struct diag_socket *socket) {
  if (socket->queue == 0 || socket->queue >= socket->queue_limit)
    return socket->queue == 0 ? 0 : 10000;
  return (uint32_t)(UINT64_C(10000) * socket->queue / socket->queue_limit);
}

void model_count(struct tally_counts *counts, const struct diag_socket *socket,
                 uint32_t stuck_after) {
  uint8_t state = socket->state;
  bool orphan = socket->inode == 0;
  counts->state[state]++;
  counts->request_socks += socket->request_sock;
  counts->fin_wait2_held += state == TCP_FIN_WAIT2 && !orphan;
  counts->fin_wait2_orphaned += state == TCP_FIN_WAIT2 && orphan;
  counts->fin_wait2_minisockets += state == TCP_FIN_WAIT2 && socket->minisocket;
  counts->orphaned += orphan && !socket->minisocket &&
                      (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 ||
                       state == TCP_LAST_ACK || state == TCP_CLOSING);
  counts->close_wait_unaccepted += state == TCP_CLOSE_WAIT && orphan;
  if (state == TCP_FIN_WAIT1 && !orphan)
    count_age(socket, stuck_after, &counts->fin_wait1_stuck,
              &counts->fin_wait1_oldest);
  if (state == TCP_CLOSE_WAIT)
    count_age(socket, stuck_after, &counts->close_wait_stuck,
              &counts->close_wait_oldest);
  if (state == TCP_FIN_WAIT2 && !orphan)
    count_age(socket, stuck_after, &counts->fin_wait2_stuck,
              &counts->fin_wait2_oldest);
  if (state != TCP_LISTEN)
    return;
  counts->accept_queue += socket->queue;
  counts->accept_queue_limit += socket->queue_limit;
  if (utilization(socket) > counts->accept_queue_utilization)
    counts->accept_queue_utilization = utilization(socket);
}
