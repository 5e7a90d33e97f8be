/* SPDX-License-Identifier: MIT */
/* config.c, config_groups.c: what holds for every option of each table, and the
 * longest path of a control group. The options are those that the line about an
 * unknown one names. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static struct settings settings;
static struct config_error error;

static void set_up(void) { settings_init(&settings); }
static void tear_down(void) { settings_free(&settings); }

/* In which block an option is. */
enum place { PLUGIN_BLOCK, FILTER_BLOCK, NAMESPACE_BLOCK };

static int configure(enum place place, oconfig_item_t option) {
  oconfig_item_t around = NAMED_BLOCK("", TEXT("a"), OPTION(""));
  around.key = (char[][10]){"", "Filter", "Namespace"}[place];
  around.children[0] = option;
  const oconfig_item_t block = {.key = (char[]){"Plugin"},
                                .children =
                                    place == PLUGIN_BLOCK ? &option : &around,
                                .children_num = 1};
  return config_block(&settings, &block, &error);
}

static const struct {
  enum place place;
  const char *where;
  const char *blocks; /* those that are */
} tables[] = {
    {PLUGIN_BLOCK, "", "Filter, Namespace"},
    {FILTER_BLOCK, "Filter \"a\": ", ""},
    {NAMESPACE_BLOCK, "Namespace \"a\": ", "Filter"},
};

START_TEST(each_option_written_as_a_block_is_refused) {
  ck_assert_int_eq(configure(tables[_i].place, (oconfig_item_t)OPTION("?")),
                   -EINVAL);
  char known[sizeof(error.text)];
  const char *list = strstr(error.text, "write one of ");
  ck_assert_ptr_nonnull(list);
  settings_free(&settings);
  strcpy(known, list + strlen("write one of "));
  int num = 0;
  char *rest;
  for (char *key = strtok_r(known, ", ", &rest); key != NULL;
       key = strtok_r(NULL, ", ", &rest)) {
    num++;
    oconfig_item_t option = BLOCK("", OPTION("x", NUMBER(1)));
    option.key = key;
    int err = configure(tables[_i].place, option);
    ck_assert_int_eq(err, -EINVAL);
    char expected[200];
    snprintf(expected, sizeof(expected),
             "%s<%s>: is not a block; write it on one line: %s",
             tables[_i].where, key, key);
    ck_assert_msg((strcmp(error.text, expected) == 0) ==
                      (strstr(tables[_i].blocks, key) == NULL),
                  "%s: %s", key, error.text);
    settings_free(&settings);
  }
  ck_assert_int_ge(num, 6);
}
END_TEST

static int read_nothing(const struct config_option *option, unsigned arg) {
  (void)option;
  (void)arg;
  return 0;
}

START_TEST(the_nearest_of_several_is_named_first) {
  static const struct {
    const char *key, *expected;
  } cases[] = {{"Service", "write Services, or one of "},
               {"ServicesM", "write Services, or one of "},
               {"ServicesMa", "write ServicesMax, or one of "},
               {"ServicesMaxi", "write ServicesMax, or one of "},
               {"ServicesMaximum", "write one of "}};
  static const struct config_entry entries[] = {
      {"Services", read_nothing, 0, false},
      {"ServicesMax", read_nothing, 0, false},
  };
  char key[32];
  snprintf(key, sizeof(key), "%s", cases[_i].key);
  oconfig_item_t item = {.key = key};
  const oconfig_item_t block = {.children = &item, .children_num = 1};
  const struct config_option inside = {.where = "", .error = &error};
  ck_assert_int_eq(config_read_block(&inside, &block, entries, 2, NULL, 0),
                   -EINVAL);
  char expected[100];
  snprintf(expected, sizeof(expected),
           "unknown option \"%s\"; %sServices, ServicesMax", key,
           cases[_i].expected);
  ck_assert_str_eq(error.text, expected);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut) {
  struct {
    struct config_error error;
    char after[512];
  } memory;
  memset(&memory, '#', sizeof(memory));
  char where[200];
  memset(where, 'w', sizeof(where));
  where[sizeof(where) - 1] = '\0';
  const struct config_option option = {.where = where, .error = &memory.error};
  ck_assert_int_eq(config_refuse(&option, "%0500d", 7), -EINVAL);
  ck_assert_uint_eq(strlen(memory.error.text), sizeof(memory.error.text) - 1);
  ck_assert_int_eq(strncmp(memory.error.text, where, strlen(where)), 0);
  ck_assert_int_eq(memory.after[0], '#');
}
END_TEST

/* With the zero at its end the longest fills PATH_MAX bytes. */
START_TEST(a_control_group_has_at_most_4095_characters) {
  static char path[PATH_MAX + 2];
  static const struct {
    size_t len, slashes;
    int expected;
  } cases[] = {
      {PATH_MAX - 1, 0, 0},       {PATH_MAX - 1, 1, 0},
      {PATH_MAX - 2, 1, 0},       {PATH_MAX, 0, -EINVAL},
      {PATH_MAX + 1, 0, -EINVAL}, {PATH_MAX, 1, -EINVAL},
  };
  size_t len = cases[_i].len;
  memset(path, 'a', len);
  path[0] = '/';
  memset(path + len, '/', cases[_i].slashes);
  path[len + cases[_i].slashes] = '\0';
  oconfig_item_t option = OPTION("ControlGroup", ANY_TEXT(path));
  ck_assert_int_eq(configure(FILTER_BLOCK, option), cases[_i].expected);
  if (cases[_i].expected == 0)
    ck_assert_uint_eq(strlen(settings.groups[0].filter.cgroups.paths[0]), len);
  else
    ck_assert_ptr_nonnull(strstr(error.text, ": too long for a path; "));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_blocks");
  TCase *tcase = tcase_create("config_blocks");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_loop_test(tcase, each_option_written_as_a_block_is_refused, 0,
                      CASES(tables));
  tcase_add_loop_test(tcase, the_nearest_of_several_is_named_first, 0, 5);
  tcase_add_test(tcase, a_line_that_is_too_long_is_cut);
  tcase_add_loop_test(tcase, a_control_group_has_at_most_4095_characters, 0, 6);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
