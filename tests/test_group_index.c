/* group_index.c: the look-up finds for every port the groups that a search
 * through all of them finds. */
#include "group_index.h"

#include "check_main.h"

#include <stdio.h>
#include <string.h>

#define NO_GROUP UINT32_MAX

/* xorshift64*: the same numbers everywhere, so that a seed names a case. */
static uint64_t next_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(2685821657736338717) >> 32;
}

static unsigned random_between(uint64_t *state, unsigned min, unsigned max) {
  return min + (unsigned)(next_random(state) % (max - min + 1));
}

struct groups {
  struct group *group;
  size_t num;
};

static void add_range(struct group *group, bool local, unsigned first,
                      unsigned last) {
  struct port_set *set =
      local ? &group->filter.local_ports : &group->filter.remote_ports;
  const struct port_range range = {(uint16_t)first, (uint16_t)last};
  ck_assert_int_eq(port_set_add(set, range), 0);
}

static struct groups make_groups(size_t num) {
  struct groups groups = {calloc(num + 1, sizeof(*groups.group)), num};
  ck_assert_ptr_nonnull(groups.group);
  return groups;
}

static void free_groups(struct groups *groups) {
  for (size_t i = 0; i < groups->num; i++)
    filter_free(&groups->group[i].filter);
  free(groups->group);
}

static bool set_has(const struct port_set *set, unsigned port) {
  for (size_t i = 0; i < set->num; i++)
    if (port >= set->ranges[i].first && port <= set->ranges[i].last)
      return true;
  return false;
}

/* Is there a group of exactly this local port in the configuration? */
static bool is_configured(const struct groups *groups, unsigned port) {
  for (size_t i = 0; i < groups->num; i++) {
    const struct port_set *set = &groups->group[i].filter.local_ports;
    if (set->num == 1 && set->ranges[0].first == port &&
        set->ranges[0].last == port)
      return true;
  }
  return false;
}

/* Compares the lists of all ports of one side with a search; seen has a place
 * for each group. listening: own groups of listening ports, by port. */
static void check_side(const struct group_index *index,
                       const struct groups *groups, bool local,
                       const uint32_t *listening, uint32_t *seen) {
  const struct port_index *side = local ? &index->local : &index->remote;
  size_t all = group_index_num(index);
  memset(seen, 0, (all + 1) * sizeof(*seen));
  for (unsigned port = 0; port < PORTS_NUM; port++) {
    size_t num;
    const uint32_t *found = port_index_find(side, (uint16_t)port, &num);
    for (size_t i = 0; i < num; i++) {
      if (found[i] >= all)
        ck_abort_msg("port %u: group %u of %zu", port, found[i], all);
      if (seen[found[i]] == port + 1)
        ck_abort_msg("port %u: group %u twice", port, found[i]);
      seen[found[i]] = port + 1;
    }

    size_t expected = 0;
    for (size_t i = 0; i < groups->num; i++) {
      const struct filter *filter = &groups->group[i].filter;
      if (!set_has(local ? &filter->local_ports : &filter->remote_ports, port))
        continue;
      expected++;
      if (seen[i] != port + 1)
        ck_abort_msg("port %u: group %zu is missing", port, i);
    }
    if (local && listening[port] != NO_GROUP) {
      expected++;
      if (seen[listening[port]] != port + 1)
        ck_abort_msg("port %u: its own group %u is missing", port,
                     listening[port]);
    }
    if (num != expected)
      ck_abort_msg("%s port %u: %zu groups instead of %zu",
                   local ? "local" : "remote", port, num, expected);
  }
}

static void check_index(const struct group_index *index,
                        const struct groups *groups,
                        const struct port_bitmap *open) {
  uint32_t *listening = malloc(PORTS_NUM * sizeof(*listening));
  uint32_t *seen = calloc(group_index_num(index) + 1, sizeof(*seen));
  ck_assert(listening != NULL && seen != NULL);
  uint32_t next = (uint32_t)groups->num;
  size_t own = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++) {
    listening[port] = NO_GROUP;
    if (!port_bitmap_has(open, (uint16_t)port) || is_configured(groups, port))
      continue;
    listening[port] = next++;
    if (own >= index->listening_num || index->listening_ports[own] != port)
      ck_abort_msg("listening port %u has no group", port);
    own++;
  }
  ck_assert_uint_eq(index->listening_num, own);
  ck_assert_uint_eq(group_index_num(index), groups->num + own);
  check_side(index, groups, true, listening, seen);
  check_side(index, groups, false, listening, seen);
  free(listening);
  free(seen);
}

