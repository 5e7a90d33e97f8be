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
  ck_assert_str_eq(blue->path, "/run/netns/blue");
  ck_assert(blue->settings.other_namespace);
  ck_assert_uint_eq(blue->settings.groups_num, 2);
  ck_assert_str_eq(blue->settings.groups[0].name, "443-local");
  ck_assert_str_eq(blue->settings.groups[1].name, "db");
  ck_assert(!(blue->settings.report & REPORT_STUCK));
  ck_assert_int_eq(blue->settings.all_ports_summary, CHOICE_FALSE);

  const struct settings_namespace *web = &settings.namespaces[1];
  ck_assert_str_eq(web->name, "web");
  ck_assert_str_eq(web->path, "/proc/4711/ns/net");
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

#define NAME_HELP "write a short one in the block: Name \"blue\""
#define NAME_64                                                                \
  "0123456789012345678901234567890123456789012345678901234567890123"

static struct {
  oconfig_item_t item;
  const char *expected;
} refused[] = {
    {NAMED_BLOCK("Namespace", NUMBER(1), OPTION("LocalPort", NUMBER(1))),
     "Namespace: takes one text in quotes; write a name under /run/netns or a "
     "path, such as <Namespace \"blue\">"},
    {NAMED_BLOCK("Namespace", TEXT("/run/x"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"/run/x\">: a path needs a short name for its "
     "groups; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT(""), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"\">: the name is empty; " NAME_HELP},
    {NAMED_BLOCK("Namespace", TEXT("a/b"), OPTION("LocalPort", NUMBER(1))),
     "<Namespace \"a/b\">: the name has a control character, \"/\" or \"@\" in "
     "it; " NAME_HELP},
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
     "Namespace \"red\": unknown option \"Namespace\"; write one of "
     "AllPortsSummary, ListeningPorts, LocalPort, RemotePort, ReportByState, "
     "ReportClosed, ReportFinWait2, ReportOrphans, ReportFinTimeout, "
     "ReportLimits, ReportStuck, StuckAfter, NotifyStuck, NotifyProcesses, "
     "ReportAcceptQueue, Counting, Filter, Name"},
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
  tcase_add_loop_test(tcase,
                      a_wrong_block_is_refused_with_what_to_write_instead, 0,
                      CASES(refused));
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
