/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The TCP tracker: states, windows, RST rules (nf_conntrack_proto_tcp.c of
 * Linux 6.18), and the same inline for established segments. Sequence numbers
 * are those on the wire: no helper and no synproxy shifts them.
 */
#ifndef SHUNT_CONNTRACK_TRACKER_TCP_H
#define SHUNT_CONNTRACK_TRACKER_TCP_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_tcp.h>

#include "track.h"

/** States of a TCP connection: enum tcp_conntrack, as CTA_PROTOINFO_TCP_STATE has them. */
enum ct_tcp_state {
	CT_TCP_NONE,
	CT_TCP_SYN_SENT,
	CT_TCP_SYN_RECV,
	CT_TCP_ESTABLISHED,
	CT_TCP_FIN_WAIT,
	CT_TCP_CLOSE_WAIT,
	CT_TCP_LAST_ACK,
	CT_TCP_TIME_WAIT,
	CT_TCP_CLOSE,
	CT_TCP_SYN_SENT2,
	CT_TCP_STATES,
	/* no states: timeouts of their own */
	CT_TCP_RETRANS = CT_TCP_STATES,
	CT_TCP_UNACK,
	CT_TCP_TIMEOUTS,
};

/** TCP's switches and timeouts; nf_conntrack_tcp_*. Immutable while a worker has it. */
struct tcp_config {
	uint32_t timeout_ms[CT_TCP_TIMEOUTS]; /**< by state; never 0 */
	uint8_t max_retrans;		      /**< tcp_max_retrans, 3 */
	bool loose;			      /**< tcp_loose, 1: pick up running connections */
	bool be_liberal;	 /**< tcp_be_liberal, 0: only RSTs out of window are invalid */
	bool ignore_invalid_rst; /**< tcp_ignore_invalid_rst, 0 */
};

/** Bits of tcp_peer.flags and tcp_track.last_flags: IP_CT_TCP_FLAG_*, as CTA_PROTOINFO_TCP_FLAGS
 * has them. */
enum tcp_peer_flags {
	TCP_PEER_WINDOW_SCALE = 1 << 0,	 /**< sent the window scale option */
	TCP_PEER_SACK_PERM = 1 << 1,	 /**< sent SACK permitted */
	TCP_PEER_CLOSE_INIT = 1 << 2,	 /**< sent the first FIN */
	TCP_PEER_BE_LIBERAL = 1 << 3,	 /**< its segments are not checked against the window */
	TCP_PEER_UNACKED = 1 << 4,	 /**< sent data that is not acknowledged */
	TCP_PEER_MAX_ACK_SET = 1 << 5,	 /**< max_ack is valid */
	TCP_LAST_CHALLENGE_ACK = 1 << 6, /**< last_flags: expect an RFC 5961 challenge ACK */
	TCP_LAST_SIMULTANEOUS = 1 << 7,	 /**< last_flags: simultaneous open */
};

/** What is known of one end: struct ip_ct_tcp_state. Sequence numbers in host order. */
struct tcp_peer {
	uint32_t end;	  /**< td_end: max of seq + len that it sent */
	uint32_t max_end; /**< td_maxend: max of ack + window that it was granted */
	uint32_t max_win; /**< td_maxwin: max of the windows that it offered; 0: not seen yet */
	uint32_t max_ack; /**< td_maxack: max of the acks that it sent */
	uint8_t scale;	  /**< td_scale: shift of its windows */
	uint8_t flags;	  /**< enum tcp_peer_flags */
	uint16_t unused;
};

/** What is known of a TCP connection: struct ip_ct_tcp. All zero before tcp_new(). */
struct tcp_track {
	struct tcp_peer seen[2]; /**< by the direction in which the end sends */
	uint32_t last_seq;	 /**< of the last segment that tells something: */
	uint32_t last_ack;
	uint32_t last_end;
	uint16_t last_win; /**< raw */
	uint8_t last_dir;
	uint8_t last_index;  /**< its kind, enum tcp_kind */
	uint8_t last_wscale; /**< last window scaling that a SYN offered */
	uint8_t last_flags;  /**< enum tcp_peer_flags */
	uint8_t retrans;     /**< repetitions of the last ACK; wraps, as in Linux */
	uint8_t unused;
	/**
	 * The connection lives this long after the last packet that renewed it.
	 * tcp_fast() writes it, so that the established path need not touch the
	 * connection; tcp_packet() leaves it: its caller, who may have to rearm
	 * a timer, stores track.timeout_ms here.
	 */
	uint32_t timeout_ms;
};
static_assert(sizeof(struct tcp_track) == 64, "a cache line");

/** The kind of a segment by its flags: enum tcp_bit_set. */
enum tcp_kind {
	TCP_KIND_SYN,
	TCP_KIND_SYNACK,
	TCP_KIND_FIN,
	TCP_KIND_ACK,
	TCP_KIND_RST,
	TCP_KIND_NONE,
	TCP_KINDS,
};

