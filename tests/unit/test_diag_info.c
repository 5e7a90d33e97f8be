/* SPDX-License-Identifier: MIT */
/* diag_msg.c: what is asked for and decoded beyond the socket itself: its age
 * (tcp_info), a listener's queue, its control group. */
#include "diag_msg.h"

#include "check_main.h"
#include "diag_replies.h"
#include "tail_buffer.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define SEQ 0x01020304u
#define PORTID 0x0a0b0c0du

/* Where these are in struct tcp_info, include/uapi/linux/tcp.h. */
#define DATA_SENT_OFFSET 44 /* tcpi_last_data_sent */
#define DATA_RECV_OFFSET 52 /* tcpi_last_data_recv */
#define AGE_OFFSET 56       /* tcpi_last_ack_recv */

#define INFO_MAX 280

static const struct {
  const void *bytecode;
  size_t bytecode_len;
} bytecodes[] = {{NULL, 0}, {"\1\2\3\4\5\6\7\10", 8}};

START_TEST(info_is_asked_for_by_its_bit_and_nothing_else_changes) {
  struct diag_request request = {
      .states = 1u << TCP_FIN_WAIT2,
      .bytecode = bytecodes[_i].bytecode,
      .bytecode_len = bytecodes[_i].bytecode_len,
  };
  size_t size = diag_msg_request_size(&request);
  struct tail_buffer without = tail_buffer_make(size);
  ck_assert_int_eq(diag_msg_request(without.data, &request, SEQ), 0);
  request.info = true;
  ck_assert_uint_eq(diag_msg_request_size(&request), size);
  struct tail_buffer with = tail_buffer_make(size);
  ck_assert_int_eq(diag_msg_request(with.data, &request, SEQ), 0);

  /* idiag_ext is after the header, family and two lengths. */
  char *ext = (char *)with.data + sizeof(struct nlmsghdr) + 3;
  ck_assert_int_eq(((char *)without.data)[sizeof(struct nlmsghdr) + 3], 0);
  ck_assert_int_eq(*ext, 1 << (2 - 1));
  *ext = 0;
  ck_assert_mem_eq(with.data, without.data, size);
  tail_buffer_free(&with);
  tail_buffer_free(&without);
}
END_TEST

static struct diag_replies replies;

static struct nlmsghdr *add_socket(uint8_t state) {
  const struct diag_reply_socket socket = {
      .state = state,
      .family = AF_INET,
      .inode = 4711,
      .local_port = 443,
      .remote_port = 50000,
      .shutdown = true,
  };
  return diag_replies_socket(&replies, &socket);
}

static void start(void) { diag_replies_start(&replies, SEQ, PORTID); }

/* What the callback has seen. */
struct seen {
  struct diag_socket socket;
  unsigned num;
};

static int note_socket(const struct diag_socket *socket, void *data) {
  struct seen *seen = data;
  seen->socket = *socket;
  seen->num++;
  return 0;
}

/* Decodes the replies from memory that ends where they end. */
static int decode(struct seen *seen) {
  *seen = (struct seen){.num = 0};
  struct tail_buffer buffer = tail_buffer_copy(replies.buf, replies.len);
  int status =
      diag_msg_decode(buffer.data, buffer.len, SEQ, PORTID, note_socket, seen);
  tail_buffer_free(&buffer);
  return status;
}

/* A tcp_info of which every byte but those of the age is wrong. */
static void make_info(char *info, uint32_t age) {
  memset(info, 0xEE, INFO_MAX);
  memcpy(info + AGE_OFFSET, &age, sizeof(age));
}

static const uint32_t age_values[] = {
    0, 1, 59999, 60000, 60001, 0x01020304, 0x7fffffff, UINT32_MAX};

/* Of every length that a kernel may give tcp_info, 232 to 280 from Linux 5.10
 * to 7.3 among them. */
START_TEST(age_is_what_the_kernel_says_from_the_end_of_its_field_on) {
  char info[INFO_MAX];
  make_info(info, age_values[_i]);
  for (size_t len = 0; len <= INFO_MAX; len++) {
    start();
    add_socket(len % 2 ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT);
    diag_replies_attribute(&replies, INET_DIAG_INFO, info, len);
    struct seen seen;
    int status = decode(&seen);
    ck_assert_msg(status == 1, "%zu bytes: %d", len, status);
    bool known = len >= AGE_OFFSET + 4;
    ck_assert_msg(seen.socket.has_age == known, "%zu bytes: %s", len,
                  known ? "no age" : "an age");
    ck_assert_msg(!known || seen.socket.age == age_values[_i], "%zu bytes: %#x",
                  len, seen.socket.age);
    ck_assert_msg(seen.socket.inode == 4711, "%zu bytes: inode", len);
  }
}
END_TEST

static const struct {
  uint32_t sent, received, idle;
} data_times[] = {
    {0, 0, 0},
    {7, 9, 7},
    {9, 7, 7},
    {UINT32_MAX, 0x80000000, 0x80000000},
    {0x01020304, UINT32_MAX, 0x01020304},
};

