/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forwarding and connections on one worker.
 */
#include "suites.h"

#include <netinet/ip_icmp.h>

#include <rte_tcp.h>

#include "dp.h"

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN RTE_TCP_FIN_FLAG
#define RST RTE_TCP_RST_FLAG

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

static void
test_stateless(void)
{
	dp_start(&(struct dp_setup){.stateless = true});
	udp(LAN, "10.0.1.10", 1000, "10.0.2.10", 53);
	udp(LAN, "2001:db8:1::10", 1000, "2001:db8:2::10", 53);
	dp_settle();
	dp_expect(DMZ, "10.0.1.10", 1000, "10.0.2.10", 53);
	dp_expect(DMZ, "2001:db8:1::10", 1000, "2001:db8:2::10", 53);
	dp_expect_silence();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* What a router drops, each for its reason. */
static void
test_drops(void)
{
	const struct dp_packet good = {.port = LAN,
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2};
	struct dp_packet p;

	dp_start(&(struct dp_setup){0});
	p = good, p.bad_ip_sum = true;
	dp_put(&p);
	p = good, p.wrong_mac = true;
	dp_put(&p);
	p = good, p.dst = "10.0.2.99";
	dp_put(&p);
	p = good, p.dst = "10.0.1.1";
	dp_put(&p);
	p = good, p.src = "127.0.0.1";
	dp_put(&p);
	p = good, p.dst = "224.0.0.9";
	dp_put(&p);
	p = good, p.partial_sum = true;
	dp_put(&p);
	p = good, p.payload = 1490;
	dp_put(&p);
	p = good, p.fragment = 0x2000;
	dp_put(&p);
	dp_settle();
	dp_expect_silence();
	CU_ASSERT_EQUAL(dp_drops(DROP_IP4_CHECKSUM), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_NOT_FOR_US), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_NO_NEIGHBOUR), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_LOCAL), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_MARTIAN_SOURCE), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_MULTICAST), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_UNFINISHED_CHECKSUM), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_OVERSIZE), 1);
	CU_ASSERT_EQUAL(dp_drops(DROP_FRAGMENT), 1);
	/* The one that met an unknown neighbour, and the one to the router, made connections. */
	CU_ASSERT_EQUAL(dp_connections(), 2);
	dp_stop();
}

