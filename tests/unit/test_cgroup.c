/* SPDX-License-Identifier: MIT */
/* cgroup.c, cgroup_walk.c, cgroup_list.c: the ids and names of control groups,
 * found in directories of the tests' own and in the real ones, however many,
 * deep or closed they are. */
#include "cgroup.h"
#include "cgroup_walk.h"

#include "check_main.h"
#include "temp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
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
  return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == fail_at
             ? NULL
             : __real_malloc(size);
}

void *__wrap_calloc(size_t num, size_t size) {
  return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == fail_at
             ? NULL
             : __real_calloc(num, size);
}

void *__wrap_realloc(void *old, size_t size) {
  return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == fail_at
             ? NULL
             : __real_realloc(old, size);
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
static const char *mounted; /* NULL: nothing is */
static struct cgroup_tree cgroups;
static int next_descriptor;

const char *__real_cgroup_mount(void);
const char *__wrap_cgroup_mount(void);
const char *__wrap_cgroup_mount(void) { return mounted; }

/* A path of the hierarchy in the file system. */
static const char *path_of(const char *path) {
  static char buf[1024];
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

static void start_empty(void) {
  hierarchy = temp_tree_make();
  mounted = hierarchy.root;
  next_descriptor = lowest_free_descriptor();
  cgroup_tree_init(&cgroups);
}

static void start(void) {
  start_empty();
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
}

static void end(void) {
  cgroup_tree_free(&cgroups);
  ck_assert_int_eq(lowest_free_descriptor(), next_descriptor);
  temp_tree_remove(&hierarchy);
}

static int refresh(void) { return cgroup_tree_refresh(&cgroups); }

/* What a test asks for, as a filter does. */
static struct {
  char *paths[4];
  size_t num;
  struct id_list ids;
  char where[8192];
} asked;

static void ask(const char *path) { asked.paths[asked.num++] = strdup(path); }

static int find(void) {
  snprintf(asked.where, sizeof(asked.where), "untouched");
  return cgroup_tree_ids(&cgroups, asked.paths, asked.num, &asked.ids,
                         asked.where, sizeof(asked.where));
}

static void ask_no_more(void) {
  for (size_t i = 0; i < asked.num; i++)
    free(asked.paths[i]);
  free(asked.ids.ids);
  memset(&asked, 0, sizeof(asked));
}

static bool has_id(uint64_t id) {
  for (size_t i = 0; i < asked.ids.num; i++)
    if (asked.ids.ids[i] == id)
      return true;
  return false;
}

static bool is_in(const char *path, const char *group) {
  size_t len = strcmp(group, "/") == 0 ? 0 : strlen(group);
  return strncmp(path, group, len) == 0 &&
         (path[len] == '\0' || path[len] == '/');
}

/* The ids must be those of these groups and of no other one. */
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
  ck_assert_uint_ge(asked.ids.num, num);
  if (groups[0] == NULL || groups[1] == NULL)
    ck_assert_uint_eq(asked.ids.num, num);
}

/* They are all that there are. */
static void check_complete(bool exists) {
  ck_assert_int_eq(asked.ids.error, 0);
  ck_assert(asked.ids.known);
  ck_assert_int_eq(asked.ids.exists, exists);
  ck_assert_str_eq(asked.where, "untouched");
}

/* The directory is the reason why they are not. */
static void check_error(int error, bool known, const char *path) {
  ck_assert_int_eq(asked.ids.error, error);
  ck_assert_int_eq(asked.ids.known, known);
  ck_assert_str_eq(asked.where, path_of(path));
}

static int entered(const char *path, const struct stat *st, int type,
                   struct FTW *ftw) {
  (void)ftw;
  if (type == FTW_D || type == FTW_DP || type == FTW_DNR)
    ck_assert_msg(has_id(st->st_ino), "%s is missing", path);
  return 0;
}

/* The tree must have each directory of the hierarchy, and this many. */
static void check_tree(size_t num) {
  ask_no_more();
  ask("/");
  ck_assert_int_ge(find(), 0);
  check_complete(true);
  ck_assert_int_eq(nftw(hierarchy.root, entered, 8, FTW_PHYS), 0);
  ck_assert_uint_eq(asked.ids.num, num);
  ask_no_more();
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
    ask(sets[_i].paths[i]);
  bool any = sets[_i].groups[0] != NULL;
  ck_assert_int_eq(refresh(), 1);
  ck_assert_int_eq(find(), any);
  check_ids(sets[_i].groups);
  check_complete(any);
  ck_assert_int_eq(find(), 0);
  check_ids(sets[_i].groups);
  ask_no_more();
}
END_TEST

START_TEST(a_refresh_without_a_change_neither_walks_nor_allocates) {
  ck_assert_int_eq(refresh(), 1);
  unsigned generation = cgroup_tree_generation(&cgroups);
  allocations = 0;
  int changed = refresh() + refresh() + refresh();
  unsigned allocated = allocations;
  ck_assert_int_eq(changed, 0);
  ck_assert_uint_eq(allocated, 0);
  ck_assert_uint_eq(cgroup_tree_generation(&cgroups), generation);
}
END_TEST

START_TEST(without_a_hierarchy_nothing_is_known_until_there_is_one) {
  mounted = NULL;
  ask("/a");
  ck_assert_int_eq(refresh(), 0);
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(find(), 0);
    ck_assert_int_eq(asked.ids.error, -ENODEV);
    ck_assert(!asked.ids.known);
    ck_assert_str_eq(asked.where, "/sys/fs/cgroup");
    mounted = hierarchy.root;
    unsigned generation = cgroup_tree_generation(&cgroups);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_uint_ne(cgroup_tree_generation(&cgroups), generation);
    ck_assert_int_eq(find(), 1);
    check_ids((const char *const[]){"/a", NULL});
    /* It is noticed at the next walk that it is gone. */
    mounted = NULL;
    make_group("/a/new");
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 1);
    remove_group("/a/new");
    find();
  }
  ask_no_more();
}
END_TEST

