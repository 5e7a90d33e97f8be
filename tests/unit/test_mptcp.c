/* SPDX-License-Identifier: MIT */
/* mptcp.c: what is asked for, and what becomes of the answer. Link with
 * -Wl,--wrap=diag_dump_run,--wrap=cgroup_tree_ids,--wrap=cgroup_tree_generation.
 */
#include "mptcp.h"

#include "check_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STUCK_AFTER 60 /* seconds */
#define START 100000000

/* What the kernel has, and was asked. */
static struct {
  struct diag_socket sockets[8];
  size_t num;
  bool no_ages;
  int error;
  struct diag_request requests[8];
  size_t requests_num;
} kernel;

int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data);
int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data) {
  (void)dump;
  ck_assert_uint_lt(kernel.requests_num, CASES(kernel.requests));
  kernel.requests[kernel.requests_num++] = *request;
  for (size_t i = 0; i < kernel.num; i++) {
    struct diag_socket socket = kernel.sockets[i];
    socket.has_age = request->info && !kernel.no_ages;
    if (socket.family == request->family &&
        request->states & 1u << socket.state)
      ck_assert_int_eq(cb(&socket, data), 0);
  }
  return kernel.error;
}

static struct port_range port = {443, 443};
static struct group groups[] = {
    {(char[]){"tcp"}, {.local_ports = {&port, 1}}},
    {(char[]){"all of it"}, {.protocol = FILTER_MPTCP}},
    {(char[]){"https"}, {.protocol = FILTER_MPTCP, .local_ports = {&port, 1}}},
};
static struct settings settings;
static struct mptcp mptcp;
static uint64_t now;
static int64_t simulated_clock(void) { return (int64_t)now; }

static void start(void) {
  settings_init(&settings);
  settings.groups = groups;
  settings.groups_num = 1;
  settings.mptcp_num = 2;
  settings.stuck_after = STUCK_AFTER;
  memset(&kernel, 0, sizeof(kernel));
  now = START;
  ck_assert_int_eq(mptcp_open(&mptcp, &settings), 0);
  mptcp.ages.clock = simulated_clock;
}

static void end(void) { mptcp_close(&mptcp); }

static int read_all(void) {
  kernel.requests_num = 0;
  return mptcp_read(&mptcp, NULL, NULL);
}

/* An accepted socket, with its listener's cookie, that was idle for ms. */
static struct diag_socket *add(uint8_t state, uint32_t inode,
                               uint16_t remote_port, uint32_t ms) {
  struct diag_socket *socket = &kernel.sockets[kernel.num++];
  *socket = (struct diag_socket){.state = state,
                                 .family = AF_INET,
                                 .inode = inode,
                                 .local_port = 443,
                                 .remote_port = remote_port,
                                 .local_address = {{[10] = 0xff, 0xff, 127}},
                                 .cookie = 4711,
                                 .age = ms,
                                 .idle = ms};
  return socket;
}

START_TEST(both_families_are_asked_for_all_states_that_values_need) {
  ck_assert_int_eq(read_all(), 0);
  ck_assert_uint_eq(kernel.requests_num, 2);
  for (size_t i = 0; i < 2; i++) {
    const struct diag_request *request = &kernel.requests[i];
    ck_assert_int_eq(request->protocol, FILTER_MPTCP);
    ck_assert_int_eq(request->family, i == 0 ? AF_INET : AF_INET6);
    /* CLOSED, whatever ReportClosed says. */
    ck_assert_uint_eq(request->states, 0xffe);
    ck_assert_ptr_null(request->bytecode);
    ck_assert(request->info);
  }
}
END_TEST

