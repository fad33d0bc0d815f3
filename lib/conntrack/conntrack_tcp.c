/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker_tcp_priv.h"

static const char *const state_names[CT_TCP_STATES] = {
	[CT_TCP_NONE] = "NONE",
	[CT_TCP_SYN_SENT] = "SYN_SENT",
	[CT_TCP_SYN_RECV] = "SYN_RECV",
	[CT_TCP_ESTABLISHED] = "ESTABLISHED",
	[CT_TCP_FIN_WAIT] = "FIN_WAIT",
	[CT_TCP_CLOSE_WAIT] = "CLOSE_WAIT",
	[CT_TCP_LAST_ACK] = "LAST_ACK",
	[CT_TCP_TIME_WAIT] = "TIME_WAIT",
	[CT_TCP_CLOSE] = "CLOSE",
	[CT_TCP_SYN_SENT2] = "SYN_SENT2",
};

/*
 * What a segment does to a state (tcp_conntracks). Besides states:
 * IG  let it pass and keep the state: it may be wrong, or we may be out of
 *     step; the receiver's answer will tell
 * IV  invalid
 */
enum {
	NO = CT_TCP_NONE,
	SS = CT_TCP_SYN_SENT,
	SR = CT_TCP_SYN_RECV,
	ES = CT_TCP_ESTABLISHED,
	FW = CT_TCP_FIN_WAIT,
	CW = CT_TCP_CLOSE_WAIT,
	LA = CT_TCP_LAST_ACK,
	TW = CT_TCP_TIME_WAIT,
	CL = CT_TCP_CLOSE,
	S2 = CT_TCP_SYN_SENT2,
	IV = CT_TCP_STATES,
	IG,
};

