#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Scripts pass shellcheck; C is as clang-format has it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

cd "$top"
for script in contrib/*.sh contrib/*/*.sh contrib/packages/*/build.sh tests/run.sh tests/*/*.sh tests/kernels/init; do ok "shellcheck $script" shellcheck --severity=warning -x -P SCRIPTDIR "$script"; done
if python3 -c 'import tomllib' 2>/dev/null; then
  ok "the dashboards are what their source gives" contrib/dashboards/generate --check
else
  skip "the dashboards are what their source gives" "there is no Python 3.11 here"
fi
# Releases differ in what they make of the same style.
version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
if ((version == 14)); then
  ok "clang-format" clang-format --dry-run -Werror plugin/*.[ch] tests/*/*.[ch] contrib/*/*.c
else
  skip "clang-format" "this is release $version, and the code is formatted by 14"
fi
done_testing