START_TEST(sockets_are_counted_in_the_groups_of_mptcp) {
  add(TCP_FIN_WAIT2, 0, 50000, 0);
  add(TCP_FIN_WAIT2, 9, 50001, 0);
  add(TCP_CLOSE, 8, 50002, 0)->local_port = 80;
  add(TCP_ESTABLISHED, 7, 50003, 0)->family = AF_INET6;
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(read_all(), 0);
    const struct tally_counts *all = &mptcp.tally.groups[0];
    const struct tally_counts *https = &mptcp.tally.groups[1];
    ck_assert_uint_eq(all->state[TCP_FIN_WAIT2], 2);
    ck_assert_uint_eq(all->fin_wait2_orphaned, 1);
    ck_assert_uint_eq(all->state[TCP_CLOSE], 1);
    ck_assert_uint_eq(all->state[TCP_ESTABLISHED], 1);
    ck_assert_uint_eq(https->state[TCP_FIN_WAIT2], 2);
    ck_assert_uint_eq(https->state[TCP_CLOSE], 0);
    ck_assert_uint_eq(https->state[TCP_ESTABLISHED], 1);
  }
}
END_TEST

static unsigned generation = 1; /* of the tree */
static unsigned looked_up;      /* this many times */

/* The paths' control groups have the id 5. */
int __wrap_cgroup_tree_ids(struct cgroup_tree *tree, char *const *paths,
                           size_t num, struct id_list *ids, char *where,
                           size_t where_size);
int __wrap_cgroup_tree_ids(struct cgroup_tree *tree, char *const *paths,
                           size_t num, struct id_list *ids, char *where,
                           size_t where_size) {
  (void)tree, (void)paths, (void)num, (void)where, (void)where_size;
  looked_up++;
  free(ids->ids);
  ids->ids = calloc(1, sizeof(*ids->ids));
  ck_assert_ptr_nonnull(ids->ids);
  ids->ids[0] = 5;
  ids->num = 1;
  ids->known = true;
  return 1;
}

unsigned __wrap_cgroup_tree_generation(struct cgroup_tree *tree);
unsigned __wrap_cgroup_tree_generation(struct cgroup_tree *tree) {
  (void)tree;
  return generation;
}

START_TEST(a_filter_for_control_groups_counts_theirs) {
  char path[] = "/web.service", *paths[] = {path};
  mptcp_close(&mptcp);
  groups[2].filter.cgroups = (struct path_set){paths, 1};
  ck_assert_int_eq(mptcp_open(&mptcp, &settings), 0);
  add(TCP_ESTABLISHED, 8, 50000, 0)->cgroup_id = 5;
  add(TCP_ESTABLISHED, 9, 50001, 0)->cgroup_id = 6;
  int err = read_all();
  /* They are looked up again only when the tree has changed. */
  unsigned times[3] = {looked_up};
  for (int i = 1; i < 3 && err == 0; i++) {
    generation = (unsigned)i;
    err = read_all();
    times[i] = looked_up;
  }
  groups[2].filter.cgroups = (struct path_set){NULL, 0};
  ck_assert_int_eq(err, 0);
  ck_assert(times[0] == 1 && times[1] == 1 && times[2] == 2);
  ck_assert_uint_eq(mptcp.tally.groups[0].state[TCP_ESTABLISHED], 2);
  ck_assert_uint_eq(mptcp.tally.groups[1].state[TCP_ESTABLISHED], 1);
}
END_TEST

/* Only one of them moves. */
START_TEST(sockets_of_one_cookie_have_an_age_each) {
  add(TCP_CLOSE_WAIT, 1, 50000, 0);
  add(TCP_CLOSE_WAIT, 2, 50001, 0);
  add(TCP_CLOSE_WAIT, 3, 50000, 0)->remote_address.bytes[15] = 1;
  add(TCP_CLOSE_WAIT, 4, 50000, 0)->local_address.bytes[15] = 1;
  add(TCP_CLOSE_WAIT, 5, 50000, 0)->local_port = 444;
  ck_assert_int_eq(read_all(), 0);
  ck_assert_uint_eq(mptcp.ages.num, 5);
  for (int i = 1; i <= 3; i++) {
    now += 40000;
    for (size_t k = 0; k < kernel.num; k++) {
      kernel.sockets[k].age += 40000;
      kernel.sockets[k].idle += 40000;
    }
    kernel.sockets[1].idle = 1000;
    ck_assert_int_eq(read_all(), 0);
    ck_assert_uint_eq(mptcp.ages.num, 5);
    ck_assert_uint_eq(mptcp.tally.groups[0].close_wait_stuck, i < 2 ? 0 : 4);
  }
}
END_TEST

