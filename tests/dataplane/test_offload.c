/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Offload on the modelled NIC, step by step and on the injected clock: what
 * comes to a worker and what does not, what is left behind, and who gets a tuple
 * whose rule is still in the NIC.
 */
#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <stdio.h>

#include <rte_tcp.h>

#include "nic.h"
#include "offload.h"
#include "worker.h"

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN RTE_TCP_FIN_FLAG
#define RST RTE_TCP_RST_FLAG

/* A connection, as its two ends see it. */
struct talk {
	uint8_t proto;
	bool ipv6;
	bool forward; /* through the port forward, else through the masquerade */
	uint16_t port;
	const char *host; /* on lan; NULL: .10 */
	uint16_t seen;	  /* the port by which wan knows it, 0: the same */
	uint32_t seq[2];
};

static const struct talk kinds[] = {
	{.proto = IPPROTO_TCP, .port = 6000},
	{.proto = IPPROTO_TCP, .port = 6001, .forward = true},
	{.proto = IPPROTO_UDP, .port = 6002},
	{.proto = IPPROTO_UDP, .port = 6003, .forward = true},
	{.proto = IPPROTO_TCP, .port = 6004, .ipv6 = true},
	{.proto = IPPROTO_UDP, .port = 6005, .ipv6 = true},
};

static struct dp_packet
packet_of(const struct talk *t, bool reply)
{
	const char *server = t->ipv6 ? "2001:db8:99::7" : "198.51.100.7";
	const char *router = t->ipv6 ? "2001:db8:f::1" : "203.0.113.1";
	const char *host = t->host != NULL ? t->host : t->ipv6 ? "2001:db8:1::10" : "10.0.1.10";
	struct dp_packet p = {.proto = t->proto};

	if (t->forward) {
		p = reply ? (struct dp_packet){.port = LAN,
				    .src = host,
				    .dst = server,
				    .sport = 80,
				    .dport = t->port}
			  : (struct dp_packet){.port = WAN,
				    .src = server,
				    .dst = router,
				    .sport = t->port,
				    .dport = 8080};
	} else {
		p = reply ? (struct dp_packet){.port = WAN,
				    .src = server,
				    .dst = router,
				    .sport = 80,
				    .dport = t->seen != 0 ? t->seen : t->port}
			  : (struct dp_packet){.port = LAN,
				    .src = host,
				    .dst = server,
				    .sport = t->port,
				    .dport = 80};
	}
	p.proto = t->proto;
	return p;
}

static void
say(struct talk *t, bool reply, uint8_t flags, uint16_t payload)
{
	struct dp_packet p = packet_of(t, reply);

	p.tcp_flags = flags;
	p.payload = payload;
	p.seq = t->seq[reply];
	p.ack = flags & ACK ? t->seq[!reply] : 0;
	t->seq[reply] += payload + ((flags & (SYN | FIN)) != 0);
	dp_put(&p);
}

static unsigned int
drain(enum dp_port port)
{
	struct dp_frame frame;
	unsigned int n = 0;

	while (dp_receive(port, &frame))
		n++;
	return n;
}

/* Established in both directions, by the slow walk. */
static void
begin(struct talk *t)
{
	t->seq[0] = 1000;
	t->seq[1] = 9000;
	if (t->proto == IPPROTO_TCP) {
		say(t, false, SYN, 0);
		dp_settle();
		say(t, true, SYN | ACK, 0);
		dp_settle();
	}
	for (unsigned int i = 0; i < 2; i++) {
		say(t, false, ACK, 0);
		dp_settle();
		say(t, true, ACK, 0);
		dp_settle();
	}
	drain(LAN);
	drain(WAN);
}

/* And in the NIC. */
static void
begin_live(struct talk *t)
{
	uint64_t before = offload_live(dp_offload_of());

	begin(t);
	dp_offload();
	CU_ASSERT_EQUAL(offload_live(dp_offload_of()), before + 2);
	CU_ASSERT_EQUAL(nic_rules(), before + 2);
}

static void
start(struct dp_setup setup)
{
	setup.offload = true;
	setup.masquerade = true;
	setup.port_forward = true;
	dp_start(&setup);
	nic_rules_zero();
}

static uint64_t
to_workers(void)
{
	uint64_t n = 0;

	for (unsigned int w = 0; w < path_workers(dp_path()); w++)
		n += path_counters(dp_path(), w)->received;
	return n;
}

/* Rounds until no rule is left in the NIC. */
static void
rounds(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		dp_offload();
}

