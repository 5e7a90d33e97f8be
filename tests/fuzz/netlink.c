/* SPDX-License-Identifier: MIT */
/* Fuzzes the way of the kernel's answers: diag_dump.c, diag_msg.c, tally.c,
 * metrics.c, ages.c, whose.c, holders.c and ephemeral.c, from the receive to
 * the value. The bytes are what one netlink socket receives, one after the
 * other: length (16 bits, little-endian), then this many bytes; or a length of
 * more than RECEIVE_MAX: the receive fails, its low 7 bits are the errno.
 * record.c writes what a kernel really sends in this form. Sequence number and
 * port id are those of the first message, so that recordings are answers. The
 * functions below __wrap_ take the place of the C library's and libmnl's. */
#include "fuzz.h"

#include "diag_dump.h"
#include "metrics.h"
#include "socket_model.h"
#include "wrap64.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <math.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

const char fuzz_target[] = "netlink";

#define RECEIVE_MAX 40000

/* A socket at this port, and the callback refuses it. */
#define REFUSED_PORT 0xdead

#define FAKE_FD (-4711)

#define STUCK_AFTER 60000 /* ms */

/* The ephemeral ports begin here. */
#define FIRST_PORT 32768

/* Of more sockets the fullest destination is not compared. */
#define COMPARED_MAX 500

/* To the plugin it is bytes like any others. */
#define BYTECODE_LEN 64

/* What is still to be received. */
static struct {
  const uint8_t *data;
  size_t left;
  uint32_t portid;
  bool is_open;
  const struct diag_request *request;
} kernel;

/* What one receive brings. */
struct receive {
  int error;
  const uint8_t *data;
  size_t len;
};

/* Takes the next receive out of the bytes; after the last one the time limit is
 * over. */
static struct receive next_receive(const uint8_t **data, size_t *left) {
  struct receive receive = {.error = EAGAIN};
  if (*left < 2)
    return receive;
  size_t len = (size_t)(*data)[0] | (size_t)(*data)[1] << 8;
  *data += 2;
  *left -= 2;
  receive.error = len > RECEIVE_MAX ? (int)(len & 0x7f) : 0;
  if (len > RECEIVE_MAX)
    return receive;
  receive.data = *data;
  receive.len = len < *left ? len : *left;
  *data += receive.len;
  *left -= receive.len;
  return receive;
}

struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags) {
  NEED(bus == NETLINK_SOCK_DIAG && flags == SOCK_CLOEXEC, "%d", bus);
  NEED(!kernel.is_open, "a second socket");
  kernel.is_open = true;
  return (void *)&kernel;
}

int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *nl, unsigned groups, pid_t pid) {
  NEED(nl == (void *)&kernel && groups == 0 && pid == 0, "%u", groups);
  return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *nl);
int __wrap_mnl_socket_close(struct mnl_socket *nl) {
  NEED(nl == (void *)&kernel && kernel.is_open, "close");
  kernel.is_open = false;
  return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *nl);
int __wrap_mnl_socket_get_fd(const struct mnl_socket *nl) {
  (void)nl;
  return FAKE_FD;
}

unsigned __wrap_mnl_socket_get_portid(const struct mnl_socket *nl);
unsigned __wrap_mnl_socket_get_portid(const struct mnl_socket *nl) {
  (void)nl;
  return kernel.portid;
}

int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len) {
  return fd == FAKE_FD ? 0 : __real_connect(fd, addr, len);
}

