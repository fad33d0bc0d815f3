/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#include "test_route.h"

static void
expect(const struct route *r, const char *dst, enum route_type type, uint16_t port)
{
	struct route_result got = look(r, dst);

	if (got.type != type || got.port != port)
		printf("\n    %s: %s on %u, not %s on %u", dst, route_type_name(got.type), got.port,
			route_type_name(type), port);
	CU_ASSERT_EQUAL(got.type, type);
	CU_ASSERT_EQUAL(got.port, port);
	CU_ASSERT_EQUAL(got.nexthop == NEXTHOP_NONE, type != ROUTE_UNICAST);
}

static void
test_types4(void)
{
	struct route *r = router();

	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.3.1", 31), 0);
	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.4.1", 32), 0);
	CU_ASSERT_EQUAL(add_via(r, "0.0.0.0", 0, "203.0.113.30", PORT_NONE), 0);
	CU_ASSERT_EQUAL(add_via(r, "10.7.0.0", 16, "10.0.1.9", LAN), 0);
	CU_ASSERT_EQUAL(add_dev(r, "10.8.0.0", 16, WAN), 0);
	CU_ASSERT_EQUAL(add_refusal(r, "10.7.1.0", 24, ROUTE_BLACKHOLE), 0);
	CU_ASSERT_EQUAL(add_refusal(r, "10.7.2.0", 24, ROUTE_UNREACHABLE), 0);
	CU_ASSERT_EQUAL(add_refusal(r, "10.7.3.0", 24, ROUTE_PROHIBIT), 0);
	CU_ASSERT_EQUAL(commit(r), 0);
	expect(r, "10.0.1.1", ROUTE_LOCAL, LAN);
	expect(r, "10.0.1.2", ROUTE_UNICAST, LAN);
	expect(r, "10.0.1.255", ROUTE_BROADCAST, LAN);
	/* Since Linux 5.14 the lowest address of a subnet is a host's. */
	expect(r, "10.0.1.0", ROUTE_UNICAST, LAN);
	expect(r, "10.0.3.0", ROUTE_UNICAST, LAN);
	expect(r, "10.0.3.1", ROUTE_LOCAL, LAN);
	expect(r, "10.0.4.1", ROUTE_LOCAL, LAN);
	expect(r, "203.0.113.1", ROUTE_LOCAL, WAN);
	expect(r, "8.8.8.8", ROUTE_UNICAST, WAN);
	expect(r, "240.1.2.3", ROUTE_UNICAST, WAN);
	expect(r, "0.1.2.3", ROUTE_UNICAST, WAN);
	expect(r, "10.7.0.1", ROUTE_UNICAST, LAN);
	expect(r, "10.7.1.1", ROUTE_BLACKHOLE, PORT_NONE);
	expect(r, "10.7.2.1", ROUTE_UNREACHABLE, PORT_NONE);
	expect(r, "10.7.3.255", ROUTE_PROHIBIT, PORT_NONE);
	expect(r, "10.7.4.0", ROUTE_UNICAST, LAN);
	expect(r, "10.8.255.255", ROUTE_UNICAST, WAN);
	expect(r, "224.0.0.1", ROUTE_MULTICAST, PORT_NONE);
	expect(r, "239.255.255.255", ROUTE_MULTICAST, PORT_NONE);
	expect(r, "255.255.255.255", ROUTE_BROADCAST, PORT_NONE);
	expect(r, "255.255.255.254", ROUTE_UNICAST, WAN);
	expect(r, "127.1.2.3", ROUTE_LOCAL, PORT_NONE);
	CU_ASSERT_TRUE(look(r, "10.0.1.2").on_link);
	CU_ASSERT_FALSE(look(r, "8.8.8.8").on_link);
	router_free(r);
}

