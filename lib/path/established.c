/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * established: the hot path. A plain packet whose record is settled is
 * rewritten and sent; everything else goes to the slow walk. Packets are taken
 * in groups, stage by stage, so that the cache misses of a group overlap.
 */
#include "worker.h"

#include "established_parse.h"
#include "established_rewrite.h"
#include "home.h"

/* Packets of a group. */
#define GROUP 64

/* What the stages know of a plain packet. */
struct lane4 {
	struct flow4_key key;
	uint64_t hash;
	struct rte_mbuf *m;
	uint32_t len;	 /* bytes of IP */
	uint32_t record; /* candidate, then found */
	uint32_t at;	 /* its place in the group */
};

struct lane6 {
	struct tuple key;
	uint64_t hash;
	struct rte_mbuf *m;
	uint32_t len;
	uint32_t record;
	uint32_t at;
};

/* A node's work on one burst. */
struct burst {
	struct worker *w;
	struct rte_mbuf **group;	   /* the frames of this group */
	struct rte_mbuf *out[PATH_BURST];  /* to tx */
	struct rte_mbuf *slow[PATH_BURST]; /* to the walk, in order */
	unsigned int out_count;
	unsigned int slow_count;
	uint64_t slow_at; /* a bit for each slow frame of the group */
	/* Pairs that have a slow packet in this burst: those behind it are slow too, in order. */
	uint64_t slow_pairs[2];
	struct lane4 lane4[GROUP];
	struct lane6 lane6[GROUP];
	unsigned int count4;
	unsigned int count6;
};

static inline void
to_walk(struct burst *b, uint32_t at)
{
	b->slow_at |= 1ULL << at;
}

/* The group's slow frames join the others in the order in which they came. */
static inline void
gather_slow(struct burst *b)
{
	for (; b->slow_at != 0; b->slow_at &= b->slow_at - 1)
		b->slow[b->slow_count++] = b->group[__builtin_ctzll(b->slow_at)];
}

static inline bool
behind_slow(const struct burst *b, unsigned int family, uint32_t record)
{
	return unlikely(b->slow_pairs[family] != 0) &&
	       (b->slow_pairs[family] >> (record / 2 % 64) & 1);
}

/* Not at home here, and not handed over by its home: hand it there. */
static inline bool
at_home(struct burst *b, struct rte_mbuf *m, uint16_t fold)
{
	struct worker *w = b->w;
	uint8_t home;

	if (likely(w->alone) || (m->ol_flags & w->handed_flag))
		return true;
	home = home_of(w->homes, fold);
	if (home == w->id)
		return true;
	handoff_frame(w, m, home, w->handed_flag);
	return false;
}

static inline uint16_t
fold4(struct flow4_key key)
{
	uint32_t x = (uint32_t)key.addresses ^ (uint32_t)(key.addresses >> 32) ^ (uint32_t)key.rest;

	return (uint16_t)(x ^ x >> 16);
}

/*
 * A frame that is not plain. What of its flow comes behind it in this burst goes
 * the slow way too, so that a FIN or RST takes effect at its place; and it is
 * handed over here, not later, if its flow lives elsewhere.
 */
static void __rte_noinline
not_plain(struct burst *b, struct rte_mbuf *m, uint32_t at)
{
	struct flow4_key key;
	struct tuple t;
	uint32_t record;

	if (ports4(m, &key)) {
		if (!at_home(b, m, fold4(key)))
			return;
		record = flow4_find(&b->w->ct->table[0], key, flow4_hash(&b->w->ct->table[0], key));
		if (!(record & FLOW_ALIAS))
			b->slow_pairs[0] |= 1ULL << (record / 2 % 64);
	} else if (ports6(m, &t)) {
		if (!at_home(b, m, tuple_fold(&t)))
			return;
		record = flow_find(&b->w->ct->table[1], &t, flow6_hash(&b->w->ct->table[1], &t));
		if (!(record & FLOW_ALIAS))
			b->slow_pairs[1] |= 1ULL << (record / 2 % 64);
	}
	to_walk(b, at);
}

