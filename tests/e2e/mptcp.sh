#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Protocol "mptcp": MPTCP's sockets in their own states, as ss -M says, while TCP's counts are those
# of ss -t. Half-closed connections are the case: their subflows stay ESTABLISHED.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
type -P python3 >/dev/null || skip_all "no python3"
enter_netns "$@"
[[ $(cat /proc/sys/net/mptcp/enabled 2>/dev/null) == 1 ]] || skip_all "no MPTCP in this kernel"
ss -M >/dev/null 2>&1 || skip_all "this ss knows no MPTCP"

# A server and its clients that take commands: "connect NAME ADDRESS PORT NUM [tcp]", of MPTCP unless tcp,
# "accept" or "leave" first for what the server does; "shutdown NAME", "close NAME",
# "finish NAME", "reset NAME", "talk NAME".
cat >"$work/peers.py" <<'END'
import socket, struct, sys
MPTCP = 262
listeners, groups = {}, {}
for line in sys.stdin:
    command, name, *words = line.split()
    if command in ("accept", "leave"):
        address, port, num = words[0], int(words[1]), int(words[2])
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if port not in listeners:
            listener = socket.socket(socket.AF_INET6 if port % 2 else socket.AF_INET, socket.SOCK_STREAM, MPTCP)
            listener.bind(("", port))
            listener.listen(100)
            listeners[port] = listener
        pairs = groups.setdefault(name, [])
        for _ in range(num):
            client = socket.socket(family, socket.SOCK_STREAM, 0 if "tcp" in words else MPTCP)
            client.connect((address, port))
            pairs.append((client, listeners[port].accept()[0] if command == "accept" else None))
            # The connection speaks MPTCP for good after the first byte.
            client.send(b"x")
            if pairs[-1][1] is not None:
                pairs[-1][1].recv(1)
    for client, server in groups[name]:
        if command == "shutdown":
            client.shutdown(socket.SHUT_WR)
        if command == "close":
            client.close()
        if command == "finish":
            client.shutdown(socket.SHUT_WR)
            server.shutdown(socket.SHUT_WR)
        if command == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        if command == "talk":
            server.send(b"y")
            client.recv(1)
    print("done", flush=True)
END
# bash warns of a second one.
{ coproc peers_io { exec python3 "$work/peers.py"; }; } 2>/dev/null
# shellcheck disable=SC2154 # coproc sets it
peers_pid=$peers_io_PID
at_end() { kill "$peers_pid" 2>/dev/null; }
peers() {
  echo "$*" >&"${peers_io[1]}"
  IFS= read -r -t 60 _ <&"${peers_io[0]}"
}

# mptcp_states [FILTER]: what ss -aM says, in the words of states. CLOSED is what it calls UNCONN.
mptcp_states() {
  ss -aMnH "$@" >"$work/ss"
  {
    ss_states <"$work/ss"
    echo "tcp_connections-CLOSED $(grep -c ^UNCONN "$work/ss" || true)"
  } | sort
}
group_states() {
  awk -v group="$1" '$1 == group && $2 ~ /^tcp_connections-/ { print $2, $3 }' "$work/values" | sort
}
settled() { [[ $(mptcp_states) == "$(sleep 0.2 && mptcp_states)" ]]; }

# Data that flows has to be seen before it is as old as that.
stuck_after=$(patient 2 3)
collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000
  ReportAcceptQueue true
  StuckAfter $stuck_after
  <Filter "mptcp">
    Protocol "mptcp"
  </Filter>
  <Filter "clients">
    RemotePort 18000
    Protocol "mptcp"
  </Filter>
  <Filter "six">
    AddressFamily "ipv6"
    Protocol "MPTCP"
  </Filter>
  <Filter "near">
    LocalAddress "127.0.0.0/8"
    LocalPort "18000-18099"
    Protocol "mptcp"
  </Filter>
  <Filter "grouped">
    ControlGroup "/"
    Protocol "mptcp"
  </Filter>
  <Filter "tcp">
    RemotePort 18000
    Protocol "tcp"
  </Filter>
</Plugin>
END
collectd_start
values >"$work/got"
is "without a socket it is 0" "$(group_states mptcp | sort -u -k2,2)" "tcp_connections-CLOSED 0"

peers accept leaked 127.0.0.1 18000 40
values >/dev/null
is "40 connections are 80 ESTABLISHED" "$(value mptcp tcp_connections-ESTABLISHED)" 80
peers shutdown leaked
wait_until 60 "half-closed" settled
values >"$work/got"
is "half-closed they are 40 in FIN_WAIT2 and 40 in CLOSE_WAIT" \
  "$(value mptcp tcp_connections-FIN_WAIT2) $(value mptcp tcp_connections-CLOSE_WAIT) $(value mptcp tcp_connections-ESTABLISHED)" "40 40 0"
is "while TCP's are ESTABLISHED" "$(value all tcp_connections-ESTABLISHED) $(value all tcp_connections-CLOSE_WAIT)" "80 0"
is "no group of MPTCP has TIME_WAIT, ports or orphans of TCP" "$(value mptcp tcp_connections-TIME_WAIT) $(value mptcp gauge-ephemeral_ports)" "0 "

