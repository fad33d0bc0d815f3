/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack_events.h"

#include <stdlib.h>

struct conntrack_ring *
conntrack_ring_new(void)
{
	struct conntrack_ring *ring = aligned_alloc(64, (sizeof(*ring) + 63) / 64 * 64);

	if (ring != NULL)
		memset(ring, 0, sizeof(*ring));
	return ring;
}

bool
conntrack_ring_take(struct conntrack_ring *ring, struct conntrack_event *event)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
		return false;
	*event = ring->events[head % CONNTRACK_EVENTS];
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

void
conntrack_tell(struct conntrack *ct, uint32_t conn, uint8_t bits, uint32_t by)
{
	struct conntrack_ring *ring = ct->events;
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	struct conntrack_event *event = &ring->events[tail % CONNTRACK_EVENTS];

	if (!(atomic_load_explicit(&ring->groups, memory_order_relaxed) &
		    conntrack_event_group(bits)))
		return;
	if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == CONNTRACK_EVENTS) {
		atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
		return;
	}
	conntrack_view(ct, conn, &event->view);
	if (bits & CONN_EVENT_DESTROY)
		event->view.status |= CT_DYING;
	event->bits = bits;
	event->by = by;
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

void
conntrack_tell_notes(struct conntrack *ct, uint32_t conn)
{
	struct conn *c = conn_at(ct, conn);
	uint8_t bits = c->events & (uint8_t)~CONN_EVENT_TOLD;

	/* The end of a dying one is all that is told of it from here on. */
	if (bits == 0 || !(c->status & CT_CONFIRMED) || ct->dying == conn)
		return;
	c->events &= CONN_EVENT_TOLD;
	conntrack_tell(ct, conn, bits, 0);
}
