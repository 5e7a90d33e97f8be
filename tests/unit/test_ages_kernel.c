/* SPDX-License-Identifier: MIT */
/* How old sockets in FIN_WAIT2 and CLOSE_WAIT are by what the kernel says of
 * real ones, in a network namespace of the test's own. */
#include "diag_dump.h"
#include "tally.h"

#include "check_main.h"
#include "clock.h"
#include "kernel_bench.h"
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Returns why this is not possible, or NULL. */
static const char *enter_namespace(void) {
  const char *obstacle = bench_obstacle();
  if (obstacle != NULL)
    return obstacle;
  if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    return strerror(errno);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
    obstacle = strerror(errno);
  close(fd);
  return obstacle;
}

static struct ages ages;

/* The counts of all sockets in both states, with tcp_info. */
static struct tally_counts count(uint64_t stuck_after) {
  struct group_index index;
  struct tally tally = {.stuck_after = stuck_after, .ages = &ages};
  ages_start(&ages, true, stuck_after);
  struct diag_dump dump = {0};
  ck_assert_int_eq(group_index_init(&index, NULL, 0), 0);
  ck_assert_int_eq(tally_reset(&tally, &index), 0);
  const struct diag_request request = {
      .states = 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT, .info = true};
  ck_assert_int_eq(diag_dump_run(&dump, &request, tally_socket, &tally), 0);
  ages_finish(&ages);
  struct tally_counts all = tally.all;
  diag_dump_close(&dump);
  tally_free(&tally);
  group_index_free(&index);
  return all;
}

static struct sockets made;
static int64_t made_after, made_before;

/* One connection in FIN_WAIT2 and CLOSE_WAIT. */
static void make_pair(enum sockets_family family) {
  const struct sockets_request request = {.kind = SOCKETS_FIN_WAIT2_HELD,
                                          .family = family,
                                          .port = 18000,
                                          .count = 1};
  made_after = clock_ms();
  ck_assert_int_eq(sockets_make(&made, &request), 0);
  made_before = clock_ms();
}

static int fd_in(int state) {
  for (size_t i = 0; i < made.len; i++)
    if (made.entries[i].state == state)
      return made.entries[i].fd;
  return -1;
}

static void end_pair(void) {
  sockets_close_all(&made);
  ages_free(&ages);
}

/* The kernel counts in ticks, of 10 ms at most, and the plugin in units. */
#define TICK_MS 10
#define UNIT_MS 16

/* For how long nothing has come, by the kernel's own word to the socket's
 * owner. Its clock is late on a loaded machine, and so is the plugin's then. */
static int64_t ask_idle(int state) {
  struct tcp_info info;
  socklen_t len = sizeof(info);
  ck_assert_int_eq(getsockopt(fd_in(state), IPPROTO_TCP, TCP_INFO, &info, &len),
                   0);
  return info.tcpi_last_ack_recv < info.tcpi_last_data_recv
             ? info.tcpi_last_ack_recv
             : info.tcpi_last_data_recv;
}

/* An age that is known, and when it was at least that. */
struct known {
  int64_t age, at;
};

static int64_t grown(const struct known *known, int64_t now) {
  return known->age + now - known->at;
}

/* It is at least that, less what units, ticks and the time of the read leave
 * open; never older than the truth, and within a second of it. */
static void assert_age(uint64_t oldest, int64_t least, int64_t before,
                       int64_t after) {
  int64_t age = (int64_t)oldest, open = UNIT_MS + TICK_MS + after - before;
  ck_assert_msg(
      age <= after - made_after + TICK_MS && age + open >= least &&
          age + open + 1000 >= before - made_before,
      "age %lld, at least %lld, and it was made %lld to %lld ms before",
      (long long)age, (long long)least, (long long)(before - made_before),
      (long long)(after - made_after));
}

