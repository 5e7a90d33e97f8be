/* SPDX-License-Identifier: MIT */
/* snapshot.c: what is asked for and counted, from read to read. */
#include "fake_machine.h"

#include "check_main.h"

#include <errno.h>
#include <string.h>

#define MANY "1000000"

static const struct {
  unsigned report;
  const char *release;
  bool asked, known;
} closed[] = {
    {REPORT_BY_STATE | REPORT_CLOSED, "6.12.9-amd64", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.8.0", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.8", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.8-rc1", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.10.1", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "7.0.0", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "10.1.0", true, true},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.7.12-200.fc39", true, false},
    {REPORT_BY_STATE | REPORT_CLOSED, "6.1.0-18-amd64", true, false},
    {REPORT_BY_STATE | REPORT_CLOSED, "5.10.0", true, false},
    {REPORT_BY_STATE | REPORT_CLOSED, "unknown", true, false},
    {REPORT_BY_STATE | REPORT_CLOSED, "6", true, false},
    {REPORT_BY_STATE | REPORT_CLOSED, NULL, true, false},
    {REPORT_BY_STATE, "6.12.9-amd64", false, false},
    {REPORT_BY_STATE, "5.10.0", false, false},
    {REPORT_STUCK | REPORT_CLOSED, "6.12.9-amd64", false, false},
};

START_TEST(bound_only_sockets_are_asked_for_only_with_report_closed) {
  machine.settings.report = closed[_i].report;
  machine.release = closed[_i].release;
  fake_machine_read_first();
  uint32_t states = machine.requests[0].states;
  const char *name = closed[_i].release == NULL ? "-" : closed[_i].release;
  ck_assert_msg(!(states & 1u << TCP_CLOSE), "%s: bit 7", name);
  ck_assert_msg(!(states & 1u << DIAG_STATE_BOUND_INACTIVE) ==
                    !closed[_i].asked,
                "%s: bit 13", name);
  ck_assert_msg(machine.snapshot.closed_known == closed[_i].known, "%s: known",
                name);
}
END_TEST

START_TEST(
    stuck_is_what_is_older_than_stuck_after_whatever_tcp_fin_timeout_is) {
  static const uint32_t stuck_afters[] = {1, 60, 65, 66, 31536000};
  /* One socket has 66 s. */
  temp_tree_file(&machine.proc, FIN_TIMEOUT, _i % 2 == 0 ? "10\n" : "600\n");
  machine.settings.report = REPORT_BY_STATE | REPORT_STUCK;
  machine.settings.stuck_after = stuck_afters[_i / 2];
  fake_machine_read_first();
  ck_assert_uint_eq(machine.snapshot.tally->all.close_wait_stuck,
                    stuck_afters[_i / 2] < 66);
  /* Only ReportFinTimeout needs the file. */
  ck_assert_int_eq(machine.snapshot.tcp_fin_timeout, PROC_UNKNOWN);
}
END_TEST

START_TEST(holders_are_found_only_for_notifications) {
  machine.settings.notify_stuck = (uint32_t)_i;
  fake_machine_read_first();
  if (_i == 0) {
    ck_assert_ptr_null(machine.snapshot.stuck);
    return;
  }
  const struct holders *holders = &machine.snapshot.stuck->holders;
  ck_assert_uint_eq(holders->num, 1);
  ck_assert_uint_eq(holders->holder[0].num, 1);
  ck_assert_uint_eq(holders->holder[0].port, 443);
}
END_TEST

#define FEW "counting: every socket is dumped: there are few"
#define FIRST                                                                  \
  "counting: every socket is dumped: this is the first read of the groups"
#define SUMS "counting: ESTABLISHED and TIME_WAIT are the kernel's sums"
#define REFUSED                                                                \
  "counting: every socket is dumped: this kernel cannot filter them by group"

static struct port_range range = {8080, 8080};
static struct group port_group = {(char[]){"8080-local"},
                                  {.local_ports = {&range, 1}}};

START_TEST(method_is_told_when_it_is_another_one) {
  static const struct {
    const char *sockstat, *method;
  } reads[] = {
      {SOCKSTAT_INUSE("27"), FEW},  {SOCKSTAT_INUSE("28"), ""},
      {SOCKSTAT_INUSE(MANY), SUMS}, {SOCKSTAT_INUSE(MANY), ""},
      {SOCKSTAT_INUSE("27"), FEW},  {SOCKSTAT_INUSE("27"), ""},
      {SOCKSTAT_INUSE(MANY), SUMS},
  };
  machine.settings.groups = &port_group;
  machine.settings.groups_num = 1;
  for (int i = 0; i < CASES(reads); i++) {
    temp_tree_file(&machine.proc, SOCKSTAT, reads[i].sockstat);
    if (i == 0)
      fake_machine_read_first();
    else
      fake_machine_read();
    ck_assert_str_eq(machine.snapshot.method, reads[i].method);
  }
}
END_TEST

