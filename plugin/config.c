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
  "write a name under /run/netns or a path, such as <Namespace \"blue\">"
#define NAME_HELP "write a short one in the block: Name \"blue\""
#define COUNTING_HELP "write \"auto\" or \"dump\""

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

/* From how many on to notify. */
static int read_threshold(const struct config_option *option, unsigned offset) {
  return config_read_number(
      option, 0, UINT32_MAX,
      "write from how many stuck sockets on to notify, up "
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
    {"ReportAcceptQueue", read_report, REPORT_ACCEPT_QUEUE, false},
    {"Counting", read_counting, 0, false},
    {"Filter", config_read_filter, 0, true},
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

/* What is wrong with a namespace's name; NULL: nothing. */
static const char *find_fault(const struct settings *settings,
                              const char *name) {
  const char *fault = config_name_fault(name);
  if (fault != NULL)
    return fault;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return "is that of a directory";
  for (size_t i = 0; i < settings->namespaces_num; i++)
    if (settings->namespaces[i].name != NULL &&
        strcmp(settings->namespaces[i].name, name) == 0)
      return "belongs to another Namespace";
  return NULL;
}

static int read_name(const struct config_option *option, unsigned arg) {
  (void)arg;
  return config_read_string(option, NAME_HELP, option->name);
}

static const struct config_entry name_option = {"Name", read_name, 0, false};

static int read_namespace(const struct config_option *option, unsigned arg) {
  (void)arg;
  const oconfig_item_t *item = option->item;
  const char *path;
  int err = config_read_string(option, NAMESPACE_HELP, &path);
  if (err != 0)
    return err;
  const char *name = path;
  char run[PATH_MAX];
  if (path[0] != '/') {
    snprintf(run, sizeof(run), "/run/netns/%s", path);
    path = run;
  }
  struct settings_namespace *namespace = add_namespace(option->settings, path);
  if (namespace == NULL)
    return config_out_of_memory(option);

  char where[CONFIG_NAME_MAX_LEN + 80];
  snprintf(where, sizeof(where), "Namespace \"%.100s\": ", name);
  const struct config_option inside = {.where = where,
                                       .error = option->error,
                                       .settings = &namespace->settings,
                                       .name = &name};
  err =
      config_read_block(&inside, item, options, LENGTH(options), &name_option);
  if (err != 0)
    return err;
  if (name[0] == '/')
    return config_refuse(option,
                         "<%s \"%.100s\">: a path needs a short name for its "
                         "groups; " NAME_HELP,
                         item->key, path);
  const char *fault = find_fault(option->settings, name);
  if (fault != NULL)
    return config_refuse(option, "<%s \"%.100s\">: the name %s; " NAME_HELP,
                         item->key, name, fault);
  namespace->name = strdup(name);
  return namespace->name != NULL ? 0 : config_out_of_memory(option);
}

static const struct config_entry namespace_option = {"Namespace",
                                                     read_namespace, 0, true};

int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error) {
  const struct config_option inside = {
      .where = "", .error = error, .settings = settings};
  return config_read_block(&inside, block, options, LENGTH(options),
                           &namespace_option);
}

static bool has_port_groups(const struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num; i++)
    if (config_is_port_name(settings->groups[i].name))
      return true;
  return false;
}

void config_finish(struct settings *settings) {
  for (size_t i = 0; i < settings->namespaces_num; i++)
    config_finish(&settings->namespaces[i].settings);
  /* As in tcpconns: who selects ports gets "all" only when asking for it, and
   * who selects nothing but refuses "all" gets the listening ports, even when
   * refusing these as well. */
  if (settings->all_ports_summary == CHOICE_DEFAULT)
    settings->all_ports_summary =
        has_port_groups(settings) || settings->listening_ports == CHOICE_TRUE
            ? CHOICE_FALSE
            : CHOICE_TRUE;
  if (settings->groups_num == 0 &&
      settings->all_ports_summary == CHOICE_FALSE &&
      settings->listening_ports != CHOICE_TRUE) {
    settings->no_group = true;
    settings->listening_ports = CHOICE_TRUE;
  }
  if (settings->listening_ports == CHOICE_DEFAULT)
    settings->listening_ports = CHOICE_FALSE;
}
