/* SPDX-License-Identifier: MIT */
/* Reads of other network namespaces, each in a thread that is not the daemon's:
 * its threads never change theirs. A namespace is held only while it is read: a
 * deleted one is gone when the read ends. A read that hangs costs the values of
 * its namespace, and nothing else. */
#ifndef TCPSTATES_NETNS_H
#define TCPSTATES_NETNS_H

#include "snapshot.h"

#include <pthread.h>

/* This many are read at a time, those among them that are late and do not hang.
 * All namespaces share the kernel's table of
 * sockets: more at once would take the machine's cores for as many walks of it,
 * and draw out the time between the kernel's sums and the end of the dump that
 * they belong to. */
#define NETNS_PARALLEL 4

/* One thread reads those that take less than this, in ms, one after the other:
 * to pass each to another thread costs a third of a read of one without a
 * socket. */
#define NETNS_QUICK 20

/* A read that hangs for this long, in ms, is given up: it is late then, what it
 * finds is dropped, and another one may begin meanwhile. One that takes CPU
 * time, NETNS_QUICK at least, does not hang: on a busy machine with a large
 * table of sockets it is slow, and has until the deadline. */
#define NETNS_PATIENCE 5000

/* There are never more threads than this. When all of them hang, no namespace
 * is read until one of them has ended. */
#define NETNS_THREADS 32

/* This many of a pattern wait or are read at a time. With fewer, the thread
 * that reads them waits more often for the next ones. */
#define NETNS_SLOTS 8

enum netns_state {
  NETNS_IDLE,
  NETNS_WAITING, /* to be read */
  NETNS_READING,
  NETNS_ENDED,
  NETNS_LATE, /* a read that was given up goes on */
};

/* One namespace of a block, or of a pattern one after the other. */
struct netns {
  size_t block;     /* the position of its block in the settings */
  bool slot;        /* of a pattern: it is read when netns_add() says so */
  const char *path; /* of a file that setns(2) takes */
  ino_t ino; /* its number, if another one may be there meanwhile; else 0 */
  struct snapshot_reader reader;
  struct snapshot snapshot; /* what the last read has found */
  int error;   /* 0: there is a snapshot; -errno of open(2), setns(2),
                  pthread_create(3) */
  int64_t cpu; /* ns that the last read has taken */

  /* The rest is netns.c's own. */
  enum netns_state state; /* under the set's lock */
};

/* A thread, which reads one namespace after the other. */
struct netns_worker {
  struct netns_set *set;
  pthread_t thread;
  bool joinable;
  int64_t used; /* ns of CPU time, until the end of its last read */
  /* The rest is under the set's lock. */
  bool ended;
  bool late;           /* it ends once it has read this one */
  struct netns *netns; /* NULL: it waits for one */
  int64_t begun;       /* with this one */
  int64_t cpu;         /* ns that it had taken when it was last seen to work */
  int64_t seen;        /* when that was, of clock_ms() */
};

/* All of them. */
struct netns_set {
  struct netns *netns; /* in the order of configuration; NETNS_SLOTS for each
                          pattern */
  size_t num;
  int64_t patience; /* ms */
  size_t threads;   /* at most, up to NETNS_THREADS */

  /* The rest is netns.c's own. */
  struct netns_worker workers[NETNS_THREADS];
  size_t first; /* of this read's order */
  size_t next;  /* the first that may still have to begin */
  bool stop;    /* none begins any more */
  bool full;    /* none has begun because all threads hang */
  pthread_mutex_t lock;
  pthread_cond_t work; /* for the workers */
  pthread_cond_t done; /* for those who wait for them */
};

/* Makes the set of the settings' namespaces, which it keeps a reference to.
 * It must not be moved. proc is where procfs is mounted; absence is what all
 * of the machine's dumps share; cgroups are the machine's, NULL where the
 * settings need none.
 * Returns 0 or -ENOMEM, the set needs no closing then. */
int netns_open(struct netns_set *set, const struct settings *settings,
               const char *proc, struct diag_absence *absence,
               struct cgroup_tree *cgroups);

/* Begins to read all namespaces, except those of patterns and those that an
 * earlier read is still busy with. The first to begin is the one at which the
 * read before ran out of time. */
void netns_start(struct netns_set *set);

/* Begins to read the path of a pattern's slot that is not late. */
void netns_add(struct netns_set *set, struct netns *slot);

/* Does a read go on that was given up? */
bool netns_is_late(const struct netns *netns);

/* Waits until another read has ended, and returns its namespace. NULL: there
 * are no more; the rest is given up, because the deadline, of clock_ms(), is
 * past, they have hung for the set's patience, or too many threads
 * hang. */
struct netns *netns_next(struct netns_set *set, int64_t deadline);

/* Once netns_next() has returned NULL: 0: the namespace was read; -ETIMEDOUT:
 * it was given up; -EBUSY: there was no thread for it. */
int netns_missing(const struct netns_set *set, const struct netns *netns);

/* Is err, a negative errno, that of a path whose namespace is there no more? */
bool netns_is_gone(int err);

/* What a namespace's error means and what to do about it: a sentence without a
 * full stop. NULL: no more than strerror(3) says. */
const char *netns_strerror(int error);

/* Frees the set. Returns 0; or the number of reads that still go on: they are
 * not waited for, and they go on using what they were given, the settings, too.
 */
size_t netns_close(struct netns_set *set);

#endif