START_TEST(idle_is_the_time_without_data_in_either_direction) {
  char info[INFO_MAX];
  make_info(info, 5);
  memcpy(info + DATA_SENT_OFFSET, &data_times[_i].sent, 4);
  memcpy(info + DATA_RECV_OFFSET, &data_times[_i].received, 4);
  add_socket(TCP_CLOSE_WAIT);
  diag_replies_attribute(&replies, INET_DIAG_INFO, info, 232);
  struct seen seen;
  ck_assert_int_eq(decode(&seen), 1);
  ck_assert_uint_eq(seen.socket.idle, data_times[_i].idle);
  ck_assert_uint_eq(seen.socket.age, 5);
}
END_TEST

/* Where these are in struct mptcp_info, include/uapi/linux/mptcp.h; they end it
 * on Linux 6.10 to 6.18. */
#define MPTCP_DATA_SENT_OFFSET 84 /* mptcpi_last_data_sent */
#define MPTCP_DATA_RECV_OFFSET 88 /* mptcpi_last_data_recv */
#define MPTCP_AGE_OFFSET 92       /* mptcpi_last_ack_recv */

START_TEST(ages_of_mptcp_are_those_of_its_info_or_not_known) {
  char info[INFO_MAX];
  memset(info, 0xEE, sizeof(info));
  memcpy(info + MPTCP_DATA_SENT_OFFSET, &data_times[_i].sent, 4);
  memcpy(info + MPTCP_DATA_RECV_OFFSET, &data_times[_i].received, 4);
  memcpy(info + MPTCP_AGE_OFFSET, &(uint32_t){5}, 4);
  for (size_t len = 0; len <= INFO_MAX; len++) {
    start();
    add_socket(TCP_FIN_WAIT2)->nlmsg_type = 20;
    diag_replies_attribute(&replies, INET_DIAG_INFO, info, len);
    struct seen seen;
    ck_assert_int_eq(decode(&seen), 1);
    bool known = len >= MPTCP_AGE_OFFSET + 4;
    ck_assert_msg(seen.socket.has_age == known, "%zu bytes: %s", len,
                  known ? "no age" : "an age");
    ck_assert(!known || seen.socket.age == 5);
    ck_assert(!known || seen.socket.idle == data_times[_i].idle);
  }
}
END_TEST

static const uint64_t cookies[] = {
    0,         1, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(0x0102030405060708),
    UINT64_MAX};

START_TEST(cookie_is_taken_from_both_of_its_halves) {
  struct inet_diag_msg *msg = NLMSG_DATA(add_socket(TCP_CLOSE_WAIT));
  msg->id.idiag_cookie[0] = (uint32_t)cookies[_i];
  msg->id.idiag_cookie[1] = (uint32_t)(cookies[_i] >> 32);
  struct seen seen;
  ck_assert_int_eq(decode(&seen), 1);
  ck_assert(seen.socket.cookie == cookies[_i]);
}
END_TEST

START_TEST(each_socket_has_its_own_age_or_none) {
  static const bool with_info[] = {true, false, true, false, false, true};
  char info[INFO_MAX];
  for (size_t num = 1; num <= CASES(with_info); num++) {
    start();
    for (uint32_t i = 0; i < num; i++) {
      add_socket(TCP_CLOSE_WAIT);
      make_info(info, 1000 + i);
      if (with_info[i])
        diag_replies_attribute(&replies, INET_DIAG_INFO, info, 232);
    }
    struct seen seen;
    ck_assert_int_eq(decode(&seen), 1);
    ck_assert_uint_eq(seen.num, num);
    ck_assert_int_eq(seen.socket.has_age, with_info[num - 1]);
    if (with_info[num - 1])
      ck_assert_uint_eq(seen.socket.age, 999 + num);
  }
}
END_TEST

START_TEST(an_info_that_ends_behind_its_message_is_malformed) {
  char info[INFO_MAX];
  make_info(info, 1);
  struct nlmsghdr *nlh = add_socket(TCP_FIN_WAIT2);
  uint32_t before = nlh->nlmsg_len;
  diag_replies_attribute(&replies, INET_DIAG_INFO, info, 232);
  uint32_t whole = nlh->nlmsg_len;
  for (uint32_t len = before + 1; len < whole; len++) {
    nlh->nlmsg_len = len;
    replies.len = len;
    struct seen seen;
    int status = decode(&seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0,
                  "%u of %u bytes: %d, %u sockets", len, whole, status,
                  seen.num);
  }
}
END_TEST

static const struct {
  uint8_t state;
  uint32_t queue;
  uint32_t limit;
} queues[] = {
    {TCP_LISTEN, 0, 0},
    {TCP_LISTEN, 0, 4096},
    {TCP_LISTEN, 129, 128},
    {TCP_LISTEN, 0x01020304, 0x05060708},
    {TCP_LISTEN, UINT32_MAX, UINT32_MAX},
};

