/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"
#include "unit.h"

#define MANY 3000

static bool
any(const struct nft_elem *elem)
{
	(void)elem;
	return true;
}

static struct nft_elem *
elem_new(const struct nft_set *set, const void *key, const void *last, uint32_t from)
{
	struct nft_elem *elem = calloc(1, sizeof(*elem) + nft_elem_bytes(set));

	CU_ASSERT_PTR_NOT_NULL_FATAL(elem);
	memcpy(elem->bytes, key, set->key_len);
	if (set->field_count != 0)
		memcpy(elem->bytes + set->key_len, last, set->key_len);
	elem->from = from;
	elem->to = NFT_GENERATION_NEVER;
	return elem;
}

static uint32_t
key_of(uint32_t n)
{
	return __builtin_bswap32(n * 2654435761U);
}

/* An element is there from a generation on, up to another. */
static void
test_generations(void)
{
	struct nft_set *set = nft_set_new(&(struct nft_set_decl){.key_len = 4});
	uint32_t key = key_of(1);
	struct nft_elem *elem = elem_new(set, &key, &key, 5);

	CU_ASSERT_EQUAL(nft_set_link(set, elem), 0);
	CU_ASSERT_PTR_NULL(nft_set_find(set, &key, 4, 0));
	CU_ASSERT_PTR_EQUAL(nft_set_find(set, &key, 5, 0), elem);
	elem->to = 7;
	CU_ASSERT_PTR_EQUAL(nft_set_find(set, &key, 6, 0), elem);
	CU_ASSERT_PTR_NULL(nft_set_find(set, &key, 7, 0));
	elem->to = NFT_GENERATION_NEVER;
	elem->expires_ns = 100;
	CU_ASSERT_PTR_EQUAL(nft_set_find(set, &key, 7, 99), elem);
	CU_ASSERT_PTR_NULL(nft_set_find(set, &key, 7, 100));
	nft_set_unlink(set, elem);
	CU_ASSERT_PTR_NULL(nft_set_equal(set, elem, any));
	free(elem);
	nft_set_free(set);
	CU_ASSERT_PTR_NULL(nft_set_new(&(struct nft_set_decl){.key_len = 0}));
	CU_ASSERT_PTR_NULL(nft_set_new(&(struct nft_set_decl){.key_len = NFT_DATA_MAX + 1}));
}

