/* SPDX-License-Identifier: MIT */
/* service.c: what a control group's service is called. */
#include "service.h"

#include "check_main.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEX_16 "0123456789abcdef"
#define ID HEX_16 HEX_16 HEX_16 HEX_16
#define UID "3f8a2c1e-7b4d-4e6f-9a0b-1c2d3e4f5a6b"
#define UID_ "3f8a2c1e_7b4d_4e6f_9a0b_1c2d3e4f5a6b"
#define LONG_48 "ghijklmnopghijklmnopghijklmnopghijklmnopghijklmn"
#define LONG_60 "ghijklmnopghijklmnopghijklmnopghijklmnopghijklmnopghijklmnop"

static const struct {
  const char *path;
  const char *name;
} names[] = {
    {"/", "root"},
    {"", "root"},
    {"//", "root"},
    /* systemd */
    {"/system.slice/nginx.service", "nginx.service"},
    {"/system.slice/nginx.service/worker", "nginx.service"},
    {"/system.slice/system-getty.slice/getty@tty1.service",
     "getty@tty1.service"},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
     "user@1000.service"},
    {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
    {"/init.scope", "init.scope"},
    {"/user.slice", "user.slice"},
    {"/system.slice/system-x.slice", "system-x.slice"},
    {"/system.slice/.service", ".service"},
    {"/system.slice/service", "service"},
    {"/system.slice/dev\\x2ddisk.service", "dev\\x2ddisk.service"},
    /* containers, systemd's layout */
    {"/system.slice/docker-" ID ".scope", "docker-0123456789ab"},
    {"/machine.slice/libpod-" ID ".scope/container", "libpod-0123456789ab"},
    {"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-0123456789ab"},
    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
     ".slice/cri-containerd-" ID ".scope",
     "cri-containerd-0123456789ab"},
    /* the uid of a static pod is a hash */
    {"/kubepods.slice/kubepods-pod" HEX_16 HEX_16 ".slice/crio-" ID ".scope",
     "crio-0123456789ab"},
    {"/machine.slice/machine-web.scope/payload/system.slice/nginx.service",
     "machine-web.scope"},
    {"/machine.slice/systemd-nspawn@web.service/payload/init.scope",
     "systemd-nspawn@web.service"},
    /* a unit that is called by an id stays one */
    {"/system.slice/" ID ".service", "0123456789ab.service"},
    /* containers, cgroupfs's layout */
    {"/docker/" ID, "0123456789ab"},
    {"/kubepods/burstable/pod" UID "/" ID, "0123456789ab"},
    {"/kubepods/pod" HEX_16 HEX_16 "/" ID, "0123456789ab"},
    {"/kubepods/burstable/pod" UID, "pod" UID},
    {"/libpod_parent/libpod-" ID, "libpod-0123456789ab"},
    {"/lxc/web", "web"},
    {"/lxc.payload.web", "lxc.payload.web"},
    /* systemd in a container: the container counts */
    {"/docker/" ID "/system.slice/nginx.service", "0123456789ab"},
    {"/docker/" ID "/init.scope", "0123456789ab"},
    {"/docker/" ID "/docker/fedcba9876543210" HEX_16, "0123456789ab"},
    {"/lxc/web/system.slice/nginx.service", "web"},
    {"/lxc.payload.web/system.slice/nginx.service", "lxc.payload.web"},
    {"/system.slice/docker-" ID ".scope/system.slice/nginx.service",
     "docker-0123456789ab"},
    /* what is an id */
    {"/x/" HEX_16 "0123456789abcde", HEX_16 "0123456789abcde"},
    {"/x/" HEX_16 HEX_16, "0123456789ab"},
    {"/x/" HEX_16 HEX_16 "0/y", "0123456789ab"},
    {"/x/" HEX_16 "-" HEX_16 "/y", "y"},
    {"/x/a-" ID "-b-" ID "-z", "a-0123456789ab-b-0123456789ab-z"},
    /* hostile names */
    {"/a\nb\r\x01\x7f\xc3\xb6", "a_b_____"},
    {"/a\tb.service", "a_b.service"},
    {"/all@blue", "all_blue"},
    {"/all", "cgroup-all"},
    {"/machine", "cgroup-machine"},
    {"/other", "cgroup-other"},
    {"/root", "cgroup-root"},
    {"/443-local", "cgroup-443-local"},
    {"/8000-8099-remote", "cgroup-8000-8099-remote"},
    {"/x-local", "x-local"},
    {"/local", "local"},
    {"/allowed", "allowed"},
    /* 63 characters */
    {"/" LONG_60 "123", LONG_60 "123"},
    {"/" ID LONG_48 "123", "0123456789ab" LONG_48 "123"},
};

