/* SPDX-License-Identifier: MIT */
/* diag_dump.c: against a kernel made up here, which fails at will, and against
 * the real one. The functions below __wrap_ take the place of the C library's
 * and libmnl's; link with -Wl,--wrap=NAME for each of them. */
#include "diag_dump.h"

#include "check_main.h"
#include "diag_replies.h"
#include "wrap64.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PORTID 0x0a0b0c0du

/* The calls that diag_dump.c makes, in their order. */
enum call { OPEN, BIND, CONNECT, SETSOCKOPT, REALLOC, SENDTO, RECVFROM };
#define CALLS_NUM (RECVFROM + 1)

/* What one receive brings: an error or messages. */
struct receive {
  int error; /* errno; 0: messages */
  struct diag_replies replies;
};

#define RECEIVES_MAX 8

/* Answers a request: fills the receives and returns how many there are. After
 * the last of them nothing comes any more. */
typedef size_t (*kernel_fn)(const struct nlmsghdr *request,
                            struct receive *receives);

static struct {
  bool real; /* pass all calls through */
  kernel_fn answer;
  struct receive receives[RECEIVES_MAX];
  size_t receives_num;
  size_t receives_next;

  enum call fail_call;
  int fail_errno;      /* 0: nothing fails */
  unsigned fail_skip;  /* this many calls succeed first */
  unsigned fail_times; /* then this many fail */

  unsigned calls[CALLS_NUM];
  int is_open; /* sockets opened and not closed */
  uint32_t last_seq;
  size_t request_len;
  size_t receive_size; /* the smallest */
  bool ready;          /* bound, connected, with a time limit */
  bool counting;       /* count allocations */
  unsigned allocations;
  const char *violation; /* what was wrong in a call; NULL: nothing */
} kernel;

/* No ck_assert() within the calls: it allocates. */
static void expect(bool good, const char *what) {
  if (!good && kernel.violation == NULL)
    kernel.violation = what;
}

static void start_real(void) {
  memset(&kernel, 0, sizeof(kernel));
  kernel.real = true;
}

/* Returns whether this call has to fail, with errno set. */
static bool fails(enum call call) {
  kernel.calls[call]++;
  if (kernel.fail_errno == 0 || kernel.fail_call != call)
    return false;
  if (kernel.fail_skip > 0) {
    kernel.fail_skip--;
    return false;
  }
  if (kernel.fail_times == 0)
    return false;
  kernel.fail_times--;
  errno = kernel.fail_errno;
  return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int REAL_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len);
struct mnl_socket *__real_mnl_socket_open2(int bus, int flags);
int __real_mnl_socket_bind(struct mnl_socket *nl, unsigned groups, pid_t pid);
int __real_mnl_socket_close(struct mnl_socket *nl);
unsigned __real_mnl_socket_get_portid(const struct mnl_socket *nl);
ssize_t __real_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
                                 size_t len);
ssize_t __real_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
                                   size_t len);

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  kernel.allocations += kernel.counting;
  return __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size) {
  kernel.allocations += kernel.counting;
  return __real_calloc(num, size);
}

void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  kernel.allocations += kernel.counting;
  return kernel.counting && fails(REALLOC) ? NULL : __real_realloc(old, size);
}

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags) {
  if (kernel.real)
    return __real_mnl_socket_open2(bus, flags);
  expect(bus == NETLINK_SOCK_DIAG && flags == SOCK_CLOEXEC, "open");
  if (fails(OPEN))
    return NULL;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct mnl_socket *nl = mnl_socket_fdopen(fd);
  expect(nl != NULL, "no socket for the test");
  kernel.is_open++;
  kernel.ready = false;
  return nl;
}

int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned groups, pid_t pid) {
  if (kernel.real)
    return __real_mnl_socket_bind(nl, groups, pid);
  expect(groups == 0 && pid == MNL_SOCKET_AUTOPID, "bind");
  return fails(BIND) ? -1 : 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *nl);
int __wrap_mnl_socket_close(struct mnl_socket *nl) {
  kernel.is_open--;
  return __real_mnl_socket_close(nl);
}

unsigned __wrap_mnl_socket_get_portid(const struct mnl_socket *nl);
unsigned __wrap_mnl_socket_get_portid(const struct mnl_socket *nl) {
  return kernel.real ? __real_mnl_socket_get_portid(nl) : PORTID;
}

int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len) {
  if (kernel.real)
    return __real_connect(fd, addr, len);
  const struct sockaddr_nl expected = {.nl_family = AF_NETLINK};
  expect(len == sizeof(expected) && memcmp(addr, &expected, len) == 0,
         "connect: not the kernel's address");
  return fails(CONNECT) ? -1 : 0;
}

