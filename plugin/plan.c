/* SPDX-License-Identifier: MIT */
/* Chooses what to ask the kernel for; snapshot.c asks. */
#include "plan.h"

#include <stdio.h>

/* The states that nearly all sockets are in where there are many. */
#define STATES_COMMON (1u << TCP_ESTABLISHED | 1u << TCP_TIME_WAIT)

/* What one socket costs, in nanoseconds on Linux 6.18; only the proportions
 * matter. */
#define COST_WALK 100    /* to pass it, in any namespace */
#define COST_COPY 770    /* to copy it out, and to count it */
#define COST_INFO 300    /* with tcp_info, on top of that */
#define COST_FILTER 25   /* to start a bytecode program for it */
#define COST_OPERATION 5 /* to run an operation of the program */
#define COST_AUDIT 1     /* a step of the program's audit, once a dump */

#define SUMS_TEXT "counting: ESTABLISHED and TIME_WAIT are the kernel's sums"
#define COMPLEMENT_TEXT " is counted by its complement"

static const char first_time[] = "this is the first read of the groups";

static uint64_t at_least_0(int64_t count) {
  return count < 0 ? 0 : (uint64_t)count;
}

static uint64_t count_states(const struct tally_counts *counts,
                             uint32_t states) {
  uint64_t num = 0;
  for (int state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++)
    num += states & 1u << state ? counts->state[state] : 0;
  return num;
}

/* How many sockets the method copies out in its first request, and in all. */
static uint64_t count_copied(const struct plan *plan, enum plan_method method) {
  uint64_t rare = plan->found.rare;
  uint64_t common = plan->sockets > rare ? plan->sockets - rare : 0;
  return method == PLAN_ALL ? plan->sockets
                            : rare + common * plan->found.share / 1000;
}

static uint64_t count_cost(const struct plan *plan, enum plan_method method) {
  uint64_t filter = COST_FILTER + COST_OPERATION * plan->program.code.cost;
  uint64_t cost =
      COST_WALK * plan->machine + COST_COPY * count_copied(plan, method);
  if (method != PLAN_ALL)
    cost += filter * plan->sockets + COST_AUDIT * plan->program.code.audit;
  if (method == PLAN_SUMS)
    cost += COST_WALK * plan->machine;
  return cost;
}

/* Why there is nothing to choose, and every socket is dumped; or NULL. */
static const char *find_reason(const struct plan *plan,
                               const struct plan_task *task,
                               const struct plan_sums *sums, uint32_t states) {
  bool groups = group_index_num(task->index) > 0;
  if (!(states & STATES_COMMON))
    return "few are in the requested states";
  if (task->services != NULL && (groups || !task->all))
    return "the services may need all of them";
  if (task->all && task->dump)
    return "Counting is \"dump\"";
  if (task->all && !plan_sums_known(sums))
    return "the kernel's sums are not known";
  if ((groups || task->services != NULL) &&
      plan->sockets <
          (plan->method == PLAN_ALL ? plan->threshold : plan->threshold / 2))
    return "there are few";
  if ((groups || task->services != NULL) && plan->no_bytecode)
    return "this kernel cannot filter them by group";
  return groups && !plan->found.known ? first_time : NULL;
}

/* Sets the method and why. Returns 1: it has changed; 0: it is the same; or
 * -ENOMEM. */
static int choose(struct plan *plan, const struct plan_task *task,
                  const struct plan_sums *sums, uint32_t states) {
  const struct group_index *index = task->index;
  enum plan_method method = PLAN_ALL;
  uint32_t before = plan->program.complement;
  if (states == 0)
    return 0;
  plan->why = find_reason(plan, task, sums, states);
  if (plan->why == NULL && group_index_num(index) == 0) {
    method = PLAN_SUMS;
  } else if (plan->why == NULL) {
    bool known = plan_sums_known(sums);
    int err = group_program_make(&plan->program, index,
                                 known ? plan->found.complement : 0);
    if (err != 0)
      return err;
    bool sums_help =
        task->all || group_find(index, plan->program.complement) != NO_GROUP;
    method = sums_help ? PLAN_SUMS : PLAN_GROUPS;
    /* A change has to be worth it. */
    uint64_t percent = plan->method == method ? 100 : 80;
    if (plan->program.code.len == 0)
      plan->why = "there are too many groups for a filter in the kernel";
    else if (count_cost(plan, method) * 100 >=
             count_cost(plan, PLAN_ALL) * percent)
      plan->why = "filtering them would cost more";
    if (plan->why != NULL)
      method = PLAN_ALL;
  }
  bool same = plan->told && method == plan->method &&
              (method != PLAN_SUMS || plan->program.complement == before);
  plan->told = plan->why != first_time;
  plan->method = method;
  return !same;
}

