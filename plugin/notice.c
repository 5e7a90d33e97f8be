/* SPDX-License-Identifier: MIT */
/* Puts what is known of stuck sockets into words; tcpstates.c sends them. */
#include "notice.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The text names a port that has more than this part of the sockets. */
#define PORT_PART 10
#define PORTS_SHOWN 4

const char *notice_state(uint8_t state) {
  return state == TCP_FIN_WAIT1   ? "FIN_WAIT1"
         : state == TCP_FIN_WAIT2 ? "FIN_WAIT2"
         : state == TCP_CLOSE     ? "no state"
                                  : "CLOSE_WAIT";
}

const char *notice_value(uint8_t state) {
  return state == TCP_FIN_WAIT1   ? "fin_wait1_stuck"
         : state == TCP_FIN_WAIT2 ? "fin_wait2_stuck"
         : state == TCP_CLOSE     ? "unhashed"
                                  : "close_wait_stuck";
}

/* A text that grows; what would not fit whole is left out. */
struct text {
  char *buf;
  size_t size;
  size_t len;
};

/* Returns whether there was room. */
__attribute__((format(printf, 2, 3))) static bool add(struct text *text,
                                                      const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len =
      vsnprintf(text->buf + text->len, text->size - text->len, format, args);
  va_end(args);
  if (len < 0 || (size_t)len >= text->size - text->len) {
    text->buf[text->len] = '\0';
    return false;
  }
  text->len += (size_t)len;
  return true;
}

/* "45 s", "12 min", "4 h 12 min", "3 d 4 h" */
static void add_age(struct text *text, uint64_t ms) {
  unsigned long long s = ms / 1000;
  if (s < 120)
    add(text, "%llu s", s);
  else if (s < 7200)
    add(text, "%llu min", s / 60);
  else if (s < 172800)
    add(text, "%llu h %llu min", s / 3600, s / 60 % 60);
  else
    add(text, "%llu d %llu h", s / 86400, s / 3600 % 24);
}

/* "of api.service", "on local port 443" */
static void add_holder(struct text *text, const struct evidence *evidence) {
  const struct holder *holder = &evidence->holder;
  if (evidence->everyone)
    return;
  if (holder->service == 0)
    add(text, " %s port %u", holder->local ? "on local" : "to remote",
        holder->port);
  else if (strcmp(evidence->name, "root") == 0)
    add(text, " in the root control group");
  else
    add(text, " of %s", evidence->name);
}

/* What it means, and what ends it. A connection pool's idle connections may be
 * in CLOSE_WAIT; that is not a fault. */
static void add_meaning(struct text *text, const struct holder *holder) {
  switch (holder->state) {
  case TCP_FIN_WAIT1:
    add(text, "The peer does not read what was sent before the FIN: this ends "
              "when it reads, or a while after close() here.");
    break;
  case TCP_FIN_WAIT2:
    add(text, "This side has shut down: only close() here or at the peer ends "
              "it, not tcp_fin_timeout.");
    break;
  default:
    if (holder->unaccepted == 0)
      add(text, "The peers have closed: only close() here ends it, in a "
                "connection pool at the next use.");
    else if (holder->unaccepted >= holder->num)
      add(text, "Not accepted: the program does not call accept(), and the "
                "peers have closed.");
    else
      add(text,
          "The peers have closed; %u are not accepted: the program does "
          "not call accept().",
          holder->unaccepted);
  }
}

/* " Local port 443 (280), 8443 (20), others." of those on one side. */
static void add_ports_of(struct text *text, const struct evidence *evidence,
                         bool local) {
  const struct ranking *ports = &evidence->ports;
  char buf[128];
  struct text list = {buf, sizeof(buf), 0};
  size_t num = 0, shown = 0;
  for (size_t i = 0; i < ports->num; i++) {
    const struct ranked *port = &ports->top[i];
    if (port->local != local)
      continue;
    num++;
    if (shown < PORTS_SHOWN &&
        (uint64_t)port->num * PORT_PART > evidence->holder.num)
      shown += add(&list, "%s%u (%u)", shown == 0 ? "" : ", ", port->port,
                   port->num);
  }
  if (num == 0)
    return;
  if (shown == 0)
    add(text, " Many %s ports.", local ? "local" : "remote");
  else
    add(text, " %s port %s%s.", local ? "Local" : "Remote", buf,
        shown < num || ports->missed > 0 ? ", others" : "");
}

