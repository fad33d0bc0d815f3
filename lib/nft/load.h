/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * From the store to what workers run: a program, and its base chains by hook.
 * Control thread.
 */
#ifndef SHUNT_NFT_LOAD_H
#define SHUNT_NFT_LOAD_H

#include "nft_wire.h"
#include "program.h"

struct store;

/** A base chain of a ruleset, in the order of registration. */
struct nft_hooked {
	struct nft_base base; /**< what nft_reference_run() takes */
	bool families[2];     /**< IPv4, IPv6 */
	bool other;	      /**< frames that are neither, at ingress and egress */
	uint64_t ports;	      /**< of ingress and egress: a bit each; 0: no device of it is one */
	uint8_t hook;	      /**< enum hook */
	uint8_t kind;	      /**< enum nft_chain_kind */
	int32_t priority;
};

/** A ruleset as it can be put in force. */
struct nft_ruleset {
	struct nft_program *program; /**< owned */
	struct nft_hooked *chains;   /**< owned */
	uint32_t chain_count;
	bool conntrack[2]; /**< IPv4, IPv6: a loaded rule needs connections */
	bool nat[2];	   /**< a chain of type nat is there */
	uint32_t rule_count;
};

/**
 * Build what the store says.
 * @param now what the store said before the batch that is open: where that changes
 *   elements alone, it is taken over and nothing is built; NULL: none
 * @param env copied by reference: alive as long as the ruleset
 * @return 0; -EMLINK: jumps too deep, or a loop; what an expression's parser
 *   says about the hooks that it is reached from; -ENOMEM; with the blame
 */
int nft_load(const struct store *store, const struct nft_env *env, const struct nft_ruleset *now,
	struct nft_ruleset **out, struct nft_blame *blame);

/** Free. No worker has it. NULL is fine. */
void nft_ruleset_free(struct nft_ruleset *ruleset);

#endif
