/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Changes from outside, as ctnetlink's messages make them (nf_conntrack_netlink.c,
 * nf_ct_change_status_common, __nf_ct_change_timeout). A change is in force for
 * the connection's next packet wherever that would have been carried: its records
 * unsettle and its rules are called back from the NIC, which takes time; who
 * wants to know when that is done looks at conntrack.awaited.
 *
 * The connection's worker alone calls these.
 */
#ifndef SHUNT_CONNTRACK_CONNTRACK_CHANGE_H
#define SHUNT_CONNTRACK_CONNTRACK_CHANGE_H

#include "conntrack.h"

/** Parts of a change. */
enum conntrack_change_flags {
	CHANGE_TIMEOUT = 1 << 0,
	CHANGE_STATUS = 1 << 1,
	CHANGE_MARK = 1 << 2,
	CHANGE_TCP_STATE = 1 << 3,
	CHANGE_TCP_FLAGS_ORIGINAL = 1 << 4,
	CHANGE_TCP_FLAGS_REPLY = 1 << 5,
	CHANGE_TCP_SCALE = 1 << 6,
};

/** A change. */
struct conntrack_change {
	uint32_t flags; /**< enum conntrack_change_flags: which of the following holds */
	uint32_t timeout_s;
	uint32_t status; /**< CT_* that are to be set; bits are never cleared */
	uint32_t mark;
	uint32_t mark_keep; /**< bits of the old mark into which mark is XORed */
	uint8_t tcp_state;  /**< enum ct_tcp_state */
	uint8_t tcp_flags[2];
	uint8_t tcp_mask[2]; /**< bits of the flags that are replaced */
	uint8_t tcp_scale[2];
};

/**
 * Change a confirmed connection, in Linux's order: what comes before a refused
 * part stays done.
 * @return 0; -EPERM: its timeout is fixed; -EBUSY: a status bit that nobody may change
 */
int conntrack_change(struct conntrack *ct, uint32_t conn, const struct conntrack_change *change);

/** End a confirmed connection. @param by who ends it, as its event says (a netlink port) */
void conntrack_delete(struct conntrack *ct, uint32_t conn, uint32_t by);

/** Its counters begin again at zero. */
void conntrack_zero(struct conntrack *ct, uint32_t conn);

#endif
