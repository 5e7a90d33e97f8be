#!/usr/bin/env bash
# Both compilers build everything without a warning.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

for compiler in gcc clang; do
  mkdir "$work/$compiler"
  cd "$work/$compiler"
  ok "configure with $compiler" "$top/configure" CC=$compiler
  ok "$compiler: no warning in the plugin and the tests" \
    make -j2 CFLAGS='-O2 -g -Werror -D_FORTIFY_SOURCE=2' check TESTS=
done
done_testing
