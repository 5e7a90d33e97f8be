/* SPDX-License-Identifier: MIT */
/* Joins a read's holders with their alarms, and finds out more about those that
 * a notification is due for. */
#include "stuck.h"

#include "cgroup_walk.h"
#include "clock.h"
#include "hostname.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t states[] = {TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_CLOSE_WAIT};
#define STATES_NUM (sizeof(states) / sizeof(*states))

/* What there is to say. */
struct due {
  struct alarm *alarm;
  enum alarm_event event;
  uint32_t num;
  struct evidence evidence; /* for ALARM_WARNING */
};

/* One read's. */
struct work {
  struct stuck *stuck;
  const struct stuck_read *read;
  uint32_t limit;
  size_t alarms; /* there are from the reads before */
  struct due *due;
  size_t due_num;
  struct process_sockets sockets;
};

/* Takes the number of one holder, or of all; name and path are the holder's. */
static void update(struct work *work, const struct holder *holder,
                   const char *name, const char *path, bool wanted) {
  struct stuck *stuck = work->stuck;
  struct alarm *alarm =
      alarms_find(&stuck->alarms, name, holder->state, wanted);
  if (alarm == NULL)
    return;
  const struct settings *settings = work->read->settings;
  bool everyone = strcmp(name, "all") == 0;
  uint32_t missed = everyone ? 0 : stuck->holders.missed;
  enum alarm_event event =
      alarm_update(alarm, holder->num, holder->num + missed, work->limit);
  if (event == ALARM_NONE || work->due == NULL ||
      work->due_num == STUCK_NOTICES ||
      (event == ALARM_WARNING && settings->notify_processes &&
       clock_ms() < stuck->search_from))
    return;
  struct due *due = &work->due[work->due_num++];
  due->alarm = alarm;
  due->event = event;
  due->num = holder->num;
  due->evidence.everyone = everyone;
  due->evidence.holder = *holder;
  due->evidence.at_least = missed > 0;
  due->evidence.after = settings->stuck_after;
  due->evidence.with_peers = settings->notify_peers;
  snprintf(due->evidence.name, sizeof(due->evidence.name), "%s", name);
  snprintf(due->evidence.cgroup, sizeof(due->evidence.cgroup), "%s", path);
  service_name(due->evidence.service, path);
}

static void update_holders(struct work *work) {
  struct stuck *stuck = work->stuck;
  const struct holders *holders = &stuck->holders;
  bool speaking[TCP_CLOSE_WAIT + 1] = {false};
  for (size_t i = 0; i < holders->num; i++) {
    const struct holder *holder = &holders->holder[i];
    char name[SERVICE_NAME_SIZE], path[CGROUP_PATH_SIZE];
    bool wanted = holder->num >= work->limit;
    speaking[holder->state] = speaking[holder->state] || wanted;
    if ((wanted || work->alarms > 0) &&
        whose_name(&stuck->whose, holder, name, path) == 0)
      update(work, holder, name, path, wanted);
  }
  /* All together, where none has enough. */
  for (size_t i = 0; i < STATES_NUM; i++) {
    struct holder all = holders->total[states[i]];
    all.state = states[i];
    update(work, &all, "all", "",
           all.num >= work->limit && !speaking[all.state]);
  }
  /* Those that have nothing or little any more. */
  for (size_t i = 0; i < ALARMS_NUM; i++) {
    const struct alarm *alarm = &stuck->alarms.alarm[i];
    const struct holder none = {.state = alarm->state};
    if (alarm->holder[0] != '\0' && !alarm->met)
      update(work, &none, alarm->holder, "", false);
  }
}

static int gather_socket(const struct diag_socket *socket, void *data) {
  struct work *work = data;
  if (!ages_has(socket) ||
      ages_find(work->read->ages, socket) <=
          (uint64_t)work->read->settings->stuck_after * 1000)
    return 0;
  struct whose *whose = &work->stuck->whose;
  struct holder holder = whose_holder(whose, socket);
  for (size_t i = 0; i < work->due_num; i++) {
    struct evidence *evidence = &work->due[i].evidence;
    if (work->due[i].event != ALARM_WARNING ||
        !(holder_is_same(&holder, &evidence->holder) ||
          (evidence->everyone && holder.state == evidence->holder.state)))
      continue;
    evidence_add(evidence, socket, whose_is_local(whose, socket));
    process_sockets_add(&work->sockets, socket->inode, (unsigned)i, false);
  }
  return 0;
}

static int gather_listener(const struct diag_socket *socket, void *data) {
  struct work *work = data;
  for (size_t i = 0; i < work->due_num; i++)
    if (evidence_has_listener(&work->due[i].evidence, socket))
      process_sockets_add(&work->sockets, socket->inode, (unsigned)i, true);
  return 0;
}

