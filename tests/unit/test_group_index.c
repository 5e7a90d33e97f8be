/* SPDX-License-Identifier: MIT */
/* group_index.c: for every socket it finds the groups that the socket belongs
 * to by the meaning of their filters, and no others. */
#include "group_index.h"

#include "check_main.h"
#include "socket_model.h"
#include "socket_random.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Groups as the configuration makes them. */
struct groups {
  struct group *group;
  size_t num;
};

static struct groups make_groups(size_t num) {
  struct groups groups = {calloc(num + 1, sizeof(*groups.group)), num};
  ck_assert_ptr_nonnull(groups.group);
  return groups;
}

static void set_group(struct groups *groups, size_t i, const char *name,
                      struct filter filter) {
  groups->group[i] = (struct group){.name = strdup(name), .filter = filter};
  ck_assert_ptr_nonnull(groups->group[i].name);
}

/* Groups with the filters of these texts; an option LocalPort makes "N-local",
 * which here is written as the name alone. */
static struct groups parse_groups(const char *const *texts, size_t num) {
  struct groups groups = make_groups(num);
  for (size_t i = 0; i < num; i++) {
    unsigned port;
    char lport[32];
    if (sscanf(texts[i], "%u-local", &port) == 1) {
      snprintf(lport, sizeof(lport), "lport=%u", port);
      set_group(&groups, i, texts[i], model_parse_filter(lport));
    } else {
      set_group(&groups, i, "filter", model_parse_filter(texts[i]));
    }
  }
  return groups;
}

static void free_groups(struct groups *groups) {
  for (size_t i = 0; i < groups->num; i++) {
    free(groups->group[i].name);
    filter_free(&groups->group[i].filter);
  }
  free(groups->group);
}

/* Allocations, and what they asked for. */
static size_t allocations, allocated, fail_alloc;

static bool may_allocate(size_t size) {
  allocated += size;
  return ++allocations != fail_alloc;
}

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
  return may_allocate(size) ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t num, size_t size) {
  return may_allocate(num * size) ? __real_calloc(num, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size) {
  return may_allocate(size) ? __real_realloc(old, size) : NULL;
}

/* The groups that were found, each once, ascending. */
struct found {
  uint32_t *group;
  size_t num;
  size_t max;
};

static void add_found(uint32_t group, void *data) {
  struct found *found = data;
  if (found->num == found->max)
    ck_abort_msg("more than all %zu groups", found->max);
  if (group >= found->max)
    ck_abort_msg("group %u of %zu", group, found->max);
  found->group[found->num++] = group;
}

static int compare_groups(const void *a, const void *b) {
  const uint32_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static struct found find(const struct group_index *index,
                         const struct diag_socket *socket) {
  struct found found = {.max = group_index_num(index)};
  found.group = calloc(found.max + 1, sizeof(*found.group));
  ck_assert_ptr_nonnull(found.group);
  group_index_find(index, socket, add_found, &found);
  qsort(found.group, found.num, sizeof(*found.group), compare_groups);
  for (size_t i = 1; i < found.num; i++)
    if (found.group[i - 1] == found.group[i])
      ck_abort_msg("group %u twice", found.group[i]);
  return found;
}

/* Asserts that the socket's groups are these, ascending: "0 2". */
static void expect(const struct group_index *index, const char *socket_text,
                   const char *expected) {
  struct diag_socket socket = model_parse_socket(socket_text);
  struct found found = find(index, &socket);
  char text[256] = "";
  size_t len = 0;
  for (size_t i = 0; i < found.num && len < sizeof(text); i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
                            i > 0 ? " " : "", found.group[i]);
  free(found.group);
  if (strcmp(text, expected) != 0)
    ck_abort_msg("%s is in groups \"%s\" instead of \"%s\"", socket_text, text,
                 expected);
}

/* The same for a socket with this local port. */
static void expect_port(const struct group_index *index, unsigned port,
                        const char *expected) {
  char text[64];
  snprintf(text, sizeof(text), "10.0.0.1 %u 10.0.0.2 9", port);
  expect(index, text, expected);
}

static struct group_index make_index(const struct groups *groups) {
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups->group, groups->num), 0);
  ck_assert_int_eq(model_index_cgroups(&index), 0);
  return index;
}

