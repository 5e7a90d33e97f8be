/* Checks the configuration tree that collectd has parsed and turns it into
 * settings; nothing but text and numbers goes in, settings or one error line
 * come out. */
#include "config.h"

#include "number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <liboconfig/oconfig.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define PORT_HELP                                                              \
  "write a number from 1 to 65535, a service name or a quoted range such as "  \
  "\"8000-8099\""

/* Everything that an option's reader needs. */
struct parse {
  struct settings *settings;
  const oconfig_item_t *item;
  struct config_error *error;
};

/* The value as the user wrote it, for an error text. */
static const char *show(const oconfig_value_t *value, char *buf, size_t size) {
  if (value->type == OCONFIG_TYPE_STRING)
    snprintf(buf, size, "\"%s\"", value->value.string);
  else if (value->type == OCONFIG_TYPE_NUMBER)
    snprintf(buf, size, "%.15g", value->value.number);
  else
    snprintf(buf, size, "%s", value->value.boolean ? "true" : "false");
  return buf;
}

__attribute__((format(printf, 2, 3))) static int
refuse(struct config_error *error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(error->text, sizeof(error->text), format, args);
  va_end(args);
  /* One line, whatever the user's strings hold. */
  for (char *c = error->text; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c))
      *c = '?';
  return -EINVAL;
}

/* "OPTION VALUE: reason" */
static int refuse_value(const struct parse *p, const oconfig_value_t *value,
                        const char *reason) {
  char shown[160];
  return refuse(p->error, "%s %s: %s", p->item->key,
                show(value, shown, sizeof(shown)), reason);
}

static int out_of_memory(struct config_error *error) {
  refuse(error, "out of memory");
  return -ENOMEM;
}

static int read_boolean(const struct parse *p, bool *out) {
  static const struct {
    const char *word;
    bool value;
  } words[] = {{"true", true},   {"yes", true}, {"on", true},
               {"false", false}, {"no", false}, {"off", false}};
  if (p->item->values_num != 1)
    return refuse(p->error, "%s: takes one value; write true or false",
                  p->item->key);

  const oconfig_value_t *value = &p->item->values[0];
  if (value->type == OCONFIG_TYPE_BOOLEAN) {
    *out = value->value.boolean;
    return 0;
  }
  if (value->type == OCONFIG_TYPE_STRING)
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
      if (strcasecmp(words[i].word, value->value.string) == 0) {
        *out = words[i].value;
        return 0;
      }
  return refuse_value(p, value, "not a boolean; write true or false");
}

static int parse_port(const char *text, size_t len, uint16_t *out) {
  uint64_t port;
  int err = number_parse(text, len, UINT16_MAX, &port);
  if (err == 0 && port == 0)
    err = -ERANGE;
  if (err == 0)
    *out = (uint16_t)port;
  return err;
}

static int read_service(const struct parse *p, const oconfig_value_t *value,
                        struct port_range *out) {
  const struct addrinfo hints = {.ai_family = AF_INET,
                                 .ai_socktype = SOCK_STREAM};
  const char *name = value->value.string;
  /* Every service name has a letter (RFC 6335); without one, getaddrinfo()
   * would take " 80" or "-1" for a number. */
  bool letter = false;
  for (const char *c = name; *c != '\0'; c++)
    letter = letter || isalpha((unsigned char)*c);
  struct addrinfo *found;
  if (!letter || getaddrinfo(NULL, name, &hints, &found) != 0)
    return refuse_value(
        p, value, "no TCP service of this name in /etc/services; " PORT_HELP);
  struct sockaddr_in address;
  memcpy(&address, found->ai_addr, sizeof(address));
  freeaddrinfo(found);
  out->first = out->last = ntohs(address.sin_port);
  return 0;
}

static int read_port_text(const struct parse *p, const oconfig_value_t *value,
                          struct port_range *out) {
  const char *text = value->value.string;
  const char *digits = "0123456789";
  size_t first_len = strspn(text, digits);
  bool single = text[first_len] == '\0';
  bool range =
      text[first_len] == '-' &&
      text[first_len + 1 + strspn(text + first_len + 1, digits)] == '\0';
  if (first_len == 0 || (!single && !range))
    return read_service(p, value, out);

  const char *last = single ? text : text + first_len + 1;
  if (parse_port(text, first_len, &out->first) != 0 ||
      parse_port(last, strlen(last), &out->last) != 0)
    return refuse_value(p, value, "not a port; " PORT_HELP);
  if (out->first > out->last) {
    char reason[80];
    snprintf(reason, sizeof(reason),
             "the range ends before it begins; write \"%u-%u\"", out->last,
             out->first);
    return refuse_value(p, value, reason);
  }
  return 0;
}

static int read_port(const struct parse *p, int i, struct port_range *out) {
  const oconfig_value_t *value = &p->item->values[i];
  if (value->type == OCONFIG_TYPE_STRING)
    return read_port_text(p, value, out);
  if (value->type != OCONFIG_TYPE_NUMBER)
    return refuse_value(p, value, "not a port; " PORT_HELP);

  double number = value->value.number;
  /* collectd's parser reads 8000-8099 without quotes as 8000 and -8099. */
  if (i > 0 && number < 0 &&
      p->item->values[i - 1].type == OCONFIG_TYPE_NUMBER) {
    char before[32], after[32];
    return refuse(
        p->error, "%s %s%s: quote the range; write %s \"%s%s\"", p->item->key,
        show(&p->item->values[i - 1], before, sizeof(before)),
        show(value, after, sizeof(after)), p->item->key, before, after);
  }
  if (!(number >= 1 && number <= UINT16_MAX) || number != (uint16_t)number)
    return refuse_value(p, value, "not a port; " PORT_HELP);
  out->first = out->last = (uint16_t)number;
  return 0;
}

