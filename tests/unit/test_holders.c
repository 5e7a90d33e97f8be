/* SPDX-License-Identifier: MIT */
/* holders.c: the largest holders of stuck sockets, in a fixed size. */
#include "holders.h"

#include "check_main.h"

#include <string.h>

static struct holders holders;

static void start(void) { memset(&holders, 0, sizeof(holders)); }

static struct holder by_service(uint64_t service, uint8_t state) {
  return (struct holder){
      .service = service, .cgroup_id = service + 1000, .state = state};
}

static struct holder by_port(uint16_t port, bool local, uint8_t state) {
  return (struct holder){.port = port, .local = local, .state = state};
}

static const struct holder *find(const struct holder *whose) {
  for (size_t i = 0; i < holders.num; i++)
    if (holder_is_same(&holders.holder[i], whose))
      return &holders.holder[i];
  return NULL;
}

START_TEST(each_service_port_and_state_is_a_holder) {
  const struct holder all[] = {
      by_service(7, TCP_CLOSE_WAIT),
      by_service(8, TCP_CLOSE_WAIT),
      by_service(7 | UINT64_C(1) << 32, TCP_CLOSE_WAIT),
      by_service(7, TCP_FIN_WAIT1),
      by_service(7, TCP_FIN_WAIT2),
      by_port(7, true, TCP_CLOSE_WAIT),
      by_port(7, false, TCP_CLOSE_WAIT),
      by_port(8, true, TCP_CLOSE_WAIT),
      by_port(7, true, TCP_FIN_WAIT2),
  };
  for (uint32_t round = 1; round < 4; round++) {
    for (int i = 0; i < CASES(all); i++)
      for (int j = 0; j <= i; j++)
        holders_add(&holders, &all[i], 1, false);
    ck_assert_uint_eq(holders.num, CASES(all));
    ck_assert_uint_eq(holders.missed, 0);
    for (int i = 0; i < CASES(all); i++)
      ck_assert_uint_eq(find(&all[i])->num, round * (uint32_t)(i + 1));
  }
}
END_TEST

START_TEST(a_holder_has_one_of_its_control_groups) {
  struct holder whose = by_service(7, TCP_CLOSE_WAIT);
  for (uint64_t id = 50; id < 60; id++) {
    whose.cgroup_id = id;
    holders_add(&holders, &whose, 1, false);
  }
  ck_assert_uint_eq(holders.num, 1);
  ck_assert_uint_eq(holders.holder[0].num, 10);
  ck_assert(holders.holder[0].cgroup_id >= 50 &&
            holders.holder[0].cgroup_id < 60);
}
END_TEST

START_TEST(a_holder_has_its_oldest_and_its_unaccepted) {
  const struct holder a = by_service(7, TCP_CLOSE_WAIT),
                      b = by_service(8, TCP_CLOSE_WAIT),
                      c = by_service(8, TCP_FIN_WAIT2);
  holders_add(&holders, &a, 70, true);
  holders_add(&holders, &a, UINT64_C(1) << 40, false);
  holders_add(&holders, &a, 60, true);
  holders_add(&holders, &b, 61, false);
  holders_add(&holders, &c, 99, false);
  ck_assert(find(&a)->oldest == UINT64_C(1) << 40);
  ck_assert_uint_eq(find(&a)->unaccepted, 2);
  ck_assert_uint_eq(find(&b)->oldest, 61);
  ck_assert_uint_eq(find(&b)->unaccepted, 0);
  const struct holder *total = &holders.total[TCP_CLOSE_WAIT];
  ck_assert_uint_eq(total->num, 4);
  ck_assert_uint_eq(total->unaccepted, 2);
  ck_assert(total->oldest == UINT64_C(1) << 40);
  ck_assert_uint_eq(holders.total[TCP_FIN_WAIT2].num, 1);
  holders_reset(&holders);
  ck_assert_uint_eq(holders.num, 0);
  ck_assert_uint_eq(holders.total[TCP_CLOSE_WAIT].num, 0);
  ck_assert_ptr_null(find(&a));
}
END_TEST