START_TEST(path_may_come_and_go_and_come_back_with_another_id) {
  ask("/new");
  ck_assert_int_eq(refresh(), 1);
  uint64_t id = 0;
  int held = -1;
  for (int i = 0; i < 3; i++) {
    ck_assert_int_eq(find(), 0);
    check_complete(false);
    ck_assert_uint_eq(asked.ids.num, 0);
    make_group("/new");
    ck_assert_uint_ne(id_of("/new"), id);
    id = id_of("/new");
    close(held);
    held = open(path_of("/new"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(held, 0); /* its inode is given to nobody else */
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 1);
    check_complete(true);
    ck_assert_uint_eq(asked.ids.num, 1);
    ck_assert_uint_eq(asked.ids.ids[0], id);
    ck_assert_int_eq(refresh(), 0);
    remove_group("/new");
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 1);
  }
  close(held);
  ask_no_more();
}
END_TEST

START_TEST(change_below_a_path_is_a_change_and_a_change_beside_it_is_none) {
  static const char *const made[] = {"/a/new", "/a/b/c/d/new", "/a/e/new"};
  static const char *const beside[] = {"/beside", "/ab/new", "/e/..g/new"};
  ask("/a");
  ck_assert_int_eq(refresh(), 1);
  ck_assert_int_eq(find(), 1);
  size_t num = asked.ids.num;
  for (int i = 0; i < CASES(made); i++) {
    make_group(made[i]);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(asked.ids.num, num + 1);
    ck_assert(has_id(id_of(made[i])));
    remove_group(made[i]);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(asked.ids.num, num);
    make_group(beside[i]);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(find(), 0);
  }
  ask_no_more();
}
END_TEST

/* The tree after changes at random, each kind of which it may have missed. */
START_TEST(after_each_change_the_tree_is_what_the_directories_are) {
  enum { NUM = 60 };
  bool is[NUM] = {false};
  size_t num = 1;
  unsigned random = 4711;
  cgroups.watches_limit = _i == 0 ? CGROUP_WATCHES_MAX : 10;
  cgroups.patience = 0;
  for (int round = 0; round < 300; round++) {
    for (unsigned changes = round % 7; changes > 0; changes--) {
      random = random * 1103515245 + 12345;
      unsigned i = random / 65536 % NUM;
      /* Each is in the one with half its number. */
      char path[256] = "";
      for (unsigned j = i + 1; j > 0; j /= 2) {
        char rest[256];
        memcpy(rest, path, sizeof(rest));
        snprintf(path, sizeof(path), "/%u%.200s", j, rest);
      }
      bool free = !is[i] && (i == 0 || is[(i + 1) / 2 - 1]);
      if (free && mkdir(path_of(path), 0755) == 0) {
        is[i] = true;
        num++;
      } else if (is[i] && rmdir(path_of(path)) == 0) {
        is[i] = false;
        num--;
        /* Unlike cgroup v2 this file system may use its inode again. */
        refresh();
      }
    }
    ck_assert_int_ge(refresh(), 0);
    check_tree(num);
  }
}
END_TEST

