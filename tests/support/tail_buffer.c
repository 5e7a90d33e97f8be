/* SPDX-License-Identifier: MIT */
/* Lets the tests of the decoders notice a single byte too far. */
#include "tail_buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

struct tail_buffer tail_buffer_make(size_t len) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t aligned = (len + 3) / 4 * 4;
  size_t usable = (aligned + page - 1) / page * page;
  /* The guard is mapped without access: an unmapped page could be given to the
   * next mmap(). */
  char *map = mmap(NULL, usable + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED || mprotect(map + usable, page, PROT_NONE) != 0)
    abort();

  struct tail_buffer buffer = {
      .data = map + usable - aligned,
      .len = len,
      .map = map,
      .map_size = usable + page,
  };
  memset(map, 0xA5, usable);
  ASAN_POISON_MEMORY_REGION((char *)buffer.data + len, aligned - len);
  return buffer;
}

struct tail_buffer tail_buffer_copy(const void *data, size_t len) {
  struct tail_buffer buffer = tail_buffer_make(len);
  if (len > 0)
    memcpy(buffer.data, data, len);
  return buffer;
}

void tail_buffer_free(struct tail_buffer *buffer) {
  ASAN_UNPOISON_MEMORY_REGION(buffer->map, buffer->map_size);
  munmap(buffer->map, buffer->map_size);
  memset(buffer, 0, sizeof(*buffer));
}
