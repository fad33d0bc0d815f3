/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow walk: every packet that no settled record carries. One packet is
 * walked to its end before the next one is looked at, so that a burst cannot be
 * told from single packets (doc/architecture.md, one packet at a time).
 */
#include "worker.h"

#include <rte_ether.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "home.h"

/* Packets that are parsed before the first of them is walked, so that their cache misses overlap.
 */
#define WALK_GROUP 16

/* The home of a packet; an ICMP error's is its quoted packet's. */
static uint8_t
home_of_packet(struct worker *w, const struct pkt *pkt)
{
	struct tuple quoted;
	uint16_t l3, l4;

	if ((pkt->flags & PKT_ICMP_ERROR) && pkt_parse_quote(pkt, &quoted, &l3, &l4) == 0)
		return home_of(w->homes, tuple_fold(&quoted));
	return home_of(w->homes, tuple_fold(&pkt->tuple));
}

/* The worker that owns the tuple by an alias here, or this one. An orphan alias goes. */
static uint8_t
owner_of_packet(struct worker *w, const struct pkt *pkt, bool returned)
{
	struct tuple t = pkt->tuple;
	struct flow_table *table;
	struct flow_alias *alias;
	uint16_t l3, l4;
	uint32_t found;

	if (pkt->flags & PKT_ICMP_ERROR) {
		struct tuple quoted;

		if (pkt_parse_quote(pkt, &quoted, &l3, &l4) != 0 || !tuple_invert(&quoted, &t))
			return w->id;
	}
	table = &w->ct->table[t.family == FAMILY_IPV6];
	found = flow_find(table, &t, flow_hash(table, &t));
	if (found == FLOW_NONE || !(found & FLOW_ALIAS))
		return w->id;
	alias = flow_alias_at(table, found);
	if (!returned)
		return alias->owner;
	w->counters.alias_orphans++;
	flow_alias_remove(table, &t, alias->owner, alias->pair);
	return w->id;
}

/* Whether a connection of this worker has the packet's tuple. */
static bool
known_here(struct worker *w, const struct pkt *pkt)
{
	struct tuple t = pkt->tuple;
	struct flow_table *table;
	uint16_t l3, l4;
	uint32_t found;

	if (pkt->flags & PKT_ICMP_ERROR) {
		struct tuple quoted;

		if (pkt_parse_quote(pkt, &quoted, &l3, &l4) != 0 || !tuple_invert(&quoted, &t))
			return false;
	}
	table = &w->ct->table[t.family == FAMILY_IPV6];
	found = flow_find(table, &t, flow_hash(table, &t));
	return found != FLOW_NONE && !(found & FLOW_ALIAS);
}

bool
walk_belongs_elsewhere(struct worker *w, const struct pkt *pkt)
{
	if (w->alone || (pkt->flags & PKT_FRAGMENT) || known_here(w, pkt))
		return false;
	return home_of_packet(w, pkt) != w->id || owner_of_packet(w, pkt, false) != w->id;
}

/* Give the packet to the worker whose connection it belongs to, if that is another one. */
static bool
walk_elsewhere(struct worker *w, struct pkt *pkt)
{
	struct rte_mbuf *m = pkt_mbuf(pkt);
	bool handed = (m->ol_flags & w->handed_flag) != 0;
	bool returned = (m->ol_flags & w->returned_flag) != 0;
	uint8_t home, owner;

	if (w->alone || (pkt->flags & PKT_FRAGMENT))
		return false;
	home = home_of_packet(w, pkt);
	if (home == w->id) {
		owner = owner_of_packet(w, pkt, returned);
		if (owner == w->id)
			return false;
		handoff_frame(w, m, owner, w->handed_flag);
		return true;
	}
	if (known_here(w, pkt))
		return false;
	/* From an alias whose connection is gone: its home decides. */
	handoff_frame(w, m, home, handed ? w->handed_flag | w->returned_flag : w->handed_flag);
	return true;
}

/* Who is it for? (eth_type_trans, and ip_rcv's drop of PACKET_OTHERHOST) */
static int
admit(struct worker *w, struct rte_mbuf *m, struct pkt *pkt)
{
	const struct rte_ether_addr *to = rte_pktmbuf_mtod(m, const struct rte_ether_addr *);
	uint64_t mac = 0;

	if (rte_is_broadcast_ether_addr(to)) {
		pkt->flags |= PKT_BROADCAST;
		return 0;
	}
	if (rte_is_multicast_ether_addr(to)) {
		pkt->flags |= PKT_MULTICAST;
		return 0;
	}
	memcpy(&mac, to, sizeof(*to));
	if (mac == w->path->config.ports[m->port].mac)
		return 0;
	pkt->flags |= PKT_OTHERHOST;
	pkt->drop = DROP_NOT_FOR_US;
	return -1;
}

