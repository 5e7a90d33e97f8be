/* SPDX-License-Identifier: MIT */
/* proc_file.c: one small file is read whole, or not at all. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "proc_file.h"

#include "proc_text.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct temp_tree tree;

static int interruptions; /* this many reads are interrupted, each after one */
static int reads;

ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size) {
  /* The daemon's children must not inherit it. */
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  if (reads++ % 2 < 1 || interruptions == 0)
    return __real_read(fd, buf, interruptions > 0 && size > 7 ? 7 : size);
  interruptions--;
  errno = EINTR;
  return -1;
}

static void make_tree(void) { tree = temp_tree_make(); }

static void remove_tree(void) { temp_tree_remove(&tree); }

static void path_of(const char *name, char *path) {
  snprintf(path, PATH_MAX, "%s/%s", tree.root, name);
}

/* Makes the file "file" of len bytes 'a' to 'z'. */
static void make_file(size_t len, char *path) {
  path_of("file", path);
  FILE *file = fopen(path, "we");
  ck_assert_ptr_nonnull(file);
  for (size_t i = 0; i < len; i++)
    fputc('a' + (int)(i % 26), file);
  ck_assert_int_eq(fclose(file), 0);
}

/* Reads into a buffer of exactly size bytes, full of '#' before. */
static int read_exactly(const char *path, size_t size, char **buf) {
  *buf = malloc(size);
  ck_assert_ptr_nonnull(*buf);
  memset(*buf, '#', size);
  return proc_file_read(path, *buf, size);
}

START_TEST(interruptions_lose_nothing) {
  char path[PATH_MAX], *buf;
  make_file(30, path);
  interruptions = 3;
  ck_assert_int_eq(read_exactly(path, 100, &buf), 0);
  ck_assert_str_eq(buf, "abcdefghijklmnopqrstuvwxyzabcd");
  ck_assert_int_eq(interruptions, 0);
  free(buf);
}
END_TEST

static const struct {
  const char *name;
  size_t len;  /* of the file */
  size_t size; /* of the buffer */
  int err;
} sizes[] = {
    {"an empty file", 0, 100, 0},
    {"an empty file into one byte", 0, 1, 0},
    {"one byte too big for one byte", 1, 1, -EFBIG},
    {"one byte, exactly", 1, 2, 0},
    {"two bytes, one too big", 2, 2, -EFBIG},
    {"with room left", 10, 100, 0},
    {"exactly", 99, 100, 0},
    {"one too big", 100, 100, -EFBIG},
    {"two too big", 101, 100, -EFBIG},
    {"much too big", 100000, 100, -EFBIG},
    {"a page, exactly", 4096, 4097, 0},
    {"a page, one too big", 4096, 4096, -EFBIG},
    {"more than a page", 70000, 70001, 0},
};

START_TEST(a_file_is_read_if_it_and_a_nul_byte_fit) {
  char path[PATH_MAX];
  make_file(sizes[_i].len, path);
  char *buf;
  int err = read_exactly(path, sizes[_i].size, &buf);
  ck_assert_msg(err == sizes[_i].err, "%s: %d", sizes[_i].name, err);
  if (err != 0) {
    ck_assert_str_eq(buf, "");
  } else {
    ck_assert_uint_eq(strlen(buf), sizes[_i].len);
    for (size_t i = 0; i < sizes[_i].len; i++)
      if (buf[i] != 'a' + (char)(i % 26))
        ck_abort_msg("%s: byte %zu is %d", sizes[_i].name, i, buf[i]);
  }
  free(buf);
}
END_TEST

static const struct {
  const char *path; /* "@": the test's tree */
  int err;
} unreadable[] = {
    {"@/missing", -ENOENT},
    {"@/missing/file", -ENOENT},
    {"", -ENOENT},
    {"@", -EISDIR},
    {"/proc", -EISDIR},
    {"/proc/self/net/missing", -ENOENT},
    {"/dev/null/file", -ENOTDIR},
    {"/proc/self/mem", -EIO}, /* it opens, but nothing is mapped at 0 */
};

START_TEST(what_cannot_be_read_gives_its_errno_and_an_empty_string) {
  const char *path = unreadable[_i].path;
  char full[PATH_MAX];
  snprintf(full, sizeof(full), "%s%s", path[0] == '@' ? tree.root : "",
           path[0] == '@' ? path + 1 : path);
  for (size_t size = 1; size <= 64; size += 63) {
    char *buf;
    int err = read_exactly(full, size, &buf);
    ck_assert_msg(err == unreadable[_i].err, "%s into %zu bytes: %d", path,
                  size, err);
    ck_assert_msg(buf[0] == '\0', "%s into %zu bytes: not empty", path, size);
    free(buf);
  }
}
END_TEST

START_TEST(a_symlink_loop_and_a_long_path_give_their_errno) {
  char path[PATH_MAX];
  path_of("file", path);
  ck_assert_int_eq(symlink("file", path), 0);
  char buf[8] = "#";
  ck_assert_int_eq(proc_file_read(path, buf, sizeof(buf)), -ELOOP);
  ck_assert_str_eq(buf, "");

  static char longer[2 * PATH_MAX];
  memset(longer, 'x', sizeof(longer) - 1);
  buf[0] = '#';
  ck_assert_int_eq(proc_file_read(longer, buf, sizeof(buf)), -ENAMETOOLONG);
  ck_assert_str_eq(buf, "");
}
END_TEST

