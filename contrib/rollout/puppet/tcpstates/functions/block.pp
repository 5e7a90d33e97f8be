# SPDX-License-Identifier: MIT

# @summary The lines of a block of collectd's configuration
# @param options
#   From names to a value or an array of values, or for blocks from their names to options.
# @param indent
#   What each line begins with.
function tcpstates::block(Hash $options, String $indent = '  ') >> String {
  $options.map |$name, $value| {
    if $value =~ Hash {
      $value.map |$label, $inner| {
        "${indent}<${name} ${tcpstates::word($label)}>\n${tcpstates::block($inner, "${indent}  ")}${indent}</${name}>\n"
      }
    } else {
      $words = [$value].flatten.map |$word| { tcpstates::word($word) }
      "${indent}${name} ${words.join(' ')}\n"
    }
  }.flatten.join
}
