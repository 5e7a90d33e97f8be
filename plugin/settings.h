/* What the user wants: made by config.c, read by everything behind it. */
#ifndef TCPSTATES_SETTINGS_H
#define TCPSTATES_SETTINGS_H

#include "filter.h"

#include <stdbool.h>
#include <stddef.h>

/* The values that an option Report... switches on. */
enum settings_report {
  REPORT_BY_STATE = 1 << 0,
  REPORT_CLOSED = 1 << 1,
  REPORT_FIN_WAIT2 = 1 << 2,
  REPORT_ORPHANS = 1 << 3,
  REPORT_FIN_TIMEOUT = 1 << 4,
  REPORT_LIMITS = 1 << 5,
};

/* A set of sockets that is counted on its own. */
struct group {
  char *name; /* the plugin_instance */
  struct filter filter;
};

/* An option that has a default until it is given. */
enum settings_choice { CHOICE_DEFAULT, CHOICE_FALSE, CHOICE_TRUE };

/* Made by settings_init(), then filled by config_block(), one call for each
 * block, then completed by config_finish(). */
struct settings {
  enum settings_choice all_ports_summary; /* count the group "all" */
  enum settings_choice listening_ports;   /* a group for each listened port */
  unsigned report;                        /* enum settings_report */
  struct group *groups;                   /* in the order of configuration */
  size_t groups_num;
};

/* The settings of an empty configuration. */
void settings_init(struct settings *settings);

/* Does any group need the kernel's sockets? */
bool settings_need_sockets(const struct settings *settings);

/* Frees what the settings hold; they are as after settings_init() then. */
void settings_free(struct settings *settings);

#endif
