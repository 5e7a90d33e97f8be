/* SPDX-License-Identifier: MIT */
/* What tests/faults/faults.c adds to plugin_host.c in the program faulty_host;
 * in plugin_host itself these are not there (NULL). */
#ifndef TCPSTATES_FAULTS_H
#define TCPSTATES_FAULTS_H

#include <stdbool.h>

/* Sets what is to fail from now on, and counts calls from 0 again: "ROLE CALL
 * POSITION HOW", or "ROLE" for nothing. ROLE is a word for who reads the
 * report. */
void faults_plan(const char *line) __attribute__((weak));

/* The plugin runs, or no longer: only its own calls count and fail. */
void faults_arm(bool arm) __attribute__((weak));

/* Prints the plan, what has failed by it, how often each call was made, and how
 * much memory is allocated, in lines that begin with "#". */
void faults_report(void) __attribute__((weak));

#endif
