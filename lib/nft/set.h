/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A set or map as packets look it up, which lives as long as the ruleset has it:
 * an element comes and goes without a new program. Each element says in which
 * generations it is there, so that the elements, rules and chains of one batch
 * are seen at one point, when a worker takes up the program of that generation.
 *
 * Single values and ranges of concatenations are hashed, by the bits that all
 * keys of an element have in common; intervals are sorted, in pieces, of which
 * those are copied that a batch changes. One writer, the control thread; any number of
 * workers read, without locks: what is taken out is freed by the owner once no
 * worker can be at it.
 */
#ifndef SHUNT_NFT_SET_H
#define SHUNT_NFT_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "expr.h"
#include "ranges.h"
#include "statement.h"

/** Fields of a concatenation, at most (NFT_REG32_COUNT). */
#define NFT_FIELDS 16
/** Never: an element that is not there yet, or stays. */
#define NFT_GENERATION_NEVER UINT32_MAX

/** The statements of an element, and their states by number. */
struct nft_elem_statements {
	struct nft_statements said;
	uint32_t states[NFT_STATEMENTS];
};

/** An element. Control: rw, worker: ro. */
struct nft_elem {
	/** Of the same bucket: in buckets of an odd number, and of an even one. */
	_Atomic(struct nft_elem *) next[2];
	uint32_t hash;
	_Atomic uint32_t from;	     /**< the first generation that has it */
	_Atomic uint32_t to;	     /**< the first one that does not any more */
	bool end;		     /**< intervals: a range ends before here */
	bool catchall;		     /**< found on a miss */
	uint16_t group;		     /**< set.c's */
	_Atomic uint64_t expires_ns; /**< 0: never */
	struct nft_verdict verdict;  /**< verdict maps */
	uint32_t object;	     /**< object maps: its number in programs */
	uint32_t order;		     /**< counts up: of ranges that hold a key the first is found */
	/** What is evaluated when it is found, NULL: nothing. Not owned. */
	const struct nft_elem_statements *statements;
	/** The key; where the set has fields the last key of the range; a map's data. */
	uint8_t bytes[];
};

struct nft_set_group;

/** A set. */
struct nft_set {
	uint32_t key_len; /**< bytes compared */
	uint32_t data_len;
	bool interval; /**< of single fields: a sorted array */
	bool verdicts;
	bool changes;		     /**< elements come and go by themselves */
	struct nft_dynamic *dynamic; /**< what packets add; not owned; NULL: nothing */
	/** Ranges of concatenations: bytes of each field, which takes whole words of the key. */
	uint8_t fields[NFT_FIELDS];
	uint32_t field_count; /**< 0: none */

	/* Set.c's own. */
	struct nft_set_group *_Atomic groups[64];
	_Atomic uint32_t group_count;
	_Atomic(struct nft_elem *) catchalls;
	_Atomic(struct nft_ranges *) ranges;
	struct nft_ranges *ranges_next; /* of the batch that is being prepared */
	struct nft_sorted sorted;
	uint32_t count; /* linked elements, catch-alls included */
	uint32_t order;
	bool shared; /* a worker may know it */
	bool grown;  /* since the last nft_set_reclaim() */
	void *limbo; /* what workers may still be at */
};

/** What a set is, to create it. */
struct nft_set_decl {
	uint32_t flags;		     /**< NFT_SET_* */
	uint32_t key_len;	     /**< bytes, 1 to NFT_DATA_MAX */
	uint32_t data_len;	     /**< of maps; 0 for verdicts and sets */
	bool verdicts;		     /**< a verdict map */
	struct nft_dynamic *dynamic; /**< what packets add, or NULL; not owned */
	const uint8_t *fields;	     /**< ranges of concatenations: bytes of each field */
	uint32_t field_count;	     /**< 0: the set has no such */
};

/** Create. Control thread. @return NULL: without memory, or lengths that cannot be */
struct nft_set *nft_set_new(const struct nft_set_decl *decl);

/** Free; its elements are their owner's. Control thread, no worker has it. NULL is fine. */
void nft_set_free(struct nft_set *set);

/** Bytes behind struct nft_elem that an element of the set takes. */
static inline uint32_t
nft_elem_bytes(const struct nft_set *set)
{
	return set->key_len * (set->field_count != 0 ? 2 : 1) + set->data_len;
}

/** The last key of an element's range, where the set has fields. */
static inline const uint8_t *
nft_elem_last(const struct nft_set *set, const struct nft_elem *elem)
{
	return elem->bytes + set->key_len;
}

/** The data of a map's element. */
static inline const uint8_t *
nft_elem_data(const struct nft_set *set, const struct nft_elem *elem)
{
	return elem->bytes + set->key_len * (set->field_count != 0 ? 2 : 1);
}

/**
 * Link an element, which from says when it is there. Of intervals workers see it
 * with the next nft_set_publish() alone. Control thread.
 * @return 0 or -ENOMEM
 */
int nft_set_link(struct nft_set *set, struct nft_elem *elem);

/**
 * Unlink an element. A worker may be at it until nft_set_reclaim(). Control thread.
 */
void nft_set_unlink(struct nft_set *set, struct nft_elem *elem);

/**
 * The linked element that is equal to a key: its bytes, the last key's, end and
 * catch-all; and that a caller's filter takes. Control thread.
 */
struct nft_elem *nft_set_equal(const struct nft_set *set, const struct nft_elem *key,
	bool (*filter)(const struct nft_elem *elem));

/**
 * Bring nearer what nft_set_equal() will look at of a key: its bucket; or, some time
 * after that, the first element in it. Of sets of single values; else it does nothing.
 * Control thread.
 */
void nft_set_prefetch(const struct nft_set *set, const uint8_t *key, bool element);

/** The first linked one whose ranges hold a key, of a set with fields. Control thread. */
struct nft_elem *nft_set_holding(
	const struct nft_set *set, const uint8_t *key, bool (*filter)(const struct nft_elem *elem));

/**
 * Make what workers will see of an interval set as it is now. Control thread.
 * @return 0 or -ENOMEM
 */
int nft_set_prepare(struct nft_set *set);
/** Let workers of a generation and later ones see it, if something was prepared. */
void nft_set_publish(struct nft_set *set, uint32_t generation);

/** From now on workers may know it. Control thread. */
void nft_set_share(struct nft_set *set);

/** No worker has a program from before the last publication: free what is old. Control thread. */
void nft_set_reclaim(struct nft_set *set);

/**
 * Look a key up: exact, or the range that holds it, or what a miss finds. Worker.
 * @param generation of the worker's program
 * @return the element, or NULL
 */
const struct nft_elem *nft_set_find(
	const struct nft_set *set, const void *key, uint32_t generation, uint64_t now_ns);

#endif
