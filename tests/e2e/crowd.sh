#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# More descriptors elsewhere than one search reads, in processes that are older than the one that
# leaks: it is named, whether its network namespace tells it apart or only its control group.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
cgroup=$(cgroup_make) || cgroup=
pids=()
end_programs() {
  local pid
  for pid in "${pids[@]}"; do kill_and_wait "$pid"; done
  pids=()
}
at_end() {
  end_programs
  wait_until 60 "the crowd's end" cgroup_remove
}
types=$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)
options=$'NotifyStuck 10\nNotifyProcesses true\nStuckAfter 1'

# What the program that leaks does.
mkfifo "$work/commands"
exec {commands}<>"$work/commands"
# program OUTPUT SERVICE COMMAND...: starts it in the service's control group, where there are any.
program() {
  local output=$1 directory=$cgroup/$2
  if [[ -n $cgroup ]]; then mkdir -p "$directory"; fi
  (
    if [[ -n $cgroup ]]; then echo $BASHPID >"$directory/cgroup.procs"; fi
    exec "${@:3}" <&"$commands" >"$work/$output" 2>&1
  ) &
  pids+=("$!")
}
# One search reads 262144 of all processes, 65536 of each.
each=$(ulimit -Hn)
if [[ $each == unlimited ]] || ((each > 60000)); then each=60000; fi
each=$((each - 100))
# search NAME CROWD-SERVICE SERVICE COMMAND...: a crowd, then a leak by this, then the plugin, with the
# configuration on the standard input. PID there is the leak's.
search() {
  local leak reads
  rm -f "$work"/{crowd,leak}
  program crowd "$2" "$build/crowd" $((280000 / each + 1)) $each
  wait_until 60 "the crowd" grep -qx made "$work/crowd"
  program leak "$3" "${@:4}"
  leak=${pids[-1]}
  echo "make fin-wait2-held ipv4 18001 12" >&"$commands"
  wait_until 60 "the leak" grep -qx ok "$work/leak"
  (echo "<Plugin tcpstates>" && sed "s/PID/$leak/" && echo "</Plugin>") >"$work/tcpstates.conf"
  # Both of its states in one read: a search takes more than a second.
  sleep 1.5
  : >"$work/out"
  for ((reads = 0; reads < 300; reads++)); do
    if grep -q '^notification .*close_wait_stuck' "$work/out"; then break; fi
    echo
    sleep 0.2
  done | "$build/plugin_host" --types-db "$types" --config "$work/tcpstates.conf" --values --stdin "$build/.libs/tcpstates.so" >"$work/out" 2>&1
  ok "$1: it is named" grep -E "^notification WARNING .*close_wait_stuck.* sockmake\[$leak\] \(12\)\." "$work/out"
  # This shows that there was a crowd.
  ok "and that not all could be read" grep -F "# meta processes sockmake[$leak] (12); not all could be read" "$work/out"
  end_programs
}

# shellcheck disable=SC2016 # for bash
search "with the crowd in another network namespace" api.service api.service \
  unshare --net bash -c 'ip link set lo up && exec "$1"' - "$build/sockmake" <<END
<Namespace "/proc/PID/ns/net">
Name "beside"
$options
</Namespace>
END
if [[ -n $cgroup ]]; then
  search "with the crowd in another control group" proxy.service worker.service "$build/sockmake" <<<"$options"
else
  skip "with the crowd in another control group" "no cgroup v2 hierarchy is mounted where this user may write"
fi
done_testing
