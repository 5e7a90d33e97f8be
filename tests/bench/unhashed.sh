# SPDX-License-Identifier: MIT
# Section "unhashed": what ReportUnhashed costs on a machine with many processes.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section unhashed '' '' '1 minute; 10000 sockets, 500 processes'

unhashed_alone() {
  local round i pids=()
  if ! supports 'ReportUnhashed true'; then
    say 'skipped: unhashed: this build has no ReportUnhashed'
    return
  fi
  size=10000
  make_sockets server "$size" || return 0
  for ((i = 0; i < 500; i++)); do
    sleep infinity &
    pids+=($!)
  done
  table unhashed ms without "CPU time of a read of $size sockets on a machine with 500 processes more (as a multiple of that without)"
  row unhashed without '' 'tcpstates, ReportUnhashed false'
  row unhashed with '' 'tcpstates, ReportUnhashed true'
  for ((round = 0; round < rounds; round++)); do
    plugin "$tcpstates" 'ReportUnhashed false'
    sample unhashed without 'a read' "$ns"
    plugin "$tcpstates" 'ReportUnhashed true'
    sample unhashed with 'a read' "$ns"
  done
  kill "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null || true
}

unhashed_finish() {
  target 1.05 'ReportUnhashed: of a read without' 'unhashed:with:a read/unhashed:without:a read'
}
