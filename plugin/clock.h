/* SPDX-License-Identifier: MIT */
/* The time by which ages and deadlines are counted. */
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

#endif
