#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the fuzz targets with libFuzzer, runs each for a while, and says what
# they have reached; make fuzz calls it.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: make fuzz [FUZZ_TIME=SECONDS] [FUZZ_TARGETS="NAME..."] [FUZZ_JOBS=N]
                 [FUZZ_FLAGS=--minimise]

Builds the fuzz targets in tests/fuzz/ with clang, libFuzzer, AddressSanitizer and
UndefinedBehaviorSanitizer, and runs each, beginning with the inputs in tests/fuzz/corpus/.
Ends with two tables: each target's executions, and what of plugin/ the inputs reach.

Variables:
  FUZZ_TIME     seconds for each target [60]
  FUZZ_TARGETS  which [bytecode config netlink plan proc]
  FUZZ_JOBS     how many at a time [as many as there are processors]
  FUZZ_FLAGS    options of this script

Options:
  --minimise  at the end, put what reaches new code into tests/fuzz/corpus/, and take
              out what reaches none, but those with a name that somebody gave them
  --help      print this

Touches: fuzz-build/ in the build directory. What was found stays there, and the next
run goes on from it. --minimise: tests/fuzz/corpus/ too.

Exit codes: 0 nothing crashed, 1 something did (the table names the input), 2 wrong
usage, 3 clang, libFuzzer or llvm-cov is missing (contrib/install-deps.sh fuzz).
END
}

say() { printf 'fuzz: %s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

minimise=false
case ${1-} in
  --help | -h) usage && exit 0 ;;
  --minimise) minimise=true ;;
  '') ;;
  *) die 2 "\"$1\" is not an option; try --help" ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
top=$(cd -- "$here/../.." && pwd -P)
dir=$PWD/fuzz-build
time=${FUZZ_TIME:-60}
jobs=${FUZZ_JOBS:-$(nproc)}
read -ra targets <<<"${FUZZ_TARGETS:-bytecode config netlink plan proc}"
if [[ ! $time =~ ^[1-9][0-9]*$ ]]; then die 2 "FUZZ_TIME=$time: write whole seconds, 1 or more"; fi
if [[ ! $jobs =~ ^[1-9][0-9]*$ ]]; then die 2 "FUZZ_JOBS=$jobs: write a whole number, 1 or more"; fi
for target in "${targets[@]}"; do
  if [[ ! -d $here/corpus/$target ]]; then
    die 2 "FUZZ_TARGETS: there is no target \"$target\"; write some of $(cd -- "$here/corpus" && echo *)"
  fi
done

clang=${CLANG:-clang}
if ! type -P "$clang" >/dev/null; then die 3 "clang is missing; contrib/install-deps.sh fuzz installs it"; fi
release=$("$clang" -dumpversion)
release=${release%%.*}
# llvm_tool NAME: that of clang's own release, if there are several.
llvm_tool() {
  type -P "$1-$release" "$1" | head -n 1 || true
}
profdata=$(llvm_tool llvm-profdata)
cov=$(llvm_tool llvm-cov)
if [[ -z $profdata || -z $cov ]]; then die 3 "llvm-profdata or llvm-cov is missing; contrib/install-deps.sh fuzz installs them"; fi

# ---- build ------------------------------------------------------------------

read -ra flags <<<"${FUZZ_CPPFLAGS-}"
flags+=(-D_GNU_SOURCE -I"$top/plugin" -I"$top/tests/support" -g -fno-omit-frame-pointer -pthread)
readonly sanitizers=address,undefined
readonly fuzzing=(-O2 -fsanitize="$sanitizers" -fno-sanitize-recover=all)
readonly counting=(-O0 -fprofile-instr-generate -fcoverage-mapping)
readonly helpers=(bytecode_machine fake_kernel filter_set plan_reader socket_model socket_random)

# compile NAME FLAG...: the sources on stdin.
compile() {
  local name=$1
  shift
  xargs -d '\n' -P "$jobs" -I {} sh -c 'name=$1 source=$2; shift 2; exec "$@" -c -o "$name/${source##*/}.o" "$source.c"' \
    - "$dir/$name" {} "$clang" "${flags[@]}" "$@"
}

