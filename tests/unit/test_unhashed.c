/* SPDX-License-Identifier: MIT */
/* unhashed.c: against a tree in the shape of /proc, in which a process's net is
 * a link to its namespace's directory. Link with -Wl,--wrap= of proc_walk,
 * netns_sums_identify, netns_sums_read, pinned_find and pinned_read. */
#include "unhashed.h"

#include "proc_text.h"
#include "proc_walk.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct temp_tree proc;
static struct settings settings;
static struct unhashed *unhashed;
static int64_t now = 1000000000;
static int64_t alloc, orphan; /* of the machine */

static unsigned walks;
static uint32_t more_processes; /* in the first namespace */
int __real_proc_walk(const char *path, proc_walk_cb cb, void *data);
int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data);
int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data) {
  walks++;
  int err = 0;
  for (uint32_t i = 0; i < more_processes && err == 0; i++)
    err = cb(1, data);
  return err != 0 ? err : __real_proc_walk(path, cb, data);
}

static uint32_t refused; /* a process that may not be inspected */
int __real_netns_sums_identify(const char *path, uint32_t pid, ino_t *ino);
int __wrap_netns_sums_identify(const char *path, uint32_t pid, ino_t *ino);
int __wrap_netns_sums_identify(const char *path, uint32_t pid, ino_t *ino) {
  return pid == refused && pid != 0
             ? -EACCES
             : __real_netns_sums_identify(path, pid, ino);
}

static uint32_t unreadable;            /* a process whose sums are not given */
static const struct netns_sums *reads; /* what the next ones say; alloc of -1:
                                          they fail */
int __real_netns_sums_read(const char *path, uint32_t pid,
                           struct netns_sums *out);
int __wrap_netns_sums_read(const char *path, uint32_t pid,
                           struct netns_sums *out);
int __wrap_netns_sums_read(const char *path, uint32_t pid,
                           struct netns_sums *out) {
  if (pid == unreadable && pid != 0)
    return -EMFILE;
  int err = __real_netns_sums_read(path, pid, out);
  if (err != 0 || reads == NULL)
    return err;
  out->inuse = reads->inuse;
  out->alloc = reads++->alloc;
  return out->alloc < 0 ? -EMFILE : 0;
}

static struct netns_sums pinned[2000];
static size_t pinned_num;
static int find_error, read_error;
int __wrap_pinned_find(struct pinned *p);
int __wrap_pinned_find(struct pinned *p) {
  snprintf(p->failed, sizeof(p->failed), "/run/netns/a");
  return find_error;
}

static bool was_alone[2000];
int __wrap_pinned_read(struct pinned *p, bool all, int64_t deadline,
                       pinned_cb cb, void *data);
int __wrap_pinned_read(struct pinned *p, bool all, int64_t deadline,
                       pinned_cb cb, void *data) {
  (void)p;
  (void)deadline;
  for (size_t i = 0; i < pinned_num; i++)
    if (all || was_alone[i])
      was_alone[i] = cb(&pinned[i], data);
  return read_error;
}

/* The sums of a namespace, whose name is one letter. */
static void set_sums(const char *name, int inuse, int inuse6) {
  char path[64], text[128];
  snprintf(path, sizeof(path), "/%s/sockstat", name);
  snprintf(text, sizeof(text),
           "sockets: used 1\nTCP: inuse %d orphan %d tw 7 alloc %d mem 5\n",
           inuse, (int)orphan, (int)alloc);
  temp_tree_file(&proc, path, text);
  snprintf(path, sizeof(path), "/%s/sockstat6", name);
  snprintf(text, sizeof(text), "TCP6: inuse %d\n", inuse6);
  temp_tree_file(&proc, path, text);
}

static void add_process(int pid, const char *namespace) {
  char path[64], target[64];
  snprintf(path, sizeof(path), "/%d/net", pid);
  snprintf(target, sizeof(target), "../%s", namespace);
  temp_tree_link(&proc, path, target);
}

static void end_process(int pid) {
  char path[64];
  snprintf(path, sizeof(path), "/%d/net", pid);
  temp_tree_delete(&proc, path);
}

static void start(void) {
  proc = temp_tree_make();
  settings_init(&settings);
  temp_tree_link(&proc, "/self/ns/pid", "pid:[4026531836]");
  alloc = 150;
  set_sums("a", 60, 30);
  add_process(1, "a");
  add_process(20, "a");
  unhashed = unhashed_open(&settings, proc.root);
  ck_assert_ptr_nonnull(unhashed);
}

