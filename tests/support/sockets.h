/* SPDX-License-Identifier: MIT */
/* Makes TCP sockets in known states on this machine's own addresses and keeps
 * a table of them: what a test expects comes from here, never from the plugin.
 * Every int function returns 0 or -errno. Ports are in host byte order. */
#ifndef TCPSTATES_SOCKETS_H
#define TCPSTATES_SOCKETS_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>

/* Client + server, the two ends of a connection; in parentheses: no descriptor
 * is kept. */
enum sockets_kind {
  SOCKETS_LISTEN,
  SOCKETS_BOUND,          /* CLOSED, bound to a port and no more */
  SOCKETS_ESTABLISHED,    /* ESTABLISHED + ESTABLISHED */
  SOCKETS_UNACCEPTED,     /* ESTABLISHED + (ESTABLISHED) */
  SOCKETS_SYN,            /* SYN_SENT + (SYN_RECV), a request sock */
  SOCKETS_FAST_OPEN,      /* SYN_SENT + SYN_RECV, a full socket; the namespace's
                             net.ipv4.tcp_fastopen has to be 0x607 */
  SOCKETS_FIN_WAIT1_HELD, /* FIN_WAIT1 + ESTABLISHED */
  SOCKETS_FIN_WAIT1_ORPHANED, /* (FIN_WAIT1) + ESTABLISHED */
  SOCKETS_FIN_WAIT2_HELD,     /* FIN_WAIT2 + CLOSE_WAIT */
  SOCKETS_FIN_WAIT2_ORPHANED, /* (FIN_WAIT2) + CLOSE_WAIT */
  SOCKETS_TIME_WAIT,          /* (TIME_WAIT); the server end has gone */
  SOCKETS_FIN_WAIT1_FULL,     /* FIN_WAIT1 with unsent data + ESTABLISHED that
                                 does not read */
  SOCKETS_CLOSE_WAIT_FULL,    /* FIN_WAIT2 that does not read + CLOSE_WAIT with
                                 unsent data */
  SOCKETS_CLOSE_WAIT_UNACCEPTED, /* FIN_WAIT2 + (CLOSE_WAIT) */
  SOCKETS_LAST_ACK_HELD,         /* FIN_WAIT2 + LAST_ACK */
  SOCKETS_LAST_ACK_ORPHANED,     /* FIN_WAIT2 + (LAST_ACK) */
  SOCKETS_CLOSING_HELD,          /* CLOSING + FIN_WAIT1 */
  SOCKETS_CLOSING_ORPHANED,      /* (CLOSING) + FIN_WAIT1 */
  SOCKETS_KINDS
};

enum sockets_family {
  SOCKETS_IPV4,
  SOCKETS_IPV6,
  SOCKETS_MAPPED, /* AF_INET6 with ::ffff:a.b.c.d at both ends */
  SOCKETS_FAMILIES
};

enum sockets_owner {
  SOCKETS_HELD,     /* a descriptor is open */
  SOCKETS_ORPHANED, /* closed, but the kernel has to finish */
  SOCKETS_NONE,     /* TIME_WAIT, a request sock, or not accepted yet */
};

struct sockets_end {
  char address[INET6_ADDRSTRLEN]; /* as inet_ntop() writes it */
  uint16_t port;
};

/* One socket in the kernel. */
struct sockets_entry {
  enum sockets_kind kind; /* kind, family, asked_port: for sockets_release() */
  enum sockets_family family;
  uint16_t asked_port;
  int state; /* TCP_ESTABLISHED to TCP_CLOSING */
  enum sockets_owner owner;
  struct sockets_end local;
  struct sockets_end remote; /* LISTEN and BOUND: 0.0.0.0 or ::, and 0 */
  int64_t made_ns;           /* CLOCK_MONOTONIC, before its first step: it has
                                been in its state for no longer than since */
  int fd;                    /* the table's; -1 unless held */
};

/* Starts as {0} and ends with sockets_close_all(). */
struct sockets {
  struct sockets_entry *entries;
  size_t len;
};

struct sockets_request {
  enum sockets_kind kind;
  enum sockets_family family;
  uint16_t port; /* the server's; 0, for BOUND only: any */
  unsigned int count;
  const char *server; /* NULL: 127.0.0.1, ::1 or ::ffff:127.0.0.1 */
  const char *client; /* likewise; its ports are the kernel's choice */
};

/* "ESTABLISHED", "CLOSED" for TCP_CLOSE; "held"; "ipv4"; "fin-wait1-held" */
const char *sockets_state_name(int state);
const char *sockets_owner_name(enum sockets_owner owner);
const char *sockets_family_name(enum sockets_family family);
const char *sockets_kind_name(enum sockets_kind kind);

/* Lets this process open as many descriptors as its hard limit allows. */
int sockets_raise_limit(void);

/* Makes count times what request says. The first need of a listener at
 * (family, server, port) makes it; its entry is of kind LISTEN. Held ends have
 * reached their state on return, for the others see sockets_settle(). After an
 * error the entries made so far stay.
 * With default sysctls TIME_WAIT and an orphaned FIN_WAIT2 last 61 s, other
 * orphans 106 s, SYN_SENT with its SYN_RECV 134 s, held ends longer.
 * -EINVAL         not possible for this kind, or an address of another family
 * -EADDRNOTAVAIL  no address of this machine, or connections to 0.0.0.0 or ::
 * -EADDRINUSE     IPV4 and MAPPED share ports
 * -EBUSY          accept() would return the UNACCEPTED ones there first:
 *                 release those, or make them last
 * -ENOBUFS        more SYN or UNACCEPTED than net.core.somaxconn lets a
 *                 listener queue
 * -ETIMEDOUT      a state was not reached in 30 s */
int sockets_make(struct sockets *sockets,
                 const struct sockets_request *request);

/* Both for all that was made with this kind, family and port. -ENOENT: there is
 * none. keepalive: each held end asks its peer at this interval, in seconds,
 * whether it is there. talk: each held end in CLOSE_WAIT sends a byte, and each
 * in FIN_WAIT2 reads all that there is. */
int sockets_keepalive(struct sockets *sockets, enum sockets_kind kind,
                      enum sockets_family family, uint16_t port, int seconds);
int sockets_talk(struct sockets *sockets, enum sockets_kind kind,
                 enum sockets_family family, uint16_t port);

/* Waits until the ends that nobody holds have reached their states too. */
int sockets_settle(void);

/* Ends all that was made with this kind, family and port, by resets: nothing
 * stays in the kernel, not even orphans and TIME_WAIT (if net.ipv4.tcp_rfc1337
 * is 0). Their listener stays, it is released as LISTEN. SYN takes 0.5 s.
 * -ENOENT  there is none
 * -EBUSY   LISTEN with UNACCEPTED or SYN ones: release those first */
int sockets_release(struct sockets *sockets, enum sockets_kind kind,
                    enum sockets_family family, uint16_t port);

/* Releases everything and frees the table. What a process leaves that ends
 * without it: orphans, TIME_WAIT, and what close() makes of the others. */
int sockets_close_all(struct sockets *sockets);

#endif
