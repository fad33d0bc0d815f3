/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "conntrack.h"
#include "frame.h"
#include "unit.h"

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN RTE_TCP_FIN_FLAG
#define RST RTE_TCP_RST_FLAG

static const uint64_t secret[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 77};

static struct conntrack ct;
static struct conntrack_config config;
static struct conntrack_shared shared;
static uint64_t now_ns;
static struct frame frame, other;

static void
pass_ms(uint64_t ms)
{
	now_ns += ms * NS_PER_MS;
	clock_inject(now_ns);
	conntrack_set_clock(&ct, now_ns);
}

static void
start(uint32_t max, uint32_t ready)
{
	/* The 32-bit clock wraps ten seconds after the start. */
	now_ns = (UINT32_MAX - 10000ULL) * NS_PER_MS;
	clock_inject(now_ns);
	tracker_defaults(&config.tracker);
	config.max = max;
	config.checksum = true;
	atomic_store(&shared.left, max);
	CU_ASSERT_EQUAL_FATAL(conntrack_init(&ct, 0, ready, secret, &config, &shared), 0);
	CU_ASSERT_PTR_EQUAL(conntrack_of(0), &ct);
}

/* Every pair and TCP state ever used is on its free list, once. */
static void
check_free(void)
{
	uint32_t count = 0;

	for (unsigned int i = 0; i < 2; i++) {
		const struct flow_table *table = &ct.table[i];

		count = 0;
		for (uint32_t pair = table->free_pair; pair != FLOW_NONE && count <= config.max;
			count++)
			memcpy(&pair, table->records + table->record_region.stride * pair,
				sizeof(pair));
		CU_ASSERT_EQUAL(count, table->fresh_pair);
		CU_ASSERT_EQUAL(table->pairs, 0);
		CU_ASSERT_EQUAL(table->index.count, 0);
		CU_ASSERT_EQUAL(table->alias_count, 0);
	}
	count = 0;
	for (uint32_t tcp = ct.free_tcp; tcp != CONN_TCP_NONE && count <= 2 * config.max; count++)
		memcpy(&tcp, &ct.tcp[tcp], sizeof(tcp));
	CU_ASSERT_EQUAL(count, ct.fresh_tcp);
}

static void
finish(void)
{
	conntrack_flush(&ct, 0);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT_EQUAL(ct.unconfirmed, 0);
	CU_ASSERT_EQUAL(ct.wheel.count, 0);
	CU_ASSERT_EQUAL(ct.created, ct.destroyed);
	CU_ASSERT_EQUAL(ct.lease + atomic_load(&shared.left), config.max);
	check_free();
	conntrack_fini(&ct);
	CU_ASSERT_PTR_NULL(conntrack_of(0));
	clock_restore();
}

/* The whole walk of a packet. */
static enum verdict
walk(struct frame *f)
{
	enum verdict verdict = conntrack_in(&ct, &f->pkt);

	if (verdict == VERDICT_ACCEPT)
		verdict = conntrack_confirm(&ct, &f->pkt);
	conntrack_packet_done(&ct);
	return verdict;
}

static enum verdict
pass(const struct tuple *t)
{
	return walk(frame_make(&frame, t, 0, 0, 0));
}

static enum verdict
send_tcp(const struct tuple *t, uint8_t flags, uint32_t seq, uint32_t ack)
{
	return walk(frame_make(&frame, t, flags, seq, ack));
}

static uint32_t
state(void)
{
	return conntrack_ops.state(&frame.pkt);
}

static unsigned int
sweep(void)
{
	return conntrack_expire(&ct, 1000000);
}

static struct tuple
udp_tuple(void)
{
	return tuple4(IPPROTO_UDP, IP(10, 0, 0, 1), 4000, IP(192, 0, 2, 1), 53);
}

