/* SPDX-License-Identifier: MIT */
/* Configuration trees as collectd's parser would make them, written as C:
 *   BLOCK("Plugin", OPTION("LocalPort", NUMBER(22), TEXT("http")),
 *         OPTION("ReportClosed", BOOLEAN(false)))
 * Each is an initialiser of an oconfig_item_t. Nothing is allocated: what is
 * written at file scope lives for ever, in a function as long as its block. */
#ifndef OCONFIG_TREE_H
#define OCONFIG_TREE_H

#include <liboconfig/oconfig.h>

/* The options that <Plugin> and <Namespace> both have, as the line that refuses
 * another one lists them. */
#define KNOWN_EVERYWHERE                                                       \
  "AllPortsSummary, ListeningPorts, LocalPort, RemotePort, Services, "         \
  "ServicesMax, ServiceNames, ReportByState, "                                 \
  "ReportClosed, ReportFinWait2, ReportOrphans, ReportFinTimeout, "            \
  "ReportLimits, ReportStuck, StuckAfter, NotifyStuck, NotifyProcesses, "      \
  "NotifyPeers, "                                                              \
  "ReportAcceptQueue, ReportEphemeralPorts, ReportUnhashed, NotifyUnhashed, "  \
  "Counting, Filter, "

/* The values of an option. TEXT takes a string literal, ANY_TEXT a char *. */
#define TEXT(string_)                                                          \
  { .value.string = (char[]){string_}, .type = OCONFIG_TYPE_STRING }
#define ANY_TEXT(string_)                                                      \
  { .value.string = (string_), .type = OCONFIG_TYPE_STRING }
#define NUMBER(number_)                                                        \
  { .value.number = (number_), .type = OCONFIG_TYPE_NUMBER }
#define BOOLEAN(boolean_)                                                      \
  { .value.boolean = (boolean_), .type = OCONFIG_TYPE_BOOLEAN }

#define TREE_ARRAY(type_, array_, ...)                                         \
  .array_ = (type_[]){__VA_ARGS__},                                            \
  .array_##_num = (int)(sizeof((type_[]){__VA_ARGS__}) / sizeof(type_))

/* A line "KEY VALUE VALUE ..."; there may be no value. */
#define OPTION(key_, ...)                                                      \
  { .key = (char[]){key_}, TREE_ARRAY(oconfig_value_t, values, __VA_ARGS__) }

/* "<KEY> ... </KEY>" around options and blocks; there may be none. */
#define BLOCK(key_, ...)                                                       \
  { .key = (char[]){key_}, TREE_ARRAY(oconfig_item_t, children, __VA_ARGS__) }

/* "<KEY VALUE> ... </KEY>" with one value. */
#define NAMED_BLOCK(key_, value_, ...)                                         \
  {                                                                            \
    .key = (char[]){key_}, .values = (oconfig_value_t[]){value_},              \
    .values_num = 1, TREE_ARRAY(oconfig_item_t, children, __VA_ARGS__)         \
  }

#endif
