/* SPDX-License-Identifier: MIT */
/* netns_pattern.c, with netns.c and netns_sum.c: files with a number stand for
 * namespaces with this many time-wait buckets. Link with -Wl,--wrap=setns,
 * --wrap=snapshot_read, --wrap=netns_search, --wrap=netns_sum_take, and see
 * netns_clock.h. */
#include "netns_pattern.h"

#include "check_main.h"
#include "netns_clock.h"
#include "netns_search.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct temp_tree tree;
static char paths[4][512];
static char *path_list[] = {paths[0], paths[1], paths[2], paths[3]};
static struct settings_namespace block;
static struct settings settings = {.namespaces = &block, .namespaces_num = 1};
static struct netns_set set;
static struct netns_pattern pattern;
static int64_t now; /* ms, of the last read */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool hangs;               /* those whose number is negative */
static bool inside[NETNS_SLOTS]; /* the slot's read has come to where it does */
static int64_t cost;             /* ns of CPU time of each read */
static int64_t search_cost;      /* ns of CPU time of each search */
static int searches;
static bool take_fails; /* there is no memory for what one has found */
static void (*after_search)(void);
static int64_t take_cost; /* ns of CPU time to take what each has found */
static _Thread_local int here;
static int reads[2000];                         /* by the namespace's number */
static bool empty[2000];                        /* it has no socket */
static bool in_use[NETNS_SLOTS], in_read[2000]; /* slots, namespaces */

/* What a read of the namespace of this number finds wrong. */
static struct {
  int number;
  int sockets_error, file_error, cgroups_error;
} fault;

bool netns_clock_hangs(size_t at) {
  pthread_mutex_lock(&lock);
  bool does = inside[at];
  pthread_mutex_unlock(&lock);
  return does;
}

/* Enters the namespace whose file it is. */
int __wrap_setns(int fd, int type);
int __wrap_setns(int fd, int type) {
  (void)type;
  char text[32] = "";
  ck_assert_int_ge(pread(fd, text, sizeof(text) - 1, 0), 0);
  if (strcmp(text, "denied") == 0) {
    errno = EPERM;
    return -1;
  }
  if (strcmp(text, "none") == 0) {
    errno = EINVAL;
    return -1;
  }
  if (strcmp(text, "gone") == 0) {
    errno = ESRCH;
    return -1;
  }
  here = atoi(text);
  return 0;
}

void __wrap_snapshot_read(struct snapshot_reader *reader, struct snapshot *out);
void __wrap_snapshot_read(struct snapshot_reader *reader,
                          struct snapshot *out) {
  size_t slot = 0;
  while (&set.netns[slot].reader != reader)
    slot++;
  /* What it remembers is this namespace's. */
  struct alarm *alarm = &reader->stuck->alarms.alarm[0];
  uint32_t *met = &reader->ages.lost, *met_mptcp = &reader->mptcp->ages.lost;
  ck_assert_uint_eq(*met_mptcp, *met);
  ck_assert_uint_eq(alarm->said, *met > 0 ? (uint32_t)abs(here) : 0);
  snprintf(alarm->holder, sizeof(alarm->holder), "holder%d", abs(here));
  alarm->said = (uint32_t)abs(here);
  struct stuck *stuck = reader->stuck;
  if (stuck->notices_num == 0 && here < 0) {
    stuck->notices = calloc(1, sizeof(*stuck->notices));
    ck_assert_ptr_nonnull(stuck->notices);
    stuck->notices_num = 1;
    memcpy(stuck->notices[0].holder, alarm->holder, sizeof(alarm->holder));
  }
  if (stuck->notices_num > 0)
    ck_assert_str_eq(stuck->notices[0].holder, alarm->holder);
  pthread_mutex_lock(&lock);
  ck_assert(!in_use[slot] && !in_read[abs(here)]);
  in_use[slot] = in_read[abs(here)] = true;
  reads[abs(here)]++;
  ++*met;
  ++*met_mptcp;
  while (hangs && here < 0) {
    inside[slot] = true;
    pthread_cond_wait(&released, &lock);
  }
  inside[slot] = in_use[slot] = in_read[abs(here)] = false;
  pthread_mutex_unlock(&lock);
  netns_clock_cpu += cost;
  *out = (struct snapshot){.index = &reader->index,
                           .tally = &reader->tally,
                           .sockstat = {.tw = empty[abs(here)] ? 0 : abs(here)},
                           .tcp_fin_timeout = abs(here),
                           .tcp_max_tw_buckets = 1000};
  if (fault.number != here)
    return;
  out->sockets_error = fault.sockets_error;
  out->file_error = fault.file_error;
  out->file = fault.file_error == 0 ? NULL : "/proc/x";
  out->cgroups = fault.cgroups_error == 0 ? NULL : "/sys/fs/cgroup/x";
  out->cgroups_error = fault.cgroups_error;
}

bool __real_netns_search(struct netns_pattern *of);
bool __wrap_netns_search(struct netns_pattern *of);
bool __wrap_netns_search(struct netns_pattern *of) {
  searches++;
  netns_clock_cpu += search_cost;
  bool whole = __real_netns_search(of);
  if (after_search != NULL)
    after_search();
  return whole;
}

int __real_netns_sum_take(struct netns_sum *sum, struct netns_part *part,
                          const struct settings *from,
                          const struct snapshot *snapshot);
