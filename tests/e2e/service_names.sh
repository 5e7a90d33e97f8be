#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ServiceNames "hostname", with real UTS namespaces in real control groups: what containers
# call themselves, and what stays called by its control group.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
need_mount_namespace
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill_and_wait "$pid"; done
  cgroup_remove
}
unshare --uts hostname test 2>"$work/unshare" || skip_all "no UTS namespace with a name: $(<"$work/unshare")"

port=18100
# run PATH NUMBER COMMAND...: a sockmake in that control group, started by COMMAND, has so
# many connections.
run() {
  local fifo=$work/fifo-${#pids[@]} to
  mkdir -p "$cgroup/$1"
  mkfifo "$fifo"
  # shellcheck disable=SC2016 # for sh
  sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$cgroup/$1" "${@:3}" "$build/sockmake" <"$fifo" >"$fifo.out" &
  pids+=("$!")
  exec {to}>"$fifo"
  echo "make established ipv4 $((port++)) $2" >&"$to"
  wait_until 60 "sockets in $1" grep -q '^ok' "$fifo.out"
}
# shellcheck disable=SC2016 # for sh
named() { run "$1" "$2" unshare --uts sh -c 'hostname "$0" && exec "$1"' "$3"; }
id() { printf '%012x%020x' "$1" 0; }
# shellcheck disable=SC2016 # for bash
host=(unshare --mount bash -e -c 'mount --bind "$1" "${1%/*}" && shift && exec "$@"' - "$cgroup")
plugin_host=("$build/plugin_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)"
  --config "$work/tcpstates.conf" --values)
read_once() {
  "${host[@]}" "$@" "${plugin_host[@]}" --reads "${reads-1}" "$build/.libs/tcpstates.so" >"$work/out" 2>&1 ||
    echo "exit status $?" >>"$work/out"
}
# established: by group, of the last read.
established() {
  awk '/^read / { delete value }
    match($1, "/tcp_connections-ESTABLISHED") { group = substr($1, 11, RSTART - 11); if (group !~ /^(all|machine|db)$/) value[group] = $2 }
    END { for (group in value) print group, value[group] }' "$work/out" | sort
}

own=$(hostname)
named "docker/$(id 1)" 1 web-1
named "docker/$(id 2)" 2 shop.example.org
named "system.slice/docker-$(id 3).scope" 3 web-1
run "docker/$(id 4)" 4
named "docker/$(id 5)" 5 "$own"
named "docker/$(id 6)" 6 other
named "docker/$(id 7)" 7 443-local
named "docker/$(id 8)" 8 db
named "docker/$(id 9)" 9 'web.service'
named "system.slice/app.service" 10 host-of-a-service
named "machine.slice/machine-box.scope/payload/init.scope" 11 box-1
mkdir "$cgroup/machine.slice/machine-box.scope/supervisor"
conf() {
  printf '<Plugin tcpstates>\n  Services true\n  <Filter "db">\n    LocalPort 1\n  </Filter>\n  %s\n</Plugin>\n' "$1" >"$work/tcpstates.conf"
}
by_cgroup="000000000001 2
000000000002 4
000000000004 8
000000000005 10
000000000006 12
000000000007 14
000000000008 16
000000000009 18
app.service 20
docker-000000000003 6
machine-box.scope 22"
conf ''
read_once
is "by default control groups give the names" "$(established)" "$by_cgroup"
conf 'ServiceNames "hostname"'
read_once
wanted="000000000004 8
000000000005 10
000000000006 12
000000000007 14
000000000008 16
000000000009 18
app.service 20
box-1 22
shop.example.org 4
web-1 8"
is "from the first read, containers have their host names, except names that no container may have" "$(established)" "$wanted"
is "nothing is complained about" "$(grep -i 'ServiceNames\|error\|warn' "$work/out" || true)" ""
is "this machine is called as before" "$(hostname)" "$own"

# Of other namespaces, too.
cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  <Filter "db">
    LocalPort 1
  </Filter>
  <Namespace "/proc/$$/ns/net">
    Name "here"
    Services true
    ServiceNames "hostname"
  </Namespace>
</Plugin>
END
read_once
is "in a Namespace block" "$(established | grep -v '^all@')" "${wanted// /@here }"
conf 'ServiceNames "pod"'
read_once
is "what else is refused" "$(grep -c 'ServiceNames "pod": write "cgroup" or "hostname"' "$work/out")" 1

# Without rights they have the names of their control groups, and one line says why.
conf 'ServiceNames "hostname"'
line='ServiceNames "hostname": not allowed: collectd needs CAP_SYS_ADMIN and CAP_SYS_PTRACE. Containers are named after their control groups.'
for capability in sys_admin sys_ptrace; do
  if setpriv --bounding-set=-$capability --inh-caps=-$capability true 2>"$work/setpriv"; then
    reads=5 read_once setpriv --bounding-set=-$capability --inh-caps=-$capability
    is "without CAP_${capability^^} alone control groups give the names" "$(established)" "$by_cgroup"
    is "and one line says so" "$(grep -cF "$line" "$work/out")" 1
    is "and nothing else" "$(grep -iE 'error|warn' "$work/out" || true)" ""
  else
    skip "without CAP_${capability^^}" "it cannot be given up: $(<"$work/setpriv")"
  fi
done
mkdir "$work/.libs"
cp -- "$build/.libs/tcpstates.so" "$work/.libs"
cp -- "$build/plugin_host" "$work"
if "${unprivileged[@]}" true 2>"$work/setpriv"; then
  plugin_host[0]=$work/plugin_host
  build=$work reads=5
  read_once "${unprivileged[@]}"
  is "without rights, control groups give the names" "$(established)" "$by_cgroup"
  is "and one line says so" "$(grep -cF "$line" "$work/out")" 1
else
  skip "without rights" "this user cannot become another: $(<"$work/setpriv")"
fi
done_testing
