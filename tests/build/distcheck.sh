#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make distcheck: the tarball has all that a build and make check need. Every test program
# is built, by gcc without a warning, and those that read files of the source run.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir "$work/build"
cd "$work/build"
ok "configure" "$top/configure"
# What the modules do is tested by tests/run.sh: here -O0 builds them sooner,
# and nobody keeps the tarball.
export XZ_OPT=-0
ok "make distcheck" sh -c 'make -j2 distcheck "$@" >log 2>&1 || { cat log; exit 1; }' - TESTS='tests/unit/test_proc_file $(FUZZ_TESTS)' \
  DISTCHECK_CONFIGURE_FLAGS="CFLAGS='-O0 -Werror' --disable-dependency-tracking"
is "make install there shows no screen of libtool's" "$(grep 'Libraries have been installed' log)" ""
ok "the tarball is there" test -s collectd-tcpstates-*.tar.xz
done_testing
