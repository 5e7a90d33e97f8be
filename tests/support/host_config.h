/* SPDX-License-Identifier: MIT */
/* A collectd.conf becomes the oconfig tree that plugin_host gives to a plugin.
 */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include "collectd.h"

#include "liboconfig/oconfig.h"

/* Hidden: a plugin must find no name in the host that the daemon does not have.
 */
#pragma GCC visibility push(hidden)

/* Reads `path` with the grammar of collectd 5.12, src/liboconfig/scanner.l and
 * parser.y, so that each value has the type the daemon would give it. As there:
 * an item with neither values nor children is dropped, `parent` is never set,
 * and characters that no rule of the scanner knows are skipped (told on
 * stderr). Include is an ordinary item. Returns 0 and an unnamed root in *root,
 * which the caller frees with host_config_free(); -EINVAL for a file that is
 * not of this grammar, -errno for one that cannot be read (-EILSEQ: it holds a
 * NUL), both with one line in `error` and *root untouched. */
int host_config_read(const char *path, oconfig_item_t **root, char *error,
                     size_t error_size);

/* Frees `root` and all below it. NULL is allowed. */
void host_config_free(oconfig_item_t *root);

#pragma GCC visibility pop

#endif
