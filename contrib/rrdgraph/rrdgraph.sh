#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Draws a host's day from the RRD files that collectd's rrdtool plugin has written.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: rrdgraph.sh [OPTION...] [HOST]

Draws PNG pictures of what the tcpstates plugin has counted on HOST in the last 24 hours,
and prints their names. HOST may be left out where there is only one. Of these pictures
it draws those that there are values for:
  states        the sockets of a group by state, stacked
  fin-wait2     those in FIN_WAIT2: held and orphaned, stacked; how many are stuck
  fin-wait1     those in FIN_WAIT1; how many are stuck
  close-wait    those in CLOSE_WAIT; how many are stuck, and how many no program has accepted
  ages          the oldest in these three states
  orphans       sockets without owner, of the machine and of the group
  unhashed      sockets of the machine that are in no state
  ephemeral-ports  local ports in use towards one destination; needs ReportEphemeralPorts true
  accept-queue  connections that wait for accept(); needs ReportAcceptQueue true
  limits        orphans, TIME_WAIT buckets, TCP memory and the fullest accept queue, in
                percent of their limits

Options:
  --group GROUP   all, 443-local, a Filter's name ... [all]
  --start TIME    } as rrdtool takes them: "end-1week", "-2h", "midnight-1d", "20:00",
  --end TIME      } "11/23/2026", or seconds since 1970 [end-1day, now]
  --data DIR      the DataDir of collectd's rrdtool plugin [/var/lib/collectd/rrd]
  --output DIR    where the pictures go, as HOST-GROUP-PICTURE.png [.]
  --help          print this

Touches: the pictures, and a directory in $TMPDIR [/tmp] until the end, with copies of
the RRD files that it draws. It needs rrdtool only.

Exit codes: 0 drawn, 1 rrdtool failed or is not there, 2 wrong usage, or no such host,
group or directory, 4 there are no values in that time.
END
}

die() {
  local code=$1
  shift
  printf 'rrdgraph: %s\n' "$*" >&2
  exit "$code"
}

# list DIRECTORY...: their names without what comes before, as one line.
list() {
  local text
  text=$(printf '%s, ' "${@##*/}")
  printf '%s' "${text%, }"
}

group=all start=end-1day end=now data=/var/lib/collectd/rrd output=. host=
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --group | --start | --end | --data | --output)
      if (($# < 2)); then die 2 "$1: needs a value; --help says more"; fi
      declare "${1#--}=$2"
      shift
      ;;
    --group=* | --start=* | --end=* | --data=* | --output=*)
      option=${1%%=*}
      declare "${option#--}=${1#*=}"
      ;;
    -*) die 2 "$1: no such option; --help lists them" ;;
    *)
      if [[ -n $host ]]; then die 2 "$1: only one host at a time; $host is the first"; fi
      host=$1
      ;;
  esac
  shift
done

# ---- what there is to draw -----------------------------------------------------

type -P rrdtool >/dev/null || die 1 "rrdtool was not found; install the package rrdtool"
[[ -d $data ]] || die 2 "$data: no such directory; --data names the DataDir of collectd's rrdtool plugin"
[[ -d $output && -w $output ]] || die 2 "$output: no directory to write to; --output names one"
output=$(cd -- "$output" && pwd -P)
parent=$(cd -- "${TMPDIR:-/tmp}" && pwd -P)
shopt -s nullglob
cd -- "$data"

hosts=(./*/tcpstates-*/)
hosts=("${hosts[@]%/tcpstates-*/}")
mapfile -t hosts < <(printf '%s\n' "${hosts[@]}" | sort -u)
if [[ -z ${hosts[0]-} ]]; then
  die 2 "$data: no host there has values of the tcpstates plugin; is it loaded, and is this the DataDir of the rrdtool plugin?"
