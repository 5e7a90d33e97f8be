/* holders.c: stuck sockets added up by who holds them. */
#include "holders.h"

#include "check_main.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

static struct holders holders;

static void start(void) { memset(&holders, 0, sizeof(holders)); }

static void add(uint8_t state, uint64_t cgroup_id, uint16_t local_port,
                uint16_t remote_port, uint32_t inode) {
  const struct diag_socket socket = {
      .state = state,
      .inode = inode,
      .local_port = local_port,
      .remote_port = remote_port,
      .cgroup_id = cgroup_id,
  };
  holders_add(&holders, &socket);
}

static const uint8_t states[] = {TCP_FIN_WAIT2, TCP_CLOSE_WAIT};

START_TEST(there_is_no_holder_of_no_socket) {
  const struct holder *top[3];
  for (int i = 0; i < CASES(states); i++)
    ck_assert_uint_eq(holders_top(&holders, states[i], top, 3), 0);
  add(TCP_FIN_WAIT2, 1, 443, 50000, 9);
  ck_assert_uint_eq(holders_top(&holders, TCP_CLOSE_WAIT, top, 3), 0);
}
END_TEST

static const struct {
  const char *name;
  struct {
    uint64_t cgroup_id;
    uint16_t local_port;
    uint16_t remote_port;
  } sockets[2];
  bool same;
} pairs[] = {
    {"the same in all", {{7, 443, 50000}, {7, 443, 50000}}, true},
    {"another client of a service", {{7, 443, 50000}, {7, 443, 60000}}, true},
    {"another connection to one", {{7, 50000, 443}, {7, 60000, 443}}, true},
    {"without control group", {{0, 443, 50000}, {0, 443, 50001}}, true},
    {"another control group", {{7, 443, 50000}, {8, 443, 50000}}, false},
    {"one with, one without", {{7, 443, 50000}, {0, 443, 50000}}, false},
    {"groups that differ in the upper half",
     {{7, 443, 50000}, {7 | UINT64_C(1) << 32, 443, 50000}},
     false},
    {"another service", {{7, 443, 50000}, {7, 444, 50000}}, false},
    {"server and client of a service",
     {{7, 443, 50000}, {7, 50000, 443}},
     false},
};

START_TEST(sockets_of_one_group_and_service_are_one_holder) {
  const char *name = pairs[_i].name;
  for (int i = 0; i < CASES(states); i++) {
    start();
    for (int j = 0; j < 2; j++)
      add(states[i], pairs[_i].sockets[j].cgroup_id,
          pairs[_i].sockets[j].local_port, pairs[_i].sockets[j].remote_port, 9);
    const struct holder *top[3];
    size_t num = holders_top(&holders, states[i], top, 3);
    ck_assert_msg(num == (pairs[_i].same ? 1 : 2), "%s: %zu", name, num);
    for (size_t j = 0; j < num; j++) {
      ck_assert_msg(top[j]->num == (pairs[_i].same ? 2 : 1), "%s: %u sockets",
                    name, top[j]->num);
      ck_assert_msg(top[j]->state == states[i], "%s: state", name);
    }
  }
}
END_TEST

START_TEST(each_state_has_holders_of_its_own) {
  add(TCP_FIN_WAIT2, 7, 443, 50000, 1);
  add(TCP_CLOSE_WAIT, 7, 443, 50000, 2);
  add(TCP_CLOSE_WAIT, 7, 443, 50000, 3);
  for (int i = 0; i < CASES(states); i++) {
    const struct holder *top[3];
    ck_assert_uint_eq(holders_top(&holders, states[i], top, 3), 1);
    ck_assert_uint_eq(top[0]->num, i + 1);
    ck_assert_uint_eq(top[0]->state, states[i]);
  }
}
END_TEST

static const struct {
  uint16_t local_port;
  uint16_t remote_port;
  bool local;
  uint16_t port;
} services[] = {
    {443, 50000, true, 443},     {50000, 443, false, 443},
    {1, 65535, true, 1},         {65535, 1, false, 1},
    {8080, 8081, true, 8080},    {8081, 8080, false, 8080},
    {65534, 65535, true, 65534},
};

