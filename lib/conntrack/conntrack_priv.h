/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_CONNTRACK_CONNTRACK_PRIV_H
#define SHUNT_CONNTRACK_CONNTRACK_PRIV_H

#include "conntrack.h"

/*
 * A connection with its two tuples, in no index, unconfirmed; CONN_NONE when
 * conntrack.max is reached or memory is not ready yet.
 */
uint32_t conntrack_create(
	struct conntrack *ct, const struct tuple *original, const struct tuple *reply);

/* Ids of this worker, which no other one gives. */
static inline uint32_t
conntrack_new_id(struct conntrack *ct)
{
	return ++ct->next_id * CONNTRACK_WORKERS + ct->worker;
}

/*
 * Its life from now on; the records hold the time of the last packet.
 * from_now: this packet's time is in the record already.
 */
void conntrack_set_life(struct conntrack *ct, uint32_t conn, uint32_t timeout_ms, bool from_now);

/*
 * UDP's life and ASSURED as they are computed now become what the connection
 * says, until its next packet on the slow path; its records must not carry it.
 */
void conntrack_keep_life(struct conntrack *ct, uint32_t conn);

/* A lingering connection begins anew, unconfirmed; its records stay in the index. */
void conntrack_revive(struct conntrack *ct, uint32_t conn);

/* It is over, but a rule of it is out: see CONN_LINGER. */
void conntrack_linger(struct conntrack *ct, uint32_t conn);

/* The sweep comes by a connection that has rules out: withdraw them if its time is over. */
void conntrack_sweep_rules(struct conntrack *ct, uint32_t conn);

/* Have the sweep come by in so many milliseconds, and not before. */
void conntrack_look_in(struct conntrack *ct, uint32_t conn, uint32_t ms);

#endif
