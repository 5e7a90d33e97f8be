#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Other network namespaces under a real collectd: right values in each at the
# same time, and namespaces that come, go and come back.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# The namespaces' names are mounts: what copies the machine's mounts, as other tests
# may, would hold namespaces that are deleted here.
unshare_also=(--mount)
enter_netns "$@"

prefix="test"
# A namespace that is not read within it is left out.
interval=$(patient 2 8)
mkdir -p /run/netns
if ! mount -t tmpfs -o mode=755 netns /run/netns 2>"$work/ip" || ! ip netns add try 2>"$work/ip"; then
  skip_all "this user may not make namespaces for setns(2): $(tail -n 1 "$work/ip")"
fi
ip netns del try
pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  umount "$work/bound" "$work/swap" "$work/swap" 2>/dev/null || true
}

add_namespace() {
  ip netns add "$prefix-$1"
  ip -n "$prefix-$1" link set lo up
}

# sockets_there NAME COMMAND...: a sockmake in the namespace does these.
sockets_made() { (($(grep -c '^ok$' "$1") == $2)); }
sockets_there() {
  local name=$1 out
  out=$(mktemp -u "$work/sockets.XXXXXXXX")
  shift
  : >"$out"
  mkfifo "$out.in"
  # Opened for both, it has no end.
  ip netns exec "$prefix-$name" "$build/sockmake" <>"$out.in" >"$out" &
  pids+=($!)
  printf '%s\n' "$@" >"$out.in"
  wait_until 60 "sockets in $name" sockets_made "$out" $#
}

# got GROUP TYPE-INSTANCE...: values of the read that values has fetched last.
got() {
  local group=$1 key
  shift
  for key; do awk -v key="$group $key" 'index($0, key " ") == 1 { print $NF }' "$work/values"; done | xargs
}

add_namespace red
add_namespace blue
add_namespace first
add_namespace second
# set_there NAME SYSCTL VALUE: in a namespace.
set_there() {
  ip netns exec "$prefix-$1" tee "/proc/sys/net/ipv4/$2" >/dev/null <<<"$3"
}
set_there red tcp_fin_timeout 33
set_there red tcp_max_tw_buckets 16
sockets make established ipv4 18000 2
sockets_there red 'make fin-wait2-held ipv4 18000 3' 'make time-wait ipv6 18001 4'
sockets_there blue 'make established ipv6 18000 5'
# A file that a namespace is mounted on, and a process's.
ip netns exec "$prefix-blue" sleep 600 &
pids+=($!)
process=$!
touch "$work/bound" "$work/swap" "$work/plain"
mkfifo "$work/fifo"
mount --bind "/run/netns/$prefix-blue" "$work/bound"
mount --bind "/run/netns/$prefix-first" "$work/swap"
sockets_there first 'make established ipv4 18000 300' 'make bound ipv4 0 7'
sockets_there second 'make established ipv4 18000 310'

collectd_configure <<END
LoadPlugin tcpstates
<Plugin tcpstates>
  LocalPort 18000
  <Namespace "$prefix-red">
    Name "red"
    AllPortsSummary true
    LocalPort 18000
    RemotePort 18001
  </Namespace>
  <Namespace "$prefix-blue">
    Name "blue"
    LocalPort 18000
    <Filter "ipv6">
      AddressFamily "ipv6"
    </Filter>
  </Namespace>
  <Namespace "$work/bound">
    Name "bound"
    LocalPort 18000
  </Namespace>
  <Namespace "/proc/$process/ns/net">
    Name "process"
    LocalPort 18000
  </Namespace>
  <Namespace "$work/swap">
    Name "swap"
    ReportClosed true
  </Namespace>
  <Namespace "$prefix-later">
    Name "later"
    ReportFinTimeout true
  </Namespace>
  <Namespace "$prefix-blue">
  </Namespace>
  <Namespace "$work/fifo">
    Name "fifo"
  </Namespace>
  <Namespace "$work/plain">
    Name "plain"
  </Namespace>
