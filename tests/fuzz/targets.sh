#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each fuzz target for a while; FUZZ_TIME seconds each. The inputs that are known
# already run in make check.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

make -C "$build" fuzz FUZZ_TIME="${FUZZ_TIME:-60}" >"$work/output" 2>&1 || true
sed 's/^/# /' "$work/output"
for corpus in "$top"/tests/fuzz/corpus/*/; do
  target=$(basename -- "$corpus")
  read -r executions result < <(awk -v target="$target" '$1 == target { print $2, $7 }' "$work/output") || true
  # It runs the inputs that are known first, and is to come to new ones.
  known=$(find "$corpus" -type f | wc -l)
  if [[ ${result-} == ok ]] && ((executions > known)); then
    pass "$target: nothing it was given did harm, in $executions executions"
  else
    fail "$target: nothing it was given did harm" "$(tail -n 20 "$build/fuzz-build/$target.log" 2>/dev/null || tail -n 20 "$work/output")"
  fi
done
# Inputs that reach nothing would find nothing.
lines=$(awk '$1 == "TOTAL" { sub(/%$/, "", $2); print $2 }' "$work/output")
if [[ $lines =~ ^[0-9]+(\.[0-9]+)?$ ]] && ((${lines%.*} >= 90)); then
  pass "the inputs reach $lines % of the lines that are fuzzed"
else
  fail "the inputs reach 90 % or more of the lines that are fuzzed" "${lines:-no TOTAL}: $(tail -n 20 "$work/output")"
fi
done_testing
