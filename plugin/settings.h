/* SPDX-License-Identifier: MIT */
/* What the user wants: made by config.c, read by everything after it. */
#ifndef TCPSTATES_SETTINGS_H
#define TCPSTATES_SETTINGS_H

#include "filter.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values that an option Report... switches on. */
enum settings_report {
  REPORT_BY_STATE = 1 << 0,
  REPORT_CLOSED = 1 << 1,
  REPORT_FIN_WAIT2 = 1 << 2,
  REPORT_ORPHANS = 1 << 3,
  REPORT_FIN_TIMEOUT = 1 << 4,
  REPORT_LIMITS = 1 << 5,
  REPORT_STUCK = 1 << 6,
  REPORT_ACCEPT_QUEUE = 1 << 7,
  REPORT_EPHEMERAL_PORTS = 1 << 8,
  REPORT_UNHASHED = 1 << 9,
  REPORT_SUMS = 1 << 10, /* no option: of a namespace, for unhashed.c */
};

/* A set of sockets that is counted on its own. */
struct group {
  char *name; /* the plugin_instance */
  struct filter filter;
};

/* An option that has a default until it is given. */
enum settings_choice { CHOICE_DEFAULT, CHOICE_FALSE, CHOICE_TRUE };

struct settings_namespace;

/* The states whose sockets can be stuck: ages.h. */
#define SETTINGS_STATES_AGED                                                   \
  (1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)

/* The states of a socket that keeps a local port from being used once more
 * towards the same destination. */
#define SETTINGS_STATES_WITH_PORT                                              \
  (((1u << (TCP_CLOSING + 1)) - (1u << TCP_ESTABLISHED)) &                     \
   ~(1u << TCP_CLOSE | 1u << TCP_LISTEN))

/* Made by settings_init(), then filled by config_block(), one call for each
 * block, then completed by config_finish(). */
struct settings {
  enum settings_choice all_ports_summary; /* count the group "all" */
  enum settings_choice listening_ports;   /* a group for each listened port */
  unsigned report;                        /* enum settings_report */
  uint32_t stuck_after;                   /* seconds, greater than 0 */
  uint32_t notify_stuck;    /* notify at this many stuck sockets; 0: never */
  uint32_t notify_unhashed; /* and at this many unhashed ones */
  bool notify_processes;    /* and name processes */
  bool notify_peers;        /* and remote addresses */
  bool dump;                /* Counting "dump": of all sockets, however many */
  bool services;            /* a group for each service or container */
  uint32_t services_max;    /* of them, the largest */
  bool host_names;          /* containers are called by their host names */
  bool no_group;            /* none is selected: hence the listening ports */
  struct group *groups;     /* in the order of configuration: those of TCP */
  size_t groups_num;
  size_t mptcp_num;     /* after these, those of MPTCP; none before the end of
                           config_finish() */
  bool other_namespace; /* not that of the daemon */
  struct settings_namespace *namespaces; /* in the order of configuration */
  size_t namespaces_num;
};

/* Another network namespace, or all that patterns lead to, with settings of its
 * own. */
struct settings_namespace {
  char *name;   /* after "@" in its groups' names */
  char **paths; /* of files that setns(2) takes */
  size_t paths_num;
  bool pattern; /* there are several paths, or they are patterns, for glob(3) */
  uint32_t budget; /* of a pattern: percent of one core; 0: not given */
  struct settings settings; /* its namespaces_num is 0 */
};

/* The share of one core that a pattern may use, in percent. */
#define SETTINGS_NAMESPACE_BUDGET 2

/* The settings of an empty configuration. */
void settings_init(struct settings *settings);

/* Do values or notifications need to know for how long sockets have been stuck?
 */
bool settings_need_ages(const struct settings *settings);

/* The configured group with this name, of TCP's or MPTCP's; NULL: there is
 * none. */
struct group *settings_find_group(const struct settings *settings,
                                  const char *name);

/* Do values or notifications need the number of unhashed sockets? Only those of
 * the daemon's namespace can. */
bool settings_need_unhashed(const struct settings *settings);

/* The states of sockets that the values need, as a bit mask of
 * 1 << TCP_ESTABLISHED and so on; bound-only is 1 << TCP_CLOSE. */
uint32_t settings_states(const struct settings *settings);

/* The same for the groups of MPTCP; TCP_CLOSE: their connection is over. */
uint32_t settings_mptcp_states(const struct settings *settings);

/* Is there a group of which ephemeral.h says something? */
bool settings_need_ephemeral(const struct settings *settings);

/* Do they ask for control groups, here or in another namespace? */
bool settings_need_cgroups(const struct settings *settings);

/* Do they name services, and containers by their host names, here or in another
 * namespace? */
bool settings_need_host_names(const struct settings *settings);

/* Frees what the settings hold; they are as after settings_init() then. */
void settings_free(struct settings *settings);

#endif
