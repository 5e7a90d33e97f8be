#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tens of thousands of request socks under a running SYN flood, and a million
# sockets in TIME_WAIT: the values are right, and a read takes less CPU time than the
# interval has.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns_apart "$@"
ip route add 10.0.0.0/8 dev lo

syns=${HOSTILE_SYNS:-57000}
time_waits=${HOSTILE_TIME_WAITS:-1000000}
interval=5
port=8500 # of mass_sockets

mass_pid=
end_mass() {
  if [[ -z $mass_pid ]]; then return 0; fi
  exec {to_mass}>&- {from_mass}<&-
  wait "$mass_pid" || true
  rm "$work/mass.in" "$work/mass.out"
  mass_pid=
}
# collectd has the FIFO open, too, and mass_sockets ends with that.
at_end() {
  if [[ -n $collectd_pid ]]; then collectd_stop; fi
  end_mass
}

# mass MIX NUM: NUM sockets of the mix on one port, and what mass_sockets makes
# besides, 5 % of all.
mass() {
  mkfifo "$work/mass.in" "$work/mass.out"
  "$build/mass_sockets" "$1" $(($2 * 20 / 19)) <"$work/mass.in" >"$work/mass.out" 2>"$work/mass.log" &
  mass_pid=$!
  exec {to_mass}>"$work/mass.in" {from_mass}<"$work/mass.out"
  IFS= read -r _ <&"$from_mass" || {
    fail "$2 sockets of the mix $1 are made" "$(<"$work/mass.log")"
    done_testing
    exit 1
  }
}
again() {
  echo >&"$to_mass"
  IFS= read -r _ <&"$from_mass"
}

# start COUNTING
start() {
  collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort $port
  Counting "$1"
</Plugin>
END
  collectd_start
  values >/dev/null
}

# interval_holds TEXT: a read costs less CPU time than the interval has, so that it
# holds on a machine that has nothing else to do. How many reads were late on this one,
# with all that it does besides, is a figure.
interval_holds() {
  local ms num
  num=$(reads_so_far)
  ms=$(awk -v num="$num" '{ ns += $1 } END { printf "%.0f", ns / 1e6 / num }' /proc/"$collectd_pid"/task/*/schedstat)
  ok "$1: a read costs $ms ms of CPU time, less than the interval of $interval s" test "$ms" -lt $((1000 * interval))
  is "$1: nothing is complained about" "$(complaints)" ""
  echo "# figures: $1: $num reads, $ms ms of CPU time each, $(messages "$late_read" | wc -l) late"
}

# ---- a SYN flood ---------------------------------------------------------------

# All that come are kept.
if [[ ! -e /proc/sys/net/core/somaxconn ]]; then skip_all "net.core.somaxconn cannot be set here"; fi
echo $((2 * syns)) | tee /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_max_syn_backlog >/dev/null
echo 0 >/proc/sys/net/ipv4/tcp_syncookies
# So that none is given up.
echo 10 >/proc/sys/net/ipv4/tcp_synack_retries
mass synrecv "$syns"
start auto
is "SYN flood: all request socks are in SYN_RECV" "$(value $port-local tcp_connections-SYN_RECV)" "$syns"
is "SYN flood: and in all" "$(value all tcp_connections-SYN_RECV)" "$syns"
is "SYN flood: every state is what ss says" "$(states all)" "$(ss -tanH | ss_states)"
is "SYN flood: the port's, too" "$(states $port-local)" "$(ss -tanH "sport = :$port" | ss_states)"
# All SYNs come again and again.
more=$(($(reads_so_far) + 4))
floods=0
for ((i = 0; i < 1000 && $(reads_so_far) < more; i++)); do
  again
  floods=$((floods + 1))
done
values >/dev/null
ok "SYN flood: $((floods * syns)) SYNs more" test $floods -gt 1
is "SYN flood: while they come, nothing else" "$(awk -v id="/tcpstates-$port-local/tcp_connections-SYN_RECV" 'index($2, id) {
    sub(/.*:/, "", $4)
    print $4 + 0
  }' "$work/output" | sort -u)" "$syns"
interval_holds "SYN flood of $syns"
collectd_stop
end_mass

# ---- TIME_WAIT -----------------------------------------------------------------

free=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
need=$((time_waits / 2 + 500000)) # KiB
if ((free < need)); then
  skip "$time_waits in TIME_WAIT" "they need $((need / 1024)) MiB, and $((free / 1024)) MiB are available"
else
  echo $((2 * time_waits)) >/proc/sys/net/ipv4/tcp_max_tw_buckets
  mass timewait "$time_waits"
  # They last 60 s.
  for counting in auto dump; do
    again
    start $counting
    is "TIME_WAIT, $counting: all are counted" "$(value all tcp_connections-TIME_WAIT)" "$time_waits"
    is "TIME_WAIT, $counting: by port" "$(value $port-local tcp_connections-TIME_WAIT)" "$time_waits"
    is "TIME_WAIT, $counting: as sockstat has them" "$(value all current_connections-timewait_buckets)" \
      "$(awk '$1 == "TCP:" { print $7 }' /proc/net/sockstat)"
    again
    values >/dev/null
    again
    is "TIME_WAIT, $counting: every state is what ss says" "$(states all)" "$(ss -tanH | ss_states)"
    interval_holds "$time_waits in TIME_WAIT, Counting \"$counting\""
    collectd_stop
  done
  end_mass
fi
done_testing
