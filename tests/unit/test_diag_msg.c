/* SPDX-License-Identifier: MIT */
/* diag_msg.c: the request's bytes, and what becomes of replies. */
#include "diag_msg.h"

#include "check_main.h"
#include "diag_replies.h"
#include "tail_buffer.h"

#include <errno.h>
#include <limits.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define SEQ 0x01020304u
#define PORTID 0x0a0b0c0du

/* The longest payload of a netlink attribute. */
#define BYTECODE_MAX 65531

/* struct nlmsghdr and struct inet_diag_req, as they are on the wire. */
struct wire_request {
  uint32_t len;
  uint16_t type;
  uint16_t flags;
  uint32_t seq;
  uint32_t portid;
  uint8_t family;
  uint8_t src_len;
  uint8_t dst_len;
  uint8_t ext;
  uint8_t id[48];
  uint32_t states;
  uint32_t dbs;
};

static struct wire_request expected_request(uint32_t states, uint32_t seq) {
  return (struct wire_request){
      .len = 76,
      .type = 18,
      .flags = 0x301,
      .seq = seq,
      .family = 2,
      .states = states,
  };
}

START_TEST(request_without_bytecode_is_a_header_and_inet_diag_req) {
  static const struct {
    uint32_t states;
    uint32_t seq;
  } cases[] = {
      {.states = 1u << TCP_ESTABLISHED, .seq = 1},
      {.states = 1u << TCP_LISTEN, .seq = 0x01020304},
      {.states = 0xffe, .seq = UINT32_MAX},
      {.states = 1u << DIAG_STATE_BOUND_INACTIVE, .seq = 7},
      {.states = UINT32_MAX, .seq = 0},
      {.states = 0, .seq = 8},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    const struct diag_request request = {.states = cases[i].states};
    ck_assert_uint_eq(diag_msg_request_size(&request), 76);
    struct tail_buffer buffer = tail_buffer_make(76);
    ck_assert_int_eq(diag_msg_request(buffer.data, &request, cases[i].seq), 0);
    const struct wire_request expected =
        expected_request(cases[i].states, cases[i].seq);
    ck_assert_mem_eq(buffer.data, &expected, sizeof(expected));
    tail_buffer_free(&buffer);
  }
}
END_TEST

/* struct nlmsghdr, struct inet_diag_req_v2 and INET_DIAG_REQ_PROTOCOL, as they
 * are on the wire. */
struct wire_mptcp {
  uint32_t len;
  uint16_t type;
  uint16_t flags;
  uint32_t seq;
  uint32_t portid;
  uint8_t family;
  uint8_t protocol;
  uint8_t ext;
  uint8_t pad;
  uint32_t states;
  uint8_t id[48];
  uint16_t attribute_len;
  uint16_t attribute_type;
  uint32_t attribute;
};

static const struct {
  uint32_t states;
  uint8_t family;
  bool info;
} mptcp_requests[] = {
    {1u << TCP_ESTABLISHED, AF_INET, false},
    {0xffe, AF_INET6, true},
    {UINT32_MAX, AF_INET, true},
};

START_TEST(request_for_mptcp_is_one_of_a_family_that_older_kernels_refuse) {
  const struct diag_request request = {.protocol = FILTER_MPTCP,
                                       .family = mptcp_requests[_i].family,
                                       .states = mptcp_requests[_i].states,
                                       .info = mptcp_requests[_i].info};
  const struct wire_mptcp expected = {.len = 80,
                                      .type = 20,
                                      .flags = 0x301,
                                      .seq = SEQ,
                                      .family = mptcp_requests[_i].family,
                                      .ext = mptcp_requests[_i].info ? 2 : 0,
                                      .states = mptcp_requests[_i].states,
                                      .attribute_len = 8,
                                      .attribute_type = 3,
                                      .attribute = 262};
  ck_assert_uint_eq(diag_msg_request_size(&request), sizeof(expected));
  struct tail_buffer buffer = tail_buffer_make(sizeof(expected));
  memset(buffer.data, 0xee, sizeof(expected));
  ck_assert_int_eq(diag_msg_request(buffer.data, &request, SEQ), 0);
  ck_assert_mem_eq(buffer.data, &expected, sizeof(expected));
  tail_buffer_free(&buffer);
}
END_TEST

