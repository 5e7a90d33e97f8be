#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each dashboard is what Grafana's own types say: @grafana/grafana-foundation-sdk, with its panels'
# options and Prometheus's queries. An unknown, missing or wrong key does not compile.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_programs node npm
cp -- "$top"/tests/fleet/schema/* "$work/"
cd "$work"
npm_config_cache=$work/cache npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1 ||
  { grep -qE 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT' npm.log && skip_all "no registry of npm can be reached"; } ||
  { fail "npm ci" "$(tail -n 20 npm.log)" && done_testing && exit; }
node enums.mjs node_modules/@grafana/grafana-foundation-sdk/dist

# checks FILE: it compiles as a dashboard.
checks() {
  local backend
  backend=$(basename -- "$(dirname -- "$1")")
  {
    echo "import type { DashboardOf, ${backend}Target } from './dashboard';"
    echo "export const dashboard: DashboardOf<${backend}Target> ="
    cat -- "$1"
    echo ";"
  } >check.ts
  node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext check.ts
}
for file in "$top"/contrib/dashboards/{prometheus,influxdb,graphite}/*.json; do
  ok "${file#"$top"/contrib/} is of the types" checks "$file"
done

# A mistake is found.
mkdir prometheus
first=$top/contrib/dashboards/prometheus/fleet.json
wrong() {
  sed "$2" "$first" >prometheus/wrong.json
  if cmp -s "$first" prometheus/wrong.json || checks prometheus/wrong.json >/dev/null; then fail "$1 is found out"; else pass "$1 is found out"; fi
}
wrong "an unknown key of a panel" 's/"gridPos"/"gridpos"/'
wrong "an unknown key of a query" 's/"legendFormat"/"legend"/'
wrong "an unknown value of an option" 's/"horizontal"/"sideways"/'
wrong "an unknown key of a line" 's/"spanNulls"/"spansNulls"/'
wrong "a link without its type" '/"type": "link",/d'
is "the schema's version is that of the types" \
  "$(grep -ho '"schemaVersion": [0-9]*' "$top"/contrib/dashboards/{prometheus,influxdb,graphite}/*.json | sort -u)" \
  "\"schemaVersion\": $(sed -n 's/^ *schemaVersion: \([0-9]*\),/\1/p' node_modules/@grafana/grafana-foundation-sdk/dist/dashboard/types.gen.js | head -n 1)"
done_testing
