/* SPDX-License-Identifier: MIT */
/* process.c: against a tree made here in the shape of /proc, and against this
 * test's own process in the real one. */
#include "process.h"

#include "check_main.h"
#include "proc_walk.h"
#include "temp_tree.h"
#include "wrap64.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct temp_tree proc;
static struct process_sockets sockets;
static struct processes found[PROCESS_HOLDERS];

static void start(void) {
  proc = temp_tree_make();
  ck_assert_int_eq(process_sockets_init(&sockets), 0);
}

/* Before and after those that are there, this many that have ended are listed.
 */
static size_t ended_before, ended;

static void end(void) {
  ended_before = ended = 0;
  process_sockets_free(&sockets);
  temp_tree_remove(&proc);
}

static bool no_memory;
void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  return no_memory ? NULL : __real_calloc(num, size);
}
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  return no_memory ? NULL : __real_realloc(old, size);
}

int __real_proc_walk(const char *path, proc_walk_cb cb, void *data);
int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data);
int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data) {
  int err = 0;
  for (size_t i = 0; err == 0 && i < ended_before; i++)
    err = cb(2000000 + (uint32_t)i, data);
  if (err == 0)
    err = __real_proc_walk(path, cb, data);
  for (size_t i = 0; err == 0 && i < ended; i++)
    err = cb(1000000 + (uint32_t)i, data);
  return err;
}

static int count_process(uint32_t pid, void *data) {
  (void)pid;
  ++*(size_t *)data;
  return 0;
}

/* This call fails so. */
static enum { NONE, OPENDIR, READDIR, READLINKAT, ENDED } failing;
static int failure;

/* The first of them. */
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path) {
  if (failing != OPENDIR)
    return __real_opendir(path);
  failing = NONE;
  errno = failure;
  return NULL;
}

/* A descriptor 3 is there this many times more, in each process. */
static int repeat;
static int repeated;
static struct dirent *again;
struct dirent *REAL_READDIR(DIR *dir);
struct dirent *WRAP_READDIR(DIR *dir);
struct dirent *WRAP_READDIR(DIR *dir) {
  if (failing == READDIR) {
    errno = failure;
    return NULL;
  }
  if (again != NULL && repeated++ < repeat)
    return again;
  struct dirent *entry = REAL_READDIR(dir);
  bool third = entry != NULL && strcmp(entry->d_name, "3") == 0;
  again = third ? entry : NULL;
  return entry;
}

/* What is repeated is read once. */
ssize_t __real_readlinkat(int dir, const char *name, char *buf, size_t size);
ssize_t __wrap_readlinkat(int dir, const char *name, char *buf, size_t size);
ssize_t __wrap_readlinkat(int dir, const char *name, char *buf, size_t size) {
  static ssize_t len;
  if (failing == ENDED)
    temp_tree_delete(&proc, "/80/fd/3");
  if (failing == READLINKAT || failing == ENDED) {
    errno = failure;
    return -1;
  }
  if (again == NULL || repeated == 0 || len > (ssize_t)size)
    len = __real_readlinkat(dir, name, buf, size);
  return len;
}

int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_closedir(DIR *dir) {
  again = NULL;
  repeated = 0;
  return __real_closedir(dir);
}

static void make_file(unsigned pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof(path), "/%u/%s", pid, name);
  temp_tree_file(&proc, path, text);
}

static void make_process(unsigned pid, const char *comm, const char *cgroup) {
  char path[64];
  snprintf(path, sizeof(path), "/%u/fd", pid);
  temp_tree_directory(&proc, path);
  make_file(pid, "comm", comm);
  if (cgroup != NULL)
    make_file(pid, "cgroup", cgroup);
}

static void open_fd(unsigned pid, unsigned fd, const char *what) {
  char path[64];
  snprintf(path, sizeof(path), "/%u/fd/%u", pid, fd);
  temp_tree_link(&proc, path, what);
}