/* Stage 1: parse, admit, home, hash. */
static inline void
parse_group(struct burst *b, unsigned int count)
{
	const struct path_port *ports = b->w->path->config.ports;

	for (unsigned int i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->group[i], void *));
	b->count4 = b->count6 = 0;
	for (unsigned int i = 0; i < count; i++) {
		struct lane4 *lane4 = &b->lane4[b->count4];
		struct lane6 *lane6 = &b->lane6[b->count6];
		struct rte_mbuf *m = b->group[i];
		uint64_t mac = ports[m->port].mac << 16;

		lane4->len = plain4(m, mac, &lane4->key);
		if (likely(lane4->len != 0)) {
			if (!at_home(b, m, fold4(lane4->key)))
				continue;
			lane4->m = m;
			lane4->at = i;
			lane4->hash = flow4_hash(&b->w->ct->table[0], lane4->key);
			index_prefetch(&b->w->ct->table[0].index, lane4->hash);
			b->count4++;
			continue;
		}
		lane6->len = plain6(m, mac, &lane6->key);
		if (lane6->len == 0) {
			not_plain(b, m, i);
			continue;
		}
		if (!at_home(b, m, tuple_fold(&lane6->key)))
			continue;
		lane6->m = m;
		lane6->at = i;
		lane6->hash = flow6_hash(&b->w->ct->table[1], &lane6->key);
		index_prefetch(&b->w->ct->table[1].index, lane6->hash);
		b->count6++;
	}
}

/* Stage 2: the first candidate of each, and its record on the way to the cache. */
static inline void
find_group(struct burst *b)
{
	const struct flow_table *table4 = &b->w->ct->table[0], *table6 = &b->w->ct->table[1];

	for (unsigned int i = 0; i < b->count4; i++) {
		struct lane4 *lane = &b->lane4[i];
		const struct index_bucket *bucket = index_first(&table4->index, lane->hash);
		uint32_t bits = index_match(bucket, index_tag(lane->hash));

		lane->record = bits != 0 ? bucket->value[__builtin_ctz(bits)] : FLOW_NONE;
		if (likely(!(lane->record & FLOW_ALIAS)))
			rte_prefetch0(flow4_at(table4, lane->record));
	}
	for (unsigned int i = 0; i < b->count6; i++) {
		struct lane6 *lane = &b->lane6[i];

		lane->record = flow_find(table6, &lane->key, lane->hash);
		if (!(lane->record & FLOW_ALIAS))
			rte_prefetch0(flow6_at(table6, lane->record));
	}
}

/* Stage 3: the records that are really theirs; TCP's state on the way. */
static inline void
match_group(struct burst *b)
{
	const struct flow_table *table = &b->w->ct->table[0];

	for (unsigned int i = 0; i < b->count4; i++) {
		struct lane4 *lane = &b->lane4[i];
		const struct flow4 *flow;

		if (likely(!(lane->record & FLOW_ALIAS))) {
			flow = flow4_at(table, lane->record);
			if (likely(flow->key.addresses == lane->key.addresses &&
				    flow->key.rest == lane->key.rest)) {
				if (flow->tail.flags & FLOW_TCP)
					rte_prefetch0(&b->w->ct->tcp[flow->tail.ext]);
				continue;
			}
		}
		/* Another tuple with this tag, the second bucket, an alias, or nothing. */
		lane->record = flow4_find(table, lane->key, lane->hash);
	}
	for (unsigned int i = 0; i < b->count6; i++) {
		struct lane6 *lane = &b->lane6[i];

		if (!(lane->record & FLOW_ALIAS)) {
			const struct flow_tail *tail =
				&flow6_at(&b->w->ct->table[1], lane->record)->tail;

			if (tail->flags & FLOW_TCP)
				rte_prefetch0(&b->w->ct->tcp[tail->ext]);
		}
	}
}

/* TCP: inside the window, as conntrack would find it (tcp_fast); else the walk decides. */
static inline bool
window_ok(struct worker *w, const struct flow_tail *tail, uint32_t record, const uint8_t *l4,
	uint32_t l4_len)
{
	struct tcp_seg seg;

	return tcp_seg_read(l4, l4_len, &seg) &&
	       tcp_fast(&w->ct->tcp[tail->ext], record & 1, &seg, &w->ct->config->tracker.tcp);
}

/*
 * Whether a record may carry this packet: settled under what is in force now,
 * from the same port, alive, within the next hop's MTU.
 */
static inline bool
may_carry(struct worker *w, const struct flow_tail *tail, uint32_t conn, const struct rte_mbuf *m,
	uint32_t len)
{
	if (unlikely(tail->state != w->settled || tail->in_port != m->port ||
		     len > route_nexthop(w->routes, tail->nexthop)->mtu))
		return false;
	return likely(w->now_ms - tail->last_ms < w->fresh_ms) || !conn_expired(w->ct, conn);
}

static inline void
count(struct worker *w, struct flow_tail *tail, uint32_t len)
{
	struct path_counter *effects = &w->effects[tail->path];

	tail->packets++;
	tail->bytes += len;
	tail->last_ms = w->now_ms;
	effects->packets++;
	effects->bytes += len;
}

