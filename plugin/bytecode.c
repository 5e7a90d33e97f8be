/* SPDX-License-Identifier: MIT */
/* Compiles the groups' filters for the kernel; plan.c decides which ones. */
#include "bytecode.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>

/* About as many steps of the kernel's audit as a tree of ports may take: 1 ms.
 */
#define AUDIT_STEPS (1u << 20)

/* Which end of the socket a condition reads. */
struct side {
  uint8_t port_ge;
  uint8_t port_le;
  uint8_t address;
};

static const struct side local = {INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE,
                                  INET_DIAG_BC_S_COND};
static const struct side remote = {INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE,
                                   INET_DIAG_BC_D_COND};

static int emit_port(struct bytecode *program, uint8_t code, uint16_t port,
                     struct label *no) {
  /* The value to compare with is the "no" of an operation of its own. */
  const struct inet_diag_bc_op value = {.no = port};
  return assembler_emit(program, code, &value, sizeof(value), no);
}

/* Ascending ranges, one after the other. above: the port is known to be no less
 * than the first of all. A port that is in the last one goes on with the next
 * operation; in another one, to matched; in none, to failed. */
static int emit_port_chain(struct bytecode *program, const struct side *side,
                           const struct port_range *ranges, size_t num,
                           bool above, struct label *matched,
                           struct label *failed) {
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    if (i > 0 || !above)
      err = emit_port(program, side->port_ge, ranges[i].first, failed);
    if (err == 0 && i < num - 1)
      err = emit_port(program, side->port_ge, (uint16_t)(ranges[i].last + 1),
                      matched);
  }
  return err != 0
             ? err
             : emit_port(program, side->port_le, ranges[num - 1].last, failed);
}

/* The same as a tree of chains of this length at most. */
static int emit_port_tree(struct bytecode *program, const struct side *side,
                          const struct port_range *ranges, size_t num,
                          size_t chain, bool above, struct label *matched,
                          struct label *failed) {
  if (num <= chain)
    return emit_port_chain(program, side, ranges, num, above, matched, failed);
  size_t half = num / 2;
  struct label below = {0};
  int err = emit_port(program, side->port_ge, ranges[half].first, &below);
  if (err == 0)
    err = emit_port_tree(program, side, ranges + half, num - half, chain, true,
                         matched, failed);
  if (err == 0)
    err = assembler_jump(program, matched);
  assembler_bind(program, &below);
  if (err == 0)
    err = emit_port_tree(program, side, ranges, half, chain, above, matched,
                         failed);
  return err;
}

/* Any of the ports; goes on as emit_port_chain(). A jump into the tree costs
 * the kernel's audit a step for each operation before its target: some num *
 * num / chain steps in all. A jump out of it is free where it accepts or
 * rejects. */
static int emit_port_set(struct bytecode *program, const struct side *side,
                         const struct port_set *set, struct label *matched,
                         struct label *failed) {
  size_t chain = 2 + set->num * set->num / AUDIT_STEPS;
  program->cost += 2 * MIN(chain, set->num);
  for (size_t longest = set->num; longest > chain; longest -= longest / 2)
    program->cost++;
  return emit_port_tree(program, side, set->ranges, set->num, chain, false,
                        matched, failed);
}

static int emit_ports(struct bytecode *program, const struct side *side,
                      const struct port_set *set, struct label *failed) {
  if (set->num == 0)
    return 0;
  struct label matched = {0};
  int err = emit_port_set(program, side, set, &matched, failed);
  assembler_bind(program, &matched);
  return err;
}

static int emit_prefix(struct bytecode *program, const struct side *side,
                       const struct prefix *prefix, struct label *failed) {
  struct inet_diag_hostcond host;
  memset(&host, 0, sizeof(host)); /* the kernel gets its padding, too */
  host.family = AF_INET6;
  host.prefix_len = prefix->len;
  host.port = -1;
  const uint8_t *address = prefix->address.bytes;
  size_t address_len = 16;
  /* The kernel takes a v4-mapped address of an IPv6 socket for IPv4 too. */
  if (prefix_is_ipv4(prefix)) {
    host.family = AF_INET;
    host.prefix_len = (uint8_t)(prefix->len - 96);
    address += 12;
    address_len = 4;
  }
  char condition[sizeof(host) + 16];
  memcpy(condition, &host, sizeof(host));
  memcpy(condition + sizeof(host), address, address_len);
  program->cost++;
  return assembler_emit(program, side->address, condition,
                        sizeof(host) + address_len, failed);
}