START_TEST(queue_of_a_listener_is_its_rqueue_and_the_limit_its_wqueue) {
  struct nlmsghdr *nlh = add_socket(queues[_i].state);
  struct inet_diag_msg *msg = NLMSG_DATA(nlh);
  msg->idiag_rqueue = queues[_i].queue;
  msg->idiag_wqueue = queues[_i].limit;
  struct seen seen;
  ck_assert_int_eq(decode(&seen), 1);
  ck_assert_uint_eq(seen.socket.queue, queues[_i].queue);
  ck_assert_uint_eq(seen.socket.queue_limit, queues[_i].limit);
}
END_TEST

static const uint64_t cgroup_ids[] = {
    0, 1, 4711, UINT64_C(1) << 32, UINT64_C(0x0102030405060708), UINT64_MAX};

START_TEST(a_control_group_id_is_taken_as_it_is_from_8_bytes_on) {
  uint64_t bytes[2] = {cgroup_ids[_i], UINT64_MAX};
  for (size_t len = 0; len <= sizeof(bytes); len++) {
    start();
    add_socket(TCP_CLOSE_WAIT);
    diag_replies_attribute(&replies, INET_DIAG_CGROUP_ID, bytes, len);
    struct seen seen;
    int status = decode(&seen);
    bool good = len >= sizeof(*bytes);
    ck_assert_msg(status == (good ? 1 : -EBADMSG), "%zu bytes: %d", len,
                  status);
    ck_assert_msg(seen.num == (good ? 1 : 0), "%zu bytes: %u sockets", len,
                  seen.num);
    ck_assert_msg(!good || seen.socket.cgroup_id == cgroup_ids[_i],
                  "%zu bytes: id", len);
  }
}
END_TEST

/* The kernel's own order is not ours, and differs. */
START_TEST(attributes_may_stand_in_any_order_and_be_unknown) {
  static const uint16_t orders[][4] = {
      {INET_DIAG_INFO, INET_DIAG_CGROUP_ID, 200, INET_DIAG_CONG},
      {INET_DIAG_CGROUP_ID, INET_DIAG_INFO, INET_DIAG_CONG, 200},
      {200, INET_DIAG_CONG, INET_DIAG_CGROUP_ID, INET_DIAG_INFO},
  };
  char info[INFO_MAX];
  make_info(info, 61000);
  const uint64_t id = 4711;
  for (int i = 0; i < CASES(orders); i++) {
    start();
    add_socket(TCP_FIN_WAIT2);
    for (int j = 0; j < 4; j++)
      if (orders[i][j] == INET_DIAG_INFO)
        diag_replies_attribute(&replies, INET_DIAG_INFO, info, 280);
      else if (orders[i][j] == INET_DIAG_CGROUP_ID)
        diag_replies_attribute(&replies, INET_DIAG_CGROUP_ID, &id, 8);
      else
        diag_replies_attribute(&replies, orders[i][j], "cubic", 6);
    struct seen seen;
    ck_assert_int_eq(decode(&seen), 1);
    ck_assert(seen.socket.has_age);
    ck_assert_uint_eq(seen.socket.age, 61000);
    ck_assert(seen.socket.cgroup_id == id);
  }
}
END_TEST

START_TEST(without_attributes_age_and_control_group_are_not_known) {
  add_socket(TCP_FIN_WAIT2);
  struct seen seen;
  ck_assert_int_eq(decode(&seen), 1);
  ck_assert(!seen.socket.has_age);
  ck_assert(seen.socket.cgroup_id == 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("diag_info");
  TCase *tc = tcase_create("diag_info");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_loop_test(tc, info_is_asked_for_by_its_bit_and_nothing_else_changes,
                      0, CASES(bytecodes));
  tcase_add_loop_test(tc,
                      age_is_what_the_kernel_says_from_the_end_of_its_field_on,
                      0, CASES(age_values));
  tcase_add_loop_test(tc, idle_is_the_time_without_data_in_either_direction, 0,
                      CASES(data_times));
  tcase_add_loop_test(tc, ages_of_mptcp_are_those_of_its_info_or_not_known, 0,
                      CASES(data_times));
  tcase_add_loop_test(tc, cookie_is_taken_from_both_of_its_halves, 0,
                      CASES(cookies));
  tcase_add_test(tc, each_socket_has_its_own_age_or_none);
  tcase_add_test(tc, an_info_that_ends_behind_its_message_is_malformed);
  tcase_add_loop_test(
      tc, queue_of_a_listener_is_its_rqueue_and_the_limit_its_wqueue, 0,
      CASES(queues));
  tcase_add_loop_test(tc, a_control_group_id_is_taken_as_it_is_from_8_bytes_on,
                      0, CASES(cgroup_ids));
  tcase_add_test(tc, attributes_may_stand_in_any_order_and_be_unknown);
  tcase_add_test(tc, without_attributes_age_and_control_group_are_not_known);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
