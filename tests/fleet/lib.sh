# SPDX-License-Identifier: MIT
# What the tests against a fleet's servers share; sourced after lib.sh.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the scripts and of lib.sh

# need_programs PROGRAM..., need_plugins PLUGIN...: skips all where one is missing, or a
# plugin of collectd's does not load.
need_programs() {
  local program
  for program; do
    PATH=$PATH:/usr/sbin type -P "$program" >/dev/null || skip_all "no $program here: contrib/install-deps.sh lab fleet"
  done
}
need_plugins() {
  local plugin file
  for plugin; do
    file=$(collectd_plugin "$plugin") && [[ $(ldd "$file") != *'not found'* ]] ||
      skip_all "collectd's $plugin does not load: contrib/install-deps.sh lab fleet"
  done
}

# background NAME COMMAND...: until the end; what it says is in $work/NAME.log.
pids=()
background() {
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  pids+=($!)
}
at_end() {
  stop_background
}
stop_background() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  # Not without one: that waits for every child.
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
}

# prometheus_apart OPTION...: a Prometheus with $work/prometheus/prometheus.yml, in a
# namespace of its own, as what asks it leaves TIME_WAIT behind: "${in_prometheus[@]}"
# starts that. This namespace is 10.1.0.2 to it.
prometheus_apart() {
  # shellcheck disable=SC2016 # for sh
  background prometheus unshare --net sh -c 'ip link set lo up && exec "$@"' - prometheus \
    --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" \
    --web.listen-address=127.0.0.1:9090 "$@"
  local pid=$!
  in_prometheus=(nsenter --target "$pid" --net)
  wait_until 60 "a network namespace for Prometheus" netns_apart "$pid"
  ip link add cable type veth peer name cable netns "$pid" 2>"$work/veth" ||
    skip_all "no pair of network interfaces: $(<"$work/veth")"
  ip address add 10.1.0.2/24 dev cable
  ip link set cable up
  "${in_prometheus[@]}" ip address add 10.1.0.1/24 dev cable
  "${in_prometheus[@]}" ip link set cable up
}

# hierarchy_make: a control group of the test's own, $cgroup. To what "${in_hierarchy[@]}" starts it is
# the whole hierarchy: all that runs outside of it is "other".
hierarchy_make() {
  cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
  # shellcheck disable=SC2016 # for bash
  in_hierarchy=(unshare --mount bash -e -c 'mount --bind "$1" "${1%/*}" && shift && exec "$@"' - "$cgroup")
}

# prometheus_of_contrib: what contrib/prometheus has, in $work/prometheus, with seconds for its
# minutes, to scrape 10.1.0.2.
prometheus_of_contrib() {
  mkdir "$work/prometheus"
  sed 's/\(_interval:\) .*/\1 1s/; /- targets:/,$d' "$top/contrib/prometheus/prometheus.yml" >"$work/prometheus/prometheus.yml"
  echo '      - targets: ["10.1.0.2:9103"]' >>"$work/prometheus/prometheus.yml"
  # The hour in which a machine is missed stays. A rate takes several values.
  sed -E 's/^( *for: [0-9]+)m/\1s/; s/\[5m\]/[10s]/; s/\[([0-9]+)m\]/[\1s]/g; s/(offset [0-9]+)m/\1s/g' \
    "$top/contrib/prometheus/alerts.yml" >"$work/prometheus/alerts.yml"
}

# ask EXPRESSION: what Prometheus answers, a line for each series without its time.
ask() {
  "${in_prometheus[@]}" promtool query instant http://127.0.0.1:9090 "$1" 2>&1 | sed 's/ @\[.*//'
}
# await TEXT WANTED EXPRESSION [COMMAND...]: until that is the answer, the lines sorted.
# COMMAND is repeated until then.
await() {
  local text=$1 wanted=$2 expression=$3 half_seconds got
  shift 3
  for ((half_seconds = 0; half_seconds < 480; half_seconds++)); do
    "$@"
    got=$(ask "$expression" | sort)
    if [[ $got == "$wanted" ]]; then
      pass "$text"
      return 0
    fi
    sleep 0.5
  done
  is "$text, after 480 times" "$got" "$wanted"
  return 1
}
# fires TEXT "ALERT SEVERITY|..." [COMMAND...]: these fire for the machine, and no others.
fires() {
  local text=$1 one wanted=
  local -a alerts
  IFS='|' read -ra alerts <<<"$2"
  for one in "${alerts[@]}"; do
    wanted+="{alertname=\"${one% *}\", instance=\"web1.example.org\", severity=\"${one#* }\"} => 1"$'\n'
  done
  shift 2
  await "${alerts[0]-no alert}: $text" "${wanted%$'\n'}" \
    "count by (instance, alertname, severity) (ALERTS{alertstate=\"firing\"})" "$@" || true
  annotations >>"$work/annotations"
}
# annotations: what Prometheus has made of those of the alerts that fire.
annotations() {
  "${in_prometheus[@]}" /usr/bin/python3 -c '
import json, urllib.request
with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/alerts", timeout=30) as reply:
    for alert in json.load(reply)["data"]["alerts"]:
        if alert["state"] == "firing":
            print(alert["labels"]["alertname"], alert["annotations"]["summary"])' | sort
}

