/* SPDX-License-Identifier: MIT */
/* Asks containers for their host names, for service_names.c and stuck.c. */
#include "hostname.h"

#include "number.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What the thread works on. */
struct work {
  const char *mount;
  const char *proc;
  struct hostname_ask *asks;
  size_t num;
  /* Of the caller */
  struct stat own;
  struct utsname host;
};

/* The control groups to search for a process, breadth first: what a container
 * makes itself, including containers in it, is below the others. */
struct places {
  char path[HOSTNAME_DIRECTORIES][2 * CGROUP_PATH_SIZE];
  size_t num;
};

/* The first process of a control group; 0: none that is seen here. */
static uint64_t first_process(const char *directory) {
  char text[2 * CGROUP_PATH_SIZE + sizeof("/cgroup.procs")];
  snprintf(text, sizeof(text), "%s/cgroup.procs", directory);
  int fd = open(text, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  ssize_t len = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[len > 0 ? len : 0] = '\0';
  /* It is 0 in another PID namespace. A number that is cut has no newline. */
  uint64_t pid = 0;
  const char *pos = text;
  for (const char *end; pid == 0 && (end = strchr(pos, '\n')) != NULL;
       pos = end + 1)
    if (number_parse(pos, (size_t)(end - pos), UINT32_MAX, &pid) != 0)
      break;
  return pid;
}

static void add_below(struct places *places, const char *directory) {
  DIR *dir = opendir(directory);
  if (dir == NULL)
    return;
  const struct dirent *entry;
  while (places->num < HOSTNAME_DIRECTORIES && (entry = readdir(dir)) != NULL) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
      continue;
    size_t size = sizeof(places->path[0]);
    int len = snprintf(places->path[places->num], size, "%s/%s", directory,
                       entry->d_name);
    places->num += len > 0 && (size_t)len < size;
  }
  closedir(dir);
}

/* Writes a process's host name if it differs from this one's, else "".
 * Returns 0 or -errno. */
static int ask_process(const struct work *work, uint64_t pid,
                       char name[SERVICE_NAME_SIZE]) {
  char path[CGROUP_PATH_SIZE];
  snprintf(path, sizeof(path), "%s/%llu/ns/uts", work->proc,
           (unsigned long long)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) /* it may have ended */
    return errno == ENOENT || errno == ESRCH ? 0 : -errno;
  struct stat status;
  bool own = fstat(fd, &status) != 0 || (status.st_ino == work->own.st_ino &&
                                         status.st_dev == work->own.st_dev);
  int err = own || setns(fd, CLONE_NEWUTS) == 0 ? 0 : -errno;
  close(fd);
  struct utsname host;
  if (err == 0 && !own && uname(&host) == 0 &&
      strcmp(host.nodename, work->host.nodename) != 0 &&
      service_may_be(host.nodename))
    snprintf(name, SERVICE_NAME_SIZE, "%.*s", SERVICE_NAME_SIZE - 1,
             host.nodename);
  return err;
}

static void ask(const struct work *work, struct hostname_ask *ask) {
  struct places places = {.num = 1};
  ask->name[0] = '\0';
  ask->error = 0;
  int len = snprintf(places.path[0], sizeof(places.path[0]), "%s%s",
                     work->mount, ask->path);
  if (len < 0 || (size_t)len >= sizeof(places.path[0]))
    return;
  for (size_t i = 0; i < places.num && ask->name[0] == '\0'; i++) {
    uint64_t pid = first_process(places.path[i]);
    int err = pid == 0 ? 0 : ask_process(work, pid, ask->name);
    if (err != 0 && ask->error == 0)
      ask->error = err;
    add_below(&places, places.path[i]);
  }
}

static void *answer(void *data) {
  const struct work *work = data;
  for (size_t i = 0; i < work->num; i++)
    ask(work, &work->asks[i]);
  return NULL;
}

int hostname_ask(const char *mount, const char *proc, struct hostname_ask *asks,
                 size_t num) {
  struct work work = {.mount = mount, .proc = proc, .asks = asks, .num = num};
  char path[CGROUP_PATH_SIZE];
  snprintf(path, sizeof(path), "%s/self/ns/uts", proc);
  if (stat(path, &work.own) != 0 || uname(&work.host) != 0)
    return -errno;
  pthread_t thread;
  int err = pthread_create(&thread, NULL, answer, &work);
  if (err == 0)
    err = pthread_join(thread, NULL);
  return -err;
}

const char *hostname_strerror(int error) {
  return error == -EPERM || error == -EACCES
             ? "not allowed: collectd needs CAP_SYS_ADMIN and CAP_SYS_PTRACE"
             : NULL;
}
