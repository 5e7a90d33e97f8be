/* SPDX-License-Identifier: MIT */
/* What the files of plugin_host share: tests/support/host_*.c take the place of
 * the collectd daemon, plugin_host.c loads and reads one plugin. */
#ifndef TCPSTATES_HOST_H
#define TCPSTATES_HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"
#include "utils_complain.h"

/* Hidden: a plugin must find no name in the host that the daemon does not have.
 */
#pragma GCC visibility push(hidden)

enum {
  EXIT_READ_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_START_FAILED = 3,
  EXIT_CONTRACT = 4,
};

enum kind {
  KIND_CONFIG,
  KIND_COMPLEX_CONFIG,
  KIND_INIT,
  KIND_READ,
  KIND_COMPLEX_READ,
  KIND_SHUTDOWN,
};

struct callback {
  enum kind kind;
  char *name;
  char *group;
  union {
    int (*simple)(void);
    plugin_read_cb complex_read;
    int (*config)(const char *key, const char *value);
    int (*complex_config)(oconfig_item_t *ci);
  } call;
  const char **keys;
  int keys_num;
  user_data_t user_data;
  plugin_ctx_t ctx;
  bool removed;
  struct callback *next;
};

struct options {
  const char *plugin;
  const char *config;
  const char *types_db;
  const char *allow;
  uint64_t reads;
  uint64_t warmup;
  double interval;
  bool values;
  bool strict_time;
  bool registrations;
  bool measure;
  bool from_stdin;
};

/* What reads have cost. */
struct measurement {
  uint64_t *cpu_ns;
  size_t num;
  size_t capacity;
  uint64_t values;
  uint64_t mallocs;
  uint64_t malloc_reads;
  uint64_t rss_kib_first;
  uint64_t open_fds_first;
};

#define DEFAULT_INTERVAL 10

extern struct options options;

/* host_daemon.c: the context of the callback that runs in this thread. */
extern _Thread_local plugin_ctx_t current_ctx;

/* host_callbacks.c: what the plugin has registered, in that order. */
extern struct callback *callbacks;
struct callback *find_callback(enum kind kind, const char *name);
void free_all_user_data(void);
void free_callbacks(void);

/* host_plugin.c: each returns 0, or not 0 with a line on stderr. */
int load(const char *path, char *name);
int configure(const char *name);
int initialise(void);
void shut_down(void);
bool has_read(void);

/* One read of the plugin: each of its read callbacks once. Returns 0, or what
 * the last one that failed returned. */
int call_reads(void);

/* host_values.c: reads the types that values are checked against. Returns 0,
 * or -1 with a line on stderr. */
int read_types_db(const char *path);
void free_data_types(void);

/* Values are printed and checked from now on, or no longer. */
void check_values(bool check);

/* The next value begins another read, whose values have one time. */
void begin_values(void);

/* How many values were dispatched. */
uint64_t count_values(void);

/* Has a value broken the daemon's contract? */
bool contract_violated(void);

/* host_measure.c: does call_reads() as read number `number`, and measures it.
 * Returns what it returned. */
int perform_read(uint64_t number, bool warmup, struct measurement *m);
void print_measurement(struct measurement *m);
uint64_t open_fds(void);
uint64_t threads(void);

#pragma GCC visibility pop

#endif
