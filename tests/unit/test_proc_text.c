/* SPDX-License-Identifier: MIT */
/* proc_text.c: the kernel's text files become numbers, or an error. */
#include "proc_text.h"

#include "check_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNTOUCHED INT64_C(-77)

static const struct proc_sockstat untouched = {UNTOUCHED, UNTOUCHED, UNTOUCHED,
                                               UNTOUCHED, UNTOUCHED};

static int sockstat_equal(const struct proc_sockstat *a,
                          const struct proc_sockstat *b) {
  return a->inuse == b->inuse && a->orphan == b->orphan && a->tw == b->tw &&
         a->alloc == b->alloc && a->mem == b->mem;
}

static void show(const struct proc_sockstat *s, char *buf, size_t size) {
  snprintf(buf, size, "inuse %jd orphan %jd tw %jd alloc %jd mem %jd",
           (intmax_t)s->inuse, (intmax_t)s->orphan, (intmax_t)s->tw,
           (intmax_t)s->alloc, (intmax_t)s->mem);
}

/* Parses the first len bytes from a buffer that ends after them. */
static int parse_sockstat(const char *text, size_t len,
                          struct proc_sockstat *out) {
  char *copy = strndup(text, len);
  ck_assert_ptr_nonnull(copy);
  *out = untouched;
  int err = proc_text_sockstat(copy, out);
  free(copy);
  return err;
}

static int parse_sockstat6(const char *text, size_t len, int64_t *inuse) {
  char *copy = strndup(text, len);
  ck_assert_ptr_nonnull(copy);
  *inuse = UNTOUCHED;
  int err = proc_text_sockstat6(copy, inuse);
  free(copy);
  return err;
}

static int parse_sysctl(const char *text, int64_t *out, size_t num) {
  char *copy = strdup(text);
  ck_assert_ptr_nonnull(copy);
  int err = proc_text_sysctl(copy, out, num);
  free(copy);
  return err;
}

static int release_at_least(const char *text, unsigned major, unsigned minor) {
  char *copy = strdup(text);
  ck_assert_ptr_nonnull(copy);
  int result = proc_text_release_at_least(copy, major, minor);
  free(copy);
  return result;
}