START_TEST(request_carries_bytecode_as_padded_attribute) {
  static const size_t lengths[] = {
      1,  2,    3,    4,    5,  6,  7,     8,     9,     12,
      20, 4095, 4096, 4097, 96, 97, 65528, 65529, 65530, BYTECODE_MAX};
  static char bytecode[BYTECODE_MAX];
  for (size_t i = 0; i < sizeof(bytecode); i++)
    bytecode[i] = (char)(i % 251 + 1);

  for (size_t i = 0; i < CASES(lengths); i++) {
    size_t len = lengths[i];
    size_t padded = (len + 3) / 4 * 4;
    struct tail_buffer code = tail_buffer_copy(bytecode, len);
    const struct diag_request request = {
        .states = 0x0ffe,
        .bytecode = code.data,
        .bytecode_len = len,
    };
    ck_assert_uint_eq(diag_msg_request_size(&request), 76 + 4 + padded);
    struct tail_buffer buffer = tail_buffer_make(76 + 4 + padded);
    ck_assert_int_eq(diag_msg_request(buffer.data, &request, SEQ), 0);

    struct wire_request expected = expected_request(0x0ffe, SEQ);
    expected.len = (uint32_t)(76 + 4 + padded);
    ck_assert_mem_eq(buffer.data, &expected, sizeof(expected));
    const struct nlattr attribute = {
        .nla_len = (uint16_t)(4 + len),
        .nla_type = 1,
    };
    const char *tail = (const char *)buffer.data + 76;
    ck_assert_mem_eq(tail, &attribute, sizeof(attribute));
    ck_assert_mem_eq(tail + 4, bytecode, len);
    tail_buffer_free(&buffer);
    tail_buffer_free(&code);
  }
}
END_TEST

START_TEST(request_leaves_no_byte_of_its_buffer_unwritten) {
  for (size_t len = 1; len <= 8; len++) {
    const struct diag_request request = {
        .states = 2,
        .bytecode = "\1\2\3\4\5\6\7\10",
        .bytecode_len = len,
    };
    size_t size = diag_msg_request_size(&request);
    struct tail_buffer buffer = tail_buffer_make(size);
    ck_assert_int_eq(diag_msg_request(buffer.data, &request, SEQ), 0);
    for (size_t i = 80 + len; i < size; i++)
      ck_assert_msg(((const char *)buffer.data)[i] == 0,
                    "bytecode of %zu bytes: byte %zu is not 0", len, i);
    tail_buffer_free(&buffer);
  }
}
END_TEST

START_TEST(request_refuses_bytecode_too_long_for_an_attribute) {
  static const size_t lengths[] = {BYTECODE_MAX + 1, 65535, 65536, 65540,
                                   131072};
  for (size_t i = 0; i < CASES(lengths); i++) {
    struct tail_buffer code = tail_buffer_make(lengths[i]);
    const struct diag_request request = {
        .states = 2,
        .bytecode = code.data,
        .bytecode_len = lengths[i],
    };
    struct tail_buffer buffer = tail_buffer_make(80);
    ck_assert_int_eq(diag_msg_request(buffer.data, &request, SEQ), -EMSGSIZE);
    tail_buffer_free(&buffer);
    tail_buffer_free(&code);
  }
}
END_TEST

/* What the callback has seen, and when it is to fail. */
struct seen {
  struct diag_socket sockets[16]; /* the first of them */
  size_t num;
  int err; /* what it returns for the socket number fail_at, from 0 on */
  size_t fail_at;
};

static int note_socket(const struct diag_socket *socket, void *data) {
  struct seen *seen = data;
  if (seen->num < CASES(seen->sockets))
    seen->sockets[seen->num] = *socket;
  return seen->num++ == seen->fail_at ? seen->err : 0;
}

/* Decodes bytes that end where the memory ends. */
static int decode_bytes(const void *bytes, size_t len, struct seen *seen) {
  struct tail_buffer buffer = tail_buffer_copy(bytes, len);
  int status =
      diag_msg_decode(buffer.data, len, SEQ, PORTID, note_socket, seen);
  tail_buffer_free(&buffer);
  return status;
}

static int decode(const struct diag_replies *replies, struct seen *seen) {
  return decode_bytes(replies->buf, replies->len, seen);
}

static const struct diag_reply_socket established = {
    .state = TCP_ESTABLISHED,
    .family = AF_INET,
    .inode = 4711,
    .local_port = 443,
    .remote_port = 50000,
    .shutdown = true,
};

