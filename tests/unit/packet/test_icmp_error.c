/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router's own answers: ICMP errors by icmp_send's rules, resets by
 * nf_send_reset's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "frames.h"
#include "icmp_error.h"
#include "unit.h"

static uint8_t about_bytes[FRAME_MAX], made_bytes[FRAME_MAX];
static struct fake about_fake, made_fake;

static struct frame_spec
spec_of(bool ipv6, uint8_t proto, uint16_t payload)
{
	struct frame_spec spec = {.ipv6 = ipv6, .proto = proto, .payload = payload};

	spec.t.family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
	spec.t.sport = RTE_BE16(1000);
	spec.t.dport = RTE_BE16(2000);
	if (ipv6) {
		memcpy(&spec.t.src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
		memcpy(&spec.t.dst, "\x20\x01\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\2", 16);
		spec.icmp_type = 128;
	} else {
		spec.t.src.v4 = RTE_BE32(0x0a000001);
		spec.t.dst.v4 = RTE_BE32(0xc0000201);
		spec.icmp_type = 8;
	}
	return spec;
}

/* The frame at hand, parsed, and an empty mbuf for the answer. */
static struct pkt *
parse(uint32_t len)
{
	struct pkt *pkt = pkt_of(fake_mbuf(&about_fake, about_bytes, len, FRAME_MAX));

	CU_ASSERT_EQUAL_FATAL(pkt_parse(&about_fake.m, pkt), 0);
	memset(made_bytes, 0xaa, sizeof(made_bytes));
	fake_mbuf(&made_fake, made_bytes, 0, FRAME_MAX);
	return pkt;
}

static struct pkt *
about(const struct frame_spec *spec)
{
	return parse(frame_build(about_bytes, spec));
}

static void
test_error(void)
{
	static const uint16_t payloads[] = {0, 1, 511, 520, 521, 1183, 1184, 1300};

	for (unsigned int i = 0; i < 2 * RTE_DIM(payloads); i++) {
		bool ipv6 = i & 1;
		struct frame_spec spec = spec_of(ipv6, IPPROTO_UDP, payloads[i / 2]);
		uint32_t header = ipv6 ? 40 : 20, limit = ipv6 ? 1280 : 576;
		union address source = spec_of(ipv6, IPPROTO_UDP, 0).t.dst;
		struct pkt *pkt = about(&spec), *made;
		uint32_t quote = RTE_MIN(limit - header - 8, (uint32_t)pkt->ip_len);
		const uint8_t *ip = made_bytes + FRAME_L2, *icmp = ip + header;

		about_bytes[FRAME_L2 + 1] |= ipv6 ? 0 : 0x7d;
		CU_ASSERT_EQUAL_FATAL(
			icmp_error_build(&made_fake.m, pkt, ipv6 ? 2 : 3, 4, 0x01020304, &source),
			0);
		CU_ASSERT_EQUAL(made_fake.m.data_len, FRAME_L2 + header + 8 + quote);
		made = pkt_of(&made_fake.m);
		CU_ASSERT_EQUAL(pkt_parse(&made_fake.m, made), 0);
		CU_ASSERT_EQUAL(
			made->flags, (ipv6 ? PKT_IPV6 : PKT_IPV4) | PKT_L4 | PKT_ICMP_ERROR);
		CU_ASSERT_EQUAL(made->ip_len, header + 8 + quote);
		CU_ASSERT_EQUAL(memcmp(&made->tuple.src, &source, 16), 0);
		CU_ASSERT_EQUAL(memcmp(&made->tuple.dst, &spec.t.src, 16), 0);
		CU_ASSERT_EQUAL(ip[ipv6 ? 7 : 8], 64);
		/* tos: the sender's 0x7d & 0x1e, and internetwork control. */
		CU_ASSERT_TRUE(ipv6 || ip[1] == (0xc0 | 0x1c));
		CU_ASSERT_TRUE(ipv6 || naive_sum(0, ip, 20) == 0xffff);
		CU_ASSERT_EQUAL(
			naive_l4_sum(ip, ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, icmp, 8 + quote),
			0xffff);
		CU_ASSERT_TRUE(icmp[0] == (ipv6 ? 2 : 3) && icmp[1] == 4);
		CU_ASSERT_EQUAL(memcmp(icmp + 4, "\1\2\3\4", 4), 0);
		CU_ASSERT_EQUAL(memcmp(icmp + 8, about_bytes + FRAME_L2, quote), 0);
		/* No room, no error. */
		fake_mbuf(&made_fake, made_bytes, 0, FRAME_L2 + header + 8 + quote - 1);
		CU_ASSERT_EQUAL(icmp_error_build(&made_fake.m, pkt, 3, 4, 0, &source), -ENOSPC);
		CU_ASSERT_EQUAL(made_fake.m.data_len, 0);
	}
}

static bool
allowed(const struct frame_spec *spec, uint32_t flags)
{
	struct pkt *pkt = about(spec);

	pkt->flags |= flags;
	return icmp_error_allowed(pkt);
}

static void
test_allowed(void)
{
	static const uint32_t no_source[] = {0, 0xe0000001, 0xffffffff};

	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		uint8_t icmp = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		struct frame_spec spec = spec_of(ipv6 != 0, IPPROTO_TCP, 40);

		CU_ASSERT_TRUE(allowed(&spec, 0));
		CU_ASSERT_FALSE(allowed(&spec, PKT_BROADCAST));
		CU_ASSERT_FALSE(allowed(&spec, PKT_MULTICAST));
		spec.fragment = ipv6 ? 1 : 0x2000;
		CU_ASSERT_TRUE(allowed(&spec, 0));
		spec.fragment = ipv6 ? 9 : 0x2001;
		CU_ASSERT_FALSE(allowed(&spec, 0));
		/* ICMP: questions and answers; no errors, no redirects. */
		spec = spec_of(ipv6 != 0, icmp, 40);
		CU_ASSERT_TRUE(allowed(&spec, 0));
		spec.icmp_type = ipv6 ? 1 : 3;
		CU_ASSERT_FALSE(allowed(&spec, 0));
		spec.icmp_type = ipv6 ? 137 : 5;
		CU_ASSERT_FALSE(allowed(&spec, 0));
	}
	for (unsigned int i = 0; i < RTE_DIM(no_source); i++) {
		struct frame_spec spec = spec_of(false, IPPROTO_UDP, 0);

		spec.t.src.v4 = rte_cpu_to_be_32(no_source[i]);
		CU_ASSERT_FALSE(allowed(&spec, 0));
		spec = spec_of(false, IPPROTO_UDP, 0);
		spec.t.dst.v4 = rte_cpu_to_be_32(no_source[i]);
		CU_ASSERT_FALSE(allowed(&spec, 0));
		spec = spec_of(true, IPPROTO_UDP, 0);
		memset(&spec.t.src, i == 0 ? 0 : 0xff, 16);
		CU_ASSERT_FALSE(allowed(&spec, 0));
	}
}

