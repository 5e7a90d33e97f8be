/* SPDX-License-Identifier: MIT */
/* config.c: Services, ServicesMax and ServiceNames. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <string.h>

#define PLUGIN(...) BLOCK("Plugin", __VA_ARGS__)

static struct settings settings;
static struct config_error error;

static void start(void) { settings_init(&settings); }

static void end(void) { settings_free(&settings); }

static int configure(const oconfig_item_t *block) {
  return config_block(&settings, block, &error);
}

START_TEST(by_default_there_are_none) {
  const oconfig_item_t block = PLUGIN();
  ck_assert_int_eq(configure(&block), 0);
  config_finish(&settings);
  ck_assert(!settings.services);
  ck_assert_uint_eq(settings.services_max, 100);
  ck_assert(!settings_need_cgroups(&settings));
}
END_TEST

START_TEST(they_are_groups_beside_the_summary) {
  const oconfig_item_t block = PLUGIN(OPTION("Services", BOOLEAN(true)),
                                      OPTION("servicesmax", TEXT("7")));
  ck_assert_int_eq(configure(&block), 0);
  config_finish(&settings);
  ck_assert(settings.services);
  ck_assert_uint_eq(settings.services_max, 7);
  ck_assert_int_eq(settings.all_ports_summary, CHOICE_TRUE);
  ck_assert_int_eq(settings.listening_ports, CHOICE_FALSE);
  ck_assert(settings_need_cgroups(&settings));
}
END_TEST

START_TEST(without_the_summary_they_are_groups_enough) {
  const oconfig_item_t block =
      PLUGIN(OPTION("Services", BOOLEAN(true)),
             OPTION("AllPortsSummary", BOOLEAN(false)));
  ck_assert_int_eq(configure(&block), 0);
  config_finish(&settings);
  ck_assert_int_eq(settings.listening_ports, CHOICE_FALSE);
  ck_assert(!settings.no_group);
  ck_assert_uint_ne(settings_states(&settings), 0);
}
END_TEST

static const struct {
  oconfig_item_t option;
  uint32_t max; /* 0: it is refused */
} limits[] = {
    {OPTION("ServicesMax", NUMBER(1)), 1},
    {OPTION("ServicesMax", NUMBER(1000)), 1000},
    {OPTION("ServicesMax", NUMBER(0)), 0},
    {OPTION("ServicesMax", NUMBER(1001)), 0},
    {OPTION("ServicesMax", NUMBER(1.5)), 0},
    {OPTION("ServicesMax", TEXT("many")), 0},
    {OPTION("ServicesMax", BOOLEAN(true)), 0},
};

START_TEST(there_are_one_to_a_thousand) {
  oconfig_item_t option = limits[_i].option;
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  ck_assert_int_eq(configure(&block) == 0, limits[_i].max > 0);
  if (limits[_i].max > 0)
    ck_assert_uint_eq(settings.services_max, limits[_i].max);
  else
    ck_assert_ptr_nonnull(
        strstr(error.text, "write how many services have a group, up to 1000"));
}
END_TEST

static const struct {
  oconfig_item_t option;
  bool host_names;
  const char *error; /* NULL: none */
} called[] = {
    {OPTION("ServiceNames", TEXT("hostname")), true, NULL},
    {OPTION("servicenames", TEXT("HostName")), true, NULL},
    {OPTION("ServiceNames", TEXT("cgroup")), false, NULL},
    {OPTION("ServiceNames", TEXT("pod")), false,
     "ServiceNames \"pod\": write \"cgroup\" or \"hostname\""},
    {OPTION("ServiceNames", TEXT("")), false,
     "ServiceNames \"\": write \"cgroup\" or \"hostname\""},
    {OPTION("ServiceNames", BOOLEAN(true)), false,
     "ServiceNames: takes one text in quotes; write \"cgroup\" or "
     "\"hostname\""},
};

START_TEST(they_are_called_by_control_group_or_host_name) {
  oconfig_item_t option = called[_i].option;
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  ck_assert_int_eq(configure(&block) != 0, called[_i].error != NULL);
  ck_assert(settings.host_names == called[_i].host_names);
  if (called[_i].error != NULL)
    ck_assert_str_eq(error.text, called[_i].error);
}
END_TEST

START_TEST(host_names_are_needed_where_services_have_names) {
  settings.host_names = true;
  ck_assert(!settings_need_host_names(&settings));
  settings.notify_stuck = 1;
  ck_assert(settings_need_host_names(&settings));
  settings.notify_stuck = 0;
  settings.services = true;
  ck_assert(settings_need_host_names(&settings));
  settings.host_names = false;
  ck_assert(!settings_need_host_names(&settings));
  const oconfig_item_t block = PLUGIN(
      NAMED_BLOCK("Namespace", TEXT("blue"), OPTION("Services", BOOLEAN(true)),
                  OPTION("ServiceNames", TEXT("hostname"))));
  ck_assert_int_eq(configure(&block), 0);
  ck_assert(settings_need_host_names(&settings));
}
END_TEST

/* Whichever comes first, and also where one is of another block. */
START_TEST(their_names_are_reserved_where_there_are_any) {
  static const char *const names[] = {"other", "root", "others"};
  for (int name = 0; name < CASES(names); name++)
    for (int order = 0; order < 4; order++) {
      oconfig_value_t text = TEXT("x");
      text.value.string = (char *)(uintptr_t)names[name];
      oconfig_item_t port = OPTION("LocalPort", NUMBER(80));
      oconfig_item_t filter = {.key = (char[]){"Filter"},
                               .values = &text,
                               .values_num = 1,
                               .children = &port,
                               .children_num = 1};
      oconfig_item_t services = OPTION("Services", BOOLEAN(order < 3));
      oconfig_item_t both[] = {order == 0 ? services : filter,
                               order == 0 ? filter : services};
      const oconfig_item_t one = {
          .key = (char[]){"Plugin"}, .children = both, .children_num = 2};
      const oconfig_item_t first = {
          .key = (char[]){"Plugin"}, .children = both, .children_num = 1};
      const oconfig_item_t second = {
          .key = (char[]){"Plugin"}, .children = both + 1, .children_num = 1};
      int err = order == 2 ? configure(&first) : configure(&one);
      if (order == 2)
        err = err != 0 ? err : configure(&second);
      ck_assert_msg((err != 0) == (name < 2 && order < 3), "%s, order %d",
                    names[name], order);
      if (err != 0)
        ck_assert_ptr_nonnull(
            strstr(error.text, "the name belongs to a group that Services "
                               "makes; write another one"));
      settings_free(&settings);
    }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_groups_of_services");
  TCase *tc = tcase_create("config");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_test(tc, by_default_there_are_none);
  tcase_add_test(tc, they_are_groups_beside_the_summary);
  tcase_add_test(tc, without_the_summary_they_are_groups_enough);
  tcase_add_loop_test(tc, there_are_one_to_a_thousand, 0, CASES(limits));
  tcase_add_loop_test(tc, they_are_called_by_control_group_or_host_name, 0,
                      CASES(called));
  tcase_add_test(tc, host_names_are_needed_where_services_have_names);
  tcase_add_test(tc, their_names_are_reserved_where_there_are_any);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
