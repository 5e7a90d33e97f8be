#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same configuration under collectd's own tcpconns and under tcpstates gives
# the same groups with the same numbers.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
collectd_plugin tcpconns >/dev/null || skip_all "this collectd has no tcpconns.so"

port=19000
sockets_of_every_kind $port
sockets make listen ipv4 19100 1

# counted PLUGIN: tcpconns does not know bound-only sockets, and says that there are none.
counted() {
  values "$1" | grep ' tcp_connections-' | grep -v -- -CLOSED
}

# look: a read of tcpstates between two of tcpconns that are equal: no socket has ended
# in between, as some do after a minute.
look() {
  local before
  before=$(counted tcpconns) && tcpstates=$(counted tcpstates) && tcpconns=$(counted tcpconns) &&
    [[ $before == "$tcpconns" ]]
}

# compare NAME BLOCK-LINE...: a port a line, as tcpconns takes only the first.
compare() {
  local name=$1 plugin
  shift
  collectd_configure tcpconns < <(
    for plugin in tcpconns tcpstates; do
      echo "LoadPlugin $plugin"
      echo "<Plugin $plugin>"
      printf '  %s\n' "$@"
      echo "</Plugin>"
    done
  )
  collectd_start
  wait_until 300 "two equal reads of tcpconns" look
  collectd_stop
  is "$name: the same groups and numbers" "$tcpstates" "$tcpconns"
  ok "$name: and there are some" grep -q '[1-9]$' <<<"$tcpconns"
}

compare "local ports" 'LocalPort "19000"' 'LocalPort 19001'
compare "remote ports" 'RemotePort 19000' 'RemotePort 19002'
compare "listening ports" 'ListeningPorts true'
compare "a summary and ports" 'AllPortsSummary true' 'LocalPort 19002' 'RemotePort "19001"'
compare "everything" 'AllPortsSummary true' 'ListeningPorts true' 'LocalPort 19000' 'LocalPort 22' \
  'RemotePort 19001' 'RemotePort 19000' 'RemotePort 443'
compare "no summary" 'AllPortsSummary false'
compare "nothing at all" 'AllPortsSummary false' 'ListeningPorts false'
is "a line says what is counted where nothing is selected" "$(messages 'no group')" \
  "[info] tcpstates plugin: no group is selected: each listening port is one, as in tcpconns"
done_testing
