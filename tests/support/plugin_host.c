/* Stands where the collectd daemon stands: loads one plugin, configures and
 * reads it, and checks or measures it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"
#include "utils_complain.h"

#include "faults.h"
#include "host_config.h"
#include "syscall_filter.h"

#include <dlfcn.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define COUNT_MALLOC 0
#endif
#endif
#if !defined(COUNT_MALLOC)
#ifdef __GLIBC__
#define COUNT_MALLOC 1
#else
#define COUNT_MALLOC 0
#endif
#endif

enum {
  EXIT_READ_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_START_FAILED = 3,
  EXIT_CONTRACT = 4,
};

enum kind {
  KIND_CONFIG,
  KIND_COMPLEX_CONFIG,
  KIND_INIT,
  KIND_READ,
  KIND_COMPLEX_READ,
  KIND_SHUTDOWN,
};

static const char *const kind_names[] = {
    [KIND_CONFIG] = "config",
    [KIND_COMPLEX_CONFIG] = "complex_config",
    [KIND_INIT] = "init",
    [KIND_READ] = "read",
    [KIND_COMPLEX_READ] = "complex_read",
    [KIND_SHUTDOWN] = "shutdown",
};

struct callback {
  enum kind kind;
  char *name;
  char *group;
  union {
    int (*simple)(void);
    plugin_read_cb complex_read;
    int (*config)(const char *key, const char *value);
    int (*complex_config)(oconfig_item_t *ci);
  } call;
  const char **keys;
  int keys_num;
  user_data_t user_data;
  plugin_ctx_t ctx;
  bool removed;
  struct callback *next;
};

struct data_type {
  char *name;
  size_t num;
  int kinds[64];
};

struct options {
  const char *plugin;
  const char *config;
  const char *types_db;
  const char *allow;
  uint64_t reads;
  uint64_t warmup;
  double interval;
  bool values;
  bool strict_time;
  bool registrations;
  bool measure;
  bool from_stdin;
};

struct measurement {
  uint64_t *cpu_ns;
  size_t num;
  size_t capacity;
  uint64_t values;
  uint64_t mallocs;
  uint64_t malloc_reads;
  uint64_t rss_kib_first;
  uint64_t open_fds_first;
};

#define DEFAULT_INTERVAL 10

/* The daemon's globals, which a plugin may use. */
char *hostname_g;
cdtime_t interval_g = TIME_T_TO_CDTIME_T_STATIC(DEFAULT_INTERVAL);
int timeout_g = 2;

static struct options options = {
    .types_db = "/usr/share/collectd/types.db",
    .reads = 1,
    .warmup = 1,
};
static struct callback *callbacks;
static struct data_type *data_types;
static size_t data_types_num;
static _Thread_local plugin_ctx_t current_ctx;
static atomic_uint_fast64_t malloc_count;
static atomic_uint_fast64_t value_count;

/* What the values of the running read are checked against. */
static pthread_mutex_t check_lock = PTHREAD_MUTEX_INITIALIZER;
static bool checking;
static bool violated;
static bool have_read_time;
static cdtime_t read_time;

