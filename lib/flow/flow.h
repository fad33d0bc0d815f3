/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The owner's table: one record for each direction of a connection. It is
 * conntrack's tuple table and the software flow table at once.
 *
 * The records of a connection are a pair: numbers 2p and 2p + 1 of the table of
 * its address family, original direction first. So a record needs no pointer to
 * its connection or its twin, and conntrack keeps what hangs behind pair p in
 * arrays of its own under the same number.
 *
 * A tuple whose home is another worker than its connection's owner stands in
 * the home's table as an alias: a tuple and the owner's number, no record.
 *
 * Everything here belongs to one worker, which alone calls these functions
 * unless it is said otherwise. No locks, no atomics, no allocation.
 */
#ifndef SHUNT_FLOW_FLOW_H
#define SHUNT_FLOW_FLOW_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "region.h"
#include "tuple.h"

/** What a lookup can say of a tuple. */
enum flow_state {
	FLOW_FREE,    /**< not in use */
	FLOW_TRACKED, /**< known; its packets take the slow walk */
	/**
	 * This and above: its walk is recorded under the rules and routes that
	 * have this number, and the record carries its packets while they are
	 * in force.
	 */
	FLOW_SETTLED,
};

/** Numbers that a recorded walk's state can have, from FLOW_SETTLED on. */
#define FLOW_SETTLED_COUNT (UINT8_MAX - FLOW_SETTLED)

/** What a record's packets need beside the rewrite. */
enum flow_flags {
	FLOW_TCP = 1 << 0,     /**< track the window: ext is the connection's TCP state */
	FLOW_L4_SUM = 1 << 1,  /**< the L4 checksum covers what is rewritten */
	FLOW_LIBERAL = 1 << 2, /**< the hardware carries it: sequence numbers go unseen */
};

/**
 * What both families' records have. Worker: rw; nobody else reads it.
 * Network order where the packet has it so.
 */
struct flow_tail {
	rte_be16_t new_sport; /**< the ports that go out; unchanged ones included */
	rte_be16_t new_dport;
	uint16_t l3_delta; /**< one's complement change of the IPv4 header sum by the addresses */
	uint16_t l4_delta; /**< the same of the L4 sum, by addresses and ports */
	uint16_t nexthop;  /**< lib/route index */
	uint16_t path;	   /**< path of effects, 0 for none */
	uint16_t in_port;  /**< the ingress port it was recorded from */
	uint8_t state;	   /**< enum flow_state, or FLOW_SETTLED plus a number */
	uint8_t flags;	   /**< enum flow_flags */
	uint32_t last_ms;  /**< clock of its last packet */
	uint32_t ext;	   /**< FLOW_TCP: number of the connection's TCP state */
	uint64_t packets;  /**< of this direction, all rungs */
	uint64_t bytes;	   /**< layer 3, without padding */
};
static_assert(sizeof(struct flow_tail) == 40, "the tail of a record");

/** An IPv4 key as two words: addresses as in the header; ports, protocol, family, zone. */
struct flow4_key {
	uint64_t addresses;
	uint64_t rest;
};

/** One direction of an IPv4 connection: a cache line. */
struct flow4 {
	struct flow4_key key;
	uint64_t new_addresses; /**< source and destination that go out */
	struct flow_tail tail;
};
static_assert(sizeof(struct flow4) == 64, "a cache line");

/** One direction of an IPv6 connection: two cache lines. */
struct flow6 {
	struct tuple key;
	union address new_src;
	union address new_dst;
	struct flow_tail tail;
	uint64_t reserved[2];
};
static_assert(sizeof(struct flow6) == 128, "two cache lines");

/** The record number of nothing. */
#define FLOW_NONE UINT32_MAX
/** The bit of an index value that says: an alias, not a record. */
#define FLOW_ALIAS (1U << 31)

/** A tuple whose connection another worker owns. */
struct flow_alias {
	struct tuple tuple;
	uint32_t pair; /**< the owner's pair */
	uint8_t owner; /**< its worker */
	uint8_t unused[3];
};
static_assert(sizeof(struct flow_alias) == 48, "no hidden padding");

/** A table of one family of one worker. */
struct flow_table {
	struct index index;
	uint8_t *records; /**< struct flow4 or struct flow6; region.base */
	struct flow_alias *aliases;
	uint64_t secret[4];  /**< of this start, for the hash; immutable */
	uint8_t family;	     /**< immutable */
	uint32_t free_pair;  /**< head of the list of free pairs, FLOW_NONE: none */
	uint32_t fresh_pair; /**< pairs above this were never used */
	uint32_t pairs;	     /**< in use */
	uint32_t free_alias;
	uint32_t fresh_alias;
	uint32_t alias_count;
	struct region record_region; /**< elements are pairs */
	struct region alias_region;
	_Atomic uint32_t want_pairs; /**< worker: wo, control: ro */
	_Atomic uint32_t want_aliases;
};

/**
 * Create a table. Control thread.
 * @param family FAMILY_IPV4 or FAMILY_IPV6
 * @param max most connections ever; most aliases too
 * @param start connections that find memory without waiting for the control thread
 * @param secret 32 bytes of randomness, the same for the tables of all workers
 * @return 0, -EINVAL or -ENOMEM (nothing is left behind)
 */
int flow_table_init(struct flow_table *table, uint8_t family, uint32_t max, uint32_t start,
	const uint64_t secret[4]);

/** Return the memory. Control thread, the worker stopped. */
void flow_table_fini(struct flow_table *table);

/**
 * Back with memory what the worker will want soon. Control thread, while the
 * worker works; call it every few milliseconds.
 * @return 0 or -ENOMEM
 */
int flow_table_prepare(struct flow_table *table);

/** Bytes of memory in use. Any thread. */
uint64_t flow_table_bytes(const struct flow_table *table);

