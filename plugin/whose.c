/* SPDX-License-Identifier: MIT */
/* Names the holders of sockets for holders.c and stuck.c. */
#include "whose.h"

#include "hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a: services are distinguished by the hash of their names, so that
 * several control groups of one name are one holder. */
static uint64_t hash_name(const char *name) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (; *name != '\0'; name++)
    hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
  return hash | 1;
}

void whose_start(struct whose *whose) {
  whose->unknown = 0;
  unsigned generation =
      whose->tree == NULL ? 0 : cgroup_tree_generation(whose->tree);
  if (generation != whose->generation)
    memset(whose->known, 0, sizeof(whose->known));
  whose->generation = generation;
}

static uint64_t find_service(struct whose *whose, uint64_t cgroup_id) {
  size_t place = hash_id(cgroup_id) % WHOSE_KNOWN_NUM;
  if (whose->known[place].cgroup_id == cgroup_id)
    return whose->known[place].service;
  char path[CGROUP_PATH_SIZE], name[SERVICE_NAME_SIZE];
  uint64_t service = 0;
  if (cgroup_tree_path(whose->tree, cgroup_id, path) == 0) {
    service_names_find(whose->names, path, name);
    service = hash_name(name);
  }
  whose->known[place].cgroup_id = cgroup_id;
  whose->known[place].service = service;
  return service;
}

bool whose_is_local(const struct whose *whose,
                    const struct diag_socket *socket) {
  return port_bitmap_has(whose->listening, socket->local_port) ||
         socket->local_port < whose->ephemeral.first ||
         socket->local_port > whose->ephemeral.last;
}

struct holder whose_holder(struct whose *whose,
                           const struct diag_socket *socket) {
  struct holder holder = {.state = socket->state};
  if (whose->tree != NULL && socket->cgroup_id != 0) {
    holder.cgroup_id = socket->cgroup_id;
    holder.service = find_service(whose, socket->cgroup_id);
    whose->unknown += holder.service == 0;
  }
  if (holder.service == 0) {
    holder.local = whose_is_local(whose, socket);
    holder.port = holder.local ? socket->local_port : socket->remote_port;
  }
  return holder;
}

int whose_name(struct whose *whose, const struct holder *holder,
               char name[SERVICE_NAME_SIZE], char path[CGROUP_PATH_SIZE]) {
  path[0] = '\0';
  if (holder->service == 0) {
    snprintf(name, SERVICE_NAME_SIZE, "%u-%s", holder->port,
             holder->local ? "local" : "remote");
    return 0;
  }
  int err = cgroup_tree_path(whose->tree, holder->cgroup_id, path);
  if (err != 0)
    return err;
  service_names_find(whose->names, path, name);
  return 0;
}
