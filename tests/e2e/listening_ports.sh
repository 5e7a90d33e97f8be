#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A group for each port that is listened on: ports come and go, and someone who listens
# on very many of them pushes out no service.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

max=512
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  ListeningPorts true
  LocalPort 20550
  ReportStuck false
  ReportOrphans false
  ReportFinWait2 false
</Plugin>
END
collectd_start
# listening: the ports that have a group, in ascending order.
listening() {
  values >/dev/null
  awk '/-local tcp_connections-LISTEN / && $NF > 0 { print $1 + 0 }' "$work/values" | sort -n
}
is "nobody listens" "$(listening)" ""
sockets make listen ipv4 50051 1
sockets make listen ipv4 8080 1
is "two services" "$(listening)" $'8080\n50051'

many=700
for ((port = 20000; port < 20000 + many; port++)); do sockets make listen ipv4 $port 1; done
# Both services, and the lowest of the others; 20550 is a group in any case.
is "the services keep their groups beside $many others" "$(listening)" \
  "$(printf '%d\n' 8080 $(seq 20000 $((20000 + max - 3))) 20550 50051)"
# At growing intervals, also while their number still grew.
is "the log says how many have none" \
  "$(complaints | sed 's/.*\(ListeningPorts: \)[1-9][0-9]*/\1N/' | sort -u)" \
  "ListeningPorts: N more ports than $max are listened on. They have no group; LocalPort gives one to any port."
sockets release listen ipv4 8080
is "where one ends, the next one gets its place" "$(listening)" \
  "$(printf '%d\n' $(seq 20000 $((20000 + max - 2))) 20550 50051)"
for ((port = 20000; port < 20000 + many; port++)); do sockets release listen ipv4 $port; done
is "the others end" "$(listening)" 50051
is "the log says so" "$(messages 'every port that is listened on has a group' | grep -c .)" 1
is "nothing else is complained about" "$(complaints | grep -vc 'more ports than')" 0
done_testing
