/* SPDX-License-Identifier: MIT */
/* What every fuzz target is: a function that takes any bytes. libFuzzer calls
 * it with bytes of its own (make fuzz), run_corpus.c with those of the files
 * under corpus/ (make check). */
#ifndef TCPSTATES_FUZZ_H
#define TCPSTATES_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target's name: that of its directory under corpus/. */
extern const char fuzz_target[];

/* Runs the target. Returns 0; what does not hold aborts the process. It leaves
 * nothing behind: the same bytes do the same in every call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts the process, with a text, unless the condition holds. */
#define NEED(condition, ...)                                                   \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);  \
      fprintf(stderr, __VA_ARGS__);                                            \
      fputc('\n', stderr);                                                     \
      abort();                                                                 \
    }                                                                          \
  } while (0)

#endif
