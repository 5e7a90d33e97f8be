/* SPDX-License-Identifier: MIT */
/* What goes wrong in read after read, as collectd's log has it. */
#ifndef TCPSTATES_TROUBLE_H
#define TCPSTATES_TROUBLE_H

#include "collectd.h"

#include "plugin.h"
#include "utils_complain.h"

/* None when zero-initialised. */
struct trouble {
  c_complain_t log;
  const char *what; /* of the last complaint */
  int err;
};

/* Says "LABEL WHAT: REASON. CONSEQUENCE.", at growing intervals while what and
 * err stay the same. label: of a namespace, or "". reason: NULL: that of err, a
 * negative errno. */
void trouble_complain(struct trouble *trouble, int level, const char *label,
                      const char *what, const char *reason, int err,
                      const char *consequence);

/* It is over: says so if there was a complaint. */
void trouble_release(struct trouble *trouble, const char *label,
                     const char *text);

#endif