static void add_process(struct text *text, const struct evidence *evidence,
                        const struct process *process) {
  add(text, "%s[%u]", process->command, process->pid);
  if (process->service[0] != '\0' &&
      strcmp(process->service, evidence->service) != 0 &&
      (evidence->holder.service != 0 || evidence->holder.state == TCP_CLOSE))
    add(text, " of %s", process->service);
  if (process->num > 0)
    add(text, " (%u)", process->num);
  if (process->listens)
    add(text, " listens");
}

/* " python3[4711] (280), sh[12] of cron.service (20), 3 more." */
static void add_processes(struct text *text, const struct evidence *evidence) {
  const struct processes *processes = &evidence->processes;
  char buf[NOTICE_TEXT_SIZE];
  struct text list = {buf, sizeof(buf), 0};
  for (size_t i = 0; i < processes->top_num; i++) {
    size_t before = list.len;
    add(&list, "%s", i == 0 ? " " : ", ");
    add_process(&list, evidence, &processes->top[i]);
    uint32_t more = processes->num - (uint32_t)i - 1;
    size_t end = more == 0 ? strlen(".") : strlen(", 4000000 more.");
    if (text->len + list.len + end >= text->size) {
      buf[before] = '\0';
      add(text, i == 0 ? " %s%u processes." : "%s, %u more.", buf, more + 1);
      return;
    }
  }
  if (processes->top_num == 0)
    return;
  if (processes->num > processes->top_num)
    add(text, "%s, %u more.", buf,
        processes->num - (uint32_t)processes->top_num);
  else
    add(text, "%s.", buf);
}

static void add_peer(struct text *text, const struct ranked *peer) {
  char buf[INET6_ADDRSTRLEN] = "?";
  if (address_is_ipv4(&peer->address))
    inet_ntop(AF_INET, peer->address.bytes + 12, buf, sizeof(buf));
  else
    inet_ntop(AF_INET6, peer->address.bytes, buf, sizeof(buf));
  add(text, "%s", buf);
}

/* A further entry of the meta data, which begins where the last one ends. */
static void begin_meta(struct notice *notice, struct text *values,
                       const char *name) {
  if (notice->meta_num > 0 && values->len + 1 < values->size)
    values->len++;
  values->buf[values->len] = '\0';
  notice->meta[notice->meta_num].name = name;
  notice->meta[notice->meta_num++].value = values->buf + values->len;
}

/* "local 443: 280, remote 5432: 20", "192.0.2.7: 280" */
static void add_ranking(struct notice *notice, struct text *values,
                        const char *name, const struct ranking *ranking) {
  if (ranking->num == 0)
    return;
  begin_meta(notice, values, name);
  for (size_t i = 0; i < ranking->num; i++) {
    const struct ranked *one = &ranking->top[i];
    add(values, "%s", i == 0 ? "" : ", ");
    if (one->port != 0)
      add(values, "%s %u", one->local ? "local" : "remote", one->port);
    else
      add_peer(values, one);
    add(values, ": %u", one->num);
  }
  if (ranking->missed > 0)
    add(values, ", others: each at most %u", ranking->missed);
}

