/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths.h"

#include <string.h>

#define SLOTS (2 * PATH_IDS)

static uint32_t
hash_of(const uint32_t *counters, uint32_t count)
{
	uint64_t h = count;

	for (uint32_t i = 0; i < count; i++)
		h = (h ^ counters[i]) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 40) % SLOTS;
}

uint32_t
paths_intern(struct paths *paths, const struct nft_trail *trail)
{
	uint32_t id = atomic_load_explicit(&paths->used, memory_order_relaxed);
	uint32_t slot, count = trail->count;

	if (count == 0)
		return 0;
	for (slot = hash_of(trail->counters, count); paths->slots[slot] != 0;
		slot = (slot + 1) % SLOTS) {
		const struct path_entry *e = &paths->entries[paths->slots[slot]];

		if (e->count == count && memcmp(&paths->pool[e->first], trail->counters,
						 count * sizeof(uint32_t)) == 0)
			return paths->slots[slot];
	}
	if (id == PATH_IDS || paths->pool_used + count > PATHS_POOL)
		return PATH_IDS;
	memcpy(&paths->pool[paths->pool_used], trail->counters, count * sizeof(uint32_t));
	paths->entries[id] = (struct path_entry){paths->pool_used, count};
	paths->pool_used += count;
	paths->slots[slot] = id;
	/* Complete before a reader may see it. */
	atomic_store_explicit(&paths->used, id + 1, memory_order_release);
	return id;
}

void
paths_fold(struct paths *paths, struct nft_count *counters)
{
	uint32_t used = atomic_load_explicit(&paths->used, memory_order_relaxed);

	atomic_fetch_add_explicit(&paths->folds, 1, memory_order_acq_rel);
	for (uint32_t id = 1; id < used; id++) {
		const struct path_entry *e = &paths->entries[id];

		for (uint32_t i = 0; i < e->count; i++) {
			struct nft_count *to = &counters[paths->pool[e->first + i]];

			to->packets += paths->effects[id].packets;
			to->bytes += paths->effects[id].bytes;
		}
		paths->effects[id] = (struct path_counter){0};
		paths->slots[hash_of(&paths->pool[e->first], e->count)] = 0;
	}
	/* Those that did not stand where their hash is. */
	if (used > 2)
		memset(paths->slots, 0, SLOTS * sizeof(*paths->slots));
	/* Records of old walks are out of force: what they name is nobody's. */
	paths->effects[0] = (struct path_counter){0};
	paths->pool_used = 0;
	atomic_store_explicit(&paths->used, 1, memory_order_release);
	atomic_fetch_add_explicit(&paths->folds, 1, memory_order_acq_rel);
}

static struct nft_count
sum(const struct paths *paths, const struct nft_count *counters, uint32_t counter)
{
	uint32_t used = atomic_load_explicit(&paths->used, memory_order_acquire);
	struct nft_count all = counters[counter];

	for (uint32_t id = 1; id < used; id++) {
		const struct path_entry *e = &paths->entries[id];

		for (uint32_t i = 0; i < e->count; i++) {
			if (paths->pool[e->first + i] != counter)
				continue;
			all.packets += paths->effects[id].packets;
			all.bytes += paths->effects[id].bytes;
		}
	}
	return all;
}

struct nft_count
paths_read(const struct paths *paths, const struct nft_count *counters, uint32_t counter)
{
	struct nft_count all;
	uint32_t before;

	/* Again, if counts moved meanwhile: they would be there twice, or not at all. */
	do {
		before = atomic_load_explicit(&paths->folds, memory_order_acquire);
		all = sum(paths, counters, counter);
		atomic_thread_fence(memory_order_acquire);
	} while ((before & 1) ||
		 atomic_load_explicit(&paths->folds, memory_order_relaxed) != before);
	return all;
}