int __wrap_netns_sum_take(struct netns_sum *sum, struct netns_part *part,
                          const struct settings *from,
                          const struct snapshot *snapshot);
int __wrap_netns_sum_take(struct netns_sum *sum, struct netns_part *part,
                          const struct settings *from,
                          const struct snapshot *snapshot) {
  netns_clock_cpu += take_cost;
  if (take_fails) {
    netns_sum_drop(sum, part);
    return -ENOMEM;
  }
  return __real_netns_sum_take(sum, part, from, snapshot);
}

static void let_hang(bool let) {
  pthread_mutex_lock(&lock);
  hangs = let;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&lock);
}

static void number(const char *name, const char *text) {
  temp_tree_file(&tree, name, text);
}

/* Another path to the same. */
static void also(const char *name, const char *target) {
  char from[512], to[512];
  snprintf(from, sizeof(from), "%s%s", tree.root, target);
  snprintf(to, sizeof(to), "%s%s", tree.root, name);
  ck_assert_int_eq(link(from, to), 0);
}

static void set_up(void) {
  netns_clock_set = &set;
  tree = temp_tree_make();
  static const char *const patterns[] = {"/run/*", "/proc/[0-9]*/ns/net",
                                         "/single", "/docker/*"};
  for (size_t i = 0; i < CASES(patterns); i++)
    snprintf(paths[i], sizeof(paths[i]), "%s%s", tree.root, patterns[i]);
  block = (struct settings_namespace){.paths = path_list,
                                      .paths_num = CASES(patterns),
                                      .pattern = true,
                                      .budget = 2};
  settings_init(&block.settings);
  block.settings.other_namespace = true;
  block.settings.all_ports_summary = CHOICE_FALSE;
  block.settings.report = REPORT_LIMITS | REPORT_FIN_TIMEOUT | REPORT_BY_STATE;
  block.settings.notify_stuck = 1;
  static char mptcp_name[] = "mptcp";
  static struct group mptcp = {.name = mptcp_name,
                               .filter = {.protocol = FILTER_MPTCP}};
  block.settings.groups = &mptcp;
  block.settings.mptcp_num = 1;
  number("/proc/self/ns/net", "500");
  number("/run/a", "5");
  number("/run/b", "7");
  ck_assert_int_eq(netns_open(&set, &settings, "/proc", NULL, NULL), 0);
  static char proc[300];
  snprintf(proc, sizeof(proc), "%s/proc", tree.root);
  netns_pattern_open(&pattern, &block, set.netns, proc);
  now = 1000;
}

static void tear_down(void) {
  ck_assert_uint_eq(netns_close(&set), 0);
  netns_pattern_close(&pattern);
  temp_tree_remove(&tree);
}

static char over[256]; /* holders of alarms that are over */
static char told[256]; /* those of the last read's notices */

static struct {
  double buckets, percent, namespaces, age;
  size_t num;
} got;

static int64_t value_cost; /* ns of CPU time that each takes */

static void note_value(const struct metric *metric, void *data) {
  (void)data;
  netns_clock_cpu += value_cost;
  ck_assert_str_eq(metric->plugin_instance, "all");
  got.num++;
  if (strcmp(metric->type, "current_connections") == 0)
    got.buckets = metric->value;
  else if (strcmp(metric->type, "percent") == 0)
    got.percent = metric->value;
  else if (strcmp(metric->type_instance, "namespaces") == 0)
    got.namespaces = metric->value;
  else if (strcmp(metric->type_instance, "namespaces_age") == 0)
    got.age = metric->value;
  else
    ck_abort_msg("%s is a setting", metric->type_instance);
}

static void note_over(const struct alarm *alarm, void *data) {
  (void)data;
  snprintf(over + strlen(over), sizeof(over) - strlen(over), "%s %u\n",
           alarm->holder, alarm->said);
}

static size_t in_time = SIZE_MAX; /* after so many the time is over */

/* Returns how many were read by then. */
static size_t read_pattern_until(int64_t deadline) {
  now += 10000;
  netns_start(&set);
  netns_pattern_start(&pattern, &set, now, 10000000000, note_over, NULL);
  size_t ended = 0;
  struct netns *netns;
  told[0] = '\0';
  while ((netns = netns_next(&set, ended < in_time ? deadline : 0)) != NULL) {
    struct stuck *stuck = netns->reader.stuck;
    if (stuck->notices_num > 0)
      snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n",
               stuck->notices[0].holder);
    stuck_free(stuck);
    netns_pattern_take(&pattern, &set, netns);
    ended++;
  }
  memset(&got, 0, sizeof(got));
  ck_assert_uint_eq(netns_pattern_end(&pattern, note_value, NULL), got.num);
  return ended;
}

static size_t read_pattern(void) { return read_pattern_until(INT64_MAX / 2); }

static void assert_sum(double namespaces, double buckets) {
  ck_assert_double_eq(got.namespaces, namespaces);
  ck_assert_double_eq(got.buckets, buckets);
}

static const char *reason; /* of the last error */

static void assert_error(int expected, const char *path) {
  ck_assert_int_eq(netns_pattern_error(&pattern, &reason), expected);
  if (expected == 0)
    return;
  ck_assert_str_eq(pattern.failed + strlen(tree.root), path);
}

