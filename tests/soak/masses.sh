#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What there can be very many of: a container for each job, 10,000 of one service; and 10,000
# processes, among which the ones are found that hold what is stuck.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill_and_wait "$pid"; done
  cgroup_remove
}
types=$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)

# host NAME: the plugin with $work/NAME.conf; one_read has it read once more, and $work/out
# has what that says.
host() {
  mkfifo "$work/$1.to"
  "$build/plugin_host" --types-db "$types" --config "$work/$1.conf" --values --stdin "$build/.libs/tcpstates.so" \
    <"$work/$1.to" >"$work/$1.from" 2>&1 &
  reader=$!
  pids+=("$reader")
  exec {to_host}>"$work/$1.to"
  from=$work/$1.from reads=0
}
one_read() {
  echo >&"$to_host"
  reads=$((reads + 1))
  wait_until 60 "read $reads" awk -v reads=$reads '/^done$/ { n++ } END { exit n < reads }' "$from"
  awk -v reads=$reads '/^done$/ { n++; next } n == reads - 1' "$from" >"$work/out"
}

# ---- jobs -----------------------------------------------------------------------

# Each job has a control group, and a listener in it; the last 50 are there at a time.
jobs=10000 step=500 kept=50
mkfifo "$work/to_jobs"
"$top/tests/support/jobs.py" "$cgroup/job.service" $jobs $step $kept <"$work/to_jobs" >"$work/jobs" 2>&1 &
pids+=("$!")
exec {to_jobs}>"$work/to_jobs"
printf '<Plugin tcpstates>\n  Services true\n</Plugin>\n' >"$work/jobs.conf"
host jobs
rss=() groups=()
for ((made = step; made <= jobs; made += step)); do
  wait_until 120 "$made jobs" grep -qx "$made" "$work/jobs"
  one_read
  groups+=("$(grep -c '/tcp_connections-LISTEN ' "$work/out")")
  rss+=("$(awk '/^VmRSS/ { print $2 }' "/proc/$reader/status")")
  if ((made < jobs)); then echo >&"$to_jobs"; fi
done
is "$jobs control groups of one service are one group" "$(sed -n 's|^tcpstates-job.service/tcp_connections-LISTEN ||p' "$work/out")" $kept
ok "there are no more series than at first: groups ${groups[0]}, then ${groups[-1]}" test "${groups[-1]}" -le "${groups[0]}"
ok "and hardly more memory: ${rss[3]} kB after $((4 * step)), ${rss[-1]} kB after $jobs" test "${rss[-1]}" -lt "$((rss[3] + 512))"
echo "# figures: $jobs control groups of one service: ${groups[-1]} groups, ${rss[3]} kB after $((4 * step)), ${rss[-1]} kB at the end"
exec {to_host}>&-

# ---- processes ------------------------------------------------------------------

processes=10000
wanted=$((processes + $(compgen -G '/proc/[1-9]*' | wc -l) + 1000))
if (($(ulimit -u) < wanted || $(</proc/sys/kernel/pid_max) < wanted || $(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) < 3000000)); then
  skip "$processes processes" "this user or this machine may not have so many"
  done_testing
  exit
fi
# leak N: a process with a dozen in each of both states, at a port of its own.
leak() {
  mkfifo "$work/leak$1"
  "$build/sockmake" <>"$work/leak$1" >"$work/leaked$1" &
  pids+=("$!")
  echo "make fin-wait2-held ipv4 $((18000 + $1)) 12" >"$work/leak$1"
  wait_until 60 "the leak" grep -qx ok "$work/leaked$1"
}
options='NotifyStuck 20
NotifyProcesses true
StuckAfter 1'
# names NUMBER TEXT: the WARNING, among so many processes, names both that leak.
names() {
  local pid
  ok "24 sockets are reported" grep -q '24 sockets' <<<"$2"
  for pid in "${leaks[@]}"; do
    ok "among $1 processes the ones that hold 12 of them each are named" grep -qE "sockmake\[$pid\] \(12\)" <<<"$2"
  done
  is "and no others" "$(grep -oE "\[[0-9]+\] \(" <<<"$2" | wc -l)" 2
}
# search NUMBER: among as many processes, with three descriptors each: one search reads 262144. One
# of those that hold something comes before all others, and one after them. $cost is the CPU time of that, in ns.
cpu() { awk '{ print $1 }' "/proc/$reader/schedstat"; }
search() {
  local before between after
  leak "$1"
  leaks=("${pids[-1]}")
  "$build/crowd" "$1" 3 >"$work/crowd$1" &
  pids+=("$!")
  wait_until 60 "$1 processes" grep -qx made "$work/crowd$1"
  leak "$(($1 + 1))"
  leaks+=("${pids[-1]}")
  printf '<Plugin tcpstates>\nReportUnhashed false\n%s\n</Plugin>\n' "$options" >"$work/search$1.conf"
  host "search$1"
  # The second read in which they are stuck has the search.
  one_read
  sleep 1.2
  one_read
  before=$(cpu)
  one_read
  between=$(cpu)
  one_read
  after=$(cpu)
  cost=$((2 * between - before - after))
  names "$1" "$(sed -n "s/^notification WARNING .*close_wait_stuck//p" "$from")"
  exec {to_host}>&-
}
search 100
for pid in "${pids[@]}"; do kill_and_wait "$pid"; done
pids=() small=$cost
search $processes
echo "# figures: an alarm with $processes processes takes $((cost / 1000000)) ms of CPU, one with 100 takes $((small / 1000000)) ms"

collectd_configure <<<"LoadPlugin tcpstates
<Plugin tcpstates>
$options
</Plugin>"
collectd_start
told() { messages 'Notification: .*close_wait_stuck' | grep WARNING; }
wait_until 60 "collectd's notification" told >/dev/null || true
names $processes "$(told)"
ok "collectd goes on" values
status=0
collectd_stop || status=$?
is "and ends when it is told to" $status 0
done_testing
