/* SPDX-License-Identifier: MIT */
/* Takes the place of the clocks that netns.c reads and waits by. */
#include "netns_clock.h"

#include "wrap64.h"

struct netns_set *netns_clock_set;
_Thread_local int64_t netns_clock_cpu;
bool netns_clock_slow;

/* Its caller has the set's lock. */
static bool all_hang(void) {
  bool all = true, any = false;
  for (size_t i = 0; i < NETNS_THREADS; i++) {
    const struct netns_worker *worker = &netns_clock_set->workers[i];
    if (worker->netns == NULL || worker->late)
      continue;
    any = true;
    all = all &&
          netns_clock_hangs((size_t)(worker->netns - netns_clock_set->netns));
  }
  return all && (any || netns_clock_slow);
}

LET_OTHER_CLOCK_GETTIME_THROUGH

int REAL_CLOCK_GETTIME(clockid_t clock, struct timespec *time);
int WRAP_CLOCK_GETTIME(clockid_t clock, struct timespec *time);
int WRAP_CLOCK_GETTIME(clockid_t clock, struct timespec *time) {
  static int64_t ms = 1000, of_others;
  if (clock == CLOCK_THREAD_CPUTIME_ID) {
    *time = timespec_of(netns_clock_cpu);
    return 0;
  }
  if (clock < 0) { /* of pthread_getcpuclockid() */
    of_others += netns_clock_slow ? 1000000000 : 0;
    *time = timespec_of(of_others);
    return 0;
  }
  if (netns_clock_set != NULL && netns_clock_set->num > 0 && all_hang())
    ms += NETNS_PATIENCE / 8; /* another thread may begin before */
  *time = timespec_of(ms * 1000000);
  return 0;
}

/* A moment of real time: the one that is waited for is of the other clock, and
 * a wait that ends at once would keep the lock from those that read. */
int REAL_TIMEDWAIT(pthread_cond_t *cond, pthread_mutex_t *lock,
                   const struct timespec *until);
int WRAP_TIMEDWAIT(pthread_cond_t *cond, pthread_mutex_t *lock,
                   const struct timespec *until);
int WRAP_TIMEDWAIT(pthread_cond_t *cond, pthread_mutex_t *lock,
                   const struct timespec *until) {
  (void)until;
  struct timespec now;
  REAL_CLOCK_GETTIME(CLOCK_MONOTONIC, &now);
  now = timespec_of((int64_t)now.tv_sec * 1000000000 + now.tv_nsec + 2000000);
  return REAL_TIMEDWAIT(cond, lock, &now);
}

size_t netns_clock_threads(void) {
  size_t num = 0;
  pthread_mutex_lock(&netns_clock_set->lock);
  for (size_t i = 0; i < NETNS_THREADS; i++)
    num += netns_clock_set->workers[i].joinable &&
           !netns_clock_set->workers[i].ended;
  pthread_mutex_unlock(&netns_clock_set->lock);
  return num;
}

void netns_clock_await_threads(size_t num) {
  while (netns_clock_threads() != num)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
