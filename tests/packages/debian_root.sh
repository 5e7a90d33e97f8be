# SPDX-License-Identifier: MIT
# Debian roots, for the tests that install packages; sourced after lib.sh. What runs in
# them has a network namespace of the test's own, apt the one before.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the scripts and of lib.sh
if [[ ${TCPSTATES_TEST_NETNS-} != "$$" ]]; then
  exec {outside_net}</proc/self/ns/net
  export outside_net
fi
enter_netns "$@"
outside=(nsenter --net="/proc/$$/fd/$outside_net")

# exec_in_root ROOT COMMAND...: what it mounts and starts is gone when it ends.
exec_in_root() {
  local root=$1
  shift
  exec "${net[@]}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${DEB_BUILD_OPTIONS:+"DEB_BUILD_OPTIONS=$DEB_BUILD_OPTIONS"} \
    ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" chroot "$root" "$@"
}
in_root() {
  (exec_in_root "$@")
}
net=() # what starts it: in another network namespace

# apt ROOT ARGUMENT...
apt() {
  local root=$1 net=("${outside[@]}")
  shift
  in_root "$root" apt-get -q -y -o APT::Install-Recommends=false "$@" </dev/null 2>&1
}

# make_tarball: make dist; $tarball.
make_tarball() {
  tarball=$work/collectd-tcpstates-$(sed -n 's/^PACKAGE_VERSION = //p' "$build/Makefile").tar.xz
  # The other tests of packages make it, too, and may run now.
  flock "$build" sh -c 'make -s -C "$1" dist && cp -- "$1/${2##*/}" "$2"' - "$build" "$tarball" >"$work/dist.log" 2>&1 ||
    fail "make dist" "$(<"$work/dist.log")"
}

# counted DIRECTORY [GROUP...]: what the plugin csv has written there last about the
# groups [all], as wanted does, but the values that of_states selects alone.
counted() {
  local directory=$1 group file
  shift
  for group in "${@:-all}"; do
    for file in "$directory"/*/tcpstates-"$group"/*; do
      # csv's file names end in the date, its lines are TIME,VALUE.
      awk -F, -v group="$group" -v name="${file##*/}" 'END { print group, substr(name, 1, length(name) - 11), $2 + 0 }' "$file"
    done
  done | of_states
}
of_states() {
  grep -E '^[^ ]* (tcp_connections-|current_connections-fin_wait2_(held|orphaned) )' | grep -v -- -CLOSED | sort
}

# ---- a root as a machine: systemd runs as its process 1 ------------------------

machine=         # its process 1, as seen from here
machine_unshare= # its parent

# machine_start ROOT [COMMAND...]: COMMAND starts it, such as in another network
# namespace. Fails where this system does not let systemd run.
machine_start() {
  local root=$1 tenths
  shift
  cgroup=$(cgroup_make) || {
    echo "no cgroup v2 that can be written" >&2
    return 1
  }
  "$@" bash -c 'echo $$ >"$1/cgroup.procs" && exec unshare --mount --pid --fork --kill-child=KILL \
    --cgroup --uts --ipc bash -e -c "$2" bash "$3"' - "$cgroup" '
      cd -- "$1"
      mount --make-rprivate /
      mount --bind . .
      cd -- "$1"
      mount -t proc proc proc
      # Sysctls are the host'"'"'s.
      mount --bind proc/sys proc/sys
      mount -o remount,bind,ro proc/sys
      mount -t sysfs -o ro sysfs sys
      mount -t cgroup2 cgroup2 sys/fs/cgroup
      mount -t tmpfs -o mode=755 tmpfs run
      mount -t tmpfs tmpfs tmp
      mount -t tmpfs -o mode=755 tmpfs dev
      for name in null zero full random urandom tty; do
        touch "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
      done
      mkdir dev/pts dev/shm
      mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
      ln -s pts/ptmx dev/ptmx
      mount -t tmpfs tmpfs dev/shm
      pivot_root . mnt
      cd /
      umount -l mnt
      exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd' \
    "$root" >"$work/machine.log" 2>&1 </dev/null &
  machine_unshare=$!
  for ((tenths = 0; tenths < 600; tenths++)); do
    sleep 0.1
    kill -0 "$machine_unshare" 2>/dev/null || break
    machine=$(pgrep -P "$machine_unshare") || continue
    # Before, its root is that of this system.
    [[ $(cat "/proc/$machine/comm") == systemd ]] || continue
    # It fails when a unit has failed, too, such as one that loads kernel modules.
    if [[ $(in_machine systemctl is-system-running 2>/dev/null) == @(running|degraded) ]]; then return 0; fi
  done
  echo "systemd does not run as process 1 of a namespace: $(tail -n 5 "$work/machine.log")" >&2
  machine_stop
  return 1
}

# in_machine COMMAND...
in_machine() {
  nsenter --target "$machine" --mount --pid --uts --ipc --cgroup --net --root --wd \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 SYSTEMD_COLORS=0 SYSTEMD_PAGER= "$@" </dev/null
}

machine_stop() {
  if [[ -z $machine_unshare ]]; then return; fi
  kill -KILL "$machine_unshare" 2>/dev/null || true
  wait "$machine_unshare" 2>/dev/null || true
  machine_unshare=
  machine=
  # Its processes take a while to end.
  wait_until 60 "the end of the machine's processes" find "$cgroup" -depth -type d -exec rmdir {} + || true
  cgroup=
}
