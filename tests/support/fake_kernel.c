/* SPDX-License-Identifier: MIT */
/* Stands in for the kernel where plan.c's requests are executed. */
#include "fake_kernel.h"

#include "bytecode_machine.h"
#include "socket_model.h"

#include <check.h>
#include <string.h>
#include <sys/socket.h>

static const uint16_t ports[] = {22, 80, 443, 5432, 8080, 40000, 65534};

static const struct address addresses[] = {
    {{[10] = 0xff, 0xff, 0, 0, 0, 0}},
    {{[10] = 0xff, 0xff, 127, 0, 0, 1}},
    {{[10] = 0xff, 0xff, 10, 0, 0, 1}},
    {{[10] = 0xff, 0xff, 10, 1, 2, 3}},
    {{[10] = 0xff, 0xff, 192, 0, 2, 7}},
    {{0}},
    {{[15] = 1}},
    {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
    {{0xfe, 0x80, [15] = 1}},
};

static const uint64_t cgroup_ids[] = {1, 2, 3, UINT64_C(0x100000003)};

#define NUM(array) (sizeof(array) / sizeof(*(array)))

const struct random_pool fake_pool = {.ports = ports,
                                      .ports_num = NUM(ports),
                                      .addresses = addresses,
                                      .addresses_num = NUM(addresses),
                                      .cgroup_ids = cgroup_ids,
                                      .cgroup_ids_num = NUM(cgroup_ids)};

static struct diag_socket new_socket(const struct fake_kernel *kernel,
                                     struct random_source *source) {
  static const uint8_t common[] = {TCP_ESTABLISHED, TCP_ESTABLISHED,
                                   TCP_TIME_WAIT};
  static const uint8_t rare[] = {TCP_SYN_SENT,   TCP_SYN_RECV,  TCP_SYN_RECV,
                                 TCP_FIN_WAIT1,  TCP_FIN_WAIT2, TCP_FIN_WAIT2,
                                 TCP_CLOSE,      TCP_CLOSE,     TCP_LISTEN,
                                 TCP_CLOSE_WAIT, TCP_LAST_ACK,  TCP_CLOSING};
  struct diag_socket socket = random_socket(source, &fake_pool);
  if (random_below(source, 100) < kernel->server)
    *(kernel->remote ? &socket.remote_port : &socket.local_port) =
        kernel->port == 0 ? 443 : kernel->port;
  socket.state = random_below(source, 100) < kernel->common
                     ? common[random_below(source, NUM(common))]
                     : rare[random_below(source, NUM(rare))];
  bool coin = random_below(source, 2) == 0;
  socket.minisocket =
      socket.state == TCP_TIME_WAIT || (socket.state == TCP_FIN_WAIT2 && coin);
  /* The others in this state are children of TCP Fast Open. */
  socket.request_sock = socket.state == TCP_SYN_RECV && coin;
  bool full = !socket.minisocket && !socket.request_sock;
  socket.inode = full ? random_below(source, 2) : 0;
  socket.cgroup_id =
      full ? cgroup_ids[random_below(source, NUM(cgroup_ids))] : 0;
  if (full && (socket.state == TCP_FIN_WAIT2 || socket.state == TCP_CLOSE_WAIT))
    socket.age = random_below(source, 256) * 16;
  socket.idle = socket.age + random_below(source, 2);
  static uint64_t cookies;
  socket.cookie = ++cookies;
  socket.has_age = full;
  if (socket.state == TCP_LISTEN) {
    socket.queue = socket.local_port % 7;
    socket.queue_limit = socket.remote_port % 5;
  }
  return socket;
}

struct plan_sums fake_kernel_sums(const struct fake_kernel *kernel) {
  struct plan_sums sums = {.alloc = kernel->others};
  for (size_t i = 0; i < kernel->num; i++) {
    const struct diag_socket *socket = &kernel->sockets[i];
    sums.alloc += !socket->minisocket && !socket->request_sock;
    if (socket->minisocket)
      sums.tw++;
    else if (socket->state != TCP_CLOSE && !socket->request_sock)
      ++*(socket->family == AF_INET ? &sums.inuse : &sums.inuse6);
  }
  return sums;
}

void fake_kernel_change(struct fake_kernel *kernel,
                        struct random_source *source, size_t num,
                        unsigned percent) {
  for (size_t i = 0; i < num; i++)
    if (i >= kernel->num || random_below(source, 100) < percent)
      kernel->sockets[i] = new_socket(kernel, source);
  kernel->num = num;
  /* A request sock has a listener. */
  const struct plan_sums sums = fake_kernel_sums(kernel);
  for (size_t i = 0; i < num && sums.inuse + sums.inuse6 == 0; i++)
    if (kernel->sockets[i].request_sock) {
      kernel->sockets[i].state = TCP_LISTEN;
      kernel->sockets[i].request_sock = false;
    }
}

size_t fake_kernel_dump(const struct fake_kernel *kernel,
                        const struct diag_request *request, diag_socket_cb cb,
                        void *data) {
  bool filtered = request->bytecode != NULL;
  struct bytecode program = {.len = request->bytecode_len};
  /* It is only read. */
  memcpy(&program.ops, &request->bytecode, sizeof(program.ops));
  const char *fault = filtered ? machine_audit(&program) : NULL;
  if (fault != NULL)
    ck_abort_msg("bytecode: %s", fault);
  size_t num = 0;
  for (size_t i = 0; i < kernel->num; i++) {
    struct diag_socket socket = kernel->sockets[i];
    int bit =
        socket.state == TCP_CLOSE ? DIAG_STATE_BOUND_INACTIVE : socket.state;
    if (!(request->states & 1u << bit) ||
        (filtered && !machine_run(&program, &socket).accepted))
      continue;
    socket.has_age =
        request->info && !socket.minisocket && !socket.request_sock;
    if (!socket.has_age)
      socket.age = socket.idle = 0;
    num++;
    if (cb(&socket, data) != 0)
      ck_abort_msg("a socket is not taken");
  }
  return num;
}

struct tally_counts fake_kernel_count(const struct fake_kernel *kernel,
                                      const struct filter *filter) {
  struct tally_counts counts = {.orphaned = 0};
  for (size_t i = 0; i < kernel->num; i++)
    if (filter == NULL || model_matches(filter, &kernel->sockets[i]))
      model_count(&counts, &kernel->sockets[i], kernel->stuck_after);
  return counts;
}