static void
test_types6(void)
{
	struct route *r = router();
	union address ll = addr("fe80::ff:fe00:2"), peer = addr("fe80::99");
	struct route_result got;

	/* Without an IPv6 address a port knows no link-local one either. */
	expect(r, "fe80::1", ROUTE_NONE, PORT_NONE);
	CU_ASSERT_EQUAL(add_address(r, LAN, "2001:db8:1::1", 64), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "2001:db8:2::1", 127), 0);
	CU_ASSERT_EQUAL(add_via(r, "::", 0, "fe80::99", WAN), 0);
	CU_ASSERT_EQUAL(add_refusal(r, "2001:db8:7::", 48, ROUTE_UNREACHABLE), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "fe80::99", 0x99), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "2001:db8:1::5", 5), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	expect(r, "2001:db8:1::1", ROUTE_LOCAL, LAN);
	expect(r, "2001:db8:1::", ROUTE_ANYCAST, LAN);
	expect(r, "2001:db8:1::2", ROUTE_UNICAST, LAN);
	expect(r, "2001:db8:1:0:ffff:ffff:ffff:ffff", ROUTE_UNICAST, LAN);
	expect(r, "2001:db8:1:1::", ROUTE_UNICAST, WAN);
	expect(r, "2001:db8:2::", ROUTE_UNICAST, WAN);
	expect(r, "2001:db8:2::1", ROUTE_LOCAL, WAN);
	expect(r, "2001:db8:7::1", ROUTE_UNREACHABLE, PORT_NONE);
	expect(r, "ffff::1", ROUTE_MULTICAST, LAN);
	expect(r, "::1", ROUTE_LOCAL, PORT_NONE);
	/* Link-local: each port's own world. The address follows from the MAC. */
	expect(r, "fe80::ff:fe00:1", ROUTE_LOCAL, LAN);
	expect(r, "fe80::", ROUTE_ANYCAST, LAN);
	expect(r, "fe80::ff:fe00:2", ROUTE_UNICAST, LAN);
	CU_ASSERT_EQUAL(route_lookup6(route_current(r), WAN, &ll).type, ROUTE_LOCAL);
	CU_ASSERT_EQUAL(route_lookup6(route_current(r), PORT_NONE, &ll).type, ROUTE_NONE);
	got = route_lookup6(route_current(r), WAN, &peer);
	CU_ASSERT_EQUAL(mac_at(r, got.nexthop), 0x99);
	CU_ASSERT_EQUAL(got.nexthop, look(r, "2600::1").nexthop);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "fe80::99").nexthop), -1);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "2001:db8:1::5").nexthop), 5);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "2001:db8:1::6").nexthop), -1);
	router_free(r);
}

/* The next hop: gateway, neighbour, or the port's own entry, never resolved. */
static void
test_nexthops(void)
{
	struct route *r = router();
	const struct route_nexthop *nh;
	struct route_result got;
	const uint8_t l2[14] = {0x02, 0xff, 0, 0, 0, 30, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00};

	CU_ASSERT_EQUAL(add_via(r, "0.0.0.0", 0, "203.0.113.30", PORT_NONE), 0);
	CU_ASSERT_EQUAL(add_dev(r, "10.0.1.77", 32, WAN), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "203.0.113.30", 30), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.5", 5), 0);
	/* Of no use: another port's subnet, a routed address, our own, a host route elsewhere. */
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "10.0.1.6", 6), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "8.8.8.8", 8), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.1", 1), 0);
	CU_ASSERT_EQUAL(add_neighbour(r, LAN, "10.0.1.77", 77), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	got = look(r, "8.8.8.8");
	CU_ASSERT_EQUAL(mac_at(r, got.nexthop), 30);
	CU_ASSERT_EQUAL(got.nexthop, look(r, "203.0.113.30").nexthop);
	nh = route_nexthop(route_current(r), got.nexthop);
	CU_ASSERT_EQUAL(nh->flags, ROUTE_NH_USED | ROUTE_NH_RESOLVED | ROUTE_NH_GATEWAY);
	CU_ASSERT_EQUAL(memcmp(nh->l2, l2, sizeof(l2)), 0);
	CU_ASSERT_EQUAL(nh->port, WAN);
	CU_ASSERT_EQUAL(nh->mtu, 1500);
	CU_ASSERT_EQUAL(nh->via.v4, addr("203.0.113.30").v4);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "10.0.1.5").nexthop), 5);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "10.0.1.6").nexthop), -1);
	CU_ASSERT_EQUAL(look(r, "10.0.1.1").type, ROUTE_LOCAL);
	CU_ASSERT_EQUAL(look(r, "10.0.1.77").port, WAN);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "10.0.1.77").nexthop), -1);
	nh = route_nexthop(route_current(r), look(r, "10.0.1.6").nexthop);
	CU_ASSERT_EQUAL(nh->via.v4, 0);
	CU_ASSERT_EQUAL(nh->port, LAN);
	CU_ASSERT_EQUAL((uintptr_t)route_current(r)->nexthops % 64, 0);
	router_free(r);
}