/** A segment, in host order. */
struct tcp_seg {
	uint32_t seq;
	uint32_t ack;
	uint32_t payload_len;	/**< bytes after the TCP header, by the IP length */
	uint16_t win;		/**< raw */
	uint8_t flags;		/**< byte 13: RTE_TCP_*_FLAG */
	uint8_t options_len;	/**< bytes of options, 0 to 40 */
	const uint8_t *options; /**< options_len bytes */
};

/**
 * Read a segment's header, with tcp_error's checks of length and data offset.
 * @param header the TCP header
 * @param len bytes from there to the end of the IP packet, all of them readable
 *   as far as the header goes
 * @return false if it is too short or its data offset is wrong: invalid
 */
static inline bool
tcp_seg_read(const void *header, uint32_t len, struct tcp_seg *seg)
{
	const struct rte_tcp_hdr *th = header;
	uint32_t header_len;

	if (len < sizeof(*th))
		return false;
	header_len = (uint32_t)(th->data_off >> 4) * 4;
	if (header_len < sizeof(*th) || header_len > len)
		return false;
	seg->seq = rte_be_to_cpu_32(th->sent_seq);
	seg->ack = rte_be_to_cpu_32(th->recv_ack);
	seg->payload_len = len - header_len;
	seg->win = rte_be_to_cpu_16(th->rx_win);
	seg->flags = th->tcp_flags;
	seg->options_len = (uint8_t)(header_len - sizeof(*th));
	seg->options = (const uint8_t *)header + sizeof(*th);
	return true;
}

/** Whether a combination of flags may occur (tcp_valid_flags; PSH, ECE and CWR do not matter). */
bool tcp_flags_valid(uint8_t flags);

/** The name of a state, as conntrack prints it: "SYN_SENT". Static; NULL for no state. */
const char *tcp_state_name(uint8_t state);

/**
 * Start a connection by its first segment (tcp_new): fill in the track. The
 * caller passes the same segment to tcp_packet() next, with track.state
 * CT_TCP_NONE and direction original.
 * @return false if that segment can start no connection: invalid
 */
bool tcp_new(struct tcp_track *t, const struct tcp_seg *seg, const struct tcp_config *config);

/**
 * Judge a segment and follow the connection (nf_conntrack_tcp_packet): state
 * table, window, RST rules, timeouts. The segment is one that tcp_seg_read()
 * took and whose checksum is right; its flags are checked here.
 * @param dir enum ct_dir of the segment
 * @param track in and out; track->status without this segment's CT_SEEN_REPLY
 */
enum track_result tcp_packet(struct tcp_track *t, unsigned int dir, const struct tcp_seg *seg,
	const struct tcp_config *config, struct track *track);

/**
 * A connection's flows enter hardware: nobody checks windows any more, what
 * comes up is judged liberally (flow_offload_ct_tcp).
 */
static inline void
tcp_offload_enter(struct tcp_track *t)
{
	t->seen[0].flags |= TCP_PEER_BE_LIBERAL;
	t->seen[1].flags |= TCP_PEER_BE_LIBERAL;
}

/**
 * They left it: windows are outdated, the next segment of each direction sets
 * them anew (flow_offload_fixup_tcp). The caller renews the connection.
 */
static inline void
tcp_offload_leave(struct tcp_track *t)
{
	for (unsigned int dir = 0; dir < 2; dir++) {
		t->seen[dir].max_win = 0;
		t->seen[dir].flags &= (uint8_t)~TCP_PEER_MAX_ACK_SET;
	}
}

/* --- the window: shared by tcp_packet() and tcp_fast() */

/** a before b, after b, in sequence space. */
static inline bool
tcp_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
tcp_after(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) < 0;
}

/** How far back an ACK may lie: MAXACKWINDOW. */
static inline uint32_t
tcp_max_ack_window(const struct tcp_peer *sender)
{
	return sender->max_win > 66000 ? sender->max_win : 66000;
}

/** Whether seq is not beyond what the receiver granted: the first check of tcp_in_window. */
static inline bool
tcp_seq_ok(const struct tcp_peer *sender, uint32_t seq)
{
	return tcp_before(seq, sender->max_end + 1);
}

/** Whether (s)ack acknowledges only what the receiver has sent. */
static inline bool
tcp_ack_seen(const struct tcp_peer *receiver, uint32_t sack)
{
	return tcp_before(sack, receiver->end + 1);
}

/** Whether the segment ends in the receiver's window. */
static inline bool
tcp_end_in_window(const struct tcp_peer *sender, const struct tcp_peer *receiver, uint32_t end)
{
	return tcp_after(end, sender->end - receiver->max_win - 1);
}

/** Whether (s)ack is not too old. */
static inline bool
tcp_ack_recent(const struct tcp_peer *sender, const struct tcp_peer *receiver, uint32_t sack)
{
	return tcp_after(sack, receiver->end - tcp_max_ack_window(sender) - 1);
}

