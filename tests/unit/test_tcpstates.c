/* SPDX-License-Identifier: MIT */
/* tcpstates.c: what the daemon sees of a read. The daemon's functions and those
 * below __wrap_ take the place of collectd's and of the modules'. */
#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"
#include "utils_complain.h"

#include "metrics.h"
#include "unhashed.h"

#include "check_main.h"
#include "oconfig_tree.h"

void module_register(void);

/* What the plugin has registered, logged and dispatched. */
static struct {
  int (*config)(oconfig_item_t *block);
  plugin_init_cb init;
  int (*read)(void);
  plugin_shutdown_cb shutdown;
  char log[4096];
  size_t values, pattern_values;
} plugin;

/* What a read finds. */
static struct {
  struct snapshot snapshot;
  size_t values;
} found;

char *hostname_g;

int plugin_register_complex_config(const char *type,
                                   int (*callback)(oconfig_item_t *)) {
  ck_assert_str_eq(type, "tcpstates");
  plugin.config = callback;
  return 0;
}
int plugin_register_init(const char *name, plugin_init_cb callback) {
  ck_assert_str_eq(name, "tcpstates");
  plugin.init = callback;
  return 0;
}
int plugin_register_read(const char *name, int (*callback)(void)) {
  ck_assert_str_eq(name, "tcpstates");
  plugin.read = callback;
  return 0;
}
int plugin_register_shutdown(const char *name, plugin_shutdown_cb callback) {
  ck_assert_str_eq(name, "tcpstates");
  plugin.shutdown = callback;
  return 0;
}

__attribute__((format(printf, 2, 0))) static void
add_log(int level, const char *format, va_list args) {
  size_t len = strlen(plugin.log);
  const char *name = level == LOG_ERR       ? "error"
                     : level == LOG_WARNING ? "warning"
                                            : "info";
  len += (size_t)snprintf(plugin.log + len, sizeof(plugin.log) - len,
                          "%s: ", name);
  len += (size_t)vsnprintf(plugin.log + len, sizeof(plugin.log) - len, format,
                           args);
  ck_assert_uint_lt(len + 1, sizeof(plugin.log));
  memcpy(plugin.log + len, "\n", 2);
}

void daemon_log(int level, const char *format, ...) {
  va_list args;
  va_start(args, format);
  add_log(level, format, args);
  va_end(args);
}

/* The daemon's repeats less and less often; here the first alone is kept. */
void c_complain(int level, c_complain_t *c, const char *format, ...) {
  if (c->interval != 0)
    return;
  c->interval = 1;
  va_list args;
  va_start(args, format);
  add_log(level, format, args);
  va_end(args);
}
void c_do_release(int level, c_complain_t *c, const char *format, ...) {
  *c = (c_complain_t)C_COMPLAIN_INIT_STATIC;
  va_list args;
  va_start(args, format);
  add_log(level, format, args);
  va_end(args);
}

char *sstrncpy(char *dest, const char *src, size_t n) {
  snprintf(dest, n, "%s", src);
  return dest;
}
char *sstrerror(int errnum, char *buf, size_t buflen) {
  snprintf(buf, buflen, "errno %d", errnum);
  return buf;
}
cdtime_t cdtime(void) { return TIME_T_TO_CDTIME_T(1700000000); }
cdtime_t plugin_get_interval(void) { return TIME_T_TO_CDTIME_T(10); }

int plugin_dispatch_values(value_list_t const *vl) {
  ck_assert_str_eq(vl->plugin, "tcpstates");
  if (strcmp(vl->plugin_instance, "all@pods") == 0) {
    plugin.pattern_values++;
    return 0;
  }
  ck_assert_str_eq(vl->plugin_instance, "443-local");
  ck_assert_str_eq(vl->type, "gauge");
  ck_assert_str_eq(vl->type_instance, "name");
  ck_assert_uint_eq(vl->values_len, 1);
  ck_assert(vl->values[0].gauge == 7 && vl->time == cdtime());
  plugin.values++;
  return 0;
}
int plugin_dispatch_notification(const notification_t *notification) {
  ck_abort_msg("%s", notification->message);
}

