/* SPDX-License-Identifier: MIT */
/* tally.c and metrics.c: how long sockets have been stuck, and how full accept
 * queues are. */
#include "metrics.h"

#include "check_main.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ms; ages.c knows ages in units of 16. */
#define UNIT 128
#define STUCK_AFTER (500 * UNIT)
#define BELOW (STUCK_AFTER - UNIT)
#define ABOVE (STUCK_AFTER + UNIT)
#define MOST (UINT32_MAX - 127)
#define NOW (UINT64_C(100000000) * UNIT)

static struct port_range ranges[] = {{443, 443}, {5432, 5432}};
static struct group groups[] = {
    {(char[]){"443-local"}, {.local_ports = {&ranges[0], 1}}},
    {(char[]){"5432-remote"}, {.remote_ports = {&ranges[1], 1}}},
};

static struct group_index group_index;
static struct tally tally;
static uint64_t now;
static int64_t simulated_clock(void) { return (int64_t)now; }
static struct ages ages = {.clock = simulated_clock};
static struct port_bitmap listening;
static struct whose whose;
static struct holders holders;

static void start(void) {
  tally = (struct tally){
      .stuck_after = STUCK_AFTER, .ages = &ages, .whose = &whose};
  whose.listening = &listening;
  now = NOW;
  ages_start(&ages, true, STUCK_AFTER);
  memset(&holders, 0, sizeof(holders));
  ck_assert_int_eq(group_index_init(&group_index, groups, CASES(groups)), 0);
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
}

static void end(void) {
  tally_free(&tally);
  ages_free(&ages);
  group_index_free(&group_index);
}

/* In the first group. */
#define SOCKET(...)                                                            \
  (struct diag_socket) { .local_port = 443, .remote_port = 50000, __VA_ARGS__ }

static const struct {
  const char *name;
  uint8_t state;
  uint32_t inode;
  bool has_age;
  uint32_t age;
  struct {
    uint32_t held, waiting;               /* stuck, of each state */
    uint32_t oldest_held, oldest_waiting; /* ms */
  } counted;
} aged[] = {
    {"held, young", TCP_FIN_WAIT2, 9, true, UNIT, {0, 0, UNIT, 0}},
    {"held, below", TCP_FIN_WAIT2, 9, true, BELOW, {0, 0, BELOW, 0}},
    {"at the limit", TCP_FIN_WAIT2, 9, true, STUCK_AFTER, {0, 0, STUCK_AFTER}},
    {"held, above", TCP_FIN_WAIT2, 9, true, ABOVE, {1, 0, ABOVE, 0}},
    {"held, oldest of all", TCP_FIN_WAIT2, 9, true, MOST, {1, 0, MOST, 0}},
    {"held, age 0", TCP_FIN_WAIT2, 9, true, 0, {0, 0, 0, 0}},
    {"held, age unknown", TCP_FIN_WAIT2, 9, false, MOST, {0, 0, 0, 0}},
    {"orphan", TCP_FIN_WAIT2, 0, true, MOST, {0, 0, 0, 0}},
    {"at the limit",
     TCP_CLOSE_WAIT,
     9,
     true,
     STUCK_AFTER,
     {.oldest_waiting = STUCK_AFTER}},
    {"CLOSE_WAIT, above", TCP_CLOSE_WAIT, 9, true, ABOVE, {0, 1, 0, ABOVE}},
    {"not accepted", TCP_CLOSE_WAIT, 0, true, ABOVE, {0, 1, 0, ABOVE}},
    {"CLOSE_WAIT, age unknown", TCP_CLOSE_WAIT, 9, false, MOST, {0, 0, 0, 0}},
    {"ESTABLISHED", TCP_ESTABLISHED, 9, true, MOST, {0, 0, 0, 0}},
    {"FIN_WAIT1, met first", TCP_FIN_WAIT1, 9, true, MOST, {0, 0, 0, 0}},
    {"LAST_ACK", TCP_LAST_ACK, 9, true, MOST, {0, 0, 0, 0}},
    {"CLOSING", TCP_CLOSING, 9, true, MOST, {0, 0, 0, 0}},
    {"LISTEN", TCP_LISTEN, 9, true, MOST, {0, 0, 0, 0}},
    {"bound only", TCP_CLOSE, 9, true, MOST, {0, 0, 0, 0}},
};

static struct diag_socket aged_socket(int i) {
  return SOCKET(.state = aged[i].state, .inode = aged[i].inode, .cookie = 7,
                .has_age = aged[i].has_age, .age = aged[i].age,
                .idle = aged[i].age);
}

