/* SPDX-License-Identifier: MIT */
/* config.c: what is wrong in Filter blocks and Counting becomes one line that
 * says what to write instead. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEN(text) text text text text text text text text text text
#define THOUSAND(text) TEN(TEN(TEN(text)))
#define LONGEST_NAME TEN("abcdef") "abc"

#define PLUGIN(...) BLOCK("Plugin", __VA_ARGS__)
#define FILTER(name, ...) NAMED_BLOCK("Filter", TEXT(name), __VA_ARGS__)

#define PORT_HELP                                                              \
  "write a number from 1 to 65535, a service name or a quoted range such as "  \
  "\"8000-8099\""
#define PREFIX_HELP                                                            \
  "write an address or a prefix such as \"192.0.2.7\", \"10.0.0.0/8\" or "     \
  "\"2001:db8::/32\""
#define CGROUP_HELP                                                            \
  "write a path in the cgroup v2 hierarchy such as "                           \
  "\"/system.slice/nginx.service\""
#define NAME_HELP "write a name such as <Filter \"db\">"
#define KNOWN                                                                  \
  "LocalPort, RemotePort, LocalAddress, RemoteAddress, AddressFamily, "        \
  "Protocol, ControlGroup"

static struct settings settings;
static struct config_error error;

static void set_up(void) {
  settings_init(&settings);
  memset(&error, '#', sizeof(error));
}

static void tear_down(void) { settings_free(&settings); }

/* The error line is ended, printable and the expected one. */
static void check_refused(const char *name, const oconfig_item_t *block,
                          const char *expected) {
  int err = config_block(&settings, block, &error);
  ck_assert_msg(err == -EINVAL, "%s: %d", name, err);
  ck_assert_msg(memchr(error.text, '\0', sizeof(error.text)) != NULL,
                "%s: without end", name);
  for (const char *c = error.text; *c != '\0'; c++)
    ck_assert_msg((unsigned char)*c >= ' ' && *c != 0x7f,
                  "%s: control character %d", name, *c);
  ck_assert_msg(strcmp(error.text, expected) == 0, "%s:\n is %s\nnot %s", name,
                error.text, expected);
}

/* Behind "<Filter "NAME">: the name ". */
static const struct {
  const char *name;
  const char *fault;
} bad_names[] = {
    {"", "is empty; " NAME_HELP},
    {LONGEST_NAME "d", "is longer than 63 characters; " NAME_HELP},
    {"a/b", "has a control character, \"/\" or \"@\" in it; " NAME_HELP},
    {"/", "has a control character, \"/\" or \"@\" in it; " NAME_HELP},
    {"db@blue", "has a control character, \"/\" or \"@\" in it; " NAME_HELP},
    {"a\nb", "has a control character, \"/\" or \"@\" in it; " NAME_HELP},
    {"a\x7f", "has a control character, \"/\" or \"@\" in it; " NAME_HELP},
    {"d\xfc\x62", "is not UTF-8; " NAME_HELP},
    {"all", "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"machine", "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"80-local", "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"80-remote",
     "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"80-90-local",
     "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"80-90-remote",
     "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"8-1000-local",
     "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"99999-local",
     "belongs to a group that the plugin makes itself; " NAME_HELP},
    {"twice", "belongs to another Filter; " NAME_HELP},
};

START_TEST(bad_name_is_refused) {
  const oconfig_item_t before =
      PLUGIN(FILTER("twice", OPTION("LocalPort", NUMBER(1))));
  /* It may be in another <Plugin> block. */
  ck_assert_int_eq(config_block(&settings, &before, &error), 0);
  char name[100], expected[300];
  snprintf(name, sizeof(name), "%s", bad_names[_i].name);
  const oconfig_item_t block = PLUGIN(
      NAMED_BLOCK("Filter", ANY_TEXT(name), OPTION("LocalPort", NUMBER(1))));
  snprintf(expected, sizeof(expected), "<Filter \"%s\">: the name %s", name,
           bad_names[_i].fault);
  for (char *c = expected; *c != '\0'; c++)
    *c = *c < ' ' || *c > '~' ? '?' : *c;
  check_refused(name, &block, expected);
}
END_TEST

#define NOT_ADDRESS ": not an address; " PREFIX_HELP
#define NO_LENGTH(bits)                                                        \
  ": not a prefix length; write a number from 0 to " bits " after the slash"
