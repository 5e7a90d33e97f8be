/* SPDX-License-Identifier: MIT */
/* Joins the number of unhashed sockets with its alarm, for tcpstates.c. */
#include "unhashed_alarm.h"

#include "culprits.h"
#include "proc_text.h"

#include <netinet/tcp.h>
#include <stdio.h>

static void warn(struct unhashed_alarm *alarm, uint32_t number,
                 const char *proc, struct diag_dump *dump) {
  struct evidence evidence = {
      .name = "machine",
      .everyone = true,
      .holder = {.state = TCP_CLOSE, .num = number},
      .searched = true,
  };
  struct process_search search = culprits_find(proc, dump, &evidence.processes);
  evidence.complete =
      search.complete && search.error == 0 && search.refused == 0;
  notice_warning(&alarm->notice, &evidence);
}

bool unhashed_alarm_update(struct unhashed_alarm *alarm, int64_t number,
                           uint32_t limit, int64_t now, const char *proc,
                           struct diag_dump *dump) {
  if (limit == 0 || number == PROC_UNKNOWN)
    return false;
  uint32_t num = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
  if (alarm->alarm.holder[0] == '\0')
    snprintf(alarm->alarm.holder, sizeof(alarm->alarm.holder), "machine");
  alarm->alarm.state = TCP_CLOSE;
  enum alarm_event event = alarm_update(&alarm->alarm, num, num, limit);
  if (event == ALARM_NONE)
    return false;
  if (event == ALARM_WARNING) {
    if (alarm->searched && now - alarm->last < UNHASHED_SEARCH_PAUSE)
      return false;
    alarm->searched = true;
    alarm->last = now;
    warn(alarm, num, proc, dump);
  } else {
    notice_okay(&alarm->notice, &alarm->alarm, num, limit);
  }
  alarm_said(&alarm->alarm, event, num);
  return true;
}
