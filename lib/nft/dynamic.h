/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The elements that packets add to a set of `flags dynamic`. They outlive
 * programs, as states do: the set has them from its birth to its death.
 *
 * A table of fixed size; any worker adds and finds, the control thread lists and
 * removes, without locks. An element whose time is over is absent, and its place
 * is taken by the next one that wants it.
 */
#ifndef SHUNT_NFT_DYNAMIC_H
#define SHUNT_NFT_DYNAMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statement.h"

/** Bytes of a key, at most (NFT_DATA_MAX). */
#define NFT_DYNAMIC_KEY 64
/** Elements where nobody says how many (nft_dynset_init). */
#define NFT_DYNAMIC_SIZE 65535
/** Most elements of a set. */
#define NFT_DYNAMIC_MAX (1U << 20)

/** An element. Any worker: rw. */
struct nft_dynamic_elem {
	_Atomic uint32_t state; /**< dynamic.c's */
	uint32_t hash;
	_Atomic uint64_t expires_ns; /**< 0: never */
	uint64_t timeout_ns;	     /**< as it was added with; 0: none */
	/** By statement: its state. */
	_Atomic uint64_t words[NFT_STATEMENTS][2];
	uint8_t key[NFT_DYNAMIC_KEY];
} __attribute__((aligned(64)));

struct nft_dynamic {
	uint32_t key_len;
	uint32_t size;	     /**< most elements */
	uint64_t timeout_ns; /**< the set's, 0: none */
	uint32_t mask;
	_Atomic uint32_t count;
	_Atomic uint32_t swept; /**< up to where room was looked for */
	struct nft_dynamic_elem *elems;
	uint32_t data_len; /**< of maps; 0: a set */
	uint8_t *data;	   /**< by element, data_len each */
	/** What every element has; by the control thread, with the first rule that adds some. */
	struct nft_statements statements;
};

/** Create. Control thread. @return NULL without memory */
struct nft_dynamic *nft_dynamic_new(
	uint32_t key_len, uint32_t data_len, uint32_t size, uint64_t timeout_ns);

/** Free. Control thread, no worker has it. NULL is fine. */
void nft_dynamic_free(struct nft_dynamic *d);

/** The element of a key that is alive, or NULL. Any thread. */
struct nft_dynamic_elem *nft_dynamic_find(
	const struct nft_dynamic *d, const void *key, uint64_t now_ns);

/** The data of a map's element: data_len bytes. Any thread. */
static inline uint8_t *
nft_dynamic_data(const struct nft_dynamic *d, const struct nft_dynamic_elem *elem)
{
	return d->data + (size_t)(elem - d->elems) * d->data_len;
}

/**
 * The element of a key, added if it is not there. Any thread.
 * @param data of a map: copied to a new one; NULL: none
 * @param timeout_ns its life if it is new, 0: for ever
 * @param fresh whether it is new
 * @return NULL: no room
 */
struct nft_dynamic_elem *nft_dynamic_add(struct nft_dynamic *d, const void *key, const void *data,
	uint64_t now_ns, uint64_t timeout_ns, bool *fresh);

/** Take an element away. Any thread. */
void nft_dynamic_remove(struct nft_dynamic *d, struct nft_dynamic_elem *elem);

/** The next living element from a place on; the place moves behind it. NULL: no more. */
struct nft_dynamic_elem *nft_dynamic_next(
	const struct nft_dynamic *d, uint32_t *place, uint64_t now_ns);

/**
 * Evaluate the statements of an element (nft_set_elem_update_expr). Worker.
 * @return false: a limit says no, the rule breaks
 */
bool nft_dynamic_pass(const struct nft_dynamic *d, struct nft_dynamic_elem *elem, uint64_t now_ns,
	uint32_t ip_len);

#endif
