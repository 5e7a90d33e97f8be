/* SPDX-License-Identifier: MIT */
/* Weighs the methods that plan.c has. */
#include "plan_cost.h"

/* What one socket costs, in nanoseconds on Linux 6.18; only the proportions
 * matter. */
#define COST_WALK 100    /* to pass it, in any namespace */
#define COST_COPY 770    /* to copy it out, and to count it */
#define COST_INFO 300    /* with tcp_info, on top of that */
#define COST_FILTER 25   /* to start a bytecode program for it */
#define COST_OPERATION 5 /* to run an operation of the program */
#define COST_AUDIT 1     /* a step of the program's audit, once a dump */

/* How many sockets the method copies out in its first request, and in all. */
static uint64_t count_copied(const struct plan *plan, enum plan_method method) {
  uint64_t rare = plan->found.rare;
  uint64_t common = plan_subtract(plan->sockets, rare);
  return method == PLAN_ALL ? plan->sockets
                            : rare + common * plan->found.share / 1000;
}

static uint64_t count_cost(const struct plan *plan, enum plan_method method) {
  uint64_t filter = COST_FILTER + COST_OPERATION * plan->program.code.cost;
  uint64_t walks = method == PLAN_SUMS ? 2 : 1;
  uint64_t cost = COST_WALK * walks * plan->machine +
                  COST_COPY * count_copied(plan, method);
  if (method != PLAN_ALL)
    cost += filter * plan->sockets + COST_AUDIT * plan->program.code.audit;
  return cost;
}

int plan_cost_choose(struct plan *plan, const struct plan_task *task,
                     bool sums_known) {
  int err = group_program_make(&plan->program, task->index,
                               sums_known ? plan->found.complement : 0);
  uint32_t complement = plan->program.complement;
  bool sums_help =
      task->all || group_index_number(task->index, complement) != NO_GROUP;
  enum plan_method method = sums_help ? PLAN_SUMS : PLAN_GROUPS;
  /* A change has to be worth it. */
  uint64_t percent = plan->method == method ? 100 : 80;
  if (plan->program.code.len == 0)
    plan->why = "there are too many groups for a filter in the kernel";
  else if (count_cost(plan, method) * 100 >=
           count_cost(plan, PLAN_ALL) * percent)
    plan->why = "filtering them would cost more";
  if (err == 0)
    plan->method = plan->why == NULL ? method : PLAN_ALL;
  return err;
}

bool plan_cost_info_is_dear(const struct plan *plan, uint32_t states) {
  uint64_t copied = states & STATES_COMMON ? count_copied(plan, plan->method)
                                           : plan->found.rare;
  uint64_t others = plan_subtract(copied, plan->found.aged);
  return others > plan->threshold &&
         COST_INFO * others > COST_WALK * plan->machine;
}
