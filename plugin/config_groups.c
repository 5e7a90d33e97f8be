/* SPDX-License-Identifier: MIT */
/* The options that make groups: ports, and Filter blocks; config.c has them in
 * its table. */
#include "config_groups.h"

#include "number.h"
#include "settings.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_HELP "write a name such as <Filter \"db\">"
#define PREFIX_HELP                                                            \
  "write an address or a prefix such as \"192.0.2.7\", \"10.0.0.0/8\" or "     \
  "\"2001:db8::/32\""
#define FAMILY_HELP "write \"ipv4\" or \"ipv6\""
#define PROTOCOL_HELP "write \"mptcp\" or \"tcp\""
#define CGROUP_HELP                                                            \
  "write a path in the cgroup v2 hierarchy such as "                           \
  "\"/system.slice/nginx.service\""

/* Adds a group without conditions. Returns NULL when out of memory. */
static struct group *add_group(struct settings *settings, const char *name) {
  struct group *groups =
      realloc(settings->groups, (settings->groups_num + 1) * sizeof(*groups));
  if (groups == NULL)
    return NULL;
  settings->groups = groups;
  char *copy = strdup(name);
  if (copy == NULL)
    return NULL;
  groups[settings->groups_num] = (struct group){.name = copy};
  return &groups[settings->groups_num++];
}

/* Adds the group of a port option; the same port twice makes one group, as in
 * tcpconns.
 */
static int add_port_group(const struct config_option *option,
                          struct port_range range, bool local) {
  char name[32];
  const char *side = local ? "local" : "remote";
  if (range.first == range.last)
    snprintf(name, sizeof(name), "%u-%s", range.first, side);
  else
    snprintf(name, sizeof(name), "%u-%u-%s", range.first, range.last, side);
  if (settings_find_group(option->settings, name) != NULL)
    return 0;

  struct group *group = add_group(option->settings, name);
  if (group == NULL)
    return config_out_of_memory(option);
  struct port_set *set =
      local ? &group->filter.local_ports : &group->filter.remote_ports;
  return port_set_add(set, range) == 0 ? 0 : config_out_of_memory(option);
}

/* In a Filter ports are a condition; otherwise each is a group. */
int config_read_ports(const struct config_option *option, unsigned local) {
  const oconfig_item_t *item = option->item;
  int err = config_need_value(option, PORT_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    struct port_range range = {0};
    err = config_read_port(option, i, &range);
    if (err != 0)
      return err;
    if (option->filter == NULL)
      err = add_port_group(option, range, local);
    else if (port_set_add(local ? &option->filter->local_ports
                                : &option->filter->remote_ports,
                          range) != 0)
      err = config_out_of_memory(option);
  }
  return err;
}

/* Parses an address, IPv4 as v4-mapped; *bits becomes how many it has as the
 * user wrote it. */
