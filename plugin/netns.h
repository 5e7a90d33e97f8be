/* Reads of other network namespaces, each in a thread of its own: the daemon's
 * threads never change theirs. A namespace is held only while it is read: one
 * that was deleted is gone with the end of the read. A read that hangs costs
 * the values of its namespace, and nothing else. */
#ifndef TCPSTATES_NETNS_H
#define TCPSTATES_NETNS_H

#include "snapshot.h"

#include <pthread.h>
#include <time.h>

/* So many are read at a time. All namespaces share the kernel's table of
 * sockets: more at once would take the machine's cores for as many walks of it,
 * and draw out the time between the kernel's sums and the end of the dump that
 * they belong to. */
#define NETNS_PARALLEL 4

/* Seconds: when no read has ended for so long, one more may begin beside them.
 * After NETNS_PATIENCE_TIMES that, those that have not ended are given up. */
#define NETNS_PATIENCE 1
#define NETNS_PATIENCE_TIMES 10

enum netns_state {
  NETNS_IDLE,
  NETNS_WAITING, /* to be read */
  NETNS_READING,
  NETNS_LATE, /* a read that was given up goes on */
};

/* One namespace. */
struct netns {
  const char *path; /* of a file that setns(2) takes */
  struct snapshot_reader reader;
  struct snapshot snapshot; /* what the last read has found */
  int error; /* 0: there is a snapshot; -errno of open(2), setns(2),
                pthread_create(3) */

  /* The rest is netns.c's own. */
  struct netns_set *set;
  pthread_t thread;
  bool joinable;
  enum netns_state state;
  bool ended; /* the thread has; under the set's lock */
};

/* All of them. */
struct netns_set {
  struct netns *netns;
  size_t num;
  size_t parallel; /* so many may be read at a time */
  pthread_mutex_t lock;
  pthread_cond_t done;
};

/* Makes the set of the settings' namespaces, which it refers to from then on.
 * It must not be moved. proc is where procfs is mounted; absence is what all
 * of the machine's dumps share.
 * Returns 0 or -ENOMEM, the set needs no closing then. */
int netns_open(struct netns_set *set, const struct settings *settings,
               const char *proc, struct diag_absence *absence);

/* Begins to read all namespaces, but those of which an earlier read still goes
 * on: what that one finds comes too late, and is dropped. */
void netns_start(struct netns_set *set);

/* Waits until another read has ended, and returns its namespace. NULL: there
 * are no more; the rest is given up, because the deadline (CLOCK_MONOTONIC) is
 * past, or because none has ended for NETNS_PATIENCE * NETNS_PATIENCE_TIMES
 * seconds: collectd cannot stop while its read callback waits. */
struct netns *netns_next(struct netns_set *set,
                         const struct timespec *deadline);

/* Once netns_next() has returned NULL: was the namespace given up? */
bool netns_is_missing(const struct netns *netns);

/* What a namespace's error means and what to do about it: a sentence without
 * full stop. NULL: no more than strerror(3) says. */
const char *netns_strerror(int error);

/* Frees the set. Returns 0; or the number of reads that still go on: they are
 * not waited for, and they go on using what they were given, the settings, too.
 */
size_t netns_close(struct netns_set *set);

#endif
