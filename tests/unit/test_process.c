/* process.c: against a tree made here in the shape of /proc, and against this
 * test's own process in the real one. */
#include "process.h"

#include "check_main.h"
#include "temp_tree.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct temp_tree proc;

static void start(void) { proc = temp_tree_make(); }

static void end(void) { temp_tree_remove(&proc); }

static void make_comm(const char *pid, const char *comm) {
  char path[64];
  snprintf(path, sizeof(path), "/%s/comm", pid);
  temp_tree_file(&proc, path, comm);
}

static void open_fd(const char *pid, unsigned fd, const char *what) {
  char path[64];
  snprintf(path, sizeof(path), "/%s/fd/%u", pid, fd);
  temp_tree_link(&proc, path, what);
}

/* What there is in the tree of most tests. */
static void make_processes(void) {
  make_comm("80", "nginx\n");
  open_fd("80", 0, "/dev/null");
  open_fd("80", 5, "socket:[100]");
  open_fd("80", 6, "socket:[101]");
  open_fd("80", 7, "socket:[102]");
  make_comm("4711", "curl\n");
  open_fd("4711", 3, "socket:[200]");
  open_fd("4711", 4, "pipe:[100]");
  make_comm("4194304", "a name of 15 ch\n");
  open_fd("4194304", 1048575, "socket:[4294967295]");
  make_comm("9", "idle\n");
  temp_tree_directory(&proc, "/9/fd");
  make_comm("12", "liar\n");
  open_fd("12", 0, "/tmp/socket:[100]");
  open_fd("12", 1, "socket:[0]");
  open_fd("12", 2, "socket:[1000]");
  open_fd("12", 3, "socket:[10");
  open_fd("12", 4, "socket:[100] (deleted)");
  open_fd("12", 5, "/a/path/that/is/longer/than/any/number/socket:[100]/1234");
  /* What no process has for a name. */
  make_comm("self", "self\n");
  open_fd("self", 5, "socket:[100]");
  make_comm("0", "zero\n");
  open_fd("0", 5, "socket:[100]");
}

/* The names in the buffer are the expected ones, in any order. */
static void check_names(const char *name, char *buf,
                        const char *const *expected) {
  size_t num = 0, len = 0;
  for (; expected[num] != NULL; num++) {
    const char *found = strstr(buf, expected[num]);
    ck_assert_msg(found != NULL, "%s: no %s in %s", name, expected[num], buf);
    len += strlen(expected[num]);
  }
  len += num > 0 ? 2 * (num - 1) : 0;
  ck_assert_msg(strlen(buf) == len, "%s: %s", name, buf);
}

#define NGINX "nginx[80]"
#define CURL "curl[4711]"
#define NAME15 "a name of 15 ch[4194304]"

static const struct {
  const char *name;
  uint32_t inodes[5];
  const char *expected[4];
} finds[] = {
    {"no inode", {0}, {NULL}},
    {"one", {100}, {NGINX}},
    {"another of its", {102}, {NGINX}},
    {"two of one process", {100, 101}, {NGINX}},
    {"all of one process", {102, 101, 100}, {NGINX}},
    {"two processes", {100, 200}, {NGINX, CURL}},
    {"the last of five", {1, 2, 3, 4, 200}, {CURL}},
    {"behind a zero", {0, 0, 0, 200}, {CURL}},
    {"the greatest inode", {UINT32_MAX}, {NAME15}},
    {"all", {102, UINT32_MAX, 200, 100}, {NGINX, CURL, NAME15}},
    {"of nobody", {103, 10, 1, 20}, {NULL}},
    {"one of nobody", {103, 200}, {CURL}},
};

START_TEST(each_process_with_one_of_the_sockets_is_named_once) {
  make_processes();
  char buf[256] = "#";
  process_find(proc.root, finds[_i].inodes, 5, buf, sizeof(buf));
  check_names(finds[_i].name, buf, finds[_i].expected);
}
END_TEST

