/* SPDX-License-Identifier: MIT */
/* Builds the dump's request and decodes its replies; diag_dump.c moves them. */
#include "diag_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

/* idiag_timer of a minisocket (net/ipv4/inet_diag.c, inet_twsk_diag_fill()) */
#define TIMER_TIME_WAIT 3

#define MAX_ERRNO 4095

/* A fetch has arrived after this many are decoded. */
#define RECORDS_AHEAD 6

/* Kernel headers before 5.6 and 5.9 do not have these. */
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define REQ_PROTOCOL 3 /* INET_DIAG_REQ_PROTOCOL */

/* Without the attribute that it does not know, an older kernel must not take
 * the request for another one: it has no dump of protocol 0 (-ENOENT). */
#define PROTOCOL_BY_ATTRIBUTE 0

static bool is_mptcp(const struct diag_request *request) {
  return request->protocol == FILTER_MPTCP;
}

size_t diag_msg_request_size(const struct diag_request *request) {
  size_t size = MNL_NLMSG_HDRLEN;
  if (is_mptcp(request))
    size += MNL_ALIGN(sizeof(struct inet_diag_req_v2)) + MNL_ATTR_HDRLEN +
            sizeof(uint32_t);
  else
    size += MNL_ALIGN(sizeof(struct inet_diag_req));
  if (request->bytecode != NULL)
    size += MNL_ATTR_HDRLEN + MNL_ALIGN(request->bytecode_len);
  return size;
}

/* The legacy request: its dump walks the hash table once for both address
 * families, SOCK_DIAG_BY_FAMILY needs a walk for each. */
static void put_tcp(struct nlmsghdr *nlh, const struct diag_request *request) {
  nlh->nlmsg_type = TCPDIAG_GETSOCK;
  struct inet_diag_req *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
  req->idiag_family = AF_INET;
  req->idiag_states = request->states;
  if (request->info)
    req->idiag_ext = 1 << (INET_DIAG_INFO - 1);
}

static void put_mptcp(struct nlmsghdr *nlh,
                      const struct diag_request *request) {
  nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
  req->sdiag_family = request->family;
  req->sdiag_protocol = PROTOCOL_BY_ATTRIBUTE;
  req->idiag_states = request->states;
  if (request->info)
    req->idiag_ext = 1 << (INET_DIAG_INFO - 1);
  mnl_attr_put_u32(nlh, REQ_PROTOCOL, IPPROTO_MPTCP);
}

int diag_msg_request(void *buf, const struct diag_request *request,
                     uint32_t seq) {
  if (request->bytecode != NULL &&
      request->bytecode_len > UINT16_MAX - MNL_ATTR_HDRLEN)
    return -EMSGSIZE;
  memset(buf, 0, diag_msg_request_size(request));

  struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
  nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  nlh->nlmsg_seq = seq;
  if (is_mptcp(request))
    put_mptcp(nlh, request);
  else
    put_tcp(nlh, request);
  if (request->bytecode != NULL)
    mnl_attr_put(nlh, INET_DIAG_REQ_BYTECODE, request->bytecode_len,
                 request->bytecode);
  return 0;
}

/* Of an idiag_cookie at any alignment. */
static uint64_t cookie_of(const void *halves) {
  uint32_t half[2];
  memcpy(half, halves, sizeof(half));
  return (uint64_t)half[1] << 32 | half[0];
}

static struct address decode_address(uint8_t family, const uint32_t *words) {
  struct address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
  if (family == AF_INET)
    memcpy(address.bytes + 12, words, 4);
  else
    memcpy(address.bytes, words, sizeof(address.bytes));
  return address;
}

/* Where the ages are in tcp_info and in mptcp_info (linux/tcp.h;
 * linux/mptcp.h, mptcpi_last_data_sent to mptcpi_last_ack_recv, since
 * Linux 6.10). Either one's length differs from kernel to kernel. */
struct info_format {
  size_t data_sent;
  size_t data_recv;
  size_t ack_recv; /* the last of them */
};

static const struct info_format tcp_info_format = {
    offsetof(struct tcp_info, tcpi_last_data_sent),
    offsetof(struct tcp_info, tcpi_last_data_recv),
    offsetof(struct tcp_info, tcpi_last_ack_recv)};
static const struct info_format mptcp_info_format = {84, 88, 92};

static uint32_t number_at(const char *info, size_t offset) {
  uint32_t number;
  memcpy(&number, info + offset, sizeof(number));
  return number;
}

static void decode_info(const char *info, size_t len,
                        const struct info_format *format,
                        struct diag_socket *socket) {
  if (len < format->ack_recv + sizeof(uint32_t))
    return;
  uint32_t sent = number_at(info, format->data_sent);
  uint32_t received = number_at(info, format->data_recv);
  socket->has_age = true;
  socket->age = number_at(info, format->ack_recv);
  socket->idle = sent < received ? sent : received;
}

static int decode_attribute(const struct nlattr *attr,
                            const struct info_format *format,
                            struct diag_socket *socket) {
  const char *payload = (const char *)attr + MNL_ATTR_HDRLEN;
  size_t len = attr->nla_len - MNL_ATTR_HDRLEN;
  switch (attr->nla_type & NLA_TYPE_MASK) {
  case INET_DIAG_SHUTDOWN:
    /* Every full socket carries this attribute, and no request sock: that is
     * how to tell a TCP Fast Open child, a full socket in SYN_RECV. */
    socket->request_sock = false;
    return 0;
  case INET_DIAG_INFO:
    decode_info(payload, len, format, socket);
    return 0;
  case INET_DIAG_CGROUP_ID:
    if (len < sizeof(socket->cgroup_id))
      return -EBADMSG;
    memcpy(&socket->cgroup_id, payload, sizeof(socket->cgroup_id));
    return 0;
  default:
    return 0;
  }
}

