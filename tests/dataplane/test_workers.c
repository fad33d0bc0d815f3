/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two and four workers: homes, aliases, held packets, clashes. Workers are
 * walked in turn; the wires' only receive queues belong to different ones.
 */
#include "suites.h"

#include <netinet/ip_icmp.h>
#include <stdio.h>

#include "dp.h"
#include "worker.h"

#define CLIENT "198.51.100.7"
#define FLOWS  64

static const unsigned int counts[] = {2, 4};

static void
udp(enum dp_port port, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	dp_put(&(struct dp_packet){.port = port,
		.src = src,
		.dst = dst,
		.proto = IPPROTO_UDP,
		.sport = sport,
		.dport = dport,
		.payload = 10});
}

static uint32_t
aliases(unsigned int workers)
{
	uint32_t count = 0;

	for (unsigned int w = 0; w < workers; w++)
		count += path_conntrack(dp_path(), w)->table[0].alias_count;
	return count;
}

static uint64_t
clashes(unsigned int workers)
{
	uint64_t count = 0;

	for (unsigned int w = 0; w < workers; w++)
		count += path_nat(dp_path(), w)->clashes;
	return count;
}

/* Everything expires; nothing is left behind anywhere. */
static void
all_gone(unsigned int workers)
{
	clock_advance(200 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	CU_ASSERT_EQUAL(aliases(workers), 0);
	for (unsigned int w = 0; w < workers; w++) {
		CU_ASSERT_EQUAL(path_conntrack(dp_path(), w)->table[0].index.count, 0);
		CU_ASSERT_EQUAL(path_nat(dp_path(), w)->held_packets, 0);
		CU_ASSERT_EQUAL(path_nat(dp_path(), w)->by_source.count, 0);
	}
}

/*
 * A server for the port forward such that requests and replies have different
 * homes, or the same: by the hash's linearity that holds for all clients at once.
 */
static const char *
server(bool away)
{
	static char text[32];

	for (unsigned int host = 10; host <= 20; host++) {
		snprintf(text, sizeof(text), "10.0.1.%u", host);
		if (away == (dp_home(IPPROTO_UDP, CLIENT, 1, "203.0.113.1", 8080) !=
				    dp_home(IPPROTO_UDP, text, 80, CLIENT, 1)))
			break;
	}
	dp_forward_to(text);
	return text;
}

/* A port forward whose reply hashes to another worker than its request. */
static void
port_forward(unsigned int workers, bool elsewhere)
{
	unsigned int away = 0;
	const char *host;

	dp_start(&(struct dp_setup){.workers = workers, .port_forward = true});
	host = server(elsewhere);
	for (uint16_t i = 0; i < FLOWS; i++) {
		uint16_t sport = (uint16_t)(30000 + i);

		away += dp_home(IPPROTO_UDP, CLIENT, sport, "203.0.113.1", 8080) !=
			dp_home(IPPROTO_UDP, host, 80, CLIENT, sport);
		for (unsigned int turn = 0; turn < 3; turn++) {
			udp(WAN, CLIENT, sport, "203.0.113.1", 8080);
			dp_settle();
			dp_expect(LAN, CLIENT, sport, host, 80);
			udp(LAN, host, 80, CLIENT, sport);
			dp_settle();
			dp_expect(WAN, "203.0.113.1", 8080, CLIENT, sport);
		}
	}
	CU_ASSERT_EQUAL(away, elsewhere ? FLOWS : 0);
	CU_ASSERT_EQUAL(aliases(workers), away);
	CU_ASSERT_EQUAL(dp_connections(), FLOWS);
	CU_ASSERT(dp_established() > 0);
	all_gone(workers);
	dp_stop();
}

static void
test_port_forward(void)
{
	for (unsigned int i = 0; i < RTE_DIM(counts); i++)
		for (unsigned int elsewhere = 0; elsewhere < 2; elsewhere++)
			port_forward(counts[i], elsewhere);
}

/*
 * Two ports for each server: two clients get one each, whoever asks whom; a
 * third one gets none. Where the ports' homes lie decides whether the answer is
 * known at once or comes from another worker.
 */
static void
clash(unsigned int workers)
{
	static const char *const clients[] = {"10.0.1.10", "10.0.1.13", "10.0.1.12"};

	dp_start(&(struct dp_setup){
		.workers = workers, .masquerade = true, .snat_first = 4000, .snat_last = 4001});
	for (unsigned int host = 1; host <= FLOWS; host++) {
		struct dp_frame frame;
		struct dp_seen seen;
		char remote[32];
		uint16_t got[2];

		snprintf(remote, sizeof(remote), "198.51.100.%u", host);
		for (unsigned int c = 0; c < 2; c++) {
			udp(LAN, clients[c], (uint16_t)(1000 + host), remote, 53);
			dp_settle();
			CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame) && dp_see(WAN, &frame, &seen));
			CU_ASSERT_STRING_EQUAL(seen.src, "203.0.113.1");
			CU_ASSERT(seen.sport == 4000 || seen.sport == 4001);
			CU_ASSERT_TRUE(seen.sums_ok);
			got[c] = seen.sport;
		}
		CU_ASSERT_NOT_EQUAL(got[0], got[1]);
		udp(LAN, clients[2], (uint16_t)(1000 + host), remote, 53);
		dp_settle();
		dp_expect_silence();
		for (unsigned int c = 0; c < 2; c++) {
			udp(WAN, remote, 53, "203.0.113.1", got[c]);
			dp_settle();
			dp_expect(LAN, remote, 53, clients[c], (uint16_t)(1000 + host));
		}
	}
	CU_ASSERT_EQUAL(dp_drops(DROP_NAT_EXHAUSTED), FLOWS);
	CU_ASSERT(clashes(workers) > 0);
	CU_ASSERT(aliases(workers) > 0);
	CU_ASSERT_EQUAL(dp_connections(), 2 * FLOWS);
	all_gone(workers);
	dp_stop();
}

