/* SPDX-License-Identifier: MIT */
/* Makes the many sockets that bench.sh measures readers with, and
 * hostile_sockets.sh looks at. Their peers do
 * not exist: TCP_REPAIR makes a connection without a handshake, and what a peer
 * would send is injected. So the namespace holds one half of each connection
 * and nothing else. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/ip.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCAL_ADDRESS 0x7f000001 /* 127.0.0.1 */
#define PEERS 0x0a000000         /* 10.0.0.0/8 */
#define PORTS_PER_PEER 50000
#define FIRST_PEER_PORT 10000

#define MAIN_PORT 8500 /* holds 95 % */
#define FIRST_PORT 8000
#define PORTS 1000 /* that hold the rest, MAIN_PORT not among them */
#define RARE_PORT 7000
#define MAX_RARE 30 /* of each kind and family */

/* Every connection has the same sequence numbers: nothing is ever sent on. */
#define OUR_SEQ 1000
#define PEER_SEQ 5000
#define WINDOW 65535

/* Much longer than the softirqs of a loaded machine can be late. */
#define FIN_TIMEOUT_MS 30000

#define SPARE_DESCRIPTORS 16

static const char usage[] =
    "usage: mass_sockets MIX SOCKETS [DIRECTORY NUMBER]\n"
    "Fills the network namespace that it runs in, prints `ready', and removes\n"
    "all at the end of standard input. Any line of it renews the TIME_WAIT\n"
    "sockets, which last 60 s, or sends the SYNs again, and is answered with\n"
    "`ready'.\n"
    "MIX: server, timewait, closewait or synrecv: 95 % in ESTABLISHED,\n"
    "TIME_WAIT, CLOSE_WAIT or SYN_RECV on local port 8500; spread: in\n"
    "ESTABLISHED on 8000 to 8999. SYN_RECV needs net.ipv4.tcp_syncookies 0,\n"
    "and a third more than there are in net.core.somaxconn and\n"
    "net.ipv4.tcp_max_syn_backlog.\n"
    "The rest is ESTABLISHED on 8000 to 8999, and some in rare states; plain:\n"
    "as server, without those.\n"
    "With DIRECTORY, of the control groups, the connections belong to NUMBER\n"
    "groups in it, s0.service and so on, that are made and removed: the 95 %\n"
    "to the first, the others to the rest; of spread evenly to all.\n"
    "Needs lo to be up with a route to 10.0.0.0/8, and CAP_NET_ADMIN.\n"
    "exit status: 0; 1 the sockets could not be made; 2 usage\n";

enum mix {
  MIX_SERVER,
  MIX_TIMEWAIT,
  MIX_CLOSEWAIT,
  MIX_SYNRECV,
  MIX_SPREAD,
  MIX_PLAIN,
  MIXES
};

static const char *const mix_names[MIXES] = {"server",  "timewait", "closewait",
                                             "synrecv", "spread",   "plain"};

/* The connections that have no peer, and which of them one process makes. */
struct share {
  enum mix mix;
  unsigned int main; /* this many, the first, are on MAIN_PORT */
  unsigned int first, end, total;
  const char *groups; /* the directory of the control groups; or NULL */
  unsigned int groups_num;
  int raw;
  int *fds; /* from first on; 0: none */
};

struct segment {
  struct iphdr ip;
  struct tcphdr tcp;
};

static struct sockaddr_in address(uint32_t host, uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(host)};
}

static struct sockaddr_in local_of(const struct share *share, unsigned int i) {
  if (i < share->main && share->mix != MIX_SPREAD)
    return address(LOCAL_ADDRESS, MAIN_PORT);
  uint16_t port = (uint16_t)(FIRST_PORT + i % PORTS);
  return address(LOCAL_ADDRESS, port == MAIN_PORT ? FIRST_PORT : port);
}

static struct sockaddr_in peer_of(unsigned int i) {
  return address(PEERS + 1 + i / PORTS_PER_PEER,
                 (uint16_t)(FIRST_PEER_PORT + i % PORTS_PER_PEER));
}

/* Both addresses are right before the TCP header. */
static uint16_t tcp_checksum(const struct segment *segment) {
  uint32_t sum = IPPROTO_TCP + sizeof(segment->tcp);
  const unsigned char *end = (const unsigned char *)(segment + 1);
  for (const unsigned char *at = (const unsigned char *)&segment->ip.saddr;
       at < end; at += 2)
    sum += (uint32_t)at[0] << 8 | at[1];
  sum = (sum & 0xffff) + (sum >> 16);
  sum += sum >> 16;
  return htons((uint16_t)~sum);
}

