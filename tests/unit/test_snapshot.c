/* SPDX-License-Identifier: MIT */
/* snapshot.c: the files of one read, and what becomes of a dump's errors. Link
 * also with -Wl,--wrap=cgroup_mount. */
#include "fake_machine.h"

#include "check_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct temp_tree cgroups;

const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) {
  return cgroups.root[0] == '\0' ? NULL : cgroups.root;
}

/* A file with what the snapshot has from it. */
static const struct {
  const char *file;
  size_t offset; /* of the first value in struct snapshot */
  size_t num;
  int64_t values[5];
} files[] = {
    {SOCKSTAT, offsetof(struct snapshot, sockstat), 5, {27, 3, 141, 310, 52}},
    {FIN_TIMEOUT, offsetof(struct snapshot, tcp_fin_timeout), 1, {65}},
    {MAX_ORPHANS, offsetof(struct snapshot, tcp_max_orphans), 1, {32768}},
    {MAX_TW_BUCKETS, offsetof(struct snapshot, tcp_max_tw_buckets), 1, {65536}},
    {MEM, offsetof(struct snapshot, tcp_mem), 3, {188418, 251226, 376836}},
};

/* All values are there but those of the file lost; NULL: it is none. */
static void check_values(const char *lost) {
  for (int i = 0; i < CASES(files); i++)
    for (size_t j = 0; j < files[i].num; j++) {
      int64_t value;
      memcpy(&value,
             (const char *)&machine.snapshot + files[i].offset +
                 j * sizeof(value),
             sizeof(value));
      int64_t expected = lost != NULL && strcmp(lost, files[i].file) == 0
                             ? PROC_UNKNOWN
                             : files[i].values[j];
      ck_assert_msg(value == expected, "%s: value %zu is %lld", files[i].file,
                    j, (long long)value);
    }
}

static void check_file(const char *file, int err) {
  if (file == NULL) {
    ck_assert_ptr_null(machine.snapshot.file);
    return;
  }
  char name[128];
  snprintf(name, sizeof(name), "/proc%s", file);
  ck_assert_ptr_nonnull(machine.snapshot.file);
  ck_assert_str_eq(machine.snapshot.file, name);
  ck_assert_int_eq(machine.snapshot.file_error, err);
}

START_TEST(all_values_come_from_their_files) {
  fake_machine_read_first();
  check_values(NULL);
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_uint_eq(machine.reader.plan.sockets, 27 + 14 + 141);
}
END_TEST

START_TEST(a_missing_file_takes_only_its_own_values_away) {
  temp_tree_delete(&machine.proc, files[_i].file);
  fake_machine_read_first();
  check_values(files[_i].file);
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  /* The sums less LISTEN twice and CLOSE_WAIT, or what is dumped. */
  bool sums = strcmp(files[_i].file, SOCKSTAT) != 0;
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED],
                    sums ? 27 + 14 - 3 : 2);
}
END_TEST

static const struct {
  const char *file;
  const char *text; /* NULL: it cannot be read */
  int err;
} faults[] = {
    {SOCKSTAT, NULL, -EISDIR},
    {SOCKSTAT, "", -ENODATA},
    {SOCKSTAT, "TCP: inuse x orphan 3 tw 141 alloc 310 mem 52\n", -EBADMSG},
    {SOCKSTAT, "TCP: inuse 27 orphan 3 tw 141 alloc 310 mem 52", -EBADMSG},
    {SOCKSTAT6, NULL, -EISDIR},
    {SOCKSTAT6, "UDP6: inuse 5\n", -ENODATA},
    {SOCKSTAT6, "TCP6: inuse -1\n", -EBADMSG},
    {FIN_TIMEOUT, NULL, -EISDIR},
    {FIN_TIMEOUT, "", -EBADMSG},
    {FIN_TIMEOUT, "60 60\n", -EBADMSG},
    {MAX_ORPHANS, NULL, -EISDIR},
    {MAX_ORPHANS, "many\n", -EBADMSG},
    {MAX_TW_BUCKETS, NULL, -EISDIR},
    {MAX_TW_BUCKETS, "0x10000\n", -EBADMSG},
    {MEM, NULL, -EISDIR},
    {MEM, "188418\t251226\n", -EBADMSG},
};