START_TEST(a_name_is_known_by_its_id_also_when_it_is_gone) {
  char path[CGROUP_PATH_SIZE];
  ck_assert_int_eq(refresh(), 1);
  ck_assert_int_eq(cgroup_tree_path(&cgroups, id_of("/"), path), 0);
  ck_assert_str_eq(path, "/");
  uint64_t id = id_of("/a/b/c/d");
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(cgroup_tree_path(&cgroups, id, path), 0);
    ck_assert_str_eq(path, "/a/b/c/d");
    if (i == 0)
      remove_group("/a/b/c/d");
    ck_assert_int_eq(refresh(), i == 0);
  }
  ck_assert_int_eq(cgroup_tree_path(&cgroups, 0, path), -ENOENT);
  ck_assert_int_eq(cgroup_tree_path(&cgroups, UINT64_MAX, path), -ENOENT);
  ck_assert_int_eq(cgroup_tree_path(&cgroups, id_of("/long/" NAME_255), path),
                   -ENOENT);
}
END_TEST

START_TEST(of_those_that_are_gone_the_last_are_known) {
  enum { NUM = CGROUP_GONE_NUM + 100 };
  static uint64_t ids[NUM];
  char path[CGROUP_PATH_SIZE], expected[32];
  make_group("/keep"); /* so that no inode is there twice */
  for (int i = 0; i < NUM; i++) {
    snprintf(expected, sizeof(expected), "/keep/%d", i);
    make_group(expected);
    ids[i] = id_of(expected);
  }
  ck_assert_int_eq(refresh(), 1);
  for (int i = 0; i < NUM; i++) {
    snprintf(expected, sizeof(expected), "/keep/%d", i);
    remove_group(expected);
    if (i % 50 == 0 || i == NUM - 1)
      ck_assert_int_eq(refresh(), 1);
  }
  size_t known = 0;
  for (int i = 0; i < NUM; i++) {
    snprintf(expected, sizeof(expected), "/keep/%d", i);
    if (cgroup_tree_path(&cgroups, ids[i], path) != 0)
      continue;
    ck_assert_str_eq(path, expected);
    known++;
  }
  ck_assert_uint_eq(known, CGROUP_GONE_NUM);
  ck_assert_int_eq(cgroup_tree_path(&cgroups, ids[NUM - 1], path), 0);
}
END_TEST

/* ---- what an unprivileged user can do ---- */

static int64_t cpu_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What it takes to find the paths of these ids, in ns; the least of some times.
 */
static int64_t measure_paths(const uint64_t *ids, size_t num) {
  char path[CGROUP_PATH_SIZE];
  int64_t least = INT64_MAX;
  for (int time = 0; time < 5; time++) {
    int64_t begun = cpu_time();
    for (size_t i = 0; i < 10000; i++)
      cgroup_tree_path(&cgroups, ids[i % num], path);
    int64_t taken = cpu_time() - begun;
    least = taken < least ? taken : least;
  }
  return least;
}

/* Each of a user's stuck sockets can be of another group. */
START_TEST(a_path_costs_the_same_however_many_groups_there_are) {
  enum { FEW = 100, MANY_MORE = 10000 };
  static uint64_t ids[MANY_MORE];
  char name[32];
  int64_t few = 0;
  make_group("/user");
  for (int i = 0; i < MANY_MORE; i++) {
    snprintf(name, sizeof(name), "/user/%d", i);
    make_group(name);
    ids[i] = id_of(name);
    if (i != FEW - 1)
      continue;
    ck_assert_int_eq(refresh(), 1);
    few = measure_paths(ids, FEW);
  }
  ck_assert_int_eq(refresh(), 1);
  ck_assert_int_lt(measure_paths(ids, MANY_MORE), 5 * few);
  for (int i = 0; i < MANY_MORE; i++)
    ids[i] = UINT64_MAX - (uint64_t)i;
  ck_assert_int_lt(measure_paths(ids, MANY_MORE), 5 * few);
}
END_TEST

