/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack_events.h"
#include "conntrack_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_common.h>

/* Connections that a worker leases at once from what is left for all. */
#define LEASE 256U
/* TCP states that are made ready at once. */
#define TCP_AHEAD 32768U

static struct conntrack *workers[CONNTRACK_WORKERS];

struct conntrack *
conntrack_of(uint8_t worker)
{
	return worker < CONNTRACK_WORKERS ? workers[worker] : NULL;
}

static struct wheel_link *
link_of(void *owner, uint32_t conn)
{
	return &conn_at(owner, conn)->link;
}

int
conntrack_init(struct conntrack *ct, uint8_t worker, uint32_t start, const uint64_t secret[4],
	const struct conntrack_config *config, struct conntrack_shared *shared)
{
	static const uint8_t families[2] = {FAMILY_IPV4, FAMILY_IPV6};
	int rc = 0;

	if (worker >= CONNTRACK_WORKERS || config->max == 0)
		return -EINVAL;
	memset(ct, 0, sizeof(*ct));
	ct->worker = worker;
	ct->config = config;
	ct->shared = shared;
	ct->free_tcp = CONN_TCP_NONE;
	ct->dying = CONN_NONE;
	conntrack_set_clock(ct, clock_ns());
	for (unsigned int i = 0; i < 2 && rc == 0; i++) {
		rc = flow_table_init(&ct->table[i], families[i], config->max, start, secret);
		if (rc == 0)
			rc = region_reserve(&ct->conn_region[i], sizeof(struct conn), config->max);
		if (rc == 0)
			rc = region_make_ready(&ct->conn_region[i], start);
		ct->conns[i] = (struct conn *)(void *)ct->conn_region[i].base;
	}
	if (rc == 0)
		rc = region_reserve(
			&ct->tcp_region, sizeof(struct tcp_track), 2 * (uint64_t)config->max);
	if (rc == 0)
		rc = region_make_ready(&ct->tcp_region, start);
	if (rc != 0) {
		conntrack_fini(ct);
		return rc;
	}
	ct->tcp = (struct tcp_track *)(void *)ct->tcp_region.base;
	wheel_init(&ct->wheel, ct->now_ns / NS_PER_MS, link_of, ct);
	workers[worker] = ct;
	return 0;
}

void
conntrack_fini(struct conntrack *ct)
{
	for (unsigned int i = 0; i < 2; i++) {
		flow_table_fini(&ct->table[i]);
		region_release(&ct->conn_region[i]);
	}
	region_release(&ct->tcp_region);
	if (workers[ct->worker] == ct)
		workers[ct->worker] = NULL;
}

int
conntrack_prepare(struct conntrack *ct)
{
	int rc = region_make_ready(
		&ct->tcp_region, atomic_load_explicit(&ct->want_tcp, memory_order_relaxed));

	for (unsigned int i = 0; i < 2 && rc == 0; i++) {
		rc = region_make_ready(&ct->conn_region[i],
			atomic_load_explicit(&ct->table[i].want_pairs, memory_order_relaxed));
		if (rc == 0)
			rc = flow_table_prepare(&ct->table[i]);
	}
	return rc;
}

uint64_t
conntrack_bytes(const struct conntrack *ct)
{
	return flow_table_bytes(&ct->table[0]) + flow_table_bytes(&ct->table[1]) +
	       region_bytes(&ct->conn_region[0]) + region_bytes(&ct->conn_region[1]) +
	       region_bytes(&ct->tcp_region);
}

/* One connection of the number that all workers share, or false. */
static bool
lease_take(struct conntrack *ct)
{
	uint32_t left;

	if (ct->lease == 0) {
		left = atomic_load_explicit(&ct->shared->left, memory_order_relaxed);
		do {
			if (left == 0)
				return false;
			ct->lease = RTE_MIN(left, LEASE);
		} while (!atomic_compare_exchange_weak(&ct->shared->left, &left, left - ct->lease));
	}
	ct->lease--;
	return true;
}

static void
lease_give(struct conntrack *ct)
{
	if (++ct->lease < 2 * LEASE)
		return;
	atomic_fetch_add(&ct->shared->left, LEASE);
	ct->lease -= LEASE;
}

