/* SPDX-License-Identifier: MIT */
/* hostname.c: which process is asked, and what counts as a host name. Files
 * stand for control groups and namespaces; the functions below __wrap_ take the
 * place of the C library's. */
#include "hostname.h"

#include "check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct temp_tree tree;
static int setns_errno, thread_errno;
static pthread_t caller;
/* Of the thread that has entered a namespace; a file's text is a host name. */
static char entered[sizeof(((struct utsname *)0)->nodename)];

ssize_t __real_read(int fd, void *buf, size_t size);
int __wrap_setns(int fd, int type);
int __wrap_setns(int fd, int type) {
  ck_assert(!pthread_equal(pthread_self(), caller));
  ck_assert_int_eq(type, CLONE_NEWUTS);
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  errno = setns_errno;
  if (setns_errno != 0)
    return -1;
  ssize_t len = __real_read(fd, entered, sizeof(entered) - 1);
  ck_assert_int_ge(len, 0);
  entered[len] = '\0';
  return 0;
}

static unsigned lists; /* of processes that were read */
ssize_t __wrap_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size) {
  /* The daemon's children must not inherit it. */
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  lists++;
  return __real_read(fd, buf, size);
}

int __wrap_uname(struct utsname *name);
int __wrap_uname(struct utsname *name) {
  bool inside = !pthread_equal(pthread_self(), caller);
  memset(name, 0, sizeof(*name));
  snprintf(name->nodename, sizeof(name->nodename), "%.*s",
           (int)sizeof(name->nodename) - 1, inside ? entered : "machine-1");
  return 0;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data) {
  return thread_errno != 0 ? thread_errno
                           : __real_pthread_create(thread, attr, start, data);
}

static void start(void) {
  tree = temp_tree_make();
  caller = pthread_self();
  setns_errno = thread_errno = 0;
  temp_tree_file(&tree, "/proc/self/ns/uts", "machine-1");
}

static void end(void) { temp_tree_remove(&tree); }

/* A process with a namespace of its own. */
static void process(unsigned pid, const char *host_name) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%u/ns/uts", pid);
  temp_tree_file(&tree, path, host_name);
}

static struct hostname_ask answer(const char *path) {
  struct hostname_ask ask = {.name = "#", .error = 1};
  snprintf(ask.path, sizeof(ask.path), "%s", path);
  char mount[300], proc[300];
  snprintf(mount, sizeof(mount), "%s/cgroup", tree.root);
  snprintf(proc, sizeof(proc), "%s/proc", tree.root);
  ck_assert_int_eq(hostname_ask(mount, proc, &ask, 1), -thread_errno);
  return ask;
}

START_TEST(a_process_of_the_control_group_is_asked) {
  temp_tree_file(&tree, "/cgroup/docker/1/cgroup.procs", "11\n12\n");
  process(11, "web-1");
  struct hostname_ask ask = answer("/docker/1");
  ck_assert_str_eq(ask.name, "web-1");
  ck_assert_int_eq(ask.error, 0);
  ck_assert_uint_eq(lists, 1);
}
END_TEST

static const struct {
  const char *procs;
  const char *name;
} processes[] = {
    {"11\n", "web-1"},
    /* those of other PID namespaces are 0 */
    {"0\n0\n11\n", "web-1"},
    {"0\n", ""},
    {"", ""},
    {"-1\n", ""},
    {"11", ""},
    {"99999999999\n11\n", ""},
    {"nonsense\n11\n", ""},
    /* it has ended */
    {"77\n", ""},
};

START_TEST(it_is_the_first_that_is_seen) {
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", processes[_i].procs);
  process(11, "web-1");
  struct hostname_ask ask = answer("/a");
  ck_assert_str_eq(ask.name, processes[_i].name);
  ck_assert_int_eq(ask.error, 0);
}
END_TEST

START_TEST(processes_below_are_searched_from_the_top) {
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", "");
  temp_tree_file(&tree, "/cgroup/a/payload/cgroup.procs", "");
  temp_tree_file(&tree, "/cgroup/a/payload/init.scope/cgroup.procs", "11\n");
  process(11, "web-1");
  ck_assert_str_eq(answer("/a").name, "web-1");
  /* what runs it is outside of the namespace */
  temp_tree_file(&tree, "/cgroup/a/supervisor/cgroup.procs", "12\n");
  process(12, "machine-1");
  ck_assert_str_eq(answer("/a").name, "web-1");
  /* what it has started in containers of its own is below its own */
  temp_tree_file(&tree, "/cgroup/a/docker/2/cgroup.procs", "13\n");
  temp_tree_file(&tree, "/cgroup/a/init/cgroup.procs", "11\n");
  process(13, "inner");
  ck_assert_str_eq(answer("/a").name, "web-1");
}
END_TEST

