/* SPDX-License-Identifier: MIT */
/* Turns the configuration tree that collectd has parsed into settings, or into
 * one error line; config_groups.c reads the options that make groups. */
#include "config.h"

#include "config_groups.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMESPACE_HELP                                                         \
  "write names under /run/netns or paths, such as <Namespace \"blue\">"
#define NAME_HELP "write a short one in the block: Name \"blue\""
#define COUNTING_HELP "write \"auto\" or \"dump\""
#define NAMES_HELP "write \"cgroup\" or \"hostname\""

/* Of the settings. */
static void *member(const struct config_option *option, unsigned offset) {
  return (char *)option->settings + offset;
}

static int read_boolean(const struct config_option *option, unsigned offset) {
  return config_read_boolean(option, member(option, offset));
}

static int read_choice(const struct config_option *option, unsigned offset) {
  bool value;
  int err = config_read_boolean(option, &value);
  if (err == 0)
    *(enum settings_choice *)member(option, offset) =
        value ? CHOICE_TRUE : CHOICE_FALSE;
  return err;
}

static int read_report(const struct config_option *option, unsigned flag) {
  bool value;
  int err = config_read_boolean(option, &value);
  if (err == 0)
    option->settings->report = value ? option->settings->report | flag
                                     : option->settings->report & ~flag;
  return err;
}

static int read_stuck_after(const struct config_option *option, unsigned arg) {
  (void)arg;
  return config_read_number(option, 1, 31536000,
                            "write whole seconds from 1 to 31536000",
                            &option->settings->stuck_after);
}

static int read_services_max(const struct config_option *option, unsigned arg) {
  (void)arg;
  return config_read_number(option, 1, 1000,
                            "write how many services have a group, up to 1000",
                            &option->settings->services_max);
}

static int read_service_names(const struct config_option *option,
                              unsigned arg) {
  (void)arg;
  const char *text;
  int err = config_read_string(option, NAMES_HELP, &text);
  if (err != 0)
    return err;
  bool host_names = strcasecmp(text, "hostname") == 0;
  if (!host_names && strcasecmp(text, "cgroup") != 0)
    return config_refuse(option, "%s \"%.100s\": " NAMES_HELP,
                         option->item->key, text);
  option->settings->host_names = host_names;
  return 0;
}

/* The number to notify at. */
static int read_threshold(const struct config_option *option, unsigned offset) {
  return config_read_number(option, 0, UINT32_MAX,
                            "write the number of sockets to notify at, up "
                            "to 4294967295, or 0 for never",
                            member(option, offset));
}

static int read_counting(const struct config_option *option, unsigned arg) {
  (void)arg;
  const char *text;
  int err = config_read_string(option, COUNTING_HELP, &text);
  if (err != 0)
    return err;
  bool dump = strcasecmp(text, "dump") == 0;
  if (!dump && strcasecmp(text, "auto") != 0)
    return config_refuse(
        option, "%s \"%.100s\": %s" COUNTING_HELP, option->item->key, text,
        strcasecmp(text, "exact") == 0 ? "it is called \"dump\" now; " : "");
  option->settings->dump = dump;
  return 0;
}

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const struct config_entry options[] = {
    {"AllPortsSummary", read_choice,
     offsetof(struct settings, all_ports_summary), false},
    {"ListeningPorts", read_choice, offsetof(struct settings, listening_ports),
     false},
    {"LocalPort", config_read_ports, true, false},
    {"RemotePort", config_read_ports, false, false},
    {"Services", read_boolean, offsetof(struct settings, services), false},
    {"ServicesMax", read_services_max, 0, false},
    {"ServiceNames", read_service_names, 0, false},
    {"ReportByState", read_report, REPORT_BY_STATE, false},
    {"ReportClosed", read_report, REPORT_CLOSED, false},
    {"ReportFinWait2", read_report, REPORT_FIN_WAIT2, false},
    {"ReportOrphans", read_report, REPORT_ORPHANS, false},
    {"ReportFinTimeout", read_report, REPORT_FIN_TIMEOUT, false},
    {"ReportLimits", read_report, REPORT_LIMITS, false},
    {"ReportStuck", read_report, REPORT_STUCK, false},
    {"StuckAfter", read_stuck_after, 0, false},
    {"NotifyStuck", read_threshold, offsetof(struct settings, notify_stuck),
     false},
    {"NotifyProcesses", read_boolean,
     offsetof(struct settings, notify_processes), false},
    {"NotifyPeers", read_boolean, offsetof(struct settings, notify_peers),
     false},
    {"ReportAcceptQueue", read_report, REPORT_ACCEPT_QUEUE, false},
    {"ReportEphemeralPorts", read_report, REPORT_EPHEMERAL_PORTS, false},
    {"ReportUnhashed", read_report, REPORT_UNHASHED, false},
    {"NotifyUnhashed", read_threshold,
     offsetof(struct settings, notify_unhashed), false},
    {"Counting", read_counting, 0, false},
    {"Filter", config_read_filter, 0, true},
};

