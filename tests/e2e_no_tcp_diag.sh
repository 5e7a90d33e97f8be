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

# other_values NAME: three reads complain once and bring all that needs no dump.
other_values() {
  values >/dev/null
  values >/dev/null
  values >/dev/null
  is "$1: the other values keep coming" "$(cut -d' ' -f1,2 "$work/values" | sort)" \
    "all current_connections-timewait_buckets
all duration-fin_wait2_lifetime
all duration-tcp_fin_timeout
all gauge-tcp_max_tw_buckets
all percent-timewait_buckets
machine current_connections-allocated
machine current_connections-orphaned
machine gauge-tcp_mem_used"
  is "$1: among them the minisockets" "$(awk '/timewait_buckets/ { print $3; exit }' "$work/values")" 2
}

as_user=(env LD_PRELOAD="$build/.libs/no_tcp_diag.so")
collectd_start
other_values "without tcp_diag"
# It is repeated at growing intervals.
is "without tcp_diag: one line says what to load" "$(messages '^\[(error|warning)\]' | sort -u)" \
  "[error] tcpstates plugin: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values go on."
collectd_stop

done_testing
