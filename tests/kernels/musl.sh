#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The plugin and the unit tests with musl instead of glibc: built and run in a clean root
# of Debian 13, whose musl has no large file names of its own (1.2.4 and later).
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

[[ $(uname -m) == x86_64 ]] || skip_all "it expects libmnl where Debian has it on x86-64"
if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
type -P mmdebstrap >/dev/null || skip_all "mmdebstrap is missing; contrib/install-deps.sh targets installs it"

readonly root=$work/root

# The mirror that this machine takes its release from.
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | awk '$1 !~ /-/ { print $2; exit }')
[[ -n $mirror ]] || skip_all "this machine is not Debian, or its package lists are missing; apt-get update makes them"

# in_root COMMAND...: what it starts ends with it. In it the sources' network is not there.
in_root() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --net --mount --pid --fork --kill-child --mount-proc="$root/proc" \
    sh -c 'mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 CK_TIMEOUT_MULTIPLIER=10 "$@" </dev/null
}

make_root() {
  unshare --mount mmdebstrap --variant=apt trixie "$root" "deb $mirror trixie main" "deb-src $mirror trixie main" \
    --include=make,gcc,libc6-dev,musl-tools,pkg-config,collectd-dev,libmnl-dev,netbase,perl,xz-utils,dpkg-dev,autoconf,automake,libtool,texinfo,iproute2 \
    --customize-hook='chroot "$1" sh -c "mkdir /build && cd /build && apt-get update && apt-get source --download-only check"'
}

# /musl becomes what the build takes: check, built with musl; the kernel's and collectd's
# headers, which musl-gcc does not see; and Debian's own libmnl. That is built with glibc,
# but all that it takes from a C library musl has, too, by the same names, except two
# functions that print: here these end the program.
readonly prepare='
mkdir -p /musl/include /musl/lib
# Where the programs look for libraries.
echo /musl/lib >/etc/ld-musl-x86_64.path
ln -s /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm /usr/include/collectd \
  /usr/include/libmnl /musl/include
cp -L /usr/lib/x86_64-linux-gnu/libmnl.so.0 /musl/lib/
ln -s libmnl.so.0 /musl/lib/libmnl.so
echo "#include <stdlib.h>
void __ctype_b_loc(void) { abort(); }
int __fprintf_chk(void *f, int flag, const char *format, ...) { abort(); }" >/build/printing.c
musl-gcc -shared -fPIC -o /musl/lib/libprinting.so /build/printing.c
cd /build
dpkg-source --no-check -x check_*.dsc check
cd check
autoreconf -fi
./configure CC=musl-gcc --disable-shared --disable-subunit
make -j2 -C lib
make -j2 -C src libcheck.la
cp lib/.libs/libcompat.a src/.libs/libcheck.a /musl/lib/
cp check_stdint.h src/check.h /musl/include/'

# The programs of the end-to-end tests are left out: one takes the place of glibc's malloc.
readonly build_it='
unit_tests="check_PROGRAMS=\$(UNIT_TESTS)"
cd /build/plugin
./configure CC=musl-gcc CPPFLAGS="-isystem /musl/include" LIBMNL_CFLAGS=" " \
  LIBMNL_LIBS="-L/musl/lib -Wl,--allow-shlib-undefined -lmnl -lprinting" \
  CHECK_CFLAGS=" " CHECK_LIBS="-lcheck -lcompat" CFLAGS="-O2 -Werror"
make -j2
make -k -j2 check TESTS= "$unit_tests"'

tarball=$work/collectd-tcpstates-$(sed -n 's/^PACKAGE_VERSION = //p' "$build/Makefile").tar.xz
# The tests of packages make it, too, and may run now.
flock "$build" sh -c 'make -s -C "$1" dist && cp -- "$1/${2##*/}" "$2"' - "$build" "$tarball" >"$work/dist.log" 2>&1 ||
  fail "make dist" "$(<"$work/dist.log")"
if ! make_root >"$work/root.log" 2>&1; then
  if no_mirror "$work/root.log"; then skip_all "no Debian mirror can be reached"; fi
  fail "a clean root with musl" "$(tail -n 20 "$work/root.log")"
  done_testing
  exit 1
fi
mkdir "$root/build/plugin"
tar -xJf "$tarball" -C "$root/build/plugin" --strip-components=1
ok "check builds with musl" in_root sh -e -c "$prepare"
ok "the plugin and its tests build with musl" in_root sh -e -c "$build_it"
ok "the plugin takes nothing from glibc" in_root sh -c \
  '! readelf -V /build/plugin/.libs/tcpstates.so | grep GLIBC_'
in_root sh -c 'ip link set lo up && make -k -C /build/plugin check check_PROGRAMS="\$(UNIT_TESTS)"' >"$work/check.log" 2>&1 || true
is "all unit tests pass" "$(grep -E '^(FAIL|ERROR|XPASS):|^make.*(Error 1|No rule)' "$work/check.log" | grep -v 'check-TESTS\|test-suite' || true)" ""
ok "and there are many: $(sed -n 's/^# PASS: *//p' "$work/check.log")" test "$(sed -n 's/^# PASS: *//p' "$work/check.log")" -gt 1000
done_testing
