/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What befalls connections, for those who listen: a worker writes copies into a
 * ring of its own, the control thread reads them. Without a listener
 * conntrack.events is NULL, and that is all that a packet looks at.
 *
 * As in Linux (nf_conntrack_ecache.c) what a packet changes is noted at its
 * connection, and told once the packet has passed the last hook; the notes of a
 * packet that was dropped go out with the next one's.
 */
#ifndef SHUNT_CONNTRACK_CONNTRACK_EVENTS_H
#define SHUNT_CONNTRACK_CONNTRACK_EVENTS_H

#include <stdatomic.h>

#include "conntrack_view.h"

/** Events that a ring holds. */
#define CONNTRACK_EVENTS 4096

/** What befell it; notes in struct conn, and bits of an event. */
enum conn_event {
	CONN_EVENT_NEW = 1 << 0,
	CONN_EVENT_REPLY = 1 << 1,
	CONN_EVENT_ASSURED = 1 << 2,
	CONN_EVENT_PROTOINFO = 1 << 3,
	CONN_EVENT_MARK = 1 << 4,
	CONN_EVENT_DESTROY = 1 << 5,
	CONN_EVENT_TOLD = 1 << 7, /**< no event: its end is told already */
};
/** What a change from outside tells (ctnetlink_new_conntrack). */
#define CONN_EVENT_CHANGED                                                                         \
	(CONN_EVENT_REPLY | CONN_EVENT_ASSURED | CONN_EVENT_PROTOINFO | CONN_EVENT_MARK)

/** Whom an event is for. */
enum conntrack_group {
	CONNTRACK_GROUP_NEW = 1 << 0,
	CONNTRACK_GROUP_UPDATE = 1 << 1,
	CONNTRACK_GROUP_DESTROY = 1 << 2,
};

/** An event. */
struct conntrack_event {
	struct conntrack_view view;
	uint32_t by;  /**< the netlink port that did it; 0: a packet, or time */
	uint8_t bits; /**< enum conn_event */
};

/** The events of a worker. */
struct conntrack_ring {
	_Atomic uint32_t groups; /**< enum conntrack_group: who listens. control: rw, worker: ro */
	_Atomic uint32_t tail;	 /**< worker: rw, control: ro */
	_Atomic uint64_t lost;	 /**< events that found no room. worker: rw, control: ro */
	_Alignas(64) _Atomic uint32_t head; /**< control: rw, worker: ro */
	struct conntrack_event events[CONNTRACK_EVENTS];
};

/** An empty ring for which nobody listens; free() it. Control thread. @return NULL: no memory */
struct conntrack_ring *conntrack_ring_new(void);

/** Take the oldest event. Control thread. @return false: there is none */
bool conntrack_ring_take(struct conntrack_ring *ring, struct conntrack_event *event);

/** The group of an event by its bits. */
static inline enum conntrack_group
conntrack_event_group(uint8_t bits)
{
	if (bits & CONN_EVENT_DESTROY)
		return CONNTRACK_GROUP_DESTROY;
	return bits & CONN_EVENT_NEW ? CONNTRACK_GROUP_NEW : CONNTRACK_GROUP_UPDATE;
}

/** Write an event of a connection; lost if there is no room. Its worker, ct->events not NULL. */
void conntrack_tell(struct conntrack *ct, uint32_t conn, uint8_t bits, uint32_t by);

/** Its notes go out. Its worker, ct->events not NULL. */
void conntrack_tell_notes(struct conntrack *ct, uint32_t conn);

/** Note what a packet has changed. Its worker. */
static inline void
conntrack_note(struct conntrack *ct, uint32_t conn, unsigned int bits)
{
	if (__builtin_expect(ct->events != NULL, 0))
		conn_at(ct, conn)->events |= (uint8_t)bits;
}

/** A confirmed connection ends. Its worker. */
static inline void
conntrack_note_end(struct conntrack *ct, uint32_t conn)
{
	if (__builtin_expect(ct->events != NULL, 0) &&
		!(conn_at(ct, conn)->events & CONN_EVENT_TOLD))
		conntrack_tell(ct, conn, CONN_EVENT_DESTROY, ct->ended_by);
}

#endif
