/* SPDX-License-Identifier: MIT */
/* culprits.c: against a tree in the shape of /proc. Link with -Wl,--wrap= of
 * getxattr, diag_dump_run, realloc and fgets, and of clock_gettime and readdir
 * as wrap64.h has them. */
#include "culprits.h"

#include "check_main.h"
#include "temp_tree.h"
#include "wrap64.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct temp_tree proc;
static struct processes found;

static int xattr_error; /* of each socket that is not TCP's; 0: none */
static bool ended;      /* their process has meanwhile */
static bool looped;     /* their directory cannot be read any more: ELOOP */

/* A socket's protocol goes by its inode. */
enum { UDP = 1000000, UNIX = 2000000, TCP6 = 3000000, MPTCP = 4000000 };

ssize_t __wrap_getxattr(const char *path, const char *name, void *value,
                        size_t size);
ssize_t __wrap_getxattr(const char *path, const char *name, void *value,
                        size_t size) {
  char link[64];
  ssize_t len = readlink(path, link, sizeof(link) - 1);
  ck_assert(len > 8);
  link[len] = '\0';
  ck_assert_str_eq(name, "system.sockprotoname");
  ck_assert_int_eq(strncmp(link, "socket:[", 8), 0);
  int inode = atoi(link + 8);
  const char *protocol = inode > MPTCP  ? "MPTCP"
                         : inode > TCP6 ? "TCPv6"
                         : inode > UNIX ? "UNIX-STREAM"
                         : inode > UDP  ? "UDP"
                                        : "TCP";
  if (inode > UDP && ended)
    ck_assert_int_eq(unlink(path), 0);
  if (inode > UDP && looped) {
    temp_tree_delete(&proc, "/40/fd/3");
    temp_tree_delete(&proc, "/40/fd");
    temp_tree_link(&proc, "/40/fd", "fd");
  }
  errno = inode > UDP ? xattr_error : 0;
  if (errno != 0)
    return -1;
  snprintf(value, size, "%s", protocol);
  return (ssize_t)strlen(protocol) + 1;
}

static uint32_t dumped[64];
static size_t dumped_num;
static int dump_error;
static char closed[64]; /* what the dump's time sees closed */
int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data);
int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data) {
  (void)dump;
  /* All states, and not those that are bound only: they are in none. */
  ck_assert_uint_eq(request->states, 0xffe);
  for (size_t i = 0; i < dumped_num; i++)
    ck_assert_int_eq(cb(&(struct diag_socket){.inode = dumped[i]}, data), 0);
  if (closed[0] != '\0')
    temp_tree_delete(&proc, closed);
  return dump_error;
}

static unsigned lines; /* of other namespaces' tables */
char *__real_fgets(char *line, int size, FILE *file);
char *__wrap_fgets(char *line, int size, FILE *file);
char *__wrap_fgets(char *line, int size, FILE *file) {
  /* The daemon's children must not inherit it. */
  ck_assert_int_eq(fcntl(fileno(file), F_GETFD), FD_CLOEXEC);
  lines++;
  return __real_fgets(line, size, file);
}

/* A descriptor 3 is there this many times more, in each process. */
static int repeat;
struct dirent *REAL_READDIR(DIR *dir);
struct dirent *WRAP_READDIR(DIR *dir);
struct dirent *WRAP_READDIR(DIR *dir) {
  static struct dirent *again;
  static int repeated;
  if (again != NULL && repeated++ < repeat)
    return again;
  struct dirent *entry = REAL_READDIR(dir);
  repeated = 0;
  again = entry != NULL && strcmp(entry->d_name, "3") == 0 ? entry : NULL;
  return entry;
}

static bool no_memory;
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  return no_memory ? NULL : __real_realloc(old, size);
}

static int64_t cpu_time, line_takes; /* ns */

LET_OTHER_CLOCK_GETTIME_THROUGH

int REAL_CLOCK_GETTIME(clockid_t clock, struct timespec *time);
int WRAP_CLOCK_GETTIME(clockid_t clock, struct timespec *time);
int WRAP_CLOCK_GETTIME(clockid_t clock, struct timespec *time) {
  if (clock != CLOCK_THREAD_CPUTIME_ID)
    return REAL_CLOCK_GETTIME(clock, time);
  cpu_time += line_takes;
  *time = timespec_of(cpu_time);
  return 0;
}

