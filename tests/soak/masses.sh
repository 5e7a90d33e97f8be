#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What there can be very many of: a container for each job, 10,000 of one service; and 10,000
# processes, among which the ones are found that hold what is stuck.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
pids=() group=
at_end() {
  local pid
  if [[ -n $group ]]; then kill -KILL -- "-$group" 2>/dev/null || true; fi
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
wanted=$((processes + $(find /proc -maxdepth 1 -name '[1-9]*' | wc -l) + 1000))
if (($(ulimit -u) < wanted || $(</proc/sys/kernel/pid_max) < wanted || $(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) < 6000000)); then
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
# One of those that hold something comes before all others, and one after them.
leak 1
first=$!
# They have a process group of their own, to be ended by, and three descriptors each: one search
# reads 262144.
# shellcheck disable=SC2016 # for bash and sh
setsid bash -c 'for fd in /proc/self/fd/*; do fd=${fd##*/}; if ((fd > 2)); then exec {fd}>&-; fi; done
  exec sh -c "i=0; while [ \$i -lt $0 ]; do sleep 900 & i=\$((i + 1)); done; echo made; exec sleep 900"' \
  $processes >"$work/processes" </dev/null &
group=$!
wait_until 600 "$processes processes" grep -qx made "$work/processes"
leak 2
last=$!
printf '<Plugin tcpstates>\n  NotifyStuck 20\n  NotifyProcesses true\n  StuckAfter 1\n</Plugin>\n' >"$work/processes.conf"
host processes
cpu() { awk '{ print $14 + $15 }' "/proc/$reader/stat"; }
one_read
sleep 2
one_read
before=$(cpu)
one_read
after=$(cpu)

told=$(sed -n "s/^notification WARNING .*close_wait_stuck//p" "$from")
ok "24 sockets are reported" grep -q '24 sockets' <<<"$told"
for pid in "$first" "$last"; do
  ok "among $processes processes the ones that hold 12 of them each are named" grep -qE "sockmake\[$pid\] \(12\)" <<<"$told"
done
is "and no others" "$(grep -oE "\[[0-9]+\]" <<<"$told" | wc -l)" 2
echo "# figures: among $processes processes those are found in $(((after - before) * 1000 / $(getconf CLK_TCK))) ms of CPU, once in an alarm"
exec {to_host}>&-
done_testing
