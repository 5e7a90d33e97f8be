/* The options that make groups: ports, and Filter blocks; config.c finds them
 * in its tables. */
#include "config_groups.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_HELP "write a name such as <Filter \"db\">"

static struct group *find_group(const struct settings *settings,
                                const char *name) {
  for (size_t i = 0; i < settings->groups_num; i++)
    if (strcmp(settings->groups[i].name, name) == 0)
      return &settings->groups[i];
  return NULL;
}

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

/* Adds the group of a port option; the same one twice is one, as in tcpconns.
 */
static int add_port_group(const struct config_parse *p, struct port_range range,
                          bool local) {
  char name[32];
  const char *side = local ? "local" : "remote";
  if (range.first == range.last)
    snprintf(name, sizeof(name), "%u-%s", range.first, side);
  else
    snprintf(name, sizeof(name), "%u-%u-%s", range.first, range.last, side);
  if (find_group(p->settings, name) != NULL)
    return 0;

  struct group *group = add_group(p->settings, name);
  if (group == NULL)
    return config_out_of_memory(&p->option);
  struct port_set *set =
      local ? &group->filter.local_ports : &group->filter.remote_ports;
  return port_set_add(set, range) == 0 ? 0 : config_out_of_memory(&p->option);
}

/* In a Filter ports are a condition, else each is a group. */
int config_read_ports(const struct config_parse *p, unsigned local) {
  const oconfig_item_t *item = p->option.item;
  int err = config_need_value(&p->option, PORT_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    struct port_range range = {0};
    err = config_read_port(&p->option, i, &range);
    if (err != 0)
      return err;
    if (p->filter == NULL)
      err = add_port_group(p, range, local);
    else if (port_set_add(local ? &p->filter->local_ports
                                : &p->filter->remote_ports,
                          range) != 0)
      err = config_out_of_memory(&p->option);
  }
  return err;
}

static int read_addresses(const struct config_parse *p, unsigned local) {
  const oconfig_item_t *item = p->option.item;
  struct prefix_set *set =
      local ? &p->filter->local_addresses : &p->filter->remote_addresses;
  int err = config_need_value(&p->option, PREFIX_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    struct prefix prefix;
    err = config_read_prefix(&p->option, i, &prefix);
    if (err == 0 && prefix_set_add(set, &prefix) != 0)
      err = config_out_of_memory(&p->option);
  }
  return err;
}

static int read_family(const struct config_parse *p, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = p->option.item;
  if (item->values_num != 1 || p->filter->family != FILTER_ANY_FAMILY)
    return config_refuse(&p->option,
                         "%s: takes one value, once; write \"ipv4\" or "
                         "\"ipv6\", or leave it out for both",
                         item->key);
  return config_read_family(&p->option, 0, &p->filter->family);
}

static int read_cgroups(const struct config_parse *p, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = p->option.item;
  int err = config_need_value(&p->option, CGROUP_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    char path[PATH_MAX];
    err = config_read_cgroup(&p->option, i, path, sizeof(path));
    if (err == 0 && path_set_add(&p->filter->cgroups, path) != 0)
      err = config_out_of_memory(&p->option);
  }
  return err;
}

static const struct config_entry filter_options[] = {
    {"LocalPort", config_read_ports, true, false},
    {"RemotePort", config_read_ports, false, false},
    {"LocalAddress", read_addresses, true, false},
    {"RemoteAddress", read_addresses, false, false},
    {"AddressFamily", read_family, 0, false},
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

/* Why it cannot be a group's name; NULL: it can. */
static const char *find_fault(const char *name) {
  if (name[0] == '\0')
    return "is empty; " NAME_HELP;
  if (strlen(name) > CONFIG_NAME_MAX_LEN)
    return "is longer than 63 characters; write a shorter name";
  if (!config_is_plain_name(name))
    return "has a control character, \"/\" or \"@\" in it; write a name "
           "without";
  if (strcmp(name, "all") == 0 || strcmp(name, "machine") == 0 ||
      config_is_port_name(name))
    return "belongs to a group that the plugin makes itself; write another one";
  return NULL;
}

static bool has_condition(const struct filter *filter) {
  return filter->local_ports.num > 0 || filter->remote_ports.num > 0 ||
         filter->local_addresses.num > 0 || filter->remote_addresses.num > 0 ||
         filter->family != FILTER_ANY_FAMILY || filter->cgroups.num > 0;
}

int config_read_filter(const struct config_parse *p, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = p->option.item;
  if (item->values_num != 1 || item->values[0].type != OCONFIG_TYPE_STRING)
    return config_refuse(
        &p->option, "<%s>: takes one text in quotes; " NAME_HELP, item->key);
  const char *name = item->values[0].value.string;
  const char *fault = find_fault(name);
  if (fault == NULL && find_group(p->settings, name) != NULL)
    fault = "belongs to another Filter; write another one";
  if (fault != NULL)
    return config_refuse(&p->option, "<%s \"%.100s\">: the name %s", item->key,
                         name, fault);

  struct group *group = add_group(p->settings, name);
  if (group == NULL)
    return config_out_of_memory(&p->option);
  char where[2 * CONFIG_NAME_MAX_LEN + 96];
  snprintf(where, sizeof(where), "%sFilter \"%s\": ", p->option.where, name);
  for (int i = 0; i < item->children_num; i++) {
    const struct config_parse inside = {
        .option = {&item->children[i], where, p->option.error},
        .settings = p->settings,
        .filter = &group->filter};
    int err = config_read_entry(
        &inside, filter_options,
        sizeof(filter_options) / sizeof(*filter_options), NULL);
    if (err != 0)
      return err;
  }
  return has_condition(&group->filter)
             ? 0
             : config_refuse(
                   &p->option,
                   "<%s \"%s\">: has no condition; write at least one "
                   "option in it, such as LocalPort 443",
                   item->key, name);
}
