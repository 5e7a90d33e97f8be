#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the plugin, runs it in a private collectd and shows its values as a table: a first
# look. Packages and the build stay; it says how to undo them.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'END'
Usage: quickstart.sh [--once] [--interval SECONDS] [--config FILE]

Installs what is missing, builds the plugin, starts a private collectd with it and
shows a table of this machine's TCP sockets by state, until Ctrl-C.

Options:
  --once               print one table and end
  --interval SECONDS   read this often [2, or what FILE says]
  --config FILE        use FILE's <Plugin tcpstates> blocks, and its Interval; any other
                       line of it is left out, so a whole collectd.conf will do
  --help               print this

On a terminal the table is redrawn in place; otherwise each interval adds one, without
control codes, as wide as $COLUMNS says [80]. Tables go to the standard output, progress
and errors to the standard error output.

Touches:
  packages             install-deps.sh installs those that are missing (as root or by sudo),
                       and prints the command that undoes it
  the source tree      configure and its like, where missing; build-quickstart/ holds the
                       build, so that the next start is quick. A tree that cannot be
                       written or built in is copied and built in the temporary directory.
  $TMPDIR [/tmp]       a directory for everything else, removed at the end
No configuration, service or data of an installed collectd is touched or read.

Exit codes: 0 --once has printed its table, 1 something failed (it says what), 2 wrong
usage, 3 this system's packages are not known to install-deps.sh, 129 SIGHUP, 130 Ctrl-C,
141 the reader of the output went away, 143 SIGTERM.
END
}

program=quickstart
. "$(dirname -- "${BASH_SOURCE[0]}")/private-collectd.sh"

redraw=false   # a terminal shows one table, again and again

clean_up() {
  trap '' INT TERM HUP PIPE
  # Erases the terminal's ^C and shows the cursor.
  if $redraw; then printf '\r\e[K\e[?25h' 2>/dev/null || true; fi
  remove_work
}

