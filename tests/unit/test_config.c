/* SPDX-License-Identifier: MIT */
/* config.c: the tree that collectd has parsed becomes settings, or one line
 * that says what to write instead. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_HELP                                                              \
  "write a number from 1 to 65535, a service name or a quoted range such as "  \
  "\"8000-8099\""

#define TEN(text) text text text text text text text text text text
#define THOUSAND(text) TEN(TEN(TEN(text)))

#define PLUGIN(...) BLOCK("Plugin", __VA_ARGS__)

static struct settings settings;
static struct config_error error;

static void set_up(void) {
  settings_init(&settings);
  memset(&error, '#', sizeof(error));
}

static void tear_down(void) { settings_free(&settings); }

static void check_accepted(const char *name, const oconfig_item_t *block) {
  int err = config_block(&settings, block, &error);
  ck_assert_msg(err == 0, "%s: %d, %.640s", name, err, error.text);
}

/* The error line is ended, printable and the expected one. */
static void check_error(const char *name, int err, const char *expected) {
  ck_assert_msg(err == -EINVAL, "%s: %d", name, err);
  ck_assert_msg(memchr(error.text, '\0', sizeof(error.text)) != NULL,
                "%s: without end", name);
  for (const char *c = error.text; *c != '\0'; c++)
    ck_assert_msg((unsigned char)*c >= ' ' && *c != 0x7f,
                  "%s: control character %d", name, *c);
  ck_assert_msg(strcmp(error.text, expected) == 0, "%s:\n is %s\nnot %s", name,
                error.text, expected);
}

static void check_refused(const char *name, const oconfig_item_t *block,
                          const char *expected) {
  check_error(name, config_block(&settings, block, &error), expected);
}

enum side { NO_GROUP, LOCAL, REMOTE };

struct expected_group {
  const char *name;
  enum side side;
  uint16_t first;
  uint16_t last;
};

static void check_groups(const char *name,
                         const struct expected_group *expected, size_t max) {
  size_t num = 0;
  while (num < max && expected[num].side != NO_GROUP)
    num++;
  ck_assert_msg(settings.groups_num == num, "%s: %zu groups", name,
                settings.groups_num);
  for (size_t i = 0; i < num; i++) {
    const struct group *group = &settings.groups[i];
    bool local = expected[i].side == LOCAL;
    const struct port_set *ports =
        local ? &group->filter.local_ports : &group->filter.remote_ports;
    const struct port_set *others =
        local ? &group->filter.remote_ports : &group->filter.local_ports;
    ck_assert_msg(strcmp(group->name, expected[i].name) == 0,
                  "%s: group %zu is %s", name, i, group->name);
    ck_assert_msg(ports->num == 1 && others->num == 0,
                  "%s: %s has %zu and %zu ranges", name, group->name,
                  ports->num, others->num);
    ck_assert_msg(ports->ranges[0].first == expected[i].first &&
                      ports->ranges[0].last == expected[i].last,
                  "%s: %s is %u to %u", name, group->name,
                  ports->ranges[0].first, ports->ranges[0].last);
  }
}

#define DEFAULT_REPORTS (ALL_REPORTS & ~REPORT_CLOSED)
#define ALL_REPORTS                                                            \
  (REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 | REPORT_ORPHANS |       \
   REPORT_FIN_TIMEOUT | REPORT_LIMITS | REPORT_STUCK | REPORT_UNHASHED)

START_TEST(no_option_leaves_everything_at_its_default) {
  const oconfig_item_t empty = PLUGIN();
  check_accepted("an empty block", &empty);
  ck_assert_uint_eq(settings.report, DEFAULT_REPORTS);
  ck_assert_uint_eq(settings.groups_num, 0);
  ck_assert_int_eq(settings.all_ports_summary, CHOICE_DEFAULT);
  ck_assert_int_eq(settings.listening_ports, CHOICE_DEFAULT);
  config_finish(&settings);
  ck_assert_int_eq(settings.all_ports_summary, CHOICE_TRUE);
  ck_assert_int_eq(settings.listening_ports, CHOICE_FALSE);
}
END_TEST

