/* SPDX-License-Identifier: MIT */
/* Names services for holders.c and for people. */
#include "service.h"

#include "hash.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Container ids have 64 digits (Docker, containerd, CRI-O, podman); whatever
 * has at least ID_MIN is shown with ID_SHOWN. */
#define ID_MIN 32
#define ID_SHOWN 12

/* What a name ends with whose end does not fit: "~", 8 digits, and 0. */
#define HASH_SIZE 10

/* A part of a path. */
struct part {
  const char *start;
  size_t len;
};

static bool begins_with(struct part part, const char *text) {
  size_t len = strlen(text);
  return part.len >= len && memcmp(part.start, text, len) == 0;
}

static bool ends_with(struct part part, const char *text) {
  size_t len = strlen(text);
  return part.len >= len && memcmp(part.start + part.len - len, text, len) == 0;
}

/* The number of hexadecimal digits that it begins with. */
static size_t hex_digits(struct part part) {
  size_t num = 0;
  while (num < part.len &&
         ((part.start[num] >= '0' && part.start[num] <= '9') ||
          (part.start[num] >= 'a' && part.start[num] <= 'f')))
    num++;
  return num;
}

static bool has_id(struct part part) {
  for (size_t hex; part.len > 0; part.start += hex + 1, part.len -= hex + 1) {
    hex = hex_digits(part);
    if (hex >= ID_MIN)
      return true;
    if (hex == part.len)
      break;
  }
  return false;
}

static bool is_unit(struct part part) {
  return ends_with(part, ".service") || ends_with(part, ".scope");
}

/* before: the part before it, of length 0 for the first one. */
static bool is_container(struct part part, struct part before) {
  /* A pod's uid can look like an id: its containers are below it. */
  bool pod = begins_with(part, "pod") || ends_with(part, ".slice");
  return (has_id(part) && !pod) || begins_with(part, "lxc.payload.") ||
         (before.len == 3 && begins_with(before, "lxc"));
}

static bool is_port(const char *name) {
  size_t number = strspn(name, "0123456789-");
  return number > 0 && (strcmp(name + number, "local") == 0 ||
                        strcmp(name + number, "remote") == 0);
}

static bool is_reserved(const char *name) {
  static const char *const reserved[] = {"all", "machine", "other", "root"};
  for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
    if (strcmp(name, reserved[i]) == 0)
      return true;
  return is_port(name);
}

/* Name of any length, of which the first characters are kept. */
struct writer {
  char *name;
  size_t len;
  uint32_t hash; /* of all of it */
};

static void write_char(struct writer *writer, char c) {
  if (writer->len < SERVICE_NAME_SIZE - 1)
    writer->name[writer->len] = c;
  writer->len++;
  writer->hash = hash_char(writer->hash, c);
}

static void write_name(char name[SERVICE_NAME_SIZE], struct part part) {
  struct writer writer = {.name = name, .hash = HASH_NAME};
  bool unit = is_unit(part);
  if (has_id(part) && ends_with(part, ".scope"))
    part.len -= strlen(".scope");
  while (part.len > 0) {
    size_t hex = hex_digits(part);
    size_t taken = hex > 0 ? hex : 1;
    size_t shown = hex >= ID_MIN ? ID_SHOWN : taken;
    for (size_t i = 0; i < shown; i++) {
      unsigned char c = (unsigned char)part.start[i];
      bool plain = c >= ' ' && c <= '~' && (c != '@' || unit);
      write_char(&writer, plain ? (char)c : '_');
    }
    part.start += taken;
    part.len -= taken;
  }
  if (writer.len < SERVICE_NAME_SIZE)
    name[writer.len] = '\0';
  else
    snprintf(name + SERVICE_NAME_SIZE - HASH_SIZE, HASH_SIZE, "~%08" PRIx32,
             writer.hash);
  if (is_reserved(name)) {
    char plain[SERVICE_NAME_SIZE];
    memcpy(plain, name, sizeof(plain));
    snprintf(name, SERVICE_NAME_SIZE, "cgroup-%.*s",
             (int)(SERVICE_NAME_SIZE - sizeof("cgroup-")), plain);
  }
}

/* Finds the part that names the service. Returns where it ends. */
static size_t find_part(const char *path, struct part *named, bool *container) {
  struct part last = {path, 0};
  *container = false;
  for (const char *pos = path; *pos != '\0';) {
    struct part part = {pos, strcspn(pos, "/")};
    pos += part.len + (pos[part.len] == '/');
    if (part.len == 0)
      continue;
    bool is_one = is_container(part, last);
    bool outermost = is_one || is_unit(part);
    last = part;
    *container =
        (is_one && !ends_with(part, ".service")) || ends_with(part, ".scope");
    if (outermost)
      break;
  }
  *named = last;
  return (size_t)(last.start - path) + last.len;
}

void service_name(char name[SERVICE_NAME_SIZE], const char *path) {
  struct part part;
  bool container;
  find_part(path, &part, &container);
  if (part.len == 0)
    snprintf(name, SERVICE_NAME_SIZE, "root");
  else
    write_name(name, part);
}

size_t service_container(const char *path) {
  struct part part;
  bool container;
  size_t end = find_part(path, &part, &container);
  return container ? end : 0;
}

bool service_is_one(const char *name) {
  return !is_reserved(name) || strcmp(name, "root") == 0;
}

bool service_may_be(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  struct part part = {name, strlen(name)};
  return part.len > 0 && part.len < SERVICE_NAME_SIZE &&
         strspn(name, allowed) == part.len && strcmp(name, "localhost") != 0 &&
         !is_unit(part) && !ends_with(part, ".slice") && !is_reserved(name);
}
