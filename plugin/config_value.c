/* Checks the values of options, for config.c and config_groups.c. */
#include "config_value.h"

#include "number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

int config_refuse(const struct config_option *option, const char *format, ...) {
  char *text = option->error->text;
  size_t size = sizeof(option->error->text);
  int len = snprintf(text, size, "%s", option->where);
  va_list args;
  va_start(args, format);
  if (len >= 0 && (size_t)len < size)
    vsnprintf(text + len, size - (size_t)len, format, args);
  va_end(args);
  for (char *c = text; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c))
      *c = '?';
  return -EINVAL;
}

int config_out_of_memory(const struct config_option *option) {
  config_refuse(option, "out of memory");
  return -ENOMEM;
}

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

/* "OPTION VALUE: reason" */
static int refuse_value(const struct config_option *option, int i,
                        const char *reason) {
  char shown[160];
  return config_refuse(option, "%s %s: %s", option->item->key,
                       show(&option->item->values[i], shown, sizeof(shown)),
                       reason);
}

bool config_is_plain_name(const char *name) {
  for (const char *c = name; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c) || *c == '/' || *c == '@')
      return false;
  return true;
}

int config_need_value(const struct config_option *option, const char *help) {
  return option->item->values_num > 0
             ? 0
             : config_refuse(option, "%s: no value given; %s",
                             option->item->key, help);
}

int config_read_boolean(const struct config_option *option, bool *out) {
  static const struct {
    const char *word;
    bool value;
  } words[] = {{"true", true},   {"yes", true}, {"on", true},
               {"false", false}, {"no", false}, {"off", false}};
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1)
    return config_refuse(option, "%s: takes one value; write true or false",
                         item->key);

  const oconfig_value_t *value = &item->values[0];
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
  return refuse_value(option, 0, "not a boolean; write true or false");
}

int config_read_string(const struct config_option *option, const char *help,
                       const char **out) {
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1 || item->values[0].type != OCONFIG_TYPE_STRING)
    return config_refuse(option, "%s: takes one text in quotes; %s", item->key,
                         help);
  *out = item->values[0].value.string;
  return 0;
}

