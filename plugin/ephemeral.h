/* SPDX-License-Identifier: MIT */
/* How many of the ports that connect(2) chooses from are in use towards one
 * destination: when all are, it fails with EADDRNOTAVAIL. */
#ifndef TCPSTATES_EPHEMERAL_H
#define TCPSTATES_EPHEMERAL_H

#include "counts.h"
#include "diag_msg.h"
#include "hitters.h"
#include "settings.h"

/* This many destinations of all groups are known at a time. */
#define DESTINATIONS_NUM 1024

/* A local port can be used once for each of these (net/ipv4/inet_hashtables.c,
 * __inet_check_established()). Sockets that are bound to different devices are
 * not distinguished. */
struct destination {
  uint32_t num; /* local ports in use, at least; hitters.h has it first */
  uint32_t group;
  struct address local;
  struct address remote;
  uint16_t remote_port;
};

/* Without ports when zero-initialised. 60 KB, whatever the number of groups and
 * destinations. */
struct ephemeral {
  struct port_bitmap ports; /* that connect(2) chooses from */
  uint32_t ports_num;       /* of them; 0: not known */

  /* The rest is ephemeral.c's own. */
  struct destination destinations[DESTINATIONS_NUM];
  size_t num;
  uint32_t missed;
  uint16_t index[2 * DESTINATIONS_NUM];
  uint64_t multiplier; /* of the hash: others choose addresses */
};

/* connect(2) chooses from the range less the reserved ports (ip_sysctl:
 * ip_local_port_range, ip_local_reserved_ports; of IPv6 as well). */
void ephemeral_set_ports(struct ephemeral *ephemeral, struct port_range range,
                         const struct port_bitmap *reserved);

/* Begins a dump. */
void ephemeral_reset(struct ephemeral *ephemeral);

/* Adds a socket of the group, in any state. One whose local port is not one of
 * these is left out: it does not use them up. */
void ephemeral_add(struct ephemeral *ephemeral, uint32_t group,
                   const struct diag_socket *socket);

/* Sets the number of ports, and what the fullest destination uses, in each of
 * num groups, except where filter_has_destinations() does
 * not hold. What it uses is exact
 * while there are at most DESTINATIONS_NUM destinations, in all groups. If
 * there are more, it is at most one in DESTINATIONS_NUM + 1 of all sockets that
 * were added below the truth. */
void ephemeral_finish(const struct ephemeral *ephemeral,
                      const struct group *groups, struct tally_counts *counts,
                      size_t num);

#endif
