/* SPDX-License-Identifier: MIT */
/* Counts the sockets of each destination, for tally.c. */
#include "ephemeral.h"

#include "hash.h"

#include <string.h>

void ephemeral_set_ports(struct ephemeral *ephemeral, struct port_range range,
                         const struct port_bitmap *reserved) {
  memset(&ephemeral->ports, 0, sizeof(ephemeral->ports));
  for (uint32_t port = range.first; port <= range.last; port++)
    if (!port_bitmap_has(reserved, (uint16_t)port))
      port_bitmap_add(&ephemeral->ports, (uint16_t)port);
  ephemeral->ports_num = (uint32_t)port_bitmap_count(&ephemeral->ports);
}

static bool is_same(const void *a, const void *b) {
  const struct destination *x = a, *y = b;
  return x->group == y->group && x->remote_port == y->remote_port &&
         memcmp(&x->remote, &y->remote, sizeof(x->remote)) == 0 &&
         memcmp(&x->local, &y->local, sizeof(x->local)) == 0;
}

static uint64_t hash(const void *entry, uint64_t multiplier) {
  const struct destination *d = entry;
  uint64_t words[4];
  memcpy(&words[0], &d->local, sizeof(d->local));
  memcpy(&words[2], &d->remote, sizeof(d->remote));
  uint64_t hash = (uint64_t)d->group << 16 | d->remote_port;
  for (int i = 0; i < 4; i++) {
    hash = (hash ^ words[i]) * multiplier;
    hash ^= hash >> 32;
  }
  return hash * multiplier;
}

static struct hitters table_of(struct ephemeral *ephemeral) {
  return (struct hitters){.entries = ephemeral->destinations,
                          .size = sizeof(*ephemeral->destinations),
                          .max = DESTINATIONS_NUM,
                          .num = &ephemeral->num,
                          .missed = &ephemeral->missed,
                          .index = ephemeral->index,
                          .same = is_same,
                          .hash = hash,
                          .multiplier = ephemeral->multiplier};
}

void ephemeral_reset(struct ephemeral *ephemeral) {
  ephemeral->multiplier = hash_multiplier();
  struct hitters table = table_of(ephemeral);
  hitters_reset(&table);
}

void ephemeral_add(struct ephemeral *ephemeral, uint32_t group,
                   const struct diag_socket *socket) {
  if (!port_bitmap_has(&ephemeral->ports, socket->local_port))
    return;
  const struct destination destination = {
      .group = group,
      .local = socket->local_address,
      .remote = socket->remote_address,
      .remote_port = socket->remote_port,
  };
  struct hitters table = table_of(ephemeral);
  hitters_add(&table, &destination);
}

void ephemeral_finish(const struct ephemeral *ephemeral,
                      const struct group *groups, struct tally_counts *counts,
                      size_t num) {
  uint64_t ports = ephemeral->ports_num;
  for (size_t i = 0; i < ephemeral->num; i++) {
    const struct destination *d = &ephemeral->destinations[i];
    if (d->group < num && d->num > counts[d->group].fullest_destination)
      counts[d->group].fullest_destination = d->num;
  }
  for (size_t i = 0; i < num; i++) {
    if (!filter_has_destinations(&groups[i].filter) || ports == 0)
      continue;
    uint64_t used = counts[i].fullest_destination;
    counts[i].ephemeral_ports = ports;
    counts[i].ephemeral_utilization =
        used < ports ? used * 10000 / ports : 10000;
  }
}
