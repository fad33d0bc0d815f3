/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The states of rules: counters and buckets. They outlive programs: a rule keeps
 * its numbers from its birth to its death, so a counter counts on and a limit
 * stays spent while rules around them change.
 *
 * Numbers are given and taken by the control thread. Memory never moves.
 */
#ifndef SHUNT_NFT_STATES_H
#define SHUNT_NFT_STATES_H

#include <stdatomic.h>
#include <stdint.h>

/** Most workers of a ruleset's states. */
#define NFT_WORKERS 16

/** Kinds of state. */
enum nft_state_kind {
	NFT_STATE_COUNTER, /**< shared as a sum: one a worker */
	NFT_STATE_WORDS,   /**< atomic: one for all */
	NFT_STATE_KINDS,
};

/** Packets and bytes of a counter on one worker; written by that worker alone. */
struct nft_count {
	uint64_t packets;
	uint64_t bytes;
};

/**
 * The words of a state that all workers share, by what a statement makes of them
 * (statement.h). A cache line of its own.
 */
struct nft_bucket {
	_Atomic uint64_t words[2];
} __attribute__((aligned(64)));

/** The states of all rules. What is listed here is what workers see: immutable. */
struct nft_states {
	struct nft_count *counters[NFT_WORKERS]; /**< by worker, then number */
	struct nft_bucket *buckets;
};

/**
 * Create. Control thread.
 * @param workers 1 to NFT_WORKERS
 * @return NULL without memory
 */
struct nft_states *nft_states_new(unsigned int workers);

/** Free. Control thread, no worker left. NULL is fine. */
void nft_states_free(struct nft_states *states);

/**
 * A number for a new state: zeroed, a bucket full. Control thread.
 * @return 0, -ENOSPC or -ENOMEM
 */
int nft_states_take(struct nft_states *states, enum nft_state_kind kind, uint32_t *number);

/** Set the words of a state of kind NFT_STATE_WORDS. Control thread. */
void nft_states_set(struct nft_states *states, uint32_t number, const uint64_t words[2]);

/** Give a number back. Control thread; no worker has a program that names it. */
void nft_states_give(struct nft_states *states, enum nft_state_kind kind, uint32_t number);

/** What a counter has counted by itself on all workers. Any thread. */
struct nft_count nft_states_count(const struct nft_states *states, uint32_t counter);

#endif
