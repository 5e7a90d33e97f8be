/* SPDX-License-Identifier: MIT */
/* Counts what is most frequent, for holders.c and ephemeral.c. When there is no
 * place for a new thing, it is dropped, and one is subtracted from every count.
 * These are max + 1 different things, so each loses at most 1 in max + 1. */
#include "hitters.h"

#include <string.h>

static void *entry_at(const struct hitters *table, size_t place) {
  return (char *)table->entries + place * table->size;
}

static uint32_t *count_of(void *entry) { return entry; }

/* Its place in the index, or the empty one that it would have. */
static uint16_t *find(const struct hitters *table, const void *entry) {
  size_t num = 2 * (size_t)table->max;
  size_t i = (size_t)(table->hash(entry, table->multiplier) >> 32) % num;
  while (table->index[i] != 0 &&
         !table->same(entry_at(table, table->index[i] - 1u), entry))
    i = (i + 1) % num;
  return &table->index[i];
}

static void clear_index(const struct hitters *table) {
  memset(table->index, 0, 2 * (size_t)table->max * sizeof(*table->index));
}

static void drop_one_of_each(const struct hitters *table) {
  size_t num = *table->num;
  *table->num = 0;
  clear_index(table);
  ++*table->missed;
  for (size_t i = 0; i < num; i++) {
    void *entry = entry_at(table, i);
    if (--*count_of(entry) == 0)
      continue;
    if (*table->num != i)
      memcpy(entry_at(table, *table->num), entry, table->size);
    *find(table, entry) = (uint16_t)++ * table->num;
  }
}

void hitters_reset(const struct hitters *table) {
  *table->num = 0;
  *table->missed = 0;
  clear_index(table);
}

void *hitters_add(const struct hitters *table, const void *entry) {
  uint16_t *place = find(table, entry);
  if (*place == 0 && *table->num == table->max) {
    drop_one_of_each(table);
    return NULL;
  }
  bool is_new = *place == 0;
  if (is_new)
    *place = (uint16_t)++ * table->num;
  void *own = entry_at(table, *place - 1u);
  if (is_new) {
    memcpy(own, entry, table->size);
    *count_of(own) = 0;
  }
  ++*count_of(own);
  return own;
}
