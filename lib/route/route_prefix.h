/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Within lib/route: lists of prefixes, and the intervals that they cut the
 * address space into. Control thread, while a table is built.
 */
#ifndef SHUNT_ROUTE_ROUTE_PREFIX_H
#define SHUNT_ROUTE_ROUTE_PREFIX_H

#include "route_priv.h"

/** Of two equal prefixes the lower class counts: Linux asks the local table before main. */
enum prefix_class {
	PREFIX_LOCAL,
	PREFIX_NEIGHBOUR, /**< a host on-link whose next hop is known */
	PREFIX_MAIN,
};

struct prefix {
	struct key6 start;
	struct key6 end;
	uint32_t order;
	uint8_t len;
	uint8_t class;
	struct leaf leaf;
	const struct route_entry *entry; /**< the static route it comes from, or NULL */
};

/** Room is the owner's business. */
struct prefix_list {
	struct prefix *prefixes;
	uint32_t count;
};

/** An interval's first address, and its leaf: 0 none, else prefix + 1. */
struct interval {
	struct key6 start;
	uint16_t leaf;
};

struct interval_list {
	struct interval *intervals;
	uint32_t count;
};

/** Append a prefix; the list has room. dst may have bits beyond len. */
void prefix_add(struct prefix_list *list, uint8_t family, const union address *dst, uint8_t len,
	enum prefix_class class, const struct leaf *leaf, const struct route_entry *entry);

/**
 * Sort, and keep of equal prefixes the one that counts.
 * @return a prefix of the main class that a static route doubles, or NULL
 */
const struct prefix *prefixes_sort(struct prefix_list *list);

/** Intervals of a sorted list; free(out->intervals) when done. @return 0, -ENOMEM */
int intervals_build(const struct prefix_list *list, struct interval_list *out);

/** The leaf of an address. */
uint16_t interval_find(const struct interval_list *list, const struct key6 *key);

#endif
