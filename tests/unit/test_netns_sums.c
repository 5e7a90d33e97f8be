/* SPDX-License-Identifier: MIT */
/* netns_sums.c: against files in the shape of /proc, and the real one. */
#include "netns_sums.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKSTAT                                                               \
  "sockets: used 9\nTCP: inuse 60 orphan 3 tw 7 alloc 150 mem 5\nUDP: inuse "  \
  "1 mem 0\n"
#define SOCKSTAT6 "TCP6: inuse 30\nUDP6: inuse 1\n"

static struct temp_tree proc;

static void start(void) {
  proc = temp_tree_make();
  temp_tree_file(&proc, "/7/net/sockstat", SOCKSTAT);
  temp_tree_file(&proc, "/7/net/sockstat6", SOCKSTAT6);
}

static void end(void) { temp_tree_remove(&proc); }

START_TEST(sums_are_of_both_families) {
  struct netns_sums sums;
  ino_t ino;
  ck_assert_int_eq(netns_sums_read(proc.root, 7, &sums), 0);
  ck_assert_int_eq(sums.inuse, 90);
  ck_assert_int_eq(sums.alloc, 150);
  ck_assert_int_eq(sums.orphan, 3);
  ck_assert_int_eq(netns_sums_identify(proc.root, 7, &ino), 0);
  ck_assert_uint_eq(sums.ino, ino);
}
END_TEST

START_TEST(without_ipv6_there_is_one) {
  struct netns_sums sums;
  temp_tree_delete(&proc, "/7/net/sockstat6");
  ck_assert_int_eq(netns_sums_read(proc.root, 7, &sums), 0);
  ck_assert_int_eq(sums.inuse, 60);
}
END_TEST

static const struct {
  const char *file, *text;
  int error;
} broken[] = {
    {"/7/net/sockstat", "TCP: inuse 60 orphan 3 tw 7 alloc", -EBADMSG},
    {"/7/net/sockstat", "TCP: inuse 60 orphan 3 tw 7\n", -ENODATA},
    {"/7/net/sockstat", "TCP: orphan 3 tw 7 alloc 150\n", -ENODATA},
    {"/7/net/sockstat", "UDP: inuse 60\n", -ENODATA},
    {"/7/net/sockstat6", "TCP6: inuse -1\n", -EBADMSG},
    {"/7/net/sockstat6", "", -ENODATA},
    {"/7/net/sockstat", NULL, -ENOENT},
};

START_TEST(what_cannot_be_read_leaves_the_result_as_it_was) {
  struct netns_sums sums, before;
  memset(&sums, 'x', sizeof(sums));
  before = sums;
  temp_tree_delete(&proc, broken[_i].file);
  if (broken[_i].text != NULL)
    temp_tree_file(&proc, broken[_i].file, broken[_i].text);
  ck_assert_int_eq(netns_sums_read(proc.root, 7, &sums), broken[_i].error);
  ck_assert_mem_eq(&sums, &before, sizeof(sums));
}
END_TEST

START_TEST(process_that_is_not_there_is_an_error) {
  struct netns_sums sums;
  ino_t ino;
  ck_assert_int_eq(netns_sums_read(proc.root, 8, &sums), -ENOENT);
  ck_assert_int_eq(netns_sums_identify(proc.root, 8, &ino), -ENOENT);
}
END_TEST

START_TEST(processes_of_one_namespace_have_the_same_number) {
  ino_t own, thread, other;
  ck_assert_int_eq(netns_sums_identify("/proc", (uint32_t)getpid(), &own), 0);
  ck_assert_int_eq(netns_sums_identify("/proc", 0, &thread), 0);
  ck_assert_int_eq(netns_sums_identify("/proc", (uint32_t)getppid(), &other),
                   0);
  ck_assert_uint_eq(own, thread);
  ck_assert_uint_eq(own, other);
}
END_TEST

/* Asked without what is tested. */
static bool have_net(void) {
  char path[64];
  struct stat status;
  snprintf(path, sizeof(path), "/proc/%ld/net/sockstat", (long)getpid());
  return stat(path, &status) == 0;
}

START_TEST(nothing_to_do) {}
END_TEST

int main(void) {
  Suite *suite = suite_create("netns_sums");
  TCase *tcase = tcase_create("netns_sums");
  tcase_add_checked_fixture(tcase, start, end);
  tcase_add_test(tcase, sums_are_of_both_families);
  tcase_add_test(tcase, without_ipv6_there_is_one);
  tcase_add_loop_test(tcase, what_cannot_be_read_leaves_the_result_as_it_was, 0,
                      CASES(broken));
  tcase_add_test(tcase, process_that_is_not_there_is_an_error);
  suite_add_tcase(suite, tcase);
  if (have_net())
    tcase_add_test(tcase, processes_of_one_namespace_have_the_same_number);
  else
    check_skip(suite, "processes_of_one_namespace_have_the_same_number",
               "a process has no /proc/PID/net here, as in qemu's user "
               "emulation",
               nothing_to_do);
  return check_main_forked(suite);
}