static void
test_udp(void)
{
	struct tuple t = udp_tuple(), back = tuple_back(&t);
	uint64_t packets, bytes;
	uint32_t conn;

	start(1000, 100);
	CU_ASSERT_EQUAL(conntrack_in(&ct, &frame_make(&frame, &t, 0, 0, 0)->pkt), VERDICT_ACCEPT);
	conn = frame.pkt.conn;
	CU_ASSERT_NOT_EQUAL_FATAL(conn, CONN_NONE);
	CU_ASSERT_EQUAL(frame.pkt.flags & (PKT_UNCONFIRMED | PKT_CT_NEW | PKT_REPLY),
		PKT_UNCONFIRMED | PKT_CT_NEW);
	CU_ASSERT_EQUAL(ct.unconfirmed, 1);
	CU_ASSERT_EQUAL(ct.table[0].index.count, 0);
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &frame.pkt), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(ct.unconfirmed, 0);
	CU_ASSERT_EQUAL(ct.table[0].index.count, 2);
	CU_ASSERT_EQUAL(conn_status(&ct, conn), CT_CONFIRMED);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 30000);
	/* Until an answer comes every packet is new. */
	pass_ms(1000);
	CU_ASSERT_EQUAL(pass(&t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(frame.pkt.conn, conn);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	CU_ASSERT_EQUAL(pass(&back), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(frame.pkt.conn, conn);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	CU_ASSERT(frame.pkt.flags & PKT_REPLY);
	CU_ASSERT_EQUAL(conn_status(&ct, conn), CT_CONFIRMED | CT_SEEN_REPLY);
	pass_ms(1000);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 30000);
	/* Older than two seconds it is a stream. */
	pass_ms(1);
	pass(&t);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	CU_ASSERT_EQUAL(conn_status(&ct, conn), CT_CONFIRMED | CT_SEEN_REPLY | CT_ASSURED);
	CU_ASSERT(conntrack_ops.counters(&frame.pkt, 0, &packets, &bytes));
	CU_ASSERT(packets == 4 && bytes == 4 * 36);
	CU_ASSERT(conntrack_ops.counters(&frame.pkt, 1, &packets, &bytes));
	CU_ASSERT(packets == 1 && bytes == 36);
	pass_ms(119999);
	CU_ASSERT_EQUAL(sweep(), 0);
	pass_ms(1 + WHEEL_TICK_MS);
	CU_ASSERT_EQUAL(sweep(), 1);
	CU_ASSERT_EQUAL(ct.live, 0);
	finish();
}

/* nf_conntrack_udp_packet judges before the first answer counts as seen. */
static void
test_udp_late_reply(void)
{
	struct tuple t = udp_tuple(), back = tuple_back(&t);

	start(1000, 100);
	pass(&t);
	pass_ms(5000);
	pass(&back);
	CU_ASSERT_EQUAL(conn_status(&ct, frame.pkt.conn), CT_CONFIRMED | CT_SEEN_REPLY);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, frame.pkt.conn), 30000);
	pass_ms(10);
	pass(&back);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, frame.pkt.conn), 120000);
	CU_ASSERT(conn_status(&ct, frame.pkt.conn) & CT_ASSURED);
	finish();
}

static void
test_expired_is_absent(void)
{
	struct tuple t = udp_tuple(), back = tuple_back(&t);
	uint32_t id;

	start(1000, 100);
	pass(&t);
	CU_ASSERT(conntrack_ops.id(&frame.pkt, &id));
	pass_ms(29999);
	CU_ASSERT(conntrack_tuple_taken(&ct, &back, CONN_NONE));
	CU_ASSERT_FALSE(conntrack_tuple_taken(&ct, &back, frame.pkt.conn));
	pass_ms(1);
	/* No sweep so far: the answer that comes too late is a connection of its own. */
	pass(&back);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	CU_ASSERT_FALSE(frame.pkt.flags & PKT_REPLY);
	CU_ASSERT_NOT_EQUAL(conn_at(&ct, frame.pkt.conn)->id, id);
	CU_ASSERT(ct.created == 2 && ct.destroyed == 1);
	pass_ms(30000);
	CU_ASSERT_FALSE(conntrack_tuple_taken(&ct, &t, CONN_NONE));
	CU_ASSERT_EQUAL(ct.live, 0);
	finish();
}

static struct tuple
tcp_tuple(void)
{
	return tuple6(IPPROTO_TCP, 1, 40000, 2, 80);
}

