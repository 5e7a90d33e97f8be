/* SPDX-License-Identifier: MIT */
/* Who is to be notified of stuck sockets after a read, and what is said. */
#ifndef TCPSTATES_STUCK_H
#define TCPSTATES_STUCK_H

#include "ages.h"
#include "diag_dump.h"
#include "notice.h"
#include "settings.h"
#include "whose.h"

/* This many are notified of in one read at most; the others in the next. */
#define STUCK_NOTICES PROCESS_HOLDERS

/* Users decide how many processes and descriptors a search for NotifyProcesses
 * reads, and how often it is due. The next one begins only when this many times
 * the CPU time of the last one have passed; until then a WARNING waits. */
#define STUCK_SEARCH_PAUSE 19

/* What is kept from one read to the next. Zero-initialised except for
 * whose.tree it is ready for use. */
struct stuck {
  struct whose whose;
  struct holders holders; /* of this read */
  struct alarms alarms;
  struct notice *notices; /* what is to be said; stuck_free() once it is */
  size_t notices_num;
  /* What the notices of this read should name and do not */
  bool no_cgroups;
  bool no_processes;
  struct process_search search;
  int64_t search_from; /* the next one begins then, of clock_ms() */
};

/* What it takes to find out more: of the namespace that was read. */
struct stuck_read {
  const struct settings *settings;
  const struct ages *ages;
  struct diag_dump *dump;
  const char *proc; /* where procfs is mounted */
};

/* Takes the counts of one more complete read, and makes the notices for it.
 * Dumps and searches only when a WARNING is due. Where there are still notices,
 * because the read that made them was given up, it leaves them, and makes none.
 */
void stuck_update(struct stuck *stuck, const struct stuck_read *read);

/* Frees the notices. */
void stuck_free(struct stuck *stuck);

#endif
