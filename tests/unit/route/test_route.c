/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char commit_err[ROUTE_ERR_LEN];

union address
addr(const char *text)
{
	union address a = {0};

	if (inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text, &a) != 1)
		abort();
	return a;
}

uint8_t
family_of(const char *text)
{
	return strchr(text, ':') != NULL ? FAMILY_IPV6 : FAMILY_IPV4;
}

int
add_port(struct route *r, uint16_t port)
{
	struct route_port info = {{0x02, 0, 0, 0, 0, (uint8_t)(port + 1)}, 1500};

	return route_set_port(r, port, &info);
}

int
add_address(struct route *r, uint16_t port, const char *address, uint8_t len)
{
	struct route_address a = {
		.port = port, .family = family_of(address), .len = len, .address = addr(address)};

	return route_add_address(r, &a);
}

static int
add_entry(
	struct route *r, const char *dst, uint8_t len, uint8_t type, const char *via, uint16_t port)
{
	struct route_entry e = {
		.family = family_of(dst), .len = len, .type = type, .port = port, .dst = addr(dst)};

	if (via != NULL) {
		e.has_via = true;
		e.via = addr(via);
	}
	return route_add(r, &e);
}

int
add_via(struct route *r, const char *dst, uint8_t len, const char *via, uint16_t port)
{
	return add_entry(r, dst, len, ROUTE_UNICAST, via, port);
}

int
add_dev(struct route *r, const char *dst, uint8_t len, uint16_t port)
{
	return add_entry(r, dst, len, ROUTE_UNICAST, NULL, port);
}

int
add_refusal(struct route *r, const char *dst, uint8_t len, enum route_type type)
{
	return add_entry(r, dst, len, type, NULL, PORT_NONE);
}

int
add_neighbour(struct route *r, uint16_t port, const char *address, uint8_t last)
{
	struct route_neighbour n = {.port = port,
		.family = family_of(address),
		.mac = {0x02, 0xff, 0, 0, 0, last},
		.address = addr(address)};

	return route_set_neighbour(r, &n);
}

int
commit(struct route *r)
{
	int ret = route_commit(r, NULL, commit_err);

	/* No worker runs: the table before is freed at once, so that a use of it shows. */
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	return ret;
}

struct route_result
look(const struct route *r, const char *dst)
{
	union address a = addr(dst);

	if (family_of(dst) == FAMILY_IPV4)
		return route_lookup4(route_current(r), a.v4);
	return route_lookup6(route_current(r), LAN, &a);
}

int
mac_at(const struct route *r, uint16_t nexthop)
{
	const struct route_nexthop *nh;

	if (nexthop >= route_current(r)->nexthop_count)
		return -2;
	nh = route_nexthop(route_current(r), nexthop);
	if (!(nh->flags & ROUTE_NH_USED))
		return -2;
	return nh->flags & ROUTE_NH_RESOLVED ? nh->l2[5] : -1;
}

struct route *
router(void)
{
	struct route *r;

	if (rcu_init(1) != 0 || (r = route_new()) == NULL)
		abort();
	if (add_port(r, LAN) != 0 || add_port(r, WAN) != 0 ||
		add_address(r, LAN, "10.0.1.1", 24) != 0 ||
		add_address(r, WAN, "203.0.113.1", 24) != 0 || commit(r) != 0)
		abort();
	return r;
}

void
router_free(struct route *r)
{
	route_free(r);
	rcu_fini();
}

