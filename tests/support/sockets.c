/* SPDX-License-Identifier: MIT */
/* Brings pairs of sockets into any TCP state, without privileges: a socket that
 * wants a TTL of 255 of all it receives is "deaf" to this machine's packets,
 * which have 64, and its peer stays in the state before the answer. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define SETTLE_MS 100
/* net.ipv4.tcp_invalid_ratelimit, and a tick */
#define INVALID_RATELIMIT_MS 510

static const char *const loopback[] = {"127.0.0.1", "::1", "::ffff:127.0.0.1"};
static const struct sockets_end any[] = {{"0.0.0.0", 0}, {"::", 0}, {"::", 0}};

struct address {
  union {
    struct sockaddr generic;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  };
  socklen_t len;
};

/* A connection in the making; client and server are -1 when not open. */
struct pair {
  const struct address *to;
  int listener;
  int client;
  int server;
};

/* How a kind is made. State 0: there is no such end. */
struct recipe {
  const char *name;
  int client_state;
  int server_state;
  int (*steps[7])(struct pair *pair); /* NULL ends them */
};

const char *sockets_state_name(int state) {
  static const char *const names[] = {"",          "ESTABLISHED", "SYN_SENT",
                                      "SYN_RECV",  "FIN_WAIT1",   "FIN_WAIT2",
                                      "TIME_WAIT", "CLOSED",      "CLOSE_WAIT",
                                      "LAST_ACK",  "LISTEN",      "CLOSING"};
  return names[state];
}

const char *sockets_owner_name(enum sockets_owner owner) {
  static const char *const names[] = {"held", "orphaned", "none"};
  return names[owner];
}

const char *sockets_family_name(enum sockets_family family) {
  static const char *const names[] = {"ipv4", "ipv6", "mapped"};
  return names[family];
}

int sockets_raise_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return -errno;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int sockets_settle(void) { return poll(NULL, 0, SETTLE_MS) < 0 ? -errno : 0; }

static void *address_bytes(struct address *address) {
  return address->generic.sa_family == AF_INET
             ? (void *)&address->in.sin_addr
             : (void *)&address->in6.sin6_addr;
}

static int parse_address(enum sockets_family family, const char *text,
                         uint16_t port, struct address *address) {
  bool v4 = family == SOCKETS_IPV4;
  *address =
      (struct address){.len = v4 ? sizeof(address->in) : sizeof(address->in6)};
  address->generic.sa_family = v4 ? AF_INET : AF_INET6;
  address->in.sin_port = htons(port); /* in6 has it at the same place */
  if (inet_pton(address->generic.sa_family,
                text != NULL ? text : loopback[family],
                address_bytes(address)) != 1)
    return -EINVAL;
  bool mapped = !v4 && IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr);
  return mapped == (family == SOCKETS_MAPPED) ? 0 : -EINVAL;
}

static struct sockets_end print_address(struct address *address) {
  struct sockets_end end = {.port = ntohs(address->in.sin_port)};
  inet_ntop(address->generic.sa_family, address_bytes(address), end.address,
            sizeof(end.address));
  return end;
}

static struct sockets_end local_end(int fd) {
  struct address address = {.len = sizeof(address.in6)};
  getsockname(fd, &address.generic, &address.len);
  return print_address(&address);
}

static bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Makes a socket bound to address. Returns the descriptor or -errno. */
static int open_bound(enum sockets_family family, const struct address *address,
                      bool share_port) {
  int fd = socket(address->generic.sa_family,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0)
    return -errno;
  /* A port of the kernel's choice must not be one that a TIME_WAIT uses:
   * connect() might take that over (net.ipv4.tcp_tw_reuse 2). SYN_SENT and
   * SYN_RECV would end after one or two minutes. */
  if ((family != SOCKETS_IPV4 &&
       !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, family == SOCKETS_IPV6)) ||
      !set_option(fd, SOL_SOCKET, SO_REUSEADDR, address->in.sin_port != 0) ||
      !set_option(fd, SOL_SOCKET, SO_REUSEPORT, share_port) ||
      !set_option(fd, IPPROTO_TCP, TCP_SYNCNT, 127) ||
      bind(fd, &address->generic, address->len) < 0) {
    int err = -errno;
    close(fd);
    return err;
  }
  return fd;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int get_info(int fd, struct tcp_info *info) {
  socklen_t len = sizeof(*info);
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) < 0 ? -errno : 0;
}

