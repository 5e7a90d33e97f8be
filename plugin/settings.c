/* SPDX-License-Identifier: MIT */
/* The settings' life: defaults and release; config.c fills them. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

void settings_init(struct settings *settings) {
  *settings = (struct settings){
      .report = REPORT_BY_STATE | REPORT_FIN_WAIT2 | REPORT_ORPHANS |
                REPORT_FIN_TIMEOUT | REPORT_LIMITS | REPORT_STUCK |
                REPORT_UNHASHED,
      .stuck_after = 60,
      .services_max = 100,
  };
}

bool settings_need_ages(const struct settings *settings) {
  return settings->report & REPORT_STUCK || settings->notify_stuck > 0;
}

struct group *settings_find_group(const struct settings *settings,
                                  const char *name) {
  size_t num = settings->groups_num + settings->mptcp_num;
  for (size_t i = 0; i < num; i++)
    if (strcmp(settings->groups[i].name, name) == 0)
      return &settings->groups[i];
  return NULL;
}

bool settings_need_unhashed(const struct settings *settings) {
  return !settings->other_namespace &&
         (settings->report & REPORT_UNHASHED || settings->notify_unhashed > 0);
}

bool settings_need_ephemeral(const struct settings *settings) {
  bool need = false;
  for (size_t i = 0; i < settings->groups_num && !need; i++)
    need = settings->report & REPORT_EPHEMERAL_PORTS &&
           filter_has_destinations(&settings->groups[i].filter);
  return need;
}

/* Those of a group's values. */
static uint32_t group_states(const struct settings *settings) {
  uint32_t states = 0;
  if (settings->report & REPORT_BY_STATE)
    states |= (1u << (TCP_CLOSING + 1)) - (1u << TCP_ESTABLISHED);
  if (settings->report & REPORT_FIN_WAIT2)
    states |= 1u << TCP_FIN_WAIT2;
  if (settings->report & REPORT_ORPHANS)
    states |= 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_LAST_ACK |
              1u << TCP_CLOSING;
  if (settings->report & REPORT_STUCK)
    states |= SETTINGS_STATES_AGED;
  if (settings->report & REPORT_ACCEPT_QUEUE)
    states |= 1u << TCP_LISTEN;
  return states;
}

uint32_t settings_states(const struct settings *settings) {
  uint32_t states = settings->notify_stuck > 0 ? SETTINGS_STATES_AGED : 0;
  if (settings->all_ports_summary != CHOICE_TRUE &&
      settings->listening_ports != CHOICE_TRUE && settings->groups_num == 0 &&
      !settings->services)
    return states;
  states |= group_states(settings);
  if (!(settings->report & REPORT_CLOSED))
    states &= ~(1u << TCP_CLOSE);
  if (settings_need_ephemeral(settings))
    states |= SETTINGS_STATES_WITH_PORT;
  return states;
}

uint32_t settings_mptcp_states(const struct settings *settings) {
  return settings->mptcp_num > 0 ? group_states(settings) : 0;
}

bool settings_need_cgroups(const struct settings *settings) {
  bool need = settings->notify_stuck > 0 || settings->services;
  size_t num = settings->groups_num + settings->mptcp_num;
  for (size_t i = 0; i < num && !need; i++)
    need = settings->groups[i].filter.cgroups.num > 0;
  for (size_t i = 0; i < settings->namespaces_num && !need; i++)
    need = settings_need_cgroups(&settings->namespaces[i].settings);
  return need;
}

bool settings_need_host_names(const struct settings *settings) {
  bool need = settings->host_names &&
              (settings->notify_stuck > 0 || settings->services);
  for (size_t i = 0; i < settings->namespaces_num && !need; i++)
    need = settings_need_host_names(&settings->namespaces[i].settings);
  return need;
}

void settings_free(struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num + settings->mptcp_num; i++) {
    free(settings->groups[i].name);
    filter_free(&settings->groups[i].filter);
  }
  free(settings->groups);
  for (size_t i = 0; i < settings->namespaces_num; i++) {
    free(settings->namespaces[i].name);
    for (size_t k = 0; k < settings->namespaces[i].paths_num; k++)
      free(settings->namespaces[i].paths[k]);
    free(settings->namespaces[i].paths);
    settings_free(&settings->namespaces[i].settings);
  }
  free(settings->namespaces);
  settings_init(settings);
}
