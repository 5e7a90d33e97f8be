#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# contrib/rollout on Debian 12 and 13: in a clean root that systemd runs as a machine,
# Ansible and Puppet install the package and configure it, change it, and otherwise
# leave collectd alone; then collectd.service under the hardening drop-in.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
for program in mmdebstrap dpkg-scanpackages dh; do
  type -P "$program" >/dev/null || skip_all "$program is missing; contrib/install-deps.sh package installs it"
done
# The package is built here, for releases as new as this one or newer.
host=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
case $host in
  bookworm) releases=(bookworm trixie) ;;
  trixie) releases=(trixie) ;;
  *) skip_all "the package is built on this system, which is not Debian 12 or 13" ;;
esac

. "$(dirname -- "${BASH_SOURCE[0]}")/debian_root.sh"

preparation=
at_end() {
  machine_stop
  if [[ -n $preparation ]]; then
    kill -KILL -- "-$preparation" 2>/dev/null || true
    wait "$preparation" 2>/dev/null || true
  fi
}

readonly package=collectd-plugin-tcpstates
readonly conf_d=etc/collectd/collectd.conf.d
readonly conf=$conf_d/tcpstates.conf
readonly csv=var/lib/collectd/csv

# prepare RELEASE: $work/RELEASE has systemd, Ansible and Puppet and not collectd,
# which is in the only repository that apt knows there, /repository, with the package.
prepare() {
  local net=("${outside[@]}") root=$work/$1
  "${outside[@]}" unshare --mount mmdebstrap --variant=apt --include=systemd,systemd-sysv,dbus,python3-apt,ansible-core,puppet-agent "$1" "$root"
  apt "$root" update
  apt "$root" install --download-only collectd libmnl0
  mkdir "$root/repository"
  cp -- "$root"/var/cache/apt/archives/*.deb "$work/$package"_*.deb "$root/repository/"
  index_repository "$root"
  rm -f -- "$root"/etc/apt/sources.list.d/*
  echo 'deb [trusted=yes] file:/repository ./' >"$root/etc/apt/sources.list"
  echo 'APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/test"
  apt "$root" update

  # Debian's configuration wants a host name that resolves.
  echo web1 >"$root/etc/hostname"
  echo "127.0.0.1 localhost web1.example web1" >"$root/etc/hosts"
  mkdir -p "$root/$conf_d" "$root/root/contrib"
  printf '%s\n' 'Interval 1' 'LoadPlugin csv' '<Plugin csv>' "DataDir \"/$csv\"" '</Plugin>' >"$root/$conf_d/00-test.conf"
  cp -R -- "$top/contrib/rollout" "$root/root/contrib/"
}
index_repository() {
  (cd -- "$1/repository" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
}

# written [PLUGIN...]: waits until collectd has written all values of tcpstates and of
# these, after the call; their names, and those of what else there is by then, without
# the machine's, to $work/names.
written() {
  local deadline=$((SECONDS + 300)) plugin missing
  find "$root/$csv" -mindepth 1 -delete 2>/dev/null || true
  while ((SECONDS < deadline)); do
    sleep 0.2
    missing=
    # With three values of any, there is one of all of that plugin.
    for plugin in tcpstates-machine "$@"; do
      if ! cat /dev/null "$root/$csv"/*/"$plugin"*/* 2>/dev/null | awk '/^epoch/ { n = 0; next } ++n == 3 { found = 1; exit } END { exit !found }'; then
        missing=$plugin
        break
      fi
    done
    if [[ -z $missing ]]; then
      (cd -- "$root/$csv" && find . -type f -printf '%P\n') | sed 's|^[^/]*/||; s/-....-..-..$//' | sort >"$work/names"
      return 0
    fi
  done
  echo "no values of $missing within 300 s; the journal says: $(journal 20)"
  return 1
}
journal() {
  in_machine journalctl -q -u collectd -o cat -n "$1" | grep -v 'successfully loaded'
}
main_pid() {
  in_machine systemctl show -P MainPID collectd
}

# ---- Ansible and Puppet ------------------------------------------------------------

# ansible ARGUMENT...: "changed=N failed=N" or what it said.
ansible() {
  in_machine ansible-playbook -i localhost, -c local "$@" /root/contrib/rollout/ansible/site.yml >"$work/rollout.log" 2>&1 || true
  sed -nE 's/^localhost *:.*(changed=[0-9]+).*(failed=[0-9]+).*/\1 \2/p' "$work/rollout.log" | grep . || tail -n 30 "$work/rollout.log"
}