static const struct {
  const char *name;
  const char *text;
  struct proc_sockstat expected;
} sockstats[] = {
    {"Linux 4.9 to 7.1",
     "sockets: used 734\n"
     "TCP: inuse 27 orphan 3 tw 141 alloc 310 mem 52\n"
     "UDP: inuse 8 mem 4\n"
     "UDPLITE: inuse 0\n"
     "RAW: inuse 1\n"
     "FRAG: inuse 0 memory 0\n",
     {27, 3, 141, 310, 52}},
    {"Linux 7.2, without UDPLITE",
     "sockets: used 734\n"
     "TCP: inuse 27 orphan 3 tw 141 alloc 310 mem 52\n"
     "UDP: inuse 8 mem 4\n"
     "RAW: inuse 1\n"
     "FRAG: inuse 0 memory 0\n",
     {27, 3, 141, 310, 52}},
    {"a new namespace",
     "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\n",
     {0, 0, 0, 0, 0}},
    {"a line of its own",
     "TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n",
     {1, 2, 3, 4, 5}},
    {"in another order",
     "TCP: mem 5 alloc 4 tw 3 orphan 2 inuse 1\n",
     {1, 2, 3, 4, 5}},
    {"unknown keys at every place",
     "TCP: a 91 inuse 1 b 92 orphan 2 tw 3 c 93 alloc 4 mem 5 memory 94\n",
     {1, 2, 3, 4, 5}},
    {"keys that begin or end like known ones",
     "TCP: inuse 1 inuse6 91 use 92 t 93 tw 3 twx 94 in 95 memo 96 me 97\n",
     {1, PROC_UNKNOWN, 3, PROC_UNKNOWN, PROC_UNKNOWN}},
    {"no inuse",
     "TCP: orphan 2 tw 3 alloc 4 mem 5\n",
     {PROC_UNKNOWN, 2, 3, 4, 5}},
    {"no orphan",
     "TCP: inuse 1 tw 3 alloc 4 mem 5\n",
     {1, PROC_UNKNOWN, 3, 4, 5}},
    {"no tw",
     "TCP: inuse 1 orphan 2 alloc 4 mem 5\n",
     {1, 2, PROC_UNKNOWN, 4, 5}},
    {"no alloc",
     "TCP: inuse 1 orphan 2 tw 3 mem 5\n",
     {1, 2, 3, PROC_UNKNOWN, 5}},
    {"no mem, as Linux 2.4",
     "TCP: inuse 1 orphan 2 tw 3 alloc 4\n",
     {1, 2, 3, 4, PROC_UNKNOWN}},
    {"keys of other protocols are not TCP's",
     "sockets: used 9 inuse 91\nUDP: inuse 92 mem 93\nTCP6: inuse 94 tw 95\n"
     "TCP: orphan 2\nMPTCP: inuse 96 mem 97\n",
     {PROC_UNKNOWN, 2, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN}},
    {"\"TCP:\" inside another line",
     "X TCP: inuse 91\n TCP: inuse 92\nMPTCP: inuse 93\nTCP: inuse 1\n",
     {1, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN}},
    {"a broken line of another protocol",
     "sockets: used\nUDP: inuse x\nTCP: tw 3\nRAW: inuse\n",
     {PROC_UNKNOWN, PROC_UNKNOWN, 3, PROC_UNKNOWN, PROC_UNKNOWN}},
    {"tabs and several blanks",
     "TCP:\tinuse\t1  orphan   2 \ttw 3\t alloc 4 mem 5 \t\n",
     {1, 2, 3, 4, 5}},
    {"the greatest numbers",
     "TCP: inuse 2147483647 orphan 2147483647 tw 2147483647 alloc 2147483647 "
     "mem 9223372036854775807\n",
     {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT64_MAX}},
};

START_TEST(sockstat_gives_the_numbers_of_the_line_tcp) {
  struct proc_sockstat out;
  const char *text = sockstats[_i].text;
  int err = parse_sockstat(text, strlen(text), &out);
  ck_assert_msg(err == 0, "%s: %d", sockstats[_i].name, err);
  char shown[160];
  show(&out, shown, sizeof(shown));
  ck_assert_msg(sockstat_equal(&out, &sockstats[_i].expected), "%s: %s",
                sockstats[_i].name, shown);
}
END_TEST

static const struct {
  const char *name;
  const char *text;
  int err;
} bad_sockstats[] = {
    {"empty", "", -ENODATA},
    {"a newline", "\n", -ENODATA},
    {"only newlines", "\n\n\n", -ENODATA},
    {"no line TCP", "sockets: used 1\nUDP: inuse 8 mem 4\n", -ENODATA},
    {"only TCP6", "TCP6: inuse 14\n", -ENODATA},
    {"TCP without colon", "TCP inuse 1\n", -ENODATA},
    {"tcp in lower case", "tcp: inuse 1\n", -ENODATA},
    {"TCP: not at the start of its line", " TCP: inuse 1\n", -ENODATA},
    {"cut in the label", "sockets: used 1\nTCP", -ENODATA},
    {"one key without number", "TCP: inuse\n", -EBADMSG},
    {"no newline at the end", "TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5",
     -EBADMSG},
    {"the last key without number", "TCP: inuse 1 orphan\n", -EBADMSG},
    {"a key in the middle lost its number", "TCP: inuse orphan 2 tw 3\n",
     -EBADMSG},
    {"its number is on the next line", "TCP: inuse\n27 orphan 3\n", -EBADMSG},
    {"the next line does not continue it", "TCP: inuse 1 tw\nUDP: inuse 8\n",
     -EBADMSG},
    {"the first key lost its name", "TCP: 27 orphan 3 tw 141\n", -EBADMSG},
    {"an unknown key without number", "TCP: inuse 1 new orphan 2\n", -EBADMSG},
    {"negative", "TCP: inuse 27 orphan -1 tw 0 alloc 0 mem 0\n", -EBADMSG},
    {"negative zero", "TCP: inuse -0\n", -EBADMSG},
    {"a plus sign", "TCP: inuse +1\n", -EBADMSG},
    {"one above the maximum", "TCP: mem 9223372036854775808\n", -EBADMSG},
    {"20 digits", "TCP: mem 99999999999999999999\n", -EBADMSG},
    {"-1 as unsigned", "TCP: mem 18446744073709551615\n", -EBADMSG},
    {"an unknown key with 20 digits", "TCP: inuse 1 x 99999999999999999999\n",
     -EBADMSG},
    {"a fraction", "TCP: inuse 1.5\n", -EBADMSG},
    {"hexadecimal", "TCP: inuse 0x1b\n", -EBADMSG},
    {"a letter after the number", "TCP: inuse 27k\n", -EBADMSG},
    {"a carriage return", "TCP: inuse 27\r\n", -EBADMSG},
    {"the first of two lines TCP is broken", "TCP: inuse\nTCP: inuse 1\n",
     -EBADMSG},
};

