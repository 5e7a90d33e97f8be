/* SPDX-License-Identifier: MIT */
/* bytecode.c against the real kernel: with a program a dump returns exactly the
 * sockets that the filters mean. */
#include "bytecode_machine.h"
#include "check_main.h"
#include "kernel_bench.h"
#include "socket_model.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(the_kernel_lets_through_what_the_filters_mean) {
  struct bench bench;
  bench_start(&bench);
  bench_make(&bench, 80);
  bench_make(&bench, 65528);
  bench_dump_all(&bench);
  bench_check_random(&bench, 1, 400);
  bench_end(&bench);
}
END_TEST

START_TEST(the_kernel_takes_the_longest_program) {
  struct bench bench;
  bench_start(&bench);
  bench_make(&bench, 80);
  bench_dump_all(&bench);
  struct filter_set set = {0};
  filter_set_add(&set, "lport=80");
  struct port_set *ports = &set.filter[0].local_ports;
  for (unsigned port = 82; port <= UINT16_MAX; port += 2) {
    struct port_range range = {(uint16_t)port, (uint16_t)port};
    ck_assert_int_eq(port_set_add(ports, range), 0);
  }
  for (size_t step = 16384, fits = 1; step > 0; step /= 2) {
    ports->num = fits + step;
    if (filter_set_compile(&set, &bench.program) == 0)
      fits += step;
    ports->num = fits;
  }
  ck_assert_int_eq(filter_set_compile(&set, &bench.program), 0);
  ck_assert_uint_gt(bench.program.len, BYTECODE_MAX - 64);
  bench_check(&bench, &set);
  filter_set_free(&set);
  bench_end(&bench);
}
END_TEST

/* Changes an operation, one of the first more often than of the last. Most of
 * the programs that come of it are invalid. */
static void spoil(struct bytecode *program, struct random_source *source) {
  static const uint8_t codes[] = {
      INET_DIAG_BC_NOP,    INET_DIAG_BC_JMP,         INET_DIAG_BC_S_GE,
      INET_DIAG_BC_D_LE,   INET_DIAG_BC_S_EQ,        INET_DIAG_BC_D_EQ,
      INET_DIAG_BC_S_COND, INET_DIAG_BC_CGROUP_COND, UINT8_MAX};
  static const uint8_t families[] = {AF_UNSPEC, AF_INET, AF_INET6, UINT8_MAX};
  size_t at = 0;
  struct inet_diag_bc_op op;
  memcpy(&op, program->ops, sizeof(op));
  while (random_below(source, 8) > 0 && at + op.yes < program->len) {
    at += op.yes;
    memcpy(&op, program->ops + at, sizeof(op));
  }
  char *operand = program->ops + at + sizeof(op);
  bool has_address =
      op.code == INET_DIAG_BC_S_COND || op.code == INET_DIAG_BC_D_COND;
  bool has_operand = op.yes > sizeof(op);
  switch (random_below(source, 6)) {
  case 0:
    op.code = codes[random_below(source, sizeof(codes))];
    break;
  case 1:
    op.yes = (uint8_t)(op.yes + 2 * random_below(source, 7) - 6);
    break;
  case 2:
    op.no = (uint16_t)(op.no + 2 * random_below(source, 9) - 8);
    break;
  case 3:
    op.no = (uint16_t)(4 * random_below(source, program->len / 4 + 3));
    break;
  case 4: /* another port or prefix length */
    if (has_operand)
      operand[1 + random_below(source, 3)] = (char)random_below(source, 256);
    break;
  case 5:
    if (has_address)
      operand[0] = (char)families[random_below(source, sizeof(families))];
    break;
  }
  memcpy(program->ops + at, &op, sizeof(op));
}

/* Returns whether the program is valid, for both. */
static bool compare_with_machine(struct bench *bench, unsigned i) {
  const char *wrong = machine_audit(&bench->program);
  int err = bench_dump_passed(bench);
  if (err != (wrong == NULL ? 0 : -EINVAL))
    ck_abort_msg("program %u: the kernel says %d, the machine: %s", i, err,
                 wrong == NULL ? "valid" : wrong);
  size_t next = 0;
  for (size_t j = 0; err == 0 && j < bench->all.num; j++) {
    const struct diag_socket *socket = &bench->all.sockets[j];
    if (bench_was_passed(bench, socket, &next) !=
        machine_run(&bench->program, socket).accepted)
      ck_abort_msg("program %u: another verdict of the machine for %s", i,
                   model_socket_text(socket));
  }
  return wrong == NULL;
}

/* So test_bytecode.c may rely on it. */
START_TEST(the_machine_of_the_tests_is_the_kernels) {
  struct bench bench;
  bench_start(&bench);
  bench_make(&bench, 80);
  bench_dump_all(&bench);
  struct random_source source = random_seed(2);
  unsigned valid = 0, all = 600;
  for (unsigned i = 0; i < all; i++) {
    struct filter_set set = {0};
    filter_set_randomize(&set, &source, &bench.pool);
    ck_assert_int_eq(filter_set_compile(&set, &bench.program), 0);
    spoil(&bench.program, &source);
    valid += compare_with_machine(&bench, i);
    filter_set_free(&set);
  }
  ck_assert_uint_gt(valid, all / 10);
  ck_assert_uint_lt(valid, all - all / 10);
  bench_end(&bench);
}
END_TEST

