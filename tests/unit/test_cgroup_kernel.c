/* SPDX-License-Identifier: MIT */
/* cgroup.c on the kernel that runs it: the id that a socket carries is the one
 * that the tree has for the control group that it was made in. */
#include "cgroup.h"
#include "cgroup_walk.h"
#include "diag_dump.h"

#include "check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char group[256], inner[300];

/* 0 or -errno. */
static int enter(const char *directory) {
  char path[400];
  snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  int err = fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
  if (fd >= 0)
    close(fd);
  return err;
}

static bool make_groups(void) {
  const char *mount = cgroup_mount();
  if (mount == NULL)
    return false;
  snprintf(group, sizeof(group), "%s/tcpstates-kernel-%ld", mount,
           (long)getpid());
  snprintf(inner, sizeof(inner), "%s/inner", group);
  return mkdir(group, 0755) == 0 && mkdir(inner, 0755) == 0;
}

struct wanted {
  uint16_t port;
  uint64_t cgroup_id;
};

static int note_socket(const struct diag_socket *socket, void *data) {
  struct wanted *wanted = data;
  if (socket->local_port == wanted->port)
    wanted->cgroup_id = socket->cgroup_id;
  return 0;
}

/* Why the kernel cannot be asked for sockets, as in qemu's user emulation; or
 * NULL. */
static const char *no_sock_diag(void) {
  struct diag_dump dump = {0};
  struct wanted wanted = {0};
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  int err = diag_dump_run(&dump, &request, note_socket, &wanted);
  diag_dump_close(&dump);
  bool missing = err == -ENOENT || err == -EOPNOTSUPP ||
                 err == -EPROTONOSUPPORT || err == -EAFNOSUPPORT;
  return missing ? diag_dump_strerror(err) : NULL;
}

/* In a process of its own: it cannot go back where it came from by itself. */
START_TEST(a_socket_carries_the_id_that_the_tree_has) {
  ck_assert_int_eq(enter(inner), 0);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(address);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
  ck_assert_int_eq(listen(fd, 1), 0);
  ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);

  struct wanted wanted = {.port = ntohs(address.sin_port)};
  struct diag_dump dump = {0};
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  ck_assert_int_eq(diag_dump_run(&dump, &request, note_socket, &wanted), 0);
  diag_dump_close(&dump);
  ck_assert_uint_ne(wanted.cgroup_id, 0);

  struct cgroup_tree tree;
  cgroup_tree_init(&tree);
  ck_assert_int_eq(cgroup_tree_refresh(&tree), 1);
  char *path = strrchr(group, '/'), where[256] = "", name[CGROUP_PATH_SIZE];
  struct id_list ids = {.num = 0};
  ck_assert_int_eq(cgroup_tree_ids(&tree, &path, 1, &ids, where, sizeof(where)),
                   1);
  ck_assert_int_eq(ids.error, 0);
  ck_assert_uint_eq(ids.num, 2);
  ck_assert_uint_eq(ids.ids[1], wanted.cgroup_id);
  ck_assert_int_eq(cgroup_tree_path(&tree, wanted.cgroup_id, name), 0);
  ck_assert_str_eq(name, inner + strlen(cgroup_mount()));
  struct stat st;
  ck_assert_int_eq(stat(inner, &st), 0);
  printf("# the socket's id is %llu, the inode number %llu\n",
         (unsigned long long)wanted.cgroup_id, (unsigned long long)st.st_ino);
  free(ids.ids);
  cgroup_tree_free(&tree);
  close(fd);
}
END_TEST

int main(void) {
  const char *obstacle = no_sock_diag();
  if (obstacle != NULL) {
    printf("1..0 # SKIP %s\n", obstacle);
    return 0;
  }
  if (!make_groups()) {
    rmdir(inner);
    rmdir(group);
    puts("1..0 # SKIP no cgroup v2 hierarchy is mounted where this user may "
         "write, or Linux is older than 5.8");
    return 0;
  }
  Suite *suite = suite_create("cgroup_kernel");
  TCase *tc = tcase_create("cgroup_kernel");
  tcase_add_test(tc, a_socket_carries_the_id_that_the_tree_has);
  suite_add_tcase(suite, tc);
  int status = check_main_forked(suite);
  /* The process that was in it may be leaving yet. */
  int tries = 1000;
  while (rmdir(inner) != 0 && errno == EBUSY && --tries > 0)
    poll(NULL, 0, 1);
  if (rmdir(group) != 0) {
    printf("# %s stays: %s\n", group, strerror(errno));
    status = EXIT_FAILURE;
  }
  return status;
}
