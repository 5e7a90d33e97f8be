/* SPDX-License-Identifier: MIT */
/* Loopback has all of 127.0.0.0/8; more IPv6 addresses are added to it. */
#include "kernel_bench.h"

#include "check_main.h"
#include "socket_model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ipv6.h>

#define STATES_ALL ((1u << (TCP_CLOSING + 1)) - (1u << TCP_ESTABLISHED))

static int set_lo_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int err = ioctl(fd, SIOCSIFFLAGS, &lo) < 0 ? -errno : 0;
  close(fd);
  return err;
}

static bool write_sysctl(const char *path, const char *value) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
  close(fd);
  return written;
}

static int enter_namespace(void) {
  if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
    return -errno;
  /* From here another one with a hash table of its own, since Linux 6.1: in the
   * common one a dump also passes all sockets of the machine. */
  if (write_sysctl("/proc/sys/net/ipv4/tcp_child_ehash_entries", "4096") &&
      unshare(CLONE_NEWNET) < 0)
    return -errno;
  return set_lo_up();
}

static int ignore_socket(const struct diag_socket *socket, void *data) {
  (void)socket;
  (void)data;
  return 0;
}

static bool have_ipv6(void) {
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                        .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  bool usable =
      bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0;
  close(fd);
  return usable;
}

static bool allow_fast_open(void) {
  return write_sysctl("/proc/sys/net/ipv4/tcp_fastopen", "0x607");
}

unsigned bench_missing(void) {
  pid_t child = fork();
  if (child == 0) {
    unsigned missing = 0;
    if (enter_namespace() == 0)
      missing = (have_ipv6() ? 0 : BENCH_NO_IPV6) |
                (allow_fast_open() ? 0 : BENCH_NO_FAST_OPEN);
    _exit((int)missing);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
    return 0;
  return (unsigned)WEXITSTATUS(status);
}

const char *bench_obstacle(void) {
  static char text[128];
  struct diag_dump dump = {0};
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  int err = diag_dump_run(&dump, &request, ignore_socket, NULL);
  diag_dump_close(&dump);
  /* The last is what qemu's user emulation says. */
  if (err == -ENOENT || err == -EOPNOTSUPP || err == -EPROTONOSUPPORT)
    return diag_dump_strerror(err);

  pid_t child = fork();
  if (child == 0)
    _exit(-enter_namespace());
  int status;
  if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
    return "cannot start a process";
  if (WEXITSTATUS(status) == 0)
    return NULL;
  snprintf(text, sizeof(text), "no network namespace: %s",
           strerror(WEXITSTATUS(status)));
  return text;
}

/* Where connections go to and come from. IPv4 and v4-mapped ones share ports,
 * so their servers have different addresses. */
static const struct {
  enum sockets_family family;
  const char *server;
  const char *client;
} ends[] = {
    {SOCKETS_IPV4, "127.0.0.1", "127.0.0.1"},
    {SOCKETS_IPV4, "127.1.2.3", "127.128.0.1"},
    {SOCKETS_IPV4, "127.255.255.254", "127.0.0.2"},
    {SOCKETS_MAPPED, "::ffff:127.0.0.2", "::ffff:127.0.0.2"},
    {SOCKETS_MAPPED, "::ffff:127.1.2.2", "::ffff:127.128.0.1"},
    {SOCKETS_IPV6, "::1", "::1"},
    {SOCKETS_IPV6, "2001:db8::1", "2001:db8:0:1::1"},
    /* It differs from a v4-mapped one in one bit. */
    {SOCKETS_IPV6, "::fffe:127.0.0.1", "::1"},
};

/* Waits until the kernel, in a thread of its own, has found that no other
 * machine has the address. */
static void await_address(const struct in6_addr *bytes) {
  const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                       .sin6_addr = *bytes};
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  int tries = 5000;
  while (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
         --tries > 0)
    poll(NULL, 0, 1);
  close(fd);
  ck_assert_int_gt(tries, 0);
}

