/* SPDX-License-Identifier: MIT */
/* tally.c: what each socket is counted as, and in which groups. */
#include "tally.h"

#include "check_main.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

static const struct {
  const char *name;
  struct {
    uint8_t state;
    uint32_t inode;
    bool minisocket;
    bool request_sock;
  } socket;
  struct {
    uint32_t held;
    uint32_t fin_wait2_orphaned;
    uint32_t orphaned;
    uint32_t fin_wait2_minisockets;
    uint32_t request_socks;
  } counted;
} classes[] = {
    {"established", {TCP_ESTABLISHED, 9, false, false}, {0, 0, 0, 0, 0}},
    {"established, not accepted",
     {TCP_ESTABLISHED, 0, false, false},
     {0, 0, 0, 0, 0}},
    {"SYN_SENT", {TCP_SYN_SENT, 9, false, false}, {0, 0, 0, 0, 0}},
    {"request sock", {TCP_SYN_RECV, 0, false, true}, {0, 0, 0, 0, 1}},
    {"fast open child", {TCP_SYN_RECV, 0, false, false}, {0, 0, 0, 0, 0}},
    {"FIN_WAIT1 held", {TCP_FIN_WAIT1, 9, false, false}, {0, 0, 0, 0, 0}},
    {"FIN_WAIT1 orphan", {TCP_FIN_WAIT1, 0, false, false}, {0, 0, 1, 0, 0}},
    {"FIN_WAIT2 held", {TCP_FIN_WAIT2, 9, false, false}, {1, 0, 0, 0, 0}},
    {"FIN_WAIT2 full orphan",
     {TCP_FIN_WAIT2, 0, false, false},
     {0, 1, 1, 0, 0}},
    {"FIN_WAIT2 minisocket", {TCP_FIN_WAIT2, 0, true, false}, {0, 1, 0, 1, 0}},
    {"TIME_WAIT", {TCP_TIME_WAIT, 0, true, false}, {0, 0, 0, 0, 0}},
    {"bound only", {TCP_CLOSE, 9, false, false}, {0, 0, 0, 0, 0}},
    {"bound only, no owner", {TCP_CLOSE, 0, false, false}, {0, 0, 0, 0, 0}},
    {"CLOSE_WAIT", {TCP_CLOSE_WAIT, 9, false, false}, {0, 0, 0, 0, 0}},
    {"CLOSE_WAIT, not accepted",
     {TCP_CLOSE_WAIT, 0, false, false},
     {0, 0, 0, 0, 0}},
    {"LAST_ACK held", {TCP_LAST_ACK, 9, false, false}, {0, 0, 0, 0, 0}},
    {"LAST_ACK orphan", {TCP_LAST_ACK, 0, false, false}, {0, 0, 1, 0, 0}},
    {"LISTEN", {TCP_LISTEN, 9, false, false}, {0, 0, 0, 0, 0}},
    {"LISTEN without owner", {TCP_LISTEN, 0, false, false}, {0, 0, 0, 0, 0}},
    {"CLOSING held", {TCP_CLOSING, 9, false, false}, {0, 0, 0, 0, 0}},
    {"CLOSING orphan", {TCP_CLOSING, 0, false, false}, {0, 0, 1, 0, 0}},
    {"greatest inode",
     {TCP_FIN_WAIT2, UINT32_MAX, false, false},
     {1, 0, 0, 0, 0}},
};

static struct diag_socket class_socket(int number) {
  return (struct diag_socket){
      .state = classes[number].socket.state,
      .family = AF_INET6,
      .minisocket = classes[number].socket.minisocket,
      .request_sock = classes[number].socket.request_sock,
      .inode = classes[number].socket.inode,
      .local_port = 443,
      .remote_port = 50000,
  };
}

static void add_class(struct tally_counts *counts, int number) {
  counts->state[classes[number].socket.state]++;
  counts->fin_wait2_held += classes[number].counted.held;
  counts->fin_wait2_orphaned += classes[number].counted.fin_wait2_orphaned;
  counts->orphaned += classes[number].counted.orphaned;
  counts->fin_wait2_minisockets +=
      classes[number].counted.fin_wait2_minisockets;
  counts->request_socks += classes[number].counted.request_socks;
}

static void assert_counts(const struct tally_counts *counts,
                          const struct tally_counts *expected,
                          const char *name) {
  for (size_t state = 0; state <= TCP_CLOSING; state++)
    ck_assert_msg(counts->state[state] == expected->state[state],
                  "%s: %" PRIu64 " in state %zu", name, counts->state[state],
                  state);
  ck_assert_msg(counts->fin_wait2_held == expected->fin_wait2_held, "%s: held",
                name);
  ck_assert_msg(counts->fin_wait2_orphaned == expected->fin_wait2_orphaned,
                "%s: FIN_WAIT2 orphaned", name);
  ck_assert_msg(counts->orphaned == expected->orphaned, "%s: orphaned", name);
  ck_assert_msg(counts->fin_wait2_minisockets ==
                    expected->fin_wait2_minisockets,
                "%s: FIN_WAIT2 minisockets", name);
  ck_assert_msg(counts->request_socks == expected->request_socks,
                "%s: request socks", name);
}

