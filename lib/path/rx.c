/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rx: the only source. It takes the other workers' messages and frames, then
 * the worker's own queues in turn, PATH_BURST frames in all.
 */
#include "worker.h"

#include <rte_ethdev.h>

/* Frames of one queue before the next one's turn. */
#define QUEUE_BURST 64

/* Frames that other workers hand over to be transmitted here. */
static void
take_transmits(struct worker *w)
{
	struct rte_mbuf *frames[QUEUE_BURST];

	for (unsigned int from = 0; from < w->path->config.workers; from++) {
		unsigned int count;

		if (w->tx_in[from] == NULL)
			continue;
		count = rte_ring_sc_dequeue_burst(
			w->tx_in[from], (void **)frames, QUEUE_BURST, NULL);
		w->counters.taken_over += count;
		for (unsigned int i = 0; i < count; i++)
			tx_frame(w, frames[i]);
	}
}

/* Frames that belong to this worker's connections: each other worker's in turn, while there is
 * room. */
static unsigned int
take_handed(struct worker *w, void **objs, unsigned int room)
{
	unsigned int total = 0, before;

	do {
		before = total;
		for (unsigned int from = 0; from < w->path->config.workers; from++) {
			unsigned int want = RTE_MIN(room - total, (unsigned int)QUEUE_BURST);

			if (w->frames_in[from] != NULL)
				total += rte_ring_sc_dequeue_burst(
					w->frames_in[from], &objs[total], want, NULL);
		}
	} while (total - before >= QUEUE_BURST && total < room);
	w->counters.taken_over += total;
	return total;
}

/* A burst of one queue; frames know their port by lib/port's index from here on. */
static unsigned int
take_queue(struct worker *w, const struct path_queue *q, void **objs, unsigned int room)
{
	struct rte_mbuf **frames = (struct rte_mbuf **)objs;
	uint16_t got = rte_eth_rx_burst(w->path->config.ports[q->port].ethdev, q->queue, frames,
		(uint16_t)RTE_MIN(room, (unsigned int)QUEUE_BURST));

	for (uint16_t i = 0; i < got; i++)
		frames[i]->port = q->port;
	w->counters.received += got;
	return got;
}

/* The queues in turn, again and again while they fill their bursts. */
static unsigned int
take_queues(struct worker *w, void **objs, unsigned int total)
{
	unsigned int before;

	do {
		before = total;
		for (unsigned int i = 0; i < w->queue_count && total < PATH_BURST; i++) {
			const struct path_queue *q =
				&w->queues[(w->next_queue + i) % w->queue_count];

			total += take_queue(w, q, &objs[total], PATH_BURST - total);
		}
	} while (total - before >= QUEUE_BURST && total < PATH_BURST);
	w->next_queue = w->queue_count != 0 ? (w->next_queue + 1) % w->queue_count : 0;
	return total;
}

static uint16_t
rx_process(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t count)
{
	struct worker *w = node_worker(node);
	unsigned int total = 0;

	(void)count;
	objs = node->objs;
	if (!w->alone) {
		handoff_messages(w);
		take_transmits(w);
		total = take_handed(w, objs, PATH_BURST / 2);
	}
	total = take_queues(w, objs, total);
	if (total == 0)
		return 0;
	node->idx = (uint16_t)total;
	rte_node_next_stream_move(graph, node, RX_ESTABLISHED);
	return (uint16_t)total;
}

struct rte_node_register rx_node = {
	.name = "shunt_rx",
	.flags = RTE_NODE_SOURCE_F,
	.process = rx_process,
	.nb_edges = 1,
	.next_nodes = {"shunt_established"},
};
