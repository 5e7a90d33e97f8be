/* SPDX-License-Identifier: MIT */
/* netns_sum.c: sums of what several namespaces say. Link with -Wl,--wrap= of
 * malloc, calloc, realloc and metrics_each. */
#include "netns_sum.h"

#include "check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a namespace says. */
static struct metric said[200];
static size_t said_num;
static char names[200][32];
static int fail_after = -1; /* this many allocations; -1: none fails */

static struct netns_sum sum;
static struct netns_part parts[3];

static bool fails(void) { return fail_after >= 0 && fail_after-- == 0; }

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  return __real_calloc(num, size);
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
  return fails() ? NULL : __real_realloc(memory, size);
}

size_t __wrap_metrics_each(const struct settings *settings,
                           const struct snapshot *snapshot, metric_cb cb,
                           void *data);
size_t __wrap_metrics_each(const struct settings *settings,
                           const struct snapshot *snapshot, metric_cb cb,
                           void *data) {
  (void)settings, (void)snapshot;
  for (size_t i = 0; i < said_num; i++)
    cb(&said[i], data);
  return said_num;
}

static void say(const char *instance, const char *type, const char *name,
                double value) {
  said[said_num++] = (struct metric){instance, type, name, value};
}

static struct group filters[] = {{.name = (char[]){"db"}},
                                 {.name = (char[]){"mptcp"}}};
static struct settings settings = {
    .groups = filters, .groups_num = 1, .mptcp_num = 1};

static int take(size_t part) {
  int err = netns_sum_take(&sum, &parts[part], &settings, NULL);
  said_num = 0;
  return err;
}

static char got[8192];
static int limit_error;

static void note_value(const struct metric *metric, void *data) {
  (void)data;
  size_t len = strlen(got);
  snprintf(got + len, sizeof(got) - len, "%s/%s-%s %g\n",
           metric->plugin_instance, metric->type, metric->type_instance,
           metric->value);
}

static void assert_sums(const char *expected) {
  got[0] = '\0';
  netns_sum_start(&sum);
  for (size_t i = 0; i < CASES(parts); i++)
    netns_sum_add(&sum, &parts[i]);
  ck_assert_int_eq(netns_sum_limit(&sum, &settings), limit_error);
  netns_sum_each(&sum, note_value, NULL);
  ck_assert_str_eq(got, expected);
}

static void tear_down(void) {
  fail_after = -1;
  limit_error = 0;
  settings.services = false;
  settings.report = 0;
  for (size_t i = 0; i < CASES(parts); i++)
    netns_sum_drop(&sum, &parts[i]);
  netns_sum_free(&sum);
}

START_TEST(counts_are_added_and_of_ages_and_percentages_the_highest_is_taken) {
  static const double values[3][2] = {{3, 40}, {5, 90}, {7, 10}};
  for (size_t i = 0; i < 3; i++) {
    say("all", "tcp_connections", "LISTEN", values[i][0]);
    say("all", "current_connections", "orphaned", values[i][0] + 1);
    say("all", "queue_length", "accept_queue_limit", values[i][0] * 1e9);
    say("all", "duration", "close_wait_oldest", values[i][1]);
    say("all", "percent", "accept_queue", values[i][1]);
    say("all", "current_connections", "fullest_destination", values[i][1]);
    say("all", "duration", "tcp_fin_timeout", 60);
    say("all", "duration", "fin_wait2_lifetime", 60);
    say("all", "gauge", "tcp_max_tw_buckets", 4096);
    ck_assert_int_eq(take(i), 0);
  }
  assert_sums("all/tcp_connections-LISTEN 15\n"
              "all/current_connections-orphaned 18\n"
              "all/queue_length-accept_queue_limit 1.5e+10\n"
              "all/duration-close_wait_oldest 90\n"
              "all/percent-accept_queue 90\n"
              "all/current_connections-fullest_destination 90\n");
}
END_TEST

