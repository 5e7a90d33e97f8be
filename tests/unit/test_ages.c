/* SPDX-License-Identifier: MIT */
/* ages.c: how long sockets have been stuck, whatever probes they answer; with a
 * simulated clock and simulated sockets. */
#include "ages.h"

#include "check_main.h"

#include <malloc.h>
#include <netinet/tcp.h>
#include <string.h>

#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)
#define WRAP (UINT64_C(1) << 32) /* ms: where tcp_info's times wrap */
#define STUCK_AFTER (60 * SECOND)

/* During a dump no time passes. */
static uint64_t clock_now;
static int64_t simulated_clock(void) { return (int64_t)clock_now; }

static struct ages ages;

static void start_read(uint64_t now, bool info, uint64_t stuck_after) {
  clock_now = now;
  ages.clock = simulated_clock;
  ages_start(&ages, info, stuck_after);
}

/* Allocations of the code under test. */
static size_t allocations;
static bool fail_allocations;
void *__wrap_realloc(void *old, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  allocations++;
  return fail_allocations ? NULL : __real_realloc(old, size);
}

static void start(void) {
  memset(&ages, 0, sizeof(ages));
  allocations = 0;
  fail_allocations = false;
}

static void end(void) { ages_free(&ages); }

/* A socket as it really is. */
struct truth {
  uint64_t cookie;
  uint8_t state;
  uint64_t entered; /* ms, as all times */
  uint64_t data;    /* data came or went */
  uint64_t ack;     /* any ACK came in */
};

/* The socket as the kernel tells it. */
static struct diag_socket tell(const struct truth *truth, uint64_t now,
                               bool info) {
  return (struct diag_socket){
      .state = truth->state,
      .inode = 4711,
      .cookie = truth->cookie,
      .has_age = info,
      .age = info ? (uint32_t)(now - truth->ack) : 0,
      .idle = info ? (uint32_t)(now - truth->data) : 0,
  };
}

static uint64_t true_age(const struct truth *truth, uint64_t now) {
  return now - (truth->entered > truth->data ? truth->entered : truth->data);
}

static uint64_t meet(const struct truth *truth, uint64_t now, bool info) {
  struct diag_socket socket = tell(truth, now, info);
  uint64_t age = ages_meet(&ages, &socket);
  ck_assert_uint_eq(ages_find(&ages, &socket), age);
  return age;
}

/* One read that meets this socket alone. */
static uint64_t read_one(const struct truth *truth, uint64_t now, bool info) {
  start_read(now, info, STUCK_AFTER);
  uint64_t age = meet(truth, now, info);
  ages_finish(&ages);
  return age;
}

static void check_age(const char *name, uint64_t age, uint64_t truth) {
  ck_assert_msg(age <= truth && age + SECOND > truth, "%s: %llu ms, not %llu",
                name, (unsigned long long)age, (unsigned long long)truth);
}

static const struct {
  uint8_t state;
  bool owned;
  bool has;
} states[] = {
    {TCP_ESTABLISHED, true, false}, {TCP_FIN_WAIT1, true, true},
    {TCP_FIN_WAIT1, false, false},  {TCP_FIN_WAIT2, true, true},
    {TCP_FIN_WAIT2, false, false},  {TCP_CLOSE_WAIT, true, true},
    {TCP_CLOSE_WAIT, false, true},  {TCP_LAST_ACK, true, false},
    {TCP_CLOSING, true, false},     {TCP_TIME_WAIT, false, false},
};

START_TEST(what_somebody_has_to_close_can_be_stuck) {
  const struct diag_socket socket = {.state = states[_i].state,
                                     .inode = states[_i].owned ? 7 : 0};
  ck_assert_int_eq(ages_has(&socket), states[_i].has);
}
END_TEST

/* Seconds before the first read. */
static const struct {
  const char *name;
  uint8_t state;
  bool info;
  uint64_t entered, data, ack;
  uint64_t expected;
} news[] = {
    {"no probes", TCP_CLOSE_WAIT, true, 500, 900, 500, 500},
    {"no probes", TCP_FIN_WAIT2, true, 500, 900, 500, 500},
    {"probes answered", TCP_CLOSE_WAIT, true, 500, 900, 2, 2},
    {"data", TCP_CLOSE_WAIT, true, 500, 3, 3, 3},
    {"data that nobody acknowledges", TCP_CLOSE_WAIT, true, 500, 3, 7, 3},
    {"without tcp_info", TCP_CLOSE_WAIT, false, 500, 900, 500, 0},
    /* The last ACK came in long before the FIN went out. */
    {"a FIN sent", TCP_FIN_WAIT1, true, 5, 900, 900, 0},
};

