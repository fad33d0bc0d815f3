/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser: each reason to drop, each flag, and no read beyond the frame,
 * which lies in a heap block of its own size for the address sanitizer to watch.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "icmp_error.h"
#include "unit.h"

/* A base frame, one change of it, and what the parser says. */
struct drop_case {
	enum drop_reason reason;
	bool ipv6;
	uint8_t ext;
	int at;	       /* offset to change from the start of the frame; -1: none */
	uint8_t value; /* ... to this */
	bool seal;     /* the IPv4 header's checksum is made right again */
	uint32_t len;  /* the frame is cut to this; 0: whole */
};

static const struct drop_case drop_cases[] = {
	{DROP_L2_TRUNCATED, false, 0, -1, 0, false, 13},
	{DROP_VLAN, false, 0, 12, 0x81, false, 0},
	{DROP_ETHERTYPE, false, 0, 13, 0x06, false, 0},
	{DROP_ETHERTYPE, true, 0, 12, 0x08, false, 0},
	{DROP_IP4_TRUNCATED, false, 0, -1, 0, false, 33},
	{DROP_IP4_VERSION, false, 0, 14, 0x65, true, 0},
	{DROP_IP4_HEADER_LENGTH, false, 0, 14, 0x44, true, 0},
	{DROP_IP4_HEADER_LENGTH, false, 0, 14, 0x4f, false, 50},
	{DROP_IP4_LENGTH, false, 0, 17, 19, true, 0},
	{DROP_IP4_LENGTH, false, 0, 16, 1, true, 0},
	{DROP_IP4_LENGTH, false, 0, -1, 0, false, 60},
	{DROP_IP4_CHECKSUM, false, 0, 24, 1, false, 0},
	{DROP_IP4_OPTIONS, false, 1, 34, 7, true, 0},
	{DROP_IP4_OPTIONS, false, 1, 37, 7, true, 0},
	{DROP_IP6_TRUNCATED, true, 0, -1, 0, false, 53},
	{DROP_IP6_VERSION, true, 0, 14, 0x40, false, 0},
	{DROP_IP6_LENGTH, true, 0, 18, 1, false, 0},
	{DROP_IP6_LENGTH, true, 0, 18, 0xff, false, 0},
	{DROP_IP6_EXT_TRUNCATED, true, 1, 55, 200, false, 0},
	{DROP_IP6_EXT_CHAIN, true, 9, -1, 0, false, 0},
};

static struct frame_spec
spec_of(bool ipv6, uint8_t proto)
{
	uint64_t seed = 1;
	struct frame_spec spec = {
		.ipv6 = ipv6,
		.proto = proto,
		.payload = 40,
		.t = random_tuple(&seed, ipv6, proto),
	};

	if (proto == IPPROTO_ICMP)
		spec.icmp_type = 8;
	if (proto == IPPROTO_ICMPV6)
		spec.icmp_type = 128;
	return spec;
}

static void
test_drops(void)
{
	uint8_t frame[FRAME_MAX];
	struct fake fake;

	for (unsigned int i = 0; i < RTE_DIM(drop_cases); i++) {
		const struct drop_case *c = &drop_cases[i];
		struct frame_spec spec = spec_of(c->ipv6, IPPROTO_UDP);
		uint32_t len;

		spec.ext = c->ext;
		len = frame_build(frame, &spec);
		fake_mbuf(&fake, frame, len, sizeof(frame));
		/* The change alone is to blame. */
		if (c->at >= 0 || c->len != 0)
			CU_ASSERT_EQUAL(pkt_parse(&fake.m, pkt_of(&fake.m)), 0);
		if (c->at == 12 && c->value == 0x81)
			frame[13] = 0;
		if (c->at >= 0)
			frame[c->at] = c->value;
		if (c->seal)
			seal(frame + FRAME_L2, 0, NULL, 0);
		fake_mbuf(&fake, frame, c->len != 0 ? c->len : len, sizeof(frame));
		CU_ASSERT_EQUAL(pkt_parse(&fake.m, pkt_of(&fake.m)), -1);
		CU_ASSERT_EQUAL(pkt_of(&fake.m)->drop, c->reason);
		if (pkt_of(&fake.m)->drop != c->reason)
			printf("case %u: %s, not %s\n", i, drop_reason_name(pkt_of(&fake.m)->drop),
				drop_reason_name(c->reason));
	}
}

/* A frame's description and the flags that the parser gives it. */
struct flag_case {
	uint32_t flags;
	bool ipv6;
	uint8_t proto, ext, ttl, tcp_flags, icmp_type;
	uint16_t fragment;
	int at; /* from the start of L4, -1: none */
	uint8_t value;
	uint64_t ol_flags;
};

