# SPDX-License-Identifier: MIT
# puppet apply --modulepath=MODULES site.pp, or in the manifest of a server.
class { 'tcpstates':
  options => {
    'AllPortsSummary'   => true,
    'LocalPort'         => [22, 443, '8000-8099'],
    'StuckAfter'        => 60,
    'NotifyStuck'       => 20,
    'ReportAcceptQueue' => true,
    'Filter'            => {
      'web-office' => {
        'LocalPort'     => [80, 443],
        'RemoteAddress' => ['192.0.2.0/24', '2001:db8:7::/48'],
      },
    },
  },
}
