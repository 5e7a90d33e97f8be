#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what a purpose needs and the machine lacks; quickstart.sh and
# tests/run.sh call it.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: install-deps.sh [--missing] PURPOSE...

Installs the packages that are missing for each PURPOSE:
  build    C compiler, make, autotools, pkg-config, pod2man, libmnl and collectd headers
  run      the collectd daemon with its csv and logfile plugins
  test     check, clang, iproute2, unshare, ps, xz, podchecker, python3, /etc/services,
           collectd-nagios and more plugins of collectd
  fuzz     clang with libFuzzer and sanitizers, llvm-cov, check
  lint     shellcheck, clang-format, mandoc
  lab      rrdtool, the rrdtool plugin of collectd, unshare, nsenter, setpriv
  fleet    Prometheus, VictoriaMetrics, InfluxDB 1.x and Graphite, the libraries of
           collectd's plugins for them, the perl modules of collection3, npm, Chromium, and
           nginx, wrk and redis for some load: for the tests of what contrib/ has for
           a fleet
  package  build-essential, debhelper, rpmbuild and check for make deb and make rpm, and
           mmdebstrap for the tests of the packages
  soak     valgrind and the runtimes of gcc's sanitizers, for tests/soak/soak.sh
  kernels  qemu for x86-64, cpio, depmod and mmdebstrap, for the tests on other kernels
  targets  qemu's user emulation and mmdebstrap, for the tests on other architectures
  containers  podman with runc, LXC, and systemd-nspawn, for the tests with real containers

Options:
  --missing   print the names of the missing packages and install nothing
  --help      print this

Where nothing is missing, it prints nothing and does nothing.

Touches: packages only, through apt-get (Debian, Ubuntu) or dnf (Fedora, RHEL),
as root or with sudo. The services in what it installs, such as Debian's collectd,
are kept from starting, now and at the next boot; systemctl enable NAME ends that.

Exit codes: 0 everything is there, 1 an installation failed, 2 wrong usage,
3 no known package manager, or a package that the distribution does not have.
END
}

