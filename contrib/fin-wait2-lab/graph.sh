# SPDX-License-Identifier: MIT
# Draws what run.sh has done, from collectd's RRD files. run.sh sources it.
# shellcheck shell=bash disable=SC2154

# draw_graph FROM TO: epoch s. The times at the bottom count from FROM, which is
# midnight in a time zone made for that.
draw_graph() {
  local from=$1 zone step at i rrd=localhost/tcpstates-all
  local -a bands=() lines=()
  zone=LAB$((from % 86400 / 3600)):$((from / 60 % 60)):$((from % 60))
  for step in 5 10 15 30 60 120 300; do
    if (($2 - from <= step * 16)); then break; fi
  done
  for i in "${!begins[@]}"; do
    bands+=("CDEF:band$i=held,POP,TIME,${begins[i]},GT,TIME,${ends[i]},LE,*,INF,UNKN,IF" "AREA:band$i#EEEEE4")
    printf -v at '%02d\:%02d' $(((begins[i] - from) / 60)) $(((begins[i] - from) % 60))
    lines+=("VRULE:${begins[i]}#000000::dashes=4,3" "COMMENT:  from $at  ${results[i]//:/\\:}\l")
  done
  (cd -- "$work/rrd" && TZ=$zone rrdtool graph "$work/graph.png" --full-size-mode --width 900 --height 350 \
    --start "$from" --end "$2" --lower-limit 0 --upper-limit $((count * 2 + 2)) --rigid --border 0 \
    --title "FIN_WAIT2: at each dashed line $count sockets are closed, and $count only shut down" \
    --vertical-label sockets --x-grid "SECOND:$((step / 5)):SECOND:$step:SECOND:$step:0:%M:%S" --y-grid 5:1 \
    --font 'DEFAULT:9:DejaVu Sans' --font 'TITLE:12:DejaVu Sans' --disable-rrdtool-tag \
    --color BACK#FFFFFF --color GRID#00000018 --color MGRID#00000030 --color ARROW#00000000 \
    "DEF:held=$rrd/current_connections-fin_wait2_held.rrd:value:MAX" \
    "DEF:orphaned=$rrd/current_connections-fin_wait2_orphaned.rrd:value:MAX" "${bands[@]}" \
    "AREA:held#0072B2: held (only shut down)    " "AREA:orphaned#E69F00: orphaned (closed)\l:STACK" \
    "${lines[@]}") >"$work/graph.log" 2>&1 || die 1 "rrdtool: $(<"$work/graph.log")"
  cp -- "$work/graph.png" "$output"
}
