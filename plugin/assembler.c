/* SPDX-License-Identifier: MIT */
/* Builds inet_diag's programs, for bytecode.c.
 *
 * The kernel's audit follows every operation's "yes", and each "no" must lead
 * to an operation on that path, which is followed again from the first
 * operation for each "no". So "yes" always is the next operation, only "no"
 * jumps, and a jump costs the audit a step for each operation before its
 * target. A jump to the end accepts, one to 4 bytes after it rejects; these are
 * not followed. */
#include "assembler.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <stdlib.h>
#include <string.h>

void assembler_begin(struct bytecode *program) {
  *program = (struct bytecode){.ops = program->ops, .size = program->size};
}

static int reserve(struct bytecode *program, size_t len) {
  if (program->len + len > BYTECODE_MAX)
    return -EMSGSIZE;
  if (program->len + len <= program->size)
    return 0;
  size_t size = 2 * program->size + len;
  char *ops = realloc(program->ops, size);
  if (ops == NULL)
    return -ENOMEM;
  program->ops = ops;
  program->size = size;
  return 0;
}

int assembler_emit(struct bytecode *program, uint8_t code, const void *operand,
                   size_t operand_len, struct label *no) {
  size_t len = sizeof(struct inet_diag_bc_op) + operand_len;
  int err = reserve(program, len);
  if (err != 0)
    return err;
  struct inet_diag_bc_op op = {.code = code, .yes = (uint8_t)len};
  op.no = no->last;
  no->last = (uint16_t)(program->len / 4 + 1);
  memcpy(program->ops + program->len, &op, sizeof(op));
  if (operand_len > 0)
    memcpy(program->ops + program->len + sizeof(op), operand, operand_len);
  program->len += len;
  program->ops_num++;
  return 0;
}

int assembler_jump(struct bytecode *program, struct label *to) {
  return assembler_emit(program, INET_DIAG_BC_JMP, NULL, 0, to);
}

/* Returns how many operations lead to the label. */
static size_t bind_at(struct bytecode *program, struct label *label,
                      size_t target) {
  size_t num = 0;
  for (; label->last != 0; num++) {
    size_t offset = (label->last - 1u) * 4u;
    struct inet_diag_bc_op op;
    memcpy(&op, program->ops + offset, sizeof(op));
    label->last = op.no;
    op.no = (uint16_t)(target - offset);
    memcpy(program->ops + offset, &op, sizeof(op));
  }
  return num;
}

void assembler_bind(struct bytecode *program, struct label *label) {
  program->audit +=
      bind_at(program, label, program->len) * (program->ops_num + 1);
}

void assembler_end(struct bytecode *program, struct label *accept,
                   struct label *reject) {
  bind_at(program, accept, program->len);
  bind_at(program, reject, program->len + 4);
  program->audit += program->ops_num;
}
