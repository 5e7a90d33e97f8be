/* SPDX-License-Identifier: MIT */
/* In place of collectd's liboconfig: configuration text in, oconfig
 * tree out. */
#include "host_config.h"

#include <regex.h>

enum token {
  TOKEN_NONE,
  TOKEN_SKIPPED,
  TOKEN_EOL,
  TOKEN_SLASH,
  TOKEN_OPEN,
  TOKEN_CLOSE,
  TOKEN_TRUE,
  TOKEN_FALSE,
  TOKEN_NUMBER,
  TOKEN_UNQUOTED,
  TOKEN_QUOTED,
  TOKEN_QUOTED_PART,
  TOKEN_END,
};

#define EOL "(\r\n|\n)"
#define QUOTED "([^\\\"]|\\\\[^\n])*"
#define BLANK " \t\b"

#define PORT                                                                   \
  "(6(5(5(3[0-5]|[0-2][0-9])|[0-4][0-9][0-9])|[0-4][0-9][0-9][0-9])|"          \
  "[1-5][0-9][0-9][0-9][0-9]|[1-9][0-9]?[0-9]?[0-9]?)"
#define IP_BYTE "(2(5[0-5]|[0-4][0-9])|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4 IP_BYTE "\\." IP_BYTE "\\." IP_BYTE "\\." IP_BYTE "(:" PORT ")?"
#define HEX16 "([0-9A-Fa-f]{1,4})"
#define V6_PART "(" HEX16 ":" HEX16 "|" IPV4 ")"
#define IPV6_BASE                                                              \
  "((" HEX16 ":){6}" V6_PART "|::(" HEX16 ":){5}" V6_PART "|(" HEX16           \
  ")?::(" HEX16 ":){4}" V6_PART "|((" HEX16 ":){0,1}" HEX16 ")?::(" HEX16      \
  ":){3}" V6_PART "|((" HEX16 ":){0,2}" HEX16 ")?::(" HEX16 ":){2}" V6_PART    \
  "|((" HEX16 ":){0,3}" HEX16 ")?::" HEX16 ":" V6_PART "|((" HEX16             \
  ":){0,4}" HEX16 ")?::" V6_PART "|((" HEX16 ":){0,5}" HEX16 ")?::" HEX16      \
  "|((" HEX16 ":){0,6}" HEX16 ")?::)"
#define IPV6 "(" IPV6_BASE "|\\[" IPV6_BASE "\\](:" PORT ")?)"

struct rule {
  const char *pattern;
  enum token token;
};

/* scanner.l's rules in its order: the longest match wins, then the first. */
static const struct rule start_rules[] = {
    {"[" BLANK "]", TOKEN_SKIPPED},
    {"#[^\n]*", TOKEN_SKIPPED},
    {"\\\\" EOL, TOKEN_SKIPPED},
    {EOL, TOKEN_EOL},
    {"/", TOKEN_SLASH},
    {"<", TOKEN_OPEN},
    {">", TOKEN_CLOSE},
    {"(true|yes|on)", TOKEN_TRUE},
    {"(false|no|off)", TOKEN_FALSE},
    {IPV4, TOKEN_UNQUOTED},
    {IPV6, TOKEN_UNQUOTED},
    {"([+-]?[0-9]*\\.[0-9]+([eE][+-][0-9]+)?|0[xX][0-9a-fA-F]+|[+-]?[0-9]+)",
     TOKEN_NUMBER},
    {"\"" QUOTED "\"", TOKEN_QUOTED},
    {"[0-9A-Za-z_]+", TOKEN_UNQUOTED},
    {"\"" QUOTED "\\\\" EOL, TOKEN_QUOTED_PART},
};

/* Inside a quoted string that a backslash continued on the next line. */
static const struct rule continued_rules[] = {
    {"[" BLANK "]+", TOKEN_SKIPPED},
    {"[^" BLANK "]" QUOTED "\\\\" EOL, TOKEN_QUOTED_PART},
    {"[^" BLANK "]" QUOTED "\"", TOKEN_QUOTED},
};

