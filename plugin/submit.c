/* SPDX-License-Identifier: MIT */
/* Submits values and notifications to collectd; tcpstates.c says which. */
#include "submit.h"

#include "utils/common/common.h"

void submission_start(struct submission *submission, const char *namespace,
                      cdtime_t time) {
  *submission =
      (struct submission){.namespace = namespace, .vl = VALUE_LIST_INIT};
  submission->vl.values_len = 1;
  submission->vl.time = time;
  sstrncpy(submission->vl.plugin, "tcpstates", sizeof(submission->vl.plugin));
}

/* The group's name with "@NAMESPACE". */
static void set_instance(char *buf, size_t size, const char *group,
                         const char *namespace) {
  if (namespace == NULL)
    sstrncpy(buf, group, size);
  else
    snprintf(buf, size, "%s@%s", group, namespace);
}

/* Thousands of groups have a score of values each: a name is copied only when
 * it has changed. The text of a type does not change in its place. */
void submit_value(const struct metric *metric, void *data) {
  struct submission *s = data;
  value_list_t *vl = &s->vl;
  if (s->values == 0 || strcmp(s->group, metric->plugin_instance) != 0) {
    sstrncpy(s->group, metric->plugin_instance, sizeof(s->group));
    set_instance(vl->plugin_instance, sizeof(vl->plugin_instance),
                 metric->plugin_instance, s->namespace);
  }
  if (s->type != metric->type)
    sstrncpy(vl->type, metric->type, sizeof(vl->type));
  s->type = metric->type;
  sstrncpy(vl->type_instance, metric->type_instance, sizeof(vl->type_instance));
  vl->values = &(value_t){.gauge = metric->value};
  plugin_dispatch_values(vl);
  s->values++;
}

void submit_notice(const struct notice *notice, const char *namespace,
                   cdtime_t time) {
  notification_t n = {.time = time};
  _Static_assert(sizeof(n.message) == NOTICE_TEXT_SIZE, "it is cut");
  n.severity = notice->event == ALARM_WARNING ? NOTIF_WARNING : NOTIF_OKAY;
  sstrncpy(n.message, notice->text, sizeof(n.message));
  sstrncpy(n.host, hostname_g, sizeof(n.host));
  sstrncpy(n.plugin, "tcpstates", sizeof(n.plugin));
  set_instance(n.plugin_instance, sizeof(n.plugin_instance), notice->holder,
               namespace);
  sstrncpy(n.type, "current_connections", sizeof(n.type));
  const char *value = notice_value(notice->state);
  sstrncpy(n.type_instance, value, sizeof(n.type_instance));
  for (size_t i = 0; i < notice->meta_num; i++)
    plugin_notification_meta_add_string(&n, notice->meta[i].name,
                                        notice->meta[i].value);
  plugin_dispatch_notification(&n);
  if (n.meta != NULL)
    plugin_notification_meta_free(n.meta);
}
