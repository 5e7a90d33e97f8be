/* SPDX-License-Identifier: MIT */
/* Programs of inet_diag bytecode, operation by operation; bytecode.c knows what
 * they mean. Source: net/ipv4/inet_diag.c, inet_diag_bc_audit(). */
#ifndef TCPSTATES_ASSEMBLER_H
#define TCPSTATES_ASSEMBLER_H

#include <stddef.h>
#include <stdint.h>

/* What a program of any length must fit in: its netlink attribute with the
 * header ends at UINT16_MAX. */
#define BYTECODE_MAX 65528

/* A program under construction, then ready for the kernel. Empty when
 * zero-initialised. */
struct bytecode {
  char *ops;
  size_t len;     /* bytes */
  size_t size;    /* for how many there is memory */
  size_t ops_num; /* operations */
  size_t audit; /* steps of the kernel's audit, before each dump: about 1 ns */
  size_t cost;  /* comparisons that the kernel makes for a socket, at most */
  size_t cgroups; /* of them those of control groups */
};

/* A place in the program that is still unknown. The "no" of the operations
 * that lead there link them until it is: offset / 4 + 1 of the one before, 0
 * in the first. */
struct label {
  uint16_t last;
};

/* Empties the program, and keeps its memory. */
void assembler_begin(struct bytecode *program);

/* Appends an operation with its operand. On no it goes to the label, else to
 * the next operation. Allocates when the program is longer than any before.
 * Returns 0; -EMSGSIZE: longer than BYTECODE_MAX; -ENOMEM. */
int assembler_emit(struct bytecode *program, uint8_t code, const void *operand,
                   size_t operand_len, struct label *no);

/* Appends a jump. Returns as assembler_emit(). */
int assembler_jump(struct bytecode *program, struct label *to);

/* What leads to the label goes to the next operation; it is free then. */
void assembler_bind(struct bytecode *program, struct label *label);

/* What leads to accept lets the socket through, what leads to reject does not.
 */
void assembler_end(struct bytecode *program, struct label *accept,
                   struct label *reject);

#endif
