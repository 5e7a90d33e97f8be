/* SPDX-License-Identifier: MIT */
/* What a read costs by each method, for plan.c. */
#ifndef TCPSTATES_PLAN_COST_H
#define TCPSTATES_PLAN_COST_H

#include "plan.h"

/* Makes the programs of the groups, and weighs them. Sets the method, and why
 * it is PLAN_ALL. Returns 0 or -ENOMEM. */
int plan_cost_choose(struct plan *plan, const struct plan_task *task,
                     bool sums_known);

/* Would tcp_info of all sockets of the first request, which asks for these
 * states, cost more than a further walk for those that need it? */
bool plan_cost_info_is_dear(const struct plan *plan, uint32_t states);

#endif
