#!/usr/bin/env bash
# make distcheck: the tarball has all that a build and make check need.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
ok "configure" "$top/configure"
ok "make distcheck" make distcheck
ok "the tarball is there" test -s collectd-tcpstates-*.tar.xz
done_testing