static void end(void) {
  ck_assert_uint_eq(unhashed_close(unhashed), 0);
  temp_tree_remove(&proc);
}

/* A read in which this process's namespace has this many sockets in a state. */
static int64_t read_with(int64_t inuse) {
  const struct netns_sums own = {
      .inuse = inuse, .alloc = alloc, .orphan = orphan};
  now += 1000;
  unhashed_read(unhashed, &own, now, now + 1000);
  return unhashed->value;
}

/* What it is at rest. */
static int64_t settle(void) {
  for (unsigned i = 0; i < UNHASHED_READS; i++)
    read_with(90);
  return unhashed->value;
}

static const char *why(void) {
  const char *what;
  return unhashed_strerror(unhashed, &what);
}

START_TEST(number_is_alloc_less_inuse_of_both_families) {
  ck_assert_int_eq(read_with(90), 60);
  ck_assert_int_eq(unhashed->gap, UNHASHED_KNOWN);
}
END_TEST

START_TEST(each_namespace_counts_once) {
  set_sums("b", 5, 2);
  set_sums("c", 11, 0);
  add_process(30, "b");
  add_process(31, "c");
  add_process(32, "b");
  ck_assert_int_eq(read_with(90), 150 - 90 - 7 - 11);
}
END_TEST

START_TEST(no_ipv6_is_none_in_use) {
  temp_tree_delete(&proc, "/a/sockstat6");
  ck_assert_int_eq(read_with(60), 90);
}
END_TEST

START_TEST(it_is_never_negative) {
  set_sums("a", 100, 60);
  ck_assert_int_eq(read_with(160), 0);
  ck_assert_int_eq(read_with(170), 0);
}
END_TEST

/* The read that finds the namespace, then two of its sums. */
START_TEST(of_what_was_read_twice_the_smaller_number_counts) {
  static const struct netns_sums all[][3] = {
      {{.inuse = 5, .alloc = 9},
       {.inuse = 90, .alloc = 150},
       {.inuse = 95, .alloc = 140}},
      {{.inuse = 5, .alloc = 9},
       {.inuse = 95, .alloc = 140},
       {.inuse = 90, .alloc = 150}},
      {{.inuse = 5, .alloc = 9},
       {.inuse = 95, .alloc = 150},
       {.inuse = 90, .alloc = 140}},
  };
  reads = all[_i];
  ck_assert_int_eq(read_with(90), 45);
}
END_TEST

START_TEST(fall_needs_no_walk) {
  ck_assert_int_eq(read_with(90), 60);
  walks = 0;
  alloc = 130;
  ck_assert_int_eq(read_with(90), 40);
  ck_assert_int_eq(read_with(91), 39);
  ck_assert_uint_eq(walks, 0);
}
END_TEST

/* What closes during a read makes the number smaller than it is. */
START_TEST(fall_that_is_none_when_read_again_is_none) {
  temp_tree_link(&proc, "/thread-self/net", "../a");
  ck_assert_int_eq(read_with(90), 60);
  walks = 0;
  ck_assert_int_eq(read_with(120), 60);
  /* Nor is it larger than it was. */
  set_sums("a", 10, 30);
  ck_assert_int_eq(read_with(120), 60);
  alloc = 130;
  set_sums("a", 60, 30);
  ck_assert_int_eq(read_with(120), 40);
  ck_assert_uint_eq(walks, 0);
}
END_TEST

START_TEST(nor_is_one_of_several_namespaces) {
  set_sums("b", 40, 0);
  add_process(30, "b");
  ck_assert_int_eq(read_with(90), 20);
  /* Each of the two, twice. */
  const struct netns_sums sums[] = {{.inuse = 90, .alloc = 140},
                                    {.inuse = 45, .alloc = 140},
                                    {.inuse = 90, .alloc = 149},
                                    {.inuse = 41, .alloc = 149}};
  reads = sums;
  for (unsigned i = 0; i < 2 * UNHASHED_SUMS_READS; i++)
    read_with(90);
  ck_assert_ptr_eq(reads, sums + 4);
  ck_assert_int_eq(unhashed->value, 18);
  reads = NULL;
}
END_TEST

