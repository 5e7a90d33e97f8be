/* What to say of stuck sockets after a read: the notification, if it is time
 * for one. */
#ifndef TCPSTATES_STUCK_H
#define TCPSTATES_STUCK_H

#include "notice.h"
#include "snapshot.h"

/* The states that sockets can be stuck in. */
enum stuck_state { STUCK_FIN_WAIT2, STUCK_CLOSE_WAIT };
#define STUCK_STATES (STUCK_CLOSE_WAIT + 1)

/* What was said. Zero-initialised it is ready for use. */
struct stuck {
  struct notice notices[STUCK_STATES];
};

/* The value that counts them: "fin_wait2_stuck", "close_wait_stuck". */
const char *stuck_name(enum stuck_state state);

/* Takes one more read, and when there is something to say of the state, writes
 * the text for it. A read without counts changes nothing. proc is where procfs
 * is mounted. Returns what it is that text says. */
enum notice_event stuck_update(struct stuck *stuck, enum stuck_state state,
                               const struct settings *settings,
                               const struct snapshot *snapshot,
                               const char *proc, char text[NOTICE_TEXT_SIZE]);

#endif
