/* SPDX-License-Identifier: MIT */
/* notice.c: the words about stuck sockets, and the facts for machines. */
#include "notice.h"

#include "check_main.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000)

static struct notice notice;
static struct evidence evidence;

/* 30 sockets of api.service in CLOSE_WAIT. */
static void start(void) {
  evidence = (struct evidence){
      .name = "api.service",
      .service = "api.service",
      .holder = {.service = 7,
                 .state = TCP_CLOSE_WAIT,
                 .num = 30,
                 .oldest = 61 * SECOND},
      .after = 60,
  };
}

static void add_ports(bool local, uint16_t port, uint32_t num) {
  for (; num > 0; num--)
    ranking_add(&evidence.ports,
                &(struct ranked){.local = local, .port = port});
  ranking_sort(&evidence.ports);
}

static void add_process(uint32_t pid, const char *command, const char *service,
                        uint32_t num) {
  struct processes *processes = &evidence.processes;
  evidence.searched = evidence.complete = true;
  processes->num++;
  if (processes->top_num == PROCESS_TOP)
    return;
  struct process *process = &processes->top[processes->top_num++];
  *process = (struct process){.pid = pid, .num = num};
  snprintf(process->command, sizeof(process->command), "%s", command);
  snprintf(process->service, sizeof(process->service), "%s", service);
}

static void check_text(const char *expected) {
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(notice.text, expected);
  ck_assert_int_eq(notice.event, ALARM_WARNING);
  ck_assert_str_eq(notice.holder, evidence.name);
  ck_assert_uint_eq(notice.state, evidence.holder.state);
}

static const char *meta(const char *name) {
  for (size_t i = 0; i < notice.meta_num; i++)
    if (strcmp(notice.meta[i].name, name) == 0)
      return notice.meta[i].value;
  return "(none)";
}

#define CLOSE_WAIT_HEAD                                                        \
  "30 sockets of api.service in CLOSE_WAIT for more than 60 s (oldest 61 s). "
#define CLOSE_WAIT_ENDS                                                        \
  "The peers have closed: only close() here ends it, in a connection pool at " \
  "the next use."

static const struct {
  uint8_t state;
  uint32_t num;
  uint32_t unaccepted;
  const char *expected;
} meanings[] = {
    {TCP_CLOSE_WAIT, 30, 0, CLOSE_WAIT_HEAD CLOSE_WAIT_ENDS},
    {TCP_CLOSE_WAIT, 30, 30,
     CLOSE_WAIT_HEAD
     "Not accepted: the program does not call accept(), and the peers have "
     "closed."},
    {TCP_CLOSE_WAIT, 30, 7,
     CLOSE_WAIT_HEAD "The peers have closed; 7 are not accepted: the program "
                     "does not call accept()."},
    {TCP_FIN_WAIT2, 1, 0,
     "1 socket of api.service in FIN_WAIT2 for more than 60 s (oldest 61 s). "
     "This side has shut down: only close() here or at the peer ends it, "
     "not tcp_fin_timeout."},
    {TCP_FIN_WAIT1, 2, 0,
     "2 sockets of api.service in FIN_WAIT1 for more than 60 s (oldest 61 s). "
     "The peer does not read what was sent before the FIN: this ends when it "
     "reads, or a while after close() here."},
};

START_TEST(text_says_how_many_whose_where_how_long_and_what_it_means) {
  evidence.holder.state = meanings[_i].state;
  evidence.holder.num = meanings[_i].num;
  evidence.holder.unaccepted = meanings[_i].unaccepted;
  check_text(meanings[_i].expected);
}
END_TEST

static const struct {
  const char *name;
  bool everyone;
  uint64_t service;
  uint16_t port;
  bool local;
  const char *expected;
} holders[] = {
    {"root", false, 7, 0, false, " in the root control group"},
    {"443-local", false, 0, 443, true, " on local port 443"},
    {"50051-remote", false, 0, 50051, false, " to remote port 50051"},
    {"all", true, 0, 0, false, ""},
};