int WRAP_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len);
int WRAP_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len) {
  if (kernel.real || level != SOL_SOCKET || name != SO_RCVTIMEO)
    return REAL_SETSOCKOPT(fd, level, name, value, len);
  const struct timeval expected = {.tv_sec = 5};
  expect(len == sizeof(expected) && memcmp(value, &expected, len) == 0,
         "SO_RCVTIMEO: not 5 s");
  if (fails(SETSOCKOPT))
    return -1;
  kernel.ready = kernel.calls[BIND] > 0 && kernel.calls[CONNECT] > 0;
  return 0;
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
                                 size_t len);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
                                 size_t len) {
  if (kernel.real)
    return __real_mnl_socket_sendto(nl, buf, len);
  expect(kernel.ready, "sendto: not bound, connected and with a time limit");
  if (fails(SENDTO))
    return -1;
  const struct nlmsghdr *request = buf;
  expect(request->nlmsg_len == len, "sendto: not the request's length");
  kernel.request_len = len;
  kernel.last_seq = request->nlmsg_seq;
  for (size_t i = 0; i < RECEIVES_MAX; i++) {
    kernel.receives[i].error = 0;
    diag_replies_start(&kernel.receives[i].replies, request->nlmsg_seq, PORTID);
  }
  kernel.receives_num = kernel.answer(request, kernel.receives);
  kernel.receives_next = 0;
  return (ssize_t)len;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
                                   size_t len);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
                                   size_t len) {
  if (kernel.real)
    return __real_mnl_socket_recvfrom(nl, buf, len);
  if (fails(RECVFROM))
    return -1;
  if (len < kernel.receive_size)
    kernel.receive_size = len;
  errno = EAGAIN; /* the time limit is over */
  if (kernel.receives_next == kernel.receives_num)
    return -1;
  const struct receive *receive = &kernel.receives[kernel.receives_next++];
  errno = receive->error != 0 ? receive->error : ENOSPC;
  if (receive->error != 0 || receive->replies.len > len)
    return -1;
  memcpy(buf, receive->replies.buf, receive->replies.len);
  return (ssize_t)receive->replies.len;
}

static const struct diag_reply_socket established = {
    .state = TCP_ESTABLISHED,
    .family = AF_INET,
    .inode = 4711,
    .local_port = 443,
    .remote_port = 50000,
    .shutdown = true,
};

/* Three sockets, in three receives together with the end. */
static size_t answer_three_sockets(const struct nlmsghdr *request,
                                   struct receive *receives) {
  (void)request;
  diag_replies_socket(&receives[0].replies, &established);
  diag_replies_socket(&receives[0].replies, &established);
  diag_replies_socket(&receives[1].replies, &established);
  diag_replies_done(&receives[2].replies, 0);
  return 3;
}

/* What the callback has seen, and when it is to fail. */
struct seen {
  unsigned num;
  unsigned fail_at; /* the socket of this number, counted from 1; 0: none */
};

static int count_socket(const struct diag_socket *socket, void *data) {
  struct seen *seen = data;
  expect(socket->local_port == established.local_port, "another socket");
  return ++seen->num == seen->fail_at ? -ECANCELED : 0;
}

static const struct diag_request all_sockets = {.states = 0xffe};

static struct diag_dump dump;

static void start_fake(void) {
  memset(&kernel, 0, sizeof(kernel));
  kernel.answer = answer_three_sockets;
  kernel.receive_size = SIZE_MAX;
  memset(&dump, 0, sizeof(dump));
}

static void end_fake(void) {
  kernel.counting = false;
  diag_dump_close(&dump);
  ck_assert_int_eq(kernel.is_open, 0);
  ck_assert_msg(kernel.violation == NULL, "%s", kernel.violation);
}

static int run(struct seen *seen) {
  return diag_dump_run(&dump, &all_sockets, count_socket, seen);
}

static void assert_run_gives_three_sockets(const char *when) {
  uint32_t seq = kernel.last_seq;
  struct seen seen = {.num = 0};
  int err = run(&seen);
  ck_assert_msg(err == 0, "%s: %d", when, err);
  ck_assert_msg(seen.num == 3, "%s: %u sockets", when, seen.num);
  ck_assert_msg(kernel.last_seq != seq, "%s: seq is the same", when);
}

START_TEST(each_run_gathers_all_receives_on_one_socket_and_in_one_buffer) {
  for (unsigned i = 1; i <= 5; i++) {
    struct seen seen = {.num = 0};
    uint32_t seq = kernel.last_seq;
    kernel.allocations = 0;
    kernel.counting = true;
    int err = run(&seen);
    kernel.counting = false;
    ck_assert_int_eq(err, 0);
    ck_assert_uint_eq(seen.num, 3);
    ck_assert_uint_ne(kernel.last_seq, seq);
    ck_assert_uint_eq(kernel.calls[RECVFROM], 3 * i);
    ck_assert_uint_eq(kernel.calls[OPEN], 1);
    ck_assert_uint_eq(kernel.calls[SENDTO], i);
    ck_assert_int_eq(kernel.is_open, 1);
    if (i > 1)
      ck_assert_uint_eq(kernel.allocations, 0);
  }
}
END_TEST

