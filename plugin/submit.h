/* SPDX-License-Identifier: MIT */
/* Submits values and notifications to collectd, as collectd names them. */
#ifndef TCPSTATES_SUBMIT_H
#define TCPSTATES_SUBMIT_H

#include "collectd.h"

#include "plugin.h"

#include "metrics.h"

/* The values of one read of one namespace, on their way. */
struct submission {
  const char *namespace; /* NULL: that of the daemon */
  value_list_t vl;       /* large: set only where it differs from the last */
  char group[DATA_MAX_NAME_LEN]; /* of the last */
  const char *type;              /* likewise */
  size_t values;                 /* that were submitted */
};

/* namespace: is referred to; NULL: that of the daemon. */
void submission_start(struct submission *submission, const char *namespace,
                      cdtime_t time);

/* A metric_cb; data: the submission. */
void submit_value(const struct metric *metric, void *data);

/* namespace: as above. */
void submit_notice(const struct notice *notice, const char *namespace,
                   cdtime_t time);

#endif
