/* SPDX-License-Identifier: MIT */
/* Measures reads: CPU time, memory, allocations, descriptors and threads. */
#include "host.h"

#include <stdatomic.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define COUNT_MALLOC 0
#endif
#endif
#if !defined(COUNT_MALLOC)
#ifdef __GLIBC__
#define COUNT_MALLOC 1
#else
#define COUNT_MALLOC 0
#endif
#endif

static atomic_uint_fast64_t malloc_count;

#if COUNT_MALLOC
/* glibc's own names of its allocator: free() takes what they return, and stays
 * glibc's. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t num, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_malloc(size);
}

void *calloc(size_t num, size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_calloc(num, size);
}

void *realloc(void *old, size_t size) {
  atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
  return __libc_realloc(old, size);
}
#endif

static uint64_t process_cpu_ns(void) {
  struct timespec now = {.tv_sec = 0};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Returns the KiB of one line of proc_pid_status(5), 0 if there is none. */
static uint64_t status_kib(const char *key) {
  FILE *file = fopen("/proc/self/status", "re");
  if (file == NULL)
    return 0;
  uint64_t kib = 0;
  char line[256];
  size_t length = strlen(key);
  while (fgets(line, sizeof(line), file) != NULL) {
    if (strncmp(line, key, length) == 0 && line[length] == ':') {
      kib = strtoull(line + length + 1, NULL, 10);
      break;
    }
  }
  fclose(file);
  return kib;
}

/* A thread that has been joined may be counted for another moment. */
uint64_t threads(void) {
  for (int tries = 0; status_kib("Threads") > 1 && tries < 5000; tries++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return status_kib("Threads");
}

uint64_t open_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL)
    return 0;
  uint64_t num = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
    num += entry->d_name[0] != '.';
  closedir(dir);
  return num - 1;
}

static void add_cpu_time(struct measurement *m, uint64_t ns) {
  if (m->num == m->capacity) {
    size_t capacity = m->capacity == 0 ? 1024 : 2 * m->capacity;
    uint64_t *grown = realloc(m->cpu_ns, capacity * sizeof(*grown));
    if (grown == NULL) {
      fprintf(stderr, "plugin_host: out of memory\n");
      exit(EXIT_START_FAILED);
    }
    m->cpu_ns = grown;
    m->capacity = capacity;
  }
  m->cpu_ns[m->num++] = ns;
}

int perform_read(uint64_t number, bool warmup, struct measurement *m) {
  begin_values();
  uint64_t values = count_values();
  uint64_t mallocs = atomic_load(&malloc_count);
  uint64_t start = process_cpu_ns();
  int status = call_reads();
  uint64_t cpu_ns = process_cpu_ns() - start;
  /* The first two reads may still allocate what all others reuse. */
  if (number >= 2) {
    m->mallocs += atomic_load(&malloc_count) - mallocs;
    m->malloc_reads++;
  }
  if (!warmup) {
    m->values += count_values() - values;
    add_cpu_time(m, cpu_ns);
  }
  if (options.measure && number == 0) {
    m->rss_kib_first = status_kib("VmRSS");
    m->open_fds_first = open_fds();
  }
  return status;
}

static int compare_numbers(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a;
  uint64_t right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

void print_measurement(struct measurement *m) {
  uint64_t median = 0;
  uint64_t min = 0;
  uint64_t sum = 0;
  for (size_t i = 0; i < m->num; i++)
    sum += m->cpu_ns[i];
  if (m->num > 0) {
    qsort(m->cpu_ns, m->num, sizeof(*m->cpu_ns), compare_numbers);
    median = (m->cpu_ns[(m->num - 1) / 2] + m->cpu_ns[m->num / 2]) / 2;
    min = m->cpu_ns[0];
  }
  printf("reads %zu\n", m->num);
  printf("cpu_ns_per_read_median %" PRIu64 "\n", median);
  printf("cpu_ns_per_read_mean %" PRIu64 "\n", m->num > 0 ? sum / m->num : 0);
  printf("cpu_ns_per_read_min %" PRIu64 "\n", min);
  printf("values_per_read %.10g\n",
         m->num > 0 ? (double)m->values / (double)m->num : 0);
  printf("peak_rss_kib %" PRIu64 "\n", status_kib("VmHWM"));
  printf("rss_kib_after_first %" PRIu64 "\n", m->rss_kib_first);
  printf("rss_kib_after_last %" PRIu64 "\n", status_kib("VmRSS"));
  printf("open_fds_after_first %" PRIu64 "\n", m->open_fds_first);
  printf("open_fds_after_last %" PRIu64 "\n", open_fds());
  printf("threads_after_last %" PRIu64 "\n", threads());
  if (COUNT_MALLOC && m->malloc_reads > 0)
    printf("mallocs_per_read %.10g\n",
           (double)m->mallocs / (double)m->malloc_reads);
  else
    printf("mallocs_per_read unknown\n");
}
