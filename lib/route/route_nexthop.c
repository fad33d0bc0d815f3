/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The next hop table: dense, indexed by 16 bits, an index kept as long as its
 * (port, address) is needed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "route_priv.h"

static int
compare_keys(const void *a, const void *b)
{
	const struct nexthop_key *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return key_compare(&x->address, &y->address);
}

static struct nexthop_key
make_key(uint8_t family, uint16_t port, const union address *address, uint8_t flags)
{
	static const union address none;

	return (struct nexthop_key){
		.address = key_of(address != NULL ? address : &none, family),
		.port = port,
		.family = family,
		.flags = flags,
		.index = NEXTHOP_NONE,
	};
}

/* One key each for: a port and family, a gateway, a neighbour. Sorted, doubles merged. */
static int
keys_collect(const struct route_config *config, struct nexthop_set *set)
{
	uint32_t room = 2 * PORT_MAX + config->entry_count + config->neighbour_count;
	const struct route_entry *e;
	struct nexthop_key *keys;
	uint32_t n = 0, i, out;
	uint16_t port;

	keys = calloc(room, sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	for (port = 0; port < PORT_MAX; port++) {
		if (!config->port_used[port])
			continue;
		keys[n++] = make_key(FAMILY_IPV4, port, NULL, 0);
		keys[n++] = make_key(FAMILY_IPV6, port, NULL, 0);
	}
	for (i = 0; i < config->entry_count; i++) {
		e = &config->entries[i];
		if (e->has_via)
			keys[n++] = make_key(e->family, e->port, &e->via, ROUTE_NH_GATEWAY);
	}
	for (i = 0; i < config->neighbour_count; i++)
		keys[n++] = make_key(config->neighbours[i].family, config->neighbours[i].port,
			&config->neighbours[i].address, 0);
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 0, out = 0; i < n; i++) {
		if (out > 0 && compare_keys(&keys[out - 1], &keys[i]) == 0)
			keys[out - 1].flags |= keys[i].flags;
		else
			keys[out++] = keys[i];
	}
	set->keys = keys;
	set->count = out;
	return 0;
}

static struct nexthop_key *
key_search(const struct nexthop_set *set, const struct nexthop_key *key)
{
	return bsearch(key, set->keys, set->count, sizeof(*key), compare_keys);
}

uint16_t
nexthop_find(
	const struct nexthop_set *set, uint8_t family, uint16_t port, const union address *address)
{
	struct nexthop_key key = make_key(family, port, address, 0);
	const struct nexthop_key *found = key_search(set, &key);

	return found != NULL ? found->index : NEXTHOP_NONE;
}

/* Start from the table before; what is not needed any more is cleared, what stays gives its index.
 */
static void
keep_indices(const struct nexthop_set *set, struct route_nexthop *table, uint32_t count)
{
	struct nexthop_key key, *found;
	uint32_t generation, i;

	for (i = 0; i < count; i++) {
		if (!(table[i].flags & ROUTE_NH_USED))
			continue;
		key = make_key(table[i].family, table[i].port, &table[i].via, 0);
		found = key_search(set, &key);
		if (found != NULL) {
			found->index = (uint16_t)i;
			continue;
		}
		generation = table[i].generation + 1;
		memset(&table[i], 0, sizeof(table[i]));
		table[i].generation = generation;
		table[i].port = PORT_NONE;
	}
}

static void
fill(const struct route_config *config, const struct nexthop_key *key, struct route_nexthop *nh)
{
	const uint16_t type = rte_cpu_to_be_16(
		key->family == FAMILY_IPV4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	const struct route_port *port = &config->ports[key->port];

	memset(nh, 0, sizeof(*nh));
	nh->via = address_of(&key->address);
	nh->port = key->port;
	nh->mtu = port->mtu;
	nh->flags = ROUTE_NH_USED | key->flags;
	nh->family = key->family;
	memcpy(&nh->l2[6], port->mac, 6);
	memcpy(&nh->l2[12], &type, sizeof(type));
}

/* New content for every key; the generation grows where it differs from the old. */
static void
entries_write(const struct route_config *config, const struct nexthop_set *set,
	struct route_nexthop *fresh, struct route_nexthop *table)
{
	const struct route_neighbour *n;
	struct nexthop_key key, *found;
	uint32_t i, generation;

	for (i = 0; i < set->count; i++)
		fill(config, &set->keys[i], &fresh[i]);
	for (i = 0; i < config->neighbour_count; i++) {
		n = &config->neighbours[i];
		key = make_key(n->family, n->port, &n->address, 0);
		found = key_search(set, &key);
		memcpy(fresh[found - set->keys].l2, n->mac, 6);
		fresh[found - set->keys].flags |= ROUTE_NH_RESOLVED;
	}
	for (i = 0; i < set->count; i++) {
		struct route_nexthop *nh = &table[set->keys[i].index];

		generation = nh->generation;
		fresh[i].generation = generation;
		if (memcmp(nh, &fresh[i], sizeof(*nh)) != 0) {
			fresh[i].generation = generation + 1;
			*nh = fresh[i];
		}
	}
}

int
nexthops_build(const struct route_config *config, const struct fib *before, struct fib *fib,
	struct nexthop_set *set)
{
	uint32_t old = before != NULL ? before->head.nexthop_count : 0;
	struct route_nexthop *table = NULL, *fresh = NULL;
	uint32_t count, next = 0, i;
	int ret = keys_collect(config, set);

	if (ret != 0)
		return ret;
	/* Never more than old + new entries, and old ones are reused: the limits keep this far
	 * below 2^16. */
	count = old + set->count;
	table = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*table) * RTE_MAX(count, 1u));
	fresh = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*fresh) * RTE_MAX(set->count, 1u));
	if (table == NULL || fresh == NULL) {
		free(table);
		free(fresh);
		return -ENOMEM;
	}
	memset(table, 0, sizeof(*table) * RTE_MAX(count, 1u));
	if (old > 0)
		memcpy(table, before->head.nexthops, sizeof(*table) * old);
	keep_indices(set, table, old);
	for (i = 0; i < set->count; i++) {
		if (set->keys[i].index != NEXTHOP_NONE)
			continue;
		while (table[next].flags & ROUTE_NH_USED)
			next++;
		table[next].flags = ROUTE_NH_USED; /* taken; entries_write() fills it */
		set->keys[i].index = (uint16_t)next;
	}
	for (count = RTE_MAX(old, next + 1);
		count > old && !(table[count - 1].flags & ROUTE_NH_USED);)
		count--;
	entries_write(config, set, fresh, table);
	free(fresh);
	fib->nexthops = table;
	fib->head.nexthops = table;
	fib->head.nexthop_count = count;
	return 0;
}
