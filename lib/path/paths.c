/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths.h"

#include <string.h>

#include <rte_ether.h>

static uint32_t
hash_of(const uint32_t *counters, uint32_t count)
{
	uint64_t h = count;

	for (uint32_t i = 0; i < count; i++)
		h = (h ^ counters[i]) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 40) % PATHS_SLOTS;
}

uint32_t
paths_intern(struct paths *paths, const struct nft_trail *trail)
{
	uint32_t bank = paths->bank, count = trail->count, slot, id, first;
	uint32_t used = atomic_load_explicit(&paths->used[bank], memory_order_relaxed);

	if (count == 0)
		return 0;
	for (slot = hash_of(trail->counters, count); paths->slots[slot] != 0;
		slot = (slot + 1) % PATHS_SLOTS) {
		const struct path_entry *e = &paths->entries[paths->slots[slot]];

		if (e->count == count && memcmp(&paths->pool[e->first], trail->counters,
						 count * sizeof(uint32_t)) == 0)
			return paths->slots[slot];
	}
	if (used == PATHS_BANK || paths->pool_used[bank] + count > PATHS_POOL)
		return PATH_IDS;
	id = bank * PATHS_BANK + used;
	first = bank * PATHS_POOL + paths->pool_used[bank];
	memcpy(&paths->pool[first], trail->counters, count * sizeof(uint32_t));
	paths->entries[id] = (struct path_entry){first, count};
	paths->pool_used[bank] += count;
	paths->slots[slot] = id;
	/* Complete before a reader may see it. */
	atomic_store_explicit(&paths->used[bank], used + 1, memory_order_release);
	return id;
}

void
paths_turn(struct paths *paths)
{
	memset(paths->slots, 0, PATHS_SLOTS * sizeof(*paths->slots));
	paths->bank = !paths->bank;
}

/* The slots of a bank's paths; few paths are taken out one by one. */
static void
forget_slots(struct paths *paths, uint32_t bank, uint32_t used)
{
	const struct path_entry *e = &paths->entries[bank * PATHS_BANK + 1];

	if (used == 2)
		paths->slots[hash_of(&paths->pool[e->first], e->count)] = 0;
	else if (used > 2)
		memset(paths->slots, 0, PATHS_SLOTS * sizeof(*paths->slots));
}

/* What a path's packets add to a counter that they pass: at egress, frames. */
static void
add_effect(struct nft_count *to, uint32_t counter, const struct path_counter *effect)
{
	to->packets += effect->packets;
	to->bytes += effect->bytes;
	if (counter & NFT_TRAIL_FRAME)
		to->bytes += effect->packets * RTE_ETHER_HDR_LEN;
}

void
paths_fold(struct paths *paths, uint32_t bank, struct nft_count *counters)
{
	uint32_t used = atomic_load_explicit(&paths->used[bank], memory_order_relaxed);

	atomic_fetch_add_explicit(&paths->folds, 1, memory_order_acq_rel);
	for (uint32_t id = bank * PATHS_BANK + 1; id < bank * PATHS_BANK + used; id++) {
		const struct path_entry *e = &paths->entries[id];

		for (uint32_t i = 0; i < e->count; i++) {
			uint32_t counter = paths->pool[e->first + i];

			add_effect(&counters[counter & ~NFT_TRAIL_FRAME], counter,
				&paths->effects[id]);
		}
		paths->effects[id] = (struct path_counter){0};
	}
	if (bank == paths->bank)
		forget_slots(paths, bank, used);
	/* Records of old walks are out of force: what they name is nobody's. */
	paths->effects[0] = (struct path_counter){0};
	paths->pool_used[bank] = 0;
	atomic_store_explicit(&paths->used[bank], 1, memory_order_release);
	atomic_fetch_add_explicit(&paths->folds, 1, memory_order_acq_rel);
}

static void
add_bank(const struct paths *paths, uint32_t bank, uint32_t counter, struct nft_count *all)
{
	uint32_t used = atomic_load_explicit(&paths->used[bank], memory_order_acquire);

	for (uint32_t id = bank * PATHS_BANK + 1; id < bank * PATHS_BANK + used; id++) {
		const struct path_entry *e = &paths->entries[id];

		for (uint32_t i = 0; i < e->count; i++) {
			uint32_t passed = paths->pool[e->first + i];

			if ((passed & ~NFT_TRAIL_FRAME) == counter)
				add_effect(all, passed, &paths->effects[id]);
		}
	}
}

struct nft_count
paths_read(const struct paths *paths, const struct nft_count *counters, uint32_t counter)
{
	struct nft_count all;
	uint32_t before;

	/* Again, if counts moved meanwhile: they would be there twice, or not at all. */
	do {
		before = atomic_load_explicit(&paths->folds, memory_order_acquire);
		all = counters[counter];
		add_bank(paths, 0, counter, &all);
		add_bank(paths, 1, counter, &all);
		atomic_thread_fence(memory_order_acquire);
	} while ((before & 1) ||
		 atomic_load_explicit(&paths->folds, memory_order_relaxed) != before);
	return all;
}
