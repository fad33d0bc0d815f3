/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From prerouting to the wire: routing, input or forward, postrouting
 * (ip_route_input, ip_forward, ip_output; ip6_forward).
 */
#include "worker.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <rte_ip.h>

#include "rewrite.h"

static bool
is_ipv6(const struct pkt *pkt)
{
	return (pkt->flags & PKT_IPV6) != 0;
}

void
walk_input_done(struct worker *w, struct pkt *pkt, enum verdict verdict)
{
	if (verdict != VERDICT_ACCEPT) {
		walk_end(w, pkt, verdict);
		return;
	}
	/* The packet itself ends here, its connection stays: there is no twin to take it. */
	worker_drop(w, pkt_mbuf(pkt), DROP_LOCAL);
}

/*
 * A rule wrote another destination after routing. The route stays, but one without a
 * gateway leads to whoever has the address now, on the same link (ip_neigh_for_gw,
 * rt6_nexthop). False: nobody is known there.
 */
static bool
readdress(struct worker *w, struct pkt *pkt)
{
	struct route_result result;

	if (route_nexthop(w->routes, pkt->nexthop)->flags & ROUTE_NH_GATEWAY)
		return true;
	result = is_ipv6(pkt) ? route_lookup6(w->routes, pkt->out_port, &pkt->tuple.dst)
			      : route_lookup4(w->routes, pkt->tuple.dst.v4);
	if (result.type != ROUTE_UNICAST || result.port != pkt->out_port ||
		(route_nexthop(w->routes, result.nexthop)->flags & ROUTE_NH_GATEWAY))
		return false;
	pkt->nexthop = result.nexthop;
	return true;
}

void
walk_postrouting_done(struct worker *w, struct pkt *pkt, enum verdict verdict)
{
	const struct route_nexthop *nexthop;

	if (verdict != VERDICT_ACCEPT) {
		walk_end(w, pkt, verdict);
		return;
	}
	if (unlikely((pkt->flags & PKT_READDRESSED) != 0) && !readdress(w, pkt)) {
		worker_drop(w, pkt_mbuf(pkt), DROP_NO_NEIGHBOUR);
		return;
	}
	nexthop = route_nexthop(w->routes, pkt->nexthop);
	if (!(nexthop->flags & ROUTE_NH_RESOLVED)) {
		worker_drop(w, pkt_mbuf(pkt), DROP_NO_NEIGHBOUR);
		return;
	}
	memcpy(rte_pktmbuf_mtod(pkt_mbuf(pkt), void *), nexthop->l2, RTE_ETHER_HDR_LEN);
	pkt->drop = DROP_RULE;
	if (hook_on_device(w->hooks, HOOK_EGRESS, nexthop->port) &&
		walk_device(w, pkt, HOOK_EGRESS, nexthop->port) != VERDICT_ACCEPT) {
		/* Behind the last hook: its connection is confirmed, and stays. */
		worker_drop(w, pkt_mbuf(pkt), pkt->drop);
		return;
	}
	record_walk(w, pkt);
	pkt_mbuf(pkt)->port = nexthop->port;
	tx_frame(w, pkt_mbuf(pkt));
}

/* Take over where a packet goes. */
static enum route_type
take_route(struct pkt *pkt, struct route_result result)
{
	pkt->nexthop = result.nexthop;
	pkt->out_port = result.type == ROUTE_UNICAST ? result.port : PORT_NONE;
	return (enum route_type)result.type;
}

/* Larger than the egress takes: ip_exceeds_mtu, ip6_pkt_too_big. */
static bool
too_big(struct worker *w, struct pkt *pkt)
{
	const struct route_nexthop *nexthop = route_nexthop(w->routes, pkt->nexthop);
	const struct rte_ipv4_hdr *ip = pkt_l3(pkt);

	if (pkt->ip_len <= nexthop->mtu)
		return false;
	pkt->drop = DROP_MTU;
	if (is_ipv6(pkt))
		walk_error(w, pkt, ICMP6_PACKET_TOO_BIG, 0, nexthop->mtu);
	else if (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG))
		walk_error(w, pkt, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, nexthop->mtu);
	return true;
}

