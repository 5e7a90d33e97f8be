/* SPDX-License-Identifier: MIT */
/* Fuzzes config.c, config_value.c, filter.c and settings.c: any configuration
 * becomes valid settings or one line that says what is wrong. The bytes are the
 * text of a collectd.conf; what is no such text is made a tree of as well, for
 * the plugin must not rely on collectd's parser. A text that begins with "!":
 * the next character is the number of the allocation that fails. The functions
 * below __wrap_ take the place of the C library's. */
#include "fuzz.h"

#include "config.h"
#include "group_index.h"
#include "socket_model.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <liboconfig/oconfig.h>
#include <limits.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

const char fuzz_target[] = "config";

#define DEPTH_MAX 5

/* Which allocation of the plugin fails. */
static struct {
  bool counting;
  unsigned num;
  unsigned fail_at; /* 0: none */
} allocations;

static bool allocation_fails(void) {
  return allocations.counting && ++allocations.num == allocations.fail_at;
}

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  return allocation_fails() ? NULL : __real_malloc(size);
}
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  return allocation_fails() ? NULL : __real_realloc(old, size);
}
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
  return allocation_fails() ? NULL : __real_strdup(text);
}

/* The services of the world, whatever /etc/services has. */
static const struct {
  const char *name;
  uint16_t port;
} services[] = {{"ssh", 22}, {"http", 80}, {"https", 443}, {"x11-1", 6001}};

static struct {
  struct addrinfo info;
  struct sockaddr_in address;
  bool used;
} found;

int __wrap_getaddrinfo(const char *node, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *node, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out) {
  NEED(node == NULL && hints->ai_family == AF_INET && !found.used, "%s",
       service);
  for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
    if (strcmp(services[i].name, service) != 0)
      continue;
    found.used = true;
    found.address = (struct sockaddr_in){.sin_family = AF_INET,
                                         .sin_port = htons(services[i].port)};
    found.info = (struct addrinfo){.ai_addr = (void *)&found.address,
                                   .ai_addrlen = sizeof(found.address)};
    *out = &found.info;
    return 0;
  }
  return EAI_SERVICE;
}

void __wrap_freeaddrinfo(struct addrinfo *info);
void __wrap_freeaddrinfo(struct addrinfo *info) {
  NEED(info == &found.info && found.used, "not what was passed");
  found.used = false;
}

/* Where the text is being read. */
struct scanner {
  const char *pos;
  const char *end;
};

static bool at_end(const struct scanner *s) { return s->pos == s->end; }

static void skip_blanks(struct scanner *s) {
  while (!at_end(s) && strchr(" \t\r", *s->pos) != NULL)
    s->pos++;
  if (!at_end(s) && *s->pos == '#')
    while (!at_end(s) && *s->pos != '\n')
      s->pos++;
}

static bool skip_char(struct scanner *s, char c) {
  skip_blanks(s);
  if (at_end(s) || *s->pos != c)
    return false;
  s->pos++;
  return true;
}

static char *copy(const char *text, size_t len) {
  char *result = malloc(len + 1);
  NEED(result != NULL, "no memory");
  memcpy(result, text, len);
  result[len] = '\0';
  return result;
}

/* A word without quotes; NULL: there is none. */
static char *scan_word(struct scanner *s) {
  skip_blanks(s);
  const char *start = s->pos;
  while (!at_end(s) && *s->pos != '\0' &&
         strchr(" \t\r\n<>\"", *s->pos) == NULL)
    s->pos++;
  return s->pos == start ? NULL : copy(start, (size_t)(s->pos - start));
}

/* A text after its first quote. */
static char *scan_quoted(struct scanner *s) {
  const char *start = s->pos;
  bool escaped = false;
  while (!at_end(s) && *s->pos != '\0' && (escaped || *s->pos != '"'))
    escaped = *s->pos++ == '\\' && !escaped;
  char *text = copy(start, (size_t)(s->pos - start));
  if (!at_end(s))
    s->pos++;
  char *out = text;
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '\\' && c[1] != '\0')
      c++;
    *out++ = *c;
  }
  *out = '\0';
  return text;
}

