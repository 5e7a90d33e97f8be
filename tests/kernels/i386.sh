#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Control groups on a 32-bit kernel, where a directory's inode number is only half of
# its id: the tests of them are cross-built for i386 in a clean root, and run on
# Debian's kernel for it in qemu.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
readonly root=$work/root guest=$work/guest tests="test_cgroup test_cgroup_kernel test_ages_kernel"

[[ $(uname -m) == x86_64 ]] || skip_all "the cross compiler that it installs runs on x86-64"
if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
for program in mmdebstrap qemu-system-i386 cpio; do
  type -P $program >/dev/null || skip_all "$program is missing; contrib/install-deps.sh targets kernels installs it"
done
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | awk '$1 !~ /-/ { print $2; exit }')
[[ -n $mirror ]] || skip_all "this machine is not Debian, or its package lists are missing; apt-get update makes them"

# in_root COMMAND...: with this machine's /proc.
in_root() {
  unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" chroot "$root" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 "$@" </dev/null
}

packages=make,pkg-config,collectd-dev,netbase,perl,xz-utils,gcc-i686-linux-gnu,libc6-dev:i386,libmnl-dev:i386,check:i386
# shellcheck disable=SC2016 # for the hook
unshare --mount mmdebstrap --variant=apt --architectures=amd64,i386 --include="$packages" \
  --customize-hook='cd "$1" && mkdir kernel && cd kernel && export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" &&
    apt-get -q download busybox-static:i386 $(apt-cache depends linux-image-686:i386 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p") &&
    for deb in *.deb; do dpkg-deb -x "$deb" .; done' \
  bookworm "$root" "deb $mirror bookworm main" >"$work/root.log" 2>&1 || {
  if no_mirror "$work/root.log"; then skip_all "no Debian mirror can be reached"; fi
  fail "a clean root with the cross compiler" "$(tail -n 20 "$work/root.log")"
  done_testing
  exit 1
}

version=$(sed -n 's/^PACKAGE_VERSION = //p' "$build/Makefile")
tarball=$root/source.tar.xz
flock "$build" sh -c 'make -s -C "$1" dist && cp -- "$1/$2" "$3"' - "$build" "collectd-tcpstates-$version.tar.xz" "$tarball" \
  >"$work/dist.log" 2>&1 || fail "make dist" "$(<"$work/dist.log")"
mkdir "$root/build"
tar -xJf "$tarball" -C "$root/build" --strip-components=1
ok "it builds for i386" in_root sh -c "cd /build && export PKG_CONFIG_LIBDIR=/usr/lib/i386-linux-gnu/pkgconfig:/usr/share/pkgconfig &&
  ./configure --host=i686-linux-gnu --build=x86_64-linux-gnu PKG_CONFIG=pkg-config && make -j2 &&
  make -j2 $(printf 'tests/unit/%s ' $tests)" 2>&1

# The guest: busybox, the tests with their libraries, and the modules of inet_diag.
mkdir -p "$guest"/{bin,dev,proc,sys,tmp,lib,modules}
cp -- "$root/kernel/bin/busybox" "$guest/bin/"
cp -L -- "$root"/lib/i386-linux-gnu/{libc.so.6,libm.so.6,libgcc_s.so.1,ld-linux.so.2} "$root"/usr/lib/i386-linux-gnu/lib{mnl,subunit}.so.0 "$guest/lib/"
for test in $tests; do cp -- "$root/build/tests/unit/$test" "$guest/"; done
find "$root/kernel/lib/modules" \( -name inet_diag.ko -o -name tcp_diag.ko \) -exec cp -t "$guest/modules" {} +
printf '%s\n' root:x:0:0::/:/bin/sh >"$guest/passwd"
cat >"$guest/init" <<END
#!/bin/busybox sh
export PATH=/bin TMPDIR=/tmp LD_LIBRARY_PATH=/lib CK_TIMEOUT_MULTIPLIER=10
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
insmod /modules/inet_diag.ko
insmod /modules/tcp_diag.ko
ip link set lo up || ifconfig lo 127.0.0.1 up
ulimit -n 20000
stty -F /dev/ttyS1 raw -echo
{
  echo "# kernel \$(uname -r) \$(uname -m)"
  for test in $tests; do
    echo "### \$test"
    /\$test </dev/null 2>&1
    echo "### status \$?"
  done
  echo "### done"
} | cat >/dev/ttyS1
stty -F /dev/ttyS1 115200
echo o >/proc/sysrq-trigger
sleep 60
END
chmod +x "$guest/init"
(cd -- "$guest" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/guest.cpio"
for try in 1 2 3; do
  timeout 1800 qemu-system-i386 -accel tcg,thread=single,tb-size=256 -icount shift=2,sleep=off -rtc clock=vm \
    -cpu max,-cx16 -smp 1 -m 768 -no-reboot -nodefaults -display none -nic none \
    -kernel "$(find "$root/kernel/boot" -name 'vmlinuz*' -type f)" -initrd "$work/guest.cpio" \
    -append "console=ttyS0 panic=-1 mitigations=off rdinit=/init" \
    -serial "file:$work/console" -serial "file:$work/results" </dev/null || true
  if grep -q '^# kernel' "$work/results"; then break; fi
  echo "# start $try has not reached init: $(grep -aE 'panic|BUG|Oops' "$work/console" | head -n 1)"
done

# relay: the guest's results as this test's own.
test=
while IFS= read -r line; do
  line=${line%$'\r'}
  case $line in
    '### status 0' | '### done' | 1..[1-9]*) ;;
    '### status '*) fail "$test ends well" "${line#\#\#\# }" ;;
    '### '*) test=${line#\#\#\# } ;;
    '1..0 # SKIP '*) skip "$test" "${line#1..0 # SKIP }" ;;
    'ok '*) pass "$test: ${line#* - }" ;;
    'not ok '*) fail "$test: ${line#* - }" ;;
    *) echo "# ${line#\# }" ;;
  esac
done <"$work/results"
ok "all of them have run" grep -q '^### done' "$work/results"
if ! grep -q '^### done' "$work/results"; then sed 's/^/# /' <(tail -n 30 "$work/console"); fi
done_testing