static struct diag_replies replies;

static void start_replies(void) { diag_replies_start(&replies, SEQ, PORTID); }

START_TEST(socket_is_decoded_field_by_field) {
  static const struct {
    const char *name;
    struct diag_reply_socket sent;
    struct diag_socket expected;
  } cases[] = {
      {"every field has its place",
       {TCP_ESTABLISHED, AF_INET, 0, 0x01020304, 0x1234, 0xabcd, true},
       {TCP_ESTABLISHED, AF_INET, false, false, 0x01020304, 0x1234, 0xabcd}},
      {"family IPv6",
       {TCP_ESTABLISHED, AF_INET6, 0, 1, 1, 2, true},
       {TCP_ESTABLISHED, AF_INET6, false, false, 1, 1, 2}},
      {"greatest inode and ports",
       {TCP_CLOSE_WAIT, AF_INET, 0, UINT32_MAX, 65535, 65535, true},
       {TCP_CLOSE_WAIT, AF_INET, false, false, UINT32_MAX, 65535, 65535}},
      {"no inode, no remote port",
       {TCP_LISTEN, AF_INET, 0, 0, 80, 0, true},
       {TCP_LISTEN, AF_INET, false, false, 0, 80, 0}},
      {"TIME_WAIT",
       {TCP_TIME_WAIT, AF_INET, 3, 0, 80, 4000, false},
       {TCP_TIME_WAIT, AF_INET, true, false, 0, 80, 4000}},
      {"FIN_WAIT2 minisocket",
       {TCP_FIN_WAIT2, AF_INET, 3, 0, 80, 4000, false},
       {TCP_FIN_WAIT2, AF_INET, true, false, 0, 80, 4000}},
      {"FIN_WAIT2 full orphan",
       {TCP_FIN_WAIT2, AF_INET, 2, 0, 80, 4000, true},
       {TCP_FIN_WAIT2, AF_INET, false, false, 0, 80, 4000}},
      {"retransmission timer",
       {TCP_FIN_WAIT1, AF_INET, 1, 0, 80, 4000, true},
       {TCP_FIN_WAIT1, AF_INET, false, false, 0, 80, 4000}},
      {"zero window probe timer",
       {TCP_ESTABLISHED, AF_INET, 4, 9, 80, 4000, true},
       {TCP_ESTABLISHED, AF_INET, false, false, 9, 80, 4000}},
      {"SYN_RECV request sock",
       {TCP_SYN_RECV, AF_INET6, 1, 0, 80, 4000, false},
       {TCP_SYN_RECV, AF_INET6, false, true, 0, 80, 4000}},
      {"SYN_RECV full socket (TCP Fast Open)",
       {TCP_SYN_RECV, AF_INET6, 1, 0, 80, 4000, true},
       {TCP_SYN_RECV, AF_INET6, false, false, 0, 80, 4000}},
      {"no shutdown attribute, but not SYN_RECV",
       {TCP_ESTABLISHED, AF_INET, 0, 5, 80, 4000, false},
       {TCP_ESTABLISHED, AF_INET, false, false, 5, 80, 4000}},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    start_replies();
    diag_replies_socket(&replies, &cases[i].sent);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), 1);
    ck_assert_uint_eq(seen.num, 1);
    const struct diag_socket *got = &seen.sockets[0];
    const struct diag_socket *expected = &cases[i].expected;
    ck_assert_msg(got->state == expected->state, "%s: state", cases[i].name);
    ck_assert_msg(got->family == expected->family, "%s: family", cases[i].name);
    ck_assert_msg(got->minisocket == expected->minisocket, "%s: minisocket",
                  cases[i].name);
    ck_assert_msg(got->request_sock == expected->request_sock,
                  "%s: request_sock", cases[i].name);
    ck_assert_msg(got->inode == expected->inode, "%s: inode", cases[i].name);
    ck_assert_msg(got->local_port == expected->local_port, "%s: local_port",
                  cases[i].name);
    ck_assert_msg(got->remote_port == expected->remote_port, "%s: remote_port",
                  cases[i].name);
  }
}
END_TEST

START_TEST(every_state_from_established_to_closing_is_taken) {
  for (uint8_t state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++) {
    struct diag_reply_socket socket = established;
    socket.state = state;
    start_replies();
    diag_replies_socket(&replies, &socket);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), 1);
    ck_assert_uint_eq(seen.num, 1);
    ck_assert_uint_eq(seen.sockets[0].state, state);
  }
}
END_TEST

