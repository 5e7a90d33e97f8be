/* SPDX-License-Identifier: MIT */
/* Takes the plugin's values and notifications: prints them, and checks them as
 * the daemon's contract and types.db demand. */
#include "host.h"

#include <stdatomic.h>

struct data_type {
  char *name;
  size_t num;
  int kinds[64];
};

static struct data_type *data_types;
static size_t data_types_num;
static atomic_uint_fast64_t value_count;

/* What the values of the running read are checked against. */
static pthread_mutex_t check_lock = PTHREAD_MUTEX_INITIALIZER;
static bool checking;
static bool violated;
static bool have_read_time;
static cdtime_t read_time;

__attribute__((format(printf, 1, 2))) static void violation(const char *format,
                                                            ...) {
  va_list ap;
  va_start(ap, format);
  fputs("contract: ", stderr);
  vfprintf(stderr, format, ap);
  fputc('\n', stderr);
  va_end(ap);
  violated = true;
}

static void check_name(const char *what, const char name[DATA_MAX_NAME_LEN]) {
  size_t length = strnlen(name, DATA_MAX_NAME_LEN);
  if (length == DATA_MAX_NAME_LEN)
    violation("%s is not terminated within %d bytes", what, DATA_MAX_NAME_LEN);
  for (size_t i = 0; i < length; i++) {
    if (name[i] == '/' || iscntrl((unsigned char)name[i])) {
      violation("%s `%.*s' contains byte 0x%02x", what, (int)length, name,
                (unsigned char)name[i]);
      return;
    }
  }
}

static void check_time(const value_list_t *vl) {
  if (options.strict_time && vl->time == 0)
    violation("%.*s: the plugin left the value's time to the daemon",
              DATA_MAX_NAME_LEN, vl->type);
  if (have_read_time && vl->time != read_time)
    violation("%.*s: not all values of this read have one time: %.9f, "
              "before %.9f",
              DATA_MAX_NAME_LEN, vl->type, CDTIME_T_TO_DOUBLE(vl->time),
              CDTIME_T_TO_DOUBLE(read_time));
  have_read_time = true;
  read_time = vl->time;
}

static const struct data_type *find_data_type(const char *name) {
  for (size_t i = data_types_num; i-- > 0;) {
    if (strncmp(data_types[i].name, name, DATA_MAX_NAME_LEN) == 0)
      return &data_types[i];
  }
  return NULL;
}

static void print_name(const char *plugin, const char *plugin_instance,
                       const char *type, const char *type_instance) {
  const int max = DATA_MAX_NAME_LEN;
  printf("%.*s%s%.*s", max, plugin, plugin_instance[0] != '\0' ? "-" : "", max,
         plugin_instance);
  if (type[0] != '\0' || type_instance[0] != '\0')
    printf("/%.*s%s%.*s", max, type, type_instance[0] != '\0' ? "-" : "", max,
           type_instance);
}

static double value_to_double(value_t value, int kind) {
  switch (kind) {
  case DS_TYPE_COUNTER:
    return (double)value.counter;
  case DS_TYPE_DERIVE:
    return (double)value.derive;
  case DS_TYPE_ABSOLUTE:
    return (double)value.absolute;
  default:
    return value.gauge;
  }
}

static void check_value_list(const value_list_t *vl) {
  check_name("plugin", vl->plugin);
  check_name("plugin_instance", vl->plugin_instance);
  check_name("type", vl->type);
  check_name("type_instance", vl->type_instance);
  check_time(vl);
  if (vl->plugin[0] == '\0')
    violation("%.*s: a value without plugin", DATA_MAX_NAME_LEN, vl->type);
  print_name(vl->plugin, vl->plugin_instance, vl->type, vl->type_instance);
  const struct data_type *type = find_data_type(vl->type);
  if (type == NULL)
    violation("type `%.*s' is not in %s", DATA_MAX_NAME_LEN, vl->type,
              options.types_db);
  else if (vl->values == NULL || vl->values_len != type->num)
    violation("type `%s' has %zu values, %zu were dispatched", type->name,
              type->num, vl->values == NULL ? (size_t)0 : vl->values_len);
  else
    for (size_t i = 0; i < type->num; i++)
      printf(" %.10g", value_to_double(vl->values[i], type->kinds[i]));
  putchar('\n');
}

