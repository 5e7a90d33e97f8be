#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a read costs, next to other readers of the same sockets.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

say() { echo "bench.sh: $*" >&2; }
die() {
  say "$2"
  exit "$1"
}

# ---- sections ---------------------------------------------------------------

# Each is a script beside this one, with these functions:
#   NAME_on      measures with the $size sockets of $mix that are there; only where it has sizes
#   NAME_alone   makes what it measures with
#   NAME_finish  says what the targets are
sections=()
declare -A sizes_of mixes_of time_of

# section NAME SIZES MIXES TIME
section() {
  sections+=("$1")
  sizes_of[$1]=$2 mixes_of[$1]=$3 time_of[$1]=$4
}

# What the sections say; report.awk has what it means.
line() {
  local IFS=$'\t'
  echo "$*" >>"$work/samples"
}
table() { line table "$@"; }
row() { line row "$@"; }
sample() { line sample "$@"; }
text() { line text "$@"; }
target() { line target "$@"; }
tabbed() {
  local IFS=$'\t'
  echo "$*"
}

# pairs TABLE ROW BASE MIXES SIZES: for a target. MIX in TABLE is each of the mixes; BASE may be
# empty.
pairs() {
  local each sockets table list=()
  for each in $4; do
    table=${1//MIX/$each}
    for sockets in $5; do
      list+=("$table:$2:$sockets sockets${3:+/$table:$3:$sockets sockets}")
    done
  done
  tabbed "${list[@]}"
}

here=$top/tests/bench
for script in sockets readers cpu ports stalls machine namespaces cgroups services stuck memory unhashed; do
  # shellcheck source=/dev/null
  . "$here/$script.sh"
done

# ---- options ----------------------------------------------------------------

usage() {
  cat <<'TEXT'
Usage: bench.sh [--sections "NAME ..."] [--sizes "N ..."] [--mixes "MIX ..."]
                [--rounds N] [--markdown FILE] [--strict] [--help]

Fills network namespaces with sockets and measures what a read of their states costs: by
tcpstates, by collectd's tcpconns in the same host program, by ss, by cat /proc/net/tcp and
tcp6, by node_exporter, and by a walk for which the kernel reports nothing. All take
turns; a value is the median of the rounds, and a ratio that of the rounds' ratios. What is
not installed is left out.

Options:
  --sections "NAME ..."  which of those below [all]
  --sizes "N ..."        numbers of sockets, at least 100, instead of a section's own
  --mixes "MIX ..."      for cpu: server, timewait, closewait: 95 % in ESTABLISHED,
                         TIME_WAIT or CLOSE_WAIT on one local port; spread: 95 % in
                         ESTABLISHED on 1000 ports, evenly [server timewait closewait]
  --rounds N             [5]
  --markdown FILE        write the tables there too
  --strict               a missed target is a failure

Sections, the numbers of sockets, and the time with 5 rounds on 2 CPUs:
TEXT
  for name in "${sections[@]}"; do
    printf '  %-11s %-27s %s\n' "$name" "${sizes_of[$name]:--}" "${time_of[$name]}"
  done
  cat <<'TEXT'

Prints tables as Markdown and what of them the targets of the project are. Needs a
build with its programs (make bench), and root, or user namespaces. A million sockets take
3 GiB, 55 processes and half a minute; what this machine cannot hold is skipped.

Exit codes: 0 measured, 1 nothing could be measured or with --strict a target was
missed, 2 wrong usage.
TEXT
}

selected=
sizes=
mixes=
rounds=5
markdown=
strict=false
arguments=("$@")
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --strict) strict=true ;;
    --sections | --sizes | --mixes | --rounds | --markdown)
      (($# > 1)) || die 2 "$1: needs a value; try --help"
      case $1 in
        --sections) selected=$2 ;;
        --sizes) sizes=$2 ;;
        --mixes) mixes=$2 ;;
        --rounds) rounds=$2 ;;
        --markdown) markdown=$2 ;;
      esac
      shift
      ;;
    *) die 2 "\"$1\" is not an option; try --help" ;;
  esac
  shift
