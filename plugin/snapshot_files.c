/* SPDX-License-Identifier: MIT */
/* What a read takes from /proc, for snapshot.c. */
#include "snapshot_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct proc_sockstat unknown_sockstat = SNAPSHOT_NO_SOCKSTAT;

/* Not /proc/net: that is the main thread's namespace. */
static const char *const names[SNAPSHOT_FILES_NUM] = {
    [SNAPSHOT_SOCKSTAT] = "/proc/thread-self/net/sockstat",
    [SNAPSHOT_SOCKSTAT6] = "/proc/thread-self/net/sockstat6",
    [SNAPSHOT_FIN_TIMEOUT] = "/proc/sys/net/ipv4/tcp_fin_timeout",
    [SNAPSHOT_MAX_ORPHANS] = "/proc/sys/net/ipv4/tcp_max_orphans",
    [SNAPSHOT_MAX_TW_BUCKETS] = "/proc/sys/net/ipv4/tcp_max_tw_buckets",
    [SNAPSHOT_MEM] = "/proc/sys/net/ipv4/tcp_mem",
    [SNAPSHOT_PORT_RANGE] = "/proc/sys/net/ipv4/ip_local_port_range",
    [SNAPSHOT_RESERVED_PORTS] = "/proc/sys/net/ipv4/ip_local_reserved_ports",
};

void snapshot_file_failed(struct snapshot *s, const char *file, int err) {
  if (s->file != NULL)
    return;
  s->file = file;
  s->file_error = err;
}

/* Reads a file into text. Returns 0 or -errno; that it is not there (-ENOENT)
 * is no failure. */
static int read_file(struct snapshot_reader *reader, struct snapshot *s,
                     enum snapshot_file file, char *text, size_t size) {
  char path[256];
  snprintf(path, sizeof(path), "%s%s", reader->proc,
           names[file] + strlen("/proc"));
  int err = proc_file_reread(&reader->files[file], path, text, size);
  if (reader->settings->other_namespace)
    proc_file_close(&reader->files[file]);
  if (err != 0 && err != -ENOENT)
    snapshot_file_failed(s, names[file], err);
  return err;
}

/* err: 0 or -errno, of what was to be understood in a file. */
static void parsed(struct snapshot *s, enum snapshot_file file, int err) {
  if (err != 0)
    snapshot_file_failed(s, names[file], err);
}

static void read_sysctl(struct snapshot_reader *reader, struct snapshot *s,
                        enum snapshot_file file, int64_t *out, size_t num) {
  char text[256];
  if (read_file(reader, s, file, text, sizeof(text)) == 0)
    parsed(s, file, proc_text_sysctl(text, out, num));
}

void snapshot_read_sockstat(struct snapshot_reader *reader,
                            struct snapshot *s) {
  char text[2048];
  s->sockstat = unknown_sockstat;
  if (read_file(reader, s, SNAPSHOT_SOCKSTAT, text, sizeof(text)) == 0)
    parsed(s, SNAPSHOT_SOCKSTAT, proc_text_sockstat(text, &s->sockstat));
}

/* The AF_INET6 full sockets; none where there is no IPv6. */
static int64_t read_sockstat6(struct snapshot_reader *reader,
                              struct snapshot *s) {
  char text[2048];
  int64_t inuse = PROC_UNKNOWN;
  int err = read_file(reader, s, SNAPSHOT_SOCKSTAT6, text, sizeof(text));
  if (err != 0)
    return err == -ENOENT && !reader->has_ipv6 ? 0 : PROC_UNKNOWN;
  reader->has_ipv6 = true;
  parsed(s, SNAPSHOT_SOCKSTAT6, proc_text_sockstat6(text, &inuse));
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
static void read_ephemeral(struct snapshot_reader *reader, struct snapshot *s,
                           struct port_range range) {
  char text[PORT_LIST_SIZE];
  struct port_bitmap reserved;
  int err = read_file(reader, s, SNAPSHOT_RESERVED_PORTS, text, sizeof(text));
  if (err == 0) {
    err = proc_text_port_list(text, &reserved);
    parsed(s, SNAPSHOT_RESERVED_PORTS, err);
  }
  if (err != 0)
    range = (struct port_range){1, 0};
  ephemeral_set_ports(reader->ephemeral, range, &reserved);
}

/* The ports that a client is given. */
static void read_port_range(struct snapshot_reader *reader,
                            struct snapshot *s) {
  char text[64];
  struct port_range range = {1, 0};
  int err = read_file(reader, s, SNAPSHOT_PORT_RANGE, text, sizeof(text));
  if (err == 0) {
    err = proc_text_port_range(text, &range);
    parsed(s, SNAPSHOT_PORT_RANGE, err);
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
    read_sysctl(reader, s, SNAPSHOT_FIN_TIMEOUT, &s->tcp_fin_timeout, 1);
  if (report & REPORT_ORPHANS && machine)
    read_sysctl(reader, s, SNAPSHOT_MAX_ORPHANS, &s->tcp_max_orphans, 1);
  if (report & REPORT_LIMITS && !reader->summed)
    read_sysctl(reader, s, SNAPSHOT_MAX_TW_BUCKETS, &s->tcp_max_tw_buckets, 1);
  if (report & REPORT_LIMITS && machine)
    read_sysctl(reader, s, SNAPSHOT_MEM, s->tcp_mem, 3);
  if (reader->stuck != NULL || reader->ephemeral != NULL)
    read_port_range(reader, s);
}

void snapshot_read_summed_limit(struct snapshot_reader *reader,
                                struct snapshot *s) {
  if (s->sockstat.tw == 0)
    s->tcp_max_tw_buckets = 1;
  else
    read_sysctl(reader, s, SNAPSHOT_MAX_TW_BUCKETS, &s->tcp_max_tw_buckets, 1);
}