int plugin_dispatch_values(value_list_t const *vl) {
  atomic_fetch_add_explicit(&value_count, 1, memory_order_relaxed);
  if (!checking)
    return 0;
  pthread_mutex_lock(&check_lock);
  check_value_list(vl);
  pthread_mutex_unlock(&check_lock);
  return 0;
}

static double gauge_sum(va_list ap) {
  double sum = 0;
  while (va_arg(ap, char const *) != NULL) {
    gauge_t value = va_arg(ap, gauge_t);
    if (!isnan(value))
      sum += value;
  }
  return sum;
}

static value_t next_value(int store_type, va_list *ap) {
  switch (store_type) {
  case DS_TYPE_COUNTER:
    return (value_t){.counter = va_arg(*ap, counter_t)};
  case DS_TYPE_DERIVE:
    return (value_t){.derive = va_arg(*ap, derive_t)};
  case DS_TYPE_ABSOLUTE:
    return (value_t){.absolute = va_arg(*ap, absolute_t)};
  default:
    return (value_t){.gauge = va_arg(*ap, gauge_t)};
  }
}

int plugin_dispatch_multivalue(value_list_t const *template,
                               bool store_percentage, int store_type, ...) {
  value_list_t vl = *template;
  value_t value;
  vl.values = &value;
  if (vl.time == 0)
    vl.time = cdtime();
  if (store_percentage)
    sstrncpy(vl.type, "percent", sizeof(vl.type));
  va_list ap;
  va_start(ap, store_type);
  double sum = store_type == DS_TYPE_GAUGE ? gauge_sum(ap) : 0;
  va_end(ap);
  va_start(ap, store_type);
  int failed = 0;
  const char *name;
  while ((name = va_arg(ap, char const *)) != NULL) {
    sstrncpy(vl.type_instance, name, sizeof(vl.type_instance));
    value = next_value(store_type, &ap);
    if (store_percentage && store_type == DS_TYPE_GAUGE)
      value.gauge *= sum != 0 ? 100.0 / sum : NAN;
    failed += plugin_dispatch_values(&vl) != 0;
  }
  va_end(ap);
  return failed;
}

int plugin_dispatch_notification(const notification_t *notif) {
  const char *severity = "UNKNOWN";
  if (notif->severity == NOTIF_FAILURE)
    severity = "FAILURE";
  else if (notif->severity == NOTIF_WARNING)
    severity = "WARNING";
  else if (notif->severity == NOTIF_OKAY)
    severity = "OKAY";
  pthread_mutex_lock(&check_lock);
  printf("notification %s ", severity);
  print_name(notif->plugin, notif->plugin_instance, notif->type,
             notif->type_instance);
  printf(": %.*s\n", NOTIF_MAX_MSG_LEN, notif->message);
  for (const notification_meta_t *meta = notif->meta; meta != NULL;
       meta = meta->next)
    if (meta->type == NM_TYPE_STRING)
      printf("# meta %s %s\n", meta->name, meta->nm_value.nm_string);
  pthread_mutex_unlock(&check_lock);
  return 0;
}

static int add_meta(notification_t *n, const char *name,
                    const notification_meta_t *content) {
  if (n == NULL || name == NULL) {
    ERROR("plugin_notification_meta_add: A pointer is NULL!");
    return -1;
  }
  notification_meta_t *meta = malloc(sizeof(*meta));
  if (meta == NULL)
    return -1;
  *meta = *content;
  sstrncpy(meta->name, name, sizeof(meta->name));
  notification_meta_t **end = &n->meta;
  while (*end != NULL)
    end = &(*end)->next;
  *end = meta;
  return 0;
}