#define RANDOM_ROUTES  300
#define RANDOM_LOOKUPS 20000

struct naive {
	uint32_t prefix;
	uint8_t len;
	uint16_t port;
	uint8_t type;
};

static struct naive naive_routes[RANDOM_ROUTES];

static uint64_t state;

/* xorshift64*: the seed is printed, so that a failure can be had again. */
static uint32_t
rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545F4914F6CDD1DULL) >> 32);
}

/* Clustered, so that prefixes nest. */
static uint32_t
random_ip(void)
{
	uint32_t ip = rnd();

	return rnd() % 4 ? 0x14000000 | (ip & (rnd() % 2 ? 0x00ffffff : 0x0000ffff)) : ip;
}

static union address
ip_of(uint32_t ip, bool v6)
{
	union address a = {0};

	/* In IPv6 the bits straddle the halves: lengths from 48 to 80. */
	if (v6) {
		a.q[0] = rte_cpu_to_be_64(0x20010db800000000ULL | ip >> 16);
		a.q[1] = rte_cpu_to_be_64((uint64_t)ip << 48);
	} else {
		a.v4 = rte_cpu_to_be_32(ip);
	}
	return a;
}

static unsigned int
random_table(struct route *r, bool v6)
{
	static const uint8_t types[] = {
		ROUTE_UNICAST, ROUTE_UNICAST, ROUTE_BLACKHOLE, ROUTE_PROHIBIT};
	struct route_entry e = {.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4};
	unsigned int count = 0, tries;

	for (tries = 0; tries < RANDOM_ROUTES; tries++) {
		struct naive n = {
			.len = (uint8_t)(rnd() % 33), .port = rnd() % 2, .type = types[rnd() % 4]};

		n.prefix = n.len == 0 ? 0 : random_ip() & (UINT32_MAX << (32 - n.len));
		e.dst = ip_of(n.prefix, v6);
		e.len = v6 ? n.len + 48 : n.len;
		e.type = n.type;
		e.port = n.type == ROUTE_UNICAST ? n.port : PORT_NONE;
		if (route_add(r, &e) == 0)
			naive_routes[count++] = n;
	}
	return count;
}

static const struct naive *
naive_lookup(uint32_t ip, unsigned int count)
{
	const struct naive *best = NULL;
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct naive *n = &naive_routes[i];

		if ((n->len == 0 || (ip ^ n->prefix) >> (32 - n->len) == 0) &&
			(best == NULL || n->len > best->len))
			best = n;
	}
	return best;
}

static unsigned int
compare_tables(const struct route *r, unsigned int count, bool v6)
{
	unsigned int i, bad = 0;

	for (i = 0; i < RANDOM_LOOKUPS; i++) {
		uint32_t ip = random_ip();
		const struct naive *n;
		struct route_result got;
		union address a;

		/* The edges of prefixes more often than chance has them. */
		if (i % 3 == 0 && count > 0)
			ip = naive_routes[rnd() % count].prefix - (rnd() % 2);
		a = ip_of(ip, v6);
		if (!v6 && (ip == 0 || ip == UINT32_MAX || ip >> 28 == 0xe || ip >> 24 == 127))
			continue;
		n = naive_lookup(ip, count);
		got = v6 ? route_lookup6(route_current(r), LAN, &a)
			 : route_lookup4(route_current(r), a.v4);
		if (got.type != (n == NULL ? ROUTE_NONE : n->type) ||
			got.port != (n == NULL || n->type != ROUTE_UNICAST ? PORT_NONE : n->port))
			bad++;
	}
	return bad;
}