# puppet FILE: "exit status N" and errors; 0 is "no changes", 2 "changes", 4 and 6 "failures".
puppet() {
  local status=0
  in_machine puppet apply --detailed-exitcodes --color=false --modulepath=/root/contrib/rollout/puppet "$1" >"$work/rollout.log" 2>&1 || status=$?
  echo "exit status $status"
  if ((status == 1)); then tail -n 30 "$work/rollout.log"; fi
}

# check_rollout RELEASE TOOL: by the functions TOOL_..., each with the name of a result.
check_rollout() {
  local name="$1, $2" tool=$2 pid before
  if ! machine_start "$root" 2>"$work/machine"; then
    skip "$name: all" "$(<"$work/machine")"
    return 1
  fi
  in_machine sh -c 'mkdir /run/netns && touch /run/netns/blue && unshare --net=/run/netns/blue true'
  "${tool}_changes" "$name: the first run installs and configures it"
  ok "$name: collectd runs" in_machine systemctl is-active collectd
  ok "$name: it will after the next boot" in_machine systemctl is-enabled collectd
  ok "$name: the plugin delivers" written
  is "$name: it counts what there is" "$(counted "$root/$csv" all 8000-8099-local 443-local 22-local)" \
    "$(wanted all 8000-8099-local 443-local 22-local | of_states)"
  ok "$name: the filter of the example is there" grep -qx 'tcpstates-web-office/tcp_connections-FIN_WAIT2' "$work/names"
  is "$name: the written configuration" "$(grep -v '^#' "$root/$conf")" "$(example_configuration)"

  pid=$(main_pid)
  before=$(stat -c '%i %y' "$root/$conf")
  "${tool}_changes_nothing" "$name: the second run changes nothing"
  is "$name: it has not restarted collectd" "$(main_pid)" "$pid"
  is "$name: it has not written the file again" "$(stat -c '%i %y' "$root/$conf")" "$before"

  before=$(<"$root/$conf")
  "${tool}_mistypes" "$name: an unknown option fails"
  ok "$name: and the output names it" grep -q 'unknown option .*LocalPrt' "$work/rollout.log"
  is "$name: the file stays as it was" "$(<"$root/$conf")" "$before"
  is "$name: collectd goes on" "$(main_pid)" "$pid"

  "${tool}_reconfigures" "$name: another configuration is a change"
  ok "$name: it has restarted collectd" test "$(main_pid)" -ne "$pid"
  ok "$name: the plugin delivers again" written
  is "$name: with the groups of now" "$(sed -n 's/^tcpstates-\([^/]*\).*/\1/p' "$work/names" | sort -u | tr '\n' ' ')" "all all@blue machine of-1\\2\"3 ssh@blue "

  pid=$(main_pid)
  cp -- "$work/newer/$package"_*.deb "$root/root/"
  "${tool}_upgrades" "$name: a newer .deb is a change"
  is "$name: it is installed" "$(in_root "$root" dpkg-query -W -f '${Version}' "$package")" "$newer_version"
  ok "$name: it has restarted collectd, which keeps the plugin that it has loaded" test "$(main_pid)" -ne "$pid"
  "${tool}_upgrades_nothing" "$name: the same .deb again changes nothing"
  ok "$name: the plugin delivers still" written
}

example_configuration() {
  cat <<'CONF'
<Include "/usr/share/collectd">
  Filter "tcpstates.load"
</Include>
<Plugin tcpstates>
  AllPortsSummary true
  LocalPort 22 443 "8000-8099"
  StuckAfter 60
  NotifyStuck 20
  ReportAcceptQueue true
  <Filter "web-office">
    LocalPort 80 443
    RemoteAddress "192.0.2.0/24" "2001:db8:7::/48"
  </Filter>
</Plugin>
CONF
}

# Of the machine's own file. JSON is YAML.
ansible_options='{"tcpstates_options": {"AllPortsSummary": true, "Filter": {"of-1\\2\"3": {"RemotePort": "https"}},
  "Namespace": {"blue": {"AllPortsSummary": true, "Filter": {"ssh": {"LocalPort": 22}}}}}}'
