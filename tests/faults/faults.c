/* SPDX-License-Identifier: MIT */
/* Takes the place of the C library's calls that the plugin and libmnl make, and
 * lets one of them fail, for tests/e2e/faults.sh. What the executable defines
 * comes before the C library's, also for what it loads.
 *
 * HOW a call fails is the name of an errno, or for recvmsg() and read() one of
 * the words in hows[]. So that values can be compared, sockstat's numbers of
 * the whole machine are made constant, and the sysctls that only the first
 * network namespace has come from the directory $FAULTS_PROC. With
 * $FAULTS_ALLOC this PID namespace is the machine, and has that many sockets.
 */

/* The C library's own checking variants would be in the way. */
#undef _FORTIFY_SOURCE

#include "faults.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

/* clang-format off */
#define CALLS(X)                                                               \
  X(socket) X(bind) X(getsockname) X(connect) X(setsockopt) X(sendto)          \
  X(recvmsg) X(open) X(lseek) X(read) X(close) X(opendir) X(readdir)           \
  X(closedir) X(readlinkat) X(uname) X(setns) X(pthread_create) X(malloc)      \
  X(calloc) X(realloc) X(getdents64) X(stat) X(readlink) X(getxattr)
/* clang-format on */

#define CALL_ENUM(name) CALL_##name,
#define CALL_NAME(name) #name,
enum call { CALLS(CALL_ENUM) CALLS_NUM };
static const char *const call_names[] = {CALLS(CALL_NAME)};

