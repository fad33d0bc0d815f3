/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the router's own addresses a packet gets as its source.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "route_priv.h"

/* The scopes of RFC 4007 that unicast addresses have. */
enum {
	SCOPE_LINK = 2,
	SCOPE_SITE = 5,
	SCOPE_GLOBAL = 14,
};

/* The rules of RFC 6724 5 that can tell addresses of a router apart, in order. */
enum {
	RULE_SAME,
	RULE_SCOPE,
	RULE_PORT,
	RULE_LABEL,
	RULE_ORCHID,
	RULE_PREFIX,
	RULES,
};

int
route_source4(const struct route_table *table, uint16_t port, rte_be32_t via, rte_be32_t *src)
{
	const union address to = {.v4 = via};
	const struct fib *fib = fib_of(table);
	const struct route_address *a;
	uint16_t i;

	if (port < PORT_MAX && fib->range4[port].count > 0) {
		a = &fib->addresses[fib->range4[port].first];
		*src = a->address.v4;
		for (i = 0; i < fib->range4[port].count && !a[i].secondary; i++) {
			if (via == 0 || prefix_holds(&a[i].address, a[i].len, &to)) {
				*src = a[i].address.v4;
				break;
			}
		}
		return 0;
	}
	/* Unnumbered: another port's address is better than none (inet_select_addr). */
	for (port = 0; port < PORT_MAX; port++) {
		if (fib->range4[port].count > 0) {
			*src = fib->addresses[fib->range4[port].first].address.v4;
			return 0;
		}
	}
	return -ENOENT;
}

int
route_masquerade4(
	const struct route_table *table, uint16_t nexthop, rte_be32_t dst, rte_be32_t *src)
{
	const struct route_nexthop *nh;

	if (nexthop >= table->nexthop_count)
		return -ENOENT;
	nh = route_nexthop(table, nexthop);
	if (!(nh->flags & ROUTE_NH_USED))
		return -ENOENT;
	return route_source4(table, nh->port, nh->via.v4 != 0 ? nh->via.v4 : dst, src);
}

int
route_output4(const struct route_table *table, rte_be32_t dst, struct route_result *result,
	rte_be32_t *src)
{
	struct route_result found = route_lookup4(table, dst);
	const struct route_nexthop *nh;
	const struct leaf *leaf;

	if (result != NULL)
		*result = found;
	if (found.type == ROUTE_LOCAL) {
		leaf = leaf_find4(fib_of(table), dst);
		*src = leaf->source != 0 ? leaf->source : dst;
		return 0;
	}
	if (found.type == ROUTE_BROADCAST && found.port != PORT_NONE)
		return route_source4(table, found.port, dst, src);
	if (found.type != ROUTE_UNICAST)
		return -ENETUNREACH;
	nh = route_nexthop(table, found.nexthop);
	if (!found.on_link)
		return route_source4(table, found.port, nh->via.v4, src);
	/* A connected route prefers the address that made it (fib_magic). */
	leaf = leaf_find4(fib_of(table), dst);
	if (leaf->source != 0) {
		*src = leaf->source;
		return 0;
	}
	return route_source4(table, found.port, 0, src);
}

int
route_redirect4(const struct route_table *table, uint16_t port, rte_be32_t *addr)
{
	const struct fib *fib = fib_of(table);

	if (port >= PORT_MAX || fib->range4[port].count == 0)
		return -ENOENT;
	*addr = fib->addresses[fib->range4[port].first].address.v4;
	return 0;
}

