/* SPDX-License-Identifier: MIT */
/* Makes one program of all groups; plan.c decides which sockets to filter. */
#include "group_program.h"

#include <errno.h>
#include <stdlib.h>

static int compile(struct group_program *program,
                   const struct group_index *index) {
  size_t num = group_index_num(index), listening = index->listening_num;
  const struct filter **filters = calloc(num, sizeof(const struct filter *));
  struct filter *ports = calloc(listening + 1, sizeof(*ports));
  struct port_range *ranges = calloc(listening + 1, sizeof(*ranges));
  bool *inverted = calloc(num, sizeof(*inverted));
  int err = -ENOMEM;
  if (filters != NULL && ports != NULL && ranges != NULL && inverted != NULL) {
    for (size_t i = 0; i < index->groups_num; i++)
      filters[i] = &index->groups[i].filter;
    for (size_t i = 0; i < listening; i++) {
      uint16_t port = index->listening_ports[i];
      ranges[i] = (struct port_range){port, port};
      ports[i].local_ports = (struct port_set){&ranges[i], 1};
      filters[index->groups_num + i] = &ports[i];
    }
    size_t complement = group_index_number(index, program->complement);
    if (complement != NO_GROUP)
      inverted[complement] = true;
    err = bytecode_compile(&program->code, filters, index->cgroup_ids, inverted,
                           num);
  }
  free(inverted);
  free(ranges);
  free(ports);
  free(filters);
  return err;
}

int group_program_make(struct group_program *program,
                       const struct group_index *index, uint32_t complement) {
  if (program->compiled && program->generation == index->generation &&
      program->complement == complement)
    return 0;
  program->complement = complement;
  program->generation = index->generation;
  int err = compile(program, index);
  if (err == -EMSGSIZE) {
    program->code.len = 0;
    err = 0;
  }
  program->compiled = err == 0;
  return err;
}

void group_program_free(struct group_program *program) {
  bytecode_free(&program->code);
  *program = (struct group_program){0};
}
