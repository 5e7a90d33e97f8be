#!/usr/bin/env bash
# Other network namespaces under a real collectd: right values in each at the
# same time, and namespaces that come, go and come back.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
enter_netns "$@"

prefix=tcpstates-test-$$
# A namespace that is not read within it is left out.
interval=2
if ! ip netns add "$prefix-try" 2>"$work/ip"; then
  skip_all "this user may not make namespaces for setns(2): $(tail -n 1 "$work/ip")"
fi
ip netns del "$prefix-try"
pids=()
remove_namespaces() {
  local name pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for name in /run/netns/"$prefix"-*; do
    if [[ -e $name ]]; then ip netns del "${name##*/}"; fi
  done
  if [[ -e $work/bound ]]; then umount "$work/bound" 2>/dev/null || true; fi
}
trap 'remove_namespaces; clean_up' EXIT

add_namespace() {
  ip netns add "$prefix-$1"
  ip -n "$prefix-$1" link set lo up
}

# sockets_there NAME COMMAND...: a sockmake in the namespace does these.
sockets_there() {
  local name=$1 out=$work/sockets.$RANDOM
  shift
  : >"$out"
  ip netns exec "$prefix-$name" "$build/sockmake" < <(printf '%s\n' "$@" && exec sleep 600) >"$out" &
  pids+=($!)
  until (($(grep -c '^ok$' "$out") == $#)); do sleep 0.05; done
}

# got GROUP TYPE-INSTANCE...: values of the read that values has fetched last.
got() {
  local group=$1 key
  shift
  for key; do awk -v key="$group $key" 'index($0, key " ") == 1 { print $NF }' "$work/values"; done | xargs
}

add_namespace red
add_namespace blue
echo 33 | ip netns exec "$prefix-red" tee /proc/sys/net/ipv4/tcp_fin_timeout >/dev/null
sockets make established ipv4 18000 2
sockets_there red 'make fin-wait2-held ipv4 18000 3' 'make time-wait ipv6 18001 4'
sockets_there blue 'make established ipv6 18000 5'
# A file that a namespace is mounted on, and a process's.
ip netns exec "$prefix-blue" sleep 600 &
pids+=($!)
process=$!
touch "$work/bound"
mount --bind "/run/netns/$prefix-blue" "$work/bound"

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
  <Namespace "$prefix-later">
    Name "later"
    ReportFinTimeout true
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
is "the machine's values come once" "$(grep -c '^machine' "$work/values") $(grep -c '^machine@' "$work/values" || true)" "3 0"
is "of a namespace that is not there yet there is nothing" "$(got all@later duration-tcp_fin_timeout)" ""
is "and one line says so" "$(messages '^\[(error|warning)\]' | sort -u)" \
  "[error] tcpstates plugin: namespace later: /run/netns/$prefix-later: there is no such namespace (yet, or any more). Its values are missing."

add_namespace later
values >/dev/null
is "it has come" "$(got all@later duration-tcp_fin_timeout)" 60
ok "and a line says so" grep -q 'namespace later: it is read again' <(messages .)
# A device in it goes with it: nothing holds a namespace that is deleted.
ip link add "veth-$$" type veth peer name inside netns "$prefix-later"
ip netns del "$prefix-later"
values >/dev/null
values >/dev/null
is "it has gone" "$(got all@later duration-tcp_fin_timeout)" ""
ok "really: nothing pins it" bash -c "! ip link show veth-$$"
add_namespace later
ip netns exec "$prefix-later" tee /proc/sys/net/ipv4/tcp_fin_timeout >/dev/null <<<44
values >/dev/null
is "it is back under the same name" "$(got all@later duration-tcp_fin_timeout)" 44
is "collectd's own namespace is the same still" "$(got 18000-local tcp_connections-ESTABLISHED)" 2
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
interval=5
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  echo '<Plugin tcpstates>'
  cat "$work/many.conf"
  echo '</Plugin>'
)
collectd_start
values >/dev/null
is "50 namespaces at once" "$(awk '$1 ~ /^all@/ && $2 == "tcp_connections-ESTABLISHED" && $3 > 0 { print $1, $3 }' "$work/values" | sort)" \
  "$(for ((i = 1; i <= 50; i += 7)); do echo "all@many$i $((2 * i))"; done | sort)"
is "all of them" "$(grep -c '^all@many.* tcp_connections-LISTEN ' "$work/values")" 50
is "nothing is complained about" "$(messages '^\[(error|warning)\]')" ""
collectd_stop

# Thousands of reads.
{
  echo '<Plugin tcpstates>'
  head -n 16 "$work/many.conf"
  echo '</Plugin>'
} >"$work/leak.conf"
"$build/plugin_host" --config "$work/leak.conf" --measure --warmup 10 --reads 3000 "$build/.libs/tcpstates.so" >"$work/measured" 2>/dev/null
is "3000 reads leak no descriptor" "$(awk '/^open_fds_after_last/ { print $2 }' "$work/measured")" "$(awk '/^open_fds_after_first/ { print $2 }' "$work/measured")"
is "and no thread" "$(awk '/^threads_after_last/ { print $2 }' "$work/measured")" 1
done_testing
