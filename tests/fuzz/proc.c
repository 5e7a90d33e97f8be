/* Fuzzes proc_text.c, number.c, process.c, notice.c and holders.c: texts that
 * the kernel and processes write, and what is said of them. The first byte says
 * what the others are; each result is compared with what the header says,
 * worked out in another way. The functions below __wrap_ take the place of the
 * C library's, for a /proc made of bytes.
 */
#include "fuzz.h"

#include "notice.h"
#include "proc_file.h"
#include "proc_text.h"
#include "process.h"
#include "socket_random.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

const char fuzz_target[] = "proc";

#define UNTOUCHED (-77)

/* Is it a number of at most max, a text of digits without leading zeros? */
static bool model_number(const char *word, size_t len, const char *max,
                         uint64_t *out) {
  if (len == 0 || strspn(word, "0123456789") < len)
    return false;
  for (; len > 1 && *word == '0'; len--)
    word++;
  size_t max_len = strlen(max);
  if (len > max_len || (len == max_len && memcmp(word, max, len) > 0))
    return false;
  char digits[32];
  snprintf(digits, sizeof(digits), "%.*s", (int)len, word);
  *out = strtoull(digits, NULL, 10);
  return true;
}

#define INT64_MAX_TEXT "9223372036854775807"
#define UINT32_MAX_TEXT "4294967295"

/* Splits the line at blanks. Returns the number of words, at most max. */
static size_t split(char *line, char **words, size_t max) {
  size_t num = 0;
  for (char *word; (word = strsep(&line, " \t")) != NULL;)
    if (*word != '\0' && num < max)
      words[num++] = word;
  return num;
}

#define WORDS_MAX 2048

static int model_sockstat(const char *text, const char *label,
                          const char *const *keys, int64_t *values) {
  const char *line = text;
  while (strncmp(line, label, strlen(label)) != 0) {
    line = strchr(line, '\n');
    if (line == NULL)
      return -ENODATA;
    line++;
  }
  const char *end = strchr(line, '\n');
  char *copy =
      strndup(line + strlen(label), strcspn(line, "\n") - strlen(label));
  char *words[WORDS_MAX];
  NEED(copy != NULL, "no memory");
  size_t num = split(copy, words, WORDS_MAX);
  int err = end == NULL || num % 2 != 0 ? -EBADMSG : 0;
  for (size_t i = 0; i + 1 < num && err == 0; i += 2) {
    uint64_t number;
    if (!model_number(words[i + 1], strlen(words[i + 1]), INT64_MAX_TEXT,
                      &number))
      err = -EBADMSG;
    for (size_t j = 0; keys[j] != NULL && err == 0; j++)
      if (strcmp(keys[j], words[i]) == 0)
        values[j] = (int64_t)number;
  }
  free(copy);
  return err;
}

static void fuzz_sockstat(const char *text) {
  static const char *const keys[] = {"inuse", "orphan", "tw",
                                     "alloc", "mem",    NULL};
  struct proc_sockstat s = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED,
                            UNTOUCHED};
  int64_t want[5] = {-1, -1, -1, -1, -1};
  int err = model_sockstat(text, "TCP:", keys, want);
  if (err != 0)
    for (size_t i = 0; i < 5; i++)
      want[i] = UNTOUCHED;
  int is = proc_text_sockstat(text, &s);
  NEED(is == err, "%d, not %d", is, err);
  NEED(s.inuse == want[0] && s.orphan == want[1] && s.tw == want[2] &&
           s.alloc == want[3] && s.mem == want[4],
       "another number");
}

static void fuzz_sockstat6(const char *text) {
  static const char *const keys[] = {"inuse", NULL};
  int64_t inuse = UNTOUCHED, want = -1;
  int err = model_sockstat(text, "TCP6:", keys, &want);
  int is = proc_text_sockstat6(text, &inuse);
  NEED(is == err, "%d, not %d", is, err);
  NEED(inuse == (err == 0 ? want : UNTOUCHED), "%lld", (long long)inuse);
}

