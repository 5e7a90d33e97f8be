/* notice.c: when something is said of stuck sockets, and the words. */
#include "notice.h"

#include "check_main.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define HELD_MEANING                                                           \
  "tcp_fin_timeout does not end them: the application has shut down its side " \
  "and not closed the socket."
#define CLOSE_WAIT_MEANING                                                     \
  "The peer has closed; the application here has not, and no timeout ends "    \
  "that."

/* Events are written as letters: '-' none, 'S' stuck, 'O' over. */
static const struct {
  const char *name;
  uint32_t limit;
  uint32_t stuck[12]; /* read by read */
  const char *events;
} sequences[] = {
    {"never any", 10, {0, 0, 0, 0}, "----"},
    {"below", 10, {9, 9, 9, 9}, "----"},
    {"at the limit", 10, {10, 10, 10, 10}, "-S--"},
    {"above", 10, {11, 4000000000, 11}, "-S-"},
    {"from below", 10, {0, 9, 10, 10, 10}, "---S-"},
    {"once above", 10, {10, 9, 9}, "---"},
    {"flapping", 10, {10, 9, 10, 9, 10, 0, 10, 0}, "--------"},
    {"it gets more and less, above", 10, {10, 90, 11, 500, 10}, "-S---"},
    {"over", 10, {10, 10, 9, 9, 0}, "-SO--"},
    {"over at once, from many", 10, {900, 900, 0, 0}, "-SO-"},
    {"over, then once above", 10, {10, 10, 9, 10, 9, 9}, "-SO---"},
    {"over, then again", 10, {10, 10, 9, 10, 10, 10, 9, 9}, "-SO-S-O-"},
    {"over only once it flaps", 10, {10, 10, 9, 10, 9, 10, 10, 9}, "-SO---SO"},
    {"limit 1", 1, {0, 1, 1, 1, 0, 0}, "--S-O-"},
    {"limit 1, many", 1, {70, 70, 1, 0, 1, 0}, "-S-O--"},
    {"greatest limit", UINT32_MAX, {UINT32_MAX - 1, UINT32_MAX - 1}, "--"},
    {"greatest number",
     UINT32_MAX,
     {UINT32_MAX, UINT32_MAX, UINT32_MAX - 1},
     "-SO"},
};

START_TEST(it_speaks_from_the_second_read_on_and_once) {
  static const char letters[] = {
      [NOTICE_NONE] = '-', [NOTICE_STUCK] = 'S', [NOTICE_OVER] = 'O'};
  struct notice notice = {0};
  char events[16] = "";
  for (size_t i = 0; i < strlen(sequences[_i].events); i++)
    events[i] = letters[notice_update(&notice, sequences[_i].stuck[i],
                                      sequences[_i].limit)];
  ck_assert_msg(strcmp(events, sequences[_i].events) == 0, "%s: %s, not %s",
                sequences[_i].name, events, sequences[_i].events);
}
END_TEST

START_TEST(it_stays_silent_for_as_long_as_it_lasts) {
  struct notice notice = {0};
  notice_update(&notice, 5, 5);
  ck_assert_int_eq(notice_update(&notice, 5, 5), NOTICE_STUCK);
  for (int read = 0; read < 100000; read++)
    ck_assert_int_eq(notice_update(&notice, 6, 5), NOTICE_NONE);
  ck_assert_int_eq(notice_update(&notice, 4, 5), NOTICE_OVER);
}
END_TEST

/* What a text is made of, as a table can hold it. */
struct facts {
  uint8_t state;
  uint32_t num;
  int64_t after;
  double oldest;
  struct holder holders[NOTICE_HOLDERS]; /* up to the first of none */
  const char *paths[NOTICE_HOLDERS];
  const char *processes; /* NULL: "" */
};