/* The NIC's counts are taken: from now on it is idle. */
static void
poll(void)
{
	clock_advance(2 * NS_PER_SEC);
	rounds(8);
}

/* Nothing is left anywhere. */
static void
all_gone(void)
{
	for (unsigned int i = 0; i < 20 && dp_connections() != 0; i++) {
		clock_advance(NS_PER_SEC / 10);
		dp_offload();
		dp_settle();
	}
	CU_ASSERT_EQUAL(dp_connections(), 0);
	CU_ASSERT_EQUAL(offload_live(dp_offload_of()), 0);
	CU_ASSERT_EQUAL(nic_rules(), 0);
	for (unsigned int w = 0; w < path_workers(dp_path()); w++) {
		struct conntrack *ct = path_conntrack(dp_path(), w);

		CU_ASSERT_EQUAL(ct->lingering, 0);
		CU_ASSERT_EQUAL(ct->unconfirmed, 0);
		CU_ASSERT_EQUAL(ct->table[0].index.count + ct->table[1].index.count, 0);
		CU_ASSERT_EQUAL(path_nat(dp_path(), w)->by_source.count, 0);
		CU_ASSERT_EQUAL(dp_worker(w)->rules_out, 0);
		CU_ASSERT_EQUAL(dp_worker(w)->rules_old, 0);
	}
}

/* What the NIC has forwarded, its own counters and the wires' agree. */
static void
counts_agree(unsigned int lan_received, unsigned int wan_received)
{
	static const enum dp_port ports[] = {LAN, WAN};

	for (unsigned int i = 0; i < 2; i++) {
		struct nicmodel_stats s = nic_stats(ports[i]);

		CU_ASSERT_EQUAL(s.wire_tx, ports[i] == LAN ? lan_received : wan_received);
		CU_ASSERT_EQUAL(s.wire_rx, s.forwarded + s.received + s.missed + s.dropped);
		CU_ASSERT_EQUAL(s.missed + s.dropped, 0);
	}
}

/* The payload of a frame, byte for byte. */
static bool
intact(const struct dp_frame *frame, const struct talk *t, uint16_t payload)
{
	unsigned int at = 14U + (t->ipv6 ? 40 : 20) + (t->proto == IPPROTO_TCP ? 20 : 8);

	if (frame->len < at + payload)
		return false;
	for (unsigned int i = 0; i < payload; i++)
		if (frame->bytes[at + i] != (uint8_t)i)
			return false;
	return true;
}

/* Frames of one direction out of a port: as they ought to be. */
static unsigned int
arrive(enum dp_port port, const struct talk *t, bool reply, uint16_t payload)
{
	struct dp_packet back = packet_of(t, !reply);
	struct dp_frame frame;
	struct dp_seen seen;
	unsigned int n = 0;

	while (dp_receive(port, &frame)) {
		CU_ASSERT_TRUE_FATAL(dp_see(port, &frame, &seen));
		CU_ASSERT_STRING_EQUAL(seen.src, back.dst);
		CU_ASSERT_STRING_EQUAL(seen.dst, back.src);
		CU_ASSERT_EQUAL(seen.sport, back.dport);
		CU_ASSERT_EQUAL(seen.dport, back.sport);
		CU_ASSERT_EQUAL(seen.ttl, 63);
		CU_ASSERT_TRUE(seen.sums_ok && seen.macs_ok);
		CU_ASSERT_TRUE(intact(&frame, t, payload));
		n++;
	}
	return n;
}

/* A thousand packets each way: none comes to a worker, all arrive, all are counted. */
static void
test_bulk(void)
{
	enum { BULK = 1000 };

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct talk t = kinds[k];
		enum dp_port out = t.forward ? LAN : WAN, in = t.forward ? WAN : LAN;
		unsigned int received[2] = {0}, before[DP_PORTS];
		uint64_t cpu, effects, packets[2];

		start((struct dp_setup){0});
		begin_live(&t);
		cpu = to_workers();
		effects = path_effects(dp_path(), 1).packets;
		for (unsigned int d = 0; d < 2; d++)
			packets[d] = conn_tail(path_conntrack(dp_path(), 0), t.ipv6, d)->packets;
		before[LAN] = (unsigned int)nic_stats(LAN).wire_tx;
		before[WAN] = (unsigned int)nic_stats(WAN).wire_tx;
		for (unsigned int i = 0; i < BULK; i++) {
			say(&t, false, ACK, 900);
			say(&t, true, ACK, 400);
			dp_settle();
			received[0] += arrive(out, &t, false, 900);
			received[1] += arrive(in, &t, true, 400);
		}
		CU_ASSERT_EQUAL(received[0], BULK);
		CU_ASSERT_EQUAL(received[1], BULK);
		CU_ASSERT_EQUAL(to_workers(), cpu);
		counts_agree(before[LAN] + BULK, before[WAN] + BULK);
		/* Its records and its path have them when the NIC was asked. */
		poll();
		for (unsigned int d = 0; d < 2; d++)
			CU_ASSERT_EQUAL(conn_tail(path_conntrack(dp_path(), 0), t.ipv6, d)->packets,
				packets[d] + BULK);
		CU_ASSERT_EQUAL(path_effects(dp_path(), 1).packets, effects + 2 * BULK);
		CU_ASSERT_EQUAL(path_counters(dp_path(), 0)->hardware, 2 * BULK);
		dp_stop();
	}
}

