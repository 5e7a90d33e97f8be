/* SPDX-License-Identifier: MIT */
/* config.c: Filter blocks and Counting become settings. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TEN(text) text text text text text text text text text text

#define PLUGIN(...) BLOCK("Plugin", __VA_ARGS__)
#define FILTER(name, ...) NAMED_BLOCK("Filter", TEXT(name), __VA_ARGS__)

static struct settings settings;
static struct config_error error;

static void set_up(void) { settings_init(&settings); }

static void tear_down(void) { settings_free(&settings); }

static void check_accepted(const char *name, const oconfig_item_t *block) {
  int err = config_block(&settings, block, &error);
  ck_assert_msg(err == 0, "%s: %d, %.640s", name, err, error.text);
}

/* A filter as text, its conditions in the order of the documentation:
 * "lport=80 rport=5432-5440 laddr=10.0.0.0/8 raddr=2001:db8::/32 ipv4
 * cgroup=/a". IPv4 prefixes count their own 32 bits. */
static void print_ports(FILE *out, const char *key,
                        const struct port_set *set) {
  for (size_t i = 0; i < set->num; i++) {
    fprintf(out, " %s=%u", key, set->ranges[i].first);
    if (set->ranges[i].first != set->ranges[i].last)
      fprintf(out, "-%u", set->ranges[i].last);
  }
}

static void print_prefixes(FILE *out, const char *key,
                           const struct prefix_set *set) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  for (size_t i = 0; i < set->num; i++) {
    const struct prefix *prefix = &set->prefixes[i];
    bool ipv4 = prefix->len >= 96 &&
                memcmp(prefix->address.bytes, mapped, sizeof(mapped)) == 0;
    char text[INET6_ADDRSTRLEN];
    inet_ntop(ipv4 ? AF_INET : AF_INET6,
              prefix->address.bytes + (ipv4 ? 12 : 0), text, sizeof(text));
    fprintf(out, " %s=%s/%u", key, text, prefix->len - (ipv4 ? 96u : 0u));
  }
}

static void describe(const struct filter *filter, char *text, size_t size) {
  static const char *const families[] = {"", " ipv4", " ipv6"};
  FILE *out = fmemopen(text, size, "w");
  ck_assert_ptr_nonnull(out);
  print_ports(out, "lport", &filter->local_ports);
  print_ports(out, "rport", &filter->remote_ports);
  print_prefixes(out, "laddr", &filter->local_addresses);
  print_prefixes(out, "raddr", &filter->remote_addresses);
  fputs(families[filter->family], out);
  fputs(filter->protocol == FILTER_MPTCP ? " mptcp" : "", out);
  for (size_t i = 0; i < filter->cgroups.num; i++)
    fprintf(out, " cgroup=%s", filter->cgroups.paths[i]);
  fclose(out);
}

struct expected_filter {
  const char *name; /* NULL: no more of them */
  const char *conditions;
};

static void check_filters(const char *name,
                          const struct expected_filter *expected, size_t max) {
  size_t num = 0;
  while (num < max && expected[num].name != NULL)
    num++;
  ck_assert_msg(settings.groups_num == num, "%s: %zu groups", name,
                settings.groups_num);
  for (size_t i = 0; i < num; i++) {
    char text[1000] = "";
    describe(&settings.groups[i].filter, text, sizeof(text));
    ck_assert_msg(strcmp(settings.groups[i].name, expected[i].name) == 0,
                  "%s: group %zu is %s", name, i, settings.groups[i].name);
    ck_assert_msg(strcmp(text, expected[i].conditions) == 0, "%s: %s has%s",
                  name, expected[i].name, text);
  }
}

#define LONGEST_NAME TEN("abcdef") "abc"

