#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each call of the plugin that can fail does, at each of its positions in a read,
# with each errno that its man page names, and each message of the kernel's
# arrives damaged: no value is ever wrong, there is one complaint, nothing leaks, and
# the next read is whole. tests/faults/faults.c makes the faults, tests/faults/faults.awk judges.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# Others' sockets, and a large table, would make each of the thousands of dumps slow.
apart_entries=1024
enter_netns_apart "$@"
need_mount_namespace
# The namespace beside is to have its own, too.
echo $apart_entries 2>/dev/null >/proc/sys/net/ipv4/tcp_child_ehash_entries || true

# What fails how; words in small letters are described in tests/faults/faults.c. Not
# here: what only other kinds of files and sockets, and other flags, can give.
declare -rA faults=(
  [socket]='EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPERM EPROTONOSUPPORT'
  [bind]='EACCES EADDRINUSE EADDRNOTAVAIL EBADF EFAULT EINVAL ENOMEM ENOTSOCK EPERM'
  [getsockname]='EBADF EFAULT EINVAL ENOBUFS ENOTSOCK'
  [connect]='EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED EFAULT EINPROGRESS EINTR EISCONN ENETUNREACH ENOTSOCK EPERM EPROTOTYPE ETIMEDOUT'
  [setsockopt]='EBADF EDOM EFAULT EINVAL ENOPROTOOPT ENOTSOCK'
  [sendto]='EACCES EAGAIN EALREADY EBADF ECONNREFUSED ECONNRESET EDESTADDRREQ EFAULT EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM ENOTCONN ENOTSOCK EOPNOTSUPP EPERM EPIPE'
  [recvmsg]='EAGAIN EBADF ECONNREFUSED EFAULT EINTR EINVAL ENOBUFS ENOMEM ENOTCONN ENOTSOCK
    truncated cut empty lost no-done stale duplicate seq portid interrupted
    done-error error error-einval ack overrun unknown'
  [open]='EACCES EBUSY EFAULT EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOMEM ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY EWOULDBLOCK'
  [lseek]='EBADF EINVAL ENXIO EOVERFLOW'
  [read]='EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR short half'
  [close]='EBADF EDQUOT EINTR EIO ENOSPC'
  [opendir]='EACCES EMFILE ENFILE ENOENT ENOMEM ENOTDIR'
  [readdir]='EBADF EIO ENOENT'
  [closedir]='EBADF'
  [readlinkat]='EACCES EBADF EFAULT EINVAL EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR'
  [uname]='EFAULT'
  [setns]='EBADF EINVAL ENOMEM EPERM ESRCH'
  [pthread_create]='EAGAIN EINVAL EPERM'
  [malloc]=ENOMEM
  [calloc]=ENOMEM
  [realloc]=ENOMEM
  # Not ENOENT and ESRCH: a process that has ended gives these.
  [getdents64]='EACCES EBADF EFAULT EINVAL EIO ENOMEM ENOTDIR'
  [stat]='EACCES EIO ENOMEM ENOTDIR EOVERFLOW'
  [readlink]='EACCES EINVAL EIO ENOMEM'
  [getxattr]='EACCES EIO ENOMEM ERANGE'
)

host=("$build/faulty_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)")
plugin=$build/.libs/tcpstates.so
export FAULTS_PROC=$top/tests/unit/fixtures/proc

# ---- sockets that stay as they are --------------------------------------------

