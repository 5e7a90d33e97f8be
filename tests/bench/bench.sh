#!/usr/bin/env bash
# What a read costs, next to other readers of the same sockets.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

usage() {
  cat <<'END'
Usage: bench.sh [--sizes "N ..."] [--mixes "MIX ..."] [--rounds N] [--reads N]
                [--namespaces "N ..."] [--markdown FILE] [--strict] [--help]

Fills a network namespace of its own with N sockets and measures the CPU time (user
and system) that a read of their states takes: by tcpstates, by collectd's tcpconns in
the same host program, by ss, by cat /proc/net/tcp and tcp6, by node_exporter, and by a
walk for which the kernel hands out nothing. All take turns; a value is the median of
the rounds. What is not installed is left out. At last it measures what N further network
namespaces cost beside 100000 sockets that are in one table with theirs, the machine's, as
those of containers are; and, at the largest N, with tables of their own.

Options:
  --sizes "N ..."    numbers of sockets [1000 10000 100000 1000000]
  --mixes "MIX ..."  server, timewait, closewait: 95 % in ESTABLISHED, TIME_WAIT or
                     CLOSE_WAIT on one local port; spread: 95 % in ESTABLISHED on
                     1000 ports, evenly [server timewait closewait]
  --rounds N         [5]
  --reads N          that the memory must not grow in; 0: not measured [100000]
  --namespaces "N ..."
                     0 to 200 each; "": not measured [1 10 50]
  --markdown FILE    write the tables there too
  --strict           a missed target is a failure

Prints tables as Markdown and what of them the targets of the project are. Needs a
build with its plugin_host, mass_sockets and bare_walk (make bench), and root, or user
namespaces. A million sockets take 3 GiB, 51 processes and 10 minutes; a size that this
machine cannot hold is skipped.

Exit codes: 0 measured, 1 nothing could be measured or with --strict a target was
missed, 2 wrong usage.
END
}

say() { echo "bench.sh: $*" >&2; }
die() {
  say "$2"
  exit "$1"
}

sizes='1000 10000 100000 1000000'
mixes='server timewait closewait'
rounds=5
growth_reads=100000
namespaces='1 10 50'
markdown=
strict=false
arguments=("$@")
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --strict) strict=true ;;
    --sizes | --mixes | --rounds | --reads | --namespaces | --markdown)
      (($# > 1)) || die 2 "$1: needs a value; try --help"
      case $1 in
        --sizes) sizes=$2 ;;
        --mixes) mixes=$2 ;;
        --rounds) rounds=$2 ;;
        --reads) growth_reads=$2 ;;
        --namespaces) namespaces=$2 ;;
        --markdown) markdown=$2 ;;
      esac
      shift
      ;;
    *) die 2 "\"$1\" is not an option; try --help" ;;
  esac
  shift
