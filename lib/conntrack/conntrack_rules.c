/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of which a NIC has rules: how the rules are called back, and what
 * becomes of a connection that is over before they are gone.
 */
#include "conntrack_events.h"
#include "conntrack_priv.h"

/* How often the sweep looks after rules that are to go. */
#define LOOK_MS 64U

/* What survives in the connection that takes the place of one that lingers: its mapping. */
#define MAPPING ((uint32_t)(CT_SRC_NAT | CT_DST_NAT))
/* No chain chooses another one: the tuples are in the index. */
#define CHOSEN ((uint32_t)(CT_SRC_NAT_DONE | CT_DST_NAT_DONE))

void
conntrack_leave_hardware(struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	if (c->tcp != CONN_TCP_NONE)
		tcp_offload_leave(&ct->tcp[c->tcp]);
	if (ct->withdraw != NULL)
		ct->withdraw(ct->withdraw_ctx, ct, conn);
}

void
conntrack_unsettle(struct conntrack *ct, uint32_t conn)
{
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct flow_tail *tail = conn_tail(ct, conn, dir);

		if (tail->state > FLOW_TRACKED)
			tail->state = FLOW_TRACKED;
	}
	if (conn_in_hardware(conn_at(ct, conn)))
		conntrack_leave_hardware(ct, conn);
}

void
conntrack_linger(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	conntrack_unsettle(ct, conn);
	if (c->flags & CONN_LINGER)
		return;
	/* A revived one that was not confirmed: as it was before. */
	if (!(c->status & CT_CONFIRMED))
		ct->unconfirmed--;
	c->status |= CT_CONFIRMED;
	c->flags = (uint8_t)((c->flags & ~CONN_REVIVED) | CONN_LINGER);
	ct->lingering++;
	conntrack_look_in(ct, conn, LOOK_MS);
}

void
conntrack_revive(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	conntrack_note_end(ct, conn);
	c->events = CONN_EVENT_TOLD;
	ct->lingering--;
	ct->unconfirmed++;
	ct->created++;
	ct->destroyed++;
	c->flags = (uint8_t)((c->flags & ~(CONN_LINGER | CONN_FLOW_ADD)) | CONN_REVIVED);
	c->status = (c->status & MAPPING) | CHOSEN;
	c->state = 0;
	c->timeout_ms = 0;
	c->mark = 0;
	c->created_ms = ct->now_ms;
	c->start_ns = ct->now_ns;
	c->id = conntrack_new_id(ct);
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct flow_tail *tail = conn_tail(ct, conn, dir);

		tail->packets = tail->bytes = 0;
		tail->last_ms = ct->now_ms;
		if (c->rule[dir] & CONN_RULE_OUT)
			c->rule[dir] |= CONN_RULE_FORMER;
	}
}

void
conntrack_sweep_rules(struct conntrack *ct, uint32_t conn)
{
	uint32_t left_ms = conn_expires_ms(ct, conn);

	if (left_ms > LOOK_MS && !conn_lingers(ct, conn)) {
		/* A NIC tells of its packets only now and then: no later than the time itself. */
		conntrack_look_in(ct, conn, RTE_MIN(left_ms, 1000 * LOOK_MS));
		return;
	}
	/* Asked for again, should there have been no room for it. */
	if (left_ms == 0 || conn_lingers(ct, conn))
		conntrack_unsettle(ct, conn);
	conntrack_look_in(ct, conn, LOOK_MS);
}