/* __ipv6_addr_src_scope(): site-local is RFC 4291's deprecated fec0::/10. */
static int
scope6(const union address *a)
{
	if (a->v6[0] == 0xff)
		return a->v6[1] & 0x0f;
	if (is_link_local6(a) || (a->q[0] == 0 && a->q[1] == rte_cpu_to_be_64(1)))
		return SCOPE_LINK;
	if (a->v6[0] == 0xfe && (a->v6[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	return SCOPE_GLOBAL;
}

/* The default policy table of RFC 6724 2.1 as in net/ipv6/addrlabel.c: longest match. */
static int
label6(const union address *a)
{
	static const struct {
		union address prefix;
		uint8_t len;
		uint8_t label;
	} table[] = {
		{{.v6 = {[15] = 1}}, 128, 0},
		{{.v6 = {[10] = 0xff, [11] = 0xff}}, 96, 4},
		{{.v6 = {0}}, 96, 3},
		{{.v6 = {0x20, 0x01}}, 32, 6},
		{{.v6 = {0x20, 0x01, 0x00, 0x10}}, 28, 7},
		{{.v6 = {0x3f, 0xfe}}, 16, 12},
		{{.v6 = {0x20, 0x02}}, 16, 2},
		{{.v6 = {0xfe, 0xc0}}, 10, 11},
		{{.v6 = {0xfc}}, 7, 5},
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(table); i++) {
		if (prefix_holds(&table[i].prefix, table[i].len, a))
			return table[i].label;
	}
	return 1;
}

static bool
orchid6(const union address *a)
{
	return a->v6[0] == 0x20 && a->v6[1] == 0x01 && a->v6[2] == 0 && (a->v6[3] & 0xf0) == 0x10;
}

/* Bits that two addresses have in common from the left. */
static int
common6(const union address *a, const union address *b)
{
	uint64_t diff = rte_be_to_cpu_64(a->q[0] ^ b->q[0]);

	if (diff != 0)
		return __builtin_clzll(diff);
	diff = rte_be_to_cpu_64(a->q[1] ^ b->q[1]);
	return diff != 0 ? 64 + __builtin_clzll(diff) : 128;
}

static void
score6(const struct route_address *a, uint16_t port, const union address *dst, int score[RULES])
{
	int scope = scope6(&a->address);

	score[RULE_SAME] = memcmp(&a->address, dst, sizeof(*dst)) == 0;
	/* Wide enough: the narrower the better. Too narrow: the wider the better, and worse than
	 * all of those. */
	score[RULE_SCOPE] = scope >= scope6(dst) ? -scope : scope - 128;
	score[RULE_PORT] = a->port == port;
	score[RULE_LABEL] = label6(&a->address) == label6(dst);
	score[RULE_ORCHID] = orchid6(&a->address) == orchid6(dst);
	score[RULE_PREFIX] = RTE_MIN(common6(&a->address, dst), (int)a->len);
}

int
route_source6(const struct route_table *table, uint16_t port, const union address *dst,
	union address *src)
{
	bool own_port = dst->v6[0] == 0xff || scope6(dst) <= SCOPE_LINK;
	const struct fib *fib = fib_of(table);
	int best[RULES] = {INT_MIN};
	int score[RULES];
	uint16_t p;
	int rule;
	uint32_t i;

	for (p = 0; p < PORT_MAX; p++) {
		if (own_port && p != port)
			continue;
		for (i = 0; i < fib->range6[p].count; i++) {
			const struct route_address *a = &fib->addresses[fib->range6[p].first + i];

			score6(a, port, dst, score);
			for (rule = 0; rule < RULES - 1 && score[rule] == best[rule]; rule++)
				;
			if (score[rule] > best[rule]) {
				memcpy(best, score, sizeof(best));
				*src = a->address;
			}
		}
	}
	return best[0] == INT_MIN ? -ENOENT : 0;
}

int
route_output6(const struct route_table *table, uint16_t port, const union address *dst,
	struct route_result *result, union address *src)
{
	struct route_result found = route_lookup6(table, port, dst);

	if (result != NULL)
		*result = found;
	if (found.type == ROUTE_LOCAL) {
		*src = *dst;
		return 0;
	}
	if (found.type != ROUTE_UNICAST && found.type != ROUTE_ANYCAST)
		return -ENETUNREACH;
	return route_source6(table, found.port, dst, src);
}

int
route_redirect6(const struct route_table *table, uint16_t port, const union address *dst,
	union address *addr)
{
	const struct fib *fib = fib_of(table);
	uint32_t i;

	if (port >= PORT_MAX)
		return -ENOENT;
	for (i = 0; i < fib->range6[port].count; i++) {
		const struct route_address *a = &fib->addresses[fib->range6[port].first + i];

		/* A global destination takes any address (its scope bits are 0 there). */
		if (scope6(dst) == SCOPE_GLOBAL || scope6(&a->address) == scope6(dst)) {
			*addr = a->address;
			return 0;
		}
	}
	return -ENOENT;
}
