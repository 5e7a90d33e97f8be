/* SPDX-License-Identifier: MIT */
/* pinned.c: against a tree in the shape of /proc. Link with -Wl,--wrap= of
 * setns, snapshot_read and read, and see netns_clock.h: a namespace is the file
 * of its path. */
#include "pinned.h"

#include "check_main.h"
#include "clock.h"
#include "netns_clock.h"
#include "temp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct temp_tree proc;
static struct settings settings;
static struct settings_namespace blocks[1];
static struct pinned pinned;

static _Thread_local char inside[300]; /* the file that was entered */
static int setns_errno;
static const char *setns_fails; /* of the path that ends so; NULL: of all */
int __wrap_setns(int fd, int type);
int __wrap_setns(int fd, int type) {
  char link[64];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t len = readlink(link, inside, sizeof(inside) - 1);
  ck_assert(len > 0 && type == CLONE_NEWNET);
  inside[len] = '\0';
  bool fails =
      setns_errno != 0 &&
      (setns_fails == NULL || strcmp(strrchr(inside, '/'), setns_fails) == 0);
  errno = fails ? setns_errno : 0;
  return fails ? -1 : 0;
}

static unsigned reads; /* of mount tables */
ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size) {
  /* The daemon's children must not inherit it. */
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  reads++;
  return __real_read(fd, buf, size);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool hang;
static bool hanging; /* the read has come to where it does */
static int sums_error;
bool netns_clock_hangs(size_t at) {
  pthread_mutex_lock(&lock);
  bool does = hanging && at == 0; /* it is the first slot's */
  pthread_mutex_unlock(&lock);
  return does;
}

void __wrap_snapshot_read(struct snapshot_reader *reader, struct snapshot *out);
void __wrap_snapshot_read(struct snapshot_reader *reader,
                          struct snapshot *out) {
  ck_assert_uint_eq(reader->settings->report, REPORT_SUMS);
  ck_assert(reader->settings->other_namespace);
  pthread_mutex_lock(&lock);
  bool hangs = hang;
  hanging = hanging || hangs;
  pthread_mutex_unlock(&lock);
  if (hangs)
    pause();
  *out = (struct snapshot){.sums_error = sums_error};
  out->sums.inuse = atoi(strrchr(inside, '/') + 1);
}

static void set_mounts(const char *who, const char *first, int from, int to) {
  static char text[262144];
  char file[64];
  snprintf(text, sizeof(text), "%s 1 0:1 / / rw - ext4 a rw\n", first);
  for (int i = from; i < to; i++) {
    char name[16];
    snprintf(name, sizeof(name), "/n/%d", i);
    temp_tree_file(&proc, name, "");
    size_t len = strlen(text);
    snprintf(text + len, sizeof(text) - len,
             "2 1 0:4 net:[%d] %s/n/%d rw - nsfs nsfs rw\n", 1000000 + i,
             proc.root, i);
  }
  snprintf(file, sizeof(file), "/%s/mountinfo", who);
  temp_tree_file(&proc, file, text);
}

static void start(void) {
  netns_clock_set = &pinned.set;
  proc = temp_tree_make();
  settings_init(&settings);
  pinned_open(&pinned, proc.root, &settings);
}

static void end(void) {
  ck_assert_uint_eq(pinned_close(&pinned), 0);
  ck_assert_ptr_null(pinned.pins);
  temp_tree_remove(&proc);
}

static int64_t sum;
static unsigned calls;
static int64_t not_alone; /* with this sum */
static bool add(const struct netns_sums *sums, void *data) {
  (void)data;
  sum += sums->inuse;
  calls++;
  return sums->inuse != not_alone;
}

static int read_all(bool all) {
  sum = calls = 0;
  return pinned_read(&pinned, all, clock_ms() + 60000, add, NULL);
}

START_TEST(all_mounts_are_read) {
  set_mounts("self", "5", 1, 21);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 210);
  ck_assert_uint_eq(calls, 20);
}
END_TEST

START_TEST(those_with_a_process_are_read_in_a_walk_only) {
  set_mounts("self", "5", 1, 5);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  not_alone = 3;
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 10);
  ck_assert_int_eq(read_all(false), 0);
  ck_assert_int_eq(sum, 7);
  /* Of others it is not known. */
  set_mounts("self", "5", 10, 14);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(false), 0);
  ck_assert_int_eq(sum, 10 + 11 + 12 + 13);
}
END_TEST

START_TEST(none_takes_no_thread) {
  set_mounts("self", "5", 1, 1);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), 0);
  ck_assert(!pinned.open);
}
END_TEST

START_TEST(process_1_may_have_another_mount_table) {
  set_mounts("self", "5", 1, 2);
  set_mounts("1", "6", 1, 1);
  char text[700];
  snprintf(text, sizeof(text),
           "6 1 0:1 / / rw - ext4 a rw\n"
           "2 1 0:4 net:[1000001] /x/1 rw - nsfs nsfs rw\n"
           "2 1 0:4 net:[1000008] /8 rw - nsfs nsfs rw\n");
  temp_tree_file(&proc, "/1/mountinfo", text);
  temp_tree_file(&proc, "/1/root/8", "");
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_uint_eq(reads, 2 + 2 + 2); /* both, their starts, and both ends */
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 9);
}
END_TEST

