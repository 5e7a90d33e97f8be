/* SPDX-License-Identifier: MIT */
/* service_names.c: which container is asked and when, and what the others are
 * called. Directories stand for control groups; the functions below __wrap_
 * answer for hostname.c and the C library. */
#include "service_names.h"

#include "cgroup_walk.h"
#include "hostname.h"
#include "services.h"

#include "check_main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct temp_tree hierarchy;
static struct cgroup_tree cgroups;
static struct settings settings;
static struct group filters[] = {{.name = (char[]){"db"}},
                                 {.name = (char[]){"mptcp"}}};
static struct service_names names;

/* What containers answer, by path; and what was asked. */
static struct {
  const char *path;
  const char *name;
} hosts[8];
static int ask_error;
static size_t asked;

const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) { return hierarchy.root; }

int __wrap_hostname_ask(const char *mount, const char *proc,
                        struct hostname_ask *asks, size_t num);
int __wrap_hostname_ask(const char *mount, const char *proc,
                        struct hostname_ask *asks, size_t num) {
  ck_assert_str_eq(mount, hierarchy.root);
  ck_assert_str_eq(proc, "/proc");
  asked += num;
  for (size_t i = 0; i < num; i++) {
    asks[i].error = ask_error;
    for (int k = 0; k < CASES(hosts); k++)
      if (hosts[k].path != NULL && strcmp(hosts[k].path, asks[i].path) == 0)
        snprintf(asks[i].name, sizeof(asks[i].name), "%s", hosts[k].name);
  }
  return 0;
}

static unsigned allocations, fail_at;
void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  return ++allocations == fail_at ? NULL : __real_calloc(num, size);
}

static void start(void) {
  hierarchy = temp_tree_make();
  cgroup_tree_init(&cgroups);
  settings_init(&settings);
  settings.host_names = settings.services = true;
  settings.groups = filters;
  settings.groups_num = settings.mptcp_num = 1;
  ck_assert_int_eq(service_names_init(&names, &settings), 0);
  cgroups.names = &names;
}

static void end(void) {
  service_names_free(&names);
  cgroup_tree_free(&cgroups);
  temp_tree_remove(&hierarchy);
}

#define DOCKER_1 "/docker/11111111111111111111111111111111"
#define DOCKER_2 "/docker/22222222222222222222222222222222"

static uint64_t container(int i, const char *path, const char *name) {
  hosts[i].path = path;
  hosts[i].name = name;
  return temp_tree_directory(&hierarchy, path);
}

/* A read. Returns how many were asked in it. */
static size_t refresh(int expected) {
  asked = 0;
  ck_assert_int_ge(cgroup_tree_refresh(&cgroups), 0);
  ck_assert_int_eq(service_names_refresh(&names, &cgroups, "/proc"), expected);
  return asked;
}

static void check(const char *path, const char *expected) {
  char name[SERVICE_NAME_SIZE];
  ck_assert_int_eq(service_names_find(&names, path, name), 0);
  ck_assert_str_eq(name, expected);
}

START_TEST(a_container_is_asked_once) {
  container(0, DOCKER_1, "web-1");
  ck_assert_uint_eq(refresh(0), 1);
  check(DOCKER_1, "web-1");
  check(DOCKER_1 "/init.scope", "web-1");
  ck_assert_uint_eq(refresh(0), 0);
  container(1, DOCKER_2, "web-2");
  ck_assert_uint_eq(refresh(0), 1);
  check(DOCKER_1, "web-1");
  check(DOCKER_2, "web-2");
}
END_TEST

START_TEST(services_and_slices_are_not_asked) {
  container(0, "/system.slice/a.service", "a");
  container(1, "/user.slice", "b");
  ck_assert_uint_eq(refresh(0), 0);
  check("/system.slice/a.service", "a.service");
  check("/user.slice", "user.slice");
}
END_TEST

START_TEST(one_without_a_name_is_asked_three_times) {
  container(0, DOCKER_1, "");
  ck_assert_uint_eq(refresh(0), 1);
  check(DOCKER_1, "111111111111");
  ck_assert_uint_eq(refresh(0), 1);
  ck_assert_uint_eq(refresh(0), 1);
  ck_assert_uint_eq(refresh(0), 0);
  hosts[0].name = "late";
  container(1, DOCKER_2, "web-2");
  ck_assert_uint_eq(refresh(0), 1);
  check(DOCKER_1, "111111111111");
}
END_TEST

START_TEST(a_name_that_comes_later_is_a_change_of_the_tree) {
  container(0, DOCKER_1, "");
  refresh(0);
  unsigned generation = cgroup_tree_generation(&cgroups);
  refresh(0);
  ck_assert_uint_eq(cgroup_tree_generation(&cgroups), generation);
  hosts[0].name = "web-1";
  refresh(0);
  ck_assert_uint_ne(cgroup_tree_generation(&cgroups), generation);
  check(DOCKER_1, "web-1");
}
END_TEST

START_TEST(another_container_at_the_path_is_asked_anew) {
  uint64_t before = container(0, "/lxc/web", "old");
  refresh(0);
  check("/lxc/web", "old");
  temp_tree_delete(&hierarchy, "/lxc/web");
  uint64_t now = before;
  /* A file system may use an inode again. */
  for (int i = 0; now == before && i < 100; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/taken-%d", i);
    temp_tree_directory(&hierarchy, path);
    now = container(0, "/lxc/web", "new");
    if (now == before)
      temp_tree_delete(&hierarchy, "/lxc/web");
  }
  ck_assert_uint_ne(now, before);
  ck_assert_uint_eq(refresh(0), 1);
  check("/lxc/web", "new");
}
END_TEST

