/* SPDX-License-Identifier: MIT */
/* The name of the service or container that a control group belongs to. */
#ifndef TCPSTATES_SERVICE_H
#define TCPSTATES_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest name has 63 characters. */
#define SERVICE_NAME_SIZE 64

/* Writes the name of the service whose control group has this path, absolute
 * within the hierarchy:
 *
 *   /system.slice/nginx.service          nginx.service
 *   /user.slice/user-7.slice/user@7.service/app.slice/a.scope
 *                                        user@7.service
 *   /system.slice/docker-ID.scope        docker-1a2b3c4d5e6f
 *   /docker/ID/system.slice/a.service    1a2b3c4d5e6f
 *   /lxc/web/system.slice/a.service      web
 *   /user.slice                          user.slice
 *   /                                    root
 *
 * The outermost service, scope or container counts: what is inside, its
 * services as well, can be named by anybody who was given it. Where there is
 * none it is the last component. A container's id is cut to 12 digits, as
 * container tools print it. Only ' ' to '~' are left as they are, and "@" only
 * in the names of services and scopes; all else becomes "_". Of a longer name
 * the first 54 characters are left, and then "~" and a hash of all of it
 * follow: two that differ in the end are two services. A name that a group of
 * ours has ("all", "443-local") gets "cgroup-" in front. */
void service_name(char name[SERVICE_NAME_SIZE], const char *path);

/* How much of the path leads to the container, or another scope, that
 * service_name() names. 0: it names no such one. Services are none: a host name
 * of their own (ProtectHostname=) is that of the machine, perhaps an old one.
 */
size_t service_container(const char *path);

/* Is a group of this name a service's, if it is no Filter's? "other" is none.
 */
bool service_is_one(const char *name);

/* May a container call itself so? Only a host name's characters, and 63 of
 * them, can be in it. It is none that says nothing ("localhost"), none of a
 * group of ours, and none that looks like a unit of systemd. */
bool service_may_be(const char *name);

#endif
