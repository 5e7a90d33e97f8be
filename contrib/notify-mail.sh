#!/bin/sh
# SPDX-License-Identifier: MIT
# Mails the notifications of tcpstates; collectd's plugin exec calls it.
set -eu
export LC_ALL=C

usage() {
  cat <<'END'
Usage: notify-mail.sh [--state DIRECTORY] [RECIPIENT...]

Reads a notification of collectd on the standard input, as collectd-exec(5) has it, and
mails it to each RECIPIENT [root] if it is of tcpstates, or of TCPTimeWaitOverflow: those of
tcpstates-thresholds.conf, and those of NotifyStuck. In collectd's configuration:

  LoadPlugin exec
  <Plugin exec>
    NotificationExec "nobody" "/usr/local/bin/notify-mail.sh" "root"
  </Plugin>

Options:
  --state DIRECTORY   remembers there what is wrong, and mails the OKAY for that. Without it no
                      OKAY is mailed: collectd says OKAY of each value when it starts.
                      The user named in NotificationExec must own it.
  --help              print this

Needs: mail (Debian: bsd-mailx or s-nail). Touches: DIRECTORY, and the system's log: collectd
drops what a program of its plugin exec says, so errors go there, too (journalctl -t notify-mail.sh).

Exit codes: 0 mailed, or not to be mailed, 1 the mail could not be sent, 2 wrong usage.
END
}

complain() {
  echo "notify-mail.sh: $*" >&2
  logger -t notify-mail.sh -p daemon.err -- "$*" 2>/dev/null || true
}

state=
case ${1-} in
  --help | -h) usage && exit 0 ;;
  --state)
    state=${2-}
    if [ ! -d "$state" ] || [ ! -w "$state" ]; then
      complain "--state \"$state\": not a directory that $(id -un) may write"
      exit 2
    fi
    shift 2
    ;;
  -*) complain "\"$1\" is not an option; try --help" && exit 2 ;;
esac
if [ $# = 0 ]; then set -- root; fi

severity='' host='' plugin='' group='' type='' name=''
while IFS= read -r line && [ -n "$line" ]; do
  value=${line#*: }
  case $line in
    Severity:*) severity=$value ;;
    Host:*) host=$value ;;
    Plugin:*) plugin=$value ;;
    PluginInstance:*) group=$value ;;
    Type:*) type=$value ;;
    TypeInstance:*) name=$value ;;
  esac
done
case $plugin/$name in
  tcpstates/* | protocols/TCPTimeWaitOverflow) value=$plugin-$group/$type-$name ;;
  *) exit 0 ;;
esac

if [ -z "$state" ]; then
  if [ "$severity" = OKAY ]; then exit 0; fi
else
  wrong=$state/$(printf %s "$host $value" | tr / _)
  if [ "$severity" != OKAY ]; then
    : >"$wrong"
  elif [ -e "$wrong" ]; then
    rm -f -- "$wrong"
  else
    exit 0
  fi
fi
if ! command -v mail >/dev/null; then
  complain "no program \"mail\" (Debian: bsd-mailx): not mailed: $severity: $host $value"
  exit 1
fi
mail -s "$severity: $host $value" "$@" || {
  complain "mail could not send \"$severity: $host $value\" to $*"
  exit 1
}
