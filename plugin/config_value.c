/* SPDX-License-Identifier: MIT */
/* Reads options: finds each in a table, and checks its values; config.c and
 * config_groups.c have the tables. */
#include "config_value.h"

#include "number.h"
#include "printable.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int config_refuse(const struct config_option *option, const char *format, ...) {
  char *text = option->error->text;
  size_t size = sizeof(option->error->text);
  /* where is shorter. */
  int len = snprintf(text, size, "%s", option->where);
  va_list args;
  va_start(args, format);
  vsnprintf(text + len, size - (size_t)len, format, args);
  va_end(args);
  printable(text);
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

int config_refuse_value(const struct config_option *option, int i,
                        const char *reason) {
  char shown[160];
  return config_refuse(option, "%s %s: %s", option->item->key,
                       show(&option->item->values[i], shown, sizeof(shown)),
                       reason);
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
  return config_refuse_value(option, 0, "not a boolean; write true or false");
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
    return config_refuse_value(option, 0, help);
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

/* Writes the words of "80 443" as values of their own. Returns how many there
 * are; 0: one of them is no port's, or they are too long. */
static size_t split_words(const char *text, char *out, size_t size) {
  const char *gaps = " \t,;";
  size_t num = 0, len = 0;
  const char *word = text + strspn(text, gaps);
  for (; *word != '\0' && len < size; num++) {
    if (!isalnum((unsigned char)*word))
      return 0;
    int word_len = (int)strcspn(word, gaps);
    const char *quote =
        strspn(word, "0123456789") == (size_t)word_len ? "" : "\"";
    len += (size_t)snprintf(out + len, size - len, " %s%.*s%s", quote, word_len,
                            word, quote);
    word += word_len;
    word += strspn(word, gaps);
  }
  return len < size ? num : 0;
}

static int refuse_service(const struct config_option *option, int i) {
  char words[160];
  if (split_words(option->item->values[i].value.string, words, sizeof(words)) >
      1)
    return config_refuse(
        option, "%s \"%s\": several in one pair of quotes; write %s%s",
        option->item->key, option->item->values[i].value.string,
        option->item->key, words);
  return config_refuse_value(
      option, i,
      access("/etc/services", F_OK) == 0
          ? "no TCP service of this name in /etc/services; " PORT_HELP
          : "/etc/services: no such file (Debian: netbase); write a number");
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
    return refuse_service(option, i);
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
    return config_refuse_value(option, i, "not a port; " PORT_HELP);
  if (out->first > out->last) {
    char reason[80];
    snprintf(reason, sizeof(reason),
             "the range ends before it begins; write \"%u-%u\"", out->last,
             out->first);
    return config_refuse_value(option, i, reason);
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
    return config_refuse_value(option, i, "not a port; " PORT_HELP);

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
    return config_refuse_value(option, i, "not a port; " PORT_HELP);
  out->first = out->last = (uint16_t)number;
  return 0;
}

bool config_has_control(const char *text) {
  while (*text != '\0' && !iscntrl((unsigned char)*text))
    text++;
  return *text != '\0';
}

const char *config_name_fault(const char *name) {
  if (name[0] == '\0')
    return "is empty";
  if (strlen(name) > CONFIG_NAME_MAX_LEN)
    return "is longer than 63 characters";
  if (!printable_is_utf8(name))
    return "is not UTF-8";
  return config_has_control(name) || strpbrk(name, "/@") != NULL
             ? "has a control character, \"/\" or \"@\" in it"
             : NULL;
}

/* Can at most this many added, removed or changed letters turn a into b? */
static bool is_near(const char *a, const char *b, unsigned letters) {
  while (*a != '\0' &&
         tolower((unsigned char)*a) == tolower((unsigned char)*b)) {
    a++;
    b++;
  }
  if (*a == '\0' && *b == '\0')
    return true;
  if (letters == 0)
    return false;
  return (*a != '\0' && is_near(a + 1, b, letters - 1)) ||
         (*b != '\0' && is_near(a, b + 1, letters - 1)) ||
         (*a != '\0' && *b != '\0' && is_near(a + 1, b + 1, letters - 1));
}

/* Some entries, then others. */
struct entries {
  const struct config_entry *first;
  size_t first_num;
  const struct config_entry *also;
  size_t num; /* of all */
};

static const struct config_entry *entry_at(const struct entries *e, size_t i) {
  return i < e->first_num ? &e->first[i] : &e->also[i - e->first_num];
}

static const char *find_nearest(const char *key, const struct entries *e) {
  for (unsigned letters = 1; letters <= 2; letters++)
    for (size_t i = 0; i < e->num; i++)
      if (is_near(key, entry_at(e, i)->key, letters))
        return entry_at(e, i)->key;
  return NULL;
}

static int refuse_unknown(const struct config_option *option,
                          const struct entries *e) {
  const char *key = option->item->key;
  if (strcasecmp(key, "Interval") == 0)
    return config_refuse(option, "%s: goes into <LoadPlugin tcpstates>", key);
  const char *nearest = find_nearest(key, e);
  char known[sizeof(option->error->text)] = "";
  for (size_t i = 0, len = 0; i < e->num && len < sizeof(known); i++)
    len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
                            i == 0 ? "" : ", ", entry_at(e, i)->key);
  return config_refuse(option, "unknown option \"%.60s\"; write %s%sone of %s",
                       key, nearest == NULL ? "" : nearest,
                       nearest == NULL ? "" : ", or ", known);
}

static int read_entry(const struct config_option *option,
                      const struct entries *e) {
  const oconfig_item_t *item = option->item;
  const struct config_entry *entry = NULL;
  for (size_t i = 0; i < e->num && entry == NULL; i++)
    if (strcasecmp(entry_at(e, i)->key, item->key) == 0)
      entry = entry_at(e, i);
  if (entry == NULL)
    return refuse_unknown(option, e);
  if (item->children_num > 0 && !entry->block)
    return config_refuse(option,
                         "<%s>: is not a block; write it on one line: %s",
                         item->key, entry->key);
  return entry->read(option, entry->arg);
}

int config_read_block(const struct config_option *inside,
                      const oconfig_item_t *block,
                      const struct config_entry *entries, size_t num,
                      const struct config_entry *also, size_t also_num) {
  const struct entries e = {entries, num, also, num + also_num};
  struct config_option option = *inside;
  int err = 0;
  for (int i = 0; i < block->children_num && err == 0; i++) {
    option.item = &block->children[i];
    err = read_entry(&option, &e);
  }
  return err;
}
