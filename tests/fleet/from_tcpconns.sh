#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/from-tcpconns.md: its table, and its commands, on what a real collectd has
# written into RRD and Whisper files, InfluxDB and Prometheus: with tcpconns, then with
# both plugins, then, after the change, with tcpstates alone.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
need_programs prometheus promtool influxd carbon-cache whisper-fetch rrdtool "$python"
need_plugins tcpconns rrdtool network write_prometheus write_graphite
enter_netns "$@"
# collectd listens by AI_ADDRCONFIG, for which loopback addresses do not count.
ip address add 192.0.2.1/32 dev lo

page=$top/contrib/from-tcpconns.md
interval=1

# ---- what differs --------------------------------------------------------------------

# groups PLUGIN OPTION...: those that it has with these options, or "none": it does
# not start.
groups() {
  local plugin=$1
  shift
  collectd_configure tcpconns < <(
    echo "LoadPlugin $plugin"
    echo "<Plugin $plugin>"
    printf '%s\n' "$@"
    echo "</Plugin>"
  )
  if ! collectd_run; then
    echo "none: $(messages '^\[error\]' | head -n 1)"
    return
  fi
  collectd_start
  values "$plugin" | sed -n 's| tcp_connections-.*||p' | sort -u | xargs
  collectd_stop
}
sockets make established ipv4 443 3
is "without options, tcpconns has the listening ports" "$(groups tcpconns)" 443-local
is "and tcpstates all" "$(groups tcpstates)" all
is "with ListeningPorts, tcpstates has the listening ports" "$(groups tcpstates 'ListeningPorts true')" 443-local
is "of two ports, tcpconns takes one" "$(groups tcpconns 'LocalPort 80 443')" 80-local
is "and tcpstates both" "$(groups tcpstates 'LocalPort 80 443')" "443-local 80-local"
is "of a range, tcpconns takes one" "$(groups tcpconns 'LocalPort "8000-8099"')" 8000-local
is "and tcpstates the range" "$(groups tcpstates 'LocalPort "8000-8099"')" 8000-8099-local
is "tcpconns knows no services" "$(groups tcpconns 'LocalPort "https"')" "none: [error] tcpconns plugin: Invalid port: 0"
is "tcpstates does" "$(groups tcpstates 'LocalPort "https"')" 443-local
is "tcpconns takes a wrong word for false" "$(groups tcpconns 'AllPortsSummary "maybe"' 'ListeningPorts true')" 443-local
ok "tcpstates names it" grep -q '^none: .*"maybe"' <<<"$(groups tcpstates 'AllPortsSummary "maybe"')"

# ---- servers ---------------------------------------------------------------------------

mkdir "$work/prometheus" "$work/rules"
cat >"$work/prometheus.yml" <<YAML
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["$work/rules/*.yml"]
scrape_configs:
  - job_name: collectd
    honor_labels: true
    static_configs:
      - targets: ["127.0.0.1:9103"]
YAML
background prometheus prometheus --config.file="$work/prometheus.yml" \
  --storage.tsdb.path="$work/prometheus" --web.listen-address=127.0.0.1:9090
prometheus_pid=$!
influxdb_configure 127.0.0.1
background influxd influxd -config "$work/influxdb.conf"
carbon_configure 1s:1h
carbon_start() {
  background carbon "${carbon[@]}"
  carbon_pid=$!
}
carbon_start

# ---- what they have of the sockets ESTABLISHED on port 443 -------------------------------
# Each prints, of PLUGIN's values from BEGIN to END, those that differ, in order of time.

