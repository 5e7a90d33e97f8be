/* Chooses what to ask the kernel for; snapshot.c asks. */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The states that nearly all sockets are in where there are many. */
#define STATES_COMMON (1u << TCP_ESTABLISHED | 1u << TCP_TIME_WAIT)

/* The states whose sockets can be stuck. */
#define STATES_AGED (1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)

/* What one socket costs, in nanoseconds on Linux 6.18; only the proportions
 * matter. */
#define COST_WALK 100    /* to pass it */
#define COST_COPY 770    /* to hand it out, and to count it */
#define COST_FILTER 25   /* to start a bytecode program for it */
#define COST_OPERATION 5 /* to run an operation of the program */
#define COST_AUDIT 1     /* a step of the program's audit, once a dump */

static uint64_t at_least_0(int64_t count) {
  return count < 0 ? 0 : (uint64_t)count;
}

static uint64_t common_sockets(const struct tally_counts *counts) {
  return counts->state[TCP_ESTABLISHED] + counts->state[TCP_TIME_WAIT];
}

static uint64_t rare_sockets(const struct tally_counts *counts) {
  uint64_t num = 0;
  for (int state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++)
    num += counts->state[state];
  return num - common_sockets(counts);
}

static int reserve(struct plan *plan, size_t num) {
  if (num <= plan->size)
    return 0;
  bool *subtracted = realloc(plan->subtracted, num * sizeof(*subtracted));
  if (subtracted != NULL)
    plan->subtracted = subtracted;
  uint64_t *expected = realloc(plan->expected, num * sizeof(*expected));
  if (expected != NULL)
    plan->expected = expected;
  if (subtracted == NULL || expected == NULL)
    return -ENOMEM;
  memset(subtracted + plan->size, 0, (num - plan->size) * sizeof(*subtracted));
  plan->size = num;
  return 0;
}

/* What the last read has found of the groups of now; new ones held nothing. */
static void expect(struct plan *plan, const struct group_index *index) {
  size_t old = 0;
  for (size_t i = 0; i < group_index_num(index); i++) {
    plan->expected[i] = 0;
    if (plan->known && i < index->groups_num)
      plan->expected[i] = plan->held[i];
    if (!plan->known || i < index->groups_num)
      continue;
    uint16_t port = index->listening_ports[i - index->groups_num];
    while (old < plan->ports_num && plan->ports[old] < port)
      old++;
    if (old < plan->ports_num && plan->ports[old] == port)
      plan->expected[i] = plan->held[plan->groups_num + old];
  }
}

static bool has_cgroups(const struct group_index *index, size_t group) {
  return group < index->groups_num &&
         index->groups[group].filter.cgroups.num > 0;
}

/* Subtracts the groups that hold more than half of the sockets: outside them
 * there are fewer. Returns whether it is a change. */
static bool subtract(struct plan *plan, const struct group_index *index,
                     bool allowed, uint64_t common) {
  bool changed = false;
  for (size_t i = 0; i < group_index_num(index); i++) {
    /* Until it holds less than 40 %. */
    uint64_t tenths = plan->subtracted[i] ? 4 : 5;
    bool now = allowed && !has_cgroups(index, i) &&
               plan->expected[i] * 10 > common * tenths;
    changed = changed || now != plan->subtracted[i];
    plan->subtracted[i] = now;
  }
  return changed;
}

static bool any_subtracted(const struct plan *plan, size_t groups) {
  for (size_t i = 0; i < groups; i++)
    if (plan->subtracted[i])
      return true;
  return false;
}

static int compile(struct plan *plan, const struct group_index *index) {
  size_t num = group_index_num(index), listening = index->listening_num;
  const struct filter **filters = calloc(num, sizeof(const struct filter *));
  struct filter *ports = calloc(listening + 1, sizeof(*ports));
  struct port_range *ranges = calloc(listening + 1, sizeof(*ranges));
  int err = -ENOMEM;
  if (filters != NULL && ports != NULL && ranges != NULL) {
    for (size_t i = 0; i < index->groups_num; i++)
      filters[i] = &index->groups[i].filter;
    for (size_t i = 0; i < listening; i++) {
      uint16_t port = index->listening_ports[i];
      ranges[i] = (struct port_range){port, port};
      ports[i].local_ports = (struct port_set){&ranges[i], 1};
      filters[index->groups_num + i] = &ports[i];
    }
    err = bytecode_compile(&plan->program, filters, index->cgroup_ids,
                           plan->subtracted, num);
  }
  free(ranges);
  free(ports);
  free(filters);
  plan->compiled = err == 0 || err == -EMSGSIZE;
  plan->fits = err == 0;
  plan->generation = index->generation;
  return err == -EMSGSIZE ? 0 : err;
}