#if COUNT_MALLOC
/* glibc's own names of its allocator: free() takes what they return, and stays
 * glibc's. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t num, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_malloc(size);
}

void *calloc(size_t num, size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_calloc(num, size);
}

void *realloc(void *old, size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_realloc(old, size);
}
#endif

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

char *sstrncpy(char *dest, const char *src, size_t n) {
  size_t length = strnlen(src, n);
  memcpy(dest, src, length);
  memset(dest + length, 0, n - length);
  dest[n - 1] = '\0';
  return dest;
}

int ssnprintf(char *str, size_t size, char const *format, ...) {
  va_list ap;
  va_start(ap, format);
  int length = vsnprintf(str, size, format, ap);
  va_end(ap);
  return length;
}

char *sstrerror(int errnum, char *buf, size_t buflen) {
  return sstrncpy(buf, strerror(errnum), buflen);
}

int strsplit(char *string, char **fields, size_t size) {
  static const char blanks[] = " \t\r\n";
  size_t num = 0;
  char *next = string + strspn(string, blanks);
  while (num < size && *next != '\0') {
    fields[num++] = next;
    next += strcspn(next, blanks);
    if (*next != '\0')
      *next++ = '\0';
    next += strspn(next, blanks);
  }
  if (num < size)
    fields[num] = NULL;
  return (int)num;
}

size_t strstripnewline(char *buffer) {
  size_t length = strlen(buffer);
  while (length > 0 &&
         (buffer[length - 1] == '\n' || buffer[length - 1] == '\r'))
    buffer[--length] = '\0';
  return length;
}

int strtogauge(const char *string, gauge_t *ret_value) {
  if (string == NULL || ret_value == NULL)
    return EINVAL;
  char *end = NULL;
  errno = 0;
  gauge_t value = strtod(string, &end);
  if (errno != 0)
    return errno;
  if (*end != '\0')
    return EINVAL;
  *ret_value = value;
  return 0;
}

cdtime_t cdtime(void) {
  struct timespec now = {.tv_sec = 0};
  clock_gettime(CLOCK_REALTIME, &now);
  return TIMESPEC_TO_CDTIME_T(&now);
}

plugin_ctx_t plugin_get_ctx(void) { return current_ctx; }

plugin_ctx_t plugin_set_ctx(plugin_ctx_t ctx) {
  plugin_ctx_t old = current_ctx;
  current_ctx = ctx;
  return old;
}

void plugin_log(int level, const char *format, ...) {
  static const char *const names[] = {
      [LOG_ERR] = "error", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
      [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
  };
  char message[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof(message), format, ap);
  va_end(ap);
  bool known = level >= LOG_ERR && level <= LOG_DEBUG;
  fprintf(stderr, "%s: %s\n", known ? names[level] : "unknown", message);
}

void daemon_log(int level, const char *format, ...) {
  char message[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof(message), format, ap);
  va_end(ap);
  const char *name = current_ctx.name;
  plugin_log(level, "%s plugin: %s", name == NULL ? "UNKNOWN" : name, message);
}

cdtime_t plugin_get_interval(void) {
  if (current_ctx.interval > 0)
    return current_ctx.interval;
  P_ERROR("plugin_get_interval: Unable to determine Interval from context.");
  return TIME_T_TO_CDTIME_T(DEFAULT_INTERVAL);
}

__attribute__((format(printf, 3, 0))) static bool
complain(int level, c_complain_t *c, const char *format, va_list ap) {
  cdtime_t now = cdtime();
  if (c->last + c->interval > now)
    return false;
  c->last = now;
  cdtime_t interval = plugin_get_interval();
  c->interval = c->interval < interval ? interval : 2 * c->interval;
  if (c->interval > TIME_T_TO_CDTIME_T(86400))
    c->interval = TIME_T_TO_CDTIME_T(86400);
  char message[512];
  vsnprintf(message, sizeof(message), format, ap);
  plugin_log(level, "%s", message);
  return true;
}

void c_complain(int level, c_complain_t *c, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  if (complain(level, c, format, ap))
    c->complained_once = true;
  va_end(ap);
}

void c_complain_once(int level, c_complain_t *c, const char *format, ...) {
  if (c->complained_once)
    return;
  va_list ap;
  va_start(ap, format);
  if (complain(level, c, format, ap))
    c->complained_once = true;
  va_end(ap);
}

void c_do_release(int level, c_complain_t *c, const char *format, ...) {
  if (c->interval == 0)
    return;
  c->interval = 0;
  c->complained_once = false;
  char message[512];
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof(message), format, ap);
  va_end(ap);
  plugin_log(level, "%s", message);
}

void *smalloc(size_t size) {
  void *memory = malloc(size);
  if (memory == NULL) {
    ERROR("Not enough memory.");
    exit(3);
  }
  return memory;
}

char *sstrdup(const char *s) {
  if (s == NULL)
    return NULL;
  size_t size = strlen(s) + 1;
  return memcpy(smalloc(size), s, size);
}

int service_name_to_port_number(const char *service_name) {
  if (service_name == NULL)
    return -1;
  struct addrinfo hints = {.ai_family = AF_UNSPEC};
  struct addrinfo *addresses = NULL;
  int status = getaddrinfo(NULL, service_name, &hints, &addresses);
  if (status != 0) {
    P_ERROR("service_name_to_port_number: getaddrinfo failed: %s",
            gai_strerror(status));
    return -1;
  }
  int port = -1;
  for (struct addrinfo *a = addresses; a != NULL && port <= 0; a = a->ai_next) {
    if (a->ai_family == AF_INET)
      port = ntohs(((struct sockaddr_in *)(void *)a->ai_addr)->sin_port);
    else if (a->ai_family == AF_INET6)
      port = ntohs(((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_port);
  }
  freeaddrinfo(addresses);
  return port > 0 ? port : -1;
}

static bool is_single(const oconfig_item_t *ci, int type) {
  return ci->values_num == 1 && ci->values[0].type == type;
}

int cf_util_get_string(const oconfig_item_t *ci, char **ret_string) {
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  char *copy = strdup(ci->values[0].value.string);
  if (copy == NULL)
    return -1;
  free(*ret_string);
  *ret_string = copy;
  return 0;
}

int cf_util_get_string_buffer(const oconfig_item_t *ci, char *buffer,
                              size_t buffer_size) {
  if (ci == NULL || buffer == NULL || buffer_size < 1)
    return EINVAL;
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  sstrncpy(buffer, ci->values[0].value.string, buffer_size);
  return 0;
}

int cf_util_get_double(const oconfig_item_t *ci, double *ret_value) {
  if (ci == NULL || ret_value == NULL)
    return EINVAL;
  if (!is_single(ci, OCONFIG_TYPE_NUMBER)) {
    P_ERROR("The `%s' option requires exactly one numeric argument.", ci->key);
    return -1;
  }
  *ret_value = ci->values[0].value.number;
  return 0;
}

int cf_util_get_int(const oconfig_item_t *ci, int *ret_value) {
  if (ret_value == NULL)
    return EINVAL;
  double number;
  int status = cf_util_get_double(ci, &number);
  if (status == 0)
    *ret_value = (int)number;
  return status;
}

int cf_util_get_cdtime(const oconfig_item_t *ci, cdtime_t *ret_value) {
  if (ret_value == NULL)
    return EINVAL;
  double number;
  int status = cf_util_get_double(ci, &number);
  if (status != 0)
    return status;
  if (number < 0.0) {
    P_ERROR("The numeric argument of the `%s' option must not be negative.",
            ci->key);
    return -1;
  }
  *ret_value = DOUBLE_TO_CDTIME_T(number);
  return 0;
}

int cf_util_get_boolean(const oconfig_item_t *ci, bool *ret_bool) {
  if (ci == NULL || ret_bool == NULL)
    return EINVAL;
  if (is_single(ci, OCONFIG_TYPE_BOOLEAN)) {
    *ret_bool = ci->values[0].value.boolean != 0;
    return 0;
  }
  if (!is_single(ci, OCONFIG_TYPE_STRING)) {
    P_ERROR("The `%s' option requires exactly one boolean argument.", ci->key);
    return -1;
  }
  const char *string = ci->values[0].value.string;
  P_WARNING("Using string value `%s' for boolean option `%s' is deprecated and "
            "will be removed in future releases. Use unquoted true or false "
            "instead.",
            string, ci->key);
  if (!IS_TRUE(string) && !IS_FALSE(string)) {
    P_ERROR("Cannot parse string value `%s' of the `%s' option as a boolean "
            "value.",
            string, ci->key);
    return -1;
  }
  *ret_bool = IS_TRUE(string);
  return 0;
}

int cf_util_get_flag(const oconfig_item_t *ci, unsigned int *ret_value,
                     unsigned int flag) {
  if (ret_value == NULL)
    return EINVAL;
  bool set = false;
  int status = cf_util_get_boolean(ci, &set);
  if (status == 0)
    *ret_value = set ? *ret_value | flag : *ret_value & ~flag;
  return status;
}

int cf_util_get_port_number(const oconfig_item_t *ci) {
  if (is_single(ci, OCONFIG_TYPE_STRING))
    return service_name_to_port_number(ci->values[0].value.string);
  if (!is_single(ci, OCONFIG_TYPE_NUMBER)) {
    P_ERROR("The `%s' option requires exactly one string argument.", ci->key);
    return -1;
  }
  int port = (int)(ci->values[0].value.number + 0.5);
  if (port < 1 || port > 65535) {
    P_ERROR("The `%s' option requires a service name or a port number. The "
            "number you specified, %i, is not in the valid range of 1-65535.",
            ci->key, port);
    return -1;
  }
  return port;
}

int cf_util_get_service(const oconfig_item_t *ci, char **ret_string) {
  if (ci->values_num != 1) {
    P_ERROR("The `%s` option requires exactly one argument.", ci->key);
    return -1;
  }
  if (is_single(ci, OCONFIG_TYPE_STRING))
    return cf_util_get_string(ci, ret_string);
  int port = 0;
  int status = cf_util_get_int(ci, &port);
  if (status != 0)
    return status;
  if (port < 1 || port > 65535) {
    P_ERROR("The port number given for the `%s` option is out of range (%i).",
            ci->key, port);
    return -1;
  }
  char service[16];
  snprintf(service, sizeof(service), "%i", port);
  char *copy = strdup(service);
  if (copy == NULL)
    return -1;
  free(*ret_string);
  *ret_string = copy;
  return 0;
}

static void print_registration(const char *kind, const char *name) {
  if (options.registrations)
    printf("%s %s\n", kind, name);
}

static struct callback *find_callback(enum kind kind, const char *name) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->kind == kind && !c->removed && strcasecmp(c->name, name) == 0)
      return c;
  }
  return NULL;
}

static struct callback *find_read(const char *name) {
  struct callback *c = find_callback(KIND_READ, name);
  return c != NULL ? c : find_callback(KIND_COMPLEX_READ, name);
}

static struct callback *add_callback(enum kind kind, const char *name) {
  struct callback *added = smalloc(sizeof(*added));
  *added = (struct callback){
      .kind = kind,
      .name = sstrdup(name),
      .ctx = current_ctx,
  };
  struct callback **end = &callbacks;
  while (*end != NULL)
    end = &(*end)->next;
  *end = added;
  print_registration(kind_names[kind], name);
  return added;
}

/* The node stays until the end, so that a callback may unregister itself. */
static int remove_callback(struct callback *c) {
  if (c == NULL)
    return -1;
  c->removed = true;
  return 0;
}

