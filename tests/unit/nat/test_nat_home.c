/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two workers: the home of a reply tuple may be the other one. */
#include <errno.h>

#include "nat_rig.h"

#define PUBLIC IP(203, 0, 113, 1)

static struct frame frame, behind[NAT_HOLD_PACKETS + 1];
static struct rte_mbuf *back[NAT_HOLD_PACKETS];

/* A flow whose reply, its source translated and its port kept, has this home. */
static struct tuple
flow_of_home(uint8_t home, unsigned int skip)
{
	for (uint16_t port = 20000;; port++) {
		struct tuple t = tuple4(IPPROTO_UDP, IP(10, 0, 0, 1), port, IP(192, 0, 2, 1), 53);
		struct tuple out = t;

		out.src.v4 = PUBLIC;
		if (home_of(nat.homes, tuple_fold(&out)) == home && skip-- == 0)
			return t;
	}
}

static void
start(void)
{
	rig_start(2);
	snat = range_ip(PUBLIC, PUBLIC);
}

static unsigned int
answer(bool taken)
{
	struct nat_answer a = {
		.conn = asked.conn,
		.id = conn_at(&ct, asked.conn)->id,
		.reply = asked.reply,
		.home = asked.home,
		.taken = taken,
	};

	return nat_answer(&nat, &a, back);
}

/* Send the first packet of a flow whose home is the other worker: it is held. */
static void
ask(const struct tuple *t)
{
	struct tuple out = *t;

	out.src.v4 = PUBLIC;
	CU_ASSERT_EQUAL_FATAL(walk_tuple(&frame, t), VERDICT_STOLEN);
	CU_ASSERT_EQUAL(asked.home, 1);
	CU_ASSERT_EQUAL(asked.conn, frame.pkt.conn);
	out = tuple_back(&out);
	CU_ASSERT(tuple_equal(&asked.reply, &out));
	CU_ASSERT(frame_is(&frame, t));
	CU_ASSERT(nat.held_connections == 1 && nat.held_packets == 1);
}

void
test_granted(void)
{
	struct tuple t, out;

	start();
	/* At home nobody is asked. */
	t = flow_of_home(0, 0);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(asked.asked, 0);
	t = out = flow_of_home(1, 0);
	out.src.v4 = PUBLIC;
	ask(&t);
	CU_ASSERT_EQUAL(answer(false), 1);
	CU_ASSERT_PTR_EQUAL(back[0], &frame.mbuf);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_COUNT);
	CU_ASSERT(frame_is(&frame, &out));
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &frame.pkt), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(conn_at(&ct, frame.pkt.conn)->alias_at, 1);
	CU_ASSERT_EQUAL(asked.unreserved, 0);
	/* The alias goes with the connection. */
	conntrack_destroy(&ct, frame.pkt.conn);
	CU_ASSERT_EQUAL(asked.unreserved, 1);
	CU_ASSERT_EQUAL(asked.home, 1);
	out = tuple_back(&out);
	CU_ASSERT(tuple_equal(&asked.reply, &out));
	rig_finish();
}

/* "Taken": another port, one whose home is here. */
void
test_taken(void)
{
	struct tuple t, now;

	start();
	t = flow_of_home(1, 0);
	ask(&t);
	CU_ASSERT_EQUAL(answer(true), 1);
	CU_ASSERT_EQUAL(nat.clashes, 1);
	CU_ASSERT_EQUAL(asked.asked, 1);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_COUNT);
	now = frame.pkt.tuple;
	CU_ASSERT_EQUAL(now.src.v4, PUBLIC);
	CU_ASSERT_NOT_EQUAL(now.sport, t.sport);
	CU_ASSERT(rte_be_to_cpu_16(now.sport) >= 1024);
	CU_ASSERT_EQUAL(home_of(nat.homes, tuple_fold(&now)), 0);
	CU_ASSERT(frame_is(&frame, &now));
	CU_ASSERT_EQUAL(conntrack_confirm(&ct, &frame.pkt), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(conn_at(&ct, frame.pkt.conn)->alias_at, CONN_ALIAS_NONE);
	CU_ASSERT_EQUAL(nat.by_source.count, 1);
	/* The answer to it comes home and is translated back. */
	now = tuple_back(&now);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &now), VERDICT_ACCEPT);
	now = tuple_back(&t);
	CU_ASSERT(frame_is(&frame, &now));
	rig_finish();
	CU_ASSERT_EQUAL(asked.unreserved, 0);
}

/* The range has one port, and its home says no each time. */
void
test_all_taken(void)
{
	unsigned int answers = 0;
	struct tuple t;

	start();
	t = flow_of_home(1, 0);
	snat = range_port(PUBLIC, rte_be_to_cpu_16(t.sport), rte_be_to_cpu_16(t.sport));
	ask(&t);
	while (answer(true) == 0 && answers < 100)
		answers++;
	CU_ASSERT(answers >= 1 && answers < 100);
	CU_ASSERT_EQUAL(asked.asked, answers + 1);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_NAT_EXHAUSTED);
	CU_ASSERT_EQUAL(frame.pkt.conn, CONN_NONE);
	CU_ASSERT_EQUAL(ct.live, 0);
	rig_finish();
	CU_ASSERT_EQUAL(asked.unreserved, 0);
}