static bool is_word(const char *word, const char *a, const char *b,
                    const char *c) {
  return strcasecmp(word, a) == 0 || strcasecmp(word, b) == 0 ||
         strcasecmp(word, c) == 0;
}

static bool scan_value(struct scanner *s, oconfig_value_t *value) {
  *value = (oconfig_value_t){.type = OCONFIG_TYPE_STRING};
  if (skip_char(s, '"')) {
    value->value.string = scan_quoted(s);
    return true;
  }
  char *word = scan_word(s);
  if (word == NULL)
    return false;
  char *end;
  double number = strtod(word, &end);
  if (is_word(word, "true", "yes", "on") ||
      is_word(word, "false", "no", "off")) {
    value->type = OCONFIG_TYPE_BOOLEAN;
    value->value.boolean = is_word(word, "true", "yes", "on");
  } else if (*end == '\0') {
    value->type = OCONFIG_TYPE_NUMBER;
    value->value.number = number;
  } else {
    value->value.string = word;
    return true;
  }
  free(word);
  return true;
}

static void scan_values(struct scanner *s, oconfig_item_t *item) {
  oconfig_value_t value;
  while (scan_value(s, &value)) {
    item->values = realloc(item->values, (size_t)(item->values_num + 1) *
                                             sizeof(*item->values));
    NEED(item->values != NULL, "no memory");
    item->values[item->values_num++] = value;
  }
}

/* Options and blocks up to the end of this block. */
static void scan_children(struct scanner *s, oconfig_item_t *parent,
                          int depth) {
  while (skip_blanks(s), !at_end(s)) {
    bool block = skip_char(s, '<');
    bool closing = block && !at_end(s) && *s->pos == '/';
    oconfig_item_t item = {.key = scan_word(s)};
    if (item.key == NULL || closing) {
      free(item.key);
      if (!at_end(s))
        s->pos++;
      if (closing)
        return;
      continue;
    }
    scan_values(s, &item);
    if (block && skip_char(s, '>') && depth < DEPTH_MAX)
      scan_children(s, &item, depth + 1);
    parent->children =
        realloc(parent->children,
                (size_t)(parent->children_num + 1) * sizeof(*parent->children));
    NEED(parent->children != NULL, "no memory");
    parent->children[parent->children_num++] = item;
  }
}

static void free_item(oconfig_item_t *item) {
  for (int i = 0; i < item->values_num; i++)
    if (item->values[i].type == OCONFIG_TYPE_STRING)
      free(item->values[i].value.string);
  for (int i = 0; i < item->children_num; i++)
    free_item(&item->children[i]);
  free(item->values);
  free(item->children);
  free(item->key);
}

/* iconv(3) is strict in this conversion. */
static void check_utf8(const char *text) {
  static iconv_t to_utf32;
  if (to_utf32 == NULL)
    to_utf32 = iconv_open("UTF-32LE", "UTF-8");
  char copy[2048], out[8192], *from = copy, *to = out;
  size_t left = strlen(text), room = sizeof(out);
  NEED(left < sizeof(copy), "%zu characters", left);
  memcpy(copy, text, left);
  NEED(iconv(to_utf32, &from, &left, &to, &room) == 0, "%s", text);
}

/* What is no plain character is a question mark, or stays if it is UTF-8. */
static void fold(char *text) {
  for (; *text != '\0'; text++)
    if (*text < ' ' || *text > '~')
      *text = '?';
}

/* Is there an item whose key the folded text names? A long one may be cut. */
static bool names_an_item(const char *text, const oconfig_item_t *item) {
  for (int i = 0; i < item->children_num; i++) {
    char key[61];
    snprintf(key, sizeof(key), "%s", item->children[i].key);
    fold(key);
    if (strstr(text, key) != NULL || names_an_item(text, &item->children[i]))
      return true;
  }
  return false;
}

