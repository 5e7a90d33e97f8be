/* SPDX-License-Identifier: MIT */
/* The names of services and containers where ServiceNames is "hostname": a
 * new container is asked for its host name, at most three times. */
#ifndef TCPSTATES_SERVICE_NAMES_H
#define TCPSTATES_SERVICE_NAMES_H

#include "cgroup.h"
#include "service.h"
#include "settings.h"

/* This many containers are remembered: as many as there are services. Others
 * are named by their control groups. */
#define SERVICE_NAMES_MAX 4096

/* This many are asked in one read at most, the others in the next. */
#define SERVICE_NAMES_ASKS 256

/* One without a host name is asked again in the next reads, as often as this:
 * its process may have been on its way into its namespace. */
#define SERVICE_NAMES_TRIES 3

struct service_names {
  /* The rest is service_names.c's own. */
  const struct settings *settings;
  pthread_mutex_t lock;
  struct service_names_one *ones; /* an open hash table */
  size_t size;                    /* a power of 2 */
  size_t num;
  uint64_t multiplier;
  unsigned generation; /* of the tree that they are from */
  bool pending;        /* some are to be asked yet */
  bool said;
};

/* Makes it, without any container. The settings are referred to: no container
 * is called as one of their Filters. It must not be moved.
 * Returns 0 or -ENOMEM, it needs no freeing then. */
int service_names_init(struct service_names *names,
                       const struct settings *settings);

/* Asks the containers that are new in the tree, after cgroup_tree_refresh() and
 * in its thread; proc is where procfs is mounted. When a name has changed, so
 * has the tree's generation. Costs nothing when nothing has changed.
 * Returns 0; -ENOMEM: it is as before; or once, the -errno because of which
 * host names are not known, see hostname_strerror(). */
int service_names_refresh(struct service_names *names, struct cgroup_tree *tree,
                          const char *proc);

/* Writes the name of the service whose control group has this path, for any
 * thread. names: NULL: by its control group alone, as service_name() does.
 * Returns 0; -EAGAIN: it is a container that has not been asked yet, and this
 * is the name of its control group. */
int service_names_find(struct service_names *names, const char *path,
                       char name[SERVICE_NAME_SIZE]);

void service_names_free(struct service_names *names);

#endif
