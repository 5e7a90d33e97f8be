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
  if (netns->error == 0) {
    snapshot_read(&netns->reader, &netns->snapshot);
  }
  /* An open netlink socket would keep the namespace after its deletion. */
  diag_dump_disconnect(&netns->reader.dump);

  pthread_mutex_lock(&netns->set->lock);
  netns->ended = true;
  pthread_cond_signal(&netns->set->done);
  pthread_mutex_unlock(&netns->set->lock);
  return NULL;
}

static void join(struct netns *netns) {
  if (netns->joinable)
    pthread_join(netns->thread, NULL);
  netns->joinable = false;
}

static bool has_ended(struct netns *netns) {
  pthread_mutex_lock(&netns->set->lock);
  bool ended = netns->ended;
  pthread_mutex_unlock(&netns->set->lock);
  return ended;
}

size_t netns_close(struct netns_set *set) {
  size_t going_on = 0;
  for (size_t i = 0; i < set->num; i++) {
    struct netns *netns = &set->netns[i];
    /* It may never end. The end of the process is its end, too. */
    if (netns->joinable && !has_ended(netns)) {
      going_on++;
      continue;
    }
    join(netns);
    snapshot_close(&netns->reader);
  }
  if (going_on > 0)
    return going_on;
  free(set->netns);
  pthread_cond_destroy(&set->done);
  pthread_mutex_destroy(&set->lock);
  *set = (struct netns_set){0};
  return 0;
}

int netns_open(struct netns_set *set, const struct settings *settings,
               const char *proc, struct diag_absence *absence) {
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
    netns->reader.dump.absence = absence;
    set->num++;
  }
  return 0;
}

void netns_start(struct netns_set *set) {
  set->parallel = NETNS_PARALLEL;
  for (size_t i = 0; i < set->num; i++) {
    struct netns *netns = &set->netns[i];
    if (netns->joinable && !has_ended(netns)) {
      netns->state = NETNS_LATE;
      continue;
    }
    join(netns);
    netns->state = NETNS_WAITING;
  }
}

static void begin(struct netns *netns) {
  netns->state = NETNS_READING;
  netns->ended = false;
  int err = pthread_create(&netns->thread, NULL, read_inside, netns);
  netns->joinable = err == 0;
  if (err != 0) {
    netns->error = -err;
    netns->ended = true;
  }
}

/* Begins as many as may be; late ones do not count. */
static void begin_more(struct netns_set *set) {
  size_t num = 0;
  for (size_t i = 0; i < set->num; i++)
    num += set->netns[i].state == NETNS_READING && !set->netns[i].ended;
  for (size_t i = 0; i < set->num && num < set->parallel; i++)
    if (set->netns[i].state == NETNS_WAITING) {
      begin(&set->netns[i]);
      num++;
    }
}

static struct netns *find_ended(struct netns_set *set, bool *reading) {
  *reading = false;
  for (size_t i = 0; i < set->num; i++) {
    struct netns *netns = &set->netns[i];
    if (netns->state == NETNS_READING && netns->ended)
      return netns;
    *reading = *reading || netns->state == NETNS_READING;
  }
  return NULL;
}

static bool is_before(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec < b->tv_sec ||
         (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

struct netns *netns_next(struct netns_set *set,
                         const struct timespec *deadline) {
  pthread_mutex_lock(&set->lock);
  struct netns *netns;
  size_t give_up = set->parallel + NETNS_PATIENCE_TIMES;
  while (1) {
    struct timespec now, until;
    clock_gettime(CLOCK_MONOTONIC, &now);
    bool late = !is_before(&now, deadline), reading;
    if (!late)
      begin_more(set);
    netns = find_ended(set, &reading);
    if (netns != NULL || !reading || late || set->parallel == give_up)
      break;
    until = now;
    until.tv_sec += NETNS_PATIENCE;
    if (is_before(deadline, &until))
      until = *deadline;
    if (pthread_cond_timedwait(&set->done, &set->lock, &until) == ETIMEDOUT)
      set->parallel++;
  }
  pthread_mutex_unlock(&set->lock);
  if (netns != NULL) {
    join(netns);
    netns->state = NETNS_IDLE;
  }
  return netns;
}

bool netns_is_missing(const struct netns *netns) {
  return netns->state != NETNS_IDLE;
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
    return "not allowed to open it: collectd needs CAP_SYS_ADMIN, and for "
           "/proc/PID/ns/net CAP_SYS_PTRACE, for files of root alone, as "
           "Docker's, CAP_DAC_READ_SEARCH";
  case EINVAL:
    return "this file is no network namespace";
  case ETIMEDOUT:
    return "not read in time";
  default:
    return NULL;
  }
}
