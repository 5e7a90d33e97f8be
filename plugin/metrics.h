/* SPDX-License-Identifier: MIT */
/* The values of a snapshot: the plugin's public interface. */
#ifndef TCPSTATES_METRICS_H
#define TCPSTATES_METRICS_H

#include "snapshot.h"

/* One value as collectd names it. The strings live as long as the call. */
struct metric {
  const char *plugin_instance; /* the group, "all" or "machine" */
  const char *type;            /* of collectd's types.db */
  const char *type_instance;   /* "": none */
  double value;                /* counts, seconds, pages or percent */
};

typedef void (*metric_cb)(const struct metric *metric, void *data);

/* Calls cb for each value that the settings ask for and the snapshot knows:
 * group by group in the order "all", configured, listening ports,
 * services, configured of MPTCP, then
 * "machine" unless they are those of another namespace. Returns how many there
 * were. */
size_t metrics_each(const struct settings *settings,
                    const struct snapshot *snapshot, metric_cb cb, void *data);

/* How long an orphaned FIN_WAIT2 lives, in seconds, when tcp_fin_timeout is
 * this many seconds. */
double metrics_fin_wait2_lifetime(int64_t tcp_fin_timeout);

#endif