static const struct {
  enum call call;
  int error;
  int expected;
} failures[] = {
    {OPEN, EACCES, -EACCES},
    {OPEN, EPERM, -EPERM},
    {OPEN, EAFNOSUPPORT, -EAFNOSUPPORT},
    {OPEN, EPROTONOSUPPORT, -EPROTONOSUPPORT},
    {OPEN, EMFILE, -EMFILE},
    {OPEN, ENFILE, -ENFILE},
    {OPEN, ENOBUFS, -ENOBUFS},
    {OPEN, ENOMEM, -ENOMEM},
    {BIND, EACCES, -EACCES},
    {BIND, EADDRINUSE, -EADDRINUSE},
    {BIND, ENOMEM, -ENOMEM},
    {CONNECT, EACCES, -EACCES},
    {CONNECT, EPERM, -EPERM},
    {CONNECT, ECONNREFUSED, -ECONNREFUSED},
    {SETSOCKOPT, EPERM, -EPERM},
    {SETSOCKOPT, ENOPROTOOPT, -ENOPROTOOPT},
    {REALLOC, ENOMEM, -ENOMEM},
    {SENDTO, ENOBUFS, -ENOBUFS},
    {SENDTO, ENOMEM, -ENOMEM},
    {SENDTO, EPERM, -EPERM},
    {SENDTO, EACCES, -EACCES},
    {SENDTO, EMSGSIZE, -EMSGSIZE},
    {SENDTO, ECONNREFUSED, -ECONNREFUSED},
    {RECVFROM, EAGAIN, -ETIMEDOUT},
    {RECVFROM, EWOULDBLOCK, -ETIMEDOUT},
    {RECVFROM, ENOSPC, -EMSGSIZE},
    {RECVFROM, ENOBUFS, -ENOBUFS},
    {RECVFROM, ENOMEM, -ENOMEM},
    {RECVFROM, EINVAL, -EINVAL},
    {RECVFROM, EBADF, -EBADF},
};

START_TEST(failed_call_is_reported_and_the_next_run_works_on_a_new_socket) {
  kernel.fail_call = failures[_i].call;
  kernel.fail_errno = failures[_i].error;
  kernel.fail_times = 1;
  kernel.counting = true;
  struct seen seen = {.num = 0};
  int err = run(&seen);
  kernel.counting = false;
  ck_assert_int_eq(err, failures[_i].expected);
  ck_assert_uint_eq(seen.num, 0);
  ck_assert_ptr_null(dump.nl);
  ck_assert_int_eq(kernel.is_open, 0);
  assert_run_gives_three_sockets("after the error");
  ck_assert_uint_eq(kernel.calls[OPEN], 2);
}
END_TEST

START_TEST(
    call_that_fails_in_the_second_run_is_reported_and_its_socket_closed) {
  static const enum call calls[] = {SENDTO, RECVFROM};
  for (size_t i = 0; i < CASES(calls); i++) {
    assert_run_gives_three_sockets("before the error");
    kernel.fail_call = calls[i];
    kernel.fail_errno = ENOBUFS;
    kernel.fail_times = 1;
    struct seen seen = {.num = 0};
    ck_assert_int_eq(run(&seen), -ENOBUFS);
    ck_assert_int_eq(kernel.is_open, 0);
    assert_run_gives_three_sockets("after the error");
  }
}
END_TEST

START_TEST(receive_that_fails_in_mid_dump_is_reported_and_the_next_run_works) {
  static const unsigned handed_out[] = {0, 2, 3};
  for (unsigned i = 0; i < CASES(handed_out); i++) {
    kernel.fail_call = RECVFROM;
    kernel.fail_errno = ENOBUFS;
    kernel.fail_skip = i;
    kernel.fail_times = 1;
    struct seen seen = {.num = 0};
    ck_assert_int_eq(run(&seen), -ENOBUFS);
    ck_assert_uint_eq(seen.num, handed_out[i]);
    ck_assert_int_eq(kernel.is_open, 0);
    assert_run_gives_three_sockets("after the error");
  }
}
END_TEST

START_TEST(receive_is_repeated_when_a_signal_interrupts_it) {
  for (unsigned skip = 0; skip < 3; skip++) {
    kernel.fail_call = RECVFROM;
    kernel.fail_errno = EINTR;
    kernel.fail_skip = skip;
    kernel.fail_times = 3;
    assert_run_gives_three_sockets("interrupted");
    ck_assert_uint_eq(kernel.fail_times, 0);
  }
  ck_assert_uint_eq(kernel.calls[OPEN], 1);
}
END_TEST

static size_t answer_nothing(const struct nlmsghdr *request,
                             struct receive *receives) {
  (void)request, (void)receives;
  return 0;
}

static size_t answer_without_end(const struct nlmsghdr *request,
                                 struct receive *receives) {
  return answer_three_sockets(request, receives) - 1;
}

static size_t answer_truncated(const struct nlmsghdr *request,
                               struct receive *receives) {
  receives[1].error = ENOSPC;
  return answer_three_sockets(request, receives);
}

static size_t answer_empty(const struct nlmsghdr *request,
                           struct receive *receives) {
  size_t num = answer_three_sockets(request, receives);
  receives[1].replies.len = 0;
  return num;
}

