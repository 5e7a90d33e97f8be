#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/prometheus: promtool checks the rules and runs their tests; then a real Prometheus
# scrapes a real collectd, and each rule's selector is one series of it. quiet.sh has the alerts.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_programs prometheus promtool
need_plugins protocols write_prometheus
enter_netns "$@"
machine_limits

cd "$top/contrib/prometheus"
ok "promtool check config" promtool check config prometheus.yml
ok "promtool check rules" promtool check rules alerts.yml
ok "promtool test rules" promtool test rules alerts_test.yml

prometheus_of_contrib
prometheus_apart
interval=1
collectd_configure protocols write_prometheus <<END
Hostname "web1.example.org"
$(readme_configuration)
END
as_user=("${as_machine[@]}")
collectd_start
await "collectd is scraped" '{} => 1' \
  'count(collectd_tcpstates_tcp_connections{instance="web1.example.org",tcpstates="all",type="LISTEN"})' || {
  fail "there is nothing to ask" "$(tail -n 5 "$work/prometheus.log" && messages . | tail -n 5)"
  done_testing
  exit
}
# A selector of one type has one series in each group, and in one at least.
while read -r selector; do
  await "there are series of $selector, one in each group" '{} => 1' "max(count by (tcpstates) ($selector))" || true
done < <(grep -oE '(collectd_[a-z]+|instance:tcpstates)_[a-z_:]*\{[^}~]*\}' alerts.yml | sort -u)
while read -r record; do
  await "there is $record" '{} => 1' "count(count by (job) ($record))" || true
done < <(sed -n 's/^ *- record: //p' alerts.yml | grep -v ^instance_tcpstates: | sort -u)
is "nothing is stuck, and there is no value of that" "$(ask '{__name__=~"instance_tcpstates:.*"}')" ""
is "nothing fires" "$(ask ALERTS)" ""
is "Prometheus complains about nothing" "$(grep -E 'level=(warn|error)' "$work/prometheus.log" || true)" ""
is "collectd complains about nothing" \
  "$(complaints | grep -v 'MHD_OPTION_EXTERNAL_LOGGER' || true)" ""
done_testing
