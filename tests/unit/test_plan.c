/* SPDX-License-Identifier: MIT */
/* plan.c: whatever it asks for, the counts are those of all sockets. */
#include "plan.h"

#include "check_main.h"
#include "plan_reader.h"
#include "socket_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define THRESHOLD 20
#define SCENARIOS 600
#define READS 6

/* More single ports than a program can hold. */
#define TOO_MANY 10000

#define REPORT_ALL                                                             \
  (REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 | REPORT_ORPHANS)

static struct random_source source;
static struct reader reader;

static void set_up(void) {
  source = random_seed(0);
  reader = (struct reader){.settings.report = REPORT_ALL,
                           .plan.threshold = THRESHOLD};
}

static void tear_down(void) { reader_free(&reader); }

#define PICK(array) array[random_below(&source, CASES(array))]

/* Every second port, and now and then a further condition. */
static void add_odd_ports(void) {
  struct filter *filter = reader_add_group(&reader, "odd");
  if (random_below(&source, 4) == 0)
    *filter = random_filter(&source, &fake_pool);
  reader_add_odd_ports(reader.kernel.remote ? &filter->remote_ports
                                            : &filter->local_ports,
                       random_below(&source, 4) == 0 ? TOO_MANY : 1000);
}

static void add_random_group(unsigned number) {
  /* This port can be that of most sockets. */
  unsigned kind = random_below(&source, 6);
  if (number == 0 && kind > 2) {
    reader_add_port(&reader, 443);
    return;
  }
  if (number == 0 && kind > 0) {
    add_odd_ports();
    return;
  }
  char name[24];
  snprintf(name, sizeof(name), "group %u", number);
  *reader_add_group(&reader, name) = random_filter(&source, &fake_pool);
}

static void change_cgroups(void) {
  for (size_t i = 0; i < reader.settings.groups_num; i++)
    random_ids(&reader.settings.groups[i].filter, &source, &fake_pool);
  ck_assert_int_eq(model_index_cgroups(&reader.index), 0);
}

static void change_listening(void) {
  uint16_t port = fake_pool.ports[random_below(&source, fake_pool.ports_num)];
  reader.listening.bits[port / 64] ^= UINT64_C(1) << port % 64;
}

/* A configuration. */
static void begin_at_random(unsigned seed) {
  static const unsigned commons[] = {20, 90, 95, 97};
  static const unsigned servers[] = {0, 40, 80, 90, 97};
  static const unsigned reports[] = {REPORT_ALL, REPORT_ALL, REPORT_BY_STATE,
                                     REPORT_ALL & ~REPORT_BY_STATE};
  static const unsigned groups[] = {0, 0, 0, 1, 1, 1, 2, 4};
  static const unsigned others[] = {0, 0, 0, 0, 0, 0, 300, 100000};
  set_up();
  reader.seed = seed;
  source = random_seed(seed);
  reader.kernel.common = PICK(commons);
  reader.kernel.server = PICK(servers);
  reader.kernel.others = PICK(others);
  reader.kernel.remote = random_below(&source, 8) == 0;
  for (unsigned i = PICK(groups); i > 0; i--)
    add_random_group(i - 1);
  for (unsigned i = random_below(&source, 2); i > 0; i--)
    change_listening();
  reader_begin(&reader, random_below(&source, 2) == 0);
  reader.settings.report = PICK(reports);
  reader.settings.notify_stuck = random_below(&source, 4) == 0;
  reader.task.states = settings_states(&reader.settings);
  reader.task.info = random_below(&source, 2) == 0;
  reader.task.all_aged = reader.settings.notify_stuck > 0;
  reader.task.destinations = reader.task.all_aged;
  reader.kernel.stuck_after = random_below(&source, 256) * 16;
  reader.task.dump = random_below(&source, 6) == 0;
  reader.plan.no_bytecode = random_below(&source, 10) == 0;
}

static void change_at_random(void) {
  static const unsigned percents[] = {0, 5, 30, 100};
  static const unsigned sizes[] = {5, 200, FAKE_SOCKETS_MAX, FAKE_SOCKETS_MAX};
  size_t num = reader.kernel.num;
  reader.kernel.port = random_below(&source, 16) == 0 ? 4433 : 443;
  if (num == 0 || random_below(&source, 3) == 0)
    num = random_below(&source, PICK(sizes));
  fake_kernel_change(&reader.kernel, &source, num, PICK(percents));
  if (random_below(&source, 4) == 0)
    change_listening();
  if (random_below(&source, 5) == 0)
    change_cgroups();
}

