/* SPDX-License-Identifier: MIT */
/* Makes TCP sockets in known states for the shell tests, as told on standard
 * input, and holds them until its end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sockets.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_WORDS 8

static const char usage[] =
    "usage: sockmake < COMMANDS\n"
    "Makes TCP sockets in known states. Reads commands, one a line, and\n"
    "answers each with its output and \"ok\", or with \"error: TEXT\". Closes\n"
    "all at the end of input; exit status 1 if a command failed.\n"
    "  make KIND FAMILY PORT COUNT [SERVER_ADDRESS [CLIENT_ADDRESS]]\n"
    "  release KIND FAMILY PORT   ends what was made so\n"
    "  keepalive KIND FAMILY PORT SECONDS\n"
    "                             its ends send keepalive probes\n"
    "  talk KIND FAMILY PORT      its ends in CLOSE_WAIT send a byte\n"
    "  list                       STATE OWNER FAMILY LOCAL_ADDR LOCAL_PORT\n"
    "                             REMOTE_ADDR REMOTE_PORT AGE_MS, each socket\n"
    "  sleep MS\n"
    "OWNER: held (a descriptor is open), orphaned (closed, not at its end),\n"
    "       none (TIME_WAIT, SYN_RECV, not accepted)\n";

static int fail(const char *text, const char *word) {
  printf("error: %s: %s\n", text, word);
  return -EINVAL;
}

static int fail_errno(char **words, int err) {
  const char *text = strerror(-err);
  if (err == -EINVAL)
    text = "an address of another family, or a port, a count or an address "
           "that this kind cannot have";
  else if (err == -ENOENT)
    text = "nothing was made so";
  else if (err == -EBUSY)
    text = "unaccepted or syn sockets queue at this listener: release them "
           "first, or make them last";
  else if (err == -ENOBUFS)
    text = "more than this listener can queue: raise net.core.somaxconn, or "
           "take another port as well";
  printf("error: %s %s %s %s: %s\n", words[0], words[1], words[2], words[3],
         text);
  return err;
}

static int parse_number(const char *text, unsigned long max,
                        unsigned long *number) {
  errno = 0;
  *number = strtoul(text, NULL, 10);
  if (text[strspn(text, "0123456789")] != '\0' || errno != 0 || *number > max)
    return fail("not a number, or too large", text);
  return 0;
}

/* Reads the words KIND FAMILY PORT. */
static int parse_request(char **words, struct sockets_request *request) {
  while (strcmp(sockets_kind_name(request->kind), words[0]) != 0)
    if (++request->kind == SOCKETS_KINDS)
      return fail("unknown kind", words[0]);
  while (strcmp(sockets_family_name(request->family), words[1]) != 0)
    if (++request->family == SOCKETS_FAMILIES)
      return fail("unknown family", words[1]);
  unsigned long port;
  int err = parse_number(words[2], UINT16_MAX, &port);
  if (err == 0)
    request->port = (uint16_t)port;
  return err;
}

static int run_make(struct sockets *sockets, char **words) {
  struct sockets_request request = {.server = words[5], .client = words[6]};
  unsigned long count;
  int err = parse_request(words + 1, &request);
  if (err == 0)
    err = parse_number(words[4], UINT_MAX, &count);
  if (err < 0)
    return err;
  request.count = (unsigned int)count;
  err = sockets_make(sockets, &request);
  /* These send nothing, and a test may make hundreds. */
  bool at_rest =
      request.kind == SOCKETS_LISTEN || request.kind == SOCKETS_BOUND;
  if (err == 0 && !at_rest)
    err = sockets_settle();
  return err < 0 ? fail_errno(words, err) : 0;
}

static int run_release(struct sockets *sockets, char **words) {
  struct sockets_request what = {0};
  int err = parse_request(words + 1, &what);
  if (err < 0)
    return err;
  err = sockets_release(sockets, what.kind, what.family, what.port);
  return err < 0 ? fail_errno(words, err) : 0;
}

static int run_keepalive(struct sockets *sockets, char **words) {
  struct sockets_request what = {0};
  unsigned long seconds;
  int err = parse_request(words + 1, &what);
  if (err == 0)
    err = parse_number(words[4], 32767, &seconds);
  if (err < 0)
    return err;
  err = sockets_keepalive(sockets, what.kind, what.family, what.port,
                          (int)seconds);
  return err < 0 ? fail_errno(words, err) : 0;
}

static int run_talk(struct sockets *sockets, char **words) {
  struct sockets_request what = {0};
  int err = parse_request(words + 1, &what);
  if (err < 0)
    return err;
  err = sockets_talk(sockets, what.kind, what.family, what.port);
  return err < 0 ? fail_errno(words, err) : 0;
}

static int run_list(struct sockets *sockets, char **words) {
  (void)words;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  for (size_t i = 0; i < sockets->len; i++) {
    const struct sockets_entry *entry = &sockets->entries[i];
    printf("%s %s %s %s %u %s %u %lld\n", sockets_state_name(entry->state),
           sockets_owner_name(entry->owner), sockets_family_name(entry->family),
           entry->local.address, entry->local.port, entry->remote.address,
           entry->remote.port, (long long)(now_ns - entry->made_ns) / 1000000);
  }
  return 0;
}

static int run_sleep(struct sockets *sockets, char **words) {
  (void)sockets;
  unsigned long ms;
  int err = parse_number(words[1], INT_MAX, &ms);
  if (err == 0)
    poll(NULL, 0, (int)ms);
  return err;
}

static const struct command {
  const char *name;
  int min_words;
  int max_words;
  int (*run)(struct sockets *sockets, char **words);
} commands[] = {
    {"make", 5, 7, run_make},           {"release", 4, 4, run_release},
    {"keepalive", 5, 5, run_keepalive}, {"talk", 4, 4, run_talk},
    {"list", 1, 1, run_list},           {"sleep", 2, 2, run_sleep},
};

static int run(struct sockets *sockets, char *line) {
  char *words[MAX_WORDS] = {NULL};
  int count = 0;
  for (char *word; (word = strsep(&line, " \n")) != NULL;)
    if (*word != '\0' && count < MAX_WORDS)
      words[count++] = word;
  const char *name = count > 0 ? words[0] : "";
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
    if (strcmp(commands[i].name, name) != 0)
      continue;
    if (count < commands[i].min_words || count > commands[i].max_words)
      return fail("wrong number of words, see --help", name);
    return commands[i].run(sockets, words);
  }
  return fail("unknown command", name);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    FILE *out = help ? stdout : stderr;
    fprintf(out, "%sFAMILY: ipv4 ipv6 mapped\nKIND:", usage);
    for (enum sockets_kind kind = 0; kind < SOCKETS_KINDS; kind++)
      fprintf(out, " %s", sockets_kind_name(kind));
    fputc('\n', out);
    return help ? EXIT_SUCCESS : 2;
  }
  int err = sockets_raise_limit();
  if (err < 0)
    fprintf(stderr, "sockmake: cannot raise RLIMIT_NOFILE: %s\n",
            strerror(-err));
  struct sockets sockets = {0};
  int status = EXIT_SUCCESS;
  char *line = NULL;
  size_t size = 0;
  while (getline(&line, &size, stdin) > 0) {
    if (run(&sockets, line) < 0)
      status = EXIT_FAILURE;
    else
      puts("ok");
    fflush(stdout);
  }
  free(line);
  sockets_close_all(&sockets);
  return status;
}