static void
test_random(void)
{
	const char *seed = getenv("SEED");
	unsigned int round, count;
	struct route *r;

	state = seed != NULL ? strtoull(seed, NULL, 0) : clock_ns() | 1;
	printf("\n    SEED=0x%llx ", (unsigned long long)state);
	for (round = 0; round < 20; round++) {
		if (rcu_init(1) != 0 || (r = route_new()) == NULL)
			abort();
		CU_ASSERT_EQUAL(add_port(r, LAN), 0);
		CU_ASSERT_EQUAL(add_port(r, WAN), 0);
		count = random_table(r, round % 2 == 1);
		CU_ASSERT(count > 100);
		CU_ASSERT_EQUAL_FATAL(commit(r), 0);
		CU_ASSERT_EQUAL(compare_tables(r, count, round % 2 == 1), 0);
		router_free(r);
	}
}

static void
count_one(const struct route_entry *entry, void *arg)
{
	(void)entry;
	(*(unsigned int *)arg)++;
}

/* 4096 routes and 16384 neighbours go in; one more does not. */
static void
test_limits(void)
{
	struct route_entry e = {
		.family = FAMILY_IPV4, .len = 32, .type = ROUTE_BLACKHOLE, .port = PORT_NONE};
	struct route_neighbour n = {.port = LAN, .family = FAMILY_IPV4, .mac = {2, 0, 0, 0, 0, 1}};
	unsigned int listed = 0;
	struct route *r = router();
	uint32_t i;

	CU_ASSERT_EQUAL(add_dev(r, "20.0.0.0", 8, LAN), 0);
	for (i = 1; i < ROUTE_MAX_ROUTES; i++) {
		e.dst.v4 = rte_cpu_to_be_32(0x1e000000 + i);
		if (route_add(r, &e) != 0)
			break;
	}
	CU_ASSERT_EQUAL(i, ROUTE_MAX_ROUTES);
	e.dst.v4 = rte_cpu_to_be_32(0x1f000000);
	CU_ASSERT_EQUAL(route_add(r, &e), -ENOSPC);
	for (i = 0; i < ROUTE_MAX_NEIGHBOURS; i++) {
		n.address.v4 = rte_cpu_to_be_32(0x14000000 + 2 * i + 1);
		n.mac[5] = (uint8_t)i;
		if (route_set_neighbour(r, &n) != 0)
			break;
	}
	CU_ASSERT_EQUAL(i, ROUTE_MAX_NEIGHBOURS);
	n.address.v4++;
	CU_ASSERT_EQUAL(route_set_neighbour(r, &n), -ENOSPC);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "30.0.15.255").type, ROUTE_BLACKHOLE);
	CU_ASSERT_EQUAL(look(r, "30.0.16.0").type, ROUTE_NONE);
	for (i = 0; i < ROUTE_MAX_NEIGHBOURS; i++) {
		struct route_result got =
			route_lookup4(route_current(r), rte_cpu_to_be_32(0x14000000 + 2 * i + 1));

		if (mac_at(r, got.nexthop) != (uint8_t)i)
			break;
	}
	CU_ASSERT_EQUAL(i, ROUTE_MAX_NEIGHBOURS);
	CU_ASSERT_EQUAL(mac_at(r, look(r, "20.0.0.2").nexthop), -1);
	/* Neighbours are no routes: 2 connected, 2 local, 2 broadcast, the static ones. */
	route_each_route(r, count_one, &listed);
	CU_ASSERT_EQUAL(listed, ROUTE_MAX_ROUTES + 6);
	CU_ASSERT_EQUAL(route_del_port(r, LAN), 0);
	CU_ASSERT_EQUAL(commit(r), -ENODEV);
	router_free(r);
}

static enum route_type
input(const struct route *r, const char *src, const char *dst)
{
	return route_input4(route_current(r), LAN, addr(src).v4, addr(dst).v4).type;
}

