/* SPDX-License-Identifier: MIT */
/* config.c: the options about stuck sockets and accept queues. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN(...) BLOCK("Plugin", __VA_ARGS__)

static struct settings settings;
static struct config_error error;

static void start(void) {
  settings_init(&settings);
  memset(&error, '#', sizeof(error));
}

static void end(void) { settings_free(&settings); }

static int configure(oconfig_item_t option) {
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  return config_block(&settings, &block, &error);
}

START_TEST(by_default_stuck_sockets_are_reported_and_nothing_more) {
  const oconfig_item_t empty = PLUGIN();
  ck_assert_int_eq(config_block(&settings, &empty, &error), 0);
  config_finish(&settings);
  ck_assert_uint_eq(settings.stuck_after, 60);
  ck_assert_uint_eq(settings.notify_stuck, 0);
  ck_assert_uint_eq(settings.notify_unhashed, 0);
  ck_assert(!settings.notify_processes);
  ck_assert(settings.report & REPORT_STUCK);
  ck_assert(!(settings.report & REPORT_ACCEPT_QUEUE));
  ck_assert(!(settings.report & REPORT_EPHEMERAL_PORTS));
}
END_TEST

static const struct {
  oconfig_item_t option;
  uint32_t stuck_after;
  uint32_t notify_stuck;
  uint32_t notify_unhashed;
} numbers[] = {
    {OPTION("StuckAfter", NUMBER(1)), 1, 0},
    {OPTION("StuckAfter", NUMBER(60)), 60, 0},
    {OPTION("StuckAfter", NUMBER(31536000)), 31536000, 0},
    {OPTION("StuckAfter", TEXT("1")), 1, 0},
    {OPTION("StuckAfter", TEXT("3600")), 3600, 0},
    {OPTION("StuckAfter", TEXT("0000000000000000000060")), 60, 0},
    {OPTION("StuckAfter", TEXT("31536000")), 31536000, 0},
    {OPTION("stuckafter", NUMBER(300.0)), 300, 0},
    {OPTION("NotifyStuck", NUMBER(0)), 60, 0},
    {OPTION("NotifyStuck", NUMBER(-0.0)), 60, 0},
    {OPTION("NotifyStuck", NUMBER(1)), 60, 1},
    {OPTION("NotifyStuck", NUMBER(4294967295.0)), 60, UINT32_MAX},
    {OPTION("NotifyStuck", TEXT("0")), 60, 0},
    {OPTION("NotifyStuck", TEXT("100")), 60, 100},
    {OPTION("NotifyStuck", TEXT("4294967295")), 60, UINT32_MAX},
    {OPTION("NOTIFYSTUCK", TEXT("7")), 60, 7},
    {OPTION("NotifyUnhashed", NUMBER(0)), 60, 0, 0},
    {OPTION("NotifyUnhashed", NUMBER(1)), 60, 0, 1},
    {OPTION("NotifyUnhashed", NUMBER(4294967295.0)), 60, 0, UINT32_MAX},
    {OPTION("NotifyUnhashed", TEXT("0")), 60, 0, 0},
    {OPTION("notifyunhashed", TEXT("1000")), 60, 0, 1000},
};

START_TEST(a_number_is_taken_with_and_without_quotes) {
  int err = configure(numbers[_i].option);
  ck_assert_msg(err == 0, "%.640s", error.text);
  ck_assert_uint_eq(settings.stuck_after, numbers[_i].stuck_after);
  ck_assert_uint_eq(settings.notify_stuck, numbers[_i].notify_stuck);
  ck_assert_uint_eq(settings.notify_unhashed, numbers[_i].notify_unhashed);
  ck_assert(!settings.notify_processes);
}
END_TEST

static const struct {
  oconfig_value_t value;
  bool expected;
} booleans[] = {
    {BOOLEAN(true), true},  {BOOLEAN(false), false}, {TEXT("true"), true},
    {TEXT("false"), false}, {TEXT("Yes"), true},     {TEXT("off"), false},
};

START_TEST(a_switch_changes_its_own_setting_and_no_other) {
  static const struct {
    const char *key;
    unsigned report; /* 0: it is no part of it */
  } switches[] = {{"ReportStuck", REPORT_STUCK},
                  {"ReportAcceptQueue", REPORT_ACCEPT_QUEUE},
                  {"ReportUnhashed", REPORT_UNHASHED},
                  {"ReportEphemeralPorts", REPORT_EPHEMERAL_PORTS},
                  {"NotifyProcesses", 0}};
  oconfig_value_t value = booleans[_i].value;
  bool on = booleans[_i].expected;
  /* All on or all off before. */
  for (int before = 0; before < 2; before++)
    for (int i = 0; i < CASES(switches); i++) {
      char key[32];
      snprintf(key, sizeof(key), "%s", switches[i].key);
      unsigned all = before ? UINT32_MAX : 0, report = switches[i].report;
      settings.report = all;
      settings.notify_processes = before;
      ck_assert_int_eq(configure((oconfig_item_t){
                           .key = key, .values = &value, .values_num = 1}),
                       0);
      ck_assert_uint_eq(settings.report, on ? all | report : all & ~report);
      ck_assert_int_eq(settings.notify_processes, report == 0 ? on : before);
      ck_assert_uint_eq(settings.notify_stuck, 0);
      ck_assert_uint_eq(settings.notify_unhashed, 0);
    }
}
END_TEST

