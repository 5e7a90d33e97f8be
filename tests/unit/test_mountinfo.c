/* SPDX-License-Identifier: MIT */
/* mountinfo.c: lines of a mount table, and tables. */
#include "mountinfo.h"

#include "check_main.h"
#include "inherited.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *line;
  int result;
  uint64_t inode;
  const char *path;
} lines[] = {
    {"412 25 0:4 net:[4026532001] /run/netns/blue rw shared:230 - nsfs nsfs rw",
     1, 4026532001, "/run/netns/blue"},
    {"412 25 0:4 net:[7] /run/a\\040b\\134c rw - nsfs nsfs rw", 1, 7,
     "/run/a b\\c"},
    {"412 25 0:4 net:[7] /run/a\\04 rw - nsfs nsfs rw", 1, 7, "/run/a\\04"},
    {"412 25 0:4 net:[7] /run/netns/blue", 1, 7, "/run/netns/blue"},
    {"413 25 0:4 mnt:[4026532002] /run/x rw - nsfs nsfs rw", 0, 0, ""},
    {"22 27 0:21 / /proc rw,relatime - proc proc rw", 0, 0, ""},
    {"22 27 0:21 /net:[7] /a rw - ext4 /dev/a rw", 0, 0, ""},
    {"22 27 0:21 net:[] /a rw - nsfs nsfs rw", 0, 0, ""},
    {"22 27 0:21 net:[7 /a rw - nsfs nsfs rw", 0, 0, ""},
    {"22 27 0:21 net:[7x] /a rw - nsfs nsfs rw", 0, 0, ""},
    {"22 27 0:21 net:[18446744073709551616] /a rw", 0, 0, ""},
    {"22 27 0:21 net:[7]", -EBADMSG, 0, ""},
    {"22 27 0:21 net:[7] ", -EBADMSG, 0, ""},
    {"", -EBADMSG, 0, ""},
};

START_TEST(line_is_a_namespace_or_not) {
  char path[32] = "";
  uint64_t inode = 0;
  const char *line = lines[_i].line;
  ck_assert_int_eq(
      mountinfo_netns(line, strlen(line), &inode, path, sizeof(path)),
      lines[_i].result);
  ck_assert_uint_eq(inode, lines[_i].inode);
  if (lines[_i].result == 1)
    ck_assert_str_eq(path, lines[_i].path);
}
END_TEST

START_TEST(path_that_does_not_fit_is_an_error) {
  static const char line[] = "1 2 0:4 net:[7] /abc rw - nsfs nsfs rw";
  char path[5];
  uint64_t inode;
  ck_assert_int_eq(mountinfo_netns(line, strlen(line), &inode, path, 5), 1);
  ck_assert_str_eq(path, "/abc");
  ck_assert_int_eq(mountinfo_netns(line, strlen(line), &inode, path, 4),
                   -ENAMETOOLONG);
}
END_TEST

static struct temp_tree tree;
static char file[300];
static char found[4096];
static int stop_with;
static int inherited; /* before a table is read */

static void start(void) {
  tree = temp_tree_make();
  snprintf(file, sizeof(file), "%s/mountinfo", tree.root);
  inherited = inherited_descriptors();
}

static void end(void) { temp_tree_remove(&tree); }

static int note(uint64_t inode, const char *path, void *data) {
  (void)data;
  ck_assert_int_eq(inherited_descriptors(), inherited);
  size_t len = strlen(found);
  snprintf(found + len, sizeof(found) - len, "%u %s\n", (unsigned)inode, path);
  return stop_with;
}

START_TEST(table_has_all_of_them) {
  /* More than is read at a time, with lines across the borders. */
  static char text[65536], expected[4096];
  for (int i = 0; i < 100; i++) {
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len,
             "1 2 0:5 / /%0*d rw - ext4 /dev/a rw\n"
             "1 2 0:4 net:[%d] /n/%d rw - nsfs nsfs rw\n",
             300 + i, i, i + 1, i);
    len = strlen(expected);
    snprintf(expected + len, sizeof(expected) - len, "%d /n/%d\n", i + 1, i);
  }
  temp_tree_file(&tree, "/mountinfo", text);
  ck_assert_int_eq(mountinfo_each(file, note, NULL), 0);
  ck_assert_str_eq(found, expected);
}
END_TEST