/* Writes the text into exactly size bytes, so that a sanitizer sees more. */
static char *write_text(const struct facts *facts, size_t size) {
  const struct holder *holders[NOTICE_HOLDERS];
  size_t num = 0;
  for (; num < NOTICE_HOLDERS && facts->holders[num].num > 0; num++)
    holders[num] = &facts->holders[num];
  const struct notice_stuck what = {
      .state = facts->state,
      .num = facts->num,
      .after = facts->after,
      .oldest = facts->oldest,
      .holders = holders,
      .holders_num = num,
      .paths = facts->paths,
      .processes = facts->processes == NULL ? "" : facts->processes,
  };
  char *text = malloc(size);
  ck_assert_ptr_nonnull(text);
  memset(text, '#', size);
  notice_text_stuck(text, size, &what);
  ck_assert_ptr_nonnull(memchr(text, '\0', size));
  return text;
}

#define LOCAL(port_, num_)                                                     \
  { .local = true, .port = (port_), .num = (num_) }
#define REMOTE(port_, num_)                                                    \
  { .port = (port_), .num = (num_) }

/* Paths are made of letters that are no hexadecimal digits. */
#define TEN "ghijklmnop"
#define DIR_10 "/ghijklmno"
#define DIR_40 DIR_10 DIR_10 DIR_10 DIR_10
#define DIR_50 DIR_40 DIR_10
#define DIR_60 DIR_50 DIR_10
#define DIR_250 DIR_50 DIR_50 DIR_50 DIR_50 DIR_50

#define HELD(...)                                                              \
  { .state = TCP_FIN_WAIT2, .after = 60, .oldest = 61, __VA_ARGS__ }
#define CLOSE_WAIT(...)                                                        \
  { .state = TCP_CLOSE_WAIT, .after = 60, .oldest = 61, __VA_ARGS__ }
#define HELD_TIME "held in FIN_WAIT2 for more than 60 s (oldest 61 s)"
#define CLOSE_WAIT_TIME "in CLOSE_WAIT for more than 60 s (oldest 61 s)"

