/* settings.c and plan.c: whether ages are needed, and with which request they
 * are asked for, so that tcp_info comes for few sockets. */
#include "plan.h"

#include "check_main.h"

#include <string.h>

#define STUCK_STATES (1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT)
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
    {"stuck, of all", REPORT_STUCK, 0, ALL, true, STUCK_STATES},
    {"stuck, of listening ports", REPORT_STUCK, 0, LISTENING, true,
     STUCK_STATES},
    {"stuck, of a group", REPORT_STUCK, 0, CONFIGURED, true, STUCK_STATES},
    {"stuck, of no group", REPORT_STUCK, 0, NOTHING, true, 0},
    {"notifications, without any group", 0, 1, NOTHING, true, STUCK_STATES},
    {"notifications, with a group", 0, 1, CONFIGURED, true, STUCK_STATES},
    {"both", REPORT_STUCK, UINT32_MAX, ALL, true, STUCK_STATES},
    {"notifications and all but groups", 0xff, 1, NOTHING, true, STUCK_STATES},
    {"notifications and orphans", REPORT_ORPHANS, 1, ALL, true,
     ORPHAN_STATES | STUCK_STATES},
    {"orphans", REPORT_ORPHANS, 0, ALL, false, ORPHAN_STATES},
    {"FIN_WAIT2", REPORT_FIN_WAIT2, 0, ALL, false, 1u << TCP_FIN_WAIT2},
    {"accept queues", REPORT_ACCEPT_QUEUE, 0, ALL, false, 1u << TCP_LISTEN},
    {"accept queues of no group", REPORT_ACCEPT_QUEUE, 0, NOTHING, false, 0},
    {"accept queues and stuck", REPORT_ACCEPT_QUEUE | REPORT_STUCK, 0,
     CONFIGURED, true, 1u << TCP_LISTEN | STUCK_STATES},
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

static void start(void) {
  memset(&group_index, 0, sizeof(group_index));
  memset(&tally, 0, sizeof(tally));
  plan = (struct plan){.few = 100};
}

static void end(void) {
  plan_free(&plan);
  tally_free(&tally);
  group_index_free(&group_index);
}

static const struct plan_sums few_sockets = {.inuse = 10};
static const struct plan_sums many_sockets = {.inuse = 1000000};

/* A read, but for its requests: the answers are what tally holds. */
static void plan_read(const struct plan_task *task,
                      const struct plan_sums *sums) {
  ck_assert_int_ge(plan_make(&plan, task, sums), 0);
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
}

/* The second of two reads, with many sockets; the first one learns that there
 * are few in the group, so that it is asked for with bytecode. */
static void plan_groups(const struct plan_task *task) {
  plan_read(task, &many_sockets);
  ck_assert_int_eq(plan_complete(&plan, task, &many_sockets, &tally), 0);
  plan_read(task, &many_sockets);
  ck_assert_int_eq(plan.way, PLAN_GROUPS);
}

/* What is in the way of an age, and what not. */
static const struct {
  const char *name;
  uint32_t held, orphaned, waiting;
  bool candidates;
} candidates[] = {
    {"none", 0, 0, 0, false},        {"a held one", 1, 0, 0, true},
    {"an orphan", 0, 1, 0, false},   {"one in CLOSE_WAIT", 0, 0, 1, true},
    {"of each kind", 1, 1, 1, true},
};

static void set_candidates(int i) {
  tally.all.fin_wait2_held = candidates[i].held;
  tally.all.fin_wait2_orphaned = candidates[i].orphaned;
  tally.all.state[TCP_FIN_WAIT2] = candidates[i].held + candidates[i].orphaned;
  tally.all.state[TCP_CLOSE_WAIT] = candidates[i].waiting;
  tally.all.state[TCP_ESTABLISHED] = 1000;
}

START_TEST(a_dump_of_all_is_followed_by_one_for_ages_if_there_are_any) {
  for (int all_ages = 0; all_ages < 2; all_ages++) {
    const struct plan_task task = {.index = &group_index,
                                   .all = true,
                                   .ages = true,
                                   .all_ages = all_ages,
                                   .states = ALL_STATES};
    plan_read(&task, &few_sockets);
    ck_assert_int_eq(plan.way, PLAN_ALL);
    ck_assert_uint_eq(plan.requests_num, 1);
    ck_assert(!plan.requests[0].info);
    set_candidates(_i);
    struct diag_request ages = {.states = 0};
    bool asked = plan_ages_request(&plan, &task, &tally, &ages);
    ck_assert_msg(asked == candidates[_i].candidates, "%s",
                  candidates[_i].name);
    if (asked) {
      ck_assert_uint_eq(ages.states, STUCK_STATES);
      ck_assert(ages.info);
      ck_assert_ptr_null(ages.bytecode);
    }
  }
}
END_TEST

