/* SPDX-License-Identifier: MIT */
/* The alarms of stuck sockets: one for each holder and state, independent of
 * each other. */
#ifndef TCPSTATES_ALARM_H
#define TCPSTATES_ALARM_H

#include "service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* This many can be going on; other holders have to wait until one ends. */
#define ALARMS_NUM 64

enum alarm_event { ALARM_NONE, ALARM_WARNING, ALARM_OKAY };

struct alarm {
  char holder[SERVICE_NAME_SIZE]; /* "": there is none in this place */
  uint8_t state;                  /* TCP_CLOSE_WAIT and so on */
  bool met;                       /* in this read */
  uint32_t said;                  /* the number of the last WARNING; 0: none */
  uint8_t above; /* reads in a row with enough sockets, at most 2 */
  uint8_t below; /* with less than half */
};

/* Empty when zero-initialised. */
struct alarms {
  struct alarm alarm[ALARMS_NUM];
};

/* The alarm of this holder in this state. If it has none and wanted is true, it
 * gets one. Returns NULL if it has none, or there is no place for it. */
struct alarm *alarms_find(struct alarms *alarms, const char *holder,
                          uint8_t state, bool wanted);

/* Takes the number of stuck sockets of one more read: least, and at most most.
 * Returns what there is to say: ALARM_WARNING at the second read in a row with
 * limit or more, and again at twice the number of the last WARNING; after a
 * WARNING, ALARM_OKAY at the second read in a row with less than half of limit.
 * It is returned in each read until it has been said. */
enum alarm_event alarm_update(struct alarm *alarm, uint32_t least,
                              uint32_t most, uint32_t limit);

/* It was said, of this many sockets. */
void alarm_said(struct alarm *alarm, enum alarm_event event, uint32_t num);

/* Ends a read: frees the places of those that have nothing to say. */
void alarms_tidy(struct alarms *alarms);

#endif