/* In each read: a socket that was bound only for a moment is gone in the next.
 */
START_TEST(bound_only_sockets_of_many_are_those_of_this_read) {
  static const struct diag_socket bound[3] = {
      {.state = TCP_CLOSE, .inode = 1, .local_port = 9000},
      {.state = TCP_CLOSE, .inode = 2, .local_port = 9000},
      {.state = TCP_CLOSE, .inode = 3, .local_port = 9001},
  };
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  machine.settings.report |= REPORT_CLOSED;
  machine.sockets = bound;
  machine.num = CASES(bound);
  fake_machine_read_first();
  for (int i = 0; i < 12; i++) {
    machine.num = (size_t)i % 4;
    fake_machine_read();
    ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_CLOSE],
                      machine.num);
  }
}
END_TEST

static const struct {
  const char *text; /* NULL: no file; "@": it cannot be read */
  int64_t inuse6;
} sockstat6s[] = {
    {"TCP6: inuse 14\n", 14},
    {"TCP6: inuse 0\n", 0},
    {NULL, 0},
    {"@", PROC_UNKNOWN},
    {"garbled", PROC_UNKNOWN},
    {"TCP6: inuse\n", PROC_UNKNOWN},
    {"TCP6: mem 3\n", PROC_UNKNOWN},
};

START_TEST(sums_need_sockstat6_but_where_there_is_no_ipv6) {
  const char *text = sockstat6s[_i].text;
  bool known = sockstat6s[_i].inuse6 != PROC_UNKNOWN;
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  if (text == NULL)
    temp_tree_delete(&machine.proc, SOCKSTAT6);
  else if (text[0] == '@')
    fake_machine_spoil(SOCKSTAT6);
  else
    temp_tree_file(&machine.proc, SOCKSTAT6, text);
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_int_eq(machine.reader.plan.method, known ? PLAN_SUMS : PLAN_ALL);
  /* For the unhashed sockets. */
  ck_assert_int_eq(machine.snapshot.sums_error, known ? 0 : -ENODATA);
  if (known) {
    ck_assert_int_eq(machine.snapshot.sums.inuse,
                     1000000 + sockstat6s[_i].inuse6);
    ck_assert_int_eq(machine.snapshot.sums.alloc, 310);
    ck_assert_int_eq(machine.snapshot.sums.orphan, 3);
  }
  /* LISTEN twice and CLOSE_WAIT are full sockets as well. */
  int64_t established = known ? 1000000 + sockstat6s[_i].inuse6 - 3 : 2;
  ck_assert_int_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED],
                   established);
}
END_TEST

/* What is subtracted from the sums has changed as little as possible since:
 * nothing comes between them and its dump. */
START_TEST(sums_are_read_right_before_the_dump_that_they_belong_to) {
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  machine.settings.groups = &port_group;
  machine.settings.groups_num = 1;
  machine.settings.listening_ports = _i == 0 ? CHOICE_FALSE : CHOICE_TRUE;
  fake_machine_read_first();
  fake_machine_read();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_int_eq(machine.reader.plan.method, PLAN_SUMS);
  /* LISTEN, and these are the rare states. */
  size_t event = machine.events_num;
  for (size_t i = 0, dump = 0; i < machine.events_num; i++)
    if (strcmp(machine.events[i], MACHINE_DUMP) == 0 && dump++ == (size_t)_i)
      event = i;
  const uint32_t states = machine.requests[_i].states;
  ck_assert(states & 1u << TCP_SYN_SENT && !(states & 1u << TCP_ESTABLISHED));
  ck_assert_uint_lt(event, machine.events_num - 1);
  ck_assert_str_eq(machine.events[event - 2], SOCKSTAT6);
  ck_assert_str_eq(machine.events[event - 1], SOCKSTAT);
  ck_assert_str_eq(machine.events[event + 1], MACHINE_DUMP);
}
END_TEST

/* Beside many others the price of a walk would, if there were a choice. */
START_TEST(sums_are_read_once_where_nothing_stands_between) {
  if (_i == 0)
    temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  else
    machine.settings.report &= ~REPORT_STUCK;
  fake_machine_read_first();
  fake_machine_read();
  ck_assert_int_eq(machine.reader.plan.method, PLAN_SUMS);
  size_t read = 0;
  for (size_t i = 0; i < machine.events_num; i++)
    read += strcmp(machine.events[i], SOCKSTAT) == 0;
  ck_assert_uint_eq(read, 1);
  ck_assert_uint_gt(machine.events_num, 2);
  const char *const *last = machine.events + machine.events_num - 3;
  ck_assert_str_eq(last[0], SOCKSTAT6);
  ck_assert_str_eq(last[1], SOCKSTAT);
  ck_assert_str_eq(last[2], MACHINE_DUMP);
}
END_TEST