static const struct {
  const char *name;
  oconfig_item_t block;
  struct expected_filter filters[4];
} accepted[] = {
    {"the manual's example",
     PLUGIN(FILTER(
         "db", OPTION("LocalPort", NUMBER(80), NUMBER(443)),
         OPTION("RemotePort", TEXT("5432-5440")),
         OPTION("LocalAddress", TEXT("10.0.0.0/8"), TEXT("2001:db8::/32")),
         OPTION("RemoteAddress", TEXT("192.0.2.7")),
         OPTION("AddressFamily", TEXT("ipv4")),
         OPTION("ControlGroup", TEXT("/system.slice/nginx.service")))),
     {{"db", " lport=80 lport=443 rport=5432-5440 laddr=10.0.0.0/8 "
             "laddr=2001:db8::/32 raddr=192.0.2.7/32 ipv4 "
             "cgroup=/system.slice/nginx.service"}}},
    {"several blocks keep their order",
     PLUGIN(FILTER("b", OPTION("LocalPort", NUMBER(2))),
            OPTION("LocalPort", NUMBER(22)),
            FILTER("a", OPTION("RemotePort", NUMBER(1))),
            FILTER("c", OPTION("LocalPort", NUMBER(2)))),
     {{"b", " lport=2"},
      {"22-local", " lport=22"},
      {"a", " rport=1"},
      {"c", " lport=2"}}},
    {"several lines of an option add up",
     PLUGIN(FILTER("a", OPTION("LocalPort", NUMBER(2)),
                   OPTION("RemoteAddress", TEXT("10.0.0.1")),
                   OPTION("LocalPort", TEXT("1-3")),
                   OPTION("ControlGroup", TEXT("/b")),
                   OPTION("RemoteAddress", TEXT("10.0.0.2"), TEXT("::1")),
                   OPTION("ControlGroup", TEXT("/a"), TEXT("/c")))),
     {{"a", " lport=1-3 raddr=10.0.0.1/32 raddr=10.0.0.2/32 "
            "raddr=::1/128 cgroup=/b cgroup=/a cgroup=/c"}}},
    {"keys in any case",
     PLUGIN(NAMED_BLOCK("filter", TEXT("a"), OPTION("LOCALPORT", NUMBER(2)),
                        OPTION("localaddress", TEXT("::1")),
                        OPTION("addressfamily", TEXT("ipv6")),
                        OPTION("CONTROLGROUP", TEXT("/a")))),
     {{"a", " lport=2 laddr=::1/128 ipv6 cgroup=/a"}}},
    {"family alone, in any case",
     PLUGIN(FILTER("four", OPTION("AddressFamily", TEXT("IPv4"))),
            FILTER("six", OPTION("AddressFamily", TEXT("IPV6")))),
     {{"four", " ipv4"}, {"six", " ipv6"}}},
    {"protocols",
     PLUGIN(FILTER("m", OPTION("Protocol", TEXT("mptcp"))),
            FILTER("M", OPTION("protocol", TEXT("MPTCP")),
                   OPTION("LocalPort", NUMBER(1))),
            FILTER("t", OPTION("Protocol", TEXT("Tcp")),
                   OPTION("LocalPort", NUMBER(1)))),
     {{"m", " mptcp"}, {"M", " lport=1 mptcp"}, {"t", " lport=1"}}},
    {"prefixes of every length",
     PLUGIN(FILTER("4", OPTION("LocalAddress", TEXT("0.0.0.0/0"),
                               TEXT("128.0.0.0/1"), TEXT("10.1.2.254/31"),
                               TEXT("255.255.255.255/32"), TEXT("0.0.0.0"))),
            FILTER("6", OPTION("RemoteAddress", TEXT("::/0"), TEXT("8000::/1"),
                               TEXT("2001:db8::fffe/127"), TEXT("::1/128"),
                               TEXT("fe80::/10"), TEXT("::")))),
     {{"4", " laddr=0.0.0.0/0 laddr=128.0.0.0/1 laddr=10.1.2.254/31 "
            "laddr=255.255.255.255/32 laddr=0.0.0.0/32"},
      {"6", " raddr=::/0 raddr=8000::/1 raddr=2001:db8::fffe/127 "
            "raddr=::1/128 raddr=fe80::/10 raddr=::/128"}}},
    {"v4-mapped is IPv4 with 96 bits or more",
     PLUGIN(
         FILTER("m", OPTION("LocalAddress", TEXT("::ffff:10.0.0.1"),
                            TEXT("::ffff:10.0.0.0/104"), TEXT("::ffff:0:0/96"),
                            TEXT("::ffff:a00:1/128"), TEXT("::fffe:0:0/95")))),
     {{"m", " laddr=10.0.0.1/32 laddr=10.0.0.0/8 laddr=0.0.0.0/0 "
            "laddr=10.0.0.1/32 laddr=::fffe:0:0/95"}}},
    {"capital digits and leading zeros",
     PLUGIN(FILTER("a", OPTION("LocalAddress", TEXT("2001:DB8::A/128"),
                               TEXT("10.0.0.0/08")))),
     {{"a", " laddr=2001:db8::a/128 laddr=10.0.0.0/8"}}},
    {"slashes after a path are left out",
     PLUGIN(FILTER("a", OPTION("ControlGroup", TEXT("/"), TEXT("//"),
                               TEXT("/a/"), TEXT("/a/b///")))),
     {{"a", " cgroup=/ cgroup=/ cgroup=/a cgroup=/a/b"}}},
    {"paths with dots and escapes in them",
     PLUGIN(FILTER("a", OPTION("ControlGroup", TEXT("/a.slice/.b/..c/d..e"),
                               TEXT("/dev-\\x2d.swap"), TEXT("/sys")))),
     {{"a", " cgroup=/a.slice/.b/..c/d..e cgroup=/dev-\\x2d.swap "
            "cgroup=/sys"}}},
    {"names of other words",
     PLUGIN(FILTER(LONGEST_NAME, OPTION("LocalPort", NUMBER(1))),
            FILTER("all but ssh", OPTION("LocalPort", NUMBER(1))),
            FILTER("h\xc3\xb6hle", OPTION("LocalPort", NUMBER(1))),
            FILTER("-", OPTION("LocalPort", NUMBER(1)))),
     {{LONGEST_NAME, " lport=1"},
      {"all but ssh", " lport=1"},
      {"h\xc3\xb6hle", " lport=1"},
      {"-", " lport=1"}}},
    {"names that look like those of ports",
     PLUGIN(FILTER("local", OPTION("LocalPort", NUMBER(1))),
            FILTER("80", OPTION("LocalPort", NUMBER(1))),
            FILTER("http-local", OPTION("LocalPort", NUMBER(1))),
            FILTER("80-90", OPTION("LocalPort", NUMBER(1)))),
     {{"local", " lport=1"},
      {"80", " lport=1"},
      {"http-local", " lport=1"},
      {"80-90", " lport=1"}}},
};