static void find_processes(struct work *work) {
  struct processes found[STUCK_NOTICES];
  struct stuck *stuck = work->stuck;
  int64_t begun = clock_cpu_ns();
  stuck->search =
      process_find(work->read->proc, &work->sockets, found, work->due_num);
  stuck->search_from =
      clock_ms() + (clock_cpu_ns() - begun) / 1000000 * STUCK_SEARCH_PAUSE;
  stuck->no_processes = stuck->search.error != 0 || stuck->search.refused > 0 ||
                        stuck->search.found == 0;
  for (size_t i = 0; i < work->due_num; i++) {
    struct evidence *evidence = &work->due[i].evidence;
    evidence->processes = found[i];
    evidence->searched = true;
    evidence->complete = stuck->search.complete && !stuck->no_processes;
  }
}

/* Asks the containers among those that a WARNING is due for. */
static void find_host_names(struct work *work) {
  struct hostname_ask asks[STUCK_NOTICES];
  struct evidence *asked[STUCK_NOTICES];
  const char *mount = cgroup_mount();
  size_t num = 0;
  for (size_t i = 0; i < work->due_num && mount != NULL; i++) {
    struct evidence *evidence = &work->due[i].evidence;
    size_t len = service_container(evidence->cgroup);
    if (work->due[i].event != ALARM_WARNING || len == 0)
      continue;
    snprintf(asks[num].path, sizeof(asks[num].path), "%.*s", (int)len,
             evidence->cgroup);
    asked[num++] = evidence;
  }
  if (num == 0 || hostname_ask(mount, work->read->proc, asks, num) != 0)
    return;
  for (size_t i = 0; i < num; i++)
    memcpy(asked[i]->host_name, asks[i].name, sizeof(asks[i].name));
}

/* Dumps the sockets once more, for the WARNINGs. */
static void gather(struct work *work) {
  struct diag_request request = {.info = true};
  for (size_t i = 0; i < work->due_num; i++)
    if (work->due[i].event == ALARM_WARNING)
      request.states |= 1u << work->due[i].evidence.holder.state;
  if (request.states == 0)
    return;
  bool processes = work->read->settings->notify_processes;
  if (processes && process_sockets_init(&work->sockets) != 0) {
    work->stuck->search = (struct process_search){.error = -ENOMEM};
    work->stuck->no_processes = true;
    processes = false;
  }
  for (size_t i = 0; i < work->due_num && processes; i++)
    if (work->due[i].event == ALARM_WARNING &&
        work->due[i].evidence.cgroup[0] != '\0')
      memcpy(work->sockets.services[i], work->due[i].evidence.service,
             SERVICE_NAME_SIZE);
  int err = diag_dump_run(work->read->dump, &request, gather_socket, work);
  const struct diag_request listeners = {.states = 1u << TCP_LISTEN};
  if (err == 0 && processes)
    err = diag_dump_run(work->read->dump, &listeners, gather_listener, work);
  if (err == 0 && processes && work->sockets.num > 0)
    find_processes(work);
  /* No part of a dump is reported. */
  for (size_t i = 0; i < work->due_num && err != 0; i++)
    work->due[i].evidence.ports.num = work->due[i].evidence.peers.num = 0;
  process_sockets_free(&work->sockets);
  find_host_names(work);
  work->stuck->no_cgroups = work->stuck->whose.unknown > 0;
}

void stuck_update(struct stuck *stuck, const struct stuck_read *read) {
  struct work work = {
      .stuck = stuck, .read = read, .limit = read->settings->notify_stuck};
  if (stuck->notices_num > 0)
    return;
  stuck->no_cgroups = stuck->no_processes = false;
  /* Without memory for it, it is said after the next read. */
  bool enough = false;
  for (size_t i = 0; i < STATES_NUM; i++)
    enough = enough || stuck->holders.total[states[i]].num >= work.limit;
  for (size_t i = 0; i < ALARMS_NUM; i++)
    work.alarms += stuck->alarms.alarm[i].holder[0] != '\0';
  if (!enough && work.alarms == 0)
    return;
  work.due = calloc(STUCK_NOTICES, sizeof(*work.due));
  update_holders(&work);
  if (work.due_num > 0) {
    stuck->notices = calloc(work.due_num, sizeof(*stuck->notices));
    gather(&work);
  }
  for (size_t i = 0; i < work.due_num && stuck->notices != NULL; i++) {
    struct due *due = &work.due[i];
    struct notice *notice = &stuck->notices[stuck->notices_num++];
    ranking_sort(&due->evidence.ports);
    ranking_sort(&due->evidence.peers);
    if (due->event == ALARM_WARNING)
      notice_warning(notice, &due->evidence);
    else
      notice_okay(notice, due->alarm, due->num, work.limit);
    alarm_said(due->alarm, due->event, due->num);
  }
  alarms_tidy(&stuck->alarms);
  free(work.due);
}

void stuck_free(struct stuck *stuck) {
  free(stuck->notices);
  stuck->notices = NULL;
  stuck->notices_num = 0;
}
