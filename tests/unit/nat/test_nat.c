/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One worker: which tuple a connection gets, and what its packets become. */
#include <errno.h>

#include <rte_jhash.h>

#include "nat_rig.h"

#define PUBLIC IP(203, 0, 113, 1)
#define SERVER IP(192, 0, 2, 1)

static struct frame frame;

static struct tuple
host(unsigned int n, uint16_t port)
{
	return tuple4(IPPROTO_UDP, IP(10, 0, 0, n), port, SERVER, 53);
}

static uint16_t
sport(void)
{
	return rte_be_to_cpu_16(frame.pkt.tuple.sport);
}

/* The answer to the packet in frame arrives as the answer to t. */
static void
check_back(const struct tuple *t)
{
	struct tuple answer = tuple_back(&frame.pkt.tuple), want = tuple_back(t);
	uint32_t conn = frame.pkt.conn;
	struct frame f;

	CU_ASSERT_EQUAL(walk_tuple(&f, &answer), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(f.pkt.conn, conn);
	CU_ASSERT(f.pkt.flags & PKT_REPLY);
	CU_ASSERT(frame_is(&f, &want));
}

/* A second packet in the original direction becomes what the first became. */
static void
check_again(const struct tuple *t)
{
	struct tuple want = frame.pkt.tuple;
	struct frame f;

	CU_ASSERT_EQUAL(walk_tuple(&f, t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(f.pkt.conn, frame.pkt.conn);
	CU_ASSERT(frame_is(&f, &want));
}

static void
test_port_kept(void)
{
	struct tuple t = host(1, 5000), want = t;

	rig_start(1);
	snat = range_ip(PUBLIC, PUBLIC);
	want.src.v4 = PUBLIC;
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT(frame_is(&frame, &want));
	CU_ASSERT_EQUAL(conn_at(&ct, frame.pkt.conn)->status,
		CT_CONFIRMED | CT_SRC_NAT | CT_SRC_NAT_DONE | CT_DST_NAT_DONE);
	CU_ASSERT_EQUAL(nat.by_source.count, 1);
	check_back(&t);
	check_again(&t);
	rig_finish();
}

/* On a clash another port of the same class: 1-511, 600-1023, from 1024 on. */
static void
test_classes(void)
{
	static const uint16_t classes[][3] = {
		{511, 1, 511}, {512, 600, 1023}, {1023, 600, 1023}, {1024, 1024, 65535}};

	rig_start(1);
	snat = range_ip(PUBLIC, PUBLIC);
	for (unsigned int i = 0; i < RTE_DIM(classes); i++) {
		unsigned int others = 0;

		for (unsigned int n = 1; n <= 100; n++) {
			struct tuple t = host(n, classes[i][0]);

			t.dport = rte_cpu_to_be_16((uint16_t)(1000 + i));
			CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
			if (n == 1)
				CU_ASSERT_EQUAL(sport(), classes[i][0]);
			CU_ASSERT(n == 1 || sport() != classes[i][0]);
			CU_ASSERT(n == 1 || (sport() >= classes[i][1] && sport() <= classes[i][2]));
			others += sport() != classes[i][1] + n - 1;
			check_back(&t);
		}
		/* Chosen at random, not in turn. */
		CU_ASSERT(others > 50);
	}
	CU_ASSERT_EQUAL(nat.exhausted, 0);
	rig_finish();
}

static void
test_port_range(void)
{
	uint32_t seen = 0;
	struct tuple t;

	rig_start(1);
	snat = range_port(PUBLIC, 2000, 2009);
	/* In the range already: kept. */
	t = host(1, 2004);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(sport(), 2004);
	for (unsigned int n = 2; n <= 10; n++) {
		t = host(n, 5000);
		CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
		CU_ASSERT(sport() >= 2000 && sport() <= 2009);
		seen |= 1U << (sport() - 2000);
		check_back(&t);
	}
	CU_ASSERT_EQUAL(seen, 0x3ff & ~(1U << 4));
	t = host(11, 5000);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_DROP);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_NAT_EXHAUSTED);
	CU_ASSERT_EQUAL(nat.exhausted, 1);
	CU_ASSERT_EQUAL(ct.live, 10);
	/* To another server the ports are free; and so are those of a connection that ended. */
	t.dst.v4 = IP(192, 0, 2, 2);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	clock_advance(30 * NS_PER_SEC);
	conntrack_set_clock(&ct, clock_ns());
	t.dst.v4 = SERVER;
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	rig_finish();
}

static void
test_one_port(void)
{
	struct tuple t = host(1, 5000);

	rig_start(1);
	snat = range_port(PUBLIC, 3000, 3000);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(sport(), 3000);
	t = host(2, 5000);
	frame_make(&frame, &t, 0, 0, 0);
	CU_ASSERT_EQUAL(walk_in(&frame), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(nat_bind(&nat, &frame.pkt, &snat, NAT_MANIP_SRC), -ENOSPC);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_DROP);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_NAT_EXHAUSTED);
	/* Port 3000 itself fits: Linux binds it unasked, and drops at confirm. */
	t = host(3, 3000);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_DROP);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_CT_CLASH);
	CU_ASSERT_EQUAL(ct.live, 1);
	rig_finish();
}

