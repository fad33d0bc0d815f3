/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A set or map as it is looked up: its elements sorted, immutable.
 */
#ifndef SHUNT_NFT_SET_H
#define SHUNT_NFT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "expr.h"
#include "statement.h"

/** The statements of an element, and their states by number. */
struct nft_elem_statements {
	struct nft_statements said;
	uint32_t states[NFT_STATEMENTS];
};

/** An element. */
struct nft_elem_code {
	uint8_t key[NFT_DATA_MAX];
	bool end;		    /**< interval sets: a range ends before here */
	struct nft_verdict verdict; /**< verdict maps */
	uint8_t data[NFT_DATA_MAX]; /**< data maps */
	uint32_t object;	    /**< object maps: its number in the program */
	/** What is evaluated when it is found, NULL: nothing. Not owned. */
	const struct nft_elem_statements *statements;
	uint64_t expires_ns; /**< 0: never */
};

/** Fields of a concatenation, at most (NFT_REG32_COUNT). */
#define NFT_FIELDS 16

/** A set. */
struct nft_set_code {
	uint32_t key_len; /**< bytes compared */
	uint32_t data_len;
	bool interval;
	bool verdicts;
	bool changes;		     /**< elements come and go by themselves */
	struct nft_dynamic *dynamic; /**< what packets add; not owned; NULL: nothing */
	/**
	 * Ranges of concatenations: bytes of each field, which takes whole words of
	 * the key; 0 fields: none. Elements are looked at in their order then.
	 */
	uint8_t fields[NFT_FIELDS];
	uint32_t field_count;
	uint8_t (*ends)[NFT_DATA_MAX]; /**< by element: the last key of its range */
	uint32_t count;
	bool has_catchall;
	struct nft_elem_code catchall; /**< used on a miss */
	struct nft_elem_code *elems;   /**< sorted by key once nft_set_sort() was called */
};

/** Sort the elements: byte order is the order of keys, as in rbtree sets. Control thread. */
void nft_set_sort(struct nft_set_code *set);

/**
 * Look a key up: exact, or in an interval set the range that holds it.
 * @return the element, or NULL
 */
const struct nft_elem_code *nft_set_find(
	const struct nft_set_code *set, const void *key, uint64_t now_ns);

/** Free it. NULL is fine. */
void nft_set_free(struct nft_set_code *set);

#endif