START_TEST(a_broken_sockstat_is_refused_and_the_output_untouched) {
  struct proc_sockstat out;
  const char *text = bad_sockstats[_i].text;
  int err = parse_sockstat(text, strlen(text), &out);
  ck_assert_msg(err == bad_sockstats[_i].err, "%s: %d", bad_sockstats[_i].name,
                err);
  ck_assert_msg(sockstat_equal(&out, &untouched), "%s: output touched",
                bad_sockstats[_i].name);
}
END_TEST

static const char whole[] = "sockets: used 734\n"
                            "TCP: inuse 27 orphan 36 tw 141 alloc 310 mem 52\n"
                            "UDP: inuse 8 mem 4\n";

/* A field of the line TCP in whole. */
static const struct {
  const char *text;
  size_t offset; /* in struct proc_sockstat */
} whole_fields[] = {
    {" inuse 27", offsetof(struct proc_sockstat, inuse)},
    {" orphan 36", offsetof(struct proc_sockstat, orphan)},
    {" tw 141", offsetof(struct proc_sockstat, tw)},
    {" alloc 310", offsetof(struct proc_sockstat, alloc)},
    {" mem 52", offsetof(struct proc_sockstat, mem)},
};

/* What is known of a text that is cut after len bytes. */
START_TEST(a_sockstat_cut_anywhere_never_gives_a_wrong_number) {
  size_t label = (size_t)(strstr(whole, "TCP:") - whole);
  for (size_t len = 0; len < sizeof(whole); len++) {
    struct proc_sockstat out;
    int err = parse_sockstat(whole, len, &out);
    if (len < label + strlen("TCP:")) {
      ck_assert_msg(err == -ENODATA, "cut at %zu: %d", len, err);
      continue;
    }
    int lost_value = 0;
    size_t start = label + strlen("TCP:");
    for (int i = 0; i < CASES(whole_fields); i++) {
      const char *field = whole_fields[i].text;
      size_t end = start + strlen(field);
      size_t digits = start + strcspn(field, "0123456789");
      lost_value = lost_value || (len > start + 1 && len <= digits);
      int64_t value;
      memcpy(&value, (const char *)&out + whole_fields[i].offset,
             sizeof(value));
      int64_t full = strtol(strpbrk(field, "0123456789"), NULL, 10);
      if (err == 0 && len >= end)
        ck_assert_msg(value == full, "cut at %zu:%s: %jd", len, field,
                      (intmax_t)value);
      if (err == 0 && len <= digits)
        ck_assert_msg(value == PROC_UNKNOWN, "cut at %zu:%s: %jd", len, field,
                      (intmax_t)value);
      start = end;
    }
    if (lost_value)
      ck_assert_msg(err == -EBADMSG, "cut at %zu: %d", len, err);
    else if (len > start)
      ck_assert_msg(err == 0, "cut at %zu: %d", len, err);
    if (err != 0)
      ck_assert_msg(sockstat_equal(&out, &untouched), "cut at %zu", len);
  }
}
END_TEST