START_TEST(groups_are_added_by_their_names) {
  say("80-local", "tcp_connections", "LISTEN", 1);
  say("443-local", "tcp_connections", "LISTEN", 2);
  take(0);
  say("443-local", "tcp_connections", "LISTEN", 4);
  say("8080-local", "tcp_connections", "LISTEN", 8);
  take(1);
  assert_sums("80-local/tcp_connections-LISTEN 1\n"
              "443-local/tcp_connections-LISTEN 6\n"
              "8080-local/tcp_connections-LISTEN 8\n");
}
END_TEST

START_TEST(a_part_that_says_something_else_replaces_what_it_has_said) {
  say("80-local", "tcp_connections", "LISTEN", 1);
  say("443-local", "tcp_connections", "LISTEN", 2);
  take(0);
  say("443-local", "tcp_connections", "LISTEN", 5);
  take(0);
  for (int i = 0; i < NETNS_SUM_ZEROS; i++)
    assert_sums("80-local/tcp_connections-LISTEN 0\n"
                "443-local/tcp_connections-LISTEN 5\n");
  assert_sums("443-local/tcp_connections-LISTEN 5\n");
  /* Its place is taken by another, and what it had is forgotten. */
  say("443-local", "tcp_connections", "LISTEN", 5);
  say("22-local", "tcp_connections", "LISTEN", 1);
  take(0);
  ck_assert_uint_eq(sum.num, 2);
  assert_sums("22-local/tcp_connections-LISTEN 1\n"
              "443-local/tcp_connections-LISTEN 5\n");
}
END_TEST

/* Groups of containers that each live for one read. */
START_TEST(names_that_come_and_go_need_bounded_memory) {
  for (int i = 0; i < 10000; i++) {
    for (size_t k = 0; k < 3; k++) {
      snprintf(names[k], sizeof(names[k]), "job-%d", 3 * i + (int)k);
      say(names[k], "tcp_connections", "LISTEN", 1);
    }
    say("all", "tcp_connections", "LISTEN", i);
    ck_assert_int_eq(take(0), 0);
    netns_sum_start(&sum);
    netns_sum_add(&sum, &parts[0]);
    ck_assert_uint_le(netns_sum_each(&sum, note_value, NULL),
                      3 * (NETNS_SUM_ZEROS + 1) + 1);
    got[0] = '\0';
  }
  ck_assert_uint_le(sum.num, 3 * (NETNS_SUM_ZEROS + 2) + 1);
}
END_TEST

START_TEST(there_is_a_bound) {
  for (size_t i = 0; i < NETNS_SUM_MAX / 100 + 2; i++) {
    static struct netns_part many[NETNS_SUM_MAX / 100 + 2];
    for (size_t k = 0; k < 100; k++) {
      snprintf(names[k], sizeof(names[k]), "%zu-%zu", i, k);
      say(names[k], "tcp_connections", "LISTEN", 1);
    }
    ck_assert(!netns_sum_is_full(&sum));
    ck_assert_int_eq(netns_sum_take(&sum, &many[i], &settings, NULL), 0);
    said_num = 0;
    if (netns_sum_is_full(&sum))
      break;
  }
  ck_assert_uint_eq(sum.num, NETNS_SUM_MAX);
}
END_TEST

START_TEST(what_has_ended_does_not_fill_it) {
  for (size_t i = 0; sum.num < NETNS_SUM_MAX / 2; i++) {
    snprintf(names[0], sizeof(names[0]), "%zu", i);
    say(names[0], "tcp_connections", "LISTEN", 1);
    ck_assert_int_eq(take(0), 0);
  }
  netns_sum_drop(&sum, &parts[0]);
  for (int i = 0; i <= NETNS_SUM_ZEROS; i++) {
    netns_sum_start(&sum);
    netns_sum_each(&sum, note_value, NULL);
    got[0] = '\0';
  }
  ck_assert_uint_eq(sum.num, NETNS_SUM_MAX / 2);
  ck_assert_uint_eq(sum.unused, NETNS_SUM_MAX / 2);
  ck_assert(!netns_sum_is_full(&sum));
}
END_TEST

