/* SPDX-License-Identifier: MIT */
/* What the daemon's children would inherit. */
#ifndef TCPSTATES_TESTS_INHERITED_H
#define TCPSTATES_TESTS_INHERITED_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

/* Returns how many descriptors of this process stay open in a program that it
 * starts. */
static inline int inherited_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  ck_assert_ptr_nonnull(dir);
  int num = 0;
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL)
    num += entry->d_name[0] != '.' &&
           (fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC) == 0;
  closedir(dir);
  return num;
}

#endif