START_TEST(each_namespace_is_counted_once_and_collectds_own_never) {
  also("/run/a-again", "/run/a");
  also("/run/own", "/proc/self/ns/net");
  number("/proc/17/ns/net", "11");
  temp_tree_directory(&tree, "/proc/18/ns");
  also("/proc/18/ns/net", "/run/b");
  temp_tree_directory(&tree, "/proc/uptime/ns");
  also("/single", "/proc/17/ns/net");
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(read_pattern(), 3);
    assert_sum(3, 5 + 7 + 11);
    ck_assert_double_eq(got.percent, 1.1); /* of the fullest */
    ck_assert_double_eq(got.age, 0);
    ck_assert_uint_eq(got.num, 4);
    assert_error(0, "");
  }
}
END_TEST

START_TEST(they_come_and_go) {
  read_pattern();
  assert_sum(2, 12);
  number("/docker/new", "30");
  read_pattern();
  assert_sum(3, 42);
  ck_assert_str_eq(over, "");
  temp_tree_delete(&tree, "/run/b");
  read_pattern();
  assert_sum(2, 35);
  ck_assert_str_eq(over, "holder7 7\n");
  over[0] = '\0';

  /* One path ends, the namespace does not. */
  also("/single", "/run/a");
  temp_tree_delete(&tree, "/run/a");
  read_pattern();
  assert_sum(2, 35);

  /* All have gone: the values are 0 for some reads. */
  temp_tree_delete(&tree, "/single");
  temp_tree_delete(&tree, "/docker/new");
  for (int i = 0; i < NETNS_SUM_ZEROS; i++) {
    ck_assert_uint_eq(read_pattern(), 0);
    assert_sum(0, 0);
    ck_assert_uint_eq(got.num, 3);
  }
  read_pattern();
  ck_assert_uint_eq(got.num, 1);
  assert_error(0, "");
  number("/run/a", "9");
  read_pattern();
  assert_sum(1, 9);
}
END_TEST

START_TEST(a_path_that_leads_to_another_one_is_another_part) {
  read_pattern();
  number("/run/c", "20");
  temp_tree_delete(&tree, "/run/a");
  also("/run/a", "/run/c");
  read_pattern();
  assert_sum(2, 27);
}
END_TEST

/* With these numbers. Returns their sum. */
static double add_namespaces(int first, int num) {
  double sum = 0;
  for (int i = first; i < first + num; i++) {
    char name[32], text[16];
    snprintf(name, sizeof(name), "/run/ns%d", i);
    snprintf(text, sizeof(text), "%d", i);
    number(name, text);
    sum += i;
  }
  return sum;
}

START_TEST(what_does_not_fit_into_the_budget_is_read_in_turn) {
  enum { NAMESPACES = 20, READS = 300 };
  double sum = 12 + add_namespaces(100, NAMESPACES - 2);
  cost = 30000000; /* of 200 ms in each interval */
  size_t all = 0;
  int withheld = 0;
  for (int i = 0; i < READS; i++) {
    all += read_pattern();
    withheld += got.num == 0;
    ck_assert_uint_le(i > 0 ? 0 : all, 200 / 30 + NETNS_SLOTS);
    if (got.num == 0)
      continue;
    /* Until it is known what one costs, it may be more. */
    if (i > 0)
      ck_assert_uint_le(all * 30, (size_t)(i + 1) * 200);
    /* The sum is whole although few are read. */
    assert_sum(NAMESPACES, sum);
    ck_assert_double_le(got.age, 40);
  }
  ck_assert_int_ge(withheld, 1);
  ck_assert_int_le(withheld, NAMESPACES * 30 / 200 + 1);
  ck_assert_uint_ge(all * 30, READS * 200 - 200);
  /* The order in which they are found is the file system's. */
  int each = (int)all / NAMESPACES;
  for (int i = 0; i < NAMESPACES; i++) {
    int number = i < NAMESPACES - 2 ? 100 + i : i == NAMESPACES - 2 ? 5 : 7;
    ck_assert_int_le(abs(reads[number] - each), 1);
  }
}
END_TEST

static void add_empty(int first, int num) {
  add_namespaces(first, num);
  for (int i = first; i < first + num; i++)
    empty[i] = true;
}

/* Reads until those that have no socket are known as idle. */
static void read_until_idle(void) {
  for (int i = 0; i < NETNS_PATTERN_IDLE; i++)
    read_pattern();
}

START_TEST(of_many_idle_ones_a_third_is_read_each_time) {
  enum { FIRST = 1000, EMPTY = 100, READS = 30 };
  add_empty(FIRST, EMPTY);
  for (int i = 0; i < NETNS_PATTERN_IDLE; i++)
    ck_assert_uint_eq(read_pattern(), EMPTY + 2);
  for (int i = 0; i < READS; i++) {
    ck_assert_uint_eq(read_pattern(), (EMPTY + 2) / 3 + 2);
    assert_sum(EMPTY + 2, 12);
    ck_assert_double_le(got.age, 20);
  }
  for (int i = FIRST; i < FIRST + EMPTY; i++)
    ck_assert_int_ge(reads[i], NETNS_PATTERN_IDLE + READS / 3);
  ck_assert_int_eq(reads[5], NETNS_PATTERN_IDLE + READS);

  /* One that has a socket is seen three reads later, and each time then. */
  empty[FIRST + 50] = false;
  for (int i = 0; i < 3; i++)
    read_pattern();
  assert_sum(EMPTY + 2, 12 + FIRST + 50);
  int before = reads[FIRST + 50];
  for (int i = 0; i < READS; i++)
    read_pattern();
  ck_assert_int_eq(reads[FIRST + 50], before + READS);
  ck_assert_int_eq(reads[7], NETNS_PATTERN_IDLE + 2 * READS + 3);

  /* It is idle only after three reads in a row. */
  for (int i = 0; i < READS; i++) {
    empty[FIRST + 50] = i % NETNS_PATTERN_IDLE != 0;
    read_pattern();
  }
  ck_assert_int_eq(reads[FIRST + 50], before + 2 * READS);
}
END_TEST

