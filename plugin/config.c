/* Turns the configuration tree that collectd has parsed into settings, or into
 * one error line; config_groups.c reads the options that make groups. */
#include "config.h"

#include "config_groups.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMESPACE_HELP                                                         \
  "write a name under /run/netns or a path, such as <Namespace \"blue\">"
#define COUNTING_HELP "write \"auto\" or \"dump\""

static int read_choice(const struct config_parse *p,
                       enum settings_choice *out) {
  bool value;
  int err = config_read_boolean(&p->option, &value);
  if (err == 0)
    *out = value ? CHOICE_TRUE : CHOICE_FALSE;
  return err;
}

static int read_all_ports_summary(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->all_ports_summary);
}

static int read_listening_ports(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->listening_ports);
}

static int read_report(const struct config_parse *p, unsigned flag) {
  bool value;
  int err = config_read_boolean(&p->option, &value);
  if (err == 0)
    p->settings->report =
        value ? p->settings->report | flag : p->settings->report & ~flag;
  return err;
}

static int read_stuck_after(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return config_read_number(&p->option, 1, 31536000,
                            "write whole seconds from 1 to 31536000",
                            &p->settings->stuck_after);
}

static int read_notify_stuck(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return config_read_number(
      &p->option, 0, UINT32_MAX,
      "write from how many stuck sockets on to notify, up "
      "to 4294967295, or 0 for never",
      &p->settings->notify_stuck);
}

static int read_notify_processes(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return config_read_boolean(&p->option, &p->settings->notify_processes);
}

static int read_counting(const struct config_parse *p, unsigned arg) {
  (void)arg;
  const char *text;
  int err = config_read_string(&p->option, COUNTING_HELP, &text);
  if (err != 0)
    return err;
  bool dump = strcasecmp(text, "dump") == 0;
  if (!dump && strcasecmp(text, "auto") != 0)
    return config_refuse(
        &p->option, "%s \"%.100s\": %s" COUNTING_HELP, p->option.item->key,
        text,
        strcasecmp(text, "exact") == 0 ? "it is called \"dump\" now; " : "");
  p->settings->dump = dump;
  return 0;
}

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const struct config_entry options[] = {
    {"AllPortsSummary", read_all_ports_summary, 0, false},
    {"ListeningPorts", read_listening_ports, 0, false},
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
    {"NotifyStuck", read_notify_stuck, 0, false},
    {"NotifyProcesses", read_notify_processes, 0, false},
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

/* Why it cannot be the short name of a namespace; NULL: it can. */
static const char *find_namespace_fault(const struct settings *settings,
                                        const char *name) {
  if (name[0] == '\0')
    return "is empty; write one such as \"blue\"";
  if (strlen(name) > CONFIG_NAME_MAX_LEN)
    return "is longer than 63 characters; write Name \"...\" with a shorter "
           "one in the block, and the path as the block's";
  if (!config_is_plain_name(name))
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

static int read_name(const struct config_parse *p, unsigned arg) {
  (void)arg;
  return config_read_string(&p->option, "write a short name such as \"blue\"",
                            p->name);
}

static const struct config_entry name_option = {"Name", read_name, 0, false};

static int read_namespace(const struct config_parse *p, unsigned arg) {
  (void)arg;
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

  char where[CONFIG_NAME_MAX_LEN + 80];
  snprintf(where, sizeof(where), "Namespace \"%.100s\": ", name);
  for (int i = 0; i < item->children_num; i++) {
    const struct config_parse inside = {
        .option = {&item->children[i], where, p->option.error},
        .settings = &namespace->settings,
        .name = &name};
    err = config_read_entry(&inside, options, LENGTH(options), &name_option);
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

static const struct config_entry namespace_option = {"Namespace",
                                                     read_namespace, 0, true};

int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error) {
  for (int i = 0; i < block->children_num; i++) {
    const struct config_parse p = {.option = {&block->children[i], "", error},
                                   .settings = settings};
    int err =
        config_read_entry(&p, options, LENGTH(options), &namespace_option);
    if (err != 0)
      return err;
  }
  return 0;
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
