#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/collection3 under Debian's collection3, on RRD files of a real collectd and
# real sockets; contrib/rrdgraph on a whole day.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
collection3=/usr/share/doc/collectd-core/examples/collection3
[[ -x $collection3/bin/graph.cgi ]] || skip_all "no $collection3 here: it is in Debian's collectd-core"
perl -MRRDs -MConfig::General -MHTML::Entities -MCGI -MURI::Escape -MCollectd::Unixsock -e 1 2>"$work/perl" ||
  skip_all "$(head -n 1 "$work/perl"): contrib/install-deps.sh fleet"
need_plugins rrdtool
enter_netns "$@"
machine_limits 1000000 '1000 2000 3000'

# cpu also has values of the type percent.
collectd_configure rrdtool cpu <<END
Interval 1
Hostname "web1"
LoadPlugin rrdtool
<Plugin rrdtool>
  DataDir "$work/rrd"
  HeartBeat 60
</Plugin>
LoadPlugin cpu
<Plugin cpu>
  ReportByCpu false
  ValuesPercentage true
</Plugin>
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000 "18001-18002"
  StuckAfter 1
  ReportClosed true
  ReportAcceptQueue true
</Plugin>
END
as_user=("${as_machine[@]}")
collectd_start
sockets_of_every_kind 18000
sockets make close-wait-unaccepted ipv4 18003 2
fin_wait1_held=$(sockets list | grep -c '^FIN_WAIT1 held ')
groups=(all 18000-local 18001-18002-local)
made=$(wanted "${groups[@]}")
until=$(($(date +%s) + 5))
wait_until 60 "values in RRD files" rrd_reaches "$work/rrd/web1/tcpstates-all/percent-accept_queue.rrd" $((until + 2))
read_last=$(values)
collectd_stop
is "collectd complains about nothing" "$(complaints)" ""

# ---- collection3 -----------------------------------------------------------------------

cp -r "$collection3" "$work/before"
sed -i "1i DataDir \"$work/rrd\"" "$work/before/etc/collection.conf"
cp -r "$work/before" "$work/collection3"
# As the README says.
install=$(sed -n 's/^    \(cp\|echo\) /\1 /p' "$top/contrib/collection3/README.md")
is "the README has three commands" "$(wc -l <<<"$install")" 3
(cd "$top" && eval "${install//DIR/$work/collection3}")

# cgi DIRECTORY PROGRAM QUERY: what it answers; what it says goes to $work/cgi.log.
cgi() {
  (cd "$work/$1/bin" && REQUEST_METHOD=GET QUERY_STRING=$3 SCRIPT_NAME=/bin/$2 SCRIPT_FILENAME=$work/$1/bin/$2 \
    perl "$2" 2>>"$work/cgi.log")
}
# arguments QUERY [DIRECTORY]: what graph.cgi gives to rrdtool, one a line; an argument
# of it may be two.
arguments() {
  cgi "${2-collection3}" graph.cgi "$1;debug=1" | sed -n "/^-[tv],\$/,/^Last-Modified/p" | sed '$d; s/,$//'
}
# last_of QUERY ELEMENT...: the sum of the last values of those, each VARIABLE.
last_of() {
  local -a all
  local element sum=0
  mapfile -t all < <(arguments "$1")
  shift
  for element; do sum+=",$element,+"; done
  rrdtool graph "$work/again" --start $((until - 2)) --end "$until" "${all[@]}" "CDEF:sum=$sum" PRINT:sum:LAST:%.0lf | tail -n 1
}
# part_of QUERY TEXT: the last value of what has that name.
part_of() {
  last_of "$1" "$(arguments "$1" | sed -n "s/^\(AREA\|LINE2\):\([a-z0-9]*\)#[0-9A-F]*:$2 .*/\2/p")"
}
# made_of GROUP PATTERN: the sum of what the test has made.
made_of() {
  awk -v group="$1" -v pattern="$2" '$1 == group && $2 ~ pattern { sum += $3 } END { print sum + 0 }' <<<"$made"
}

: >"$work/cgi.log"
ok "index.cgi lists the host" grep -q '>web1</a>' <(cgi collection3 index.cgi '')
cgi collection3 index.cgi 'action=show_selection;hostname=web1;plugin=tcpstates;timespan=3600' |
  perl -MHTML::Entities -ne 'print decode_entities($1), "\n" while /src="graph.cgi\?([^"]*);begin=[^"]*"/g' >"$work/urls"
ok "and graphs of tcpstates" test -s "$work/urls"

ends=0 pictures=0
while read -r query; do
  cgi collection3 graph.cgi "$query;begin=$((until - 60));end=$until" >"$work/answer" && ends=$((ends + 1))
  if grep -qa $'^\x89PNG' "$work/answer"; then pictures=$((pictures + 1)); fi
  arguments "$query" | sed -n "s|^DEF:[a-z]*[0-9]*=$work/rrd/\(.*\):[a-z]*:AVERAGE\$|\1|p" >>"$work/in_graphs"