START_TEST(a_file_that_cannot_be_read_is_named_until_it_can) {
  fake_machine_read_first();
  for (int round = 0; round < 2; round++) {
    if (faults[_i].text == NULL)
      fake_machine_spoil(faults[_i].file);
    else
      temp_tree_file(&machine.proc, faults[_i].file, faults[_i].text);
    fake_machine_read();
    check_file(faults[_i].file, faults[_i].err);
    check_values(faults[_i].file);
    ck_assert_int_eq(machine.snapshot.sockets_error, 0);
    temp_tree_delete(&machine.proc, faults[_i].file);
    fake_machine_write_files();
    fake_machine_read();
    check_file(NULL, 0);
    check_values(NULL);
  }
}
END_TEST

#define PORT_RANGE "/sys/net/ipv4/ip_local_port_range"
#define RESERVED_PORTS "/sys/net/ipv4/ip_local_reserved_ports"

static const struct {
  const char *name;
  const char *range;
  const char *reserved;
  uint64_t ports;   /* 0: not known */
  const char *file; /* that is to blame */
} ports[] = {
    {"a range", "40000\t40199\n", "\n", 200, NULL},
    {"less the reserved ones", "40000\t40199\n", "80,40190-50000\n", 190, NULL},
    {"no range", "\n", "\n", 0, PORT_RANGE},
    {"a range the wrong way round", "40199\t40000\n", "\n", 0, PORT_RANGE},
    {"a range of more than 16 bits", "40000\t140199\n", "\n", 0, PORT_RANGE},
    {"no list", "40000\t40199\n", "", 0, RESERVED_PORTS},
    {"a list that is cut", "40000\t40199\n", "80,401", 0, RESERVED_PORTS},
    {"no files", NULL, NULL, 0, NULL},
    {"one file", "40000\t40199\n", NULL, 0, NULL},
};

/* text NULL: removes it. */
static void write_file(const char *file, const char *text) {
  temp_tree_file(&machine.proc, file, text == NULL ? "" : text);
  if (text == NULL)
    temp_tree_delete(&machine.proc, file);
}

/* What is not known takes nothing else away, and is known again when it is. */
START_TEST(ephemeral_ports_are_those_of_both_files_or_not_known) {
  struct port_range all = {1, 65535};
  struct group group = {(char[]){"1-65535-remote"},
                        {.remote_ports = {&all, 1}}};
  machine.settings.groups = &group;
  machine.settings.groups_num = 1;
  machine.settings.report |= REPORT_EPHEMERAL_PORTS;
  temp_tree_file(&machine.proc, PORT_RANGE, "32768\t60999\n");
  temp_tree_file(&machine.proc, RESERVED_PORTS, "\n");
  fake_machine_read_first();
  const struct tally_counts *counts = &machine.snapshot.tally->groups[0];
  ck_assert_uint_eq(counts->ephemeral_ports, 28232);
  for (int i = 0; i < 2; i++) {
    bool bad = i == 0;
    write_file(PORT_RANGE, bad ? ports[_i].range : "32768\t60999\n");
    write_file(RESERVED_PORTS, bad ? ports[_i].reserved : "\n");
    fake_machine_read();
    counts = &machine.snapshot.tally->groups[0];
    ck_assert_msg(counts->ephemeral_ports == (bad ? ports[_i].ports : 28232),
                  "%s: %u", ports[_i].name, (unsigned)counts->ephemeral_ports);
    check_file(bad ? ports[_i].file : NULL, -EBADMSG);
    check_values(NULL);
    ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  }
}
END_TEST

