/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack_change.h"

#include <errno.h>

#include <rte_common.h>

#include "conntrack_events.h"
#include "conntrack_priv.h"

/* No change of these, in either direction; of the next no clearing. */
#define NEVER ((uint32_t)(CT_EXPECTED | CT_CONFIRMED | CT_DYING))
#define ONCE  ((uint32_t)(CT_SEEN_REPLY | CT_ASSURED))
/* Not from outside; no error either (IPS_UNCHANGEABLE_MASK). */
#define INTERNAL                                                                                   \
	((uint32_t)(CT_SRC_NAT_DONE | CT_DST_NAT_DONE | CT_SRC_NAT | CT_DST_NAT | CT_EXPECTED |    \
		    CT_CONFIRMED | CT_DYING | CT_SEQ_ADJUST | CT_TEMPLATE | CT_UNTRACKED_BIT |     \
		    CT_OFFLOAD | CT_HW_OFFLOAD))
/* What Linux's status has; the bits above are none. */
#define KNOWN 0xffffU
/* Of a window's shift (RFC 7323): Linux takes any, and shifts by it. */
#define SCALE_MAX ((uint8_t)14)
/* A life that milliseconds in 32 bits can hold, with room for what has passed of it. */
#define LIFE_MAX_MS (UINT32_MAX / 2)

/* What a NIC still does for it is waited for. */
static void
await(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	for (unsigned int dir = 0; dir < 2; dir++) {
		if (!(c->rule[dir] & CONN_RULE_OUT) || (c->rule[dir] & CONN_RULE_AWAITED))
			continue;
		c->rule[dir] |= CONN_RULE_AWAITED;
		ct->awaited++;
	}
}

void
conntrack_keep_life(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	if (!(c->flags & CONN_UDP))
		return;
	c->status = conn_status(ct, conn);
	c->timeout_ms = conn_timeout_ms(ct, conn);
	c->flags &= (uint8_t)~CONN_UDP;
}

static int
change_timeout(struct conntrack *ct, uint32_t conn, uint32_t seconds)
{
	uint64_t ms = (uint64_t)seconds * 1000;

	if (conn_at(ct, conn)->status & CT_FIXED_TIMEOUT)
		return -EPERM;
	conntrack_set_life(ct, conn, ms > LIFE_MAX_MS ? LIFE_MAX_MS : (uint32_t)ms, false);
	return 0;
}

static int
change_status(struct conntrack *ct, uint32_t conn, uint32_t status)
{
	struct conn *c = conn_at(ct, conn);
	uint32_t differ = c->status ^ status;

	if ((differ & NEVER) || (differ & ONCE & ~status))
		return -EBUSY;
	c->status |= status & ~INTERNAL & KNOWN;
	return 0;
}

static void
change_tcp(struct conntrack *ct, uint32_t conn, const struct conntrack_change *change)
{
	static const uint32_t flags_of[2] = {CHANGE_TCP_FLAGS_ORIGINAL, CHANGE_TCP_FLAGS_REPLY};
	struct conn *c = conn_at(ct, conn);
	struct tcp_track *tcp;

	if (c->tcp == CONN_TCP_NONE)
		return;
	tcp = &ct->tcp[c->tcp];
	if (change->flags & CHANGE_TCP_STATE)
		c->state = change->tcp_state;
	for (unsigned int dir = 0; dir < 2; dir++)
		if (change->flags & flags_of[dir])
			tcp->seen[dir].flags =
				(uint8_t)((tcp->seen[dir].flags & ~change->tcp_mask[dir]) |
					  (change->tcp_flags[dir] & change->tcp_mask[dir]));
	/* As nlattr_to_tcp: both ends have to scale. */
	if ((change->flags & CHANGE_TCP_SCALE) &&
		(tcp->seen[0].flags & tcp->seen[1].flags & TCP_PEER_WINDOW_SCALE)) {
		tcp->seen[0].scale = RTE_MIN(change->tcp_scale[0], SCALE_MAX);
		tcp->seen[1].scale = RTE_MIN(change->tcp_scale[1], SCALE_MAX);
	}
}

int
conntrack_change(struct conntrack *ct, uint32_t conn, const struct conntrack_change *change)
{
	struct conn *c = conn_at(ct, conn);
	int rc = 0;

	await(ct, conn);
	conntrack_unsettle(ct, conn);
	/* Until its next packet UDP's life is what is said here, and nothing computed. */
	conntrack_keep_life(ct, conn);
	if (change->flags & CHANGE_TIMEOUT)
		rc = change_timeout(ct, conn, change->timeout_s);
	if (rc == 0 && (change->flags & CHANGE_STATUS))
		rc = change_status(ct, conn, change->status);
	if (rc != 0)
		return rc;
	change_tcp(ct, conn, change);
	if (change->flags & CHANGE_MARK)
		c->mark = (c->mark & change->mark_keep) ^ change->mark;
	return 0;
}

void
conntrack_delete(struct conntrack *ct, uint32_t conn, uint32_t by)
{
	await(ct, conn);
	ct->ended_by = by;
	conntrack_destroy(ct, conn);
	ct->ended_by = 0;
}

void
conntrack_zero(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	/* A stream stays one: conn_is_stream() looks at what is about to go. */
	c->status = conn_status(ct, conn);
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct flow_tail *tail = conn_tail(ct, conn, dir);

		tail->packets = tail->bytes = 0;
	}
}