START_TEST(holder_is_told_as_a_person_would) {
  snprintf(evidence.name, sizeof(evidence.name), "%s", holders[_i].name);
  evidence.everyone = holders[_i].everyone;
  evidence.holder.service = holders[_i].service;
  evidence.holder.port = holders[_i].port;
  evidence.holder.local = holders[_i].local;
  char expected[512];
  snprintf(expected, sizeof(expected),
           "30 sockets%s in CLOSE_WAIT for more than 60 s (oldest 61 s). %s",
           holders[_i].expected, CLOSE_WAIT_ENDS);
  check_text(expected);
}
END_TEST

START_TEST(a_lower_bound_is_told_as_one) {
  evidence.at_least = true;
  check_text("At least " CLOSE_WAIT_HEAD CLOSE_WAIT_ENDS);
  ck_assert_str_eq(meta("sockets"), "at least 30");
}
END_TEST

static const struct {
  uint64_t oldest; /* ms */
  const char *shown;
} ages[] = {
    {0, "0 s"},
    {999, "0 s"},
    {119999, "119 s"},
    {120000, "2 min"},
    {7199999, "119 min"},
    {7200000, "2 h 0 min"},
    {7260000, "2 h 1 min"},
    {172799999, "47 h 59 min"},
    {172800000, "2 d 0 h"},
    {UINT64_C(4294967296), "49 d 17 h"},
    {UINT64_C(40000000000), "462 d 23 h"},
};

START_TEST(age_is_shown_in_the_unit_that_fits) {
  evidence.holder.oldest = ages[_i].oldest;
  notice_warning(&notice, &evidence);
  char expected[64];
  snprintf(expected, sizeof(expected), "(oldest %s). ", ages[_i].shown);
  ck_assert_ptr_nonnull(strstr(notice.text, expected));
  snprintf(expected, sizeof(expected), "%llu",
           (unsigned long long)ages[_i].oldest / 1000);
  ck_assert_str_eq(meta("oldest_seconds"), expected);
}
END_TEST

#define TEXT(rest) CLOSE_WAIT_HEAD CLOSE_WAIT_ENDS rest

START_TEST(ports_are_told_with_their_numbers) {
  add_ports(false, 443, 30);
  check_text(TEXT(" Remote port 443 (30)."));
  ck_assert_str_eq(meta("ports"), "remote 443: 30");
  add_ports(true, 22, 4);
  check_text(TEXT(" Local port 22 (4). Remote port 443 (30)."));
  ck_assert_str_eq(meta("ports"), "remote 443: 30, local 22: 4");
}
END_TEST

START_TEST(small_ports_are_others_in_the_text) {
  add_ports(false, 443, 27);
  for (uint16_t port = 1; port <= 3; port++)
    add_ports(false, port, 1);
  check_text(TEXT(" Remote port 443 (27), others."));
  ck_assert_str_eq(meta("ports"),
                   "remote 443: 27, remote 1: 1, remote 2: 1, remote 3: 1");
}
END_TEST

/* Others are those with a tenth of the sockets or less, those beyond four, and
 * those that were not counted. */
START_TEST(a_port_is_one_of_others_from_a_tenth_down) {
  add_ports(true, 443, 27);
  add_ports(true, 8443, 3);
  check_text(TEXT(" Local port 443 (27), others."));
  start();
  add_ports(true, 443, 26);
  add_ports(true, 8443, 4);
  check_text(TEXT(" Local port 443 (26), 8443 (4)."));
  evidence.ports.missed = 1;
  check_text(TEXT(" Local port 443 (26), 8443 (4), others."));
  start();
  for (uint16_t port = 1; port <= 5; port++)
    add_ports(true, port, 6);
  notice_warning(&notice, &evidence);
  ck_assert_ptr_nonnull(strstr(notice.text, "4 (6), others."));
  ck_assert_ptr_null(strstr(notice.text, "5 (6)"));
}
END_TEST

START_TEST(ports_of_all_holders_are_told) {
  snprintf(evidence.name, sizeof(evidence.name), "all");
  evidence.everyone = true;
  evidence.holder.service = 0;
  add_ports(true, 443, 30);
  check_text("30 sockets in CLOSE_WAIT for more than 60 s (oldest 61 "
             "s). " CLOSE_WAIT_ENDS " Local port 443 (30).");
}
END_TEST

