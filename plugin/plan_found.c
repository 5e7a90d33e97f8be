/* SPDX-License-Identifier: MIT */
/* Learns from a read, for plan.c: above all, which group holds most of the
 * sockets. */
#include "plan_found.h"

static uint64_t count_common(const struct tally_counts *counts) {
  return counts->state[TCP_ESTABLISHED] + counts->state[TCP_TIME_WAIT];
}

/* Can the group be counted by its complement? Not if its destinations are
 * wanted. */
static bool can_subtract(const struct group_index *index, size_t group,
                         bool destinations) {
  if (group >= index->groups_num)
    return true;
  const struct filter *filter = &index->groups[group].filter;
  return filter->cgroups.num == 0 &&
         !(destinations && filter_has_destinations(filter));
}

/* Which group holds most of the sockets: more than half of them, until it holds
 * less than 40 %; also while nobody listens there. */
static uint32_t find_largest(uint32_t before, const struct tally *tally,
                             const struct plan_found_read *read) {
  const struct group_index *index = tally->index;
  size_t now = group_index_number(index, before);
  uint32_t largest = now == NO_GROUP ? before : 0;
  uint64_t most = read->common / 2;
  if (now != NO_GROUP &&
      count_common(&tally->groups[now]) * 10 > read->common * 4)
    return before;
  for (size_t i = 0; i < group_index_num(index); i++) {
    uint64_t num = count_common(&tally->groups[i]);
    if (num > most && can_subtract(index, i, read->destinations)) {
      most = num;
      largest = group_index_id(index, i);
    }
  }
  return largest;
}

void plan_found_learn(struct plan_found *found, const struct tally *tally,
                      const struct plan_found_read *read) {
  const struct group_index *index = tally->index;
  uint64_t common = read->common, dumped = 0;
  found->known = true;
  found->rare = tally_counts_sum(&tally->all, ~STATES_COMMON);
  found->aged = tally_counts_sum(&tally->all, SETTINGS_STATES_AGED);
  if (!read->dump)
    found->complement = find_largest(found->complement, tally, read);
  size_t complement = group_index_number(index, found->complement);
  for (size_t i = 0; i < group_index_num(index); i++) {
    uint64_t num = count_common(&tally->groups[i]);
    dumped += i != complement ? num : common > num ? common - num : 0;
  }
  found->share = dumped < common ? dumped * 1000 / common : 1000;
}
