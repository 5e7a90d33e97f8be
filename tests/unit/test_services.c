/* SPDX-License-Identifier: MIT */
/* services.c: which service a control group belongs to, and which of them are
 * reported, read by read. */
#include "cgroup_walk.h"
#include "services.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned allocations, fail_at;

void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
  return ++allocations == fail_at ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size) {
  return ++allocations == fail_at ? NULL : __real_calloc(num, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return ++allocations == fail_at ? NULL : __real_realloc(old, size);
}

static struct temp_tree hierarchy;
static struct cgroup_tree cgroups;
static struct settings settings;
static struct group filters[2];
static struct services services;

const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) { return hierarchy.root; }

static void start(void) {
  hierarchy = temp_tree_make();
  cgroup_tree_init(&cgroups);
  settings_init(&settings);
  settings.services_max = 3;
  ck_assert_int_eq(services_init(&services, &settings), 0);
}

static void end(void) {
  services_free(&services);
  cgroup_tree_free(&cgroups);
  temp_tree_remove(&hierarchy);
}

static uint64_t make(const char *path) {
  return temp_tree_directory(&hierarchy, path);
}

/* A read begins. */
static void begin(void) {
  ck_assert_int_ge(cgroup_tree_refresh(&cgroups), 0);
  ck_assert_int_eq(services_update(&services, &cgroups), 0);
  services_reset(&services);
}

static void add(uint64_t id, unsigned num) {
  struct tally_counts *counts = services_find(&services, id);
  ck_assert_ptr_nonnull(counts);
  counts->state[TCP_ESTABLISHED] += num;
}

/* It ends, with these groups reported: "a 1, b 2", in the order of their
 * names. */
