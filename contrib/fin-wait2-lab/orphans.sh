# SPDX-License-Identifier: MIT
# run.sh --orphans: orphans meet tcp_max_orphans. run.sh sources it.
# shellcheck shell=bash disable=SC2154

readonly max_orphans=/proc/sys/net/ipv4/tcp_max_orphans
readonly reachable=4096

# Ends with 5 where the machine's limit cannot be met without changing it.
check_orphans() {
  local why="this network namespace does not show tcp_max_orphans. Run it outside of the container." limit=
  if [[ -r $max_orphans ]]; then
    limit=$(<$max_orphans)
    if ((limit <= reachable)); then return 0; fi
    why="tcp_max_orphans is $limit, and belongs to the whole machine, not to a
network namespace. To meet it, one would lower it, and so have connections of other programs
reset, or make $limit orphans. This lab does neither. It goes on where the limit is at most
$reachable, as on a virtual machine with less than 1 GB of memory."
  fi
  show "Not done here: $why" "" \
    "What one sees where it is done: current_connections-orphaned and percent-orphans of the group" \
    "\"machine\" rise with each close() that the peer does not answer with its own. At the limit each" \
    "further one is answered with a reset, TCPAbortOnMemory counts it, and the kernel logs \"too many" \
    "orphaned sockets\". It may count an orphan that retransmits up to four times: warn at 25 %."
  exit 5
}

# abort_on_memory: prints the lab's TCPAbortOnMemory.
abort_on_memory() {
  awk '$1 != "TcpExt:" { next }
    !column { for (i = 2; i <= NF; i++) if ($i == "TCPAbortOnMemory") column = i; next }
    { print $column }' "/proc/$lab_pid/net/netstat"
}

# collectd runs outside of the lab's namespace: the limit is not seen in there.
# Full orphans are what counts, so the timeout is above 60 s.
run_orphans() {
  local limit step text since orphans percent closed=0 reset=0 aborted=0 first=
  limit=$(<$max_orphans)
  step=$((limit / 20 + 1))
  keys=(machine/current_connections-orphaned machine/percent-orphans)
  start_readings 600
  ask "timeout 120"
  show "tcp_max_orphans is $limit, machine-wide: for some seconds other programs' connections may be reset too"
  while ((reset < step * 3 && closed < limit + step * 6)); do
    ask "close $step"
    # The kernel adds up its orphans ten times a second.
    sleep 0.2
    ask "close 0"
    read -r closed reset <<<"$answer"
    aborted=$(abort_on_memory)
    since=$((${EPOCHREALTIME/./} / 1000))
    while next_reading && ((stamp < since)); do :; done
    orphans=${reading[${keys[0]}]%.*}
    printf -v percent '%.1f' "${reading[${keys[1]}]}"
    printf -v text '%5d closed: %5d orphans (%5s %%); %4d reset, TCPAbortOnMemory %4d' \
      "$closed" "$orphans" "$percent" "$reset" "$aborted"
    show "$text"
    if ((reset > 0)) && [[ -z $first ]]; then first="at $orphans orphans ($percent %)"; fi
  done
  show "tcp_max_orphans $limit: $reset of $closed closes were answered with a reset, ${first:-at no time}; TCPAbortOnMemory $aborted"
  if ((reset == 0 || reset != aborted)); then die 4 "the sockets did not do what the rule says"; fi
}
