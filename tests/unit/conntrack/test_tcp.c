/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "tracker.h"
#include "unit.h"

#define F RTE_TCP_FIN_FLAG
#define S RTE_TCP_SYN_FLAG
#define R RTE_TCP_RST_FLAG
#define P RTE_TCP_PSH_FLAG
#define A RTE_TCP_ACK_FLAG
#define U RTE_TCP_URG_FLAG

/* First sequence numbers of the client (original) and the server. */
#define CLIENT 1000U
#define SERVER 9000U

/* What conntrack_in would keep and say: the ct state of a packet. */
enum outcome { NEW, EST, INV, NEW_AGAIN, EST_GONE, NEW_GONE };

struct connection {
	struct tcp_track tcp;
	struct track track;
	struct tracker_config config;
	uint32_t timeout_s;
	bool live;
};

static enum outcome
feed(struct connection *c, unsigned int dir, const struct tcp_seg *seg)
{
	enum outcome state =
		!c->live || (dir == 0 && !(c->track.status & CT_SEEN_REPLY)) ? NEW : EST;

	if (!c->live) {
		c->track = (struct track){0};
		if (!tcp_new(&c->tcp, seg, &c->config.tcp))
			return INV;
		dir = 0;
	}
	c->track.expires_ms = c->timeout_s * 1000;
	switch (tcp_packet(&c->tcp, dir, seg, &c->config.tcp, &c->track)) {
	case TRACK_OK: CU_ASSERT_NOT_EQUAL(c->track.timeout_ms, 0); break;
	case TRACK_IGNORE: CU_ASSERT_EQUAL(c->track.timeout_ms, 0); break;
	case TRACK_INVALID:
		if (c->track.timeout_ms != 0)
			c->timeout_s = c->track.timeout_ms / 1000;
		return INV;
	case TRACK_REPLACE: c->live = false; return feed(c, dir, seg) == NEW ? NEW_AGAIN : INV;
	case TRACK_DESTROY: c->live = false; return state == NEW ? NEW_GONE : EST_GONE;
	}
	if (c->track.timeout_ms != 0)
		c->timeout_s = c->track.timeout_ms / 1000;
	c->live = true;
	if (dir == CT_DIR_REPLY)
		c->track.status |= CT_SEEN_REPLY;
	return state;
}

/* A step of a dialogue and what it must lead to. seq and ack count from the ends' first numbers. */
struct step {
	uint8_t dir, flags;
	uint32_t seq, ack, len;
	enum outcome outcome;
	uint8_t state;
	uint32_t timeout_s;
};

static void
run(struct connection *c, const char *name, const struct step *steps, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct step *s = &steps[i];
		struct tcp_seg seg = {
			.seq = s->seq + (s->dir ? SERVER : CLIENT),
			.ack = s->flags & A ? s->ack + (s->dir ? CLIENT : SERVER) : 0,
			.payload_len = s->len,
			.win = 30000,
			.flags = s->flags,
		};
		enum outcome outcome = feed(c, s->dir, &seg);
		bool gone = outcome == EST_GONE || outcome == NEW_GONE;

		if (outcome != s->outcome || (!gone && c->track.state != s->state) ||
			(s->timeout_s != 0 && c->timeout_s != s->timeout_s)) {
			fprintf(stderr, "\n%s, step %u: outcome %d state %s timeout %u\n", name, i,
				outcome, tcp_state_name(c->track.state), c->timeout_s);
			CU_FAIL("a step led elsewhere");
		}
	}
}

static struct connection
fresh(void)
{
	struct connection c = {0};

	tracker_defaults(&c.config);
	return c;
}

#define RUN(c, ...)                                                                                \
	do {                                                                                       \
		static const struct step steps[] = {__VA_ARGS__};                                  \
		run((c), __func__, steps, sizeof(steps) / sizeof(steps[0]));                       \
	} while (0)