/* A set of these ports; 0 ends them. */
static struct port_bitmap ports(unsigned port, ...) {
  struct port_bitmap map = {{0}};
  va_list more;
  va_start(more, port);
  for (; port != 0; port = va_arg(more, unsigned))
    port_bitmap_add(&map, (uint16_t)port);
  va_end(more);
  return map;
}

/* Is it the group of this one local port, as an option LocalPort makes it? */
static bool is_configured(const struct groups *groups, unsigned port) {
  char name[16];
  snprintf(name, sizeof(name), "%u-local", port);
  for (size_t i = 0; i < groups->num; i++)
    if (strcmp(groups->group[i].name, name) == 0)
      return true;
  return false;
}

static void fail_at(const struct groups *groups, size_t group,
                    const struct diag_socket *socket, const char *what,
                    unsigned seed) {
  const char *filter = group < groups->num
                           ? model_filter_text(&groups->group[group].filter)
                           : "a listening port";
  ck_abort_msg("seed %u: group %zu (%s) %s for %s", seed, group, filter, what,
               model_socket_text(socket));
}

/* Compares what is found for the socket with a search through all groups;
 * own: the number of the group of each listening port, or UINT32_MAX. */
static void check_socket(const struct group_index *index,
                         const struct groups *groups, const uint32_t *own,
                         const struct diag_socket *socket, unsigned seed) {
  struct found found = find(index, socket);
  size_t next = 0;
  for (size_t i = 0; i < group_index_num(index); i++) {
    bool expected = i < groups->num
                        ? model_matches(&groups->group[i].filter, socket)
                        : own[socket->local_port] == i;
    bool is_found = next < found.num && found.group[next] == i;
    next += is_found;
    if (is_found != expected)
      fail_at(groups, i, socket, expected ? "is missing" : "is too much", seed);
  }
  ck_assert_uint_eq(next, found.num);
  free(found.group);
}

/* By port, the number of the group that it has because it is listened on. */
static uint32_t *number_listening(const struct group_index *index,
                                  const struct groups *groups,
                                  const struct port_bitmap *open) {
  uint32_t *own = malloc(PORTS_NUM * sizeof(*own));
  ck_assert_ptr_nonnull(own);
  uint32_t next = (uint32_t)groups->num;
  for (unsigned port = 0; port < PORTS_NUM; port++) {
    own[port] = UINT32_MAX;
    if (port == 0 || !port_bitmap_has(open, (uint16_t)port) ||
        is_configured(groups, port) || next == groups->num + LISTENING_MAX)
      continue;
    size_t i = next - groups->num;
    if (i >= index->listening_num || index->listening_ports[i] != port)
      ck_abort_msg("listening port %u is not group %u", port, next);
    own[port] = next++;
  }
  ck_assert_uint_eq(group_index_num(index), next);
  return own;
}

static void check_index(const struct group_index *index,
                        const struct groups *groups,
                        const struct port_bitmap *open,
                        struct random_source *source, unsigned sockets) {
  uint32_t *own = number_listening(index, groups, open);
  for (unsigned i = 0; i < sockets; i++) {
    struct diag_socket socket = random_socket(source, &random_pool);
    check_socket(index, groups, own, &socket, source->seed);
  }
  free(own);
}

static struct groups random_groups(size_t num, struct random_source *source) {
  struct groups groups = make_groups(num);
  for (size_t i = 0; i < num; i++)
    set_group(&groups, i, "filter", random_filter(source, &random_pool));
  return groups;
}

