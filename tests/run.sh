#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what the tests need, builds, and runs them.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: run.sh [--all] [--again] [--help]

Installs what is missing, builds the plugin in build-tests/ and runs all tests:
modules alone, built by clang with sanitizers; a real collectd with real sockets;
make install and make distcheck.

Options:
  --all    also those that take long: the modules without sanitizers, as gcc builds
           them; the faults with the sanitizers, each fuzz target
           for 60 s, a sample of mutants, what contrib/ has for a fleet against the real
           servers, the packages and the roll-out in clean Debian roots, real containers,
           a million sockets, short
           soaks (plain, under sanitizers and valgrind), other kernels in qemu, and
           other architectures
  --again  the tests as the last run has built them, once more
  --help   print this

Prints each result that is not a pass, with the log of what failed, and at the end
a table and one line: N passed, M failed, K skipped. The logs stay in
build-tests/tests/ and, of the modules, in build-tests/sanitized/tests/.

Touches: packages (contrib/install-deps.sh), the source tree (configure and its like,
build-tests/), $TMPDIR [/tmp], and network namespaces of its own.

Exit codes: 0 no test failed, 1 one did or the build failed, 2 wrong usage, 3 this
system's packages are not known to install-deps.sh.
END
}

all=false again=false
for option; do
  case $option in
    --help | -h) usage && exit 0 ;;
    --all) all=true ;;
    --again) again=true ;;
    *) echo "run.sh: \"$option\" is not an option; try --help" >&2 && exit 2 ;;
  esac
done

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
build=$top/build-tests
jobs=$(nproc)
if [[ $top =~ [[:space:]] ]]; then
  echo "run.sh: $top: libtool cannot build in a path with a space; move the source tree" >&2
  exit 1
fi

purposes=(build run test lint lab)
if $all; then purposes+=(fleet fuzz package soak kernels targets containers); fi
"$top/contrib/install-deps.sh" "${purposes[@]}"
if ! $again; then
  rm -rf -- "$build"
  mkdir -p -- "$build/sanitized"
elif [[ ! -e $build/begun ]]; then
  echo "run.sh: $build is not built yet: run it without --again" >&2
  exit 1
fi
cd -- "$build"

# step TEXT COMMAND...: shows what it said only if it fails.
step() {
  echo "run.sh: $1" >&2
  shift
  "$@" >step.log 2>&1 </dev/null || { cat step.log >&2 && return 1; }
}

# As in lib.sh.
if [[ -x /bin/dash ]]; then export CONFIG_SHELL=/bin/dash; fi
# The modules' tests are built once, by the other compiler with AddressSanitizer and
# UndefinedBehaviorSanitizer; distcheck.sh shows that gcc has no warning there.
build() {
  local sanitize='-g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer'
  # shellcheck disable=SC2016 # for bash
  step "autoreconf" bash -c 'cd "$1" && autoreconf -fi' - "$top"
  # shellcheck disable=SC2016 # for bash
  step "configure" bash -c '
    (cd sanitized && exec "$1/configure" CC=clang --disable-dependency-tracking CFLAGS="-O1 $2") &
    "$1/configure" CFLAGS="-O2 -g -Werror" && wait $!' - "$top" "$sanitize"
  step "make" make -j"$jobs"
  # The plugin's code runs long there, and that of the tests is long.
  step "make with clang" make -C sanitized -j"$jobs" CFLAGS="-O1 $sanitize -Werror" all tests/support/libtests.la
  step "make the modules' tests" make -C sanitized -j"$jobs" CFLAGS="-O0 $sanitize -Werror" check TESTS=
}
# count PATTERN [FIND-TEST...]: the results of that kind.
count() {
  local pattern=$1
  shift
  find . -name '*.trs' "$@" -exec cat {} + | grep -cE "^:test-result: ($pattern)" || true
}

# check TEXT JOBS TARGET [MAKE-OPTION...]: make goes on after a failed test; what failed is
# counted below.
rows=()
check() {
  local text=$1 begun=$SECONDS status=0 failed passed
  echo "run.sh: $text" >&2
  touch begun
  make -j"$2" -k "${@:3}" >step.log 2>&1 </dev/null || status=$?
  grep -E '^(FAIL|ERROR|XPASS|SKIP):' step.log || true
  failed=$(count 'FAIL|ERROR|XPASS' -newer begun)
  passed=$(count PASS -newer begun)
  # A test program that does not build has no result, and one kind of tests that are
  # all skipped is no success.
  if ((status != 0 && failed == 0)) || ((passed == 0)); then
    tail -n 100 step.log
    broken=$((broken + 1))
  fi
  rows+=("$(printf '%-12s %8d %8d %8d %6d s' "$text" "$passed" "$failed" \
    "$(count SKIP -newer begun)" $((SECONDS - begun)))")
}

if $again; then find {,sanitized/}tests \( -name '*.trs' -o -name '*.log' \) -delete; else build; fi
broken=0
# Only check_main_forked()'s have a process for each test: at each one's end leaks are looked
# for. What is freed is kept for a while, by default 256 MB of it.
CK_FORK=no ASAN_OPTIONS=quarantine_size_mb=16 check "modules" $((jobs + 1)) check-unit -C sanitized
# They wait more than they work.
check "default" $((6 * jobs)) check-default
check "alone" 1 check-alone
if $all; then
  check "unit" $((jobs + 1)) check-unit
  for kind in faults fleet packages fuzz mutants soak kernels targets; do check "$kind" "$jobs" "check-$kind"; done
fi

failed=$(($(count 'FAIL|ERROR|XPASS') + broken))
passed=$(count PASS)
if ((failed > 0)); then
  for log in $(grep -lE '^:test-result: (FAIL|ERROR|XPASS)' -r --include='*.trs' .); do
    echo "---- ${log%.trs}.log"
    grep -v '^ok ' "${log%.trs}.log" | tail -n 100
  done
fi
grep -hs '^# figures: ' {,sanitized/}tests/*/*.log || true
echo "the slowest:"
grep -Hs '^# took ' {,sanitized/}tests/*/*.log | sed 's/\.log:# took / /' | sort -k2,2nr | awk 'NR <= 10 { printf "%6.1f s  %s\n", $2, $1 }'
printf '%-12s %8s %8s %8s\n' '' passed failed skipped
printf '%s\n' "${rows[@]}"
echo "$passed passed, $failed failed, $(count SKIP) skipped"
((failed == 0 && passed > 0))
