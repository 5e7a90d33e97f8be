/* SPDX-License-Identifier: MIT */
/* The hash functions that the plugin's tables share. */
#ifndef TCPSTATES_HASH_H
#define TCPSTATES_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

/* An odd number that others do not know, so that nobody can pick keys that meet
 * in one place when they are multiplied by it: of what the kernel has given
 * this process, so that it takes no system call (getauxval(3), AT_RANDOM). */
static inline uint64_t hash_multiplier(void) {
  uint64_t random[2] = {0, 0};
  const void *given = (const void *)getauxval(AT_RANDOM);
  if (given != NULL)
    memcpy(random, given, sizeof(random));
  return (random[0] ^ random[1] * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

/* Of a control group's id, which the kernel counts up. */
static inline size_t hash_id(uint64_t id) {
  return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* FNV-1a of a name: begins with this, and goes on with each character. */
#define HASH_NAME 2166136261u
static inline uint32_t hash_char(uint32_t hash, char c) {
  return (hash ^ (unsigned char)c) * 16777619u;
}

#endif
