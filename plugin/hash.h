/* SPDX-License-Identifier: MIT */
/* What makes hashing by multiplication universal: nobody can pick keys that
 * meet in one place. */
#ifndef TCPSTATES_HASH_H
#define TCPSTATES_HASH_H

#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

/* An odd number that others do not know: of what the kernel has given this
 * process, so that it takes no system call (getauxval(3), AT_RANDOM). */
static inline uint64_t hash_multiplier(void) {
  uint64_t random[2] = {0, 0};
  const void *given = (const void *)getauxval(AT_RANDOM);
  if (given != NULL)
    memcpy(random, given, sizeof(random));
  return (random[0] ^ random[1] * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

#endif
