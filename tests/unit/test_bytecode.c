/* SPDX-License-Identifier: MIT */
/* bytecode.c: by the kernel's rules every program is valid, and lets through
 * exactly the sockets that the filters mean. */
#include "bytecode.h"

#include "bytecode_machine.h"
#include "check_main.h"
#include "filter_set.h"
#include "socket_model.h"
#include "socket_random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void compile(struct bytecode *program, const struct filter_set *set) {
  int err = filter_set_compile(set, program);
  const char *wrong = err == 0 ? machine_audit(program) : "it does not compile";
  if (wrong == NULL && program->audit != machine_audit_steps(program))
    wrong = "its audit takes another number of steps than it says";
  if (wrong == NULL)
    return;
  filter_set_print(set);
  ck_abort_msg("the program for these filters: %s (%d)", wrong, err);
}

static void check_verdict(const struct bytecode *program,
                          const struct filter_set *set,
                          const struct diag_socket *socket) {
  bool accepted = machine_run(program, socket).accepted;
  if (accepted ? filter_set_allows(set, socket)
               : !filter_set_wants(set, socket))
    return;
  filter_set_print(set);
  ck_abort_msg("a socket is wrongly %s: %s",
               accepted ? "let through" : "left out",
               model_socket_text(socket));
}

START_TEST(a_filter_means_what_it_says) {
  const struct model_case *c = &model_cases[_i];
  struct diag_socket socket = model_parse_socket(c->socket);
  struct filter_set set = {0};
  filter_set_add(&set, c->filter);
  struct bytecode program = {0};
  compile(&program, &set);
  ck_assert_int_eq(machine_run(&program, &socket).accepted, c->matches);

  set.inverted[0] = true;
  if (strstr(c->filter, "cgroup") != NULL) {
    ck_assert_int_eq(filter_set_compile(&set, &program), -EINVAL);
  } else {
    compile(&program, &set);
    ck_assert_int_eq(machine_run(&program, &socket).accepted, !c->matches);
  }
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

static const struct {
  const char *filters[4];
  const char *socket;
  bool accepted;
} sets[] = {
    {{"lport=80", "rport=80"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"lport=80", "rport=80"}, "10.0.0.1 9 10.0.0.2 80", true},
    {{"lport=80", "rport=80"}, "10.0.0.1 9 10.0.0.2 9", false},
    {{"lport=80", "lport=82"}, "10.0.0.1 81 10.0.0.2 9", false},
    {{"lport=80", "ipv6", "lport=82"}, "10.0.0.1 82 10.0.0.2 9", true},
    {{"lport=80", "ipv6", "lport=82"}, "::1 81 ::1 9", true},
    {{"lport=80", "not lport=80"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"lport=80", "not lport=80"}, "10.0.0.1 81 10.0.0.2 9", true},
    {{"not lport=80", "not lport=81"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"not lport=80", "not lport=80"}, "10.0.0.1 80 10.0.0.2 9", false},
    {{"not lport=1-100", "lport=80"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"not lport=1-100", "lport=80"}, "10.0.0.1 81 10.0.0.2 9", false},
    {{"not lport=80 rport=9"}, "10.0.0.1 80 10.0.0.2 9", false},
    {{"not lport=80 rport=9"}, "10.0.0.1 80 10.0.0.2 10", true},
    {{"not lport=80", "lport=70-90", "lport=80"}, "::1 80 ::1 9", true},
    {{"not lport=80", "lport=81", "rport=80"}, "::1 80 ::1 9", false},
    {{"not lport=80", "lport=81", "rport=80"}, "::1 80 ::1 80", true},
    {{"not lport=80", "not lport=90", "lport=95"}, "::1 95 ::1 9", true},
    {{"not lport=80-90", "not lport=85-95", "lport=87"}, "::1 87 ::1 9", true},
    {{"not lport=80-90", "not lport=85-95", "lport=87"}, "::1 86 ::1 9", false},
    {{"not lport=80 lport=90", "lport=85"}, "::1 85 ::1 9", true},
    {{"not ipv4", "not ipv6"}, "::1 80 ::1 9", true},
    {{"not laddr=::/0"}, "::ffff:10.0.0.1 80 ::ffff:10.0.0.2 9", true},
    {{"not laddr=::/0"}, "::1 80 ::1 9", false},
    {{""}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"not "}, "10.0.0.1 80 10.0.0.2 9", false},
    {{"lport=1", "", "ipv6"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"not ", "lport=80"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"cgroup=7", "not ipv6"}, "10.0.0.1 80 10.0.0.2 9", true},
    {{"cgroup=7", "not ipv4"}, "10.0.0.1 80 10.0.0.2 9 7", true},
    {{"cgroup=none", "lport=80 ipv6"}, "10.0.0.1 80 10.0.0.2 9 7", false},
};