static struct settings_namespace *add_namespace(struct settings *settings) {
  struct settings_namespace *namespaces =
      realloc(settings->namespaces,
              (settings->namespaces_num + 1) * sizeof(*namespaces));
  if (namespaces == NULL)
    return NULL;
  settings->namespaces = namespaces;
  struct settings_namespace *namespace =
      &namespaces[settings->namespaces_num++];
  *namespace = (struct settings_namespace){.name = NULL};
  settings_init(&namespace->settings);
  namespace->settings.other_namespace = true;
  return namespace;
}

/* What is wrong with a namespace's name; NULL: nothing. */
static const char *find_fault(const struct settings *settings,
                              const struct settings_namespace *namespace) {
  const char *fault = config_name_fault(namespace->name);
  if (fault != NULL)
    return fault;
  if (strcmp(namespace->name, ".") == 0 || strcmp(namespace->name, "..") == 0)
    return "is that of a directory";
  for (size_t i = 0; i < settings->namespaces_num; i++)
    if (&settings->namespaces[i] != namespace &&
        strcmp(settings->namespaces[i].name, namespace->name) == 0)
      return "belongs to another Namespace";
  return NULL;
}

static int set_name(const struct config_option *option,
                    struct settings_namespace *namespace, const char *name) {
  free(namespace->name);
  namespace->name = strdup(name);
  return namespace->name != NULL ? 0 : config_out_of_memory(option);
}

static int read_name(const struct config_option *option, unsigned arg) {
  (void)arg;
  const char *name;
  int err = config_read_string(option, NAME_HELP, &name);
  return err != 0 ? err : set_name(option, option->namespace, name);
}

static int read_budget(const struct config_option *option, unsigned arg) {
  (void)arg;
  return config_read_number(option, 1, 100,
                            "write whole percent of one core from 1 to 100",
                            &option->namespace->budget);
}

/* Further options of a Namespace block. */
static const struct config_entry namespace_options[] = {
    {"Name", read_name, 0, false},
    {"NamespaceBudget", read_budget, 0, false},
};

/* Adds the path of value number i: a name is one under /run/netns. */
static int add_path(const struct config_option *option,
                    struct settings_namespace *namespace, int i) {
  const char *text = option->item->values[i].value.string;
  const char *directory = text[0] == '/' ? "" : "/run/netns/";
  bool control = text[0] == '/' && config_has_control(text);
  if (control || (text[0] != '/' && strchr(text, '/') != NULL))
    return config_refuse(option, "<%s \"%.100s\">: %s; " NAMESPACE_HELP,
                         option->item->key, text,
                         control ? "has a control character in it"
                                 : "neither a name nor an absolute path");
  char **paths =
      realloc(namespace->paths, (namespace->paths_num + 1) * sizeof(*paths));
  if (paths == NULL)
    return config_out_of_memory(option);
  namespace->paths = paths;
  size_t size = strlen(directory) + strlen(text) + 1;
  char *path = malloc(size);
  if (path == NULL)
    return config_out_of_memory(option);
  snprintf(path, size, "%s%s", directory, text);
  paths[namespace->paths_num++] = path;
  namespace->pattern = namespace->paths_num > 1 || strpbrk(text, "*?[") != NULL;
  return 0;
}

static int add_paths(const struct config_option *option,
                     struct settings_namespace *namespace) {
  const oconfig_item_t *item = option->item;
  int err = config_need_value(option, NAMESPACE_HELP);
  for (int i = 0; i < item->values_num && err == 0; i++)
    err = item->values[i].type == OCONFIG_TYPE_STRING
              ? add_path(option, namespace, i)
              : config_refuse(option,
                              "%s: takes texts in quotes; " NAMESPACE_HELP,
                              item->key);
  return err;
}

