/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>

/* Pairs that are made ready at once when the worker comes near the end of the ready ones. */
#define READY_AHEAD 65536U

static uint64_t
hash_of_value(const void *owner, uint32_t value)
{
	const struct flow_table *table = owner;

	if (value & FLOW_ALIAS)
		return flow_hash(table, &flow_alias_at(table, value)->tuple);
	return table->family == FAMILY_IPV4 ? flow4_hash(table, flow4_at(table, value)->key)
					    : flow6_hash(table, &flow6_at(table, value)->key);
}

int
flow_table_init(struct flow_table *table, uint8_t family, uint32_t max, uint32_t start,
	const uint64_t secret[4])
{
	size_t record = family == FAMILY_IPV4 ? sizeof(struct flow4) : sizeof(struct flow6);
	int rc;

	if (max == 0 || max > FLOW_ALIAS / 4 || (family != FAMILY_IPV4 && family != FAMILY_IPV6))
		return -EINVAL;
	memset(table, 0, sizeof(*table));
	table->family = family;
	table->free_pair = FLOW_NONE;
	table->free_alias = FLOW_NONE;
	memcpy(table->secret, secret, sizeof(table->secret));
	if (start > max)
		start = max;
	rc = region_reserve(&table->record_region, 2 * record, max);
	if (rc == 0)
		rc = region_reserve(&table->alias_region, sizeof(struct flow_alias), max);
	if (rc == 0)
		rc = region_make_ready(&table->record_region, start);
	if (rc == 0)
		rc = region_make_ready(&table->alias_region, start / 16 + 1);
	if (rc == 0)
		rc = index_init(&table->index, (uint64_t)max * 3, (uint64_t)start * 2,
			hash_of_value, table);
	if (rc != 0) {
		flow_table_fini(table);
		return rc;
	}
	table->records = table->record_region.base;
	table->aliases = (struct flow_alias *)(void *)table->alias_region.base;
	return 0;
}

void
flow_table_fini(struct flow_table *table)
{
	index_fini(&table->index);
	region_release(&table->record_region);
	region_release(&table->alias_region);
}

int
flow_table_prepare(struct flow_table *table)
{
	uint32_t pairs = atomic_load_explicit(&table->want_pairs, memory_order_relaxed);
	uint32_t aliases = atomic_load_explicit(&table->want_aliases, memory_order_relaxed);
	int rc = index_prepare(&table->index);

	if (rc == 0)
		rc = region_make_ready(&table->record_region, pairs);
	if (rc == 0)
		rc = region_make_ready(&table->alias_region, aliases);
	return rc;
}

uint64_t
flow_table_bytes(const struct flow_table *table)
{
	return index_bytes(&table->index) + region_bytes(&table->record_region) +
	       region_bytes(&table->alias_region);
}

void
flow_tuple(const struct flow_table *table, uint32_t record, struct tuple *out)
{
	if (table->family == FAMILY_IPV4)
		flow4_tuple_of(&flow4_at(table, record)->key, out);
	else
		*out = flow6_at(table, record)->key;
}

static bool
alias_has(const struct flow_table *table, uint32_t value, const struct tuple *t)
{
	return tuple_equal(&flow_alias_at(table, value)->tuple, t);
}

uint32_t
flow4_find(const struct flow_table *table, struct flow4_key key, uint64_t hash)
{
	uint32_t value;

	INDEX_FOR_EACH(&table->index, hash, value)
	{
		struct flow4_key have;

		if (value & FLOW_ALIAS)
			have = flow4_key_of(&flow_alias_at(table, value)->tuple);
		else
			have = flow4_at(table, value)->key;
		if (have.addresses == key.addresses && have.rest == key.rest)
			return value;
	}
	return FLOW_NONE;
}

uint32_t
flow_find(const struct flow_table *table, const struct tuple *t, uint64_t hash)
{
	uint32_t value;

	if (table->family == FAMILY_IPV4)
		return flow4_find(table, flow4_key_of(t), hash);
	INDEX_FOR_EACH(&table->index, hash, value)
	{
		if (value & FLOW_ALIAS ? alias_has(table, value, t)
				       : tuple_equal(&flow6_at(table, value)->key, t))
			return value;
	}
	return FLOW_NONE;
}

/* The first four bytes of a free pair number the next one. */
static uint32_t *
pair_link(const struct flow_table *table, uint32_t pair)
{
	return (uint32_t *)(void *)(table->records + table->record_region.stride * pair);
}

uint32_t
flow_pair_alloc(struct flow_table *table)
{
	uint32_t pair = table->free_pair;

	if (pair != FLOW_NONE) {
		table->free_pair = *pair_link(table, pair);
	} else {
		uint64_t ready =
			atomic_load_explicit(&table->record_region.ready, memory_order_acquire);

		if (table->fresh_pair + READY_AHEAD / 2 > ready)
			atomic_store_explicit(&table->want_pairs,
				(uint32_t)RTE_MIN((uint64_t)table->fresh_pair + READY_AHEAD +
							  table->fresh_pair / 16,
					table->record_region.max),
				memory_order_relaxed);
		if (table->fresh_pair >= ready)
			return FLOW_NONE;
		pair = table->fresh_pair++;
	}
	memset(table->records + table->record_region.stride * pair, 0, table->record_region.stride);
	table->pairs++;
	return pair;
}

void
flow_pair_free(struct flow_table *table, uint32_t pair)
{
	flow_tail(table, 2 * pair)->state = FLOW_FREE;
	flow_tail(table, 2 * pair + 1)->state = FLOW_FREE;
	*pair_link(table, pair) = table->free_pair;
	table->free_pair = pair;
	table->pairs--;
}