START_TEST(a_list_of_reserved_ports_that_is_too_long_is_named) {
  static char text[9000];
  for (size_t i = 0; i < sizeof(text) - 2; i++)
    text[i] = i % 2 == 0 ? '9' : ',';
  text[sizeof(text) - 2] = '\n';
  struct port_range all = {1, 65535};
  struct group group = {(char[]){"1-65535-remote"},
                        {.remote_ports = {&all, 1}}};
  machine.settings.groups = &group;
  machine.settings.groups_num = 1;
  machine.settings.report |= REPORT_EPHEMERAL_PORTS;
  temp_tree_file(&machine.proc, PORT_RANGE, "32768\t60999\n");
  temp_tree_file(&machine.proc, RESERVED_PORTS, text);
  fake_machine_read_first();
  check_file(RESERVED_PORTS, -EFBIG);
  ck_assert_uint_eq(machine.snapshot.tally->groups[0].ephemeral_ports, 0);
}
END_TEST

/* TCP's request is the first, those of MPTCP follow. */
START_TEST(an_error_of_mptcp_is_mptcps_alone) {
  struct group group = {(char[]){"m"}, {.protocol = FILTER_MPTCP}};
  machine.settings.groups = &group;
  machine.settings.mptcp_num = 1;
  machine.errors[_i] = -ENOENT;
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, _i == 0 ? -ENOENT : 0);
  ck_assert_int_eq(machine.snapshot.mptcp_error, _i == 0 ? 0 : -ENOENT);
  ck_assert_uint_eq(machine.requests_num, _i == 1 ? 2 : 3);
  check_values(NULL);
}
END_TEST

START_TEST(of_several_bad_files_the_first_is_named) {
  fake_machine_spoil(SOCKSTAT6);
  temp_tree_file(&machine.proc, MEM, "");
  temp_tree_file(&machine.proc, MAX_ORPHANS, "\n");
  fake_machine_read_first();
  check_file(MAX_ORPHANS, -EBADMSG);
}
END_TEST

/* With groups and without, with all sockets dumped and not. */
START_TEST(a_report_option_alone_has_all_its_values_and_reads_no_other_file) {
  static const struct {
    unsigned report;
    const char *files; /* what is read for it beside the sums */
  } reports[] = {
      {REPORT_ORPHANS, SOCKSTAT MAX_ORPHANS},
      {REPORT_LIMITS, SOCKSTAT MAX_TW_BUCKETS MEM},
      {REPORT_FIN_TIMEOUT, FIN_TIMEOUT},
      {REPORT_BY_STATE, ""},
      {REPORT_FIN_WAIT2, ""},
      {REPORT_STUCK, ""},
      {REPORT_ACCEPT_QUEUE, ""},
  };
  bool all = _i & 1;
  machine.settings.dump = _i & 2;
  machine.settings.all_ports_summary = all ? CHOICE_TRUE : CHOICE_FALSE;
  for (int i = 0; i < CASES(reports); i++) {
    machine.settings.report = reports[i].report;
    if (i == 0)
      fake_machine_read_first();
    else
      fake_machine_read();
    check_file(NULL, 0);
    bool counted = settings_states(&machine.settings) != 0;
    for (int j = 0; j < CASES(files); j++) {
      bool needed = strstr(reports[i].files, files[j].file) != NULL;
      bool read = false;
      for (size_t k = 0; k < machine.events_num; k++)
        read = read || strcmp(machine.events[k], files[j].file) == 0;
      /* The sums decide how to count; by whose table it is, with groups or
       * tcp_info. */
      bool priced = !all || reports[i].report == REPORT_STUCK;
      bool counts =
          counted && (j == 0 || (priced && strcmp(files[j].file, MEM) == 0));
      ck_assert_msg(read == (needed || counts), "report %#x: %s",
                    reports[i].report, files[j].file);
      int64_t value;
      memcpy(&value, (const char *)&machine.snapshot + files[j].offset,
             sizeof(value));
      ck_assert(!needed || value == files[j].values[0]);
    }
  }
}
END_TEST

START_TEST(files_that_no_value_needs_are_not_read) {
  for (int i = 1; i < CASES(files); i++)
    fake_machine_spoil(files[i].file);
  machine.settings.report = REPORT_BY_STATE;
  fake_machine_read_first();
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
}
END_TEST

/* tcp_fin_timeout is of each namespace, and no time-wait bucket is 0 percent of
 * any limit. */