START_TEST(each_filter_becomes_a_group_with_its_conditions) {
  check_accepted(accepted[_i].name, &accepted[_i].block);
  check_filters(accepted[_i].name, accepted[_i].filters,
                CASES(accepted[_i].filters));
}
END_TEST

START_TEST(filters_of_several_plugin_blocks_add_up) {
  const oconfig_item_t blocks[] = {
      PLUGIN(FILTER("a", OPTION("LocalPort", NUMBER(1)))),
      PLUGIN(OPTION("LocalPort", NUMBER(22))),
      PLUGIN(FILTER("b", OPTION("LocalPort", NUMBER(1)))),
  };
  static const struct expected_filter expected[] = {
      {"a", " lport=1"}, {"22-local", " lport=22"}, {"b", " lport=1"}};
  for (int i = 0; i < CASES(blocks); i++)
    check_accepted("a block", &blocks[i]);
  check_filters("three blocks", expected, CASES(expected));
}
END_TEST

static const struct {
  oconfig_value_t value;
  bool dump;
} countings[] = {{TEXT("dump"), true},
                 {TEXT("auto"), false},
                 {TEXT("Dump"), true},
                 {TEXT("AUTO"), false}};

START_TEST(counting_is_auto_unless_it_is_dump) {
  const oconfig_item_t dump = PLUGIN(OPTION("Counting", TEXT("dump")));
  ck_assert(!settings.dump);
  for (int before = 0; before < 2; before++) {
    if (before)
      check_accepted("before", &dump);
    oconfig_value_t value = countings[_i].value;
    oconfig_item_t option = {
        .key = (char[]){"Counting"}, .values = &value, .values_num = 1};
    const oconfig_item_t block = {
        .key = option.key, .children = &option, .children_num = 1};
    check_accepted(value.value.string, &block);
    ck_assert_int_eq(settings.dump, countings[_i].dump);
  }
}
END_TEST

#define D CHOICE_DEFAULT
#define F CHOICE_FALSE
#define T CHOICE_TRUE

/* With a Filter; and with a port as well. */
static const struct {
  enum settings_choice all, listening; /* as configured */
  bool port;
  enum settings_choice all_after, listening_after;
} finishes[] = {
    {D, D, false, T, F}, {D, F, false, T, F}, {D, T, false, F, T},
    {F, D, false, F, F}, {F, F, false, F, F}, {F, T, false, F, T},
    {T, D, false, T, F}, {T, F, false, T, F}, {T, T, false, T, T},
    {D, D, true, F, F},  {D, T, true, F, T},  {F, D, true, F, F},
    {T, D, true, T, F},
};

START_TEST(filters_alone_leave_the_defaults_as_they_are) {
  const oconfig_item_t filter =
      PLUGIN(FILTER("a", OPTION("LocalPort", NUMBER(80))));
  const oconfig_item_t port = PLUGIN(OPTION("RemotePort", NUMBER(80)));
  check_accepted("a filter", &filter);
  if (finishes[_i].port)
    check_accepted("a port", &port);
  settings.all_ports_summary = finishes[_i].all;
  settings.listening_ports = finishes[_i].listening;
  config_finish(&settings);
  ck_assert_int_eq(settings.all_ports_summary, finishes[_i].all_after);
  ck_assert_int_eq(settings.listening_ports, finishes[_i].listening_after);
  ck_assert(!settings.no_group);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name) {
  TCase *tcase = tcase_create(name);
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  suite_add_tcase(suite, tcase);
  return tcase;
}

