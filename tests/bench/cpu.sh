# SPDX-License-Identifier: MIT
# Section "cpu": the CPU time of a read by each reader, the memory that it takes, and what it
# allocates.
# shellcheck shell=bash disable=SC2154 # what the scripts beside it set

section cpu '1000 10000 1000000' 'server timewait closewait' '20 minutes, most of them at 1 M'

declare -A cpu_titles=(
  [server]='ESTABLISHED on one port: 95 %'
  [timewait]='TIME_WAIT on one port: 95 %'
  [closewait]='CLOSE_WAIT on one port: 95 %'
  [spread]='ESTABLISHED on 1000 ports: 95 %'
)

cpu_read() {
  case $1 in
    tcpstates) plugin "$tcpstates" '' ;;
    unstuck) plugin "$tcpstates" 'ReportStuck false' ;;
    closed) plugin "$tcpstates" 'ReportClosed true' ;;
    dump) plugin "$tcpstates" 'Counting "dump"' ;;
    same) plugin "$tcpstates" 'Counting "dump"'$'\n'"$tcpconns_counts" ;;
    tcpconns) plugin "$tcpconns" 'AllPortsSummary true' ;;
    ss) command_cpu ss -tan ;;
    proc) command_cpu cat /proc/net/tcp /proc/net/tcp6 ;;
    exporter) exporter ;;
    walk) bare_walk ;;
  esac
}

cpu_declare() {
  local table=cpu_$1
  table "$table" ms 'tcpconns walk' "CPU time of a read (as a multiple of tcpconns'; of the bare walk's). ${cpu_titles[$1]}"
  row "$table" tcpstates '' 'tcpstates'
  row "$table" unstuck '' 'tcpstates, ReportStuck false'
  row "$table" closed '' 'tcpstates, ReportClosed true'
  row "$table" dump '' 'tcpstates, Counting "dump"'
  row "$table" same '' 'tcpstates, "dump", only what tcpconns counts'
  row "$table" tcpconns '' 'tcpconns'
  row "$table" ss '' 'ss -tan'
  row "$table" proc '' 'cat /proc/net/tcp, tcp6'
  row "$table" exporter '' 'node_exporter, tcpstat'
  row "$table" walk '' 'bare walk'
}

# cpu_on: called with $size sockets of $mix.
cpu_on() {
  local round reader readers=(tcpstates unstuck closed dump same)
  if [[ -n $tcpconns ]]; then readers+=(tcpconns); fi
  readers+=(ss proc)
  if [[ -n $exporter_pid ]]; then readers+=(exporter); fi
  cpu_declare "$mix"
  for ((round = 0; round < rounds; round++)); do
    for reader in "${readers[@]}" walk; do
      renew_sockets
      kib=0
      cpu_read "$reader"
      sample "cpu_$mix" "$reader" "$size sockets" "$ns"
      if ((kib > 0)); then sample "peak_$mix" "$reader" "$size sockets" "$kib"; fi
      if [[ $reader == tcpstates ]]; then sample "mallocs_$mix" "$reader" "$size sockets" "$mallocs"; fi
    done
  done
}

cpu_finish() {
  table peak_server KiB tcpconns "Peak resident memory, KiB (as a multiple of tcpconns')"
  row peak_server tcpstates '' 'tcpstates'
  row peak_server tcpconns '' 'tcpconns'
  target 0.125 'summary of 1 M: of tcpconns' "$(pairs cpu_MIX tcpstates tcpconns server 1000000)"
  target 1.1 'summary of 1 M: of the bare walk' "$(pairs cpu_MIX tcpstates walk server 1000000)"
  target 1 'up to 10 k sockets: of tcpconns' "$(pairs cpu_MIX tcpstates tcpconns "$mixes" '1000 6000 10000')"
  target 1.05 'CLOSE_WAIT, 1 M: of tcpconns' "$(pairs cpu_MIX tcpstates tcpconns closewait 1000000)"
  target 1 'Counting "dump", what tcpconns counts: of tcpconns' "$(pairs cpu_MIX same tcpconns "$mixes" "${sizes_of[cpu]}")"
  target 1.1 'ReportStuck, 1 M: of that without' "$(pairs cpu_MIX tcpstates unstuck "$mixes" 1000000)"
  target 1 'peak resident memory: of that with tcpconns' "$(pairs peak_MIX tcpstates tcpconns server "${sizes_of[cpu]}")"
  target 0 'allocations in a steady read' "$(pairs mallocs_MIX tcpstates '' "$mixes" "${sizes_of[cpu]}")"
}
