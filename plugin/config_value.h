/* The values of one option of collectd's configuration tree, checked. All
 * functions return 0; -EINVAL: refused, and the error says why; -ENOMEM, and it
 * says so too. */
#ifndef TCPSTATES_CONFIG_VALUE_H
#define TCPSTATES_CONFIG_VALUE_H

#include "config.h"
#include "filter.h"

#include <liboconfig/oconfig.h>

/* What to write for the values of an option. */
#define PORT_HELP                                                              \
  "write a number from 1 to 65535, a service name or a quoted range such as "  \
  "\"8000-8099\""
#define PREFIX_HELP                                                            \
  "write an address or a prefix such as \"192.0.2.7\", \"10.0.0.0/8\" or "     \
  "\"2001:db8::/32\""
#define CGROUP_HELP                                                            \
  "write a path in the cgroup v2 hierarchy such as "                           \
  "\"/system.slice/nginx.service\""

/* An option and where it stands. */
struct config_option {
  const oconfig_item_t *item;
  const char *where; /* what error texts begin with: "" or "Filter \"db\": " */
  struct config_error *error;
};

/* Puts "WHERE TEXT" into the error and returns -EINVAL. What of the user's text
 * is no printable character becomes a question mark. */
__attribute__((format(printf, 2, 3))) int
config_refuse(const struct config_option *option, const char *format, ...);

/* Puts "out of memory" into the error and returns -ENOMEM. */
int config_out_of_memory(const struct config_option *option);

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

/* Value number i as an address or a prefix, IPv4 or IPv6. */
int config_read_prefix(const struct config_option *option, int i,
                       struct prefix *out);

/* Value number i as an address family. */
int config_read_family(const struct config_option *option, int i,
                       enum filter_family *out);

/* Value number i as a path in the cgroup v2 hierarchy: out becomes it without
 * slashes at its end, and has size bytes. */
int config_read_cgroup(const struct config_option *option, int i, char *out,
                       size_t size);

/* What a name may have, so that collectd's plugin_instance holds a group's with
 * "@NAMESPACE" behind it. */
#define CONFIG_NAME_MAX_LEN 63

/* Is it without control character, "/" and "@"? */
bool config_is_plain_name(const char *name);

/* Refuses the option if it has no value; help says what to write. */
int config_need_value(const struct config_option *option, const char *help);

#endif