/* What a guard keeps out of hardware comes up although the rule is live. */
static void
test_guards(void)
{
	struct talk t = kinds[0];
	struct dp_packet p;
	uint64_t cpu;

	start((struct dp_setup){0});
	begin_live(&t);
	cpu = to_workers();
	p = packet_of(&t, false);
	p.tcp_flags = ACK;
	p.seq = t.seq[0];
	p.ack = t.seq[1];
	p.ttl = 1;
	dp_put(&p);
	dp_settle();
	CU_ASSERT_EQUAL(drain(LAN), 1); /* time exceeded */
	p.ttl = 64;
	p.fragment = 0x2000;
	dp_put(&p);
	p.fragment = 0;
	p.tcp_flags = SYN;
	dp_put(&p);
	dp_settle();
	CU_ASSERT_EQUAL(to_workers(), cpu + 3);
	CU_ASSERT_EQUAL(dp_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_FRAGMENT), 1);
	/* None of them ends what the NIC does. */
	dp_offload();
	CU_ASSERT_EQUAL(nic_rules(), 2);
	dp_stop();
}

static void
close_by_fin(struct talk *t)
{
	say(t, false, FIN | ACK, 0);
	dp_settle();
	say(t, true, FIN | ACK, 0);
	dp_settle();
	say(t, false, ACK, 0);
	dp_settle();
}

/* FIN, RST, silence and a killed client: nothing is left, by the NIC's own count. */
static void
test_ends(void)
{
	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned int way = 0; way < 3; way++) {
			struct talk t = kinds[k];

			start((struct dp_setup){0});
			begin_live(&t);
			if (t.proto == IPPROTO_TCP && way == 0)
				close_by_fin(&t);
			else if (t.proto == IPPROTO_TCP && way == 1)
				say(&t, true, RST | ACK, 0);
			dp_settle();
			if (t.proto == IPPROTO_TCP && way < 2) {
				dp_offload();
				CU_ASSERT_EQUAL(nic_rules(), 0);
				clock_advance((way == 0 ? 121 : 11) * NS_PER_SEC);
			} else if (t.proto == IPPROTO_TCP) {
				/* The client was killed: nobody says anything for five days. */
				clock_advance(431990 * NS_PER_SEC);
				rounds(4);
				dp_settle();
				CU_ASSERT_EQUAL(dp_connections(), 1);
				CU_ASSERT_EQUAL(nic_rules(), 2);
				clock_advance(20 * NS_PER_SEC);
			} else {
				clock_advance(200 * NS_PER_SEC);
			}
			dp_settle();
			all_gone();
			dp_stop();
		}
	}
}

/* Packets in the NIC keep a connection alive, though no worker sees them. */
static void
test_kept_alive(void)
{
	struct talk t = kinds[2];

	start((struct dp_setup){0});
	begin_live(&t);
	for (unsigned int i = 0; i < 100; i++) {
		clock_advance(10 * NS_PER_SEC);
		say(&t, false, 0, 10);
		dp_settle();
		rounds(2);
	}
	CU_ASSERT_EQUAL(dp_connections(), 1);
	CU_ASSERT_EQUAL(nic_rules(), 2);
	CU_ASSERT_EQUAL(drain(WAN), 100);
	/* Even when nobody asked the NIC until it was over: its last count says so. */
	clock_advance(50 * NS_PER_SEC);
	say(&t, false, 0, 10);
	(void)nicmodel_step();
	clock_advance(80 * NS_PER_SEC);
	dp_settle();
	rounds(2);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 1);
	drain(WAN);
	clock_advance(200 * NS_PER_SEC);
	dp_settle();
	all_gone();
	dp_stop();
}

