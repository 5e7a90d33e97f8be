/* SPDX-License-Identifier: MIT */
/* Whose a stuck socket is: its service by its control group, or where that is
 * not known the port of a service. */
#ifndef TCPSTATES_WHOSE_H
#define TCPSTATES_WHOSE_H

#include "cgroup.h"
#include "group_index.h"
#include "holders.h"
#include "service_names.h"

/* Control groups whose services are remembered. */
#define WHOSE_KNOWN_NUM 1024

/* Zero-initialised except for the tree it knows none. */
struct whose {
  struct cgroup_tree *tree;            /* NULL: control groups are not known */
  struct service_names *names;         /* as for service_names_find() */
  const struct port_bitmap *listening; /* ports that are listened on */
  struct port_range ephemeral;         /* ip_local_port_range */
  uint32_t unknown; /* sockets of this read whose control group has no path */

  /* The rest is whose.c's own. */
  struct {
    uint64_t cgroup_id;
    uint64_t service; /* 0: it has no path */
  } known[WHOSE_KNOWN_NUM];
  unsigned generation; /* of the tree that they are from */
};

/* Begins a read; the listening ports and the port range are set by then. */
void whose_start(struct whose *whose);

/* Says which holder the socket belongs to, in the fields that name one. */
struct holder whose_holder(struct whose *whose,
                           const struct diag_socket *socket);

/* Is the local port that of the service, and not the remote one? It is when it
 * is listened on. If nobody does any more, it is if it is not an ephemeral
 * port. */
bool whose_is_local(const struct whose *whose,
                    const struct diag_socket *socket);

/* Writes the holder's name and the path of one of its control groups, which is
 * empty where there is none. Returns 0; -ENOENT: its control group has gone. */
int whose_name(struct whose *whose, const struct holder *holder,
               char name[SERVICE_NAME_SIZE], char path[CGROUP_PATH_SIZE]);

#endif
