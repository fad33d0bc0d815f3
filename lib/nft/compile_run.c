/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled program, run.
 */
#include <string.h>

#include "compile_priv.h"
#include "trace.h"

/* Bytes of the packet from a base on. As expr/payload.c. */
static inline bool
read_bytes(const struct match_key *key, const struct pkt *pkt, unsigned int base, uint64_t out[2])
{
	const uint8_t *from;

	if (base + key->offset + key->len > (uint32_t)pkt->l2_len + pkt->ip_len)
		return false;
	from = rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), const uint8_t *, base + key->offset);
	if (key->len <= 4) {
		uint32_t word = 0;

		memcpy(&word, from, key->len);
		out[0] = word & key->mask[0];
		out[1] = 0;
		return true;
	}
	out[0] = out[1] = 0;
	memcpy(out, from, key->len);
	out[0] &= key->mask[0];
	out[1] &= key->mask[1];
	return true;
}

static inline uint64_t
port_bit(uint16_t port)
{
	return 1ULL << (port < 63 ? port : 63);
}

bool
match_read(const struct match_key *key, struct nft_eval *eval, uint64_t out[2])
{
	const struct pkt *pkt = eval->pkt;
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;

	out[1] = 0;
	switch ((enum match_from)key->from) {
	case FROM_NETWORK:
		if (!read_bytes(key, pkt, pkt->l2_len, out))
			return false;
		break;
	case FROM_TRANSPORT:
		if (((pkt->flags & PKT_LATER_FRAGMENT) && !key->fast) || pkt_is_other(pkt) ||
			!read_bytes(key, pkt, pkt->l4_off, out))
			return false;
		if (eval->trail != NULL && pkt->l4_proto != IPPROTO_TCP &&
			pkt->l4_proto != IPPROTO_UDP)
			nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
		break;
	case FROM_IN_NAME: out[0] = port_bit(pkt_in(pkt)); return true;
	case FROM_OUT_NAME: out[0] = port_bit(pkt_out(pkt)); return true;
	case FROM_L4PROTO: out[0] = pkt->l4_proto & key->mask[0]; return !pkt_is_other(pkt);
	case FROM_NFPROTO:
		out[0] = (ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4) & key->mask[0];
		return true;
	case FROM_CT_STATE: out[0] = eval->env->ct->state(pkt) & key->mask[0]; return true;
	case FROM_MARK: out[0] = pkt->mark & key->mask[0]; return true;
	}
	if (unlikely(key->unsafe[ipv6] != 0))
		nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	return true;
}

static inline bool
match(const struct match *m, struct nft_eval *eval)
{
	uint64_t is[2];

	if (!match_read(&m->key, eval, is))
		return false;
	if (m->key.from == FROM_IN_NAME || m->key.from == FROM_OUT_NAME)
		return ((m->ports & is[0]) != 0) != m->differ;
	return (is[0] == m->value[0] && is[1] == m->value[1]) != m->differ;
}

/* The first rule of a run from one on that can match, or where the run ends. */
static uint32_t
enter_run(const struct run *run, struct nft_eval *eval, uint32_t rule)
{
	const struct pkt *pkt = eval->pkt;
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;
	uint64_t value[2];
	uint32_t at;

	if ((run->nfproto != 0 && run->nfproto != (ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4)) ||
		(run->l4proto != 0 && run->l4proto != pkt->l4_proto))
		return run->last;
	/* Bytes that the rules may never come to ask for must not bind the walk to its packet. */
	if (eval->trail != NULL &&
		(run->key.unsafe[ipv6] != 0 ||
			(run->key.from == FROM_TRANSPORT && pkt->l4_proto != IPPROTO_TCP &&
				pkt->l4_proto != IPPROTO_UDP)))
		return rule;
	if (!match_read(&run->key, eval, value))
		return run->last;
	at = run->heads[((value[0] ^ value[1]) * 0x9e3779b97f4a7c15ULL >> 32) & run->mask];
	/* Rules of a chain are in order. */
	for (; at != NO_RUN; at = run->entries[at].next)
		if (run->entries[at].rule >= rule && run->entries[at].value[0] == value[0] &&
			run->entries[at].value[1] == value[1])
			return run->entries[at].rule;
	return run->last;
}

/* Run what is left of a rule. */
static void
run_rest(const struct fast_rule *rule, struct nft_eval *eval)
{
	for (const uint8_t *at = rule->begin; at < rule->end;) {
		const struct expr *expr = (const struct expr *)(const void *)at;

		expr->ops->evaluate(expr, eval);
		if (eval->regs.code != NFT_CONTINUE)
			break;
		at += expr->ops->size;
	}
}

/*
 * The rules of a chain from one on, until a verdict, or until one has set
 * nftrace. Returns the rule behind the last one run.
 */
static uint32_t
run_rules(const struct nft_fast *fast, uint32_t at, struct nft_eval *eval)
{
	while (at < fast->rule_count) {
		const struct fast_rule *rule = &fast->rules[at];
		uint32_t i = 0;

		eval->rule = rule->handle;
		if (rule->run != NO_RUN) {
			const struct run *run = &fast->runs[rule->run];
			uint32_t next = enter_run(run, eval, at);

			at = next;
			if (next == run->last)
				continue;
			rule = &fast->rules[at];
			eval->rule = rule->handle;
		}
		at++;
		while (i < rule->count && match(&fast->matches[rule->first + i], eval))
			i++;
		if (i < rule->count)
			continue;
		run_rest(rule, eval);
		if (unlikely((eval->pkt->flags & PKT_NFTRACE) != 0))
			break;
		if (eval->regs.code == NFT_BREAK)
			eval->regs.code = NFT_CONTINUE;
		if (eval->regs.code != NFT_CONTINUE)
			break;
	}
	return at;
}

/* The packet is traced: from here on it goes rule by rule. */
static __rte_noinline enum verdict
run_traced(const struct nft_base *base, struct nft_eval *eval, uint32_t chain, uint32_t rule,
	const struct nft_return *stack, unsigned int depth, bool ran)
{
	struct nft_cursor at = {.chain = chain, .rule = rule, .depth = depth};

	if (depth != 0)
		memcpy(at.stack, stack, depth * sizeof(*stack));
	return nft_trace_run(base, eval, &at, ran);
}

enum verdict
nft_compiled_run(const void *arg, struct pkt *pkt)
{
	const struct nft_base *base = arg;
	const struct nft_program *program = base->program;
	struct nft_eval eval;
	struct nft_return stack[NFT_JUMPS];
	unsigned int depth = 0;
	uint32_t chain = base->chain, rule = 0;

	/* What is unknown of a register is written with the register. */
	eval.regs = (struct nft_regs){0};
	eval.program = program;
	eval.env = program->env;
	eval.pkt = pkt;
	eval.trail = pkt->trail;
	if (unlikely((pkt->flags & PKT_NFTRACE) != 0))
		return run_traced(base, &eval, chain, rule, NULL, 0, false);
	for (;;) {
		eval.regs.code = NFT_CONTINUE;
		rule = run_rules(program->chains[chain].fast, rule, &eval);
		if (unlikely((pkt->flags & PKT_NFTRACE) != 0))
			return run_traced(base, &eval, chain, rule, stack, depth, true);
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
