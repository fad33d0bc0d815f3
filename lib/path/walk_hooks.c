/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of a hook, user chains and built-ins in one order.
 */
#include <rte_ether.h>

#include "worker.h"

static unsigned int
family_of(const struct pkt *pkt)
{
	return (pkt->flags & PKT_IPV6) != 0;
}

/* What rules wrote to the packet is read again before anybody else looks at it. */
static inline enum verdict
written(struct pkt *pkt)
{
	if (likely(!(pkt->flags & PKT_WRITTEN)))
		return VERDICT_ACCEPT;
	return pkt_reparse(pkt) == 0 ? VERDICT_ACCEPT : VERDICT_DROP;
}

static enum verdict
run_chain(const struct hook_entry *entry, struct pkt *pkt)
{
	enum verdict verdict = entry->run(entry->chain, pkt);

	return verdict == VERDICT_ACCEPT ? written(pkt) : verdict;
}

/* The nat chains of a hook, for an unbound connection; the first binding ends it. */
static enum verdict
nat_chains(void *ctx, struct pkt *pkt, enum hook hook)
{
	const struct hook_list *list = ctx;
	uint32_t done =
		hook == HOOK_POSTROUTING || hook == HOOK_INPUT ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE;

	for (unsigned int i = 0; i < list->count; i++) {
		enum verdict verdict = list->entries[i].run(list->entries[i].chain, pkt);

		if (verdict == VERDICT_ACCEPT)
			verdict = written(pkt);
		if (verdict != VERDICT_ACCEPT)
			return verdict;
		if (conn_at(conntrack_of(pkt->worker), pkt->conn)->status & done)
			break;
	}
	return VERDICT_ACCEPT;
}

/* Linux reassembles here; until that is built, what a rule needs tracked goes no further. */
static enum verdict
defrag(struct pkt *pkt)
{
	if (!(pkt->flags & PKT_FRAGMENT))
		return VERDICT_ACCEPT;
	pkt->drop = DROP_FRAGMENT;
	return VERDICT_DROP;
}

static enum verdict
conntrack(struct worker *w, struct pkt *pkt)
{
	enum verdict verdict;

	/* Its connection is another worker's, and so far has the packet come on this one. */
	if (unlikely((pkt->flags & PKT_MOVED) != 0) && !(pkt->flags & PKT_UNTRACKED) &&
		walk_belongs_elsewhere(w, pkt)) {
		pkt->drop = DROP_CT_ELSEWHERE;
		return VERDICT_DROP;
	}
	verdict = conntrack_in(w->ct, pkt);
	return verdict == VERDICT_STOLEN ? nat_hold_behind(&w->nat, pkt) : verdict;
}

/* Of frames that are no IP packets: whether the EtherType says so, too. */
static enum verdict
whole_ip(const struct pkt *pkt)
{
	uint16_t type = rte_pktmbuf_mtod(pkt_mbuf(pkt), const struct rte_ether_hdr *)->ether_type;

	return type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
			       type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6)
		       ? VERDICT_DROP
		       : VERDICT_ACCEPT;
}

static enum verdict
run_entry(struct worker *w, struct pkt *pkt, enum hook hook, const struct hook_entry *entry)
{
	const struct hook_list *chains;

	switch (entry->kind) {
	case HOOK_CHAIN: return run_chain(entry, pkt);
	case HOOK_DEFRAG: return defrag(pkt);
	case HOOK_CONNTRACK: return conntrack(w, pkt);
	case HOOK_CONFIRM: return conntrack_confirm(w->ct, pkt);
	case HOOK_WHOLE_IP: return whole_ip(pkt);
	case HOOK_NAT:
		chains = &w->hooks->nat_chains[family_of(pkt)][hook];
		return nat_hook(&w->nat, pkt, hook, chains->count != 0 ? nat_chains : NULL,
			(void *)(uintptr_t)chains);
	}
	return VERDICT_ACCEPT;
}

static enum verdict
run_from(struct worker *w, struct pkt *pkt, enum hook hook, unsigned int first)
{
	const struct hook_list *list = &w->hooks->lists[family_of(pkt)][hook];

	for (unsigned int i = first; i < list->count; i++) {
		enum verdict verdict = run_entry(w, pkt, hook, &list->entries[i]);

		if (verdict != VERDICT_ACCEPT)
			return verdict;
	}
	return VERDICT_ACCEPT;
}

enum verdict
walk_hook(struct worker *w, struct pkt *pkt, enum hook hook)
{
	pkt->hook = (uint8_t)hook;
	return run_from(w, pkt, hook, 0);
}

enum verdict
walk_device(struct worker *w, struct pkt *pkt, enum hook hook, uint16_t port)
{
	const struct hook_list *list = pkt_is_other(pkt) ? &w->hooks->other[hook - HOOK_INGRESS]
							 : &w->hooks->lists[family_of(pkt)][hook];

	pkt->hook = (uint8_t)hook;
	for (unsigned int i = 0; i < list->count; i++) {
		enum verdict verdict;

		if (!(list->entries[i].ports >> (port & 63) & 1))
			continue;
		verdict = run_entry(w, pkt, hook, &list->entries[i]);
		if (verdict != VERDICT_ACCEPT)
			return verdict;
	}
	return VERDICT_ACCEPT;
}

enum verdict
walk_hook_from(struct worker *w, struct pkt *pkt, enum hook_kind kind, unsigned int skip)
{
	const struct hook_list *list = &w->hooks->lists[family_of(pkt)][pkt->hook];
	unsigned int at = 0;

	/* The list may be another one than when the packet was held: find its place again. */
	while (at < list->count && list->entries[at].kind != kind)
		at++;
	return run_from(w, pkt, (enum hook)pkt->hook, at < list->count ? at + skip : 0);
}