static const struct flag_case flag_cases[] = {
	{PKT_IPV4 | PKT_L4, false, 6, 0, 2, 0, 0, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4, false, 17, 0, 0, 0, 0, 0x4000, -1, 0, 0},
	{PKT_IPV4 | PKT_L4, false, 1, 0, 0, 0, 8, 0, -1, 0, 0},
	{PKT_IPV4, false, 47, 0, 0, 0, 0, 0, -1, 0, 0},
	{PKT_IPV4, false, 58, 0, 0, 0, 128, 0, -1, 0, 0},
	{PKT_IPV6, true, 1, 0, 0, 0, 8, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4, true, 6, 0, 0, 0x18, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4, true, 17, 0, 0, 0, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4, true, 58, 0, 0, 0, 128, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_OPTIONS, false, 6, 3, 0, 0, 0, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_TTL, false, 6, 0, 1, 0, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_TTL, true, 6, 0, 1, 0, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_EXT_HEADERS, true, 17, 8, 0, 0, 0, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_TCP_FLAGS, false, 6, 0, 0, 0x02, 0, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_TCP_FLAGS, false, 6, 0, 0, 0x11, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_TCP_FLAGS, true, 6, 0, 0, 0x14, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_TCP_FLAGS, true, 6, 0, 0, 0x20, 0, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_FRAGMENT, false, 17, 0, 0, 0, 0, 0x2000, -1, 0, 0},
	{PKT_IPV4 | PKT_FRAGMENT | PKT_LATER_FRAGMENT, false, 6, 0, 0, 0, 0, 0x2001, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_FRAGMENT | PKT_EXT_HEADERS, true, 6, 1, 0, 0, 0, 1, -1, 0, 0},
	{PKT_IPV6 | PKT_FRAGMENT | PKT_LATER_FRAGMENT | PKT_EXT_HEADERS, true, 6, 0, 0, 0, 0, 8, -1,
		0, 0},
	/* An error and the parameter problem of ICMPv6; an echo reply is none. */
	{PKT_IPV4 | PKT_L4 | PKT_ICMP_ERROR, false, 1, 0, 0, 0, 3, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_ICMP_ERROR, false, 1, 0, 0, 0, 4, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_ICMP_ERROR, false, 1, 0, 0, 0, 5, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_ICMP_ERROR, false, 1, 0, 0, 0, 11, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_ICMP_ERROR, false, 1, 0, 0, 0, 12, 0, -1, 0, 0},
	{PKT_IPV4 | PKT_L4, false, 1, 0, 0, 0, 0, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_ICMP_ERROR, true, 58, 0, 0, 0, 4, 0, -1, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_ICMP_ERROR, true, 58, 0, 0, 0, 127, 0, -1, 0, 0},
	/* TCP: data offset below 5, beyond the packet; checksum. */
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 6, 0, 0, 0, 0, 0, 12, 0x40, 0},
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 6, 0, 0, 0, 0, 0, 12, 0x40,
		RTE_MBUF_F_RX_L4_CKSUM_GOOD},
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 6, 0, 0, 0, 0, 0, 30, 0, 0},
	{PKT_IPV6 | PKT_L4 | PKT_L4_BAD, true, 6, 0, 0, 0, 0, 0, 30, 0,
		RTE_MBUF_F_RX_L4_CKSUM_NONE},
	{PKT_IPV4 | PKT_L4, false, 6, 0, 0, 0, 0, 0, 30, 0, RTE_MBUF_F_RX_L4_CKSUM_GOOD},
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 17, 0, 0, 0, 0, 0, -1, 0,
		RTE_MBUF_F_RX_L4_CKSUM_BAD},
	{PKT_IPV6 | PKT_L4, true, 58, 0, 0, 0, 129, 0, -1, 0, RTE_MBUF_F_RX_L4_CKSUM_BAD},
	{PKT_IPV6 | PKT_L4 | PKT_L4_BAD, true, 58, 0, 0, 0, 129, 0, 20, 0, 0},
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 1, 0, 0, 0, 8, 0, 20, 0, 0},
	/* A fragment's sum covers what is not there. */
	{PKT_IPV4 | PKT_L4 | PKT_FRAGMENT, false, 17, 0, 0, 0, 0, 0x2000, 20, 0, 0},
	/* UDP: length below 8, beyond the packet. */
	{PKT_IPV4 | PKT_L4 | PKT_L4_BAD, false, 17, 0, 0, 0, 0, 0, 5, 7, 0},
	{PKT_IPV6 | PKT_L4 | PKT_L4_BAD, true, 17, 0, 0, 0, 0, 0, 5, 49, 0},
};

