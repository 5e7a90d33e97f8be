#!/usr/bin/env bash
# Where the kernel does not hand out sockets: one clear line, and what does not
# need them keeps coming. In a guest of tests/kernels/run.sh that has the modules'
# files in /tests/modules the kernel lacks them; elsewhere tests/support/no_tcp_diag.c answers
# as such a kernel does.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

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

# check_without WHAT
check_without() {
  local read
  for ((read = 0; read < 7; read++)); do values >"$work/got"; done
  sockets make time-wait ipv4 18000 2
  values >"$work/got"
  is "without $1 the other values keep coming" "$(cut -d' ' -f1,2 "$work/got")" \
    "all current_connections-timewait_buckets
all duration-fin_wait2_lifetime
all duration-tcp_fin_timeout
all gauge-tcp_max_tw_buckets
all percent-timewait_buckets
machine current_connections-allocated
machine current_connections-orphaned
machine gauge-tcp_mem_used"
  is "without $1 the minisockets are among them" "$(value all current_connections-timewait_buckets)" "$(sockstat tw)"
  complaints >"$work/complaints"
  is "without $1 one line says what to load" "$(sort -u "$work/complaints")" \
    "[error] tcpstates plugin: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values go on."
  ok "it is not repeated in every read" test "$(wc -l <"$work/complaints")" -lt 8
}

if first_file /tests/modules/tcp_diag.ko* >/dev/null; then
  collectd_start
  check_without "inet_diag and tcp_diag"
  collectd_stop
  load inet_diag
  collectd_start
  check_without "tcp_diag alone"
  load tcp_diag
else
  as_user=(env LD_PRELOAD="$build/.libs/no_tcp_diag.so" TCP_DIAG="$work/tcp_diag")
  collectd_start
  check_without tcp_diag
  touch "$work/tcp_diag"
fi
# counts: those of the states that last.
counts() {
  grep -E '^(all|18000-local) tcp_connections-(FIN_WAIT2|CLOSE_WAIT|LISTEN) '
}
values >"$work/got"
is "when tcp_diag is there the sockets are counted" "$(counts <"$work/got")" "$(wanted 18000-local all | counts)"
is "and a line says so" "$(messages again)" "[info] tcpstates plugin: the sockets are counted again."
collectd_stop
done_testing
