/* SPDX-License-Identifier: MIT */
/* settings.c and plan.c: whether ages are needed, and with which request they
 * are asked for, so that tcp_info comes for few sockets. */
#include "plan.h"

#include "check_main.h"

#include <string.h>

#define AGED_STATES SETTINGS_STATES_AGED
#define COMMON_STATES (1u << TCP_ESTABLISHED | 1u << TCP_TIME_WAIT)
#define ALL_STATES 0xffeu
#define ORPHAN_STATES                                                          \
  (1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_LAST_ACK |            \
   1u << TCP_CLOSING)

enum groups { NOTHING, ALL, LISTENING, CONFIGURED };

static const struct {
  const char *name;
  unsigned report;
  uint32_t notify_stuck;
  enum groups groups;
  bool ages;
  uint32_t states;
} needs[] = {
    {"nothing", 0, 0, ALL, false, 0},
    {"stuck, of all", REPORT_STUCK, 0, ALL, true, AGED_STATES},
    {"stuck, of listening ports", REPORT_STUCK, 0, LISTENING, true,
     AGED_STATES},
    {"stuck, of a group", REPORT_STUCK, 0, CONFIGURED, true, AGED_STATES},
    {"stuck, of no group", REPORT_STUCK, 0, NOTHING, true, 0},
    {"notifications, without any group", 0, 1, NOTHING, true, AGED_STATES},
    {"notifications, with a group", 0, 1, CONFIGURED, true, AGED_STATES},
    {"both", REPORT_STUCK, UINT32_MAX, ALL, true, AGED_STATES},
    {"notifications and all but groups", 0xff, 1, NOTHING, true, AGED_STATES},
    {"notifications and orphans", REPORT_ORPHANS, 1, ALL, true,
     ORPHAN_STATES | AGED_STATES},
    {"orphans", REPORT_ORPHANS, 0, ALL, false, ORPHAN_STATES},
    {"FIN_WAIT2", REPORT_FIN_WAIT2, 0, ALL, false, 1u << TCP_FIN_WAIT2},
    {"accept queues", REPORT_ACCEPT_QUEUE, 0, ALL, false, 1u << TCP_LISTEN},
    {"accept queues of no group", REPORT_ACCEPT_QUEUE, 0, NOTHING, false, 0},
    {"accept queues and stuck", REPORT_ACCEPT_QUEUE | REPORT_STUCK, 0,
     CONFIGURED, true, 1u << TCP_LISTEN | AGED_STATES},
    {"every state but CLOSED", REPORT_BY_STATE, 0, ALL, false,
     ALL_STATES & ~(1u << TCP_CLOSE)},
    {"every state", REPORT_BY_STATE | REPORT_CLOSED, 0, ALL, false, ALL_STATES},
    {"CLOSED alone is no value", REPORT_CLOSED, 0, ALL, false, 0},
    {"limits", REPORT_LIMITS | REPORT_FIN_TIMEOUT, 0, ALL, false, 0},
    {"everything", 0xff, 1, ALL, true, ALL_STATES},
};

static struct port_range range = {443, 443};
static struct group group = {(char[]){"443-local"},
                             {.local_ports = {&range, 1}}};

START_TEST(states_and_ages_are_those_that_the_values_need) {
  const struct settings settings = {
      .all_ports_summary = needs[_i].groups == ALL ? CHOICE_TRUE : CHOICE_FALSE,
      .listening_ports =
          needs[_i].groups == LISTENING ? CHOICE_TRUE : CHOICE_FALSE,
      .report = needs[_i].report,
      .notify_stuck = needs[_i].notify_stuck,
      .groups = &group,
      .groups_num = needs[_i].groups == CONFIGURED,
  };
  ck_assert_msg(settings_need_ages(&settings) == needs[_i].ages, "%s: ages",
                needs[_i].name);
  uint32_t states = settings_states(&settings);
  ck_assert_msg(states == needs[_i].states, "%s: states %#x, not %#x",
                needs[_i].name, states, needs[_i].states);
}
END_TEST

static struct group_index group_index;
static struct plan plan;
static struct tally tally;
static struct plan_task task;

static void start(void) {
  memset(&group_index, 0, sizeof(group_index));
  memset(&tally, 0, sizeof(tally));
  plan = (struct plan){.threshold = PLAN_THRESHOLD};
  task = (struct plan_task){
      .index = &group_index, .all = true, .info = true, .states = ALL_STATES};
}

