/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index.h"

#include <errno.h>

#include <rte_common.h>

/* Growth starts above this load (in 1/16 of the slots) ... */
#define GROW_AT 13
/* ... and its memory is made ready above this one. */
#define PREPARE_AT 9
/* Buckets that each insertion splits or recounts while a growth is under way. */
#define STEPS_AN_INSERT 4

/* Buckets in use now. */
static uint64_t
buckets(const struct index *index)
{
	return (uint64_t)index->mask + 1 + index->split;
}

static bool
loaded_above(const struct index *index, unsigned int sixteenths)
{
	return (uint64_t)index->count * 16 > buckets(index) * INDEX_SLOTS * sixteenths;
}

int
index_init(struct index *index, uint64_t max, uint64_t start, index_hash_of_t hash_of,
	const void *owner)
{
	uint64_t most, first;
	int rc;

	if (max == 0 || max > UINT32_MAX / 2)
		return -EINVAL;
	if (start > max)
		start = max;
	most = rte_align64pow2(max * 16 / (INDEX_SLOTS * GROW_AT) + 1);
	first = rte_align64pow2(start * 16 / (INDEX_SLOTS * GROW_AT) + 1);
	*index = (struct index){
		.mask = (uint32_t)first - 1,
		.hash_of = hash_of,
		.owner = owner,
	};
	rc = region_reserve(&index->region, sizeof(struct index_bucket), most);
	if (rc != 0)
		return rc;
	rc = region_make_ready(&index->region, first);
	if (rc != 0) {
		region_release(&index->region);
		return rc;
	}
	index->buckets = (struct index_bucket *)(void *)index->region.base;
	return 0;
}

void
index_fini(struct index *index)
{
	region_release(&index->region);
	index->buckets = NULL;
}

int
index_prepare(struct index *index)
{
	return region_make_ready(
		&index->region, atomic_load_explicit(&index->want, memory_order_relaxed));
}

static bool
full(const struct index_bucket *bucket)
{
	return index_match(bucket, 0) == 0;
}

/* Put an entry into a bucket with room. */
static void
put(struct index_bucket *bucket, uint16_t tag, uint32_t value)
{
	unsigned int slot = (unsigned int)__builtin_ctz(index_match(bucket, 0));

	bucket->tag[slot] = tag;
	bucket->value[slot] = value;
}

static uint32_t
place(const struct index *index, const struct index_bucket *bucket)
{
	return (uint32_t)(bucket - index->buckets);
}

/*
 * An entry of the first bucket has come to, or gone from, the second one. While
 * a recount is under way the entry is counted by what the cursor has passed.
 */
static void
spill(struct index *index, struct index_bucket *first, const struct index_bucket *second, int by)
{
	if ((index->phase == INDEX_RECOUNTING && place(index, second) < index->cursor) ||
		(index->phase == INDEX_SETTLING && place(index, first) >= index->cursor))
		first->recount = (uint16_t)(first->recount + by);
	if (first->spilled != INDEX_SPILL_UNKNOWN)
		first->spilled = (uint16_t)(first->spilled + by);
}

/*
 * Split one bucket: its entries whose hash now points to the new bucket go
 * there. An entry's place under the doubled mask is either the same or the new
 * one, be the bucket its first or its second.
 */
static void
split_one(struct index *index)
{
	struct index_bucket *old = &index->buckets[index->split];
	struct index_bucket *new = &index->buckets[index->mask + 1 + index->split];

	index->split++;
	/* Which of the two its entries elsewhere now belong to is not known. */
	if (old->spilled != 0)
		old->spilled = new->spilled = INDEX_SPILL_UNKNOWN;
	for (unsigned int i = 0; i < INDEX_SLOTS; i++) {
		uint64_t hash;

		if (old->tag[i] == 0)
			continue;
		hash = index->hash_of(index->owner, old->value[i]);
		if ((old->tag[i] & INDEX_IN_SECOND ? index_second(index, hash)
						   : index_first(index, hash)) == old)
			continue;
		put(new, old->tag[i], old->value[i]);
		old->tag[i] = 0;
	}
	if (index->split <= index->mask)
		return;
	index->mask = index->mask * 2 + 1;
	index->split = 0;
	index->cursor = 0;
	index->phase = INDEX_RECOUNTING;
}

