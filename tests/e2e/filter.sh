#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Filter blocks under a real collectd: ports, addresses, families and control
# groups.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

sockets_of_every_kind 18000
sockets make established ipv4 18010 3 127.1.2.3 127.2.0.7
sockets make established mapped 18011 4 ::ffff:127.1.9.9 ::ffff:127.2.0.7
sockets make fin-wait2-held ipv4 18012 2 127.1.2.3
sockets make established ipv6 18013 1

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  ReportStuck false
  ReportClosed true
  LocalPort 18000
  <Filter "web">
    LocalPort 18000 18001
    LocalPort "18010-18020"
  </Filter>
  <Filter "peer">
    RemoteAddress "127.2.0.7"
  </Filter>
  <Filter "net">
    LocalAddress "127.1.0.0/16" "::1"
  </Filter>
  <Filter "web-of-peer">
    LocalPort 18011 "18010"
    RemoteAddress "127.2.0.0/24"
    AddressFamily "ipv4"
  </Filter>
  <Filter "ipv4">
    AddressFamily "IPv4"
  </Filter>
  <Filter "ipv6">
    AddressFamily "ipv6"
  </Filter>
  <Filter "ipv6-peers">
    RemoteAddress "::/0"
  </Filter>
  <Filter "nobody">
    LocalAddress "192.0.2.1"
  </Filter>
</Plugin>
END
collectd_start
values >"$work/got"

# check GROUP CONDITION: see wanted_where.
check() {
  is "group \"$1\"" "$(grep "^$1 tcp_connections-\|^$1 current_connections-" "$work/got")" "$(wanted_where "$1" "$2")"
}
# An IPv6 socket that speaks IPv4 counts as IPv4.
ipv4='($4 ~ /^(::ffff:)?[0-9]+\.[0-9.]+$/)'
check 18000-local '$5 == 18000'
check web '$5 == 18000 || $5 == 18001 || ($5 >= 18010 && $5 <= 18020)'
check peer '$6 ~ /^(::ffff:)?127\.2\.0\.7$/'
check net '$4 ~ /^(::ffff:)?127\.1\./ || $4 == "::1"'
check "web-of-peer" '($5 == 18010 || $5 == 18011) && $6 ~ /^(::ffff:)?127\.2\.0\./'
check ipv4 "$ipv4"
check ipv6 "!$ipv4"
check "ipv6-peers" '$6 !~ /^(::ffff:)?[0-9]+\.[0-9.]+$/'
check nobody 0
is "with ports configured there is \"all\" only when asking for it" "$(grep -c '^all tcp_connections' "$work/got" || true)" 0
is "nothing is complained about" "$(complaints)" ""
collectd_stop

# Control groups: one that comes, goes and comes back while collectd runs.
if ! cgroup=$(cgroup_make); then
  skip "control groups" "no cgroup v2 hierarchy is mounted where this user may write"
  done_testing
  exit 0
fi
at_end() { cgroup_remove; }
inside() {
  sockets_in "$cgroup/service" "$@"
}
collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  ReportStuck false
  ReportClosed true
  <Filter "service">
    ControlGroup "/${cgroup##*/}/service/"
  </Filter>
  <Filter "above">
    ControlGroup "/${cgroup##*/}"
    LocalPort 18100
  </Filter>
</Plugin>
END
collectd_start
# service_is NAME: both groups have what the sockmake inside has made. Sockets of
# its orphans keep the group; what carries none is not dispatched.
unknown='tcp_connections-(SYN_RECV|FIN_WAIT2|TIME_WAIT) |fin_wait2_orphaned '
service_is() {
  values >"$work/got"
  is "$1" "$(grep '^service \|^above ' "$work/got")" "$(
    # shellcheck disable=SC2034 # sockets reads them
    to_sockmake=$to_inside from_sockmake=$from_inside
    {
      wanted_where service 1
      wanted_where above '$5 == 18100'
    } | grep -vE "$unknown" | sort
  )"
}
nothing() {
  values >"$work/got"
  is "$1" "$(awk '$1 == "service" || $1 == "above" { sum += $3; num++ } END { print sum + 0, (num > 10) }' "$work/got")" "0 1"
}
nothing "a control group that is not there yet has no sockets"
inside make established ipv4 18100 3
inside make fin-wait2-held ipv6 18100 2
inside make last-ack-orphaned ipv4 18101 1
service_is "it has come: its sockets and those of the group above it are counted"
sockets_in_end
# The orphan goes on without its control group's directory.
nothing "it has gone"
inside make established mapped 18102 5
service_is "it is back, with another id"
sockets_in_end
is "nothing is complained about" "$(complaints)" ""
collectd_stop
done_testing
