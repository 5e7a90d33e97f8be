/* SPDX-License-Identifier: MIT */
/* Reads small files whole; what is in them is proc_text.c's business. */
#include "proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* From where the file stands. */
static int read_rest(int fd, char *buf, size_t size) {
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
  buf[err == 0 ? len : 0] = '\0';
  return err;
}

int proc_file_reread(struct proc_file *file, const char *path, char *buf,
                     size_t size) {
  buf[0] = '\0';
  if (file->opened > 0 && lseek(file->opened - 1, 0, SEEK_SET) != 0)
    proc_file_close(file);
  if (file->opened == 0)
    file->opened = 1 + open(path, O_RDONLY | O_CLOEXEC);
  if (file->opened == 0)
    return -errno;
  int err = read_rest(file->opened - 1, buf, size);
  if (err != 0)
    proc_file_close(file);
  return err;
}

void proc_file_close(struct proc_file *file) {
  if (file->opened > 0)
    close(file->opened - 1);
  file->opened = 0;
}

int proc_file_read(const char *path, char *buf, size_t size) {
  struct proc_file file = {0};
  int err = proc_file_reread(&file, path, buf, size);
  proc_file_close(&file);
  return err;
}
