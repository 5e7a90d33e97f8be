/* SPDX-License-Identifier: MIT */
/* Files in a temporary directory, to stand for /proc or /sys/fs/cgroup. What
 * cannot be made aborts the process. */
#ifndef TCPSTATES_TEMP_TREE_H
#define TCPSTATES_TEMP_TREE_H

#include <stdint.h>

struct temp_tree {
  char root[256];
};

/* Makes a tree that is empty, in $TMPDIR, or in memory (/dev/shm), or /tmp. */
struct temp_tree temp_tree_make(void);

/* Removes it with all that is in it. */
void temp_tree_remove(const struct temp_tree *tree);

/* Each of these makes something at the path, "/a/b", together with the
 * directories on the way to it. */

/* A directory; one that is there stays. Returns its inode. */
uint64_t temp_tree_directory(const struct temp_tree *tree, const char *path);

/* A file with this text, instead of one that is there. */
void temp_tree_file(const struct temp_tree *tree, const char *path,
                    const char *text);

/* A symbolic link. */
void temp_tree_link(const struct temp_tree *tree, const char *path,
                    const char *target);

/* Removes a file or an empty directory. */
void temp_tree_delete(const struct temp_tree *tree, const char *path);

#endif
