/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The tables of the modelled NIC: rte_flow rules, and what they do to a frame.
 * One embedded switch for all its ports.
 *
 * It behaves as silicon does and as software may not hope: a TTL wraps, no
 * length is checked, a first fragment matches by its ports, a miss in a group
 * above 0 drops, counters count wire frames.
 *
 * Two domains. A frame from a wire walks the transfer rules from group 0 on; a
 * miss in group 0 takes it to the software of its ingress port. A frame for a
 * port's software walks that port's ingress rules from group 0 on; a miss in
 * group 0 delivers it.
 *
 * Not thread-safe: the caller has a lock.
 */
#ifndef NM_FLOW_H
#define NM_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_flow.h>
#include <rte_mbuf.h>

/** Groups of a domain, priorities of a group; lower priorities win. */
#define NM_GROUPS     16
#define NM_PRIORITIES 16
/** Ports of a switch. */
#define NM_PORTS 32

/** What a switch is told to be. */
struct nm_limits {
	uint32_t max_rules; /**< further ones: -ENOSPC */
	char refuse[32];    /**< an item or action, by testpmd's name, that is not supported */
	bool lie;	    /**< validate takes what create refuses */
};

struct nm_switch;

/** Create. @return NULL without memory */
struct nm_switch *nm_switch_new(const struct nm_limits *limits);
/** Free with all rules. NULL is fine. */
void nm_switch_free(struct nm_switch *sw);
/** Change what it is told to be; rules stay. */
void nm_switch_limits(struct nm_switch *sw, const struct nm_limits *limits);

/** As rte_flow_validate(): nothing is created. */
int nm_flow_validate(struct nm_switch *sw, uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error);

/**
 * As rte_flow_create(), but the rule does nothing before nm_flow_activate().
 * @return NULL with rte_errno: ENOTSUP, EINVAL, ENOSPC, EEXIST (the same pattern
 *   and priority in the group), ENOMEM
 */
struct rte_flow *nm_flow_prepare(struct nm_switch *sw, uint16_t port,
	const struct rte_flow_attr *attr, const struct rte_flow_item *items,
	const struct rte_flow_action *actions, struct rte_flow_error *error);

/** From now on the rule acts. */
void nm_flow_activate(struct rte_flow *flow);

/** The rule acts from a step on; nm_flow_tick() says which step it is. */
void nm_flow_activate_at(struct rte_flow *flow, uint64_t step);
void nm_flow_tick(struct nm_switch *sw, uint64_t step);

/** Remove a rule. */
void nm_flow_destroy(struct nm_switch *sw, struct rte_flow *flow);

/** Remove all rules that a port made. @return how many */
uint32_t nm_flow_flush(struct nm_switch *sw, uint16_t port);

/** COUNT of a rule, as rte_flow_query(). @return 0; -ENOTSUP: the rule counts nothing */
int nm_flow_query(struct rte_flow *flow, struct rte_flow_query_count *count);

/** Rules that a port made; of all ports for UINT16_MAX. */
uint32_t nm_flow_count(const struct nm_switch *sw, uint16_t port);

/** A moment of a rule, for whoever delays destroys; 0 at first. */
uint64_t *nm_flow_due(struct rte_flow *flow);

/** Where a frame goes. */
struct nm_result {
	enum {
		NM_DROP,
		NM_TO_WIRE, /**< of port */
		NM_TO_PORT, /**< the software of port */
	} fate;
	uint16_t port;
	bool by_rule; /**< a rule said so, not the default */
	bool has_queue;
	bool has_mark;
	uint16_t queue;
	uint32_t mark;
	const char *why; /**< NM_DROP: "rule", "group-miss", "loop" */
};

/**
 * Walk a frame that came from a port's wire, and change it as the rules say.
 * @param frame in one segment, its buffer not shared
 */
void nm_flow_run(
	struct nm_switch *sw, uint16_t ingress, struct rte_mbuf *frame, struct nm_result *result);

#endif