static void check_aged(int i, const struct tally_counts *counts) {
  ck_assert_msg(counts->fin_wait2_stuck == aged[i].counted.held &&
                    counts->close_wait_stuck == aged[i].counted.waiting,
                "%s: %" PRIu64 " and %" PRIu64 " are stuck", aged[i].name,
                counts->fin_wait2_stuck, counts->close_wait_stuck);
  ck_assert_msg(counts->fin_wait2_oldest == aged[i].counted.oldest_held &&
                    counts->close_wait_oldest == aged[i].counted.oldest_waiting,
                "%s: the oldest have %" PRIu64 " and %" PRIu64 " ms",
                aged[i].name, counts->fin_wait2_oldest,
                counts->close_wait_oldest);
}

START_TEST(stuck_is_what_is_held_for_longer_than_the_limit) {
  const struct diag_socket socket = aged_socket(_i);
  static const struct tally_counts none;
  ck_assert_int_eq(tally_socket(&socket, &tally), 0);
  check_aged(_i, &tally.all);
  check_aged(_i, &tally.groups[0]);
  ck_assert_mem_eq(&tally.groups[1], &none, sizeof(none));
  ck_assert_uint_eq(tally.all.state[socket.state], 1);
}
END_TEST

START_TEST(a_held_fin_wait1_is_stuck_from_its_first_read_on) {
  struct diag_socket socket =
      SOCKET(.state = TCP_FIN_WAIT1, .inode = 9, .cookie = 7, .has_age = true);
  tally_socket(&socket, &tally);
  ages_finish(&ages);
  tally_reset(&tally, &group_index);
  now += ABOVE;
  ages_start(&ages, true, STUCK_AFTER);
  socket.age = socket.idle = MOST;
  tally_socket(&socket, &tally);
  ck_assert_uint_eq(tally.all.fin_wait1_stuck, 1);
  ck_assert_uint_eq(tally.groups[0].fin_wait1_oldest, ABOVE);
}
END_TEST

START_TEST(unaccepted_are_those_in_close_wait_without_owner) {
  for (int i = 0; i < CASES(aged); i++) {
    tally_reset(&tally, &group_index);
    const struct diag_socket socket = aged_socket(i);
    tally_socket(&socket, &tally);
    ck_assert_uint_eq(tally.all.close_wait_unaccepted,
                      socket.state == TCP_CLOSE_WAIT && socket.inode == 0);
  }
}
END_TEST

START_TEST(without_need_for_ages_none_is_kept) {
  tally.ages = NULL;
  for (int i = 0; i < CASES(aged); i++) {
    const struct diag_socket socket = aged_socket(i);
    tally_socket(&socket, &tally);
  }
  ck_assert_uint_eq(tally.all.close_wait_stuck, 0);
  ck_assert_uint_eq(tally.all.fin_wait2_oldest, 0);
  ck_assert_uint_eq(ages.num, 0);
}
END_TEST

static const uint8_t states[] = {TCP_FIN_WAIT2, TCP_CLOSE_WAIT};

START_TEST(oldest_is_the_maximum_of_each_group) {
  static const struct {
    uint16_t local_port, remote_port;
    uint32_t units;
  } sockets[] = {{443, 1, 700},  {443, 2, 900},  {443, 3, 800},
                 {443, 4, 1},    {443, 5, 500},  {1, 5432, 501},
                 {2, 5432, 499}, {1000, 1, 950}, {443, 5432, 890}};
  for (int i = 0; i < CASES(sockets); i++) {
    const struct diag_socket socket = {.state = states[_i],
                                       .inode = 9,
                                       .local_port = sockets[i].local_port,
                                       .remote_port = sockets[i].remote_port,
                                       .cookie = (uint64_t)i + 1,
                                       .has_age = true,
                                       .age = sockets[i].units * UNIT,
                                       .idle = sockets[i].units * UNIT};
    tally_socket(&socket, &tally);
  }
  static const uint32_t stuck[] = {6, 4, 2};
  static const uint32_t oldest[] = {950 * UNIT, 900 * UNIT, 890 * UNIT};
  const struct tally_counts *counts[] = {&tally.all, &tally.groups[0],
                                         &tally.groups[1]};
  for (int i = 0; i < 3; i++) {
    bool held = states[_i] == TCP_FIN_WAIT2;
    const struct tally_counts *c = counts[i];
    ck_assert_uint_eq(held ? c->fin_wait2_stuck : c->close_wait_stuck,
                      stuck[i]);
    ck_assert_uint_eq(held ? c->fin_wait2_oldest : c->close_wait_oldest,
                      oldest[i]);
    ck_assert_uint_eq(held ? c->close_wait_stuck : c->fin_wait2_stuck, 0);
    ck_assert_uint_eq(held ? c->close_wait_oldest : c->fin_wait2_oldest, 0);
  }
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
  static const struct tally_counts none;
  ck_assert_mem_eq(&tally.all, &none, sizeof(none));
  ck_assert_mem_eq(&tally.groups[0], &none, sizeof(none));
}
END_TEST