/* An ICMP packet too short for its header may be an error. */
static void
test_short_icmp(void)
{
	struct frame_spec spec = spec_of(false, IPPROTO_ICMP, 0);

	frame_build(about_bytes, &spec);
	about_bytes[FRAME_L2 + 3] = 24;
	about_bytes[FRAME_L2 + 20] = 3;
	seal(about_bytes + FRAME_L2, 0, NULL, 0);
	CU_ASSERT_FALSE(icmp_error_allowed(parse(FRAME_L2 + 24)));
}

/* Flags of a segment, its payload; flags, sequence and acknowledgement of the reset. */
static const struct {
	uint8_t flags;
	uint16_t payload;
	uint8_t reset;
	uint32_t seq, ack;
} resets[] = {
	{0x02, 0, 0x14, 0, 0x01020305},	  /* SYN counts one */
	{0x02, 10, 0x14, 0, 0x0102030f},  /* and what it carries */
	{0x03, 10, 0x14, 0, 0x01020310},  /* FIN one more */
	{0x08, 5, 0x14, 0, 0x01020309},	  /* neither */
	{0x10, 100, 0x04, 0x05060708, 0}, /* ACK: its number */
	{0x12, 0, 0x04, 0x05060708, 0},
	{0x19, 7, 0x04, 0x05060708, 0},
};

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
test_reset(void)
{
	for (unsigned int i = 0; i < 2 * RTE_DIM(resets); i++) {
		bool ipv6 = i & 1;
		struct frame_spec spec = spec_of(ipv6, IPPROTO_TCP, resets[i / 2].payload);
		uint32_t header = ipv6 ? 40 : 20;
		const uint8_t *ip = made_bytes + FRAME_L2, *tcp = ip + header;
		struct tuple back;
		struct pkt *pkt, *made;

		spec.tcp_flags = resets[i / 2].flags;
		spec.ext = 1;
		pkt = about(&spec);
		CU_ASSERT_EQUAL_FATAL(tcp_reset_build(&made_fake.m, pkt), 0);
		CU_ASSERT_EQUAL(made_fake.m.data_len, FRAME_L2 + header + 20);
		made = pkt_of(&made_fake.m);
		CU_ASSERT_EQUAL(pkt_parse(&made_fake.m, made), 0);
		CU_ASSERT_EQUAL(made->flags, (ipv6 ? PKT_IPV6 : PKT_IPV4) | PKT_L4 | PKT_TCP_FLAGS);
		CU_ASSERT_TRUE(tuple_invert(&pkt->tuple, &back));
		CU_ASSERT_TRUE(tuple_equal(&made->tuple, &back));
		CU_ASSERT_EQUAL(tcp[13], resets[i / 2].reset);
		CU_ASSERT_EQUAL(get32(tcp + 4), resets[i / 2].seq);
		CU_ASSERT_EQUAL(get32(tcp + 8), resets[i / 2].ack);
		CU_ASSERT_EQUAL(naive_l4_sum(ip, IPPROTO_TCP, tcp, 20), 0xffff);
		/* IPv4: do not fragment, no type of service. */
		CU_ASSERT_TRUE(ipv6 || (ip[6] == 0x40 && ip[1] == 0));
		fake_mbuf(&made_fake, made_bytes, 0, FRAME_L2 + header + 19);
		CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, pkt), -ENOSPC);
	}
}

/* What gets no reset. */
static void
test_no_reset(void)
{
	struct frame_spec spec = spec_of(false, IPPROTO_TCP, 10);
	uint32_t len;

	spec.tcp_flags = 0x14;
	CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, about(&spec)), -EINVAL);
	spec.tcp_flags = 0x02;
	CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, about(&spec)), 0);
	len = frame_build(about_bytes, &spec);
	about_bytes[len - 1] ^= 1;
	CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, parse(len)), -EINVAL);
	spec.fragment = 0x20;
	CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, about(&spec)), -EINVAL);
	spec = spec_of(false, IPPROTO_UDP, 20);
	CU_ASSERT_EQUAL(tcp_reset_build(&made_fake.m, about(&spec)), -EINVAL);
	CU_ASSERT_EQUAL(made_fake.m.data_len, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"errors", test_error},
		{"what may be answered", test_allowed},
		{"ICMP too short", test_short_icmp},
		{"resets", test_reset},
		{"what gets no reset", test_no_reset},
		CU_TEST_INFO_NULL,
	};

	return unit_run("packet/icmp-error", tests);
}
