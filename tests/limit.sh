#!/bin/sh
# limit.sh TEST: runs it, and ends it with all that it has started after TEST_SECONDS
# [1200], or when make is ended.
timeout --verbose --kill-after=30 "${TEST_SECONDS:-1200}" "$@" &
# It has a process group of its own, which Ctrl-C does not reach.
trap 'kill $!' HUP INT TERM
while kill -0 $! 2>/dev/null; do
  wait $! && status=0 || status=$?
done
exit "$status"