static size_t answer_half_a_record(const struct nlmsghdr *request,
                                   struct receive *receives) {
  size_t num = answer_three_sockets(request, receives);
  receives[0].replies.len -= 4;
  return num;
}

static size_t answer_no_inet_diag(const struct nlmsghdr *request,
                                  struct receive *receives) {
  (void)request;
  diag_replies_error(&receives[0].replies, -EOPNOTSUPP);
  return 1;
}

static size_t answer_no_tcp_diag(const struct nlmsghdr *request,
                                 struct receive *receives) {
  (void)request;
  diag_replies_done(&receives[0].replies, -ENOENT);
  return 1;
}

static size_t answer_error_at_end(const struct nlmsghdr *request,
                                  struct receive *receives) {
  answer_three_sockets(request, receives);
  diag_replies_start(&receives[2].replies, request->nlmsg_seq, PORTID);
  diag_replies_done(&receives[2].replies, -ENOMEM);
  return 3;
}

static size_t answer_overrun(const struct nlmsghdr *request,
                             struct receive *receives) {
  (void)request;
  diag_replies_socket(&receives[0].replies, &established);
  diag_replies_message(&receives[1].replies, NLMSG_OVERRUN, NULL, 0);
  return 2;
}

static size_t answer_interrupted(const struct nlmsghdr *request,
                                 struct receive *receives) {
  size_t num = answer_three_sockets(request, receives);
  receives[2].replies.last->nlmsg_flags |= NLM_F_DUMP_INTR;
  return num;
}

static size_t answer_of_the_dump_before(const struct nlmsghdr *request,
                                        struct receive *receives) {
  for (size_t i = 0; i < 3; i++)
    diag_replies_start(&receives[i].replies, request->nlmsg_seq - 1, PORTID);
  return answer_three_sockets(request, receives);
}

static size_t answer_to_somebody_else(const struct nlmsghdr *request,
                                      struct receive *receives) {
  diag_replies_start(&receives[0].replies, request->nlmsg_seq, PORTID + 1);
  return answer_three_sockets(request, receives);
}

static const struct {
  const char *name;
  kernel_fn answer;
  int expected;
} bad_answers[] = {
    {"nothing", answer_nothing, -ETIMEDOUT},
    {"without end", answer_without_end, -ETIMEDOUT},
    {"truncated", answer_truncated, -EMSGSIZE},
    {"empty receive", answer_empty, -EBADMSG},
    {"half a record", answer_half_a_record, -EBADMSG},
    {"no inet_diag", answer_no_inet_diag, -EOPNOTSUPP},
    {"no tcp_diag", answer_no_tcp_diag, -ENOENT},
    {"error at the end", answer_error_at_end, -ENOMEM},
    {"overrun", answer_overrun, -EOVERFLOW},
    {"interrupted", answer_interrupted, -EPROTO},
    {"of the dump before", answer_of_the_dump_before, -EPROTO},
    {"to somebody else", answer_to_somebody_else, -EPROTO},
};

START_TEST(bad_answer_is_reported_and_the_next_run_works_on_a_new_socket) {
  for (unsigned runs = 0; runs < 2; runs++) { /* good ones before */
    start_fake();
    for (unsigned i = 0; i < runs; i++)
      assert_run_gives_three_sockets("before");
    kernel.answer = bad_answers[_i].answer;
    struct seen seen = {.num = 0};
    int err = run(&seen);
    ck_assert_msg(err == bad_answers[_i].expected, "%s: %d",
                  bad_answers[_i].name, err);
    ck_assert_ptr_null(dump.nl);
    ck_assert_int_eq(kernel.is_open, 0);
    kernel.answer = answer_three_sockets;
    assert_run_gives_three_sockets(bad_answers[_i].name);
    ck_assert_uint_eq(kernel.calls[OPEN], 2);
    end_fake();
  }
}
END_TEST

/* As often as namespaces' readers ask in an hour. */
static void run_often(struct diag_absence *absence, int expected) {
  struct diag_dump beside = {.absence = absence};
  dump.absence = absence;
  for (int i = 0; i < 360; i++) {
    struct seen seen = {.num = 0};
    ck_assert_int_eq(run(&seen), expected);
    ck_assert_int_eq(diag_dump_run(&beside, &all_sockets, count_socket, &seen),
                     expected);
  }
  diag_dump_close(&beside);
}

START_TEST(without_tcp_diag_the_kernel_is_asked_once_for_all) {
  static const struct {
    kernel_fn answer;
    int error;
  } cases[] = {{answer_no_inet_diag, -EOPNOTSUPP},
               {answer_no_tcp_diag, -ENOENT}};
  for (size_t i = 0; i < CASES(cases); i++) {
    start_fake();
    kernel.answer = cases[i].answer;
    struct diag_absence absence = {.seconds = 300};
    run_often(&absence, cases[i].error);
    ck_assert_uint_eq(kernel.calls[SENDTO], 1);

    /* It is time to ask again. */
    atomic_store(&absence.until, 1);
    run_often(&absence, cases[i].error);
    ck_assert_uint_eq(kernel.calls[SENDTO], 2);

    /* modprobe tcp_diag */
    kernel.answer = answer_three_sockets;
    run_often(&absence, cases[i].error);
    ck_assert_uint_eq(kernel.calls[SENDTO], 2);
    atomic_store(&absence.until, 1);
    run_often(&absence, 0);
    ck_assert_uint_eq(kernel.calls[SENDTO], 2 + 720);

    /* rmmod tcp_diag */
    kernel.answer = cases[i].answer;
    run_often(&absence, cases[i].error);
    ck_assert_uint_eq(kernel.calls[SENDTO], 2 + 720 + 1);
    end_fake();
  }
}
END_TEST

