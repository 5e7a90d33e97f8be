#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Counting "auto" with more sockets than are dumped: at rest it equals "dump",
# ss and what the test has made; under churn it differs by no more than changes.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
# Apart: a read passes every socket of its table, and a machine may have a million others.
enter_netns_apart "$@"

# TCP Fast Open without cookies, for both sides and all listeners.
echo 0x607 >/proc/sys/net/ipv4/tcp_fastopen
# A machine with little memory has room for 2048 only.
echo 20000 >/proc/sys/net/ipv4/tcp_max_tw_buckets
# Those that last a minute come last.
port=18100
for family in ipv4 ipv6 mapped; do
  sockets make fast-open $family $port 3
  port=$((port + 1))
done
sockets make established ipv4 18200 2500
sockets make established ipv6 18200 500
sockets_of_every_kind 18000
sockets make fin-wait2-orphaned ipv6 18200 50
sockets make time-wait mapped 18201 500
sockets make time-wait ipv4 18200 6000
# Of all these 18200-remote has more than half.

block='
  AllPortsSummary true
  ReportClosed true
  LocalPort 18000
  RemotePort 18200 "18000-18002"
  <Filter "ipv6">
    AddressFamily "ipv6"
  </Filter>
  <Filter "mixed">
    RemotePort 18200
    RemoteAddress "::/0"
  </Filter>'
for counting in auto dump; do
  printf '<Plugin tcpstates>\n%s\n  Counting "%s"\n</Plugin>\n' "$block" $counting >"$work/$counting.conf"
done

# host NAME: a host program that reads whenever it is told to; its log is in
# $work/NAME.log.
declare -A to_host=() from_host=() host_pid=()
host() {
  local in out
  mkfifo "$work/$1.in" "$work/$1.out"
  "$build/plugin_host" --config "$work/$1.conf" --values --stdin "$build/.libs/tcpstates.so" \
    <"$work/$1.in" >"$work/$1.out" 2>"$work/$1.log" &
  host_pid[$1]=$!
  exec {in}>"$work/$1.in" {out}<"$work/$1.out"
  to_host[$1]=$in
  from_host[$1]=$out
}
# read_host NAME: one read, as lines "GROUP TYPE-INSTANCE VALUE".
read_host() {
  local line
  echo >&"${to_host[$1]}"
  while true; do
    IFS= read -r -t 60 line <&"${from_host[$1]}" || {
      echo "the host program with Counting $1 has ended, or has not read within 60 s: $(tail -n 5 "$work/$1.log")" >&"$log"
      exit 1
    }
    if [[ $line == "done" ]]; then break; fi
    if [[ $line == tcpstates-* ]]; then
      line=${line#tcpstates-}
      echo "${line/\// }"
    fi
  done | sort || exit 1 # what it says later would be taken for the next read
}
exec {log}>&2
at_end() { kill "${host_pid[@]}" 2>/dev/null; }
host auto
host dump

# counts FILE: only what is counted of sockets, not the settings and the machine.
counts() {
  grep -E '^[^ ]+ (tcp_connections|current_connections-(fin_wait2_held|fin_wait2_orphaned|orphaned))' "$1" | grep -v '^machine '
}

# read_at_rest: a read of auto and what ss says, between two equal dumps: no
# socket has ended in between.
read_at_rest() {
  read_host dump >"$work/dump" && read_host auto >"$work/auto" && ss -tanH >"$work/ss" &&
    read_host dump >"$work/dump2" && [[ $(counts "$work/dump") == "$(counts "$work/dump2")" ]]
}

read_host auto >"$work/first"
rest_or_old() { read_at_rest || ! sockets_last; }
wait_until 60 "two equal dumps" rest_or_old
sockets_last || begin_again "$@"
is "the first read dumps all, to know the groups" "$(grep -o 'every socket is dumped: .*' "$work/auto.log")" \
  "every socket is dumped: this is the first read of the groups"
ok "the second takes the kernel's sums, and counts a group by its complement" \
  grep -q "ESTABLISHED and TIME_WAIT are the kernel's sums, and 18200-remote is counted by its complement" "$work/auto.log"
ok "dump goes on dumping all" grep -q 'every socket is dumped: Counting is "dump"' "$work/dump.log"
is "auto is what a dump is" "$(counts "$work/auto")" "$(counts "$work/dump")"
groups=(all 18000-local 18200-remote 18000-18002-remote)
is "auto is what the test has made" \
  "$(counts "$work/auto" | grep -E "^($(IFS='|' && echo "${groups[*]}")) ")" "$(wanted "${groups[@]}")"
is "a Filter, too" "$(counts "$work/auto" | grep '^mixed ')" "$(wanted_where mixed '$3 == "ipv6" && $7 == 18200')"
cp "$work/auto" "$work/values"
is "ss says the same of every state" "$(states all)" "$(ss_states <"$work/ss")"

# Under churn. Between two dumps with an auto read in between, each
# connection changes a count by no more than its two sockets, once to enter it
# and once to leave it; those of before may change as well.
churn_start 18300
sleep 1
before=$(connections_made)
rounds=20
for ((round = 0; round < rounds; round++)); do
  made=$(connections_made)
  read_host dump >"$work/dump"
  read_host auto >"$work/auto"
  read_host dump >"$work/dump2"
  changes=$((2 * ($(connections_made) - made + 32)))
  # A count may lie outside the two by the changes, and must not be negative or beyond all bounds.
  paste -d' ' <(counts "$work/dump") <(counts "$work/auto") <(counts "$work/dump2") |
    awk -v changes=$changes '{
        low = $3 < $9 ? $3 : $9
        high = $3 < $9 ? $9 : $3
        if ($1 != $4 || $2 != $5 || $6 < 0 || $6 < low - changes || $6 > high + changes)
          print $0, "changes", changes
      }'
done >"$work/outside"
is "under churn every count of $rounds reads lies within what two dumps around it allow" "$(<"$work/outside")" ""
after=$(connections_made)
ok "there were thousands of connections meanwhile: $((after - before))" test $((after - before)) -gt 3000
churn_stop

# At rest again, they are equal again.
wait_until 300 "two equal dumps" read_at_rest
is "at rest again auto is what a dump is" "$(counts "$work/auto")" "$(counts "$work/dump")"
done_testing
