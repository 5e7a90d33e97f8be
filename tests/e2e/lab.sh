#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/fin-wait2-lab: orphaned FIN_WAIT2 sockets live as long as the rule says,
# held ones stay, and only the picture is left behind.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

lab=$top/contrib/fin-wait2-lab/run.sh
unshare=(unshare --net)
if ((EUID != 0)); then unshare=(unshare --map-root-user --net); fi
"${unshare[@]}" true 2>"$work/unshare" || skip_all "no network namespace of its own: $(<"$work/unshare")"

mkdir "$work/tmp"
before=$(</proc/sys/net/ipv4/tcp_fin_timeout)
status=0
# Long enough for a collectd that reads once a second to see them on a loaded machine.
T=8
SECONDS=0
TMPDIR=$work/tmp "$lab" --output "$work/lab.png" $T >"$work/said" 2>"$work/progress" || status=$?
took=$((SECONDS + 1))
is "it ends well" "$status" 0
if ((status != 0)); then fail "what it said" "$(cat "$work/said" "$work/progress")"; fi

# at PATTERN: when, in seconds, a line of the timeline says that first, once all sockets
# are there: a read may have come while they were made.
at() {
  awk -v pattern="$1" '/ 10 orphaned, 10 held$/ { all = 1 } all && $0 ~ pattern { print $1; exit }' "$work/said"
}
# by PATTERN: when the read after that one began: what a read says can be of any time until then.
by() {
  awk -v pattern="$1" '/ 10 orphaned, 10 held$/ { all = 1 } found { print $1; exit } all && $0 ~ pattern { found = 1 }' "$work/said"
}
lived=$(sed -n "s/^tcp_fin_timeout $T: orphaned lived \([0-9.]*\) s .*/\1/p" "$work/said")
held=$(sed -n "s/^tcp_fin_timeout $T: .* held still there after \([0-9.]*\) s\$/\1/p" "$work/said")
between() { awk -v low="$1" -v value="$2" -v high="$3" 'BEGIN { exit !(value != "" && value >= low && value <= high) }'; }

# The timer wheel is late, never early. How late is for the lab itself to judge.
ok "with tcp_fin_timeout $T the orphans lived $T s (it says ${lived:-nothing})" between $T "$lived" $took
ok "the held ones were still there 10 s later" between "$(awk -v s="${lived:-$took}" 'BEGIN { print s + 10 }')" "$held" $took
ok "collectd saw all of them in the beginning" between 0 "$(at ' 10 orphaned, 10 held$')" "${lived:-0}"
gone=' 0 orphaned, 10 held$'
ok "collectd saw the orphans go" between $T "$(by "$gone")" $took
ok "and nothing else" between 0 "$(at "$gone")" "${held:-0}"
ok "and then the held ones" between "$(at "$gone")" "$(at ' 0 orphaned, 0 held$')" $took
is "the picture is a PNG" "$(head -c 8 "$work/lab.png" 2>/dev/null | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a
is "this namespace's tcp_fin_timeout is as before" "$(</proc/sys/net/ipv4/tcp_fin_timeout)" "$before"
is "nothing is left behind" "$(ls -A "$work/tmp")" ""
# collectd's command line has no path of its own, but it works there.
is "no process either" "$(find /proc/[0-9]*/cwd /proc/[0-9]*/exe -maxdepth 0 -lname "$work/tmp*" 2>/dev/null || true)" ""

status=0
"$lab" 0 >/dev/null 2>"$work/progress" || status=$?
is "wrong usage has exit status 2" "$status" 2
large="--orphans is not done where the limit is large"
limit=$(cat /proc/sys/net/ipv4/tcp_max_orphans 2>/dev/null || true)
if ((status != 2)); then
  skip "$large" "it does not even refuse wrong usage"
elif [[ -z $limit ]]; then
  skip "$large" "there is no tcp_max_orphans here to read"
elif ((limit <= 4096)); then
  skip "$large" "tcp_max_orphans is $limit here: it would be done"
else
  status=0
  "$lab" --orphans >"$work/said" 2>"$work/progress" || status=$?
  is "$large" "$status" 5
  ok "and says why" grep -q "tcp_max_orphans is $limit, and belongs to the whole machine" "$work/said"
fi
done_testing