/* The states to ask for: while there is no group, as of listening ports where
 * nobody listens, there is nothing to count. */
static uint32_t wanted_states(const struct plan_task *task) {
  if (task->all || task->services != NULL || group_index_num(task->index) > 0)
    return task->states;
  return task->all_aged ? task->states & SETTINGS_STATES_AGED : 0;
}

/* filter: NULL or empty: none. */
static void ask(struct plan *plan, uint32_t states,
                const struct bytecode *filter, bool info) {
  if (states == 0)
    return;
  struct diag_request *request = &plan->requests[plan->requests_num++];
  *request = (struct diag_request){.states = states, .info = info};
  if (filter != NULL && filter->len > 0) {
    request->bytecode = filter->ops;
    request->bytecode_len = filter->len;
  }
}

/* Would tcp_info of all sockets of the first request cost more than a further
 * walk for those that need it? */
static bool info_is_dear(const struct plan *plan, uint32_t states) {
  uint64_t copied = states & STATES_COMMON ? count_copied(plan, plan->method)
                                           : plan->found.rare;
  uint64_t others = copied > plan->found.aged ? copied - plan->found.aged : 0;
  return others > plan->threshold &&
         COST_INFO * others > COST_WALK * plan->machine;
}

int plan_make(struct plan *plan, const struct plan_task *task,
              const struct plan_sums *sums) {
  bool known = plan_sums_known(sums);
  plan->sockets =
      known ? (uint64_t)(sums->inuse + sums->inuse6 + sums->tw) : UINT32_MAX;
  plan->machine = known ? at_least_0(sums->alloc) + (uint64_t)sums->tw : 0;
  if (plan->machine < plan->sockets)
    plan->machine = plan->sockets;
  uint32_t states = wanted_states(task);
  plan->empty = plan->sockets == 0 || states == 0;

  int changed = choose(plan, task, sums, states);
  if (changed < 0)
    return changed;

  /* Bound-only sockets have a bit of their own, and are in no sum. */
  if (states & 1u << TCP_CLOSE)
    states ^= 1u << TCP_CLOSE | 1u << DIAG_STATE_BOUND_INACTIVE;
  if (plan->empty)
    states &= 1u << DIAG_STATE_BOUND_INACTIVE;
  uint32_t common = plan->method == PLAN_SUMS ? states & STATES_COMMON : 0;
  uint32_t aged = states & SETTINGS_STATES_AGED;
  const struct bytecode *groups = &plan->program.code;
  const struct bytecode *filter = plan->method == PLAN_GROUPS ? groups : NULL;
  bool apart = (filter != NULL && task->all_aged) ||
               (task->info && info_is_dear(plan, states & ~common));
  plan->requests_num = 0;
  ask(plan, states & ~common & ~(apart ? aged : 0), filter,
      task->info && aged != 0 && !apart);
  if (apart)
    ask(plan, aged, task->all_aged ? NULL : filter, task->info);
  if (group_index_num(task->index) > 0)
    ask(plan, common, groups, false);
  const struct services *services = task->services;
  /* Full sockets only: the largest service's are those that are not dumped. */
  if (services == NULL || !(common & 1u << TCP_ESTABLISHED))
    return changed;
  int err = bytecode_outside(&plan->outside, services->largest_ids,
                             services->largest_ids_num);
  ask(plan, 1u << TCP_ESTABLISHED, &plan->outside, false);
  return err != 0 ? err : changed;
}

/* The total of a state instead of what was dumped of it, and what follows for
 * the group that is counted by its complement. */
static void set_total(struct tally *tally, size_t complement, int state,
                      int64_t sum) {
  uint64_t total = at_least_0(sum), dumped = tally->all.state[state];
  if (complement != NO_GROUP) {
    uint64_t *count = &tally->groups[complement].state[state];
    *count = at_least_0((int64_t)(total - (dumped - *count)));
  }
  if (state == TCP_ESTABLISHED && tally->services != NULL)
    services_add_missing(tally->services, (int64_t)(total - dumped));
  tally->all.state[state] = total;
}

