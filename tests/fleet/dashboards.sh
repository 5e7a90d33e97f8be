#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every query of every panel and variable of contrib/dashboards, against a real
# Prometheus, InfluxDB and Graphite, filled by real collectds on two machines.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Python of the distribution: graphite-web is installed for no other.
python=/usr/bin/python3
need_programs prometheus victoria-metrics vmalert influxd carbon-cache graphite-manage "$python"
"$python" -c 'import tomllib' 2>/dev/null || skip_all "$python is older than 3.11"
need_plugins network write_prometheus write_graphite
preview_install
enter_netns "$@"

# ---- three namespaces: web1 is this one, db1 another machine, and the servers ----
# Values leave a machine by UDP, so that its TCP sockets are those that the test makes.

# new_netns: its process id is $netns afterwards.
new_netns() {
  unshare --net sleep 3600 &
  netns=$!
  pids+=("$netns")
  wait_until 60 "another network namespace" netns_apart "$netns"
  nsenter --target "$netns" --net ip link set lo up
}
# connect NAME ADDRESS1 PID ADDRESS2: a cable from this namespace to that one.
connect() {
  ip link add "$1" type veth peer name "$1" netns "$3" || return 1
  ip address add "$2/24" dev "$1"
  ip link set "$1" up
  nsenter --target "$3" --net ip address add "$4/24" dev "$1"
  nsenter --target "$3" --net ip link set "$1" up
}
new_netns
servers=$netns
new_netns
db1=$netns
connect toservers 10.1.0.2 "$servers" 10.1.0.1 2>"$work/veth" ||
  skip_all "no pair of network interfaces: $(<"$work/veth")"
connect todb1 10.2.0.1 "$db1" 10.2.0.2
nsenter --target "$db1" --net ip route add 10.1.0.0/24 via 10.2.0.1
nsenter --target "$servers" --net ip route add 10.2.0.0/24 via 10.1.0.2
echo 1 >/proc/sys/net/ipv4/ip_forward
# Without a queue that the connections have to wait for, no percentage is high.
echo 8 >/proc/sys/net/core/somaxconn
echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
echo 16 >/proc/sys/net/ipv4/tcp_max_tw_buckets
nsenter --target "$db1" --net sh -c 'echo 30 >/proc/sys/net/ipv4/tcp_fin_timeout'

# The limit of orphans is so small that a few are near it.
machine_limits 16 '1000 2000 3000'

# ---- servers -----------------------------------------------------------------------

# in_servers NAME COMMAND...: as background, there.
in_servers() {
  background "$1" nsenter --target "$servers" --net "${@:2}"
}

mkdir "$work/prometheus"
cat >"$work/prometheus.yml" <<YAML
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["$top/contrib/prometheus/alerts.yml"]
scrape_configs:
  - job_name: collectd
    honor_labels: true
    static_configs:
      - targets: ["127.0.0.1:9103"]
YAML
in_servers prometheus prometheus --config.file="$work/prometheus.yml" \
  --storage.tsdb.path="$work/prometheus" --web.listen-address=127.0.0.1:9090

# VictoriaMetrics scrapes the same, and vmalert evaluates the same rules for it.
sed '/^rule_files/d; /evaluation_interval/d' "$work/prometheus.yml" >"$work/victoria.yml"
in_servers victoria victoria-metrics -storageDataPath="$work/victoria" -httpListenAddr=127.0.0.1:8428 \
  -promscrape.config="$work/victoria.yml" -search.latencyOffset=1s -search.disableCache
in_servers vmalert vmalert -rule="$top/contrib/prometheus/alerts.yml" -evaluationInterval=1s -httpListenAddr=127.0.0.1:8880 \
  -datasource.url=http://127.0.0.1:8428 -remoteWrite.url=http://127.0.0.1:8428 -remoteWrite.flushInterval=1s \
  -notifier.url=http://127.0.0.1:9

influxdb_configure 10.1.0.1
in_servers influxd influxd -config "$work/influxdb.conf"

carbon_configure 6s:1h
cat >"$work/graphite_test_settings.py" <<SETTINGS
SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["*"]
CONF_DIR = "$work"
STORAGE_DIR = "$work/graphite"
WHISPER_DIR = "$work/whisper"
INDEX_FILE = "$work/graphite/index"
LOG_DIR = "$work/graphite-log"
LOG_ROTATION = False
CARBONLINK_HOSTS = ["127.0.0.1:7002"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "$work/graphite/db"}}
SETTINGS
in_servers carbon "${carbon[@]}"
export PYTHONPATH=$work GRAPHITE_SETTINGS_MODULE=graphite_test_settings PYTHONDONTWRITEBYTECODE=1
ok "graphite-web has a database" graphite-manage migrate --run-syncdb
in_servers graphite "$python" -c '
from wsgiref.simple_server import make_server
from graphite.wsgi import application
make_server("127.0.0.1", 8080, application).serve_forever()'

# A collectd that takes the values of all machines, as central ones do.
work=$work/central
mkdir "$work"
collectd_configure network write_prometheus write_graphite <<END_OF_CONFIGURATION
Interval 1
LoadPlugin network
<Plugin network>
  Listen "10.1.0.1" "25827"
</Plugin>
$(to_prometheus_and_carbon)
END_OF_CONFIGURATION
as_user=(nsenter --target "$servers" --net)
collectd_start
pids+=("$collectd_pid")
work=${work%/central}

# ---- machines ------------------------------------------------------------------------