START_TEST(the_service_has_the_smaller_port) {
  add(TCP_CLOSE_WAIT, 7, services[_i].local_port, services[_i].remote_port, 1);
  const struct holder *top[1];
  ck_assert_uint_eq(holders_top(&holders, TCP_CLOSE_WAIT, top, 1), 1);
  ck_assert_uint_eq(top[0]->port, services[_i].port);
  ck_assert_int_eq(top[0]->local, services[_i].local);
  ck_assert_uint_eq(top[0]->cgroup_id, 7);
}
END_TEST

static const struct {
  uint32_t sockets[6]; /* of each holder, in the order of their first one */
  size_t num;          /* that are asked for */
  uint32_t expected[6];
} orders[] = {
    {{1}, 3, {1}},
    {{1, 2, 3}, 3, {3, 2, 1}},
    {{3, 2, 1}, 3, {3, 2, 1}},
    {{2, 3, 1}, 3, {3, 2, 1}},
    {{1, 2, 3, 4, 5, 6}, 3, {6, 5, 4}},
    {{6, 5, 4, 3, 2, 1}, 3, {6, 5, 4}},
    {{5, 1, 6, 2, 4, 3}, 3, {6, 5, 4}},
    {{5, 1, 6, 2, 4, 3}, 1, {6}},
    {{5, 1, 6, 2, 4, 3}, 6, {6, 5, 4, 3, 2, 1}},
    {{5, 1, 6, 2, 4, 3}, 0, {0}},
    {{2, 2, 2, 2}, 3, {2, 2, 2}},
    {{1, 3, 1, 3, 2}, 3, {3, 3, 2}},
    {{1, 1, 1, 1, 1, 9}, 2, {9, 1}},
};

START_TEST(top_are_the_largest_in_order) {
  for (uint16_t i = 0; i < CASES(orders[_i].sockets); i++)
    for (uint32_t j = 0; j < orders[_i].sockets[i]; j++) {
      add(TCP_FIN_WAIT2, 1, (uint16_t)(100 + i), 50000, 1);
      for (int k = 0; k < 10; k++)
        add(TCP_CLOSE_WAIT, 1, (uint16_t)(100 + i), 50000, 1);
    }
  const struct holder *top[7] = {NULL};
  size_t num = holders_top(&holders, TCP_FIN_WAIT2, top, orders[_i].num);
  ck_assert_uint_le(num, orders[_i].num);
  for (size_t i = 0; i < num; i++) {
    ck_assert_uint_eq(top[i]->num, orders[_i].expected[i]);
    for (size_t j = 0; j < i; j++)
      ck_assert_ptr_ne(top[i], top[j]);
  }
  ck_assert(num == orders[_i].num || orders[_i].expected[num] == 0);
  ck_assert_ptr_null(top[num]);
}
END_TEST

/* How many holders of the state there are, and that they are the services from
 * 1 on, of which number n has n % 3 + 1 sockets. */
static size_t check_services(uint8_t state) {
  static const struct holder *top[2 * HOLDERS_NUM];
  size_t num = holders_top(&holders, state, top, CASES(top));
  for (size_t i = 0; i < num; i++) {
    ck_assert_uint_eq(top[i]->num, top[i]->port % 3 + 1);
    ck_assert(i == 0 || top[i - 1]->num >= top[i]->num);
  }
  return num;
}

static const uint16_t service_numbers[] = {HOLDERS_NUM - 1, HOLDERS_NUM,
                                           HOLDERS_NUM + 1, 1000, 20000};

START_TEST(of_too_many_the_first_ones_are_kept_and_counted_right) {
  for (uint16_t round = 0; round < 3; round++)
    for (uint16_t port = 1; port <= service_numbers[_i]; port++)
      if (port % 3 >= round)
        add(TCP_CLOSE_WAIT, port % 5, port, 65535, port);
  size_t kept =
      service_numbers[_i] < HOLDERS_NUM ? service_numbers[_i] : HOLDERS_NUM;
  ck_assert_uint_eq(check_services(TCP_CLOSE_WAIT), kept);
  const struct holder *top[HOLDERS_NUM];
  holders_top(&holders, TCP_CLOSE_WAIT, top, HOLDERS_NUM);
  for (size_t i = 0; i < kept; i++) {
    ck_assert_uint_le(top[i]->port, kept);
    ck_assert_uint_eq(top[i]->inode, top[i]->port);
  }
  /* The other state finds no room any more, and no harm is done. */
  add(TCP_FIN_WAIT2, 1, 1, 65535, 1);
  ck_assert_uint_eq(check_services(TCP_CLOSE_WAIT), kept);
}
END_TEST