static int register_simple(enum kind kind, const char *name,
                           int (*callback)(void)) {
  if (name == NULL || callback == NULL)
    return EINVAL;
  struct callback *old = find_callback(kind, name);
  if (old != NULL) {
    P_WARNING("register_callback: a callback named `%s' already exists - "
              "overwriting the old entry!",
              name);
    remove_callback(old);
  }
  add_callback(kind, name)->call.simple = callback;
  return 0;
}

static bool is_duplicate_read(const char *name) {
  if (find_read(name) == NULL)
    return false;
  P_WARNING("The read function \"%s\" is already registered. Check for "
            "duplicates in your configuration!",
            name);
  return true;
}

int plugin_register_config(const char *name,
                           int (*callback)(const char *key, const char *val),
                           const char **keys, int keys_num) {
  remove_callback(find_callback(KIND_CONFIG, name));
  struct callback *c = add_callback(KIND_CONFIG, name);
  c->call.config = callback;
  c->keys = keys;
  c->keys_num = keys_num;
  return 0;
}

int plugin_register_complex_config(const char *type,
                                   int (*callback)(oconfig_item_t *)) {
  remove_callback(find_callback(KIND_COMPLEX_CONFIG, type));
  add_callback(KIND_COMPLEX_CONFIG, type)->call.complex_config = callback;
  return 0;
}

int plugin_register_init(const char *name, plugin_init_cb callback) {
  return register_simple(KIND_INIT, name, callback);
}

int plugin_register_shutdown(const char *name, plugin_shutdown_cb callback) {
  return register_simple(KIND_SHUTDOWN, name, callback);
}

int plugin_register_read(const char *name, int (*callback)(void)) {
  if (is_duplicate_read(name))
    return EINVAL;
  cdtime_t interval = plugin_get_interval();
  struct callback *c = add_callback(KIND_READ, name);
  c->call.simple = callback;
  c->ctx.interval = interval;
  return 0;
}

static void free_user_data(const user_data_t *user_data) {
  if (user_data != NULL && user_data->data != NULL &&
      user_data->free_func != NULL)
    user_data->free_func(user_data->data);
}

int plugin_register_complex_read(const char *group, const char *name,
                                 plugin_read_cb callback, cdtime_t interval,
                                 user_data_t const *user_data) {
  if (is_duplicate_read(name)) {
    free_user_data(user_data);
    return EINVAL;
  }
  if (interval == 0)
    interval = plugin_get_interval();
  struct callback *c = add_callback(KIND_COMPLEX_READ, name);
  c->group = sstrdup(group);
  c->call.complex_read = callback;
  c->ctx.interval = interval;
  if (user_data != NULL)
    c->user_data = *user_data;
  return 0;
}

/* The host has nothing to give to these: they are recorded, never called. */

int plugin_register_write(const char *name, plugin_write_cb callback,
                          user_data_t const *user_data) {
  (void)callback, (void)user_data;
  print_registration("write", name);
  return 0;
}

