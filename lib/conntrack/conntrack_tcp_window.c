/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker_tcp_priv.h"

/* TCP options, RFC 9293, 7323, 2018. */
enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_WINDOW_SCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	WINDOW_SCALE_LEN = 3,
	SACK_PERMITTED_LEN = 2,
	SACK_HEAD = 2,
	SACK_BLOCK = 8,
	SCALE_MAX = 14,
};

/*
 * The option at *at, which moves behind it; false at the end of the options or
 * where they are malformed. len counts kind and length bytes as well.
 */
static bool
next_option(const struct tcp_seg *seg, unsigned int *at, uint8_t *kind, const uint8_t **option,
	uint8_t *len)
{
	unsigned int i = *at;

	while (i < seg->options_len && seg->options[i] == OPT_NOP)
		i++;
	if (i + 2 > seg->options_len || seg->options[i] == OPT_END)
		return false;
	*kind = seg->options[i];
	*len = seg->options[i + 1];
	if (*len < 2 || i + *len > seg->options_len)
		return false;
	*option = &seg->options[i];
	*at = i + *len;
	return true;
}

void
tcp_read_options(const struct tcp_seg *seg, struct tcp_peer *peer)
{
	const uint8_t *option;
	unsigned int at = 0;
	uint8_t kind, len;

	if (seg->options_len == 0)
		return;
	peer->scale = 0;
	peer->flags &= TCP_PEER_BE_LIBERAL;
	while (next_option(seg, &at, &kind, &option, &len)) {
		if (kind == OPT_SACK_PERMITTED && len == SACK_PERMITTED_LEN) {
			peer->flags |= TCP_PEER_SACK_PERM;
		} else if (kind == OPT_WINDOW_SCALE && len == WINDOW_SCALE_LEN) {
			peer->scale = option[2] > SCALE_MAX ? SCALE_MAX : option[2];
			peer->flags |= TCP_PEER_WINDOW_SCALE;
		}
	}
}

/* The rightmost edge of the first SACK option, or ack if that is further (tcp_sack). */
static uint32_t
highest_sack(const struct tcp_seg *seg, uint32_t ack)
{
	const uint8_t *option;
	unsigned int at = 0;
	uint8_t kind, len;

	while (next_option(seg, &at, &kind, &option, &len)) {
		if (kind != OPT_SACK || len < SACK_HEAD + SACK_BLOCK ||
			(len - SACK_HEAD) % SACK_BLOCK != 0)
			continue;
		for (unsigned int i = SACK_HEAD; i < len; i += SACK_BLOCK) {
			rte_be32_t edge;

			memcpy(&edge, option + i + 4, sizeof(edge));
			if (tcp_after(rte_be_to_cpu_32(edge), ack))
				ack = rte_be_to_cpu_32(edge);
		}
		break;
	}
	return ack;
}

/* An end shows itself by a SYN (tcp_init_sender). */
static void
init_sender(struct tcp_peer *sender, struct tcp_peer *receiver, const struct tcp_seg *seg,
	unsigned int dir)
{
	sender->end = tcp_end(seg);
	sender->max_end = sender->end;
	sender->max_win = tcp_window_floor(seg->win);
	tcp_read_options(seg, sender);
	/* RFC 7323: windows are scaled only if both ends offered it. */
	if (dir == CT_DIR_REPLY && !(sender->flags & receiver->flags & TCP_PEER_WINDOW_SCALE)) {
		sender->scale = 0;
		receiver->scale = 0;
	}
}

/* An end shows itself in the middle of the connection: believe what the segment says. */
static void
pick_up_sender(struct tcp_peer *sender, struct tcp_peer *receiver, const struct tcp_seg *seg,
	uint32_t sack)
{
	sender->end = tcp_end(seg);
	sender->max_win = tcp_window_floor((uint32_t)seg->win << sender->scale);
	sender->max_end = sender->end + sender->max_win;
	if (receiver->max_win == 0)
		receiver->end = receiver->max_end = sack;
	else if (sack == receiver->end + 1) /* the answer to a keepalive */
		receiver->end++;
}

