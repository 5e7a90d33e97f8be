#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The alerts of contrib/prometheus on a machine with a real collectd, in a real Prometheus. Under
# ordinary load of real servers and clients none fires; then there is one real fault for each
# alert, and that one fires and no other, and says which service it is. Seconds stand for the minutes of the rules.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

python=/usr/bin/python3
need_programs prometheus promtool nginx wrk redis-server redis-benchmark "$python"
need_plugins protocols write_prometheus
enter_netns "$@"
machine_limits
hierarchy_make
mkdir "$cgroup/api.service"
at_end() {
  stop_background
  rmdir "$cgroup/api.service"
  cgroup_remove
}
PATH=$PATH:/usr/sbin

# ---- Prometheus, 10.1.0.1, and collectd on web1, which is 10.1.0.2 -------------------------------

cd "$top/contrib/prometheus"
prometheus_of_contrib
prometheus_apart --query.lookback-delta=5s
interval=1
collectd_configure protocols write_prometheus <<END
Hostname "web1.example.org"
$(readme_configuration | sed '/<Plugin tcpstates>/a StuckAfter 1\nRemotePort 7101')
END
as_user=("${as_machine[@]}" "${in_hierarchy[@]}")
collectd_start
await "collectd is scraped, and there is a rule's value" '{} => 1' \
  'count(instance:tcpstates_tcp_connections:max{instance="web1.example.org",type="LISTEN"})' || {
  fail "there is nothing to ask" "$(tail -n 5 "$work/prometheus.log" && messages . | tail -n 5)"
  done_testing
  exit
}

# traffic here|api|there KIND ARGUMENT...: see traffic.py; waits until it is ready. Its process id is
# $traffic. "api" is a service on this machine, "there" is another machine, Prometheus's.
# shellcheck disable=SC2034 # traffic takes it by its name
here=()
# shellcheck disable=SC2034,SC2016 # likewise; for sh
api=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup/api.service")
there=("${in_prometheus[@]}")
traffics=0
traffic() {
  local -n place=$1
  traffics=$((traffics + 1))
  local name=traffic$traffics
  background "$name" "${place[@]}" "$python" "$top/tests/fleet/traffic.py" "${@:2}"
  traffic=${pids[-1]}
  wait_until 60 "${*:2} is ready" grep -q ready "$work/$name.log"
}
stop() {
  kill "$@"
  wait "$@" 2>/dev/null || true
}
listens() {
  "${@:2}" ss -tlnH "sport = :$1" | grep -q .
}

# ---- ordinary load --------------------------------------------------------------------------------

mkdir "$work/nginx"
cat >"$work/nginx.conf" <<END
daemon off;
pid $work/nginx/pid;
error_log $work/nginx/error;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $work/nginx/a;
  proxy_temp_path $work/nginx/b;
  fastcgi_temp_path $work/nginx/c;
  uwsgi_temp_path $work/nginx/d;
  scgi_temp_path $work/nginx/e;
  keepalive_timeout 20s;
  server {
    listen 8080;
    location / { return 200 "hello"; }
  }
}
END
background nginx nginx -c "$work/nginx.conf" -e "$work/nginx/error"
load=("${pids[-1]}")
background redis redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --dir "$work"
load+=("${pids[-1]}")
wait_until 60 "nginx and redis" listens 8080
wait_until 60 "redis" listens 6379
traffic here answer 7001
load+=("$traffic")
traffic here streams 7002
load+=("$traffic")
traffic there streams 7003
load+=("$traffic")
traffic there serve-idle 7004 2
load+=("$traffic")
traffic there answer 7006
load+=("$traffic")
traffic here listen 7005 1
load+=("$traffic")

# Both halves of half-closed connections over which data flows.
traffic there half-closed 10.1.0.2 7002 30
load+=("$traffic")
traffic here half-closed 10.1.0.1 7003 30
load+=("$traffic")
# Idle, and closed by the other side after two seconds: CLOSE_WAIT, and stuck.
traffic here pool 10.1.0.1 7004 40
load+=("$traffic")
# One client for listen(1): its queue is full.
traffic there waits 10.1.0.2 7005 2
load+=("$traffic")
# Short connections, closed by this machine and by the other.
traffic here ends 10.1.0.1 7006 30
load+=("$traffic")
traffic there ends 10.1.0.2 7001 30
load+=("$traffic")
# Keep-alive, and bursts of requests with a connection for each.
background wrk "${there[@]}" sh -c 'while :; do wrk -t 1 -c 40 -d 2 http://10.1.0.2:8080/; sleep 3; done'
load+=("${pids[-1]}")
background redis-benchmark "${there[@]}" sh -c '
  while :; do
    redis-benchmark -h 10.1.0.2 -t get -n 500 -c 20 -k 0 -q
    redis-benchmark -h 10.1.0.2 -t set,get -n 5000 -c 50 -q
    sleep 2
  done'