static void nest(const char *path, int depth) {
  int cwd = open(".", O_PATH | O_CLOEXEC);
  ck_assert_int_eq(chdir(path_of(path)), 0);
  for (int i = 0; i < depth; i++)
    ck_assert(mkdir("nested", 0755) == 0 && chdir("nested") == 0);
  ck_assert_int_eq(fchdir(cwd), 0);
  close(cwd);
}

static void unnest(const char *path, int depth) {
  int cwd = open(".", O_PATH | O_CLOEXEC);
  ck_assert_int_eq(chdir(path_of(path)), 0);
  for (int i = 0; i < depth; i++)
    ck_assert_int_eq(chdir("nested"), 0);
  for (int i = 0; i < depth; i++)
    ck_assert(chdir("..") == 0 && rmdir("nested") == 0);
  ck_assert_int_eq(fchdir(cwd), 0);
  close(cwd);
}

static void limit_descriptors(rlim_t num) {
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = num;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static const rlim_t limits[] = {20000, 1024, 32};

START_TEST(a_nest_4000_deep_costs_what_is_in_it_and_two_descriptors) {
  nest("/a/e", 4000);
  limit_descriptors(limits[_i]);
  if (limits[_i] == 32)
    limit_descriptors((rlim_t)next_descriptor + 2);
  ck_assert_int_eq(refresh(), 1);
  limit_descriptors(limits[0]);
  ask("/a");
  ck_assert_int_eq(find(), 1);
  ck_assert_int_eq(asked.ids.error, -EOVERFLOW);
  ck_assert(asked.ids.known && asked.ids.exists);
  /* a, b, c, d; and one for each other level */
  ck_assert_uint_eq(asked.ids.num, 4 + CGROUP_DEPTH_MAX - 1);
  ck_assert(strstr(asked.where, "/a/e/nested/nested/nested") != NULL);
  ask_no_more();
  for (int i = 0; i < CASES(tree); i++) {
    ask(tree[i]);
    ck_assert_int_eq(find(), 1);
    if (strcmp(tree[i], "/a") != 0 && strcmp(tree[i], "/a/e") != 0)
      check_ids((const char *const[]){tree[i], NULL});
    ask_no_more();
  }
  unnest("/a/e", 4000);
  ck_assert_int_eq(refresh(), 1);
  check_tree(1 + CASES(tree) + MANY);
}
END_TEST

/* What a user makes is deeper than what services are in. */
START_TEST(of_too_many_those_near_the_root_are_known) {
  enum { NUM = CGROUP_NUM_MAX + 1000 };
  char path[64];
  make_group("/user");
  make_group("/user/1000");
  for (int i = 0; i < NUM; i++) {
    snprintf(path, sizeof(path), "/user/1000/%d", i);
    make_group(path);
  }
  make_group("/z");
  make_group("/z/service");
  ck_assert_int_eq(refresh(), 1);
  ask("/z");
  ck_assert_int_eq(find(), 1);
  check_complete(true);
  ck_assert_uint_eq(asked.ids.num, 2);
  ask_no_more();
  ask("/user");
  ck_assert_int_eq(find(), 1);
  check_error(-EOVERFLOW, true, "/user/1000");
  /* All there is room for, without the root and /z. */
  ck_assert_uint_eq(asked.ids.num, CGROUP_NUM_MAX - 3);
  ask_no_more();
  /* Where it ends, nothing tells what is there. */
  ask("/user/1000/none");
  ck_assert_int_eq(find(), 0);
  check_error(-EOVERFLOW, false, "/user/1000");
  ask_no_more();
  for (int i = 0; i < NUM; i += 2) {
    snprintf(path, sizeof(path), "/user/1000/%d", i);
    remove_group(path);
  }
  ck_assert_int_eq(refresh(), 1);
  check_tree(5 + NUM / 2);
}
END_TEST

START_TEST(a_closed_directory_costs_what_is_in_it_until_it_is_open) {
  uid_t user = geteuid();
  ck_assert_int_eq(chmod(path_of("/a/b"), 0), 0);
  if (user == 0) {
    ck_assert_int_eq(chmod(path_of(""), 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
  }
  cgroups.patience = 1000;
  ck_assert_int_eq(refresh(), 1);
  ask("/a");
  ck_assert_int_eq(find(), 1);
  check_error(-EACCES, true, "/a/b");
  ck_assert_uint_eq(asked.ids.num, 3); /* a, a/b, a/e */
  ask_no_more();
  ask("/a/b/c");
  ck_assert_int_eq(find(), 0);
  check_error(-EACCES, false, "/a/b");
  ck_assert(!asked.ids.exists);
  ask_no_more();
  ask("/many");
  ck_assert_int_eq(find(), 1);
  ck_assert_int_eq(asked.ids.error, 0);
  ck_assert_uint_eq(asked.ids.num, MANY + 1);
  ask_no_more();

  ck_assert_int_eq(seteuid(user), 0);
  ck_assert_int_eq(chmod(path_of("/a/b"), 0755), 0);
  ck_assert_int_eq(refresh(), 0);
  cgroups.due -= 1000;
  ck_assert_int_eq(refresh(), 1);
  check_tree(1 + CASES(tree) + MANY);
  cgroups.due -= 1000;
  ck_assert_int_eq(refresh(), 0);
}
END_TEST

START_TEST(where_watches_are_used_up_it_is_read_again_after_a_time) {
  cgroups.watches_limit = _i == 0 ? 0 : 3;
  cgroups.patience = 1000;
  ck_assert_int_eq(refresh(), 1);
  make_group("/a/b/new");
  ck_assert_int_eq(refresh(), 0);
  cgroups.due -= 1000;
  ck_assert_int_eq(refresh(), 1);
  ck_assert_int_eq(refresh(), 0);
  check_tree(2 + CASES(tree) + MANY);
  /* It changes nothing where there is one. */
  make_group("/new");
  ck_assert_int_eq(refresh(), _i > 0);
}
END_TEST

START_TEST(without_descriptors_it_tries_again_in_the_next_read) {
  limit_descriptors((rlim_t)next_descriptor + (rlim_t)_i);
  int first = refresh();
  limit_descriptors(limits[0]);
  ck_assert_int_eq(first, 1);
  ask("/a");
  ck_assert_int_ge(find(), 0);
  ck_assert_int_eq(asked.ids.error, _i < 2 ? -EMFILE : 0);
  ask_no_more();
  ck_assert_int_eq(refresh(), _i < 2);
  check_tree(1 + CASES(tree) + MANY);
}
END_TEST

START_TEST(without_memory_the_tree_is_as_before_and_it_tries_again) {
  ck_assert_int_eq(refresh(), 1);
  make_group("/a/new");
  remove_group("/a/b/c/d");
  int failures = 0;
  for (fail_at = 1;; fail_at++) {
    allocations = 0;
    int err = refresh();
    if (err == 1)
      break;
    ck_assert_int_eq(err, -ENOMEM);
    failures++;
    unsigned fail = fail_at;
    fail_at = 0;
    ask("/a");
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(asked.ids.num, 5);
    ask_no_more();
    fail_at = fail;
    ck_assert_int_lt(failures, 1000);
  }
  fail_at = 0;
  ck_assert_int_gt(failures, 0);
  check_tree(1 + CASES(tree) + MANY);

  ask("/many");
  fail_at = 1;
  allocations = 0;
  ck_assert_int_eq(find(), -ENOMEM);
  fail_at = 0;
  ck_assert_uint_eq(asked.ids.num, 0);
  ck_assert_int_eq(find(), 1);
  ask_no_more();
}
END_TEST

START_TEST(the_first_walk_without_memory_is_tried_again) {
  for (fail_at = 1;; fail_at++) {
    allocations = 0;
    int err = refresh();
    if (err == 1)
      break;
    ck_assert_int_eq(err, -ENOMEM);
    ck_assert_uint_lt(fail_at, 1000);
  }
  fail_at = 0;
  check_tree(1 + CASES(tree) + MANY);
}
END_TEST

/* More events than a queue has, so that some are lost. */
START_TEST(a_flood_of_events_costs_one_walk_and_loses_nothing) {
  ck_assert_int_eq(refresh(), 1);
  for (int i = 0; i < 20000; i++) {
    char path[64];
    snprintf(path, sizeof(path), "/many/%d/new", i % 10);
    make_group(path);
    remove_group(path);
  }
  make_group("/a/b/c/d/last");
  unsigned generation = cgroup_tree_generation(&cgroups);
  for (int i = 0; i < 8 && refresh() > 0; i++)
    ck_assert_uint_eq(cgroup_tree_generation(&cgroups), ++generation);
  ck_assert_int_eq(refresh(), 0);
  check_tree(2 + CASES(tree) + MANY);
}
END_TEST

/* ---- threads ---- */

static bool ended;

static void *keep_reading(void *data) {
  uint64_t id = *(const uint64_t *)data;
  char *paths[] = {(char[]){"/a"}, (char[]){"/many"}};
  struct id_list ids = {.num = 0};
  char where[64], path[CGROUP_PATH_SIZE];
  while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) {
    cgroup_tree_generation(&cgroups);
    cgroup_tree_ids(&cgroups, paths, 2, &ids, where, sizeof(where));
    cgroup_tree_path(&cgroups, id, path);
    sched_yield();
  }
  free(ids.ids);
  return NULL;
}

START_TEST(threads_may_read_it_while_it_is_refreshed) {
  ck_assert_int_eq(refresh(), 1);
  pthread_t threads[3];
  uint64_t id = id_of("/a/b");
  for (int i = 0; i < CASES(threads); i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_reading, &id), 0);
  for (int i = 0; i < 200; i++) {
    char path[32];
    snprintf(path, sizeof(path), "/many/%d", i);
    remove_group(path);
    ck_assert_int_eq(refresh(), 1);
  }
  __atomic_store_n(&ended, true, __ATOMIC_RELAXED);
  for (int i = 0; i < CASES(threads); i++)
    pthread_join(threads[i], NULL);
}
END_TEST

/* ---- the real hierarchy ---- */

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
  ck_assert_pstr_eq(__real_cgroup_mount(), expected);
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
  mounted = __real_cgroup_mount();
  ck_assert_int_eq(refresh(), 1);
  ask(own);
  ck_assert_int_eq(find(), 1);
  /* What others nest below the root is not this test's. */
  if (strcmp(own, "/") != 0)
    check_complete(true);
  char path[CGROUP_PATH_SIZE];
  ck_assert_int_eq(cgroup_tree_path(&cgroups, asked.ids.ids[0], path), 0);
  ck_assert_str_eq(path, own);
  ask_no_more();
}
END_TEST