/* Namespaces share the machine's table, unless they were made with one of their
 * own. */
static const struct {
  const char *name, *entries; /* NULL: no file */
  bool first;                 /* it has the machine's limits */
  uint64_t passed;
} tables[] = {
    {"the first", "524288\n", true, 310 + 141},
    {"the first, older kernel", NULL, true, 310 + 141},
    {"one that shares it", "-524288\n", false, 310 + 141},
    {"one on an older kernel", NULL, false, 310 + 141},
    {"one with its own", "1024\n", false, 27 + 14 + 141},
};

START_TEST(a_walk_passes_the_sockets_of_the_table) {
  if (tables[_i].entries == NULL)
    temp_tree_delete(&machine.proc, EHASH_ENTRIES);
  else
    temp_tree_file(&machine.proc, EHASH_ENTRIES, tables[_i].entries);
  if (!tables[_i].first)
    temp_tree_delete(&machine.proc, MEM);
  fake_machine_read_first();
  ck_assert_uint_eq(machine.reader.plan.machine, tables[_i].passed);
  ck_assert_int_eq(machine.snapshot.sockstat.alloc, 310);
  ck_assert_ptr_null(machine.snapshot.file);
}
END_TEST

/* Where there was IPv6 once, 0 would be wrong. */
START_TEST(sockstat6_that_is_gone_is_not_taken_for_a_machine_without_ipv6) {
  fake_machine_read_first();
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED], 38);
  temp_tree_delete(&machine.proc, SOCKSTAT6);
  fake_machine_read();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_ptr_null(machine.snapshot.file);
  ck_assert_int_eq(machine.reader.plan.method, PLAN_ALL);
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED], 2);
}
END_TEST

START_TEST(sums_that_are_lost_before_the_dump_are_not_needed) {
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  machine.sums_lost_after = 1;
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_int_eq(machine.reader.plan.method, PLAN_ALL);
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED], 2);
  ck_assert_str_eq(machine.snapshot.file, "/proc/thread-self/net/sockstat6");
  ck_assert_int_eq(machine.snapshot.file_error, -EISDIR);
}
END_TEST

/* Among very many sockets few are in the group: they are asked for with
 * bytecode from the second read. */
static void start_bytecode(unsigned report) {
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE(MANY));
  machine.settings.all_ports_summary = CHOICE_FALSE;
  machine.settings.report = report;
  machine.settings.groups = &port_group;
  machine.settings.groups_num = 1;
  fake_machine_read_first();
  ck_assert_ptr_null(machine.requests[machine.requests_num - 1].bytecode);
  ck_assert_str_eq(machine.snapshot.method, FIRST);
}

/* Who is to be notified needs more than the groups. */
START_TEST(ages_are_asked_for_of_the_groups_or_for_notifications_of_all) {
  machine.settings.notify_stuck = 2 * (uint32_t)_i;
  start_bytecode(REPORT_BY_STATE | REPORT_STUCK);
  fake_machine_read();
  /* And the ports that are listened on. */
  size_t first = _i > 0;
  ck_assert_uint_eq(machine.requests_num, 1 + 2 * first);
  ck_assert_ptr_nonnull(machine.requests[first].bytecode);
  ck_assert(machine.requests[2 * first].info);
  ck_assert_int_eq(machine.requests[2 * first].bytecode == NULL, _i > 0);
}
END_TEST

/* The errors of the second read's dumps, of which the first has bytecode until
 * the kernel has refused it. */
static const struct {
  const char *name;
  int errors[4];
  int expected;
  size_t requests;
  bool refused;
} bytecodes[] = {
    {"taken", {0}, 0, 1, false},
    {"refused", {-EINVAL}, 0, 2, true},
    {"no memory", {-ENOMEM}, -ENOMEM, 1, false},
    {"not allowed", {-EPERM}, -EPERM, 1, false},
    {"refused, then no memory", {-EINVAL, -ENOMEM}, -ENOMEM, 2, true},
    {"refused, and EINVAL without it", {-EINVAL, -EINVAL}, -EINVAL, 2, true},
};

