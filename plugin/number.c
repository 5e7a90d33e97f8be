/* SPDX-License-Identifier: MIT */
/* Decimal numbers in text: used by config.c and proc_text.c. */
#include "number.h"

#include <errno.h>
#include <stdbool.h>

int number_parse(const char *text, size_t len, uint64_t max, uint64_t *out) {
  if (len == 0)
    return -EINVAL;

  uint64_t number = 0;
  bool too_big = false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return -EINVAL;
    unsigned digit = (unsigned)(text[i] - '0');
    too_big = too_big || digit > max || number > (max - digit) / 10;
    if (!too_big)
      number = number * 10 + digit;
  }
  if (too_big)
    return -ERANGE;

  *out = number;
  return 0;
}
