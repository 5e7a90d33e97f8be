/* SPDX-License-Identifier: MIT */
/* alarm.c: when something is said of stuck sockets. */
#include "alarm.h"

#include "check_main.h"

#include <stdio.h>
#include <string.h>

#define CLOSE_WAIT 8
#define FIN_WAIT2 5

static struct alarms alarms;

static void start(void) { memset(&alarms, 0, sizeof(alarms)); }

/* One read of one holder. */
static enum alarm_event read_one(uint32_t least, uint32_t most,
                                 uint32_t limit) {
  struct alarm *alarm =
      alarms_find(&alarms, "api.service", CLOSE_WAIT, least >= limit);
  enum alarm_event event = ALARM_NONE;
  if (alarm != NULL)
    event = alarm_update(alarm, least, most, limit);
  if (event != ALARM_NONE)
    alarm_said(alarm, event, least);
  alarms_tidy(&alarms);
  return event;
}

/* Events are written as letters: '-' none, 'W' WARNING, 'O' OKAY. */
static const struct {
  const char *name;
  uint32_t limit;
  uint32_t stuck[14]; /* read by read */
  const char *events;
} sequences[] = {
    {"never any", 10, {0, 0, 0, 0}, "----"},
    {"below", 10, {9, 9, 9, 9}, "----"},
    {"at the limit", 10, {10, 10, 10, 10}, "-W--"},
    {"once above", 10, {10, 9, 9}, "---"},
    {"flapping from below", 10, {10, 9, 10, 9, 10, 0, 10, 0}, "--------"},
    {"swinging around it", 10, {9, 12, 12, 9, 12, 9, 12, 12, 9}, "--W------"},
    {"down to half", 10, {10, 10, 5, 5, 5, 10, 10}, "-W-----"},
    {"less than half", 10, {10, 10, 4, 4, 4}, "-W-O-"},
    {"once less than half", 10, {10, 10, 4, 5, 4, 5, 4, 4}, "-W-----O"},
    {"over, then again", 10, {10, 10, 0, 0, 10, 10, 0, 0}, "-W-O-W-O"},
    {"doubling", 10, {10, 10, 19, 20, 39, 40, 40, 79, 80}, "-W-W-W--W"},
    {"doubling of what was said", 10, {10, 15, 20, 29, 30, 59, 60}, "-W--W-W"},
    {"less, and as many again", 10, {10, 10, 20, 6, 20, 6, 20, 39}, "-WW-----"},
    {"then double", 10, {10, 10, 20, 6, 20, 40}, "-WW--W"},
    {"limit 1", 1, {0, 1, 1, 1, 0, 0}, "--W--O"},
    {"greatest limit", UINT32_MAX, {UINT32_MAX - 1, UINT32_MAX - 1}, "--"},
    {"greatest number",
     UINT32_MAX,
     {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX - 1, 0, 0},
     "-W---O"},
};

START_TEST(it_speaks_in_the_second_read_at_each_doubling_and_at_the_end) {
  static const char letters[] = {
      [ALARM_NONE] = '-', [ALARM_WARNING] = 'W', [ALARM_OKAY] = 'O'};
  char events[16] = "";
  for (size_t i = 0; i < strlen(sequences[_i].events); i++)
    events[i] = letters[read_one(sequences[_i].stuck[i], sequences[_i].stuck[i],
                                 sequences[_i].limit)];
  ck_assert_msg(strcmp(events, sequences[_i].events) == 0, "%s: %s, not %s",
                sequences[_i].name, events, sequences[_i].events);
}
END_TEST

START_TEST(it_is_over_only_when_that_is_sure) {
  read_one(10, 10, 10);
  ck_assert_int_eq(read_one(10, 10, 10), ALARM_WARNING);
  for (int i = 0; i < 9; i++)
    ck_assert_int_eq(read_one(0, 5, 10), ALARM_NONE);
  read_one(0, 4, 10);
  ck_assert_int_eq(read_one(0, 4, 10), ALARM_OKAY);
}
END_TEST

START_TEST(what_could_not_be_said_is_due_in_the_next_read) {
  struct alarm *alarm = alarms_find(&alarms, "a", CLOSE_WAIT, true);
  alarm_update(alarm, 10, 10, 10);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(alarm_update(alarm, 10, 10, 10), ALARM_WARNING);
  alarm_said(alarm, ALARM_WARNING, 10);
  ck_assert_int_eq(alarm_update(alarm, 10, 10, 10), ALARM_NONE);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(alarm_update(alarm, 30, 30, 10), ALARM_WARNING);
  alarm_said(alarm, ALARM_WARNING, 30);
  alarm_update(alarm, 0, 0, 10);
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(alarm_update(alarm, 0, 0, 10), ALARM_OKAY);
}
END_TEST

START_TEST(each_holder_and_state_has_an_alarm_of_its_own) {
  struct alarm *a = alarms_find(&alarms, "a", CLOSE_WAIT, true);
  ck_assert_ptr_nonnull(a);
  ck_assert_ptr_null(alarms_find(&alarms, "b", CLOSE_WAIT, false));
  struct alarm *b = alarms_find(&alarms, "b", CLOSE_WAIT, true);
  struct alarm *c = alarms_find(&alarms, "a", FIN_WAIT2, true);
  ck_assert(a != b && a != c && b != c);
  ck_assert_ptr_eq(alarms_find(&alarms, "a", CLOSE_WAIT, false), a);
  ck_assert_ptr_eq(alarms_find(&alarms, "a", FIN_WAIT2, true), c);
}
END_TEST

START_TEST(there_is_a_bound_and_places_are_used_again) {
  char name[SERVICE_NAME_SIZE];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < ALARMS_NUM + 5; i++) {
      snprintf(name, sizeof(name), "%d-%d", round, i);
      struct alarm *alarm = alarms_find(&alarms, name, CLOSE_WAIT, true);
      ck_assert_int_eq(alarm != NULL, i < ALARMS_NUM);
      /* Of the last one something was said. */
      if (alarm != NULL && i == ALARMS_NUM - 1)
        alarm->said = 10;
      if (alarm != NULL)
        alarm_update(alarm, 4, 4, 10);
    }
    alarms_tidy(&alarms);
    ck_assert_ptr_nonnull(alarms_find(
        &alarms, (snprintf(name, sizeof(name), "%d-63", round), name),
        CLOSE_WAIT, false));
    start();
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("alarm");
  TCase *tc = tcase_create("alarm");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_loop_test(
      tc, it_speaks_in_the_second_read_at_each_doubling_and_at_the_end, 0,
      CASES(sequences));
  tcase_add_test(tc, it_is_over_only_when_that_is_sure);
  tcase_add_test(tc, what_could_not_be_said_is_due_in_the_next_read);
  tcase_add_test(tc, each_holder_and_state_has_an_alarm_of_its_own);
  tcase_add_test(tc, there_is_a_bound_and_places_are_used_again);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