START_TEST(few_idle_ones_are_read_each_time) {
  add_empty(1000, NETNS_PATTERN_LEAST);
  for (int i = 0; i < 10; i++) {
    ck_assert_uint_eq(read_pattern(), NETNS_PATTERN_LEAST + 2);
    ck_assert_double_eq(got.age, 0);
  }
}
END_TEST

/* What it has is not known: it may be as far from idle as it was before. */
START_TEST(one_that_cannot_be_read_is_not_idle) {
  add_empty(1000, 100);
  empty[5] = true;
  read_until_idle();
  fault.number = 5;
  fault.sockets_error = -ENOENT;
  for (int i = 0; i < 3; i++)
    read_pattern();
  int before = reads[5];
  for (int i = 0; i < 10; i++)
    read_pattern();
  fault.number = 0;
  read_until_idle();
  ck_assert_int_eq(reads[5], before + 10 + NETNS_PATTERN_IDLE);
}
END_TEST

START_TEST(one_that_hung_is_not_idle) {
  add_empty(1000, 100);
  number("/run/hangs", "-100");
  empty[100] = true;
  read_until_idle();
  let_hang(true);
  for (int i = 0; i < 3; i++)
    read_pattern();
  assert_error(-ETIMEDOUT, "/run/hangs");
  let_hang(false);
  netns_clock_await_threads(0);
  int before = reads[100];
  read_until_idle();
  ck_assert_int_eq(reads[100], before + NETNS_PATTERN_IDLE);
  assert_error(0, "");
}
END_TEST

START_TEST(a_search_that_costs_much_delays_no_idle_one) {
  enum { FIRST = 1000, EMPTY = 100, READS = 300 };
  add_empty(FIRST, EMPTY);
  search_cost = 300000000; /* of 200 ms in each interval, half of it for this */
  for (int i = 0; i < READS; i++)
    read_pattern();
  ck_assert_int_le(searches, READS / 3 + 2);
  for (int i = FIRST; i < FIRST + EMPTY; i++)
    ck_assert_int_ge(reads[i], READS / 3 * 3 / 4);
}
END_TEST

START_TEST(one_that_costs_more_than_the_budget_is_read_when_it_is_saved) {
  cost = 500000000; /* 200 in each interval */
  size_t all = 0;
  for (int i = 0; i < 100; i++)
    all += read_pattern();
  ck_assert_uint_le(all * 500, 100 * 200 + 500);
  ck_assert_uint_ge(all * 500, 100 * 200 - 500);
  ck_assert_int_le(abs(reads[5] - reads[7]), 1);
}
END_TEST

START_TEST(the_budget_of_an_interval_is_enough_to_begin_any_read) {
  cost = 400000000; /* 200 in each interval */
  ck_assert_uint_eq(read_pattern(), 2);
  int intervals = 1;
  while (read_pattern() == 0)
    intervals++;
  ck_assert_int_eq(intervals, 2 * 400 / 200);
}
END_TEST

/* Users decide how many processes there are, and so how long it takes to search
 * /proc. */
static const struct {
  int search, read; /* ms, of 200 in each interval */
} searches_that_cost[] = {{100, 10},  {300, 10},  {300, 150},
                          {390, 50},  {500, 10},  {1000, 10},
                          {5000, 50}, {300, 500}, {2000, 2000}};

START_TEST(a_search_that_costs_more_than_the_budget_starves_no_read) {
  enum { READS = 400 };
  const int64_t ms = 1000000, budget = 200 * ms * READS;
  search_cost = searches_that_cost[_i].search * ms;
  cost = searches_that_cost[_i].read * ms;
  size_t all = 0;
  for (int i = 0; i < READS; i++)
    all += read_pattern();
  int64_t used = searches * search_cost + (int64_t)all * cost;
  int64_t useful = READS * (search_cost + 2 * cost);
  ck_assert_int_le(used, budget + search_cost + cost);
  ck_assert_int_ge(used, (useful < budget ? useful : budget) -
                             2 * (search_cost + cost));
  /* What was found is read before the next search. */
  ck_assert_int_ge((int)all + 2, searches);
  ck_assert_int_le(abs(reads[5] - reads[7]), 1);
  assert_sum(2, 12);
}
END_TEST

START_TEST(half_of_the_budget_is_for_reads) {
  enum { NAMESPACES = 50, READS = 400 };
  double sum = 12 + add_namespaces(100, NAMESPACES - 2);
  search_cost = 300000000; /* of 200 ms in each interval */
  cost = 30000000;
  size_t all = 0;
  for (int i = 0; i < READS; i++)
    all += read_pattern();
  ck_assert_uint_ge(all * 30, READS * 200 / 2 - 1000);
  ck_assert_int_ge(searches * 300, READS * 200 / 2 - 1000);
  assert_sum(NAMESPACES, sum);
}
END_TEST

