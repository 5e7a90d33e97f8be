/* SPDX-License-Identifier: MIT */
/* number.c: the one parser of decimal numbers. */
#include "number.h"

#include "check_main.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

/* Parses text from a buffer that ends where the text ends. */
static int parse_exactly(const char *text, size_t len, uint64_t max,
                         uint64_t *out) {
  char *copy = malloc(len);
  ck_assert(len == 0 || copy != NULL);
  if (len > 0)
    memcpy(copy, text, len);
  int err = number_parse(copy, len, max, out);
  free(copy);
  return err;
}

static const struct {
  const char *text;
  uint64_t max;
  uint64_t number;
} numbers[] = {
    {"0", 0, 0},
    {"0", UINT64_MAX, 0},
    {"00", 0, 0},
    {"7", 7, 7},
    {"007", 7, 7},
    {"9", 10, 9},
    {"10", 10, 10},
    {"65535", UINT16_MAX, 65535},
    {"00000000000000000000000000065535", UINT16_MAX, 65535},
    {"4294967295", UINT32_MAX, 4294967295},
    {"9223372036854775807", INT64_MAX, 9223372036854775807},
    {"18446744073709551614", UINT64_MAX, 18446744073709551614u},
    {"18446744073709551615", UINT64_MAX, 18446744073709551615u},
};

START_TEST(digits_are_read_as_a_decimal_number) {
  uint64_t out = UNTOUCHED;
  const char *text = numbers[_i].text;
  int err = parse_exactly(text, strlen(text), numbers[_i].max, &out);
  ck_assert_msg(err == 0, "\"%s\": %d", text, err);
  ck_assert_msg(out == numbers[_i].number, "\"%s\": %ju", text, (uintmax_t)out);
}
END_TEST

static const struct {
  const char *text;
  uint64_t max;
} too_big[] = {
    {"1", 0},
    {"9", 0},
    {"8", 7},
    {"10", 9},
    {"10", 7},
    {"11", 10},
    {"65536", UINT16_MAX},
    {"65540", UINT16_MAX},
    {"655350", UINT16_MAX},
    {"4294967296", UINT32_MAX},
    {"9223372036854775808", INT64_MAX},
    {"18446744073709551616", UINT64_MAX},
    {"18446744073709551620", UINT64_MAX},
    {"18446744073709551625", UINT64_MAX},
    {"99999999999999999999", UINT64_MAX},
    {"184467440737095516150", UINT64_MAX},
    {"36893488147419103233", UINT64_MAX}, /* 2^65 + 1 */
    {"36893488147419103232", UINT16_MAX}, /* 2^65: 0 in 64 bits */
    {"340282366920938463463374607431768211457", UINT64_MAX}, /* 2^128 + 1 */
};

START_TEST(a_number_above_the_maximum_is_out_of_range) {
  uint64_t out = UNTOUCHED;
  const char *text = too_big[_i].text;
  int err = parse_exactly(text, strlen(text), too_big[_i].max, &out);
  ck_assert_msg(err == -ERANGE, "\"%s\": %d", text, err);
  ck_assert_uint_eq(out, UNTOUCHED);
}
END_TEST

#define LITERAL(text) text, sizeof(text) - 1

static const struct {
  const char *text;
  size_t len;
} not_numbers[] = {
    {LITERAL("")},
    {LITERAL(" ")},
    {LITERAL(" 1")},
    {LITERAL("1 ")},
    {LITERAL("1 2")},
    {LITERAL("\t1")},
    {LITERAL("1\n")},
    {LITERAL("\r1")},
    {LITERAL("+1")},
    {LITERAL("-1")},
    {LITERAL("-0")},
    {LITERAL("1-")},
    {LITERAL("+")},
    {LITERAL("-")},
    {LITERAL("1.0")},
    {LITERAL(".5")},
    {LITERAL("1e3")},
    {LITERAL("0x10")},
    {LITERAL("ff")},
    {LITERAL("1,000")},
    {LITERAL("12a")},
    {LITERAL("a12")},
    {LITERAL("/")}, /* the character before '0' */
    {LITERAL(":")}, /* the character after '9' */
    {LITERAL("1\0002")},
    {LITERAL("\0")},
    {LITERAL("1\0")},
    {LITERAL("\xb2")},         /* superscript two in Latin-1 */
    {LITERAL("\xd9\xa1")},     /* Arabic-Indic one in UTF-8 */
    {LITERAL("\xef\xbc\x91")}, /* full-width one in UTF-8 */
    {LITERAL("99999999999999999999999x")},
};

START_TEST(anything_but_digits_is_invalid) {
  uint64_t out = UNTOUCHED;
  int err = parse_exactly(not_numbers[_i].text, not_numbers[_i].len, UINT64_MAX,
                          &out);
  ck_assert_msg(err == -EINVAL, "\"%s\": %d", not_numbers[_i].text, err);
  ck_assert_uint_eq(out, UNTOUCHED);
}
END_TEST

START_TEST(the_length_ends_the_number) {
  uint64_t out;
  ck_assert_int_eq(number_parse("123456", 3, 123, &out), 0);
  ck_assert_uint_eq(out, 123);
  ck_assert_int_eq(number_parse("12x", 2, UINT64_MAX, &out), 0);
  ck_assert_uint_eq(out, 12);
  ck_assert_int_eq(number_parse("12", 0, UINT64_MAX, &out), -EINVAL);
  ck_assert_uint_eq(out, 12);
}
END_TEST

