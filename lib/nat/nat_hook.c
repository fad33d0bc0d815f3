/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat_priv.h"

#include <errno.h>
#include <string.h>

#include "rewrite.h"

/* Times that NAT picks again after "taken" before it calls the range exhausted. */
#define MAX_ATTEMPTS 16

/* HOOK2MANIP */
static enum nat_manip
manip_of(enum hook hook)
{
	return hook == HOOK_POSTROUTING || hook == HOOK_INPUT ? NAT_MANIP_SRC : NAT_MANIP_DST;
}

static uint32_t
done_bit(enum nat_manip manip)
{
	return manip == NAT_MANIP_SRC ? CT_SRC_NAT_DONE : CT_DST_NAT_DONE;
}

/* Write a chosen tuple into the connection (the second half of nf_nat_setup_info). */
static void
bind_to(struct nat *nat, uint32_t conn, const struct tuple *current, const struct tuple *chosen,
	enum nat_manip manip)
{
	struct conn *c = conn_at(nat->ct, conn);
	struct tuple reply;

	if (!tuple_equal(chosen, current) && tuple_invert(chosen, &reply)) {
		conntrack_set_reply(nat->ct, conn, &reply);
		c->status |= manip == NAT_MANIP_SRC ? CT_SRC_NAT : CT_DST_NAT;
	}
	if (manip == NAT_MANIP_SRC && (c->status & CT_SRC_NAT))
		nat_source_add(nat, conn);
	c->status |= done_bit(manip);
}

/* What the packet looks like after the translations bound so far. */
static void
current_tuple(struct nat *nat, uint32_t conn, struct tuple *out)
{
	struct tuple reply;

	conn_tuple(nat->ct, conn, CT_DIR_REPLY, &reply);
	(void)tuple_invert(&reply, out);
}

int
nat_bind(struct nat *nat, struct pkt *pkt, const struct nat_range *range, enum nat_manip manip)
{
	struct conn *c = conn_at(nat->ct, pkt->conn);
	struct tuple current, chosen;
	int rc;

	if (c->status & (CT_CONFIRMED | done_bit(manip)))
		return 0;
	current_tuple(nat, pkt->conn, &current);
	rc = nat_choose(nat, pkt->conn, &current, range, manip, false, &chosen);
	if (rc != 0) {
		/* Linux binds a tuple that is taken, and drops the packet at confirm. */
		nat->exhausted++;
		pkt->drop = DROP_NAT_EXHAUSTED;
		return rc;
	}
	bind_to(nat, pkt->conn, &current, &chosen, manip);
	/* Kept for a second choice, should the home of the reply say "taken". */
	if (manip == NAT_MANIP_SRC) {
		nat->last_range = *range;
		nat->last_source[chosen.family == FAMILY_IPV6] = chosen.src;
	}
	return 0;
}

/* __nf_nat_alloc_null_binding: keep the address; the port too unless it is taken. */
static int
bind_null(struct nat *nat, struct pkt *pkt, enum nat_manip manip)
{
	struct nat_range range = {.flags = NAT_RANGE_MAP_IPS};
	struct tuple reply;

	/* Nothing about a destination can change without being told to what. */
	if (manip == NAT_MANIP_DST) {
		conn_at(nat->ct, pkt->conn)->status |= done_bit(manip);
		return 0;
	}
	conn_tuple(nat->ct, pkt->conn, CT_DIR_REPLY, &reply);
	range.min_addr = range.max_addr = reply.dst;
	return nat_bind(nat, pkt, &range, manip);
}

void
nat_translate(struct nat *nat, struct pkt *pkt, enum nat_manip manip)
{
	unsigned int dir = pkt->flags & PKT_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;
	uint32_t bit = manip == NAT_MANIP_SRC ? CT_SRC_NAT : CT_DST_NAT;
	struct tuple other, target;

	if (dir == CT_DIR_REPLY)
		bit ^= CT_SRC_NAT | CT_DST_NAT;
	if (!(conn_at(nat->ct, pkt->conn)->status & bit))
		return;
	conn_tuple(nat->ct, pkt->conn, !dir, &other);
	if (pkt->flags & PKT_ICMP_ERROR)
		pkt_translate_error(pkt, &other, manip);
	else if (tuple_invert(&other, &target))
		pkt_translate(pkt, &target, manip);
}

struct nat_hold *
nat_hold_of(struct nat *nat, uint32_t conn)
{
	struct conn *c = conn_at(nat->ct, conn);

	return c->flags & CONN_HELD ? &nat->holds[c->hold] : NULL;
}

