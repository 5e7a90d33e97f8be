#!/bin/sh
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
date +%s.%N | awk -v begun="$begun" '{ printf "# took %.1f s\n", $1 - begun }'
exit "$status"