static void fuzz_sysctl(const char *text, size_t num) {
  int64_t want[3], out[4] = {UNTOUCHED, UNTOUCHED, UNTOUCHED, UNTOUCHED};
  char *copy = strdup(text);
  NEED(copy != NULL, "no memory");
  size_t len = strlen(copy);
  bool whole = len > 0 && copy[len - 1] == '\n';
  if (whole)
    copy[len - 1] = '\0';
  char *words[5] = {NULL};
  size_t found = split(copy, words, 5);
  bool good = whole && found == num && num <= 3;
  for (size_t i = 0; i < num && good; i++) {
    uint64_t number = 0;
    good = model_number(words[i], strlen(words[i]), INT64_MAX_TEXT, &number);
    want[i] = (int64_t)number;
  }
  int is = proc_text_sysctl(text, out, num);
  NEED(is == (good ? 0 : -EBADMSG), "%d", is);
  for (size_t i = 0; i < 4; i++)
    NEED(out[i] == (good && i < num ? want[i] : UNTOUCHED), "number %zu", i);
  free(copy);
}

static void fuzz_release(const char *text, unsigned major, unsigned minor) {
  size_t first = strspn(text, "0123456789");
  uint64_t a, b;
  bool good =
      model_number(text, first, UINT32_MAX_TEXT, &a) && text[first] == '.' &&
      model_number(text + first + 1, strspn(text + first + 1, "0123456789"),
                   UINT32_MAX_TEXT, &b);
  int want = -EBADMSG;
  if (good)
    want = a > major || (a == major && b >= minor);
  int is = proc_text_release_at_least(text, major, minor);
  NEED(is == want, "%s: %d, not %d", text, is, want);
}

/* A /proc of the bytes: NUL-terminated texts, "P" and the name of a directory,
 * then for that one "C" and its comm, "L" and the target of a link in its fd.
 */
#define PROC "/a/fake/proc"
#define LINES_MAX 64

static struct fake_dir {
  bool used;
  bool process; /* it is the fd of lines[next - 1] */
  size_t next;
  struct dirent entry;
} dirs[2];

static struct {
  bool active;
  const char *lines[LINES_MAX];
  size_t num;
} proc;

/* The line of the process whose name is name[0..len); num: there is none. */
static size_t find_process(const char *name, size_t len) {
  for (size_t i = 0; i < proc.num; i++)
    if (proc.lines[i][0] == 'P' && strlen(proc.lines[i] + 1) == len &&
        strncmp(proc.lines[i] + 1, name, len) == 0)
      return i;
  return proc.num;
}

/* The process of the path PROC "/NAME" and the rest. */
static size_t find_path(const char *path, const char *rest) {
  size_t start = strlen(PROC "/"), len = strlen(path), tail = strlen(rest);
  NEED(len >= start + tail && strncmp(path, PROC "/", start) == 0 &&
           strcmp(path + len - tail, rest) == 0,
       "%s", path);
  return find_process(path + start, len - tail - start);
}

static const char *find_comm(size_t process) {
  for (size_t i = process + 1; i < proc.num && proc.lines[i][0] != 'P'; i++)
    if (proc.lines[i][0] == 'C')
      return proc.lines[i] + 1;
  return NULL;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path) {
  if (!proc.active)
    return __real_opendir(path);
  bool process = strcmp(path, PROC) != 0;
  size_t line = process ? find_path(path, "/fd") : 0;
  errno = ENOENT;
  if (line == proc.num)
    return NULL;
  struct fake_dir *dir = &dirs[process];
  NEED(!dir->used, "%s is open", path);
  *dir = (struct fake_dir){
      .used = true, .process = process, .next = process ? line + 1 : 0};
  return (void *)dir;
}

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir) {
  if (!proc.active)
    return __real_readdir(dir);
  struct fake_dir *fake = (void *)dir;
  while (fake->next < proc.num) {
    const char *line = proc.lines[fake->next++];
    if (fake->process && line[0] == 'P')
      break;
    if (line[0] != (fake->process ? 'L' : 'P'))
      continue;
    if (fake->process)
      snprintf(fake->entry.d_name, sizeof(fake->entry.d_name), "%zu",
               fake->next - 1);
    else
      snprintf(fake->entry.d_name, sizeof(fake->entry.d_name), "%s", line + 1);
    return &fake->entry;
  }
  fake->next = proc.num;
  return NULL;
}

