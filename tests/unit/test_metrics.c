/* SPDX-License-Identifier: MIT */
/* metrics.c: the names, the order and the values of all that is dispatched. */
#include "metrics.h"

#include "check_main.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TYPES_DB "/usr/share/collectd/types.db"

#define REPORT_ALL                                                             \
  (REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 | REPORT_ORPHANS |       \
   REPORT_FIN_TIMEOUT | REPORT_LIMITS | REPORT_UNHASHED)

/* One value as users know it. */
struct golden {
  const char *type;
  const char *type_instance;
  unsigned report; /* it is there when all of these options are on */
  double value;
};

/* Each group has these; the value is added to the group's number. */
static const struct golden group_golden[] = {
    {"tcp_connections", "ESTABLISHED", REPORT_BY_STATE, 1},
    {"tcp_connections", "SYN_SENT", REPORT_BY_STATE, 2},
    {"tcp_connections", "SYN_RECV", REPORT_BY_STATE, 3},
    {"tcp_connections", "FIN_WAIT1", REPORT_BY_STATE, 4},
    {"tcp_connections", "FIN_WAIT2", REPORT_BY_STATE, 5},
    {"tcp_connections", "TIME_WAIT", REPORT_BY_STATE, 6},
    {"tcp_connections", "CLOSED", REPORT_BY_STATE | REPORT_CLOSED, 7},
    {"tcp_connections", "CLOSE_WAIT", REPORT_BY_STATE, 8},
    {"tcp_connections", "LAST_ACK", REPORT_BY_STATE, 9},
    {"tcp_connections", "LISTEN", REPORT_BY_STATE, 10},
    {"tcp_connections", "CLOSING", REPORT_BY_STATE, 11},
    {"current_connections", "fin_wait2_held", REPORT_FIN_WAIT2, 12},
    {"current_connections", "fin_wait2_orphaned", REPORT_FIN_WAIT2, 13},
    {"current_connections", "orphaned", REPORT_ORPHANS, 14},
};

/* The group "all" has these after them. */
static const struct golden all_golden[] = {
    {"duration", "tcp_fin_timeout", REPORT_FIN_TIMEOUT, 65},
    {"duration", "fin_wait2_lifetime", REPORT_FIN_TIMEOUT, 10},
    {"current_connections", "timewait_buckets", REPORT_LIMITS, 40},
    {"gauge", "tcp_max_tw_buckets", REPORT_LIMITS, 160},
    {"percent", "timewait_buckets", REPORT_LIMITS, 25},
};

static const struct golden machine_golden[] = {
    {"current_connections", "orphaned", REPORT_ORPHANS, 30},
    {"gauge", "tcp_max_orphans", REPORT_ORPHANS, 300},
    {"percent", "orphans", REPORT_ORPHANS, 10},
    {"current_connections", "allocated", REPORT_LIMITS, 50},
    {"current_connections", "unhashed", REPORT_UNHASHED, 70},
    {"gauge", "tcp_mem_used", REPORT_LIMITS, 60},
    {"gauge", "tcp_mem_low", REPORT_LIMITS, 100},
    {"gauge", "tcp_mem_pressure", REPORT_LIMITS, 110},
    {"gauge", "tcp_mem_high", REPORT_LIMITS, 120},
    {"percent", "tcp_mem", REPORT_LIMITS, 50},
};

static struct tally_counts counts(uint32_t group) {
  struct tally_counts c = {
      .fin_wait2_held = group + 12,
      .fin_wait2_orphaned = group + 13,
      .orphaned = group + 14,
  };
  for (uint32_t state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++)
    c.state[state] = group + state;
  return c;
}

/* A snapshot of one configured group and two listened ports. */
static struct group group = {.name = (char[]){"5432-remote"}};
static struct group_index group_index = {
    .groups = &group,
    .groups_num = 1,
    .listening_ports = {22, 65535},
    .listening_num = 2,
};
static struct tally_counts group_counts[3];
static struct tally tally;
static struct settings settings;
static struct snapshot snapshot;