static const struct prefix all_ipv4 = {
    .address.bytes = {[10] = 0xff, [11] = 0xff}, .len = 96};

static int emit_not_ipv4(struct bytecode *program, const struct side *side,
                         struct label *failed) {
  struct label matched = {0};
  int err = emit_prefix(program, side, &all_ipv4, &matched);
  if (err == 0)
    err = assembler_jump(program, failed);
  assembler_bind(program, &matched);
  return err;
}

static int emit_addresses(struct bytecode *program, const struct side *side,
                          const struct prefix_set *set, struct label *failed) {
  struct label matched = {0};
  int err = 0;
  for (size_t i = 0; i < set->num && err == 0; i++) {
    const struct prefix *prefix = &set->prefixes[i];
    struct label next = {0};
    err = emit_prefix(program, side, prefix, &next);
    if (err == 0 && prefix_covers_ipv4(prefix))
      err = emit_not_ipv4(program, side, &next);
    if (err == 0)
      err = assembler_jump(program, &matched);
    assembler_bind(program, &next);
  }
  if (err == 0 && set->num > 0)
    err = assembler_jump(program, failed);
  assembler_bind(program, &matched);
  return err;
}

/* ids: NULL: there are none. */
static int emit_cgroups(struct bytecode *program, const struct id_list *ids,
                        struct label *failed) {
  size_t num = ids == NULL ? 0 : ids->num;
  if (program->cgroups + num > BYTECODE_CGROUPS_MAX)
    return 0;
  program->cgroups += num;
  struct label matched = {0};
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    struct label next = {0};
    err = assembler_emit(program, INET_DIAG_BC_CGROUP_COND, &ids->ids[i],
                         sizeof(ids->ids[i]), &next);
    if (err == 0)
      err = assembler_jump(program, &matched);
    assembler_bind(program, &next);
  }
  if (err == 0)
    err = assembler_jump(program, failed);
  assembler_bind(program, &matched);
  program->cost += num;
  return err;
}

static int emit_filter(struct bytecode *program, const struct filter *filter,
                       const struct id_list *ids, struct label *failed) {
  int err = emit_ports(program, &local, &filter->local_ports, failed);
  if (err == 0)
    err = emit_ports(program, &remote, &filter->remote_ports, failed);
  if (err == 0 && filter->family == FILTER_IPV4)
    err = emit_prefix(program, &local, &all_ipv4, failed);
  if (err == 0 && filter->family == FILTER_IPV6)
    err = emit_not_ipv4(program, &local, failed);
  if (err == 0)
    err = emit_addresses(program, &local, &filter->local_addresses, failed);
  if (err == 0)
    err = emit_addresses(program, &remote, &filter->remote_addresses, failed);
  if (err == 0 && filter->cgroups.num > 0)
    err = emit_cgroups(program, ids, failed);
  return err;
}

/* The ports of all filters that are only about ports of this side. Where one is
 * inverted, only its own ports are left to ask for. */
static int merge_ports(struct port_set *merged, bool is_local,
                       const struct filter *const *filters,
                       const bool *inverted, size_t num) {
  struct port_range within = {0, UINT16_MAX};
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = filter_only_ports(filters[i], is_local);
    if (set != NULL && inverted[i])
      within =
          (struct port_range){MAX(within.first, set->ranges[0].first),
                              MIN(within.last, set->ranges[set->num - 1].last)};
  }
  int err = 0;
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = filter_only_ports(filters[i], is_local);
    for (size_t j = 0; set != NULL && !inverted[i] && j < set->num; j++) {
      struct port_range range = {MAX(set->ranges[j].first, within.first),
                                 MIN(set->ranges[j].last, within.last)};
      if (err == 0 && range.first <= range.last)
        err = port_set_add(merged, range);
    }
  }
  return err;
}

