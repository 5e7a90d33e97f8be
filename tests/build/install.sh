#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make install: what goes where, and what the .so exports and is hardened with.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

make -s -C "$build" install DESTDIR="$work/root" >"$work/log" 2>&1 || fail "make install" "$(<"$work/log")"
plugindir=$(sed -n 's/^plugindir = //p' "$build/Makefile")
prefix=$(sed -n 's/^prefix = //p' "$build/Makefile")
plugindir=${plugindir//'${libdir}'/$prefix/lib}
is "two files are installed" "$(cd "$work/root" && find . -type f | sort)" \
  "$(printf '.%s\n' "$plugindir/tcpstates.so" "$prefix/share/man/man5/collectd-tcpstates.5" | sort)"
so=$work/root$plugindir/tcpstates.so
is "only module_register is exported" "$(nm -D --defined-only "$so" | awk '{ print $3 }')" module_register
ok "it is not a symbolic link" test -f "$so" -a ! -L "$so"
ok "relocations are read-only, all bound at start" grep -q BIND_NOW < <(readelf -d "$so")
if type -P man >/dev/null; then
  is "the man page has no warnings" "$(man --warnings -l "$work/root$prefix/share/man/man5/collectd-tcpstates.5" 2>&1 >/dev/null)" ""
else
  skip "the man page has no warnings" "man is missing (man-db)"
fi
if type -P mandoc >/dev/null; then
  is "mandoc has no warnings either" "$(mandoc -Tlint -W warning "$work/root$prefix/share/man/man5/collectd-tcpstates.5")" ""
else
  skip "mandoc has no warnings either" "mandoc is missing"
fi
ok "podchecker finds nothing" podchecker -warnings -warnings "$top/plugin/collectd-tcpstates.pod"

# Where the plugin goes is not asked of this machine's collectd.
mkdir "$work/lib64"
is "with --prefix=/usr the plugin goes to LIBDIR/collectd" \
  "$(cd "$work/lib64" && "$top/configure" --prefix=/usr --libdir=/usr/lib64 | sed -n "s/^checking for collectd's plugin directory... //p")" '${libdir}/collectd'
make -s -C "$build" uninstall DESTDIR="$work/root" >"$work/log" 2>&1
is "make uninstall leaves nothing" "$(find "$work/root" -type f)" ""
done_testing