/* reciprocal_scale of jhash2 over the source, as the kernel picks an address. */
static uint32_t
predict(uint32_t src, uint32_t init, uint32_t min, uint32_t max)
{
	uint32_t words[4] = {src};

	return min + (uint32_t)((uint64_t)rte_jhash_32b(words, 4, init) * (max - min + 1) >> 32);
}

static void
test_address_range(void)
{
	const uint32_t min = 0xcb007101, max = 0xcb007132;
	unsigned int reused = 0;

	for (unsigned int persistent = 0; persistent < 2; persistent++) {
		rig_start(1);
		snat = range_ip(rte_cpu_to_be_32(min), rte_cpu_to_be_32(max));
		if (persistent)
			snat.flags |= NAT_RANGE_PERSISTENT;
		for (unsigned int n = 1; n <= 100; n++) {
			struct tuple t = host(n, 5000), u;
			uint16_t port;
			rte_be32_t first;

			CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
			first = frame.pkt.tuple.src.v4;
			port = sport();
			CU_ASSERT_EQUAL(rte_be_to_cpu_32(first),
				predict(t.src.v4, persistent ? 0 : t.dst.v4, min, max));
			/* The same source keeps its mapping, whatever the hash says now. */
			u = t;
			u.dst.v4 = IP(198, 51, 100, n);
			CU_ASSERT_EQUAL(walk_tuple(&frame, &u), VERDICT_ACCEPT);
			CU_ASSERT_EQUAL(frame.pkt.tuple.src.v4, first);
			CU_ASSERT_EQUAL(sport(), port);
			reused += predict(t.src.v4, persistent ? 0 : u.dst.v4, min, max) !=
				  rte_be_to_cpu_32(first);
			check_back(&u);
		}
		rig_finish();
	}
	CU_ASSERT(reused > 50);
}

/* The kernel mixes in the destination word that it has just written. */
static void
test_address_range6(void)
{
	struct tuple t = tuple6(IPPROTO_UDP, 1, 5000, 2, 53);
	union address want;
	uint32_t j;

	rig_start(1);
	dnat.flags = NAT_RANGE_MAP_IPS;
	dnat.min_addr = dnat.max_addr = t.dst;
	dnat.min_addr.v6[7] = 1;
	dnat.max_addr.v6[7] = 200;
	dnat.max_addr.v6[15] = 99;
	j = rte_jhash_32b(t.src.w, 4, t.dst.w[3]);
	want = t.dst;
	j ^= want.w[0];
	want.w[1] = rte_cpu_to_be_32(1 + (uint32_t)((uint64_t)j * 200 >> 32));
	for (unsigned int i = 2; i < 4; i++) {
		j ^= want.w[i - 1];
		want.w[i] = rte_cpu_to_be_32((uint32_t)((uint64_t)j * 0xffffffff >> 32));
	}
	CU_ASSERT_NOT_EQUAL(want.w[1], dnat.max_addr.w[1]);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(memcmp(&frame.pkt.tuple.dst, &want, sizeof(want)), 0);
	check_back(&t);
	rig_finish();
}

