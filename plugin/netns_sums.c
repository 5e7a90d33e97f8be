/* SPDX-License-Identifier: MIT */
/* Reads sockstat and sockstat6 of any process for unhashed.c. */
#include "netns_sums.h"

#include "proc_file.h"
#include "proc_text.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int netns_sums_identify(const char *proc, const char *who, ino_t *ino) {
  char path[256];
  struct stat status;
  snprintf(path, sizeof(path), "%.200s/%s/net/sockstat", proc, who);
  if (stat(path, &status) != 0)
    return -errno;
  *ino = status.st_ino;
  return 0;
}

/* Without IPv6 there is no sockstat6, and without the process there is none
 * either. */
static int read_inuse6(const char *proc, const char *who, ino_t ino,
                       int64_t *inuse) {
  char path[256], text[2048];
  snprintf(path, sizeof(path), "%.200s/%s/net/sockstat6", proc, who);
  int err = proc_file_read(path, text, sizeof(text));
  if (err == 0)
    return proc_text_sockstat6(text, inuse);
  ino_t now;
  *inuse = 0;
  return err == -ENOENT && netns_sums_identify(proc, who, &now) == 0 &&
                 now == ino
             ? 0
             : err;
}

int netns_sums_read(const char *proc, const char *who, struct netns_sums *out) {
  struct netns_sums sums;
  char path[256], text[2048];
  int err = netns_sums_identify(proc, who, &sums.ino);
  if (err != 0)
    return err;
  int64_t inuse6 = 0;
  err = read_inuse6(proc, who, sums.ino, &inuse6);
  if (err != 0)
    return err;
  snprintf(path, sizeof(path), "%.200s/%s/net/sockstat", proc, who);
  err = proc_file_read(path, text, sizeof(text));
  if (err != 0)
    return err;
  struct proc_sockstat sockstat;
  err = proc_text_sockstat(text, &sockstat);
  if (err != 0)
    return err;
  if (sockstat.inuse < 0 || sockstat.alloc < 0 || inuse6 < 0)
    return -ENODATA;
  sums.inuse = sockstat.inuse + inuse6;
  sums.alloc = sockstat.alloc;
  sums.orphan = sockstat.orphan < 0 ? 0 : sockstat.orphan;
  *out = sums;
  return 0;
}
