/* SPDX-License-Identifier: MIT */
/* How long a connection on the busiest port takes while a reader reads: the
 * kernel's walks hold locks that connect(), accept() and close() need, and
 * wait for no one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Between two connections: time for all else that runs on this CPU. */
#define PAUSE_NS 50000
#define MAX_DESCRIPTOR 4096

static const char usage[] =
    "usage: stalls PID PORT COMMAND [ARGUMENT...]\n"
    "Runs the command on the second CPU. Meanwhile it makes one connection\n"
    "after the other on the first, to the listener on PORT of the process "
    "PID,\n"
    "by connect(), accept() and close(); a reset ends each, so none is left.\n"
    "Prints how many there were, and how long they took.\n"
    "Takes real-time priority where it may: or it measures who else runs.\n"
    "Needs CAP_SYS_PTRACE over PID, for its listener.\n"
    "exit status: 0; 1 it could not be measured, or the command ended before; "
    "2 usage\n";

/* By the clock, and on the CPU: while it waits for a lock of the kernel a
 * thread spins, and nothing else is in the latter. */
enum { BY_CLOCK, ON_CPU, KINDS };

struct samples {
  uint32_t *ns[KINDS];
  size_t num, room;
};

static bool listens(int fd, uint16_t port) {
  struct sockaddr_in local = {0};
  socklen_t length = sizeof(local);
  int listening = 0;
  socklen_t listening_length = sizeof(listening);
  return getsockname(fd, (struct sockaddr *)&local, &length) == 0 &&
         local.sin_family == AF_INET && ntohs(local.sin_port) == port &&
         getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
                    &listening_length) == 0 &&
         listening != 0;
}

/* Returns a copy of the process's listener, or -errno. */
static int listener_of(pid_t pid, uint16_t port) {
  int process = (int)syscall(SYS_pidfd_open, pid, 0);
  if (process < 0)
    return -errno;
  int found = -ENOENT;
  for (int number = 0; number < MAX_DESCRIPTOR && found == -ENOENT; number++) {
    int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    if (fd < 0 && errno != EBADF)
      found = -errno;
    else if (fd >= 0 && listens(fd, port))
      found = fd;
    else if (fd >= 0)
      close(fd);
  }
  close(process);
  return found;
}

static int64_t now_ns(int kind) {
  struct timespec now = {0};
  clock_gettime(kind == BY_CLOCK ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID,
                &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Returns 0 and how long it took, or -errno. */
static int connect_once(int listener, const struct sockaddr_in *server,
                        int64_t ns[KINDS]) {
  const struct linger at_once = {.l_onoff = 1};
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client < 0)
    return -errno;
  setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  for (int kind = 0; kind < KINDS; kind++)
    ns[kind] = -now_ns(kind);
  int accepted = -1, err = 0;
  if (connect(client, (const struct sockaddr *)server, sizeof(*server)) != 0 ||
      (accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
    err = -errno;
  close(client);
  if (accepted >= 0)
    close(accepted);
  for (int kind = 0; kind < KINDS; kind++)
    ns[kind] += now_ns(kind);
  return err;
}

static int make_room(struct samples *samples) {
  size_t room = samples->room * 2 + 65536;
  for (int kind = 0; kind < KINDS; kind++) {
    uint32_t *grown = realloc(samples->ns[kind], room * sizeof(*grown));
    if (grown == NULL)
      return -ENOMEM;
    samples->ns[kind] = grown;
  }
  samples->room = room;
  return 0;
}

static int add(struct samples *samples, const int64_t ns[KINDS]) {
  int err = samples->num < samples->room ? 0 : make_room(samples);
  if (err != 0)
    return err;
  for (int kind = 0; kind < KINDS; kind++)
    samples->ns[kind][samples->num] =
        ns[kind] < UINT32_MAX ? (uint32_t)ns[kind] : UINT32_MAX;
  samples->num++;
  return 0;
}

static int connect_on(int listener, pid_t command, time_t seconds,
                      struct samples *samples) {
  struct sockaddr_in server = {0};
  socklen_t length = sizeof(server);
  getsockname(listener, (struct sockaddr *)&server, &length);
  int64_t end = now_ns(BY_CLOCK) + (int64_t)seconds * 1000000000;
  while (now_ns(BY_CLOCK) < end) {
    int64_t ns[KINDS] = {0};
    int err = connect_once(listener, &server, ns);
    if (err == 0)
      err = add(samples, ns);
    if (err == 0 && waitpid(command, NULL, WNOHANG) != 0)
      err = -ECHILD;
    if (err < 0)
      return err;
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
  }
  return 0;
}

/* The number'th CPU that this process may run on; the last where there are
 * fewer. */
static void pin(const cpu_set_t *allowed, int number) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE && seen <= number; cpu++)
    if (CPU_ISSET(cpu, allowed)) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      seen++;
    }
  sched_setaffinity(0, sizeof(one), &one);
}

static int compare(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return (left > right) - (left < right);
}

static void print(struct samples *samples) {
  static const char *const prefix[KINDS] = {"", "cpu_"};
  size_t num = samples->num;
  printf("connections %zu\n", num);
  for (int kind = 0; kind < KINDS; kind++) {
    const uint32_t *ns = samples->ns[kind];
    qsort(samples->ns[kind], num, sizeof(*ns), compare);
    printf("%sp50_ns %" PRIu32 "\n", prefix[kind], ns[num / 2]);
    printf("%sp999_ns %" PRIu32 "\n", prefix[kind],
           ns[(num * 999 + 999) / 1000 - 1]);
    printf("%smax_ns %" PRIu32 "\n", prefix[kind], ns[num - 1]);
  }
}

static int measure(int listener, time_t seconds, char **command,
                   struct samples *samples) {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  pid_t pid = fork();
  if (pid < 0)
    return -errno;
  if (pid == 0) {
    setpgid(0, 0);
    pin(&allowed, 1);
    execvp(command[0], command);
    _exit(127);
  }
  setpgid(pid, pid);
  pin(&allowed, 0);
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  int err = connect_on(listener, pid, seconds, samples);
  kill(-pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return err == 0 && samples->num == 0 ? -ENODATA : err;
}

int main(int argc, char **argv) {
  unsigned long pid = argc > 4 ? strtoul(argv[1], NULL, 10) : 0;
  unsigned long port = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
  unsigned long seconds = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (pid == 0 || port == 0 || port > UINT16_MAX || seconds == 0) {
    fputs(usage, stderr);
    return 2;
  }
  int listener = listener_of((pid_t)pid, (uint16_t)port);
  if (listener < 0) {
    fprintf(stderr, "stalls: no listener on port %lu of process %lu: %s\n",
            port, pid, strerror(-listener));
    return 1;
  }
  struct samples samples = {.num = 0};
  int err = measure(listener, (time_t)seconds, argv + 4, &samples);
  if (err < 0)
    fprintf(stderr, "stalls: %s: %s\n", argv[4],
            err == -ECHILD ? "it has ended" : strerror(-err));
  else
    print(&samples);
  for (int kind = 0; kind < KINDS; kind++)
    free(samples.ns[kind]);
  return err < 0;
}
