/* SPDX-License-Identifier: MIT */
/* Network namespaces that are held by a mount or named by the configuration:
 * there may be no process in them. Each is entered, by a thread of netns.c,
 * because nothing else knows its sums. */
#ifndef TCPSTATES_PINNED_H
#define TCPSTATES_PINNED_H

#include "netns.h"
#include "netns_sums.h"

/* This many are known at most. */
#define PINNED_MAX 1024

/* One of them. */
struct pin {
  uint64_t inode; /* of its file */
  char path[256];
  bool alone; /* no process was found in it, so it is read each time */
};

struct pinned {
  const char *proc;
  const struct settings *wanted; /* names some */
  struct pin *pins;
  size_t num;
  char failed[256]; /* the path of the one that is an error's */

  /* The rest is pinned.c's own: a set of slots, as of a pattern. */
  bool open;
  struct netns_set set;
  struct settings settings;
  struct settings_namespace block;
  char *none; /* the path of a pattern that there is none of */
  struct {
    struct pin *pin; /* that it reads */
    char path[256];  /* a late read goes on using it */
  } slots[NETNS_SLOTS];
};

/* Makes it; proc, where procfs is mounted, and wanted are referred to. It must
 * not be moved. */
void pinned_open(struct pinned *pinned, const char *proc,
                 const struct settings *wanted);

/* Finds out which there are: in the mount table of this process, in that of
 * process 1, and in the configuration. Returns 0; -ENOSPC: more than
 * PINNED_MAX; -ENOMEM; or an error of mountinfo_each() or stat(2), of failed.
 */
int pinned_find(struct pinned *pinned);

/* Takes the sums of one. Returns whether it is alone. */
typedef bool (*pinned_cb)(const struct netns_sums *sums, void *data);

/* Enters all, or those that were alone, and calls cb for each. Those that have
 * gone are passed over. Returns 0, or an error of netns_strerror(), of failed.
 */
int pinned_read(struct pinned *pinned, bool all, int64_t deadline, pinned_cb cb,
                void *data);

/* Returns 0; or the number of reads that still go on: as netns_close(). */
size_t pinned_close(struct pinned *pinned);

#endif