int plugin_notification_meta_add_string(notification_t *n, const char *name,
                                        const char *value) {
  ck_abort_msg("%s: %s: %s", n->message, name, value);
}

int plugin_notification_meta_free(notification_meta_t *meta) {
  ck_abort_msg("%p", (void *)meta);
}

void __wrap_snapshot_read(struct snapshot_reader *reader, struct snapshot *out);
void __wrap_snapshot_read(struct snapshot_reader *reader,
                          struct snapshot *out) {
  *out = found.snapshot;
  out->index = &reader->index;
  out->tally = &reader->tally;
}

/* Of all processes it would say what they are here: in a container not all are
 * seen. */
void __wrap_unhashed_read(struct unhashed *unhashed,
                          const struct netns_sums *own, int64_t now,
                          int64_t deadline);
void __wrap_unhashed_read(struct unhashed *unhashed,
                          const struct netns_sums *own, int64_t now,
                          int64_t deadline) {
  (void)own;
  (void)now;
  (void)deadline;
  unhashed->gap = UNHASHED_KNOWN;
}

size_t __wrap_metrics_each(const struct settings *settings,
                           const struct snapshot *snapshot, metric_cb cb,
                           void *data);
size_t __wrap_metrics_each(const struct settings *settings,
                           const struct snapshot *snapshot, metric_cb cb,
                           void *data) {
  (void)settings;
  (void)snapshot;
  for (size_t i = 0; i < found.values; i++)
    cb(&(struct metric){"443-local", "gauge", "name", 7}, data);
  return found.values;
}

/* Runs in a process of its own: the plugin has static variables. */
static void start(oconfig_item_t *option) {
  module_register();
  oconfig_item_t block = {.key = (char[]){"Plugin"},
                          .children = option,
                          .children_num = option != NULL};
  ck_assert_int_eq(plugin.config(&block), 0);
  ck_assert_int_eq(plugin.init(), 0);
}

/* That would be one more line of each read that fails. */
static oconfig_item_t no_namespace = NAMED_BLOCK(
    "Namespace", TEXT("/nowhere/at/all"), OPTION("Name", TEXT("blue")));
#define NO_NAMESPACE                                                           \
  "error: tcpstates plugin: namespace blue: /nowhere/at/all: there is no "     \
  "such namespace (yet, or any more). Its values are missing.\n"

static const struct {
  const char *name;
  size_t values;
  int sockets_error;
  const char *file;
  bool other_namespace;
  int expected;
  const char *log;
} reads[] = {
    {"values", 3, 0, NULL, false, 0, ""},
    {"nothing, as there is nothing", 0, 0, NULL, false, 0, ""},
    {"values, but no sockets", 3, -ENOBUFS, NULL, false, 0,
     "error: tcpstates plugin: no socket counts: errno 105. Other values are "
     "still reported.\n"},
    {"no sockets", 0, -ENOBUFS, NULL, false, -1,
     "error: tcpstates plugin: no socket counts: errno 105. Other values are "
     "still reported.\n"},
    {"no sockets, by an error of number 1", 0, 1, NULL, false, -1, NULL},
    {"values, but not those of a file", 3, 0, "/proc/x", false, 0,
     "warning: tcpstates plugin: /proc/x: errno 13. Its values are missing.\n"},
    {"no file", 0, 0, "/proc/x", false, -1,
     "warning: tcpstates plugin: /proc/x: errno 13. Its values are missing.\n"},
    {"neither sockets nor a file", 0, -ENOBUFS, "/proc/x", false, -1, NULL},
    {"nothing, and no other namespace", 0, 0, NULL, true, 0, NO_NAMESPACE},
    {"no file, and no other namespace", 0, 0, "/proc/x", true, -1,
     "warning: tcpstates plugin: /proc/x: errno 13. Its values are "
     "missing.\n" NO_NAMESPACE},
};

