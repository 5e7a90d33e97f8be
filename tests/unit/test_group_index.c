/* group_index.c: for every socket it finds the groups that the socket belongs
 * to by the meaning of their filters, and no others. */
#include "group_index.h"

#include "check_main.h"
#include "socket_model.h"
#include "socket_random.h"

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

/* The groups that were found, checked for their order. */
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
  if (found->num > 0 && found->group[found->num - 1] >= group)
    ck_abort_msg("group %u after %u", group, found->group[found->num - 1]);
  found->group[found->num++] = group;
}

static struct found find(const struct group_index *index,
                         const struct diag_socket *socket) {
  struct found found = {.max = group_index_num(index)};
  found.group = calloc(found.max + 1, sizeof(*found.group));
  ck_assert_ptr_nonnull(found.group);
  group_index_find(index, socket, add_found, &found);
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
        is_configured(groups, port))
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
    const uint16_t *before = index.listening_ports;
    ck_assert_int_eq(group_index_listen(&index, &steps[i].open),
                     steps[i].changed);
    ck_assert_int_eq(index.generation != generation, steps[i].changed);
    if (!steps[i].changed)
      ck_assert_ptr_eq(index.listening_ports, before);
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

START_TEST(all_65535_ports_may_be_listened_on) {
  static const char *const texts[] = {"lport=1-65535", "40000-local"};
  for (size_t num = 0; num <= CASES(texts); num++) {
    struct groups groups = parse_groups(texts, num);
    struct group_index index = make_index(&groups);
    struct port_bitmap open;
    memset(&open, 0xff, sizeof(open));
    ck_assert_int_eq(group_index_listen(&index, &open), 1);
    struct random_source source = random_seed((unsigned)num);
    check_index(&index, &groups, &open, &source, 50);
    static const char *const last[] = {"65534", "0 65535", "0 65535"};
    expect_port(&index, 65535, last[num]);
    expect_port(&index, 0, "");
    model_index_free(&index);
    free_groups(&groups);
  }
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
  tcase_add_test(tcase, all_65535_ports_may_be_listened_on);
  tcase_add_test(tcase, a_bitmap_holds_exactly_the_ports_added);
  tcase_add_test(tcase, a_freed_index_is_empty);
  tcase_set_timeout(tcase, 120);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