/* A TCP state, or CONN_TCP_NONE. */
static uint32_t
tcp_alloc(struct conntrack *ct)
{
	uint32_t number = ct->free_tcp;
	uint64_t ready;

	if (number != CONN_TCP_NONE) {
		memcpy(&ct->free_tcp, &ct->tcp[number], sizeof(ct->free_tcp));
		return number;
	}
	ready = atomic_load_explicit(&ct->tcp_region.ready, memory_order_acquire);
	if ((uint64_t)ct->fresh_tcp + TCP_AHEAD / 2 > ready)
		atomic_store_explicit(&ct->want_tcp, ct->fresh_tcp + TCP_AHEAD + ct->fresh_tcp / 16,
			memory_order_relaxed);
	return ct->fresh_tcp < ready ? ct->fresh_tcp++ : CONN_TCP_NONE;
}

static void
tcp_free(struct conntrack *ct, uint32_t number)
{
	memcpy(&ct->tcp[number], &ct->free_tcp, sizeof(ct->free_tcp));
	ct->free_tcp = number;
}

/* The lines of the pair that the next connection will get: by then they are here. */
static void
prefetch_next(const struct conntrack *ct, const struct flow_table *table, unsigned int ipv6)
{
	uint32_t next = table->free_pair;

	if (next == FLOW_NONE)
		return;
	rte_prefetch0(flow_tail(table, 2 * next));
	rte_prefetch0(flow_tail(table, 2 * next + 1));
	rte_prefetch0(&ct->conns[ipv6][next]);
}

uint32_t
conntrack_create(struct conntrack *ct, const struct tuple *original, const struct tuple *reply)
{
	struct flow_table *table = &ct->table[original->family == FAMILY_IPV6];
	uint32_t pair, conn;
	struct conn *c;

	if (!lease_take(ct))
		return CONN_NONE;
	pair = flow_pair_alloc(table);
	if (pair == FLOW_NONE) {
		lease_give(ct);
		return CONN_NONE;
	}
	conn = conn_number(original->family, pair);
	c = conn_at(ct, conn);
	prefetch_next(ct, table, conn_is_ipv6(conn));
	if (pair >= atomic_load_explicit(
			    &ct->conn_region[conn_is_ipv6(conn)].ready, memory_order_acquire)) {
		flow_pair_free(table, pair);
		lease_give(ct);
		return CONN_NONE;
	}
	*c = (struct conn){
		.link.place = WHEEL_OUT,
		.flags = CONN_IN_USE | (original->proto == IPPROTO_UDP ? CONN_UDP : 0),
		.created_ms = ct->now_ms,
		.start_ns = ct->now_ns,
		.tcp = CONN_TCP_NONE,
		.id = conntrack_new_id(ct),
		.alias_at = CONN_ALIAS_NONE,
		.rule_seq = {c->rule_seq[0], c->rule_seq[1]},
	};
	if (original->proto == IPPROTO_TCP) {
		c->tcp = tcp_alloc(ct);
		if (c->tcp == CONN_TCP_NONE) {
			c->flags = 0;
			flow_pair_free(table, pair);
			lease_give(ct);
			return CONN_NONE;
		}
	}
	flow_set_tuple(table, 2 * pair, original);
	flow_set_tuple(table, 2 * pair + 1, reply);
	ct->live++;
	ct->unconfirmed++;
	ct->created++;
	return conn;
}

/* Its records, memory and place are for others now. */
static void
end(struct conntrack *ct, uint32_t conn)
{
	struct flow_table *table = conntrack_table(ct, conn);
	struct conn *c = conn_at(ct, conn);

	if (c->status & CT_CONFIRMED)
		conntrack_note_end(ct, conn);
	if (ct->end != NULL)
		ct->end(ct->end_ctx, ct, conn);
	if (c->status & CT_CONFIRMED || c->flags & CONN_REVIVED) {
		flow_remove(table, conn_record(conn, 0));
		flow_remove(table, conn_record(conn, 1));
	} else if (c->flags & CONN_HELD) {
		flow_remove(table, conn_record(conn, 0));
	}
	if (!(c->status & CT_CONFIRMED))
		ct->unconfirmed--;
	if (c->flags & CONN_LINGER)
		ct->lingering--;
	wheel_del(&ct->wheel, conn);
	if (c->tcp != CONN_TCP_NONE)
		tcp_free(ct, c->tcp);
	c->flags = 0;
	c->status = 0;
	flow_pair_free(table, conn_pair(conn));
	ct->live--;
	ct->destroyed++;
	lease_give(ct);
}

void
conntrack_destroy(struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	if (ct->dying == conn)
		ct->dying = CONN_NONE;
	if (c->rules_out != 0)
		conntrack_linger(ct, conn);
	else
		end(ct, conn);
}

