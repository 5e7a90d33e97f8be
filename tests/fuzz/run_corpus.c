/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target without a fuzzer: over the files of its corpus, one test
 * each (TAP), or over the files and directories that are named. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_SIZE 4096

static int files_num;

static void die(const char *path) {
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  exit(EXIT_FAILURE);
}

static void run_file(const char *path, const char *name, size_t size) {
  /* Not a byte more than there is: ASan watches its end. */
  uint8_t *data = malloc(size + (size == 0));
  FILE *file = fopen(path, "rbe");
  if (data == NULL || file == NULL || fread(data, 1, size, file) != size)
    die(path);
  fclose(file);
  /* Should it not come back, this line tells where it was. */
  printf("# %s/%s\n", fuzz_target, name);
  fflush(stdout);
  LLVMFuzzerTestOneInput(data, size);
  printf("ok %d - %s/%s\n", ++files_num, fuzz_target, name);
  free(data);
}

static void run(const char *path, const char *name) {
  struct stat stat;
  if (lstat(path, &stat) != 0)
    die(path);
  if (!S_ISDIR(stat.st_mode)) {
    run_file(path, name, (size_t)stat.st_size);
    return;
  }
  struct dirent **entries;
  int num = scandir(path, &entries, NULL, alphasort);
  if (num < 0)
    die(path);
  for (int i = 0; i < num; i++) {
    char below[PATH_SIZE];
    int len = snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
    if (len >= PATH_SIZE)
      die(path);
    if (entries[i]->d_name[0] != '.')
      run(below, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    run(argv[i], argv[i]);
  if (argc == 1) {
    const char *srcdir = getenv("srcdir");
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
             srcdir == NULL ? "." : srcdir, fuzz_target);
    run(path, fuzz_target);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok %d - %s: no bytes at all\n", ++files_num, fuzz_target);
  }
  printf("1..%d\n", files_num);
  return files_num > 1 || argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