START_TEST(no_more_than_so_many_are_searched) {
  char path[64];
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", "");
  for (int i = 0; i < 100; i++) {
    snprintf(path, sizeof(path), "/cgroup/a/%d/cgroup.procs", i);
    temp_tree_file(&tree, path, "");
  }
  temp_tree_file(&tree, "/cgroup/a/1/2/cgroup.procs", "11\n");
  process(11, "web-1");
  ck_assert_str_eq(answer("/a").name, "");
}
END_TEST

START_TEST(what_is_the_machines_is_no_name) {
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", "11\n");
  process(11, "machine-1");
  ck_assert_str_eq(answer("/a").name, "");
  /* the same namespace, whatever its name */
  temp_tree_file(&tree, "/proc/self/ns/uts", "web-1");
  temp_tree_delete(&tree, "/proc/11/ns/uts");
  char from[300], to[300];
  snprintf(from, sizeof(from), "%s/proc/self/ns/uts", tree.root);
  snprintf(to, sizeof(to), "%s/proc/11/ns/uts", tree.root);
  ck_assert_int_eq(link(from, to), 0);
  ck_assert_str_eq(answer("/a").name, "");
}
END_TEST

START_TEST(what_no_service_may_be_is_no_name) {
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", "11\n");
  process(11, "all");
  ck_assert_str_eq(answer("/a").name, "");
  process(11, "a\nb");
  ck_assert_str_eq(answer("/a").name, "");
}
END_TEST

START_TEST(without_rights_there_is_an_error) {
  temp_tree_file(&tree, "/cgroup/a/cgroup.procs", "11\n");
  process(11, "web-1");
  setns_errno = EPERM;
  struct hostname_ask ask = answer("/a");
  ck_assert_str_eq(ask.name, "");
  ck_assert_int_eq(ask.error, -EPERM);
  ck_assert_str_eq(hostname_strerror(ask.error),
                   "not allowed: collectd needs CAP_SYS_ADMIN and "
                   "CAP_SYS_PTRACE");
  ck_assert_ptr_null(hostname_strerror(-ENOMEM));
}
END_TEST

START_TEST(without_a_thread_there_are_no_answers) {
  thread_errno = EAGAIN;
  answer("/a");
}
END_TEST

START_TEST(all_questions_are_answered) {
  enum { NUM = 50 };
  static struct hostname_ask asks[NUM];
  char path[64], name[64], mount[300], proc[300];
  for (unsigned i = 0; i < NUM; i++) {
    snprintf(path, sizeof(path), "/cgroup/%u/cgroup.procs", i);
    snprintf(name, sizeof(name), "%u\n", 100 + i);
    temp_tree_file(&tree, path, name);
    snprintf(name, sizeof(name), "web-%u", i);
    if (i % 5 != 0)
      process(100 + i, name);
    snprintf(asks[i].path, sizeof(asks[i].path), "/%u", i);
  }
  snprintf(mount, sizeof(mount), "%s/cgroup", tree.root);
  snprintf(proc, sizeof(proc), "%s/proc", tree.root);
  ck_assert_int_eq(hostname_ask(mount, proc, asks, NUM), 0);
  for (unsigned i = 0; i < NUM; i++) {
    snprintf(name, sizeof(name), "web-%u", i);
    ck_assert_str_eq(asks[i].name, i % 5 != 0 ? name : "");
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("hostname");
  TCase *tc = tcase_create("hostname");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, a_process_of_the_control_group_is_asked);
  tcase_add_loop_test(tc, it_is_the_first_that_is_seen, 0, CASES(processes));
  tcase_add_test(tc, processes_below_are_searched_from_the_top);
  tcase_add_test(tc, no_more_than_so_many_are_searched);
  tcase_add_test(tc, what_is_the_machines_is_no_name);
  tcase_add_test(tc, what_no_service_may_be_is_no_name);
  tcase_add_test(tc, without_rights_there_is_an_error);
  tcase_add_test(tc, without_a_thread_there_are_no_answers);
  tcase_add_test(tc, all_questions_are_answered);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