/* SYN, SYN+ACK, ACK. Returns the connection. */
static uint32_t
handshake(const struct tuple *t, uint32_t seq)
{
	struct tuple back = tuple_back(t);
	uint32_t conn;

	CU_ASSERT_EQUAL(send_tcp(t, SYN, seq, 0), VERDICT_ACCEPT);
	conn = frame.pkt.conn;
	CU_ASSERT_NOT_EQUAL_FATAL(conn, CONN_NONE);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_SYN_SENT);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	send_tcp(&back, SYN | ACK, 9000, seq + 1);
	CU_ASSERT_EQUAL(frame.pkt.conn, conn);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_SYN_RECV);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 60000);
	send_tcp(t, ACK, seq + 1, 9001);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_ESTABLISHED);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 432000000);
	CU_ASSERT_EQUAL(conn_status(&ct, conn), CT_CONFIRMED | CT_SEEN_REPLY | CT_ASSURED);
	return conn;
}

static void
test_tcp_close(void)
{
	struct tuple t = tcp_tuple(), back = tuple_back(&t);
	uint32_t conn, id;

	start(1000, 100);
	conn = handshake(&t, 1000);
	CU_ASSERT_EQUAL(ct.table[1].index.count, 2);
	id = conn_at(&ct, conn)->id;
	pass_ms(5000);
	send_tcp(&t, FIN | ACK, 1001, 9001);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_FIN_WAIT);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	send_tcp(&back, ACK, 9001, 1002);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_CLOSE_WAIT);
	send_tcp(&back, FIN | ACK, 9001, 1002);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_LAST_ACK);
	send_tcp(&t, ACK, 1002, 9002);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_TIME_WAIT);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	/* A SYN reopens: the old connection is destroyed, a new one takes its place. */
	pass_ms(1000);
	CU_ASSERT_EQUAL(send_tcp(&t, SYN, 500000, 0), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	CU_ASSERT_NOT_EQUAL_FATAL(frame.pkt.conn, CONN_NONE);
	CU_ASSERT_NOT_EQUAL(conn_at(&ct, frame.pkt.conn)->id, id);
	CU_ASSERT(ct.live == 1 && ct.destroyed == 1);
	/* Shortened from 432,000 s it goes in time. */
	pass_ms(120000 + WHEEL_TICK_MS);
	CU_ASSERT_EQUAL(sweep(), 1);
	finish();
}

static void
test_tcp_reset(void)
{
	struct tuple t = tcp_tuple(), back = tuple_back(&t);
	uint32_t conn;

	start(1000, 100);
	conn = handshake(&t, 1000);
	send_tcp(&back, RST, 9001, 0);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->state, CT_TCP_CLOSE);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 10000);
	pass_ms(9999);
	CU_ASSERT_EQUAL(sweep(), 0);
	pass_ms(1 + WHEEL_TICK_MS);
	CU_ASSERT_EQUAL(sweep(), 1);
	/* A refused connection dies with the packet that refuses it, after its walk. */
	t.sport++;
	back = tuple_back(&t);
	send_tcp(&t, SYN, 1, 0);
	frame_make(&frame, &back, RST | ACK, 0, 2);
	CU_ASSERT_EQUAL(conntrack_in(&ct, &frame.pkt), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	CU_ASSERT_EQUAL(ct.live, 1);
	conntrack_packet_done(&ct);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT_EQUAL(ct.dying, CONN_NONE);
	/* No connection begins with SYN+ACK, nor with flags that exclude each other. */
	send_tcp(&t, SYN | ACK, 1, 1);
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	send_tcp(&t, SYN | RST, 1, 1);
	CU_ASSERT(frame.pkt.flags & PKT_CT_INVALID);
	CU_ASSERT_EQUAL(ct.invalid, 2);
	finish();
}

static void
test_tcp_idle(void)
{
	struct tuple t = tcp_tuple();
	uint32_t conn;

	start(1000, 100);
	conn = handshake(&t, 1000);
	/* Five days, in steps of 90 s and 190 s: the sweep looks every 64 s. */
	for (unsigned int i = 0; i < 4320; i++) {
		CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn),
			432000000 - i / 10 * 1000000 -
				(i % 10 == 0 ? 0 : 190000 + (i % 10 - 1) * 90000));
		pass_ms(i == 4319 ? 89999 : i % 10 == 0 ? 190000 : 90000);
		CU_ASSERT_EQUAL(sweep(), 0);
	}
	pass_ms(1 + WHEEL_TICK_MS);
	CU_ASSERT_EQUAL(sweep(), 1);
	finish();
}