static void start(void) {
  group.filter = (struct filter){.family = FILTER_ANY_FAMILY};
  for (uint32_t i = 0; i < 3; i++)
    group_counts[i] = counts(2000 + 1000 * i);
  tally = (struct tally){
      .index = &group_index,
      .all = counts(1000),
      .groups = group_counts,
      .size = CASES(group_counts),
  };
  settings = (struct settings){
      .all_ports_summary = CHOICE_TRUE,
      .listening_ports = CHOICE_TRUE,
      .report = REPORT_ALL,
      .groups = &group,
      .groups_num = 1,
  };
  snapshot = (struct snapshot){
      .closed_known = true,
      .index = &group_index,
      .tally = &tally,
      .sockstat = {.orphan = 30, .tw = 40, .alloc = 50, .mem = 60},
      .tcp_fin_timeout = 65,
      .tcp_max_tw_buckets = 160,
      .tcp_max_orphans = 300,
      .tcp_mem = {100, 110, 120},
      .unhashed = 70,
  };
}

/* Values as text, one a line. */
struct text {
  char lines[8192];
  size_t len;
  size_t num;
};

static void add_line(struct text *text, const char *plugin_instance,
                     const char *type, const char *type_instance,
                     double value) {
  size_t room = sizeof(text->lines) - text->len;
  int len = snprintf(text->lines + text->len, room, "%s/%s-%s %g\n",
                     plugin_instance, type, type_instance, value);
  ck_assert_uint_lt((size_t)len, room);
  text->len += (size_t)len;
  text->num++;
}

static void note_metric(const struct metric *metric, void *data) {
  add_line(data, metric->plugin_instance, metric->type, metric->type_instance,
           metric->value);
}

static struct text actual_text(void) {
  struct text text = {.num = 0};
  size_t num = metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_uint_eq(num, text.num);
  return text;
}

static void add_golden(struct text *text, const char *plugin_instance,
                       const struct golden *golden, int num, double more) {
  for (int i = 0; i < num; i++)
    if ((golden[i].report & ~settings.report) == 0)
      add_line(text, plugin_instance, golden[i].type, golden[i].type_instance,
               golden[i].value + more);
}

static void add_group_golden(struct text *text, const char *plugin_instance,
                             double more) {
  add_golden(text, plugin_instance, group_golden, CASES(group_golden), more);
}

/* What is to be dispatched under the settings; sockets: groups too. */
static struct text expected_text(bool sockets) {
  struct text text = {.num = 0};
  if (sockets && settings.all_ports_summary == CHOICE_TRUE)
    add_group_golden(&text, "all", 1000);
  add_golden(&text, "all", all_golden, CASES(all_golden), 0);
  if (sockets) {
    add_group_golden(&text, "5432-remote", 2000);
    add_group_golden(&text, "22-local", 3000);
    add_group_golden(&text, "65535-local", 4000);
  }
  add_golden(&text, "machine", machine_golden, CASES(machine_golden), 0);
  return text;
}

static void assert_same_lines(const struct text *actual,
                              const struct text *expected, const char *name) {
  const char *a = actual->lines;
  const char *b = expected->lines;
  while (*a != '\0' || *b != '\0') {
    int a_len = (int)strcspn(a, "\n");
    int b_len = (int)strcspn(b, "\n");
    ck_assert_msg(a_len == b_len && strncmp(a, b, (size_t)a_len) == 0,
                  "%s: \"%.*s\", not \"%.*s\"", name, a_len, a, b_len, b);
    a += a_len + 1;
    b += b_len + 1;
  }
}

static void assert_text_is_as_expected(bool sockets, const char *name) {
  struct text actual = actual_text();
  struct text expected = expected_text(sockets);
  assert_same_lines(&actual, &expected, name);
}

