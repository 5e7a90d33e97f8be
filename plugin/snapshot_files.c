/* SPDX-License-Identifier: MIT */
/* What a read takes from /proc, for snapshot.c. */
#include "snapshot_files.h"

#include "proc_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct proc_sockstat unknown_sockstat = SNAPSHOT_NO_SOCKSTAT;

void snapshot_file_failed(struct snapshot *s, const char *file, int err) {
  if (s->file != NULL)
    return;
  s->file = file;
  s->file_error = err;
}

/* Reads a file, named as "/proc/...", into text. Returns 0 or -errno; that it
 * is not there (-ENOENT) is no failure. */
static int read_file(const struct snapshot_reader *reader, struct snapshot *s,
                     const char *file, char *text, size_t size) {
  char path[256];
  snprintf(path, sizeof(path), "%s%s", reader->proc, file + strlen("/proc"));
  int err = proc_file_read(path, text, size);
  if (err != 0 && err != -ENOENT)
    snapshot_file_failed(s, file, err);
  return err;
}

static void read_sysctl(const struct snapshot_reader *reader,
                        struct snapshot *s, const char *file, int64_t *out,
                        size_t num) {
  char text[256];
  if (read_file(reader, s, file, text, sizeof(text)) != 0)
    return;
  int err = proc_text_sysctl(text, out, num);
  if (err != 0)
    snapshot_file_failed(s, file, err);
}

/* Not /proc/net: that is the main thread's namespace. */
void snapshot_read_sockstat(const struct snapshot_reader *reader,
                            struct snapshot *s) {
  static const char file[] = "/proc/thread-self/net/sockstat";
  char text[2048];
  s->sockstat = unknown_sockstat;
  if (read_file(reader, s, file, text, sizeof(text)) != 0)
    return;
  int err = proc_text_sockstat(text, &s->sockstat);
  if (err != 0)
    snapshot_file_failed(s, file, err);
}

/* The AF_INET6 full sockets; none where there is no IPv6. */
static int64_t read_sockstat6(struct snapshot_reader *reader,
                              struct snapshot *s) {
  static const char file[] = "/proc/thread-self/net/sockstat6";
  char text[2048];
  int64_t inuse = PROC_UNKNOWN;
  int err = read_file(reader, s, file, text, sizeof(text));
  if (err != 0)
    return err == -ENOENT && !reader->has_ipv6 ? 0 : PROC_UNKNOWN;
  reader->has_ipv6 = true;
  err = proc_text_sockstat6(text, &inuse);
  if (err != 0)
    snapshot_file_failed(s, file, err);
  return inuse;
}

struct plan_sums snapshot_read_sums(struct snapshot_reader *reader,
                                    struct snapshot *s) {
  int64_t inuse6 = read_sockstat6(reader, s);
  snapshot_read_sockstat(reader, s);
  bool known = inuse6 >= 0 && s->sockstat.inuse >= 0 && s->sockstat.alloc >= 0;
  s->sums_error = known ? 0 : -ENODATA;
  s->sums = (struct netns_sums){.inuse = s->sockstat.inuse + inuse6,
                                .alloc = s->sockstat.alloc,
                                .orphan = s->sockstat.orphan};
  return (struct plan_sums){.inuse = s->sockstat.inuse,
                            .inuse6 = inuse6,
                            .tw = s->sockstat.tw,
                            .alloc = s->sockstat.alloc};
}

/* Linux 6.1. Only in such a one and in the machine's first namespace, which
 * shares its table with all others, the number is positive; and only the first
 * one has the machine's limits. */
bool snapshot_has_own_table(const struct snapshot_reader *reader) {
  char path[256], text[64];
  int64_t entries;
  snprintf(path, sizeof(path), "%s/sys/net/ipv4/tcp_mem", reader->proc);
  if (proc_file_read(path, text, sizeof(text)) != -ENOENT)
    return false;
  snprintf(path, sizeof(path), "%s/sys/net/ipv4/tcp_ehash_entries",
           reader->proc);
  return proc_file_read(path, text, sizeof(text)) == 0 &&
         proc_text_sysctl(text, &entries, 1) == 0 && entries > 0;
}

/* Longer than any list that a person would write. */
#define PORT_LIST_SIZE 8192

/* Sets no ports when it is not known which they are. */
static void read_ephemeral(const struct snapshot_reader *reader,
                           struct snapshot *s, struct port_range range) {
  static const char file[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";
  char text[PORT_LIST_SIZE];
  struct port_bitmap reserved;
  int err = read_file(reader, s, file, text, sizeof(text));
  if (err == 0) {
    err = proc_text_port_list(text, &reserved);
    if (err != 0)
      snapshot_file_failed(s, file, err);
  }
  if (err != 0)
    range = (struct port_range){1, 0};
  ephemeral_set_ports(reader->ephemeral, range, &reserved);
}

/* The ports that a client is given. */
static void read_port_range(struct snapshot_reader *reader,
                            struct snapshot *s) {
  static const char file[] = "/proc/sys/net/ipv4/ip_local_port_range";
  char text[64];
  struct port_range range = {1, 0};
  int err = read_file(reader, s, file, text, sizeof(text));
  if (err == 0) {
    err = proc_text_port_range(text, &range);
    if (err != 0)
      snapshot_file_failed(s, file, err);
  }
  if (reader->stuck != NULL)
    reader->stuck->whose.ephemeral =
        err == 0 ? range : (struct port_range){32768, 60999};
  if (reader->ephemeral != NULL)
    read_ephemeral(reader, s, range);
}

void snapshot_read_files(struct snapshot_reader *reader, struct snapshot *s) {
  unsigned report = reader->settings->report;
  bool machine = !reader->settings->other_namespace;
  if (report & REPORT_FIN_TIMEOUT && !reader->summed)
    read_sysctl(reader, s, "/proc/sys/net/ipv4/tcp_fin_timeout",
                &s->tcp_fin_timeout, 1);
  if (report & REPORT_ORPHANS && machine)
    read_sysctl(reader, s, "/proc/sys/net/ipv4/tcp_max_orphans",
                &s->tcp_max_orphans, 1);
  if (report & REPORT_LIMITS && !reader->summed)
    read_sysctl(reader, s, "/proc/sys/net/ipv4/tcp_max_tw_buckets",
                &s->tcp_max_tw_buckets, 1);
  if (report & REPORT_LIMITS && machine)
    read_sysctl(reader, s, "/proc/sys/net/ipv4/tcp_mem", s->tcp_mem, 3);
  if (reader->stuck != NULL || reader->ephemeral != NULL)
    read_port_range(reader, s);
}

void snapshot_read_summed_limit(const struct snapshot_reader *reader,
                                struct snapshot *s) {
  if (s->sockstat.tw == 0)
    s->tcp_max_tw_buckets = 1;
  else
    read_sysctl(reader, s, "/proc/sys/net/ipv4/tcp_max_tw_buckets",
                &s->tcp_max_tw_buckets, 1);
}