START_TEST(the_ages_are_those_that_the_test_made) {
  make_pair((enum sockets_family)_i);
  static const int states[2] = {TCP_FIN_WAIT2, TCP_CLOSE_WAIT};
  struct known first[2];
  for (int i = 0; i < 3; i++) {
    poll(NULL, 0, 700);
    int64_t before = clock_ms();
    int64_t least[2] = {ask_idle(states[0]), ask_idle(states[1])};
    struct tally_counts all = count(60000);
    int64_t after = clock_ms();
    const uint64_t oldest[2] = {all.fin_wait2_oldest, all.close_wait_oldest};
    for (int k = 0; k < 2; k++) {
      if (i == 0)
        first[k] = (struct known){(int64_t)oldest[k], after};
      else if (least[k] > grown(&first[k], before))
        least[k] = grown(&first[k], before);
      assert_age(oldest[k], least[k], before, after);
    }
    ck_assert_uint_eq(all.fin_wait2_stuck + all.close_wait_stuck, 0);
  }
  end_pair();
}
END_TEST

START_TEST(stuck_are_those_that_are_held_for_longer) {
  make_pair(SOCKETS_IPV4);
  poll(NULL, 0, 1000);
  uint64_t early = count(2500).fin_wait2_stuck;
  ck_assert(early == 0 || clock_ms() - made_before + TICK_MS > 2500);
  ck_assert_uint_eq(count(500).fin_wait2_stuck, 1);
  ck_assert_uint_eq(count(500).close_wait_stuck, 1);
  end_pair();
}
END_TEST

START_TEST(answered_keepalives_do_not_make_it_look_younger) {
  make_pair(SOCKETS_IPV4);
  ck_assert_int_eq(
      sockets_keepalive(&made, SOCKETS_FIN_WAIT2_HELD, SOCKETS_IPV4, 18000, 1),
      0);
  struct known first = {0, 0};
  for (int i = 0; i < 3; i++) {
    poll(NULL, 0, 1300);
    int64_t before = clock_ms();
    struct tally_counts all = count(60000);
    int64_t after = clock_ms();
    /* The first read can be after a probe. */
    if (i == 0) {
      first = (struct known){(int64_t)all.fin_wait2_oldest, after};
      made_before = after - first.age;
    }
    assert_age(all.fin_wait2_oldest, grown(&first, before), before, after);
  }
  end_pair();
}
END_TEST

START_TEST(late_data_makes_both_look_younger_never_older) {
  make_pair(SOCKETS_IPV4);
  poll(NULL, 0, 1500);
  int64_t sent = clock_ms();
  ck_assert_int_eq(send(fd_in(TCP_CLOSE_WAIT), "x", 1, MSG_NOSIGNAL), 1);
  poll(NULL, 0, 300);
  struct tally_counts all = count(60000);
  int64_t since = clock_ms() - sent;
  ck_assert_int_le(all.fin_wait2_oldest, since + TICK_MS);
  ck_assert_int_le(all.close_wait_oldest, since + TICK_MS);
  end_pair();
}
END_TEST

START_TEST(orphans_have_no_age) {
  const struct sockets_request request = {
      .kind = SOCKETS_FIN_WAIT2_ORPHANED, .port = 18000, .count = 2};
  /* An age can be too low by what the kernel's walk takes. */
  int64_t begun = clock_ms();
  count(0);
  int walk_ms = (int)(clock_ms() - begun);
  ck_assert_int_eq(sockets_make(&made, &request), 0);
  poll(NULL, 0, 300 + 5 * walk_ms);
  struct tally_counts all = count(0);
  ck_assert_uint_eq(all.fin_wait2_orphaned, 2);
  ck_assert_uint_eq(all.fin_wait2_stuck, 0);
  ck_assert_uint_eq(all.fin_wait2_oldest, 0);
  ck_assert_uint_eq(all.close_wait_stuck, 2);
  end_pair();
}
END_TEST

int main(void) {
  const char *obstacle = enter_namespace();
  if (obstacle != NULL) {
    printf("1..0 # SKIP %s\n", obstacle);
    return 0;
  }
  Suite *suite = suite_create("ages_kernel");
  TCase *tc = tcase_create("ages");
  tcase_set_timeout(tc, 30);
  tcase_add_loop_test(tc, the_ages_are_those_that_the_test_made, 0,
                      SOCKETS_FAMILIES);
  tcase_add_test(tc, stuck_are_those_that_are_held_for_longer);
  tcase_add_test(tc, answered_keepalives_do_not_make_it_look_younger);
  tcase_add_test(tc, late_data_makes_both_look_younger_never_older);
  tcase_add_test(tc, orphans_have_no_age);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
