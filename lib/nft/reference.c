/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference: rule by rule, as nft_do_chain does it, without any
 * optimisation. It judges whatever is faster.
 */
#include "trace.h"

/* Run a rule. Afterwards regs.code is NFT_CONTINUE, NFT_BREAK or a verdict. */
static void
run_rule(const struct nft_rule_code *rule, struct nft_eval *eval)
{
	const uint8_t *at = rule->begin;

	eval->rule = rule->handle;
	while (at < rule->end) {
		const struct expr *expr = (const struct expr *)(const void *)at;

		expr->ops->evaluate(expr, eval);
		if (eval->regs.code != NFT_CONTINUE)
			break;
		at += expr->ops->size;
	}
}

enum verdict
nft_policy(const struct nft_chain_code *chain, struct nft_eval *eval)
{
	if (chain->counter != 0) {
		struct nft_count *count =
			&eval->program->states->counters[eval->pkt->worker][chain->counter - 1];

		count->packets++;
		count->bytes += pkt_len(eval->pkt);
		nft_pass_counter(eval, chain->counter - 1);
	}
	return chain->policy == NF_DROP ? VERDICT_DROP : VERDICT_ACCEPT;
}

enum verdict
nft_reference_run(const void *arg, struct pkt *pkt)
{
	const struct nft_base *base = arg;
	const struct nft_program *program = base->program;
	struct nft_eval eval = {
		.program = program, .env = program->env, .pkt = pkt, .trail = pkt->trail};
	struct nft_cursor at = {.chain = base->chain};

	if (pkt->flags & PKT_NFTRACE)
		return nft_trace_run(base, &eval, &at, false);
	for (;;) {
		const struct nft_chain_code *code = &program->chains[at.chain];

		eval.regs.code = NFT_CONTINUE;
		while (at.rule < code->rule_count && eval.regs.code == NFT_CONTINUE) {
			run_rule(&code->rules[at.rule++], &eval);
			/* From the rule that sets it on, each one that matches is told of. */
			if (pkt->flags & PKT_NFTRACE)
				return nft_trace_run(base, &eval, &at, true);
			/* A broken rule just does not match. */
			if (eval.regs.code == NFT_BREAK)
				eval.regs.code = NFT_CONTINUE;
		}
		switch (eval.regs.code) {
		case NF_ACCEPT: return VERDICT_ACCEPT;
		case NF_DROP: return VERDICT_DROP;
		case NFT_JUMP:
			/* The loader refuses what nests deeper. */
			if (at.depth == NFT_JUMPS)
				return VERDICT_DROP;
			at.stack[at.depth++] = (struct nft_return){at.chain, at.rule};
			at.chain = eval.regs.chain;
			at.rule = 0;
			continue;
		case NFT_GOTO:
			at.chain = eval.regs.chain;
			at.rule = 0;
			continue;
		default: break; /* return, or the chain's end */
		}
		if (at.depth == 0)
			break;
		at.depth--;
		at.chain = at.stack[at.depth].chain;
		at.rule = at.stack[at.depth].rule;
	}
	return nft_policy(&program->chains[base->chain], &eval);
}
