/* SPDX-License-Identifier: MIT */
/* A machine made up for snapshot.c: the files of its /proc, its kernel's
 * release, and what its dumps answer. The functions below __wrap_ take the
 * place of others; link with
 * -Wl,--wrap=diag_dump_run,--wrap=proc_file_read,--wrap=proc_file_reread
 * -Wl,--wrap=uname */
#ifndef TCPSTATES_FAKE_MACHINE_H
#define TCPSTATES_FAKE_MACHINE_H

#include "snapshot.h"
#include "temp_tree.h"

#define SOCKSTAT "/thread-self/net/sockstat"
#define SOCKSTAT6 "/thread-self/net/sockstat6"
#define FIN_TIMEOUT "/sys/net/ipv4/tcp_fin_timeout"
#define MAX_ORPHANS "/sys/net/ipv4/tcp_max_orphans"
#define MAX_TW_BUCKETS "/sys/net/ipv4/tcp_max_tw_buckets"
#define MEM "/sys/net/ipv4/tcp_mem"
#define EHASH_ENTRIES "/sys/net/ipv4/tcp_ehash_entries"

#define MACHINE_DUMP "a dump"

/* sockstat of a machine with this many AF_INET sockets. */
#define SOCKSTAT_INUSE(inuse)                                                  \
  "TCP: inuse " inuse " orphan 3 tw 0 alloc 310 mem 52\n"

struct fake_machine {
  struct temp_tree proc;
  const char *release;               /* NULL: uname() fails */
  const struct diag_socket *sockets; /* all that there are */
  size_t num;
  int errors[8]; /* of a read's dumps, one after the other, after their
                    sockets; then 0 */
  struct diag_request requests[16]; /* of the last read */
  size_t requests_num;
  /* What the last read has asked for, in order: the names of files, and
   * MACHINE_DUMP for a dump. */
  const char *events[64];
  size_t events_num;
  unsigned sums_lost_after; /* SOCKSTAT6 becomes unreadable after this many
                               readings; 0: it does not */
  unsigned sums_read;

  struct settings settings;
  struct cgroup_tree cgroups;
  struct snapshot_reader reader;
  struct snapshot snapshot; /* the last read's */
};

extern struct fake_machine machine;

/* Makes the machine, with default settings that count all sockets:
 *   2 ESTABLISHED at 443; LISTEN at 443 and 8080; 1 bound to 9000;
 *   1 in CLOSE_WAIT at 443, for 66 s */
void fake_machine_start(void);

/* Makes all files, as they are at the start. */
void fake_machine_write_files(void);

/* Makes a file unreadable (EISDIR), also for root. */
void fake_machine_spoil(const char *file);

/* Opens the reader. The first read, which does, too; and each one after it. */
void fake_machine_open(void);
void fake_machine_read_first(void);
void fake_machine_read(void);

void fake_machine_end(void);

#endif