/* To the walk, or to the owner that an alias names. */
static void
not_here(struct burst *b, struct rte_mbuf *m, uint32_t at, unsigned int family, uint32_t record)
{
	struct worker *w = b->w;

	if (record == FLOW_NONE) {
		to_walk(b, at);
	} else if (record & FLOW_ALIAS) {
		const struct flow_alias *alias = flow_alias_at(&w->ct->table[family], record);

		/* What came back from its owner is for the walk to sort out. */
		if (m->ol_flags & w->returned_flag)
			to_walk(b, at);
		else
			handoff_frame(w, m, alias->owner, w->handed_flag);
	} else {
		b->slow_pairs[family] |= 1ULL << (record / 2 % 64);
		to_walk(b, at);
	}
}

/* Stage 4: guards that the record decides, rewrite, counters. */
static inline void
carry4(struct burst *b)
{
	struct worker *w = b->w;

	for (unsigned int i = 0; i < b->count4; i++) {
		struct lane4 *lane = &b->lane4[i];
		struct rte_mbuf *m = lane->m;
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
		const struct route_nexthop *nexthop;
		struct flow4 *flow;

		if (unlikely(lane->record & FLOW_ALIAS)) {
			not_here(b, m, lane->at, 0, lane->record);
			continue;
		}
		flow = flow4_at(&w->ct->table[0], lane->record);
		if (unlikely(!may_carry(w, &flow->tail, conn_number(FAMILY_IPV4, lane->record / 2),
				     m, lane->len) ||
			     behind_slow(b, 0, lane->record) ||
			     ((flow->tail.flags & FLOW_TCP) &&
				     !window_ok(w, &flow->tail, lane->record,
					     frame + ETHER_LEN + sizeof(struct rte_ipv4_hdr),
					     lane->len - (uint32_t)sizeof(struct rte_ipv4_hdr))))) {
			not_here(b, m, lane->at, 0, lane->record);
			continue;
		}
		nexthop = route_nexthop(w->routes, flow->tail.nexthop);
		rewrite4(frame, flow);
		rewrite_l2(frame, nexthop);
		m->port = nexthop->port;
		count(w, &flow->tail, lane->len);
		b->out[b->out_count++] = m;
	}
}

static inline void
carry6(struct burst *b)
{
	struct worker *w = b->w;

	for (unsigned int i = 0; i < b->count6; i++) {
		struct lane6 *lane = &b->lane6[i];
		struct rte_mbuf *m = lane->m;
		uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
		const struct route_nexthop *nexthop;
		struct flow6 *flow;

		if (unlikely(lane->record & FLOW_ALIAS)) {
			not_here(b, m, lane->at, 1, lane->record);
			continue;
		}
		flow = flow6_at(&w->ct->table[1], lane->record);
		if (unlikely(!may_carry(w, &flow->tail, conn_number(FAMILY_IPV6, lane->record / 2),
				     m, lane->len) ||
			     behind_slow(b, 1, lane->record) ||
			     ((flow->tail.flags & FLOW_TCP) &&
				     !window_ok(w, &flow->tail, lane->record,
					     frame + ETHER_LEN + sizeof(struct rte_ipv6_hdr),
					     lane->len - (uint32_t)sizeof(struct rte_ipv6_hdr))))) {
			not_here(b, m, lane->at, 1, lane->record);
			continue;
		}
		nexthop = route_nexthop(w->routes, flow->tail.nexthop);
		rewrite6(frame, flow);
		rewrite_l2(frame, nexthop);
		m->port = nexthop->port;
		count(w, &flow->tail, lane->len);
		b->out[b->out_count++] = m;
	}
}

static uint16_t
established_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
	struct worker *w = node_worker(node);
	struct burst b;

	/* Member by member: the lanes need no zeroes. */
	b.w = w;
	b.out_count = b.slow_count = 0;
	b.slow_pairs[0] = b.slow_pairs[1] = 0;
	b.slow_at = 0;
	for (unsigned int at = 0; at < count; at += GROUP) {
		unsigned int n = RTE_MIN(count - at, (unsigned int)GROUP);

		b.group = (struct rte_mbuf **)&objs[at];
		parse_group(&b, n);
		find_group(&b);
		match_group(&b);
		carry4(&b);
		carry6(&b);
		gather_slow(&b);
	}
	w->counters.established += b.out_count;
	if (b.out_count != 0)
		rte_node_enqueue(
			graph, node, ESTABLISHED_TX, (void **)b.out, (uint16_t)b.out_count);
	if (b.slow_count != 0)
		rte_node_enqueue(
			graph, node, ESTABLISHED_WALK, (void **)b.slow, (uint16_t)b.slow_count);
	return count;
}

struct rte_node_register established_node = {
	.name = "shunt_established",
	.process = established_process,
	.nb_edges = 2,
	.next_nodes = {"shunt_tx", "shunt_walk"},
};