enum shape { SINGLE, NARROW, WIDE, NESTED, AT_THE_ENDS, SEVERAL, SHAPES_NUM };

static void add_random(struct group *group, enum shape shape, bool local,
                       uint64_t *state) {
  unsigned first = random_between(state, 1, PORTS_NUM - 1);
  unsigned last = first;
  unsigned inset;
  switch (shape) {
  case SINGLE:
    break;
  case NARROW:
    last = first + random_between(state, 0, 20);
    break;
  case WIDE:
    last = random_between(state, first, PORTS_NUM - 1);
    break;
  case NESTED: /* all around one port */
    inset = random_between(state, 0, 1000);
    first = 30000 + inset;
    last = 32000 - inset;
    break;
  case AT_THE_ENDS:
    first = next_random(state) % 2 ? 1 : first;
    last = next_random(state) % 2 ? PORTS_NUM - 1 : first;
    break;
  default: /* ranges that may overlap each other */
    for (unsigned i = 0; i < 4; i++)
      add_random(group, next_random(state) % 2 ? NARROW : NESTED, local, state);
    return;
  }
  add_range(group, local, first, last < PORTS_NUM ? last : PORTS_NUM - 1);
}

/* One shape, or all mixed. */
static struct groups random_groups(size_t num, int shape, uint64_t *state) {
  struct groups groups = make_groups(num);
  for (size_t i = 0; i < num; i++)
    add_random(&groups.group[i],
               shape < SHAPES_NUM
                   ? (enum shape)shape
                   : (enum shape)random_between(state, 0, SHAPES_NUM - 1),
               next_random(state) % 2, state);
  return groups;
}

static const struct {
  size_t groups;
  int shape; /* SHAPES_NUM: mixed */
  unsigned listening;
} properties[] = {
    {0, SINGLE, 0},      {0, SINGLE, 1},         {0, SINGLE, 300},
    {1, SINGLE, 0},      {1, NARROW, 0},         {1, WIDE, 10},
    {2, NESTED, 2},      {2, AT_THE_ENDS, 0},    {3, SEVERAL, 3},
    {5, WIDE, 0},        {10, SHAPES_NUM, 10},   {20, SHAPES_NUM, 0},
    {30, NESTED, 30},    {50, AT_THE_ENDS, 50},  {60, SEVERAL, 5},
    {100, WIDE, 0},      {100, SHAPES_NUM, 500}, {300, NARROW, 300},
    {500, SINGLE, 2000}, {2000, SINGLE, 0},      {2000, NARROW, 100},
};

START_TEST(every_port_finds_what_a_search_finds) {
  uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(_i + 1);
  struct groups groups =
      random_groups(properties[_i].groups, properties[_i].shape, &state);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  struct port_bitmap open = {{0}};
  check_index(&index, &groups, &open);

  for (unsigned i = 0; i < properties[_i].listening; i++)
    port_bitmap_add(&open, (uint16_t)random_between(&state, 1, PORTS_NUM - 1));
  /* Some of them are configured, too. */
  for (size_t i = 0; i < groups.num && i < properties[_i].listening; i += 3)
    if (groups.group[i].filter.local_ports.num > 0)
      port_bitmap_add(&open,
                      groups.group[i].filter.local_ports.ranges[0].first);
  int changed = properties[_i].listening > 0;
  ck_assert_int_eq(group_index_listen(&index, &open), changed);
  check_index(&index, &groups, &open);
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(listening_ports_come_and_go) {
  uint64_t state = 20;
  struct groups groups = random_groups(40, SHAPES_NUM, &state);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  struct port_bitmap open = {{0}};
  for (int step = 0; step < 12; step++) {
    struct port_bitmap before = open;
    if (step % 4 == 3)
      memset(&open, 0, sizeof(open));
    for (int i = 0; i < 8; i++)
      port_bitmap_add(&open, (uint16_t)random_between(&state, 29990, 30010));
    bool same = memcmp(&before, &open, sizeof(open)) == 0;
    ck_assert_int_eq(group_index_listen(&index, &open), !same);
    check_index(&index, &groups, &open);
  }
  memset(&open, 0, sizeof(open));
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  check_index(&index, &groups, &open);
  ck_assert_uint_eq(group_index_num(&index), groups.num);
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

/* Returns the groups of a port as text, ascending: "0 2". */
static const char *list_of(const struct port_index *side, unsigned port) {
  static char text[256];
  size_t num, len = 0;
  const uint32_t *found = port_index_find(side, (uint16_t)port, &num);
  text[0] = '\0';
  for (uint32_t group = 0; group < 100000; group++)
    for (size_t i = 0; i < num && len < sizeof(text); i++)
      if (found[i] == group)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
                                len > 0 ? " " : "", group);
  return text;
}

START_TEST(the_first_group_may_be_a_listening_port) {
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, NULL, 0), 0);
  ck_assert_uint_eq(group_index_num(&index), 0);
  ck_assert_str_eq(list_of(&index.local, 22), "");
  struct port_bitmap open = {{0}};
  port_bitmap_add(&open, 443);
  port_bitmap_add(&open, 22);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(group_index_num(&index), 2);
  ck_assert_str_eq(list_of(&index.local, 22), "0");
  ck_assert_str_eq(list_of(&index.local, 443), "1");
  ck_assert_str_eq(list_of(&index.local, 23), "");
  ck_assert_str_eq(list_of(&index.remote, 22), "");
  group_index_free(&index);
}
END_TEST

