/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A traced packet's way through a base chain (nft_do_chain, nft_trace_notify).
 */
#include "trace.h"

#include <string.h>

/* One evaluation of a base chain, as it is told. */
struct trace {
	const struct nft_base *base;
	struct nft_eval *eval;
	struct nft_cursor *at;
	bool dumped; /* an event had the packet with it */
};

/* A number for all events of a packet; neighbours look different to the eye. */
static uint32_t
new_id(void)
{
	static _Atomic uint32_t count;
	uint32_t id =
		(atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1) * 0x9e3779b1U;

	return id != 0 ? id : 1;
}

static uint8_t
copy(uint8_t *to, const uint8_t *from, uint32_t len, uint32_t most)
{
	len = len < most ? len : most;
	memcpy(to, from, len);
	return (uint8_t)len;
}

/* nf_trace_fill_pkt_info: the headers as they are at this moment. */
static void
fill_headers(struct nft_trace_event *event, const struct pkt *pkt)
{
	const uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(pkt), const uint8_t *);
	uint32_t end = (uint32_t)pkt->l2_len + pkt->ip_len;
	uint32_t l4 = pkt->l4_off < end && !pkt_is_other(pkt) ? pkt->l4_off : end;

	event->network_len =
		copy(event->network, frame + pkt->l2_len, l4 - pkt->l2_len, NFT_TRACE_NETWORK);
	event->transport_len = copy(event->transport, frame + l4, end - l4, NFT_TRACE_TRANSPORT);
	/*
	 * What the router itself makes gets its link header only when it leaves; there
	 * Linux has it in the packet, not in front of it, and tells nothing of it.
	 */
	if (!(pkt->flags & PKT_LOCAL_OUT) && pkt->hook != HOOK_EGRESS)
		event->link_len = copy(event->link, frame, pkt->l2_len, NFT_TRACE_LINK);
}

/* nf_trace_fill_ct_info */
static void
fill_conn(struct nft_trace_event *event, const struct nft_eval *eval)
{
	const struct ct_ops *ct = eval->env->ct;
	uint32_t state = ct != NULL ? ct->state(eval->pkt) : CT_STATE_INVALID;
	enum ct_dir dir;

	if (state == CT_STATE_INVALID)
		return;
	event->ct_state = (uint8_t)state;
	if (state == CT_STATE_UNTRACKED)
		return;
	event->conn = ct->direction(eval->pkt, &dir) && ct->id(eval->pkt, &event->ct_id) &&
		      ct->status(eval->pkt, &event->ct_status);
	event->ct_reply = event->conn && dir == CT_DIR_REPLY;
}

static void
fill_packet(struct nft_trace_event *event, const struct nft_eval *eval)
{
	const struct pkt *pkt = eval->pkt;

	event->packet = true;
	if (pkt_in(pkt) != PORT_NONE)
		event->in_index = eval->env->port_index(pkt_in(pkt));
	if (pkt_out(pkt) != PORT_NONE)
		event->out_index = eval->env->port_index(pkt_out(pkt));
	fill_headers(event, pkt);
	fill_conn(event, eval);
}

/* nft_trace_notify. @param rule NULL: the chain's end, or a policy */
static void
tell(struct trace *t, const struct nft_chain_code *chain, const struct nft_rule_code *rule,
	enum nft_trace_types type, int32_t verdict)
{
	const struct nft_eval *eval = t->eval;
	const struct nft_env *env = eval->env;
	struct nft_trace_event event;

	/* A rule may have taken nftrace off again. */
	if (!(eval->pkt->flags & PKT_NFTRACE) || env->tracing == NULL ||
		!atomic_load_explicit(env->tracing, memory_order_acquire))
		return;
	if (eval->pkt->trace_id == 0)
		eval->pkt->trace_id = new_id();
	event = (struct nft_trace_event){
		.chain = chain,
		.rule = rule != NULL ? rule->handle : 0,
		.id = eval->pkt->trace_id,
		.mark = eval->pkt->mark,
		.verdict = verdict,
		.type = (uint8_t)type,
		.family = eval->program->chains[t->base->chain].family,
		.nfproto = eval->pkt->flags & PKT_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
	};
	if (event.family == NFPROTO_NETDEV)
		event.nfproto = NFPROTO_NETDEV;
	if (type == NFT_TRACETYPE_RULE && (verdict == NFT_JUMP || verdict == NFT_GOTO))
		event.target = &eval->program->chains[eval->regs.chain];
	if (!t->dumped)
		fill_packet(&event, eval);
	t->dumped = true;
	env->trace(&event);
}

/* What a rule left behind: told of if it matched. True: on to the next rule. */
static bool
rule_done(struct trace *t, const struct nft_chain_code *chain, const struct nft_rule_code *rule)
{
	struct nft_regs *regs = &t->eval->regs;

	if (regs->code == NFT_BREAK) {
		regs->code = NFT_CONTINUE;
		return true;
	}
	tell(t, chain, rule, NFT_TRACETYPE_RULE, regs->code);
	return regs->code == NFT_CONTINUE;
}

static void
run_rule(const struct nft_rule_code *rule, struct nft_eval *eval)
{
	eval->regs.code = NFT_CONTINUE;
	eval->rule = rule->handle;
	for (const uint8_t *at = rule->begin; at < rule->end;) {
		const struct expr *expr = (const struct expr *)(const void *)at;

		expr->ops->evaluate(expr, eval);
		if (eval->regs.code != NFT_CONTINUE)
			break;
		at += expr->ops->size;
	}
}

/* The rules of the chain from the cursor on, until a verdict. */
static void
run_chain(struct trace *t, bool ran)
{
	struct nft_cursor *at = t->at;
	const struct nft_chain_code *chain = &t->eval->program->chains[at->chain];

	if (ran && !rule_done(t, chain, &chain->rules[at->rule - 1]))
		return;
	while (at->rule < chain->rule_count) {
		const struct nft_rule_code *rule = &chain->rules[at->rule++];

		run_rule(rule, t->eval);
		if (!rule_done(t, chain, rule))
			return;
	}
	t->eval->regs.code = NFT_CONTINUE;
	tell(t, chain, NULL, NFT_TRACETYPE_RULE, NFT_CONTINUE);
}

enum verdict
nft_trace_run(const struct nft_base *base, struct nft_eval *eval, struct nft_cursor *at, bool ran)
{
	const struct nft_chain_code *entered = &base->program->chains[base->chain];
	struct trace t = {.base = base, .eval = eval, .at = at};

	for (;; ran = false) {
		run_chain(&t, ran);
		switch (eval->regs.code) {
		case NF_ACCEPT: return VERDICT_ACCEPT;
		case NF_DROP: return VERDICT_DROP;
		case NFT_JUMP:
			/* The loader refuses what nests deeper. */
			if (at->depth == NFT_JUMPS)
				return VERDICT_DROP;
			at->stack[at->depth++] = (struct nft_return){at->chain, at->rule};
			at->chain = eval->regs.chain;
			at->rule = 0;
			continue;
		case NFT_GOTO:
			at->chain = eval->regs.chain;
			at->rule = 0;
			continue;
		default: break; /* return, or the chain's end */
		}
		if (at->depth == 0)
			break;
		at->depth--;
		at->chain = at->stack[at->depth].chain;
		at->rule = at->stack[at->depth].rule;
	}
	tell(&t, entered, NULL, NFT_TRACETYPE_POLICY, entered->policy);
	return entered->policy == NF_DROP ? VERDICT_DROP : VERDICT_ACCEPT;
}