static bool parse_address(const char *text, struct address *out,
                          unsigned *bits) {
  *out = (struct address){.bytes = {[10] = 0xff, [11] = 0xff}};
  *bits = 32;
  if (inet_pton(AF_INET, text, out->bytes + 12) == 1)
    return true;
  *bits = 128;
  return inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* Clears the bits after the prefix's length. Returns whether all were 0. */
static bool clear_rest(struct prefix *prefix) {
  bool clear = true;
  for (unsigned bit = prefix->len; bit < 128; bit++) {
    uint8_t mask = (uint8_t)(0x80u >> bit % 8);
    clear = clear && !(prefix->address.bytes[bit / 8] & mask);
    prefix->address.bytes[bit / 8] &= (uint8_t)~mask;
  }
  return clear;
}

static int parse_prefix(const struct config_option *option, int i,
                        struct prefix *out) {
  const oconfig_value_t *value = &option->item->values[i];
  if (value->type != OCONFIG_TYPE_STRING)
    return config_refuse_value(option, i,
                               "not an address in quotes; " PREFIX_HELP);
  const char *text = value->value.string;
  const char *slash = strchr(text, '/');
  size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
  char address[INET6_ADDRSTRLEN];
  unsigned bits;
  if (len >= sizeof(address))
    return config_refuse_value(option, i, "not an address; " PREFIX_HELP);
  memcpy(address, text, len);
  address[len] = '\0';
  if (!parse_address(address, &out->address, &bits))
    return config_refuse_value(option, i, "not an address; " PREFIX_HELP);

  uint64_t prefix_len = bits;
  if (slash != NULL &&
      number_parse(slash + 1, strlen(slash + 1), bits, &prefix_len) != 0) {
    char reason[100];
    snprintf(reason, sizeof(reason),
             "not a prefix length; write a number from 0 to %u after the "
             "slash",
             bits);
    return config_refuse_value(option, i, reason);
  }
  out->len = (uint8_t)(prefix_len + 128 - bits);
  if (!clear_rest(out)) {
    char cleared[INET6_ADDRSTRLEN], reason[160];
    if (bits == 32)
      inet_ntop(AF_INET, out->address.bytes + 12, cleared, sizeof(cleared));
    else
      inet_ntop(AF_INET6, out->address.bytes, cleared, sizeof(cleared));
    snprintf(reason, sizeof(reason),
             "the address has bits after the prefix; write \"%s/%u\" or a "
             "longer prefix",
             cleared, (unsigned)prefix_len);
    return config_refuse_value(option, i, reason);
  }
  return 0;
}

static int read_addresses(const struct config_option *option, unsigned local) {
  const oconfig_item_t *item = option->item;
  struct prefix_set *set = local ? &option->filter->local_addresses
                                 : &option->filter->remote_addresses;
  int err = config_need_value(option, PREFIX_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    struct prefix prefix;
    err = parse_prefix(option, i, &prefix);
    if (err == 0 && prefix_set_add(set, &prefix) != 0)
      err = config_out_of_memory(option);
  }
  return err;
}

static int read_family(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1 || option->filter->family != FILTER_ANY_FAMILY)
    return config_refuse(option,
                         "%s: takes one value, once; " FAMILY_HELP
                         ", or leave it out for both",
                         item->key);
  const oconfig_value_t *value = &item->values[0];
  bool text = value->type == OCONFIG_TYPE_STRING;
  if (text && strcasecmp(value->value.string, "ipv4") == 0)
    option->filter->family = FILTER_IPV4;
  else if (text && strcasecmp(value->value.string, "ipv6") == 0)
    option->filter->family = FILTER_IPV6;
  else
    return config_refuse_value(option, 0,
                               "not an address family; " FAMILY_HELP);
  return 0;
}

static int read_protocol(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1 || *option->has_protocol)
    return config_refuse(option, "%s: takes one value, once; " PROTOCOL_HELP,
                         item->key);
  const oconfig_value_t *value = &item->values[0];
  bool text = value->type == OCONFIG_TYPE_STRING;
  bool mptcp = text && strcasecmp(value->value.string, "mptcp") == 0;
  if (!mptcp && !(text && strcasecmp(value->value.string, "tcp") == 0))
    return config_refuse_value(option, 0, "not counted; " PROTOCOL_HELP);
  option->filter->protocol = mptcp ? FILTER_MPTCP : FILTER_TCP;
  *option->has_protocol = true;
  return 0;
}