static void add_process(int pid, const char *namespace, const char *command) {
  char path[64], text[64];
  snprintf(path, sizeof(path), "/%d/net", pid);
  snprintf(text, sizeof(text), "../%s", namespace);
  temp_tree_link(&proc, path, text);
  snprintf(path, sizeof(path), "/%d/comm", pid);
  snprintf(text, sizeof(text), "%s\n", command);
  temp_tree_file(&proc, path, text);
  snprintf(path, sizeof(path), "/%d/cgroup", pid);
  snprintf(text, sizeof(text), "0::/system.slice/%s.service\n", command);
  temp_tree_file(&proc, path, text);
  snprintf(path, sizeof(path), "/%d/fd", pid);
  temp_tree_directory(&proc, path);
}

static void add_socket(int pid, int fd, unsigned inode) {
  char path[64], link[64];
  snprintf(path, sizeof(path), "/%d/fd/%d", pid, fd);
  snprintf(link, sizeof(link), "socket:[%u]", inode);
  temp_tree_link(&proc, path, link);
}

static void start(void) {
  proc = temp_tree_make();
  temp_tree_file(&proc, "/a/sockstat", "");
  temp_tree_file(&proc, "/b/sockstat", "");
  temp_tree_link(&proc, "/thread-self/net", "../a");
  add_process(1, "a", "init");
}

static void end(void) { temp_tree_remove(&proc); }

static struct process_search find(void) {
  return culprits_find(proc.root, NULL, &found);
}

START_TEST(sockets_that_no_dump_shows_count) {
  add_process(40, "a", "api");
  for (int fd = 3; fd < 10; fd++)
    add_socket(40, fd, 100 + fd);
  add_process(50, "a", "web");
  add_socket(50, 3, 200);
  add_socket(50, 4, TCP6 + 1);
  dumped[dumped_num++] = 105;
  dumped[dumped_num++] = 0;
  dumped[dumped_num++] = 200;
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(search.complete);
  ck_assert_uint_eq(search.found, 7);
  ck_assert_uint_eq(found.num, 2);
  ck_assert_uint_eq(found.top[0].pid, 40);
  ck_assert_uint_eq(found.top[0].num, 6);
  ck_assert_str_eq(found.top[0].command, "api");
  ck_assert_str_eq(found.top[0].service, "api.service");
  ck_assert_uint_eq(found.top[1].pid, 50);
  ck_assert_uint_eq(found.top[1].num, 1);
}
END_TEST

START_TEST(only_tcp_and_mptcp_count) {
  add_process(40, "a", "api");
  add_socket(40, 3, UDP + 1);
  add_socket(40, 4, UNIX + 1);
  add_socket(40, 5, MPTCP + 1);
  temp_tree_link(&proc, "/40/fd/6", "/dev/null");
  ck_assert_uint_eq(find().found, 1);
}
END_TEST

START_TEST(one_that_cannot_be_told_makes_it_incomplete) {
  add_process(40, "a", "api");
  add_socket(40, 3, UDP + 1);
  add_socket(40, 4, 100);
  const int errors[] = {EACCES, EIO, ENOMEM, ENOTSUP};
  for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
    xattr_error = errors[i];
    struct process_search search = find();
    ck_assert_int_eq(search.error, 0);
    ck_assert(!search.complete);
    ck_assert_uint_eq(search.found, 1);
  }
  /* It was closed, or the process has ended. */
  xattr_error = ENOENT;
  ck_assert(find().complete);
  xattr_error = EACCES;
  ended = true;
  ck_assert(find().complete);
}
END_TEST

START_TEST(nor_is_it_known_to_have_ended_when_nothing_can_be_read) {
  add_process(40, "a", "api");
  add_socket(40, 3, UDP + 1);
  xattr_error = EACCES;
  looped = true;
  ck_assert(!find().complete);
}
END_TEST

START_TEST(process_whose_descriptors_cannot_be_opened_makes_it_incomplete) {
  add_process(40, "a", "api");
  add_socket(40, 3, 100);
  ck_assert(find().complete);
  temp_tree_link(&proc, "/41/fd", "fd"); /* ELOOP */
  struct process_search search = find();
  ck_assert(!search.complete);
  ck_assert_uint_eq(search.found, 1);
  ck_assert_uint_eq(search.refused, 0);
}
END_TEST