static void
test_icmp(void)
{
	struct tuple any = tuple4(0, IP(10, 0, 0, 1), 0, IP(192, 0, 2, 1), 0);
	struct tuple t = tuple_icmp(any, ICMP_ECHO, 7), back = tuple_back(&t);

	start(1000, 100);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, frame.pkt.conn), 30000);
	pass(&back);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	CU_ASSERT(frame.pkt.flags & PKT_REPLY);
	/* An answer to nothing, and a type that nobody knows. */
	t = tuple_icmp(any, ICMP_ECHOREPLY, 8);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	t = tuple_icmp(any, 99, 8);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	CU_ASSERT_EQUAL(ct.live, 1);
	any = tuple6(0, 1, 0, 2, 0);
	t = tuple_icmp(any, ICMP6_ECHO_REQUEST, 7);
	back = tuple_back(&t);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_NEW);
	pass(&back);
	CU_ASSERT_EQUAL(state(), CT_STATE_ESTABLISHED);
	t = tuple_icmp(any, ND_NEIGHBOR_SOLICIT, 0);
	pass(&t);
	CU_ASSERT_EQUAL(state(), CT_STATE_UNTRACKED);
	CU_ASSERT_EQUAL(ct.live, 2);
	CU_ASSERT_EQUAL(ct.invalid, 2);
	finish();
}