static const struct {
  const char *name;
  oconfig_item_t block;
  struct expected_group groups[4];
} ports[] = {
    {"a number",
     PLUGIN(OPTION("LocalPort", NUMBER(22))),
     {{"22-local", LOCAL, 22, 22}}},
    {"a remote number",
     PLUGIN(OPTION("RemotePort", NUMBER(5432))),
     {{"5432-remote", REMOTE, 5432, 5432}}},
    {"a number in quotes, as tcpconns wants it",
     PLUGIN(OPTION("LocalPort", TEXT("25"))),
     {{"25-local", LOCAL, 25, 25}}},
    {"the lowest port",
     PLUGIN(OPTION("LocalPort", NUMBER(1))),
     {{"1-local", LOCAL, 1, 1}}},
    {"the lowest port in quotes",
     PLUGIN(OPTION("LocalPort", TEXT("1"))),
     {{"1-local", LOCAL, 1, 1}}},
    {"the highest port",
     PLUGIN(OPTION("LocalPort", NUMBER(65535))),
     {{"65535-local", LOCAL, 65535, 65535}}},
    {"the highest port in quotes",
     PLUGIN(OPTION("RemotePort", TEXT("65535"))),
     {{"65535-remote", REMOTE, 65535, 65535}}},
    {"a fraction of zero",
     PLUGIN(OPTION("LocalPort", NUMBER(80.0))),
     {{"80-local", LOCAL, 80, 80}}},
    {"leading zeros",
     PLUGIN(OPTION("LocalPort", TEXT("0080"))),
     {{"80-local", LOCAL, 80, 80}}},
    {"several values in one line",
     PLUGIN(OPTION("LocalPort", NUMBER(22), TEXT("443"), TEXT("8000-8099"))),
     {{"22-local", LOCAL, 22, 22},
      {"443-local", LOCAL, 443, 443},
      {"8000-8099-local", LOCAL, 8000, 8099}}},
    {"several lines keep their order",
     PLUGIN(OPTION("LocalPort", NUMBER(443)), OPTION("RemotePort", NUMBER(22)),
            OPTION("LocalPort", NUMBER(22))),
     {{"443-local", LOCAL, 443, 443},
      {"22-remote", REMOTE, 22, 22},
      {"22-local", LOCAL, 22, 22}}},
    {"a range",
     PLUGIN(OPTION("RemotePort", TEXT("5432-5440"))),
     {{"5432-5440-remote", REMOTE, 5432, 5440}}},
    {"the widest range",
     PLUGIN(OPTION("LocalPort", TEXT("1-65535"))),
     {{"1-65535-local", LOCAL, 1, 65535}}},
    {"a range of one port is that port",
     PLUGIN(OPTION("LocalPort", TEXT("80-80"))),
     {{"80-local", LOCAL, 80, 80}}},
    {"a range with leading zeros",
     PLUGIN(OPTION("LocalPort", TEXT("080-081"))),
     {{"80-81-local", LOCAL, 80, 81}}},
    {"the same port twice in one line",
     PLUGIN(OPTION("LocalPort", NUMBER(22), TEXT("22"), TEXT("22-22"))),
     {{"22-local", LOCAL, 22, 22}}},
    {"the same port on two lines",
     PLUGIN(OPTION("LocalPort", NUMBER(22)), OPTION("LocalPort", NUMBER(22))),
     {{"22-local", LOCAL, 22, 22}}},
    {"the same range twice",
     PLUGIN(OPTION("LocalPort", TEXT("80-81"), TEXT("080-081"))),
     {{"80-81-local", LOCAL, 80, 81}}},
    {"the same port on both sides is two groups",
     PLUGIN(OPTION("LocalPort", NUMBER(22)), OPTION("RemotePort", NUMBER(22))),
     {{"22-local", LOCAL, 22, 22}, {"22-remote", REMOTE, 22, 22}}},
    {"ranges that overlap are two groups",
     PLUGIN(OPTION("LocalPort", TEXT("80-90"), TEXT("85-95"), NUMBER(85))),
     {{"80-90-local", LOCAL, 80, 90},
      {"85-95-local", LOCAL, 85, 95},
      {"85-local", LOCAL, 85, 85}}},
    {"keys in any case",
     PLUGIN(OPTION("localport", NUMBER(22)), OPTION("REMOTEPORT", NUMBER(23))),
     {{"22-local", LOCAL, 22, 22}, {"23-remote", REMOTE, 23, 23}}},
};

START_TEST(each_port_or_range_becomes_a_group_of_its_name) {
  check_accepted(ports[_i].name, &ports[_i].block);
  check_groups(ports[_i].name, ports[_i].groups, CASES(ports[_i].groups));
}
END_TEST

START_TEST(several_blocks_add_up) {
  const oconfig_item_t blocks[] = {
      PLUGIN(OPTION("LocalPort", NUMBER(22)),
             OPTION("ReportClosed", BOOLEAN(true)),
             OPTION("AllPortsSummary", BOOLEAN(true))),
      PLUGIN(),
      PLUGIN(OPTION("LocalPort", NUMBER(22), NUMBER(443)),
             OPTION("ReportLimits", BOOLEAN(false)),
             OPTION("AllPortsSummary", BOOLEAN(false)),
             OPTION("ListeningPorts", BOOLEAN(true))),
  };
  static const struct expected_group expected[] = {
      {"22-local", LOCAL, 22, 22},
      {"443-local", LOCAL, 443, 443},
  };
  for (int i = 0; i < CASES(blocks); i++)
    check_accepted("a block", &blocks[i]);
  check_groups("three blocks", expected, CASES(expected));
  ck_assert_uint_eq(settings.report, ALL_REPORTS & ~REPORT_LIMITS);
  ck_assert_int_eq(settings.all_ports_summary, CHOICE_FALSE);
  ck_assert_int_eq(settings.listening_ports, CHOICE_TRUE);
}
END_TEST

