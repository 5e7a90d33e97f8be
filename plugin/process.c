/* SPDX-License-Identifier: MIT */
/* Finds the processes that hold sockets, in /proc; stuck.c says which. */
#include "process.h"

#include "hash.h"
#include "netns_sums.h"
#include "number.h"
#include "proc_file.h"
#include "proc_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At most half of the slots are used. */
#define SLOTS (2 * PROCESS_SOCKETS_MAX)

struct process_socket {
  uint32_t inode;   /* 0: the slot is empty */
  uint16_t holds;   /* a bit for each holder */
  uint16_t listens; /* likewise */
  uint32_t pid;     /* of the process in which it was found last */
};

_Static_assert(PROCESS_HOLDERS <= 16, "a bit for each");

/* A process to search. */
struct suspect {
  uint32_t pid;
  int clues; /* that it has some of the sockets, CLUES at most */
};

/* It is of a holder's service, and in the sockets' network namespace. */
#define CLUES 2

struct work {
  const char *proc;
  const struct process_sockets *sockets;
  ino_t netns;   /* of the sockets: this thread's; 0: not known */
  bool services; /* some holder's is known */
  struct suspect *suspects;
  size_t suspects_num;
  size_t suspects_size; /* for how many there is memory */
  struct processes *holders;
  size_t num; /* of the holders */
  int left;   /* descriptors that may still be read */
  struct process_search search;
};

/* What one process has. */
struct found {
  uint32_t num[PROCESS_HOLDERS];
  uint16_t listens;
  uint32_t sum;
};

int process_sockets_init(struct process_sockets *sockets) {
  *sockets = (struct process_sockets){.complete = true};
  sockets->slots = calloc(SLOTS, sizeof(*sockets->slots));
  if (sockets->slots == NULL)
    return -ENOMEM;
  sockets->size = SLOTS;
  sockets->multiplier = hash_multiplier();
  return 0;
}

void process_sockets_free(struct process_sockets *sockets) {
  free(sockets->slots);
  *sockets = (struct process_sockets){0};
}

/* The slot of the inode, or the empty one that it would be put into. */
static struct process_socket *find(const struct process_sockets *sockets,
                                   uint32_t inode) {
  size_t slot = (size_t)(inode * sockets->multiplier >> 32) % sockets->size;
  while (sockets->slots[slot].inode != inode && sockets->slots[slot].inode != 0)
    slot = (slot + 1) % sockets->size;
  return &sockets->slots[slot];
}

void process_sockets_add(struct process_sockets *sockets, uint32_t inode,
                         unsigned holder, bool listens) {
  if (inode == 0 || sockets->size == 0)
    return;
  struct process_socket *slot = find(sockets, inode);
  if (slot->inode == 0 && sockets->num == PROCESS_SOCKETS_MAX) {
    sockets->complete = false;
    return;
  }
  sockets->num += slot->inode == 0;
  slot->inode = inode;
  uint16_t bit = (uint16_t)(1u << holder);
  if (listens)
    slot->listens |= bit;
  else
    slot->holds |= bit;
}

uint32_t process_parse_socket(const char *link, size_t len) {
  static const char start[] = "socket:[";
  size_t start_len = sizeof(start) - 1;
  uint64_t inode;
  if (len <= start_len || memcmp(link, start, start_len) != 0 ||
      link[len - 1] != ']' ||
      number_parse(link + start_len, len - start_len - 1, UINT32_MAX, &inode) !=
          0)
    return 0;
  return (uint32_t)inode;
}

void process_note_failure(struct process_search *search, int error) {
  if (error != ENOENT && error != ESRCH)
    search->complete = false;
}