START_TEST(nor_is_one_that_cannot_be_read_again) {
  set_sums("b", 40, 0);
  add_process(30, "b");
  ck_assert_int_eq(read_with(90), 20);
  const struct netns_sums sums[] = {{.inuse = 90, .alloc = 140},
                                    {.inuse = 45, .alloc = 140},
                                    {.inuse = 90, .alloc = 140},
                                    {.alloc = -1}};
  reads = sums;
  for (unsigned i = 0; i < 2 * UNHASHED_SUMS_READS; i++)
    read_with(90);
  ck_assert_ptr_eq(reads, sums + 4);
  ck_assert_int_eq(unhashed->value, 20);
  reads = NULL;
}
END_TEST

START_TEST(rise_is_looked_into) {
  ck_assert_int_eq(read_with(90), 60);
  alloc = 170;
  set_sums("a", 60, 30);
  ck_assert_int_eq(read_with(90), 80);
}
END_TEST

START_TEST(sockets_of_a_new_namespace_are_no_rise) {
  ck_assert_int_eq(read_with(90), 60);
  alloc = 1150;
  set_sums("a", 60, 30);
  set_sums("b", 600, 400);
  add_process(30, "b");
  ck_assert_int_eq(read_with(90), 60);
  ck_assert_uint_eq(walks, 2);
  walks = 0;
  ck_assert_int_eq(read_with(90), 60);
  ck_assert_uint_eq(walks, 0);
}
END_TEST

START_TEST(walks_are_few_however_often_it_rises) {
  read_with(90);
  walks = 0;
  for (unsigned i = 0; i < 10 * UNHASHED_READS; i++) {
    alloc += 1000;
    set_sums("a", 60, 30);
    read_with(90);
    if (i < UNHASHED_BURST)
      ck_assert_int_eq(unhashed->value, 60 + 1000 * (i + 1));
  }
  ck_assert_uint_le(walks, UNHASHED_BURST + 2 * 10);
  ck_assert_uint_ge(walks, UNHASHED_BURST + 10);
}
END_TEST

/* Returns what is reported when there is twice as much. */
static int64_t rise(void) {
  alloc *= 2;
  set_sums("a", 60, 30);
  return read_with(90);
}

START_TEST(a_walk_that_is_due_lets_one_more_rise_be_looked_into) {
  read_with(90);
  for (int i = 0; i < UNHASHED_BURST; i++)
    ck_assert_int_eq(rise(), (int64_t)alloc - 90);
  for (int i = 0; i < 3; i++) {
    int64_t known = (int64_t)alloc - 90;
    ck_assert_int_eq(rise(), known);
    now += UNHASHED_PATIENCE;
    ck_assert_int_eq(read_with(90), (int64_t)alloc - 90);
    ck_assert_int_eq(rise(), (int64_t)alloc - 90);
  }
}
END_TEST

START_TEST(rise_that_may_not_be_looked_into_is_not_reported) {
  read_with(90);
  for (int i = 0; i < UNHASHED_BURST; i++) {
    alloc += 1000;
    set_sums("a", 60, 30);
    read_with(90);
  }
  int64_t value = unhashed->value;
  ck_assert_int_eq(value, 60 + 1000 * UNHASHED_BURST);
  alloc += 100000;
  ck_assert_int_eq(read_with(90), value);
  set_sums("a", 100060, 30);
  now += UNHASHED_PATIENCE;
  ck_assert_int_eq(read_with(100090), value);
}
END_TEST

/* By a quarter, and by less than UNHASHED_STEP. */
static const struct {
  int from, to;
} small[] = {{60, 75}, {1000, 1250}, {5, 14}, {0, 9}};

START_TEST(small_rise_waits_for_its_time) {
  alloc = small[_i].from + 90;
  set_sums("a", 60, 30);
  ck_assert_int_eq(read_with(90), small[_i].from);
  walks = 0;
  alloc = small[_i].to + 90;
  set_sums("a", 60, 30);
  for (unsigned i = 2; i <= UNHASHED_READS; i++)
    ck_assert_int_eq(read_with(90), small[_i].from);
  ck_assert_uint_eq(walks, 0);
  ck_assert_int_eq(read_with(90), small[_i].to);
  ck_assert_uint_eq(walks, 1);
}
END_TEST

START_TEST(long_interval_has_a_walk_in_each_read) {
  read_with(90);
  walks = 0;
  for (int i = 0; i < 20; i++) {
    now += UNHASHED_PATIENCE;
    read_with(90);
  }
  ck_assert_uint_eq(walks, 20);
}
END_TEST