int config_read_number(const struct config_option *option, uint32_t min,
                       uint32_t max, const char *help, uint32_t *out) {
  const oconfig_item_t *item = option->item;
  if (item->values_num != 1)
    return config_refuse(option, "%s: takes one value; %s", item->key, help);
  const oconfig_value_t *value = &item->values[0];
  uint64_t number = 0;
  bool good = false;
  if (value->type == OCONFIG_TYPE_STRING) {
    const char *text = value->value.string;
    good = number_parse(text, strlen(text), max, &number) == 0 && number >= min;
  } else if (value->type == OCONFIG_TYPE_NUMBER && value->value.number >= min &&
             value->value.number <= max) {
    number = (uint64_t)value->value.number;
    good = value->value.number == (double)number;
  }
  if (!good)
    return refuse_value(option, 0, help);
  *out = (uint32_t)number;
  return 0;
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

static int read_service(const struct config_option *option, int i,
                        struct port_range *out) {
  const struct addrinfo hints = {.ai_family = AF_INET,
                                 .ai_socktype = SOCK_STREAM};
  const char *name = option->item->values[i].value.string;
  /* Every service name has a letter (RFC 6335); without one, getaddrinfo()
   * would take " 80" or "-1" for a number. */
  bool letter = false;
  for (const char *c = name; *c != '\0'; c++)
    letter = letter || isalpha((unsigned char)*c);
  struct addrinfo *found;
  if (!letter || getaddrinfo(NULL, name, &hints, &found) != 0)
    return refuse_value(
        option, i, "no TCP service of this name in /etc/services; " PORT_HELP);
  struct sockaddr_in address;
  memcpy(&address, found->ai_addr, sizeof(address));
  freeaddrinfo(found);
  out->first = out->last = ntohs(address.sin_port);
  return 0;
}

static int read_port_text(const struct config_option *option, int i,
                          struct port_range *out) {
  const char *text = option->item->values[i].value.string;
  const char *digits = "0123456789";
  size_t first_len = strspn(text, digits);
  bool single = text[first_len] == '\0';
  bool range =
      text[first_len] == '-' &&
      text[first_len + 1 + strspn(text + first_len + 1, digits)] == '\0';
  if (first_len == 0 || (!single && !range))
    return read_service(option, i, out);

  const char *last = single ? text : text + first_len + 1;
  if (parse_port(text, first_len, &out->first) != 0 ||
      parse_port(last, strlen(last), &out->last) != 0)
    return refuse_value(option, i, "not a port; " PORT_HELP);
  if (out->first > out->last) {
    char reason[80];
    snprintf(reason, sizeof(reason),
             "the range ends before it begins; write \"%u-%u\"", out->last,
             out->first);
    return refuse_value(option, i, reason);
  }
  return 0;
}

int config_read_port(const struct config_option *option, int i,
                     struct port_range *out) {
  const oconfig_item_t *item = option->item;
  const oconfig_value_t *value = &item->values[i];
  if (value->type == OCONFIG_TYPE_STRING)
    return read_port_text(option, i, out);
  if (value->type != OCONFIG_TYPE_NUMBER)
    return refuse_value(option, i, "not a port; " PORT_HELP);

  double number = value->value.number;
  /* collectd's parser reads 8000-8099 without quotes as 8000 and -8099. */
  if (i > 0 && number < 0 && item->values[i - 1].type == OCONFIG_TYPE_NUMBER) {
    char before[32], after[32];
    return config_refuse(
        option, "%s %s%s: quote the range; write %s \"%s%s\"", item->key,
        show(&item->values[i - 1], before, sizeof(before)),
        show(value, after, sizeof(after)), item->key, before, after);
  }
  if (!(number >= 1 && number <= UINT16_MAX) || number != (uint16_t)number)
    return refuse_value(option, i, "not a port; " PORT_HELP);
  out->first = out->last = (uint16_t)number;
  return 0;
}

/* Parses an address, IPv4 as v4-mapped; *bits becomes how many it has as the
 * user wrote it. */
static bool parse_address(const char *text, struct address *out,
                          unsigned *bits) {
  *out = (struct address){.bytes = {[10] = 0xff, [11] = 0xff}};
  *bits = 32;
  if (inet_pton(AF_INET, text, out->bytes + 12) == 1)
    return true;
  *bits = 128;
  return inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* Clears the bits behind the prefix's length. Returns whether all were 0. */
static bool clear_rest(struct prefix *prefix) {
  bool clear = true;
  for (unsigned bit = prefix->len; bit < 128; bit++) {
    uint8_t mask = (uint8_t)(0x80u >> bit % 8);
    clear = clear && !(prefix->address.bytes[bit / 8] & mask);
    prefix->address.bytes[bit / 8] &= (uint8_t)~mask;
  }
  return clear;
}

int config_read_prefix(const struct config_option *option, int i,
                       struct prefix *out) {
  const oconfig_value_t *value = &option->item->values[i];
  if (value->type != OCONFIG_TYPE_STRING)
    return refuse_value(option, i, "not an address in quotes; " PREFIX_HELP);
  const char *text = value->value.string;
  const char *slash = strchr(text, '/');
  size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
  char address[INET6_ADDRSTRLEN];
  unsigned bits;
  if (len >= sizeof(address))
    return refuse_value(option, i, "not an address; " PREFIX_HELP);
  memcpy(address, text, len);
  address[len] = '\0';
  if (!parse_address(address, &out->address, &bits))
    return refuse_value(option, i, "not an address; " PREFIX_HELP);

  uint64_t prefix_len = bits;
  if (slash != NULL &&
      number_parse(slash + 1, strlen(slash + 1), bits, &prefix_len) != 0) {
    char reason[100];
    snprintf(reason, sizeof(reason),
             "not a prefix length; write a number from 0 to %u behind the "
             "slash",
             bits);
    return refuse_value(option, i, reason);
  }
  out->len = (uint8_t)(prefix_len + 128 - bits);
  if (!clear_rest(out)) {
    char cleared[INET6_ADDRSTRLEN], reason[160];
    if (bits == 32)
      inet_ntop(AF_INET, out->address.bytes + 12, cleared, sizeof(cleared));
    else
      inet_ntop(AF_INET6, out->address.bytes, cleared, sizeof(cleared));
    snprintf(reason, sizeof(reason),
             "the address has bits behind the prefix; write \"%s/%u\" or a "
             "longer prefix",
             cleared, (unsigned)prefix_len);
    return refuse_value(option, i, reason);
  }
  return 0;
}

int config_read_family(const struct config_option *option, int i,
                       enum filter_family *out) {
  const oconfig_value_t *value = &option->item->values[i];
  bool text = value->type == OCONFIG_TYPE_STRING;
  if (text && strcasecmp(value->value.string, "ipv4") == 0)
    *out = FILTER_IPV4;
  else if (text && strcasecmp(value->value.string, "ipv6") == 0)
    *out = FILTER_IPV6;
  else
    return refuse_value(option, i,
                        "not an address family; write \"ipv4\" or \"ipv6\"");
  return 0;
}

int config_read_cgroup(const struct config_option *option, int i, char *out,
                       size_t size) {
  const oconfig_value_t *value = &option->item->values[i];
  if (value->type != OCONFIG_TYPE_STRING || value->value.string[0] != '/')
    return refuse_value(option, i, "not an absolute path; " CGROUP_HELP);
  const char *path = value->value.string;
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] == '/')
    len--;
  if (len >= size)
    return refuse_value(option, i, "too long for a path; " CGROUP_HELP);
  memcpy(out, path, len);
  out[len] = '\0';

  const size_t mount_len = strlen("/sys/fs/cgroup");
  if (strncmp(out, "/sys/fs/cgroup", mount_len) == 0 &&
      (out[mount_len] == '/' || out[mount_len] == '\0'))
    return refuse_value(option, i,
                        "leave out where cgroup v2 is mounted; " CGROUP_HELP);
  for (const char *part = out; part != NULL; part = strchr(part, '/')) {
    part++;
    size_t part_len = strcspn(part, "/");
    if ((part_len == 0 && len > 1) || (part_len == 1 && part[0] == '.') ||
        (part_len == 2 && memcmp(part, "..", 2) == 0))
      return refuse_value(option, i,
                          "has an empty part, \".\" or \"..\"; " CGROUP_HELP);
  }
  return 0;
}
