#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The names of values in contrib/, README.md and the man page are those that a real
# collectd dispatches, and all of these are in the table of the man page.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
type -P python3 >/dev/null || skip_all "no python3 here: contrib/install-deps.sh test"
sees_all_processes || skip_all "a PID namespace of its own: unhashed sockets are not known"
enter_netns "$@"
machine_limits 16 '1000 2000 3000'

# All that can be reported, of groups of each kind, and with the configuration that
# contrib/ has for everyone.
sockets_of_every_kind 18000
unshare --net sleep 600 &
beside_pid=$!
at_end() { kill "$beside_pid"; }
wait_until 60 "a namespace of a process's own" netns_apart "$beside_pid"
interval=$(patient 3 4)
collectd_configure protocols <<END
Include "$top/contrib/collectd.conf.d/*.conf"
<Plugin tcpstates>
  AllPortsSummary true
  ListeningPorts true
  LocalPort 18000 "18000-18002"
  RemotePort 18000
  ReportByState true
  ReportClosed true
  ReportFinWait2 true
  ReportStuck true
  ReportOrphans true
  ReportFinTimeout true
  ReportLimits true
  ReportAcceptQueue true
  ReportEphemeralPorts true
  <Filter "ipv6">
    AddressFamily "ipv6"
  </Filter>
  <Namespace "/proc/$beside_pid/ns/ne[t]">
    Name "pods"
  </Namespace>
</Plugin>
END
as_user=("${as_machine[@]}")
collectd_start
{
  values | sed 's/^/tcpstates\//'
  values protocols | sed 's/^/protocols\//'
} >"$work/dispatched"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
closed_known || sed -i 'p; s/tcp_connections-LISTEN/tcp_connections-CLOSED/' "$work/dispatched"

while IFS=$'\t' read -r result name text; do
  case $result in
    ok) pass "$name" ;;
    *) fail "${name:-$result}" "${text//\\n/$'\n'}" ;;
  esac
done < <(python3 "$top/tests/support/names.py" "$top" "$work/dispatched" 2>&1 || echo "names.py ended early")

# renamed FROM TO: the files of which the check says something when the plugin gives
# a value another name.
renamed() {
  sed "s/$1/$2/" "$work/dispatched" >"$work/renamed"
  python3 "$top/tests/support/names.py" "$top" "$work/renamed" | sed -n 's/^not ok\t\([^:]*\): its .*/\1/p' | sort
}
# files WORD: those that have it.
files() {
  (cd "$top" && grep -rlwI -- "$1" README.md plugin/collectd-tcpstates.pod contrib | sort)
}
is "fin_wait2_stuck under another name breaks every file that has it" \
  "$(renamed current_connections-fin_wait2_stuck current_connections-fin_wait2_stale)" "$(files fin_wait2_stuck)"
is "so does fin_wait2_lifetime" "$(renamed duration-fin_wait2_lifetime duration-fin_wait2_life)" "$(files fin_wait2_lifetime)"
is "another type of accept_queue_limit breaks every dashboard that has it" \
  "$(renamed queue_length-accept_queue_limit gauge-accept_queue_limit | grep ^contrib/dashboards)" \
  "$(files accept_queue_limit | grep ^contrib/dashboards)"
is "a group's value that only \"all\" has any more is one that the table says too much about" \
  "$(sed '/^tcpstates\/[^am].* duration-close_wait_oldest/d' "$work/dispatched" >"$work/renamed" &&
    python3 "$top/tests/support/names.py" "$top" "$work/renamed" |
    grep -c 'duration-close_wait_oldest of each group is in the table, and not dispatched')" 1
is "a new one is missing in the table" \
  "$(sed 'p; s/percent-orphans/percent-novelties/' "$work/dispatched" >"$work/renamed" &&
    python3 "$top/tests/support/names.py" "$top" "$work/renamed" |
    grep -c 'percent-novelties of machine is dispatched, and not in the table')" 1
done_testing
