# SPDX-License-Identifier: MIT

# @summary collectd with the plugin tcpstates
#
# @param options
#   The options of <Plugin tcpstates>, named as there: one value, or an array of them.
#   A block (Filter, Namespace) is a hash from its names to its options.
# @param ensure
#   Of the package: installed, latest, or a version.
# @param deb
#   A .deb on the managed machine; otherwise the package is in a repository that apt knows.
class tcpstates (
  Hash             $options = {},
  String           $ensure  = 'installed',
  Optional[String] $deb     = undef,
) {
  # collectd only recommends libmnl0, and does not start without it.
  package { 'libmnl0':
    ensure => installed,
  }
  package { 'collectd':
    ensure  => installed,
    require => Package['libmnl0'],
  }

  if $deb {
    # dpkg upgrades to the version of the file, but installs no dependencies.
    package { 'collectd-plugin-tcpstates':
      ensure   => latest,
      provider => dpkg,
      source   => $deb,
      require  => Package['collectd'],
    }
  } else {
    package { 'collectd-plugin-tcpstates':
      ensure  => $ensure,
      require => Package['collectd'],
    }
  }

  # collectd does not start with a wrong configuration. So a collectd of its own reads
  # once with the new file, without any write plugin, before the file takes its place.
  file { '/etc/collectd/collectd.conf.d/tcpstates.conf':
    content      => @("CONF"),
      # Managed by Puppet.
      <Include "/usr/share/collectd">
        Filter "tcpstates.load"
      </Include>
      <Plugin tcpstates>
      ${tcpstates::block($options)}</Plugin>
      | CONF
    mode         => '0644',
    validate_cmd => @(COMMAND/L),
      /bin/sh -c 'c=$(mktemp); trap "rm $c" EXIT; \
      { echo "FQDNLookup false"; echo "Include \"%\""; } >$c; collectd -T -C $c'
      |- COMMAND
    require      => Package['collectd-plugin-tcpstates'],
  }

  # A running collectd keeps the plugin that it has loaded, and its configuration.
  service { 'collectd':
    ensure    => running,
    enable    => true,
    subscribe => [
      Package['collectd-plugin-tcpstates'],
      File['/etc/collectd/collectd.conf.d/tcpstates.conf'],
    ],
  }
}
