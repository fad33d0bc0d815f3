/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

static struct nat *workers[CONNTRACK_WORKERS];

struct nat *
nat_of(uint8_t worker)
{
	return worker < CONNTRACK_WORKERS ? workers[worker] : NULL;
}

/* The by-source hash: what find_appropriate_src compares. */
static uint64_t
source_hash(const struct nat *nat, const struct tuple *t)
{
	const uint64_t *secret = nat->ct->table[0].secret;
	uint64_t rest = (uint64_t)t->sport << 32 | (uint64_t)t->proto << 24 |
			(uint64_t)t->family << 16 | t->zone;

	return flow_mix(flow_mix(t->src.q[0] ^ secret[1], t->src.q[1] ^ secret[2]) ^ rest,
		secret[3] ^ rest);
}

static uint64_t
hash_of_conn(const void *owner, uint32_t conn)
{
	const struct nat *nat = owner;
	struct tuple t;

	conn_tuple(nat->ct, conn, CT_DIR_ORIGINAL, &t);
	return source_hash(nat, &t);
}

void
nat_source_add(struct nat *nat, uint32_t conn)
{
	struct conn *c = conn_at(nat->ct, conn);

	/* Without room the mapping is not reused, and nothing else: no reason to drop. */
	if (!(c->flags & CONN_BY_SOURCE) &&
		index_insert(&nat->by_source, hash_of_conn(nat, conn), conn) == 0)
		c->flags |= CONN_BY_SOURCE;
}

void
nat_source_del(struct nat *nat, uint32_t conn)
{
	struct conn *c = conn_at(nat->ct, conn);

	if (!(c->flags & CONN_BY_SOURCE))
		return;
	index_remove(&nat->by_source, hash_of_conn(nat, conn), conn);
	c->flags &= (uint8_t)~CONN_BY_SOURCE;
}

/* A mapping of the same source that lies in the range (find_appropriate_src). */
bool
nat_source_find(struct nat *nat, const struct tuple *t, struct tuple *mapped,
	bool (*fits)(const struct tuple *, const struct nat_range *), const struct nat_range *range)
{
	uint64_t hash = source_hash(nat, t);
	uint32_t conn;

	INDEX_FOR_EACH(&nat->by_source, hash, conn)
	{
		struct tuple original, reply;

		conn_tuple(nat->ct, conn, CT_DIR_ORIGINAL, &original);
		if (original.proto != t->proto || original.sport != t->sport ||
			original.family != t->family || original.zone != t->zone ||
			memcmp(&original.src, &t->src, sizeof(t->src)) != 0 ||
			conn_expired(nat->ct, conn))
			continue;
		conn_tuple(nat->ct, conn, CT_DIR_REPLY, &reply);
		*mapped = *t;
		mapped->src = reply.dst;
		mapped->sport = t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6
					? reply.sport
					: reply.dport;
		if (fits(mapped, range))
			return true;
	}
	return false;
}

/* A connection ends: its source, its alias, and the hold that it may have. */
static void
conn_ends(void *ctx, struct conntrack *ct, uint32_t conn)
{
	struct nat *nat = ctx;
	struct conn *c = conn_at(ct, conn);
	struct tuple reply;

	nat_source_del(nat, conn);
	if (c->alias_at == CONN_ALIAS_NONE || nat->unreserve == NULL)
		return;
	conn_tuple(ct, conn, CT_DIR_REPLY, &reply);
	nat->unreserve(nat->reserve_ctx, nat, conn, &reply, c->alias_at);
	c->alias_at = CONN_ALIAS_NONE;
}

/* The bucket that nat_source_del() will touch. */
static void
conn_will_end(void *ctx, struct conntrack *ct, uint32_t conn)
{
	struct nat *nat = ctx;

	if (conn_at(ct, conn)->flags & CONN_BY_SOURCE)
		index_prefetch(&nat->by_source, hash_of_conn(nat, conn));
}

void
nat_prefetch(struct nat *nat, const struct tuple *t)
{
	bool ipv6 = t->family == FAMILY_IPV6;
	struct flow_table *table = &nat->ct->table[ipv6];
	struct tuple reply = *t;

	index_prefetch(&nat->by_source, source_hash(nat, t));
	/* A guess: translated to the same address as the last one, its port kept. */
	reply.src = t->dst;
	reply.dst = nat->last_source[ipv6];
	reply.sport = t->dport;
	reply.dport = t->sport;
	index_prefetch(&table->index, flow_hash(table, &reply));
}

int
nat_init(struct nat *nat, struct conntrack *ct, const struct home_table *homes, uint64_t seed)
{
	int rc;

	memset(nat, 0, sizeof(*nat));
	nat->ct = ct;
	nat->homes = homes;
	nat->random = seed;
	nat->holds = calloc(NAT_HOLDS, sizeof(*nat->holds));
	if (nat->holds == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < NAT_HOLDS; i++)
		nat->holds[i].conn = CONN_NONE;
	rc = index_init(&nat->by_source, (uint64_t)ct->config->max, 1024, hash_of_conn, nat);
	if (rc != 0) {
		free(nat->holds);
		return rc;
	}
	ct->end = conn_ends;
	ct->end_prefetch = conn_will_end;
	ct->end_ctx = nat;
	workers[ct->worker] = nat;
	return 0;
}

void
nat_fini(struct nat *nat)
{
	for (unsigned int i = 0; nat->holds != NULL && i < NAT_HOLDS; i++)
		if (nat->holds[i].conn != CONN_NONE)
			rte_pktmbuf_free_bulk(nat->holds[i].packets, nat->holds[i].count);
	free(nat->holds);
	index_fini(&nat->by_source);
	if (nat->ct != NULL && workers[nat->ct->worker] == nat)
		workers[nat->ct->worker] = NULL;
}

int
nat_prepare(struct nat *nat)
{
	return index_prepare(&nat->by_source);
}

uint64_t
nat_bytes(const struct nat *nat)
{
	return index_bytes(&nat->by_source) + NAT_HOLDS * sizeof(struct nat_hold);
}
