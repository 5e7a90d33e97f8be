/* Names every value once, in two tables; tcpstates.c hands them to collectd. */
#include "metrics.h"

#include <math.h>
#include <stdio.h>

/* A value that each group has. */
struct group_value {
  const char *type;
  const char *type_instance;
  unsigned report;
  size_t offset; /* of a uint64_t in struct tally_counts */
  double unit;   /* that it counts */
};

#define STATE(name, state_number)                                              \
  {                                                                            \
    "tcp_connections", name, REPORT_BY_STATE,                                  \
        offsetof(struct tally_counts, state[state_number]), 1                  \
  }
#define COUNT(report, name)                                                    \
  {                                                                            \
    "current_connections", #name, report, offsetof(struct tally_counts, name), \
        1                                                                      \
  }
/* Of milliseconds. */
#define AGE(name)                                                              \
  { "duration", #name, REPORT_STUCK, offsetof(struct tally_counts, name), 1e-3 }
#define QUEUE(type, name, counter, unit)                                       \
  {                                                                            \
    type, name, REPORT_ACCEPT_QUEUE, offsetof(struct tally_counts, counter),   \
        unit                                                                   \
  }

/* The split of FIN_WAIT2 must not be a tcp_connections: graphs stack that type
 * and would count those sockets twice. */
static const struct group_value group_values[] = {
    STATE("ESTABLISHED", TCP_ESTABLISHED),
    STATE("SYN_SENT", TCP_SYN_SENT),
    STATE("SYN_RECV", TCP_SYN_RECV),
    STATE("FIN_WAIT1", TCP_FIN_WAIT1),
    STATE("FIN_WAIT2", TCP_FIN_WAIT2),
    STATE("TIME_WAIT", TCP_TIME_WAIT),
    STATE("CLOSED", TCP_CLOSE),
    STATE("CLOSE_WAIT", TCP_CLOSE_WAIT),
    STATE("LAST_ACK", TCP_LAST_ACK),
    STATE("LISTEN", TCP_LISTEN),
    STATE("CLOSING", TCP_CLOSING),
    COUNT(REPORT_FIN_WAIT2, fin_wait2_held),
    COUNT(REPORT_FIN_WAIT2, fin_wait2_orphaned),
    COUNT(REPORT_ORPHANS, orphaned),
    COUNT(REPORT_STUCK, fin_wait2_stuck),
    COUNT(REPORT_STUCK, close_wait_stuck),
    AGE(fin_wait2_oldest),
    AGE(close_wait_oldest),
    QUEUE("queue_length", "accept_queue", accept_queue, 1),
    QUEUE("queue_length", "accept_queue_limit", accept_queue_limit, 1),
    QUEUE("percent", "accept_queue", accept_queue_fullness, 1e-2),
};

/* NAN stands for a value that is not known. */
static double known(int64_t number) {
  return number == PROC_UNKNOWN ? NAN : (double)number;
}

static double percent(int64_t number, int64_t limit) {
  if (number == PROC_UNKNOWN || limit <= 0)
    return NAN;
  return number < limit ? 100.0 * (double)number / (double)limit : 100.0;
}

double metrics_fin_wait2_lifetime(int64_t tcp_fin_timeout) {
  /* net/ipv4/tcp.c, __tcp_close() and tcp_input.c, tcp_rcv_state_process(): up
   * to TCP_TIMEWAIT_LEN the orphan becomes a minisocket at once; above, it
   * first stays a full orphan for the difference, and then a minisocket for
   * the difference again. The floor is tcp_fin_time(): 3.5 times the smallest
   * retransmission timeout, 200 ms. */
  const int64_t timewait_len = 60;
  double lifetime = tcp_fin_timeout <= timewait_len
                        ? (double)tcp_fin_timeout
                        : 2.0 * (double)(tcp_fin_timeout - timewait_len);
  return lifetime < 0.7 ? 0.7 : lifetime;
}

static double fin_timeout(const struct snapshot *s) {
  return known(s->tcp_fin_timeout);
}
static double fin_wait2_lifetime(const struct snapshot *s) {
  return s->tcp_fin_timeout == PROC_UNKNOWN
             ? NAN
             : metrics_fin_wait2_lifetime(s->tcp_fin_timeout);
}
static double tw_buckets(const struct snapshot *s) {
  return known(s->sockstat.tw);
}
static double max_tw_buckets(const struct snapshot *s) {
  return known(s->tcp_max_tw_buckets);
}
static double tw_buckets_percent(const struct snapshot *s) {
  return percent(s->sockstat.tw, s->tcp_max_tw_buckets);
}
static double orphaned(const struct snapshot *s) {
  return known(s->sockstat.orphan);
}
static double max_orphans(const struct snapshot *s) {
  return known(s->tcp_max_orphans);
}
static double orphans_percent(const struct snapshot *s) {
  return percent(s->sockstat.orphan, s->tcp_max_orphans);
}
static double allocated(const struct snapshot *s) {
  return known(s->sockstat.alloc);
}
static double mem_used(const struct snapshot *s) {
  return known(s->sockstat.mem);
}
static double mem_low(const struct snapshot *s) { return known(s->tcp_mem[0]); }
static double mem_pressure(const struct snapshot *s) {
  return known(s->tcp_mem[1]);
}
static double mem_high(const struct snapshot *s) {
  return known(s->tcp_mem[2]);
}
static double mem_percent(const struct snapshot *s) {
  return percent(s->sockstat.mem, s->tcp_mem[2]);
}

/* A value that there is once. */
struct single_value {
  const char *type;
  const char *type_instance;
  unsigned report;
  double (*get)(const struct snapshot *s);
};

static const struct single_value all_values[] = {
    {"duration", "tcp_fin_timeout", REPORT_FIN_TIMEOUT, fin_timeout},
    {"duration", "fin_wait2_lifetime", REPORT_FIN_TIMEOUT, fin_wait2_lifetime},
    {"current_connections", "timewait_buckets", REPORT_LIMITS, tw_buckets},
    {"gauge", "tcp_max_tw_buckets", REPORT_LIMITS, max_tw_buckets},
    {"percent", "timewait_buckets", REPORT_LIMITS, tw_buckets_percent},
};

static const struct single_value machine_values[] = {
    {"current_connections", "orphaned", REPORT_ORPHANS, orphaned},
    {"gauge", "tcp_max_orphans", REPORT_ORPHANS, max_orphans},
    {"percent", "orphans", REPORT_ORPHANS, orphans_percent},
    {"current_connections", "allocated", REPORT_LIMITS, allocated},
    {"gauge", "tcp_mem_used", REPORT_LIMITS, mem_used},
    {"gauge", "tcp_mem_low", REPORT_LIMITS, mem_low},
    {"gauge", "tcp_mem_pressure", REPORT_LIMITS, mem_pressure},
    {"gauge", "tcp_mem_high", REPORT_LIMITS, mem_high},
    {"percent", "tcp_mem", REPORT_LIMITS, mem_percent},
};

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* What a walk over the tables carries along. */
struct walk {
  const struct settings *settings;
  const struct snapshot *snapshot;
  metric_cb cb;
  void *data;
  size_t num;
};

static void emit(struct walk *w, const struct metric *metric) {
  w->cb(metric, w->data);
  w->num++;
}

/* Minisockets and request socks carry no control group: what they are part of
 * is not known of such a group. */
static bool is_known_by_cgroup(size_t offset) {
  return offset != offsetof(struct tally_counts, state[TCP_SYN_RECV]) &&
         offset != offsetof(struct tally_counts, state[TCP_FIN_WAIT2]) &&
         offset != offsetof(struct tally_counts, state[TCP_TIME_WAIT]) &&
         offset != offsetof(struct tally_counts, fin_wait2_orphaned);
}

static bool is_known(const struct walk *w, const struct filter *filter,
                     size_t offset) {
  bool cgroups = filter != NULL && filter->cgroups.num > 0;
  if (cgroups && (!w->snapshot->cgroups_known || !is_known_by_cgroup(offset)))
    return false;
  return offset != offsetof(struct tally_counts, state[TCP_CLOSE]) ||
         (w->settings->report & REPORT_CLOSED && w->snapshot->closed_known);
}

/* filter: which sockets they are; NULL: a group by port, or all. */
static void each_group_value(struct walk *w, const char *name,
                             const struct filter *filter,
                             const struct tally_counts *counts) {
  for (size_t i = 0; i < LENGTH(group_values); i++) {
    const struct group_value *v = &group_values[i];
    const uint64_t *count = (const void *)((const char *)counts + v->offset);
    if (w->settings->report & v->report && is_known(w, filter, v->offset))
      emit(w, &(struct metric){name, v->type, v->type_instance,
                               (double)*count * v->unit});
  }
}

static void each_single_value(struct walk *w, const char *name,
                              const struct single_value *values, size_t num) {
  for (size_t i = 0; i < num; i++) {
    if (!(w->settings->report & values[i].report))
      continue;
    double value = values[i].get(w->snapshot);
    if (!isnan(value))
      emit(w, &(struct metric){name, values[i].type, values[i].type_instance,
                               value});
  }
}

static void each_group(struct walk *w) {
  const struct group_index *index = w->snapshot->index;
  const struct tally_counts *counts = w->snapshot->tally->groups;
  for (size_t i = 0; i < index->groups_num; i++)
    each_group_value(w, index->groups[i].name, &index->groups[i].filter,
                     &counts[i]);
  for (size_t i = 0; i < index->listening_num; i++) {
    char name[16];
    snprintf(name, sizeof(name), "%u-local", index->listening_ports[i]);
    each_group_value(w, name, NULL, &counts[index->groups_num + i]);
  }
}

size_t metrics_each(const struct settings *settings,
                    const struct snapshot *snapshot, metric_cb cb, void *data) {
  struct walk w = {settings, snapshot, cb, data, 0};
  bool counted = settings_states(settings) != 0 && snapshot->sockets_error == 0;
  if (counted && settings->all_ports_summary == CHOICE_TRUE)
    each_group_value(&w, "all", NULL, &snapshot->tally->all);
  each_single_value(&w, "all", all_values, LENGTH(all_values));
  if (counted)
    each_group(&w);
  if (!settings->other_namespace)
    each_single_value(&w, "machine", machine_values, LENGTH(machine_values));
  return w.num;
}
