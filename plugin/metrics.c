/* SPDX-License-Identifier: MIT */
/* Names every value once, in two tables; tcpstates.c submits them to collectd.
 */
#include "metrics.h"

#include <stdio.h>

/* A value that each group has. */
struct group_value {
  const char *type;
  const char *type_instance;
  unsigned report;
  size_t offset; /* of a uint64_t in struct tally_counts */
  double unit;   /* that it counts */
};

#define VALUE(type, name, report, counter, unit)                               \
  { type, name, report, offsetof(struct tally_counts, counter), unit }
#define STATE(name, number)                                                    \
  VALUE("tcp_connections", name, REPORT_BY_STATE, state[number], 1)
#define COUNT(report, name) VALUE("current_connections", #name, report, name, 1)
/* Of milliseconds. */
#define AGE(name) VALUE("duration", #name, REPORT_STUCK, name, 1e-3)
#define QUEUE(type, name, counter, unit)                                       \
  VALUE(type, name, REPORT_ACCEPT_QUEUE, counter, unit)

#define PORTS(type, name, counter, unit)                                       \
  VALUE(type, name, REPORT_EPHEMERAL_PORTS, counter, unit)

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
    COUNT(REPORT_STUCK, fin_wait1_stuck),
    COUNT(REPORT_STUCK, fin_wait2_stuck),
    COUNT(REPORT_STUCK, close_wait_stuck),
    COUNT(REPORT_STUCK, close_wait_unaccepted),
    AGE(fin_wait1_oldest),
    AGE(fin_wait2_oldest),
    AGE(close_wait_oldest),
    QUEUE("queue_length", "accept_queue", accept_queue, 1),
    QUEUE("queue_length", "accept_queue_limit", accept_queue_limit, 1),
    QUEUE("percent", "accept_queue", accept_queue_utilization, 1e-2),
    PORTS("gauge", "ephemeral_ports", ephemeral_ports, 1),
    PORTS("current_connections", "fullest_destination", fullest_destination, 1),
    PORTS("percent", "ephemeral_ports", ephemeral_utilization, 1e-2),
};

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

/* A value that exists only once. */
struct single_value {
  const char *type;
  const char *type_instance;
  unsigned report;
  size_t offset; /* of an int64_t in struct snapshot */
  size_t limit;  /* of another, 100 percent; 0: the value is no percentage */
  double (*convert)(int64_t number); /* NULL: it is the number */
};

#define NUMBER(type, name, report, member)                                     \
  { type, name, report, offsetof(struct snapshot, member), 0, NULL }
#define PERCENT(name, report, member, limit)                                   \
  {                                                                            \
    "percent", name, report, offsetof(struct snapshot, member),                \
        offsetof(struct snapshot, limit), NULL                                 \
  }

static const struct single_value all_values[] = {
    NUMBER("duration", "tcp_fin_timeout", REPORT_FIN_TIMEOUT, tcp_fin_timeout),
    {"duration", "fin_wait2_lifetime", REPORT_FIN_TIMEOUT,
     offsetof(struct snapshot, tcp_fin_timeout), 0, metrics_fin_wait2_lifetime},
    NUMBER("current_connections", "timewait_buckets", REPORT_LIMITS,
           sockstat.tw),
    NUMBER("gauge", "tcp_max_tw_buckets", REPORT_LIMITS, tcp_max_tw_buckets),
    PERCENT("timewait_buckets", REPORT_LIMITS, sockstat.tw, tcp_max_tw_buckets),
};