static struct group *find_group(const struct settings *settings,
                                const char *name) {
  for (size_t i = 0; i < settings->groups_num; i++)
    if (strcmp(settings->groups[i].name, name) == 0)
      return &settings->groups[i];
  return NULL;
}

/* Adds a group without conditions. Returns NULL when out of memory. */
static struct group *add_group(struct settings *settings, const char *name) {
  struct group *groups =
      realloc(settings->groups, (settings->groups_num + 1) * sizeof(*groups));
  if (groups == NULL)
    return NULL;
  settings->groups = groups;
  char *copy = strdup(name);
  if (copy == NULL)
    return NULL;
  groups[settings->groups_num] = (struct group){.name = copy};
  return &groups[settings->groups_num++];
}

/* Adds the group of a port option; the same one twice is one, as in tcpconns.
 */
static int add_port_group(const struct parse *p, struct port_range range,
                          bool local) {
  char name[32];
  const char *side = local ? "local" : "remote";
  if (range.first == range.last)
    snprintf(name, sizeof(name), "%u-%s", range.first, side);
  else
    snprintf(name, sizeof(name), "%u-%u-%s", range.first, range.last, side);
  if (find_group(p->settings, name) != NULL)
    return 0;

  struct group *group = add_group(p->settings, name);
  if (group == NULL)
    return out_of_memory(p->error);
  struct port_set *set =
      local ? &group->filter.local_ports : &group->filter.remote_ports;
  return port_set_add(set, range) == 0 ? 0 : out_of_memory(p->error);
}

static int read_port_groups(const struct parse *p, bool local) {
  if (p->item->values_num == 0)
    return refuse(p->error, "%s: no port given; " PORT_HELP, p->item->key);
  for (int i = 0; i < p->item->values_num; i++) {
    struct port_range range = {0};
    int err = read_port(p, i, &range);
    if (err == 0)
      err = add_port_group(p, range, local);
    if (err != 0)
      return err;
  }
  return 0;
}

static int read_choice(const struct parse *p, enum settings_choice *out) {
  bool value;
  int err = read_boolean(p, &value);
  if (err == 0)
    *out = value ? CHOICE_TRUE : CHOICE_FALSE;
  return err;
}

static int read_report(const struct parse *p, unsigned flag) {
  bool value;
  int err = read_boolean(p, &value);
  if (err == 0)
    p->settings->report =
        value ? p->settings->report | flag : p->settings->report & ~flag;
  return err;
}

static int read_all_ports_summary(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->all_ports_summary);
}

static int read_listening_ports(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_choice(p, &p->settings->listening_ports);
}

static int read_local_port(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_port_groups(p, true);
}

static int read_remote_port(const struct parse *p, unsigned arg) {
  (void)arg;
  return read_port_groups(p, false);
}

struct option {
  const char *key;
  int (*read)(const struct parse *p, unsigned arg);
  unsigned arg;
};

static const struct option options[] = {
    {"AllPortsSummary", read_all_ports_summary, 0},
    {"ListeningPorts", read_listening_ports, 0},
    {"LocalPort", read_local_port, 0},
    {"RemotePort", read_remote_port, 0},
    {"ReportByState", read_report, REPORT_BY_STATE},
    {"ReportClosed", read_report, REPORT_CLOSED},
    {"ReportFinWait2", read_report, REPORT_FIN_WAIT2},
    {"ReportOrphans", read_report, REPORT_ORPHANS},
    {"ReportFinTimeout", read_report, REPORT_FIN_TIMEOUT},
    {"ReportLimits", read_report, REPORT_LIMITS},
};
static const size_t options_num = sizeof(options) / sizeof(*options);

static int refuse_option(const char *key, struct config_error *error) {
  char known[320] = "";
  for (size_t i = 0, len = 0; i < options_num && len < sizeof(known); i++)
    len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
                            i == 0 ? "" : ", ", options[i].key);
  return refuse(error, "unknown option \"%.100s\"; write one of %s", key,
                known);
}

static int read_option(const struct parse *p) {
  for (size_t i = 0; i < options_num; i++) {
    if (strcasecmp(options[i].key, p->item->key) != 0)
      continue;
    if (p->item->children_num > 0)
      return refuse(p->error, "<%s>: is not a block; write it on one line: %s",
                    p->item->key, options[i].key);
    return options[i].read(p, options[i].arg);
  }
  return refuse_option(p->item->key, p->error);
}

int config_block(struct settings *settings, const oconfig_item_t *block,
                 struct config_error *error) {
  for (int i = 0; i < block->children_num; i++) {
    const struct parse p = {settings, &block->children[i], error};
    int err = read_option(&p);
    if (err != 0)
      return err;
  }
  return 0;
}

void config_finish(struct settings *settings) {
  /* As in tcpconns: who selects ports gets "all" only when asking for it, and
   * who selects nothing but refuses "all" gets the listening ports. */
  bool ports =
      settings->groups_num > 0 || settings->listening_ports == CHOICE_TRUE;
  if (settings->all_ports_summary == CHOICE_DEFAULT)
    settings->all_ports_summary = ports ? CHOICE_FALSE : CHOICE_TRUE;
  if (settings->listening_ports == CHOICE_DEFAULT)
    settings->listening_ports =
        !ports && settings->all_ports_summary == CHOICE_FALSE ? CHOICE_TRUE
                                                              : CHOICE_FALSE;
}
