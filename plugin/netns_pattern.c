/* SPDX-License-Identifier: MIT */
/* Has the namespaces of a pattern read in turn, within a budget, for
 * tcpstates.c. */
#include "netns_pattern.h"

#include "clock.h"
#include "netns_search.h"
#include "number.h"
#include "printable.h"
#include "remarks.h"

#include <errno.h>
#include <stdio.h>

void netns_pattern_open(struct netns_pattern *pattern,
                        const struct settings_namespace *block,
                        struct netns *slots, const char *proc) {
  *pattern =
      (struct netns_pattern){.block = block, .proc = proc, .slots = slots};
}

void netns_pattern_close(struct netns_pattern *pattern) {
  for (size_t i = 0; i < pattern->num; i++)
    netns_search_free(pattern, pattern->members[i]);
  netns_sum_free(&pattern->sum);
  *pattern = (struct netns_pattern){.num = 0};
}

/* Exchanges it with that of the namespace that the slot has read last. */
static void exchange(struct netns *slot, struct netns_past *past) {
  struct snapshot_reader *reader = &slot->reader;
  const struct netns_past other = *past;
  past->ages = reader->ages;
  reader->ages = other.ages;
  if (reader->mptcp != NULL) {
    past->mptcp_ages = reader->mptcp->ages;
    reader->mptcp->ages = other.mptcp_ages;
  }
  if (reader->stuck == NULL)
    return;
  struct stuck *stuck = reader->stuck;
  past->alarms = stuck->alarms;
  past->notices = stuck->notices;
  past->notices_num = stuck->notices_num;
  stuck->alarms = other.alarms;
  stuck->notices = other.notices;
  stuck->notices_num = other.notices_num;
}

/* The slot has read its namespace, or is not to read it any more. */
static void release(struct netns_pattern *pattern, size_t slot) {
  exchange(&pattern->slots[slot], &pattern->reading[slot]->past);
  pattern->reading[slot]->busy = false;
  pattern->reading[slot] = NULL;
}

/* The slot's read has ended: what it has taken takes the place of what it was
 * thought to. */
static void charge(struct netns_pattern *pattern, size_t slot) {
  struct netns_member *member = pattern->reading[slot];
  pattern->credit += member->cost - pattern->slots[slot].cpu;
  member->cost = pattern->cost = pattern->slots[slot].cpu;
}

static bool is_idle(const struct netns_member *member) {
  return member->idle == NETNS_PATTERN_IDLE;
}

/* Chooses the namespace whose turn was the longest ago for a slot. If what is
 * left is too little for it, that is kept for the next interval. */
static void choose(struct netns_pattern *pattern, struct netns_set *set,
                   size_t slot) {
  struct netns_member *next = NULL;
  bool passed_over = false;
  for (size_t i = 0; i < pattern->num; i++) {
    struct netns_member *member = pattern->members[i];
    if (member->busy || member->turn > pattern->first_turn)
      continue;
    if (is_idle(member) && pattern->idle == 0)
      passed_over = true;
    else if (next == NULL || member->turn < next->turn)
      next = member;
  }
  if (next == NULL) {
    if (!passed_over)
      pattern->searched_for = 0;
    return;
  }
  if (next->turn == 0) /* all share a table, so it will be about the same */
    next->cost = pattern->cost;
  if (pattern->credit < next->cost && pattern->credit < pattern->share)
    return;
  pattern->reading[slot] = next;
  exchange(&pattern->slots[slot], &next->past);
  next->busy = true;
  next->turn_before = next->turn;
  next->turn = ++pattern->turn;
  pattern->idle -= is_idle(next);
  pattern->credit -= next->cost;
  pattern->slots[slot].path = next->path;
  pattern->slots[slot].ino = next->ino;
  netns_add(set, &pattern->slots[slot]);
}

/* This many idle ones are read in this read. */
static size_t may_be_idle(const struct netns_pattern *pattern) {
  size_t idle = 0;
  for (size_t i = 0; i < pattern->num; i++)
    idle += is_idle(pattern->members[i]);
  size_t third = (idle + 2) / 3;
  return third < NETNS_PATTERN_LEAST ? NETNS_PATTERN_LEAST : third;
}

static void search(struct netns_pattern *pattern, netns_over_cb over,
                   void *data) {
  int64_t begun = clock_cpu_ns();
  if (netns_search(pattern))
    netns_search_drop(pattern, over, data);
  pattern->searched_for = clock_cpu_ns() - begun;
  pattern->credit -= pattern->searched_for;
}

void netns_pattern_start(struct netns_pattern *pattern, struct netns_set *set,
                         int64_t now, int64_t interval, netns_over_cb over,
                         void *data) {
  pattern->share = interval / 100 * pattern->block->budget;
  pattern->now = now;
  pattern->first_turn = pattern->turn;
  for (size_t i = 0; i < NETNS_SLOTS; i++)
    if (pattern->reading[i] != NULL && !netns_is_late(&pattern->slots[i])) {
      charge(pattern, i); /* it was late, and has ended since */
      release(pattern, i);
    }
  pattern->credit += pattern->share;
  if (pattern->credit > 2 * pattern->share)
    pattern->credit = 2 * pattern->share;
  pattern->searched_for -= pattern->share / 2;
  if (pattern->credit <= 0)
    return;
  if (pattern->searched_for <= 0)
    search(pattern, over, data);
  pattern->idle = may_be_idle(pattern);
  for (size_t i = 0; i < NETNS_SLOTS; i++)
    if (pattern->reading[i] == NULL)
      choose(pattern, set, i);
}