START_TEST(every_other_state_is_refused) {
  static const uint8_t states[] = {0, 12, 13, 14, 127, 128, 255};
  for (size_t i = 0; i < CASES(states); i++) {
    struct diag_reply_socket socket = established;
    socket.state = states[i];
    start_replies();
    diag_replies_socket(&replies, &socket);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), -EBADMSG);
    ck_assert_uint_eq(seen.num, 0);
  }
}
END_TEST

START_TEST(shutdown_attribute_is_found_wherever_it_stands) {
  static const struct {
    const char *name;
    uint16_t types[3]; /* 0: no more attributes */
    size_t len;        /* of each payload */
    bool request_sock;
  } cases[] = {
      {"first", {INET_DIAG_SHUTDOWN, INET_DIAG_MARK}, 4, false},
      {"last", {INET_DIAG_MARK, INET_DIAG_CONG, INET_DIAG_SHUTDOWN}, 5, false},
      {"in the middle",
       {INET_DIAG_INFO, INET_DIAG_SHUTDOWN, INET_DIAG_MARK},
       232,
       false},
      {"flagged as nested", {INET_DIAG_SHUTDOWN | NLA_F_NESTED}, 4, false},
      {"without payload", {INET_DIAG_SHUTDOWN}, 0, false},
      {"not there", {INET_DIAG_MARK, INET_DIAG_CONG}, 1, true},
      {"unknown attributes only", {0x3ffe, 0x3fff}, 8, true},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    struct diag_reply_socket socket = established;
    socket.state = TCP_SYN_RECV;
    socket.shutdown = false;
    start_replies();
    diag_replies_socket(&replies, &socket);
    for (size_t k = 0; k < 3 && cases[i].types[k] != 0; k++)
      diag_replies_attribute(&replies, cases[i].types[k], NULL, cases[i].len);
    struct seen seen = {.num = 0};
    ck_assert_msg(decode(&replies, &seen) == 1 && seen.num == 1, "%s",
                  cases[i].name);
    ck_assert_msg(seen.sockets[0].request_sock == cases[i].request_sock, "%s",
                  cases[i].name);
  }
}
END_TEST

START_TEST(malformed_attribute_is_refused) {
  static const struct {
    const char *name;
    struct nlattr header;
    size_t len; /* how many bytes of the header, then of zeros, are there */
  } cases[] = {
      {"nla_len 0", {0, INET_DIAG_MARK}, 8},
      {"nla_len 1", {1, INET_DIAG_MARK}, 8},
      {"nla_len 3", {3, INET_DIAG_MARK}, 8},
      {"nla_len one more than there is", {9, INET_DIAG_MARK}, 8},
      {"nla_len greatest", {UINT16_MAX, INET_DIAG_MARK}, 8},
      {"nla_len beyond a lone header", {5, INET_DIAG_MARK}, 4},
      {"shutdown of nla_len 0", {0, INET_DIAG_SHUTDOWN}, 4},
      {"shutdown running past the message", {5, INET_DIAG_SHUTDOWN}, 4},
      {"a quarter of a header", {4, INET_DIAG_MARK}, 1},
      {"half a header", {4, INET_DIAG_MARK}, 2},
      {"three quarters of a header", {4, INET_DIAG_MARK}, 3},
  };
  /* after a good attribute or not, before another message or at the end */
  for (size_t i = 0; i < CASES(cases) * 4; i++) {
    size_t number = i / 4;
    char bytes[8] = {0};
    memcpy(bytes, &cases[number].header, sizeof(struct nlattr));
    start_replies();
    struct diag_reply_socket socket = established;
    socket.shutdown = i % 2;
    diag_replies_socket(&replies, &socket);
    diag_replies_append(&replies, bytes, cases[number].len);
    if (i & 2)
      diag_replies_socket(&replies, &established);

    struct seen seen = {.num = 0};
    int status = decode(&replies, &seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0, "%s: %d",
                  cases[number].name, status);
  }
}
END_TEST

