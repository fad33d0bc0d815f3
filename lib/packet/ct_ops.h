/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What a rule can ask conntrack and NAT for. lib/nft knows connections only
 * through this table, which app/shuntd (or a test) fills; so nft and conntrack
 * never include each other.
 */
#ifndef SHUNT_PACKET_CT_OPS_H
#define SHUNT_PACKET_CT_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "tuple.h"

struct pkt;

/** Bits of `ct state` (NF_CT_STATE_BIT): invalid 1, established 2, related 4, new 8, untracked 64.
 */
enum {
	CT_STATE_INVALID = 1 << 0,
	CT_STATE_ESTABLISHED = 1 << 1,
	CT_STATE_RELATED = 1 << 2,
	CT_STATE_NEW = 1 << 3,
	CT_STATE_UNTRACKED = 1 << 6,
};

/** Bits of `ct status` (enum ip_conntrack_status). */
enum {
	CT_EXPECTED = 1 << 0,
	CT_SEEN_REPLY = 1 << 1,
	CT_ASSURED = 1 << 2,
	CT_CONFIRMED = 1 << 3,
	CT_SRC_NAT = 1 << 4,
	CT_DST_NAT = 1 << 5,
	CT_SEQ_ADJUST = 1 << 6,
	CT_SRC_NAT_DONE = 1 << 7,
	CT_DST_NAT_DONE = 1 << 8,
	CT_DYING = 1 << 9,
	CT_FIXED_TIMEOUT = 1 << 10,
	CT_TEMPLATE = 1 << 11,
	CT_UNTRACKED_BIT = 1 << 12,
	CT_HELPER = 1 << 13,
	CT_OFFLOAD = 1 << 14,
	CT_HW_OFFLOAD = 1 << 15,
};

/** Directions of a connection. */
enum ct_dir {
	CT_DIR_ORIGINAL,
	CT_DIR_REPLY,
};

/** The flags of a NAT statement, NF_NAT_RANGE_*. */
enum {
	NAT_RANGE_MAP_IPS = 1 << 0,
	NAT_RANGE_PROTO_SPECIFIED = 1 << 1,
	NAT_RANGE_PROTO_RANDOM = 1 << 2,
	NAT_RANGE_PERSISTENT = 1 << 3,
	NAT_RANGE_PROTO_RANDOM_FULLY = 1 << 4,
	NAT_RANGE_NETMAP = 1 << 6,
};

/** Which end of a tuple is translated. */
enum nat_manip {
	NAT_MANIP_SRC,
	NAT_MANIP_DST,
};

/** A NAT statement with its registers read: struct nf_nat_range2. */
struct nat_range {
	uint32_t flags;		/**< NAT_RANGE_* */
	union address min_addr; /**< with MAP_IPS */
	union address max_addr;
	rte_be16_t min_port; /**< with PROTO_SPECIFIED */
	rte_be16_t max_port;
};

/**
 * Each function takes a packet on the walk; any worker, its own packets only.
 * Except for state(), a false return means that the packet has no connection
 * (or not that property): the expression breaks.
 */
struct ct_ops {
	/** CT_STATE_* bit of the packet; a packet without connection is invalid or untracked. */
	uint32_t (*state)(const struct pkt *pkt);
	/** The direction of the packet in its connection. */
	bool (*direction)(const struct pkt *pkt, enum ct_dir *dir);
	/** CT_* status bits. */
	bool (*status)(const struct pkt *pkt, uint32_t *status);
	bool (*mark)(const struct pkt *pkt, uint32_t *mark);
	/** `ct mark set`. No effect without a connection. */
	void (*set_mark)(const struct pkt *pkt, uint32_t mark);
	/** Remaining life in milliseconds. */
	bool (*expiration)(const struct pkt *pkt, uint32_t *ms);
	/** The tuple of a direction. */
	bool (*tuple)(const struct pkt *pkt, enum ct_dir dir, struct tuple *tuple);
	bool (*zone)(const struct pkt *pkt, enum ct_dir dir, uint16_t *zone);
	/** The connection's id, stable for its life (`ct id`). */
	bool (*id)(const struct pkt *pkt, uint32_t *id);
	/** Packets and bytes of a direction, both directions for dir < 0. */
	bool (*counters)(const struct pkt *pkt, int dir, uint64_t *packets, uint64_t *bytes);
	/**
	 * snat, dnat, masquerade, redirect: nf_nat_setup_info. Only from a chain
	 * of type nat, whose built-in runs it for unconfirmed connections.
	 * @return 0 bound (accept); -EAGAIN held for another worker's answer
	 *   (stolen); -ENOSPC no tuple left, -ENOENT no address to masquerade to
	 *   (both drop)
	 */
	int (*nat)(struct pkt *pkt, const struct nat_range *range, enum nat_manip manip);
	/** The address that masquerade takes for this packet's egress; -ENOENT if the port has
	 * none. */
	int (*masquerade_address)(struct pkt *pkt, union address *addr);
	/** The address that redirect takes: the ingress port's first; -ENOENT if it has none. */
	int (*redirect_address)(const struct pkt *pkt, union address *addr);
	/** `notrack`: the packet leaves conntrack. */
	void (*notrack)(struct pkt *pkt);
	/**
	 * `flow add`: permit this connection's flows to the NIC.
	 * @return false if it may not (the expression breaks, as nft_flow_offload_eval)
	 */
	bool (*flow_add)(struct pkt *pkt, uint32_t flowtable);
};

#endif
