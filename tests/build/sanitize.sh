#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The other compiler: clang builds everything without a warning, with AddressSanitizer
# and UndefinedBehaviorSanitizer, and the modules' tests pass under them. That gcc has
# no warning is shown by the build of tests/run.sh.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
flags='-g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
ok "configure with clang" "$top/configure" CC=clang --disable-dependency-tracking CFLAGS="-O1 $flags"
# compile LEVEL TARGET...: the plugin's code runs long, and that of the tests is long.
compile() { make -j2 CFLAGS="$1 $flags -Werror" "${@:2}"; }
ok "clang: no warning in the plugin" compile -O1 all tests/support/libtests.la
ok "clang: no warning in the tests" compile -O0 check TESTS=
# Only check_main_forked()'s have a process for each test: at each one's end leaks are looked
# for. What is freed is kept for a while, by default 256 MB of it.
export CK_FORK=no ASAN_OPTIONS=quarantine_size_mb=16
# modules: their tests. What failed, and what the sanitizers say of it, is at the end.
modules() {
  make -j2 check-awake >modules.log && return
  grep -E '^(FAIL|ERROR)' modules.log
  grep -hE '^not ok|runtime error:|^(SUMMARY|==[0-9]+==)' tests/unit/*.log | tail -n 15
  return 1
}
ok "no module does anything undefined, and none leaks" modules
done_testing