#define CLEARED(prefix)                                                        \
  ": the address has bits after the prefix; write \"" prefix                   \
  "\" or a longer prefix"
#define BAD_PART ": has an empty part, \".\" or \"..\"; " CGROUP_HELP
#define MOUNT ": leave out where cgroup v2 is mounted; " CGROUP_HELP

/* What is wrong in <Filter "a">, and the line after "Filter "a": ". */
static const struct {
  const char *name;
  oconfig_item_t option;
  const char *expected;
} bad_options[] = {
    {"an unknown option", OPTION("Port", NUMBER(80)),
     "unknown option \"Port\"; write one of " KNOWN},
    {"an option of the plugin", OPTION("ReportClosed", BOOLEAN(true)),
     "unknown option \"ReportClosed\"; write one of " KNOWN},
    {"Counting", OPTION("Counting", TEXT("dump")),
     "unknown option \"Counting\"; write one of " KNOWN},
    {"a Filter", FILTER("b", OPTION("LocalPort", NUMBER(80))),
     "unknown option \"Filter\"; write one of " KNOWN},
    {"a block", BLOCK("LocalPort", OPTION("x", NUMBER(1))),
     "<LocalPort>: is not a block; write it on one line: LocalPort"},

    {"no port", OPTION("LocalPort"), "LocalPort: no value given; " PORT_HELP},
    {"no remote port", OPTION("RemotePort"),
     "RemotePort: no value given; " PORT_HELP},
    {"port 0", OPTION("LocalPort", NUMBER(80), NUMBER(0)),
     "LocalPort 0: not a port; " PORT_HELP},
    {"an unquoted range", OPTION("RemotePort", NUMBER(8000), NUMBER(-8099)),
     "RemotePort 8000-8099: quote the range; write RemotePort \"8000-8099\""},

    {"no address", OPTION("LocalAddress"),
     "LocalAddress: no value given; " PREFIX_HELP},
    {"no remote address", OPTION("RemoteAddress"),
     "RemoteAddress: no value given; " PREFIX_HELP},
    {"an empty address", OPTION("LocalAddress", TEXT("")),
     "LocalAddress \"\"" NOT_ADDRESS},
    {"a number", OPTION("LocalAddress", NUMBER(10)),
     "LocalAddress 10: not an address in quotes; " PREFIX_HELP},
    {"a boolean", OPTION("LocalAddress", BOOLEAN(false)),
     "LocalAddress false: not an address in quotes; " PREFIX_HELP},
    {"a bad one after a good one",
     OPTION("RemoteAddress", TEXT("10.0.0.1"), TEXT("10.0.0")),
     "RemoteAddress \"10.0.0\"" NOT_ADDRESS},
    {"five parts", OPTION("LocalAddress", TEXT("10.0.0.0.1")),
     "LocalAddress \"10.0.0.0.1\"" NOT_ADDRESS},
    {"256", OPTION("LocalAddress", TEXT("10.0.0.256")),
     "LocalAddress \"10.0.0.256\"" NOT_ADDRESS},
    {"hexadecimal", OPTION("LocalAddress", TEXT("0x0a.0.0.1")),
     "LocalAddress \"0x0a.0.0.1\"" NOT_ADDRESS},
    {"two double colons", OPTION("LocalAddress", TEXT("2001::db8::1")),
     "LocalAddress \"2001::db8::1\"" NOT_ADDRESS},
    {"brackets", OPTION("LocalAddress", TEXT("[::1]")),
     "LocalAddress \"[::1]\"" NOT_ADDRESS},
    {"an interface", OPTION("LocalAddress", TEXT("fe80::1%eth0")),
     "LocalAddress \"fe80::1%eth0\"" NOT_ADDRESS},
    {"with a port", OPTION("LocalAddress", TEXT("10.0.0.1:80")),
     "LocalAddress \"10.0.0.1:80\"" NOT_ADDRESS},
    {"a host's name", OPTION("RemoteAddress", TEXT("localhost")),
     "RemoteAddress \"localhost\"" NOT_ADDRESS},
    {"a blank before", OPTION("LocalAddress", TEXT(" 10.0.0.1")),
     "LocalAddress \" 10.0.0.1\"" NOT_ADDRESS},
    {"a trailing space", OPTION("LocalAddress", TEXT("10.0.0.1 ")),
     "LocalAddress \"10.0.0.1 \"" NOT_ADDRESS},
    {"two in one", OPTION("LocalAddress", TEXT("10.0.0.1,10.0.0.2")),
     "LocalAddress \"10.0.0.1,10.0.0.2\"" NOT_ADDRESS},
    {"a range", OPTION("LocalAddress", TEXT("10.0.0.1-10.0.0.9")),
     "LocalAddress \"10.0.0.1-10.0.0.9\"" NOT_ADDRESS},
    {"a newline", OPTION("LocalAddress", TEXT("::1\n")),
     "LocalAddress \"::1?\"" NOT_ADDRESS},
    {"only a length", OPTION("LocalAddress", TEXT("/8")),
     "LocalAddress \"/8\"" NOT_ADDRESS},
    {"45 characters, the longest address",
     OPTION("LocalAddress",
            TEXT("0000:0000:0000:0000:0000:ffff:255.255.255.2555")),
     "LocalAddress "
     "\"0000:0000:0000:0000:0000:ffff:255.255.255.2555\"" NOT_ADDRESS},
    {"no length after the slash", OPTION("LocalAddress", TEXT("10.0.0.0/")),
     "LocalAddress \"10.0.0.0/\"" NO_LENGTH("32")},
    {"a length of 33", OPTION("LocalAddress", TEXT("10.0.0.0/33")),
     "LocalAddress \"10.0.0.0/33\"" NO_LENGTH("32")},
    {"a length of 129", OPTION("LocalAddress", TEXT("::/129")),
     "LocalAddress \"::/129\"" NO_LENGTH("128")},
    {"a length of 2^32 + 8",
     OPTION("LocalAddress", TEXT("10.0.0.0/4294967304")),
     "LocalAddress \"10.0.0.0/4294967304\"" NO_LENGTH("32")},
    {"a negative length", OPTION("LocalAddress", TEXT("10.0.0.0/-1")),
     "LocalAddress \"10.0.0.0/-1\"" NO_LENGTH("32")},
    {"a plus sign", OPTION("LocalAddress", TEXT("10.0.0.0/+8")),
     "LocalAddress \"10.0.0.0/+8\"" NO_LENGTH("32")},
    {"text after the length", OPTION("LocalAddress", TEXT("10.0.0.0/8x")),
     "LocalAddress \"10.0.0.0/8x\"" NO_LENGTH("32")},
    {"two lengths", OPTION("LocalAddress", TEXT("10.0.0.0/8/8")),
     "LocalAddress \"10.0.0.0/8/8\"" NO_LENGTH("32")},
    {"a netmask", OPTION("LocalAddress", TEXT("10.0.0.0/255.0.0.0")),
     "LocalAddress \"10.0.0.0/255.0.0.0\"" NO_LENGTH("32")},
    {"bits after the prefix", OPTION("LocalAddress", TEXT("10.0.0.1/8")),
     "LocalAddress \"10.0.0.1/8\"" CLEARED("10.0.0.0/8")},
    {"the last bit after it", OPTION("LocalAddress", TEXT("10.0.0.1/31")),
     "LocalAddress \"10.0.0.1/31\"" CLEARED("10.0.0.0/31")},
    {"the first bit after it", OPTION("LocalAddress", TEXT("128.0.0.0/0")),
     "LocalAddress \"128.0.0.0/0\"" CLEARED("0.0.0.0/0")},
    {"IPv6 bits after it", OPTION("RemoteAddress", TEXT("2001:db8::1/32")),
     "RemoteAddress \"2001:db8::1/32\"" CLEARED("2001:db8::/32")},
    {"v4-mapped bits after it",
     OPTION("RemoteAddress", TEXT("::ffff:10.1.0.0/104")),
     "RemoteAddress \"::ffff:10.1.0.0/104\"" CLEARED("::ffff:10.0.0.0/104")},
    {"a part of the v4-mapped prefix",
     OPTION("RemoteAddress", TEXT("::ffff:0.0.0.0/95")),
     "RemoteAddress \"::ffff:0.0.0.0/95\"" CLEARED("::fffe:0:0/95")},

    {"no protocol", OPTION("Protocol"),
     "Protocol: takes one value, once; write \"mptcp\" or \"tcp\""},
    {"both protocols", OPTION("Protocol", TEXT("tcp"), TEXT("mptcp")),
     "Protocol: takes one value, once; write \"mptcp\" or \"tcp\""},
    {"another protocol", OPTION("Protocol", TEXT("udp")),
     "Protocol \"udp\": not counted; write \"mptcp\" or \"tcp\""},
    {"any protocol", OPTION("Protocol", TEXT("")),
     "Protocol \"\": not counted; write \"mptcp\" or \"tcp\""},
    {"a protocol's number", OPTION("Protocol", NUMBER(262)),
     "Protocol 262: not counted; write \"mptcp\" or \"tcp\""},
    {"no family", OPTION("AddressFamily"),
     "AddressFamily: takes one value, once; write \"ipv4\" or \"ipv6\", or "
     "leave it out for both"},
    {"both families", OPTION("AddressFamily", TEXT("ipv4"), TEXT("ipv6")),
     "AddressFamily: takes one value, once; write \"ipv4\" or \"ipv6\", or "
     "leave it out for both"},
    {"another family", OPTION("AddressFamily", TEXT("inet")),
     "AddressFamily \"inet\": not an address family; write \"ipv4\" or "
     "\"ipv6\""},
    {"any family", OPTION("AddressFamily", TEXT("")),
     "AddressFamily \"\": not an address family; write \"ipv4\" or \"ipv6\""},
    {"a family's number", OPTION("AddressFamily", NUMBER(4)),
     "AddressFamily 4: not an address family; write \"ipv4\" or \"ipv6\""},

    {"no path", OPTION("ControlGroup"),
     "ControlGroup: no value given; " CGROUP_HELP},
    {"a unit", OPTION("ControlGroup", TEXT("nginx.service")),
     "ControlGroup \"nginx.service\": not an absolute path; " CGROUP_HELP},
    {"an empty path", OPTION("ControlGroup", TEXT("")),
     "ControlGroup \"\": not an absolute path; " CGROUP_HELP},
    {"a line of its own", OPTION("ControlGroup", TEXT("/a\n\033[31mb")),
     "ControlGroup \"/a??[31mb\": has a control character in it; " CGROUP_HELP},
    {"a number for a path", OPTION("ControlGroup", NUMBER(1)),
     "ControlGroup 1: not an absolute path; " CGROUP_HELP},
    {"the mount point", OPTION("ControlGroup", TEXT("/sys/fs/cgroup")),
     "ControlGroup \"/sys/fs/cgroup\"" MOUNT},
    {"below the mount point",
     OPTION("ControlGroup", TEXT("/a"), TEXT("/sys/fs/cgroup/a.slice/")),
     "ControlGroup \"/sys/fs/cgroup/a.slice/\"" MOUNT},
    {"an upper directory", OPTION("ControlGroup", TEXT("/a/../b")),
     "ControlGroup \"/a/../b\"" BAD_PART},
    {"an upper directory at the end", OPTION("ControlGroup", TEXT("/a/..")),
     "ControlGroup \"/a/..\"" BAD_PART},
    {"only an upper directory", OPTION("ControlGroup", TEXT("/../")),
     "ControlGroup \"/../\"" BAD_PART},
    {"a dot", OPTION("ControlGroup", TEXT("/a/./b")),
     "ControlGroup \"/a/./b\"" BAD_PART},
    {"an empty part", OPTION("ControlGroup", TEXT("/a//b")),
     "ControlGroup \"/a//b\"" BAD_PART},
    {"an empty part before", OPTION("ControlGroup", TEXT("//a")),
     "ControlGroup \"//a\"" BAD_PART},
};