START_TEST(bytecode_that_the_kernel_refuses_is_not_tried_again) {
  start_bytecode(REPORT_BY_STATE);
  memcpy(machine.errors, bytecodes[_i].errors, sizeof(bytecodes[_i].errors));
  fake_machine_read();
  ck_assert_ptr_nonnull(machine.requests[0].bytecode);
  ck_assert_msg(machine.snapshot.sockets_error == bytecodes[_i].expected,
                "%s: %d", bytecodes[_i].name, machine.snapshot.sockets_error);
  ck_assert_msg(machine.requests_num == bytecodes[_i].requests,
                "%s: %zu requests", bytecodes[_i].name, machine.requests_num);
  if (bytecodes[_i].refused)
    ck_assert_str_eq(machine.snapshot.method, REFUSED);
  memset(machine.errors, 0, sizeof(machine.errors));
  fake_machine_read();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_uint_eq(machine.requests_num, 1);
  ck_assert_int_eq(machine.requests[0].bytecode == NULL, bytecodes[_i].refused);
  ck_assert_str_eq(machine.snapshot.method, "");
  ck_assert_uint_eq(machine.snapshot.tally->groups[0].state[TCP_LISTEN], 1);
}
END_TEST

START_TEST(a_listened_port_is_a_group_until_it_is_closed) {
  static const struct diag_socket sockets[] = {
      {.state = TCP_LISTEN, .inode = 1, .local_port = 80},
      {.state = TCP_LISTEN, .inode = 2, .local_port = 8080},
      {.state = TCP_LISTEN, .inode = 3, .local_port = 8080},
      {.state = TCP_ESTABLISHED, .inode = 4, .local_port = 8080},
  };
  static const struct {
    size_t first, num;
    uint16_t ports[2];
    uint32_t listeners[2];
  } reads[] = {
      {0, 4, {80, 8080}, {1, 2}}, {1, 3, {8080}, {2}}, {0, 1, {80}, {1}},
      {3, 1, {0}, {0}},           {2, 2, {8080}, {1}}, {0, 0, {0}, {0}},
  };
  machine.settings.listening_ports = CHOICE_TRUE;
  machine.settings.all_ports_summary = CHOICE_FALSE;
  for (int i = 0; i < CASES(reads); i++) {
    machine.sockets = sockets + reads[i].first;
    machine.num = reads[i].num;
    if (i == 0)
      fake_machine_read_first();
    else
      fake_machine_read();
    ck_assert_uint_eq(machine.requests[0].states, 1u << TCP_LISTEN);
    const struct group_index *index = machine.snapshot.index;
    for (size_t j = 0; j < 2; j++) {
      bool expected = reads[i].ports[j] != 0;
      ck_assert_msg((index->listening_num > j) == expected,
                    "read %d: %zu ports", i, index->listening_num);
      if (!expected)
        break;
      ck_assert_uint_eq(index->listening_ports[j], reads[i].ports[j]);
      ck_assert_uint_eq(machine.snapshot.tally->groups[j].state[TCP_LISTEN],
                        reads[i].listeners[j]);
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("snapshot_counts");
  TCase *tc = tcase_create("snapshot_counts");
  tcase_add_checked_fixture(tc, fake_machine_start, fake_machine_end);
  tcase_add_loop_test(tc,
                      bound_only_sockets_are_asked_for_only_with_report_closed,
                      0, CASES(closed));
  tcase_add_loop_test(
      tc, stuck_is_what_is_older_than_stuck_after_whatever_tcp_fin_timeout_is,
      0, 10);
  tcase_add_loop_test(tc, holders_are_found_only_for_notifications, 0, 2);
  tcase_add_test(tc, method_is_told_when_it_is_another_one);
  tcase_add_test(tc, bound_only_sockets_of_many_are_those_of_this_read);
  tcase_add_loop_test(tc, sums_are_read_once_where_nothing_stands_between, 0,
                      2);
  tcase_add_loop_test(
      tc, sums_are_read_right_before_the_dump_that_they_belong_to, 0, 2);
  tcase_add_loop_test(tc, a_walk_passes_the_sockets_of_the_table, 0,
                      CASES(tables));
  tcase_add_test(
      tc, sockstat6_that_is_gone_is_not_taken_for_a_machine_without_ipv6);
  tcase_add_test(tc, sums_that_are_lost_before_the_dump_are_not_needed);
  tcase_add_loop_test(tc, sums_need_sockstat6_but_where_there_is_no_ipv6, 0,
                      CASES(sockstat6s));
  tcase_add_loop_test(
      tc, ages_are_asked_for_of_the_groups_or_for_notifications_of_all, 0, 2);
  tcase_add_loop_test(tc, bytecode_that_the_kernel_refuses_is_not_tried_again,
                      0, CASES(bytecodes));
  tcase_add_test(tc, a_listened_port_is_a_group_until_it_is_closed);
  suite_add_tcase(suite, tc);
  return check_main_forked(suite);
}