/**
 * Take a segment that passed all checks into the window (the second half of
 * tcp_in_window).
 * @param win scaled
 * @param has_ack the segment's ACK flag
 */
static inline void
tcp_window_update(struct tcp_peer *sender, struct tcp_peer *receiver, uint32_t ack, uint32_t sack,
	uint32_t end, uint32_t win, bool has_ack)
{
	uint32_t offered = win + (sack - ack);

	if (sender->max_win < offered)
		sender->max_win = offered;
	if (tcp_after(end, sender->end)) {
		sender->end = end;
		sender->flags |= TCP_PEER_UNACKED;
	}
	if (has_ack &&
		(!(sender->flags & TCP_PEER_MAX_ACK_SET) || tcp_after(ack, sender->max_ack))) {
		sender->max_ack = ack;
		sender->flags |= TCP_PEER_MAX_ACK_SET;
	}
	if (receiver->max_win != 0 && tcp_after(end, sender->max_end))
		receiver->max_win += end - sender->max_end;
	if (tcp_after(sack + win, receiver->max_end - 1))
		receiver->max_end = sack + win + (win == 0);
	if (ack == receiver->end)
		receiver->flags &= (uint8_t)~TCP_PEER_UNACKED;
}

/** Count repetitions of a plain ACK. */
static inline void
tcp_retrans_update(struct tcp_track *t, unsigned int dir, uint32_t seq, uint32_t ack, uint32_t end,
	uint16_t win)
{
	if (t->last_dir == dir && t->last_seq == seq && t->last_ack == ack && t->last_end == end &&
		t->last_win == win) {
		t->retrans++;
		return;
	}
	t->last_dir = (uint8_t)dir;
	t->last_seq = seq;
	t->last_ack = ack;
	t->last_end = end;
	t->last_win = win;
	t->retrans = 0;
}

/** The life that a segment gives its connection, in milliseconds; state is the one after it. */
static inline uint32_t
tcp_timeout(const struct tcp_track *t, uint8_t state, bool rst, const struct tcp_config *config)
{
	uint32_t full = config->timeout_ms[state];
	uint32_t retrans = config->timeout_ms[CT_TCP_RETRANS];
	uint32_t unack = config->timeout_ms[CT_TCP_UNACK];

	if (t->retrans >= config->max_retrans && full > retrans)
		return retrans;
	if (rst)
		return config->timeout_ms[CT_TCP_CLOSE];
	if (((t->seen[0].flags | t->seen[1].flags) & TCP_PEER_UNACKED) && full > unack)
		return unack;
	if (t->last_win == 0 && full > retrans)
		return retrans;
	return full;
}

/**
 * Whether options can be left unread: none, or the timestamp alone, as stacks
 * write it in every segment (the shortcut of tcp_sack).
 */
static inline bool
tcp_options_plain(const struct tcp_seg *seg)
{
	static const uint8_t timestamp[4] = {1, 1, 8, 10};

	return seg->options_len == 0 ||
	       (seg->options_len == 12 && memcmp(seg->options, timestamp, 4) == 0);
}

/**
 * tcp_packet() for the bulk of segments, inline: an ACK, with or without data,
 * without SYN, FIN or RST, inside the window. The connection must be in
 * ESTABLISHED with CT_SEEN_REPLY and CT_ASSURED set and CT_FIXED_TIMEOUT clear.
 * @return true: TRACK_OK, t is what tcp_packet() and its caller would have made of
 *   it, the connection lives t->timeout_ms from now; false: t is untouched, call
 *   tcp_packet()
 */
static inline bool
tcp_fast(struct tcp_track *t, unsigned int dir, const struct tcp_seg *seg,
	const struct tcp_config *config)
{
	const uint8_t kind =
		RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG;
	struct tcp_peer *sender = &t->seen[dir];
	struct tcp_peer *receiver = &t->seen[!dir];
	uint32_t end = seg->seq + seg->payload_len;

	if ((seg->flags & kind) != RTE_TCP_ACK_FLAG || !tcp_options_plain(seg) ||
		sender->max_win == 0 || receiver->max_win == 0)
		return false;
	if (!tcp_seq_ok(sender, seg->seq) || !tcp_ack_seen(receiver, seg->ack) ||
		!tcp_end_in_window(sender, receiver, end) ||
		!tcp_ack_recent(sender, receiver, seg->ack))
		return false;
	tcp_window_update(sender, receiver, seg->ack, seg->ack, end,
		(uint32_t)seg->win << sender->scale, true);
	tcp_retrans_update(t, dir, seg->seq, seg->ack, end, seg->win);
	t->last_index = TCP_KIND_ACK;
	t->timeout_ms = tcp_timeout(t, CT_TCP_ESTABLISHED, false, config);
	return true;
}

#endif