START_TEST(all_messages_of_a_receive_are_decoded_in_order) {
  start_replies();
  for (uint16_t i = 0; i < 10; i++) {
    struct diag_reply_socket socket = established;
    socket.local_port = i;
    socket.shutdown = i % 2; /* records of different length */
    diag_replies_socket(&replies, &socket);
  }
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), 1);
  ck_assert_uint_eq(seen.num, 10);
  for (uint16_t i = 0; i < 10; i++)
    ck_assert_uint_eq(seen.sockets[i].local_port, i);
}
END_TEST

START_TEST(done_in_the_same_receive_completes_the_dump) {
  start_replies();
  diag_replies_socket(&replies, &established);
  diag_replies_socket(&replies, &established);
  diag_replies_done(&replies, 0);
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), 0);
  ck_assert_uint_eq(seen.num, 2);
}
END_TEST

START_TEST(nothing_behind_done_is_handed_out) {
  start_replies();
  diag_replies_done(&replies, 0);
  diag_replies_socket(&replies, &established);
  struct seen seen = {.num = 0};
  decode(&replies, &seen);
  ck_assert_uint_eq(seen.num, 0);
}
END_TEST

START_TEST(receive_cut_anywhere_is_an_error_or_goes_on_but_is_never_complete) {
  start_replies();
  size_t ends[5];
  size_t num = 0;
  for (; num < 3; num++) {
    struct diag_reply_socket socket = established;
    socket.shutdown = num != 1;
    diag_replies_socket(&replies, &socket);
    ends[num] = replies.len;
  }
  diag_replies_message(&replies, NLMSG_NOOP, NULL, 0);
  ends[num++] = replies.len;
  diag_replies_done(&replies, 0);
  ends[num] = replies.len;

  for (size_t len = 0; len <= replies.len; len++) {
    size_t whole = 0; /* messages */
    while (whole < 5 && ends[whole] <= len)
      whole++;
    int expected = -EBADMSG;
    if (whole > 0 && ends[whole - 1] == len)
      expected = whole == 5 ? 0 : 1;

    struct seen seen = {.num = 0};
    int status = decode_bytes(replies.buf, len, &seen);
    ck_assert_msg(status == expected, "%zu bytes: %d, not %d", len, status,
                  expected);
    ck_assert_uint_eq(seen.num, whole < 3 ? whole : 3);
  }
}
END_TEST

START_TEST(record_shorter_than_inet_diag_msg_is_refused) {
  start_replies();
  diag_replies_socket(&replies, &established);
  size_t fixed = sizeof(struct nlmsghdr) + sizeof(struct inet_diag_msg);
  for (size_t len = 0; len < fixed; len++) {
    replies.last->nlmsg_len = (uint32_t)len;
    struct seen seen = {.num = 0};
    size_t received = len < sizeof(struct nlmsghdr) ? replies.len : len;
    int status = decode_bytes(replies.buf, received, &seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0, "%zu bytes: %d", len,
                  status);
  }
  replies.last->nlmsg_len = (uint32_t)fixed;
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode_bytes(replies.buf, fixed, &seen), 1);
  ck_assert_uint_eq(seen.num, 1);
}
END_TEST

START_TEST(record_that_ends_within_an_attribute_is_refused) {
  struct diag_reply_socket socket = established;
  socket.shutdown = false;
  start_replies();
  diag_replies_socket(&replies, &socket);
  size_t fixed = replies.len;
  diag_replies_attribute(&replies, INET_DIAG_MARK, NULL, 4);
  for (size_t len = fixed + 1; len < replies.len; len++) {
    replies.last->nlmsg_len = (uint32_t)len;
    struct seen seen = {.num = 0};
    int status = decode_bytes(replies.buf, len, &seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0, "%zu bytes: %d", len,
                  status);
  }
}
END_TEST

START_TEST(attribute_may_end_the_record_without_padding) {
  start_replies();
  diag_replies_socket(&replies, &established);
  /* The payload of INET_DIAG_SHUTDOWN is one byte, padded to four. */
  for (size_t missing = 0; missing <= 3; missing++) {
    replies.last->nlmsg_len = (uint32_t)(replies.len - missing);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode_bytes(replies.buf, replies.len - missing, &seen),
                     1);
    ck_assert_uint_eq(seen.num, 1);
  }
}
END_TEST

/* One message of each kind that a dump can bring. */
enum kind { SOCKET, DONE, DONE_ENOENT, ERROR, NOOP, OVERRUN, KINDS_NUM };

