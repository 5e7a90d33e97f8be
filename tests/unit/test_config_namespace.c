/* SPDX-License-Identifier: MIT */
/* config.c: Namespace blocks. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <errno.h>

static struct settings settings;
static struct config_error error;

static void set_up(void) { settings_init(&settings); }
static void tear_down(void) { settings_free(&settings); }

static int read_block(oconfig_item_t *block) {
  return config_block(&settings, block, &error);
}

START_TEST(a_block_has_settings_of_its_own) {
  oconfig_item_t block = BLOCK(
      "Plugin", OPTION("LocalPort", NUMBER(22)),
      NAMED_BLOCK("Namespace", TEXT("blue"), OPTION("LocalPort", NUMBER(443)),
                  OPTION("ReportStuck", BOOLEAN(false)),
                  NAMED_BLOCK("Filter", TEXT("db"),
                              OPTION("RemotePort", NUMBER(5432)))),
      NAMED_BLOCK("namespace", TEXT("/proc/4711/ns/net"),
                  OPTION("name", TEXT("web"))));
  ck_assert_msg(read_block(&block) == 0, "%s", error.text);
  config_finish(&settings);
  ck_assert_uint_eq(settings.namespaces_num, 2);
  ck_assert_uint_eq(settings.groups_num, 1);
  ck_assert(!settings.other_namespace);

  const struct settings_namespace *blue = &settings.namespaces[0];
  ck_assert_str_eq(blue->name, "blue");
  ck_assert_str_eq(blue->paths[0], "/run/netns/blue");
  ck_assert(blue->settings.other_namespace);
  ck_assert_uint_eq(blue->settings.groups_num, 2);
  ck_assert_str_eq(blue->settings.groups[0].name, "443-local");
  ck_assert_str_eq(blue->settings.groups[1].name, "db");
  ck_assert(!(blue->settings.report & REPORT_STUCK));
  ck_assert_int_eq(blue->settings.all_ports_summary, CHOICE_FALSE);

  const struct settings_namespace *web = &settings.namespaces[1];
  ck_assert_str_eq(web->name, "web");
  ck_assert_str_eq(web->paths[0], "/proc/4711/ns/net");
  ck_assert_uint_eq(web->settings.groups_num, 0);
  ck_assert(web->settings.report & REPORT_STUCK);
  ck_assert_int_eq(web->settings.all_ports_summary, CHOICE_TRUE);
}
END_TEST

START_TEST(the_same_group_name_may_stand_in_two_namespaces) {
  oconfig_item_t block =
      BLOCK("Plugin",
            NAMED_BLOCK("Filter", TEXT("db"), OPTION("LocalPort", NUMBER(1))),
            NAMED_BLOCK("Namespace", TEXT("blue"),
                        NAMED_BLOCK("Filter", TEXT("db"),
                                    OPTION("LocalPort", NUMBER(1)))));
  ck_assert_int_eq(read_block(&block), 0);
}
END_TEST

START_TEST(several_paths_or_a_pattern_are_one_block) {
  oconfig_value_t values[] = {TEXT("/run/docker/netns/*"), TEXT("blue"),
                              TEXT("cni-?")};
  oconfig_item_t options[] = {OPTION("NamespaceBudget", NUMBER(7)),
                              OPTION("Name", TEXT("pods"))};
  oconfig_item_t block = BLOCK(
      "Plugin",
      {.key = (char[]){"Namespace"},
       .values = values,
       .values_num = CASES(values),
       .children = options,
       .children_num = CASES(options)},
      NAMED_BLOCK("Namespace", TEXT("/run/[xy]"), OPTION("Name", TEXT("xy"))),
      NAMED_BLOCK("Namespace", TEXT("/run/x"), OPTION("Name", TEXT("x"))));
  ck_assert_msg(read_block(&block) == 0, "%s", error.text);
  const struct settings_namespace *pods = &settings.namespaces[0];
  ck_assert(pods->pattern);
  ck_assert_str_eq(pods->name, "pods");
  ck_assert_uint_eq(pods->paths_num, 3);
  ck_assert_str_eq(pods->paths[0], "/run/docker/netns/*");
  ck_assert_str_eq(pods->paths[1], "/run/netns/blue");
  ck_assert_str_eq(pods->paths[2], "/run/netns/cni-?");
  ck_assert_uint_eq(pods->budget, 7);
  ck_assert(settings.namespaces[1].pattern);
  ck_assert_uint_eq(settings.namespaces[1].budget, 2);
  ck_assert(!settings.namespaces[2].pattern);
}
END_TEST

#define NAME_HELP "write a short one in the block: Name \"blue\""
#define NAMESPACE_HELP                                                         \
  "write names under /run/netns or paths, such as <Namespace \"blue\">"
#define NAME_64                                                                \
  "0123456789012345678901234567890123456789012345678901234567890123"
#define NAME_60 "012345678901234567890123456789012345678901234567890123456789"
#define KNOWN KNOWN_EVERYWHERE "Name, NamespaceBudget"

static struct {
  oconfig_item_t item;
  const char *expected;
} refused[] = {
    {NAMED_BLOCK("Namespace", NUMBER(1), OPTION("LocalPort", NUMBER(1))),
     "Namespace: takes texts in quotes; " NAMESPACE_HELP},
    {NAMED_BLOCK("Namespace", TEXT("/run/x"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"/run/x\">: a path needs a short name for its "
     "groups, and so do several; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT(""), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"\">: the name is empty; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("/a\nb"), OPTION("Name", TEXT("b"))),
     "<Namespace \"/a?b\">: has a control character in it; " NAMESPACE_HELP},
    {NAMED_BLOCK("Namespace", TEXT("/run/x"), OPTION("Name", TEXT("d\xfc"))),
     "<Namespace \"d?\">: the name is not UTF-8; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("a/b"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"a/b\">: neither a name nor an absolute "
     "path; " NAMESPACE_HELP},
    {NAMED_BLOCK("Namespace", TEXT(".."), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"..\">: the name is that of a directory; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT(NAME_64), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"" NAME_64
     "\">: the name is longer than 63 characters; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("red"), OPTION("Name", NUMBER(1))),
     "Namespace \"red\": Name: takes one text in quotes; " NAME_HELP},
    {NAMED_BLOCK(
         "Namespace", TEXT("/run/x"),
         NAMED_BLOCK("Name", TEXT("web"), OPTION("LocalPort", NUMBER(443)))),
     "Namespace \"/run/x\": <Name>: is not a block; write it on one line: "
     "Name"},
    {NAMED_BLOCK(
         "Namespace", TEXT("red"),
         NAMED_BLOCK("Filter", TEXT("db"), OPTION("LocalPort", NUMBER(0)))),
     "Namespace \"red\": Filter \"db\": LocalPort 0: not a port; write a "
     "number "
     "from 1 to 65535, a service name or a quoted range such as "
     "\"8000-8099\""},
    {NAMED_BLOCK("Namespace", TEXT("red"), OPTION("LocalPort", NUMBER(0))),
     "Namespace \"red\": LocalPort 0: not a port; write a number from 1 to "
     "65535, a service name or a quoted range such as \"8000-8099\""},
    {NAMED_BLOCK("Namespace", TEXT("first"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"first\">: the name belongs to another "
     "Namespace; " NAME_HELP},
    {NAMED_BLOCK(
         "Namespace", TEXT("red"),
         NAMED_BLOCK("Namespace", TEXT("in"), OPTION("LocalPort", NUMBER(1)))),
     "Namespace \"red\": unknown option \"Namespace\"; write one of " KNOWN},
    {NAMED_BLOCK("Namespace",
                 TEXT("/" NAME_64 "/a/path/of/a/hundred/letters/abcd"),
                 OPTION(NAME_60, NUMBER(1))),
     "Namespace \"/" NAME_64 "/a/path/of/a/hundred/letters/abcd\": unknown "
     "option \"" NAME_60 "\"; write one of " KNOWN},
    {NAMED_BLOCK("Namespace", TEXT("cni-*"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"cni-*\">: a path needs a short name for its groups, and so "
     "do several; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("/run/netns/[a-c]"),
                 OPTION("Name", TEXT("first"))),
     "<Namespace \"first\">: the name belongs to another "
     "Namespace; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("cni/*"), OPTION("Name", TEXT("pods"))),
     "<Namespace \"cni/*\">: neither a name nor an absolute "
     "path; " NAMESPACE_HELP},
    {NAMED_BLOCK("Namespace", TEXT("red"),
                 OPTION("NamespaceBudget", NUMBER(5))),
     "<Namespace \"red\">: NamespaceBudget is for patterns; leave it out: one "
     "namespace is read each time"},
    {NAMED_BLOCK("Namespace", TEXT("*"), OPTION("Name", TEXT("all")),
                 OPTION("NamespaceBudget", NUMBER(0))),
     "Namespace \"*\": NamespaceBudget 0: write whole percent of one core from "
     "1 to 100"},
    {NAMED_BLOCK("Namespace", TEXT("*"), OPTION("Name", TEXT("all")),
                 OPTION("NamespaceBudget", NUMBER(101))),
     "Namespace \"*\": NamespaceBudget 101: write whole percent of one core "
     "from 1 to 100"},
    {NAMED_BLOCK("Namespace", TEXT("*"), OPTION("Name", TEXT("all")),
                 OPTION("NamespaceBudget", TEXT("2%"))),
     "Namespace \"*\": NamespaceBudget \"2%\": write whole percent of one core "
     "from 1 to 100"},
    {.item = {.key = (char[]){"Namespace"},
              .values = (oconfig_value_t[]){TEXT("red"), NUMBER(5)},
              .values_num = 2,
              .children = &(oconfig_item_t)OPTION("Name", TEXT("pods")),
              .children_num = 1},
     .expected = "Namespace: takes texts in quotes; " NAMESPACE_HELP},
    {OPTION("NamespaceBudget", NUMBER(2)),
     "unknown option \"NamespaceBudget\"; write one of "
     "AllPortsSummary, ListeningPorts, LocalPort, RemotePort, Services, "
     "ServicesMax, ServiceNames, ReportByState, "
     "ReportClosed, ReportFinWait2, ReportOrphans, ReportFinTimeout, "
     "ReportLimits, ReportStuck, StuckAfter, NotifyStuck, NotifyProcesses, "
     "NotifyPeers, "
     "ReportAcceptQueue, ReportEphemeralPorts, ReportUnhashed, NotifyUnhashed, "
     "Counting, Filter, Namespace"},
};

START_TEST(a_wrong_block_is_refused_with_what_to_write_instead) {
  oconfig_item_t first =
      BLOCK("Plugin", NAMED_BLOCK("Namespace", TEXT("first"),
                                  OPTION("LocalPort", NUMBER(1))));
  ck_assert_int_eq(read_block(&first), 0);
  oconfig_item_t block = {.key = (char[]){"Plugin"},
                          .children = &refused[_i].item,
                          .children_num = 1};
  ck_assert_int_eq(read_block(&block), -EINVAL);
  ck_assert_str_eq(error.text, refused[_i].expected);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_namespace");
  TCase *tcase = tcase_create("config_namespace");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_test(tcase, a_block_has_settings_of_its_own);
  tcase_add_test(tcase, the_same_group_name_may_stand_in_two_namespaces);
  tcase_add_test(tcase, several_paths_or_a_pattern_are_one_block);
  tcase_add_loop_test(tcase,
                      a_wrong_block_is_refused_with_what_to_write_instead, 0,
                      CASES(refused));
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