/* Random intervals of one byte each side, against an array that says what is in. */
static void
test_intervals(void)
{
	struct nft_set *set =
		nft_set_new(&(struct nft_set_decl){.flags = NFT_SET_INTERVAL, .key_len = 2});
	struct nft_elem *starts[MANY] = {0}, *ends[MANY] = {0};
	unsigned int wrong = 0, generation = 0;

	srand(7);
	for (unsigned int round = 0; round < 4 * MANY; round++) {
		uint32_t n = (uint32_t)rand() % MANY;
		uint16_t from = htobe16((uint16_t)(n * 16)), to = htobe16((uint16_t)(n * 16 + 9));

		if (starts[n] == NULL) {
			starts[n] = elem_new(set, &from, &from, 0);
			ends[n] = elem_new(set, &to, &to, 0);
			ends[n]->end = true;
			CU_ASSERT_EQUAL(nft_set_link(set, starts[n]), 0);
			CU_ASSERT_EQUAL(nft_set_link(set, ends[n]), 0);
		} else {
			nft_set_unlink(set, starts[n]);
			nft_set_unlink(set, ends[n]);
			free(starts[n]);
			free(ends[n]);
			starts[n] = ends[n] = NULL;
		}
		if (round % 64 != 0)
			continue;
		CU_ASSERT_EQUAL(nft_set_prepare(set), 0);
		nft_set_publish(set, ++generation);
		nft_set_reclaim(set);
		for (uint32_t i = 0; i < MANY; i++) {
			uint16_t in = htobe16((uint16_t)(i * 16 + i % 9));
			uint16_t out = htobe16((uint16_t)(i * 16 + 9 + i % 7));

			wrong += nft_set_find(set, &in, generation, 0) != starts[i];
			wrong += nft_set_find(set, &out, generation, 0) != NULL;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t i = 0; i < MANY; i++) {
		free(starts[i]);
		free(ends[i]);
	}
	nft_set_free(set);
}

/* What is published for a generation is seen from it on; older workers see the older. */
static void
test_versions(void)
{
	struct nft_set *set =
		nft_set_new(&(struct nft_set_decl){.flags = NFT_SET_INTERVAL, .key_len = 1});
	struct nft_elem *elem = elem_new(set, "\x10", "\x10", 0);

	CU_ASSERT_EQUAL(nft_set_prepare(set), 0);
	nft_set_publish(set, 1);
	CU_ASSERT_EQUAL(nft_set_link(set, elem), 0);
	CU_ASSERT_PTR_NULL(nft_set_find(set, "\x20", 1, 0));
	CU_ASSERT_EQUAL(nft_set_prepare(set), 0);
	nft_set_publish(set, 2);
	CU_ASSERT_PTR_NULL(nft_set_find(set, "\x20", 1, 0));
	CU_ASSERT_PTR_EQUAL(nft_set_find(set, "\x20", 2, 0), elem);
	nft_set_unlink(set, elem);
	CU_ASSERT_EQUAL(nft_set_prepare(set), 0);
	nft_set_reclaim(set);
	nft_set_publish(set, 3);
	CU_ASSERT_PTR_EQUAL(nft_set_find(set, "\x20", 2, 0), elem);
	CU_ASSERT_PTR_NULL(nft_set_find(set, "\x20", 3, 0));
	nft_set_free(set);
	free(elem);
}

/* Ranges of two fields: the first one that holds a key, as a look at each of them finds it. */
static void
test_fields(void)
{
	static const uint8_t fields[] = {4, 2};
	struct nft_set *set = nft_set_new(&(struct nft_set_decl){
		.flags = NFT_SET_INTERVAL | NFT_SET_CONCAT,
		.key_len = 8,
		.fields = fields,
		.field_count = 2,
	});
	struct nft_elem *elems[400];
	unsigned int wrong = 0, found = 0;

	srand(11);
	for (unsigned int i = 0; i < 400; i++) {
		uint8_t first[8] = {10, (uint8_t)(rand() % 4), (uint8_t)(rand() % 8), 0,
			(uint8_t)(rand() % 8), 0};
		uint8_t last[8];

		memcpy(last, first, sizeof(last));
		last[3] = (uint8_t)rand();
		last[4] += (uint8_t)(rand() % 4);
		last[5] = (uint8_t)rand();
		elems[i] = elem_new(set, first, last, 0);
		CU_ASSERT_EQUAL(nft_set_link(set, elems[i]), 0);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t key[8] = {10, (uint8_t)(rand() % 4), (uint8_t)(rand() % 8), (uint8_t)rand(),
			(uint8_t)(rand() % 12), (uint8_t)rand()};
		const struct nft_elem *want = NULL;

		for (unsigned int e = 0; e < 400 && want == NULL; e++) {
			const uint8_t *first = elems[e]->bytes, *last = first + 8;

			if (memcmp(key, first, 4) >= 0 && memcmp(key, last, 4) <= 0 &&
				memcmp(key + 4, first + 4, 2) >= 0 &&
				memcmp(key + 4, last + 4, 2) <= 0)
				want = elems[e];
		}
		found += want != NULL;
		wrong += nft_set_find(set, key, 0, 0) != want;
		wrong += nft_set_holding(set, key, any) != want;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(found > 1000);
	nft_set_free(set);
	for (unsigned int i = 0; i < 400; i++)
		free(elems[i]);
}

/* --- a worker looks up while elements come and go */

static struct {
	struct nft_set *set;
	_Atomic bool stop;
	_Atomic uint64_t rounds;
	uint64_t missed;
} race;

static void *
reader(void *arg)
{
	(void)arg;
	while (!race.stop) {
		for (uint32_t n = 0; n < 100; n++) {
			uint32_t key = key_of(n);

			race.missed += nft_set_find(race.set, &key, 1, 0) == NULL;
		}
		race.rounds++;
	}
	return NULL;
}

/* Nobody is in a lookup that began before. */
static void
grace(void)
{
	uint64_t rounds = race.rounds;

	while (race.rounds < rounds + 2)
		;
}

static void
test_race(void)
{
	static struct nft_elem *elems[MANY];
	pthread_t thread;

	race.set = nft_set_new(&(struct nft_set_decl){.key_len = 4});
	for (uint32_t n = 0; n < 100; n++) {
		uint32_t key = key_of(n);

		elems[n] = elem_new(race.set, &key, &key, 0);
		CU_ASSERT_EQUAL(nft_set_link(race.set, elems[n]), 0);
	}
	nft_set_share(race.set);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, reader, NULL), 0);
	for (unsigned int round = 0; round < 20; round++) {
		for (uint32_t n = 100; n < MANY; n++) {
			uint32_t key = key_of(n);

			elems[n] = elem_new(race.set, &key, &key, 2);
			CU_ASSERT_EQUAL(nft_set_link(race.set, elems[n]), 0);
		}
		grace();
		nft_set_reclaim(race.set);
		for (uint32_t n = 100; n < MANY; n++)
			nft_set_unlink(race.set, elems[n]);
		grace();
		nft_set_reclaim(race.set);
		for (uint32_t n = 100; n < MANY; n++)
			free(elems[n]);
	}
	race.stop = true;
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(race.missed, 0);
	CU_ASSERT_EQUAL(race.set->count, 100);
	nft_set_free(race.set);
	for (uint32_t n = 0; n < 100; n++)
		free(elems[n]);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"generations", test_generations},
		{"intervals", test_intervals},
		{"versions of intervals", test_versions},
		{"ranges of fields", test_fields},
		{"a worker beside the writer", test_race},
		CU_TEST_INFO_NULL,
	};

	return unit_run("sets", tests);
}