#define AFTER_HELP "write whole seconds from 1 to 31536000"
#define NOTIFY_HELP                                                            \
  "write the number of sockets to notify at, up to 4294967295, or 0 "          \
  "for never"
#define NOT_A_BOOLEAN ": not a boolean; write true or false"
#define ONE_BOOLEAN ": takes one value; write true or false"

static const struct {
  oconfig_item_t option;
  const char *expected;
} refused[] = {
    {OPTION("StuckAfter", NUMBER(0)), "StuckAfter 0: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(-1)), "StuckAfter -1: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(0.5)), "StuckAfter 0.5: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(60.5)), "StuckAfter 60.5: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(31536001)),
     "StuckAfter 31536001: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(31536000.5)),
     "StuckAfter 31536000.5: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(4294967356.0)),
     "StuckAfter 4294967356: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(1e300)), "StuckAfter 1e+300: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(NAN)), "StuckAfter nan: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(INFINITY)), "StuckAfter inf: " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(-INFINITY)), "StuckAfter -inf: " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("0")), "StuckAfter \"0\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("-1")), "StuckAfter \"-1\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("+1")), "StuckAfter \"+1\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("60.0")), "StuckAfter \"60.0\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("31536001")),
     "StuckAfter \"31536001\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("4294967356")),
     "StuckAfter \"4294967356\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("18446744073709551676")),
     "StuckAfter \"18446744073709551676\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("")), "StuckAfter \"\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("60s")), "StuckAfter \"60s\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT(" 60")), "StuckAfter \" 60\": " AFTER_HELP},
    {OPTION("StuckAfter", TEXT("1\n%n")), "StuckAfter \"1?%n\": " AFTER_HELP},
    {OPTION("StuckAfter", BOOLEAN(true)), "StuckAfter true: " AFTER_HELP},
    {OPTION("stuckafter", BOOLEAN(false)), "stuckafter false: " AFTER_HELP},
    {OPTION("StuckAfter"), "StuckAfter: takes one value; " AFTER_HELP},
    {OPTION("StuckAfter", NUMBER(1), NUMBER(2)),
     "StuckAfter: takes one value; " AFTER_HELP},
    {BLOCK("StuckAfter", OPTION("x", NUMBER(1))),
     "<StuckAfter>: is not a block; write it on one line: StuckAfter"},

    {OPTION("NotifyStuck", NUMBER(-1)), "NotifyStuck -1: " NOTIFY_HELP},
    {OPTION("NotifyStuck", NUMBER(1.5)), "NotifyStuck 1.5: " NOTIFY_HELP},
    {OPTION("NotifyStuck", NUMBER(4294967296.0)),
     "NotifyStuck 4294967296: " NOTIFY_HELP},
    {OPTION("NotifyStuck", NUMBER(4294967295.5)),
     "NotifyStuck 4294967295.5: " NOTIFY_HELP},
    {OPTION("NotifyStuck", NUMBER(NAN)), "NotifyStuck nan: " NOTIFY_HELP},
    {OPTION("NotifyStuck", TEXT("4294967296")),
     "NotifyStuck \"4294967296\": " NOTIFY_HELP},
    {OPTION("NotifyStuck", TEXT("-1")), "NotifyStuck \"-1\": " NOTIFY_HELP},
    {OPTION("NotifyStuck", TEXT("many")), "NotifyStuck \"many\": " NOTIFY_HELP},
    {OPTION("NotifyStuck", TEXT("")), "NotifyStuck \"\": " NOTIFY_HELP},
    {OPTION("NotifyStuck", BOOLEAN(true)), "NotifyStuck true: " NOTIFY_HELP},
    {OPTION("NotifyStuck"), "NotifyStuck: takes one value; " NOTIFY_HELP},
    {OPTION("NotifyStuck", NUMBER(1), TEXT("2")),
     "NotifyStuck: takes one value; " NOTIFY_HELP},

    {OPTION("NotifyUnhashed", NUMBER(-1)), "NotifyUnhashed -1: " NOTIFY_HELP},
    {OPTION("NotifyUnhashed", NUMBER(4294967296.0)),
     "NotifyUnhashed 4294967296: " NOTIFY_HELP},
    {OPTION("NotifyUnhashed", TEXT("4294967296")),
     "NotifyUnhashed \"4294967296\": " NOTIFY_HELP},
    {OPTION("NotifyUnhashed"), "NotifyUnhashed: takes one value; " NOTIFY_HELP},

    {OPTION("NotifyProcesses"), "NotifyProcesses" ONE_BOOLEAN},
    {OPTION("NotifyProcesses", BOOLEAN(true), BOOLEAN(true)),
     "NotifyProcesses" ONE_BOOLEAN},
    {OPTION("NotifyProcesses", NUMBER(1)), "NotifyProcesses 1" NOT_A_BOOLEAN},
    {OPTION("NotifyProcesses", TEXT("maybe")),
     "NotifyProcesses \"maybe\"" NOT_A_BOOLEAN},
    {OPTION("ReportStuck"), "ReportStuck" ONE_BOOLEAN},
    {OPTION("ReportStuck", BOOLEAN(true), BOOLEAN(true)),
     "ReportStuck" ONE_BOOLEAN},
    {OPTION("ReportStuck", NUMBER(60)), "ReportStuck 60" NOT_A_BOOLEAN},
    {OPTION("ReportAcceptQueue"), "ReportAcceptQueue" ONE_BOOLEAN},
    {OPTION("ReportAcceptQueue", BOOLEAN(true), BOOLEAN(true)),
     "ReportAcceptQueue" ONE_BOOLEAN},
    {OPTION("ReportAcceptQueue", TEXT("80")),
     "ReportAcceptQueue \"80\"" NOT_A_BOOLEAN},
};