void
flow_set_tuple(struct flow_table *table, uint32_t record, const struct tuple *t)
{
	if (table->family == FAMILY_IPV4)
		flow4_at(table, record)->key = flow4_key_of(t);
	else
		flow6_at(table, record)->key = *t;
}

int
flow_insert(struct flow_table *table, uint32_t record)
{
	return index_insert(&table->index, hash_of_value(table, record), record);
}

void
flow_remove(struct flow_table *table, uint32_t record)
{
	(void)index_remove(&table->index, hash_of_value(table, record), record);
}

/* Add b to a in one's complement. */
static uint32_t
add(uint32_t a, uint32_t b)
{
	uint64_t sum = (uint64_t)a + b;

	return (uint32_t)sum + (uint32_t)(sum >> 32);
}

/* No change is 0, never minus 0, so that a checksum of 0xffff stays as it is. */
static uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? 0 : (uint16_t)sum;
}

/* What replacing these bytes adds to a one's complement sum (RFC 1624, eqn. 3: ~m + m'). */
static uint32_t
delta(uint32_t sum, const uint32_t *old, const uint32_t *new, unsigned int words)
{
	for (unsigned int i = 0; i < words; i++)
		sum = add(add(sum, ~old[i]), new[i]);
	return sum;
}

/* The IPv4 form, on keys: this is in the way of every new connection. */
static void
set_rewrite4(struct flow_table *table, uint32_t record)
{
	struct flow4 *flow = flow4_at(table, record);
	const struct flow4 *twin = flow4_at(table, record ^ 1);
	uint64_t out = twin->key.addresses >> 32 | twin->key.addresses << 32;
	uint32_t in_ports = (uint32_t)flow->key.rest, ports = (uint32_t)twin->key.rest;
	uint8_t proto = (uint8_t)(flow->key.rest >> 32);
	uint32_t sum;

	if (proto == IPPROTO_ICMP)
		/* The identifier may change; type and code never do. */
		ports = (in_ports & 0xffff0000) | (ports & 0xffff);
	else
		ports = ports >> 16 | ports << 16;
	flow->new_addresses = out;
	memcpy(&flow->tail.new_sport, &ports, sizeof(ports));
	sum = add(~(uint32_t)flow->key.addresses, (uint32_t)out);
	sum = add(add(sum, ~(uint32_t)(flow->key.addresses >> 32)), (uint32_t)(out >> 32));
	flow->tail.l3_delta = fold(sum);
	flow->tail.l4_delta = fold(add(add(sum, ~in_ports), ports));
}

void
flow_set_rewrite(struct flow_table *table, uint32_t record)
{
	struct flow_tail *tail = flow_tail(table, record);
	struct tuple in, twin, out;
	uint32_t addresses, ports[2];

	if (table->family == FAMILY_IPV4) {
		set_rewrite4(table, record);
		return;
	}
	flow_tuple(table, record, &in);
	flow_tuple(table, record ^ 1, &twin);
	if (!tuple_invert(&twin, &out))
		out = in;
	tail->new_sport = out.sport;
	/* ICMP has type and code there: they are never translated. */
	tail->new_dport = out.dport;
	addresses = delta(0, in.src.w, out.src.w, 4);
	addresses = delta(addresses, in.dst.w, out.dst.w, 4);
	ports[0] = (uint32_t)in.dport << 16 | in.sport;
	ports[1] = (uint32_t)out.dport << 16 | out.sport;
	tail->l3_delta = fold(addresses);
	tail->l4_delta = fold(delta(addresses, &ports[0], &ports[1], 1));
	flow6_at(table, record)->new_src = out.src;
	flow6_at(table, record)->new_dst = out.dst;
}

int
flow_alias_insert(struct flow_table *table, const struct tuple *t, uint8_t owner, uint32_t pair)
{
	uint64_t hash = flow_hash(table, t);
	uint32_t alias = table->free_alias;
	struct flow_alias *entry;
	int rc;

	if (flow_find(table, t, hash) != FLOW_NONE)
		return -EEXIST;
	if (alias == FLOW_NONE) {
		uint64_t ready =
			atomic_load_explicit(&table->alias_region.ready, memory_order_acquire);

		if ((uint64_t)table->fresh_alias + READY_AHEAD / 8 > ready)
			atomic_store_explicit(&table->want_aliases,
				table->fresh_alias + READY_AHEAD / 4, memory_order_relaxed);
		if (table->fresh_alias >= ready)
			return -ENOSPC;
		alias = table->fresh_alias;
	}
	entry = &table->aliases[alias];
	if (alias == table->fresh_alias)
		table->fresh_alias++;
	else
		table->free_alias = entry->pair;
	*entry = (struct flow_alias){.tuple = *t, .owner = owner, .pair = pair};
	rc = index_insert(&table->index, hash, alias | FLOW_ALIAS);
	if (rc != 0) {
		entry->pair = table->free_alias;
		table->free_alias = alias;
		return rc;
	}
	table->alias_count++;
	return 0;
}

int
flow_alias_remove(struct flow_table *table, const struct tuple *t, uint8_t owner, uint32_t pair)
{
	uint64_t hash = flow_hash(table, t);
	uint32_t value = flow_find(table, t, hash);
	struct flow_alias *entry;

	if (value == FLOW_NONE || !(value & FLOW_ALIAS))
		return -ENOENT;
	entry = flow_alias_at(table, value);
	if (entry->owner != owner || entry->pair != pair)
		return -ENOENT;
	(void)index_remove(&table->index, hash, value);
	entry->pair = table->free_alias;
	table->free_alias = value & ~FLOW_ALIAS;
	table->alias_count--;
	return 0;
}