static void
check_tuple(const struct pkt *pkt, const struct frame_spec *spec)
{
	struct tuple want = spec->t;

	want.proto = spec->proto;
	if (!(pkt->flags & PKT_L4))
		want.sport = want.dport = 0;
	else if (spec->proto == IPPROTO_ICMP || spec->proto == IPPROTO_ICMPV6)
		want.dport = rte_cpu_to_be_16((uint16_t)(spec->icmp_type << 8 | spec->icmp_code));
	if (pkt->flags & PKT_ICMP_ERROR)
		want.sport = 0;
	CU_ASSERT_TRUE(tuple_equal(&pkt->tuple, &want));
}

static void
test_flags(void)
{
	uint8_t frame[FRAME_MAX];
	struct fake fake;

	for (unsigned int i = 0; i < RTE_DIM(flag_cases); i++) {
		const struct flag_case *c = &flag_cases[i];
		struct frame_spec spec = spec_of(c->ipv6, c->proto);
		struct pkt *pkt;
		uint32_t len;

		spec.ext = c->ext;
		spec.ttl = c->ttl;
		spec.tcp_flags = c->tcp_flags;
		spec.icmp_type = c->icmp_type;
		spec.fragment = c->fragment;
		len = frame_build(frame, &spec);
		/* Padding of a short frame is not of the packet. */
		memset(frame + len, 0xaa, 9);
		fake_mbuf(&fake, frame, len + 9, sizeof(frame));
		fake.m.ol_flags = c->ol_flags;
		pkt = pkt_of(&fake.m);
		if (c->at >= 0) {
			uint32_t l4 = FRAME_L2 + (c->ipv6 ? 40 : 20);

			CU_ASSERT_NOT_EQUAL(frame[l4 + (uint32_t)c->at], c->value);
			frame[l4 + (uint32_t)c->at] = c->value;
		}
		CU_ASSERT_EQUAL_FATAL(pkt_parse(&fake.m, pkt), 0);
		CU_ASSERT_EQUAL(pkt->flags, c->flags);
		if (pkt->flags != c->flags)
			printf("case %u: flags %x, not %x\n", i, pkt->flags, c->flags);
		CU_ASSERT_EQUAL(pkt->l4_off, pkt->l2_len + pkt->l3_len);
		CU_ASSERT_EQUAL(pkt->ip_len, len - FRAME_L2);
		CU_ASSERT_EQUAL(pkt->l4_proto, c->proto);
		check_tuple(pkt, &spec);
	}
}

/* UDP without a checksum is as good as one with: over IPv6 too (udp_error). */
static void
test_no_check(void)
{
	uint8_t frame[FRAME_MAX];
	struct fake fake;

	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame_spec spec = spec_of(ipv6 != 0, IPPROTO_UDP);

		spec.no_check = true;
		fake_mbuf(&fake, frame, frame_build(frame, &spec), sizeof(frame));
		CU_ASSERT_EQUAL(pkt_parse(&fake.m, pkt_of(&fake.m)), 0);
		CU_ASSERT_EQUAL(pkt_of(&fake.m)->flags & PKT_GUARDS, 0);
	}
}

/* Only the first segment counts. */
static void
test_segments(void)
{
	struct frame_spec spec = spec_of(false, IPPROTO_UDP);
	uint8_t frame[FRAME_MAX];
	struct fake fake;
	uint32_t len = frame_build(frame, &spec);

	fake_mbuf(&fake, frame, len - 10, sizeof(frame));
	fake.m.pkt_len = len;
	fake.m.nb_segs = 2;
	CU_ASSERT_EQUAL(pkt_parse(&fake.m, pkt_of(&fake.m)), -1);
	CU_ASSERT_EQUAL(pkt_of(&fake.m)->drop, DROP_IP4_LENGTH);
}

/* Everything that reads a packet, on a copy that ends where the frame does. */
static void
read_all(const uint8_t *frame, uint32_t len)
{
	static uint8_t error[FRAME_MAX];
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	union address source = {.v4 = 1};
	struct fake fake, answer;
	uint16_t l3_off, l4_off;
	struct tuple quoted;
	struct pkt *pkt;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, frame, len);
	pkt = pkt_of(fake_mbuf(&fake, copy, len, len));
	if (pkt_parse(&fake.m, pkt) == 0) {
		CU_ASSERT_TRUE(pkt->l2_len + pkt->ip_len <= len);
		CU_ASSERT_TRUE(pkt->l3_len <= pkt->ip_len);
		if ((pkt->flags & PKT_ICMP_ERROR) &&
			pkt_parse_quote(pkt, &quoted, &l3_off, &l4_off) == 0)
			CU_ASSERT_TRUE(l3_off < l4_off && l4_off <= len);
		fake_mbuf(&answer, error, 0, sizeof(error));
		CU_ASSERT_EQUAL(icmp_error_build(&answer.m, pkt, 3, 0, 0, &source), 0);
		fake_mbuf(&answer, error, 0, sizeof(error));
		tcp_reset_build(&answer.m, pkt);
	}
	free(copy);
}