int plugin_notification_meta_add_string(notification_t *n, const char *name,
                                        const char *value) {
  char *copy = value == NULL ? NULL : strdup(value);
  int status = -1;
  if (copy != NULL)
    status = add_meta(n, name,
                      &(notification_meta_t){.type = NM_TYPE_STRING,
                                             .nm_value.nm_string = copy});
  if (status != 0)
    free(copy);
  return status;
}

int plugin_notification_meta_add_signed_int(notification_t *n, const char *name,
                                            int64_t value) {
  return add_meta(n, name,
                  &(notification_meta_t){.type = NM_TYPE_SIGNED_INT,
                                         .nm_value.nm_signed_int = value});
}

int plugin_notification_meta_add_unsigned_int(notification_t *n,
                                              const char *name,
                                              uint64_t value) {
  return add_meta(n, name,
                  &(notification_meta_t){.type = NM_TYPE_UNSIGNED_INT,
                                         .nm_value.nm_unsigned_int = value});
}

int plugin_notification_meta_add_double(notification_t *n, const char *name,
                                        double value) {
  return add_meta(n, name,
                  &(notification_meta_t){.type = NM_TYPE_DOUBLE,
                                         .nm_value.nm_double = value});
}

int plugin_notification_meta_add_boolean(notification_t *n, const char *name,
                                         bool value) {
  return add_meta(n, name,
                  &(notification_meta_t){.type = NM_TYPE_BOOLEAN,
                                         .nm_value.nm_boolean = value});
}

int plugin_notification_meta_free(notification_meta_t *n) {
  if (n == NULL) {
    ERROR("plugin_notification_meta_free: n == NULL!");
    return -1;
  }
  while (n != NULL) {
    notification_meta_t *next = n->next;
    if (n->type == NM_TYPE_STRING)
      free((void *)(uintptr_t)n->nm_value.nm_string);
    free(n);
    n = next;
  }
  return 0;
}

static int source_kind(const char *source) {
  const char *colon = strchr(source, ':');
  if (colon == NULL)
    return -1;
  static const struct {
    const char *name;
    int kind;
  } kinds[] = {
      {":GAUGE:", DS_TYPE_GAUGE},
      {":DERIVE:", DS_TYPE_DERIVE},
      {":COUNTER:", DS_TYPE_COUNTER},
      {":ABSOLUTE:", DS_TYPE_ABSOLUTE},
  };
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    if (strncasecmp(colon, kinds[i].name, strlen(kinds[i].name)) == 0)
      return kinds[i].kind;
  }
  return -1;
}

static bool add_data_type(char *line) {
  char *fields[65];
  int num = strsplit(line, fields, sizeof(fields) / sizeof(*fields));
  if (num < 2 || fields[0][0] == '#')
    return true;
  struct data_type type = {.num = (size_t)num - 1};
  for (size_t i = 0; i < type.num; i++) {
    type.kinds[i] = source_kind(fields[i + 1]);
    if (type.kinds[i] < 0)
      return false;
  }
  struct data_type *grown =
      realloc(data_types, (data_types_num + 1) * sizeof(*grown));
  if (grown == NULL)
    return false;
  data_types = grown;
  type.name = sstrdup(fields[0]);
  data_types[data_types_num++] = type;
  return true;
}

int read_types_db(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    fprintf(stderr, "plugin_host: --types-db %s: %s\n", path, strerror(errno));
    return -1;
  }
  int status = 0;
  char *line = NULL;
  size_t capacity = 0;
  while (status == 0 && getline(&line, &capacity, file) >= 0) {
    strstripnewline(line);
    if (!add_data_type(line)) {
      fprintf(stderr, "plugin_host: --types-db %s: not a type: %s\n", path,
              line);
      status = -1;
    }
  }
  free(line);
  fclose(file);
  return status;
}

void free_data_types(void) {
  for (size_t i = 0; i < data_types_num; i++)
    free(data_types[i].name);
  free(data_types);
}

void check_values(bool check) { checking = check; }

void begin_values(void) { have_read_time = false; }

uint64_t count_values(void) { return atomic_load(&value_count); }

bool contract_violated(void) { return violated; }
