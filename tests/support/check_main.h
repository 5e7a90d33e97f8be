/* How every test program runs: one suite, its results as TAP on stdout. */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include <check.h>
#include <stdlib.h>

/* The number of cases in a table, as tcase_add_loop_test() wants it. */
#define CASES(table) ((int)(sizeof(table) / sizeof(*(table))))

/* Runs the suite and frees it.
 * Returns the exit status: 0 only if there were tests and none failed. */
static inline int check_main(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_set_tap(runner, "-");
  srunner_run_all(runner, CK_SILENT);
  int run = srunner_ntests_run(runner);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