</Plugin>
END
collectd_start
values >/dev/null
is "collectd's own namespace" "$(got 18000-local tcp_connections-ESTABLISHED tcp_connections-CLOSE_WAIT tcp_connections-LISTEN)" "2 0 1"
is "another one, at the same time" "$(got all@red tcp_connections-FIN_WAIT2 tcp_connections-TIME_WAIT tcp_connections-LISTEN)" "3 4 2"
is "its groups" "$(got 18000-local@red tcp_connections-CLOSE_WAIT) $(got 18001-remote@red tcp_connections-TIME_WAIT)" "3 4"
is "a third one, with a Filter" "$(got ipv6@blue tcp_connections-ESTABLISHED) $(got 18000-local@blue tcp_connections-ESTABLISHED)" "10 5"
is "by a file that it is mounted on" "$(got 18000-local@bound tcp_connections-ESTABLISHED)" 5
is "by a process" "$(got 18000-local@process tcp_connections-ESTABLISHED)" 5
is "tcp_fin_timeout is that of each" "$(got all duration-tcp_fin_timeout) $(got all@red duration-tcp_fin_timeout) $(got all@blue duration-tcp_fin_timeout)" "60 33 60"
is "so is tcp_max_tw_buckets, and what counts against it" \
  "$(got all@red gauge-tcp_max_tw_buckets current_connections-timewait_buckets percent-timewait_buckets)" "16 4 25"
is "a block without options has the defaults" "$(got "all@$prefix-blue" tcp_connections-ESTABLISHED)" 10
is "the machine's values come once" "$(grep '^machine' "$work/values" | grep -vc ' current_connections-unhashed ') $(grep -c '^machine@' "$work/values" || true)" "3 0"
is "of a namespace that is not there yet there is nothing" "$(got all@later duration-tcp_fin_timeout)" ""
is "and one line of each says why" "$(complaints | sort -u)" \
  "[error] tcpstates plugin: namespace fifo: $work/fifo: this file is not a network namespace. Its values are missing.
[error] tcpstates plugin: namespace later: /run/netns/$prefix-later: there is no such namespace (yet, or any more). Its values are missing.
[error] tcpstates plugin: namespace plain: $work/plain: this file is not a network namespace. Its values are missing."

# A read takes long on a large machine: one is for both.
add_namespace later
if closed_known; then
  is "those that are bound only are counted" "$(got all@swap tcp_connections-ESTABLISHED tcp_connections-CLOSED)" "600 7"
  mount --bind "/run/netns/$prefix-second" "$work/swap"
  values >/dev/null
  is "and are not taken for those of another namespace at the path" "$(got all@swap tcp_connections-ESTABLISHED tcp_connections-CLOSED)" "620 0"
else
  values >/dev/null
  skip "bound-only sockets of another namespace at the path" "Linux before 6.8 does not tell them"
fi

is "it has come" "$(got all@later duration-tcp_fin_timeout)" 60
ok "and a line says so" grep -q 'namespace later: it is read again' <(messages .)
# A device in it goes with it: nothing holds a namespace that is deleted.
ip link add "veth-$$" type veth peer name inside netns "$prefix-later"
ip netns del "$prefix-later"
values >/dev/null
is "it has gone" "$(got all@later duration-tcp_fin_timeout)" ""
link_gone() { ! ip link show "veth-$$" >/dev/null 2>&1; }
ok "nothing pins it" wait_until $((10 + 2 * interval)) "the device has gone" link_gone
add_namespace later
set_there later tcp_fin_timeout 44
values >/dev/null
is "it is back under the same name" "$(got all@later duration-tcp_fin_timeout)" 44
is "collectd's own namespace is still the same" "$(got 18000-local tcp_connections-ESTABLISHED)" 2
collectd_stop

# Without the right to enter them.
if "${unprivileged[@]}" true 2>/dev/null; then
  as_user=("${unprivileged[@]}")
  collectd_start
  values >/dev/null
  is "without CAP_SYS_ADMIN the rest works" "$(got 18000-local tcp_connections-ESTABLISHED)" 2
  is "and a line says what is needed" "$(messages 'namespace red' | sort -u)" \
    "[error] tcpstates plugin: namespace red: /run/netns/$prefix-red: not allowed to enter it: collectd needs CAP_SYS_ADMIN (systemd: CapabilityBoundingSet, AmbientCapabilities). Its values are missing."
  collectd_stop
  as_user=()
else
  skip "without CAP_SYS_ADMIN" "this user cannot become another"
fi

# 50 of them.
for ((i = 1; i <= 50; i++)); do
  add_namespace "many$i"
  echo "<Namespace \"$prefix-many$i\">
  Name \"many$i\"
  ReportStuck false
