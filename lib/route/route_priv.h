/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Within lib/route: the stage that the control thread edits and the table that
 * is made of it.
 */
#ifndef SHUNT_ROUTE_ROUTE_PRIV_H
#define SHUNT_ROUTE_ROUTE_PRIV_H

#include "route.h"

/** A route's outcome. Many prefixes, one each. */
struct leaf {
	uint8_t type;
	uint8_t on_link;
	uint16_t port;
	uint16_t nexthop;
	rte_be32_t source; /**< IPv4: of a connected route its address, of a secondary its primary
			      (fib_prefsrc); else 0 */
};

/** An IPv6 address as a number; its halves in host order. */
struct key6 {
	uint64_t high;
	uint64_t low;
};

/**
 * Longest prefix match as a binary search: the prefixes cut the address space
 * into intervals, each with one outcome. start[0] is 0.
 */
struct lpm4 {
	uint32_t *start;
	uint16_t *leaf;
	uint32_t count;
};

struct lpm6 {
	struct key6 *start;
	uint16_t *leaf;
	uint32_t count;
};

/** A neighbour with a link-local address, which no common table can hold. */
struct link_neighbour {
	struct key6 address;
	uint16_t port;
	uint16_t nexthop;
};

/** Where a port's addresses are: [first, first + count) of fib.addresses. */
struct address_range {
	uint16_t first;
	uint16_t count;
};

/** A published table; the public head comes first. Immutable. */
struct fib {
	struct route_table head;
	struct lpm4 v4;
	struct lpm6 v6;
	struct leaf *leaves4; /**< [0] is ROUTE_NONE */
	struct leaf *leaves6;
	struct route_address
		*addresses; /**< by family and port, in the kernel's order of an interface */
	uint32_t address_count;
	struct address_range range4[PORT_MAX];
	struct address_range range6[PORT_MAX];
	uint16_t glean6[PORT_MAX];   /**< a port's own next hop for IPv6, NEXTHOP_NONE without the
					port */
	struct link_neighbour *link; /**< by port, then address */
	uint32_t link_count;
	struct route_entry *entries; /**< for listing, IPv4 first, by prefix */
	uint32_t entry_count;
	struct route_nexthop *nexthops; /**< what head.nexthops points to */
};

/** What the control thread edits; also what was committed last. */
struct route_config {
	struct route_port ports[PORT_MAX];
	bool port_used[PORT_MAX];
	struct route_address *addresses;
	uint32_t address_count;
	struct route_entry *entries;
	uint32_t entry_count;
	struct route_neighbour *neighbours;
	uint32_t neighbour_count;
};

struct route {
	const struct route_table *current;
	struct route_config live;
	struct route_config stage;
	bool epoch_due; /**< the stage differs in more than neighbours and MTUs */
};

/** Which next hops a commit needs, sorted and without doubles; see route_nexthop.c. */
struct nexthop_key {
	struct key6 address; /**< IPv4: in the upper half of high */
	uint16_t port;
	uint8_t family;
	uint8_t flags;	/**< ROUTE_NH_GATEWAY */
	uint16_t index; /**< set by nexthops_build() */
};

struct nexthop_set {
	struct nexthop_key *keys;
	uint32_t count;
};

static inline const struct fib *
fib_of(const struct route_table *table)
{
	return (const struct fib *)table;
}

/** An address as a number, IPv4 in the upper half of high; and back. */
struct key6 key_of(const union address *address, uint8_t family);
union address address_of(const struct key6 *key);

static inline int
key_compare(const struct key6 *a, const struct key6 *b)
{
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->low < b->low ? -1 : a->low > b->low;
}

static inline bool
is_link_local6(const union address *a)
{
	return a->v6[0] == 0xfe && (a->v6[1] & 0xc0) == 0x80;
}

/** The outcome for an address that is none of the special ones. */
const struct leaf *leaf_find4(const struct fib *fib, rte_be32_t addr);

/** Whether address, cut to len bits, is prefix. */
bool prefix_holds(const union address *prefix, uint8_t len, const union address *address);

/** address cut to len bits. */
union address prefix_of(const union address *address, uint8_t len);

/**
 * Fill fib->nexthops with what the stage needs, indices kept from the table
 * before where the (port, address) was there. @return 0, -ENOMEM
 */
int nexthops_build(const struct route_config *config, const struct fib *before, struct fib *fib,
	struct nexthop_set *set);

/** The index of a next hop of the set; address NULL: the port's own. NEXTHOP_NONE if it is not
 * there. */
uint16_t nexthop_find(
	const struct nexthop_set *set, uint8_t family, uint16_t port, const union address *address);

/** The addresses by port in the kernel's order, secondaries marked, link-local ones made. @return
 * 0, -ENOMEM */
int addresses_build(const struct route_config *config, struct fib *fib);

/** Build a whole table from a config whose gateways are resolved in place. @return as
 * route_commit() */
int fib_build(struct route_config *config, const struct fib *before, struct fib **out,
	char err[ROUTE_ERR_LEN]);

/** Free a table. NULL is ignored. */
void fib_free(void *fib);

#endif