#define START_RULES (sizeof(start_rules) / sizeof(*start_rules))
#define CONTINUED_RULES (sizeof(continued_rules) / sizeof(*continued_rules))

struct parser {
  const char *path;
  const char *next;
  int line;
  regex_t start[START_RULES];
  regex_t continued[CONTINUED_RULES];
  enum token token;
  char *text;
  char *error;
  size_t error_size;
};

static int fail(struct parser *p, const char *expected) {
  const char *quote = "";
  const char *found = "the end of the line";
  if (p->token == TOKEN_END) {
    found = "the end of the file";
  } else if (p->token != TOKEN_EOL) {
    quote = "'";
    found = p->text == NULL ? "" : p->text;
  }
  snprintf(p->error, p->error_size, "%s:%d: expected %s, found %s%s%s", p->path,
           p->line, expected, quote, found, quote);
  return -EINVAL;
}

static int no_memory(struct parser *p) {
  snprintf(p->error, p->error_size, "%s: out of memory", p->path);
  return -ENOMEM;
}

static enum token longest_match(const struct rule *rules, const regex_t *regex,
                                size_t num, const char *text, size_t *length) {
  enum token token = TOKEN_NONE;
  *length = 0;
  for (size_t i = 0; i < num; i++) {
    regmatch_t match;
    if (regexec(&regex[i], text, 1, &match, 0) != 0)
      continue;
    if ((size_t)match.rm_eo > *length) {
      *length = (size_t)match.rm_eo;
      token = rules[i].token;
    }
  }
  return token;
}

static int append_text(struct parser *p, const char *text, size_t length) {
  size_t old = p->text == NULL ? 0 : strlen(p->text);
  char *joined = realloc(p->text, old + length + 1);
  if (joined == NULL)
    return no_memory(p);
  memcpy(joined + old, text, length);
  joined[old + length] = '\0';
  p->text = joined;
  return 0;
}

static size_t without_continuation(const char *text, size_t length) {
  return length - (text[length - 2] == '\r' ? 3 : 2);
}

static void skip(struct parser *p, size_t length) {
  for (size_t i = 0; i < length; i++)
    p->line += p->next[i] == '\n';
  p->next += length;
}

/* Makes the next token the current one; its text is the scanner's, quotes and
 * backslashes included. Returns 0, -EINVAL or -ENOMEM. */
static int advance(struct parser *p) {
  free(p->text);
  p->text = NULL;
  p->line += p->token == TOKEN_EOL;
  bool continued = false;
  while (*p->next != '\0') {
    size_t length;
    p->token = continued ? longest_match(continued_rules, p->continued,
                                         CONTINUED_RULES, p->next, &length)
                         : longest_match(start_rules, p->start, START_RULES,
                                         p->next, &length);
    if (p->token == TOKEN_SKIPPED) {
      skip(p, length);
    } else if (p->token == TOKEN_QUOTED_PART) {
      int status =
          append_text(p, p->next, without_continuation(p->next, length));
      if (status != 0)
        return status;
      skip(p, length);
      continued = true;
    } else if (p->token != TOKEN_NONE) {
      int status = append_text(p, p->next, length);
      if (p->token == TOKEN_EOL)
        p->next += length;
      else
        skip(p, length);
      return status;
    } else if (continued) {
      return fail(p, "the end of a quoted string");
    } else {
      fprintf(stderr, "%s:%d: skipped '%c', as collectd does: quote it\n",
              p->path, p->line, *p->next);
      skip(p, 1);
    }
  }
  p->token = TOKEN_END;
  return continued ? fail(p, "the end of a quoted string") : 0;
}