static struct nlmsghdr *add_message(enum kind kind) {
  switch (kind) {
  case SOCKET:
    return diag_replies_socket(&replies, &established);
  case DONE:
    return diag_replies_done(&replies, 0);
  case DONE_ENOENT:
    return diag_replies_done(&replies, -ENOENT);
  case ERROR:
    return diag_replies_error(&replies, -EINVAL);
  case NOOP:
    return diag_replies_message(&replies, NLMSG_NOOP, NULL, 0);
  default:
    return diag_replies_message(&replies, NLMSG_OVERRUN, NULL, 0);
  }
}

static const uint32_t too_long[] = {
    97,         98,         99,         100,        65536,
    INT_MAX,    0x80000000, 0x80000001, 0x80000060, 0x80010000,
    0xffffffa0, 0xfffffff0, 0xfffffffc, 0xfffffffd, UINT32_MAX,
};

START_TEST(message_longer_than_the_receive_is_refused) {
  for (int kind = 0; kind < KINDS_NUM; kind++) {
    start_replies();
    add_message((enum kind)kind)->nlmsg_len = too_long[_i];
    struct seen seen = {.num = 0};
    int status = decode(&replies, &seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0,
                  "message %d, nlmsg_len %#x: %d", kind, too_long[_i], status);
  }
}
END_TEST

START_TEST(done_or_error_carries_the_kernels_error) {
  static const struct {
    uint16_t type;
    int err;
    int expected;
  } cases[] = {
      {NLMSG_DONE, 0, 0},
      {NLMSG_DONE, -ENOENT, -ENOENT},
      {NLMSG_DONE, -EINTR, -EINTR},
      {NLMSG_DONE, -EMSGSIZE, -EMSGSIZE},
      {NLMSG_DONE, ENOENT, -EBADMSG},
      {NLMSG_DONE, 1, -EBADMSG},
      {NLMSG_DONE, INT_MAX, -EBADMSG},
      {NLMSG_DONE, -4095, -4095}, /* MAX_ERRNO */
      {NLMSG_DONE, -4096, -EBADMSG},
      {NLMSG_DONE, INT_MIN, -EBADMSG},
      {NLMSG_ERROR, -EOPNOTSUPP, -EOPNOTSUPP},
      {NLMSG_ERROR, -ENOENT, -ENOENT},
      {NLMSG_ERROR, -EINVAL, -EINVAL},
      {NLMSG_ERROR, 0, -EBADMSG}, /* an ACK that nobody asked for */
      {NLMSG_ERROR, EINVAL, -EBADMSG},
      {NLMSG_ERROR, INT_MAX, -EBADMSG},
      {NLMSG_ERROR, -4096, -EBADMSG},
      {NLMSG_ERROR, INT_MIN, -EBADMSG},
  };
  for (size_t i = 0; i < CASES(cases) * 2; i++) {
    size_t number = i / 2;
    size_t sockets = i % 2;
    start_replies();
    if (sockets > 0)
      diag_replies_socket(&replies, &established);
    if (cases[number].type == NLMSG_DONE)
      diag_replies_done(&replies, cases[number].err);
    else
      diag_replies_error(&replies, cases[number].err);
    struct seen seen = {.num = 0};
    int status = decode(&replies, &seen);
    ck_assert_msg(status == cases[number].expected, "type %u, %d: %d",
                  cases[number].type, cases[number].err, status);
    ck_assert_uint_eq(seen.num, sockets);
  }
}
END_TEST

START_TEST(done_or_error_too_short_for_its_number_is_refused) {
  static const uint16_t types[] = {NLMSG_DONE, NLMSG_ERROR};
  for (size_t i = 0; i < CASES(types); i++) {
    for (size_t len = 0; len < sizeof(int); len++) {
      start_replies();
      diag_replies_message(&replies, types[i], NULL, len);
      struct seen seen = {.num = 0};
      int status = decode(&replies, &seen);
      ck_assert_msg(status == -EBADMSG, "type %u, %zu bytes: %d", types[i], len,
                    status);
    }
  }
}
END_TEST

START_TEST(done_may_carry_more_than_its_number) {
  static const int payload[] = {-ENOENT, 4711, 4712};
  start_replies();
  diag_replies_message(&replies, NLMSG_DONE, payload, sizeof(payload));
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), -ENOENT);
}
END_TEST