static char real_group[256];

/* Makes a control group of the test's own. */
static bool make_real(void) {
  const char *mount = __real_cgroup_mount();
  if (mount == NULL)
    return false;
  snprintf(real_group, sizeof(real_group), "%s/tcpstates-unit-%ld", mount,
           (long)getpid());
  return mkdir(real_group, 0755) == 0;
}

static void each_real(int num, int (*action)(const char *path)) {
  for (int i = 0; i < num; i++) {
    char path[320];
    snprintf(path, sizeof(path), "%s/%d", real_group, i);
    ck_assert_msg(action(path) == 0, "%s: %s", path, strerror(errno));
  }
}

static int make_directory(const char *path) { return mkdir(path, 0755); }

static size_t count_watches(void) {
  char path[64], line[512];
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", cgroups.inotify);
  FILE *file = fopen(path, "re");
  ck_assert_ptr_nonnull(file);
  size_t num = 0;
  while (fgets(line, sizeof(line), file) != NULL)
    num += strncmp(line, "inotify wd:", 11) == 0;
  fclose(file);
  return num;
}

/* There a watch does not end with its directory. */
START_TEST(the_kernel_tells_what_changes_and_no_watch_outlives_its_directory) {
  enum { NUM = 300 };
  mounted = real_group;
  ck_assert_int_eq(refresh(), 1);
  /* A daemon's children, such as those of exec, do not get it. */
  ck_assert_int_eq(fcntl(cgroups.inotify, F_GETFD), FD_CLOEXEC);
  for (int i = 0; i < 3; i++) {
    each_real(NUM, make_directory);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_int_eq(refresh(), 0);
    ck_assert_uint_eq(count_watches(), NUM + 1);
    ask("/");
    ck_assert_int_eq(find(), 1);
    ck_assert_uint_eq(asked.ids.num, NUM + 1);
    ask_no_more();
    char path[320];
    snprintf(path, sizeof(path), "%s/7/inner", real_group);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_uint_eq(count_watches(), NUM + 2);
    ck_assert_int_eq(rmdir(path), 0);
    each_real(NUM, rmdir);
    ck_assert_int_eq(refresh(), 1);
    ck_assert_uint_eq(count_watches(), 1);
    ck_assert_int_eq(refresh(), 0);
  }
}
END_TEST