ansible_changes() {
  ansible >"$work/changed"
  ok "$1" grep -Eqx 'changed=[1-9][0-9]* failed=0' "$work/changed"
  if ! grep -q failed=0 "$work/changed"; then sed 's/^/# /' "$work/rollout.log"; fi
}
ansible_changes_nothing() {
  is "$1, also with --check --diff" "$(ansible --check --diff)" "changed=0 failed=0"
  is "$1" "$(ansible)" "changed=0 failed=0"
}
ansible_mistypes() {
  is "$1" "$(ansible -e '{"tcpstates_options": {"LocalPrt": 22}}')" "changed=0 failed=1"
}
ansible_reconfigures() {
  mkdir "$root/root/contrib/rollout/ansible/host_vars"
  printf '%s\n' "$ansible_options" >"$root/root/contrib/rollout/ansible/host_vars/localhost.yml"
  # The file, and the restart.
  is "$1" "$(ansible)" "changed=2 failed=0"
}
ansible_deb() {
  ansible -e tcpstates_deb="/root/$(basename -- "$work/newer/$package"_*.deb)"
}
ansible_upgrades() {
  # The copy, the package, and the restart.
  is "$1" "$(ansible_deb)" "changed=3 failed=0"
}
ansible_upgrades_nothing() {
  is "$1" "$(ansible_deb)" "changed=0 failed=0"
}

puppet_changes() {
  is "$1" "$(puppet /root/contrib/rollout/puppet/site.pp)" "exit status 2"
  if grep -q 'Error:' "$work/rollout.log"; then sed 's/^/# /' "$work/rollout.log"; fi
}
puppet_changes_nothing() {
  is "$1" "$(puppet /root/contrib/rollout/puppet/site.pp)" "exit status 0"
}
# puppet_class [LINE...]: parameters of the class.
puppet_class() {
  printf '%s\n' "class { 'tcpstates':" "$@" "}" >"$root/root/class.pp"
  puppet /root/class.pp
}
puppet_options="options => { 'AllPortsSummary' => true, 'Filter' => { 'of-1\\\\2\"3' => { 'RemotePort' => 'https' } },
  'Namespace' => { 'blue' => { 'AllPortsSummary' => true, 'Filter' => { 'ssh' => { 'LocalPort' => 22 } } } } },"
puppet_mistypes() {
  # Failed, and the service is left out.
  is "$1" "$(puppet_class "options => { 'LocalPrt' => 22 },")" "exit status 4"
}
puppet_reconfigures() {
  is "$1" "$(puppet_class "$puppet_options")" "exit status 2"
}
puppet_deb() {
  puppet_class "$puppet_options" "deb => '/root/$(basename -- "$work/newer/$package"_*.deb)',"
}
puppet_upgrades() {
  is "$1" "$(puppet_deb)" "exit status 2"
}
puppet_upgrades_nothing() {
  is "$1" "$(puppet_deb)" "exit status 0"
}

# ---- the hardening drop-in -----------------------------------------------------------

readonly unit_d=etc/systemd/system/collectd.service.d
readonly hardening=contrib/rollout/systemd

# documented N: runs the Nth commands of its README, as root in a clone.
documented() {
  in_machine sh -e -c "cd /root; $(code_block "$top/$hardening/README.md" "$1")"
}