static int await_state(int fd, int state) {
  int64_t give_up_ns = now_ns() + (int64_t)PATIENCE_MS * 1000000;
  for (;;) {
    struct tcp_info info = {0};
    int err = get_info(fd, &info);
    if (err < 0 || info.tcpi_state == state)
      return err;
    if (now_ns() > give_up_ns)
      return -ETIMEDOUT;
    poll(NULL, 0, 1);
  }
}

/* SO_ATTACH_FILTER would do as well, but some kernels allow that only with
 * CAP_NET_ADMIN. */
static int deafen(int fd) {
  if (set_option(fd, IPPROTO_IP, IP_MINTTL, 255) &&
      (set_option(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255) ||
       errno == ENOPROTOOPT)) /* an AF_INET socket */
    return 0;
  return -errno;
}

static int shut(int fd) { return shutdown(fd, SHUT_WR) < 0 ? -errno : 0; }

static int close_end(int *fd) {
  close(*fd);
  *fd = -1;
  return 0;
}

/* Closes with a reset, which ends the peer as well. */
static void reset(int fd) {
  if (fd < 0)
    return;
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd);
}

static int connect_client(struct pair *pair) {
  int rc = connect(pair->client, &pair->to->generic, pair->to->len);
  return rc < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int accept_server(struct pair *pair) {
  struct pollfd queue = {.fd = pair->listener, .events = POLLIN};
  if (poll(&queue, 1, PATIENCE_MS) == 0)
    return -ETIMEDOUT;
  pair->server = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
  return pair->server < 0 ? -errno : 0;
}

static int establish(struct pair *pair) {
  int err = connect_client(pair);
  return err < 0 ? err : accept_server(pair);
}

/* The SYN carries data, and with that the server's end is a full socket. */
static int fast_open_client(struct pair *pair) {
  ssize_t sent = sendto(pair->client, "x", 1, MSG_FASTOPEN, &pair->to->generic,
                        pair->to->len);
  return sent < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int await_fin_wait2(struct pair *pair) {
  /* Having read to the end, the server can be made to send at once the ACK
   * that it would delay to the next tick. */
  char end;
  recv(pair->server, &end, sizeof(end), MSG_DONTWAIT);
  set_option(pair->server, IPPROTO_TCP, TCP_QUICKACK, 1);
  return await_state(pair->client, TCP_FIN_WAIT2);
}

/* Sends until more is waiting than the peer's window has room for: that does
 * not grow while the peer does not read. */
static int fill(int fd) {
  static const char data[4096];
  if (!set_option(fd, SOL_SOCKET, SO_SNDBUF, 150000))
    return -errno;
  while (send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    ;
  return errno == EAGAIN ? 0 : -errno;
}

/* A minisocket has replaced the client's socket. */
static int await_time_wait(struct pair *pair) {
  return await_state(pair->client, TCP_CLOSE);
}

static int deafen_client(struct pair *pair) { return deafen(pair->client); }
static int deafen_server(struct pair *pair) { return deafen(pair->server); }
static int shut_client(struct pair *pair) { return shut(pair->client); }
static int shut_server(struct pair *pair) { return shut(pair->server); }
static int fill_client(struct pair *pair) { return fill(pair->client); }
static int fill_server(struct pair *pair) { return fill(pair->server); }
static int await_client(struct pair *pair) {
  return await_state(pair->client, TCP_ESTABLISHED);
}
static int close_client(struct pair *pair) { return close_end(&pair->client); }
static int close_server(struct pair *pair) { return close_end(&pair->server); }

/* CLOSING_ORPHANED leaves the server held: a deaf orphan cannot be reset. */
static const struct recipe recipes[SOCKETS_KINDS] = {
    [SOCKETS_LISTEN] = {"listen", 0, 0, {NULL}},
    [SOCKETS_BOUND] = {"bound", 0, 0, {NULL}},
    [SOCKETS_ESTABLISHED] = {"established",
                             TCP_ESTABLISHED,
                             TCP_ESTABLISHED,
                             {establish}},
    [SOCKETS_UNACCEPTED] = {"unaccepted",
                            TCP_ESTABLISHED,
                            TCP_ESTABLISHED,
                            {connect_client}},
    [SOCKETS_SYN] = {"syn",
                     TCP_SYN_SENT,
                     TCP_SYN_RECV,
                     {deafen_client, connect_client}},
    [SOCKETS_FAST_OPEN] = {"fast-open",
                           TCP_SYN_SENT,
                           TCP_SYN_RECV,
                           {deafen_client, fast_open_client, accept_server}},
    [SOCKETS_FIN_WAIT1_HELD] = {"fin-wait1-held",
                                TCP_FIN_WAIT1,
                                TCP_ESTABLISHED,
                                {establish, deafen_server, shut_client}},
    [SOCKETS_FIN_WAIT1_ORPHANED] = {"fin-wait1-orphaned",
                                    TCP_FIN_WAIT1,
                                    TCP_ESTABLISHED,
                                    {establish, deafen_server, close_client}},
    [SOCKETS_FIN_WAIT2_HELD] = {"fin-wait2-held",
                                TCP_FIN_WAIT2,
                                TCP_CLOSE_WAIT,
                                {establish, shut_client, await_fin_wait2}},
    [SOCKETS_FIN_WAIT2_ORPHANED] = {"fin-wait2-orphaned",
                                    TCP_FIN_WAIT2,
                                    TCP_CLOSE_WAIT,
                                    {establish, shut_client, await_fin_wait2,
                                     close_client}},
    [SOCKETS_TIME_WAIT] = {"time-wait",
                           TCP_TIME_WAIT,
                           0,
                           {establish, shut_client, await_fin_wait2,
                            close_server, await_time_wait, close_client}},
    [SOCKETS_FIN_WAIT1_FULL] = {"fin-wait1-full",
                                TCP_FIN_WAIT1,
                                TCP_ESTABLISHED,
                                {establish, fill_client, shut_client}},
    [SOCKETS_CLOSE_WAIT_FULL] = {"close-wait-full",
                                 TCP_FIN_WAIT2,
                                 TCP_CLOSE_WAIT,
                                 {establish, fill_server, shut_client}},
    [SOCKETS_CLOSE_WAIT_UNACCEPTED] = {"close-wait-unaccepted",
                                       TCP_FIN_WAIT2,
                                       TCP_CLOSE_WAIT,
                                       {connect_client, await_client,
                                        shut_client}},
    [SOCKETS_LAST_ACK_HELD] = {"last-ack-held",
                               TCP_FIN_WAIT2,
                               TCP_LAST_ACK,
                               {establish, shut_client, await_fin_wait2,
                                deafen_client, shut_server}},
    [SOCKETS_LAST_ACK_ORPHANED] = {"last-ack-orphaned",
                                   TCP_FIN_WAIT2,
                                   TCP_LAST_ACK,
                                   {establish, shut_client, await_fin_wait2,
                                    deafen_client, close_server}},
    [SOCKETS_CLOSING_HELD] = {"closing-held",
                              TCP_CLOSING,
                              TCP_FIN_WAIT1,
                              {establish, deafen_server, shut_client,
                               shut_server}},
    [SOCKETS_CLOSING_ORPHANED] = {"closing-orphaned",
                                  TCP_CLOSING,
                                  TCP_FIN_WAIT1,
                                  {establish, deafen_server, close_client,
                                   shut_server}},
};

const char *sockets_kind_name(enum sockets_kind kind) {
  return recipes[kind].name;
}

/* Room for everything beforehand: nothing made can fail to be entered. */
static int reserve(struct sockets *sockets, size_t added) {
  struct sockets_entry *entries =
      reallocarray(sockets->entries, sockets->len + added, sizeof(*entries));
  if (entries == NULL)
    return -ENOMEM;
  sockets->entries = entries;
  return 0;
}

static void add_entry(struct sockets *sockets,
                      const struct sockets_request *request, int state, int fd,
                      const struct sockets_end *local,
                      const struct sockets_end *remote, int64_t made_ns) {
  enum sockets_owner owner = SOCKETS_ORPHANED;
  if (fd >= 0)
    owner = SOCKETS_HELD;
  else if (state == TCP_TIME_WAIT || state == TCP_SYN_RECV ||
           state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT)
    owner = SOCKETS_NONE;
  sockets->entries[sockets->len++] = (struct sockets_entry){
      .kind = state == TCP_LISTEN ? SOCKETS_LISTEN : request->kind,
      .family = request->family,
      .asked_port = request->port,
      .state = state,
      .owner = owner,
      .local = *local,
      .remote = *remote,
      .made_ns = made_ns,
      .fd = fd,
  };
}

/* Makes a socket without a peer, in state TCP_LISTEN or TCP_CLOSE. */
static int make_single(struct sockets *sockets,
                       const struct sockets_request *request, int state,
                       const struct address *address) {
  int64_t made_ns = now_ns();
  int fd = open_bound(request->family, address, false);
  if (fd < 0)
    return fd;
  if (state == TCP_LISTEN && listen(fd, INT_MAX) < 0) {
    int err = -errno;
    close(fd);
    return err;
  }
  struct sockets_end local = local_end(fd);
  add_entry(sockets, request, state, fd, &local, &any[request->family],
            made_ns);
  return 0;
}

static int take_steps(const struct recipe *recipe, struct pair *pair) {
  int err = 0;
  for (size_t i = 0; recipe->steps[i] != NULL && err == 0; i++)
    err = recipe->steps[i](pair);
  if (err == 0 && pair->client >= 0)
    err = await_state(pair->client, recipe->client_state);
  if (err == 0 && pair->server >= 0)
    err = await_state(pair->server, recipe->server_state);
  return err;
}

static int make_pair(struct sockets *sockets,
                     const struct sockets_request *request,
                     const struct sockets_entry *listener,
                     const struct address *to, const struct address *from) {
  struct pair pair = {.to = to, .listener = listener->fd, .server = -1};
  pair.client = open_bound(request->family, from, false);
  if (pair.client < 0)
    return pair.client;
  struct sockets_end client = local_end(pair.client);
  struct sockets_end server = listener->local;
  const struct recipe *recipe = &recipes[request->kind];
  int64_t made_ns = now_ns();
  int err = take_steps(recipe, &pair);
  if (err < 0) {
    reset(pair.client);
    reset(pair.server);
    return err;
  }
  add_entry(sockets, request, recipe->client_state, pair.client, &client,
            &server, made_ns);
  if (recipe->server_state != 0)
    add_entry(sockets, request, recipe->server_state, pair.server, &server,
              &client, made_ns);
  return 0;
}

static bool was_made_as(const struct sockets_entry *entry,
                        enum sockets_kind kind, enum sockets_family family,
                        uint16_t port) {
  return entry->kind == kind && entry->family == family &&
         entry->asked_port == port;
}

static const struct sockets_entry *
find_listener(const struct sockets *sockets, enum sockets_family family,
              const struct sockets_end *local) {
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (was_made_as(entry, SOCKETS_LISTEN, family, local->port) &&
        strcmp(entry->local.address, local->address) == 0)
      return entry;
  }
  return NULL;
}

/* How many of kind wait in the listener's queues. */
static size_t count_queued(const struct sockets *sockets,
                           const struct sockets_entry *listener,
                           enum sockets_kind kind) {
  size_t count = 0;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    count += was_made_as(entry, kind, listener->family, listener->asked_port) &&
             strcmp(entry->local.address, listener->local.address) == 0 &&
             entry->owner == SOCKETS_NONE;
  }
  return count;
}

/* Those that accept() would return. */
static size_t count_unaccepted(const struct sockets *sockets,
                               const struct sockets_entry *listener) {
  return count_queued(sockets, listener, SOCKETS_UNACCEPTED) +
         count_queued(sockets, listener, SOCKETS_CLOSE_WAIT_UNACCEPTED);
}

/* What was reset before accept() would be returned by the next one. */
static void drain_queue(const struct sockets *sockets,
                        const struct sockets_entry *listener) {
  if (count_unaccepted(sockets, listener) > 0)
    return;
  int fd;
  while ((fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
    close(fd);
}

static int check_queues(const struct sockets *sockets,
                        const struct sockets_entry *listener,
                        const struct sockets_request *request) {
  if (request->kind != SOCKETS_SYN && request->kind != SOCKETS_UNACCEPTED &&
      request->kind != SOCKETS_CLOSE_WAIT_UNACCEPTED)
    return count_unaccepted(sockets, listener) > 0 ? -EBUSY : 0;
  /* Of a listener tcpi_sacked is the length of its queues. Beyond it the
   * kernel answers with SYN cookies, or not at all. */
  struct tcp_info info = {0};
  int err = get_info(listener->fd, &info);
  size_t queued = count_queued(sockets, listener, request->kind);
  if (err == 0 && queued + request->count > info.tcpi_sacked)
    err = -ENOBUFS;
  return err;
}

int sockets_make(struct sockets *sockets,
                 const struct sockets_request *request) {
  bool single = recipes[request->kind].client_state == 0;
  if (request->count == 0 || (single && request->client != NULL) ||
      (request->kind != SOCKETS_BOUND && request->port == 0) ||
      (request->kind == SOCKETS_LISTEN && request->count != 1))
    return -EINVAL;
  struct address to, from;
  int err = parse_address(request->family, request->server, request->port, &to);
  if (err == 0)
    err = parse_address(request->family, request->client, 0, &from);
  if (err == 0)
    err = reserve(sockets, 2 * (size_t)request->count + 1);
  if (err < 0)
    return err;

  if (request->kind == SOCKETS_BOUND) {
    for (unsigned int i = 0; i < request->count && err == 0; i++)
      err = make_single(sockets, request, TCP_CLOSE, &to);
    return err;
  }
  struct sockets_end server = print_address(&to);
  if (!single && strcmp(server.address, any[request->family].address) == 0)
    return -EADDRNOTAVAIL;
  const struct sockets_entry *listener =
      find_listener(sockets, request->family, &server);
  if (listener == NULL) {
    err = make_single(sockets, request, TCP_LISTEN, &to);
    if (err < 0)
      return err;
    listener = &sockets->entries[sockets->len - 1];
  }
  if (single)
    return 0;
  err = check_queues(sockets, listener, request);
  for (unsigned int i = 0; i < request->count && err == 0; i++)
    err = make_pair(sockets, request, listener, &to, &from);
  if (err < 0)
    drain_queue(sockets, listener);
  return err;
}

/* Ends a socket that neither end's descriptors reach, TIME_WAIT or a request
 * sock: it answers a new SYN from its peer's address and port with an ACK, and
 * that the sender of the SYN resets (RFC 9293, 3.5.1). */
static void end_half_open(const struct sockets *sockets,
                          const struct sockets_entry *entry) {
  struct address from, to;
  parse_address(entry->family, entry->remote.address, entry->remote.port,
                &from);
  parse_address(entry->family, entry->local.address, entry->local.port, &to);
  const struct sockets_entry *listener =
      find_listener(sockets, entry->family, &entry->remote);
  if (listener != NULL)
    set_option(listener->fd, SOL_SOCKET, SO_REUSEPORT, 1);
  int fd = open_bound(entry->family, &from, listener != NULL);
  if (fd >= 0) {
    connect(fd, &to.generic, to.len);
    reset(fd);
  }
  if (listener != NULL)
    set_option(listener->fd, SOL_SOCKET, SO_REUSEPORT, 0);
}

int sockets_release(struct sockets *sockets, enum sockets_kind kind,
                    enum sockets_family family, uint16_t port) {
  size_t found = 0;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (!was_made_as(entry, kind, family, port))
      continue;
    found++;
    if (kind == SOCKETS_LISTEN &&
        (count_unaccepted(sockets, entry) > 0 ||
         count_queued(sockets, entry, SOCKETS_SYN) > 0))
      return -EBUSY;
  }
  if (found == 0)
    return -ENOENT;

  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (was_made_as(entry, kind, family, port))
      reset(entry->fd);
  }
  /* A request sock may have just used up its ACK on a repeated SYN. */
  if (kind == SOCKETS_SYN)
    poll(NULL, 0, INVALID_RATELIMIT_MS);
  size_t kept = 0;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (!was_made_as(entry, kind, family, port))
      sockets->entries[kept++] = *entry;
    else if (kind == SOCKETS_SYN ? entry->state == TCP_SYN_RECV
                                 : entry->state == TCP_TIME_WAIT)
      end_half_open(sockets, entry);
  }
  sockets->len = kept;
  for (size_t i = 0; i < sockets->len; i++)
    if (was_made_as(&sockets->entries[i], SOCKETS_LISTEN, family, port))
      drain_queue(sockets, &sockets->entries[i]);
  return 0;
}

