#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A sample of the plugin's mutants: each is killed, or listed as one that changes nothing.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
type -P python3 >/dev/null || skip_all "no python3 here: contrib/install-deps.sh test"

status=0
"$top/tests/mutants/mutants.py" --build "$work/build" --sample "${MUTANTS:-60}" >"$work/output" 2>&1 || status=$?
sed 's/^/# /' "$work/output"
is "no mutant of the sample lives, and nothing is left out" "exit status $status, $(grep -c '^alive: ' "$work/output")" "exit status 0, 0"
ok "they were killed by the tests" grep -qE '^[1-9][0-9]* killed, ' "$work/output"
done_testing