int plugin_register_flush(const char *name, plugin_flush_cb callback,
                          user_data_t const *user_data) {
  (void)callback, (void)user_data;
  print_registration("flush", name);
  return 0;
}

int plugin_register_missing(const char *name, plugin_missing_cb callback,
                            user_data_t const *user_data) {
  (void)callback, (void)user_data;
  print_registration("missing", name);
  return 0;
}

int plugin_register_cache_event(const char *name,
                                plugin_cache_event_cb callback,
                                user_data_t const *ud) {
  (void)callback, (void)ud;
  print_registration("cache_event", name);
  return 0;
}

int plugin_register_log(const char *name, plugin_log_cb callback,
                        user_data_t const *user_data) {
  (void)callback, (void)user_data;
  print_registration("log", name);
  return 0;
}

int plugin_register_notification(const char *name,
                                 plugin_notification_cb callback,
                                 user_data_t const *user_data) {
  (void)callback, (void)user_data;
  print_registration("notification", name);
  return 0;
}

int plugin_register_data_set(const data_set_t *ds) {
  print_registration("data_set", ds->type);
  return 0;
}

int plugin_unregister_config(const char *name) {
  remove_callback(find_callback(KIND_CONFIG, name));
  return 0;
}

int plugin_unregister_complex_config(const char *name) {
  remove_callback(find_callback(KIND_COMPLEX_CONFIG, name));
  return 0;
}

int plugin_unregister_init(const char *name) {
  return remove_callback(find_callback(KIND_INIT, name));
}

int plugin_unregister_shutdown(const char *name) {
  return remove_callback(find_callback(KIND_SHUTDOWN, name));
}

int plugin_unregister_read(const char *name) {
  if (name == NULL)
    return -ENOENT;
  if (remove_callback(find_read(name)) == 0)
    return 0;
  WARNING("plugin_unregister_read: No such read function: %s", name);
  return -ENOENT;
}

int plugin_unregister_read_group(const char *group) {
  if (group == NULL)
    return -ENOENT;
  int status = -ENOENT;
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->group != NULL && !c->removed && strcmp(c->group, group) == 0)
      status = remove_callback(c);
  }
  if (status != 0)
    WARNING("plugin_unregister_read_group: No such group of read function: %s",
            group);
  return status;
}

struct thread_start {
  plugin_ctx_t ctx;
  void *(*routine)(void *);
  void *arg;
};

static void *run_thread(void *arg) {
  struct thread_start start = *(struct thread_start *)arg;
  free(arg);
  plugin_set_ctx(start.ctx);
  return start.routine(start.arg);
}