START_TEST(without_mptcp_diag_tcp_is_asked_as_before) {
  const struct diag_request mptcp = {.protocol = FILTER_MPTCP,
                                     .family = AF_INET,
                                     .states = 1u << TCP_ESTABLISHED};
  struct diag_absence absence[FILTER_PROTOCOLS_NUM] = {{.seconds = 300},
                                                       {.seconds = 300}};
  dump.absence = absence;
  for (int i = 0; i < 100; i++) {
    struct seen seen = {.num = 0};
    kernel.answer = answer_no_tcp_diag;
    ck_assert_int_eq(diag_dump_run(&dump, &mptcp, count_socket, &seen),
                     -ENOENT);
    kernel.answer = answer_three_sockets;
    ck_assert_int_eq(run(&seen), 0);
    ck_assert_uint_eq(seen.num, 3);
  }
  ck_assert_uint_eq(kernel.calls[SENDTO], 1 + 100);
}
END_TEST

START_TEST(after_the_time_that_is_set_the_kernel_is_asked_again) {
  kernel.answer = answer_no_tcp_diag;
  struct diag_absence absence = {.seconds = 0};
  run_often(&absence, -ENOENT);
  ck_assert_uint_eq(kernel.calls[SENDTO], 720);
}
END_TEST

START_TEST(other_errors_keep_nobody_from_asking) {
  kernel.answer = answer_error_at_end;
  struct diag_absence absence = {.seconds = 300};
  run_often(&absence, -ENOMEM);
  ck_assert_uint_eq(kernel.calls[SENDTO], 720);
}
END_TEST

START_TEST(callbacks_error_is_reported_and_the_next_run_works_on_a_new_socket) {
  for (unsigned at = 1; at <= 3; at++) {
    struct seen seen = {.fail_at = at};
    ck_assert_int_eq(run(&seen), -ECANCELED);
    ck_assert_uint_eq(seen.num, at);
    ck_assert_int_eq(kernel.is_open, 0);
    assert_run_gives_three_sockets("after the error");
  }
}
END_TEST

START_TEST(seq_is_different_in_every_run_whatever_happened_before) {
  uint32_t seqs[CASES(bad_answers) * 2];
  for (size_t i = 0; i < CASES(seqs); i++) {
    kernel.answer = i % 2 ? answer_three_sockets : bad_answers[i / 2].answer;
    struct seen seen = {.num = 0};
    run(&seen);
    seqs[i] = kernel.last_seq;
    ck_assert_uint_ne(seqs[i], 0); /* that of a notification */
    for (size_t k = 0; k < i; k++)
      ck_assert_uint_ne(seqs[k], seqs[i]);
  }
}
END_TEST

START_TEST(only_a_longer_request_than_ever_allocates_again) {
  static char bytecode[65531];
  static const struct {
    size_t bytecode_len;
    unsigned allocations;
  } cases[] = {
      {100, 1}, {30000, 0}, {40000, 1}, {40000, 0},
      {100, 0}, {65531, 1}, {8, 0},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    const struct diag_request request = {
        .states = 2,
        .bytecode = bytecode,
        .bytecode_len = cases[i].bytecode_len,
    };
    kernel.counting = true;
    kernel.allocations = 0;
    struct seen seen = {.num = 0};
    int err = diag_dump_run(&dump, &request, count_socket, &seen);
    kernel.counting = false;
    ck_assert_int_eq(err, 0);
    ck_assert_uint_eq(seen.num, 3);
    ck_assert_uint_eq(kernel.request_len, diag_msg_request_size(&request));
    if (i > 0) /* the first one also opens the socket */
      ck_assert_uint_eq(kernel.allocations, cases[i].allocations);
    ck_assert_uint_ge(kernel.receive_size, 32768);
  }
}
END_TEST

START_TEST(bytecode_too_long_is_refused_before_anything_is_sent) {
  static char bytecode[65532];
  const struct diag_request request = {
      .states = 2,
      .bytecode = bytecode,
      .bytecode_len = sizeof(bytecode),
  };
  struct seen seen = {.num = 0};
  ck_assert_int_eq(diag_dump_run(&dump, &request, count_socket, &seen),
                   -EMSGSIZE);
  ck_assert_uint_eq(kernel.calls[SENDTO], 0);
  assert_run_gives_three_sockets("after the error");
}
END_TEST