/* Not with libmnl's functions: there are four attributes to a socket, and with
 * four calls for each they took a third of the time spent in this process. */
static int decode_attributes(const char *pos, size_t left,
                             const struct info_format *format,
                             struct diag_socket *socket) {
  while (left > 0) {
    const struct nlattr *attr = (const void *)pos;
    if (left < MNL_ATTR_HDRLEN || attr->nla_len < MNL_ATTR_HDRLEN ||
        attr->nla_len > left)
      return -EBADMSG;
    int err = decode_attribute(attr, format, socket);
    if (err != 0)
      return err;
    size_t step = MNL_ALIGN(attr->nla_len);
    if (step >= left)
      return 0;
    pos += step;
    left -= step;
  }
  return 0;
}

/* Most records have the same length: this is the cookie of a later one. */
static uint64_t look_ahead(const struct nlmsghdr *nlh, size_t left) {
  size_t at = (size_t)RECORDS_AHEAD * nlh->nlmsg_len + MNL_NLMSG_HDRLEN;
  if (at + sizeof(struct inet_diag_msg) > left)
    return 0;
  return cookie_of((const char *)nlh + at +
                   offsetof(struct inet_diag_msg, id.idiag_cookie));
}

static int decode_socket(const struct nlmsghdr *nlh, size_t left,
                         diag_socket_cb cb, void *data) {
  size_t len = mnl_nlmsg_get_payload_len(nlh);
  if (len < sizeof(struct inet_diag_msg))
    return -EBADMSG;
  const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
  /* We get only the states that we ask for: anything else is no answer. */
  if (msg->idiag_state < TCP_ESTABLISHED || msg->idiag_state > TCP_CLOSING)
    return -EBADMSG;

  struct diag_socket socket = {
      .state = msg->idiag_state,
      .family = msg->idiag_family,
      .minisocket = msg->idiag_timer == TIMER_TIME_WAIT,
      .request_sock = msg->idiag_state == TCP_SYN_RECV,
      .inode = msg->idiag_inode,
      .cookie = cookie_of(msg->id.idiag_cookie),
      .ahead = look_ahead(nlh, left),
      .has_age = false,
      .age = 0,
      .idle = 0,
      .cgroup_id = 0,
      .local_port = ntohs(msg->id.idiag_sport),
      .remote_port = ntohs(msg->id.idiag_dport),
      .queue = msg->idiag_rqueue,
      .queue_limit = msg->idiag_wqueue,
      .local_address = decode_address(msg->idiag_family, msg->id.idiag_src),
      .remote_address = decode_address(msg->idiag_family, msg->id.idiag_dst),
  };
  int err =
      decode_attributes((const char *)(msg + 1), len - sizeof(*msg),
                        nlh->nlmsg_type == TCPDIAG_GETSOCK ? &tcp_info_format
                                                           : &mptcp_info_format,
                        &socket);
  return err != 0 ? err : cb(&socket, data);
}

/* The error number in the payload of NLMSG_DONE and NLMSG_ERROR, 0: none. The
 * kernel has none beyond MAX_ERRNO (linux/err.h). */
static int decode_status(const struct nlmsghdr *nlh) {
  int err;
  if (mnl_nlmsg_get_payload_len(nlh) < sizeof(err))
    return -EBADMSG;
  memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
  return err > 0 || err < -MAX_ERRNO ? -EBADMSG : err;
}

int diag_msg_decode(const void *buf, size_t len, uint32_t seq, uint32_t portid,
                    diag_socket_cb cb, void *data) {
  const struct nlmsghdr *nlh = buf;
  int left = (int)len;
  for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
    /* mnl_nlmsg_ok() takes a length of 2^31 and more for a negative one. */
    if (nlh->nlmsg_len > (uint32_t)left)
      return -EBADMSG;
    if (nlh->nlmsg_seq != seq || nlh->nlmsg_pid != portid)
      return -EPROTO;
    /* "Inconsistent": inet_diag never says so. It leaves netlink_callback.seq
     * at 0, which nl_dump_check_consistent() compares: in the source of Linux
     * 4.9; and tests/e2e/auto.sh, which would miss the counts of a refused
     * dump, passes under churn on 5.10, 6.1, 6.12 and 7.2. If a kernel says so
     * one day, that costs a gap, not a wrong number. */
    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
      return -EPROTO;

    int err;
    switch (nlh->nlmsg_type) {
    case TCPDIAG_GETSOCK:
    case SOCK_DIAG_BY_FAMILY: /* as the request: MPTCP's */
      err = decode_socket(nlh, (size_t)left, cb, data);
      if (err != 0)
        return err;
      break;
    case NLMSG_DONE:
      return decode_status(nlh);
    case NLMSG_ERROR:
      err = decode_status(nlh);
      return err != 0 ? err
                      : -EBADMSG; /* 0 is an ACK, which we never ask for */
    case NLMSG_OVERRUN:
      return -EOVERFLOW;
    case NLMSG_NOOP:
      break;
    default:
      return -EBADMSG;
    }
  }
  return left > 0 || len == 0 ? -EBADMSG : 1;
}
