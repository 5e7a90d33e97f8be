/* SPDX-License-Identifier: MIT */
/* Fuzzes bytecode.c and group_index.c: whatever filters there are, the kernel
 * takes the program, and both mean what socket_model.c says. */
#include "fuzz.h"

#include "bytecode_machine.h"
#include "filter_set.h"
#include "group_index.h"
#include "socket_model.h"

#include <errno.h>
#include <string.h>

const char fuzz_target[] = "bytecode";

#define POOL 6
#define SOCKETS 24

static struct random_source source;

/* What filters and sockets are made of: of few things, so that they meet, and
 * any that the bytes say. */
static struct {
  struct random_pool pool;
  uint16_t ports[POOL];
  struct address addresses[POOL];
  uint64_t cgroup_ids[POOL];
} made;

static void make_pool(void) {
  for (size_t i = 0; i < POOL; i++) {
    made.ports[i] = (uint16_t)random_below(&source, UINT16_MAX + 1);
    made.addresses[i] =
        random_pool.addresses[random_below(&source, random_pool.addresses_num)];
    unsigned changed = random_below(&source, 16);
    made.addresses[i].bytes[changed] ^= (uint8_t)random_below(&source, 256);
    made.cgroup_ids[i] = (uint64_t)random_below(&source, 256)
                             << random_below(&source, 57) |
                         random_below(&source, 256);
  }
  /* random_socket() looks for one that is IPv4. */
  made.addresses[0] = random_pool.addresses[random_below(&source, 6)];
  made.pool = (struct random_pool){.ports = made.ports,
                                   .ports_num = POOL,
                                   .addresses = made.addresses,
                                   .addresses_num = POOL,
                                   .cgroup_ids = made.cgroup_ids,
                                   .cgroup_ids_num = POOL};
}

/* A program holds more than this. */
#define RANGES_FIT 3700

static size_t count_ranges(const struct filter_set *set) {
  size_t num = 0;
  for (size_t i = 0; i < set->num; i++)
    num += set->filter[i].local_ports.num + set->filter[i].remote_ports.num;
  return num;
}

/* More single ports than a program can hold, now and then. */
static void add_many_ports(struct port_set *set) {
  unsigned num = random_below(&source, 4000);
  uint16_t step = (uint16_t)(random_below(&source, 16) + 1);
  uint16_t port = (uint16_t)random_below(&source, UINT16_MAX + 1);
  for (unsigned i = 0; i < num; i++, port = (uint16_t)(port + step))
    NEED(port_set_add(set, (struct port_range){port, port}) == 0, "no memory");
}

static void fail(const struct filter_set *set, const struct diag_socket *socket,
                 const char *what) {
  filter_set_print(set);
  char *text = model_socket_text(socket);
  fprintf(stderr, "%s: %s\n", what, text);
  abort();
}

static void note_group(uint32_t group, void *data) {
  bool *found = data;
  NEED(group < FILTER_SET_MAX && !found[group], "group %u", group);
  found[group] = true;
}

static void check_socket(const struct filter_set *set,
                         const struct bytecode *program,
                         const struct group_index *index,
                         const struct diag_socket *socket) {
  if (program != NULL) {
    struct machine_verdict verdict = machine_run(program, socket);
    if (verdict.accepted ? !filter_set_allows(set, socket)
                         : filter_set_wants(set, socket))
      fail(set, socket, verdict.accepted ? "let through" : "left out");
    if (verdict.comparisons > program->cost)
      fail(set, socket, "compared more often than the cost says");
  }
  bool found[FILTER_SET_MAX] = {false};
  group_index_find(index, socket, note_group, found);
  for (size_t i = 0; i < set->num; i++)
    if (found[i] != model_matches(&set->filter[i], socket))
      fail(set, socket, found[i] ? "in a wrong group" : "not in its group");
}

static struct group_index make_index(const struct filter_set *set,
                                     struct group *groups) {
  static char name[] = "group";
  for (size_t i = 0; i < set->num; i++)
    groups[i] = (struct group){.name = name, .filter = set->filter[i]};
  struct group_index index;
  int err = group_index_init(&index, groups, set->num);
  NEED(err == 0, "%d", err);
  NEED(model_index_cgroups(&index) == 0, "no memory");
  return index;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source = random_bytes(data, size);
  make_pool();
  struct filter_set set = {0};
  filter_set_randomize(&set, &source, &made.pool);
  if (random_below(&source, 16) == 1)
    add_many_ports(random_below(&source, 2) ? &set.filter[0].local_ports
                                            : &set.filter[0].remote_ports);
  bool impossible = false;
  for (size_t i = 0; i < set.num; i++) {
    if (random_below(&source, 32) == 1)
      set.inverted[i] = !set.inverted[i];
    impossible =
        impossible || (set.inverted[i] && set.filter[i].cgroups.num > 0);
  }

  struct bytecode program = {0};
  int err = filter_set_compile(&set, &program);
  bool too_long = err == -EMSGSIZE && count_ranges(&set) > RANGES_FIT;
  NEED(err == 0 || too_long || (err == -EINVAL && impossible), "%d", err);
  NEED(err != 0 || !impossible, "compiled");
  if (err == 0) {
    const char *wrong = machine_audit(&program);
    if (wrong != NULL)
      filter_set_print(&set);
    NEED(wrong == NULL, "%s", wrong);
    NEED(program.audit == machine_audit_steps(&program), "%zu", program.audit);
  }

  struct group groups[FILTER_SET_MAX];
  struct group_index index = make_index(&set, groups);
  for (int i = 0; i < SOCKETS; i++) {
    struct diag_socket socket = random_socket(&source, &made.pool);
    check_socket(&set, err == 0 ? &program : NULL, &index, &socket);
  }
  /* The control groups get other ids, as from one read to the next. */
  for (size_t i = 0; i < set.num; i++) {
    random_ids(&set.filter[i], &source, &made.pool);
    groups[i].filter = set.filter[i];
  }
  NEED(model_index_cgroups(&index) == 0, "no memory");
  for (int i = 0; i < SOCKETS / 4; i++) {
    struct diag_socket socket = random_socket(&source, &made.pool);
    check_socket(&set, NULL, &index, &socket);
  }
  model_index_free(&index);
  bytecode_free(&program);
  filter_set_free(&set);
  return 0;
}
