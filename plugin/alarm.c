/* SPDX-License-Identifier: MIT */
/* Decides when to speak of stuck sockets; stuck.c says what. */
#include "alarm.h"

#include <stdio.h>
#include <string.h>

struct alarm *alarms_find(struct alarms *alarms, const char *holder,
                          uint8_t state, bool wanted) {
  struct alarm *empty = NULL;
  for (size_t i = 0; i < ALARMS_NUM; i++) {
    struct alarm *alarm = &alarms->alarm[i];
    if (alarm->holder[0] == '\0')
      empty = empty == NULL ? alarm : empty;
    else if (alarm->state == state && strcmp(alarm->holder, holder) == 0)
      return alarm;
  }
  if (!wanted)
    return NULL;
  if (empty != NULL) {
    *empty = (struct alarm){.state = state};
    snprintf(empty->holder, sizeof(empty->holder), "%s", holder);
  }
  return empty;
}

static uint8_t one_more(uint8_t reads, bool holds) {
  return holds ? reads < 2 ? reads + 1 : 2 : 0;
}

enum alarm_event alarm_update(struct alarm *alarm, uint32_t least,
                              uint32_t most, uint32_t limit) {
  alarm->met = true;
  alarm->above = one_more(alarm->above, least >= limit);
  alarm->below = one_more(alarm->below, (uint64_t)most * 2 < limit);
  if (alarm->said == 0)
    return alarm->above == 2 ? ALARM_WARNING : ALARM_NONE;
  if (least / 2 >= alarm->said)
    return ALARM_WARNING;
  return alarm->below == 2 ? ALARM_OKAY : ALARM_NONE;
}

void alarm_said(struct alarm *alarm, enum alarm_event event, uint32_t num) {
  alarm->said = event == ALARM_WARNING ? num : 0;
}

void alarms_tidy(struct alarms *alarms) {
  for (size_t i = 0; i < ALARMS_NUM; i++) {
    struct alarm *alarm = &alarms->alarm[i];
    if (!alarm->met || (alarm->said == 0 && alarm->above == 0))
      *alarm = (struct alarm){0};
    alarm->met = false;
  }
}
