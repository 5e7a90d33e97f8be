/* SPDX-License-Identifier: MIT */
/* Lists processes, for searches in all of them. */
#include "proc_walk.h"

#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* getdents64(2); the C libraries do not agree on its name and type. */
struct entry {
  uint64_t inode;
  int64_t next;
  uint16_t len; /* of the entry, to the next one */
  uint8_t type;
  char name[];
};

/* Calls cb for the processes among the entries in buf[0..len). */
static int take_entries(const char *buf, size_t len, proc_walk_cb cb,
                        void *data) {
  for (size_t pos = 0; pos + offsetof(struct entry, name) < len;) {
    const struct entry *entry = (const void *)(buf + pos);
    uint64_t pid;
    if (entry->len == 0)
      return -EBADMSG;
    if (number_parse(entry->name, strlen(entry->name), INT32_MAX, &pid) == 0) {
      int err = cb((uint32_t)pid, data);
      if (err != 0)
        return err;
    }
    pos += entry->len;
  }
  return 0;
}

int proc_walk(const char *proc, proc_walk_cb cb, void *data) {
  int fd = open(proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  _Alignas(struct entry) char buf[8192];
  long len;
  int err = 0;
  while (err == 0 && (len = syscall(SYS_getdents64, fd, buf, sizeof(buf))) != 0)
    err = len < 0 ? -errno : take_entries(buf, (size_t)len, cb, data);
  close(fd);
  return err;
}