START_TEST(without_time_for_any_there_is_no_sum_until_there_is) {
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(read_pattern_until(0), 0);
    ck_assert_uint_eq(got.num, 0);
  }
  ck_assert_uint_eq(read_pattern(), 2);
  assert_sum(2, 12);
  number("/run/c", "20");
  ck_assert_uint_eq(read_pattern_until(0), 0);
  assert_sum(2, 12);
  ck_assert_uint_eq(read_pattern(), 3);
  assert_sum(3, 32);
}
END_TEST

START_TEST(one_that_hangs_keeps_its_part_and_nobody_from_being_read) {
  number("/run/hangs", "-100");
  read_pattern();
  assert_sum(3, 112);
  let_hang(true);
  number("/run/c", "20");
  for (int i = 1; i <= 3; i++) {
    ck_assert_uint_eq(read_pattern(), 3);
    assert_sum(4, 132);
    ck_assert_double_eq(got.age, 10 * i);
    assert_error(-ETIMEDOUT, "/run/hangs");
    ck_assert_str_eq(reason, "not read in time");
  }
  let_hang(false);
  netns_clock_await_threads(0);
  ck_assert_uint_eq(read_pattern(), 4);
  assert_sum(4, 132);
  ck_assert_double_eq(got.age, 0);
  assert_error(0, "");
}
END_TEST

START_TEST(what_a_late_read_takes_is_of_the_budget_too) {
  number("/run/hangs", "-100");
  read_pattern();
  let_hang(true);
  read_pattern();
  cost = 1000000000; /* of 200 ms in each interval */
  let_hang(false);
  netns_clock_await_threads(0);
  cost = 0;
  int intervals = 0;
  while (read_pattern() == 0)
    intervals++;
  /* The budget of two is saved at most. */
  ck_assert_int_ge(intervals, 1000 / 200 - 2);
  ck_assert_int_le(intervals, 1000 / 200);
}
END_TEST

START_TEST(one_that_hangs_from_the_start_is_no_part) {
  number("/run/hangs", "-100");
  let_hang(true);
  read_pattern();
  assert_sum(2, 12);
  let_hang(false);
  netns_clock_await_threads(0);
  read_pattern();
  assert_sum(3, 112);
}
END_TEST

/* It is found last and does not come first afterwards: not in the first slot.
 */
static void hang_until_it_is_late(void) {
  over[0] = '\0';
  number("/docker/hangs", "-100");
  let_hang(true);
  read_pattern();
  ck_assert_str_eq(told, "");
  let_hang(false);
  netns_clock_await_threads(0);
}

START_TEST(what_there_was_to_say_when_it_hung_is_said_after_its_next_read) {
  hang_until_it_is_late();
  number("/run/c", "20"); /* the first to be read now */
  read_pattern();
  ck_assert_str_eq(told, "holder100\n");
  assert_sum(4, 132);
}
END_TEST

START_TEST(of_one_that_hung_and_has_ended_nothing_is_said_any_more) {
  hang_until_it_is_late();
  temp_tree_delete(&tree, "/docker/hangs");
  number("/run/c", "20"); /* its slot is another one's now */
  read_pattern();
  ck_assert_str_eq(told, "");
  ck_assert_str_eq(over, "holder100 100\n");
}
END_TEST

START_TEST(as_many_that_hang_as_there_are_slots_stop_the_pattern_only) {
  char name[32], text[16];
  double sum = 12;
  for (int i = 0; i < NETNS_SLOTS + 2; i++) {
    snprintf(name, sizeof(name), "/run/hangs%d", i);
    snprintf(text, sizeof(text), "-%d", 100 + i);
    number(name, text);
    sum += 100 + i;
  }
  read_pattern();
  assert_sum(NETNS_SLOTS + 4, sum);
  let_hang(true);
  for (int i = 0; i < 5; i++) {
    read_pattern();
    assert_sum(NETNS_SLOTS + 4, sum);
  }
  /* Nothing of it is in the sum for ever. */
  now += NETNS_PATTERN_KEEP;
  read_pattern();
  ck_assert_double_lt(got.namespaces, NETNS_SLOTS + 4);
  let_hang(false);
  netns_clock_await_threads(0);
  read_pattern();
  assert_sum(NETNS_SLOTS + 4, sum);
}
END_TEST

START_TEST(one_that_denies_entry_is_said_and_no_part) {
  number("/run/a", "denied");
  read_pattern();
  assert_sum(1, 7);
  assert_error(-EPERM, "/run/a");
  ck_assert_ptr_eq(strstr(reason, "not allowed to enter it"), reason);
  number("/run/a", "5");
  read_pattern();
  assert_sum(2, 12);
  assert_error(0, "");

  /* Others choose its name. */
  number("/run/\033[31m", "denied");
  read_pattern();
  assert_error(-EPERM, "/run/?[31m");
  temp_tree_delete(&tree, "/run/\033[31m");
  read_pattern();

  /* Its last counts stay for a while. */
  char path[512];
  snprintf(path, sizeof(path), "%s/run/a", tree.root);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs("denied", file);
  fclose(file);
  read_pattern();
  assert_sum(2, 12);
  assert_error(-EPERM, "/run/a");
  now += NETNS_PATTERN_KEEP - 20000;
  read_pattern();
  assert_sum(2, 12);
  read_pattern();
  assert_sum(1, 7);
}
END_TEST