/* Count the entries of one bucket that are in their second: their first follows from the tag. */
static void
recount_one(struct index *index)
{
	const struct index_bucket *bucket = &index->buckets[index->cursor];

	for (unsigned int i = 0; i < INDEX_SLOTS; i++)
		if (bucket->tag[i] & INDEX_IN_SECOND)
			index->buckets[(index->cursor ^ index_distance(bucket->tag[i])) &
				       index->mask]
				.recount++;
	if (index->cursor++ < index->mask)
		return;
	index->cursor = 0;
	index->phase = INDEX_SETTLING;
}

static void
settle_one(struct index *index)
{
	struct index_bucket *bucket = &index->buckets[index->cursor];

	bucket->spilled = bucket->recount;
	bucket->recount = 0;
	if (index->cursor++ == index->mask)
		index->phase = INDEX_STEADY;
}

static void
grow(struct index *index)
{
	if (index->phase == INDEX_STEADY) {
		uint64_t next = ((uint64_t)index->mask + 1) * 2;

		atomic_store_explicit(&index->want, next, memory_order_relaxed);
		if (!loaded_above(index, GROW_AT) ||
			next > atomic_load_explicit(&index->region.ready, memory_order_acquire))
			return;
		index->phase = INDEX_DOUBLING;
	}
	for (unsigned int i = 0; i < STEPS_AN_INSERT; i++) {
		switch (index->phase) {
		case INDEX_DOUBLING: split_one(index); break;
		case INDEX_RECOUNTING: recount_one(index); break;
		case INDEX_SETTLING: settle_one(index); break;
		default: return;
		}
	}
}

/*
 * Move one entry of a full bucket to its other bucket. Returns whether there is
 * room now.
 */
static bool
displace(struct index *index, struct index_bucket *bucket)
{
	for (unsigned int i = 0; i < INDEX_SLOTS; i++) {
		uint64_t hash = index->hash_of(index->owner, bucket->value[i]);
		struct index_bucket *first = index_first(index, hash);
		struct index_bucket *second = index_second(index, hash);

		if (bucket->tag[i] & INDEX_IN_SECOND) {
			if (first == bucket || full(first))
				continue;
			put(first, index_tag(hash), bucket->value[i]);
			spill(index, first, second, -1);
		} else {
			if (second == bucket || full(second))
				continue;
			put(second, index_tag_second(hash), bucket->value[i]);
			spill(index, first, second, 1);
		}
		bucket->tag[i] = 0;
		return true;
	}
	return false;
}

int
index_insert(struct index *index, uint64_t hash, uint32_t value)
{
	struct index_bucket *first, *second;

	if (index->phase != INDEX_STEADY || loaded_above(index, PREPARE_AT))
		grow(index);
	first = index_first(index, hash);
	second = index_second(index, hash);
	if (!full(first)) {
		put(first, index_tag(hash), value);
	} else if (!full(second)) {
		put(second, index_tag_second(hash), value);
		spill(index, first, second, 1);
	} else if (displace(index, first)) {
		put(first, index_tag(hash), value);
	} else if (displace(index, second)) {
		put(second, index_tag_second(hash), value);
		spill(index, first, second, 1);
	} else {
		return -ENOSPC;
	}
	index->count++;
	return 0;
}

/* The slot of an entry in a bucket, or -1. */
static int
slot_of(const struct index_bucket *bucket, uint16_t tag, uint32_t value)
{
	uint32_t bits = index_match(bucket, tag);

	while (bits != 0) {
		int slot = __builtin_ctz(bits);

		if (bucket->value[slot] == value)
			return slot;
		bits &= bits - 1;
	}
	return -1;
}

int
index_remove(struct index *index, uint64_t hash, uint32_t value)
{
	struct index_bucket *first = index_first(index, hash);
	struct index_bucket *second;
	int slot = slot_of(first, index_tag(hash), value);

	if (slot >= 0) {
		first->tag[slot] = 0;
		index->count--;
		return 0;
	}
	second = index_second(index, hash);
	slot = slot_of(second, index_tag_second(hash), value);
	if (slot < 0)
		return -ENOENT;
	second->tag[slot] = 0;
	spill(index, first, second, -1);
	index->count--;
	return 0;
}
