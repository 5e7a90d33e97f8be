#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What lasts is logged at growing intervals; a new reason is news,
# and said at once: of socket counts, files and namespaces.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

sockets make established ipv4 18000 2 # or nothing is dumped
nsenter --net="/proc/$$/ns/net" true 2>"$work/nsenter" || skip_all "no right to enter a namespace: $(<"$work/nsenter")"
cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  ReportUnhashed false
  <Namespace "/proc/$$/ns/net">
    Name "beside"
  </Namespace>
</Plugin>
END
# A namespace that is not read within it is only said to be late.
interval=$(patient 10)
export FAULTS_PROC=$top/tests/unit/fixtures/proc

# said LINE...: what is logged in one read after the other; LINE: see faults_plan() in
# tests/faults/faults.h, its role is the read's name.
said() {
  printf '%s\n' "$@" |
    "$build/faulty_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" \
      --config "$work/tcpstates.conf" --interval "$interval" --stdin "$build/.libs/tcpstates.so" 2>&1 |
    awk '/^(error|warning|info): / && !/: counting: / { said = said "\t" $0 } /^# plan/ { name = $3 } /^done$/ { print name said; said = "" }'
}

is "no socket counts" "$(said 'one sendto 1 ENOBUFS' 'same sendto 1 ENOBUFS' 'other sendto 1 ENOMEM' 'same sendto 1 ENOMEM' good good 'again sendto 1 ENOMEM')" \
  "one	error: tcpstates plugin: no socket counts: No buffer space available. Other values are still reported.
same
other	error: tcpstates plugin: no socket counts: Cannot allocate memory. Other values are still reported.
same
good	info: tcpstates plugin: the sockets are counted again.
good
again	error: tcpstates plugin: no socket counts: Cannot allocate memory. Other values are still reported."

# What could be opened stays open. The third read(2) is of the next file.
is "a file" "$(said 'one open 1 EIO' 'same open 1 EIO' 'other open 1 EACCES' 'next read 3 EIO' 'same open 1 EIO' good good)" \
  "one	warning: tcpstates plugin: /proc/sys/net/ipv4/tcp_fin_timeout: Input/output error. Its values are missing.
same
other	warning: tcpstates plugin: /proc/sys/net/ipv4/tcp_fin_timeout: Permission denied. Its values are missing.
next	warning: tcpstates plugin: /proc/sys/net/ipv4/tcp_max_orphans: Input/output error. Its values are missing.
same
good	info: tcpstates plugin: all files are read again.
good"

path="namespace beside: /proc/$$/ns/net"
is "a namespace" "$(said 'one setns 1 ENOMEM' 'same setns 1 ENOMEM' 'other setns 1 EINVAL' 'next pthread_create 1 EAGAIN' 'same pthread_create 1 EAGAIN' good good)" \
  "one	error: tcpstates plugin: $path: Cannot allocate memory. Its values are missing.
same
other	error: tcpstates plugin: $path: this file is not a network namespace. Its values are missing.
next	error: tcpstates plugin: $path: Resource temporarily unavailable. Its values are missing.
same
good	info: tcpstates plugin: namespace beside: it is read again.
good"
done_testing