# build_library NAME FLAG...: all modules, and what the tests know of them: that is
# not under test, and shall not be what the fuzzer looks for new ways in.
build_library() {
  local name=$1 source
  shift
  rm -rf -- "${dir:?}/$name"
  mkdir -p -- "$dir/$name"
  for source in "$top"/plugin/*.c; do
    case ${source##*/} in
      tcpstates.c | submit.c | trouble.c | view.c) ;; # the side towards collectd
      group_index.c) ;; # see below
      *) echo "${source%.c}" ;;
    esac
  done | compile "$name" "$@"
  # It walks through all ports: to trace each comparison takes longer than all else.
  echo "$top/plugin/group_index" | compile "$name" "$@" -fno-sanitize-coverage=trace-cmp
  printf '%s\n' "${helpers[@]/#/$top/tests/support/}" | compile "$name" -O2
  ar rc "$dir/$name/library.a" "$dir/$name"/*.o
}

# link NAME TARGET FLAG...
link() {
  local name=$1 target=$2 wrap=$2_wrap
  shift 2
  local -a wraps libs
  read -ra wraps <<<"${!wrap-}"
  read -ra libs <<<"${FUZZ_LIBS--lmnl}"
  "$clang" "${flags[@]}" "$@" -o "$dir/$name/$target" "$here/$target.c" "$dir/$name/library.a" "${wraps[@]}" "${libs[@]}" -lm
}

if ! "$clang" -x c -fsanitize="fuzzer,$sanitizers" -o /dev/null - 2>/dev/null \
  <<<'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }'; then
  die 3 "clang has no libFuzzer or no sanitizers; contrib/install-deps.sh fuzz installs them"
fi
say "building in $dir"
build_library fuzz -fsanitize=fuzzer-no-link "${fuzzing[@]}"
build_library count "${counting[@]}"
for target in "${targets[@]}"; do
  link fuzz "$target" -fsanitize=fuzzer "${fuzzing[@]}"
  link count "$target" "${counting[@]}" "$here/run_corpus.c"
done

# ---- run --------------------------------------------------------------------

# The longest input: a longer one reaches no more and takes longer.
declare -rA max_len=([bytecode]=1024 [config]=6000 [netlink]=20000 [plan]=2048 [proc]=1024)

run_target() {
  local target=$1
  local -a options=(-max_total_time="$time" -max_len="${max_len[$target]}" -timeout=120 -rss_limit_mb=2048
    -print_final_stats=1 -artifact_prefix="$dir/crashes/$target-")
  if [[ -e $here/$target.dict ]]; then options+=(-dict="$here/$target.dict"); fi
  mkdir -p -- "$dir/corpus/$target"
  "$dir/fuzz/$target" "${options[@]}" "$dir/corpus/$target" "$here/corpus/$target" >"$dir/$target.log" 2>&1
}

rm -rf -- "$dir/crashes"
mkdir -p -- "$dir/crashes"
export UBSAN_OPTIONS=print_stacktrace=1
say "running ${targets[*]} for $time s each, $jobs at a time"
running=0
for target in "${targets[@]}"; do
  if ((running == jobs)); then
    wait -n || true
    running=$((running - 1))
  fi
  { run_target "$target" || echo "exit status $?" >>"$dir/$target.log"; } &
  running=$((running + 1))
done
wait

# ---- result -----------------------------------------------------------------

crashed=0
# last TEXT FILE: the number after the last occurrence of the text.
last() {
  grep -aoE "$1 *[0-9]+" "$2" | tail -n 1 | grep -oE '[0-9]+$' || echo 0
}
echo
printf '%-10s %14s %10s %8s %8s %9s  %s\n' target executions per-second inputs edges features result
for target in "${targets[@]}"; do
  log=$dir/$target.log
  result=ok
  if grep -qa '^exit status' "$log"; then
    crashed=$((crashed + 1))
    result="FAILED, see $log"
    artifact=$(find "$dir/crashes" -name "$target-*" | head -n 1)
    if [[ -n $artifact ]]; then result="CRASHED by $artifact"; fi
  fi
  printf '%-10s %14s %10s %8s %8s %9s  %s\n' "$target" \
    "$(last 'stat::number_of_executed_units:' "$log")" "$(last 'stat::average_exec_per_sec:' "$log")" \
    "$(last 'corp:' "$log")" "$(last 'cov:' "$log")" "$(last 'ft:' "$log")" "$result"
done

# Where how often something is reached matters as much as that it is.
declare -rA counters=([bytecode]=1 [plan]=1)
if $minimise; then
  for target in "${targets[@]}"; do
    say "minimising the inputs of $target"
    new=$dir/minimised/$target
    rm -rf -- "$new"
    mkdir -p -- "$new"
    # Somebody's names are kept; libFuzzer's are 40 hexadecimal digits.
    find "$here/corpus/$target" -type f ! -name '????????????????????????????????????????' -exec cp -t "$new" {} +
    "$dir/fuzz/$target" -merge=1 -set_cover_merge=1 -use_counters="${counters[$target]:-0}" -max_len=2048 \
      "$new" "$here/corpus/$target" "$dir/corpus/$target" >>"$dir/$target.log" 2>&1
    find "$here/corpus/$target" -type f -delete
    cp -t "$here/corpus/$target" "$new"/*
  done
fi

# What the inputs reach, without any sanitizer.
rm -f -- "$dir"/*.profraw
binaries=()
for target in "${targets[@]}"; do
  if ((${#binaries[@]} > 0)); then binaries+=(-object); fi
  binaries+=("$dir/count/$target")
  LLVM_PROFILE_FILE=$dir/$target.profraw "$dir/count/$target" "$here/corpus/$target" "$dir/corpus/$target" >"$dir/count.log" 2>&1 ||
    say "the inputs of $target do not all pass; $dir/count.log"
done
"$profdata" merge -o "$dir/all.profdata" "$dir"/*.profraw
"$cov" show "${binaries[@]}" -instr-profile="$dir/all.profdata" "$top"/plugin/*.c >"$dir/coverage.txt"
"$cov" report "${binaries[@]}" -instr-profile="$dir/all.profdata" -show-branch-summary "$top"/plugin/*.c |
  awk -v top="$top/" '
    BEGIN { printf "\n%-24s %9s %9s %9s   of\n", "reached", "lines", "regions", "branches" }
    # name, regions missed cover, functions missed cover, lines missed cover, branches missed cover
    NF == 13 && $1 ~ /\.c$|^TOTAL$/ {
      sub(top, "", $1)
      if ($1 !~ /\// && $1 != "TOTAL") $1 = "plugin/" $1
      printf "%-24s %9s %9s %9s   %d lines\n", $1, $10, $4, $13, $8
    }'
echo
echo "What is not reached: $dir/coverage.txt"
if ((crashed > 0)); then
  echo "$crashed of ${#targets[@]} targets failed. To keep an input that crashes as a test:"
  echo "  cp $dir/crashes/TARGET-crash-... $here/corpus/TARGET/crash-WHAT-IT-IS"
  exit 1
fi
