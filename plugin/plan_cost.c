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
  uint64_t share = plan->by_port ? plan->found.port_share : plan->found.share;
  return method == PLAN_ALL ? plan->sockets : rare + common * share / 1000;
}

static uint64_t count_cost(const struct plan *plan, enum plan_method method) {
  const struct bytecode *code = &plan_program(plan)->code;
  uint64_t filter = COST_FILTER + COST_OPERATION * code->cost;
  uint64_t walks = method == PLAN_SUMS ? 2 : 1;
  uint64_t cost = COST_WALK * walks * plan->machine +
                  COST_COPY * count_copied(plan, method);
  if (method != PLAN_ALL)
    cost += filter * plan->sockets + COST_AUDIT * code->audit;
  return cost;
}

/* Makes the programs of the groups that there can be. Returns 0 or -ENOMEM. */
static int make_programs(struct plan *plan, const struct group_index *index,
                         bool sums_known) {
  const struct complement none = {0}, *part = &plan->found.complement;
  const struct complement whole = {.group = part->group};
  plan->by_port = sums_known && complement_has_port(part);
  int err = group_program_make(&plan->programs[0], index,
                               sums_known ? &whole : &none);
  return err != 0 || !plan->by_port
             ? err
             : group_program_make(&plan->programs[1], index, part);
}

int plan_cost_choose(struct plan *plan, const struct plan_task *task,
                     bool sums_known) {
  int err = make_programs(plan, task->index, sums_known);
  bool sums_help = task->all || plan_complement(plan, task) != NO_GROUP;
  enum plan_method method = sums_help ? PLAN_SUMS : PLAN_GROUPS;
  if (plan->by_port && plan->programs[0].code.len > 0) {
    uint64_t cost = count_cost(plan, method);
    plan->by_port = false;
    plan->by_port = cost < count_cost(plan, method);
  }
  /* A change has to be worth it. */
  uint64_t percent = plan->method == method ? 100 : 80;
  if (plan_program(plan)->code.len == 0)
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
