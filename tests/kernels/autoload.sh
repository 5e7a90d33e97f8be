#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# In a guest that has not used tcp_diag yet: the kernel loads it by itself when
# collectd asks for the sockets, whoever runs it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

loaded() {
  { grep -oE '^(inet|tcp)_diag ' /proc/modules || true; } | sort | xargs
}
is "neither inet_diag nor tcp_diag is loaded" "$(loaded)" ""
sockets make established ipv4 18000 3
# The first read loads the modules.
interval=5
collectd_configure <<<'LoadPlugin tcpstates'
as_user=("${unprivileged[@]}")
collectd_start
values >/dev/null
is "a collectd without rights counts the sockets" "$(grep 'ESTABLISHED' "$work/values")" "all tcp_connections-ESTABLISHED 6"
is "and the kernel has loaded both" "$(loaded)" "inet_diag tcp_diag"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
done_testing
