#!/usr/bin/env bash
# Scripts pass shellcheck; C is as clang-format has it.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$top"
for script in contrib/*.sh tests/*.sh; do ok "shellcheck $script" shellcheck --severity=warning -x -P SCRIPTDIR "$script"; done
ok "clang-format" clang-format --dry-run -Werror plugin/*.[ch] tests/*.[ch]
done_testing
