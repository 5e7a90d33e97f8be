#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Redraws machine.png and group.png of contrib/dashboards: what its preview makes of a
# real Prometheus, which has scraped a real collectd for eight minutes.
case ${1-} in
  --help | -h)
    cat <<'TEXT'
Usage: tests/fleet/preview.sh [DIRECTORY]

For eight minutes, in network namespaces of its own: a web server's connections, a
service that leaks two sockets in FIN_WAIT2 every ten seconds and is restarted once,
and a queue that nobody accepts from. Then draws machine.png, and of the port of the leak group.png,
in DIRECTORY [contrib/dashboards].

Needs a build (builddir=DIR; by default the current directory), make check's programs
in it, contrib/install-deps.sh test fleet, and npm's registry. Touches these files, and a directory of its own
in TMPDIR that it removes.

Exit codes: 0 drawn, others not.
TEXT
    exit
    ;;
esac
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
skip_all() {
  echo "preview.sh: $1" >&2
  exit 1
}
need_programs prometheus
need_plugins write_prometheus
preview_install
preview_is_there || skip_all "no chromium here, or npm has none of the components: contrib/install-deps.sh fleet"
enter_netns "$@"
machine_limits 1000 '100000 200000 300000'
hierarchy_make
at_end() {
  stop_background
  cgroup_remove
}
echo 128 >/proc/sys/net/core/somaxconn
echo 256 >/proc/sys/net/ipv4/tcp_max_tw_buckets
echo 40000 40499 >/proc/sys/net/ipv4/ip_local_port_range

mkdir "$work/prometheus"
cat >"$work/prometheus/prometheus.yml" <<YAML
global:
  scrape_interval: 2s
  evaluation_interval: 2s
rule_files: ["$top/contrib/prometheus/alerts.yml"]
scrape_configs:
  - job_name: collectd
    honor_labels: true
    static_configs:
      - targets: ["10.1.0.2:9103"]
YAML
prometheus_apart
interval=2
collectd_configure write_prometheus <<'END'
Hostname "web1.example.org"
LoadPlugin write_prometheus
<Plugin write_prometheus>
  Port "9103"
</Plugin>
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 443 5432 8080
  RemotePort 5432
  ReportAcceptQueue true
  ReportEphemeralPorts true
  Services true
</Plugin>
END
as_user=("${as_machine[@]}" "${in_hierarchy[@]}")
collectd_start

sockets make established ipv4 443 60
start=$SECONDS
for ((i = 1; i <= 48; i++)); do
  # They live for a minute. On a port of their own: sockmake counts while others end.
  sockets make time-wait ipv4 $((8000 + i % 7)) 4
  sockets make fin-wait2-orphaned ipv4 $((8010 + i % 7)) 3
  if ((i > 6)); then sockets_in "$cgroup/worker.service" make fin-wait2-held ipv4 5432 2; fi
  case $i in
    12 | 34) sockets make established ipv6 443 40 ;;
    22 | 42) sockets release established ipv6 443 ;;
    16) sockets make fin-wait1-orphaned ipv4 443 150 ;;
    26) sockets make unaccepted ipv4 8080 80 ;;
    32) sockets release unaccepted ipv4 8080 ;;
    36) sockets_in "$cgroup/worker.service" release fin-wait2-held ipv4 5432 ;;
  esac
  until ((SECONDS >= start + 10 * i)); do sleep 0.2; done
done
directory=${1:-$top/contrib/dashboards}
draw() {
  "${in_prometheus[@]}" "${preview[@]}" --minutes 8 "$@" web1.example.org
}
draw --output "$directory/machine.png"
draw --dashboard group --group 5432-remote --output "$directory/group.png"