START_TEST(without_memory_a_part_says_nothing) {
  for (int after = 0; after < 8; after++) {
    for (size_t k = 0; k < 100; k++) {
      snprintf(names[k], sizeof(names[k]), "%d-%zu", after, k);
      say(names[k], "tcp_connections", "LISTEN", 1);
    }
    fail_after = after;
    int err = take(0);
    fail_after = -1;
    ck_assert_int_eq(err, -ENOMEM);
    ck_assert_uint_eq(parts[0].num, 0);
    say("all", "tcp_connections", "LISTEN", 3);
    ck_assert_int_eq(take(1), 0);
    for (int i = 0; i <= NETNS_SUM_ZEROS; i++) {
      netns_sum_start(&sum);
      netns_sum_add(&sum, &parts[1]);
      netns_sum_each(&sum, note_value, NULL);
    }
    assert_sums("all/tcp_connections-LISTEN 3\n");
  }
}
END_TEST

/* A service has these, and nobody has been heard for so long. */
static void say_service(const char *name, double established, double closed,
                        double oldest) {
  say(name, "tcp_connections", "ESTABLISHED", established);
  say(name, "tcp_connections", "CLOSE_WAIT", closed);
  say(name, "duration", "close_wait_oldest", oldest);
}

/* What assert_sums() finds of it. */
static const char *service(const char *name, int established, int closed,
                           int oldest) {
  static char texts[8][200];
  static size_t num;
  char *text = texts[num++ % 8];
  snprintf(text, sizeof(texts[0]),
           "%s/tcp_connections-ESTABLISHED %d\n"
           "%s/tcp_connections-CLOSE_WAIT %d\n"
           "%s/duration-close_wait_oldest %d\n",
           name, established, name, closed, name, oldest);
  return text;
}

static void assert_services(const char *a, const char *b, const char *c) {
  char all[1024];
  snprintf(all, sizeof(all),
           "all/tcp_connections-ESTABLISHED 100\n"
           "443-local/tcp_connections-ESTABLISHED 1\n"
           "db/tcp_connections-ESTABLISHED 1\n%s%s%s",
           a, b, c);
  assert_sums(all);
}

static void start_services(void) {
  settings.services = true;
  settings.services_max = 2;
  settings.report = REPORT_BY_STATE;
  say("all", "tcp_connections", "ESTABLISHED", 100);
  say("443-local", "tcp_connections", "ESTABLISHED", 1);
  say("db", "tcp_connections", "ESTABLISHED", 1);
}

START_TEST(the_largest_services_of_all_namespaces_have_a_group) {
  start_services();
  say_service("a.service", 10, 0, 0);
  say_service("b.service", 6, 0, 0);
  ck_assert_int_eq(take(0), 0);
  assert_services(service("a.service", 10, 0, 0), service("b.service", 6, 0, 0),
                  "");
  /* One that is reported stays until another is a quarter larger. */
  say_service("c.service", 7, 0, 0);
  ck_assert_int_eq(take(1), 0);
  assert_services(service("a.service", 10, 0, 0), service("b.service", 6, 0, 0),
                  service("other", 7, 0, 0));
  /* The others are one together, also with what there was in it. */
  say_service("c.service", 5, 4, 7);
  say_service("d.service", 1, 1, 9);
  say_service("other", 3, 0, 2);
  ck_assert_int_eq(take(1), 0);
  assert_services(service("a.service", 10, 0, 0), service("c.service", 5, 4, 7),
                  service("other", 10, 1, 9));
  say_service("b.service", 5, 5, 3);
  ck_assert_int_eq(take(2), 0);
  assert_services(service("a.service", 10, 0, 0),
                  service("b.service", 11, 5, 3), service("other", 9, 5, 9));
}
END_TEST

START_TEST(a_filter_of_mptcp_is_no_service) {
  start_services();
  settings.services_max = 1;
  said_num = 0;
  say("a.service", "tcp_connections", "ESTABLISHED", 2);
  say("b.service", "tcp_connections", "ESTABLISHED", 3);
  say("mptcp", "tcp_connections", "ESTABLISHED", 1);
  ck_assert_int_eq(take(0), 0);
  assert_sums("b.service/tcp_connections-ESTABLISHED 3\n"
              "mptcp/tcp_connections-ESTABLISHED 1\n"
              "other/tcp_connections-ESTABLISHED 2\n");
}
END_TEST

