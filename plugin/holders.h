/* SPDX-License-Identifier: MIT */
/* Who holds the sockets that are stuck: how many each service has, in a fixed
 * size, however many services there are. */
#ifndef TCPSTATES_HOLDERS_H
#define TCPSTATES_HOLDERS_H

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This many holders are known at a time. */
#define HOLDERS_NUM 256

/* The sockets of one service in one state. The service is known by its control
 * group, or else by its port. */
struct holder {
  uint32_t num;        /* at least; hitters.h has it first */
  uint64_t service;    /* a number for its name; 0: not known */
  uint64_t cgroup_id;  /* one of its control groups; this names no holder */
  uint16_t port;       /* where it is not known: the service's, else 0 */
  bool local;          /* it is the local one */
  uint8_t state;       /* TCP_FIN_WAIT1, TCP_FIN_WAIT2 or TCP_CLOSE_WAIT */
  uint32_t unaccepted; /* of them, at least: no program has accepted them */
  uint64_t oldest;     /* ms, at least */
};

/* Empty when zero-initialised. */
struct holders {
  struct holder holder[HOLDERS_NUM]; /* in no order */
  size_t num;
  struct holder total[TCP_CLOSE_WAIT + 1]; /* of all, exactly, by state */
  uint32_t missed; /* a holder has at most this many more sockets, as hitters.h
                      says */
  uint16_t index[2 * HOLDERS_NUM]; /* by hash: 1 + its place; 0: empty */
};

/* Do both name the same holder? */
bool holder_is_same(const struct holder *a, const struct holder *b);

/* Empties it. */
void holders_reset(struct holders *holders);

/* Adds a socket of the holder that service, port, local and state name, which
 * has been stuck for age ms. */
void holders_add(struct holders *holders, const struct holder *whose,
                 uint64_t age, bool unaccepted);

#endif