START_TEST(one_byte_changed_to_garbage_never_ends_the_program) {
  static const char garbage[] = "\n\t -x9:\x80\xff";
  for (size_t i = 0; i < sizeof(whole) - 1; i++)
    for (size_t k = 0; k < sizeof(garbage); k++) {
      char text[sizeof(whole)];
      memcpy(text, whole, sizeof(text));
      text[i] = garbage[k];
      struct proc_sockstat out;
      int err = parse_sockstat(text, sizeof(text), &out);
      if (err != 0 && err != -ENODATA && err != -EBADMSG)
        ck_abort_msg("byte %zu is %d: %d", i, garbage[k], err);
      if (err != 0 && !sockstat_equal(&out, &untouched))
        ck_abort_msg("byte %zu is %d: output touched", i, garbage[k]);
    }
}
END_TEST

static const struct {
  const char *name;
  const char *text;
  int err;
  int64_t inuse;
} sockstats6[] = {
    {"Linux 4.9 to 7.1",
     "TCP6: inuse 14\nUDP6: inuse 5\nUDPLITE6: inuse 0\nRAW6: inuse 2\n"
     "FRAG6: inuse 0 memory 0\n",
     0, 14},
    {"Linux 7.2, without UDPLITE6",
     "TCP6: inuse 14\nUDP6: inuse 5\nRAW6: inuse 2\n"
     "FRAG6: inuse 0 memory 0\n",
     0, 14},
    {"none", "TCP6: inuse 0\n", 0, 0},
    {"no newline at the end", "TCP6: inuse 14", -EBADMSG, UNTOUCHED},
    {"a new key", "TCP6: orphan 7 inuse 14 mem 8\n", 0, 14},
    {"no inuse", "TCP6: orphan 7\n", 0, PROC_UNKNOWN},
    {"not the first line", "UDP6: inuse 5\nTCP6: inuse 14\n", 0, 14},
    {"empty", "", -ENODATA, UNTOUCHED},
    {"sockstat instead", "TCP: inuse 27 orphan 3\n", -ENODATA, UNTOUCHED},
    {"only UDP6", "UDP6: inuse 5\n", -ENODATA, UNTOUCHED},
    {"no number", "TCP6: inuse\nUDP6: inuse 5\n", -EBADMSG, UNTOUCHED},
    {"negative", "TCP6: inuse -14\n", -EBADMSG, UNTOUCHED},
    {"20 digits", "TCP6: inuse 99999999999999999999\n", -EBADMSG, UNTOUCHED},
    {"a broken line after inuse", "TCP6: inuse 14 x\n", -EBADMSG, UNTOUCHED},
};

START_TEST(sockstat6_gives_inuse_of_the_line_tcp6_or_is_refused) {
  int64_t inuse;
  const char *text = sockstats6[_i].text;
  int err = parse_sockstat6(text, strlen(text), &inuse);
  ck_assert_msg(err == sockstats6[_i].err, "%s: %d", sockstats6[_i].name, err);
  ck_assert_msg(inuse == sockstats6[_i].inuse, "%s: %jd", sockstats6[_i].name,
                (intmax_t)inuse);
}
END_TEST

static const struct {
  const char *name;
  const char *text;
  size_t num;
  int64_t expected[3];
} sysctls[] = {
    {"one number", "60\n", 1, {60}},
    {"zero", "0\n", 1, {0}},
    {"blanks around it", " \t60 \t\n", 1, {60}},
    {"three between tabs",
     "188418\t251226\t376836\n",
     3,
     {188418, 251226, 376836}},
    {"three between blanks", "1 2  3\n", 3, {1, 2, 3}},
    {"two", "32768\t60999\n", 2, {32768, 60999}},
    {"the greatest", "9223372036854775807\n", 1, {INT64_MAX}},
};