START_TEST(for_a_sum_no_file_is_read_that_it_does_not_need) {
  fake_machine_read_first();
  machine.reader.summed = true;
  fake_machine_spoil(FIN_TIMEOUT);
  fake_machine_read();
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.tcp_max_tw_buckets, 65536);
  fake_machine_spoil(MAX_TW_BUCKETS);
  fake_machine_read();
  check_file(MAX_TW_BUCKETS, -EISDIR);
  temp_tree_file(&machine.proc, SOCKSTAT,
                 "TCP: inuse 27 orphan 3 tw 1 alloc 310 mem 52\n");
  fake_machine_read();
  check_file(MAX_TW_BUCKETS, -EISDIR);
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE("27"));
  fake_machine_read();
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.sockstat.tw, 0);
  ck_assert_int_gt(machine.snapshot.tcp_max_tw_buckets, 0);
}
END_TEST

START_TEST(in_another_namespace_the_machines_limits_are_not_read) {
  machine.settings.other_namespace = true;
  fake_machine_spoil(MAX_ORPHANS);
  fake_machine_spoil(MEM);
  fake_machine_read_first();
  check_file(NULL, 0);
  ck_assert_int_eq(machine.snapshot.tcp_max_tw_buckets, 65536);
}
END_TEST

/* The kernel's own is taken for it, so that a client's port is known. */
START_TEST(without_the_range_of_ephemeral_ports_it_is_the_usual_one) {
  machine.settings.notify_stuck = 1;
  temp_tree_file(&machine.proc, PORT_RANGE, "40000\t40199\n");
  fake_machine_read_first();
  const struct port_range *range = &machine.reader.stuck->whose.ephemeral;
  ck_assert(range->first == 40000 && range->last == 40199);
  temp_tree_file(&machine.proc, PORT_RANGE, "nonsense\n");
  fake_machine_read();
  ck_assert(range->first == 32768 && range->last == 60999);
}
END_TEST

START_TEST(without_sockets_to_count_the_kernel_is_not_asked) {
  machine.settings.all_ports_summary = CHOICE_FALSE;
  fake_machine_read_first();
  check_values(NULL);
  ck_assert_uint_eq(machine.requests_num, 0);
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_str_eq(machine.snapshot.method, "");
}
END_TEST

/* With LISTEN asked for before; the fake reports sockets before it fails:
 * none of them may be counted in the next read. */
static const struct {
  const char *name;
  bool listening, ages;
  int errors[8];
  int expected;
  size_t requests;
} dumps[] = {
    {"all well", false, false, {0}, 0, 1},
    {"no tcp_diag", false, false, {-ENOENT}, -ENOENT, 1},
    {"no inet_diag", false, false, {-EOPNOTSUPP}, -EOPNOTSUPP, 1},
    {"no answer", false, false, {-ETIMEDOUT}, -ETIMEDOUT, 1},
    {"a reply too long", false, false, {-EMSGSIZE}, -EMSGSIZE, 1},
    {"refused, without bytecode", false, false, {-EINVAL}, -EINVAL, 1},
    {"inconsistent", false, false, {-EPROTO}, -EPROTO, 1},
    {"with ages", false, true, {0}, 0, 1},
    {"no sockets", false, true, {-ENOMEM}, -ENOMEM, 1},
    {"with listeners", true, false, {0}, 0, 2},
    {"no listeners", true, false, {-ENOENT}, -ENOENT, 1},
    {"listeners, no sockets", true, false, {0, -EPROTO}, -EPROTO, 2},
    {"everything", true, true, {0}, 0, 2},
};

