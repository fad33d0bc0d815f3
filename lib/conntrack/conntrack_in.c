/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet meets conntrack: nf_conntrack_in, resolve_normal_ct,
 * nf_conntrack_inet_error.
 */
#include "conntrack_events.h"
#include "conntrack_priv.h"

#include <netinet/in.h>

/* The packet belongs to no connection. It goes on: only a rule drops it. */
static enum verdict
invalid(struct conntrack *ct, struct pkt *pkt)
{
	pkt->conn = CONN_NONE;
	pkt->flags |= PKT_CT_INVALID;
	ct->invalid++;
	return VERDICT_ACCEPT;
}

/* Find a live connection; one whose time is over ends here. */
static uint32_t
find(struct conntrack *ct, const struct tuple *t, unsigned int *dir)
{
	struct flow_table *table = &ct->table[t->family == FAMILY_IPV6];
	uint32_t record = flow_find(table, t, flow_hash(table, t));
	uint32_t conn;

	if (record == FLOW_NONE || (record & FLOW_ALIAS))
		return CONN_NONE;
	conn = conn_number(t->family, record / 2);
	if (conn_expired(ct, conn)) {
		conntrack_destroy(ct, conn);
		if (!conn_lingers(ct, conn))
			return CONN_NONE;
	}
	*dir = record & 1;
	return conn;
}

/*
 * An ICMP error: the packet that it quotes went the other way, so its inverse
 * is in the table; the error must go to where that packet came from.
 */
static enum verdict
icmp_error(struct conntrack *ct, struct pkt *pkt)
{
	struct tuple quoted, inverse;
	uint16_t l3_off, l4_off;
	unsigned int dir;
	uint32_t conn;

	if (pkt_parse_quote(pkt, &quoted, &l3_off, &l4_off) != 0 ||
		!tuple_invert(&quoted, &inverse))
		return invalid(ct, pkt);
	conn = find(ct, &inverse, &dir);
	if (conn == CONN_NONE || conn_lingers(ct, conn))
		return invalid(ct, pkt);
	/* Do not trust an error that is sent to somebody else. */
	if (memcmp(&inverse.dst, &pkt->tuple.dst, sizeof(inverse.dst)) != 0)
		return invalid(ct, pkt);
	pkt->conn = conn;
	pkt->flags |= PKT_RELATED | (dir == CT_DIR_REPLY ? PKT_REPLY : 0);
	return VERDICT_ACCEPT;
}

/* Whether a packet without connection may start one, as far as its protocol tells. */
static bool
may_start(struct conntrack *ct, const struct pkt *pkt, const struct tcp_seg *seg,
	struct tcp_track *fresh)
{
	uint8_t type = (uint8_t)pkt->tuple.dport;

	switch (pkt->tuple.proto) {
	case IPPROTO_TCP:
		memset(fresh, 0, sizeof(*fresh));
		return tcp_new(fresh, seg, &ct->config->tracker.tcp);
	case IPPROTO_ICMP: return icmp_kind(type) == ICMP_KIND_REQUEST;
	case IPPROTO_ICMPV6: return icmpv6_kind(type) == ICMP_KIND_REQUEST;
	default: return true;
	}
}

static enum track_result
run_tracker(struct conntrack *ct, struct pkt *pkt, unsigned int dir, const struct tcp_seg *seg,
	struct track *track)
{
	const struct tracker_config *config = &ct->config->tracker;
	struct conn *c = conn_at(ct, pkt->conn);
	struct tuple original;

	switch (pkt->tuple.proto) {
	case IPPROTO_TCP: return tcp_packet(&ct->tcp[c->tcp], dir, seg, &config->tcp, track);
	case IPPROTO_UDP: return udp_packet(c->created_ms, ct->now_ms, config, track);
	case IPPROTO_UDPLITE: return udplite_packet(config, track);
	case IPPROTO_ICMP:
		conn_tuple(ct, pkt->conn, CT_DIR_ORIGINAL, &original);
		return icmp_packet((uint8_t)original.dport, config, track);
	case IPPROTO_ICMPV6:
		conn_tuple(ct, pkt->conn, CT_DIR_ORIGINAL, &original);
		return icmpv6_packet((uint8_t)original.dport, config, track);
	default: return generic_packet(config, track);
	}
}

void
conntrack_set_life(struct conntrack *ct, uint32_t conn, uint32_t timeout_ms, bool from_now)
{
	struct conn *c = conn_at(ct, conn);
	uint32_t before = conn_timeout_ms(ct, conn);
	uint32_t idle = from_now ? 0 : conn_idle_ms(ct, conn);

	c->timeout_ms = timeout_ms + idle;
	if (c->tcp != CONN_TCP_NONE)
		ct->tcp[c->tcp].timeout_ms = timeout_ms + idle;
	if ((c->status & CT_CONFIRMED) && timeout_ms + idle < before)
		conntrack_rearm(ct, conn);
}