/* Errors about a connection: both directions, both families. */
static void
errors(struct tuple t, uint8_t type, struct tuple router)
{
	struct tuple back = tuple_back(&t), to_src = t, to_dst = back;
	struct frame quoted;
	uint32_t conn;

	to_src.src = to_dst.src = router.src;
	to_src.dst = t.src;
	to_dst.dst = t.dst;
	pass(&t);
	conn = frame.pkt.conn;
	quoted = frame;
	CU_ASSERT_EQUAL(walk(frame_error(&frame, &to_src, type, &quoted)), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(frame.pkt.conn, conn);
	CU_ASSERT_EQUAL(state(), CT_STATE_RELATED);
	CU_ASSERT(frame.pkt.flags & PKT_REPLY);
	/* It neither counts nor renews. */
	CU_ASSERT_EQUAL(conn_tail(&ct, conn, 1)->packets, 0);
	CU_ASSERT_FALSE(conn_status(&ct, conn) & CT_SEEN_REPLY);
	/* Sent to somebody else. */
	walk(frame_error(&frame, &to_dst, type, &quoted));
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	pass(&back);
	quoted = frame;
	walk(frame_error(&frame, &to_dst, type, &quoted));
	CU_ASSERT_EQUAL(state(), CT_STATE_RELATED);
	CU_ASSERT_FALSE(frame.pkt.flags & PKT_REPLY);
	/* A dropped error does not take its connection along. */
	frame_error(&frame, &to_dst, type, &quoted);
	conntrack_in(&ct, &frame.pkt);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT(conn_at(&ct, conn)->status & CT_CONFIRMED);
	/* About a flow that nobody knows. */
	t.sport++;
	frame_make(&quoted, &t, 0, 0, 0);
	walk(frame_error(&frame, &to_src, type, &quoted));
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	CU_ASSERT_EQUAL(frame.pkt.conn, CONN_NONE);
	/* A quote that ends within its IP header. */
	quoted.pkt.ip_len = 12;
	walk(frame_error(&frame, &to_src, type, &quoted));
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
}

static void
test_errors(void)
{
	start(1000, 100);
	errors(udp_tuple(), ICMP_DEST_UNREACH, tuple4(0, IP(203, 0, 113, 9), 0, 0, 0));
	errors(tuple6(IPPROTO_UDP, 1, 4000, 2, 53), ICMP6_DST_UNREACH, tuple6(0, 9, 0, 0, 0));
	CU_ASSERT_EQUAL(ct.invalid, 6);
	CU_ASSERT_EQUAL(ct.live, 2);
	finish();
}

static void
test_checksum(void)
{
	struct tuple t = udp_tuple();

	start(1000, 100);
	for (unsigned int i = 0; i < 2; i++) {
		config.checksum = i == 0;
		frame_make(&frame, &t, 0, 0, 0);
		frame.bytes[frame.mbuf.data_len - 1] ^= 1;
		frame_parse(&frame, frame.mbuf.data_len);
		CU_ASSERT(frame.pkt.flags & PKT_L4_BAD);
		CU_ASSERT_EQUAL(walk(&frame), VERDICT_ACCEPT);
		CU_ASSERT_EQUAL(state(), i == 0 ? CT_STATE_INVALID : CT_STATE_NEW);
		CU_ASSERT_EQUAL(ct.live, i);
	}
	/* A length beyond the packet is invalid, whatever the switch says. */
	t.sport++;
	frame_make(&frame, &t, 0, 0, 0);
	frame.bytes[frame.pkt.l4_off + 5] = 200;
	frame_parse(&frame, frame.mbuf.data_len);
	walk(&frame);
	CU_ASSERT_EQUAL(state(), CT_STATE_INVALID);
	CU_ASSERT_EQUAL(ct.live, 1);
	finish();
}

static void
test_full(void)
{
	struct tuple t = udp_tuple();
	struct conntrack second;

	start(600, 600);
	CU_ASSERT_EQUAL_FATAL(conntrack_init(&second, 1, 10, secret, &config, &shared), 0);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 600; i++) {
			t.sport = (rte_be16_t)(i + 1);
			CU_ASSERT_EQUAL(pass(&t), VERDICT_ACCEPT);
		}
		CU_ASSERT_EQUAL(ct.live, 600);
		t.sport = 700;
		CU_ASSERT_EQUAL(pass(&t), VERDICT_DROP);
		CU_ASSERT_EQUAL(frame.pkt.drop, DROP_CT_FULL);
		CU_ASSERT_EQUAL(frame.pkt.conn, CONN_NONE);
		CU_ASSERT_EQUAL(ct.full, round + 1);
		/* No other worker may have more, either. */
		CU_ASSERT_EQUAL(
			conntrack_in(&second, &frame_make(&other, &t, 0, 0, 0)->pkt), VERDICT_DROP);
		/* Those that are there go on. */
		t.sport = 1;
		CU_ASSERT_EQUAL(pass(&t), VERDICT_ACCEPT);
		pass_ms(30000 + 2 * WHEEL_TICK_MS);
		CU_ASSERT_EQUAL(sweep(), 600);
		/* A worker keeps less than two leases; the others may have the rest. */
		CU_ASSERT(ct.lease < 512);
		CU_ASSERT_EQUAL(ct.lease + atomic_load(&shared.left), 600);
	}
	conntrack_fini(&second);
	finish();
}

/* Two unconfirmed connections want one reply tuple: the second to confirm loses. */
static void
test_clash(void)
{
	struct tuple t = udp_tuple(), u = t, reply;
	struct frame again;

	start(1000, 100);
	frame_make(&frame, &t, 0, 0, 0);
	conntrack_in(&ct, &frame.pkt);
	u.sport++;
	frame_make(&other, &u, 0, 0, 0);
	conntrack_in(&ct, &other.pkt);
	conn_tuple(&ct, frame.pkt.conn, 1, &reply);
	conntrack_set_reply(&ct, other.pkt.conn, &reply);
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &frame.pkt), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &other.pkt), VERDICT_DROP);
	CU_ASSERT_EQUAL(other.pkt.drop, DROP_CT_CLASH);
	CU_ASSERT_EQUAL(other.pkt.conn, CONN_NONE);
	CU_ASSERT(ct.live == 1 && ct.unconfirmed == 0 && ct.table[0].index.count == 2);
	/* A packet that was held can have been overtaken by its own tuple. */
	u.sport++;
	frame_make(&other, &u, 0, 0, 0);
	conntrack_in(&ct, &other.pkt);
	CU_ASSERT_EQUAL(conntrack_hold(&ct, other.pkt.conn), 0);
	frame_make(&again, &u, 0, 0, 0);
	CU_ASSERT_EQUAL(conntrack_in(&ct, &again.pkt), VERDICT_STOLEN);
	CU_ASSERT_EQUAL(again.pkt.conn, other.pkt.conn);
	conntrack_release(&ct, other.pkt.conn);
	CU_ASSERT_EQUAL(pass(&u), VERDICT_ACCEPT);
	CU_ASSERT_NOT_EQUAL(frame.pkt.conn, other.pkt.conn);
	other.pkt.flags |= PKT_HELD;
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &other.pkt), VERDICT_DROP);
	CU_ASSERT_EQUAL(other.pkt.drop, DROP_CT_CLASH);
	CU_ASSERT(ct.live == 2 && ct.table[0].index.count == 4);
	finish();
}