/* Of a port there is no service that it could be another one than. */
START_TEST(a_process_is_told_with_another_service_than_the_holders) {
  add_process(4711, "curl", "cron.service", 28);
  check_text(TEXT(" curl[4711] of cron.service (28)."));
  evidence.holder.service = 0;
  evidence.holder.port = 443;
  evidence.service[0] = '\0';
  check_text("30 sockets to remote port 443 in CLOSE_WAIT for more than 60 s "
             "(oldest 61 s). " CLOSE_WAIT_ENDS " curl[4711] (28).");
  evidence.holder.state = TCP_CLOSE;
  notice_warning(&notice, &evidence);
  ck_assert_ptr_nonnull(
      strstr(notice.text, " ends it. curl[4711] of cron.service (28)."));
}
END_TEST

START_TEST(a_hundred_ports_are_many) {
  evidence.holder.num = 120;
  for (uint16_t port = 20000; port < 20120; port++)
    add_ports(false, port, 1);
  notice_warning(&notice, &evidence);
  ck_assert_ptr_nonnull(strstr(notice.text, "120 sockets of api.service in"));
  ck_assert_ptr_nonnull(strstr(notice.text, "next use. Many remote ports."));
}
END_TEST

START_TEST(a_holder_that_is_a_port_is_told_without_ports) {
  evidence.holder.service = 0;
  evidence.holder.port = 443;
  add_ports(false, 443, 30);
  check_text("30 sockets to remote port 443 in CLOSE_WAIT for more than 60 s "
             "(oldest 61 s). " CLOSE_WAIT_ENDS);
}
END_TEST

START_TEST(processes_are_told_with_their_numbers) {
  add_process(4711, "curl", "api.service", 28);
  check_text(TEXT(" curl[4711] (28)."));
  add_process(12, "sh", "cron.service", 2);
  check_text(TEXT(" curl[4711] (28), sh[12] of cron.service (2)."));
  ck_assert_str_eq(meta("processes"),
                   "curl[4711] (28), sh[12] of cron.service (2)");
}
END_TEST

START_TEST(a_process_with_one_socket_is_told_with_its_number) {
  add_process(4711, "curl", "api.service", 1);
  check_text(TEXT(" curl[4711] (1)."));
}
END_TEST

START_TEST(a_listening_process_is_told_as_such) {
  evidence.holder.unaccepted = 30;
  add_process(4711, "hang", "api.service", 0);
  evidence.processes.top[0].listens = true;
  check_text(CLOSE_WAIT_HEAD
             "Not accepted: the program does not call accept(), and the peers "
             "have closed. hang[4711] listens.");
}
END_TEST

START_TEST(processes_that_do_not_fit_are_counted) {
  for (uint32_t i = 0; i < 10; i++)
    add_process(1000 + i, "worker", "api.service", 4);
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(
      notice.text,
      TEXT(" worker[1000] (4), worker[1001] (4), worker[1002] (4), "
           "worker[1003] (4), 6 more."));
  ck_assert_str_eq(
      meta("processes"),
      "worker[1000] (4), worker[1001] (4), worker[1002] (4), worker[1003] (4), "
      "worker[1004] (4), worker[1005] (4), worker[1006] (4), worker[1007] (4), "
      "2 more");
}
END_TEST

START_TEST(a_search_that_is_not_complete_says_so) {
  evidence.searched = true;
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(meta("processes"), "not all could be read");
  add_process(4711, "curl", "", 2);
  evidence.complete = false;
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(meta("processes"), "curl[4711] (2); not all could be read");
  evidence.searched = false;
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(meta("processes"), "(none)");
}
END_TEST

START_TEST(peers_are_told_when_they_are_counted) {
  for (uint8_t i = 0; i < 3; i++)
    for (uint8_t j = 0; j <= i; j++)
      ranking_add(
          &evidence.peers,
          &(struct ranked){.address = {{[10] = 0xff, 0xff, 192, 0, 2, i}}});
  ranking_add(&evidence.peers,
              &(struct ranked){.address = {{0x20, 0x01, [15] = 1}}});
  ranking_sort(&evidence.peers);
  check_text(TEXT(" Most to 192.0.2.2."));
  ck_assert_str_eq(meta("peers"),
                   "192.0.2.2: 3, 192.0.2.1: 2, 192.0.2.0: 1, 2001::1: 1");
}
END_TEST