static const struct {
  struct facts facts;
  const char *expected;
} texts[] = {
    {HELD(.num = 1), "1 socket " HELD_TIME ". " HELD_MEANING},
    {HELD(.num = 2), "2 sockets " HELD_TIME ". " HELD_MEANING},
    {CLOSE_WAIT(.num = 1), "1 socket " CLOSE_WAIT_TIME ". " CLOSE_WAIT_MEANING},
    {{.state = TCP_CLOSE_WAIT,
      .num = UINT32_MAX,
      .after = 31536000,
      .oldest = 4294967.295},
     "4294967295 sockets in CLOSE_WAIT for more than 31536000 s (oldest "
     "49 d 17 h). " CLOSE_WAIT_MEANING},
    {HELD(.num = 5, .holders = {LOCAL(443, 5)}),
     "5 sockets " HELD_TIME ": 5 on local port 443. " HELD_MEANING},
    {HELD(.num = 5, .holders = {REMOTE(65535, 5)}, .paths = {"/"}),
     "5 sockets " HELD_TIME ": 5 in / to remote port 65535. " HELD_MEANING},
    {CLOSE_WAIT(.num = 35, .holders = {REMOTE(443, 30), LOCAL(8080, 5)},
                .paths = {"/system.slice/api.service", "/a"}),
     "35 sockets " CLOSE_WAIT_TIME ": 30 in system.slice/api.service to remote "
     "port 443, 5 in a on local port 8080. " CLOSE_WAIT_MEANING},
    {CLOSE_WAIT(.num = 6, .holders = {LOCAL(1, 3), LOCAL(2, 2), REMOTE(3, 1)},
                .paths = {NULL, "/b", NULL}),
     "6 sockets " CLOSE_WAIT_TIME ": 3 on local port 1, 2 in b on local port "
     "2, 1 to remote port 3. " CLOSE_WAIT_MEANING},
    {CLOSE_WAIT(.num = 7, .holders = {LOCAL(1, 7)}, .paths = {"/a"},
                .processes = "curl[4711]"),
     "7 sockets " CLOSE_WAIT_TIME
     ": 7 in a on local port 1 (curl[4711]). " CLOSE_WAIT_MEANING},
    {CLOSE_WAIT(.num = 7, .processes = "a[1], b[22]"),
     "7 sockets " CLOSE_WAIT_TIME " (a[1], b[22]). " CLOSE_WAIT_MEANING},
    /* The list has room for 93 characters, of which ": 6 in a on local port 1"
     * takes 24 and ", 2 in  on local port 2" 23: there is one for a path of
     * 46. */
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 2), LOCAL(3, 1)},
          .paths = {"/a", "/ghijkl" DIR_40, "/c"}),
     "9 sockets " HELD_TIME ": 6 in a on local port 1, 2 in ghijkl" DIR_40
     " on local port 2. " HELD_MEANING},
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 2), LOCAL(3, 1)},
          .paths = {"/a", "/ghijklm" DIR_40, "/c"}),
     "9 sockets " HELD_TIME ": 6 in a on local port 1, 2 on local port 2, 1 in "
     "c on local port 3. " HELD_MEANING},
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 2), LOCAL(3, 1)},
          .paths = {"/a", DIR_250, DIR_250}, .processes = "c[3]"),
     "9 sockets " HELD_TIME ": 6 in a on local port 1, 2 on local port 2, 1 on "
     "local port 3 (c[3]). " HELD_MEANING},
    /* ": 6 in  on local port 1" takes 23 and ", 3 on local port 2" 19: both are
     * told when the first one's path has 51. */
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 3)},
          .paths = {"/g" DIR_50, "/b"}),
     "9 sockets " HELD_TIME ": 6 in g" DIR_50
     " on local port 1, 3 on local port 2. " HELD_MEANING},
    /* One character less, and there is room for processes of 15. */
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 3)},
          .paths = {"/gh" DIR_50, "/b"}, .processes = "quite-long[345]"),
     "9 sockets " HELD_TIME ": 6 in gh" DIR_50
     " on local port 1 (quite-long[345]). " HELD_MEANING},
    {HELD(.num = 9, .holders = {LOCAL(1, 6), LOCAL(2, 3)},
          .paths = {"/gh" DIR_50, NULL}, .processes = "much-too-long[3]"),
     "9 sockets " HELD_TIME ": 6 in gh" DIR_50
     " on local port 1. " HELD_MEANING},
    /* Not even the first one's path fits. */
    {HELD(.num = 99999, .holders = {REMOTE(65535, 99990), LOCAL(1, 9)},
          .paths = {"/ghij" DIR_60, "/a"}, .processes = "c[3]"),
     "99999 sockets " HELD_TIME ": 99990 to remote port 65535, 9 in a on local "
     "port 1 (c[3]). " HELD_MEANING},
};

START_TEST(text_says_how_many_how_long_who_and_what_it_means) {
  char *text = write_text(&texts[_i].facts, NOTICE_TEXT_SIZE);
  ck_assert_str_eq(text, texts[_i].expected);
  free(text);
}
END_TEST

#define HEX_16 "0123456789abcdef"
#define HEX_64 HEX_16 HEX_16 HEX_16 HEX_16
#define UUID(sep) "3f8a2c1e" sep "7b4d" sep "4e6f" sep "9a0b" sep "1c2d3e4f5a6b"

