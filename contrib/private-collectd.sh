# SPDX-License-Identifier: MIT
# Builds the plugin and runs it in a collectd of its own, apart from any that is
# installed; quickstart.sh and fin-wait2-lab/run.sh source it. They set program,
# their name in messages, call make_work first, and remove_work at the end. The tests'
# lib.sh takes the configuration from here.
# shellcheck shell=bash disable=SC2154
export LC_ALL=C

say() { printf '%s: %s\n' "$program" "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
work=          # the temporary directory
build_group=   # process group of a running build step
collectd_pid=

# end_process ID: ends a process, or with "-ID" its group, and waits until it is gone.
end_process() {
  kill -TERM -- "$1" 2>/dev/null || return 0
  local tenths
  for ((tenths = 0; tenths < 50; tenths++)); do
    kill -0 -- "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "$1" 2>/dev/null || true
}

# remove_work: ends what runs, and leaves nothing.
remove_work() {
  if [[ -n $build_group ]]; then end_process "-$build_group"; fi
  if [[ -n $collectd_pid ]]; then end_process "$collectd_pid"; fi
  wait 2>/dev/null || true
  if [[ -n $work ]]; then rm -rf -- "$work"; fi
}

# Autotools refuse other characters in the path of a build.
buildable_path() {
  local safe='^[A-Za-z0-9_/.+@,:-]+$'
  [[ $1 =~ $safe ]]
}

make_work() {
  local parent=${TMPDIR:-/tmp}
  if ! buildable_path "$parent" || [[ $parent != /* ]]; then parent=/tmp; fi
  work=$(mktemp -d "$parent/tcpstates-$program.XXXXXX")
  mkdir -- "$work/plugins"
}

# Runs one step in its own process group, so that the end of this script is also
# that of the compilers. Its output goes to the log.
build_step() {
  set -m
  # What autoreconf is ended in the middle of goes with $work.
  TMPDIR=$work "$@" >>"$work/build.log" 2>&1 </dev/null &
  build_group=$!
  set +m
  local code=0
  wait "$build_group" || code=$?
  build_group=
  return "$code"
}

build_failed() {
  tail -n 40 -- "$work/build.log" >&2
  die 1 "$1 failed; above is the end of its output"
}

run_autoreconf() { (cd -- "$1" && autoreconf -fi); }
run_configure() { (cd -- "$2" && "$1/configure" -q); }

# Copies the sources without what a build in the tree may have left there.
copy_source() {
  mkdir -- "$1"
  cp -R -- "$top"/{configure.ac,Makefile.am,README.md,CHANGELOG.md,LICENSE,.clang-format,plugin,contrib} "$1"
  if [[ -d $top/tests ]]; then cp -R -- "$top/tests" "$1"; fi
  rm -rf -- "$1"/{plugin,tests}/{.libs,.deps,.dirstamp,*.o,*.lo,*.la}
}

# compile SOURCE BUILD: the plugin is BUILD/.libs/tcpstates.so afterwards.
compile() {
  if [[ ! -e $1/configure || ! -e $1/Makefile.in ]]; then
    say "making configure (autoreconf)"
    build_step run_autoreconf "$1" || build_failed autoreconf
  fi
  local fresh=false
  if [[ ! -e $2/Makefile ]]; then
    fresh=true
    say "configuring"
    mkdir -p -- "$2"
    build_step run_configure "$1" "$2" || build_failed configure
  fi
  say "building"
  if build_step make -C "$2" -j"$(nproc)" tcpstates.la; then return 0; fi
  if $fresh; then build_failed make; fi
  # The tree may have been moved, or the system have been upgraded.
  say "the previous build cannot be used any more; building again"
  rm -rf -- "$2"
  compile "$1" "$2"
}

build_plugin() {
  local source=$top build=$top/build-quickstart
  if ! buildable_path "$top" || [[ ! -w $top || -e $top/config.status ]] ||
    [[ -e $build && ! -w $build ]]; then
    source=$work/source build=$work/build
    copy_source "$source"
  fi
  # Two at a time must not build in one directory.
  local lock
  mkdir -p -- "$build"
  exec {lock}>"$build/.lock"
  if type -P flock >/dev/null; then
    flock -n "$lock" || {
      say "waiting for another one that is building"
      flock "$lock"
    }
  fi
  compile "$source" "$build"
  cp -- "$build/.libs/tcpstates.so" "$work/plugins/"
  exec {lock}>&-
}

# first_file FILE...: prints the first that there is.
first_file() {
  local file
  for file; do
    if [[ -e $file ]]; then
      printf '%s\n' "$file"
      return 0
    fi
  done
  return 1
}

# print_configuration INTERVAL DIRECTORY: what every configuration begins with; collectd
# keeps its files in DIRECTORY. Values and messages go to the standard error output.
print_configuration() {
  local types
  types=$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db) ||
    die 1 "collectd's types.db was not found in /usr/share/collectd; is collectd installed whole?"
  cat <<END
BaseDir "$2"
PIDFile "$2/collectd.pid"
PluginDir "$work/plugins"
TypesDB "$types"
Interval $1
Hostname "localhost"
FQDNLookup false
ReadThreads 1
WriteThreads 1
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "stderr"
  Timestamp false
  PrintSeverity true
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "stderr"
</Plugin>
END
}

# collectd_plugin NAME: the path of a plugin of collectd's own.
collectd_plugin() {
  first_file {/usr,/usr/local,/opt/collectd}/lib{,64}/{,*/}collectd/"$1".so
}

# copy_plugins NAME...: of collectd's own.
copy_plugins() {
  local name file
  for name; do
    file=$(collectd_plugin "$name") ||
      die 1 "collectd's $name.so was not found in /usr/lib/collectd; is collectd installed whole?"
    # A copy: collectd refuses symbolic links.
    cp -L -- "$file" "$work/plugins/"
  done
}

# collectd's values and messages come out of fd 3. The csv plugin buffers what
# it writes to stdout, but not to stderr. collectd takes the paths of its files
# for patterns, hence relative ones.
start_collectd() {
  local daemon
  daemon=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/collectd/sbin type -P collectd) ||
    die 1 "collectd was not found"
  mkfifo -- "$work/output"
  (cd -- "$work" && exec "$@" "$daemon" -f -C collectd.conf) >"$work/output" 2>&1 </dev/null &
  collectd_pid=$!
  exec 3<"$work/output"
}
