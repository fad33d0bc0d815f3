/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NM_PRIV_H
#define NM_PRIV_H

#include <assert.h>
#include <sys/queue.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "nm_flow.h"
#include "nm_frame.h"

/* Actions of a rule. */
#define NM_ACTIONS 16

struct nm_action {
	enum rte_flow_action_type type;
	union {
		uint16_t port;
		uint16_t queue;
		uint32_t mark;
		uint32_t group;
		uint8_t mac[6];
		uint8_t address[16];
		rte_be16_t tp;
	};
};

/* Rules of a group with the same mask and priority: one hash table. */
struct nm_class {
	struct nm_class *next; /* by priority */
	struct nm_fields mask;
	uint32_t priority;
	uint32_t count;
	uint32_t size; /* of slots, a power of two */
	struct rte_flow **slots;
};

/* A group of a domain. */
struct nm_table {
	struct nm_class *classes;
};

struct rte_flow {
	struct rte_flow *chain; /* of its slot */
	TAILQ_ENTRY(rte_flow) link;
	struct nm_class *class;
	struct nm_table *table;
	struct nm_fields value;
	uint16_t port; /* that made it */
	bool active;
	bool counts;
	uint64_t hits, bytes;
	uint64_t active_at; /* a step, 0: none */
	uint64_t due;
	unsigned int action_count;
	struct nm_action actions[NM_ACTIONS];
};

TAILQ_HEAD(nm_flows, rte_flow);

struct nm_switch {
	struct nm_limits limits;
	struct nm_table transfer[NM_GROUPS];
	struct nm_table ingress[NM_GROUPS]; /* the port is in the fields */
	struct nm_flows flows;
	uint32_t count;
	uint32_t port_count[NM_PORTS];
};

/* A rule as it was asked for. */
struct nm_ask {
	bool transfer;
	uint8_t layer; /* of the last item that is a header */
	uint32_t group, priority;
	struct nm_fields value, mask;
	unsigned int action_count;
	struct nm_action actions[NM_ACTIONS];
	bool counts;
};

/* nm_frame.c */
void nm_write(struct rte_mbuf *frame, const struct nm_headers *headers, uint8_t l3, uint8_t l4,
	const struct nm_action *action);

/* nm_rule.c: 0 or a negative errno with the error filled in */
int nm_ask(const struct nm_limits *limits, uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct nm_ask *ask, struct rte_flow_error *error);
/* nm_action.c */
int nm_ask_actions(const struct nm_limits *limits, const struct rte_flow_action *actions,
	struct nm_ask *ask, struct rte_flow_error *error);

#endif