static void open_sockets(unsigned pid, uint32_t first, uint32_t num) {
  for (uint32_t i = 0; i < num; i++) {
    char link[32];
    snprintf(link, sizeof(link), "socket:[%u]", first + i);
    open_fd(pid, 3 + i, link);
  }
}

static void hold(uint32_t first, uint32_t num, unsigned holder) {
  for (uint32_t i = 0; i < num; i++)
    process_sockets_add(&sockets, first + i, holder, false);
}

static struct process_search search(void) {
  return process_find(proc.root, &sockets, found, PROCESS_HOLDERS);
}

static void check_process(unsigned holder, size_t place, unsigned pid,
                          const char *command, uint32_t num) {
  ck_assert_uint_gt(found[holder].top_num, place);
  const struct process *process = &found[holder].top[place];
  ck_assert_uint_eq(process->pid, pid);
  ck_assert_str_eq(process->command, command);
  ck_assert_uint_eq(process->num, num);
}

START_TEST(each_process_has_the_number_of_its_sockets) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 3);
  make_process(4711, "curl\n", NULL);
  open_sockets(4711, 200, 5);
  make_process(4194304, "a name of 15 ch\n", NULL);
  open_fd(4194304, 1048575, "socket:[4294967295]");
  make_process(9, "idle\n", NULL);
  hold(100, 300, 0);
  hold(UINT32_MAX, 1, 0);
  struct process_search result = search();
  ck_assert_int_eq(result.error, 0);
  ck_assert_uint_eq(result.found, 9);
  ck_assert_uint_eq(result.refused, 0);
  ck_assert(result.complete);
  ck_assert_uint_eq(found[0].num, 3);
  check_process(0, 0, 4711, "curl", 5);
  check_process(0, 1, 80, "nginx", 3);
  check_process(0, 2, 4194304, "a name of 15 ch", 1);
}
END_TEST

START_TEST(the_same_socket_counts_in_each_process_that_has_it) {
  for (unsigned pid = 10; pid < 14; pid++) {
    make_process(pid, "worker\n", NULL);
    open_sockets(pid, 100, pid);
  }
  hold(100, 12, 3);
  search();
  ck_assert_uint_eq(found[3].num, 4);
  ck_assert_uint_eq(found[0].num, 0);
  ck_assert_uint_eq(found[3].top[0].num, 12);
  ck_assert_uint_eq(found[3].top[2].num, 11);
  check_process(3, 3, 10, "worker", 10);
}
END_TEST

START_TEST(each_holder_has_its_own_processes) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 10);
  make_process(81, "php\n", NULL);
  open_sockets(81, 105, 10);
  hold(100, 5, 0);
  hold(105, 10, 7);
  /* One may be that of two: an alarm of all, and that of a holder. */
  hold(100, 1, 7);
  search();
  ck_assert_uint_eq(found[0].num, 1);
  check_process(0, 0, 80, "nginx", 5);
  ck_assert_uint_eq(found[7].num, 2);
  check_process(7, 0, 81, "php", 10);
  check_process(7, 1, 80, "nginx", 6);
}
END_TEST

START_TEST(a_listener_names_its_process) {
  make_process(80, "hang\n", NULL);
  open_sockets(80, 100, 2);
  process_sockets_add(&sockets, 100, 1, true);
  search();
  ck_assert_uint_eq(found[1].num, 1);
  check_process(1, 0, 80, "hang", 0);
  ck_assert(found[1].top[0].listens);
  hold(101, 1, 1);
  search();
  check_process(1, 0, 80, "hang", 1);
  ck_assert(found[1].top[0].listens);
}
END_TEST

/* Whichever of its descriptors is read last. */
START_TEST(a_listener_among_other_sockets_names_its_process) {
  make_process(80, "hang\n", NULL);
  open_sockets(80, 100, 3);
  process_sockets_add(&sockets, 101, 1, true);
  hold(100, 3, 1);
  search();
  check_process(1, 0, 80, "hang", 3);
  ck_assert(found[1].top[0].listens);
}
END_TEST