/* A FIN takes both rules out, and what follows it walks. */
static void
test_fin_comes_up(void)
{
	struct talk t = kinds[0];
	uint64_t cpu;

	start((struct dp_setup){0});
	begin_live(&t);
	cpu = to_workers();
	say(&t, false, ACK, 100);
	dp_settle();
	CU_ASSERT_EQUAL(to_workers(), cpu);
	say(&t, false, FIN | ACK, 0);
	dp_settle();
	CU_ASSERT_EQUAL(to_workers(), cpu + 1);
	CU_ASSERT_EQUAL(conn_at(path_conntrack(dp_path(), 0), 0)->state, CT_TCP_FIN_WAIT);
	dp_offload();
	CU_ASSERT_EQUAL(nic_rules(), 0);
	/* The other half goes on, in software. */
	say(&t, true, ACK, 100);
	dp_settle();
	CU_ASSERT_EQUAL(to_workers(), cpu + 2);
	CU_ASSERT_EQUAL(drain(LAN), 1);
	CU_ASSERT_EQUAL(drain(WAN), 2);
	dp_offload();
	CU_ASSERT_EQUAL(nic_rules(), 0);
	clock_advance(200 * NS_PER_SEC);
	dp_settle();
	all_gone();
	dp_stop();
}

/* Other rules: the NIC is empty before they count as taken up; then flows come back. */
static void
test_commit(void)
{
	struct talk t[8];
	uint64_t hardware;

	start((struct dp_setup){0});
	for (unsigned int i = 0; i < 8; i++) {
		t[i] = kinds[i % 6];
		t[i].port = (uint16_t)(6100 + i);
		begin_live(&t[i]);
		say(&t[i], false, ACK, 10);
		say(&t[i], true, ACK, 10);
		dp_settle();
	}
	hardware = path_counters(dp_path(), 0)->hardware;
	dp_publish();
	dp_walk();
	CU_ASSERT_FALSE(path_latched(dp_path()));
	CU_ASSERT_EQUAL(nic_rules(), 16);
	rounds(2);
	CU_ASSERT_TRUE(path_latched(dp_path()));
	CU_ASSERT_EQUAL(nic_rules(), 0);
	CU_ASSERT_EQUAL(path_counters(dp_path(), 0)->hardware, hardware + 16);
	CU_ASSERT_EQUAL(dp_connections(), 8);
	for (unsigned int i = 0; i < 8; i++) {
		say(&t[i], false, ACK, 10);
		say(&t[i], true, ACK, 10);
		dp_settle();
	}
	rounds(2);
	CU_ASSERT_EQUAL(nic_rules(), 16);
	drain(LAN);
	drain(WAN);
	poll();
	clock_advance(500000 * NS_PER_SEC);
	dp_settle();
	all_gone();
	dp_stop();
}

/*
 * A NIC that takes long to destroy, and one NAT port: while the old rule is in
 * it nobody else gets the port; the same client does, at once and with the same
 * mapping, in software, and goes to the NIC when the old rule is gone.
 */
static void
test_slow_destroy(void)
{
	struct talk t = {.proto = IPPROTO_TCP, .port = 6000, .seen = 5000};
	struct talk other = {.proto = IPPROTO_TCP, .port = 7000, .host = "10.0.1.11", .seen = 5000};
	uint64_t cpu;

	start((struct dp_setup){.snat_first = 5000, .snat_last = 5000});
	begin_live(&t);
	CU_ASSERT_EQUAL(nicmodel_set("destroy_us=100"), 0);
	say(&t, true, RST | ACK, 0);
	dp_settle();
	CU_ASSERT_EQUAL(drain(LAN), 1);
	dp_offload();
	clock_advance(11 * NS_PER_SEC);
	dp_settle();
	/* Over, but its rules are in the NIC. */
	CU_ASSERT_EQUAL(nic_rules(), 2);
	CU_ASSERT_EQUAL(dp_connections(), 1);

	say(&other, false, SYN, 0);
	dp_settle();
	CU_ASSERT_EQUAL(drain(WAN), 0);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	CU_ASSERT_EQUAL(nic_rules(), 2);

	/* The client itself begins anew. */
	cpu = to_workers();
	begin(&t);
	/* What the old rule matches it carries, as this connection's would. */
	CU_ASSERT_EQUAL(to_workers(), cpu + 2);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	CU_ASSERT_EQUAL(path_conntrack(dp_path(), 0)->lingering, 0);
	CU_ASSERT_EQUAL(conn_at(path_conntrack(dp_path(), 0), 0)->state, CT_TCP_SYN_RECV);
	say(&other, false, SYN, 0);
	dp_settle();
	CU_ASSERT_EQUAL(drain(WAN), 0);

	/* In time the old rules go, and it is offered. */
	rounds(200);
	CU_ASSERT_EQUAL(nic_rules(), 0);
	for (unsigned int i = 0; i < 2; i++) {
		say(&t, false, ACK, 10);
		dp_settle();
		say(&t, true, ACK, 10);
		dp_settle();
	}
	CU_ASSERT_EQUAL(conn_at(path_conntrack(dp_path(), 0), 0)->state, CT_TCP_ESTABLISHED);
	rounds(2);
	CU_ASSERT_EQUAL(nic_rules(), 2);
	CU_ASSERT_EQUAL(arrive(WAN, &t, false, 10), 2);
	CU_ASSERT_EQUAL(arrive(LAN, &t, true, 10), 2);

	/* Once it is over and gone, the port is anybody's. */
	clock_advance(432010 * NS_PER_SEC);
	for (unsigned int i = 0; i < 400 && dp_connections() != 0; i++) {
		clock_advance(NS_PER_SEC / 10);
		dp_offload();
	}
	CU_ASSERT_EQUAL(dp_connections(), 0);
	begin(&other);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	clock_advance(500000 * NS_PER_SEC);
	for (unsigned int i = 0; i < 400; i++) {
		clock_advance(NS_PER_SEC / 10);
		dp_offload();
	}
	all_gone();
	dp_stop();
}