static char *unquote(const char *text) {
  char *copy = strdup(text);
  size_t length = strlen(text);
  if (copy == NULL || length < 2 || text[0] != '"' || text[length - 1] != '"')
    return copy;
  size_t out = 0;
  for (size_t i = 1; i < length - 1; i++) {
    if (text[i] == '\\' && i + 1 < length - 1)
      i++;
    copy[out++] = text[i];
  }
  copy[out] = '\0';
  return copy;
}

static void free_content(oconfig_item_t *item) {
  for (int i = 0; i < item->values_num; i++) {
    if (item->values[i].type == OCONFIG_TYPE_STRING)
      free(item->values[i].value.string);
  }
  for (int i = 0; i < item->children_num; i++)
    free_content(&item->children[i]);
  free(item->values);
  free(item->children);
  free(item->key);
}

static int parse_key(struct parser *p, char **key) {
  if (p->token != TOKEN_UNQUOTED)
    return fail(p, "an option's name");
  *key = strdup(p->text);
  return *key == NULL ? no_memory(p) : advance(p);
}

static bool is_value(enum token token) {
  return token == TOKEN_NUMBER || token == TOKEN_TRUE || token == TOKEN_FALSE ||
         token == TOKEN_QUOTED || token == TOKEN_UNQUOTED;
}

static int parse_values(struct parser *p, oconfig_item_t *item) {
  while (is_value(p->token)) {
    oconfig_value_t *values =
        realloc(item->values, (size_t)(item->values_num + 1) * sizeof(*values));
    if (values == NULL)
      return no_memory(p);
    item->values = values;
    oconfig_value_t *value = &values[item->values_num];
    *value = (oconfig_value_t){.type = OCONFIG_TYPE_BOOLEAN};
    if (p->token == TOKEN_NUMBER) {
      value->type = OCONFIG_TYPE_NUMBER;
      value->value.number = strtod(p->text, NULL);
    } else if (p->token == TOKEN_QUOTED || p->token == TOKEN_UNQUOTED) {
      value->type = OCONFIG_TYPE_STRING;
      value->value.string = unquote(p->text);
      if (value->value.string == NULL)
        return no_memory(p);
    } else {
      value->value.boolean = p->token == TOKEN_TRUE;
    }
    item->values_num++;
    int status = advance(p);
    if (status != 0)
      return status;
  }
  return 0;
}

static int expect(struct parser *p, enum token token, const char *expected) {
  return p->token == token ? advance(p) : fail(p, expected);
}

static int parse_option(struct parser *p, oconfig_item_t *item) {
  int status = parse_key(p, &item->key);
  if (status == 0)
    status = parse_values(p, item);
  if (status == 0 && item->values_num == 0)
    return fail(p, "a value");
  return status == 0 ? expect(p, TOKEN_EOL, "a value or the end of the line")
                     : status;
}

static int append_child(struct parser *p, oconfig_item_t *parent,
                        const oconfig_item_t *child) {
  oconfig_item_t *children = realloc(
      parent->children, (size_t)(parent->children_num + 1) * sizeof(*children));
  if (children == NULL)
    return no_memory(p);
  parent->children = children;
  children[parent->children_num++] = *child;
  return 0;
}

static int open_block(struct parser *p, oconfig_item_t *item) {
  int status = parse_key(p, &item->key);
  if (status == 0)
    status = parse_values(p, item);
  if (status == 0)
    status = expect(p, TOKEN_CLOSE, "a value or '>'");
  return status == 0 ? expect(p, TOKEN_EOL, "the end of the line") : status;
}

static int close_block(struct parser *p, const oconfig_item_t *item) {
  int status = expect(p, TOKEN_SLASH, "'/'");
  if (status != 0)
    return status;
  if (p->token != TOKEN_UNQUOTED || strcmp(p->text, item->key) != 0) {
    char expected[128];
    snprintf(expected, sizeof(expected), "'</%s>'", item->key);
    return fail(p, expected);
  }
  status = advance(p);
  if (status == 0)
    status = expect(p, TOKEN_CLOSE, "'>'");
  return status == 0 ? expect(p, TOKEN_EOL, "the end of the line") : status;
}

