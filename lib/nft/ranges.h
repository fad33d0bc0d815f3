/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The elements of an interval set in the order of their keys, an end before a
 * start of the same key. The control thread changes a working copy; what workers
 * see is a version of it, immutable. Versions share their pieces: a change costs
 * a piece and a list of pieces, however large the set is.
 */
#ifndef SHUNT_NFT_RANGES_H
#define SHUNT_NFT_RANGES_H

#include <stdint.h>

struct nft_elem;
struct nft_piece;

/** The working copy. Zeroed but for key_len it is empty. Control thread. */
struct nft_sorted {
	uint32_t key_len;
	struct nft_piece **pieces;
	uint32_t count, room; /* pieces */
};

/** A version. */
struct nft_ranges {
	uint32_t generation;	  /**< the first that has it */
	struct nft_ranges *older; /**< for workers that have an older program */
	uint32_t key_len;
	uint32_t count;
	struct nft_piece **pieces;
	uint8_t *firsts; /**< the first key of each piece */
};

/** Put an element in its place. @return 0 or -ENOMEM */
int nft_sorted_insert(struct nft_sorted *sorted, struct nft_elem *elem);

/** Take an element out, which is there. @return 0 or -ENOMEM: it stays */
int nft_sorted_remove(struct nft_sorted *sorted, const struct nft_elem *elem);

/**
 * The last element that is not behind a key: the key's own start, or its end, is
 * not behind it. NULL: all are.
 */
struct nft_elem *nft_sorted_floor(const struct nft_sorted *sorted, const uint8_t *key);

/** The element that follows one, or the first one for NULL; NULL: there is none. */
struct nft_elem *nft_sorted_next(const struct nft_sorted *sorted, const struct nft_elem *elem);

/** The element in front of one, or NULL. */
struct nft_elem *nft_sorted_before(const struct nft_sorted *sorted, const struct nft_elem *elem);

/** Free it. */
void nft_sorted_clear(struct nft_sorted *sorted);

/** A version of it as it is. @return NULL without memory */
struct nft_ranges *nft_ranges_new(const struct nft_sorted *sorted);

/** Free a version. NULL is fine. */
void nft_ranges_free(struct nft_ranges *ranges);

/** The last element that is not behind a key, or NULL. Worker. */
const struct nft_elem *nft_ranges_floor(const struct nft_ranges *ranges, const void *key);

#endif
