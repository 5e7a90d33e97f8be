/* SPDX-License-Identifier: MIT */
/* netns.c: reads that hang, and how many go on at a time. Link with -Wl,--wrap=
 * of setns, pthread_create and snapshot_read, and see netns_clock.h. */
#include "netns.h"

#include "check_main.h"
#include "clock.h"
#include "netns_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MANY 60

static struct settings_namespace namespaces[MANY];
static struct settings settings;
static struct netns_set set;

static const int64_t now = 0, in_an_hour = 3600000;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool hangs[MANY];
static bool inside[MANY]; /* its read has come to where it hangs */
static atomic_int reading, most_reading, most_threads;
static bool no_threads;

int __wrap_setns(int fd, int type);
static atomic_int setns_errno;
int __wrap_setns(int fd, int type) {
  errno = setns_errno;
  if (type == CLONE_NEWNET && fcntl(fd, F_GETFD) == FD_CLOEXEC)
    return errno == 0 ? 0 : -1;
  errno = EBADF;
  return -1;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data) {
  if (no_threads)
    return EAGAIN;
  int num = 1; /* its caller has the lock */
  for (size_t i = 0; i < NETNS_THREADS; i++)
    num += set.workers[i].joinable && !set.workers[i].ended;
  most_threads = num > most_threads ? num : most_threads;
  return __real_pthread_create(thread, attr, start, data);
}

bool netns_clock_hangs(size_t at) {
  pthread_mutex_lock(&lock);
  bool does = hangs[at] && inside[at];
  pthread_mutex_unlock(&lock);
  return does;
}

/* Where it is asked for, a read ends after those that come before it. */
static bool in_order;
static void await_turn(const struct netns *netns) {
  bool first = false;
  while (!first) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    first = true;
    pthread_mutex_lock(&set.lock);
    size_t turn = (size_t)(netns - set.netns) + set.num - set.first;
    for (size_t i = 0; i < NETNS_THREADS; i++) {
      const struct netns *other = set.workers[i].netns;
      if (other == NULL || set.workers[i].late)
        continue;
      first = first &&
              ((size_t)(other - set.netns) + set.num - set.first) % set.num >=
                  turn % set.num;
    }
    pthread_mutex_unlock(&set.lock);
  }
}

void __wrap_snapshot_read(struct snapshot_reader *reader, struct snapshot *out);
void __wrap_snapshot_read(struct snapshot_reader *reader,
                          struct snapshot *out) {
  (void)out;
  int num = ++reading, most = most_reading;
  while (num > most && !atomic_compare_exchange_weak(&most_reading, &most, num))
    continue;
  size_t i = 0;
  while (&set.netns[i].reader != reader)
    i++;
  pthread_mutex_lock(&lock);
  inside[i] = true;
  while (hangs[i])
    pthread_cond_wait(&released, &lock);
  inside[i] = false;
  pthread_mutex_unlock(&lock);
  /* As a walk does: so that others can begin beside it. */
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  if (in_order)
    await_turn(&set.netns[i]);
  reading--;
}

static void hang(size_t i, bool does) {
  pthread_mutex_lock(&lock);
  hangs[i] = does;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&lock);
}

static void open_set(size_t num) {
  netns_clock_set = &set;
  settings = (struct settings){.namespaces = namespaces, .namespaces_num = num};
  ck_assert_int_eq(netns_open(&set, &settings, "/proc", NULL, NULL), 0);
}

static void set_up(void) {
  static char path[] = "/proc/self/ns/net";
  static char *paths[] = {path};
  for (size_t i = 0; i < MANY; i++) {
    namespaces[i] = (struct settings_namespace){.paths = paths, .paths_num = 1};
    settings_init(&namespaces[i].settings);
  }
}

/* Of these reads nothing is left. */
static void close_set(void) { ck_assert_uint_eq(netns_close(&set), 0); }

/* Returns the bits of the namespaces whose reads have ended, num of them. */
static uint64_t next_ones(size_t num) {
  uint64_t ended = 0;
  for (size_t i = 0; i < num; i++) {
    struct netns *netns = netns_next(&set, in_an_hour);
    ck_assert_ptr_nonnull(netns);
    ck_assert_int_eq(netns->error, 0);
    ended |= UINT64_C(1) << (netns - set.netns);
  }
  return ended;
}

static uint64_t missing(void) {
  uint64_t bits = 0;
  for (size_t i = 0; i < set.num; i++)
    bits |= (uint64_t)(netns_missing(&set, &set.netns[i]) != 0) << i;
  return bits;
}

