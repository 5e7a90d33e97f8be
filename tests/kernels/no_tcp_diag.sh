#!/usr/bin/env bash
# In a guest that lacks inet_diag and tcp_diag, and has their files in /tests/modules:
# e2e_no_tcp_diag.sh with the real kernel.
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"
enter_netns "$@"

sockets make time-wait ipv4 18000 2
sockets make fin-wait2-held ipv6 18000 3
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000
</Plugin>
END

# load MODULE: insmod of Debian 12 can read every form that the file comes in.
load() {
  insmod "$(first_file "/tests/modules/$1".ko*)"
}
others='all current_connections-timewait_buckets
all duration-fin_wait2_lifetime
all duration-tcp_fin_timeout
all gauge-tcp_max_tw_buckets
all percent-timewait_buckets
machine current_connections-allocated
machine current_connections-orphaned
machine gauge-tcp_mem_used'
complaint="[error] tcpstates plugin: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values go on."

for missing in "inet_diag and tcp_diag" "tcp_diag alone"; do
  if [[ $missing == tcp_diag* ]]; then load inet_diag; fi
  collectd_start
  values >"$work/got"
  is "without $missing the other values come, and no counts" "$(cut -d' ' -f1,2 "$work/got")" "$others"
  is "without $missing one line says what to load" "$(messages '^\[(error|warning)\]' | sort -u)" "$complaint"
  if [[ $missing == inet_diag* ]]; then collectd_stop; fi
done

load tcp_diag
values >"$work/got"
is "when tcp_diag is loaded the sockets are counted" \
  "$(grep -E '^(all|18000-local) tcp_connections-(FIN_WAIT2|CLOSE_WAIT|TIME_WAIT) ' "$work/got")" \
  "$(wanted 18000-local all | grep -E ' tcp_connections-(FIN_WAIT2|CLOSE_WAIT|TIME_WAIT) ')"
is "and a line says so" "$(messages again)" "[info] tcpstates plugin: the sockets are counted again."
collectd_stop
done_testing
