/* SPDX-License-Identifier: MIT */
/* Filters and sockets at random, for the property tests. */
#ifndef TCPSTATES_SOCKET_RANDOM_H
#define TCPSTATES_SOCKET_RANDOM_H

#include "diag_msg.h"

/* Where numbers come from: the same ones everywhere for the same seed. A fuzzer
 * chooses the first of them: those that its bytes make. */
struct random_source {
  unsigned seed;
  uint64_t state;
  const uint8_t *bytes; /* what is left of them; NULL: none were given */
  size_t bytes_num;
};

/* What sockets and filters are made of: of few things, so that they meet. */
struct random_pool {
  const uint16_t *ports;
  size_t ports_num;
  const struct address *addresses; /* IPv4 ones and others */
  size_t addresses_num;
  const uint64_t *cgroup_ids; /* none: no filter asks for control groups */
  size_t cgroup_ids_num;
};

/* For sockets that no kernel knows of. */
extern const struct random_pool random_pool;

struct random_source random_seed(unsigned seed);

/* The bytes are referred to. */
struct random_source random_bytes(const uint8_t *bytes, size_t num);

/* A number from 0 to num - 1. */
unsigned random_below(struct random_source *source, size_t num);

/* A filter with one condition or more. One in 50 of those with control groups
 * has more than 64 ids. The caller frees it with filter_free(). */
struct filter random_filter(struct random_source *source,
                            const struct random_pool *pool);

/* Gives a filter with control groups other ids, 0 to 4 or 65. */
void random_ids(struct filter *filter, struct random_source *source,
                const struct random_pool *pool);

/* IPv4, IPv6 or v4-mapped; connected or listening; a full socket, minisocket or
 * request sock. */
struct diag_socket random_socket(struct random_source *source,
                                 const struct random_pool *pool);

#endif