START_TEST(wrong_condition_is_refused_with_the_name_of_its_filter) {
  /* A good option before and after it makes no difference. */
  oconfig_item_t inside[] = {OPTION("RemotePort", NUMBER(1)),
                             bad_options[_i].option,
                             OPTION("RemotePort", NUMBER(2))};
  oconfig_item_t filter = FILTER("a");
  filter.children = inside;
  filter.children_num = CASES(inside);
  const oconfig_item_t block = {
      .key = filter.key, .children = &filter, .children_num = 1};
  char expected[sizeof(error.text) + 1];
  snprintf(expected, sizeof(expected), "Filter \"a\": %s",
           bad_options[_i].expected);
  check_refused(bad_options[_i].name, &block, expected);
}
END_TEST

static const struct {
  const char *name;
  oconfig_item_t option;
  const char *expected;
} refused[] = {
    {"no name", BLOCK("Filter", OPTION("LocalPort", NUMBER(1))),
     "<Filter>: takes one text in quotes; " NAME_HELP},
    {"a number as name",
     NAMED_BLOCK("filter", NUMBER(80), OPTION("LocalPort", NUMBER(80))),
     "<filter>: takes one text in quotes; " NAME_HELP},
    {"two names", OPTION("Filter", TEXT("a"), TEXT("b")),
     "<Filter>: takes one text in quotes; " NAME_HELP},
    {"no option", FILTER("a"),
     "<Filter \"a\">: has no condition; write at least one option in it, such "
     "as LocalPort 443"},
    {"not a block", OPTION("Filter", TEXT("a")),
     "<Filter \"a\">: has no condition; write at least one option in it, such "
     "as LocalPort 443"},
    {"TCP, which is no condition", FILTER("a", OPTION("Protocol", TEXT("tcp"))),
     "<Filter \"a\">: has no condition; write at least one option in it, such "
     "as LocalPort 443"},
    {"MPTCP, then TCP",
     FILTER("a", OPTION("Protocol", TEXT("mptcp")),
            OPTION("Protocol", TEXT("tcp"))),
     "Filter \"a\": Protocol: takes one value, once; write \"mptcp\" or "
     "\"tcp\""},
    {"TCP, then MPTCP",
     FILTER("a", OPTION("Protocol", TEXT("tcp")),
            OPTION("LocalPort", NUMBER(1)), OPTION("protocol", TEXT("mptcp"))),
     "Filter \"a\": protocol: takes one value, once; write \"mptcp\" or "
     "\"tcp\""},
    {"TCP twice",
     FILTER("a", OPTION("LocalPort", NUMBER(1)),
            OPTION("Protocol", TEXT("tcp")), OPTION("Protocol", TEXT("tcp"))),
     "Filter \"a\": Protocol: takes one value, once; write \"mptcp\" or "
     "\"tcp\""},
    {"MPTCP twice",
     FILTER("a", OPTION("Protocol", TEXT("mptcp")),
            OPTION("Protocol", TEXT("mptcp"))),
     "Filter \"a\": Protocol: takes one value, once; write \"mptcp\" or "
     "\"tcp\""},
    {"a family twice",
     FILTER("a", OPTION("AddressFamily", TEXT("ipv4")),
            OPTION("AddressFamily", TEXT("ipv6"))),
     "Filter \"a\": AddressFamily: takes one value, once; write \"ipv4\" or "
     "\"ipv6\", or leave it out for both"},
    {"the same family twice",
     FILTER("a", OPTION("AddressFamily", TEXT("ipv4")),
            OPTION("AddressFamily", TEXT("ipv4"))),
     "Filter \"a\": AddressFamily: takes one value, once; write \"ipv4\" or "
     "\"ipv6\", or leave it out for both"},

    {"a wrong word", OPTION("Counting", TEXT("approximate")),
     "Counting \"approximate\": write \"auto\" or \"dump\""},
    {"an empty word", OPTION("Counting", TEXT("")),
     "Counting \"\": write \"auto\" or \"dump\""},
    {"a trailing space", OPTION("Counting", TEXT("dump ")),
     "Counting \"dump \": write \"auto\" or \"dump\""},
    {"control characters", OPTION("counting", TEXT("ex\nact\x7f")),
     "counting \"ex?act?\": write \"auto\" or \"dump\""},
    {"a thousand characters", OPTION("Counting", TEXT(THOUSAND("x"))),
     "Counting \"" TEN(TEN("x")) "\": write \"auto\" or \"dump\""},
    {"its old name", OPTION("Counting", TEXT("exact")),
     "Counting \"exact\": it is called \"dump\" now; write \"auto\" or "
     "\"dump\""},
    {"its old name in capitals", OPTION("Counting", TEXT("EXACT")),
     "Counting \"EXACT\": it is called \"dump\" now; write \"auto\" or "
     "\"dump\""},
    {"Counting as a block", BLOCK("Counting", OPTION("x", NUMBER(1))),
     "<Counting>: is not a block; write it on one line: Counting"},
    {"Counting without value", OPTION("Counting"),
     "Counting: takes one text in quotes; write \"auto\" or \"dump\""},
    {"Counting with a boolean", OPTION("Counting", BOOLEAN(true)),
     "Counting: takes one text in quotes; write \"auto\" or \"dump\""},
    {"Counting with two values", OPTION("Counting", TEXT("auto"), TEXT("dump")),
     "Counting: takes one text in quotes; write \"auto\" or \"dump\""},
    {"an address outside a Filter", OPTION("LocalAddress", TEXT("::1")),
     "unknown option \"LocalAddress\"; write one of AllPortsSummary, "
     "ListeningPorts, LocalPort, RemotePort, Services, ServicesMax, "
     "ServiceNames, ReportByState, ReportClosed, "
     "ReportFinWait2, ReportOrphans, ReportFinTimeout, ReportLimits, "
     "ReportStuck, StuckAfter, NotifyStuck, NotifyProcesses, NotifyPeers, "
     "ReportAcceptQueue, ReportEphemeralPorts, ReportUnhashed, NotifyUnhashed, "
     "Counting, Filter, Namespace"},
};

