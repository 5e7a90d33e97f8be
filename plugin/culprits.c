/* SPDX-License-Identifier: MIT */
/* Finds descriptors of sockets that no dump shows, for unhashed_alarm.c. A
 * socket that is open before and after a dump, but not in it, is in no state.
 */
#include "culprits.h"

#include "clock.h"
#include "netns_sums.h"
#include "number.h"
#include "proc_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* An open TCP socket. */
struct candidate {
  uint32_t inode;
  uint32_t pid; /* 0: the socket is in a state, or it is not known */
  uint32_t fd;
  uint32_t namespace; /* in which the process is */
};

struct search {
  const char *proc;
  struct process_search result;
  struct candidate *candidates;
  size_t num, size;
  int left;      /* descriptors that may still be read */
  int64_t until; /* when tables have been read for long enough, of
                    clock_cpu_ns() */
  /* Where the candidates' processes are; this process's is the first. */
  struct {
    ino_t ino;
    uint32_t pid;
  } namespaces[CULPRITS_NAMESPACES];
  size_t namespaces_num;
};

/* Returns its number; CULPRITS_NAMESPACES: there are too many. */
static uint32_t note_namespace(struct search *search, ino_t ino, uint32_t pid) {
  uint32_t i = 0;
  while (i < search->namespaces_num && search->namespaces[i].ino != ino)
    i++;
  if (i == search->namespaces_num && i < CULPRITS_NAMESPACES) {
    search->namespaces[i].ino = ino;
    search->namespaces[search->namespaces_num++].pid = pid;
  }
  return i;
}

static int add(struct search *search, const struct candidate *candidate) {
  if (search->num == search->size) {
    size_t size = search->size == 0 ? 1024 : 2 * search->size;
    struct candidate *grown =
        realloc(search->candidates, size * sizeof(*search->candidates));
    if (grown == NULL)
      return -ENOMEM;
    search->candidates = grown;
    search->size = size;
  }
  search->candidates[search->num++] = *candidate;
  return 0;
}

/* The inode of the socket that the descriptor is of; 0: it is of no socket. */
static uint32_t read_inode(struct search *search, const char *path) {
  char link[64];
  ssize_t len = readlink(path, link, sizeof(link));
  if (len < 0)
    process_note_link(&search->result, AT_FDCWD, path, errno);
  return len <= 0 ? 0 : process_parse_socket(link, (size_t)len);
}

/* MPTCP's have the inode of their subflows, which are TCP's. */
static bool is_tcp(struct search *search, const char *path) {
  char name[33]; /* include/net/sock.h, struct proto, and an end */
  ssize_t len = getxattr(path, "system.sockprotoname", name, sizeof(name) - 1);
  if (len < 0)
    process_note_link(&search->result, AT_FDCWD, path, errno);
  if (len <= 0)
    return false;
  name[len] = '\0';
  const char *protocol = strncmp(name, "MP", 2) == 0 ? name + 2 : name;
  return strcmp(protocol, "TCP") == 0 || strcmp(protocol, "TCPv6") == 0;
}

static int take_descriptors(struct search *search, DIR *dir, uint32_t pid,
                            uint32_t namespace) {
  const struct dirent *entry;
  int num = 0, err = 0;
  while (err == 0 &&
         (entry = process_read_entry(&search->result, dir)) != NULL) {
    uint64_t fd;
    if (number_parse(entry->d_name, strlen(entry->d_name), INT32_MAX, &fd) != 0)
      continue;
    if (num++ == PROCESS_DESCRIPTORS_EACH || search->left-- == 0) {
      search->result.complete = false;
      return search->left < 0 ? -E2BIG : 0;
    }
    char path[256];
    snprintf(path, sizeof(path), "%.200s/%u/fd/%u", search->proc, pid,
             (unsigned)fd);
    const struct candidate candidate = {read_inode(search, path), pid,
                                        (uint32_t)fd, namespace};
    if (candidate.inode == 0 || !is_tcp(search, path))
      continue;
    if (namespace < CULPRITS_NAMESPACES)
      err = add(search, &candidate);
    else
      search->result.complete = false;
  }
  return err;
}

static int take_process(uint32_t pid, void *data) {
  struct search *search = data;
  DIR *dir = process_open(&search->result, search->proc, pid);
  if (dir == NULL)
    return 0;
  ino_t ino;
  size_t num = search->num, namespaces_num = search->namespaces_num;
  int unknown = netns_sums_identify(search->proc, pid, &ino), err = 0;
  if (unknown == 0)
    err = take_descriptors(search, dir, pid, note_namespace(search, ino, pid));
  else
    process_note_failure(&search->result, -unknown);
  /* A namespace without TCP sockets takes no place. */
  if (search->num == num)
    search->namespaces_num = namespaces_num;
  closedir(dir);
  return err;
}