START_TEST(configured_ones_count) {
  static char paths[4][300];
  char *list[] = {paths[0], paths[1], paths[2], paths[3]};
  set_mounts("self", "5", 1, 1);
  set_mounts("1", "5", 1, 1);
  temp_tree_file(&proc, "/a/1", "");
  temp_tree_file(&proc, "/a/2", "");
  temp_tree_file(&proc, "/a/4", "");
  /* Who may write there could have 1024 files be too many namespaces. */
  temp_tree_link(&proc, "/a/8", "/proc/version");
  temp_tree_file(&proc, "/self/ns/net", "");
  snprintf(paths[0], 300, "%s/a/[1238]", proc.root);
  temp_tree_link(&proc, "/a/3", "nowhere");
  snprintf(paths[1], 300, "%s/a/1", proc.root);
  snprintf(paths[2], 300, "%s/b/9", proc.root);
  snprintf(paths[3], 300, "/proc/[0-9]*/ns/net");
  blocks[0] = (struct settings_namespace){.paths = list, .paths_num = 4};
  settings.namespaces = blocks;
  settings.namespaces_num = 1;
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 3);
  ck_assert_uint_eq(pinned.num, 2);
}
END_TEST

START_TEST(one_that_has_gone_is_no_error) {
  set_mounts("self", "5", 1, 5);
  set_mounts("1", "5", 1, 1);
  temp_tree_delete(&proc, "/n/3");
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 7);
  setns_errno = EINVAL;
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 0);
}
END_TEST

/* A file on the file system of namespaces is one, whatever setns() says. */
START_TEST(one_that_is_there_and_is_not_taken_is_an_error) {
  set_mounts("self", "5", 1, 5);
  set_mounts("1", "5", 1, 1);
  temp_tree_file(&proc, "/self/ns/net", "");
  ck_assert_int_eq(pinned_find(&pinned), 0);
  setns_errno = EINVAL;
  ck_assert_int_eq(read_all(true), -EINVAL);
  setns_errno = ESRCH;
  ck_assert_int_eq(read_all(true), -ESRCH);
}
END_TEST

START_TEST(error_names_the_path) {
  set_mounts("self", "5", 7, 8);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  char path[300];
  snprintf(path, sizeof(path), "%s/n/7", proc.root);
  setns_errno = EPERM;
  ck_assert_int_eq(read_all(true), -EPERM);
  ck_assert_str_eq(pinned.failed, path);
  setns_errno = 0;
  sums_error = -EBADMSG;
  ck_assert_int_eq(read_all(true), -EBADMSG);
}
END_TEST

/* Wherever it is in the order. */
START_TEST(error_of_one_is_that_of_the_read_and_the_others_are_read) {
  set_mounts("self", "5", 1, 4);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  static const char *const names[] = {"/1", "/2", "/3"};
  setns_errno = EPERM;
  setns_fails = names[_i];
  ck_assert_int_eq(read_all(true), -EPERM);
  ck_assert_int_eq(sum, 1 + 2 + 3 - (_i + 1));
  ck_assert_str_eq(strrchr(pinned.failed, '/'), names[_i]);
}
END_TEST

START_TEST(table_that_cannot_be_read_is_an_error) {
  char path[300];
  snprintf(path, sizeof(path), "%s/self/mountinfo", proc.root);
  ck_assert_int_eq(pinned_find(&pinned), -ENOENT);
  ck_assert_str_eq(pinned.failed, path);
  set_mounts("self", "5", 1, 1);
  snprintf(path, sizeof(path), "%s/1/mountinfo", proc.root);
  ck_assert_int_eq(pinned_find(&pinned), -ENOENT);
  ck_assert_str_eq(pinned.failed, path);
}
END_TEST

START_TEST(too_many_are_an_error) {
  set_mounts("self", "5", 1, PINNED_MAX + 1);
  set_mounts("1", "5", 1, 1);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  set_mounts("self", "5", 1, PINNED_MAX + 2);
  ck_assert_int_eq(pinned_find(&pinned), -ENOSPC);
}
END_TEST

START_TEST(one_that_hangs_is_an_error_and_the_others_are_read) {
  set_mounts("self", "5", 1, 2);
  set_mounts("1", "5", 1, 1);
  hang = true;
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), -ETIMEDOUT);
  ck_assert_str_eq(pinned.failed, pinned.pins[0].path);
  pthread_mutex_lock(&lock);
  hang = false;
  pthread_mutex_unlock(&lock);
  set_mounts("self", "5", 2, 4);
  ck_assert_int_eq(pinned_find(&pinned), 0);
  ck_assert_int_eq(read_all(true), 0);
  ck_assert_int_eq(sum, 5);
  ck_assert_uint_eq(pinned_close(&pinned), 1);
  _exit(0); /* it hangs for ever */
}
END_TEST

int main(void) {
  const TTest *const tests[] = {
      all_mounts_are_read,
      those_with_a_process_are_read_in_a_walk_only,
      none_takes_no_thread,
      process_1_may_have_another_mount_table,
      configured_ones_count,
      one_that_has_gone_is_no_error,
      one_that_is_there_and_is_not_taken_is_an_error,
      error_names_the_path,
      table_that_cannot_be_read_is_an_error,
      too_many_are_an_error,
      one_that_hangs_is_an_error_and_the_others_are_read,
  };
  Suite *suite = suite_create("pinned");
  TCase *tcase = tcase_create("pinned");
  tcase_add_checked_fixture(tcase, start, end);
  for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
    tcase_add_test(tcase, tests[i]);
  tcase_add_loop_test(
      tcase, error_of_one_is_that_of_the_read_and_the_others_are_read, 0, 3);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