int plugin_thread_create(pthread_t *thread, void *(*start_routine)(void *),
                         void *arg, char const *name) {
  struct thread_start *start = malloc(sizeof(*start));
  if (start == NULL)
    return ENOMEM;
  *start = (struct thread_start){
      .ctx = current_ctx,
      .routine = start_routine,
      .arg = arg,
  };
  int status = pthread_create(thread, NULL, run_thread, start);
  if (status != 0) {
    free(start);
    return status;
  }
  if (name != NULL) {
    char short_name[16];
    if (strlen(name) >= sizeof(short_name))
      WARNING("set_thread_name(\"%s\"): name too long", name);
    sstrncpy(short_name, name, sizeof(short_name));
    pthread_setname_np(*thread, short_name);
  }
  return 0;
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

/* What else the daemon exports: here only so that a plugin that binds to such a
 * name by mistake does so here too, and is told. */
static void __attribute__((noreturn)) missing(const char *name) {
  fflush(stdout);
  fprintf(stderr,
          "contract: the plugin called the daemon's %s(), which this host does "
          "not have\n",
          name);
  _exit(EXIT_CONTRACT);
}

#define MISSING(name)                                                          \
  void missing_##name(void) __asm__(#name);                                    \
  void missing_##name(void) { missing(#name); }                                \
  _Static_assert(true, "")
#define MISSING4(a, b, c, d)                                                   \
  MISSING(a);                                                                  \
  MISSING(b);                                                                  \
  MISSING(c);                                                                  \
  MISSING(d)
#define MISSING_DATA(name)                                                     \
  extern char missing_##name[64] __asm__(#name);                               \
  char missing_##name[64]

MISSING4(c_avl_create, c_avl_destroy, c_avl_get, c_avl_get_iterator);
MISSING4(c_avl_insert, c_avl_iterator_destroy, c_avl_iterator_next,
         c_avl_iterator_prev);
MISSING4(c_avl_pick, c_avl_remove, c_avl_size, c_heap_create);
MISSING4(c_heap_destroy, c_heap_get_root, c_heap_insert, cdrand_d);
MISSING4(cdrand_range, cdrand_u, cf_get_default_interval, cf_read);
MISSING4(cf_register, cf_register_complex, cf_unregister,
         cf_unregister_complex);
MISSING4(check_capability, check_create_dir, counter_diff, escape_slashes);
MISSING4(escape_string, fc_chain_get_by_name, fc_configure, fc_default_action);
MISSING4(fc_process_chain, fc_register_match, fc_register_target, format_name);
MISSING4(format_rfc3339, format_rfc3339_local, format_rfc3339_utc,
         format_values);
MISSING4(global_option_get, global_option_get_long, global_option_get_time,
         global_option_set);
MISSING4(hostname_set, htonll, init_config, llentry_create);
MISSING4(llentry_destroy, llist_append, llist_create, llist_destroy);
MISSING4(llist_head, llist_prepend, llist_remove, llist_search);
MISSING4(llist_search_custom, llist_size, llist_tail, meta_data_add_boolean);
MISSING4(meta_data_add_double, meta_data_add_signed_int, meta_data_add_string,
         meta_data_add_unsigned_int);
MISSING4(meta_data_as_string, meta_data_clone, meta_data_clone_merge,
         meta_data_create);
MISSING4(meta_data_delete, meta_data_destroy, meta_data_exists,
         meta_data_get_boolean);
MISSING4(meta_data_get_double, meta_data_get_signed_int, meta_data_get_string,
         meta_data_get_unsigned_int);
MISSING4(meta_data_toc, meta_data_type, notification_init, ntohll);
MISSING4(oconfig_clone, oconfig_free, oconfig_parse_file, parse_identifier);
MISSING4(parse_identifier_vl, parse_log_severity, parse_notif_severity,
         parse_value);
MISSING4(parse_value_file, parse_values, plugin_dispatch_cache_event,
         plugin_dispatch_missing);
MISSING4(plugin_flush, plugin_get_ds, plugin_init_all, plugin_init_ctx);
MISSING4(plugin_is_loaded, plugin_load, plugin_log_available_writers,
         plugin_notification_meta_copy);
MISSING4(plugin_read_all, plugin_read_all_once, plugin_set_dir,
         plugin_shutdown_all);
MISSING4(plugin_unregister_cache_event, plugin_unregister_data_set,
         plugin_unregister_flush, plugin_unregister_log);
MISSING4(plugin_unregister_missing, plugin_unregister_notification,
         plugin_unregister_write, plugin_write);
MISSING4(rate_to_value, read_file_contents, read_text_file_contents,
         read_types_list);
MISSING4(replace_special, rfc3339, rfc3339_local, rfc3339nano);
MISSING4(rfc3339nano_local, run_loop, set_sock_opts, sread);
MISSING4(ssnprintf_alloc, sstrndup, sstrnlen, stop_collectd);
MISSING4(strarray_add, strarray_free, strjoin, strtoderive);
MISSING4(strunescape, subst, subst_string, swrite);
MISSING4(threshold_get, threshold_search, timeval_cmp, uc_check_timeout);
MISSING4(uc_get_history, uc_get_history_by_name, uc_get_hits, uc_get_iterator);
MISSING4(uc_get_names, uc_get_rate, uc_get_rate_by_name, uc_get_size);
MISSING4(uc_get_state, uc_get_value, uc_get_value_by_name, uc_inc_hits);
MISSING4(uc_init, uc_iterator_destroy, uc_iterator_get_interval,
         uc_iterator_get_meta);
MISSING4(uc_iterator_get_time, uc_iterator_get_values, uc_iterator_next,
         uc_meta_data_add_boolean);
MISSING4(uc_meta_data_add_double, uc_meta_data_add_signed_int,
         uc_meta_data_add_string, uc_meta_data_add_unsigned_int);
MISSING4(uc_meta_data_delete, uc_meta_data_exists, uc_meta_data_get_boolean,
         uc_meta_data_get_double);
MISSING4(uc_meta_data_get_signed_int, uc_meta_data_get_string,
         uc_meta_data_get_unsigned_int, uc_meta_data_toc);
MISSING4(uc_set_callbacks_mask, uc_set_hits, uc_set_state, uc_update);
MISSING4(ut_search_threshold, value_to_rate, walk_directory, yy_create_buffer);
MISSING4(yy_delete_buffer, yy_flush_buffer, yy_scan_buffer, yy_scan_bytes);
MISSING4(yy_scan_string, yy_switch_to_buffer, yyalloc, yyfree);
MISSING4(yyget_debug, yyget_in, yyget_leng, yyget_lineno);
MISSING4(yyget_out, yyget_text, yylex, yylex_destroy);
MISSING4(yyparse, yypop_buffer_state, yypush_buffer_state, yyrealloc);
MISSING4(yyrestart, yyset_debug, yyset_in, yyset_lineno);
MISSING(yyset_out);
MISSING_DATA(c_file);
MISSING_DATA(ci_root);
MISSING_DATA(threshold_lock);
MISSING_DATA(threshold_tree);
MISSING_DATA(yy_flex_debug);
MISSING_DATA(yychar);
MISSING_DATA(yyin);
MISSING_DATA(yyleng);
MISSING_DATA(yylineno);
MISSING_DATA(yylval);
MISSING_DATA(yynerrs);
MISSING_DATA(yyout);
MISSING_DATA(yytext);

/* Calls from here on are the plugin's, or no longer. */
static void arm_faults(bool arm) {
  if (faults_arm != NULL)
    faults_arm(arm);
}

static bool is_plugin_block(const oconfig_item_t *item, const char *name) {
  return strcasecmp(item->key, "Plugin") == 0 && item->values_num > 0 &&
         item->values[0].type == OCONFIG_TYPE_STRING &&
         strcasecmp(item->values[0].value.string, name) == 0;
}

static bool append_value(char *text, size_t size,
                         const oconfig_value_t *value) {
  size_t length = strlen(text);
  const char *blank = length > 0 ? " " : "";
  int added;
  if (value->type == OCONFIG_TYPE_STRING)
    added = snprintf(text + length, size - length, "%s%s", blank,
                     value->value.string);
  else if (value->type == OCONFIG_TYPE_NUMBER)
    added = snprintf(text + length, size - length, "%s%f", blank,
                     value->value.number);
  else
    added = snprintf(text + length, size - length, "%s%s", blank,
                     value->value.boolean ? "true" : "false");
  return added >= 0 && (size_t)added < size - length;
}

static int configure_key(const struct callback *c, const oconfig_item_t *item) {
  char value[4096] = "";
  for (int i = 0; i < item->values_num; i++) {
    if (!append_value(value, sizeof(value), &item->values[i]))
      return -1;
  }
  for (int i = 0; i < c->keys_num; i++) {
    if (c->keys[i] != NULL && strcasecmp(c->keys[i], item->key) == 0)
      return c->call.config(item->key, value);
  }
  WARNING("Plugin `%s' did not register for value `%s'.", c->name, item->key);
  return -1;
}

static int configure_keys(const struct callback *c,
                          const oconfig_item_t *block) {
  for (int i = 0; i < block->children_num; i++) {
    const oconfig_item_t *child = &block->children[i];
    if (child->children_num > 0) {
      WARNING("There is a `%s' block within the configuration for the `%s' "
              "plugin. The plugin only expects \"simple\" configuration "
              "options. Blocks are not supported. Please check your "
              "configuration.",
              child->key, c->name);
      continue;
    }
    int status = configure_key(c, child);
    if (status != 0) {
      ERROR("Plugin `%s' failed to handle option `%s', return code: %i",
            c->name, child->key, status);
      return status;
    }
  }
  return 0;
}

static int configure_block(const char *name, oconfig_item_t *block) {
  struct callback *c = find_callback(KIND_COMPLEX_CONFIG, name);
  bool complex = c != NULL;
  if (!complex && block->children_num == 0)
    return 0;
  if (!complex)
    c = find_callback(KIND_CONFIG, name);
  if (c == NULL) {
    WARNING("Found a configuration for the `%s' plugin, but the plugin didn't "
            "register a configuration callback.",
            name);
    return -1;
  }
  plugin_ctx_t old = plugin_set_ctx(c->ctx);
  arm_faults(true);
  int status =
      complex ? c->call.complex_config(block) : configure_keys(c, block);
  arm_faults(false);
  plugin_set_ctx(old);
  if (status != 0)
    fprintf(stderr, "plugin_host: the plugin refused its configuration: %d\n",
            status);
  return status;
}

/* As the daemon does, the blocks after a refused one are still given. */
static int configure(const char *name) {
  oconfig_item_t *root = NULL;
  char error[512];
  if (host_config_read(options.config, &root, error, sizeof(error)) != 0) {
    fprintf(stderr, "plugin_host: %s\n", error);
    return -1;
  }
  int status = 0;
  if (root->children_num == 0) {
    ERROR("Configuration file %s is empty.", options.config);
    status = -1;
  }
  for (int i = 0; i < root->children_num; i++) {
    if (is_plugin_block(&root->children[i], name) &&
        configure_block(name, &root->children[i]) != 0)
      status = -1;
  }
  host_config_free(root);
  return status;
}

static int initialise(void) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->kind != KIND_INIT || c->removed)
      continue;
    plugin_ctx_t old = plugin_set_ctx(c->ctx);
    arm_faults(true);
    int status = c->call.simple();
    arm_faults(false);
    plugin_set_ctx(old);
    if (status != 0) {
      ERROR("Initialization of plugin `%s' failed with status %i. Plugin will "
            "be unloaded.",
            c->name, status);
      return -1;
    }
  }
  return 0;
}