START_TEST(a_new_socket_takes_the_word_of_tcp_info) {
  const uint64_t now = 10 * DAY;
  const struct truth truth = {
      7, news[_i].state, now - news[_i].entered * SECOND,
      now - news[_i].data * SECOND, now - news[_i].ack * SECOND};
  check_age(news[_i].name, read_one(&truth, now, news[_i].info),
            news[_i].expected * SECOND);
}
END_TEST

START_TEST(no_probe_stops_the_clock) {
  struct truth truth = {7, TCP_CLOSE_WAIT, 1000 * SECOND, 990 * SECOND, 0};
  for (uint64_t now = 1000 * SECOND; now < 1000 * SECOND + 3 * DAY;
       now += 15 * SECOND) {
    truth.ack = now - 1;
    uint64_t age = read_one(&truth, now, now % (150 * SECOND) == 100 * SECOND);
    ck_assert(age <= now - truth.entered);
    if (now > 1200 * SECOND)
      check_age("keepalive", age, now - truth.entered);
  }
}
END_TEST

/* Reads every 10 s, one in info_every with tcp_info; data every data_every. */
static const struct {
  unsigned info_every;
  uint64_t data_every;
} active[] = {{1, 60}, {1, 59}, {1, 7}, {10, 60}, {10, 59}, {10, 33}, {10, 1}};

START_TEST(a_half_closed_connection_in_use_is_never_stuck) {
  const uint64_t from = 5000 * SECOND;
  struct truth truth = {7, TCP_FIN_WAIT2, from - SECOND, from - SECOND,
                        from - SECOND};
  for (unsigned read = 0; read < 2000; read++) {
    uint64_t now = from + read * 10 * SECOND;
    uint64_t every = active[_i].data_every * SECOND;
    if (now >= from + every)
      truth.data = truth.ack = now - (now - from) % every;
    uint64_t age = read_one(&truth, now, read % active[_i].info_every == 0);
    ck_assert_uint_le(age, STUCK_AFTER);
    if (active[_i].info_every == 1)
      check_age("age", age, true_age(&truth, now));
  }
  /* The use ends, and then it is stuck. */
  uint64_t now = truth.data + STUCK_AFTER + 2 * SECOND;
  check_age("then", read_one(&truth, now, true), now - truth.data);
}
END_TEST

START_TEST(what_was_met_first_without_tcp_info_takes_its_word_later) {
  const uint64_t now = 10 * DAY;
  struct truth truth = {7, TCP_CLOSE_WAIT, now - 9 * SECOND, now - DAY,
                        now - 9 * SECOND};
  ck_assert_uint_eq(read_one(&truth, now, false), 0);
  check_age("later", read_one(&truth, now + SECOND, true), 10 * SECOND);
  /* Once, and no more. */
  truth.ack = now + 2 * SECOND;
  check_age("then", read_one(&truth, now + 3 * SECOND, true), 12 * SECOND);
}
END_TEST

START_TEST(a_change_of_state_begins_anew) {
  struct truth truth = {7, TCP_FIN_WAIT1, DAY, DAY - SECOND, DAY};
  read_one(&truth, DAY, true);
  uint64_t now = DAY + 50 * SECOND;
  check_age("first", read_one(&truth, now, true), 50 * SECOND);
  truth.state = TCP_FIN_WAIT2;
  truth.entered = truth.ack = now + 5 * SECOND;
  now += 10 * SECOND;
  check_age("second", read_one(&truth, now, true), 5 * SECOND);
  check_age("and on", read_one(&truth, now + 20 * SECOND, false), 25 * SECOND);
  truth.state = TCP_CLOSE_WAIT;
  ck_assert_uint_eq(read_one(&truth, now + 30 * SECOND, false), 0);
  ck_assert_uint_eq(ages.num, 1);
}
END_TEST

