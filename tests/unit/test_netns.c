/* netns.c: reads that hang, and how many go on at a time. Link with -Wl,--wrap=
 * of setns, pthread_create and snapshot_read. */
#include "netns.h"

#include "check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MANY 20

static struct settings_namespace namespaces[MANY];
static struct settings settings;
static struct netns_set set;
static struct timespec in_an_hour;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool hangs[MANY];
static atomic_int reading, most_reading;
static bool no_threads;

int __wrap_setns(int fd, int type);
int __wrap_setns(int fd, int type) {
  (void)type;
  return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*start)(void *), void *data) {
  return no_threads ? EAGAIN : __real_pthread_create(thread, attr, start, data);
}

void __wrap_snapshot_read(struct snapshot_reader *reader, struct snapshot *out);
void __wrap_snapshot_read(struct snapshot_reader *reader,
                          struct snapshot *out) {
  (void)out;
  int now = ++reading, most = most_reading;
  while (now > most && !atomic_compare_exchange_weak(&most_reading, &most, now))
    continue;
  size_t i = 0;
  while (&set.netns[i].reader != reader)
    i++;
  pthread_mutex_lock(&lock);
  while (hangs[i])
    pthread_cond_wait(&released, &lock);
  pthread_mutex_unlock(&lock);
  /* As a walk does: so that others can begin beside it. */
  nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  reading--;
}

static void hang(size_t i, bool does) {
  pthread_mutex_lock(&lock);
  hangs[i] = does;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&lock);
}

static void open_set(size_t num) {
  settings = (struct settings){.namespaces = namespaces, .namespaces_num = num};
  ck_assert_int_eq(netns_open(&set, &settings, "/proc", NULL), 0);
}

static void set_up(void) {
  static char path[] = "/proc/self/ns/net";
  for (size_t i = 0; i < MANY; i++) {
    namespaces[i] = (struct settings_namespace){.path = path};
    settings_init(&namespaces[i].settings);
  }
  clock_gettime(CLOCK_MONOTONIC, &in_an_hour);
  in_an_hour.tv_sec += 3600;
}

/* Of these reads nothing is left. */
static void close_set(void) { ck_assert_uint_eq(netns_close(&set), 0); }

/* Returns the bits of the namespaces whose reads have ended, num of them. */
static unsigned next_ones(size_t num) {
  unsigned ended = 0;
  for (size_t i = 0; i < num; i++) {
    struct netns *netns = netns_next(&set, &in_an_hour);
    ck_assert_ptr_nonnull(netns);
    ck_assert_int_eq(netns->error, 0);
    ended |= 1u << (netns - set.netns);
  }
  return ended;
}

static unsigned missing(void) {
  unsigned bits = 0;
  for (size_t i = 0; i < set.num; i++)
    bits |= (unsigned)netns_is_missing(&set.netns[i]) << i;
  return bits;
}

/* The thread of a read that was given up. */
static void await_end(size_t i) {
  pthread_join(set.netns[i].thread, NULL);
  set.netns[i].joinable = false;
}

static const struct timespec now = {0};

START_TEST(one_that_hangs_is_missing_and_the_others_are_not) {
  open_set(3);
  hang(1, true);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 5);
  ck_assert_ptr_null(netns_next(&set, &now));
  ck_assert_uint_eq(missing(), 2);

  /* In the reads behind nobody waits for it. */
  for (int i = 0; i < 3; i++) {
    netns_start(&set);
    ck_assert_uint_eq(next_ones(2), 5);
    ck_assert_ptr_null(netns_next(&set, &in_an_hour));
    ck_assert_uint_eq(set.parallel, NETNS_PARALLEL);
    ck_assert_uint_eq(missing(), 2);
  }

  /* What it finds at last is of an interval that is over. */
  hang(1, false);
  await_end(1);
  ck_assert_ptr_null(netns_next(&set, &in_an_hour));
  ck_assert_uint_eq(missing(), 2);

  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  ck_assert_ptr_null(netns_next(&set, &in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  close_set();
}
END_TEST

START_TEST(few_are_read_at_a_time) {
  open_set(MANY);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(MANY), (1u << MANY) - 1);
  ck_assert_ptr_null(netns_next(&set, &in_an_hour));
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
                    (1u << MANY) - (1u << NETNS_PARALLEL));
  ck_assert_int_eq(reading, NETNS_PARALLEL);
  ck_assert_ptr_null(netns_next(&set, &now));
  for (size_t i = 0; i < NETNS_PARALLEL; i++)
    hang(i, false);
  for (size_t i = 0; i < NETNS_PARALLEL; i++)
    await_end(i);
  close_set();
}
END_TEST

START_TEST(past_the_deadline_none_begins) {
  open_set(3);
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, &now));
  ck_assert_uint_eq(missing(), 7);
  ck_assert_int_eq(most_reading, 0);
  netns_start(&set);
  ck_assert_uint_eq(next_ones(3), 7);
  close_set();
}
END_TEST

START_TEST(when_none_ends_for_long_they_are_given_up_before_the_deadline) {
  open_set(1);
  hang(0, true);
  netns_start(&set);
  ck_assert_ptr_null(netns_next(&set, &in_an_hour));
  ck_assert_uint_eq(missing(), 1);
  hang(0, false);
  await_end(0);
  close_set();
}
END_TEST

START_TEST(the_end_does_not_wait_for_one_that_hangs) {
  open_set(3);
  hang(1, true);
  netns_start(&set);
  next_ones(2);
  ck_assert_ptr_null(netns_next(&set, &now));
  ck_assert_uint_eq(netns_close(&set), 1);

  /* And does not take away what it uses. */
  hang(1, false);
  await_end(1);
  close_set();
}
END_TEST

START_TEST(without_a_thread_there_is_an_error_that_passes) {
  open_set(2);
  no_threads = true;
  netns_start(&set);
  for (int i = 0; i < 2; i++) {
    struct netns *netns = netns_next(&set, &in_an_hour);
    ck_assert_ptr_nonnull(netns);
    ck_assert_int_eq(netns->error, -EAGAIN);
  }
  ck_assert_ptr_null(netns_next(&set, &in_an_hour));
  ck_assert_uint_eq(missing(), 0);
  no_threads = false;
  netns_start(&set);
  ck_assert_uint_eq(next_ones(2), 3);
  close_set();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("netns");
  TCase *tcase = tcase_create("netns");
  /* One waits for NETNS_PATIENCE * NETNS_PATIENCE_TIMES. */
  tcase_set_timeout(tcase, 120);
  tcase_add_checked_fixture(tcase, set_up, NULL);
  tcase_add_test(tcase, one_that_hangs_is_missing_and_the_others_are_not);
  tcase_add_test(tcase, few_are_read_at_a_time);
  tcase_add_test(tcase,
                 as_many_that_hang_do_not_keep_the_others_from_beginning);
  tcase_add_test(tcase, past_the_deadline_none_begins);
  tcase_add_test(tcase,
                 when_none_ends_for_long_they_are_given_up_before_the_deadline);
  tcase_add_test(tcase, the_end_does_not_wait_for_one_that_hangs);
  tcase_add_test(tcase, without_a_thread_there_is_an_error_that_passes);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