# hardened_with [LINE...]: restarts collectd with the drop-in and another one after it.
hardened_with() {
  rm -f -- "$root/$unit_d/zz-test.conf"
  if (($# > 0)); then printf '%s\n' '[Service]' "$@" >"$root/$unit_d/zz-test.conf"; fi
  in_machine systemctl daemon-reload
  in_machine systemctl stop collectd
  in_machine systemctl start collectd
}

# Plugins that Debian's configuration loads, and that have values on every machine; then
# all that have values on this one.
debians=(df entropy interface irq load memory processes protocols swap users)

# lost: those of the names in $work/plain that are not in $work/names.
lost() {
  comm -23 "$work/plain" "$work/names"
}
# plugins: of which the names on stdin are.
plugins() {
  sed 's|[-/].*||' | sort -u
}

# documented_loss: what README says about tcpstates under ProcSubset=pid, as far as
# this system has it: a network namespace that is not the first one has no
# tcp_max_orphans and tcp_mem.
documented_loss() {
  grep -o '`tcpstates-[a-z]*/[a-z_0-9-]*`' "$top/$hardening/README.md" | tr -d '`' | sort | comm -12 - "$work/plain"
}

check_hardening() {
  local name="$1, hardened" pid
  # Here are the sockets of this test; a second time below with the machine's own.
  machine_start "$root" || return 0
  in_machine sh -c 'mkdir /run/netns && touch /run/netns/blue && unshare --net=/run/netns/blue true'
  printf '%s\n' 'LoadPlugin tcpstates' '<Plugin tcpstates>' 'AllPortsSummary true' 'LocalPort 443' 'ReportAcceptQueue true' \
    '</Plugin>' >"$root/$conf"
  ok "$name: the documented commands install it" documented 1
  is "$name: systemd-analyze has nothing to say about the drop-in" "$(in_machine systemd-analyze verify collectd.service 2>&1 | grep -F hardening)" ""
  ok "$name: collectd runs" in_machine systemctl is-active collectd
  ok "$name: the plugin delivers" written
  is "$name: it counts what there is" "$(counted "$root/$csv" all 443-local)" "$(wanted all 443-local | of_states)"
  pid=$(main_pid)
  is "$name: no capability, no root, and a filter of system calls" "$(in_machine sh -c "
      stat -c %U /proc/$pid; grep -E '^(CapPrm|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/$pid/status" | tr -d '\t ' | xargs)" \
    "collectd CapPrm:0000000000000000 CapBnd:0000000000000000 CapAmb:0000000000000000 NoNewPrivs:1 Seccomp:2"
  is "$name: it can write its data and nothing else" \
    "$(in_machine nsenter --target "$pid" --mount setpriv --reuid=collectd --regid=collectd --clear-groups sh -c '
      for d in /var/lib/collectd /run/collectd /etc /etc/collectd /usr /var /run /root /home; do
        if touch "$d/probe" 2>/dev/null; then echo "$d"; rm "$d/probe"; fi; done' | xargs)" \
    "/var/lib/collectd /run/collectd"
  ok "$name: systemd-analyze rates it below 2" in_machine systemd-analyze security --no-pager --threshold=20 collectd
  hardened_with 'RestrictAddressFamilies=' 'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6'
  ok "$name: without AF_NETLINK it still starts" written
  is "$name: and no socket is counted" "$(grep -c '^tcpstates-[^/]*/tcp_connections' "$work/names")" 0
  ok "$name: and the log says so" grep -qiE 'tcpstates.*(not supported|AF_NETLINK|netlink)' <(journal 200)

  # Notifications: exec, and what needs rights.
  printf '%s\n' '#!/bin/sh' '{ id -un; cat; } >>/var/lib/collectd/notification' >"$root/usr/local/bin/notify"
  chmod 755 "$root/usr/local/bin/notify"
  printf '%s\n' 'LoadPlugin exec' '<Plugin exec>' 'NotificationExec "collectd" "/usr/local/bin/notify"' '</Plugin>' \
    'LoadPlugin tcpstates' '<Plugin tcpstates>' 'AllPortsSummary true' 'StuckAfter 1' 'NotifyStuck 1' 'NotifyProcesses true' \
    '<Namespace "blue">' 'AllPortsSummary true' '</Namespace>' '</Plugin>' >"$root/$conf"
  local leak='
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.shutdown(socket.SHUT_WR)
time.sleep(3600)'
  in_machine systemd-run -q --unit=holder python3 -c "$leak"
  # As a container runtime does it.
  # shellcheck disable=SC2016 # for sh
  in_machine systemd-run -q --scope --unit="docker-$(printf 'a1%.0s' {1..32}).scope" \
    unshare --uts sh -c 'hostname web-7f9 && exec python3 -c "$1"' - "$leak" &
  hardened_with
  notified "$name: exec runs a notification's program, as collectd" '^collectd$'
  notified "$name: of a container, too" '^PluginInstance: docker-a1a1a1a1a1a1$'
  ok "$name: the notifications have no names of processes and hosts" \
    test -z "$(grep -e 'python3\[' -e web-7f9 "$root/var/lib/collectd/notification")"
  written
  ok "$name: a namespace is not entered" test -z "$(grep '@blue' "$work/names")"
  ok "$name: and the log names the capability" grep -q 'namespace blue.*CAP_SYS_ADMIN' <(journal 200)
  hardened_with
  cp -- "$top/contrib/containers/collectd.service.d/tcpstates-namespaces.conf" "$root/$unit_d/"
  in_machine systemctl daemon-reload
  in_machine systemctl stop collectd
  rm -f -- "$root/var/lib/collectd/notification"
  in_machine systemctl start collectd
  notified "$name: with tcpstates-namespaces.conf, it has process names" 'holder\.service.*python3\['
  notified "$name: and a container's host name" '^container_host_name: web-7f9$'
  written
  ok "$name: and the namespace is entered" grep -q '^tcpstates-all@blue/tcp_connections-' "$work/names"
  rm -f -- "$root/$unit_d/tcpstates-namespaces.conf"

  ok "$name: the documented commands undo it" documented 2
  is "$name: collectd is root again" "$(in_machine stat -c %U "/proc/$(main_pid)")" root
  ok "$name: and goes on in the same files" written
  machine_stop

  # The same set of values as without it: Debian's configuration, and the drop-in
  # configuration with the protocols plugin.
  cp -- "$top/contrib/collectd.conf.d/tcpstates.conf" "$root/$conf"
  machine_start "$root" "${outside[@]}" || return 0
  written "${debians[@]}"
  is "$name: with contrib/collectd.conf.d, protocols has each counter that it selects" \
    "$(sed -n 's|^protocols-TcpExt/protocol_counter-||p' "$work/names" | xargs)" \
    "$(sed -n 's|^ *Value "TcpExt:\([A-Za-z]*\)".*|\1|p' "$root/$conf" | sort | xargs)"
  # disk has the latter once it has seen one pending.
  grep -v '^disk-.*/pending_operations$' "$work/names" >"$work/plain"
  readarray -t debians < <(plugins <"$work/plain" | grep -v tcpstates)
  documented 1
  ok "$name: the plugin delivers, with Debian's own plugins" written "${debians[@]}"
  is "$name: no value of any plugin is lost" "$(lost)" ""
  is "$name: but df has two more" "$(comm -13 "$work/plain" "$work/names" | sed 's|/.*||' | grep -v ^disk- | sort -u | xargs)" "df-var-lib-collectd df-var-tmp"
  hardened_with ProtectProc=invisible
  written "${debians[@]}"
  is "$name: ProtectProc=invisible loses no value" "$(lost)" ""
  hardened_with ProcSubset=pid
  ok "$name: ProcSubset=pid leaves it the sockets" written df load processes users
  is "$name: ProcSubset=pid loses what README says of tcpstates" "$(lost | grep ^tcpstates-)" "$(documented_loss)"
  is "$name: ProcSubset=pid loses the plugins that README says" \
    "$(comm -23 <(plugins <"$work/plain") <(plugins <"$work/names") | xargs)" \
    "$(sed -n 's/^| `ProcSubset=pid` |.*| \(.*\) |$/\1/p' "$top/$hardening/README.md" | tr -d ' ' | tr ',' '\n' | comm -12 - <(plugins <"$work/plain") | xargs)"
  machine_stop
}
# notified NAME PATTERN: a notification's program is run, and the input of one has PATTERN.
notified() {
  local tenths
  for ((tenths = 0; tenths < 600; tenths++)); do
    if grep -qs -- "$2" "$root/var/lib/collectd/notification"; then
      pass "$1"
      return
    fi
    sleep 0.1
  done
  fail "$1" "$(cat "$root/var/lib/collectd/notification" 2>&1; journal 20)"
}

# ---- all of it -----------------------------------------------------------------------

make_tarball
(cd -- "$work" && DEB_BUILD_OPTIONS=nocheck "$top/contrib/packages/deb/build.sh" "$tarball") >"$work/build.log" 2>&1 ||
  { fail "make deb" "$(tail -n 40 "$work/build.log")" && done_testing && exit 0; }
dpkg-deb -R "$work/$package"_*.deb "$work/unpacked"
newer_version=$(sed -n 's/^Version: //p' "$work/unpacked/DEBIAN/control")+newer
sed -i "s/^Version: .*/Version: $newer_version/" "$work/unpacked/DEBIAN/control"
mkdir "$work/newer"
dpkg-deb --root-owner-group -b "$work/unpacked" "$work/newer" >/dev/null

sockets make established ipv4 8001 3
sockets make fin-wait2-held ipv6 443 2

for release in "${releases[@]}"; do
  # In a process group of its own.
  set -m
  (prepare "$release") >"$work/$release.log" 2>&1 </dev/null &
  preparation=$!
  set +m
  if ! wait "$preparation"; then
    preparation=
    if no_mirror "$work/$release.log"; then
      skip "$release: all" "no Debian mirror can be reached"
    else
      fail "$release: a clean root" "$(tail -n 40 "$work/$release.log")"
    fi
    continue
  fi
  preparation=
  cp -a --reflink=auto -- "$work/$release" "$work/$release-puppet"
  root=$work/$release-puppet
  check_rollout "$release" puppet || continue
  machine_stop
  root=$work/$release
  check_rollout "$release" ansible || continue
  machine_stop
  check_hardening "$release"
  rm -rf -- "${work:?}/$release" "$work/$release-puppet"
done
done_testing