/* ip_route_input_slow(): who is a martian, and when it is not asked. */
static void
test_martians4(void)
{
	struct route *r = router();

	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "203.0.113.9"), ROUTE_UNICAST);
	CU_ASSERT_EQUAL(input(r, "224.0.0.1", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "255.255.255.255", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "0.0.0.0", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "0.0.0.1", "203.0.113.9"), ROUTE_UNICAST);
	CU_ASSERT_EQUAL(input(r, "127.0.0.1", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "127.0.0.1"), ROUTE_MARTIAN_DESTINATION);
	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "0.0.0.0"), ROUTE_MARTIAN_DESTINATION);
	CU_ASSERT_EQUAL(input(r, "240.0.0.1", "203.0.113.9"), ROUTE_UNICAST);
	/* Our own address as a source, from any port; not asked where there is no route. */
	CU_ASSERT_EQUAL(input(r, "10.0.1.1", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "203.0.113.1", "203.0.113.9"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "203.0.113.1", "10.0.1.1"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "10.0.1.1", "8.8.8.8"), ROUTE_NONE);
	/* A broadcast source passes: rp_filter is 0. */
	CU_ASSERT_EQUAL(input(r, "10.0.1.255", "203.0.113.9"), ROUTE_UNICAST);
	/* Broadcasts. */
	CU_ASSERT_EQUAL(input(r, "0.0.0.0", "255.255.255.255"), ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(input(r, "0.0.0.0", "0.0.0.0"), ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "255.255.255.255"), ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(input(r, "10.0.1.1", "255.255.255.255"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "203.0.113.255"), ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(input(r, "127.0.0.1", "255.255.255.255"), ROUTE_MARTIAN_SOURCE);
	CU_ASSERT_EQUAL(input(r, "127.0.0.1", "224.0.0.1"), ROUTE_MULTICAST);
	CU_ASSERT_EQUAL(input(r, "10.0.1.2", "8.8.8.8"), ROUTE_NONE);
	router_free(r);
}

static void
test_martians6(void)
{
	static const struct {
		const char *src;
		const char *dst;
		enum route_type martian;
	} cases[] = {
		{"2001:db8::1", "2001:db8::2", ROUTE_NONE},
		{"::", "ff02::1", ROUTE_NONE},
		{"fe80::1", "fe80::2", ROUTE_NONE},
		{"ff02::1", "2001:db8::2", ROUTE_MARTIAN_SOURCE},
		{"::1", "2001:db8::2", ROUTE_MARTIAN_SOURCE},
		{"2001:db8::1", "::1", ROUTE_MARTIAN_DESTINATION},
		{"2001:db8::1", "ff00::1", ROUTE_MARTIAN_DESTINATION},
		{"2001:db8::1", "ff01::1", ROUTE_MARTIAN_DESTINATION},
		{"2001:db8::1", "ff11::1", ROUTE_MARTIAN_DESTINATION},
		{"2001:db8::1", "ff05::1", ROUTE_NONE},
		{"::ffff:10.0.0.1", "2001:db8::2", ROUTE_MARTIAN_SOURCE},
		{"2001:db8::1", "::ffff:10.0.0.1", ROUTE_NONE},
	};
	union address src, dst;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		src = addr(cases[i].src);
		dst = addr(cases[i].dst);
		CU_ASSERT_EQUAL(route_martian6(&src, &dst), cases[i].martian);
	}
	src = addr("::");
	CU_ASSERT_EQUAL(route_forward6_source(&src), ROUTE_FORWARD6_DROP);
	src = addr("ff02::1");
	CU_ASSERT_EQUAL(route_forward6_source(&src), ROUTE_FORWARD6_DROP);
	src = addr("fe80::1");
	CU_ASSERT_EQUAL(route_forward6_source(&src), ROUTE_FORWARD6_BEYOND_SCOPE);
	src = addr("fec0::1");
	CU_ASSERT_EQUAL(route_forward6_source(&src), ROUTE_FORWARD6_OK);
}

CU_TestInfo fib_tests[] = {
	{"IPv4 types", test_types4},
	{"IPv6 types", test_types6},
	{"next hops", test_nexthops},
	{"random tables against a linear search", test_random},
	{"limits", test_limits},
	{"IPv4 martians", test_martians4},
	{"IPv6 martians", test_martians6},
	CU_TEST_INFO_NULL,
};
