#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/tcpstates-thresholds.conf in a real collectd: each threshold passed by real sockets, except
# that of unhashed ones, which are the machine's, and notify-mail.sh, called by the plugin exec, mails
# it. collectd-nagios agrees.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
for plugin in threshold exec unixsock protocols; do
  collectd_plugin "$plugin" >"$work/plugin" || skip_all "collectd has no plugin $plugin here: contrib/install-deps.sh test"
done
type -P collectd-nagios >"$work/plugin" || skip_all "collectd-nagios is missing: contrib/install-deps.sh test"
sees_all_processes || skip_all "a PID namespace of its own: unhashed sockets are not known"
enter_netns "$@"
machine_limits

# "GROUP/TYPE-NAME WARNING_RANGE FAILURE_RANGE", as Nagios writes ranges. What is of each group that
# has it is here of the only one.
awk '
  /^ *#/ { next }
  $1 == "<Type" { type = $2; name = ""; split("", limit); next }
  $1 == "Instance" && type == "" { group = $2 }
  $1 == "Instance" { name = $2 }
  $1 == "<Plugin" { plugin = $2; group = "" }
  /Min|Max/ { limit[$1] = $2 }
  $1 == "</Type>" {
    print plugin "-" group "/" type "-" name, range("Warning"), range("Failure")
    type = ""
  }
  function range(of) { return end("~", of "Min") ":" end("", of "Max") }
  function end(without, key) { return key in limit ? limit[key] : without }' \
  "$top/contrib/tcpstates-thresholds.conf" | tr -d '">' |
  sed 's/^tcpstates-\//tcpstates-18020-remote\//' >"$work/thresholds"

# ---- collectd, with a mail that writes down who sends what ---------------------------

mkdir "$work/bin" "$work/mail" "$work/state"
chmod 777 "$work/mail" "$work/state"
cp -- "$top/contrib/notify-mail.sh" "$work/bin/"
cat >"$work/bin/mail" <<END
#!/bin/sh
printf '%s\t%s\t%s\t%s\n' "\$(id -un)" "\$3" "\$2" "\$(cat)" >>"$work/mail/log"
END
chmod 755 "$work/bin/mail" "$work/bin/notify-mail.sh"
: >"$work/mail/log"
chmod 666 "$work/mail/log"
PATH=$work/bin:$PATH
as_user=("${as_machine[@]}")
# exec changes to nobody where this is root. Another user's root cannot: there the
# whole collectd is nobody.
if ! setpriv --reuid=nobody --clear-groups true 2>"$work/setpriv"; then
  as_user+=(unshare --user "--map-user=$(id -u nobody)" "--map-group=$(id -g nobody)")
fi
# Timeout: by default two reads that are late, one after the other, are a value that has
# stopped coming.
# Hits N is N + 2 reads; here 3 of them stand for all.
collectd_configure threshold exec unixsock protocols <<END
Timeout 10
LoadPlugin tcpstates
<Plugin tcpstates>
  StuckAfter 1
  AllPortsSummary true
  RemotePort 18020
  ReportAcceptQueue true
  ReportEphemeralPorts true
</Plugin>
LoadPlugin protocols
<Plugin protocols>
  Value "TcpExt:TCPTimeWaitOverflow"
  IgnoreSelected false
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "$work/run/sock"
  SocketGroup "$(id -gn)"
</Plugin>
LoadPlugin exec
<Plugin exec>
  NotificationExec "nobody" "$work/bin/notify-mail.sh" "--state" "$work/state" "someone"
</Plugin>
$(sed 's/Hits [0-9]*/Hits 1/' "$top/contrib/tcpstates-thresholds.conf")
END
collectd_start
values >/dev/null

# ---- what there is to watch ------------------------------------------------------------

cut -d' ' -f1 "$work/thresholds" | tr / ' ' | sort >"$work/names"
is "tcpstates-thresholds.conf watches these" "$(<"$work/names")" "protocols-TcpExt protocol_counter-TCPTimeWaitOverflow
tcpstates-18020-remote percent-ephemeral_ports
tcpstates-all current_connections-close_wait_stuck
tcpstates-all current_connections-close_wait_unaccepted
tcpstates-all current_connections-fin_wait1_stuck
tcpstates-all current_connections-fin_wait2_stuck
tcpstates-all duration-tcp_fin_timeout
tcpstates-all percent-accept_queue
tcpstates-machine current_connections-unhashed
tcpstates-machine percent-orphans
tcpstates-machine percent-tcp_mem"
is "all of it is dispatched" \
  "$(awk '$1 == "PUTVAL" { split($2, id, "/"); print id[2], id[3] }' "$work/output" | sort -u | comm -13 - "$work/names")" ""
