#!/usr/bin/env bash
# The built .so in a program that stands where the daemon stands
# (tests/support/plugin_host.c): what it registers, dispatches and allocates.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

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

if tcpconns=$(collectd_plugin tcpconns); then
  ok "the program reads collectd's own tcpconns.so too" grep -q . < <("${host[@]}" --values --reads 1 "$tcpconns")
else
  skip "the program reads collectd's own tcpconns.so too" "this collectd has none"
fi
done_testing