START_TEST(close_frees_all_and_leaves_a_dump_that_works) {
  diag_dump_close(&dump); /* never used */
  assert_run_gives_three_sockets("first run");
  diag_dump_close(&dump);
  ck_assert_int_eq(kernel.is_open, 0);
  const struct diag_dump as_new = {.nl = NULL};
  ck_assert_mem_eq(&dump, &as_new, sizeof(dump));
  diag_dump_close(&dump); /* twice */
  kernel.last_seq = 0;
  assert_run_gives_three_sockets("after the close");
}
END_TEST

START_TEST(a_thousand_failing_runs_leave_no_socket_open) {
  for (unsigned i = 0; i < 1000; i++) {
    kernel.fail_call = (enum call)(i % CALLS_NUM);
    kernel.fail_errno = ENOMEM;
    kernel.fail_times = 1;
    kernel.counting = true;
    struct seen seen = {.num = 0};
    run(&seen);
    kernel.counting = false;
  }
  diag_dump_close(&dump);
  ck_assert_int_eq(kernel.is_open, 0);
}
END_TEST

START_TEST(error_text_says_what_to_do) {
  static const struct {
    int err;
    const char *part;
  } cases[] = {
      {-ENOENT, "modprobe tcp_diag"},
      {-EOPNOTSUPP, "modprobe tcp_diag"},
      {-EPROTONOSUPPORT, "modprobe inet_diag"},
      {-EAFNOSUPPORT, "AF_NETLINK"},
      {-EACCES, "AF_NETLINK"},
      {-EPERM, "AF_NETLINK"},
      {-ETIMEDOUT, "5 s"},
      {-EMSGSIZE, "truncated"},
      {-EBADMSG, "not understood"},
      {-EPROTO, "not understood"},
      {-EOVERFLOW, "truncated"},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    const char *text = diag_dump_strerror(cases[i].err);
    ck_assert_msg(strstr(text, cases[i].part) != NULL, "%d: %s", cases[i].err,
                  text);
  }
}
END_TEST

START_TEST(error_text_is_never_empty_and_has_no_full_stop) {
  for (int err = 1; err < 140; err++) {
    const char *text = diag_dump_strerror(-err);
    if (text == NULL) /* strerror(3) knows */
      continue;
    ck_assert_uint_gt(strlen(text), 0);
    ck_assert_msg(text[strlen(text) - 1] != '.', "%s", text);
  }
}
END_TEST

/* The real kernel. The sockets are made here, on 127.0.0.1. */

#define CONNECTIONS 50

static struct {
  int listener;
  int connected[CONNECTIONS];
  int accepted[CONNECTIONS];
  uint16_t port; /* of the listener */
} own;

/* Returns 0 or -errno; close_own_sockets() is to be called in any case. */
static int open_own_sockets(void) {
  struct sockaddr_in addr = {
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
  };
  socklen_t len = sizeof(addr);
  memset(&own, -1, sizeof(own));
  own.listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(own.listener, (struct sockaddr *)&addr, len) != 0 ||
      listen(own.listener, CONNECTIONS) != 0 ||
      getsockname(own.listener, (struct sockaddr *)&addr, &len) != 0)
    return -errno;
  own.port = ntohs(addr.sin_port);
  for (size_t i = 0; i < CONNECTIONS; i++) {
    own.connected[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(own.connected[i], (struct sockaddr *)&addr, len) != 0)
      return -errno;
    own.accepted[i] = accept(own.listener, NULL, NULL);
    if (own.accepted[i] < 0)
      return -errno;
  }
  return 0;
}

static void close_unless_missing(int fd) {
  if (fd >= 0)
    close(fd);
}

static void close_own_sockets(void) {
  close_unless_missing(own.listener);
  for (size_t i = 0; i < CONNECTIONS; i++) {
    close_unless_missing(own.connected[i]);
    close_unless_missing(own.accepted[i]);
  }
}

static void start_own(void) {
  start_real();
  memset(&dump, 0, sizeof(dump));
  ck_assert_int_eq(open_own_sockets(), 0);
}

static void end_own(void) {
  diag_dump_close(&dump);
  close_own_sockets();
}

/* Those of the own sockets that were seen. */
struct own_counts {
  unsigned listening;
  unsigned accepted;
  unsigned connected;
  unsigned without_inode;
  unsigned other;
};

static int count_own_socket(const struct diag_socket *socket, void *data) {
  struct own_counts *counts = data;
  if (socket->local_port != own.port && socket->remote_port != own.port)
    return 0;
  counts->without_inode += socket->inode == 0;
  if (socket->family != AF_INET || socket->minisocket || socket->request_sock)
    counts->other++;
  else if (socket->state == TCP_LISTEN && socket->remote_port == 0)
    counts->listening++;
  else if (socket->state != TCP_ESTABLISHED)
    counts->other++;
  else if (socket->local_port == own.port)
    counts->accepted++;
  else
    counts->connected++;
  return 0;
}

