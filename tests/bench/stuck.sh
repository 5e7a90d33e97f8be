# SPDX-License-Identifier: MIT
# Section "stuck": what the first socket in an aged state costs.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section stuck '100000 1000000' plain '3 minutes'

stuck_on() {
  # A plugin that has just begun may read all processes, because of the sockets made here:
  # in a mean of three reads that is much, in the long run it is nothing.
  local round reads_min=30
  if ((${#holders[@]} == 0)); then start_holder; fi
  table stuck ms 'none walk' 'CPU time of a read of ESTABLISHED sockets (as a multiple of that without another; of the bare walk)'
  row stuck none '' 'tcpstates, no other socket'
  row stuck one '' 'tcpstates, one CLOSE_WAIT and its FIN_WAIT2'
  row stuck walk '' 'bare walk'
  for ((round = 0; round < rounds; round++)); do
    plugin "$tcpstates" ''
    sample stuck none "$size sockets" "$ns"
    holder_do 0 'make fin-wait2-held ipv4 7100 1'
    plugin "$tcpstates" ''
    sample stuck one "$size sockets" "$ns"
    holder_do 0 'release fin-wait2-held ipv4 7100'
    bare_walk
    sample stuck walk "$size sockets" "$ns"
  done
}

stuck_finish() {
  target 1.05 'one socket in CLOSE_WAIT: of none' "$(pairs stuck one none plain "${sizes_of[stuck]}")"
}