START_TEST(a_dump_of_groups_is_followed_by_one_of_their_ages) {
  const struct plan_task task = {
      .index = &group_index, .ages = true, .states = ALL_STATES};
  ck_assert_int_eq(group_index_init(&group_index, &group, 1), 0);
  plan_groups(&task);
  ck_assert(!plan.requests[0].info);
  set_candidates(_i);
  struct diag_request ages = {.states = 0};
  bool asked = plan_ages_request(&plan, &task, &tally, &ages);
  ck_assert_msg(asked == candidates[_i].candidates, "%s", candidates[_i].name);
  if (asked) {
    ck_assert_uint_eq(ages.states, STUCK_STATES);
    ck_assert(ages.info);
    ck_assert_uint_gt(ages.bytecode_len, 0);
    ck_assert_uint_eq(ages.bytecode_len, plan.requests[0].bytecode_len);
    ck_assert_mem_eq(ages.bytecode, plan.requests[0].bytecode,
                     ages.bytecode_len);
  }
}
END_TEST

/* What is outside the groups was not counted: candidates tell nothing. */
START_TEST(a_dump_of_groups_is_followed_by_all_ages_where_they_are_needed) {
  const struct plan_task task = {.index = &group_index,
                                 .ages = true,
                                 .all_ages = true,
                                 .states = ALL_STATES};
  ck_assert_int_eq(group_index_init(&group_index, &group, 1), 0);
  plan_groups(&task);
  ck_assert_ptr_nonnull(plan.requests[0].bytecode);
  set_candidates(_i);
  struct diag_request ages = {.states = 0};
  ck_assert(plan_ages_request(&plan, &task, &tally, &ages));
  ck_assert_uint_eq(ages.states, STUCK_STATES);
  ck_assert(ages.info);
  ck_assert_ptr_null(ages.bytecode);
}
END_TEST

START_TEST(with_sums_the_ages_come_in_the_dump_of_what_is_rare) {
  for (int groups_num = 0; groups_num < 2; groups_num++) {
    const struct plan_task task = {.index = &group_index,
                                   .all = true,
                                   .ages = true,
                                   .all_ages = true,
                                   .states = ALL_STATES};
    ck_assert_int_eq(group_index_init(&group_index, &group, groups_num), 0);
    plan_read(&task, &many_sockets);
    ck_assert_int_eq(plan_complete(&plan, &task, &many_sockets, &tally), 0);
    plan_read(&task, &many_sockets);
    ck_assert_int_eq(plan.way, PLAN_SUMS);
    ck_assert_uint_eq(plan.requests_num, 1 + groups_num);
    ck_assert(plan.requests[0].info);
    ck_assert_ptr_null(plan.requests[0].bytecode);
    ck_assert_uint_eq(plan.requests[0].states & STUCK_STATES, STUCK_STATES);
    ck_assert_uint_eq(plan.requests[0].states & COMMON_STATES, 0);
    if (groups_num > 0)
      ck_assert(!plan.requests[1].info);
    set_candidates(_i);
    struct diag_request ages;
    ck_assert(!plan_ages_request(&plan, &task, &tally, &ages));
    end();
    start();
  }
}
END_TEST

START_TEST(a_dump_of_rare_states_alone_has_the_ages_in_it) {
  static const uint32_t states[] = {STUCK_STATES, STUCK_STATES | ORPHAN_STATES,
                                    STUCK_STATES | 1u << TCP_LISTEN};
  for (int i = 0; i < CASES(states); i++) {
    const struct plan_task task = {
        .index = &group_index, .all = true, .ages = true, .states = states[i]};
    plan_read(&task, i == 0 ? &few_sockets : &many_sockets);
    ck_assert_uint_eq(plan.requests_num, 1);
    ck_assert_uint_eq(plan.requests[0].states, states[i]);
    ck_assert(plan.requests[0].info);
    set_candidates(_i);
    struct diag_request ages;
    ck_assert(!plan_ages_request(&plan, &task, &tally, &ages));
  }
}
END_TEST

START_TEST(without_need_for_ages_nothing_asks_for_tcp_info) {
  static const struct plan_sums *const sums[] = {&few_sockets, &many_sockets};
  static const uint32_t states[] = {ALL_STATES, STUCK_STATES};
  for (int i = 0; i < CASES(sums); i++)
    for (int j = 0; j < CASES(states); j++) {
      const struct plan_task task = {
          .index = &group_index, .all = true, .states = states[j]};
      plan_read(&task, sums[i]);
      ck_assert_uint_eq(plan.requests_num, 1);
      ck_assert(!plan.requests[0].info);
      set_candidates(_i);
      struct diag_request ages;
      ck_assert(!plan_ages_request(&plan, &task, &tally, &ages));
    }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ages_request");
  TCase *tc = tcase_create("ages_request");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(tc, states_and_ages_are_those_that_the_values_need, 0,
                      CASES(needs));
  tcase_add_loop_test(
      tc, a_dump_of_all_is_followed_by_one_for_ages_if_there_are_any, 0,
      CASES(candidates));
  tcase_add_loop_test(tc, a_dump_of_groups_is_followed_by_one_of_their_ages, 0,
                      CASES(candidates));
  tcase_add_loop_test(
      tc, a_dump_of_groups_is_followed_by_all_ages_where_they_are_needed, 0,
      CASES(candidates));
  tcase_add_loop_test(tc, with_sums_the_ages_come_in_the_dump_of_what_is_rare,
                      0, CASES(candidates));
  tcase_add_loop_test(tc, a_dump_of_rare_states_alone_has_the_ages_in_it, 0,
                      CASES(candidates));
  tcase_add_loop_test(tc, without_need_for_ages_nothing_asks_for_tcp_info, 0,
                      CASES(candidates));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
