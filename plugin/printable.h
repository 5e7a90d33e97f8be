/* SPDX-License-Identifier: MIT */
/* For names that others choose, or that the user writes in another encoding. */
#ifndef TCPSTATES_PRINTABLE_H
#define TCPSTATES_PRINTABLE_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>

/* Is the text UTF-8 (RFC 3629)? JSON and Prometheus' format are nothing else.
 */
static inline bool printable_is_utf8(const char *text) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *c = (const unsigned char *)text;
  while (*c != '\0') {
    unsigned char first = *c++;
    int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t code = more == 0 ? first : first & 0x3f >> more;
    if ((first >= 0x80 && first < 0xc0) || first >= 0xf8)
      return false;
    for (int i = 0; i < more; i++) {
      if ((*c & 0xc0) != 0x80)
        return false;
      code = code << 6 | (*c++ & 0x3f);
    }
    if (code < least[more] || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
      return false;
  }
  return true;
}

/* Replaces control characters by "?", for the log: a newline would begin a line
 * of its own, and a terminal obeys an escape sequence. Where the text is not
 * UTF-8, all that is not ASCII: the journal does not show such a line. */
static inline void printable(char *text) {
  bool utf8 = printable_is_utf8(text);
  for (; *text != '\0'; text++)
    if (iscntrl((unsigned char)*text) || (!utf8 && (*text & 0x80) != 0))
      *text = '?';
}

#endif
