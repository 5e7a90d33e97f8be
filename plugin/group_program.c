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
    const struct complement *left_out = &program->complement;
    size_t complement = group_index_number(index, left_out->group);
    struct port_range local = {left_out->local_port, left_out->local_port};
    struct port_range remote = {left_out->remote_port, left_out->remote_port};
    struct filter narrowed;
    if (complement != NO_GROUP) {
      narrowed = *filters[complement];
      if (local.first != 0)
        narrowed.local_ports = (struct port_set){&local, 1};
      if (remote.first != 0)
        narrowed.remote_ports = (struct port_set){&remote, 1};
      filters[complement] = &narrowed;
      inverted[complement] = true;
    }
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
                       const struct group_index *index,
                       const struct complement *complement) {
  const struct complement *last = &program->complement;
  if (program->compiled && program->generation == index->generation &&
      last->group == complement->group &&
      last->local_port == complement->local_port &&
      last->remote_port == complement->remote_port)
    return 0;
  program->complement = *complement;
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
