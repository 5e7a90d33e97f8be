/* SPDX-License-Identifier: MIT */
/* Paths and ids in a list of control groups' directories. */
#include "cgroup_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cgroup_list_add(struct cgroup_list *list, const struct cgroup_entry *entry,
                    const char *name) {
  size_t len = strlen(name) + 1;
  if (list->num == CGROUP_NUM_MAX || list->names_num + len > CGROUP_NAMES_MAX)
    return -EOVERFLOW;
  if (list->num == list->size) {
    size_t size = 2 * list->size + 64;
    struct cgroup_entry *entries =
        realloc(list->entries, size * sizeof(*entries));
    if (entries == NULL)
      return -ENOMEM;
    list->entries = entries;
    list->size = size;
  }
  if (list->names_num + len > list->names_size) {
    size_t size = 2 * list->names_size + 1024;
    char *names = realloc(list->names, size);
    if (names == NULL)
      return -ENOMEM;
    list->names = names;
    list->names_size = size;
  }
  list->entries[list->num] = *entry;
  list->entries[list->num++].name = (uint32_t)list->names_num;
  memcpy(list->names + list->names_num, name, len);
  list->names_num += len;
  return 0;
}

bool cgroup_list_path(const struct cgroup_list *list, size_t i,
                      const char *prefix, char *path, size_t size) {
  size_t chain[CGROUP_DEPTH_MAX + 1], num = 0;
  for (; i != 0; i = list->entries[i].parent)
    chain[num++] = i;
  int len = snprintf(path, size, "%s", prefix);
  size_t end = len < 0 ? size : (size_t)len;
  while (num > 0 && end < size) {
    const char *name = list->names + list->entries[chain[--num]].name;
    len = snprintf(path + end, size - end, "/%s", name);
    end = len < 0 ? size : end + (size_t)len;
  }
  return end < size;
}

/* The entry with the path, or the last directory of it that is there. */
static size_t find_path(const struct cgroup_list *list, const char *path,
                        bool *found) {
  size_t at = 0;
  *found = true;
  while (*found && *(path += strspn(path, "/")) != '\0') {
    size_t len = strcspn(path, "/"), i = cgroup_list_first(list, at);
    size_t end = cgroup_list_end(list, at);
    for (; i < end; i++) {
      const char *name = list->names + list->entries[i].name;
      if (strncmp(name, path, len) == 0 && name[len] == '\0')
        break;
    }
    *found = i < end;
    at = *found ? i : at;
    path += len;
  }
  return at;
}

/* What is found of one filter's control groups. */
struct search {
  const struct cgroup_list *list;
  struct id_list *ids; /* its ids: NULL while they are counted */
  size_t trouble;
};

static void note_error(struct search *search, size_t i) {
  int error = search->list->entries[i].error;
  if (error == 0 || search->ids->error != 0)
    return;
  search->ids->error = error;
  search->trouble = i;
}

static void search_path(struct search *search, const char *path) {
  const struct cgroup_list *list = search->list;
  struct id_list *ids = search->ids;
  bool exists;
  size_t first = find_path(list, path, &exists);
  if (!exists) {
    note_error(search, first);
    ids->known = ids->known && list->entries[first].error == 0;
    return;
  }
  ids->exists = true;
  for (size_t end = first + 1; first < end;) {
    size_t next = cgroup_list_first(list, first);
    size_t next_end = cgroup_list_end(list, end - 1);
    for (; first < end; first++) {
      uint64_t id = list->entries[first].id;
      if (id != 0 && ids->ids != NULL)
        ids->ids[ids->num] = id;
      ids->num += id != 0;
      note_error(search, first);
    }
    first = next;
    end = next_end;
  }
}

int cgroup_list_ids(const struct cgroup_list *list, char *const *paths,
                    size_t num, struct id_list *ids, size_t *trouble) {
  struct search search = {.list = list, .ids = ids};
  *ids = (struct id_list){.error = list->num == 0 ? -ENODEV : 0};
  *trouble = 0;
  for (int pass = 0; pass < 2 && list->num > 0; pass++) {
    uint64_t *found = NULL;
    if (pass > 0 && (found = malloc((ids->num + 1) * sizeof(*found))) == NULL)
      return -ENOMEM;
    *ids = (struct id_list){.ids = found, .known = true};
    for (size_t i = 0; i < num; i++)
      search_path(&search, paths[i]);
    *trouble = search.trouble;
  }
  return 0;
}

void cgroup_list_free(struct cgroup_list *list) {
  free(list->entries);
  free(list->names);
  *list = (struct cgroup_list){0};
}
