/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "route_priv.h"

#define LOOPBACK4_NET 127u
#define LOOPBACK4     0x7f000001u /* the loopback interface's address, one of our own */

const struct leaf *
leaf_find4(const struct fib *fib, rte_be32_t addr)
{
	uint32_t key = rte_be_to_cpu_32(addr);
	const struct lpm4 *lpm = &fib->v4;
	const uint32_t *base = lpm->start;
	uint32_t n = lpm->count;
	uint32_t half;

	while (n > 1) {
		half = n / 2;
		base += base[half] <= key ? half : 0;
		n -= half;
	}
	return &fib->leaves4[lpm->leaf[base - lpm->start]];
}

static const struct leaf *
lpm6_find(const struct fib *fib, const struct key6 *key)
{
	const struct lpm6 *lpm = &fib->v6;
	const struct key6 *base = lpm->start;
	uint32_t n = lpm->count;
	uint32_t half;

	while (n > 1) {
		half = n / 2;
		base += key_compare(&base[half], key) <= 0 ? half : 0;
		n -= half;
	}
	return &fib->leaves6[lpm->leaf[base - lpm->start]];
}

static struct route_result
result_of(const struct leaf *leaf)
{
	return (struct route_result){leaf->type, leaf->on_link, leaf->port, leaf->nexthop};
}

static struct route_result
special(enum route_type type, uint16_t port)
{
	return (struct route_result){(uint8_t)type, 0, port, NEXTHOP_NONE};
}

static bool
is_multicast4(rte_be32_t a)
{
	return (rte_be_to_cpu_32(a) & 0xf0000000) == 0xe0000000;
}

static bool
is_loopback4(rte_be32_t a)
{
	return rte_be_to_cpu_32(a) >> 24 == LOOPBACK4_NET;
}

static bool
is_loopback6(const union address *a)
{
	return a->q[0] == 0 && a->q[1] == rte_cpu_to_be_64(1);
}

const struct route_table *
route_current(const struct route *route)
{
	return rcu_read(&route->current);
}

struct route_result
route_lookup4(const struct route_table *table, rte_be32_t dst)
{
	if (dst == 0 || dst == UINT32_MAX)
		return special(ROUTE_BROADCAST, PORT_NONE);
	if (is_multicast4(dst))
		return special(ROUTE_MULTICAST, PORT_NONE);
	if (is_loopback4(dst))
		return special(ROUTE_LOCAL, PORT_NONE);
	return result_of(leaf_find4(fib_of(table), dst));
}

enum route_type
route_martian4(rte_be32_t src, rte_be32_t dst)
{
	/* The order is ip_route_input_slow()'s. */
	if (is_multicast4(src) || src == UINT32_MAX)
		return ROUTE_MARTIAN_SOURCE;
	if (dst == UINT32_MAX || (src == 0 && dst == 0))
		return ROUTE_NONE;
	if (src == 0)
		return ROUTE_MARTIAN_SOURCE;
	if (dst == 0 || is_loopback4(dst))
		return ROUTE_MARTIAN_DESTINATION;
	if (is_loopback4(src))
		return ROUTE_MARTIAN_SOURCE;
	return ROUTE_NONE;
}

struct route_result
route_input4(const struct route_table *table, uint16_t in_port, rte_be32_t src, rte_be32_t dst)
{
	struct route_result result;
	enum route_type martian;

	/* ip_route_input_rcu() takes multicast aside before it looks at the source. */
	if (is_multicast4(dst))
		return special(ROUTE_MULTICAST, in_port);
	martian = route_martian4(src, dst);
	if (martian != ROUTE_NONE)
		return special(martian, PORT_NONE);
	if (dst == UINT32_MAX || dst == 0)
		result = special(ROUTE_BROADCAST, in_port);
	else
		result = result_of(leaf_find4(fib_of(table), dst));
	/*
	 * fib_validate_source() without rp_filter: who claims one of our own
	 * addresses lies. It is asked for what is delivered or forwarded, not
	 * for what has no route.
	 */
	if ((result.type == ROUTE_UNICAST || result.type == ROUTE_LOCAL ||
		    result.type == ROUTE_BROADCAST) &&
		(route_is_own4(table, PORT_NONE, src) || src == rte_cpu_to_be_32(LOOPBACK4)))
		return special(ROUTE_MARTIAN_SOURCE, PORT_NONE);
	return result;
}