int REAL_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len);
int WRAP_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len);
int WRAP_SETSOCKOPT(int fd, int level, int name, const void *value,
                    socklen_t len) {
  return fd == FAKE_FD ? 0 : REAL_SETSOCKOPT(fd, level, name, value, len);
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
                                 size_t len);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
                                 size_t len) {
  (void)nl;
  const struct nlmsghdr *request = buf;
  NEED(request->nlmsg_len == len, "%u and %zu", request->nlmsg_len, len);
  /* The bytecode is the one attribute, padded with zeros. */
  const char *pos = (const char *)(request + 1) + sizeof(struct inet_diag_req);
  size_t left = len - sizeof(*request) - sizeof(struct inet_diag_req);
  struct nlattr attribute;
  NEED(left >= sizeof(attribute), "%zu bytes after the request", left);
  memcpy(&attribute, pos, sizeof(attribute));
  NEED(attribute.nla_type == INET_DIAG_REQ_BYTECODE &&
           attribute.nla_len ==
               sizeof(attribute) + kernel.request->bytecode_len &&
           left == (attribute.nla_len + 3u) / 4 * 4,
       "%u bytes of %zu", attribute.nla_len, left);
  NEED(memcmp(pos + sizeof(attribute), kernel.request->bytecode,
              kernel.request->bytecode_len) == 0,
       "another bytecode");
  return (ssize_t)len;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
                                   size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
                                   size_t size) {
  (void)nl;
  struct receive receive = next_receive(&kernel.data, &kernel.left);
  errno = receive.error;
  if (errno == 0 && receive.len > size)
    errno = ENOSPC; /* libmnl's word for MSG_TRUNC */
  if (errno != 0)
    return -1;
  ASAN_UNPOISON_MEMORY_REGION(buf, size);
  if (receive.len > 0)
    memcpy(buf, receive.data, receive.len);
  ASAN_POISON_MEMORY_REGION((char *)buf + receive.len, size - receive.len);
  return (ssize_t)receive.len;
}

/* What diag_msg.h says of the bytes, without libmnl and byte by byte: the
 * sockets of a dump, and its result. */
struct model {
  struct diag_socket *sockets;
  size_t num;
  size_t size;
  int status;
};

static uint32_t u32_at(const uint8_t *data) {
  uint32_t number;
  memcpy(&number, data, sizeof(number));
  return number;
}

static uint16_t u16_at(const uint8_t *data) {
  uint16_t number;
  memcpy(&number, data, sizeof(number));
  return number;
}

static size_t aligned(size_t len) { return (len + 3) / 4 * 4; }

static void model_address(struct address *address, uint8_t family,
                          const uint8_t *data) {
  memset(address, 0, sizeof(*address));
  memset(address->bytes + 10, 0xff, 2);
  if (family == AF_INET)
    memcpy(address->bytes + 12, data, 4);
  else
    memcpy(address->bytes, data, 16);
}

/* message: its type. */
static bool model_attributes(struct diag_socket *socket, unsigned message,
                             const uint8_t *data, size_t len) {
  /* mptcp_info has sent, received, ACK; tcp_info has one more before received.
   */
  bool tcp = message == TCPDIAG_GETSOCK;
  size_t age = tcp ? offsetof(struct tcp_info, tcpi_last_ack_recv) : 92;
  size_t sent = age - (tcp ? 12 : 8);
  size_t pos = 0;
  while (pos < len) {
    if (len - pos < 4)
      return false;
    size_t attribute = u16_at(data + pos);
    unsigned type = u16_at(data + pos + 2) & NLA_TYPE_MASK;
    if (attribute < 4 || attribute > len - pos)
      return false;
    const uint8_t *payload = data + pos + 4;
    size_t payload_len = attribute - 4;
    if (type == INET_DIAG_SHUTDOWN)
      socket->request_sock = false;
    if (type == INET_DIAG_INFO && payload_len >= age + 4) {
      socket->has_age = true;
      socket->age = u32_at(payload + age);
      socket->idle = u32_at(payload + age - 4);
      if (u32_at(payload + sent) < socket->idle)
        socket->idle = u32_at(payload + sent);
    }
    if (type == INET_DIAG_CGROUP_ID && payload_len < 8)
      return false;
    if (type == INET_DIAG_CGROUP_ID)
      memcpy(&socket->cgroup_id, payload, 8);
    pos += aligned(attribute);
  }
  return true;
}

