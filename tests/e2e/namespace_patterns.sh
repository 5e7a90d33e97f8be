#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Namespace patterns: the sums are those of ss in each namespace and of a block for each; and
# under a real collectd namespaces may come and go under load.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
unshare_also=(--mount)
enter_netns "$@"

pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
}
mount -t tmpfs -o mode=755 run /run 2>"$work/mount" || skip_all "no mounts: $(<"$work/mount")"
mkdir -p /run/netns /run/docker/netns
chmod 700 /run/docker
ip netns add try 2>"$work/ip" || skip_all "this user may not make namespaces for setns(2): $(<"$work/ip")"
ip netns del try

# container NAME LINES COMMAND...: a sockmake started by COMMAND does these; its process id is
# ${pids[-1]}.
sockets_made() { (($(grep -c '^ok$' "$1") == $2)); }
container() {
  mkfifo "$work/$1"
  # shellcheck disable=SC2016 # the inner shell's
  "${@:3}" sh -c 'ip link set lo up && exec "$1"' - "$build/sockmake" <>"$work/$1" >"$work/$1.out" &
  pids+=($!)
  printf '%s\n' "$2" >"$work/$1"
  wait_until 60 "sockets in $1" sockets_made "$work/$1.out" "$(wc -l <<<"$2")"
}
for name in red blue empty; do ip netns add "pod-$name"; done
container red 'make fin-wait2-held ipv4 18000 3' ip netns exec pod-red
container blue 'make established ipv6 18000 5
make unaccepted ipv4 18002 2' ip netns exec pod-blue
container docker 'make established ipv4 18000 20' unshare --net
docker=${pids[-1]}
touch /run/docker/netns/{1a2b3c,default}
mount --bind "/proc/$docker/ns/net" /run/docker/netns/1a2b3c
mount --bind /proc/self/ns/net /run/docker/netns/default # as Docker has it for --network host
container process 'make syn ipv4 18000 2' unshare --net
process=${pids[-1]}
sockets make established ipv4 18000 50 # of collectd's own namespace
ip netns exec pod-red tee /proc/sys/net/ipv4/tcp_fin_timeout >/dev/null <<<33

paths=(/run/netns/pod-red /run/netns/pod-blue /run/netns/pod-empty /run/docker/netns/1a2b3c "/proc/$process/ns/net")
options='AllPortsSummary true
    ListeningPorts true
    LocalPort 18000
    ReportAcceptQueue true
    <Filter "v6">
      AddressFamily "ipv6"
    </Filter>'
{
  echo '<Plugin tcpstates>'
  echo "<Namespace \"pod-*\" \"/run/docker/netns/*\" \"/proc/$docker/ns/net\" \"/proc/$process/ns/net\" \"gone-*\">
    Name \"pods\"
    NamespaceBudget 100
    $options
  </Namespace>"
  for i in "${!paths[@]}"; do
    echo "<Namespace \"${paths[i]}\">
      Name \"one$i\"
      $options
    </Namespace>"
  done
  echo '</Plugin>'
} >"$work/pods.conf"
nsenter --net=/run/netns/pod-red true 2>"$work/nsenter" || skip_all "no right to enter a namespace: $(<"$work/nsenter")"

# got VALUE: of the read that values has fetched last.
got() { awk -v key="$1" 'index($0, key " ") == 1 { print $NF }' "$work/values"; }
whole() { [[ $(values && got 'all@pods gauge-namespaces') == *[0-9] ]]; }