START_TEST(a_dump_that_fails_is_void_and_the_next_read_begins_anew) {
  machine.settings.report =
      REPORT_BY_STATE | (dumps[_i].ages ? REPORT_STUCK : 0);
  machine.settings.dump = true;
  machine.settings.listening_ports =
      dumps[_i].listening ? CHOICE_TRUE : CHOICE_FALSE;
  memcpy(machine.errors, dumps[_i].errors, sizeof(machine.errors));
  fake_machine_read_first();
  ck_assert_msg(machine.snapshot.sockets_error == dumps[_i].expected, "%s: %d",
                dumps[_i].name, machine.snapshot.sockets_error);
  ck_assert_msg(machine.requests_num == dumps[_i].requests, "%s: %zu requests",
                dumps[_i].name, machine.requests_num);
  /* The next read starts again. */
  memset(machine.errors, 0, sizeof(machine.errors));
  for (int read = 0; read < 2; read++) {
    if (machine.snapshot.sockets_error == 0) {
      const struct tally_counts *all = &machine.snapshot.tally->all;
      ck_assert_uint_eq(all->state[TCP_ESTABLISHED], 2);
      ck_assert_uint_eq(all->state[TCP_LISTEN], 2);
      ck_assert_uint_eq(all->state[TCP_CLOSE_WAIT], 1);
      ck_assert_uint_eq(all->close_wait_stuck, dumps[_i].ages);
    }
    fake_machine_read();
    ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  }
}
END_TEST

static struct group cgroup_groups[] = {{.name = (char[]){"a"}},
                                       {.name = (char[]){"b"}}};

static void start_cgroups(void) {
  machine.settings.groups = cgroup_groups;
  machine.settings.groups_num = CASES(cgroup_groups);
  ck_assert_int_eq(path_set_add(&cgroup_groups[0].filter.cgroups, "/a"), 0);
  ck_assert_int_eq(path_set_add(&cgroup_groups[1].filter.cgroups, "/b"), 0);
}

static void end_cgroups(void) {
  for (int i = 0; i < CASES(cgroup_groups); i++)
    filter_free(&cgroup_groups[i].filter);
}

static bool is_known(int group) {
  const struct id_list *ids = machine.snapshot.index->cgroup_ids;
  return ids != NULL && ids[group].known;
}

START_TEST(without_cgroup_v2_only_the_counts_of_control_groups_are_missing) {
  start_cgroups();
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert(!is_known(0) && !is_known(1));
  ck_assert_str_eq(machine.snapshot.cgroups, "/sys/fs/cgroup, of Filter \"a\"");
  ck_assert_int_eq(machine.snapshot.cgroups_error, -ENODEV);
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED], 2);
  end_cgroups();
}
END_TEST

START_TEST(without_cgroup_v2_no_socket_is_counted_for_a_service) {
  machine.settings.services = true;
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_ptr_null(machine.snapshot.services);
  ck_assert_str_eq(machine.snapshot.cgroups, "/sys/fs/cgroup, of Services");
  ck_assert_int_eq(machine.snapshot.cgroups_error, -ENODEV);
  /* The sums less LISTEN twice and CLOSE_WAIT. */
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED],
                    27 + 14 - 3);
}
END_TEST

/* Of the many, those are dumped that are not the largest service's. */
START_TEST(with_the_kernels_sums_services_have_their_established_dumped) {
  cgroups = temp_tree_make();
  const struct diag_socket socket = {
      .state = TCP_ESTABLISHED,
      .inode = 1,
      .cgroup_id = temp_tree_directory(&cgroups, "/a.service"),
  };
  machine.sockets = &socket;
  machine.num = 1;
  machine.settings.services = _i;
  temp_tree_file(&machine.proc, SOCKSTAT, SOCKSTAT_INUSE("1000000"));
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  ck_assert_int_eq(machine.reader.plan.method, PLAN_SUMS);
  ck_assert_uint_eq(machine.requests_num, 1 + (size_t)_i);
  ck_assert_uint_eq(machine.requests[0].states & 1u << TCP_ESTABLISHED, 0);
  if (_i)
    ck_assert_uint_eq(machine.requests[1].states, 1u << TCP_ESTABLISHED);
  ck_assert_uint_eq(machine.snapshot.tally->all.state[TCP_ESTABLISHED],
                    1000000 + 14);
  temp_tree_remove(&cgroups);
}
END_TEST

/* Shutting down after a start that has failed does it; the fixture closes once
 * more. */
