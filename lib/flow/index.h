/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The index of a table: a hash of 64-byte buckets, each with ten 16-bit tags
 * and ten 32-bit values. It stores no keys: the value numbers a record, and the
 * owner compares the record's key.
 *
 * A key's hash gives a first and a second bucket. An entry goes into the first
 * if there is room, else into the second; a bucket counts how many of its own
 * live in their second bucket, so that a miss usually reads one line. It
 * grows in place, a bucket at a time, by linear hashing (Litwin 1980) over
 * reserved memory. A split loses what its bucket has elsewhere, so a growth ends
 * with a recount.
 *
 * One owner thread; no locks, no atomics.
 */
#ifndef SHUNT_FLOW_INDEX_H
#define SHUNT_FLOW_INDEX_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <rte_prefetch.h>

#include "region.h"

/** Entries of a bucket. */
#define INDEX_SLOTS 10
/** No value. */
#define INDEX_NONE UINT32_MAX
/** A bucket's count of entries elsewhere is not known: always look there. */
#define INDEX_SPILL_UNKNOWN UINT16_MAX
/** The low bits of a tag: where its entry is. The others come from the hash. */
#define INDEX_IN_FIRST	1
#define INDEX_IN_SECOND 2

/** A cache line. A tag of 0 is an empty slot. */
struct index_bucket {
	uint16_t tag[INDEX_SLOTS];
	uint16_t spilled; /**< entries whose first bucket this is, in their second one */
	uint16_t recount; /**< the same, while it is being counted anew */
	uint32_t value[INDEX_SLOTS];
};
static_assert(sizeof(struct index_bucket) == 64, "a cache line");

/** The hash of the key that a value stands for; asked when entries are moved. */
typedef uint64_t (*index_hash_of_t)(const void *owner, uint32_t value);

/** What a growth is at. */
enum index_phase {
	INDEX_STEADY,
	INDEX_DOUBLING,	  /**< splitting buckets; what they have elsewhere becomes unknown */
	INDEX_RECOUNTING, /**< counting it anew */
	INDEX_SETTLING,	  /**< taking over the new counts */
};

struct index {
	struct index_bucket *buckets; /**< region.base */
	uint32_t mask;		      /**< buckets before the doubling under way, minus 1 */
	uint32_t split;		      /**< buckets already split in it */
	uint32_t count;		      /**< entries */
	uint8_t phase;		      /**< of a growth: enum index_phase */
	uint32_t cursor;	      /**< the bucket that a recount has come to */
	index_hash_of_t hash_of;
	const void *owner;
	struct region region;
	_Atomic uint64_t want; /**< buckets that the owner wants ready. owner: wo, control: ro */
};

/**
 * Reserve an index. Control thread.
 * @param max most entries ever
 * @param start entries that fit before the first growth
 * @return 0, -EINVAL or -ENOMEM
 */
int index_init(struct index *index, uint64_t max, uint64_t start, index_hash_of_t hash_of,
	const void *owner);

/** Return the memory. Control thread, owner stopped. */
void index_fini(struct index *index);

/**
 * Back the next doubling with memory if the load comes near it. Control thread,
 * while the owner works. Call it now and then.
 * @return 0 or -ENOMEM
 */
int index_prepare(struct index *index);

/** Bytes of memory in use. */
static inline uint64_t
index_bytes(const struct index *index)
{
	return region_bytes(&index->region);
}

/** The tag of an entry in its first bucket. */
static inline uint16_t
index_tag(uint64_t hash)
{
	return (uint16_t)((hash >> 48 & 0xfffc) | INDEX_IN_FIRST);
}

/** The tag of an entry in its second bucket. */
static inline uint16_t
index_tag_second(uint64_t hash)
{
	return (uint16_t)((hash >> 48 & 0xfffc) | INDEX_IN_SECOND);
}

/**
 * What is between the places of both buckets: a function of the tag, so that the
 * one follows from the other without the key (Fan et al., cuckoo filter, 2014).
 */
static inline uint32_t
index_distance(uint16_t tag)
{
	return (uint32_t)(tag >> 2) * 0x9e3779b1U;
}

/** The bucket that 32 bits of hash choose, at the present size. */
static inline uint32_t
index_at(const struct index *index, uint32_t bits)
{
	uint32_t wide = bits & (index->mask * 2 + 1);

	return wide <= index->mask + index->split ? wide : bits & index->mask;
}

/** The first bucket of a hash. */
static inline struct index_bucket *
index_first(const struct index *index, uint64_t hash)
{
	return &index->buckets[index_at(index, (uint32_t)hash)];
}

/** The second bucket of a hash. */
static inline struct index_bucket *
index_second(const struct index *index, uint64_t hash)
{
	return &index->buckets[index_at(index, (uint32_t)hash ^ index_distance(index_tag(hash)))];
}

/** A bit for every slot of the bucket that holds the tag. */
static inline uint32_t
index_match(const struct index_bucket *bucket, uint16_t tag)
{
#ifdef __SSE2__
	__m128i want = _mm_set1_epi16((short)tag);
	__m128i low = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)(const void *)bucket), want);
	__m128i high = _mm_cmpeq_epi16(
		_mm_loadu_si128((const __m128i *)(const void *)&bucket->tag[8]), want);

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high)) & ((1U << INDEX_SLOTS) - 1);
#else
	uint32_t bits = 0;

	for (unsigned int i = 0; i < INDEX_SLOTS; i++)
		bits |= (uint32_t)(bucket->tag[i] == tag) << i;
	return bits;
#endif
}

/**
 * Walk the values whose tag matches a hash: the owner compares keys.
 *   INDEX_FOR_EACH(index, hash, value) if (same(value)) ...
 * A break leaves it.
 */
struct index_cursor {
	const struct index_bucket *bucket;
	uint32_t bits;
	bool second;
};

static inline struct index_cursor
index_begin(const struct index *index, uint64_t hash)
{
	const struct index_bucket *first = index_first(index, hash);

	return (struct index_cursor){first, index_match(first, index_tag(hash)), false};
}

/** The next candidate, or INDEX_NONE. */
static inline uint32_t
index_next(const struct index *index, uint64_t hash, struct index_cursor *at)
{
	for (;;) {
		if (at->bits != 0) {
			unsigned int slot = (unsigned int)__builtin_ctz(at->bits);

			at->bits &= at->bits - 1;
			return at->bucket->value[slot];
		}
		if (at->second || at->bucket->spilled == 0)
			return INDEX_NONE;
		at->second = true;
		at->bucket = index_second(index, hash);
		at->bits = index_match(at->bucket, index_tag_second(hash));
	}
}

#define INDEX_FOR_EACH(index_, hash_, value_)                                                      \
	for (struct index_cursor at_##value_ = index_begin(index_, hash_);                         \
		((value_) = index_next(index_, hash_, &at_##value_)) != INDEX_NONE;)

/**
 * Add an entry; the owner has made sure that its key is not there. Owner only.
 * @return 0, or -ENOSPC when both buckets are full and growth waits for memory
 */
int index_insert(struct index *index, uint64_t hash, uint32_t value);

/**
 * Remove an entry. Owner only.
 * @return 0, or -ENOENT
 */
int index_remove(struct index *index, uint64_t hash, uint32_t value);

/** Prefetch the line that a lookup of the hash reads first. */
static inline void
index_prefetch(const struct index *index, uint64_t hash)
{
	rte_prefetch0(index_first(index, hash));
}

#endif
