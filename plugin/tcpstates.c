/* SPDX-License-Identifier: MIT */
/* The plugin's interface to collectd: only this file, submit.c, trouble.c and
 * view.c call it. */
#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"

#include "clock.h"
#include "config.h"
#include "hostname.h"
#include "submit.h"
#include "unhashed.h"
#include "unhashed_alarm.h"
#include "view.h"

/* The current read. It is an error, for which collectd doubles the interval, up
 * to a day, if there is no value at all because something failed. It is not an
 * error if there is nothing to count, or if a namespace is missing: it may be
 * there next time. */
static struct {
  cdtime_t time; /* one for all, so that a backend can add and compare them */
  size_t values; /* of all views */
  bool failed;   /* a dump or a file */
} reading;

static struct settings settings;
static struct diag_absence absence[FILTER_PROTOCOLS_NUM] = {
    {.seconds = DIAG_ABSENCE_SECONDS}, {.seconds = DIAG_ABSENCE_SECONDS}};
static struct cgroup_tree cgroups;
static struct service_names service_names;
static struct snapshot_reader reader;
static struct netns_set netns_set;
static struct unhashed *unhashed; /* NULL: it is not asked for */
static struct unhashed_alarm unhashed_alarm;
static struct view *views; /* the daemon's, then the settings' namespaces */

static int tcpstates_config(oconfig_item_t *block) {
  struct config_error error;
  int err = config_block(&settings, block, &error);
  if (err != 0)
    P_ERROR("%s", error.text);
  return err;
}

static int open_pattern(struct view *view, size_t block) {
  view->pattern = calloc(1, sizeof(*view->pattern));
  if (view->pattern == NULL)
    return -ENOMEM;
  size_t slot = 0;
  while (netns_set.netns[slot].block != block)
    slot++;
  netns_pattern_open(view->pattern, &settings.namespaces[block],
                     &netns_set.netns[slot], "/proc");
  return 0;
}

static int open_views(void) {
  views = calloc(settings.namespaces_num + 1, sizeof(*views));
  if (views == NULL)
    return -ENOMEM;
  views[0].settings = &settings;
  for (size_t i = 0; i < settings.namespaces_num; i++) {
    const struct settings_namespace *namespace = &settings.namespaces[i];
    struct view *view = &views[i + 1];
    view->name = namespace->name;
    snprintf(view->label, sizeof(view->label),
             "namespace %s: ", namespace->name);
    view->settings = &namespace->settings;
    if (namespace->pattern && open_pattern(view, i) != 0)
      return -ENOMEM;
  }
  return 0;
}

static int tcpstates_init(void) {
  config_finish(&settings);
  cgroup_tree_init(&cgroups);
  int err = 0;
  if (settings_need_host_names(&settings)) {
    err = service_names_init(&service_names, &settings);
    cgroups.names = &service_names;
  }
  if (err == 0)
    err = snapshot_open(&reader, &settings, "/proc", &cgroups);
  reader.dump.absence = absence;
  if (err == 0)
    err = netns_open(&netns_set, &settings, "/proc", absence, &cgroups);
  if (err == 0 && settings_need_unhashed(&settings)) {
    unhashed = unhashed_open(&settings, "/proc");
    err = unhashed == NULL ? -ENOMEM : 0;
  }
  if (err == 0)
    err = open_views();
  if (err != 0) {
    P_ERROR("out of memory");
    return err;
  }
  for (size_t i = 0; i <= settings.namespaces_num; i++)
    if (views[i].settings->no_group)
      P_INFO("%sno group is selected: each listening port is one, as in "
             "tcpconns",
             views[i].label);
  return 0;
}

static void notify(const struct snapshot *snapshot, struct view *view) {
  char text[512];
  while (remarks_next(&view->remarks, snapshot, text, sizeof(text)))
    P_INFO("%s%s.", view->label, text);
  if (snapshot->stuck == NULL)
    return;
  for (size_t i = 0; i < snapshot->stuck->notices_num; i++)
    submit_notice(&snapshot->stuck->notices[i], view->name, reading.time);
  stuck_free(snapshot->stuck);
}

/* Submits what a read has found. */
static void submit(const struct snapshot *snapshot, struct view *view) {
  view_log(view, snapshot);
  struct submission submission;
  submission_start(&submission, view->name, reading.time);
  metrics_each(view->settings, snapshot, submit_value, &submission);
  notify(snapshot, view);
  reading.values += submission.values;
  if (snapshot->sockets_error != 0 || snapshot->file != NULL ||
      snapshot->cgroups != NULL)
    reading.failed = true;
}

static void submit_namespace(struct netns *netns, struct view *view) {
  if (netns->error != 0) {
    view_log_missing(view, netns, netns->error);
    return;
  }
  trouble_release(&view->no_entry, view->label, "it is read again.");
  submit(&netns->snapshot, view);
}

/* Nine tenths of the interval from now: a read callback that takes longer than
 * the interval is late the next time, too. */
static int64_t find_deadline(void) {
  cdtime_t interval = plugin_get_interval();
  return clock_ms() + (int64_t)CDTIME_T_TO_MS(interval - interval / 10);
}