/* The numbers of groups, around the ends of the index's words. */
static const size_t sizes[] = {0,   1,   2,   3,   5,   10,  20,  31,  32,
                               33,  62,  63,  64,  65,  66,  100, 126, 127,
                               128, 129, 130, 191, 192, 193, 500};

START_TEST(every_socket_finds_its_groups_at_random) {
  struct random_source source = random_seed((unsigned)_i);
  struct groups groups = random_groups(sizes[_i], &source);
  struct group_index index = make_index(&groups);
  for (int step = 0; step < 5; step++) {
    struct port_bitmap open = {{0}};
    for (unsigned i = random_below(&source, 4 * (unsigned)step + 1); i > 0; i--)
      port_bitmap_add(&open, random_socket(&source, &random_pool).local_port);
    ck_assert_int_ge(group_index_listen(&index, &open), 0);
    check_index(&index, &groups, &open, &source, 200);
    for (size_t i = 0; i < groups.num; i++)
      random_ids(&groups.group[i].filter, &source, &random_pool);
    ck_assert_int_eq(model_index_cgroups(&index), 0);
  }
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(a_filter_means_what_it_says) {
  const struct model_case *c = &model_cases[_i];
  struct groups groups = parse_groups(&c->filter, 1);
  struct diag_socket socket = model_parse_socket(c->socket);
  ck_assert_int_eq(model_matches(&groups.group[0].filter, &socket), c->matches);
  struct group_index index = make_index(&groups);
  expect(&index, c->socket, c->matches ? "0" : "");
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

/* Each group is found by itself and by none of the others. */
START_TEST(groups_do_not_disturb_each_other) {
  for (size_t num = 1; num <= 130; num++) {
    struct groups groups = make_groups(num);
    char text[32];
    for (size_t i = 0; i < num; i++) {
      snprintf(text, sizeof(text), "lport=%zu", i + 1000);
      set_group(&groups, i, "filter", model_parse_filter(text));
    }
    struct group_index index = make_index(&groups);
    ck_assert_uint_eq(group_index_num(&index), num);
    for (size_t i = 0; i < num; i++) {
      snprintf(text, sizeof(text), "%zu", i);
      expect_port(&index, (unsigned)i + 1000, text);
    }
    expect_port(&index, 999, "");
    expect_port(&index, (unsigned)num + 1000, "");
    struct port_bitmap open = ports(999, 1000, 0);
    ck_assert_int_eq(group_index_listen(&index, &open), 1);
    snprintf(text, sizeof(text), "%zu", num);
    expect_port(&index, 999, text);
    snprintf(text, sizeof(text), "0 %zu", num + 1);
    expect_port(&index, 1000, text);
    model_index_free(&index);
    free_groups(&groups);
  }
}
END_TEST

START_TEST(a_group_without_any_condition_has_every_socket) {
  static const char *const texts[] = {"", "lport=80", ""};
  /* Alone, then beside a group that has a condition. */
  for (size_t num = 1; num <= 3; num++) {
    struct groups groups = parse_groups(texts, num);
    struct group_index index = make_index(&groups);
    static const char *const expected[] = {"0", "0", "0 2"};
    expect_port(&index, 79, expected[num - 1]);
    model_index_free(&index);
    free_groups(&groups);
  }
}
END_TEST

START_TEST(control_groups_come_and_go) {
  static const char *const texts[] = {"cgroup=none", "cgroup=none lport=80",
                                      "lport=80"};
  static const struct {
    const char *filters[2];
    const char *in_7;
    const char *in_9;
    const char *unknown;
  } steps[] = {
      {{"cgroup=7", "cgroup=9"}, "0 2", "1 2", "2"},
      {{"cgroup=7 cgroup=8 cgroup=9", "cgroup=none"}, "0 2", "0 2", "2"},
      {{"cgroup=none", "cgroup=none"}, "2", "2", "2"},
      {{"cgroup=9", "cgroup=9 cgroup=7 cgroup=7"}, "1 2", "0 1 2", "2"},
      {{"cgroup=8", "cgroup=6 cgroup=10"}, "2", "2", "2"},
      {{"cgroup=10 cgroup=7", "cgroup=7"}, "0 1 2", "2", "2"},
  };
  struct groups groups = parse_groups(texts, CASES(texts));
  struct group_index index = make_index(&groups);
  expect(&index, "::1 80 ::1 9 7", "2");
  for (int i = 0; i < CASES(steps); i++) {
    for (size_t j = 0; j < 2; j++) {
      struct filter other = model_parse_filter(steps[i].filters[j]);
      struct path_set *set = &groups.group[j].filter.cgroups;
      struct path_set before = *set;
      *set = other.cgroups;
      other.cgroups = before;
      filter_free(&other);
    }
    unsigned generation = index.generation;
    ck_assert_int_eq(model_index_cgroups(&index), 0);
    ck_assert_uint_ne(index.generation, generation);
    expect(&index, "::1 80 ::1 9 7", steps[i].in_7);
    expect(&index, "::1 80 ::1 9 9", steps[i].in_9);
    expect(&index, "::1 80 ::1 9", steps[i].unknown);
  }
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

/* What a port is when it is listened on, beside these groups. */
static const struct {
  const char *groups[3];
  unsigned listening;
  const char *found;
} listening[] = {
    {{NULL}, 22, "0"},
    {{"22-local"}, 22, "0"},
    {{"lport=22"}, 22, "0 1"},
    {{"lport=20-30"}, 22, "0 1"},
    {{"lport=22-23"}, 22, "0 1"},
    {{"lport=22 lport=80"}, 22, "0 1"},
    {{"lport=22 rport=9"}, 22, "0 1"},
    {{"lport=22 ipv6"}, 22, "1"},
    {{"22-local", "lport=22"}, 22, "0 1"},
    {{"lport=22", "22-local"}, 22, "0 1"},
    {{"220-local"}, 22, "1"},
    {{"2-local"}, 22, "1"},
    {{"rport=22"}, 22, "1"},
    {{"rport=9"}, 22, "0 1"},
    {{"65535-local", "lport=1-65535"}, 65535, "0 1"},
    {{"lport=1-65535"}, 65535, "0 1"},
    {{"1-local"}, 1, "0"},
};

START_TEST(a_listening_port_is_one_group) {
  size_t num = 0;
  while (num < 3 && listening[_i].groups[num] != NULL)
    num++;
  struct groups groups = parse_groups(listening[_i].groups, num);
  struct group_index index = make_index(&groups);
  struct port_bitmap open = ports(listening[_i].listening, 0);
  ck_assert_int_ge(group_index_listen(&index, &open), 0);
  expect_port(&index, listening[_i].listening, listening[_i].found);
  struct random_source source = random_seed((unsigned)_i);
  check_index(&index, &groups, &open, &source, 200);
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(listening_ports_come_and_go) {
  static const char *const texts[] = {"lport=22", "80-local", "rport=9"};
  struct groups groups = parse_groups(texts, CASES(texts));
  struct group_index index = make_index(&groups);
  const struct {
    struct port_bitmap open;
    int changed;
    const char *found_22;
    const char *found_80;
    const char *found_443;
  } steps[] = {
      {ports(0), 0, "0 2", "1 2", "2"},
      {ports(443, 0), 1, "0 2", "1 2", "2 3"},
      {ports(443, 0), 0, "0 2", "1 2", "2 3"},
      {ports(443, 80, 0), 0, "0 2", "1 2", "2 3"},
      {ports(443, 22, 0), 1, "0 2 3", "1 2", "2 4"},
      {ports(22, 0), 1, "0 2 3", "1 2", "2"},
      {ports(21, 22, 65535, 0), 1, "0 2 4", "1 2", "2"},
      {ports(80, 0), 1, "0 2", "1 2", "2"},
      {ports(0), 0, "0 2", "1 2", "2"},
  };
  for (int i = 0; i < CASES(steps); i++) {
    unsigned generation = index.generation;
    allocations = 0;
    int changed = group_index_listen(&index, &steps[i].open);
    ck_assert_uint_eq(allocations, 0);
    ck_assert_int_eq(changed, steps[i].changed);
    ck_assert_int_eq(index.generation != generation, steps[i].changed);
    expect_port(&index, 22, steps[i].found_22);
    expect_port(&index, 80, steps[i].found_80);
    expect_port(&index, 443, steps[i].found_443);
  }
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(port_0_is_never_listened_on) {
  struct group_index index = make_index(&(struct groups){0});
  struct port_bitmap open = {{0}};
  port_bitmap_add(&open, 0);
  ck_assert_int_eq(group_index_listen(&index, &open), 0);
  ck_assert_uint_eq(group_index_num(&index), 0);
  port_bitmap_add(&open, 1);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(group_index_num(&index), 1);
  expect_port(&index, 0, "");
  expect_port(&index, 1, "0");
  model_index_free(&index);
}
END_TEST

START_TEST(of_all_65535_ports_the_lowest_are_groups) {
  static const char *const texts[] = {"lport=1-65535", "400-local"};
  for (size_t num = 0; num <= CASES(texts); num++) {
    struct groups groups = parse_groups(texts, num);
    struct group_index index = make_index(&groups);
    struct port_bitmap open;
    memset(&open, 0xff, sizeof(open));
    ck_assert_int_eq(group_index_listen(&index, &open), 1);
    ck_assert_uint_eq(index.listening_num, LISTENING_MAX);
    ck_assert_uint_eq(index.listening_left_out,
                      65535 - LISTENING_MAX - (num == 2));
    struct random_source source = random_seed((unsigned)num);
    check_index(&index, &groups, &open, &source, 50);
    static const char *const last[] = {"511", "0 512", "0 513"};
    expect_port(&index, LISTENING_MAX + (num == 2), last[num]);
    expect_port(&index, 65535, num == 0 ? "" : "0");
    expect_port(&index, 0, "");
    model_index_free(&index);
    free_groups(&groups);
  }
}
END_TEST

START_TEST(no_port_is_pushed_out_by_many_others) {
  struct group_index index = make_index(&(struct groups){0});
  struct port_bitmap open = ports(8080, 50051, 65535, 0);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(index.listening_left_out, 0);
  for (unsigned port = 1024; port < 61000; port++)
    port_bitmap_add(&open, (uint16_t)port);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(index.listening_num, LISTENING_MAX);
  ck_assert_uint_eq(index.listening_left_out, 61000 - 1024 + 1 - LISTENING_MAX);
  /* The lowest, then these. */
  expect_port(&index, 1024, "0");
  expect_port(&index, 1024 + 508, "508");
  expect_port(&index, 1024 + 509, "");
  expect_port(&index, 8080, "509");
  expect_port(&index, 50051, "510");
  expect_port(&index, 65535, "511");
  ck_assert_int_eq(group_index_listen(&index, &open), 0);
  /* One more below them all finds no room, until one of them ends. */
  port_bitmap_add(&open, 22);
  ck_assert_int_eq(group_index_listen(&index, &open), 0);
  expect_port(&index, 22, "");
  open.bits[8080 / 64] &= ~(UINT64_C(1) << 8080 % 64);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  expect_port(&index, 22, "0");
  expect_port(&index, 8080, "");
  ck_assert_uint_eq(index.listening_left_out, 61000 - 1024 + 1 - LISTENING_MAX);
  open = ports(22, 0);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(index.listening_left_out, 0);
  expect_port(&index, 22, "0");
  expect_port(&index, 1024, "");
  model_index_free(&index);
}
END_TEST

START_TEST(listeners_that_come_and_go_cost_no_memory) {
  static const char *const texts[] = {"lport=22", "80-local", "ipv4"};
  struct groups groups = parse_groups(texts, CASES(texts));
  struct group_index index = make_index(&groups);
  struct random_source source = random_seed(1);
  for (int i = 0; i < 100; i++) {
    struct port_bitmap open = {{0}};
    for (unsigned j = random_below(&source, 1000); j > 0; j--)
      port_bitmap_add(&open, (uint16_t)random_below(&source, PORTS_NUM));
    allocations = 0;
    group_index_listen(&index, &open);
    int changed = group_index_listen(&index, &open);
    ck_assert_uint_eq(allocations, 0);
    ck_assert_int_eq(changed, 0);
  }
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

/* The steps that it takes at most to find a socket's groups, besides one for
 * each that is found. */
static size_t count_steps(const struct group_index *index) {
  size_t steps = index->words * CONDITIONS_NUM;
  const struct port_table *tables[] = {&index->local_ports,
                                       &index->remote_ports};
  for (int i = 0; i < CASES(tables); i++)
    for (size_t num = 1; num <= tables[i]->sections_num; num *= 2)
      steps += 2; /* the search for the section, and the way to the root */
  return steps;
}

/* 107 MB it was for 20,000 ports. */
START_TEST(many_ports_cost_little_memory_and_few_steps) {
  static const struct {
    bool remote, single;
    size_t num, bytes_each;
  } cases[] = {
      {false, true, 20000, 24},
      {true, true, 5000, 24},
      {false, false, 1000, 156},
      {true, false, 6000, 156},
  };
  for (int i = 0; i < CASES(cases); i++) {
    struct groups groups = make_groups(cases[i].num);
    for (size_t j = 0; j < groups.num; j++) {
      uint16_t first = (uint16_t)(j * (65536 / groups.num) + 1);
      uint16_t last =
          cases[i].single ? first : (uint16_t)(65535 - j % 3 * first / 4);
      struct filter filter = {0};
      struct port_range range = {first, last < first ? first : last};
      ck_assert_int_eq(port_set_add(cases[i].remote ? &filter.remote_ports
                                                    : &filter.local_ports,
                                    range),
                       0);
      set_group(&groups, j, "filter", filter);
    }
    struct group_index index;
    allocated = 0;
    int err = group_index_init(&index, groups.group, groups.num);
    size_t bytes = allocated;
    ck_assert_int_eq(err, 0);
    ck_assert_uint_le(
        bytes, groups.num * (cases[i].bytes_each + sizeof(uint32_t)) + 100);
    ck_assert_uint_le(count_steps(&index), 36);
    struct random_source source = random_seed((unsigned)i);
    struct port_bitmap open = {{0}};
    check_index(&index, &groups, &open, &source, 20);
    group_index_free(&index);
    free_groups(&groups);
  }
}
END_TEST

START_TEST(without_memory_there_is_no_index) {
  static const char *const texts[] = {"lport=22", "rport=1-9", "ipv4 lport=80",
                                      "cgroup=7"};
  struct groups groups = parse_groups(texts, CASES(texts));
  for (size_t i = 1;; i++) {
    allocations = 0;
    fail_alloc = i;
    struct group_index index;
    int err = group_index_init(&index, groups.group, groups.num);
    fail_alloc = 0;
    if (err == 0) {
      ck_assert_uint_gt(i, 8);
      group_index_free(&index);
      break;
    }
    ck_assert_int_eq(err, -ENOMEM);
    ck_assert_ptr_null(index.rest);
  }
  free_groups(&groups);
}
END_TEST

START_TEST(a_bitmap_holds_exactly_the_ports_added) {
  static const uint16_t added[] = {0, 1, 63, 64, 127, 32768, 65534, 65535};
  struct port_bitmap map = {{0}};
  for (int i = 0; i < CASES(added); i++)
    port_bitmap_add(&map, added[i]);
  int next = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++) {
    bool expected = next < CASES(added) && added[next] == port;
    next += expected;
    if (port_bitmap_has(&map, (uint16_t)port) != expected)
      ck_abort_msg("port %u", port);
  }
  uint16_t listed[CASES(added)];
  ck_assert_uint_eq(port_bitmap_count(&map), CASES(added));
  port_bitmap_list(&map, listed);
  ck_assert_mem_eq(listed, added, sizeof(added));
}
END_TEST

START_TEST(ranges_that_are_added_are_kept_ascending_and_apart) {
  struct random_source source = random_seed((unsigned)_i);
  /* In small numbers they meet often, at the ends of what there is, too. */
  unsigned base = _i % 2 == 0 ? 0 : PORTS_NUM - 300;
  struct port_set set = {0};
  struct port_bitmap expected = {{0}}, found = {{0}};
  for (int i = 0; i < 40; i++) {
    unsigned first = base + random_below(&source, 300);
    unsigned last = first + random_below(&source, 1u + (unsigned)i % 20);
    last = last > UINT16_MAX ? UINT16_MAX : last;
    struct port_range range = {(uint16_t)first, (uint16_t)last};
    ck_assert_int_eq(port_set_add(&set, range), 0);
    for (unsigned port = first; port <= last; port++)
      port_bitmap_add(&expected, (uint16_t)port);
    memset(&found, 0, sizeof(found));
    for (size_t j = 0; j < set.num; j++) {
      ck_assert_uint_le(set.ranges[j].first, set.ranges[j].last);
      if (j > 0)
        ck_assert_uint_gt(set.ranges[j].first, set.ranges[j - 1].last + 1);
      for (unsigned port = set.ranges[j].first; port <= set.ranges[j].last;
           port++)
        port_bitmap_add(&found, (uint16_t)port);
    }
    ck_assert_mem_eq(&found, &expected, sizeof(found));
  }
  free(set.ranges);
}
END_TEST

START_TEST(a_freed_index_is_empty) {
  static const char *const text = "lport=80 ipv4 cgroup=7";
  struct groups groups = parse_groups(&text, 1);
  struct group_index index = make_index(&groups);
  struct port_bitmap open = ports(80, 0);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  model_index_free(&index);
  ck_assert_uint_eq(group_index_num(&index), 0);
  expect_port(&index, 80, "");
  model_index_free(&index);
  free_groups(&groups);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("group_index");
  TCase *tcase = tcase_create("group_index");
  tcase_add_loop_test(tcase, a_filter_means_what_it_says, 0,
                      (int)model_cases_num);
  tcase_add_loop_test(tcase, every_socket_finds_its_groups_at_random, 0,
                      CASES(sizes));
  tcase_add_test(tcase, groups_do_not_disturb_each_other);
  tcase_add_test(tcase, a_group_without_any_condition_has_every_socket);
  tcase_add_test(tcase, control_groups_come_and_go);
  tcase_add_loop_test(tcase, a_listening_port_is_one_group, 0,
                      CASES(listening));
  tcase_add_test(tcase, listening_ports_come_and_go);
  tcase_add_test(tcase, port_0_is_never_listened_on);
  tcase_add_test(tcase, of_all_65535_ports_the_lowest_are_groups);
  tcase_add_test(tcase, no_port_is_pushed_out_by_many_others);
  tcase_add_test(tcase, listeners_that_come_and_go_cost_no_memory);
  tcase_add_test(tcase, many_ports_cost_little_memory_and_few_steps);
  tcase_add_test(tcase, without_memory_there_is_no_index);
  tcase_add_test(tcase, a_bitmap_holds_exactly_the_ports_added);
  tcase_add_loop_test(tcase, ranges_that_are_added_are_kept_ascending_and_apart,
                      0, 20);
  tcase_add_test(tcase, a_freed_index_is_empty);
  tcase_set_timeout(tcase, 120);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