static const struct {
  int sockets_error, file_error;
  int expected;
  const char *reason; /* what is in it; NULL: it is strerror()'s */
  int cgroups_error;
} faults[] = {
    {-ENOENT, 0, -ENOENT, "modprobe tcp_diag", 0},
    {0, -EACCES, -EACCES, NULL, 0},
    {0, -EBADMSG, -EBADMSG, "not understood", 0},
    {-ENOENT, -EIO, -ENOENT, "modprobe tcp_diag", 0},
    {-ENOENT, 0, -ENOENT, "modprobe tcp_diag", -EOVERFLOW},
    /* The other values are new. The control groups are the machine's. */
    {0, 0, 0, NULL, -ENODEV},
    {0, 0, 0, NULL, -EOVERFLOW},
};

START_TEST(what_a_read_could_not_read_is_said) {
  read_pattern();
  assert_sum(2, 12);
  fault.number = 5;
  fault.sockets_error = faults[_i].sockets_error;
  fault.file_error = faults[_i].file_error;
  fault.cgroups_error = faults[_i].cgroups_error;
  for (int i = 1; i <= 3; i++) {
    read_pattern();
    assert_sum(2, 12);
    ck_assert_double_eq(got.age, faults[_i].expected == 0 ? 0 : 10 * i);
    assert_error(faults[_i].expected, "/run/a");
    if (faults[_i].reason == NULL)
      ck_assert_ptr_null(reason);
    else
      ck_assert_ptr_nonnull(strstr(reason, faults[_i].reason));
  }
  fault.number = 0;
  read_pattern();
  ck_assert_double_eq(got.age, 0);
  assert_error(0, "");
}
END_TEST

START_TEST(without_memory_for_its_part_it_is_not_counted) {
  read_pattern();
  take_fails = true;
  read_pattern();
  assert_sum(0, 0);
  ck_assert_int_eq(netns_pattern_error(&pattern, &reason), -ENOMEM);
  take_fails = false;
  read_pattern();
  assert_sum(2, 12);
  assert_error(0, "");
}
END_TEST

START_TEST(one_that_ends_before_it_is_read_is_no_error) {
  number("/run/a", "gone");
  read_pattern();
  assert_sum(1, 7);
  assert_error(0, "");
}
END_TEST

/* More than two intervals' are not saved. */
START_TEST(what_was_not_used_is_not_used_all_at_once) {
  add_namespaces(100, 18);
  for (int i = 0; i < 100; i++)
    ck_assert_uint_eq(read_pattern(), 20);
  cost = 150000000; /* of 200 ms in each interval */
  ck_assert_uint_le(read_pattern(), 400 / 150 + 1 + NETNS_SLOTS);
}
END_TEST

START_TEST(what_there_was_no_time_for_costs_nothing) {
  cost = 150000000; /* of 200 ms in each interval, at most 400 */
  read_pattern();
  for (int i = 0; i < 8; i++) {
    for (int k = 0; k < 4 + i; k++)
      ck_assert_uint_eq(read_pattern_until(0), 0);
    ck_assert_uint_eq(read_pattern(), 2);
  }
}
END_TEST

/* Containers choose for which ports and services there are values. */
START_TEST(what_its_values_take_is_part_of_the_budget_up_to_half_of_it) {
  enum { READS = 100 };
  cost = 100000000;
  value_cost = 100000000; /* four values: 400 of 200 ms in each interval */
  size_t all = 0;
  for (int i = 0; i < READS; i++)
    all += read_pattern();
  ck_assert_uint_le(all * 100, READS * 100 + 300);
  ck_assert_uint_ge(all * 100, READS * 100 - 300);
}
END_TEST

/* Single namespaces that are read before it can take up the interval. */
START_TEST(what_waits_at_the_end_of_each_read_withholds_no_sum) {
  enum { NAMESPACES = 20 };
  double sum = 12 + add_namespaces(100, NAMESPACES - 2);
  in_time = 1;
  for (int i = 0; i < 10; i++) {
    ck_assert_uint_le(read_pattern(), NETNS_SLOTS);
    if (i * NETNS_SLOTS >= NAMESPACES)
      assert_sum(NAMESPACES, sum);
  }
  for (int i = 0; i < NAMESPACES - 2; i++)
    ck_assert_int_ge(reads[100 + i], 10 * NETNS_SLOTS / NAMESPACES - 1);
}
END_TEST

/* A process's number, and the name of a namespace, can be given anew. */
static void replace_by_own(void) {
  temp_tree_delete(&tree, "/run/a");
  also("/run/a", "/proc/self/ns/net");
}

START_TEST(another_namespace_at_the_path_by_then_is_not_read) {
  read_pattern();
  assert_sum(2, 12);
  after_search = replace_by_own;
  ck_assert_uint_eq(read_pattern(), 2);
  assert_sum(2, 12);
  ck_assert_double_eq(got.age, 10);
  assert_error(0, "");
  ck_assert_int_eq(reads[500], 0);
  after_search = NULL;
  read_pattern();
  assert_sum(1, 7);
  ck_assert_str_eq(over, "holder5 5\n");
}
END_TEST

