# SPDX-License-Identifier: MIT
# Section "unhashed": what ReportUnhashed costs on a machine with many processes, and what a WARNING of
# NotifyUnhashed costs on one with many descriptors.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section unhashed '' '' '2 minutes; 10000 sockets, 500 processes; 100000 descriptors'

unhashed_alone() {
  local round i first pids=()
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
  # Where there is none, no process has to be read.
  start_holder
  holder_do -1 'make bound ipv4 7200 5'
  table unhashed ms without "CPU time of a read of $size sockets on a machine with 500 processes more (as a multiple of that without)"
  row unhashed without '' 'tcpstates, ReportUnhashed false'
  row unhashed with '' 'tcpstates, ReportUnhashed true'
  # All processes are read in one read of 200: three times in these.
  for ((round = 0; round < rounds; round++)); do
    reads 2 600 'ReportUnhashed false'
    first=$ns
    reads 2 600 'ReportUnhashed true'
    sample unhashed with 'a read' "$ns"
    # The machine is not the same all the time: once before and once after it.
    reads 2 600 'ReportUnhashed false'
    sample unhashed without 'a read' "$(((first + ns) / 2))"
  done
  kill "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null || true
  remove_sockets
  unhashed_warning
}

# Two reads, of which the second one looks through the descriptors.
unhashed_warning() {
  local round
  size=50000
  make_sockets server "$size" || return 0
  table warning ms none "CPU time of the first two reads of $size sockets, whose other ends are open, too (as a multiple of those without a WARNING)"
  row warning none '' 'tcpstates, NotifyUnhashed 0'
  row warning one '' 'tcpstates, NotifyUnhashed 1: a WARNING'
  for ((round = 0; round < rounds; round++)); do
    reads 0 2 'NotifyUnhashed 0'
    ns=$((2 * ns))
    sample warning none 'two reads' "$ns"
    reads 0 2 'NotifyUnhashed 1'
    ns=$((2 * ns))
    sample warning one 'two reads' "$ns"
  done
}

# reads WARMUP NUMBER CONFIGURATION: sets ns, for one of them.
reads() {
  configure "$tcpstates" "$3"
  "${in_ns[@]}" "$build/plugin_host" --config "$work/host.conf" --measure --warmup "$1" --reads "$2" "$tcpstates" >"$work/measured" 2>"$work/messages" ||
    die 1 "$3: $(<"$work/messages")"
  ns=$(measured cpu_ns_per_read_mean)
}

unhashed_finish() {
  target 1.05 'ReportUnhashed: of a read without' 'unhashed:with:a read/unhashed:without:a read'
}