/* Each length of the text before it, by the name's. */
START_TEST(peer_is_told_whole_or_not_at_all) {
  ranking_add(&evidence.peers,
              &(struct ranked){.address = {{0x20, 0x01, [15] = 1}}});
  for (int i = 1; i <= 4; i++)
    add_process(4711, "a-command-of-31-characters-here", "", 28);
  unsigned told = 0;
  for (size_t len = 1; len < sizeof(evidence.name); len++) {
    memset(evidence.name, 'x', len);
    evidence.name[len] = '\0';
    notice_warning(&notice, &evidence);
    const char *peer = strstr(notice.text, " Most to ");
    told += peer != NULL;
    if (peer != NULL)
      ck_assert_str_eq(peer, " Most to 2001::1.");
    ck_assert_int_eq(notice.text[strlen(notice.text) - 1], '.');
  }
  ck_assert_uint_gt(told, 0);
}
END_TEST

START_TEST(meta_data_has_the_facts) {
  evidence.holder.unaccepted = 4;
  snprintf(evidence.cgroup, sizeof(evidence.cgroup), "/a.slice/api.service");
  notice_warning(&notice, &evidence);
  ck_assert_str_eq(meta("state"), "CLOSE_WAIT");
  ck_assert_str_eq(meta("sockets"), "30");
  ck_assert_str_eq(meta("not_accepted"), "4");
  ck_assert_str_eq(meta("oldest_seconds"), "61");
  ck_assert_str_eq(meta("control_group"), "/a.slice/api.service");
  ck_assert_str_eq(meta("container_host_name"), "(none)");
  ck_assert_str_eq(meta("ports"), "(none)");
  ck_assert_str_eq(meta("peers"), "(none)");
}
END_TEST

START_TEST(meta_data_has_a_containers_host_name) {
  snprintf(evidence.name, sizeof(evidence.name), "web-1");
  snprintf(evidence.service, sizeof(evidence.service), "docker-0123456789ab");
  snprintf(evidence.host_name, sizeof(evidence.host_name), "web-1");
  add_process(4711, "curl", "docker-0123456789ab", 28);
  notice_warning(&notice, &evidence);
  ck_assert_ptr_nonnull(strstr(notice.text, "30 sockets of web-1 in "));
  ck_assert_ptr_nonnull(strstr(notice.text, " curl[4711] (28)."));
  ck_assert_str_eq(meta("container_host_name"), "web-1");
}
END_TEST

/* Fills everything, as long as it can be. */
static void fill(char letter) {
  memset(evidence.name, letter, sizeof(evidence.name) - 1);
  memset(evidence.cgroup, letter, sizeof(evidence.cgroup) - 1);
  memset(evidence.host_name, letter, sizeof(evidence.host_name) - 1);
  evidence.after = UINT32_MAX;
  evidence.holder.num = UINT32_MAX;
  evidence.holder.unaccepted = UINT32_MAX - 1;
  evidence.holder.oldest = UINT64_MAX;
  evidence.at_least = true;
  for (uint32_t i = 0; i < RANKING_NUM; i++) {
    evidence.ports.top[i] =
        (struct ranked){.port = (uint16_t)(UINT16_MAX - i), .num = UINT32_MAX};
    memset(&evidence.peers.top[i].address, 0xee, sizeof(struct address));
    evidence.peers.top[i].num = UINT32_MAX;
  }
  evidence.ports.num = evidence.peers.num = RANKING_NUM;
  evidence.ports.missed = evidence.peers.missed = UINT32_MAX;
  char command[64];
  memset(command, letter, sizeof(command));
  command[sizeof(command) - 1] = '\0';
  for (size_t i = 0; i < PROCESS_TOP; i++) {
    add_process(UINT32_MAX, command, command, UINT32_MAX);
    evidence.processes.top[i].listens = true;
  }
  evidence.processes.num = UINT32_MAX;
  evidence.complete = false;
}

static const uint8_t states[] = {TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT};

START_TEST(the_longest_text_keeps_how_many_and_whose) {
  fill('x');
  evidence.holder.state = states[_i];
  notice_warning(&notice, &evidence);
  char head[128];
  snprintf(head, sizeof(head), "At least 4294967295 sockets of %s in %s for ",
           evidence.name, notice_state(states[_i]));
  ck_assert_msg(strncmp(notice.text, head, strlen(head)) == 0, "%s",
                notice.text);
  const char *last = meta("processes");
  ck_assert_ptr_nonnull(strstr(last, "not all could be read"));
  ck_assert_ptr_nonnull(strstr(meta("peers"), "others: each at most"));
  ck_assert_uint_eq(strlen(meta("control_group")), 255);
}
END_TEST

