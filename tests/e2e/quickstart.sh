#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/quickstart.sh shows the numbers that the test has made, and leaves
# nothing in the temporary directory.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

mkdir "$work/tmp"
# It builds first, which may take longer than what is made here lasts.
ok "it builds, and ends well" env TMPDIR="$work/tmp" "$top/contrib/quickstart.sh" --once
sockets make fin-wait2-held ipv4 18000 3
sockets make fin-wait2-orphaned ipv6 18000 2
sockets make time-wait ipv4 18000 4
cat >"$work/block.conf" <<'END'
<Plugin tcpstates>
  AllPortsSummary true
  RemotePort 18000
</Plugin>
END
TMPDIR=$work/tmp "$top/contrib/quickstart.sh" --once --config "$work/block.conf" >"$work/table" 2>"$work/progress" ||
  fail "it prints a table and ends" "$(<"$work/progress")"

# row LABEL: what follows it.
row() {
  awk -v label="$1" '$1 == label { $1 = ""; print substr($0, 2); exit }' "$work/table"
}
is "FIN_WAIT2" "$(row FIN_WAIT2)" "5 5"
is "held" "$(row held)" "3 3"
is "orphaned" "$(row orphaned)" "2 2"
is "TIME_WAIT" "$(row TIME_WAIT)" "4 4"
is "CLOSE_WAIT" "$(row CLOSE_WAIT)" "5 0"
is "LISTEN" "$(row LISTEN)" "2 0"
is "tcp_fin_timeout" "$(row tcp_fin_timeout | cut -d' ' -f1)" "$(</proc/sys/net/ipv4/tcp_fin_timeout)"
is "nothing is left behind" "$(ls -A "$work/tmp")" ""

status=0
"$top/contrib/quickstart.sh" --bogus >/dev/null 2>"$work/progress" || status=$?
is "wrong usage has exit status 2" "$status" 2
done_testing
