#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A real collectd that reads for long while everything around it changes: its
# memory, descriptors and threads stay what they were, and at rest every count is
# right.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

usage() {
  cat <<'END'
Usage: soak.sh [--minutes N] [--rate N] [--plain] [--asan] [--valgrind] [--tsan] [--help]

Runs a collectd with the plugin at an interval of 0.2 s in a network namespace of its
own, while connections come and go, namespaces and control groups restart, listeners
appear and disappear, sockets get stuck, and tcp_fin_timeout changes. Before and after
that, at rest, its descriptors and threads are counted; its resident memory is measured
all the time. At the end all counts are compared with what the test has made and with ss.

Options:
  --minutes N   of changes, for each of the following [30]
  --rate N      connections a second [3000]
  --plain       the plugin as it is built; the default
  --asan        built with AddressSanitizer and UndefinedBehaviorSanitizer
  --valgrind    under valgrind's memcheck
  --tsan        built with ThreadSanitizer; beside collectd, the host program of the
                tests reads without a pause
  --help        print this

Several of these run one after the other. Results are TAP; a line "# figures: ..." sums up
each. Needs a build (make soak, or builddir=DIR), and root for namespaces that come and go.

Touches: network namespaces and a control group, tcpstates-test-*, and $TMPDIR [/tmp],
about 6 MiB for each minute.

Exit codes: 0 no test failed, 1 one did, 2 wrong usage.
END
}

die_usage() {
  echo "soak.sh: $1" >&2
  exit 2
}

minutes=30
rate=3000
modes=()
arguments=("$@")
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --plain | --asan | --valgrind | --tsan) modes+=("${1#--}") ;;
    --minutes | --rate)
      [[ ${2-} =~ ^[1-9][0-9]{0,4}$ ]] || die_usage "$1 \"${2-}\": write a number of at least 1"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    *) die_usage "\"$1\" is not an option; try --help" ;;
  esac
  shift