START_TEST(wrong_filter_or_counting_is_refused) {
  oconfig_item_t option = refused[_i].option;
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  check_refused(refused[_i].name, &block, refused[_i].expected);
}
END_TEST

static const struct {
  oconfig_item_t block;
  const char *begin, *end;
} long_values[] = {
    {PLUGIN(FILTER(LONGEST_NAME, OPTION("LocalAddress", TEXT(THOUSAND("1"))))),
     "Filter \"" LONGEST_NAME "\": LocalAddress \"" TEN(TEN("1")), NOT_ADDRESS},
    {PLUGIN(FILTER(LONGEST_NAME,
                   OPTION("LocalAddress", TEXT("::/" THOUSAND("1"))))),
     "Filter \"" LONGEST_NAME "\": LocalAddress \"::/" TEN(TEN("1")),
     NO_LENGTH("128")},
    {PLUGIN(FILTER(LONGEST_NAME,
                   OPTION("ControlGroup", TEXT("/" THOUSAND("a/") "/b")))),
     "Filter \"" LONGEST_NAME "\": ControlGroup \"/" TEN("a/a/a/a/a/"),
     BAD_PART},
    {PLUGIN(FILTER(LONGEST_NAME,
                   OPTION("ControlGroup", TEXT("/" TEN(THOUSAND("a")))))),
     "Filter \"" LONGEST_NAME "\": ControlGroup \"/" TEN(TEN("a")),
     ": too long for a path; " CGROUP_HELP},
    {PLUGIN(
         FILTER(LONGEST_NAME, OPTION("AddressFamily", TEXT(THOUSAND("\n"))))),
     "Filter \"" LONGEST_NAME "\": AddressFamily \"" TEN(TEN("?")),
     ": not an address family; write \"ipv4\" or \"ipv6\""},
    {PLUGIN(FILTER(LONGEST_NAME, OPTION(THOUSAND("k"), NUMBER(1)))),
     "Filter \"" LONGEST_NAME "\": unknown option \"" TEN("kkkkkk"),
     "\"; write one of " KNOWN},
    {PLUGIN(FILTER(THOUSAND("n"), OPTION("LocalPort", NUMBER(1)))),
     "<Filter \"" TEN(TEN("n")) "\">",
     ": the name is longer than 63 characters; " NAME_HELP},
};

