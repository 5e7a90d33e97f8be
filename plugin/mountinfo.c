/* SPDX-License-Identifier: MIT */
/* Reads mount tables for pinned.c. */
#include "mountinfo.h"

#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A namespace's line with a path that is not too long is much shorter. Users
 * can make longer ones: of FUSE's mounts they choose the source and the path.
 */
#define LINE_MAX_SIZE 4096

/* A word of the line. */
struct word {
  const char *start;
  size_t len;
};

static struct word next_word(const char **pos, const char *end) {
  struct word word = {*pos, 0};
  while (word.start + word.len < end && word.start[word.len] != ' ')
    word.len++;
  *pos = word.start + word.len + (word.start + word.len < end);
  return word;
}

static bool is_octal(const char *text) {
  return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' &&
         text[2] >= '0' && text[2] <= '7';
}

/* Blanks, line ends and backslashes are written as "\040". */
static int unescape(struct word word, char *path, size_t size) {
  size_t len = 0;
  for (size_t i = 0; i < word.len; i++) {
    if (len + 1 >= size)
      return -ENAMETOOLONG;
    const char *c = word.start + i;
    if (*c == '\\' && i + 3 < word.len && is_octal(c + 1)) {
      path[len++] =
          (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
      i += 3;
    } else {
      path[len++] = *c;
    }
  }
  path[len] = '\0';
  return 0;
}

/* "net:[4026531840]" */
static bool is_netns(struct word root, uint64_t *inode) {
  static const char start[] = "net:[";
  const size_t start_len = sizeof(start) - 1;
  return root.len > start_len + 1 && root.start[root.len - 1] == ']' &&
         memcmp(root.start, start, start_len) == 0 &&
         number_parse(root.start + start_len, root.len - start_len - 1,
                      UINT64_MAX, inode) == 0;
}

int mountinfo_netns(const char *line, size_t len, uint64_t *inode, char *path,
                    size_t size) {
  const char *pos = line, *end = line + len;
  next_word(&pos, end); /* the mount's number, its parent's, and the device */
  next_word(&pos, end);
  next_word(&pos, end);
  struct word root = next_word(&pos, end);
  struct word place = next_word(&pos, end);
  if (place.len == 0)
    return -EBADMSG;
  uint64_t number;
  /* No other file system has a root without a slash. */
  if (!is_netns(root, &number))
    return 0;
  int err = unescape(place, path, size);
  if (err != 0)
    return err;
  *inode = number;
  return 1;
}

/* Takes the whole lines of buf[0..*len) out of it. */
static int take_lines(char *buf, size_t *len, mountinfo_cb cb, void *data) {
  char path[256];
  size_t done = 0;
  const char *end;
  while ((end = memchr(buf + done, '\n', *len - done)) != NULL) {
    uint64_t inode;
    size_t line = (size_t)(end - buf) - done;
    int err = mountinfo_netns(buf + done, line, &inode, path, sizeof(path));
    if (err == 1)
      err = cb(inode, path, data);
    if (err < 0)
      return err;
    done += line + 1;
  }
  memmove(buf, buf + done, *len - done);
  *len -= done;
  return 0;
}

/* Takes the beginning of a line that is too long. Returns 0: it is no
 * namespace's; or -ENAMETOOLONG. */
static int take_beginning(const char *buf, size_t *len) {
  char path[256];
  uint64_t inode;
  int err = mountinfo_netns(buf, *len, &inode, path, sizeof(path));
  *len = 0;
  return err == 0 || err == -EBADMSG ? 0 : -ENAMETOOLONG;
}

/* Takes what is left of that line out of buf[0..*len). Returns whether that is
 * all of it. */
static bool take_rest(char *buf, size_t *len) {
  const char *end = memchr(buf, '\n', *len);
  size_t next = end == NULL ? *len : (size_t)(end - buf) + 1;
  memmove(buf, buf + next, *len - next);
  *len -= next;
  return end != NULL;
}

int mountinfo_each(const char *file, mountinfo_cb cb, void *data) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  char buf[LINE_MAX_SIZE];
  size_t len = 0;
  bool cut = false; /* the line's beginning was taken */
  int err = 0;
  while (err == 0) {
    ssize_t n = read(fd, buf + len, sizeof(buf) - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      err = n < 0 ? -errno : len > 0 || cut ? -EBADMSG : 0;
      break;
    }
    len += (size_t)n;
    cut = cut && !take_rest(buf, &len);
    err = take_lines(buf, &len, cb, data);
    if (err == 0 && len == sizeof(buf)) {
      err = take_beginning(buf, &len);
      cut = true;
    }
  }
  close(fd);
  return err;
}
