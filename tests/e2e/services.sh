#!/usr/bin/env bash
# Services true, with real control groups: each service's group has what was made in it and
# what ss shows of it, and all of them add up.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
service_pids=()
at_end() {
  local pid
  for pid in "${service_pids[@]}"; do end "$pid"; done
  find "$cgroup" -mindepth 1 -depth -type d -exec rmdir {} + || true
  cgroup_remove
}
end() {
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# run PATH COMMAND: a sockmake in that control group does this; $service has its process id.
run() {
  local fifo=$work/fifo-$BASHPID-${#service_pids[@]} to
  mkdir -p "$cgroup/$1"
  mkfifo "$fifo"
  # shellcheck disable=SC2016 # for sh
  sh -c 'echo $$ >"$1/cgroup.procs" && exec "$2"' - "$cgroup/$1" "$build/sockmake" <"$fifo" >"$fifo.out" &
  service=$!
  service_pids+=("$service")
  exec {to}>"$fifo"
  echo "$2" >&"$to"
  wait_until 60 "$2 in $1" grep -q '^ok' "$fifo.out"
}
# The hierarchy is what is below the test's own group: others change it.
# shellcheck disable=SC2016 # for bash
host=(unshare --mount bash -e -c 'mount --bind "$1" "${1%/*}" && shift && exec "$@"' - "$cgroup" "$build/plugin_host" --types-db "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)"
  --config "$work/tcpstates.conf" --values)
read_twice() { "${host[@]}" --reads "${1-1}" "$build/.libs/tcpstates.so" >"$work/out" 2>&1 || echo "exit status $?" >>"$work/out"; }
# of NAME: the sum of a value over the last read's groups, by group.
of() { awk -v want="/$1" '/^read / { delete value; next } index($1, want) && substr($1, length($1) - length(want) + 1) == want {
    group = substr($1, 11, length($1) - 10 - length(want)); if (group != "all" && group != "machine") value[group] = $2 }
  END { for (group in value) print group, value[group] }' "$work/out" | sort; }

id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
run system.slice/web.service 'make established ipv4 18100 3'
run system.slice/web.service/inner 'make established ipv6 18101 2'
run "docker-$id.scope" 'make fin-wait2-held ipv4 18102 4'
run "lxc/box/app.service" 'make established ipv4 18103 1'
run batch 'make fin-wait2-held ipv4 18104 5'
sockets make established ipv4 18105 6
cat >"$work/tcpstates.conf" <<'END'
<Plugin tcpstates>
  Services true
  ReportAcceptQueue true
</Plugin>
END
read_twice
# What the test itself runs in is outside of it.
wanted='batch 0
box 2
docker-0123456789ab 0
other 12
web.service 10'
is "ESTABLISHED, by service" "$(of tcp_connections-ESTABLISHED)" "$wanted"
is "CLOSE_WAIT, by service" "$(of tcp_connections-CLOSE_WAIT | grep -v ' 0$')" "batch 5
docker-0123456789ab 4"
is "FIN_WAIT2 that is held, by service" "$(of current_connections-fin_wait2_held | grep -v ' 0$')" "batch 5
docker-0123456789ab 4"
is "all services add up" "$(of tcp_connections-ESTABLISHED | awk '{ sum += $2 } END { print sum }')" \
  "$(sed -n 's|^tcpstates-all/tcp_connections-ESTABLISHED ||p' "$work/out" | tail -n 1)"
by_ss() {
  ss -Htn state established | wc -l
}
is "there are as many in ESTABLISHED by ss" "$(of tcp_connections-ESTABLISHED | awk '{ sum += $2 } END { print sum }')" "$(by_ss)"

# configure OPTIONS
configure() { printf '<Plugin tcpstates>\nServices true\n%s\n</Plugin>\n' "$1" >"$work/tcpstates.conf"; }
configure 'ServicesMax 2'
read_twice
is "the largest have a group, the others together are one" "$(of tcp_connections-ESTABLISHED)" "batch 0
other 14
web.service 10"
is "also of CLOSE_WAIT" "$(of tcp_connections-CLOSE_WAIT | grep -v ' 0$')" "batch 5
other 4"

configure '<Filter "web.service">
  LocalPort 18101
</Filter>
AllPortsSummary true'
read_twice 2
is "a Filter's name is its own" "$(of tcp_connections-ESTABLISHED | grep -E '^(web|other)')" "other 22
web.service 2"
is "and it is said once" "$(grep -c 'a service and a Filter are called "web.service"' "$work/out")" 1

configure '<Filter "other">
  LocalPort 18101
</Filter>'
read_twice
is "no Filter can have a name that Services makes" "$(grep -c '<Filter "other">: the name belongs to a group that Services makes' "$work/out")" 1
sed -i 's/Services true/Services false/' "$work/tcpstates.conf"
read_twice
is "except without Services" "$(of tcp_connections-ESTABLISHED)" "other 2"

# Namespaces have the services of the machine.
cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  <Namespace "/proc/$$/ns/net">
    Name "here"
    Services true
  </Namespace>
</Plugin>
END
read_twice
is "in a Namespace block" "$(of tcp_connections-ESTABLISHED | grep -v '^all@')" "$(sed 's/ /@here /' <<<"$wanted")"
done_testing