START_TEST(nothing_to_do) {}
END_TEST

int main(void) {
  Suite *suite = suite_create("cgroup");
  TCase *found = tcase_create("tree");
  tcase_add_checked_fixture(found, start, end);
  tcase_add_loop_test(found, ids_are_those_of_the_paths_and_of_all_below_them,
                      0, CASES(sets));
  tcase_add_test(found, a_refresh_without_a_change_neither_walks_nor_allocates);
  tcase_add_test(found,
                 without_a_hierarchy_nothing_is_known_until_there_is_one);
  tcase_add_test(found, path_may_come_and_go_and_come_back_with_another_id);
  tcase_add_test(
      found, change_below_a_path_is_a_change_and_a_change_beside_it_is_none);
  tcase_add_test(found, a_name_is_known_by_its_id_also_when_it_is_gone);
  tcase_add_test(found, of_those_that_are_gone_the_last_are_known);
  tcase_add_test(found, a_path_costs_the_same_however_many_groups_there_are);
  tcase_add_loop_test(found,
                      a_nest_4000_deep_costs_what_is_in_it_and_two_descriptors,
                      0, CASES(limits));
  tcase_add_test(found,
                 a_closed_directory_costs_what_is_in_it_until_it_is_open);
  tcase_add_loop_test(
      found, where_watches_are_used_up_it_is_read_again_after_a_time, 0, 2);
  tcase_add_loop_test(
      found, without_descriptors_it_tries_again_in_the_next_read, 0, 3);
  tcase_add_test(found,
                 without_memory_the_tree_is_as_before_and_it_tries_again);
  tcase_add_test(found, the_first_walk_without_memory_is_tried_again);
  tcase_add_test(found, a_flood_of_events_costs_one_walk_and_loses_nothing);
  tcase_add_test(found, threads_may_read_it_while_it_is_refreshed);
  if (__real_cgroup_mount() != NULL && own_path(own, sizeof(own)))
    tcase_add_test(found, own_group_is_found_in_the_real_hierarchy);
  else
    check_skip(suite, "own_group_is_found_in_the_real_hierarchy",
               "no cgroup v2 hierarchy is mounted, or this process has no "
               "group in it",
               nothing_to_do);
  tcase_set_timeout(found, 120);
  suite_add_tcase(suite, found);

  TCase *empty = tcase_create("empty");
  tcase_add_checked_fixture(empty, start_empty, end);
  tcase_add_loop_test(
      empty, after_each_change_the_tree_is_what_the_directories_are, 0, 2);
  tcase_add_test(empty, of_too_many_those_near_the_root_are_known);
  bool real = make_real();
  if (real)
    tcase_add_test(
        empty,
        the_kernel_tells_what_changes_and_no_watch_outlives_its_directory);
  else
    check_skip(
        suite,
        "the_kernel_tells_what_changes_and_no_watch_outlives_its_directory",
        "no cgroup v2 hierarchy is mounted where this user may write",
        nothing_to_do);
  tcase_set_timeout(empty, 120);
  suite_add_tcase(suite, empty);

  TCase *mount = tcase_create("cgroup_mount");
  if (access("/proc/self/mountinfo", R_OK) == 0)
    tcase_add_test(mount, mount_is_where_mountinfo_has_it);
  else
    check_skip(suite, "mount_is_where_mountinfo_has_it",
               "/proc/self/mountinfo cannot be read", nothing_to_do);
  suite_add_tcase(suite, mount);
  int status = check_main(suite);
  if (real)
    rmdir(real_group);
  return status;
}
