/* SPDX-License-Identifier: MIT */
/* Fuzzes proc_text.c, mountinfo.c, number.c, process.c, service.c, notice.c,
 * alarm.c, holders.c and hitters.c: texts that the kernel and processes write,
 * and what is said of them. The first byte says what the others are; each
 * result is compared with what the header says, worked out in another way. The
 * functions below __wrap_ take the place of the C library's, for a /proc made
 * of bytes.
 */
#include "fuzz.h"

#include "mountinfo.h"
#include "notice.h"
#include "proc_file.h"
#include "proc_text.h"
#include "proc_walk.h"
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

static void fuzz_port_range(const char *text) {
  int64_t numbers[2] = {0, 0};
  struct port_range range = {7, 8};
  bool good = proc_text_sysctl(text, numbers, 2) == 0 && numbers[0] > 0 &&
              numbers[0] <= numbers[1] && numbers[1] < PORTS_NUM;
  int is = proc_text_port_range(text, &range);
  NEED(is == (good ? 0 : -EBADMSG), "%d", is);
  NEED(range.first == (good ? numbers[0] : 7) &&
           range.last == (good ? numbers[1] : 8),
       "%u to %u", range.first, range.last);
}

/* Of words between commas, each of one or two numbers between dashes. */
static void fuzz_port_list(const char *text) {
  static struct port_bitmap is, want;
  memset(&want, 0, sizeof(want));
  char *copy = strdup(text), *rest = copy;
  NEED(copy != NULL, "no memory");
  size_t len = strlen(copy);
  bool good = len > 0 && copy[len - 1] == '\n';
  if (good)
    copy[len - 1] = '\0';
  while (good && len > 1 && rest != NULL) {
    char *last = strsep(&rest, ","), *first = strsep(&last, "-");
    uint64_t from = 0, to = 0;
    last = last == NULL ? first : last;
    good = model_number(first, strlen(first), "65535", &from) &&
           model_number(last, strlen(last), "65535", &to) && from <= to;
    for (uint64_t port = from; good && port <= to; port++)
      port_bitmap_add(&want, (uint16_t)port);
  }
  int err = proc_text_port_list(text, &is);
  NEED(err == (good ? 0 : -EBADMSG), "%s: %d", text, err);
  NEED(err != 0 || memcmp(&is, &want, sizeof(is)) == 0, "%s: other ports",
       text);
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
 * then for that one "C" and its comm, "G" and its cgroup, "L" and the target of
 * a link in its fd. */
#define PROC "/a/fake/proc"
#define LINES_MAX 64

/* The fd of a process. */
static struct fake_dir {
  bool used;
  size_t next; /* line */
  struct dirent entry;
} fds;

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

static const char *find_line(size_t process, char kind) {
  for (size_t i = process + 1; i < proc.num && proc.lines[i][0] != 'P'; i++)
    if (proc.lines[i][0] == kind)
      return proc.lines[i] + 1;
  return NULL;
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path) {
  if (!proc.active)
    return __real_opendir(path);
  size_t line = find_path(path, "/fd");
  errno = ENOENT;
  if (line == proc.num)
    return NULL;
  NEED(!fds.used, "%s is open", path);
  fds = (struct fake_dir){.used = true, .next = line + 1};
  return (void *)&fds;
}

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir) {
  if (!proc.active)
    return __real_readdir(dir);
  for (; fds.next < proc.num && proc.lines[fds.next][0] != 'P'; fds.next++)
    if (proc.lines[fds.next][0] == 'L') {
      snprintf(fds.entry.d_name, sizeof(fds.entry.d_name), "%zu", fds.next++);
      return &fds.entry;
    }
  return NULL;
}

/* With 64-bit offsets it is called so. */
struct dirent *__wrap_readdir64(DIR *dir);
struct dirent *__wrap_readdir64(DIR *dir) {
  return __wrap_readdir(dir);
}

