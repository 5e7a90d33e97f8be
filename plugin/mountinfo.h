/* SPDX-License-Identifier: MIT */
/* Network namespaces that are held by a mount, as "ip netns add" makes it:
 * found in a mount table. Source: proc_pid_mountinfo(5), fs/nsfs.c. */
#ifndef TCPSTATES_MOUNTINFO_H
#define TCPSTATES_MOUNTINFO_H

#include <stddef.h>
#include <stdint.h>

/* Parses a line of mountinfo[0..len). Returns 1: it is a network namespace's,
 * *inode its number and path where it is mounted; 0: it is another mount;
 * -ENAMETOOLONG: the path does not fit; -EBADMSG: it is not understood. */
int mountinfo_netns(const char *line, size_t len, uint64_t *inode, char *path,
                    size_t size);

/* Takes a network namespace. Returns 0, or -errno, which ends the reading. */
typedef int (*mountinfo_cb)(uint64_t inode, const char *path, void *data);

/* Calls cb for each in the file. Returns 0; -errno of open(2) or read(2); what
 * mountinfo_netns() or cb returned. */
int mountinfo_each(const char *file, mountinfo_cb cb, void *data);

#endif
