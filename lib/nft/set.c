/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <stdlib.h>
#include <string.h>

/* A start sorts behind an end of the same key: what ends there does not hold the key. */
static int
compare(const void *a, const void *b, void *set)
{
	const struct nft_elem_code *x = a, *y = b;
	int order = memcmp(x->key, y->key, ((const struct nft_set_code *)set)->key_len);

	return order != 0 ? order : (int)y->end - (int)x->end;
}

void
nft_set_sort(struct nft_set_code *set)
{
	if (set->count > 1)
		qsort_r(set->elems, set->count, sizeof(set->elems[0]), compare, set);
}

const struct nft_elem_code *
nft_set_find(const struct nft_set_code *set, const void *key, uint64_t now_ns)
{
	uint32_t low = 0, high = set->count;
	const struct nft_elem_code *elem;

	/* The first element behind the key. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (memcmp(set->elems[middle].key, key, set->key_len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low != 0) {
		elem = &set->elems[low - 1];
		if ((set->interval ? !elem->end : memcmp(elem->key, key, set->key_len) == 0) &&
			(elem->expires_ns == 0 || now_ns < elem->expires_ns))
			return elem;
	}
	return set->has_catchall ? &set->catchall : NULL;
}

void
nft_set_free(struct nft_set_code *set)
{
	if (set == NULL)
		return;
	free(set->elems);
	free(set);
}
