/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Connections as they are told of: copies, made by the worker that owns them.
 */
#ifndef SHUNT_CONNTRACK_CONNTRACK_VIEW_H
#define SHUNT_CONNTRACK_CONNTRACK_VIEW_H

#include "conntrack.h"

/** A connection; [0] original, [1] reply direction. */
struct conntrack_view {
	struct tuple tuple[2];
	uint64_t packets[2];
	uint64_t bytes[2]; /**< layer 3 */
	uint32_t conn;	   /**< its number; another connection's once this one is gone */
	uint32_t id;
	uint32_t mark;
	uint32_t status;      /**< CT_*, CT_OFFLOAD and CT_HW_OFFLOAD included */
	uint32_t expires_ms;  /**< what is left of its life */
	uint8_t state;	      /**< TCP's, enum ct_tcp_state */
	uint8_t scale[2];     /**< TCP: shift of the windows */
	uint8_t tcp_flags[2]; /**< TCP: enum tcp_peer_flags */
};

/** The end of a position. */
#define CONNTRACK_VIEWS_END ((uint64_t)2 << 32)

/** Copy a connection. Its worker. */
void conntrack_view(const struct conntrack *ct, uint32_t conn, struct conntrack_view *v);

/**
 * The next connection that Linux would list: confirmed and alive. Its worker.
 * @param position 0 at first, CONNTRACK_VIEWS_END when all were seen. Connections
 *   that come and go between two calls are seen or not, none twice.
 * @param looks places to look at, at most; decremented
 * @return its number, or CONN_NONE: the end, or no looks left
 */
uint32_t conntrack_next(const struct conntrack *ct, uint64_t *position, unsigned int *looks);

/**
 * Find the connection of a tuple among this worker's, as Linux's lookup would.
 * Its worker.
 * @return its number, or CONN_NONE
 */
uint32_t conntrack_find(const struct conntrack *ct, const struct tuple *t);

#endif
