/* SPDX-License-Identifier: MIT */
/* stuck.c: who is notified of stuck sockets after a read, and what of. */
#include "stuck.h"

#include "cgroup_walk.h"
#include "hostname.h"

#include "check_main.h"
#include "fake_cgroups.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AFTER 60
#define NOW UINT64_C(1000000) /* ms */
#define LIMIT 10

static struct temp_tree proc;
static struct cgroup_tree tree;
static struct port_bitmap listening;
static struct settings settings;
static int64_t simulated_clock(void) { return NOW; }
static struct ages ages = {.clock = simulated_clock};
static struct diag_dump dump;
static struct stuck stuck;

/* The namespace's sockets. */
static struct diag_socket sockets[3000];
static size_t sockets_num;
static int dump_error;
static unsigned dumps;

int __wrap_diag_dump_run(struct diag_dump *d,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data);
int __wrap_diag_dump_run(struct diag_dump *d,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data) {
  ck_assert_ptr_eq(d, &dump);
  dumps++;
  for (size_t i = 0; i < sockets_num; i++)
    if (request->states & 1u << sockets[i].state)
      cb(&sockets[i], data);
  return dump_error;
}

/* Containers are asked here. */
static unsigned asked;
static int ask_error;

const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) { return "/cgroup"; }

int __wrap_hostname_ask(const char *mount, const char *procfs,
                        struct hostname_ask *asks, size_t num);
int __wrap_hostname_ask(const char *mount, const char *procfs,
                        struct hostname_ask *asks, size_t num) {
  ck_assert_str_eq(mount, "/cgroup");
  ck_assert_str_eq(procfs, proc.root);
  for (size_t i = 0; i < num; i++) {
    ck_assert_str_eq(asks[i].path, fake_cgroups.paths[0]);
    snprintf(asks[i].name, sizeof(asks[i].name), "web-1");
  }
  asked++;
  return ask_error;
}

static int64_t time_of(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a search takes, ms of CPU time. */
static int64_t search_takes;
static unsigned searches;

struct process_search __real_process_find(const char *procfs,
                                          const struct process_sockets *of,
                                          struct processes *holders,
                                          size_t num);
struct process_search __wrap_process_find(const char *procfs,
                                          const struct process_sockets *of,
                                          struct processes *holders,
                                          size_t num);
struct process_search __wrap_process_find(const char *procfs,
                                          const struct process_sockets *of,
                                          struct processes *holders,
                                          size_t num) {
  int64_t begun = time_of(CLOCK_THREAD_CPUTIME_ID);
  searches++;
  while (time_of(CLOCK_THREAD_CPUTIME_ID) - begun < search_takes)
    continue;
  return __real_process_find(procfs, of, holders, num);
}

/* The next allocation that fails, counted from 1; 0: none. */
static int fail_at;
void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  if (fail_at > 0 && --fail_at == 0)
    return NULL;
  return __real_calloc(num, size);
}

static void start(void) {
  proc = temp_tree_make();
  settings_init(&settings);
  settings.stuck_after = AFTER;
  settings.notify_stuck = LIMIT;
  memset(&fake_cgroups, 0, sizeof(fake_cgroups));
  fake_cgroups.paths[0] = "/system.slice/api.service";
  fake_cgroups.paths[1] = "/system.slice/web.service";
  stuck.whose.tree = &tree;
  stuck.whose.listening = &listening;
  stuck.whose.ephemeral = (struct port_range){32768, 60999};
}

static void end(void) {
  stuck_free(&stuck);
  ages_free(&ages);
  temp_tree_remove(&proc);
}

