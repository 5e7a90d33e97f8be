/* SPDX-License-Identifier: MIT */
/* What glibc calls some functions where 64-bit offsets or, on a 32-bit machine,
 * a 64-bit time_t were asked for: a test that takes the place of one needs its
 * name. */
#ifndef WRAP64_H
#define WRAP64_H

#include <features.h>
#include <stdint.h>
#include <time.h>

#if defined(__GLIBC__) && defined(__USE_FILE_OFFSET64)
#define REAL_READDIR __real_readdir64
#define WRAP_READDIR __wrap_readdir64
#else
#define REAL_READDIR __real_readdir
#define WRAP_READDIR __wrap_readdir
#endif

#if defined(__USE_TIME_BITS64) && __TIMESIZE == 32
/* Those with a 32-bit time_t, such as libcheck, are let through. */
#define LET_OTHER_CLOCK_GETTIME_THROUGH                                        \
  int __real_clock_gettime(clockid_t clock, void *time);                       \
  int __wrap_clock_gettime(clockid_t clock, void *time);                       \
  int __wrap_clock_gettime(clockid_t clock, void *time) {                      \
    return __real_clock_gettime(clock, time);                                  \
  }
#define REAL_CLOCK_GETTIME __real___clock_gettime64
#define WRAP_CLOCK_GETTIME __wrap___clock_gettime64
#define REAL_SETSOCKOPT __real___setsockopt64
#define WRAP_SETSOCKOPT __wrap___setsockopt64
#define REAL_TIMEDWAIT __real___pthread_cond_timedwait64
#define WRAP_TIMEDWAIT __wrap___pthread_cond_timedwait64
#else
#define LET_OTHER_CLOCK_GETTIME_THROUGH
#define REAL_CLOCK_GETTIME __real_clock_gettime
#define WRAP_CLOCK_GETTIME __wrap_clock_gettime
#define REAL_SETSOCKOPT __real_setsockopt
#define WRAP_SETSOCKOPT __wrap_setsockopt
#define REAL_TIMEDWAIT __real_pthread_cond_timedwait
#define WRAP_TIMEDWAIT __wrap_pthread_cond_timedwait
#endif

/* ns, as such a function says it. */
static inline struct timespec timespec_of(int64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                           .tv_nsec = (long)(ns % 1000000000)};
}

#endif
