/* SPDX-License-Identifier: MIT */
/* Counts what no state shows, for tcpstates.c. The number is a difference of
 * sums that are not read at one moment: of two readings in a row, alloc is the
 * smaller and inuse the larger one. So sockets that open or close in between
 * make the number too small, never too large. */
#include "unhashed.h"

#include "number.h"
#include "proc_text.h"
#include "proc_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The machine's first PID namespace; include/linux/proc_ns.h,
 * PROC_PID_INIT_INO. */
static const char first_pid_namespace[] = "pid:[4026531836]";

struct unhashed *unhashed_open(const struct settings *settings,
                               const char *proc) {
  struct unhashed *u = calloc(1, sizeof(*u));
  if (u == NULL)
    return NULL;
  u->proc = proc;
  u->value = PROC_UNKNOWN;
  u->tokens = UNHASHED_BURST;
  pinned_open(&u->pinned, proc, settings);
  return u;
}

size_t unhashed_close(struct unhashed *u) {
  size_t going_on = u == NULL ? 0 : pinned_close(&u->pinned);
  if (going_on == 0)
    free(u);
  return going_on;
}

/* A process that has ended is not hidden. */
static bool is_gone(int err) { return err == -ENOENT || err == -ESRCH; }

static int read_sums(struct unhashed *u, uint32_t pid,
                     struct netns_sums *sums) {
  int err = netns_sums_read(u->proc, pid, sums);
  if (err != 0)
    return err;
  u->alloc = sums->alloc < u->alloc ? sums->alloc : u->alloc;
  u->orphan = sums->orphan > u->orphan ? sums->orphan : u->orphan;
  return 0;
}

/* Its place in the index, which is empty if it is not known. */
static uint16_t *find_index(struct unhashed *u, ino_t ino) {
  const size_t mask = 2 * UNHASHED_NAMESPACES_MAX - 1;
  for (size_t i = (size_t)ino;; i++) {
    uint16_t *at = &u->index[i & mask];
    if (*at == 0 || u->namespaces[*at - 1].ino == ino)
      return at;
  }
}

/* Returns the namespace, which is added if it was not known; NULL: there are
 * too many. */
static struct unhashed_namespace *find(struct unhashed *u, ino_t ino) {
  uint16_t *at = find_index(u, ino);
  if (*at != 0)
    return &u->namespaces[*at - 1];
  if (u->num == UNHASHED_NAMESPACES_MAX)
    return NULL;
  struct unhashed_namespace *namespace = &u->namespaces[u->num++];
  *at = (uint16_t)u->num;
  *namespace = (struct unhashed_namespace){.ino = ino};
  return namespace;
}

static int take_process(uint32_t pid, void *data) {
  struct unhashed *u = data;
  if (++u->processes > UNHASHED_PROCESSES_MAX)
    return -E2BIG;
  ino_t ino;
  int err = netns_sums_identify(u->proc, pid, &ino);
  if (err == -EACCES || err == -EPERM)
    u->hidden = true;
  if (err != 0)
    return is_gone(err) || u->hidden ? 0 : err;
  struct unhashed_namespace *namespace = find(u, ino);
  if (namespace == NULL)
    return -ENOSPC;
  if (namespace->walk == u->walk)
    return 0;
  struct netns_sums sums;
  err = read_sums(u, pid, &sums);
  if (err != 0 || sums.ino != ino) /* another process may be in it */
    return is_gone(err) ? 0 : err;
  namespace->walk = u->walk;
  namespace->pid = pid;
  namespace->inuse = sums.inuse;
  namespace->fresh = true;
  return 0;
}

static bool take_pinned(const struct netns_sums *sums, void *data) {
  struct unhashed *u = data;
  struct unhashed_namespace *namespace = find(u, sums->ino);
  if (namespace == NULL) {
    u->full = true;
    return true;
  }
  bool has_process = namespace->walk == u->walk && namespace->pid != 0;
  if (has_process)
    return false;
  namespace->walk = u->walk;
  namespace->pid = 0;
  namespace->inuse = sums->inuse;
  namespace->fresh = true;
  u->alloc = sums->alloc < u->alloc ? sums->alloc : u->alloc;
  u->alone = true;
  return true;
}

