#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real containers that leak, killed and replaced: podman as root and rootless, LXC, and
# systemd-nspawn. The sums are what was made in those that run, and Services has each under
# the name that contrib/containers/README.md says.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

if ((EUID != 0)); then skip_all "only root can start all of them"; fi
for name in podman runc lxc-start systemd-nspawn busybox newuidmap; do
  type -P "$name" >/dev/null || skip_all "$name is missing; contrib/install-deps.sh containers installs it"
done
# Nobody else's containers are there, and podman's bridge and rules are not the machine's.
unshare_also=(--mount)
enter_netns "$@"
mount -t tmpfs -o mode=755 run /run 2>"$work/mount" || skip_all "no mounts: $(<"$work/mount")"

# ---- a root file system, and what starts it -------------------------------------

root=$work/root
mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,usr/lib,var/tmp,fifo}
echo ID=test >"$root/etc/os-release"
cp -- "$(type -P busybox)" "$build/sockmake" "$root/bin/"
for name in sh sleep cat mkfifo ip; do ln -s busybox "$root/bin/$name"; done
for library in $(ldd "$build/sockmake" "$(type -P busybox)" 2>/dev/null | grep -o '/[^ ]*' | grep -v ':$'); do
  mkdir -p "$root${library%/*}"
  cp -L -n -- "$library" "$root$library"
done
# What runs inside: it makes sockets, as it is told by its arguments, and holds them.
cat >"$root/bin/leak" <<'END'
#!/bin/sh
ip link set lo up
(printf '%s\n' "$@"; exec sleep 600) | exec sockmake
END
chmod 755 "$root/bin/leak"