for tenths in {1..600}; do
  if (($(messages Notification | wc -l) == $(wc -l <"$work/names"))); then break; fi
  sleep 0.1
done
# Unhashed sockets are those of the machine: what runs beside may have many.
is "collectd says once of each that it is in range" \
  "$(messages Notification | sed 's/.*severity = \([A-Z]*\), .*plugin = \([a-z]*\), plugin_instance = \([-A-Za-z0-9]*\), type = \([a-z_]*\), type_instance = \([A-Za-z0-9_]*\),.*/\1 \2-\3 \4-\5/; s/^WARNING \(.*-unhashed\)$/OKAY \1/' | sort)" \
  "$(sed 's/^/OKAY /' "$work/names")"

# Each limit here is one of Prometheus's alerts, too: that of the value, or of its rate.
is "Prometheus's alert rules have these limits" "$(
  while read -r key warning failure; do
    for range in "$warning" "$failure"; do
      if [[ $range == '~:' ]]; then continue; fi
      limit=">=? ${range#*:}"
      if [[ ${range%:*} == "${range#*:}" ]]; then limit="!= ${range#*:}"; fi
      grep -qE "type=\"${key##*-}\"\\}(\\[5m\\]\\))? $limit\\b" "$top/contrib/prometheus/alerts.yml" || echo "$key $limit"
    done
  done <"$work/thresholds"
)" ""

# ---- each threshold, passed and over ---------------------------------------------------

# mails KEY: the severities mailed so far, of the machine $host.
host=localhost
mails() {
  awk -F '\t' -v end=" $host $1" '
    substr($3, length($3) - length(end) + 1) == end { sub(/:.*/, "", $3); print $3 }' "$work/mail/log" | xargs
}
# nagios KEY: what collectd-nagios makes of the same value with the same limits.
nagios() {
  local key warning failure code=0
  local -a ranges
  read -r key warning failure < <(grep "^$1 " "$work/thresholds")
  ranges=(-w "$warning")
  if [[ $failure != '~:' ]]; then ranges+=(-c "$failure"); fi
  collectd-nagios -s "$work/run/sock" -H localhost -n "$key" "${ranges[@]}" >"$work/nagios" || code=$?
  case $code in
    0) echo OKAY ;;
    1) echo WARNING ;;
    2) echo FAILURE ;;
    *) echo "$code: $(<"$work/nagios")" ;;
  esac
}
# await KEY SEVERITY TEXT [COMMAND...]: that becomes the last mail about the value.
# COMMAND is repeated until then.
await() {
  local key=$1 severity=$2 text=$3 tenths
  shift 3
  for ((tenths = 0; tenths < 1200; tenths++)); do
    "$@"
    sleep 0.1
    if [[ $(mails "$key") == *"$severity" ]]; then
      pass "$key: $text: $severity"
      return 0
    fi
  done
  fail "$key: $text: $severity" "120 s long it was: $(mails "$key")
$(messages . | tail -n 5)"
}
# agrees KEY SEVERITY: and so does Nagios.
agrees() {
  is "$1: collectd-nagios says $2, too" "$(nagios "$1")" "$2"
}

key=tcpstates-all/current_connections-fin_wait2_stuck
sockets make fin-wait2-held ipv4 18000 20
stuck() { awk '$1 == "all" && $2 ~ /(fin_wait2|close_wait)_stuck$/ { print $3 }' "$work/values" | xargs; }
both_stuck() { values >/dev/null && [[ $(stuck) == "20 20" ]]; }
wait_until 60 "20 are stuck" both_stuck
values >/dev/null
is "20 stuck are not more than 20" "$(stuck):$(mails $key)" "20 20:"
agrees $key OKAY
sockets release fin-wait2-held ipv4 18000
sockets make fin-wait2-held ipv4 18000 16
sockets make fin-wait2-held ipv6 18001 5
await $key WARNING "21 are"
agrees $key WARNING
sockets release fin-wait2-held ipv6 18001
values >/dev/null
values >/dev/null
is "16 are within the hysteresis" "$(nagios $key):$(mails $key)" "OKAY:WARNING"
sockets make fin-wait2-held ipv6 18001 185
await $key FAILURE "201 are more than 200"
await tcpstates-all/current_connections-close_wait_stuck WARNING "and their other ends"
agrees $key FAILURE
sockets release fin-wait2-held ipv6 18001
sockets release fin-wait2-held ipv4 18000
await $key OKAY "none"
await tcpstates-all/current_connections-close_wait_stuck OKAY "none"
agrees $key OKAY
# A read may have come between the two releases.
ok "each was said once" grep -qE '^WARNING FAILURE (WARNING )?OKAY$' <(mails $key)