/* The next one of the same addresses, ports and cookie. */
START_TEST(a_socket_does_not_inherit_an_age) {
  struct diag_socket *socket = add(TCP_CLOSE_WAIT, 1, 50000, 90000);
  ck_assert_int_eq(read_all(), 0);
  ck_assert_uint_eq(mptcp.tally.groups[0].close_wait_stuck, 1);
  now += 10000;
  socket->inode = 2;
  socket->age = socket->idle = 5000;
  ck_assert_int_eq(read_all(), 0);
  ck_assert_uint_eq(mptcp.tally.groups[0].close_wait_stuck, 0);
  ck_assert_uint_le(mptcp.tally.groups[0].close_wait_oldest, 5016);
}
END_TEST

START_TEST(a_kernel_that_tells_no_ages_is_known_by_its_first_socket) {
  kernel.no_ages = true;
  add(TCP_ESTABLISHED, 1, 50000, 0);
  ck_assert_int_eq(read_all(), 0);
  ck_assert(mptcp.has_ages);
  add(TCP_CLOSE_WAIT, 2, 50001, 0);
  ck_assert_int_eq(read_all(), 0);
  ck_assert(!mptcp.has_ages);
  kernel.num = 0;
  ck_assert_int_eq(read_all(), 0);
  ck_assert(!mptcp.has_ages);
}
END_TEST

START_TEST(without_stuck_sockets_no_ages_are_asked_for) {
  mptcp_close(&mptcp);
  settings.report = REPORT_FIN_WAIT2;
  ck_assert_int_eq(mptcp_open(&mptcp, &settings), 0);
  ck_assert_int_eq(read_all(), 0);
  ck_assert(!kernel.requests[0].info);
  ck_assert_uint_eq(kernel.requests[0].states, 1u << TCP_FIN_WAIT2);
}
END_TEST

START_TEST(an_error_is_returned_and_ends_the_read) {
  kernel.error = -ENOENT;
  ck_assert_int_eq(read_all(), -ENOENT);
  ck_assert_uint_eq(kernel.requests_num, 1);
  kernel.error = 0;
  ck_assert_int_eq(read_all(), 0);
}
END_TEST

START_TEST(error_text_says_what_to_do) {
  ck_assert_ptr_nonnull(strstr(mptcp_strerror(-ENOENT), "modprobe mptcp_diag"));
  ck_assert_str_eq(mptcp_strerror(-EOPNOTSUPP), mptcp_strerror(-ENOENT));
  ck_assert_ptr_nonnull(strstr(mptcp_strerror(-EACCES), "AF_NETLINK"));
  ck_assert_ptr_null(mptcp_strerror(-ENOMEM));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("mptcp");
  TCase *tc = tcase_create("mptcp");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, both_families_are_asked_for_all_states_that_values_need);
  tcase_add_test(tc, sockets_are_counted_in_the_groups_of_mptcp);
  tcase_add_test(tc, a_filter_for_control_groups_counts_theirs);
  tcase_add_test(tc, sockets_of_one_cookie_have_an_age_each);
  tcase_add_test(tc, a_socket_does_not_inherit_an_age);
  tcase_add_test(tc, a_kernel_that_tells_no_ages_is_known_by_its_first_socket);
  tcase_add_test(tc, without_stuck_sockets_no_ages_are_asked_for);
  tcase_add_test(tc, an_error_is_returned_and_ends_the_read);
  tcase_add_test(tc, error_text_says_what_to_do);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