/* How many sockets of the common states the program lets through, at most. */
static uint64_t count_dumped(const struct plan *plan, size_t groups,
                             uint64_t common) {
  uint64_t dumped = 0;
  for (size_t i = 0; i < groups; i++)
    if (!plan->subtracted[i])
      dumped += plan->expected[i];
    else if (common > plan->expected[i])
      dumped += common - plan->expected[i];
  return dumped < common ? dumped : common;
}

/* Whether to go the way, rather than to dump all. */
static bool is_cheaper(const struct plan *plan, enum plan_way way,
                       size_t groups, uint64_t common) {
  uint64_t filter = COST_FILTER + COST_OPERATION * plan->program.cost;
  uint64_t copied = plan->rare + count_dumped(plan, groups, common);
  uint64_t cost = COST_WALK * plan->sockets + COST_COPY * copied;
  if (groups > 0)
    cost += COST_AUDIT * plan->program.audit;
  if (way == PLAN_GROUPS)
    cost += filter * plan->sockets;
  else if (groups > 0)
    cost += COST_WALK * plan->sockets + filter * common;
  uint64_t cost_all = (COST_WALK + COST_COPY) * plan->sockets;
  /* To change over there has to be something in it. */
  return plan->way == way ? cost < cost_all : cost * 5 < cost_all * 4;
}

/* The states to ask for: while there is no group, as of listening ports where
 * nobody listens, there is nothing to count. */
static uint32_t wanted_states(const struct plan_task *task) {
  if (task->all || group_index_num(task->index) > 0)
    return task->states;
  return task->all_ages ? task->states & STATES_AGED : 0;
}

static const char first_time[] = "it is the first time";

/* Chooses the way; says why if it is to dump all. */
static int choose(struct plan *plan, const struct plan_task *task,
                  const struct plan_sums *sums, enum plan_way *way,
                  bool *changed) {
  size_t groups = group_index_num(task->index);
  bool sums_known = plan_sums_known(sums);
  plan->sockets = sums_known ? (uint64_t)(sums->inuse + sums->inuse6 + sums->tw)
                             : UINT32_MAX;
  *way = PLAN_ALL;
  plan->why = NULL;
  if (!(wanted_states(task) & STATES_COMMON))
    plan->why = "few are in the states that are asked for";
  else if (task->all && task->exact)
    plan->why = "Counting is \"dump\"";
  else if (task->all && !sums_known)
    plan->why = "the kernel's sums are not known";
  else if (plan->sockets < (plan->way == PLAN_ALL ? plan->few : plan->few / 2))
    plan->why = "there are few";
  else if (groups > 0 && plan->no_bytecode)
    plan->why = "this kernel cannot filter them by group";
  else if (groups > 0 && !plan->known)
    plan->why = first_time;
  if (plan->why != NULL)
    return 0;

  uint64_t common = plan->sockets > plan->rare ? plan->sockets - plan->rare : 0;
  if (subtract(plan, task->index, sums_known && !task->exact, common))
    *changed = true;
  if (groups > 0 && (*changed || !plan->compiled ||
                     plan->generation != task->index->generation)) {
    int err = compile(plan, task->index);
    if (err != 0)
      return err;
  }
  enum plan_way other =
      task->all || any_subtracted(plan, groups) ? PLAN_SUMS : PLAN_GROUPS;
  if (groups > 0 && !plan->fits)
    plan->why = "the groups are too many for a filter in the kernel";
  else if (is_cheaper(plan, other, groups, common))
    *way = other;
  else
    plan->why = "most of them are needed";
  return 0;
}

int plan_make(struct plan *plan, const struct plan_task *task,
              const struct plan_sums *sums) {
  size_t groups = group_index_num(task->index);
  int err = reserve(plan, groups);
  if (err != 0)
    return err;
  expect(plan, task->index);
  enum plan_way way;
  bool changed = plan->requests_num == 0;
  err = choose(plan, task, sums, &way, &changed);
  if (err != 0)
    return err;
  /* Of the reasons to dump all only the first read's is sure to pass. */
  if (way == PLAN_ALL)
    changed = plan->requests_num == 0 ||
              (plan->was_first_time && plan->why != first_time);
  changed = changed || way != plan->way;
  plan->was_first_time = plan->why == first_time;
  plan->way = way;

  /* Bound-only sockets have a bit of their own. */
  uint32_t states = wanted_states(task);
  if (states & 1u << TCP_CLOSE)
    states ^= 1u << TCP_CLOSE | 1u << DIAG_STATE_BOUND_INACTIVE;
  struct diag_request filtered = {.states = states,
                                  .bytecode = plan->program.ops,
                                  .bytecode_len = plan->program.len};
  plan->requests_num = 1;
  plan->requests[0] = (struct diag_request){.states = states};
  if (way == PLAN_GROUPS)
    plan->requests[0] = filtered;
  if (way == PLAN_SUMS) {
    plan->requests[0].states = states & ~STATES_COMMON;
    filtered.states = states & STATES_COMMON;
    if (groups > 0)
      plan->requests[plan->requests_num++] = filtered;
  }
  /* tcp_info makes a record three times as long: not where there are many. What
   * can be stuck is dumped apart, once the last read has found some. */
  struct diag_request *first = &plan->requests[0];
  if (task->ages && plan->aged && first->states & STATES_COMMON &&
      first->states & STATES_AGED) {
    plan->requests[plan->requests_num] = *first;
    if (task->all_ages)
      plan->requests[plan->requests_num].bytecode = NULL;
    plan->requests[plan->requests_num++].states &= STATES_AGED;
    first->states &= ~STATES_AGED;
  }
  for (size_t i = 0; i < plan->requests_num; i++)
    plan->requests[i].info = task->ages &&
                             plan->requests[i].states & STATES_AGED &&
                             !(plan->requests[i].states & STATES_COMMON);
  return changed;
}