START_TEST(a_thousand_ports_of_each_side_are_two_thousand_groups) {
  oconfig_value_t *values = calloc(1000, sizeof(*values));
  ck_assert_ptr_nonnull(values);
  for (int i = 0; i < 1000; i++)
    values[i] = (oconfig_value_t)NUMBER(i * 65 + 1);
  oconfig_item_t options[] = {OPTION("LocalPort"), OPTION("RemotePort")};
  for (int i = 0; i < CASES(options); i++) {
    options[i].values = values;
    options[i].values_num = 1000;
  }
  const oconfig_item_t block = {
      .key = options[0].key, .children = options, .children_num = 2};
  check_accepted("1000 ports", &block);
  free(values);
  ck_assert_uint_eq(settings.groups_num, 2000);
  ck_assert_str_eq(settings.groups[0].name, "1-local");
  ck_assert_str_eq(settings.groups[1999].name, "64936-remote");
}
END_TEST

START_TEST(a_tcpconns_configuration_gives_its_plugin_instances) {
  const struct {
    const char *name;
    oconfig_item_t block;
    struct expected_group groups[3];
    enum settings_choice all, listening;
  } cases[] = {
      /* collectd.conf(5), Plugin tcpconns */
      {"the manual's example",
       PLUGIN(OPTION("ListeningPorts", BOOLEAN(false)),
              OPTION("AllPortsSummary", BOOLEAN(false)),
              OPTION("LocalPort", TEXT("25")),
              OPTION("RemotePort", TEXT("25"))),
       {{"25-local", LOCAL, 25, 25}, {"25-remote", REMOTE, 25, 25}},
       CHOICE_FALSE,
       CHOICE_FALSE},
      {"only the listening ports",
       PLUGIN(OPTION("ListeningPorts", BOOLEAN(true))),
       {{0}},
       CHOICE_FALSE,
       CHOICE_TRUE},
      {"only the summary",
       PLUGIN(OPTION("AllPortsSummary", BOOLEAN(true))),
       {{0}},
       CHOICE_TRUE,
       CHOICE_FALSE},
      {"the listening ports and some others",
       PLUGIN(OPTION("ListeningPorts", TEXT("true")),
              OPTION("RemotePort", TEXT("80"))),
       {{"80-remote", REMOTE, 80, 80}},
       CHOICE_FALSE,
       CHOICE_TRUE},
      {"everything",
       PLUGIN(OPTION("ListeningPorts", BOOLEAN(true)),
              OPTION("AllPortsSummary", BOOLEAN(true)),
              OPTION("LocalPort", NUMBER(22))),
       {{"22-local", LOCAL, 22, 22}},
       CHOICE_TRUE,
       CHOICE_TRUE},
  };
  for (int i = 0; i < CASES(cases); i++) {
    check_accepted(cases[i].name, &cases[i].block);
    config_finish(&settings);
    check_groups(cases[i].name, cases[i].groups, CASES(cases[i].groups));
    ck_assert_msg(settings.all_ports_summary == cases[i].all &&
                      settings.listening_ports == cases[i].listening,
                  "%s: all %d, listening %d", cases[i].name,
                  settings.all_ports_summary, settings.listening_ports);
    settings_free(&settings);
  }
}
END_TEST

static const struct {
  const char *name;
  oconfig_value_t value;
  bool expected;
} booleans[] = {
    {"true", BOOLEAN(true), true},    {"false", BOOLEAN(false), false},
    {"\"true\"", TEXT("true"), true}, {"\"false\"", TEXT("false"), false},
    {"\"True\"", TEXT("True"), true}, {"\"FALSE\"", TEXT("FALSE"), false},
    {"\"yes\"", TEXT("yes"), true},   {"\"no\"", TEXT("no"), false},
    {"\"YES\"", TEXT("YES"), true},   {"\"No\"", TEXT("No"), false},
    {"\"on\"", TEXT("on"), true},     {"\"off\"", TEXT("off"), false},
    {"\"On\"", TEXT("On"), true},     {"\"OFF\"", TEXT("OFF"), false},
};

static const struct {
  const char *key;
  unsigned report; /* 0: it is no Report option */
} switches[] = {
    {"AllPortsSummary", 0},
    {"ListeningPorts", 0},
    {"ReportByState", REPORT_BY_STATE},
    {"ReportClosed", REPORT_CLOSED},
    {"ReportFinWait2", REPORT_FIN_WAIT2},
    {"ReportOrphans", REPORT_ORPHANS},
    {"ReportFinTimeout", REPORT_FIN_TIMEOUT},
    {"ReportLimits", REPORT_LIMITS},
    {"reportbystate", REPORT_BY_STATE},
    {"REPORTFINWAIT2", REPORT_FIN_WAIT2},
    {"allPortsSummary", 0},
};

/* The block with one option of one value. */
static int configure(const char *key, const oconfig_value_t *value) {
  char key_copy[64];
  snprintf(key_copy, sizeof(key_copy), "%s", key);
  oconfig_value_t values[] = {*value};
  oconfig_item_t option = {.key = key_copy, .values = values, .values_num = 1};
  const oconfig_item_t block = {
      .key = key_copy, .children = &option, .children_num = 1};
  return config_block(&settings, &block, &error);
}

