/* SPDX-License-Identifier: MIT */
/* A seccomp filter for plugin_host. */
#ifndef TCPSTATES_SYSCALL_FILTER_H
#define TCPSTATES_SYSCALL_FILTER_H

/* From now on any system call but those named (between blanks), those of
 * memory, threads and the clock, and write() ends the process with SIGSYS.
 * Returns 0; -EINVAL: a name is not known here, *unknown points to it. */
int syscall_filter_install(const char *names, const char **unknown);

#endif