START_TEST(real_kernel_tells_exactly_the_sockets_of_the_states_asked_for) {
  static const struct {
    uint32_t states;
    struct own_counts expected;
  } cases[] = {
      {0xffe,
       {.listening = 1, .accepted = CONNECTIONS, .connected = CONNECTIONS}},
      {1u << TCP_LISTEN, {.listening = 1}},
      {1u << TCP_ESTABLISHED,
       {.accepted = CONNECTIONS, .connected = CONNECTIONS}},
      {1u << TCP_CLOSE_WAIT, {.listening = 0}},
  };
  for (size_t i = 0; i < CASES(cases); i++) {
    const struct diag_request request = {.states = cases[i].states};
    struct own_counts counts = {.listening = 0};
    ck_assert_int_eq(diag_dump_run(&dump, &request, count_own_socket, &counts),
                     0);
    ck_assert_mem_eq(&counts, &cases[i].expected, sizeof(counts));
  }
}
END_TEST

START_TEST(real_kernel_obeys_bytecode) {
  struct {
    struct inet_diag_bc_op op[2];
  } from_own_port = {{
      {.code = INET_DIAG_BC_S_GE, .yes = 8, .no = 12},
      {.no = own.port},
  }};
  const struct diag_request request = {
      .states = 1u << TCP_ESTABLISHED,
      .bytecode = &from_own_port,
      .bytecode_len = sizeof(from_own_port),
  };
  struct own_counts counts = {.listening = 0};
  ck_assert_int_eq(diag_dump_run(&dump, &request, count_own_socket, &counts),
                   0);
  ck_assert_uint_eq(counts.accepted, CONNECTIONS);
}
END_TEST

START_TEST(real_kernel_refuses_bad_bytecode_and_the_next_run_works) {
  const struct diag_request request = {
      .states = 0xffe,
      .bytecode = "\xff\xff\xff\xff",
      .bytecode_len = 4,
  };
  for (size_t i = 0; i < 3; i++) {
    struct own_counts counts = {.listening = 0};
    ck_assert_int_eq(diag_dump_run(&dump, &request, count_own_socket, &counts),
                     -EINVAL);
    ck_assert_ptr_null(dump.nl);
    ck_assert_int_eq(
        diag_dump_run(&dump, &all_sockets, count_own_socket, &counts), 0);
    ck_assert_uint_eq(counts.accepted, CONNECTIONS);
  }
}
END_TEST

START_TEST(real_socket_has_a_time_limit_and_is_closed_on_exec) {
  struct own_counts counts = {.listening = 0};
  ck_assert_int_eq(
      diag_dump_run(&dump, &all_sockets, count_own_socket, &counts), 0);
  int fd = mnl_socket_get_fd(dump.nl);
  struct timeval limit = {.tv_sec = 0};
  socklen_t len = sizeof(limit);
  ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &len), 0);
  ck_assert_int_eq(limit.tv_sec, 5);
  ck_assert_int_eq(limit.tv_usec, 0);
  ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

/* Sends a message from a netlink socket to another one. Returns 0 or -errno. */
static int send_to_portid(unsigned portid) {
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
  if (fd < 0)
    return -errno;
  const struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_pid = portid};
  const struct nlmsghdr message = {
      .nlmsg_len = sizeof(message),
      .nlmsg_type = NLMSG_DONE,
  };
  ssize_t sent = sendto(fd, &message, sizeof(message), 0,
                        (const struct sockaddr *)&to, sizeof(to));
  int err = sent < 0 ? -errno : 0;
  close(fd);
  return err;
}

/* The same to a socket that takes messages from everybody. Returns 0: it went
 * there; -EPERM: this process may not send to others than the kernel. */