START_TEST(a_boolean_changes_its_own_option_and_no_other) {
  for (int i = 0; i < CASES(booleans); i++)
    for (unsigned before = 0; before < 2; before++) {
      settings.report = before ? ALL_REPORTS : 0;
      settings.all_ports_summary = settings.listening_ports = CHOICE_DEFAULT;
      int err = configure(switches[_i].key, &booleans[i].value);
      ck_assert_msg(err == 0, "%s %s: %d, %.640s", switches[_i].key,
                    booleans[i].name, err, error.text);

      bool value = booleans[i].expected;
      unsigned flag = switches[_i].report;
      unsigned report = before ? ALL_REPORTS : 0;
      report = value ? report | flag : report & ~flag;
      enum settings_choice choice = value ? CHOICE_TRUE : CHOICE_FALSE;
      bool all = strcasecmp(switches[_i].key, "AllPortsSummary") == 0;
      bool listening = strcasecmp(switches[_i].key, "ListeningPorts") == 0;
      ck_assert_msg(
          settings.report == report &&
              settings.all_ports_summary == (all ? choice : CHOICE_DEFAULT) &&
              settings.listening_ports == (listening ? choice : CHOICE_DEFAULT),
          "%s %s: report %#x, all %d, listening %d", switches[_i].key,
          booleans[i].name, settings.report, settings.all_ports_summary,
          settings.listening_ports);
      ck_assert_uint_eq(settings.groups_num, 0);
    }
}
END_TEST

START_TEST(the_last_of_several_lines_counts) {
  const oconfig_item_t block =
      PLUGIN(OPTION("ReportClosed", BOOLEAN(false)),
             OPTION("ReportClosed", BOOLEAN(true)),
             OPTION("ReportLimits", BOOLEAN(true)),
             OPTION("ReportLimits", BOOLEAN(false)),
             OPTION("AllPortsSummary", BOOLEAN(true)),
             OPTION("AllPortsSummary", BOOLEAN(false)));
  check_accepted("twice", &block);
  ck_assert_uint_eq(settings.report, ALL_REPORTS & ~REPORT_LIMITS);
  ck_assert_int_eq(settings.all_ports_summary, CHOICE_FALSE);
}
END_TEST

static const struct {
  const char *name;
  oconfig_value_t value;
  const char *expected; /* after the option's name */
} bad_booleans[] = {
    {"a number", NUMBER(1), " 1: not a boolean; write true or false"},
    {"zero", NUMBER(0), " 0: not a boolean; write true or false"},
    {"a word", TEXT("maybe"), " \"maybe\": not a boolean; write true or false"},
    {"empty", TEXT(""), " \"\": not a boolean; write true or false"},
    {"a blank", TEXT("true "),
     " \"true \": not a boolean; write true or false"},
    {"the beginning of a word", TEXT("tru"),
     " \"tru\": not a boolean; write true or false"},
    {"a digit in quotes", TEXT("1"),
     " \"1\": not a boolean; write true or false"},
    {"a newline", TEXT("on\n"), " \"on?\": not a boolean; write true or false"},
};

START_TEST(anything_but_a_boolean_is_refused_by_each_switch) {
  for (int i = 0; i < CASES(bad_booleans); i++) {
    char expected[sizeof(error.text)];
    snprintf(expected, sizeof(expected), "%s%s", switches[_i].key,
             bad_booleans[i].expected);
    check_error(bad_booleans[i].name,
                configure(switches[_i].key, &bad_booleans[i].value), expected);
    ck_assert_uint_eq(settings.report, DEFAULT_REPORTS);
  }
}
END_TEST

#define NOT_A_PORT ": not a port; " PORT_HELP
#define NO_SERVICE ": no TCP service of this name in /etc/services; " PORT_HELP

