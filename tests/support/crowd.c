/* SPDX-License-Identifier: MIT */
/* Makes processes that wait, each with some descriptors, for the shell tests.
 * They end with the first one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "sockets.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Returns whether there are as many as wanted. */
static char open_descriptors(long num) {
  int null = open("/dev/null", O_RDONLY);
  for (long i = 1; i < num; i++)
    if (dup(null) < 0)
      return 'n';
  return null < 0 ? 'n' : 'y';
}

int main(int argc, char **argv) {
  long processes = argc == 3 ? atol(argv[1]) : 0;
  if (processes <= 0) {
    fputs("usage: crowd PROCESSES DESCRIPTORS\n"
          "Prints \"made\" when they are there.\n",
          stderr);
    return 2;
  }
  int pipes[2];
  pid_t parent = getpid();
  if (sockets_raise_limit() != 0 || pipe(pipes) != 0) {
    perror("crowd");
    return 1;
  }
  for (long i = 0; i < processes; i++) {
    pid_t pid = fork();
    if (pid < 0) {
      perror("fork");
      return 1;
    }
    if (pid > 0)
      continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
      return 1;
    char made = open_descriptors(atol(argv[2]));
    if (write(pipes[1], &made, 1) == 1)
      pause();
    return 1;
  }
  for (long i = 0; i < processes; i++) {
    char made;
    if (read(pipes[0], &made, 1) != 1 || made != 'y') {
      fputs("crowd: not so many descriptors\n", stderr);
      return 1;
    }
  }
  puts("made");
  fflush(stdout);
  pause();
  return 0;
}
