/* Turns the configuration tree that collectd has parsed into settings, or into
 * one error line; config_value.c checks the values. */
#include "config.h"

#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a group's name may have, so that "@NAMESPACE" fits behind it in
 * collectd's plugin_instance. */
#define NAME_MAX_LEN 63

#define NAME_HELP "write a name such as <Filter \"db\">"
#define NAMESPACE_HELP                                                         \
  "write a name under /run/netns or a path, such as <Namespace \"blue\">"

/* An option with what it changes. */
struct parse {
  struct config_option option;
  struct settings *settings;
  struct filter *filter; /* inside a Filter block */
};

struct option {
  const char *key;
  int (*read)(const struct parse *p, unsigned arg);
  unsigned arg;
  bool block;
};

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
static int add_port_group(const struct parse *p, struct port_range range,
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
static int read_ports(const struct parse *p, unsigned local) {
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

static int read_addresses(const struct parse *p, unsigned local) {
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

static int read_family(const struct parse *p, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = p->option.item;
  if (item->values_num != 1 || p->filter->family != FILTER_ANY_FAMILY)
    return config_refuse(&p->option,
                         "%s: takes one value, once; write \"ipv4\" or "
                         "\"ipv6\", or leave it out for both",
                         item->key);
  return config_read_family(&p->option, 0, &p->filter->family);
}

static int read_cgroups(const struct parse *p, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = p->option.item;
  int err = config_need_value(&p->option, CGROUP_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++) {
    char path[PATH_MAX];
    err = config_read_cgroup(&p->option, i, path, sizeof(path));
    if (err == 0 && cgroup_set_add(&p->filter->cgroups, path) != 0)
      err = config_out_of_memory(&p->option);
  }
  return err;
}

static int read_choice(const struct parse *p, enum settings_choice *out) {
  bool value;
  int err = config_read_boolean(&p->option, &value);
  if (err == 0)
    *out = value ? CHOICE_TRUE : CHOICE_FALSE;
  return err;
}

static int read_all_ports_summary(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->all_ports_summary);
}

static int read_listening_ports(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->listening_ports);
}

static int read_report(const struct parse *p, unsigned flag) {
  bool value;
  int err = config_read_boolean(&p->option, &value);
  if (err == 0)
    p->settings->report =
        value ? p->settings->report | flag : p->settings->report & ~flag;
  return err;
}

static int read_stuck_after(const struct parse *p, unsigned arg) {
  (void)arg;
  return config_read_number(&p->option, 1, 31536000,
                            "write whole seconds from 1 to 31536000, or leave "
                            "it out for the current tcp_fin_timeout",
                            &p->settings->stuck_after);
}

static int read_notify_stuck(const struct parse *p, unsigned arg) {
  (void)arg;
  return config_read_number(
      &p->option, 0, UINT32_MAX,
      "write from how many stuck sockets on to notify, up "
      "to 4294967295, or 0 for never",
      &p->settings->notify_stuck);
}

static int read_notify_processes(const struct parse *p, unsigned arg) {
  (void)arg;
  return config_read_boolean(&p->option, &p->settings->notify_processes);
}

static int read_counting(const struct parse *p, unsigned arg) {
  (void)arg;
  const char *text;
  int err =
      config_read_string(&p->option, "write \"auto\" or \"exact\"", &text);
  if (err != 0)
    return err;
  bool exact = strcasecmp(text, "exact") == 0;
  if (!exact && strcasecmp(text, "auto") != 0)
    return config_refuse(&p->option,
                         "%s \"%.100s\": write \"auto\" or \"exact\"",
                         p->option.item->key, text);
  p->settings->exact = exact;
  return 0;
}

/* also: a further option that there is here; NULL: none */
static int refuse_unknown(const struct parse *p, const struct option *options,
                          size_t num, const char *also) {
  char known[400] = "";
  for (size_t i = 0, len = 0; i < num && len < sizeof(known); i++)
    len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
                            i == 0 ? "" : ", ", options[i].key);
  return config_refuse(&p->option,
                       "unknown option \"%.60s\"; write one of %s%s%s",
                       p->option.item->key, known, also == NULL ? "" : ", ",
                       also == NULL ? "" : also);
}