static void add_address(int fd, const char *text) {
  struct in6_ifreq lo = {.ifr6_prefixlen = 128,
                         .ifr6_ifindex = (int)if_nametoindex("lo")};
  ck_assert_int_eq(inet_pton(AF_INET6, text, &lo.ifr6_addr), 1);
  if (ioctl(fd, SIOCSIFADDR, &lo) < 0 && errno != EEXIST)
    ck_abort_msg("adding %s to lo: %s", text, strerror(errno));
  await_address(&lo.ifr6_addr);
}

static bool add_addresses(void) {
  if (!have_ipv6())
    return false;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_ge(fd, 0);
  for (int i = 0; i < CASES(ends); i++)
    if (ends[i].family == SOCKETS_IPV6) {
      add_address(fd, ends[i].server);
      add_address(fd, ends[i].client);
    }
  close(fd);
  return true;
}

void bench_start(struct bench *bench) {
  *bench = (struct bench){0};
  ck_assert_int_eq(sockets_raise_limit(), 0);
  int err = enter_namespace();
  if (err != 0)
    ck_abort_msg("entering a network namespace: %s", strerror(-err));
}

static void make(struct bench *bench, enum sockets_kind kind, int i,
                 uint16_t port) {
  const struct sockets_request request = {
      .kind = kind,
      .family = ends[i].family,
      .port = port,
      .count = 1,
      .server = ends[i].server,
      .client = kind == SOCKETS_BOUND ? NULL : ends[i].client};
  int err = sockets_make(&bench->made, &request);
  if (err != 0)
    ck_abort_msg("%s, %s port %u: %s", sockets_kind_name(kind), ends[i].server,
                 port, strerror(-err));
}

/* Some kinds need a listener of their own. */
static uint16_t server_port(enum sockets_kind kind, int i, uint16_t first) {
  unsigned offset = ((unsigned)kind + (unsigned)i) % 6;
  if (kind == SOCKETS_UNACCEPTED)
    offset = 6;
  if (kind == SOCKETS_SYN)
    offset = 7;
  return (uint16_t)(first + offset);
}

void bench_make(struct bench *bench, uint16_t first) {
  bool ipv6 = add_addresses();
  bool fast_open = allow_fast_open();
  for (int i = 0; i < CASES(ends); i++)
    for (unsigned kind = SOCKETS_BOUND; kind < SOCKETS_KINDS; kind++)
      if ((ipv6 || ends[i].family == SOCKETS_IPV4) &&
          (fast_open || kind != SOCKETS_FAST_OPEN))
        make(bench, kind, i, server_port(kind, i, first));
  ck_assert_int_eq(sockets_settle(), 0);
}

static int add_socket(const struct diag_socket *socket, void *data) {
  struct socket_list *list = data;
  struct diag_socket *sockets =
      realloc(list->sockets, (list->num + 1) * sizeof(*sockets));
  if (sockets == NULL)
    return -ENOMEM;
  list->sockets = sockets;
  sockets[list->num++] = *socket;
  return 0;
}

static int compare_sockets(const void *a, const void *b) {
  const struct diag_socket *x = a, *y = b;
  int order = memcmp(&x->local_address, &y->local_address, 16);
  if (order == 0)
    order = memcmp(&x->remote_address, &y->remote_address, 16);
  if (order == 0)
    order = x->local_port - y->local_port;
  if (order == 0)
    order = x->remote_port - y->remote_port;
  return order != 0 ? order : x->state - y->state;
}

static int dump(struct bench *bench, const struct bytecode *program,
                struct socket_list *list) {
  const struct diag_request request = {
      .states = STATES_ALL | 1u << DIAG_STATE_BOUND_INACTIVE,
      .bytecode = program == NULL ? NULL : program->ops,
      .bytecode_len = program == NULL ? 0 : program->len};
  list->num = 0;
  int err = diag_dump_run(&bench->dump, &request, add_socket, list);
  if (list->num > 0)
    qsort(list->sockets, list->num, sizeof(*list->sockets), compare_sockets);
  return err;
}

static void dump_all(struct bench *bench) {
  ck_assert_int_eq(dump(bench, NULL, &bench->all), 0);
}