/* num more sockets of the control group, from the local port 443. */
static void add(uint8_t state, uint64_t cgroup_id, uint32_t num) {
  for (; num > 0; num--) {
    ck_assert_uint_lt(sockets_num, sizeof(sockets) / sizeof(*sockets));
    uint32_t number = (uint32_t)sockets_num;
    sockets[sockets_num++] = (struct diag_socket){
        .state = state,
        .inode = 1000 + number,
        .local_port = 443,
        .remote_port = (uint16_t)(40000 + number),
        .remote_address = {{[10] = 0xff, 0xff, 192, 0, 2, 7}},
        .cookie = number + 1,
        .has_age = true,
        .age = (AFTER + 1) * 1000,
        .idle = (AFTER + 1) * 1000,
        .cgroup_id = cgroup_id,
    };
  }
}

static void remove_last(size_t num) { sockets_num -= num; }

/* One read. Returns how many notices there are. */
static size_t read_again(void) {
  ages_start(&ages, true, AFTER * 1000);
  whose_start(&stuck.whose);
  holders_reset(&stuck.holders);
  for (size_t i = 0; i < sockets_num; i++)
    if (ages_has(&sockets[i])) {
      uint64_t age = ages_meet(&ages, &sockets[i]);
      struct holder holder = whose_holder(&stuck.whose, &sockets[i]);
      if (age > AFTER * 1000)
        holders_add(&stuck.holders, &holder, age, sockets[i].inode == 0);
    }
  ages_finish(&ages);
  dumps = 0;
  const struct stuck_read read = {&settings, &ages, &dump, proc.root};
  stuck_update(&stuck, &read);
  return stuck.notices_num;
}

/* The same once those of the read before are told. */
static size_t read_all(void) {
  stuck_free(&stuck);
  return read_again();
}

/* The read's notice of this holder; fails when there is none. */
static const struct notice *find_notice(const char *holder,
                                        enum alarm_event event) {
  for (size_t i = 0; i < stuck.notices_num; i++)
    if (strcmp(stuck.notices[i].holder, holder) == 0 &&
        stuck.notices[i].event == event)
      return &stuck.notices[i];
  ck_abort_msg("no notice of %s among %zu", holder, stuck.notices_num);
  return NULL;
}

static void check_text(const char *holder, enum alarm_event event,
                       const char *start) {
  const struct notice *notice = find_notice(holder, event);
  ck_assert_msg(strncmp(notice->text, start, strlen(start)) == 0, "%s",
                notice->text);
}

static const char *meta(const struct notice *notice, const char *name) {
  for (size_t i = 0; i < notice->meta_num; i++)
    if (strcmp(notice->meta[i].name, name) == 0)
      return notice->meta[i].value;
  return "(none)";
}

static const uint8_t states[] = {TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT};

START_TEST(a_leak_is_told_in_the_second_read_and_when_it_is_over) {
  add(states[_i], 1, LIMIT);
  /* tcp_info does not tell how long a socket has been in FIN_WAIT1. */
  if (states[_i] == TCP_FIN_WAIT1) {
    read_all();
    for (uint32_t i = 0; i < ages.size; i++)
      ages.slots[i].since = 1;
  }
  ck_assert_uint_eq(read_all(), 0);
  ck_assert_uint_eq(dumps, 0);
  ck_assert_uint_eq(read_all(), 1);
  const struct notice *notice = find_notice("api.service", ALARM_WARNING);
  ck_assert_uint_eq(notice->state, states[_i]);
  check_text("api.service", ALARM_WARNING, "10 sockets of api.service in ");
  ck_assert_str_eq(meta(notice, "ports"), "local 443: 10");
  ck_assert_str_eq(meta(notice, "peers"), "(none)");
  ck_assert_str_eq(meta(notice, "control_group"), "/system.slice/api.service");
  for (int i = 0; i < 5; i++) {
    ck_assert_uint_eq(read_all(), 0);
    ck_assert_uint_eq(dumps, 0);
  }
  remove_last(6);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("api.service", ALARM_OKAY, "4 stuck in ");
  ck_assert_uint_eq(dumps, 0);
  for (int i = 0; i < 5; i++)
    ck_assert_uint_eq(read_all(), 0);
}
END_TEST