START_TEST(the_same_listening_ports_change_nothing) {
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, NULL, 0), 0);
  struct port_bitmap open = {{0}};
  ck_assert_int_eq(group_index_listen(&index, &open), 0);
  port_bitmap_add(&open, 22);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  const uint16_t *ports = index.listening_ports;
  const uint32_t *members = index.local.members;
  struct port_bitmap copy = open;
  ck_assert_int_eq(group_index_listen(&index, &copy), 0);
  ck_assert_ptr_eq(index.listening_ports, ports);
  ck_assert_ptr_eq(index.local.members, members);
  ck_assert_str_eq(list_of(&index.local, 22), "0");
  group_index_free(&index);
}
END_TEST

START_TEST(a_configured_port_that_is_listened_on_is_one_group) {
  struct groups groups = make_groups(3);
  add_range(&groups.group[0], true, 22, 22);
  add_range(&groups.group[1], true, 20, 30);
  add_range(&groups.group[2], false, 25, 25);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  struct port_bitmap open = {{0}};
  port_bitmap_add(&open, 22);
  ck_assert_int_ge(group_index_listen(&index, &open), 0);
  ck_assert_uint_eq(group_index_num(&index), 3);
  ck_assert_str_eq(list_of(&index.local, 22), "0 1");

  /* A port in a range, or a remote one, still is a group of its own. */
  port_bitmap_add(&open, 23);
  port_bitmap_add(&open, 25);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(group_index_num(&index), 5);
  ck_assert_uint_eq(index.listening_ports[0], 23);
  ck_assert_uint_eq(index.listening_ports[1], 25);
  ck_assert_str_eq(list_of(&index.local, 22), "0 1");
  ck_assert_str_eq(list_of(&index.local, 23), "1 3");
  ck_assert_str_eq(list_of(&index.local, 25), "1 4");
  ck_assert_str_eq(list_of(&index.remote, 25), "2");
  check_index(&index, &groups, &open);
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(a_listening_port_of_a_group_of_several_ports_is_its_own_group) {
  struct groups groups = make_groups(1);
  add_range(&groups.group[0], true, 22, 22);
  add_range(&groups.group[0], true, 80, 80);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  struct port_bitmap open = {{0}};
  port_bitmap_add(&open, 22);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  ck_assert_uint_eq(group_index_num(&index), 2);
  ck_assert_str_eq(list_of(&index.local, 22), "0 1");
  ck_assert_str_eq(list_of(&index.local, 80), "0");
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(ranges_end_at_their_last_port) {
  static const struct {
    uint16_t first, last;
  } ranges[] = {{1, 1},         {1, 2},         {2, 2},     {1, 65535},
                {65535, 65535}, {65534, 65535}, {100, 200}, {200, 300},
                {201, 299},     {100, 300},     {63, 64},   {32767, 32768}};
  struct groups groups = make_groups(2 * CASES(ranges));
  for (int i = 0; i < 2 * CASES(ranges); i++)
    add_range(&groups.group[i], i % 2, ranges[i / 2].first, ranges[i / 2].last);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  const struct port_bitmap none = {{0}};
  check_index(&index, &groups, &none);
  size_t num;
  port_index_find(&index.local, 0, &num);
  ck_assert_uint_eq(num, 0);
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(a_group_of_overlapping_ranges_is_found_once) {
  struct groups groups = make_groups(2);
  add_range(&groups.group[0], true, 10, 30);
  add_range(&groups.group[0], true, 20, 40);
  add_range(&groups.group[0], true, 20, 40);
  add_range(&groups.group[1], true, 20, 20);
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, groups.group, groups.num), 0);
  ck_assert_str_eq(list_of(&index.local, 10), "0");
  ck_assert_str_eq(list_of(&index.local, 20), "0 1");
  ck_assert_str_eq(list_of(&index.local, 30), "0");
  ck_assert_str_eq(list_of(&index.local, 40), "0");
  ck_assert_str_eq(list_of(&index.local, 41), "");
  group_index_free(&index);
  free_groups(&groups);
}
END_TEST

START_TEST(all_65535_ports_may_be_listened_on) {
  struct groups groups = make_groups(2);
  add_range(&groups.group[0], true, 1, 65535);
  add_range(&groups.group[1], true, 40000, 40000);
  for (size_t num = 0; num <= groups.num; num++) {
    const struct groups some = {groups.group, num};
    struct group_index index;
    ck_assert_int_eq(group_index_init(&index, some.group, some.num), 0);
    struct port_bitmap open = {{0}};
    for (unsigned port = 1; port < PORTS_NUM; port++)
      port_bitmap_add(&open, (uint16_t)port);
    ck_assert_int_eq(group_index_listen(&index, &open), 1);
    check_index(&index, &some, &open);
    ck_assert_str_eq(list_of(&index.local, 0), "");
    ck_assert_str_eq(list_of(&index.local, 65535),
                     num == 0 ? "65534" : "0 65535");
    group_index_free(&index);
  }
  free_groups(&groups);
}
END_TEST

START_TEST(a_bitmap_holds_exactly_the_ports_added) {
  static const uint16_t ports[] = {0, 1, 63, 64, 127, 32768, 65534, 65535};
  struct port_bitmap map = {{0}};
  for (int i = 0; i < CASES(ports); i++)
    port_bitmap_add(&map, ports[i]);
  int next = 0;
  for (unsigned port = 0; port < PORTS_NUM; port++) {
    bool expected = next < CASES(ports) && ports[next] == port;
    next += expected;
    if (port_bitmap_has(&map, (uint16_t)port) != expected)
      ck_abort_msg("port %u", port);
  }
}
END_TEST

START_TEST(a_freed_index_is_empty) {
  struct group_index index;
  ck_assert_int_eq(group_index_init(&index, NULL, 0), 0);
  struct port_bitmap open = {{0}};
  port_bitmap_add(&open, 80);
  ck_assert_int_eq(group_index_listen(&index, &open), 1);
  group_index_free(&index);
  ck_assert_uint_eq(group_index_num(&index), 0);
  group_index_free(&index);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("group_index");
  TCase *tcase = tcase_create("group_index");
  tcase_add_loop_test(tcase, every_port_finds_what_a_search_finds, 0,
                      CASES(properties));
  tcase_add_test(tcase, listening_ports_come_and_go);
  tcase_add_test(tcase, the_first_group_may_be_a_listening_port);
  tcase_add_test(tcase, the_same_listening_ports_change_nothing);
  tcase_add_test(tcase, a_configured_port_that_is_listened_on_is_one_group);
  tcase_add_test(tcase,
                 a_listening_port_of_a_group_of_several_ports_is_its_own_group);
  tcase_add_test(tcase, ranges_end_at_their_last_port);
  tcase_add_test(tcase, a_group_of_overlapping_ranges_is_found_once);
  tcase_add_test(tcase, all_65535_ports_may_be_listened_on);
  tcase_add_test(tcase, a_bitmap_holds_exactly_the_ports_added);
  tcase_add_test(tcase, a_freed_index_is_empty);
  tcase_set_timeout(tcase, 120);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