START_TEST(a_wrong_value_is_refused_with_what_to_write_instead) {
  ck_assert_int_eq(configure(refused[_i].option), -EINVAL);
  ck_assert_ptr_nonnull(memchr(error.text, '\0', sizeof(error.text)));
  ck_assert_str_eq(error.text, refused[_i].expected);
}
END_TEST

START_TEST(a_filter_has_none_of_these_options) {
  static const char *const keys[] = {"StuckAfter",     "NotifyStuck",
                                     "NotifyUnhashed", "NotifyProcesses",
                                     "ReportStuck",    "ReportAcceptQueue"};
  for (int i = 0; i < CASES(keys); i++) {
    char key[32], expected[256];
    oconfig_value_t value = NUMBER(1);
    snprintf(key, sizeof(key), "%s", keys[i]);
    const oconfig_item_t inside = {
        .key = key, .values = &value, .values_num = 1};
    oconfig_item_t filter = NAMED_BLOCK("Filter", TEXT("db"), inside);
    ck_assert_int_eq(configure(filter), -EINVAL);
    snprintf(expected, sizeof(expected),
             "Filter \"db\": unknown option \"%s\"; write one of LocalPort, "
             "RemotePort, LocalAddress, RemoteAddress, AddressFamily, "
             "Protocol, ControlGroup",
             keys[i]);
    ck_assert_str_eq(error.text, expected);
    settings_free(&settings);
  }
}
END_TEST