static void free_all_user_data(void) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    free_user_data(&c->user_data);
    c->user_data = (user_data_t){.data = NULL};
  }
}

/* As in the daemon, the data of reads is freed before the shutdown callbacks.
 */
static void shut_down(void) {
  free_all_user_data();
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->kind != KIND_SHUTDOWN || c->removed)
      continue;
    plugin_ctx_t old = plugin_set_ctx(c->ctx);
    c->call.simple();
    plugin_set_ctx(old);
  }
}

static void free_callbacks(void) {
  free_all_user_data();
  while (callbacks != NULL) {
    struct callback *next = callbacks->next;
    free(callbacks->name);
    free(callbacks->group);
    free(callbacks);
    callbacks = next;
  }
}

static bool has_read(void) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if ((c->kind == KIND_READ || c->kind == KIND_COMPLEX_READ) && !c->removed)
      return true;
  }
  return false;
}

/* One read of the plugin: each of its read callbacks once. Returns 0, or what
 * the last one that failed returned. */
static int call_reads(void) {
  int result = 0;
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->removed || (c->kind != KIND_READ && c->kind != KIND_COMPLEX_READ))
      continue;
    plugin_ctx_t old = plugin_set_ctx(c->ctx);
    arm_faults(true);
    int status = c->kind == KIND_READ ? c->call.simple()
                                      : c->call.complex_read(&c->user_data);
    arm_faults(false);
    plugin_set_ctx(old);
    if (status != 0)
      result = status;
  }
  return result;
}

static uint64_t process_cpu_ns(void) {
  struct timespec now = {.tv_sec = 0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Returns the KiB of one line of proc_pid_status(5), 0 if there is none. */
static uint64_t status_kib(const char *key) {
  FILE *file = fopen("/proc/self/status", "re");
  if (file == NULL)
    return 0;
  uint64_t kib = 0;
  char line[256];
  size_t length = strlen(key);
  while (fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, key, length) == 0 && line[length] == ':') {
      kib = strtoull(line + length + 1, NULL, 10);
      break;
    }
  }
  fclose(file);
  return kib;
}

/* A thread that has been joined may be counted for another moment. */
static uint64_t threads(void) {
  for (int tries = 0; status_kib("Threads") > 1 && tries < 5000; tries++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return status_kib("Threads");
}

static uint64_t open_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL)
    return 0;
  uint64_t num = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
    num += entry->d_name[0] != '.';
  closedir(dir);
  return num - 1;
}

static void add_cpu_time(struct measurement *m, uint64_t ns) {
  if (m->num == m->capacity) {
    size_t capacity = m->capacity == 0 ? 1024 : 2 * m->capacity;
    uint64_t *grown = realloc(m->cpu_ns, capacity * sizeof(*grown));
    if (grown == NULL) {
      fprintf(stderr, "plugin_host: out of memory\n");
      exit(EXIT_START_FAILED);
    }
    m->cpu_ns = grown;
    m->capacity = capacity;
  }
  m->cpu_ns[m->num++] = ns;
}