#define ERRNO(name)                                                            \
  { #name, name }
static const struct {
  const char *name;
  int number;
} errnos[] = {
    ERRNO(EACCES),        ERRNO(EADDRINUSE),
    ERRNO(EADDRNOTAVAIL), ERRNO(EAFNOSUPPORT),
    ERRNO(EAGAIN),        ERRNO(EALREADY),
    ERRNO(EBADF),         ERRNO(EBUSY),
    ERRNO(ECONNREFUSED),  ERRNO(ECONNRESET),
    ERRNO(EDESTADDRREQ),  ERRNO(EDOM),
    ERRNO(EDQUOT),        ERRNO(EEXIST),
    ERRNO(EFAULT),        ERRNO(EFBIG),
    ERRNO(EINPROGRESS),   ERRNO(EINTR),
    ERRNO(EINVAL),        ERRNO(EIO),
    ERRNO(EISCONN),       ERRNO(EISDIR),
    ERRNO(ELOOP),         ERRNO(EMFILE),
    ERRNO(EMSGSIZE),      ERRNO(ENAMETOOLONG),
    ERRNO(ENETUNREACH),   ERRNO(ENFILE),
    ERRNO(ENOBUFS),       ERRNO(ENODEV),
    ERRNO(ENOENT),        ERRNO(ENOMEM),
    ERRNO(ENOPROTOOPT),   ERRNO(ENOSPC),
    ERRNO(ENOSYS),        ERRNO(ENOTCONN),
    ERRNO(ENOTDIR),       ERRNO(ENOTSOCK),
    ERRNO(ENXIO),         ERRNO(EOPNOTSUPP),
    ERRNO(EOVERFLOW),     ERRNO(EPERM),
    ERRNO(EPIPE),         ERRNO(EPROTONOSUPPORT),
    ERRNO(EPROTOTYPE),    ERRNO(EROFS),
    ERRNO(ESRCH),         ERRNO(ETIMEDOUT),
    ERRNO(ETXTBSY),       ERRNO(EWOULDBLOCK),
    ERRNO(E2BIG),         ERRNO(ERANGE),
};

enum how {
  HOW_ERRNO,
  HOW_TRUNCATED,
  HOW_CUT,
  HOW_EMPTY,
  HOW_LOST,
  HOW_NO_DONE,
  HOW_STALE,
  HOW_DUPLICATE,
  HOW_SEQ,
  HOW_PORTID,
  HOW_INTERRUPTED,
  HOW_DONE_ERROR,
  HOW_ERROR,
  HOW_ERROR_EINVAL,
  HOW_ACK,
  HOW_OVERRUN,
  HOW_UNKNOWN,
  HOW_SHORT,
  HOW_HALF,
};
static const struct {
  const char *name;
  /* What is done to the last message of what recvmsg() gives: these are added,
   * and if type is not 0 it is of that type, and tells of this error. */
  uint32_t seq, portid;
  uint16_t flags;
  uint16_t type;
  int error;
} hows[] = {
    /* recvmsg() */
    [HOW_TRUNCATED] = {.name = "truncated"}, /* MSG_TRUNC */
    /* ends within a message, without MSG_TRUNC */
    [HOW_CUT] = {.name = "cut"},
    [HOW_EMPTY] = {.name = "empty"}, /* of length 0 */
    /* nothing comes any more, until the time limit */
    [HOW_LOST] = {.name = "lost"},
    /* the same, except for what comes with NLMSG_DONE */
    [HOW_NO_DONE] = {.name = "no-done"},
    /* before it comes the end of an earlier dump */
    [HOW_STALE] = {.name = "stale"},
    /* what comes with NLMSG_DONE comes again, before the next dump */
    [HOW_DUPLICATE] = {.name = "duplicate"},
    [HOW_SEQ] = {.name = "seq", .seq = 1},          /* of another request */
    [HOW_PORTID] = {.name = "portid", .portid = 1}, /* for somebody else */
    [HOW_INTERRUPTED] = {.name = "interrupted", .flags = NLM_F_DUMP_INTR},
    [HOW_DONE_ERROR] = {.name = "done-error",
                        .type = NLMSG_DONE,
                        .error = -ENOMEM},
    [HOW_ERROR] = {.name = "error", .type = NLMSG_ERROR, .error = -ENOMEM},
    /* as for a bytecode that is refused */
    [HOW_ERROR_EINVAL] = {.name = "error-einval",
                          .type = NLMSG_ERROR,
                          .error = -EINVAL},
    [HOW_ACK] = {.name = "ack", .type = NLMSG_ERROR},
    [HOW_OVERRUN] = {.name = "overrun", .type = NLMSG_OVERRUN},
    [HOW_UNKNOWN] = {.name = "unknown", .type = NLMSG_MIN_TYPE + 1},
    /* read() */
    [HOW_SHORT] = {.name = "short"}, /* gives one byte at a time */
    [HOW_HALF] = {.name = "half"},   /* the file ends in the middle */
};

static struct {
  char text[128];
  bool any;
  enum call call;
  unsigned position;
  enum how how;
  int error;
} plan;
static atomic_bool armed;
static atomic_uint counts[CALLS_NUM];
static atomic_uint injected;
static char injected_what[256];
static atomic_long blocks;
static _Thread_local char opened[256]; /* the last file */

static int lost_fd = -1;  /* nothing comes there any more */
static int again_fd = -1; /* what is in again comes there */
static struct datagram {
  char data[65536];
  size_t len;
} last, stale, again; /* received last, and last in the read before */
static struct {
  int fd;
  char data[65536];
  size_t len, pos;
} file = {.fd = -1}; /* what read() still has to give */

#define NEXT(name)                                                             \
  __typeof__(&name) next = NULL;                                               \
  do {                                                                         \
    void *symbol = dlsym(RTLD_NEXT, #name);                                    \
    if (symbol == NULL)                                                        \
      abort();                                                                 \
    memcpy(&next, &symbol, sizeof(next));                                      \
  } while (0)

/* Is this call the one that is to fail? */
static bool is_planned(enum call call, const char *what) {
  if (!armed)
    return false;
  unsigned position = atomic_fetch_add(&counts[call], 1) + 1;
  if (!plan.any || plan.call != call || position != plan.position)
    return false;
  if (atomic_fetch_add(&injected, 1) == 0)
    snprintf(injected_what, sizeof(injected_what), "%s", what);
  return true;
}

static bool fails(enum call call, const char *what) {
  bool planned = is_planned(call, what);
  if (planned)
    errno = plan.error;
  return planned;
}

/* The sanitizer itself allocates in a new thread, and cannot do without. */
static bool allocation_fails(enum call call) {
#ifdef __SANITIZE_ADDRESS__
  if (gettid() != getpid())
    return false;
#endif
  return fails(call, "");
}

/* The allocator's own names: dlsym() may itself allocate. */
#ifdef __SANITIZE_ADDRESS__
#define ALLOCATOR(name) __interceptor_##name
#else
#define ALLOCATOR(name) __libc_##name
#endif
void *ALLOCATOR(malloc)(size_t size);
void *ALLOCATOR(calloc)(size_t num, size_t size);
void *ALLOCATOR(realloc)(void *old, size_t size);
void ALLOCATOR(free)(void *memory);

void *malloc(size_t size) {
  void *memory = allocation_fails(CALL_malloc) ? NULL : ALLOCATOR(malloc)(size);
  blocks += memory != NULL;
  return memory;
}

void *calloc(size_t num, size_t size) {
  void *memory =
      allocation_fails(CALL_calloc) ? NULL : ALLOCATOR(calloc)(num, size);
  blocks += memory != NULL;
  return memory;
}

void *realloc(void *old, size_t size) {
  void *memory =
      allocation_fails(CALL_realloc) ? NULL : ALLOCATOR(realloc)(old, size);
  blocks += memory != NULL && old == NULL;
  return memory;
}

void free(void *memory) {
  blocks -= memory != NULL;
  ALLOCATOR(free)(memory);
}

/* The daemon's children, such as exec's programs, must not inherit the plugin's
 * descriptors. Returns fd. */
static int check_descriptor(int fd, const char *call, const char *what) {
  int flags = armed && fd >= 0 ? fcntl(fd, F_GETFD) : FD_CLOEXEC;
  if (flags >= 0 && !(flags & FD_CLOEXEC))
    fprintf(stderr, "contract: %s %s: not closed on exec\n", call, what);
  return fd;
}

/* A call that is made, unless it is the one that fails. */
#define CALL(name, type, failed, what, parameters, arguments)                  \
  type name parameters {                                                       \
    NEXT(name);                                                                \
    return fails(CALL_##name, what) ? failed : next arguments;                 \
  }

/* clang-format off */
CALL(bind, int, -1, "", (int fd, const struct sockaddr *addr, socklen_t len),
     (fd, addr, len))
CALL(getsockname, int, -1, "",
     (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
CALL(connect, int, -1, "", (int fd, const struct sockaddr *addr, socklen_t len),
     (fd, addr, len))
CALL(setsockopt, int, -1, "",
     (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len))
CALL(sendto, ssize_t, -1, "",
     (int fd, const void *buf, size_t len, int flags,
      const struct sockaddr *addr, socklen_t addr_len),
     (fd, buf, len, flags, addr, addr_len))
CALL(lseek, off_t, -1, "", (int fd, off_t offset, int whence),
     (fd, offset, whence))
CALL(opendir, DIR *, NULL, path, (const char *path), (path))
CALL(readdir, struct dirent *, NULL, "", (DIR *dir), (dir))
CALL(readlinkat, ssize_t, -1, path,
     (int dir, const char *path, char *buf, size_t size),
     (dir, path, buf, size))
CALL(stat, int, -1, path, (const char *path, struct stat *buf), (path, buf))
CALL(getxattr, ssize_t, -1, path,
     (const char *path, const char *name, void *value, size_t size),
     (path, name, value, size))
CALL(uname, int, -1, "", (struct utsname *buf), (buf))
CALL(setns, int, -1, "", (int fd, int type), (fd, type))
CALL(pthread_create, int, plan.error, "",
     (pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
      void *data),
     (thread, attr, run, data))
/* clang-format on */

int socket(int domain, int type, int protocol) {
  NEXT(socket);
  return fails(CALL_socket, "")
             ? -1
             : check_descriptor(next(domain, type, protocol), "socket", "");
}

/* getdents64(2) has no function of its own in all C libraries. */
long syscall(long number, ...) {
  NEXT(syscall);
  va_list ap;
  va_start(ap, number);
  long a[6];
  for (size_t i = 0; i < 6; i++)
    a[i] = va_arg(ap, long);
  va_end(ap);
  if (number == SYS_getdents64 && fails(CALL_getdents64, ""))
    return -1;
  return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t readlink(const char *path, char *buf, size_t size) {
  NEXT(readlink);
  if (fails(CALL_readlink, path))
    return -1;
  ssize_t len = next(path, buf, size);
  if (!armed || len < 0 || getenv("FAULTS_ALLOC") == NULL ||
      strcmp(path, "/proc/self/ns/pid") != 0)
    return len;
  int first = snprintf(buf, size, "pid:[4026531836]");
  return (size_t)first < size ? first : (ssize_t)size;
}

static struct nlmsghdr *last_message(char *buf, ssize_t len) {
  struct nlmsghdr *message = (void *)buf;
  while (1) {
    ssize_t used = (char *)message - buf + NLMSG_ALIGN(message->nlmsg_len);
    if (used + (ssize_t)sizeof(*message) > len)
      return message;
    message = (void *)(buf + used);
  }
}

static ssize_t time_is_up(int fd) {
  lost_fd = fd;
  errno = EAGAIN;
  return -1;
}

/* What becomes of a datagram; returns its new length. */
static ssize_t spoil(int fd, struct msghdr *msg, char *buf, ssize_t len) {
  struct nlmsghdr *message = last_message(buf, len);
  switch (plan.how) {
  case HOW_TRUNCATED:
    msg->msg_flags |= MSG_TRUNC;
    break;
  case HOW_CUT:
    return (len / 2) | 1;
  case HOW_EMPTY:
    return 0;
  case HOW_LOST:
    return time_is_up(fd);
  case HOW_NO_DONE:
  case HOW_DUPLICATE:
    if (message->nlmsg_type != NLMSG_DONE) {
      injected--;
      return len;
    }
    if (plan.how == HOW_DUPLICATE) {
      injected--; /* until it comes */
      again.len = (size_t)len;
      memcpy(again.data, buf, again.len);
      again_fd = fd;
      return len;
    }
    len = (char *)message - buf;
    time_is_up(fd);
    return len > 0 ? len : -1;
  default:
    message->nlmsg_seq += hows[plan.how].seq;
    message->nlmsg_pid += hows[plan.how].portid;
    message->nlmsg_flags |= hows[plan.how].flags;
    if (hows[plan.how].type == 0)
      break;
    message->nlmsg_type = hows[plan.how].type;
    if (message->nlmsg_type < NLMSG_MIN_TYPE)
      memcpy(NLMSG_DATA(message), &hows[plan.how].error,
             sizeof(hows[plan.how].error));
  }
  return len;
}

static ssize_t deliver(struct msghdr *msg, const struct datagram *datagram) {
  memcpy(msg->msg_iov[0].iov_base, datagram->data, datagram->len);
  *(struct sockaddr_nl *)msg->msg_name =
      (struct sockaddr_nl){.nl_family = AF_NETLINK};
  msg->msg_namelen = sizeof(struct sockaddr_nl);
  msg->msg_flags = 0;
  return (ssize_t)datagram->len;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags) {
  NEXT(recvmsg);
  bool planned = is_planned(CALL_recvmsg, "");
  if (planned && plan.error != 0) {
    errno = plan.error;
    return -1;
  }
  if (armed && fd == lost_fd)
    return time_is_up(fd);
  char *buf = msg->msg_iov[0].iov_base;
  if (planned && plan.how == HOW_STALE)
    return deliver(msg, &stale);
  if (armed && fd == again_fd) {
    again_fd = -1;
    injected++;
    return deliver(msg, &again);
  }
  ssize_t len = next(fd, msg, flags);
  if (armed && len > 0) {
    last.len = (size_t)len;
    memcpy(last.data, buf, last.len);
  }
  return planned && len > 0 ? spoil(fd, msg, buf, len) : len;
}

static mode_t mode_of(int flags, va_list ap) {
  return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE
             ? va_arg(ap, mode_t)
             : 0;
}

int open(const char *path, int flags, ...) {
  NEXT(open);
  va_list ap;
  va_start(ap, flags);
  mode_t mode = mode_of(flags, ap);
  va_end(ap);
  snprintf(opened, sizeof(opened), "%s", path);
  if (fails(CALL_open, path))
    return -1;
  int fd = next(path, flags, mode);
  const char *proc = getenv("FAULTS_PROC");
  if (armed && fd < 0 && errno == ENOENT && proc != NULL &&
      strncmp(path, "/proc/", 6) == 0) {
    char fixture[512];
    snprintf(fixture, sizeof(fixture), "%s%s", proc, path + 5);
    fd = next(fixture, flags);
  }
  return check_descriptor(fd, "open", path);
}

/* What other programs do to the machine must not be seen. */
static ssize_t hide_machine(char *text, ssize_t len, size_t size) {
  static const char line[] = "TCP: inuse %u orphan %u tw %u alloc %u mem %u";
  if (len < 8 || (size_t)len >= size || memcmp(text, "sockets:", 8) != 0)
    return len;
  text[len] = '\0';
  unsigned inuse, orphan, tw, alloc, mem;
  char *tcp = strstr(text, "TCP: ");
  if (tcp == NULL || sscanf(tcp, line, &inuse, &orphan, &tw, &alloc, &mem) != 5)
    abort();
  char rest[4096];
  snprintf(rest, sizeof(rest), "%s", strchr(tcp, '\n'));
  const char *given = getenv("FAULTS_ALLOC");
  alloc = given == NULL ? 1002 : (unsigned)strtoul(given, NULL, 10);
  char *end = text + size - 1;
  tcp += snprintf(tcp, (size_t)(end - tcp), line, inuse, 1001, tw, alloc, 1003);
  tcp += snprintf(tcp, (size_t)(end - tcp), "%s", rest);
  return tcp - text;
}

ssize_t read(int fd, void *buf, size_t size) {
  NEXT(read);
  check_descriptor(fd, "read", opened);
  bool planned = is_planned(CALL_read, opened);
  if (planned && plan.error != 0) {
    errno = plan.error;
    return -1;
  }
  if (armed && fd == file.fd) {
    bool more = file.pos < file.len;
    if (more)
      memcpy(buf, file.data + file.pos++, 1);
    else
      file.fd = -1;
    return more;
  }
  ssize_t len = next(fd, buf, size);
  if (armed)
    len = hide_machine(buf, len, size);
  if (!planned || len <= 1)
    return len;
  file.fd = fd;
  file.len = file.pos = 0;
  if (plan.how == HOW_HALF)
    return len / 2;
  memcpy(file.data, buf, (size_t)len);
  file.len = (size_t)len;
  file.pos = 1;
  return 1;
}

/* Whatever close() returns, Linux has closed it. */
int close(int fd) {
  NEXT(close);
  if (armed && fd == lost_fd)
    lost_fd = -1;
  if (armed && fd == again_fd)
    again_fd = -1;
  if (armed && fd == file.fd)
    file.fd = -1;
  int status = next(fd);
  return fails(CALL_close, "") ? -1 : status;
}

int closedir(DIR *dir) {
  NEXT(closedir);
  int status = next(dir);
  return fails(CALL_closedir, "") ? -1 : status;
}

static void __attribute__((noreturn)) refuse(const char *line) {
  fprintf(stderr, "faults: not a plan: %s\n", line);
  exit(2);
}

static void parse_how(const char *how, const char *line) {
  for (size_t i = 0; i < sizeof(errnos) / sizeof(*errnos); i++)
    if (strcmp(errnos[i].name, how) == 0) {
      plan.error = errnos[i].number;
      return;
    }
  for (size_t i = 1; i < sizeof(hows) / sizeof(*hows); i++)
    if (strcmp(hows[i].name, how) == 0) {
      plan.how = (enum how)i;
      return;
    }
  refuse(line);
}

void faults_plan(const char *line) {
  char role[32], call[32] = "", how[32] = "";
  memset(&plan, 0, sizeof(plan));
  snprintf(plan.text, sizeof(plan.text), "%.*s", (int)strcspn(line, "\n"),
           line);
  int words =
      sscanf(line, "%31s %31s %u %31s", role, call, &plan.position, how);
  if (words == 4) {
    while (plan.call < CALLS_NUM && strcmp(call_names[plan.call], call) != 0)
      plan.call++;
    if (plan.call == CALLS_NUM)
      refuse(line);
    parse_how(how, line);
    plan.any = true;
  } else if (words != 1) {
    refuse(line);
  }
  memset(counts, 0, sizeof(counts));
  injected = 0;
  injected_what[0] = '\0';
  lost_fd = again_fd = -1;
  file.fd = -1;
  stale = last;
}

void faults_arm(bool arm) { armed = arm; }

void faults_report(void) {
  printf("# plan %s\n", plan.text);
  printf("# injected %u %s\n", injected, injected_what);
  printf("# blocks %ld\n", blocks);
  for (size_t i = 0; i < CALLS_NUM; i++)
    if (counts[i] > 0)
      printf("# calls %s %u\n", call_names[i], counts[i]);
}

/* $FAULTS is the plan of the start, where no line is read. */
__attribute__((constructor)) static void plan_start(void) {
  const char *line = getenv("FAULTS");
  if (line == NULL)
    return;
  faults_plan(line);
  atexit(faults_report);
}