done <"$work/urls"
is "graph.cgi draws each of them" "$ends $pictures" "$(wc -l <"$work/urls") $(wc -l <"$work/urls")"
is "every value is in one graph" "$(sort "$work/in_graphs")" "$(cd "$work/rrd" && find web1/tcpstates-* -name '*.rrd' | sort)"
for name in "${groups[@]}"; do
  url="hostname=web1;plugin=tcpstates;plugin_instance=$name;type"
  ok "$name: the graph of its states is one that index.cgi has" grep -qxF "$url=tcp_connections" "$work/urls"
  # The first variable is the sum of all: collection3 stacks by itself.
  is "$name: its states are a stack of all sockets, each once" "$(last_of "$url=tcp_connections" cdef0)" \
    "$(made_of "$name" ^tcp_connections)"
  url=$(grep -F "$url=current_connections;" "$work/urls" | grep fin_wait2)
  mapfile -t areas < <(arguments "$url" | sed -n 's/^AREA:\([a-z0-9]*\)#.*:STACK$/\1/p')
  mapfile -t lines < <(arguments "$url" | sed -n 's/^LINE2:\([a-z0-9]*\)#.*/\1/p')
  is "$name: held and orphaned are a stack of FIN_WAIT2" "$(last_of "$url" "${areas[@]}")" "$(made_of "$name" FIN_WAIT2)"
  is "$name: the stuck ones are no part of it" "$(last_of "$url" "${lines[@]}")" "$(made_of "$name" fin_wait2_held)"
done
of_all=$(grep -F "plugin_instance=all;type=current_connections;" "$work/urls")
query=$(grep close_wait <<<"$of_all")
is "all that is in CLOSE_WAIT is stuck, and this many are not accepted" "$(part_of "$query" stuck) $(part_of "$query" 'not accepted')" \
  "$(made_of all CLOSE_WAIT) 2"
is "all that is held in FIN_WAIT1 is stuck" "$(part_of "$(grep fin_wait1 <<<"$of_all")" stuck)" "$fin_wait1_held"
cpu='hostname=web1;plugin=cpu;type=percent;type_instance=idle'
ok "the graph of another plugin's value" grep -q '^DEF:avg0=.*/cpu/percent-idle.rrd:value:AVERAGE' <(arguments "$cpu")
is "is as it was" "$(arguments "$cpu")" "$(arguments "$cpu" before)"
is "several plugins together have the same graphs" \
  "$(cgi collection3 index.cgi 'action=show_selection;hostname=web1' | grep -o 'plugin=tcpstates[^"]*' | sort)" \
  "$(cgi collection3 index.cgi 'action=show_selection;hostname=web1;plugin=tcpstates' | grep -o 'plugin=tcpstates[^"]*' | sort)"
is "no script complains" "$(sort -u "$work/cgi.log")" ""

# ---- a day, for rrdgraph ----------------------------------------------------------------
# A collectd of its own is given what the one above has counted, again and again, every
# five minutes of the last 24 hours; once a thousand more were stuck.

work=$work/day
mkdir "$work"
as_user=()
collectd_configure rrdtool unixsock <<END
Interval 300
LoadPlugin rrdtool
<Plugin rrdtool>
  DataDir "$work/rrd"
  CacheTimeout 86400
  CacheFlush 86400
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "$work/run/socket"
  SocketGroup "$(id -gn)"
</Plugin>
END
collectd_start
for ((tenths = 0; tenths < 600; tenths++)); do
  if [[ -S $work/run/socket ]]; then break; fi
  sleep 0.1
done
now=$(($(date +%s) / 300 * 300))
day() {
  perl -MCollectd::Unixsock -e '
    my ($socket, $now) = @ARGV;
    my $collectd = Collectd::Unixsock->new($socket) or die "no $socket";
    my @values = map { [split] } <STDIN>;
    for my $ago (reverse 0 .. 288) {
      for (@values) {
        my ($group, $name, $value) = @$_;
        my ($type, $instance) = split /-/, $name;
        $value += 1000 if $ago == 100 && $instance eq "fin_wait2_stuck";
        $collectd->putval(host => "web1", plugin => "tcpstates", plugin_instance => $group, type => $type,
          type_instance => $instance, time => $now - 300 * $ago, interval => 300, values => [$value])
          or die $collectd->{error};
      }
    }' "$work/run/socket" "$now" <<<"$read_last"
}
ok "collectd takes a day of values" day
# They are with the plugins when csv has written them, and in the files when flushed.
for ((tenths = 0; tenths < 600 && $(grep -c ^PUTVAL "$work/output") < 289 * $(wc -l <<<"$read_last"); tenths++)); do sleep 0.1; done
perl -MCollectd::Unixsock -e 'Collectd::Unixsock->new($ARGV[0])->flush(plugins => ["rrdtool"])' "$work/run/socket"
wait_until 60 "a day in the RRD files" rrd_reaches "$work/rrd/web1/tcpstates-machine/percent-tcp_mem.rrd" "$now"
mkdir "$work/pictures"
ok "rrdgraph draws the last day" "$top/contrib/rrdgraph/rrdgraph.sh" --data "$work/rrd" --output "$work/pictures"
is "all of its pictures" "$(find "$work/pictures" -name '*.png' -size +8k | wc -l)" 9

# greatest_stuck START: on its line, the third value that rrdtool is made to print.
mkdir "$work/bin"
cat >"$work/bin/rrdtool" <<END
#!/bin/sh
case \$2 in
  *-fin-wait2.png) $(type -P rrdtool) "\$@" | tee "$work/printed" ;;
  *) exec $(type -P rrdtool) "\$@" ;;
esac
END
chmod +x "$work/bin/rrdtool"
greatest_stuck() {
  PATH=$work/bin:$PATH "$top/contrib/rrdgraph/rrdgraph.sh" --data "$work/rrd" --output "$work/pictures" --start "$1" >/dev/null
  sed -n '4s/\.0*$//p' "$work/printed"
}
stuck=$(awk '$1 == "all" && $2 == "current_connections-fin_wait2_stuck" { print $3 }' <<<"$read_last")
is "what was stuck for minutes is seen in the day" "$(greatest_stuck end-1day)" $((stuck + 1000))
is "and in the month" "$(greatest_stuck end-1month)" $((stuck + 1000))
is "this collectd complains about nothing" "$(complaints)" ""
collectd_stop
work=${work%/day}
done_testing