int sockets_keepalive(struct sockets *sockets, enum sockets_kind kind,
                      enum sockets_family family, uint16_t port, int seconds) {
  int err = -ENOENT;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (!was_made_as(entry, kind, family, port) || entry->fd < 0)
      continue;
    if (!set_option(entry->fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) ||
        !set_option(entry->fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds) ||
        !set_option(entry->fd, SOL_SOCKET, SO_KEEPALIVE, 1))
      return -errno;
    err = 0;
  }
  return err;
}

int sockets_talk(struct sockets *sockets, enum sockets_kind kind,
                 enum sockets_family family, uint16_t port) {
  int err = -ENOENT;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    if (!was_made_as(entry, kind, family, port) || entry->fd < 0)
      continue;
    char data[64] = "x";
    if (entry->state == TCP_CLOSE_WAIT &&
        send(entry->fd, data, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      return -errno;
    while (entry->state == TCP_FIN_WAIT2 &&
           recv(entry->fd, data, sizeof(data), MSG_DONTWAIT) > 0)
      ;
    err = 0;
  }
  return err;
}

int sockets_close_all(struct sockets *sockets) {
  while (sockets->len > 0) {
    /* A listener comes before all that it queues, so one of these is free. */
    const struct sockets_entry *entry = &sockets->entries[sockets->len - 1];
    while (sockets_release(sockets, entry->kind, entry->family,
                           entry->asked_port) == -EBUSY)
      entry--;
  }
  free(sockets->entries);
  *sockets = (struct sockets){0};
  return 0;
}