/* Returns 0 or what ends the decoding. */
static int model_socket(struct model *model, unsigned message,
                        const uint8_t *data, size_t len) {
  if (len < sizeof(struct inet_diag_msg))
    return -EBADMSG;
  struct diag_socket socket = {
      .family = data[0],
      .state = data[1],
      .minisocket = data[2] == 3,
      .request_sock = data[1] == TCP_SYN_RECV,
      .local_port = ntohs(u16_at(data + 4)),
      .remote_port = ntohs(u16_at(data + 6)),
      .queue = u32_at(data + 56),
      .queue_limit = u32_at(data + 60),
      .inode = u32_at(data + 68),
      .cookie = u32_at(data + 44) | (uint64_t)u32_at(data + 48) << 32,
  };
  if (socket.state < 1 || socket.state > 11)
    return -EBADMSG;
  model_address(&socket.local_address, socket.family, data + 8);
  model_address(&socket.remote_address, socket.family, data + 24);
  if (!model_attributes(&socket, message, data + sizeof(struct inet_diag_msg),
                        len - sizeof(struct inet_diag_msg)))
    return -EBADMSG;
  if (model->num == model->size) {
    model->size = 2 * model->size + 64;
    model->sockets =
        realloc(model->sockets, model->size * sizeof(*model->sockets));
    NEED(model->sockets != NULL, "no memory");
  }
  model->sockets[model->num++] = socket;
  return socket.local_port == REFUSED_PORT ? -ECANCELED : 0;
}

static int model_status(const uint8_t *data, size_t len) {
  int err = len < 4 ? 1 : (int)u32_at(data);
  return err > 0 || err < -4095 ? -EBADMSG : err;
}

/* One receive: returns 1 when the dump goes on. */
static int model_receive(struct model *model, const uint8_t *data, size_t len,
                         uint32_t seq, uint32_t portid) {
  if (len == 0)
    return -EBADMSG;
  for (size_t pos = 0; pos < len;) {
    const uint8_t *header = data + pos;
    if (len - pos < 16 || u32_at(header) < 16 || u32_at(header) > len - pos)
      return -EBADMSG;
    if (u32_at(header + 8) != seq || u32_at(header + 12) != portid)
      return -EPROTO;
    if (u16_at(header + 6) & NLM_F_DUMP_INTR)
      return -EPROTO;
    const uint8_t *payload = header + 16;
    size_t payload_len = u32_at(header) - 16;
    int err;
    switch (u16_at(header + 4)) {
    case NLMSG_NOOP:
      break;
    case NLMSG_ERROR:
      err = model_status(payload, payload_len);
      return err == 0 ? -EBADMSG : err;
    case NLMSG_DONE:
      return model_status(payload, payload_len);
    case NLMSG_OVERRUN:
      return -EOVERFLOW;
    case TCPDIAG_GETSOCK:
    case SOCK_DIAG_BY_FAMILY:
      err = model_socket(model, u16_at(header + 4), payload, payload_len);
      if (err != 0)
        return err;
      break;
    default:
      return -EBADMSG;
    }
    pos += aligned(u32_at(header));
  }
  return 1;
}

/* The whole dump, in as many receives as it takes. */
static void model_dump(struct model *model, uint32_t seq, uint32_t portid,
                       size_t size) {
  const uint8_t *data = kernel.data;
  size_t left = kernel.left;
  do {
    struct receive receive = next_receive(&data, &left);
    if (receive.error == EINTR)
      model->status = 1;
    else if (receive.error == EAGAIN)
      model->status = -ETIMEDOUT;
    else if (receive.error == ENOSPC || receive.len > size)
      model->status = -EMSGSIZE;
    else if (receive.error != 0)
      model->status = -receive.error;
    else
      model->status =
          model_receive(model, receive.data, receive.len, seq, portid);
  } while (model->status > 0);
}

/* The sockets of one dump as cb gets them. */
struct check {
  const struct model *model;
  size_t num;
  struct tally *tally;
  struct port_bitmap listening;
};