static const struct single_value machine_values[] = {
    NUMBER("current_connections", "orphaned", REPORT_ORPHANS, sockstat.orphan),
    NUMBER("gauge", "tcp_max_orphans", REPORT_ORPHANS, tcp_max_orphans),
    PERCENT("orphans", REPORT_ORPHANS, sockstat.orphan, tcp_max_orphans),
    NUMBER("current_connections", "allocated", REPORT_LIMITS, sockstat.alloc),
    NUMBER("current_connections", "unhashed", REPORT_UNHASHED, unhashed),
    NUMBER("gauge", "tcp_mem_used", REPORT_LIMITS, sockstat.mem),
    NUMBER("gauge", "tcp_mem_low", REPORT_LIMITS, tcp_mem[0]),
    NUMBER("gauge", "tcp_mem_pressure", REPORT_LIMITS, tcp_mem[1]),
    NUMBER("gauge", "tcp_mem_high", REPORT_LIMITS, tcp_mem[2]),
    PERCENT("tcp_mem", REPORT_LIMITS, sockstat.mem, tcp_mem[2]),
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

/* Minisockets and request socks carry no control group: counts that include
 * them are unknown for such a group. */
static bool is_known_by_cgroup(size_t offset) {
  return offset != offsetof(struct tally_counts, state[TCP_SYN_RECV]) &&
         offset != offsetof(struct tally_counts, state[TCP_FIN_WAIT2]) &&
         offset != offsetof(struct tally_counts, state[TCP_TIME_WAIT]) &&
         offset != offsetof(struct tally_counts, fin_wait2_orphaned);
}

/* Not every kernel says how long MPTCP's sockets have been idle. */
static bool is_known_of_mptcp(const struct mptcp *mptcp,
                              const struct group_value *value) {
  return mptcp->has_ages || value->report != REPORT_STUCK ||
         value->offset == offsetof(struct tally_counts, close_wait_unaccepted);
}

static bool is_known(const struct walk *w, bool cgroups, size_t offset) {
  if (cgroups && !is_known_by_cgroup(offset))
    return false;
  return offset != offsetof(struct tally_counts, state[TCP_CLOSE]) ||
         (w->settings->report & REPORT_CLOSED && w->snapshot->closed_known);
}

static void emit_group_value(struct walk *w, const char *name,
                             const struct group_value *v,
                             const struct tally_counts *counts) {
  const uint64_t *count = (const void *)((const char *)counts + v->offset);
  bool known = v->report != REPORT_EPHEMERAL_PORTS || counts->ephemeral_ports;
  if (w->settings->report & v->report && known)
    emit(w, &(struct metric){name, v->type, v->type_instance,
                             (double)*count * v->unit});
}

/* cgroups: it is a filter for control groups. */
static void each_group_value(struct walk *w, const char *name, bool cgroups,
                             const struct tally_counts *counts) {
  for (size_t i = 0; i < LENGTH(group_values); i++)
    if (is_known(w, cgroups, group_values[i].offset))
      emit_group_value(w, name, &group_values[i], counts);
}

static int64_t number_at(const struct snapshot *snapshot, size_t offset) {
  return *(const int64_t *)(const void *)((const char *)snapshot + offset);
}

/* Returns whether the snapshot knows it. */
static bool read_single(const struct snapshot *snapshot,
                        const struct single_value *v, double *out) {
  int64_t number = number_at(snapshot, v->offset);
  if (number == PROC_UNKNOWN)
    return false;
  *out = v->convert == NULL ? (double)number : v->convert(number);
  if (v->limit == 0)
    return true;
  int64_t limit = number_at(snapshot, v->limit);
  if (limit <= 0)
    return false;
  *out = number < limit ? 100.0 * *out / (double)limit : 100.0;
  return true;
}

static void each_single_value(struct walk *w, const char *name,
                              const struct single_value *values, size_t num) {
  for (size_t i = 0; i < num; i++) {
    double value;
    if (w->settings->report & values[i].report &&
        read_single(w->snapshot, &values[i], &value))
      emit(w, &(struct metric){name, values[i].type, values[i].type_instance,
                               value});
  }
}

static bool has_cgroups(const struct group_index *index, size_t group) {
  return group < index->groups_num &&
         index->groups[group].filter.cgroups.num > 0;
}

/* A filter counts when its control groups are known. */
static bool is_counted(const struct group_index *index, size_t group) {
  return !has_cgroups(index, group) ||
         (index->cgroup_ids != NULL && index->cgroup_ids[group].known);
}

static void each_group(struct walk *w) {
  const struct group_index *index = w->snapshot->index;
  const struct tally_counts *counts = w->snapshot->tally->groups;
  for (size_t i = 0; i < group_index_num(index); i++) {
    char name[GROUP_INDEX_NAME_SIZE];
    if (is_counted(index, i))
      each_group_value(w, group_index_name(index, i, name),
                       has_cgroups(index, i), &counts[i]);
  }
  const struct services *services = w->snapshot->services;
  for (size_t i = 0; services != NULL && i < services->num; i++)
    if (services->groups[i].reported)
      each_group_value(w, services->groups[i].name, true,
                       &services->groups[i].counts);
}

/* Their sockets all have a control group. */
static void each_mptcp_group(struct walk *w) {
  const struct mptcp *mptcp = w->snapshot->mptcp;
  const struct group_index *index = &mptcp->index;
  for (size_t i = 0; i < index->groups_num; i++)
    for (size_t v = 0; v < LENGTH(group_values); v++)
      if (is_counted(index, i) && is_known_of_mptcp(mptcp, &group_values[v]))
        emit_group_value(w, index->groups[i].name, &group_values[v],
                         &mptcp->tally.groups[i]);
}

size_t metrics_each(const struct settings *settings,
                    const struct snapshot *snapshot, metric_cb cb, void *data) {
  struct walk w = {settings, snapshot, cb, data, 0};
  bool counted = snapshot->sockets_error == 0;
  if (counted && settings->all_ports_summary == CHOICE_TRUE)
    each_group_value(&w, "all", false, &snapshot->tally->all);
  each_single_value(&w, "all", all_values, LENGTH(all_values));
  if (counted)
    each_group(&w);
  if (snapshot->mptcp != NULL && snapshot->mptcp_error == 0)
    each_mptcp_group(&w);
  if (!settings->other_namespace)
    each_single_value(&w, "machine", machine_values, LENGTH(machine_values));
  return w.num;
}