static struct plan_sums sums_or_part_of_them(void) {
  struct plan_sums sums = fake_kernel_sums(&reader.kernel);
  int64_t *numbers[] = {&sums.inuse, &sums.inuse6, &sums.tw};
  if (random_below(&source, 10) == 0)
    *PICK(numbers) = -1;
  return sums;
}

/* The number of the group that is counted by its complement, or -1. */
static int complement(void) {
  uint32_t of = reader.plan.programs[0].complement.group;
  if (reader.plan.method != PLAN_SUMS || of == 0)
    return -1;
  if (of >= PORTS_NUM)
    return (int)(of - PORTS_NUM);
  for (size_t i = 0; i < reader.index.listening_num; i++)
    if (reader.index.listening_ports[i] == of)
      return (int)(reader.index.groups_num + i);
  return -1;
}

START_TEST(counts_are_those_of_all_sockets_whatever_the_method) {
  unsigned reads[PLAN_SUMS + 1] = {0}, complements = 0, by_port = 0;
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    for (int i = 0; i < READS; i++) {
      /* What the plan is made from may be older than the dump. */
      const struct plan_sums before = fake_kernel_sums(&reader.kernel);
      bool old = reader.kernel.num > 0 && random_below(&source, 3) == 0;
      change_at_random();
      const struct plan_sums sums = sums_or_part_of_them();
      reader.early = old && plan_sums_known(&sums) ? &before : NULL;
      ck_assert_int_ge(reader_read(&reader, &sums), 0);
      if (!reader.plan.empty || reader.early == NULL)
        reader_check_counts(&reader);
      reads[reader.plan.method]++;
      complements += complement() >= 0;
      by_port += complement() >= 0 && reader.plan.by_port;
    }
    tear_down();
  }
  reads[PLAN_SUMS] -= complements;
  const unsigned enough = SCENARIOS * READS / 20;
  ck_assert_msg(reads[PLAN_ALL] > enough && reads[PLAN_GROUPS] > enough &&
                    reads[PLAN_SUMS] > enough && complements > enough &&
                    by_port > enough / 6,
                "%u all, %u groups, %u sums, %u complements, %u by port",
                reads[PLAN_ALL], reads[PLAN_GROUPS], reads[PLAN_SUMS],
                complements, by_port);
}
END_TEST

START_TEST(at_rest_it_neither_changes_its_method_nor_allocates) {
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    change_at_random();
    /* The first read learns, the second has its method, and by what that one
     * finds the third may have another. */
    for (int i = 0; i < 3; i++)
      reader_read_at_rest(&reader);
    reader.allocations = 0;
    for (int i = 0; i < 3; i++)
      ck_assert_msg(reader_read_at_rest(&reader) == 0, "seed %u", seed);
    ck_assert_msg(reader.allocations == 0, "seed %u: %u", seed,
                  reader.allocations);
    tear_down();
  }
}
END_TEST

/* Sockets come and go between sockstat and the dump. */
static struct plan_sums sums_that_are_off(void) {
  struct plan_sums sums = fake_kernel_sums(&reader.kernel);
  int64_t *numbers[] = {&sums.inuse, &sums.inuse6, &sums.tw};
  for (int i = 0; i < CASES(numbers); i++) {
    *numbers[i] += (int)random_below(&source, 200) - 100;
    if (*numbers[i] < 0 || random_below(&source, 8) == 0)
      *numbers[i] = random_below(&source, 4) == 0 ? (int64_t)UINT32_MAX + 7 : 0;
  }
  return sums;
}

static uint64_t clamped(int64_t count) {
  return count < 0 ? 0 : (uint64_t)count;
}

/* The counts of a state, when the kernel's sum is off by this many. Returns
 * whether it made one of them negative. */
static bool check_clamped(int state, int64_t off) {
  int64_t table = (int64_t)fake_kernel_count(&reader.kernel, NULL).state[state];
  int64_t total = reader.plan.method == PLAN_SUMS ? table + off : table;
  bool negative = total < 0;
  if (reader.task.all)
    ck_assert_uint_eq(reader.tally.all.state[state], clamped(total));
  for (size_t i = 0; i < reader.settings.groups_num; i++) {
    const struct filter *filter = &reader.settings.groups[i].filter;
    int64_t count =
        (int64_t)fake_kernel_count(&reader.kernel, filter).state[state];
    if ((int)i == complement())
      count += (int64_t)clamped(total) - table;
    negative = negative || count < 0;
    ck_assert_uint_eq(reader.tally.groups[i].state[state], clamped(count));
  }
  return negative;
}

