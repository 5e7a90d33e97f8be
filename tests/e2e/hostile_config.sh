#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Configurations that nobody would write: 10 000 lines of nonsense and names that could
# break a log or a path. One line says what is wrong, or the values are right.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
enter_netns "$@"

lines=10000

# refused NAME ERROR: collectd does not start with the block on stdin; one line,
# without control characters, says why. ERROR is a pattern.
refused() {
  local status=0 said
  collectd_configure < <(echo 'LoadPlugin tcpstates' && cat)
  collectd_run || status=$?
  said=$(messages 'tcpstates plugin: ')
  is "refused: $1" "status $status, $(grep -c . <<<"$said") line" "status 1, 1 line"
  ok "and the line says why: $1" grep -E -- "^\[error\] tcpstates plugin: $2" <<<"$said"
  is "in one clean line: $1" "$(LC_ALL=C grep -c '[[:cntrl:]]' <<<"$said")" 0
}
block() {
  echo '<Plugin tcpstates>'
  cat
  echo '</Plugin>'
}

# nonsense SEED [BLOCK]: lines that collectd's parser takes, of words, numbers and
# texts with what no option means; the same ones for the same seed. Each is in a
# block of its own.
nonsense() {
  awk -v seed="$1" -v block="${2-}" -v lines=$lines '
    function pick(n) { return int(rand() * n) }
    function word(i, s) { s = ""; for (i = pick(20) + 6; i > 0; i--) s = s substr(letters, pick(52) + 1, 1); return s }
    function text(i, s) { s = ""; for (i = pick(60); i > 0; i--) s = s sprintf("%c", bytes[pick(num)]); return "\"" s "\"" }
    function value() { return pick(3) == 0 ? text() : pick(2) ? (pick(2) ? "-" : "") pick(99999999) "." pick(999) : pick(2) ? "true" : "\"" word() "\"" }
    BEGIN {
      srand(seed)
      letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      # All bytes but NUL, the quote and the backslash.
      for (i = 1; i < 256; i++) if (i != 34 && i != 92) bytes[num++] = i
      for (line = 0; line < lines; line++) {
        options = ""
        for (i = pick(5); i >= 0; i--) options = options " " value()
        option = word() options
        if (block != "") option = "<" block " \"b" line "\">\n" option "\n</" block ">"
        print option
      }
    }'
}

for seed in 1 2; do
  refused "$lines lines of nonsense ($seed)" 'unknown option "[A-Za-z]{6,25}"; write one of ' < <(nonsense $seed | block)
done
refused "$lines Filters of nonsense" 'Filter "b0": unknown option "' < <(nonsense 4 Filter | block)
refused "$lines Namespaces of nonsense" 'Namespace "b0": unknown option "' < <(nonsense 5 Namespace | block)
refused "a mistake after $lines correct lines" 'LocalPort 70000: not a port' \
  < <(awk -v lines=$lines 'BEGIN { for (i = 0; i < lines; i++) print "LocalPort", i % 1000 + 1; print "LocalPort 70000" }' | block)

long=$(printf 'a%.0s' {1..1000})
cntrl=$'a\nb\t\e[31m\x7f\x01'
for name in "$long" "$cntrl" ../../etc/passwd a/b all machine 80-local a@b ''; do
  shown=${name:0:20}
  refused "the Filter's name '${shown//[[:cntrl:]]/?}', ${#name} characters" '<Filter ".*">: the name ' \
    < <(printf '<Filter "%s">\nLocalPort 80\n</Filter>\n' "$name" | block)
done
for name in "$long" "$cntrl" ../../etc/passwd a@b . ..; do
  shown=${name:0:20}
  refused "the Namespace's name '${shown//[[:cntrl:]]/?}', ${#name} characters" '<Namespace ".*">: (the name |neither a name|a path needs a short name)' \
    < <(printf '<Namespace "%s">\n</Namespace>\n' "$name" | block)
done
for option in LocalPort RemotePort Counting StuckAfter ReportClosed; do
  refused "$option with 1000 characters" "$option \"aaa" < <(printf '%s "%s"\n' $option "$long" | block)
  refused "$option with control characters" "$option \"a" < <(printf '%s "%s"\n' $option "$cntrl" | block)
done
for option in LocalAddress ControlGroup; do
  refused "$option with 1000 characters" "Filter \"f\": $option \"aaa" < <(printf '<Filter "f">\n%s "%s"\n</Filter>\n' $option "$long" | block)
  refused "$option with control characters" "Filter \"f\": $option \"a" < <(printf '<Filter "f">\n%s "%s"\n</Filter>\n' $option "$cntrl" | block)
done

# What is allowed, and longer than any file's name: it is counted, and there is none.
# A namespace that is not read within the interval is only said to be late.
interval=$(patient 2)
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  {
    printf '<Filter "%s">\nControlGroup "/%s/%s"\n</Filter>\n' "${long:0:63}" "$long" "$long"
    printf '<Namespace "/%s">\nName "%s"\n</Namespace>\n' "$long" "${long:0:63}"
    # The same option again and again is one.
    for ((i = 0; i < lines; i++)); do echo "LocalPort $((i % 10 + 18000))"; done
    printf '%s true\n' AllPortsSummary ReportClosed
  } | block
)
sockets make established ipv4 18003 3
collectd_start
values >/dev/null
is "long names and $lines lines: every group counts what the test has made" \
  "$(grep -E "^(all|180.*-local) tcp_connections" "$work/values" | sort)" \
  "$(wanted all {18000..18009}-local | grep tcp_connections)"
is "a control group that cannot be has no sockets" \
  "$(awk -v group="${long:0:63}" '$1 == group && $2 == "tcp_connections-ESTABLISHED" { print $3 }' "$work/values")" 0
ok "a namespace that cannot be is named" grep -qE 'namespace a{63}: /a' <(messages '^\[error\]')
collectd_stop

# As many groups as lines, with few values each: a read has to end within its interval.
interval=$(patient 10)
collectd_configure < <(
  echo 'LoadPlugin tcpstates'
  {
    printf '%s\n' 'ReportStuck false' 'ReportFinWait2 false'
    for ((i = 1; i <= lines; i++)); do echo "LocalPort $((i + 10000))"; done
  } | block
)
collectd_start
values >/dev/null
is "$lines groups: each has its sockets, and no other" \
  "$(awk '$2 ~ /^tcp_connections-/ && $3 > 0' "$work/values" | sort)" \
  "$(wanted 18003-local | awk '$2 ~ /^tcp_connections-/ && $3 > 0')"
is "all of them are there" "$(grep -c 'tcp_connections-LISTEN' "$work/values")" $lines
collectd_stop
done_testing