static const struct {
  const char *path;
  const char *shown;
} paths[] = {
    {"", "/"},
    {"/", "/"},
    {"/a", "a"},
    {"/system.slice/api.service", "system.slice/api.service"},
    /* Container ids */
    {"/system.slice/docker-" HEX_64 ".scope",
     "system.slice/docker-0123456789ab.scope"},
    {"/docker/" HEX_64, "docker/0123456789ab"},
    {"/" HEX_64, "0123456789ab"},
    {"/" HEX_16 "fedcba987654321/x", HEX_16 "fedcba987654321/x"}, /* 31 */
    {"/" HEX_16 "fedcba9876543210/x", "0123456789ab/x"},          /* 32 */
    {"/" HEX_16 "fedcba98765432100/x", "0123456789ab/x"},         /* 33 */
    {"/lxc/" HEX_16 HEX_16 "/docker/" HEX_64 "/init.scope",
     "lxc/0123456789ab/docker/0123456789ab/init.scope"},
    {"/" HEX_16 "/" HEX_16 "-" HEX_16, HEX_16 "/" HEX_16 "-" HEX_16},
    {"/machine.slice/" UUID("-"), "machine.slice/" UUID("-")},
    /* Kubernetes: 229 and 124 characters */
    {"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
     "kubelet-kubepods-burstable-pod" UUID("_") ".slice/cri-containerd-" HEX_64
                                                ".scope",
     ".../cri-containerd-0123456789ab.scope"},
    {"/kubepods/burstable/pod" UUID("-") "/" HEX_64,
     ".../burstable/pod" UUID("-") "/0123456789ab"},
    /* 64, 65, 65 with a "/" 64 before the end, and 254 */
    {"/ghij" DIR_60, "ghij" DIR_60},
    {"/ghijk" DIR_60, "..." DIR_60},
    {"/g/hij" DIR_60, ".../hij" DIR_60},
    {"/ghij" DIR_250, "..." DIR_60},
    /* 64 and 65 with the id in its short form */
    {"/" HEX_64 "gh" DIR_50, "0123456789abgh" DIR_50},
    {"/" HEX_64 "ghi" DIR_50, "..." DIR_50},
    /* 64 and 65 without a "/" to begin at */
    {"/ghij" TEN TEN TEN TEN TEN TEN, "ghij" TEN TEN TEN TEN TEN TEN},
    {"/zghij" TEN TEN TEN TEN TEN TEN, "...ghij" TEN TEN TEN TEN TEN TEN},
};

START_TEST(long_path_is_shown_short) {
  const struct facts facts = CLOSE_WAIT(.num = 9, .holders = {REMOTE(443, 9)},
                                        .paths = {paths[_i].path});
  char *text = write_text(&facts, NOTICE_TEXT_SIZE);
  char expected[2 * NOTICE_TEXT_SIZE];
  snprintf(expected, sizeof(expected),
           "9 sockets " CLOSE_WAIT_TIME
           ": 9 in %s to remote port 443. " CLOSE_WAIT_MEANING,
           paths[_i].shown);
  ck_assert_str_eq(text, expected);
  free(text);
}
END_TEST

static const struct {
  double oldest;
  const char *shown;
} ages[] = {
    {0, "0 s"},
    {0.999, "0 s"},
    {1, "1 s"},
    {119, "119 s"},
    {119.999, "119 s"},
    {120, "2 min"},
    {179.999, "2 min"},
    {180, "3 min"},
    {3600, "60 min"},
    {7199.999, "119 min"},
    {7200, "2 h 0 min"},
    {7259.999, "2 h 0 min"},
    {7260, "2 h 1 min"},
    {86400, "24 h 0 min"},
    {172799.999, "47 h 59 min"},
    {172800, "2 d 0 h"},
    {176399.999, "2 d 0 h"},
    {176400, "2 d 1 h"},
    {259199.999, "2 d 23 h"},
    {259200, "3 d 0 h"},
    {4294967.295, "49 d 17 h"},
};

START_TEST(age_is_shown_in_the_unit_that_fits) {
  const struct facts facts = {
      .state = TCP_FIN_WAIT2, .num = 2, .oldest = ages[_i].oldest};
  char *text = write_text(&facts, NOTICE_TEXT_SIZE);
  char expected[NOTICE_TEXT_SIZE];
  snprintf(expected, sizeof(expected), "(oldest %s). ", ages[_i].shown);
  ck_assert_msg(strstr(text, expected) != NULL, "%f: %s", ages[_i].oldest,
                text);
  free(text);
}
END_TEST