static int read_namespace(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  struct settings_namespace *namespace = add_namespace(option->settings);
  if (namespace == NULL)
    return config_out_of_memory(option);
  int err = add_paths(option, namespace);
  if (err != 0)
    return err;
  const char *text = item->values[0].value.string;
  char where[CONFIG_NAME_MAX_LEN + 80];
  snprintf(where, sizeof(where), "Namespace \"%.100s\": ", text);
  const struct config_option inside = {.where = where,
                                       .error = option->error,
                                       .settings = &namespace->settings,
                                       .namespace = namespace};
  err = config_read_block(&inside, item, options, LENGTH(options),
                          namespace_options, LENGTH(namespace_options));
  if (err != 0)
    return err;
  if (namespace->name == NULL && (text[0] == '/' || namespace->pattern))
    return config_refuse(option,
                         "<%s \"%.100s\">: a path needs a short name for its "
                         "groups, and so do several; " NAME_HELP,
                         item->key, text);
  err = namespace->name == NULL ? set_name(option, namespace, text) : 0;
  if (err != 0)
    return err;
  const char *fault = find_fault(option->settings, namespace);
  if (fault != NULL)
    return config_refuse(option, "<%s \"%.100s\">: the name %s; " NAME_HELP,
                         item->key, namespace->name, fault);
  if (namespace->budget != 0 && !namespace->pattern)
    return config_refuse(option,
                         "<%s \"%.100s\">: NamespaceBudget is for patterns; "
                         "leave it out: one namespace is read each time",
                         item->key, text);
  uint32_t *budget = &namespace->budget;
  if (*budget == 0)
    *budget = SETTINGS_NAMESPACE_BUDGET;
  return 0;
}

static const struct config_entry namespace_block = {"Namespace", read_namespace,
                                                    0, true};

/* Services makes groups of these names; it may come after the Filter. */
static int check_services(const struct config_option *option,
                          const struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num && settings->services; i++)
    if (strcmp(settings->groups[i].name, "other") == 0 ||
        strcmp(settings->groups[i].name, "root") == 0)
      return config_refuse(option,
                           "<Filter \"%s\">: the name belongs to a group that "
                           "Services makes; write another one",
                           settings->groups[i].name);
  return 0;
}

int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error) {
  const struct config_option inside = {
      .where = "", .error = error, .settings = settings};
  int err = config_read_block(&inside, block, options, LENGTH(options),
                              &namespace_block, 1);
  if (err == 0)
    err = check_services(&inside, settings);
  for (size_t i = 0; i < settings->namespaces_num && err == 0; i++)
    err = check_services(&inside, &settings->namespaces[i].settings);
  return err;
}

static bool has_port_groups(const struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num; i++)
    if (config_is_port_name(settings->groups[i].name))
      return true;
  return false;
}

/* Puts the groups of MPTCP after the others. */
static void move_mptcp(struct settings *settings) {
  struct group *groups = settings->groups;
  size_t num = settings->groups_num + settings->mptcp_num, tcp = 0;
  for (size_t i = 0; i < num; i++) {
    if (groups[i].filter.protocol != FILTER_TCP)
      continue;
    struct group group = groups[i];
    memmove(&groups[tcp + 1], &groups[tcp], (i - tcp) * sizeof(*groups));
    groups[tcp++] = group;
  }
  settings->mptcp_num = num - tcp;
  settings->groups_num = tcp;
}

void config_finish(struct settings *settings) {
  for (size_t i = 0; i < settings->namespaces_num; i++) {
    struct settings_namespace *other = &settings->namespaces[i];
    config_finish(&other->settings);
    if (other->pattern) /* it differs from one to the next */
      other->settings.report &= ~(unsigned)REPORT_FIN_TIMEOUT;
  }
  /* As in tcpconns: with ports selected, "all" is off unless it is asked for.
   * With nothing selected and "all" refused, the listening ports are on, even
   * if they are refused, too. */
  if (settings->all_ports_summary == CHOICE_DEFAULT)
    settings->all_ports_summary =
        has_port_groups(settings) || settings->listening_ports == CHOICE_TRUE
            ? CHOICE_FALSE
            : CHOICE_TRUE;
  if (settings->groups_num == 0 &&
      settings->all_ports_summary == CHOICE_FALSE &&
      settings->listening_ports != CHOICE_TRUE && !settings->services) {
    settings->no_group = true;
    settings->listening_ports = CHOICE_TRUE;
  }
  if (settings->listening_ports == CHOICE_DEFAULT)
    settings->listening_ports = CHOICE_FALSE;
  move_mptcp(settings);
}