static const struct {
  const char *name;
  oconfig_item_t option;
  const char *expected;
} refused[] = {
    {"port 0", OPTION("LocalPort", NUMBER(0)), "LocalPort 0" NOT_A_PORT},
    {"port 65536", OPTION("RemotePort", NUMBER(65536)),
     "RemotePort 65536" NOT_A_PORT},
    {"port 65616, 80 in 16 bits", OPTION("LocalPort", NUMBER(65616)),
     "LocalPort 65616" NOT_A_PORT},
    {"a fraction", OPTION("LocalPort", NUMBER(80.5)),
     "LocalPort 80.5" NOT_A_PORT},
    {"just below 1", OPTION("LocalPort", NUMBER(0.999)),
     "LocalPort 0.999" NOT_A_PORT},
    {"just above the highest", OPTION("LocalPort", NUMBER(65535.5)),
     "LocalPort 65535.5" NOT_A_PORT},
    {"negative", OPTION("LocalPort", NUMBER(-1)), "LocalPort -1" NOT_A_PORT},
    {"negative zero", OPTION("LocalPort", NUMBER(-0.0)),
     "LocalPort -0" NOT_A_PORT},
    {"not a number", OPTION("LocalPort", NUMBER(NAN)),
     "LocalPort nan" NOT_A_PORT},
    {"infinite", OPTION("LocalPort", NUMBER(INFINITY)),
     "LocalPort inf" NOT_A_PORT},
    {"infinite below zero", OPTION("LocalPort", NUMBER(-INFINITY)),
     "LocalPort -inf" NOT_A_PORT},
    {"huge", OPTION("LocalPort", NUMBER(1e300)), "LocalPort 1e+300" NOT_A_PORT},
    {"2^32 + 80", OPTION("LocalPort", NUMBER(4294967376.0)),
     "LocalPort 4294967376" NOT_A_PORT},
    {"a boolean", OPTION("LocalPort", BOOLEAN(true)),
     "LocalPort true" NOT_A_PORT},
    {"another boolean", OPTION("RemotePort", BOOLEAN(false)),
     "RemotePort false" NOT_A_PORT},
    {"\"0\"", OPTION("LocalPort", TEXT("0")), "LocalPort \"0\"" NOT_A_PORT},
    {"\"65536\"", OPTION("LocalPort", TEXT("65536")),
     "LocalPort \"65536\"" NOT_A_PORT},
    {"20 digits", OPTION("LocalPort", TEXT("18446744073709551696")),
     "LocalPort \"18446744073709551696\"" NOT_A_PORT},
    {"a range from 0", OPTION("LocalPort", TEXT("0-10")),
     "LocalPort \"0-10\"" NOT_A_PORT},
    {"a range to 65536", OPTION("LocalPort", TEXT("65000-65536")),
     "LocalPort \"65000-65536\"" NOT_A_PORT},
    {"a range without end", OPTION("LocalPort", TEXT("8000-")),
     "LocalPort \"8000-\"" NOT_A_PORT},
    {"a range that goes down", OPTION("LocalPort", TEXT("8099-8000")),
     "LocalPort \"8099-8000\": the range ends before it begins; write "
     "\"8000-8099\""},
    {"the widest range that goes down", OPTION("RemotePort", TEXT("65535-1")),
     "RemotePort \"65535-1\": the range ends before it begins; write "
     "\"1-65535\""},
    {"an unquoted range", OPTION("LocalPort", NUMBER(8000), NUMBER(-8099)),
     "LocalPort 8000-8099: quote the range; write LocalPort \"8000-8099\""},
    {"ports in one pair of quotes", OPTION("LocalPort", TEXT("80 443")),
     "LocalPort \"80 443\": several in one pair of quotes; write LocalPort 80 "
     "443"},
    {"ports with commas in one pair of quotes",
     OPTION("RemotePort", NUMBER(22), TEXT(" 80,443; 8443\t")),
     "RemotePort \" 80,443; 8443?\": several in one pair of quotes; write "
     "RemotePort 80 443 8443"},
    {"a range and a service among them",
     OPTION("LocalPort", TEXT("80 8000-8099 https")),
     "LocalPort \"80 8000-8099 https\": several in one pair of quotes; write "
     "LocalPort 80 \"8000-8099\" \"https\""},
    {"a range with blanks", OPTION("LocalPort", TEXT("80 - 90")),
     "LocalPort \"80 - 90\"" NO_SERVICE},
    {"an unquoted range after ports",
     OPTION("LocalPort", NUMBER(22), TEXT("443"), NUMBER(8000), NUMBER(-8099)),
     "LocalPort 8000-8099: quote the range; write LocalPort \"8000-8099\""},
    {"an unquoted range with the key in lower case",
     OPTION("remoteport", NUMBER(1), NUMBER(-65535)),
     "remoteport 1-65535: quote the range; write remoteport \"1-65535\""},
    {"negative after text", OPTION("LocalPort", TEXT("22"), NUMBER(-23)),
     "LocalPort -23" NOT_A_PORT},
    {"a bad one after good ones",
     OPTION("LocalPort", NUMBER(22), NUMBER(80), NUMBER(70000)),
     "LocalPort 70000" NOT_A_PORT},
    {"a bad one before a good one",
     OPTION("LocalPort", NUMBER(70000), NUMBER(22)),
     "LocalPort 70000" NOT_A_PORT},
    {"no port", OPTION("LocalPort"), "LocalPort: no value given; " PORT_HELP},
    {"no remote port", OPTION("RemotePort"),
     "RemotePort: no value given; " PORT_HELP},
    {"empty", OPTION("LocalPort", TEXT("")), "LocalPort \"\"" NO_SERVICE},
    {"a blank before", OPTION("LocalPort", TEXT(" 80")),
     "LocalPort \" 80\"" NO_SERVICE},
    {"a trailing space", OPTION("LocalPort", TEXT("80 ")),
     "LocalPort \"80 \"" NO_SERVICE},
    {"a range with blanks", OPTION("LocalPort", TEXT("8000 - 8099")),
     "LocalPort \"8000 - 8099\"" NO_SERVICE},
    {"a range without begin", OPTION("LocalPort", TEXT("-8099")),
     "LocalPort \"-8099\"" NO_SERVICE},
    {"a range of three", OPTION("LocalPort", TEXT("1-2-3")),
     "LocalPort \"1-2-3\"" NO_SERVICE},
    {"a list in quotes", OPTION("LocalPort", TEXT("80,443")),
     "LocalPort \"80,443\": several in one pair of quotes; write LocalPort 80 "
     "443"},
    {"a plus sign", OPTION("LocalPort", TEXT("+80")),
     "LocalPort \"+80\"" NO_SERVICE},
    {"hexadecimal in quotes", OPTION("LocalPort", TEXT("0x50")),
     "LocalPort \"0x50\"" NO_SERVICE},
    {"a fraction in quotes", OPTION("LocalPort", TEXT("80.0")),
     "LocalPort \"80.0\"" NO_SERVICE},
    {"an unknown service", OPTION("LocalPort", TEXT("no-such-service")),
     "LocalPort \"no-such-service\"" NO_SERVICE},
    {"a number and letters", OPTION("LocalPort", TEXT("80x")),
     "LocalPort \"80x\"" NO_SERVICE},
    {"control characters", OPTION("LocalPort", TEXT("80\n90\t\r\033[31m\x7f")),
     "LocalPort \"80?90???[31m?\"" NO_SERVICE},
    {"conversions of printf", OPTION("LocalPort", TEXT("%s%n%d%%")),
     "LocalPort \"%s%n%d%%\"" NO_SERVICE},
    {"UTF-8", OPTION("LocalPort", TEXT("h\xc3\xb6hle")),
     "LocalPort \"h\xc3\xb6hle\"" NO_SERVICE},

    {"a boolean without value", OPTION("ReportClosed"),
     "ReportClosed: takes one value; write true or false"},
    {"a boolean with two values",
     OPTION("AllPortsSummary", BOOLEAN(true), BOOLEAN(true)),
     "AllPortsSummary: takes one value; write true or false"},

    {"an option as block",
     NAMED_BLOCK("LocalPort", NUMBER(22), OPTION("x", NUMBER(1))),
     "<LocalPort>: is not a block; write it on one line: LocalPort"},
    {"an option as block in lower case",
     BLOCK("reportclosed", OPTION("x", NUMBER(1))),
     "<reportclosed>: is not a block; write it on one line: ReportClosed"},
};

