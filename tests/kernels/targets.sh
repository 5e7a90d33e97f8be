#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit tests on 32-bit machines, one of them with a 64-bit time_t, and on a big-endian
# one: built by Debian's cross
# compilers in a clean root, and run there by this kernel where it runs such programs,
# else by qemu's user emulation.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

# Debian's name; the compiler's; the emulator; the ELF class and byte order; flags
readonly targets=(
  "i386 i686-linux-gnu qemu-i386-static 32-bit little-endian"
  "armhf arm-linux-gnueabihf qemu-arm-static 32-bit little-endian -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64"
  "s390x s390x-linux-gnu qemu-s390x-static 64-bit big-endian"
)
readonly root=$work/root

[[ $(uname -m) == x86_64 ]] || skip_all "the cross compilers that it installs run on x86-64"
if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
for program in mmdebstrap qemu-i386-static qemu-arm-static qemu-s390x-static; do
  type -P $program >/dev/null || skip_all "$program is missing; contrib/install-deps.sh targets installs it"
done

# in_root COMMAND...: with this machine's /proc and /sys; what it starts ends with it.
in_root() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
    sh -c 'mount --rbind /sys "$0/sys" && exec chroot "$0" "$@"' "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 CK_TIMEOUT_MULTIPLIER=10 "$@" </dev/null
}

# The mirror that this machine takes its release from.
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | awk '$1 !~ /-/ { print $2; exit }')
[[ -n $mirror ]] || skip_all "this machine is not Debian, or its package lists are missing; apt-get update makes them"

make_root() {
  local packages=make,pkg-config,collectd-dev,netbase,perl,xz-utils target architectures=amd64 debian host
  for target in "${targets[@]}"; do
    read -r debian host _ <<<"$target"
    architectures+=,$debian
    packages+=,gcc-$host,libc6-dev:$debian,libmnl-dev:$debian,check:$debian
  done
  # The release as such: an update that has come for one architecture and not for
  # another could not be installed for both.
  unshare --mount mmdebstrap --variant=apt --architectures=$architectures --include="$packages" bookworm "$root" \
    "deb $mirror bookworm main"
}

# run_target DEBIAN HOST EMULATOR CLASS ORDER FLAGS
run_target() {
  local name="$1, $4 $5" dir=/build/$2 library log=$work/$1.log emulator='' line
  library=${2/i686/i386}
  mkdir -p "$root$dir"
  tar -xJf "$tarball" -C "$root$dir" --strip-components=1
  ok "$name: it builds" in_root sh -c "cd $dir && export PKG_CONFIG_LIBDIR=/usr/lib/$library/pkgconfig:/usr/share/pkgconfig &&
    ./configure --host=$2 --build=x86_64-linux-gnu PKG_CONFIG=pkg-config CPPFLAGS='$6' && make -j2 && make -j2 check TESTS= &&
    touch built" 2>&1
  if [[ ! -e $root$dir/built ]]; then return; fi
  # Bytes 4 and 5 of an ELF file.
  is "$name: for that machine" "$(od -An -tu1 -j4 -N2 "$root$dir/.libs/tcpstates.so" | xargs)" \
    "$([[ $4 == 32-bit ]] && echo 1 || echo 2) $([[ $5 == little-endian ]] && echo 1 || echo 2)"
  if ! in_root "$dir/tests/unit/test_number" >/dev/null 2>&1; then
    cp -- "$(type -P "$3")" "$root/usr/bin/"
    emulator=/usr/bin/$3
  fi
  echo "# $1 runs by ${emulator:-this kernel}"
  in_root make -C "$dir" -k check LOG_FLAGS="$emulator" >"$log" 2>&1 || true
  while read -r line; do
    if [[ $line == *'# SKIP '* ]]; then
      skip "$name: ${line%% # SKIP *}" "${line##*# SKIP }"
    else
      skip "$name: ${line%% - *}" "${line#* - }"
    fi
  done < <(sed -n 's|^SKIP: tests/||p' "$log")
  is "$name: all unit tests pass" \
    "$(grep -E '^(FAIL|ERROR|XPASS):|^make.*(Error 1|No rule)' "$log" | grep -v 'check-TESTS\|test-suite' || true)" ""
  ok "$name: and there are many: $(sed -n 's/^# PASS: *//p' "$log")" \
    test "$(sed -n 's/^# PASS: *//p' "$log")" -gt 1000
}

version=$(sed -n 's/^PACKAGE_VERSION = //p' "$build/Makefile")
tarball=$work/collectd-tcpstates-$version.tar.xz
# The tests of packages make it, too, and may run now.
flock "$build" sh -c 'make -s -C "$1" dist && cp -- "$1/${2##*/}" "$2"' - "$build" "$tarball" >"$work/dist.log" 2>&1 ||
  fail "make dist" "$(<"$work/dist.log")"
if ! make_root >"$work/root.log" 2>&1; then
  if no_mirror "$work/root.log"; then
    skip_all "no Debian mirror can be reached"
  fi
  fail "a clean root with the cross compilers" "$(tail -n 20 "$work/root.log")"
  done_testing
  exit 1
fi
for target in "${targets[@]}"; do
  read -r debian host emulator class order flags <<<"$target"
  run_target "$debian" "$host" "$emulator" "$class" "$order" "$flags"
done
done_testing