# machine NAME COMMAND...: a collectd with the plugin in $work/NAME, called by COMMAND.
machine() {
  local name=$1
  shift
  work=$work/$name
  mkdir "$work"
  collectd_configure network <<END_OF_CONFIGURATION
Interval 1
Hostname "$name"
LoadPlugin network
<Plugin network>
  Server "10.1.0.1" "25826"
  Server "10.1.0.1" "25827"
</Plugin>
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000 "18001-18009"
  RemotePort 18000
  StuckAfter 1
  ReportClosed true
  ReportAcceptQueue true
  ReportEphemeralPorts true
  # As services of these names would be.
  <Filter "api.service">
    LocalPort "18001-18009"
  </Filter>
  <Filter "client.service">
    RemotePort 18000
  </Filter>
</Plugin>
END_OF_CONFIGURATION
  as_user=("$@" "${as_machine[@]}")
  collectd_start
  pids+=("$collectd_pid")
  as_user=()
  work=${work%/*}
}
machine web1.example.org
machine db1 nsenter --target "$db1" --net
collectd_pid=

mkfifo "$work/to_db1" "$work/from_db1"
nsenter --target "$db1" --net "$build/sockmake" <"$work/to_db1" >"$work/from_db1" &
pids+=($!)
exec {to_db1}>"$work/to_db1" {from_db1}<"$work/from_db1"
on_db1() {
  to_sockmake=$to_db1 from_sockmake=$from_db1 "$@"
}

# Numbers that tell the kinds, ports and machines apart. Held for longer than
# StuckAfter, orphans near the limit, TIME_WAIT buckets and accept queues half full.
sockets make established ipv4 18000 3
sockets make established ipv6 18001 4
sockets make fin-wait2-held ipv4 18000 25
sockets make fin-wait2-held ipv6 18005 2
sockets make fin-wait2-orphaned ipv4 18000 1
sockets make time-wait ipv4 18001 14
sockets make fin-wait1-orphaned ipv6 18009 3
sockets make last-ack-orphaned ipv4 18010 2
sockets make closing-held ipv4 18000 1
sockets make unaccepted ipv4 18002 5
on_db1 sockets make established ipv4 18000 7
on_db1 sockets make fin-wait2-held ipv6 18003 4
on_db1 sockets make fin-wait1-orphaned ipv4 18000 2
on_db1 sockets make unaccepted ipv4 18001 1

groups=(all 18000-local 18001-18009-local 18000-remote)
{
  wanted "${groups[@]}" | sed 's/^/web1.example.org /'
  on_db1 wanted "${groups[@]}" | sed 's/^/db1 /'
} | sed 'p; s/ 18001-18009-local / api.service /; t; s/ 18000-remote / client.service /; t; d' >"$work/wanted"

# Once all are stuck, nothing changes any more. Sums are made of 6 s, so that each
# machine has a value in them even if a read takes two.
sleep 8
since=$(($(date +%s) / 6 * 6 + 6))
until=$((since + 18))
while (($(date +%s) < until + 4)); do sleep 0.5; done

# ---- queries -------------------------------------------------------------------------

ok "the committed dashboards are what the source gives" "$python" "$top/contrib/dashboards/generate" --check
grep -h '^PUTVAL ' "$work"/{web1.example.org,db1}/output >"$work/dispatched"
while IFS=$'\t' read -r result name text; do
  case $result in
    ok) pass "$name" ;;
    *) fail "${name:-$result}" "${text//\\n/$'\n'}" ;;
  esac
done < <(nsenter --target "$servers" --net "$python" "$top/tests/fleet/dashboards.py" \
  "$top/contrib/dashboards" "$work/wanted" "$work/dispatched" "$since" "$until" 2>&1 || echo "the queries ended early")

# ---- the picture without Grafana's server ----------------------------------------------

draw() {
  nsenter --target "$servers" --net "${preview[@]}" --minutes 1 --until "$until" --output "$work/preview.png" "$@" 2>&1
}
if preview_is_there; then
  is "preview draws a machine, and has data for each panel" "$(draw web1.example.org; echo $?)" 0
  # Python's cairo is graphite-web's.
  is "in each of its panels there is some colour" "$("$python" - "$work/preview.png" "$top/contrib/dashboards/prometheus/machine.json" <<'PYTHON'
import cairocffi, json, sys
surface = cairocffi.ImageSurface.create_from_png(sys.argv[1])
data, stride = bytes(surface.get_data()), surface.get_stride()
def colourful(x, y):
    pixel = data[y * stride + 4 * x : y * stride + 4 * x + 3]
    return max(pixel) - min(pixel) > 60
for panel in json.load(open(sys.argv[2]))["panels"]:
    place = panel["gridPos"]
    rows = range(36 + 30 * place["y"] + 30, 36 + 30 * (place["y"] + place["h"]) - 10)
    columns = range(50 * place["x"] + 10, 50 * (place["x"] + place["w"]) - 10)
    if sum(colourful(x, y) for y in rows for x in columns) < 50:
        print(panel["title"])
PYTHON
)" ""
  is "it says so of a machine that does not exist" "$(draw web2)" \
    "preview: http://127.0.0.1:9090 has no values of web2 then; the label instance is its name, with honor_labels: true"
else
  skip "preview draws a machine" "no chromium here, or npm has none of the components"
fi

for log in "$work"/{central,web1.example.org,db1}/output; do
  # That a busy machine is slow, and what write_prometheus says with each libmicrohttpd.
  is "$(basename "${log%/output}"): collectd complains about nothing" \
    "$(grep -E '^\[(error|warning)\]' "$log" | grep -v 'above its read interval\|MHD_OPTION_EXTERNAL_LOGGER' || true)" ""
done
done_testing