/* Parses statements up to the end of `parent`: its `</...>`, or the file's end
 * for the root, which alone has no key. */
static int parse_statements(struct parser *p, oconfig_item_t *parent) {
  for (;;) {
    int status = 0;
    if (p->token == TOKEN_EOL) {
      status = advance(p);
      if (status != 0)
        return status;
      continue;
    }
    if (p->token == TOKEN_END)
      return parent->key == NULL ? 0 : fail(p, "the end of the block");
    oconfig_item_t child = {.key = NULL};
    if (p->token != TOKEN_OPEN) {
      status = parse_option(p, &child);
    } else {
      status = advance(p);
      if (status == 0 && p->token == TOKEN_SLASH && parent->key != NULL)
        return close_block(p, parent);
      if (status == 0)
        status = open_block(p, &child);
      if (status == 0)
        status = parse_statements(p, &child);
    }
    bool empty = child.values_num == 0 && child.children_num == 0;
    if (status == 0 && !empty)
      status = append_child(p, parent, &child);
    if (status != 0 || empty)
      free_content(&child);
    if (status != 0)
      return status;
  }
}

static int compile(regex_t *regex, const struct rule *rules, size_t num) {
  for (size_t i = 0; i < num; i++) {
    char pattern[8192];
    snprintf(pattern, sizeof(pattern), "^(%s)", rules[i].pattern);
    if (regcomp(&regex[i], pattern, REG_EXTENDED) != 0) {
      while (i-- > 0)
        regfree(&regex[i]);
      return -ENOMEM;
    }
  }
  return 0;
}

static int parse_text(struct parser *p, oconfig_item_t **root) {
  int status = compile(p->start, start_rules, START_RULES);
  if (status != 0)
    return no_memory(p);
  oconfig_item_t *item = NULL;
  status = compile(p->continued, continued_rules, CONTINUED_RULES);
  if (status != 0) {
    no_memory(p);
    goto cleanup_start;
  }
  item = calloc(1, sizeof(*item));
  if (item == NULL) {
    status = no_memory(p);
    goto cleanup;
  }
  status = advance(p);
  if (status == 0)
    status = parse_statements(p, item);
  if (status == 0) {
    *root = item;
    item = NULL;
  }
cleanup:
  host_config_free(item);
  free(p->text);
  for (size_t i = 0; i < CONTINUED_RULES; i++)
    regfree(&p->continued[i]);
cleanup_start:
  for (size_t i = 0; i < START_RULES; i++)
    regfree(&p->start[i]);
  return status;
}

static int read_text(const char *path, char **text) {
  FILE *file = fopen(path, "re");
  if (file == NULL)
    return -errno;
  char *content = NULL;
  size_t capacity = 0;
  errno = 0;
  ssize_t length = getdelim(&content, &capacity, '\0', file);
  int status = 0;
  if (length < 0 && ferror(file))
    status = errno != 0 ? -errno : -EIO;
  else if (length > 0 && content[length - 1] == '\0')
    status = -EILSEQ;
  else if (length < 0 && (free(content), content = strdup("")) == NULL)
    status = -ENOMEM;
  fclose(file);
  if (status != 0)
    free(content);
  else
    *text = content;
  return status;
}

void host_config_free(oconfig_item_t *root) {
  if (root != NULL)
    free_content(root);
  free(root);
}

int host_config_read(const char *path, oconfig_item_t **root, char *error,
                     size_t error_size) {
  char *text = NULL;
  int status = read_text(path, &text);
  if (status != 0) {
    snprintf(error, error_size, "%s: %s", path,
             status == -EILSEQ ? "not a text file" : strerror(-status));
    return status;
  }
  struct parser parser = {
      .path = path,
      .next = text,
      .line = 1,
      .error = error,
      .error_size = error_size,
  };
  status = parse_text(&parser, root);
  free(text);
  return status;
}