static int read_option(const struct parse *p, const struct option *options,
                       size_t num, const char *also) {
  const oconfig_item_t *item = p->option.item;
  for (size_t i = 0; i < num; i++) {
    if (strcasecmp(options[i].key, item->key) != 0)
      continue;
    if (item->children_num > 0 && !options[i].block)
      return config_refuse(&p->option,
                           "<%s>: is not a block; write it on one line: %s",
                           item->key, options[i].key);
    return options[i].read(p, options[i].arg);
  }
  return refuse_unknown(p, options, num, also);
}

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const struct option filter_options[] = {
    {"LocalPort", read_ports, true, false},
    {"RemotePort", read_ports, false, false},
    {"LocalAddress", read_addresses, true, false},
    {"RemoteAddress", read_addresses, false, false},
    {"AddressFamily", read_family, 0, false},
    {"ControlGroup", read_cgroups, 0, false},
};

/* Is it a name that a port option would give: "N-local" or "N-M-remote"? */
static bool is_port_name(const char *name) {
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
  if (strlen(name) > NAME_MAX_LEN)
    return "is longer than 63 characters; write a shorter name";
  for (const char *c = name; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c) || strchr("/@", *c) != NULL)
      return "has a control character, \"/\" or \"@\" in it; write a name "
             "without";
  if (strcmp(name, "all") == 0 || strcmp(name, "machine") == 0 ||
      is_port_name(name))
    return "belongs to a group that the plugin makes itself; write another one";
  return NULL;
}

static bool has_condition(const struct filter *filter) {
  return filter->local_ports.num > 0 || filter->remote_ports.num > 0 ||
         filter->local_addresses.num > 0 || filter->remote_addresses.num > 0 ||
         filter->family != FILTER_ANY_FAMILY || filter->cgroups.paths_num > 0;
}

