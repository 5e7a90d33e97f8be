/* SPDX-License-Identifier: MIT */
/* Chooses what to ask the kernel for; snapshot.c asks. */
#include "plan_cost.h"

#include <stdio.h>

static const char first_time[] = "this is the first read of the groups";

/* Why there is nothing to choose, and every socket is dumped; or NULL. */
static const char *find_reason(const struct plan *plan,
                               const struct plan_task *task, bool sums_known,
                               uint32_t states) {
  bool groups = group_index_num(task->index) > 0;
  bool services = task->services != NULL;
  uint32_t few =
      plan->method == PLAN_ALL ? plan->threshold : plan->threshold / 2;
  if (!(states & STATES_COMMON))
    return "few are in the requested states";
  if (services && (groups || !task->all))
    return "the services may need all of them";
  if (task->all && task->dump)
    return "Counting is \"dump\"";
  if (task->all && !sums_known)
    return "the kernel's sums are not known";
  if ((groups || services) && plan->sockets < few)
    return "there are few";
  if ((groups || services) && plan->no_bytecode)
    return "this kernel cannot filter them by group";
  return groups && !plan->found.known ? first_time : NULL;
}

/* Sets the method and why. Returns 1: it has changed; 0: it is the same; or
 * -ENOMEM. */
static int choose(struct plan *plan, const struct plan_task *task,
                  bool sums_known, uint32_t states) {
  enum plan_method method = plan->method;
  uint32_t complement = plan->programs[0].complement.group;
  plan->why = find_reason(plan, task, sums_known, states);
  int err = 0;
  if (plan->why != NULL)
    plan->method = PLAN_ALL;
  else if (group_index_num(task->index) == 0)
    plan->method = PLAN_SUMS;
  else
    err = plan_cost_choose(plan, task, sums_known);
  if (err != 0)
    return err;
  bool same =
      plan->told && plan->method == method &&
      (method != PLAN_SUMS || plan->programs[0].complement.group == complement);
  plan->told = plan->why != first_time;
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

int plan_make(struct plan *plan, const struct plan_task *task,
              const struct plan_sums *sums) {
  bool known = plan_sums_known(sums);
  int64_t sockets = sums->inuse + sums->inuse6 + sums->tw;
  int64_t machine = sums->alloc + sums->tw;
  plan->sockets = known ? (uint64_t)sockets : UINT32_MAX;
  plan->machine =
      known && machine > sockets ? (uint64_t)machine : plan->sockets;
  uint32_t states = wanted_states(task);
  int changed = states == 0 ? 0 : choose(plan, task, known, states);
  if (changed < 0)
    return changed;

  /* Bound-only sockets have a bit of their own, and are in no sum. */
  if (states & 1u << TCP_CLOSE)
    states ^= 1u << TCP_CLOSE | 1u << DIAG_STATE_BOUND_INACTIVE;
  plan->empty = plan->sockets == 0 || states == 0;
  if (plan->empty)
    states &= 1u << DIAG_STATE_BOUND_INACTIVE;
  uint32_t common = plan->method == PLAN_SUMS ? states & STATES_COMMON : 0;
  uint32_t aged = states & SETTINGS_STATES_AGED;
  const struct bytecode *groups = &plan_program(plan)->code;
  const struct bytecode *filter = plan->method == PLAN_GROUPS ? groups : NULL;
  bool apart = (filter != NULL && task->all_aged) ||
               (task->info && plan_cost_info_is_dear(plan, states & ~common));
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

void plan_complete(struct plan *plan, const struct plan_task *task,
                   const struct plan_sums *sums, struct tally *tally) {
  if (wanted_states(task) == 0)
    return;
  const struct tally_counts *all = &tally->all;
  uint64_t rare = tally_counts_sum(all, ~STATES_COMMON);
  uint64_t dumped = tally_counts_sum(all, STATES_COMMON);
  struct complement left_out = {0};
  if (plan_uses_sums(plan)) {
    size_t complement = plan_complement(plan, task);
    /* Neither sum holds bound-only sockets and request socks. */
    uint64_t full = rare - all->state[TCP_CLOSE] - all->request_socks -
                    all->fin_wait2_minisockets;
    tally_set_total(tally, complement, TCP_ESTABLISHED,
                    sums->inuse + sums->inuse6 - (int64_t)full);
    tally_set_total(tally, complement, TCP_TIME_WAIT,
                    sums->tw - (int64_t)all->fin_wait2_minisockets);
    left_out = plan_program(plan)->complement;
  }
  uint64_t common = tally_counts_sum(all, STATES_COMMON);
  const struct plan_found_read read = {
      .common = plan->method == PLAN_GROUPS ? plan_subtract(plan->sockets, rare)
                                            : common,
      .complement = left_out,
      .left_out = plan_subtract(common, dumped),
      .destinations = task->destinations,
      .dump = task->dump,
  };
  plan_found_learn(&plan->found, tally, &read);
}

void plan_describe(const struct plan *plan, const struct plan_task *task,
                   char *buf, size_t size) {
  size_t complement = plan_complement(plan, task);
  char name[GROUP_INDEX_NAME_SIZE];
  if (plan->method == PLAN_ALL)
    snprintf(buf, size, "counting: every socket is dumped: %s", plan->why);
  else if (plan->method == PLAN_GROUPS)
    snprintf(buf, size,
             "counting: only the sockets of the groups are dumped: there are "
             "many others");
  else
    snprintf(buf, size,
             "counting: ESTABLISHED and TIME_WAIT are the kernel's sums%s%s%s",
             complement == NO_GROUP ? "" : ", and ",
             complement == NO_GROUP
                 ? ""
                 : group_index_name(task->index, complement, name),
             complement == NO_GROUP ? "" : " is counted by its complement");
}

void plan_free(struct plan *plan) {
  group_program_free(&plan->programs[0]);
  group_program_free(&plan->programs[1]);
  bytecode_free(&plan->outside);
  *plan = (struct plan){0};
}