/* Dropped before confirm: nothing stays. A connection to itself has one entry. */
static void
test_forget(void)
{
	struct tuple t = tcp_tuple();

	start(1000, 100);
	frame_make(&frame, &t, SYN, 1, 0);
	conntrack_in(&ct, &frame.pkt);
	CU_ASSERT_EQUAL(ct.live, 1);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT_EQUAL(frame.pkt.conn, CONN_NONE);
	handshake(&t, 5);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT_EQUAL(ct.live, 1);
	t = udp_tuple();
	t.dst = t.src;
	t.dport = t.sport;
	CU_ASSERT_EQUAL(pass(&t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(ct.table[0].index.count, 1);
	conntrack_flush(&ct, FAMILY_IPV6);
	CU_ASSERT_EQUAL(ct.live, 1);
	conntrack_flush(&ct, FAMILY_IPV4);
	CU_ASSERT_EQUAL(ct.live, 0);
	finish();
}

/* Memory for one connection, then more as the control thread brings it. */
static void
test_growth(void)
{
	enum { CONNS = 150000 };
	unsigned int waits = 0;
	struct tuple t;

	start(2 * CONNS, 1);
	for (unsigned int i = 0; i < CONNS; i++) {
		uint8_t proto = i % 3 == 0 ? IPPROTO_TCP : IPPROTO_UDP;

		t = tuple4(proto, IP(10, i >> 16, i >> 8, i), 1024, IP(192, 0, 2, 1), 80);
		if (i % 2) {
			t.family = FAMILY_IPV6;
			t.src.w[3] = t.src.v4;
		}
		if (send_tcp(&t, SYN, 1, 0) == VERDICT_ACCEPT)
			continue;
		CU_ASSERT_EQUAL(frame.pkt.drop, DROP_CT_FULL);
		waits++;
		CU_ASSERT_EQUAL(conntrack_prepare(&ct), 0);
		CU_ASSERT_EQUAL_FATAL(send_tcp(&t, SYN, 1, 0), VERDICT_ACCEPT);
	}
	CU_ASSERT_EQUAL(ct.live, CONNS);
	CU_ASSERT(waits >= 2);
	CU_ASSERT_EQUAL(ct.table[0].index.count + ct.table[1].index.count, 2 * CONNS);
	/* The sweep's budget: no more than that many at once. */
	pass_ms(30000 + 2 * WHEEL_TICK_MS);
	for (unsigned int left = CONNS; left > CONNS / 3; left = ct.live) {
		unsigned int ended = conntrack_expire(&ct, 1000);

		CU_ASSERT(ended <= 1000);
		CU_ASSERT_EQUAL(ct.live, left - ended);
	}
	/* TCP's SYN lives longer. */
	CU_ASSERT_EQUAL(sweep(), 0);
	pass_ms(90000);
	CU_ASSERT_EQUAL(sweep(), CONNS / 3);
	CU_ASSERT_EQUAL(ct.live, 0);
	finish();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"UDP", test_udp},
		{"UDP, a late first answer", test_udp_late_reply},
		{"expired is absent", test_expired_is_absent},
		{"TCP opens, closes, reopens", test_tcp_close},
		{"TCP reset", test_tcp_reset},
		{"TCP idle for five days", test_tcp_idle},
		{"ICMP", test_icmp},
		{"ICMP errors", test_errors},
		{"checksums", test_checksum},
		{"conntrack.max", test_full},
		{"clash", test_clash},
		{"dropped packets", test_forget},
		{"growth", test_growth},
		CU_TEST_INFO_NULL,
	};

	return unit_run("conntrack", tests);
}