/* What is shown of an over-long value is cut, but what to do is still said. */
START_TEST(value_of_a_thousand_characters_keeps_the_line_whole) {
  ck_assert_int_eq(config_block(&settings, &long_values[_i].block, &error),
                   -EINVAL);
  ck_assert_ptr_nonnull(memchr(error.text, '\0', sizeof(error.text)));
  size_t len = strlen(error.text), end = strlen(long_values[_i].end);
  ck_assert_msg(strncmp(error.text, long_values[_i].begin,
                        strlen(long_values[_i].begin)) == 0,
                "%s", error.text);
  ck_assert_msg(len > end &&
                    strcmp(error.text + len - end, long_values[_i].end) == 0,
                "%s", error.text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_filter_errors");
  TCase *bad = tcase_create("refused");
  tcase_add_checked_fixture(bad, set_up, tear_down);
  suite_add_tcase(suite, bad);
  tcase_add_loop_test(bad, bad_name_is_refused, 0, CASES(bad_names));
  tcase_add_loop_test(bad,
                      wrong_condition_is_refused_with_the_name_of_its_filter, 0,
                      CASES(bad_options));
  tcase_add_loop_test(bad, wrong_filter_or_counting_is_refused, 0,
                      CASES(refused));
  tcase_add_loop_test(bad, value_of_a_thousand_characters_keeps_the_line_whole,
                      0, CASES(long_values));
  return check_main(suite);
}
