/* SPDX-License-Identifier: MIT */
/* Reads MPTCP's sockets, for snapshot.c. */
#include "mptcp.h"

#include "hash.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int mptcp_open(struct mptcp *mptcp, const struct settings *settings) {
  const struct group *groups = settings->groups + settings->groups_num;
  *mptcp = (struct mptcp){.settings = settings,
                          .has_ages = true,
                          .states = settings_mptcp_states(settings)};
  if (settings->report & REPORT_STUCK)
    mptcp->tally.ages = &mptcp->ages;
  int err = group_index_init(&mptcp->index, groups, settings->mptcp_num);
  return err != 0
             ? err
             : filter_ids_init(&mptcp->filter_ids, groups, settings->mptcp_num);
}

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * hash_multiplier();
  return hash ^ hash >> 29;
}

static uint64_t mix_address(uint64_t hash, const struct address *address) {
  uint64_t words[2];
  memcpy(words, address->bytes, sizeof(words));
  return mix(mix(hash, words[0]), words[1]);
}

/* An accepted socket has its listener's cookie, where that had one by then
 * (mptcp_sk_clone_init() leaves it): what tells the sockets apart are both
 * addresses and ports, and for sockets that follow each other the inode. */
static uint64_t identify(const struct diag_socket *socket) {
  uint64_t hash = mix(socket->cookie, socket->inode);
  hash = mix_address(hash, &socket->local_address);
  hash = mix_address(hash, &socket->remote_address);
  hash = mix(hash, (uint64_t)socket->local_port << 16 | socket->remote_port);
  return hash >> 6 | 1; /* as ages.h has room for */
}

static int count(const struct diag_socket *socket, void *data) {
  struct mptcp *mptcp = data;
  struct diag_socket own = *socket;
  if (mptcp->tally.ages != NULL && ages_has(socket)) {
    own.cookie = identify(socket);
    if (mptcp->info)
      mptcp->has_ages = socket->has_age;
  }
  return tally_socket(&own, &mptcp->tally);
}

int mptcp_read(struct mptcp *mptcp, struct diag_dump *dump,
               struct cgroup_tree *cgroups) {
  struct tally *tally = &mptcp->tally;
  int err = filter_ids_update(&mptcp->filter_ids, cgroups, &mptcp->index);
  tally->stuck_after = (uint64_t)mptcp->settings->stuck_after * 1000;
  mptcp->info = tally->ages != NULL && ages_need_info(tally->ages);
  ages_start(&mptcp->ages, mptcp->info, tally->stuck_after);
  if (err == 0)
    err = tally_reset(tally, &mptcp->index);
  static const uint8_t families[] = {AF_INET, AF_INET6};
  for (size_t i = 0; i < sizeof(families) && err == 0; i++) {
    const struct diag_request request = {.protocol = FILTER_MPTCP,
                                         .family = families[i],
                                         .states = mptcp->states,
                                         .info = mptcp->info};
    err = diag_dump_run(dump, &request, count, mptcp);
  }
  if (err == 0)
    ages_finish(&mptcp->ages);
  return err;
}

bool mptcp_lost_ages(const struct mptcp *mptcp) { return mptcp->ages.lost > 0; }

const char *mptcp_strerror(int err) {
  return err == -ENOENT || err == -EOPNOTSUPP
             ? "mptcp_diag is not available (Linux 5.9 or later, "
               "CONFIG_INET_MPTCP_DIAG, or: modprobe mptcp_diag)"
             : diag_dump_strerror(err);
}

void mptcp_close(struct mptcp *mptcp) {
  group_index_free(&mptcp->index);
  tally_free(&mptcp->tally);
  ages_free(&mptcp->ages);
  filter_ids_free(&mptcp->filter_ids);
}
