#!/usr/bin/env bash
# What is stuck, for how long and who holds it, under a real collectd with real
# control groups; its notifications by collectd's own logfile plugin.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

# value GROUP TYPE-INSTANCE: of the read that values has fetched last.
# oldest STATE OWNER: what the test has made, in seconds.
oldest() {
  sockets list | awk -v state="$1" '$1 == state && $2 == "held" && $8 > max { max = $8 } END { print max / 1000 }'
}
# age_is NAME GOT BEFORE AFTER: of a read between these two looks; at most a second less.
age_is() {
  ok "$1: $2 s, and it was $3 to $4 s" awk -v got="$2" -v before="$3" -v after="$4" 'BEGIN { exit !(got > before - 1 && got <= after) }'
}

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000 18001
  RemotePort 18000
  StuckAfter 10
  ReportAcceptQueue true
</Plugin>
END
echo 10 >/proc/sys/net/ipv4/tcp_fin_timeout
collectd_start
sockets make fin-wait2-held ipv4 18000 3
sockets make fin-wait2-held ipv6 18001 2
sockets make fin-wait2-orphaned mapped 18001 1
before=$(oldest FIN_WAIT2)
values >/dev/null
is "nothing is stuck yet" "$(value all current_connections-fin_wait2_stuck) $(value all current_connections-close_wait_stuck)" "0 0"
age_is "fin_wait2_oldest" "$(value all duration-fin_wait2_oldest)" "$before" "$(oldest FIN_WAIT2)"
sleep 10
sockets make fin-wait2-held ipv4 18000 4
sockets make unaccepted ipv4 18002 5
before=$(oldest FIN_WAIT2)
before_close_wait=$(oldest CLOSE_WAIT)
values >/dev/null
is "after StuckAfter seconds those that were there are stuck" "$(value all current_connections-fin_wait2_stuck)" 5
is "and the other ends, with that of the orphan" "$(value all current_connections-close_wait_stuck)" 6
is "by group" "$(value 18000-remote current_connections-fin_wait2_stuck) $(value 18000-local current_connections-close_wait_stuck) $(value 18001-local current_connections-close_wait_stuck) $(value 18000-local current_connections-fin_wait2_stuck)" "3 3 3 0"
age_is "fin_wait2_oldest" "$(value all duration-fin_wait2_oldest)" "$before" "$(oldest FIN_WAIT2)"
age_is "close_wait_oldest of a group" "$(value 18000-local duration-close_wait_oldest)" "$before_close_wait" "$(oldest CLOSE_WAIT)"
is "the accept queue is what ss says" "$(value all queue_length-accept_queue) $(value all queue_length-accept_queue_limit)" \
  "$(ss -tlnH | awk '{ queue += $2; limit += $3 } END { print queue, limit }')"
is "its fullest listener, too" "$(value all percent-accept_queue)" \
  "$(ss -tlnH | awk '{ p = int(10000 * $2 / $3) / 100; if (p > max) max = p } END { print max }')"
collectd_stop
for kind in "fin-wait2-held ipv4 18000" "fin-wait2-held ipv6 18001" "fin-wait2-orphaned mapped 18001"; do
  # shellcheck disable=SC2086 # three words
  sockets release $kind
done

# Notifications, by who holds the sockets.
cgroup=$(cgroup_make) || cgroup=
at_end() { cgroup_remove; }
# Only when all that are made are stuck, so that no read notifies of some of them.
notified() { (($(notifications | wc -l) >= $1)); }
notifications() {
  messages 'Notification: ' | sed 's/.*severity = \([A-Z]*\), .*type_instance = \([a-z0-9_]*\), message = /\1 \2 /'
}
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  StuckAfter 6
  NotifyStuck 9
  NotifyProcesses true
</Plugin>
END
collectd_start
values >/dev/null
sleep 1
sockets make fin-wait2-held ipv4 443 3
making=$(date +%s%N)
if [[ -n $cgroup ]]; then
  sockets_in "$cgroup/api.service" make fin-wait2-held ipv4 8080 6
  # sockmake has both ends: of the CLOSE_WAIT ones it is the service.
  top=" 6 in ${cgroup##*/}/api.service to remote port 8080, 3 in"
else
  sockets make fin-wait2-held ipv4 8080 6
  top=" 6 .*to remote port 8080, 3 .*to remote port 443"
fi
wait_until 60 "a notification of stuck sockets" notified 1
ok "nobody is notified before they are stuck" test $(($(date +%s%N) - making)) -ge 6000000000
wait_until 60 "two notifications of stuck sockets" notified 2
values >/dev/null
values >/dev/null
ok "9 are held for more than 6 s: who holds them, the most first" \
  grep -qE "^WARNING fin_wait2_stuck 9 sockets held in FIN_WAIT2 for more than 6 s \(oldest ([6-9]|[1-9][0-9]) s\):$top" <(notifications)
ok "and their other ends" grep -q '^WARNING close_wait_stuck 9 sockets in CLOSE_WAIT for more than 6 s (oldest \([6-9]\|[1-9][0-9]\) s)' <(notifications)
is "each once, in many reads" "$(notifications | wc -l)" 2
if [[ -n $cgroup ]]; then
  sockets_in "$cgroup/api.service" release fin-wait2-held ipv4 8080
else
  sockets release fin-wait2-held ipv4 8080
fi
wait_until 60 "two notifications that it is over" notified 4
values >/dev/null
is "when there are fewer than 9 it is over, once" "$(notifications | sed 1,2d | cut -d' ' -f1,2 | sort)" \
  "OKAY close_wait_stuck
OKAY fin_wait2_stuck"
if [[ -n $cgroup ]]; then
  # A service that is restarted has another control group of the same name.
  sockets_in_end
  sockets_in "$cgroup/api.service" make fin-wait2-held ipv4 8081 6
  wait_until 60 "two more of stuck sockets" notified 6
  ok "a service that was restarted is named again" \
    grep -q "^WARNING fin_wait2_stuck 9 sockets .*: 6 in ${cgroup##*/}/api.service to remote port 8081" \
    <(notifications | tail -n +5)
  sockets_in_end
else
  skip "a service that was restarted is named again" "no cgroup v2 hierarchy is mounted where this user may write"
fi
is "nothing else is complained about" "$(complaints | grep -v Notification || true)" ""
collectd_stop
done_testing