static int send_to_unconnected(void) {
  struct mnl_socket *receiver = mnl_socket_open2(NETLINK_SOCK_DIAG, 0);
  if (receiver == NULL)
    return -errno;
  int err = mnl_socket_bind(receiver, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
  if (err == 0)
    err = send_to_portid(mnl_socket_get_portid(receiver));
  mnl_socket_close(receiver);
  return err;
}

START_TEST(message_from_another_process_is_refused_by_the_kernel) {
  ck_assert_int_eq(send_to_unconnected(), 0);

  struct own_counts counts = {.listening = 0};
  ck_assert_int_eq(
      diag_dump_run(&dump, &all_sockets, count_own_socket, &counts), 0);
  ck_assert_int_eq(send_to_portid(mnl_socket_get_portid(dump.nl)),
                   -ECONNREFUSED);
  counts = (struct own_counts){.listening = 0};
  ck_assert_int_eq(
      diag_dump_run(&dump, &all_sockets, count_own_socket, &counts), 0);
  ck_assert_uint_eq(counts.accepted, CONNECTIONS);
}
END_TEST

static unsigned count_descriptors(void) {
  DIR *dir = opendir("/proc/self/fd");
  ck_assert_ptr_nonnull(dir);
  unsigned num = 0;
  while (readdir(dir) != NULL)
    num++;
  closedir(dir);
  return num;
}

static int refuse_socket(const struct diag_socket *socket, void *data) {
  (void)socket, (void)data;
  return -ECANCELED;
}

START_TEST(a_thousand_runs_leave_no_descriptor_open) {
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  unsigned before = count_descriptors();
  for (unsigned i = 0; i < 1000; i++) {
    struct own_counts counts = {.listening = 0};
    if (i % 3 == 0)
      ck_assert_int_eq(diag_dump_run(&dump, &request, refuse_socket, NULL),
                       -ECANCELED);
    ck_assert_int_eq(diag_dump_run(&dump, &request, count_own_socket, &counts),
                     0);
    ck_assert_uint_eq(counts.listening, 1);
    if (i % 5 == 0)
      diag_dump_close(&dump);
  }
  ck_assert_uint_le(count_descriptors(), before + 1);
  diag_dump_close(&dump);
  ck_assert_uint_eq(count_descriptors(), before);
}
END_TEST

static TCase *fake_kernel_tests(void) {
  TCase *tc = tcase_create("fake_kernel");
  tcase_add_checked_fixture(tc, start_fake, end_fake);
  tcase_add_test(tc,
                 each_run_gathers_all_receives_on_one_socket_and_in_one_buffer);
  tcase_add_loop_test(
      tc, failed_call_is_reported_and_the_next_run_works_on_a_new_socket, 0,
      CASES(failures));
  tcase_add_test(
      tc, call_that_fails_in_the_second_run_is_reported_and_its_socket_closed);
  tcase_add_test(
      tc, receive_that_fails_in_mid_dump_is_reported_and_the_next_run_works);
  tcase_add_test(tc, receive_is_repeated_when_a_signal_interrupts_it);
  tcase_add_loop_test(
      tc, bad_answer_is_reported_and_the_next_run_works_on_a_new_socket, 0,
      CASES(bad_answers));
  tcase_add_test(tc, without_tcp_diag_the_kernel_is_asked_once_for_all);
  tcase_add_test(tc, without_mptcp_diag_tcp_is_asked_as_before);
  tcase_add_test(tc, after_the_time_that_is_set_the_kernel_is_asked_again);
  tcase_add_test(tc, other_errors_keep_nobody_from_asking);
  tcase_add_test(
      tc, callbacks_error_is_reported_and_the_next_run_works_on_a_new_socket);
  tcase_add_test(tc, seq_is_different_in_every_run_whatever_happened_before);
  tcase_add_test(tc, only_a_longer_request_than_ever_allocates_again);
  tcase_add_test(tc, bytecode_too_long_is_refused_before_anything_is_sent);
  tcase_add_test(tc, close_frees_all_and_leaves_a_dump_that_works);
  tcase_add_test(tc, a_thousand_failing_runs_leave_no_socket_open);
  return tc;
}

static TCase *error_text_tests(void) {
  TCase *tc = tcase_create("error_text");
  tcase_add_test(tc, error_text_says_what_to_do);
  tcase_add_test(tc, error_text_is_never_empty_and_has_no_full_stop);
  return tc;
}

/* Why the real kernel cannot be asked, or NULL. */
static const char *no_real_kernel(void) {
  start_real();
  memset(&dump, 0, sizeof(dump));
  const struct diag_request request = {.states = 1u << TCP_LISTEN};
  struct own_counts counts = {.listening = 0};
  int err = diag_dump_run(&dump, &request, count_own_socket, &counts);
  diag_dump_close(&dump);
  bool missing = err == -ENOENT || err == -EOPNOTSUPP || err == -EACCES ||
                 err == -EPERM || err == -EPROTONOSUPPORT ||
                 err == -EAFNOSUPPORT;
  if (missing)
    return diag_dump_strerror(err);
  err = open_own_sockets();
  close_own_sockets();
  return err == -ENETUNREACH ? "127.0.0.1 is not reachable" : NULL;
}

START_TEST(nothing_to_do) {}
END_TEST

static TCase *real_kernel_tests(Suite *suite) {
  TCase *tc = tcase_create("real_kernel");
  tcase_add_checked_fixture(tc, start_own, end_own);
  tcase_set_timeout(tc, 60);
  tcase_add_test(tc,
                 real_kernel_tells_exactly_the_sockets_of_the_states_asked_for);
  tcase_add_test(tc, real_kernel_obeys_bytecode);
  tcase_add_test(tc, real_kernel_refuses_bad_bytecode_and_the_next_run_works);
  tcase_add_test(tc, real_socket_has_a_time_limit_and_is_closed_on_exec);
  if (send_to_unconnected() != -EPERM)
    tcase_add_test(tc, message_from_another_process_is_refused_by_the_kernel);
  else
    check_skip(suite, "message_from_another_process_is_refused_by_the_kernel",
               "only root may send to other netlink sockets", nothing_to_do);
  tcase_add_test(tc, a_thousand_runs_leave_no_descriptor_open);
  return tc;
}

int main(void) {
  Suite *suite = suite_create("diag_dump");
  suite_add_tcase(suite, fake_kernel_tests());
  suite_add_tcase(suite, error_text_tests());
  const char *missing = no_real_kernel();
  if (missing == NULL)
    suite_add_tcase(suite, real_kernel_tests(suite));
  else
    check_skip(suite, "real_kernel", missing, nothing_to_do);
  return check_main(suite);
}
