/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_random.h>

#define GROUPS	    (sizeof(((struct nft_set *)0)->groups) / sizeof(void *))
#define BUCKETS_MIN 16

/* Buckets of a group; replaced as a whole when they get too few. */
struct buckets {
	uint32_t mask;
	uint32_t link; /* which links of elements are its */
	_Atomic(struct nft_elem *) heads[];
};

/*
 * Elements that are looked up by the same bits: all of a single value; of a range
 * those in which its first and last key agree from the top of each field.
 */
struct nft_set_group {
	_Atomic(struct buckets *) buckets;
	uint32_t count;
	uint8_t mask[NFT_DATA_MAX];
};

/* What is to be freed once no worker can be at it. */
struct limbo {
	struct limbo *next;
	void *what;
};

/* Its own for each start: nobody can choose keys that meet in a bucket. */
static uint64_t seed;

static uint32_t
hash_of(const uint8_t *key, const uint8_t *mask, uint32_t len)
{
	uint64_t h = seed;

	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t word = 0, bits = 0;
		uint32_t n = len - i < 8 ? len - i : 8;

		memcpy(&word, key + i, n);
		memcpy(&bits, mask + i, n);
		h = (h ^ (word & bits)) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

static struct buckets *
buckets_new(uint32_t count, uint32_t link)
{
	struct buckets *b = calloc(1, sizeof(*b) + (size_t)count * sizeof(b->heads[0]));

	if (b != NULL) {
		b->mask = count - 1;
		b->link = link;
	}
	return b;
}

static struct nft_set_group *
group_new(const uint8_t *mask, uint32_t len)
{
	struct nft_set_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	group->buckets = buckets_new(BUCKETS_MIN, 0);
	memcpy(group->mask, mask, len);
	if (group->buckets == NULL) {
		free(group);
		return NULL;
	}
	return group;
}

static int
add_group(struct nft_set *set, const uint8_t *mask)
{
	uint32_t count = set->group_count;
	struct nft_set_group *group = group_new(mask, set->key_len);

	if (group == NULL)
		return -ENOMEM;
	set->groups[count] = group;
	atomic_store_explicit(&set->group_count, count + 1, memory_order_release);
	return 0;
}

struct nft_set *
nft_set_new(const struct nft_set_decl *decl)
{
	uint8_t mask[NFT_DATA_MAX];
	struct nft_set *set;

	if (decl->key_len == 0 || decl->key_len > NFT_DATA_MAX || decl->data_len > NFT_DATA_MAX)
		return NULL;
	if (seed == 0)
		seed = rte_rand() | 1;
	set = calloc(1, sizeof(*set));
	if (set == NULL)
		return NULL;
	set->key_len = decl->key_len;
	set->sorted.key_len = decl->key_len;
	set->data_len = decl->data_len;
	set->interval = (decl->flags & NFT_SET_INTERVAL) && decl->field_count == 0;
	set->verdicts = decl->verdicts;
	set->changes = (decl->flags & NFT_SET_TIMEOUT) || decl->dynamic != NULL;
	set->dynamic = decl->dynamic;
	set->field_count = decl->field_count;
	if (decl->field_count != 0)
		memcpy(set->fields, decl->fields, decl->field_count);
	/* Single values have a group; with ranges it is the one of those that share no bits. */
	memset(mask, decl->field_count != 0 ? 0 : 0xff, sizeof(mask));
	if (!set->interval && add_group(set, mask) != 0) {
		free(set);
		return NULL;
	}
	return set;
}

void
nft_set_free(struct nft_set *set)
{
	if (set == NULL)
		return;
	nft_set_reclaim(set);
	nft_ranges_free(set->ranges_next);
	nft_ranges_free(set->ranges);
	nft_sorted_clear(&set->sorted);
	for (uint32_t i = 0; i < set->group_count; i++) {
		free(set->groups[i]->buckets);
		free(set->groups[i]);
	}
	free(set);
}

/* --- elements */

/* The bits that the first and last key have in common, from the top of each field. */
static void
common_bits(const struct nft_set *set, const struct nft_elem *elem, uint8_t mask[NFT_DATA_MAX])
{
	const uint8_t *first = elem->bytes, *last = nft_elem_last(set, elem);
	uint32_t at = 0;

	memset(mask, 0, NFT_DATA_MAX);
	for (uint32_t f = 0; f < set->field_count; f++) {
		uint32_t i = 0;

		while (i < set->fields[f] && first[at + i] == last[at + i])
			mask[at + i++] = 0xff;
		if (i < set->fields[f])
			mask[at + i] = (uint8_t) ~(
				0xff >> (__builtin_clz(first[at + i] ^ last[at + i]) - 24));
		at += (set->fields[f] + 3U) / 4 * 4;
	}
}

/* The group of an element; made if there is none, as far as there is room for groups. */
static int
group_of(struct nft_set *set, const struct nft_elem *elem, uint32_t *out)
{
	uint8_t mask[NFT_DATA_MAX];
	int rc;

	*out = 0;
	if (set->field_count == 0)
		return 0;
	common_bits(set, elem, mask);
	for (uint32_t i = 0; i < set->group_count; i++)
		if (memcmp(set->groups[i]->mask, mask, set->key_len) == 0) {
			*out = i;
			return 0;
		}
	if (set->group_count == GROUPS)
		return 0;
	*out = set->group_count;
	rc = add_group(set, mask);
	return rc;
}

static int
to_limbo(struct nft_set *set, void *what)
{
	struct limbo *limbo = malloc(sizeof(*limbo));

	if (limbo == NULL)
		return -ENOMEM;
	*limbo = (struct limbo){set->limbo, what};
	set->limbo = limbo;
	return 0;
}

static void
push(_Atomic(struct nft_elem *) *head, struct nft_elem *elem, uint32_t link)
{
	atomic_store_explicit(&elem->next[link], atomic_load_explicit(head, memory_order_relaxed),
		memory_order_relaxed);
	atomic_store_explicit(head, elem, memory_order_release);
}

/*
 * More buckets, by the other links of the elements: workers go on in the old ones
 * until they look up the next key. So it is done once between two points at which
 * nobody has the old ones.
 */
static void
grow(struct nft_set *set, struct nft_set_group *group)
{
	struct buckets *old = group->buckets, *new;
	uint32_t count = old->mask + 1;

	if (set->shared && set->grown)
		return;
	while (count <= group->count)
		count *= 2;
	new = buckets_new(count, old->link ^ 1);
	/* Without memory chains get longer, and nothing else. */
	if (new == NULL || (set->shared && to_limbo(set, old) != 0)) {
		free(new);
		return;
	}
	for (uint32_t i = 0; i <= old->mask; i++)
		for (struct nft_elem *elem = old->heads[i]; elem != NULL;
			elem = elem->next[old->link])
			push(&new->heads[elem->hash & new->mask], elem, new->link);
	atomic_store_explicit(&group->buckets, new, memory_order_release);
	if (!set->shared)
		free(old);
	set->grown = true;
}

int
nft_set_link(struct nft_set *set, struct nft_elem *elem)
{
	struct nft_set_group *group;
	struct buckets *buckets;
	uint32_t number = 0;
	int rc;

	elem->order = set->order++;
	if (elem->catchall) {
		push(&set->catchalls, elem, 0);
		set->count++;
		return 0;
	}
	rc = set->interval ? nft_sorted_insert(&set->sorted, elem) : group_of(set, elem, &number);
	if (rc != 0)
		return rc;
	set->count++;
	if (set->interval)
		return 0;
	group = set->groups[number];
	if (group->count++ > group->buckets->mask)
		grow(set, group);
	buckets = group->buckets;
	elem->group = (uint16_t)number;
	elem->hash = hash_of(elem->bytes, group->mask, set->key_len);
	push(&buckets->heads[elem->hash & buckets->mask], elem, buckets->link);
	return 0;
}

/* Its links stay: a worker that is at it goes on from there. */
static void
take_out(_Atomic(struct nft_elem *) *at, struct nft_elem *elem, uint32_t link)
{
	while (*at != NULL && *at != elem)
		at = &(*at)->next[link];
	if (*at == elem)
		atomic_store_explicit(at, elem->next[link], memory_order_release);
}

void
nft_set_unlink(struct nft_set *set, struct nft_elem *elem)
{
	struct nft_set_group *group;
	struct buckets *buckets;

	set->count--;
	if (elem->catchall) {
		take_out(&set->catchalls, elem, 0);
	} else if (set->interval) {
		(void)nft_sorted_remove(&set->sorted, elem);
	} else {
		group = set->groups[elem->group];
		buckets = group->buckets;
		group->count--;
		take_out(&buckets->heads[elem->hash & buckets->mask], elem, buckets->link);
	}
}

static bool
same(const struct nft_set *set, const struct nft_elem *a, const struct nft_elem *b)
{
	return memcmp(a->bytes, b->bytes, set->key_len * (set->field_count != 0 ? 2 : 1)) == 0;
}

struct nft_elem *
nft_set_equal(const struct nft_set *set, const struct nft_elem *key,
	bool (*filter)(const struct nft_elem *elem))
{
	struct nft_elem *elem = NULL;
	uint32_t number = 0, hash;

	if (key->catchall) {
		for (elem = set->catchalls; elem != NULL; elem = elem->next[0])
			if (filter(elem))
				return elem;
		return NULL;
	}
	for (elem = set->interval ? nft_sorted_floor(&set->sorted, key->bytes) : NULL; elem != NULL;
		elem = nft_sorted_before(&set->sorted, elem)) {
		if (!same(set, elem, key))
			return NULL;
		if (elem->end == key->end && filter(elem))
			return elem;
	}
	for (; !set->interval && number < set->group_count; number++) {
		const struct nft_set_group *group = set->groups[number];
		const struct buckets *buckets = group->buckets;

		hash = hash_of(key->bytes, group->mask, set->key_len);
		for (elem = buckets->heads[hash & buckets->mask]; elem != NULL;
			elem = elem->next[buckets->link])
			if (elem->hash == hash && same(set, elem, key) && filter(elem))
				return elem;
	}
	return NULL;
}

void
nft_set_prefetch(const struct nft_set *set, const uint8_t *key, bool element)
{
	const struct nft_set_group *group;
	const struct buckets *buckets;
	uint32_t bucket;

	if (set->interval || set->field_count != 0)
		return;
	group = set->groups[0];
	buckets = group->buckets;
	bucket = hash_of(key, group->mask, set->key_len) & buckets->mask;
	if (element)
		__builtin_prefetch(
			atomic_load_explicit(&buckets->heads[bucket], memory_order_relaxed));
	else
		__builtin_prefetch((const void *)&buckets->heads[bucket]);
}

/* --- ranges of concatenations */

/* Whether each field of a key is within its range. */
static bool
within(const struct nft_set *set, const struct nft_elem *elem, const uint8_t *key)
{
	const uint8_t *first = elem->bytes, *last = nft_elem_last(set, elem);
	uint32_t at = 0;

	for (uint32_t i = 0; i < set->field_count; i++) {
		uint32_t len = set->fields[i];

		if (memcmp(key + at, first + at, len) < 0 || memcmp(key + at, last + at, len) > 0)
			return false;
		at += (len + 3) / 4 * 4;
	}
	return true;
}

struct nft_elem *
nft_set_holding(
	const struct nft_set *set, const uint8_t *key, bool (*filter)(const struct nft_elem *elem))
{
	struct nft_elem *best = NULL;

	for (uint32_t number = 0; number < set->group_count; number++) {
		const struct nft_set_group *group = set->groups[number];
		const struct buckets *buckets = group->buckets;
		uint32_t hash = hash_of(key, group->mask, set->key_len);

		for (struct nft_elem *e = buckets->heads[hash & buckets->mask]; e != NULL;
			e = e->next[buckets->link])
			if (e->hash == hash && within(set, e, key) && filter(e) &&
				(best == NULL || e->order < best->order))
				best = e;
	}
	return best;
}

/* --- intervals */

int
nft_set_prepare(struct nft_set *set)
{
	nft_ranges_free(set->ranges_next);
	set->ranges_next = nft_ranges_new(&set->sorted);
	return set->ranges_next != NULL ? 0 : -ENOMEM;
}

void
nft_set_publish(struct nft_set *set, uint32_t generation)
{
	struct nft_ranges *ranges = set->ranges_next;

	if (ranges == NULL)
		return;
	ranges->generation = generation;
	ranges->older = set->ranges;
	set->ranges_next = NULL;
	atomic_store_explicit(&set->ranges, ranges, memory_order_release);
}

void
nft_set_share(struct nft_set *set)
{
	set->shared = true;
}

void
nft_set_reclaim(struct nft_set *set)
{
	struct nft_ranges *ranges = set->ranges;

	for (struct limbo *limbo = set->limbo, *next; limbo != NULL; limbo = next) {
		next = limbo->next;
		free(limbo->what);
		free(limbo);
	}
	set->limbo = NULL;
	set->grown = false;
	if (ranges != NULL) {
		nft_ranges_free(ranges->older);
		ranges->older = NULL;
	}
}

/* --- lookups */

static bool
there(const struct nft_elem *elem, uint32_t generation, uint64_t now_ns)
{
	uint64_t expires = atomic_load_explicit(&elem->expires_ns, memory_order_relaxed);

	return generation >= atomic_load_explicit(&elem->from, memory_order_relaxed) &&
	       generation < atomic_load_explicit(&elem->to, memory_order_relaxed) &&
	       (expires == 0 || now_ns < expires);
}

static const struct nft_elem *
find_catchall(const struct nft_set *set, uint32_t generation, uint64_t now_ns)
{
	const struct nft_elem *elem = atomic_load_explicit(&set->catchalls, memory_order_acquire);

	for (; elem != NULL; elem = atomic_load_explicit(&elem->next[0], memory_order_acquire))
		if (there(elem, generation, now_ns))
			return elem;
	return NULL;
}

static const struct nft_elem *
find_interval(const struct nft_set *set, const void *key, uint32_t generation, uint64_t now_ns)
{
	const struct nft_ranges *ranges = atomic_load_explicit(&set->ranges, memory_order_acquire);
	const struct nft_elem *elem;

	while (ranges != NULL && ranges->generation > generation)
		ranges = ranges->older;
	elem = ranges != NULL ? nft_ranges_floor(ranges, key) : NULL;
	return elem != NULL && !elem->end && (elem->expires_ns == 0 || now_ns < elem->expires_ns)
		       ? elem
		       : NULL;
}

/* In one group; of ranges the one that was there first, best being what others found. */
static const struct nft_elem *
find_in(const struct nft_set *set, const struct nft_set_group *group, const uint8_t *key,
	uint32_t generation, uint64_t now_ns, const struct nft_elem *best)
{
	const struct buckets *buckets = atomic_load_explicit(&group->buckets, memory_order_acquire);
	uint32_t hash = hash_of(key, group->mask, set->key_len), link = buckets->link;
	const struct nft_elem *elem =
		atomic_load_explicit(&buckets->heads[hash & buckets->mask], memory_order_acquire);

	for (; elem != NULL; elem = atomic_load_explicit(&elem->next[link], memory_order_acquire)) {
		if (elem->hash != hash || !there(elem, generation, now_ns))
			continue;
		if (set->field_count == 0 && memcmp(elem->bytes, key, set->key_len) == 0)
			return elem;
		if (set->field_count != 0 && within(set, elem, key) &&
			(best == NULL || elem->order < best->order))
			best = elem;
	}
	return best;
}

const struct nft_elem *
nft_set_find(const struct nft_set *set, const void *key, uint32_t generation, uint64_t now_ns)
{
	const struct nft_elem *found = NULL;
	uint32_t count;

	if (set->interval) {
		found = find_interval(set, key, generation, now_ns);
	} else {
		count = atomic_load_explicit(&set->group_count, memory_order_acquire);
		for (uint32_t i = 0; i < count; i++)
			found = find_in(set, set->groups[i], key, generation, now_ns, found);
	}
	return found != NULL ? found : find_catchall(set, generation, now_ns);
}