# readme_configuration: what contrib/prometheus says that collectd needs.
readme_configuration() {
  sed -n '/^    LoadPlugin /,/^    <.Plugin>$/s/^    //p' "$top/contrib/prometheus/README.md"
}

# preview_install: contrib/dashboards/preview in $build/preview, with what npm has for it; before
# enter_netns; "${preview[@]}" OPTION... draws. preview_is_there: not when npm had none.
preview=(node "$build/preview/preview/preview.mjs")
preview_install() {
  if [[ ${TCPSTATES_TEST_NETNS-} == "$$" ]] || ! type -P npm chromium >"$work/npm.log"; then return 0; fi
  local source=$top/contrib/dashboards to=$build/preview/preview
  mkdir -p "$to"
  cmp -s "$source/preview/package-lock.json" "$to/package-lock.json" || rm -rf "$to/node_modules"
  cp -- "$source"/preview/{preview.mjs,page.jsx,package.json,package-lock.json} "$to/"
  cp -r -- "$source/prometheus" "$build/preview/"
  preview_is_there || npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund >"$work/npm.log" 2>&1 || true
}
preview_is_there() {
  [[ -e $build/preview/preview/node_modules/.package-lock.json ]] && type -P chromium >"$work/npm.log"
}

# influxdb_configure ADDRESS: $work/influxdb.conf, for queries at 127.0.0.1:8086; what
# collectd sends to ADDRESS becomes the database collectd.
influxdb_configure() {
  mkdir "$work/influxdb"
  cat >"$work/influxdb.conf" <<TOML
reporting-disabled = true
bind-address = "127.0.0.1:8088"
[meta]
  dir = "$work/influxdb/meta"
[data]
  dir = "$work/influxdb/data"
  wal-dir = "$work/influxdb/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:8086"
  log-enabled = false
[[collectd]]
  enabled = true
  bind-address = "$1:25826"
  database = "collectd"
  typesdb = "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)"
  batch-timeout = "1s"
TOML
}

# carbon_configure RETENTIONS: $work/carbon.conf, for lines at 127.0.0.1:2003, with
# these for collectd's, and files in $work/whisper.
carbon_configure() {
  mkdir "$work/graphite" "$work/graphite-log" "$work/whisper"
  cat >"$work/carbon.conf" <<CONF
[cache]
STORAGE_DIR = $work/graphite
LOCAL_DATA_DIR = $work/whisper
CONF_DIR = $work
LOG_DIR = $work/graphite-log
PID_DIR = $work
LINE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
CACHE_QUERY_INTERFACE = 127.0.0.1
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
CONF
  printf '%s\n' '[collectd]' 'pattern = ^collectd\.' "retentions = $1" >"$work/storage-schemas.conf"
}
# to_prometheus_and_carbon: collectd's configuration for a Prometheus that scrapes 127.0.0.1:9103,
# and for carbon.
to_prometheus_and_carbon() {
  cat <<'END'
LoadPlugin write_prometheus
<Plugin write_prometheus>
  Host "127.0.0.1"
  Port "9103"
</Plugin>
LoadPlugin write_graphite
<Plugin write_graphite>
  <Node "carbon">
    Host "127.0.0.1"
    Port "2003"
    Protocol "tcp"
    Prefix "collectd."
  </Node>
</Plugin>
END
}
carbon=(carbon-cache --nodaemon --config="$work/carbon.conf" --pidfile="$work/carbon.pid" start)
