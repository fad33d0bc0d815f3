/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements that packets add: there, renewed, over, too many, taken away.
 */
#include <string.h>

#include "dynamic.h"
#include "unit.h"

#define SECOND 1000000000ULL

static struct nft_dynamic_elem *
add(struct nft_dynamic *d, uint32_t key, uint64_t now, uint64_t timeout, bool *fresh)
{
	return nft_dynamic_add(d, &key, NULL, now, timeout, fresh);
}

static struct nft_dynamic_elem *
find(struct nft_dynamic *d, uint32_t key, uint64_t now)
{
	return nft_dynamic_find(d, &key, now);
}

static void
test_life(void)
{
	struct nft_dynamic *d = nft_dynamic_new(4, 0, 10, 0);
	struct nft_dynamic_elem *e;
	bool fresh;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_PTR_NULL(find(d, 1, 0));
	e = add(d, 1, SECOND, 5 * SECOND, &fresh);
	CU_ASSERT_TRUE(e != NULL && fresh);
	CU_ASSERT_PTR_EQUAL(find(d, 1, 2 * SECOND), e);
	CU_ASSERT_PTR_EQUAL(add(d, 1, 2 * SECOND, 5 * SECOND, &fresh), e);
	CU_ASSERT_FALSE(fresh);
	/* Its time is over, to the nanosecond; then it is new again. */
	CU_ASSERT_PTR_EQUAL(find(d, 1, 6 * SECOND - 1), e);
	CU_ASSERT_PTR_NULL(find(d, 1, 6 * SECOND));
	CU_ASSERT_PTR_NOT_NULL(add(d, 1, 6 * SECOND, 0, &fresh));
	CU_ASSERT_TRUE(fresh);
	CU_ASSERT_PTR_NOT_NULL(find(d, 1, 1000 * SECOND));
	CU_ASSERT_EQUAL(d->count, 1);
	nft_dynamic_remove(d, find(d, 1, 0));
	CU_ASSERT_PTR_NULL(find(d, 1, 0));
	CU_ASSERT_EQUAL(d->count, 0);
	nft_dynamic_free(d);
}

static void
test_size(void)
{
	struct nft_dynamic *d = nft_dynamic_new(4, 0, 100, 0);
	uint32_t place = 0, seen = 0, there = 0;
	bool fresh;

	for (uint32_t i = 0; i < 200; i++)
		there += add(d, i, 0, SECOND, &fresh) != NULL;
	CU_ASSERT_EQUAL(there, 100);
	CU_ASSERT_EQUAL(d->count, 100);
	while (nft_dynamic_next(d, &place, 0) != NULL)
		seen++;
	CU_ASSERT_EQUAL(seen, 100);
	/* Those whose time is over make room. */
	place = 0;
	CU_ASSERT_PTR_NULL(nft_dynamic_next(d, &place, SECOND));
	there = 0;
	for (uint32_t i = 200; i < 300; i++)
		there += add(d, i, SECOND, SECOND, &fresh) != NULL;
	CU_ASSERT_TRUE(there > 50);
	CU_ASSERT_TRUE(d->count <= 100);
	nft_dynamic_free(d);
}

static void
test_statements(void)
{
	struct nft_dynamic *d = nft_dynamic_new(4, 0, 10, 0);
	struct nft_dynamic_elem *e;
	bool fresh;

	/* Two packets at once, then one a second; and a counter before it. */
	d->statements.list[0].kind = NFT_STATEMENT_COUNTER;
	d->statements.list[1].kind = NFT_STATEMENT_LIMIT;
	d->statements.list[1].limit = (struct nft_limit){
		.rate = 1, .unit_ns = SECOND, .cost_ns = SECOND, .max_ns = 2 * SECOND};
	d->statements.count = 2;
	e = add(d, 7, 100 * SECOND, 0, &fresh);
	CU_ASSERT_TRUE(nft_dynamic_pass(d, e, 100 * SECOND, 50));
	CU_ASSERT_TRUE(nft_dynamic_pass(d, e, 100 * SECOND, 50));
	CU_ASSERT_FALSE(nft_dynamic_pass(d, e, 100 * SECOND, 50));
	CU_ASSERT_TRUE(nft_dynamic_pass(d, e, 101 * SECOND, 50));
	CU_ASSERT_EQUAL(e->words[0][0], 4);
	CU_ASSERT_EQUAL(e->words[0][1], 200);
	/* Another element has its own. */
	e = add(d, 8, 100 * SECOND, 0, &fresh);
	CU_ASSERT_TRUE(nft_dynamic_pass(d, e, 100 * SECOND, 50));
	CU_ASSERT_EQUAL(e->words[0][0], 1);
	nft_dynamic_free(d);
}

static CU_TestInfo tests[] = {
	{"life", test_life},
	{"size", test_size},
	{"statements", test_statements},
	CU_TEST_INFO_NULL,
};

int
main(void)
{
	return unit_run("dynamic", tests);
}
