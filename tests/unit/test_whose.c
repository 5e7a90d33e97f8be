/* SPDX-License-Identifier: MIT */
/* whose.c: to which service, or to which port, a stuck socket belongs. */
#include "whose.h"

#include "check_main.h"
#include "fake_cgroups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct cgroup_tree tree;
static struct port_bitmap listening;
static struct whose whose;

static void start(void) {
  memset(&whose, 0, sizeof(whose));
  memset(&listening, 0, sizeof(listening));
  memset(&fake_cgroups, 0, sizeof(fake_cgroups));
  whose.tree = &tree;
  whose.listening = &listening;
  whose.ephemeral = (struct port_range){32768, 60999};
  whose_start(&whose);
}

static struct diag_socket at(uint64_t cgroup_id, uint16_t local,
                             uint16_t remote) {
  return (struct diag_socket){.state = TCP_CLOSE_WAIT,
                              .cgroup_id = cgroup_id,
                              .local_port = local,
                              .remote_port = remote};
}

static const char *name_of(uint64_t cgroup_id, uint16_t local,
                           uint16_t remote) {
  static char name[SERVICE_NAME_SIZE];
  struct diag_socket socket = at(cgroup_id, local, remote);
  struct holder holder = whose_holder(&whose, &socket);
  ck_assert_uint_eq(holder.state, TCP_CLOSE_WAIT);
  char path[CGROUP_PATH_SIZE];
  ck_assert_int_eq(whose_name(&whose, &holder, name, path), 0);
  return name;
}

/* The service's port: of which nobody may be listening any more. */
static const struct {
  const char *name;
  uint16_t listening, local, remote;
  const char *expected;
} services[] = {
    {"a server", 443, 443, 50000, "443-local"},
    {"its client", 443, 50000, 443, "443-remote"},
    {"a server among the ephemeral ports", 50051, 50051, 33000, "50051-local"},
    {"its client", 50051, 33000, 50051, "50051-remote"},
    {"a client of another machine", 0, 33000, 50051, "50051-remote"},
    {"a server that does not listen any more", 0, 443, 50000, "443-local"},
    {"one above the ephemeral ports", 0, 61000, 33000, "61000-local"},
    {"the last ephemeral port", 0, 60999, 443, "443-remote"},
    {"the first ephemeral port", 0, 32768, 443, "443-remote"},
    {"the one before", 0, 32767, 443, "32767-local"},
    {"a client's port that somebody listens on", 40000, 40000, 443,
     "40000-local"},
};

START_TEST(without_control_group_it_is_the_port_of_the_service) {
  if (services[_i].listening != 0)
    port_bitmap_add(&listening, services[_i].listening);
  for (int i = 0; i < 3; i++) {
    /* None, one without a path, and one where there is no hierarchy. */
    whose.tree = i == 2 ? NULL : &tree;
    ck_assert_msg(
        strcmp(name_of(i == 0 ? 0 : 7, services[_i].local, services[_i].remote),
               services[_i].expected) == 0,
        "%s: not %s", services[_i].name, services[_i].expected);
  }
}
END_TEST

START_TEST(with_a_control_group_it_is_its_service) {
  fake_cgroups.paths[6] = "/system.slice/api.service";
  fake_cgroups.paths[7] = "/system.slice/api.service/worker";
  fake_cgroups.paths[8] = "/system.slice/web.service";
  fake_cgroups.paths[9] = "/";
  ck_assert_str_eq(name_of(7, 443, 50000), "api.service");
  ck_assert_str_eq(name_of(8, 50000, 443), "api.service");
  ck_assert_str_eq(name_of(9, 443, 50000), "web.service");
  ck_assert_str_eq(name_of(10, 443, 50000), "root");
  const struct diag_socket sockets[] = {at(7, 443, 1), at(8, 9, 5),
                                        at(9, 443, 1)};
  struct holder holders[3];
  for (int i = 0; i < 3; i++)
    holders[i] = whose_holder(&whose, &sockets[i]);
  ck_assert(holder_is_same(&holders[0], &holders[1]));
  ck_assert(!holder_is_same(&holders[0], &holders[2]));
  ck_assert_uint_eq(holders[1].cgroup_id, 8);
  ck_assert_uint_eq(whose.unknown, 0);
}
END_TEST

START_TEST(a_control_group_is_looked_up_once) {
  fake_cgroups.paths[6] = "/api.service";
  struct diag_socket known = at(7, 443, 1), unknown = at(8, 443, 1);
  for (int i = 0; i < 100; i++) {
    whose_holder(&whose, &known);
    whose_holder(&whose, &unknown);
  }
  ck_assert_uint_eq(fake_cgroups.lookups, 2);
  ck_assert_uint_eq(whose.unknown, 100);
  whose_start(&whose);
  ck_assert_uint_eq(whose.unknown, 0);
  whose_holder(&whose, &known);
  ck_assert_uint_eq(fake_cgroups.lookups, 2);
  /* The tree has changed. */
  fake_cgroups.generation++;
  fake_cgroups.paths[7] = "/new.service";
  whose_start(&whose);
  ck_assert_str_eq(name_of(8, 443, 1), "new.service");
}
END_TEST

START_TEST(many_control_groups_are_told_apart) {
  static char paths[FAKE_CGROUPS_MAX][32];
  for (int i = 0; i < FAKE_CGROUPS_MAX; i++) {
    snprintf(paths[i], sizeof(paths[i]), "/%d.service", i);
    fake_cgroups.paths[i] = paths[i];
  }
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < FAKE_CGROUPS_MAX; i++)
      ck_assert_str_eq(name_of((uint64_t)i + 1, 1, 2), paths[i] + 1);
}
END_TEST

START_TEST(a_control_group_that_has_gone_has_no_name) {
  fake_cgroups.paths[6] = "/api.service";
  struct diag_socket socket = at(7, 443, 1);
  struct holder holder = whose_holder(&whose, &socket);
  fake_cgroups.paths[6] = NULL;
  char name[SERVICE_NAME_SIZE], path[CGROUP_PATH_SIZE];
  ck_assert_int_eq(whose_name(&whose, &holder, name, path), -ENOENT);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("whose");
  TCase *tc = tcase_create("whose");
  tcase_add_checked_fixture(tc, start, NULL);
  tcase_add_loop_test(tc, without_control_group_it_is_the_port_of_the_service,
                      0, CASES(services));
  tcase_add_test(tc, with_a_control_group_it_is_its_service);
  tcase_add_test(tc, a_control_group_is_looked_up_once);
  tcase_add_test(tc, many_control_groups_are_told_apart);
  tcase_add_test(tc, a_control_group_that_has_gone_has_no_name);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