START_TEST(services_that_have_ended_leave_their_place) {
  start_services();
  say_service("a.service", 10, 0, 0);
  ck_assert_int_eq(take(0), 0);
  say_service("b.service", 6, 0, 0);
  ck_assert_int_eq(take(1), 0);
  say_service("c.service", 5, 0, 1);
  ck_assert_int_eq(take(2), 0);
  for (int i = 0; i < 2 * NETNS_SUM_ZEROS; i++)
    assert_services(service("a.service", 10, 0, 0),
                    service("b.service", 6, 0, 0), service("other", 5, 0, 1));
  netns_sum_drop(&sum, &parts[1]);
  for (int i = 0; i < NETNS_SUM_ZEROS; i++)
    assert_services(service("a.service", 10, 0, 0),
                    service("c.service", 5, 0, 1), service("other", 0, 0, 0));
  assert_services(service("a.service", 10, 0, 0), service("c.service", 5, 0, 1),
                  "");
  /* With a place left there are zeros for a while, and then no more. */
  netns_sum_drop(&sum, &parts[2]);
  for (int i = 0; i < NETNS_SUM_ZEROS; i++)
    assert_services(service("a.service", 10, 0, 0),
                    service("c.service", 0, 0, 0), "");
  assert_services(service("a.service", 10, 0, 0), "", "");
}
END_TEST

START_TEST(without_states_other_values_say_which_are_the_largest) {
  start_services();
  settings.report = 0;
  settings.services_max = 1;
  said_num = 0;
  say("a.service", "current_connections", "close_wait_stuck", 1);
  say("b.service", "current_connections", "close_wait_stuck", 2);
  ck_assert_int_eq(take(0), 0);
  assert_sums("b.service/current_connections-close_wait_stuck 2\n"
              "other/current_connections-close_wait_stuck 1\n");
}
END_TEST

START_TEST(without_memory_services_stay_as_they_were) {
  start_services();
  settings.services_max = 1;
  said_num = 0;
  say("a.service", "tcp_connections", "ESTABLISHED", 1);
  ck_assert_int_eq(take(0), 0);
  assert_sums("a.service/tcp_connections-ESTABLISHED 1\n");
  say("b.service", "tcp_connections", "ESTABLISHED", 2);
  ck_assert_int_eq(take(1), 0);
  fail_after = 0;
  limit_error = -ENOMEM;
  assert_sums("a.service/tcp_connections-ESTABLISHED 1\n");
  limit_error = 0;
  assert_sums("b.service/tcp_connections-ESTABLISHED 2\n"
              "other/tcp_connections-ESTABLISHED 1\n");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("netns_sum");
  TCase *tcase = tcase_create("netns_sum");
  tcase_add_checked_fixture(tcase, NULL, tear_down);
  tcase_add_test(
      tcase, counts_are_added_and_of_ages_and_percentages_the_highest_is_taken);
  tcase_add_test(tcase, groups_are_added_by_their_names);
  tcase_add_test(tcase,
                 a_part_that_says_something_else_replaces_what_it_has_said);
  tcase_add_test(tcase, names_that_come_and_go_need_bounded_memory);
  tcase_add_test(tcase, there_is_a_bound);
  tcase_add_test(tcase, what_has_ended_does_not_fill_it);
  tcase_add_test(tcase, without_memory_a_part_says_nothing);
  tcase_add_test(tcase, the_largest_services_of_all_namespaces_have_a_group);
  tcase_add_test(tcase, a_filter_of_mptcp_is_no_service);
  tcase_add_test(tcase, services_that_have_ended_leave_their_place);
  tcase_add_test(tcase, without_states_other_values_say_which_are_the_largest);
  tcase_add_test(tcase, without_memory_services_stay_as_they_were);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
