/* SPDX-License-Identifier: MIT */
/* Sockets of all kinds in a network namespace of its own, and what the kernel
 * returns of them when a program asks for some. What goes wrong makes the
 * running test fail. */
#ifndef TCPSTATES_KERNEL_BENCH_H
#define TCPSTATES_KERNEL_BENCH_H

#include "diag_dump.h"
#include "filter_set.h"
#include "sockets.h"

/* Ordered by their ends and states. */
struct socket_list {
  struct diag_socket *sockets;
  size_t num;
};

struct bench {
  struct sockets made;
  struct diag_dump dump;
  struct socket_list all; /* what a dump without a program returns */
  struct socket_list passed;
  struct bytecode program;
  struct random_pool pool; /* ports and addresses of all sockets */
  uint16_t *ports;
  struct address *addresses;
};

/* Why this machine cannot do it; NULL: it can. */
const char *bench_obstacle(void);

/* What bench_make() leaves out here, of enum bench_missing. */
enum bench_missing {
  BENCH_NO_IPV6 = 1 << 0, /* neither IPv6 nor v4-mapped */
  BENCH_NO_FAST_OPEN = 1 << 1
};
unsigned bench_missing(void);

/* Takes the process into a namespace of its own. */
void bench_start(struct bench *bench);

/* Makes sockets of every kind, IPv4, v4-mapped and IPv6, except those that
 * bench_missing() names; the servers' ports are first to first + 7. */
void bench_make(struct bench *bench, uint16_t first);

/* Finds all sockets, and makes the pool of them. */
void bench_dump_all(struct bench *bench);

/* Dumps bench->passed with bench->program. Returns as diag_dump_run(). */
int bench_dump_passed(struct bench *bench);

/* Was this socket of bench->all passed? Asked for in their order; next starts
 * with 0. */
bool bench_was_passed(const struct bench *bench,
                      const struct diag_socket *socket, size_t *next);

/* Compiles the set and asserts that the kernel lets through what it means. */
void bench_check(struct bench *bench, const struct filter_set *set);

/* The same for num random sets, and once more for all sockets. */
void bench_check_random(struct bench *bench, unsigned seed, unsigned num);

void bench_end(struct bench *bench);

#endif
