/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The silicon: frames from the wires through the rules, to wires and to
 * software; frames from software to their wire. A thread of its own, or steps.
 */
#include <sched.h>
#include <unistd.h>

#include "nm_port.h"

/* Send what waits for a wire. What it does not take is dropped, as on a full link. */
static void
flush(struct nm_port *p)
{
	unsigned int sent = 0;

	if (p->out_count == 0)
		return;
	if (p->rings)
		sent = rte_ring_enqueue_burst(p->wire_out, (void **)p->out, p->out_count, NULL);
	else
		sent = rte_eth_tx_burst(p->wire, 0, p->out, (uint16_t)p->out_count);
	p->stats.wire_tx += sent;
	for (unsigned int i = 0; i < p->out_count; i++) {
		struct nm_port *from =
			p->out_from[i] < NM_PORTS ? nm_nic.ports[p->out_from[i]] : NULL;

		if (i >= sent)
			rte_pktmbuf_free(p->out[i]);
		if (from == NULL)
			p->stats.sent++;
		else if (i < sent)
			from->stats.forwarded++;
		else
			from->stats.dropped++;
	}
	p->out_count = 0;
}

static void
to_wire(struct nm_port *p, struct rte_mbuf *m, uint16_t from)
{
	p->out_from[p->out_count] = from;
	p->out[p->out_count++] = m;
	if (p->out_count == NM_BURST)
		flush(p);
}

/* A copy in the queue's own buffers, as DMA makes it. */
static struct rte_mbuf *
copy_of(const struct nm_rxq *q, const struct rte_mbuf *m)
{
	struct rte_mbuf *copy = rte_pktmbuf_alloc(q->pool);
	char *data = copy != NULL ? rte_pktmbuf_append(copy, (uint16_t)m->pkt_len) : NULL;

	if (data == NULL) {
		rte_pktmbuf_free(copy);
		return NULL;
	}
	memcpy(data, rte_pktmbuf_mtod(m, const char *), m->pkt_len);
	return copy;
}

static void
to_software(struct nm_port *from, struct nm_port *p, const struct rte_mbuf *m,
	const struct nm_result *result)
{
	uint32_t hash = nm_rss_hash(p, m);
	uint16_t queue = result->has_queue ? result->queue : p->reta[hash % NM_RETA];
	struct nm_rxq *q = &p->rxq[queue % NM_QUEUES];
	struct rte_mbuf *copy;

	if (!atomic_load(&p->started) || q->ring == NULL) {
		from->stats.missed++;
		return;
	}
	copy = copy_of(q, m);
	if (copy == NULL) {
		p->nombuf++;
		from->stats.missed++;
		return;
	}
	copy->port = p->id;
	copy->ol_flags = p->checks ? nm_checksums(m) : 0;
	if (p->rss_hf != 0) {
		copy->hash.rss = hash;
		copy->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
	}
	if (result->has_mark) {
		copy->hash.fdir.hi = result->mark;
		copy->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
	}
	if (rte_ring_enqueue(q->ring, copy) != 0) {
		rte_pktmbuf_free(copy);
		from->stats.missed++;
		return;
	}
	from->stats.received++;
}

/* A frame from a wire. */
static void
switch_frame(struct nm_port *p, struct rte_mbuf *m)
{
	struct nm_result result;
	struct nm_port *to;

	p->stats.wire_rx++;
	if (rte_pktmbuf_linearize(m) != 0) {
		p->stats.dropped++;
		rte_pktmbuf_free(m);
		return;
	}
	nm_flow_run(nm_nic.sw, p->id, m, &result);
	to = result.fate != NM_DROP && result.port < NM_PORTS ? nm_nic.ports[result.port] : NULL;
	if (to == NULL) {
		p->stats.dropped++;
		rte_pktmbuf_free(m);
	} else if (result.fate == NM_TO_WIRE) {
		/* A port that is down sends nothing. */
		if (atomic_load(&to->started)) {
			to_wire(to, m, p->id);
			return;
		}
		p->stats.dropped++;
		rte_pktmbuf_free(m);
	} else {
		to_software(p, to, m, &result);
		rte_pktmbuf_free(m);
	}
}

static unsigned int
move_port(struct nm_port *p)
{
	struct rte_mbuf *frames[NM_BURST];
	unsigned int n, moved;

	if (p->rings)
		n = rte_ring_dequeue_burst(p->wire_in, (void **)frames, NM_BURST, NULL);
	else
		n = rte_eth_rx_burst(p->wire, 0, frames, NM_BURST);
	for (unsigned int i = 0; i < n; i++)
		switch_frame(p, frames[i]);
	moved = n;
	for (unsigned int q = 0; q < p->max_queues; q++) {
		if (p->txq[q].ring == NULL)
			continue;
		n = rte_ring_dequeue_burst(p->txq[q].ring, (void **)frames, NM_BURST, NULL);
		for (unsigned int i = 0; i < n; i++)
			to_wire(p, frames[i], NM_PORTS);
		moved += n;
	}
	return moved;
}

unsigned int
nm_silicon_move(void)
{
	unsigned int moved = 0;

	nm_nic.steps++;
	if (nm_nic.step && nm_nic.create_us != 0)
		nm_flow_tick(nm_nic.sw, nm_nic.steps);
	for (unsigned int i = 0; i < NM_PORTS; i++)
		if (nm_nic.ports[i] != NULL && atomic_load(&nm_nic.ports[i]->started))
			moved += move_port(nm_nic.ports[i]);
	for (unsigned int i = 0; i < NM_PORTS; i++)
		if (nm_nic.ports[i] != NULL)
			flush(nm_nic.ports[i]);
	return moved;
}

unsigned int
nicmodel_step(void)
{
	unsigned int moved;

	/* Who wants to change the rules goes first: the lock itself favours nobody. */
	while (atomic_load(&nm_nic.waiting) != 0)
		sched_yield();
	rte_spinlock_lock(&nm_nic.lock);
	moved = nm_silicon_move();
	rte_spinlock_unlock(&nm_nic.lock);
	return moved;
}

/* The thread: it gives the CPU away when there is nothing to do. */
static void *
silicon(void *arg)
{
	unsigned int idle = 0;

	(void)arg;
	while (!atomic_load(&nm_nic.stop)) {
		if (nicmodel_step() != 0) {
			idle = 0;
			continue;
		}
		if (++idle < 64)
			sched_yield();
		else
			usleep(idle < 1000 ? 20 : 100);
	}
	return NULL;
}

int
nm_silicon_start(void)
{
	if (nm_nic.running++ != 0 || nm_nic.step)
		return 0;
	atomic_store(&nm_nic.stop, false);
	return -rte_ctrl_thread_create(&nm_nic.thread, "nicmodel", NULL, silicon, NULL);
}

void
nm_silicon_stop(void)
{
	if (--nm_nic.running != 0 || nm_nic.step)
		return;
	atomic_store(&nm_nic.stop, true);
	pthread_join(nm_nic.thread, NULL);
}
