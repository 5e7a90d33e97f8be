/* SPDX-License-Identifier: MIT */
/* In place of the collectd daemon: loads one plugin, configures and
 * reads it, and checks or measures it. */
#include "host.h"

#include "faults.h"
#include "syscall_filter.h"

#include <getopt.h>

struct options options = {
    .types_db = "/usr/share/collectd/types.db",
    .reads = 1,
    .warmup = 1,
};

/* Waits until an interval has passed, as in collectd since the last read began.
 */
static void await_interval(struct timespec begun) {
  int64_t ns = begun.tv_nsec + (int64_t)(options.interval * 1e9);
  begun.tv_sec += (time_t)(ns / 1000000000);
  begun.tv_nsec = (long)(ns % 1000000000);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begun, NULL) == EINTR)
    continue;
}

static bool printed_read(uint64_t shown, uint64_t number, bool warmup,
                         struct measurement *m) {
  check_values(options.values);
  if (options.values)
    printf("read %" PRIu64 "\n", shown);
  int status = perform_read(number, warmup, m);
  if (options.values && status != 0)
    printf("read %" PRIu64 " returned %d\n", shown, status);
  check_values(false);
  return status == 0;
}

static bool reads_by_number(struct measurement *m) {
  uint64_t warmup = options.measure ? options.warmup : 0;
  bool good = true;
  struct timespec begun;
  for (uint64_t i = 0; i < warmup + options.reads; i++) {
    if (i > 0 && options.interval > 0)
      await_interval(begun);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    if (i < warmup)
      good &= perform_read(i, true, m) == 0;
    else
      good &= printed_read(i - warmup + 1, i, false, m);
  }
  return good;
}

static void report_faults(void) {
  faults_report();
  printf("# open %" PRIu64 " threads %" PRIu64 "\n", open_fds(), threads());
}

static bool reads_by_line(struct measurement *m) {
  uint64_t warmup = options.measure ? options.warmup : 0;
  bool good = true;
  char *line = NULL;
  size_t capacity = 0;
  for (uint64_t i = 0; getline(&line, &capacity, stdin) >= 0; i++) {
    if (faults_plan != NULL)
      faults_plan(line);
    good &= printed_read(i + 1, i, i < warmup, m);
    if (faults_report != NULL)
      report_faults();
    puts("done");
    fflush(stdout);
  }
  free(line);
  return good;
}

static const char usage[] =
    "usage: plugin_host [OPTIONS] PLUGIN.so\n"
    "  --config FILE      give the plugin its <Plugin> blocks of FILE\n"
    "  --reads N          read N times (1)\n"
    "  --stdin            read once for each line of standard input, print "
    "the\n"
    "                     values and the line `done'\n"
    "  --interval SECONDS from one read to the next (0)\n"
    "  --values           print and check each value\n"
    "  --types-db FILE    with --values: the types "
    "(/usr/share/collectd/types.db)\n"
    "  --strict-time      with --values: a value must come with its time\n"
    "  --allow NAMES      from the first read, kill the process when it "
    "makes a\n"
    "                     system call that is not among these\n"
    "  --registrations    print what the plugin registers\n"
    "  --measure          print what the reads cost\n"
    "  --warmup N         with --measure: first read N times unmeasured (1)\n"
    "exit status: 0 all reads returned 0; 1 one did not; 2 usage; 3 the "
    "plugin\n"
    "did not load, configure or initialise; 4 a value violates the contract\n";

static bool parse_count(const char *text, uint64_t max, uint64_t *count) {
  uint64_t number = 0;
  if (*text == '\0')
    return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9')
      return false;
    unsigned int digit = (unsigned int)(*text - '0');
    if (number > (max - digit) / 10)
      return false;
    number = number * 10 + digit;
  }
  *count = number;
  return true;
}

static bool parse_seconds(const char *text, double *seconds) {
  char *end = NULL;
  double number = strtod(text, &end);
  if (end == text || *end != '\0' || !(number >= 0 && number <= 86400))
    return false;
  *seconds = number;
  return true;
}

static int bad_usage(const char *what, const char *text) {
  fprintf(stderr, "plugin_host: %s%s%s (try --help)\n", what,
          text[0] == '\0' ? "" : ": ", text);
  return EXIT_USAGE;
}