START_TEST(many_processes_are_counted_and_the_first_told) {
  for (unsigned pid = 1000; pid < 1300; pid++) {
    make_process(pid, "many\n", NULL);
    open_sockets(pid, 100, pid == 1170 ? 3 : pid % 10 == 0 ? 2 : 1);
  }
  hold(100, 3, 0);
  ck_assert(search().complete);
  ck_assert_uint_eq(found[0].num, 300);
  ck_assert_uint_eq(found[0].top_num, PROCESS_TOP);
  check_process(0, 0, 1170, "many", 3);
  for (size_t i = 1; i < PROCESS_TOP; i++)
    ck_assert_uint_eq(found[0].top[i].num, 2);
}
END_TEST

static const char *const no_sockets[] = {
    "/dev/null",
    "pipe:[100]",
    "/tmp/socket:[100]",
    "socket:[0]",
    "socket:[1000]",
    "socket:[10",
    "socket:[]",
    "socket:[ 100]",
    "socket:[-100]",
    "socket:[4294967396]",
    "socket:[100] (deleted)",
    "/a/path/that/is/longer/than/any/number/and/than/this/socket:[100]/1234",
};

START_TEST(what_is_called_like_a_socket_is_none) {
  make_process(12, "liar\n", NULL);
  open_fd(12, 3, no_sockets[_i]);
  /* What no process has for a name. */
  temp_tree_link(&proc, "/self/fd/5", "socket:[100]");
  temp_tree_link(&proc, "/12x/fd/5", "socket:[100]");
  hold(100, 1, 0);
  struct process_search result = search();
  ck_assert_int_eq(result.error, 0);
  ck_assert_uint_eq(result.found, 0);
  ck_assert_uint_eq(found[0].num, 0);
}
END_TEST

static const struct {
  const char *cgroup;
  const char *service;
} cgroups[] = {
    {"0::/system.slice/api.service\n", "api.service"},
    {"1:name=systemd:/a.service\n0::/b.service/x\n", "b.service"},
    {"0::/\n", "root"},
    {"1:name=systemd:/a.service\n0::/\n", "root"},
    {"0::/no newline", "no newline"},
    {"1:cpu:/a.service\n", ""},
    {"10::/a.service\n", ""},
    {"", ""},
    {NULL, ""},
};

START_TEST(a_process_has_the_service_of_its_own_control_group) {
  make_process(80, "nginx\n", cgroups[_i].cgroup);
  open_sockets(80, 100, 1);
  hold(100, 1, 0);
  search();
  ck_assert_str_eq(found[0].top[0].service, cgroups[_i].service);
}
END_TEST

static const struct {
  const char *comm;
  const char *command;
} commands[] = {
    {"curl\n", "curl"},
    {"a\tb\033[31m\x7f\xc3\xb6\n", "a?b?[31m???"},
    {"two\nlines\n", "two"},
    {"", ""},
    {"234567890123456789012345678901234567890\n",
     "2345678901234567890123456789012"},
};

START_TEST(a_command_is_printable_and_short) {
  make_process(80, commands[_i].comm, NULL);
  open_sockets(80, 100, 1);
  hold(100, 1, 0);
  search();
  check_process(0, 0, 80, commands[_i].command, 1);
}
END_TEST

START_TEST(a_process_that_has_ended_meanwhile_is_left_out) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 1);
  make_file(81, "comm", "gone\n");
  temp_tree_file(&proc, "/82", "no directory");
  temp_tree_file(&proc, "/83/fd", "no directory");
  hold(100, 2, 0);
  struct process_search result = search();
  ck_assert_int_eq(result.error, 0);
  ck_assert_uint_eq(result.refused, 0);
  ck_assert_uint_eq(found[0].num, 1);
}
END_TEST

/* Without these capabilities root, too, cannot read what its mode forbids. */
static void read_as_root(bool allowed) {
  const uint32_t all =
      CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_DAC_READ_SEARCH);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  ck_assert_int_eq((int)syscall(SYS_capget, &header, data), 0);
  data[0].effective &= ~all;
  if (allowed)
    data[0].effective |= all & data[0].permitted;
  ck_assert_int_eq((int)syscall(SYS_capset, &header, data), 0);
}