void
conntrack_rule_gone(struct conntrack *ct, uint32_t conn)
{
	if (conn_lingers(ct, conn) && conn_at(ct, conn)->rules_out == 0)
		end(ct, conn);
}

uint32_t
conn_status(const struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	/* The established path leaves UDP's ASSURED to be computed. */
	if ((c->flags & CONN_UDP) && (c->status & CT_SEEN_REPLY) && conn_is_stream(ct, conn))
		return c->status | CT_ASSURED;
	return c->status;
}

bool
conntrack_tuple_taken(struct conntrack *ct, const struct tuple *t, uint32_t except)
{
	struct flow_table *table = &ct->table[t->family == FAMILY_IPV6];
	uint32_t found = flow_find(table, t, flow_hash(table, t));
	uint32_t conn;

	if (found == FLOW_NONE)
		return false;
	if (found & FLOW_ALIAS)
		return true;
	conn = conn_number(t->family, found / 2);
	if (conn == except)
		return false;
	if (!conn_expired(ct, conn))
		return true;
	conntrack_destroy(ct, conn);
	return conn_lingers(ct, conn);
}

void
conntrack_set_reply(struct conntrack *ct, uint32_t conn, const struct tuple *reply)
{
	flow_set_tuple(conntrack_table(ct, conn), conn_record(conn, 1), reply);
}

int
conntrack_hold(struct conntrack *ct, uint32_t conn)
{
	int rc = flow_insert(conntrack_table(ct, conn), conn_record(conn, 0));

	if (rc == 0) {
		conn_at(ct, conn)->flags |= CONN_HELD;
		conn_tail(ct, conn, 0)->state = FLOW_TRACKED;
	}
	return rc;
}

void
conntrack_release(struct conntrack *ct, uint32_t conn)
{
	flow_remove(conntrack_table(ct, conn), conn_record(conn, 0));
	conn_at(ct, conn)->flags &= (uint8_t)~CONN_HELD;
}

/* However long it lives, a connection is looked at this often: its life may have become shorter. */
#define LOOK_MS 64000U

static void
arm(struct conntrack *ct, uint32_t conn)
{
	conntrack_look_in(ct, conn, RTE_MIN(conn_expires_ms(ct, conn), LOOK_MS));
}

void
conntrack_look_in(struct conntrack *ct, uint32_t conn, uint32_t ms)
{
	wheel_del(&ct->wheel, conn);
	wheel_add(&ct->wheel, conn, ct->now_ns / NS_PER_MS + ms);
}

void
conntrack_rearm(struct conntrack *ct, uint32_t conn)
{
	arm(ct, conn);
}

static enum verdict
confirm(struct conntrack *ct, struct pkt *pkt)
{
	uint32_t conn = pkt->conn;
	struct flow_table *table;
	struct conn *c;
	struct tuple t[2];

	c = conn_at(ct, conn);
	pkt->flags &= ~(uint32_t)PKT_UNCONFIRMED;
	if (c->status & CT_CONFIRMED)
		return VERDICT_ACCEPT;
	if (c->flags & CONN_REVIVED) {
		/* Its records never left the index. */
		c->flags &= (uint8_t)~CONN_REVIVED;
		c->status |= CT_CONFIRMED;
		ct->unconfirmed--;
		c->events &= (uint8_t)~CONN_EVENT_TOLD;
		conntrack_note(ct, conn, CONN_EVENT_NEW);
		conntrack_rearm(ct, conn);
		return VERDICT_ACCEPT;
	}
	table = conntrack_table(ct, conn);
	conn_tuple(ct, conn, 0, &t[0]);
	conn_tuple(ct, conn, 1, &t[1]);
	/*
	 * Only a packet that was held can have been overtaken: the others were
	 * looked up on this very walk.
	 */
	if (((pkt->flags & PKT_HELD) && conntrack_tuple_taken(ct, &t[0], conn)) ||
		conntrack_tuple_taken(ct, &t[1], conn)) {
		pkt->drop = DROP_CT_CLASH;
		ct->clashed++;
		goto refuse;
	}
	if (flow_insert(table, conn_record(conn, 0)) != 0) {
		pkt->drop = DROP_CT_FULL;
		goto refuse;
	}
	/* A connection to itself has one tuple for both directions. */
	if (!tuple_equal(&t[0], &t[1]) && flow_insert(table, conn_record(conn, 1)) != 0) {
		flow_remove(table, conn_record(conn, 0));
		pkt->drop = DROP_CT_FULL;
		goto refuse;
	}
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct flow_tail *tail = conn_tail(ct, conn, dir);

		flow_set_rewrite(table, conn_record(conn, dir));
		tail->state = FLOW_TRACKED;
		tail->last_ms = ct->now_ms;
		tail->ext = c->tcp;
		tail->flags = c->tcp != CONN_TCP_NONE ? FLOW_TCP : 0;
	}
	c->status |= CT_CONFIRMED;
	ct->unconfirmed--;
	conntrack_note(ct, conn, CONN_EVENT_NEW);
	arm(ct, conn);
	return VERDICT_ACCEPT;