/* A pipe in packet mode: one read(2) gives one of the pieces, never more. */
static int read_pieces(const char *const *pieces, size_t num, size_t size,
                       char **buf) {
  int fds[2];
  ck_assert_int_eq(pipe2(fds, O_DIRECT | O_CLOEXEC), 0);
  for (size_t i = 0; i < num; i++)
    ck_assert_int_eq(write(fds[1], pieces[i], strlen(pieces[i])),
                     (int)strlen(pieces[i]));
  close(fds[1]);
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
  int err = read_exactly(path, size, buf);
  close(fds[0]);
  return err;
}

START_TEST(a_file_that_comes_in_pieces_is_read_whole) {
  static const char *const pieces[] = {"TCP: in", "use 2", "7", " tw 141\n"};
  char *buf;
  ck_assert_int_eq(read_pieces(pieces, CASES(pieces), 22, &buf), 0);
  ck_assert_str_eq(buf, "TCP: inuse 27 tw 141\n");
  free(buf);
  ck_assert_int_eq(read_pieces(pieces, CASES(pieces), 21, &buf), -EFBIG);
  ck_assert_str_eq(buf, "");
  free(buf);
}
END_TEST

/* The number that the next open() gets. */
static int next_descriptor(void) {
  int fd = dup(0);
  ck_assert_int_ge(fd, 0);
  close(fd);
  return fd;
}

START_TEST(no_descriptor_stays_open) {
  char path[PATH_MAX];
  make_file(50, path);
  const int next = next_descriptor();
  char buf[100];
  ck_assert_int_eq(proc_file_read(path, buf, sizeof(buf)), 0);
  ck_assert_int_eq(next_descriptor(), next);
  ck_assert_int_eq(proc_file_read(path, buf, 10), -EFBIG);
  ck_assert_int_eq(next_descriptor(), next);
  ck_assert_int_eq(proc_file_read(tree.root, buf, sizeof(buf)), -EISDIR);
  ck_assert_int_eq(next_descriptor(), next);
  ck_assert_int_eq(proc_file_read("/proc/self/mem", buf, sizeof(buf)), -EIO);
  ck_assert_int_eq(next_descriptor(), next);
}
END_TEST

START_TEST(a_file_that_stays_open_is_read_anew) {
  static const size_t lengths[] = {50, 7, 0, 99};
  char path[PATH_MAX], buf[100];
  struct proc_file file = {0};
  const int next = next_descriptor();
  for (int i = 0; i < CASES(lengths); i++) {
    memset(buf, '#', sizeof(buf));
    make_file(lengths[i], path);
    ck_assert_int_eq(proc_file_reread(&file, path, buf, sizeof(buf)), 0);
    ck_assert_uint_eq(strlen(buf), lengths[i]);
    ck_assert_int_eq(next_descriptor(), next + 1);
  }
  path_of("file", path);
  ck_assert_int_eq(unlink(path), 0);
  ck_assert_int_eq(proc_file_reread(&file, path, buf, sizeof(buf)), 0);
  ck_assert_uint_eq(strlen(buf), 99);
  proc_file_close(&file);
  ck_assert_int_eq(next_descriptor(), next);
  proc_file_close(&file);
}
END_TEST

START_TEST(after_an_error_it_is_opened_again) {
  struct proc_file file = {0};
  const int next = next_descriptor();
  char path[PATH_MAX], buf[100];
  path_of("file", path);
  ck_assert_int_eq(proc_file_reread(&file, path, buf, sizeof(buf)), -ENOENT);
  for (int i = 0; i < 2; i++) {
    make_file(50, path);
    ck_assert_int_eq(proc_file_reread(&file, path, buf, sizeof(buf)), 0);
    ck_assert_int_eq(proc_file_reread(&file, path, buf, 10), -EFBIG);
    ck_assert_str_eq(buf, "");
    ck_assert_int_eq(next_descriptor(), next);
  }
}
END_TEST

START_TEST(where_it_cannot_go_back_to_its_start_it_is_opened_again) {
  struct proc_file file = {0};
  char path[PATH_MAX], buf[100];
  make_file(50, path);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(proc_file_reread(&file, path, buf, sizeof(buf)), 0);
    ck_assert_uint_eq(strlen(buf), 50);
    ck_assert_int_eq(close(file.opened - 1), 0); /* lseek(2) fails */
  }
  file.opened = 0;
}
END_TEST

/* Files of the kernel that stay open say what is so now. */
START_TEST(the_kernels_own_files_are_read_anew) {
  struct proc_file file = {0};
  const char *const names[] = {"before", "later", "a longer name"};
  for (int i = 0; i < CASES(names); i++) {
    char buf[64], expected[64];
    ck_assert_int_eq(prctl(PR_SET_NAME, names[i]), 0);
    snprintf(expected, sizeof(expected), "%s\n", names[i]);
    ck_assert_int_eq(
        proc_file_reread(&file, "/proc/self/comm", buf, sizeof(buf)), 0);
    ck_assert_str_eq(buf, expected);
  }
  proc_file_close(&file);
}
END_TEST

