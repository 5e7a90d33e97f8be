# SPDX-License-Identifier: MIT
# The report of bench.sh: tables and targets, as Markdown.
# Input: lines with tabs between their fields:
#   table TABLE UNIT BASES TITLE    UNIT: ms, us, KiB, % or s. BASES: the rows that each is compared with
#   row TABLE ROW BASES LABEL       BASES: its own, where they are others; "-": none
#   sample TABLE ROW COLUMN VALUE   ms and us: in ns; in the order of the rounds
#   text TABLE TEXT                 a paragraph below the table
#   target LIMIT TEXT PAIR...       PAIR: TABLE:ROW:COLUMN, or two of them with a slash between.
#                                   A table is *, for all. The worst of them counts.
# Variable: machine.

function median(values,    list, num, i, j, x) {
  num = split(values, list)
  for (i = 2; i <= num; i++)
    for (j = i; j > 1 && list[j] + 0 < list[j - 1] + 0; j--) {
      x = list[j]; list[j] = list[j - 1]; list[j - 1] = x
    }
  return (list[int((num + 1) / 2)] + list[int(num / 2) + 1]) / 2
}
# Of each round, as others load this machine now more, now less.
function ratio(a, b,    left, right, num, i, ratios) {
  num = split(values[a], left)
  if (split(values[b], right) != num) return divide(median(values[a]), median(values[b]))
  for (i = 1; i <= num; i++) ratios = ratios " " divide(left[i], right[i])
  return median(ratios)
}
function divide(a, b) { return b != 0 ? a / b : a != 0 ? 1e6 : 1 }
function digits(x) { return sprintf(x == 0 ? "%d" : x < 0.1 ? "%.3f" : x < 10 ? "%.2f" : "%.1f", x) }
function shown(x, unit) {
  if (unit == "ms") return sprintf("%.2f ms", x / 1e6)
  if (unit == "us") return sprintf("%.0f us", x / 1e3)
  return unit == "KiB" ? int(x) : digits(x) (unit == "" ? "" : " " unit)
}
function cell(t, r, c,    key, bases, num, i, base, text) {
  key = t SUBSEP r SUBSEP c
  if (!(key in values)) return "-"
  text = shown(median(values[key]), unit[t])
  num = split(own[t, r] == "" ? base_of[t] : own[t, r], bases, " ")
  for (i = 1; i <= num; i++) {
    base = t SUBSEP bases[i] SUBSEP c
    text = text (i == 1 ? " (" : "; ") (base in values ? digits(ratio(key, base)) : "-") (i == num ? ")" : "")
  }
  return text
}
function print_table(t,    r, c, line, i) {
  printf "\n| %s |", title[t]
  for (c = 1; c <= columns[t]; c++) printf " %s |", column[t, c]
  printf "\n|---|"
  for (c = 1; c <= columns[t]; c++) printf "--:|"
  print ""
  for (r = 1; r <= rows[t]; r++) {
    line = ""
    for (c = 1; c <= columns[t]; c++) line = line " " cell(t, row[t, r], column[t, c]) " |"
    if (line ~ /[0-9]/) print "| " label[t, row[t, r]] " |" line
  }
  for (i = 1; i <= texts[t]; i++) print "\n" text_of[t, i]
}
# value_of(PAIR): its median or ratio, or -1 when that was not measured.
function value_of(pair,    ends, num, key, i) {
  num = split(pair, ends, "/")
  for (i = 1; i <= num; i++) {
    key = ends[i]
    gsub(/:/, SUBSEP, key)
    if (!(key in values)) return -1
    ends[i] = key
  }
  return num == 2 ? ratio(ends[1], ends[2]) : median(values[ends[1]])
}
# target(PAIRS): sets got, the worst of them, and where, its table's and column's names.
function worst(pairs,    list, num, i, value, part) {
  got = -1
  num = split(pairs, list, "\t")
  for (i = 1; i <= num; i++) {
    value = value_of(list[i])
    if (value <= got) continue
    got = value
    split(list[i], part, /[:\/]/)
    where = part[3] (num > 1 ? ", " part[1] : "")
  }
}
BEGIN { FS = "\t" }
$1 == "table" { if (!($2 in unit)) table[++tables] = $2; unit[$2] = $3; base_of[$2] = $4; title[$2] = $5 }
$1 == "row" && !(($2, $3) in label) { row[$2, ++rows[$2]] = $3; own[$2, $3] = $4; label[$2, $3] = $5 }
$1 == "text" { text_of[$2, ++texts[$2]] = $3 }
$1 == "sample" {
  if (!(($2, $4) in seen)) { seen[$2, $4]; column[$2, ++columns[$2]] = $4 }
  values[$2, $3, $4] = values[$2, $3, $4] " " $5
}
$1 == "target" { limit[++targets] = $2; says[targets] = $3; sub(/^[^\t]*\t[^\t]*\t[^\t]*\t/, ""); pairs[targets] = $0 }
END {
  for (t = 1; t <= tables; t++) if (title[table[t]] != "" && columns[table[t]] > 0) print_table(table[t])
  if (targets > 0) print "\n| target | at most | measured | |\n|---|--:|--:|---|"
  for (i = 1; i <= targets; i++) {
    worst(pairs[i])
    verdict = got < 0 ? "not measured" : sprintf("%.2f", got) + 0 <= limit[i] ? "PASS" : "MISS"
    printf "| %s | %s | %s | %s |\n", says[i], limit[i], got < 0 ? "-" : digits(got) " (" where ")", verdict
  }
}