/* clang-format off */
static const uint8_t next_state[2][TCP_KINDS][CT_TCP_STATES] = {
	[CT_DIR_ORIGINAL] = {
		/*                    NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[TCP_KIND_SYN] =    { SS, SS, IG, IG, IG, IG, IG, SS, SS, S2 },
		[TCP_KIND_SYNACK] = { IV, IV, SR, IV, IV, IV, IV, IV, IV, SR },
		[TCP_KIND_FIN] =    { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_KIND_ACK] =    { ES, IV, ES, ES, CW, CW, TW, TW, CL, IV },
		[TCP_KIND_RST] =    { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_KIND_NONE] =   { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
	[CT_DIR_REPLY] = {
		/*                    NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[TCP_KIND_SYN] =    { IV, S2, IV, IV, IV, IV, IV, SS, IV, S2 },
		[TCP_KIND_SYNACK] = { IV, SR, IG, IG, IG, IG, IG, IG, IG, SR },
		[TCP_KIND_FIN] =    { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_KIND_ACK] =    { IV, IG, SR, ES, CW, CW, TW, TW, CL, IG },
		[TCP_KIND_RST] =    { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_KIND_NONE] =   { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
};
/* clang-format on */

const char *
tcp_state_name(uint8_t state)
{
	return state < CT_TCP_STATES ? state_names[state] : NULL;
}

bool
tcp_flags_valid(uint8_t flags)
{
	enum {
		FIN = RTE_TCP_FIN_FLAG,
		SYN = RTE_TCP_SYN_FLAG,
		RST = RTE_TCP_RST_FLAG,
		ACK = RTE_TCP_ACK_FLAG,
		URG = RTE_TCP_URG_FLAG,
		ALL = FIN | SYN | RST | ACK | URG,
	};

	switch (flags & ALL) {
	case SYN:
	case SYN | URG:
	case SYN | ACK:
	case RST:
	case RST | ACK:
	case FIN | ACK:
	case FIN | ACK | URG:
	case ACK:
	case ACK | URG: return true;
	default: return false;
	}
}

bool
tcp_new(struct tcp_track *t, const struct tcp_seg *seg, const struct tcp_config *config)
{
	uint8_t state = next_state[CT_DIR_ORIGINAL][tcp_kind_of(seg->flags)][CT_TCP_NONE];
	struct tcp_peer *sender = &t->seen[CT_DIR_ORIGINAL];

	if (!tcp_flags_valid(seg->flags) || state >= CT_TCP_STATES)
		return false;
	if (state != CT_TCP_SYN_SENT && !config->loose)
		return false;
	memset(t, 0, sizeof(*t));
	sender->end = tcp_end(seg);
	sender->max_win = tcp_window_floor(seg->win);
	sender->max_end = sender->end;
	if (state == CT_TCP_SYN_SENT) {
		tcp_read_options(seg, sender);
	} else {
		/* In the middle: scale factors are unknown, so the window cannot be held against
		 * it. */
		sender->max_end += sender->max_win;
		sender->flags = TCP_PEER_SACK_PERM | TCP_PEER_BE_LIBERAL;
		t->seen[CT_DIR_REPLY].flags = sender->flags;
	}
	t->last_index = TCP_KIND_NONE;
	return true;
}

/* A closing segment was out of the window: a dead connection must not stay for days
 * (nf_tcp_handle_invalid). */
static void
handle_invalid(struct tcp_track *t, unsigned int dir, enum tcp_kind kind,
	const struct tcp_config *config, struct track *track)
{
	uint32_t unack = config->timeout_ms[CT_TCP_UNACK];

	if (!(track->status & CT_ASSURED) || (track->status & CT_FIXED_TIMEOUT) ||
		(kind != TCP_KIND_RST && kind != TCP_KIND_FIN))
		return;
	if (t->last_dir == dir ||
		(t->last_index != TCP_KIND_FIN && t->last_index != TCP_KIND_RST)) {
		t->last_index = kind;
		t->last_dir = (uint8_t)dir;
		return;
	}
	if (track->expires_ms >= 120000 && track->expires_ms > unack)
		track->timeout_ms = unack;
}

/*
 * A SYN/ACK that answers a SYN which we ignored: both ends are in step and we
 * are not; take over what that SYN said.
 */
static bool
resynchronise(struct tcp_track *t, unsigned int dir, enum tcp_kind kind, const struct tcp_seg *seg)
{
	struct tcp_peer *client = &t->seen[!dir], *server = &t->seen[dir];

	if (kind != TCP_KIND_SYNACK || t->last_index != TCP_KIND_SYN || t->last_dir == dir ||
		seg->ack != t->last_end)
		return false;
	t->last_flags &= (uint8_t)~TCP_LAST_CHALLENGE_ACK;
	client->end = t->last_end;
	client->max_end = t->last_end;
	client->max_win = tcp_window_floor(t->last_win);
	client->scale = t->last_wscale;
	client->flags = t->last_flags;
	*server = (struct tcp_peer){.flags = server->flags & TCP_PEER_BE_LIBERAL};
	return true;
}

/* Note a segment that is let through without belief in it. */
static void
note_ignored(struct tcp_track *t, unsigned int dir, enum tcp_kind kind, uint8_t state,
	const struct tcp_seg *seg)
{
	t->last_index = kind;
	t->last_dir = (uint8_t)dir;
	t->last_seq = seg->seq;
	t->last_end = tcp_end(seg);
	t->last_win = seg->win;
	if (kind == TCP_KIND_SYN && dir == CT_DIR_ORIGINAL) {
		struct tcp_peer offered = {0};

		tcp_read_options(seg, &offered);
		t->last_flags = offered.flags & (TCP_PEER_WINDOW_SCALE | TCP_PEER_SACK_PERM);
		t->last_wscale = offered.scale;
		/*
		 * RFC 5961: the server may challenge it by an ACK, which then is not the last ACK.
		 */
		if (state == CT_TCP_LAST_ACK)
			t->last_flags |= TCP_LAST_CHALLENGE_ACK;
	}
	if (state == CT_TCP_SYN_SENT && kind == TCP_KIND_ACK && dir == CT_DIR_REPLY)
		t->last_ack =
			seg->ack; /* perhaps a challenge: the RST that follows has it as seq */
}

/* What the state table says of a segment, and the cases that it is too coarse for. */
enum step {
	STEP_WINDOW, /* take it if the window allows */
	STEP_ACCEPT, /* take it */
	STEP_IGNORE,
	STEP_INVALID,
	STEP_REPLACE,
};

/*
 * What to make of a RST; *next may become the old state: it does not close, but shortens the life.
 */
static enum step
step_rst(const struct tcp_track *t, unsigned int dir, uint8_t state, const struct tcp_seg *seg,
	const struct tcp_config *config, uint32_t status, uint8_t *next)
{
	const struct tcp_peer *receiver = &t->seen[!dir];
	bool established = state == CT_TCP_ESTABLISHED && (status & CT_ASSURED);

	/* Closing already: the numbers may be those of a successor (tcp_can_early_drop). */
	if (state >= CT_TCP_FIN_WAIT && state <= CT_TCP_CLOSE)
		return STEP_ACCEPT;

	/* max_ack is outdated if we let a SYN through since. */
	if ((receiver->flags & TCP_PEER_MAX_ACK_SET) && t->last_index != TCP_KIND_SYN) {
		if (seg->seq == 0 && !established) /* most likely the answer to an ignored SYN */
			return STEP_WINDOW;
		if (tcp_before(seg->seq, receiver->max_ack) && !config->ignore_invalid_rst)
			return STEP_INVALID;
		if (!established || seg->seq == receiver->max_ack)
			return STEP_WINDOW;
		/* Right behind the data that it follows. */
		if (t->last_index == TCP_KIND_ACK && t->last_dir == dir && seg->seq == t->last_end)
			return STEP_WINDOW;
		/* In the window but not exact: the receiver may challenge it (RFC 5961 3.2). */
		*next = state;
	}

	/*
	 * The answer to a SYN or ACK that we let through: it may acknowledge what we never took in.
	 */
	if ((((status & CT_SEEN_REPLY) && t->last_index == TCP_KIND_SYN && t->last_dir != dir) ||
		    (!(status & CT_ASSURED) && t->last_index == TCP_KIND_ACK)) &&
		seg->ack == t->last_end)
		return STEP_ACCEPT;
	/* The answer to a challenge ACK that we let through. */
	if (state == CT_TCP_SYN_SENT && t->last_index == TCP_KIND_ACK &&
		t->last_dir == CT_DIR_REPLY && seg->seq == t->last_ack)
		return STEP_ACCEPT;
	return STEP_WINDOW;
}

/* The segment is taken: new state, timeout, assured (the end of nf_conntrack_tcp_packet). */
static enum track_result
accept_segment(struct tcp_track *t, unsigned int dir, enum tcp_kind kind, uint8_t old, uint8_t next,
	const struct tcp_config *config, struct track *track)
{
	uint32_t timeout, unack = config->timeout_ms[CT_TCP_UNACK];

	t->last_index = kind;
	t->last_dir = (uint8_t)dir;
	track->state = next;
	if (old != next && next == CT_TCP_FIN_WAIT)
		t->seen[dir].flags |= TCP_PEER_CLOSE_INIT;
	timeout = tcp_timeout(t, next, kind == TCP_KIND_RST, config);

	if (!(track->status & CT_SEEN_REPLY)) {
		/* The only answer is a RST, or the client gave up: nothing was ever there. */
		if (kind == TCP_KIND_RST)
			return TRACK_DESTROY;
		/* Repeated SYNs must not keep an entry, and its NAT mapping, for ever. */
		if (kind == TCP_KIND_SYN && old == CT_TCP_SYN_SENT)
			return TRACK_IGNORE;
		/* Picked up in the middle, one direction only. */
		if (next == CT_TCP_ESTABLISHED && timeout > unack)
			timeout = unack;
	} else if ((old == CT_TCP_SYN_RECV || old == CT_TCP_ESTABLISHED) &&
		   next == CT_TCP_ESTABLISHED) {
		track->status |= CT_ASSURED;
	}
	if (!(track->status & CT_FIXED_TIMEOUT))
		track->timeout_ms = timeout;
	return TRACK_OK;
}

/* A SYN for a connection that was closed or aborted from its side: it may start anew (RFC
 * 9293 3.6.1). */
static bool
reopens(const struct tcp_track *t, unsigned int dir)
{
	return ((t->seen[0].flags | t->seen[1].flags) & TCP_PEER_CLOSE_INIT) ||
	       (t->last_dir == dir && t->last_index == TCP_KIND_RST);
}

static enum step
step_ignore(struct tcp_track *t, unsigned int dir, enum tcp_kind kind, const struct tcp_seg *seg,
	uint8_t *old, uint8_t *next)
{
	if (!resynchronise(t, dir, kind, seg)) {
		note_ignored(t, dir, kind, *old, seg);
		return STEP_IGNORE;
	}
	*old = CT_TCP_SYN_SENT;
	*next = CT_TCP_SYN_RECV;
	return STEP_WINDOW;
}

static enum step
step(struct tcp_track *t, unsigned int dir, const struct tcp_seg *seg,
	const struct tcp_config *config, uint32_t status, uint8_t *old, uint8_t *next)
{
	enum tcp_kind kind = tcp_kind_of(seg->flags);

	switch (*next) {
	case IV: return STEP_INVALID;
	case SS:
		if (*old < CT_TCP_TIME_WAIT)
			return STEP_WINDOW;
		if (reopens(t, dir))
			return STEP_REPLACE;
		return step_ignore(t, dir, kind, seg, old, next);
	case IG: return step_ignore(t, dir, kind, seg, old, next);
	case TW:
		/* A challenge ACK (RFC 5961 4.2) is not the ACK of the last FIN. */
		if (*old == CT_TCP_LAST_ACK && kind == TCP_KIND_ACK && t->last_dir != dir &&
			t->last_index == TCP_KIND_SYN && (t->last_flags & TCP_LAST_CHALLENGE_ACK)) {
			t->last_flags &= (uint8_t)~TCP_LAST_CHALLENGE_ACK;
			return STEP_IGNORE;
		}
		return STEP_WINDOW;
	case S2: t->last_flags |= TCP_LAST_SIMULTANEOUS; return STEP_WINDOW;
	case SR:
		if (dir == CT_DIR_REPLY && kind == TCP_KIND_ACK &&
			(t->last_flags & TCP_LAST_SIMULTANEOUS))
			*next = CT_TCP_ESTABLISHED;
		return STEP_WINDOW;
	case CL:
		return kind == TCP_KIND_RST ? step_rst(t, dir, *old, seg, config, status, next)
					    : STEP_WINDOW;
	default: return STEP_WINDOW;
	}
}

enum track_result
tcp_packet(struct tcp_track *t, unsigned int dir, const struct tcp_seg *seg,
	const struct tcp_config *config, struct track *track)
{
	enum tcp_kind kind = tcp_kind_of(seg->flags);
	uint8_t old = track->state;
	uint8_t next = next_state[dir][kind][old];

	track->timeout_ms = 0;
	if (!tcp_flags_valid(seg->flags))
		return TRACK_INVALID;
	switch (step(t, dir, seg, config, track->status, &old, &next)) {
	case STEP_IGNORE: return TRACK_IGNORE;
	case STEP_INVALID: return TRACK_INVALID;
	case STEP_REPLACE: return TRACK_REPLACE;
	case STEP_ACCEPT: break;
	case STEP_WINDOW:
		switch (tcp_in_window(t, dir, track->state, seg, config)) {
		case TCP_WINDOW_IGNORE: return TRACK_IGNORE;
		case TCP_WINDOW_INVALID:
			handle_invalid(t, dir, kind, config, track);
			return TRACK_INVALID;
		case TCP_WINDOW_OK: break;
		}
	}
	return accept_segment(t, dir, kind, old, next, config, track);
}
