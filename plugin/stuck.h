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

/* What is kept from one read to the next. Zero-initialised except for
 * whose.tree it is ready for use. */
struct stuck {
  struct whose whose;
  struct holders holders; /* of this read */
  struct alarms alarms;
  struct notice *notices; /* what is to be said after this read */
  size_t notices_num;
  /* Why notices of this read do not name what they should */
  bool no_cgroups;
  bool no_processes;
  struct process_search search;
};

/* What it takes to find out more: of the namespace that was read. */
struct stuck_read {
  const struct settings *settings;
  const struct ages *ages;
  struct diag_dump *dump;
  const char *proc; /* where procfs is mounted */
};

/* Takes the counts of one more complete read, and makes the notices for it.
 * Dumps and searches only when somebody is to be told that sockets are stuck.
 */
void stuck_update(struct stuck *stuck, const struct stuck_read *read);

/* Writes why names are missing, a sentence without full stop, "" where none
 * are. */
void stuck_missing_cgroups(const struct stuck *stuck, char *buf, size_t size);
void stuck_missing_processes(const struct stuck *stuck, char *buf, size_t size);

void stuck_free(struct stuck *stuck);

#endif
