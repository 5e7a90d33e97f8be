/* SPDX-License-Identifier: MIT */
/* The bytecode that lets the kernel leave out what no group needs, kept while
 * the groups stay as they are. */
#ifndef TCPSTATES_GROUP_PROGRAM_H
#define TCPSTATES_GROUP_PROGRAM_H

#include "bytecode.h"
#include "group_index.h"

/* Empty when zero-initialised. */
struct group_program {
  struct bytecode code; /* its len is 0: there are too many groups */
  bool compiled;        /* of the groups of this generation */
  unsigned generation;
  uint32_t complement; /* this one counts as all sockets less those outside it:
                          they are let through, not its own */
};

/* Compiles the program, if it is not the last one. Returns 0 or -ENOMEM. */
int group_program_make(struct group_program *program,
                       const struct group_index *index, uint32_t complement);

void group_program_free(struct group_program *program);

#endif
