/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "states.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "region.h"

/* More than any ruleset that stock nft can load in reasonable time. */
#define MAX_COUNTERS (1U << 22)
#define MAX_BUCKETS  (1U << 20)
/* Elements made ready at a time. */
#define STEP 1024

/* Numbers of a kind: a stack of those given back, and the first never given. */
struct numbers {
	uint32_t *free;
	uint32_t free_count, free_room;
	uint32_t fresh;
	uint32_t max;
};

struct states {
	struct nft_states seen; /* first: what the workers know */
	unsigned int workers;
	struct numbers numbers[NFT_STATE_KINDS];
	struct region counters[NFT_WORKERS];
	struct region buckets;
};

struct nft_states *
nft_states_new(unsigned int workers)
{
	struct states *s = calloc(1, sizeof(*s));

	if (s == NULL || workers == 0 || workers > NFT_WORKERS) {
		free(s);
		return NULL;
	}
	s->workers = workers;
	s->numbers[NFT_STATE_COUNTER].max = MAX_COUNTERS;
	s->numbers[NFT_STATE_WORDS].max = MAX_BUCKETS;
	for (unsigned int w = 0; w < workers; w++) {
		if (region_reserve(&s->counters[w], sizeof(struct nft_count), MAX_COUNTERS) != 0)
			goto fail;
		s->seen.counters[w] = (struct nft_count *)(void *)s->counters[w].base;
	}
	if (region_reserve(&s->buckets, sizeof(struct nft_bucket), MAX_BUCKETS) != 0)
		goto fail;
	s->seen.buckets = (struct nft_bucket *)(void *)s->buckets.base;
	return &s->seen;
fail:
	nft_states_free(&s->seen);
	return NULL;
}

void
nft_states_free(struct nft_states *states)
{
	struct states *s = (struct states *)states;

	if (s == NULL)
		return;
	for (unsigned int w = 0; w < s->workers; w++)
		region_release(&s->counters[w]);
	region_release(&s->buckets);
	for (unsigned int k = 0; k < NFT_STATE_KINDS; k++)
		free(s->numbers[k].free);
	free(s);
}

/* Memory behind a number. */
static int
make_ready(struct states *s, enum nft_state_kind kind, uint32_t number)
{
	uint64_t want = ((uint64_t)number / STEP + 1) * STEP;
	int rc = 0;

	if (kind == NFT_STATE_WORDS)
		return region_make_ready(&s->buckets, want);
	for (unsigned int w = 0; w < s->workers && rc == 0; w++)
		rc = region_make_ready(&s->counters[w], want);
	return rc;
}

void
nft_states_set(struct nft_states *states, uint32_t number, const uint64_t words[2])
{
	atomic_store(&states->buckets[number].words[0], words[0]);
	atomic_store(&states->buckets[number].words[1], words[1]);
}

int
nft_states_take(struct nft_states *states, enum nft_state_kind kind, uint32_t *number)
{
	struct states *s = (struct states *)states;
	struct numbers *n = &s->numbers[kind];
	int rc;

	if (n->free_count != 0) {
		*number = n->free[--n->free_count];
	} else {
		if (n->fresh == n->max)
			return -ENOSPC;
		rc = make_ready(s, kind, n->fresh);
		if (rc != 0)
			return rc;
		*number = n->fresh++;
	}
	if (kind == NFT_STATE_WORDS)
		nft_states_set(states, *number, (const uint64_t[2]){0, 0});
	else
		for (unsigned int w = 0; w < s->workers; w++)
			memset(&s->seen.counters[w][*number], 0, sizeof(struct nft_count));
	return 0;
}

void
nft_states_give(struct nft_states *states, enum nft_state_kind kind, uint32_t number)
{
	struct numbers *n = &((struct states *)states)->numbers[kind];

	if (n->free_count == n->free_room) {
		uint32_t room = n->free_room == 0 ? 64 : n->free_room * 2;
		uint32_t *grown = realloc(n->free, room * sizeof(*grown));

		/* Without memory the number is lost, and nothing else. */
		if (grown == NULL)
			return;
		n->free = grown;
		n->free_room = room;
	}
	n->free[n->free_count++] = number;
}

struct nft_count
nft_states_count(const struct nft_states *states, uint32_t counter)
{
	struct nft_count sum = {0};

	for (unsigned int w = 0; w < NFT_WORKERS; w++) {
		if (states->counters[w] == NULL)
			continue;
		sum.packets += states->counters[w][counter].packets;
		sum.bytes += states->counters[w][counter].bytes;
	}
	return sum;
}