/* A path without container ids as it is to be shown. */
static void expect_path(const char *path, char *out, size_t out_size) {
  path += path[0] == '/';
  if (strlen(path) <= 64) {
    snprintf(out, out_size, "%s", path[0] == '\0' ? "/" : path);
    return;
  }
  const char *from = path + strlen(path) - 64;
  for (const char *c = path + strlen(path); c >= from; c--)
    if (*c == '/')
      path = c;
  snprintf(out, out_size, "...%s", path[0] == '/' ? path : from);
}

/* The longest text that fits if nothing may be left out but paths, else whole
 * holders from the end, and the processes. */
static void expect_text(const struct facts *facts, size_t size, char *out,
                        size_t out_size) {
  bool held = facts->state == TCP_FIN_WAIT2;
  const char *end = held ? HELD_MEANING : CLOSE_WAIT_MEANING;
  char list[4096];
  snprintf(list, sizeof(list),
           "%u sockets %s for more than %lld s (oldest 5 min)", facts->num,
           held ? "held in FIN_WAIT2" : "in CLOSE_WAIT",
           (long long)facts->after);
  size_t room = size - 1 - strlen(". ") - strlen(end);
  for (size_t i = 0; i < NOTICE_HOLDERS; i++) {
    const struct holder *h = &facts->holders[i];
    char path[512], where[64], with[1024], without[128];
    expect_path(facts->paths[i], path, sizeof(path));
    snprintf(where, sizeof(where), "%s %u",
             h->local ? "on local port" : "to remote port", h->port);
    const char *comma = i == 0 ? ": " : ", ";
    snprintf(with, sizeof(with), "%s%u in %s %s", comma, h->num, path, where);
    snprintf(without, sizeof(without), "%s%u %s", comma, h->num, where);
    if (strlen(list) + strlen(with) <= room)
      strcat(list, with);
    else if (strlen(list) + strlen(without) <= room)
      strcat(list, without);
    else
      break;
  }
  const char *processes = facts->processes;
  bool fits = processes[0] != '\0' &&
              strlen(list) + strlen(" ()") + strlen(processes) <= room;
  snprintf(out, out_size, "%s%s%s%s. %s", list, fits ? " (" : "",
           fits ? processes : "", fits ? ")" : "", end);
}

static void check_text(const struct facts *facts, size_t size) {
  char expected[8192];
  expect_text(facts, size, expected, sizeof(expected));
  char *text = write_text(facts, size);
  ck_assert_msg(strcmp(text, expected) == 0,
                "%zu bytes, paths of %zu and %zu characters, processes of "
                "%zu:\n is %s\nnot %s",
                size, strlen(facts->paths[0]), strlen(facts->paths[1]),
                strlen(facts->processes), text, expected);
  const char *end =
      facts->state == TCP_FIN_WAIT2 ? HELD_MEANING : CLOSE_WAIT_MEANING;
  ck_assert_uint_lt(strlen(text), size);
  ck_assert_str_eq(text + strlen(text) - strlen(end), end);
  free(text);
}

static const uint8_t states[] = {TCP_FIN_WAIT2, TCP_CLOSE_WAIT};

/* Fills it with a path of len characters, of names of up to name_len. */
static const char *make_path(char *path, size_t len, size_t name_len) {
  for (size_t i = 0; i < len; i++)
    path[i] = i % (name_len + 1) == 0 ? '/' : 'p';
  if (len > 1)
    path[len - 1] = 'p';
  path[len] = '\0';
  return path;
}