START_TEST(a_sysctl_of_so_many_numbers_gives_them) {
  int64_t out[4] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
  int err = parse_sysctl(sysctls[_i].text, out, sysctls[_i].num);
  ck_assert_msg(err == 0, "%s: %d", sysctls[_i].name, err);
  for (size_t i = 0; i < 4; i++)
    ck_assert_msg(
        out[i] == (i < sysctls[_i].num ? sysctls[_i].expected[i] : UNTOUCHED),
        "%s: number %zu is %jd", sysctls[_i].name, i + 1, (intmax_t)out[i]);
}
END_TEST

static const struct {
  const char *name;
  const char *text;
  size_t num;
} bad_sysctls[] = {
    {"empty", "", 1},
    {"only a newline", "\n", 1},
    {"no newline at the end, so perhaps the half of 60", "6", 1},
    {"only blanks", " \t ", 1},
    {"a newline before it", "\n60\n", 1},
    {"a number too many", "60 61\n", 1},
    {"a second line", "60\n70\n", 1},
    {"a word too many", "60 s\n", 1},
    {"a number too many of three", "1\t2\t3\t4\n", 3},
    {"one missing of three", "1\t2\n", 3},
    {"two missing of three", "1\n", 3},
    {"the third one on the next line", "1\t2\n3\n", 3},
    {"negative", "-1\n", 1},
    {"the last one negative", "1\t2\t-3\n", 3},
    {"a word", "sixty\n", 1},
    {"a fraction", "1.5\n", 1},
    {"a comma", "1,2,3\n", 3},
    {"one above the maximum", "9223372036854775808\n", 1},
    {"-1 as unsigned", "18446744073709551615\n", 1},
    {"20 digits in the middle", "1\t99999999999999999999\t3\n", 3},
    {"more numbers than it can give", "1\t2\t3\t4\n", 4},
};

START_TEST(any_other_sysctl_is_refused_and_the_output_untouched) {
  int64_t out[4] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
  int err = parse_sysctl(bad_sysctls[_i].text, out, bad_sysctls[_i].num);
  ck_assert_msg(err == -EBADMSG, "%s: %d", bad_sysctls[_i].name, err);
  for (size_t i = 0; i < 4; i++)
    ck_assert_msg(out[i] == UNTOUCHED, "%s: number %zu is %jd",
                  bad_sysctls[_i].name, i + 1, (intmax_t)out[i]);
}
END_TEST