done
[[ $sizes =~ ^\ *[1-9][0-9]{2,7}(\ +[1-9][0-9]{2,7})*\ *$ ]] || die 2 "--sizes \"$sizes\": write numbers from 100 on"
[[ $rounds =~ ^[1-9][0-9]{0,3}$ ]] || die 2 "--rounds \"$rounds\": write a number from 1 on"
[[ $growth_reads =~ ^[0-9]{1,8}$ ]] || die 2 "--reads \"$growth_reads\": write a number"
most=0
for num in $namespaces; do
  [[ $num =~ ^[0-9]{1,3}$ ]] && ((10#$num <= 200)) || die 2 "--namespaces \"$namespaces\": write numbers from 0 to 200"
  if ((10#$num > most)); then most=$((10#$num)); fi
done
for mix in $mixes; do
  [[ $mix =~ ^(server|timewait|closewait|spread)$ ]] ||
    die 2 "--mixes \"$mix\": write server, timewait, closewait or spread"
done
if [[ -n $markdown ]]; then : >>"$markdown" || die 2 "--markdown $markdown: cannot be written"; fi

tcpstates=$build/.libs/tcpstates.so
for program in plugin_host mass_sockets bare_walk sockmake .libs/tcpstates.so; do
  [[ -e $build/$program ]] || die 1 "$build/$program is missing: make bench builds it"
done
tcpconns=$(collectd_plugin tcpconns) || tcpconns=
PATH=$PATH:/usr/sbin:/sbin

if [[ ${TCPSTATES_BENCH_NETNS-} != "$$" ]]; then
  unshare=(unshare --net)
  if ((EUID != 0)); then unshare=(unshare --map-root-user --net); fi
  "${unshare[@]}" true 2>"$work/unshare" ||
    die 1 "no network namespace of its own; be root. unshare says: $(<"$work/unshare")"
  rm -r -- "$work"
  export TCPSTATES_BENCH_NETNS=$$
  unshare_apart "$BASH" "$0" "${arguments[@]}"
fi
ip link set lo up
ip route add 10.0.0.0/8 dev lo

# ---- sockets ----------------------------------------------------------------

sockets_pid=
made=0 # when the sockets were made or renewed
mix=
in_ns=() # what runs a command in another network namespace

# reason_against SIZE: prints why this machine cannot hold that many; fails if it can.
reason_against() {
  local kib=$(($1 * 33 / 10 + 100000)) free files open
  free=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  read -r open _ files </proc/sys/fs/file-nr
  if ((free < kib)); then
    echo "they take $((kib / 1024)) MiB, $((free / 1024)) MiB are available"
  elif ((files - open < $1)); then
    echo "fs.file-max allows $((files - open)) more descriptors"
  elif ((10#$(</proc/sys/kernel/pid_max) < 2 * $1 / $(ulimit -Hn) + 1000)); then
    echo "a process may open $(ulimit -Hn) descriptors, too few for the processes allowed"
  else
    return 1
  fi
}

make_sockets() {
  mix=$1
  echo "$((2 * $2 + 1000))" >/proc/sys/net/ipv4/tcp_max_tw_buckets
  coproc io { exec "${in_ns[@]}" "$build/mass_sockets" "$1" "$2" 2>"$work/mass_sockets"; }
  # shellcheck disable=SC2154 # coproc sets it
  sockets_pid=$io_PID to_sockets=${io[1]} from_sockets=${io[0]}
  IFS= read -r _ <&"$from_sockets" || return 1
  made=$SECONDS
}

# TIME_WAIT lasts 60 s.
renew_sockets() {
  if [[ $mix != timewait ]] || ((SECONDS - made < 15)); then return 0; fi
  echo >&"$to_sockets"
  IFS= read -r _ <&"$from_sockets"
  made=$SECONDS
}

remove_sockets() {
  local pid=$sockets_pid
  if [[ -z $pid ]]; then return 0; fi
  sockets_pid=
  exec {to_sockets}>&- {from_sockets}<&- || true
  wait "$pid" 2>/dev/null || true
}

# ---- readers ----------------------------------------------------------------

# Each sets ns, CPU time per read, and kib, peak resident memory or 0.
ns=0 kib=0

# reads_of SIZE MAX MIN: how many reads make a sample that is long enough.
reads_of() {
  local num=$((1000000 / $1))
  if ((num > $2)); then num=$2; fi
  if ((num < $3)); then num=$3; fi
  echo "$num"
}

# plugin FILE.so CONFIGURATION: the first reads, with which tcpstates gets to know
# what there is, do not count.
plugin() {
  printf '<Plugin %s>\n%s\n</Plugin>\n' "$(basename "$1" .so)" "$2" >"$work/host.conf"
  "${in_ns[@]}" "$build/plugin_host" --config "$work/host.conf" --measure --warmup 2 --reads "$(reads_of "$size" 200 3)" "$1" \
    >"$work/measured" 2>"$work/messages" || die 1 "$1: $(<"$work/messages")"
  ns=$(awk '$1 == "cpu_ns_per_read_median" { print $2 }' "$work/measured")
  kib=$(awk '$1 == "peak_rss_kib" { print $2 }' "$work/measured")
}

# command_cpu COMMAND...: its start is part of it.
command_cpu() {
  local num i
  num=$(reads_of "$size" 50 1)
  local TIMEFORMAT='%3U %3S'
  { time for ((i = 0; i < num; i++)); do "$@" >/dev/null 2>&1; done; } 2>"$work/time"
  ns=$(awk -v num="$num" '{ printf "%.0f", ($1 + $2) * 1e9 / num }' "$work/time")
  kib=0
}

bare_walk() {
  ns=$("${in_ns[@]}" "$build/bare_walk" "$(reads_of "$size" 200 3)" "$@" | awk '$1 == "cpu_ns_per_read_median" { print $2 }')
  kib=0
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
  program=$(type -P prometheus-node-exporter) || return 1
  "$program" --collector.disable-defaults --collector.tcpstat --web.disable-exporter-metrics \
    --web.listen-address="127.0.0.1:$exporter_port" >"$work/exporter" 2>&1 </dev/null &
  exporter_pid=$!
  for ((tenths = 0; tenths < 50; tenths++)); do
    sleep 0.1
    if scrape 2>/dev/null; then return 0; fi
  done
  say "prometheus-node-exporter does not answer: $(tail -n 1 "$work/exporter")"
  kill "$exporter_pid"
  exporter_pid=
  return 1
}

exporter() {
  local before num i
  num=$(reads_of "$size" 50 1)
  scrape
  before=$(exporter_ns)
  for ((i = 0; i < num; i++)); do scrape; done
  ns=$((($(exporter_ns) - before) / num)) kib=0
}

# The port with 95 % stands in the middle of the 1000.
one_port='LocalPort "8500"'
many_ports=$(printf 'LocalPort "%d"\n' {8000..8999})
both='ListeningPorts false
AllPortsSummary true'

tcpconns_counts='Counting "dump"
ReportClosed false
ReportFinWait2 false
ReportStuck false
ReportOrphans false
ReportFinTimeout false
ReportLimits false'

measure() {
  local name=${1#*_}
  case $1 in
    tcpstates) plugin "$tcpstates" '' ;;
    dump) plugin "$tcpstates" 'Counting "dump"' ;;
    # What tcpconns counts, no more.
    same) plugin "$tcpstates" "$tcpconns_counts" ;;
    unstuck) plugin "$tcpstates" 'ReportStuck false' ;;
    tcpconns) plugin "$tcpconns" 'AllPortsSummary true' ;;
    ss) command_cpu ss -tan ;;
    proc) command_cpu cat /proc/net/tcp /proc/net/tcp6 ;;
    exporter) exporter ;;
    walk) bare_walk ;;
    # What a group that holds most sockets needs: all others have to pass a filter.
    walks) bare_walk filter ;;
    port_*) plugin "${!name}" "$both"$'\n'"$one_port" ;;
    ports_*) plugin "${!name}" "$both"$'\n'"$many_ports" ;;
  esac
}

