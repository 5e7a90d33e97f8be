/* stuck.c: from the counts of a read to the text of a notification. The names
 * of control groups and processes come from directories made here; link with
 * -Wl,--wrap=cgroup_mount. */
#include "stuck.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELD_MEANING                                                           \
  "tcp_fin_timeout does not end them: the application has shut down its side " \
  "and not closed the socket."
#define CLOSE_WAIT_MEANING                                                     \
  "The peer has closed; the application here has not, and no timeout ends "    \
  "that."

static struct temp_tree cgroups, proc;
static struct cgroup_tree tree;
static bool mounted;

const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) { return mounted ? cgroups.root : NULL; }

static struct stuck stuck;
static struct settings settings;
static struct group_index group_index;
static struct holders holders;
static struct tally tally;
static struct snapshot snapshot;
static char text[NOTICE_TEXT_SIZE];

static void start(void) {
  cgroups = temp_tree_make();
  proc = temp_tree_make();
  mounted = true;
  memset(&stuck, 0, sizeof(stuck));
  memset(&group_index, 0, sizeof(group_index));
  memset(&holders, 0, sizeof(holders));
  settings = (struct settings){.stuck_after = 60, .notify_stuck = 3};
  tally = (struct tally){.stuck_after = 60000, .holders = &holders};
  tally_reset(&tally, &group_index);
  cgroup_tree_init(&tree);
  snapshot = (struct snapshot){
      .index = &group_index, .tally = &tally, .cgroups = &tree};
}

static void end(void) {
  cgroup_tree_free(&tree);
  temp_tree_remove(&cgroups);
  temp_tree_remove(&proc);
}

/* A process that holds the socket with this inode. */
static void make_process(const char *pid, const char *comm, uint32_t inode) {
  char path[64], link[32];
  snprintf(path, sizeof(path), "/%s/comm", pid);
  temp_tree_file(&proc, path, comm);
  snprintf(path, sizeof(path), "/%s/fd/3", pid);
  snprintf(link, sizeof(link), "socket:[%u]", inode);
  temp_tree_link(&proc, path, link);
}

/* Counts num sockets that are stuck at a local port. */
static void add(uint8_t state, uint32_t num, uint64_t cgroup_id, uint16_t port,
                uint32_t inode) {
  for (uint32_t i = 0; i < num; i++) {
    const struct diag_socket socket = {.state = state,
                                       .inode = inode,
                                       .local_port = port,
                                       .remote_port = 50000,
                                       .has_age = true,
                                       .age = 61000 + i,
                                       .cgroup_id = cgroup_id};
    tally_socket(&socket, &tally);
  }
}

static enum notice_event update(enum stuck_state state) {
  snprintf(text, sizeof(text), "untouched");
  cgroup_tree_refresh(&tree);
  return stuck_update(&stuck, state, &settings, &snapshot, proc.root, text);
}

static void check_silence(enum stuck_state state) {
  ck_assert_int_eq(update(state), NOTICE_NONE);
  ck_assert_str_eq(text, "untouched");
}

static void check_stuck(enum stuck_state state, const char *expected) {
  check_silence(state);
  ck_assert_int_eq(update(state), NOTICE_STUCK);
  ck_assert_str_eq(text, expected);
}

static const struct {
  uint8_t tcp_state;
  const char *value;
  const char *text; /* of 3 sockets */
  const char *over; /* of 2 */
} states[] = {
    [STUCK_FIN_WAIT2] =
        {TCP_FIN_WAIT2, "fin_wait2_stuck",
         "3 sockets held in FIN_WAIT2 for more than 60 s (oldest 61 s): 3 on "
         "local port 443. " HELD_MEANING,
         "2 stuck in FIN_WAIT2: fewer than 3 again."},
    [STUCK_CLOSE_WAIT] =
        {TCP_CLOSE_WAIT, "close_wait_stuck",
         "3 sockets in CLOSE_WAIT for more than 60 s (oldest 61 s): 3 on local "
         "port 443. " CLOSE_WAIT_MEANING,
         "2 stuck in CLOSE_WAIT: fewer than 3 again."},
};