START_TEST(holders_are_of_what_is_stuck_and_only_when_asked_for) {
  const struct diag_socket socket = aged_socket(_i);
  tally_socket(&socket, &tally);
  ck_assert_uint_eq(holders.num, 0);
  tally.holders = &holders;
  uint32_t stuck = aged[_i].counted.held + aged[_i].counted.waiting;
  tally_socket(&socket, &tally);
  ck_assert_uint_eq(holders.num, stuck);
  if (stuck > 0) {
    ck_assert_uint_eq(holders.holder[0].num, 1);
    ck_assert_uint_eq(holders.holder[0].state, socket.state);
    ck_assert_uint_eq(holders.holder[0].oldest, aged[_i].age);
    ck_assert_uint_eq(holders.holder[0].unaccepted, socket.inode == 0);
  }
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
  ck_assert_uint_eq(holders.num, 0);
}
END_TEST

static const struct {
  const char *name;
  struct {
    uint32_t queue, limit;
  } listeners[4];
  uint64_t queue, limit, utilization; /* utilization: 1/100 percent */
} queues[] = {
    {"empty", {{0, 128}}, 0, 128, 0},
    {"one waits", {{1, 128}}, 1, 128, 78},
    {"half", {{64, 128}}, 64, 128, 5000},
    {"one place is left", {{127, 128}}, 127, 128, 9921},
    {"full", {{128, 128}}, 128, 128, 10000},
    {"more than full", {{129, 128}}, 129, 128, 10000},
    {"no limit, empty", {{0, 0}}, 0, 0, 0},
    {"no limit, one waits", {{1, 0}}, 1, 0, 10000},
    {"no limit, many", {{UINT32_MAX, 0}}, UINT32_MAX, 0, 10000},
    {"greatest numbers",
     {{UINT32_MAX - 1, UINT32_MAX}},
     UINT32_MAX - 1,
     UINT32_MAX,
     9999},
    {"three of them with SO_REUSEPORT, somaxconn at its greatest",
     {{INT32_MAX, INT32_MAX}, {INT32_MAX, INT32_MAX}, {1, INT32_MAX}},
     UINT64_C(2) * INT32_MAX + 1,
     UINT64_C(3) * INT32_MAX,
     10000},
    {"the fullest is not the longest",
     {{90, 4096}, {5, 10}, {0, 1}},
     95,
     4107,
     5000},
    {"the fullest is the last", {{0, 9}, {1, 10}, {2, 10}}, 3, 29, 2000},
    {"the fullest is the first", {{9, 10}, {1, 10}, {8, 10}}, 18, 30, 9000},
};

START_TEST(accept_queues_add_up_and_the_fullest_listener_tells_how_full) {
  for (int i = 0; i < CASES(queues[_i].listeners); i++) {
    const struct diag_socket listener =
        SOCKET(.state = TCP_LISTEN, .inode = 9,
               .queue = queues[_i].listeners[i].queue,
               .queue_limit = queues[_i].listeners[i].limit);
    tally_socket(&listener, &tally);
  }
  const struct diag_socket other = {.state = TCP_ESTABLISHED,
                                    .inode = 9,
                                    .local_port = 443,
                                    .queue = 1000,
                                    .queue_limit = 1000};
  tally_socket(&other, &tally);
  const struct tally_counts *counts[] = {&tally.all, &tally.groups[0]};
  for (int i = 0; i < 2; i++) {
    ck_assert_msg(counts[i]->accept_queue == queues[_i].queue &&
                      counts[i]->accept_queue_limit == queues[_i].limit,
                  "%s: %" PRIu64 " of %" PRIu64, queues[_i].name,
                  counts[i]->accept_queue, counts[i]->accept_queue_limit);
    ck_assert_msg(counts[i]->accept_queue_utilization == queues[_i].utilization,
                  "%s: %" PRIu64, queues[_i].name,
                  counts[i]->accept_queue_utilization);
  }
  ck_assert_uint_eq(tally.groups[1].accept_queue_limit, 0);
}
END_TEST

