/* SPDX-License-Identifier: MIT */
/* Fuzzes plan.c: whatever sockets and groups there are, in whatever sequence of
 * reads, what follows from its requests is what a count of all sockets gives.
 * plan_reader.c checks each read. */
#include "fuzz.h"

#include "plan_reader.h"
#include "socket_model.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>

const char fuzz_target[] = "plan";

#define THRESHOLD 20
#define READS_MAX 5

/* Outside of a test of the check library its assertions lead here. */
#if CHECK_MAJOR_VERSION > 0 || CHECK_MINOR_VERSION >= 15
void _ck_assert_failed(const char *file, int line, const char *expr,
                       const char *msg, ...) {
  va_list args;
  va_start(args, msg);
#else
void _ck_assert_failed(const char *file, int line, const char *expr, ...) {
  va_list args;
  va_start(args, expr);
  const char *msg = va_arg(args, const char *);
#endif
  fprintf(stderr, "%s:%d: %s: ", file, line, expr);
  if (msg != NULL)
    vfprintf(stderr, msg, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}

void _mark_point(const char *file, int line) {
  (void)file;
  (void)line;
}

static struct random_source source;
static struct reader reader;

#define PICK(array)                                                            \
  array[random_below(&source, sizeof(array) / sizeof(*(array)))]

/* Up to more of them than a program can hold; of most only one port can be left
 * out. Most sockets may have one. */
static void add_many_ports(void) {
  static const unsigned ends[] = {600, 3000, 8000};
  struct filter *filter = reader_add_group(&reader, "odd");
  if (random_below(&source, 2) == 0)
    *filter = random_filter(&source, &fake_pool);
  unsigned end = PICK(ends);
  reader.kernel.remote = random_below(&source, 3) == 1;
  if (!reader.kernel.remote || random_below(&source, 4) == 1)
    reader_add_odd_ports(&filter->local_ports, end);
  if (reader.kernel.remote)
    reader_add_odd_ports(&filter->remote_ports, end);
}

static void add_group(unsigned number) {
  if (random_below(&source, 128) / 8 == 0) {
    add_many_ports();
    return;
  }
  if (number == 0 && random_below(&source, 4) != 0) {
    reader_add_port(&reader, 443);
    return;
  }
  char name[24];
  snprintf(name, sizeof(name), "group %u", number);
  *reader_add_group(&reader, name) = random_filter(&source, &fake_pool);
}

static void change_listening(void) {
  uint16_t port = fake_pool.ports[random_below(&source, fake_pool.ports_num)];
  reader.listening.bits[port / 64] ^= UINT64_C(1) << port % 64;
}

static void change_cgroups(void) {
  for (size_t i = 0; i < reader.settings.groups_num; i++)
    random_ids(&reader.settings.groups[i].filter, &source, &fake_pool);
  NEED(model_index_cgroups(&reader.index) == 0, "no memory");
}

static void begin(void) {
  static const unsigned percents[] = {0, 20, 40, 80, 95, 97};
  static const unsigned reports[] = {
      REPORT_BY_STATE | REPORT_CLOSED | REPORT_FIN_WAIT2 | REPORT_ORPHANS,
      REPORT_BY_STATE, REPORT_FIN_WAIT2 | REPORT_ORPHANS,
      REPORT_BY_STATE | REPORT_CLOSED | REPORT_STUCK, REPORT_STUCK};
  static const uint32_t others[] = {0, 0, 300, 100000, UINT32_MAX};
  reader = (struct reader){.plan.threshold = THRESHOLD};
  reader.kernel.common = PICK(percents);
  reader.kernel.server = PICK(percents);
  reader.kernel.others = PICK(others);
  for (unsigned i = random_below(&source, READER_GROUPS_MAX + 1); i > 0; i--)
    add_group(i - 1);
  for (unsigned i = random_below(&source, 3); i > 0; i--)
    change_listening();
  reader_begin(&reader, random_below(&source, 2) == 0);
  reader.settings.report = PICK(reports);
  reader.settings.notify_stuck = random_below(&source, 4) == 0;
  reader.task.states = settings_states(&reader.settings);
  reader.task.dump = random_below(&source, 6) == 1;
  reader.task.all_aged = reader.settings.notify_stuck > 0;
  reader.task.destinations = reader.task.all_aged;
  reader.kernel.stuck_after = random_below(&source, 256) * 16;
  reader.plan.no_bytecode = random_below(&source, 10) == 1;
}

static void change(void) {
  static const unsigned percents[] = {0, 5, 30, 100};
  static const unsigned sizes[] = {5, 30, 60, 60, 100};
  size_t num = reader.kernel.num;
  if (num == 0 || random_below(&source, 3) == 0)
    num = random_below(&source, PICK(sizes));
  unsigned percent = PICK(percents);
  fake_kernel_change(&reader.kernel, &source, num, percent);
  if (random_below(&source, 3) == 0)
    change_listening();
  if (random_below(&source, 5) == 0)
    change_cgroups();
  unsigned what = random_below(&source, 16);
  if (what == 1)
    reader.plan.no_bytecode = true;
  if (what == 2 || what == 3)
    reader.kernel.port = what == 2 ? 599 : 443;
}

/* The sums are right, or not known, or off by what has changed between the two
 * readings. Returns whether they are right as far as they are known. */
static bool make_sums(struct plan_sums *sums) {
  *sums = fake_kernel_sums(&reader.kernel);
  int64_t *number = random_below(&source, 3) == 0   ? &sums->inuse
                    : random_below(&source, 2) == 0 ? &sums->inuse6
                                                    : &sums->tw;
  unsigned what = random_below(&source, 16);
  if (what == 1)
    *number = -1;
  if (what == 2)
    *number = random_below(&source, 200);
  if (what == 3)
    *number = (int64_t)UINT32_MAX + random_below(&source, 200);
  return what != 2 && what != 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source = random_bytes(data, size);
  begin();
  for (unsigned i = random_below(&source, READS_MAX) + 1; i > 0; i--) {
    const struct plan_sums before = fake_kernel_sums(&reader.kernel);
    change();
    reader.task.info =
        settings_need_ages(&reader.settings) && random_below(&source, 4) != 1;
    struct plan_sums sums;
    bool right = make_sums(&sums);
    /* What the plan is made from may be older. */
    bool early = random_below(&source, 4) == 1 && plan_sums_known(&sums);
    reader.early = early ? &before : NULL;
    unsigned fail = random_below(&source, 64);
    reader.allocations = 0;
    reader.fail_at = fail < 12 ? fail + 1 : 0;
    int err = reader_read(&reader, &sums);
    NEED((err == -ENOMEM) ==
             (reader.fail_at > 0 && reader.allocations >= reader.fail_at),
         "%d", err);
    if (err == -ENOMEM)
      continue;
    if (right && !(early && reader.plan.empty))
      reader_check_counts(&reader);
  }
  reader_free(&reader);
  return 0;
}
