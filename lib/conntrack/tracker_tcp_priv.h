/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What conntrack_tcp.c and conntrack_tcp_window.c share.
 */
#ifndef SHUNT_CONNTRACK_TRACKER_TCP_PRIV_H
#define SHUNT_CONNTRACK_TRACKER_TCP_PRIV_H

#include "tracker_tcp.h"

/* RST before SYN before FIN before ACK (get_conntrack_index). */
static inline enum tcp_kind
tcp_kind_of(uint8_t flags)
{
	if (flags & RTE_TCP_RST_FLAG)
		return TCP_KIND_RST;
	if (flags & RTE_TCP_SYN_FLAG)
		return flags & RTE_TCP_ACK_FLAG ? TCP_KIND_SYNACK : TCP_KIND_SYN;
	if (flags & RTE_TCP_FIN_FLAG)
		return TCP_KIND_FIN;
	return flags & RTE_TCP_ACK_FLAG ? TCP_KIND_ACK : TCP_KIND_NONE;
}

/* The sequence number behind a segment (segment_seq_plus_len). */
static inline uint32_t
tcp_end(const struct tcp_seg *seg)
{
	return seg->seq + seg->payload_len + ((seg->flags & RTE_TCP_SYN_FLAG) != 0) +
	       ((seg->flags & RTE_TCP_FIN_FLAG) != 0);
}

/* A window as a maximum: never 0, which means "not seen". */
static inline uint32_t
tcp_window_floor(uint32_t win)
{
	return win == 0 ? 1 : win;
}

/*
 * Window scale and SACK permitted of a SYN (tcp_options): an end without options keeps what it has.
 */
void tcp_read_options(const struct tcp_seg *seg, struct tcp_peer *peer);

/* What the window says of a segment: enum nf_ct_tcp_action. */
enum tcp_window {
	TCP_WINDOW_OK,
	TCP_WINDOW_IGNORE, /* out of it, but nobody is harmed: valid, state unchanged */
	TCP_WINDOW_INVALID,
};

/*
 * Whether a segment is in the window (tcp_in_window), and what it teaches; ends
 * that show themselves for the first time included.
 */
enum tcp_window tcp_in_window(struct tcp_track *t, unsigned int dir, uint8_t state,
	const struct tcp_seg *seg, const struct tcp_config *config);

#endif
