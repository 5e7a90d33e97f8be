/* SPDX-License-Identifier: MIT */
/* The options that make groups: ports, and Filter blocks. */
#ifndef TCPSTATES_CONFIG_GROUPS_H
#define TCPSTATES_CONFIG_GROUPS_H

#include "config_value.h"

/* For the tables: LocalPort (local is true) and RemotePort, each of whose
 * values is a group, or in a Filter a condition; and a Filter block. */
int config_read_ports(const struct config_option *option, unsigned local);
int config_read_filter(const struct config_option *option, unsigned arg);

/* Is it a name that a port option gives: "N-local" or "N-M-remote"? */
bool config_is_port_name(const char *name);

#endif
