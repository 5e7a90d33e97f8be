# SPDX-License-Identifier: MIT
# Sections "namespaces" and "patterns": other network namespaces, beside sockets in the same table.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section namespaces '' '' '4 minutes; 100000 sockets'

namespaces_alone() {
  local round num most=50 alone
  size=100000
  into_machine_table
  make_sockets server "$size" || return 0
  for ((num = 0; num < most; num++)); do start_namespace 'make established ipv4 8000 10'; done
  for ((num = 0; num < most; num++)); do start_namespace; done
  if "${in_ns[@]}" sh -c 'echo 65536 >/proc/sys/net/ipv4/tcp_child_ehash_entries' 2>/dev/null; then
    for ((num = 0; num < most; num++)); do start_namespace 'make established ipv4 8000 10'; done
  else
    say "skipped: namespaces with tables of their own: Linux before 6.1 has none"
  fi
  table namespaces ms 'none walk' "CPU time of a read with Namespace blocks, 21 sockets in each, beside $size of the machine (as a multiple of that without; of the bare walk)"
  row namespaces none '' 'none'
  for num in 1 10 "$most"; do row namespaces "$num" '' "$num"; done
  row namespaces empty '' "$most, without a socket"
  row namespaces tables '' "$most, each with a table of its own"
  row namespaces walk '' 'bare walk'
  for ((round = 0; round < rounds; round++)); do
    bare_walk
    sample namespaces walk 'in all' "$ns"
    sample namespaces walk 'each further' "$ns"
    plugin "$tcpstates" ''
    alone=$ns
    sample namespaces none 'in all' "$ns"
    for num in 1 10 "$most"; do namespaces_read "$num" 1 "$num"; done
    namespaces_read empty $((1 + most)) "$most"
    if ((${#holders[@]} > 1 + 2 * most)); then namespaces_read tables $((1 + 2 * most)) "$most"; fi
  done
}

# namespaces_read ROW FIRST NUMBER
namespaces_read() {
  plugin "$tcpstates" "$(blocks "$2" "$3")"
  sample namespaces "$1" 'in all' "$ns"
  sample namespaces "$1" 'each further' $(((ns - alone) / $3))
}

section patterns '' '' '5 minutes, most of them idle; 100000 sockets'

# mount_namespaces FIRST NUMBER DIRECTORY: files for these holders' namespaces.
mount_namespaces() {
  local i
  mkdir -p "$3"
  for ((i = $1; i < $1 + $2; i++)); do
    : >"$3/n$i"
    mount --bind "/proc/${holders[i]}/ns/net" "$3/n$i"
  done
}

# cpu_total COMMAND...: sets ns, the CPU time of all of it.
cpu_total() {
  local TIMEFORMAT='%3U %3S'
  { time "$@" >"$work/measured" 2>"$work/messages"; } 2>"$work/time"
  ns=$(awk '{ printf "%.0f", ($1 + $2) * 1e9 }' "$work/time")
}

# patterns_empty ROW CONFIGURATION
patterns_empty() {
  plugin "$tcpstates" "$2"
  sample patterns_empty "$1" 'a read' "$ns"
}

# patterns_each CONFIGURATION NUMBER NS: all of these are read in each read, which takes NS without them.
patterns_each() {
  plugin "$tcpstates" "${1/Budget 2/Budget 90}"
  sample patterns_each pattern 'a namespace' $(((ns - $3) / $2))
}

# patterns_entry NS FILE...: what no reader that enters each can go below, whose read takes NS without these namespaces.
patterns_entry() {
  "$build/bare_entry" 100 "${@:2}" >"$work/measured"
  sample patterns_empty entry 'a read' "$(($1 + $(measured cpu_ns_per_read_mean)))"
}

# patterns_interval ROW NS
patterns_interval() {
  sample patterns "$1" 'in 10 s' "$2"
  sample patterns_share "$1" 'of a core' "$(awk -v ns="$2" 'BEGIN { print ns / 1e8 }')"
}

# patterns_walk: in a namespace of a few sockets.
patterns_walk() {
  into 1
  bare_walk
  into 0
}

# patterns_floor NUMBER: what as many walks take, whoever asks for them.
patterns_floor() {
  patterns_walk
  sample patterns_share walk 'of a core' "$(awk -v ns="$ns" -v num="$1" 'BEGIN { print num * ns / 60e7 }')"
  sample patterns_age walk oldest "$(awk -v ns="$ns" -v num="$1" 'BEGIN { print num * ns / 2e7 }')"
}

# The pattern is read for 130 s, and its sums are of how old parts.
patterns_read() {
  local all
  configure "$tcpstates" "$1"
  cpu_total "$build/plugin_host" --config "$work/host.conf" --interval 10 --reads 13 --values "$tcpstates"
  all=$ns
  patterns_interval pattern $((ns / 13))
  # All are read for the first time in the first intervals.
  local oldest
  oldest=$(awk '/all@pods.*duration-namespaces_age/ && $NF + 0 >= oldest { oldest = $NF } END { print oldest }' "$work/measured")
  if [[ -n $oldest ]]; then
    sample patterns_age pattern oldest "$oldest"
  else
    text patterns_age 'Of the pattern not known: 130 s are too short for all of them to be read once.'
  fi
  # What of it is not the pattern's: the host, and reads of this namespace, which has no socket.
  configure "$tcpstates" ''
  cpu_total "$build/plugin_host" --config "$work/host.conf" --reads 13 --values "$tcpstates"
  patterns_interval budget $(((all - ns) / 13))
}

# The methods of others are measured in a build without patterns, too.
patterns_alone() {
  local round num=100 none i files=()
  local pattern='<Namespace "/run/netns/n*">
Name "pods"
NamespaceBudget 2
</Namespace>'
  size=100000
  if ! mkdir -p /run/netns 2>/dev/null || ! mount -t tmpfs none /run/netns 2>/dev/null; then
    say "skipped: patterns: /run/netns cannot be mounted"
    return
  fi
  into_machine_table
  make_sockets server "$size" || return 0
  for ((i = 0; i < num; i++)); do start_namespace 'make established ipv4 8000 24' 'make listen ipv4 8001 1'; done
  for ((i = 0; i < num; i++)); do start_namespace; done
  mount_namespaces 1 "$num" /run/netns
  mount_namespaces $((1 + num)) "$num" /run/netns/empty
  for ((i = 1; i <= num; i++)); do files+=("/proc/${holders[i]}/net/tcp" "/proc/${holders[i]}/net/tcp6"); done
  table patterns ms none "$num namespaces with 50 sockets each, beside $size of the machine: CPU time (as a multiple of that without)"
  table patterns_share % '' 'The same, at Interval 10'
  table patterns_age s '' 'How old the oldest part of a sum was'
  table patterns_empty ms none "$num namespaces without a socket, beside $size of the machine: CPU time (as a multiple of that without)"
  for i in patterns patterns_share patterns_age patterns_empty; do
    row "$i" none '' 'tcpstates, no other namespace'
    row "$i" pattern '' 'tcpstates, a Namespace pattern'
    row "$i" proc '' 'cat /proc/PID/net/tcp, tcp6 of each'
    row "$i" ss '' 'ss -N of each'
  done
  table patterns_each ms walk "The same, one of 9 that are all read each time: CPU time (as a multiple of the bare walk)"
  row patterns_each pattern '' 'tcpstates, a Namespace pattern'
  row patterns_each walk '' 'bare walk'
  for i in patterns patterns_share; do row "$i" budget '' 'of this the pattern, which the budget is for'; done
  row patterns_empty entry '' 'tcpstates, no other namespace, and each entered to read its two sums'
  row patterns_share walk '' "$num bare walks in 60 s"
  row patterns_age walk '' "$num bare walks at 2 % of a core"
  for ((round = 0; round < rounds; round++)); do
    patterns_walk
    sample patterns_each walk 'a namespace' "$ns"
    plugin "$tcpstates" ''
    patterns_interval none "$ns"
    none=$ns
    sample patterns_empty none 'a read' "$none"
    if supports "$pattern"; then
      patterns_each "${pattern/n\*/n[1-9]}" 9 "$none"
      patterns_empty pattern "${pattern/netns/netns/empty}"
    fi
    patterns_entry "$none" /run/netns/empty/*
    cpu_total cat "${files[@]}"
    patterns_interval proc "$ns"
    # shellcheck disable=SC2016 # the inner shell's
    cpu_total sh -c 'for i in "$@"; do ss -N "$i" -tan; done' sh $(seq -f n%g "$num")
    patterns_interval ss "$ns"
  done
  if supports "$pattern"; then
    # The number of other sockets may change meanwhile.
    patterns_floor "$num"
    patterns_read "$pattern"
    patterns_floor "$num"
  else
    say 'skipped: Namespace patterns: this build has none'
    text patterns 'Skipped: this build has no Namespace patterns.'
  fi
}

patterns_finish() {
  target 2 '100 namespaces at Interval 10: percent of a core' 'patterns_share:budget:of a core'
  target 60 'their oldest part, seconds' 'patterns_age:pattern:oldest'
  target 1.05 'a namespace of a pattern: of the bare walk' 'patterns_each:pattern:a namespace/patterns_each:walk:a namespace'
  target 1.2 '100 empty namespaces: of none' 'patterns_empty:pattern:a read/patterns_empty:none:a read'
}
