/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events on their way from the workers to `nft monitor trace`: a bounded
 * ring, made when the first client asks. What finds no room is counted, and the
 * clients are told.
 */
#include <linux/netfilter/nfnetlink.h>
#include <stdatomic.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "log.h"
#include "ruleset.h"

/* One dataplane a process: expressions ask by functions without a context. */
static struct {
	struct rte_ring *ring; /* several workers, one reader; before ruleset_tracing is set */
	_Atomic uint64_t lost;
	uint64_t told;
} trace;

_Atomic bool ruleset_tracing;

static_assert(sizeof(struct nft_trace_event) % 4 == 0, "an element of a ring");

void
ruleset_trace_event(const struct nft_trace_event *event)
{
	if (rte_ring_mp_enqueue_elem(trace.ring, (void *)(uintptr_t)event, sizeof(*event)) != 0)
		atomic_fetch_add_explicit(&trace.lost, 1, memory_order_relaxed);
}

void
ruleset_trace_listen(void *ctx, bool on)
{
	const struct ruleset *r = ctx;

	/* Without a dataplane (a check) there is nothing to tell of. */
	if (on && trace.ring == NULL && r->daemon->path != NULL)
		trace.ring = rte_ring_create_elem("shunt-trace", sizeof(struct nft_trace_event),
			TRACE_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (on && trace.ring == NULL)
		log_warning("no memory for trace events: there will be none");
	atomic_store_explicit(&ruleset_tracing, on && trace.ring != NULL, memory_order_release);
}

void
ruleset_trace(struct ruleset *r)
{
	unsigned int count = trace.ring != NULL ? rte_ring_count(trace.ring) : 0;
	struct nft_trace_event event;
	uint64_t lost;

	while (count-- > 0 && rte_ring_sc_dequeue_elem(trace.ring, &event, sizeof(event)) == 0)
		nft_wire_trace(r->wire, &event);
	nft_wire_look(r->wire);
	lost = atomic_load_explicit(&trace.lost, memory_order_relaxed);
	if (lost == trace.told)
		return;
	trace.told = lost;
	nft_wire_lost(r->wire, NFNLGRP_NFTRACE);
	if (r->daemon->rpc != NULL)
		rpc_event(r->daemon->rpc, "trace-lost",
			json_pack("{sI}", "events", (json_int_t)lost));
}

void
ruleset_trace_free(void)
{
	atomic_store(&ruleset_tracing, false);
	rte_ring_free(trace.ring);
	trace.ring = NULL;
}
