# SPDX-License-Identifier: MIT
# What the tests written as scripts share; each sources it first. Results go to
# stdout as TAP (https://testanything.org), which make check collects.
# shellcheck shell=bash disable=SC2034 # variables that only the scripts read
set -euo pipefail
export LC_ALL=C
# make check-build hands TESTS= down to every make below it.
unset MAKEFLAGS MFLAGS MAKELEVEL
# configure, libtool and make take a tenth less time with it than with bash.
if [[ -x /bin/dash ]]; then export CONFIG_SHELL=/bin/dash; fi

program=${0##*/}
. "$(dirname -- "${BASH_SOURCE[0]}")/../../contrib/private-collectd.sh"
build=$(cd -- "${builddir:-.}" && pwd -P)
work=$(mktemp -d "${TMPDIR:-/tmp}/tcpstates-test.XXXXXX")
chmod 755 "$work"

# ---- results ----------------------------------------------------------------

tests_run=0
tests_failed=0

pass() {
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1"
}

# fail NAME [TEXT]
fail() {
  tests_run=$((tests_run + 1))
  tests_failed=$((tests_failed + 1))
  echo "not ok $tests_run - $1"
  if [[ -n ${2-} ]]; then sed 's/^/# /' <<<"$2"; fi
}

# skip NAME REASON
skip() {
  tests_run=$((tests_run + 1))
  echo "ok $tests_run - $1 # SKIP $2"
}

# sees_all_processes: in a PID namespace of its own, as in a container, unhashed sockets are
# not known.
sees_all_processes() {
  [[ $(readlink /proc/self/ns/pid) == 'pid:[4026531836]' ]]
}

# skip_all REASON: nothing here can run.
skip_all() {
  echo "1..0 # SKIP $1"
  exit 0
}

# is NAME GOT WANTED: the texts are equal.
is() {
  if [[ $2 == "$3" ]]; then
    pass "$1"
  else
    fail "$1" "$(diff <(printf '%s\n' "$3") <(printf '%s\n' "$2") | sed '1i wanted < > got')"
  fi
}

# ok NAME COMMAND...: the command succeeds; its output is shown when it does not.
ok() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then pass "$name"; else fail "$name" "$* failed: $(tail -n 20 <<<"$output")"; fi
}

done_testing() {
  if ! $have_ipv6; then skip "sockets of IPv6" "there is no IPv6 here: they were of IPv4"; fi
  echo "1..$tests_run"
}

# no_mirror FILE: is this what apt says where there is no network?
no_mirror() {
  grep -Eq 'Could not (resolve|connect)|Temporary failure resolving|Unable to connect' "$1"
}

# wait_until SECONDS TEXT COMMAND...: until it succeeds. When it has not by then, it fails, and
# says TEXT and what the command has said last.
wait_until() {
  local deadline=$((SECONDS + $1)) text=$2
  shift 2
  until "$@" 2>"$work/wait_until"; do
    if ((SECONDS > deadline)); then
      echo "not in time: $text: $(<"$work/wait_until")" >&2
      return 1
    fi
    sleep 0.05
  done
}

# code_block FILE N: the Nth block of code (indented by four) of a page.
code_block() {
  awk -v n="$2" '
    /^    / { if (!inside) block++; inside = 1; if (block == n) print substr($0, 5); next }
    /./ { inside = 0 }' "$1"
}

# What the packages have of contrib/.
packaged_contrib=(contrib/{collectd.conf.d,collection3,containers,dashboards,from-tcpconns.md,notify-mail.sh,prometheus,rollout,rrdgraph,tcpstates-mail.conf,tcpstates-thresholds.conf})

