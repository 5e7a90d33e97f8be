# SPDX-License-Identifier: MIT
# Section "services": a group for each service.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section services 1000000 '' '6 minutes; evenly: 200000'

services_alone() {
  local round evenly
  if ! supports 'Services true'; then
    say 'skipped: services: this build has none'
    return
  fi
  for size in ${sizes_of[services]}; do
    evenly=$((size < 200000 ? size : 200000))
    if ! cgroup=$(cgroup_make); then
      cgroup=
      say "skipped: services: no hierarchy that may be written"
      return
    fi
    table services ms 'tcpconns walk' "CPU time of a read with a group for each service, 95 % in one of 200 (as a multiple of tcpconns'; of the bare walk)"
    row services none '' 'tcpstates, no group'
    row services services '' 'tcpstates, Services true'
    row services tcpconns '' 'tcpconns, ListeningPorts true'
    row services walk '' 'bare walk'
    make_sockets server "$size" "$cgroup" 200 || return 0
    into_cgroup
    for ((round = 0; round < rounds; round++)); do
      services_read services "$size sockets" services none
      if [[ -n $tcpconns ]]; then
        plugin "$tcpconns" 'ListeningPorts true'
        sample services tcpconns "$size sockets" "$ns"
      fi
      bare_walk
      sample services walk "$size sockets" "$ns"
    done
    in_ns=()
    remove_sockets
    table services_evenly ms 'none walk' "CPU time of a read of $evenly sockets with a group for each service, evenly (as a multiple of that without; of the bare walk)"
    row services_evenly none '' 'tcpstates, no group'
    row services_evenly services '' 'tcpstates, Services true'
    row services_evenly dump '' 'tcpstates, no group, Counting "dump"'
    row services_evenly walk '' 'bare walk'
    # One after the other: a ratio is that of the medians. A single service's sockets are the
    # kernel's sum; from three on none has half of them, and all are dumped.
    size=$evenly
    for services in 1 3 200; do
      make_sockets spread "$size" "$cgroup" "$services" || return 0
      into_cgroup
      for ((round = 0; round < rounds; round++)); do
        services_read services_evenly "$services services" services none dump
        bare_walk
        sample services_evenly walk "$services services" "$ns"
      done
      in_ns=()
      remove_sockets
    done
    cgroup_remove
    cgroup=
  done
}

# services_read TABLE COLUMN ROW...
services_read() {
  local table=$1 column=$2
  shift 2
  for reader; do
    case $reader in
      services) plugin "$tcpstates" 'Services true' ;;
      none) plugin "$tcpstates" '' ;;
      dump) plugin "$tcpstates" 'Counting "dump"' ;;
    esac
    sample "$table" "$reader" "$column" "$ns"
  done
}

services_finish() {
  target 1 'Services: of tcpconns with ListeningPorts' "$(pairs services services tcpconns server "${sizes_of[services]}")"
  target 1.1 '200 services: of one' 'services_evenly:services:200 services/services_evenly:services:1 services'
  target 1.1 '200 services: of three' 'services_evenly:services:200 services/services_evenly:services:3 services'
  target 1.1 '200 services: of a dump' 'services_evenly:services:200 services/services_evenly:dump:200 services'
}