START_TEST(one_that_hangs_is_missing_and_the_others_are_not) {
  open_set(3);
  hang(1, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 5);
  ck_assert_ptr_null(netns_next(&set, now));
  ck_assert_uint_eq(missing(), 2);

  /* In the reads after it nobody waits for it. */
  for (int i = 0; i < 3; i++) {
    netns_start(&set);
    ck_assert_uint_eq(next_ones(2), 5);
    ck_assert_ptr_null(netns_next(&set, in_an_hour));
    ck_assert_uint_eq(missing(), 2);
  }

  /* What it finds at last is of an interval that is over. */
  hang(1, false);
  netns_clock_await_threads(0);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 2);

  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  close_set();
}
END_TEST

START_TEST(one_that_hangs_in_a_later_read_is_missing_there) {
  open_set(3);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  hang(0, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 6);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 1);
  hang(0, false);
  netns_clock_await_threads(0);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  close_set();
}
END_TEST

START_TEST(what_cannot_be_entered_is_not_read) {
  open_set(2);
  setns_errno = EPERM;
  netns_start(&set);
  for (int i = 0; i < 2; i++) {
    struct netns *netns = netns_next(&set, in_an_hour);
    ck_assert_ptr_nonnull(netns);
    ck_assert_int_eq(netns->error, -EPERM);
  }
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  ck_assert_int_eq(most_reading, 0);
  setns_errno = 0;
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 3);
  close_set();
}
END_TEST

START_TEST(those_that_are_quick_are_read_by_one_thread) {
  open_set(MANY);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY), (UINT64_C(1) << MANY) - 1);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_int_eq(most_threads, 1);
  close_set();
}
END_TEST

START_TEST(where_one_thread_may_not_find_the_time_more_begin_at_once) {
  open_set(MANY);
  netns_start(&set);
  ck_assert_ptr_nonnull(netns_next(&set, MANY * NETNS_QUICK - 1));
  ck_assert_int_eq(most_threads, NETNS_PARALLEL);
  ck_assert_uint_ne(next_ones(MANY - 1), 0);
  ck_assert_int_le(most_reading, NETNS_PARALLEL);
  close_set();
}
END_TEST

START_TEST(beside_one_that_is_slow_another_thread_reads) {
  open_set(MANY);
  set.patience = in_an_hour;
  hang(0, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY - 1), (UINT64_C(1) << MANY) - 2);
  ck_assert_int_eq(set.netns[0].state, NETNS_READING); /* not given up */
  ck_assert_int_eq(most_threads, 2);
  hang(0, false);
  ck_assert_uint_eq(next_ones(1), 1);
  close_set();
}
END_TEST

START_TEST(few_are_read_at_a_time) {
  open_set(MANY);
  for (size_t i = 0; i < MANY; i++)
    hang(i, true);
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_int_eq(most_reading, NETNS_THREADS);
  for (size_t i = 0; i < MANY; i++)
    hang(i, false);
  netns_clock_await_threads(0);
  most_reading = 0;
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY), (UINT64_C(1) << MANY) - 1);
  ck_assert_int_le(most_reading, NETNS_PARALLEL);
  close_set();
}
END_TEST

START_TEST(as_many_that_hang_do_not_keep_the_others_from_beginning) {
  open_set(MANY);
  for (size_t i = 0; i < NETNS_PARALLEL; i++)
    hang(i, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY - NETNS_PARALLEL),
                    (UINT64_C(1) << MANY) - (1u << NETNS_PARALLEL));
  ck_assert_int_eq(reading, NETNS_PARALLEL);
  ck_assert_ptr_null(netns_next(&set, now));
  for (size_t i = 0; i < NETNS_PARALLEL; i++)
    hang(i, false);
  netns_clock_await_threads(0);
  close_set();
}
END_TEST

START_TEST(one_that_is_slow_has_until_the_deadline) {
  open_set(1);
  hang(0, true);
  for (int i = 0; i < 2; i++) {
    netns_clock_slow = i == 1;
    netns_start(&set);
    int64_t begun = clock_ms(), deadline = begun + 4 * NETNS_PATIENCE;
    ck_assert_ptr_null(netns_next(&set, deadline));
    ck_assert_int_eq(netns_missing(&set, &set.netns[0]), -ETIMEDOUT);
    if (netns_clock_slow)
      ck_assert_int_ge(clock_ms(), deadline);
    else
      ck_assert_int_lt(clock_ms(), begun + 2 * NETNS_PATIENCE);
    hang(0, false);
    netns_clock_slow = false;
    netns_clock_await_threads(0);
    hang(0, true);
  }
  close_set();
}
END_TEST

