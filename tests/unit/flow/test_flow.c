/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const uint64_t secret[4] = {
	0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89};

static struct tuple
tuple4(uint32_t n)
{
	struct tuple t = {.family = FAMILY_IPV4, .proto = 17};

	t.src.v4 = rte_cpu_to_be_32(0x0a000000 + (n >> 12));
	t.dst.v4 = rte_cpu_to_be_32(0xc0000201);
	t.sport = rte_cpu_to_be_16((uint16_t)(1024 + (n & 0xfff)));
	t.dport = rte_cpu_to_be_16(53);
	return t;
}

static struct tuple
tuple6(uint32_t n)
{
	struct tuple t = {.family = FAMILY_IPV6, .proto = 6};

	memcpy(t.src.v6, "\x20\x01\x0d\xb8", 4);
	t.src.w[3] = n;
	memcpy(t.dst.v6, "\x20\x01\x0d\xb8\xff", 5);
	t.sport = 1234;
	t.dport = 443;
	return t;
}

static struct tuple
tuple_of(uint8_t family, uint32_t n)
{
	return family == FAMILY_IPV4 ? tuple4(n) : tuple6(n);
}

static uint32_t
add(struct flow_table *table, uint32_t n)
{
	struct tuple t = tuple_of(table->family, n), reply;
	uint32_t pair = flow_pair_alloc(table);

	if (pair == FLOW_NONE)
		return FLOW_NONE;
	CU_ASSERT_TRUE(tuple_invert(&t, &reply));
	flow_set_tuple(table, 2 * pair, &t);
	flow_set_tuple(table, 2 * pair + 1, &reply);
	CU_ASSERT_EQUAL(flow_insert(table, 2 * pair), 0);
	CU_ASSERT_EQUAL(flow_insert(table, 2 * pair + 1), 0);
	return pair;
}

static void
del(struct flow_table *table, uint32_t pair)
{
	flow_remove(table, 2 * pair);
	flow_remove(table, 2 * pair + 1);
	flow_pair_free(table, pair);
}

static void
check(const struct flow_table *table, uint32_t n, uint32_t pair)
{
	struct tuple t = tuple_of(table->family, n), reply;

	tuple_invert(&t, &reply);
	CU_ASSERT_EQUAL(flow_find(table, &t, flow_hash(table, &t)),
		pair == FLOW_NONE ? FLOW_NONE : 2 * pair);
	CU_ASSERT_EQUAL(flow_find(table, &reply, flow_hash(table, &reply)),
		pair == FLOW_NONE ? FLOW_NONE : 2 * pair + 1);
}

/*
 * Between growths each bucket knows exactly how many of its own are in their
 * second buckets. Returns how many there are in all.
 */
static uint32_t
check_spilled(const struct flow_table *table)
{
	const struct index *index = &table->index;
	uint32_t *counts = calloc((size_t)index->mask + 1, sizeof(*counts));
	uint32_t all = 0, wrong = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(counts);
	CU_ASSERT_EQUAL(index->split, 0);
	for (uint32_t i = 0; i <= index->mask; i++) {
		const struct index_bucket *bucket = &index->buckets[i];

		for (unsigned int slot = 0; slot < INDEX_SLOTS; slot++) {
			uint16_t tag = bucket->tag[slot];
			uint64_t hash;

			if (tag == 0)
				continue;
			hash = index->hash_of(index->owner, bucket->value[slot]);
			if (tag & INDEX_IN_FIRST) {
				wrong += index_first(index, hash) != bucket;
				continue;
			}
			wrong += index_second(index, hash) != bucket;
			counts[index_first(index, hash) - index->buckets]++;
			all++;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t i = 0; i <= index->mask; i++)
		wrong += index->buckets[i].spilled != counts[i] || index->buckets[i].recount != 0;
	CU_ASSERT_EQUAL(wrong, 0);
	free(counts);
	return all;
}

/* Random additions and removals against an array that says who is there, through many doublings. */
static void
model(uint8_t family)
{
	enum { UNIVERSE = 200000 };
	struct flow_table table;
	uint32_t *pair_of = malloc(UNIVERSE * sizeof(*pair_of));
	uint32_t live = 0, steady = 0, spilled = 0;

	srandom(42);
	for (uint32_t i = 0; i < UNIVERSE; i++)
		pair_of[i] = FLOW_NONE;
	CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, family, UNIVERSE, 64, secret), 0);
	for (uint32_t step = 0; step < 800000; step++) {
		uint32_t n = (uint32_t)random() % UNIVERSE;
		/* Up to step 400000 it grows, then it shrinks to a tenth. */
		bool grow = random() % 10 < (step < 400000 ? 8 : 2);

		if (pair_of[n] == FLOW_NONE && grow) {
			pair_of[n] = add(&table, n);
			CU_ASSERT_NOT_EQUAL_FATAL(pair_of[n], FLOW_NONE);
			live++;
		} else if (pair_of[n] != FLOW_NONE && !grow) {
			del(&table, pair_of[n]);
			pair_of[n] = FLOW_NONE;
			live--;
		}
		if (step % 1024 == 0)
			CU_ASSERT_EQUAL(flow_table_prepare(&table), 0);
		if (step % (step < 20000 ? 10 : 5000) == 0 && table.index.phase == INDEX_STEADY) {
			spilled += check_spilled(&table);
			steady++;
		}
		if (step % 100000 == 99999) {
			CU_ASSERT_EQUAL(table.pairs, live);
			CU_ASSERT_EQUAL(table.index.count, 2 * live);
			for (uint32_t i = 0; i < UNIVERSE; i++)
				check(&table, i, pair_of[i]);
		}
	}
	for (uint32_t i = 0; i < UNIVERSE; i++)
		if (pair_of[i] != FLOW_NONE)
			del(&table, pair_of[i]);
	/* It was looked at often, and there was something to see. */
	CU_ASSERT(steady > 100 && spilled > 10000);
	CU_ASSERT_EQUAL(table.index.phase, INDEX_STEADY);
	CU_ASSERT_EQUAL(check_spilled(&table), 0);
	CU_ASSERT_EQUAL(table.pairs, 0);
	CU_ASSERT_EQUAL(table.index.count, 0);
	flow_table_fini(&table);
	free(pair_of);
}

