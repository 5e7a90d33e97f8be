#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where the kernel does not report sockets: one clear line, and what does not
# need them keeps coming. In a guest of tests/kernels/run.sh that has the modules'
# files in /tests/modules the kernel lacks them; elsewhere tests/support/no_tcp_diag.c answers
# as such a kernel does.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# Apart: what is compared has to be read close to each other, and a machine may have a million
# other sockets.
enter_netns_apart "$@"

sockets make fin-wait2-held ipv6 18000 3
# A namespace that is not read within it is only said to be late.
interval=1
collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 18000
  <Namespace "/proc/$$/ns/net">
    Name "beside"
  </Namespace>
</Plugin>
END
# In a guest it only counts requests and holds the time.
preload=$build/.libs/no_tcp_diag.so
as_user=(env LD_PRELOAD="$preload" TCP_DIAG="$work/tcp_diag" LATER="$work/later" REQUESTS="$work/requests")

# later SECONDS: the time is by so much later than when collectd began.
later() {
  echo "$1" >"$work/later.new"
  mv -- "$work/later.new" "$work/later"
}

# load MODULE: insmod of Debian 12 can read every form that the file comes in.
load() {
  insmod "$(first_file "/tests/modules/$1".ko*)"
}

seven_reads() { (($(grep -c '/tcpstates-all/duration-tcp_fin_timeout ' "$work/output") >= 7)); }
# check_without WHAT
check_without() {
  wait_until 60 "seven reads" seven_reads || fail "seven reads"
  sockets make time-wait ipv4 18000 2
  # Whether unhashed sockets are known is decided by what can be seen of the machine.
  values | grep -vE '^all@beside |unhashed' >"$work/got"
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
  is "without $1 one line of each namespace says what to load" "$(sort -u "$work/complaints")" \
    "[error] tcpstates plugin: namespace beside: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values are still reported.
[error] tcpstates plugin: no socket counts: tcp_diag is not available (CONFIG_INET_TCP_DIAG, or: modprobe tcp_diag). Other values are still reported."
  ok "it is not repeated in every read" test "$(wc -l <"$work/complaints")" -lt 16
  is "without $1 the kernel is asked once, not in each read of two namespaces" "$(wc -l <"$work/requests")" 1
}

if first_file /tests/modules/tcp_diag.ko* >/dev/null; then
  touch "$work/tcp_diag"
  collectd_start
  check_without "inet_diag and tcp_diag"
  collectd_stop
  load inet_diag
  rm "$work/requests"
  collectd_start
  check_without "tcp_diag alone"
  load tcp_diag
else
  collectd_start
  check_without tcp_diag
  touch "$work/tcp_diag"
fi
later 299
values >/dev/null
is "it is not asked before its time" "$(wc -l <"$work/requests")" 1
later 301
values >/dev/null
# counts: those of the states that last.
counts() {
  grep -E '^(all|18000-local) tcp_connections-(FIN_WAIT2|CLOSE_WAIT|LISTEN) '
}
values >"$work/got"
is "when tcp_diag is there the sockets are counted" "$(counts <"$work/got")" "$(wanted 18000-local all | counts)"
is "and a line of each says so" "$(messages again | sort)" "[info] tcpstates plugin: namespace beside: the sockets are counted again.
[info] tcpstates plugin: the sockets are counted again."
collectd_stop
done_testing