START_TEST(late_ones_that_are_slow_are_among_those_that_are_read_at_a_time) {
  const uint64_t others = (UINT64_C(1) << MANY) - (1u << NETNS_PARALLEL);
  open_set(MANY);
  for (size_t i = 0; i < NETNS_PARALLEL; i++)
    hang(i, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY - NETNS_PARALLEL), others);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));

  netns_clock_slow = true;
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, clock_ms() + 4 * NETNS_PATIENCE));
  ck_assert_uint_eq(missing(), (UINT64_C(1) << MANY) - 1);
  ck_assert_int_eq(netns_missing(&set, &set.netns[MANY - 1]), -ETIMEDOUT);

  hang(0, false);
  netns_clock_await_threads(NETNS_PARALLEL - 1);
  most_reading = 0;
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY - NETNS_PARALLEL + 1), others | 1);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_int_eq(most_reading, NETNS_PARALLEL);

  netns_clock_slow = false;
  for (size_t i = 1; i < NETNS_PARALLEL; i++)
    hang(i, false);
  netns_clock_await_threads(0);
  close_set();
}
END_TEST

START_TEST(past_the_deadline_none_begins) {
  open_set(3);
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, now));
  ck_assert_uint_eq(missing(), 7);
  ck_assert_int_eq(most_reading, 0);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  close_set();
}
END_TEST

START_TEST(one_that_takes_too_long_is_given_up_before_the_deadline) {
  open_set(1);
  hang(0, true);
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_int_eq(netns_missing(&set, &set.netns[0]), -ETIMEDOUT);
  hang(0, false);
  netns_clock_await_threads(0);
  close_set();
}
END_TEST

START_TEST(more_that_hang_than_there_are_threads_leave_those_that_they_can) {
  open_set(MANY);
  for (size_t i = 0; i < NETNS_THREADS - 1; i++)
    hang(i, true);
  for (int i = 0; i < 3; i++) {
    netns_start(&set);
    ck_assert_uint_eq(next_ones(MANY - NETNS_THREADS + 1),
                      (UINT64_C(1) << MANY) - (1u << (NETNS_THREADS - 1)));
    ck_assert_ptr_null(netns_next(&set, in_an_hour));
    ck_assert_uint_eq(netns_clock_threads(), NETNS_THREADS - 1);
  }

  /* The last thread hangs, too. */
  for (size_t i = NETNS_THREADS - 1; i < MANY; i++)
    hang(i, true);
  for (int i = 0; i < 3; i++) {
    netns_start(&set);
    ck_assert_ptr_null(netns_next(&set, in_an_hour));
    ck_assert_uint_eq(netns_clock_threads(), NETNS_THREADS);
    ck_assert_uint_eq(missing(), (UINT64_C(1) << MANY) - 1);
    int busy = 0;
    for (size_t k = 0; k < MANY; k++)
      busy += netns_missing(&set, &set.netns[k]) == -EBUSY;
    ck_assert_int_eq(busy, MANY - NETNS_THREADS);
  }

  /* When one ends, the others are read again. */
  hang(0, false);
  for (size_t i = NETNS_THREADS - 1; i < MANY; i++)
    hang(i, false);
  netns_clock_await_threads(NETNS_THREADS - 2);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY - NETNS_THREADS + 2),
                    (UINT64_C(1) << MANY) - (1u << (NETNS_THREADS - 1)) + 1);
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_int_le(most_threads, NETNS_THREADS);
  for (size_t i = 0; i < MANY; i++)
    hang(i, false);
  netns_clock_await_threads(0);

  /* It is not the threads any more that are missing. */
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, now));
  for (size_t i = 0; i < MANY; i++)
    ck_assert_int_eq(netns_missing(&set, &set.netns[i]), -ETIMEDOUT);
  close_set();
}
END_TEST

START_TEST(one_that_was_given_up_at_the_deadline_is_the_next_ones_first) {
  open_set(3);
  set.patience = in_an_hour;
  hang(1, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 5);
  ck_assert_ptr_null(netns_next(&set, now));
  hang(1, false);
  netns_clock_await_threads(0);
  netns_start(&set);
  ck_assert_uint_eq(set.first, 1);
  ck_assert_uint_eq(next_ones(3), 7);
  close_set();
}
END_TEST

