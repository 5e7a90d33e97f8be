/* SPDX-License-Identifier: MIT */
/* unhashed_alarm.c: when it speaks, and what it says. Link with -Wl,--wrap= of
 * culprits_find. */
#include "unhashed_alarm.h"

#include "culprits.h"
#include "proc_text.h"

#include "check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct unhashed_alarm alarm_;
static int64_t now = 1000;
static unsigned searches;
static struct process_search result = {.complete = true};
static struct processes processes;

struct process_search __wrap_culprits_find(const char *proc,
                                           struct diag_dump *dump,
                                           struct processes *out);
struct process_search __wrap_culprits_find(const char *proc,
                                           struct diag_dump *dump,
                                           struct processes *out) {
  (void)dump;
  ck_assert_str_eq(proc, "/proc");
  searches++;
  *out = processes;
  return result;
}

static bool read_with(int64_t number) {
  now += 10000;
  return unhashed_alarm_update(&alarm_, number, 100, now, "/proc", NULL);
}

static const char *meta(const char *name) {
  for (size_t i = 0; i < alarm_.notice.meta_num; i++)
    if (strcmp(alarm_.notice.meta[i].name, name) == 0)
      return alarm_.notice.meta[i].value;
  return NULL;
}

START_TEST(second_read_in_a_row_warns_and_doubling_again) {
  ck_assert(!read_with(99));
  ck_assert(!read_with(100));
  ck_assert(!read_with(99));
  ck_assert(!read_with(100));
  ck_assert_uint_eq(searches, 0);
  ck_assert(read_with(101));
  ck_assert_int_eq(alarm_.notice.event, ALARM_WARNING);
  ck_assert_uint_eq(searches, 1);
  now += UNHASHED_SEARCH_PAUSE;
  ck_assert(!read_with(201));
  ck_assert(read_with(202));
  ck_assert_uint_eq(searches, 2);
}
END_TEST

START_TEST(descriptors_are_searched_once_a_minute) {
  read_with(100);
  ck_assert(read_with(100));
  for (int i = 0; i < 5; i++)
    ck_assert(!read_with(500));
  ck_assert_uint_eq(searches, 1);
  ck_assert(read_with(500));
  ck_assert_uint_eq(searches, 2);
  ck_assert_str_eq(meta("sockets"), "500");
}
END_TEST

START_TEST(second_read_in_a_row_below_half_ends_it) {
  read_with(100);
  ck_assert(read_with(100));
  ck_assert(!read_with(50));
  ck_assert(!read_with(49));
  ck_assert(!read_with(50));
  ck_assert(!read_with(49));
  ck_assert(read_with(48));
  ck_assert_int_eq(alarm_.notice.event, ALARM_OKAY);
  ck_assert_str_eq(
      alarm_.notice.text,
      "48 sockets in no state: fewer than half of 100, for two reads.");
  ck_assert_str_eq(alarm_.notice.holder, "machine");
  ck_assert_uint_eq(searches, 1);
}
END_TEST

START_TEST(one_is_no_plural) {
  read_with(100);
  ck_assert(read_with(100));
  ck_assert(!read_with(1));
  ck_assert(read_with(1));
  ck_assert_str_eq(
      alarm_.notice.text,
      "1 socket in no state: fewer than half of 100, for two reads.");
}
END_TEST

START_TEST(what_is_not_known_is_no_read) {
  read_with(100);
  ck_assert(!read_with(PROC_UNKNOWN));
  ck_assert(read_with(100));
  ck_assert(!unhashed_alarm_update(&alarm_, 1000, 0, now, "/proc", NULL));
}
END_TEST

START_TEST(text_names_the_processes) {
  processes = (struct processes){
      .top =
          {{.pid = 812, .num = 148, .command = "api", .service = "api.service"},
           {.pid = 9, .num = 2, .command = "a\nb"}},
      .top_num = 2,
      .num = 2};
  read_with(150);
  ck_assert(read_with(150));
  ck_assert_str_eq(
      alarm_.notice.text,
      "150 TCP sockets in no state: the connection was reset or never made, "
      "and only close() here ends it. api[812] of api.service (148), a?b[9] "
      "(2).");
  ck_assert_str_eq(notice_value(alarm_.notice.state), "unhashed");
  ck_assert_str_eq(meta("state"), "no state");
  ck_assert_str_eq(meta("sockets"), "150");
  ck_assert_str_eq(meta("processes"),
                   "api[812] of api.service (148), a?b[9] (2)");
  ck_assert_ptr_null(meta("oldest_seconds"));
}
END_TEST

START_TEST(incomplete_search_says_so) {
  const struct process_search results[] = {{.complete = false},
                                           {.complete = true, .refused = 1},
                                           {.error = -ENOMEM}};
  result = results[_i];
  read_with(150);
  ck_assert(read_with(150));
  ck_assert_str_eq(meta("processes"), "not all could be read");
}
END_TEST

START_TEST(text_fits_however_long_the_names_are) {
  processes.top_num = PROCESS_TOP;
  processes.num = 4000000;
  for (size_t i = 0; i < PROCESS_TOP; i++) {
    struct process *process = &processes.top[i];
    *process = (struct process){.pid = UINT32_MAX, .num = UINT32_MAX};
    memset(process->command, 'c', sizeof(process->command) - 1);
    memset(process->service, 's', sizeof(process->service) - 1);
  }
  read_with(INT64_MAX);
  ck_assert(read_with(INT64_MAX));
  ck_assert_uint_lt(strlen(alarm_.notice.text), NOTICE_TEXT_SIZE);
  ck_assert_ptr_nonnull(strstr(alarm_.notice.text, "4294967295 TCP sockets"));
  ck_assert_ptr_nonnull(strstr(alarm_.notice.text, " more."));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("unhashed_alarm");
  TCase *tcase = tcase_create("unhashed_alarm");
  tcase_add_test(tcase, second_read_in_a_row_warns_and_doubling_again);
  tcase_add_test(tcase, descriptors_are_searched_once_a_minute);
  tcase_add_test(tcase, second_read_in_a_row_below_half_ends_it);
  tcase_add_test(tcase, one_is_no_plural);
  tcase_add_test(tcase, what_is_not_known_is_no_read);
  tcase_add_test(tcase, text_names_the_processes);
  tcase_add_loop_test(tcase, incomplete_search_says_so, 0, 3);
  tcase_add_test(tcase, text_fits_however_long_the_names_are);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