#define OPEN                                                                                       \
	{0, S, 0, 0, 0, NEW, CT_TCP_SYN_SENT, 120}, {1, S | A, 0, 1, 0, EST, CT_TCP_SYN_RECV, 60}, \
	{                                                                                          \
		0, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 432000                                     \
	}

static void
test_life(void)
{
	struct connection c = fresh();

	RUN(&c, OPEN, {0, P | A, 1, 1, 100, EST, CT_TCP_ESTABLISHED, 300},
		{1, A, 1, 101, 0, EST, CT_TCP_ESTABLISHED, 432000},
		{0, F | A, 101, 1, 0, EST, CT_TCP_FIN_WAIT, 120},
		{1, A, 1, 102, 0, EST, CT_TCP_CLOSE_WAIT, 60},
		{1, F | A, 1, 102, 0, EST, CT_TCP_LAST_ACK, 30},
		{0, A, 102, 2, 0, EST, CT_TCP_TIME_WAIT, 120},
		{0, S, 5000, 0, 0, NEW_AGAIN, CT_TCP_SYN_SENT, 120});
	CU_ASSERT_FALSE(c.track.status & CT_ASSURED);
}

static void
test_first(void)
{
	static const struct {
		uint8_t flags;
		enum outcome outcome;
	} first[] = {
		{S, NEW},
		{A, NEW},
		{A | P, NEW},
		{S | A, INV},
		{R, INV},
		{R | A, INV},
		{F, INV},
		{F | A, INV},
		{P, INV},
		{0, INV},
		{S | F, INV},
		{S | R, INV},
		{F | P | U, INV},
	};

	for (unsigned int i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct connection c = fresh();
		struct tcp_seg seg = {.seq = 5, .ack = 7, .win = 100, .flags = first[i].flags};

		CU_ASSERT_EQUAL(feed(&c, 0, &seg), first[i].outcome);
		c.live = false;
		c.config.tcp.loose = false;
		CU_ASSERT_EQUAL(feed(&c, 0, &seg), first[i].flags == S ? NEW : INV);
	}
}

static void
test_pick_up(void)
{
	struct connection c = fresh();

	RUN(&c, {0, A, 0, 0, 0, NEW, CT_TCP_ESTABLISHED, 300},
		{0, A, 0, 0, 0, NEW, CT_TCP_ESTABLISHED, 300},
		{1, A, 0, 0, 0, EST, CT_TCP_ESTABLISHED, 300}, /* the first answer */
		{0, A, 0, 0, 0, EST, CT_TCP_ESTABLISHED, 432000});
	CU_ASSERT_TRUE(c.track.status & CT_ASSURED);
	/* Liberal: out of the window is established. */
	RUN(&c, {0, A, 900000000, 0, 0, EST, CT_TCP_ESTABLISHED, 0});
}

static void
test_window(void)
{
	struct connection c = fresh();

	RUN(&c, OPEN, {0, A, 60000, 1, 10, INV, CT_TCP_ESTABLISHED, 432000}, /* beyond the window */
		{0, A, (uint32_t)-90000, 1, 10, EST, CT_TCP_ESTABLISHED,
			432000},				  /* below: ignored */
		{0, A, 1, 2, 0, INV, CT_TCP_ESTABLISHED, 432000}, /* acknowledges unsent data */
		{0, A, 1, (uint32_t)-70000, 0, EST, CT_TCP_ESTABLISHED,
			432000},				    /* old ack: ignored */
		{0, S, 77, 0, 0, EST, CT_TCP_ESTABLISHED, 432000}); /* SYN: unchanged */
	/* A wrong ack in the SYN-ACK is not conntrack's business, if it is old. */
	c = fresh();
	RUN(&c, {0, S, 0, 0, 0, NEW, CT_TCP_SYN_SENT, 120},
		{1, S | A, 0, 0, 0, EST, CT_TCP_SYN_RECV, 60});
	/* The window of a SYN is not scaled. */
	CU_ASSERT_EQUAL(c.tcp.seen[0].max_win, 30000);
	CU_ASSERT_EQUAL(c.tcp.seen[0].max_end, CLIENT + 30000);
}