/* What the next read finds. */
static void set_stuck(uint8_t tcp_state, uint32_t num) {
  tally_reset(&tally, &group_index);
  add(tcp_state, num, 0, 443, 9);
}

START_TEST(stuck_sockets_are_told_in_the_second_read_and_when_they_are_over) {
  ck_assert_str_eq(stuck_name(_i), states[_i].value);
  for (int round = 0; round < 3; round++) {
    set_stuck(states[_i].tcp_state, 2);
    check_silence(_i);
    set_stuck(states[_i].tcp_state, 3);
    check_stuck(_i, states[_i].text);
    check_silence(_i);
    set_stuck(states[_i].tcp_state, 300);
    check_silence(_i);
    set_stuck(states[_i].tcp_state, 2);
    ck_assert_int_eq(update(_i), NOTICE_OVER);
    ck_assert_str_eq(text, states[_i].over);
    check_silence(_i);
  }
}
END_TEST

START_TEST(a_read_without_counts_changes_nothing) {
  set_stuck(states[_i].tcp_state, 3);
  check_silence(_i);
  snapshot.sockets_error = -ENOENT;
  for (int read = 0; read < 3; read++)
    check_silence(_i);
  snapshot.sockets_error = 0;
  ck_assert_int_eq(update(_i), NOTICE_STUCK);
  /* Nor is it over because there are none. */
  set_stuck(states[_i].tcp_state, 0);
  snapshot.sockets_error = -ETIMEDOUT;
  check_silence(_i);
  snapshot.sockets_error = 0;
  set_stuck(states[_i].tcp_state, 3);
  check_silence(_i);
  set_stuck(states[_i].tcp_state, 0);
  ck_assert_int_eq(update(_i), NOTICE_OVER);
}
END_TEST

START_TEST(without_notify_stuck_nothing_is_said) {
  settings.notify_stuck = 0;
  tally.holders = NULL; /* as snapshot_open() leaves it */
  static const uint32_t numbers[] = {0, 1, 1000000, 0, 0};
  for (int i = 0; i < CASES(numbers); i++) {
    tally.all.fin_wait2_stuck = tally.all.close_wait_stuck = numbers[i];
    check_silence(_i);
  }
}
END_TEST

START_TEST(the_states_are_told_independently) {
  enum stuck_state other =
      _i == STUCK_FIN_WAIT2 ? STUCK_CLOSE_WAIT : STUCK_FIN_WAIT2;
  set_stuck(states[_i].tcp_state, 3);
  check_silence(other);
  check_stuck(_i, states[_i].text);
  check_silence(other);
  add(states[other].tcp_state, 3, 0, 443, 10);
  check_stuck(other, states[other].text);
  check_silence(_i);
  set_stuck(states[_i].tcp_state, 2);
  add(states[other].tcp_state, 5, 0, 443, 10);
  ck_assert_int_eq(update(_i), NOTICE_OVER);
  ck_assert_str_eq(text, states[_i].over);
  check_silence(other);
}
END_TEST

START_TEST(the_three_largest_holders_are_named_by_control_group) {
  uint64_t b = temp_tree_directory(&cgroups, "/a/b.service"),
           c = temp_tree_directory(&cgroups, "/c");
  uint64_t d = temp_tree_directory(&cgroups, "/d");
  uint64_t root = temp_tree_directory(&cgroups, "");
  add(TCP_CLOSE_WAIT, 1, d, 1, 9);
  add(TCP_CLOSE_WAIT, 2, c, 2, 9);
  add(TCP_CLOSE_WAIT, 4, b, 4, 9);
  add(TCP_CLOSE_WAIT, 3, root, 3, 9);
  add(TCP_FIN_WAIT2, 9, d, 9, 9);
  check_stuck(STUCK_CLOSE_WAIT,
              "10 sockets in CLOSE_WAIT for more than 60 s (oldest 61 s): 4 in "
              "a/b.service on local port 4, 3 in / on local port 3, 2 in c on "
              "local port 2. " CLOSE_WAIT_MEANING);
}
END_TEST

