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
	if (set->count > 1 && set->field_count == 0)
		qsort_r(set->elems, set->count, sizeof(set->elems[0]), compare, set);
}

/* Whether each field of a key is within its range. */
static bool
within(const struct nft_set_code *set, const uint8_t *key, uint32_t at)
{
	const uint8_t *first = set->elems[at].key, *last = set->ends[at];
	uint32_t offset = 0;

	for (uint32_t i = 0; i < set->field_count; i++) {
		uint32_t len = set->fields[i];

		if (memcmp(key + offset, first + offset, len) < 0 ||
			memcmp(key + offset, last + offset, len) > 0)
			return false;
		offset += (len + 3) / 4 * 4;
	}
	return true;
}

/* The first of the elements whose ranges hold a key (nft_pipapo_lookup). */
static const struct nft_elem_code *
find_ranges(const struct nft_set_code *set, const void *key, uint64_t now_ns)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (within(set, key, i) &&
			(set->elems[i].expires_ns == 0 || now_ns < set->elems[i].expires_ns))
			return &set->elems[i];
	return set->has_catchall ? &set->catchall : NULL;
}

const struct nft_elem_code *
nft_set_find(const struct nft_set_code *set, const void *key, uint64_t now_ns)
{
	uint32_t low = 0, high = set->count;
	const struct nft_elem_code *elem;

	if (set->field_count != 0)
		return find_ranges(set, key, now_ns);
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
	free(set->ends);
	free(set);
}