START_TEST(what_it_takes_to_remember_them_is_part_of_the_budget) {
  take_cost = 200000000; /* of 200 ms in each interval */
  size_t all = 0;
  for (int i = 0; i < 100; i++)
    all += read_pattern();
  ck_assert_uint_le(all, 100 + 2);
  ck_assert_uint_ge(all, 100 - 2);
}
END_TEST

START_TEST(a_path_that_cannot_be_followed_is_said) {
  temp_tree_link(&tree, "/run/loop", "loop");
  read_pattern();
  assert_sum(2, 12);
  assert_error(-ELOOP, "/run/loop");
  temp_tree_delete(&tree, "/run/loop");

  /* One that has ended leads nowhere. */
  temp_tree_link(&tree, "/run/nowhere", "nothing");
  read_pattern();
  assert_error(0, "");
}
END_TEST

START_TEST(a_single_path_that_cannot_be_followed_is_said) {
  temp_tree_link(&tree, "/loop", "loop");
  snprintf(paths[2], sizeof(paths[2]), "%s/loop/single", tree.root);
  read_pattern();
  assert_sum(2, 12);
  assert_error(-ELOOP, "/loop/single");
  temp_tree_delete(&tree, "/loop");
  read_pattern();
  assert_error(0, "");
}
END_TEST

/* ip-netns(8) has such a file before and after a namespace. */
START_TEST(a_file_that_is_no_namespace_for_a_moment_is_not_said) {
  static const char *const others[] = {"/proc/version", "/proc/uptime",
                                       "/proc/loadavg"};
  for (size_t i = 0; i < CASES(others); i++) {
    temp_tree_link(&tree, "/run/file", others[i]);
    read_pattern();
    assert_sum(2, 12);
    assert_error(0, "");
    temp_tree_delete(&tree, "/run/file");
  }
  /* After the search has found a namespace there. */
  number("/run/new", "none");
  read_pattern();
  assert_sum(2, 12);
  assert_error(0, "");
}
END_TEST

/* Who may write where a pattern leads to could take all places with files. */
START_TEST(what_is_no_namespace_is_said_and_takes_no_place) {
  temp_tree_link(&tree, "/run/file", "/proc/version");
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq(read_pattern(), 2);
    ck_assert_uint_eq(pattern.num, 2);
    assert_sum(2, 12);
    assert_error(i == 0 ? 0 : -EINVAL, "/run/file");
    if (i == 0)
      continue;
    ck_assert_str_eq(reason, "this file is not a network namespace");
  }
  temp_tree_delete(&tree, "/run/file");
  read_pattern();
  assert_error(0, "");
}
END_TEST

/* How many descriptors may be open. */
static rlim_t limit_descriptors(rlim_t most) {
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlim_t before = limit.rlim_cur;
  limit.rlim_cur = most;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  return before;
}

START_TEST(without_descriptors_the_last_counts_stay) {
  number("/docker/c", "30");
  read_pattern();
  assert_sum(3, 42);
  over[0] = '\0';
  for (int i = 1; i <= 3; i++) {
    rlim_t before = limit_descriptors(0);
    read_pattern();
    limit_descriptors(before);
    assert_sum(3, 42);
    ck_assert_double_eq(got.age, 10 * i);
    ck_assert_str_eq(over, "");
    assert_error(-EMFILE, "/run");
  }
  /* What ends meanwhile is known to. */
  temp_tree_delete(&tree, "/run/b");
  rlim_t before = limit_descriptors(0);
  read_pattern();
  assert_sum(2, 35);
  ck_assert_str_eq(over, "holder7 7\n");
  now += NETNS_PATTERN_KEEP;
  read_pattern();
  limit_descriptors(before);
  assert_sum(0, 0);
  read_pattern();
  assert_sum(2, 35);
  assert_error(0, "");
}
END_TEST

START_TEST(what_is_in_a_directory_that_cannot_be_read_stays_for_a_while) {
  number("/docker/c", "30");
  read_pattern();
  over[0] = '\0';
  char from[512], to[512];
  snprintf(from, sizeof(from), "%s/docker", tree.root);
  snprintf(to, sizeof(to), "%s/moved", tree.root);
  ck_assert_int_eq(rename(from, to), 0);
  temp_tree_link(&tree, "/docker", "docker");
  for (int i = 0; i < 3; i++) {
    read_pattern();
    assert_sum(3, 42);
    ck_assert_str_eq(over, "");
    assert_error(-ELOOP, "/docker");
  }
  now += NETNS_PATTERN_KEEP;
  read_pattern();
  assert_sum(2, 12);
  ck_assert_str_eq(over, "holder30 30\n");
  assert_error(-ELOOP, "/docker");
  temp_tree_delete(&tree, "/docker");
  ck_assert_int_eq(rename(to, from), 0);
  read_pattern();
  assert_sum(3, 42);
  assert_error(0, "");
}
END_TEST

START_TEST(without_a_way_to_know_its_own_namespace_nothing_is_counted) {
  temp_tree_delete(&tree, "/proc/self/ns/net");
  ck_assert_uint_eq(read_pattern(), 0);
  ck_assert_uint_eq(got.num, 0);
  assert_error(-ENOENT, "/proc/self/ns/net");
  number("/proc/self/ns/net", "500");
  read_pattern();
  assert_sum(2, 12);
}
END_TEST

