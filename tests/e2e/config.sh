#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A configuration that is refused stops collectd's start with one line that says
# what, where and what to write instead.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

# refused LINE ERROR: collectd does not start with the line, and says why.
refused() {
  local status=0
  collectd_configure < <(printf 'LoadPlugin tcpstates\n<Plugin tcpstates>\n  %s\n</Plugin>\n' "$1")
  collectd_run || status=$?
  is "refused: $1" "status $status: $(messages 'tcpstates plugin')" "status 1: [error] tcpstates plugin: $2"
}

help='write a number from 1 to 65535, a service name or a quoted range such as "8000-8099"'
refused 'LocalPort 0' "LocalPort 0: not a port; $help"
refused 'LocalPort 22 "https" 65536' "LocalPort 65536: not a port; $help"
refused 'LocalPort 8000-8099' 'LocalPort 8000-8099: quote the range; write LocalPort "8000-8099"'
refused 'RemotePort "9-8"' 'RemotePort "9-8": the range ends before it begins; write "8-9"'
refused 'RemotePort "no-such-service"' "RemotePort \"no-such-service\": no TCP service of this name in /etc/services; $help"
refused 'RemotePort 80.5' "RemotePort 80.5: not a port; $help"
refused 'ReportClosed 1' 'ReportClosed 1: not a boolean; write true or false'
refused 'LocalPort "80 443"' 'LocalPort "80 443": several in one pair of quotes; write LocalPort 80 443'
refused 'Interval 5' 'Interval: goes into <LoadPlugin tcpstates>'
refused 'AllPortsSummary true false' 'AllPortsSummary: takes one value; write true or false'
unknown=$(
  collectd_configure <<<$'LoadPlugin tcpstates\n<Plugin tcpstates>\n  LocalPorts 22\n</Plugin>'
  collectd_run || true
  messages 'tcpstates plugin'
)
ok "an unknown option is named, with the nearest and those that there are" \
  grep -qx '\[error\] tcpstates plugin: unknown option "LocalPorts"; write LocalPort, or one of AllPortsSummary, .*LocalPort, .*' <<<"$unknown"

# What collectd itself says, as the man page quotes it; the line is that of the file.
quoted() {
  sed -n "/^  $1/,/^\$/s/^  //p" "$top/plugin/collectd-tcpstates.pod" | xargs -d '\n' | sed 's/line [0-9]*/line N/'
}
collectd_configure <<<$'<Plugin tcpstates>\n</Plugin>\nLoadPlugin tcpstates'
collectd_run || true
is "a block before LoadPlugin" "$(messages 'There is configuration for' | sed 's/^\[.*\] //')" "$(quoted 'There is configuration')"
for option in 'RemoteAddress 10.0.0.0/8' 'RemoteAddress 2001:db8::/32' 'ControlGroup /system.slice'; do
  collectd_configure <<<$'LoadPlugin tcpstates\n<Plugin tcpstates>\n<Filter "a">\n'"$option"$'\n</Filter>\n</Plugin>'
  status=0
  collectd_run || status=$?
  is "without quotes: $option" "status $status: $(messages 'Parse error' | sed 's/line [0-9]*/line N/')" "status 1: $(quoted 'Parse error')"
done

# Several blocks add up, and words are taken as collectd's own options take them.
collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  localport "http" 8000
  ReportFinWait2 off
  ReportByState "no"
</Plugin>
<Plugin tcpstates>
  RemotePort "https"
  AllPortsSummary false
  ReportLimits false
  ReportStuck false
  ReportFinTimeout false
</Plugin>
END
collectd_start
values >"$work/got"
is "two blocks add up" "$(grep -v '^machine' "$work/got")" "443-remote current_connections-orphaned 0
80-local current_connections-orphaned 0
8000-local current_connections-orphaned 0"
collectd_stop

# The configuration that is shipped: as it is, and with every option in it.
shipped=$top/contrib/collectd.conf.d/tcpstates.conf
collectd_configure protocols <"$shipped"
collectd_start
values >"$work/got"
ok "the shipped configuration gives values" grep -q '^all tcp_connections-ESTABLISHED ' "$work/got"
is "and each of the kernel's counters that it names" "$(values protocols | sed -n 's/.*protocol_counter-\([A-Za-z]*\) .*/\1/p' | sort)" \
  "$(sed -n 's/.*"TcpExt:\(.*\)".*/\1/p' "$shipped" | sort)"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
collectd_configure < <(sed '/^<Plugin tcpstates>/,/^<\/Plugin>/s/^# //; /^LoadPlugin protocols/,$d' "$shipped")
collectd_start
values >"$work/got"
# Its pattern matches what this machine has, or nothing.
is "with all options of it, its groups are there" "$(cut -d' ' -f1 "$work/got" | grep -v '@pods$' | sort -u | xargs)" \
  "22-local 443-local 5432-remote 8000-8099-local all api machine web-office"
collectd_stop
done_testing