START_TEST(no_count_wraps_when_the_sums_disagree_with_the_dump) {
  unsigned negative = 0;
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    reader.settings.report = REPORT_ALL;
    reader.task.states = settings_states(&reader.settings);
    for (int i = 0; i < READS; i++) {
      change_at_random();
      const struct plan_sums sums = sums_that_are_off();
      const struct plan_sums right = fake_kernel_sums(&reader.kernel);
      ck_assert_int_ge(reader_read(&reader, &sums), 0);
      if (reader.plan.empty)
        continue;
      negative +=
          check_clamped(TCP_ESTABLISHED,
                        sums.inuse + sums.inuse6 - right.inuse - right.inuse6);
      negative += check_clamped(TCP_TIME_WAIT, sums.tw - right.tw);
    }
    tear_down();
  }
  ck_assert_uint_gt(negative, SCENARIOS / 10);
}
END_TEST

/* This many sockets, most in the common states. */
static void fill(size_t num, unsigned server) {
  reader.kernel.num = 0;
  reader.kernel.common = 95;
  reader.kernel.server = server;
  fake_kernel_change(&reader.kernel, &source, num, 100);
}

START_TEST(few_sockets_are_all_dumped_until_they_are_many) {
  static const struct {
    size_t sockets;
    enum plan_method method;
  } reads[] = {
      {0, PLAN_ALL},
      {THRESHOLD - 1, PLAN_ALL},
      {THRESHOLD, PLAN_SUMS},
      {THRESHOLD - 1, PLAN_SUMS},
      {THRESHOLD + 1, PLAN_SUMS},
      {THRESHOLD / 2, PLAN_SUMS},
      {THRESHOLD, PLAN_SUMS},
      {THRESHOLD / 2 - 1, PLAN_ALL},
      {THRESHOLD / 2, PLAN_ALL},
      {THRESHOLD - 1, PLAN_ALL},
      {THRESHOLD / 2 - 1, PLAN_ALL},
      {400, PLAN_SUMS},
      {0, PLAN_ALL},
      {THRESHOLD - 1, PLAN_ALL},
      {THRESHOLD, PLAN_SUMS},
  };
  /* That no socket has. */
  reader_add_port(&reader, 1);
  reader_begin(&reader, true);
  reader.kernel.common = 100;
  for (int i = 0; i < CASES(reads); i++) {
    fake_kernel_change(&reader.kernel, &source, reads[i].sockets, 100);
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_msg(reader.plan.method == reads[i].method,
                  "read %d, %zu: method %d", i, reads[i].sockets,
                  reader.plan.method);
  }
}
END_TEST

START_TEST(without_groups_the_sums_are_taken_however_few_there_are) {
  static const size_t sockets[] = {1, 0, 400, 2, 0, THRESHOLD};
  reader_begin(&reader, true);
  reader.settings.report = REPORT_BY_STATE;
  reader.task.states = settings_states(&reader.settings);
  for (int i = 0; i < CASES(sockets); i++) {
    fill(sockets[i], 0);
    ck_assert_int_eq(reader_read_at_rest(&reader), i == 0);
    ck_assert_int_eq(reader.plan.method, PLAN_SUMS);
    ck_assert_uint_eq(reader.plan.requests_num, sockets[i] > 0);
    reader_check_counts(&reader);
  }
}
END_TEST

/* Not even a request that reports nothing: the kernel would walk through the
 * sockets of all namespaces. But bound-only sockets are in no sum. */
START_TEST(an_empty_namespace_is_not_walked) {
  if (_i % 2 == 1)
    reader_add_port(&reader, 443);
  reader_begin(&reader, true);
  reader.settings.report = REPORT_BY_STATE | (_i >= 2 ? REPORT_CLOSED : 0);
  reader.task.states = settings_states(&reader.settings);
  reader.kernel.others = 200000;
  for (int i = 0; i < 6; i++) {
    fill(i % 2 == 0 ? 0 : 9, 50);
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_uint_eq(reader.plan.requests_num, i % 2 == 1 || _i >= 2);
    if (i % 2 == 0 && _i >= 2)
      ck_assert_uint_eq(reader.plan.requests[0].states,
                        1u << DIAG_STATE_BOUND_INACTIVE);
  }
  struct plan_sums part = fake_kernel_sums(&reader.kernel);
  part.inuse = part.tw = 0;
  part.inuse6 = -1;
  ck_assert_int_ge(reader_read(&reader, &part), 0);
  ck_assert_uint_gt(reader.plan.requests_num, 0);
}
END_TEST

START_TEST(of_the_sockets_of_a_large_group_few_are_handed_out) {
  reader_add_port(&reader, 443);
  port_bitmap_add(&reader.listening, 22);
  reader_begin(&reader, true);
  fill(FAKE_SOCKETS_MAX, 97);
  for (int i = 0; i < 4; i++) {
    ck_assert_int_eq(reader_read_at_rest(&reader), i < 2);
    ck_assert_int_eq(reader.plan.method, i == 0 ? PLAN_ALL : PLAN_SUMS);
    bool few = reader.dumped < FAKE_SOCKETS_MAX / 8;
    ck_assert(few == (i > 0));
    reader_check_counts(&reader);
  }
}
END_TEST