static void say_over(const struct alarm *alarm, void *data) {
  const struct view *view = data;
  struct notice notice;
  notice_okay(&notice, alarm, 0, view->settings->notify_stuck);
  submit_notice(&notice, view->name, reading.time);
}

static void start_patterns(void) {
  int64_t now = clock_ms();
  int64_t interval = (int64_t)CDTIME_T_TO_NS(plugin_get_interval());
  for (size_t i = 1; i <= settings.namespaces_num; i++)
    if (views[i].pattern != NULL)
      netns_pattern_start(views[i].pattern, &netns_set, now, interval, say_over,
                          &views[i]);
}

static void submit_pattern(struct view *view) {
  struct netns_pattern *pattern = view->pattern;
  struct submission submission;
  submission_start(&submission, view->name, reading.time);
  netns_pattern_end(pattern, submit_value, &submission);
  reading.values += submission.values;
  const char *reason;
  int err = netns_pattern_error(pattern, &reason);
  if (err != 0)
    trouble_complain(&view->no_entry, LOG_WARNING, view->label, pattern->failed,
                     reason, err, "Its part is missing or old.");
  else
    trouble_release(&view->no_entry, view->label,
                    "all of them are read again.");
}

static void read_namespaces(int64_t deadline) {
  netns_start(&netns_set);
  start_patterns();
  struct netns *netns;
  while ((netns = netns_next(&netns_set, deadline)) != NULL) {
    struct view *view = &views[netns->block + 1];
    if (view->pattern == NULL) {
      submit_namespace(netns, view);
      continue;
    }
    if (netns->error == 0) {
      view_log_mptcp(view, &netns->snapshot);
      view_log_cgroups(view, &netns->snapshot);
      notify(&netns->snapshot, view);
    }
    netns_pattern_take(view->pattern, &netns_set, netns);
  }
  for (size_t i = 0; i < netns_set.num; i++) {
    struct view *view = &views[netns_set.netns[i].block + 1];
    int err = netns_missing(&netns_set, &netns_set.netns[i]);
    if (err != 0 && view->pattern == NULL)
      view_log_missing(view, &netns_set.netns[i], err);
  }
  for (size_t i = 1; i <= settings.namespaces_num; i++)
    if (views[i].pattern != NULL)
      submit_pattern(&views[i]);
}

/* Without memory both are as before. */
static void refresh_services(void) {
  if (!settings_need_cgroups(&settings))
    return;
  cgroup_tree_refresh(&cgroups);
  int err = cgroups.names == NULL
                ? 0
                : service_names_refresh(cgroups.names, &cgroups, "/proc");
  if (err == 0 || err == -ENOMEM)
    return;
  char buf[ERRBUF_SIZE];
  const char *reason = hostname_strerror(err);
  P_INFO(
      "ServiceNames \"hostname\": %s. Containers are named after their control "
      "groups.",
      reason == NULL ? sstrerror(-err, buf, sizeof(buf)) : reason);
}

static void read_unhashed(struct snapshot *snapshot, int64_t deadline) {
  if (unhashed == NULL || snapshot->sums_error != 0)
    return;
  int64_t now = clock_ms();
  unhashed_read(unhashed, &snapshot->sums, now, deadline);
  snapshot->unhashed = unhashed->value;
  const char *what;
  const char *reason = unhashed_strerror(unhashed, &what);
  struct trouble *trouble = &views[0].no_unhashed;
  if (unhashed->gap != UNHASHED_KNOWN)
    trouble_complain(trouble, LOG_INFO, "", what, reason, unhashed->error,
                     "The number of unhashed sockets is missing.");
  else
    trouble_release(trouble, "", "unhashed sockets are counted again.");
  if (unhashed_alarm_update(&unhashed_alarm, unhashed->value,
                            settings.notify_unhashed, now, "/proc",
                            &reader.dump))
    submit_notice(&unhashed_alarm.notice, NULL, reading.time);
}

static int tcpstates_read(void) {
  int64_t deadline = find_deadline();
  reading.time = cdtime();
  reading.values = 0;
  reading.failed = false;
  struct snapshot snapshot;
  refresh_services();
  snapshot_read(&reader, &snapshot);
  read_unhashed(&snapshot, deadline);
  submit(&snapshot, &views[0]);
  read_namespaces(deadline);
  return reading.values == 0 && reading.failed ? -1 : 0;
}

static int tcpstates_shutdown(void) {
  size_t going_on = netns_close(&netns_set) + unhashed_close(unhashed);
  snapshot_close(&reader);
  if (going_on > 0) {
    P_WARNING("ending without waiting for %zu namespaces that are being read",
              going_on);
    return 0;
  }
  cgroup_tree_free(&cgroups);
  service_names_free(&service_names);
  for (size_t i = 0; i <= settings.namespaces_num && views != NULL; i++) {
    remarks_free(&views[i].remarks);
    if (views[i].pattern != NULL)
      netns_pattern_close(views[i].pattern);
    free(views[i].pattern);
  }
  settings_free(&settings);
  free(views);
  return 0;
}

void module_register(void) {
  settings_init(&settings);
  plugin_register_complex_config("tcpstates", tcpstates_config);
  plugin_register_init("tcpstates", tcpstates_init);
  plugin_register_read("tcpstates", tcpstates_read);
  plugin_register_shutdown("tcpstates", tcpstates_shutdown);
}