/* Returns 0, EXIT_USAGE, or -1 when help was asked for. */
static int parse_options(int argc, char **argv) {
  static const struct option names[] = {
      {.name = "config", .has_arg = required_argument, .val = 'c'},
      {.name = "reads", .has_arg = required_argument, .val = 'n'},
      {.name = "stdin", .val = 's'},
      {.name = "interval", .has_arg = required_argument, .val = 'i'},
      {.name = "values", .val = 'v'},
      {.name = "types-db", .has_arg = required_argument, .val = 't'},
      {.name = "strict-time", .val = 'T'},
      {.name = "allow", .has_arg = required_argument, .val = 'a'},
      {.name = "registrations", .val = 'r'},
      {.name = "measure", .val = 'm'},
      {.name = "warmup", .has_arg = required_argument, .val = 'w'},
      {.name = "help", .val = 'h'},
      {.name = NULL},
  };
  for (int option;
       (option = getopt_long(argc, argv, ":", names, NULL)) != -1;) {
    switch (option) {
    case 'c':
      options.config = optarg;
      break;
    case 'n':
      if (!parse_count(optarg, 1000000000, &options.reads))
        return bad_usage("--reads takes a number up to 1000000000", optarg);
      break;
    case 's':
      options.from_stdin = true;
      options.values = true;
      break;
    case 'i':
      if (!parse_seconds(optarg, &options.interval))
        return bad_usage("--interval takes seconds from 0 to 86400", optarg);
      break;
    case 'v':
      options.values = true;
      break;
    case 't':
      options.types_db = optarg;
      break;
    case 'T':
      options.strict_time = true;
      break;
    case 'a':
      options.allow = optarg;
      break;
    case 'r':
      options.registrations = true;
      break;
    case 'm':
      options.measure = true;
      break;
    case 'w':
      if (!parse_count(optarg, 1000000, &options.warmup))
        return bad_usage("--warmup takes a number up to 1000000", optarg);
      break;
    case 'h':
      fputs(usage, stdout);
      return -1;
    case ':':
      return bad_usage("this option takes a value", argv[optind - 1]);
    default:
      return bad_usage("unknown option", argv[optind - 1]);
    }
  }
  if (argc - optind != 1)
    return bad_usage("give exactly one PLUGIN.so", "");
  options.plugin = argv[optind];
  return 0;
}

static char *plugin_name(const char *path) {
  const char *slash = strrchr(path, '/');
  char *name = sstrdup(slash == NULL ? path : slash + 1);
  size_t length = strlen(name);
  if (length > 3 && strcmp(name + length - 3, ".so") == 0)
    name[length - 3] = '\0';
  return name;
}

static int run(char *name) {
  if (load(options.plugin, name) != 0)
    return EXIT_START_FAILED;
  if (options.config != NULL && configure(name) != 0)
    return EXIT_START_FAILED;
  if (initialise() != 0) {
    shut_down();
    return EXIT_START_FAILED;
  }
  if (!has_read())
    fprintf(stderr, "plugin_host: the plugin has no read callback\n");
  const char *unknown = "";
  int err = options.allow == NULL
                ? 0
                : syscall_filter_install(options.allow, &unknown);
  if (err != 0) {
    fprintf(stderr, "plugin_host: --allow: %s: %s\n", strerror(-err), unknown);
    shut_down();
    return EXIT_USAGE;
  }
  struct measurement m = {.cpu_ns = NULL};
  bool good = options.from_stdin ? reads_by_line(&m) : reads_by_number(&m);
  if (options.measure)
    print_measurement(&m);
  free(m.cpu_ns);
  shut_down();
  if (contract_violated())
    return EXIT_CONTRACT;
  return good ? 0 : EXIT_READ_FAILED;
}

int main(int argc, char **argv) {
  static char output[65536];
  setvbuf(stdout, output, _IOFBF, sizeof(output));
  int status = parse_options(argc, argv);
  if (status != 0)
    return status < 0 ? 0 : status;
  static char host_name[] = "localhost";
  hostname_g = host_name;
  if (options.interval > 0)
    interval_g = DOUBLE_TO_CDTIME_T(options.interval);
  if (options.values && read_types_db(options.types_db) != 0) {
    free_data_types();
    return EXIT_USAGE;
  }
  char *name = plugin_name(options.plugin);
  status = run(name);
  free(name);
  free_callbacks();
  free_data_types();
  return status;
}
