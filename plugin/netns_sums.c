/* SPDX-License-Identifier: MIT */
/* Reads sockstat and sockstat6 of any process for unhashed.c. */
#include "netns_sums.h"

#include "proc_file.h"
#include "proc_text.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Writes the path of a file in net. */
static void write_path(char path[256], const char *proc, uint32_t pid,
                       const char *file) {
  if (pid == 0)
    snprintf(path, 256, "%.200s/thread-self/net/%s", proc, file);
  else
    snprintf(path, 256, "%.200s/%u/net/%s", proc, (unsigned)pid, file);
}

int netns_sums_identify(const char *proc, uint32_t pid, ino_t *ino) {
  char path[256];
  struct stat status;
  write_path(path, proc, pid, "sockstat");
  if (stat(path, &status) != 0)
    return -errno;
  *ino = status.st_ino;
  return 0;
}

/* Without IPv6 there is no sockstat6, and without the process there is none
 * either. */
static int read_inuse6(const char *proc, uint32_t pid, ino_t ino,
                       int64_t *inuse) {
  char path[256], text[2048];
  write_path(path, proc, pid, "sockstat6");
  int err = proc_file_read(path, text, sizeof(text));
  if (err == 0)
    return proc_text_sockstat6(text, inuse);
  ino_t now;
  *inuse = 0;
  return err == -ENOENT && netns_sums_identify(proc, pid, &now) == 0 &&
                 now == ino
             ? 0
             : err;
}

int netns_sums_read(const char *proc, uint32_t pid, struct netns_sums *out) {
  struct netns_sums sums;
  char path[256], text[2048];
  int err = netns_sums_identify(proc, pid, &sums.ino);
  if (err != 0)
    return err;
  int64_t inuse6 = 0;
  err = read_inuse6(proc, pid, sums.ino, &inuse6);
  if (err != 0)
    return err;
  write_path(path, proc, pid, "sockstat");
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