START_TEST(a_control_group_that_is_not_known_is_left_out) {
  uint64_t gone = temp_tree_directory(&cgroups, "/gone");
  mounted = _i < 2;
  if (_i == 1)
    temp_tree_delete(&cgroups, "/gone");
  add(TCP_CLOSE_WAIT, 3, _i == 0 ? 0 : gone, 443, 9);
  check_stuck(STUCK_CLOSE_WAIT, states[STUCK_CLOSE_WAIT].text);
}
END_TEST

START_TEST(a_control_group_that_was_named_is_known_when_it_is_gone) {
  uint64_t gone = temp_tree_directory(&cgroups, "/gone");
  add(TCP_CLOSE_WAIT, 3, gone, 443, 9);
  add(TCP_FIN_WAIT2, 3, gone, 443, 9);
  for (int state = STUCK_STATES - 1; state >= 0; state--) {
    check_silence(state);
    ck_assert_int_eq(update(state), NOTICE_STUCK);
    ck_assert_msg(strstr(text, ": 3 in gone on local port 443.") != NULL, "%s",
                  text);
    if (state > 0)
      temp_tree_delete(&cgroups, "/gone");
  }
}
END_TEST

START_TEST(processes_are_named_only_when_asked_for) {
  make_process("4711", "curl", 9);
  make_process("80", "nginx", 10);
  add(TCP_CLOSE_WAIT, 3, 0, 443, 9);
  add(TCP_FIN_WAIT2, 3, 0, 443, 10);
  settings.notify_processes = _i;
  check_silence(STUCK_CLOSE_WAIT);
  update(STUCK_CLOSE_WAIT);
  ck_assert_int_eq(strstr(text, "local port 443 (curl[4711]). ") != NULL, _i);
  check_silence(STUCK_FIN_WAIT2);
  update(STUCK_FIN_WAIT2);
  ck_assert_int_eq(strstr(text, "local port 443 (nginx[80]). ") != NULL, _i);
}
END_TEST

START_TEST(control_characters_in_names_become_question_marks) {
  make_process("4711", "a\tb\033[31m\x7f\xc3\xb6", 9);
  add(TCP_CLOSE_WAIT, 3, temp_tree_directory(&cgroups, "/x\r\n\x01y"), 443, 9);
  settings.notify_processes = true;
  check_stuck(
      STUCK_CLOSE_WAIT,
      "3 sockets in CLOSE_WAIT for more than 60 s (oldest 61 s): 3 in "
      "x???y on local port 443 (a?b?[31m?\xc3\xb6[4711]). " CLOSE_WAIT_MEANING);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("stuck");
  TCase *tc = tcase_create("stuck");
  tcase_add_checked_fixture(tc, start, end);
  tcase_add_loop_test(
      tc, stuck_sockets_are_told_in_the_second_read_and_when_they_are_over, 0,
      STUCK_STATES);
  tcase_add_loop_test(tc, a_read_without_counts_changes_nothing, 0,
                      STUCK_STATES);
  tcase_add_loop_test(tc, without_notify_stuck_nothing_is_said, 0,
                      STUCK_STATES);
  tcase_add_loop_test(tc, the_states_are_told_independently, 0, STUCK_STATES);
  tcase_add_test(tc, the_three_largest_holders_are_named_by_control_group);
  tcase_add_loop_test(tc, a_control_group_that_is_not_known_is_left_out, 0, 3);
  tcase_add_test(tc, a_control_group_that_was_named_is_known_when_it_is_gone);
  tcase_add_loop_test(tc, processes_are_named_only_when_asked_for, 0, 2);
  tcase_add_test(tc, control_characters_in_names_become_question_marks);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
