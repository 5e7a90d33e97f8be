/* SPDX-License-Identifier: MIT */
/* The clocks of tests of netns.c, so that no machine is too slow: time passes
 * only while each read that was not given up hangs. Link with what Makefile.am
 * calls wrap_netns_clock. */
#ifndef TCPSTATES_NETNS_CLOCK_H
#define TCPSTATES_NETNS_CLOCK_H

#include "netns.h"

/* The set that is tested: each test says which. */
extern struct netns_set *netns_clock_set;

/* ns of CPU time that this thread has used. */
extern _Thread_local int64_t netns_clock_cpu;

/* Reads that hang take CPU time, and are only slow. Time passes even if all of
 * them were given up then. */
extern bool netns_clock_slow;

/* The test's own: does the read of this position in the set hang? */
bool netns_clock_hangs(size_t at);

/* Returns how many threads the set has. */
size_t netns_clock_threads(void);

/* Waits until it has this many: until reads that were given up have ended. */
void netns_clock_await_threads(size_t num);

#endif