START_TEST(where_time_is_short_each_has_its_turn) {
  enum { READS = 60, BEGUN = 7 };
  int times[MANY] = {0};
  open_set(MANY);
  in_order = true; /* the scheduler's is not known */
  for (int i = 0; i < READS; i++) {
    netns_start(&set);
    /* The time is over after this many, in the middle of others. */
    struct netns *netns;
    for (int k = 0; (netns = netns_next(&set, k < BEGUN ? in_an_hour : now));
         k++)
      times[netns - set.netns]++;
    netns_clock_await_threads(0);
  }
  int least = READS, most = 0;
  for (size_t i = 0; i < MANY; i++) {
    least = times[i] < least ? times[i] : least;
    most = times[i] > most ? times[i] : most;
  }
  ck_assert_int_ge(least, READS * BEGUN / MANY - 2);
  ck_assert_int_le(most, least + 4);
  close_set();
}
END_TEST

/* Whichever it is. */
START_TEST(the_end_does_not_wait_for_one_that_hangs) {
  open_set(3);
  hang((size_t)_i, true);
  netns_start(&set);
  next_ones(2);
  ck_assert_ptr_null(netns_next(&set, now));
  ck_assert_uint_eq(netns_close(&set), 1);

  /* And does not take away what it uses. */
  hang((size_t)_i, false);
  netns_clock_await_threads(0);
  close_set();
}
END_TEST

START_TEST(without_a_thread_there_is_an_error_that_passes) {
  open_set(2);
  no_threads = true;
  netns_start(&set);
  for (int i = 0; i < 2; i++) {
    set.netns[i].cpu = 1; /* of another one that a pattern's slot has read */
    struct netns *netns = netns_next(&set, in_an_hour);
    ck_assert_ptr_nonnull(netns);
    ck_assert_int_eq(netns->error, -EAGAIN);
    ck_assert_int_eq(netns->cpu, 0);
  }
  ck_assert_ptr_null(netns_next(&set, in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  no_threads = false;
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 3);
  close_set();
}
END_TEST

static const struct {
  int error;
  const char *text; /* how it begins; NULL: there is none */
} texts[] = {
    {-ENOENT, "there is no such namespace"},
    {-ENOTDIR, "there is no such namespace"},
    {-EPERM, "not allowed to enter it"},
    {-EACCES, "not allowed to open it"},
    {-EINVAL, "this file is not a network namespace"},
    {-ETIMEDOUT, "not read in time"},
    {-EBUSY, "not read: too many reads hang"},
    {-EMFILE, NULL},
    {-ENOMEM, NULL},
};

START_TEST(an_error_has_a_text_that_says_what_to_do) {
  const char *text = netns_strerror(texts[_i].error);
  if (texts[_i].text == NULL)
    ck_assert_ptr_null(text);
  else
    ck_assert_ptr_eq(strstr(text, texts[_i].text), text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("netns");
  TCase *tcase = tcase_create("netns");
  tcase_add_checked_fixture(tcase, set_up, NULL);
  tcase_add_test(tcase, one_that_hangs_is_missing_and_the_others_are_not);
  tcase_add_test(tcase, one_that_hangs_in_a_later_read_is_missing_there);
  tcase_add_test(tcase, what_cannot_be_entered_is_not_read);
  tcase_add_test(tcase, those_that_are_quick_are_read_by_one_thread);
  tcase_add_test(tcase,
                 where_one_thread_may_not_find_the_time_more_begin_at_once);
  tcase_add_test(tcase, beside_one_that_is_slow_another_thread_reads);
  tcase_add_test(tcase, few_are_read_at_a_time);
  tcase_add_test(tcase,
                 as_many_that_hang_do_not_keep_the_others_from_beginning);
  tcase_add_test(tcase, one_that_is_slow_has_until_the_deadline);
  tcase_add_test(
      tcase, late_ones_that_are_slow_are_among_those_that_are_read_at_a_time);
  tcase_add_test(tcase, past_the_deadline_none_begins);
  tcase_add_test(tcase,
                 one_that_takes_too_long_is_given_up_before_the_deadline);
  tcase_add_test(
      tcase, more_that_hang_than_there_are_threads_leave_those_that_they_can);
  tcase_add_test(tcase,
                 one_that_was_given_up_at_the_deadline_is_the_next_ones_first);
  tcase_add_test(tcase, where_time_is_short_each_has_its_turn);
  tcase_add_loop_test(tcase, the_end_does_not_wait_for_one_that_hangs, 0, 3);
  tcase_add_loop_test(tcase, an_error_has_a_text_that_says_what_to_do, 0,
                      CASES(texts));
  tcase_add_test(tcase, without_a_thread_there_is_an_error_that_passes);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
