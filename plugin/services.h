/* SPDX-License-Identifier: MIT */
/* The services and containers that sockets belong to, by control group: each
 * is a group that nobody had to configure. */
#ifndef TCPSTATES_SERVICES_H
#define TCPSTATES_SERVICES_H

#include "cgroup.h"
#include "counts.h"
#include "service_names.h"
#include "settings.h"

/* This many are distinguished. Sockets of others, and of control groups that
 * are not known, are "other". */
#define SERVICES_NUM_MAX 4096

/* As many as the settings can ask for. */
#define SERVICES_SUMMED_MAX 1000

/* A group that was reported has zeros in this many reads after its last
 * socket. */
#define SERVICES_ZEROS 10

struct services_group {
  char name[SERVICE_NAME_SIZE]; /* "": the place is free */
  struct tally_counts counts;
  bool reported; /* by the last read that was complete */

  /* The rest is services.c's own. */
  uint32_t hash; /* of the name */
  bool known;    /* a control group has the name */
  bool taken;    /* a Filter has it, too */
  bool chosen;
  uint64_t rank;
  unsigned zeros; /* reads since its last socket */
};

/* A service with more control groups is not left out of a dump. */
#define SERVICES_LARGEST_IDS 64

struct services {
  struct services_group *groups; /* the first is "other" */
  size_t num;
  /* The name that a Filter and a service have; "": none. It is the Filter's,
   * and the service's sockets are in "other". */
  char taken[SERVICE_NAME_SIZE];

  bool partial; /* the hierarchy is a part of the machine's, as in a control
                   group namespace: services elsewhere are "other" */

  /* Of the service that holds more than half of the ESTABLISHED sockets, as the
   * last read has found it: its control groups. None: there is no such one. */
  uint64_t largest_ids[SERVICES_LARGEST_IDS];
  size_t largest_ids_num;

  /* These are parts of a sum: up to SERVICES_SUMMED_MAX have a group, whatever
   * the settings say, which netns_sum.c goes by. */
  bool summed;

  /* The rest is services.c's own. */
  uint32_t largest_group;
  const struct settings *settings;
  struct service_names *names; /* NULL: none but those of control groups */
  size_t size;                 /* for how many groups there is memory */
  struct services_id *ids;
  size_t ids_num;
  size_t ids_size; /* a power of 2 */
  struct services_id *spare;
  size_t spare_size;
  uint32_t *largest;
  bool stale;
  unsigned generation; /* of the tree that the ids are from */
};

/* Makes it without any service; the settings are referred to.
 * Returns 0 or -ENOMEM, it needs no freeing then. */
int services_init(struct services *services, const struct settings *settings);

/* Learns which service each control group of the tree belongs to. Allocates
 * only when the tree has changed. Returns 0; -ENODEV: there is no hierarchy;
 * -ENOMEM: the next call tries again. */
int services_update(struct services *services, struct cgroup_tree *tree);

/* Sets all counts to 0, before a dump. */
void services_reset(struct services *services);

/* Where to count a socket with this control group; NULL: id is 0, as of
 * minisockets and request socks. */
struct tally_counts *services_find(const struct services *services,
                                   uint64_t id);

/* Once all sockets are counted: chooses which services are reported, the
 * largest, and adds the others up in "other". */
void services_choose(struct services *services);

/* The service with largest_ids has this many sockets in ESTABLISHED more than
 * were counted, or less. */
void services_add_missing(struct services *services, int64_t num);

void services_free(struct services *services);

#endif
