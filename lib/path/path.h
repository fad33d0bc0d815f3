/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The dataplane: workers that walk one graph each. doc/architecture.md shows
 * the graph; pipeline.c has it as a table.
 *
 * Control creates a dataplane, publishes what the workers read (hooks, routes)
 * and starts and stops them. Tests walk the workers in turn by hand instead.
 */
#ifndef SHUNT_PATH_PATH_H
#define SHUNT_PATH_PATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "conntrack.h"
#include "hooks.h"
#include "nat.h"
#include "offload.h"
#include "packet.h"
#include "route.h"
#include "states.h"

/** Most workers and ports of a dataplane. */
#define PATH_WORKERS 16
#define PATH_PORTS   32
/** Path ids; 0 is no path. */
#define PATH_IDS 65536
/** Packets that one walk takes from all queues and rings together. */
#define PATH_BURST 256

/** A port as the workers see it. Immutable while they run. */
struct path_port {
	bool used;
	uint16_t ethdev;
	uint16_t mtu;
	uint64_t mac;			/**< 48 bits, as loaded from the first bytes of a frame */
	uint16_t txq[PATH_WORKERS];	/**< the queue that tx_owner of a worker uses */
	uint8_t tx_owner[PATH_WORKERS]; /**< who transmits for a worker: itself if it owns a queue
					 */
};

/** A receive queue and its owner. */
struct path_queue {
	uint16_t port;
	uint16_t queue;
	uint8_t worker;
};

/** What a dataplane is made of. Copied by path_create(). */
struct path_config {
	unsigned int workers; /**< 1 to PATH_WORKERS */
	struct path_port ports[PATH_PORTS];
	struct path_queue queues[PATH_PORTS * PATH_WORKERS];
	unsigned int queue_count;
	struct conntrack_config conntrack;
	uint32_t start_connections; /**< memory that is ready from the start */
	uint64_t secret[4];	    /**< random, for the hash tables */
	struct rte_mempool *pool;   /**< of packets that the router makes; PKT_PRIV_SIZE */
	const struct route *route;  /**< routing; alive as long as the dataplane */
	bool no_records;	    /**< every packet walks */
	struct offload *offload;    /**< alive as long as the dataplane; NULL: software only */

	const char *name; /**< prefix of DPDK object names; at most 8 bytes */
};

/** Packets and bytes. */
struct path_counter {
	uint64_t packets;
	uint64_t bytes;
};

/** What a worker counts; conservation is over these. One writer, any reader. */
struct path_counters {
	uint64_t walks;
	uint64_t received;	 /**< frames from the ports' queues */
	uint64_t generated;	 /**< packets that the router made */
	uint64_t transmitted;	 /**< frames that a port took */
	uint64_t handed_over;	 /**< to other workers' rings */
	uint64_t taken_over;	 /**< from other workers' rings */
	uint64_t established;	 /**< packets carried by a settled record */
	uint64_t hardware;	 /**< packets that NICs say they carried; they never were here */
	uint64_t hardware_bytes; /**< their bytes, layer 3 */
	uint64_t walked;	 /**< packets of the slow walk */
	uint64_t alias_orphans;	 /**< aliases whose owner did not know them */
	uint64_t unreserve_lost; /**< messages for which a ring had no room; they make orphans */
	uint64_t errors_unsent;	 /**< ICMP errors owed but without buffer, route or address */
	uint64_t dropped[DROP_COUNT];
};

struct path;
struct worker;

/**
 * Build the dataplane: graph, tables, rings. Control thread, EAL up.
 * @param err on failure, a sentence for the operator
 * @return the dataplane, or NULL with errno set
 */
struct path *path_create(const struct path_config *config, char *err, size_t err_size);

/** Free it. The workers are stopped; what is in flight is dropped and counted. */
void path_destroy(struct path *path);

/**
 * Publish the hooks; workers latch them at the top of their next walk, and the
 * rules that were made under older ones leave the NICs. Control thread; the old
 * hooks may be freed after a grace period (rcu.h), what they count in only when
 * path_latched() says so.
 */
void path_set_hooks(struct path *path, const struct hooks *hooks);

/**
 * Whether every worker walks by the hooks published last, and no rule of older
 * ones is in a NIC. Any thread; workers that stand never do.
 */