int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_closedir(DIR *dir) {
  if (!proc.active)
    return __real_closedir(dir);
  struct fake_dir *fake = (void *)dir;
  NEED(fake->used, "closed twice");
  fake->used = false;
  return 0;
}

int __wrap_dirfd(DIR *dir);
int __wrap_dirfd(DIR *dir) {
  NEED(proc.active && ((struct fake_dir *)(void *)dir)->process, "dirfd");
  return -4711;
}

ssize_t __wrap_readlinkat(int fd, const char *name, char *buf, size_t size);
ssize_t __wrap_readlinkat(int fd, const char *name, char *buf, size_t size) {
  NEED(fd == -4711, "%d", fd);
  const char *link = proc.lines[strtoul(name, NULL, 10)] + 1;
  size_t len = strlen(link);
  errno = EACCES;
  if (len == 0)
    return -1;
  len = len < size ? len : size;
  memcpy(buf, link, len);
  return (ssize_t)len;
}

int __wrap_proc_file_read(const char *path, char *buf, size_t size);
int __wrap_proc_file_read(const char *path, char *buf, size_t size) {
  size_t process = find_path(path, "/comm");
  const char *comm = process < proc.num ? find_comm(process) : NULL;
  buf[0] = '\0';
  if (comm == NULL || strlen(comm) >= size)
    return comm == NULL ? -ENOENT : -EFBIG;
  snprintf(buf, size, "%s", comm);
  return 0;
}

/* Has the process of this line a socket? */
static bool model_holds(size_t line, const uint32_t *inodes, size_t num) {
  for (size_t i = line + 1; i < proc.num && proc.lines[i][0] != 'P'; i++)
    for (size_t j = 0; j < num && proc.lines[i][0] == 'L'; j++) {
      char want[32];
      snprintf(want, sizeof(want), "Lsocket:[%u]", inodes[j]);
      if (inodes[j] != 0 && strcmp(proc.lines[i], want) == 0)
        return true;
    }
  return false;
}

/* All of them that fit, each whole. */
static void model_find(const uint32_t *inodes, size_t num, char *buf,
                       size_t size) {
  size_t len = 0;
  buf[0] = '\0';
  for (size_t i = 0; i < proc.num; i++) {
    const char *name = proc.lines[i] + 1;
    if (proc.lines[i][0] != 'P' || strchr("123456789", name[0]) == NULL ||
        name[0] == '\0')
      continue;
    /* No process has a number of more than 20 digits. */
    size_t process = find_process(name, strnlen(name, 20));
    const char *comm = process < proc.num ? find_comm(process) : NULL;
    if (comm == NULL || strlen(comm) >= 64 ||
        !model_holds(process, inodes, num))
      continue;
    char entry[512];
    int more =
        snprintf(entry, sizeof(entry), "%s%.*s[%s]", len == 0 ? "" : ", ",
                 (int)strcspn(comm, "\n"), comm, name);
    if (len + (size_t)more >= size)
      return;
    memcpy(buf + len, entry, (size_t)more + 1);
    len += (size_t)more;
  }
}

static void fuzz_process(const uint8_t *data, size_t size, size_t buf_size) {
  static const uint32_t inodes[] = {1, 0, 10, UINT32_MAX};
  char *text = strndup((const char *)data, size);
  char *all = malloc(size + 1), *buf = malloc(buf_size), want[512];
  NEED(text != NULL && all != NULL && buf != NULL, "no memory");
  if (size > 0)
    memcpy(all, data, size);
  all[size] = '\0';
  proc.num = 0;
  for (size_t pos = 0; pos < size && proc.num < LINES_MAX;
       pos += strlen(all + pos) + 1)
    /* A name is no longer than this. */
    if (all[pos] != '\0' && strlen(all + pos) <= 256)
      proc.lines[proc.num++] = all + pos;
  memset(buf, '#', buf_size);
  proc.active = true;
  process_find(PROC, inodes, 4, buf, buf_size);
  proc.active = false;
  NEED(!dirs[0].used && !dirs[1].used, "a directory is left open");
  model_find(inodes, 4, want, buf_size);
  NEED(strcmp(buf, want) == 0, "%s, not %s", buf, want);
  free(buf);
  free(all);
  free(text);
}