file_of() {
  echo "$work/$1/localhost/$2-443-local/tcp_connections-ESTABLISHED.$3"
}
rrd() {
  rrdtool fetch "$(rrd_copy "$(file_of rrd "$1" rrd)")" AVERAGE -r 1 -s "$2" -e "$3" | awk '$2 ~ /^[0-9]/ { print $2 + 0 }' | uniq
}
whisper() {
  whisper-fetch --from="$2" --until="$3" "$(file_of whisper/collectd "$1" wsp)" | awk '$2 ~ /^[0-9]/ { print $2 + 0 }' | uniq
}
# http URL PARAMETER=VALUE...: by POST; the answer as JSON to the Python on stdin, as "answer".
http() {
  "$python" -c '
import json, sys, urllib.parse, urllib.request
data = urllib.parse.urlencode([tuple(p.split("=", 1)) for p in sys.argv[2:]]).encode()
answer = json.load(urllib.request.urlopen(sys.argv[1], data))
exec(sys.stdin.read())' "$@"
}
influx() {
  http http://127.0.0.1:8086/query db=collectd \
    "q=SELECT value FROM $1_value WHERE host = 'localhost' AND instance = '443-local' AND type = 'tcp_connections'
      AND type_instance = 'ESTABLISHED' AND time >= $2s AND time <= $3s" <<'PYTHON' | uniq
for series in answer["results"][0].get("series", []):
    for row in series["values"]:
        print(int(row[1]))
PYTHON
}
# prometheus_series LABEL QUERY BEGIN END: of the series that are 443-local and ESTABLISHED.
prometheus_series() {
  http http://127.0.0.1:9090/api/v1/query_range "query=$2" "start=$3" "end=$4" step=1 <<PYTHON | uniq
for n, series in enumerate(s for s in answer["data"]["result"]
                           if s["metric"].get("$1") == "443-local" and s["metric"].get("type") == "ESTABLISHED"):
    if n > 0:
        print("another series:", series["metric"])
    for row in series["values"]:
        print(row[1])
PYTHON
}
prometheus_of() {
  prometheus_series "$1" "collectd_$1_tcp_connections" "$2" "$3"
}
backends=(rrd whisper influx prometheus_of)

# ---- the three times ---------------------------------------------------------------------

# of_page [PLUGIN]: its configuration, without the other plugin.
of_page() {
  case ${1-} in
    tcpconns) code_block "$page" 1 | sed '/^LoadPlugin tcpstates/d; /^<Plugin tcpstates>/,/^<\/Plugin>/d' ;;
    tcpstates) code_block "$page" 1 | sed '/^LoadPlugin tcpconns/d; /^<Plugin tcpconns>/,/^<\/Plugin>/d' ;;
    *) code_block "$page" 1 ;;
  esac
}
configure() {
  collectd_configure tcpconns rrdtool network write_prometheus write_graphite < <(
    cat <<END
LoadPlugin rrdtool
<Plugin rrdtool>
  DataDir "$work/rrd"
  StepSize 1
  HeartBeat 5
  RRARows 3600
  RRATimespan 3600
</Plugin>
LoadPlugin network
<Plugin network>
  Server "127.0.0.1" "25826"
</Plugin>
END
    to_prometheus_and_carbon
    of_page "$@"
  )
}
wanted_now() {
  wanted 443-local | awk '/ESTABLISHED/ { print $3 }'
}

# period NAME PLUGIN...: until each backend has values of these, in the seconds from
# $begin to $end.
period() {
  local name=$1 deadline=$((SECONDS + 300)) plugin backend missing
  shift
  begin=$(($(date +%s) + 2))
  while ((SECONDS < deadline)); do
    sleep 1
    end=$(($(date +%s) - 2))
    ((end > begin + 2)) || continue
    missing=
    for plugin; do
      for backend in "${backends[@]}"; do
        if [[ -z $("$backend" "$plugin" "$begin" "$end" 2>>"$work/backends.log") ]]; then missing+=" $backend: $plugin;"; fi
      done
    done
    if [[ -z $missing ]]; then
      pass "$name"
      return
    fi
  done
  fail "$name" "no values within 300 s in$missing $(tail -n 5 "$work/backends.log") $(messages '^\[(error|warning)' | tail -n 5)"
}
# has NAME PLUGIN BEGIN END VALUE: each backend has that alone.
has() {
  local backend
  for backend in "${backends[@]}"; do is "$1: ${backend%_of}" "$("$backend" "$2" "$3" "$4" 2>&1)" "$5"; done
}

configure tcpconns
before=$(wanted_now)
collectd_start
period "before: each has values of tcpconns" tcpconns
begin_before=$begin end_before=$end
has "before" tcpconns "$begin_before" "$end_before" "$before"
collectd_stop

