#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The classic FIN_WAIT2 experiment under a real collectd with the plugin: what is
# closed dies on time, what is only shut down stays.
set -euo pipefail

usage() {
  cat <<'END'
Usage: run.sh [--output FILE.png] [T...]
       run.sh --orphans

For each T [5 20 61], in a network namespace with tcp_fin_timeout T: a server accepts
20 connections and does not close them; 10 clients close (orphaned), 10 others shut down
their sending side and keep the socket (held). It shows what collectd says as it changes,
until 10 s after the orphans are gone, and how long they lived. T is 1 to 180 seconds, and
there are at most 8. An orphan lives T s for T up to 60, but 2 * (T - 60) s above: that long
it takes, and 13 s more. At the end it draws one picture from collectd's RRD files.

Options:
  --output FILE.png   where the picture goes [fin-wait2-lab.png]
  --orphans           orphans meet tcp_max_orphans, where that is at most 4096 (it belongs
                      to the whole machine, and is not changed); elsewhere it says why not
  --help              print this

Needs no root where users may make namespaces. Counts and the times at the left are
collectd's, which reads once a second; how long sockets lived is from /proc/net/tcp, read
every 20 ms. Results go to the standard output, progress and errors to the standard error.

Touches:
  packages         install-deps.sh installs those that are missing (as root or by sudo)
  the source tree  as contrib/quickstart.sh does: configure, build-quickstart/
  $TMPDIR [/tmp]   a directory for everything else, removed at the end
  FILE.png

Exit codes: 0 the sockets did what the rule says, 1 something failed (it says what), 2 wrong
usage, 3 this system's packages are not known to install-deps.sh, 4 the sockets did something
else, 5 --orphans cannot be done here, 129 SIGHUP, 130 Ctrl-C, 141 the reader of the output
went away, 143 SIGTERM.
END
}

program=fin-wait2-lab
. "$(dirname -- "${BASH_SOURCE[0]}")/../private-collectd.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/graph.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/orphans.sh"

readonly count=10 stay=10 # sockets of each kind; seconds after the orphans are gone
lab_pid=

clean_up() {
  trap '' INT TERM HUP PIPE
  progress
  if [[ -n $lab_pid ]]; then end_process "$lab_pid"; fi
  remove_work
}

# progress [TEXT]: instead of the last one, on a terminal.
progress() {
  if [[ -t 2 && ${TERM-dumb} != dumb ]]; then printf '\r\e[K%s' "${1-}" >&2; fi
}

show() {
  progress
  # No message of bash's when nobody reads any more.
  printf '%s\n' "$@" 2>/dev/null || exit 141
}

# ask COMMAND: sets answer. lab.c says what it may be.
ask() {
  printf '%s\n' "$1" >&"${lab[1]}"
  read -r answer <&"${lab[0]}" || die 1 "the lab's sockets failed at \"$1\""
}

# Closing this shell's end ends the lab. Subshells have no such end.
start_lab() {
  local -a unshare=(unshare --net)
  if ((EUID != 0)); then unshare=(unshare --map-root-user --net); fi
  cc -O2 -o "$work/lab" "$top/contrib/fin-wait2-lab/lab.c"
  coproc lab {
    ulimit -n "$(ulimit -Hn)"
    exec "${unshare[@]}" "$work/lab"
  }
  # shellcheck disable=SC2154 # coproc sets it
  lab_pid=$lab_PID
  read -r answer <&"${lab[0]}" || die 1 "no network namespace of its own here. Run it as root, or let users make" \
    "namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)"
}

# start_readings SECONDS [COMMAND...]: a collectd, started by COMMAND, whose RRD files
# hold that many seconds.
start_readings() {
  local rows=$1
  {
    print_configuration 1 "$work"
    cat <<END
LoadPlugin tcpstates
LoadPlugin rrdtool
<Plugin rrdtool>
  DataDir "$work/rrd"
  StepSize 1
  HeartBeat 5
  RRARows $rows
  RRATimespan $rows
</Plugin>
END
  } >"$work/collectd.conf"
  copy_plugins csv logfile rrdtool
  say "starting a private collectd"
  # collectd would outlive a SIGKILL of this script.
  start_collectd "${@:2}" setpriv --pdeathsig TERM
}

declare -A reading=() # values of one read, each of keys
keys=()
stamp= # their time, epoch ms

