/* SPDX-License-Identifier: MIT */
/* Opens and closes connections on loopback, as fast as it can or this many a
 * second, for tests that count meanwhile. At most CHURN_PAIRS connections are
 * there at a time. Prints how many it has made for each line of standard input,
 * and ends with that. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHURN_PAIRS 32
#define PATIENCE_S 30

struct pair {
  int client;
  int server;
};

static void fail(const char *what) {
  /* What SO_RCVTIMEO makes of accept(), and SO_SNDTIMEO of connect() */
  if (errno == EAGAIN || errno == EINPROGRESS)
    fprintf(stderr, "churn: %s: nothing came for %d s\n", what, PATIENCE_S);
  else
    fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void limit_time(int fd) {
  const struct timeval limit = {.tv_sec = PATIENCE_S};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
    fail("setsockopt");
}

/* Each way to end a connection in turn. */
static void end_pair(const struct pair *pair, unsigned long made) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  if (made % 4 == 0)
    setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  bool server_first = made % 4 == 1;
  close(server_first ? pair->server : pair->client);
  close(server_first ? pair->client : pair->server);
}

/* Of 250 addresses in turn, so that TIME_WAIT does not use up the ports. */
static struct pair open_pair(int listener, uint16_t port, unsigned long made) {
  const struct sockaddr_in to = {
      .sin_family = AF_INET,
      .sin_port = htons(port),
      .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(made % 250 << 8)),
  };
  struct pair pair = {.client = socket(AF_INET, SOCK_STREAM, 0)};
  if (pair.client < 0)
    fail("socket");
  limit_time(pair.client);
  if (connect(pair.client, (const struct sockaddr *)&to, sizeof(to)) != 0)
    fail("connect");
  pair.server = accept(listener, NULL, NULL);
  if (pair.server < 0)
    fail("accept");
  return pair;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* How long to wait before the next one, in ms. */
static int pause_ms(int64_t start_ns, unsigned long made,
                    unsigned long per_second) {
  if (per_second == 0)
    return 0;
  int64_t due_ns =
      start_ns + (int64_t)((double)made * 1e9 / (double)per_second);
  int64_t left_ns = due_ns - now_ns();
  return left_ns > 0 ? (int)(left_ns / 1000000) : 0;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fputs("usage: churn PORT [CONNECTIONS_PER_SECOND]\n", stderr);
    return 2;
  }
  unsigned long per_second = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  struct sockaddr_in any = {.sin_family = AF_INET,
                            .sin_port =
                                htons((uint16_t)strtoul(argv[1], NULL, 10))};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 ||
      bind(listener, (const struct sockaddr *)&any, sizeof(any)) != 0 ||
      listen(listener, CHURN_PAIRS) != 0)
    fail("listen");
  limit_time(listener);

  struct pair pairs[CHURN_PAIRS];
  int64_t start_ns = now_ns();
  for (unsigned long made = 0;; made++) {
    struct pair *pair = &pairs[made % CHURN_PAIRS];
    if (made >= CHURN_PAIRS)
      end_pair(pair, made);
    *pair = open_pair(listener, ntohs(any.sin_port), made);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, pause_ms(start_ns, made, per_second)) <= 0)
      continue;
    char line[64];
    if (fgets(line, sizeof(line), stdin) == NULL)
      return 0;
    printf("%lu\n", made);
    fflush(stdout);
  }
}
