# The report of bench.sh: tables and targets, as Markdown.
# Input: lines "SIZE MIX READER NS KIB", a line for each sample; KIB is 0 where memory
# was not measured. Variables: growth, KiB in growth_reads reads, or empty; machine.

function median(values,    list, num, i, j, x) {
  num = split(values, list)
  for (i = 2; i <= num; i++)
    for (j = i; j > 1 && list[j] + 0 < list[j - 1] + 0; j--) {
      x = list[j]; list[j] = list[j - 1]; list[j - 1] = x
    }
  return (list[int((num + 1) / 2)] + list[int(num / 2) + 1]) / 2
}
function known(size, mix, reader) { return (size, mix, reader) in ns }
function ratio(size, mix, a, b) {
  return known(size, mix, a) && known(size, mix, b) ? median(ns[size, mix, a]) / median(ns[size, mix, b]) : -1
}
function digits(x) { return x < 0 ? "-" : sprintf(x < 0.1 ? "%.3f" : x < 10 ? "%.2f" : "%.1f", x) }
function cell(size, mix, reader,    base) {
  if (!known(size, mix, reader)) return "-"
  base = reader ~ /^port/ ? reader : "tcpconns"
  sub(/tcpstates/, "tcpconns", base)
  return digits(median(ns[size, mix, reader]) / 1e6) " ms (" digits(ratio(size, mix, reader, base)) "; " \
    digits(ratio(size, mix, reader, "walk")) ")"
}
function heading(text,    s) {
  printf "\n| %s |", text
  for (s = 1; s <= sizes; s++) printf " %d sockets |", size[s]
  printf "\n|---|"
  for (s = 1; s <= sizes; s++) printf "--:|"
  print ""
}
function target(text, limit, got, where,    verdict) {
  verdict = got < 0 ? "not measured" : sprintf("%.2f", got) + 0 <= limit ? "PASS" : "MISS"
  printf "| %s | %s | %s | %s |\n", text, limit, got < 0 ? "-" : digits(got) (where != "" ? " (" where ")" : ""), verdict
}
# worst(A, B, MAX): the highest ratio in any mix, with sizes up to MAX.
function worst(a, b, max, kind,    i, j, got, most) {
  most = -1
  worst_where = ""
  for (i = 1; i <= sizes; i++)
    for (j = 1; j <= mixes; j++) {
      if (size[i] > max || !known(size[i], mix[j], a) || !known(size[i], mix[j], b)) continue
      got = kind == "kib" ? median(kib[size[i], mix[j], a]) / median(kib[size[i], mix[j], b]) : ratio(size[i], mix[j], a, b)
      if (got > most) {
        most = got
        worst_where = mix[j] ", " size[i]
      }
    }
  return most
}
# largest(MIN): the most sockets that were measured, if not fewer than that.
function largest(min,    i, most) {
  most = -1
  for (i = 1; i <= sizes; i++)
    if (size[i] >= min && size[i] > most && known(size[i], "server", "walk")) most = size[i]
  return most
}
BEGIN {
  readers = split("tcpstates unstuck dump same tcpconns ss proc exporter walk walks port_tcpstates port_tcpconns ports_tcpstates ports_tcpconns", reader)
  split("tcpstates|tcpstates, ReportStuck false|tcpstates, Counting \"dump\"|tcpstates, \"dump\", only what tcpconns counts|tcpconns|ss -tan|cat /proc/net/tcp, tcp6|node_exporter, tcpstat|bare walk|two bare walks, one with a filter|" \
    "tcpstates, one LocalPort|tcpconns, one LocalPort|tcpstates, 1000 LocalPort|tcpconns, 1000 LocalPort", label, "|")
  title["server"] = "ESTABLISHED on one port: 95 %"
  title["timewait"] = "TIME_WAIT on one port: 95 %"
  title["closewait"] = "CLOSE_WAIT on one port: 95 %"
  title["spread"] = "ESTABLISHED on 1000 ports: 95 %"
}
{
  if (!($1 in seen)) { seen[$1]; size[++sizes] = $1 + 0 }
  if (!($2 in seen)) { seen[$2]; mix[++mixes] = $2 }
  ns[$1, $2, $3] = ns[$1, $2, $3] " " $4
  if ($5 > 0) kib[$1, $2, $3] = kib[$1, $2, $3] " " $5
}
END {
  print "CPU time per read (as a multiple of tcpconns with the same configuration; of the bare walk)."
  print "Median of " split(ns[size[1], mix[1], "walk"], rounds) " rounds, " machine "."
  for (m = 1; m <= mixes; m++) {
    heading(title[mix[m]])
    for (r = 1; r <= readers; r++) {
      line = ""
      for (s = 1; s <= sizes; s++) line = line " " cell(size[s], mix[m], reader[r]) " |"
      if (line ~ / ms /) print "| " label[r] " |" line
    }
  }
  heading("peak resident memory, KiB")
  for (r = 1; r <= readers; r++) {
    line = ""
    for (s = 1; s <= sizes; s++)
      line = line " " (kib[size[s], mix[1], reader[r]] != "" ? int(median(kib[size[s], mix[1], reader[r]])) : "-") " |"
    if (line ~ /[0-9]/) print "| " label[r] " |" line
  }

  print "\n| target | at most | measured | |\n|---|--:|--:|---|"
  big = largest(1000000)
  target("summary, 1 M sockets: of tcpconns", 0.125, ratio(big, "server", "tcpstates", "tcpconns"))
  target("summary, 1 M sockets: of the bare walk", 1.2, ratio(big, "server", "tcpstates", "walk"))
  target("one LocalPort with 95 %, 500 k sockets or more: of tcpconns", 0.4, ratio(largest(500000), "server", "port_tcpstates", "port_tcpconns"),
    "the two walks that it takes: " digits(ratio(largest(500000), "server", "walks", "port_tcpconns")))
  most = largest(1)
  target("1000 LocalPort: of one", 1.2, ratio(most, "server", "ports_tcpstates", "port_tcpstates"),
    most " sockets; tcpconns: " digits(ratio(most, "server", "ports_tcpconns", "port_tcpconns")))
  got = worst("tcpstates", "tcpconns", 10000)
  target("up to 10 k sockets: of tcpconns", 1, got, worst_where)
  got = worst("same", "tcpconns", 1e9)
  target("Counting \"dump\", what tcpconns counts: of tcpconns", 1, got, worst_where)
  target("ReportStuck, 1 M sockets: of that without", 1.2, ratio(big, "server", "tcpstates", "unstuck"))
  got = worst("tcpstates", "tcpconns", 1e9, "kib")
  target("peak resident memory: of that with tcpconns", 1, got, worst_where)
  target("growth in " growth_reads " reads, KiB", 512, growth == "" ? -1 : growth)
}