static void
test_clash(void)
{
	for (unsigned int i = 0; i < RTE_DIM(counts); i++)
		clash(counts[i]);
}

/* An ICMP error goes to the worker of the packet that it quotes. */
static void
icmp_errors(unsigned int workers)
{
	dp_start(&(struct dp_setup){.workers = workers, .masquerade = true});
	for (uint16_t i = 0; i < FLOWS; i++) {
		uint8_t quoted[DP_FRAME_MAX];
		struct dp_frame frame;
		struct dp_seen seen;

		udp(LAN, "10.0.1.10", (uint16_t)(7000 + i), CLIENT, 53);
		dp_settle();
		CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame));
		memcpy(quoted, frame.bytes, frame.len);
		dp_put(&(struct dp_packet){.port = WAN,
			.src = "198.51.100.1",
			.dst = "203.0.113.1",
			.proto = IPPROTO_ICMP,
			.dport = ICMP_DEST_UNREACH << 8 | ICMP_HOST_UNREACH,
			.quote = quoted + 14,
			.quote_len = 28});
		dp_settle();
		CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
		CU_ASSERT_STRING_EQUAL(seen.dst, "10.0.1.10");
		CU_ASSERT_TRUE(seen.sums_ok);
	}
	all_gone(workers);
	dp_stop();
}

static void
test_icmp_errors(void)
{
	for (unsigned int i = 0; i < RTE_DIM(counts); i++)
		icmp_errors(counts[i]);
}

/* The reply is there in the walk right after the held first packet left. */
static void
reply_at_once(unsigned int workers)
{
	dp_start(&(struct dp_setup){.workers = workers, .port_forward = true});
	for (uint16_t i = 0; i < FLOWS; i++) {
		uint16_t sport = (uint16_t)(31000 + i);
		const char *host = server(true);

		udp(WAN, CLIENT, sport, "203.0.113.1", 8080);
		for (unsigned int walks = 0; dp_pending(LAN) == 0 && walks < 16; walks++)
			dp_walk();
		dp_expect(LAN, CLIENT, sport, host, 80);
		udp(LAN, host, 80, CLIENT, sport);
		dp_settle();
		dp_expect(WAN, "203.0.113.1", 8080, CLIENT, sport);
	}
	all_gone(workers);
	dp_stop();
}

static void
test_reply_at_once(void)
{
	for (unsigned int i = 0; i < RTE_DIM(counts); i++)
		reply_at_once(counts[i]);
}

/* Five datagrams of a new flow in one burst: one connection, all out, in order. */
static void
test_held_in_order(void)
{
	dp_start(&(struct dp_setup){.workers = 2, .port_forward = true});
	server(true);
	for (uint16_t i = 0; i < FLOWS; i++) {
		for (uint16_t n = 0; n < 5; n++)
			dp_put(&(struct dp_packet){.port = WAN,
				.src = CLIENT,
				.dst = "203.0.113.1",
				.proto = IPPROTO_UDP,
				.sport = (uint16_t)(32000 + i),
				.dport = 8080,
				.payload = (uint16_t)(100 + n)});
		dp_settle();
		for (uint16_t n = 0; n < 5; n++) {
			struct dp_frame frame;

			CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame));
			CU_ASSERT_EQUAL(frame.len, 14 + 28 + 100 + n);
		}
		CU_ASSERT_EQUAL(dp_connections(), i + 1U);
	}
	/* More than a hold takes: the rest is dropped by name. */
	for (uint16_t i = 0; i < FLOWS; i++)
		for (uint16_t n = 0; n < 20; n++)
			udp(WAN, CLIENT, (uint16_t)(33000 + i), "203.0.113.1", 8080);
	dp_settle();
	CU_ASSERT(dp_drops(DROP_CT_HOLD_FULL) > 0);
	CU_ASSERT_EQUAL(dp_pending(LAN) + dp_drops(DROP_CT_HOLD_FULL), 20 * FLOWS);
	all_gone(2);
	dp_stop();
}

/* Worker 1 owns no transmit queue: worker 0 sends for it. */
static void
test_one_tx_queue(void)
{
	dp_start(&(struct dp_setup){.workers = 2, .masquerade = true, .one_tx_queue = true});
	for (uint16_t i = 0; i < FLOWS; i++) {
		udp(LAN, "10.0.1.10", (uint16_t)(9000 + i), CLIENT, 53);
		dp_settle();
		dp_expect(WAN, "203.0.113.1", (uint16_t)(9000 + i), CLIENT, 53);
	}
	CU_ASSERT(path_counters(dp_path(), 1)->walked > 0);
	CU_ASSERT_EQUAL(path_counters(dp_path(), 1)->transmitted, 0);
	dp_stop();
}

CU_TestInfo worker_tests[] = {
	{"a port forward whose reply hashes elsewhere", test_port_forward},
	{"tuple clash, both outcomes", test_clash},
	{"ICMP errors by the quoted tuple", test_icmp_errors},
	{"a reply right after the held packet", test_reply_at_once},
	{"held packets keep their order and bound", test_held_in_order},
	{"one transmit queue", test_one_tx_queue},
	CU_TEST_INFO_NULL,
};