int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);
int __wrap_closedir(DIR *dir) {
  if (!proc.active)
    return __real_closedir(dir);
  NEED(fds.used, "closed twice");
  fds.used = false;
  return 0;
}

int __wrap_dirfd(DIR *dir);
int __wrap_dirfd(DIR *dir) {
  NEED(proc.active && dir == (void *)&fds, "dirfd");
  return -4711;
}

ssize_t __wrap_readlinkat(int fd, const char *name, char *buf, size_t size);
ssize_t __wrap_readlinkat(int fd, const char *name, char *buf, size_t size) {
  NEED(fd == -4711, "%d", fd);
  const char *link = proc.lines[strtoul(name, NULL, 10)] + 1;
  size_t len = strlen(link);
  /* It has been closed meanwhile. */
  errno = ENOENT;
  if (len == 0)
    return -1;
  len = len < size ? len : size;
  memcpy(buf, link, len);
  return (ssize_t)len;
}

int __wrap_proc_file_read(const char *path, char *buf, size_t size);
int __wrap_proc_file_read(const char *path, char *buf, size_t size) {
  bool comm = strcmp(path + strlen(path) - strlen("/comm"), "/comm") == 0;
  size_t process = find_path(path, comm ? "/comm" : "/cgroup");
  const char *text =
      process < proc.num ? find_line(process, comm ? 'C' : 'G') : NULL;
  buf[0] = '\0';
  if (text == NULL || strlen(text) >= size)
    return text == NULL ? -ENOENT : -EFBIG;
  snprintf(buf, size, "%s", text);
  return 0;
}

static bool model_pid(const char *name, uint64_t *pid) {
  return model_number(name, strlen(name), "2147483647", pid) && *pid > 0;
}

int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data);
int __wrap_proc_walk(const char *path, proc_walk_cb cb, void *data) {
  NEED(strcmp(path, PROC) == 0, "%s", path);
  int err = proc.num == 0 ? -ENOENT : 0;
  uint64_t pid;
  for (size_t i = 0; err == 0 && i < proc.num; i++)
    if (proc.lines[i][0] == 'P' && model_pid(proc.lines[i] + 1, &pid))
      err = cb((uint32_t)pid, data);
  return err;
}

/* What is looked for: of the first holder, and of the second. */
static const uint32_t wanted[2][2] = {{1, 10}, {10, UINT32_MAX}};
#define LISTENER 7 /* of the second */

static bool model_has(size_t line, uint32_t inode) {
  char want[32];
  snprintf(want, sizeof(want), "Lsocket:[%u]", inode);
  for (size_t i = line + 1; i < proc.num && proc.lines[i][0] != 'P'; i++) {
    const char *link = proc.lines[i];
    /* A number may have zeros before it. */
    size_t zeros =
        strncmp(link, "Lsocket:[", 9) == 0 ? strspn(link + 9, "0") : 0;
    char plain[512];
    snprintf(plain, sizeof(plain), "%.9s%s", link,
             strlen(link) < 9 ? "" : link + 9 + zeros);
    /* No link is longer. */
    if (link[0] == 'L' && strlen(link + 1) <= 64 && strcmp(plain, want) == 0)
      return true;
  }
  return false;
}

/* The process of the entry, by the number that its name is; num: none. */
static size_t model_process(const char *name) {
  uint64_t pid;
  if (!model_pid(name, &pid))
    return proc.num;
  char plain[32];
  int len = snprintf(plain, sizeof(plain), "%u", (unsigned)pid);
  return find_process(plain, (size_t)len);
}