/* The connection goes, and its number to another one, before the answer comes. */
void
test_gone(void)
{
	struct tuple t, u;

	for (unsigned int taken = 0; taken < 2; taken++) {
		struct nat_answer a = {.taken = taken, .home = 1};

		start();
		t = flow_of_home(1, 0);
		u = flow_of_home(0, 0);
		ask(&t);
		a.conn = asked.conn;
		a.id = conn_at(&ct, asked.conn)->id;
		a.reply = asked.reply;
		frame_make(&behind[0], &t, 0, 0, 0);
		CU_ASSERT_EQUAL(walk_in(&behind[0]), VERDICT_STOLEN);
		CU_ASSERT_EQUAL(nat_hold_behind(&nat, &behind[0].pkt), VERDICT_STOLEN);
		conntrack_destroy(&ct, asked.conn);
		CU_ASSERT_EQUAL(asked.unreserved, 0);
		CU_ASSERT_EQUAL(walk_tuple(&behind[1], &u), VERDICT_ACCEPT);
		CU_ASSERT_EQUAL(behind[1].pkt.conn, a.conn);
		CU_ASSERT_EQUAL(nat_answer(&nat, &a, back), 2);
		CU_ASSERT_EQUAL(asked.unreserved, 1 - taken);
		CU_ASSERT(taken || tuple_equal(&asked.reply, &a.reply));
		/* No packet is lost: the first says why it goes no further. */
		CU_ASSERT_PTR_EQUAL(back[0], &frame.mbuf);
		CU_ASSERT_PTR_EQUAL(back[1], &behind[0].mbuf);
		CU_ASSERT_NOT_EQUAL(frame.pkt.drop, DROP_COUNT);
		CU_ASSERT_EQUAL(frame.pkt.conn, CONN_NONE);
		CU_ASSERT_EQUAL(ct.live, 1);
		/* A second answer to the same question finds nobody. */
		CU_ASSERT_EQUAL(nat_answer(&nat, &a, back), 0);
		rig_finish();
	}
}

/* Packets wait in order, and no more than there is room for. */
void
test_hold_bound(void)
{
	struct tuple t;

	start();
	t = flow_of_home(1, 0);
	ask(&t);
	for (unsigned int i = 0; i < NAT_HOLD_PACKETS; i++) {
		bool room = i < NAT_HOLD_PACKETS - 1;

		frame_make(&behind[i], &t, 0, 0, 0);
		CU_ASSERT_EQUAL(walk_in(&behind[i]), VERDICT_STOLEN);
		CU_ASSERT_EQUAL(nat_hold_behind(&nat, &behind[i].pkt),
			room ? VERDICT_STOLEN : VERDICT_DROP);
		CU_ASSERT(room || behind[i].pkt.drop == DROP_CT_HOLD_FULL);
	}
	CU_ASSERT_EQUAL(nat.held_packets, NAT_HOLD_PACKETS);
	CU_ASSERT_EQUAL(answer(false), NAT_HOLD_PACKETS);
	CU_ASSERT_PTR_EQUAL(back[0], &frame.mbuf);
	for (unsigned int i = 1; i < NAT_HOLD_PACKETS; i++)
		CU_ASSERT_PTR_EQUAL(back[i], &behind[i - 1].mbuf);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT_EQUAL(asked.unreserved, 1);
	rig_finish();
}

/* No way to ask, or no hold free: dropped with a reason, nothing stays. */
void
test_ring_full(void)
{
	static struct frame frames[NAT_HOLDS];
	struct tuple t;

	start();
	t = flow_of_home(1, 0);
	asked.answer = -ENOSPC;
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_DROP);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_HANDOFF_FULL);
	CU_ASSERT_EQUAL(ct.live, 0);
	asked.answer = 0;
	for (unsigned int i = 0; i < NAT_HOLDS; i++) {
		t = flow_of_home(1, i);
		CU_ASSERT_EQUAL(walk_tuple(&frames[i], &t), VERDICT_STOLEN);
	}
	t = flow_of_home(1, NAT_HOLDS);
	CU_ASSERT_EQUAL(walk_tuple(&frame, &t), VERDICT_DROP);
	CU_ASSERT_EQUAL(frame.pkt.drop, DROP_CT_HOLD_FULL);
	CU_ASSERT_EQUAL(nat.held_connections, NAT_HOLDS);
	for (unsigned int i = 0; i < NAT_HOLDS; i++) {
		asked.conn = frames[i].pkt.conn;
		CU_ASSERT_EQUAL(answer(false), 1);
		CU_ASSERT_EQUAL(conntrack_confirm(&ct, &frames[i].pkt), VERDICT_ACCEPT);
	}
	CU_ASSERT_EQUAL(ct.live, NAT_HOLDS);
	rig_finish();
	CU_ASSERT_EQUAL(asked.unreserved, NAT_HOLDS);
}
