/* SPDX-License-Identifier: MIT */
/* config_value.c: names of services, whatever this machine's /etc/services has.
 * The functions below __wrap_ take the place of the C library's. */
#include "config.h"

#include "check_main.h"
#include "oconfig_tree.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static struct settings settings;
static struct config_error error;
static bool have_file, have_services;
static int lookups;

int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode) {
  ck_assert_str_eq(path, "/etc/services");
  ck_assert_int_eq(mode, F_OK);
  if (have_file)
    return 0;
  errno = ENOENT;
  return -1;
}

static struct sockaddr_in address;
static struct addrinfo info = {.ai_addr = (void *)&address,
                               .ai_addrlen = sizeof(address)};

int __wrap_getaddrinfo(const char *node, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *node, const char *service,
                       const struct addrinfo *hints, struct addrinfo **out) {
  static const struct {
    const char *name;
    uint16_t port;
  } services[] = {{"https", 443}, {"9pfs", 564}, {"3com-tsmux", 106}};
  ck_assert_ptr_null(node);
  ck_assert_int_eq(hints->ai_socktype, SOCK_STREAM);
  lookups++;
  for (int i = 0; i < CASES(services) && have_services; i++)
    if (strcmp(services[i].name, service) == 0) {
      address = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_port = htons(services[i].port)};
      *out = &info;
      return 0;
    }
  return EAI_SERVICE;
}

void __wrap_freeaddrinfo(struct addrinfo *found);
void __wrap_freeaddrinfo(struct addrinfo *found) {
  ck_assert_ptr_eq(found, &info);
}

static void set_up(void) {
  settings_init(&settings);
  have_file = have_services = true;
  lookups = 0;
}
static void tear_down(void) { settings_free(&settings); }

static int configure(const char *service) {
  char text[64];
  snprintf(text, sizeof(text), "%s", service);
  oconfig_item_t option = OPTION("LocalPort", ANY_TEXT(text));
  const oconfig_item_t block = {
      .key = option.key, .children = &option, .children_num = 1};
  return config_block(&settings, &block, &error);
}

static const struct {
  const char *service;
  const char *group;
} names[] = {
    {"https", "443-local"}, {"9pfs", "564-local"}, {"3com-tsmux", "106-local"}};

START_TEST(a_name_is_that_of_a_service_whatever_its_first_character_is) {
  ck_assert_int_eq(configure(names[_i].service), 0);
  ck_assert_uint_eq(settings.groups_num, 1);
  ck_assert_str_eq(settings.groups[0].name, names[_i].group);
}
END_TEST

START_TEST(a_name_may_come_from_elsewhere_than_the_file) {
  have_file = false;
  ck_assert_int_eq(configure("https"), 0);
  ck_assert_str_eq(settings.groups[0].name, "443-local");
}
END_TEST

START_TEST(where_there_is_no_file_the_line_says_so) {
  have_file = have_services = false;
  ck_assert_int_eq(configure("https"), -EINVAL);
  ck_assert_str_eq(error.text,
                   "LocalPort \"https\": /etc/services: no such file (Debian: "
                   "netbase); write a number");
  have_file = true;
  ck_assert_int_eq(configure("https"), -EINVAL);
  ck_assert_str_eq(error.text,
                   "LocalPort \"https\": no TCP service of this name in "
                   "/etc/services; write a number from 1 to 65535, a service "
                   "name or a quoted range such as \"8000-8099\"");
}
END_TEST

START_TEST(what_has_no_letter_is_not_looked_up) {
  static const char *const texts[] = {"", " 80", "80 ", "+80", "-", "80-81-82"};
  for (int i = 0; i < CASES(texts); i++)
    ck_assert_int_eq(configure(texts[i]), -EINVAL);
  ck_assert_int_eq(lookups, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config_services");
  TCase *tcase = tcase_create("config_services");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_loop_test(
      tcase, a_name_is_that_of_a_service_whatever_its_first_character_is, 0,
      CASES(names));
  tcase_add_test(tcase, a_name_may_come_from_elsewhere_than_the_file);
  tcase_add_test(tcase, where_there_is_no_file_the_line_says_so);
  tcase_add_test(tcase, what_has_no_letter_is_not_looked_up);
  suite_add_tcase(suite, tcase);
  return check_main(suite);
}