static size_t bytecode_len(void) {
  size_t len = 0;
  for (size_t i = 0; i < reader.plan.requests_num; i++)
    len += reader.plan.requests[i].bytecode_len;
  return len;
}

/* Reads until few sockets are dumped, by a short program. Returns how many
 * reads were needed; all counts must be right. */
static int reads_until_few(void) {
  for (int i = 1; i < 10; i++) {
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    if (reader.plan.method == PLAN_SUMS &&
        reader.dumped < FAKE_SOCKETS_MAX / 8 && bytecode_len() < 400)
      return i;
  }
  return 0;
}

/* A Filter with many ports, of which one has most sockets. */
static const struct {
  unsigned local, remote; /* where its ports end; 0: it has none of them */
  bool is_remote;         /* the one port */
  bool nearly_all;        /* remote ports too */
  bool other_group;       /* of a port that few have */
} hot_ports[] = {
    {.local = 6000},
    {.remote = 6000, .is_remote = true},
    {.local = TOO_MANY},
    {.local = TOO_MANY, .other_group = true},
    {.local = 6000, .nearly_all = true},
};

static void add_hot(int i) {
  static const struct port_range ranges[] = {{0, 50000}, {50002, 65535}};
  struct filter *filter = reader_add_group(&reader, "odd");
  reader_add_odd_ports(&filter->local_ports, hot_ports[i].local);
  reader_add_odd_ports(&filter->remote_ports, hot_ports[i].remote);
  for (int j = 0; j < 2 && hot_ports[i].nearly_all; j++)
    ck_assert_int_eq(port_set_add(&filter->remote_ports, ranges[j]), 0);
  if (hot_ports[i].other_group)
    reader_add_port(&reader, 22);
  reader.kernel.remote = hot_ports[i].is_remote;
}

static void fill_port(uint16_t port, unsigned percent) {
  reader.kernel.port = port;
  fill(FAKE_SOCKETS_MAX, percent);
}

START_TEST(of_one_port_among_thousands_few_sockets_are_handed_out) {
  add_hot(_i);
  reader_begin(&reader, true);
  fill_port(443, 97);
  ck_assert_int_eq(reads_until_few(), 2);
  reader.allocations = 0;
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(reads_until_few(), 1);
  ck_assert_uint_eq(reader.allocations, 0);
}
END_TEST

/* The others are on other ports of the group. Before a read without it, it is
 * only known that it has at least 48 of 100. */
START_TEST(of_a_port_that_is_left_out_the_number_becomes_known) {
  reader_add_odd_ports(&reader_add_group(&reader, "odd")->local_ports, 6000);
  reader_begin(&reader, true);
  reader.kernel.common = 100;
  fake_kernel_change(&reader.kernel, &source, 100, 100);
  for (unsigned i = 0; i < 100; i++)
    reader.kernel.sockets[i].local_port =
        i < 74 ? 443 : (uint16_t)(2 * (i - 74) + 1);
  for (int i = 0; i < 4; i++) {
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_int_eq(reader.plan.by_port, i > 0);
    ck_assert_uint_eq(reader.plan.found.port_share, i == 0 ? 520 : 260);
    ck_assert_uint_eq(reader.dumped, i == 0 ? 100 : 26);
  }
}
END_TEST

START_TEST(another_port_that_gets_most_sockets_is_found) {
  add_hot(_i);
  reader_begin(&reader, true);
  fill_port(443, 97);
  ck_assert_int_eq(reads_until_few(), 2);
  fill_port(4433, 97);
  ck_assert_int_eq(reads_until_few(), 2);
  /* Most sockets have none of its ports, and then again one. */
  fill_port(80, 97);
  for (int i = 0; i < 3; i++) {
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_int_eq(complement(), i == 0 ? 0 : -1);
  }
  fill_port(443, 97);
  ck_assert_int_eq(reads_until_few(), 2);
}
END_TEST