/* A NIC that says yes and then refuses: software carries everything, and says why. */
static void
test_refusals(void)
{
	static const char *const args[] = {"refuse=dec_ttl,lie=1", "fail_create=2", "rules=20"};

	for (unsigned int i = 0; i < 3; i++) {
		struct talk t = kinds[0];
		struct offload_port_info info;
		struct conn *c;

		nic_set_args(args[i]);
		start((struct dp_setup){0});
		begin(&t);
		rounds(3);
		c = conn_at(path_conntrack(dp_path(), 0), 0);
		offload_port(dp_offload_of(), dp_path()->config.ports[LAN].ethdev, &info);
		if (i == 0) {
			CU_ASSERT_FALSE(info.usable);
			CU_ASSERT_PTR_NOT_NULL(strstr(info.why, "not supported"));
			CU_ASSERT_EQUAL(c->why[0], OFFLOAD_DRIVER_UNSUPPORTED);
			CU_ASSERT_EQUAL(nic_rules(), 0);
		}
		say(&t, false, ACK, 10);
		say(&t, true, ACK, 10);
		dp_settle();
		CU_ASSERT_EQUAL(arrive(WAN, &t, false, 10), 1);
		CU_ASSERT_EQUAL(arrive(LAN, &t, true, 10), 1);
		poll();
		clock_advance(500000 * NS_PER_SEC);
		dp_settle();
		all_gone();
		dp_stop();
	}
	nic_set_args("");
}

/* A hundred connections by two workers come and go in the NIC. */
static void
test_many(void)
{
	struct talk t[100];

	start((struct dp_setup){.workers = 2});
	for (unsigned int i = 0; i < 100; i++) {
		t[i] = kinds[i % 6];
		t[i].port = (uint16_t)(10000 + i);
		begin(&t[i]);
		dp_offload();
	}
	rounds(4);
	CU_ASSERT_EQUAL(offload_live(dp_offload_of()), 200);
	CU_ASSERT_EQUAL(nic_rules(), 200);
	for (unsigned int i = 0; i < 100; i += 2)
		if (t[i].proto == IPPROTO_TCP)
			close_by_fin(&t[i]);
	dp_settle();
	drain(LAN);
	drain(WAN);
	poll();
	clock_advance(500000 * NS_PER_SEC);
	dp_settle();
	all_gone();
	dp_stop();
}

static CU_TestInfo tests[] = {
	{"bulk: nothing comes to a worker, all is counted", test_bulk},
	{"guards", test_guards},
	{"FIN comes up", test_fin_comes_up},
	{"FIN, RST, silence: nothing is left", test_ends},
	{"packets in the NIC keep a connection alive", test_kept_alive},
	{"a commit empties the NIC", test_commit},
	{"a slow destroy, one NAT port", test_slow_destroy},
	{"a NIC that refuses", test_refusals},
	{"many, two workers", test_many},
	CU_TEST_INFO_NULL,
};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{"offload", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	(void)argc;
	dp_init_nic(argv[0], &nic_wires);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
