/* SPDX-License-Identifier: MIT */
/* ephemeral.c: how many local ports the fullest destination of a group uses. */
#include "ephemeral.h"

#include "check_main.h"

#include <netinet/tcp.h>
#include <string.h>

static struct ephemeral ephemeral;
static const struct port_bitmap none;
static struct tally_counts counts[4];

/* 0: any remote port; 1: with a control group; 2: none; 3: any, too. */
static struct port_range any_port = {1, 65535};
static char root[] = "/", *path = root;
static const struct group groups[4] = {
    {.filter.remote_ports = {&any_port, 1}},
    {.filter = {.remote_ports = {&any_port, 1}, .cgroups = {&path, 1}}},
    {.filter.local_ports = {&any_port, 1}},
    {.filter.remote_ports = {&any_port, 1}},
};

static void start(void) {
  memset(&ephemeral, 0, sizeof(ephemeral));
  memset(counts, 0, sizeof(counts));
  ephemeral_set_ports(&ephemeral, (struct port_range){40000, 40199}, &none);
  ephemeral_reset(&ephemeral);
}

static void finish(void) {
  ephemeral_finish(&ephemeral, groups, counts, CASES(groups));
}

/* 127.0.0.host */
static struct address ipv4(uint8_t host) {
  return (struct address){{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = host}};
}

static struct address ipv6(uint8_t host) {
  return (struct address){{[0] = 0xfd, [15] = host}};
}

static void add(uint32_t group, struct address local, uint16_t local_port,
                struct address remote, uint16_t remote_port) {
  const struct diag_socket socket = {.state = TCP_TIME_WAIT,
                                     .local_address = local,
                                     .local_port = local_port,
                                     .remote_address = remote,
                                     .remote_port = remote_port};
  ephemeral_add(&ephemeral, group, &socket);
}

static const struct {
  const char *name;
  struct port_range range;
  int reserved[4]; /* ranges of two, ended by 0 */
  uint32_t num;
} ports[] = {
    {"the default", {32768, 60999}, {0}, 28232},
    {"one", {5000, 5000}, {0}, 1},
    {"all", {1, 65535}, {0}, 65535},
    {"reserved within", {40000, 40199}, {40010, 40019}, 190},
    {"reserved outside", {40000, 40199}, {39000, 39999, 40200}, 200},
    {"reserved across both ends",
     {40000, 40199},
     {39000, 40000, 40199, 50000},
     198},
    {"all of them reserved", {40000, 40199}, {1, 65535}, 0},
};

START_TEST(the_range_less_the_reserved_ports_is_chosen_from) {
  struct port_bitmap reserved = none;
  const int *ranges = ports[_i].reserved;
  for (size_t i = 0; i < 4 && ranges[i] != 0; i += 2)
    for (int port = ranges[i]; port <= ranges[i + 1]; port++)
      port_bitmap_add(&reserved, (uint16_t)port);
  ephemeral_set_ports(&ephemeral, ports[_i].range, &reserved);
  ck_assert_msg(ephemeral.ports_num == ports[_i].num, "%s: %u", ports[_i].name,
                ephemeral.ports_num);
  finish();
  ck_assert_uint_eq(counts[0].ephemeral_ports, ports[_i].num);
}
END_TEST

START_TEST(a_destination_is_both_addresses_and_the_remote_port) {
  for (uint16_t port = 40000; port < 40050; port++) {
    add(0, ipv4(1), port, ipv4(2), 80);
    add(0, ipv4(1), port, ipv4(2), 81);
    add(0, ipv4(1), port, ipv4(3), 80);
    add(0, ipv4(4), port, ipv4(2), 80);
    add(0, ipv6(1), port, ipv6(2), 80);
    add(3, ipv4(1), port, ipv4(2), 80);
  }
  add(0, ipv4(4), 40050, ipv4(2), 80);
  finish();
  ck_assert_uint_eq(ephemeral.num, 6);
  ck_assert_uint_eq(counts[0].fullest_destination, 51);
  ck_assert_uint_eq(counts[0].ephemeral_utilization, 2550);
  ck_assert_uint_eq(counts[3].fullest_destination, 50);
}
END_TEST