/* TTL 1 is answered, from the router's address towards the sender. */
static void
test_time_exceeded(void)
{
	struct dp_frame frame;
	struct dp_seen seen;

	dp_start(&(struct dp_setup){0});
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2,
		.ttl = 1,
		.payload = 30});
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "10.0.1.1");
	CU_ASSERT_STRING_EQUAL(seen.dst, "10.0.1.10");
	CU_ASSERT_EQUAL(seen.proto, IPPROTO_ICMP);
	/* In the tuple, type is the upper byte in network order. */
	CU_ASSERT_EQUAL(seen.dport >> 8, ICMP_TIME_EXCEEDED);
	CU_ASSERT_EQUAL(seen.ttl, 64);
	CU_ASSERT_TRUE(seen.sums_ok && seen.macs_ok);
	dp_expect_silence();
	CU_ASSERT_EQUAL(dp_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* UDP: settled by the reply, carried by records from then on, gone after its time. */
static void
test_udp_life(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	udp(LAN, "10.0.1.10", 5000, "198.51.100.7", 53);
	dp_settle();
	dp_expect(WAN, "203.0.113.1", 5000, "198.51.100.7", 53);
	udp(WAN, "198.51.100.7", 53, "203.0.113.1", 5000);
	dp_settle();
	dp_expect(LAN, "198.51.100.7", 53, "10.0.1.10", 5000);
	CU_ASSERT_EQUAL(dp_established(), 0);
	for (unsigned int i = 0; i < 3; i++) {
		udp(LAN, "10.0.1.10", 5000, "198.51.100.7", 53);
		dp_settle();
		dp_expect(WAN, "203.0.113.1", 5000, "198.51.100.7", 53);
		udp(WAN, "198.51.100.7", 53, "203.0.113.1", 5000);
		dp_settle();
		dp_expect(LAN, "198.51.100.7", 53, "10.0.1.10", 5000);
	}
	CU_ASSERT_EQUAL(dp_established(), 5);
	CU_ASSERT_EQUAL(path_effects(dp_path(), 1).packets, 5);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	/* A stream after two seconds: 120 s. */
	clock_advance(3 * NS_PER_SEC);
	udp(LAN, "10.0.1.10", 5000, "198.51.100.7", 53);
	dp_settle();
	dp_expect(WAN, "203.0.113.1", 5000, "198.51.100.7", 53);
	clock_advance(119 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 1);
	clock_advance(2 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

static void
tcp(bool reply, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t payload)
{
	struct dp_packet p = {.proto = IPPROTO_TCP,
		.tcp_flags = flags,
		.seq = seq,
		.ack = ack,
		.payload = payload};

	if (reply) {
		p.port = WAN;
		p.src = "198.51.100.7";
		p.dst = "203.0.113.1";
		p.sport = 80;
		p.dport = 6000;
	} else {
		p.port = LAN;
		p.src = "10.0.1.10";
		p.dst = "198.51.100.7";
		p.sport = 6000;
		p.dport = 80;
	}
	dp_put(&p);
}

static void
drain(unsigned int lan, unsigned int wan)
{
	struct dp_frame frame;

	CU_ASSERT_EQUAL(dp_pending(LAN), lan);
	CU_ASSERT_EQUAL(dp_pending(WAN), wan);
	for (unsigned int port = 0; port < DP_PORTS; port++)
		while (dp_receive((enum dp_port)port, &frame))
			;
}

static void
handshake(void)
{
	tcp(false, SYN, 100, 0, 0);
	dp_settle();
	tcp(true, SYN | ACK, 500, 101, 0);
	dp_settle();
	tcp(false, ACK, 101, 501, 0);
	dp_settle();
	tcp(true, ACK, 501, 101, 0);
	dp_settle();
	tcp(false, ACK, 101, 501, 0);
	dp_settle();
	drain(2, 3);
}

static uint8_t
tcp_state(void)
{
	return conn_at(path_conntrack(dp_path(), 0), 0)->state;
}

/* TCP to its end: data on records, FIN walks, TIME_WAIT, gone after 120 s. */
static void
test_tcp_life(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	handshake();
	CU_ASSERT_EQUAL(tcp_state(), CT_TCP_ESTABLISHED);
	uint64_t before = dp_established();
	for (uint32_t i = 0; i < 10; i++) {
		tcp(false, ACK, 101 + i * 100, 501 + i * 50, 100);
		tcp(true, ACK, 501 + i * 50, 101 + i * 100, 50);
		dp_settle();
	}
	drain(10, 10);
	CU_ASSERT_EQUAL(dp_established() - before, 20);
	tcp(false, FIN | ACK, 1101, 1001, 0);
	dp_settle();
	CU_ASSERT_EQUAL(tcp_state(), CT_TCP_FIN_WAIT);
	tcp(true, FIN | ACK, 1001, 1102, 0);
	dp_settle();
	tcp(false, ACK, 1102, 1002, 0);
	dp_settle();
	drain(1, 2);
	CU_ASSERT_EQUAL(tcp_state(), CT_TCP_TIME_WAIT);
	clock_advance(119 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 1);
	clock_advance(2 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* A killed client: nothing more comes; five days later the connection is gone. */
static void
test_tcp_idle(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	handshake();
	clock_advance(431999 * NS_PER_SEC);
	for (unsigned int i = 0; i < 100; i++)
		dp_walk();
	CU_ASSERT_EQUAL(dp_connections(), 1);
	clock_advance(2 * NS_PER_SEC);
	for (unsigned int i = 0; i < 100; i++)
		dp_walk();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* A FIN ends the records' hit for what comes behind it in the same burst. */
static void
test_fin_in_burst(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	handshake();
	uint64_t before = dp_established();
	tcp(false, ACK, 101, 501, 10);
	tcp(false, FIN | ACK, 111, 501, 0);
	tcp(false, ACK, 112, 501, 0);
	dp_settle();
	/* In their order: data, FIN, the last ACK. */
	uint8_t flags[3] = {ACK, FIN | ACK, ACK};
	for (unsigned int i = 0; i < 3; i++) {
		struct dp_frame frame;
		struct dp_seen seen;

		CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame) && dp_see(WAN, &frame, &seen));
		CU_ASSERT_EQUAL(seen.tcp_flags, flags[i]);
	}
	CU_ASSERT(dp_established() - before <= 1);
	/* The ACK behind the FIN was judged in FIN_WAIT. */
	CU_ASSERT_EQUAL(tcp_state(), CT_TCP_CLOSE_WAIT);
	dp_stop();
}

/* RST with the exact sequence number closes: 10 s. */
static void
test_rst(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	handshake();
	tcp(true, RST, 501, 0, 0);
	dp_settle();
	drain(1, 0);
	CU_ASSERT_EQUAL(tcp_state(), CT_TCP_CLOSE);
	clock_advance(11 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* An ICMP error about a masqueraded packet: translated outside and inside, to its sender. */
static void
test_icmp_error(void)
{
	uint8_t quoted[DP_FRAME_MAX];
	struct dp_frame frame;
	struct dp_seen seen;

	dp_start(&(struct dp_setup){.masquerade = true});
	udp(LAN, "10.0.1.10", 7000, "198.51.100.7", 53);
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame));
	memcpy(quoted, frame.bytes, frame.len);
	dp_put(&(struct dp_packet){.port = WAN,
		.src = "198.51.100.1",
		.dst = "203.0.113.1",
		.proto = IPPROTO_ICMP,
		.dport = ICMP_DEST_UNREACH << 8 | ICMP_PORT_UNREACH,
		.quote = quoted + 14,
		.quote_len = 28});
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "198.51.100.1");
	CU_ASSERT_STRING_EQUAL(seen.dst, "10.0.1.10");
	CU_ASSERT_TRUE(seen.sums_ok);
	/* The quoted source is the client's again. */
	CU_ASSERT_EQUAL(memcmp(&frame.bytes[14 + 20 + 8 + 12], "\x0a\x00\x01\x0a", 4), 0);
	CU_ASSERT_EQUAL(memcmp(&frame.bytes[14 + 20 + 8 + 20], "\x1b\x58", 2), 0);
	dp_stop();
}

static void
test_echo(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "198.51.100.7",
		.proto = IPPROTO_ICMP,
		.sport = 77,
		.dport = ICMP_ECHO << 8,
		.payload = 8});
	dp_settle();
	dp_expect(WAN, "203.0.113.1", 77, "198.51.100.7", ICMP_ECHO << 8);
	dp_put(&(struct dp_packet){.port = WAN,
		.src = "198.51.100.7",
		.dst = "203.0.113.1",
		.proto = IPPROTO_ICMP,
		.sport = 77,
		.dport = ICMP_ECHOREPLY << 8,
		.payload = 8});
	dp_settle();
	dp_expect(LAN, "198.51.100.7", 77, "10.0.1.10", ICMP_ECHOREPLY << 8);
	clock_advance(31 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* A live tuple from another port: no record carries it, yet it is no new connection. */
static void
test_other_port(void)
{
	dp_start(&(struct dp_setup){0});
	udp(LAN, "10.0.1.10", 1, "10.0.2.10", 2);
	dp_settle();
	udp(DMZ, "10.0.2.10", 2, "10.0.1.10", 1);
	dp_settle();
	udp(LAN, "10.0.1.10", 1, "10.0.2.10", 2);
	dp_settle();
	uint64_t before = dp_established();
	dp_put(&(struct dp_packet){.port = WAN,
		.src = "10.0.1.10",
		.dst = "10.0.2.10",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2});
	dp_settle();
	CU_ASSERT_EQUAL(dp_established(), before);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	CU_ASSERT_EQUAL(dp_pending(DMZ), 3);
	dp_stop();
}

/* Bad L4 checksums make no connection and go on untranslated, as in Linux. */
static void
test_bad_checksum(void)
{
	dp_start(&(struct dp_setup){.masquerade = true});
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "198.51.100.7",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2,
		.payload = 9,
		.bad_l4_sum = true});
	dp_settle();
	struct dp_frame frame;
	struct dp_seen seen;
	CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame) && dp_see(WAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "10.0.1.10");
	CU_ASSERT_EQUAL(dp_connections(), 0);
	CU_ASSERT_EQUAL(path_conntrack(dp_path(), 0)->invalid, 1);
	/* No checksum is fine, and stays none through translation. */
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "198.51.100.7",
		.proto = IPPROTO_UDP,
		.sport = 1,
		.dport = 2,
		.payload = 9,
		.no_udp_sum = true});
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(WAN, &frame));
	CU_ASSERT_EQUAL(memcmp(&frame.bytes[14 + 20 + 6], "\0\0", 2), 0);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	dp_stop();
}