static void check_found(const struct processes *found, unsigned holder) {
  uint32_t num = 0, most = 0;
  for (size_t i = 0; i < proc.num; i++) {
    if (proc.lines[i][0] != 'P')
      continue;
    size_t process = model_process(proc.lines[i] + 1);
    if (process == proc.num)
      continue;
    uint32_t has = 0;
    for (size_t j = 0; j < 2; j++)
      has += model_has(process, wanted[holder][j]);
    bool listens = holder == 1 && model_has(process, LISTENER);
    num += has > 0 || listens;
    most = has > most ? has : most;
  }
  /* What is there twice under one number is read twice, and has the same. */
  NEED(found->num <= num && (found->num > 0) == (num > 0), "%u, not %u",
       found->num, num);
  NEED(found->top_num == (found->num < PROCESS_TOP ? found->num : PROCESS_TOP),
       "%zu of %u", found->top_num, found->num);
  NEED(found->top_num == 0 || found->top[0].num == most, "%u, not %u",
       found->top[0].num, most);
  for (size_t i = 0; i < found->top_num; i++) {
    const struct process *process = &found->top[i];
    NEED(i == 0 || process->num <= process[-1].num, "process %zu", i);
    for (const char *c = process->command; *c != '\0'; c++)
      NEED(*c >= ' ' && *c <= '~', "%s", process->command);
  }
}

static void fuzz_process(const uint8_t *data, size_t size) {
  char *all = malloc(size + 1);
  struct process_sockets sockets;
  NEED(all != NULL && process_sockets_init(&sockets) == 0, "no memory");
  if (size > 0)
    memcpy(all, data, size);
  all[size] = '\0';
  proc.num = 0;
  for (size_t pos = 0; pos < size && proc.num < LINES_MAX;
       pos += strlen(all + pos) + 1)
    /* A name is no longer than this. */
    if (all[pos] != '\0' && strlen(all + pos) <= 256)
      proc.lines[proc.num++] = all + pos;
  for (unsigned holder = 0; holder < 2; holder++)
    for (size_t i = 0; i < 2; i++)
      process_sockets_add(&sockets, wanted[holder][i], holder, false);
  process_sockets_add(&sockets, LISTENER, 1, true);
  process_sockets_add(&sockets, 0, 1, false);
  struct processes found[2];
  proc.active = true;
  struct process_search search = process_find(PROC, &sockets, found, 2);
  proc.active = false;
  NEED(!fds.used, "a directory is left open");
  NEED(search.error == (proc.num == 0 ? -ENOENT : 0) && search.complete, "%d",
       search.error);
  check_found(&found[0], 0);
  check_found(&found[1], 1);
  process_sockets_free(&sockets);
  free(all);
}

static void fuzz_service(const char *text) {
  char name[SERVICE_NAME_SIZE];
  memset(name, '#', sizeof(name));
  service_name(name, text);
  size_t len = strnlen(name, sizeof(name));
  NEED(len > 0 && len < sizeof(name), "%zu", len);
  for (const char *c = name; *c != '\0'; c++)
    NEED(*c >= ' ' && *c <= '~' && *c != '/', "%s", name);
  NEED(strcmp(name, "all") != 0 && strcmp(name, "machine") != 0, "%s", name);
}

static void random_text(struct random_source *source, char *text, size_t size) {
  size_t len = random_below(source, size);
  for (size_t i = 0; i < len; i++)
    text[i] = (char)(1 + random_below(source, 255));
  text[len] = '\0';
}

static void random_ranking(struct random_source *source,
                           struct ranking *ranking) {
  size_t num = random_below(source, 60);
  for (size_t i = 0; i < num; i++)
    ranking_add(ranking,
                &(struct ranked){.port = (uint16_t)random_below(source, 40),
                                 .local = random_below(source, 2)});
  ranking_sort(ranking);
  NEED(ranking->num <= RANKING_NUM && ranking->missed <= num / RANKING_NUM,
       "%zu, %u missed", ranking->num, ranking->missed);
}

/* The text for a person, of whatever processes and control groups are called.
 */
