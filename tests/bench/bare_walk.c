/* SPDX-License-Identifier: MIT */
/* What no reader of inet_diag can go below: dumps for which the kernel passes
 * every socket and reports none. For the one the state asked for is CLOSING,
 * and bench.sh makes no such socket; for the other the sockets in ESTABLISHED
 * and TIME_WAIT go through a filter of one comparison that none of them passes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define PATIENCE_S 60

static const char usage[] =
    "usage: bare_walk READS [filter]\n"
    "Lets the kernel walk its TCP sockets READS times and prints what a walk\n"
    "costs, as plugin_host --measure does. With \"filter\" there is a second "
    "walk to\n"
    "each, with bytecode.\n"
    "exit status: 0; 1 the kernel did not answer; 2 usage\n";

static int ask(int fd, bool filter) {
  const uint32_t common = 1u << TCP_ESTABLISHED | 1u << TCP_TIME_WAIT;
  struct {
    struct nlmsghdr header;
    struct inet_diag_req request;
    struct nlattr attribute;
    struct inet_diag_bc_op bytecode[2];
  } message = {
      .header = {.nlmsg_len = filter ? sizeof(message)
                                     : offsetof(__typeof__(message), attribute),
                 .nlmsg_type = TCPDIAG_GETSOCK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
      .request = {.idiag_family = AF_INET,
                  .idiag_states = filter ? common : 1u << TCP_CLOSING},
      .attribute = {.nla_len =
                        sizeof(message.attribute) + sizeof(message.bytecode),
                    .nla_type = INET_DIAG_REQ_BYTECODE},
      /* Local port 65535: accept after the last operation, else reject. */
      .bytecode = {{.code = INET_DIAG_BC_S_GE, .yes = 8, .no = 12},
                   {.no = 65535}},
  };
  return send(fd, &message, message.header.nlmsg_len, 0) < 0 ? -errno : 0;
}

static int await_done(int fd, uint64_t *sockets) {
  static char buffer[32 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));
  for (;;) {
    ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got < 0)
      return -errno;
    size_t left = (size_t)got;
    for (struct nlmsghdr *header = (struct nlmsghdr *)(void *)buffer;
         NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      int err = 0;
      if (header->nlmsg_type == NLMSG_DONE ||
          header->nlmsg_type == NLMSG_ERROR) {
        memcpy(&err, NLMSG_DATA(header), sizeof(err));
        return err;
      }
      ++*sockets;
    }
  }
}

static uint64_t cpu_ns(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static int walk(int fd, bool filter, uint64_t *sockets) {
  int err = ask(fd, filter);
  return err != 0 ? err : await_done(fd, sockets);
}

static int measure(uint64_t *samples, size_t num, bool filter,
                   uint64_t *sockets) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0)
    return -errno;
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    uint64_t start = cpu_ns();
    err = walk(fd, false, sockets);
    if (err == 0 && filter)
      err = walk(fd, true, sockets);
    samples[i] = cpu_ns() - start;
  }
  return err;
}

int main(int argc, char **argv) {
  size_t num = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
  bool filter = argc == 3 && strcmp(argv[2], "filter") == 0;
  if (num == 0 || num > 1000000 || argc > 3 || (argc == 3 && !filter)) {
    fputs(usage, stderr);
    return 2;
  }
  uint64_t sockets = 0;
  uint64_t *samples = calloc(num, sizeof(*samples));
  int err = samples == NULL ? -ENOMEM : measure(samples, num, filter, &sockets);
  if (err != 0) {
    fprintf(stderr, "bare_walk: a dump of TCP sockets failed: %s\n",
            strerror(-err));
    return 1;
  }
  if (sockets > 0)
    fprintf(stderr, "bare_walk: %" PRIu64 " sockets were reported\n", sockets);
  qsort(samples, num, sizeof(*samples), compare);
  uint64_t sum = 0;
  for (size_t i = 0; i < num; i++)
    sum += samples[i];
  printf("reads %zu\n", num);
  printf("cpu_ns_per_read_mean %" PRIu64 "\n", sum / num);
  printf("cpu_ns_per_read_median %" PRIu64 "\n",
         (samples[(num - 1) / 2] + samples[num / 2]) / 2);
  printf("cpu_ns_per_read_min %" PRIu64 "\n", samples[0]);
  free(samples);
  return 0;
}