START_TEST(a_wrong_value_is_refused_with_what_to_write_instead) {
  oconfig_item_t option = refused[_i].option;
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  check_refused(refused[_i].name, &block, refused[_i].expected);
}
END_TEST

#define KNOWN KNOWN_EVERYWHERE "Namespace"

static const struct {
  const char *name;
  oconfig_item_t option;
  const char *expected;
} unknown[] = {
    {"a plural", OPTION("LocalPorts", NUMBER(22)),
     "unknown option \"LocalPorts\"; write LocalPort, or one of " KNOWN},
    {"one letter too few", OPTION("listeningPort", NUMBER(22)),
     "unknown option \"listeningPort\"; write ListeningPorts, or one "
     "of " KNOWN},
    {"another letter", OPTION("ReportFinWait1", BOOLEAN(true)),
     "unknown option \"ReportFinWait1\"; write ReportFinWait2, or one "
     "of " KNOWN},
    {"two letters changed places", OPTION("LocalProt", NUMBER(22)),
     "unknown option \"LocalProt\"; write LocalPort, or one of " KNOWN},
    {"the nearer of two, though it comes later",
     OPTION("RemotePor", NUMBER(22)),
     "unknown option \"RemotePor\"; write RemotePort, or one of " KNOWN},
    {"the further entry",
     NAMED_BLOCK("Namspaces", TEXT("b"), OPTION("x", NUMBER(1))),
     "unknown option \"Namspaces\"; write Namespace, or one of " KNOWN},
    {"two letters too many", OPTION("LocalPorter", NUMBER(22)),
     "unknown option \"LocalPorter\"; write LocalPort, or one of " KNOWN},
    {"three letters too many", OPTION("LocalPortion", NUMBER(22)),
     "unknown option \"LocalPortion\"; write one of " KNOWN},
    {"an option of LoadPlugin", OPTION("Interval", NUMBER(10)),
     "Interval: goes into <LoadPlugin tcpstates>"},
    {"an option of LoadPlugin in capitals", OPTION("INTERVAL", NUMBER(10)),
     "INTERVAL: goes into <LoadPlugin tcpstates>"},
    {"the beginning of an option", OPTION("Local", NUMBER(22)),
     "unknown option \"Local\"; write one of " KNOWN},
    {"an option's beginning and more", OPTION("LocalPortRange", NUMBER(22)),
     "unknown option \"LocalPortRange\"; write one of " KNOWN},
    {"a block", NAMED_BLOCK("Unknown", TEXT("db"), OPTION("x", NUMBER(1))),
     "unknown option \"Unknown\"; write one of " KNOWN},
    {"empty", OPTION("", NUMBER(1)),
     "unknown option \"\"; write one of " KNOWN},
    {"control characters", OPTION("Local\nPort\x1b", NUMBER(1)),
     "unknown option \"Local?Port?\"; write LocalPort, or one of " KNOWN},
    {"conversions of printf", OPTION("%s%n", NUMBER(1)),
     "unknown option \"%s%n\"; write one of " KNOWN},
    {"a thousand characters", OPTION(THOUSAND("k"), NUMBER(1)),
     "unknown option \"" TEN("kkkkkk") "\"; write one of " KNOWN},
};

START_TEST(an_unknown_option_is_refused_with_the_known_ones) {
  oconfig_item_t option = unknown[_i].option;
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  check_refused(unknown[_i].name, &block, unknown[_i].expected);
}
END_TEST