/* The text for a person, of whatever processes and control groups are called.
 */
static void fuzz_notice(const uint8_t *data, size_t size) {
  struct random_source source = random_bytes(data, size);
  struct holder holder[NOTICE_HOLDERS];
  const struct holder *holders[NOTICE_HOLDERS];
  const char *paths[NOTICE_HOLDERS];
  char text[NOTICE_HOLDERS + 1][256];
  for (size_t i = 0; i <= NOTICE_HOLDERS; i++) {
    size_t len = random_below(&source, 256);
    static const char often[] = "/0123456789abcdefg.-";
    for (size_t j = 0; j < len; j++) {
      unsigned c = random_below(&source, 256);
      text[i][j] = c % 4 != 0 ? often[c / 4 % (sizeof(often) - 1)] : (char)c;
    }
    text[i][len] = '\0';
  }
  for (size_t i = 0; i < NOTICE_HOLDERS; i++) {
    holder[i] = (struct holder){
        .num = random_below(&source, UINT32_MAX),
        .local = random_below(&source, 2),
        .port = (uint16_t)random_below(&source, UINT16_MAX + 1)};
    holders[i] = &holder[i];
    paths[i] = random_below(&source, 4) == 0 ? NULL : text[i];
  }
  const struct notice_stuck what = {
      .state = random_below(&source, 2) ? TCP_FIN_WAIT2 : TCP_CLOSE_WAIT,
      .num = random_below(&source, UINT32_MAX),
      .after = random_below(&source, INT32_MAX),
      .oldest = 1e-3 * random_below(&source, UINT32_MAX),
      .holders = holders,
      .holders_num = random_below(&source, NOTICE_HOLDERS + 1),
      .paths = paths,
      .processes = text[NOTICE_HOLDERS]};
  char *buf = malloc(NOTICE_TEXT_SIZE), start[64];
  NEED(buf != NULL, "no memory");
  memset(buf, '#', NOTICE_TEXT_SIZE);
  notice_text_stuck(buf, NOTICE_TEXT_SIZE, &what);
  size_t len = strnlen(buf, NOTICE_TEXT_SIZE);
  NEED(len < NOTICE_TEXT_SIZE, "no end");
  snprintf(start, sizeof(start), "%" PRIu64 " socket%s ", what.num,
           what.num == 1 ? "" : "s");
  NEED(strncmp(buf, start, strlen(start)) == 0, "%s", buf);
  /* It says what that means, whatever was left out. */
  const char *end = what.state == TCP_FIN_WAIT2 ? "and not closed the socket."
                                                : "and no timeout ends that.";
  NEED(len > strlen(end) && strcmp(buf + len - strlen(end), end) == 0, "%s",
       buf);
  notice_text_over(buf, NOTICE_TEXT_SIZE, what.state, what.num, holder[0].num);
  len = strnlen(buf, NOTICE_TEXT_SIZE);
  NEED(len < NOTICE_TEXT_SIZE && buf[len - 1] == '.', "%.256s", buf);
  free(buf);
}

/* It speaks in the second read in a row, once, and when it is over. */
static void fuzz_notices(const uint8_t *data, size_t size, uint32_t limit) {
  struct notice notice = {.reads = 0};
  bool said = false;
  for (size_t i = 0; i < size; i++) {
    enum notice_event want = NOTICE_NONE;
    if (data[i] < limit && said)
      want = NOTICE_OVER;
    if (data[i] >= limit && !said && i > 0 && data[i - 1] >= limit)
      want = NOTICE_STUCK;
    said = want == NOTICE_STUCK || (said && want != NOTICE_OVER);
    enum notice_event is = notice_update(&notice, data[i], limit);
    NEED(is == want, "read %zu: %d, not %d", i, is, want);
  }
}

#define SOCKETS_MAX 700

static bool same_holder(const struct holder *holder,
                        const struct diag_socket *socket) {
  bool local = socket->local_port < socket->remote_port;
  return holder->state == socket->state && holder->local == local &&
         holder->port == (local ? socket->local_port : socket->remote_port) &&
         holder->cgroup_id == socket->cgroup_id;
}