/** Multiply to 128 bits and fold: one step of the keyed hash. */
static inline uint64_t
flow_mix(uint64_t a, uint64_t b)
{
	__uint128_t wide = (__uint128_t)a * b;

	return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}

/** The key of an IPv4 tuple. */
static inline struct flow4_key
flow4_key_of(const struct tuple *t)
{
	struct flow4_key key = {
		(uint64_t)t->dst.v4 << 32 | t->src.v4,
		(uint64_t)t->zone << 48 | (uint64_t)t->family << 40 | (uint64_t)t->proto << 32 |
			(uint32_t)t->dport << 16 | t->sport,
	};

	return key;
}

/** The tuple of an IPv4 key. */
static inline void
flow4_tuple_of(const struct flow4_key *key, struct tuple *t)
{
	memset(t, 0, sizeof(*t));
	t->src.v4 = (uint32_t)key->addresses;
	t->dst.v4 = (uint32_t)(key->addresses >> 32);
	t->sport = (uint16_t)key->rest;
	t->dport = (uint16_t)(key->rest >> 16);
	t->proto = (uint8_t)(key->rest >> 32);
	t->family = (uint8_t)(key->rest >> 40);
	t->zone = (uint16_t)(key->rest >> 48);
}

/** The hash of an IPv4 key: keyed, so that nobody outside can aim at a bucket. */
static inline uint64_t
flow4_hash(const struct flow_table *table, struct flow4_key key)
{
	const uint64_t *s = table->secret;

	return flow_mix(flow_mix(key.addresses ^ s[0], key.rest ^ s[1]) ^ s[2], s[3] ^ key.rest);
}

/** The hash of an IPv6 tuple. */
static inline uint64_t
flow6_hash(const struct flow_table *table, const struct tuple *t)
{
	const uint64_t *s = table->secret;
	uint64_t rest;

	memcpy(&rest, &t->sport, sizeof(rest));
	return flow_mix(flow_mix(t->src.q[0] ^ s[0], t->src.q[1] ^ s[1]) ^
				flow_mix(t->dst.q[0] ^ s[2], t->dst.q[1] ^ s[3]),
		rest ^ s[1]);
}

/** The hash of a tuple of the table's family. */
static inline uint64_t
flow_hash(const struct flow_table *table, const struct tuple *t)
{
	return table->family == FAMILY_IPV4 ? flow4_hash(table, flow4_key_of(t))
					    : flow6_hash(table, t);
}

/** A record of an IPv4 table. */
static inline struct flow4 *
flow4_at(const struct flow_table *table, uint32_t record)
{
	return &((struct flow4 *)(void *)table->records)[record];
}

/** A record of an IPv6 table. */
static inline struct flow6 *
flow6_at(const struct flow_table *table, uint32_t record)
{
	return &((struct flow6 *)(void *)table->records)[record];
}

/** The tail of a record of either family. */
static inline struct flow_tail *
flow_tail(const struct flow_table *table, uint32_t record)
{
	return table->family == FAMILY_IPV4 ? &flow4_at(table, record)->tail
					    : &flow6_at(table, record)->tail;
}

/** Copy a record's tuple out. */
void flow_tuple(const struct flow_table *table, uint32_t record, struct tuple *out);

/**
 * Find a tuple.
 * @param hash flow_hash() of it
 * @return a record number, an alias number with FLOW_ALIAS set, or FLOW_NONE
 */
uint32_t flow_find(const struct flow_table *table, const struct tuple *t, uint64_t hash);

/** flow_find() for an IPv4 key; records and aliases. */
uint32_t flow4_find(const struct flow_table *table, struct flow4_key key, uint64_t hash);

/**
 * Take a pair for a new connection: both records zeroed, in no index.
 * @return its number, or FLOW_NONE when the table is full or waits for memory
 */
uint32_t flow_pair_alloc(struct flow_table *table);

/** Give a pair back. Both records are out of the index. */
void flow_pair_free(struct flow_table *table, uint32_t pair);

/** Write the tuple of a record that is in no index. */
void flow_set_tuple(struct flow_table *table, uint32_t record, const struct tuple *t);

/**
 * Put a record into the index under its tuple. The caller knows that the tuple
 * is not there.
 * @return 0, or -ENOSPC
 */
int flow_insert(struct flow_table *table, uint32_t record);

/** Prefetch the bucket that flow_insert() or flow_remove() of a record will touch. */
static inline void
flow_prefetch(const struct flow_table *table, uint32_t record)
{
	index_prefetch(&table->index, table->family == FAMILY_IPV4
					      ? flow4_hash(table, flow4_at(table, record)->key)
					      : flow6_hash(table, &flow6_at(table, record)->key));
}

/** Take a record out of the index. Nothing happens if it is not in it. */
void flow_remove(struct flow_table *table, uint32_t record);

/**
 * Fill in what goes out: the inverse of the twin's tuple, and the checksum
 * deltas between the two.
 */
void flow_set_rewrite(struct flow_table *table, uint32_t record);

/** An alias by its number (without FLOW_ALIAS). */
static inline struct flow_alias *
flow_alias_at(const struct flow_table *table, uint32_t alias)
{
	return &table->aliases[alias & ~FLOW_ALIAS];
}

/**
 * Insert an alias if its tuple is absent.
 * @return 0; -EEXIST if a record or an alias holds the tuple; -ENOSPC
 */
int flow_alias_insert(
	struct flow_table *table, const struct tuple *t, uint8_t owner, uint32_t pair);

/**
 * Remove an alias.
 * @return 0, or -ENOENT if the tuple has no alias of this owner and pair
 */
int flow_alias_remove(
	struct flow_table *table, const struct tuple *t, uint8_t owner, uint32_t pair);

#endif
