/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rules ask of a packet's connection (ct_ops.h).
 */
#include "conntrack_events.h"
#include "conntrack_priv.h"

static bool
has_conn(const struct pkt *pkt)
{
	return pkt->conn != CONN_NONE;
}

static uint32_t
ops_state(const struct pkt *pkt)
{
	if (pkt->flags & PKT_UNTRACKED)
		return CT_STATE_UNTRACKED;
	if (!has_conn(pkt))
		return CT_STATE_INVALID;
	if (pkt->flags & PKT_RELATED)
		return CT_STATE_RELATED;
	return pkt->flags & PKT_CT_NEW ? CT_STATE_NEW : CT_STATE_ESTABLISHED;
}

static bool
ops_direction(const struct pkt *pkt, enum ct_dir *dir)
{
	*dir = pkt->flags & PKT_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;
	return has_conn(pkt);
}

static bool
ops_status(const struct pkt *pkt, uint32_t *status)
{
	if (!has_conn(pkt))
		return false;
	*status = conn_status(conntrack_of(pkt->worker), pkt->conn);
	return true;
}

static bool
ops_mark(const struct pkt *pkt, uint32_t *mark)
{
	if (!has_conn(pkt))
		return false;
	*mark = conn_at(conntrack_of(pkt->worker), pkt->conn)->mark;
	return true;
}

static void
ops_set_mark(const struct pkt *pkt, uint32_t mark)
{
	struct conntrack *ct = conntrack_of(pkt->worker);
	struct conn *c;

	if (!has_conn(pkt))
		return;
	c = conn_at(ct, pkt->conn);
	if (c->mark == mark)
		return;
	c->mark = mark;
	conntrack_note(ct, pkt->conn, CONN_EVENT_MARK);
	/* Rules may have read it: what was recorded under the old one ends. */
	if (c->status & CT_CONFIRMED)
		conntrack_unsettle(ct, pkt->conn);
}

static bool
ops_expiration(const struct pkt *pkt, uint32_t *ms)
{
	if (!has_conn(pkt))
		return false;
	*ms = conn_expires_ms(conntrack_of(pkt->worker), pkt->conn);
	return true;
}

static bool
ops_tuple(const struct pkt *pkt, enum ct_dir dir, struct tuple *tuple)
{
	if (!has_conn(pkt))
		return false;
	conn_tuple(conntrack_of(pkt->worker), pkt->conn, dir, tuple);
	return true;
}

static bool
ops_zone(const struct pkt *pkt, enum ct_dir dir, uint16_t *zone)
{
	struct tuple tuple;

	if (!ops_tuple(pkt, dir, &tuple))
		return false;
	*zone = tuple.zone;
	return true;
}

static bool
ops_id(const struct pkt *pkt, uint32_t *id)
{
	if (!has_conn(pkt))
		return false;
	*id = conn_at(conntrack_of(pkt->worker), pkt->conn)->id;
	return true;
}

static bool
ops_counters(const struct pkt *pkt, int dir, uint64_t *packets, uint64_t *bytes)
{
	const struct conntrack *ct = conntrack_of(pkt->worker);

	if (!has_conn(pkt))
		return false;
	*packets = *bytes = 0;
	for (int d = 0; d < 2; d++) {
		if (dir >= 0 && d != dir)
			continue;
		*packets += conn_tail(ct, pkt->conn, (unsigned int)d)->packets;
		*bytes += conn_tail(ct, pkt->conn, (unsigned int)d)->bytes;
	}
	return true;
}

static void
ops_notrack(struct pkt *pkt)
{
	/* nft_notrack_eval: a packet that is tracked already stays so. */
	if (!has_conn(pkt))
		pkt->flags |= PKT_UNTRACKED;
}

/* nft_flow_offload_eval: TCP and UDP, confirmed, no options; else the rule breaks. */
static bool
ops_flow_add(struct pkt *pkt, uint32_t flowtable)
{
	struct conn *c;

	(void)flowtable;
	if (!has_conn(pkt) || (pkt->flags & (PKT_OPTIONS | PKT_TCP_FLAGS | PKT_RELATED)))
		return false;
	c = conn_at(conntrack_of(pkt->worker), pkt->conn);
	if (!(c->status & CT_CONFIRMED) || (c->status & (CT_HELPER | CT_SEQ_ADJUST)))
		return false;
	if (pkt->tuple.proto == IPPROTO_TCP ? c->state != CT_TCP_ESTABLISHED
					    : pkt->tuple.proto != IPPROTO_UDP)
		return false;
	c->flags |= CONN_FLOW_ADD;
	pkt->flags |= PKT_FLOW_ADD;
	return true;
}

const struct ct_ops conntrack_ops = {
	.state = ops_state,
	.direction = ops_direction,
	.status = ops_status,
	.mark = ops_mark,
	.set_mark = ops_set_mark,
	.expiration = ops_expiration,
	.tuple = ops_tuple,
	.zone = ops_zone,
	.id = ops_id,
	.counters = ops_counters,
	.notrack = ops_notrack,
	.flow_add = ops_flow_add,
};