/* 100,000 small holders and a few large ones, in orders that are made to push
 * the large ones out. */
#define SMALL 100000u
#define LARGE 50u

static const char *const orders[] = {
    "the large ones first",
    "the large ones last",
    "in turn",
    "the small ones two times",
    "at random",
    "each socket of one apart",
};

static void add_small(uint32_t i) {
  const struct holder whose = by_service(1000000 + i, TCP_CLOSE_WAIT);
  holders_add(&holders, &whose, 1, false);
}

static void add_large(uint32_t i) {
  const struct holder whose = by_service(1 + i, TCP_CLOSE_WAIT);
  holders_add(&holders, &whose, 1, i % 2 == 0);
}

/* The large holder i has large(i) sockets: from 0.1 to 5 % of all. */
static uint32_t large(uint32_t i) { return 200 * (i + 1); }

static void add_all(int order) {
  unsigned seed = 1;
  uint32_t left[LARGE];
  for (uint32_t i = 0; i < LARGE; i++)
    left[i] = large(i);
  for (uint32_t i = 0; i < LARGE && order == 0; i++)
    for (; left[i] > 0; left[i]--)
      add_large(i);
  for (uint32_t s = 0; s < SMALL; s++) {
    add_small(s);
    if (order == 3)
      add_small(s);
    for (uint32_t i = 0; i < LARGE && order >= 2; i++) {
      bool now = order == 4   ? (unsigned)rand_r(&seed) % SMALL < large(i)
                 : order == 5 ? s % (SMALL / large(i)) == 0
                              : s >= SMALL - large(i);
      if (now && left[i] > 0) {
        add_large(i);
        left[i]--;
      }
    }
  }
  for (uint32_t i = 0; i < LARGE; i++)
    for (; left[i] > 0; left[i]--)
      add_large(i);
}

START_TEST(large_holders_are_known_whatever_comes_between) {
  add_all(_i);
  uint32_t sum = holders.total[TCP_CLOSE_WAIT].num;
  ck_assert_uint_ge(sum, SMALL);
  ck_assert_uint_le(holders.missed, sum / HOLDERS_NUM);
  ck_assert_uint_le(holders.num, HOLDERS_NUM);
  for (uint32_t i = 0; i < LARGE; i++) {
    const struct holder whose = by_service(1 + i, TCP_CLOSE_WAIT);
    const struct holder *holder = find(&whose);
    uint32_t truth = large(i), num = holder == NULL ? 0 : holder->num;
    ck_assert_msg(num <= truth && truth <= num + holders.missed,
                  "%s: %u of %u, and at most %u missed", orders[_i], num, truth,
                  holders.missed);
    ck_assert_msg(holder != NULL || truth * 100 < sum, "%s: %u of %u",
                  orders[_i], truth, sum);
    ck_assert(holder == NULL || holder->unaccepted <= holder->num);
  }
}
END_TEST

START_TEST(up_to_its_size_all_counts_are_exact) {
  for (uint32_t round = 0; round < 3; round++)
    for (uint32_t i = 0; i < HOLDERS_NUM; i++)
      add_small(i);
  ck_assert_uint_eq(holders.num, HOLDERS_NUM);
  ck_assert_uint_eq(holders.missed, 0);
  for (size_t i = 0; i < holders.num; i++)
    ck_assert_uint_eq(holders.holder[i].num, 3);
  add_small(HOLDERS_NUM);
  ck_assert_uint_eq(holders.missed, 1);
  ck_assert_uint_eq(holders.num, HOLDERS_NUM);
  ck_assert_uint_eq(holders.holder[0].num, 2);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("holders");
  TCase *tc = tcase_create("holders");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_test(tc, each_service_port_and_state_is_a_holder);
  tcase_add_test(tc, a_holder_has_one_of_its_control_groups);
  tcase_add_test(tc, a_holder_has_its_oldest_and_its_unaccepted);
  tcase_add_loop_test(tc, large_holders_are_known_whatever_comes_between, 0,
                      CASES(orders));
  tcase_add_test(tc, up_to_its_size_all_counts_are_exact);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
