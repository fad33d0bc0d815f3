/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Connections: what hangs behind the pairs of records of lib/flow. One struct
 * conntrack a worker; a worker calls only its own, and only it does, unless a
 * function says otherwise.
 *
 * The walk of a packet: conntrack_in() at prerouting or output, -200 (as
 * nf_conntrack_in), the NAT built-ins of lib/nat, conntrack_confirm() at the
 * end of postrouting or input (as nf_conntrack_confirm); or conntrack_forget()
 * if the packet was dropped before that.
 */
#ifndef SHUNT_CONNTRACK_CONNTRACK_H
#define SHUNT_CONNTRACK_CONNTRACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "ct_ops.h"
#include "flow.h"
#include "packet.h"
#include "tracker.h"
#include "wheel.h"

/** Most workers of a daemon. */
#define CONNTRACK_WORKERS 64
/** No TCP state, no alias worker. */
#define CONN_TCP_NONE	UINT32_MAX
#define CONN_ALIAS_NONE UINT8_MAX

/** Facts of a connection that Linux keeps elsewhere than in its status. */
enum conn_flags {
	CONN_HELD = 1 << 0,	  /**< its first packet waits for another worker's answer */
	CONN_BY_SOURCE = 1 << 1,  /**< in lib/nat's by-source index */
	CONN_FLOW_ADD = 1 << 2,	  /**< `flow add` permitted it to the NIC */
	CONN_MASQUERADE = 1 << 3, /**< dies with the address or egress it was masqueraded to */
	CONN_UDP = 1 << 5,	  /**< its life is computed, see conn_timeout_ms() */
	CONN_IN_USE = 1 << 4,	  /**< the number stands for a connection */
	/**
	 * Over, but a NIC still has a rule of it: tuples, NAT port and mapping are
	 * kept for whom the rule would hit, and nothing shows the connection.
	 */
	CONN_LINGER = 1 << 6,
	CONN_REVIVED = 1 << 7, /**< a lingering one begins anew, with the same mapping */
};

/** The rule of a direction, as its worker knows it (struct conn, rule). */
enum conn_rule {
	CONN_RULE_NONE = 0,
	CONN_RULE_WANTED = 1 << 0,  /**< offered or live */
	CONN_RULE_LIVE = 1 << 1,    /**< the NIC carries the direction */
	CONN_RULE_OUT = 1 << 2,	    /**< not `none`: until the last word about it */
	CONN_RULE_FORMER = 1 << 3,  /**< of a connection that lingered: counts are not this one's */
	CONN_RULE_BANK = 1 << 4,    /**< lib/path's: which program's path ids count for it */
	CONN_RULE_AWAITED = 1 << 5, /**< somebody waits for its last word (conntrack.awaited) */
};

/** A connection. A cache line; worker: rw, nobody else. */
struct conn {
	struct wheel_link link; /**< its place in the wheel */
	uint8_t state;		/**< of its tracker */
	uint8_t flags;		/**< enum conn_flags */
	uint8_t why[2];	     /**< why the NIC does not carry a direction; lib/offload's reasons */
	uint32_t timeout_ms; /**< it lives this long after its last packet */
	uint32_t created_ms;
	uint32_t status; /**< CT_* */
	uint32_t mark;
	uint32_t tcp;	   /**< number of its TCP state, or CONN_TCP_NONE */
	uint32_t id;	   /**< `ct id`; no two workers' are the same */
	uint16_t egress;   /**< CONN_MASQUERADE: the port it leaves by */
	uint8_t alias_at;  /**< the worker that has an alias of its reply tuple */
	uint8_t rules_out; /**< directions whose rule is not `none` */
	uint8_t events;	   /**< enum conn_event: what is not told yet */
	uint8_t unused[3];
	uint64_t start_ns;    /**< when it was created */
	uint16_t hold;	      /**< CONN_HELD: lib/nat's number of the hold */
	uint16_t rule_seq[2]; /**< of the last offer; outlives the connection, as handles must */
	uint8_t rule[2];      /**< enum conn_rule */
};
static_assert(sizeof(struct conn) == 64, "a cache line");