/* Performs read `number`, counted from 0 with those of the warm-up. */
static int perform_read(uint64_t number, bool warmup, struct measurement *m) {
  have_read_time = false;
  uint64_t values = atomic_load(&value_count);
  uint64_t mallocs = atomic_load(&malloc_count);
  uint64_t start = process_cpu_ns();
  int status = call_reads();
  uint64_t cpu_ns = process_cpu_ns() - start;
  /* The first two reads may still allocate what all others reuse. */
  if (number >= 2) {
    m->mallocs += atomic_load(&malloc_count) - mallocs;
    m->malloc_reads++;
  }
  if (!warmup) {
    m->values += atomic_load(&value_count) - values;
    add_cpu_time(m, cpu_ns);
  }
  if (options.measure && number == 0) {
    m->rss_kib_first = status_kib("VmRSS");
    m->open_fds_first = open_fds();
  }
  return status;
}

static void pause_between_reads(void) {
  if (options.interval <= 0)
    return;
  double seconds = floor(options.interval);
  struct timespec left = {
      .tv_sec = (time_t)seconds,
      .tv_nsec = (long)((options.interval - seconds) * 1e9),
  };
  while (nanosleep(&left, &left) != 0 && errno == EINTR)
    continue;
}

static bool printed_read(uint64_t shown, uint64_t number, bool warmup,
                         struct measurement *m) {
  checking = options.values;
  if (checking)
    printf("read %" PRIu64 "\n", shown);
  int status = perform_read(number, warmup, m);
  if (checking && status != 0)
    printf("read %" PRIu64 " returned %d\n", shown, status);
  checking = false;
  return status == 0;
}

static bool reads_by_number(struct measurement *m) {
  uint64_t warmup = options.measure ? options.warmup : 0;
  bool good = true;
  for (uint64_t i = 0; i < warmup + options.reads; i++) {
    if (i > 0)
      pause_between_reads();
    if (i < warmup)
      good &= perform_read(i, true, m) == 0;
    else
      good &= printed_read(i - warmup + 1, i, false, m);
  }
  return good;
}

static void report_faults(void) {
  faults_report();
  printf("# open %" PRIu64 " threads %" PRIu64 "\n", open_fds(), threads());
}

static bool reads_by_line(struct measurement *m) {
  uint64_t warmup = options.measure ? options.warmup : 0;
  bool good = true;
  char *line = NULL;
  size_t capacity = 0;
  for (uint64_t i = 0; getline(&line, &capacity, stdin) >= 0; i++) {
    if (faults_plan != NULL)
      faults_plan(line);
    good &= printed_read(i + 1, i, i < warmup, m);
    if (faults_report != NULL)
      report_faults();
    puts("done");
    fflush(stdout);
  }
  free(line);
  return good;
}

