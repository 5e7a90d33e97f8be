/* SPDX-License-Identifier: MIT */
/* How long each socket has been in a state that it can be stuck in, by its
 * cookie. tcp_info does not say so, because each answered keepalive or
 * zero-window probe renews its last ACK. */
#ifndef TCPSTATES_AGES_H
#define TCPSTATES_AGES_H

#include "diag_msg.h"

/* This many sockets are known at most, in 16 MiB. */
#define AGES_MAX 1000000

/* With this many sockets or more, tcp_info is not asked for in each read: it
 * makes a record three times as long. While an age waits for it, it is in one
 * read of AGES_INFO_EVERY; else, to see whether data has come, in one of
 * AGES_INFO_SELDOM. */
#define AGES_FEW 500
#define AGES_INFO_EVERY 10
#define AGES_INFO_SELDOM 30

/* One socket. Times are of CLOCK_MONOTONIC in units of 16 ms. */
struct ages_slot {
  uint64_t cookie : 58; /* 0: the slot is empty; no kernel counts higher */
  uint64_t state : 2;   /* enum ages_state */
  uint64_t met : 2;     /* generation of the read that met it last */
  uint64_t guessed : 1; /* there was no tcp_info when it was first met */
  uint64_t moving : 1;  /* only while the slots are rearranged */
  uint64_t since : 36;  /* in its state, and without data */
  uint64_t data : 28;   /* when data came or went last, modulo 2^32 ms */
};

/* Empty when zero-initialised. */
struct ages {
  struct ages_slot *slots;
  uint32_t size; /* slots */
  uint32_t num;  /* sockets */
  uint32_t met;  /* of them in this read */
  uint32_t lost; /* sockets of this read that are not known: there are AGES_MAX,
                    or there was no memory */
  bool waiting;  /* an age of this read is held until there is tcp_info */
  uint64_t multiplier;
  int64_t (*clock)(void); /* set by tests; NULL: clock_ms() */
  unsigned generation;
  bool finished;        /* the last read */
  bool info;            /* this read's sockets have tcp_info */
  unsigned without;     /* reads since one had it */
  uint64_t now;         /* ms */
  uint64_t checked;     /* when data was asked for last, ms */
  uint64_t stuck_after; /* ms */
};

/* The slot that the socket is in, or one of the next is. size > 0. The kernel
 * counts cookies, and one multiplication of 25 puts numbers in sequence close
 * together; two do not. */
static inline uint32_t ages_home(const struct ages *ages, uint64_t cookie) {
  uint64_t hash = cookie * ages->multiplier;
  hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
  return (uint32_t)((hash >> 32) * ages->size >> 32);
}

/* Can it be stuck? In FIN_WAIT1 and FIN_WAIT2 with an owner, in CLOSE_WAIT
 * always. */
bool ages_has(const struct diag_socket *socket);

/* Begins a read, or repeats one that failed, before the sockets are dumped.
 * info: they come with tcp_info. */
void ages_start(struct ages *ages, bool info, uint64_t stuck_after);

/* For a socket that ages_has() is true of: returns how many ms it has been in
 * its state without data, at the start of the read. A new socket is recorded,
 * with the age that tcp_info gives, a lower bound; without tcp_info its age
 * begins now, until there is one. An age is above stuck_after only once
 * tcp_info has confirmed it, because data may have come in the meantime.
 * Allocates only when there are more sockets than before. */
uint64_t ages_meet(struct ages *ages, const struct diag_socket *socket);

/* Returns the same as ages_meet(), but changes nothing. */
uint64_t ages_find(const struct ages *ages, const struct diag_socket *socket);

/* Ends a read that was complete: forgets sockets that two reads in a row have
 * not met; a dump may miss one. */
void ages_finish(struct ages *ages);

/* Should the next read ask for tcp_info? */
bool ages_need_info(const struct ages *ages);

void ages_free(struct ages *ages);

#endif
