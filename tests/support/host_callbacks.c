/* SPDX-License-Identifier: MIT */
/* What the plugin registers, and takes back. */
#include "host.h"

static const char *const kind_names[] = {
    [KIND_CONFIG] = "config",
    [KIND_COMPLEX_CONFIG] = "complex_config",
    [KIND_INIT] = "init",
    [KIND_READ] = "read",
    [KIND_COMPLEX_READ] = "complex_read",
    [KIND_SHUTDOWN] = "shutdown",
};

struct callback *callbacks;

static void print_registration(const char *kind, const char *name) {
  if (options.registrations)
    printf("%s %s\n", kind, name);
}

struct callback *find_callback(enum kind kind, const char *name) {
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

void free_all_user_data(void) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    free_user_data(&c->user_data);
    c->user_data = (user_data_t){.data = NULL};
  }
}

void free_callbacks(void) {
  free_all_user_data();
  while (callbacks != NULL) {
    struct callback *next = callbacks->next;
    free(callbacks->name);
    free(callbacks->group);
    free(callbacks);
    callbacks = next;
  }
}
