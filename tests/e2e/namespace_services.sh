#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Services across a Namespace pattern, under a real collectd: each service's sums are what ss
# shows of its control groups in each namespace, and what a block for each namespace says; an
# alarm names the container.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
unshare_also=(--mount)
enter_netns "$@"
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
pids=()
at_end() {
  local pid
  for pid in "${pids[@]}"; do kill_and_wait "$pid"; done
  cgroup_remove
}
mount -t tmpfs -o mode=755 run /run 2>"$work/mount" || skip_all "no mounts: $(<"$work/mount")"
ip netns add try 2>"$work/ip" || skip_all "this user may not make namespaces for setns(2): $(<"$work/ip")"
ip netns del try

# run NAMESPACE CONTROL-GROUP LINE [COMMAND...]: a sockmake there, started by COMMAND; $to is
# for more lines.
run() {
  local fifo=$work/fifo-${#pids[@]}
  mkdir -p "$cgroup/$2"
  mkfifo "$fifo"
  # shellcheck disable=SC2016 # for sh
  sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec nsenter "$@"' - "$cgroup/$2" --net="/run/netns/$1" "${@:4}" "$build/sockmake" <"$fifo" >"$fifo.out" &
  pids+=("$!")
  exec {to}>"$fifo"
  echo "$3" >&"$to"
  wait_until 60 "sockets of $2 in $1" grep -q '^ok' "$fifo.out"
}
names=(svc-a svc-b svc-c svc-empty)
for name in "${names[@]}"; do
  ip netns add "$name"
  ip -n "$name" link set lo up
done
container=docker-0123456789abcdef0123456789abcdef.scope
run svc-a system.slice/web.service 'make established ipv4 18000 3'
run svc-a system.slice/db.service 'make fin-wait2-held ipv6 18001 4'
run svc-b system.slice/web.service 'make established ipv6 18000 5'
# shellcheck disable=SC2016 # for sh
run svc-b "$container" 'make established ipv4 18000 1' unshare --uts sh -c 'hostname box-1 && exec "$0"'
leak=$to
run svc-c system.slice/web.service/worker 'make established ipv4 18002 2'
# shellcheck disable=SC2016 # for sh
run svc-c "$container" 'make established ipv4 18003 6' unshare --uts sh -c 'hostname box-1 && exec "$0"'
sockets make established ipv4 18000 50 # of collectd's own namespace

# What is not read within it is complained about.
interval=$(patient 2 10)
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  echo '<Plugin tcpstates>'
  echo '<Namespace "svc-*">
    Name "pods"
    NamespaceBudget 100
    Services true
    StuckAfter 1
    NotifyStuck 5
  </Namespace>
  <Namespace "svc-*">
    Name "named"
    NamespaceBudget 100
    Services true
    ServiceNames "hostname"
  </Namespace>
  <Namespace "svc-*">
    Name "few"
    NamespaceBudget 100
    Services true
    ServicesMax 1
  </Namespace>'
  for name in "${names[@]}"; do printf '<Namespace "%s">\n  Services true\n  StuckAfter 1\n</Namespace>\n' "$name"; done
  echo '</Plugin>'
)
got() { awk -v key="$1" 'index($0, key " ") == 1 { print $NF }' "$work/values"; }
whole() { [[ $(values >/dev/null && got 'all@pods gauge-namespaces') == 4 ]]; }
collectd_start
wait_until 60 "values of the pattern" whole

# of VALUE GROUPS: the services'.
of() { awk -v value="$1" -v end="@$2" '
  $2 == value && $1 !~ /^all@/ && substr($1, length($1) - length(end) + 1) == end && $3 > 0 { print substr($1, 1, length($1) - length(end)), $3 }' "$work/values" | sort; }
is "each service's sum in ESTABLISHED is what was made" "$(of tcp_connections-ESTABLISHED pods)" "docker-0123456789ab 14
web.service 20"
is "and in CLOSE_WAIT" "$(of tcp_connections-CLOSE_WAIT pods)" "db.service 4"
# In svc-a and svc-c others are larger.
is "ServicesMax is of all namespaces together" "$(of tcp_connections-ESTABLISHED few)" "other 14
web.service 20"
# by_ss STATE
by_ss() {
  local name
  for name in "${names[@]}"; do nsenter --net="/run/netns/$name" ss -Htan --cgroup state "$1"; done |
    sed -n "s|.* cgroup:/${cgroup##*/}/||p" | sed -E 's|^system.slice/||; s|/.*||; s| *$||; s|^(docker-.{12}).*|\1|' |
    sort | uniq -c | awk '{ print $2, $1 }'
}
if ss --help 2>&1 | grep -q -- --cgroup; then
  for state in tcp_connections-{ESTABLISHED:established,CLOSE_WAIT:close-wait,LISTEN:listening} current_connections-fin_wait2_held:fin-wait-2; do
    is "${state%:*} of each service is what ss says in all namespaces" "$(of "${state%:*}" pods)" "$(by_ss "${state#*:}")"
  done
else
  skip "as by ss" "this ss does not show control groups"
fi
# The sums of one read, by adding up the blocks' values of the same read.
awk '
  $1 !~ /@/ || $2 ~ /tcp_fin_timeout|fin_wait2_lifetime|tcp_max_tw_buckets|namespaces|_oldest|_stuck/ { next }
  $1 ~ /@pods$/ { print "is " $0; next }
  $1 ~ /@svc-/ {
    sub(/@.*/, "@pods", $1)
    key = $1 " " $2
    if ($2 ~ /^percent-/) { if ($3 > sum[key] + 0) sum[key] = $3 } else sum[key] += $3
    sum[key] += 0
  }
  END { for (key in sum) print "sum " key, sum[key] }' "$work/values" >"$work/sums"
is "all sums are those of the blocks" "$(sed -n 's/^is //p' "$work/sums" | sort)" "$(sed -n 's/^sum //p' "$work/sums" | sort)"
ok "services among them" test "$(grep -c '^is \(web.service\|db.service\|docker-0123456789ab\)@pods ' "$work/sums")" -ge 30
is "a container's host name is the same everywhere" "$(of tcp_connections-ESTABLISHED named)" "box-1 14
web.service 20"

# ---- the alarm ------------------------------------------------------------------

notified() {
  messages "Notification: severity = $1, .*plugin_instance = docker-0123456789ab@pods, .*type_instance = $2_stuck, message = " |
    sed 's/.*message = //'
}
tells() { [[ -n $(notified "$@") ]]; }
echo 'make fin-wait2-held ipv4 18004 9' >&"$leak"
wait_until $((60 + 6 * ${interval%.*})) "a WARNING" tells WARNING close_wait || true
ok "the alarm names the container across the pattern" grep -q '^9 sockets of docker-0123456789ab in CLOSE_WAIT for more than 1 s' <(notified WARNING close_wait)
is "and no other one is reported" "$(messages 'Notification: ' | grep -vc 'plugin_instance = docker-0123456789ab@pods')" 0
echo 'release fin-wait2-held ipv4 18004' >&"$leak"
wait_until $((60 + 6 * ${interval%.*})) "an OKAY" tells OKAY close_wait || true
ok "and that it is over" grep -q '^0 stuck in CLOSE_WAIT' <(notified OKAY close_wait)
is "nothing else is complained about" "$(complaints | grep -v Notification || true)" ""
collectd_stop
done_testing
