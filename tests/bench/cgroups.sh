# SPDX-License-Identifier: MIT
# Section "cgroups": a Filter with a ControlGroup on a machine with many control groups.
# shellcheck shell=bash disable=SC2034,SC2154 # what the scripts beside it set and read

section cgroups '' '' '2 minutes; 10000 sockets, 2100 and 6100 control groups'

churn_pid=

# Directories come and go, until cgroups_calm.
cgroups_churn() {
  : >"$work/churn"
  while [[ -e $work/churn ]]; do mkdir "$cgroup/d1/churn" && rmdir "$cgroup/d1/churn"; done &
  churn_pid=$!
}
cgroups_calm() {
  rm -- "$work/churn"
  wait "$churn_pid"
}

cgroups_alone() {
  local directories
  size=10000
  table cgroups ms none "CPU time of a read of $size sockets on a machine with many control groups (as a multiple of that without a Filter)"
  row cgroups none '' 'tcpstates, no Filter'
  row cgroups port '' 'a Filter with a LocalPort, 10 of the sockets'
  row cgroups few '' 'a Filter with a ControlGroup, 3 of the sockets'
  row cgroups most '' 'a Filter with a ControlGroup, 95 % of the sockets'
  row cgroups none_churn '' 'tcpstates, no Filter, while control groups come and go'
  row cgroups churn '' 'that with 3, while control groups come and go'
  for directories in 20 60; do
    if ! cgroup=$(cgroup_make); then
      cgroup=
      say "skipped: cgroups: no hierarchy that may be written"
      return
    fi
    mkdir "$cgroup"/d{1..100}
    eval "mkdir \"\$cgroup\"/d{1..100}/d{1..$directories}"
    make_sockets server "$size" "$cgroup" 20 || return 0
    into_cgroup
    cgroups_rounds "$((100 * directories + 100)) control groups"
    in_ns=()
    remove_sockets
    rmdir "$cgroup"/d*/d* "$cgroup"/d*
    cgroup_remove
    cgroup=
  done
}

# cgroups_rounds COLUMN
cgroups_rounds() {
  local round name
  declare -A took
  for ((round = 0; round < rounds; round++)); do
    for name in none port few most none_churn churn; do
      if [[ $name == *churn ]]; then cgroups_churn; fi
      case $name in
        none | none_churn) plugin "$tcpstates" '' ;;
        port) plugin "$tcpstates" $'<Filter "f">\nLocalPort "8001"\n</Filter>' ;;
        few | churn) plugin "$tcpstates" $'<Filter "f">\nControlGroup "/s7.service"\n</Filter>' ;;
        most) plugin "$tcpstates" $'<Filter "f">\nControlGroup "/s0.service"\n</Filter>' ;;
      esac
      if [[ $name == *churn ]]; then cgroups_calm; fi
      sample cgroups "$name" "$1" "$ns"
      took[$name]=$ns
    done
    # In thousandths of a read without a Filter, which what comes and goes makes slower, too.
    sample filtered few "$1" $((1000 * took[few] / took[none]))
    sample filtered churn "$1" $((1000 * took[churn] / took[none_churn]))
  done
}

cgroups_finish() {
  local each few=() churn=() own=()
  for each in 2100 6100; do
    few+=("cgroups:few:$each control groups/cgroups:port:$each control groups")
    churn+=("cgroups:churn:$each control groups/cgroups:few:$each control groups")
    own+=("filtered:churn:$each control groups/filtered:few:$each control groups")
  done
  target 1.2 'a Filter with a ControlGroup: of a LocalPort' "$(tabbed "${few[@]}")"
  target 1.2 'while control groups come and go: of that while none does' "$(tabbed "${churn[@]}")"
  target 1.2 'while they come and go, each of a read without a Filter' "$(tabbed "${own[@]}")"
}
