/* SPDX-License-Identifier: MIT */
/* Moves a request to the kernel and its replies back; diag_msg.c reads them. */
#include "diag_dump.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

/* The kernel fills up to 32 KiB a message once it has seen a receive of that
 * size; MNL_SOCKET_BUFFER_SIZE is at most 8 KiB (af_netlink.c, netlink_dump())
 */
#define RECEIVE_SIZE 32768

/* A dump is made while we receive it, so only a lost answer makes us wait. */
#define RECEIVE_SECONDS 5

void diag_dump_disconnect(struct diag_dump *dump) {
  if (dump->nl != NULL)
    mnl_socket_close(dump->nl);
  dump->nl = NULL;
}

static int configure_socket(int fd, struct mnl_socket *nl) {
  if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
    return -errno;
  /* Connected to the kernel, it takes messages from nobody else: their senders
   * get ECONNREFUSED (af_netlink.c, netlink_getsockbyportid()). */
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
    return -errno;
  const struct timeval limit = {.tv_sec = RECEIVE_SECONDS};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
    return -errno;
  return 0;
}

static int open_socket(struct diag_dump *dump) {
  struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
  if (nl == NULL)
    return -errno;

  int err = configure_socket(mnl_socket_get_fd(nl), nl);
  if (err != 0) {
    mnl_socket_close(nl);
    return err;
  }
  dump->nl = nl;
  return 0;
}

static int reserve(struct diag_dump *dump, size_t size) {
  if (size < RECEIVE_SIZE)
    size = RECEIVE_SIZE;
  if (size <= dump->size)
    return 0;
  char *buf = realloc(dump->buf, size);
  if (buf == NULL)
    return -ENOMEM;
  dump->buf = buf;
  dump->size = size;
  return 0;
}

static int receive(struct diag_dump *dump, diag_socket_cb cb, void *data) {
  unsigned portid = mnl_socket_get_portid(dump->nl);
  int status;
  do {
    ssize_t len;
    do
      len = mnl_socket_recvfrom(dump->nl, dump->buf, dump->size);
    while (len < 0 && errno == EINTR);
    if (len < 0 && errno == EAGAIN)
      return -ETIMEDOUT;
    if (len < 0 && errno == ENOSPC) /* libmnl's errno for MSG_TRUNC */
      return -EMSGSIZE;
    if (len < 0)
      return -errno;
    status =
        diag_msg_decode(dump->buf, (size_t)len, dump->seq, portid, cb, data);
  } while (status > 0);
  return status;
}

/* Seconds since the machine started: a long holds them. */
static long uptime(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (long)now.tv_sec;
}

/* Is it known that there is no tcp_diag? Returns 0 or -errno. When it is time
 * to ask again, one caller gets 0: it asks for all. */
static int absence_error(struct diag_absence *absence) {
  long until = atomic_load(&absence->until);
  if (until == 0)
    return 0;
  long now = uptime();
  if (now >= until && atomic_compare_exchange_strong(&absence->until, &until,
                                                     now + absence->seconds))
    return 0;
  return atomic_load(&absence->error);
}

static void absence_learn(struct diag_absence *absence, int err) {
  bool absent = err == -ENOENT || err == -EOPNOTSUPP;
  if (absent)
    atomic_store(&absence->error, err);
  atomic_store(&absence->until, absent ? uptime() + absence->seconds : 0);
}

static int run(struct diag_dump *dump, const struct diag_request *request,
               diag_socket_cb cb, void *data) {
  struct diag_absence *absence =
      dump->absence == NULL ? NULL : &dump->absence[request->protocol];
  int err = absence == NULL ? 0 : absence_error(absence);
  if (err != 0)
    return err;
  err = dump->nl == NULL ? open_socket(dump) : 0;
  if (err != 0)
    return err;
  size_t len = diag_msg_request_size(request);
  err = reserve(dump, len);
  if (err != 0)
    return err;
  err = diag_msg_request(dump->buf, request, ++dump->seq);
  if (err != 0)
    return err;
  while (mnl_socket_sendto(dump->nl, dump->buf, len) < 0)
    if (errno != EINTR)
      return -errno;
  err = receive(dump, cb, data);
  if (absence != NULL)
    absence_learn(absence, err);
  return err;
}

int diag_dump_run(struct diag_dump *dump, const struct diag_request *request,
                  diag_socket_cb cb, void *data) {
  int err = run(dump, request, cb, data);
  if (err != 0)
    diag_dump_disconnect(dump);
  return err;
}

void diag_dump_close(struct diag_dump *dump) {
  diag_dump_disconnect(dump);
  free(dump->buf);
  memset(dump, 0, sizeof(*dump));
}

const char *diag_dump_strerror(int err) {
  switch (-err) {
  case ENOENT:
  case EOPNOTSUPP:
    return "tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe "
           "tcp_diag)";
  case EPROTONOSUPPORT:
    return "sock_diag is not available (CONFIG_INET_DIAG, or: modprobe "
           "inet_diag)";
  case EAFNOSUPPORT:
  case EACCES:
  case EPERM:
    return "netlink sockets are not allowed here (systemd: add AF_NETLINK to "
           "RestrictAddressFamilies; SELinux, AppArmor, seccomp: allow them)";
  case ETIMEDOUT:
    return "the kernel did not answer within 5 s";
  case EMSGSIZE:
  case EBADMSG:
  case EPROTO:
  case EOVERFLOW:
    return "the kernel's answer was truncated or not understood";
  default:
    return NULL;
  }
}