static const struct {
  const char *name;
  unsigned report;
} reports[] = {
    {"ReportByState", REPORT_BY_STATE},       {"ReportClosed", REPORT_CLOSED},
    {"ReportFinWait2", REPORT_FIN_WAIT2},     {"ReportOrphans", REPORT_ORPHANS},
    {"ReportFinTimeout", REPORT_FIN_TIMEOUT}, {"ReportLimits", REPORT_LIMITS},
};

/* All, all but each one, and each one alone; with the summary and without. */
START_TEST(report_options_give_exactly_their_values_in_order) {
  static const enum settings_choice summaries[] = {CHOICE_TRUE, CHOICE_FALSE};
  for (int i = 0; i < CASES(summaries); i++) {
    settings.all_ports_summary = summaries[i];
    settings.report = REPORT_ALL;
    assert_text_is_as_expected(true, "all values");
    for (int j = 0; j < CASES(reports); j++) {
      settings.report = REPORT_ALL & ~reports[j].report;
      assert_text_is_as_expected(true, reports[j].name);
      settings.report = reports[j].report;
      assert_text_is_as_expected(true, reports[j].name);
    }
  }
}
END_TEST

START_TEST(failed_dump_removes_the_values_of_all_groups_only) {
  snapshot.sockets_error = -EPROTO;
  assert_text_is_as_expected(false, "values");
}
END_TEST

START_TEST(kernel_that_does_not_tell_closed_has_no_value_for_it) {
  snapshot.closed_known = false;
  struct text actual = actual_text();
  ck_assert_ptr_null(strstr(actual.lines, "CLOSED"));
  ck_assert_uint_eq(actual.num, expected_text(true).num - 4);
}
END_TEST

/* What minisockets and request socks are part of. */
static const char *const unknown_of_cgroups[] = {
    "tcp_connections-SYN_RECV ",
    "tcp_connections-FIN_WAIT2 ",
    "tcp_connections-TIME_WAIT ",
    "current_connections-fin_wait2_orphaned ",
};

/* The group 5432-remote asks for a control group. Removes what is not known of
 * it then; known: some values are. */
static void remove_unknown_of_cgroups(struct text *text, bool known) {
  for (char *line = text->lines; *line != '\0';) {
    char *next = strchr(line, '\n') + 1;
    const char *value = strchr(line, '/') + 1;
    bool unknown = !known;
    for (int i = 0; i < CASES(unknown_of_cgroups); i++)
      unknown = unknown || strncmp(value, unknown_of_cgroups[i],
                                   strlen(unknown_of_cgroups[i])) == 0;
    if (unknown && strncmp(line, "5432-remote/", strlen("5432-remote/")) == 0)
      memmove(line, next, strlen(next) + 1);
    else
      line = next;
  }
}

START_TEST(of_control_groups_only_full_sockets_are_told) {
  char *paths[] = {(char[]){"/a"}};
  struct text expected = expected_text(true);
  /* First those that no filter of control groups keeps back. */
  struct id_list ids[8] = {{.num = 0}};
  for (int i = 0; i < CASES(ids); i++)
    ids[i].known = _i == 1;
  assert_text_is_as_expected(true, "no control group");
  group.filter.cgroups = (struct path_set){.paths = paths, .num = 1};
  if (_i < 2)
    group_index.cgroup_ids = ids;
  remove_unknown_of_cgroups(&expected, _i == 1);
  struct text actual = actual_text();
  assert_same_lines(&actual, &expected, "values");
}
END_TEST

START_TEST(ephemeral_ports_are_told_where_they_are_known) {
  settings.report = REPORT_EPHEMERAL_PORTS;
  static struct text text;
  text = (struct text){.num = 0};
  metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_str_eq(text.lines, "");
  group_counts[0].ephemeral_ports = 28232;
  group_counts[0].fullest_destination = 14116;
  group_counts[0].ephemeral_utilization = 5000;
  metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_str_eq(text.lines,
                   "5432-remote/gauge-ephemeral_ports 28232\n"
                   "5432-remote/current_connections-fullest_destination 14116\n"
                   "5432-remote/percent-ephemeral_ports 50\n");
}
END_TEST

