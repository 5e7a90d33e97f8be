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
