/* SPDX-License-Identifier: MIT */
/* Pure parsers of the kernel's text files, text in, numbers out.
 */
#ifndef TCPSTATES_PROC_TEXT_H
#define TCPSTATES_PROC_TEXT_H

#include "filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a number that is not known. */
#define PROC_UNKNOWN (-1)

/* The line "TCP:" of /proc/net/sockstat (net/ipv4/proc.c,
 * sockstat_seq_show()); a key that the kernel does not print is PROC_UNKNOWN.
 */
struct proc_sockstat {
  int64_t inuse;  /* AF_INET full sockets of this network namespace */
  int64_t orphan; /* full sockets without owner, of the whole machine */
  int64_t tw;     /* minisockets of this namespace, both address families */
  int64_t alloc;  /* full sockets of the whole machine */
  int64_t mem;    /* TCP memory of the whole machine, pages */
};

/* Parses the text of sockstat.
 * Returns 0; -ENODATA: there is no line "TCP:"; -EBADMSG: that line is not
 * made of keys with a number each. *out is untouched on error. */
int proc_text_sockstat(const char *text, struct proc_sockstat *out);

/* Parses the text of sockstat6: *inuse becomes the number of AF_INET6 full
 * sockets of this namespace, v4-mapped ones included. Returns as above. */
int proc_text_sockstat6(const char *text, int64_t *inuse);

/* Parses a sysctl file: one line of exactly num numbers between blanks.
 * Returns 0 or -EBADMSG; out is untouched on error. num is at most 3. */
int proc_text_sysctl(const char *text, int64_t *out, size_t num);

/* Parses ip_local_port_range: two numbers from 1 to 65535, the second is not
 * less than the first. Returns 0 or -EBADMSG; *out is untouched on error. */
int proc_text_port_range(const char *text, struct port_range *out);

/* Parses a list of ports such as ip_local_reserved_ports ("8080,9148-9200", or
 * nothing, and a newline; proc_do_large_bitmap() in kernel/sysctl.c): *out
 * becomes those ports. Returns 0 or -EBADMSG; *out is void on error. */
int proc_text_port_list(const char *text, struct port_bitmap *out);

/* Parses uname(2)'s release ("6.1.0-18-amd64"): is this kernel at least
 * major.minor? Returns 1: yes; 0: no; -EBADMSG: the text is no release. */
int proc_text_release_at_least(const char *text, unsigned major,
                               unsigned minor);

#endif
