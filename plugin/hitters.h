/* SPDX-License-Identifier: MIT */
/* The most frequent of many things, counted in one pass and in a fixed size,
 * whatever comes first: the method of Misra and Gries, "Finding repeated
 * elements" (1982). */
#ifndef TCPSTATES_HITTERS_H
#define TCPSTATES_HITTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table in the caller's memory, which is empty when it is all 0. An entry
 * begins with a uint32_t: how often its thing was added, at least.
 *
 * An entry's number is at most *missed below the truth, and a thing without an
 * entry was added at most *missed times. That is never more than one in max + 1
 * of all that was added, and 0 while there were at most max different things.
 */
struct hitters {
  void *entries; /* *num of them, in no order */
  size_t size;   /* bytes of each */
  uint32_t max;  /* at most 32767 */
  size_t *num;
  uint32_t *missed;
  uint16_t *index; /* 2 * max: by hash, 1 + the entry's place; 0: empty */
  bool (*same)(const void *a, const void *b); /* are they the same thing? */
  uint64_t (*hash)(const void *entry, uint64_t multiplier);
  uint64_t multiplier; /* hash.h: its upper half is what counts */
};

/* Adds the thing that an entry names. Returns its entry, a copy of this one if
 * it is new, and valid until the next call; NULL: there was no place, so that
 * one of each thing was taken away, the new one included. */
void *hitters_add(const struct hitters *table, const void *entry);

/* Empties it. */
void hitters_reset(const struct hitters *table);

#endif
