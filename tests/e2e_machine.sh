#!/usr/bin/env bash
# In the machine's own namespace: orphans and TCP memory against their limits
# are what /proc says.
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

sysctl=/proc/sys/net/ipv4
if [[ ! -e $sysctl/tcp_max_orphans ]]; then skip_all "this is a child network namespace: no tcp_max_orphans here"; fi

collectd_configure <<'END'
LoadPlugin tcpstates
<Plugin tcpstates>
  AllPortsSummary false
  ListeningPorts false
</Plugin>
END
collectd_start

# Counters of the whole machine move: read them before and after.
before=$(awk '$1 == "TCP:" { print $5, $9, $11 }' /proc/net/sockstat)
values >/dev/null
after=$(awk '$1 == "TCP:" { print $5, $9, $11 }' /proc/net/sockstat)

value() {
  awk -v key="machine $1" 'index($0, key " ") == 1 { print $NF }' "$work/values"
}

column=0
for key in current_connections-orphaned current_connections-allocated gauge-tcp_mem_used; do
  column=$((column + 1))
  low=$(cut -d' ' -f$column <<<"$before")
  high=$(cut -d' ' -f$column <<<"$after")
  if ((low > high)); then read -r low high <<<"$high $low"; fi
  ok "$key is sockstat's, $low to $high" test "$(value $key)" -ge "$low" -a "$(value $key)" -le "$high"
done
read -r low pressure high <$sysctl/tcp_mem
is "tcp_max_orphans is the sysctl" "$(value gauge-tcp_max_orphans)" "$(<$sysctl/tcp_max_orphans)"
is "tcp_mem is the sysctl's three numbers" \
  "$(value gauge-tcp_mem_low) $(value gauge-tcp_mem_pressure) $(value gauge-tcp_mem_high)" "$low $pressure $high"
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
is "nothing is complained about" "$(messages '^\[(error|warning)\]')" ""
collectd_stop
done_testing
