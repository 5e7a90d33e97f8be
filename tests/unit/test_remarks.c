/* SPDX-License-Identifier: MIT */
/* remarks.c: what the log says once about what a read could not find out. */
#include "remarks.h"

#include "check_main.h"

#include <errno.h>
#include <string.h>

static char *paths[] = {(char[]){"/system.slice/api.service"},
                        (char[]){"/b.service"}};
static struct group groups[] = {
    {(char[]){"web"}, {.cgroups = {NULL, 0}}},
    {(char[]){"api"}, {.cgroups = {paths, 1}}},
    {(char[]){"both"}, {.cgroups = {paths, 2}}},
};
static struct id_list ids[CASES(groups)];
static struct group_index group_index;
static struct stuck stuck;
static struct snapshot snapshot;
static struct remarks remarks;

static bool no_memory;
void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  return no_memory ? NULL : __real_calloc(num, size);
}

static void start(void) {
  group_index = (struct group_index){
      .groups = groups, .groups_num = CASES(groups), .cgroup_ids = ids};
  snapshot = (struct snapshot){.index = &group_index, .stuck = &stuck};
  for (int i = 0; i < CASES(groups); i++)
    ids[i] = (struct id_list){.known = true, .exists = true};
}

static void end(void) { remarks_free(&remarks); }

static const char *next(void) {
  static char text[512];
  text[0] = '\0';
  int more = remarks_next(&remarks, &snapshot, text, sizeof(text));
  ck_assert_int_eq(more, text[0] != '\0');
  ck_assert(text[0] == '\0' || text[strlen(text) - 1] != '.');
  return text;
}

START_TEST(nothing_is_said_when_nothing_is_missing) {
  ck_assert_str_eq(next(), "");
  snapshot.stuck = NULL;
  group_index.cgroup_ids = NULL;
  ck_assert_str_eq(next(), "");
}
END_TEST

#define API                                                                    \
  "Filter \"api\": there is no ControlGroup \"/system.slice/api.service\": "   \
  "it "                                                                        \
  "counts 0 until there is"

START_TEST(a_control_group_that_is_not_there_is_told_once_and_when_it_comes) {
  ids[1].exists = false;
  ck_assert_str_eq(next(), API);
  for (int i = 0; i < 3; i++)
    ck_assert_str_eq(next(), "");
  ids[1].exists = true;
  ck_assert_str_eq(next(), "Filter \"api\": its ControlGroup is there now");
  ck_assert_str_eq(next(), "");
  /* A service that is restarted is no news. */
  ids[1].exists = false;
  ck_assert_str_eq(next(), "");
}
END_TEST

START_TEST(filters_of_mptcp_are_told_of_as_those_of_tcp) {
  struct mptcp mptcp = {.has_ages = true, .index = group_index};
  snapshot.mptcp = &mptcp;
  group_index.cgroup_ids = NULL;
  ids[1].exists = false;
  ck_assert_str_eq(next(), API);
  ck_assert_str_eq(next(), "");
  ids[1].exists = true;
  ck_assert_str_eq(next(), "Filter \"api\": its ControlGroup is there now");
  ck_assert_str_eq(next(), "");
}
END_TEST

START_TEST(that_a_kernel_tells_no_ages_of_mptcp_is_said_once) {
  struct mptcp mptcp = {.has_ages = false};
  snapshot.mptcp = &mptcp;
  ck_assert_str_eq(
      next(),
      "this kernel does not say how long MPTCP's sockets have been idle "
      "(Linux 6.10 does): their stuck counts and ages are missing");
  ck_assert_str_eq(next(), "");
}
END_TEST

START_TEST(that_others_services_are_not_seen_is_told_once_there_are_some) {
  struct services_group other = {.name = "other"};
  struct services services = {.groups = &other, .num = 1, .partial = true};
  snapshot.services = &services;
  ck_assert_str_eq(next(), "");
  services.partial = false;
  other.reported = true;
  ck_assert_str_eq(next(), "");
  services.partial = true;
  ck_assert_str_eq(
      next(), "Services: only a part of the control groups is seen here, the "
              "sockets of others are in \"other\" (does collectd have its own "
              "control group namespace?)");
  ck_assert_str_eq(next(), "");
}
END_TEST

START_TEST(each_filter_is_told_and_none_that_is_not_known) {
  ids[0].exists = ids[1].exists = ids[2].exists = false;
  ids[1].known = false;
  ck_assert_ptr_nonnull(strstr(next(), "nor the others"));
  ck_assert_str_eq(next(), "");
  ids[1].known = true;
  ck_assert_str_eq(next(), API);
  ck_assert_str_eq(next(), "");
}
END_TEST

START_TEST(without_memory_it_is_told_after_a_later_read) {
  ids[1].exists = false;
  no_memory = true;
  ck_assert_str_eq(next(), "");
  no_memory = false;
  ck_assert_str_eq(next(), API);
}
END_TEST

START_TEST(what_notifications_lack_is_told_once) {
  stuck.no_cgroups = stuck.no_processes = true;
  snapshot.ages_lost = true;
  ck_assert_ptr_nonnull(strstr(next(), "tcp_info's"));
  ck_assert_ptr_nonnull(strstr(next(), "control group namespace"));
  ck_assert_ptr_nonnull(strstr(next(), "PID namespace"));
  ck_assert_str_eq(next(), "");
}
END_TEST

static const struct {
  struct process_search search;
  const char *text;
} searches[] = {
    {{.refused = 3},
     "not allowed to inspect 3 processes: collectd needs CAP_SYS_PTRACE"},
    {{.refused = 1}, "not allowed to inspect 1 process: collectd"},
    {{.error = -ENOMEM}, "out of memory"},
    {{.error = -EACCES}, "/proc cannot be read"},
    {{.error = 0}, "PID namespace"},
};

START_TEST(why_processes_are_missing_is_told) {
  stuck.no_processes = true;
  stuck.search = searches[_i].search;
  const char *text = next();
  ck_assert_msg(strstr(text, searches[_i].text) != NULL, "%s", text);
}
END_TEST

START_TEST(errors_of_files_have_words) {
  ck_assert_str_eq(remarks_file_strerror(-EBADMSG), "not understood");
  ck_assert_ptr_nonnull(remarks_file_strerror(-ENODEV));
  ck_assert_ptr_null(remarks_file_strerror(-EACCES));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("remarks");
  TCase *tc = tcase_create("remarks");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, nothing_is_said_when_nothing_is_missing);
  tcase_add_test(
      tc, a_control_group_that_is_not_there_is_told_once_and_when_it_comes);
  tcase_add_test(tc, filters_of_mptcp_are_told_of_as_those_of_tcp);
  tcase_add_test(tc, that_a_kernel_tells_no_ages_of_mptcp_is_said_once);
  tcase_add_test(tc,
                 that_others_services_are_not_seen_is_told_once_there_are_some);
  tcase_add_test(tc, each_filter_is_told_and_none_that_is_not_known);
  tcase_add_test(tc, without_memory_it_is_told_after_a_later_read);
  tcase_add_test(tc, what_notifications_lack_is_told_once);
  tcase_add_loop_test(tc, why_processes_are_missing_is_told, 0,
                      CASES(searches));
  tcase_add_test(tc, errors_of_files_have_words);
  suite_add_tcase(suite, tc);
  return check_main_forked(suite);
}
