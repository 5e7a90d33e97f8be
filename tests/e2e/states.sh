#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real sockets in every state and family: what collectd writes is what the
# test has made, and what ss says.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

# Listening ports that are configured groups as well, a range over all of them,
# and a socket that nobody's group holds.
port=18000
sockets_of_every_kind $port
sockets make listen ipv6 18100 1
sockets make fin-wait2-held ipv4 18200 3
groups=(all 18000-local 18000-remote 18001-18002-local 18001-18002-remote)
# Each port that is listened on and no group of its own by configuration.
listening=(18001-local 18002-local 18100-local 18200-local)

# In child namespaces there is no tcp_max_orphans and no tcp_mem.
settings_and_machine='/^(machine|all (duration|gauge)|all [a-z]+-timewait_buckets|all current_connections-timewait)/'

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  ReportStuck false
  ReportClosed true
  ListeningPorts true
  LocalPort 18000 "18001-18002"
  RemotePort 18000 "18001-18002"
</Plugin>
END

check_values() {
  local got
  got=$(values | awk "!$settings_and_machine")
  is "$1: every state of every group is what the test made" "$got" "$(wanted "${groups[@]}" "${listening[@]}")"
}

check_ss() {
  local state name pair
  local -A by_state=()
  while read -r state _; do by_state[$state]=$((${by_state[$state]:-0} + 1)); done < <(ss -tanH)
  # ss shows a minisocket of FIN_WAIT2 as FIN-WAIT-2, and no bound-only sockets.
  for pair in ESTAB:ESTABLISHED SYN-SENT:SYN_SENT SYN-RECV:SYN_RECV FIN-WAIT-1:FIN_WAIT1 FIN-WAIT-2:FIN_WAIT2 \
    TIME-WAIT:TIME_WAIT CLOSE-WAIT:CLOSE_WAIT LAST-ACK:LAST_ACK LISTEN:LISTEN CLOSING:CLOSING; do
    name=${pair#*:}
    is "ss says the same of $name" "$(awk -v want="tcp_connections-$name" '$1 == "all" && $2 == want { print $3 }' "$work/values")" \
      "${by_state[${pair%:*}]:-0}"
  done
}

collectd_start
check_values "collectd as $(id -un)"
check_ss
is "nothing is complained about" "$(complaints)" ""
status=0
collectd_stop || status=$?
is "collectd ends when it is told to" "$status" 0

if ((EUID == 0)) && "${unprivileged[@]}" true 2>/dev/null; then
  as_user=("${unprivileged[@]}")
  collectd_start
  check_values "collectd as nobody, without capabilities"
  is "nobody: nothing is complained about" "$(complaints)" ""
  collectd_stop
else
  skip "collectd as nobody" "this user cannot become another"
fi
done_testing