START_TEST(noop_is_skipped) {
  for (size_t len = 0; len <= 8; len++) {
    start_replies();
    diag_replies_message(&replies, NLMSG_NOOP, NULL, len);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), 1);
    diag_replies_socket(&replies, &established);
    ck_assert_int_eq(decode(&replies, &seen), 1);
    ck_assert_uint_eq(seen.num, 1);
  }
}
END_TEST

START_TEST(overrun_ends_the_dump) {
  start_replies();
  diag_replies_message(&replies, NLMSG_OVERRUN, NULL, 0);
  diag_replies_done(&replies, 0);
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), -EOVERFLOW);
}
END_TEST

START_TEST(unknown_message_type_is_refused) {
  static const uint16_t types[] = {0,  5,  15,     16,
                                   17, 19, /* DCCPDIAG */
                                   21, 24, 0x1200, UINT16_MAX};
  for (size_t i = 0; i < CASES(types); i++) {
    start_replies();
    diag_replies_socket(&replies, &established)->nlmsg_type = types[i];
    diag_replies_done(&replies, 0);
    struct seen seen = {.num = 0};
    int status = decode(&replies, &seen);
    ck_assert_msg(status == -EBADMSG && seen.num == 0, "type %u: %d", types[i],
                  status);
  }
}
END_TEST

START_TEST(message_for_somebody_else_is_refused_whatever_it_is) {
  static const struct {
    const char *name;
    uint32_t seq;
    uint32_t portid;
  } cases[] = {
      {"seq of the dump before", SEQ - 1, PORTID},
      {"seq of the next dump", SEQ + 1, PORTID},
      {"seq 0, as in a notification", 0, PORTID},
      {"seq that differs in its upper half", SEQ ^ 0x10000, PORTID},
      {"another port id", SEQ, PORTID + 1},
      {"the kernel's own port id", SEQ, 0},
      {"both exchanged", PORTID, SEQ},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    diag_replies_start(&replies, cases[i].seq, cases[i].portid);
    add_message((enum kind)_i);
    struct seen seen = {.num = 0};
    int status = decode(&replies, &seen);
    ck_assert_msg(status == -EPROTO && seen.num == 0, "%s: %d", cases[i].name,
                  status);
  }
}
END_TEST

START_TEST(message_for_somebody_else_behind_ours_is_refused) {
  start_replies();
  diag_replies_socket(&replies, &established);
  add_message((enum kind)_i)->nlmsg_seq++;
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), -EPROTO);
}
END_TEST

START_TEST(a_dump_marked_as_inconsistent_is_refused) {
  static const enum kind kinds[] = {SOCKET, DONE};
  for (size_t i = 0; i < CASES(kinds); i++) {
    start_replies();
    diag_replies_socket(&replies, &established);
    add_message(kinds[i])->nlmsg_flags |= NLM_F_DUMP_INTR;
    diag_replies_done(&replies, 0);
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), -EPROTO);
  }
}
END_TEST

START_TEST(other_flags_do_not_matter) {
  static const uint16_t flags[] = {0, NLM_F_MULTI, NLM_F_DUMP_FILTERED,
                                   (uint16_t)~NLM_F_DUMP_INTR};
  for (size_t i = 0; i < CASES(flags); i++) {
    start_replies();
    diag_replies_socket(&replies, &established)->nlmsg_flags = flags[i];
    diag_replies_done(&replies, 0)->nlmsg_flags = flags[i];
    struct seen seen = {.num = 0};
    ck_assert_int_eq(decode(&replies, &seen), 0);
    ck_assert_uint_eq(seen.num, 1);
  }
}
END_TEST

START_TEST(callbacks_error_ends_the_decoding) {
  start_replies();
  for (size_t i = 0; i < 4; i++)
    diag_replies_socket(&replies, &established);
  diag_replies_done(&replies, 0);
  for (size_t at = 0; at < 4; at++) {
    struct seen seen = {.err = -ECANCELED, .fail_at = at};
    ck_assert_int_eq(decode(&replies, &seen), -ECANCELED);
    ck_assert_uint_eq(seen.num, at + 1);
  }
}
END_TEST

/* Where there is none, or records differ, it is a guess, and nothing is read
 * that was not received. */