/* Of the next group nothing is left out that only the one before has. */
START_TEST(after_a_port_of_a_group_another_group_has_most_sockets) {
  struct filter *filter = reader_add_group(&reader, "odd, some");
  reader_add_odd_ports(&filter->local_ports, 100);
  ck_assert_int_eq(
      port_set_add(&filter->remote_ports, (struct port_range){0, 50000}), 0);
  if (_i == 0)
    port_bitmap_add(&reader.listening, 80);
  else
    reader_add_port(&reader, 80);
  reader_begin(&reader, true);
  for (int i = 0; i < 8; i++) {
    /* On port 41 are then only sockets that are not in the group. */
    fill_port(i < 4 ? 41 : 80, i < 4 ? 100 : 80);
    for (size_t j = 0; j < reader.kernel.num; j++) {
      struct diag_socket *socket = &reader.kernel.sockets[j];
      socket->remote_port = i < 4 ? 40000 : 50001;
      if (socket->local_port != 80)
        socket->local_port = 41;
    }
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_msg(complement() == (i == 0 ? -1 : i > 4), "read %d: %s", i,
                  reader.description);
    ck_assert_int_eq(reader.plan.by_port, i > 0 && i <= 4);
  }
}
END_TEST

/* As long as every socket is dumped it is seen which port has most. */
START_TEST(a_port_that_gets_most_sockets_later_is_found) {
  add_hot(_i);
  reader_begin(&reader, true);
  fill_port(443, 20);
  for (int i = 0; i < 3; i++) {
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
  }
  fill_port(443, 97);
  ck_assert_int_eq(reads_until_few(), 2);
}
END_TEST

/* Other groups, some of whose sockets are on the port that is left out. */
static const char *const beside[] = {
    "lport=443",         "lport=443 ipv6",     "lport=1-1000",
    "lport=22,443,4433", "rport=443,22",       "lport=443 rport=1-40000",
    "laddr=127.0.0.0/8", "cgroup=1 lport=443",
};

START_TEST(groups_that_share_the_port_of_most_sockets_are_counted) {
  static const uint16_t ports[] = {443, 443, 443, 4433, 4433, 22, 443, 443};
  add_hot(0);
  *reader_add_group(&reader, "beside") = model_parse_filter(beside[_i / 2]);
  if (_i % 2 == 1)
    port_bitmap_add(&reader.listening, 443);
  reader_begin(&reader, true);
  for (int i = 0; i < CASES(ports); i++) {
    fill_port(ports[i], 97);
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
  }
}
END_TEST

/* A read of 100 sockets in the common states, this many of them on each port.
 */
static void read_with_percent(unsigned on_443, unsigned on_8443) {
  reader.kernel.num = 0;
  reader.kernel.common = 100;
  fake_kernel_change(&reader.kernel, &source, 100, 100);
  for (unsigned i = 0; i < 100; i++) {
    uint16_t *port = &reader.kernel.sockets[i].local_port;
    *port = 22;
    if (i < on_443 + on_8443)
      *port = i < on_443 ? 443 : 8443;
  }
  reader.changed = reader_read_at_rest(&reader);
  reader_check_counts(&reader);
}

/* A filter for two ports is short: more is saved by leaving out both. */
static const unsigned two_ports[][2] = {{48, 48}, {60, 38}, {65, 35}, {80, 15},
                                        {90, 8},  {8, 90},  {6, 94}};

START_TEST(a_group_with_two_ports_is_left_out_as_a_whole) {
  struct filter *filter = reader_add_group(&reader, "web");
  static const struct port_range ports[] = {{443, 443}, {8443, 8443}};
  for (int i = 0; i < CASES(ports); i++)
    ck_assert_int_eq(port_set_add(&filter->local_ports, ports[i]), 0);
  reader_begin(&reader, true);
  for (int i = 0; i < 4; i++) {
    /* They change places, too. */
    const unsigned *percent = two_ports[i < 3 ? _i : CASES(two_ports) - 1 - _i];
    read_with_percent(percent[0], percent[1]);
    ck_assert_int_eq(complement(), i == 0 ? -1 : 0);
    if (i > 0)
      ck_assert_uint_eq(reader.dumped, 100 - percent[0] - percent[1]);
  }
}
END_TEST

START_TEST(group_is_counted_by_complement_from_above_50_down_to_40_percent) {
  static const struct {
    unsigned percent;
    bool complement; /* in the read after it */
  } reads[] = {{30, false}, {49, false}, {50, false}, {51, true},  {49, true},
               {52, true},  {41, true},  {51, true},  {40, false}, {49, false},
               {41, false}, {60, true},  {39, false}, {97, true}};
  reader_add_port(&reader, 443);
  reader_begin(&reader, true);
  read_with_percent(0, 0);
  for (int i = 0; i < CASES(reads); i++) {
    read_with_percent(reads[i].percent, 0);
    read_with_percent(reads[i].percent, 0);
    ck_assert_int_eq(reader.plan.method, PLAN_SUMS);
    ck_assert_msg((complement() == 0) == reads[i].complement,
                  "read %d of %u percent", i, reads[i].percent);
  }
}
END_TEST