bool plan_ages_request(const struct plan *plan, const struct plan_task *task,
                       const struct tally *tally,
                       struct diag_request *request) {
  for (size_t i = 0; i < plan->requests_num; i++)
    if (plan->requests[i].info)
      return false;
  if (!task->ages)
    return false;
  *request = plan->requests[0];
  request->states = STATES_AGED;
  request->info = true;
  if (plan->way == PLAN_GROUPS && task->all_ages) {
    request->bytecode = NULL;
    return true;
  }
  return tally->all.fin_wait2_held > 0 || tally->all.state[TCP_CLOSE_WAIT] > 0;
}

/* The total of a state instead of what was dumped of it, and what follows for
 * the groups that are subtracted from it. */
static void set_total(const struct plan *plan, struct tally *tally, int state,
                      uint64_t total) {
  uint64_t dumped = tally->all.state[state];
  for (size_t i = 0; i < group_index_num(tally->index); i++)
    if (plan->subtracted[i]) {
      uint64_t *count = &tally->groups[i].state[state];
      *count = at_least_0((int64_t)(total - (dumped - *count)));
    }
  tally->all.state[state] = total;
}

static int learn(struct plan *plan, const struct group_index *index,
                 const struct tally *tally) {
  size_t num = group_index_num(index);
  if (num > plan->held_size) {
    uint64_t *held = realloc(plan->held, num * sizeof(*held));
    if (held != NULL)
      plan->held = held;
    uint16_t *ports = realloc(plan->ports, num * sizeof(*ports));
    if (ports != NULL)
      plan->ports = ports;
    if (held == NULL || ports == NULL)
      return -ENOMEM;
    plan->held_size = num;
  }
  for (size_t i = 0; i < num; i++)
    plan->held[i] = common_sockets(&tally->groups[i]);
  if (index->listening_num > 0)
    memcpy(plan->ports, index->listening_ports,
           index->listening_num * sizeof(*plan->ports));
  plan->groups_num = index->groups_num;
  plan->ports_num = index->listening_num;
  plan->rare = rare_sockets(&tally->all);
  plan->aged =
      tally->all.fin_wait2_held > 0 || tally->all.state[TCP_CLOSE_WAIT] > 0;
  plan->known = true;
  return 0;
}

int plan_complete(struct plan *plan, const struct plan_task *task,
                  const struct plan_sums *sums, struct tally *tally) {
  if (plan->way == PLAN_SUMS) {
    const struct tally_counts *all = &tally->all;
    /* Neither sum holds bound-only sockets and request socks. */
    int64_t full = (int64_t)rare_sockets(all) - all->state[TCP_CLOSE] -
                   all->request_socks - all->fin_wait2_minisockets;
    set_total(plan, tally, TCP_ESTABLISHED,
              at_least_0(sums->inuse + sums->inuse6 - full));
    set_total(plan, tally, TCP_TIME_WAIT,
              at_least_0(sums->tw - all->fin_wait2_minisockets));
  }
  return learn(plan, task->index, tally);
}

void plan_describe(const struct plan *plan, const struct plan_task *task,
                   char *buf, size_t size) {
  size_t subtracted = 0;
  for (size_t i = 0; i < group_index_num(task->index); i++)
    subtracted += plan->subtracted[i];
  switch (plan->way) {
  case PLAN_ALL:
    snprintf(buf, size, "counting: every socket is dumped: %s", plan->why);
    break;
  case PLAN_GROUPS:
    snprintf(buf, size,
             "counting: only the sockets of the groups are dumped: there are "
             "many others");
    break;
  case PLAN_SUMS:
    snprintf(buf, size,
             "counting: ESTABLISHED and TIME_WAIT are the kernel's sums, and "
             "%zu groups are counted by what is outside them: there are "
             "%" PRIu64 " sockets",
             subtracted, plan->sockets);
    break;
  }
}

void plan_free(struct plan *plan) {
  bytecode_free(&plan->program);
  free(plan->subtracted);
  free(plan->expected);
  free(plan->held);
  free(plan->ports);
  *plan = (struct plan){0};
}
