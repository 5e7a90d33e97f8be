/* SPDX-License-Identifier: MIT */
/* Loads the plugin and calls what it has registered, as the daemon does. */
#include "host.h"

#include "faults.h"
#include "host_config.h"

#include <dlfcn.h>

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
int configure(const char *name) {
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

int initialise(void) {
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

/* As in the daemon, the data of reads is freed before the shutdown callbacks.
 */
void shut_down(void) {
  free_all_user_data();
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if (c->kind != KIND_SHUTDOWN || c->removed)
      continue;
    plugin_ctx_t old = plugin_set_ctx(c->ctx);
    c->call.simple();
    plugin_set_ctx(old);
  }
}

bool has_read(void) {
  for (struct callback *c = callbacks; c != NULL; c = c->next) {
    if ((c->kind == KIND_READ || c->kind == KIND_COMPLEX_READ) && !c->removed)
      return true;
  }
  return false;
}

/* One read of the plugin: each of its read callbacks once. Returns 0, or what
 * the last one that failed returned. */
int call_reads(void) {
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

/* The daemon takes a plugin's name from its file's, and no symbolic link. */
int load(const char *path, char *name) {
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
