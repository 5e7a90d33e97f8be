/* Runs snapshot.c in other network namespaces, for tcpstates.c. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int enter(const char *path) {
  /* O_NONBLOCK: what stands at the path may be a FIFO. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  int err = setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno;
  close(fd);
  return err;
}

static void *read_inside(void *data) {
  struct netns *netns = data;
  netns->error = enter(netns->path);
  if (netns->error == 0)
    snapshot_read(&netns->reader, &netns->snapshot);
  /* An open netlink socket would keep the namespace after its deletion. */
  diag_dump_disconnect(&netns->reader.dump);

  pthread_mutex_lock(&netns->set->lock);
  netns->state = NETNS_DONE;
  pthread_cond_signal(&netns->set->done);
  pthread_mutex_unlock(&netns->set->lock);
  return NULL;
}

static void join(struct netns *netns) {
  if (netns->joinable)
    pthread_join(netns->thread, NULL);
  netns->joinable = false;
}

void netns_close(struct netns_set *set) {
  for (size_t i = 0; i < set->num; i++) {
    join(&set->netns[i]);
    snapshot_close(&set->netns[i].reader);
  }
  free(set->netns);
  pthread_cond_destroy(&set->done);
  pthread_mutex_destroy(&set->lock);
  *set = (struct netns_set){0};
}

int netns_open(struct netns_set *set, struct settings *settings,
               const char *proc) {
  *set = (struct netns_set){
      .netns = calloc(settings->namespaces_num + 1, sizeof(*set->netns))};
  if (set->netns == NULL)
    return -ENOMEM;
  pthread_mutex_init(&set->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&set->done, &monotonic);
  pthread_condattr_destroy(&monotonic);
  for (size_t i = 0; i < settings->namespaces_num; i++) {
    struct netns *netns = &set->netns[i];
    netns->path = settings->namespaces[i].path;
    netns->set = set;
    int err =
        snapshot_open(&netns->reader, &settings->namespaces[i].settings, proc);
    if (err != 0) {
      netns_close(set);
      return err;
    }
    set->num++;
  }
  return 0;
}

void netns_start(struct netns_set *set) {
  for (size_t i = 0; i < set->num; i++) {
    struct netns *netns = &set->netns[i];
    pthread_mutex_lock(&set->lock);
    bool reading = netns->state == NETNS_READING;
    netns->state = NETNS_READING;
    pthread_mutex_unlock(&set->lock);
    if (reading)
      continue;
    /* It may have ended after the deadline of the read before. */
    join(netns);
    int err = pthread_create(&netns->thread, NULL, read_inside, netns);
    netns->joinable = err == 0;
    if (err != 0) {
      netns->error = -err;
      netns->state = NETNS_DONE;
    }
  }
}

static struct netns *find_done(struct netns_set *set, bool *reading) {
  *reading = false;
  for (size_t i = 0; i < set->num; i++) {
    *reading = *reading || set->netns[i].state == NETNS_READING;
    if (set->netns[i].state == NETNS_DONE)
      return &set->netns[i];
  }
  return NULL;
}

struct netns *netns_next(struct netns_set *set,
                         const struct timespec *deadline) {
  bool reading = true;
  int err = 0;
  pthread_mutex_lock(&set->lock);
  struct netns *netns = find_done(set, &reading);
  while (netns == NULL && reading && err == 0) {
    err = pthread_cond_timedwait(&set->done, &set->lock, deadline);
    netns = find_done(set, &reading);
  }
  if (netns != NULL)
    netns->state = NETNS_IDLE;
  pthread_mutex_unlock(&set->lock);
  if (netns != NULL)
    join(netns);
  return netns;
}

bool netns_is_reading(struct netns *netns) {
  pthread_mutex_lock(&netns->set->lock);
  bool reading = netns->state != NETNS_IDLE;
  pthread_mutex_unlock(&netns->set->lock);
  return reading;
}

const char *netns_strerror(int error) {
  switch (-error) {
  case ENOENT:
  case ENOTDIR:
    return "there is no such namespace (yet, or any more)";
  case EPERM:
    return "not allowed to enter it: collectd needs CAP_SYS_ADMIN (systemd: "
           "CapabilityBoundingSet, AmbientCapabilities)";
  case EACCES:
    return "not allowed to open it: collectd needs CAP_SYS_ADMIN, and the "
           "right to read the file (for /proc/PID/ns/net CAP_SYS_PTRACE)";
  case EINVAL:
    return "this file is no network namespace";
  default:
    return strerror(-error);
  }
}
