# SPDX-License-Identifier: MIT
# Section "machine": namespaces with few sockets, or none, whose sockets are in one table with
# those of others, as those of containers are. A walk passes all of them.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section machine '' '' '3 minutes; 200000 sockets'

machine_read() {
  case $1 in
    tcpstates) plugin "$tcpstates" '' ;;
    tcpconns) plugin "$tcpconns" 'AllPortsSummary true' ;;
    ss) command_cpu ss -tan ;;
    proc) command_cpu cat /proc/thread-self/net/tcp /proc/thread-self/net/tcp6 ;;
    walk) bare_walk ;;
  esac
}

machine_alone() {
  local round number reader readers=(tcpstates walk) columns
  size=200000
  into_machine_table
  make_sockets server "$size" || return 0
  # Two sockets each, and a listener.
  start_namespace 'make established ipv4 8000 400'
  start_namespace 'make established ipv4 8000 50'
  start_namespace 'make established ipv4 8000 47' 'make fin-wait2-held ipv4 8000 3'
  start_namespace
  columns=("$size sockets" '801 sockets' '101 sockets' '101, 3 in CLOSE_WAIT' 'no socket')
  if [[ -n $tcpconns ]]; then readers+=(tcpconns); fi
  readers+=(ss proc)
  table machine ms walk "CPU time of a read in namespaces that share the machine's table with $size sockets (as a multiple of the bare walk)"
  row machine tcpstates '' 'tcpstates'
  row machine tcpconns '' 'tcpconns'
  row machine ss '' 'ss -tan'
  row machine proc '' 'cat /proc/net/tcp, tcp6'
  row machine walk '' 'bare walk'
  for ((round = 0; round < rounds; round++)); do
    for number in "${!columns[@]}"; do
      into "$number"
      for reader in "${readers[@]}"; do
        machine_read "$reader"
        sample machine "$reader" "${columns[number]}" "$ns"
      done
    done
  done
}

machine_finish() {
  target 1.05 '801 sockets beside 200000: of the bare walk' 'machine:tcpstates:801 sockets/machine:walk:801 sockets'
  target 1.05 '101 sockets, 3 in CLOSE_WAIT: of 101 sockets' 'machine:tcpstates:101, 3 in CLOSE_WAIT/machine:tcpstates:101 sockets'
  target 0.05 'an empty namespace: of the bare walk' 'machine:tcpstates:no socket/machine:walk:no socket'
}