static void fuzz_notice(const uint8_t *data, size_t size) {
  static const uint8_t states[] = {TCP_FIN_WAIT1, TCP_FIN_WAIT2,
                                   TCP_CLOSE_WAIT};
  struct random_source source = random_bytes(data, size);
  struct evidence evidence = {
      .everyone = random_below(&source, 4) == 0,
      .holder = {.service = random_below(&source, 2),
                 .port = (uint16_t)random_below(&source, UINT16_MAX + 1),
                 .local = random_below(&source, 2),
                 .state = states[random_below(&source, 3)],
                 .num = random_below(&source, UINT32_MAX),
                 .unaccepted = random_below(&source, 3),
                 .oldest = random_below(&source, UINT32_MAX)},
      .at_least = random_below(&source, 2),
      .after = random_below(&source, INT32_MAX),
      .searched = random_below(&source, 2),
      .complete = random_below(&source, 2),
  };
  random_text(&source, evidence.name, sizeof(evidence.name));
  random_text(&source, evidence.cgroup, sizeof(evidence.cgroup));
  random_ranking(&source, &evidence.ports);
  random_ranking(&source, &evidence.peers);
  struct processes *processes = &evidence.processes;
  processes->top_num = random_below(&source, PROCESS_TOP + 1);
  processes->num = (uint32_t)processes->top_num + random_below(&source, 2);
  for (size_t i = 0; i < processes->top_num; i++) {
    struct process *process = &processes->top[i];
    *process = (struct process){.pid = random_below(&source, INT32_MAX),
                                .num = random_below(&source, UINT32_MAX),
                                .listens = random_below(&source, 2)};
    random_text(&source, process->command, sizeof(process->command));
    random_text(&source, process->service, sizeof(process->service));
  }
  struct notice *notice = malloc(sizeof(*notice));
  NEED(notice != NULL, "no memory");
  memset(notice, '#', sizeof(*notice));
  notice_warning(notice, &evidence);
  size_t len = strnlen(notice->text, sizeof(notice->text));
  NEED(len < sizeof(notice->text) && notice->text[len - 1] == '.', "%.256s",
       notice->text);
  char head[32];
  snprintf(head, sizeof(head), "%s%u socket",
           evidence.at_least ? "At least " : "", evidence.holder.num);
  NEED(strncmp(notice->text, head, strlen(head)) == 0, "%s", notice->text);
  for (const char *c = notice->text; *c != '\0'; c++)
    NEED(*c >= ' ' && *c <= '~', "%s", notice->text);
  NEED(notice->meta_num >= 4 && notice->meta_num <= NOTICE_META_NUM, "%zu",
       notice->meta_num);
  for (size_t i = 0; i < notice->meta_num; i++)
    for (const char *c = notice->meta[i].value; *c != '\0'; c++)
      NEED(*c >= ' ' && *c <= '~' &&
               c < notice->values + sizeof(notice->values),
           "%s", notice->meta[i].value);
  free(notice);
}

/* It speaks in the second read in a row, at each doubling, and in the second
 * read in a row with less than half. */
static void fuzz_alarm(const uint8_t *data, size_t size, uint32_t limit) {
  struct alarm alarm = {.said = 0};
  uint32_t said = 0;
  for (size_t i = 0; i < size; i++) {
    enum alarm_event want = ALARM_NONE;
    bool twice = i > 0;
    if (said == 0 && twice && data[i] >= limit && data[i - 1] >= limit)
      want = ALARM_WARNING;
    else if (said > 0 && data[i] >= 2 * said)
      want = ALARM_WARNING;
    else if (said > 0 && 2 * data[i] < limit && 2 * data[i - 1] < limit)
      want = ALARM_OKAY;
    enum alarm_event is = alarm_update(&alarm, data[i], data[i], limit);
    NEED(is == want, "read %zu: %d, not %d", i, is, want);
    if (want != ALARM_NONE)
      alarm_said(&alarm, want, data[i]);
    said = want == ALARM_WARNING ? data[i] : want == ALARM_OKAY ? 0 : said;
  }
}

#define SOCKETS_MAX 3000
#define SERVICES 1000

/* Each holder's number is right except for what is missed, and that is bounded.
 */
