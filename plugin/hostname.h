/* SPDX-License-Identifier: MIT */
/* The host names that containers have given themselves: those of their
 * processes' UTS namespaces (uts_namespaces(7)). */
#ifndef TCPSTATES_HOSTNAME_H
#define TCPSTATES_HOSTNAME_H

#include "cgroup.h"
#include "service.h"

#include <stddef.h>

/* The processes of a container may be in control groups below its own: this
 * many are searched, from the top. */
#define HOSTNAME_DIRECTORIES 16

/* A question, and its answer. */
struct hostname_ask {
  char path[CGROUP_PATH_SIZE];  /* of a container's control group */
  char name[SERVICE_NAME_SIZE]; /* "": it has none of its own that
                                   service_may_be() allows */
  int error; /* 0; -errno of open(2) or setns(2): it could not be found out */
};

/* Answers num questions, in a thread that ends: that of the caller stays in its
 * namespace. mount is where the control groups are, proc where procfs is
 * mounted. A process that is in the caller's UTS namespace, or whose host name
 * is the caller's, is not a container's. Needs CAP_SYS_ADMIN, and
 * CAP_SYS_PTRACE for processes of other users.
 * Returns 0; -errno of pthread_create(3): there are no answers. */
int hostname_ask(const char *mount, const char *proc, struct hostname_ask *asks,
                 size_t num);

/* What an error means: a sentence without a full stop. NULL: no more than
 * strerror(3) says. */
const char *hostname_strerror(int error);

#endif
