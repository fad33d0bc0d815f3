/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a walk that ends on the wire: its outcome goes into the direction's
 * record, and the record settles when the direction does and every packet of
 * the flow that passes all guards would be walked the same way.
 */
#include "worker.h"

#include <netinet/in.h>

/* Whether a connection's packets may be carried by their records (doc/architecture.md, settled). */
static bool
settles(const struct worker *w, const struct conn *c, const struct pkt *pkt)
{
	if ((c->status & (CT_CONFIRMED | CT_SEEN_REPLY)) != (CT_CONFIRMED | CT_SEEN_REPLY))
		return false;
	/* A record's packets renew. */
	if (c->status & CT_FIXED_TIMEOUT)
		return false;
	if (pkt->tuple.proto == IPPROTO_TCP)
		return c->state == CT_TCP_ESTABLISHED && (c->status & CT_ASSURED);
	/* Who listens is told when it becomes a stream: by a packet that is looked at. */
	if (unlikely(w->ct->events != NULL) && !(c->status & CT_ASSURED))
		return false;
	return pkt->tuple.proto == IPPROTO_UDP;
}

void
record_walk(struct worker *w, struct pkt *pkt)
{
	const struct nft_trail *trail = pkt->trail;
	unsigned int dir = (pkt->flags & PKT_REPLY) != 0;
	uint32_t path = 0;
	struct flow_tail *tail;
	struct conn *c;

	if (w->path->config.no_records || pkt->conn == CONN_NONE ||
		(pkt->flags & (PKT_RELATED | PKT_LOCAL_OUT | PKT_GUARDS)))
		return;
	c = conn_at(w->ct, pkt->conn);
	if (!settles(w, c, pkt))
		return;
	c->why[dir] = OFFLOAD_NOT_CACHEABLE;
	if (trail != NULL) {
		if (trail->input != NFT_INPUT_NONE)
			return;
		path = paths_intern(&w->paths, trail);
		if (path == PATH_IDS)
			return;
	}
	c->why[dir] = OFFLOAD_NONE;
	tail = conn_tail(w->ct, pkt->conn, dir);
	/* A NIC's last counts are still to come, for the path that its rule stands for. */
	if ((c->rule[dir] & CONN_RULE_OUT) && tail->path != path)
		return;
	tail->nexthop = pkt->nexthop;
	tail->path = (uint16_t)path;
	tail->in_port = pkt->in_port;
	tail->state = w->settled;
	if (w->path->config.offload != NULL && !(c->rule[dir] & CONN_RULE_OUT))
		hardware_offer(w, pkt, dir);
}
