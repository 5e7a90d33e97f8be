/* Reads of other network namespaces, each in a thread of its own: the daemon's
 * threads never change theirs. A namespace is held only while it is read: one
 * that was deleted is gone with the end of the read. */
#ifndef TCPSTATES_NETNS_H
#define TCPSTATES_NETNS_H

#include "snapshot.h"

#include <pthread.h>
#include <time.h>

enum netns_state { NETNS_IDLE, NETNS_READING, NETNS_DONE };

/* One namespace. */
struct netns {
  const char *path; /* of a file that setns(2) takes */
  struct snapshot_reader reader;
  struct snapshot snapshot; /* what the last read has found */
  int error; /* 0: there is a snapshot; -errno of open(2), setns(2),
                pthread_create(3) */
  struct netns_set *set;
  pthread_t thread;
  bool joinable;
  enum netns_state state; /* under the set's lock */
};

/* All of them. */
struct netns_set {
  struct netns *netns;
  size_t num;
  pthread_mutex_t lock;
  pthread_cond_t done;
};

/* Makes the set of the settings' namespaces, which it refers to from then on.
 * It must not be moved. proc is where procfs is mounted.
 * Returns 0 or -ENOMEM, the set needs no closing then. */
int netns_open(struct netns_set *set, struct settings *settings,
               const char *proc);

/* Begins a read of each namespace but those whose last one has not ended. */
void netns_start(struct netns_set *set);

/* Waits until another read has ended, and returns its namespace; NULL: all that
 * were begun have been returned, or it is past the deadline (CLOCK_MONOTONIC).
 */
struct netns *netns_next(struct netns_set *set,
                         const struct timespec *deadline);

/* Is the read of the namespace still going on? */
bool netns_is_reading(struct netns *netns);

/* What a namespace's error means and what to do about it: a sentence without
 * full stop. */
const char *netns_strerror(int error);

/* Waits until all reads have ended, and frees the set. */
void netns_close(struct netns_set *set);

#endif