/* Zeros are sockets that nobody has accepted. */
static const struct {
  const char *name;
  uint32_t inodes[5];   /* socket by socket */
  uint32_t expected[5]; /* the holder's, after each */
} owners[] = {
    {"all with an owner", {11, 12, 13, 14, 15}, {11, 11, 11, 11, 11}},
    {"none with an owner", {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}},
    {"the first one without", {0, 12, 13, 14, 15}, {0, 12, 12, 12, 12}},
    {"only the first one with", {11, 0, 0, 0, 0}, {11, 11, 11, 11, 11}},
    {"only the last one with", {0, 0, 0, 0, 15}, {0, 0, 0, 0, 15}},
    {"the smaller one later",
     {0, UINT32_MAX, 0, 1, 2},
     {0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}},
    {"the smallest one first", {1, UINT32_MAX, 0, 1, 2}, {1, 1, 1, 1, 1}},
};

START_TEST(inode_is_that_of_the_first_socket_with_an_owner) {
  for (int i = 0; i < CASES(states); i++) {
    start();
    for (int j = 0; j < CASES(owners[_i].inodes); j++) {
      add(states[i], 7, 443, 50000, owners[_i].inodes[j]);
      const struct holder *top[2];
      ck_assert_uint_eq(holders_top(&holders, states[i], top, 2), 1);
      ck_assert_msg(top[0]->inode == owners[_i].expected[j],
                    "%s: %u after socket %d", owners[_i].name, top[0]->inode,
                    j);
      ck_assert_int_eq(top[0]->num, j + 1);
    }
  }
}
END_TEST

START_TEST(each_holder_has_an_inode_of_its_own) {
  static const struct {
    uint8_t state;
    uint64_t cgroup_id;
    uint16_t local_port;
    uint16_t remote_port;
  } others[] = {
      {TCP_FIN_WAIT2, 7, 443, 50000},  {TCP_CLOSE_WAIT, 7, 443, 50000},
      {TCP_CLOSE_WAIT, 8, 443, 50000}, {TCP_CLOSE_WAIT, 7, 444, 50000},
      {TCP_CLOSE_WAIT, 7, 50000, 443}, {TCP_CLOSE_WAIT, 0, 443, 50000},
  };
  /* Holder n gets n sockets without an owner more than the one with. */
  for (uint32_t n = 0; n < CASES(others); n++)
    for (uint32_t i = 0; i <= n; i++)
      add(others[n].state, others[n].cgroup_id, others[n].local_port,
          others[n].remote_port, i < n ? 0 : 100 + n);
  const struct holder *top[CASES(others)];
  ck_assert_uint_eq(holders_top(&holders, TCP_FIN_WAIT2, top, CASES(top)), 1);
  ck_assert_uint_eq(top[0]->inode, 100);
  ck_assert_uint_eq(holders_top(&holders, TCP_CLOSE_WAIT, top, CASES(top)), 5);
  for (uint32_t i = 0; i < 5; i++)
    ck_assert_uint_eq(top[i]->inode, 105 - i);
}
END_TEST

START_TEST(no_inode_is_kept_when_there_is_no_room_for_the_holder) {
  for (uint16_t port = 1; port <= HOLDERS_NUM; port++)
    add(TCP_FIN_WAIT2, 1, port, 65535, 0);
  add(TCP_CLOSE_WAIT, 1, 443, 50000, 4711);
  add(TCP_FIN_WAIT2, 2, 1, 65535, 4712);
  const struct holder *top[HOLDERS_NUM];
  ck_assert_uint_eq(holders_top(&holders, TCP_CLOSE_WAIT, top, CASES(top)), 0);
  ck_assert_uint_eq(holders_top(&holders, TCP_FIN_WAIT2, top, CASES(top)),
                    HOLDERS_NUM);
  for (size_t i = 0; i < HOLDERS_NUM; i++) {
    ck_assert_uint_eq(top[i]->inode, 0);
    ck_assert_uint_eq(top[i]->num, 1);
  }
  /* A holder that is there is given one all the same. */
  add(TCP_FIN_WAIT2, 1, 9, 65535, 4713);
  ck_assert_uint_eq(holders_top(&holders, TCP_FIN_WAIT2, top, 1), 1);
  ck_assert_uint_eq(top[0]->port, 9);
  ck_assert_uint_eq(top[0]->inode, 4713);
}
END_TEST