/* A segment beyond the right edge: a little too much data is forgiven. */
static enum tcp_window
beyond_window(struct tcp_peer *sender, const struct tcp_peer *receiver, uint32_t sack, uint32_t end)
{
	uint32_t overshot = end - sender->max_end + 1;

	if (receiver->max_win == 0 || !tcp_end_in_window(sender, receiver, end) ||
		!tcp_ack_recent(sender, receiver, sack) || overshot > receiver->max_win ||
		!tcp_ack_seen(receiver, sack))
		return TCP_WINDOW_INVALID;
	/* The receiver may take it: then its ACK must not look as if it came from nowhere. */
	sender->end = end;
	sender->flags |= TCP_PEER_UNACKED;
	return TCP_WINDOW_IGNORE;
}

/* The four bounds of tcp_in_window, and what a segment within them teaches. */
static enum tcp_window
check_window(struct tcp_track *t, unsigned int dir, uint8_t state, const struct tcp_seg *seg,
	uint32_t sack, bool liberal)
{
	struct tcp_peer *sender = &t->seen[dir], *receiver = &t->seen[!dir];
	uint32_t seq = seg->seq, ack = seg->ack, end = tcp_end(seg), win = seg->win;
	enum tcp_window bad = TCP_WINDOW_OK;
	bool rst = seg->flags & RTE_TCP_RST_FLAG;

	/* Without ACK, or in the RST of a stack that leaves it 0: as if all were acknowledged. */
	if (!(seg->flags & RTE_TCP_ACK_FLAG) || (rst && ack == 0))
		ack = sack = receiver->end;
	/* The RST that answers a SYN without ACK has no sequence number of its own. */
	if (rst && seq == 0 && state == CT_TCP_SYN_SENT)
		seq = end = sender->end;

	if (!tcp_seq_ok(sender, seq))
		bad = beyond_window(sender, receiver, sack, end);
	else if (!tcp_ack_seen(receiver, sack))
		bad = TCP_WINDOW_INVALID;
	else if ((receiver->max_win != 0 && !tcp_end_in_window(sender, receiver, end)) ||
		 !tcp_ack_recent(sender, receiver, sack))
		bad = TCP_WINDOW_IGNORE;
	if (bad != TCP_WINDOW_OK)
		return liberal ? TCP_WINDOW_OK : bad;

	if (!(seg->flags & RTE_TCP_SYN_FLAG))
		win <<= sender->scale;
	tcp_window_update(sender, receiver, ack, sack, end, win, seg->flags & RTE_TCP_ACK_FLAG);
	if (tcp_kind_of(seg->flags) == TCP_KIND_ACK)
		tcp_retrans_update(t, dir, seq, ack, end, seg->win);
	return TCP_WINDOW_OK;
}

enum tcp_window
tcp_in_window(struct tcp_track *t, unsigned int dir, uint8_t state, const struct tcp_seg *seg,
	const struct tcp_config *config)
{
	struct tcp_peer *sender = &t->seen[dir], *receiver = &t->seen[!dir];
	bool syn = seg->flags & RTE_TCP_SYN_FLAG, has_ack = seg->flags & RTE_TCP_ACK_FLAG;
	uint32_t sack = seg->ack;

	if (receiver->flags & TCP_PEER_SACK_PERM)
		sack = highest_sack(seg, sack);
	if (sender->max_win == 0 && syn) {
		init_sender(sender, receiver, seg, dir);
		if (!has_ack) /* simultaneous open */
			return TCP_WINDOW_OK;
	} else if (sender->max_win == 0) {
		pick_up_sender(sender, receiver, seg, sack);
	} else if (syn && tcp_after(tcp_end(seg), sender->end) &&
		   (state == CT_TCP_SYN_SENT || state == CT_TCP_SYN_RECV)) {
		/* A new attempt with other numbers or options (RFC 9293 3.4.1). */
		init_sender(sender, receiver, seg, dir);
		if (dir == CT_DIR_REPLY && !has_ack)
			return TCP_WINDOW_OK;
	}
	return check_window(t, dir, state, seg, sack,
		config->be_liberal || (sender->flags & TCP_PEER_BE_LIBERAL));
}
