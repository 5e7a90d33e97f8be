/* SPDX-License-Identifier: MIT */
/* What the log says once about a namespace: what is missing, and why. */
#ifndef TCPSTATES_REMARKS_H
#define TCPSTATES_REMARKS_H

#include "snapshot.h"

/* What was said. Ready for use when zero-initialised. */
struct remarks {
  unsigned said;
  uint8_t *filters; /* of each configured group, once there was memory for it */
  uint8_t *mptcp_filters; /* likewise */
};

/* Writes what is to be said after a read: a sentence without a full stop. To be
 * called until there is nothing more. Returns 1: there is a text; 0: nothing
 * more. */
int remarks_next(struct remarks *remarks, const struct snapshot *snapshot,
                 char *text, size_t size);

/* What the error of a snapshot's file means: a sentence without a full stop;
 * NULL: what errno's number says. */
const char *remarks_file_strerror(int err);

void remarks_free(struct remarks *remarks);

#endif