/* ip6_rcv_core judges addresses before any hook; IPv4's are routing's. */
static bool
martian6(struct pkt *pkt)
{
	enum route_type type;

	if (!(pkt->flags & PKT_IPV6))
		return false;
	type = route_martian6(&pkt->tuple.src, &pkt->tuple.dst);
	pkt->drop = type == ROUTE_MARTIAN_SOURCE ? DROP_MARTIAN_SOURCE : DROP_MARTIAN_DESTINATION;
	return type != ROUTE_NONE;
}

/*
 * What the far end of a virtual link left to hardware that is not there: a frame
 * longer than any on the wire (a driver may have cut it), or a checksum that
 * holds the pseudo header's sum only.
 */
static bool
left_to_hardware(struct worker *w, const struct rte_mbuf *m, struct pkt *pkt, bool parsed)
{
	uint16_t mtu = w->path->config.ports[m->port].mtu, sum;
	uint32_t len;

	/* As is_skb_forwardable: a tag's length is forgiven. */
	if (m->pkt_len > RTE_ETHER_HDR_LEN + (uint32_t)mtu + RTE_VLAN_HLEN) {
		pkt->drop = DROP_OVERSIZE;
		return true;
	}
	if (!parsed || !(pkt->flags & PKT_L4_BAD) || !(pkt->flags & PKT_L4) ||
		(pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP))
		return false;
	memcpy(&sum,
		(const uint8_t *)pkt_l4(pkt) +
			(pkt->l4_proto == IPPROTO_TCP ? offsetof(struct rte_tcp_hdr, cksum)
						      : offsetof(struct rte_udp_hdr, dgram_cksum)),
		sizeof(sum));
	len = (uint32_t)(pkt->ip_len + pkt->l2_len - pkt->l4_off);
	if (sum != sum_fold(sum_pseudo(&pkt->tuple, len)))
		return false;
	pkt->drop = DROP_UNFINISHED_CHECKSUM;
	return true;
}

/* What a frame is to rules that is neither IPv4 nor IPv6, or no whole header of them. */
static void
other_frame(struct rte_mbuf *m, struct pkt *pkt)
{
	pkt->flags &= PKT_BROADCAST | PKT_MULTICAST | PKT_OTHERHOST;
	pkt->l2_len = RTE_ETHER_HDR_LEN;
	pkt->l3_len = 0;
	pkt->l4_off = RTE_ETHER_HDR_LEN;
	pkt->ip_len = (uint16_t)(m->data_len - RTE_ETHER_HDR_LEN);
	pkt->l4_proto = 0;
	memset(&pkt->tuple, 0, sizeof(pkt->tuple));
}

/*
 * A frame that goes no further than the port's ingress chains, which see it all the
 * same (nf_hook_ingress comes before the protocols): not IP, broken, or for another
 * host. Their verdict changes nothing but the reason.
 */
static void
ingress_alone(struct worker *w, struct pkt *pkt)
{
	uint16_t reason = pkt->drop;

	pkt->drop = DROP_RULE;
	pkt->trail = NULL;
	if (walk_device(w, pkt, HOOK_INGRESS, pkt->in_port) == VERDICT_ACCEPT)
		pkt->drop = reason;
	worker_drop(w, pkt_mbuf(pkt), pkt->drop);
}

/* What became of a frame that was parsed. */
enum parsed {
	PARSED_GONE,  /* dropped */
	PARSED_ALONE, /* dropped for pkt->drop behind the ingress chains */
	PARSED_WHOLE,
};

/* Parse a frame into fresh metadata. */
static enum parsed
walk_parse(struct worker *w, struct rte_mbuf *m)
{
	struct pkt *pkt = pkt_of(m);

	*pkt = (struct pkt){
		.in_port = m->port,
		.out_port = PORT_NONE,
		.nexthop = NEXTHOP_NONE,
		.conn = CONN_NONE,
		.worker = w->id,
		.now_ns = w->now_ns,
		.generation = w->hooks->generation,
		.trail = &w->trail,
	};
	bool parsed = pkt_parse(m, pkt) == 0;

	bool whole = !left_to_hardware(w, m, pkt, parsed) && parsed && admit(w, m, pkt) == 0 &&
		     !martian6(pkt);

	if (likely(whole)) {
		pkt->drop = DROP_RULE;
		return PARSED_WHOLE;
	}
	/* A tag would be taken off first: until there are VLAN ports its frames are left out. */
	if (!hook_on_device(w->hooks, HOOK_INGRESS, pkt->in_port) ||
		pkt->drop == DROP_L2_TRUNCATED || pkt->drop == DROP_VLAN ||
		pkt->drop == DROP_OVERSIZE || pkt->drop == DROP_UNFINISHED_CHECKSUM) {
		worker_drop(w, m, pkt->drop);
		return PARSED_GONE;
	}
	if (!parsed) {
		uint16_t reason = pkt->drop;

		(void)admit(w, m, pkt);
		other_frame(m, pkt);
		pkt->drop = reason;
	}
	return PARSED_ALONE;
}

