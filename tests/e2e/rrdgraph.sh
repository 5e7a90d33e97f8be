#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/rrdgraph: what its pictures stack, from RRD files that a real collectd has
# written of real sockets, is what the test has made, each socket once.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
rrdtool=$(type -P rrdtool) && [[ -e $(collectd_plugin rrdtool) ]] ||
  skip_all "no rrdtool here, or not collectd's plugin: contrib/install-deps.sh lab"
sees_all_processes || skip_all "a PID namespace of its own: unhashed sockets are not known"
enter_netns "$@"
machine_limits 1000000 '1000 2000 3000'

# Names that rrdtool and shells take for more than names.
host=web:1.example.org
group="o'db: 80%"
collectd_configure rrdtool <<END
Interval 1
Hostname "$host"
LoadPlugin rrdtool
<Plugin rrdtool>
  DataDir "$work/rrd"
  HeartBeat 60
</Plugin>
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort "18000-18001"
  StuckAfter 1
  ReportClosed true
  ReportAcceptQueue true
  ReportEphemeralPorts true
  <Filter "$group">
    RemotePort 18000
  </Filter>
</Plugin>
END
as_user=("${as_machine[@]}")
collectd_start
before=$(date +%s)
sockets_of_every_kind 18000
after=$(date +%s)
groups=(all 18000-18001-local)
made=$(wanted "${groups[@]}" && wanted_where "$group" '$7 == 18000')
# All to one destination: of the three addresses each has a port of its own.
local_ports=$(sockets list | awk '$7 == 18000 { print $5 }' | sort -u | wc -l)
# The RRDs' last second is known when the next one has come.
until=$(($(date +%s) + 5))
wait_until 60 "values in RRD files" rrd_reaches "$work/rrd/$host/tcpstates-all/percent-accept_queue.rrd" $((until + 2))
collectd_stop
stopped=$(date +%s)
is "collectd complains about nothing" "$(complaints)" ""

# A copy of what rrdtool is called with, in $work/calls/PICTURE.
mkdir "$work/bin" "$work/calls" "$work/tmp" "$work/pictures"
cat >"$work/bin/rrdtool" <<END
#!/bin/sh
if [ "\$1" = graph ]; then printf '%s\\0' "\$@" >"$work/calls/\${2##*/}"; fi
exec "$rrdtool" "\$@"
END
chmod +x "$work/bin/rrdtool"

# rrdgraph ARGUMENT...: its exit status is $status, what it said is in $work/said.
rrdgraph() {
  status=0
  (cd -- "$work" && PATH=$work/bin:$PATH TMPDIR=tmp "$top/contrib/rrdgraph/rrdgraph.sh" "$@") >"$work/said" 2>&1 || status=$?
}
draw() {
  rrdgraph --data "$work/rrd" --output "$work/pictures" --group "$1" --start $((until - 2)) --end $until
}

# last_of PICTURE HOW...: the sum of the last values that it shows so, such as AREA.
last_of() {
  local picture=$host-$1.png how element sum=0
  local -a arguments
  shift
  mapfile -d '' arguments <"$work/calls/$picture"
  for element in "${arguments[@]}"; do
    for how; do
      if [[ $element =~ ^$how:(v[0-9]+)_ ]]; then sum+=",${BASH_REMATCH[1]}_avg,+"; fi
    done
  done
  (cd "$work/rrd" && "$rrdtool" graph "$work/again" "${arguments[@]:2}" "CDEF:sum=$sum" PRINT:sum:LAST:%.0lf | tail -n 1)
}
# made_of GROUP PATTERN: the sum of what the test has made.
made_of() {
  awk -v group="$1" -v pattern="$2" 'index($0, group " ") == 1 && $(NF - 1) ~ pattern { sum += $NF } END { print sum + 0 }' <<<"$made"
}