START_TEST(a_container_is_asked_when_it_is_told) {
  fake_cgroups.paths[0] = "/docker/0123456789abcdef0123456789abcdef";
  ask_error = _i == 0 ? 0 : -EAGAIN;
  add(TCP_CLOSE_WAIT, 2, 12);
  read_all();
  read_all();
  find_notice("web.service", ALARM_WARNING);
  ck_assert_uint_eq(asked, 0);
  add(TCP_CLOSE_WAIT, 1, 12);
  read_all();
  ck_assert_uint_eq(asked, 0);
  read_all();
  ck_assert_uint_eq(asked, 1);
  ck_assert_str_eq(
      meta(find_notice("0123456789ab", ALARM_WARNING), "container_host_name"),
      _i == 0 ? "web-1" : "(none)");
  remove_last(12);
  read_all();
  read_all();
  find_notice("0123456789ab", ALARM_OKAY);
  ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(a_container_is_not_asked_when_it_is_over) {
  fake_cgroups.paths[0] = "/docker/0123456789abcdef0123456789abcdef";
  add(TCP_CLOSE_WAIT, 1, 12);
  read_all();
  read_all();
  ck_assert_uint_eq(asked, 1);
  remove_last(8);
  add(TCP_CLOSE_WAIT, 2, 12);
  read_all();
  ck_assert_uint_eq(read_all(), 2);
  find_notice("0123456789ab", ALARM_OKAY);
  find_notice("web.service", ALARM_WARNING);
  ck_assert_uint_eq(asked, 1);
}
END_TEST

/* Of all that are told in one read. */
START_TEST(each_is_told_with_the_ports_of_its_own_sockets) {
  for (uint64_t id = 3; id < 7; id++) {
    static const char *const paths[] = {"/a.service", "/b.service",
                                        "/c.service", "/d.service"};
    fake_cgroups.paths[id - 1] = paths[id - 3];
    add(TCP_CLOSE_WAIT, id, 9);
  }
  add(TCP_FIN_WAIT2, 2, 11);
  /* Not longer than StuckAfter, and so not stuck. */
  add(TCP_FIN_WAIT2, 2, 1);
  sockets[sockets_num - 1].age = sockets[sockets_num - 1].idle = AFTER * 1000;
  read_all();
  ck_assert_uint_eq(read_all(), 2);
  ck_assert_str_eq(meta(find_notice("all", ALARM_WARNING), "ports"),
                   "local 443: 36");
  ck_assert_str_eq(meta(find_notice("web.service", ALARM_WARNING), "ports"),
                   "local 443: 11");
}
END_TEST

START_TEST(each_holder_has_its_own_alarm) {
  add(TCP_CLOSE_WAIT, 1, 12);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  add(TCP_CLOSE_WAIT, 2, 300);
  ck_assert_uint_eq(read_all(), 0);
  ck_assert_uint_eq(read_all(), 1);
  check_text("web.service", ALARM_WARNING, "300 sockets of web.service in CLO");
  add(TCP_FIN_WAIT2, 2, 11);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("web.service", ALARM_WARNING,
             "11 sockets of web.service in FIN_W");
  add(TCP_CLOSE_WAIT, 1, 12);
  ck_assert_uint_eq(read_all(), 1);
  check_text("api.service", ALARM_WARNING,
             "24 sockets of api.service in CLOSE");
}
END_TEST

START_TEST(all_speaks_where_no_holder_has_enough) {
  for (uint64_t id = 3; id < 7; id++) {
    static const char *const paths[] = {"/a.service", "/b.service",
                                        "/c.service", "/d.service"};
    fake_cgroups.paths[id - 1] = paths[id - 3];
    add(TCP_CLOSE_WAIT, id, 9);
  }
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("all", ALARM_WARNING, "36 sockets in CLOSE_WAIT for more than 60");
  ck_assert_str_eq(meta(find_notice("all", ALARM_WARNING), "ports"),
                   "local 443: 36");
  ck_assert_uint_eq(read_all(), 0);
  remove_last(32);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("all", ALARM_OKAY, "4 stuck in CLOSE_WAIT");
}
END_TEST

START_TEST(all_is_silent_while_a_holder_has_enough) {
  add(TCP_CLOSE_WAIT, 1, 9);
  add(TCP_CLOSE_WAIT, 2, 10);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("web.service", ALARM_WARNING, "10 sockets of web.service");
  for (int i = 0; i < 5; i++)
    ck_assert_uint_eq(read_all(), 0);
}
END_TEST

START_TEST(several_control_groups_of_one_name_are_one_holder) {
  fake_cgroups.paths[2] = "/other.slice/api.service";
  add(TCP_CLOSE_WAIT, 1, 6);
  add(TCP_CLOSE_WAIT, 3, 6);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("api.service", ALARM_WARNING, "12 sockets of api.service");
}
END_TEST

START_TEST(eight_are_told_in_a_read_and_the_others_in_the_next) {
  static char paths[20][16];
  for (uint64_t i = 0; i < 20; i++) {
    snprintf(paths[i], sizeof(paths[i]), "/%u.service", (unsigned)i);
    fake_cgroups.paths[i] = paths[i];
    add(TCP_CLOSE_WAIT, i + 1, 10);
  }
  read_all();
  size_t told = 0;
  for (int i = 0; i < 3; i++) {
    size_t num = read_all();
    ck_assert_uint_le(num, STUCK_NOTICES);
    told += num;
  }
  ck_assert_uint_eq(told, 20);
  ck_assert_uint_eq(read_all(), 0);
}
END_TEST

static void make_process(const char *pid, const char *command, uint32_t first,
                         uint32_t num) {
  char path[64], link[32];
  snprintf(path, sizeof(path), "/%s/comm", pid);
  temp_tree_file(&proc, path, command);
  for (uint32_t i = 0; i < num; i++) {
    snprintf(path, sizeof(path), "/%s/fd/%u", pid, i);
    snprintf(link, sizeof(link), "socket:[%u]", first + i);
    temp_tree_link(&proc, path, link);
  }
}

START_TEST(processes_are_counted_when_asked_for) {
  settings.notify_processes = _i;
  make_process("4711", "curl\n", 1000, 7);
  make_process("80", "nginx\n", 1007, 3);
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_str_eq(meta(find_notice("api.service", ALARM_WARNING), "processes"),
                   _i ? "curl[4711] (7), nginx[80] (3)" : "(none)");
  ck_assert(!stuck.no_processes);
}
END_TEST

/* Users decide how many processes and descriptors are to be read, and how often
 * their sockets are too many. */
START_TEST(searches_take_a_twentieth_of_the_time_at_most) {
  settings.notify_processes = true;
  search_takes = 100;
  add(TCP_CLOSE_WAIT, 1, LIMIT);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_uint_eq(searches, 1);
  int64_t said = time_of(CLOCK_MONOTONIC);

  /* An OKAY needs none. */
  remove_last(LIMIT);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  find_notice("api.service", ALARM_OKAY);
  ck_assert_uint_eq(searches, 1);

  add(TCP_CLOSE_WAIT, 2, LIMIT);
  while (read_all() == 0)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  find_notice("web.service", ALARM_WARNING);
  ck_assert_uint_eq(searches, 2);
  ck_assert_int_ge(time_of(CLOCK_MONOTONIC) - said, 19 * search_takes);
}
END_TEST

START_TEST(a_warning_that_names_no_processes_waits_for_no_search) {
  add(TCP_CLOSE_WAIT, 1, LIMIT);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  add(TCP_CLOSE_WAIT, 2, LIMIT);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_uint_eq(searches, 0);
}
END_TEST

START_TEST(what_a_read_that_was_given_up_found_is_told_after_the_next) {
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  add(TCP_CLOSE_WAIT, 2, 10);
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(read_again(), 1);
    find_notice("api.service", ALARM_WARNING);
  }
  ck_assert_uint_eq(read_all(), 0);
  ck_assert_uint_eq(read_all(), 1);
  find_notice("web.service", ALARM_WARNING);
}
END_TEST

