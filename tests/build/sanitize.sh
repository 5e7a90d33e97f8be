#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The other compiler: clang builds everything without a warning, with AddressSanitizer
# and UndefinedBehaviorSanitizer, and the modules' tests pass under them. That gcc has
# no warning is shown by the build of tests/run.sh.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
ok "configure with clang" "$top/configure" CC=clang --disable-dependency-tracking \
  CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
ok "clang: no warning in the plugin and the tests" make -j2 CFLAGS="$(sed -n 's/^CFLAGS = //p' Makefile) -Werror" check TESTS=
ok "no module does anything undefined, and none leaks" make -j2 check-awake
done_testing
