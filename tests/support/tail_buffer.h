/* SPDX-License-Identifier: MIT */
/* Memory that ends at a page which may not be touched: who reads or writes
 * after its end is stopped at that instruction. */
#ifndef TCPSTATES_TAIL_BUFFER_H
#define TCPSTATES_TAIL_BUFFER_H

#include <stddef.h>

struct tail_buffer {
  void *data; /* aligned to 4 bytes */
  size_t len;
  void *map;
  size_t map_size;
};

/* Makes a buffer of len bytes, all 0xA5. When len is no multiple of 4, up to 3
 * bytes lie between its end and the page; AddressSanitizer guards them. Without
 * memory the process aborts. */
struct tail_buffer tail_buffer_make(size_t len);

/* The same, filled with data[0..len). */
struct tail_buffer tail_buffer_copy(const void *data, size_t len);

void tail_buffer_free(struct tail_buffer *buffer);

#endif