load+=("${pids[-1]}")

# Long enough for each rule: half a minute of growth, and a quarter of tcp_fin_timeout. Reads
# are counted, not seconds.
reads() { (($(reads_so_far) >= first + $1)); }
first=$(reads_so_far)
wait_until 3600 "60 reads" reads 60
values >/dev/null
# What was to be there was there; none of it is a fault.
is "40 idle connections are stuck in CLOSE_WAIT, and 1 at least waits for accept()" \
  "$(value all current_connections-close_wait_stuck) $(($(value all queue_length-accept_queue) >= 1))" "40 1"
is "the half-closed connections with data are there, and not stuck" \
  "$(($(value all current_connections-fin_wait2_held) >= 30)) $(value all current_connections-fin_wait2_stuck)" "1 0"
is "connections have ended" "$(($(value all tcp_connections-TIME_WAIT) > 100))" 1
is "wrk and redis-benchmark have done their requests" \
  "$(($(grep -c 'Requests/sec' "$work/wrk.log") > 3)) $(($(grep -c 'requests per second' "$work/redis-benchmark.log") > 3))" "1 1"
is "nothing has fired under ordinary load" \
  "$(ask 'count by (alertname, severity) (count_over_time(ALERTS{alertstate="firing"}[1h]))')" ""
stop "${load[@]}"
fires "the load has ended" ""

# ---- one fault for each alert -----------------------------------------------------------------------

traffic there serve 7101
peers=("$traffic")
traffic there serve-idle 7102 0
peers+=("$traffic")
traffic there answer 7103
peers+=("$traffic")

# says ALERT TEXT: the alerts that fire say so.
says() {
  is "$1: it says whose" "$(annotations | uniq)" "$1 $2 on web1.example.org$3"
}
traffic api stuck 10.1.0.1 7101 21
fires "21 sockets held in FIN_WAIT2" "TcpFinWait2Stuck warning"
stop "$traffic"
traffic api stuck 10.1.0.1 7101 201
fires "201" "TcpFinWait2Stuck critical|TcpFinWait2Stuck warning"
says TcpFinWait2Stuck "201 sockets of api.service are stuck in FIN_WAIT2" ""
stop "$traffic"
fires "none" ""

traffic api unread 10.1.0.1 7101 21
fires "21 held in FIN_WAIT1, whose peers do not read" "TcpFinWait1Stuck warning"
says TcpFinWait1Stuck "21 sockets of api.service are stuck in FIN_WAIT1" ""
stop "$traffic"
fires "none" ""

traffic api leak 10.1.0.1 7102 2
fires "two more in CLOSE_WAIT each second" "TcpCloseWaitStuck warning"
fires "and on" "TcpCloseWaitStuck critical|TcpCloseWaitStuck warning"
is "TcpCloseWaitStuck: it says whose" "$(annotations | sed 's/[0-9]* sockets/N sockets/' | uniq)" \
  "TcpCloseWaitStuck N sockets of api.service are stuck in CLOSE_WAIT on web1.example.org"
stop "$traffic"
fires "none" ""

range=$(</proc/sys/net/ipv4/ip_local_port_range)
echo 20000 20199 >/proc/sys/net/ipv4/ip_local_port_range
traffic api pool 10.1.0.1 7101 165
fires "165 of 200 ports to one destination" "TcpEphemeralPortsNearLimit warning"
says TcpEphemeralPortsNearLimit "7101-remote" " has 82 % of the local ports in use towards one destination"
clients=$traffic
traffic api pool 10.1.0.1 7101 30
fires "195" "TcpEphemeralPortsNearLimit critical|TcpEphemeralPortsNearLimit warning"
stop "$traffic" "$clients"
echo "$range" >/proc/sys/net/ipv4/ip_local_port_range
fires "none" ""

traffic api listen 7105 4096
listener=$traffic
traffic there gives-up 10.1.0.2 7105 21
fires "21 that nobody accepts, and their clients are gone" "TcpConnectionsNotAccepted warning"
says TcpConnectionsNotAccepted "21 connections of api.service were never accepted" ", and their clients have gone"
stop "$traffic" "$listener"
fires "none" ""