START_TEST(the_service_s_own_processes_are_searched_first) {
  settings.notify_processes = true;
  /* In which order they are found is the file system's choice. */
  if (_i == 0)
    make_process("80", "nginx\n", 1000, 5);
  make_process("4711", "curl\n", 1005, 5);
  if (_i == 1)
    make_process("80", "nginx\n", 1000, 5);
  temp_tree_file(&proc, "/4711/cgroup", "0::/api.service\n");
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_str_eq(meta(find_notice("api.service", ALARM_WARNING), "processes"),
                   "curl[4711] (5), nginx[80] (5)");
}
END_TEST

START_TEST(of_what_is_not_accepted_the_listener_is_named) {
  settings.notify_processes = true;
  make_process("4711", "hang\n", 77, 1);
  add(TCP_CLOSE_WAIT, 1, 10);
  for (size_t i = 0; i < sockets_num; i++)
    sockets[i].inode = 0;
  sockets[sockets_num++] = (struct diag_socket){
      .state = TCP_LISTEN, .inode = 77, .local_port = 443, .cgroup_id = 1};
  sockets[sockets_num++] = (struct diag_socket){
      .state = TCP_LISTEN, .inode = 78, .local_port = 80, .cgroup_id = 1};
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  const struct notice *notice = find_notice("api.service", ALARM_WARNING);
  ck_assert_str_eq(meta(notice, "processes"), "hang[4711] listens");
  ck_assert_str_eq(meta(notice, "not_accepted"), "10");
  ck_assert_ptr_nonnull(strstr(notice->text, "does not call accept()"));
}
END_TEST