static struct group mptcp_group = {.name = (char[]){"m"}};

/* Those of a group, and none of ages that the kernel does not tell. */
START_TEST(groups_of_mptcp_come_last_with_all_states) {
  static struct tally_counts of_mptcp;
  struct mptcp mptcp = {.has_ages = _i == 0,
                        .index = {.groups = &mptcp_group, .groups_num = 1},
                        .tally = {.groups = &of_mptcp}};
  of_mptcp = counts(0);
  of_mptcp.close_wait_stuck = 77;
  of_mptcp.close_wait_unaccepted = 78;
  of_mptcp.close_wait_oldest = 79000;
  mptcp_group.filter.cgroups.num = 0;
  snapshot.mptcp = &mptcp;
  snapshot.closed_known = false;
  settings.report = REPORT_BY_STATE | REPORT_STUCK;
  static struct text text;
  text = (struct text){.num = 0};
  metrics_each(&settings, &snapshot, note_metric, &text);
  const char *own = strstr(text.lines, "\nm/");
  ck_assert_ptr_nonnull(own);
  ck_assert(strstr(own, "65535-local") == NULL);
  ck_assert_ptr_nonnull(strstr(own, "\nm/tcp_connections-CLOSED 7\n"));
  ck_assert_ptr_nonnull(strstr(own, "\nm/tcp_connections-TIME_WAIT 6\n"));
  ck_assert_ptr_nonnull(
      strstr(own, "\nm/current_connections-close_wait_unaccepted 78\n"));
  bool ages = _i == 0;
  ck_assert_int_eq(
      strstr(own, "\nm/current_connections-close_wait_stuck 77\n") != NULL,
      ages);
  ck_assert_int_eq(strstr(own, "\nm/duration-close_wait_oldest 79\n") != NULL,
                   ages);

  /* Not while its control groups are unknown, nor without a dump. */
  text = (struct text){.num = 0};
  mptcp_group.filter.cgroups.num = 1;
  metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_ptr_null(strstr(text.lines, "\nm/"));
  const struct id_list ids = {.known = true};
  mptcp.index.cgroup_ids = &ids;
  metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_ptr_nonnull(strstr(text.lines, "\nm/tcp_connections-FIN_WAIT2 5"));
  text = (struct text){.num = 0};
  snapshot.mptcp_error = -ENOENT;
  metrics_each(&settings, &snapshot, note_metric, &text);
  ck_assert_ptr_null(strstr(text.lines, "\nm/"));
  ck_assert_ptr_nonnull(strstr(text.lines, "65535-local/"));
}
END_TEST

START_TEST(count_of_0_is_a_value) {
  memset(&tally.all, 0, sizeof(tally.all));
  snapshot.sockstat = (struct proc_sockstat){.tw = 0};
  struct text actual = actual_text();
  ck_assert_uint_eq(actual.num, expected_text(true).num);
  static const char *const zeros[] = {
      "all/tcp_connections-CLOSING 0\n",
      "all/current_connections-fin_wait2_held 0\n",
      "all/current_connections-timewait_buckets 0\n",
      "all/percent-timewait_buckets 0\n",
      "machine/current_connections-orphaned 0\n",
      "machine/percent-orphans 0\n",
      "machine/gauge-tcp_mem_used 0\n",
  };
  for (int i = 0; i < CASES(zeros); i++)
    ck_assert_ptr_nonnull(strstr(actual.lines, zeros[i]));
}
END_TEST

