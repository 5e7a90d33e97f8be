#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Control groups as a user to whom a part of the hierarchy was delegated can make them: nested
# a thousand deep, thousands of them, closed. Each costs no more than what is in it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"
cgroup=$(cgroup_make) || skip_all "no cgroup v2 hierarchy is mounted where this user may write"
depth=0
unnest() {
  python3 -c '
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])): os.chdir("nest")
for _ in range(int(sys.argv[2])):
    os.chdir("..")
    os.rmdir("nest")' "$cgroup/deep" "$depth"
}
at_end() {
  if ((depth > 0)); then unnest; fi
  sockets_in_end
  chmod 755 "$cgroup/closed" || true
  cgroup_remove
}

mkdir "$cgroup/deep" "$cgroup/many" "$cgroup/closed" "$cgroup/closed/inner"
sockets_in "$cgroup/service" make established ipv4 18100 3
cat >"$work/tcpstates.conf" <<END
<Plugin tcpstates>
  AllPortsSummary false
  <Filter "service">
    ControlGroup "/${cgroup##*/}/service"
  </Filter>
  <Filter "deep">
    ControlGroup "/${cgroup##*/}/deep"
  </Filter>
  <Filter "closed">
    ControlGroup "/${cgroup##*/}/closed"
  </Filter>
  <Filter "inner">
    ControlGroup "/${cgroup##*/}/closed/inner"
  </Filter>
</Plugin>
END
# Where nobody can reach them.
cp -- "$build/plugin_host" "$build/.libs/tcpstates.so" "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" "$work"
# host DESCRIPTORS [COMMAND...]: two reads, by the command.
host() {
  local descriptors=$1
  shift
  (
    ulimit -n "$descriptors"
    "$@" "$work/plugin_host" --types-db "$work/types.db" --config "$work/tcpstates.conf" \
      --values --reads 2 "$work/tcpstates.so" >"$work/out" 2>&1
  ) || echo "exit status $?" >>"$work/out"
}
established() { sed -n 's/^tcpstates-\([a-z]*\)\/tcp_connections-ESTABLISHED /\1 /p' "$work/out" | sort | uniq -c | sed 's/^ *//'; }
is_said() { sed -n 's/^warning: tcpstates plugin: //p' "$work/out"; }
all='2 closed 0
2 deep 0
2 inner 0
2 service 6'

host 1024
is "each group is counted" "$(established)" "$all"
is "nothing is complained about" "$(is_said)" ""

# More than descriptors, and a path that is longer than PATH_MAX.
depth=1200
python3 -c '
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("nest")
    os.chdir("nest")' "$cgroup/deep" "$depth"
for descriptors in 20000 1024 32; do
  host "$descriptors"
  is "$depth control groups below each other, $descriptors descriptors: each group is counted" "$(established)" "$all"
  ok "$depth control groups below each other, $descriptors descriptors: the group is named whose are not all known" \
    grep -Exq '[^ ]*/deep/nest[/nest]*, of Filter "deep": too many control groups, or too deep. What is in there is not counted.' <(is_said)
done
unnest
depth=0

for i in {1..3000}; do mkdir "$cgroup/many/$i"; done
host 32
is "3000 control groups, 32 descriptors: each group is counted" "$(established)" "$all"
is "3000 control groups, 32 descriptors: nothing is complained about" "$(is_said)" ""
rmdir "$cgroup"/many/*/

if ((EUID == 0)) && "${unprivileged[@]}" true 2>"$work/setpriv"; then
  chmod 700 "$cgroup/closed"
  host 1024 "${unprivileged[@]}"
  is "a closed directory: all but what is in it is counted" "$(established)" "2 closed 0
2 deep 0
2 service 6"
  is "a closed directory: it is said whose it is" "$(is_said)" \
    "$cgroup/closed, of Filter \"closed\": Permission denied. What is in there is not counted."
else
  skip "a closed directory" "cannot become nobody: $(cat "$work/setpriv" 2>/dev/null)"
fi
done_testing
