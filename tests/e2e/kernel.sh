#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# In what kernels differ: what this one does, and that the values do not depend on it.
# tests/kernels/run.sh has it on old and new ones.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

sockets make established ipv4 18000 3
sockets make fin-wait2-held ipv6 18001 2
sockets make bound ipv4 0 2
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  ReportClosed true
  <Filter "mptcp">
    Protocol "mptcp"
  </Filter>
</Plugin>
END
collectd_start
values >/dev/null

if closed_known; then
  is "since Linux 6.8: bound-only sockets are counted" "$(value all tcp_connections-CLOSED)" 2
else
  is "before Linux 6.8: CLOSED is missing, and not 0" "$(value all tcp_connections-CLOSED)" ""
fi

# The kernel's own count of connections. Since Linux 6.10 (and 5.10.220 and the like
# of the other old ones) it has CLOSE_WAIT sockets in it.
estab=$(awk '$1 == "Tcp:" && !column { for (i = 1; i <= NF; i++) if ($i == "CurrEstab") column = i; next }
  $1 == "Tcp:" { print $column }' /proc/net/snmp)
case $estab in
  6) pass "CurrEstab is ESTABLISHED alone" ;;
  8) pass "CurrEstab is ESTABLISHED and CLOSE_WAIT" ;;
  *) fail "CurrEstab is ESTABLISHED, with or without CLOSE_WAIT" "$estab, where 6 and 2 were made" ;;
esac
is "the values do not depend on it" "$(value all tcp_connections-ESTABLISHED) $(value all tcp_connections-CLOSE_WAIT)" "6 2"

# The layout of the sums that "auto" takes.
is "sockstat has what the values need" \
  "$(grep -oE '^TCP: inuse [0-9]+ orphan [0-9]+ tw [0-9]+ alloc [0-9]+ mem' /proc/net/sockstat | tr -d '0-9' | xargs)" \
  "TCP: inuse orphan tw alloc mem"
# MPTCP's are counted, or a line says why not.
mptcp=$(value mptcp tcp_connections-ESTABLISHED)
if [[ -n $mptcp ]]; then
  is "MPTCP has values, of none where ss -M shows none" "$mptcp" "$(ss -MnH state established | wc -l)"
  is "nothing is complained about" "$(complaints)" ""
else
  is "MPTCP's sockets are missing, and one line says why" "$(complaints | sort -u)" \
    "[warning] tcpstates plugin: no counts of MPTCP: mptcp_diag is not available (Linux 5.9 or later, CONFIG_INET_MPTCP_DIAG, or: modprobe mptcp_diag). Other values are still reported."
fi
collectd_stop
done_testing
