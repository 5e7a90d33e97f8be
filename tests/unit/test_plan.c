/* plan.c: whatever it asks for, the counts are those of all sockets. */
#include "plan.h"

#include "check_main.h"
#include "plan_reader.h"
#include "socket_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FEW 20
#define SCENARIOS 600
#define READS 6

#define REPORT_ALL                                                             \
  (REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 | REPORT_ORPHANS)

static struct random_source source;
static struct reader reader;

static void set_up(void) {
  source = random_seed(0);
  reader = (struct reader){.settings.report = REPORT_ALL, .plan.few = FEW};
}

static void tear_down(void) { reader_free(&reader); }

#define PICK(array) array[random_below(&source, CASES(array))]

static void add_random_group(unsigned number) {
  /* This port can be that of most sockets. */
  if (number == 0 && random_below(&source, 4) != 0) {
    reader_add_port(&reader, 443);
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
  static const unsigned commons[] = {20, 80, 95, 97};
  static const unsigned servers[] = {0, 40, 80, 97};
  static const unsigned reports[] = {REPORT_ALL, REPORT_ALL, REPORT_BY_STATE,
                                     REPORT_ALL & ~REPORT_BY_STATE};
  static const unsigned groups[] = {0, 0, 1, 2, 3, 4};
  set_up();
  reader.seed = seed;
  source = random_seed(seed);
  reader.kernel.common = PICK(commons);
  reader.kernel.server = PICK(servers);
  for (unsigned i = PICK(groups); i > 0; i--)
    add_random_group(i - 1);
  for (unsigned i = random_below(&source, 3); i > 0; i--)
    change_listening();
  reader_begin(&reader, random_below(&source, 2) == 0);
  reader.settings.report = PICK(reports);
  reader.task.states = settings_states(&reader.settings);
  reader.task.exact = random_below(&source, 6) == 0;
  reader.plan.no_bytecode = random_below(&source, 10) == 0;
}

static void change_at_random(void) {
  static const unsigned percents[] = {0, 5, 30, 100};
  static const unsigned sizes[] = {5, 60, FAKE_SOCKETS_MAX, FAKE_SOCKETS_MAX};
  size_t num = reader.kernel.num;
  if (num == 0 || random_below(&source, 3) == 0)
    num = random_below(&source, PICK(sizes));
  fake_kernel_change(&reader.kernel, &source, num, PICK(percents));
  if (random_below(&source, 3) == 0)
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

static bool subtracts(void) {
  bool any = false;
  for (size_t i = 0; i < group_index_num(&reader.index); i++)
    any = any || reader.plan.subtracted[i];
  return any && reader.plan.way == PLAN_SUMS;
}

START_TEST(counts_are_those_of_all_sockets_whatever_the_way) {
  unsigned reads[PLAN_SUMS + 1] = {0}, subtracting = 0;
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    for (int i = 0; i < READS; i++) {
      change_at_random();
      const struct plan_sums sums = sums_or_part_of_them();
      ck_assert_int_ge(reader_read(&reader, &sums), 0);
      reader_check_counts(&reader);
      reads[reader.plan.way]++;
      subtracting += subtracts();
    }
    tear_down();
  }
  reads[PLAN_SUMS] -= subtracting;
  const unsigned enough = SCENARIOS * READS / 20;
  ck_assert_msg(reads[PLAN_ALL] > enough && reads[PLAN_GROUPS] > enough &&
                    reads[PLAN_SUMS] > enough && subtracting > enough,
                "%u all, %u groups, %u sums, %u subtracting", reads[PLAN_ALL],
                reads[PLAN_GROUPS], reads[PLAN_SUMS], subtracting);
}
END_TEST

START_TEST(at_rest_it_neither_changes_its_way_nor_allocates) {
  for (unsigned seed = 0; seed < SCENARIOS; seed++) {
    begin_at_random(seed);
    change_at_random();
    /* The first read learns, the second goes its way, and by what that one
     * finds the third may go another. */
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

/* The counts of a state, when the kernel's sum is off by so many. Returns
 * whether it made one of them negative. */
static bool check_clamped(int state, int64_t off) {
  int64_t table = (int64_t)fake_kernel_count(&reader.kernel, NULL).state[state];
  int64_t total = reader.plan.way == PLAN_SUMS ? table + off : table;
  bool negative = total < 0;
  if (reader.task.all)
    ck_assert_uint_eq(reader.tally.all.state[state], clamped(total));
  for (size_t i = 0; i < reader.settings.groups_num; i++) {
    const struct filter *filter = &reader.settings.groups[i].filter;
    int64_t count =
        (int64_t)fake_kernel_count(&reader.kernel, filter).state[state];
    if (reader.plan.way == PLAN_SUMS && reader.plan.subtracted[i])
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

/* So many sockets in the common states. */
static void fill(size_t num, unsigned server) {
  reader.kernel.num = 0;
  reader.kernel.common = 95;
  reader.kernel.server = server;
  fake_kernel_change(&reader.kernel, &source, num, 100);
}

START_TEST(few_sockets_are_all_dumped_until_they_are_many) {
  static const struct {
    size_t sockets;
    enum plan_way way;
  } reads[] = {
      {0, PLAN_ALL},        {FEW - 1, PLAN_ALL},     {FEW, PLAN_SUMS},
      {FEW - 1, PLAN_SUMS}, {FEW + 1, PLAN_SUMS},    {FEW / 2, PLAN_SUMS},
      {FEW, PLAN_SUMS},     {FEW / 2 - 1, PLAN_ALL}, {FEW / 2, PLAN_ALL},
      {FEW - 1, PLAN_ALL},  {FEW / 2 - 1, PLAN_ALL}, {400, PLAN_SUMS},
      {0, PLAN_ALL},        {FEW - 1, PLAN_ALL},     {FEW, PLAN_SUMS},
  };
  /* With a group the first read of many sockets would have to learn. */
  reader_begin(&reader, true);
  reader.kernel.common = 100;
  for (int i = 0; i < CASES(reads); i++) {
    fake_kernel_change(&reader.kernel, &source, reads[i].sockets, 100);
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_msg(reader.plan.way == reads[i].way, "read %d, %zu: way %d", i,
                  reads[i].sockets, reader.plan.way);
  }
}
END_TEST

START_TEST(of_the_sockets_of_a_large_group_few_are_handed_out) {
  reader_add_port(&reader, 443);
  port_bitmap_add(&reader.listening, 22);
  reader_begin(&reader, true);
  fill(FAKE_SOCKETS_MAX, 97);
  for (int i = 0; i < 4; i++) {
    ck_assert_int_eq(reader_read_at_rest(&reader), i < 2);
    ck_assert_int_eq(reader.plan.way, i == 0 ? PLAN_ALL : PLAN_SUMS);
    bool few = reader.dumped < FAKE_SOCKETS_MAX / 8;
    ck_assert(few == (i > 0));
    reader_check_counts(&reader);
  }
}
END_TEST

/* A read of 100 sockets in the common states, so many of them on each port. */
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
  reader_read_at_rest(&reader);
  reader_check_counts(&reader);
}

START_TEST(group_is_subtracted_from_more_than_50_down_to_40_percent) {
  static const struct {
    unsigned percent;
    bool subtracted; /* in the read after it */
  } reads[] = {{30, false}, {49, false}, {50, false}, {51, true},  {49, true},
               {52, true},  {41, true},  {51, true},  {40, false}, {49, false},
               {41, false}, {60, true},  {39, false}, {97, true}};
  reader_add_port(&reader, 443);
  reader_begin(&reader, true);
  read_with_percent(0, 0);
  for (int i = 0; i < CASES(reads); i++) {
    read_with_percent(reads[i].percent, 0);
    read_with_percent(reads[i].percent, 0);
    ck_assert_int_eq(reader.plan.way, PLAN_SUMS);
    ck_assert_msg(reader.plan.subtracted[0] == reads[i].subtracted,
                  "read %d of %u percent", i, reads[i].percent);
  }
}
END_TEST

START_TEST(way_changes_only_where_there_is_something_in_it) {
  static const struct {
    unsigned percent; /* in either of two groups */
    enum plan_way way;
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
    ck_assert_msg(reader.plan.way == reads[i].way, "read %d, %u percent: %d", i,
                  reads[i].percent, reader.plan.way);
  }
}
END_TEST

/* The group's number becomes another one, but it is the same group. */
START_TEST(group_stays_known_when_other_ports_are_listened_on) {
  static const uint16_t ports[] = {22, 8080, 5432, 65534, 80};
  port_bitmap_add(&reader.listening, 443);
  reader_begin(&reader, true);
  fill(FAKE_SOCKETS_MAX, 97);
  reader_read_at_rest(&reader);
  for (int i = 0; i < CASES(ports); i++) {
    port_bitmap_add(&reader.listening, ports[i]);
    reader_read_at_rest(&reader);
    reader_check_counts(&reader);
    ck_assert_int_eq(reader.plan.way, PLAN_SUMS);
    ck_assert_uint_lt(reader.dumped, FAKE_SOCKETS_MAX / 8);
  }
}
END_TEST

START_TEST(without_all_only_the_sockets_of_the_groups_are_handed_out) {
  reader_add_port(&reader, 22);
  reader_add_port(&reader, 5432);
  reader_begin(&reader, false);
  reader.task.exact = _i == 1;
  fill(FAKE_SOCKETS_MAX, 60);
  reader_read_at_rest(&reader);
  ck_assert_uint_eq(reader.dumped, FAKE_SOCKETS_MAX);
  reader_read_at_rest(&reader);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.way, PLAN_GROUPS);
  size_t expected = 0;
  for (size_t i = 0; i < reader.kernel.num; i++) {
    uint16_t port = reader.kernel.sockets[i].local_port;
    expected += port == 22 || port == 5432;
  }
  ck_assert_uint_eq(reader.dumped, expected);
}
END_TEST

/* ListeningPorts where nobody listens. */
START_TEST(without_any_group_no_socket_is_handed_out) {
  reader_begin(&reader, false);
  fill(FAKE_SOCKETS_MAX, 0);
  reader_read_at_rest(&reader);
  reader_read_at_rest(&reader);
  ck_assert_uint_eq(reader.dumped, 0);
}
END_TEST

START_TEST(kernel_that_refuses_bytecode_is_asked_without_it) {
  reader_add_port(&reader, 443);
  reader_begin(&reader, _i == 1);
  fill(FAKE_SOCKETS_MAX, _i == 1 ? 95 : 10);
  reader_read_at_rest(&reader);
  ck_assert_int_eq(reader_read_at_rest(&reader), 1);
  const struct plan *plan = &reader.plan;
  ck_assert_int_eq(plan->way, _i == 1 ? PLAN_SUMS : PLAN_GROUPS);
  ck_assert_ptr_nonnull(plan->requests[plan->requests_num - 1].bytecode);
  reader.plan.no_bytecode = true;
  ck_assert_int_eq(reader_read_at_rest(&reader), 1);
  ck_assert_int_eq(plan->way, PLAN_ALL);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader_read_at_rest(&reader), 0);
}
END_TEST

/* Reads of a group with every second port, while no socket has one of them. */
static void read_with_odd_ports(unsigned end) {
  struct filter *filter = reader_add_group(&reader, "odd");
  for (unsigned port = 1; port < end; port += 2)
    port_set_add(&filter->local_ports,
                 (struct port_range){(uint16_t)port, (uint16_t)port});
  reader_begin(&reader, true);
  fill(FAKE_SOCKETS_MAX, 0);
  for (int i = 0; i < 3; i++)
    reader_read_at_rest(&reader);
}

/* More than a program can hold. */
#define TOO_MANY 10000

START_TEST(groups_too_large_for_a_program_are_counted_without) {
  read_with_odd_ports(TOO_MANY);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.way, PLAN_ALL);
  ck_assert_msg(strstr(reader.description, "most of them are needed") == NULL,
                "%s", reader.description);
}
END_TEST

START_TEST(program_whose_audit_costs_more_than_the_sockets_is_not_used) {
  read_with_odd_ports(6000);
  reader_check_counts(&reader);
  ck_assert_int_eq(reader.plan.way, PLAN_ALL);
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
  bool all, exact, no_bytecode, no_sums;
  unsigned server; /* percent of the sockets in the group */
} reasons[] = {
    {"few sockets", "few", "first", FEW - 1, 1, .all = true},
    {"dump", "\"dump\"", "few", 400, 2, .all = true, .exact = true},
    {"no bytecode", "cannot filter", "few", 400, 2, .no_bytecode = true},
    {"first read", "first", "few", 400, 1, .all = true},
    {"a large group, dump", "most of them are needed", "first", 400, 2,
     .exact = true, .server = 95},
    {"sums", "sums", "dumped", 400, 2, .all = true},
    {"groups", "groups", "every", 400, 2, .exact = true},
    {"no sums", "", "most of them are needed", 400, 2, .all = true,
     .no_sums = true},
    {"groups, no sums", "groups", "4294967295", 400, 2, .no_sums = true},
};

START_TEST(description_gives_the_true_reason) {
  reader_add_port(&reader, 443);
  reader_begin(&reader, reasons[_i].all);
  reader.task.exact = reasons[_i].exact;
  reader.plan.no_bytecode = reasons[_i].no_bytecode;
  fill(reasons[_i].sockets, reasons[_i].server);
  const struct plan_sums none = {-1, -1, -1};
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
  tcase_add_test(random, counts_are_those_of_all_sockets_whatever_the_way);
  tcase_add_test(random, at_rest_it_neither_changes_its_way_nor_allocates);
  tcase_add_test(random, no_count_wraps_when_the_sums_disagree_with_the_dump);
  tcase_add_test(random, after_failed_allocations_the_next_read_counts_right);
  suite_add_tcase(suite, random);
  TCase *chosen = tcase_create("chosen");
  tcase_add_checked_fixture(chosen, set_up, tear_down);
  tcase_add_test(chosen, few_sockets_are_all_dumped_until_they_are_many);
  tcase_add_test(chosen, of_the_sockets_of_a_large_group_few_are_handed_out);
  tcase_add_test(chosen,
                 group_is_subtracted_from_more_than_50_down_to_40_percent);
  tcase_add_test(chosen, way_changes_only_where_there_is_something_in_it);
  tcase_add_test(chosen, group_stays_known_when_other_ports_are_listened_on);
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
