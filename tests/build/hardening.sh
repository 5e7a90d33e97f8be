#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the .so is hardened with: as it is built here, and by a distribution's flags.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

# hardened NAME FILE BUILD
hardened() {
  local name=$1 so=$2
  is "$name: only module_register is exported" "$(nm -D --defined-only "$so" | awk '{ print $3 }')" module_register
  readelf -dW "$so" >"$work/dynamic"
  readelf -lW "$so" >"$work/segments"
  nm -D --undefined-only "$so" >"$work/undefined"
  ok "$name: all symbols are bound at the start" grep -q BIND_NOW "$work/dynamic"
  ok "$name: relocations are read-only then" grep -q GNU_RELRO "$work/segments"
  is "$name: text has no relocations" "$(grep TEXTREL "$work/dynamic" || true)" ""
  is "$name: the stack is not executable" "$(awk '$1 == "GNU_STACK" { print $7 }' "$work/segments")" RW
  is "$name: no segment is writable and executable" "$(grep -E ' (RWE|RW E) ' "$work/segments" || true)" ""
  is "$name: no path to search libraries in" "$(grep -E 'RPATH|RUNPATH' "$work/dynamic" || true)" ""
  ok "$name: the stack is protected" grep -q __stack_chk_fail "$work/undefined"
  if grep -q '__printf_chk\|@GLIBC' "$work/undefined"; then
    ok "$name: the C library's functions check sizes" grep -q '__snprintf_chk' "$work/undefined"
  else
    skip "$name: the C library's functions check sizes" "this C library is not glibc"
  fi
  # The mark of the whole file needs a C library that has it, too.
  if [[ $(uname -m) == x86_64 ]] && grep -q -- ' -fcf-protection' <(sed -n 's/^HARDEN_CFLAGS = / /p' "$3/Makefile"); then
    ok "$name: jumps go to marked places" grep -q endbr64 < <(objdump -d "$so")
  else
    skip "$name: jumps go to marked places" "no -fcf-protection for this processor"
  fi
}

# configured BUILD FLAG...: configures there.
configured() {
  mkdir "$work/$1"
  (cd "$work/$1" && "$top/configure" --disable-dependency-tracking "${@:2}") >"$work/log" 2>&1 ||
    fail "it configures with ${*:2}" "$(tail -n 20 "$work/log")"
}
# built BUILD TARGET: in that.
built() {
  make -C "$work/$1" -j2 "$2" >"$work/log" 2>&1 || fail "it builds $2 in $1" "$(tail -n 20 "$work/log")"
}
flags() { sed -n 's/^HARDEN_CFLAGS = *//p' "$work/$1/Makefile"; }

if grep -q -- '^CFLAGS = .*-O[123s]' "$build/Makefile"; then
  hardened "as it is built here" "$build/.libs/tcpstates.so" "$build"
else
  skip "as it is built here" "its CFLAGS have no optimisation, and _FORTIFY_SOURCE needs one"
fi
if command -v dpkg-buildflags >/dev/null; then
  configured debian CPPFLAGS="$(dpkg-buildflags --get CPPFLAGS)" CFLAGS="$(dpkg-buildflags --get CFLAGS) -Werror" LDFLAGS="$(dpkg-buildflags --get LDFLAGS)"
  built debian tcpstates.la
  hardened "Debian's flags" "$work/debian/.libs/tcpstates.so" "$work/debian"
else
  skip "Debian's flags" "there is no dpkg-buildflags here"
fi

# The user's choice stays.
configured other CPPFLAGS='-D_FORTIFY_SOURCE=1' CFLAGS='-O2 -Werror -fno-stack-protector'
is "the user's _FORTIFY_SOURCE is the only one" "$(flags other | grep -o _FORTIFY_SOURCE || true)" ""
# One file that has arrays shows it.
built other plugin/notice.lo
is "the user's -fno-stack-protector wins" "$(nm "$work/other/plugin/.libs/notice.o" | grep stack_chk || true)" ""
ok "without it that file's stack is protected" grep -q stack_chk < <(nm "$build/plugin/.libs/notice.o")
configured debug CFLAGS='-O0 -g -Werror'
is "without optimisation there is no _FORTIFY_SOURCE" "$(flags debug | grep -o _FORTIFY_SOURCE || true)" ""
done_testing