void
conntrack_set_closing(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);

	if (c->tcp == CONN_TCP_NONE || !(c->status & CT_CONFIRMED))
		return;
	c->state = CT_TCP_CLOSE;
	conntrack_unsettle(ct, conn);
	conntrack_note(ct, conn, CONN_EVENT_PROTOINFO);
	conntrack_set_life(ct, conn, ct->config->tracker.tcp.timeout_ms[CT_TCP_CLOSE], false);
}

/* What the answer changes that listeners want to know. */
static void
note(struct conntrack *ct, uint32_t conn, unsigned int dir, const struct track *track)
{
	const struct conn *c = conn_at(ct, conn);
	unsigned int bits = 0;

	if (track->state != c->state)
		bits |= CONN_EVENT_PROTOINFO;
	if (track->status & ~c->status & CT_ASSURED)
		bits |= CONN_EVENT_ASSURED;
	if (dir == CT_DIR_REPLY && !(c->status & CT_SEEN_REPLY))
		bits |= CONN_EVENT_REPLY;
	conntrack_note(ct, conn, bits);
}

/* The life of a connection that this packet belongs to. */
static void
renew(struct conntrack *ct, const struct pkt *pkt, unsigned int dir, const struct track *track)
{
	struct conn *c = conn_at(ct, pkt->conn);
	struct flow_tail *tail = conn_tail(ct, pkt->conn, dir);

	if (__builtin_expect((c->status & CT_FIXED_TIMEOUT) != 0, 0)) {
		uint32_t left_ms = conn_expires_ms(ct, pkt->conn);

		/* Lives count from the last packet, and this one renews nothing. */
		tail->last_ms = ct->now_ms;
		conntrack_set_life(ct, pkt->conn, left_ms, true);
		return;
	}
	tail->last_ms = ct->now_ms;
	/* A change from outside had its life written down (conntrack_keep_life). */
	if (pkt->tuple.proto == IPPROTO_UDP)
		c->flags |= CONN_UDP;
	if (track->timeout_ms != 0)
		conntrack_set_life(ct, pkt->conn, track->timeout_ms, true);
}

/* The tracker's answer goes into the connection. */
static void
take(struct conntrack *ct, struct pkt *pkt, unsigned int dir, enum track_result result,
	const struct track *track)
{
	struct conn *c = conn_at(ct, pkt->conn);
	struct flow_tail *tail = conn_tail(ct, pkt->conn, dir);

	note(ct, pkt->conn, dir, track);
	c->status = track->status;
	if (c->state != track->state) {
		c->state = track->state;
		conntrack_unsettle(ct, pkt->conn);
	}
	if (result != TRACK_IGNORE) {
		tail->packets++;
		tail->bytes += pkt->ip_len;
		renew(ct, pkt, dir, track);
	}
	if (dir == CT_DIR_REPLY)
		c->status |= CT_SEEN_REPLY;
	if (result == TRACK_DESTROY)
		ct->dying = pkt->conn;
}

/* A connection for a packet that has none, unconfirmed; VERDICT_DROP when there is no room. */
static enum verdict
create(struct conntrack *ct, struct pkt *pkt, const struct tcp_seg *seg)
{
	struct tcp_track fresh;
	struct tuple reply;

	if (!tuple_invert(&pkt->tuple, &reply) || !may_start(ct, pkt, seg, &fresh))
		return invalid(ct, pkt);
	pkt->conn = conntrack_create(ct, &pkt->tuple, &reply);
	if (pkt->conn == CONN_NONE) {
		ct->full++;
		pkt->drop = DROP_CT_FULL;
		return VERDICT_DROP;
	}
	if (pkt->tuple.proto == IPPROTO_TCP)
		ct->tcp[conn_at(ct, pkt->conn)->tcp] = fresh;
	pkt->flags |= PKT_UNCONFIRMED;
	return VERDICT_ACCEPT;
}

/*
 * The connection of this tuple is over, but a NIC has a rule of it still: the
 * new one takes its place, with its mapping, so that whichever carries a packet
 * does the same to it. One that would begin the other way round has to wait.
 */
static enum verdict
revive(struct conntrack *ct, struct pkt *pkt, unsigned int dir, const struct tcp_seg *seg)
{
	struct tcp_track fresh;

	if (dir != CT_DIR_ORIGINAL || !may_start(ct, pkt, seg, &fresh))
		return invalid(ct, pkt);
	conntrack_revive(ct, pkt->conn);
	if (pkt->tuple.proto == IPPROTO_TCP)
		ct->tcp[conn_at(ct, pkt->conn)->tcp] = fresh;
	pkt->flags |= PKT_UNCONFIRMED;
	return VERDICT_ACCEPT;
}

/* A segment that ends a connection takes it out of the NIC (nf_flow_state_check). */
static void
leave_hardware(struct conntrack *ct, const struct pkt *pkt, const struct tcp_seg *seg)
{
	if (pkt->tuple.proto == IPPROTO_TCP && conn_in_hardware(conn_at(ct, pkt->conn)) &&
		(seg->flags & (RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG)))
		conntrack_unsettle(ct, pkt->conn);
}