START_TEST(service_is_the_outermost_unit_or_container) {
  char name[SERVICE_NAME_SIZE];
  memset(name, '#', sizeof(name));
  service_name(name, names[_i].path);
  ck_assert_ptr_nonnull(memchr(name, '\0', sizeof(name)));
  ck_assert_msg(strcmp(name, names[_i].name) == 0, "%s: %s, not %s",
                names[_i].path, name, names[_i].name);
}
END_TEST

/* Longer than a name may be: each is another service. */
static const char *const too_long[] = {
    "/" LONG_60 "1234",
    "/" LONG_60 "1235",
    "/" LONG_60 "123.service",
    "/" LONG_60 LONG_60 "a.service",
    "/" LONG_60 LONG_60 "b.service",
    "/" LONG_60 "-a-" ID ".scope",
    "/" LONG_60 "-b-" ID ".scope",
    "/system.slice/" LONG_60 "@a.service",
    "/system.slice/" LONG_60 "@b.service",
    "/" LONG_60 "\n12a",
    "/" LONG_60 "\n12b",
};

START_TEST(long_names_stay_different) {
  for (size_t i = 0; i < CASES(too_long); i++) {
    char name[SERVICE_NAME_SIZE], other[SERVICE_NAME_SIZE], inner[300];
    service_name(name, too_long[i]);
    ck_assert_uint_eq(strlen(name), SERVICE_NAME_SIZE - 1);
    /* Where it begins people can read what it is. */
    ck_assert_int_eq(
        strncmp(name, strstr(too_long[i], LONG_48), strlen(LONG_48)), 0);
    for (size_t j = 0; j < i; j++) {
      service_name(other, too_long[j]);
      ck_assert_msg(strcmp(name, other) != 0, "%s and %s: both are %s",
                    too_long[i], too_long[j], name);
    }
    /* It is the same in each read, wherever the rest of the path leads. */
    snprintf(inner, sizeof(inner), "/x.slice%s", too_long[i]);
    service_name(other, inner);
    ck_assert_str_eq(other, name);
    ck_assert(!service_may_be(name));
  }
  /* The digits of an id that are not shown make no other name. */
  char one[SERVICE_NAME_SIZE], two[SERVICE_NAME_SIZE];
  service_name(one, "/" LONG_60 "-" HEX_16 HEX_16 ".scope");
  service_name(two, "/" LONG_60 "-" ID ".scope");
  ck_assert_str_eq(one, two);
}
END_TEST

START_TEST(name_is_printable_and_never_one_of_ours) {
  static const char letters[] = "/@.-0a\n\x80 lxcservicescopelocalremote";
  unsigned seed = 1;
  for (int i = 0; i < 20000; i++) {
    char path[200];
    size_t len = (size_t)rand_r(&seed) % sizeof(path);
    for (size_t j = 0; j < len; j++)
      path[j] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
    path[len == 0 ? 0 : len - 1] = '\0';
    char name[SERVICE_NAME_SIZE];
    service_name(name, path);
    bool plain = name[0] != '\0' && strcmp(name, "all") != 0;
    for (const char *c = name; *c != '\0'; c++)
      plain = plain && *c >= ' ' && *c <= '~' && *c != '/';
    ck_assert_msg(plain, "%s", name);
  }
}
END_TEST