/* Sends what the peer of connection i would send. Over lo it has been received
 * when sendto() returns, or a moment later when ksoftirqd has to do it. */
static int inject(const struct share *share, unsigned int i, uint8_t flags,
                  uint32_t seq, uint32_t ack) {
  struct sockaddr_in local = local_of(share, i), peer = peer_of(i);
  struct segment segment = {
      .ip = {.version = 4,
             .ihl = sizeof(segment.ip) / 4,
             .ttl = 64,
             .protocol = IPPROTO_TCP,
             .saddr = peer.sin_addr.s_addr,
             .daddr = local.sin_addr.s_addr},
      .tcp = {.th_sport = peer.sin_port,
              .th_dport = local.sin_port,
              .th_seq = htonl(seq),
              .th_ack = htonl(ack),
              .th_off = sizeof(segment.tcp) / 4,
              .th_flags = flags,
              .th_win = htons(WINDOW)},
  };
  segment.tcp.th_sum = tcp_checksum(&segment);
  ssize_t sent = sendto(share->raw, &segment, sizeof(segment), 0,
                        (struct sockaddr *)&local, sizeof(local));
  return sent < 0 ? -errno : 0;
}

static bool set_tcp(int fd, int option, int value) {
  return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) == 0;
}

/* Of linux/tcp.h, which a C library's netinet/tcp.h need not have. */
enum { RECV_QUEUE = 1, SEND_QUEUE = 2 };

/* See tcp_connect() and do_tcp_setsockopt() in net/ipv4/tcp_output.c and tcp.c:
 * in repair mode connect() sends nothing and is done at once. */
static bool connect_alone(int fd, const struct sockaddr_in *local,
                          const struct sockaddr_in *peer) {
  const struct tcp_repair_window window = {.snd_wl1 = PEER_SEQ,
                                           .snd_wnd = WINDOW,
                                           .max_window = WINDOW,
                                           .rcv_wnd = WINDOW,
                                           .rcv_wup = PEER_SEQ};
  const struct linger at_once = {.l_onoff = 1};
  return set_tcp(fd, TCP_REPAIR, TCP_REPAIR_ON) &&
         set_tcp(fd, TCP_REPAIR_QUEUE, SEND_QUEUE) &&
         set_tcp(fd, TCP_QUEUE_SEQ, OUR_SEQ) &&
         set_tcp(fd, TCP_REPAIR_QUEUE, RECV_QUEUE) &&
         set_tcp(fd, TCP_QUEUE_SEQ, PEER_SEQ) &&
         bind(fd, (const struct sockaddr *)local, sizeof(*local)) == 0 &&
         connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) == 0 &&
         setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window,
                    sizeof(window)) == 0 &&
         set_tcp(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) &&
         setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0;
}

static bool is_time_wait(const struct share *share, unsigned int i) {
  return share->mix == MIX_TIMEWAIT && i < share->main;
}

static bool is_syn_recv(const struct share *share, unsigned int i) {
  return share->mix == MIX_SYNRECV && i < share->main;
}

static unsigned int group_of(const struct share *share, unsigned int i) {
  if (share->mix == MIX_SPREAD)
    return (unsigned int)((uint64_t)i * share->groups_num / share->total);
  if (i < share->main || share->groups_num == 1)
    return 0;
  return 1 +
         (unsigned int)((uint64_t)(i - share->main) * (share->groups_num - 1) /
                        (share->total - share->main));
}

static void group_path(char path[PATH_MAX], const struct share *share,
                       unsigned int group, const char *file) {
  snprintf(path, PATH_MAX, "%s/s%u.service%s", share->groups, group, file);
}

/* A socket belongs to the control group that its maker is in when it makes it.
 */
static int enter_group(const struct share *share, unsigned int group) {
  char path[PATH_MAX];
  group_path(path, share, group, "/cgroup.procs");
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  int err = write(fd, "0", 1) == 1 ? 0 : -errno;
  close(fd);
  return err;
}

/* Reads the peer's FIN as a program that leaks the socket: unread, it takes TCP
 * memory. */
