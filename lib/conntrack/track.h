/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What every protocol tracker says of a packet.
 */
#ifndef SHUNT_CONNTRACK_TRACK_H
#define SHUNT_CONNTRACK_TRACK_H

#include <stdint.h>

#include "ct_ops.h"

/** What a packet is to its connection. */
enum track_result {
	TRACK_OK,      /**< it belongs: count it, renew the connection by track.timeout_ms */
	TRACK_IGNORE,  /**< it belongs, but is neither counted nor renews the connection */
	TRACK_INVALID, /**< invalid: it has no connection; that lives on */
	TRACK_REPLACE, /**< a SYN for a closed connection: destroy that, start again (-NF_REPEAT) */
	TRACK_DESTROY, /**< it belongs and is counted; the connection dies once it has left */
};

/** What a tracker reads and writes of a connection. */
struct track {
	uint32_t status;     /**< CT_* bits; TCP and UDP add CT_ASSURED */
	uint32_t expires_ms; /**< in: its remaining life; only TCP reads it */
	/**
	 * out: it dies this long after now, in milliseconds; 0: as it was going
	 * to. TRACK_INVALID may shorten a life too (nf_tcp_handle_invalid). 0
	 * as well for a connection with CT_FIXED_TIMEOUT.
	 */
	uint32_t timeout_ms;
	uint8_t state; /**< in and out: enum ct_tcp_state; other protocols leave it */
};

#endif
