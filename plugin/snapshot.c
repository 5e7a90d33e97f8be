/* SPDX-License-Identifier: MIT */
/* One read of one namespace: asks for what the settings need, in order. */
#include "snapshot.h"

#include "snapshot_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* Bound-only sockets can be asked for since this release. */
#define CLOSED_MAJOR 6
#define CLOSED_MINOR 8

static bool kernel_is_at_least(unsigned major, unsigned minor) {
  struct utsname kernel;
  return uname(&kernel) == 0 &&
         proc_text_release_at_least(kernel.release, major, minor) == 1;
}

static int note_listener(const struct diag_socket *socket, void *data) {
  port_bitmap_add(data, socket->local_port);
  return 0;
}

static int find_listening_ports(struct snapshot_reader *reader) {
  /* LISTEN alone walks only the short table of listeners. */
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  memset(&reader->listening, 0, sizeof(reader->listening));
  int err =
      diag_dump_run(&reader->dump, &request, note_listener, &reader->listening);
  if (err == 0 && reader->settings->listening_ports == CHOICE_TRUE)
    err = group_index_listen(&reader->index, &reader->listening);
  return err < 0 ? err : 0;
}

/* fresh: the sums were read right before. */
static int count_once(struct snapshot_reader *reader, struct snapshot *s,
                      const struct plan_task *task, struct plan_sums *sums,
                      bool fresh) {
  struct plan *plan = &reader->plan;
  ages_start(&reader->ages, task->info,
             (uint64_t)reader->settings->stuck_after * 1000);
  if (reader->stuck != NULL)
    whose_start(&reader->stuck->whose);
  int changed = plan_make(plan, task, sums);
  if (changed > 0)
    plan_describe(plan, task, s->method, sizeof(s->method));
  int err = changed < 0 ? changed : tally_reset(&reader->tally, &reader->index);
  /* At the last moment: what the dump finds is subtracted from them, and what
   * changes in between is an error of the difference. */
  if (err == 0 && plan_uses_sums(plan) && (changed > 0 || !fresh)) {
    *sums = snapshot_read_sums(reader, s);
    err = plan_sums_known(sums) ? 0 : -ENODATA;
  }
  for (size_t i = 0; i < plan->requests_num && err == 0; i++) {
    err = diag_dump_run(&reader->dump, &plan->requests[i], tally_socket,
                        &reader->tally);
    /* Bytecode for control groups is younger than that for ports. */
    if (err == -EINVAL && plan->requests[i].bytecode != NULL)
      plan->no_bytecode = true;
  }
  if (err != 0)
    return err;
  ages_finish(&reader->ages);
  plan_complete(plan, task, sums, &reader->tally);
  if (reader->ephemeral != NULL)
    ephemeral_finish(reader->ephemeral, reader->index.groups,
                     reader->tally.groups, reader->index.groups_num);
  return 0;
}

/* Keeps that this is not known of the control groups, unless something was not
 * before. */
static void cgroups_failed(struct snapshot *s, const char *what, int err,
                           bool in_part) {
  if (s->cgroups != NULL)
    return;
  s->cgroups = what;
  s->cgroups_error = err;
  s->cgroups_in_part = in_part;
}

/* Returns whether sockets can be told apart by service. */
static bool find_services(struct snapshot_reader *reader, struct snapshot *s,
                          int *err) {
  if (!reader->settings->services || *err != 0)
    return false;
  *err = services_update(&reader->services, reader->cgroups);
  if (*err != -ENODEV)
    return true;
  cgroups_failed(s, "/sys/fs/cgroup, of Services", *err, false);
  *err = 0;
  return false;
}

static void note_filter_ids(struct snapshot *s, const struct filter_ids *ids) {
  if (ids->error != 0)
    cgroups_failed(s, ids->file, ids->error, ids->in_part);
}

static int count_sockets(struct snapshot_reader *reader, struct snapshot *s,
                         uint32_t states) {
  const struct settings *settings = reader->settings;
  s->closed_known = states & 1u << TCP_CLOSE &&
                    kernel_is_at_least(CLOSED_MAJOR, CLOSED_MINOR);
  struct filter_ids *ids = &reader->filter_ids;
  int err = filter_ids_update(ids, reader->cgroups, &reader->index);
  note_filter_ids(s, ids);
  bool services = find_services(reader, s, &err);
  reader->tally.services = services ? &reader->services : NULL;
  s->services = reader->tally.services;
  const struct plan_task task = {
      .services = s->services,
      .index = &reader->index,
      .all = settings->all_ports_summary == CHOICE_TRUE,
      .dump = settings->dump,
      .info = settings_need_ages(settings) && ages_need_info(&reader->ages),
      .all_aged = settings->notify_stuck > 0,
      .destinations = reader->ephemeral != NULL,
      .states = states,
  };
  struct plan_sums sums = snapshot_read_sums(reader, s);
  /* With groups, the preparation takes longer than reading the sums again. */
  bool fresh = group_index_num(&reader->index) == 0;
  /* Where nothing is chosen by what a walk costs, the table does not matter. */
  bool priced = !fresh || task.info;
  int64_t inuse = sums.inuse + sums.inuse6;
  if (priced && inuse > 0 && sums.alloc / 2 > inuse) {
    fresh = false;
    if (snapshot_has_own_table(reader))
      sums.alloc = PROC_UNKNOWN;
  }
  reader->tally.stuck_after = (uint64_t)settings->stuck_after * 1000;
  bool again = err == 0;
  while (again) {
    bool bytecode = !reader->plan.no_bytecode;
    bool had_sums = plan_sums_known(&sums);
    err = 0;
    if (settings->listening_ports == CHOICE_TRUE || reader->stuck != NULL) {
      fresh = false;
      err = find_listening_ports(reader);
    }
    if (err == 0)
      err = count_once(reader, s, &task, &sums, fresh);
    fresh = false;
    /* The kernel may refuse bytecode, and the files may have gone. */
    again = (bytecode && reader->plan.no_bytecode) ||
            (had_sums && !plan_sums_known(&sums));
  }
  if (err == 0 && services)
    services_choose(&reader->services);
  s->ages_lost = reader->ages.lost > 0;
  const struct stuck_read read = {settings, &reader->ages, &reader->dump,
                                  reader->proc};
  if (err == 0 && reader->stuck != NULL) {
    stuck_update(reader->stuck, &read);
    s->stuck = reader->stuck;
  }
  return err;
}