START_TEST(any_of_the_filters_is_enough) {
  struct filter_set set = {0};
  for (size_t i = 0; i < 4 && sets[_i].filters[i] != NULL; i++)
    filter_set_add(&set, sets[_i].filters[i]);
  struct bytecode program = {0};
  compile(&program, &set);
  struct diag_socket socket = model_parse_socket(sets[_i].socket);
  ck_assert_int_eq(machine_run(&program, &socket).accepted, sets[_i].accepted);
  check_verdict(&program, &set, &socket);
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(what_passes_is_what_the_filters_mean_at_random) {
  struct random_source source = random_seed((unsigned)_i + 1);
  struct bytecode program = {0};
  for (int i = 0; i < 50; i++) {
    struct filter_set set = {0};
    filter_set_randomize(&set, &source, &random_pool);
    compile(&program, &set);
    for (int j = 0; j < 150; j++) {
      struct diag_socket socket = random_socket(&source, &random_pool);
      check_verdict(&program, &set, &socket);
    }
    filter_set_free(&set);
  }
  bytecode_free(&program);
}
END_TEST

/* One filter for each of num ports, all of them apart. */
struct scattered {
  struct filter *filter;
  struct port_range *range;
  const struct filter **pointers;
  bool *inverted; /* all false */
  size_t num;
};

static uint16_t scattered_port(size_t i) { return (uint16_t)(2 * i + 1); }

static struct scattered make_scattered(size_t num, bool local) {
  struct scattered many = {calloc(num, sizeof(*many.filter)),
                           calloc(num, sizeof(*many.range)),
                           calloc(num, sizeof(const struct filter *)),
                           calloc(num, sizeof(*many.inverted)), num};
  ck_assert(many.filter && many.range && many.pointers && many.inverted);
  for (size_t i = 0; i < num; i++) {
    /* Not in their order. */
    size_t at = (i + num / 3) % num;
    many.range[i] = (struct port_range){scattered_port(at), scattered_port(at)};
    struct port_set set = {&many.range[i], 1};
    *(local ? &many.filter[i].local_ports : &many.filter[i].remote_ports) = set;
    many.pointers[i] = &many.filter[i];
  }
  return many;
}

static void free_scattered(struct scattered *many) {
  free(many->filter);
  free(many->range);
  free(many->pointers);
  free(many->inverted);
}

/* Compiles filters for this many ports, and tries the program with each port.
 * Returns what bytecode_compile() does. */
static int try_scattered(struct bytecode *program, size_t num, bool local) {
  struct scattered many = make_scattered(num, local);
  int err = bytecode_compile(program, many.pointers, NULL, many.inverted, num);
  free_scattered(&many);
  if (err != 0)
    return err;
  const char *wrong = machine_audit(program);
  if (wrong != NULL)
    ck_abort_msg("%zu ports: %s", num, wrong);
  ck_assert_uint_eq(program->audit, machine_audit_steps(program));
  struct diag_socket socket = model_parse_socket("10.0.0.1 0 10.0.0.2 0");
  for (unsigned port = 0; port <= UINT16_MAX; port++) {
    *(local ? &socket.local_port : &socket.remote_port) = (uint16_t)port;
    bool expected = port % 2 == 1 && port <= scattered_port(num - 1);
    if (machine_run(program, &socket).accepted != expected)
      ck_abort_msg("%zu ports: %u is wrong", num, port);
  }
  return 0;
}

START_TEST(each_of_many_ports_is_found) {
  static const size_t nums[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 1000, 2000};
  struct bytecode program = {0};
  for (int i = 0; i < CASES(nums); i++) {
    ck_assert_int_eq(try_scattered(&program, nums[i], i % 2), 0);
    ck_assert_int_eq(try_scattered(&program, nums[i], i % 2 == 0), 0);
  }
  bytecode_free(&program);
}
END_TEST

/* Compiles "in none of these ports", beside a filter for few ports: of either
 * side, inside and outside. */
static void check_inverted(struct bytecode *program, size_t num, bool local) {
  struct filter_set set = {0};
  filter_set_add(&set, local ? "lport=1" : "rport=1");
  filter_set_add(&set, "rport=1,2,70");
  struct filter *filter = &set.filter[0];
  for (size_t i = 1; i < num; i++) {
    struct port_range range = {scattered_port(i), scattered_port(i)};
    ck_assert_int_eq(
        port_set_add(local ? &filter->local_ports : &filter->remote_ports,
                     range),
        0);
  }
  set.inverted[0] = true;
  compile(program, &set);
  ck_assert_uint_lt(program->audit, 1 << 21);
  struct diag_socket socket = model_parse_socket("10.0.0.1 0 10.0.0.2 0");
  for (unsigned port = 0; port <= UINT16_MAX; port++) {
    *(local ? &socket.local_port : &socket.remote_port) = (uint16_t)port;
    bool inside = port % 2 == 1 && port <= scattered_port(num - 1);
    bool few = !local && (port == 1 || port == 2 || port == 70);
    if (machine_run(program, &socket).accepted != (!inside || few))
      ck_abort_msg("%zu ports: %u is wrong", num, port);
  }
  filter_set_free(&set);
}

/* It was 67 million for 3000 ports: 97 ms in each read. */
START_TEST(the_kernels_audit_is_short) {
  struct bytecode program = {0};
  for (size_t num = 1; num < 3800; num += num / 2 + 1) {
    ck_assert_int_eq(try_scattered(&program, num, true), 0);
    ck_assert_uint_lt(program.audit, 1 << 21);
  }
  ck_assert_int_eq(try_scattered(&program, 3800, true), 0);
  ck_assert_uint_lt(program.audit, 1 << 21);
  /* Of both sides, few of one. */
  for (int local = 0; local < 2; local++) {
    struct filter_set set = {0};
    filter_set_add(&set, "lport=1");
    filter_set_add(&set, "rport=1");
    for (size_t i = 1; i < 3500; i++) {
      struct port_range range = {scattered_port(i), scattered_port(i)};
      if (local || i < 50)
        ck_assert_int_eq(port_set_add(&set.filter[0].local_ports, range), 0);
      if (!local || i < 50)
        ck_assert_int_eq(port_set_add(&set.filter[1].remote_ports, range), 0);
    }
    compile(&program, &set);
    ck_assert_uint_lt(program.audit, 1 << 21);
    filter_set_free(&set);
    check_inverted(&program, 3500, local);
    check_inverted(&program, 2, local);
  }
  bytecode_free(&program);
}
END_TEST

/* Of what is not on the group's port all passes at once, so no other port is
 * asked about. */
START_TEST(a_complement_makes_other_ports_needless) {
  struct filter_set set = {0};
  filter_set_add(&set, "not lport=443");
  struct bytecode alone = {0}, program = {0};
  compile(&alone, &set);
  filter_set_add(&set, "lport=80 lport=8000-8099");
  filter_set_add(&set, "lport=22");
  compile(&program, &set);
  ck_assert_uint_eq(program.len, alone.len);
  filter_set_add(&set, "lport=400-500");
  compile(&program, &set);
  struct diag_socket socket = model_parse_socket("::1 443 ::1 9");
  ck_assert(machine_run(&program, &socket).accepted);
  bytecode_free(&alone);
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(the_longest_program_is_right_and_a_longer_one_is_an_error) {
  size_t fits = 1, too_long = 32768;
  struct bytecode program = {0};
  while (too_long - fits > 1) {
    size_t num = (fits + too_long) / 2;
    struct scattered many = make_scattered(num, true);
    int err =
        bytecode_compile(&program, many.pointers, NULL, many.inverted, num);
    free_scattered(&many);
    if (err != 0)
      ck_assert_int_eq(err, -EMSGSIZE);
    *(err == 0 ? &fits : &too_long) = num;
  }
  ck_assert_int_eq(try_scattered(&program, fits, true), 0);
  ck_assert_uint_le(program.len, BYTECODE_MAX);
  ck_assert_uint_gt(program.len, BYTECODE_MAX - 64);
  bytecode_free(&program);
}
END_TEST

START_TEST(a_jump_over_a_long_program_is_right) {
  struct filter_set set = {0};
  filter_set_add(&set, "not lport=1 rport=1");
  filter_set_add(&set, "ipv6 lport=3");
  struct port_set *ports = &set.filter[1].local_ports;
  for (size_t i = 2; i < 10000; i++) {
    struct port_range range = {scattered_port(i), scattered_port(i)};
    ck_assert_int_eq(port_set_add(ports, range), 0);
  }
  struct bytecode program = {0};
  while (filter_set_compile(&set, &program) == -EMSGSIZE)
    ports->num -= ports->num / 50;
  compile(&program, &set);
  ck_assert_uint_gt(program.len, 60000);
  static const char *const sockets[] = {"10.0.0.1 1 10.0.0.1 1", "::1 1 ::1 1",
                                        "::1 1 ::1 2", "::1 3 ::1 1"};
  for (int i = 0; i < CASES(sockets); i++) {
    struct diag_socket socket = model_parse_socket(sockets[i]);
    check_verdict(&program, &set, &socket);
  }
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(a_thousand_ports_cost_little) {
  struct bytecode program = {0};
  ck_assert_int_eq(try_scattered(&program, 1000, true), 0);
  ck_assert_uint_le(program.cost, 16);
  ck_assert_int_eq(try_scattered(&program, 1, true), 0);
  ck_assert_uint_ge(program.cost, 1);
  ck_assert_uint_le(program.cost, 4);
  bytecode_free(&program);
}
END_TEST

START_TEST(the_kernel_compares_no_more_often_than_the_cost_says) {
  struct random_source source = random_seed((unsigned)_i + 1);
  struct bytecode program = {0};
  for (int i = 0; i < 50; i++) {
    struct filter_set set = {0};
    filter_set_randomize(&set, &source, &random_pool);
    compile(&program, &set);
    for (int j = 0; j < 50; j++) {
      struct diag_socket socket = random_socket(&source, &random_pool);
      struct machine_verdict verdict = machine_run(&program, &socket);
      if (verdict.comparisons <= program.cost)
        continue;
      filter_set_print(&set);
      ck_abort_msg("it compares %zu times instead of %zu for %s",
                   verdict.comparisons, program.cost,
                   model_socket_text(&socket));
    }
    filter_set_free(&set);
  }
  bytecode_free(&program);
}
END_TEST

static const struct {
  const char *filters[3];
} invalid[] = {
    {{NULL}},
    {{"not cgroup=7"}},
    {{"not cgroup=none"}},
    {{"lport=80", "ipv6", "not cgroup=7 lport=80"}},
    {{"not cgroup=7", "lport=80"}},
};

START_TEST(what_no_program_can_tell_is_an_error) {
  struct filter_set set = {0};
  for (size_t i = 0; i < 3 && invalid[_i].filters[i] != NULL; i++)
    filter_set_add(&set, invalid[_i].filters[i]);
  struct bytecode program = {0};
  ck_assert_int_eq(filter_set_compile(&set, &program), -EINVAL);
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(a_large_set_of_control_groups_leaves_nobody_out) {
  struct filter_set set = {0};
  filter_set_add(&set, "cgroup=none lport=80");
  struct diag_socket outside = model_parse_socket("::1 81 ::1 9 1000");
  struct bytecode program = {0};
  for (unsigned num = 1; num <= 200; num++) {
    char id[16];
    snprintf(id, sizeof(id), "%u", 1000 + num);
    ck_assert_int_eq(path_set_add(&set.filter[0].cgroups, id), 0);
    compile(&program, &set);
    for (size_t i = 1; i <= num; i++) {
      struct diag_socket socket = model_parse_socket("::1 80 ::1 9");
      socket.cgroup_id = 1000 + i;
      ck_assert(machine_run(&program, &socket).accepted);
    }
    ck_assert(!machine_run(&program, &outside).accepted);
  }
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(control_groups_of_several_filters_are_bounded_together) {
  struct filter_set set = {0};
  for (int i = 0; i < FILTER_SET_MAX; i++)
    filter_set_add(&set, i % 2 ? "cgroup=none ipv4" : "cgroup=none lport=80");
  struct bytecode program = {0};
  for (unsigned num = 1; num <= 20; num++) {
    for (unsigned i = 0; i < FILTER_SET_MAX; i++) {
      char id[16];
      snprintf(id, sizeof(id), "%u", 100 * i + num);
      ck_assert_int_eq(path_set_add(&set.filter[i].cgroups, id), 0);
    }
    compile(&program, &set);
    ck_assert_uint_le(program.cgroups, BYTECODE_CGROUPS_MAX);
    for (unsigned id = 0; id < 100 * FILTER_SET_MAX; id++)
      for (int i = 0; i < 2; i++) {
        struct diag_socket socket =
            model_parse_socket(i ? "10.0.0.1 9 10.0.0.1 9" : "::1 80 ::1 9");
        socket.cgroup_id = id;
        check_verdict(&program, &set, &socket);
      }
  }
  bytecode_free(&program);
  filter_set_free(&set);
}
END_TEST

START_TEST(outside_of_control_groups_is_everybody_else) {
  uint64_t ids[64];
  struct bytecode program = {0};
  for (size_t num = 1; num <= CASES(ids); num++) {
    ids[num - 1] = 1000 + num;
    ck_assert_int_eq(bytecode_outside(&program, ids, num), 0);
    ck_assert_ptr_null(machine_audit(&program));
    struct diag_socket socket = model_parse_socket("::1 80 ::1 9");
    for (size_t i = 0; i <= num + 1; i++) {
      socket.cgroup_id = 1000 + i;
      bool outside = i == 0 || i > num;
      ck_assert_int_eq(machine_run(&program, &socket).accepted, outside);
    }
  }
  bytecode_free(&program);
}
END_TEST

START_TEST(a_program_is_the_same_wherever_it_is_made) {
  struct filter_set set = {0};
  filter_set_add(&set, "lport=80 raddr=::/0");
  filter_set_add(&set, "not rport=80");
  struct bytecode fresh = {0}, used = {0};
  compile(&fresh, &set);
  /* Over a longer one, then over what errors left behind. */
  for (int i = 0; i < 4; i++) {
    int err = i == 0   ? try_scattered(&used, 1000, true)
              : i == 1 ? try_scattered(&used, 30000, true)
              : i == 2 ? bytecode_compile(&used, NULL, NULL, NULL, 0)
                       : 0;
    static const int expected[] = {0, -EMSGSIZE, -EINVAL, 0};
    ck_assert_int_eq(err, expected[i]);
    compile(&used, &set);
    ck_assert_uint_eq(used.cost, fresh.cost);
    ck_assert_uint_eq(used.len, fresh.len);
    ck_assert_mem_eq(used.ops, fresh.ops, fresh.len);
  }
  bytecode_free(&used);
  ck_assert_ptr_null(used.ops);
  ck_assert_uint_eq(used.len, 0);
  compile(&used, &set);
  ck_assert_mem_eq(used.ops, fresh.ops, fresh.len);
  bytecode_free(&used);
  bytecode_free(&fresh);
  filter_set_free(&set);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("bytecode");
  TCase *tcase = tcase_create("bytecode");
  tcase_add_loop_test(tcase, a_filter_means_what_it_says, 0,
                      (int)model_cases_num);
  tcase_add_loop_test(tcase, any_of_the_filters_is_enough, 0, CASES(sets));
  tcase_add_loop_test(tcase, what_passes_is_what_the_filters_mean_at_random, 0,
                      40);
  tcase_add_test(tcase, each_of_many_ports_is_found);
  tcase_add_test(tcase, the_kernels_audit_is_short);
  tcase_add_test(tcase, a_complement_makes_other_ports_needless);
  tcase_add_test(tcase,
                 the_longest_program_is_right_and_a_longer_one_is_an_error);
  tcase_add_test(tcase, a_jump_over_a_long_program_is_right);
  tcase_add_test(tcase, a_thousand_ports_cost_little);
  tcase_add_loop_test(
      tcase, the_kernel_compares_no_more_often_than_the_cost_says, 0, 5);
  tcase_add_loop_test(tcase, what_no_program_can_tell_is_an_error, 0,
                      CASES(invalid));
  tcase_add_test(tcase, a_large_set_of_control_groups_leaves_nobody_out);
  tcase_add_test(tcase, control_groups_of_several_filters_are_bounded_together);
  tcase_add_test(tcase, outside_of_control_groups_is_everybody_else);
  tcase_add_test(tcase, a_program_is_the_same_wherever_it_is_made);
  tcase_set_timeout(tcase, 120);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