/* The plainest way to count: compare with each one seen before. */
static struct holder seen[HOLDERS_NUM];
static size_t seen_num;

static struct holder *find_seen(const struct holder *want) {
  for (size_t i = 0; i < seen_num; i++)
    if (seen[i].state == want->state && seen[i].local == want->local &&
        seen[i].port == want->port && seen[i].cgroup_id == want->cgroup_id)
      return &seen[i];
  return NULL;
}

static void count_seen(uint8_t state, uint64_t cgroup_id, uint16_t local_port,
                       uint16_t remote_port, uint32_t inode) {
  struct holder want = {.cgroup_id = cgroup_id, .state = state};
  want.local = local_port < remote_port;
  want.port = want.local ? local_port : remote_port;
  struct holder *found = find_seen(&want);
  if (found == NULL) {
    found = &seen[seen_num++];
    *found = want;
  }
  found->num++;
  if (found->inode == 0)
    found->inode = inode;
}

static uint64_t random_state;

static uint64_t pick(uint64_t num) {
  random_state = random_state * UINT64_C(6364136223846793005) + 1;
  return (random_state >> 33) % num;
}

START_TEST(holders_are_those_that_a_plain_count_finds) {
  random_state = (uint64_t)_i;
  seen_num = 0;
  /* At most 2 states, 4 groups, 15 services of 2 sides: fewer than 256. */
  static const uint64_t cgroups[] = {0, 1, 4711, UINT64_MAX};
  for (int i = 0; i < 3000; i++) {
    uint8_t state = states[pick(2)];
    uint64_t cgroup_id = cgroups[pick(4)];
    uint16_t low = (uint16_t)(1 + pick(1 + pick(15)));
    uint16_t high = (uint16_t)(30000 + pick(30000));
    uint16_t local = pick(2) ? low : high;
    uint16_t remote = local == low ? high : low;
    uint32_t inode = pick(4) == 0 ? (uint32_t)i : 0;
    add(state, cgroup_id, local, remote, inode);
    count_seen(state, cgroup_id, local, remote, inode);
  }
  size_t num = 0;
  for (int i = 0; i < CASES(states); i++) {
    const struct holder *top[HOLDERS_NUM];
    size_t found = holders_top(&holders, states[i], top, HOLDERS_NUM);
    for (size_t j = 0; j < found; j++) {
      const struct holder *expected = find_seen(top[j]);
      ck_assert_ptr_nonnull(expected);
      ck_assert_uint_eq(top[j]->num, expected->num);
      ck_assert_uint_eq(top[j]->inode, expected->inode);
      ck_assert(j == 0 || top[j - 1]->num >= top[j]->num);
    }
    num += found;
  }
  ck_assert_uint_eq(num, seen_num);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("holders");
  TCase *tc = tcase_create("holders");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_set_timeout(tc, 30);
  tcase_add_test(tc, there_is_no_holder_of_no_socket);
  tcase_add_loop_test(tc, sockets_of_one_group_and_service_are_one_holder, 0,
                      CASES(pairs));
  tcase_add_test(tc, each_state_has_holders_of_its_own);
  tcase_add_loop_test(tc, the_service_has_the_smaller_port, 0, CASES(services));
  tcase_add_loop_test(tc, top_are_the_largest_in_order, 0, CASES(orders));
  tcase_add_loop_test(tc, of_too_many_the_first_ones_are_kept_and_counted_right,
                      0, CASES(service_numbers));
  tcase_add_loop_test(tc, inode_is_that_of_the_first_socket_with_an_owner, 0,
                      CASES(owners));
  tcase_add_test(tc, each_holder_has_an_inode_of_its_own);
  tcase_add_test(tc, no_inode_is_kept_when_there_is_no_room_for_the_holder);
  tcase_add_loop_test(tc, holders_are_those_that_a_plain_count_finds, 0, 50);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
