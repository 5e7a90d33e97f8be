/* SPDX-License-Identifier: MIT */
/* Keeps how long sockets have been in a state; tally.c counts them by it. An
 * open hash table, because a million sockets must cost little: 16 bytes each,
 * at most a third of the slots empty, rearranged in place. */
#include "ages.h"

#include "clock.h"
#include "hash.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLOTS_MIN 64
#define SLOTS_MAX (1u << 20)

#define UNIT_MS 16
#define DATA_MASK ((UINT64_C(1) << 28) - 1)
#define SINCE_MASK ((UINT64_C(1) << 36) - 1)
#define COOKIE_MAX ((UINT64_C(1) << 58) - 1)

/* Times can differ from read to read by this much, because dumps take time.
 * Data that comes less than this after other data is not seen. The second is
 * longer than any dump. */
#define JITTER (128 / UNIT_MS)
#define JITTER_MAX (4096 / UNIT_MS)

enum ages_state { IN_FIN_WAIT1, IN_FIN_WAIT2, IN_CLOSE_WAIT };

static enum ages_state state_of(const struct diag_socket *socket) {
  return socket->state == TCP_FIN_WAIT1   ? IN_FIN_WAIT1
         : socket->state == TCP_FIN_WAIT2 ? IN_FIN_WAIT2
                                          : IN_CLOSE_WAIT;
}

bool ages_has(const struct diag_socket *socket) {
  return socket->state == TCP_CLOSE_WAIT ||
         (socket->inode != 0 &&
          (socket->state == TCP_FIN_WAIT1 || socket->state == TCP_FIN_WAIT2));
}

static uint32_t next(const struct ages *ages, uint32_t slot) {
  return slot + 1 == ages->size ? 0 : slot + 1;
}

/* The slot of the cookie, or the empty one that it would be put into. */
static struct ages_slot *find(const struct ages *ages, uint64_t cookie) {
  uint32_t slot = ages_home(ages, cookie);
  while (ages->slots[slot].cookie != cookie && ages->slots[slot].cookie != 0)
    slot = next(ages, slot);
  return &ages->slots[slot];
}

/* Puts each socket of the first num slots where find() looks for it: between
 * its home and it are only sockets that do not move again. */
static void arrange(struct ages *ages, uint32_t num) {
  struct ages_slot *slots = ages->slots;
  for (uint32_t i = 0; i < num; i++)
    slots[i].moving = slots[i].cookie != 0;
  for (uint32_t i = 0; i < num; i++)
    while (slots[i].moving) {
      struct ages_slot socket = slots[i];
      slots[i] = (struct ages_slot){0};
      socket.moving = 0;
      uint32_t to = ages_home(ages, socket.cookie);
      while (slots[to].cookie != 0 && !slots[to].moving)
        to = next(ages, to);
      struct ages_slot displaced = slots[to];
      slots[to] = socket;
      if (displaced.moving)
        slots[i] = displaced;
    }
}

static uint32_t room(uint32_t slots) {
  return slots == SLOTS_MAX ? AGES_MAX : slots - slots / 8;
}

/* With a million sockets, nearly each of them is in a page that the processor
 * has to look up first: in huge pages the table takes half the time. They are
 * within what it takes in any case, and where there are none it does without.
 */
static void ask_for_huge_pages(const struct ages *ages) {
  const size_t huge = 2 << 20;
  char *slots = (char *)ages->slots;
  size_t skipped = (huge - (uintptr_t)slots % huge) % huge;
  size_t size = ages->size * sizeof(*ages->slots);
  if (size < skipped + huge)
    return;
  size = (size - skipped) / huge * huge;
  madvise(slots + skipped, size, MADV_HUGEPAGE);
#ifdef MADV_COLLAPSE /* at once, since Linux 6.1 */
  madvise(slots + skipped, size, MADV_COLLAPSE);
#endif
}