START_TEST(holders_and_processes_are_there_whole_or_not_at_all) {
  char first_path[256], second_path[256], processes[512];
  struct facts facts = {
      .state = states[_i],
      .num = 66,
      .after = 60,
      .oldest = 300,
      .holders = {LOCAL(65535, 33), REMOTE(443, 22), LOCAL(1, 11)},
      .paths = {first_path, second_path, "/x"},
      .processes = processes,
  };
  static const size_t lens[] = {0, 1, 2, 3, 20, 45, 64, 65, 66, 100, 255};
  static const size_t processes_lens[] = {0, 1, 2, 19, 44, 99, 253, 254, 399};
  for (size_t first = 0; first < sizeof(first_path); first++)
    for (int second = 0; second < CASES(lens); second++)
      for (int num = 0; num < CASES(processes_lens); num++) {
        make_path(first_path, first, 29);
        make_path(second_path, lens[second], 255);
        memset(processes, 'p', processes_lens[num]);
        processes[processes_lens[num]] = '\0';
        check_text(&facts, NOTICE_TEXT_SIZE);
      }
}
END_TEST

START_TEST(a_greater_buffer_holds_more_of_the_list) {
  char path[256], processes[] = "curl[4711], nginx[80]";
  struct facts facts = {
      .state = states[_i],
      .num = 66,
      .after = 60,
      .oldest = 300,
      .holders = {LOCAL(65535, 33), REMOTE(443, 22), LOCAL(1, 11)},
      .paths = {"/a", make_path(path, 255, 9), "/c"},
      .processes = processes,
  };
  for (size_t size = 170; size < 700; size++)
    check_text(&facts, size);
}
END_TEST

START_TEST(a_buffer_too_small_for_anything_is_ended_all_the_same) {
  const struct facts facts = {
      .state = states[_i],
      .num = UINT32_MAX,
      .after = 31536000,
      .oldest = 4294967.295,
      .holders = {LOCAL(65535, UINT32_MAX)},
      .paths = {"/a"},
      .processes = "a[1]",
  };
  for (size_t size = 1; size < 200; size++)
    free(write_text(&facts, size));
}
END_TEST

static const struct {
  uint8_t state;
  uint32_t num;
  uint32_t limit;
  const char *expected;
} overs[] = {
    {TCP_FIN_WAIT2, 0, 10, "0 stuck in FIN_WAIT2: fewer than 10 again."},
    {TCP_CLOSE_WAIT, 9, 10, "9 stuck in CLOSE_WAIT: fewer than 10 again."},
    {TCP_CLOSE_WAIT, 0, 1, "0 stuck in CLOSE_WAIT: fewer than 1 again."},
    {TCP_FIN_WAIT2, UINT32_MAX - 1, UINT32_MAX,
     "4294967294 stuck in FIN_WAIT2: fewer than 4294967295 again."},
    {TCP_FIN_WAIT2, 1, 10, "1 stuck in FIN_WAIT2: fewer than 10 again."},
};

START_TEST(over_says_how_many_are_left) {
  char text[NOTICE_TEXT_SIZE];
  notice_text_over(text, sizeof(text), overs[_i].state, overs[_i].num,
                   overs[_i].limit);
  ck_assert_str_eq(text, overs[_i].expected);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("notice");
  TCase *tc = tcase_create("notice");
  tcase_set_timeout(tc, 60);
  tcase_add_loop_test(tc, it_speaks_from_the_second_read_on_and_once, 0,
                      CASES(sequences));
  tcase_add_test(tc, it_stays_silent_for_as_long_as_it_lasts);
  tcase_add_loop_test(tc, text_says_how_many_how_long_who_and_what_it_means, 0,
                      CASES(texts));
  tcase_add_loop_test(tc, long_path_is_shown_short, 0, CASES(paths));
  tcase_add_loop_test(tc, age_is_shown_in_the_unit_that_fits, 0, CASES(ages));
  tcase_add_loop_test(tc, holders_and_processes_are_there_whole_or_not_at_all,
                      0, CASES(states));
  tcase_add_loop_test(tc, a_greater_buffer_holds_more_of_the_list, 0,
                      CASES(states));
  tcase_add_loop_test(tc, a_buffer_too_small_for_anything_is_ended_all_the_same,
                      0, CASES(states));
  tcase_add_loop_test(tc, over_says_how_many_are_left, 0, CASES(overs));
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