START_TEST(no_inodes_at_all_are_those_of_nobody) {
  make_processes();
  char buf[256] = "#";
  process_find(proc.root, NULL, 0, buf, sizeof(buf));
  ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(a_place_without_processes_gives_an_empty_text) {
  static const uint32_t inode = 100;
  char buf[256] = "#";
  process_find(proc.root, &inode, 1, buf, sizeof(buf));
  ck_assert_str_eq(buf, "");
  buf[0] = '#';
  process_find("/nowhere/proc", &inode, 1, buf, sizeof(buf));
  ck_assert_str_eq(buf, "");
}
END_TEST

/* What can be wrong with a process: it has ended in between, or is somebody
 * else's. */
static const struct {
  const char *name;
  const char *comm; /* NULL: there is none */
  const char *fd;   /* a symbolic link in it; NULL: fd is not there */
  const char *expected[3];
} broken[] = {
    {"nothing", "curl\n", "/4711/fd/3", {NGINX, CURL}},
    {"no comm", NULL, "/4711/fd/3", {NGINX}},
    {"an empty comm", "", "/4711/fd/3", {NGINX, "[4711]"}},
    {"a comm longer than any",
     "2345678901234567890123456789012345678901234567890123456789012345\n",
     "/4711/fd/3",
     {NGINX}},
    {"no fd", "curl\n", NULL, {NGINX}},
    {"fd is no directory", "curl\n", "/4711/fd", {NGINX}},
    {"the process is no directory", NULL, "/4711", {NGINX}},
};

START_TEST(a_process_that_cannot_be_seen_is_left_out) {
  static const uint32_t inodes[] = {200, 100};
  make_comm("80", "nginx\n");
  open_fd("80", 5, "socket:[100]");
  if (broken[_i].comm != NULL)
    make_comm("4711", broken[_i].comm);
  if (broken[_i].fd != NULL)
    temp_tree_link(&proc, broken[_i].fd, "socket:[200]");
  char buf[256] = "#";
  process_find(proc.root, inodes, 2, buf, sizeof(buf));
  check_names(broken[_i].name, buf, broken[_i].expected);
}
END_TEST

START_TEST(a_process_of_another_user_is_left_out) {
  static const uint32_t inodes[] = {200, 100};
  make_processes();
  char path[sizeof(proc.root) + 16], buf[256] = "#";
  snprintf(path, sizeof(path), "%s/80/fd", proc.root);
  ck_assert_int_eq(chmod(path, 0), 0);
  process_find(proc.root, inodes, 2, buf, sizeof(buf));
  chmod(path, 0700);
  ck_assert_str_eq(buf, CURL);
}
END_TEST

START_TEST(a_small_buffer_has_the_first_processes_whole) {
  static const uint32_t inodes[] = {100, 200, UINT32_MAX};
  make_processes();
  char all[256];
  process_find(proc.root, inodes, 3, all, sizeof(all));
  size_t len = strlen(all);
  ck_assert_uint_eq(len, strlen(NGINX ", " CURL ", " NAME15));
  for (size_t size = 1; size <= len + 3; size++) {
    char *buf = malloc(size);
    ck_assert_ptr_nonnull(buf);
    memset(buf, '#', size);
    process_find(proc.root, inodes, 3, buf, size);
    ck_assert_ptr_nonnull(memchr(buf, '\0', size));
    /* As many of them as there is room for. */
    size_t fit = 0;
    for (size_t i = 1; i <= len && i < size; i++)
      if (i == len || all[i] == ',')
        fit = i;
    ck_assert_msg(strncmp(buf, all, fit) == 0 && buf[fit] == '\0',
                  "%zu bytes of %s: %s", size, all, buf);
    free(buf);
  }
}
END_TEST

START_TEST(a_thousand_processes_fill_the_buffer_and_no_more) {
  static const uint32_t inode = 100;
  for (unsigned pid = 1000; pid < 2000; pid++) {
    char name[16];
    snprintf(name, sizeof(name), "%u", pid);
    make_comm(name, "many\n");
    open_fd(name, 3, "socket:[100]");
  }
  char *buf = malloc(100);
  process_find(proc.root, &inode, 1, buf, 100);
  /* 8 times "many[1234]" with ", " between are 94 characters. */
  ck_assert_uint_eq(strlen(buf), 94);
  ck_assert_str_eq(buf + 93, "]");
  free(buf);
}
END_TEST

START_TEST(the_real_proc_shows_a_real_socket) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  struct stat stat;
  ck_assert_int_eq(fstat(fd, &stat), 0);
  const uint32_t inodes[] = {0, (uint32_t)stat.st_ino, 0};
  char command[17] = "", expected[64], buf[256] = "#";
  ck_assert_int_eq(prctl(PR_SET_NAME, "holder of one"), 0);
  ck_assert_int_eq(prctl(PR_GET_NAME, command), 0);
  snprintf(expected, sizeof(expected), "%s[%d]", command, (int)getpid());
  process_find("/proc", inodes, 3, buf, sizeof(buf));
  ck_assert_str_eq(buf, expected);

  int copy = dup(fd);
  close(fd);
  process_find("/proc", inodes, 3, buf, sizeof(buf));
  ck_assert_str_eq(buf, expected);
  close(copy);
  process_find("/proc", inodes, 3, buf, sizeof(buf));
  ck_assert_str_eq(buf, "");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("process");
  TCase *tc = tcase_create("process");
  tcase_add_checked_fixture(tc, start, end);
  tcase_set_timeout(tc, 60);
  tcase_add_loop_test(tc, each_process_with_one_of_the_sockets_is_named_once, 0,
                      CASES(finds));
  tcase_add_test(tc, no_inodes_at_all_are_those_of_nobody);
  tcase_add_test(tc, a_place_without_processes_gives_an_empty_text);
  tcase_add_loop_test(tc, a_process_that_cannot_be_seen_is_left_out, 0,
                      CASES(broken));
  if (geteuid() != 0)
    tcase_add_test(tc, a_process_of_another_user_is_left_out);
  else
    printf("# skipped: a_process_of_another_user_is_left_out: root may look "
           "into every directory\n");
  tcase_add_test(tc, a_small_buffer_has_the_first_processes_whole);
  tcase_add_test(tc, a_thousand_processes_fill_the_buffer_and_no_more);
  tcase_add_test(tc, the_real_proc_shows_a_real_socket);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