/* The packet has been through a part of prerouting. */
static void
prerouting_done(struct worker *w, struct pkt *pkt, enum verdict verdict)
{
	if (verdict == VERDICT_ACCEPT)
		walk_route(w, pkt);
	else
		walk_end(w, pkt, verdict);
	conntrack_packet_done(w->ct);
}

/* At its home, so that each packet meets the ingress chains once. */
static void
walk_parsed(struct worker *w, struct pkt *pkt)
{
	nft_trail_clear(&w->trail);
	if (walk_elsewhere(w, pkt))
		return;
	if (hook_on_device(w->hooks, HOOK_INGRESS, pkt->in_port) &&
		walk_device(w, pkt, HOOK_INGRESS, pkt->in_port) != VERDICT_ACCEPT) {
		worker_drop(w, pkt_mbuf(pkt), pkt->drop);
		return;
	}
	/* A rule there wrote to it: it has to be judged as if it had come so. */
	if (unlikely((pkt->flags & PKT_MOVED) != 0)) {
		if (martian6(pkt)) {
			worker_drop(w, pkt_mbuf(pkt), pkt->drop);
			return;
		}
		pkt->drop = DROP_RULE;
	}
	prerouting_done(w, pkt, walk_hook(w, pkt, HOOK_PREROUTING));
}

void
walk_end(struct worker *w, struct pkt *pkt, enum verdict verdict)
{
	if (verdict != VERDICT_DROP)
		return;
	conntrack_forget(w->ct, pkt);
	worker_drop(w, pkt_mbuf(pkt), pkt->drop);
}

void
walk_resume(struct worker *w, struct pkt *pkt)
{
	enum verdict verdict;

	pkt->now_ns = w->now_ns;
	/* Others were walked meanwhile: nobody records this walk. */
	pkt->trail = NULL;
	if (pkt->drop != DROP_COUNT) {
		walk_end(w, pkt, VERDICT_DROP);
		return;
	}
	pkt->drop = DROP_RULE;
	verdict = walk_hook_from(w, pkt, HOOK_NAT, 1);
	if (pkt->hook == HOOK_POSTROUTING)
		walk_postrouting_done(w, pkt, verdict);
	else
		walk_input_done(w, pkt, verdict);
	conntrack_packet_done(w->ct);
}

void
walk_behind(struct worker *w, struct pkt *pkt)
{
	pkt->now_ns = w->now_ns;
	pkt->trail = NULL;
	prerouting_done(w, pkt, walk_hook_from(w, pkt, HOOK_CONNTRACK, 0));
}

/* What the walk of a packet will look up, on the way to the cache. */
static void
prefetch_lookups(struct worker *w, const struct pkt *pkt)
{
	struct flow_table *table = &w->ct->table[(pkt->flags & PKT_IPV6) != 0];

	index_prefetch(&table->index, flow_hash(table, &pkt->tuple));
	nat_prefetch(&w->nat, &pkt->tuple);
}

static uint16_t
walk_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
	struct worker *w = node_worker(node);
	struct rte_mbuf **frames = (struct rte_mbuf **)objs;
	struct pkt *parsed[WALK_GROUP];
	uint32_t alone; /* of these, a bit each */

	(void)graph;
	w->counters.walked += count;
	for (uint16_t at = 0; at < count; at += WALK_GROUP) {
		unsigned int n = 0, end = RTE_MIN(at + WALK_GROUP, (unsigned int)count);

		alone = 0;
		for (unsigned int i = at; i < end; i++) {
			enum parsed as;

			if (w->hooks == NULL) {
				worker_drop(w, frames[i], DROP_SHUTDOWN);
				continue;
			}
			as = walk_parse(w, frames[i]);
			if (as == PARSED_GONE)
				continue;
			parsed[n] = pkt_of(frames[i]);
			prefetch_lookups(w, parsed[n]);
			alone |= (uint32_t)(as == PARSED_ALONE) << n++;
		}
		for (unsigned int i = 0; i < n; i++) {
			if (unlikely(alone >> i & 1))
				ingress_alone(w, parsed[i]);
			else
				walk_parsed(w, parsed[i]);
		}
	}
	return count;
}

struct rte_node_register walk_node = {
	.name = "shunt_walk",
	.process = walk_process,
};
