/* SPDX-License-Identifier: MIT */
/* How many TCP sockets of the machine are in no state: never connected, bound
 * only, or reset, while a program still holds them. The kernel's alloc counts
 * them, and no namespace's inuse does: the number is alloc minus inuse of all
 * network namespaces. They are found through the processes, and through mounts,
 * and what cannot be found makes the number unknown. Source: net/ipv4/tcp.c,
 * tcp_init_sock(); net/ipv4/inet_hashtables.c, inet_unhash(). */
#ifndef TCPSTATES_UNHASHED_H
#define TCPSTATES_UNHASHED_H

#include "netns_sums.h"
#include "pinned.h"

/* Users decide how many processes there are, and namespaces. Beyond these the
 * number is not known. */
#define UNHASHED_PROCESSES_MAX 32768
#define UNHASHED_NAMESPACES_MAX 1024

/* Reading all processes costs some 11 us for each of them. It is done in one
 * read of this many, or once in this many ms; and when the number seems to have
 * risen by a quarter, and by UNHASHED_STEP: up to UNHASHED_BURST times, and
 * once more after each regular read. */
#define UNHASHED_READS 200
#define UNHASHED_PATIENCE 2000000
#define UNHASHED_STEP 10
#define UNHASHED_BURST 4

/* Where there are several namespaces, their sums are read in one read of this
 * many times as many, and at least once in UNHASHED_READS: it costs some 35 us
 * for each of them. */
#define UNHASHED_SUMS_READS 4

/* Orphans of a namespace whose last process has ended live no longer than this,
 * ms, unless tcp_orphan_retries was raised. */
#define UNHASHED_ORPHANS 300000

/* Why the number is not known. */
enum unhashed_gap {
  UNHASHED_KNOWN,
  UNHASHED_PID_NAMESPACE,
  UNHASHED_HIDDEN,
  UNHASHED_PROCESSES,
  UNHASHED_NAMESPACES,
  UNHASHED_PINNED, /* one cannot be read */
  UNHASHED_FILES,  /* of proc */
};

struct unhashed {
  int64_t value; /* PROC_UNKNOWN: it is not known */
  enum unhashed_gap gap;
  int error; /* -errno, of UNHASHED_PINNED and UNHASHED_FILES; of another gap
                another one */

  /* The rest is unhashed.c's own. */
  const char *proc;
  struct pinned pinned;
  struct unhashed_namespace {
    ino_t ino;
    uint32_t pid;  /* a process in it; 0: none */
    uint32_t walk; /* the number of the last one that has found it */
    int64_t inuse; /* when it was read last */
    bool fresh;    /* in this read */
  } namespaces[UNHASHED_NAMESPACES_MAX];
  size_t num;
  uint16_t index[2 * UNHASHED_NAMESPACES_MAX]; /* by ino: position + 1 */
  bool alone;                                  /* some have no process */
  uint32_t walk;                               /* the last number */
  uint32_t processes;                          /* in it */
  bool hidden;                                 /* some were, in it */
  bool full;           /* there was no place for a namespace */
  int64_t alloc;       /* the smallest of this read */
  int64_t orphan;      /* the largest */
  unsigned tokens;     /* walks that may be made when the number rises */
  unsigned reads;      /* since there was one more of these */
  unsigned sums_reads; /* since the sums were read */
  bool unread;         /* not all could be, in this read */
  int64_t since;       /* ms */
  int64_t ended;       /* sockets of namespaces that have ended */
  int64_t ended_at;    /* ms */
};

/* Makes it; settings and proc, where procfs is mounted, are referred to.
 * Returns it or NULL without memory. */
struct unhashed *unhashed_open(const struct settings *settings,
                               const char *proc);

/* Finds the number; own is of this process's namespace. now and deadline are of
 * clock_ms(). Allocates nothing unless namespaces are held by mounts. */
void unhashed_read(struct unhashed *unhashed, const struct netns_sums *own,
                   int64_t now, int64_t deadline);

/* Why the number is not known: a sentence without a full stop; NULL: what error
 * says. what: of which it is said. */
const char *unhashed_strerror(const struct unhashed *unhashed,
                              const char **what);

/* Returns 0; or the number of reads that still go on and use it. */
size_t unhashed_close(struct unhashed *unhashed);

#endif
