/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker from inside lib/path: what its nodes share.
 */
#ifndef SHUNT_PATH_WORKER_PRIV_H
#define SHUNT_PATH_WORKER_PRIV_H

#include <stdatomic.h>

#include <rte_graph.h>
#include <rte_graph_worker.h>
#include <rte_ring.h>

#include "path.h"
#include "paths.h"

/* Frames in a ring between two workers. */
#define RING_FRAMES 1024
/* Messages in a ring between two workers. */
#define RING_MESSAGES 8192
/* Room that messages which nobody answers leave to those that must not be lost. */
#define RING_RESERVED 4096

/* The edges of the nodes that have more than one; pipeline.c names their ends. */
enum established_edge {
	ESTABLISHED_TX,
	ESTABLISHED_WALK,
	ESTABLISHED_EDGES,
};
enum rx_edge {
	RX_ESTABLISHED,
	RX_EDGES,
};

/* What workers say to each other about aliases. 64 bytes. */
enum message_type {
	MESSAGE_RESERVE,   /* insert {reply -> conn of from} if absent, and answer */
	MESSAGE_UNRESERVE, /* remove it */
	MESSAGE_GRANTED,
	MESSAGE_TAKEN,
};
struct message {
	struct tuple reply;
	uint32_t conn;
	uint32_t id;
	uint8_t type;
	uint8_t from;
	uint8_t unused[14];
};
static_assert(sizeof(struct message) == 64, "an element of a ring");

struct worker {
	/* Hot: read for each packet. */
	struct conntrack *ct;
	const struct route_table *routes; /* latched for this walk */
	const struct hooks *hooks;	  /* latched for this walk; NULL: nothing is forwarded */
	const struct home_table *homes;
	struct path_counter *effects;	       /* by path id; of paths */
	_Atomic(const struct hooks *) latched; /* the same, for control to see */
	uint64_t now_ns;
	uint32_t now_ms;
	uint32_t fresh_ms; /* a record seen within this is alive whatever its timeout */
	uint8_t id;
	uint8_t settled;      /* the state of a record that may carry packets now */
	bool alone;	      /* the only worker: everything is at home */
	uint64_t handed_flag; /* mbuf dynamic flags */
	uint64_t returned_flag;
	struct path *path;
	struct nat nat;
	struct path_counters counters;

	struct path_queue queues[PATH_PORTS];
	unsigned int queue_count;
	unsigned int next_queue; /* where the next walk begins, for fairness */

	/* Rings by the other worker; NULL for itself. */
	struct rte_ring *frames_in[PATH_WORKERS];
	struct rte_ring *frames_out[PATH_WORKERS];
	struct rte_ring *tx_in[PATH_WORKERS];
	struct rte_ring *tx_out[PATH_WORKERS];
	struct rte_ring *messages_in[PATH_WORKERS];
	struct rte_ring *messages_out[PATH_WORKERS];

	struct rte_graph *graph;
	struct conntrack conntrack;
	struct paths paths;
	uint32_t rules_out;		  /* directions whose rule is not `none` */
	uint32_t rules_old;		  /* of these, such as an older program made */
	struct nft_states *old_states;	  /* what that program counts in */
	struct nft_trail trail;		  /* of the packet being walked */
	_Atomic(struct path_call *) call; /* a question; worker: clears, control: sets */
	struct rte_mbuf *transmit[PATH_PORTS][PATH_BURST];
	uint16_t transmit_count[PATH_PORTS];
};

struct path {
	struct path_config config;
	unsigned int port_count; /* above the highest port */
	struct home_table homes;
	struct conntrack_shared shared;
	struct worker *workers[PATH_WORKERS];
	const struct hooks *hooks; /* by rcu_publish(). control: wo, worker: ro */
};

/* The worker of a node. */
static inline struct worker *
node_worker(const struct rte_node *node)
{
	struct worker *w;

	memcpy(&w, node->ctx, sizeof(w));
	return w;
}

/* Free a frame for a reason that is counted. */
static inline void
worker_drop(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	w->counters.dropped[reason]++;
	rte_pktmbuf_free(m);
}

/* The nodes, each in the file of its name. */
extern struct rte_node_register rx_node, established_node, walk_node, tx_node;

/* handoff.c */
int handoff_reserve(
	void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home);
void handoff_unreserve(
	void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home);
void handoff_messages(struct worker *w);
void handoff_frame(struct worker *w, struct rte_mbuf *m, uint8_t to, uint64_t flag);

/* tx.c: queue a frame for the port in mbuf->port; send what is queued. */
void tx_frame(struct worker *w, struct rte_mbuf *m);
void tx_flush(struct worker *w);

/* walk.c: the slow walk of one packet; it owns the mbuf. */
/* Whether the connection that it would have, by what is in it now, is another worker's. */
bool walk_belongs_elsewhere(struct worker *w, const struct pkt *pkt);
/* A packet that waited at conntrack behind a held one goes on from there. */
void walk_behind(struct worker *w, struct pkt *pkt);
/* A packet that was held at the NAT built-in goes on behind it, or is dropped for its pkt->drop. */
void walk_resume(struct worker *w, struct pkt *pkt);
/* The packet goes no further: forget what it began and drop it. Stolen ones have another owner. */
void walk_end(struct worker *w, struct pkt *pkt, enum verdict verdict);

/* walk_hooks.c */
enum verdict walk_hook(struct worker *w, struct pkt *pkt, enum hook hook);
/* Ingress or egress of a port. */
enum verdict walk_device(struct worker *w, struct pkt *pkt, enum hook hook, uint16_t port);
/* From a built-in on, which is skipped or not. */
enum verdict walk_hook_from(
	struct worker *w, struct pkt *pkt, enum hook_kind kind, unsigned int skip);

/* walk_route.c: after prerouting; after the hooks of input and postrouting; from output. */
void walk_route(struct worker *w, struct pkt *pkt);
void walk_input_done(struct worker *w, struct pkt *pkt, enum verdict verdict);
void walk_postrouting_done(struct worker *w, struct pkt *pkt, enum verdict verdict);
void walk_output(struct worker *w, struct pkt *pkt);

/* walk_error.c: the ICMP error that the router owes about a packet. */
void walk_error(struct worker *w, struct pkt *about, uint8_t type, uint8_t code, uint32_t info);

/* hardware.c: ask for a rule that carries a direction; what became of those asked for. */
void hardware_offer(struct worker *w, const struct pkt *pkt, unsigned int dir);
void hardware_events(struct worker *w);
/* conntrack's withdraw. */
void hardware_withdraw(void *ctx, struct conntrack *ct, uint32_t conn);

/* record.c: the outcome of a walk that ends on the wire, into its direction's record. */
void record_walk(struct worker *w, struct pkt *pkt);

#endif
