/* SPDX-License-Identifier: MIT */
/* The wire format of inet_diag: requests into a buffer, sockets out of one.
 * No socket is touched here. Source: linux/inet_diag.h, sock_diag(7),
 * net/ipv4/inet_diag.c. */
#ifndef TCPSTATES_DIAG_MSG_H
#define TCPSTATES_DIAG_MSG_H

#include "filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bit that asks for bound-only sockets (TCP_BOUND_INACTIVE, Linux 6.8);
 * an older kernel ignores it. They arrive in state TCP_CLOSE. */
#define DIAG_STATE_BOUND_INACTIVE 13

/* What to ask the kernel for. */
struct diag_request {
  uint32_t states;      /* bit mask of 1 << TCP_ESTABLISHED and so on */
  const void *bytecode; /* which sockets of these; NULL: all */
  size_t bytecode_len;  /* bytes */
  bool info;            /* with tcp_info: a record of three times the length */
  enum filter_protocol protocol;
  uint8_t family; /* of MPTCP: AF_INET or AF_INET6; TCP: both at once */
};

/* One socket of a reply. */
struct diag_socket {
  uint8_t state;       /* TCP_ESTABLISHED ... TCP_CLOSING */
  uint8_t family;      /* AF_INET, AF_INET6 (v4-mapped ones too) */
  bool minisocket;     /* TIME_WAIT, or an orphaned FIN_WAIT2 in its last
                          stage: never has an owner or attributes */
  bool request_sock;   /* SYN_RECV before the handshake is complete */
  uint32_t inode;      /* 0: nobody owns it */
  uint16_t local_port; /* host byte order */
  uint16_t remote_port;
  struct address local_address; /* 0.0.0.0 and 0::0 where there is none */
  struct address remote_address;
  uint32_t queue;       /* LISTEN: connections that wait for accept() */
  uint32_t queue_limit; /* LISTEN: how many may wait */
  uint64_t cookie; /* of this socket alone until the machine restarts; 0: none.
                      Of MPTCP: a listener's accepted ones share its cookie */
  uint64_t ahead;  /* a guess: the cookie of one that is decoded soon. What is
                      looked up by it takes less time when it is fetched now */
  bool has_age;  /* age and idle are known: it was asked for tcp_info; for MPTCP
                    since Linux 6.10 */
  uint32_t age;  /* ms since the last ACK came in: in FIN_WAIT2 and CLOSE_WAIT a
                    lower bound of how long it has been in that state */
  uint32_t idle; /* ms since data last came in or was sent; probes and their
                    answers are none. Both wrap after 2^32 ms. */
  uint64_t cgroup_id; /* cgroup v2; 0: not known, as of every minisocket and
                         request sock */
};

/* Takes one socket. Returns 0 to go on, or -errno, which ends the decoding. */
typedef int (*diag_socket_cb)(const struct diag_socket *socket, void *data);

/* Bytes that diag_msg_request() writes for a request. */
size_t diag_msg_request_size(const struct diag_request *request);

/* Writes the netlink message that asks for a dump into buf, which is aligned to
 * 4 bytes and holds diag_msg_request_size() bytes. seq is the number that the
 * replies will carry. Returns 0; -EMSGSIZE: the bytecode is too long for a
 * netlink attribute. */
int diag_msg_request(void *buf, const struct diag_request *request,
                     uint32_t seq);

/* Decodes what one receive returned: calls cb for each socket in buf[0..len),
 * which is aligned to 4 bytes. portid is that of our netlink socket.
 * Returns 1: the dump goes on in the next receive; 0: it is complete;
 * -EPROTO: another sequence number or port id than ours, or the mark of an
 * inconsistent dump (NLM_F_DUMP_INTR); -EBADMSG: truncated or malformed;
 * -EOVERFLOW: NLMSG_OVERRUN; -errno that the kernel sent in NLMSG_ERROR or
 * NLMSG_DONE (-ENOENT: no tcp_diag or mptcp_diag, -EOPNOTSUPP: no inet_diag);
 * or what cb returned. On error cb may have got some sockets. */
int diag_msg_decode(const void *buf, size_t len, uint32_t seq, uint32_t portid,
                    diag_socket_cb cb, void *data);

#endif
