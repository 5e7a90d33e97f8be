/* SPDX-License-Identifier: MIT */
/* Adds up what metrics.c says of several namespaces. What each has said last is
 * kept, so that a namespace that is not read this time stays in the sums. */
#ifndef TCPSTATES_NETNS_SUM_H
#define TCPSTATES_NETNS_SUM_H

#include "metrics.h"

/* This many different values are added up at most: containers choose for which
 * ports and services there are some. */
#define NETNS_SUM_MAX 65536

/* When no namespace has a value any more, it is 0 for this many reads. */
#define NETNS_SUM_ZEROS 10

/* How the values of the namespaces make one. */
enum netns_sum_how {
  NETNS_SUM_ADD,
  NETNS_SUM_HIGHEST, /* ages and percentages */
  NETNS_SUM_NONE,    /* settings, which may differ: it is not reported */
};

struct netns_sum_value {
  char *instance; /* and after its end the other two; NULL: not in use */
  char *type;
  char *type_instance;
  enum netns_sum_how how;
  size_t parts;   /* that have it */
  unsigned zeros; /* reads since none has it */
  double sum;
  bool service; /* it is of a service's group */
  bool sockets; /* and one of those that say how many sockets it has */
  bool shown;   /* and the group is one of the largest */
  bool fed;     /* this sum has some of the others' */
};

/* Empty when zero-initialised. */
struct netns_sum {
  struct netns_sum_value *values;
  size_t num;
  size_t unused;   /* of these */
  size_t hint;     /* where to search for an unused one */
  size_t size;     /* for how many there is memory */
  uint32_t *slots; /* hash table of the values' positions + 1; 0: empty */
  size_t slots_num;
  uint64_t seed; /* of the hash: others choose names */
  struct netns_part *filling;
  const struct settings *settings; /* of what fills it */
  int error;
};

/* What one namespace has said last. Nothing when zero-initialised. */
struct netns_part {
  struct netns_part_value {
    uint32_t at; /* which of the sum's values it is */
    double value;
  } * values;
  size_t num;
  size_t size; /* for how many there is memory */
};

/* The part is from now on what the snapshot says. Allocates only for values
 * that are new. Returns 0 or -ENOMEM: the part says nothing then. */
int netns_sum_take(struct netns_sum *sum, struct netns_part *part,
                   const struct settings *settings,
                   const struct snapshot *snapshot);

/* The part says nothing any more; its memory is freed. */
void netns_sum_drop(struct netns_sum *sum, struct netns_part *part);

/* Begins to add up, with nothing. */
void netns_sum_start(struct netns_sum *sum);

void netns_sum_add(struct netns_sum *sum, const struct netns_part *part);

/* After that: leaves as many services as may be reported, the largest in all
 * namespaces, and adds the others up in "other". Returns 0 or -ENOMEM: they are
 * the same as last time. */
int netns_sum_limit(struct netns_sum *sum, const struct settings *settings);

/* Calls cb for each sum. Returns how many there were. */
size_t netns_sum_each(struct netns_sum *sum, metric_cb cb, void *data);

/* Are there NETNS_SUM_MAX values, so that others are left out? */
bool netns_sum_is_full(const struct netns_sum *sum);

/* Its parts must have been dropped. */
void netns_sum_free(struct netns_sum *sum);

#endif
