/* SPDX-License-Identifier: MIT */
/* Writes what the kernel answers to an inet_diag dump, right or wrong, into a
 * buffer. Made without libmnl, which the decoder under test relies on.
 * Source: net/ipv4/inet_diag.c, net/netlink/af_netlink.c. */
#ifndef TCPSTATES_DIAG_REPLIES_H
#define TCPSTATES_DIAG_REPLIES_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* idiag_timer of a minisocket */
#define DIAG_REPLY_TIMER_TIME_WAIT 3

/* The messages of one receive. */
struct diag_replies {
  uint32_t seq;          /* of the messages that follow */
  uint32_t portid;       /* likewise */
  struct nlmsghdr *last; /* the message written last */
  size_t len;            /* bytes in use */
  _Alignas(struct nlmsghdr) char buf[32768];
};

/* What a socket record says. */
struct diag_reply_socket {
  uint8_t state;
  uint8_t family;
  uint8_t timer;
  uint32_t inode;
  uint16_t local_port; /* host byte order */
  uint16_t remote_port;
  bool shutdown; /* carries the attribute INET_DIAG_SHUTDOWN */
};

/* Empties replies; the messages that follow carry seq and portid. */
void diag_replies_start(struct diag_replies *replies, uint32_t seq,
                        uint32_t portid);

/* Each of these adds one message and returns it, to be spoilt if need be. The
 * buffer's end aborts the process. */

/* A message of any type; payload NULL: len bytes of 0. */
struct nlmsghdr *diag_replies_message(struct diag_replies *replies,
                                      uint16_t type, const void *payload,
                                      size_t len);

/* A socket; fields that nobody should read are filled with 0xEE. */
struct nlmsghdr *diag_replies_socket(struct diag_replies *replies,
                                     const struct diag_reply_socket *socket);

/* NLMSG_DONE, which ends a dump; err is 0 or -errno. */
struct nlmsghdr *diag_replies_done(struct diag_replies *replies, int err);

/* NLMSG_ERROR, as struct nlmsgerr; err is -errno, or 0 for an ACK. */
struct nlmsghdr *diag_replies_error(struct diag_replies *replies, int err);

/* Adds len bytes to the message written last, without any padding. */
void diag_replies_append(struct diag_replies *replies, const void *bytes,
                         size_t len);

/* Adds a well-formed attribute to the message written last. */
void diag_replies_attribute(struct diag_replies *replies, uint16_t type,
                            const void *payload, size_t len);

#endif