static void
test_refusals(void)
{
	struct route_port bad_mac = {{0x01, 0, 0, 0, 0, 1}, 1500};
	struct route_port bad_mtu = {{0x02, 0, 0, 0, 0, 1}, 67};
	struct route *r = router();

	CU_ASSERT_EQUAL(route_set_port(r, 2, &bad_mac), -EINVAL);
	CU_ASSERT_EQUAL(route_set_port(r, 2, &bad_mtu), -EINVAL);
	CU_ASSERT_EQUAL(add_port(r, PORT_MAX), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.1.1", 24), -EEXIST);
	CU_ASSERT_EQUAL(add_address(r, DMZ, "10.0.2.1", 24), -ENODEV);
	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.2.1", 33), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.2.1", 0), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "224.0.0.1", 24), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "127.0.0.1", 8), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "255.255.255.255", 32), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "0.0.0.0", 8), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "::1", 128), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "ff02::1", 64), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "::ffff:10.0.0.1", 96), -EINVAL);
	CU_ASSERT_EQUAL(add_address(r, LAN, "2001:db8::1", 129), -EINVAL);
	CU_ASSERT_EQUAL(add_via(r, "10.9.0.1", 16, "10.0.1.2", PORT_NONE), -EINVAL);
	CU_ASSERT_EQUAL(add_via(r, "10.9.0.0", 33, "10.0.1.2", PORT_NONE), -EINVAL);
	CU_ASSERT_EQUAL(add_via(r, "10.9.0.0", 16, "224.0.0.5", PORT_NONE), -EINVAL);
	CU_ASSERT_EQUAL(add_via(r, "10.9.0.0", 16, "10.0.1.2", DMZ), -ENODEV);
	CU_ASSERT_EQUAL(add_dev(r, "10.9.0.0", 16, PORT_NONE), -EINVAL);
	CU_ASSERT_EQUAL(add_dev(r, "224.0.0.0", 4, LAN), -EINVAL);
	CU_ASSERT_EQUAL(add_dev(r, "127.1.0.0", 16, LAN), -EINVAL);
	CU_ASSERT_EQUAL(add_dev(r, "fe80::", 64, LAN), -EINVAL);
	CU_ASSERT_EQUAL(add_dev(r, "ff00::", 8, LAN), -EINVAL);
	CU_ASSERT_EQUAL(add_via(r, "2001:db8:9::", 48, "fe80::2", PORT_NONE), -EINVAL);
	CU_ASSERT_EQUAL(add_refusal(r, "10.9.0.0", 16, ROUTE_LOCAL), -EINVAL);
	CU_ASSERT_EQUAL(add_refusal(r, "10.9.0.0", 16, ROUTE_BLACKHOLE), 0);
	CU_ASSERT_EQUAL(add_refusal(r, "10.9.0.0", 16, ROUTE_PROHIBIT), -EEXIST);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.255", 1), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, DMZ, "10.0.2.2", 1), -ENODEV);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "239.0.0.1", 1), -EINVAL);
	CU_ASSERT_EQUAL(route_del_port(r, DMZ), -ENOENT);
	CU_ASSERT_EQUAL(route_rollback(r), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "10.9.0.1").type, ROUTE_NONE);
	router_free(r);
	route_free(NULL);
}

/* A commit that fails says why, changes nothing, and forgets what was staged. */
static void
test_commit_errors(void)
{
	struct route *r = router();
	const struct route_table *before = route_current(r);
	const struct {
		const char *dst;
		uint8_t len;
		const char *via;
		uint16_t port;
		int ret;
		const char *text;
	} cases[] = {
		{"0.0.0.0", 0, "192.0.2.1", PORT_NONE, -ENETUNREACH,
			"192.0.2.1 of the route to 0.0.0.0/0 is in no subnet of any port"},
		{"0.0.0.0", 0, "203.0.113.9", LAN, -ENETUNREACH, "is in no subnet of its port"},
		{"10.9.0.0", 16, "10.0.1.1", PORT_NONE, -EINVAL,
			"10.0.1.1 of the route to 10.9.0.0/16 is an address of the router"},
		{"10.9.0.0", 16, "203.0.113.255", PORT_NONE, -EINVAL, "or a broadcast address"},
		{"10.0.1.0", 24, "203.0.113.9", PORT_NONE, -EEXIST, "10.0.1.0/24 exists already"},
		{"2001:db8:9::", 48, "fe80::2", WAN, -ENETUNREACH, "fe80::2"},
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		CU_ASSERT_EQUAL(
			add_via(r, cases[i].dst, cases[i].len, cases[i].via, cases[i].port), 0);
		CU_ASSERT_EQUAL(commit(r), cases[i].ret);
		CU_ASSERT_PTR_NOT_NULL(strstr(commit_err, cases[i].text));
		CU_ASSERT_PTR_EQUAL(route_current(r), before);
	}
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "10.9.1.1").type, ROUTE_NONE);
	CU_ASSERT_EQUAL(route_current(r)->epoch, 1);
	router_free(r);
}

