/* SPDX-License-Identifier: MIT */
/* The machine in the kernel that runs inet_diag bytecode.
 * Source: net/ipv4/inet_diag.c, inet_diag_bc_audit(), inet_diag_bc_run(). */
#ifndef TCPSTATES_BYTECODE_MACHINE_H
#define TCPSTATES_BYTECODE_MACHINE_H

#include "bytecode.h"
#include "diag_msg.h"

/* What the program comes to for one socket. */
struct machine_verdict {
  bool accepted;
  size_t comparisons; /* operations run for it, but jumps */
};

/* Says what the kernel would refuse the program for; NULL: it accepts it. */
const char *machine_audit(const struct bytecode *program);

/* The operations that the audit of a valid program passes, each as often as it
 * does. */
size_t machine_audit_steps(const struct bytecode *program);

/* Runs a program that passed the audit. */
struct machine_verdict machine_run(const struct bytecode *program,
                                   const struct diag_socket *socket);

#endif
