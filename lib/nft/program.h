/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A program: a ruleset as it is evaluated. Built whole by the control thread,
 * published, never changed; what packets change are the states, which outlive it.
 */
#ifndef SHUNT_NFT_PROGRAM_H
#define SHUNT_NFT_PROGRAM_H

#include <stdint.h>

#include "expr.h"
#include "set.h"
#include "statement.h"
#include "states.h"

/** Nested jumps below a base chain: NFT_JUMP_STACK_SIZE. */
#define NFT_JUMPS 16

struct nft_fast;

/** Where a jump came from: the chain, and the rule behind the jump. */
struct nft_return {
	uint32_t chain;
	uint32_t rule;
};

/**
 * A rule's expressions, one behind the other, as they are where its chain is
 * reached from. Programs share it as long as the rule stays as it is.
 */
struct nft_code {
	uint32_t holders; /**< programs, and the rule's owner; control thread */
	uint32_t hooks;	  /**< bits of enum hook from which it is reached */
	uint8_t kinds;	  /**< enum nft_chain_kind, the same */
	bool tracks;	  /**< something in it needs conntrack */
	uint32_t size;
	uint8_t bytes[] __attribute__((aligned(16)));
};

/** Somebody does not hold it any more; the last one frees it. NULL is fine. Control thread. */
void nft_code_put(struct nft_code *code);

/** A rule of a program. */
struct nft_rule_code {
	uint64_t handle;
	struct nft_code *code;
	const uint8_t *begin; /**< struct expr at begin, the next one ops->size further */
	const uint8_t *end;
};

/** A chain. */
struct nft_chain_code {
	char *name;  /**< owned */
	char *table; /**< that it is in, owned; NULL: of a program without tables */
	struct nft_rule_code *rules;
	uint32_t rule_count;
	struct nft_fast *fast; /**< by nft_compile(), owned; NULL: not compiled */
	int32_t policy;	       /**< NF_ACCEPT or NF_DROP, of a base chain */
	uint8_t family;	       /**< of its table, NFPROTO_* */
	uint32_t counter;      /**< number, plus 1, of what the policy decides on; 0: not counted */
};

/** A named object. */
struct nft_object_code {
	struct nft_statement statement;
	uint32_t state;
};

/** A ruleset as it is evaluated. Immutable, but for the states. */
struct nft_program {
	uint32_t generation;
	struct nft_chain_code *chains;
	uint32_t chain_count;
	struct nft_set **sets; /**< by number; NULL: nobody has it */
	uint32_t set_count;
	bool borrowed;		 /**< they are their owner's, who frees them after the program */
	struct nft_elem **elems; /**< of its own sets */
	uint32_t elem_count;
	uint32_t *holders;	   /**< programs that have all of this, but for the generation */
	struct nft_states *states; /**< of all programs; not owned */
	struct nft_object_code *objects; /**< by number */
	uint32_t object_count;
	uint64_t *flowtables; /**< ports whose flows each covers, bits */
	uint32_t flowtable_count;
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

/**
 * Evaluate a statement whose state has a number: of a named object, of an element
 * of the ruleset. A counter is summed over the workers, and counts a whole flow by
 * its path; what else there is binds the walk to its packet. Worker.
 */
static inline void
nft_run_statement(struct nft_eval *eval, const struct nft_statement *statement, uint32_t state)
{
	struct nft_count *count;

	if (statement->kind == NFT_STATEMENT_COUNTER) {
		count = &eval->program->states->counters[eval->pkt->worker][state];
		count->packets++;
		count->bytes += pkt_len(eval->pkt);
		nft_pass_counter(eval, state);
		return;
	}
	nft_bind_to_packet(eval, NFT_INPUT_LIMIT);
	if (!nft_statement_pass(statement, eval->program->states->buckets[state].words,
		    eval->pkt->now_ns, pkt_len(eval->pkt)))
		nft_break(eval);
}

/** Evaluate the statements of an element of the ruleset, up to one that breaks. Worker. */
static inline void
nft_run_statements(struct nft_eval *eval, const struct nft_elem_statements *of)
{
	for (uint32_t i = 0; i < of->said.count && eval->regs.code != NFT_BREAK; i++)
		nft_run_statement(eval, &of->said.list[i], of->states[i]);
}

/** A packet on which a base chain's policy decides (nft_update_chain_stats). Worker. */
enum verdict nft_policy(const struct nft_chain_code *chain, struct nft_eval *eval);

/** Free what nft_compile() made of a chain. NULL is fine. */
void nft_fast_free(struct nft_fast *fast);

/**
 * The same program for another generation, where elements of sets alone have changed.
 * Control thread. @return NULL without memory
 */
struct nft_program *nft_program_again(const struct nft_program *program, uint32_t generation);

/** Free a program with all it has. NULL is fine. Control thread, no worker has it. */
void nft_program_free(struct nft_program *program);

#endif