static void
test_rst(void)
{
	struct connection c = fresh();

	RUN(&c, {0, S, 0, 0, 0, NEW, CT_TCP_SYN_SENT, 120},
		{1, R | A, (uint32_t)-SERVER, 1, 0, EST_GONE, 0, 0});
	RUN(&c, OPEN, {1, R, (uint32_t)-5, 0, 0, INV, CT_TCP_ESTABLISHED, 432000}, /* below */
		{1, R, 50, 0, 0, EST, CT_TCP_ESTABLISHED, 10}, /* in the window, not exact */
		{1, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 300}, /* alive, something unacknowledged */
		{1, R, 1, 0, 0, EST, CT_TCP_CLOSE, 10},	       /* exact */
		{0, S, 3000, 0, 0, EST, CT_TCP_CLOSE, 10},     /* the client did not close */
		{1, R, 1, 0, 0, EST, CT_TCP_CLOSE, 10}, {0, R, 1, 0, 0, EST, CT_TCP_CLOSE, 10},
		{0, S, 3000, 0, 0, NEW_AGAIN, CT_TCP_SYN_SENT, 120});
	/* A client that gives up before any answer. */
	RUN(&c, {0, R, 3001, 0, 0, NEW_GONE, 0, 0});
}

static void
test_challenge(void)
{
	struct connection c = fresh();

	/* RFC 5961: the server answers a SYN by an ACK, which is not the last ACK. */
	RUN(&c, OPEN, {1, F | A, 1, 1, 0, EST, CT_TCP_FIN_WAIT, 120},
		{0, F | A, 1, 2, 0, EST, CT_TCP_LAST_ACK, 30},
		{0, S, 90000, 0, 0, EST, CT_TCP_LAST_ACK, 30},
		{1, A, 2, 1, 0, EST, CT_TCP_LAST_ACK, 30},
		{1, A, 2, 2, 0, EST, CT_TCP_TIME_WAIT, 120});
	/* A connection that died unseen: SYN ignored, SYN-ACK brings us into step. */
	c = fresh();
	RUN(&c, OPEN, {0, S, 90000, 0, 0, EST, CT_TCP_ESTABLISHED, 432000},
		{1, S | A, 70000, 90001, 0, EST, CT_TCP_SYN_RECV, 60},
		{0, A, 90001, 70001, 0, EST, CT_TCP_ESTABLISHED, 432000});
	CU_ASSERT_EQUAL(c.tcp.seen[0].end, CLIENT + 90001);
}

static void
test_invalid_close(void)
{
	struct connection c = fresh();

	/* FINs out of window from both sides: the connection will not stay for days. */
	RUN(&c, OPEN, {0, F | A, 90000, 1, 0, INV, CT_TCP_ESTABLISHED, 432000},
		{1, F | A, 90000, 1, 0, INV, CT_TCP_ESTABLISHED, 300});
	CU_ASSERT_EQUAL(c.track.timeout_ms, 300000);
	CU_ASSERT_EQUAL(c.tcp.timeout_ms, 0); /* the caller's to write */
}

static void
test_retransmissions(void)
{
	struct connection c = fresh();

	RUN(&c, OPEN, {0, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 432000},
		{0, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 432000},
		{0, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 300},
		{1, A, 1, 1, 0, EST, CT_TCP_ESTABLISHED, 432000});
	/* A repeated SYN does not renew. */
	c = fresh();
	RUN(&c, {0, S, 0, 0, 0, NEW, CT_TCP_SYN_SENT, 120});
	c.timeout_s = 77;
	RUN(&c, {0, S, 0, 0, 0, NEW, CT_TCP_SYN_SENT, 77});
}