static void fuzz_holders(const uint8_t *data, size_t size) {
  static struct holders holders;
  static uint32_t truth[SERVICES];
  struct random_source source = random_bytes(data, size);
  memset(truth, 0, sizeof(truth));
  holders_reset(&holders);
  uint32_t num = random_below(&source, SOCKETS_MAX + 1);
  unsigned services = random_below(&source, SERVICES) + 1;
  for (uint32_t i = 0; i < num; i++) {
    unsigned service = random_below(&source, services);
    /* Half of them are of one in ten. */
    if (random_below(&source, 2) == 0)
      service /= 10;
    truth[service]++;
    const struct holder whose = {.service = service + 1,
                                 .state = TCP_CLOSE_WAIT};
    holders_add(&holders, &whose, service, service % 2);
  }
  NEED(holders.missed <= num / (HOLDERS_NUM + 1), "%u missed of %u",
       holders.missed, num);
  NEED(holders.total[TCP_CLOSE_WAIT].num == num, "%u, not %u",
       holders.total[TCP_CLOSE_WAIT].num, num);
  for (size_t i = 0; i < holders.num; i++) {
    const struct holder *holder = &holders.holder[i];
    uint32_t *want = &truth[holder->service - 1];
    NEED(holder->num > 0 && holder->num <= *want &&
             *want <= holder->num + holders.missed,
         "%u, not %u", holder->num, *want);
    NEED(holder->unaccepted == ((holder->service - 1) % 2 ? holder->num : 0),
         "%u", holder->unaccepted);
    *want = 0;
  }
  for (size_t i = 0; i < SERVICES; i++)
    NEED(truth[i] <= holders.missed, "%u are missing", truth[i]);
}

/* "1 2 0:4 net:[7] /run/netns/a ..." */
static int model_mountinfo(char *line, uint64_t *inode, char *path,
                           size_t size) {
  char *words[5] = {NULL};
  for (size_t i = 0; i < 5 && line != NULL; i++)
    words[i] = strsep(&line, " ");
  if (words[4] == NULL || words[4][0] == '\0')
    return -EBADMSG;
  size_t len = strlen(words[3]);
  if (len < 7 || strncmp(words[3], "net:[", 5) != 0 || words[3][len - 1] != ']')
    return 0;
  words[3][len - 1] = '\0';
  uint64_t number;
  if (!model_number(words[3] + 5, len - 6, "18446744073709551615", &number))
    return 0;
  size_t to = 0;
  for (const char *c = words[4]; *c != '\0'; c++) {
    unsigned octal;
    bool escaped = c[0] == '\\' && c[1] >= '0' && c[1] <= '3' &&
                   strspn(c + 1, "01234567") >= 3;
    if (to + 1 >= size)
      return -ENAMETOOLONG;
    path[to] = *c;
    if (escaped && sscanf(c + 1, "%3o", &octal) == 1) {
      path[to] = (char)octal;
      c += 3;
    }
    to++;
  }
  path[to] = '\0';
  *inode = number;
  return 1;
}

static void fuzz_mountinfo(const char *text) {
  char path[40] = "", expected_path[40] = "";
  uint64_t inode = 0, expected_inode = 0;
  char *copy = strdup(text);
  NEED(copy != NULL, "no memory");
  int result = mountinfo_netns(text, strlen(text), &inode, path, sizeof(path));
  int expected = model_mountinfo(copy, &expected_inode, expected_path,
                                 sizeof(expected_path));
  free(copy);
  NEED(result == expected, "%d, not %d", result, expected);
  NEED(inode == expected_inode, "%" PRIu64 ", not %" PRIu64, inode,
       expected_inode);
  NEED(result != 1 || strcmp(path, expected_path) == 0, "%s, not %s", path,
       expected_path);
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
  fuzz_service(text);
  fuzz_mountinfo(text);
  fuzz_port_range(text);
  fuzz_port_list(text);
  if (what == 4)
    fuzz_process(rest, size);
  if (what == 5)
    fuzz_notice(rest, size);
  if (what == 6)
    fuzz_alarm(rest, size, a + 1);
  if (what == 7)
    fuzz_holders(rest, size);
  free(text);
  return 0;
}
