/* The plugin's side towards collectd, and the only file that calls it. */
#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"
#include "utils_complain.h"

#include "config.h"
#include "metrics.h"

static struct settings settings;
static struct snapshot_reader reader;

static int tcpstates_config(oconfig_item_t *block) {
  struct config_error error;
  int err = config_block(&settings, block, &error);
  if (err != 0)
    P_ERROR("%s", error.text);
  return err;
}

static int tcpstates_init(void) {
  config_finish(&settings);
  int err = snapshot_open(&reader, &settings, "/proc");
  if (err != 0)
    P_ERROR("out of memory");
  return err;
}

static void dispatch(const struct metric *metric, void *time) {
  value_list_t vl = VALUE_LIST_INIT;
  vl.values = &(value_t){.gauge = metric->value};
  vl.values_len = 1;
  vl.time = *(const cdtime_t *)time;
  sstrncpy(vl.plugin, "tcpstates", sizeof(vl.plugin));
  sstrncpy(vl.plugin_instance, metric->plugin_instance,
           sizeof(vl.plugin_instance));
  sstrncpy(vl.type, metric->type, sizeof(vl.type));
  sstrncpy(vl.type_instance, metric->type_instance, sizeof(vl.type_instance));
  plugin_dispatch_values(&vl);
}

static void complain(const struct snapshot *snapshot) {
  static c_complain_t sockets = C_COMPLAIN_INIT_STATIC;
  if (snapshot->sockets_error != 0)
    c_complain(LOG_ERR, &sockets,
               "tcpstates plugin: no socket counts: %s. Other values go on.",
               diag_dump_strerror(snapshot->sockets_error));
  else
    c_release(LOG_INFO, &sockets,
              "tcpstates plugin: the sockets are counted again.");

  static c_complain_t files = C_COMPLAIN_INIT_STATIC;
  if (snapshot->file != NULL)
    c_complain(LOG_WARNING, &files,
               "tcpstates plugin: /proc/%s: %s. Its values are missing.",
               snapshot->file,
               snapshot->file_error == -EBADMSG
                   ? "not understood"
                   : STRERROR(-snapshot->file_error));
  else
    c_release(LOG_INFO, &files,
              "tcpstates plugin: all files under /proc are read again.");
}

static int tcpstates_read(void) {
  struct snapshot snapshot;
  snapshot_read(&reader, &snapshot);
  complain(&snapshot);
  /* One time for all, so that a backend can add and compare them. */
  cdtime_t now = cdtime();
  size_t num = metrics_each(&settings, &snapshot, dispatch, &now);
  /* An error makes collectd double the interval, up to a day. */
  bool failed = snapshot.sockets_error != 0 || snapshot.file != NULL;
  return num == 0 && failed ? -1 : 0;
}

static int tcpstates_shutdown(void) {
  snapshot_close(&reader);
  settings_free(&settings);
  return 0;
}

void module_register(void) {
  settings_init(&settings);
  plugin_register_complex_config("tcpstates", tcpstates_config);
  plugin_register_init("tcpstates", tcpstates_init);
  plugin_register_read("tcpstates", tcpstates_read);
  plugin_register_shutdown("tcpstates", tcpstates_shutdown);
}
