/* Options in tables: what each is called, and who reads it. */
#ifndef TCPSTATES_CONFIG_TABLE_H
#define TCPSTATES_CONFIG_TABLE_H

#include "config_value.h"

/* An option with what it changes. */
struct config_parse {
  struct config_option option;
  struct settings *settings;
  struct filter *filter; /* inside a Filter block; else NULL */
  const char **name;     /* inside a Namespace block: its name; else NULL */
};

struct config_entry {
  const char *key;
  /* Returns 0, or -EINVAL or -ENOMEM with the error filled. */
  int (*read)(const struct config_parse *p, unsigned arg);
  unsigned arg;
  bool block;
};

/* Has the option read by the entry of its name, in any case of letters. also: a
 * further entry; NULL: there is none. Returns what the entry's function does;
 * -EINVAL, with the error filled: there is none of that name, or it is no
 * block. */
int config_read_entry(const struct config_parse *p,
                      const struct config_entry *entries, size_t num,
                      const struct config_entry *also);

#endif