START_TEST(a_group_whose_destinations_are_wanted_is_dumped) {
  struct filter *filter = reader_add_group(&reader, "1-65535-remote");
  const struct port_range all = {0, 65535};
  ck_assert_int_eq(port_set_add(&filter->remote_ports, all), 0);
  reader_begin(&reader, true);
  reader.task.destinations = _i == 1;
  for (int i = 0; i < 4; i++)
    read_with_percent(50, 0);
  ck_assert_int_eq(complement(), _i == 1 ? -1 : 0);
  ck_assert_int_eq(reader.dumped == reader.kernel.num, _i == 1);
}
END_TEST

START_TEST(method_changes_only_where_there_is_something_in_it) {
  static const struct {
    unsigned percent; /* in either of two groups */
    enum plan_method method;
  } reads[] = {{20, PLAN_SUMS}, {35, PLAN_SUMS}, {20, PLAN_SUMS},
               {45, PLAN_ALL},  {35, PLAN_ALL},  {45, PLAN_ALL},
               {20, PLAN_SUMS}, {35, PLAN_SUMS}};
  reader_add_port(&reader, 443);
  reader_add_port(&reader, 8443);
  reader_begin(&reader, true);
  read_with_percent(0, 0);
  for (int i = 0; i < CASES(reads); i++) {
    read_with_percent(reads[i].percent, reads[i].percent);
    read_with_percent(reads[i].percent, reads[i].percent);
    ck_assert_msg(reader.plan.method == reads[i].method,
                  "read %d, %u percent: %d", i, reads[i].percent,
                  reader.plan.method);
  }
}
END_TEST

/* Its number becomes another one then, but it is the same group: at 45 percent
 * it is counted by its complement only because it was before. */
START_TEST(listeners_that_come_and_go_change_nothing_of_a_large_group) {
  static const uint16_t ports[] = {25, 443, 25, 65534, 443, 443, 80};
  port_bitmap_add(&reader.listening, 443);
  reader_begin(&reader, true);
  read_with_percent(60, 0);
  read_with_percent(60, 0);
  ck_assert_int_eq(complement(), 0);
  for (int i = 0; i < 20; i++) {
    uint16_t port = ports[i % CASES(ports)];
    reader.listening.bits[port / 64] ^= UINT64_C(1) << port % 64;
    read_with_percent(45, 0);
    ck_assert_int_eq(reader.changed, 0);
    ck_assert_int_eq(reader.plan.method, PLAN_SUMS);
    int group = complement();
    bool listened = port_bitmap_has(&reader.listening, 443);
    ck_assert_int_eq(group >= 0, listened);
    if (listened)
      ck_assert_uint_eq(reader.index.listening_ports[group], 443);
  }
}
END_TEST

/* Another one takes its place only when it holds more than half. */
START_TEST(one_group_at_a_time_is_counted_by_complement) {
  static const struct {
    unsigned on_443, on_8443;
    int complement; /* in the read after it */
  } reads[] = {{60, 30, 0}, {45, 50, 0}, {41, 58, 0},  {39, 60, 1},
               {59, 41, 1}, {60, 39, 0}, {30, 30, -1}, {39, 51, 1}};
  reader_add_port(&reader, 443);
  reader_add_port(&reader, 8443);
  reader_begin(&reader, true);
  /* A walk costs nothing here: whether the method is cheaper is not asked. */
  read_with_percent(0, 0);
  for (int i = 0; i < CASES(reads); i++) {
    read_with_percent(reads[i].on_443, reads[i].on_8443);
    uint32_t found = reader.plan.found.complement.group;
    ck_assert_msg((found == 0 ? -1 : (int)(found - PORTS_NUM)) ==
                      reads[i].complement,
                  "read %d: %u", i, found);
  }
}
END_TEST

/* A walk passes the sockets of all namespaces: beside many others it costs more
 * than to copy out the few here. */
START_TEST(a_walk_is_priced_by_the_sockets_of_the_machine) {
  static const struct {
    uint32_t others;
    size_t requests;
  } machines[] = {{0, 2}, {500, 2}, {20000, 1}, {200000, 1}, {0, 2}};
  reader_add_port(&reader, 22);
  reader_begin(&reader, true);
  reader.task.info = true;
  fill(FAKE_SOCKETS_MAX, 0);
  reader_read_at_rest(&reader);
  for (int i = 0; i < CASES(machines); i++) {
    reader.kernel.others = machines[i].others;
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_msg(reader.plan.requests_num == machines[i].requests,
                  "%u others: %zu requests", machines[i].others,
                  reader.plan.requests_num);
  }
}
END_TEST

