/* SPDX-License-Identifier: MIT */
/* The bytecode that lets the kernel leave out what no group needs, kept while
 * the groups stay as they are. */
#ifndef TCPSTATES_GROUP_PROGRAM_H
#define TCPSTATES_GROUP_PROGRAM_H

#include "bytecode.h"
#include "group_index.h"

/* What is not dumped: the sockets of a group, or of them only those with these
 * ports. The group is counted as all sockets less those outside it. */
struct complement {
  uint32_t group;       /* its id; 0: none */
  uint16_t local_port;  /* one of its ports; 0: all of them */
  uint16_t remote_port; /* likewise */
};

static inline bool complement_has_port(const struct complement *complement) {
  return complement->local_port != 0 || complement->remote_port != 0;
}

/* Empty when zero-initialised. */
struct group_program {
  struct bytecode code; /* its len is 0: there are too many groups */
  bool compiled;        /* of the groups of this generation */
  unsigned generation;
  struct complement complement;
};

/* Compiles the program, if it is not the last one. Returns 0 or -ENOMEM. */
int group_program_make(struct group_program *program,
                       const struct group_index *index,
                       const struct complement *complement);

void group_program_free(struct group_program *program);

#endif
