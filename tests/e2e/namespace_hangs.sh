#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A namespace whose read hangs: the others' values keep coming, and collectd stops.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# namespace NAME: of a process; its path is then ${path[NAME]}, its inode number
# ${inode[NAME]}.
declare -A path inode
namespace() {
  unshare --net sleep 600 &
  pids+=($!)
  path[$1]=/proc/$!/ns/net
  wait_until 60 "a namespace of a process's own" netns_apart $!
  inode[$1]=$(stat -L -c %i "${path[$1]}")
}
for name in red blue green; do namespace "$name"; done
mkdir "$work/hang"
interval=3
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  echo '<Plugin tcpstates>'
  for name in red blue green; do
    echo "<Namespace \"${path[$name]}\">"
    echo "  Name \"$name\""
    echo '</Namespace>'
  done
  echo '</Plugin>'
)
as_user=(env LD_PRELOAD="$build/.libs/hang_setns.so" HANG_SETNS="$work/hang")
setns_works() { nsenter --net="${path[red]}" true; }
setns_works 2>"$work/nsenter" || skip_all "no right to enter a namespace: $(<"$work/nsenter")"

# groups: that the read has which values has fetched last.
groups() {
  awk '$2 == "tcp_connections-LISTEN" { print $1 }' "$work/values" | sort | xargs
}
# reads NUMBER: the groups of this many reads in a row, each once.
reads() {
  local i
  for ((i = 0; i < $1; i++)); do
    values >/dev/null
    groups
  done | sort -u
}
# threads: that collectd has between its reads.
threads() {
  local i
  for ((i = 0; i < 40; i++)); do
    find "/proc/$collectd_pid/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
    sleep 0.05
  done | sort -n | head -n 1
}
late="[warning] tcpstates plugin: namespace blue: ${path[blue]}: not read in time. Its values are missing."

collectd_start
is "all are read" "$(reads 2)" "all all@blue all@green all@red"
before=$(threads)
reads_before=$(reads_so_far)
touch "$work/hang/${inode[blue]}"
values >/dev/null # one may have been under way
is "one hangs: the others' values keep coming" "$(reads 4)" "all all@green all@red"
messages '^\[(error|warning)\] tcpstates' >"$work/complaints"
reads_with=$(reads_so_far)
is "a line says so" "$(sort -u "$work/complaints")" "$late"
ok "it is not repeated in every read" test "$(wc -l <"$work/complaints")" -lt $((reads_with - reads_before))
is "there is one thread more, whatever the number of reads" "$(threads)" "$((before + 1))"

rm "$work/hang/${inode[blue]}"
says_again() { grep -q 'blue: it is read again' <(messages .); }
wait_until 60 "a line says that blue is read again" says_again
is "it is back" "$(reads 2)" "all all@blue all@green all@red"

touch "$work/hang/${inode[red]}" "$work/hang/${inode[blue]}"
values >/dev/null
is "two hang" "$(reads 2)" "all all@green"
pid=$collectd_pid
kill -TERM "$pid"
# It would hang for good.
for ((tenths = 0; tenths < 600; tenths++)); do
  [[ -e /proc/$pid/exe ]] || break
  sleep 0.1
done
kill -KILL "$pid" 2>/dev/null || true
status=0
wait "$pid" || status=$?
collectd_pid=
is "collectd stops nevertheless" "$status" 0
is "and says so" "$(messages 'ending without waiting')" \
  "[warning] tcpstates plugin: ending without waiting for 2 namespaces that are being read"
done_testing
