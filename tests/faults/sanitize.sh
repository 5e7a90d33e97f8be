#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/e2e/faults.sh under AddressSanitizer, LeakSanitizer and
# UndefinedBehaviorSanitizer.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
ok "configure" "$top/configure" CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
ok "make" make -j2 all faulty_host sockmake
builddir=. "$top/tests/e2e/faults.sh" >"$work/results" 2>&1 || true
if grep -q '^1\.\.[1-9]' "$work/results"; then
  is "whatever fails, no memory is leaked or misused" "$(grep -A 30 '^not ok' "$work/results" || true)" ""
else
  fail "the faults are made" "$(tail -n 20 "$work/results")"
fi
done_testing
