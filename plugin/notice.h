/* SPDX-License-Identifier: MIT */
/* The text of a notification of sockets that are stuck or in no state
 * (TCP_CLOSE), and its meta data. */
#ifndef TCPSTATES_NOTICE_H
#define TCPSTATES_NOTICE_H

#include "alarm.h"
#include "evidence.h"

/* What collectd takes for a text, with the NUL byte (NOTIF_MAX_MSG_LEN). */
#define NOTICE_TEXT_SIZE 256

#define NOTICE_META_NUM 10
#define NOTICE_META_SIZE 4096

/* It must not be moved. */
struct notice {
  enum alarm_event event; /* ALARM_WARNING or ALARM_OKAY */
  char holder[SERVICE_NAME_SIZE];
  uint8_t state; /* TCP_CLOSE_WAIT and so on */
  char text[NOTICE_TEXT_SIZE];
  /* All facts, and no text in them is a line of its own: exec makes header
   * lines of them */
  struct {
    const char *name;
    const char *value;
  } meta[NOTICE_META_NUM];
  size_t meta_num;
  char values[NOTICE_META_SIZE];
};

/* The name of the state, and of the value that counts what is stuck in it:
 * "CLOSE_WAIT", "close_wait_stuck". */
const char *notice_state(uint8_t state);
const char *notice_value(uint8_t state);

/* Makes the notification that sockets are stuck. The text says how many, whose,
 * in which state, for how long, what that means, at which ports and in which
 * processes; of what does not fit all is in the meta data. */
void notice_warning(struct notice *notice, const struct evidence *evidence);

/* Makes the one for the end: fewer than half of limit are stuck. */
void notice_okay(struct notice *notice, const struct alarm *alarm, uint32_t num,
                 uint32_t limit);

#endif