/* Can the filter's group be counted by its complement? Not if its destinations
 * are wanted. */
static bool can_subtract(const struct plan_task *task,
                         const struct filter *filter) {
  return filter->cgroups.num == 0 &&
         !(task->destinations && filter_has_destinations(filter));
}

/* Which group holds most of the sockets: more than half of them, until it holds
 * less than 40 %; also while nobody listens there. */
static uint32_t find_largest(const struct plan *plan,
                             const struct plan_task *task,
                             const struct tally *tally, uint64_t common) {
  const struct group_index *index = task->index;
  size_t now = group_find(index, plan->found.complement), largest = now;
  uint64_t most = common / 2;
  if (now != NO_GROUP &&
      count_states(&tally->groups[now], STATES_COMMON) * 10 > common * 4)
    return plan->found.complement;
  for (size_t i = 0; i < group_index_num(index); i++) {
    uint64_t num = count_states(&tally->groups[i], STATES_COMMON);
    if (num > most && (i >= index->groups_num ||
                       can_subtract(task, &index->groups[i].filter))) {
      most = num;
      largest = i;
    }
  }
  if (largest != now)
    return group_identify(index, largest);
  return now == NO_GROUP ? plan->found.complement : 0;
}

static void learn(struct plan *plan, const struct plan_task *task,
                  const struct tally *tally) {
  const struct group_index *index = task->index;
  const uint32_t all_states = UINT32_MAX;
  uint64_t rare = count_states(&tally->all, all_states & ~STATES_COMMON);
  uint64_t common = count_states(&tally->all, STATES_COMMON);
  /* Those of no group were not dumped then. */
  if (plan->method == PLAN_GROUPS)
    common = plan->sockets > rare ? plan->sockets - rare : 0;
  plan->found.known = true;
  plan->found.rare = rare;
  plan->found.aged = count_states(&tally->all, SETTINGS_STATES_AGED);
  if (!task->dump)
    plan->found.complement = find_largest(plan, task, tally, common);

  size_t complement = group_find(index, plan->found.complement);
  uint64_t dumped = 0;
  for (size_t i = 0; i < group_index_num(index); i++) {
    uint64_t num = count_states(&tally->groups[i], STATES_COMMON);
    dumped += i != complement ? num : common > num ? common - num : 0;
  }
  plan->found.share = dumped < common ? dumped * 1000 / common : 1000;
}

void plan_complete(struct plan *plan, const struct plan_task *task,
                   const struct plan_sums *sums, struct tally *tally) {
  if (wanted_states(task) == 0)
    return;
  if (plan_uses_sums(plan)) {
    const struct tally_counts *all = &tally->all;
    size_t complement = group_find(task->index, plan->program.complement);
    /* Neither sum holds bound-only sockets and request socks. */
    uint64_t full = count_states(all, ~(STATES_COMMON | 1u << TCP_CLOSE)) -
                    all->request_socks - all->fin_wait2_minisockets;
    set_total(tally, complement, TCP_ESTABLISHED,
              sums->inuse + sums->inuse6 - (int64_t)full);
    set_total(tally, complement, TCP_TIME_WAIT,
              sums->tw - (int64_t)all->fin_wait2_minisockets);
  }
  learn(plan, task, tally);
}

void plan_describe(const struct plan *plan, const struct plan_task *task,
                   char *buf, size_t size) {
  const struct group_index *index = task->index;
  size_t complement = group_find(index, plan->program.complement);
  if (plan->method == PLAN_ALL)
    snprintf(buf, size, "counting: every socket is dumped: %s", plan->why);
  else if (plan->method == PLAN_GROUPS)
    snprintf(buf, size,
             "counting: only the sockets of the groups are dumped: there are "
             "many others");
  else if (complement == NO_GROUP)
    snprintf(buf, size, SUMS_TEXT);
  else if (complement < index->groups_num)
    snprintf(buf, size, SUMS_TEXT ", and %s" COMPLEMENT_TEXT,
             index->groups[complement].name);
  else
    snprintf(buf, size, SUMS_TEXT ", and %u-local" COMPLEMENT_TEXT,
             (unsigned)plan->program.complement);
}

void plan_free(struct plan *plan) {
  group_program_free(&plan->program);
  bytecode_free(&plan->outside);
  *plan = (struct plan){0};
}
