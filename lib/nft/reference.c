/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference: rule by rule, as nft_do_chain does it, without any
 * optimisation. It judges whatever is faster.
 */
#include "program.h"

/* Run a rule. Afterwards regs.code is NFT_CONTINUE or a verdict. */
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
	/* A broken rule just does not match. */
	if (eval->regs.code == NFT_BREAK)
		eval->regs.code = NFT_CONTINUE;
}

enum verdict
nft_policy(const struct nft_chain_code *chain, struct nft_eval *eval)
{
	if (chain->counter != 0) {
		struct nft_count *count =
			&eval->program->states->counters[eval->pkt->worker][chain->counter - 1];

		count->packets++;
		count->bytes += eval->pkt->ip_len;
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
	struct {
		uint32_t chain;
		uint32_t rule;
	} stack[NFT_JUMPS];
	unsigned int depth = 0;
	uint32_t chain = base->chain, rule = 0;

	for (;;) {
		const struct nft_chain_code *code = &program->chains[chain];

		eval.regs.code = NFT_CONTINUE;
		for (; rule < code->rule_count && eval.regs.code == NFT_CONTINUE; rule++)
			run_rule(&code->rules[rule], &eval);
		switch (eval.regs.code) {
		case NF_ACCEPT: return VERDICT_ACCEPT;
		case NF_DROP: return VERDICT_DROP;
		case NFT_JUMP:
			/* The loader refuses what nests deeper. */
			if (depth == NFT_JUMPS)
				return VERDICT_DROP;
			stack[depth].chain = chain;
			stack[depth++].rule = rule;
			chain = eval.regs.chain;
			rule = 0;
			continue;
		case NFT_GOTO:
			chain = eval.regs.chain;
			rule = 0;
			continue;
		default: break; /* return, or the chain's end */
		}
		if (depth == 0)
			break;
		chain = stack[--depth].chain;
		rule = stack[depth].rule;
	}
	return nft_policy(&program->chains[base->chain], &eval);
}
