# SPDX-License-Identifier: MIT
# Judges what faulty_host has printed, for tests/e2e/faults.sh: prints a line
# "CALL: WHAT IS WRONG" for each thing that is, and "CALL cases N" for each call.
# The reads are, in this order: "reference", whole; then for each case one or two
# with the fault, "fault1" and "fault2", and then without "clean1", any number of
# "clean", and "clean2". With notify=1 "notifies" is a read that notifies, as each with a fault does;
# with processes_matter=1 what that says of processes is the same, or it says that it is not all.

function wrong(text) {
  printf "%s: %s %s %s%s: %s\n", call, call, position, how, where == "" ? "" : " (" where ")", text
}

# Sockets stay as they are, except for their ages.
function compare(key, value, role,    coarse) {
  if (!(key in reference)) {
    wrong(role ": " key " is new")
  } else if (key ~ /-namespaces_age$/) {
    return
  } else if (key ~ /-(fin_wait1|fin_wait2|close_wait)_oldest$/) {
    # Without memory for the table of ages they are tcp_info's, which a table's unit of 16 ms and
    # the kernel's of up to 10 ms make that much smaller.
    coarse = 0.026
    if (value < reference[key] - coarse) wrong(role ": " key " is " value ", and was " reference[key])
    if (role ~ /^fault/ && (!(key in highest) || value > highest[key])) highest[key] = value
    if (role == "clean1" && (key in highest) && value < highest[key] - coarse)
      wrong(key " was " highest[key] ", and is " value)
  } else if (value != reference[key]) {
    wrong(role ": " key " is " value " instead of " reference[key])
  }
}

# A file that is not there is no failure; nor is an older kernel, and it is
# uname() that tells it.
function may_be_silent() {
  return (call == "open" && how == "ENOENT" && where ~ /^\/proc\/(sys|thread-self)/) || call == "uname"
}

# What a pattern's namespace has said last stays in the sums. Only the kernel's sums need
# sockstat6, and without these every socket is dumped. The limits of the machine are in no
# namespace beside, and not reported for one.
function may_miss_nothing() {
  return where == "/proc/thread-self/net/sockstat6" || message ~ /Its part is missing or old/ ||
    (where ~ /tcp_(max_orphans|mem)$/ && message ~ /namespace beside: /)
}

# What has no content to damage.
function may_be_missed() {
  return how ~ /^(no-done|stale|duplicate|short|half)$/
}

# Of two reads, TCP's dump has failed in one and MPTCP's in the other.
function both_dumps() {
  return message ~ /no counts of MPTCP/ && message ~ /no socket counts/
}

function judge(    key, missing) {
  if (role == "notifies") {
    reference_notifications = notifications
    reference_processes = processes
    return
  }
  if (role == "reference") {
    for (key in value) reference[key] = value[key]
    reference_open = open
    reference_blocks = blocks
    return
  }
  if (role == "fault1") {
    cases[call]++
    missing_any = complaints_all = recoveries_all = 0
    delete highest
    if (injected == 0 && !may_be_missed()) wrong("nothing has failed")
    tried[how]
    delivered[how] += injected
  }
  for (key in value) compare(key, value[key], role)
  for (key in reference) if (!(key in value)) missing++
  complaints_all += complaints
  recoveries_all += recoveries
  if (role ~ /^fault/) {
    missing_any += missing
    if (notify && notifications != reference_notifications)
      wrong(notifications " notifications instead of " reference_notifications)
    if (processes_matter && processes != reference_processes && processes !~ /not all could be read$/)
      wrong("processes are without a word \"" processes "\" instead of \"" reference_processes "\"")
    return
  }
  if (missing) wrong(role ": " missing " values are missing")
  if (complaints) wrong(role ": complains: " message)
  if (open != reference_open) wrong(role ": " open " descriptors are open instead of " reference_open)
  if (threads != 1) wrong(role ": there are " threads " threads")
  if (role == "clean1") {
    if (complaints_all > 1 + both_dumps()) wrong(complaints_all " complaints: " message)
    if (recoveries_all != complaints_all) wrong(complaints_all " complaints and " recoveries_all " times that it is over")
    if (missing_any && !complaints_all && !may_be_silent()) wrong("values are missing without a word")
    if (!missing_any && complaints_all && !may_miss_nothing()) wrong("nothing is missing, and it complains: " message)
    message = ""
  } else if (recoveries) {
    wrong("says twice that it is over")
  }
  if (role == "clean2" && blocks != reference_blocks) wrong(blocks " blocks of memory instead of " reference_blocks)
}

/^tcpstates-/ { value[$1] = $2 }
/^notification WARNING / { notifications++ }
/^(error|warning): |^info: .* is missing\.$/ {
  complaints++
  message = message $0 "; "
}
/^# meta processes / {
  processes = $0
  sub(/^# meta processes /, "", processes)
}
/^info: .* again\.$/ { recoveries++ }
/^contract: / { print }
/ERROR: (Address|Leak)Sanitizer|runtime error: / { print "contract: " $0 }
/^# plan / {
  role = $3
  if (role ~ /^fault/) {
    call = $4
    position = $5
    how = $6
  }
}
/^# injected / {
  injected = $3
  if (role ~ /^fault/) where = $4
}
/^# blocks / { blocks = $3 }
/^# open / {
  open = $3
  threads = $5
}
/^done$/ {
  judge()
  delete value
  complaints = recoveries = notifications = 0
  processes = ""
}
END {
  for (call in cases) print call " cases " cases[call]
  for (how in tried) if (!delivered[how]) print "contract: " how " was never done"
}
