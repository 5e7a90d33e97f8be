/* SPDX-License-Identifier: MIT */
/* The options of a block of collectd's configuration tree: found in a table,
 * and their values checked. All functions that return an int return 0; -EINVAL:
 * refused, and the error says why; -ENOMEM, and it says so too. */
#ifndef TCPSTATES_CONFIG_VALUE_H
#define TCPSTATES_CONFIG_VALUE_H

#include "filter.h"

#include <liboconfig/oconfig.h>

struct settings;
struct settings_namespace;

/* Why a configuration is refused: one line, without the plugin's name. */
struct config_error {
  char text[640]; /* the longest lists all options */
};

/* What to write for a port. */
#define PORT_HELP                                                              \
  "write a number from 1 to 65535, a service name or a quoted range such as "  \
  "\"8000-8099\""

/* An option, where it is allowed, and what it changes. */
struct config_option {
  const oconfig_item_t *item;
  const char *where; /* what error texts begin with: "" or "Filter \"db\": " */
  struct config_error *error;
  struct settings *settings;
  struct filter *filter;                /* inside a Filter block; else NULL */
  bool *has_protocol;                   /* there: has it a Protocol yet? */
  struct settings_namespace *namespace; /* inside its block; else NULL */
};

/* An option that there is. */
struct config_entry {
  const char *key;
  int (*read)(const struct config_option *option, unsigned arg);
  unsigned arg;
  bool block;
};

/* Has each option in the block read by the entry of its name, in any case of
 * letters. inside: what they have in common, item is not used. also: also_num
 * further entries. Stops at the first that is refused: it has no entry, is a
 * block and must not be one, or its entry refuses it. */
int config_read_block(const struct config_option *inside,
                      const oconfig_item_t *block,
                      const struct config_entry *entries, size_t num,
                      const struct config_entry *also, size_t also_num);

/* Puts "WHERE TEXT" into the error and returns -EINVAL. What of the user's text
 * is no printable character becomes a question mark. */
__attribute__((format(printf, 2, 3))) int
config_refuse(const struct config_option *option, const char *format, ...);

/* The same with "OPTION VALUE: REASON", for value number i. */
int config_refuse_value(const struct config_option *option, int i,
                        const char *reason);

/* Puts "out of memory" into the error and returns -ENOMEM. */
int config_out_of_memory(const struct config_option *option);

/* Refuses the option if it has no value; help says what to write. */
int config_need_value(const struct config_option *option, const char *help);

/* The one value as true or false. */
int config_read_boolean(const struct config_option *option, bool *out);

/* The one value as a text; help says what to write. */
int config_read_string(const struct config_option *option, const char *help,
                       const char **out);

/* The one value as a whole number from min to max; help says what to write. */
int config_read_number(const struct config_option *option, uint32_t min,
                       uint32_t max, const char *help, uint32_t *out);

/* Value number i as ports: a number, a service name or a quoted range. */
int config_read_port(const struct config_option *option, int i,
                     struct port_range *out);

/* What a name may have, so that collectd's plugin_instance holds a group's with
 * "@NAMESPACE" after it. */
#define CONFIG_NAME_MAX_LEN 63

/* Does the text have a control character in it, which would be a line of its
 * own in the log, or more to a terminal? */
bool config_has_control(const char *text);

/* What is wrong with a name, for "the name ..."; NULL: nothing. */
const char *config_name_fault(const char *name);

#endif