# select_blocks FILE REPORT: prints FILE with all lines empty except those of its tcpstates blocks, so that line numbers stay
# correct; REPORT gets the rest: "interval N", "blocks N",
# "other LINE TEXT".
select_blocks() {
  awk -v report="$2" '
    function name(text) {
      sub(/^[^ \t]*[ \t]+/, "", text)
      sub(/[ \t]*>.*/, "", text)
      gsub(/"/, "", text)
      return text
    }
    {
      sub(/\r$/, "")
      line = $0
      sub(/^[ \t]+/, "", line)
      word = tolower(line)
      sub(/[ \t>].*/, "", word)
      opens = line ~ /^<[^\/]/
      closes = line ~ /^<\//
      if (depth == 0 && opens) {
        ours = word == "<plugin" && name(line) == "tcpstates"
        load = word == "<loadplugin" && name(line) == "tcpstates"
        blocks += ours
        if (!ours && !load && !first) first = NR " " line
      } else if ((depth == 0 || load) && word == "interval") {
        interval = line
        sub(/^[^ \t]*[ \t]+/, "", interval)
        sub(/[ \t]*(#.*)?$/, "", interval)
        gsub(/"/, "", interval)
      } else if (depth == 0 && line != "" && line !~ /^#/ && !first &&
                 !(word == "loadplugin" && line ~ /[ \t]"?tcpstates"?[ \t]*(#.*)?$/)) {
        first = NR " " line
      }
      print ours ? $0 : ""
      if (opens) depth++
      if (closes && depth > 0 && --depth == 0) ours = load = 0
    }
    END {
      print "blocks " blocks + 0 >report
      if (interval != "") print "interval " interval >report
      if (first) print "other " first >report
    }' <"$1"
}

is_interval() {
  [[ $1 =~ ^[0-9]{1,6}(\.[0-9]{1,3})?$ && ! $1 =~ ^[0.]+$ ]]
}

# write_configuration FILE: FILE is the user's, or empty.
write_configuration() {
  local key rest
  : >"$work/blocks.conf"
  if [[ -n $1 ]]; then
    select_blocks "$1" "$work/blocks.report" >"$work/blocks.conf"
    while read -r key rest; do
      case $key in
        blocks)
          if ((rest == 0)); then
            die 1 "$1: has no <Plugin tcpstates> block; it may hold one or more of them, and an Interval"
          fi
          ;;
        interval)
          if [[ -z $interval ]]; then
            is_interval "$rest" || die 1 "$1: Interval $rest: not a number of seconds"
            interval=$rest
          fi
          ;;
        other) say "note: of $1 only <Plugin tcpstates> blocks and Interval count; left out: line ${rest%% *}" \
          "(${rest#* }) and others like it" ;;
      esac
    done <"$work/blocks.report"
  fi
  interval=${interval:-2}

  {
    print_configuration "$interval" "$work"
    cat <<'END'
LoadPlugin tcpstates
Include "blocks.conf"
END
  } >"$work/collectd.conf"
  configuration_lines=$(wc -l <"$work/collectd.conf")
}

declare -A group_number=() # name of a group: its index in groups
declare -A values=()       # "INDEX TYPE-INSTANCE" or "NAME TYPE-INSTANCE": value
namespaces=()              # plugin_instances that have settings: "all", "all@NAME"
groups=()
num_values=0
stamp=

forget_values() {
  group_number=() values=() namespaces=() groups=()
  num_values=0
  stamp=
}

# take_value INSTANCE TYPE-INSTANCE VALUE
take_value() {
  num_values=$((num_values + 1))
  if [[ $3 == *nan* ]]; then return 0; fi
  # What exists only once has no column: the machine, and a namespace's settings.
  case $2 in
    duration-tcp_fin_timeout | duration-fin_wait2_lifetime | gauge-* | *-timewait_buckets)
      values["$1 $2"]=$3
      if [[ $1 != machine && " ${namespaces[*]} " != *" $1 "* ]]; then namespaces+=("$1"); fi
      return 0
      ;;
  esac
  if [[ $1 == machine ]]; then
    values["$1 $2"]=$3
    return 0
  fi
  local index=${group_number["$1"]-}
  if [[ -z $index ]]; then
    index=${#groups[@]}
    group_number["$1"]=$index
    groups+=("${1//[^[:print:]]/?}")
  fi
  values["$index $2"]=$3
}

# What a group can have: name; row's label; its heading as a column; unit.
readonly columns=(
  'tcp_connections-ESTABLISHED;ESTABLISHED;ESTAB- LISHED'
  'tcp_connections-SYN_SENT;SYN_SENT;SYN_ SENT'
  'tcp_connections-SYN_RECV;SYN_RECV;SYN_ RECV'
  'tcp_connections-FIN_WAIT1;FIN_WAIT1;FIN_ WAIT1'
  'tcp_connections-FIN_WAIT2;FIN_WAIT2;FIN_ WAIT2'
  'current_connections-fin_wait2_held;  held;FW2 held'
  'current_connections-fin_wait2_orphaned;  orphaned;FW2 orph.'
  'current_connections-fin_wait2_stuck;  stuck;FW2 stuck'
  'duration-fin_wait2_oldest;  oldest, s;FW2 age,s'
  'tcp_connections-TIME_WAIT;TIME_WAIT;TIME_ WAIT'
  'tcp_connections-CLOSED;CLOSED;- CLOSED'
  'tcp_connections-CLOSE_WAIT;CLOSE_WAIT;CLOSE_ WAIT'
  'current_connections-close_wait_stuck;  stuck;CW stuck'
  'duration-close_wait_oldest;  oldest, s;CW age,s'
  'tcp_connections-LAST_ACK;LAST_ACK;LAST_ ACK'
  'tcp_connections-LISTEN;LISTEN;- LISTEN'
  'tcp_connections-CLOSING;CLOSING;- CLOSING'
  'current_connections-orphaned;orphans;- orphans'
  'queue_length-accept_queue;accept queue;accept queue'
  'queue_length-accept_queue_limit;  limit;accept limit'
  'percent-accept_queue;  fullest, %;accept %'
)

lines=()  # of the table
width=80
height=0  # of the terminal; 0: no limit
alarm=    # collectd's last warning or error

# Sets text to VALUE with at most one digit after the point.
format_value() {
  printf -v text '%.1f' "$1"
  text=${text%.0}
}

# limit_line LABEL INSTANCE COUNT LIMIT PERCENT [UNIT]: "LABEL  COUNT of LIMIT UNIT (PERCENT %)" in text.
limit_line() {
  local count=${values["$2 $3"]-} limit=${values["$2 $4"]-} percent=${values["$2 $5"]-} line
  text=
  if [[ -z $count ]]; then return 0; fi
  format_value "$count"
  printf -v line '%-16s %s' "$1" "$text"
  if [[ -n $limit ]]; then
    format_value "$limit"
    line+=" of $text"
  fi
  line+=${6+ $6}
  if [[ -n $percent ]]; then
    printf -v text '%.1f' "$percent"
    line+=" ($text %)"
  fi
  text=$line
}

add_limits() {
  local instance at line
  limit_line 'orphans' machine current_connections-orphaned gauge-tcp_max_orphans percent-orphans
  if [[ -n $text ]]; then lines+=("$text, whole machine"); fi
  limit_line 'TCP memory' machine gauge-tcp_mem_used gauge-tcp_mem_high percent-tcp_mem pages
  if [[ -n $text ]]; then
    line=$text
    if [[ -n ${values["machine gauge-tcp_mem_pressure"]-} ]]; then
      format_value "${values["machine gauge-tcp_mem_pressure"]}"
      line+=", pressure from $text"
    fi
    lines+=("$line")
  fi
  if [[ -n ${values["machine current_connections-allocated"]-} ]]; then
    format_value "${values["machine current_connections-allocated"]}"
    printf -v line '%-16s %s, whole machine' 'TCP sockets' "$text"
    lines+=("$line")
  fi
  for instance in "${namespaces[@]}"; do
    at=
    if [[ $instance == *@* ]]; then at=" @${instance#*@}"; fi
    limit_line "time-wait$at" "$instance" current_connections-timewait_buckets gauge-tcp_max_tw_buckets percent-timewait_buckets
    if [[ -n $text ]]; then lines+=("$text"); fi
    if [[ -n ${values["$instance duration-tcp_fin_timeout"]-} ]]; then
      format_value "${values["$instance duration-tcp_fin_timeout"]}"
      printf -v line '%-16s %s s' "tcp_fin_timeout$at" "$text"
      if [[ -n ${values["$instance duration-fin_wait2_lifetime"]-} ]]; then
        format_value "${values["$instance duration-fin_wait2_lifetime"]}"
        line+="; an orphaned FIN_WAIT2 lives $text s"
      fi
      lines+=("$line")
    fi
  done
}

# Chooses what to show in shown: indices of columns. With "used", only those
# that are not 0 in every group; the labels of the others go to unused.
choose_columns() {
  local i g key value some used
  shown=() unused=
  for ((i = 0; i < ${#columns[@]}; i++)); do
    key=${columns[i]%%;*}
    some=false used=false
    for ((g = 0; g < ${#groups[@]}; g++)); do
      value=${values["$g $key"]-}
      if [[ -n $value ]]; then some=true; fi
      if [[ $value == *[1-9]* ]]; then
        used=true
        break
      fi
    done
    if ! $some; then continue; fi
    if $used || [[ ${1-} != used ]]; then
      shown+=("$i")
    elif [[ $key == tcp_connections-* ]]; then
      unused+=" ${key#*-}"
    fi
  done
}

# Groups as columns. Fails when that is too wide, or too high for a terminal.
add_by_state() {
  local -a widths=() table=()
  local g i key label value line rest total=13
  for ((g = 0; g < ${#groups[@]}; g++)); do
    widths[g]=$((${#groups[g]} > 7 ? ${#groups[g]} : 7))
    total=$((total + widths[g] + 2))
  done
  if ((total > width)); then return 1; fi
  if ((height > 0 && ${#lines[@]} + ${#shown[@]} + 1 + (${#unused} > 0) > height - 1)); then return 1; fi

  printf -v line '%-13s' ''
  for ((g = 0; g < ${#groups[@]}; g++)); do
    printf -v value '  %*s' "${widths[g]}" "${groups[g]}"
    line+=$value
  done
  table+=("$line")
  for i in "${shown[@]}"; do
    IFS=';' read -r key label rest <<<"${columns[i]}"
    # The blanks before a label are lost in read.
    label=${columns[i]#*;}
    label=${label%%;*}
    printf -v line '%-13s' "$label"
    for ((g = 0; g < ${#groups[@]}; g++)); do
      text=-
      value=${values["$g $key"]-}
      if [[ -n $value ]]; then format_value "$value"; fi
      printf -v value '  %*s' "${widths[g]}" "$text"
      line+=$value
    done
    table+=("$line")
  done
  lines+=("${table[@]}")
}

# Groups as rows, the states side by side, in as many parts as the width needs.
# With "whole", fails when one part is not enough.
add_by_group() {
  local -a widths=() texts=()
  local g i key heading above below line value first=0 last total label_width=5 all_width
  for ((g = 0; g < ${#groups[@]}; g++)); do
    if ((${#groups[g]} > label_width)); then label_width=${#groups[g]}; fi
  done
  if ((label_width > 24)); then label_width=24; fi
  all_width=$label_width
  for i in "${shown[@]}"; do
    key=${columns[i]%%;*}
    heading=${columns[i]##*;}
    above=${heading% *} below=${heading##* }
    widths[i]=$((${#above} > ${#below} ? ${#above} : ${#below}))
    for ((g = 0; g < ${#groups[@]}; g++)); do
      text=-
      value=${values["$g $key"]-}
      if [[ -n $value ]]; then format_value "$value"; fi
      texts[i * ${#groups[@]} + g]=$text
      if ((${#text} > widths[i])); then widths[i]=${#text}; fi
    done
    all_width=$((all_width + widths[i] + 1))
  done
  if [[ ${1-} == whole ]] && ((all_width > width)); then return 1; fi

  while ((first < ${#shown[@]})); do
    total=$label_width
    for ((last = first; last < ${#shown[@]}; last++)); do
      i=${shown[last]}
      total=$((total + widths[i] + 1))
      if ((total > width && last > first)); then break; fi
    done
    if ((first > 0)); then lines+=(''); fi
    for heading in above below; do
      printf -v line '%-*s' "$label_width" ''
      for i in "${shown[@]:first:last-first}"; do
        text=${columns[i]##*;}
        if [[ $heading == above ]]; then text=${text% *} text=${text#-}; else text=${text##* }; fi
        printf -v value ' %*s' "${widths[i]}" "$text"
        line+=$value
      done
      if [[ $line == *[!\ ]* ]]; then lines+=("$line"); fi
    done
    for ((g = 0; g < ${#groups[@]}; g++)); do
      text=${groups[g]}
      if ((${#text} > label_width)); then text=${text:0:label_width-1}~; fi
      printf -v line '%-*s' "$label_width" "$text"
      for i in "${shown[@]:first:last-first}"; do
        printf -v value ' %*s' "${widths[i]}" "${texts[i * ${#groups[@]} + g]}"
        line+=$value
      done
      lines+=("$line")
    done
    first=$last
  done
}

# The states that have no column, in lines of the terminal's width.
add_unused() {
  local name line='none in:'
  for name in $unused; do
    if ((${#line} + ${#name} + 1 > width)); then
      lines+=("$line")
      line='        '
    fi
    line+=" $name"
  done
  lines+=("$line")
}

# The most readable layout that fits.
add_groups() {
  local -a shown
  local unused
  choose_columns
  if ((${#shown[@]} == 0)); then return 0; fi
  lines+=('')
  if add_by_state || add_by_group whole; then return 0; fi
  choose_columns used
  if [[ -n $unused ]]; then add_unused; fi
  if ((${#shown[@]} == 0)); then
    lines+=("${#groups[@]} groups: ${groups[*]}")
  elif ! add_by_state; then
    add_by_group
  fi
}

measure_terminal() {
  local size
  size=$(stty size <&"$screen" 2>/dev/null) || size=
  height=${size% *} width=${size#* }
  if [[ ! $height =~ ^[1-9] ]]; then height=24; fi
  if [[ ! $width =~ ^[1-9] ]]; then width=80; fi
}

show_table() {
  local text when line out
  if $redraw; then measure_terminal; fi
  printf -v when '%(%F %T)T' "${stamp%.*}"
  lines=("tcpstates  ${HOSTNAME:-}  $when  every $interval s")
  if [[ -n $alarm ]]; then lines+=("$alarm"); fi
  lines+=('')
  add_limits
  add_groups
  if ! $redraw; then
    printf -v out '%s\n' "${lines[@]}" ''
    print_out "$out"
    return 0
  fi
  if ((${#lines[@]} > height - 1)); then
    local hidden=$((${#lines[@]} - height + 2))
    lines=("${lines[@]:0:height-2}" "... $hidden more lines: a larger terminal shows them")
  fi
  out=$'\e[H'
  for line in "${lines[@]}"; do out+="${line:0:width}"$'\e[K\n'; done
  print_out "$out"$'\e[J'
}

# One write, and no message of bash's when nobody reads any more.
print_out() {
  printf '%s' "$1" 2>/dev/null || exit 141
}

messages=() # what collectd said, latest last
configuration_lines=0

take_message() {
  # collectd has read a copy of the user's file, and goes on counting where
  # the lines of the file before it ended.
  local message=${1//blocks.conf/${config:-blocks.conf}}
  local parse_error="^(Parse error in file .*', line )([0-9]+)( .*)"
  if [[ $message =~ $parse_error ]] && ((BASH_REMATCH[2] > configuration_lines)); then
    message=${BASH_REMATCH[1]}$((BASH_REMATCH[2] - configuration_lines))${BASH_REMATCH[3]}
  fi
  messages+=("$message")
  if ((${#messages[@]} > 50)); then messages=("${messages[@]: -50}"); fi
  case $message in
    '[error] '* | '[warning] '*) alarm=${message#*] } ;;
    *' again.') alarm= ;;
  esac
}

collectd_ended() {
  local code=0
  { wait "$collectd_pid" || code=$?; } 2>/dev/null
  collectd_pid=
  local -a told=()
  local message
  for message in "${messages[@]}"; do
    if [[ $message != *'successfully loaded.' && $message != '[info] '* ]]; then told+=("  $message"); fi
  done
  if ((${#told[@]} > 0)); then
    say "collectd ended (exit code $code) and said:"
    printf '%s\n' "${told[@]}" >&2
  else
    say "collectd ended (exit code $code) without an error message"
  fi
  exit 1
}

# All values of one read have one time: a table is complete when another time
# comes, which is what --once waits for. Else nothing for a moment is enough;
# where that moment was too short, the table is shown again, whole.
follow() {
  local line code shown=0 had_any=false
  local value_line='^PUTVAL "?localhost/tcpstates-(.*)/([^/"]*)"? interval=[0-9.]+ ([0-9.]+):(.*)$'
  local begun=$SECONDS patience=$((${interval%.*} * 2 + 10))
  while true; do
    code=0
    IFS= read -r -t 0.5 -u 3 line || code=$?
    if ((code == 0)); then
      if [[ ! $line =~ $value_line ]]; then
        take_message "$line"
        continue
      fi
      local instance=${BASH_REMATCH[1]} type=${BASH_REMATCH[2]} time=${BASH_REMATCH[3]} value=${BASH_REMATCH[4]}
      if [[ -n $stamp && $time != "$stamp" ]]; then
        if ((num_values > shown)); then
          show_table
          if $once; then return 0; fi
        fi
        forget_values
        shown=0
      fi
      stamp=$time
      had_any=true
      take_value "$instance" "$type" "$value"
    elif ((code > 128)); then
      if ((num_values > shown)) && ! $once; then
        show_table
        shown=$num_values
      elif ! $had_any && ((SECONDS - begun > patience)); then
        if ((${#messages[@]} > 0)); then printf '  %s\n' "${messages[@]}" >&2; fi
        die 1 "collectd has read nothing for $patience s; its messages are above. Is everything switched off in the configuration?"
      fi
    else
      collectd_ended
    fi
  done
}

once=false
interval=
config=
while (($# > 0)); do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --once) once=true ;;
    --interval | --config)
      if (($# < 2)); then die 2 "$1: needs a value; --help says more"; fi
      if [[ $1 == --config ]]; then config=$2; else interval=$2; fi
      shift
      ;;
    --interval=*) interval=${1#*=} ;;
    --config=*) config=${1#*=} ;;
    *) die 2 "$1: not an option; write --once, --interval SECONDS, --config FILE or --help" ;;
  esac
  shift
done
if [[ -n $interval ]] && ! is_interval "$interval"; then
  die 2 "--interval $interval: not a number of seconds; write for example 2 or 0.5"
fi
if [[ -n $config && ! (-f $config && -r $config) ]]; then die 2 "--config $config: cannot be read"; fi

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

make_work
"$top/contrib/install-deps.sh" build run
write_configuration "$config"
build_plugin
copy_plugins csv logfile
say "starting a private collectd"
start_collectd
if ! $once && [[ -t 1 && -n ${TERM-} && $TERM != dumb ]]; then
  redraw=true
  exec {screen}>&1
  print_out $'\e[?25l\e[2J\e[H'
fi
follow