static const struct {
  const char *text;
  unsigned major;
  unsigned minor;
  int expected;
} releases[] = {
    {"6.8", 6, 8, 1},
    {"6.8\n", 6, 8, 1},
    {"6.8.0-rc1\n", 6, 8, 1},
    {"6.8.0-31-generic\n", 6, 8, 1},
    {"6.8-rc1\n", 6, 8, 1},
    {"6.8+\n", 6, 8, 1},
    {"6.7.12\n", 6, 8, 0},
    {"6.7\n", 6, 8, 0},
    {"6.80.1\n", 6, 8, 1},
    {"6.18.44-fc\n", 6, 8, 1},
    {"6.10.11-amd64\n", 6, 8, 1},
    {"6.1.0-18-amd64\n", 6, 8, 0},
    {"5.10.0-30-amd64\n", 6, 8, 0},
    {"5.99.0\n", 6, 8, 0},
    {"4.18.0-553.el8_10.x86_64\n", 6, 8, 0},
    {"5.15.167.4-microsoft-standard-WSL2\n", 6, 8, 0},
    {"7.0\n", 6, 8, 1},
    {"7.0.0-rc1\n", 6, 8, 1},
    {"10.0\n", 6, 8, 1},
    {"10.0\n", 10, 0, 1},
    {"10.0\n", 10, 1, 0},
    {"10.0\n", 9, 99, 1},
    {"2.6.32\n", 6, 8, 0},
    {"0.1\n", 0, 0, 1},
    {"0.0\n", 0, 1, 0},
    {"06.08\n", 6, 8, 1},
    {"4294967295.4294967295\n", UINT32_MAX, UINT32_MAX, 1},
    {"4294967295.4294967294\n", UINT32_MAX, UINT32_MAX, 0},
    {"", 0, 0, -EBADMSG},
    {"\n", 0, 0, -EBADMSG},
    {"6", 0, 0, -EBADMSG},
    {"6\n", 0, 0, -EBADMSG},
    {"6.", 0, 0, -EBADMSG},
    {"6.\n", 0, 0, -EBADMSG},
    {".8", 0, 0, -EBADMSG},
    {".", 0, 0, -EBADMSG},
    {"6..8", 0, 0, -EBADMSG},
    {"6.x", 0, 0, -EBADMSG},
    {"6,8", 0, 0, -EBADMSG},
    {"6 .8", 0, 0, -EBADMSG},
    {"6. 8", 0, 0, -EBADMSG},
    {"6.-8", 0, 0, -EBADMSG},
    {" 6.8", 0, 0, -EBADMSG},
    {"-6.8", 0, 0, -EBADMSG},
    {"+6.8", 0, 0, -EBADMSG},
    {"v6.8", 0, 0, -EBADMSG},
    {"Linux 6.8", 0, 0, -EBADMSG},
    {"garbage", 0, 0, -EBADMSG},
    {"4294967296.0", 0, 0, -EBADMSG},
    {"6.4294967296", 0, 0, -EBADMSG},
    {"99999999999999999999.8", 0, 0, -EBADMSG},
    {"6.99999999999999999999", 0, 0, -EBADMSG},
};

START_TEST(a_release_is_compared_by_its_first_two_numbers) {
  int result = release_at_least(releases[_i].text, releases[_i].major,
                                releases[_i].minor);
  ck_assert_msg(result == releases[_i].expected, "\"%s\" >= %u.%u: %d",
                releases[_i].text, releases[_i].major, releases[_i].minor,
                result);
}
END_TEST

static const struct {
  const char *text;
  uint16_t first, last; /* 0: it is refused */
} ranges[] = {
    {"32768\t60999\n", 32768, 60999},
    {"1 65535\n", 1, 65535},
    {"  40000   40000  \n", 40000, 40000},
    {"0\t60999\n", 0, 0},
    {"32768\t65536\n", 0, 0},
    {"60999\t32768\n", 0, 0},
    {"32768\n", 0, 0},
    {"32768\t60999", 0, 0},
    {"32768\t60999\t3\n", 0, 0},
    {"32768-60999\n", 0, 0},
    {"-1\t60999\n", 0, 0},
    {"98304\t126535\n", 0, 0}, /* 32768 and 60999 in 16 bits */
    {"4294967297\t60999\n", 0, 0},
    {"18446744073709551617\t60999\n", 0, 0},
    {"\n", 0, 0},
    {"", 0, 0},
};

START_TEST(a_port_range_is_two_ports_in_order) {
  struct port_range range = {7, 8};
  char *copy = strdup(ranges[_i].text);
  ck_assert_ptr_nonnull(copy);
  int err = proc_text_port_range(copy, &range);
  free(copy);
  bool good = ranges[_i].first > 0;
  ck_assert_int_eq(err, good ? 0 : -EBADMSG);
  ck_assert_uint_eq(range.first, good ? ranges[_i].first : 7);
  ck_assert_uint_eq(range.last, good ? ranges[_i].last : 8);
}
END_TEST

