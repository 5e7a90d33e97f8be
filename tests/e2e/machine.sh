#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# In the machine's own namespace: orphans and TCP memory against their limits
# are what /proc says.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

sysctl=/proc/sys/net/ipv4
if [[ ! -e $sysctl/tcp_max_orphans ]]; then skip_all "this is a child network namespace: no tcp_max_orphans here"; fi

collectd_configure <<<'LoadPlugin tcpstates'
collectd_start

values >/dev/null

# Their numbers move with all that the machine does: that they are sockstat's is
# for the modules' tests, with a sockstat that does not change.
for key in current_connections-orphaned current_connections-allocated gauge-tcp_mem_used; do
  ok "$key is there" test "$(value machine $key)" -ge 0
done
read -r low pressure high <$sysctl/tcp_mem
is "tcp_max_orphans is the sysctl" "$(value machine gauge-tcp_max_orphans)" "$(<$sysctl/tcp_max_orphans)"
is "tcp_mem is the sysctl's three numbers" \
  "$(value machine gauge-tcp_mem_low) $(value machine gauge-tcp_mem_pressure) $(value machine gauge-tcp_mem_high)" "$low $pressure $high"
# csv rounds to six decimals.
ok "percentages are of these" awk '{ v[$2] = $3 }
  function is_percent(got, number, limit, off) {
    off = got - 100 * number / limit
    return off < 1e-6 && off > -1e-6
  }
  END {
    exit !(is_percent(v["percent-orphans"], v["current_connections-orphaned"], v["gauge-tcp_max_orphans"]) &&
           is_percent(v["percent-tcp_mem"], v["gauge-tcp_mem_used"], v["gauge-tcp_mem_high"]))
  }' "$work/values"
is "nothing is complained about" "$(complaints)" ""
collectd_stop
done_testing