static void end(void) {
  plan_free(&plan);
  tally_free(&tally);
  group_index_free(&group_index);
}

static void add_group(void) {
  ck_assert_int_eq(group_index_init(&group_index, &group, 1), 0);
}

/* What the dumps of a read find: of all sockets, and in the group. */
struct found {
  uint64_t established, syn_sent, close_wait, in_group;
};

/* Two reads of the same sockets, so that the second knows them. others: full
 * sockets of other namespaces. */
static void plan_reads(const struct found *found, int64_t others) {
  int64_t inuse =
      (int64_t)(found->established + found->syn_sent + found->close_wait);
  const struct plan_sums sums = {.inuse = inuse, .alloc = inuse + others};
  for (int i = 0; i < 2; i++) {
    ck_assert_int_ge(plan_make(&plan, &task, &sums), 0);
    ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
    tally.all.state[TCP_ESTABLISHED] = found->established;
    tally.all.state[TCP_SYN_SENT] = found->syn_sent;
    tally.all.state[TCP_CLOSE_WAIT] = found->close_wait;
    if (group_index_num(&group_index) > 0)
      tally.groups[0].state[TCP_ESTABLISHED] = found->in_group;
    plan_complete(&plan, &task, &sums, &tally);
  }
  ck_assert_int_ge(plan_make(&plan, &task, &sums), 0);
}

static bool has_info(size_t request) {
  const struct diag_request *r = &plan.requests[request];
  ck_assert_uint_lt(request, plan.requests_num);
  ck_assert(!r->info || r->states & AGED_STATES);
  return r->info;
}

#define MANY 1000000

/* With tcp_info a socket costs a third more; another walk passes all sockets of
 * the machine. */
static const struct {
  const char *name;
  struct found found;
  int64_t others;
  bool group, all, dump;
  enum plan_method method;
  bool apart; /* the ages are asked for by a request of their own */
} infos[] = {
    {"3 of 101", {98, 0, 3, 0}, 0, false, true, false, PLAN_SUMS, false},
    {"3 of 101, dump", {98, 0, 3, 0}, 0, false, true, true, PLAN_ALL, false},
    {"3 of 101 with a group",
     {98, 0, 3, 9},
     0,
     true,
     true,
     false,
     PLAN_ALL,
     false},
    {"3 of 101 with a group, beside many",
     {98, 0, 3, 9},
     200000,
     true,
     true,
     false,
     PLAN_ALL,
     false},
    {"801 with a group, beside many",
     {798, 0, 3, 400},
     200000,
     true,
     true,
     false,
     PLAN_ALL,
     false},
    {"many, sums", {MANY, 9, 3, 0}, 0, false, true, false, PLAN_SUMS, false},
    {"many, dump", {MANY, 9, 3, 0}, 0, false, true, true, PLAN_ALL, true},
    {"many, dump, beside more",
     {MANY, 9, 3, 0},
     4 * MANY,
     false,
     true,
     true,
     PLAN_ALL,
     false},
    {"many, all of them in CLOSE_WAIT, dump",
     {9, 9, MANY, 0},
     0,
     false,
     true,
     true,
     PLAN_ALL,
     false},
    {"many in CLOSE_WAIT, sums",
     {MANY, 9, MANY, 0},
     0,
     false,
     true,
     false,
     PLAN_SUMS,
     false},
    {"many in SYN_SENT, sums",
     {9, MANY, 3, 0},
     0,
     false,
     true,
     false,
     PLAN_SUMS,
     true},
    {"many, few in the group",
     {MANY, 9, 3, 50000},
     0,
     true,
     false,
     true,
     PLAN_GROUPS,
     false},
    {"many, many in the group",
     {MANY, 9, 3, 500000},
     0,
     true,
     false,
     true,
     PLAN_GROUPS,
     true},
};

