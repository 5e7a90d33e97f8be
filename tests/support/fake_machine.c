/* SPDX-License-Identifier: MIT */
/* The machine that the tests of snapshot.c look at. */
#include "fake_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

struct fake_machine machine;

int __wrap_uname(struct utsname *out);
int __wrap_uname(struct utsname *out) {
  memset(out, 0, sizeof(*out));
  if (machine.release == NULL)
    return -1;
  snprintf(out->release, sizeof(out->release), "%s", machine.release);
  return 0;
}

void fake_machine_spoil(const char *file) {
  temp_tree_delete(&machine.proc, file);
  temp_tree_directory(&machine.proc, file);
}

static void note(const char *event) {
  if (machine.events_num >= sizeof(machine.events) / sizeof(*machine.events))
    abort();
  machine.events[machine.events_num++] = event;
}

int __real_proc_file_read(const char *path, char *buf, size_t size);
int __wrap_proc_file_read(const char *path, char *buf, size_t size);
int __wrap_proc_file_read(const char *path, char *buf, size_t size) {
  static const char *const files[] = {SOCKSTAT,    SOCKSTAT6,      FIN_TIMEOUT,
                                      MAX_ORPHANS, MAX_TW_BUCKETS, MEM};
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
    if (strcmp(path + strlen(machine.proc.root), files[i]) == 0)
      note(files[i]);
  bool sums = strcmp(path + strlen(machine.proc.root), SOCKSTAT6) == 0;
  if (sums && machine.sums_lost_after > 0 &&
      machine.sums_read++ == machine.sums_lost_after)
    fake_machine_spoil(SOCKSTAT6);
  return __real_proc_file_read(path, buf, size);
}

/* What the tests delete must not stay open. */
int __wrap_proc_file_reread(struct proc_file *file, const char *path, char *buf,
                            size_t size);
int __wrap_proc_file_reread(struct proc_file *file, const char *path, char *buf,
                            size_t size) {
  (void)file;
  return __wrap_proc_file_read(path, buf, size);
}

int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data);
int __wrap_diag_dump_run(struct diag_dump *dump,
                         const struct diag_request *request, diag_socket_cb cb,
                         void *data) {
  (void)dump;
  size_t number = machine.requests_num++;
  if (number >= sizeof(machine.requests) / sizeof(*machine.requests))
    abort();
  machine.requests[number] = *request;
  note(MACHINE_DUMP);
  for (size_t i = 0; i < machine.num; i++) {
    struct diag_socket socket = machine.sockets[i];
    uint32_t bit = socket.state == TCP_CLOSE ? 1u << DIAG_STATE_BOUND_INACTIVE
                                             : 1u << socket.state;
    socket.has_age = request->info;
    if (request->states & bit && cb(&socket, data) != 0)
      abort();
  }
  return number < sizeof(machine.errors) / sizeof(*machine.errors)
             ? machine.errors[number]
             : 0;
}

void fake_machine_write_files(void) {
  const struct temp_tree *proc = &machine.proc;
  temp_tree_file(proc, SOCKSTAT,
                 "sockets: used 734\n"
                 "TCP: inuse 27 orphan 3 tw 141 alloc 310 mem 52\n");
  temp_tree_file(proc, SOCKSTAT6, "TCP6: inuse 14\nUDP6: inuse 5\n");
  temp_tree_file(proc, FIN_TIMEOUT, "65\n");
  temp_tree_file(proc, MAX_ORPHANS, "32768\n");
  temp_tree_file(proc, MAX_TW_BUCKETS, "65536\n");
  temp_tree_file(proc, EHASH_ENTRIES, "524288\n");
  temp_tree_file(proc, MEM, "188418\t251226\t376836\n");
}

void fake_machine_start(void) {
  static const struct diag_socket sockets[] = {
      {.state = TCP_ESTABLISHED, .inode = 1, .local_port = 443},
      {.state = TCP_ESTABLISHED, .inode = 2, .local_port = 443},
      {.state = TCP_LISTEN, .inode = 3, .local_port = 443},
      {.state = TCP_LISTEN, .inode = 4, .local_port = 8080},
      {.state = TCP_CLOSE, .inode = 5, .local_port = 9000},
      {.state = TCP_CLOSE_WAIT,
       .inode = 6,
       .local_port = 443,
       .cookie = 7,
       .age = 66000,
       .idle = 66000},
  };
  memset(&machine, 0, sizeof(machine));
  machine.proc = temp_tree_make();
  machine.release = "6.12.9-amd64";
  machine.sockets = sockets;
  machine.num = sizeof(sockets) / sizeof(*sockets);
  cgroup_tree_init(&machine.cgroups);
  fake_machine_write_files();
  settings_init(&machine.settings);
  machine.settings.all_ports_summary = CHOICE_TRUE;
  machine.settings.listening_ports = CHOICE_FALSE;
}

void fake_machine_read(void) {
  machine.requests_num = 0;
  machine.events_num = 0;
  if (settings_need_cgroups(&machine.settings))
    cgroup_tree_refresh(&machine.cgroups);
  snapshot_read(&machine.reader, &machine.snapshot);
}

void fake_machine_open(void) {
  if (snapshot_open(&machine.reader, &machine.settings, machine.proc.root,
                    &machine.cgroups) != 0)
    abort();
}

void fake_machine_read_first(void) {
  fake_machine_open();
  fake_machine_read();
}

void fake_machine_end(void) {
  snapshot_close(&machine.reader);
  cgroup_tree_free(&machine.cgroups);
  temp_tree_remove(&machine.proc);
}