fi
if [[ -z $host ]]; then
  ((${#hosts[@]} == 1)) || die 2 "which host? In $data there are: $(list "${hosts[@]}")"
  host=${hosts[0]#./}
fi
groups=("./$host"/tcpstates-*/)
if [[ $host == */* || $host == .* ]] || ((${#groups[@]} == 0)); then
  die 2 "$host: no host of that name has values of the tcpstates plugin in $data; there are: $(list "${hosts[@]}")"
fi
mapfile -t groups < <(printf '%s\n' "${groups[@]#*/tcpstates-}" | sed 's/\/$//; /^machine$/d')
if [[ $group == machine || $group == */* || ! -d ./$host/tcpstates-$group ]]; then
  die 2 "$group: no such group of $host; there are: $(list "${groups[@]}")"
fi
# The settings of the group's network namespace.
all=all
if [[ $group == *@* ]]; then all=all@${group##*@}; fi

work=$(mktemp -d "$parent/rrdgraph.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
# Copies: rrdtool locks what it reads, and collectd loses what it would write meanwhile.
mkdir -p -- "$work/rrd/$host"
for name in "$group" "$all" machine; do
  directory=./$host/tcpstates-$name
  if [[ -d $directory && ! -e $work/rrd/$directory ]]; then cp -rL -- "$directory" "$work/rrd/$host"; fi
done
cd -- "$work/rrd"

# ---- the elements of a picture ---------------------------------------------------

elements=() # what rrdtool draws
number=0    # of variables so far

# has GROUP/VALUE: there is such a file.
has() { [[ -e ./$host/tcpstates-$1.rrd ]]; }

# variable GROUP/VALUE: ${v}_avg and ${v}_max are its average and its maximum.
variable() {
  local file=$host/tcpstates-$1.rrd source=value
  # The name of the data source is that of types.db.
  if [[ $1 == */duration-* ]]; then source=seconds; fi
  file=${file//\\/\\\\}
  file=${file//:/\\:}
  number=$((number + 1))
  v=v$number
  elements+=("DEF:${v}_avg=$file:$source:AVERAGE" "DEF:${v}_max=$file:$source:MAX" "PRINT:${v}_max:MAX:%lf")
}

# show HOW GROUP/VALUE COLOR TEXT [COUNT LIMIT UNIT]: the average as an area on top of
# those before it, or the maximum as a line, and numbers; nothing where there is no such
# value. COUNT and LIMIT: the values that a percentage is of, as numbers after it.
show() {
  local text format=%9.1lf
  if ! has "$2"; then return 0; fi
  variable "$2"
  printf -v text '%-24s' "$4"
  case $1 in
    area) elements+=("AREA:${v}_avg#$3:$text:STACK") ;;
    line) elements+=("LINE2:${v}_max#$3:$text") ;;
    dashes) elements+=("LINE1:${v}_max#$3:$text:dashes=4,3") ;;
  esac
  elements+=("GPRINT:${v}_avg:LAST:$format" "GPRINT:${v}_avg:AVERAGE:$format" "GPRINT:${v}_max:MAX:$format")
  if (($# > 4)) && has "$5" && has "$6"; then
    variable "$5"
    elements+=("GPRINT:${v}_avg:LAST:%11.0lf of")
    variable "$6"
    elements+=("GPRINT:${v}_avg:LAST:%.0lf $7")
  fi
  elements+=('COMMENT:\l')
}

# draw PICTURE HEIGHT VERTICAL-LABEL TITLE: of the elements, which it uses up. Nothing
# where there are none.
drawn=() unknown=()
draw() {
  local file=$host-$group-$1.png heading
  if ((${#elements[@]} == 0)); then
    unknown+=("$1")
    return 0
  fi
  printf -v heading '%-27s%9s%11s%11s' "" now mean max
  rrdtool graph "$work/$file" --start "$start" --end "$end" --full-size-mode --width 900 --height "$2" \
    --title "$host, $4" --vertical-label "$3" --lower-limit 0 --units-exponent 0 --border 0 --disable-rrdtool-tag \
    --font 'DEFAULT:9:DejaVu Sans' --font 'TITLE:12:DejaVu Sans' --font 'LEGEND:8:DejaVu Sans Mono' \
    --color BACK#FFFFFF --color GRID#00000018 --color MGRID#00000030 --color ARROW#00000000 --slope-mode \
    "COMMENT:$heading\\l" "${elements[@]}" >"$work/said" 2>&1 || die 1 "rrdtool: $(sed 's/^ERROR: //' "$work/said")"
  elements=()
  # What it has printed is the size, and the greatest of each value.
  if sed 1d "$work/said" | grep -q '[0-9]'; then drawn+=("$file"); fi
}

# ---- the pictures ----------------------------------------------------------------

# The stack is of tcp_connections alone: all else is part of these.
while read -r state color; do
  show area "$group/tcp_connections-$state" "$color" "$state"
done <<'END'
LISTEN C8F2C2
ESTABLISHED 73BF69
SYN_SENT 8AB8FF
SYN_RECV 5794F2
FIN_WAIT1 FADE2A
FIN_WAIT2 FF9830
CLOSE_WAIT F2495C
LAST_ACK FFF899
CLOSING 8F6B3A
TIME_WAIT CA95E5
CLOSED 808080
END
draw states 460 sockets "$group: sockets by state"

show area "$group/current_connections-fin_wait2_held" 0072B2 'held'
show area "$group/current_connections-fin_wait2_orphaned" E69F00 'orphaned'
show line "$group/current_connections-fin_wait2_stuck" C4162A 'stuck, of the held'
draw fin-wait2 280 sockets "$group: FIN_WAIT2 by owner"

show area "$group/tcp_connections-FIN_WAIT1" FADE2A 'FIN_WAIT1'
show line "$group/current_connections-fin_wait1_stuck" C4162A 'stuck, of these'
draw fin-wait1 260 sockets "$group: FIN_WAIT1"

show area "$group/tcp_connections-CLOSE_WAIT" F2495C 'CLOSE_WAIT'
show line "$group/current_connections-close_wait_stuck" 8F0F1E 'stuck, of these'
show line "$group/current_connections-close_wait_unaccepted" 5794F2 'not accepted, of these'
draw close-wait 260 sockets "$group: CLOSE_WAIT"

show line "$group/duration-fin_wait1_oldest" FADE2A 'held in FIN_WAIT1'
show line "$group/duration-fin_wait2_oldest" 0072B2 'held in FIN_WAIT2'
show line "$group/duration-close_wait_oldest" F2495C 'in CLOSE_WAIT'
if ((${#elements[@]} > 0)); then
  show dashes "$all/duration-tcp_fin_timeout" 000000 'tcp_fin_timeout'
  show dashes "$all/duration-fin_wait2_lifetime" E69F00 'an orphan in FIN_WAIT2'
fi
draw ages 290 seconds "$group: the oldest"

show area "machine/current_connections-orphaned" CCCCCC 'the whole machine'
show line "$group/current_connections-orphaned" E69F00 "this group"
draw orphans 260 sockets "$group: orphans"

show area "machine/current_connections-unhashed" B877D9 'the whole machine'
draw unhashed 240 sockets "reset or never connected, and not closed"

show area "$group/current_connections-fullest_destination" 5794F2 'in use'
show dashes "$group/gauge-ephemeral_ports" C4162A 'there are'
# Most groups have no remote port.
if ((${#elements[@]} > 0)); then draw ephemeral-ports 240 ports "$group: local ports towards the fullest destination"; fi

show area "$group/queue_length-accept_queue" 5794F2 'waiting for accept()'
if has "$group/queue_length-accept_queue_limit"; then
  variable "$group/queue_length-accept_queue_limit"
  elements+=("GPRINT:${v}_avg:LAST:   of %.0lf that may, all listeners together\\l")
fi
draw accept-queue 240 connections "$group: connections that wait for accept()"

show line "machine/percent-orphans" E69F00 'orphans' \
  machine/current_connections-orphaned machine/gauge-tcp_max_orphans sockets
show line "$all/percent-timewait_buckets" B877D9 'TIME_WAIT buckets' \
  "$all/current_connections-timewait_buckets" "$all/gauge-tcp_max_tw_buckets" minisockets
show line "machine/percent-tcp_mem" 37872D 'TCP memory' \
  machine/gauge-tcp_mem_used machine/gauge-tcp_mem_high pages
show line "$group/percent-accept_queue" 5794F2 'fullest accept queue'
show line "$group/percent-ephemeral_ports" 8F6B3A 'ephemeral ports'
if ((${#elements[@]} > 0)); then
  elements+=('HRULE:25#E69F00:from here on orphans can be reset\l:dashes=2,4')
fi
draw limits 300 'percent of the limit' "$group: how near the limits are"

if ((${#drawn[@]} == 0)); then
  files=("./$host/tcpstates-$group"/*.rrd)
  last=$(date -d "@$(rrdtool last "${files[0]}")" '+%F %T')
  die 4 "$host: no values of $group between $start and $end; the last is of $last (if that is new: --start -1h shows the last minutes)"
fi
if ((${#unknown[@]} > 0)); then
  printf 'rrdgraph: no picture of %s: %s does not report these of %s\n' "$(list "${unknown[@]}")" "$host" "$group" >&2
fi
for picture in "${drawn[@]}"; do
  mv -- "$work/$picture" "$output/$picture"
  printf '%s\n' "$output/$picture"
done
