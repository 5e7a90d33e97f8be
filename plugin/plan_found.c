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

/* The port that most of the sockets have, if a filter for it is shorter than
 * one for the set; else 0. Adds to rest how many may have another one. */
static uint16_t find_port(const struct port_set *set,
                          const struct port_vote *vote, uint64_t common,
                          uint64_t *rest) {
  bool has = false;
  for (size_t i = 0; i < set->num; i++)
    has = has || (set->ranges[i].first <= vote->port &&
                  set->ranges[i].last >= vote->port);
  if (set->num < 2 || !has || vote->votes <= common / 4)
    return 0;
  *rest += plan_subtract(common, vote->votes);
  return vote->port;
}

/* Which ports most sockets of the group have. Returns how many sockets are
 * outside it, or have others, at most. */
static uint64_t find_ports(struct complement *complement, size_t group,
                           const struct tally *tally,
                           const struct plan_found_read *read) {
  bool same = complement->group == read->complement.group;
  uint64_t kept = plan_subtract(read->common, same ? read->left_out : 0);
  uint64_t rest =
      plan_subtract(read->common, count_common(&tally->groups[group]));
  const struct filter *filter = &tally->index->groups[group].filter;
  struct complement now = {
      .group = complement->group,
      .local_port = find_port(&filter->local_ports, &tally->local_vote,
                              read->common, &rest),
      .remote_port = find_port(&filter->remote_ports, &tally->remote_vote,
                               read->common, &rest),
  };
  if (kept < read->common && (!complement_has_port(&now) || kept <= rest))
    return kept;
  *complement = now;
  return rest;
}

static uint64_t find_share(const struct plan_found_read *read,
                           uint64_t dumped) {
  return dumped < read->common ? dumped * 1000 / read->common : 1000;
}

void plan_found_learn(struct plan_found *found, const struct tally *tally,
                      const struct plan_found_read *read) {
  const struct group_index *index = tally->index;
  struct complement *complement = &found->complement;
  found->known = true;
  found->rare = tally_counts_sum(&tally->all, ~STATES_COMMON);
  found->aged = tally_counts_sum(&tally->all, SETTINGS_STATES_AGED);
  if (!read->dump)
    complement->group = find_largest(complement->group, tally, read);
  size_t group = group_index_number(index, complement->group);
  uint64_t needed = 0, outside = 0;
  for (size_t i = 0; i < group_index_num(index); i++) {
    uint64_t num = count_common(&tally->groups[i]);
    if (i == group)
      outside = plan_subtract(read->common, num);
    else
      needed += num;
  }
  found->share = find_share(read, needed + outside);
  bool unseen = complement->group == read->complement.group &&
                !complement_has_port(&read->complement);
  if (group >= index->groups_num)
    complement->local_port = complement->remote_port = 0;
  else if (!unseen)
    found->port_share =
        find_share(read, needed + find_ports(complement, group, tally, read));
}
