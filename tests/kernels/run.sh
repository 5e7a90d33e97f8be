#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The end-to-end tests on other kernels: each of Debian's cloud kernels is booted in
# qemu with a file system that has this machine's collectd, bash and ss in it, and
# the plugin and the tests as they were built here.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
shopt -s extglob

usage() {
  cat <<'TEXT'
Usage: tests/kernels/run.sh [--keep DIR] [--tests LIST] [GUEST...]

Boots the GUESTs, two at a time, all if none is named; make check-kernels calls it.
Runs in a build directory after make check TESTS=, or with builddir=DIRECTORY.

  --keep DIR    keep the kernels in DIR, and use those that are there already
  --tests LIST  run these tests, such as "e2e/auto e2e/states", instead of all

Prints the results of all tests in all guests as TAP; the skips among them say why.
Needs: contrib/install-deps.sh kernels; Debian's packages from the network; no root.
Without network, the guests whose kernels are not in DIR are skipped.
Touches: $TMPDIR [/tmp]: 300 MB; memory: 600 MB a guest, 512 of them its own.
TEXT
}

# name; Debian release of the kernel; kernel parameters; modules left out; tests
core="kernels/autoload unit/test_ages_kernel unit/test_bytecode_kernel unit/test_cgroup unit/test_process unit/test_proc_file \
  e2e/auto e2e/filter e2e/fin_timeout e2e/host e2e/kernel e2e/machine e2e/namespaces e2e/no_tcp_diag \
  e2e/states e2e/stuck e2e/tcpconns"
readonly guests=(
  "5.10; bullseye; ; ; $core"
  "6.1; bookworm; ; ; $core"
  "6.12; trixie; ; ; $core"
  "newest; sid; ; ; $core"
  "no-tcp_diag; trixie; ; inet_diag tcp_diag; e2e/no_tcp_diag e2e/machine"
  "no-ipv6; trixie; ipv6.disable=1; ; kernels/autoload unit/test_cgroup unit/test_process unit/test_proc_file \
    e2e/auto e2e/filter e2e/fin_timeout e2e/host e2e/kernel e2e/machine e2e/states e2e/stuck e2e/tcpconns"
)
# What the tests and init call.
readonly programs=(awk basename bash cat chmod chown collectd comm cp cut date dd diff dirname echo env expr find grep head id
  insmod ip kill ln ls mkdir mkfifo mktemp modprobe mount mv nproc nsenter paste ps readlink rm rmdir sed seq
  setpriv sh sleep sort ss stat stdbuf stty tail tee timeout touch tr true umount uname uniq unshare wc xargs)

kept=$work/kernels
selected=()
only_tests=
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --keep) kept=$(mkdir -p -- "${2?--keep needs a directory}" && cd -- "$2" && pwd) && shift ;;
    --tests) only_tests=${2?--tests needs a list} && shift ;;
    -*) echo "run.sh: \"$1\" is not an option; try --help" >&2 && exit 2 ;;
    *)
      printf '%s\n' "${guests[@]}" | cut -d';' -f1 | grep -qxF -e "$1" ||
        { echo "run.sh: there is no guest \"$1\"; write one of $(printf '%s\n' "${guests[@]}" | cut -d';' -f1 | xargs)" >&2 && exit 2; }
      selected+=("$1")
      ;;
  esac
  shift
done

[[ $(uname -m) == x86_64 ]] || skip_all "the guests are x86-64 machines, and run the programs of this one"
for program in qemu-system-x86_64 cpio depmod mmdebstrap; do
  type -P $program >/dev/null || skip_all "$program is missing; contrib/install-deps.sh kernels installs it"
done

# copy FILE...: to the same path of the guests' file system, with its libraries.
root=$work/root
copy() {
  local file
  for file; do
    mkdir -p "$root${file%/*}"
    cp -L -- "$file" "$root$file"
    # No library: a script, or linked statically.
    while read -r file; do
      if [[ ! -e $root$file ]]; then mkdir -p "$root${file%/*}" && cp -L -- "$file" "$root$file"; fi
    done < <({ ldd "$file" 2>/dev/null || true; } | grep -oE '/[^ ]+')
  done
}

