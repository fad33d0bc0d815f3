/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Short hands for the tests of lib/route: addresses as text, a router of two
 * ports.
 *
 *   10.0.1.0/24 --[.1 port 0 "lan"]  router  [port 1 "wan" .1]-- 203.0.113.0/24
 */
#ifndef SHUNT_TESTS_UNIT_TEST_ROUTE_H
#define SHUNT_TESTS_UNIT_TEST_ROUTE_H

#include "route.h"
#include "unit.h"

enum {
	LAN,
	WAN,
	DMZ,
};

/** An address of either family from text; aborts on a bad one. */
union address addr(const char *text);
uint8_t family_of(const char *text);

/** Stage operations on text; they return what the library returns. */
int add_port(struct route *r, uint16_t port);
int add_address(struct route *r, uint16_t port, const char *address, uint8_t len);
int add_via(struct route *r, const char *dst, uint8_t len, const char *via, uint16_t port);
int add_dev(struct route *r, const char *dst, uint8_t len, uint16_t port);
int add_refusal(struct route *r, const char *dst, uint8_t len, enum route_type type);
int add_neighbour(struct route *r, uint16_t port, const char *address, uint8_t last);

/** Commit; the error text is in commit_err. */
extern char commit_err[ROUTE_ERR_LEN];
int commit(struct route *r);

/** Look up text. For IPv6 link-local, on port LAN. */
struct route_result look(const struct route *r, const char *dst);
/** The last byte of the destination MAC of the next hop; -1: unresolved, -2: gone. */
int mac_at(const struct route *r, uint16_t nexthop);

/** RCU with one worker offline, and a router with ports and addresses as drawn, committed. */
struct route *router(void);
void router_free(struct route *r);

extern CU_TestInfo fib_tests[];
extern CU_TestInfo source_tests[];

#endif
