/* SPDX-License-Identifier: MIT */
/* Which processes hold sockets: found in /proc by their inodes, for the
 * notifications. */
#ifndef TCPSTATES_PROCESS_H
#define TCPSTATES_PROCESS_H

#include "service.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Others decide how many processes and descriptors there are. This many sockets
 * are searched for, this many processes and descriptors are read in one search,
 * and this many descriptors of one process. */
#define PROCESS_SOCKETS_MAX 65536
#define PROCESS_MAX 262144
#define PROCESS_DESCRIPTORS_MAX 262144
#define PROCESS_DESCRIPTORS_EACH 65536

/* Sockets of this many holders are searched for in one search, and this
 * many processes are reported for each. */
#define PROCESS_HOLDERS 8
#define PROCESS_TOP 8

/* The sockets to search for, by inode. */
struct process_sockets {
  struct process_socket *slots; /* an open hash table */
  size_t size;
  size_t num;
  uint64_t multiplier;
  bool complete; /* no more than PROCESS_SOCKETS_MAX were added */
  /* Of the holders: their processes are searched first. "": not known. */
  char services[PROCESS_HOLDERS][SERVICE_NAME_SIZE];
};

/* A process with sockets of a holder. */
struct process {
  uint32_t pid;
  uint32_t num;     /* of them; those that others have as well count, too */
  bool listens;     /* it has a listener of a holder */
  char command[32]; /* printable */
  char service[SERVICE_NAME_SIZE]; /* of its own control group; "": not known */
};

/* Those of one holder. */
struct processes {
  struct process top[PROCESS_TOP]; /* with the most sockets first */
  size_t top_num;
  uint32_t num; /* of all of its processes */
};

/* How the search went. */
struct process_search {
  int error;        /* 0; -ENOMEM, or that of proc_walk(): nothing was found */
  uint32_t found;   /* descriptors of these sockets */
  uint32_t refused; /* processes that it may not inspect */
  bool complete;    /* no descriptor is left that it has not read */
};

/* Makes room for the sockets. Returns 0 or -ENOMEM; to be freed in any case. */
int process_sockets_init(struct process_sockets *sockets);

/* Adds a socket of the holder of this number, below PROCESS_HOLDERS; inode 0 is
 * none. listens: it is the listener through which others come. One that is
 * there stays, and belongs to this holder as well. */
void process_sockets_add(struct process_sockets *sockets, uint32_t inode,
                         unsigned holder, bool listens);

void process_sockets_free(struct process_sockets *sockets);

/* Finds the processes that have the sockets open, holder by holder: num of
 * them. Those in this thread's network namespace and those of the holders'
 * services are searched first, those that are both before all others. proc is
 * where procfs is mounted. Needs the right to inspect the
 * processes (CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or the same user). */
struct process_search process_find(const char *proc,
                                   const struct process_sockets *sockets,
                                   struct processes *holders, size_t num);

/* The inode of what a descriptor's link says, "socket:[INODE]"; 0: it is no
 * socket. */
uint32_t process_parse_socket(const char *link, size_t len);

/* A search could not read something, with this errno. It is incomplete then,
 * unless the process has ended or the descriptor was closed. */
void process_note_failure(struct process_search *search, int error);

/* The same of a descriptor's link, name in the directory dir (AT_FDCWD: of any
 * path). Of a process that has ended the kernel can say EACCES, too
 * (fs/proc/base.c, proc_pid_readlink()): then the link is gone. */
void process_note_link(struct process_search *search, int dir, const char *name,
                       int error);

/* Opens the descriptors of the process of this pid; NULL: it has ended, or it
 * is noted as refused or missed, and errno is that of opendir(3). */
DIR *process_open(struct process_search *search, const char *proc,
                  uint32_t pid);

/* The next entry; NULL: there is none any more, or it is noted that it cannot
 * be read. */
const struct dirent *process_read_entry(struct process_search *search,
                                        DIR *dir);

/* Finds out the command and the service of the process of this pid. */
void process_describe(const char *proc, struct process *process);

/* Adds one more process: those with more sockets are before it. */
void processes_add(struct processes *processes, const struct process *process);

/* Writes why a search has not found all, a sentence without a full stop. */
void process_explain(const struct process_search *search, char *text,
                     size_t size);

#endif
