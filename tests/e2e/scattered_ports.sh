#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A Filter with thousands of single ports, one of which most sockets have: only what is not on
# this port is dumped, and the counts are what the test has made and what ss says.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns_apart "$@"

echo 20000 >/proc/sys/net/ipv4/tcp_max_tw_buckets
# Every second port, for neighbors become one range.
collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  ReportStuck false
  ReportClosed true
  LocalPort 18001 18205
  <Filter "scattered">
$(printf '    RemotePort %d\n' $(seq 18000 2 23998))
  </Filter>
  <Filter "overlapping">
    RemotePort 18001 18202
    AddressFamily "ipv6"
  </Filter>
</Plugin>
END
for family in ipv4 ipv6; do
  sockets make established $family 18202 20
  sockets make established $family 18205 30
done
sockets_of_every_kind 18000
# Those that last a minute come last.
sockets make time-wait ipv6 18202 100
sockets make time-wait ipv4 18205 50
sockets make time-wait ipv4 18200 6000

collectd_start
complement="the kernel's sums, and scattered is counted by its complement"
has_complement() { [[ -n $(messages "$complement") ]]; }
wait_until 30 "$complement" has_complement || fail "$complement"

groups=(all 18001-local 18205-local)
counts() { grep -E ' (tcp_connections-|current_connections-(fin_wait2_held|fin_wait2_orphaned|orphaned) )' | grep -v '^machine '; }
in_scattered='$7 >= 18000 && $7 <= 23998 && $7 % 2 == 0'
# Until no socket has ended meanwhile.
read_at_rest() {
  ss -tanH >"$work/ss" && values | counts >"$work/counts" && ss -tanH | sort | cmp -s - <(sort "$work/ss")
}
rest_or_old() { read_at_rest || ! sockets_last; }
wait_until 60 "no socket ends during a read" rest_or_old || fail "at rest"
sockets_last || begin_again "$@"
ok "it is counted by its complement, however long a filter for all its ports would be" has_complement
is "every group has what the test has made" "$(grep -v '^overlapping ' "$work/counts")" \
  "$({ wanted "${groups[@]}" && wanted_where scattered "$in_scattered"; } | sort)"
is "so does another Filter, which has some of the same ports" "$(grep '^overlapping ' "$work/counts")" \
  "$(wanted_where overlapping '$3 == "ipv6" && ($7 == 18001 || $7 == 18202)')"
is "ss says the same of every state" "$(states scattered)" \
  "$(awk '{ port = $5; sub(/.*:/, "", port) } port >= 18000 && port <= 23998 && port % 2 == 0' "$work/ss" | ss_states)"
is "the log says it once" "$(messages "$complement" | grep -c .)" 1
is "nothing is complained about" "$(complaints)" ""
done_testing