/* Link-local addresses mean something on one port only: its own ones, else whoever is there. */
static struct route_result
lookup_link_local(const struct fib *fib, uint16_t port, const union address *dst)
{
	const struct link_neighbour *n;
	const struct address_range *range;
	struct link_neighbour want;
	uint32_t low = 0, high = fib->link_count, middle;
	uint32_t i;
	int diff;

	if (port >= PORT_MAX || fib->range6[port].count == 0)
		return special(ROUTE_NONE, PORT_NONE);
	range = &fib->range6[port];
	for (i = range->first; i < (uint32_t)range->first + range->count; i++) {
		const struct route_address *own = &fib->addresses[i];
		union address router;

		if (!is_link_local6(&own->address))
			continue;
		if (memcmp(&own->address, dst, sizeof(*dst)) == 0)
			return special(ROUTE_LOCAL, port);
		router = prefix_of(&own->address, own->len);
		if (own->len < 127 && memcmp(&router, dst, sizeof(*dst)) == 0)
			return special(ROUTE_ANYCAST, port);
	}
	want = (struct link_neighbour){key_of(dst, FAMILY_IPV6), port, 0};
	while (low < high) {
		middle = low + (high - low) / 2;
		n = &fib->link[middle];
		diff = n->port != port ? (n->port < port ? -1 : 1)
				       : key_compare(&n->address, &want.address);
		if (diff == 0)
			return (struct route_result){ROUTE_UNICAST, 1, port, n->nexthop};
		if (diff < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return (struct route_result){ROUTE_UNICAST, 1, port, fib->glean6[port]};
}

struct route_result
route_lookup6(const struct route_table *table, uint16_t port, const union address *dst)
{
	struct key6 key;

	if (dst->v6[0] == 0xff)
		return special(ROUTE_MULTICAST, port);
	if (is_loopback6(dst))
		return special(ROUTE_LOCAL, PORT_NONE);
	if (is_link_local6(dst))
		return lookup_link_local(fib_of(table), port, dst);
	key = key_of(dst, FAMILY_IPV6);
	return result_of(lpm6_find(fib_of(table), &key));
}

enum route_type
route_martian6(const union address *src, const union address *dst)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (src->v6[0] == 0xff || is_loopback6(src))
		return ROUTE_MARTIAN_SOURCE;
	/* Scopes 0 (reserved) and 1 (interface-local): never on a wire, RFC 4291 2.7. */
	if (is_loopback6(dst) || (dst->v6[0] == 0xff && (dst->v6[1] & 0x0f) <= 1))
		return ROUTE_MARTIAN_DESTINATION;
	if (memcmp(src->v6, mapped, sizeof(mapped)) == 0)
		return ROUTE_MARTIAN_SOURCE;
	return ROUTE_NONE;
}

enum route_forward6
route_forward6_source(const union address *src)
{
	if ((src->q[0] == 0 && src->q[1] == 0) || src->v6[0] == 0xff || is_loopback6(src))
		return ROUTE_FORWARD6_DROP;
	return is_link_local6(src) ? ROUTE_FORWARD6_BEYOND_SCOPE : ROUTE_FORWARD6_OK;
}

bool
route_is_own4(const struct route_table *table, uint16_t port, rte_be32_t addr)
{
	const struct fib *fib = fib_of(table);
	uint32_t i;

	if (port == PORT_NONE)
		return leaf_find4(fib, addr)->type == ROUTE_LOCAL;
	if (port >= PORT_MAX)
		return false;
	for (i = 0; i < fib->range4[port].count; i++) {
		if (fib->addresses[fib->range4[port].first + i].address.v4 == addr)
			return true;
	}
	return false;
}

bool
route_is_own6(const struct route_table *table, uint16_t port, const union address *addr)
{
	const struct fib *fib = fib_of(table);
	uint16_t first = port == PORT_NONE ? 0 : port;
	uint16_t last = port == PORT_NONE ? PORT_MAX - 1 : port;
	uint32_t i;

	if (port != PORT_NONE && port >= PORT_MAX)
		return false;
	for (port = first; port <= last; port++) {
		for (i = 0; i < fib->range6[port].count; i++) {
			if (memcmp(&fib->addresses[fib->range6[port].first + i].address, addr,
				    sizeof(*addr)) == 0)
				return true;
		}
	}
	return false;
}

const char *
route_type_name(enum route_type type)
{
	static const char *const names[] = {
		[ROUTE_NONE] = "none",
		[ROUTE_UNICAST] = "unicast",
		[ROUTE_LOCAL] = "local",
		[ROUTE_BROADCAST] = "broadcast",
		[ROUTE_ANYCAST] = "anycast",
		[ROUTE_MULTICAST] = "multicast",
		[ROUTE_BLACKHOLE] = "blackhole",
		[ROUTE_UNREACHABLE] = "unreachable",
		[ROUTE_PROHIBIT] = "prohibit",
		[ROUTE_MARTIAN_SOURCE] = "martian-source",
		[ROUTE_MARTIAN_DESTINATION] = "martian-destination",
	};

	if ((unsigned int)type >= RTE_DIM(names) || names[type] == NULL)
		return "unknown";
	return names[type];
}
