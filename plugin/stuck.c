/* Joins a read's counts with the names of who holds the sockets; tcpstates.c
 * dispatches the result. */
#include "stuck.h"

#include "process.h"

#include <ctype.h>
#include <string.h>

const char *stuck_name(enum stuck_state state) {
  return state == STUCK_FIN_WAIT2 ? "fin_wait2_stuck" : "close_wait_stuck";
}

static void write_stuck(enum stuck_state state, const struct settings *settings,
                        const struct snapshot *snapshot, const char *proc,
                        char *text) {
  const struct tally *tally = snapshot->tally;
  bool fin_wait2 = state == STUCK_FIN_WAIT2;
  uint8_t tcp_state = fin_wait2 ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT;
  const struct holder *holders[NOTICE_PROCESSES];
  const char *paths[NOTICE_HOLDERS];
  char processes[NOTICE_TEXT_SIZE] = "";
  size_t num =
      holders_top(tally->holders, tcp_state, holders, NOTICE_PROCESSES);
  uint32_t inodes[NOTICE_PROCESSES];
  for (size_t i = 0; i < num; i++)
    inodes[i] = holders[i]->inode;
  if (settings->notify_processes)
    process_find(proc, inodes, num, processes, sizeof(processes));
  if (num > NOTICE_HOLDERS)
    num = NOTICE_HOLDERS;
  char names[NOTICE_HOLDERS][CGROUP_PATH_SIZE];
  for (size_t i = 0; i < num; i++) {
    int err =
        cgroup_tree_path(snapshot->cgroups, holders[i]->cgroup_id, names[i]);
    paths[i] = err == 0 ? names[i] : NULL;
  }
  const struct notice_stuck what = {
      .state = tcp_state,
      .num =
          fin_wait2 ? tally->all.fin_wait2_stuck : tally->all.close_wait_stuck,
      .after = settings->stuck_after,
      .oldest = 1e-3 * (double)(fin_wait2 ? tally->all.fin_wait2_oldest
                                          : tally->all.close_wait_oldest),
      .holders = holders,
      .holders_num = num,
      .paths = paths,
      .processes = processes,
  };
  notice_text_stuck(text, NOTICE_TEXT_SIZE, &what);
}

enum notice_event stuck_update(struct stuck *stuck, enum stuck_state state,
                               const struct settings *settings,
                               const struct snapshot *snapshot,
                               const char *proc, char text[NOTICE_TEXT_SIZE]) {
  if (settings->notify_stuck == 0 || snapshot->sockets_error != 0)
    return NOTICE_NONE;
  const struct tally_counts *all = &snapshot->tally->all;
  uint64_t num =
      state == STUCK_FIN_WAIT2 ? all->fin_wait2_stuck : all->close_wait_stuck;
  enum notice_event event =
      notice_update(&stuck->notices[state], num, settings->notify_stuck);
  if (event == NOTICE_STUCK)
    write_stuck(state, settings, snapshot, proc, text);
  if (event == NOTICE_OVER)
    notice_text_over(text, NOTICE_TEXT_SIZE,
                     state == STUCK_FIN_WAIT2 ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT,
                     num, settings->notify_stuck);
  /* Names of groups and commands are anybody's choice. */
  for (char *c = text; event != NOTICE_NONE && *c != '\0'; c++)
    if (iscntrl((unsigned char)*c))
      *c = '?';
  return event;
}