static int compare_numbers(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a;
  uint64_t right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static void print_measurement(struct measurement *m) {
  uint64_t median = 0;
  uint64_t min = 0;
  if (m->num > 0) {
    qsort(m->cpu_ns, m->num, sizeof(*m->cpu_ns), compare_numbers);
    median = (m->cpu_ns[(m->num - 1) / 2] + m->cpu_ns[m->num / 2]) / 2;
    min = m->cpu_ns[0];
  }
  printf("reads %zu\n", m->num);
  printf("cpu_ns_per_read_median %" PRIu64 "\n", median);
  printf("cpu_ns_per_read_min %" PRIu64 "\n", min);
  printf("values_per_read %.10g\n",
         m->num > 0 ? (double)m->values / (double)m->num : 0);
  printf("peak_rss_kib %" PRIu64 "\n", status_kib("VmHWM"));
  printf("rss_kib_after_first %" PRIu64 "\n", m->rss_kib_first);
  printf("rss_kib_after_last %" PRIu64 "\n", status_kib("VmRSS"));
  printf("open_fds_after_first %" PRIu64 "\n", m->open_fds_first);
  printf("open_fds_after_last %" PRIu64 "\n", open_fds());
  printf("threads_after_last %" PRIu64 "\n", threads());
  if (COUNT_MALLOC && m->malloc_reads > 0)
    printf("mallocs_per_read %.10g\n",
           (double)m->mallocs / (double)m->malloc_reads);
  else
    printf("mallocs_per_read unknown\n");
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

static int read_types_db(const char *path) {
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

static void free_data_types(void) {
  for (size_t i = 0; i < data_types_num; i++)
    free(data_types[i].name);
  free(data_types);
}

/* The daemon takes a plugin's name from its file's, and no symbolic link. */
static int load(const char *path, char *name) {
  struct stat info;
  if (lstat(path, &info) != 0) {
    fprintf(stderr, "plugin_host: %s: %s\n", path, strerror(errno));
    return -1;
  }
  if (!S_ISREG(info.st_mode)) {
    fprintf(stderr,
            "plugin_host: %s is not a regular file: collectd would not load "
            "it\n",
            path);
    return -1;
  }
  char *absolute = realpath(path, NULL);
  void *handle =
      absolute == NULL ? NULL : dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
  free(absolute);
  if (handle == NULL) {
    fprintf(stderr, "plugin_host: dlopen failed: %s\n", dlerror());
    return -1;
  }
  void (*module_register_function)(void) = NULL;
  *(void **)&module_register_function = dlsym(handle, "module_register");
  if (module_register_function == NULL) {
    fprintf(stderr, "plugin_host: %s has no module_register\n", path);
    return -1;
  }
  plugin_ctx_t old = plugin_set_ctx((plugin_ctx_t){
      .name = name,
      .interval = interval_g,
  });
  module_register_function();
  plugin_set_ctx(old);
  return 0;
}

static const char usage[] =
    "usage: plugin_host [OPTIONS] PLUGIN.so\n"
    "  --config FILE      give the plugin its <Plugin> blocks of FILE\n"
    "  --reads N          read N times (1)\n"
    "  --stdin            read once for each line of standard input, print "
    "the\n"
    "                     values and the line `done'\n"
    "  --interval SECONDS sleep between reads (0)\n"
    "  --values           print and check each value\n"
    "  --types-db FILE    with --values: the types "
    "(/usr/share/collectd/types.db)\n"
    "  --strict-time      with --values: a value must come with its time\n"
    "  --allow NAMES      from the first read on, kill the process when it "
    "makes a\n"
    "                     system call that is not among these\n"
    "  --registrations    print what the plugin registers\n"
    "  --measure          print what the reads cost\n"
    "  --warmup N         with --measure: first read N times unmeasured (1)\n"
    "exit status: 0 all reads returned 0; 1 one did not; 2 usage; 3 the "
    "plugin\n"
    "did not load, configure or initialise; 4 a value violates the contract\n";

static bool parse_count(const char *text, uint64_t max, uint64_t *count) {
  uint64_t number = 0;
  if (*text == '\0')
    return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9')
      return false;
    unsigned int digit = (unsigned int)(*text - '0');
    if (number > (max - digit) / 10)
      return false;
    number = number * 10 + digit;
  }
  *count = number;
  return true;
}

static bool parse_seconds(const char *text, double *seconds) {
  char *end = NULL;
  double number = strtod(text, &end);
  if (end == text || *end != '\0' || !(number >= 0 && number <= 86400))
    return false;
  *seconds = number;
  return true;
}

static int bad_usage(const char *what, const char *text) {
  fprintf(stderr, "plugin_host: %s%s%s (try --help)\n", what,
          text[0] == '\0' ? "" : ": ", text);
  return EXIT_USAGE;
}

/* Returns 0, EXIT_USAGE, or -1 when help was asked for. */
static int parse_options(int argc, char **argv) {
  static const struct option names[] = {
      {.name = "config", .has_arg = required_argument, .val = 'c'},
      {.name = "reads", .has_arg = required_argument, .val = 'n'},
      {.name = "stdin", .val = 's'},
      {.name = "interval", .has_arg = required_argument, .val = 'i'},
      {.name = "values", .val = 'v'},
      {.name = "types-db", .has_arg = required_argument, .val = 't'},
      {.name = "strict-time", .val = 'T'},
      {.name = "allow", .has_arg = required_argument, .val = 'a'},
      {.name = "registrations", .val = 'r'},
      {.name = "measure", .val = 'm'},
      {.name = "warmup", .has_arg = required_argument, .val = 'w'},
      {.name = "help", .val = 'h'},
      {.name = NULL},
  };
  for (int option;
       (option = getopt_long(argc, argv, ":", names, NULL)) != -1;) {
    switch (option) {
    case 'c':
      options.config = optarg;
      break;
    case 'n':
      if (!parse_count(optarg, 1000000000, &options.reads))
        return bad_usage("--reads takes a number up to 1000000000", optarg);
      break;
    case 's':
      options.from_stdin = true;
      options.values = true;
      break;
    case 'i':
      if (!parse_seconds(optarg, &options.interval))
        return bad_usage("--interval takes seconds from 0 to 86400", optarg);
      break;
    case 'v':
      options.values = true;
      break;
    case 't':
      options.types_db = optarg;
      break;
    case 'T':
      options.strict_time = true;
      break;
    case 'a':
      options.allow = optarg;
      break;
    case 'r':
      options.registrations = true;
      break;
    case 'm':
      options.measure = true;
      break;
    case 'w':
      if (!parse_count(optarg, 1000000, &options.warmup))
        return bad_usage("--warmup takes a number up to 1000000", optarg);
      break;
    case 'h':
      fputs(usage, stdout);
      return -1;
    case ':':
      return bad_usage("this option takes a value", argv[optind - 1]);
    default:
      return bad_usage("unknown option", argv[optind - 1]);
    }
  }
  if (argc - optind != 1)
    return bad_usage("give exactly one PLUGIN.so", "");
  options.plugin = argv[optind];
  return 0;
}

static char *plugin_name(const char *path) {
  const char *slash = strrchr(path, '/');
  char *name = sstrdup(slash == NULL ? path : slash + 1);
  size_t length = strlen(name);
  if (length > 3 && strcmp(name + length - 3, ".so") == 0)
    name[length - 3] = '\0';
  return name;
}

static int run(char *name) {
  if (load(options.plugin, name) != 0)
    return EXIT_START_FAILED;
  if (options.config != NULL && configure(name) != 0)
    return EXIT_START_FAILED;
  if (initialise() != 0) {
    shut_down();
    return EXIT_START_FAILED;
  }
  if (!has_read())
    fprintf(stderr, "plugin_host: the plugin has no read callback\n");
  const char *unknown = "";
  int err = options.allow == NULL
                ? 0
                : syscall_filter_install(options.allow, &unknown);
  if (err != 0) {
    fprintf(stderr, "plugin_host: --allow: %s: %s\n", strerror(-err), unknown);
    shut_down();
    return EXIT_USAGE;
  }
  struct measurement m = {.cpu_ns = NULL};
  bool good = options.from_stdin ? reads_by_line(&m) : reads_by_number(&m);
  if (options.measure)
    print_measurement(&m);
  free(m.cpu_ns);
  shut_down();
  if (violated)
    return EXIT_CONTRACT;
  return good ? 0 : EXIT_READ_FAILED;
}

int main(int argc, char **argv) {
  static char output[65536];
  setvbuf(stdout, output, _IOFBF, sizeof(output));
  int status = parse_options(argc, argv);
  if (status != 0)
    return status < 0 ? 0 : status;
  static char host_name[] = "localhost";
  hostname_g = host_name;
  if (options.interval > 0)
    interval_g = DOUBLE_TO_CDTIME_T(options.interval);
  if (options.values && read_types_db(options.types_db) != 0) {
    free_data_types();
    return EXIT_USAGE;
  }
  char *name = plugin_name(options.plugin);
  status = run(name);
  free(name);
  free_callbacks();
  free_data_types();
  return status;
}