static const struct {
  const char *text;
  int ports[7]; /* ranges of two, ended by -1; -2: it is refused */
} lists[] = {
    {"\n", {-1}},
    {"8080\n", {8080, 8080, -1}},
    {"8080,9148-9200\n", {8080, 8080, 9148, 9200, -1}},
    {"0-65535\n", {0, 65535, -1}},
    {"65535\n", {65535, 65535, -1}},
    {"0\n", {0, 0, -1}},
    {"1,3,5\n", {1, 1, 3, 3, 5, 5, -1}},
    {"5-9,7-12,6\n", {5, 12, -1}},
    {"9,1\n", {9, 9, 1, 1, -1}},
    {"7-7\n", {7, 7, -1}},
    {"", {-2}},
    {"8080", {-2}},
    {"8080,\n", {-2}},
    {",8080\n", {-2}},
    {"8080,,8081\n", {-2}},
    {"8080-\n", {-2}},
    {"-8080\n", {-2}},
    {"8080-8081-8082\n", {-2}},
    {"9200-9148\n", {-2}},
    {"65536\n", {-2}},
    {"1-65536\n", {-2}},
    {"4295032831\n", {-2}}, /* 65535 in 32 bits */
    {"8080 8081\n", {-2}},
    {"8080, 8081\n", {-2}},
    {" 8080\n", {-2}},
    {"8080\n\n", {-2}},
    {"8080\n8081\n", {-2}},
    {"0x50\n", {-2}},
    {"all\n", {-2}},
};

START_TEST(a_list_of_ports_is_ports_and_ranges_between_commas) {
  static struct port_bitmap list;
  memset(&list, 0xff, sizeof(list));
  char *copy = strdup(lists[_i].text);
  ck_assert_ptr_nonnull(copy);
  int err = proc_text_port_list(copy, &list);
  free(copy);
  const int *ports = lists[_i].ports;
  ck_assert_msg(err == (ports[0] == -2 ? -EBADMSG : 0), "%s: %d",
                lists[_i].text, err);
  for (int port = 0; port < PORTS_NUM && err == 0; port++) {
    bool want = false;
    for (size_t i = 0; ports[i] != -1; i += 2)
      want = want || (ports[i] <= port && port <= ports[i + 1]);
    ck_assert_msg(port_bitmap_has(&list, (uint16_t)port) == want, "%s: %d",
                  lists[_i].text, port);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("proc_text");
  TCase *sockstat = tcase_create("sockstat");
  tcase_add_loop_test(sockstat, sockstat_gives_the_numbers_of_the_line_tcp, 0,
                      CASES(sockstats));
  tcase_add_loop_test(sockstat,
                      a_broken_sockstat_is_refused_and_the_output_untouched, 0,
                      CASES(bad_sockstats));
  tcase_add_test(sockstat, a_sockstat_cut_anywhere_never_gives_a_wrong_number);
  tcase_add_test(sockstat, one_byte_changed_to_garbage_never_ends_the_program);
  tcase_add_loop_test(sockstat,
                      sockstat6_gives_inuse_of_the_line_tcp6_or_is_refused, 0,
                      CASES(sockstats6));
  suite_add_tcase(suite, sockstat);
  TCase *sysctl = tcase_create("sysctl");
  tcase_add_loop_test(sysctl, a_sysctl_of_so_many_numbers_gives_them, 0,
                      CASES(sysctls));
  tcase_add_loop_test(sysctl,
                      any_other_sysctl_is_refused_and_the_output_untouched, 0,
                      CASES(bad_sysctls));
  suite_add_tcase(suite, sysctl);
  TCase *release = tcase_create("release");
  tcase_add_loop_test(release, a_release_is_compared_by_its_first_two_numbers,
                      0, CASES(releases));
  suite_add_tcase(suite, release);
  TCase *ports = tcase_create("ports");
  tcase_add_loop_test(ports, a_port_range_is_two_ports_in_order, 0,
                      CASES(ranges));
  tcase_add_loop_test(ports, a_list_of_ports_is_ports_and_ranges_between_commas,
                      0, CASES(lists));
  suite_add_tcase(suite, ports);
  return check_main(suite);
}
