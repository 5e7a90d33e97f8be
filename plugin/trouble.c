/* SPDX-License-Identifier: MIT */
/* Logs what is wrong, at growing intervals, and once when it is over; for
 * tcpstates.c. */
#include "trouble.h"

#include "utils/common/common.h"

void trouble_complain(struct trouble *trouble, int level, const char *label,
                      const char *what, const char *reason, int err,
                      const char *consequence) {
  /* A new cause is news. */
  if (what != trouble->what || err != trouble->err)
    trouble->log = (c_complain_t)C_COMPLAIN_INIT_STATIC;
  trouble->what = what;
  trouble->err = err;
  char buf[ERRBUF_SIZE];
  c_complain(level, &trouble->log, "tcpstates plugin: %s%s: %s. %s", label,
             what, reason == NULL ? sstrerror(-err, buf, sizeof(buf)) : reason,
             consequence);
}

void trouble_release(struct trouble *trouble, const char *label,
                     const char *text) {
  c_release(LOG_INFO, &trouble->log, "tcpstates plugin: %s%s", label, text);
}
