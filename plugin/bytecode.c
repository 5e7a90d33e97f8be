/* Compiles the groups' filters for the kernel; plan.c decides which ones.
 * The kernel's audit follows every operation's "yes", and each "no" must lead
 * to an operation on that way. So "yes" always is the next operation, and only
 * "no" jumps. A jump to the end accepts, one to 4 bytes behind it rejects. */
#include "bytecode.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* With more control groups than this the kernel would need longer to compare
 * than to copy the socket. */
#define CGROUPS_MAX 64

/* A place in the program that is not known yet. The "no" of the operations
 * that lead there link them until it is: offset / 4 + 1 of the one before, 0
 * in the first. */
struct label {
  uint16_t last;
};

static int reserve(struct bytecode *program, size_t len) {
  if (program->len + len > BYTECODE_MAX)
    return -EMSGSIZE;
  if (program->len + len <= program->size)
    return 0;
  size_t size = 2 * program->size + len;
  char *ops = realloc(program->ops, size);
  if (ops == NULL)
    return -ENOMEM;
  program->ops = ops;
  program->size = size;
  return 0;
}

/* Appends an operation with its operand. On no it goes to the label. */
static int emit(struct bytecode *program, uint8_t code, const void *operand,
                size_t operand_len, struct label *no) {
  size_t len = sizeof(struct inet_diag_bc_op) + operand_len;
  int err = reserve(program, len);
  if (err != 0)
    return err;
  struct inet_diag_bc_op op = {.code = code, .yes = (uint8_t)len};
  op.no = no->last;
  no->last = (uint16_t)(program->len / 4 + 1);
  memcpy(program->ops + program->len, &op, sizeof(op));
  if (operand_len > 0)
    memcpy(program->ops + program->len + sizeof(op), operand, operand_len);
  program->len += len;
  return 0;
}

static int emit_jump(struct bytecode *program, struct label *to) {
  return emit(program, INET_DIAG_BC_JMP, NULL, 0, to);
}

static void bind_at(struct bytecode *program, struct label *label,
                    size_t target) {
  while (label->last != 0) {
    size_t offset = (label->last - 1u) * 4u;
    struct inet_diag_bc_op op;
    memcpy(&op, program->ops + offset, sizeof(op));
    label->last = op.no;
    op.no = (uint16_t)(target - offset);
    memcpy(program->ops + offset, &op, sizeof(op));
  }
}

/* What leads to the label goes to the next operation. */
static void bind_here(struct bytecode *program, struct label *label) {
  bind_at(program, label, program->len);
}

/* Which end of the socket a condition looks at. */
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
  return emit(program, code, &value, sizeof(value), no);
}

/* Ranges in ascending order, as a tree. Each condition below goes on with the
 * next operation when it is fulfilled and leads to failed when not. above: the
 * port is known to be no less than the first of all. */
static int emit_port_tree(struct bytecode *program, const struct side *side,
                          const struct port_range *ranges, size_t num,
                          bool above, struct label *matched,
                          struct label *failed) {
  int err = 0;
  if (num == 1) {
    if (!above)
      err = emit_port(program, side->port_ge, ranges->first, failed);
    return err != 0 ? err
                    : emit_port(program, side->port_le, ranges->last, failed);
  }
  size_t half = num / 2;
  struct label below = {0};
  err = emit_port(program, side->port_ge, ranges[half].first, &below);
  if (err == 0)
    err = emit_port_tree(program, side, ranges + half, num - half, true,
                         matched, failed);
  if (err == 0)
    err = emit_jump(program, matched);
  bind_here(program, &below);
  if (err == 0)
    err = emit_port_tree(program, side, ranges, half, above, matched, failed);
  return err;
}

static int compare_ranges(const void *a, const void *b) {
  const struct port_range *x = a, *y = b;
  return x->first - y->first;
}

/* Sorts the ranges, joins those that meet, returns how many are left. */
static size_t join_ranges(struct port_range *ranges, size_t num) {
  qsort(ranges, num, sizeof(*ranges), compare_ranges);
  size_t joined = 0;
  for (size_t i = 1; i < num; i++) {
    struct port_range *before = &ranges[joined];
    if (ranges[i].first > before->last + 1)
      ranges[++joined] = ranges[i];
    else if (ranges[i].last > before->last)
      before->last = ranges[i].last;
  }
  return joined + 1;
}

/* Any of the ranges, which it sorts. */
static int emit_ranges(struct bytecode *program, const struct side *side,
                       struct port_range *ranges, size_t num,
                       struct label *failed) {
  num = join_ranges(ranges, num);
  struct label matched = {0};
  int err = emit_port_tree(program, side, ranges, num, false, &matched, failed);
  bind_here(program, &matched);
  program->cost += 2;
  for (size_t leaves = 1; leaves < num; leaves *= 2)
    program->cost++;
  return err;
}

static int emit_ports(struct bytecode *program, const struct side *side,
                      const struct port_set *set, struct label *failed) {
  if (set->num == 0)
    return 0;
  struct port_range *ranges = malloc(set->num * sizeof(*ranges));
  if (ranges == NULL)
    return -ENOMEM;
  memcpy(ranges, set->ranges, set->num * sizeof(*ranges));
  int err = emit_ranges(program, side, ranges, set->num, failed);
  free(ranges);
  return err;
}