START_TEST(descriptors_of_one_socket_count_once_in_a_process) {
  add_process(40, "a", "api");
  add_socket(40, 3, 100);
  add_socket(40, 4, 100);
  add_socket(40, 5, 101);
  add_socket(40, 6, 101);
  add_process(41, "a", "api");
  add_socket(41, 3, 100);
  dumped[dumped_num++] = 101;
  ck_assert_uint_eq(find().found, 2);
  ck_assert_uint_eq(found.top[0].num, 1);
  ck_assert_uint_eq(found.top[1].num, 1);
}
END_TEST

START_TEST(what_was_closed_meanwhile_does_not_count) {
  add_process(40, "a", "api");
  add_socket(40, 3, 100);
  add_socket(40, 4, 101);
  snprintf(closed, sizeof(closed), "/40/fd/3");
  ck_assert_uint_eq(find().found, 1);
}
END_TEST

#define LINE(inode)                                                            \
  "   0: 0100007F:9C40 00000000:0000 0A 00000000:00000000 00:00000000 "        \
  "00000000     0        0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define HEAD "  sl  local_address rem_address   st ...\n"

START_TEST(other_namespaces_are_read_from_proc) {
  add_process(40, "b", "api");
  for (unsigned i = 0; i < 5; i++)
    add_socket(40, (int)i, 100 + i);
  temp_tree_file(&proc, "/b/tcp", HEAD LINE("100") LINE("0") LINE("101"));
  temp_tree_file(&proc, "/b/tcp6", HEAD LINE("103"));
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(search.complete);
  ck_assert_uint_eq(search.found, 2);
  ck_assert_uint_eq(lines, 5 + 3); /* with the end of each table */
  /* Without IPv6. */
  temp_tree_delete(&proc, "/b/tcp6");
  ck_assert_uint_eq(find().found, 3);
}
END_TEST

START_TEST(namespace_that_cannot_be_read_makes_it_incomplete) {
  add_process(40, "b", "api");
  add_socket(40, 3, 100);
  add_process(41, "a", "web");
  add_socket(41, 3, 101);
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(!search.complete);
  ck_assert_uint_eq(search.found, 1);
  ck_assert_uint_eq(found.top[0].pid, 41);
}
END_TEST

/* One more, with a table unless it is NULL, and a process of its own: 100 + i.
 */
static void add_namespace(int i, const char *table, const char *service) {
  char name[8], path[32];
  snprintf(name, sizeof(name), "n%d", i);
  snprintf(path, sizeof(path), "/%s/sockstat", name);
  temp_tree_file(&proc, path, "");
  snprintf(path, sizeof(path), "/%s/tcp", name);
  if (table != NULL)
    temp_tree_file(&proc, path, table);
  add_process(100 + i, name, service);
}

START_TEST(too_many_namespaces_make_it_incomplete) {
  for (int i = 0; i < CULPRITS_NAMESPACES; i++) {
    add_namespace(i, HEAD, "api");
    add_socket(100 + i, 3, 100u + (unsigned)i);
  }
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(!search.complete);
  ck_assert_uint_eq(search.found, CULPRITS_NAMESPACES - 1);
}
END_TEST

/* In a table of a million sockets, which all namespaces share, users can have
 * each of theirs searched. */
START_TEST(other_namespaces_are_read_for_a_bounded_time) {
  enum { NUM = 10 };
  for (int i = 0; i < NUM; i++) {
    add_namespace(i, HEAD LINE("7") LINE("8"), "api");
    add_socket(100 + i, 3, 100u + (unsigned)i);
  }
  ck_assert_uint_eq(find().found, NUM);
  ck_assert(find().complete);
  line_takes = CULPRITS_TABLES_NS / 3 / 4; /* of four lines, the end is one */
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(!search.complete);
  ck_assert_uint_ge(search.found, 2);
  ck_assert_uint_le(search.found, 3);
}
END_TEST