static const struct {
  size_t offset; /* of an int64_t in struct snapshot */
  const char *values[3];
} unknowns[] = {
    {offsetof(struct snapshot, sockstat.orphan),
     {"machine/current_connections-orphaned 30\n",
      "machine/percent-orphans 10\n"}},
    {offsetof(struct snapshot, sockstat.tw),
     {"all/current_connections-timewait_buckets 40\n",
      "all/percent-timewait_buckets 25\n"}},
    {offsetof(struct snapshot, sockstat.alloc),
     {"machine/current_connections-allocated 50\n"}},
    {offsetof(struct snapshot, unhashed),
     {"machine/current_connections-unhashed 70\n"}},
    {offsetof(struct snapshot, sockstat.mem),
     {"machine/gauge-tcp_mem_used 60\n", "machine/percent-tcp_mem 50\n"}},
    {offsetof(struct snapshot, tcp_fin_timeout),
     {"all/duration-tcp_fin_timeout 65\n",
      "all/duration-fin_wait2_lifetime 10\n"}},
    {offsetof(struct snapshot, tcp_max_tw_buckets),
     {"all/gauge-tcp_max_tw_buckets 160\n",
      "all/percent-timewait_buckets 25\n"}},
    {offsetof(struct snapshot, tcp_max_orphans),
     {"machine/gauge-tcp_max_orphans 300\n", "machine/percent-orphans 10\n"}},
    {offsetof(struct snapshot, tcp_mem[0]),
     {"machine/gauge-tcp_mem_low 100\n"}},
    {offsetof(struct snapshot, tcp_mem[1]),
     {"machine/gauge-tcp_mem_pressure 110\n"}},
    {offsetof(struct snapshot, tcp_mem[2]),
     {"machine/gauge-tcp_mem_high 120\n", "machine/percent-tcp_mem 50\n"}},
};

START_TEST(unknown_number_removes_exactly_what_is_made_from_it) {
  struct text expected = actual_text();
  for (int i = 0; i < 3 && unknowns[_i].values[i] != NULL; i++) {
    char *line = strstr(expected.lines, unknowns[_i].values[i]);
    ck_assert_ptr_nonnull(line);
    size_t len = strlen(unknowns[_i].values[i]);
    memmove(line, line + len, strlen(line + len) + 1);
  }
  int64_t *number = (void *)((char *)&snapshot + unknowns[_i].offset);
  *number = PROC_UNKNOWN;
  struct text actual = actual_text();
  assert_same_lines(&actual, &expected, unknowns[_i].values[0]);
}
END_TEST

static const struct {
  int64_t number;
  int64_t limit;
  const char *percent; /* NULL: no value */
} percents[] = {
    {0, 10, "0"},
    {5, 10, "50"},
    {1, 8, "12.5"},
    {10, 10, "100"},
    {11, 10, "100"},
    {INT64_MAX, 1, "100"},
    {1, INT64_MAX, "1.0842e-17"},
    {5, 0, NULL},
    {0, 0, NULL},
    {PROC_UNKNOWN, 10, NULL},
    {5, PROC_UNKNOWN, NULL},
};

START_TEST(percent_ends_at_100_and_needs_a_limit) {
  snapshot.sockstat.orphan = percents[_i].number;
  snapshot.sockstat.tw = percents[_i].number;
  snapshot.sockstat.mem = percents[_i].number;
  snapshot.tcp_max_orphans = percents[_i].limit;
  snapshot.tcp_max_tw_buckets = percents[_i].limit;
  snapshot.tcp_mem[2] = percents[_i].limit;
  struct text actual = actual_text();
  static const char *const names[] = {
      "\nall/percent-timewait_buckets ",
      "\nmachine/percent-orphans ",
      "\nmachine/percent-tcp_mem ",
  };
  for (int i = 0; i < CASES(names); i++) {
    const char *line = strstr(actual.lines, names[i]);
    if (percents[_i].percent == NULL) {
      ck_assert_ptr_null(line);
      continue;
    }
    ck_assert_ptr_nonnull(line);
    const char *value = line + strlen(names[i]);
    ck_assert_int_eq(
        strncmp(value, percents[_i].percent, strlen(percents[_i].percent)), 0);
    ck_assert_int_eq(value[strlen(percents[_i].percent)], '\n');
  }
}
END_TEST

