#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A listener whose program accepts nothing: its queue is full, and clients that
# still come get no answer.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

clients=()
at_end() { kill "${clients[@]}" 2>/dev/null; }

limit=40
echo $limit >/proc/sys/net/core/somaxconn
sockets make established ipv4 18001 5
sockets make unaccepted ipv4 18000 $limit
# The kernel takes one more than the limit, and as many as come at once on several
# processors: that one comes first. To the others it is as if their SYNs were lost.
client() {
  "$BASH" -c 'exec {fd}<>/dev/tcp/127.0.0.1/18000 && exec sleep 600' 2>/dev/null &
  clients+=($!)
}
queued() { (($(ss -tlnH 'sport = :18000' | awk '{ print $2 }') == limit + 1)); }
unanswered() { (($(ss -tanH state syn-sent | wc -l) == 10)); }
client
wait_until 60 "one connection more than the limit" queued
for ((i = 0; i < 10; i++)); do client; done
wait_until 60 "ten clients without an answer" unanswered

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000 18001
  RemotePort 18000
  ReportAcceptQueue true
</Plugin>
END
collectd_start
values >/dev/null
queue() {
  echo "$(value "$1" queue_length-accept_queue) of $(value "$1" queue_length-accept_queue_limit), $(value "$1" percent-accept_queue) %"
}
is "the queue is full, and one more" "$(queue 18000-local)" "$((limit + 1)) of $limit, 100 %"
is "as ss says" "$(value 18000-local queue_length-accept_queue) $(value 18000-local queue_length-accept_queue_limit)" \
  "$(ss -tlnH 'sport = :18000' | awk '{ print $2, $3 }')"
is "that of another port is empty" "$(queue 18001-local)" "0 of $limit, 0 %"
is "the sum of both, and the percentage of the fuller one" "$(queue all)" "$((limit + 1)) of $((2 * limit)), 100 %"
is "a client that gets no answer is in SYN_SENT" "$(value 18000-remote tcp_connections-SYN_SENT)" 10
is "the others are ESTABLISHED, with their unaccepted ends" \
  "$(value 18000-remote tcp_connections-ESTABLISHED) $(value 18000-local tcp_connections-ESTABLISHED)" "$((limit + 1)) $((limit + 1))"
is "and no orphans" "$(value all current_connections-orphaned)" 0
for pair in ESTAB:ESTABLISHED SYN-SENT:SYN_SENT SYN-RECV:SYN_RECV LISTEN:LISTEN; do
  is "ss says the same of ${pair#*:}" "$(value all "tcp_connections-${pair#*:}")" \
    "$(ss -tanH | awk -v want="${pair%:*}" '$1 == want { num++ } END { print num + 0 }')"
done
collectd_stop
done_testing
