/* SPDX-License-Identifier: MIT */
/* The times by which ages, deadlines and budgets are counted. */
#ifndef TCPSTATES_CLOCK_H
#define TCPSTATES_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ms. */
static inline int64_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Any clock, in ns; 0 if there is no such clock. */
static inline int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0)
    return 0;
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CPU time that this thread has used, in ns. */
static inline int64_t clock_cpu_ns(void) {
  return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

#endif