traffic api listen 7104 9
listener=$traffic
traffic there waits 10.1.0.2 7104 6
clients=$traffic
fires "six clients wait in a queue of nine" "TcpAcceptQueueFilling warning"
says TcpAcceptQueueFilling "The fullest accept queue of api.service" " is at 67 %"
traffic there waits 10.1.0.2 7104 4
fires "ten" "TcpAcceptQueueFilling critical|TcpAcceptQueueFilling warning"
stop "$traffic" "$clients" "$listener"
fires "none" ""

buckets=$(</proc/sys/net/ipv4/tcp_max_tw_buckets)
echo 40 >/proc/sys/net/ipv4/tcp_max_tw_buckets
traffic here ends 10.1.0.1 7103 40
fires "40 connections a second, and 40 buckets" "TcpTimeWaitOverflow warning"
stop "$traffic"
traffic here ends 10.1.0.1 7103 400
fires "400 a second" "TcpTimeWaitOverflow critical|TcpTimeWaitOverflow warning"
stop "$traffic"
echo "$buckets" >/proc/sys/net/ipv4/tcp_max_tw_buckets
fires "as many buckets as before" ""

echo 61 >/proc/sys/net/ipv4/tcp_fin_timeout
fires "61 s" "TcpFinTimeoutDiffers warning"
echo 60 >/proc/sys/net/ipv4/tcp_fin_timeout
fires "60 s" ""

sockets make fin-wait1-orphaned ipv4 18006 200
fires "orphans at 35 % of the limit" "TcpOrphansNearLimit warning" limit_at tcp_max_orphans 35
fires "70 %" "TcpOrphansNearLimit critical|TcpOrphansNearLimit warning" limit_at tcp_max_orphans 70
sockets release fin-wait1-orphaned ipv4 18006
limit_is tcp_max_orphans 1000000
fires "none" ""

sockets make listen ipv4 18007 1
memory_take 18007
fires "TCP memory at 80 % of the limit" "TcpMemoryNearLimit warning" limit_at tcp_mem 80
fires "97 %" "TcpMemoryNearLimit critical|TcpMemoryNearLimit warning" limit_at tcp_mem 97
memory_free
limit_is tcp_mem 1000000 2000000 3000000
fires "none" ""
stop "${peers[@]}"

# The value is the machine's, where other programs may run: so many that theirs do not matter. What the
# warning alone is, alerts_test.yml has. The plugin looks whether they have become a few more once in 200
# reads: with this interval within the 40 s that stand for 40 minutes, as it does at ten seconds.
collectd_stop
sed -i 's/^Interval .*/Interval 0.1/' "$work/collectd.conf"
collectd_start
fires "collectd reads ten times a second" ""
ulimit -n "$(ulimit -Hn)"
traffic there resets 7107
peers=("$traffic")
traffic api leak 10.1.0.1 7107 50
fires "50 more in no state each second" "TcpUnhashedGrowing critical|TcpUnhashedGrowing warning"
is "TcpUnhashedGrowing: it says what" "$(annotations | sed 's/[0-9]* sockets/N sockets/' | uniq)" \
  "TcpUnhashedGrowing N sockets on web1.example.org are in no TCP state, and their number grows"
descriptors=("/proc/$traffic/fd/"*)
is "the program has more than 1000 open, and ss shows none of 100" \
  "$((${#descriptors[@]} > 1000)) $(($(ss -tanH 'dport = :7107' | wc -l) < 100))" "1 1"
stop "$traffic" "${peers[@]}"
fires "none" ""

is "no summary lacks a word" "$(grep -E 'no value|error|  ' "$work/annotations" || true)" ""
collectd_stop
fires "collectd has ended" "TcpStatesMissing warning"
collectd_start
fires "it is back" ""

is "each alert of the file has fired" \
  "$(ask 'count by (alertname) (last_over_time(ALERTS{alertstate="firing"}[1h]))' | sed 's/.*="\(.*\)".*/\1/' | sort)" \
  "$(sed -n 's/^ *- alert: //p' alerts.yml | sort -u)"
is "Prometheus complains about nothing" "$(grep -E 'level=(warn|error)' "$work/prometheus.log" || true)" ""
is "collectd complains about nothing" "$(complaints | grep -v 'MHD_OPTION_EXTERNAL_LOGGER' || true)" ""
done_testing
