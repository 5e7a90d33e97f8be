/* SPDX-License-Identifier: MIT */
/* Installs a seccomp filter made from names of system calls. */
#include "syscall_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SYSCALL(name)                                                          \
  { #name, __NR_##name }
static const struct {
  const char *name;
  int number;
} syscalls[] = {
    SYSCALL(bind),
    SYSCALL(close),
    SYSCALL(connect),
    SYSCALL(fcntl),
    SYSCALL(fstat),
    SYSCALL(getdents64),
    SYSCALL(inotify_add_watch),
    SYSCALL(inotify_init1),
    SYSCALL(inotify_rm_watch),
    SYSCALL(name_to_handle_at),
    SYSCALL(getsockname),
    SYSCALL(getsockopt),
    SYSCALL(lseek),
    SYSCALL(openat),
    SYSCALL(read),
#ifdef __NR_readlink
    SYSCALL(readlink),
#endif
    SYSCALL(readlinkat),
    SYSCALL(recvmsg),
    SYSCALL(sendto),
    SYSCALL(setns),
    SYSCALL(setsockopt),
    SYSCALL(socket),
    SYSCALL(statfs),
    SYSCALL(sysinfo),
    SYSCALL(uname),
    SYSCALL(faccessat),
#ifdef __NR_access
    SYSCALL(access),
#endif
#ifdef __NR_newfstatat
    SYSCALL(newfstatat),
#endif
};

/* What any program with threads needs: memory, threads, the clock, and here the
 * output. */
static const int always[] = {
    __NR_clock_gettime,
    __NR_brk,
    __NR_clone,
    __NR_exit,
    __NR_exit_group,
    __NR_futex,
    __NR_madvise,
    __NR_mprotect,
    __NR_mremap,
    __NR_munmap,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_set_robust_list,
    __NR_write,
#ifdef __NR_mmap
    __NR_mmap,
#endif
#ifdef __NR_mmap2
    __NR_mmap2,
#endif
#ifdef __NR_clock_gettime64
    __NR_clock_gettime64,
#endif
#ifdef __NR_clone3
    __NR_clone3,
#endif
#ifdef __NR_rseq
    __NR_rseq,
#endif
};

#define ALWAYS_NUM (sizeof(always) / sizeof(*always))
#define NAMES_MAX 40

struct program {
  struct sock_filter code[2 * (ALWAYS_NUM + NAMES_MAX) + 2];
  unsigned short len;
};

static void allow(struct program *program, int number) {
  program->code[program->len++] = (struct sock_filter)BPF_JUMP(
      BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
  program->code[program->len++] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

static int find(const char *name, size_t len) {
  for (size_t i = 0; i < sizeof(syscalls) / sizeof(*syscalls); i++)
    if (strlen(syscalls[i].name) == len &&
        memcmp(syscalls[i].name, name, len) == 0)
      return syscalls[i].number;
  return -1;
}

int syscall_filter_install(const char *names, const char **unknown) {
  struct program program = {
      .code = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                        offsetof(struct seccomp_data, nr))},
      .len = 1};
  for (size_t i = 0; i < ALWAYS_NUM; i++)
    allow(&program, always[i]);
  size_t len;
  unsigned num = 0;
  for (const char *name = names + strspn(names, " "); *name != '\0';
       name += len + strspn(name + len, " ")) {
    len = strcspn(name, " ");
    int number = find(name, len);
    if (number < 0 || ++num > NAMES_MAX) {
      *unknown = name;
      return -EINVAL;
    }
    allow(&program, number);
  }
  program.code[program.len++] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  const struct sock_fprog prog = {.len = program.len, .filter = program.code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0) {
    *unknown = names;
    return -errno;
  }
  return 0;
}