START_TEST(the_kernels_own_files_are_read) {
  struct utsname name;
  ck_assert_int_eq(uname(&name), 0);
  char expected[sizeof(name.release) + 1];
  snprintf(expected, sizeof(expected), "%s\n", name.release);
  char buf[2048];
  ck_assert_int_eq(
      proc_file_read("/proc/sys/kernel/osrelease", buf, sizeof(buf)), 0);
  ck_assert_str_eq(buf, expected);

  struct proc_sockstat stat;
  ck_assert_int_eq(
      proc_file_read("/proc/thread-self/net/sockstat", buf, sizeof(buf)), 0);
  ck_assert_int_eq(proc_text_sockstat(buf, &stat), 0);
  ck_assert_int_ne(stat.inuse, PROC_UNKNOWN);
  ck_assert_int_ne(stat.orphan, PROC_UNKNOWN);
  ck_assert_int_ne(stat.tw, PROC_UNKNOWN);
  ck_assert_int_ne(stat.alloc, PROC_UNKNOWN);
  ck_assert_int_ne(stat.mem, PROC_UNKNOWN);
}
END_TEST

/* Reads a file of the tree that stands for /proc in the tests. */
static void read_fixture(const char *name, char *buf, size_t size) {
  const char *srcdir = getenv("srcdir");
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s/tests/unit/fixtures/proc/%s",
           srcdir != NULL ? srcdir : ".", name);
  int err = proc_file_read(path, buf, size);
  ck_assert_msg(err == 0, "%s: %s", path, strerror(-err));
}

START_TEST(the_fixtures_hold_what_other_tests_expect) {
  char buf[2048];
  struct proc_sockstat stat;
  read_fixture("thread-self/net/sockstat", buf, sizeof(buf));
  ck_assert_int_eq(proc_text_sockstat(buf, &stat), 0);
  ck_assert_int_eq(stat.inuse, 27);
  ck_assert_int_eq(stat.orphan, 3);
  ck_assert_int_eq(stat.tw, 141);
  ck_assert_int_eq(stat.alloc, 310);
  ck_assert_int_eq(stat.mem, 52);

  int64_t number;
  read_fixture("thread-self/net/sockstat6", buf, sizeof(buf));
  ck_assert_int_eq(proc_text_sockstat6(buf, &number), 0);
  ck_assert_int_eq(number, 14);

  static const struct {
    const char *name;
    size_t num;
    int64_t expected[3];
  } sysctls[] = {
      {"sys/net/ipv4/tcp_fin_timeout", 1, {60}},
      {"sys/net/ipv4/tcp_max_tw_buckets", 1, {65536}},
      {"sys/net/ipv4/tcp_max_orphans", 1, {32768}},
      {"sys/net/ipv4/tcp_mem", 3, {188418, 251226, 376836}},
  };
  for (int i = 0; i < CASES(sysctls); i++) {
    int64_t out[3];
    read_fixture(sysctls[i].name, buf, sizeof(buf));
    ck_assert_int_eq(proc_text_sysctl(buf, out, sysctls[i].num), 0);
    for (size_t k = 0; k < sysctls[i].num; k++)
      ck_assert_int_eq(out[k], sysctls[i].expected[k]);
  }

  read_fixture("sys/kernel/osrelease", buf, sizeof(buf));
  ck_assert_str_eq(buf, "6.12.9-amd64\n");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("proc_file");
  TCase *tcase = tcase_create("proc_file_read");
  tcase_add_checked_fixture(tcase, make_tree, remove_tree);
  tcase_add_test(tcase, interruptions_lose_nothing);
  tcase_add_loop_test(tcase, a_file_is_read_if_it_and_a_nul_byte_fit, 0,
                      CASES(sizes));
  tcase_add_loop_test(tcase,
                      what_cannot_be_read_gives_its_errno_and_an_empty_string,
                      0, CASES(unreadable));
  tcase_add_test(tcase, a_symlink_loop_and_a_long_path_give_their_errno);
  tcase_add_test(tcase, a_file_that_comes_in_pieces_is_read_whole);
  tcase_add_test(tcase, no_descriptor_stays_open);
  tcase_add_test(tcase, a_file_that_stays_open_is_read_anew);
  tcase_add_test(tcase, after_an_error_it_is_opened_again);
  tcase_add_test(tcase,
                 where_it_cannot_go_back_to_its_start_it_is_opened_again);
  tcase_add_test(tcase, the_kernels_own_files_are_read_anew);
  tcase_add_test(tcase, the_kernels_own_files_are_read);
  suite_add_tcase(suite, tcase);
  TCase *fixtures = tcase_create("fixtures");
  tcase_add_test(fixtures, the_fixtures_hold_what_other_tests_expect);
  suite_add_tcase(suite, fixtures);
  return check_main(suite);
}
