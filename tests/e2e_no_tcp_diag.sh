#!/usr/bin/env bash
# Where the kernel does not hand out sockets: one clear line, and what does not
# need them keeps coming.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
enter_netns "$@"

sockets make time-wait ipv4 18000 2
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000
</Plugin>
END

as_user=(env LD_PRELOAD="$build/.libs/no_tcp_diag.so" TCP_DIAG="$work/tcp_diag")
collectd_start
for ((read = 0; read < 8; read++)); do values >"$work/got"; done
is "the other values keep coming" "$(cut -d' ' -f1,2 "$work/got")" \
  "all current_connections-timewait_buckets
all duration-fin_wait2_lifetime
all duration-tcp_fin_timeout
all gauge-tcp_max_tw_buckets
all percent-timewait_buckets
machine current_connections-allocated
machine current_connections-orphaned
machine gauge-tcp_mem_used"
is "among them the minisockets" "$(awk '/timewait_buckets/ { print $3; exit }' "$work/got")" 2
messages '^\[(error|warning)\]' >"$work/complaints"
is "one line says what to load" "$(sort -u "$work/complaints")" \
  "[error] tcpstates plugin: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values go on."
ok "it is not repeated in every read" test "$(wc -l <"$work/complaints")" -lt 8

touch "$work/tcp_diag"
values >"$work/got"
is "when tcp_diag is there the sockets are counted" "$(grep -c TIME_WAIT "$work/got")" 2
is "and a line says so" "$(messages again)" "[info] tcpstates plugin: the sockets are counted again."
collectd_stop
done_testing
