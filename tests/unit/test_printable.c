/* SPDX-License-Identifier: MIT */
/* printable.h: the table is RFC 3629's, section 4, and what is next to it. */
#include "printable.h"

#include "check_main.h"

#include <stdio.h>

static const char *const good[] = {
    "",
    "db",
    "\x7f",
    "\xc2\x80",
    "d\303\274b",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xe1\x80\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
};

START_TEST(it_is_utf8) { ck_assert(printable_is_utf8(good[_i])); }
END_TEST

static const char *const bad[] = {
    "d\374b", /* ISO 8859-1 */
    "\x80",
    "\xbf\x80",
    "\xc0\xaf", /* longer than needed */
    "\xc1\xbf",
    "\xc3", /* cut */
    "\xc3(",
    "\xc3\xc3",
    "\xe0\x9f\xbf",
    "\xe1\x80",
    "\xe1\x80(",
    "\xed\xa0\x80", /* surrogates */
    "\xed\xbf\xbf",
    "\xf0\x8f\xbf\xbf",
    "\xf1\x80\x80",
    "\xf4\x90\x80\x80", /* beyond U+10FFFF */
    "\xf7\xbf\xbf\xbf",
    "\xf8\x90\x80\x80",
    "\xff",
};

START_TEST(it_is_not_utf8) { ck_assert(!printable_is_utf8(bad[_i])); }
END_TEST

static const struct {
  const char *text, *shown;
} lines[] = {
    {"a\nb\x1b[31m\x7f", "a?b?[31m?"},
    {"d\xc3\xbc"
     "b\n",
     "d\xc3\xbc"
     "b?"},
    {"d\xfc"
     "b\n",
     "d?b?"},
    {"\xc3\xbc\xfc", "???"},
};

START_TEST(a_line_stays_one_and_is_utf8) {
  char text[32];
  snprintf(text, sizeof(text), "%s", lines[_i].text);
  printable(text);
  ck_assert_str_eq(text, lines[_i].shown);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("printable");
  TCase *tcase = tcase_create("printable");
  tcase_add_loop_test(tcase, it_is_utf8, 0, CASES(good));
  tcase_add_loop_test(tcase, it_is_not_utf8, 0, CASES(bad));
  tcase_add_loop_test(tcase, a_line_stays_one_and_is_utf8, 0, CASES(lines));
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