done
[[ $sizes =~ ^\ *([1-9][0-9]{2,7}\ *)*$ ]] || die 2 "--sizes \"$sizes\": write numbers of at least 100"
[[ $rounds =~ ^[1-9][0-9]{0,3}$ ]] || die 2 "--rounds \"$rounds\": write a number of at least 1"
for name in $selected; do
  [[ -n ${time_of[$name]-} ]] || die 2 "--sections \"$selected\": the sections are ${sections[*]}"
done
for name in $mixes; do
  [[ $name =~ ^(server|timewait|closewait|spread)$ ]] ||
    die 2 "--mixes \"$mixes\": write server, timewait, closewait or spread"
done
if [[ -n $markdown ]]; then : >>"$markdown" || die 2 "--markdown $markdown: cannot be written"; fi

selected=${selected:-${sections[*]}}
mixes_of[cpu]=${mixes:-${mixes_of[cpu]}}
if [[ -n $sizes ]]; then
  for name in "${sections[@]}"; do sizes_of[$name]=${sizes_of[$name]:+$sizes}; done
fi

# shellcheck disable=SC2034 # the readers'
tcpstates=$build/.libs/tcpstates.so
for program in plugin_host mass_sockets bare_entry bare_walk stalls sockmake .libs/tcpstates.so; do
  [[ -e $build/$program ]] || die 1 "$build/$program is missing: make bench builds it"
done
tcpconns=$(collectd_plugin tcpconns) || tcpconns=
PATH=$PATH:/usr/sbin:/sbin

if [[ ${TCPSTATES_BENCH_NETNS-} != "$$" ]]; then
  unshare=(unshare --net --mount)
  if ((EUID != 0)); then unshare=(unshare --map-root-user --net --mount); fi
  "${unshare[@]}" true 2>"$work/unshare" ||
    die 1 "no network namespace of its own; be root. unshare says: $(<"$work/unshare")"
  rm -r -- "$work"
  export TCPSTATES_BENCH_NETNS=$$
  unshare_apart "$BASH" "$0" "${arguments[@]}"
fi
ip link set lo up
ip route add 10.0.0.0/8 dev lo

# ---- the measurement --------------------------------------------------------

report() {
  {
    echo "Medians of $rounds rounds in one run, Linux $(uname -r), $(nproc) CPUs."
    awk -f "$here/report.awk" "$work/samples"
  } >"$work/report"
  cat "$work/report"
}

# What was measured until an error is shown, too.
finish() {
  local status=$?
  set +e
  if [[ ! -e $work/report && -s $work/samples ]]; then report; fi
  remove_sockets
  end_holders
  if [[ -n ${cgroup-} ]]; then find "$cgroup" -depth -type d -exec rmdir {} +; fi
  if [[ -n $exporter_pid ]]; then kill "$exporter_pid" 2>/dev/null; fi
  (exit "$status")
  clean_up
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# has LIST WORD
has() { [[ " $1 " == *" $2 "* ]]; }

: >"$work/samples"
[[ -n $tcpconns ]] || say "skipped: tcpconns: collectd's plugin is not installed"
if has "$selected" cpu; then start_exporter; fi

# Sockets are made once for all sections that want these.
all_sizes=$(for name in $selected; do printf '%s\n' ${sizes_of[$name]}; done | sort -nu)
all_mixes=$(for name in $selected; do printf '%s\n' ${mixes_of[$name]}; done | awk '!seen[$0]++')
for size in $all_sizes; do
  for wanted_mix in $all_mixes; do
    takers=()
    for name in $selected; do
      if has "${sizes_of[$name]}" "$size" && has "${mixes_of[$name]}" "$wanted_mix"; then takers+=("$name"); fi
    done
    if ((${#takers[@]} == 0)); then continue; fi
    say "$size sockets, $wanted_mix: ${takers[*]}"
    make_sockets "$wanted_mix" "$size" || continue
    for name in "${takers[@]}"; do "${name}_on"; done
    remove_sockets
    # The next section counts its own from 0.
    end_holders
  done
done
for name in $selected; do
  if declare -F "${name}_alone" >/dev/null; then
    say "$name"
    "${name}_alone"
    remove_sockets
    end_holders
  fi
  if declare -F "${name}_finish" >/dev/null; then "${name}_finish"; fi
done
grep -q '^sample' "$work/samples" || die 1 "nothing was measured"

report
if [[ -n $markdown ]]; then cp -- "$work/report" "$markdown"; fi
if $strict && grep -q '| MISS |$' "$work/report"; then exit 1; fi