static bool grow(struct ages *ages) {
  uint32_t old = ages->size;
  uint32_t size = old == 0 ? SLOTS_MIN : old + old / 4;
  if (size > SLOTS_MAX)
    size = SLOTS_MAX;
  struct ages_slot *slots =
      size > old ? realloc(ages->slots, size * sizeof(*slots)) : NULL;
  if (slots == NULL)
    return false;
  for (uint32_t i = old; i < size; i++)
    slots[i] = (struct ages_slot){0};
  ages->slots = slots;
  ages->size = size;
  ask_for_huge_pages(ages);
  arrange(ages, old);
  return true;
}

/* Keeps at most a third of the slots empty. */
static void shrink(struct ages *ages) {
  uint32_t old = ages->size, size = ages->num + ages->num / 4;
  if (size < SLOTS_MIN)
    size = SLOTS_MIN;
  if (old == 0 || size >= old || ages->num > old - old / 3)
    return;
  ages->size = size;
  arrange(ages, old);
  struct ages_slot *slots = realloc(ages->slots, size * sizeof(*slots));
  if (slots != NULL)
    ages->slots = slots;
}

static uint64_t read_clock(const struct ages *ages) {
  return (uint64_t)(ages->clock == NULL ? clock_ms() : ages->clock());
}

void ages_start(struct ages *ages, bool info, uint64_t stuck_after) {
  if (ages->finished) {
    ages->generation = (ages->generation + 1) % 4;
    ages->met = 0;
  }
  ages->finished = false;
  ages->lost = 0;
  ages->waiting = false;
  ages->now = read_clock(ages);
  ages->info = info;
  ages->stuck_after = stuck_after;
  if (ages->multiplier == 0)
    ages->multiplier = hash_multiplier();
}

/* tcp_info is as old as the record, which the kernel wrote after the read
 * began. So it is counted from when the record is read; otherwise an age would
 * be too high by the time that the dump has taken. */
static uint64_t ms_ago(const struct ages *ages, uint64_t ms) {
  uint64_t heard = read_clock(ages);
  return heard > ms ? heard - ms : 0;
}

/* Rounded up, so that no age is too high. */
static uint64_t to_units(uint64_t ms) { return (ms + UNIT_MS - 1) / UNIT_MS; }

/* When data came or went last: it stays the same as long as none does, even
 * when tcp_info's time has wrapped after 2^32 ms. */
static uint64_t data_time(const struct ages *ages,
                          const struct diag_socket *socket) {
  return (ages->now - socket->idle) / UNIT_MS & DATA_MASK;
}

/* When it entered its state, as far as tcp_info says. */
static uint64_t entered(const struct ages *ages,
                        const struct diag_socket *socket) {
  /* No segment comes in when a FIN is sent. */
  bool told = socket->has_age && socket->state != TCP_FIN_WAIT1;
  return ms_ago(ages, told ? socket->age : 0);
}

static void first_meeting(const struct ages *ages, struct ages_slot *slot,
                          const struct diag_socket *socket) {
  uint64_t since = entered(ages, socket);
  uint64_t data = socket->has_age ? ms_ago(ages, socket->idle) : 0;
  if (since < data)
    since = data;
  *slot = (struct ages_slot){
      .cookie = socket->cookie & COOKIE_MAX,
      .since = to_units(since) & SINCE_MASK,
      .data = data_time(ages, socket) & DATA_MASK,
      .state = state_of(socket),
      .guessed = !socket->has_age & 1,
  };
}

