#!/usr/bin/env bash
# contrib/prometheus: promtool checks the rules and runs their tests; then a real
# Prometheus scrapes a real collectd, and each alert fires on real sockets and is over.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_programs prometheus promtool
need_plugins write_prometheus
enter_netns "$@"
machine_limits

cd "$top/contrib/prometheus"
ok "promtool check config" promtool check config prometheus.yml
ok "promtool check rules" promtool check rules alerts.yml
ok "promtool test rules" promtool test rules alerts_test.yml

# ---- Prometheus and collectd, with seconds for minutes --------------------------------

mkdir "$work/prometheus"
sed 's/\(_interval:\) .*/\1 1s/; /- targets:/,$d' prometheus.yml >"$work/prometheus/prometheus.yml"
echo '      - targets: ["10.1.0.2:9103"]' >>"$work/prometheus/prometheus.yml"
sed 's/^\( *for:\) .*/\1 2s/' alerts.yml >"$work/prometheus/alerts.yml"
prometheus_apart --query.lookback-delta=5s

echo 10 >/proc/sys/net/core/somaxconn
echo 40 >/proc/sys/net/ipv4/tcp_max_tw_buckets
interval=1
# README has the rest.
sed -n '/^    LoadPlugin tcpstates/,/^$/s/^    //p; /^    LoadPlugin write_prometheus/,/^$/s/^    //p' README.md >"$work/configuration"
collectd_configure write_prometheus <<END
Hostname "web1.example.org"
$(sed '/<Plugin tcpstates>/a StuckAfter 1' "$work/configuration")
END
as_user=("${as_machine[@]}")
collectd_start

# ask EXPRESSION: what Prometheus answers, a line for each series without its time.
ask() {
  "${in_prometheus[@]}" promtool query instant http://127.0.0.1:9090 "$1" 2>&1 | sed 's/ @\[.*//'
}
# await TEXT WANTED EXPRESSION [COMMAND...]: until that is the answer, the lines sorted.
# COMMAND is repeated until then.
await() {
  local text=$1 wanted=$2 expression=$3 half_seconds got
  shift 3
  for ((half_seconds = 0; half_seconds < 240; half_seconds++)); do
    "$@"
    got=$(ask "$expression" | sort)
    if [[ $got == "$wanted" ]]; then
      pass "$text"
      return 0
    fi
    sleep 0.5
  done
  is "$text, within 120 s" "$got" "$wanted"
  return 1
}
# fires TEXT ALERT "SEVERITY..." [COMMAND...]: these fire for the machine, and no more of that name.
fires() {
  local text=$1 alert=$2 severity wanted=
  for severity in $3; do wanted+="{instance=\"web1.example.org\", severity=\"$severity\"} => 1"$'\n'; done
  shift 3
  await "$alert: $text" "${wanted%$'\n'}" \
    "count by (instance, severity) (ALERTS{alertstate=\"firing\",alertname=\"$alert\"})" "$@" || true
}

await "collectd is scraped" '{} => 1' \
  'count(collectd_tcpstates_tcp_connections{instance="web1.example.org",tcpstates="all",type="LISTEN"})' || {
  fail "there is nothing to ask" "$(tail -n 5 "$work/prometheus.log" && messages . | tail -n 5)"
  done_testing
  exit
}
while read -r selector; do
  await "one series is $selector" '{} => 1' "count($selector)" || true
done < <(grep -o 'collectd_tcpstates_[a-z_]*{[^}]*}' alerts.yml | sort -u)
is "nothing fires" "$(ask ALERTS)" ""

# annotations: what Prometheus has made of those of the alerts that fire.
annotations() {
  "${in_prometheus[@]}" /usr/bin/python3 -c '
import json, urllib.request
with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/alerts", timeout=30) as reply:
    for alert in json.load(reply)["data"]["alerts"]:
        print(alert["labels"]["alertname"], alert["annotations"]["summary"])' | sort
}

sockets make fin-wait2-held ipv4 18000 20
sleep 4
is "20 stuck are no alert" "$(ask 'collectd_tcpstates_current_connections{tcpstates="all",type="fin_wait2_stuck"}' | sed 's/.*=> //') $(ask ALERTS)" "20 "
sockets make fin-wait2-held ipv6 18001 1
fires "21 stuck" TcpFinWait2Stuck warning
fires "and their other ends" TcpCloseWaitStuck warning
sockets make fin-wait2-held ipv6 18001 180
fires "201 stuck" TcpFinWait2Stuck "critical warning"
fires "and their other ends" TcpCloseWaitStuck "critical warning"
is "they say what it is about" "$(annotations | uniq)" "TcpCloseWaitStuck 201 sockets are stuck in CLOSE_WAIT on web1.example.org
TcpFinWait2Stuck 201 sockets are stuck in FIN_WAIT2 on web1.example.org"
sockets release fin-wait2-held ipv6 18001
sockets release fin-wait2-held ipv4 18000
fires "none is" TcpFinWait2Stuck ""
fires "none is" TcpCloseWaitStuck ""

sockets make unaccepted ipv4 18002 6
fires "6 of 10" TcpAcceptQueueFilling warning
sockets make unaccepted ipv6 18003 10
fires "10 of 10" TcpAcceptQueueFilling "critical warning"
sockets make time-wait ipv4 18004 21
fires "21 of 40" TcpTimeWaitBucketsNearLimit warning
sockets make time-wait ipv6 18005 17
fires "38 of 40" TcpTimeWaitBucketsNearLimit "critical warning"
echo 61 >/proc/sys/net/ipv4/tcp_fin_timeout
fires "61 s" TcpFinTimeoutDiffers warning
sockets make fin-wait1-orphaned ipv4 18006 200
fires "35 % of the limit" TcpOrphansNearLimit warning limit_at tcp_max_orphans 35
fires "70 %" TcpOrphansNearLimit "critical warning" limit_at tcp_max_orphans 70
sockets make listen ipv4 18007 1
memory_take 18007
fires "80 % of the limit" TcpMemoryNearLimit warning limit_at tcp_mem 80
fires "97 %" TcpMemoryNearLimit "critical warning" limit_at tcp_mem 97
is "of all alerts, there are others that fire now" "$(annotations | cut -d' ' -f1 | uniq | xargs)" \
  "TcpAcceptQueueFilling TcpFinTimeoutDiffers TcpMemoryNearLimit TcpOrphansNearLimit TcpTimeWaitBucketsNearLimit"
is "no summary lacks a word" "$(annotations | grep -E 'no value|error|  ' || true)" ""

sockets release unaccepted ipv4 18002
sockets release unaccepted ipv6 18003
sockets release time-wait ipv4 18004
sockets release time-wait ipv6 18005
sockets release fin-wait1-orphaned ipv4 18006
memory_free
echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
echo 1000000 >"$work/limits/tcp_max_orphans"
echo 1000000 2000000 3000000 >"$work/limits/tcp_mem"
await "all are over" "" ALERTS || true

collectd_stop
fires "collectd has ended" TcpStatesMissing warning
collectd_start
fires "it is back" TcpStatesMissing ""

is "each alert of the file has fired" \
  "$(ask 'count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1h]))' | sed 's/.*="\(.*\)".*/\1/' | sort)" \
  "$(sed -n 's/^ *- alert: //p' alerts.yml | sort -u)"
is "Prometheus complains about nothing" \
  "$(grep -E 'level=(warn|error)' "$work/prometheus.log" || true)" ""
is "collectd complains about nothing" \
  "$(complaints | grep -v 'MHD_OPTION_EXTERNAL_LOGGER' || true)" ""
done_testing