START_TEST(without_all_only_the_sockets_of_the_groups_are_handed_out) {
  reader_add_port(&reader, 22);
  reader_add_port(&reader, 5432);
  reader_begin(&reader, false);
  reader.task.dump = _i == 1;
  fill(FAKE_SOCKETS_MAX, 60);
  reader_read_at_rest(&reader);
  ck_assert_uint_eq(reader.dumped, FAKE_SOCKETS_MAX);
  reader_read_at_rest(&reader);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.method, PLAN_GROUPS);
  size_t expected = 0;
  for (size_t i = 0; i < reader.kernel.num; i++) {
    uint16_t port = reader.kernel.sockets[i].local_port;
    expected += port == 22 || port == 5432;
  }
  ck_assert_uint_eq(reader.dumped, expected);
}
END_TEST

/* ListeningPorts where nobody listens: nor is it said how they are counted. */
START_TEST(without_any_group_no_socket_is_handed_out) {
  reader_begin(&reader, false);
  fill(FAKE_SOCKETS_MAX, 0);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(reader_read_at_rest(&reader), 0);
    ck_assert_uint_eq(reader.plan.requests_num, 0);
    ck_assert_uint_eq(reader.dumped, 0);
  }
  port_bitmap_add(&reader.listening, 443);
  ck_assert_int_eq(reader_read_at_rest(&reader), 1);
  ck_assert_uint_gt(reader.dumped, 0);
}
END_TEST

START_TEST(kernel_that_refuses_bytecode_is_asked_without_it) {
  reader_add_port(&reader, 443);
  reader_begin(&reader, _i == 1);
  fill(FAKE_SOCKETS_MAX, _i == 1 ? 95 : 10);
  reader_read_at_rest(&reader);
  ck_assert_int_eq(reader_read_at_rest(&reader), 1);
  const struct plan *plan = &reader.plan;
  ck_assert_int_eq(plan->method, _i == 1 ? PLAN_SUMS : PLAN_GROUPS);
  ck_assert_ptr_nonnull(plan->requests[plan->requests_num - 1].bytecode);
  reader.plan.no_bytecode = true;
  ck_assert_int_eq(reader_read_at_rest(&reader), 1);
  ck_assert_int_eq(plan->method, PLAN_ALL);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader_read_at_rest(&reader), 0);
}
END_TEST

/* Reads of a group with every second port, while no socket has one of them. */
static void read_with_odd_ports(unsigned end) {
  struct filter *filter = reader_add_group(&reader, "odd");
  reader_add_odd_ports(&filter->local_ports, end);
  reader_begin(&reader, true);
  fill(FAKE_SOCKETS_MAX, 0);
  for (int i = 0; i < 3; i++)
    reader_read_at_rest(&reader);
}

START_TEST(groups_too_large_for_a_program_are_counted_without) {
  read_with_odd_ports(TOO_MANY);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.method, PLAN_ALL);
  ck_assert_msg(strstr(reader.description, "would cost more") == NULL, "%s",
                reader.description);
}
END_TEST

START_TEST(program_whose_audit_costs_more_than_the_sockets_is_not_used) {
  read_with_odd_ports(6000);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.method, PLAN_ALL);
}
END_TEST

START_TEST(program_that_is_too_long_is_not_made_again_in_each_read) {
  read_with_odd_ports(TOO_MANY);
  reader.allocations = 0;
  reader_read_at_rest(&reader);
  ck_assert_uint_eq(reader.allocations, 0);
}
END_TEST

START_TEST(after_failed_allocations_the_next_read_counts_right) {
  unsigned failed = 0;
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    for (int i = 0; i < READS; i++) {
      change_at_random();
      reader.allocations = 0;
      reader.fail_at = i % 2 == 0 ? random_below(&source, 12) + 1 : 0;
      int changed = reader_read_at_rest(&reader);
      ck_assert_int_eq(changed == -ENOMEM,
                       reader.fail_at != 0 &&
                           reader.allocations >= reader.fail_at);
      failed += changed == -ENOMEM;
      if (changed != -ENOMEM)
        reader_check_counts(&reader);
    }
    tear_down();
  }
  ck_assert_uint_gt(failed, SCENARIOS / 10);
}
END_TEST

static const struct {
  const char *name;
  const char *has; /* in the description of the last read */
  const char *has_not;
  size_t sockets;
  int reads;
  bool all, dump, no_bytecode, no_sums;
  unsigned server; /* percent of the sockets in the group */
} reasons[] = {
    {"few sockets", "few", "first", THRESHOLD - 1, 1, .all = true},
    {"dump", "\"dump\"", "few", 400, 2, .all = true, .dump = true},
    {"no bytecode", "cannot filter", "few", 400, 2, .no_bytecode = true},
    {"first read", "first", "few", 400, 1, .all = true},
    {"a large group, dump", "would cost more", "first", 400, 2, .dump = true,
     .server = 95},
    {"sums", "sums", "outside", 400, 2, .all = true},
    {"groups", "groups", "every", 400, 2, .dump = true},
    {"no sums", "", "would cost more", 400, 2, .all = true, .no_sums = true},
    {"groups, no sums", "groups", "every", 400, 2, .no_sums = true},
    {"a complement", "and 443-local is counted by its complement", "every", 400,
     2, .all = true, .server = 95},
};