readers() {
  echo tcpstates unstuck dump same
  if [[ -n $tcpconns ]]; then echo tcpconns; fi
  echo ss proc
  if [[ -n $exporter_pid ]]; then echo exporter; fi
  echo walk
  if [[ $1 == server || $1 == spread ]]; then
    echo walks port_tcpstates ports_tcpstates
    if [[ -n $tcpconns ]]; then echo port_tcpconns ports_tcpconns; fi
  fi
}

# ---- other namespaces ---------------------------------------------------------

namespace_pids=()

# start_namespace COMMAND...: a process in a new one, child of that of in_ns, with 20
# sockets. Its process id is the last of namespace_pids.
start_namespace() {
  local fifo=$work/namespace.${#namespace_pids[@]}
  mkfifo "$fifo"
  # shellcheck disable=SC2016 # the inner shell's. Opened for both, the FIFO has no end.
  "${in_ns[@]}" unshare --net sh -c 'ip link set lo up && exec "$1"' - "$build/sockmake" <>"$fifo" >"$fifo.out" &
  namespace_pids+=($!)
  echo 'make established ipv4 8000 10' >"$fifo"
  until grep -q '^ok$' "$fifo.out"; do
    kill -0 "${namespace_pids[-1]}" || die 1 "a namespace with sockets could not be made"
    sleep 0.05
  done
}

# blocks FIRST NUMBER: of the configuration, for so many of namespace_pids.
blocks() {
  local i
  for ((i = $1; i < $1 + $2; i++)); do
    printf '<Namespace "/proc/%d/ns/net">\n  Name "n%d"\n</Namespace>\n' "${namespace_pids[i]}" "$i"
  done
}

# measure_namespaces: into $work/namespaces.
measure_namespaces() {
  local round num own=0
  size=100000
  if reason=$(reason_against "$size"); then
    say "skipped: namespaces beside $size sockets: $reason"
    return
  fi
  say "$size sockets, and other namespaces: $namespaces"
  # The namespace of this script has a table of its own; a child of it shares the
  # machine's.
  unshare --net sleep infinity &
  namespace_pids+=($!)
  in_ns=(nsenter --target "${namespace_pids[0]}" --net)
  wait_until 60 "another network namespace" netns_apart "${namespace_pids[0]}"
  "${in_ns[@]}" sh -c 'ip link set lo up && ip route add 10.0.0.0/8 dev lo'
  make_sockets server "$size" || die 1 "$(<"$work/mass_sockets")"
  for ((num = 0; num < most; num++)); do start_namespace; done
  if "${in_ns[@]}" sh -c 'echo 65536 >/proc/sys/net/ipv4/tcp_child_ehash_entries' 2>/dev/null; then
    own=$most
  else
    say "skipped: namespaces with tables of their own: Linux before 6.1 has none"
  fi
  for ((num = 0; num < own; num++)); do start_namespace; done
  for ((round = 0; round < rounds; round++)); do
    measure walk
    echo "walk $ns"
    for num in 0 $namespaces; do
      plugin "$tcpstates" "$(blocks 1 "$num")"
      echo "shared_$num $ns"
    done
    if ((own > 0)); then
      plugin "$tcpstates" "$(blocks $((1 + most)) "$own")"
      echo "tables_$own $ns"
    fi
  done >"$work/namespaces"
  remove_sockets
  in_ns=()
}

# ---- the measurement --------------------------------------------------------

finish() {
  local status=$?
  set +e
  remove_sockets
  if ((${#namespace_pids[@]} > 0)); then kill "${namespace_pids[@]}" 2>/dev/null; fi
  if [[ -n $exporter_pid ]]; then kill "$exporter_pid" 2>/dev/null; fi
  (exit "$status")
  clean_up
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

[[ -n $tcpconns ]] || say "skipped: tcpconns: collectd's plugin is not installed"
start_exporter || say "skipped: node_exporter: prometheus-node-exporter is not installed, or did not start"
: >"$work/samples"
for size in $sizes; do
  if reason=$(reason_against "$size"); then
    say "skipped: $size sockets: $reason"
    continue
  fi
  for name in $mixes; do
    say "$size sockets: $name"
    if ! make_sockets "$name" "$size"; then
      say "skipped: $size sockets: $name: $(<"$work/mass_sockets")"
      remove_sockets
      continue
    fi
    for ((round = 0; round < rounds; round++)); do
      for reader in $(readers "$name"); do
        renew_sockets
        measure "$reader"
        echo "$size $name $reader $ns $kib" >>"$work/samples"
      done
    done
    remove_sockets
  done
done
[[ -s $work/samples ]] || die 1 "nothing was measured"

# The kernel's account of resident memory may lag by some 256 KiB.
if ((growth_reads > 0)); then
  size=${sizes%% *}
  say "$growth_reads reads of $size sockets"
  make_sockets server "$size" || die 1 "$(<"$work/mass_sockets")"
  "$build/plugin_host" --measure --warmup "$growth_reads" --reads 1 "$tcpstates" >"$work/measured" 2>/dev/null
  awk '{ value[$1] = $2 } END { print value["rss_kib_after_last"] - value["rss_kib_after_first"] }' "$work/measured" >"$work/growth"
fi
awk -v growth="$(cat "$work/growth" 2>/dev/null)" -v growth_reads="$growth_reads" \
  -v machine="Linux $(uname -r), $(nproc) CPUs" -f "$top/tests/bench/report.awk" "$work/samples" >"$work/report"
if [[ -n $namespaces ]]; then measure_namespaces; fi
if [[ -s $work/namespaces ]]; then
  sort -k1,1V -k2,2n "$work/namespaces" | awk -v sockets="$size" -v machine="Linux $(uname -r), $(nproc) CPUs" \
    -f "$top/tests/bench/namespaces.awk" >>"$work/report"
fi
cat "$work/report"
if [[ -n $markdown ]]; then cp -- "$work/report" "$markdown"; fi
if $strict && grep -q '| MISS |$' "$work/report"; then exit 1; fi
