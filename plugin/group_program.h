/* SPDX-License-Identifier: MIT */
/* The bytecode that lets the kernel leave out what no group needs, kept while
 * the groups stay as they are. */
#ifndef TCPSTATES_GROUP_PROGRAM_H
#define TCPSTATES_GROUP_PROGRAM_H

#include "bytecode.h"
#include "group_index.h"

#define NO_GROUP SIZE_MAX

/* A group's number changes with the ports that are listened on; its id does
 * not: up to 65535 it is this listening port, from 65536 it is one of the
 * configured groups; 0: none. */

/* The number of the group; NO_GROUP: it is not there now. */
static inline size_t group_find(const struct group_index *index, uint32_t id) {
  if (id >= PORTS_NUM)
    return id - PORTS_NUM;
  for (size_t i = 0; id != 0 && i < index->listening_num; i++)
    if (index->listening_ports[i] == id)
      return index->groups_num + i;
  return NO_GROUP;
}

static inline uint32_t group_identify(const struct group_index *index,
                                      size_t group) {
  return group < index->groups_num
             ? (uint32_t)(PORTS_NUM + group)
             : index->listening_ports[group - index->groups_num];
}

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