static int read_filter(const struct parse *p, unsigned arg) {
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
  char where[NAME_MAX_LEN + 16];
  snprintf(where, sizeof(where), "Filter \"%s\": ", name);
  for (int i = 0; i < item->children_num; i++) {
    const struct parse inside = {
        .option = {&item->children[i], where, p->option.error},
        .settings = p->settings,
        .filter = &group->filter};
    int err =
        read_option(&inside, filter_options, LENGTH(filter_options), NULL);
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

static const struct option options[] = {
    {"AllPortsSummary", read_all_ports_summary, 0, false},
    {"ListeningPorts", read_listening_ports, 0, false},
    {"LocalPort", read_ports, true, false},
    {"RemotePort", read_ports, false, false},
    {"ReportByState", read_report, REPORT_BY_STATE, false},
    {"ReportClosed", read_report, REPORT_CLOSED, false},
    {"ReportFinWait2", read_report, REPORT_FIN_WAIT2, false},
    {"ReportOrphans", read_report, REPORT_ORPHANS, false},
    {"ReportFinTimeout", read_report, REPORT_FIN_TIMEOUT, false},
    {"ReportLimits", read_report, REPORT_LIMITS, false},
    {"ReportStuck", read_report, REPORT_STUCK, false},
    {"StuckAfter", read_stuck_after, 0, false},
    {"NotifyStuck", read_notify_stuck, 0, false},
    {"NotifyProcesses", read_notify_processes, 0, false},
    {"ReportAcceptQueue", read_report, REPORT_ACCEPT_QUEUE, false},
    {"Counting", read_counting, 0, false},
    {"Filter", read_filter, 0, true},
};

static struct settings_namespace *add_namespace(struct settings *settings,
                                                const char *path) {
  struct settings_namespace *namespaces =
      realloc(settings->namespaces,
              (settings->namespaces_num + 1) * sizeof(*namespaces));
  if (namespaces == NULL)
    return NULL;
  settings->namespaces = namespaces;
  struct settings_namespace *namespace = &namespaces[settings->namespaces_num];
  *namespace = (struct settings_namespace){.path = strdup(path)};
  settings_init(&namespace->settings);
  namespace->settings.other_namespace = true;
  if (namespace->path == NULL)
    return NULL;
  settings->namespaces_num++;
  return namespace;
}

/* Why it cannot be the short name of a namespace; NULL: it can. */
static const char *find_namespace_fault(const struct settings *settings,
                                        const char *name) {
  if (name[0] == '\0')
    return "is empty; write one such as \"blue\"";
  if (strlen(name) > NAME_MAX_LEN)
    return "is longer than 63 characters; write Name \"...\" with a shorter "
           "one in the block, and the path as the block's";
  for (const char *c = name; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c) || strchr("/@", *c) != NULL)
      return "has a control character, \"/\" or \"@\" in it; write one "
             "without";
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return "is no name; write one such as \"blue\"";
  for (size_t i = 0; i < settings->namespaces_num; i++)
    if (settings->namespaces[i].name != NULL &&
        strcmp(settings->namespaces[i].name, name) == 0)
      return "is that of another Namespace; write another one: Name \"...\" "
             "in the block";
  return NULL;
}

static int read_namespace(const struct parse *p) {
  const oconfig_item_t *item = p->option.item;
  const char *path;
  int err = config_read_string(&p->option, NAMESPACE_HELP, &path);
  if (err != 0)
    return err;
  const char *name = path;
  char run[PATH_MAX];
  if (path[0] != '/') {
    snprintf(run, sizeof(run), "/run/netns/%s", path);
    path = run;
  }
  struct settings_namespace *namespace = add_namespace(p->settings, path);
  if (namespace == NULL)
    return config_out_of_memory(&p->option);

  char where[NAME_MAX_LEN + 80];
  snprintf(where, sizeof(where), "Namespace \"%.100s\": ", name);
  for (int i = 0; i < item->children_num; i++) {
    const struct parse inside = {
        .option = {&item->children[i], where, p->option.error},
        .settings = &namespace->settings};
    err = strcasecmp(item->children[i].key, "Name") == 0
              ? config_read_string(&inside.option,
                                   "write a short name such as \"blue\"", &name)
              : read_option(&inside, options, LENGTH(options), "Name");
    if (err != 0)
      return err;
  }
  if (name[0] == '/')
    return config_refuse(&p->option,
                         "<%s \"%.100s\">: a path needs a short name for its "
                         "groups; write Name \"...\" in the block",
                         item->key, path);
  const char *fault = find_namespace_fault(p->settings, name);
  if (fault != NULL)
    return config_refuse(&p->option, "<%s \"%.100s\">: the name %s", item->key,
                         name, fault);
  namespace->name = strdup(name);
  return namespace->name != NULL ? 0 : config_out_of_memory(&p->option);
}

int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error) {
  for (int i = 0; i < block->children_num; i++) {
    const struct parse p = {.option = {&block->children[i], "", error},
                            .settings = settings};
    int err = strcasecmp(block->children[i].key, "Namespace") == 0
                  ? read_namespace(&p)
                  : read_option(&p, options, LENGTH(options), "Namespace");
    if (err != 0)
      return err;
  }
  return 0;
}

static bool has_port_groups(const struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num; i++)
    if (is_port_name(settings->groups[i].name))
      return true;
  return false;
}

void config_finish(struct settings *settings) {
  for (size_t i = 0; i < settings->namespaces_num; i++)
    config_finish(&settings->namespaces[i].settings);
  /* As in tcpconns: who selects ports gets "all" only when asking for it, and
   * who selects nothing but refuses "all" gets the listening ports. */
  bool ports =
      has_port_groups(settings) || settings->listening_ports == CHOICE_TRUE;
  if (settings->all_ports_summary == CHOICE_DEFAULT)
    settings->all_ports_summary = ports ? CHOICE_FALSE : CHOICE_TRUE;
  if (settings->listening_ports == CHOICE_DEFAULT)
    settings->listening_ports =
        settings->groups_num == 0 && !ports &&
                settings->all_ports_summary == CHOICE_FALSE
            ? CHOICE_TRUE
            : CHOICE_FALSE;
}
