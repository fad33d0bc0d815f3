/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * NAT: a decision and a connection become a binding (its reply tuple), and the
 * binding a rewrite. One struct nat a worker, over its struct conntrack; only
 * that worker calls it.
 *
 * There is no pool of ports: as in Linux, a port is free when no connection has
 * the reply tuple. A reply tuple whose home is another worker is reserved there
 * by an alias; until the answer comes the connection's packets are held.
 */
#ifndef SHUNT_NAT_NAT_H
#define SHUNT_NAT_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "conntrack.h"
#include "home.h"
#include "index.h"

/** Packets that wait behind a held first packet, it included. */
#define NAT_HOLD_PACKETS 16
/** Connections that wait for an answer at one time, a worker. */
#define NAT_HOLDS 1024

/** A connection that waits for another worker's answer. */
struct nat_hold {
	struct nat_range range; /**< to choose again from if the tuple was taken */
	uint32_t conn;		/**< CONN_NONE: a free hold */
	uint32_t id;		/**< conn's id: the number may be another's by now */
	uint16_t attempts;
	uint8_t count;
	struct rte_mbuf *packets[NAT_HOLD_PACKETS];
};

struct nat;

/**
 * Ask the home of a reply tuple for an alias (lib/path has the rings).
 * @return 0, or -ENOSPC if the ring is full
 */
typedef int (*nat_reserve_t)(
	void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home);
/** Tell the home that the alias goes. Never fails: the ring is sized for it. */
typedef void (*nat_unreserve_t)(
	void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home);

/**
 * Run the nat chains of a hook for a packet of a connection without this
 * binding yet; they call ct_ops.nat.
 * @return VERDICT_ACCEPT (bound or not), VERDICT_DROP with pkt->drop
 */
typedef enum verdict (*nat_chains_t)(void *ctx, struct pkt *pkt, enum hook hook);

/** What NAT asks of routing. */
struct nat_routes {
	/** masquerade's address for a packet routed to pkt->nexthop; -ENOENT without. */
	int (*egress_address)(void *ctx, const struct pkt *pkt, union address *addr);
	/** The first address of the ingress port; -ENOENT without. */
	int (*ingress_address)(void *ctx, const struct pkt *pkt, union address *addr);
	void *ctx;
};

/** The NAT of one worker. */
struct nat {
	struct conntrack *ct;
	const struct home_table *homes; /**< worker: ro */
	struct index by_source; /**< (protocol, original source) -> connection with SRC_NAT */
	struct nat_hold *holds;
	uint16_t free_hold; /**< a hint where to look for a free one */
	uint16_t held_connections;
	uint32_t held_packets;
	struct nat_range last_range; /**< of the source binding made last */
	union address
		last_source[2]; /**< its address, by family: where the next one's reply may be */
	uint64_t random;	/**< state of the generator that picks ports */
	nat_reserve_t reserve;	/**< NULL: one worker, every tuple is at home */
	nat_unreserve_t unreserve;
	void *reserve_ctx;
	struct nat_routes routes;
	uint64_t exhausted; /**< statistics: no free tuple in a range */
	uint64_t clashes;   /**< answers "taken" */
};

/**
 * Create a worker's NAT and register it for ct_ops. Control thread.
 * @param seed of the port generator; random bytes in production
 * @param homes alive as long as nat
 * @return 0 or -ENOMEM
 */
int nat_init(struct nat *nat, struct conntrack *ct, const struct home_table *homes, uint64_t seed);

/** Free it; held packets are freed too. Control thread, the worker stopped. */
void nat_fini(struct nat *nat);

/** Make memory ready ahead of need. Control thread. 0 or -ENOMEM. */
int nat_prepare(struct nat *nat);

/** Bytes of memory in use. Any thread. */
uint64_t nat_bytes(const struct nat *nat);

/** Prefetch what binding the source of a new connection will look up. */
void nat_prefetch(struct nat *nat, const struct tuple *t);

/** The NAT of a worker, or NULL. */
struct nat *nat_of(uint8_t worker);

/**
 * nf_nat_setup_info: bind one end of an unconfirmed connection.
 * @return 0, or -ENOSPC: no tuple left (the packet is dropped)
 */
int nat_bind(struct nat *nat, struct pkt *pkt, const struct nat_range *range, enum nat_manip manip);

/**
 * The NAT built-in of a hook (nf_nat_inet_fn): bind if the connection is new,
 * through the chains or by a null binding; then translate the packet.
 * @param chains NULL: no nat chain at this hook
 * @return VERDICT_ACCEPT; VERDICT_DROP with pkt->drop; VERDICT_STOLEN: the
 *   packet is held, nat_answer() gives it back
 */
enum verdict nat_hook(
	struct nat *nat, struct pkt *pkt, enum hook hook, nat_chains_t chains, void *chains_ctx);

/** Put a packet behind the held first one of its connection. VERDICT_STOLEN, or VERDICT_DROP. */
enum verdict nat_hold_behind(struct nat *nat, struct pkt *pkt);

/** The home's answer to nat_reserve_t. */
struct nat_answer {
	uint32_t conn;
	uint32_t id;	    /**< conn's id when it was asked */
	struct tuple reply; /**< the tuple that was asked for */
	uint8_t home;
	bool taken; /**< it belongs to another connection */
};

/**
 * The home answered.
 * @param packets the held packets, in order. The first goes on after the NAT
 *   built-in if its pkt->drop is DROP_COUNT, else it is dropped for that reason
 *   and its connection is gone; the others walk from the start
 * @return how many; 0 if the connection waits for another answer
 */
unsigned int nat_answer(struct nat *nat, const struct nat_answer *answer,
	struct rte_mbuf *packets[NAT_HOLD_PACKETS]);

/** Translate a packet of a bound connection at a hook (nf_nat_packet). */
void nat_translate(struct nat *nat, struct pkt *pkt, enum nat_manip manip);

/** All questions of rules: conntrack's and NAT's. */
extern struct ct_ops nat_ct_ops;

#endif