/* The one line for whoever wrote the configuration. */
static void check_error(const struct config_error *error, int err,
                        const oconfig_item_t *block) {
  size_t len = strnlen(error->text, sizeof(error->text));
  NEED(len > 0 && len < sizeof(error->text), "%zu characters", len);
  for (size_t i = 0; i < len; i++)
    NEED(!iscntrl((unsigned char)error->text[i]), "%s", error->text);
  if (err == -ENOMEM) {
    NEED(strstr(error->text, "out of memory") != NULL, "%s", error->text);
    return;
  }
  check_utf8(error->text);
  struct config_error folded = *error;
  fold(folded.text);
  NEED(names_an_item(folded.text, block), "%s", error->text);
  /* What to do instead is at its end, so the line must not be cut. */
  NEED(strstr(error->text, "write") != NULL ||
           strstr(error->text, "goes into") != NULL,
       "%s", error->text);
  NEED(len < sizeof(error->text) - 1, "%s", error->text);
}

static void check_name(const char *name) {
  NEED(name[0] != '\0' && strlen(name) < 64, "%s", name);
  for (const char *c = name; *c != '\0'; c++)
    NEED(!iscntrl((unsigned char)*c) && *c != '/' && *c != '@', "%s", name);
  check_utf8(name);
}

static void check_ports(const struct port_set *set) {
  for (size_t i = 0; i < set->num; i++)
    NEED(set->ranges[i].first > 0 &&
             set->ranges[i].first <= set->ranges[i].last,
         "%u-%u", set->ranges[i].first, set->ranges[i].last);
}

static void check_prefixes(const struct prefix_set *set) {
  for (size_t i = 0; i < set->num; i++) {
    NEED(set->prefixes[i].len <= 128, "%u", set->prefixes[i].len);
    for (unsigned bit = set->prefixes[i].len; bit < 128; bit++)
      NEED(!(set->prefixes[i].address.bytes[bit / 8] & 0x80 >> bit % 8),
           "bit %u", bit);
  }
}

static void check_filter(const struct filter *filter) {
  check_ports(&filter->local_ports);
  check_ports(&filter->remote_ports);
  check_prefixes(&filter->local_addresses);
  check_prefixes(&filter->remote_addresses);
  for (size_t i = 0; i < filter->cgroups.num; i++) {
    const char *path = filter->cgroups.paths[i];
    NEED(path[0] == '/' && strlen(path) < PATH_MAX, "%s", path);
    NEED(strstr(path, "//") == NULL && strstr(path, "/../") == NULL, "%s",
         path);
  }
  size_t conditions = filter->local_ports.num + filter->remote_ports.num +
                      filter->local_addresses.num +
                      filter->remote_addresses.num + filter->cgroups.num;
  NEED(conditions > 0 || filter->family != FILTER_ANY_FAMILY ||
           filter->protocol != FILTER_TCP,
       "a group of everything");
}

/* One that should belong to the group, unless its conditions contradict each
 * other. */
static struct diag_socket make_member(const struct filter *filter) {
  struct diag_socket socket = {.state = 1};
  if (filter->local_ports.num > 0)
    socket.local_port = filter->local_ports.ranges[0].last;
  if (filter->remote_ports.num > 0)
    socket.remote_port = filter->remote_ports.ranges[0].first;
  if (filter->local_addresses.num > 0)
    socket.local_address = filter->local_addresses.prefixes[0].address;
  else if (filter->family == FILTER_IPV4)
    memset(socket.local_address.bytes + 10, 0xff, 2);
  if (filter->remote_addresses.num > 0)
    socket.remote_address = filter->remote_addresses.prefixes[0].address;
  return socket;
}

#define INDEXED_MAX 16

static void note_group(uint32_t group, void *data) {
  bool *members = data;
  NEED(group < INDEXED_MAX && !members[group], "group %u", group);
  members[group] = true;
}