static const struct {
  const char *path;
  const char *container; /* "": it is none */
} containers[] = {
    {"/", ""},
    {"", ""},
    {"/system.slice/nginx.service", ""},
    {"/system.slice/nginx.service/x.scope", ""},
    {"/user.slice/user-1000.slice/user@1000.service/docker-" ID ".scope", ""},
    {"/user.slice", ""},
    {"/system.slice/" ID ".service", ""},
    {"/kubepods/pod" HEX_16 HEX_16, ""},
    {"/system.slice/docker-" ID ".scope", "/system.slice/docker-" ID ".scope"},
    {"/docker/" ID, "/docker/" ID},
    {"/docker/" ID "/init.scope", "/docker/" ID},
    {"/docker/" ID "/docker/" ID, "/docker/" ID},
    {"//docker//" ID "//x", "//docker//" ID},
    {"/kubepods/pod" HEX_16 HEX_16 "/" ID,
     "/kubepods/pod" HEX_16 HEX_16 "/" ID},
    {"/lxc/web/init.scope", "/lxc/web"},
    {"/lxc.payload.web/init.scope", "/lxc.payload.web"},
    {"/machine.slice/machine-web.scope/payload/init.scope",
     "/machine.slice/machine-web.scope"},
    {"/init.scope", "/init.scope"},
};

START_TEST(service_container_ends_with_the_outermost_one) {
  size_t len = service_container(containers[_i].path);
  ck_assert_uint_eq(len, strlen(containers[_i].container));
  ck_assert_int_eq(strncmp(containers[_i].path, containers[_i].container, len),
                   0);
}
END_TEST

static const struct {
  const char *name;
  bool allowed;
} host_names[] = {
    {"web", true},
    {"web-7f9c.example.org", true},
    {"WEB_2", true},
    {"0123456789ab", true},
    {LONG_60 "123", true},
    {LONG_60 "1234", false},
    {"", false},
    {"(none)", false},
    {"localhost", false},
    {"a b", false},
    {"a@b", false},
    {"a/b", false},
    {"a\nb", false},
    {"w\xc3\xb6", false},
    {"all", false},
    {"machine", false},
    {"other", false},
    {"root", false},
    {"443-local", false},
    {"8000-8099-remote", false},
    {"db-local", true},
    {"nginx.service", false},
    {"docker-1.scope", false},
    {"user.slice", false},
};

START_TEST(service_may_be_what_a_host_can_be_called) {
  ck_assert_msg(service_may_be(host_names[_i].name) == host_names[_i].allowed,
                "%s", host_names[_i].name);
}
END_TEST

START_TEST(service_is_one_unless_it_is_another_group) {
  static const char *const ones[] = {"root", "nginx.service", "cgroup-all"};
  static const char *const others[] = {"all", "other", "machine", "443-local",
                                       "8000-8099-remote"};
  for (size_t i = 0; i < CASES(ones); i++)
    ck_assert_msg(service_is_one(ones[i]), "%s", ones[i]);
  for (size_t i = 0; i < CASES(others); i++)
    ck_assert_msg(!service_is_one(others[i]), "%s", others[i]);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("service");
  TCase *tc = tcase_create("service");
  tcase_add_loop_test(tc, service_is_the_outermost_unit_or_container, 0,
                      CASES(names));
  tcase_add_test(tc, long_names_stay_different);
  tcase_add_test(tc, name_is_printable_and_never_one_of_ours);
  tcase_add_loop_test(tc, service_container_ends_with_the_outermost_one, 0,
                      CASES(containers));
  tcase_add_loop_test(tc, service_may_be_what_a_host_can_be_called, 0,
                      CASES(host_names));
  tcase_add_test(tc, service_is_one_unless_it_is_another_group);
  suite_add_tcase(suite, tc);
  return check_main(suite);
}
