/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections as they are shown: copies, made by their worker between two walks.
 */
#include <netinet/in.h>

#include "worker.h"

/* Pairs that one look passes over, at most. */
#define LOOKS 4096

static enum path_rung
rung_of(const struct worker *w, const struct conn *c, const struct flow_tail *tail,
	unsigned int dir)
{
	if (c->rule[dir] & CONN_RULE_LIVE)
		return PATH_HARDWARE;
	return tail->state == w->settled ? PATH_SOFTWARE : PATH_SLOW;
}

/* Why the direction is not in hardware. */
static enum offload_reason
reason_of(const struct worker *w, uint32_t conn, const struct path_view *v, unsigned int dir)
{
	const struct conn *c = conn_at(w->ct, conn);

	if (c->rule[dir] & CONN_RULE_WANTED)
		return OFFLOAD_NONE;
	if (c->rule[dir] & CONN_RULE_OUT)
		return OFFLOAD_CLOSING;
	if (w->path->config.offload == NULL)
		return OFFLOAD_DISABLED;
	if (v->tuple[dir].proto != IPPROTO_TCP && v->tuple[dir].proto != IPPROTO_UDP)
		return OFFLOAD_PROTOCOL;
	if (!(c->status & CT_SEEN_REPLY))
		return OFFLOAD_UNCONFIRMED;
	if (v->tuple[dir].proto == IPPROTO_TCP && c->state != CT_TCP_ESTABLISHED)
		return OFFLOAD_TCP_STATE;
	if (c->why[dir] == OFFLOAD_NOT_CACHEABLE)
		return OFFLOAD_NOT_CACHEABLE;
	/* What an older program said says nothing now. */
	if (v->rung[dir] == PATH_SLOW)
		return OFFLOAD_STALE;
	return (enum offload_reason)c->why[dir];
}

static void
view(const struct worker *w, uint32_t conn, struct path_view *v)
{
	const struct conn *c = conn_at(w->ct, conn);

	*v = (struct path_view){
		.conn = conn,
		.id = c->id,
		.mark = c->mark,
		.status = conn_status(w->ct, conn),
		.expires_ms = conn_expires_ms(w->ct, conn),
		.worker = w->id,
		.state = c->state,
	};
	for (unsigned int dir = 0; dir < 2; dir++) {
		const struct flow_tail *tail = conn_tail(w->ct, conn, dir);

		conn_tuple(w->ct, conn, dir, &v->tuple[dir]);
		v->packets[dir] = tail->packets;
		v->bytes[dir] = tail->bytes;
		v->rung[dir] = (uint8_t)rung_of(w, c, tail, dir);
		v->in_port[dir] = v->out_port[dir] = PORT_NONE;
		if (v->rung[dir] != PATH_SLOW) {
			const struct route_nexthop *nexthop =
				route_nexthop(w->routes, tail->nexthop);

			v->in_port[dir] = tail->in_port;
			v->out_port[dir] = nexthop->port;
			memcpy(v->mac[dir], nexthop->l2, sizeof(v->mac[dir]));
		}
		v->why[dir] = (uint8_t)reason_of(w, conn, v, dir);
	}
}

unsigned int
path_views(struct path *path, unsigned int worker, uint64_t *position, struct path_view *views,
	unsigned int max)
{
	const struct worker *w = path->workers[worker];
	unsigned int n = 0;

	for (unsigned int looks = 0; looks < LOOKS && n < max; looks++) {
		unsigned int family = (unsigned int)(*position >> 32);
		uint32_t pair = (uint32_t)*position;
		const struct conn *c;

		if (family == 2)
			break;
		if (pair >= w->ct->table[family].fresh_pair) {
			*position = (uint64_t)(family + 1) << 32;
			continue;
		}
		c = &w->ct->conns[family][pair];
		if ((c->status & CT_CONFIRMED) && !(c->flags & CONN_LINGER) &&
			!conn_expired(w->ct, pair << 1 | family))
			view(w, pair << 1 | family, &views[n++]);
		++*position;
	}
	return n;
}

bool
path_view_find(struct path *path, unsigned int worker, const struct tuple *t,
	struct path_view *found, unsigned int *dir)
{
	const struct worker *w = path->workers[worker];
	struct flow_table *table = &w->ct->table[t->family == FAMILY_IPV6];
	uint32_t record = flow_find(table, t, flow_hash(table, t));
	uint32_t conn;

	if (record == FLOW_NONE || (record & FLOW_ALIAS))
		return false;
	conn = conn_number(t->family, record / 2);
	if (!(conn_at(w->ct, conn)->status & CT_CONFIRMED) || conn_lingers(w->ct, conn) ||
		conn_expired(w->ct, conn))
		return false;
	view(w, conn, found);
	*dir = record & 1;
	return true;
}
