#!/usr/bin/env bash
# Prints a configuration of tcpstates for the network namespaces of this machine's
# containers, to be included by collectd.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: namespaces.sh [--output FILE] [NAME=PATH...]
       namespaces.sh --processes [--output FILE]

Prints <Plugin tcpstates> with a Namespace block for each namespace under /run/netns
(ip netns, podman, CNI) and /run/docker/netns; its Name is that of the file. With NAME=PATH
for these instead, such as web=/proc/4711/ns/net. Namespaces that are the same appear once.

Options:
  --processes    instead, one for each network namespace that a process is in and that is
                 not this script's, by the lowest process id; its Name is COMMAND-PID
  --output FILE  write there, by way of FILE.new, if it is something else than before
  --help         print this

What stands in the file TEMPLATE (environment variable) becomes the inside of each block;
without it, the defaults hold.

Touches: nothing but FILE.

Exit codes: 0 done, FILE has changed or there is none; 1 something failed; 2 wrong usage;
3 FILE is as it was.
END
}

die() {
  echo "namespaces.sh: $2" >&2
  exit "$1"
}

output=
processes=false
pairs=()
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --processes) processes=true ;;
    --output)
      (($# > 1)) || die 2 "--output: needs a file; try --help"
      output=$2
      shift
      ;;
    -*) die 2 "\"$1\" is not an option; try --help" ;;
    *[\"\\]* | *[[:cntrl:]]*) die 2 "$1: no quotes, backslashes and control characters, please" ;;
    ?*=/*) pairs+=("$1") ;;
    *) die 2 "\"$1\": write NAME=/PATH; try --help" ;;
  esac
  shift
done

own=$(stat -L -c %i /proc/self/ns/net)
declare -A seen=(["$own"]=1) named=()

# block NAME PATH: unless it is no namespace (any more), or was there before.
block() {
  local inode name=${1//[\"\/@\\]/_}
  name=${name:0:63}
  [[ $(stat -L -f -c %T "$2" 2>/dev/null) == nsfs ]] || return 0
  inode=$(stat -L -c %i "$2" 2>/dev/null) || return 0
  [[ -z ${seen[$inode]-} ]] || return 0
  seen[$inode]=1
  if [[ -n ${named[$name]-} ]]; then name=${name:0:50}-$inode; fi
  named[$name]=1
  printf '  <Namespace "%s">\n    Name "%s"\n' "$2" "$name"
  if [[ -n ${TEMPLATE-} ]]; then sed 's/^/    /' "$TEMPLATE"; fi
  printf '  </Namespace>\n'
}

blocks() {
  local file pid comm pair
  if $processes; then
    for pid in $(cd /proc && printf '%s\n' [1-9]* | sort -n); do
      comm=$(cat "/proc/$pid/comm" 2>/dev/null | tr -c '[:alnum:]_.\n-' _) || continue
      block "$comm-$pid" "/proc/$pid/ns/net"
    done
  elif ((${#pairs[@]} > 0)); then
    for pair in "${pairs[@]}"; do block "${pair%%=*}" "${pair#*=}"; done
  else
    for file in /run/netns/* /run/docker/netns/*; do block "${file##*/}" "$file"; done
  fi
}

if [[ -n ${TEMPLATE-} && ! -r $TEMPLATE ]]; then die 1 "TEMPLATE $TEMPLATE: cannot be read"; fi
text=$(echo '<Plugin tcpstates>' && blocks && echo '</Plugin>')
if [[ -z $output ]]; then
  printf '%s\n' "$text"
elif [[ -e $output && $(<"$output") == "$text" ]]; then
  exit 3
else
  printf '%s\n' "$text" >"$output.new" || die 1 "$output.new: cannot be written"
  mv -- "$output.new" "$output"
fi
