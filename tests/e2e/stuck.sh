#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is stuck and for how long, under a real collectd with real sockets that answer
# keepalive and zero-window probes.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# Apart: reads have to follow each other closely, and a machine may have a million other sockets.
enter_netns_apart "$@"

# oldest STATE PORT: of the held ends at this port, as the test has made them, in seconds.
oldest() {
  sockets list | awk -v state="$1" -v port="$2" '
    $1 == state && ($5 == port || $7 == port) && $8 > max { max = $8 } END { print max / 1000 }'
}
# late: by how much, in seconds, a read has begun after it should have: an age begins with the
# first read that meets the socket.
late() {
  awk -v interval="$interval" '$1 == "PUTVAL" {
      split($4, sample, ":")
      if (last != "" && sample[1] - last > most) most = sample[1] - last
      last = sample[1]
    }
    END { print most > interval ? most - interval : 0 }' "$work/output"
}
# age_is NAME GROUP STATE PORT: in a read between two looks it is at most a second less.
age_is() {
  local before after got type
  type=$(tr '[:upper:]' '[:lower:]' <<<"$3")_oldest
  before=$(oldest "$3" "$4")
  values >/dev/null
  after=$(oldest "$3" "$4")
  got=$(value "$2" "duration-$type")
  ok "$1: ${got:-nothing}, and it was $before to $after s" \
    awk -v got="$got" -v before="$before" -v after="$after" -v late="$(late)" 'BEGIN { exit !(got > before - 1 - late && got <= after) }'
}
notifications() {
  messages 'Notification: ' | sed 's/.*severity = \([A-Z]*\), .*plugin_instance = \([^,]*\), .*type_instance = \([a-z0-9_]*\), message = /\1 \2 \3 /'
}

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18001 18002 18003 18004 18005
  RemotePort 18001 18002 18003 18004 18005
  ReportAcceptQueue true
  StuckAfter 3
  NotifyStuck 100
</Plugin>
END
# What reads take for it would be less than StuckAfter.
echo 1 >/proc/sys/net/ipv4/tcp_fin_timeout
collectd_start
sockets make fin-wait2-held ipv4 18001 6
sockets keepalive fin-wait2-held ipv4 18001 1
sockets make close-wait-full ipv6 18002 5
sockets keepalive close-wait-full ipv6 18002 1
sockets make fin-wait1-full mapped 18003 4
sockets make fin-wait2-held ipv4 18004 3
sockets make close-wait-unaccepted ipv4 18005 2
values >/dev/null
age_is "the age of a held FIN_WAIT2 before it is stuck" 18001-remote FIN_WAIT2 18001
# In use, in one direction: a byte every second.
for ((second = 0; second < 6; second++)); do
  sockets talk fin-wait2-held ipv4 18004
  sleep 1
done
sockets talk fin-wait2-held ipv4 18004
values >/dev/null
stuck() { value "$1" "current_connections-$2_stuck"; }
is "CLOSE_WAIT and FIN_WAIT2 with keepalive at both ends are stuck" "$(stuck 18001-local close_wait) $(stuck 18001-remote fin_wait2)" "6 6"
is "CLOSE_WAIT with unsent data and a closed window, too, and its peer" "$(stuck 18002-local close_wait) $(stuck 18002-remote fin_wait2)" "5 5"
is "and FIN_WAIT1 with unsent data" "$(stuck 18003-remote fin_wait1)" 4
is "and what is not accepted" "$(stuck 18005-local close_wait) $(value 18005-local current_connections-close_wait_unaccepted)" "2 2"
is "a half-closed connection in use is not" "$(stuck 18004-local close_wait) $(stuck 18004-remote fin_wait2)" "0 0"
is "of all" "$(stuck all close_wait) $(stuck all fin_wait2) $(stuck all fin_wait1) $(value all current_connections-close_wait_unaccepted)" "13 13 4 2"
age_is "close_wait_oldest with keepalive" 18001-local CLOSE_WAIT 18001
age_is "fin_wait2_oldest with keepalive" 18001-remote FIN_WAIT2 18001
age_is "close_wait_oldest with a closed window" 18002-local CLOSE_WAIT 18002
age_is "fin_wait1_oldest" 18003-remote FIN_WAIT1 18003
age_is "close_wait_oldest of what is not accepted" 18005-local CLOSE_WAIT 18005
is "the accept queue is what ss says" "$(value all queue_length-accept_queue) $(value all queue_length-accept_queue_limit)" \
  "$(ss -tlnH | awk '{ queue += $2; limit += $3 } END { print queue, limit }')"
is "its fullest listener, too" "$(value all percent-accept_queue)" \
  "$(ss -tlnH | awk '{ p = int(10000 * $2 / $3) / 100; if (p > max) max = p } END { print max }')"
sockets release close-wait-unaccepted ipv4 18005
values >/dev/null
is "what has ended is not counted" "$(stuck 18005-local close_wait) $(value 18005-local duration-close_wait_oldest)" "0 0"
is "fewer than NotifyStuck: nobody is notified" "$(notifications)" ""
collectd_stop

# A collectd that starts later takes the kernel's word: at most the truth.
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  LocalPort 18001 18006
</Plugin>
END
sockets make fin-wait2-held ipv4 18006 7
sleep 2
collectd_start
values >/dev/null
got=$(value 18001-local duration-close_wait_oldest)
ok "after its start no age is above the truth: ${got:-nothing}" \
  awk -v got="$got" -v truth="$(oldest CLOSE_WAIT 18001)" 'BEGIN { exit !(got != "" && got <= truth) }'
is "StuckAfter is 60 s, whatever tcp_fin_timeout is" "$(value 18006-local tcp_connections-CLOSE_WAIT) $(stuck 18006-local close_wait)" "7 0"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
done_testing
