/* Which sockets a group means. */
#ifndef TCPSTATES_FILTER_H
#define TCPSTATES_FILTER_H

#include <stddef.h>
#include <stdint.h>

/* The ports first to last, both included, host byte order. */
struct port_range {
  uint16_t first;
  uint16_t last;
};

/* Any of the ranges; none given: every port. */
struct port_set {
  struct port_range *ranges;
  size_t num;
};

/* What a socket has to fulfil: every condition that is given. */
struct filter {
  struct port_set local_ports;
  struct port_set remote_ports;
};

/* Adds a range to the set. Returns 0 or -ENOMEM. */
int port_set_add(struct port_set *set, struct port_range range);

/* Frees what the filter holds. */
void filter_free(struct filter *filter);

#endif