static void add_facts(struct notice *notice, const struct evidence *evidence) {
  const struct holder *holder = &evidence->holder;
  struct text values = {notice->values, sizeof(notice->values), 0};
  begin_meta(notice, &values, "state");
  add(&values, "%s", notice_state(holder->state));
  begin_meta(notice, &values, "sockets");
  add(&values, "%s%u", evidence->at_least ? "at least " : "", holder->num);
  if (holder->state != TCP_CLOSE) {
    begin_meta(notice, &values, "not_accepted");
    add(&values, "%u", holder->unaccepted);
    begin_meta(notice, &values, "oldest_seconds");
    add(&values, "%llu", (unsigned long long)holder->oldest / 1000);
  }
  if (evidence->cgroup[0] != '\0') {
    begin_meta(notice, &values, "control_group");
    add(&values, "%s", evidence->cgroup);
  }
  if (evidence->host_name[0] != '\0') {
    begin_meta(notice, &values, "container_host_name");
    add(&values, "%s", evidence->host_name);
  }
  add_ranking(notice, &values, "ports", &evidence->ports);
  add_ranking(notice, &values, "peers", &evidence->peers);
  if (!evidence->searched)
    return;
  begin_meta(notice, &values, "processes");
  const struct processes *processes = &evidence->processes;
  for (size_t i = 0; i < processes->top_num; i++) {
    add(&values, "%s", i == 0 ? "" : ", ");
    add_process(&values, evidence, &processes->top[i]);
  }
  if (processes->num > processes->top_num)
    add(&values, ", %u more", processes->num - (uint32_t)processes->top_num);
  if (!evidence->complete)
    add(&values, "%snot all could be read", processes->num > 0 ? "; " : "");
}

/* Others choose names of processes, control groups and hosts. */
static void clean(char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] != '\0' && (text[i] < ' ' || text[i] > '~'))
      text[i] = '?';
}

/* Of sockets that are stuck in a state. */
static void add_stuck(struct text *text, const struct evidence *evidence) {
  const struct holder *holder = &evidence->holder;
  add(text, "%s%u socket%s", evidence->at_least ? "At least " : "", holder->num,
      holder->num == 1 ? "" : "s");
  add_holder(text, evidence);
  add(text, " in %s for more than %u s (oldest ", notice_state(holder->state),
      evidence->after);
  add_age(text, holder->oldest);
  bool room = add(text, "). ");
  size_t said = text->len;
  add_meaning(text, holder);
  if (room && text->len == said) /* the meaning is left out, and the blank */
    text->buf[--text->len] = '\0';
  if (holder->service != 0 || evidence->everyone) {
    add_ports_of(text, evidence, true);
    add_ports_of(text, evidence, false);
  }
}

/* Of sockets that are in none. */
static void add_unhashed(struct text *text, const struct holder *holder) {
  add(text,
      "%u TCP socket%s in no state: the connection was reset or never made, "
      "and only close() here ends it.",
      holder->num, holder->num == 1 ? "" : "s");
}

void notice_warning(struct notice *notice, const struct evidence *evidence) {
  const struct holder *holder = &evidence->holder;
  *notice = (struct notice){.event = ALARM_WARNING, .state = holder->state};
  snprintf(notice->holder, sizeof(notice->holder), "%s", evidence->name);
  struct text text = {notice->text, sizeof(notice->text), 0};
  if (holder->state == TCP_CLOSE)
    add_unhashed(&text, holder);
  else
    add_stuck(&text, evidence);
  add_processes(&text, evidence);
  if (evidence->peers.num > 0) {
    char peer[INET6_ADDRSTRLEN];
    struct text address = {peer, sizeof(peer), 0};
    add_peer(&address, &evidence->peers.top[0]);
    add(&text, " Most to %s.", peer);
  }
  add_facts(notice, evidence);
  clean(notice->text, text.len);
  clean(notice->values, sizeof(notice->values));
}

void notice_okay(struct notice *notice, const struct alarm *alarm, uint32_t num,
                 uint32_t limit) {
  *notice = (struct notice){.event = ALARM_OKAY, .state = alarm->state};
  snprintf(notice->holder, sizeof(notice->holder), "%s", alarm->holder);
  snprintf(notice->text, sizeof(notice->text),
           "%u %s %s: fewer than half of %u, for two reads.", num,
           alarm->state != TCP_CLOSE ? "stuck in"
           : num == 1                ? "socket in"
                                     : "sockets in",
           notice_state(alarm->state), limit);
}