static int take_socket(const struct diag_socket *socket, void *data) {
  struct check *check = data;
  NEED(check->num < check->model->num, "too many sockets");
  const struct diag_socket *want = &check->model->sockets[check->num++];
  NEED(socket->state == want->state && socket->family == want->family &&
           socket->minisocket == want->minisocket &&
           socket->request_sock == want->request_sock,
       "socket %zu", check->num);
  NEED(socket->inode == want->inode && socket->local_port == want->local_port &&
           socket->remote_port == want->remote_port &&
           socket->cgroup_id == want->cgroup_id,
       "socket %zu", check->num);
  NEED(memcmp(&socket->local_address, &want->local_address, 16) == 0 &&
           memcmp(&socket->remote_address, &want->remote_address, 16) == 0,
       "socket %zu", check->num);
  NEED(socket->queue == want->queue &&
           socket->queue_limit == want->queue_limit &&
           socket->has_age == want->has_age && socket->age == want->age &&
           socket->idle == want->idle && socket->cookie == want->cookie,
       "socket %zu", check->num);
  if (socket->state == TCP_LISTEN)
    port_bitmap_add(&check->listening, socket->local_port);
  int err = tally_socket(socket, check->tally);
  NEED(err == 0, "%d", err);
  return socket->local_port == REFUSED_PORT ? -ECANCELED : 0;
}

/* What a read keeps. The groups are made once, they are always the same. */
static struct settings settings;
static struct group_index group_index;
static uint64_t now = 1000000; /* ms */
static int64_t simulated_clock(void) { return (int64_t)now; }
static struct ages ages = {.clock = simulated_clock};
static struct port_bitmap nobody;
static struct whose whose = {.listening = &nobody};
static struct holders holders;
static struct ephemeral ephemeral;
static struct tally tally;
static struct diag_dump dump;

static void begin(void) {
  tally = (struct tally){.stuck_after = STUCK_AFTER,
                         .ages = &ages,
                         .whose = &whose,
                         .holders = &holders,
                         .ephemeral = &ephemeral};
  if (group_index.groups != NULL)
    return;
  static const char *const filters[] = {
      "lport=443",  "rport=1-1023 ipv6",    "laddr=127.0.0.0/8 raddr=::/0",
      "cgroup=101", "ipv4 lport=8000-8099", "laddr=::1/128 cgroup=none"};
  static const struct port_bitmap none;
  ephemeral_set_ports(&ephemeral, (struct port_range){FIRST_PORT, 65535},
                      &none);
  settings_init(&settings);
  settings.report = ~0u;
  settings.notify_stuck = 1;
  settings.all_ports_summary = CHOICE_TRUE;
  settings.listening_ports = CHOICE_TRUE;
  size_t num = sizeof(filters) / sizeof(*filters);
  settings.groups = calloc(num, sizeof(*settings.groups));
  NEED(settings.groups != NULL, "no memory");
  for (; settings.groups_num < num; settings.groups_num++) {
    struct group *group = &settings.groups[settings.groups_num];
    group->name = strdup(filters[settings.groups_num]);
    group->filter = model_parse_filter(filters[settings.groups_num]);
  }
  NEED(group_index_init(&group_index, settings.groups, num) == 0, "no memory");
  NEED(model_index_cgroups(&group_index) == 0, "no memory");
}

static bool same_destination(const struct diag_socket *a,
                             const struct diag_socket *b) {
  return a->remote_port == b->remote_port && a->local_port >= FIRST_PORT &&
         b->local_port >= FIRST_PORT &&
         memcmp(&a->local_address, &b->local_address, 16) == 0 &&
         memcmp(&a->remote_address, &b->remote_address, 16) == 0;
}

static void model_ephemeral(struct tally_counts *want,
                            const struct model *model,
                            const struct filter *filter) {
  const uint64_t ports = 65536 - FIRST_PORT;
  for (size_t i = 0; i < model->num; i++) {
    uint64_t num = 0;
    for (size_t j = 0; j < model->num; j++)
      num += same_destination(&model->sockets[i], &model->sockets[j]);
    if (num > want->fullest_destination &&
        model_matches(filter, &model->sockets[i]))
      want->fullest_destination = num;
  }
  want->ephemeral_ports = ports;
  want->ephemeral_utilization =
      (uint64_t)(10000. * (double)want->fullest_destination / (double)ports);
}

/* Each count of those of the sockets that belong to it; filter NULL: that are
 * at the port, or with port 0 all. */