make_root() {
  local name file
  mkdir -p "$root"/{dev,etc,proc,run,sys,tmp,tests} "$root"/usr/{bin,sbin,lib,lib64}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  for name in "${programs[@]}"; do copy "$(type -P "$name")"; done
  # The kernel's, a script's, and one that is "mawk" here.
  for name in /sbin/modprobe /bin/bash /bin/sh /usr/bin/env /usr/bin/awk; do
    if [[ ! -e $root$name ]]; then ln -s "$(type -P "${name##*/}")" "$root$name"; fi
  done
  # What pthread_exit() loads.
  copy "$(ldconfig -p | awk '/libgcc_s\.so\.1 .*x86-64/ { print $NF; exit }')"
  for name in csv logfile tcpconns; do copy "$(collectd_plugin $name)"; done
  copy "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" /etc/services
  echo root:x:0:0::/:/bin/bash >"$root/etc/passwd"
  echo root:x:0: >"$root/etc/group"

  mkdir -p "$root/tests/source" "$root/tests/build/tests/unit"
  cp -R -- "$top/tests" "$root/tests/source/"
  mkdir "$root/tests/source/contrib"
  cp -- "$top/contrib/private-collectd.sh" "$root/tests/source/contrib/"
  cp -R -- "$build/.libs" "$build/churn" "$build/plugin_host" "$build/sockmake" "$root/tests/build/"
  for file in "$build"/.libs/*.so "$build"/{churn,plugin_host,sockmake}; do copy "$file"; done
  for name in $core; do
    if [[ $name == unit/* ]]; then
      copy "$build/tests/$name"
      mv -- "$root$build/tests/$name" "$root/tests/build/tests/unit/"
    fi
  done
  rm -rf -- "${root:?}/${build#/}"
  cp -- "$top/tests/kernels/init" "$root/init"
  pack "$root" >"$work/root.cpio"
}

# pack DIRECTORY: as the kernel unpacks it.
pack() {
  (cd -- "$1" && find . | cpio --quiet -o -H newc -R 0:0)
}

# fetch RELEASE: $kept/RELEASE has the kernel's file vmlinuz and its modules.
fetch() {
  local into=$kept/$1 modules mode=chrootless
  if ((EUID == 0)); then mode=root; fi
  if [[ -e $into/vmlinuz ]]; then return; fi
  rm -rf -- "$into" "$work/fetch-$1"
  # A mirror that is a snapshot has a list of sid that is out of date.
  mmdebstrap --variant=custom --mode=$mode --format=directory --aptopt='Acquire::Check-Valid-Until "false"' \
    --customize-hook="$top/tests/kernels/download.sh"' "$1"' "$1" "$work/fetch-$1"
  modules=$(find "$work/fetch-$1/packages" -path '*/lib/modules/*' -prune -type d)
  mkdir -p -- "$into/modules/${modules##*/}"
  find "$modules" \( -name 'modules.*' -o -name 'inet_diag.ko*' -o -name 'tcp_diag.ko*' -o -name 'mptcp_diag.ko*' -o -name 'veth.ko*' \) \
    -exec cp -t "$into/modules/${modules##*/}" {} +
  cp -- "$(find "$work/fetch-$1/packages" -name 'vmlinuz*' -type f)" "$into/vmlinuz.new"
  rm -rf -- "$work/fetch-$1"
  mv -- "$into/vmlinuz.new" "$into/vmlinuz"
}

