/* SPDX-License-Identifier: MIT */
/* Records what this kernel answers to inet_diag dumps, with sockets in every
 * state there are, for the corpus of netlink.c, which says what the form is. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static const char usage[] =
    "usage: record [FILE]\n"
    "Makes sockets in every TCP state in a network namespace of its own, "
    "dumps\n"
    "them in the ways that the plugin does, and writes what the kernel sends "
    "to\n"
    "FILE, or to standard output: an input for tests/fuzz/netlink.\n"
    "Needs root or user namespaces; without, it takes this namespace.\n"
    "Exit status: 0 recorded, 1 something failed, 2 wrong usage.\n";

#define RECEIVE_SIZE 32768
#define ALL_STATES 0xfff
#define BOUND_INACTIVE 13
#define NO_TYPE 99

static void warn(const char *what, int err) {
  fprintf(stderr, "record: %s: %s\n", what, strerror(err));
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0)
    warn(path, errno);
  if (fd >= 0)
    close(fd);
}

static void enter_namespace(void) {
  if (unshare(CLONE_NEWNET) != 0 &&
      unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    warn("no namespace of its own", errno);
    return;
  }
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
    warn("lo", errno);
  if (fd >= 0)
    close(fd);
  write_file("/proc/sys/net/ipv4/tcp_fastopen", "1543"); /* 0x607 */
}

/* The server's port: those that queue at their listener have one to themselves.
 */
static uint16_t port_of(enum sockets_family family, enum sockets_kind kind) {
  bool alone = kind == SOCKETS_LISTEN || kind == SOCKETS_BOUND ||
               kind == SOCKETS_UNACCEPTED || kind == SOCKETS_SYN ||
               kind == SOCKETS_CLOSE_WAIT_UNACCEPTED ||
               kind == SOCKETS_FAST_OPEN;
  return (uint16_t)(8000 + 100 * family + (alone ? kind + 1 : 0));
}

/* What a kernel without IPv6 cannot make is left out. */
static void make_sockets(struct sockets *sockets) {
  for (int family = 0; family < SOCKETS_FAMILIES; family++)
    for (int kind = 0; kind < SOCKETS_KINDS; kind++) {
      const struct sockets_request request = {
          .kind = (enum sockets_kind)kind,
          .family = (enum sockets_family)family,
          .port = port_of((enum sockets_family)family, (enum sockets_kind)kind),
          .count = 1};
      int err = sockets_make(sockets, &request);
      if (err != 0)
        fprintf(stderr, "record: no %s, %s: %s\n", sockets_kind_name(kind),
                sockets_family_name(family), strerror(-err));
    }
  int err = sockets_settle();
  if (err != 0)
    warn("not all are in their states", -err);
}

/* One receive, after its length, or its errno. */
static bool write_receive(FILE *out, const char *buf, ssize_t len, int err) {
  unsigned word = len < 0 ? 0xff80u | (unsigned)err : (unsigned)len;
  fputc((int)(word & 0xff), out);
  fputc((int)(word >> 8), out);
  return len <= 0 || fwrite(buf, 1, (size_t)len, out) == (size_t)len;
}

/* Does the dump end in this receive? */
static bool is_end(const char *buf, size_t len) {
  while (len >= sizeof(struct nlmsghdr)) {
    struct nlmsghdr header;
    memcpy(&header, buf, sizeof(header));
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR ||
        header.nlmsg_len < sizeof(header))
      return true;
    size_t step = NLMSG_ALIGN(header.nlmsg_len);
    buf += step < len ? step : len;
    len -= step < len ? step : len;
  }
  return false;
}

/* Returns the bytes of sockets, or -errno. */
static long record(FILE *out, int fd, const void *request, size_t size) {
  static char buf[RECEIVE_SIZE];
  if (send(fd, request, size, 0) < 0)
    return -errno;
  long bytes = 0;
  while (1) {
    ssize_t len = recv(fd, buf, sizeof(buf), 0);
    int err = errno;
    if (!write_receive(out, buf, len, err))
      return -EIO;
    if (len < 0)
      return -err;
    bytes += len;
    if (is_end(buf, (size_t)len))
      return bytes;
  }
}

static const struct {
  const char *name;
  uint32_t states;
  uint8_t ext;
  uint16_t type;
  bool filtered; /* by a program that lets nothing through: an empty answer */
} dumps[] = {
    {"listeners", 1u << TCP_LISTEN, 0, TCPDIAG_GETSOCK, false},
    {"all", ALL_STATES | 1u << BOUND_INACTIVE, 0, TCPDIAG_GETSOCK, false},
    {"ages", 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT,
     1 << (INET_DIAG_INFO - 1), TCPDIAG_GETSOCK, false},
    {"every attribute", 1u << TCP_LAST_ACK, 0xff, TCPDIAG_GETSOCK, false},
    {"none", ALL_STATES, 0, TCPDIAG_GETSOCK, true},
    {"an error: bytecode that is none", ALL_STATES, 0, TCPDIAG_GETSOCK, true},
    {"an error: no such request", ALL_STATES, 0, NO_TYPE, false},
};

#define DUMPS ((int)(sizeof(dumps) / sizeof(*dumps)))

static long run_dump(FILE *out, int fd, int i) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req req;
    struct nlattr attribute;
    struct inet_diag_bc_op op;
  } request = {.header = {.nlmsg_type = dumps[i].type,
                          .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                          .nlmsg_seq = (uint32_t)i + 1},
               .req = {.idiag_family = AF_INET,
                       .idiag_ext = dumps[i].ext,
                       .idiag_states = dumps[i].states},
               .attribute = {.nla_len = NLA_HDRLEN + sizeof(request.op),
                             .nla_type = INET_DIAG_REQ_BYTECODE},
               .op = {.code = INET_DIAG_BC_JMP, .yes = 4, .no = 8}};
  if (strstr(dumps[i].name, "none") != dumps[i].name)
    request.op.no = 3;
  size_t size = dumps[i].filtered ? sizeof(request)
                                  : offsetof(__typeof__(request), attribute);
  request.header.nlmsg_len = (uint32_t)size;
  long bytes = record(out, fd, &request, size);
  if (bytes < 0)
    warn(dumps[i].name, (int)-bytes);
  else
    fprintf(stderr, "record: %s: %ld bytes\n", dumps[i].name, bytes);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    fputs(usage, help ? stdout : stderr);
    return help ? EXIT_SUCCESS : 2;
  }
  FILE *out = argc == 2 ? fopen(argv[1], "we") : stdout;
  if (out == NULL) {
    warn(argv[1], errno);
    return EXIT_FAILURE;
  }
  enter_namespace();
  struct sockets sockets = {0};
  make_sockets(&sockets);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  const struct timeval limit = {.tv_sec = 5};
  int status = EXIT_SUCCESS;
  if (fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
    warn("sock_diag", errno);
    status = EXIT_FAILURE;
  }
  for (int i = 0; i < DUMPS && status == EXIT_SUCCESS; i++)
    if (run_dump(out, fd, i) < 0)
      status = EXIT_FAILURE;
  if (fflush(out) != 0 || ferror(out)) {
    warn("writing", errno);
    status = EXIT_FAILURE;
  }
  sockets_close_all(&sockets);
  return status;
}
