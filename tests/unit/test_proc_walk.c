/* SPDX-License-Identifier: MIT */
/* proc_walk.c: against directories made here, and the real /proc. Link with
 * -Wl,--wrap=syscall. */
#include "proc_walk.h"

#include "check_main.h"
#include "inherited.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static struct temp_tree proc;

static int inherited; /* before there is a walk */

static void start(void) {
  proc = temp_tree_make();
  inherited = inherited_descriptors();
}

static bool no_lengths;

static void end(void) {
  no_lengths = false;
  temp_tree_remove(&proc);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  int fd = va_arg(list, int);
  void *buf = va_arg(list, void *);
  size_t size = va_arg(list, size_t);
  va_end(list);
  long len = __real_syscall(number, fd, buf, size);
  if (no_lengths && len > 0)
    memset(buf, 0, (size_t)len);
  return len;
}

static uint64_t sum;
static unsigned num;
static int add(uint32_t pid, void *data) {
  ck_assert_int_eq(inherited_descriptors(), inherited);
  sum += pid;
  num++;
  return num == *(const unsigned *)data ? -E2BIG : 0;
}

static int walk(const char *path, unsigned last) {
  sum = num = 0;
  return proc_walk(path, add, &last);
}

START_TEST(only_processes_are_taken) {
  static const char *const names[] = {
      "/1",          "/4194304", "/self",       "/thread-self", "/1a",  "/a1",
      "/4294967296", "/-1",      "/2147483648", "/2147483647",  "/+12", "/sys"};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
    temp_tree_directory(&proc, names[i]);
  ck_assert_int_eq(walk(proc.root, 0), 0);
  ck_assert_uint_eq(num, 3);
  ck_assert_uint_eq(sum, UINT64_C(1) + 4194304 + 2147483647);
}
END_TEST

START_TEST(all_of_many_are_taken) {
  for (int i = 1; i <= 2000; i++) {
    char name[16];
    snprintf(name, sizeof(name), "/%d", i);
    temp_tree_directory(&proc, name);
  }
  ck_assert_int_eq(walk(proc.root, 0), 0);
  ck_assert_uint_eq(num, 2000);
  ck_assert_uint_eq(sum, 2000 * 2001 / 2);
  ck_assert_int_eq(walk(proc.root, 7), -E2BIG);
  ck_assert_uint_eq(num, 7);
}
END_TEST

/* No kernel does that. Nothing comes after it. */
START_TEST(an_entry_without_a_length_is_an_error) {
  temp_tree_directory(&proc, "/1");
  no_lengths = true;
  ck_assert_int_eq(walk(proc.root, 0), -EBADMSG);
  ck_assert_uint_eq(num, 0);
}
END_TEST

START_TEST(no_directory_is_an_error) {
  temp_tree_file(&proc, "/file", "");
  char path[300];
  snprintf(path, sizeof(path), "%s/file", proc.root);
  ck_assert_int_eq(walk(path, 0), -ENOTDIR);
  snprintf(path, sizeof(path), "%s/none", proc.root);
  ck_assert_int_eq(walk(path, 0), -ENOENT);
}
END_TEST

static int find_own(uint32_t pid, void *data) {
  *(bool *)data = *(bool *)data || pid == (uint32_t)getpid();
  return 0;
}

START_TEST(this_process_is_there) {
  bool found = false;
  ck_assert_int_eq(proc_walk("/proc", find_own, &found), 0);
  ck_assert(found);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("proc_walk");
  TCase *tcase = tcase_create("proc_walk");
  tcase_add_checked_fixture(tcase, start, end);
  tcase_add_test(tcase, only_processes_are_taken);
  tcase_add_test(tcase, all_of_many_are_taken);
  tcase_add_test(tcase, an_entry_without_a_length_is_an_error);
  tcase_add_test(tcase, no_directory_is_an_error);
  tcase_add_test(tcase, this_process_is_there);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
