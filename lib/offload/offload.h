/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Offload: established directions become rte_flow rules. Hardware is a cache of
 * software's verdicts: it may lose any rule at any time and nothing but speed
 * changes.
 *
 * Workers offer directions by value and withdraw them; the offload thread owns
 * every rte_flow handle and answers with events. A direction's rule goes
 * none -> offered -> creating -> live -> removing -> none; the worker keeps a
 * record, its tuple and its NAT port until the rule is `none` again, which only
 * an event says: REFUSED or REMOVED. Each offer has a handle of its own and ends
 * in one of these two; a withdrawal that finds nothing is answered by REFUSED
 * once more. Last words are never lost: a worker that takes no events finds no
 * room for offers and withdrawals in the end.
 */
#ifndef SHUNT_OFFLOAD_OFFLOAD_H
#define SHUNT_OFFLOAD_OFFLOAD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuple.h"

/** Most workers and ports. */
#define OFFLOAD_WORKERS 16
#define OFFLOAD_PORTS	32
/** Bytes that an error text needs at most. */
#define OFFLOAD_ERR_LEN 256

/**
 * Why a direction is not in hardware; the names are what `show flows --why`
 * prints. X(enumerator, name)
 */
#define OFFLOAD_REASONS(X)                                                                         \
	X(OFFLOAD_NOT_REQUESTED, "not-requested")                                                  \
	X(OFFLOAD_UNCONFIRMED, "unconfirmed")                                                      \
	X(OFFLOAD_PROTOCOL, "protocol")                                                            \
	X(OFFLOAD_TCP_STATE, "tcp-state")                                                          \
	X(OFFLOAD_NEIGHBOUR, "neighbour")                                                          \
	X(OFFLOAD_MTU, "mtu")                                                                      \
	X(OFFLOAD_NOT_CACHEABLE, "not-cacheable")                                                  \
	X(OFFLOAD_DRIVER_UNSUPPORTED, "driver-unsupported")                                        \
	X(OFFLOAD_GUARD, "guard")                                                                  \
	X(OFFLOAD_TABLE_FULL, "table-full")                                                        \
	X(OFFLOAD_INSERT_FAILED, "insert-failed")                                                  \
	X(OFFLOAD_CLOSING, "closing")                                                              \
	X(OFFLOAD_STALE, "stale") /* judged by a program that is no longer in force */             \
	X(OFFLOAD_DISABLED, "disabled")

enum offload_reason {
	OFFLOAD_NONE, /**< it is in hardware, or on its way */
#define OFFLOAD_X(name, text) name,
	OFFLOAD_REASONS(OFFLOAD_X)
#undef OFFLOAD_X
		OFFLOAD_REASON_COUNT,
};

/** The name of a reason, "none" for OFFLOAD_NONE. Static. Any thread. */
const char *offload_reason_name(enum offload_reason reason);

/** A direction that a worker offers. A copy: no pointer leads back. */
struct offload_offer {
	uint64_t handle;    /**< the worker's own; the top byte is the worker */
	struct tuple tuple; /**< what arrives */
	struct tuple out;   /**< what leaves: addresses and ports of the same direction */
	uint8_t in_mac[6];  /**< the ingress port's: what the destination MAC must be */
	uint8_t dst_mac[6]; /**< of the next hop */
	uint8_t src_mac[6]; /**< of the egress port */
	uint16_t in_port;   /**< ethdev */
	uint16_t out_port;  /**< ethdev */
	uint16_t unused;
	uint32_t generation; /**< of the program that judged it */
	uint32_t unused2;
};
static_assert(sizeof(struct offload_offer) <= 128, "an element of a ring");

/** What the offload thread answers. */
enum offload_kind {
	OFFLOAD_LIVE,	 /**< the NIC carries the direction */
	OFFLOAD_REFUSED, /**< the rule never was; reason says why. Final. */
	OFFLOAD_REMOVED, /**< the rule is gone; packets and bytes are its last. Final. */
	OFFLOAD_COUNTED, /**< packets and bytes since the last report */
};

struct offload_event {
	uint64_t handle;
	uint64_t packets;
	uint64_t bytes; /**< of the wire frames, layer 2 header included */
	uint8_t kind;	/**< enum offload_kind */
	uint8_t reason; /**< REFUSED: enum offload_reason */
	uint8_t unused[6];
};
static_assert(sizeof(struct offload_event) == 32, "an element of a ring");

/** What a port can take; found by creating the real thing on the started port. */
struct offload_port_info {
	bool usable;		     /**< rules are possible at all */
	char why[OFFLOAD_ERR_LEN];   /**< if not: which item, action or guard is refused */
	uint64_t live;		     /**< rules now */
	uint64_t created, destroyed; /**< since start */
	uint64_t refused;	     /**< offers */
	uint64_t failed;	     /**< creates that the driver failed */
};

struct offload;
struct offload_driver;

/** Everything that can be set. */
struct offload_config {
	unsigned int workers;
	uint32_t max_rules;		     /**< directions at once, over all ports */
	uint64_t poll_ns;		     /**< period of counter polling of a rule */
	const struct offload_driver *driver; /**< NULL: rte_flow; tests have their own */
};

/** Create. Control thread. @return NULL with errno ENOMEM or EINVAL */
struct offload *offload_new(const struct offload_config *config);

/** Free, all rules removed. Control thread; the offload thread stopped. NULL is fine. */
void offload_free(struct offload *o);

/**
 * Install the root program of a started port (guards, catch-all, jump) and probe
 * by creating and destroying one rule of each kind. Control thread, before
 * traffic; waits while the offload thread is at work.
 * @param port the number that ports have in shunt, below OFFLOAD_PORTS
 * @return 0; -ENOTSUP: the port stays in software, offload_port() says why;
 *   -EINVAL: port is too high; -EEXIST: port or ethdev was added before
 */
int offload_port_add(struct offload *o, uint16_t port, uint16_t ethdev);

/**
 * Take a port's root program and all rules from it and to it away. Waits for a
 * NIC that is slow (some 100 ms); what it will not destroy goes with the port,
 * which must be stopped after this. Control thread.
 */
void offload_port_remove(struct offload *o, uint16_t ethdev);

/** What is known of a port. Any thread; the text is complete once offload_port_add() returned. */
void offload_port(const struct offload *o, uint16_t ethdev, struct offload_port_info *info);

/* ---- a worker, for itself ---- */

/** Offer a direction. @return 0; -ENOSPC: no room, try again with a later packet */
int offload_offer(struct offload *o, unsigned int worker, const struct offload_offer *offer);

/** Ask for a rule's removal. Idempotent. @return 0; -ENOSPC: no room, try again */
int offload_withdraw(struct offload *o, unsigned int worker, uint64_t handle);

/** Take events. @return how many */
unsigned int offload_events(
	struct offload *o, unsigned int worker, struct offload_event *events, unsigned int max);

/* ---- the offload thread ---- */

/**
 * One round: destroy before create before query; bounded work. Offload thread,
 * or a test.
 * @return how much was done; 0: nothing to do now
 */
unsigned int offload_run(struct offload *o);

/* ---- changes of what is in force. Control thread ---- */

/**
 * From now on only offers of this generation or a later one are taken; every
 * older rule is removed. Begins; offload_flushed() tells when it is done.
 */
void offload_set_generation(struct offload *o, uint32_t generation);

/** Whether no rule of an older generation is in any NIC. Any thread. */
bool offload_flushed(const struct offload *o);

/** Directions in hardware now. Any thread. */
uint64_t offload_live(const struct offload *o);

#endif