static void
test_model4(void)
{
	model(FAMILY_IPV4);
}

static void
test_model6(void)
{
	model(FAMILY_IPV6);
}

/* A full table says so and keeps what it has. */
static void
test_full(void)
{
	struct flow_table table;
	uint32_t pair[100];

	CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, FAMILY_IPV4, 100, 1, secret), 0);
	for (uint32_t i = 0; i < 100; i++) {
		pair[i] = add(&table, i);
		if (pair[i] == FLOW_NONE) {
			CU_ASSERT_EQUAL(flow_table_prepare(&table), 0);
			pair[i] = add(&table, i);
		}
		CU_ASSERT_NOT_EQUAL(pair[i], FLOW_NONE);
	}
	flow_table_prepare(&table);
	CU_ASSERT_EQUAL(flow_pair_alloc(&table), FLOW_NONE);
	for (uint32_t i = 0; i < 100; i++)
		check(&table, i, pair[i]);
	del(&table, pair[7]);
	check(&table, 7, FLOW_NONE);
	CU_ASSERT_NOT_EQUAL(add(&table, 1000), FLOW_NONE);
	flow_table_fini(&table);
}

static void
test_alias(void)
{
	struct flow_table table;
	struct tuple t = tuple4(1), other = tuple4(2);

	CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, FAMILY_IPV4, 100, 100, secret), 0);
	CU_ASSERT_EQUAL(flow_alias_insert(&table, &t, 3, 77), 0);
	CU_ASSERT_EQUAL(flow_alias_insert(&table, &t, 2, 78), -EEXIST);
	CU_ASSERT_EQUAL(flow_alias_insert(&table, &other, 1, 5), 0);
	uint32_t value = flow_find(&table, &t, flow_hash(&table, &t));
	CU_ASSERT(value != FLOW_NONE && (value & FLOW_ALIAS) != 0);
	CU_ASSERT_EQUAL(flow_alias_at(&table, value)->owner, 3);
	CU_ASSERT_EQUAL(flow_alias_at(&table, value)->pair, 77);
	CU_ASSERT_EQUAL(flow_alias_remove(&table, &t, 2, 77), -ENOENT);
	CU_ASSERT_EQUAL(flow_alias_remove(&table, &t, 3, 77), 0);
	CU_ASSERT_EQUAL(flow_find(&table, &t, flow_hash(&table, &t)), FLOW_NONE);
	CU_ASSERT_EQUAL(flow_alias_remove(&table, &other, 1, 5), 0);
	CU_ASSERT_EQUAL(table.alias_count, 0);
	/* A record's tuple cannot become an alias. */
	add(&table, 1);
	CU_ASSERT_EQUAL(flow_alias_insert(&table, &t, 3, 77), -EEXIST);
	flow_table_fini(&table);
}

/* The rewrite of each direction is the inverse of the other's tuple. */
static void
test_rewrite(void)
{
	struct flow_table table;
	struct tuple t = tuple4(1), reply;
	uint32_t pair;

	CU_ASSERT_EQUAL_FATAL(flow_table_init(&table, FAMILY_IPV4, 10, 10, secret), 0);
	pair = flow_pair_alloc(&table);
	tuple_invert(&t, &reply);
	reply.dst.v4 = rte_cpu_to_be_32(0xcb007101);
	reply.dport = rte_cpu_to_be_16(60000);
	flow_set_tuple(&table, 2 * pair, &t);
	flow_set_tuple(&table, 2 * pair + 1, &reply);
	flow_set_rewrite(&table, 2 * pair);
	flow_set_rewrite(&table, 2 * pair + 1);
	CU_ASSERT_EQUAL((uint32_t)flow4_at(&table, 2 * pair)->new_addresses, reply.dst.v4);
	CU_ASSERT_EQUAL((uint32_t)(flow4_at(&table, 2 * pair)->new_addresses >> 32), t.dst.v4);
	CU_ASSERT_EQUAL(flow4_at(&table, 2 * pair)->tail.new_sport, reply.dport);
	CU_ASSERT_EQUAL(flow4_at(&table, 2 * pair)->tail.new_dport, t.dport);
	CU_ASSERT_EQUAL((uint32_t)(flow4_at(&table, 2 * pair + 1)->new_addresses >> 32), t.src.v4);
	CU_ASSERT_EQUAL(flow4_at(&table, 2 * pair + 1)->tail.new_dport, t.sport);
	/* What one direction adds to a checksum the other takes away. */
	CU_ASSERT_EQUAL((uint16_t)(flow4_at(&table, 2 * pair)->tail.l3_delta +
				   flow4_at(&table, 2 * pair + 1)->tail.l3_delta),
		0xffff);
	flow_table_fini(&table);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"IPv4 table against a model", test_model4},
		{"IPv6 table against a model", test_model6},
		{"a full table", test_full},
		{"aliases", test_alias},
		{"rewrite", test_rewrite},
		CU_TEST_INFO_NULL,
	};

	return unit_run("flow", tests);
}