static void
test_offload(void)
{
	struct connection c = fresh();

	RUN(&c, OPEN);
	tcp_offload_enter(&c.tcp);
	RUN(&c, {0, A, 1000000, 1, 0, EST, CT_TCP_ESTABLISHED, 432000});
	tcp_offload_leave(&c.tcp);
	RUN(&c, {0, A, 2000000, 3000000, 0, EST, CT_TCP_ESTABLISHED, 432000},
		{1, A, 3000000, 2000000, 0, EST, CT_TCP_ESTABLISHED, 432000});
	CU_ASSERT_EQUAL(c.tcp.seen[0].end, CLIENT + 2000000);
	CU_ASSERT_EQUAL(c.tcp.seen[1].end, SERVER + 3000000);
}

static void
test_header(void)
{
	uint8_t bytes[24] = {[12] = 0x60, [13] = S, [15] = 9, [20] = 1, 3, 3, 7};
	struct tcp_seg seg;

	CU_ASSERT_FALSE(tcp_seg_read(bytes, 0, &seg));
	CU_ASSERT_FALSE(tcp_seg_read(bytes, 19, &seg));
	CU_ASSERT_FALSE(tcp_seg_read(bytes, 23, &seg));
	CU_ASSERT_TRUE_FATAL(tcp_seg_read(bytes, 24, &seg));
	CU_ASSERT_EQUAL(seg.options_len, 4);
	CU_ASSERT_EQUAL(seg.payload_len, 0);
	CU_ASSERT_EQUAL(seg.win, 9);
	bytes[12] = 0x40;
	CU_ASSERT_FALSE(tcp_seg_read(bytes, 24, &seg));
	/* Nine of 32 combinations of FIN, SYN, RST, ACK and URG may occur. */
	for (unsigned int flags = 0, valid = 0; flags < 256; flags++) {
		valid += tcp_flags_valid((uint8_t)flags);
		if (flags == 255)
			CU_ASSERT_EQUAL(valid, 9 * 8);
	}
}

/* xorshift64*: a run can be repeated by its seed. */
static uint64_t random_state;

static uint32_t
random32(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dULL) >> 32);
}

/* A number at one of a direction's edges, most of the time. */
static uint32_t
near_edge(const struct tcp_peer *me, const struct tcp_peer *other, bool ack)
{
	uint32_t edges[] = {
		me->end, me->max_end, other->max_ack, me->end - other->max_win, me->end, me->end};
	uint32_t edge = ack ? other->end : edges[random32() % 6];

	if (ack && random32() % 4 == 0)
		edge -= tcp_max_ack_window(me);
	switch (random32() % 4) {
	case 0: return edge + random32() % 5 - 2;
	case 1: return random32() % 16 == 0 ? random32() : edge;
	default: return edge;
	}
}

static void
random_segment(const struct tcp_track *t, unsigned int dir, uint8_t *options, struct tcp_seg *seg)
{
	static const uint8_t starts[][4] = {
		{1, 1, 8, 10}, {1, 1, 5, 10}, {5, 10, 0, 0}, {2, 4, 0, 9}};
	static const uint16_t windows[] = {0, 1, 501, 65535};

	seg->seq = near_edge(&t->seen[dir], &t->seen[!dir], false);
	seg->ack = near_edge(&t->seen[dir], &t->seen[!dir], true);
	seg->payload_len = random32() % 2 ? random32() % 1461 : 0;
	seg->win = windows[random32() % 4];
	seg->flags = random32() % 16 ? A : (uint8_t)random32();
	seg->options_len = random32() % 2 ? 12 : (uint8_t)(4 * (random32() % 11));
	for (unsigned int i = 0; i < 40; i++)
		options[i] = (uint8_t)random32();
	memcpy(options, starts[random32() % 4], 4);
	seg->options = options;
}

