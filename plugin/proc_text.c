/* SPDX-License-Identifier: MIT */
/* Parses sockstat, sockstat6 and sysctl text that proc_file.c has read. */
#include "proc_text.h"

#include "number.h"

#include <errno.h>
#include <string.h>

/* The next word of the line at *pos, which moves after it. Returns its
 * length, 0 at the end of the line. */
static size_t next_word(const char **pos, const char **word) {
  *word = *pos + strspn(*pos, " \t");
  size_t len = strcspn(*word, " \t\n");
  *pos = *word + len;
  return len;
}

static int parse_count(const char *word, size_t len, int64_t *out) {
  uint64_t number;
  if (number_parse(word, len, INT64_MAX, &number) != 0)
    return -EBADMSG;
  *out = (int64_t)number;
  return 0;
}

struct field {
  const char *key;
  int64_t *value;
};

/* Fills the fields from the line that starts with label: "LABEL key 1 key 2".
 * Keys that no field names are passed over, new ones have been added before. */
static int parse_line(const char *text, const char *label,
                      const struct field *fields, size_t num) {
  size_t label_len = strlen(label);
  const char *line = text;
  while (strncmp(line, label, label_len) != 0) {
    line = strchr(line, '\n');
    if (line == NULL)
      return -ENODATA;
    line++;
  }

  const char *pos = line + label_len;
  const char *key;
  size_t key_len;
  while ((key_len = next_word(&pos, &key)) > 0) {
    const char *word;
    size_t len = next_word(&pos, &word);
    int64_t value;
    int err = parse_count(word, len, &value);
    if (err != 0)
      return err;
    for (size_t i = 0; i < num; i++)
      if (strlen(fields[i].key) == key_len &&
          memcmp(fields[i].key, key, key_len) == 0)
        *fields[i].value = value;
  }
  /* Without its end, the last number may be cut. */
  return *pos == '\n' ? 0 : -EBADMSG;
}

int proc_text_sockstat(const char *text, struct proc_sockstat *out) {
  struct proc_sockstat s = {PROC_UNKNOWN, PROC_UNKNOWN, PROC_UNKNOWN,
                            PROC_UNKNOWN, PROC_UNKNOWN};
  const struct field fields[] = {
      {"inuse", &s.inuse}, {"orphan", &s.orphan}, {"tw", &s.tw},
      {"alloc", &s.alloc}, {"mem", &s.mem},
  };
  int err = parse_line(text, "TCP:", fields, sizeof(fields) / sizeof(*fields));
  if (err == 0)
    *out = s;
  return err;
}

int proc_text_sockstat6(const char *text, int64_t *inuse) {
  int64_t value = PROC_UNKNOWN;
  const struct field field = {"inuse", &value};
  int err = parse_line(text, "TCP6:", &field, 1);
  if (err == 0)
    *inuse = value;
  return err;
}

int proc_text_sysctl(const char *text, int64_t *out, size_t num) {
  int64_t values[3];
  if (num > sizeof(values) / sizeof(*values))
    return -EBADMSG;

  const char *pos = text;
  for (size_t i = 0; i < num; i++) {
    const char *word;
    size_t len = next_word(&pos, &word);
    int err = parse_count(word, len, &values[i]);
    if (err != 0)
      return err;
  }
  /* Without its end, the last number may be cut. */
  pos += strspn(pos, " \t");
  if (strcmp(pos, "\n") != 0)
    return -EBADMSG;

  memcpy(out, values, num * sizeof(*out));
  return 0;
}

int proc_text_port_range(const char *text, struct port_range *out) {
  int64_t ports[2];
  if (proc_text_sysctl(text, ports, 2) != 0 || ports[0] < 1 ||
      ports[1] < ports[0] || ports[1] > UINT16_MAX)
    return -EBADMSG;
  *out = (struct port_range){(uint16_t)ports[0], (uint16_t)ports[1]};
  return 0;
}

/* Reads the port at *pos, which moves after it. */
static int parse_port(const char **pos, uint64_t *out) {
  size_t len = strspn(*pos, "0123456789");
  int err = number_parse(*pos, len, UINT16_MAX, out);
  *pos += len;
  return err == 0 ? 0 : -EBADMSG;
}

int proc_text_port_list(const char *text, struct port_bitmap *out) {
  memset(out, 0, sizeof(*out));
  const char *pos = text;
  while (strcmp(pos, "\n") != 0) {
    uint64_t first, last;
    if (pos > text && *pos++ != ',')
      return -EBADMSG;
    if (parse_port(&pos, &first) != 0)
      return -EBADMSG;
    last = first;
    if (*pos == '-') {
      pos++;
      if (parse_port(&pos, &last) != 0 || last < first)
        return -EBADMSG;
    }
    for (; first <= last; first++)
      port_bitmap_add(out, (uint16_t)first);
  }
  return 0;
}

int proc_text_release_at_least(const char *text, unsigned major,
                               unsigned minor) {
  const char *digits = "0123456789";
  size_t major_len = strspn(text, digits);
  uint64_t have_major;
  if (text[major_len] != '.' ||
      number_parse(text, major_len, UINT32_MAX, &have_major) != 0)
    return -EBADMSG;

  const char *rest = text + major_len + 1;
  uint64_t have_minor;
  if (number_parse(rest, strspn(rest, digits), UINT32_MAX, &have_minor) != 0)
    return -EBADMSG;

  return have_major > major || (have_major == major && have_minor >= minor);
}