void bench_dump_all(struct bench *bench) {
  dump_all(bench);
  size_t num = bench->all.num;
  ck_assert_uint_gt(num, 0);
  bench->ports = calloc(2 * num, sizeof(*bench->ports));
  bench->addresses = calloc(2 * num, sizeof(*bench->addresses));
  ck_assert(bench->ports != NULL && bench->addresses != NULL);
  unsigned states = 0;
  for (size_t i = 0; i < num; i++) {
    const struct diag_socket *socket = &bench->all.sockets[i];
    states |= 1u << socket->state;
    bench->ports[2 * i] = socket->local_port;
    bench->ports[2 * i + 1] = socket->remote_port;
    bench->addresses[2 * i] = socket->local_address;
    bench->addresses[2 * i + 1] = socket->remote_address;
  }
  bench->pool = (struct random_pool){.ports = bench->ports,
                                     .ports_num = 2 * num,
                                     .addresses = bench->addresses,
                                     .addresses_num = 2 * num};
  /* Before Linux 6.8 no dump has bound-only sockets. */
  ck_assert_uint_eq(states | 1u << TCP_CLOSE, STATES_ALL);
}

int bench_dump_passed(struct bench *bench) {
  return dump(bench, &bench->program, &bench->passed);
}

bool bench_was_passed(const struct bench *bench,
                      const struct diag_socket *socket, size_t *next) {
  if (*next == bench->passed.num)
    return false;
  int order = compare_sockets(&bench->passed.sockets[*next], socket);
  if (order < 0)
    ck_abort_msg("a socket has come from nowhere: %s",
                 model_socket_text(&bench->passed.sockets[*next]));
  *next += order == 0;
  return order == 0;
}

/* Says what is wrong with the socket, or NULL. */
static const char *judge(const struct filter_set *set,
                         const struct diag_socket *socket, bool passed) {
  if (passed)
    return filter_set_allows(set, socket) ? NULL : "let through";
  return filter_set_wants(set, socket) ? "left out" : NULL;
}

/* Returns the first socket with which something is wrong, or NULL. */
static const struct diag_socket *find_wrong(const struct bench *bench,
                                            const struct filter_set *set,
                                            const char **what) {
  size_t next = 0;
  for (size_t i = 0; i < bench->all.num; i++) {
    const struct diag_socket *socket = &bench->all.sockets[i];
    *what = judge(set, socket, bench_was_passed(bench, socket, &next));
    if (*what != NULL)
      return socket;
  }
  ck_assert_uint_eq(next, bench->passed.num);
  return NULL;
}

void bench_check(struct bench *bench, const struct filter_set *set) {
  int err = filter_set_compile(set, &bench->program);
  if (err == 0)
    err = bench_dump_passed(bench);
  if (err != 0) {
    filter_set_print(set);
    ck_abort_msg("a dump with these filters: %s", strerror(-err));
  }
  const char *what;
  const struct diag_socket *wrong = find_wrong(bench, set, &what);
  if (wrong == NULL)
    return;
  /* TIME_WAIT lasts a minute, which a busy machine may take: what has gone
   * since is no error. */
  dump_all(bench);
  ck_assert_int_eq(bench_dump_passed(bench), 0);
  wrong = find_wrong(bench, set, &what);
  if (wrong == NULL)
    return;
  filter_set_print(set);
  ck_abort_msg("a socket is wrongly %s: %s", what, model_socket_text(wrong));
}

void bench_check_random(struct bench *bench, unsigned seed, unsigned num) {
  struct random_source source = random_seed(seed);
  for (unsigned i = 0; i < num; i++) {
    struct filter_set set = {0};
    filter_set_randomize(&set, &source, &bench->pool);
    bench_check(bench, &set);
    filter_set_free(&set);
  }
  /* The sockets are still those of the first dump. */
  struct filter_set set = {0};
  filter_set_add(&set, "lport=0-65535");
  bench_check(bench, &set);
  filter_set_free(&set);
}

void bench_end(struct bench *bench) {
  /* Resets leave no orphans; sockets_close_all() would also wait for request
   * socks, but those go with the namespace. */
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  for (size_t i = 0; i < bench->made.len; i++) {
    int fd = bench->made.entries[i].fd;
    if (fd < 0)
      continue;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
  }
  free(bench->made.entries);
  diag_dump_close(&bench->dump);
  bytecode_free(&bench->program);
  free(bench->all.sockets);
  free(bench->passed.sockets);
  free(bench->ports);
  free(bench->addresses);
}
