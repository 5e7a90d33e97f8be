/* SPDX-License-Identifier: MIT */
/* One dump from the kernel over a netlink socket. */
#ifndef TCPSTATES_DIAG_DUMP_H
#define TCPSTATES_DIAG_DUMP_H

#include "diag_msg.h"

#include <stdatomic.h>

struct mnl_socket;

/* Seconds: each request to a kernel without tcp_diag makes it fork a modprobe
 * (sock_diag_rcv_msg(), inet_diag_lock_handler()), whatever namespace it is
 * for. */
#define DIAG_ABSENCE_SECONDS 300

/* That this machine has no tcp_diag, or mptcp_diag, and until when it is not
 * asked again. One of each protocol for all dumps of the process, in whichever
 * threads. */
struct diag_absence {
  long seconds;      /* before it is asked again */
  atomic_long until; /* CLOCK_BOOTTIME, seconds; 0: not known to be absent */
  atomic_int error;  /* what the kernel has answered */
};

/* Ready for use when zero-initialised; it belongs to one thread at a time. */
struct diag_dump {
  struct mnl_socket *nl; /* NULL: not open */
  uint32_t seq;
  char *buf; /* for the request, then for its replies */
  size_t size;
  /* By enum filter_protocol; NULL: asks whatever was answered before. */
  struct diag_absence *absence;
};

/* Sends the request and hands every socket of the answer to cb. Opens the
 * netlink socket, in the calling thread's network namespace, when it is not
 * open; after an error it is closed, so that no late answer can mix with the
 * next dump. Allocates memory only for the first dump and for a longer request.
 * Returns 0, or -errno as diag_msg_decode() does, or of socket(2), bind(2),
 * connect(2), sendto(2) and recvmsg(2); -ETIMEDOUT: no answer within 5 s;
 * -EMSGSIZE: a reply was truncated; -ENOMEM. -ENOENT and -EOPNOTSUPP, tcp_diag
 * or mptcp_diag is not available, are kept in dump->absence, and returned until
 * it is time to ask again. On error cb may have got some sockets: what
 * they were counted into is void. */
int diag_dump_run(struct diag_dump *dump, const struct diag_request *request,
                  diag_socket_cb cb, void *data);

/* Closes the netlink socket; the next dump opens one in its namespace. */
void diag_dump_disconnect(struct diag_dump *dump);

/* Closes the netlink socket and frees the memory; dump is as new then. */
void diag_dump_close(struct diag_dump *dump);

/* What err, a return value of diag_dump_run() for TCP, means and what to do:
 * a sentence without a full stop. NULL: no more than strerror(3) says. */
const char *diag_dump_strerror(int err);

#endif
