/* SPDX-License-Identifier: MIT */
/* Written from the kernel's source, not from what the compiler makes. */
#include "bytecode_machine.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct inet_diag_bc_op op_at(const struct bytecode *program,
                                    size_t offset) {
  struct inet_diag_bc_op op;
  memcpy(&op, program->ops + offset, sizeof(op));
  return op;
}

/* Bytes that the operation needs; 0: it is none, or goes beyond the end. */
static size_t audit_operation(const struct bytecode *program, size_t offset) {
  const struct inet_diag_bc_op op = op_at(program, offset);
  size_t need = sizeof(op), left = program->len - offset;
  struct inet_diag_hostcond cond;
  switch (op.code) {
  case INET_DIAG_BC_NOP:
  case INET_DIAG_BC_JMP:
    break;
  case INET_DIAG_BC_S_EQ:
  case INET_DIAG_BC_S_GE:
  case INET_DIAG_BC_S_LE:
  case INET_DIAG_BC_D_EQ:
  case INET_DIAG_BC_D_GE:
  case INET_DIAG_BC_D_LE:
    need += sizeof(struct inet_diag_bc_op);
    break;
  case INET_DIAG_BC_S_COND:
  case INET_DIAG_BC_D_COND:
    need += sizeof(cond);
    if (need > left)
      return 0;
    memcpy(&cond, program->ops + offset + sizeof(op), sizeof(cond));
    size_t address_len = cond.family == AF_INET    ? 4
                         : cond.family == AF_INET6 ? 16
                                                   : 0;
    if (address_len == 0 && cond.family != AF_UNSPEC)
      return 0;
    if (cond.prefix_len > 8 * address_len)
      return 0;
    need += address_len;
    break;
  case INET_DIAG_BC_CGROUP_COND:
    need += sizeof(uint64_t);
    break;
  default: /* the others are none of ours */
    return 0;
  }
  return need <= left ? need : 0;
}

const char *machine_audit(const struct bytecode *program) {
  if (program->len < sizeof(struct inet_diag_bc_op))
    return "it is empty";
  if (program->len + NLA_HDRLEN > UINT16_MAX)
    return "it is longer than an attribute can be";
  /* Where operations begin, and the end: the way that valid_cc() goes. */
  bool *begins = calloc(program->len + 1, sizeof(*begins));
  if (begins == NULL)
    abort();
  const char *wrong = NULL;
  size_t offset = 0;
  while (offset < program->len && wrong == NULL) {
    begins[offset] = true;
    if (program->len - offset < sizeof(struct inet_diag_bc_op)) {
      wrong = "the last operation is cut off";
      break;
    }
    const struct inet_diag_bc_op op = op_at(program, offset);
    size_t need = audit_operation(program, offset);
    size_t left = program->len - offset;
    if (need == 0)
      wrong = "an operation is malformed";
    else if (op.code != INET_DIAG_BC_NOP &&
             (op.no < need || op.no > left + 4 || op.no & 3))
      wrong = "a no is out of bounds";
    else if (op.yes < need || op.yes > left + 4 || op.yes & 3)
      wrong = "a yes is out of bounds";
    offset += op.yes;
  }
  if (wrong == NULL && offset != program->len)
    wrong = "the last yes leads beyond the end";
  for (offset = 0; offset < program->len && wrong == NULL;) {
    const struct inet_diag_bc_op op = op_at(program, offset);
    if (op.code != INET_DIAG_BC_NOP && offset + op.no < program->len &&
        !begins[offset + op.no])
      wrong = "a no leads into the middle of an operation";
    offset += op.yes;
  }
  free(begins);
  return wrong;
}

size_t machine_audit_steps(const struct bytecode *program) {
  size_t *before = calloc(program->len + 1, sizeof(*before)), num = 0;
  if (before == NULL)
    abort();
  for (size_t offset = 0; offset < program->len; num++) {
    before[offset] = num;
    offset += op_at(program, offset).yes;
  }
  size_t steps = num;
  for (size_t offset = 0; offset < program->len;) {
    const struct inet_diag_bc_op op = op_at(program, offset);
    /* As valid_cc() goes, from the first operation to the target. */
    if (offset + op.no < program->len)
      steps += before[offset + op.no] + 1;
    offset += op.yes;
  }
  free(before);
  return steps;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned num) {
  unsigned whole = num / 8, rest = num % 8;
  return memcmp(a, b, whole) == 0 &&
         (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool run_host(const char *operand, uint8_t family,
                     const struct address *address, uint16_t port) {
  struct inet_diag_hostcond cond;
  memcpy(&cond, operand, sizeof(cond));
  const uint8_t *wanted = (const uint8_t *)operand + sizeof(cond);
  /* The kernel keeps the address of an AF_INET socket in 4 bytes. */
  const uint8_t *bytes = address->bytes + (family == AF_INET ? 12 : 0);
  if (cond.port != -1 && cond.port != port)
    return false;
  if (cond.family == AF_UNSPEC)
    return true;
  if (cond.family == family)
    return same_bits(bytes, wanted, cond.prefix_len);
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  return family == AF_INET6 && cond.family == AF_INET &&
         memcmp(bytes, mapped, sizeof(mapped)) == 0 &&
         same_bits(bytes + 12, wanted, cond.prefix_len);
}

static bool run_operation(const char *at, const struct diag_socket *socket) {
  struct inet_diag_bc_op op, value;
  memcpy(&op, at, sizeof(op));
  const char *operand = at + sizeof(op);
  uint64_t id;
  switch (op.code) {
  case INET_DIAG_BC_NOP:
    return true;
  case INET_DIAG_BC_JMP:
    return false;
  case INET_DIAG_BC_S_COND:
    return run_host(operand, socket->family, &socket->local_address,
                    socket->local_port);
  case INET_DIAG_BC_D_COND:
    return run_host(operand, socket->family, &socket->remote_address,
                    socket->remote_port);
  case INET_DIAG_BC_CGROUP_COND:
    memcpy(&id, operand, sizeof(id));
    return id == socket->cgroup_id;
  }
  memcpy(&value, operand, sizeof(value));
  switch (op.code) {
  case INET_DIAG_BC_S_EQ:
    return socket->local_port == value.no;
  case INET_DIAG_BC_S_GE:
    return socket->local_port >= value.no;
  case INET_DIAG_BC_S_LE:
    return socket->local_port <= value.no;
  case INET_DIAG_BC_D_EQ:
    return socket->remote_port == value.no;
  case INET_DIAG_BC_D_GE:
    return socket->remote_port >= value.no;
  case INET_DIAG_BC_D_LE:
    return socket->remote_port <= value.no;
  }
  abort();
}

struct machine_verdict machine_run(const struct bytecode *program,
                                   const struct diag_socket *socket) {
  struct machine_verdict verdict = {0};
  long left = (long)program->len;
  for (const char *at = program->ops; left > 0;) {
    struct inet_diag_bc_op op;
    memcpy(&op, at, sizeof(op));
    verdict.comparisons += op.code != INET_DIAG_BC_JMP;
    unsigned step = run_operation(at, socket) ? op.yes : op.no;
    left -= step;
    at += left > 0 ? step : 0;
  }
  verdict.accepted = left == 0;
  return verdict;
}