/* Cut the frame at every byte: as it came, and with the IP length telling the truth of the cut. */
static void
cut_everywhere(const uint8_t *frame, uint32_t whole, bool ipv6)
{
	uint8_t cut[FRAME_MAX];

	for (uint32_t len = 0; len <= whole; len++) {
		read_all(frame, len);
		if (len < FRAME_L2 + (ipv6 ? 40 : 20))
			continue;
		memcpy(cut, frame, len);
		cut[FRAME_L2 + (ipv6 ? 4 : 2)] = (uint8_t)((len - FRAME_L2 - (ipv6 ? 40 : 0)) >> 8);
		cut[FRAME_L2 + (ipv6 ? 5 : 3)] = (uint8_t)(len - FRAME_L2 - (ipv6 ? 40 : 0));
		if (ipv6 || (cut[FRAME_L2] & 15) * 4U + FRAME_L2 <= len)
			seal(cut + FRAME_L2, 0, NULL, 0);
		read_all(cut, len);
	}
}

static void
test_truncation(void)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_ESP};
	static const uint16_t fragments[2][3] = {{0, 0x2000, 0x2010}, {0, 1, 0x100}};
	uint8_t frame[FRAME_MAX], inner[FRAME_MAX];

	for (unsigned int n = 0; n < 2 * RTE_DIM(protos) * 3 * 3; n++) {
		bool ipv6 = n % 2 != 0;
		uint8_t proto = protos[n / 2 % RTE_DIM(protos)];
		struct frame_spec spec = spec_of(ipv6, proto);
		uint32_t len;

		spec.ext = (uint8_t)(n / 10 % 3);
		spec.fragment = fragments[ipv6][n / 30];
		len = frame_build(frame, &spec);
		cut_everywhere(frame, len, ipv6);
		/* And quoted by an error. */
		memcpy(inner, frame + FRAME_L2, len - FRAME_L2);
		spec = spec_of(ipv6, ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
		spec.icmp_type = ipv6 ? 1 : 3;
		spec.quote = inner;
		spec.payload = (uint16_t)(len - FRAME_L2);
		cut_everywhere(frame, frame_build(frame, &spec), ipv6);
	}
}

/* The quote's tuple, and what is no quote. */
static void
test_quote(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ESP};
	uint8_t frame[FRAME_MAX], inner[FRAME_MAX];
	uint16_t l3_off, l4_off;
	struct tuple quoted;
	struct fake fake;

	for (unsigned int n = 0; n < 2 * RTE_DIM(protos) * 2; n++) {
		bool ipv6 = n % 2 != 0;
		struct frame_spec in = spec_of(ipv6, protos[n / 2 % RTE_DIM(protos)]), out;
		uint32_t header = ipv6 ? 40 : 20, len;

		in.ext = n / 6 != 0 ? 1 : 0;
		len = frame_build(inner, &in) - FRAME_L2;
		header += in.ext * (ipv6 ? 8U : 4U);
		if (in.proto == IPPROTO_ESP)
			in.t.sport = in.t.dport = 0;
		out = spec_of(ipv6, ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
		out.icmp_type = ipv6 ? 3 : 11;
		out.quote = inner + FRAME_L2;
		out.payload = (uint16_t)len;
		fake_mbuf(&fake, frame, frame_build(frame, &out), sizeof(frame));
		CU_ASSERT_EQUAL_FATAL(pkt_parse(&fake.m, pkt_of(&fake.m)), 0);
		CU_ASSERT_EQUAL(pkt_parse_quote(pkt_of(&fake.m), &quoted, &l3_off, &l4_off), 0);
		CU_ASSERT_TRUE(tuple_equal(&quoted, &in.t));
		CU_ASSERT_EQUAL(l3_off, FRAME_L2 + (ipv6 ? 48 : 28));
		CU_ASSERT_EQUAL(l4_off, l3_off + header);
		/* Eight bytes of L4 are enough for ports, seven are not. */
		for (unsigned int few = 7; few < 9 && in.proto != IPPROTO_ESP; few++) {
			out.payload = (uint16_t)(header + few);
			fake_mbuf(&fake, frame, frame_build(frame, &out), sizeof(frame));
			CU_ASSERT_EQUAL_FATAL(pkt_parse(&fake.m, pkt_of(&fake.m)), 0);
			CU_ASSERT_EQUAL(pkt_parse_quote(pkt_of(&fake.m), &quoted, &l3_off, &l4_off),
				few == 8 ? 0 : -EINVAL);
		}
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"each reason to drop", test_drops},
		{"each flag", test_flags},
		{"UDP without checksum", test_no_check},
		{"segments", test_segments},
		{"cut at every byte", test_truncation},
		{"quotes", test_quote},
		CU_TEST_INFO_NULL,
	};

	return unit_run("packet/parse", tests);
}