static void
test_conntrack_full(void)
{
	dp_start(&(struct dp_setup){.masquerade = true, .max = 20});
	for (uint16_t i = 0; i < 30; i++)
		udp(LAN, "10.0.1.10", (uint16_t)(2000 + i), "198.51.100.7", 53);
	dp_settle();
	CU_ASSERT_EQUAL(dp_pending(WAN), 20);
	CU_ASSERT_EQUAL(dp_drops(DROP_CT_FULL), 10);
	clock_advance(31 * NS_PER_SEC);
	dp_settle();
	CU_ASSERT_EQUAL(dp_connections(), 0);
	udp(LAN, "10.0.1.10", 1, "198.51.100.7", 53);
	dp_settle();
	CU_ASSERT_EQUAL(dp_pending(WAN), 21);
	dp_stop();
}

/* reject: a reset from the segment's destination, an ICMP error from the router; no connection. */
static void
test_reject(void)
{
	struct dp_frame frame;
	struct dp_seen seen;

	dp_start(&(struct dp_setup){.masquerade = true, .reject = true});
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "198.51.100.7",
		.proto = IPPROTO_TCP,
		.sport = 6000,
		.dport = 81,
		.tcp_flags = SYN,
		.seq = 77});
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "198.51.100.7");
	CU_ASSERT_EQUAL(seen.sport, 81);
	CU_ASSERT_EQUAL(seen.tcp_flags, RST | ACK);
	CU_ASSERT_EQUAL(memcmp(&frame.bytes[14 + 20 + 8], "\0\0\0\x4e", 4), 0);
	CU_ASSERT_TRUE(seen.sums_ok && seen.macs_ok);
	udp(LAN, "10.0.1.10", 6000, "198.51.100.7", 81);
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "10.0.1.1");
	CU_ASSERT_EQUAL(seen.dport, ICMP_DEST_UNREACH << 8 | ICMP_PORT_UNREACH);
	CU_ASSERT_TRUE(seen.sums_ok && seen.macs_ok);
	udp(LAN, "2001:db8:1::10", 6000, "2001:db8:2::10", 81);
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "2001:db8:1::1");
	CU_ASSERT_EQUAL(seen.proto, IPPROTO_ICMPV6);
	CU_ASSERT_TRUE(seen.sums_ok);
	dp_expect_silence();
	CU_ASSERT_EQUAL(dp_drops(DROP_REJECT), 3);
	CU_ASSERT_EQUAL(dp_connections(), 0);
	dp_stop();
}