/* The values in the order in which they are to come. */
static const struct {
  const char *type;
  const char *type_instance;
  unsigned report;
  double value;
} golden[] = {
    {"current_connections", "fin_wait1_stuck", REPORT_STUCK, 6},
    {"current_connections", "fin_wait2_stuck", REPORT_STUCK, 7},
    {"current_connections", "close_wait_stuck", REPORT_STUCK, 8},
    {"current_connections", "close_wait_unaccepted", REPORT_STUCK, 9},
    {"duration", "fin_wait1_oldest", REPORT_STUCK, 60.25},
    {"duration", "fin_wait2_oldest", REPORT_STUCK, 61.5},
    {"duration", "close_wait_oldest", REPORT_STUCK, 4294967.296},
    {"queue_length", "accept_queue", REPORT_ACCEPT_QUEUE, 11},
    {"queue_length", "accept_queue_limit", REPORT_ACCEPT_QUEUE, 6442450941},
    {"percent", "accept_queue", REPORT_ACCEPT_QUEUE, 99.21},
};

struct expectation {
  unsigned report;
  int next; /* the number of the row to come, from group to group */
};

static void check_metric(const struct metric *metric, void *data) {
  struct expectation *e = data;
  ck_assert_uint_ne(e->report, 0);
  while (!(golden[e->next % CASES(golden)].report & e->report))
    e->next++;
  int i = e->next++ % CASES(golden);
  ck_assert_str_eq(metric->type, golden[i].type);
  ck_assert_str_eq(metric->type_instance, golden[i].type_instance);
  ck_assert_msg(fabs(metric->value - golden[i].value) < 1e-6, "%s: %f",
                metric->type_instance, metric->value);
}

static const struct {
  unsigned report;
  size_t values; /* of each group */
} reports[] = {{0, 0},
               {REPORT_STUCK, 7},
               {REPORT_ACCEPT_QUEUE, 3},
               {REPORT_STUCK | REPORT_ACCEPT_QUEUE, 10}};

START_TEST(values_are_seconds_and_percent_and_there_when_asked_for) {
  const struct tally_counts counts = {
      .fin_wait1_stuck = 6,
      .fin_wait2_stuck = 7,
      .close_wait_stuck = 8,
      .close_wait_unaccepted = 9,
      .fin_wait1_oldest = 60250,
      .fin_wait2_oldest = 61500,
      .close_wait_oldest = UINT64_C(1) << 32,
      .accept_queue = 11,
      .accept_queue_limit = UINT64_C(3) * INT32_MAX,
      .accept_queue_utilization = 9921,
  };
  tally.all = tally.groups[0] = tally.groups[1] = counts;
  const struct settings settings = {.all_ports_summary = CHOICE_TRUE,
                                    .report = reports[_i].report,
                                    .groups = groups,
                                    .groups_num = CASES(groups)};
  struct snapshot snapshot = {.index = &group_index, .tally = &tally};
  struct expectation e = {.report = reports[_i].report};
  /* "all" and two groups. */
  ck_assert_uint_eq(metrics_each(&settings, &snapshot, check_metric, &e),
                    3 * reports[_i].values);
  snapshot.sockets_error = -2;
  ck_assert_uint_eq(metrics_each(&settings, &snapshot, check_metric, &e), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tally_ages");
  TCase *tc = tcase_create("tally_ages");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(tc, stuck_is_what_is_held_for_longer_than_the_limit, 0,
                      CASES(aged));
  tcase_add_test(tc, a_held_fin_wait1_is_stuck_from_its_first_read_on);
  tcase_add_test(tc, unaccepted_are_those_in_close_wait_without_owner);
  tcase_add_test(tc, without_need_for_ages_none_is_kept);
  tcase_add_loop_test(tc, oldest_is_the_maximum_of_each_group, 0,
                      CASES(states));
  tcase_add_loop_test(tc, holders_are_of_what_is_stuck_and_only_when_asked_for,
                      0, CASES(aged));
  tcase_add_loop_test(
      tc, accept_queues_add_up_and_the_fullest_listener_tells_how_full, 0,
      CASES(queues));
  tcase_add_loop_test(tc,
                      values_are_seconds_and_percent_and_there_when_asked_for,
                      0, CASES(reports));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
