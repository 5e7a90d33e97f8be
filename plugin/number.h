/* SPDX-License-Identifier: MIT */
/* Decimal numbers in text: the one parser for configuration and /proc. */
#ifndef TCPSTATES_NUMBER_H
#define TCPSTATES_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Reads text[0..len) as an unsigned decimal number of at most max: digits only,
 * no sign, no blanks. *out is untouched on error.
 * Returns 0; -EINVAL: empty or not only digits; -ERANGE: greater than max. */
int number_parse(const char *text, size_t len, uint64_t max, uint64_t *out);

/* The text of a number that is a macro, for messages. */
#define NUMBER_TEXT(number) NUMBER_TEXT_OF(number)
#define NUMBER_TEXT_OF(number) #number

#endif
