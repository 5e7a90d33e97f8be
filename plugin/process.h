/* Processes that hold sockets. */
#ifndef TCPSTATES_PROCESS_H
#define TCPSTATES_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Writes which processes have sockets with these inodes open, each process
 * once, as "COMMAND[PID], ..."; inode 0 is none. proc is where procfs is
 * mounted. Needs the right to look into the processes (CAP_SYS_PTRACE, or the
 * same user): it leaves out those that it may not see. */
void process_find(const char *proc, const uint32_t *inodes, size_t num,
                  char *buf, size_t size);

#endif