static void check_counts(const char *name, const struct tally_counts *counts,
                         const struct model *model, const struct filter *filter,
                         uint16_t port) {
  struct tally_counts want = {.orphaned = 0};
  for (size_t i = 0; i < model->num; i++) {
    const struct diag_socket *socket = &model->sockets[i];
    if (filter != NULL ? model_matches(filter, socket)
                       : port == 0 || socket->local_port == port)
      model_count(&want, socket, STUCK_AFTER);
  }
  /* The ages are those of the table. */
  NEED(counts->fin_wait1_stuck <= counts->state[TCP_FIN_WAIT1] &&
           counts->fin_wait2_stuck <= counts->fin_wait2_held &&
           counts->close_wait_stuck <= counts->state[TCP_CLOSE_WAIT],
       "%s: more are stuck than there are", name);
  struct tally_counts is = *counts;
  is.fin_wait1_stuck = want.fin_wait1_stuck;
  is.fin_wait2_stuck = want.fin_wait2_stuck;
  is.close_wait_stuck = want.close_wait_stuck;
  is.fin_wait1_oldest = want.fin_wait1_oldest;
  is.fin_wait2_oldest = want.fin_wait2_oldest;
  is.close_wait_oldest = want.close_wait_oldest;
  if (filter != NULL && filter_has_destinations(filter) &&
      model->num <= COMPARED_MAX) {
    model_ephemeral(&want, model, filter);
  } else {
    want.ephemeral_ports = is.ephemeral_ports;
    want.fullest_destination = is.fullest_destination;
    want.ephemeral_utilization = is.ephemeral_utilization;
  }
  const uint64_t *count = (const void *)&is, *should = (const void *)&want;
  for (size_t i = 0; i < sizeof(want) / sizeof(*should); i++)
    NEED(count[i] == should[i], "%s: count %zu is %" PRIu64 ", not %" PRIu64,
         name, i, count[i], should[i]);
}

static void check_tally(const struct model *model) {
  check_counts("all", &tally.all, model, NULL, 0);
  for (size_t i = 0; i < group_index.groups_num; i++)
    check_counts(settings.groups[i].name, &tally.groups[i], model,
                 &settings.groups[i].filter, 0);
  for (size_t i = 0; i < group_index.listening_num; i++)
    check_counts("a listening port", &tally.groups[group_index.groups_num + i],
                 model, NULL, group_index.listening_ports[i]);
}

static void check_metric(const struct metric *metric, void *data) {
  (void)data;
  NEED(metric->plugin_instance[0] != '\0' && metric->type[0] != '\0' &&
           metric->type_instance[0] != '\0',
       "a value without a name");
  NEED(isfinite(metric->value) && metric->value >= 0, "%s-%s: %g", metric->type,
       metric->type_instance, metric->value);
  NEED(strcmp(metric->type, "percent") != 0 || metric->value <= 100, "%s: %g",
       metric->type_instance, metric->value);
}

static void check_metrics(int err) {
  const struct snapshot snapshot = {.sockets_error = err,
                                    .closed_known = true,
                                    .index = &group_index,
                                    .tally = &tally,
                                    .sockstat = {1, 2, 3, 4, 5},
                                    .tcp_fin_timeout = 60,
                                    .tcp_max_tw_buckets = 2,
                                    .tcp_max_orphans = 100,
                                    .tcp_mem = {1, 2, 30}};
  size_t num = metrics_each(&settings, &snapshot, check_metric, NULL);
  size_t groups = group_index_num(&group_index);
  NEED(err == 0 ? num >= 24 + 20 * groups : num < 21, "%zu values", num);
}

/* All that is stuck is somebody's. */
static void check_holders(void) {
  uint64_t num[TCP_CLOSE_WAIT + 1] = {0};
  for (size_t i = 0; i < holders.num; i++)
    num[holders.holder[i].state] += holders.holder[i].num;
  const struct tally_counts *all = &tally.all;
  NEED(holders.total[TCP_FIN_WAIT1].num == all->fin_wait1_stuck &&
           holders.total[TCP_FIN_WAIT2].num == all->fin_wait2_stuck &&
           holders.total[TCP_CLOSE_WAIT].num == all->close_wait_stuck,
       "%u are held", holders.total[TCP_CLOSE_WAIT].num);
  NEED(holders.missed > 0 ? num[TCP_CLOSE_WAIT] <= all->close_wait_stuck
                          : num[TCP_CLOSE_WAIT] == all->close_wait_stuck,
       "%" PRIu64 " are held of %" PRIu64, num[TCP_CLOSE_WAIT],
       all->close_wait_stuck);
}