START_TEST(a_read_fails_that_has_no_value_because_something_failed) {
  start(reads[_i].other_namespace ? &no_namespace : NULL);
  found.values = reads[_i].values;
  found.snapshot = (struct snapshot){.sockets_error = reads[_i].sockets_error,
                                     .file = reads[_i].file,
                                     .file_error = -EACCES};
  ck_assert_msg(plugin.read() == reads[_i].expected, "%s", reads[_i].name);
  ck_assert_uint_eq(plugin.values, reads[_i].values);
  if (reads[_i].log != NULL)
    ck_assert_str_eq(plugin.log, reads[_i].log);
  /* What is known is not said again; that it is over is. */
  size_t len = strlen(plugin.log);
  ck_assert_int_eq(plugin.read(), reads[_i].expected);
  ck_assert_uint_eq(strlen(plugin.log), len);
  found.snapshot = (struct snapshot){.file = NULL};
  plugin.log[0] = '\0';
  ck_assert_int_eq(plugin.read(), 0);
  char expected[200];
  snprintf(expected, sizeof(expected), "%s%s",
           reads[_i].sockets_error == 0
               ? ""
               : "info: tcpstates plugin: the sockets are counted again.\n",
           reads[_i].file == NULL
               ? ""
               : "info: tcpstates plugin: all files are read again.\n");
  ck_assert_str_eq(plugin.log, expected);
  /* Values of the reads before do not count. */
  found.values = 0;
  found.snapshot.sockets_error = -ENOBUFS;
  ck_assert_int_eq(plugin.read(), -1);
  ck_assert_int_eq(plugin.shutdown(), 0);
}
END_TEST

static const struct {
  int error;
  const char *reason;
} file_errors[] = {
    {-EBADMSG, "not understood"},
    {-ENODEV, "no cgroup v2 with Linux 5.8 or later here"},
    {-EACCES, "errno 13"},
};

/* Values there are. */
static void assert_read_says(const char *text) {
  plugin.log[0] = '\0';
  ck_assert_int_eq(plugin.read(), 0);
  ck_assert_str_eq(plugin.log, text);
}

START_TEST(what_is_wrong_with_a_file_is_said) {
  start(NULL);
  found.values = 1;
  found.snapshot =
      (struct snapshot){.file = "/proc/y", .file_error = file_errors[_i].error};
  char expected[200];
  snprintf(expected, sizeof(expected),
           "warning: tcpstates plugin: /proc/y: %s. Its values are missing.\n",
           file_errors[_i].reason);
  assert_read_says(expected);
  /* Another reason for the same file is news. */
  found.snapshot.file_error = -EIO;
  assert_read_says("warning: tcpstates plugin: /proc/y: errno 5. "
                   "Its values are missing.\n");
  /* So is the same one for another file. */
  found.snapshot.file = "/proc/x";
  assert_read_says("warning: tcpstates plugin: /proc/x: errno 5. "
                   "Its values are missing.\n");
  plugin.shutdown();
}
END_TEST

static const struct {
  int error;
  bool in_part;
  const char *text;
} cgroups_errors[] = {
    {-ENODEV, false,
     "no cgroup v2 with Linux 5.8 or later here. Its values are missing."},
    {-EOVERFLOW, true,
     "too many control groups, or too deep. What is in there is not counted."},
    {-EACCES, false, "errno 13. Its values are missing."},
};