next_reading() {
  local line said=
  local value_line='^PUTVAL "?localhost/tcpstates-([^" ]*)"? interval=[0-9.]+ ([0-9]+)\.([0-9]{3}):(.*)$'
  reading=()
  while ((${#reading[@]} < ${#keys[@]})); do
    IFS= read -r -t 10 -u 3 line || die 1 "collectd gives no values; it says: ${said:-nothing}"
    if [[ ! $line =~ $value_line ]]; then
      said+=$line$'\n'
    elif [[ " ${keys[*]} " == *" ${BASH_REMATCH[1]} "* ]]; then
      if [[ ${BASH_REMATCH[2]}${BASH_REMATCH[3]} != "$stamp" ]]; then reading=(); fi
      stamp=${BASH_REMATCH[2]}${BASH_REMATCH[3]}
      reading[${BASH_REMATCH[1]}]=${BASH_REMATCH[4]}
    fi
  done
}

# in_seconds MS [FLAGS]: sets text.
in_seconds() { printf -v text "%${2-}.2f" "$(($1))e-3"; }

rule() { echo $(($1 <= 60 ? $1 : 2 * ($1 - 60))); }

orphaned=all/current_connections-fin_wait2_orphaned
held=all/current_connections-fin_wait2_held
begins=() ends=() results=() # of each T, for the picture; epoch s
status=0

# show_reading MADE [TEXT]: waits for one, and shows it if it differs from last.
show_reading() {
  local text line
  next_reading
  if ((stamp < $1)); then return 0; fi
  in_seconds "stamp - $1" 7
  line="${reading[$orphaned]%.*} orphaned, ${reading[$held]%.*} held"
  if [[ $line != "$last" ]]; then show "$text s  $line"; fi
  last=$line
  progress "$text s  $line${2+; $2}"
}

run_timeout() {
  local T=$1 rule give_up made lived num_held age seen awaited text last=
  rule=$(rule "$T")
  # The kernel's timer wheel may be late by an eighth.
  give_up=$(((rule + rule / 8 + 5) * 1000))
  ask "timeout $T"
  ask "make $count"
  made=$answer
  show "tcp_fin_timeout $T" "   0.00 s  $count clients close, $count others only shut down"
  awaited="the orphans should go at $rule s"
  while true; do
    show_reading "$made" "$awaited"
    ask look
    read -r lived num_held age seen <<<"$answer"
    if ((lived > 0 ? age >= lived + stay * 1000 : seen >= give_up)); then break; fi
    if ((lived > 0)); then awaited="the server closes at $((lived / 1000 + stay)) s"; fi
  done
  ask end
  in_seconds age 7 && show "$text s  the server closes"
  while [[ $last != "0 orphaned, 0 held" ]]; do show_reading "$made"; done

  local orphaned_said="orphaned still there" picture_said="orphaned still there" held_said="held still there"
  if ((lived > 0)); then
    in_seconds lived && picture_said="orphaned lived $text s (rule $rule s)" orphaned_said="orphaned lived $text s"
    in_seconds "lived - T * 1000" + && orphaned_said+=" (setting $T s: $text, rule $rule s: "
    in_seconds "lived - rule * 1000" + && orphaned_said+="$text)"
  fi
  if ((num_held != count)); then held_said="only $num_held held still there"; fi
  in_seconds age
  show "tcp_fin_timeout $T: $orphaned_said, $held_said after $text s" ""
  begins+=($(((made + 500) / 1000))) ends+=("${stamp%???}")
  results+=("tcp_fin_timeout $T: $picture_said, $held_said after $text s")
  if ((num_held != count || lived < rule * 1000 || seen > give_up)); then status=4; fi
}

run_timeouts() {
  local T total=60 from
  for T; do total=$((total + $(rule "$T") * 9 / 8 + stay + 15)); done
  local -a enter=(nsenter --target "$lab_pid" --net)
  if ((EUID != 0)); then enter+=(--user --preserve-credentials); fi
  keys=("$orphaned" "$held")
  start_readings "$total" "${enter[@]}"
  next_reading
  from=${stamp%???}
  next_reading
  for T; do run_timeout "$T"; done
  next_reading
  next_reading
  end_process "$collectd_pid"
  draw_graph "$from" "${stamp%???}"
  show "picture: $output"
  if ((status != 0)); then die "$status" "the sockets did not do what the rule says"; fi
}

output=fin-wait2-lab.png
scenario=run_timeouts
timeouts=()
while (($# > 0)); do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --orphans) scenario=run_orphans ;;
    --output)
      if (($# < 2)); then die 2 "--output: needs a file's name; --help says more"; fi
      output=$2
      shift
      ;;
    --output=*) output=${1#*=} ;;
    [1-9] | [1-9][0-9] | 1[0-7][0-9] | 180) timeouts+=("$1") ;;
    *) die 2 "$1: neither an option nor a number of seconds from 1 to 180; --help says more" ;;
  esac
  shift
done
if ((${#timeouts[@]} == 0)); then timeouts=(5 20 61); fi
if ((${#timeouts[@]} > 8)); then die 2 "${#timeouts[@]} values of T are too many for one picture; give at most 8"; fi
if [[ -z $output || -d $output || ! -w $(dirname -- "$output") || (-e $output && ! -w $output) ]]; then
  die 2 "--output $output: cannot be written"
fi

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

if [[ $scenario == run_orphans ]]; then check_orphans; fi
make_work
"$top/contrib/install-deps.sh" build run lab
start_lab
build_plugin
"$scenario" "${timeouts[@]}"
