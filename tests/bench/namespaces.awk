# The report of bench.sh on network namespaces: a table as Markdown.
# Input: lines "READER NS", sorted by both; READER is walk, or shared_N or tables_N: N
# namespaces in the machine's table of sockets, or with tables of their own. Variables:
# sockets, in the machine's table; machine.

function median(reader) {
  return (ns[reader, int((num[reader] + 1) / 2)] + ns[reader, int(num[reader] / 2) + 1]) / 2e6
}
{ ns[$1, ++num[$1]] = $2; if ($1 != "walk" && num[$1] == 1) count[++counts] = $1 }
END {
  walk = median("walk")
  alone = median("shared_0")
  printf "\nCPU time per read with Namespace blocks, 20 sockets in each, beside %d sockets of the machine.\n", sockets
  printf "A bare walk: %.1f ms. Median of %d rounds, %s.\n\n", walk, num["walk"], machine
  print "| namespaces | in all | as a multiple of none | for each | in bare walks |\n|---|--:|--:|--:|--:|"
  for (i = 1; i <= counts; i++) {
    split(count[i], part, "_")
    all = median(count[i])
    each = part[2] > 0 ? (all - alone) / part[2] : 0
    printf "| %d%s | %.1f ms | %.1f | ", part[2], part[1] == "tables" ? ", each with a table of its own" : "", all, all / alone
    print (part[2] > 0 ? sprintf("%.2f ms | %.2f |", each, each / walk) : "- | - |")
  }
}