/* IPv6 on records, both ways; and what is larger than the egress takes. */
static void
test_ipv6(void)
{
	struct dp_frame frame;
	struct dp_seen seen;

	dp_start(&(struct dp_setup){.jumbo = true});
	for (unsigned int i = 0; i < 4; i++) {
		udp(LAN, "2001:db8:1::10", 1000, "2001:db8:2::10", 53);
		dp_settle();
		dp_expect(DMZ, "2001:db8:1::10", 1000, "2001:db8:2::10", 53);
		udp(DMZ, "2001:db8:2::10", 53, "2001:db8:1::10", 1000);
		dp_settle();
		dp_expect(LAN, "2001:db8:2::10", 53, "2001:db8:1::10", 1000);
	}
	/* All but the first three: request, reply, and the request that settles. */
	CU_ASSERT_EQUAL(dp_established(), 5);
	CU_ASSERT_EQUAL(dp_connections(), 1);
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "2001:db8:1::10",
		.dst = "2001:db8:2::10",
		.proto = IPPROTO_UDP,
		.sport = 1000,
		.dport = 53,
		.payload = 1500});
	dp_settle();
	CU_ASSERT_TRUE_FATAL(dp_receive(LAN, &frame) && dp_see(LAN, &frame, &seen));
	CU_ASSERT_STRING_EQUAL(seen.src, "2001:db8:1::1");
	CU_ASSERT_EQUAL(seen.dport >> 8, 2); /* packet too big */
	CU_ASSERT_EQUAL(memcmp(&frame.bytes[14 + 40 + 4], "\0\0\x05\xdc", 4), 0);
	CU_ASSERT_EQUAL(dp_drops(DROP_MTU), 1);
	dp_expect_silence();
	dp_stop();
}

CU_TestInfo forward_tests[] = {
	{"stateless forwarding", test_stateless},
	{"drops have reasons", test_drops},
	{"time exceeded", test_time_exceeded},
	{"life of a UDP connection", test_udp_life},
	{"life of a TCP connection", test_tcp_life},
	{"an idle TCP connection ends after 432,000 s", test_tcp_idle},
	{"a FIN within a burst", test_fin_in_burst},
	{"a reset", test_rst},
	{"an ICMP error is translated inside and out", test_icmp_error},
	{"echo through masquerade", test_echo},
	{"a tuple from another port", test_other_port},
	{"bad and absent checksums", test_bad_checksum},
	{"conntrack.max", test_conntrack_full},
	{"reject", test_reject},
	{"IPv6 on records, and too big", test_ipv6},
	CU_TEST_INFO_NULL,
};
