#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whose stuck sockets are, under a real collectd with real control groups, and what it
# notifies of: by collectd's own logfile and exec plugins.
# shellcheck disable=SC2154 # program() sets pid_NAME
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
need_mount_namespace

cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
if ((EUID != 0)); then skip_all "only root may enter what others made"; fi

# Programs with sockets, each a sockmake of its own. program NAME SERVICE COMMAND...
# command: what it is called instead; by: what starts it.
programs=
command=
by=()
mkdir "$work/bin"
program() {
  local name=$1 directory=$cgroup/$2 fd pid lines=$#
  shift 2
  mkdir -p "$directory"
  mkfifo "$work/$name.in"
  ln -s "$build/sockmake" "$work/bin/${command:-$name}"
  (
    echo $BASHPID >"$directory/cgroup.procs"
    exec "${by[@]}" "$work/bin/${command:-$name}" <"$work/$name.in" >"$work/$name.out"
  ) &
  pid=$!
  exec {fd}>"$work/$name.in"
  printf '%s\n' "$@" >&"$fd"
  declare -g "fd_$name=$fd" "pid_$name=$pid"
  programs="$programs $name"
  wait_until 60 "$name has made its sockets" made "$work/$name.out" $((lines - 2))
}
made() {
  if grep error "$1" >&2; then return 1; fi
  (($(wc -l <"$1") >= $2))
}
# tell NAME COMMAND...
tell() {
  local fd=fd_$1 before
  before=$(wc -l <"$work/$1.out")
  printf '%s\n' "${*:2}" >&"${!fd}"
  wait_until 60 "$1 has done ${*:2}" made "$work/$1.out" $((before + 1))
}
at_end() {
  local name pid
  # unshare does not end by SIGTERM.
  if [[ -n $collectd_pid ]]; then kill -KILL "$collectd_pid"; fi
  for name in $programs; do
    pid=pid_$name
    [[ -n ${!pid-} ]] && kill "${!pid}" 2>/dev/null && wait "${!pid}" 2>/dev/null
  done
  sleep 0.1
  rmdir "$cgroup"/* "$cgroup" 2>/dev/null
}

notifications() {
  messages 'Notification: ' | sed 's/.*severity = \([A-Z]*\), .*plugin_instance = \([^,]*\), .*type_instance = \([a-z0-9_]*\), message = /\1 \2 \3 /'
}
# notified SEVERITY HOLDER VALUE: its text, of the last one.
notified() { notifications | sed -n "s/^$1 $2 $3 //p" | tail -n 1; }
has_notified() { notified "$1" "$2" "$3" | grep -qE -- "$4"; }
# says NAME SEVERITY HOLDER VALUE PATTERN: it comes, and its text matches.
says() {
  wait_until 60 "$2 of $3" has_notified "${@:2}" || true
  ok "$1" grep -qE -- "$5" <(notified "$2" "$3" "$4")
}
# What exec's program gets.
cat >"$work/notified.sh" <<'END'
#!/bin/sh
{ cat; echo ====; } >>"$(dirname "$0")/notified/$$"
END
chmod 755 "$work/notified.sh"
mkdir -m 777 "$work/notified"
# facts HOLDER VALUE: of the first WARNING with all of its lines.
facts() {
  cat "$work"/notified/* 2>/dev/null | awk -v RS='====\n' -v holder="PluginInstance: $1\n" -v value="TypeInstance: $2\n" '
    index($0, holder) && index($0, value) && /Severity: WARNING/ { print; found = 1; exit }
    END { exit !found }'
}
# fact HOLDER VALUE NAME
fact() {
  wait_until 60 "the facts of $1" facts "$1" "$2" >/dev/null || true
  facts "$1" "$2" | sed -n "s/^$3: //p"
}

# unreadable: what the plugin adds where root, too, may not read the descriptors of some process.
unreadable() {
  local link
  for link in $(ls -l /proc/[0-9]*/fd 2>&1 >/dev/null | sed -n "s/.*cannot read symbolic link '\(.*\)': Permission denied/\1/p"); do
    if [[ -L $link ]]; then echo '; not all could be read' && break; fi
  done
}

