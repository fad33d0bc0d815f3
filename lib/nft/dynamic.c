/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dynamic.h"

#include <stdlib.h>
#include <string.h>

/* Places where an element of a hash can be. */
#define WINDOW 32

enum { FREE, BUSY, LIVE };

static uint32_t
hash_of(const struct nft_dynamic *d, const void *key)
{
	const uint8_t *p = key;
	uint64_t h = 0x9e3779b97f4a7c15ULL ^ (uintptr_t)d->elems;

	for (uint32_t i = 0; i < d->key_len; i += 8) {
		uint64_t word = 0;

		memcpy(&word, p + i, d->key_len - i < 8 ? d->key_len - i : 8);
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

struct nft_dynamic *
nft_dynamic_new(uint32_t key_len, uint32_t data_len, uint32_t size, uint64_t timeout_ns)
{
	struct nft_dynamic *d = calloc(1, sizeof(*d));
	uint32_t slots = 64;

	if (d == NULL)
		return NULL;
	d->key_len = key_len;
	d->size = size != 0 && size < NFT_DYNAMIC_MAX ? size : NFT_DYNAMIC_SIZE;
	d->timeout_ns = timeout_ns;
	while (slots < 2 * d->size)
		slots *= 2;
	d->mask = slots - 1;
	d->elems = aligned_alloc(64, (size_t)slots * sizeof(*d->elems));
	d->data_len = data_len;
	d->data = data_len != 0 ? calloc(slots, data_len) : NULL;
	if (d->elems == NULL || (data_len != 0 && d->data == NULL)) {
		free(d->elems);
		free(d->data);
		free(d);
		return NULL;
	}
	memset(d->elems, 0, (size_t)slots * sizeof(*d->elems));
	return d;
}

void
nft_dynamic_free(struct nft_dynamic *d)
{
	if (d == NULL)
		return;
	free(d->elems);
	free(d->data);
	nft_statements_clear(&d->statements);
	free(d);
}

static bool
over(const struct nft_dynamic_elem *e, uint64_t now_ns)
{
	uint64_t expires = atomic_load_explicit(&e->expires_ns, memory_order_relaxed);

	return expires != 0 && now_ns >= expires;
}

static bool
is(const struct nft_dynamic *d, const struct nft_dynamic_elem *e, uint32_t hash, const void *key)
{
	return atomic_load_explicit(&e->state, memory_order_acquire) == LIVE && e->hash == hash &&
	       memcmp(e->key, key, d->key_len) == 0;
}

static struct nft_dynamic_elem *
find(const struct nft_dynamic *d, const void *key, uint32_t hash, uint64_t now_ns)
{
	for (uint32_t i = 0; i < WINDOW; i++) {
		struct nft_dynamic_elem *e = &d->elems[(hash + i) & d->mask];

		if (is(d, e, hash, key) && !over(e, now_ns))
			return e;
	}
	return NULL;
}

struct nft_dynamic_elem *
nft_dynamic_find(const struct nft_dynamic *d, const void *key, uint64_t now_ns)
{
	return find(d, key, hash_of(d, key), now_ns);
}

void
nft_dynamic_remove(struct nft_dynamic *d, struct nft_dynamic_elem *elem)
{
	uint32_t live = LIVE;

	if (atomic_compare_exchange_strong(&elem->state, &live, FREE))
		atomic_fetch_sub(&d->count, 1);
}

/* Elements looked at for room in one go. */
#define SWEEP 256

/* Too many: those whose time is over go, as far as one go reaches. */
static bool
sweep(struct nft_dynamic *d, uint64_t now_ns)
{
	uint32_t from = atomic_fetch_add_explicit(&d->swept, SWEEP, memory_order_relaxed);
	bool found = false;

	for (uint32_t i = 0; i < SWEEP; i++) {
		struct nft_dynamic_elem *e = &d->elems[(from + i) & d->mask];

		if (atomic_load_explicit(&e->state, memory_order_acquire) == LIVE &&
			over(e, now_ns)) {
			nft_dynamic_remove(d, e);
			found = true;
		}
	}
	return found;
}

/* A place for an element: a free one, or one whose element's time is over. */
static struct nft_dynamic_elem *
claim(struct nft_dynamic *d, uint32_t hash, uint64_t now_ns)
{
	for (uint32_t i = 0; i < WINDOW; i++) {
		struct nft_dynamic_elem *e = &d->elems[(hash + i) & d->mask];
		uint32_t state = atomic_load_explicit(&e->state, memory_order_acquire);

		if (state == BUSY || (state == LIVE && !over(e, now_ns)) ||
			!atomic_compare_exchange_strong(&e->state, &state, BUSY))
			continue;
		if (state == FREE && atomic_fetch_add(&d->count, 1) >= d->size) {
			atomic_fetch_sub(&d->count, 1);
			atomic_store_explicit(&e->state, FREE, memory_order_release);
			return NULL;
		}
		return e;
	}
	return NULL;
}

struct nft_dynamic_elem *
nft_dynamic_add(struct nft_dynamic *d, const void *key, const void *data, uint64_t now_ns,
	uint64_t timeout_ns, bool *fresh)
{
	uint32_t hash = hash_of(d, key);
	struct nft_dynamic_elem *e = find(d, key, hash, now_ns), *other;

	*fresh = e == NULL;
	if (e != NULL)
		return e;
	e = claim(d, hash, now_ns);
	if (e == NULL && sweep(d, now_ns))
		e = claim(d, hash, now_ns);
	if (e == NULL)
		return NULL;
	e->hash = hash;
	memcpy(e->key, key, d->key_len);
	if (data != NULL)
		memcpy(nft_dynamic_data(d, e), data, d->data_len);
	e->timeout_ns = timeout_ns;
	for (unsigned int i = 0; i < NFT_STATEMENTS; i++) {
		atomic_store_explicit(
			&e->words[i][0], d->statements.words[i][0], memory_order_relaxed);
		atomic_store_explicit(
			&e->words[i][1], d->statements.words[i][1], memory_order_relaxed);
	}
	atomic_store_explicit(
		&e->expires_ns, timeout_ns != 0 ? now_ns + timeout_ns : 0, memory_order_relaxed);
	atomic_store_explicit(&e->state, LIVE, memory_order_seq_cst);
	/* Another worker may have added it meanwhile: the first in order stays. */
	other = find(d, key, hash, now_ns);
	if (other != NULL && other != e) {
		nft_dynamic_remove(d, e);
		*fresh = false;
		return other;
	}
	return e;
}

struct nft_dynamic_elem *
nft_dynamic_next(const struct nft_dynamic *d, uint32_t *place, uint64_t now_ns)
{
	while (*place <= d->mask) {
		struct nft_dynamic_elem *e = &d->elems[(*place)++];

		if (atomic_load_explicit(&e->state, memory_order_acquire) == LIVE &&
			!over(e, now_ns))
			return e;
	}
	return NULL;
}

bool
nft_dynamic_pass(const struct nft_dynamic *d, struct nft_dynamic_elem *elem, uint64_t now_ns,
	uint32_t ip_len)
{
	for (uint32_t i = 0; i < d->statements.count; i++)
		if (!nft_statement_pass(&d->statements.list[i], elem->words[i], now_ns, ip_len))
			return false;
	return true;
}