bool path_latched(const struct path *path);

/**
 * Answer a packet that a rule rejects, with an ICMP error "destination
 * unreachable" or a TCP reset; the rule drops the packet then. From a chain, by
 * the worker that walks the packet. Nothing is sent where Linux sends nothing.
 * @param code of the ICMP error, of the packet's family
 */
void path_reject(struct path *path, struct pkt *about, bool tcp_reset, uint8_t code);

/** Memory ahead of need, for all workers. Control thread, every few milliseconds. 0 or -ENOMEM. */
int path_prepare(struct path *path);

/**
 * A question to a worker: a bounded function that it runs between two walks, on
 * its own memory. The asker owns the structure until done is set.
 */
struct path_call {
	void (*run)(struct conntrack *ct, struct nat *nat,
		void *ctx); /**< short: no more than a burst's work */
	void *ctx;
	_Atomic bool done; /**< worker: wo, asker: ro */
};

/**
 * Ask a worker; it answers in its next walk. Control thread; one question a
 * worker at a time.
 * @return 0, or -EBUSY: the last one is not answered yet
 */
int path_ask(struct path *path, unsigned int worker, struct path_call *call);

/** Where a direction's packets are carried. */
enum path_rung {
	PATH_SLOW,     /**< they walk */
	PATH_SOFTWARE, /**< by their record */
	PATH_HARDWARE, /**< by the NIC */
};

/** The end of path_views()'s positions. */
#define PATH_VIEWS_END ((uint64_t)2 << 32)

/** A connection as it is shown; [0] original, [1] reply direction. */
struct path_view {
	uint32_t conn, id, mark;
	uint32_t status;     /**< CT_* */
	uint32_t expires_ms; /**< what is left of its life */
	uint8_t worker;
	uint8_t state;	   /**< TCP's, enum ct_tcp_state */
	uint8_t rung[2];   /**< enum path_rung */
	uint8_t why[2];	   /**< enum offload_reason */
	uint8_t mac[2][6]; /**< of the next hop, if not slow */
	struct tuple tuple[2];
	uint64_t packets[2];
	uint64_t bytes[2];
	uint16_t in_port[2], out_port[2]; /**< PORT_NONE while slow */
};

/**
 * Copy a worker's connections from a position on; from within a path_call alone.
 * @param position 0 at first; PATH_VIEWS_END when all were seen. Connections
 *   that come and go meanwhile are seen or not, none twice.
 * @return how many; 0 before the end is possible
 */
unsigned int path_views(struct path *path, unsigned int worker, uint64_t *position,
	struct path_view *views, unsigned int max);

/** Copy the connection of a tuple, if this worker has it; from within a path_call alone. */
bool path_view_find(struct path *path, unsigned int worker, const struct tuple *t,
	struct path_view *found, unsigned int *dir);

/** Walk a worker's graph once. Its thread; in tests any, one at a time. */
void path_walk(struct path *path, unsigned int worker);

/** The graph as it runs: each node with its edges, a line each. Static. */
const char *path_graph_text(void);

/** The number of workers. */
unsigned int path_workers(const struct path *path);

/** A worker's connections, NAT and counters. For its thread, or while it stands still. */
struct conntrack *path_conntrack(struct path *path, unsigned int worker);
struct nat *path_nat(struct path *path, unsigned int worker);
const struct path_counters *path_counters(const struct path *path, unsigned int worker);

/** What a counter of rules says, over all workers, established packets included. Any thread. */
struct nft_count path_read_counter(
	const struct path *path, const struct nft_states *states, uint32_t counter);

/** What the established packets of a path id added up to, over all workers. Any thread. */
struct path_counter path_effects(const struct path *path, uint32_t id);

/** Bytes of memory that connections, flows and NAT of all workers use. Any thread. */
uint64_t path_bytes(const struct path *path);

/** Frames that wait for another worker's answer, or in a ring between workers. */
uint64_t path_in_flight(const struct path *path);

/**
 * received + generated - transmitted - dropped - in flight, over all workers: 0,
 * or packets were lost without a reason. While no worker walks.
 */
int64_t path_conservation(const struct path *path);

#endif