static const struct {
  int64_t tcp_fin_timeout;
  double nominal;
  double measured; /* how long the kernel really kept it */
} lifetimes[] = {
    {0, 0.7, 0.73}, {1, 1, 1.02},      {3, 3, 3.03},      {10, 10, 10.04},
    {60, 60, 61.7}, {61, 2, 2.05},     {65, 10, 10.2},    {70, 20, 20.4},
    {90, 60, 62.1}, {120, 120, 121.8}, {180, 240, 242.7},
};

START_TEST(lifetime_of_an_orphaned_fin_wait2_is_as_measured) {
  double lifetime = metrics_fin_wait2_lifetime(lifetimes[_i].tcp_fin_timeout);
  ck_assert_double_eq_tol(lifetime, lifetimes[_i].nominal, 1e-9);
  /* The timer wheel is never early, and late by a few percent. */
  ck_assert_double_le(lifetime, lifetimes[_i].measured);
  ck_assert_double_le(lifetimes[_i].measured, lifetime * 1.05 + 0.05);
}
END_TEST

/* Is there a line of this type with one gauge in types.db? */
static bool is_gauge_type(FILE *types_db, const char *type) {
  char line[1024];
  size_t len = strlen(type);
  rewind(types_db);
  while (fgets(line, sizeof(line), types_db) != NULL) {
    if (strncmp(line, type, len) != 0 || strspn(line + len, " \t") == 0)
      continue;
    const char *source = line + len + strspn(line + len, " \t");
    return strstr(source, ":GAUGE:") != NULL && strchr(source, ',') == NULL;
  }
  return false;
}

static void check_type(const struct metric *metric, void *data) {
  ck_assert_msg(is_gauge_type(data, metric->type), "%s is not in " TYPES_DB,
                metric->type);
}

START_TEST(every_type_is_one_gauge_in_collectds_types_db) {
  FILE *types_db = fopen(TYPES_DB, "r");
  ck_assert_ptr_nonnull(types_db);
  metrics_each(&settings, &snapshot, check_type, types_db);
  fclose(types_db);
}
END_TEST

START_TEST(no_two_values_have_the_same_name) {
  struct text actual = actual_text();
  for (char *line = actual.lines; *line != '\0';) {
    size_t name_len = strcspn(line, " ") + 1;
    char *next = strchr(line, '\n') + 1;
    for (char *other = next; *other != '\0'; other = strchr(other, '\n') + 1)
      ck_assert_msg(strncmp(line, other, name_len) != 0, "%.*s", (int)name_len,
                    line);
    line = next;
  }
}
END_TEST

START_TEST(nothing_to_do) {}
END_TEST

int main(void) {
  Suite *suite = suite_create("metrics");
  TCase *tc = tcase_create("metrics");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_test(tc, report_options_give_exactly_their_values_in_order);
  tcase_add_test(tc, failed_dump_removes_the_values_of_all_groups_only);
  tcase_add_test(tc, kernel_that_does_not_tell_closed_has_no_value_for_it);
  tcase_add_loop_test(tc, of_control_groups_only_full_sockets_are_told, 0, 3);
  tcase_add_test(tc, ephemeral_ports_are_told_where_they_are_known);
  tcase_add_loop_test(tc, groups_of_mptcp_come_last_with_all_states, 0, 2);
  tcase_add_test(tc, count_of_0_is_a_value);
  tcase_add_loop_test(tc, unknown_number_removes_exactly_what_is_made_from_it,
                      0, CASES(unknowns));
  tcase_add_loop_test(tc, percent_ends_at_100_and_needs_a_limit, 0,
                      CASES(percents));
  tcase_add_loop_test(tc, lifetime_of_an_orphaned_fin_wait2_is_as_measured, 0,
                      CASES(lifetimes));
  tcase_add_test(tc, no_two_values_have_the_same_name);
  if (access(TYPES_DB, R_OK) == 0)
    tcase_add_test(tc, every_type_is_one_gauge_in_collectds_types_db);
  else
    check_skip(suite, "every_type_is_one_gauge_in_collectds_types_db",
               "there is no " TYPES_DB, nothing_to_do);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