for name in "${groups[@]}" "$group"; do
  draw "$name"
  is "$name: it ends well" "$status" 0
  pictures=(states fin-wait2 fin-wait1 close-wait ages orphans unhashed accept-queue limits)
  if [[ $name == "$group" ]]; then pictures=("${pictures[@]::7}" ephemeral-ports "${pictures[@]:7}"); fi
  is "$name: the pictures" "$(<"$work/said")" \
    "$(printf "$work/pictures/$host-${name//%/%%}-%s.png\n" "${pictures[@]}")"
  is "$name: all are PNG" "$(head -qc 4 "$work/pictures/$host-$name-"*.png | tr -d '\211' | sed 's/PNG//g')" ""
  is "$name: the states are a stack of all sockets, each once" "$(last_of "$name-states" AREA)" "$(made_of "$name" ^tcp_connections)"
  is "$name: held and orphaned are a stack of FIN_WAIT2" "$(last_of "$name-fin-wait2" AREA)" "$(made_of "$name" FIN_WAIT2)"
  is "$name: the stuck ones are no part of it" "$(last_of "$name-fin-wait2" LINE2)" "$(made_of "$name" fin_wait2_held)"
  is "$name: the area of FIN_WAIT1" "$(last_of "$name-fin-wait1" AREA)" "$(made_of "$name" FIN_WAIT1)"
  is "$name: the area of CLOSE_WAIT" "$(last_of "$name-close-wait" AREA)" "$(made_of "$name" CLOSE_WAIT)"
  is "$name: its line of orphans" "$(last_of "$name-orphans" LINE2)" "$(made_of "$name" connections-orphaned)"
done
is "local ports in use towards the Filter's destination" "$(last_of "$group-ephemeral-ports" AREA)" "$local_ports"
is "the accept queue" "$(last_of all-accept-queue AREA)" "$(ss -tlnH | awk '{ queue += $2 } END { print queue }')"
# Three lines; the value at the end of the picture is that of a read before it or, until
# collectd was stopped, after it.
ok "the oldest are as old as what was made first" \
  test "$(last_of all-ages LINE2)" -ge $((3 * (until - after - 2))) -a "$(last_of all-ages LINE2)" -le $((3 * (stopped + 1 - before)))
is "four percentages are near their limits" "$(tr '\0' '\n' <"$work/calls/$host-all-limits.png" | grep -c '^LINE2:')" 4

# While collectd writes, rrdtool does not read; it would keep collectd from writing, too.
python3 -c '
import fcntl, signal, sys
files = [open(name, "r+") for name in sys.argv[1:]]
for file in files: fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
signal.pause()' "$work/rrd/$host/"tcpstates-*/*.rrd >"$work/writer" &
writer_pid=$!
wait_until 60 "the RRD files are locked" grep -q locked "$work/writer"
is "rrdtool itself cannot read the files" \
  "$(rrdtool info "$work/rrd/$host/tcpstates-machine/percent-orphans.rrd" 2>&1)" "ERROR: could not lock RRD"
draw all
is "rrdgraph draws from copies" "$status $(grep -c '\.png$' "$work/said")" "0 9"
kill "$writer_pid"
wait "$writer_pid" || true

# Another namespace has its own settings, and the same machine.
for name in all 443-local; do cp -r "$work/rrd/$host/tcpstates-all" "$work/rrd/$host/tcpstates-$name@blue"; done
draw 443-local@blue
ok "the settings are those of the group's namespace" \
  grep -qa 'tcpstates-all@blue/duration-tcp_fin_timeout' "$work/calls/$host-443-local@blue-ages.png"
rm -r "$work/rrd/$host/"tcpstates-*@blue

# What is not reported has no picture.
rm "$work/rrd/$host/tcpstates-all/"*-accept_queue*
rm "$work/pictures/"*
draw all
is "without accept queues there is no picture of them" "$status $(find "$work/pictures" -name '*accept*')" "0 "
ok "and it says so" grep -q "^rrdgraph: no picture of accept-queue: $host does not report these of all" "$work/said"

# says STATUS TEXT ARGUMENT...
says() {
  local wanted=$1 text=$2
  shift 2
  rrdgraph --output "$work/pictures" "$@"
  is "status $wanted for: ${text//$work/...}" "$status" "$wanted"
  ok "which it says" grep -qE "^rrdgraph: $text" "$work/said"
}
rm "$work/pictures/"*
says 2 "web9: no host of that name .* there are: $host\$" --data "$work/rrd" web9
says 2 "\.\./rrd: no host of that name" --data "$work/rrd" ../rrd
says 2 "9-local: no such group of $host; there are: 18000-18001-local, all, o'db: 80%\$" --data "$work/rrd" --group 9-local
says 2 "machine: no such group" --data "$work/rrd" --group machine
says 2 "$work/none: no such directory; --data names" --data "$work/none"
says 2 "$work/pictures: no host there has values of the tcpstates plugin" --data "$work/pictures"
says 2 "$work/none: no directory to write to" --data "$work/rrd" --output "$work/none"
says 2 "--grup: no such option" --grup all
says 2 "--start: needs a value" --data "$work/rrd" --start
says 1 "rrdtool: start time: unparsable time" --data "$work/rrd" --start yesterdayx
says 4 "$host: no values of all between -3h and -2h; the last is of 20" --data "$work/rrd" --start -3h --end -2h
cp -r "$work/rrd/$host" "$work/rrd/db1"
says 2 "which host\? In $work/rrd there are: db1, $host" --data "$work/rrd"
status=0
PATH=$work/none "$BASH" "$top/contrib/rrdgraph/rrdgraph.sh" --data "$work/rrd" db1 >"$work/said" 2>&1 || status=$?
is "without rrdtool it says so" "$status $(<"$work/said")" "1 rrdgraph: rrdtool was not found; install the package rrdtool"
is "nothing is left behind" "$(find "$work/tmp" "$work/pictures" -mindepth 1)" ""
done_testing
