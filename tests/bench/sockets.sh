# SPDX-License-Identifier: MIT
# What bench.sh fills network namespaces with.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

sockets_pid=
made=0 # when the sockets were made or renewed
mix=
in_ns=() # what runs a command in another network namespace

# reason_against SIZE: prints why this machine cannot hold that many; fails if it can.
reason_against() {
  local kib=$(($1 * 33 / 10 + 100000)) free files open
  free=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  read -r open _ files </proc/sys/fs/file-nr
  if ((free < kib)); then
    echo "they take $((kib / 1024)) MiB, $((free / 1024)) MiB are available"
  elif ((files - open < $1)); then
    echo "fs.file-max allows $((files - open)) more descriptors"
  elif ((10#$(</proc/sys/kernel/pid_max) < 2 * $1 / $(ulimit -Hn) + 1000)); then
    echo "a process may open $(ulimit -Hn) descriptors, too few for the processes allowed"
  else
    return 1
  fi
}

# make_sockets MIX SIZE [ARGUMENT...]: by mass_sockets. Fails, and says why, when there
# is no room for them.
make_sockets() {
  local reason
  if reason=$(reason_against "$2"); then
    say "skipped: $2 sockets: $reason"
    return 1
  fi
  mix=$1
  "${in_ns[@]}" sh -c "echo $((2 * $2 + 1000)) >/proc/sys/net/ipv4/tcp_max_tw_buckets"
  coproc io { exec "${in_ns[@]}" "$build/mass_sockets" "$@" 2>"$work/mass_sockets"; }
  # shellcheck disable=SC2154 # coproc sets it
  sockets_pid=$io_PID to_sockets=${io[1]} from_sockets=${io[0]}
  if ! IFS= read -r _ <&"$from_sockets"; then
    say "skipped: $2 sockets: $1: $(<"$work/mass_sockets")"
    remove_sockets
    return 1
  fi
  made=$SECONDS
}

# TIME_WAIT lasts 60 s.
renew_sockets() {
  if [[ $mix != timewait ]] || ((SECONDS - made < 15)); then return 0; fi
  echo >&"$to_sockets"
  IFS= read -r _ <&"$from_sockets"
  made=$SECONDS
}

remove_sockets() {
  local pid=$sockets_pid
  if [[ -z $pid ]]; then return 0; fi
  sockets_pid=
  exec {to_sockets}>&- {from_sockets}<&- || true
  wait "$pid" 2>/dev/null || true
}

# ---- a few sockets more, and other namespaces -----------------------------------

# Processes that hold some sockets each, or another namespace.
holders=()

# start_holder WORD...: a sockmake that is started by these words.
start_holder() {
  local fifo=$work/holder.${#holders[@]}
  mkfifo "$fifo"
  : >"$fifo.out"
  # Opened for both, the FIFO has no end.
  "$@" "$build/sockmake" <>"$fifo" >"$fifo.out" &
  holders+=($!)
  holder_do -1 'sleep 0'
}

# holder_do NUMBER COMMAND: one more command for this one of holders; -1: the last.
holder_do() {
  local number=$1 fifo answers
  if ((number < 0)); then number=$((${#holders[@]} + number)); fi
  fifo=$work/holder.$number
  answers=$(grep -c '^ok$' "$fifo.out") || true
  echo "$2" >"$fifo"
  until (($(grep -c '^ok$' "$fifo.out") > answers)); do
    if grep '^error' "$fifo.out" >&2 || ! kill -0 "${holders[number]}"; then
      die 1 "$2: some sockets could not be made"
    fi
    sleep 0.02
  done
}

end_holders() {
  if ((${#holders[@]} > 0)); then
    kill "${holders[@]}" 2>/dev/null || true
    wait "${holders[@]}" 2>/dev/null || true
    rm -f -- "$work"/holder.*
  fi
  holders=() in_ns=()
}

# The namespace of bench.sh has a table of sockets of its own. A child of it shares the
# machine's, as containers do, unless its tcp_child_ehash_entries says otherwise.

# start_namespace COMMAND...: a holder in a new namespace, a child of that of in_ns, that
# does these commands.
start_namespace() {
  local command
  # shellcheck disable=SC2016 # the inner shell's
  start_holder "${in_ns[@]}" unshare --net sh -c 'ip link set lo up && exec "$0"'
  for command; do holder_do -1 "$command"; done
}

# into NUMBER: in_ns is the namespace of this one of holders.
into() {
  in_ns=(nsenter --target "${holders[$1]}" --net)
}

# into_machine_table: in_ns is from now on a namespace whose sockets are in the machine's
# table, holder 0.
into_machine_table() {
  start_namespace 'sleep 0'
  into 0
  "${in_ns[@]}" ip route add 10.0.0.0/8 dev lo
}

# into_cgroup: in_ns sees no other control groups than those in $cgroup, as /.
into_cgroup() {
  # shellcheck disable=SC2016 # the inner shell's
  in_ns=(unshare --mount sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$cgroup" "$(dirname -- "$cgroup")")
}

# blocks FIRST NUMBER: of the configuration, for this many of holders.
blocks() {
  local i
  for ((i = $1; i < $1 + $2; i++)); do
    printf '<Namespace "/proc/%d/ns/net">\n  Name "n%d"\n</Namespace>\n' "${holders[i]}" "$i"
  done
}
