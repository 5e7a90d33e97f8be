# SPDX-License-Identifier: MIT
# Those that read sockets, as bench.sh measures them.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

# Each sets ns, CPU time per read (user and system). plugin() sets kib, peak resident memory,
# and mallocs, allocations in a read, as well.
ns=0 kib=0 mallocs=0

# reads_of MAX MIN: how many reads of $size sockets make a sample that is long enough.
reads_of() {
  local num=$((1000000 / size))
  if ((num > $1)); then num=$1; fi
  if ((num < $2)); then num=$2; fi
  echo "$num"
}

# configure FILE.so CONFIGURATION: writes $work/host.conf.
configure() {
  printf '<Plugin %s>\n%s\n</Plugin>\n' "$(basename "$1" .so)" "$2" >"$work/host.conf"
}

# supports CONFIGURATION: this build of tcpstates knows its options.
supports() {
  configure "$tcpstates" "$1"
  "$build/plugin_host" --config "$work/host.conf" --reads 0 "$tcpstates" >/dev/null 2>&1
}

# measured NAME: of what plugin_host or another program has printed about its reads.
measured() {
  awk -v name="$1" '$1 == name { print $2 }' "$work/measured"
}

# plugin FILE.so CONFIGURATION: the first reads, with which tcpstates gets to know
# what there is, do not count. The mean: of many sockets in CLOSE_WAIT tcpstates asks for
# tcp_info in one read of thirty.
plugin() {
  local min=${reads_min-3}
  if [[ $1 == "$tcpstates" && $mix == closewait ]]; then min=30; fi
  configure "$@"
  "${in_ns[@]}" "$build/plugin_host" --config "$work/host.conf" --measure --warmup 2 --reads "$(reads_of 200 "$min")" "$1" \
    >"$work/measured" 2>"$work/messages" || die 1 "$1: $(<"$work/messages")"
  ns=$(measured cpu_ns_per_read_mean) kib=$(measured peak_rss_kib) mallocs=$(measured mallocs_per_read)
}

bare_walk() {
  "${in_ns[@]}" "$build/bare_walk" "$(reads_of 200 3)" "$@" >"$work/measured"
  ns=$(measured cpu_ns_per_read_mean)
}

# command_cpu COMMAND...: its start is part of it.
command_cpu() {
  local num i
  num=$(reads_of 50 1)
  local TIMEFORMAT='%3U %3S'
  { time for ((i = 0; i < num; i++)); do "${in_ns[@]}" "$@" >/dev/null 2>&1; done; } 2>"$work/time"
  ns=$(awk -v num="$num" '{ printf "%.0f", ($1 + $2) * 1e9 / num }' "$work/time")
}

exporter_pid=
exporter_port=9100

exporter_ns() {
  cat "/proc/$exporter_pid/task/"*/schedstat | awk '{ ns += $1 } END { printf "%.0f", ns }'
}

scrape() {
  exec {http}<>"/dev/tcp/127.0.0.1/$exporter_port" || return 1
  printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
  cat <&"$http" >"$work/scraped"
  exec {http}>&-
  grep -q '^node_tcp_connection_states' "$work/scraped"
}

start_exporter() {
  local program tenths
  if ! program=$(type -P prometheus-node-exporter); then
    say "skipped: node_exporter: prometheus-node-exporter is not installed"
    return
  fi
  "$program" --collector.disable-defaults --collector.tcpstat --web.disable-exporter-metrics \
    --web.listen-address="127.0.0.1:$exporter_port" >"$work/exporter" 2>&1 </dev/null &
  exporter_pid=$!
  for ((tenths = 0; tenths < 50; tenths++)); do
    sleep 0.1
    if scrape 2>/dev/null; then return; fi
  done
  say "skipped: node_exporter: it does not answer: $(tail -n 1 "$work/exporter")"
  kill "$exporter_pid"
  exporter_pid=
}

exporter() {
  local before num i
  num=$(reads_of 50 1)
  scrape
  before=$(exporter_ns)
  for ((i = 0; i < num; i++)); do scrape; done
  ns=$((($(exporter_ns) - before) / num))
}

both='ListeningPorts false
AllPortsSummary true'

# The port with 95 %.
one_port='LocalPort "8500"'

# scattered_ports NUMBER: every second port, for neighbours become one range. That with 95 %
# is among them.
scattered_ports() {
  local i
  for ((i = 0; i < $1; i++)); do printf 'LocalPort "%d"\n' $((8000 + 2 * i)); done
}

# filter_of PORT...: a group of all of them.
filter_of() {
  printf '<Filter "f">\n'
  printf 'LocalPort "%d"\n' "$@"
  printf '</Filter>\n'
}

# What tcpconns counts, no more.
tcpconns_counts='ReportClosed false
ReportFinWait2 false
ReportStuck false
ReportOrphans false
ReportFinTimeout false
ReportLimits false'