static int emit_prefix(struct bytecode *program, const struct side *side,
                       const struct prefix *prefix, struct label *failed) {
  struct inet_diag_hostcond host;
  memset(&host, 0, sizeof(host)); /* its padding goes to the kernel, too */
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
  return emit(program, side->address, condition, sizeof(host) + address_len,
              failed);
}

static const struct prefix all_ipv4 = {
    .address.bytes = {[10] = 0xff, [11] = 0xff}, .len = 96};

static int emit_not_ipv4(struct bytecode *program, const struct side *side,
                         struct label *failed) {
  struct label matched = {0};
  int err = emit_prefix(program, side, &all_ipv4, &matched);
  if (err == 0)
    err = emit_jump(program, failed);
  bind_here(program, &matched);
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
      err = emit_jump(program, &matched);
    bind_here(program, &next);
  }
  if (err == 0 && set->num > 0)
    err = emit_jump(program, failed);
  bind_here(program, &matched);
  return err;
}

/* ids: NULL: there are none. */
static int emit_cgroups(struct bytecode *program, const struct id_list *ids,
                        struct label *failed) {
  size_t num = ids == NULL ? 0 : ids->num;
  if (num > CGROUPS_MAX)
    return 0;
  struct label matched = {0};
  int err = 0;
  for (size_t i = 0; i < num && err == 0; i++) {
    struct label next = {0};
    err = emit(program, INET_DIAG_BC_CGROUP_COND, &ids->ids[i],
               sizeof(ids->ids[i]), &next);
    if (err == 0)
      err = emit_jump(program, &matched);
    bind_here(program, &next);
  }
  if (err == 0)
    err = emit_jump(program, failed);
  bind_here(program, &matched);
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

/* The ports, if they are all that the filter is about; else NULL. */
static const struct port_set *only_ports(const struct filter *filter,
                                         const struct side *side) {
  bool more = filter->family != FILTER_ANY_FAMILY ||
              filter->local_addresses.num > 0 ||
              filter->remote_addresses.num > 0 || filter->cgroups.num > 0;
  bool both = filter->local_ports.num > 0 && filter->remote_ports.num > 0;
  const struct port_set *set =
      side == &local ? &filter->local_ports : &filter->remote_ports;
  return more || both || set->num == 0 ? NULL : set;
}

static bool is_only_ports(const struct filter *filter, bool inverted) {
  return !inverted && (only_ports(filter, &local) != NULL ||
                       only_ports(filter, &remote) != NULL);
}

/* All filters that are only about ports of this side become one tree: what it
 * costs hardly grows with their number. */
static int emit_merged_ports(struct bytecode *program, const struct side *side,
                             const struct filter *const *filters,
                             const bool *inverted, size_t num,
                             struct label *accept) {
  size_t ranges_num = 0;
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = only_ports(filters[i], side);
    ranges_num += set == NULL || inverted[i] ? 0 : set->num;
  }
  if (ranges_num == 0)
    return 0;
  struct port_range *ranges = malloc(ranges_num * sizeof(*ranges));
  if (ranges == NULL)
    return -ENOMEM;
  ranges_num = 0;
  for (size_t i = 0; i < num; i++) {
    const struct port_set *set = only_ports(filters[i], side);
    for (size_t j = 0; set != NULL && !inverted[i] && j < set->num; j++)
      ranges[ranges_num++] = set->ranges[j];
  }
  struct label next = {0};
  int err = emit_ranges(program, side, ranges, ranges_num, &next);
  if (err == 0)
    err = emit_jump(program, accept);
  bind_here(program, &next);
  free(ranges);
  return err;
}

static int compile(struct bytecode *program,
                   const struct filter *const *filters,
                   const struct id_list *ids, const bool *inverted, size_t num,
                   struct label *accept) {
  int err = emit_merged_ports(program, &local, filters, inverted, num, accept);
  if (err == 0)
    err = emit_merged_ports(program, &remote, filters, inverted, num, accept);
  for (size_t i = 0; i < num && err == 0; i++) {
    if (is_only_ports(filters[i], inverted[i]))
      continue;
    const struct id_list *own = ids == NULL ? NULL : &ids[i];
    struct label next = {0};
    if (inverted[i] && filters[i]->cgroups.num > 0)
      err = -EINVAL;
    else if (inverted[i])
      err = emit_filter(program, filters[i], own, accept);
    else
      err = emit_filter(program, filters[i], own, &next);
    if (err == 0 && !inverted[i])
      err = emit_jump(program, accept);
    bind_here(program, &next);
  }
  return err;
}

int bytecode_compile(struct bytecode *program,
                     const struct filter *const *filters,
                     const struct id_list *ids, const bool *inverted,
                     size_t num) {
  program->len = 0;
  program->cost = 0;
  if (num == 0)
    return -EINVAL;
  struct label accept = {0}, reject = {0};
  int err = compile(program, filters, ids, inverted, num, &accept);
  if (err == 0)
    err = emit_jump(program, &reject);
  bind_at(program, &accept, program->len);
  bind_at(program, &reject, program->len + 4);
  return err;
}

void bytecode_free(struct bytecode *program) {
  free(program->ops);
  *program = (struct bytecode){0};
}