START_TEST(a_record_says_the_cookie_of_one_that_follows) {
  enum { NUM = 16, DISTANCE = 6 };
  start_replies();
  for (uint32_t i = 1; i <= NUM; i++) {
    struct nlmsghdr *nlh = diag_replies_socket(&replies, &established);
    struct inet_diag_msg *msg = (void *)(nlh + 1);
    msg->id.idiag_cookie[0] = i;
    msg->id.idiag_cookie[1] = 2 * i;
  }
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), 1);
  ck_assert_uint_eq(seen.num, NUM);
  for (size_t i = 0; i < NUM; i++)
    ck_assert_uint_eq(seen.sockets[i].ahead,
                      i + DISTANCE < NUM ? seen.sockets[i + DISTANCE].cookie
                                         : 0);
}
END_TEST

START_TEST(whole_receive_of_32_KiB_is_decoded) {
  start_replies();
  size_t num = 0;
  for (; replies.len + 96 <= sizeof(replies.buf); num++)
    diag_replies_socket(&replies, &established);
  struct seen seen = {.num = 0};
  ck_assert_int_eq(decode(&replies, &seen), 1);
  ck_assert_uint_eq(seen.num, num);
}
END_TEST

static TCase *request_tests(void) {
  TCase *tc = tcase_create("request");
  tcase_add_test(tc, request_without_bytecode_is_a_header_and_inet_diag_req);
  tcase_add_loop_test(
      tc, request_for_mptcp_is_one_of_a_family_that_older_kernels_refuse, 0,
      CASES(mptcp_requests));
  tcase_add_test(tc, request_carries_bytecode_as_padded_attribute);
  tcase_add_test(tc, request_leaves_no_byte_of_its_buffer_unwritten);
  tcase_add_test(tc, request_refuses_bytecode_too_long_for_an_attribute);
  return tc;
}

static TCase *socket_tests(void) {
  TCase *tc = tcase_create("socket");
  tcase_add_test(tc, socket_is_decoded_field_by_field);
  tcase_add_test(tc, every_state_from_established_to_closing_is_taken);
  tcase_add_test(tc, every_other_state_is_refused);
  tcase_add_test(tc, shutdown_attribute_is_found_wherever_it_stands);
  tcase_add_test(tc, malformed_attribute_is_refused);
  tcase_add_test(tc, callbacks_error_ends_the_decoding);
  return tc;
}

static TCase *length_tests(void) {
  TCase *tc = tcase_create("length");
  tcase_add_test(
      tc, receive_cut_anywhere_is_an_error_or_goes_on_but_is_never_complete);
  tcase_add_test(tc, record_shorter_than_inet_diag_msg_is_refused);
  tcase_add_test(tc, record_that_ends_within_an_attribute_is_refused);
  tcase_add_test(tc, attribute_may_end_the_record_without_padding);
  tcase_add_loop_test(tc, message_longer_than_the_receive_is_refused, 0,
                      CASES(too_long));
  tcase_add_test(tc, a_record_says_the_cookie_of_one_that_follows);
  tcase_add_test(tc, whole_receive_of_32_KiB_is_decoded);
  return tc;
}

static TCase *message_tests(void) {
  TCase *tc = tcase_create("message");
  tcase_add_test(tc, all_messages_of_a_receive_are_decoded_in_order);
  tcase_add_test(tc, done_in_the_same_receive_completes_the_dump);
  tcase_add_test(tc, nothing_behind_done_is_handed_out);
  tcase_add_test(tc, done_or_error_carries_the_kernels_error);
  tcase_add_test(tc, done_or_error_too_short_for_its_number_is_refused);
  tcase_add_test(tc, done_may_carry_more_than_its_number);
  tcase_add_test(tc, noop_is_skipped);
  tcase_add_test(tc, overrun_ends_the_dump);
  tcase_add_test(tc, unknown_message_type_is_refused);
  tcase_add_loop_test(tc, message_for_somebody_else_is_refused_whatever_it_is,
                      0, KINDS_NUM);
  tcase_add_loop_test(tc, message_for_somebody_else_behind_ours_is_refused, 0,
                      KINDS_NUM);
  tcase_add_test(tc, a_dump_marked_as_inconsistent_is_refused);
  tcase_add_test(tc, other_flags_do_not_matter);
  return tc;
}

int main(void) {
  Suite *suite = suite_create("diag_msg");
  suite_add_tcase(suite, request_tests());
  suite_add_tcase(suite, socket_tests());
  suite_add_tcase(suite, length_tests());
  suite_add_tcase(suite, message_tests());
  return check_main(suite);
}