refuse:
	conntrack_destroy(ct, conn);
	pkt->conn = CONN_NONE;
	return VERDICT_DROP;
}

enum verdict
conntrack_confirm(struct conntrack *ct, struct pkt *pkt)
{
	enum verdict verdict = VERDICT_ACCEPT;

	if (pkt->conn == CONN_NONE || (pkt->flags & PKT_RELATED))
		return VERDICT_ACCEPT;
	if (pkt->flags & PKT_UNCONFIRMED)
		verdict = confirm(ct, pkt);
	if (__builtin_expect(ct->events != NULL, 0) && pkt->conn != CONN_NONE)
		conntrack_tell_notes(ct, pkt->conn);
	return verdict;
}

void
conntrack_forget(struct conntrack *ct, struct pkt *pkt)
{
	uint32_t conn = pkt->conn;

	pkt->conn = CONN_NONE;
	if (conn == CONN_NONE || !(pkt->flags & PKT_UNCONFIRMED) || (pkt->flags & PKT_RELATED))
		return;
	if (!(conn_at(ct, conn)->status & CT_CONFIRMED))
		conntrack_destroy(ct, conn);
}

/* Due entries that are looked at together, so that their cache misses overlap. */
#define EXPIRE_GROUP 32

/* The due entries of a group, their records on the way to the cache. */
static unsigned int
expire_take(struct conntrack *ct, uint32_t *due, unsigned int *work)
{
	uint64_t now_ms = ct->now_ns / NS_PER_MS;
	unsigned int count = 0;

	while (count < EXPIRE_GROUP) {
		uint32_t conn = wheel_next(&ct->wheel, now_ms, work);
		uint32_t next;

		if (conn == WHEEL_NONE)
			break;
		next = conn_at(ct, conn)->link.next;
		if (next != WHEEL_NONE)
			rte_prefetch0(conn_at(ct, next));
		rte_prefetch0(conn_tail(ct, conn, 0));
		rte_prefetch0(conn_tail(ct, conn, 1));
		due[count++] = conn;
	}
	return count;
}

unsigned int
conntrack_expire(struct conntrack *ct, unsigned int work)
{
	uint32_t due[EXPIRE_GROUP];
	unsigned int count, ended = 0;

	while ((count = expire_take(ct, due, &work)) != 0) {
		unsigned int over = 0;

		for (unsigned int i = 0; i < count; i++) {
			if (conn_at(ct, due[i])->rules_out != 0) {
				conntrack_sweep_rules(ct, due[i]);
				continue;
			}
			if (!conn_expired(ct, due[i])) {
				arm(ct, due[i]);
				continue;
			}
			flow_prefetch(conntrack_table(ct, due[i]), conn_record(due[i], 0));
			flow_prefetch(conntrack_table(ct, due[i]), conn_record(due[i], 1));
			if (ct->end_prefetch != NULL)
				ct->end_prefetch(ct->end_ctx, ct, due[i]);
			due[over++] = due[i];
		}
		for (unsigned int i = 0; i < over; i++)
			conntrack_destroy(ct, due[i]);
		ended += over;
	}
	return ended;
}

void
conntrack_for_each(
	struct conntrack *ct, void (*fn)(struct conntrack *ct, uint32_t conn, void *ctx), void *ctx)
{
	for (unsigned int i = 0; i < 2; i++) {
		for (uint32_t pair = 0; pair < ct->table[i].fresh_pair; pair++)
			if ((ct->conns[i][pair].status & CT_CONFIRMED) &&
				!(ct->conns[i][pair].flags & CONN_LINGER))
				fn(ct, pair << 1 | i, ctx);
	}
}

static void
flush_one(struct conntrack *ct, uint32_t conn, void *ctx)
{
	uint8_t family = *(uint8_t *)ctx;

	if (family == 0 || (family == FAMILY_IPV6) == conn_is_ipv6(conn))
		conntrack_destroy(ct, conn);
}

void
conntrack_flush(struct conntrack *ct, uint8_t family)
{
	conntrack_for_each(ct, flush_one, &family);
}