/* One dump, by what there is in the bytes. */
static void run_dump(const uint8_t *data, size_t size) {
  struct check check = {.tally = &tally};
  kernel.data = data;
  kernel.left = size;
  /* The first message says whose answer it is. */
  struct receive first = {.error = EINTR};
  for (size_t left = size; first.error == EINTR && left >= 2;)
    first = next_receive(&data, &left);
  bool header = first.error == 0 && first.len >= 16;
  dump.seq = header ? u32_at(first.data + 8) - 1 : 0;
  kernel.portid = header ? u32_at(first.data + 12) : 0;

  struct model model = {.num = 0};
  model_dump(&model, dump.seq + 1, kernel.portid, 32768);
  check.model = &model;
  NEED(tally_reset(&tally, &group_index) == 0, "no memory");
  now += 10000;
  ages_start(&ages, true, STUCK_AFTER);
  if (dump.buf != NULL)
    ASAN_UNPOISON_MEMORY_REGION(dump.buf, dump.size);
  const struct diag_request request = {
      .states = 0xfff,
      .info = true,
      .bytecode = kernel.data,
      .bytecode_len = size < BYTECODE_LEN ? size : BYTECODE_LEN};
  kernel.request = &request;
  int err = diag_dump_run(&dump, &request, take_socket, &check);
  NEED(err == model.status, "%d, not %d", err, model.status);
  NEED(check.num == model.num, "%zu sockets, not %zu", check.num, model.num);
  NEED(kernel.is_open == (err == 0), "the socket: %d after %d", kernel.is_open,
       err);
  const char *text = diag_dump_strerror(err);
  NEED(text == NULL || text[0] != '\0', "%d", err);
  ephemeral_finish(&ephemeral, settings.groups, tally.groups,
                   settings.groups_num);
  check_tally(&model);
  check_metrics(err);
  check_holders();
  if (err == 0)
    ages_finish(&ages);
  /* As snapshot.c, which dumps the listeners alone first. */
  if (err == 0 && tally.all.state[TCP_LISTEN] == model.num)
    NEED(group_index_listen(&group_index, &check.listening) >= 0, "no memory");
  free(model.sockets);
}

/* Whatever was before: a clean answer is read as what it is. */
static void run_clean_dump(void) {
  static const struct {
    uint8_t len[2];
    struct nlmsghdr header;
    struct inet_diag_msg msg;
    struct nlmsghdr done;
    int status;
  } __attribute__((packed))
  answer = {.len = {sizeof(answer) - 2, 0},
            .header = {.nlmsg_len = sizeof(answer.header) + sizeof(answer.msg),
                       .nlmsg_type = TCPDIAG_GETSOCK,
                       .nlmsg_seq = 7,
                       .nlmsg_pid = 8},
            .msg = {.idiag_family = AF_INET6, .idiag_state = TCP_TIME_WAIT},
            .done = {.nlmsg_len = sizeof(answer.done) + sizeof(answer.status),
                     .nlmsg_type = NLMSG_DONE,
                     .nlmsg_seq = 7,
                     .nlmsg_pid = 8}};
  run_dump((const uint8_t *)&answer, sizeof(answer));
  NEED(kernel.left == 0 && kernel.is_open, "%zu bytes are left", kernel.left);
  NEED(tally.all.state[TCP_TIME_WAIT] == 1, "%" PRIu64,
       tally.all.state[TCP_TIME_WAIT]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  begin();
  while (size > 0) {
    run_dump(data, size);
    data = kernel.data;
    size = kernel.left >= 2 ? kernel.left : 0;
  }
  run_clean_dump();
  if (dump.buf != NULL)
    ASAN_UNPOISON_MEMORY_REGION(dump.buf, dump.size);
  diag_dump_close(&dump);
  NEED(!kernel.is_open, "the socket is left open");
  tally_free(&tally);
  ages_free(&ages);
  NEED(group_index_listen(&group_index, &(struct port_bitmap){{0}}) >= 0,
       "no memory");
  return 0;
}
