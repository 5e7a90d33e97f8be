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

/* CPU time that this thread has used, in ns. */
static inline int64_t clock_cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
