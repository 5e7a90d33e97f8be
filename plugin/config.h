/* SPDX-License-Identifier: MIT */
/* From collectd's configuration tree to settings. */
#ifndef TCPSTATES_CONFIG_H
#define TCPSTATES_CONFIG_H

#include "config_value.h"
#include "settings.h"

/* Adds one <Plugin tcpstates> block to the settings.
 * Returns 0; -EINVAL: refused, error says why; -ENOMEM, error says so too.
 * After an error the settings can only be freed. */
int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error);

/* To be called after the last block: gives the options that nobody has set
 * their defaults, which depend on the others, and whoever selects no group the
 * listening ports. */
void config_finish(struct settings *settings);

#endif