void process_note_link(struct process_search *search, int dir, const char *name,
                       int error) {
  struct stat status;
  if (error == EACCES && fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
    error = errno;
  process_note_failure(search, error);
}

DIR *process_open(struct process_search *search, const char *proc,
                  uint32_t pid) {
  char path[256];
  snprintf(path, sizeof(path), "%.200s/%u/fd", proc, pid);
  DIR *dir = opendir(path);
  if (dir == NULL) {
    search->refused += errno == EACCES || errno == EPERM;
    process_note_failure(search, errno);
  }
  return dir;
}

const struct dirent *process_read_entry(struct process_search *search,
                                        DIR *dir) {
  errno = 0;
  const struct dirent *entry = readdir(dir);
  if (entry == NULL && errno != 0)
    process_note_failure(search, errno);
  return entry;
}

/* Reads at most max descriptors of the process. Returns how many it has read,
 * or -errno of opendir(3). */
static int read_descriptors(const char *proc, uint32_t pid,
                            const struct process_sockets *sockets, int max,
                            struct found *found,
                            struct process_search *search) {
  DIR *dir = process_open(search, proc, pid);
  if (dir == NULL)
    return -errno;
  int num = 0;
  const struct dirent *entry;
  while (num < max && (entry = process_read_entry(search, dir)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    char link[64];
    ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
    if (len < 0)
      process_note_link(search, dirfd(dir), entry->d_name, errno);
    num++;
    uint32_t inode = len <= 0 ? 0 : process_parse_socket(link, (size_t)len);
    struct process_socket *slot = inode == 0 ? NULL : find(sockets, inode);
    /* A process may have several descriptors of one. */
    if (slot == NULL || slot->inode == 0 || slot->pid == pid)
      continue;
    slot->pid = pid;
    for (unsigned i = 0; i < PROCESS_HOLDERS; i++)
      found->num[i] += slot->holds >> i & 1;
    found->listens |= slot->listens;
    found->sum++;
  }
  closedir(dir);
  return num;
}

/* Reads a small file of the process; "" where that fails. */
static void read_text(const char *proc, uint32_t pid, const char *file,
                      char *buf, size_t size) {
  char path[256];
  snprintf(path, sizeof(path), "%.200s/%u/%s", proc, pid, file);
  if (proc_file_read(path, buf, size) != 0)
    buf[0] = '\0';
}

/* The service of the process's own control group; "": not known. */
static void read_service(const char *proc, uint32_t pid,
                         char service[SERVICE_NAME_SIZE]) {
  /* "0::/PATH" is the line of cgroup v2, cgroups(7). */
  char text[4096];
  read_text(proc, pid, "cgroup", text, sizeof(text));
  char *line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
  service[0] = '\0';
  if (line != NULL) {
    line += line[0] == '\n' ? 4 : 3;
    line[strcspn(line, "\n")] = '\0';
    service_name(service, line);
  }
}

void process_describe(const char *proc, struct process *process) {
  read_service(proc, process->pid, process->service);
  char comm[128];
  read_text(proc, process->pid, "comm", comm, sizeof(comm));
  size_t len = 0;
  /* Anybody can name a process. */
  for (const char *c = comm;
       *c != '\n' && *c != '\0' && len < sizeof(process->command) - 1; c++)
    process->command[len++] = *c >= ' ' && *c <= '~' ? *c : '?';
  process->command[len] = '\0';
}

void processes_add(struct processes *holder, const struct process *process) {
  holder->num++;
  size_t place =
      holder->top_num < PROCESS_TOP ? holder->top_num++ : PROCESS_TOP;
  for (; place > 0 && holder->top[place - 1].num < process->num; place--)
    if (place < PROCESS_TOP)
      holder->top[place] = holder->top[place - 1];
  if (place < PROCESS_TOP)
    holder->top[place] = *process;
}

static bool is_of_holder(const struct work *work, uint32_t pid) {
  char service[SERVICE_NAME_SIZE];
  if (!work->services)
    return false;
  read_service(work->proc, pid, service);
  for (size_t i = 0; i < PROCESS_HOLDERS && service[0] != '\0'; i++)
    if (strcmp(service, work->sockets->services[i]) == 0)
      return true;
  return false;
}

static bool is_in_netns(const struct work *work, uint32_t pid) {
  ino_t netns;
  return netns_sums_identify(work->proc, pid, &netns) == 0 &&
         netns == work->netns;
}

static int take_process(uint32_t pid, void *data) {
  struct work *work = data;
  if (work->suspects_num == PROCESS_MAX) {
    work->search.complete = false;
    return -E2BIG;
  }
  if (work->suspects_num == work->suspects_size) {
    size_t size = work->suspects_size == 0 ? 1024 : 2 * work->suspects_size;
    struct suspect *grown = realloc(work->suspects, size * sizeof(*grown));
    if (grown == NULL)
      return -ENOMEM;
    work->suspects = grown;
    work->suspects_size = size;
  }
  work->suspects[work->suspects_num++] = (struct suspect){
      pid, (int)is_of_holder(work, pid) + (int)is_in_netns(work, pid)};
  return 0;
}

static void search_process(struct work *work, uint32_t pid) {
  struct process_search *search = &work->search;
  struct found found = {.sum = 0};
  int max = work->left < PROCESS_DESCRIPTORS_EACH ? work->left
                                                  : PROCESS_DESCRIPTORS_EACH;
  int err =
      read_descriptors(work->proc, pid, work->sockets, max, &found, search);
  search->error = err == -ENOMEM ? err : search->error;
  work->left -= err > 0 ? err : 0;
  search->complete = search->complete && err < max;
  search->found += found.sum;
  if (found.sum == 0)
    return;
  struct process process = {.pid = pid};
  process_describe(work->proc, &process);
  for (size_t i = 0; i < work->num; i++) {
    process.num = found.num[i];
    process.listens = found.listens >> i & 1;
    if (process.num > 0 || process.listens)
      processes_add(&work->holders[i], &process);
  }
}

struct process_search process_find(const char *proc,
                                   const struct process_sockets *sockets,
                                   struct processes *holders, size_t num) {
  struct work work = {.proc = proc,
                      .sockets = sockets,
                      .holders = holders,
                      .num = num,
                      .left = PROCESS_DESCRIPTORS_MAX,
                      .search = {.complete = sockets->complete}};
  memset(holders, 0, num * sizeof(*holders));
  for (size_t i = 0; i < sockets->size; i++)
    sockets->slots[i].pid = 0;
  if (sockets->num == 0)
    return work.search;
  if (netns_sums_identify(proc, 0, &work.netns) != 0)
    work.netns = 0;
  for (size_t i = 0; i < PROCESS_HOLDERS; i++)
    work.services = work.services || sockets->services[i][0] != '\0';
  int err = proc_walk(proc, take_process, &work);
  if (err != 0 && err != -E2BIG) {
    work.search.error = err;
    work.suspects_num = 0;
  }
  for (int clues = CLUES; clues >= 0; clues--)
    for (size_t i = 0; i < work.suspects_num && work.left > 0; i++)
      if (work.suspects[i].clues == clues)
        search_process(&work, work.suspects[i].pid);
  free(work.suspects);
  return work.search;
}

void process_explain(const struct process_search *search, char *text,
                     size_t size) {
  if (search->error != 0)
    snprintf(text, size, "NotifyProcesses: no process was found: %s",
             search->error == -ENOMEM ? "out of memory"
                                      : "/proc cannot be read");
  else if (search->refused > 0)
    snprintf(text, size,
             "NotifyProcesses: not allowed to inspect %u process%s: collectd "
             "needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or has to run as "
             "their user",
             search->refused, search->refused == 1 ? "" : "es");
  else
    snprintf(
        text, size,
        "NotifyProcesses: no process here has the stuck sockets open (does "
        "collectd have its own PID namespace?)");
}
