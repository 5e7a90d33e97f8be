/* SPDX-License-Identifier: MIT */
/* How every test program runs: one suite, its results as TAP on stdout. */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include "temp_tree.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The number of cases in a table, as tcase_add_loop_test() wants it. */
#define CASES(table) ((int)(sizeof(table) / sizeof(*(table))))

/* Where a test cannot run: adds a result that counts as skipped and says why.
 * nothing_to_do is an empty test. */
static inline void check_skip(Suite *suite, const char *test,
                              const char *reason, const TTest *nothing_to_do) {
  /* check refers to the name, and writes it where TAP reads SKIP. */
  static char names[8][320];
  static unsigned num;
  char *name = names[num++ % 8];
  snprintf(name, sizeof(names[0]), "%s # SKIP %s", test, reason);
  TCase *tcase = tcase_create(name);
  tcase_add_test(tcase, nothing_to_do);
  suite_add_tcase(suite, tcase);
}

/* Runs the suite and frees it, each test in a process of its own unless the
 * environment has CK_FORK=no, or in the way that is asked for.
 * Returns the exit status: 0 only if there were tests and none failed. */
static inline int check_main_by(Suite *suite, enum fork_status fork_status) {
  /* A test that fails or is ended leaves its files behind. */
  struct temp_tree files = temp_tree_make();
  chmod(files.root, 0711); /* some tests are nobody */
  setenv("TMPDIR", files.root, 1);
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, fork_status);
  srunner_set_tap(runner, "-");
  srunner_run_all(runner, CK_SILENT);
  int run = srunner_ntests_run(runner);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  temp_tree_remove(&files);
  return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static inline int check_main(Suite *suite) {
  return check_main_by(suite, CK_FORK_GETENV);
}

/* For tests that leave something behind in their process. */
static inline int check_main_forked(Suite *suite) {
  return check_main_by(suite, CK_FORK);
}

#endif
