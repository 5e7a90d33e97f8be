#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How the dashboards, the rules and the alerts of contrib/ do with a fleet.
case ${1-} in
  --help | -h)
    cat <<'TEXT'
Usage: tests/fleet/scale.sh [--machines N] [--groups N] [--hours N] [--step SECONDS] [--pictures DIRECTORY]

Takes what one real collectd exports and a real Prometheus with our rules makes of it, makes N
machines [1000] with this many hours [6] of a value every SECONDS [30] of that, and runs every query of every
panel, variable and rule on them, as Grafana would. Prints a table: seconds, series, bytes,
samples in memory at a time. A machine has the group "all" and N-1 services [1 group]. As a test (of make check-fleet) it takes
no options.

--pictures draws the dashboard of the fleet there, by contrib/dashboards/preview; a machine then has a group with a RemotePort, too.

Needs a build (builddir=DIR), and contrib/install-deps.sh test fleet. Takes some 250 MB of disk for 1000
machines, eight times that meanwhile, in TMPDIR.
TEXT
    exit
    ;;
esac
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
need_programs prometheus promtool "$python"
need_plugins protocols write_prometheus
if [[ " $* " == *" --pictures "* ]]; then
  preview_install
  preview_is_there || skip_all "no chromium here, or npm has none of the components: contrib/install-deps.sh fleet"
fi
enter_netns "$@"
pictures=
machines=1000 groups=1 hours=6 step=30
while (($# > 0)); do
  case $1 in
    --machines | --groups | --hours | --step | --pictures) declare "${1#--}=$2" ;;
    *) echo "scale.sh: \"$1\" is not an option; try --help" >&2 && exit 2 ;;
  esac
  shift 2
done

# ---- one machine --------------------------------------------------------------------------------

prometheus_of_contrib
prometheus_apart
interval=1
services=
for ((i = 1; i < groups; i++)); do services+="\n<Filter \"app$i.service\">\nLocalPort $((8000 + i))\n</Filter>"; done
# A group more, which the picture has and the figures have not.
without='/ Services /d; /Remote/d; /Ephemeral/d'
[[ -z $pictures ]] || without='/ Services /d'
machine_limits
collectd_configure protocols write_prometheus <<END
Hostname "web1.example.org"
$(readme_configuration | sed "$without; /<Plugin tcpstates>/a StuckAfter 1$services")
END
as_user=("${as_machine[@]}")
collectd_start
# Of each kind of stuck sockets, and more from second to second, so that each rule has a value.
sockets make fin-wait1-held ipv4 8001 1
sockets make fin-wait2-held ipv4 8001 1
sockets make close-wait-unaccepted ipv4 8002 1
grow() { sockets make fin-wait2-held ipv4 8001 1; }
await "collectd is scraped, and all rules have values" '{} => 1' \
  'count(count by (tcpstates) (instance_tcpstates:current_connections:growing{tcpstates=""}))' grow || {
  done_testing
  exit
}
sleep 3
"${in_prometheus[@]}" "$python" -c '
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9090/federate?match[]=%7B__name__%21%3D%22%22%7D", timeout=30).read().decode())' \
  >"$work/series"
collectd_stop
kill "${pids[0]}"
wait "${pids[0]}" 2>/dev/null || true
pids=()
is "a machine has values, and values of rules" \
  "$(($(grep -c '^collectd_tcpstates' "$work/series") > 30)) $(($(grep -c '^instance' "$work/series") > 5))" "1 1"
echo "# a machine has $(grep -c '^collectd_' "$work/series") series, and $(grep -c '^instance' "$work/series") of rules"

# ---- a fleet --------------------------------------------------------------------------------------
# In pieces of two hours, as Prometheus's blocks are.

mkdir "$work/data"
until=$(($(date +%s) / 7200 * 7200))
for ((since = until - 3600 * hours; since < until; since += 7200)); do
  "$python" "$top/tests/fleet/scale.py" write "$work/text" "$work/series" "$machines" $since $((since + 7200)) "$step"
  ok "promtool makes a block" promtool tsdb create-blocks-from openmetrics -q "$work/text" "$work/data"
  rm -- "$work/text"
done
echo "# figures: $machines machines, $hours hours: $(du -sm "$work/data" | cut -f1) MB"
echo 'global: {}' >"$work/empty.yml"
background fleet prometheus --config.file="$work/empty.yml" --storage.tsdb.path="$work/data" --storage.tsdb.retention.time=30d \
  --web.listen-address=127.0.0.1:9099
wait_until 600 "Prometheus has the blocks" "$python" -c '
import urllib.request
urllib.request.urlopen("http://127.0.0.1:9099/-/ready", timeout=5)'
while IFS= read -r line; do
  case $line in
    "ok"$'\t'*) pass "${line#*$'\t'}" ;;
    "not ok"$'\t'*) IFS=$'\t' read -r _ name text <<<"$line" && fail "$name" "${text//\\n/$'\n'}" ;;
    *) echo "$line" ;;
  esac
done < <("$python" "$top/tests/fleet/scale.py" ask http://127.0.0.1:9099 "$top" "$machines" $((until - step)) 2>&1 || echo "not ok	the queries ended early")
if [[ -n $pictures ]]; then
  ok "preview draws the fleet" "${preview[@]}" --prometheus http://127.0.0.1:9099 --minutes 360 --until $((until - step)) \
    --dashboard fleet --output "$pictures/fleet.png"
fi
done_testing