START_TEST(tcp_info_comes_where_it_costs_least) {
  if (infos[_i].group)
    add_group();
  task.all = infos[_i].all;
  task.dump = infos[_i].dump;
  plan_reads(&infos[_i].found, infos[_i].others);
  const char *name = infos[_i].name;
  bool apart = infos[_i].apart, groups = infos[_i].method == PLAN_GROUPS;
  bool filtered = infos[_i].group && infos[_i].method == PLAN_SUMS;
  ck_assert_msg(plan.method == infos[_i].method, "%s: %d", name, plan.method);
  ck_assert_msg(plan.requests_num == 1u + apart + filtered, "%s: %zu requests",
                name, plan.requests_num);
  ck_assert_msg(has_info(0) == !apart, "%s: the first", name);
  ck_assert((plan.requests[0].bytecode != NULL) == groups);
  if (apart) {
    ck_assert_uint_eq(plan.requests[1].states, AGED_STATES);
    ck_assert_uint_eq(plan.requests[0].states & AGED_STATES, 0);
    ck_assert(has_info(1));
    ck_assert((plan.requests[1].bytecode != NULL) == groups);
  }
}
END_TEST

/* Who is to be notified needs those of no group, too, with tcp_info or
 * without. */
START_TEST(beside_groups_all_that_can_be_stuck_is_asked_for) {
  add_group();
  task.all = false;
  task.all_aged = _i / 2 == 1;
  task.info = _i % 2 == 1;
  plan_reads(&(struct found){MANY, 9, 3, 9}, 0);
  ck_assert_int_eq(plan.method, PLAN_GROUPS);
  ck_assert_uint_eq(plan.requests_num, 1u + task.all_aged);
  const struct diag_request *aged = &plan.requests[task.all_aged];
  ck_assert_ptr_nonnull(plan.requests[0].bytecode);
  ck_assert((aged->bytecode == NULL) == task.all_aged);
  ck_assert_uint_eq(aged->states & AGED_STATES, AGED_STATES);
  ck_assert(has_info(task.all_aged) == task.info);
  if (task.all_aged)
    ck_assert(!has_info(0));
}
END_TEST

START_TEST(with_sums_the_filtered_dump_has_no_tcp_info) {
  add_group();
  plan_reads(&(struct found){MANY, 9, 3, 900000}, 0);
  ck_assert_int_eq(plan.method, PLAN_SUMS);
  ck_assert_uint_eq(plan.requests_num, 2);
  ck_assert(has_info(0));
  ck_assert_ptr_null(plan.requests[0].bytecode);
  ck_assert_uint_eq(plan.requests[0].states & COMMON_STATES, 0);
  ck_assert(!has_info(1));
  ck_assert_ptr_nonnull(plan.requests[1].bytecode);
  ck_assert_uint_eq(plan.requests[1].states, COMMON_STATES);
}
END_TEST

static const struct found amounts[] = {
    {98, 0, 3, 0}, {MANY, 9, 3, 0}, {9, 9, MANY, 0}};

START_TEST(a_dump_of_rare_states_alone_has_the_ages_in_it) {
  static const uint32_t states[] = {AGED_STATES, AGED_STATES | ORPHAN_STATES,
                                    AGED_STATES | 1u << TCP_LISTEN};
  for (int i = 0; i < CASES(states); i++) {
    task.states = states[i];
    plan_reads(&amounts[_i], 0);
    ck_assert_uint_eq(plan.requests_num, 1);
    ck_assert_uint_eq(plan.requests[0].states, states[i]);
    ck_assert(has_info(0));
  }
}
END_TEST

START_TEST(without_need_for_ages_nothing_asks_for_tcp_info) {
  static const uint32_t states[] = {ALL_STATES, AGED_STATES};
  task.info = false;
  for (int i = 0; i < CASES(states); i++) {
    task.states = states[i];
    plan_reads(&amounts[_i], 0);
    ck_assert_uint_eq(plan.requests_num, 1);
    ck_assert(!has_info(0));
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ages_request");
  TCase *tc = tcase_create("ages_request");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(tc, states_and_ages_are_those_that_the_values_need, 0,
                      CASES(needs));
  tcase_add_loop_test(tc, tcp_info_comes_where_it_costs_least, 0, CASES(infos));
  tcase_add_loop_test(tc, beside_groups_all_that_can_be_stuck_is_asked_for, 0,
                      4);
  tcase_add_test(tc, with_sums_the_filtered_dump_has_no_tcp_info);
  tcase_add_loop_test(tc, a_dump_of_rare_states_alone_has_the_ages_in_it, 0,
                      CASES(amounts));
  tcase_add_loop_test(tc, without_need_for_ages_nothing_asks_for_tcp_info, 0,
                      CASES(amounts));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