# 50051 is among them; the ports of later servers are not, or a client could have one before.
echo "32768 60999" >/proc/sys/net/ipv4/ip_local_port_range
configure() {
  collectd_configure exec <<END
LoadPlugin tcpstates
LoadPlugin exec
<Plugin exec>
  NotificationExec "nobody" "$work/notified.sh"
</Plugin>
<Plugin tcpstates>
  StuckAfter 1
  NotifyStuck 10
  NotifyProcesses true
  NotifyPeers true
</Plugin>
END
}
configure
collectd_start
values >/dev/null

# A service in CLOSE_WAIT on a port among the ephemeral ones, and its clients.
program server api.service "make fin-wait2-held ipv4 50051 600"
says "the service is named, and its port" WARNING api.service close_wait_stuck \
  '^600 sockets of api.service in CLOSE_WAIT for more than 1 s \(oldest [1-9][0-9]? s\)\. .*Local port 50051 \(600\)\. server\[[0-9]+\] \(600\)\.'
says "and what waits for it" WARNING api.service fin_wait2_stuck \
  "^600 sockets of api.service in FIN_WAIT2 .*Remote port 50051 \(600\)\. server\[$pid_server\] \(600\)\."
is "the meta data has the facts" "$(fact api.service close_wait_stuck state) $(fact api.service close_wait_stuck sockets) $(fact api.service close_wait_stuck not_accepted)" "CLOSE_WAIT 600 0"
is "the control group" "$(fact api.service close_wait_stuck control_group)" "/${cgroup##*/}/api.service"
is "and the peers" "$(fact api.service close_wait_stuck peers)" "127.0.0.1: 600"

# Tolerated ones do not hide another service's leak; nor does a number flap.
program few few.service "make fin-wait2-held ipv4 18101 9" "make fin-wait2-held ipv4 18102 3"
says "12 in one service" WARNING few.service close_wait_stuck '^12 sockets of few.service'
program many many.service "make fin-wait2-held ipv4 18103 300"
says "and then 300 in another" WARNING many.service close_wait_stuck '^300 sockets of many.service'
# all_stuck NUMBER: a read has seen it, of all services.
all_stuck() { values >/dev/null && [[ $(value all current_connections-close_wait_stuck) == "$1" ]]; }
for ((i = 0; i < 2; i++)); do
  tell few release fin-wait2-held ipv4 18102
  wait_until 60 "9 are stuck" all_stuck $((600 + 9 + 300)) || fail "9 are stuck"
  tell few make fin-wait2-held ipv4 18102 3
  wait_until 60 "12 are stuck" all_stuck $((600 + 12 + 300)) || fail "12 are stuck"
done
is "9 and 12 in turn are reported once" "$(notifications | grep -c '^[A-Z]* few.service close_wait_stuck')" 1
tell few make fin-wait2-held ipv4 18104 12
says "twice as many are reported again" WARNING few.service close_wait_stuck '^24 sockets of few.service'
tell few release fin-wait2-held ipv4 18104
tell few release fin-wait2-held ipv4 18101
says "it is over with less than half" OKAY few.service close_wait_stuck '^3 stuck in CLOSE_WAIT: fewer than half of 10'

# To many ports.
commands=()
for ((port = 18200; port < 18212; port++)); do commands+=("make fin-wait2-held ipv4 $port 1"); done
program client client.service "${commands[@]}"
says "connections to many ports are one service's" WARNING client.service fin_wait2_stuck '^12 sockets of client.service .* Many remote ports\.'