START_TEST(the_first_error_of_a_block_is_told) {
  const oconfig_item_t block =
      PLUGIN(OPTION("LocalPort", NUMBER(22)), OPTION("LocalPort", NUMBER(0)),
             OPTION("RemotePort", NUMBER(-1)));
  check_refused("two errors", &block, "LocalPort 0" NOT_A_PORT);
}
END_TEST

/* An over-long value is shown cut, but what to do is still said. */
START_TEST(a_value_of_a_thousand_characters_keeps_the_line_whole) {
  const struct {
    const char *name;
    oconfig_item_t option;
    const char *begin;
    const char *end;
  } cases[] = {
      {"letters", OPTION("LocalPort", TEXT(THOUSAND("a"))),
       "LocalPort \"" TEN(TEN("a")), NO_SERVICE},
      {"digits", OPTION("LocalPort", TEXT(THOUSAND("9"))),
       "LocalPort \"" TEN(TEN("9")), NOT_A_PORT},
      {"newlines", OPTION("LocalPort", TEXT(THOUSAND("\n"))),
       "LocalPort \"" TEN(TEN("?")), NO_SERVICE},
      {"a range", OPTION("LocalPort", TEXT(THOUSAND("1") "-2")),
       "LocalPort \"" TEN(TEN("1")), NOT_A_PORT},
      {"not a boolean", OPTION("ReportClosed", TEXT(THOUSAND("y"))),
       "ReportClosed \"" TEN(TEN("y")), ": not a boolean; write true or false"},
  };
  for (int i = 0; i < CASES(cases); i++) {
    oconfig_item_t option = cases[i].option;
    const oconfig_item_t block = {
        .key = option.key, .children = &option, .children_num = 1};
    ck_assert_int_eq(config_block(&settings, &block, &error), -EINVAL);
    ck_assert_ptr_nonnull(memchr(error.text, '\0', sizeof(error.text)));
    size_t len = strlen(error.text);
    size_t begin = strlen(cases[i].begin);
    size_t end = strlen(cases[i].end);
    ck_assert_msg(len < 400, "%s: %zu characters", cases[i].name, len);
    ck_assert_msg(strncmp(error.text, cases[i].begin, begin) == 0, "%s: %s",
                  cases[i].name, error.text);
    ck_assert_msg(len > begin + end &&
                      strcmp(error.text + len - end, cases[i].end) == 0,
                  "%s: %s", cases[i].name, error.text);
    settings_free(&settings);
  }
}
END_TEST

START_TEST(settings_of_a_refused_block_can_be_freed_and_used_anew) {
  const oconfig_item_t bad = PLUGIN(OPTION("LocalPort", NUMBER(22), NUMBER(0)));
  const oconfig_item_t good = PLUGIN(OPTION("LocalPort", NUMBER(443)));
  static const struct expected_group expected[] = {
      {"443-local", LOCAL, 443, 443}};
  ck_assert_int_eq(config_block(&settings, &bad, &error), -EINVAL);
  settings_free(&settings);
  ck_assert_uint_eq(settings.groups_num, 0);
  ck_assert_uint_eq(settings.report, DEFAULT_REPORTS);
  check_accepted("after an error", &good);
  check_groups("after an error", expected, CASES(expected));
}
END_TEST

#define D CHOICE_DEFAULT
#define F CHOICE_FALSE
#define T CHOICE_TRUE

static const struct {
  enum settings_choice all, listening; /* as configured */
  enum side ports;
  enum settings_choice all_after, listening_after;
} finishes[] = {
    {D, D, NO_GROUP, T, F}, {D, F, NO_GROUP, T, F}, {D, T, NO_GROUP, F, T},
    {F, D, NO_GROUP, F, T}, {F, F, NO_GROUP, F, T}, {F, T, NO_GROUP, F, T},
    {T, D, NO_GROUP, T, F}, {T, F, NO_GROUP, T, F}, {T, T, NO_GROUP, T, T},
    {D, D, LOCAL, F, F},    {D, F, LOCAL, F, F},    {D, T, LOCAL, F, T},
    {F, D, LOCAL, F, F},    {F, F, LOCAL, F, F},    {F, T, LOCAL, F, T},
    {T, D, LOCAL, T, F},    {T, F, LOCAL, T, F},    {T, T, LOCAL, T, T},
    {D, D, REMOTE, F, F},   {D, F, REMOTE, F, F},   {D, T, REMOTE, F, T},
    {F, D, REMOTE, F, F},   {F, F, REMOTE, F, F},   {F, T, REMOTE, F, T},
    {T, D, REMOTE, T, F},   {T, F, REMOTE, T, F},   {T, T, REMOTE, T, T},
};

#undef D
#undef F
#undef T

