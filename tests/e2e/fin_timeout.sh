#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tcp_fin_timeout and the limits around it: changed under a running collectd,
# and what they make of an orphaned FIN_WAIT2.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

sysctl=/proc/sys/net/ipv4

collectd_configure <<<'LoadPlugin tcpstates'
collectd_start

for case in 60:60 61:2 70:20 7:7 120:120; do
  echo "${case%:*}" >$sysctl/tcp_fin_timeout
  values >/dev/null
  is "tcp_fin_timeout ${case%:*} is seen in the next interval" "$(value all duration-tcp_fin_timeout)" "${case%:*}"
  is "an orphaned FIN_WAIT2 lives ${case#*:} s then" "$(value all duration-fin_wait2_lifetime)" "${case#*:}"
done

# lifetime T PORT: how many seconds an orphaned FIN_WAIT2 really lives under T: more than
# $seen, and at most $gone.
lifetime() {
  echo "$1" >$sysctl/tcp_fin_timeout
  sockets make fin-wait2-orphaned ipv4 "$2" 1
  seen=0
  wait_until 60 "the orphan of tcp_fin_timeout $1 ends" has_gone "$2"
}
has_gone() {
  local before
  before=$(orphan_age "$1")
  if [[ -n $(ss -tanH state fin-wait-2 "dport = $1") ]]; then
    seen=$before
    return 1
  fi
  gone=$(orphan_age "$1")
}
orphan_age() {
  sockets list | awk -v port="$1" '$2 == "orphaned" && $7 == port { print $8 / 1000 }'
}
for T in 1 3 61; do
  lifetime $T $((18500 + T))
  values >/dev/null
  said=$(value all duration-fin_wait2_lifetime)
  # The timer wheel is late, never early.
  ok "with tcp_fin_timeout $T an orphan lived $seen to $gone s, and $said s is what the plugin says" \
    awk -v seen="$seen" -v gone="$gone" -v said="$said" 'BEGIN { exit !(gone >= said && seen < said + 2.5) }'
done

echo 60 >$sysctl/tcp_fin_timeout
sockets make fin-wait2-orphaned ipv4 18000 3
sockets make time-wait ipv6 18001 2
values >/dev/null
is "at 60 s orphaned FIN_WAIT2 sockets are minisockets" "$(value all current_connections-timewait_buckets)" 5
is "and no orphans" "$(value all current_connections-orphaned)" 0
is "they are orphaned FIN_WAIT2" "$(value all current_connections-fin_wait2_orphaned)" 3

echo 120 >$sysctl/tcp_fin_timeout
sockets make fin-wait2-orphaned ipv4 18002 4
values >/dev/null
is "at 120 s new ones are not minisockets" "$(value all current_connections-timewait_buckets)" 5
is "but orphans" "$(value all current_connections-orphaned)" 4
is "all of them are orphaned FIN_WAIT2" "$(value all current_connections-fin_wait2_orphaned)" 7
is "none is held" "$(value all current_connections-fin_wait2_held)" 0

is "timewait_buckets is sockstat's tw" "$(value all current_connections-timewait_buckets)" \
  "$(awk '$1 == "TCP:" { print $7 }' /proc/net/sockstat)"
is "tcp_max_tw_buckets is the sysctl" "$(value all gauge-tcp_max_tw_buckets)" "$(<$sysctl/tcp_max_tw_buckets)"
echo 50 >$sysctl/tcp_max_tw_buckets
values >/dev/null
is "tcp_max_tw_buckets is seen in the next interval" "$(value all gauge-tcp_max_tw_buckets)" 50
is "5 minisockets of 50 are 10 percent" "$(value all percent-timewait_buckets)" 10
echo 2 >$sysctl/tcp_max_tw_buckets
values >/dev/null
is "a percentage ends at 100" "$(value all percent-timewait_buckets)" 100

is "a namespace without tcp_max_orphans and tcp_mem lacks their values only" \
  "$(awk '$1 == "machine" { print $2 }' "$work/values" | grep -v unhashed | sort)" \
  "current_connections-allocated
current_connections-orphaned
gauge-tcp_mem_used"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
done_testing