START_TEST(ports_that_connect_does_not_choose_take_none_away) {
  struct port_bitmap reserved = none;
  for (uint16_t port = 40100; port < 40200; port++)
    port_bitmap_add(&reserved, port);
  ephemeral_set_ports(&ephemeral, (struct port_range){40000, 40199}, &reserved);
  for (uint32_t port = 39900; port < 40300; port++)
    add(0, ipv4(1), (uint16_t)port, ipv4(2), 80);
  finish();
  ck_assert_uint_eq(counts[0].ephemeral_ports, 100);
  ck_assert_uint_eq(counts[0].fullest_destination, 100);
  ck_assert_uint_eq(counts[0].ephemeral_utilization, 10000);
}
END_TEST

START_TEST(more_than_all_is_all) {
  for (int twice = 0; twice < 2; twice++)
    for (uint16_t port = 40000; port < 40200; port++)
      add(0, ipv4(1), port, ipv4(2), 80);
  finish();
  ck_assert_uint_eq(counts[0].ephemeral_utilization, 10000);
}
END_TEST

START_TEST(groups_without_a_remote_port_and_those_of_control_groups_have_none) {
  finish();
  ck_assert_uint_eq(counts[0].ephemeral_ports, 200);
  ck_assert_uint_eq(counts[0].fullest_destination, 0);
  ck_assert_uint_eq(counts[1].ephemeral_ports, 0);
  ck_assert_uint_eq(counts[2].ephemeral_ports, 0);
}
END_TEST

START_TEST(it_begins_anew_with_each_dump) {
  add(0, ipv4(1), 40000, ipv4(2), 80);
  ephemeral_reset(&ephemeral);
  finish();
  ck_assert_uint_eq(counts[0].fullest_destination, 0);
}
END_TEST

static const char *const orders[] = {"first", "last", "between", "each apart"};

/* One destination with 20,000 ports, and 30,000 with one or two. */
START_TEST(the_fullest_is_known_whatever_comes_between) {
  const uint32_t small = 30000, large = 20000;
  ephemeral_set_ports(&ephemeral, (struct port_range){10000, 59999}, &none);
  uint32_t left = large, added = 0;
  for (; _i == 0 && left > 0; left--)
    add(0, ipv4(1), (uint16_t)(9999 + left), ipv4(2), 80);
  for (uint32_t i = 0; i < small; i++, added++) {
    struct address remote = ipv6((uint8_t)i);
    remote.bytes[9] = (uint8_t)(i >> 8);
    add(0, ipv6(1), 10000, remote, 80);
    if (_i == 2 && i >= small / 2)
      for (int k = 0; k < 4 && left > 0; k++, left--)
        add(0, ipv4(1), (uint16_t)(9999 + left), ipv4(2), 80);
    if (_i == 3 && i % 3 < 2 && left > 0)
      add(0, ipv4(1), (uint16_t)(9999 + left--), ipv4(2), 80);
  }
  for (; left > 0; left--)
    add(0, ipv4(1), (uint16_t)(9999 + left), ipv4(2), 80);
  finish();
  uint64_t is = counts[0].fullest_destination;
  ck_assert_msg(is <= large &&
                    is + (small + large) / (DESTINATIONS_NUM + 1) >= large,
                "%s: %u", orders[_i], (unsigned)is);
  ck_assert_uint_lt(is, large + 1);
  ck_assert_uint_gt(ephemeral.missed, 0);
}
END_TEST

START_TEST(as_many_destinations_as_there_is_room_for_are_exact) {
  for (unsigned round = 0; round < 3; round++)
    for (unsigned i = 0; i < DESTINATIONS_NUM; i++)
      if (round < 2 || i == 500)
        add(0, ipv4(1), (uint16_t)(40000 + round), ipv4(2), (uint16_t)(i + 1));
  finish();
  ck_assert_uint_eq(ephemeral.missed, 0);
  ck_assert_uint_eq(counts[0].fullest_destination, 3);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ephemeral");
  TCase *tc = tcase_create("ephemeral");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_loop_test(tc, the_range_less_the_reserved_ports_is_chosen_from, 0,
                      CASES(ports));
  tcase_add_test(tc, a_destination_is_both_addresses_and_the_remote_port);
  tcase_add_test(tc, ports_that_connect_does_not_choose_take_none_away);
  tcase_add_test(tc, more_than_all_is_all);
  tcase_add_test(
      tc, groups_without_a_remote_port_and_those_of_control_groups_have_none);
  tcase_add_test(tc, it_begins_anew_with_each_dump);
  tcase_add_loop_test(tc, the_fullest_is_known_whatever_comes_between, 0,
                      CASES(orders));
  tcase_add_test(tc, as_many_destinations_as_there_is_room_for_are_exact);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