say() { printf 'install-deps: %s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# Checks look for the thing itself, not for the package: a collectd that was
# built by hand counts too.
command_found() {
  local name
  for name; do
    if PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/opt/collectd/sbin type -P "$name" >/dev/null; then
      return 0
    fi
  done
  return 1
}
file_found() {
  local file
  for file; do
    if [[ -e $file ]]; then return 0; fi
  done
  return 1
}
library_found() {
  command_found pkg-config && pkg-config --exists "$1"
}
c_compiler_found() {
  command_found cc gcc clang && file_found /usr/include/stdio.h
}
collectd_headers_found() {
  [[ -n ${COLLECTD_CFLAGS-} ]] ||
    file_found {/usr,/usr/local,/opt/collectd}/include/collectd/core/daemon/plugin.h
}
collectd_plugin_found() {
  file_found {/usr,/usr/local,/opt/collectd}/lib{,64}/{,*/}collectd/"$1".so
}
# The package does not depend on the libraries of every plugin.
collectd_plugin_loads() {
  local file
  for file in {/usr,/usr/local,/opt/collectd}/lib{,64}/{,*/}collectd/"$1".so; do
    if [[ -e $file ]]; then
      [[ $(ldd "$file" 2>/dev/null) != *'not found'* ]]
      return
    fi
  done
  return 1
}
perl_module_found() {
  command_found perl && perl -M"$1" -e 1 2>/dev/null
}
libfuzzer_found() {
  command_found clang &&
    clang -x c -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null \
      <<<'int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }'
}
clang_sanitizers_found() {
  command_found clang &&
    clang -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null <<<'int main(void) { return 0; }'
}
sanitizers_found() {
  command_found cc gcc &&
    cc -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null <<<'int main(void) { return 0; }' &&
    cc -fsanitize=thread -x c -o /dev/null - 2>/dev/null <<<'int main(void) { return 0; }'
}

# dpkg-buildpackage asks for the package of this name.
build_essential_found() {
  command_found dpkg-buildpackage &&
    { ! command_found apt-get || [[ $(dpkg-query -W -f '${Status}' build-essential 2>/dev/null) == 'install ok installed' ]]; }
}

# purpose; check; Debian's packages; Fedora's packages; words for people.
# "-": the distribution does not have it.
readonly needs=(
  'build; c_compiler_found; gcc libc6-dev; gcc glibc-devel; a C compiler with the C library headers'
  'build; command_found make; make; make; make'
  'build; command_found autoreconf; autoconf; autoconf; autoconf 2.69 or later'
  'build; command_found automake; automake; automake; automake 1.14 or later'
  'build; command_found libtoolize; libtool; libtool; libtool'
  'build; command_found pkg-config; pkg-config; pkgconf-pkg-config; pkg-config'
  'build; library_found libmnl; libmnl-dev; libmnl-devel; libmnl 1.0.4 or later with its headers'
  'build; collectd_headers_found; collectd-dev; -; the headers of collectd 5.10 or later'
  'build; command_found pod2man; perl; perl-podlators; pod2man (perl)'
  'run; command_found collectd; collectd-core; collectd; the collectd daemon 5.10 or later'
  'run; collectd_plugin_found csv; collectd-core; collectd; the csv plugin of collectd'
  'run; collectd_plugin_found logfile; collectd-core; collectd; the logfile plugin of collectd'
  'test; library_found check; check pkg-config; check-devel pkgconf-pkg-config; check 0.10 or later'
  'test; command_found ss; iproute2; iproute; ss and ip (iproute2)'
  'test; command_found unshare; util-linux; util-linux; unshare (util-linux)'
  'test; command_found ps; procps; procps-ng; ps (procps)'
  'test; file_found /etc/services; netbase; setup; /etc/services'
  'test; clang_sanitizers_found; clang libclang-rt-dev; clang compiler-rt; clang with sanitizers'
  'test; command_found xz; xz-utils; xz; xz'
  'test; command_found python3; python3; python3; python3'
  'test; command_found dpkg-buildflags; dpkg-dev; dpkg-dev; dpkg-buildflags (dpkg-dev)'
  'test; command_found man; man-db; man-db; man'
  'test; command_found mount; mount; util-linux; mount'
  'test; command_found podchecker; perl; perl-Pod-Checker; podchecker (perl)'
  'test; command_found collectd-nagios; collectd-utils; collectd-utils; collectd-nagios'
  'test; collectd_plugin_found threshold; collectd-core; collectd; the threshold plugin of collectd'
  'test; collectd_plugin_found exec; collectd-core; collectd; the exec plugin of collectd'
  'test; collectd_plugin_found unixsock; collectd-core; collectd; the unixsock plugin of collectd'
  'fuzz; libfuzzer_found; clang libclang-rt-dev; clang compiler-rt; clang with libFuzzer and sanitizers'
  'fuzz; command_found llvm-cov; llvm; llvm; llvm-cov and llvm-profdata (llvm)'
  'fuzz; library_found check; check pkg-config; check-devel pkgconf-pkg-config; check 0.10 or later'
  'lint; command_found shellcheck; shellcheck; ShellCheck; shellcheck'
  'lint; command_found mandoc; mandoc; mandoc; mandoc'
  'lint; command_found clang-format; clang-format; clang-tools-extra; clang-format'
  'lab; command_found rrdtool; rrdtool; rrdtool; rrdtool'
  'lab; collectd_plugin_found rrdtool; collectd-core; collectd-rrdtool; the rrdtool plugin of collectd'
  'lab; command_found unshare; util-linux; util-linux; unshare (util-linux)'
  'lab; command_found nsenter; util-linux; util-linux; nsenter (util-linux)'
  'lab; command_found setpriv; util-linux; util-linux; setpriv (util-linux)'
  'fleet; command_found prometheus; prometheus; -; Prometheus'
  'fleet; command_found victoria-metrics; victoria-metrics; -; VictoriaMetrics'
  'fleet; command_found vmalert; victoria-metrics; -; vmalert (VictoriaMetrics)'
  'fleet; command_found nginx; nginx-light; nginx; nginx'
  'fleet; command_found wrk; wrk; wrk; wrk'
  'fleet; command_found redis-server; redis-server; redis; redis'
  'fleet; command_found redis-benchmark; redis-tools; redis; redis-benchmark'
  'fleet; command_found npm; npm; nodejs-npm; npm'
  'fleet; command_found influxd; influxdb; -; InfluxDB 1.x'
  'fleet; command_found carbon-cache; graphite-carbon; -; Graphite (carbon-cache)'
  'fleet; command_found graphite-manage; graphite-web; -; graphite-web'
  'fleet; collectd_plugin_loads write_prometheus; libmicrohttpd12 libprotobuf-c1; collectd-write_prometheus; the libraries of collectd write_prometheus plugin'
  'fleet; command_found python3; python3; python3; Python 3.11 or later'
  'fleet; command_found chromium; chromium; chromium; Chromium'
  'fleet; perl_module_found RRDs; librrds-perl; rrdtool-perl; RRDs (perl)'
  'fleet; perl_module_found Config::General; libconfig-general-perl; perl-Config-General; Config::General (perl)'
  'fleet; perl_module_found HTML::Entities; libhtml-parser-perl; perl-HTML-Parser; HTML::Entities (perl)'
  'fleet; perl_module_found CGI; libcgi-pm-perl; perl-CGI; CGI (perl)'
  'fleet; perl_module_found URI::Escape; liburi-perl; perl-URI; URI::Escape (perl)'
  'package; build_essential_found; build-essential; dpkg-dev; dpkg-buildpackage (build-essential)'
  'package; command_found dh; debhelper; debhelper; debhelper 13'
  'package; command_found xz; xz-utils; xz; xz'
  'package; library_found check; check pkg-config; check-devel pkgconf-pkg-config; check 0.10 or later'
  'package; file_found /etc/services; netbase; setup; /etc/services'
  'package; command_found rpmbuild; rpm; rpm-build; rpmbuild'
  'package; command_found mmdebstrap; mmdebstrap; mmdebstrap; mmdebstrap'
  'soak; command_found valgrind; valgrind; valgrind; valgrind'
  'soak; sanitizers_found; gcc; libasan libubsan libtsan; the libraries of AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer'
  'kernels; command_found qemu-system-x86_64; qemu-system-x86; qemu-system-x86-core; qemu for x86-64'
  'kernels; command_found cpio; cpio; cpio; cpio'
  'kernels; command_found depmod; kmod; kmod; depmod (kmod)'
  'kernels; command_found mmdebstrap; mmdebstrap; mmdebstrap; mmdebstrap'
  'targets; command_found qemu-s390x-static; qemu-user-static; qemu-user-static; the user emulation of qemu'
  'targets; command_found mmdebstrap; mmdebstrap; mmdebstrap; mmdebstrap'
  'containers; command_found podman; podman; podman; podman'
  'containers; command_found runc; runc; runc; runc'
  'containers; file_found /usr/lib/podman/netavark /usr/libexec/podman/netavark; netavark; netavark; netavark'
  'containers; command_found iptables; iptables; iptables; iptables, for netavark'
  'containers; command_found newuidmap; uidmap; shadow-utils; newuidmap, for podman without root'
  'containers; command_found systemd-nspawn; systemd-container; systemd-container; systemd-nspawn'
  'containers; command_found lxc-start; lxc; lxc; LXC'
  'containers; command_found busybox; busybox-static; busybox; busybox'
)

run_logged() {
  "$@" >>"$log" 2>&1 </dev/null
}

install_failed() {
  cat "$log" >&2
  if [[ $1 == dnf ]]; then
    say "RHEL and its like have collectd in EPEL and -devel packages in CodeReady Builder (CRB); enable both first"
  fi
  die 1 "the installation failed; what was tried: $*"
}

# Debian's server packages start their service, now and at each boot, unless this file says no.
readonly policy=/usr/sbin/policy-rc.d
policy_made=false
declare -rA services=([lxc]=lxc-net [collectd-core]=collectd [collectd-dev]=collectd [prometheus]=prometheus [influxdb]=influxdb [graphite-carbon]=carbon-cache
  [victoria-metrics]=victoria-metrics [nginx-light]=nginx [redis-server]=redis-server)

# forbid_services [PREFIX...]: PREFIX is what runs a command as root.
forbid_services() {
  if [[ -e $policy ]]; then return; fi
  policy_made=true
  printf '#!/bin/sh\nexit 101\n' | "$@" tee "$policy" >/dev/null
  "$@" chmod 755 "$policy"
}
allow_services() {
  if $policy_made; then "$@" rm -f "$policy"; fi
  policy_made=false
}

main() {
  local known='build, run, test, fuzz, lint, lab, fleet, package, soak, kernels, targets, containers'
  local only_list=false
  local -a purposes=()
  while (($# > 0)); do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --missing) only_list=true ;;
      build | run | test | fuzz | lint | lab | fleet | package | soak | kernels | targets | containers) purposes+=("$1") ;;
      *) die 2 "\"$1\" is neither an option nor a purpose; write one of $known, or --help" ;;
    esac
    shift
  done
  if ((${#purposes[@]} == 0)); then die 2 "no purpose given; write one or more of $known"; fi

  local -a words_missing=() debian_missing=() fedora_missing=() unpackaged=()
  local need purpose check debian fedora words
  for need in "${needs[@]}"; do
    IFS=';' read -r purpose check debian fedora words <<<"$need"
    if [[ " ${purposes[*]} " != *" $purpose "* ]]; then continue; fi
    read -ra check <<<"$check"
    if "${check[@]}"; then continue; fi
    words_missing+=("${words# }")
    read -ra debian <<<"$debian"
    read -ra fedora <<<"$fedora"
    local name
    for name in "${debian[@]}"; do
      if [[ " ${debian_missing[*]-} " != *" $name "* ]]; then debian_missing+=("$name"); fi
    done
    for name in "${fedora[@]}"; do
      if [[ $name == - ]]; then
        unpackaged+=("${words# }")
      elif [[ " ${fedora_missing[*]-} " != *" $name "* ]]; then
        fedora_missing+=("$name")
      fi
    done
  done
  if ((${#words_missing[@]} == 0)); then exit 0; fi

  local -a packages command refresh=()
  if command_found apt-get; then
    packages=("${debian_missing[@]}")
    refresh=(apt-get -q -o DPkg::Lock::Timeout=300 update)
    command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends)
    unpackaged=()
  elif command_found dnf; then
    packages=("${fedora_missing[@]}")
    command=(dnf -q -y install)
  else
    say "no apt-get and no dnf here. Please install, with this system's own tools:"
    printf '  %s\n' "${words_missing[@]}" >&2
    exit 3
  fi
  if $only_list; then
    printf '%s\n' "${packages[@]}" "${unpackaged[@]}"
    exit 0
  fi

  local -a as_root=()
  if ((EUID != 0)); then
    if command_found sudo; then
      # Without a terminal nobody can type a password.
      as_root=(sudo)
      if [[ ! -t 2 ]]; then as_root+=(-n); fi
    elif ((${#packages[@]} > 0)); then
      local advice="${command[*]} ${packages[*]}"
      if ((${#refresh[@]} > 0)); then advice="${refresh[*]} && $advice"; fi
      die 1 "packages are missing, and there is neither root nor sudo; run as root: $advice"
    fi
  fi

  if ((${#packages[@]} > 0)); then
    log=$(mktemp "${TMPDIR:-/tmp}/install-deps.XXXXXX")
    trap 'rm -f -- "$log"; allow_services "${as_root[@]}"' EXIT
    if ((${#as_root[@]} > 0)); then
      "${as_root[@]}" true ||
        die 1 "packages are missing, and sudo did not work; run as root: ${command[*]} ${packages[*]}"
    fi
    # If one source of several fails, that need not matter: the installation will show.
    if ((${#refresh[@]} > 0)); then
      run_logged "${as_root[@]}" "${refresh[@]}" || say "apt-get update failed; trying with the lists that there are"
    fi
    say "installing ${packages[*]}"
    if command_found apt-get; then
      # Purging collectd-core deletes /etc/collectd.
      local verb=purge
      if [[ -e /etc/collectd ]]; then verb=remove; fi
      say "to undo that: apt-get $verb --auto-remove ${packages[*]}"
    fi
    local -a servers=()
    if command_found apt-get; then
      for name in "${packages[@]}"; do
        # One that was there before stays as it is.
        if [[ -n ${services[$name]-} ]] && ! command_found "${services[$name]}"; then servers+=("${services[$name]}"); fi
      done
    fi
    if ((${#servers[@]} > 0)); then forbid_services "${as_root[@]}"; fi
    run_logged "${as_root[@]}" "${command[@]}" "${packages[@]}" || install_failed "${command[@]}" "${packages[@]}"
    for name in "${servers[@]}"; do run_logged "${as_root[@]}" update-rc.d "$name" disable || true; done
    allow_services "${as_root[@]}"
  fi
  if ((${#unpackaged[@]} > 0)); then
    say "this distribution has no package with $(printf '%s; ' "${unpackaged[@]}" | sed 's/; $//')." \
      "For collectd: unpack the source of the installed version (collectd -h names it), run its ./configure there," \
      "and set COLLECTD_CFLAGS=\"-I\$DIR/src -I\$DIR/src/daemon\" with DIR as that directory."
    exit 3
  fi
}

main "$@"