START_TEST(where_there_is_none_no_walk_is_needed) {
  set_sums("a", 100, 50);
  ck_assert_int_eq(read_with(150), 0);
  walks = 0;
  for (unsigned i = 0; i < 3 * UNHASHED_READS; i++)
    ck_assert_int_eq(read_with(150), 0);
  ck_assert_uint_eq(walks, 0);
}
END_TEST

START_TEST(another_process_stands_for_the_namespace_when_one_ends) {
  set_sums("b", 5, 2);
  add_process(30, "b");
  add_process(31, "b");
  ck_assert_int_eq(read_with(90), 53);
  end_process(30);
  ck_assert_int_eq(settle(), 53);
  set_sums("b", 6, 2);
  ck_assert_int_eq(settle(), 52);
}
END_TEST

START_TEST(process_that_changes_its_namespace_is_noticed) {
  set_sums("b", 5, 2);
  add_process(30, "b");
  ck_assert_int_eq(read_with(90), 53);
  alloc = 145;
  set_sums("a", 60, 30);
  set_sums("c", 1, 1);
  end_process(30);
  add_process(30, "c");
  ck_assert_int_eq(settle(), 53);
}
END_TEST

/* A second namespace, with 20 sockets in a state, ends on a machine with 4
 * orphans. */
static void end_namespace(void) {
  orphan = 4;
  set_sums("a", 60, 30);
  set_sums("b", 20, 0);
  add_process(30, "b");
  ck_assert_int_eq(read_with(90), 40);
  end_process(30);
}

START_TEST(orphans_of_an_ended_namespace_are_none) {
  end_namespace();
  /* 4 of the 20 are orphans, the others were closed. */
  alloc = 134;
  set_sums("a", 60, 30);
  ck_assert_int_eq(settle(), 40);
  /* They go. */
  orphan = 0;
  alloc = 130;
  set_sums("a", 60, 30);
  ck_assert_int_eq(settle(), 40);
  alloc = 131;
  set_sums("a", 60, 30);
  ck_assert_int_eq(settle(), 41);
}
END_TEST

START_TEST(after_a_gap_those_of_before_are_not_known) {
  end_namespace();
  alloc = 134;
  set_sums("a", 60, 30);
  ck_assert_int_eq(settle(), 40);
  end_process(1);
  alloc = 300;
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  add_process(1, "a");
  alloc = 134;
  ck_assert_int_eq(read_with(90), 44);
}
END_TEST

/* Orphans of a namespace are gone after a while, though others have ended
 * since: only those 20 sockets are in doubt that the last one had. */
START_TEST(namespaces_that_keep_ending_do_not_hide_a_rise) {
  orphan = 1000;
  ck_assert_int_eq(read_with(90), 60);
  for (int i = 0; i < 10; i++) {
    alloc = i < 5 ? 170 : 210;
    set_sums("a", 60, 30);
    set_sums(i % 2 == 0 ? "b" : "c", 20, 0);
    if (i > 0)
      end_process(30);
    add_process(30, i % 2 == 0 ? "b" : "c");
    now += UNHASHED_PATIENCE;
    read_with(90);
  }
  ck_assert_int_eq(unhashed->value, 80);
}
END_TEST

START_TEST(more_than_the_orphans_is_a_rise) {
  end_namespace();
  alloc = 150;
  ck_assert_int_eq(settle(), 56);
  now += UNHASHED_ORPHANS + 1;
  ck_assert_int_eq(settle(), 60);
}
END_TEST

START_TEST(namespace_without_process_counts) {
  pinned_num = 2;
  pinned[0] = (struct netns_sums){.ino = 1, .inuse = 8, .alloc = 150};
  __real_netns_sums_identify(proc.root, 1, &pinned[1].ino);
  pinned[1].inuse = 90;
  pinned[1].alloc = 150;
  ck_assert_int_eq(read_with(90), 52);
  ck_assert(was_alone[0]);
  ck_assert(!was_alone[1]);
  pinned[0].inuse = 10;
  ck_assert_int_eq(settle(), 50);
  /* It goes, with all that was in it. */
  pinned_num = 0;
  alloc = 140;
  set_sums("a", 60, 30);
  ck_assert_int_eq(settle(), 50);
}
END_TEST

START_TEST(many_namespaces_are_read_in_few_reads) {
  for (int i = 0; i < 15; i++) {
    char name[8];
    snprintf(name, sizeof(name), "n%d", i);
    set_sums(name, 1, 0);
    add_process(100 + i, name);
  }
  ck_assert_int_eq(read_with(90), 45);
  set_sums("n7", 2, 0);
  for (unsigned i = 1; i < UNHASHED_SUMS_READS * 16; i++)
    ck_assert_int_eq(read_with(90), 45);
  ck_assert_int_eq(read_with(90), 44);
}
END_TEST