START_TEST(a_cookie_in_two_states_of_one_read_is_one_socket) {
  struct truth truth = {7, TCP_FIN_WAIT1, DAY, DAY, DAY};
  for (int i = 0; i < 3; i++) {
    uint64_t now = DAY + (uint64_t)i * 10 * SECOND;
    start_read(now, true, STUCK_AFTER);
    truth.state = TCP_FIN_WAIT1;
    meet(&truth, now, true);
    truth.state = TCP_FIN_WAIT2;
    ck_assert_uint_le(meet(&truth, now, true), now - DAY);
    ages_finish(&ages);
    ck_assert_uint_eq(ages.num, 1);
  }
}
END_TEST

static unsigned seed;
static uint64_t random_below(uint64_t max) {
  uint64_t number = (uint64_t)rand_r(&seed) << 31 ^ (uint64_t)rand_r(&seed);
  return number % max;
}

/* Sockets of all kinds through three turns of tcp_info's times. */
START_TEST(after_49_days_ages_are_right_still) {
  enum { NUM = 200 };
  static struct truth truths[NUM];
  static bool uses[NUM], probes[NUM];
  seed = (unsigned)_i + 1;
  uint64_t now = 60 * DAY;
  for (int i = 0; i < NUM; i++) {
    uint64_t data = now - random_below(55 * DAY);
    uint64_t entered = data + random_below(now - data + 1);
    truths[i] =
        (struct truth){(uint64_t)i + 1, TCP_CLOSE_WAIT, entered, data, entered};
    uses[i] = i % 4 == 0;
    probes[i] = i % 2 == 0;
  }
  /* The first read has to take tcp_info's word, modulo 2^32 ms; it is never
   * above the truth. */
  start_read(now, true, STUCK_AFTER);
  for (int i = 0; i < NUM; i++) {
    uint64_t age = meet(&truths[i], now, true);
    ck_assert(age <= true_age(&truths[i], now));
    truths[i].entered = now - age;
    if (truths[i].data > truths[i].entered)
      truths[i].data = truths[i].entered;
  }
  ages_finish(&ages);
  uint64_t end_time = now + 3 * WRAP;
  while (now < end_time) {
    now += 1 + random_below(random_below(3) == 0 ? 10 * SECOND : DAY);
    /* The dump takes up to half a second, and the clock is read before. */
    start_read(now, true, STUCK_AFTER);
    for (int i = 0; i < NUM; i++) {
      uint64_t then = now + random_below(SECOND / 2);
      if (uses[i] && random_below(4) == 0)
        truths[i].data = truths[i].ack = now - random_below(SECOND);
      if (probes[i])
        truths[i].ack = now - random_below(SECOND);
      struct diag_socket socket = tell(&truths[i], then, true);
      uint64_t age = ages_meet(&ages, &socket);
      uint64_t real = true_age(&truths[i], now);
      /* What data within the last moments is, a later read will tell. */
      if (age > real + SECOND * 3 / 4 || age + 2 * SECOND <= real)
        ck_abort_msg("socket %d, day %.1f: %llu ms, not %llu", i,
                     (double)now / (double)DAY, (unsigned long long)age,
                     (unsigned long long)real);
    }
    ages_finish(&ages);
  }
}
END_TEST

START_TEST(a_socket_that_one_read_misses_keeps_its_age) {
  struct truth truth = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  read_one(&truth, DAY, true);
  for (int missed = 1; missed <= 2; missed++) {
    uint64_t now = DAY + (uint64_t)missed * 1000 * SECOND;
    for (int i = 0; i < missed; i++) {
      start_read(now - 100 + (uint64_t)i, true, STUCK_AFTER);
      ages_finish(&ages);
    }
    ck_assert_uint_eq(ages.num, missed < 2 ? 1 : 0);
    truth.ack = now;
    check_age("missed", read_one(&truth, now, true),
              missed < 2 ? now - DAY : 0);
  }
}
END_TEST