START_TEST(no_name_makes_a_line_of_its_own) {
  static const char hostile[] = {'\n', '\r', '\0' + 1, '\x7f', '\x80', '\x1b'};
  for (size_t i = 0; i < sizeof(hostile); i++) {
    start();
    fill(hostile[i]);
    notice_warning(&notice, &evidence);
    ck_assert_uint_gt(notice.meta_num, 6);
    for (const char *c = notice.text; *c != '\0'; c++)
      ck_assert(*c >= ' ' && *c <= '~');
    for (size_t j = 0; j < notice.meta_num; j++)
      for (const char *c = notice.meta[j].value; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
          ck_abort_msg("%s: %s", notice.meta[j].name, notice.meta[j].value);
  }
}
END_TEST

START_TEST(okay_says_of_how_many_it_is_over) {
  const struct alarm alarm = {.holder = "api.service", .state = states[_i]};
  notice_okay(&notice, &alarm, 4, 10);
  ck_assert_int_eq(notice.event, ALARM_OKAY);
  ck_assert_str_eq(notice.holder, "api.service");
  ck_assert_uint_eq(notice.state, states[_i]);
  char expected[128];
  snprintf(expected, sizeof(expected),
           "4 stuck in %s: fewer than half of 10, for two reads.",
           notice_state(states[_i]));
  ck_assert_str_eq(notice.text, expected);
  ck_assert_uint_eq(notice.meta_num, 0);
}
END_TEST

START_TEST(okay_of_sockets_in_no_state_says_how_many_there_are) {
  const struct alarm alarm = {.holder = "machine", .state = TCP_CLOSE};
  notice_okay(&notice, &alarm, 4, 10);
  ck_assert_str_eq(
      notice.text,
      "4 sockets in no state: fewer than half of 10, for two reads.");
  notice_okay(&notice, &alarm, 1, 10);
  ck_assert_str_eq(
      notice.text,
      "1 socket in no state: fewer than half of 10, for two reads.");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("notice");
  TCase *tc = tcase_create("notice");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_loop_test(tc,
                      text_says_how_many_whose_where_how_long_and_what_it_means,
                      0, CASES(meanings));
  tcase_add_loop_test(tc, holder_is_told_as_a_person_would, 0, CASES(holders));
  tcase_add_test(tc, a_lower_bound_is_told_as_one);
  tcase_add_loop_test(tc, age_is_shown_in_the_unit_that_fits, 0, CASES(ages));
  tcase_add_test(tc, ports_are_told_with_their_numbers);
  tcase_add_test(tc, small_ports_are_others_in_the_text);
  tcase_add_test(tc, a_port_is_one_of_others_from_a_tenth_down);
  tcase_add_test(tc, ports_of_all_holders_are_told);
  tcase_add_test(tc, a_process_is_told_with_another_service_than_the_holders);
  tcase_add_test(tc, okay_of_sockets_in_no_state_says_how_many_there_are);
  tcase_add_test(tc, a_hundred_ports_are_many);
  tcase_add_test(tc, a_holder_that_is_a_port_is_told_without_ports);
  tcase_add_test(tc, processes_are_told_with_their_numbers);
  tcase_add_test(tc, a_process_with_one_socket_is_told_with_its_number);
  tcase_add_test(tc, a_listening_process_is_told_as_such);
  tcase_add_test(tc, processes_that_do_not_fit_are_counted);
  tcase_add_test(tc, a_search_that_is_not_complete_says_so);
  tcase_add_test(tc, peers_are_told_when_they_are_counted);
  tcase_add_test(tc, peer_is_told_whole_or_not_at_all);
  tcase_add_test(tc, meta_data_has_the_facts);
  tcase_add_test(tc, meta_data_has_a_containers_host_name);
  tcase_add_loop_test(tc, the_longest_text_keeps_how_many_and_whose, 0,
                      CASES(states));
  tcase_add_test(tc, no_name_makes_a_line_of_its_own);
  tcase_add_loop_test(tc, okay_says_of_how_many_it_is_over, 0, CASES(states));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