/* So many that a read of their sums would come later than a walk. */
START_TEST(many_namespaces_without_any_are_read_when_a_walk_would_be) {
  enum { NUM = UNHASHED_READS / UNHASHED_SUMS_READS + 10 };
  for (int rise = 0; rise <= 5; rise += 5) {
    alloc = 90 + NUM + rise;
    set_sums("a", 60, 30);
    for (int i = 0; i < NUM; i++) {
      char name[8];
      snprintf(name, sizeof(name), "n%d", i);
      set_sums(name, 1, 0);
      if (rise == 0)
        add_process(100 + i, name);
    }
    ck_assert_int_eq(settle(), rise);
  }
}
END_TEST

START_TEST(sums_that_cannot_be_read_change_nothing) {
  set_sums("b", 40, 0);
  add_process(30, "b");
  alloc = 230;
  set_sums("a", 60, 30);
  set_sums("b", 40, 0);
  ck_assert_int_eq(read_with(90), 100);
  alloc = 135;
  set_sums("a", 60, 30);
  set_sums("b", 40, 0);
  unreadable = 30;
  for (unsigned i = 0; i < 4 * UNHASHED_SUMS_READS; i++)
    ck_assert_int_eq(read_with(90), 100);
  /* They are read as soon as they can be. */
  unreadable = 0;
  ck_assert_int_eq(read_with(90), 5);
}
END_TEST

START_TEST(a_process_that_has_ended_does_not_keep_the_number) {
  set_sums("b", 40, 0);
  add_process(30, "b");
  alloc = 230;
  set_sums("a", 60, 30);
  set_sums("b", 40, 0);
  ck_assert_int_eq(read_with(90), 100);
  end_process(30);
  alloc = 135;
  set_sums("a", 60, 30);
  walks = 0;
  for (unsigned i = 0; i < 2 * UNHASHED_SUMS_READS; i++)
    read_with(90);
  ck_assert_int_eq(unhashed->value, 45);
  ck_assert_uint_eq(walks, 0);
}
END_TEST

START_TEST(where_there_was_none_it_is_a_gap_at_the_next_walk) {
  pinned[0] = (struct netns_sums){.ino = 1, .inuse = 60, .alloc = 150};
  pinned_num = 1;
  ck_assert_int_eq(read_with(90), 0);
  walks = 0;
  alloc = 350;
  set_sums("a", 60, 30);
  pinned_num = 0;
  read_error = -EPERM;
  ck_assert_int_eq(settle(), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_PINNED);
}
END_TEST

START_TEST(mounted_one_that_cannot_be_read_changes_nothing) {
  pinned[0] = (struct netns_sums){.ino = 1, .inuse = 40, .alloc = 230};
  pinned_num = 1;
  alloc = 230;
  set_sums("a", 60, 30);
  ck_assert_int_eq(read_with(90), 100);
  alloc = pinned[0].alloc = 135;
  set_sums("a", 60, 30);
  pinned_num = 0;
  read_error = -ENOMEM;
  for (unsigned i = 0; i < 4 * UNHASHED_SUMS_READS; i++)
    ck_assert_int_eq(read_with(90), 100);
  pinned_num = 1;
  read_error = 0;
  ck_assert_int_eq(read_with(90), 5);
}
END_TEST

START_TEST(a_pid_namespace_of_its_own_is_a_gap) {
  temp_tree_delete(&proc, "/self/ns/pid");
  temp_tree_link(&proc, "/self/ns/pid", "pid:[4026532400]");
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_PID_NAMESPACE);
  ck_assert_ptr_nonnull(strstr(why(), "PID namespace"));
  ck_assert_uint_eq(walks, 0);
}
END_TEST

START_TEST(hidden_processes_are_a_gap) {
  end_process(1);
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_HIDDEN);
  add_process(1, "a");
  ck_assert_int_eq(read_with(90), 60);
  refused = 20;
  alloc += 100;
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_HIDDEN);
  ck_assert_ptr_nonnull(strstr(why(), "hidepid"));
}
END_TEST

START_TEST(no_proc_is_a_gap) {
  temp_tree_delete(&proc, "/self/ns/pid");
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_FILES);
  ck_assert_int_eq(unhashed->error, -ENOENT);
  ck_assert_ptr_null(why());
}
END_TEST

