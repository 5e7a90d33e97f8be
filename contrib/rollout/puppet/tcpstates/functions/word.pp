# SPDX-License-Identifier: MIT

# @summary A value as collectd's configuration has it: strings in quotes
function tcpstates::word(Variant[String, Numeric, Boolean] $value) >> String {
  if $value =~ String {
    "\"${regsubst($value, '(["\\\\])', '\\\\\1', 'G')}\""
  } else {
    String($value)
  }
}
