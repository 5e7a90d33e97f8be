#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ReportEphemeralPorts: 100 % is where connect() fails with EADDRNOTAVAIL.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
type -P python3 >/dev/null || skip_all "no python3"
enter_netns "$@"

ip address add 127.0.0.2/8 dev lo
cd /proc/sys/net/ipv4
echo "40000 40199" >ip_local_port_range
# On the loopback device a port in TIME_WAIT is used again after a second.
if [[ -e tcp_tw_reuse ]]; then echo 0 >tcp_tw_reuse; fi
cd - >/dev/null

# A client that obeys: "fill ADDRESS PORT [LOCAL [NUM]]" connects until it has NUM connections
# more, or none are left to have, and says how many and with which error; "time-wait" closes them
# all; "close" as well, without TIME_WAIT.
cat >"$work/client.py" <<'END'
import errno, socket, struct, sys, time
listeners, pairs = {}, []
for line in sys.stdin:
    command, *words = line.split()
    if command == "fill":
        address, port = words[0], int(words[1])
        local = words[2] if len(words) > 2 else "any"
        left = int(words[3]) if len(words) > 3 else 1000
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = socket.AF_INET if family == socket.AF_INET or address.startswith("::ffff:") else family
        if (where, port) not in listeners:
            listener = socket.socket(where, socket.SOCK_STREAM)
            if where == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", port))
            listener.listen(1000)
            listeners[where, port] = listener
        num, error = 0, "-"
        while num < left:
            client = socket.socket(family, socket.SOCK_STREAM)
            try:
                if local != "any":
                    client.setsockopt(socket.IPPROTO_IP, 24, 1) # IP_BIND_ADDRESS_NO_PORT
                    client.bind((local, 0))
                client.connect((address, port))
            except OSError as e:
                error = errno.errorcode[e.errno]
                client.close()
                break
            pairs.append((client, listeners[where, port].accept()[0]))
            num += 1
        print(num, error, flush=True)
        continue
    for client, server in pairs:
        if command == "close":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server.close()
    pairs = []
    print("closed", flush=True)
END
# bash warns of a second one.
{ coproc client_io { exec python3 "$work/client.py"; }; } 2>/dev/null
# shellcheck disable=SC2154 # coproc sets it
client_pid=$client_io_PID
at_end() { kill "$client_pid" 2>/dev/null; }
client() {
  local answer
  echo "$*" >&"${client_io[1]}"
  IFS= read -r -t 60 answer <&"${client_io[0]}"
  echo "$answer"
}

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  LocalPort 18000
  RemotePort 18000 "18000-18099" 18050
  ReportEphemeralPorts true
  <Filter "near">
    RemotePort "18000-18099"
    LocalAddress "127.0.0.1"
  </Filter>
  <Filter "grouped">
    RemotePort 18000
    ControlGroup "/"
  </Filter>
</Plugin>
END
collectd_start
# ports GROUP: what the last values say of it.
ports() {
  echo "$(value "$1" current_connections-fullest_destination) of $(value "$1" gauge-ephemeral_ports), $(value "$1" percent-ephemeral_ports) %"
}

values >"$work/got"
is "with no connection none is in use" "$(ports 18000-remote)" "0 of 200, 0 %"
is "local ports, control groups and all have no such values" \
  "$(grep -cE '^(18000-local|grouped|all) .*(ephemeral|fullest)' "$work/got" || true)" 0
client fill 127.0.0.1 18000 any 50 >"$work/said"
client fill 127.0.0.1 18001 any 30 >>"$work/said"
client fill 127.0.0.2 18001 any 40 >>"$work/said"
client fill 127.0.0.1 18002 127.0.0.2 60 >>"$work/said"
values >/dev/null
is "a remote port has that of its destination" "$(ports 18000-remote)" "50 of 200, 25 %"
is "another one has none" "$(ports 18050-remote)" "0 of 200, 0 %"
is "a range has the fullest, not all" "$(ports 18000-18099-remote)" "60 of 200, 30 %"
is "a Filter those that it means" "$(ports near)" "50 of 200, 25 %"
is "it is what ss says of the fullest" "$(value 18000-18099-remote current_connections-fullest_destination)" \
  "$(ss -tanH 'dport >= :18000 and dport <= :18099' | awk '{ sub(/:[0-9]*$/, "", $4); print $4, $5 }' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $1 }')"

