/* cgroup.c: the ids of control groups, found in directories of the tests' own,
 * and where the real ones are mounted. */
#include "cgroup.h"

#include "check_main.h"
#include "filter.h"
#include "temp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Allocations since it was 0, and which of them fails; 0: none. */
static unsigned allocations, fail_at;

void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t num, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t num, size_t size);

void *__wrap_malloc(size_t size) {
  return ++allocations == fail_at ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size) {
  return ++allocations == fail_at ? NULL : __real_calloc(num, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return ++allocations == fail_at ? NULL : __real_realloc(old, size);
}

#define NAME_64                                                                \
  "abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz.0123456789"
#define NAME_255                                                               \
  NAME_64 NAME_64 NAME_64                                                      \
      "abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz.012345678"

/* The hierarchy; /e has a file, and links to other directories, as well. */
static const char *const tree[] = {
    "/a",
    "/a/b",
    "/a/b/c",
    "/a/b/c/d",
    "/a/e",
    "/ab",
    "/e",
    "/e/.f",
    "/e/..g",
    "/long",
    "/long/" NAME_255,
    "/long/\x01",
    "/long/\n",
    "/many",
};
#define MANY 300 /* in /many */

static struct temp_tree hierarchy;
static struct path_set set;
static struct id_list ids, spare;
static int next_descriptor;

/* A path of the hierarchy in the file system. */
static const char *path_of(const char *path) {
  static char buf[600];
  snprintf(buf, sizeof(buf), "%s%s", hierarchy.root, path);
  return buf;
}

static void make_group(const char *path) {
  ck_assert_msg(mkdir(path_of(path), 0755) == 0, "%s: %s", path,
                strerror(errno));
}

static void remove_group(const char *path) {
  ck_assert_msg(rmdir(path_of(path)) == 0, "%s: %s", path, strerror(errno));
}

static uint64_t id_of(const char *path) {
  struct stat st;
  ck_assert_msg(stat(path_of(path), &st) == 0, "%s: %s", path, strerror(errno));
  return st.st_ino;
}

static void make_file(const char *path) {
  int fd = open(path_of(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  ck_assert_int_ge(fd, 0);
  close(fd);
}

static int lowest_free_descriptor(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(fd);
  return fd;
}

static void set_up(void) {
  hierarchy = temp_tree_make();
  for (int i = 0; i < CASES(tree); i++)
    make_group(tree[i]);
  for (int i = 0; i < MANY; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/many/%d", i);
    make_group(path);
  }
  make_file("/file");
  make_file("/e/cgroup.procs");
  ck_assert_int_eq(symlink("../a", path_of("/e/link")), 0);
  ck_assert_int_eq(symlink("a", path_of("/link")), 0);
  next_descriptor = lowest_free_descriptor();
}

static void tear_down(void) {
  ck_assert_int_eq(lowest_free_descriptor(), next_descriptor);
  struct filter filter = {.cgroups = set};
  filter_free(&filter);
  free(ids.ids);
  free(spare.ids);
  temp_tree_remove(&hierarchy);
}

static void add_path(const char *path) {
  ck_assert_int_eq(path_set_add(&set, path), 0);
}

static int find_in(const char *mount) {
  return cgroup_find(set.paths, set.num, mount, &ids, &spare);
}

static int find(void) { return find_in(hierarchy.root); }

static bool has_id(uint64_t id) {
  for (size_t i = 0; i < ids.num; i++)
    if (ids.ids[i] == id)
      return true;
  return false;
}

static bool is_in(const char *path, const char *group) {
  size_t len = strcmp(group, "/") == 0 ? 0 : strlen(group);
  return strncmp(path, group, len) == 0 &&
         (path[len] == '\0' || path[len] == '/');
}

/* The set must have the ids of these groups and of no other one. */
static void check_ids(const char *const *groups) {
  size_t num = 0;
  for (int i = -1; i < CASES(tree) + MANY; i++) {
    char path[320] = "/";
    if (i >= 0 && i < CASES(tree))
      snprintf(path, sizeof(path), "%s", tree[i]);
    else if (i >= 0)
      snprintf(path, sizeof(path), "/many/%d", i - CASES(tree));
    bool expected = false;
    for (int j = 0; groups[j] != NULL; j++)
      expected =
          expected || is_in(path, groups[j]) || strcmp(path, groups[j]) == 0;
    num += expected;
    ck_assert_msg(has_id(id_of(path)) == expected, "%s", path);
  }
  /* Of groups below each other some may be there twice. */
  ck_assert_uint_ge(ids.num, num);
  if (groups[0] == NULL || groups[1] == NULL)
    ck_assert_uint_eq(ids.num, num);
}

static const struct {
  const char *paths[4];
  const char *groups[4]; /* that are found, each with all below it */
} sets[] = {
    {{"/a"}, {"/a"}},
    {{"/a/b"}, {"/a/b"}},
    {{"/a/b/c/d"}, {"/a/b/c/d"}},
    {{"/"}, {"/"}},
    {{"/ab"}, {"/ab"}},
    {{"/many"}, {"/many"}},
    {{"/long"}, {"/long"}},
    {{"/long/" NAME_255}, {"/long/" NAME_255}},
    /* neither the file nor what the link leads to */
    {{"/e"}, {"/e"}},
    {{"/file"}, {NULL}},
    {{"/file/x"}, {NULL}},
    {{"/link"}, {NULL}},
    {{"/e/link"}, {NULL}},
    {{"/missing"}, {NULL}},
    {{"/a/missing"}, {NULL}},
    {{"/a/missing/c"}, {NULL}},
    {{"/a/e", "/e"}, {"/a/e", "/e"}},
    {{"/a/b", "/ab", "/many"}, {"/a/b", "/ab", "/many"}},
    {{"/missing", "/e", "/file"}, {"/e"}},
    {{"/a", "/a/b"}, {"/a", "/a"}},
    {{"/a/b/c", "/a/b", "/a"}, {"/a", "/a"}},
    {{"/a/b", "/"}, {"/", "/"}},
    {{"/e", "/e"}, {"/e", "/e"}},
};

START_TEST(ids_are_those_of_the_paths_and_of_all_below_them) {
  for (int i = 0; sets[_i].paths[i] != NULL; i++)
    add_path(sets[_i].paths[i]);
  bool any = sets[_i].groups[0] != NULL;
  ck_assert_int_eq(find(), any);
  check_ids(sets[_i].groups);
  ck_assert_int_eq(find(), 0);
  check_ids(sets[_i].groups);

  allocations = 0;
  int changed = find();
  unsigned allocated = allocations;
  ck_assert_int_eq(changed, 0);
  ck_assert_uint_eq(allocated, 0);
  check_ids(sets[_i].groups);
}
END_TEST

START_TEST(without_paths_there_are_no_ids) {
  ck_assert_int_eq(find(), 0);
  ck_assert_uint_eq(ids.num, 0);
}
END_TEST

START_TEST(path_may_come_and_go) {
  add_path("/new");
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(find(), 0);
    ck_assert_uint_eq(ids.num, 0);
    make_group("/new");
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(ids.num, 1);
    ck_assert_uint_eq(ids.ids[0], id_of("/new"));
    ck_assert_int_eq(find(), 0);
    remove_group("/new");
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(ids.num, 0);
  }
}
END_TEST

/* A service that is started again has the same path and another id. */
START_TEST(path_may_come_back_with_another_id) {
  add_path("/ab");
  ck_assert_int_eq(find(), 1);
  uint64_t old = id_of("/ab");
  char from[700];
  snprintf(from, sizeof(from), "%s", path_of("/ab"));
  ck_assert_int_eq(rename(from, path_of("/elsewhere")), 0);
  make_group("/ab");
  ck_assert_int_eq(find(), 1);
  ck_assert_uint_eq(ids.num, 1);
  ck_assert_uint_ne(ids.ids[0], old);
  ck_assert_uint_eq(ids.ids[0], id_of("/ab"));
  ck_assert_int_eq(find(), 0);
}
END_TEST

START_TEST(change_below_a_path_is_a_change_and_a_change_beside_it_is_none) {
  add_path("/a");
  ck_assert_int_eq(find(), 1);
  size_t num = ids.num;
  make_group("/a/b/c/new");
  ck_assert_int_eq(find(), 1);
  ck_assert_uint_eq(ids.num, num + 1);
  ck_assert(has_id(id_of("/a/b/c/new")));
  remove_group("/a/b/c/new");
  ck_assert_int_eq(find(), 1);
  ck_assert_uint_eq(ids.num, num);
  make_group("/beside");
  make_file("/a/b/cgroup.procs");
  ck_assert_int_eq(find(), 0);
}
END_TEST

/* Descriptors run out in the middle of the walk, or a name is impossible. */
START_TEST(on_error_the_ids_are_as_before) {
  static const char *const before[] = {"/a", NULL};
  add_path("/a");
  ck_assert_int_eq(find(), 1);
  struct rlimit old, low;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
  low = old;
  for (rlim_t more = 0; more < 4; more++) {
    low.rlim_cur = (rlim_t)next_descriptor + more;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    int err = find();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(err, -EMFILE);
    check_ids(before);
  }
  ck_assert_int_eq(find(), 0);

  /* No group can have such a name: it is not there. */
  add_path("/" NAME_255 "x");
  ck_assert_int_eq(find(), 0);
  check_ids(before);
}
END_TEST

START_TEST(without_memory_the_ids_are_as_before) {
  static const char *const none[] = {NULL};
  static const char *const many[] = {"/many", NULL};
  add_path("/many");
  for (fail_at = 1;; fail_at++) {
    allocations = 0;
    int err = find();
    if (err == 1)
      break;
    ck_assert_int_eq(err, -ENOMEM);
    check_ids(none);
    ck_assert_uint_lt(fail_at, 20);
  }
  fail_at = 0;
  check_ids(many);
}
END_TEST

/* What is mounted last at the path; NULL: nothing. */
static const char *find_type(FILE *mountinfo, const char *path) {
  static char type[64];
  char line[4096], point[1024], found[64];
  type[0] = '\0';
  rewind(mountinfo);
  while (fgets(line, sizeof(line), mountinfo) != NULL) {
    const char *rest = strstr(line, " - ");
    if (rest != NULL && sscanf(line, "%*s %*s %*s %*s %1023s", point) == 1 &&
        sscanf(rest, " - %63s", found) == 1 && strcmp(point, path) == 0)
      snprintf(type, sizeof(type), "%s", found);
  }
  return type;
}

START_TEST(mount_is_where_mountinfo_has_it) {
  static const char *const places[] = {"/sys/fs/cgroup",
                                       "/sys/fs/cgroup/unified"};
  FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
  ck_assert_ptr_nonnull(mountinfo);
  const char *expected = NULL;
  for (int i = CASES(places) - 1; i >= 0; i--)
    if (strcmp(find_type(mountinfo, places[i]), "cgroup2") == 0)
      expected = places[i];
  fclose(mountinfo);
  ck_assert_pstr_eq(cgroup_mount(), expected);
}
END_TEST

/* The path in "0::PATH" of /proc/self/cgroup; false: there is none, or it is
 * not below the mount. */
static bool own_path(char *path, size_t size) {
  FILE *file = fopen("/proc/self/cgroup", "re");
  char line[4096];
  bool found = false;
  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    if (strncmp(line, "0::/", 4) == 0 && strncmp(line, "0::/..", 6) != 0) {
      line[strcspn(line, "\n")] = '\0';
      snprintf(path, size, "%s", line + 3);
      found = true;
    }
  if (file != NULL)
    fclose(file);
  return found;
}

static char own[4096];

START_TEST(own_group_is_found_in_the_real_hierarchy) {
  char path[8192];
  struct stat st;
  snprintf(path, sizeof(path), "%s%s", cgroup_mount(), own);
  ck_assert_int_eq(stat(path, &st), 0);
  add_path(own);
  ck_assert_int_eq(find_in(cgroup_mount()), 1);
  ck_assert(has_id(st.st_ino));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("cgroup");
  TCase *found = tcase_create("cgroup_find");
  tcase_add_checked_fixture(found, set_up, tear_down);
  tcase_add_loop_test(found, ids_are_those_of_the_paths_and_of_all_below_them,
                      0, CASES(sets));
  tcase_add_test(found, without_paths_there_are_no_ids);
  tcase_add_test(found, path_may_come_and_go);
  tcase_add_test(found, path_may_come_back_with_another_id);
  tcase_add_test(
      found, change_below_a_path_is_a_change_and_a_change_beside_it_is_none);
  tcase_add_test(found, on_error_the_ids_are_as_before);
  tcase_add_test(found, without_memory_the_ids_are_as_before);
  if (cgroup_mount() != NULL && own_path(own, sizeof(own)))
    tcase_add_test(found, own_group_is_found_in_the_real_hierarchy);
  else
    puts("# skipped: own_group_is_found_in_the_real_hierarchy: no cgroup v2 "
         "hierarchy is mounted, or this process has no group in it");
  suite_add_tcase(suite, found);
  TCase *mounted = tcase_create("cgroup_mount");
  if (access("/proc/self/mountinfo", R_OK) == 0)
    tcase_add_test(mounted, mount_is_where_mountinfo_has_it);
  else
    puts("# skipped: mount_is_where_mountinfo_has_it: /proc/self/mountinfo "
         "cannot be read");
  suite_add_tcase(suite, mounted);
  return check_main_forked(suite);
}
