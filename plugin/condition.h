/* SPDX-License-Identifier: MIT */
/* What the conditions of a filter ask of a socket, as ranges of numbers. */
#ifndef TCPSTATES_CONDITION_H
#define TCPSTATES_CONDITION_H

#include "cgroup_list.h"
#include "diag_msg.h"
#include "filter.h"

enum condition {
  CONDITION_LOCAL_PORT,
  CONDITION_REMOTE_PORT,
  CONDITION_LOCAL_ADDRESS, /* with the address family */
  CONDITION_REMOTE_ADDRESS,
  CONDITION_CGROUP,
};
#define CONDITIONS_NUM (CONDITION_CGROUP + 1)

/* What a condition is about, as a number: a port, an address, the id of a
 * control group. */
struct key {
  uint64_t high;
  uint64_t low;
};

#define KEY_MAX ((struct key){UINT64_MAX, UINT64_MAX})

/* Less than, equal to or greater than 0, for qsort(3). */
int key_compare(const void *a, const void *b);

struct key key_next(struct key key);

/* The socket's. */
struct key condition_key(enum condition condition,
                         const struct diag_socket *socket);

bool condition_is_given(enum condition condition, const struct filter *filter);

/* Takes a range of keys that fulfil a condition, both ends included. */
typedef void (*condition_range_cb)(struct key first, struct key last,
                                   void *data);

/* Calls cb for each range that fulfils the condition. They may overlap. ids:
 * those of the filter's control groups; NULL: none has any. */
void condition_each_range(enum condition condition, const struct filter *filter,
                          const struct id_list *ids, condition_range_cb cb,
                          void *data);

#endif
