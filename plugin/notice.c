/* Decides when to speak of stuck sockets and what to say; tcpstates.c hands it
 * to collectd. */
#include "notice.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

enum notice_event notice_update(struct notice *notice, uint64_t stuck,
                                uint32_t limit) {
  if (stuck < limit) {
    bool over = notice->said;
    *notice = (struct notice){0};
    return over ? NOTICE_OVER : NOTICE_NONE;
  }
  if (notice->reads < 2)
    notice->reads++;
  if (notice->said || notice->reads < 2)
    return NOTICE_NONE;
  notice->said = true;
  return NOTICE_STUCK;
}

/* "45 s", "12 min", "4 h 12 min", "3 d 4 h" */
static void format_age(char *buf, size_t size, double seconds) {
  unsigned long s = (unsigned long)seconds;
  if (s < 120)
    snprintf(buf, size, "%lu s", s);
  else if (s < 7200)
    snprintf(buf, size, "%lu min", s / 60);
  else if (s < 172800)
    snprintf(buf, size, "%lu h %lu min", s / 3600, s / 60 % 60);
  else
    snprintf(buf, size, "%lu d %lu h", s / 86400, s / 3600 % 24);
}

/* A path as a person would tell it: without the "/" in front, container ids as
 * container tools print them, and of a long path only its end. */
static void shorten_path(char *buf, size_t size, const char *path) {
  const size_t id_len = 32, shown_len = 12, path_max = 64;
  size_t len = 0;
  for (const char *c = path + (path[0] == '/'); *c != '\0';) {
    size_t hex = strspn(c, "0123456789abcdef");
    size_t copied = hex >= id_len ? shown_len : hex > 0 ? hex : 1;
    for (size_t i = 0; i < copied && len + 1 < size; i++)
      buf[len++] = c[i];
    c += hex > 0 ? hex : 1;
  }
  buf[len] = '\0';
  if (len == 0)
    snprintf(buf, size, "/");
  if (len > path_max) {
    const char *end = buf + len - path_max;
    const char *slash = strchr(end, '/');
    const char *from = slash == NULL ? end : slash;
    memmove(buf + 3, from, strlen(from) + 1);
    memcpy(buf, "...", 3);
  }
}

/* "30 in system.slice/api.service to remote port 443"; path: NULL: without. */
static void format_holder(char *buf, size_t size, const struct holder *holder,
                          const char *path) {
  char shown[256] = "";
  if (path != NULL)
    shorten_path(shown, sizeof(shown), path);
  snprintf(buf, size, "%u%s%s %s port %u", holder->num,
           path == NULL ? "" : " in ", shown,
           holder->local ? "on local" : "to remote", holder->port);
}

static const char *meaning(uint8_t state) {
  return state == TCP_FIN_WAIT2
             ? "tcp_fin_timeout does not end them: the application has shut "
               "down its side and not closed the socket."
             : "The peer has closed; the application here has not, and no "
               "timeout ends that.";
}

void notice_text_stuck(char *buf, size_t size,
                       const struct notice_stuck *what) {
  const char *end = meaning(what->state);
  size_t room = size > strlen(end) + 3 ? size - strlen(end) - 3 : 0;
  char oldest[32];
  format_age(oldest, sizeof(oldest), what->oldest);
  int head = snprintf(
      buf, size, "%" PRIu64 " socket%s %s for more than %lld s (oldest %s)",
      what->num, what->num == 1 ? "" : "s",
      what->state == TCP_FIN_WAIT2 ? "held in FIN_WAIT2" : "in CLOSE_WAIT",
      (long long)what->after, oldest);
  size_t len = head < 0 || (size_t)head >= size ? strlen(buf) : (size_t)head;
  for (size_t i = 0; i < what->holders_num; i++) {
    char holder[320];
    format_holder(holder, sizeof(holder), what->holders[i], what->paths[i]);
    if (len + strlen(holder) + 2 > room)
      format_holder(holder, sizeof(holder), what->holders[i], NULL);
    if (len + strlen(holder) + 2 > room)
      break;
    len += (size_t)snprintf(buf + len, size - len, "%s %s", i == 0 ? ":" : ",",
                            holder);
  }
  size_t more = strlen(what->processes) + 3;
  if (what->processes[0] != '\0' && len + more <= room)
    len += (size_t)snprintf(buf + len, size - len, " (%s)", what->processes);
  snprintf(buf + len, size - len, ". %s", end);
}

void notice_text_over(char *buf, size_t size, uint8_t state, uint64_t num,
                      uint32_t limit) {
  snprintf(buf, size, "%" PRIu64 " stuck in %s: fewer than %u again.", num,
           state == TCP_FIN_WAIT2 ? "FIN_WAIT2" : "CLOSE_WAIT", limit);
}