/* Those that this walk has not found have ended, and leave orphans. */
static void drop_ended(struct unhashed *u, int64_t now) {
  size_t num = 0;
  if (u->orphan == 0 || now - u->ended_at > UNHASHED_ORPHANS)
    u->ended = 0;
  memset(u->index, 0, sizeof(u->index));
  for (size_t i = 0; i < u->num; i++) {
    struct unhashed_namespace *namespace = &u->namespaces[i];
    if (namespace->walk != u->walk) {
      u->ended += u->orphan > 0 ? namespace->inuse : 0;
      u->ended_at = now;
      continue;
    }
    u->namespaces[num++] = *namespace;
    *find_index(u, namespace->ino) = (uint16_t)num;
  }
  u->num = num;
}

/* Reads the sums of all again, except where the process has ended. larger:
 * keeps those that were larger. Returns 0, or the first other error. */
static int read_all(struct unhashed *u, bool larger) {
  int first = 0;
  for (size_t i = 0; i < u->num; i++) {
    struct unhashed_namespace *one = &u->namespaces[i];
    struct netns_sums sums;
    if (one->pid == 0)
      continue;
    int err = read_sums(u, one->pid, &sums);
    if (first == 0 && !is_gone(err))
      first = err;
    if (err != 0 || sums.ino != one->ino)
      continue;
    if (!larger || sums.inuse > one->inuse)
      one->inuse = sums.inuse;
    one->fresh = true;
  }
  return first;
}

static int64_t difference(int64_t alloc, int64_t inuse) {
  return alloc > inuse ? alloc - inuse : 0;
}

static int64_t subtract(const struct unhashed *u) {
  int64_t inuse = 0;
  for (size_t i = 0; i < u->num; i++)
    inuse += u->namespaces[i].fresh ? u->namespaces[i].inuse : 0;
  return difference(u->alloc, inuse);
}

/* Begins from nothing next time, as what is known may take up the places. */
static void set_gap(struct unhashed *u, enum unhashed_gap gap, int error) {
  u->gap = gap;
  u->error = error;
  u->value = PROC_UNKNOWN;
  u->num = 0;
  u->ended = 0;
  memset(u->index, 0, sizeof(u->index));
}

/* Can all processes be seen? */
static bool see_all(struct unhashed *u) {
  char path[256], link[64];
  snprintf(path, sizeof(path), "%.200s/self/ns/pid", u->proc);
  ssize_t len = readlink(path, link, sizeof(link) - 1);
  if (len < 0) {
    set_gap(u, UNHASHED_FILES, -errno);
    return false;
  }
  link[len] = '\0';
  if (strcmp(link, first_pid_namespace) != 0) {
    set_gap(u, UNHASHED_PID_NAMESPACE, 0);
    return false;
  }
  /* If any processes are hidden, this one is, too. */
  ino_t ino;
  int err = netns_sums_identify(u->proc, 1, &ino);
  if (err != 0)
    set_gap(u, UNHASHED_HIDDEN, 0);
  return err == 0;
}

/* Searches for all namespaces. Returns whether it has found them. */
static bool walk(struct unhashed *u, int64_t now, int64_t deadline) {
  if (!see_all(u))
    return false;
  u->walk++;
  u->processes = 0;
  u->hidden = u->alone = u->full = false;
  int err = proc_walk(u->proc, take_process, u);
  if (err != 0 || u->hidden) {
    set_gap(u,
            err == -E2BIG    ? UNHASHED_PROCESSES
            : err == -ENOSPC ? UNHASHED_NAMESPACES
            : u->hidden      ? UNHASHED_HIDDEN
                             : UNHASHED_FILES,
            err);
    return false;
  }
  err = pinned_find(&u->pinned);
  if (err == 0)
    err = pinned_read(&u->pinned, true, deadline, take_pinned, u);
  if (err == 0 && u->full)
    err = -ENOSPC;
  if (err != 0)
    set_gap(u, err == -ENOSPC ? UNHASHED_NAMESPACES : UNHASHED_PINNED, err);
  else
    drop_ended(u, now);
  return err == 0;
}

/* Takes the number of a walk. It may include an unknown number of orphans of
 * namespaces that have ended. So it stays what it was, as far as possible. */
