# SPDX-License-Identifier: MIT
# Section "ports": groups by port. One with 95 % of the sockets, which has to be counted by what
# is outside it; and many.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set

section ports '6000 1000000' server '8 minutes, most of them tcpconns at 1 M'

ports_read() {
  local name=${1#*_}
  case $1 in
    one_*) plugin "${!name}" "$both"$'\n'"$one_port" ;;
    many_*) plugin "${!name}" "$both"$'\n'"$(scattered_ports 1000)" ;;
    most_*) plugin "${!name}" "$both"$'\n'"$(scattered_ports 3000)" ;;
    filter_one_*) plugin "$tcpstates" "$both"$'\n'"$(filter_of 8500)" ;;
    # The kernel's check of a program for all these ports would cost as much as the sockets. One
    # group's values are nearly nothing.
    filter_most_*) plugin "$tcpstates" "$both"$'\n'"$(filter_of $(seq 8000 2 13998))" ;;
    # Without sockets: what it takes to make and submit the values.
    values_*)
      into 0
      plugin "$tcpstates" "$both"$'\n'"$(scattered_ports "${name%_*}")"
      in_ns=()
      ;;
    walk) bare_walk ;;
    # What a group that holds most sockets needs: all others have to pass a filter.
    walks) bare_walk filter ;;
  esac
}

ports_on() {
  local round reader readers=(one_tcpstates many_tcpstates most_tcpstates values_1000_tcpstates values_3000_tcpstates
    filter_one_tcpstates filter_most_tcpstates walk walks)
  declare -A took
  if ((${#holders[@]} == 0)); then
    echo 1024 >/proc/sys/net/ipv4/tcp_child_ehash_entries || true
    start_namespace
    echo 0 >/proc/sys/net/ipv4/tcp_child_ehash_entries || true
  fi
  if [[ -n $tcpconns ]]; then readers+=(one_tcpconns many_tcpconns most_tcpconns); fi
  table ports ms 'one_tcpstates walk' "CPU time of a read with groups by port, every second one (as a multiple of that with one LocalPort; of the bare walk)"
  row ports one_tcpstates 'one_tcpconns walk' 'tcpstates, one LocalPort (of tcpconns with it; of the bare walk)'
  row ports many_tcpstates '' 'tcpstates, 1000 LocalPort'
  row ports most_tcpstates '' 'tcpstates, 3000 LocalPort'
  row ports values_1000_tcpstates '' 'the same with no socket: 1000 groups of values'
  row ports values_3000_tcpstates '' 'the same with no socket: 3000 groups of values'
  row ports filter_one_tcpstates 'filter_one_tcpstates walk' 'tcpstates, one Filter with one LocalPort (of itself; of the bare walk)'
  row ports filter_most_tcpstates 'filter_one_tcpstates walk' 'tcpstates, one Filter with 3000 LocalPort'
  row ports one_tcpconns 'one_tcpconns walk' 'tcpconns, one LocalPort'
  row ports many_tcpconns 'one_tcpconns walk' 'tcpconns, 1000 LocalPort'
  row ports most_tcpconns 'one_tcpconns walk' 'tcpconns, 3000 LocalPort'
  row ports walk 'one_tcpconns walk' 'bare walk'
  row ports walks 'one_tcpconns walk' 'two bare walks, one with a filter'
  for ((round = 0; round < rounds; round++)); do
    for reader in "${readers[@]}"; do
      # With 3000 ports tcpconns takes 20 s for a read of 1 M.
      if [[ $reader == m*_tcpconns ]] && ((size > 100000 && round > 0)); then continue; fi
      ports_read "$reader"
      sample ports "$reader" "$size sockets" "$ns"
      took[$reader]=$ns
    done
    sample counting one "$size sockets" "${took[one_tcpstates]}"
    sample counting many "$size sockets" $((took[many_tcpstates] - took[values_1000_tcpstates]))
    sample counting most "$size sockets" $((took[most_tcpstates] - took[values_3000_tcpstates]))
  done
}

ports_finish() {
  target 0.4 'one LocalPort with 95 % of 1 M: of tcpconns' "$(pairs ports one_tcpstates one_tcpconns server 1000000)"
  target 1.2 '1000 scattered LocalPort: of one' "$(pairs ports many_tcpstates one_tcpstates server "${sizes_of[ports]}")"
  target 1.2 '3000 scattered LocalPort: of one' "$(pairs ports most_tcpstates one_tcpstates server "${sizes_of[ports]}")"
  target 1.2 'one Filter with 3000 scattered LocalPort: of one' "$(pairs ports filter_most_tcpstates filter_one_tcpstates server "${sizes_of[ports]}")"
  target 1.2 '3000 LocalPort without what their values take' "$(pairs counting most one server "${sizes_of[ports]}")"
}