/* The groups of a configuration with a single port, a remote one, and ranges,
 * one of which holds the single one. */
static struct port_range ranges[] = {
    {443, 443},
    {5432, 5432},
    {400, 499},
    {7000, 7002},
};
static struct group groups[] = {
    {(char[]){"443-local"}, {.local_ports = {&ranges[0], 1}}},
    {(char[]){"5432-remote"}, {.remote_ports = {&ranges[1], 1}}},
    {(char[]){"400-499-local"}, {.local_ports = {&ranges[2], 1}}},
    {(char[]){"7000-7002-local"}, {.local_ports = {&ranges[3], 1}}},
    {(char[]){"443-remote"}, {.remote_ports = {&ranges[0], 1}}},
};
#define LISTENED_PORT 8080 /* group number CASES(groups) */
#define GROUPS_NUM (CASES(groups) + 1)

static struct group_index group_index;
static struct tally tally;

static void start(void) {
  static struct port_bitmap listening;
  memset(&tally, 0, sizeof(tally));
  memset(&listening, 0, sizeof(listening));
  port_bitmap_add(&listening, LISTENED_PORT);
  ck_assert_int_eq(group_index_init(&group_index, groups, CASES(groups)), 0);
  ck_assert_int_eq(group_index_listen(&group_index, &listening), 1);
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
}

static void end(void) {
  tally_free(&tally);
  group_index_free(&group_index);
}

START_TEST(each_socket_is_added_as_what_it_is_to_all_and_to_its_group) {
  struct tally_counts expected = {.orphaned = 0};
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < CASES(classes); i++) {
      const struct diag_socket socket = class_socket(i);
      ck_assert_int_eq(tally_socket(&socket, &tally), 0);
      add_class(&expected, i);
      assert_counts(&tally.all, &expected, classes[i].name);
      assert_counts(&tally.groups[0], &expected, classes[i].name);
      ck_assert_uint_eq(tally.all.fin_wait2_held + tally.all.fin_wait2_orphaned,
                        tally.all.state[TCP_FIN_WAIT2]);
    }
}
END_TEST

static const struct {
  uint16_t local_port;
  uint16_t remote_port;
  uint32_t groups[GROUPS_NUM]; /* how often each counts the socket */
} memberships[] = {
    {443, 50000, {1, 0, 1, 0, 0, 0}},   {400, 50000, {0, 0, 1, 0, 0, 0}},
    {499, 50000, {0, 0, 1, 0, 0, 0}},   {399, 50000, {0, 0, 0, 0, 0, 0}},
    {500, 50000, {0, 0, 0, 0, 0, 0}},   {50000, 443, {0, 0, 0, 0, 1, 0}},
    {50000, 5432, {0, 1, 0, 0, 0, 0}},  {5432, 50000, {0, 0, 0, 0, 0, 0}},
    {443, 443, {1, 0, 1, 0, 1, 0}},     {443, 5432, {1, 1, 1, 0, 0, 0}},
    {7000, 1, {0, 0, 0, 1, 0, 0}},      {7001, 1, {0, 0, 0, 1, 0, 0}},
    {7002, 1, {0, 0, 0, 1, 0, 0}},      {8080, 1, {0, 0, 0, 0, 0, 1}},
    {1, 8080, {0, 0, 0, 0, 0, 0}},      {0, 0, {0, 0, 0, 0, 0, 0}},
    {65535, 65535, {0, 0, 0, 0, 0, 0}},
};

START_TEST(socket_is_counted_once_in_every_group_of_its_ports) {
  const struct diag_socket socket = {
      .state = TCP_ESTABLISHED,
      .family = AF_INET,
      .inode = 9,
      .local_port = memberships[_i].local_port,
      .remote_port = memberships[_i].remote_port,
  };
  tally_socket(&socket, &tally);
  ck_assert_uint_eq(tally.all.state[TCP_ESTABLISHED], 1);
  for (int i = 0; i < GROUPS_NUM; i++)
    ck_assert_msg(
        tally.groups[i].state[TCP_ESTABLISHED] == memberships[_i].groups[i],
        "%u to %u: %" PRIu64 " in group %d", socket.local_port,
        socket.remote_port, tally.groups[i].state[TCP_ESTABLISHED], i);
}
END_TEST

