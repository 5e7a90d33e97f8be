/* SPDX-License-Identifier: MIT */
/* For names in the log that others choose. */
#ifndef TCPSTATES_PRINTABLE_H
#define TCPSTATES_PRINTABLE_H

#include <ctype.h>

/* Replaces control characters by "?": a newline would begin a line of its own,
 * and a terminal obeys an escape sequence. */
static inline void printable(char *text) {
  for (; *text != '\0'; text++)
    if (iscntrl((unsigned char)*text))
      *text = '?';
}

#endif