static void take_number(struct unhashed *u, int64_t most) {
  int64_t others = u->ended < u->orphan ? u->ended : u->orphan;
  int64_t least = most > others ? most - others : 0;
  if (u->value == PROC_UNKNOWN || u->value > most)
    u->value = u->value == PROC_UNKNOWN ? least : most;
  else if (u->value < least)
    u->value = least;
  u->gap = UNHASHED_KNOWN;
}

/* Is it time for a walk? */
static bool is_due(struct unhashed *u, int64_t now) {
  if (++u->reads < UNHASHED_READS && now - u->since < UNHASHED_PATIENCE)
    return false;
  u->reads = 0;
  u->since = now;
  u->tokens += u->tokens < UNHASHED_BURST;
  return true;
}

/* The difference by the namespaces that are known. What is not known makes it
 * larger, never smaller. If their sums are not due, or one cannot be read, it
 * is the last number; after a failure the next read tries again. */
static int64_t find_most(struct unhashed *u, const struct netns_sums *own,
                         bool due, int64_t deadline) {
  u->unread = false;
  if (u->num <= 1)
    return difference(own->alloc, own->inuse);
  if (++u->sums_reads < UNHASHED_SUMS_READS * u->num && !due)
    return u->value;
  u->alloc = INT64_MAX;
  for (size_t i = 0; i < u->num; i++)
    u->namespaces[i].fresh = false;
  u->unread = (u->alone &&
               pinned_read(&u->pinned, false, deadline, take_pinned, u) != 0) ||
              read_all(u, false) != 0;
  if (u->unread)
    return u->value;
  u->sums_reads = 0;
  return subtract(u);
}

/* What opens or closes during a read makes the difference smaller, and what it
 * has fallen to stays until a walk: of two in a row the larger one counts. */
static int64_t read_again(struct unhashed *u, int64_t most) {
  int64_t again = most;
  struct netns_sums sums;
  if (u->num > 1) {
    u->alloc = INT64_MAX;
    again = read_all(u, false) == 0 ? subtract(u) : u->value;
  } else if (netns_sums_read(u->proc, 0, &sums) == 0) {
    again = difference(sums.alloc, sums.inuse);
  }
  again = again < u->value ? again : u->value;
  return again > most ? again : most;
}

void unhashed_read(struct unhashed *u, const struct netns_sums *own,
                   int64_t now, int64_t deadline) {
  bool due = is_due(u, now);
  bool known = u->value != PROC_UNKNOWN;
  u->alloc = own->alloc;
  u->orphan = own->orphan;
  int64_t most = known ? find_most(u, own, due, deadline) : 0;
  if (known && most < u->value)
    most = read_again(u, most);
  /* A search is needed only when it seems to rise, and from time to time
   * where it may have fallen too little, or nothing is known of it. */
  bool rises = !known || most > u->value;
  bool rises_much = !known || (most > u->value + u->value / 4 &&
                               most >= u->value + UNHASHED_STEP);
  if (!rises)
    u->value = most;
  if (rises_much && !due && u->tokens > 0) {
    u->tokens--;
    due = true;
  }
  if (!due || !(rises || most > 0 || u->unread) || !walk(u, now, deadline))
    return;
  u->alloc = INT64_MAX;
  read_all(u, false);
  read_all(u, true);
  if (u->alloc == INT64_MAX)
    u->alloc = own->alloc;
  take_number(u, subtract(u));
}

const char *unhashed_strerror(const struct unhashed *u, const char **what) {
  *what = "unhashed sockets";
  switch (u->gap) {
  case UNHASHED_PID_NAMESPACE:
    return "collectd has its own PID namespace, as in a container, and does "
           "not see all processes";
  case UNHASHED_HIDDEN:
    return "/proc hides processes (its option hidepid, systemd's ProtectProc): "
           "collectd needs CAP_SYS_PTRACE";
  case UNHASHED_PROCESSES:
    return "there are more than " NUMBER_TEXT(
        UNHASHED_PROCESSES_MAX) " processes";
  case UNHASHED_NAMESPACES:
    return "there are more than " NUMBER_TEXT(
        UNHASHED_NAMESPACES_MAX) " network namespaces";
  case UNHASHED_PINNED:
    *what = u->pinned.failed;
    return netns_strerror(u->error);
  case UNHASHED_FILES:
    *what = u->proc;
    break;
  case UNHASHED_KNOWN:
    break;
  }
  return NULL;
}