START_TEST(reset_sets_all_counts_to_0) {
  static const struct tally_counts none;
  for (int i = 0; i < CASES(classes); i++) {
    const struct diag_socket socket = class_socket(i);
    tally_socket(&socket, &tally);
  }
  ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
  assert_counts(&tally.all, &none, "all");
  for (int i = 0; i < GROUPS_NUM; i++)
    assert_counts(&tally.groups[i], &none, "group");
}
END_TEST

START_TEST(groups_may_come_and_go_between_resets) {
  static const uint16_t numbers[] = {0, 1, 200, 3, 0, 201};
  static struct port_bitmap listening;
  for (int i = 0; i < CASES(numbers); i++) {
    memset(&listening, 0, sizeof(listening));
    for (uint16_t port = 0; port < numbers[i]; port++)
      port_bitmap_add(&listening, (uint16_t)(10000 + port));
    ck_assert_int_eq(group_index_listen(&group_index, &listening), 1);
    ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
    for (uint16_t port = 0; port < 300; port++) {
      const struct diag_socket socket = {
          .state = TCP_LISTEN,
          .local_port = (uint16_t)(10000 + port),
      };
      tally_socket(&socket, &tally);
    }
    ck_assert_uint_eq(tally.all.state[TCP_LISTEN], 300);
    for (int group = CASES(groups); group < CASES(groups) + numbers[i]; group++)
      ck_assert_uint_eq(tally.groups[group].state[TCP_LISTEN], 1);
  }
}
END_TEST

/* Ports of sockets in ESTABLISHED, one letter each; in lower case, in
 * CLOSE_WAIT. */
static const struct {
  const char *ports;
  char most; /* 0: none has more than half */
} votes[] = {
    {"", 0},
    {"A", 'A'},
    {"AB", 0},
    {"AAB", 'A'},
    {"BAA", 'A'},
    {"ABA", 'A'},
    {"ABCAA", 'A'},
    {"BCAAA", 'A'},
    {"AAABC", 'A'},
    {"ABCABC", 0},
    {"AABBCC", 0},
    {"BBCCDDAAAAAAA", 'A'},
    {"ABABABABA", 'A'},
    {"AAAAAABBBBBCC", 0},
    {"AbbbbbA", 'A'},
    {"bbbb", 0},
    {"ABbAbBbA", 'A'},
};

static void check_vote(const struct port_vote *vote, const char *ports,
                       char most) {
  uint64_t num = 0;
  for (const char *port = ports; *port != '\0'; port++)
    num += *port == vote->port;
  if (most != 0)
    ck_assert_int_eq(vote->port, most);
  ck_assert_msg(vote->votes <= num, "%s: %" PRIu64 " for %c", ports,
                vote->votes, vote->port);
}

START_TEST(port_of_most_sockets_is_found_in_any_order) {
  const char *ports = votes[_i].ports;
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(tally_reset(&tally, &group_index), 0);
    for (const char *port = ports; *port != '\0'; port++) {
      bool common = *port < 'a';
      struct diag_socket socket = {.state = common ? TCP_ESTABLISHED
                                                   : TCP_CLOSE_WAIT,
                                   .local_port = (uint16_t)*port};
      if (i == 1) {
        socket.remote_port = socket.local_port;
        socket.local_port = (uint16_t)(port - ports);
        socket.state = common ? TCP_TIME_WAIT : TCP_LISTEN;
      }
      tally_socket(&socket, &tally);
    }
    check_vote(i == 0 ? &tally.local_vote : &tally.remote_vote, ports,
               votes[_i].most);
  }
}
END_TEST

START_TEST(tally_works_without_any_group) {
  struct group_index empty;
  struct tally alone = {.size = 0};
  ck_assert_int_eq(group_index_init(&empty, NULL, 0), 0);
  ck_assert_int_eq(tally_reset(&alone, &empty), 0);
  const struct diag_socket socket = class_socket(0);
  tally_socket(&socket, &alone);
  ck_assert_uint_eq(alone.all.state[TCP_ESTABLISHED], 1);
  tally_free(&alone);
  group_index_free(&empty);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tally");
  TCase *tc = tcase_create("tally");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc,
                 each_socket_is_added_as_what_it_is_to_all_and_to_its_group);
  tcase_add_loop_test(tc, socket_is_counted_once_in_every_group_of_its_ports, 0,
                      CASES(memberships));
  tcase_add_test(tc, reset_sets_all_counts_to_0);
  tcase_add_test(tc, groups_may_come_and_go_between_resets);
  tcase_add_loop_test(tc, port_of_most_sockets_is_found_in_any_order, 0,
                      CASES(votes));
  tcase_add_test(tc, tally_works_without_any_group);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