START_TEST(the_last_of_several_lines_counts) {
  const oconfig_item_t first = PLUGIN(
      OPTION("StuckAfter", NUMBER(60)), OPTION("NotifyStuck", NUMBER(5)),
      OPTION("NotifyUnhashed", NUMBER(6)),
      OPTION("NotifyProcesses", BOOLEAN(true)),
      OPTION("ReportStuck", BOOLEAN(false)), OPTION("StuckAfter", NUMBER(70)));
  const oconfig_item_t second = PLUGIN(OPTION("NotifyStuck", TEXT("0")),
                                       OPTION("NotifyUnhashed", NUMBER(0)),
                                       OPTION("ReportStuck", BOOLEAN(true)));
  ck_assert_int_eq(config_block(&settings, &first, &error), 0);
  ck_assert_uint_eq(settings.notify_stuck, 5);
  ck_assert_uint_eq(settings.notify_unhashed, 6);
  ck_assert(!(settings.report & REPORT_STUCK));
  ck_assert_int_eq(config_block(&settings, &second, &error), 0);
  ck_assert_uint_eq(settings.stuck_after, 70);
  ck_assert_uint_eq(settings.notify_stuck, 0);
  ck_assert_uint_eq(settings.notify_unhashed, 0);
  ck_assert(settings.notify_processes);
  ck_assert(settings.report & REPORT_STUCK);
}
END_TEST

static const struct {
  unsigned report;
  uint32_t notify_unhashed;
  bool other_namespace;
  bool needed;
} unhashed[] = {
    {0, 0, false, false},
    {~(unsigned)REPORT_UNHASHED, 0, false, false},
    {REPORT_UNHASHED, 0, false, true},
    {0, 1, false, true},
    {REPORT_UNHASHED, 1, false, true},
    {REPORT_UNHASHED, 1, true, false},
};

START_TEST(either_a_value_or_a_notification_needs_the_unhashed_sockets) {
  settings.report = unhashed[_i].report;
  settings.notify_unhashed = unhashed[_i].notify_unhashed;
  settings.other_namespace = unhashed[_i].other_namespace;
  ck_assert_int_eq(settings_need_unhashed(&settings), unhashed[_i].needed);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_stuck");
  TCase *tc = tcase_create("config_stuck");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, by_default_stuck_sockets_are_reported_and_nothing_more);
  tcase_add_loop_test(tc, a_number_is_taken_with_and_without_quotes, 0,
                      CASES(numbers));
  tcase_add_loop_test(tc, a_switch_changes_its_own_setting_and_no_other, 0,
                      CASES(booleans));
  tcase_add_loop_test(tc, a_wrong_value_is_refused_with_what_to_write_instead,
                      0, CASES(refused));
  tcase_add_test(tc, a_filter_has_none_of_these_options);
  tcase_add_test(tc, the_last_of_several_lines_counts);
  tcase_add_loop_test(
      tc, either_a_value_or_a_notification_needs_the_unhashed_sockets, 0,
      CASES(unhashed));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