/* Control groups of cgroup v2, made by main(): the first contains the others.
 */
static const char *const cgroups[] = {"", "/a", "/a/inner", "/b"};
#define CGROUPS_NUM CASES(cgroups)
static char cgroup_base[64];

static const char *group_path(int i, const char *file) {
  static char path[128];
  snprintf(path, sizeof(path), "%s%s%s", cgroup_base, cgroups[i], file);
  return path;
}

/* Moves this process. Returns 0 or -errno. */
static int enter_cgroup(int i) {
  int fd = open(group_path(i, "/cgroup.procs"), O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int err = write(fd, "0", 1) == 1 ? 0 : -errno;
  close(fd);
  return err;
}

/* In a process of its own: one that is in a group keeps it from removal. */
static int try_cgroup(void) {
  pid_t child = fork();
  if (child == 0)
    _exit(-enter_cgroup(0));
  int status;
  if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
    return -ECHILD;
  return -WEXITSTATUS(status);
}

/* Returns why there can be none; NULL: they are there. */
static const char *make_cgroups(void) {
  static char text[128];
  const char *mount = "/sys/fs/cgroup";
  struct statfs fs;
  if (statfs(mount, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
    mount = "/sys/fs/cgroup/unified";
  if (statfs(mount, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
    return "no cgroup v2";
  snprintf(cgroup_base, sizeof(cgroup_base), "%s/tcpstates-bytecode-%ld", mount,
           (long)getpid());
  int err = 0;
  for (int i = 0; i < CGROUPS_NUM && err == 0; i++)
    err = mkdir(group_path(i, ""), 0755) < 0 ? -errno : 0;
  if (err == 0)
    err = try_cgroup();
  if (err == 0)
    return NULL;
  snprintf(text, sizeof(text), "no control group of its own: %s",
           strerror(-err));
  return text;
}

static void remove_cgroups(void) {
  /* The process that was in them may be leaving yet. */
  for (int i = CGROUPS_NUM - 1; i >= 0 && cgroup_base[0] != '\0'; i--)
    for (int tries = 1000; tries > 0; tries--) {
      if (rmdir(group_path(i, "")) == 0 || errno != EBUSY)
        break;
      poll(NULL, 0, 1);
    }
}

START_TEST(nothing_to_do) {}
END_TEST

START_TEST(the_kernel_lets_through_what_the_control_groups_mean) {
  struct bench bench;
  bench_start(&bench);
  uint64_t ids[CGROUPS_NUM + 1] = {[CGROUPS_NUM] = UINT64_MAX};
  for (int i = 0; i < CGROUPS_NUM; i++) {
    struct stat stat_buf;
    ck_assert_int_eq(stat(group_path(i, ""), &stat_buf), 0);
    ids[i] = stat_buf.st_ino;
    ck_assert_int_eq(enter_cgroup(i), 0);
    bench_make(&bench, (uint16_t)(80 + 8 * i));
  }
  bench_dump_all(&bench);
  bench.pool.cgroup_ids = ids;
  bench.pool.cgroup_ids_num = CGROUPS_NUM + 1;
  for (int i = 0; i < CGROUPS_NUM; i++) {
    char text[64];
    snprintf(text, sizeof(text), "cgroup=%" PRIu64, ids[i]);
    struct filter_set set = {0};
    filter_set_add(&set, text);
    bench_check(&bench, &set);
    ck_assert_uint_gt(bench.passed.num, 0);
    filter_set_free(&set);
  }
  bench_check_random(&bench, 3, 200);
  bench_end(&bench);
}
END_TEST

int main(void) {
  const char *obstacle = bench_obstacle();
  if (obstacle != NULL) {
    printf("1..0 # SKIP %s\n", obstacle);
    return EXIT_SUCCESS;
  }
  Suite *suite = suite_create("bytecode_kernel");
  TCase *tcase = tcase_create("bytecode_kernel");
  tcase_add_test(tcase, the_kernel_lets_through_what_the_filters_mean);
  tcase_add_test(tcase, the_kernel_takes_the_longest_program);
  tcase_add_test(tcase, the_machine_of_the_tests_is_the_kernels);
  tcase_set_timeout(tcase, 120);
  suite_add_tcase(suite, tcase);

  obstacle = make_cgroups();
  if (obstacle != NULL)
    check_skip(suite, "the_kernel_lets_through_what_the_control_groups_mean",
               obstacle, nothing_to_do);
  else
    tcase_add_test(tcase, the_kernel_lets_through_what_the_control_groups_mean);
  unsigned missing = bench_missing();
  if (missing & BENCH_NO_IPV6)
    check_skip(suite, "sockets of IPv6 and v4-mapped ones",
               "there is no IPv6 here", nothing_to_do);
  if (missing & BENCH_NO_FAST_OPEN)
    check_skip(suite, "sockets of Fast Open",
               "tcp_fastopen cannot be written here", nothing_to_do);
  int status = check_main(suite);
  remove_cgroups();
  return status;
}