/* It takes no place among those that can be told apart. */
START_TEST(a_namespace_without_tcp_sockets_does_not_count) {
  add_process(40, "b", "api");
  add_socket(40, 3, 100);
  temp_tree_file(&proc, "/b/tcp", HEAD);
  for (int i = 0; i < 2 * CULPRITS_NAMESPACES; i++) {
    add_namespace(i, NULL, "idle");
  }
  add_process(41, "b", "api");
  add_socket(41, 3, 101);
  struct process_search search = find();
  ck_assert(search.complete);
  ck_assert_uint_eq(search.found, 2);
}
END_TEST

START_TEST(a_table_that_breaks_off_makes_it_incomplete) {
  add_process(40, "b", "api");
  add_socket(40, 3, 100);
  temp_tree_file(&proc, "/b/tcp", HEAD);
  temp_tree_directory(&proc, "/b/tcp6"); /* EISDIR, when it is read */
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(!search.complete);
  ck_assert_uint_eq(search.found, 0);
}
END_TEST

/* Wherever it is in the order. */
static void add_between(int processes) {
  add_process(40, "a", "api");
  add_socket(40, 4, 100);
  for (int pid = 100; pid < 100 + processes; pid++) {
    add_process(pid, "a", "many");
    char path[32];
    snprintf(path, sizeof(path), "/%d/fd/3", pid);
    temp_tree_link(&proc, path, "/dev/null");
  }
  add_process(41, "a", "web");
  add_socket(41, 4, 101);
}

START_TEST(one_process_cannot_hide_the_others) {
  add_between(1);
  for (int more = 0; more < 2; more++) {
    repeat = PROCESS_DESCRIPTORS_EACH - 1 + more;
    struct process_search search = find();
    ck_assert_int_eq(search.error, 0);
    ck_assert_int_eq(search.complete, !more);
    ck_assert_uint_eq(search.found, 2);
  }
}
END_TEST

START_TEST(beyond_their_bound_descriptors_are_not_read) {
  add_between(PROCESS_DESCRIPTORS_MAX / 60000 + 1);
  repeat = 60000;
  struct process_search search = find();
  ck_assert_int_eq(search.error, 0);
  ck_assert(!search.complete);
  ck_assert_uint_eq(search.found, 1);
}
END_TEST

START_TEST(errors_name_nobody) {
  add_process(40, "a", "api");
  add_socket(40, 3, 100);
  dump_error = -EOPNOTSUPP;
  ck_assert_int_eq(find().error, -EOPNOTSUPP);
  ck_assert_uint_eq(found.num, 0);
  dump_error = 0;
  no_memory = true;
  ck_assert_int_eq(find().error, -ENOMEM);
  no_memory = false;
  temp_tree_delete(&proc, "/thread-self/net");
  ck_assert_int_eq(find().error, -ENOENT);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("culprits");
  TCase *tcase = tcase_create("culprits");
  tcase_add_checked_fixture(tcase, start, end);
  tcase_add_test(tcase, sockets_that_no_dump_shows_count);
  tcase_add_test(tcase, only_tcp_and_mptcp_count);
  tcase_add_test(tcase, one_that_cannot_be_told_makes_it_incomplete);
  tcase_add_test(tcase, nor_is_it_known_to_have_ended_when_nothing_can_be_read);
  tcase_add_test(
      tcase, process_whose_descriptors_cannot_be_opened_makes_it_incomplete);
  tcase_add_test(tcase, descriptors_of_one_socket_count_once_in_a_process);
  tcase_add_test(tcase, what_was_closed_meanwhile_does_not_count);
  tcase_add_test(tcase, other_namespaces_are_read_from_proc);
  tcase_add_test(tcase, namespace_that_cannot_be_read_makes_it_incomplete);
  tcase_add_test(tcase, too_many_namespaces_make_it_incomplete);
  tcase_add_test(tcase, other_namespaces_are_read_for_a_bounded_time);
  tcase_add_test(tcase, a_namespace_without_tcp_sockets_does_not_count);
  tcase_add_test(tcase, a_table_that_breaks_off_makes_it_incomplete);
  tcase_add_test(tcase, one_process_cannot_hide_the_others);
  tcase_add_test(tcase, beyond_their_bound_descriptors_are_not_read);
  tcase_add_test(tcase, errors_name_nobody);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
