#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Scripts pass shellcheck; C is as clang-format has it; each source file says its licence.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

cd "$top"
# lib.sh's names alone: to read all of it with each script that sources it takes a minute.
mkdir -p "$work/stub/support" "$work/stub/beside"
names() { grep -ohE "$1" tests/support/lib.sh contrib/private-collectd.sh | grep -oE '[A-Za-z_]\w*' | sort -u; }
{
  echo 'set -euo pipefail'
  names '^[a-z_]+\(\)' | sed 's/$/() { :; }/'
  names '(^|[^$[:alnum:]_])[A-Za-z_]\w*\+?=' | sed 's/$/=/'
  names '\w+=\(' | sed 's/$/=()/'
  names '\$\{?[#!]?[A-Za-z_]\w*' | sed 's/.*/: "$&"/'
} >"$work/stub/support/lib.sh"
# shell SCRIPT: shellcheck has nothing to say, with that instead of lib.sh.
shell() { shellcheck --severity=warning -x -P "$work/stub/beside" -P SCRIPTDIR "$@"; }
for script in contrib/*.sh contrib/*/*.sh contrib/packages/*/build.sh tests/run.sh tests/*/*.sh tests/kernels/init; do
  ok "shellcheck $script" shell "$script"
done
# That these are seen shows that it is in its place.
printf '%s\n' '. ../support/lib.sh' 'echo "$work" "$wrk"' 'interval=3' 'intervall=3' >"$work/stub/beside/wrong.sh"
is "shellcheck finds what is nobody's" "$(shell --shell=bash --format=gcc "$work/stub/beside/wrong.sh" | grep -oE '(wrk|intervall|work|interval) .*\[SC.*')" \
  "wrk is referenced but not assigned (did you mean 'work'?). [SC2154]
intervall appears unused. Verify use (or export if used externally). [SC2034]"
# unlicensed PATH...: the source files there without the line near their top. Not by git: a
# tarball has none. What npm has put there is not ours.
unlicensed() {
  local file
  find "$@" -name node_modules -prune -o -type f -regextype egrep \
    -regex '.*\.(c|h|sh|py|awk|pl|pm|mjs|ts|pp|am|ac)' -print | sort | while read -r file; do
    head -n 3 -- "$file" | grep -qE '^(/\*|//|#|dnl) SPDX-License-Identifier: MIT( \*/)?$' || echo "$file"
  done
}
is "each source file says its licence" "$(unlicensed plugin contrib tests configure.ac Makefile.am)" ""
mkdir "$work/licence"
printf '%s\n' '#!/bin/sh' '# SPDX-License-Identifier: MIT' >"$work/licence/with.sh"
printf '%s\n' '#!/bin/sh' >"$work/licence/without.sh"
is "and it is seen when one does not" "$(unlicensed "$work/licence")" "$work/licence/without.sh"
if python3 -c 'import tomllib' 2>/dev/null; then
  ok "the dashboards are what their source gives" contrib/dashboards/generate --check
else
  skip "the dashboards are what their source gives" "there is no Python 3.11 here"
fi
# The recipes that are not built here: their syntax, with as much of OpenWrt as make wants.
ok "Alpine's recipe" shellcheck --severity=warning -s dash contrib/packages/alpine/APKBUILD
mkdir "$work/include"
echo "INCLUDE_DIR=$work/include" >"$work/rules.mk"
printf '%s\n' 'define BuildPackage' 'all:' '$(call Package/$(1)/install,/root)' 'endef' >"$work/include/package.mk"
is "OpenWrt's recipe installs one file" \
  "$(make -n -f contrib/packages/openwrt/Makefile TOPDIR="$work" INSTALL_DIR=mkdir INSTALL_BIN=cp PKG_INSTALL_DIR=/built)" \
  $'mkdir /root/usr/lib/collectd\ncp /built/usr/lib/collectd/tcpstates.so /root/usr/lib/collectd/'
is "all recipes have the version of configure.ac" \
  "$(sed -nE 's/^(Version: +|pkgver=|PKG_VERSION:=)//p' contrib/packages/{rpm/*.spec,alpine/APKBUILD,openwrt/Makefile} | xargs)" \
  "$(sed -nE 's/^AC_INIT\(\[.*\], \[(.*)\]\)/\1 \1 \1/p' configure.ac)"
# Releases differ in what they make of the same style.
version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
if ((version == 14)); then
  ok "clang-format" clang-format --dry-run -Werror plugin/*.[ch] tests/*/*.[ch] contrib/*/*.c
else
  skip "clang-format" "this is release $version, and the code is formatted by 14"
fi
done_testing