user=
containers=() # of podman
nspawn=()     # process ids
lxc=()        # names
podman_root() { podman --root "$work/storage" --runroot "$work/runroot" --runtime runc --cgroup-manager cgroupfs "$@"; }
podman_user() {
  (cd "$home" && setpriv --reuid="$user" --regid="$user" --clear-groups \
    env -i PATH="$PATH" HOME="$home" XDG_RUNTIME_DIR="$home/run" \
    podman --runtime runc --cgroup-manager cgroupfs "$@")
}
# stop_nspawn PID: its container's first process takes all others along.
stop_nspawn() {
  pkill -KILL -P "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
stop_lxc() { lxc-stop -P "$work/lxc" -n "$1" -k >/dev/null 2>&1 || true; }
# Where LXC puts what it moves out of a control group; it stays empty.
pivots() { find /sys/fs/cgroup -maxdepth 3 -name lxc.pivot -type d; }
pivots_before=$(pivots)
at_end() {
  local name pid
  for name in "${lxc[@]}"; do stop_lxc "$name"; done
  if ((${#lxc[@]} > 0)); then
    wait_until 60 "the end of LXC's monitors" lxc_ended || true
    if [[ -z $pivots_before ]]; then pivots | xargs -r rmdir || true; fi
  fi
  for name in "${containers[@]}"; do podman_root rm -f -t 0 "$name" >/dev/null 2>&1 || true; done
  for pid in "${nspawn[@]}"; do stop_nspawn "$pid"; done
  if [[ -n $user ]]; then
    podman_user rm -f -t 0 -a >/dev/null 2>&1 || true
    podman_user unshare rm -rf "$home/.local" >/dev/null 2>&1 || true
    sed -i "/^$user:/d" /etc/subuid /etc/subgid
  fi
  umount -l "$work/storage/overlay" 2>/dev/null || true
}

limits=(--ulimit nofile=1024:1024 --ulimit nproc=1000:1000)
# start_RUNTIME NAME LINE...: a container with these sockets.
start_podman() {
  podman_root run -d --name "$1" --rm "${limits[@]}" --rootfs "$root" /bin/leak "${@:2}" >"$work/started" 2>&1 || return 1
  containers+=("$1")
}
start_podman_none() {
  podman_root run -d --name "$1" --rm --network none "${limits[@]}" --rootfs "$root" /bin/leak "${@:2}" >"$work/started" 2>&1 || return 1
  containers+=("$1")
}
start_rootless() {
  podman_user run -d --name "$1" --rm --network none "${limits[@]}" --rootfs "$home/root" /bin/leak "${@:2}" >"$work/started" 2>&1
}
start_nspawn() {
  cp -R -- "$root" "$work/nspawn-$1"
  systemd-nspawn -q --register=no --keep-unit --private-network -D "$work/nspawn-$1" /bin/leak "${@:2}" \
    >"$work/nspawn-$1.log" 2>&1 </dev/null &
  nspawn+=($!)
}

start_lxc() {
  mkdir -p "$work/lxc/$1"
  cat >"$work/lxc/$1/config" <<END
lxc.uts.name = box-$1
lxc.rootfs.path = dir:$root
lxc.net.0.type = empty
lxc.mount.auto = proc sys:ro
lxc.autodev = 1
lxc.apparmor.profile = unconfined
END
  lxc-start -P "$work/lxc" -n "$1" -o "$work/started" -- /bin/leak "${@:2}" >"$work/started.out" 2>&1 || return 1
  lxc+=("$1")
}
lxc_ended() { [[ -z $(find /sys/fs/cgroup -maxdepth 3 -name 'lxc.*.lxc-[0-9]*' -type d) ]]; }

# ---- containers that leak, and a collectd outside --------------------------------

# leak RUNTIME NAME NUMBER: this many in CLOSE_WAIT at the port.
leak() { "start_$1" "$2" "make fin-wait2-held ipv4 18123 $3"; }

# Rootless containers belong to a user who has ids for them.
home=$work/home
mkdir -p "$home/run"
cp -R -- "$root" "$home/root"
user=54321
chown -R "$user:$user" "$home"
chmod 755 "$work"
for file in /etc/subuid /etc/subgid; do echo "$user:600000:65536" >>"$file"; done

declare -A leaked=([podman]=3 [podman_none]=5 [rootless]=7 [nspawn]=11 [lxc]=13)
started=()
for runtime in podman podman_none rootless nspawn lxc; do
  if leak "$runtime" "$runtime-1" "${leaked[$runtime]}"; then
    started+=("$runtime")
  else
    skip "$runtime" "it does not start: $(tail -n 1 "$work/started")"
    leaked[$runtime]=0
  fi
done
if ((${#started[@]} == 0)); then
  done_testing
  exit
fi

interval=2
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  <Namespace "/run/netns/*">
    Name "named"
    LocalPort 18123
    NamespaceBudget 100
  </Namespace>
  <Namespace "/run/netns/*" "/proc/[0-9]*/ns/net">
    Name "all"
    LocalPort 18123
    NamespaceBudget 100
    Services true
  </Namespace>
  <Namespace "/run/netns/*" "/proc/[0-9]*/ns/net">
    Name "host"
    NamespaceBudget 100
    Services true
    ServiceNames "hostname"
  </Namespace>
</Plugin>
END
# The bridge that podman makes is in this namespace.
collectd_start
got() { awk -v key="18123-local@$1 tcp_connections-$2" 'index($0, key " ") == 1 { print $NF }' "$work/values"; }
# sums: of what is in CLOSE_WAIT in those with names and in all.
sums() {
  values >/dev/null
  echo "$(got named CLOSE_WAIT) $(got all CLOSE_WAIT)"
}
wanted_sums() { echo "${leaked[podman]} $((leaked[podman] + leaked[podman_none] + leaked[rootless] + leaked[nspawn] + leaked[lxc]))"; }
are_there() { [[ $(sums) == $(wanted_sums) ]]; }
wait_until 60 "the sums of ${started[*]}" are_there || true
is "the leaks of ${started[*]} are counted" "$(sums)" "$(wanted_sums)"
# Where this is a container itself, nobody may see the first process's.
is "nothing is complained about" "$(complaints | grep -v ': /proc/1/ns/net: not allowed' || true)" ""

# ---- by container ---------------------------------------------------------------

# has_cgroup PID: its control group (cgroup v2) is its own: else nobody can tell it apart.
has_cgroup() { grep -q '^0::/.*\(libpod-\|lxc\.payload\.\)' "/proc/$1/cgroup"; }
# wanted_services ROUND: by control group and by host name, "NAME NUMBER" each.
wanted_services() {
  local runtime name id
  for runtime in "${started[@]}"; do
    name=$runtime-$1
    case $runtime in
      podman | podman_none)
        has_cgroup "$(podman_root inspect -f '{{.State.Pid}}' "$name")" || continue
        id=$(podman_root inspect -f '{{.Id}}' "$name")
        echo "libpod-${id:0:12}@all ${leaked[$runtime]}"
        echo "${id:0:12}@host ${leaked[$runtime]}"
        ;;
      lxc)
        has_cgroup "$(lxc-info -P "$work/lxc" -n "$name" -p -H)" || continue
        echo "lxc.payload.$name@all ${leaked[$runtime]}"
        echo "box-$name@host ${leaked[$runtime]}"
        ;;
    esac
  done | sort
}
services() {
  values >/dev/null
  awk '$2 == "tcp_connections-CLOSE_WAIT" && $3 > 0 && $1 ~ /^(libpod-.*@all|lxc\.payload\..*@all|[0-9a-f]*@host|box-.*@host)$/ {
    if (length($1) == 17 || $1 !~ /^[0-9a-f]*@/) print $1, $3 }' "$work/values" | sort
}
are_named() { [[ $(services) == "$named" ]]; }
# has_services ROUND
has_services() {
  named=$(wanted_services "$1")
  if [[ -z $named ]]; then
    skip "containers by name, round $1" "none has a control group of its own in cgroup v2"
    return
  fi
  wait_until 60 "the names of round $1" are_named || true
  is "each container by its control group and by its host name, round $1" "$(services)" "$named"
}
has_services 1

# ---- they are killed and replaced ---------------------------------------------

for ((round = 2; round <= 4; round++)); do
  for runtime in "${started[@]}"; do
    case $runtime in
      podman | podman_none) podman_root rm -f -t 0 "$runtime-$((round - 1))" >/dev/null 2>&1 || true ;;
      rootless) podman_user rm -f -t 0 "$runtime-$((round - 1))" >/dev/null 2>&1 || true ;;
      nspawn) stop_nspawn "${nspawn[-1]}" ;;
      lxc) stop_lxc "lxc-$((round - 1))" ;;
    esac
    leaked[$runtime]=$((leaked[$runtime] + 1))
    leak "$runtime" "$runtime-$round" "${leaked[$runtime]}"
  done
  wait_until 60 "the sums of round $round" are_there || true
  is "replaced, round $round" "$(sums)" "$(wanted_sums)"
  has_services "$round"
done
is "no value is negative" "$(awk '$1 == "PUTVAL" { split($NF, value, ":"); if (value[2] < 0) print }' "$work/output")" ""
collectd_stop
done_testing