START_TEST(every_single_byte_but_a_digit_is_invalid) {
  for (int byte = 0; byte < 256; byte++) {
    char text = (char)byte;
    uint64_t out = UNTOUCHED;
    int err = number_parse(&text, 1, UINT64_MAX, &out);
    bool digit = byte >= 0x30 && byte <= 0x39;
    ck_assert_msg(err == (digit ? 0 : -EINVAL), "byte %d: %d", byte, err);
    ck_assert_msg(out == (digit ? (uint64_t)byte - 0x30 : UNTOUCHED),
                  "byte %d: %ju", byte, (uintmax_t)out);
  }
}
END_TEST

/* high * 10^9 + low: up to a thousand times UINT64_MAX, on every machine. */
struct wide {
  int64_t high;
  int64_t low; /* less than 10^9 */
};
#define BILLION INT64_C(1000000000)

/* number * factor + delta; its high is negative where that is. */
static struct wide wide_near(uint64_t number, unsigned factor, int delta) {
  struct wide wide = {.high = (int64_t)(number / BILLION * factor),
                      .low = (int64_t)(number % BILLION * factor) + delta};
  wide.high += wide.low / BILLION;
  wide.low %= BILLION;
  if (wide.low < 0) {
    wide.low += BILLION;
    wide.high--;
  }
  return wide;
}

/* Returns what is wrong, or NULL. */
static const char *check_against_max(struct wide number, uint64_t max) {
  char text[48];
  if (number.high > 0)
    snprintf(text, sizeof(text), "%" PRId64 "%09" PRId64, number.high,
             number.low);
  else
    snprintf(text, sizeof(text), "%" PRId64, number.low);
  uint64_t out = UNTOUCHED;
  int err = parse_exactly(text, strlen(text), max, &out);
  int64_t max_high = (int64_t)(max / BILLION), max_low = max % BILLION;
  if (number.high > max_high ||
      (number.high == max_high && number.low > max_low))
    return err != -ERANGE     ? "accepted above the maximum"
           : out != UNTOUCHED ? "output touched"
                              : NULL;
  if (err != 0)
    return "refused";
  return (int64_t)(out / BILLION) != number.high ||
                 (int64_t)(out % BILLION) != number.low
             ? "another number"
             : NULL;
}

START_TEST(small_numbers_are_accepted_up_to_every_small_maximum) {
  for (unsigned max = 0; max <= 300; max++)
    for (unsigned number = 0; number <= 400; number++) {
      const char *wrong = check_against_max(wide_near(number, 1, 0), max);
      if (wrong != NULL)
        ck_abort_msg("%u of at most %u: %s", number, max, wrong);
    }
}
END_TEST

static const uint64_t maxima[] = {
    0,
    1,
    8,
    9,
    10,
    11,
    99,
    100,
    101,
    255,
    256,
    999,
    1000,
    65534,
    65535,
    65536,
    99999,
    100000,
    INT32_MAX,
    UINT32_MAX,
    INT64_MAX,
    (uint64_t)INT64_MAX + 1,
    UINT64_MAX / 10,
    UINT64_MAX / 10 + 1,
    UINT64_MAX - 10,
    UINT64_MAX - 6,
    UINT64_MAX - 5,
    UINT64_MAX - 1,
    UINT64_MAX,
};

START_TEST(the_maximum_is_exact_for_all_numbers_around_it) {
  const uint64_t max = maxima[_i];
  for (unsigned factor = 1; factor <= 1000; factor *= 10)
    for (int delta = -120; delta <= 120; delta++) {
      struct wide number = wide_near(max, factor, delta);
      if (number.high < 0)
        continue;
      const char *wrong = check_against_max(number, max);
      if (wrong != NULL)
        ck_abort_msg("%u times the maximum %" PRIu64 " and %d: %s", factor, max,
                     delta, wrong);
    }
}
END_TEST

START_TEST(a_length_of_a_million_digits_is_no_problem) {
  const size_t len = 1000000;
  char *text = malloc(len);
  ck_assert_ptr_nonnull(text);
  memset(text, '0', len);
  text[len - 1] = '5';
  uint64_t out = UNTOUCHED;
  ck_assert_int_eq(number_parse(text, len, 5, &out), 0);
  ck_assert_uint_eq(out, 5);
  memset(text, '9', len);
  ck_assert_int_eq(number_parse(text, len, UINT64_MAX, &out), -ERANGE);
  text[len - 1] = ' ';
  ck_assert_int_eq(number_parse(text, len, UINT64_MAX, &out), -EINVAL);
  ck_assert_uint_eq(out, 5);
  free(text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("number");
  TCase *tcase = tcase_create("number_parse");
  tcase_add_loop_test(tcase, digits_are_read_as_a_decimal_number, 0,
                      CASES(numbers));
  tcase_add_loop_test(tcase, a_number_above_the_maximum_is_out_of_range, 0,
                      CASES(too_big));
  tcase_add_loop_test(tcase, anything_but_digits_is_invalid, 0,
                      CASES(not_numbers));
  tcase_add_test(tcase, the_length_ends_the_number);
  tcase_add_test(tcase, every_single_byte_but_a_digit_is_invalid);
  tcase_add_test(tcase, small_numbers_are_accepted_up_to_every_small_maximum);
  tcase_add_loop_test(tcase, the_maximum_is_exact_for_all_numbers_around_it, 0,
                      CASES(maxima));
  tcase_add_test(tcase, a_length_of_a_million_digits_is_no_problem);
  tcase_set_timeout(tcase, 30);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