key=tcpstates-all/current_connections-fin_wait1_stuck
sockets make fin-wait1-held ipv4 18008 21
await $key WARNING "21 are"
agrees $key WARNING
sockets make fin-wait1-held ipv6 18009 180
await $key FAILURE "201 are"
sockets release fin-wait1-held ipv4 18008
sockets release fin-wait1-held ipv6 18009
await $key OKAY "none"

key=tcpstates-all/current_connections-close_wait_unaccepted
sockets make close-wait-unaccepted ipv4 18010 20
values >/dev/null
values >/dev/null
is "20 that nobody has accepted are not more than 20" "$(awk '$1 == "all" && $2 ~ /close_wait_unaccepted$/ { print $3 }' "$work/values"):$(mails $key)" "20:"
sockets make close-wait-unaccepted ipv6 18011 1
await $key WARNING "21 are"
agrees $key WARNING
sockets release close-wait-unaccepted ipv4 18010
sockets release close-wait-unaccepted ipv6 18011
await $key OKAY "none"

# traffic KIND ARGUMENT...: see tests/fleet/traffic.py; its process id is $traffic.
traffic() {
  rm -f -- "$work/traffic" # that of another one is ready
  python3 "$top/tests/fleet/traffic.py" "$@" >"$work/traffic" &
  traffic=$!
  wait_until 60 "$* is ready" grep -q ready "$work/traffic"
}
key=tcpstates-18020-remote/percent-ephemeral_ports
range=$(</proc/sys/net/ipv4/ip_local_port_range)
echo 20000 20199 >/proc/sys/net/ipv4/ip_local_port_range
traffic serve 18020
serve=$traffic
traffic pool 127.0.0.1 18020 162
await $key WARNING "162 of 200"
agrees $key WARNING
pool=$traffic
traffic pool 127.0.0.1 18020 32
await $key FAILURE "194"
agrees $key FAILURE
kill "$traffic" "$pool" "$serve"
echo "$range" >/proc/sys/net/ipv4/ip_local_port_range
await $key OKAY "none, or in TIME_WAIT"

key=protocols-TcpExt/protocol_counter-TCPTimeWaitOverflow
buckets=$(</proc/sys/net/ipv4/tcp_max_tw_buckets)
echo 40 >/proc/sys/net/ipv4/tcp_max_tw_buckets
traffic answer 18002
answer=$traffic
traffic ends 127.0.0.1 18002 30
await $key WARNING "30 connections a second, and 40 buckets"
kill "$traffic"
traffic ends 127.0.0.1 18002 500
await $key FAILURE "500 a second"
kill "$traffic" "$answer"
echo "$buckets" >/proc/sys/net/ipv4/tcp_max_tw_buckets
await $key OKAY "none"

key=tcpstates-all/percent-accept_queue
echo 10 >/proc/sys/net/core/somaxconn
sockets make unaccepted ipv4 18004 6
await $key WARNING "6 of 10"
is "$key: in the third read that found them, not before" \
  "$(sed '/severity = WARNING.*type_instance = accept_queue/q' "$work/output" | grep -c '^PUTVAL .*/tcpstates-all/percent-accept_queue .*:60\.')" 3
agrees $key WARNING
sockets release unaccepted ipv4 18004
await $key OKAY "none"
agrees $key OKAY

key=tcpstates-all/duration-tcp_fin_timeout
for seconds in 61 59; do
  echo $seconds >/proc/sys/net/ipv4/tcp_fin_timeout
  await $key WARNING "$seconds s"
  agrees $key WARNING
  echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
  await $key OKAY "60 s"
done
agrees $key OKAY

key=tcpstates-machine/percent-orphans
sockets make fin-wait1-orphaned ipv4 18006 200
# Machine-wide: others' sockets count, so the limit follows them.
ok "200 sockets are orphans" test "$(sockstat orphan)" -ge 200
await $key WARNING "35 % of the limit" limit_at tcp_max_orphans 35
await $key FAILURE "70 % of it" limit_at tcp_max_orphans 70
sockets release fin-wait1-orphaned ipv4 18006
limit_is tcp_max_orphans 1000000
await $key OKAY "under a million"

key=tcpstates-machine/percent-tcp_mem
sockets make listen ipv4 18007 1
memory_take 18007
ok "what nobody reads takes memory" test "$(sockstat mem)" -ge 500
await $key WARNING "80 % of the limit" limit_at tcp_mem 80
await $key FAILURE "97 % of it" limit_at tcp_mem 97
memory_free
limit_is tcp_mem 1000000 2000000 3000000
await $key OKAY "under three millions"

# ---- values that stop coming -----------------------------------------------------------

