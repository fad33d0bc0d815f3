/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A direction's rule in the NIC, as its worker sees it: none -> offered -> live
 * -> removing -> none. Only the last word about an offer makes it `none`.
 */
#include "worker.h"

#include <netinet/in.h>

#include <rte_ether.h>

#define EVENTS 64

/* An offer's handle: worker, direction, a number of its own, connection. */
static uint64_t
handle_of(const struct worker *w, const struct conn *c, uint32_t conn, unsigned int dir)
{
	return (uint64_t)w->id << 56 | (uint64_t)dir << 55 | (uint64_t)c->rule_seq[dir] << 32 |
	       conn;
}

static uint8_t
bank_of(const struct worker *w)
{
	return w->paths.bank != 0 ? CONN_RULE_BANK : 0;
}

/* Why this direction stays in software, as far as the worker can tell. */
static enum offload_reason
judge(const struct worker *w, const struct pkt *pkt, const struct route_nexthop *nexthop)
{
	const struct nft_trail *trail = pkt->trail;

	if (trail == NULL || !trail->permit)
		return OFFLOAD_NOT_REQUESTED;
	/* A NIC cannot tell a packet that is too long for the next hop. */
	if (w->path->config.ports[pkt->in_port].mtu > nexthop->mtu)
		return OFFLOAD_MTU;
	return OFFLOAD_NONE;
}

static void
fill(const struct worker *w, const struct pkt *pkt, unsigned int dir,
	const struct route_nexthop *nexthop, struct offload_offer *offer)
{
	const struct path_port *ports = w->path->config.ports;
	struct tuple back;

	*offer = (struct offload_offer){
		.in_port = ports[pkt->in_port].ethdev,
		.out_port = ports[nexthop->port].ethdev,
		.generation = w->hooks->generation,
	};
	conn_tuple(w->ct, pkt->conn, dir, &offer->tuple);
	conn_tuple(w->ct, pkt->conn, !dir, &back);
	(void)tuple_invert(&back, &offer->out);
	memcpy(offer->in_mac, &ports[pkt->in_port].mac, sizeof(offer->in_mac));
	memcpy(offer->dst_mac, nexthop->l2, sizeof(offer->dst_mac));
	memcpy(offer->src_mac, nexthop->l2 + RTE_ETHER_ADDR_LEN, sizeof(offer->src_mac));
}

void
hardware_offer(struct worker *w, const struct pkt *pkt, unsigned int dir)
{
	const struct route_nexthop *nexthop = route_nexthop(w->routes, pkt->nexthop);
	struct conn *c = conn_at(w->ct, pkt->conn);
	struct offload_offer offer;

	c->why[dir] = (uint8_t)judge(w, pkt, nexthop);
	if (c->why[dir] != OFFLOAD_NONE)
		return;
	fill(w, pkt, dir, nexthop, &offer);
	c->rule_seq[dir]++;
	offer.handle = handle_of(w, c, pkt->conn, dir);
	if (offload_offer(w->path->config.offload, w->id, &offer) != 0) {
		/* No room: unsettled, its next packet walks and asks again. */
		conn_tail(w->ct, pkt->conn, dir)->state = FLOW_TRACKED;
		return;
	}
	if (c->tcp != CONN_TCP_NONE) {
		/*
		 * From here on sequence numbers go unseen, what waits for an
		 * acknowledgement too (flow_offload_fixup_tcp, flow_offload_fixup_ct).
		 */
		tcp_offload_enter(&w->ct->tcp[c->tcp]);
		w->ct->tcp[c->tcp].timeout_ms =
			w->ct->config->tracker.tcp.timeout_ms[CT_TCP_ESTABLISHED];
	}
	c->rule[dir] = CONN_RULE_OUT | CONN_RULE_WANTED | bank_of(w);
	c->rules_out++;
	w->rules_out++;
}