# A program that does not call accept().
program hang hang.service "make close-wait-unaccepted ipv4 18300 14"
says "what was not accepted is reported as such, with the listener's owner" WARNING hang.service close_wait_stuck \
  "^14 sockets of hang.service .*Not accepted: the program does not call accept\(\).* hang\[$pid_hang\] listens\."

# Workers share what leaks. Only with the last one it is enough.
for ((i = 0; i < 4; i++)); do
  program "worker$i" pool.service "make fin-wait2-held ipv4 $((18400 + i)) 3"
done
says "12 of 4 workers are reported as 12" WARNING pool.service close_wait_stuck '^12 sockets of pool.service'
is "each worker has its own number" "$(fact pool.service close_wait_stuck processes | grep -oE 'worker[0-9]\[[0-9]+\] \(3\)' | sort -u | wc -l)" 4

# A process that has moved to another service.
program heir old.service "make fin-wait2-held ipv4 18500 9"
mkdir "$cgroup/new.service"
echo "$pid_heir" >"$cgroup/new.service/cgroup.procs"
program rest old.service "make fin-wait2-held ipv4 18501 3"
says "the process's own service is named" WARNING old.service close_wait_stuck \
  "^12 sockets of old.service .* heir\[$pid_heir\] of new.service \(9\), rest\[$pid_rest\] \(3\)"

# A newline in a name is no line of its own.
command=$'evil\nX: y' program evil evil.service "make fin-wait2-held ipv4 18600 10"
says "a command is shown up to its newline" WARNING evil.service close_wait_stuck "evil\[$pid_evil\] \(10\)"
is "and makes no line of its own in what a program gets" "$(fact evil.service close_wait_stuck processes)$(fact evil.service close_wait_stuck X)" "evil[$pid_evil] (10)$(unreadable)"

# A container is named by its control group, and says itself what it is called.
# shellcheck disable=SC2016 # for sh
by=(unshare --uts sh -c 'hostname web-7f9 && exec "$0"')
program pod docker-0123456789abcdef0123456789abcdef.scope "make fin-wait2-held ipv4 18700 10"
by=()
says "a container is named" WARNING docker-0123456789ab close_wait_stuck "^10 sockets of docker-0123456789ab .* pod\[$pid_pod\] \(10\)"
is "and the meta data has its host name" "$(fact docker-0123456789ab close_wait_stuck container_host_name)" web-7f9
is "which others have not" "$(fact api.service close_wait_stuck container_host_name)" ""

# All together, where none has enough.
is "there is no notification of all while there are some of holders" "$(notifications | grep -c ' all ')" 0
is "nothing else is complained about" "$(complaints | grep -v Notification || true)" ""
collectd_stop

# A collectd that has namespaces of its own: it sees neither control groups nor processes.
# shellcheck disable=SC2016 # for sh
as_user=(sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare --pid --mount-proc --cgroup --fork --kill-child "$@"' "$cgroup/collectd.service"
  sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"' -)
mkdir "$cgroup/collectd.service"
configure
rm -f "$work"/notified/*
collectd_start
says "without control groups it is the server's port" WARNING 50051-local close_wait_stuck '^600 sockets on local port 50051 in CLOSE_WAIT'
says "and that of its clients" WARNING 50051-remote fin_wait2_stuck '^600 sockets to remote port 50051 in FIN_WAIT2'
is "nor are there processes" "$(fact 50051-local close_wait_stuck processes)" "not all could be read"
is "one line says why, of control groups" "$(messages . | grep -c 'control groups of stuck sockets are not found: .* (does collectd have its own control group namespace?)')" 1
is "and one of processes" "$(messages . | grep -c 'NotifyProcesses: no process here has the stuck sockets open (does collectd have its own PID namespace?)')" 1
# Signals are for what unshare has started.
kill -TERM "$(pgrep -P "$collectd_pid")"
wait_until 60 "collectd ends" has_ended "$collectd_pid" || kill -KILL "$collectd_pid"
wait "$collectd_pid" || true
collectd_pid=
done_testing