START_TEST(processes_of_another_user_are_counted_as_refused) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 1);
  make_process(81, "secret\n", NULL);
  hold(100, 1, 0);
  char path[sizeof(proc.root) + 16];
  snprintf(path, sizeof(path), "%s/81/fd", proc.root);
  ck_assert_int_eq(chmod(path, 0), 0);
  read_as_root(false);
  struct process_search result = search();
  read_as_root(true);
  chmod(path, 0700);
  ck_assert_uint_eq(result.refused, 1);
  ck_assert_uint_eq(found[0].num, 1);
}
END_TEST

static const struct {
  int call, error;
  bool complete;
} failures[] = {
    {READDIR, EIO, false},       {READDIR, ENOENT, true}, /* it has ended */
    {READLINKAT, EACCES, false}, {READLINKAT, ENOMEM, false},
    {READLINKAT, EIO, false},    {READLINKAT, ENOENT, true}, /* it was closed */
    {READLINKAT, ESRCH, true},   {ENDED, EACCES, true},
};

START_TEST(what_cannot_be_read_is_not_complete) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 1);
  hold(100, 1, 0);
  failing = failures[_i].call;
  failure = failures[_i].error;
  struct process_search result = search();
  failing = NONE;
  ck_assert_int_eq(result.complete, failures[_i].complete);
  ck_assert_uint_eq(found[0].num, 0);
}
END_TEST

START_TEST(process_whose_descriptors_cannot_be_opened_is_not_complete) {
  make_process(80, "nginx\n", NULL);
  temp_tree_link(&proc, "/81/fd", "fd"); /* ELOOP */
  open_sockets(80, 100, 1);
  hold(100, 1, 0);
  ck_assert(!search().complete);
  ck_assert_uint_eq(found[0].num, 1);
}
END_TEST

START_TEST(without_memory_for_one_process_it_says_so) {
  for (unsigned pid = 80; pid < 83; pid++) {
    make_process(pid, "nginx\n", NULL);
    open_sockets(pid, 100, 1);
  }
  hold(100, 1, 0);
  failing = OPENDIR;
  failure = ENOMEM;
  struct process_search result = search();
  ck_assert_int_eq(result.error, -ENOMEM);
  ck_assert(!result.complete);
  ck_assert_uint_eq(found[0].num, 2);
}
END_TEST

START_TEST(without_proc_nothing_is_found) {
  hold(100, 1, 0);
  struct process_search result =
      process_find("/nowhere/proc", &sockets, found, PROCESS_HOLDERS);
  ck_assert_int_eq(result.error, -ENOENT);
  ck_assert_uint_eq(found[0].num, 0);
}
END_TEST

START_TEST(without_memory_nothing_is_looked_for) {
  make_process(80, "nginx\n", NULL);
  open_sockets(80, 100, 1);
  hold(100, 1, 0);
  no_memory = true;
  ck_assert_int_eq(search().error, -ENOMEM);
  ck_assert_uint_eq(found[0].num, 0);
  process_sockets_free(&sockets);
  ck_assert_int_eq(process_sockets_init(&sockets), -ENOMEM);
  no_memory = false;
  process_sockets_add(&sockets, 100, 0, false);
  ck_assert_uint_eq(sockets.num, 0);
}
END_TEST

START_TEST(beyond_their_bound_sockets_are_not_looked_for) {
  hold(1, PROCESS_SOCKETS_MAX, 0);
  ck_assert(sockets.complete);
  hold(1, PROCESS_SOCKETS_MAX, 1);
  ck_assert(sockets.complete);
  hold(PROCESS_SOCKETS_MAX + 1, 1, 0);
  ck_assert(!sockets.complete);
  make_process(80, "nginx\n", NULL);
  open_sockets(80, PROCESS_SOCKETS_MAX - 1, 3);
  struct process_search result = search();
  ck_assert(!result.complete);
  check_process(0, 0, 80, "nginx", 2);
}
END_TEST