static int parse_cgroup(const struct config_option *option, int i, char *out,
                        size_t size) {
  const oconfig_value_t *value = &option->item->values[i];
  if (value->type != OCONFIG_TYPE_STRING || value->value.string[0] != '/')
    return config_refuse_value(option, i, "not an absolute path; " CGROUP_HELP);
  const char *path = value->value.string;
  if (config_has_control(path))
    return config_refuse_value(option, i,
                               "has a control character in it; " CGROUP_HELP);
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] == '/')
    len--;
  if (len >= size)
    return config_refuse_value(option, i, "too long for a path; " CGROUP_HELP);
  memcpy(out, path, len);
  out[len] = '\0';

  const size_t mount_len = strlen("/sys/fs/cgroup");
  if (strncmp(out, "/sys/fs/cgroup", mount_len) == 0 &&
      (out[mount_len] == '/' || out[mount_len] == '\0'))
    return config_refuse_value(
        option, i, "leave out where cgroup v2 is mounted; " CGROUP_HELP);
  for (const char *part = out; part != NULL; part = strchr(part, '/')) {
    part++;
    size_t part_len = strcspn(part, "/");
    if ((part_len == 0 && len > 1) || (part_len == 1 && part[0] == '.') ||
        (part_len == 2 && memcmp(part, "..", 2) == 0))
      return config_refuse_value(
          option, i, "has an empty part, \".\" or \"..\"; " CGROUP_HELP);
  }
  return 0;
}

static int read_cgroups(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  int err = config_need_value(option, CGROUP_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    char path[PATH_MAX];
    err = parse_cgroup(option, i, path, sizeof(path));
    if (err == 0 && path_set_add(&option->filter->cgroups, path) != 0)
      err = config_out_of_memory(option);
  }
  return err;
}

static const struct config_entry filter_options[] = {
    {"LocalPort", config_read_ports, true, false},
    {"RemotePort", config_read_ports, false, false},
    {"LocalAddress", read_addresses, true, false},
    {"RemoteAddress", read_addresses, false, false},
    {"AddressFamily", read_family, 0, false},
    {"Protocol", read_protocol, 0, false},
    {"ControlGroup", read_cgroups, 0, false},
};

bool config_is_port_name(const char *name) {
  const char *digits = "0123456789";
  size_t len = strspn(name, digits);
  if (len == 0 || name[len] != '-')
    return false;
  const char *rest = name + len + 1;
  len = strspn(rest, digits);
  if (len > 0 && rest[len] == '-')
    rest += len + 1;
  return strcmp(rest, "local") == 0 || strcmp(rest, "remote") == 0;
}

/* What is wrong with a Filter's name; NULL: nothing. */
static const char *find_fault(const struct settings *settings,
                              const char *name) {
  const char *fault = config_name_fault(name);
  if (fault != NULL)
    return fault;
  if (strcmp(name, "all") == 0 || strcmp(name, "machine") == 0 ||
      config_is_port_name(name))
    return "belongs to a group that the plugin makes itself";
  return settings_find_group(settings, name) == NULL
             ? NULL
             : "belongs to another Filter";
}

static bool has_condition(const struct filter *filter) {
  return filter->local_ports.num > 0 || filter->remote_ports.num > 0 ||
         filter->local_addresses.num > 0 || filter->remote_addresses.num > 0 ||
         filter->family != FILTER_ANY_FAMILY || filter->cgroups.num > 0 ||
         filter->protocol != FILTER_TCP;
}

int config_read_filter(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1 || item->values[0].type != OCONFIG_TYPE_STRING)
    return config_refuse(option, "<%s>: takes one text in quotes; " NAME_HELP,
                         item->key);
  const char *name = item->values[0].value.string;
  const char *fault = find_fault(option->settings, name);
  if (fault != NULL)
    return config_refuse(option, "<%s \"%.100s\">: the name %s; " NAME_HELP,
                         item->key, name, fault);

  struct group *group = add_group(option->settings, name);
  if (group == NULL)
    return config_out_of_memory(option);
  char where[2 * CONFIG_NAME_MAX_LEN + 96];
  snprintf(where, sizeof(where), "%sFilter \"%s\": ", option->where, name);
  struct config_option inside = *option;
  inside.where = where;
  bool has_protocol = false;
  inside.filter = &group->filter;
  inside.has_protocol = &has_protocol;
  int err = config_read_block(&inside, item, filter_options,
                              sizeof(filter_options) / sizeof(*filter_options),
                              NULL, 0);
  if (err == 0 && !has_condition(&group->filter))
    err = config_refuse(option,
                        "<%s \"%s\">: has no condition; write at least one "
                        "option in it, such as LocalPort 443",
                        item->key, name);
  return err;
}