static bool
ttl_over(struct worker *w, struct pkt *pkt)
{
	if (!(pkt->flags & PKT_TTL))
		return false;
	pkt->drop = DROP_TTL;
	if (is_ipv6(pkt))
		walk_error(w, pkt, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, 0);
	else
		walk_error(w, pkt, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
	return true;
}

/* ip6_forward: some sources never leave their link. */
static bool
source_may_leave(struct worker *w, struct pkt *pkt)
{
	enum route_forward6 may;

	if (!is_ipv6(pkt))
		return true;
	may = route_forward6_source(&pkt->tuple.src);
	if (may == ROUTE_FORWARD6_OK)
		return true;
	pkt->drop = DROP_MARTIAN_SOURCE;
	if (may == ROUTE_FORWARD6_BEYOND_SCOPE)
		walk_error(w, pkt, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_BEYONDSCOPE, 0);
	return false;
}

static void
forward(struct worker *w, struct pkt *pkt)
{
	enum verdict verdict;

	if (pkt->flags & (PKT_BROADCAST | PKT_MULTICAST)) {
		pkt->drop = DROP_MULTICAST;
		walk_end(w, pkt, VERDICT_DROP);
		return;
	}
	if (!source_may_leave(w, pkt) || ttl_over(w, pkt) || too_big(w, pkt)) {
		walk_end(w, pkt, VERDICT_DROP);
		return;
	}
	pkt_dec_ttl(pkt);
	verdict = walk_hook(w, pkt, HOOK_FORWARD);
	if (verdict != VERDICT_ACCEPT)
		walk_end(w, pkt, verdict);
	else
		walk_postrouting_done(w, pkt, walk_hook(w, pkt, HOOK_POSTROUTING));
}

/* What a route that leads nowhere owes the sender. */
static void
refuse(struct worker *w, struct pkt *pkt, enum route_type type)
{
	bool ipv6 = is_ipv6(pkt);

	pkt->drop = DROP_NO_ROUTE;
	switch (type) {
	case ROUTE_BLACKHOLE: break;
	case ROUTE_UNREACHABLE:
		walk_error(w, pkt, ipv6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH,
			ipv6 ? ICMP6_DST_UNREACH_ADDR : ICMP_HOST_UNREACH, 0);
		break;
	case ROUTE_PROHIBIT:
		walk_error(w, pkt, ipv6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH,
			ipv6 ? ICMP6_DST_UNREACH_ADMIN : ICMP_PKT_FILTERED, 0);
		break;
	case ROUTE_MULTICAST: pkt->drop = DROP_MULTICAST; break;
	case ROUTE_MARTIAN_SOURCE: pkt->drop = DROP_MARTIAN_SOURCE; break;
	case ROUTE_MARTIAN_DESTINATION: pkt->drop = DROP_MARTIAN_DESTINATION; break;
	default:
		walk_error(w, pkt, ipv6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH,
			ipv6 ? ICMP6_DST_UNREACH_NOROUTE : ICMP_NET_UNREACH, 0);
		break;
	}
	walk_end(w, pkt, VERDICT_DROP);
}

void
walk_route(struct worker *w, struct pkt *pkt)
{
	const struct tuple *t = &pkt->tuple;
	struct route_result result =
		is_ipv6(pkt) ? route_lookup6(w->routes, pkt->in_port, &t->dst)
			     : route_input4(w->routes, pkt->in_port, t->src.v4, t->dst.v4);
	enum route_type type = take_route(pkt, result);

	switch (type) {
	case ROUTE_UNICAST: forward(w, pkt); break;
	case ROUTE_LOCAL:
	case ROUTE_ANYCAST:
	case ROUTE_BROADCAST: walk_input_done(w, pkt, walk_hook(w, pkt, HOOK_INPUT)); break;
	default: refuse(w, pkt, type); break;
	}
}

void
walk_output(struct worker *w, struct pkt *pkt)
{
	union address before = pkt->tuple.dst;
	enum verdict verdict = walk_hook(w, pkt, HOOK_OUTPUT);

	/* NAT may have changed where it goes: ip_route_me_harder. */
	if (verdict == VERDICT_ACCEPT && memcmp(&before, &pkt->tuple.dst, sizeof(before)) != 0) {
		struct route_result result =
			is_ipv6(pkt) ? route_lookup6(w->routes, PORT_NONE, &pkt->tuple.dst)
				     : route_lookup4(w->routes, pkt->tuple.dst.v4);

		if (take_route(pkt, result) != ROUTE_UNICAST) {
			pkt->drop = DROP_NO_ROUTE;
			verdict = VERDICT_DROP;
		}
	}
	if (verdict != VERDICT_ACCEPT)
		walk_end(w, pkt, verdict);
	else
		walk_postrouting_done(w, pkt, walk_hook(w, pkt, HOOK_POSTROUTING));
}
