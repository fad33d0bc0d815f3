/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/offload from inside.
 */
#ifndef SHUNT_OFFLOAD_PRIV_H
#define SHUNT_OFFLOAD_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "offload.h"
#include "offload_driver.h"

#define NONE UINT32_MAX

/* The groups and priorities of the root program; lower priorities win. */
#define GROUP_FLOWS    1
#define PRIORITY_GUARD 0
#define PRIORITY_FLOW  1
#define PRIORITY_MISS  2

/* A destroy that must be done before one can go on: so many tries, a nap after each. */
#define DESTROY_TRIES  1000
#define DESTROY_NAP_US 100

/* From a worker. */
enum message_type {
	MESSAGE_OFFER,
	MESSAGE_WITHDRAW,
};
struct message {
	struct offload_offer offer; /* WITHDRAW: its handle alone */
	uint64_t type;
};
static_assert(sizeof(struct message) % 4 == 0, "an element of a ring");

/* A direction's rule. */
enum rule_state {
	RULE_FREE,
	RULE_OFFERED,
	RULE_LIVE,
	RULE_REMOVING,
	RULE_TELLING, /* gone, but the worker's ring had no room for the last word */
};
struct rule {
	uint64_t handle;
	struct rte_flow *flow;
	uint64_t packets, bytes; /* as the worker knows them */
	uint64_t polled_ns;
	uint32_t chain; /* of its hash */
	uint32_t next;	/* of the list of its state */
	uint32_t offer; /* OFFERED: the place of a copy */
	uint32_t generation;
	uint16_t ethdev;
	uint8_t state;
	uint8_t kind, reason; /* TELLING: the last word */
	bool withdrawn;	      /* OFFERED: not wanted any more */
};

/* First in, first out, by rule number. */
struct fifo {
	uint32_t first, last, count;
};

/* A port's root program, and what it can do. */
struct root {
	bool used;
	uint16_t ethdev;
	struct rte_flow *flows[8];
	unsigned int flow_count;
	bool able[2][2]; /* IPv4, IPv6; TCP, UDP */
	struct offload_port_info info;
};

struct offload {
	struct offload_config config;
	const struct offload_driver *driver;
	pthread_mutex_t lock; /* ports, against a round */
	struct rte_ring *messages[OFFLOAD_WORKERS];
	struct rte_ring *events[OFFLOAD_WORKERS];
	struct root roots[OFFLOAD_PORTS];
	struct rule *rules;
	struct offload_offer *offers; /* by rule */
	uint32_t *heads;	      /* of the hash */
	uint32_t mask;
	uint32_t free; /* list */
	struct fifo offered, removing, telling;
	uint32_t top;		     /* entries from here on were never used */
	uint64_t poll_ns;	     /* when that began anew */
	uint32_t poll_at;	     /* where the search for counters to poll goes on */
	_Atomic uint32_t generation; /* control: rw, offload: ro */
	_Atomic uint32_t clean;	     /* no rule is older; offload: rw */
	uint32_t seen;		     /* the generation that the rules were looked through for */
	uint32_t stale;		     /* rules older than that which are not gone yet */
	_Atomic uint64_t live;
};

/* A rule as rte_flow takes it; it points into itself. */
struct pattern {
	struct rte_flow_attr attr;
	struct rte_flow_item items[6];
	struct rte_flow_action actions[10];
	struct rte_flow_item_ethdev in;
	struct rte_flow_action_ethdev out;
	struct rte_flow_item_eth eth, eth_mask;
	union {
		struct rte_flow_item_ipv4 ip4;
		struct rte_flow_item_ipv6 ip6;
	} ip, ip_mask;
	union {
		struct rte_flow_item_tcp tcp;
		struct rte_flow_item_udp udp;
	} l4, l4_mask;
	struct rte_flow_action_set_ipv4 src4, dst4;
	struct rte_flow_action_set_ipv6 src6, dst6;
	struct rte_flow_action_set_tp sport, dport;
	struct rte_flow_action_set_mac src_mac, dst_mac;
};

/* offload_translate.c. all: with every rewrite, changed or not (a probe). */
void translate(const struct offload_offer *offer, bool all, struct pattern *out);

/* offload_root.c */
struct root *root_of(const struct offload *o, uint16_t ethdev);

/* offload_rule.c */
int rules_init(struct offload *o);
void rules_fini(struct offload *o);
void rule_offer(struct offload *o, const struct offload_offer *offer);
void rule_withdraw(struct offload *o, uint64_t handle);
/* All rules from a port or to it: gone, or given up if they resist and go with the port. */
void rules_leave(struct offload *o, uint16_t ethdev);
/* Each returns how much was done. */
unsigned int rules_tell(struct offload *o);
unsigned int rules_flush(struct offload *o);
unsigned int rules_destroy(struct offload *o);
unsigned int rules_create(struct offload *o);
unsigned int rules_poll(struct offload *o);

#endif
