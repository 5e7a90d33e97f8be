/* SPDX-License-Identifier: MIT */
/* Makes the files that the tests' readers of /proc and of control groups see.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "temp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

static void need(bool good, const char *what) {
  if (good)
    return;
  perror(what);
  abort();
}

/* The path in full; all directories on the way to it are there then. */
static void reach(const struct temp_tree *tree, const char *path, char *full) {
  int len = snprintf(full, PATH_SIZE, "%s%s", tree->root, path);
  need(len > 0 && len < PATH_SIZE, path);
  for (char *c = full + strlen(tree->root) + (path[0] == '/'); *c != '\0'; c++)
    if (*c == '/') {
      *c = '\0';
      need(mkdir(full, 0700) == 0 || errno == EEXIST, full);
      *c = '/';
    }
}

struct temp_tree temp_tree_make(void) {
  struct temp_tree tree;
  const char *parent = getenv("TMPDIR");
  if (parent == NULL || parent[0] == '\0')
    parent = faccessat(AT_FDCWD, "/dev/shm", W_OK | X_OK, 0) == 0 ? "/dev/shm"
                                                                  : "/tmp";
  int len = snprintf(tree.root, sizeof(tree.root), "%s/tcpstates_test.XXXXXX",
                     parent);
  errno = ENAMETOOLONG;
  need(len > 0 && (size_t)len < sizeof(tree.root), "TMPDIR");
  need(mkdtemp(tree.root) != NULL, tree.root);
  return tree;
}

uint64_t temp_tree_directory(const struct temp_tree *tree, const char *path) {
  char full[PATH_SIZE];
  struct stat stat;
  reach(tree, path, full);
  need(mkdir(full, 0700) == 0 || errno == EEXIST, full);
  need(lstat(full, &stat) == 0, full);
  return stat.st_ino;
}

void temp_tree_file(const struct temp_tree *tree, const char *path,
                    const char *text) {
  char full[PATH_SIZE];
  reach(tree, path, full);
  FILE *file = fopen(full, "we");
  need(file != NULL, full);
  need(fputs(text, file) >= 0 && fclose(file) == 0, full);
}

void temp_tree_link(const struct temp_tree *tree, const char *path,
                    const char *target) {
  char full[PATH_SIZE];
  reach(tree, path, full);
  need(symlink(target, full) == 0, full);
}

void temp_tree_delete(const struct temp_tree *tree, const char *path) {
  char full[PATH_SIZE];
  reach(tree, path, full);
  need(remove(full) == 0, full);
}

static int remove_one(const char *path, const struct stat *stat, int flag,
                      struct FTW *ftw) {
  (void)stat, (void)flag, (void)ftw;
  return remove(path);
}

void temp_tree_remove(const struct temp_tree *tree) {
  nftw(tree->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
