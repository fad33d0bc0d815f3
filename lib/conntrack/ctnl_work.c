/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests, as far as the owner of the connections has to do them: short pieces,
 * between two walks.
 */
#include "ctnl_priv.h"

#include <errno.h>

static bool
tuple_matches(const struct tuple *want, const struct tuple *t, uint32_t flags, uint8_t family)
{
	size_t len = family == FAMILY_IPV6 ? 16 : 4;
	bool icmp = t->proto == IPPROTO_ICMP, icmp6 = t->proto == IPPROTO_ICMPV6;
	uint16_t differ = want->dport ^ t->dport;
	uint32_t no = 0;

	if ((flags & CTNL_IP_SRC) && memcmp(&want->src, &t->src, len) != 0)
		return false;
	if ((flags & CTNL_IP_DST) && memcmp(&want->dst, &t->dst, len) != 0)
		return false;
	if ((flags & CTNL_PROTO_NUM) && want->proto != t->proto)
		return false;
	if (t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP) {
		no |= want->sport != t->sport ? CTNL_PROTO_SRC_PORT : 0;
		no |= differ != 0 ? CTNL_PROTO_DST_PORT : 0;
	} else if (icmp || icmp6) {
		/* The type is the first byte in memory, the code the second. */
		no |= (uint8_t)differ != 0 ? (icmp ? CTNL_ICMP_TYPE : CTNL_ICMPV6_TYPE) : 0;
		no |= differ >> 8 != 0 ? (icmp ? CTNL_ICMP_CODE : CTNL_ICMPV6_CODE) : 0;
		no |= want->sport != t->sport ? (icmp ? CTNL_ICMP_ID : CTNL_ICMPV6_ID) : 0;
	}
	return (flags & no) == 0;
}

bool
ctnl_match(const struct ctnl_filter *filter, const struct conntrack_view *v)
{
	if (filter->family != 0 && filter->family != v->tuple[0].family)
		return false;
	if (filter->by_zone && filter->zone != v->tuple[0].zone)
		return false;
	for (unsigned int dir = 0; dir < 2; dir++)
		if (filter->flags[dir] != 0 && !tuple_matches(&filter->tuple[dir], &v->tuple[dir],
						       filter->flags[dir], filter->family))
			return false;
	return (v->mark & filter->mark_mask) == filter->mark &&
	       (v->status & filter->status_mask) == filter->status;
}

/* The next connection that the request is about, its copy in v. */
static uint32_t
next(struct conntrack *ct, struct ctnl_work *work, unsigned int *looks, struct conntrack_view *v)
{
	uint32_t conn;

	while ((conn = conntrack_next(ct, &work->position, looks)) != CONN_NONE) {
		conntrack_view(ct, conn, v);
		if (!work->filtered || ctnl_match(&work->filter, v))
			break;
	}
	return conn;
}

void
ctnl_run_list(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;
	unsigned int looks = CTNL_LOOKS;

	work->count = 0;
	while (work->count < CTNL_PIECE) {
		uint32_t conn = next(ct, work, &looks, &work->views[work->count]);

		if (conn == CONN_NONE)
			break;
		work->count++;
		if (work->zero)
			conntrack_zero(ct, conn);
	}
}

void
ctnl_run_flush(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;
	unsigned int looks = CTNL_LOOKS;

	for (unsigned int i = 0; i < CTNL_PIECE_DELETE; i++) {
		uint32_t conn = next(ct, work, &looks, &work->views[0]);

		if (conn == CONN_NONE)
			break;
		conntrack_delete(ct, conn, work->by);
	}
	work->awaited = ct->awaited;
}

void
ctnl_run_find(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;

	work->conn = conntrack_find(ct, &work->tuple);
	if (work->conn == CONN_NONE)
		return;
	work->conn_id = conn_at(ct, work->conn)->id;
	conntrack_view(ct, work->conn, &work->views[0]);
	if (work->zero)
		conntrack_zero(ct, work->conn);
}

void
ctnl_run_delete(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;

	work->conn = conntrack_find(ct, &work->tuple);
	if (work->conn == CONN_NONE)
		return;
	work->conn_id = conn_at(ct, work->conn)->id;
	if (work->by_id && work->conn_id != work->id) {
		work->rc = -ENOENT;
		return;
	}
	conntrack_delete(ct, work->conn, work->by);
	work->awaited = ct->awaited;
}

void
ctnl_run_change(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;

	work->conn = conntrack_find(ct, &work->tuple);
	if (work->conn == CONN_NONE || work->rc != 0)
		return;
	work->conn_id = conn_at(ct, work->conn)->id;
	work->rc = conntrack_change(ct, work->conn, &work->change);
	if (work->rc == 0 && ct->events != NULL)
		conntrack_tell(ct, work->conn, CONN_EVENT_CHANGED, work->by);
	work->awaited = ct->awaited;
}

void
ctnl_run_wait(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;

	/* Asked for again, should there have been no room for it; the sweep does so for ended ones.
	 */
	if (work->conn != CONN_NONE && conn_at(ct, work->conn)->id == work->conn_id &&
		(conn_at(ct, work->conn)->rule[0] | conn_at(ct, work->conn)->rule[1]) &
			CONN_RULE_AWAITED)
		conntrack_unsettle(ct, work->conn);
	work->awaited = ct->awaited;
}

void
ctnl_run_stats(struct conntrack *ct, void *arg)
{
	struct ctnl_work *work = arg;

	work->stats = (struct ctnl_stats){
		.invalid = (uint32_t)ct->invalid,
		.insert_failed = (uint32_t)ct->clashed,
		.drop = (uint32_t)(ct->full + ct->clashed),
		.connections = ct->live - ct->lingering,
	};
}