/* tcp_fast() leads to what tcp_packet() leads to, bit for bit, or leaves the state alone. */
static void
test_fast(void)
{
	uint64_t seed = (uint64_t)(uintptr_t)getenv("TRACKER_SEED");
	unsigned int taken = 0, refused = 0, wrong = 0;

	seed = seed != 0 ? strtoull(getenv("TRACKER_SEED"), NULL, 0) : 88172645463325252ULL;
	random_state = seed;
	for (unsigned int i = 0; i < 20000 && wrong == 0; i++) {
		struct connection c = fresh();

		RUN(&c, OPEN);
		for (unsigned int dir = 0; dir < 2; dir++) {
			c.tcp.seen[dir].scale = (uint8_t)(random32() % 15);
			c.tcp.seen[dir].flags |= random32() % 2 ? TCP_PEER_SACK_PERM : 0;
			c.tcp.seen[dir].flags |= random32() % 8 ? 0 : TCP_PEER_BE_LIBERAL;
			c.tcp.seen[dir].max_win *= random32() % 8 != 0;
		}
		c.config.tcp.max_retrans = (uint8_t)(random32() % 4);
		for (unsigned int j = 0; j < 50 && c.track.state == CT_TCP_ESTABLISHED; j++) {
			struct tcp_track before = c.tcp, fast = c.tcp;
			unsigned int dir = random32() % 2;
			uint8_t options[40];
			struct tcp_seg seg;
			enum track_result result;
			bool was_fast;

			random_segment(&c.tcp, dir, options, &seg);
			was_fast = tcp_fast(&fast, dir, &seg, &c.config.tcp);
			c.track.expires_ms = c.tcp.timeout_ms;
			result = tcp_packet(&c.tcp, dir, &seg, &c.config.tcp, &c.track);
			if (c.track.timeout_ms != 0)
				c.tcp.timeout_ms = c.track.timeout_ms;
			if (!was_fast) {
				wrong += memcmp(&fast, &before, sizeof(fast)) != 0;
				refused++;
				continue;
			}
			wrong += result != TRACK_OK || memcmp(&fast, &c.tcp, sizeof(fast)) != 0 ||
				 c.track.timeout_ms != fast.timeout_ms ||
				 c.track.state != CT_TCP_ESTABLISHED;
			taken++;
		}
	}
	if (wrong != 0)
		fprintf(stderr, "\nTRACKER_SEED=%llu\n", (unsigned long long)seed);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(taken > 10000 && refused > 10000);
}

/* Options that lie about their length, at the end of the memory that may be read. */
static void
test_hostile_options(void)
{
	struct tracker_config config;
	struct track track;
	struct tcp_track t;

	tracker_defaults(&config);
	random_state = 1;
	for (unsigned int i = 0; i < 200000; i++) {
		uint8_t len = (uint8_t)(4 * (random32() % 11));
		uint8_t *options = malloc(len + 1);
		struct tcp_seg seg = {.win = 1, .options = options, .options_len = len};

		CU_ASSERT_PTR_NOT_NULL_FATAL(options);
		for (unsigned int j = 0; j < len; j++)
			options[j] = (uint8_t)(random32() % 12);
		seg.flags = S;
		track = (struct track){0};
		CU_ASSERT_TRUE(tcp_new(&t, &seg, &config.tcp));
		CU_ASSERT_EQUAL(tcp_packet(&t, 0, &seg, &config.tcp, &track), TRACK_OK);
		CU_ASSERT(t.seen[0].scale <= 14);
		t.seen[0].flags |= TCP_PEER_SACK_PERM;
		seg.flags = S | A;
		seg.ack = 1;
		tcp_packet(&t, 1, &seg, &config.tcp, &track);
		CU_ASSERT(t.seen[1].scale <= 14);
		free(options);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"a connection's life", test_life},
		{"first segments", test_first},
		{"picked up in the middle", test_pick_up},
		{"the window", test_window},
		{"resets", test_rst},
		{"challenges and steps back into sync", test_challenge},
		{"closing segments out of window", test_invalid_close},
		{"retransmissions", test_retransmissions},
		{"offload resets the window", test_offload},
		{"headers and flags", test_header},
		{"the fast path is the slow path", test_fast},
		{"hostile options", test_hostile_options},
		CU_TEST_INFO_NULL,
	};

	return unit_run("tcp", tests);
}
