#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/containers: its configuration, read by a collectd that has the rights of the
# drop-in and no more.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
unshare_also=(--mount)
enter_netns "$@"

contrib=$top/contrib/containers
pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# Names as ip netns and Docker make them; nobody else sees these mounts.
mount -t tmpfs -o mode=755 run /run 2>"$work/mount" || skip_all "no mounts: $(<"$work/mount")"
mkdir -p /run/netns /run/docker/netns
chmod 700 /run/docker
ip netns add blue 2>"$work/ip" || skip_all "no namespaces with names: $(<"$work/ip")"
# container NAME COUNT COMMAND...: a sockmake started by COMMAND, with this many
# connections; its process id is ${pids[-1]}.
container() {
  mkfifo "$work/$1"
  # shellcheck disable=SC2016 # the inner shell's
  "${@:3}" sh -c 'ip link set lo up && exec "$1"' - "$build/sockmake" <>"$work/$1" >"$work/$1.out" &
  pids+=($!)
  echo "make established ipv4 18000 $2" >"$work/$1"
  wait_until 60 "sockets in $1" grep -q '^ok$' "$work/$1.out"
}
container blue 1 ip netns exec blue
container docker 2 unshare --net
docker=${pids[-1]}
touch /run/docker/netns/1a2b3c
mount --bind "/proc/$docker/ns/net" /run/docker/netns/1a2b3c
touch /run/docker/netns/default
mount --bind /proc/self/ns/net /run/docker/netns/default # as Docker has it for --network host
container process 3 unshare --net
process=${pids[-1]}

# The page's configuration, with a pattern for each kind of rights.
mkdir "$work/page"
code_block "$contrib/README.md" 1 >"$work/page/all"
ok "the page's first block is a configuration" grep -q '<Namespace "/run/netns/\*" "/run/docker/netns/\*">' "$work/page/all"
pattern() {
  printf '<Namespace "%s">\n  Name "%s"\n  NamespaceBudget 100\n</Namespace>\n' "$2" "$1"
}
{
  cat "$work/page/all"
  echo '<Plugin tcpstates>'
  pattern blue '/run/netns/*'
  pattern docker '/run/docker/netns/*'
  # Of all processes of this machine only this one.
  pattern process "/proc/${process%?}[${process: -1}]/ns/net"
  # By their paths alone.
  pattern both 'blue" "/run/docker/netns/1a2b3c'
  echo '</Plugin>'
} >"$work/namespaces.conf"
# A namespace that is not read within it is left out.
interval=$(patient 2 8)
collectd_configure <"$work/namespaces.conf"
established() {
  values | sed -n 's/^all@\(.*\) tcp_connections-ESTABLISHED \(.*\)/\1=\2/p' | sort | xargs
}
# as_service CAPABILITY...: collectd as a user who has these.
as_service() {
  local caps
  caps=$(printf '%s\n' "$@" | sed 's/^CAP_/+/' | tr '[:upper:]' '[:lower:]' | paste -sd,)
  as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set="-all,$caps" --inh-caps="-all,$caps" --ambient-caps="-all,$caps" --no-new-privs)
}
read -ra capabilities < <(sed -n 's/^AmbientCapabilities=//p' "$contrib/collectd.service.d/tcpstates-namespaces.conf")
as_service "${capabilities[@]}"
if ! "${as_user[@]}" true 2>"$work/setpriv"; then
  skip "rights" "this user cannot give them: $(<"$work/setpriv")"
  done_testing
  exit
fi
collectd_start
is "a collectd with the rights of the drop-in reads all" "$(established)" "blue=2 both=6 docker=4 pods=6 process=6"
is "and nothing is complained about" "$(complaints)" ""
collectd_stop
# Each is needed: what is missing without it.
for capability in "${capabilities[@]}"; do
  mapfile -t others < <(printf '%s\n' "${capabilities[@]}" | grep -vx "$capability")
  as_service "${others[@]}"
  collectd_start
  case $capability in
    CAP_SYS_ADMIN) wanted= ;;
    CAP_SYS_PTRACE) wanted='blue=2 both=6 docker=4 pods=6' ;;
    CAP_DAC_READ_SEARCH) wanted='blue=2 both=2 pods=2 process=6' ;;
  esac
  is "without $capability" "$(established)" "$wanted"
  ok "and a line says so" grep -q "to enter it: collectd needs CAP_SYS_ADMIN\|to open it: .*CAP_SYS_PTRACE.*CAP_DAC_READ_SEARCH" <(messages '^\[warning\]')
  if [[ $capability == CAP_DAC_READ_SEARCH ]]; then
    ok "also of a path without a pattern" grep -q 'namespace both: /run/docker/netns/1a2b3c: not allowed to open it' <(complaints)
  fi
  collectd_stop
done
done_testing