/** Timeouts and switches; immutable while a worker has it. */
struct conntrack_config {
	struct tracker_config tracker;
	uint32_t max;  /**< connections of all workers together */
	bool checksum; /**< nf_conntrack_checksum */
};

/** What the workers of one daemon share. */
struct conntrack_shared {
	_Atomic uint32_t left; /**< connections not yet leased to a worker */
};

struct conntrack;
struct conntrack_ring;

/** Called when a connection ends, before its records go. */
typedef void (*conntrack_end_t)(void *ctx, struct conntrack *ct, uint32_t conn);

/** The connections of one worker. */
struct conntrack {
	struct flow_table table[2]; /**< IPv4, IPv6 */
	struct conn *conns[2];
	struct tcp_track *tcp;
	struct wheel wheel;
	const struct conntrack_config *config;
	struct conntrack_shared *shared;
	uint64_t now_ns;
	uint32_t now_ms;
	uint32_t lease; /**< connections that this worker may still create */
	uint32_t live;	/**< connections, unconfirmed ones included */
	uint32_t unconfirmed;
	uint32_t next_id;
	uint32_t dying; /**< the connection that ends with this packet, or CONN_NONE */
	uint32_t free_tcp;
	uint32_t fresh_tcp;
	uint8_t worker;
	conntrack_end_t end;	      /**< NULL: nobody asks */
	conntrack_end_t end_prefetch; /**< called a little before end, to prefetch; may be NULL */
	void *end_ctx;
	conntrack_end_t withdraw; /**< asks for the rules of a connection to be removed; or NULL */
	void *withdraw_ctx;
	uint32_t lingering; /**< of live: over, but a rule is in a NIC */
	uint64_t created;   /**< statistics */
	uint64_t destroyed;
	uint64_t invalid;
	uint64_t full;
	uint64_t clashed;	       /**< lost a race for their tuple, and were dropped */
	struct conntrack_ring *events; /**< where to tell of events; NULL: nobody listens */
	uint32_t ended_by; /**< of the connection that ends now: who wants it, for its event */
	uint32_t awaited;  /**< directions that are to leave a NIC and that somebody waits for */
	uint8_t settled;   /**< lib/path's: the state of a record that carries packets */
	struct region conn_region[2];
	struct region tcp_region;
	_Atomic uint32_t want_tcp;
};

/** Connection numbers: pair * 2, plus 1 for IPv6. */
static inline unsigned int
conn_is_ipv6(uint32_t conn)
{
	return conn & 1;
}

static inline uint32_t
conn_pair(uint32_t conn)
{
	return conn >> 1;
}

static inline uint32_t
conn_number(uint8_t family, uint32_t pair)
{
	return pair << 1 | (family == FAMILY_IPV6);
}

/** The record of a direction, in conntrack_table() of the connection. */
static inline uint32_t
conn_record(uint32_t conn, unsigned int dir)
{
	return conn_pair(conn) * 2 + dir;
}

static inline struct conn *
conn_at(const struct conntrack *ct, uint32_t conn)
{
	return &ct->conns[conn_is_ipv6(conn)][conn_pair(conn)];
}

static inline struct flow_table *
conntrack_table(struct conntrack *ct, uint32_t conn)
{
	return &ct->table[conn_is_ipv6(conn)];
}

/** The tail of a direction's record. */
static inline struct flow_tail *
conn_tail(const struct conntrack *ct, uint32_t conn, unsigned int dir)
{
	return flow_tail(&ct->table[conn_is_ipv6(conn)], conn_record(conn, dir));
}

/** The tuple of a direction. */
static inline void
conn_tuple(const struct conntrack *ct, uint32_t conn, unsigned int dir, struct tuple *out)
{
	flow_tuple(&ct->table[conn_is_ipv6(conn)], conn_record(conn, dir), out);
}

/**
 * Create a worker's connections. Control thread.
 * @param start connections of each family that find memory at once
 * @param secret 32 random bytes, the same for all workers
 * @param config, shared owned by the caller, alive as long as ct
 * @return 0, -EINVAL or -ENOMEM (nothing is left behind)
 */
