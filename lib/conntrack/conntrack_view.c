/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack_view.h"

/* Whether `flow add` has its packets go by a record, or by a NIC (IPS_OFFLOAD, IPS_HW_OFFLOAD). */
static uint32_t
offload_status(const struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	if ((c->rule[0] | c->rule[1]) & CONN_RULE_LIVE)
		return CT_OFFLOAD | CT_HW_OFFLOAD;
	if ((c->flags & CONN_FLOW_ADD) && (conn_tail(ct, conn, 0)->state == ct->settled ||
						  conn_tail(ct, conn, 1)->state == ct->settled))
		return CT_OFFLOAD;
	return 0;
}

void
conntrack_view(const struct conntrack *ct, uint32_t conn, struct conntrack_view *v)
{
	const struct conn *c = conn_at(ct, conn);

	*v = (struct conntrack_view){
		.conn = conn,
		.id = c->id,
		.mark = c->mark,
		.status = conn_status(ct, conn) | offload_status(ct, conn),
		.expires_ms = conn_expires_ms(ct, conn),
		.state = c->state,
	};
	for (unsigned int dir = 0; dir < 2; dir++) {
		const struct flow_tail *tail = conn_tail(ct, conn, dir);

		conn_tuple(ct, conn, dir, &v->tuple[dir]);
		v->packets[dir] = tail->packets;
		v->bytes[dir] = tail->bytes;
		if (c->tcp == CONN_TCP_NONE)
			continue;
		v->scale[dir] = ct->tcp[c->tcp].seen[dir].scale;
		v->tcp_flags[dir] = ct->tcp[c->tcp].seen[dir].flags;
	}
}

static bool
shown(const struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	return (c->status & CT_CONFIRMED) && !(c->flags & CONN_LINGER) && !conn_expired(ct, conn);
}

uint32_t
conntrack_next(const struct conntrack *ct, uint64_t *position, unsigned int *looks)
{
	while (*position<CONNTRACK_VIEWS_END && * looks> 0) {
		unsigned int ipv6 = (unsigned int)(*position >> 32);
		uint32_t pair = (uint32_t)*position;

		if (pair >= ct->table[ipv6].fresh_pair) {
			*position = (uint64_t)(ipv6 + 1) << 32;
			continue;
		}
		++*position;
		--*looks;
		if (shown(ct, pair << 1 | ipv6))
			return pair << 1 | ipv6;
	}
	return CONN_NONE;
}

uint32_t
conntrack_find(const struct conntrack *ct, const struct tuple *t)
{
	const struct flow_table *table = &ct->table[t->family == FAMILY_IPV6];
	uint32_t record = flow_find(table, t, flow_hash(table, t));
	uint32_t conn;

	if (record == FLOW_NONE || (record & FLOW_ALIAS))
		return CONN_NONE;
	conn = conn_number(t->family, record / 2);
	return shown(ct, conn) ? conn : CONN_NONE;
}