START_TEST(what_is_gone_keeps_its_name) {
  container(0, DOCKER_1, "web-1");
  refresh(0);
  temp_tree_delete(&hierarchy, DOCKER_1);
  ck_assert_uint_eq(refresh(0), 0);
  check(DOCKER_1, "web-1");
}
END_TEST

START_TEST(a_filters_name_is_not_taken) {
  container(0, DOCKER_1, filters[_i].name);
  refresh(0);
  check(DOCKER_1, "111111111111");
}
END_TEST

START_TEST(what_is_wrong_is_said_once) {
  container(0, DOCKER_1, "");
  ask_error = -EPERM;
  refresh(-EPERM);
  check(DOCKER_1, "111111111111");
  container(1, DOCKER_2, "");
  refresh(0);
}
END_TEST

START_TEST(without_memory_all_is_as_before) {
  container(0, DOCKER_1, "web-1");
  refresh(0);
  for (unsigned at = 1; at < 3; at++) {
    temp_tree_directory(&hierarchy, at == 1 ? "/x" : DOCKER_2);
    ck_assert_int_ge(cgroup_tree_refresh(&cgroups), 0);
    allocations = 0;
    fail_at = at;
    ck_assert_int_eq(service_names_refresh(&names, &cgroups, "/proc"), -ENOMEM);
    fail_at = 0;
    check(DOCKER_1, "web-1");
    refresh(0);
  }
  check(DOCKER_2, "222222222222");
}
END_TEST

/* Until they are asked their sockets are "other", so that no series begins
 * that would not go on. */
START_TEST(many_are_asked_read_by_read) {
  enum { NUM = SERVICE_NAMES_ASKS + 10 };
  static uint64_t ids[NUM];
  char path[64];
  for (int i = 0; i < NUM; i++) {
    snprintf(path, sizeof(path), "/docker/%032x", i);
    ids[i] = temp_tree_directory(&hierarchy, path);
  }
  settings.services_max = 1000;
  struct services services;
  ck_assert_int_eq(services_init(&services, &settings), 0);
  const struct tally_counts *other = &services.groups[0].counts;
  ck_assert_uint_eq(refresh(0), SERVICE_NAMES_ASKS);
  for (int read = 0; read < 2; read++) {
    ck_assert_int_eq(services_update(&services, &cgroups), 0);
    int unknown = 0;
    for (int i = 0; i < NUM; i++)
      unknown += services_find(&services, ids[i]) == other;
    ck_assert_int_eq(unknown, read == 0 ? NUM - SERVICE_NAMES_ASKS : 0);
    if (read == 0)
      for (int i = 0; i < 10; i++)
        refresh(0);
    other = &services.groups[0].counts;
  }
  services_free(&services);
}
END_TEST

START_TEST(a_service_follows_its_name) {
  uint64_t id = container(0, DOCKER_1, "");
  uint64_t other_id = container(1, DOCKER_2, "web-1");
  struct services services;
  ck_assert_int_eq(services_init(&services, &settings), 0);
  refresh(0);
  ck_assert_int_eq(services_update(&services, &cgroups), 0);
  ck_assert_ptr_ne(services_find(&services, id),
                   services_find(&services, other_id));
  hosts[0].name = "web-1";
  refresh(0);
  ck_assert_int_eq(services_update(&services, &cgroups), 0);
  ck_assert_ptr_eq(services_find(&services, id),
                   services_find(&services, other_id));
  services_free(&services);
}
END_TEST

START_TEST(there_are_no_more_than_are_remembered) {
  char path[64];
  for (int i = 0; i < SERVICE_NAMES_MAX + 5; i++) {
    snprintf(path, sizeof(path), "/docker/%032x", i);
    temp_tree_directory(&hierarchy, path);
  }
  size_t num = 0;
  for (size_t more = 1; more > 0; num += more)
    more = refresh(0);
  ck_assert_uint_eq(num, 3 * SERVICE_NAMES_MAX);
  for (int i = 0; i < SERVICE_NAMES_MAX + 5; i++) {
    snprintf(path, sizeof(path), "/docker/%032x", i);
    check(path, "000000000000");
  }
}
END_TEST

START_TEST(without_any_a_control_groups_name_is_taken) {
  char name[SERVICE_NAME_SIZE];
  ck_assert_int_eq(service_names_find(NULL, DOCKER_1, name), 0);
  ck_assert_str_eq(name, "111111111111");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("service_names");
  TCase *tc = tcase_create("service_names");
  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, a_container_is_asked_once);
  tcase_add_test(tc, services_and_slices_are_not_asked);
  tcase_add_test(tc, one_without_a_name_is_asked_three_times);
  tcase_add_test(tc, a_name_that_comes_later_is_a_change_of_the_tree);
  tcase_add_test(tc, another_container_at_the_path_is_asked_anew);
  tcase_add_test(tc, what_is_gone_keeps_its_name);
  tcase_add_loop_test(tc, a_filters_name_is_not_taken, 0, CASES(filters));
  tcase_add_test(tc, what_is_wrong_is_said_once);
  tcase_add_test(tc, without_memory_all_is_as_before);
  tcase_add_test(tc, many_are_asked_read_by_read);
  tcase_add_test(tc, a_service_follows_its_name);
  tcase_add_test(tc, there_are_no_more_than_are_remembered);
  tcase_add_test(tc, without_any_a_control_groups_name_is_taken);
  suite_add_tcase(suite, tc);
  return check_main_forked(suite);
}