START_TEST(groups_of_mptcp_come_after_the_others_in_the_end) {
  const oconfig_item_t block =
      PLUGIN(FILTER("m1", OPTION("Protocol", TEXT("mptcp"))),
             OPTION("LocalPort", NUMBER(22)),
             FILTER("m2", OPTION("Protocol", TEXT("mptcp")),
                    OPTION("ControlGroup", TEXT("/a"))),
             FILTER("t", OPTION("RemotePort", NUMBER(1))),
             FILTER("m3", OPTION("Protocol", TEXT("mptcp"))));
  ck_assert_int_eq(config_block(&settings, &block, &error), 0);
  static const char *const names[] = {"22-local", "t", "m1", "m2", "m3"};
  for (int round = 0; round < 2; round++) {
    config_finish(&settings);
    ck_assert_uint_eq(settings.groups_num, 2);
    ck_assert_uint_eq(settings.mptcp_num, 3);
    for (int i = 0; i < CASES(names); i++)
      ck_assert_str_eq(settings.groups[i].name, names[i]);
  }
  ck_assert(settings_need_cgroups(&settings));
}
END_TEST

/* No listening ports are made groups instead. */
START_TEST(groups_of_mptcp_alone_are_groups_and_need_no_socket_of_tcp) {
  const oconfig_item_t block =
      PLUGIN(OPTION("AllPortsSummary", BOOLEAN(false)),
             FILTER("m", OPTION("Protocol", TEXT("mptcp"))));
  ck_assert_int_eq(config_block(&settings, &block, &error), 0);
  config_finish(&settings);
  ck_assert(!settings.no_group);
  ck_assert_uint_eq(settings_states(&settings), 0);
  ck_assert_uint_ne(settings_mptcp_states(&settings), 0);
}
END_TEST

static const struct {
  const char *name;
  oconfig_item_t group;
  bool need;
} destinations[] = {
    {"a remote port", OPTION("RemotePort", NUMBER(1)), true},
    {"a filter with one",
     FILTER("f", OPTION("RemotePort", NUMBER(1)),
            OPTION("LocalAddress", TEXT("::1"))),
     true},
    {"a local port", OPTION("LocalPort", NUMBER(1)), false},
    {"a control group",
     FILTER("f", OPTION("RemotePort", NUMBER(1)),
            OPTION("ControlGroup", TEXT("/a"))),
     false},
    {"MPTCP",
     FILTER("f", OPTION("RemotePort", NUMBER(1)),
            OPTION("Protocol", TEXT("mptcp"))),
     false},
};

START_TEST(ephemeral_ports_need_every_state_of_groups_with_a_remote_port) {
  const oconfig_item_t block =
      PLUGIN(destinations[_i].group, OPTION("ReportByState", BOOLEAN(false)),
             OPTION("ReportEphemeralPorts", BOOLEAN(true)));
  ck_assert_int_eq(config_block(&settings, &block, &error), 0);
  config_finish(&settings);
  const uint32_t time_wait = 1u << TCP_TIME_WAIT;
  ck_assert_msg(settings_need_ephemeral(&settings) == destinations[_i].need &&
                    !(settings_states(&settings) & time_wait) ==
                        !destinations[_i].need,
                "%s", destinations[_i].name);
  settings.report &= ~(unsigned)REPORT_EPHEMERAL_PORTS;
  ck_assert(!settings_need_ephemeral(&settings));
  ck_assert(!(settings_states(&settings) & time_wait));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_filter");
  TCase *good = add_case(suite, "accepted");
  tcase_add_test(good, groups_of_mptcp_come_after_the_others_in_the_end);
  tcase_add_test(good,
                 groups_of_mptcp_alone_are_groups_and_need_no_socket_of_tcp);
  tcase_add_loop_test(
      good, ephemeral_ports_need_every_state_of_groups_with_a_remote_port, 0,
      CASES(destinations));
  tcase_add_loop_test(good, each_filter_becomes_a_group_with_its_conditions, 0,
                      CASES(accepted));
  tcase_add_test(good, filters_of_several_plugin_blocks_add_up);
  tcase_add_loop_test(good, counting_is_auto_unless_it_is_dump, 0,
                      CASES(countings));
  TCase *finish = add_case(suite, "config_finish");
  tcase_add_loop_test(finish, filters_alone_leave_the_defaults_as_they_are, 0,
                      CASES(finishes));
  return check_main(suite);
}
