/* SPDX-License-Identifier: MIT */
/* What the tests of plan.c have in common: a read, and what holds of each. */
#include "plan_reader.h"

#include "check_main.h"
#include "socket_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Whose allocations are counted; NULL: nobody's. */
static struct reader *counted;

static bool allocation_fails(void) {
  return counted != NULL && ++counted->allocations == counted->fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
  return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size) {
  return allocation_fails() ? NULL : __real_calloc(num, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return allocation_fails() ? NULL : __real_realloc(old, size);
}

struct filter *reader_add_group(struct reader *r, const char *name) {
  struct settings *settings = &r->settings;
  if (settings->groups == NULL)
    settings->groups = calloc(READER_GROUPS_MAX, sizeof(*settings->groups));
  ck_assert_ptr_nonnull(settings->groups);
  ck_assert_uint_lt(settings->groups_num, READER_GROUPS_MAX);
  struct group *group = &settings->groups[settings->groups_num++];
  group->name = strdup(name);
  return &group->filter;
}

void reader_add_port(struct reader *r, uint16_t port) {
  char name[16];
  snprintf(name, sizeof(name), "%u-local", port);
  struct filter *filter = reader_add_group(r, name);
  ck_assert_int_eq(
      port_set_add(&filter->local_ports, (struct port_range){port, port}), 0);
}

void reader_add_odd_ports(struct port_set *set, unsigned end) {
  for (unsigned port = 1; port < end; port += 2)
    ck_assert_int_eq(
        port_set_add(set, (struct port_range){(uint16_t)port, (uint16_t)port}),
        0);
}

void reader_begin(struct reader *r, bool all) {
  ck_assert_int_eq(
      group_index_init(&r->index, r->settings.groups, r->settings.groups_num),
      0);
  ck_assert_int_eq(model_index_cgroups(&r->index), 0);
  r->settings.all_ports_summary = all ? CHOICE_TRUE : CHOICE_FALSE;
  r->settings.listening_ports = CHOICE_TRUE;
  r->settings.report |= REPORT_BY_STATE | REPORT_CLOSED;
  r->task = (struct plan_task){
      .index = &r->index, .all = all, .states = settings_states(&r->settings)};
}

/* plan_make() reports each change, and nothing else: not of ports that are
 * listened on no more, or again. */
static void check_change(struct reader *r, int changed) {
  if (!r->task.all && !r->task.all_aged && r->task.services == NULL &&
      group_index_num(&r->index) == 0) {
    ck_assert_msg(changed == 0, "seed %u: plan_make: %d without any group",
                  r->seed, changed);
    return;
  }
  bool same = r->before.known && r->before.method == r->plan.method &&
              (r->plan.method != PLAN_SUMS ||
               r->before.complement == r->plan.programs[0].complement.group);
  /* The first read's reason passes; then the log has to have the lasting one.
   */
  bool first_time = r->plan.why != NULL && strstr(r->plan.why, "first") != NULL;
  same = same && !r->before.first_time;
  if (!r->before.failed)
    ck_assert_msg(changed == !same,
                  "seed %u: plan_make: %d, method %d before, %d now", r->seed,
                  changed, r->before.method, r->plan.method);
  r->before.known = true;
  r->before.failed = false;
  r->before.method = r->plan.method;
  r->before.first_time = first_time;
  r->before.complement = r->plan.programs[0].complement.group;
}

/* It is a line of the log. */
static void check_description(struct reader *r) {
  char *text = r->description;
  memset(text, '#', sizeof(r->description));
  plan_describe(&r->plan, &r->task, text, sizeof(r->description));
  size_t len = strnlen(text, sizeof(r->description));
  ck_assert_msg(len > 10 && len < sizeof(r->description) - 1, "%zu characters",
                len);
  for (size_t i = 0; i < len; i++)
    if (text[i] < ' ' || text[i] == 0x7f)
      ck_abort_msg("control character in %s", text);
  ck_assert_msg(text[len - 1] != '.', "%s", text);
}

static void check_requests(const struct reader *r,
                           const struct plan_sums *sums) {
  const struct plan *plan = &r->plan;
  ck_assert(!plan_uses_sums(plan) || (!r->task.dump && plan_sums_known(sums)));
  ck_assert_uint_le(plan->requests_num, CASES(plan->requests));
  uint32_t asked = 0;
  for (size_t i = 0; i < plan->requests_num; i++) {
    const struct diag_request *request = &plan->requests[i];
    ck_assert(!plan->no_bytecode || request->bytecode == NULL);
    ck_assert_uint_ne(request->states, 0);
    ck_assert_uint_eq(request->states & asked, 0);
    asked |= request->states;
    bool aged = request->states & SETTINGS_STATES_AGED;
    ck_assert_int_eq(request->info, r->task.info && aged);
    ck_assert(!r->task.all_aged || !aged || request->bytecode == NULL);
    /* What the sums are for is asked for first, of all sockets. */
    if (plan->method == PLAN_SUMS && i == 0)
      ck_assert(request->bytecode == NULL);
  }
}

static int64_t long_after(void) { return INT64_C(12800000000); }

int reader_read(struct reader *r, const struct plan_sums *sums) {
  counted = r;
  int listen = group_index_listen(&r->index, &r->listening);
  counted = NULL;
  ck_assert_msg(listen >= 0 || listen == -ENOMEM, "seed %u: listen: %d",
                r->seed, listen);
  if (listen < 0)
    return listen;
  counted = r;
  const struct plan_sums *early = r->early == NULL ? sums : r->early;
  int changed = plan_make(&r->plan, &r->task, early);
  counted = NULL;
  if (changed == -ENOMEM) {
    r->before.failed = true;
    return changed;
  }
  ck_assert_msg(changed == 0 || changed == 1, "seed %u: plan_make: %d", r->seed,
                changed);
  check_change(r, changed);
  if (changed != 0)
    check_description(r);
  check_requests(r, early);

  r->tally.stuck_after = r->kernel.stuck_after;
  r->tally.ages = &r->ages;
  r->ages.clock = long_after;
  ages_start(&r->ages, r->task.info, r->kernel.stuck_after);
  counted = r;
  int reset = tally_reset(&r->tally, &r->index);
  counted = NULL;
  ck_assert_msg(reset == 0 || reset == -ENOMEM, "seed %u: tally_reset: %d",
                r->seed, reset);
  if (reset != 0)
    return reset;
  r->dumped = 0;
  for (size_t i = 0; i < r->plan.requests_num; i++)
    r->dumped += fake_kernel_dump(&r->kernel, &r->plan.requests[i],
                                  tally_socket, &r->tally);
  ages_finish(&r->ages);
  plan_complete(&r->plan, &r->task, sums, &r->tally);
  ck_assert_uint_le(r->plan.found.share, 1000);
  return changed;
}

int reader_read_at_rest(struct reader *r) {
  const struct plan_sums sums = fake_kernel_sums(&r->kernel);
  return reader_read(r, &sums);
}

#define BIT(state) (1u << (state))
#define STATE(number, of_cgroups)                                              \
  {                                                                            \
#number, offsetof(struct tally_counts, state[number]), BIT(number),        \
        of_cgroups                                                             \
  }
#define COUNT(name, states, of_cgroups)                                        \
  { #name, offsetof(struct tally_counts, name), states, of_cgroups }
#define AGE(name, state)                                                       \
  { #name, offsetof(struct tally_counts, name), BIT(state), true, true }

static const struct {
  const char *name;
  size_t offset;   /* in struct tally_counts */
  uint32_t states; /* that it is counted from */
  bool of_cgroups; /* known of a group with control groups */
  bool of_ages;    /* known when ages are asked for */
} fields[] = {
    STATE(TCP_ESTABLISHED, true),
    STATE(TCP_SYN_SENT, true),
    STATE(TCP_SYN_RECV, false),
    STATE(TCP_FIN_WAIT1, true),
    STATE(TCP_FIN_WAIT2, false),
    STATE(TCP_TIME_WAIT, false),
    STATE(TCP_CLOSE, true),
    STATE(TCP_CLOSE_WAIT, true),
    STATE(TCP_LAST_ACK, true),
    STATE(TCP_LISTEN, true),
    STATE(TCP_CLOSING, true),
    COUNT(fin_wait2_held, BIT(TCP_FIN_WAIT2), true),
    COUNT(fin_wait2_orphaned, BIT(TCP_FIN_WAIT2), false),
    COUNT(fin_wait2_minisockets, BIT(TCP_FIN_WAIT2), false),
    COUNT(orphaned,
          BIT(TCP_FIN_WAIT1) | BIT(TCP_FIN_WAIT2) | BIT(TCP_LAST_ACK) |
              BIT(TCP_CLOSING),
          true),
    COUNT(request_socks, BIT(TCP_SYN_RECV), false),
    COUNT(accept_queue, BIT(TCP_LISTEN), true),
    COUNT(accept_queue_limit, BIT(TCP_LISTEN), true),
    COUNT(accept_queue_utilization, BIT(TCP_LISTEN), true),
    AGE(fin_wait2_stuck, TCP_FIN_WAIT2),
    AGE(fin_wait2_oldest, TCP_FIN_WAIT2),
    AGE(close_wait_stuck, TCP_CLOSE_WAIT),
    AGE(close_wait_oldest, TCP_CLOSE_WAIT),
};

static uint64_t get_field(const struct tally_counts *counts, int field) {
  uint64_t value;
  memcpy(&value, (const char *)counts + fields[field].offset, sizeof(value));
  return value;
}

/* filter: of the group; NULL: it is "all". only_ages: no other field. */
static void check_group(const struct reader *r, const char *name,
                        const struct tally_counts *counts,
                        const struct filter *filter, bool only_ages) {
  const struct tally_counts expected = fake_kernel_count(&r->kernel, filter);
  bool cgroups = filter != NULL && filter->cgroups.num > 0;
  for (int i = 0; i < CASES(fields); i++) {
    if ((fields[i].states & ~r->task.states) != 0 ||
        (cgroups && !fields[i].of_cgroups) ||
        (fields[i].of_ages ? !r->task.info : only_ages))
      continue;
    uint64_t is = get_field(counts, i), should = get_field(&expected, i);
    if (is != should)
      ck_abort_msg("seed %u: %s: %" PRIu64 " %s, not %" PRIu64 "; method %d",
                   r->seed, name, is, fields[i].name, should, r->plan.method);
  }
}

void reader_check_counts(const struct reader *r) {
  if (r->task.all || r->task.all_aged)
    check_group(r, "all", &r->tally.all, NULL, !r->task.all);
  size_t groups = r->settings.groups_num;
  for (size_t i = 0; i < groups; i++)
    check_group(r, r->settings.groups[i].name, &r->tally.groups[i],
                &r->settings.groups[i].filter, false);
  for (size_t i = 0; i < r->index.listening_num; i++) {
    uint16_t port = r->index.listening_ports[i];
    struct port_range range = {port, port};
    const struct filter filter = {.local_ports = {&range, 1}};
    check_group(r, "a listening port", &r->tally.groups[groups + i], &filter,
                false);
  }
}

void reader_free(struct reader *r) {
  settings_free(&r->settings);
  model_index_free(&r->index);
  tally_free(&r->tally);
  ages_free(&r->ages);
  plan_free(&r->plan);
}
