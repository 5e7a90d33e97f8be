/* One read of one namespace: asks for what the settings need, in order. */
#include "snapshot.h"

#include "proc_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bound-only sockets can be asked for since this release. */
#define CLOSED_MAJOR 6
#define CLOSED_MINOR 8

/* All states that a socket can be in, but bound-only. */
#define STATES_ALL (((1u << (TCP_CLOSING + 1)) - 2) & ~(1u << TCP_CLOSE))

static void file_failed(struct snapshot *s, const char *file, int err) {
  if (s->file != NULL)
    return;
  s->file = file;
  s->file_error = err;
}

/* Reads a file below /proc into text. Returns false when it has none. */
static bool read_file(const struct snapshot_reader *reader, struct snapshot *s,
                      const char *file, char *text, size_t size) {
  char path[256];
  snprintf(path, sizeof(path), "%s/%s", reader->proc, file);
  int err = proc_file_read(path, text, size);
  if (err != 0 && err != -ENOENT)
    file_failed(s, file, err);
  return err == 0;
}

static void read_sysctl(const struct snapshot_reader *reader,
                        struct snapshot *s, const char *file, int64_t *out,
                        size_t num) {
  char text[256];
  if (!read_file(reader, s, file, text, sizeof(text)))
    return;
  int err = proc_text_sysctl(text, out, num);
  if (err != 0)
    file_failed(s, file, err);
}

static void read_sockstat(const struct snapshot_reader *reader,
                          struct snapshot *s) {
  /* Not /proc/net: that is the main thread's namespace. */
  static const char file[] = "thread-self/net/sockstat";
  char text[2048];
  if (!read_file(reader, s, file, text, sizeof(text)))
    return;
  int err = proc_text_sockstat(text, &s->sockstat);
  if (err != 0)
    file_failed(s, file, err);
}

static void read_files(const struct snapshot_reader *reader,
                       struct snapshot *s) {
  unsigned report = reader->settings->report;
  if (report & REPORT_FIN_TIMEOUT)
    read_sysctl(reader, s, "sys/net/ipv4/tcp_fin_timeout", &s->tcp_fin_timeout,
                1);
  if (report & (REPORT_ORPHANS | REPORT_LIMITS))
    read_sockstat(reader, s);
  if (report & REPORT_ORPHANS)
    read_sysctl(reader, s, "sys/net/ipv4/tcp_max_orphans", &s->tcp_max_orphans,
                1);
  if (report & REPORT_LIMITS) {
    read_sysctl(reader, s, "sys/net/ipv4/tcp_max_tw_buckets",
                &s->tcp_max_tw_buckets, 1);
    read_sysctl(reader, s, "sys/net/ipv4/tcp_mem", s->tcp_mem, 3);
  }
}

static bool kernel_tells_closed(const struct snapshot_reader *reader,
                                struct snapshot *s) {
  char text[256];
  return read_file(reader, s, "sys/kernel/osrelease", text, sizeof(text)) &&
         proc_text_release_at_least(text, CLOSED_MAJOR, CLOSED_MINOR) == 1;
}

static int note_listener(const struct diag_socket *socket, void *data) {
  port_bitmap_add(data, socket->local_port);
  return 0;
}

static int find_listening_ports(struct snapshot_reader *reader) {
  /* LISTEN alone walks only the short table of listeners. */
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  memset(&reader->listening, 0, sizeof(reader->listening));
  int err =
      diag_dump_run(&reader->dump, &request, note_listener, &reader->listening);
  if (err == 0)
    err = group_index_listen(&reader->index, &reader->listening);
  return err < 0 ? err : 0;
}

static int count_once(struct snapshot_reader *reader, uint32_t states) {
  int err = 0;
  if (reader->settings->listening_ports == CHOICE_TRUE)
    err = find_listening_ports(reader);
  if (err == 0)
    err = tally_reset(&reader->tally, &reader->index);
  if (err != 0)
    return err;
  const struct diag_request request = {.states = states};
  return diag_dump_run(&reader->dump, &request, tally_socket, &reader->tally);
}

static int count_sockets(struct snapshot_reader *reader, struct snapshot *s) {
  uint32_t states = STATES_ALL;
  if (reader->settings->report & REPORT_CLOSED) {
    states |= 1u << DIAG_STATE_BOUND_INACTIVE;
    s->closed_known = kernel_tells_closed(reader, s);
  }
  int err = count_once(reader, states);
  if (err == -EINTR)
    err = count_once(reader, states);
  return err;
}

int snapshot_open(struct snapshot_reader *reader,
                  const struct settings *settings, const char *proc) {
  memset(reader, 0, sizeof(*reader));
  reader->proc = proc;
  reader->settings = settings;
  return group_index_init(&reader->index, settings->groups,
                          settings->groups_num);
}

void snapshot_read(struct snapshot_reader *reader, struct snapshot *out) {
  *out = (struct snapshot){
      .index = &reader->index,
      .tally = &reader->tally,
      .sockstat = {PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN,
                   PROC_UNKNOWN},
      .tcp_fin_timeout = PROC_UNKNOWN,
      .tcp_max_tw_buckets = PROC_UNKNOWN,
      .tcp_max_orphans = PROC_UNKNOWN,
      .tcp_mem = {PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN},
  };
  read_files(reader, out);
  if (settings_need_sockets(reader->settings))
    out->sockets_error = count_sockets(reader, out);
}

void snapshot_close(struct snapshot_reader *reader) {
  diag_dump_close(&reader->dump);
  group_index_free(&reader->index);
  tally_free(&reader->tally);
}
