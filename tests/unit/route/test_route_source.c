/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "test_route.h"

static rte_be32_t
source4(const struct route *r, uint16_t port, const char *via)
{
	rte_be32_t src = 0;

	CU_ASSERT_EQUAL(route_source4(route_current(r), port, via ? addr(via).v4 : 0, &src), 0);
	return src;
}

/* inet_select_addr(): the subnet of the next hop, the first primary, another port. */
static void
test_source4(void)
{
	struct route *r = router();
	rte_be32_t src;

	CU_ASSERT_EQUAL(add_port(r, DMZ), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "203.0.113.7", 24), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "198.51.100.1", 24), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "198.51.100.130", 25), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	CU_ASSERT_EQUAL(source4(r, WAN, NULL), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(source4(r, WAN, "203.0.113.30"), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(source4(r, WAN, "198.51.100.9"), addr("198.51.100.1").v4);
	/* Not the longest prefix: the first in the list. */
	CU_ASSERT_EQUAL(source4(r, WAN, "198.51.100.200"), addr("198.51.100.1").v4);
	/* A secondary's own address as next hop still gives the primary. */
	CU_ASSERT_EQUAL(source4(r, WAN, "203.0.113.7"), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(source4(r, WAN, "8.8.8.8"), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(source4(r, DMZ, "8.8.8.8"), addr("10.0.1.1").v4);
	router_free(r);

	CU_ASSERT_EQUAL_FATAL(rcu_init(1), 0);
	r = route_new();
	CU_ASSERT_EQUAL(route_source4(route_current(r), 0, 0, &src), -ENOENT);
	CU_ASSERT_EQUAL(route_redirect4(route_current(r), 0, &src), -ENOENT);
	CU_ASSERT_EQUAL(route_redirect4(route_current(r), PORT_NONE, &src), -ENOENT);
	router_free(r);
}

/* A secondary makes no connected route and no broadcast; without the primary it does. */
static void
test_secondary(void)
{
	struct route_address first = {
		.port = WAN, .family = FAMILY_IPV4, .len = 24, .address = addr("203.0.113.1")};
	struct route *r = router();

	CU_ASSERT_EQUAL(add_address(r, WAN, "203.0.113.7", 24), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "203.0.113.7").type, ROUTE_LOCAL);
	CU_ASSERT_EQUAL(look(r, "203.0.113.255").type, ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(route_del_address(r, &first), 0);
	CU_ASSERT_EQUAL(route_del_address(r, &first), -ENOENT);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	CU_ASSERT_EQUAL(look(r, "203.0.113.1").type, ROUTE_UNICAST);
	CU_ASSERT_EQUAL(look(r, "203.0.113.255").type, ROUTE_BROADCAST);
	CU_ASSERT_EQUAL(source4(r, WAN, "203.0.113.9"), addr("203.0.113.7").v4);
	router_free(r);
}

static void
test_masquerade(void)
{
	struct route *r = router();
	rte_be32_t src = 0;
	uint16_t nh;

	CU_ASSERT_EQUAL(add_address(r, WAN, "198.51.100.1", 24), 0);
	CU_ASSERT_EQUAL(add_via(r, "0.0.0.0", 0, "198.51.100.254", PORT_NONE), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	/* By gateway. */
	nh = look(r, "8.8.8.8").nexthop;
	CU_ASSERT_EQUAL(route_masquerade4(route_current(r), nh, addr("8.8.8.8").v4, &src), 0);
	CU_ASSERT_EQUAL(src, addr("198.51.100.1").v4);
	/* On-link: by destination, neighbour or not. */
	CU_ASSERT_EQUAL(add_neighbour(r, WAN, "203.0.113.9", 9), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	nh = look(r, "203.0.113.9").nexthop;
	CU_ASSERT_EQUAL(route_masquerade4(route_current(r), nh, addr("203.0.113.9").v4, &src), 0);
	CU_ASSERT_EQUAL(src, addr("203.0.113.1").v4);
	nh = look(r, "198.51.100.8").nexthop;
	CU_ASSERT_EQUAL(route_masquerade4(route_current(r), nh, addr("198.51.100.8").v4, &src), 0);
	CU_ASSERT_EQUAL(src, addr("198.51.100.1").v4);
	CU_ASSERT_EQUAL(route_masquerade4(route_current(r), NEXTHOP_NONE, 0, &src), -ENOENT);
	CU_ASSERT_EQUAL(route_redirect4(route_current(r), WAN, &src), 0);
	CU_ASSERT_EQUAL(src, addr("203.0.113.1").v4);
	CU_ASSERT_TRUE(route_is_own4(route_current(r), WAN, addr("198.51.100.1").v4));
	CU_ASSERT_FALSE(route_is_own4(route_current(r), LAN, addr("198.51.100.1").v4));
	CU_ASSERT_TRUE(route_is_own4(route_current(r), PORT_NONE, addr("198.51.100.1").v4));
	CU_ASSERT_FALSE(route_is_own4(route_current(r), PORT_NONE, addr("198.51.100.2").v4));
	router_free(r);
}

static rte_be32_t
output4(const struct route *r, const char *dst)
{
	rte_be32_t src = 0;

	CU_ASSERT_EQUAL(route_output4(route_current(r), addr(dst).v4, NULL, &src), 0);
	return src;
}

/* What the router's own ICMP errors have as their source. */
static void
test_output4(void)
{
	struct route_result result;
	struct route *r = router();
	rte_be32_t src;

	CU_ASSERT_EQUAL(add_address(r, LAN, "10.0.1.129", 25), 0);
	CU_ASSERT_EQUAL(add_via(r, "10.7.0.0", 16, "10.0.1.200", PORT_NONE), 0);
	CU_ASSERT_EQUAL(add_dev(r, "10.8.0.0", 16, LAN), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	CU_ASSERT_EQUAL(output4(r, "10.0.1.5"), addr("10.0.1.1").v4);
	/* The connected route's own address, though the first subnet of the port holds it too. */
	CU_ASSERT_EQUAL(output4(r, "10.0.1.200"), addr("10.0.1.129").v4);
	CU_ASSERT_EQUAL(output4(r, "10.7.0.1"), addr("10.0.1.1").v4);
	CU_ASSERT_EQUAL(output4(r, "10.8.0.1"), addr("10.0.1.1").v4);
	CU_ASSERT_EQUAL(output4(r, "203.0.113.9"), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(output4(r, "203.0.113.1"), addr("203.0.113.1").v4);
	CU_ASSERT_EQUAL(
		route_output4(route_current(r), addr("8.8.8.8").v4, &result, &src), -ENETUNREACH);
	CU_ASSERT_EQUAL(result.type, ROUTE_NONE);
	router_free(r);
}

static bool
source6_is(const struct route *r, uint16_t port, const char *dst, const char *want)
{
	union address to = addr(dst), src, expected = addr(want);

	return route_source6(route_current(r), port, &to, &src) == 0 &&
	       memcmp(&src, &expected, sizeof(src)) == 0;
}

/* RFC 6724. */
static void
test_source6(void)
{
	union address to = addr("2600::1"), src;
	struct route *r = router();

	CU_ASSERT_EQUAL(route_source6(route_current(r), WAN, &to, &src), -ENOENT);
	CU_ASSERT_EQUAL(add_address(r, LAN, "2001:db8:1::1", 64), 0);
	CU_ASSERT_EQUAL(add_address(r, LAN, "fd00:1::1", 64), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "2001:db8:2::1", 64), 0);
	CU_ASSERT_EQUAL(add_address(r, WAN, "2001:db8:2:1::1", 64), 0);
	CU_ASSERT_EQUAL(add_via(r, "::", 0, "2001:db8:2::9", PORT_NONE), 0);
	CU_ASSERT_EQUAL_FATAL(commit(r), 0);
	/* Rule 1: itself. Rule 2: scope. Rule 5: the port. Rule 6: the label. Rule 8: the prefix.
	 */
	CU_ASSERT(source6_is(r, WAN, "2001:db8:1::1", "2001:db8:1::1"));
	CU_ASSERT(source6_is(r, WAN, "fe80::7", "fe80::ff:fe00:2"));
	CU_ASSERT(source6_is(r, LAN, "fd00:2::1", "fd00:1::1"));
	CU_ASSERT(source6_is(r, LAN, "2600::1", "2001:db8:1::1"));
	CU_ASSERT(source6_is(r, WAN, "2001:db8:2::77", "2001:db8:2::1"));
	CU_ASSERT(source6_is(r, WAN, "2001:db8:2:1::77", "2001:db8:2:1::1"));
	/* Equal in all: the newest. */
	CU_ASSERT(source6_is(r, WAN, "2600::1", "2001:db8:2:1::1"));
	/* Another port's global address is better than the port's link-local one. */
	CU_ASSERT(source6_is(r, DMZ, "2001:db8:1::9", "2001:db8:1::1"));
	CU_ASSERT(source6_is(r, WAN, "ff02::1", "fe80::ff:fe00:2"));
	CU_ASSERT_EQUAL(route_output6(route_current(r), LAN, &to, NULL, &src), 0);
	to = addr("2001:db8:2:1::1");
	CU_ASSERT_EQUAL(memcmp(&src, &to, sizeof(src)), 0);
	to = addr("2600::1");
	CU_ASSERT_EQUAL(route_redirect6(route_current(r), LAN, &to, &src), 0);
	to = addr("fd00:1::1");
	CU_ASSERT_EQUAL(memcmp(&src, &to, sizeof(src)), 0);
	CU_ASSERT_TRUE(route_is_own6(route_current(r), PORT_NONE, &to));
	CU_ASSERT_FALSE(route_is_own6(route_current(r), WAN, &to));
	to = addr("fe80::5");
	CU_ASSERT_EQUAL(route_redirect6(route_current(r), LAN, &to, &src), 0);
	to = addr("fe80::ff:fe00:1");
	CU_ASSERT_EQUAL(memcmp(&src, &to, sizeof(src)), 0);
	CU_ASSERT_EQUAL(route_redirect6(route_current(r), DMZ, &to, &src), -ENOENT);
	router_free(r);
}

CU_TestInfo source_tests[] = {
	{"IPv4 source by next hop", test_source4},
	{"secondary addresses", test_secondary},
	{"masquerade and redirect", test_masquerade},
	{"the router's own IPv4 packets", test_output4},
	{"IPv6 source", test_source6},
	CU_TEST_INFO_NULL,
};
