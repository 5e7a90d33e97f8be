/* SPDX-License-Identifier: MIT */
/* The TCP sockets of a kernel, made up at random: what sockstat says of them,
 * what a dump reports, and what is to be counted. */
#ifndef TCPSTATES_FAKE_KERNEL_H
#define TCPSTATES_FAKE_KERNEL_H

#include "plan.h"
#include "socket_random.h"

#define FAKE_SOCKETS_MAX 400

/* What the sockets are made of. */
extern const struct random_pool fake_pool;

/* It is at rest except for fake_kernel_change(). */
struct fake_kernel {
  struct diag_socket sockets[FAKE_SOCKETS_MAX];
  size_t num;
  /* What new sockets are like, in percent: */
  unsigned common;      /* in ESTABLISHED and TIME_WAIT */
  unsigned server;      /* on one local port */
  uint16_t port;        /* which one; 0: 443 */
  bool remote;          /* it is their remote port */
  uint32_t stuck_after; /* ms: what is held for longer counts as stuck */
  uint32_t others;      /* full sockets of other namespaces */
};

/* Makes it num sockets; about this many percent of those before are replaced.
 */
void fake_kernel_change(struct fake_kernel *kernel,
                        struct random_source *source, size_t num,
                        unsigned percent);

/* sockstat and sockstat6. */
struct plan_sums fake_kernel_sums(const struct fake_kernel *kernel);

/* Answers a request. Returns how many sockets it has reported. */
size_t fake_kernel_dump(const struct fake_kernel *kernel,
                        const struct diag_request *request, diag_socket_cb cb,
                        void *data);

/* The counts of the sockets that fulfil the filter; NULL: of all. */
struct tally_counts fake_kernel_count(const struct fake_kernel *kernel,
                                      const struct filter *filter);

#endif
