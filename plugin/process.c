/* Looks for the holders of sockets under /proc, for the notifications. */
#include "process.h"

#include "proc_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_one_of(const char *link, const uint32_t *inodes, size_t num) {
  for (size_t i = 0; i < num; i++) {
    char want[32];
    snprintf(want, sizeof(want), "socket:[%u]", inodes[i]);
    if (inodes[i] != 0 && strcmp(link, want) == 0)
      return true;
  }
  return false;
}

static bool has_socket(const char *proc, const char *pid,
                       const uint32_t *inodes, size_t num) {
  char path[256];
  snprintf(path, sizeof(path), "%.200s/%.20s/fd", proc, pid);
  DIR *dir = opendir(path);
  if (dir == NULL)
    return false;
  bool found = false;
  const struct dirent *entry;
  while (!found && (entry = readdir(dir)) != NULL) {
    char link[64];
    ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
    if (len < 0)
      continue;
    link[len] = '\0';
    found = is_one_of(link, inodes, num);
  }
  closedir(dir);
  return found;
}

void process_find(const char *proc, const uint32_t *inodes, size_t num,
                  char *buf, size_t size) {
  buf[0] = '\0';
  DIR *dir = opendir(proc);
  if (dir == NULL)
    return;
  size_t len = 0;
  const struct dirent *entry;
  while (len < size && (entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
        !has_socket(proc, entry->d_name, inodes, num))
      continue;
    char path[512], command[64];
    snprintf(path, sizeof(path), "%.200s/%.20s/comm", proc, entry->d_name);
    if (proc_file_read(path, command, sizeof(command)) != 0)
      continue;
    command[strcspn(command, "\n")] = '\0';
    int more = snprintf(buf + len, size - len, "%s%s[%s]", len == 0 ? "" : ", ",
                        command, entry->d_name);
    if ((size_t)more >= size - len)
      buf[len] = '\0';
    len += (size_t)more;
  }
  closedir(dir);
}
