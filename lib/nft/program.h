/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A program: a ruleset as it is evaluated. Built whole by the control thread,
 * published, never changed; its state (counters, limits) is what packets change.
 */
#ifndef SHUNT_NFT_PROGRAM_H
#define SHUNT_NFT_PROGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "expr.h"
#include "set.h"

/** Most workers of a program's state. */
#define NFT_WORKERS 16
/** Nested jumps below a base chain: NFT_JUMP_STACK_SIZE. */
#define NFT_JUMPS 16

/** Packets and bytes of a counter on one worker; written by that worker alone. */
struct nft_count {
	uint64_t packets;
	uint64_t bytes;
};

/**
 * A limit's bucket, shared by all workers (nft_limit.c). The tokens at a time t
 * are min(max, t - empty_at): one word says it all, so one compare-and-swap
 * takes them. A cache line of its own.
 */
struct nft_bucket {
	_Atomic uint64_t empty_at_ns; /**< when it was, or would have been, empty */
} __attribute__((aligned(64)));

/** A rule: its expressions one behind the other. */
struct nft_rule_code {
	uint64_t handle;
	const uint8_t *begin; /**< struct expr at begin, the next one ops->size further */
	const uint8_t *end;
};

/** A chain. */
struct nft_chain_code {
	char *name; /**< owned */
	struct nft_rule_code *rules;
	uint32_t rule_count;
	int32_t policy; /**< NF_ACCEPT or NF_DROP, of a base chain */
};

/** A ruleset as it is evaluated. Immutable, but for the states. */
struct nft_program {
	uint32_t generation;
	struct nft_chain_code *chains;
	uint32_t chain_count;
	struct nft_set_code **sets;
	uint32_t set_count;
	uint32_t counter_count;
	struct nft_count *counters[NFT_WORKERS]; /**< by worker, then number */
	uint32_t bucket_count;
	struct nft_bucket *buckets;
	const struct nft_env *env;
};

/** A base chain in a program: what a hook runs (lib/path's hook_chain_t takes it). */
struct nft_base {
	const struct nft_program *program;
	uint32_t chain;
};

/**
 * Evaluate a base chain rule by rule (nft_do_chain). Worker.
 * @param base a struct nft_base
 * @return VERDICT_ACCEPT, or VERDICT_DROP with pkt->drop
 */
enum verdict nft_reference_run(const void *base, struct pkt *pkt);

/** Allocate the states that counter_count and bucket_count say. @return 0 or -ENOMEM */
int nft_program_states(struct nft_program *program, unsigned int workers);

/** What a counter has counted on all workers. Any thread. */
struct nft_count nft_program_counter(const struct nft_program *program, uint32_t counter);

/** Free a program with all it has. NULL is fine. Control thread, no worker has it. */
void nft_program_free(struct nft_program *program);

#endif