/* Which changes are routing's, and which only a next hop's. */
static void
test_generations(void)
{
	struct route_port info = {{0x02, 0, 0, 0, 0, 2}, 1400};
	struct route *r = router();
	uint32_t epoch, generation;
	uint16_t nh;

	CU_ASSERT_EQUAL(add_via(r, "0.0.0.0", 0, "203.0.113.9", PORT_NONE), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	epoch = route_current(r)->epoch;
	nh = look(r, "8.8.8.8").nexthop;
	CU_ASSERT_EQUAL(mac_at(r, nh), -1);
	generation = route_nexthop(route_current(r), nh)->generation;

	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "203.0.113.9", 9), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(route_current(r)->epoch, epoch);
	CU_ASSERT_EQUAL(look(r, "8.8.8.8").nexthop, nh);
	CU_ASSERT_EQUAL(mac_at(r, nh), 9);
	CU_ASSERT_EQUAL(route_nexthop(route_current(r), nh)->generation, ++generation);

	/* Nothing changed: nothing moves. */
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "203.0.113.9", 9), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(route_nexthop(route_current(r), nh)->generation, generation);

	/* An MTU is the next hop's. */
	CU_ASSERT_EQUAL(route_set_port(r, WAN, &info), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(route_current(r)->epoch, epoch);
	CU_ASSERT_EQUAL(route_nexthop(route_current(r), nh)->mtu, 1400);
	CU_ASSERT_EQUAL(route_nexthop(route_current(r), nh)->generation, ++generation);

	/* Others come and go; the index stays. */
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.5", 5), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "203.0.113.2", 2), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "8.8.8.8").nexthop, nh);
	CU_ASSERT_EQUAL(route_nexthop(route_current(r), nh)->generation, generation);

	/* The route goes: routing changed. The neighbour keeps its entry, without the gateway flag.
	 */
	CU_ASSERT_EQUAL(route_del(r, FAMILY_IPV4, &(union address){0}, 0), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(route_current(r)->epoch, epoch + 1);
	CU_ASSERT_EQUAL(look(r, "8.8.8.8").type, ROUTE_NONE);
	CU_ASSERT_EQUAL(mac_at(r, nh), 9);
	router_free(r);
}

/* An index of a neighbour that went is gone, then another's with a later generation. */
static void
test_index_reuse(void)
{
	struct route_neighbour gone = {
		.port = LAN, .family = FAMILY_IPV4, .address = addr("10.0.1.5")};
	struct route *r = router();
	uint32_t generation;
	uint16_t nh;

	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.5", 5), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	nh = look(r, "10.0.1.5").nexthop;
	CU_ASSERT_EQUAL(mac_at(r, nh), 5);
	generation = route_nexthop(route_current(r), nh)->generation;
	CU_ASSERT_EQUAL(route_del_neighbour(r, &gone), 0);
	CU_ASSERT_EQUAL(route_del_neighbour(r, &gone), -ENOENT);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(mac_at(r, nh), -2);
	CU_ASSERT_NOT_EQUAL(look(r, "10.0.1.5").nexthop, nh);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "10.0.1.5").nexthop), -1);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.6", 6), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "10.0.1.6").nexthop, nh);
	CU_ASSERT(route_nexthop(route_current(r), nh)->generation > generation);
	router_free(r);
}

int
main(void)
{
	CU_TestInfo stage_tests[] = {
		{"impossible input is refused", test_refusals},
		{"a failed commit changes nothing", test_commit_errors},
		{"epoch and generations", test_generations},
		{"an index is reused with a later generation", test_index_reuse},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"stage", NULL, NULL, NULL, NULL, stage_tests},
		{"fib", NULL, NULL, NULL, NULL, fib_tests},
		{"source", NULL, NULL, NULL, NULL, source_tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