START_TEST(config_finish_gives_the_defaults_that_depend_on_others) {
  static const char *const names[] = {"default", "false", "true"};
  const oconfig_value_t port = NUMBER(22);
  if (finishes[_i].ports != NO_GROUP)
    ck_assert_int_eq(
        configure(finishes[_i].ports == LOCAL ? "LocalPort" : "RemotePort",
                  &port),
        0);
  const oconfig_value_t values[] = {
      [CHOICE_FALSE] = BOOLEAN(false), [CHOICE_TRUE] = BOOLEAN(true)};
  if (finishes[_i].all != CHOICE_DEFAULT)
    ck_assert_int_eq(configure("AllPortsSummary", &values[finishes[_i].all]),
                     0);
  if (finishes[_i].listening != CHOICE_DEFAULT)
    ck_assert_int_eq(
        configure("ListeningPorts", &values[finishes[_i].listening]), 0);

  /* The second call finds nothing left to do. */
  for (int call = 1; call <= 2; call++) {
    config_finish(&settings);
    ck_assert_msg(settings.all_ports_summary == finishes[_i].all_after &&
                      settings.listening_ports == finishes[_i].listening_after,
                  "all %s, listening %s, %s: call %d makes all %s, listening "
                  "%s",
                  names[finishes[_i].all], names[finishes[_i].listening],
                  finishes[_i].ports == NO_GROUP ? "no ports" : "a port", call,
                  names[settings.all_ports_summary],
                  names[settings.listening_ports]);
    ck_assert_uint_eq(settings.report, DEFAULT_REPORTS);
    /* Nothing is selected, and "all" is refused. */
    ck_assert_int_eq(settings.no_group,
                     finishes[_i].ports == NO_GROUP &&
                         finishes[_i].all == CHOICE_FALSE &&
                         finishes[_i].listening != CHOICE_TRUE);
  }
}
END_TEST

/* Numbers that IANA has assigned, and every /etc/services has. */
static const struct {
  const char *service;
  uint16_t port;
} services[] = {{"ftp", 21},  {"ssh", 22},   {"smtp", 25},  {"domain", 53},
                {"http", 80}, {"pop3", 110}, {"https", 443}};

START_TEST(a_service_name_is_the_group_of_its_port) {
  char name[16];
  snprintf(name, sizeof(name), "%s", services[_i].service);
  const oconfig_value_t value = ANY_TEXT(name);
  ck_assert_int_eq(configure("LocalPort", &value), 0);
  ck_assert_int_eq(configure("RemotePort", &value), 0);
  /* The same port by its number is no other group. */
  const oconfig_value_t number = NUMBER(services[_i].port);
  ck_assert_int_eq(configure("LocalPort", &number), 0);

  char local[16], remote[16];
  uint16_t port = services[_i].port;
  snprintf(local, sizeof(local), "%u-local", port);
  snprintf(remote, sizeof(remote), "%u-remote", port);
  const struct expected_group expected[] = {{local, LOCAL, port, port},
                                            {remote, REMOTE, port, port}};
  check_groups(services[_i].service, expected, CASES(expected));
}
END_TEST

START_TEST(nothing_to_do) {}
END_TEST

static bool have_services(void) {
  for (int i = 0; i < CASES(services); i++)
    if (getservbyname(services[i].service, "tcp") == NULL)
      return false;
  return true;
}

static TCase *add_case(Suite *suite, const char *name) {
  TCase *tcase = tcase_create(name);
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_set_timeout(tcase, 30);
  suite_add_tcase(suite, tcase);
  return tcase;
}

int main(void) {
  Suite *suite = suite_create("config");
  TCase *good = add_case(suite, "accepted");
  tcase_add_test(good, no_option_leaves_everything_at_its_default);
  tcase_add_loop_test(good, each_port_or_range_becomes_a_group_of_its_name, 0,
                      CASES(ports));
  tcase_add_test(good, several_blocks_add_up);
  tcase_add_test(good, a_thousand_ports_of_each_side_are_two_thousand_groups);
  tcase_add_test(good, a_tcpconns_configuration_gives_its_plugin_instances);
  tcase_add_loop_test(good, a_boolean_changes_its_own_option_and_no_other, 0,
                      CASES(switches));
  tcase_add_test(good, the_last_of_several_lines_counts);
  if (have_services())
    tcase_add_loop_test(good, a_service_name_is_the_group_of_its_port, 0,
                        CASES(services));
  else
    check_skip(suite, "a_service_name_is_the_group_of_its_port",
               "/etc/services lacks common services (Debian: netbase)",
               nothing_to_do);
  TCase *bad = add_case(suite, "refused");
  tcase_add_loop_test(bad, anything_but_a_boolean_is_refused_by_each_switch, 0,
                      CASES(switches));
  tcase_add_loop_test(bad, a_wrong_value_is_refused_with_what_to_write_instead,
                      0, CASES(refused));
  tcase_add_loop_test(bad, an_unknown_option_is_refused_with_the_known_ones, 0,
                      CASES(unknown));
  tcase_add_test(bad, the_first_error_of_a_block_is_told);
  tcase_add_test(bad, a_value_of_a_thousand_characters_keeps_the_line_whole);
  tcase_add_test(bad, settings_of_a_refused_block_can_be_freed_and_used_anew);
  TCase *finish = add_case(suite, "config_finish");
  tcase_add_loop_test(finish,
                      config_finish_gives_the_defaults_that_depend_on_others, 0,
                      CASES(finishes));
  return check_main(suite);
}