# boot NAME RELEASE PARAMETERS LEFT-OUT TESTS: the guest's results go to
# $work/NAME.results, the kernel's messages to $work/NAME.console.
boot() {
  local name=$1 guest=$work/$1.root version file try waited qemu
  version=$(ls "$kept/$2/modules")
  mkdir -p "$guest/tests/modules" "$guest/usr/lib"
  ln -s usr/lib "$guest/lib"
  # shellcheck disable=SC2086 # words
  printf '%s\n' $5 >"$guest/tests/list"
  cp -R -- "$kept/$2/modules" "$guest/usr/lib/"
  for file in $4; do mv -- "$guest/usr/lib/modules/$version/$file.ko"* "$guest/tests/modules/"; done
  # Not all kernels come with the lists that it misses.
  depmod -b "$guest" "$version" 2>/dev/null
  { cat "$work/root.cpio" && pack "$guest"; } >"$work/$name.cpio"
  rm -r -- "$guest"

  # The guest's time is the number of instructions that it has run (4 ns each), and
  # jumps over what it sleeps: how busy this machine is makes no difference in it.
  # Without KVM some starts of some kernels end in a panic of theirs before init, with
  # cx16 or several processors more often. Only such a start is tried again.
  for try in 1 2 3; do
    # It must not outlive this shell.
    setpriv --pdeathsig KILL qemu-system-x86_64 -accel tcg,thread=single,tb-size=256 -icount shift=2,sleep=off -rtc clock=vm \
      -cpu max,-cx16 -smp 1 -m 512 -no-reboot -nodefaults -display none -nic none \
      -kernel "$kept/$2/vmlinuz" -initrd "$work/$name.cpio" -append "console=ttyS0 panic=-1 mitigations=off rdinit=/init $3" \
      -serial "file:$work/$name.console" -serial "file:$work/$name.results" </dev/null &
    qemu=$!
    for ((waited = 0; waited < 3600; waited++)); do
      sleep 1
      kill -0 $qemu 2>/dev/null || break
      if ((waited == 180)) && ! grep -q '^### kernel' "$work/$name.results"; then break; fi
    done
    kill -KILL $qemu 2>/dev/null || true
    wait $qemu 2>/dev/null || true
    if grep -q '^### kernel' "$work/$name.results"; then return; fi
    echo "# $name: start $try has not reached init: $(grep -aE 'panic|BUG|Oops' "$work/$name.console" | head -n 1)"
  done
}

# relay NAME TESTS: the guest's results as this test's own.
relay() {
  local name=$1 line kernel='' test='' wanted=0 got=0 status text
  local -a left
  read -ra left <<<"$2"
  while IFS= read -r line; do
    case $line in
      '### kernel '*) kernel="$name (${line#* * })" ;;
      '### begin '*)
        test=${line#* * }
        wanted=none got=0
        ;;
      '### end '*)
        status=${line##* }
        if [[ $wanted != "$got" || $status != 0 ]]; then
          fail "$kernel: $test: it ends as planned" "$got results, $wanted planned, status $status"
        fi
        if [[ ${left[0]-} == "$test" ]]; then left=("${left[@]:1}"); fi
        test=
        ;;
      '1..0 # SKIP '*) skip "$kernel: $test" "${line#1..0 # SKIP }" && wanted=0 ;;
      1..*) wanted=${line#1..} ;;
      'ok '* | 'not ok '*)
        got=$((got + 1))
        text=${line#*ok +([0-9]) }
        text="$kernel: $test: ${text#- }"
        if [[ $line == not* ]]; then
          fail "$text"
        elif [[ $text == *' # SKIP '* ]]; then
          skip "${text%% # SKIP *}" "${text##* # SKIP }"
        else
          pass "$text"
        fi
        ;;
      '# '*) echo "$line" ;;
      '###'*) ;;
      *) echo "# $line" ;;
    esac
  done <"$work/$name.results"
  if ((${#left[@]} > 0)); then
    fail "${kernel:-$name}: all its tests have run" "not ended: ${left[*]}
$(tail -n 30 "$work/$name.console")"
  fi
}
# fields GUEST: $name, $release, $parameters, $without, $tests.
fields() {
  IFS=';' read -r name release parameters without tests <<<"$1"
  release=${release# }
  tests=${only_tests:-$tests}
}

make_root
# shellcheck disable=SC2046 # process ids
at_end() { kill $(jobs -rp) 2>/dev/null; }
chosen=()
for guest in "${guests[@]}"; do
  fields "$guest"
  if ((${#selected[@]} > 0)) && [[ " ${selected[*]} " != *" $name "* ]]; then continue; fi
  chosen+=("$guest")
  (fetch "$release") >"$work/$name.fetch" 2>&1 </dev/null &
  wait $! || continue
  while (($(jobs -rp | wc -l) >= 2)); do wait -n || true; done
  boot "$name" "$release" "$parameters" "$without" "$tests" >"$work/$name.log" 2>&1 &
done
wait
for guest in "${chosen[@]}"; do
  fields "$guest"
  if [[ ! -e $kept/$release/vmlinuz ]]; then
    if no_mirror "$work/$name.fetch"; then
      skip "$name: all" "no Debian mirror can be reached"
    else
      fail "$name: Debian's kernel can be fetched" "$(tail -n 20 "$work/$name.fetch")"
    fi
    continue
  fi
  cat "$work/$name.log"
  relay "$name" "$tests"
done
done_testing