static void take_snapshot(struct netns_pattern *pattern,
                          struct netns_member *member,
                          const struct netns *slot) {
  const struct snapshot *snapshot = &slot->snapshot;
  member->stale = true;
  unsigned idle = member->idle;
  member->idle = 0;
  member->error = slot->error;
  member->strerror = netns_strerror;
  /* -EINVAL: it was a namespace when it was found. */
  if (netns_is_gone(slot->error) || slot->error == -EINVAL)
    member->error = 0;
  if (slot->error != 0)
    return;
  member->error = snapshot->sockets_error;
  member->strerror = diag_dump_strerror;
  if (member->error == 0 && snapshot->file != NULL) {
    member->error = snapshot->file_error;
    member->strerror = remarks_file_strerror;
  }
  if (member->error != 0)
    return;
  member->error = netns_sum_take(&pattern->sum, &member->part,
                                 &pattern->block->settings, snapshot);
  member->stale = member->error != 0;
  member->read = member->stale ? 0 : pattern->now;
  if (!member->stale && snapshot->sums_error == 0 &&
      snapshot->sums.inuse == 0 && snapshot->sockstat.tw == 0)
    member->idle = idle < NETNS_PATTERN_IDLE ? idle + 1 : idle;
}

void netns_pattern_take(struct netns_pattern *pattern, struct netns_set *set,
                        struct netns *slot) {
  size_t at = (size_t)(slot - pattern->slots);
  struct netns_member *member = pattern->reading[at];
  int64_t begun = clock_cpu_ns();
  charge(pattern, at);
  take_snapshot(pattern, member, slot);
  release(pattern, at);
  choose(pattern, set, at);
  pattern->credit -= clock_cpu_ns() - begun;
}

static bool is_in_sum(const struct netns_pattern *pattern,
                      const struct netns_member *member) {
  return member->read > 0 &&
         (!member->stale || pattern->now - member->read <= NETNS_PATTERN_KEEP);
}

/* What a read that has ended has left in the slots. */
static void clear_slots(struct netns_pattern *pattern) {
  for (size_t i = 0; i < NETNS_SLOTS; i++) {
    struct netns_member *member = pattern->reading[i];
    if (member == NULL)
      continue;
    if (netns_is_late(&pattern->slots[i])) {
      member->error = -ETIMEDOUT;
      member->strerror = netns_strerror;
      member->stale = true;
      member->idle = 0;
      continue;
    }
    /* There was no time for it: it is one of the first next time. */
    member->turn = member->turn_before;
    pattern->credit += member->cost;
    release(pattern, i);
  }
}

size_t netns_pattern_end(struct netns_pattern *pattern, metric_cb cb,
                         void *data) {
  int64_t begun = clock_cpu_ns();
  clear_slots(pattern);
  bool complete = pattern->searched;
  size_t num = 0;
  int64_t oldest = pattern->now;
  netns_sum_start(&pattern->sum);
  for (size_t i = 0; i < pattern->num; i++) {
    const struct netns_member *member = pattern->members[i];
    complete = complete && member->turn > 0;
    if (!is_in_sum(pattern, member))
      continue;
    netns_sum_add(&pattern->sum, &member->part);
    num++;
    if (member->read < oldest)
      oldest = member->read;
  }
  pattern->complete = pattern->complete || complete;
  if (!pattern->complete)
    return 0;
  netns_sum_limit(&pattern->sum, &pattern->block->settings);
  cb(&(struct metric){"all", "gauge", "namespaces", (double)num}, data);
  if (num > 0)
    cb(&(struct metric){"all", "duration", "namespaces_age",
                        (double)(pattern->now - oldest) / 1000},
       data);
  size_t values = 1 + (num > 0) + netns_sum_each(&pattern->sum, cb, data);
  int64_t used = clock_cpu_ns() - begun, most = pattern->share / 2;
  pattern->credit -= used < most ? used : most;
  return values;
}

int netns_pattern_error(struct netns_pattern *pattern, const char **reason) {
  *reason = netns_strerror(pattern->search_error);
  if (pattern->search_error != 0)
    return pattern->search_error;
  const char *path = pattern->block->paths[0];
  int err = 0;
  for (size_t i = 0; i < pattern->num && err == 0; i++) {
    const struct netns_member *member = pattern->members[i];
    err = member->error;
    if (err == 0)
      continue;
    path = member->path;
    *reason = member->strerror == NULL ? NULL : member->strerror(err);
  }
  if (err == 0 && pattern->too_many) {
    err = -E2BIG;
    *reason = "more than " NUMBER_TEXT(NETNS_PATTERN_MAX) " namespaces";
  } else if (err == 0 && netns_sum_is_full(&pattern->sum)) {
    err = -ENOSPC;
    *reason = "more than " NUMBER_TEXT(NETNS_SUM_MAX) " different values";
  }
  snprintf(pattern->failed, sizeof(pattern->failed), "%s", path);
  printable(pattern->failed);
  return err;
}