#define PORTS 256
#define CGROUPS 4

/* How many holders these have. */
static size_t count_holders(const struct diag_socket *sockets, size_t num,
                            uint8_t state) {
  bool seen[2][PORTS][CGROUPS] = {{{false}}};
  size_t holders = 0;
  for (size_t i = 0; i < num; i++) {
    uint16_t local = sockets[i].local_port, remote = sockets[i].remote_port;
    bool *is = &seen[local < remote][local < remote ? local : remote]
                    [sockets[i].cgroup_id];
    holders += sockets[i].state == state && !*is;
    *is = *is || sockets[i].state == state;
  }
  return holders;
}

/* No more holders than there is room for, and each with all its sockets. */
static void fuzz_holders(const uint8_t *data, size_t size) {
  static struct holders holders;
  static struct diag_socket sockets[SOCKETS_MAX];
  struct random_source source = random_bytes(data, size);
  holders = (struct holders){.holder = {{.num = 0}}};
  size_t num = random_below(&source, SOCKETS_MAX + 1);
  unsigned ports = random_below(&source, PORTS) + 1;
  for (size_t i = 0; i < num; i++) {
    sockets[i] = (struct diag_socket){
        .state = random_below(&source, 4) ? TCP_CLOSE_WAIT : TCP_FIN_WAIT2,
        .local_port = (uint16_t)random_below(&source, ports),
        .remote_port = (uint16_t)random_below(&source, ports),
        .inode = random_below(&source, 4),
        .cgroup_id = random_below(&source, CGROUPS)};
    holders_add(&holders, &sockets[i]);
  }
  const struct holder *top[HOLDERS_NUM];
  size_t found = holders_top(&holders, TCP_CLOSE_WAIT, top, HOLDERS_NUM);
  const struct holder *other[HOLDERS_NUM];
  size_t others = holders_top(&holders, TCP_FIN_WAIT2, other, HOLDERS_NUM);
  size_t kinds = count_holders(sockets, num, TCP_CLOSE_WAIT);
  size_t other_kinds = count_holders(sockets, num, TCP_FIN_WAIT2);
  if (kinds + other_kinds <= HOLDERS_NUM)
    NEED(found == kinds && others == other_kinds, "%zu of %zu, %zu of %zu",
         found, kinds, others, other_kinds);
  else
    NEED(found + others == HOLDERS_NUM, "%zu and %zu", found, others);
  for (size_t i = 0; i < found; i += i < NOTICE_PROCESSES ? 1 : 50) {
    uint32_t want = 0;
    for (size_t j = 0; j < num; j++)
      want += same_holder(top[i], &sockets[j]);
    NEED(top[i]->num == want, "holder %zu: %u sockets, not %u", i, top[i]->num,
         want);
    NEED(i == 0 || want <= top[i - 1]->num, "holder %zu", i);
  }
  /* Fewer of them are the first of these. */
  const struct holder *few[NOTICE_PROCESSES];
  size_t few_found = holders_top(&holders, TCP_CLOSE_WAIT, few, 5);
  NEED(few_found == (found < 5 ? found : 5), "%zu of %zu", few_found, found);
  for (size_t i = 0; i < few_found; i++)
    NEED(few[i]->num == top[i]->num, "holder %zu", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3)
    return 0;
  unsigned what = data[0] % 8, a = data[1], b = data[2];
  const uint8_t *rest = what == 0 || what == 1 ? data + 1 : data + 3;
  size -= (size_t)(rest - data);
  char *text = strndup((const char *)rest, size);
  NEED(text != NULL, "no memory");
  if (what == 0)
    fuzz_sockstat(text);
  if (what == 1)
    fuzz_sockstat6(text);
  if (what == 2)
    fuzz_sysctl(text, a % 5);
  if (what == 3)
    fuzz_release(text, a, b);
  if (what == 4)
    fuzz_process(rest, size, a + 1);
  if (what == 5)
    fuzz_notice(rest, size);
  if (what == 6)
    fuzz_notices(rest, size, a + 1);
  if (what == 7)
    fuzz_holders(rest, size);
  free(text);
  return 0;
}