/* Without a rule the port is kept, unless it would clash. */
static void
test_null_binding(void)
{
	struct tuple t = host(1, 5000), own = t;

	rig_start(1);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT(frame_is(&frame, &t));
	CU_ASSERT_EQUAL(conn_at(&ct, frame.pkt.conn)->status,
		CT_CONFIRMED | CT_SRC_NAT_DONE | CT_DST_NAT_DONE);
	t = host(2, 5000);
	snat = range_ip(PUBLIC, PUBLIC);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(sport(), 5000);
	memset(&snat, 0, sizeof(snat));
	own.src.v4 = PUBLIC;
	CU_ASSERT_EQUAL(walk_tuple(&frame, &own), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(frame.pkt.tuple.src.v4, PUBLIC);
	CU_ASSERT(sport() != 5000 && sport() >= 1024);
	CU_ASSERT(conn_at(&ct, frame.pkt.conn)->status & CT_SRC_NAT);
	CU_ASSERT(frame_is(&frame, &frame.pkt.tuple));
	check_back(&own);
	rig_finish();
}

static void
test_dnat(void)
{
	struct tuple t = tuple4(IPPROTO_TCP, SERVER, 5000, PUBLIC, 80), want = t, direct;

	rig_start(1);
	dnat = range_port(IP(10, 0, 0, 5), 8080, 8080);
	want.dst.v4 = IP(10, 0, 0, 5);
	want.dport = rte_cpu_to_be_16(8080);
	CU_ASSERT_EQUAL(walk_in(frame_make(&frame, &t, RTE_TCP_SYN_FLAG, 1, 0)), VERDICT_ACCEPT);
	CU_ASSERT(frame_is(&frame, &want));
	CU_ASSERT_EQUAL(walk_out(&frame), VERDICT_ACCEPT);
	CU_ASSERT(frame_is(&frame, &want));
	CU_ASSERT_EQUAL(
		conn_at(&ct, frame.pkt.conn)->status & (CT_SRC_NAT | CT_DST_NAT), CT_DST_NAT);
	CU_ASSERT_EQUAL(nat.by_source.count, 0);
	/* SYN+ACK travels back through both hooks. */
	want = tuple_back(&want);
	CU_ASSERT_EQUAL(walk(frame_make(&frame, &want, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, 7, 2)),
		VERDICT_ACCEPT);
	want = tuple_back(&t);
	CU_ASSERT(frame_is(&frame, &want));
	/*
	 * The same client has a connection to the inner address itself: the
	 * destination is bound all the same, and the source's port gives way.
	 */
	for (unsigned int ports = 0; ports < 2; ports++) {
		dnat = (struct nat_range){0};
		direct = tuple4(IPPROTO_UDP, SERVER, 6000, IP(10, 0, 0, 6 + ports), 80);
		CU_ASSERT_EQUAL(walk_tuple(&frame, &direct), VERDICT_ACCEPT);
		t = tuple4(IPPROTO_UDP, SERVER, 6000, PUBLIC, 80);
		dnat = ports ? range_port(direct.dst.v4, 80, 80)
			     : range_ip(direct.dst.v4, direct.dst.v4);
		t.dport = rte_cpu_to_be_16(ports ? 81 : 80);
		CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
		CU_ASSERT_EQUAL(frame.pkt.tuple.dst.v4, direct.dst.v4);
		CU_ASSERT_EQUAL(frame.pkt.tuple.dport, direct.dport);
		CU_ASSERT(sport() != 6000 && sport() >= 1024);
		check_back(&t);
	}
	rig_finish();
}

/* Both ends of one connection, IPv6. */
static void
test_both6(void)
{
	struct tuple t = tuple6(IPPROTO_UDP, 1, 5000, 2, 53);

	rig_start(1);
	dnat.flags = snat.flags = NAT_RANGE_MAP_IPS;
	dnat.min_addr = dnat.max_addr = tuple6(IPPROTO_UDP, 3, 0, 4, 0).dst;
	snat.min_addr = snat.max_addr = tuple6(IPPROTO_UDP, 3, 0, 4, 0).src;
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(frame.pkt.tuple.src.v6[15], 3);
	CU_ASSERT_EQUAL(frame.pkt.tuple.dst.v6[15], 4);
	CU_ASSERT(frame_is(&frame, &frame.pkt.tuple));
	check_back(&t);
	check_again(&t);
	rig_finish();
}

static void
test_icmp(void)
{
	uint16_t first;

	rig_start(1);
	snat = range_ip(PUBLIC, PUBLIC);
	for (unsigned int n = 1; n <= 2; n++) {
		struct tuple t = tuple_icmp(host(n, 0), ICMP_ECHO, 77);

		CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
		CU_ASSERT(frame_is(&frame, &frame.pkt.tuple));
		if (n == 1)
			CU_ASSERT_EQUAL(first = sport(), 77);
		CU_ASSERT(n == 1 || sport() != first);
		check_back(&t);
		check_again(&t);
	}
	rig_finish();
}

/* An error about what went out translated comes in as one about what was sent. */
static void
test_error(void)
{
	struct tuple t = host(1, 5000), router = host(0, 0), quoted;
	struct frame sent, error;
	uint16_t l3, l4;

	rig_start(1);
	snat = range_port(PUBLIC, 2000, 2000);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	sent = frame;
	router.src.v4 = IP(198, 51, 100, 7);
	router.dst.v4 = PUBLIC;
	frame_error(&error, &router, ICMP_DEST_UNREACH, &sent);
	/* A masqueraded connection's error may leave by any port. */
	conn_at(&ct, frame.pkt.conn)->flags |= CONN_MASQUERADE;
	CU_ASSERT_EQUAL(walk(&error), VERDICT_ACCEPT);
	CU_ASSERT(error.pkt.flags & PKT_RELATED);
	router.dst = t.src;
	router = tuple_icmp(router, ICMP_DEST_UNREACH, 0);
	CU_ASSERT(frame_is(&error, &router));
	CU_ASSERT_EQUAL(pkt_parse_quote(&error.pkt, &quoted, &l3, &l4), 0);
	CU_ASSERT(tuple_equal(&quoted, &t));
	rig_finish();
}

/* nf_nat_oif_changed: the packet that leaves by another port ends the connection. */
static void
test_egress(void)
{
	struct tuple t = host(1, 5000), back;
	struct frame answer, error;
	uint32_t conn;

	rig_start(1);
	snat = range_ip(PUBLIC, PUBLIC);
	CU_ASSERT_EQUAL(walk_in(frame_make(&frame, &t, 0, 0, 0)), VERDICT_ACCEPT);
	conn = frame.pkt.conn;
	conn_at(&ct, conn)->flags |= CONN_MASQUERADE;
	conn_at(&ct, conn)->egress = 3;
	CU_ASSERT_EQUAL(walk_out(&frame), VERDICT_ACCEPT);
	/* Answers, and errors about answers, may leave by any. */
	back = tuple_back(&frame.pkt.tuple);
	CU_ASSERT_EQUAL(walk_tuple(&answer, &back), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(walk(frame_error(&error, &t, ICMP_DEST_UNREACH, &answer)), VERDICT_ACCEPT);
	CU_ASSERT(error.pkt.flags & PKT_RELATED);
	CU_ASSERT_FALSE(error.pkt.flags & PKT_REPLY);
	CU_ASSERT_EQUAL(ct.live, 1);
	for (uint16_t port = 3; port <= 4; port++) {
		CU_ASSERT_EQUAL(walk_in(frame_make(&frame, &t, 0, 0, 0)), VERDICT_ACCEPT);
		frame.pkt.out_port = port;
		CU_ASSERT_EQUAL(walk_out(&frame), port == 3 ? VERDICT_ACCEPT : VERDICT_DROP);
	}
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_NAT_EGRESS_CHANGED);
	CU_ASSERT_EQUAL(ct.live, 0);
	rig_finish();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"a free port is kept", test_port_kept},
		{"port classes", test_classes},
		{"a range of ports", test_port_range},
		{"a range of one port", test_one_port},
		{"a range of addresses, mappings reused", test_address_range},
		{"a range of IPv6 destinations", test_address_range6},
		{"the null binding", test_null_binding},
		{"destinations", test_dnat},
		{"both ends, IPv6", test_both6},
		{"ICMP identifiers", test_icmp},
		{"ICMP errors", test_error},
		{"a changed egress", test_egress},
		{"elsewhere: granted", test_granted},
		{"elsewhere: taken", test_taken},
		{"elsewhere: a whole range taken", test_all_taken},
		{"elsewhere: gone before the answer", test_gone},
		{"elsewhere: packets held", test_hold_bound},
		{"elsewhere: no room to ask", test_ring_full},
		CU_TEST_INFO_NULL,
	};

	return unit_run("nat", tests);
}