static void check_index(const struct settings *settings) {
  struct group_index index;
  unsigned before = allocations.num;
  allocations.counting = true;
  int err = group_index_init(&index, settings->groups, settings->groups_num);
  allocations.counting = false;
  bool failed =
      allocations.fail_at > before && allocations.fail_at <= allocations.num;
  NEED(err == (failed ? -ENOMEM : 0), "%d", err);
  if (failed)
    return;
  for (size_t i = 0; i < settings->groups_num; i++) {
    struct diag_socket socket = make_member(&settings->groups[i].filter);
    bool members[INDEXED_MAX] = {false};
    group_index_find(&index, &socket, note_group, members);
    for (size_t j = 0; j < settings->groups_num; j++)
      NEED(members[j] == model_matches(&settings->groups[j].filter, &socket),
           "group %zu, by one of group %zu", j, i);
  }
  group_index_free(&index);
}

static void check_settings(const struct settings *settings) {
  NEED(settings->all_ports_summary != CHOICE_DEFAULT &&
           settings->listening_ports != CHOICE_DEFAULT,
       "no default");
  NEED(settings->stuck_after <= 31536000, "%u", settings->stuck_after);
  NEED((settings_states(settings) & ~0xffeu) == 0, "%x",
       settings_states(settings));
  for (size_t i = 0; i < settings->groups_num; i++) {
    const char *name = settings->groups[i].name;
    check_name(name);
    NEED(strcmp(name, "all") != 0 && strcmp(name, "machine") != 0, "%s", name);
    for (size_t j = 0; j < i; j++)
      NEED(strcmp(settings->groups[j].name, name) != 0, "twice: %s", name);
    check_filter(&settings->groups[i].filter);
  }
  if (settings->groups_num <= INDEXED_MAX)
    check_index(settings);
  for (size_t i = 0; i < settings->namespaces_num; i++) {
    const struct settings_namespace *namespace = &settings->namespaces[i];
    check_name(namespace->name);
    NEED(namespace->paths_num > 0, "%s", namespace->name);
    for (size_t k = 0; k < namespace->paths_num; k++)
      NEED(namespace->paths[k][0] == '/', "%s", namespace->paths[k]);
    NEED(namespace->budget >= 1 && namespace->budget <= 100, "%u",
         namespace->budget);
    NEED(namespace->settings.other_namespace &&
             namespace->settings.namespaces_num == 0,
         "%s", namespace->name);
    for (size_t j = 0; j < i; j++)
      NEED(strcmp(settings->namespaces[j].name, namespace->name) != 0,
           "twice: %s", namespace->name);
    check_settings(&namespace->settings);
  }
}

static int read_block(struct settings *settings, const oconfig_item_t *block) {
  struct config_error error;
  memset(&error, '#', sizeof(error));
  allocations.counting = true;
  int err = config_block(settings, block, &error);
  allocations.counting = false;
  bool failed =
      allocations.fail_at > 0 && allocations.num >= allocations.fail_at;
  NEED(err == 0 || err == -EINVAL || (err == -ENOMEM && failed), "%d", err);
  NEED(err == -ENOMEM || !failed, "%d without memory", err);
  NEED(!found.used, "a service is not freed");
  if (err != 0)
    check_error(&error, err, block);
  return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct scanner scanner = {(const char *)data, (const char *)data + size};
  allocations.num = allocations.fail_at = 0;
  if (size >= 2 && data[0] == '!') {
    allocations.fail_at = data[1];
    scanner.pos += 2;
  }
  oconfig_item_t root = {.key = NULL};
  scan_children(&scanner, &root, 0);

  struct settings settings;
  settings_init(&settings);
  int err = 0;
  bool blocks = false;
  for (int i = 0; i < root.children_num && err == 0; i++)
    if (strcasecmp(root.children[i].key, "Plugin") == 0) {
      blocks = true;
      err = read_block(&settings, &root.children[i]);
    }
  if (!blocks)
    err = read_block(&settings, &root);
  if (err == 0) {
    config_finish(&settings);
    check_settings(&settings);
  }
  settings_free(&settings);
  free_item(&root);
  return 0;
}