START_TEST(one_process_cannot_hide_the_others) {
  make_process(80, "many\n", NULL);
  make_process(81, "other\n", NULL);
  open_sockets(80, 100, 1);
  open_sockets(81, 100, 1);
  hold(100, 1, 0);
  repeat = PROCESS_DESCRIPTORS_EACH - 2;
  ck_assert(search().complete);
  repeat = PROCESS_DESCRIPTORS_MAX;
  ck_assert(!search().complete);
  ck_assert_uint_eq(found[0].num, 2);
}
END_TEST

/* A process in a network namespace of this name. */
static void make_process_in(unsigned pid, const char *netns,
                            const char *cgroup) {
  char path[64], target[64];
  make_process(pid, "process\n", cgroup);
  snprintf(path, sizeof(path), "/%u/net", pid);
  snprintf(target, sizeof(target), "../%s", netns);
  temp_tree_link(&proc, path, target);
}

/* Both have two descriptors of one of the sockets. */
START_TEST(a_socket_counts_once_in_each_process) {
  temp_tree_file(&proc, "/here/sockstat", "");
  temp_tree_link(&proc, "/thread-self/net", "../here");
  for (unsigned pid = 80; pid < 82; pid++) {
    make_process_in(pid, "here", "0::/api.service\n");
    open_sockets(pid, 100, 2);
    open_fd(pid, 7, "socket:[101]");
  }
  hold(100, 2, 0);
  snprintf(sockets.services[0], SERVICE_NAME_SIZE, "api.service");
  for (int i = 0; i < 2; i++) {
    ck_assert_uint_eq(search().found, 4);
    ck_assert_uint_eq(found[0].num, 2);
    ck_assert_uint_eq(found[0].top[0].num, 2);
    ck_assert_uint_eq(found[0].top[1].num, 2);
  }
}
END_TEST

/* This thread is in the namespace "here". */
static const struct {
  const char *service; /* of the sockets' holder */
  const char *crowd_netns, *crowd_cgroup;
  const char *netns, *cgroup; /* of the process with the socket */
  bool found;
} crowds[] = {
    {"", "there", NULL, "here", NULL, true},
    {"", "there", "0::/api.service\n", "here", "0::/api.service\n", true},
    {"api.service", "here", "0::/proxy.service\n", "here",
     "0::/system.slice/api.service/worker\n", true},
    {"api.service", "there", "0::/api.service\n", "here", "0::/api.service\n",
     true},
    {"api.service", "there", "0::/proxy.service\n", "here",
     "0::/heir.service\n", true},
    /* Services that are not known are not the same. */
    {"api.service", "there", NULL, "here", "0::/heir.service\n", true},
    {"api.service", "here", NULL, "there", NULL, false},
};

START_TEST(a_crowd_elsewhere_does_not_hide_the_holder) {
  temp_tree_file(&proc, "/here/sockstat", "");
  temp_tree_file(&proc, "/there/sockstat", "");
  temp_tree_link(&proc, "/thread-self/net", "../here");
  /* What was made first comes last in tmpfs. */
  make_process_in(4711, crowds[_i].netns, crowds[_i].cgroup);
  open_fd(4711, 4, "socket:[100]");
  for (unsigned pid = 10; pid < 15; pid++) {
    make_process_in(pid, crowds[_i].crowd_netns, crowds[_i].crowd_cgroup);
    open_fd(pid, 3, "/dev/null");
  }
  repeat = 60000;
  ended_before = 20000; /* of these nothing is left that could be read */
  hold(100, 1, 2);
  snprintf(sockets.services[2], SERVICE_NAME_SIZE, "%s", crowds[_i].service);
  ck_assert(!search().complete);
  ck_assert_uint_eq(found[2].num, crowds[_i].found);
  if (crowds[_i].found)
    check_process(2, 0, 4711, "process", 1);
}
END_TEST

