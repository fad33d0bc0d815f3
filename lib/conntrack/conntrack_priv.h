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

#endif
