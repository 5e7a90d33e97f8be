/* SPDX-License-Identifier: MIT */
/* Reads one small file whole; what is in it is proc_text.c's business. */
#include "proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int proc_file_read(const char *path, char *buf, size_t size) {
  buf[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;

  size_t len = 0;
  int err = 0;
  while (1) {
    ssize_t n = read(fd, buf + len, size - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      err = -errno;
    if (n <= 0)
      break;
    len += (size_t)n;
    if (len == size) {
      err = -EFBIG;
      break;
    }
  }
  close(fd);

  buf[err == 0 ? len : 0] = '\0';
  return err;
}