peers accept closed 127.0.0.1 18000 3
peers close closed
peers accept finished 127.0.0.1 18000 2
peers finish finished
peers accept reset 127.0.0.1 18000 4
peers reset reset
peers leave waiting 127.0.0.1 18002 5
peers leave left 127.0.0.1 18004 6
peers shutdown left
if $have_ipv6; then
  peers accept six ::1 18001 7
  peers shutdown six
  peers accept mapped 127.0.0.1 18003 8
fi
peers accept plain 127.0.0.1 18000 9 tcp
wait_until 60 "all have come to rest" settled
values >"$work/got"
is "all states are those of ss -M" "$(group_states mptcp)" "$(mptcp_states)"
is "those of clients, too" "$(group_states clients)" "$(mptcp_states dport = :18000)"
is "and those of the control group" "$(group_states grouped)" "$(mptcp_states)"
is "and those of addresses and ports" "$(group_states near)" \
  "$(mptcp_states 'src 127.0.0.0/8 and sport >= :18000 and sport <= :18099')"
if $have_ipv6; then
  is "and those of IPv6" "$(value six tcp_connections-FIN_WAIT2) $(value six tcp_connections-CLOSE_WAIT)" "7 7"
fi
is "TCP's are those of ss -t" "$(states all)" "$(ss -tanH | ss_states)"
is "Protocol tcp is no condition" "$(states tcp)" "$(ss -tanH dport = :18000 | ss_states)"
is "a closed socket is an orphan, the others are not" \
  "$(value mptcp current_connections-fin_wait2_orphaned) $(value mptcp current_connections-orphaned)" "3 3"
is "which nobody has accepted" "$(value mptcp current_connections-close_wait_unaccepted)" 6
is "the queues of its listeners" "$(value mptcp queue_length-accept_queue)" \
  "$(ss -lMnH | awk '{ sum += $2 } END { print sum }')"
is "over, with a descriptor: both have finished, or the peer has reset" "$(value mptcp tcp_connections-CLOSED)" \
  "$(ss -aMnH | grep -c ^UNCONN)"

# ---- ages ------------------------------------------------------------------------

stuck() { echo "$(value mptcp current_connections-fin_wait2_stuck) $(value mptcp current_connections-close_wait_stuck)"; }
IFS=. read -r major minor _ < <(uname -r)
if ((major > 6 || (major == 6 && ${minor%%[!0-9]*} >= 10))); then
  half_closed=$((40 + ($(value six tcp_connections-FIN_WAIT2) + 0)))
  all_stuck() { values >/dev/null && [[ $(stuck) == "$((half_closed + 6)) $((half_closed + 3 + 6))" ]]; }
  wait_until $((60 + 3 * stuck_after)) "what is half-closed is stuck" all_stuck
  pass "what is half-closed is stuck"
  oldest=$(value mptcp duration-close_wait_oldest)
  ok "for as long as it is" awk -v age="$oldest" -v after="$stuck_after" -v most=$SECONDS 'BEGIN { exit !(age > after && age <= most + 1) }'
  # Its data is idle no more.
  peers talk leaked
  values >/dev/null
  is "data that flows ends that" "$(stuck)" "$((half_closed - 40 + 6)) $((half_closed - 40 + 3 + 6))"
else
  is "before Linux 6.10 no age is reported" "$(value mptcp current_connections-fin_wait2_stuck)" ""
  is "and the log says so" "$(messages 'does not say how long' | wc -l)" 1
fi
is "nothing went wrong" "$(complaints)" ""
collectd_stop

# ---- without mptcp_diag ----------------------------------------------------------

as_user=(env LD_PRELOAD="$build/.libs/no_tcp_diag.so" MPTCP_DIAG="$work/mptcp_diag" TCP_DIAG="$work/values"
  LATER="$work/later" REQUESTS="$work/requests")
collectd_start
for _ in 1 2 3 4 5; do values >"$work/got"; done
is "without mptcp_diag its values are missing" "$(grep -cE '^(mptcp|clients|six|near|grouped) ' "$work/got" || true)" 0
is "nothing else is" "$(states all)" "$(ss -tanH | ss_states)"
is "one line says why" "$(complaints | sort -u)" \
  "[warning] tcpstates plugin: no counts of MPTCP: mptcp_diag is not available (Linux 5.9 or later, CONFIG_INET_MPTCP_DIAG, or: modprobe mptcp_diag). Other values are still reported."
is "the kernel is asked once, not in each read" "$(grep -c mptcp "$work/requests")" 1
touch "$work/mptcp_diag" "$work/later"
values >/dev/null
values >/dev/null
is "when it is there, they are counted" "$(group_states mptcp)" "$(mptcp_states)"
is "and a line says so" "$(messages again)" "[info] tcpstates plugin: MPTCP's sockets are counted again."
collectd_stop
done_testing