# One read, at once: TIME_WAIT ends after a minute. What is not read within the interval is
# complained about.
interval=$(patient 5 12)
echo 'make time-wait ipv6 18001 4' >"$work/red"
wait_until 60 "sockets in red" sockets_made "$work/red.out" 2
"$build/plugin_host" --config "$work/pods.conf" --values --interval "$interval" "$build/.libs/tcpstates.so" >"$work/read" 2>"$work/said"
sed -n 's|^tcpstates-\([^/]*\)/|\1 |p' "$work/read" | sort | tee "$work/values" >"$work/got"
is "each namespace is counted once, and not collectd's own" "$(got 'all@pods gauge-namespaces')" 5
# ss -a has no minisocket but TIME-WAIT ones, and says UNCONN of LISTEN where it is asked so.
seen() {
  local path
  for path in "${paths[@]}"; do nsenter --net="$path" ss -Htan state "$1"; done | wc -l
}
for state in TIME_WAIT:time-wait ESTABLISHED:established SYN_SENT:syn-sent FIN_WAIT2:fin-wait-2 CLOSE_WAIT:close-wait LISTEN:listening; do
  is "${state%:*} of all is what ss says in each" "$(got "all@pods tcp_connections-${state%:*}")" "$(seen "${state#*:}")"
done
is "there are sockets to see" "$(got 'all@pods tcp_connections-ESTABLISHED')" $((10 + 40 + 4))
# The sums of one read, by adding up the blocks' values of the same read.
awk '
  $1 !~ /@/ || $2 ~ /tcp_fin_timeout|fin_wait2_lifetime|tcp_max_tw_buckets|namespaces/ { next }
  $1 ~ /@pods$/ { print "is " $1, $2, $3 + 0; next }
  {
    sub(/@.*/, "@pods", $1)
    key = $1 " " $2
    if ($2 ~ /^(percent|duration)-/) { if ($3 > sum[key] + 0) sum[key] = $3 } else sum[key] += $3
    sum[key] += 0
  }
  END { for (key in sum) print "sum " key, sum[key] }' "$work/got" >"$work/sums"
is "all sums are those of the blocks" "$(sed -n 's/^is //p' "$work/sums" | grep -v _oldest | sort)" "$(sed -n 's/^sum //p' "$work/sums" | grep -v _oldest | sort)"
ok "ports and Filters among them" test "$(grep -c '^is \(v6\|18000-local\|18001-local\|18002-local\)@pods ' "$work/sums")" -ge 60
is "no setting is reported" "$(awk '$1 ~ /@pods$/ && $2 ~ /tcp_fin_timeout|lifetime|max_tw/' "$work/got")" ""
is "nothing is complained about" "$(grep -v '^info: ' "$work/said")" ""

interval=$(patient 1 12)
collectd_configure <<END
LoadPlugin tcpstates
$(<"$work/pods.conf")
END
collectd_start
wait_until 60 "values of the pattern" whole

# ---- they come and go -----------------------------------------------------------

descriptors() { find "/proc/$collectd_pid/fd" -mindepth 1 2>/dev/null | wc -l; }
# least COMMAND: between reads.
least() {
  local i
  for ((i = 0; i < 40; i++)); do
    "$1"
    sleep 0.05
  done | sort -n | head -n 1
}
threads() { find "/proc/$collectd_pid/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
before="$(least descriptors) $(least threads)"
made=0
period=$((interval > 3 ? 90 : 30))
deadline=$((SECONDS + period))
: >"$work/churned"
while ((SECONDS < deadline)); do
  name=pod-churn$((made % 7))
  if [[ -e /run/netns/$name ]]; then ip netns del "$name"; fi
  ip netns add "$name"
  ip -n "$name" link set lo up
  # A device in it goes with it: nothing holds a namespace that is deleted.
  ip link add "churn$made" type veth peer name inside netns "$name"
  timeout 1 ip netns exec "$name" "$build/churn" 19000 </dev/null >/dev/null 2>&1 &
  pids+=($!)
  made=$((made + 1))
  values | grep '@pods ' >>"$work/churned"
done
wait "${pids[@]:4}" 2>/dev/null || true
for name in /run/netns/pod-churn*; do ip netns del "${name##*/}"; done
ok "values came meanwhile, of $made namespaces that came and went" \
  test "$(grep -c '^all@pods tcp_connections-LISTEN ' "$work/churned")" -ge $((period / 3 / interval))
is "none is negative" "$(awk '$NF < 0' "$work/churned")" ""
is "what was there all the time is never missing" "$(awk '$1 == "all@pods" && $2 == "tcp_connections-FIN_WAIT2" && $3 < 3' "$work/churned")" ""
back() { values >"$work/got" && [[ $(got 'all@pods gauge-namespaces') == 5 ]]; }
wait_until 60 "the five" back
is "then the sums are as before" "$(got 'all@pods tcp_connections-ESTABLISHED') $(got '18000-local@pods tcp_connections-ESTABLISHED')" "$((10 + 40 + 4)) $((5 + 20))"
gone() { ! grep -q '^ *churn' /proc/self/net/dev; }
wait_until 60 "the devices of deleted namespaces go" gone
pass "no namespace is kept"
is "no descriptor and no thread, either" "$(least descriptors) $(least threads)" "$before"
collectd_stop

# ---- notifications --------------------------------------------------------------

ip netns add leak-red
ip netns add leak-blue
container leak 'make fin-wait2-held ipv4 18000 5' ip netns exec leak-red
cat >"$work/notify.conf" <<'END'
<Plugin tcpstates>
  <Namespace "leak-*">
    Name "pods"
    NotifyStuck 3
    StuckAfter 1
    NamespaceBudget 100
  </Namespace>
</Plugin>
END
mkfifo "$work/reads"
"$build/plugin_host" --config "$work/notify.conf" --stdin "$build/.libs/tcpstates.so" <"$work/reads" >"$work/read" 2>&1 &
pids+=($!)
exec {to_host}>"$work/reads"
# notified EVENT: reads once more; have there been this many notifications of it?
notified() {
  echo >&"$to_host"
  sleep 0.2
  (($(grep -c "^notification $1 .*@pods/current_connections-\(fin_wait2\|close_wait\)_stuck" "$work/read") == 2))
}
wait_until 60 "a notification of each state" notified WARNING
pass "a leak in one of them is notified"
ip netns del leak-red
kill "${pids[-2]}"
wait_until 60 "its end" notified OKAY
pass "and that it is over when its namespace has ended"
exec {to_host}>&-
ip netns del leak-blue

# ---- a part that hangs or may not be entered ------------------------------------

mkdir "$work/hang"
interval=$(patient 1 6)
collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  <Namespace "pod-*">
    Name "pods"
    NamespaceBudget 100
  </Namespace>
</Plugin>
END
as_user=(env LD_PRELOAD="$build/.libs/hang_setns.so" HANG_SETNS="$work/hang")
collectd_start
wait_until 60 "values of the pattern" whole
is "before one hangs" "$(got 'all@pods gauge-namespaces') $(got 'all@pods tcp_connections-ESTABLISHED')" "3 14"
touch "$work/hang/$(stat -L -c %i /run/netns/pod-blue)"
values >/dev/null
values >/dev/null
values >/dev/null
is "one that hangs: its last counts stay in the sum" "$(got 'all@pods gauge-namespaces') $(got 'all@pods tcp_connections-ESTABLISHED')" "3 14"
ok "which grow old" awk -v age="$(got 'all@pods duration-namespaces_age')" 'BEGIN { exit !(age >= 1) }'
is "and a line says so" "$(complaints | sort -u)" \
  "[warning] tcpstates plugin: namespace pods: /run/netns/pod-blue: not read in time. Its part is missing or old."
rm "$work/hang/"*
fresh() { values >/dev/null && [[ $(got 'all@pods duration-namespaces_age') == 0 ]]; }
wait_until 60 "it is read again" fresh
ok "and another that it is over" grep -q 'pods: all of them are read again' <(messages .)
collectd_stop

if "${unprivileged[@]}" true 2>/dev/null; then
  as_user=("${unprivileged[@]}")
  collectd_start
  wait_until 60 "values of the pattern" whole
  is "without CAP_SYS_ADMIN there is none to add up" "$(got 'all@pods gauge-namespaces')" 0
  ok "and a line says what is needed" grep -q '^\[warning\] tcpstates plugin: namespace pods: /run/netns/pod-.*: not allowed to enter it: collectd needs CAP_SYS_ADMIN' "$work/output"
  collectd_stop
else
  skip "without CAP_SYS_ADMIN" "this user cannot become another"
fi
done_testing
