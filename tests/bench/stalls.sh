# SPDX-License-Identifier: MIT
# Section "stalls": how long connect(), accept() and close() on the busiest port take while a
# reader reads.
# shellcheck shell=bash disable=SC2154 # what the scripts beside it set

section stalls '100000 1000000' server '5 minutes'

stalls_seconds=4

host() {
  configure "$1" "$2"
  command=("$build/plugin_host" --config "$work/host.conf" --reads 1000000 "$1")
}

# stalls_read READER: sets the array command.
stalls_read() {
  case $1 in
    none) command=(sleep 60) ;;
    walk) command=("$build/bare_walk" 1000000) ;;
    tcpstates) host "$tcpstates" '' ;;
    closed) host "$tcpstates" 'ReportClosed true' ;;
    tcpconns) host "$tcpconns" 'AllPortsSummary true' ;;
    ss) command=(sh -c 'while :; do ss -tan >/dev/null; done') ;;
    proc) command=(sh -c 'while :; do cat /proc/net/tcp >/dev/null; done') ;;
  esac
}

stalls_on() {
  local round reader command readers=(none walk tcpstates closed)
  local name=stalls_$size
  if [[ -n $tcpconns ]]; then readers+=(tcpconns); fi
  readers+=(ss proc)
  table "$name" us walk "$size sockets, 95 % of them on one port: a connection to it while a reader reads for $stalls_seconds s (as a multiple of that with the bare walk)"
  row "$name" none '' 'nobody reads'
  row "$name" walk '' 'bare walk'
  row "$name" tcpstates '' 'tcpstates'
  row "$name" closed '' 'tcpstates, ReportClosed true'
  row "$name" tcpconns '' 'tcpconns'
  row "$name" ss '' 'ss -tan'
  row "$name" proc '' 'cat /proc/net/tcp'
  for ((round = 0; round < rounds; round++)); do
    for reader in "${readers[@]}"; do
      stalls_read "$reader"
      "$build/stalls" "$sockets_pid" 8500 "$stalls_seconds" "${command[@]}" >"$work/measured" 2>"$work/messages" ||
        die 1 "stalls: $reader: $(<"$work/messages")"
      sample "$name" "$reader" median "$(measured p50_ns)"
      sample "$name" "$reader" '99.9 %' "$(measured p999_ns)"
      sample "$name" "$reader" longest "$(measured max_ns)"
      sample "$name" "$reader" '99.9 %, on the CPU' "$(measured cpu_p999_ns)"
      sample "$name" "$reader" 'longest, on the CPU' "$(measured cpu_max_ns)"
    done
  done
}

stalls_finish() {
  local each refs=()
  for each in ${sizes_of[stalls]}; do
    refs+=("stalls_$each:tcpstates:longest, on the CPU/stalls_$each:walk:longest, on the CPU")
  done
  target 2 'longest stall of a connection: of that by the bare walk' "$(tabbed "${refs[@]}")"
  target 1.5 'its 99.9 %' "$(tabbed "${refs[@]//longest/99.9 %}")"
}