/* Run the tracker on a packet whose connection is known. */
static enum verdict
track_packet(struct conntrack *ct, struct pkt *pkt, unsigned int dir, const struct tcp_seg *seg,
	bool *again)
{
	struct conn *c = conn_at(ct, pkt->conn);

	leave_hardware(ct, pkt, seg);

	struct track track = {
		.status = c->status,
		.state = c->state,
		.expires_ms = c->status & CT_CONFIRMED ? conn_expires_ms(ct, pkt->conn) : 0,
	};
	enum track_result result = run_tracker(ct, pkt, dir, seg, &track);

	*again = false;
	switch (result) {
	case TRACK_REPLACE:
		conntrack_destroy(ct, pkt->conn);
		pkt->conn = CONN_NONE;
		*again = true;
		return VERDICT_ACCEPT;
	case TRACK_INVALID:
		if (!(c->status & CT_CONFIRMED))
			conntrack_destroy(ct, pkt->conn);
		else if (track.timeout_ms != 0)
			conntrack_set_life(ct, pkt->conn, track.timeout_ms, false);
		pkt->flags &= ~(uint32_t)(PKT_UNCONFIRMED | PKT_REPLY);
		return invalid(ct, pkt);
	default: break;
	}
	/* As resolve_normal_ct saw it, before this packet counts. */
	if (dir == CT_DIR_REPLY)
		pkt->flags |= PKT_REPLY;
	else if (!(c->status & CT_SEEN_REPLY))
		pkt->flags |= PKT_CT_NEW;
	take(ct, pkt, dir, result, &track);
	return VERDICT_ACCEPT;
}

/* What makes any packet invalid, whatever its connection: the *_error functions. */
static bool
malformed(const struct conntrack *ct, const struct pkt *pkt, struct tcp_seg *seg)
{
	uint32_t len = (uint32_t)(pkt->ip_len + pkt->l2_len - pkt->l4_off);

	if ((pkt->flags & PKT_L4_BAD) && ct->config->checksum)
		return true;
	if (!(pkt->flags & PKT_L4))
		return pkt->tuple.proto == IPPROTO_TCP || pkt->tuple.proto == IPPROTO_UDP ||
		       pkt->tuple.proto == IPPROTO_ICMP || pkt->tuple.proto == IPPROTO_ICMPV6;
	if (pkt->tuple.proto == IPPROTO_TCP)
		return !tcp_seg_read(pkt_l4(pkt), len, seg) || !tcp_flags_valid(seg->flags);
	if (pkt->tuple.proto == IPPROTO_UDP)
		return !udp_valid(pkt_l4(pkt), len);
	return false;
}

/* ICMP's own ways: errors, what is never tracked, unknown types. True: decided. */
static bool
icmp_special(struct conntrack *ct, struct pkt *pkt, enum verdict *verdict)
{
	uint8_t type = (uint8_t)pkt->tuple.dport;
	enum icmp_kind kind;

	if (pkt->tuple.proto == IPPROTO_ICMP)
		kind = icmp_kind(type);
	else if (pkt->tuple.proto == IPPROTO_ICMPV6)
		kind = icmpv6_kind(type);
	else
		return false;
	*verdict = VERDICT_ACCEPT;
	switch (kind) {
	case ICMP_KIND_ERROR: *verdict = icmp_error(ct, pkt); return true;
	case ICMP_KIND_UNTRACKED: pkt->flags |= PKT_UNTRACKED; return true;
	case ICMP_KIND_INVALID: *verdict = invalid(ct, pkt); return true;
	default: return false;
	}
}

enum verdict
conntrack_in(struct conntrack *ct, struct pkt *pkt)
{
	enum verdict verdict;
	struct tcp_seg seg;
	unsigned int dir;
	bool again;

	/* Untracked by a rule, or made by the router about a connection. */
	if ((pkt->flags & PKT_UNTRACKED) || pkt->conn != CONN_NONE)
		return VERDICT_ACCEPT;
	if (malformed(ct, pkt, &seg))
		return invalid(ct, pkt);
	if (icmp_special(ct, pkt, &verdict))
		return verdict;
	do {
		dir = CT_DIR_ORIGINAL;
		pkt->conn = find(ct, &pkt->tuple, &dir);
		if (pkt->conn == CONN_NONE) {
			verdict = create(ct, pkt, &seg);
			if (verdict != VERDICT_ACCEPT || pkt->conn == CONN_NONE)
				return verdict;
		} else if (conn_at(ct, pkt->conn)->flags & CONN_HELD) {
			return VERDICT_STOLEN;
		} else if (conn_lingers(ct, pkt->conn)) {
			verdict = revive(ct, pkt, dir, &seg);
			if (pkt->conn == CONN_NONE)
				return verdict;
		}
		verdict = track_packet(ct, pkt, dir, &seg, &again);
	} while (again);
	return verdict;
}
