#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the default tests again and again on a machine with much else to do.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: loaded.sh [RUNS]

Runs tests/run.sh RUNS times [10], after the first time with --again, beside a busy loop for each processor and a million
sockets that are not the tests', in a network namespace of their own that has the machine's
table of sockets. Prints for each run its last line, the load average over its last minutes
and how long it took; of one that failed also the rest.

Needs root, and 3 GiB. Takes 6 to 9 minutes a run on two cores.

Exit codes: 0 no test failed, 1 one did, or there were not that many sockets, 2 wrong usage.
END
}

case ${1-10} in
  --help | -h) usage && exit 0 ;;
  '' | *[!0-9]*) echo "loaded.sh: \"$1\" is not a number of runs; try --help" >&2 && exit 2 ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
sockets=1000000
pids=()
log=$(mktemp)
trap 'kill -- "${pids[@]}" 2>/dev/null || true; rm -f -- "$log"' EXIT

# shellcheck disable=SC2016 # for sh
coproc queue {
  exec unshare --net sh -c 'ip link set lo up && exec python3 "$@"' - "$here/queued_sockets.py" "$sockets"
}
pids+=("$queue_PID")
read -r line <&"${queue[0]}" && [[ $line == ready ]]
# Memory and the table are the machine's, and so is "alloc".
alloc=$(awk '$1 == "TCP:" { print $9 }' /proc/net/sockstat)
echo "loaded.sh: the machine has $alloc TCP sockets"
((alloc >= sockets))
for ((i = 0; i < $(nproc); i++)); do
  while :; do :; done &
  pids+=("$!")
done

failed=0 again=
for ((run = 1; run <= ${1-10}; run++)); do
  begun=$SECONDS status=0
  "$here/../run.sh" $again >"$log" 2>&1 || status=$?
  again=--again
  if ((status != 0)); then
    failed=1
    cat "$log"
  fi
  printf 'run %d: %s; load %s; %d s\n' "$run" "$(tail -n 1 "$log")" "$(cut -d' ' -f1-3 /proc/loadavg)" $((SECONDS - begun))
done
exit "$failed"