sockets make established ipv6 443 4
sockets make fin-wait2-held ipv4 443 2
both=$(wanted_now)
configure
collectd_start
period "side by side: of both plugins" tcpconns tcpstates
begin_both=$begin end_both=$end
has "side by side, tcpconns" tcpconns "$begin_both" "$end_both" "$both"
has "side by side, tcpstates" tcpstates "$begin_both" "$end_both" "$both"
for plugin in tcpconns tcpstates; do
  values $plugin | grep '^443-local tcp_connections-' | grep -v -- -CLOSED >"$work/$plugin.values"
done
is "side by side: the same numbers" "$(<"$work/tcpstates.values")" "$(<"$work/tcpconns.values")"
is "side by side: those of the sockets" "$(<"$work/tcpstates.values")" "$(wanted 443-local | grep ' tcp_connections-' | grep -v -- -CLOSED)"
collectd_stop

# ---- the change --------------------------------------------------------------------------

# It writes what it has when it ends.
kill "$carbon_pid"
wait "$carbon_pid" 2>/dev/null || true
before_move=$(stat -c %i "$(file_of rrd tcpconns rrd)" "$(file_of whisper/collectd tcpconns wsp)")
others=$(cd "$work" && find rrd whisper -path '*tcpstates-*' ! -name 'tcp_connections-*' -type f | sort)
move() {
  sh -e -c "cd '$1'; $(code_block "$page" 2)"
}
for directory in rrd whisper/collectd; do
  ok "the files of $directory are moved" move "$work/$directory"
  is "nothing of tcpconns is left in $directory" "$(find "$work/$directory" -name '*tcpconns*')" ""
  moved=$(find "$work/$directory" -printf '%P %i\n' | sort)
  ok "a second time, in $directory, there is nothing to do" move "$work/$directory"
  is "and nothing in $directory changes" "$(find "$work/$directory" -printf '%P %i\n' | sort)" "$moved"
done
is "they are the older ones" "$(stat -c %i "$(file_of rrd tcpstates rrd)" "$(file_of whisper/collectd tcpstates wsp)")" "$before_move"
is "and the other files of tcpstates are there" "$(cd "$work" && find rrd whisper -path '*tcpstates-*' ! -name 'tcp_connections-*' -type f | sort)" "$others"
ok "of which there are some" test -n "$others"
carbon_start

for run in first second; do
  is "InfluxDB copies, the $run time" "$(http http://127.0.0.1:8086/query db=collectd "q=$(code_block "$page" 3)" <<'PYTHON'
print([s["name"] for s in answer["results"][0]["series"]])
PYTHON
  )" "['result']"
done

code_block "$page" 5 >"$work/rules/tcpconns.yml"
ok "promtool accepts the rule" promtool check rules "$work/rules/tcpconns.yml"
kill -HUP "$prometheus_pid"

sockets release established ipv4 443
after=$(wanted_now)
configure tcpstates
collectd_start
period "after: of tcpstates" tcpstates
begin_after=$begin end_after=$end
has "after" tcpstates "$begin_after" "$end_after" "$after"
for backend in rrd whisper influx; do
  is "after, $backend: tcpstates has what tcpconns had" "$("$backend" tcpstates "$begin_before" "$end_before")" "$before"
  is "after, $backend: and what both had" "$("$backend" tcpstates "$begin_both" "$end_both")" "$both"
done
query=$(code_block "$page" 4)
is "after, Prometheus: the query has all three times, each once" "$(
  for name in before both after; do
    begin=begin_$name end=end_$name
    prometheus_series group "$query" "${!begin}" "${!end}"
  done | xargs)" "$before $both $after"
# The rule is evaluated each second, beginning some time after the signal.
for ((tenths = 0; tenths < 600; tenths++)); do
  now=$(date +%s)
  if [[ -n $(prometheus_of tcpconns "$now" "$now") ]]; then break; fi
  sleep 0.1
done
is "after, Prometheus: by the rule the old name goes on, in the same series" \
  "$( { prometheus_of tcpconns "$begin_before" "$end_before"; prometheus_of tcpconns "$now" "$now"; } | xargs)" "$before $after"
is "that are not two" "$(prometheus_of tcpconns "$begin_before" "$now" | grep another || true)" ""
collectd_stop
done_testing
