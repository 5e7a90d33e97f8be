/* SPDX-License-Identifier: MIT */
/* Who is to be notified of sockets in no state, and what is said. */
#ifndef TCPSTATES_UNHASHED_ALARM_H
#define TCPSTATES_UNHASHED_ALARM_H

#include "alarm.h"
#include "diag_dump.h"
#include "notice.h"

/* Descriptors are searched at most once in this many ms; a WARNING waits.
 */
#define UNHASHED_SEARCH_PAUSE 60000

/* Ready for use when zero-initialised. */
struct unhashed_alarm {
  struct alarm alarm;
  bool searched;
  int64_t last; /* search, ms */
  struct notice notice;
};

/* Takes the number of one more read, at now of clock_ms(). Returns whether
 * there is a notice: a WARNING at the second read in a row with limit or more,
 * and again at each doubling; an OKAY at the second with fewer than half.
 * limit: 0: never; a number that is PROC_UNKNOWN is no read. Only for a WARNING
 * the processes are searched, see culprits_find(). */
bool unhashed_alarm_update(struct unhashed_alarm *alarm, int64_t number,
                           uint32_t limit, int64_t now, const char *proc,
                           struct diag_dump *dump);

#endif
