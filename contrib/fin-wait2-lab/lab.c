/* SPDX-License-Identifier: MIT */
/* Both ends of the experiment, in a network namespace of their own: a server
 * that accepts and does not close, and clients that close or only shut down.
 * run.sh writes commands to stdin and reads one line for each from stdout:
 *
 *   timeout T  set tcp_fin_timeout to T seconds                -> ok
 *   make N     N clients close, N others only shut down        -> epoch, ms
 *   look       how long the orphans of make were there (0: they still are),
 *              how many sockets are held, how long since make,
 *              when after it orphans were last seen       -> MS HELD MS MS
 *   end        the server closes everything, then the clients  -> ok
 *   close N    N more clients close                            -> CLOSED RESET
 *
 * CLOSED counts these, RESET those of them whose server was reset. At its start
 * it says ok; it ends with stdin, or with status 1 and a line on stderr. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 20, MAX_SOCKETS = 8192 };

struct sockets {
  int fd[MAX_SOCKETS];
  int count;
};

static struct sockets served, held, closing;
static struct sockaddr_in address = {.sin_family = AF_INET};
static int listener, num_closed;
static long long made, gone; /* monotonic, ms; 0: not yet */
/* When the last reading began that has found orphans: where the machine has
 * many sockets, it is long until the next one has found none. */
static long long seen;

static void fail(const char *what) {
  fprintf(stderr, "lab: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long long now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void raise_loopback(void) {
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
    fail("cannot bring up the namespace's loopback device");
  close(fd);
}

static void start_server(void) {
  socklen_t length = sizeof(address);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || listen(listener, 16) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &length) != 0)
    fail("cannot listen");
}

static void sockets_add(struct sockets *to, int fd) {
  if (to->count == MAX_SOCKETS)
    errno = ENOBUFS;
  if (fd < 0 || to->count == MAX_SOCKETS)
    fail("cannot make another connection");
  to->fd[to->count++] = fd;
}

static void sockets_close(struct sockets *of) {
  for (int i = 0; i < of->count; i++)
    close(of->fd[i]);
  of->count = 0;
}

static void connect_client(struct sockets *to) {
  int client = socket(AF_INET, SOCK_STREAM, 0);
  sockets_add(to, client);
  if (connect(client, (struct sockaddr *)&address, sizeof(address)) != 0)
    fail("cannot connect");
  sockets_add(&served, accept(listener, NULL, NULL));
}

/* /proc/net/tcp has minisockets as well, and inode 0 for what nobody owns. */
static int count_orphaned(int *num_held) {
  FILE *file = fopen("/proc/net/tcp", "r");
  if (file == NULL)
    fail("/proc/net/tcp");
  int num_orphaned = 0;
  *num_held = 0;
  char line[512];
  while (fgets(line, sizeof(line), file) != NULL) {
    unsigned state;
    unsigned long inode;
    int got =
        sscanf(line, "%*s %*s %*s %x %*s %*s %*s %*s %*s %lu", &state, &inode);
    if (got == 2 && state == 5)
      ++*(inode == 0 ? &num_orphaned : num_held);
  }
  fclose(file);
  return num_orphaned;
}

static void set_timeout(int seconds) {
  FILE *file = fopen("/proc/sys/net/ipv4/tcp_fin_timeout", "w");
  if (file == NULL || fprintf(file, "%d\n", seconds) < 0 || fclose(file) != 0)
    fail("cannot set tcp_fin_timeout in the namespace");
  puts("ok");
}

static void make(int count) {
  for (int i = 0; i < count; i++) {
    connect_client(&held);
    connect_client(&closing);
  }
  for (int i = 0; i < count; i++)
    shutdown(held.fd[i], SHUT_WR);
  /* Taken before the closes: no orphan can seem to end too early. */
  made = now_ms(CLOCK_MONOTONIC);
  gone = 0;
  seen = made;
  printf("%lld\n", now_ms(CLOCK_REALTIME));
  sockets_close(&closing);
}

static void look(void) {
  int num_held;
  count_orphaned(&num_held);
  printf("%lld %d %lld %lld\n", gone == 0 ? 0 : gone - made, num_held,
         now_ms(CLOCK_MONOTONIC) - made, seen - made);
}

/* A held socket gets its FIN and goes; closed first, it would be orphaned. */
static void end(void) {
  sockets_close(&served);
  sockets_close(&held);
  made = 0;
  puts("ok");
}

static void close_more(int count) {
  for (int i = 0; i < count; i++) {
    connect_client(&closing);
    sockets_close(&closing);
    num_closed++;
  }
  int num_reset = 0;
  for (int i = 0; i < served.count; i++) {
    struct pollfd server = {.fd = served.fd[i]};
    num_reset += poll(&server, 1, 0) == 1 && (server.revents & POLLERR) != 0;
  }
  printf("%d %d\n", num_closed, num_reset);
}

static void obey(const char *line) {
  int number;
  if (sscanf(line, "timeout %d", &number) == 1)
    set_timeout(number);
  else if (sscanf(line, "make %d", &number) == 1)
    make(number);
  else if (sscanf(line, "close %d", &number) == 1)
    close_more(number);
  else if (strcmp(line, "look\n") == 0)
    look();
  else
    end();
}

int main(void) {
  raise_loopback();
  start_server();
  setvbuf(stdin, NULL, _IONBF, 0);
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ok");
  for (;;) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];
    if (poll(&input, 1, made != 0 && gone == 0 ? LOOK_EVERY_MS : -1) == 1) {
      if (fgets(line, sizeof(line), stdin) == NULL)
        return 0;
      obey(line);
      continue;
    }
    int num_held;
    /* They may have gone while the table was read, which takes long where the
     * machine has many sockets: the end of that is never too early. */
    long long begun = now_ms(CLOCK_MONOTONIC);
    if (count_orphaned(&num_held) == 0)
      gone = now_ms(CLOCK_MONOTONIC);
    else
      seen = begun;
  }
}