static int read_end(int fd) {
  struct pollfd end = {.fd = fd, .events = POLLIN};
  int ready = poll(&end, 1, FIN_TIMEOUT_MS);
  if (ready == 0)
    return -ETIMEDOUT;
  char byte;
  return ready < 0 || recv(fd, &byte, 1, 0) < 0 ? -errno : 0;
}

static int make_one(struct share *share, unsigned int i) {
  if (is_syn_recv(share, i))
    return inject(share, i, TH_SYN, PEER_SEQ, 0);
  int *fd = &share->fds[i - share->first];
  *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (*fd < 0)
    return -errno;
  struct sockaddr_in local = local_of(share, i), peer = peer_of(i);
  if (!connect_alone(*fd, &local, &peer))
    return -errno;
  if (share->mix == MIX_CLOSEWAIT && i < share->main) {
    int err = inject(share, i, TH_FIN | TH_ACK, PEER_SEQ, OUR_SEQ);
    return err == 0 ? read_end(*fd) : err;
  }
  if (!is_time_wait(share, i))
    return 0;
  setsockopt(*fd, SOL_SOCKET, SO_LINGER, &(struct linger){0},
             sizeof(struct linger));
  close(*fd);
  *fd = 0;
  return inject(share, i, TH_FIN | TH_ACK, PEER_SEQ, OUR_SEQ + 1);
}

static int make_share(struct share *share) {
  share->raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (share->raw < 0)
    return -errno;
  share->fds = calloc(share->end - share->first + 1, sizeof(*share->fds));
  int err = share->fds == NULL ? -ENOMEM : 0;
  for (unsigned int i = share->first; i < share->end && err == 0; i++) {
    if (share->groups != NULL &&
        (i == share->first || group_of(share, i) != group_of(share, i - 1)))
      err = enter_group(share, group_of(share, i));
    if (err == 0)
      err = make_one(share, i);
  }
  return err;
}

/* A bare ACK within the window restarts the 60 s of a TIME_WAIT, a reset
 * ends it: tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c. A SYN that
 * comes again is answered again, and a reset ends the request sock:
 * tcp_check_req() there. */
static int inject_all(const struct share *share, bool end) {
  int err = 0;
  for (unsigned int i = share->first; i < share->end && err == 0; i++)
    if (is_time_wait(share, i))
      err = inject(share, i, end ? TH_RST : TH_ACK, PEER_SEQ + 1, OUR_SEQ + 1);
    else if (is_syn_recv(share, i))
      err = end ? inject(share, i, TH_RST, PEER_SEQ + 1, 0)
                : inject(share, i, TH_SYN, PEER_SEQ, 0);
  return err;
}

static void end_share(struct share *share) {
  inject_all(share, true);
  for (unsigned int i = 0; i < share->end - share->first; i++)
    if (share->fds[i] > 0)
      close(share->fds[i]);
}

static void work(struct share *share, int commands, int answers) {
  int err = make_share(share);
  char command;
  while (write(answers, &err, sizeof(err)) == sizeof(err) && err == 0 &&
         read(commands, &command, 1) > 0)
    err = inject_all(share, false);
  if (share->fds != NULL)
    end_share(share);
}

/* Into commands[num] go a byte: renew; the end: remove all. */
static int start_worker(int *commands, size_t num, struct share *share,
                        int answers) {
  int ends[2];
  if (pipe(ends) < 0)
    return -errno;
  commands[num] = ends[1];
  pid_t pid = fork();
  if (pid == 0) {
    /* A worker learns from the end of its pipe that the parent has gone. */
    for (size_t i = 0; i <= num; i++)
      close(commands[i]);
    work(share, ends[0], answers);
    _exit(0);
  }
  close(ends[0]);
  return pid < 0 ? -errno : 0;
}

static int await_answers(int fd, size_t num) {
  int result = 0, err = 0;
  for (size_t i = 0; i < num; i++) {
    if (read(fd, &err, sizeof(err)) != sizeof(err))
      return -EPIPE;
    result = err != 0 ? err : result;
  }
  return result;
}

