/* SPDX-License-Identifier: MIT */
/* The kernel's half of the wire format, for the tests of the other half. */
#include "diag_replies.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <stdlib.h>
#include <string.h>

static char *grow(struct diag_replies *replies, size_t len) {
  if (len > sizeof(replies->buf) - replies->len)
    abort();
  char *added = replies->buf + replies->len;
  memset(added, 0, len);
  replies->len += len;
  return added;
}

void diag_replies_start(struct diag_replies *replies, uint32_t seq,
                        uint32_t portid) {
  replies->seq = seq;
  replies->portid = portid;
  replies->last = NULL;
  replies->len = 0;
}

void diag_replies_append(struct diag_replies *replies, const void *bytes,
                         size_t len) {
  char *added = grow(replies, len);
  if (bytes != NULL && len > 0)
    memcpy(added, bytes, len);
  replies->last->nlmsg_len += (uint32_t)len;
}

struct nlmsghdr *diag_replies_message(struct diag_replies *replies,
                                      uint16_t type, const void *payload,
                                      size_t len) {
  grow(replies, NLMSG_ALIGN(replies->len) - replies->len);
  replies->last = (void *)grow(replies, sizeof(*replies->last));
  *replies->last = (struct nlmsghdr){
      .nlmsg_len = sizeof(*replies->last),
      .nlmsg_type = type,
      .nlmsg_flags = NLM_F_MULTI,
      .nlmsg_seq = replies->seq,
      .nlmsg_pid = replies->portid,
  };
  diag_replies_append(replies, payload, len);
  return replies->last;
}

void diag_replies_attribute(struct diag_replies *replies, uint16_t type,
                            const void *payload, size_t len) {
  const struct nlattr header = {
      .nla_len = (uint16_t)(NLA_HDRLEN + len),
      .nla_type = type,
  };
  diag_replies_append(replies, &header, sizeof(header));
  diag_replies_append(replies, payload, len);
  diag_replies_append(replies, NULL, NLA_ALIGN(len) - len);
}

struct nlmsghdr *diag_replies_socket(struct diag_replies *replies,
                                     const struct diag_reply_socket *socket) {
  struct inet_diag_msg msg;
  memset(&msg, 0xEE, sizeof(msg));
  msg.idiag_family = socket->family;
  msg.idiag_state = socket->state;
  msg.idiag_timer = socket->timer;
  msg.idiag_inode = socket->inode;
  msg.id.idiag_sport = htons(socket->local_port);
  msg.id.idiag_dport = htons(socket->remote_port);
  diag_replies_message(replies, TCPDIAG_GETSOCK, &msg, sizeof(msg));
  if (socket->shutdown)
    diag_replies_attribute(replies, INET_DIAG_SHUTDOWN, &(uint8_t){0}, 1);
  return replies->last;
}

struct nlmsghdr *diag_replies_done(struct diag_replies *replies, int err) {
  return diag_replies_message(replies, NLMSG_DONE, &err, sizeof(err));
}

struct nlmsghdr *diag_replies_error(struct diag_replies *replies, int err) {
  const struct nlmsgerr payload = {.error = err};
  return diag_replies_message(replies, NLMSG_ERROR, &payload, sizeof(payload));
}