START_TEST(reads_that_fail_forget_nothing) {
  struct truth truth = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  struct truth other = {8, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  read_one(&truth, DAY, true);
  for (int i = 0; i < 9; i++) {
    start_read(DAY + 5 * SECOND, true, STUCK_AFTER);
    if (i % 2 == 0)
      meet(&other, DAY + 5 * SECOND, true);
  }
  truth.ack = DAY + 10 * SECOND;
  check_age("then", read_one(&truth, DAY + 11 * SECOND, true), 11 * SECOND);
}
END_TEST

START_TEST(after_reads_that_fail_one_may_still_miss_a_socket) {
  struct truth met = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  struct truth missed = {8, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  for (int failed = 0; failed < 4; failed++) {
    uint64_t now = DAY + (uint64_t)failed * SECOND;
    start_read(now, true, STUCK_AFTER);
    meet(&met, now, true);
    meet(&missed, now, true);
    ages_finish(&ages);
    for (int i = 0; i < failed; i++) {
      start_read(now, true, STUCK_AFTER);
      meet(&met, now, true);
    }
    read_one(&met, now, true);
    ck_assert_uint_eq(ages.num, 2);
  }
}
END_TEST

/* A socket that moves while the kernel walks may be in a dump twice. */
START_TEST(one_that_is_met_twice_does_not_keep_another) {
  struct truth met = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  struct truth gone = {8, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  for (int i = 0; i < 3; i++) {
    start_read(DAY, true, STUCK_AFTER);
    meet(&met, DAY, true);
    meet(i == 0 ? &gone : &met, DAY, true);
    ages_finish(&ages);
    ck_assert_uint_eq(ages.num, i < 2 ? 2 : 1);
  }
}
END_TEST

START_TEST(one_that_has_changed_its_state_is_found_with_the_age_of_tcp_info) {
  struct truth truth = {7, TCP_FIN_WAIT1, DAY, DAY, DAY};
  read_one(&truth, DAY, true);
  uint64_t now = DAY + 1000 * SECOND;
  read_one(&truth, now, true);
  struct diag_socket socket = tell(&truth, now, true);
  ck_assert_uint_ge(ages_find(&ages, &socket), 999 * SECOND);
  truth.state = TCP_FIN_WAIT2;
  truth.data = truth.ack = now - 5 * SECOND;
  socket = tell(&truth, now, true);
  check_age("found", ages_find(&ages, &socket), 5 * SECOND);
}
END_TEST

/* When tcp_info's time has wrapped, half a second would be 50 days. */
START_TEST(a_dump_that_takes_longer_is_not_taken_for_data) {
  struct truth truth = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  start_read(DAY + SECOND, true, STUCK_AFTER);
  struct diag_socket socket = tell(&truth, DAY + SECOND * 3 / 2, true);
  ages_meet(&ages, &socket);
  ages_finish(&ages);
  uint64_t now = DAY + WRAP + 1000 * SECOND;
  ck_assert_uint_ge(read_one(&truth, now, true), now - DAY - SECOND);
}
END_TEST

/* One read of these cookies, first to first + num * step. */
static void read_many(uint64_t first, uint64_t num, uint64_t step,
                      uint64_t now) {
  start_read(now, true, STUCK_AFTER);
  struct truth truth = {first, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  for (uint64_t i = 0; i < num; i++, truth.cookie += step) {
    struct diag_socket socket = tell(&truth, now, true);
    ages_meet(&ages, &socket);
  }
  ages_finish(&ages);
}

static size_t memory(void) { return malloc_usable_size(ages.slots); }

START_TEST(it_takes_24_bytes_a_socket_and_gives_them_back) {
  ck_assert_ptr_null(ages.slots);
  for (uint64_t num = 1000; num <= AGES_MAX; num = num * 5 / 4) {
    read_many(1, num, 1, DAY);
    ck_assert_uint_eq(ages.num, num);
    ck_assert_msg(memory() <= num * 24 + 4096, "%zu sockets: %zu bytes",
                  (size_t)num, memory());
  }
  for (uint64_t num = 800000; num >= 1000; num = num * 3 / 4) {
    read_many(1, num, 1, DAY);
    read_many(1, num, 1, DAY);
    ck_assert_uint_eq(ages.num, num);
    ck_assert_msg(memory() <= num * 24 + 4096, "%zu sockets: %zu bytes",
                  (size_t)num, memory());
  }
  read_many(1, 0, 1, DAY);
  read_many(1, 0, 1, DAY);
  ck_assert_uint_eq(ages.num, 0);
  ck_assert_uint_le(memory(), 4096);
}
END_TEST

START_TEST(a_steady_read_allocates_nothing) {
  for (uint64_t num = 0; num < 3000; num = num * 2 + 1) {
    read_many(1, num, 1, DAY);
    size_t before = allocations;
    for (int i = 0; i < 3; i++)
      read_many(1, num, 1, DAY);
    ck_assert_uint_eq(allocations, before);
    /* Others come as some go. */
    for (uint64_t i = 1; i <= 20; i++) {
      read_many(1 + i * num / 100, num, 1, DAY);
      before = i == 3 ? allocations : before;
    }
    ck_assert_uint_eq(allocations, before);
  }
}
END_TEST

START_TEST(beyond_its_bound_sockets_have_the_age_of_tcp_info) {
  read_many(1, AGES_MAX, 1, DAY);
  ck_assert_uint_eq(ages.lost, 0);
  ck_assert_uint_le(memory(), (16 << 20) + 4096);
  read_many(1, AGES_MAX + 5, 1, DAY);
  ck_assert_uint_eq(ages.lost, 5);
  ck_assert_uint_eq(ages.num, AGES_MAX);
  ck_assert(ages_need_info(&ages));
  start_read(DAY + 500 * SECOND, true, STUCK_AFTER);
  struct truth known = {1, TCP_CLOSE_WAIT, DAY, DAY, DAY + 490 * SECOND};
  struct truth beyond = {AGES_MAX + 9, TCP_CLOSE_WAIT, DAY, DAY,
                         DAY + 490 * SECOND};
  check_age("known", meet(&known, ages.now, true), 500 * SECOND);
  struct diag_socket socket = tell(&beyond, ages.now, true);
  ck_assert_uint_eq(ages_meet(&ages, &socket), 10 * SECOND);
  socket.state = TCP_FIN_WAIT1;
  ck_assert_uint_eq(ages_meet(&ages, &socket), 0);
}
END_TEST

START_TEST(without_memory_it_is_the_age_of_tcp_info) {
  fail_allocations = true;
  struct truth truth = {7, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  struct diag_socket socket = tell(&truth, DAY + 70 * SECOND, true);
  for (int i = 0; i < 3; i++) {
    size_t before = allocations;
    start_read(DAY + 70 * SECOND, true, STUCK_AFTER);
    for (int j = 0; j < 1000; j++) {
      socket.cookie = (uint64_t)j + 1;
      ck_assert_uint_eq(ages_meet(&ages, &socket), 70 * SECOND);
    }
    ages_finish(&ages);
    ck_assert_uint_eq(allocations, before + 1);
    ck_assert_uint_eq(ages.lost, 1000);
    ck_assert(ages_need_info(&ages));
  }
  fail_allocations = false;
  read_many(1, 1000, 1, DAY + 80 * SECOND);
  ck_assert_uint_eq(ages.lost, 0);
  /* What is known stays known when there is no more. */
  fail_allocations = true;
  read_many(1, 5000, 1, DAY + 90 * SECOND);
  ck_assert_uint_ge(ages.num, 1000);
  ck_assert_uint_eq(ages.num + ages.lost, 5000);
}
END_TEST

/* No kernel has counted as far as the second. */
static const uint64_t no_cookies[] = {0, UINT64_C(1) << 58, UINT64_MAX};

START_TEST(a_socket_without_cookie_has_the_age_of_tcp_info) {
  struct truth truth = {no_cookies[_i], TCP_CLOSE_WAIT, DAY, DAY, DAY};
  struct diag_socket socket = tell(&truth, DAY + 70 * SECOND, true);
  start_read(DAY + 70 * SECOND, true, STUCK_AFTER);
  ck_assert_uint_eq(ages_meet(&ages, &socket), 70 * SECOND);
  ck_assert_uint_eq(ages_find(&ages, &socket), 70 * SECOND);
  ck_assert_uint_eq(ages.num, 0);
}
END_TEST

/* Cookies that a simple hash would put into one place. */
static const uint64_t steps[] = {1, 64, 65536, UINT64_C(1) << 32,
                                 UINT64_C(1) << 41};

static unsigned long longest_way(void) {
  unsigned long longest = 0, way = 0;
  for (uint32_t i = 0; i < ages.size; i++) {
    way = ages.slots[i].cookie == 0 ? 0 : way + 1;
    longest = way > longest ? way : longest;
  }
  return longest;
}

START_TEST(cookies_cannot_be_picked_to_meet_in_one_place) {
  read_many(1, 50000, steps[_i], DAY);
  ck_assert_uint_eq(ages.num, 50000);
  read_many(1, 50000, steps[_i], DAY);
  ck_assert_uint_eq(ages.num, 50000);
  ck_assert_uint_lt(longest_way(), 5000);
}
END_TEST

/* Whatever the number that others do not know: one of few bits, or such that
 * each 1024th product is nearly the same. */
static const uint64_t multipliers[] = {
    1,
    3,
    (UINT64_C(1) << 32) + 1,
    (UINT64_C(1) << 54) + 1,
    UINT64_MAX,
    UINT64_C(0x9e3779b97f4a7c15),
};

START_TEST(cookies_in_sequence_are_found_in_a_few_steps) {
  static bool taken[100000];
  for (uint64_t step = 1; step <= 64; step *= 2) {
    memset(taken, 0, sizeof(taken));
    ages.multiplier = multipliers[_i];
    ages.size = CASES(taken);
    uint64_t moves = 0, num = 70000;
    for (uint64_t i = 0; i < num; i++) {
      size_t slot = ages_home(&ages, 100000 + i * step);
      for (; taken[slot] && moves <= 5 * num; moves++)
        slot = (slot + 1) % CASES(taken);
      taken[slot] = true;
    }
    ck_assert_uint_le(moves, 5 * num);
  }
  ages.size = 0;
}
END_TEST

START_TEST(each_is_found_whatever_comes_and_goes) {
  enum { NUM = 5000 };
  static uint64_t since[NUM];
  seed = (unsigned)_i + 77;
  memset(since, 0, sizeof(since));
  for (int read = 0; read < 100; read++) {
    uint64_t now = DAY + (uint64_t)read * 10 * SECOND;
    start_read(now, false, UINT64_MAX);
    uint64_t low = random_below(NUM), high = random_below(NUM);
    unsigned num = 0;
    for (uint64_t i = 0; i < NUM; i++) {
      bool inside = low < high ? i >= low && i < high : i % 7 < low % 7;
      if (!inside) {
        /* Forgotten after two reads, in twos here. */
        since[i] = 0;
        continue;
      }
      if (since[i] == 0)
        since[i] = now;
      struct truth truth = {i * 3 + 1, TCP_CLOSE_WAIT, 0, 0, 0};
      struct diag_socket socket = tell(&truth, now, false);
      uint64_t age = ages_meet(&ages, &socket), real = now - since[i];
      if (age > real || age + SECOND <= real)
        check_age("socket", age, real);
      num++;
    }
    ages_finish(&ages);
    start_read(now, false, UINT64_MAX);
    for (uint64_t i = 0; i < NUM; i++)
      if (since[i] != 0) {
        struct truth truth = {i * 3 + 1, TCP_CLOSE_WAIT, 0, 0, 0};
        struct diag_socket socket = tell(&truth, now, false);
        ages_meet(&ages, &socket);
      }
    ages_finish(&ages);
    ck_assert_uint_eq(ages.num, num);
  }
}
END_TEST

/* Reads every 10 s; all sockets entered their state at DAY, and no data comes.
 * Returns whether the read had tcp_info. */
static bool read_as_needed(unsigned read, uint64_t num, uint64_t *oldest) {
  uint64_t now = DAY + read * 10 * SECOND;
  bool need = ages_need_info(&ages);
  start_read(now, need, STUCK_AFTER);
  struct truth truth = {1, TCP_CLOSE_WAIT, DAY, DAY, DAY};
  for (uint64_t i = 0; i < num; i++, truth.cookie++) {
    struct diag_socket socket = tell(&truth, now, need);
    *oldest = ages_meet(&ages, &socket);
  }
  ages_finish(&ages);
  return need;
}

/* 60 s after DAY their ages would be too high without tcp_info. */
static const struct {
  uint64_t num;
  bool few;
} needs[] = {{0, true},
             {1, true},
             {AGES_FEW - 1, true},
             {AGES_FEW, false},
             {100000, false}};

START_TEST(tcp_info_is_asked_for_when_an_age_waits_for_it_or_now_and_then) {
  uint64_t oldest = 0;
  for (unsigned read = 0; read < 100; read++) {
    bool first = read == 0, waited = read == 10, later = read % 30 == 10;
    bool had = read_as_needed(read, needs[_i].num, &oldest);
    ck_assert_msg(had == (needs[_i].few || first || waited || later), "%u: %d",
                  read, had);
    if (needs[_i].num > 0 && read > 10)
      check_age("confirmed", oldest, read * 10 * SECOND);
  }
}
END_TEST

/* What comes when tcp_info was last asked for long ago does not wait. */
START_TEST(a_new_age_that_waits_gets_tcp_info_in_the_next_read) {
  uint64_t oldest = 0;
  for (unsigned read = 0; read < 21; read++)
    read_as_needed(read, AGES_FEW, &oldest);
  uint64_t begin = ages.now + 9 * SECOND;
  struct truth truth = {AGES_FEW + 9, TCP_CLOSE_WAIT, begin, begin, begin};
  for (unsigned read = 21; read < 30; read++) {
    uint64_t now = DAY + read * 10 * SECOND;
    bool need = ages_need_info(&ages);
    uint64_t age = 0;
    ck_assert_int_eq(need, now - begin > STUCK_AFTER + 10 * SECOND);
    start_read(now, need, STUCK_AFTER);
    for (uint64_t i = 0; i < AGES_FEW; i++) {
      struct truth known = {i + 1, TCP_CLOSE_WAIT, DAY, DAY, DAY};
      meet(&known, now, need);
    }
    age = meet(&truth, now, need);
    ages_finish(&ages);
    if (need) {
      check_age("new", age, now - begin);
      return;
    }
    ck_assert_uint_le(age, STUCK_AFTER);
  }
  ck_abort_msg("it was never asked for");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ages");
  TCase *tc = tcase_create("ages");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(tc, what_somebody_has_to_close_can_be_stuck, 0,
                      CASES(states));
  tcase_add_loop_test(tc, a_new_socket_takes_the_word_of_tcp_info, 0,
                      CASES(news));
  tcase_add_test(tc, no_probe_stops_the_clock);
  tcase_add_loop_test(tc, a_half_closed_connection_in_use_is_never_stuck, 0,
                      CASES(active));
  tcase_add_test(tc, what_was_met_first_without_tcp_info_takes_its_word_later);
  tcase_add_test(tc, a_change_of_state_begins_anew);
  tcase_add_test(tc, a_cookie_in_two_states_of_one_read_is_one_socket);
  tcase_add_loop_test(tc, after_49_days_ages_are_right_still, 0, 4);
  tcase_add_test(tc, a_socket_that_one_read_misses_keeps_its_age);
  tcase_add_test(tc, reads_that_fail_forget_nothing);
  tcase_add_test(tc, after_reads_that_fail_one_may_still_miss_a_socket);
  tcase_add_test(tc, one_that_is_met_twice_does_not_keep_another);
  tcase_add_test(
      tc, one_that_has_changed_its_state_is_found_with_the_age_of_tcp_info);
  tcase_add_test(tc, a_dump_that_takes_longer_is_not_taken_for_data);
  tcase_add_test(tc, it_takes_24_bytes_a_socket_and_gives_them_back);
  tcase_add_test(tc, a_steady_read_allocates_nothing);
  tcase_add_test(tc, beyond_its_bound_sockets_have_the_age_of_tcp_info);
  tcase_add_test(tc, without_memory_it_is_the_age_of_tcp_info);
  tcase_add_loop_test(tc, a_socket_without_cookie_has_the_age_of_tcp_info, 0,
                      CASES(no_cookies));
  tcase_add_loop_test(tc, cookies_cannot_be_picked_to_meet_in_one_place, 0,
                      CASES(steps));
  tcase_add_loop_test(tc, each_is_found_whatever_comes_and_goes, 0, 3);
  tcase_add_loop_test(tc, cookies_in_sequence_are_found_in_a_few_steps, 0,
                      CASES(multipliers));
  tcase_add_loop_test(
      tc, tcp_info_is_asked_for_when_an_age_waits_for_it_or_now_and_then, 0,
      CASES(needs));
  tcase_add_test(tc, a_new_age_that_waits_gets_tcp_info_in_the_next_read);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
