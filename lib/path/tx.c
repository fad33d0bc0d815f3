/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tx: frames by their egress port (mbuf->port) to the queue's owner: this
 * worker's own queue in bursts, or another worker's ring.
 */
#include "worker.h"

#include <rte_ethdev.h>

static void
flush(struct worker *w, unsigned int port)
{
	const struct path_port *p = &w->path->config.ports[port];
	struct rte_mbuf **frames = w->transmit[port];
	uint16_t count = w->transmit_count[port], sent;
	uint8_t owner = p->tx_owner[w->id];

	w->transmit_count[port] = 0;
	if (owner == w->id) {
		sent = rte_eth_tx_burst(p->ethdev, p->txq[w->id], frames, count);
		w->counters.transmitted += sent;
	} else {
		sent = (uint16_t)rte_ring_sp_enqueue_burst(
			w->tx_out[owner], (void *const *)frames, count, NULL);
		w->counters.handed_over += sent;
	}
	if (unlikely(sent < count)) {
		w->counters.dropped[DROP_TX_FULL] += (uint64_t)(count - sent);
		rte_pktmbuf_free_bulk(&frames[sent], (unsigned int)(count - sent));
	}
}

void
tx_frame(struct worker *w, struct rte_mbuf *m)
{
	unsigned int port = m->port;

	w->transmit[port][w->transmit_count[port]++] = m;
	if (w->transmit_count[port] == PATH_BURST)
		flush(w, port);
}

void
tx_flush(struct worker *w)
{
	for (unsigned int port = 0; port < w->path->port_count; port++)
		if (w->transmit_count[port] != 0)
			flush(w, port);
}

static uint16_t
tx_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
	struct worker *w = node_worker(node);

	(void)graph;
	for (uint16_t i = 0; i < count; i++)
		tx_frame(w, objs[i]);
	return count;
}

struct rte_node_register tx_node = {
	.name = "shunt_tx",
	.process = tx_process,
};