START_TEST(that_there_are_too_many_values_is_said) {
  read_pattern();
  size_t num = pattern.sum.num;
  for (int less = 0; less < 2; less++) {
    pattern.sum.num = NETNS_SUM_MAX + pattern.sum.unused - (size_t)less;
    ck_assert_int_eq(netns_pattern_error(&pattern, &reason),
                     less ? 0 : -ENOSPC);
    if (!less)
      ck_assert_str_eq(reason, "more than 65536 different values");
  }
  pattern.sum.num = num;
}
END_TEST

START_TEST(there_is_a_bound) {
  read_pattern();
  for (int i = 0; i < NETNS_PATTERN_MAX; i++) {
    char name[32];
    snprintf(name, sizeof(name), "/docker/%d", i);
    number(name, "1");
  }
  for (int i = 0; i < 3; i++) {
    read_pattern();
    ck_assert_int_eq(netns_pattern_error(&pattern, &reason), -E2BIG);
    ck_assert_str_eq(reason, "more than 1024 namespaces");
    /* Those that were there before stay. */
    assert_sum(NETNS_PATTERN_MAX, 12 + NETNS_PATTERN_MAX - 2);
  }
  temp_tree_delete(&tree, "/docker/1");
  temp_tree_delete(&tree, "/docker/2");
  read_pattern(); /* there is room once they have gone */
  read_pattern();
  assert_error(0, "");
  assert_sum(NETNS_PATTERN_MAX, 12 + NETNS_PATTERN_MAX - 2);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("netns_pattern");
  TCase *tcase = tcase_create("netns_pattern");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_test(tcase, each_namespace_is_counted_once_and_collectds_own_never);
  tcase_add_test(tcase, they_come_and_go);
  tcase_add_test(tcase, a_path_that_leads_to_another_one_is_another_part);
  tcase_add_test(tcase, what_does_not_fit_into_the_budget_is_read_in_turn);
  tcase_add_test(tcase, of_many_idle_ones_a_third_is_read_each_time);
  tcase_add_test(tcase, few_idle_ones_are_read_each_time);
  tcase_add_test(tcase, one_that_cannot_be_read_is_not_idle);
  tcase_add_test(tcase, one_that_hung_is_not_idle);
  tcase_add_test(tcase, a_search_that_costs_much_delays_no_idle_one);
  tcase_add_test(tcase,
                 one_that_costs_more_than_the_budget_is_read_when_it_is_saved);
  tcase_add_test(tcase, the_budget_of_an_interval_is_enough_to_begin_any_read);
  tcase_add_loop_test(tcase,
                      a_search_that_costs_more_than_the_budget_starves_no_read,
                      0, CASES(searches_that_cost));
  tcase_add_test(tcase, half_of_the_budget_is_for_reads);
  tcase_add_test(tcase, without_time_for_any_there_is_no_sum_until_there_is);
  tcase_add_test(tcase,
                 one_that_hangs_keeps_its_part_and_nobody_from_being_read);
  tcase_add_test(tcase, what_a_late_read_takes_is_of_the_budget_too);
  tcase_add_test(tcase, one_that_hangs_from_the_start_is_no_part);
  tcase_add_test(
      tcase, what_there_was_to_say_when_it_hung_is_said_after_its_next_read);
  tcase_add_test(tcase,
                 of_one_that_hung_and_has_ended_nothing_is_said_any_more);
  tcase_add_test(tcase,
                 as_many_that_hang_as_there_are_slots_stop_the_pattern_only);
  tcase_add_test(tcase, one_that_denies_entry_is_said_and_no_part);
  tcase_add_loop_test(tcase, what_a_read_could_not_read_is_said, 0,
                      CASES(faults));
  tcase_add_test(tcase, without_memory_for_its_part_it_is_not_counted);
  tcase_add_test(tcase, one_that_ends_before_it_is_read_is_no_error);
  tcase_add_test(tcase, what_was_not_used_is_not_used_all_at_once);
  tcase_add_test(tcase, what_there_was_no_time_for_costs_nothing);
  tcase_add_test(tcase,
                 what_its_values_take_is_part_of_the_budget_up_to_half_of_it);
  tcase_add_test(tcase, what_waits_at_the_end_of_each_read_withholds_no_sum);
  tcase_add_test(tcase, another_namespace_at_the_path_by_then_is_not_read);
  tcase_add_test(tcase, what_it_takes_to_remember_them_is_part_of_the_budget);
  tcase_add_test(tcase, a_path_that_cannot_be_followed_is_said);
  tcase_add_test(tcase, a_file_that_is_no_namespace_for_a_moment_is_not_said);
  tcase_add_test(tcase, what_is_no_namespace_is_said_and_takes_no_place);
  tcase_add_test(tcase, a_single_path_that_cannot_be_followed_is_said);
  tcase_add_test(tcase, without_descriptors_the_last_counts_stay);
  tcase_add_test(tcase,
                 what_is_in_a_directory_that_cannot_be_read_stays_for_a_while);
  tcase_add_test(tcase,
                 without_a_way_to_know_its_own_namespace_nothing_is_counted);
  tcase_add_test(tcase, that_there_are_too_many_values_is_said);
  tcase_add_test(tcase, there_is_a_bound);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