START_TEST(too_many_processes_are_a_gap) {
  more_processes = UNHASHED_PROCESSES_MAX - 2;
  ck_assert_int_eq(read_with(90), 60);
  more_processes++;
  alloc += 100;
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_PROCESSES);
  ck_assert_ptr_nonnull(strstr(why(), "32768 processes"));
  /* Another reason is another error: it is said at once. */
  ck_assert_int_eq(unhashed->error, -E2BIG);
}
END_TEST

START_TEST(too_many_namespaces_are_a_gap) {
  pinned_num = UNHASHED_NAMESPACES_MAX;
  for (size_t i = 0; i < pinned_num; i++)
    pinned[i] = (struct netns_sums){.ino = i + 1, .alloc = 150};
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_NAMESPACES);
  ck_assert_ptr_nonnull(strstr(why(), "1024 network namespaces"));
  ck_assert_int_eq(unhashed->error, -ENOSPC);
  pinned_num--;
  ck_assert_int_eq(read_with(90), 60);
  set_sums("b", 5, 2);
  add_process(30, "b");
  for (int i = 0; i < 2; i++) {
    now += UNHASHED_PATIENCE;
    read_with(90);
  }
  ck_assert_int_eq(unhashed->value, PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_NAMESPACES);
  /* What was known until then takes no place. */
  pinned_num = 0;
  alloc = 157;
  set_sums("a", 60, 30);
  set_sums("b", 5, 2);
  ck_assert_int_eq(read_with(90), 60);
}
END_TEST

START_TEST(namespace_that_cannot_be_entered_is_a_gap) {
  read_error = -EPERM;
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_PINNED);
  const char *what, *reason = unhashed_strerror(unhashed, &what);
  ck_assert_str_eq(what, "/run/netns/a");
  ck_assert_str_eq(reason, netns_strerror(-EPERM));
  read_error = 0;
  ck_assert_int_eq(read_with(90), 60);
  find_error = -ENOSPC;
  alloc += 100;
  ck_assert_int_eq(read_with(90), PROC_UNKNOWN);
  ck_assert_int_eq(unhashed->gap, UNHASHED_NAMESPACES);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {
      number_is_alloc_less_inuse_of_both_families,
      each_namespace_counts_once,
      no_ipv6_is_none_in_use,
      it_is_never_negative,
      fall_needs_no_walk,
      fall_that_is_none_when_read_again_is_none,
      nor_is_one_of_several_namespaces,
      nor_is_one_that_cannot_be_read_again,
      rise_is_looked_into,
      sockets_of_a_new_namespace_are_no_rise,
      walks_are_few_however_often_it_rises,
      a_walk_that_is_due_lets_one_more_rise_be_looked_into,
      rise_that_may_not_be_looked_into_is_not_reported,
      long_interval_has_a_walk_in_each_read,
      where_there_is_none_no_walk_is_needed,
      another_process_stands_for_the_namespace_when_one_ends,
      process_that_changes_its_namespace_is_noticed,
      orphans_of_an_ended_namespace_are_none,
      after_a_gap_those_of_before_are_not_known,
      namespaces_that_keep_ending_do_not_hide_a_rise,
      more_than_the_orphans_is_a_rise,
      namespace_without_process_counts,
      many_namespaces_are_read_in_few_reads,
      many_namespaces_without_any_are_read_when_a_walk_would_be,
      sums_that_cannot_be_read_change_nothing,
      a_process_that_has_ended_does_not_keep_the_number,
      where_there_was_none_it_is_a_gap_at_the_next_walk,
      mounted_one_that_cannot_be_read_changes_nothing,
      a_pid_namespace_of_its_own_is_a_gap,
      hidden_processes_are_a_gap,
      no_proc_is_a_gap,
      too_many_processes_are_a_gap,
      too_many_namespaces_are_a_gap,
      namespace_that_cannot_be_entered_is_a_gap,
  };
  Suite *suite = suite_create("unhashed");
  TCase *tcase = tcase_create("unhashed");
  tcase_add_checked_fixture(tcase, start, end);
  for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
    tcase_add_test(tcase, tests[i]);
  tcase_add_loop_test(tcase, small_rise_waits_for_its_time, 0, CASES(small));
  tcase_add_loop_test(tcase, of_what_was_read_twice_the_smaller_number_counts,
                      0, 3);
  suite_add_tcase(suite, tcase);
  return check_main_forked(suite);
}
