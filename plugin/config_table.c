/* Finds an option in a table of those that there are; config.c and
 * config_groups.c have the tables. */
#include "config_table.h"

#include <stdio.h>
#include <strings.h>

static int refuse_unknown(const struct config_parse *p,
                          const struct config_entry *entries, size_t num,
                          const struct config_entry *also) {
  char known[400] = "";
  for (size_t i = 0, len = 0; i < num && len < sizeof(known); i++)
    len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
                            i == 0 ? "" : ", ", entries[i].key);
  return config_refuse(&p->option,
                       "unknown option \"%.60s\"; write one of %s%s%s",
                       p->option.item->key, known, also == NULL ? "" : ", ",
                       also == NULL ? "" : also->key);
}

int config_read_entry(const struct config_parse *p,
                      const struct config_entry *entries, size_t num,
                      const struct config_entry *also) {
  const oconfig_item_t *item = p->option.item;
  const struct config_entry *entry = also;
  for (size_t i = 0; i < num; i++)
    if (strcasecmp(entries[i].key, item->key) == 0)
      entry = &entries[i];
  if (entry == NULL || strcasecmp(entry->key, item->key) != 0)
    return refuse_unknown(p, entries, num, also);
  if (item->children_num > 0 && !entry->block)
    return config_refuse(&p->option,
                         "<%s>: is not a block; write it on one line: %s",
                         item->key, entry->key);
  return entry->read(p, entry->arg);
}
