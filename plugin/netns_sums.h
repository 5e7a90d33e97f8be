/* SPDX-License-Identifier: MIT */
/* The kernel's own sums of the TCP sockets of a network namespace, and which
 * namespace that is, without entering it. */
#ifndef TCPSTATES_NETNS_SUMS_H
#define TCPSTATES_NETNS_SUMS_H

#include <stdint.h>
#include <sys/types.h>

struct netns_sums {
  ino_t ino;      /* of its sockstat: another one in each namespace (the entries
                     of /proc/net are made for each, fs/proc/proc_net.c) */
  int64_t inuse;  /* full sockets of both address families */
  int64_t alloc;  /* of the whole machine, at the same moment */
  int64_t orphan; /* likewise */
};

/* Finds out which namespace the process is in; pid: 0: this thread. proc is
 * where procfs is mounted. Returns 0; -ENOENT or -ESRCH: it has ended; or
 * -errno of stat(2). */
int netns_sums_identify(const char *proc, uint32_t pid, ino_t *ino);

/* Reads them. Returns as above, or as proc_file_read() and proc_text_sockstat()
 * do; *out is untouched on error. */
int netns_sums_read(const char *proc, uint32_t pid, struct netns_sums *out);

#endif
