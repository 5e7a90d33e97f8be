/* SPDX-License-Identifier: MIT */
/* Details of a holder's stuck sockets, counted from another dump when a WARNING
 * is due. */
#ifndef TCPSTATES_EVIDENCE_H
#define TCPSTATES_EVIDENCE_H

#include "diag_msg.h"
#include "holders.h"
#include "process.h"

/* The most frequent ones of many, found as in holders.h. */
#define RANKING_NUM 16
struct ranking {
  struct ranked {
    struct address address; /* of a peer */
    uint16_t port;
    bool local; /* the port is the local one */
    uint32_t num;
  } top[RANKING_NUM];
  size_t num;
  uint32_t missed; /* as in struct holders */
};

struct evidence {
  char name[SERVICE_NAME_SIZE]; /* "api.service", "443-local"; "all" */
  bool everyone;                /* it is of all holders together */
  struct holder holder; /* its num, unaccepted and oldest are of the read */
  bool at_least;        /* it may have some more */
  uint32_t after;       /* seconds: stuck is what is held for longer */
  char cgroup[256];     /* the path of one of its control groups; "" */
  /* Of that by its path alone; and its container's host name, "": none */
  char service[SERVICE_NAME_SIZE];
  char host_name[SERVICE_NAME_SIZE];
  struct ranking ports;
  bool with_peers;
  struct ranking peers;     /* only then */
  struct ranking listening; /* local ports of what was not accepted */
  bool searched;            /* for the processes */
  bool complete;            /* they are all of them */
  struct processes processes;
};

/* Counts one more, which differs from others in address, port or local. */
void ranking_add(struct ranking *ranking, const struct ranked *one);

/* Sorts them, the most frequent first. */
void ranking_sort(struct ranking *ranking);

/* Adds a stuck socket of the holder, whose service has the local port or the
 * remote one. */
void evidence_add(struct evidence *evidence, const struct diag_socket *socket,
                  bool local);

/* Is this the listener of sockets that were not accepted? */
bool evidence_has_listener(const struct evidence *evidence,
                           const struct diag_socket *socket);

#endif
