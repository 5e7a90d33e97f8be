/* SPDX-License-Identifier: MIT */
/* Small files under /proc, read whole. */
#ifndef TCPSTATES_PROC_FILE_H
#define TCPSTATES_PROC_FILE_H

#include <stddef.h>

/* Reads the file at path whole into buf and ends it with a NUL byte.
 * Returns 0; -EFBIG: it does not fit into size - 1 bytes; or the -errno of
 * open(2) or read(2), -ENOENT for a file that this kernel or this network
 * namespace does not have. On error buf holds an empty string. */
int proc_file_read(const char *path, char *buf, size_t size);

/* A file that stays open, because opening one takes longer than reading it:
 * the same path each time. Zero-initialised it is not open yet. */
struct proc_file {
  int opened; /* 1 + its descriptor; 0: it is not open */
};

/* As proc_file_read(), anew from the start of the file. After an error it is
 * not open. */
int proc_file_reread(struct proc_file *file, const char *path, char *buf,
                     size_t size);

void proc_file_close(struct proc_file *file);

#endif
