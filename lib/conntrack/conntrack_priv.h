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

/* A lingering connection begins anew, unconfirmed; its records stay in the index. */
void conntrack_revive(struct conntrack *ct, uint32_t conn);

/* It is over, but a rule of it is out: see CONN_LINGER. */
void conntrack_linger(struct conntrack *ct, uint32_t conn);

/* The sweep comes by a connection that has rules out: withdraw them if its time is over. */
void conntrack_sweep_rules(struct conntrack *ct, uint32_t conn);

/* Have the sweep come by in so many milliseconds, and not before. */
void conntrack_look_in(struct conntrack *ct, uint32_t conn, uint32_t ms);

#endif