START_TEST(peers_are_told_when_asked_for) {
  settings.notify_peers = true;
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_str_eq(meta(find_notice("api.service", ALARM_WARNING), "peers"),
                   "192.0.2.7: 10");
}
END_TEST

/* Between the dumps of one read sockets vanish, and the second can fail. */
START_TEST(what_the_second_dump_does_not_have_is_told_by_number) {
  settings.notify_processes = settings.notify_peers = true;
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  ages_start(&ages, true, AFTER * 1000);
  const struct holder holder = whose_holder(&stuck.whose, &sockets[0]);
  holders_reset(&stuck.holders);
  for (int i = 0; i < 10; i++)
    holders_add(&stuck.holders, &holder, (AFTER + 1) * 1000, false);
  sockets_num = _i == 0 ? 0 : 10;
  dump_error = _i == 0 ? 0 : -ENOBUFS;
  const struct stuck_read read = {&settings, &ages, &dump, proc.root};
  stuck_update(&stuck, &read);
  ck_assert_uint_eq(stuck.notices_num, 1);
  check_text("api.service", ALARM_WARNING,
             "10 sockets of api.service in CLOSE");
  const struct notice *notice = find_notice("api.service", ALARM_WARNING);
  ck_assert_str_eq(meta(notice, "processes"), "(none)");
  ck_assert_str_eq(meta(notice, "ports"), "(none)");
  ck_assert_str_eq(meta(notice, "peers"), "(none)");
}
END_TEST

START_TEST(without_memory_it_is_told_after_the_next_read) {
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  fail_at = _i + 1;
  ck_assert_uint_eq(read_all(), 0);
  ck_assert_int_eq(fail_at, 0);
  ck_assert_uint_eq(read_all(), 1);
  check_text("api.service", ALARM_WARNING,
             "10 sockets of api.service in CLOSE");
}
END_TEST

