#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the man page says under RIGHTS is enough, and all of it is needed: nobody
# without capabilities, under a seccomp filter made from the man page's list.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
beside_pid=
at_end() {
  if [[ -n $beside_pid ]]; then kill "$beside_pid"; fi
  cgroup_remove
}

if ((EUID != 0)) || ! "${unprivileged[@]}" true 2>"$work/setpriv"; then
  skip_all "cannot become nobody: $(cat "$work/setpriv" 2>/dev/null)"
fi
# Where nobody can reach them.
cp -- "$build/plugin_host" "$build/.libs/tcpstates.so" "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" "$work"

# listed FEATURE: the system calls of a line of the man page's table, and of those
# that continue it.
listed() {
  awk -v feature="$1" '
    /^=head1/ { here = $2 == "RIGHTS" }
    here && /^  [^ ]/ { now = substr($0, 3, 15); sub(/ +$/, "", now) }
    here && /^  / { if (now == feature) print substr($0, 20) }
    !/^  / { now = "" }' "$top/plugin/collectd-tcpstates.pod" | xargs
}

# Each call, or either of two, and what remains without one of them.
without() {
  local call
  for call in $2; do if [[ $call != "$1" ]]; then echo "$call"; fi; done | xargs
}

# host CALLS: two reads; prints the messages, and the values that do not depend on
# time and on what other programs do.
host() {
  "${as_user[@]}" "$work/plugin_host" --types-db "$work/types.db" --config "$work/tcpstates.conf" \
    ${1:+--allow "${1//|/ }"} --values --reads 2 "$work/tcpstates.so" 2>"$work/messages" >"$work/values" || return
  sed 's/(oldest [^)]*)//' "$work/messages" "$work/values" | grep -vE '_oldest |oldest_seconds |-machine/|unhashed sockets'
}

# check FEATURE CALLS PATTERN: CALLS are allowed beside those of FEATURE; a value
# matches PATTERN.
check() {
  local calls call status wanted
  calls=$(listed "$1")
  if [[ -z $calls ]]; then
    fail "$1: the man page lists system calls" "it does not"
    return
  fi
  wanted=$(as_user=() && host '')
  if ! grep -q "$3" <<<"$wanted"; then fail "$1: there is something to read" "$wanted"; fi
  # Other tests may have made many control groups, which are sorted, and may remove one just now.
  is "$1: values and messages are the same with the system calls of the man page" \
    "$(host "$calls $2 sysinfo inotify_rm_watch" || echo "exit status $?")" "$wanted"
  for call in $calls; do
    status=0
    host "$(without "$call" "$calls $2")" >/dev/null 2>&1 || status=$?
    # 128 + SIGSYS
    is "$1: $call is needed" "exit status $status" "exit status 159"
  done
}

sockets make established ipv4 18000 3
sockets make fin-wait2-held ipv6 18001 2
sleep 1.5
as_user=("${unprivileged[@]}")
always=$(listed 'each read')
ok "without the plugin's reads, none of its system calls is made" \
  "$work/plugin_host" --allow '' --reads 0 "$work/tcpstates.so"

cat >"$work/tcpstates.conf" <<'END'
<Plugin tcpstates>
  ReportUnhashed false
  AllPortsSummary true
  ListeningPorts true
  LocalPort 18000
  ReportAcceptQueue true
</Plugin>
END
check 'each read' '' 'all/tcp_connections-ESTABLISHED 6$'
sed -i 's/ReportAcceptQueue/ReportClosed/' "$work/tcpstates.conf"
check ReportClosed "$always" 'all/tcp_connections-ESTABLISHED 6$'
sed -i -e 's/ReportClosed true/ReportClosed false/' -e 's/ReportUnhashed false/ReportUnhashed true/' "$work/tcpstates.conf"
if sees_all_processes; then
  # Others may have mounted namespaces, which are entered.
  check ReportUnhashed "$always $(listed Namespace)" 'all/tcp_connections-ESTABLISHED 6$'
else
  skip ReportUnhashed "a PID namespace of its own: it ends before most of them"
fi

if cgroup=$(cgroup_make); then
  sockets_in "$cgroup/below" make fin-wait2-held ipv4 18002 1
  sleep 1.5
  cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  ReportUnhashed false
  <Filter "group">
    ControlGroup "/${cgroup##*/}"
  </Filter>
</Plugin>
END
  check ControlGroup "$always" 'group/current_connections-fin_wait2_held 1$'
  cat >"$work/tcpstates.conf" <<'END'
<Plugin tcpstates>
  ReportUnhashed false
  StuckAfter 1
  NotifyStuck 1
</Plugin>
END
  check NotifyStuck "$always" 'notification .* of below '
else
  skip "ControlGroup, NotifyStuck" "there is no cgroup v2 that this user may write"
fi

cat >"$work/tcpstates.conf" <<'END'
<Plugin tcpstates>
  ReportUnhashed false
  StuckAfter 1
  NotifyStuck 1
  NotifyProcesses true
</Plugin>
END
as_user=()
check NotifyProcesses "$always $(listed NotifyStuck)" 'notification .*sockmake\['

unshare --net sleep 600 &
beside_pid=$!
wait_until 60 "a namespace of a process's own" netns_apart "$beside_pid"
cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  ReportUnhashed false
  <Namespace "/proc/$beside_pid/ns/net">
    Name "beside"
  </Namespace>
</Plugin>
END
check Namespace "$always" 'all@beside/tcp_connections-LISTEN '
sed -i 's|/net">|/[n]et">|' "$work/tcpstates.conf"
check patterns "$always $(listed Namespace)" 'all@beside/tcp_connections-LISTEN '
done_testing