said=$(client fill 127.0.0.1 18000)
values >/dev/null
is "connect() fails for want of a port" "$said" "150 EADDRNOTAVAIL"
is "and that is 100 %" "$(ports 18000-remote)" "200 of 200, 100 %"
is "towards another destination all of them are there" "$(client fill 127.0.0.2 18000)" "200 EADDRNOTAVAIL"
values >/dev/null
is "two full ones are not more than one" "$(ports 18000-remote)" "200 of 200, 100 %"
is "from another address all of them are there, too" "$(client fill 127.0.0.1 18050 127.0.0.2)" "200 EADDRNOTAVAIL"
values >/dev/null
is "as it says" "$(ports 18050-remote)" "200 of 200, 100 %"
client time-wait >/dev/null
values >/dev/null
is "in TIME_WAIT they are in use" \
  "$(value 18000-remote tcp_connections-TIME_WAIT) $(ports 18000-remote)" "400 200 of 200, 100 %"
is "as connect() says" "$(client fill 127.0.0.1 18000)" "0 EADDRNOTAVAIL"

echo 40100-40149,40199 >/proc/sys/net/ipv4/ip_local_reserved_ports
is "with reserved ports there are fewer" "$(client fill 127.0.0.1 18060)" "149 EADDRNOTAVAIL"
values >/dev/null
is "as it says" "$(ports 18000-18099-remote)" "149 of 149, 100 %"
for address in ::1 ::ffff:127.0.0.1; do
  if ! $have_ipv6; then continue; fi
  client close >/dev/null
  port=$((18070 + ${#address}))
  is "towards $address connect() fails" "$(client fill $address $port)" "149 EADDRNOTAVAIL"
  is "ss shows $port full" "$(ss -tanH state established "dport = :$port" | wc -l)" 149
done
if $have_ipv6; then
  echo "41000 41099" >/proc/sys/net/ipv4/ip_local_port_range
  client fill ::ffff:127.0.0.1 18000 any 70 >/dev/null
  client fill 127.0.0.1 18000 any 20 >/dev/null
  values >/dev/null
  is "v4-mapped and IPv4 use the same ports" "$(ports 18000-remote)" "90 of 100, 90 %"
  client fill ::1 18000 any 95 >/dev/null
  values >/dev/null
  is "IPv6 has as many of its own" "$(ports 18000-remote)" "95 of 100, 95 %"
fi
is "nothing went wrong" "$(complaints)" ""
collectd_stop

# ---- other namespaces --------------------------------------------------------------

cat >"$work/hold.py" <<'END'
import socket, sys, time
server = socket.create_server(("127.0.0.1", 18000), backlog=1000)
clients = [socket.create_connection(server.getsockname()) for _ in range(int(sys.argv[1]))]
open(sys.argv[2], "w")
time.sleep(600)
END
holders=()
at_end() { kill "$client_pid" "${holders[@]}" 2>/dev/null; }
for held in 30 60; do
  # shellcheck disable=SC2016 # for bash
  unshare --net bash -e -c '
    ip link set lo up
    echo "50000 50099" >/proc/sys/net/ipv4/ip_local_port_range
    exec python3 "$1" "$2" "$3"' - "$work/hold.py" $held "$work/held-$held" &
  holders+=($!)
  wait_until 60 "$held connections beside" test -e "$work/held-$held"
done
if nsenter --net="/proc/${holders[0]}/ns/net" true 2>"$work/nsenter"; then
  interval=$(patient 3 4)
  collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  RemotePort 18000
  <Namespace "/proc/${holders[0]}/ns/net">
    Name "beside"
    RemotePort 18000
    ReportEphemeralPorts true
  </Namespace>
  <Namespace "/proc/${holders[0]}/ns/ne[t]" "/proc/${holders[1]}/ns/ne[t]">
    Name "both"
    RemotePort 18000
    ReportEphemeralPorts true
  </Namespace>
</Plugin>
END
  collectd_start
  values >/dev/null
  is "another namespace has its own range" "$(ports 18000-remote@beside)" "30 of 100, 30 %"
  is "of several it is that of the fullest, and no setting" "$(ports 18000-remote@both)" "60 of , 60 %"
  is "if it is not asked for, there is none" "$(ports 18000-remote)" " of ,  %"
  collectd_stop
else
  skip "other namespaces" "no right to enter one: $(<"$work/nsenter")"
fi

# ---- a group that holds nearly all sockets ---------------------------------------

echo "10000 29999" >/proc/sys/net/ipv4/ip_local_port_range
echo >/proc/sys/net/ipv4/ip_local_reserved_ports
client close >/dev/null
client fill 127.0.0.1 18000 any 700 >/dev/null
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  RemotePort 18000
  ReportEphemeralPorts true
  ReportByState false
</Plugin>
END
collectd_start
for _ in 1 2 3; do values >/dev/null; done
is "it is dumped, not subtracted" "$(ports 18000-remote)" "700 of 20000, 3.5 %"
is "which the log does not deny" "$(messages 'is counted by its complement')" ""
client time-wait >/dev/null
values >/dev/null
is "its TIME_WAIT is, too, whatever is reported" "$(ports 18000-remote)" "700 of 20000, 3.5 %"
collectd_stop
done_testing
