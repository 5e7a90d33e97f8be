/* SPDX-License-Identifier: MIT */
/* Runs snapshot.c in other network namespaces, for tcpstates.c. */
#include "netns.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is it the namespace that was found there? */
static bool is_same(int fd, ino_t ino) {
  struct stat status;
  return ino == 0 || (fstat(fd, &status) == 0 && status.st_ino == ino);
}

static int enter(const struct netns *netns) {
  /* O_NONBLOCK: what is at the path may be a FIFO. */
  int fd = open(netns->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return -errno;
  int err = -ENOENT;
  if (is_same(fd, netns->ino))
    err = setns(fd, CLONE_NEWNET) == 0 ? 0 : -errno;
  close(fd);
  return err;
}

static void read_inside(struct netns_worker *worker, struct netns *netns) {
  netns->error = enter(netns);
  if (netns->error == 0)
    snapshot_read(&netns->reader, &netns->snapshot);
  /* An open netlink socket would keep the namespace after its deletion. */
  diag_dump_disconnect(&netns->reader.dump);
  int64_t used = clock_cpu_ns();
  netns->cpu = used - worker->used;
  worker->used = used;
}

/* The next in turn that is in this state; NULL: none is. */
static struct netns *find(struct netns_set *set, enum netns_state state) {
  for (size_t i = 0; i < set->num; i++) {
    struct netns *netns = &set->netns[(set->next + i) % set->num];
    if (netns->state == state)
      return netns;
  }
  return NULL;
}

static void begin(struct netns_worker *worker, struct netns *netns) {
  netns->state = NETNS_READING;
  worker->set->next = (size_t)(netns - worker->set->netns) + 1;
  worker->netns = netns;
  worker->begun = worker->seen = clock_ms();
  worker->cpu = worker->used;
}

static void *work(void *data) {
  struct netns_worker *worker = data;
  struct netns_set *set = worker->set;
  pthread_mutex_lock(&set->lock);
  while (!worker->late && !set->stop) {
    struct netns *netns = find(set, NETNS_WAITING);
    if (netns == NULL) {
      pthread_cond_wait(&set->work, &set->lock);
      continue;
    }
    begin(worker, netns);
    pthread_mutex_unlock(&set->lock);
    read_inside(worker, netns);
    pthread_mutex_lock(&set->lock);
    if (!worker->late)
      netns->state = NETNS_ENDED;
    worker->netns = NULL;
    /* Else it goes on, and nobody need wake. */
    if (find(set, NETNS_WAITING) == NULL)
      pthread_cond_signal(&set->done);
  }
  worker->ended = true;
  pthread_mutex_unlock(&set->lock);
  return NULL;
}

static void join(struct netns_worker *worker) {
  if (worker->joinable)
    pthread_join(worker->thread, NULL);
  *worker = (struct netns_worker){.set = worker->set};
}

/* Ends all threads except those that hang. Returns how many these are. */
static size_t end_workers(struct netns_set *set) {
  bool ends[NETNS_THREADS];
  size_t late = 0;
  pthread_mutex_lock(&set->lock);
  set->stop = true;
  pthread_cond_broadcast(&set->work);
  for (size_t i = 0; i < NETNS_THREADS; i++) {
    ends[i] = !set->workers[i].late || set->workers[i].ended;
    late += !ends[i];
  }
  pthread_mutex_unlock(&set->lock);
  for (size_t i = 0; i < NETNS_THREADS; i++)
    if (ends[i])
      join(&set->workers[i]);
  return late;
}

size_t netns_close(struct netns_set *set) {
  /* They may never end. The end of the process is their end, too. */
  size_t late = end_workers(set);
  if (late > 0)
    return late;
  for (size_t i = 0; i < set->num; i++)
    snapshot_close(&set->netns[i].reader);
  free(set->netns);
  pthread_cond_destroy(&set->work);
  pthread_cond_destroy(&set->done);
  pthread_mutex_destroy(&set->lock);
  *set = (struct netns_set){0};
  return 0;
}

/* Adds one for a block. Returns 0 or -ENOMEM. */
static int add(struct netns_set *set, const struct settings *settings,
               size_t block, const char *proc, struct diag_absence *absence,
               struct cgroup_tree *cgroups) {
  struct netns *netns = &set->netns[set->num];
  const struct settings_namespace *namespace = &settings->namespaces[block];
  int err = snapshot_open(&netns->reader, &namespace->settings, proc, cgroups);
  if (err != 0)
    return err;
  netns->block = block;
  netns->slot = namespace->pattern;
  netns->path = namespace->paths[0];
  netns->reader.dump.absence = absence;
  netns->reader.summed = netns->reader.services.summed = namespace->pattern;
  set->num++;
  return 0;
}

int netns_open(struct netns_set *set, const struct settings *settings,
               const char *proc, struct diag_absence *absence,
               struct cgroup_tree *cgroups) {
  size_t most = NETNS_SLOTS * settings->namespaces_num + 1;
  *set = (struct netns_set){.netns = calloc(most, sizeof(*set->netns)),
                            .patience = NETNS_PATIENCE,
                            .threads = NETNS_THREADS};
  if (set->netns == NULL)
    return -ENOMEM;
  for (size_t i = 0; i < NETNS_THREADS; i++)
    set->workers[i].set = set;
  pthread_mutex_init(&set->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&set->work, NULL);
  pthread_cond_init(&set->done, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int err = 0;
  for (size_t i = 0; i < settings->namespaces_num; i++)
    for (int k = settings->namespaces[i].pattern ? NETNS_SLOTS : 1;
         k > 0 && err == 0; k--)
      err = add(set, settings, i, proc, absence, cgroups);
  if (err != 0)
    netns_close(set);
  return err;
}

void netns_start(struct netns_set *set) {
  pthread_mutex_lock(&set->lock);
  for (size_t i = 0; i < set->num; i++)
    set->netns[i].state = set->netns[i].slot ? NETNS_IDLE : NETNS_WAITING;
  for (size_t i = 0; i < NETNS_THREADS; i++)
    if (set->workers[i].netns != NULL)
      set->workers[i].netns->state = NETNS_LATE;
  set->first = set->next;
  set->stop = set->full = false;
  pthread_mutex_unlock(&set->lock);
}

void netns_add(struct netns_set *set, struct netns *slot) {
  pthread_mutex_lock(&set->lock);
  slot->state = NETNS_WAITING;
  pthread_mutex_unlock(&set->lock);
}

bool netns_is_late(const struct netns *netns) {
  return netns->state == NETNS_LATE;
}

/* Returns a worker without a thread; NULL: all have one. */
static struct netns_worker *find_free(struct netns_set *set) {
  for (size_t i = 0; i < set->threads; i++) {
    struct netns_worker *worker = &set->workers[i];
    if (worker->ended)
      join(worker);
    if (!worker->joinable)
      return worker;
  }
  return NULL;
}

/* Has its read taken next to no CPU time for as long as the set's patience? */
static bool hangs(struct netns_worker *worker, int64_t now) {
  clockid_t clock;
  int64_t cpu = 0;
  if (pthread_getcpuclockid(worker->thread, &clock) == 0)
    cpu = clock_ns(clock);
  if (cpu - worker->cpu >= NETNS_QUICK * INT64_C(1000000)) {
    worker->cpu = cpu;
    worker->seen = now;
  }
  return now - worker->seen >= worker->set->patience;
}

/* Has one more thread read those that wait, unless one that reads is quick; or
 * more threads at once, where one after the other might find no time. Returns
 * whether any thread reads, or is about to. */
static bool add_workers(struct netns_set *set, int64_t deadline) {
  size_t waiting = 0, idle = 0, reading = 0, slow = 0;
  bool quick = false;
  int64_t now = clock_ms();
  for (size_t i = 0; i < set->num; i++)
    waiting += set->netns[i].state == NETNS_WAITING;
  for (size_t i = 0; i < NETNS_THREADS; i++) {
    struct netns_worker *worker = &set->workers[i];
    bool usable = worker->joinable && !worker->late;
    bool reads = worker->netns != NULL;
    idle += usable && !reads;
    reading += usable && reads;
    slow += worker->late && !worker->ended && !hangs(worker, now);
    quick = quick || (usable && reads && now - worker->begun < NETNS_QUICK);
  }
  bool hurry = (int64_t)(waiting * NETNS_QUICK) > deadline - now;
  size_t wanted = hurry ? waiting : waiting > 0 && !quick;
  while (wanted > idle && idle + reading + slow < NETNS_PARALLEL) {
    struct netns_worker *worker = find_free(set);
    int err = worker == NULL
                  ? EBUSY
                  : pthread_create(&worker->thread, NULL, work, worker);
    if (err == 0) {
      worker->joinable = true;
      idle++;
      continue;
    }
    if (idle + reading > 0)
      break;
    set->full = worker == NULL;
    if (!set->full) {
      struct netns *netns = find(set, NETNS_WAITING);
      netns->error = -err;
      netns->cpu = 0;
      netns->state = NETNS_ENDED;
    }
    return false;
  }
  if (hurry)
    pthread_cond_broadcast(&set->work);
  else if (wanted > 0)
    pthread_cond_signal(&set->work);
  return reading > 0 || (waiting > 0 && idle + slow > 0);
}

/* Gives up those that hang, and all at the deadline. Returns when that may
 * happen next, or when it may be time for another thread. */
static int64_t give_up(struct netns_set *set, int64_t deadline) {
  int64_t now = clock_ms(), next = now + NETNS_QUICK;
  for (size_t i = 0; i < NETNS_THREADS; i++) {
    struct netns_worker *worker = &set->workers[i];
    if (worker->netns == NULL || worker->late)
      continue;
    worker->late = now >= deadline || hangs(worker, now);
    if (worker->late)
      worker->netns->state = NETNS_LATE;
  }
  return next < deadline ? next : deadline;
}

/* No more begins in this read. The next one's first is the first of this one's
 * order that has found no time. */
static void stop(struct netns_set *set) {
  for (size_t i = set->num; i > 0 && !set->stop; i--) {
    size_t at = (set->first + i - 1) % set->num;
    enum netns_state state = set->netns[at].state;
    if (state == NETNS_WAITING || state == NETNS_READING)
      set->next = at;
  }
  set->stop = true;
}

struct netns *netns_next(struct netns_set *set, int64_t deadline) {
  pthread_mutex_lock(&set->lock);
  while (1) {
    if (clock_ms() >= deadline)
      stop(set);
    int64_t until = give_up(set, deadline);
    if (find(set, NETNS_ENDED) != NULL || set->stop ||
        !add_workers(set, deadline))
      break;
    const struct timespec time = {.tv_sec = (time_t)(until / 1000),
                                  .tv_nsec = (long)(until % 1000) * 1000000};
    pthread_cond_timedwait(&set->done, &set->lock, &time);
  }
  struct netns *netns = find(set, NETNS_ENDED);
  if (netns != NULL)
    netns->state = NETNS_IDLE;
  else
    stop(set);
  pthread_mutex_unlock(&set->lock);
  if (netns == NULL)
    end_workers(set);
  return netns;
}

int netns_missing(const struct netns_set *set, const struct netns *netns) {
  if (netns->state == NETNS_IDLE)
    return 0;
  return netns->state == NETNS_WAITING && set->full ? -EBUSY : -ETIMEDOUT;
}

bool netns_is_gone(int err) {
  return err == -ENOENT || err == -ENOTDIR || err == -ESRCH;
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
    return "this file is not a network namespace";
  case ETIMEDOUT:
    return "not read in time";
  case EBUSY:
    return "not read: too many reads hang";
  default:
    return NULL;
  }
}