START_TEST(table_ends_where_the_callback_says_so) {
  temp_tree_file(&tree, "/mountinfo",
                 "1 2 0:4 net:[1] /a rw\n1 2 0:4 net:[2] /b rw\n");
  stop_with = -ENOSPC;
  ck_assert_int_eq(mountinfo_each(file, note, NULL), -ENOSPC);
  ck_assert_str_eq(found, "1 /a\n");
}
END_TEST

START_TEST(table_without_its_end_is_an_error) {
  temp_tree_file(&tree, "/mountinfo", "1 2 0:4 net:[1] /a rw");
  ck_assert_int_eq(mountinfo_each(file, note, NULL), -EBADMSG);
}
END_TEST

/* A user can have made it: FUSE's mounts have any source, at any path. */
static const struct {
  const char *begin;
  size_t num; /* of bytes that follow */
  const char *end;
  int result;
} long_lines[] = {
    {"1 2 0:5 / /", 5000, " rw - fuse ", 0},
    {"1 2 0:5 / /", 40000, " rw - fuse ", 0},
    {"1 2 0:5 /", 40000, " /a rw - fuse ", 0},
    {"1 2 0:5 /", 40000, "", 0},
    {"1 2 0:5 / /a rw - fuse net:[8] /b ", 40000, "", 0},
    {"1 2 0:4 net:[1] /", 40000, " rw - nsfs nsfs rw", -ENAMETOOLONG},
};

START_TEST(long_line_of_another_mount_hides_no_namespace) {
  static char text[50000];
  for (size_t more = 0; more < 4200; more += 37) {
    size_t num = long_lines[_i].num + more;
    int len = snprintf(text, sizeof(text), "1 2 0:4 net:[1] /a rw\n%s",
                       long_lines[_i].begin);
    memset(text + len, 'x', num);
    snprintf(text + len + num, sizeof(text) - (size_t)len - num,
             "%s\n1 2 0:4 net:[2] /b rw\n", long_lines[_i].end);
    temp_tree_file(&tree, "/mountinfo", text);
    found[0] = '\0';
    ck_assert_int_eq(mountinfo_each(file, note, NULL), long_lines[_i].result);
    ck_assert_str_eq(found,
                     long_lines[_i].result == 0 ? "1 /a\n2 /b\n" : "1 /a\n");
  }
}
END_TEST

START_TEST(long_line_without_its_end_is_an_error) {
  static char text[20000];
  memset(text, 'a', sizeof(text) - 1);
  temp_tree_file(&tree, "/mountinfo", text);
  ck_assert_int_eq(mountinfo_each(file, note, NULL), -EBADMSG);
}
END_TEST

START_TEST(no_table_is_an_error) {
  ck_assert_int_eq(mountinfo_each(file, note, NULL), -ENOENT);
  ck_assert_int_eq(mountinfo_each(tree.root, note, NULL), -EISDIR);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("mountinfo");
  TCase *tcase = tcase_create("mountinfo");
  tcase_add_checked_fixture(tcase, start, end);
  tcase_add_loop_test(tcase, line_is_a_namespace_or_not, 0, CASES(lines));
  tcase_add_test(tcase, path_that_does_not_fit_is_an_error);
  tcase_add_test(tcase, table_has_all_of_them);
  tcase_add_test(tcase, table_ends_where_the_callback_says_so);
  tcase_add_test(tcase, table_without_its_end_is_an_error);
  tcase_add_loop_test(tcase, long_line_of_another_mount_hides_no_namespace, 0,
                      CASES(long_lines));
  tcase_add_test(tcase, long_line_without_its_end_is_an_error);
  tcase_add_test(tcase, no_table_is_an_error);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
