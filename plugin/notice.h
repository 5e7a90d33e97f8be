/* When sockets are stuck: whether there is something to say, and its text. */
#ifndef TCPSTATES_NOTICE_H
#define TCPSTATES_NOTICE_H

#include "holders.h"

/* What collectd takes for a text, with the NUL byte (NOTIF_MAX_MSG_LEN). */
#define NOTICE_TEXT_SIZE 256

/* How many holders a text may name by control group and port, and of how many
 * it may name the processes. */
#define NOTICE_HOLDERS 3
#define NOTICE_PROCESSES 5

enum notice_event { NOTICE_NONE, NOTICE_STUCK, NOTICE_OVER };

/* What was said of one state. Zero-initialised it is ready for use. */
struct notice {
  unsigned reads; /* in a row with enough stuck sockets */
  bool said;
};

/* Takes the number of stuck sockets of one more read. Returns NOTICE_STUCK when
 * it is the second in a row with at least limit of them and that was not said;
 * NOTICE_OVER when it was, and there are fewer. */
enum notice_event notice_update(struct notice *notice, uint64_t stuck,
                                uint32_t limit);

/* What a text is made of. */
struct notice_stuck {
  uint8_t state; /* TCP_FIN_WAIT2 or TCP_CLOSE_WAIT */
  uint64_t num;
  int64_t after; /* seconds: stuck are those that are held longer */
  double oldest; /* seconds */
  const struct holder *const *holders; /* the largest first */
  size_t holders_num;
  /* For each holder its control group's path, of at most 255 characters,
   * of which a long one is shortened; NULL: not known */
  const char *const *paths;
  const char *processes; /* "curl[4711], nginx[80]"; "": not known */
};

/* Writes the text for NOTICE_STUCK. What does not fit is left out from the end
 * of the list of holders, whole. */
void notice_text_stuck(char *buf, size_t size, const struct notice_stuck *what);

/* Writes the text for NOTICE_OVER: num sockets are stuck still. */
void notice_text_over(char *buf, size_t size, uint8_t state, uint64_t num,
                      uint32_t limit);

#endif