int conntrack_init(struct conntrack *ct, uint8_t worker, uint32_t start, const uint64_t secret[4],
	const struct conntrack_config *config, struct conntrack_shared *shared);

/** Return the memory. Control thread, the worker stopped. */
void conntrack_fini(struct conntrack *ct);

/** Make memory ready ahead of need. Control thread, every few milliseconds. 0 or -ENOMEM. */
int conntrack_prepare(struct conntrack *ct);

/** Bytes of memory in use. Any thread. */
uint64_t conntrack_bytes(const struct conntrack *ct);

/** Take over the walk's clock. Once a walk. */
static inline void
conntrack_set_clock(struct conntrack *ct, uint64_t now_ns)
{
	ct->now_ns = now_ns;
	ct->now_ms = clock_ms32(now_ns);
}

/**
 * Whether a UDP connection that has seen a reply is a stream: its last packet
 * came more than two seconds after its first. The first reply is judged as if
 * none had been seen (nf_conntrack_udp_packet), so it makes no stream yet.
 */
static inline bool
conn_is_stream(const struct conntrack *ct, uint32_t conn)
{
	const struct flow_tail *original = conn_tail(ct, conn, 0), *reply = conn_tail(ct, conn, 1);
	bool reply_last = (int32_t)(original->last_ms - reply->last_ms) <= 0;

	if (reply_last && reply->packets == 1 && !(conn_at(ct, conn)->status & CT_ASSURED))
		return false;
	return udp_is_stream(
		conn_at(ct, conn)->created_ms, reply_last ? reply->last_ms : original->last_ms);
}

/**
 * How long a connection lives after its last packet, in milliseconds. TCP's is
 * in its TCP state, which the established path writes anyway; UDP's follows
 * from the time of the last packet (conn_is_stream), so that path need not touch
 * the connection at all.
 */
static inline uint32_t
conn_timeout_ms(const struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	if (c->tcp != CONN_TCP_NONE)
		return ct->tcp[c->tcp].timeout_ms;
	if ((c->flags & CONN_UDP) && (c->status & CT_SEEN_REPLY))
		return conn_is_stream(ct, conn) ? ct->config->tracker.udp_stream_ms
						: ct->config->tracker.udp_ms;
	return c->timeout_ms;
}

/** Milliseconds since a connection's last packet. */
static inline uint32_t
conn_idle_ms(const struct conntrack *ct, uint32_t conn)
{
	uint32_t idle0 = ct->now_ms - conn_tail(ct, conn, 0)->last_ms;
	uint32_t idle1 = ct->now_ms - conn_tail(ct, conn, 1)->last_ms;

	return idle0 < idle1 ? idle0 : idle1;
}

/** Whether a NIC carries a direction of it, or is asked to. */
static inline bool
conn_in_hardware(const struct conn *c)
{
	return (c->rule[0] | c->rule[1]) & CONN_RULE_WANTED;
}

/** Whether a connection is over and only waits for its rules to go. */
static inline bool
conn_lingers(const struct conntrack *ct, uint32_t conn)
{
	return conn_at(ct, conn)->flags & CONN_LINGER;
}

/**
 * Whether a connection's time is over. Such a connection counts as absent,
 * however late the sweep comes. While a NIC carries it, its last packet is not
 * known: the sweep has the rule removed, and with it comes its last count.
 */
static inline bool
conn_expired(const struct conntrack *ct, uint32_t conn)
{
	const struct conn *c = conn_at(ct, conn);

	return (c->status & CT_CONFIRMED) && conn_idle_ms(ct, conn) >= conn_timeout_ms(ct, conn) &&
	       !conn_in_hardware(c);
}

/** Remaining life in milliseconds, 0 if over. */
static inline uint32_t
conn_expires_ms(const struct conntrack *ct, uint32_t conn)
{
	uint32_t idle = conn_idle_ms(ct, conn), timeout = conn_timeout_ms(ct, conn);

	return idle < timeout ? timeout - idle : 0;
}

/** The status bits as Linux would show them now (ASSURED of UDP follows from the time). */
uint32_t conn_status(const struct conntrack *ct, uint32_t conn);

