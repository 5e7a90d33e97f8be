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
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  find "$cgroup" -mindepth 1 -depth -type d -exec rmdir {} + || true
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
python3 -c '
import os, socket, sys
top, jobs, step, keep = sys.argv[1], *map(int, sys.argv[2:])
os.mkdir(top)
kept = []
for i in range(jobs):
    directory = f"{top}/{i}"
    os.mkdir(directory)
    with open(directory + "/cgroup.procs", "w") as file: file.write("0")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    kept.append((listener, directory))
    if len(kept) > keep:
        listener, directory = kept.pop(0)
        listener.close()
        os.rmdir(directory)
    if (i + 1) % step == 0:
        print(i + 1, flush=True)
        sys.stdin.readline()
' "$cgroup/job.service" $jobs $step $kept <"$work/to_jobs" >"$work/jobs" 2>&1 &
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
if (($(ulimit -u) < wanted || $(</proc/sys/kernel/pid_max) < wanted || $(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) < 4000000)); then
  skip "$processes processes" "this user or this machine may not have so many"
  done_testing
  exit
fi
# The first and the last hold a dozen each of what has leaked, and 10 between them share
# another dozen.
python3 -c '
import os, signal, socket, sys, time
num = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", 0))
def leak(count):
    made = []
    for i in range(count):
        client = socket.create_connection(server.getsockname())
        client.shutdown(socket.SHUT_WR)
        made.append((client, server.accept()[0]))
    return made
def child(what):
    pid = os.fork()
    if pid == 0:
        made = what()
        print("made", os.getpid(), flush=True)
        signal.pause()
    return pid
pids = [child(lambda: leak(12))]
shared = leak(12)
pids += [child(lambda: None) for i in range(10)]
for pair in shared:
    for end in pair: end.close()
pids += [child(lambda: None) for i in range(num - 12)]
pids.append(child(lambda: leak(12)))
print("all", pids[0], pids[-1], flush=True)
signal.signal(signal.SIGTERM, lambda *args: None)
signal.pause()
for pid in pids: os.kill(pid, signal.SIGKILL)
' $processes >"$work/processes" &
forker=$!
pids+=("$forker")
wait_until 300 "$processes processes" grep -q '^all ' "$work/processes"
read -r _ first last < <(grep '^all ' "$work/processes")
wait_until 60 "the last one's sockets" grep -qx "made $last" "$work/processes"
printf '<Plugin tcpstates>\n  NotifyStuck 10\n  NotifyProcesses true\n  StuckAfter 1\n</Plugin>\n' >"$work/processes.conf"
host processes
notified() {
  one_read
  grep -q '^notification WARNING .*close_wait' "$from"
}
sleep 2
cpu() { awk '{ print $14 + $15 }' "/proc/$reader/stat"; }
one_read
before=$(cpu)
wait_until 60 "a WARNING" notified
after=$(cpu)
text=$(grep '^notification WARNING .*close_wait' "$from" | tail -n 1)
for pid in "$first" "$last"; do
  ok "among $processes processes the one that holds 12 by itself is told" grep -qE "\[$pid\]( of [^ ]*)? \(12\)" <<<"$text"
done
ok "and how many others there are" grep -qE ', [1-9][0-9]* more\.' <<<"$text"
echo "# $text"
echo "# figures: $processes processes: searched in $(((after - before) * 1000 / $(getconf CLK_TCK))) ms of CPU, once"
exec {to_host}>&-
kill -TERM "$forker"
wait "$forker" || true
done_testing