START_TEST(description_gives_the_true_reason) {
  reader_add_port(&reader, 443);
  reader_begin(&reader, reasons[_i].all);
  reader.task.dump = reasons[_i].dump;
  reader.plan.no_bytecode = reasons[_i].no_bytecode;
  fill(reasons[_i].sockets, reasons[_i].server);
  const struct plan_sums none = {-1, -1, -1, -1};
  for (int i = 0; i < reasons[_i].reads; i++)
    ck_assert_int_ge(reasons[_i].no_sums ? reader_read(&reader, &none)
                                         : reader_read_at_rest(&reader),
                     0);
  ck_assert_msg(strstr(reader.description, reasons[_i].has) != NULL &&
                    strstr(reader.description, reasons[_i].has_not) == NULL,
                "%s: %s", reasons[_i].name, reader.description);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("plan");
  TCase *random = tcase_create("random");
  tcase_set_timeout(random, 120);
  tcase_add_test(random, counts_are_those_of_all_sockets_whatever_the_method);
  tcase_add_test(random, at_rest_it_neither_changes_its_method_nor_allocates);
  tcase_add_test(random, no_count_wraps_when_the_sums_disagree_with_the_dump);
  tcase_add_test(random, after_failed_allocations_the_next_read_counts_right);
  suite_add_tcase(suite, random);
  TCase *chosen = tcase_create("chosen");
  tcase_add_checked_fixture(chosen, set_up, tear_down);
  tcase_add_test(chosen, few_sockets_are_all_dumped_until_they_are_many);
  tcase_add_test(chosen,
                 without_groups_the_sums_are_taken_however_few_there_are);
  tcase_add_loop_test(chosen, an_empty_namespace_is_not_walked, 0, 4);
  tcase_add_test(chosen, of_the_sockets_of_a_large_group_few_are_handed_out);
  tcase_add_loop_test(chosen,
                      of_one_port_among_thousands_few_sockets_are_handed_out, 0,
                      CASES(hot_ports));
  tcase_add_test(chosen, of_a_port_that_is_left_out_the_number_becomes_known);
  tcase_add_loop_test(chosen, another_port_that_gets_most_sockets_is_found, 0,
                      CASES(hot_ports));
  tcase_add_loop_test(
      chosen, after_a_port_of_a_group_another_group_has_most_sockets, 0, 2);
  tcase_add_loop_test(chosen, a_port_that_gets_most_sockets_later_is_found, 0,
                      CASES(hot_ports));
  tcase_add_loop_test(chosen,
                      groups_that_share_the_port_of_most_sockets_are_counted, 0,
                      2 * CASES(beside));
  tcase_add_loop_test(chosen, a_group_with_two_ports_is_left_out_as_a_whole, 0,
                      CASES(two_ports));
  tcase_add_test(
      chosen, group_is_counted_by_complement_from_above_50_down_to_40_percent);
  tcase_add_loop_test(chosen, a_group_whose_destinations_are_wanted_is_dumped,
                      0, 2);
  tcase_add_test(chosen, method_changes_only_where_there_is_something_in_it);
  tcase_add_test(chosen,
                 listeners_that_come_and_go_change_nothing_of_a_large_group);
  tcase_add_test(chosen, one_group_at_a_time_is_counted_by_complement);
  tcase_add_test(chosen, a_walk_is_priced_by_the_sockets_of_the_machine);
  tcase_add_loop_test(
      chosen, without_all_only_the_sockets_of_the_groups_are_handed_out, 0, 2);
  tcase_add_test(chosen, without_any_group_no_socket_is_handed_out);
  tcase_add_loop_test(chosen, kernel_that_refuses_bytecode_is_asked_without_it,
                      0, 2);
  tcase_add_test(chosen, groups_too_large_for_a_program_are_counted_without);
  tcase_add_test(chosen,
                 program_whose_audit_costs_more_than_the_sockets_is_not_used);
  tcase_add_test(chosen,
                 program_that_is_too_long_is_not_made_again_in_each_read);
  tcase_add_loop_test(chosen, description_gives_the_true_reason, 0,
                      CASES(reasons));
  suite_add_tcase(suite, chosen);
  return check_main(suite);
}
