/* The settings' life: defaults and release; config.c fills them. */
#include "settings.h"

#include <stdlib.h>

void settings_init(struct settings *settings) {
  *settings = (struct settings){
      .report = REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 |
                REPORT_ORPHANS | REPORT_FIN_TIMEOUT | REPORT_LIMITS,
  };
}

bool settings_need_sockets(const struct settings *settings) {
  bool groups = settings->all_ports_summary == CHOICE_TRUE ||
                settings->listening_ports == CHOICE_TRUE ||
                settings->groups_num > 0;
  return groups && settings->report &
                       (REPORT_BY_STATE | REPORT_FIN_WAIT2 | REPORT_ORPHANS);
}

void settings_free(struct settings *settings) {
  for (size_t i = 0; i < settings->groups_num; i++) {
    free(settings->groups[i].name);
    filter_free(&settings->groups[i].filter);
  }
  free(settings->groups);
  settings_init(settings);
}