START_TEST(beyond_their_bound_processes_are_left_out_and_it_says_so) {
  make_process(80, "hang\n", NULL);
  open_fd(80, 3, "socket:[100]");
  hold(100, 1, 0);
  size_t there = 0;
  ck_assert_int_eq(__real_proc_walk(proc.root, count_process, &there), 0);
  for (int more = 0; more < 2; more++) {
    ended = PROCESS_MAX - there + (size_t)more;
    ck_assert_int_eq(search().complete, !more);
    check_process(0, 0, 80, "hang", 1);
  }
}
END_TEST

START_TEST(the_real_proc_shows_a_real_socket) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  struct stat stat;
  ck_assert_int_eq(fstat(fd, &stat), 0);
  hold((uint32_t)stat.st_ino, 1, 0);
  char command[17] = "";
  ck_assert_int_eq(prctl(PR_SET_NAME, "holder of one"), 0);
  ck_assert_int_eq(prctl(PR_GET_NAME, command), 0);
  process_find("/proc", &sockets, found, 1);
  check_process(0, 0, (unsigned)getpid(), command, 1);
  ck_assert_uint_eq(found[0].num, 1);

  int copy = dup(fd);
  process_find("/proc", &sockets, found, 1);
  check_process(0, 0, (unsigned)getpid(), command, 1);
  close(copy);
  close(fd);
  process_find("/proc", &sockets, found, 1);
  ck_assert_uint_eq(found[0].num, 0);
}
END_TEST

/* On a machine with too many others, or without rights, it may not be reached.
 */
static bool can_search(void) {
  if (process_sockets_init(&sockets) != 0)
    return false;
  hold(UINT32_MAX, 1, 0);
  bool complete = process_find("/proc", &sockets, found, 1).complete;
  process_sockets_free(&sockets);
  return complete;
}

START_TEST(nothing_to_do) {}
END_TEST

int main(void) {
  Suite *suite = suite_create("process");
  TCase *tc = tcase_create("process");
  tcase_add_checked_fixture(tc, start, end);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, each_process_has_the_number_of_its_sockets);
  tcase_add_test(tc, the_same_socket_counts_in_each_process_that_has_it);
  tcase_add_test(tc, each_holder_has_its_own_processes);
  tcase_add_test(tc, a_listener_names_its_process);
  tcase_add_test(tc, a_listener_among_other_sockets_names_its_process);
  tcase_add_test(tc, a_socket_counts_once_in_each_process);
  tcase_add_test(tc, many_processes_are_counted_and_the_first_told);
  tcase_add_loop_test(tc, what_is_called_like_a_socket_is_none, 0,
                      CASES(no_sockets));
  tcase_add_loop_test(tc, a_process_has_the_service_of_its_own_control_group, 0,
                      CASES(cgroups));
  tcase_add_loop_test(tc, a_command_is_printable_and_short, 0, CASES(commands));
  tcase_add_test(tc, a_process_that_has_ended_meanwhile_is_left_out);
  tcase_add_test(tc, processes_of_another_user_are_counted_as_refused);
  tcase_add_loop_test(tc, what_cannot_be_read_is_not_complete, 0,
                      CASES(failures));
  tcase_add_test(tc,
                 process_whose_descriptors_cannot_be_opened_is_not_complete);
  tcase_add_test(tc, without_memory_for_one_process_it_says_so);
  tcase_add_test(tc, without_proc_nothing_is_found);
  tcase_add_test(tc, without_memory_nothing_is_looked_for);
  tcase_add_test(tc, beyond_their_bound_sockets_are_not_looked_for);
  tcase_add_test(tc, one_process_cannot_hide_the_others);
  tcase_add_loop_test(tc, a_crowd_elsewhere_does_not_hide_the_holder, 0,
                      CASES(crowds));
  tcase_add_test(tc, beyond_their_bound_processes_are_left_out_and_it_says_so);
  suite_add_tcase(suite, tc);
  if (can_search())
    tcase_add_test(tc, the_real_proc_shows_a_real_socket);
  else
    check_skip(suite, "the_real_proc_shows_a_real_socket",
               "not all descriptors of this machine can be read",
               nothing_to_do);
  return check_main(suite);
}