static int make_rare(struct sockets *rare, unsigned int num) {
  static const enum sockets_kind kinds[] = {
      SOCKETS_FIN_WAIT1_HELD, SOCKETS_FIN_WAIT2_HELD, SOCKETS_LAST_ACK_HELD,
      SOCKETS_BOUND};
  for (size_t i = 0; num > 0 && i < sizeof(kinds) / sizeof(*kinds); i++)
    for (int family = SOCKETS_IPV4; family <= SOCKETS_IPV6; family++) {
      const struct sockets_request request = {
          .kind = kinds[i],
          .family = (enum sockets_family)family,
          .port = kinds[i] == SOCKETS_BOUND ? 0 : RARE_PORT,
          .count = num,
      };
      int err = sockets_make(rare, &request);
      if (err != 0)
        return err;
    }
  return 0;
}

/* Makes them, or removes those that are there. */
static int change_groups(const struct share *share, bool make) {
  int err = 0;
  for (unsigned int i = 0; i < share->groups_num; i++) {
    char path[PATH_MAX];
    group_path(path, share, i, "");
    if ((make ? mkdir(path, 0755) : rmdir(path)) != 0)
      err = -errno;
  }
  return err;
}

/* Those without peer are made in num processes, then those in rare states. */
static int run(struct share all, int *commands, size_t num,
               struct sockets *rare, unsigned int rare_num) {
  int answers[2];
  if (pipe(answers) < 0)
    return -errno;
  const struct sockets_request listener = {.kind = SOCKETS_LISTEN,
                                           .family = SOCKETS_IPV4,
                                           .port = MAIN_PORT,
                                           .count = 1};
  int err = sockets_make(rare, &listener);
  size_t started = 0;
  for (; started < num && err == 0; started++) {
    struct share share = all;
    share.first = (unsigned int)((uint64_t)all.end * started / num);
    share.end = (unsigned int)((uint64_t)all.end * (started + 1) / num);
    err = start_worker(commands, started, &share, answers[1]);
  }
  close(answers[1]);
  if (err == 0)
    err = await_answers(answers[0], num);
  if (err == 0)
    err = make_rare(rare, rare_num);
  int c = 0;
  while (err == 0) {
    puts("ready");
    fflush(stdout);
    while ((c = getchar()) != '\n' && c != EOF)
      continue;
    if (c == EOF)
      break;
    for (size_t i = 0; i < num; i++)
      if (write(commands[i], "", 1) != 1)
        err = -EPIPE;
    if (err == 0)
      err = await_answers(answers[0], num);
  }
  while (started > 0)
    close(commands[--started]);
  while (wait(NULL) > 0)
    continue;
  return err;
}

int main(int argc, char **argv) {
  enum mix mix = 0;
  char *end = NULL;
  bool grouped = argc == 5;
  unsigned long num = argc == 3 || grouped ? strtoul(argv[2], &end, 10) : 0;
  unsigned long groups = grouped ? strtoul(argv[4], NULL, 10) : 0;
  while (num > 0 && mix < MIXES && strcmp(argv[1], mix_names[mix]) != 0)
    mix++;
  if (num < 100 || num > 100000000 || mix == MIXES || *end != '\0' ||
      (grouped && (groups == 0 || groups > 100000))) {
    fputs(usage, stderr);
    return 2;
  }
  /* The end of a Ctrl-C is that of standard input. */
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  sockets_raise_limit();
  struct rlimit files = {0};
  getrlimit(RLIMIT_NOFILE, &files);

  unsigned int others = (unsigned int)num / 20;
  unsigned int rare_num = others / 20 < MAX_RARE ? others / 20 : MAX_RARE;
  if (mix == MIX_PLAIN)
    rare_num = 0;
  /* 7 of each family, their listeners, and that of MAIN_PORT */
  unsigned int known = 14 * rare_num + (rare_num > 0 ? 2 : 0) + 1;
  struct share all = {.mix = mix, .main = (unsigned int)num - others};
  all.end = all.total = (unsigned int)num - known;
  if (grouped) {
    all.groups = argv[3];
    all.groups_num = (unsigned int)groups;
  }

  size_t per_worker = files.rlim_cur - SPARE_DESCRIPTORS;
  size_t workers_num = all.end / per_worker + 2;
  int *commands = calloc(workers_num, sizeof(*commands));
  struct sockets rare = {0};
  int err = commands == NULL ? -ENOMEM : change_groups(&all, true);
  if (err == 0)
    err = run(all, commands, workers_num, &rare, rare_num);
  sockets_close_all(&rare);
  change_groups(&all, false);
  free(commands);
  if (err != 0)
    fprintf(stderr, "mass_sockets: the sockets could not be made: %s\n",
            strerror(-err));
  return err != 0;
}
