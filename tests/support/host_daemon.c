/* SPDX-License-Identifier: MIT */
/* What the daemon gives every plugin: texts, time, the log and threads. */
#include "host.h"

#include <netdb.h>
#include <netinet/in.h>

/* The daemon's globals, which a plugin may use. */
char *hostname_g;
cdtime_t interval_g = TIME_T_TO_CDTIME_T_STATIC(DEFAULT_INTERVAL);
int timeout_g = 2;

_Thread_local plugin_ctx_t current_ctx;

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