</Namespace>"
done >"$work/many.conf"
for ((i = 1; i <= 50; i += 7)); do sockets_there "many$i" "make established ipv4 18000 $i"; done
# Each walks through what the whole machine has.
interval=$(patient 20 51)
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  echo '<Plugin tcpstates>'
  cat "$work/many.conf"
  echo '</Plugin>'
)
collectd_start
# Of the first read, as values prints them: it would wait for the second one.
all_read() {
  sed -n 's|^PUTVAL "\{0,1\}[^/]*/tcpstates-\([^/]*\)/\([^ "]*\).*:\([0-9]*\)[.0-9]*$|\1 \2 \3|p' "$work/output" >"$work/values"
  (($(grep -cE '^all@many[0-9]+ tcp_connections-(ESTABLISHED|LISTEN) ' "$work/values") >= 100))
}
wait_until $((60 + interval)) "values of all" all_read || true
is "50 namespaces at once" "$(awk '$1 ~ /^all@/ && $2 == "tcp_connections-ESTABLISHED" && $3 > 0 { print $1, $3 }' "$work/values" | sort)" \
  "$(for ((i = 1; i <= 50; i += 7)); do echo "all@many$i $((2 * i))"; done | sort)"
is "all of them" "$(grep -c '^all@many.* tcp_connections-LISTEN ' "$work/values")" 50
is "nothing is complained about" "$(complaints)" ""
collectd_stop

# Thousands of reads, in which one of the namespaces goes and comes; fewer where each takes long.
least=2000
{
  echo '<Plugin tcpstates>'
  head -n 12 "$work/many.conf"
  echo '</Plugin>'
} >"$work/leak.conf"
mkfifo "$work/leak.in" "$work/leak.out"
"$build/plugin_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" --config "$work/leak.conf" \
  --measure --warmup 10 --stdin "$build/.libs/tcpstates.so" >"$work/leak.out" <"$work/leak.in" 2>"$work/host" &
pids+=($!)
host=$!
# One read after the other until there is a file "enough"; their values are checked, not kept.
grep --line-buffered -vE '^(tcpstates|read [0-9]+$)' "$work/leak.out" | {
  exec {to_host}>"$work/leak.in"
  echo >&"$to_host"
  while IFS= read -r line; do
    echo "$line"
    if [[ $line != "done" ]]; then continue; fi
    if [[ -e $work/enough ]]; then exec {to_host}>&-; else echo >&"$to_host"; fi
  done
} >"$work/measured" &
pids+=($!)
begun=$SECONDS
for ((made = 0; made < 50; made++)); do
  # A device in it goes with it.
  ip link add "leak$made" type veth peer name inside netns "$prefix-many2"
  ip netns del "$prefix-many2"
  if ((made == 0)); then wait_until 60 "it is missing" grep -q 'namespace many2: ' "$work/host" || true; fi
  add_namespace many2
done
wait_until 60 "it is read again" grep -q 'namespace many2: it is read again' "$work/host" || true
reads_done() { grep -c '^done$' "$work/measured" || true; }
# At least 20: the first ten are not measured.
until (($(reads_done) >= (SECONDS < begun + 60 ? least : 20) || SECONDS > begun + 150)) || has_ended "$host"; do sleep 0.1; done
touch "$work/enough"
wait_until 30 "the reads end" has_ended "$host" || kill -KILL "$host"
status=0
wait "$host" || status=$?
wait "${pids[-1]}"
is "$(reads_done) reads, and a namespace that goes and comes" "$status" 0
ok "it was missing, and read again" grep -q 'namespace many2: it is read again' "$work/host"
measured() { awk -v key="$1" '$1 == key { print $2 }' "$work/measured"; }
ok "the others were read" test "$(measured values_per_read | cut -d. -f1)" -ge 60
ok "no descriptor has leaked" test "$(measured open_fds_after_last)" -eq "$(measured open_fds_after_first)"
is "no thread" "$(measured threads_after_last)" 1
# The kernel takes its time.
for ((tenths = 0; tenths < 600; tenths++)); do
  left=$(grep -c '^ *leak' /proc/self/net/dev || true)
  if ((left == 0)); then break; fi
  sleep 0.1
done
is "and no namespace, of $made" "$left" 0
done_testing