/* Ports of one side, that a socket has to have, or must not have. */
struct part {
  const struct side *side;
  const struct port_set *set;
  bool inverted;
};

static int emit_part(struct bytecode *program, const struct part *part,
                     struct label *accept, struct label *next) {
  struct label *matched = part->inverted ? next : accept;
  struct label *failed = part->inverted ? accept : next;
  if (part->set->num == 0)
    return 0;
  assembler_bind(program, next);
  int err = emit_port_set(program, part->side, part->set, matched, failed);
  return err != 0 ? err : assembler_jump(program, matched);
}

static int compare_parts(const void *a, const void *b) {
  const struct part *x = a, *y = b;
  return x->set->num < y->set->num ? -1 : x->set->num > y->set->num;
}

/* All filters that are only about ports become one tree for each side: what it
 * costs hardly grows with their number. One that is inverted has its own. The
 * largest comes last: what goes on from there rejects. */
static int emit_all_ports(struct bytecode *program,
                          const struct filter *const *filters,
                          const bool *inverted, size_t num,
                          const struct part *last, struct label *accept,
                          struct label *next) {
  struct port_set merged[2] = {{0}};
  struct part parts[] = {
      {&remote, &merged[0], false}, {&local, &merged[1], false}, *last};
  int err = 0;
  for (int i = 0; i < 2 && err == 0; i++)
    err = merge_ports(&merged[i], i == 1, filters, inverted, num);
  qsort(parts, 3, sizeof(*parts), compare_parts);
  for (int i = 0; i < 3 && err == 0; i++)
    err = emit_part(program, &parts[i], accept, next);
  free(merged[0].ranges);
  free(merged[1].ranges);
  return err;
}

/* next: where a socket goes that nothing has accepted so far. */
static int compile(struct bytecode *program,
                   const struct filter *const *filters,
                   const struct id_list *ids, const bool *inverted, size_t num,
                   struct label *accept, struct label *next) {
  static const struct port_set none;
  struct part last = {&local, &none, true};
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    const struct port_set *ports[] = {filter_only_ports(filters[i], false),
                                      filter_only_ports(filters[i], true)};
    bool only_ports = ports[0] != NULL || ports[1] != NULL;
    if (only_ports && !inverted[i])
      continue;
    if (inverted[i] && filters[i]->cgroups.num > 0)
      return -EINVAL;
    if (only_ports) {
      err = emit_part(program, &last, accept, next);
      last.side = ports[1] != NULL ? &local : &remote;
      last.set = ports[1] != NULL ? ports[1] : ports[0];
      continue;
    }
    const struct id_list *own = ids == NULL ? NULL : &ids[i];
    assembler_bind(program, next);
    err = emit_filter(program, filters[i], own, inverted[i] ? accept : next);
    if (err == 0)
      err = assembler_jump(program, inverted[i] ? next : accept);
  }
  return err != 0 ? err
                  : emit_all_ports(program, filters, inverted, num, &last,
                                   accept, next);
}

int bytecode_compile(struct bytecode *program,
                     const struct filter *const *filters,
                     const struct id_list *ids, const bool *inverted,
                     size_t num) {
  assembler_begin(program);
  if (num == 0)
    return -EINVAL;
  struct label accept = {0}, reject = {0};
  int err = compile(program, filters, ids, inverted, num, &accept, &reject);
  assembler_end(program, &accept, &reject);
  return err;
}

int bytecode_outside(struct bytecode *program, const uint64_t *ids,
                     size_t num) {
  assembler_begin(program);
  struct label accept = {0}, reject = {0};
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    struct label next = {0};
    err = assembler_emit(program, INET_DIAG_BC_CGROUP_COND, &ids[i],
                         sizeof(ids[i]), &next);
    if (err == 0)
      err = assembler_jump(program, &reject);
    assembler_bind(program, &next);
  }
  assembler_end(program, &accept, &reject);
  return err;
}

void bytecode_free(struct bytecode *program) {
  free(program->ops);
  *program = (struct bytecode){0};
}
