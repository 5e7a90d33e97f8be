/* SPDX-License-Identifier: MIT */
/* Filters as bytecode_compile() takes them, and what they let through by
 * socket_model.h. */
#ifndef TCPSTATES_FILTER_SET_H
#define TCPSTATES_FILTER_SET_H

#include "bytecode.h"
#include "socket_random.h"

#define FILTER_SET_MAX 8

/* Empty when zero-initialised. */
struct filter_set {
  struct filter filter[FILTER_SET_MAX]; /* freed by filter_set_free() */
  bool inverted[FILTER_SET_MAX];
  size_t num;
  int seed; /* that it was made from; 0: from texts */
};

/* Adds a filter as model_parse_filter() takes it; "not " before it inverts. */
void filter_set_add(struct filter_set *set, const char *text);

/* Adds 1 to 8 filters, some of them inverted, to an empty set. Most sets are
 * small: of many filters one matches nearly every socket. */
void filter_set_randomize(struct filter_set *set, struct random_source *source,
                          const struct random_pool *pool);

/* Returns what bytecode_compile() does. */
int filter_set_compile(const struct filter_set *set, struct bytecode *program);

/* Has the program to let the socket through? May it? It may only because of
 * more than BYTECODE_CGROUPS_MAX control groups. */
bool filter_set_wants(const struct filter_set *set,
                      const struct diag_socket *socket);
bool filter_set_allows(const struct filter_set *set,
                       const struct diag_socket *socket);

/* Writes the seed and the filters, as filter_set_add() takes them, to stderr.
 */
void filter_set_print(const struct filter_set *set);

void filter_set_free(struct filter_set *set);

#endif