others=() # process ids
cgroup=
at_end() {
  if ((${#others[@]} > 0)); then
    kill -KILL "${others[@]}" # unshare waits for its child whatever else it is sent
    wait "${others[@]}" 2>/dev/null
  fi
  # The holder ends a little after its parent.
  if [[ -n $cgroup && -d $cgroup/holder ]]; then wait_until 60 "the holder's end" rmdir "$cgroup/holder"; fi
  cgroup_remove
}
# sockmake_by NAME COMMAND UNSHARE...: a sockmake in other namespaces, that UNSHARE makes
# and ends with it, does this; its process id, or that of its parent, is added to others.
sockmake_by() {
  local command=$2
  mkfifo "$work/$1.fifo"
  : >"$work/$1"
  exec {to_other}<>"$work/$1.fifo"
  "${@:3}" "$build/sockmake" <"$work/$1.fifo" >"$work/$1" &
  others+=($!)
  echo "$command" >&"$to_other"
  wait_until 60 "sockmake $1: $command" grep -qx ok "$work/$1"
}
echo 3600 >/proc/sys/net/ipv4/tcp_fin_timeout
# This many, so that the kernel's sums are used, and nearly all of them in no group.
sockets make established ipv4 18000 20
sockets make established ipv4 18005 290
sockets make fin-wait2-held ipv6 18001 7
sockets make fin-wait2-orphaned mapped 18002 5
sockets make bound ipv4 0 3
sockets make unaccepted ipv4 18003 4
# A namespace beside: that of a process.
# shellcheck disable=SC2016 # for bash
sockmake_by beside 'make fin-wait2-held ipv4 18000 3' unshare --net bash -c 'ip link set lo up && exec "$1"' -

cgroups=
if cgroup=$(cgroup_make); then
  sockets_in "$cgroup/below" make established ipv4 18004 6
  sockets_in "$cgroup/below" make fin-wait2-held ipv4 18006 9
  cgroups='<Filter "cgroup">
    ControlGroup "/below"
  </Filter>'
  # The hierarchy is what is below the test's own group: others change it.
  # shellcheck disable=SC2016 # for bash
  host=(unshare --mount bash -e -c 'mount --bind "$1" "${1%/*}" && shift && exec "$@"' - "$cgroup" "${host[@]}")
else
  skip "control groups" "no cgroup v2 hierarchy is mounted where this user may write"
fi
mptcp=
if [[ -e /proc/sys/net/mptcp ]] && ss -M >/dev/null 2>&1; then
  mptcp='<Filter "mptcp">
    Protocol "mptcp"
  </Filter>'
else
  skip "MPTCP" "this kernel has none"
fi
configuration=$work/tcpstates.conf
cat >"$configuration" <<END
<Plugin tcpstates>
  ReportUnhashed false
  AllPortsSummary true
  LocalPort 18000
  RemotePort 18001
  StuckAfter 1
  ReportClosed true
  ReportAcceptQueue true
  ReportEphemeralPorts true
  $mptcp
  <Filter "address">
    RemoteAddress "127.0.0.0/8"
    LocalPort 18002
  </Filter>
  $cgroups
  <Namespace "/proc/${others[0]}/ns/net">
    Name "beside"
    AllPortsSummary true
    ListeningPorts true
    StuckAfter 1
    ReportClosed true
  </Namespace>
</Plugin>
END
sleep 1.1

read_by_plan() {
  "${host[@]}" --config "$configuration" --stdin "$plugin" 2>&1 || echo "contract: exit status $?"
}
# calls ROLE: "CALL COUNT" of that read.
calls() {
  awk -v role="$1" '/^# plan/ { now = $3 } /^# calls/ && now == role { print $3, $4 }'
}
# cases CALLS: "CALL POSITION HOW" for each of the CALL COUNT [FIRST STEP] on standard
# input.
cases() {
  local call count first step how position
  while read -r call count first step; do
    if [[ " $1 " != *" $call "* ]]; then continue; fi
    for ((position = ${first:-1}; position <= count; position += ${step:-1})); do
      for how in ${faults[$call]}; do echo "$call $position $how"; done
    done
  done
}
# judge NAME CALLS FILE: one result for each call.
judge() {
  local call count
  for call in $2; do
    count=$(awk -v call="$call" '$1 == call && $2 == "cases" { print $3 }' "$3")
    if [[ -z $count ]]; then
      fail "$1: $call fails" "it is not called"
    else
      is "$1: $call fails, $count cases" "$(grep -m 20 -E "^($call|contract):" "$3" || true)" ""
    fi
  done
}

# ---- the reads of a plugin that runs ------------------------------------------

printf '%s\n' first warm warm warm reference | read_by_plan >"$work/clean"
ok "there are enough sockets for the kernel's sums" grep -q 'counting: ESTABLISHED and TIME_WAIT are the kernel' "$work/clean"
is "the daemon's children inherit no descriptor of a read" "$(grep '^contract: .*closed on exec' "$work/clean" || true)" ""
steady='sendto recvmsg open lseek read close setns pthread_create uname socket bind getsockname connect setsockopt'
calls reference <"$work/clean" | cases "$steady" >"$work/cases"
# steps: what is read, for each case on standard input.
steps() {
  local case
  while read -r case; do printf '%s\n' "fault1 $case" "fault2 $case" clean1 clean2; done
}
# After these it takes the kernel for one that refuses bytecode, until its end.
refused='^(sendto|recvmsg) .*(EINVAL|error-einval)$'
{
  (printf '%s\n' warm warm warm reference && grep -Ev "$refused" "$work/cases" | steps) | read_by_plan
  grep -E "$refused" "$work/cases" | while read -r case; do
    (printf '%s\n' warm warm warm reference && steps <<<"$case") | read_by_plan
  done
} >"$work/transcript"
awk -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "a read" "$steady" "$work/judgement"

# ---- a pattern of namespaces, alone: threads that read at a time take turns at random ---

steady_configuration=$configuration
configuration=$work/pattern.conf
cat >"$configuration" <<END
<Plugin tcpstates>
  ReportUnhashed false
  <Namespace "/proc/${others[0]}/ns/net" "/proc/${others[0]}/task/${others[0]}/ns/net">
    Name "sum"
    AllPortsSummary true
    StuckAfter 1
  </Namespace>
</Plugin>
END
printf '%s\n' first warm warm warm reference | read_by_plan >"$work/pattern"
steady='setns pthread_create open sendto socket'
calls reference <"$work/pattern" | cases "$steady" | while read -r case; do
  printf '%s\n' "fault1 $case" "fault2 $case" clean1 clean2
done >"$work/plan"
(printf '%s\n' warm warm warm reference && cat "$work/plan") | read_by_plan >"$work/transcript"
awk -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "a pattern" "$steady" "$work/judgement"
configuration=$steady_configuration

# ---- the first read -----------------------------------------------------------

# Files that stay open are opened here.
first='socket bind getsockname connect setsockopt malloc calloc realloc open'
{
  awk 1 "$work/clean"
  calls first <"$work/clean" | cases "$first" | grep -E '^open .* (EACCES|EMFILE)$|^[^o]' | while read -r case; do
    printf '%s\n' "fault1 $case" clean1 clean clean clean2 | read_by_plan
  done
} >"$work/transcript"
awk -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "the first read" "$first" "$work/judgement"

# ---- memory at the start ------------------------------------------------------

start() {
  FAULTS=$1 "${host[@]}" --config "$configuration" --reads 0 "$plugin" 2>&1 || echo "exit status $?"
}
start start | calls start | cases 'malloc calloc realloc' >"$work/plan"
while read -r case; do
  start "start $case" >"$work/start"
  if (($(grep -c '^error: tcpstates plugin: .*out of memory' "$work/start") != 1)) ||
    ! grep -qx 'exit status 3' "$work/start" || grep -q 'Sanitizer' "$work/start"; then
    echo "$case: $(grep -v '^#' "$work/start" | xargs)"
  fi
done <"$work/plan" >"$work/judgement"
is "each allocation at the start fails, $(wc -l <"$work/plan") cases: the start ends with one line" "$(<"$work/judgement")" ""

# ---- the read that notifies ---------------------------------------------------

if ! unshare --pid --fork --mount-proc true 2>"$work/unshare"; then
  skip "the read that notifies" "no process namespace: $(<"$work/unshare")"
  done_testing
  exit
fi
# The reads of processes and control groups. So that these are always the same, /proc
# shows but a holder and the host, and the hierarchy what is below the test's own group.
# shellcheck disable=SC2016 # for bash
sockmake_by holder 'make fin-wait2-held ipv4 18007 12' unshare --pid --fork --kill-child --mount-proc bash -e -c '
  if [[ -n $1 ]]; then
    mount --bind "$1" "${1%/*}"
    mkdir "${1%/*}/holder"
    echo $$ >"${1%/*}/holder/cgroup.procs"
  fi
  exec "$2"' - "$cgroup"
sleep 1.1
configuration=$work/notify.conf
cat >"$configuration" <<'END'
<Plugin tcpstates>
  ReportUnhashed false
  StuckAfter 1
  NotifyStuck 1
  NotifyProcesses true
</Plugin>
END
holder=/proc/${others[1]}
# With its root: a mount namespace's own differs in a chroot.
host=(nsenter --pid="$holder/ns/pid_for_children" --mount="$holder/ns/mnt" --root="$holder/root" "${host[@]: -3}")
printf '%s\n' warm notifies warm warm reference | read_by_plan >"$work/clean"
ok "a notification names the holder" grep -q "^notification WARNING .* sockmake\[1\] ([0-9]*)" "$work/clean"
notify='getdents64 stat opendir readdir readlinkat closedir open read close realloc'
calls reference <"$work/clean" >"$work/plain"
{
  awk 1 "$work/clean"
  # What other reads call as well has failed above. There are hundreds of descriptors, and all
  # have the same result: every seventh fails.
  calls notifies <"$work/clean" |
    awk 'NR == FNR { plain[$1] = $2; next } { print $1, $2, plain[$1] + 1, $1 ~ /^readdir$|^readlinkat$/ ? 7 : 1 }' "$work/plain" - |
    cases "$notify" | while read -r case; do
    printf '%s\n' warm "fault1 $case" clean1 clean2 | read_by_plan
  done
} >"$work/transcript"
awk -v notify=1 -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "the read that notifies" "$notify" "$work/judgement"

# ---- sockets in no state ------------------------------------------------------

# The machine is a PID namespace with a process in this network namespace and one in another, and
# a third is mounted, whose sockets are held outside.
# shellcheck disable=SC2016 # for bash
sockmake_by machine 'make bound ipv4 18008 2' unshare --pid --fork --kill-child --mount-proc bash -e -c '
  while read -r mount; do umount --lazy "$mount"; done < <(findmnt -n -r -o TARGET -t nsfs)
  touch "$1/mounted"
  unshare --net="$1/mounted" ip link set lo up
  mkfifo "$1/inside.fifo"
  unshare --net bash -e -c "ip link set lo up; echo \$\$ >\$1/inside.pid; exec \$2" - "$@" <>"$1/inside.fifo" >"$1/inside" &
  echo "make established ipv4 18009 5" >"$1/inside.fifo"
  exec "$2"' - "$work"
machine=/proc/${others[2]}
wait_until 60 "sockmake inside" grep -qx ok "$work/inside"
sockmake_by outside 'make established ipv4 18010 4' nsenter --net="$machine/root$work/mounted"
host=(env FAULTS_ALLOC=5000 nsenter --pid="$machine/ns/pid_for_children" --mount="$machine/ns/mnt" --root="$machine/root" "${host[@]: -3}")
configuration=$work/unhashed.conf
# Those of before become stuck meanwhile.
echo '<Plugin tcpstates>
  ReportStuck false
  ReportUnhashed false
</Plugin>' >"$configuration"
printf '%s\n' first | read_by_plan >"$work/clean"
calls first <"$work/clean" >"$work/plain"
echo '<Plugin tcpstates>
  ReportStuck false
</Plugin>' >"$configuration"
printf '%s\n' first reference | read_by_plan >"$work/clean"
inuse=$(awk '/^TCP6?:/ { sum += $3 } END { print sum }' \
  /proc/$$/net/sockstat{,6} "$machine/root/proc/$(<"$work/inside.pid")/net/sockstat" "/proc/${others[3]}/net/sockstat")
is "unhashed sockets are those in no namespace" "$(grep -c "^tcpstates-machine.current_connections-unhashed $((5000 - inuse))$" "$work/clean")" 2
unhashed='getdents64 stat readlink open read setns pthread_create'
# added ROLE: how often each call is made in that read beyond the number that others make.
added() {
  calls "$1" <"$work/clean" | awk 'NR == FNR { plain[$1] = $2; next } { print $1, $2, plain[$1] + 1, $1 ~ /^readdir$|^readlink$/ ? 7 : 1 }' "$work/plain" -
}
# What others call as well has failed above with all that there is.
few='^(open|read) .* (EACCES|EIO|EMFILE|half)$|^(pthread_create|setns) '
{
  awk 1 "$work/clean"
  added first | cases "$unhashed" | grep -E "^(getdents64|stat|readlink) |$few" | while read -r case; do
    printf '%s\n' "fault1 $case" clean1 clean2 | read_by_plan
  done
} >"$work/transcript"
awk -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "sockets in no state" "$unhashed" "$work/judgement"

echo '<Plugin tcpstates>
  ReportStuck false
  NotifyUnhashed 1
</Plugin>' >"$configuration"
printf '%s\n' warm notifies warm warm reference | read_by_plan >"$work/clean"
ok "a notification names who holds them" grep -qE '^notification WARNING .* sockmake\[1\][^,]* \(2\)' "$work/clean"
calls reference <"$work/clean" >"$work/plain"
unhashed='getdents64 stat opendir readdir readlink getxattr closedir'
{
  awk 1 "$work/clean"
  added notifies | cases "$unhashed" | grep -v ' ENOENT$' | while read -r case; do
    printf '%s\n' warm "fault1 $case" clean1 clean2 | read_by_plan
  done
} >"$work/transcript"
awk -v notify=1 -v processes_matter=1 -f "$top/tests/faults/faults.awk" "$work/transcript" >"$work/judgement"
judge "who holds sockets in no state" "$unhashed" "$work/judgement"
done_testing