START_TEST(without_memory_for_it_processes_are_not_looked_for) {
  settings.notify_processes = true;
  make_process("4711", "curl\n", 1000, 10);
  add(TCP_CLOSE_WAIT, 1, 10);
  read_all();
  fail_at = 3;
  ck_assert_uint_eq(read_all(), 1);
  ck_assert_str_eq(meta(find_notice("api.service", ALARM_WARNING), "processes"),
                   "(none)");
  ck_assert(stuck.no_processes);
  ck_assert_int_eq(stuck.search.error, -ENOMEM);
}
END_TEST

START_TEST(it_is_known_which_names_are_missing) {
  settings.notify_processes = true;
  temp_tree_directory(&proc, "/1");
  add(TCP_CLOSE_WAIT, 99, 10);
  read_all();
  ck_assert(!stuck.no_cgroups && !stuck.no_processes);
  ck_assert_uint_eq(read_all(), 1);
  check_text("443-local", ALARM_WARNING,
             "10 sockets on local port 443 in CLOS");
  ck_assert_str_eq(meta(find_notice("443-local", ALARM_WARNING), "processes"),
                   "not all could be read");
  ck_assert(stuck.no_cgroups && stuck.no_processes);
  read_all();
  ck_assert(!stuck.no_cgroups && !stuck.no_processes);
}
END_TEST

START_TEST(small_holders_make_a_large_one_a_lower_bound) {
  add(TCP_CLOSE_WAIT, 1, 1500);
  for (uint32_t i = 0; i < 1000; i++) {
    add(TCP_CLOSE_WAIT, 0, 1);
    sockets[sockets_num - 1].local_port = (uint16_t)(1 + i);
  }
  read_all();
  ck_assert_uint_eq(read_all(), 1);
  check_text("api.service", ALARM_WARNING, "At least 149");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("stuck");
  TCase *tc = tcase_create("stuck");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(tc, a_leak_is_told_in_the_second_read_and_when_it_is_over,
                      0, CASES(states));
  tcase_add_loop_test(tc, a_container_is_asked_when_it_is_told, 0, 2);
  tcase_add_test(tc, a_container_is_not_asked_when_it_is_over);
  tcase_add_test(tc, each_is_told_with_the_ports_of_its_own_sockets);
  tcase_add_test(tc, each_holder_has_its_own_alarm);
  tcase_add_test(tc, all_speaks_where_no_holder_has_enough);
  tcase_add_test(tc, all_is_silent_while_a_holder_has_enough);
  tcase_add_test(tc, several_control_groups_of_one_name_are_one_holder);
  tcase_add_test(tc, eight_are_told_in_a_read_and_the_others_in_the_next);
  tcase_add_loop_test(tc, processes_are_counted_when_asked_for, 0, 2);
  tcase_add_test(tc, searches_take_a_twentieth_of_the_time_at_most);
  tcase_add_test(tc, a_warning_that_names_no_processes_waits_for_no_search);
  tcase_add_test(tc,
                 what_a_read_that_was_given_up_found_is_told_after_the_next);
  tcase_add_loop_test(tc, the_service_s_own_processes_are_searched_first, 0, 2);
  tcase_add_test(tc, of_what_is_not_accepted_the_listener_is_named);
  tcase_add_test(tc, peers_are_told_when_asked_for);
  tcase_add_loop_test(tc, what_the_second_dump_does_not_have_is_told_by_number,
                      0, 2);
  tcase_add_loop_test(tc, without_memory_it_is_told_after_the_next_read, 0, 2);
  tcase_add_test(tc, without_memory_for_it_processes_are_not_looked_for);
  tcase_add_test(tc, it_is_known_which_names_are_missing);
  tcase_add_test(tc, small_holders_make_a_large_one_a_lower_bound);
  suite_add_tcase(suite, tc);
  return check_main_forked(suite);
}
