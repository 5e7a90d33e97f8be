/* SPDX-License-Identifier: MIT */
/* Logs what a read says besides its values, for tcpstates.c. */
#include "view.h"

void view_log_mptcp(struct view *view, const struct snapshot *snapshot) {
  int err = snapshot->mptcp_error;
  if (err != 0)
    trouble_complain(&view->no_mptcp, LOG_WARNING, view->label,
                     "no counts of MPTCP", mptcp_strerror(err), err,
                     "Other values are still reported.");
  else
    trouble_release(&view->no_mptcp, view->label,
                    "MPTCP's sockets are counted again.");
}

void view_log_cgroups(struct view *view, const struct snapshot *snapshot) {
  int err = snapshot->cgroups_error;
  if (snapshot->cgroups != NULL)
    trouble_complain(&view->no_cgroups, LOG_WARNING, view->label,
                     snapshot->cgroups, remarks_file_strerror(err), err,
                     snapshot->cgroups_in_part
                         ? "What is in there is not counted."
                         : "Its values are missing.");
  else
    trouble_release(&view->no_cgroups, view->label,
                    "the control groups are known again.");
}

void view_log(struct view *view, const struct snapshot *snapshot) {
  int err = snapshot->sockets_error;
  if (err != 0)
    trouble_complain(&view->no_sockets, LOG_ERR, view->label,
                     "no socket counts", diag_dump_strerror(err), err,
                     "Other values are still reported.");
  else
    trouble_release(&view->no_sockets, view->label,
                    "the sockets are counted again.");

  view_log_mptcp(view, snapshot);
  view_log_cgroups(view, snapshot);
  err = snapshot->file_error;
  if (snapshot->file != NULL)
    trouble_complain(&view->no_file, LOG_WARNING, view->label, snapshot->file,
                     remarks_file_strerror(err), err,
                     "Its values are missing.");
  else
    trouble_release(&view->no_file, view->label, "all files are read again.");

  size_t left_out = snapshot->index->listening_left_out;
  char reason[64];
  snprintf(reason, sizeof(reason), "%zu more ports than %d are listened on",
           left_out, LISTENING_MAX);
  if (left_out > 0)
    trouble_complain(&view->no_group, LOG_WARNING, view->label,
                     "ListeningPorts", reason, 0,
                     "They have no group; LocalPort gives one to any port.");
  else
    trouble_release(&view->no_group, view->label,
                    "every port that is listened on has a group.");

  if (snapshot->method[0] != '\0')
    P_INFO("%s%s", view->label, snapshot->method);
}

void view_log_missing(struct view *view, const struct netns *netns, int error) {
  trouble_complain(&view->no_entry, error == -ETIMEDOUT ? LOG_WARNING : LOG_ERR,
                   view->label, netns->path, netns_strerror(error), error,
                   "Its values are missing.");
}