/* After TCP's, over the same netlink socket. */
static void count_mptcp(struct snapshot_reader *reader, struct snapshot *s) {
  struct mptcp *mptcp = reader->mptcp;
  s->mptcp = mptcp;
  s->mptcp_error = mptcp_read(mptcp, &reader->dump, reader->cgroups);
  s->ages_lost = s->ages_lost || mptcp_lost_ages(mptcp);
  note_filter_ids(s, &mptcp->filter_ids);
}

static int open_mptcp(struct snapshot_reader *reader) {
  reader->mptcp = calloc(1, sizeof(*reader->mptcp));
  return reader->mptcp == NULL ? -ENOMEM
                               : mptcp_open(reader->mptcp, reader->settings);
}

static int open_ephemeral(struct snapshot_reader *reader) {
  reader->ephemeral = calloc(1, sizeof(*reader->ephemeral));
  reader->tally.ephemeral = reader->ephemeral;
  return reader->ephemeral == NULL ? -ENOMEM : 0;
}

static int open_stuck(struct snapshot_reader *reader) {
  reader->stuck = calloc(1, sizeof(*reader->stuck));
  if (reader->stuck == NULL)
    return -ENOMEM;
  reader->stuck->whose.tree = reader->cgroups;
  if (reader->settings->host_names && reader->cgroups != NULL)
    reader->stuck->whose.names = reader->cgroups->names;
  reader->stuck->whose.listening = &reader->listening;
  reader->tally.whose = &reader->stuck->whose;
  reader->tally.holders = &reader->stuck->holders;
  return 0;
}

void snapshot_close(struct snapshot_reader *reader) {
  for (size_t i = 0; i < SNAPSHOT_FILES_NUM; i++)
    proc_file_close(&reader->files[i]);
  diag_dump_close(&reader->dump);
  group_index_free(&reader->index);
  tally_free(&reader->tally);
  plan_free(&reader->plan);
  services_free(&reader->services);
  ages_free(&reader->ages);
  if (reader->stuck != NULL)
    stuck_free(reader->stuck);
  free(reader->stuck);
  reader->stuck = NULL;
  filter_ids_free(&reader->filter_ids);
  free(reader->ephemeral);
  reader->ephemeral = NULL;
  if (reader->mptcp != NULL)
    mptcp_close(reader->mptcp);
  free(reader->mptcp);
  reader->mptcp = NULL;
}

int snapshot_open(struct snapshot_reader *reader,
                  const struct settings *settings, const char *proc,
                  struct cgroup_tree *cgroups) {
  memset(reader, 0, sizeof(*reader));
  reader->proc = proc;
  reader->settings = settings;
  reader->plan.threshold = PLAN_THRESHOLD;
  reader->cgroups = cgroups;
  if (settings_need_ages(settings))
    reader->tally.ages = &reader->ages;
  int err = settings->services ? services_init(&reader->services, settings) : 0;
  if (err == 0)
    err = group_index_init(&reader->index, settings->groups,
                           settings->groups_num);
  if (err == 0 && settings->notify_stuck > 0)
    err = open_stuck(reader);
  if (err == 0)
    err = filter_ids_init(&reader->filter_ids, settings->groups,
                          settings->groups_num);
  if (err == 0 && settings_need_ephemeral(settings))
    err = open_ephemeral(reader);
  if (err == 0 && settings_mptcp_states(settings) != 0)
    err = open_mptcp(reader);
  if (err != 0)
    snapshot_close(reader);
  return err;
}

void snapshot_read(struct snapshot_reader *reader, struct snapshot *out) {
  *out = (struct snapshot){
      .index = &reader->index,
      .tally = &reader->tally,
      .sockstat = SNAPSHOT_NO_SOCKSTAT,
      .tcp_fin_timeout = PROC_UNKNOWN,
      .tcp_max_tw_buckets = PROC_UNKNOWN,
      .tcp_max_orphans = PROC_UNKNOWN,
      .tcp_mem = {PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN},
      .unhashed = PROC_UNKNOWN,
      .sums_error = -ENODATA,
  };
  snapshot_read_files(reader, out);
  uint32_t states = settings_states(reader->settings);
  if (reader->settings->report & REPORT_SUMS)
    out->sums_error = netns_sums_read(reader->proc, 0, &out->sums);
  if (states != 0)
    out->sockets_error = count_sockets(reader, out, states);
  else if (settings_need_unhashed(reader->settings))
    snapshot_read_sums(reader, out);
  else if (reader->settings->report & (REPORT_ORPHANS | REPORT_LIMITS))
    snapshot_read_sockstat(reader, out);
  if (reader->summed && reader->settings->report & REPORT_LIMITS)
    snapshot_read_summed_limit(reader, out);
  if (reader->mptcp != NULL)
    count_mptcp(reader, out);
}
