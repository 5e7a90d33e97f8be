#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The built .so in a program that takes the daemon's place
# (tests/support/plugin_host.c): what it registers, dispatches and allocates.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# Apart: a thousand reads pass every socket of their table, and a machine may have a million others.
enter_netns_apart "$@"

plugin=$build/.libs/tcpstates.so
host=("$build/plugin_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)")
sockets make established ipv4 18000 50
sockets make fin-wait2-held ipv6 18001 5
cat >"$work/tcpstates.conf" <<'END'
<Plugin tcpstates>
  AllPortsSummary true
  ListeningPorts true
  LocalPort 18000
  RemotePort "18000-18001"
</Plugin>
END

is "it registers one plugin: configuration, init, read and shutdown" \
  "$("${host[@]}" --registrations --reads 0 "$plugin" | sort)" \
  "$(printf '%s\n' 'complex_config tcpstates' 'init tcpstates' 'read tcpstates' 'shutdown tcpstates')"
ok "each value has a type of types.db, its range, a name that fits and its time" \
  "${host[@]}" --config "$work/tcpstates.conf" --values --strict-time --reads 2 "$plugin"

"${host[@]}" --config "$work/tcpstates.conf" --measure --warmup 10 --reads 1000 "$plugin" >"$work/measured"
measured() {
  awk -v key="$1" '$1 == key { print $2 }' "$work/measured"
}
is "a read allocates nothing" "$(measured mallocs_per_read)" 0

is "after 1000 reads as many descriptors are open as after the first" \
  "$(measured open_fds_after_last)" "$(measured open_fds_after_first)"

# What the read callback returns: at an error the daemon doubles the interval.
no_values='ReportFinTimeout false
ReportOrphans false
ReportLimits false
ReportUnhashed false'
no_tcp_diag=(env "LD_PRELOAD=$build/.libs/no_tcp_diag.so" "TCP_DIAG=$work/none" "LATER=$work/none" "REQUESTS=$work/requests")
# read_once OPTIONS [COMMAND...]: what a read, with the command before it, prints and returns.
read_once() {
  printf '<Plugin tcpstates>\n%s\n</Plugin>\n' "$1" >"$work/once.conf"
  "${@:2}" "${host[@]}" --config "$work/once.conf" --values "$plugin" 2>/dev/null || echo "failed"
}
is "if nobody listens, a read of ListeningPorts has no value, and succeeds" \
  "$(read_once "ListeningPorts true
$no_values" unshare --net)" "read 1"
is "without tcp_diag a read of sockets has no value, and is an error" \
  "$(read_once "AllPortsSummary true
$no_values" "${no_tcp_diag[@]}")" "read 1
read 1 returned -1
failed"
read_once "AllPortsSummary true" "${no_tcp_diag[@]}" >"$work/once"
is "with other values it succeeds" "$(grep -c '^tcpstates-all/duration-tcp_fin_timeout' "$work/once") $(grep -c returned "$work/once")" "1 0"

if tcpconns=$(collectd_plugin tcpconns); then
  ok "the program reads collectd's own tcpconns.so too" grep -q . < <("${host[@]}" --values --reads 1 "$tcpconns")
else
  skip "the program reads collectd's own tcpconns.so too" "this collectd has none"
fi
done_testing