START_TEST(what_is_not_known_of_control_groups_is_said) {
  start(NULL);
  found.values = 1;
  found.snapshot =
      (struct snapshot){.cgroups = "/sys/fs/cgroup",
                        .cgroups_error = cgroups_errors[_i].error,
                        .cgroups_in_part = cgroups_errors[_i].in_part};
  char expected[200];
  snprintf(expected, sizeof(expected),
           "warning: tcpstates plugin: /sys/fs/cgroup: %s\n",
           cgroups_errors[_i].text);
  assert_read_says(expected);
  /* A file that cannot be read is said besides. */
  found.snapshot.file = "/proc/x";
  found.snapshot.file_error = -EIO;
  assert_read_says("warning: tcpstates plugin: /proc/x: errno 5. "
                   "Its values are missing.\n");
  found.snapshot = (struct snapshot){.file = NULL};
  assert_read_says("info: tcpstates plugin: the control groups are known "
                   "again.\n"
                   "info: tcpstates plugin: all files are read again.\n");
  /* Without a value the read has failed. */
  found.snapshot.cgroups = "/sys/fs/cgroup";
  found.values = 0;
  ck_assert_int_eq(plugin.read(), -1);
  plugin.shutdown();
}
END_TEST

START_TEST(how_sockets_are_counted_is_logged_when_it_changes) {
  start(NULL);
  strcpy(found.snapshot.method, "counting: in some method");
  plugin.read();
  ck_assert_str_eq(plugin.log, "info: counting: in some method\n");
  found.snapshot.method[0] = '\0';
  plugin.read();
  ck_assert_str_eq(plugin.log, "info: counting: in some method\n");
  plugin.shutdown();
}
END_TEST

START_TEST(a_pattern_that_leads_nowhere_takes_nothing_away) {
  oconfig_item_t pattern = NAMED_BLOCK("Namespace", TEXT("/nowhere/at/all-*"),
                                       OPTION("Name", TEXT("pods")));
  start(&pattern);
  found.values = 3;
  for (int i = 1; i <= 3; i++) {
    ck_assert_int_eq(plugin.read(), 0);
    ck_assert_uint_eq(plugin.values, 3 * (size_t)i);
    ck_assert_uint_ge(plugin.pattern_values, (size_t)i);
  }
  ck_assert_ptr_null(strstr(plugin.log, "error: "));
  /* Its values are values of the read. */
  found.values = 0;
  found.snapshot.sockets_error = -ENOBUFS;
  ck_assert_int_eq(plugin.read(), 0);
  ck_assert_uint_ge(plugin.pattern_values, 4);
  ck_assert_int_eq(plugin.shutdown(), 0);
}
END_TEST

START_TEST(a_configuration_that_selects_no_group_is_told) {
  oconfig_item_t option = OPTION("AllPortsSummary", BOOLEAN(false));
  oconfig_item_t in_namespace = NAMED_BLOCK(
      "Namespace", TEXT("blue"), OPTION("AllPortsSummary", BOOLEAN(false)));
  start(_i == 0 ? &option : &in_namespace);
  ck_assert_str_eq(
      plugin.log,
      _i == 0 ? "info: no group is selected: each listening port is one, as in "
                "tcpconns\n"
              : "info: namespace blue: no group is selected: each listening "
                "port is one, as in tcpconns\n");
  plugin.shutdown();
}
END_TEST

START_TEST(a_refused_configuration_is_an_error) {
  module_register();
  oconfig_item_t option = OPTION("LocalPort", NUMBER(0));
  oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  ck_assert_int_ne(plugin.config(&block), 0);
  ck_assert_ptr_eq(strstr(plugin.log, "error: LocalPort 0: not a port; "),
                   plugin.log);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tcpstates");
  TCase *tcase = tcase_create("tcpstates");
  tcase_add_loop_test(tcase,
                      a_read_fails_that_has_no_value_because_something_failed,
                      0, CASES(reads));
  tcase_add_loop_test(tcase, what_is_not_known_of_control_groups_is_said, 0,
                      CASES(cgroups_errors));
  tcase_add_loop_test(tcase, what_is_wrong_with_a_file_is_said, 0,
                      CASES(file_errors));
  tcase_add_test(tcase, a_pattern_that_leads_nowhere_takes_nothing_away);
  tcase_add_test(tcase, how_sockets_are_counted_is_logged_when_it_changes);
  tcase_add_loop_test(tcase, a_configuration_that_selects_no_group_is_told, 0,
                      2);
  tcase_add_test(tcase, a_refused_configuration_is_an_error);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