/* A free hold, or NULL. */
static struct nat_hold *
hold_alloc(struct nat *nat)
{
	for (unsigned int i = 0; i < NAT_HOLDS; i++) {
		struct nat_hold *hold = &nat->holds[(nat->free_hold + i) % NAT_HOLDS];

		if (hold->conn == CONN_NONE) {
			nat->free_hold = (uint16_t)(hold - nat->holds + 1) % NAT_HOLDS;
			return hold;
		}
	}
	return NULL;
}

/* Ask the home of the reply tuple, and hold the packet until it answers. */
static enum verdict
reserve(struct nat *nat, struct pkt *pkt, uint8_t home)
{
	struct conn *c = conn_at(nat->ct, pkt->conn);
	struct nat_hold *hold = hold_alloc(nat);
	struct tuple reply;

	if (hold == NULL || conntrack_hold(nat->ct, pkt->conn) != 0) {
		pkt->drop = DROP_CT_HOLD_FULL;
		return VERDICT_DROP;
	}
	conn_tuple(nat->ct, pkt->conn, CT_DIR_REPLY, &reply);
	if (nat->reserve(nat->reserve_ctx, nat, pkt->conn, &reply, home) != 0) {
		conntrack_release(nat->ct, pkt->conn);
		pkt->drop = DROP_HANDOFF_FULL;
		return VERDICT_DROP;
	}
	*hold = (struct nat_hold){
		.range = nat->last_range,
		.conn = pkt->conn,
		.id = c->id,
		.count = 1,
		.packets = {pkt_mbuf(pkt)},
	};
	c->hold = (uint16_t)(hold - nat->holds);
	nat->held_connections++;
	nat->held_packets++;
	return VERDICT_STOLEN;
}

enum verdict
nat_hold_behind(struct nat *nat, struct pkt *pkt)
{
	struct nat_hold *hold = nat_hold_of(nat, pkt->conn);

	if (hold == NULL || hold->count == NAT_HOLD_PACKETS) {
		pkt->drop = DROP_CT_HOLD_FULL;
		return VERDICT_DROP;
	}
	hold->packets[hold->count++] = pkt_mbuf(pkt);
	nat->held_packets++;
	return VERDICT_STOLEN;
}

/* Whether a masqueraded connection leaves by another port than it was bound to
 * (nf_nat_oif_changed). */
static bool
egress_changed(const struct conn *c, const struct pkt *pkt, enum hook hook)
{
	return hook == HOOK_POSTROUTING && (c->flags & CONN_MASQUERADE) &&
	       !(pkt->flags & (PKT_REPLY | PKT_RELATED)) && c->egress != pkt->out_port;
}

/* The connection is new here: bind this end. */
static enum verdict
bind_new(struct nat *nat, struct pkt *pkt, enum hook hook, nat_chains_t chains, void *chains_ctx)
{
	enum nat_manip manip = manip_of(hook);
	struct conn *c = conn_at(nat->ct, pkt->conn);
	struct tuple reply;
	uint8_t home;

	if (chains != NULL) {
		enum verdict verdict = chains(chains_ctx, pkt, hook);

		if (verdict != VERDICT_ACCEPT)
			return verdict;
	}
	if (!(c->status & done_bit(manip)) && bind_null(nat, pkt, manip) != 0)
		return VERDICT_DROP;
	if (manip == NAT_MANIP_DST || nat->reserve == NULL || (pkt->flags & PKT_RELATED))
		return VERDICT_ACCEPT;
	conn_tuple(nat->ct, pkt->conn, CT_DIR_REPLY, &reply);
	home = home_of(nat->homes, tuple_fold(&reply));
	return home == nat->ct->worker ? VERDICT_ACCEPT : reserve(nat, pkt, home);
}

enum verdict
nat_hook(struct nat *nat, struct pkt *pkt, enum hook hook, nat_chains_t chains, void *chains_ctx)
{
	enum nat_manip manip = manip_of(hook);
	struct conn *c;

	if (pkt->conn == CONN_NONE)
		return VERDICT_ACCEPT;
	c = conn_at(nat->ct, pkt->conn);
	/* An ICMP error binds nothing; a reset about an unbound connection does, as in Linux. */
	if (!(c->status & (CT_CONFIRMED | done_bit(manip))) && !(pkt->flags & PKT_ICMP_ERROR)) {
		enum verdict verdict = bind_new(nat, pkt, hook, chains, chains_ctx);

		if (verdict != VERDICT_ACCEPT)
			return verdict;
	} else if (egress_changed(c, pkt, hook)) {
		conntrack_destroy(nat->ct, pkt->conn);
		pkt->conn = CONN_NONE;
		pkt->drop = DROP_NAT_EGRESS_CHANGED;
		return VERDICT_DROP;
	}
	nat_translate(nat, pkt, manip);
	return VERDICT_ACCEPT;
}