# dead_links DIRECTORY: the links between pages in it, a package's documents, that lead
# nowhere, except those to what is only in the source. Debian compresses long ones.
dead_links() {
  local page link
  while read -r page; do
    while read -r link; do
      [[ -e $1/$(dirname -- "$page")/$link || -e $1/$(dirname -- "$page")/$link.gz ]] || echo "$page: $link"
    done < <(zcat -f -- "$1/$page" | grep -oE '\]\([^)#]+' | sed 's/^..//' | grep -v ://)
  done < <(cd -- "$1" && find . -name '*.md' -o -name '*.md.gz' | sort) |
    grep -Ev ': (\.github/|tests/|plugin/|LICENSE$|contrib/fin-wait2-lab/|(contrib|\.\.)/packages/)' || true
}

# ---- sockets in a network namespace of the test's own ------------------------

have_ipv6=true

start_sockmake() {
  coproc sockmake_io { exec "$build/sockmake"; }
  # shellcheck disable=SC2154 # coproc sets it
  sockmake_pid=$sockmake_io_PID
  # Subshells have these, but not those of the coproc.
  exec {from_sockmake}<&"${sockmake_io[0]}" {to_sockmake}>&"${sockmake_io[1]}"
}

# sockets COMMAND...: tests/support/sockmake.c does it; prints what it answers. Where there
# is no IPv6 all that is asked for is IPv4.
sockets() {
  local command=$*
  if ! $have_ipv6; then
    command=${command/ ipv6 / ipv4 }
    command=${command/ mapped / ipv4 }
    command=${command//::ffff:/}
  fi
  echo "$command" >&"$to_sockmake"
  # Not bash's read: it takes a byte at a time. Nothing follows the last line, so
  # that sed cannot take too much.
  local status=0
  sed -n -e '/^ok$/q3' -e '/^error:/{s/^/sockmake: /;w /dev/stderr' -e 'q}' -e p <&"$from_sockmake" || status=$?
  if ((status == 3)); then return 0; fi
  echo "sockmake: $*: failed or ended" >&2
  exit 99
}

# unshare_apart COMMAND...: becomes the command in a namespace in a namespace: its
# hash table of sockets is its own, so that others' sockets do not lengthen the
# walk, with $apart_entries, or as large as the machine's. Before Linux 6.1 all share
# one. The array unshare has the words that make a namespace.
unshare_apart() {
  # shellcheck disable=SC2016 # the inner shell's
  exec "${unshare[@]}" "$BASH" -c '
    cd /proc/sys/net/ipv4
    if [[ -e tcp_child_ehash_entries ]]; then
      entries=${2:-$(<tcp_ehash_entries)}
      echo "${entries#-}" >tcp_child_ehash_entries
    fi
    cd "$1"
    shift 2
    exec unshare --net "$@"' - "$PWD" "${apart_entries-}" "$@"
}

# enter_netns "$@": starts the script again in a network namespace of its own, and
# in others that unshare_also asks for.
# enter_netns_apart "$@": in one with a hash table of sockets of its own.
unshare_also=()
enter_netns_apart() {
  local apart=true
  enter_netns "$@"
}
enter_netns() {
  if [[ ${TCPSTATES_TEST_NETNS-} != "$$" ]]; then
    local -a unshare=(unshare --net "${unshare_also[@]}")
    if ((EUID != 0)); then unshare+=(--map-root-user); fi
    "${unshare[@]}" true 2>"$work/unshare" ||
      skip_all "no network namespace of its own: $(<"$work/unshare")"
    rm -r -- "$work"
    # exec keeps the process id.
    export TCPSTATES_TEST_NETNS=$$
    if [[ -n ${apart-} ]]; then unshare_apart "$BASH" "$0" "$@"; fi
    exec "${unshare[@]}" "$BASH" "$0" "$@"
  fi
  PATH=$PATH:/usr/sbin:/sbin
  ip link set lo up
  if ! grep -qs . /proc/net/if_inet6; then have_ipv6=false; fi
  start_sockmake
}

# need_mount_namespace: skips the test where there is none, as where / is no mount.
need_mount_namespace() {
  unshare --mount true 2>"$work/unshare" || skip_all "no mount namespace: $(<"$work/unshare")"
}

# netns_apart PID: the process has a network namespace that is not ours.
netns_apart() {
  local netns
  netns=$(readlink "/proc/$1/ns/net") && [[ $netns != "$(readlink /proc/$$/ns/net)" ]]
}

# cgroup_make: a cgroup v2 directory of the test's own; prints it. Fails where there
# is no hierarchy that this user may write.
cgroup_make() {
  local mount
  for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    if [[ $(stat -f -c %T "$mount" 2>/dev/null) == cgroup2fs && -w $mount/cgroup.procs ]]; then
      mkdir "$mount/tcpstates-test-$$"
      echo "$mount/tcpstates-test-$$"
      return 0
    fi
  done
  return 1
}

# sockets_in DIRECTORY COMMAND...: as sockets, by a second sockmake in that control
# group, which is made if it is not there.
sockets_in() {
  if [[ -z ${inside_pid-} ]]; then
    inside_cgroup=$1
    mkdir -p "$1"
    # bash warns of a second one.
    {
      coproc inside_io {
        echo $BASHPID >"$inside_cgroup/cgroup.procs"
        exec "$build/sockmake"
      }
    } 2>/dev/null
    # shellcheck disable=SC2154 # coproc sets it
    inside_pid=$inside_io_PID
    exec {from_inside}<&"${inside_io[0]}" {to_inside}>&"${inside_io[1]}"
  fi
  shift
  to_sockmake=$to_inside from_sockmake=$from_inside sockets "$@"
}

# sockets_in_end: ends that sockmake and removes its control group.
sockets_in_end() {
  exec {from_inside}<&- {to_inside}>&-
  kill "$inside_pid"
  wait "$inside_pid" 2>/dev/null || true
  inside_pid=
  # collectd may be looking into it.
  wait_until 60 "$inside_cgroup can be removed" rmdir "$inside_cgroup"
}

# cgroup_remove: what cgroup_make has made, and $cgroup names, with all that is below it.
cgroup_remove() {
  if [[ -n ${inside_pid-} ]]; then sockets_in_end; fi
  if [[ -n ${cgroup-} ]]; then find "$cgroup" -depth -type d -exec rmdir {} +; fi
}

# kill_and_wait PID: a process of this shell, which may have ended.
kill_and_wait() {
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# sockets_of_every_kind PORT: all states, held and orphaned, in each family; the
# families use PORT, PORT+1 and PORT+2.
sockets_of_every_kind() {
  local family kind count=0 port=$1
  for family in ipv4 ipv6 mapped; do
    for kind in established fin-wait1-held fin-wait1-orphaned fin-wait2-held \
      fin-wait2-orphaned time-wait last-ack-orphaned last-ack-held closing-held closing-orphaned bound syn unaccepted; do
      # Numbers that tell the kinds apart when they are mixed up.
      count=$((count % 5 + 1))
      if [[ $kind == bound ]]; then
        sockets make bound "$family" 0 "$count"
      else
        sockets make "$kind" "$family" "$port" "$count"
      fi
    done
    port=$((port + 1))
  done
}

# sockets_last: none that sockmake has made has ended by itself, or is about to: TIME_WAIT and an
# orphaned FIN_WAIT2 end after 60 s, and sockmake lists them still.
sockets_last() {
  sockets list | awk '($1 == "TIME_WAIT" || $1 == "FIN_WAIT2" && $2 == "orphaned") && $8 > 50000 { old = 1 } END { exit old }'
}

# begin_again "$@": the script, in another namespace and with new sockets, where those that it has
# made have become too old before anything was said of them.
begin_again() {
  export TCPSTATES_TEST_AGAIN=$((${TCPSTATES_TEST_AGAIN-0} + 1))
  if ((tests_run > 0 || TCPSTATES_TEST_AGAIN > 4)); then
    echo "sockets that last a minute ended before they were counted" >&2
    exit 1
  fi
  unset TCPSTATES_TEST_NETNS
  end_all
  exec "$BASH" "$0" "$@"
}

# Bound-only sockets can be asked for since Linux 6.8.
closed_known() {
  local major minor rest
  IFS=. read -r major minor rest < <(uname -r)
  ((major > 6 || (major == 6 && ${minor%%[!0-9]*} >= 8)))
}

# wanted_where GROUP CONDITION: what tcpstates has to say about a group by what
# sockmake has made, a line "GROUP TYPE-INSTANCE VALUE" for each value, sorted.
# CONDITION is awk's, on lines "STATE OWNER FAMILY LOCAL PORT REMOTE PORT AGE".
wanted_where() {
  sockets list | awk -v group="$1" '
    '"$2"' {
      count[$1]++
      if ($1 == "FIN_WAIT2" && $2 == "held") held++
      if ($1 == "FIN_WAIT2" && $2 == "orphaned") fin_wait2_orphaned++
      # An orphaned FIN_WAIT2 is a minisocket, not an orphan, while tcp_fin_timeout is at most 60.
      if ($1 != "FIN_WAIT2" && $2 == "orphaned") orphaned++
    }
    END {
      split("ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSED CLOSE_WAIT LAST_ACK LISTEN CLOSING", states)
      for (i in states) print group, "tcp_connections-" states[i], count[states[i]] + 0
      print group, "current_connections-fin_wait2_held", held + 0
      print group, "current_connections-fin_wait2_orphaned", fin_wait2_orphaned + 0
      print group, "current_connections-orphaned", orphaned + 0
    }' | { closed_known && cat || grep -v -- -CLOSED; } | sort
}

# wanted GROUP...: the same for groups whose names say what they are: all,
# 443-local, 8000-8099-remote.
wanted() {
  local group low high column
  for group; do
    low=${group%%-*}
    high=${group%-*}
    high=${high#*-}
    column='$5'
    if [[ $group == *-remote ]]; then column='$7'; fi
    if [[ $group == all ]]; then
      wanted_where all 1
    else
      wanted_where "$group" "$column >= $low && $column <= $high"
    fi
  done | sort
}

# machine_limits [ORPHANS [TCP-MEM]]: the kernel shows the machine-wide limits in the
# first network namespace alone; here the files $work/limits/tcp_max_orphans and tcp_mem
# stand for them, for a program that "${as_machine[@]}" starts. All else is the
# namespace's own.
machine_limits() {
  mkdir "$work/ipv4" "$work/limits"
  ln -s "$work/ipv4/"{tcp_fin_timeout,tcp_max_tw_buckets,ip_local_port_range,ip_local_reserved_ports} "$work/limits/"
  limit_is tcp_max_orphans "${1-1000000}"
  limit_is tcp_mem "${2-1000000 2000000 3000000}"
  # shellcheck disable=SC2016 # for sh
  as_machine=(unshare --mount sh -c
    'mount --bind /proc/sys/net/ipv4 "$0/ipv4" && mount --bind "$0/limits" /proc/sys/net/ipv4 && exec "$@"' "$work")
  "${as_machine[@]}" true 2>"$work/mount" || skip_all "no mount namespace: $(<"$work/mount")"
}

# limit_is tcp_max_orphans|tcp_mem NUMBER...: becomes it at once, and in the file that a
# running collectd has open, as a sysctl does.
limit_is() {
  printf '%-60s\n' "${*:2}" 1<>"$work/limits/$1"
}

# sockstat NAME: what the kernel counts under it, machine-wide: alloc, orphan, mem.
sockstat() {
  awk -v name="$1" '$1 == "TCP:" { for (i = 2; i < NF; i += 2) if ($i == name) print $(i + 1) }' /proc/net/sockstat
}

# limit_at tcp_max_orphans|tcp_mem PERCENT: is set so that this much of it is used.
# Other programs' sockets count, too: repeat it until there are none.
limit_at() {
  if [[ $1 == tcp_mem ]]; then
    limit_is tcp_mem 1 1 $(($(sockstat mem) * 100 / $2))
  else
    limit_is tcp_max_orphans $(($(sockstat orphan) * 100 / $2))
  fi
}

# memory_take PORT: a connection to a listener that does not read; it takes
# some 3 MB of TCP memory until memory_free.
memory_take() {
  local tenths before
  before=$(sockstat mem)
  exec {unread}<>"/dev/tcp/127.0.0.1/$1"
  head -c 16M /dev/zero >&"$unread" &
  filler=$!
  for ((tenths = 0; tenths < 600; tenths++)); do
    if (($(sockstat mem) - before >= 500)); then return 0; fi
    sleep 0.1
  done
}
memory_free() {
  kill "$filler"
  wait "$filler" 2>/dev/null || true
  exec {unread}>&-
}

# ---- churn ------------------------------------------------------------------

# churn_start PORT [RATE]: connections that come and go, this many a second or as fast as
# they can; see tests/support/churn.c.
churn_start() {
  mkfifo "$work/churn.in" "$work/churn.out"
  "$build/churn" "$@" <"$work/churn.in" >"$work/churn.out" &
  churn_pid=$!
  exec {to_churn}>"$work/churn.in" {from_churn}<"$work/churn.out"
}

# connections_made: so far.
connections_made() {
  local made
  echo >&"$to_churn"
  IFS= read -r -t 60 made <&"$from_churn" || {
    echo "churn has ended, or has not answered for 60 s" >&2
    return 1
  }
  echo "$made"
}

churn_stop() {
  local pid=$churn_pid
  churn_pid=
  exec {to_churn}>&- {from_churn}<&-
  # What was started meanwhile has its standard input open, too.
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  rm -- "$work/churn.in" "$work/churn.out"
}

# ---- collectd ---------------------------------------------------------------

interval=0.5 # seconds, that collectd_configure takes
# patient SECONDS [WALKS]: an interval of so many seconds, in which a read walks the table of sockets so often [2]; where the
# machine has many sockets, as long as that takes here and now, and twice that for others who begin to.
patient() {
  if (($(sockstat alloc) < 100000)); then
    echo "$1"
    return
  fi
  local begun=$EPOCHREALTIME
  ss -tanH state closing >/dev/null # two walks
  awk -v seconds="$1" -v walks="${2-2}" -v begun="$begun" -v ended="$EPOCHREALTIME" \
    'BEGIN { least = int(3 * walks * (ended - begun) / 2) + 1; print (seconds > least ? seconds : least) }'
}
as_user=()            # what collectd is started by

unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs)

# collectd_configure [PLUGIN...]: what follows on stdin becomes the configuration
# of a collectd in a directory of its own, with tcpstates and these plugins of
# collectd's. Its values and messages go to the file $work/output.
collectd_configure() {
  mkdir -p "$work/plugins" "$work/run"
  chmod 777 "$work/run"
  cp -- "$build/.libs/tcpstates.so" "$work/plugins/"
  copy_plugins csv logfile "$@"
  {
    print_configuration "$interval" "$work/run"
    cat
  } >"$work/collectd.conf"
}

# It takes the paths of its files for patterns, hence a relative one.
collectd_exec() {
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/collectd/sbin
  cd -- "$work"
  exec "${as_user[@]}" "$(type -P collectd)" "$1" -C collectd.conf
}

# collectd_run: reads once and ends; returns its exit status.
collectd_run() {
  (collectd_exec -T) >"$work/output" 2>&1 </dev/null
}

collectd_start() {
  (collectd_exec -f) >"$work/output" 2>&1 </dev/null &
  collectd_pid=$!
}

# collectd_stop: ends it and waits; returns its exit status, which is that of SIGKILL when it
# has not ended by itself within a minute.
collectd_stop() {
  local pid=$collectd_pid
  collectd_pid=
  kill -TERM "$pid"
  wait_until 60 "collectd ends" has_ended "$pid" || kill -KILL "$pid"
  wait "$pid"
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# messages PATTERN: what collectd has logged so far, of the lines that match.
messages() {
  grep -v '^PUTVAL ' "$work/output" | grep -E -- "$1" || true
}

# complaints: the errors and warnings among them, but not collectd's own that the machine is
# so loaded that a read took longer than its interval: where it is a second, the next one
# may be in the same, and an RRD file has one value in each; or that there are still values to
# write when it ends.
late_read='value lists were left after shutting down the write threads|above its read interval|Not sleeping because the next interval|illegal attempt to update .*minimum one second step'
# A Filter of all control groups meets those that cgroups.sh nests too deep meanwhile.
nested_beside='/tcpstates-test-[0-9]+/deep/nest[/nest]*, of Filter "grouped": too many control groups'
complaints() {
  messages '^\[(error|warning)\]' | grep -vE "$late_read|$nested_beside" || true
}

# values [PLUGIN]: all values of one read that has begun after the call, as lines
# "GROUP TYPE-INSTANCE VALUE", sorted. Fails when none comes within 60 s and three intervals.
values() {
  local deadline=$((SECONDS + 60 + 3 * ${interval%.*})) now
  now=$(date +%s.%N)
  while ((SECONDS <= deadline)); do
    sleep 0.1
    # A read is whole when its first value comes a second time.
    if awk -v plugin="${1:-tcpstates}" -v now="$now" '
        $1 != "PUTVAL" { next }
        {
          split($2, id, "/")
          if (substr(id[2], 1, length(plugin) + 1) != plugin "-") next
          split($4, sample, ":")
          if (sample[1] <= now) next
          key = substr(id[2], length(plugin) + 2) " " id[3]
          if (key == first) { whole = 1; exit }
          if (first == "") first = key
          # csv prints six decimals.
          sub(/\.?0+$/, "", sample[2])
          print key, sample[2]
        }
        END { exit !whole }' "$work/output" >"$work/values"; then
      sort "$work/values"
      return 0
    fi
  done
  echo "no values in time; collectd says:" >&2
  messages . >&2
  return 1
}

# value GROUP TYPE-INSTANCE: of the last values.
value() {
  awk -v key="$*" 'index($0, key " ") == 1 { print $NF }' "$work/values"
}

# reads_so_far: how many have had values of the group "all".
reads_so_far() {
  grep -c '/tcpstates-all/tcp_connections-LISTEN ' "$work/output" || true
}

# rrd_copy FILE: a copy of an RRD file, and its name. rrdtool locks what it reads, and what
# collectd writes meanwhile is lost.
rrd_copy() {
  cp -- "$1" "$work/copy.rrd" && echo "$work/copy.rrd"
}

# rrd_reaches FILE SECOND: it has values up to there.
rrd_reaches() {
  local last
  last=$(rrdtool last "$(rrd_copy "$1")") && test "$last" -ge "$2"
}

# ss_states: what ss -tanH on the standard input says of each state. states GROUP: what
# the last values do, in the same words.
ss_states() {
  awk '
    { count[$1]++ }
    END {
      num = split("CLOSE-WAIT:CLOSE_WAIT CLOSING:CLOSING ESTAB:ESTABLISHED FIN-WAIT-1:FIN_WAIT1 FIN-WAIT-2:FIN_WAIT2 " \
        "LAST-ACK:LAST_ACK LISTEN:LISTEN SYN-RECV:SYN_RECV SYN-SENT:SYN_SENT TIME-WAIT:TIME_WAIT", states)
      for (i = 1; i <= num; i++) {
        split(states[i], pair, ":")
        print "tcp_connections-" pair[2], count[pair[1]] + 0
      }
    }' | sort
}
states() {
  awk -v group="$1" '$1 == group && $2 ~ /^tcp_connections-/ && $2 !~ /-CLOSED$/ { print $2, $3 }' "$work/values" | sort
}

# ---- the end ----------------------------------------------------------------

# What a script has to end and to remove itself: it defines this again. Nothing that
# fails here keeps the rest from being done, or changes the exit status.
at_end() { :; }

end_all() {
  set +eu
  at_end
  if [[ -n $collectd_pid ]]; then collectd_stop 2>/dev/null || true; fi
  if [[ -n ${churn_pid-} ]]; then kill "$churn_pid" 2>/dev/null || true; fi
  if [[ -n ${sockmake_pid-} ]]; then kill "$sockmake_pid" 2>/dev/null || true; fi
  rm -rf --one-file-system -- "$work"
}

clean_up() {
  local status=$?
  # make check's time limit sends SIGTERM to all of a test, and to its first process twice.
  trap '' HUP INT TERM
  end_all
  exit "$status"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