void
hardware_withdraw(void *ctx, struct conntrack *ct, uint32_t conn)
{
	struct worker *w = ctx;
	struct conn *c = conn_at(ct, conn);

	for (unsigned int dir = 0; dir < 2; dir++) {
		if (!(c->rule[dir] & CONN_RULE_WANTED))
			continue;
		c->why[dir] = OFFLOAD_CLOSING;
		if (offload_withdraw(w->path->config.offload, w->id, handle_of(w, c, conn, dir)) ==
			0)
			c->rule[dir] &= (uint8_t) ~(CONN_RULE_WANTED | CONN_RULE_LIVE);
	}
}

/* The direction that an event is about, or false: of an offer that has had its last word. */
static bool
find(struct worker *w, uint64_t handle, uint32_t *conn, unsigned int *dir)
{
	const struct conn *c;

	*conn = (uint32_t)handle;
	*dir = handle >> 55 & 1;
	c = conn_at(w->ct, *conn);
	return (c->rule[*dir] & CONN_RULE_OUT) && handle_of(w, c, *conn, *dir) == handle;
}

/* Packets that the NIC carried: into the record and the counters of its path. */
static void
count(struct worker *w, uint32_t conn, unsigned int dir, const struct offload_event *event)
{
	const struct conn *c = conn_at(w->ct, conn);
	struct flow_tail *tail = conn_tail(w->ct, conn, dir);
	uint64_t bytes = event->bytes - event->packets * RTE_ETHER_HDR_LEN;

	w->counters.hardware += event->packets;
	w->counters.hardware_bytes += bytes;
	w->effects[tail->path].packets += event->packets;
	w->effects[tail->path].bytes += bytes;
	if (c->rule[dir] & CONN_RULE_FORMER)
		return;
	tail->packets += event->packets;
	tail->bytes += bytes;
	if (event->packets != 0)
		tail->last_ms = w->now_ms;
}

/* The last word about a rule. */
static void
gone(struct worker *w, uint32_t conn, unsigned int dir, const struct offload_event *event)
{
	struct conn *c = conn_at(w->ct, conn);
	bool wanted = c->rule[dir] & CONN_RULE_WANTED;
	struct flow_tail *tail = conn_tail(w->ct, conn, dir);

	if ((c->rule[dir] & CONN_RULE_BANK) != bank_of(w) && w->rules_old != 0)
		w->rules_old--;
	w->rules_out--;
	c->rules_out--;
	if (c->rule[dir] & CONN_RULE_AWAITED)
		w->ct->awaited--;
	c->rule[dir] = CONN_RULE_NONE;
	c->why[dir] = event->kind == OFFLOAD_REFUSED ? event->reason : OFFLOAD_STALE;
	/* Taken away unasked, or withdrawn while it goes on: the next packet walks, and asks. */
	if ((event->kind == OFFLOAD_REMOVED || !wanted) && tail->state >= FLOW_SETTLED)
		tail->state = FLOW_TRACKED;
	if (c->rules_out == 0) {
		if (wanted && c->tcp != CONN_TCP_NONE)
			tcp_offload_leave(&w->ct->tcp[c->tcp]);
		conntrack_rule_gone(w->ct, conn);
	}
}

void
hardware_events(struct worker *w)
{
	struct offload_event events[EVENTS];
	unsigned int n = offload_events(w->path->config.offload, w->id, events, EVENTS);

	for (unsigned int i = 0; i < n; i++) {
		unsigned int dir;
		uint32_t conn;

		if (!find(w, events[i].handle, &conn, &dir))
			continue;
		switch ((enum offload_kind)events[i].kind) {
		case OFFLOAD_LIVE:
			if (conn_at(w->ct, conn)->rule[dir] & CONN_RULE_WANTED)
				conn_at(w->ct, conn)->rule[dir] |= CONN_RULE_LIVE;
			break;
		case OFFLOAD_COUNTED: count(w, conn, dir, &events[i]); break;
		case OFFLOAD_REMOVED: count(w, conn, dir, &events[i]); /* fallthrough */
		case OFFLOAD_REFUSED: gone(w, conn, dir, &events[i]); break;
		}
	}
}