/*
 * "Taken": the packet's source end is bound anew, at home first, where the
 * answer is known. Returns whether a question is out again; else either the
 * binding stands (pkt->drop is DROP_COUNT) or there is none.
 */
static bool
choose_again(struct nat *nat, struct nat_hold *hold, struct pkt *pkt)
{
	struct conn *c = conn_at(nat->ct, pkt->conn);
	struct tuple original, current, chosen, reply;
	uint8_t home;

	nat->clashes++;
	pkt->drop = DROP_NAT_EXHAUSTED;
	if (++hold->attempts > MAX_ATTEMPTS)
		return false;
	/* As it was before this end was bound: with the original source. */
	conn_tuple(nat->ct, pkt->conn, CT_DIR_ORIGINAL, &original);
	current_tuple(nat, pkt->conn, &current);
	current.src = original.src;
	current.sport = original.sport;
	if (nat_choose(nat, pkt->conn, &current, &hold->range, NAT_MANIP_SRC, true, &chosen) != 0 &&
		nat_choose_away(nat, &current, &hold->range, &chosen) != 0)
		return false;
	nat_source_del(nat, pkt->conn);
	c->status &= ~(uint32_t)(CT_SRC_NAT | CT_SRC_NAT_DONE);
	bind_to(nat, pkt->conn, &current, &chosen, NAT_MANIP_SRC);
	conn_tuple(nat->ct, pkt->conn, CT_DIR_REPLY, &reply);
	home = home_of(nat->homes, tuple_fold(&reply));
	if (home == nat->ct->worker) {
		pkt->drop = DROP_COUNT;
		return false;
	}
	pkt->drop = DROP_HANDOFF_FULL;
	return nat->reserve(nat->reserve_ctx, nat, pkt->conn, &reply, home) == 0;
}

/* The packets of a hold go back to the walk, and the hold is free. */
static unsigned int
hold_empty(struct nat *nat, struct nat_hold *hold, struct rte_mbuf *packets[NAT_HOLD_PACKETS])
{
	unsigned int count = hold->count;

	memcpy(packets, hold->packets, count * sizeof(packets[0]));
	hold->conn = CONN_NONE;
	hold->count = 0;
	nat->held_connections--;
	nat->held_packets -= count;
	return count;
}

/* The connection went before its answer came: an alias has no owner, its packets wait still. */
static unsigned int
answer_to_none(struct nat *nat, const struct nat_answer *answer,
	struct rte_mbuf *packets[NAT_HOLD_PACKETS])
{
	if (!answer->taken)
		nat->unreserve(nat->reserve_ctx, nat, answer->conn, &answer->reply, answer->home);
	for (unsigned int i = 0; i < NAT_HOLDS; i++) {
		struct nat_hold *hold = &nat->holds[i];

		if (hold->conn != answer->conn || hold->id != answer->id)
			continue;
		pkt_of(hold->packets[0])->conn = CONN_NONE;
		pkt_of(hold->packets[0])->drop = DROP_SHUTDOWN;
		return hold_empty(nat, hold, packets);
	}
	return 0;
}

unsigned int
nat_answer(struct nat *nat, const struct nat_answer *answer,
	struct rte_mbuf *packets[NAT_HOLD_PACKETS])
{
	struct conn *c = conn_at(nat->ct, answer->conn);
	struct nat_hold *hold;
	struct pkt *pkt;

	if (!(c->flags & CONN_IN_USE) || c->id != answer->id || !(c->flags & CONN_HELD))
		return answer_to_none(nat, answer, packets);
	hold = nat_hold_of(nat, answer->conn);
	pkt = pkt_of(hold->packets[0]);
	if (answer->taken && choose_again(nat, hold, pkt))
		return 0;
	conntrack_release(nat->ct, answer->conn);
	pkt->flags |= PKT_HELD;
	if (!answer->taken) {
		c->alias_at = answer->home;
		pkt->drop = DROP_COUNT;
	}
	if (pkt->drop == DROP_COUNT)
		nat_translate(nat, pkt, NAT_MANIP_SRC);
	else
		conntrack_forget(nat->ct, pkt);
	return hold_empty(nat, hold, packets);
}