done
if ((${#modes[@]} == 0)); then modes=(plain); fi

enter_netns_apart "${arguments[@]}"

interval=0.2
prefix=tcpstates-test-$$
namespaces=(0 1 2 3)
timeouts=(60 1 61 5 90 0 30)
port=18000        # of sockets that are counted at rest; the next two too
churn_port=19000

# The walk through the namespaces' sockets is as short as that of ours.
if [[ -e /proc/sys/net/ipv4/tcp_child_ehash_entries ]]; then echo 4096 >/proc/sys/net/ipv4/tcp_child_ehash_entries; fi
# A limit that is reached all the time.
echo 20000 >/proc/sys/net/ipv4/tcp_max_tw_buckets

if ! ip netns add "$prefix-try" 2>"$work/ip"; then
  skip "namespaces that come and go" "this user may not make namespaces for setns(2): $(tail -n 1 "$work/ip")"
  namespaces=()
else
  ip netns del "$prefix-try"
fi
cgroup=$(cgroup_make) || cgroup=
if [[ -z $cgroup ]]; then skip "control groups that restart" "there is no cgroup v2 hierarchy to write to"; fi

# KiB that resident memory may move by; ASan's allocator keeps what was freed.
declare -A rss_slack=([plain]=256 [asan]=8192)
declare -A namespace_pid=() # what runs in it
host_pid=
host_reader=

end_process() {
  if [[ -n ${1-} ]]; then
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
  fi
}
at_end() {
  local name
  for name in "${!namespace_pid[@]}"; do end_process "${namespace_pid[$name]}"; done
  end_process "$host_pid"
  for name in /run/netns/"$prefix"-*; do
    if [[ -e $name ]]; then ip netns del "${name##*/}"; fi
  done
  cgroup_remove
}

# Never ends: the standard input of what has to run until it is killed.
mkfifo "$work/forever"
exec {forever}<>"$work/forever"

# ---- what changes ------------------------------------------------------------

# namespace_renew I COMMAND...: namespace I goes, with what runs in it, and comes
# back with the command, which reads the standard input.
namespace_renew() {
  local i=$1
  shift
  end_process "${namespace_pid[$i]-}"
  if [[ -e /run/netns/$prefix-$i ]]; then ip netns del "$prefix-$i"; fi
  ip netns add "$prefix-$i"
  ip -n "$prefix-$i" link set lo up
  ip netns exec "$prefix-$i" "$@" <&0 &
  namespace_pid[$i]=$!
}

# One change of each kind; about one second.
change() {
  local family
  echo "${timeouts[rounds % ${#timeouts[@]}]}" >/proc/sys/net/ipv4/tcp_fin_timeout
  if ((${#namespaces[@]} > 0)); then
    namespace_renew $((rounds % ${#namespaces[@]})) "$build/churn" $port 100 <&"$forever" >/dev/null 2>&1
    namespaces_made=$((namespaces_made + 1))
  fi
  if [[ -n $cgroup ]]; then
    if [[ -n ${inside_pid-} ]]; then sockets_in_end; fi
    sockets_in "$cgroup/api.service" make established ipv4 $((port + 10)) 20
    sockets_in "$cgroup/api.service" make fin-wait2-held ipv4 $((port + 10)) 20
    cgroups_made=$((cgroups_made + 1))
  fi
  # Their listeners are groups that appear and disappear.
  for family in ipv4 ipv6; do
    sockets make established $family $((port + 20 + rounds % 7)) 30
    sockets release established $family $((port + 20 + rounds % 7))
    sockets release listen $family $((port + 20 + rounds % 7))
  done
  # Stuck for a while, as StuckAfter is 1.
  if ((rounds % 8 == 0)); then sockets make fin-wait2-held ipv6 $((port + 30)) 10; fi
  if ((rounds % 8 == 4)); then sockets release fin-wait2-held ipv6 $((port + 30)); fi
  sleep 0.2
  rounds=$((rounds + 1))
}

# Ends all that sockets has made.
sockmake_again() {
  local in=${sockmake_io[1]}
  exec {to_sockmake}>&- {from_sockmake}<&- {in}>&-
  wait "$sockmake_pid" || true
  start_sockmake
}

# ---- what is measured --------------------------------------------------------

# await_reads NUM: this many more.
await_reads() {
  local wanted seconds
  wanted=$(($(reads_so_far) + $1))
  for ((seconds = 0; seconds < 300; seconds++)); do
    if (($(reads_so_far) >= wanted)); then return 0; fi
    sleep 1
  done
  echo "soak.sh: no $1 reads within 300 s; collectd says:" >&2
  messages . | tail -n 20 >&2
  return 1
}

rss_kib() {
  awk '$1 == "Rss:" { print $2 }' "/proc/$collectd_pid/smaps_rollup"
}

# descriptors_and_threads: the least of some looks, as a read has more.
descriptors_and_threads() {
  local i fds threads least_fds=99999 least_threads=99999
  for ((i = 0; i < 40; i++)); do
    fds=(/proc/"$collectd_pid"/fd/*)
    threads=(/proc/"$collectd_pid"/task/*)
    if ((${#fds[@]} < least_fds)); then least_fds=${#fds[@]}; fi
    if ((${#threads[@]} < least_threads)); then least_threads=${#threads[@]}; fi
    sleep 0.05
  done
  echo "$least_fds descriptors $least_threads threads"
}

# whole_values: as values, of a read that all namespaces were in time for.
whole_values() {
  local seconds i missing=true
  for ((seconds = 0; seconds < 60; seconds++)); do
    values >/dev/null
    missing=false
    for i in "${namespaces[@]}"; do grep -q "^all@n$i " "$work/values" || missing=true; done
    if ! $missing; then return 0; fi
  done
  echo "soak.sh: no read within 60 s has all namespaces" >&2
  return 1
}

# The median of the samples FIRST..LAST, which are numbers of lines.
median_rss() {
  sed -n "$1,$2p" "$work/rss" | sort -n | sed -n "$((($2 - $1) / 2 + 1))p"
}

counts() {
  grep -E "^$1 (tcp_connections|current_connections-(fin_wait2_held|fin_wait2_orphaned|orphaned))" "$work/values" | sort
}

# ---- the ways of running it --------------------------------------------------

# build_with CFLAGS PROGRAM...: the plugin, and programs, in $work/$mode.
build_with() {
  mkdir "$work/$mode"
  (
    cd "$work/$mode"
    cflags=$1
    shift
    "$top/configure" -q CFLAGS="-O1 -g -fno-omit-frame-pointer $cflags" &&
      make -s -j2 tcpstates.la "$@"
  ) >"$work/build.log" 2>&1 || {
    fail "soak $mode: it builds" "$(tail -n 20 "$work/build.log")"
    return 1
  }
  cp "$work/$mode/.libs/tcpstates.so" "$work/plugins/"
}
runtime() {
  ${CC:-gcc} -print-file-name="lib$1.so"
}
prepare() {
  local log=$work/errors.$mode
  as_user=()
  case $mode in
    # glibc gives back what is freed: what still grows is in use.
    plain) as_user=(env MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536) ;;
    asan)
      build_with '-fsanitize=address,undefined' || return 1
      # Freed memory is kept for a while, but not so much that a leak would not be seen.
      as_user=(env "LD_PRELOAD=$(runtime asan):$(runtime ubsan)"
        "ASAN_OPTIONS=log_path=$log:quarantine_size_mb=1:detect_stack_use_after_return=1" "UBSAN_OPTIONS=log_path=$log:print_stacktrace=1")
      ;;
    valgrind)
      as_user=(valgrind --quiet --log-file="$log" --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=99)
      ;;
    tsan)
      build_with '-fsanitize=thread' plugin_host || return 1
      as_user=(env "LD_PRELOAD=$(runtime tsan)" "TSAN_OPTIONS=log_path=$log")
      ;;
  esac
}

# The host program reads without a pause until the file host.conf has gone.
host_start() {
  sed -n '/^<Plugin tcpstates>/,$p' "$work/collectd.conf" >"$work/host.conf"
  mkfifo "$work/host.in" "$work/host.out"
  TSAN_OPTIONS=log_path=$work/errors.host "$work/tsan/plugin_host" --config "$work/host.conf" --stdin \
    "$work/tsan/.libs/tcpstates.so" <"$work/host.in" >"$work/host.out" 2>"$work/host.log" &
  host_pid=$!
  (
    num=0
    exec {in}>"$work/host.in" {out}<"$work/host.out"
    while [[ -e $work/host.conf ]] && echo >&"$in"; do
      # Notifications come before it.
      while IFS= read -r line <&"$out" && [[ $line != "done" ]]; do continue; done
      num=$((num + 1))
    done
    echo $num >"$work/host.reads"
    exec {in}>&-
    cat <&"$out" >/dev/null
  ) &
  host_reader=$!
}
host_stop() {
  local status=0
  rm "$work/host.conf"
  wait "$host_pid" || status=$?
  wait "$host_reader"
  rm "$work/host.in" "$work/host.out"
  host_pid=
  return "$status"
}

# ---- one soak ----------------------------------------------------------------

configuration() {
  local i
  cat <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  ListeningPorts true
  LocalPort $churn_port
  RemotePort $churn_port "$port-$((port + 2))"
  ReportAcceptQueue true
  StuckAfter 1
  ReportClosed true
  NotifyStuck 5
  NotifyProcesses true
  <Filter "api">
    ControlGroup "/$prefix/api.service"
  </Filter>
  <Filter "ipv6">
    AddressFamily "ipv6"
    RemoteAddress "::/0"
  </Filter>
END
  for i in "${namespaces[@]}"; do
    cat <<END
  <Namespace "$prefix-$i">
    Name "n$i"
    AllPortsSummary true
    ListeningPorts true
    RemotePort $port
    NotifyStuck 5
  </Namespace>
END
  done
  if ((${#namespaces[@]} > 0)); then
    cat <<END
  <Namespace "$prefix-*">
    Name "pods"
    AllPortsSummary true
    ListeningPorts true
    NotifyStuck 5
    NamespaceBudget 100
  </Namespace>
END
  fi
  echo '</Plugin>'
}

soak() {
  local mode=$1 before after made='' quarter samples seconds i family first last status=0
  local rounds=0 namespaces_made=0 cgroups_made=0
  echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
  collectd_configure < <(configuration)
  prepare || return 0
  for i in "${namespaces[@]}"; do
    namespace_renew "$i" "$build/sockmake" <&"$forever" >/dev/null
  done
  collectd_start
  await_reads 20
  before=$(descriptors_and_threads)

  churn_start $churn_port "$rate"
  if [[ $mode == tsan ]]; then host_start; fi
  : >"$work/rss"
  # On a loaded machine it takes longer, but there is to be churn.
  local enough=$((60 * minutes * rate / 3)) end=$((SECONDS + 60 * minutes)) latest=$((SECONDS + 600 * minutes))
  while { ((SECONDS < end)) || { made=$(connections_made) && ((made < enough && SECONDS < latest)); }; } &&
    kill -0 "$collectd_pid" 2>/dev/null; do
    change
    rss_kib >>"$work/rss" || true
  done
  made=$(connections_made) || made=0
  churn_stop
  if ! kill -0 "$collectd_pid" 2>/dev/null; then
    fail "soak $mode: collectd lives" "$(messages . | tail -n 20; cat "$work/errors.$mode"* 2>/dev/null)"
    collectd_pid=
    return 0
  fi
  ok "soak $mode: of $rate connections a second there was a third at least: $made" test "$made" -ge $enough
  if [[ $mode == tsan ]]; then
    host_stop || status=$?
    is "soak $mode: the host program has no race" "$status" 0
    status=0
    is "soak $mode: and reports none" "$(cat "$work"/errors.host* 2>/dev/null)" ""
    ok "soak $mode: its reads: $(<"$work/host.reads")" test "$(<"$work/host.reads")" -gt 10
  fi

  # At rest.
  echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
  if [[ -n ${inside_pid-} ]]; then sockets_in_end; fi
  sockmake_again
  for i in "${namespaces[@]}"; do
    namespace_renew "$i" "$build/sockmake" < <(
      echo "make established ipv4 $port $((i + 2))"
      echo "make fin-wait2-held ipv6 $port $((i + 3))"
      exec cat <&"$forever"
    ) >/dev/null
  done
  for ((seconds = 0; seconds < 180; seconds++)); do
    if [[ -z $(ss -tanH) ]]; then break; fi
    sleep 1
  done
  # More than are all dumped, so that the kernel's sums are taken.
  sockets make established ipv4 $((port + 3)) 300
  sockets make established ipv6 $((port + 3)) 100
  sockets_of_every_kind $port
  await_reads 2
  whole_values
  is "soak $mode: at rest every count is what the test has made" \
    "$(counts "(all|$port-local|$((port + 3))-local|$port-$((port + 2))-remote)")" \
    "$(wanted all $port-local $((port + 3))-local $port-$((port + 2))-remote)"
  is "soak $mode: and what ss says" "$(states all)" "$(ss -tanH | ss_states)"
  for i in "${namespaces[@]}"; do
    is "soak $mode: in namespace $i, too" "$(states "all@n$i")" "$(ip netns exec "$prefix-$i" ss -tanH | ss_states)"
    is "soak $mode: with what was made there" "$(states "$port-remote@n$i" | grep -E 'ESTAB|FIN_WAIT2')" \
      "tcp_connections-ESTABLISHED $((i + 2))"$'\n'"tcp_connections-FIN_WAIT2 $((i + 3))"
  done
  if ((${#namespaces[@]} > 0)); then
    is "soak $mode: and all of them together" "$(states all@pods)" \
      "$(for i in "${namespaces[@]}"; do ip netns exec "$prefix-$i" ss -tanH; done | ss_states)"
  fi
  after=$(descriptors_and_threads)
  is "soak $mode: descriptors and threads are as before" "$after" "$before"

  # The first quarter warms up; the second is compared with the last.
  samples=$(wc -l <"$work/rss")
  quarter=$((samples / 4))
  if ((quarter == 0)); then
    fail "soak $mode: there are samples of its memory" "$samples"
    return 0
  fi
  first=$(median_rss $((quarter + 1)) $((2 * quarter)))
  last=$(median_rss $((3 * quarter + 1)) "$samples")
  if [[ $mode == plain || $mode == asan ]]; then
    ok "soak $mode: resident memory does not grow: $first KiB, $last KiB" test "$last" -le $((first + rss_slack[$mode]))
    echo "# resident memory, KiB: $(awk 'NR % n == 1' n=$((samples / 20 + 1)) "$work/rss" | xargs)"
  fi
  is "soak $mode: no value is negative or no number" \
    "$(awk '$1 == "PUTVAL" && $2 ~ /\/tcpstates-/ && $4 !~ /^[0-9.]+:[0-9.]+$/' "$work/output" | head -n 5)" ""
  is "soak $mode: nothing else is complained about" \
    "$(complaints | grep -vE 'namespace (n[0-9]|pods): .*(there is no such namespace|this file is not a network namespace|not read in time)' | head -n 5)" ""
  local num gap late
  num=$(reads_so_far)
  late=$(messages 'above its read interval' | wc -l)
  gap=$(awk '$2 ~ /\/tcpstates-all\/tcp_connections-LISTEN$/ {
      split($4, sample, ":")
      if (last != "" && sample[1] - last > gap) gap = sample[1] - last
      last = sample[1]
    }
    END { printf "%.1f", gap }' "$work/output")
  collectd_stop || status=$?
  is "soak $mode: collectd ends as told" "$status" 0
  is "soak $mode: no error and no leak" "$(cat "$work/errors.$mode"* 2>/dev/null)" ""
  echo "# figures: soak $mode: $minutes min, $num reads ($late late, longest gap $gap s)," \
    "$made connections churned, $namespaces_made namespaces and $cgroups_made control groups made," \
    "RSS $first KiB first, $last KiB last, $before before, $after after"
  sockmake_again
  rm -rf "${work:?}/$mode" "$work/plugins"
}
for mode in "${modes[@]}"; do soak "$mode"; done
done_testing
((tests_failed == 0))