static int compare_inodes(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int compare_pids(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : compare_inodes(a, b);
}

/* The socket is in a state; several descriptors may be of it. The inodes stay
 * as they are: they are sorted. */
static void note_state(struct search *search, uint32_t inode) {
  const struct candidate key = {.inode = inode};
  struct candidate *found = inode == 0
                                ? NULL
                                : bsearch(&key, search->candidates, search->num,
                                          sizeof(key), compare_inodes);
  if (found == NULL)
    return;
  while (found > search->candidates && found[-1].inode == inode)
    found--;
  for (; found < search->candidates + search->num && found->inode == inode;
       found++)
    found->pid = 0;
}

static int take_socket(const struct diag_socket *socket, void *data) {
  note_state(data, socket->inode);
  return 0;
}

/* Reads /proc/PID/net/tcp or tcp6, in which the inode is the tenth word.
 * Returns 0 or -errno; -ETIME: not to its end. */
static int read_table(struct search *search, uint32_t pid, const char *file) {
  char path[256], line[512];
  snprintf(path, sizeof(path), "%.200s/%u/net/%s", search->proc, pid, file);
  FILE *table = fopen(path, "re");
  if (table == NULL)
    return -errno;
  bool in_time;
  while ((in_time = clock_cpu_ns() < search->until) &&
         fgets(line, sizeof(line), table) != NULL) {
    char *rest = line, *word = NULL;
    for (int i = 0; i < 10; i++)
      word = strtok_r(i == 0 ? line : NULL, " \n", &rest);
    uint64_t inode;
    if (word != NULL &&
        number_parse(word, strlen(word), UINT32_MAX, &inode) == 0)
      note_state(search, (uint32_t)inode);
  }
  int err = ferror(table) ? -EIO : in_time ? 0 : -ETIME;
  fclose(table);
  return err;
}

/* Nothing is known of a namespace that cannot be read any more. */
static void drop_namespace(struct search *search, uint32_t namespace) {
  search->result.complete = false;
  for (size_t i = 0; i < search->num; i++)
    if (search->candidates[i].namespace == namespace)
      search->candidates[i].pid = 0;
}

/* Returns 0, or an error of the dump. */
static int find_states(struct search *search, struct diag_dump *dump) {
  const struct diag_request request = {.states = (1u << (TCP_CLOSING + 1)) -
                                                 (1u << TCP_ESTABLISHED)};
  int err = diag_dump_run(dump, &request, take_socket, search);
  search->until = clock_cpu_ns() + CULPRITS_TABLES_NS;
  for (uint32_t i = 1; i < search->namespaces_num && err == 0; i++) {
    uint32_t pid = search->namespaces[i].pid;
    int err6 = read_table(search, pid, "tcp6");
    if (read_table(search, pid, "tcp") != 0 || (err6 != 0 && err6 != -ENOENT))
      drop_namespace(search, i);
  }
  return err;
}

static bool is_open(struct search *search, const struct candidate *candidate) {
  char path[256];
  snprintf(path, sizeof(path), "%.200s/%u/fd/%u", search->proc, candidate->pid,
           candidate->fd);
  return read_inode(search, path) == candidate->inode;
}

/* Adds up what is left, process by process. */
static void add_up(struct search *search, struct processes *out) {
  qsort(search->candidates, search->num, sizeof(*search->candidates),
        compare_pids);
  struct process process = {.pid = 0};
  uint32_t last = 0;
  for (size_t i = 0; i <= search->num; i++) {
    const struct candidate *next =
        i < search->num ? &search->candidates[i] : NULL;
    if (process.num > 0 && (next == NULL || next->pid != process.pid)) {
      process_describe(search->proc, &process);
      processes_add(out, &process);
      process.num = 0;
    }
    if (next == NULL || next->pid == 0)
      continue;
    if (next->pid != process.pid)
      last = 0;
    if (next->inode == last || !is_open(search, next))
      continue;
    if (process.num == 0)
      process = (struct process){.pid = next->pid};
    last = next->inode;
    process.num++;
    search->result.found++;
  }
}

struct process_search culprits_find(const char *proc, struct diag_dump *dump,
                                    struct processes *out) {
  struct search search = {.proc = proc,
                          .result = {.complete = true},
                          .left = PROCESS_DESCRIPTORS_MAX};
  *out = (struct processes){.num = 0};
  int err = netns_sums_identify(proc, 0, &search.namespaces[0].ino);
  search.namespaces_num = 1;
  if (err == 0)
    err = proc_walk(proc, take_process, &search);
  if (err == -E2BIG)
    err = 0;
  if (err == 0 && search.num > 0) {
    qsort(search.candidates, search.num, sizeof(*search.candidates),
          compare_inodes);
    err = find_states(&search, dump);
  }
  if (err == 0 && search.num > 0)
    add_up(&search, out);
  free(search.candidates);
  search.result.error = err;
  return search.result;
}
