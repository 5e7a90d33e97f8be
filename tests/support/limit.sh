#!/bin/sh
# limit.sh TEST: runs it, and ends it with all that it has started after TEST_SECONDS
# [1200], or when make is ended. It has two minutes to remove what it has made.
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
exit "$status"
