#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Services true, with real control groups: each service's group has what was made in it and
# what ss shows of it, and all of them add up.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
need_mount_namespace
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
service_pids=()
at_end() {
  local pid
  for pid in "${service_pids[@]}"; do kill_and_wait "$pid"; done
  cgroup_remove
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
is "one line says why there is \"other\"" "$(grep -c 'Services: only a part of the control groups is seen here' "$work/out")" 1
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

# ss names each socket's control group by itself; its minisockets and request socks have none.
by_ss() {
  ss -Htan --cgroup | sed -n "s|.* cgroup:/${cgroup##*/}/||p" |
    sed -E 's|^system.slice/||; s|^lxc/||; s|^(docker-.{12}).*|\1|; s|/.*||; s| *$||' | sort | uniq -c | awk '{ print $2, $1 }'
}
if ss --help 2>&1 | grep -q -- --cgroup; then
  is "each service has as many sockets in all states as ss shows in its control groups" \
    "$(awk 'match($1, /\/(tcp_connections-|current_connections-fin_wait2_held)/) { sum[substr($1, 11, RSTART - 11)] += $2 }
        END { for (group in sum) if (group !~ /^(all|other)$/) print group, sum[group] }' "$work/out" | sort)" "$(by_ss)"
else
  skip "as many as by ss" "this ss does not show control groups"
fi

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

# ---- read by read ---------------------------------------------------------------

configure ''
mkfifo "$work/to"
"${host[@]}" --stdin "$build/.libs/tcpstates.so" <"$work/to" >"$work/from" 2>&1 &
reader=$!
service_pids+=("$reader")
exec {to_host}>"$work/to"
reads=0
# one_read: $work/out has its values.
one_read() {
  echo >&"$to_host"
  reads=$((reads + 1))
  wait_until 60 "read $reads" awk -v reads=$reads '/^done$/ { n++ } END { exit n < reads }' "$work/from"
  awk -v reads=$reads '/^done$/ { n++; next } n == reads - 1' "$work/from" >"$work/out"
}
established() { sed -n "s|^tcpstates-$1/tcp_connections-ESTABLISHED ||p" "$work/out"; }

run api.service 'make established ipv4 18110 2'
one_read
is "a service that has begun" "$(established api.service)" 4
kill_and_wait "$service"
wait_until 60 "its end" rmdir "$cgroup/api.service"
gone=
for i in {1..11}; do
  one_read
  gone+="$(established api.service),"
done
is "after its end it is 0 in ten reads, and then no more" "$gone" "0,0,0,0,0,0,0,0,0,0,,"
run api.service 'make established ipv4 18110 1'
one_read
is "it has started again" "$(established api.service)" 2

# Where there are many, the largest service's sockets are not dumped.
run large.service 'make established ipv4 18120 700'
for i in 1 2 3; do
  one_read
  is "many sockets of one service, read $i: each service" "$(established large.service) $(established web.service) $(established api.service)" "1400 10 2"
  is "many sockets of one service, read $i: all" "$(established all)" "$(ss -Htn state established | wc -l)"
done
is "they are not all dumped" "$(grep -c 'counting: ESTABLISHED and TIME_WAIT are' "$work/from")" 1
kill_and_wait "$service"
sleep 0.1
for i in 1 2; do
  one_read
  is "when they have gone, read $i" "$(established large.service) $(established web.service) $(established api.service)" "0 10 2"
done

# A container for each job: 2000 control groups, the last 50 of which still have a socket.
mkfifo "$work/to_jobs"
"$top/tests/support/jobs.py" "$cgroup/job.service" 2000 100 50 <"$work/to_jobs" >"$work/jobs" 2>&1 &
service_pids+=("$!")
exec {to_jobs}>"$work/to_jobs"
rss=() groups=()
for i in {1..20}; do
  wait_until 60 "the jobs" grep -qx "$((100 * i))" "$work/jobs"
  one_read
  groups+=("$(sed -n 's|^tcpstates-\(.*\)/tcp_connections-LISTEN .*|\1|p' "$work/out" | wc -l)")
  rss+=("$(awk '/^VmRSS/ { print $2 }' "/proc/$(pgrep -P "$reader" || echo "$reader")/status")")
  if ((i < 20)); then echo >&"$to_jobs"; fi
done
is "2000 control groups of one service are one group" "$(sed -n 's|^tcpstates-job.service/tcp_connections-LISTEN ||p' "$work/out")" 50
ok "there are no more groups than at first" test "${groups[19]}" -le "${groups[0]}"
ok "and hardly more memory: ${rss[2]} kB, then ${rss[19]} kB" test "${rss[19]}" -lt "$((rss[2] + 512))"
done_testing