/**
 * Find the connection and direction of a packet, or create one that is
 * unconfirmed; run its tracker. Sets pkt->conn and the PKT_CT_* flags. A packet
 * that belongs to none and may not create one becomes PKT_CT_INVALID; it goes
 * on, as in Linux.
 * @return VERDICT_ACCEPT; VERDICT_DROP with pkt->drop (table full);
 *   VERDICT_STOLEN: pkt->conn is held, the caller puts the packet behind it
 */
enum verdict conntrack_in(struct conntrack *ct, struct pkt *pkt);

/**
 * The packet leaves: put its unconfirmed connection into the table. Checks both
 * tuples again.
 * @return VERDICT_ACCEPT, or VERDICT_DROP with pkt->drop (clash, no room); the
 *   unconfirmed connection is gone then
 */
enum verdict conntrack_confirm(struct conntrack *ct, struct pkt *pkt);

/**
 * End a connection, confirmed or not: records, TCP state and memory go. If a
 * rule of it is not `none`, it lingers until conntrack_rule_gone().
 */
void conntrack_destroy(struct conntrack *ct, uint32_t conn);

/**
 * What was recorded of a connection holds no more: its next packets walk, and
 * its rules are withdrawn.
 */
void conntrack_unsettle(struct conntrack *ct, uint32_t conn);

/** The rules leave the NIC: windows are outdated (flow_offload_fixup_tcp). */
void conntrack_leave_hardware(struct conntrack *ct, uint32_t conn);

/** The last rule of a connection is `none`: one that lingered ends. */
void conntrack_rule_gone(struct conntrack *ct, uint32_t conn);

/** The packet has left or is gone: end the connection that it was the last one of. */
static inline void
conntrack_packet_done(struct conntrack *ct)
{
	if (ct->dying != CONN_NONE) {
		conntrack_destroy(ct, ct->dying);
		ct->dying = CONN_NONE;
	}
}

/** The packet was dropped: its unconfirmed connection goes. Nothing for a confirmed one. */
void conntrack_forget(struct conntrack *ct, struct pkt *pkt);

/**
 * Make a held connection findable by its original tuple, so that the packets
 * behind its first one meet it.
 * @return 0 or -ENOSPC
 */
int conntrack_hold(struct conntrack *ct, uint32_t conn);

/** The answer is there: the connection is unconfirmed as before conntrack_hold(). */
void conntrack_release(struct conntrack *ct, uint32_t conn);

/**
 * Whether a tuple is in use by a connection other than one (nf_nat_used_tuple):
 * by a record that has not expired, or by an alias.
 */
bool conntrack_tuple_taken(struct conntrack *ct, const struct tuple *t, uint32_t except);

/** A reset was sent into a TCP connection: it closes (nf_conntrack_tcp_set_closing). */
void conntrack_set_closing(struct conntrack *ct, uint32_t conn);

/** Set the reply tuple of an unconfirmed connection (nf_conntrack_alter_reply). */
void conntrack_set_reply(struct conntrack *ct, uint32_t conn, const struct tuple *reply);

/**
 * End what has expired.
 * @param work entries to look at, at most
 * @return connections ended
 */
unsigned int conntrack_expire(struct conntrack *ct, unsigned int work);

/** Bring the wheel's entry of a connection forward after its timeout became shorter. */
void conntrack_rearm(struct conntrack *ct, uint32_t conn);

/** End every connection of a family (0: both). The worker, or control once it stopped. */
void conntrack_flush(struct conntrack *ct, uint8_t family);

/**
 * Call a function for each connection, confirmed ones only.
 * The worker, or any thread while it stands still.
 */
void conntrack_for_each(struct conntrack *ct,
	void (*fn)(struct conntrack *ct, uint32_t conn, void *ctx), void *ctx);

/** The questions of rules (ct_ops.h) that conntrack alone can answer; lib/nat adds the others. */
extern const struct ct_ops conntrack_ops;

/** The conntrack of a worker, as conntrack_init() registered it, or NULL. Any thread. */
struct conntrack *conntrack_of(uint8_t worker);

#endif