# put: what a collectd that receives another machine's values has of that machine.
put() {
  local key
  for key in all/percent-accept_queue:1 all/duration-tcp_fin_timeout:60; do
    collectdctl -s "$work/run/sock" putval "web1/tcpstates-${key%:*}" "N:${key#*:}"
  done
}
host=web1
key=tcpstates-all/duration-tcp_fin_timeout
put
await $key FAILURE "put once, and no more"
await $key OKAY "put again" put
ok "$host: each was said once" grep -q '^FAILURE OKAY' <(mails $key)
is "$host: one that is not Interesting is not missed" \
  "$(messages 'severity = FAILURE, host = web1,' | grep -v 'type_instance = tcp_fin_timeout,' || true)" ""
host=localhost

# ---- the mails ----------------------------------------------------------------------------

is "each mail was sent as nobody, never as root" "$(cut -f1 "$work/mail/log" | sort -u)" nobody
is "to those in the configuration" "$(cut -f2 "$work/mail/log" | sort -u)" someone
ok "collectd's text is in it" grep -qE $'^nobody\tsomeone\tFAILURE: localhost tcpstates-all/current_connections-fin_wait2_stuck\t.*currently 201\.0+\. That is above the failure threshold of 200\.' "$work/mail/log"
is "of what was wrong, nothing is remembered" "$(find "$work/state" -type f | grep -v unhashed || true)" ""
# A connection of collectd-nagios may be over before its thread has a name.
is "nothing is complained about" "$(complaints | grep -v 'set_thread_name("unixsock conn")' || true)" ""

# ---- the rest of notify-mail.sh, and what tcpstates-thresholds.conf documents --------------------------

notify() {
  : >"$work/mail/log"
  printf '%s\n' "Severity: $1" "Time: 1200928930.515" "Host: h" "Plugin: $2" "PluginInstance: all" "Type: t" \
    "TypeInstance: n" "" "a text: with colons" | "$work/bin/notify-mail.sh" "${@:3}" 2>"$work/notify" || echo "exit $?"
  cut -f2- "$work/mail/log"
}
is "without --state no OKAY is a mail" "$(notify OKAY tcpstates)" ""
is "all else is, to root" "$(notify WARNING tcpstates)" $'root\tWARNING: h tcpstates-all/t-n\ta text: with colons'
is "another plugin's notification is not" "$(notify FAILURE load)" ""
is "a directory that is not there" "$(notify OKAY tcpstates --state /nowhere) $(<"$work/notify")" \
  "exit 2 notify-mail.sh: --state \"/nowhere\": not a directory that $(id -un) may write"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/mail"
is "a mail that could not be sent" "$(notify WARNING tcpstates) $(<"$work/notify")" \
  "exit 1 notify-mail.sh: mail could not send \"WARNING: h tcpstates-all/t-n\" to root"
sed -n 's|^# *\(collectd-nagios .*\)|\1|p' "$top/contrib/tcpstates-thresholds.conf" >"$work/commands"
while read -r command; do
  command=${command/\/run\/collectd-unixsock/$work/run/sock}
  ok "as documented: ${command##* -n }" bash -c "${command/HOST/localhost}"
done <"$work/commands"
is "there are two of these" "$(wc -l <"$work/commands")" 2
collectd_stop

# ---- that collectd says OKAY when it starts ---------------------------------------------------

# Of each combination of these options, a value that is always in range.
combinations() {
  local -a names=(ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE_WAIT LAST_ACK)
  local number
  local -a is=(false true)
  for number in "${!names[@]}"; do
    cat <<END
    <Type "tcp_connections">
      Instance "${names[number]}"
      WarningMax 1000000
      Persist ${is[number & 1]}
      PersistOK ${is[number >> 1 & 1]}
      Interesting ${is[number >> 2 & 1]}
      $1
    </Type>
END
  done
}
said_okay() { messages 'severity = OKAY' | sed 's/.*type_instance = \([A-Z0-9_]*\),.*/\1/' | sort -u | wc -l; }
for more in "" "Hits 1" "Hysteresis 5"; do
  # A read that is late on a loaded machine would be a missing value, and the count would start again.
  collectd_configure threshold <<END
Timeout 1000
LoadPlugin tcpstates
LoadPlugin threshold
<Plugin threshold>
  <Plugin "tcpstates">
    Instance "all"
$(combinations "$more")
  </Plugin>
</Plugin>
END
  collectd_start
  for tenths in {1..600}; do
    if (($(said_okay) == 8)); then break; fi
    sleep 0.1
  done
  is "no option of the plugin threshold${more:+, with $more,} keeps a start from saying OKAY" "$(said_okay)" 8
  collectd_stop
done
done_testing