static void further_meeting(const struct ages *ages, struct ages_slot *slot,
                            const struct diag_socket *socket) {
  if (!socket->has_age)
    return;
  uint64_t data = data_time(ages, socket);
  uint64_t later = (data - slot->data) & DATA_MASK;
  /* Once tcp_info's times can have wrapped, a difference of two dumps must
   * not be taken for data; before, it does little harm. */
  uint64_t age = to_units(ages->now) - slot->since;
  uint64_t least = age > DATA_MASK / 2 ? JITTER_MAX : JITTER;
  bool moved = later >= least && later <= DATA_MASK - JITTER_MAX;
  if (!slot->guessed && !moved)
    return;
  uint64_t since = to_units(entered(ages, socket));
  if (slot->guessed && since < slot->since)
    slot->since = since & SINCE_MASK;
  slot->guessed = 0;
  slot->data = data & DATA_MASK;
  since = to_units(ms_ago(ages, socket->idle));
  if (since > slot->since)
    slot->since = since & SINCE_MASK;
}

static uint64_t age_of(const struct ages *ages, const struct ages_slot *slot) {
  uint64_t since = slot->since * UNIT_MS;
  uint64_t age = ages->now > since ? ages->now - since : 0;
  uint64_t checked = ages->info ? ages->now : ages->checked;
  bool sure = checked > since && checked - since > ages->stuck_after;
  return age > ages->stuck_after && !sure ? ages->stuck_after : age;
}

static bool has_cookie(const struct diag_socket *socket) {
  return socket->cookie != 0 && socket->cookie <= COOKIE_MAX;
}

/* As far as tcp_info says. */
static uint64_t unknown_age(const struct ages *ages,
                            const struct diag_socket *socket) {
  struct ages_slot slot;
  first_meeting(ages, &slot, socket);
  return age_of(ages, &slot);
}

uint64_t ages_meet(struct ages *ages, const struct diag_socket *socket) {
  bool full = ages->num >= room(ages->size);
  struct ages_slot *slot =
      ages->size > 0 && has_cookie(socket) ? find(ages, socket->cookie) : NULL;
  if (slot == NULL || slot->cookie == 0) {
    /* There is no second try in a read in which memory was short. */
    if (!has_cookie(socket) || (full && (ages->lost > 0 || !grow(ages)))) {
      ages->lost++;
      return unknown_age(ages, socket);
    }
    if (full)
      slot = find(ages, socket->cookie);
  }
  bool is_new = slot->cookie == 0;
  ages->num += is_new;
  ages->met += is_new || slot->met != ages->generation;
  if (is_new || slot->state != state_of(socket))
    first_meeting(ages, slot, socket);
  else
    further_meeting(ages, slot, socket);
  slot->met = ages->generation % 4;
  uint64_t age = age_of(ages, slot);
  /* What is not sure is held at this. */
  ages->waiting |= age == ages->stuck_after;
  return age;
}

uint64_t ages_find(const struct ages *ages, const struct diag_socket *socket) {
  const struct ages_slot *slot =
      ages->size > 0 && has_cookie(socket) ? find(ages, socket->cookie) : NULL;
  bool known = slot != NULL && slot->cookie != 0;
  return known && slot->state == state_of(socket) ? age_of(ages, slot)
                                                  : unknown_age(ages, socket);
}

void ages_finish(struct ages *ages) {
  uint32_t before = ages->num;
  for (uint32_t i = 0; ages->met < before && i < ages->size; i++) {
    struct ages_slot *slot = &ages->slots[i];
    if (slot->cookie == 0 || (ages->generation - slot->met) % 4 < 2)
      continue;
    *slot = (struct ages_slot){0};
    ages->num--;
  }
  if (ages->num < before)
    arrange(ages, ages->size);
  shrink(ages);
  ages->finished = true;
  ages->without = ages->info ? 0 : ages->without + 1;
  if (ages->info)
    ages->checked = ages->now;
}

bool ages_need_info(const struct ages *ages) {
  unsigned every = ages->waiting ? AGES_INFO_EVERY : AGES_INFO_SELDOM;
  return ages->num < AGES_FEW || ages->lost > 0 || ages->without + 1 >= every;
}

void ages_free(struct ages *ages) {
  free(ages->slots);
  *ages = (struct ages){.clock = ages->clock};
}