START_TEST(what_is_closed_may_be_closed_again) {
  start_cgroups();
  cgroups = temp_tree_make();
  temp_tree_directory(&cgroups, "/a");
  machine.settings.services = true;
  machine.settings.notify_stuck = 1;
  machine.settings.dump = true;
  fake_machine_read_first();
  ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  snapshot_close(&machine.reader);
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

/* Lets the process open this many more files. */
static void allow_files(rlim_t num) {
  struct rlimit limit;
  int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(next);
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)next + num;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* What comes before the read that has to know the new group. */
static const struct {
  bool good, failed;
} reads_before[] = {{true, false}, {true, true}, {false, true}};

START_TEST(a_new_control_group_is_known_whatever_was_before) {
  start_cgroups();
  cgroups = temp_tree_make();
  temp_tree_directory(&cgroups, "/b/below/inner");
  fake_machine_open();
  if (reads_before[_i].good)
    fake_machine_read();
  const struct diag_socket socket = {
      .state = TCP_ESTABLISHED,
      .inode = 1,
      .local_port = 443,
      .cgroup_id = temp_tree_directory(&cgroups, "/a"),
  };
  machine.sockets = &socket;
  machine.num = 1;
  if (reads_before[_i].failed) {
    /* Enough for sockstat, and not for the hierarchy. */
    allow_files(1);
    if (!reads_before[_i].good)
      machine.cgroups.inotify = open("/dev/null", O_RDONLY | O_CLOEXEC);
    temp_tree_directory(&cgroups, "/c");
    fake_machine_read();
    allow_files(100);
    ck_assert_int_eq(machine.snapshot.sockets_error, 0);
  }
  fake_machine_read();
  ck_assert_ptr_null(machine.snapshot.file);
  ck_assert(is_known(0) && is_known(1));
  const struct tally_counts *counts = machine.snapshot.tally->groups;
  ck_assert_uint_eq(counts[0].state[TCP_ESTABLISHED], 1);
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

/* The index is made anew, and programs with it, only where a group changes. */
START_TEST(only_a_control_group_of_a_filter_changes_the_index) {
  start_cgroups();
  cgroups = temp_tree_make();
  temp_tree_directory(&cgroups, "/a");
  fake_machine_read_first();
  const unsigned first = machine.reader.index.generation;
  fake_machine_read();
  ck_assert_uint_eq(machine.reader.index.generation, first);
  temp_tree_directory(&cgroups, "/c");
  const unsigned tree = cgroup_tree_generation(&machine.cgroups);
  fake_machine_read();
  ck_assert_uint_ne(cgroup_tree_generation(&machine.cgroups), tree);
  ck_assert_uint_eq(machine.reader.index.generation, first);
  temp_tree_directory(&cgroups, "/a/below");
  fake_machine_read();
  ck_assert_uint_eq(machine.reader.index.generation, first + 1);
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

START_TEST(a_group_without_control_group_may_be_before_one_with_it) {
  start_cgroups();
  filter_free(&cgroup_groups[0].filter);
  cgroup_groups[0].filter = (struct filter){.family = FILTER_IPV6};
  cgroups = temp_tree_make();
  const struct diag_socket socket = {
      .state = TCP_ESTABLISHED,
      .inode = 1,
      .cgroup_id = temp_tree_directory(&cgroups, "/b"),
  };
  machine.sockets = &socket;
  machine.num = 1;
  fake_machine_read_first();
  ck_assert_ptr_null(machine.snapshot.file);
  ck_assert(is_known(1));
  const struct tally_counts *counts = machine.snapshot.tally->groups;
  ck_assert_uint_eq(counts[1].state[TCP_ESTABLISHED], 1);
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

/* What is known goes on; whose is missing is said. */
START_TEST(a_filter_that_cannot_know_its_control_group_is_named) {
  start_cgroups();
  cgroups = temp_tree_make();
  char deep[400] = "/b";
  for (size_t len = 2; len + 3 < sizeof(deep); len += 2)
    memcpy(deep + len, "/d", 3);
  const struct diag_socket sockets[] = {
      {.state = TCP_ESTABLISHED,
       .inode = 1,
       .cgroup_id = temp_tree_directory(&cgroups, "/a")},
      {.state = TCP_ESTABLISHED,
       .inode = 2,
       .cgroup_id = temp_tree_directory(&cgroups, "/b")},
      {.state = TCP_ESTABLISHED,
       .inode = 3,
       .cgroup_id = temp_tree_directory(&cgroups, deep)},
  };
  machine.sockets = sockets;
  machine.num = CASES(sockets);
  fake_machine_read_first();
  for (int i = 0; i < 3; i++) {
    ck_assert(is_known(0) && is_known(1));
    ck_assert_ptr_nonnull(strstr(machine.snapshot.cgroups, "/b/d/d"));
    ck_assert_ptr_nonnull(
        strstr(machine.snapshot.cgroups, ", of Filter \"b\""));
    ck_assert_int_eq(machine.snapshot.cgroups_error, -EOVERFLOW);
    const struct tally_counts *counts = machine.snapshot.tally->groups;
    ck_assert_uint_eq(counts[0].state[TCP_ESTABLISHED], 1);
    ck_assert_uint_eq(counts[1].state[TCP_ESTABLISHED], 1);
    fake_machine_read();
  }
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

/* A user who owns a part of the hierarchy names the directories in it. */
START_TEST(control_characters_in_a_directory_are_not_said) {
  start_cgroups();
  cgroups = temp_tree_make();
  char deep[400] = "/b/\033[31m";
  for (size_t len = strlen(deep); len + 3 < sizeof(deep); len += 2)
    memcpy(deep + len, "/d", 3);
  temp_tree_directory(&cgroups, deep);
  fake_machine_read_first();
  ck_assert_ptr_nonnull(strstr(machine.snapshot.cgroups, "/b/?[31m/d/d"));
  temp_tree_remove(&cgroups);
  end_cgroups();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("snapshot");
  TCase *tc = tcase_create("snapshot");
  tcase_add_checked_fixture(tc, fake_machine_start, fake_machine_end);
  tcase_add_test(tc, all_values_come_from_their_files);
  tcase_add_loop_test(tc, a_missing_file_takes_only_its_own_values_away, 0,
                      CASES(files));
  tcase_add_loop_test(tc, a_file_that_cannot_be_read_is_named_until_it_can, 0,
                      CASES(faults));
  tcase_add_test(tc, of_several_bad_files_the_first_is_named);
  tcase_add_loop_test(tc, ephemeral_ports_are_those_of_both_files_or_not_known,
                      0, CASES(ports));
  tcase_add_test(tc, a_list_of_reserved_ports_that_is_too_long_is_named);
  tcase_add_loop_test(tc, an_error_of_mptcp_is_mptcps_alone, 0, 3);
  tcase_add_loop_test(
      tc, a_report_option_alone_has_all_its_values_and_reads_no_other_file, 0,
      4);
  tcase_add_test(tc, files_that_no_value_needs_are_not_read);
  tcase_add_test(tc, for_a_sum_no_file_is_read_that_it_does_not_need);
  tcase_add_test(tc, in_another_namespace_the_machines_limits_are_not_read);
  tcase_add_test(tc, without_the_range_of_ephemeral_ports_it_is_the_usual_one);
  tcase_add_test(tc, only_a_control_group_of_a_filter_changes_the_index);
  tcase_add_test(tc, a_group_without_control_group_may_be_before_one_with_it);
  tcase_add_test(tc, without_sockets_to_count_the_kernel_is_not_asked);
  tcase_add_loop_test(tc,
                      a_dump_that_fails_is_void_and_the_next_read_begins_anew,
                      0, CASES(dumps));
  tcase_add_test(
      tc, without_cgroup_v2_only_the_counts_of_control_groups_are_missing);
  tcase_add_test(tc, without_cgroup_v2_no_socket_is_counted_for_a_service);
  tcase_add_loop_test(
      tc, with_the_kernels_sums_services_have_their_established_dumped, 0, 2);
  tcase_add_test(tc, what_is_closed_may_be_closed_again);
  tcase_add_test(tc, a_filter_that_cannot_know_its_control_group_is_named);
  tcase_add_test(tc, control_characters_in_a_directory_are_not_said);
  tcase_add_loop_test(tc, a_new_control_group_is_known_whatever_was_before, 0,
                      CASES(reads_before));
  suite_add_tcase(suite, tc);
  return check_main_forked(suite);
}
