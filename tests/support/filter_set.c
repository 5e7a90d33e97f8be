/* SPDX-License-Identifier: MIT */
/* A program lets a socket through that any of its filters matches. */
#include "filter_set.h"

#include "socket_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct filter_set *set, struct filter filter, bool inverted) {
  if (set->num == FILTER_SET_MAX)
    abort();
  set->filter[set->num] = filter;
  set->inverted[set->num++] = inverted;
}

void filter_set_add(struct filter_set *set, const char *text) {
  bool inverted = strncmp(text, "not ", 4) == 0;
  add(set, model_parse_filter(inverted ? text + 4 : text), inverted);
}

void filter_set_randomize(struct filter_set *set, struct random_source *source,
                          const struct random_pool *pool) {
  size_t num = random_below(source, 1 + random_below(source, 8)) + 1;
  set->seed = (int)source->seed;
  while (set->num < num) {
    struct filter filter = random_filter(source, pool);
    add(set, filter, filter.cgroups.num == 0 && random_below(source, 4) == 0);
  }
}

int filter_set_compile(const struct filter_set *set, struct bytecode *program) {
  const struct filter *filters[FILTER_SET_MAX];
  for (size_t i = 0; i < set->num; i++)
    filters[i] = &set->filter[i];
  struct id_list ids[FILTER_SET_MAX];
  for (size_t i = 0; i < set->num; i++)
    ids[i] = model_ids(filters[i]);
  int err = bytecode_compile(program, filters, ids, set->inverted, set->num);
  for (size_t i = 0; i < set->num; i++)
    free(ids[i].ids);
  return err;
}

bool filter_set_wants(const struct filter_set *set,
                      const struct diag_socket *socket) {
  for (size_t i = 0; i < set->num; i++)
    if (model_matches(&set->filter[i], socket) != set->inverted[i])
      return true;
  return false;
}

bool filter_set_allows(const struct filter_set *set,
                       const struct diag_socket *socket) {
  struct filter_set wider = *set;
  size_t told_apart = 0;
  for (size_t i = 0; i < wider.num; i++) {
    struct id_list ids = model_ids(&set->filter[i]);
    free(ids.ids);
    if (told_apart + ids.num > BYTECODE_CGROUPS_MAX)
      wider.filter[i].cgroups = (struct path_set){0};
    else
      told_apart += ids.num;
  }
  return filter_set_wants(&wider, socket);
}

void filter_set_print(const struct filter_set *set) {
  fprintf(stderr, "# the filters, of seed %d:\n", set->seed);
  for (size_t i = 0; i < set->num; i++) {
    char *text = model_filter_text(&set->filter[i]);
    fprintf(stderr, "# %s%s\n", set->inverted[i] ? "not " : "", text);
    free(text);
  }
}

void filter_set_free(struct filter_set *set) {
  for (size_t i = 0; i < set->num; i++)
    filter_free(&set->filter[i]);
  set->num = 0;
}