static int compare_texts(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void expect(const char *expected) {
  services_choose(&services);
  static char lines[2000][96];
  char *pointers[2000], text[200000] = "";
  size_t num = 0, len = 0;
  for (size_t i = 0; i < services.num; i++) {
    const struct services_group *group = &services.groups[i];
    if (!group->reported)
      continue;
    ck_assert_uint_lt(num, 2000);
    snprintf(lines[num], sizeof(lines[num]), "%s %llu", group->name,
             (unsigned long long)group->counts.state[TCP_ESTABLISHED]);
    pointers[num] = lines[num];
    num++;
  }
  qsort(pointers, num, sizeof(*pointers), compare_texts);
  for (size_t i = 0; i < num; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
                            i > 0 ? ", " : "", pointers[i]);
  ck_assert_str_eq(text, expected);
}

/* The machine's root has the id 1. */
START_TEST(it_is_known_whether_the_hierarchy_is_the_machines) {
  make("/system.slice/a.service");
  begin();
  ck_assert(services.partial);
  cgroups.now.entries[0].id = 1;
  cgroup_tree_touch(&cgroups);
  begin();
  ck_assert(!services.partial);
}
END_TEST

/* What is added up over namespaces is limited there. */
START_TEST(of_a_part_of_a_sum_all_services_are_reported) {
  services.summed = true;
  settings.services_max = 1;
  uint64_t a = make("/a"), b = make("/b"), c = make("/c");
  begin();
  add(a, 1);
  add(b, 2);
  add(c, 3);
  expect("a 1, b 2, c 3");
  begin();
  expect("a 0, b 0, c 0");
}
END_TEST

START_TEST(control_groups_of_one_service_add_up) {
  uint64_t a = make("/system.slice/a.service"),
           inner = make("/system.slice/a.service/inner/deep"),
           again = make("/other.slice/a.service"), b = make("/b");
  begin();
  add(a, 1);
  add(inner, 2);
  add(again, 4);
  add(b, 1);
  add(make("/"), 7);
  ck_assert_ptr_null(services_find(&services, 0));
  expect("a.service 7, b 1, root 7");
}
END_TEST

START_TEST(what_is_in_no_known_control_group_is_other) {
  begin();
  add(UINT64_MAX, 3);
  expect("other 3");
}
END_TEST

START_TEST(a_service_without_sockets_is_not_there) {
  make("/a.service");
  begin();
  expect("");
}
END_TEST

START_TEST(the_largest_have_groups_and_the_others_are_other) {
  uint64_t ids[5];
  for (int i = 0; i < 5; i++) {
    char path[16];
    snprintf(path, sizeof(path), "/%c.service", 'a' + i);
    ids[i] = make(path);
  }
  begin();
  for (unsigned i = 0; i < 5; i++)
    add(ids[i], 10 + 10 * i);
  expect("c.service 30, d.service 40, e.service 50, other 30");
  /* One that is a little larger pushes none out, one that is much does. */
  begin();
  for (unsigned i = 0; i < 5; i++)
    add(ids[i], i == 1 ? 33 : 10 + 10 * i);
  expect("c.service 30, d.service 40, e.service 50, other 43");
  begin();
  for (unsigned i = 0; i < 5; i++)
    add(ids[i], i == 1 ? 39 : 10 + 10 * i);
  expect("b.service 39, d.service 40, e.service 50, other 40");
}
END_TEST

START_TEST(oldest_and_fullest_of_the_others_are_not_added_up) {
  settings.services_max = 1;
  uint64_t ids[] = {make("/a"), make("/b"), make("/c")};
  begin();
  add(ids[0], 9);
  for (unsigned i = 1; i < 3; i++) {
    struct tally_counts *counts = services_find(&services, ids[i]);
    counts->state[TCP_CLOSE_WAIT] = 1;
    counts->close_wait_stuck = 1;
    counts->close_wait_oldest = 1000 * i;
    counts->fin_wait2_oldest = 5000 / i;
    counts->fin_wait1_oldest = 7 * i;
    counts->accept_queue = 2;
    counts->accept_queue_utilization = 100 * i;
  }
  expect("a 9, other 0");
  const struct tally_counts *other = &services.groups[0].counts;
  ck_assert_uint_eq(other->close_wait_stuck, 2);
  ck_assert_uint_eq(other->close_wait_oldest, 2000);
  ck_assert_uint_eq(other->fin_wait2_oldest, 5000);
  ck_assert_uint_eq(other->fin_wait1_oldest, 14);
  ck_assert_uint_eq(other->accept_queue, 4);
  ck_assert_uint_eq(other->accept_queue_utilization, 200);
}
END_TEST

START_TEST(after_its_last_socket_a_service_has_zeros_in_ten_reads) {
  uint64_t id = make("/a.service");
  begin();
  add(id, 1);
  add(UINT64_MAX, 1);
  expect("a.service 1, other 1");
  for (int i = 0; i < 10; i++) {
    begin();
    if (i == 5)
      temp_tree_delete(&hierarchy, "/a.service");
    expect("a.service 0, other 0");
  }
  begin();
  expect("");
}
END_TEST

START_TEST(a_service_that_restarts_goes_on) {
  for (int i = 0; i < 5; i++) {
    uint64_t id = make("/a.service/x");
    begin();
    add(id, 3);
    expect("a.service 3");
    temp_tree_delete(&hierarchy, "/a.service/x");
    temp_tree_delete(&hierarchy, "/a.service");
    /* Its sockets can outlive it. */
    begin();
    add(id, 1);
    expect("a.service 1");
    char filler[16];
    snprintf(filler, sizeof(filler), "/f%d/y", i);
    make(filler); /* has its inodes now */
  }
}
END_TEST

START_TEST(zeros_make_room_for_sockets) {
  settings.services_max = 2;
  uint64_t ids[] = {make("/a"), make("/b"), make("/c")};
  begin();
  add(ids[0], 1);
  expect("a 1");
  begin();
  add(ids[1], 1);
  expect("a 0, b 1");
  begin();
  add(ids[1], 1);
  add(ids[2], 1);
  expect("b 1, c 1");
  begin();
  expect("b 0, c 0");
}
END_TEST

/* The service with more than half of the sockets can be left out of a dump. */
START_TEST(the_largest_is_known_by_its_control_groups) {
  uint64_t a = make("/a.service"), inner = make("/a.service/x"), b = make("/b");
  static const struct {
    unsigned a, b;
    size_t ids;
  } reads[] = {{1, 1, 0},   {11, 10, 2}, {10, 10, 2}, {41, 59, 2}, {39, 61, 1},
               {45, 55, 1}, {59, 41, 1}, {61, 39, 2}, {0, 0, 0}};
  for (int i = 0; i < CASES(reads); i++) {
    begin();
    add(a, reads[i].a);
    add(b, reads[i].b);
    services_choose(&services);
    ck_assert_msg(services.largest_ids_num == reads[i].ids, "read %d: %zu", i,
                  services.largest_ids_num);
    for (size_t j = 0; j < services.largest_ids_num; j++) {
      uint64_t id = services.largest_ids[j];
      ck_assert(reads[i].ids == 2 ? id == a || id == inner : id == b);
    }
  }
  /* What was not dumped is its own. */
  begin();
  add(b, 9);
  services_choose(&services);
  begin();
  services_add_missing(&services, 7);
  services_add_missing(&services, -2);
  expect("a.service 0, b 5");
  begin();
  services_add_missing(&services, -2);
  expect("a.service 0, b 0");
  /* With too many control groups it cannot be left out. */
  for (int i = 0; i < SERVICES_LARGEST_IDS; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/b/%d", i);
    make(path);
    if (i % 2 == 0) {
      snprintf(path, sizeof(path), "/c.slice/%d/b.service", i);
      make(path);
    }
  }
  begin();
  add(make("/c.slice/2/b.service"), 9);
  services_choose(&services);
  ck_assert_uint_eq(services.largest_ids_num, SERVICES_LARGEST_IDS / 2);
  for (int i = 1; i < SERVICES_LARGEST_IDS; i += 2) {
    char path[32];
    snprintf(path, sizeof(path), "/c.slice/%d/b.service/%d", i, i);
    make(path);
  }
  begin();
  ck_assert_uint_eq(services.largest_ids_num, 0);
}
END_TEST

/* Of TCP's or MPTCP's. */
START_TEST(a_filters_name_is_the_filters) {
  filters[0].name = (char[]){"x"};
  filters[1].name = (char[]){"a.service"};
  settings.groups = filters;
  settings.groups_num = 2 - (size_t)_i;
  settings.mptcp_num = (size_t)_i;
  uint64_t a = make("/a.service"), b = make("/b.service");
  begin();
  add(a, 5);
  add(b, 2);
  ck_assert_str_eq(services.taken, "a.service");
  expect("b.service 2, other 5");
  settings.groups_num = settings.mptcp_num = 0;
}
END_TEST

/* A container for each job. */
START_TEST(short_lived_ones_cost_bounded_memory_and_bounded_groups) {
  uint64_t service = make("/job.service");
  for (int round = 0; round < 200; round++) {
    char path[96];
    for (int i = 0; i < 20; i++) {
      snprintf(path, sizeof(path), "/job.service/%d", i);
      make(path);
      snprintf(path, sizeof(path), "/docker/%06d%06d%032d", round, i, 0);
      make(path);
    }
    begin();
    for (int i = 0; i < 20; i++) {
      snprintf(path, sizeof(path), "/job.service/%d", i);
      add(make(path), 1);
      snprintf(path, sizeof(path), "/docker/%06d%06d%032d", round, i, 0);
      add(make(path), 1);
    }
    add(service, 1);
    services_choose(&services);
    size_t reported = 0;
    for (size_t i = 0; i < services.num; i++)
      reported += services.groups[i].reported;
    ck_assert_uint_eq(reported, 4); /* three and other */
    for (int i = 0; i < 20; i++) {
      snprintf(path, sizeof(path), "/job.service/%d", i);
      temp_tree_delete(&hierarchy, path);
      snprintf(path, sizeof(path), "/docker/%06d%06d%032d", round, i, 0);
      temp_tree_delete(&hierarchy, path);
    }
  }
  /* These and those that are gone, of which more or fewer have the same inode:
   * that depends on the file system. All 4000 groups would take more. */
  ck_assert_uint_le(services.ids_size, 4 * CGROUP_GONE_NUM);
  ck_assert_uint_le(services.size, 2 * CGROUP_GONE_NUM);
}
END_TEST

START_TEST(at_rest_nothing_is_allocated) {
  uint64_t id = make("/a.service");
  for (int i = 0; i < 3; i++) {
    allocations = 0;
    int changed = cgroup_tree_refresh(&cgroups);
    int err = services_update(&services, &cgroups);
    services_reset(&services);
    services_find(&services, id)->state[TCP_ESTABLISHED] = 1;
    services_choose(&services);
    unsigned allocated = allocations;
    ck_assert_int_eq(changed, i == 0);
    ck_assert_int_eq(err, 0);
    ck_assert(i == 0 || allocated == 0);
  }
}
END_TEST

START_TEST(without_memory_it_is_tried_again) {
  uint64_t ids[100];
  for (int i = 0; i < 100; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/s%d.service", i);
    ids[i] = make(path);
  }
  ck_assert_int_eq(cgroup_tree_refresh(&cgroups), 1);
  int failures = 0;
  for (fail_at = 1; failures < 100; fail_at++) {
    allocations = 0;
    int err = services_update(&services, &cgroups);
    bool failed = allocations >= fail_at;
    if (!failed)
      break;
    ck_assert(err == 0 || err == -ENOMEM);
    failures++;
  }
  fail_at = 0;
  ck_assert_int_gt(failures, 0);
  begin();
  add(ids[7], 2);
  add(ids[99], 1);
  expect("s7.service 2, s99.service 1");

  struct services other;
  for (fail_at = 1; fail_at <= 4; fail_at++) {
    allocations = 0;
    ck_assert_int_eq(services_init(&other, &settings), -ENOMEM);
  }
  fail_at = 0;
}
END_TEST

START_TEST(more_services_than_can_be_told_apart_are_other) {
  settings.services_max = 3;
  enum { NUM = SERVICES_NUM_MAX + 100 };
  static uint64_t ids[NUM];
  for (int i = 0; i < NUM; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/s%d.service", i);
    ids[i] = make(path);
  }
  begin();
  for (int i = 0; i < NUM; i++)
    add(ids[i], 1);
  services_choose(&services);
  ck_assert_uint_eq(services.num, SERVICES_NUM_MAX);
  ck_assert_uint_eq(services.groups[0].counts.state[TCP_ESTABLISHED], NUM - 3);
}
END_TEST

START_TEST(without_a_hierarchy_it_says_so) {
  ck_assert_int_eq(services_update(&services, &cgroups), -ENODEV);
  begin();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("services");
  TCase *tc = tcase_create("services");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, of_a_part_of_a_sum_all_services_are_reported);
  tcase_add_test(tc, it_is_known_whether_the_hierarchy_is_the_machines);
  tcase_add_test(tc, control_groups_of_one_service_add_up);
  tcase_add_test(tc, what_is_in_no_known_control_group_is_other);
  tcase_add_test(tc, a_service_without_sockets_is_not_there);
  tcase_add_test(tc, the_largest_have_groups_and_the_others_are_other);
  tcase_add_test(tc, oldest_and_fullest_of_the_others_are_not_added_up);
  tcase_add_test(tc, after_its_last_socket_a_service_has_zeros_in_ten_reads);
  tcase_add_test(tc, a_service_that_restarts_goes_on);
  tcase_add_test(tc, zeros_make_room_for_sockets);
  tcase_add_test(tc, the_largest_is_known_by_its_control_groups);
  tcase_add_loop_test(tc, a_filters_name_is_the_filters, 0, 2);
  tcase_add_test(tc, short_lived_ones_cost_bounded_memory_and_bounded_groups);
  tcase_add_test(tc, at_rest_nothing_is_allocated);
  tcase_add_test(tc, without_memory_it_is_tried_again);
  tcase_add_test(tc, more_services_than_can_be_told_apart_are_other);
  tcase_add_test(tc, without_a_hierarchy_it_says_so);
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
