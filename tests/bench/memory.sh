# SPDX-License-Identifier: MIT
# Section "memory": whether it grows in many reads, and what the ages of leaked sockets take.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section memory '' '' '3 minutes; 300000 sockets'

growth_reads=100000
host_pid=

# host_start: a plugin_host with tcpstates that reads as told by host_read.
host_start() {
  mkfifo "$work/host"
  configure "$tcpstates" ''
  "$build/plugin_host" --config "$work/host.conf" --stdin "$tcpstates" <>"$work/host" >"$work/host.out" 2>"$work/messages" &
  host_pid=$!
}

# host_read NUMBER
host_read() {
  local i reads
  for ((i = 0; i < $1; i++)); do
    reads=$(grep -c '^done$' "$work/host.out") || true
    echo >"$work/host"
    until (($(grep -c '^done$' "$work/host.out") > reads)); do
      kill -0 "$host_pid" || die 1 "plugin_host: $(<"$work/messages")"
      sleep 0.02
    done
  done
}

# VmRSS lags by some 256 KiB.
host_kib() {
  awk '$1 == "Rss:" { print $2 }' "/proc/$host_pid/smaps_rollup"
}

host_stop() {
  kill "$host_pid"
  wait "$host_pid" 2>/dev/null || true
  rm -f "$work/host"
}

memory_alone() {
  local before during after leaked=300000
  size=1000
  make_sockets server "$size" || return 0
  configure "$tcpstates" ''
  "$build/plugin_host" --config "$work/host.conf" --measure --warmup "$growth_reads" --reads 1 "$tcpstates" >"$work/measured" 2>/dev/null
  sample growth tcpstates KiB $(($(measured rss_kib_after_last) - $(measured rss_kib_after_first)))
  remove_sockets

  host_start
  host_read 20
  before=$(host_kib)
  table memory KiB '' "Resident memory of a host with tcpstates, KiB, while $leaked sockets are leaked"
  row memory host '' 'tcpstates'
  sample memory host before "$before"
  if make_sockets closewait "$leaked"; then
    host_read 20
    during=$(host_kib)
    sample memory host 'in the leak' "$during"
    remove_sockets
    host_read 20
    after=$(host_kib)
    sample memory host 'after it' "$after"
    # 95 % of them, and 60 of those in rare states, are in an aged state.
    sample leak bytes 'a leaked socket' "$(awk -v kib=$((during - before)) -v num=$((leaked * 95 / 100)) 'BEGIN { print kib * 1024 / num }')"
    sample leak left KiB $((after - before))
  fi
  host_stop
}

memory_finish() {
  target 512 "growth in $growth_reads reads, KiB" 'growth:tcpstates:KiB'
  target 24 'a socket in CLOSE_WAIT, bytes' 'leak:bytes:a leaked socket'
  target 256 'left after the leak, KiB' 'leak:left:KiB'
}
