#!/bin/sh
# SPDX-License-Identifier: MIT
# limit.sh TEST: runs it, and ends it with all that it has started after TEST_SECONDS
# [1200], or when make is ended. It has two minutes to remove what it has made. The last
# line of its log says how long it took.
begun=$(date +%s.%N)
timeout --verbose --kill-after=120 "${TEST_SECONDS:-1200}" "$@" &
# It has a process group of its own, which Ctrl-C does not reach.
ended=
trap 'ended=yes; kill $!' HUP INT TERM
wait $!
status=$?
if [ -n "$ended" ]; then
  wait $!
  status=$?
fi
now=$(date +%s.%N)
# Fields 16 and 17 of proc_pid_stat(5): CPU time of the children, user and system.
awk -v took="$(echo "$now $begun" | awk '{ print $1 - $2 }')" -v ticks="$(getconf CLK_TCK)" '
  { printf "# took %.1f s, %.1f s of CPU\n", took, ($16 + $17) / ticks }' "/proc/$$/stat"
exit "$status"
