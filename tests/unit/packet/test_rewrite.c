/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation: after any of it, every checksum is what a sum of the new bytes
 * gives, and nothing else has changed.
 */
#include <netinet/in.h>
#include <string.h>

#include "frames.h"
#include "rewrite.h"
#include "unit.h"

#define PACKETS 30000

/* A frame parsed, and the same bytes to compare with. */
struct sample {
	uint8_t frame[FRAME_MAX], before[FRAME_MAX];
	struct fake fake;
	struct pkt *pkt;
	uint32_t len;
};

static void
make(struct sample *s, const struct frame_spec *spec)
{
	s->len = frame_build(s->frame, spec);
	memcpy(s->before, s->frame, s->len);
	s->pkt = pkt_of(fake_mbuf(&s->fake, s->frame, s->len, sizeof(s->frame)));
	CU_ASSERT_EQUAL_FATAL(pkt_parse(&s->fake.m, s->pkt), 0);
	CU_ASSERT_EQUAL(s->pkt->flags & (PKT_L4_BAD | PKT_IP_BAD), 0);
}

static struct frame_spec
random_spec(uint64_t *seed)
{
	static const uint8_t protos[2][4] = {
		{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP},
		{IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, IPPROTO_ESP},
	};
	uint64_t r = random_next(seed);
	struct frame_spec spec = {
		.ipv6 = r & 1,
		.proto = protos[r & 1][r >> 1 & 3],
		.ext = r >> 3 & 3,
		.payload = (uint16_t)(r >> 8 & 0x1ff),
		.icmp_type = r & 1 ? 128 + (r >> 20 & 1) : (r >> 20 & 1) * 8,
		.no_check = (r & 7) == 2 && (r >> 21 & 1),
	};

	spec.t = random_tuple(seed, spec.ipv6, spec.proto);
	return spec;
}

/* The bytes that a translation has to give: written in, and summed anew. */
static void
translate_plainly(struct sample *s, const struct frame_spec *spec, const struct tuple *to,
	enum nat_manip manip)
{
	uint32_t len = spec->ipv6 ? 16 : 4, at = spec->ipv6 ? 8 : 12;
	uint8_t *ip = s->before + s->pkt->l2_len, *l4 = s->before + s->pkt->l4_off;
	bool ports = spec->proto == IPPROTO_TCP || spec->proto == IPPROTO_UDP;

	if (manip == NAT_MANIP_SRC)
		memcpy(ip + at, &to->src, len);
	else
		memcpy(ip + at + len, &to->dst, len);
	if (ports && manip == NAT_MANIP_SRC)
		memcpy(l4, &to->sport, 2);
	else if (ports)
		memcpy(l4 + 2, &to->dport, 2);
	else if (spec->proto != IPPROTO_ESP)
		memcpy(l4 + 4, &to->sport, 2);
	seal(ip, spec->proto, spec->proto == IPPROTO_ESP ? NULL : l4, s->len - s->pkt->l4_off);
	if (spec->no_check)
		memset(l4 + 6, 0, 2);
}

static void
test_translate(void)
{
	static struct sample s;
	unsigned int wrong = 0, tuples = 0;
	uint64_t seed = 10;

	for (unsigned int i = 0; i < PACKETS; i++) {
		struct frame_spec spec = random_spec(&seed);
		struct tuple to = random_tuple(&seed, spec.ipv6, spec.proto), parsed;
		enum nat_manip manip = i & 1 ? NAT_MANIP_SRC : NAT_MANIP_DST;

		make(&s, &spec);
		/* Now and then one half stays. */
		if (i % 7 == 0)
			to.sport = spec.t.sport, to.dport = s.pkt->tuple.dport;
		if (i % 11 == 0)
			to.src = spec.t.src, to.dst = spec.t.dst;
		pkt_translate(s.pkt, &to, manip);
		translate_plainly(&s, &spec, &to, manip);
		wrong += memcmp(s.frame, s.before, s.len) != 0;
		/* The tuple is what the new bytes parse to. */
		parsed = s.pkt->tuple;
		s.pkt->flags = 0;
		tuples += pkt_parse(&s.fake.m, s.pkt) != 0 || !tuple_equal(&s.pkt->tuple, &parsed);
		wrong += (s.pkt->flags & PKT_L4_BAD) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(tuples, 0);
}

/* Every port in turn: among them the one that brings the UDP checksum to 0, written 0xffff. */
static void
test_udp_zero(void)
{
	static struct sample s;
	struct frame_spec spec = {.proto = IPPROTO_UDP, .payload = 2};
	unsigned int wrong = 0, ones = 0;
	uint64_t seed = 11;

	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		spec.ipv6 = ipv6 != 0;
		spec.t = random_tuple(&seed, spec.ipv6, IPPROTO_UDP);
		make(&s, &spec);
		for (unsigned int port = 0; port < 65536; port++) {
			struct tuple to = s.pkt->tuple;

			to.sport = (uint16_t)port;
			pkt_translate(s.pkt, &to, NAT_MANIP_SRC);
			translate_plainly(&s, &spec, &to, NAT_MANIP_SRC);
			wrong += memcmp(s.frame, s.before, s.len) != 0;
			ones += memcmp(s.frame + s.pkt->l4_off + 6, "\xff\xff", 2) == 0;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	/* Both 0 and 0xffff as a port may lead there. */
	CU_ASSERT_TRUE(ones >= 2 && ones <= 4);
}

/* A message without an identifier: its bytes stay, and so does what the tuple says of them. */
static void
test_no_identifier(void)
{
	static struct sample s;
	uint64_t seed = 16;

	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame_spec spec = {
			.ipv6 = ipv6 != 0,
			.proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			.icmp_type = ipv6 ? 134 : 9,
			.payload = 16,
		};
		struct tuple to;

		spec.t = random_tuple(&seed, spec.ipv6, spec.proto);
		to = random_tuple(&seed, spec.ipv6, spec.proto);
		make(&s, &spec);
		pkt_translate(s.pkt, &to, NAT_MANIP_DST);
		CU_ASSERT_EQUAL(s.pkt->tuple.sport, spec.t.sport);
		CU_ASSERT_EQUAL(memcmp(s.frame + s.pkt->l4_off + 4, &spec.t.sport, 2), 0);
		CU_ASSERT_EQUAL(memcmp(&s.pkt->tuple.dst, &to.dst, 16), 0);
	}
}

/* A later fragment has no L4 header: its bytes stay, whatever they are. */
static void
test_later_fragment(void)
{
	static struct sample s;
	uint64_t seed = 12;

	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame_spec spec = {
			.ipv6 = ipv6 != 0,
			.proto = IPPROTO_UDP,
			.fragment = ipv6 ? 0x100 : 0x20,
			.payload = 64,
			.t = random_tuple(&seed, ipv6 != 0, IPPROTO_UDP),
		};
		struct tuple to = random_tuple(&seed, spec.ipv6, IPPROTO_UDP);

		make(&s, &spec);
		pkt_translate(s.pkt, &to, NAT_MANIP_SRC);
		CU_ASSERT_EQUAL(memcmp(s.frame + s.pkt->l4_off, s.before + s.pkt->l4_off,
					s.len - s.pkt->l4_off),
			0);
		CU_ASSERT_EQUAL(memcmp(&s.pkt->tuple.src, &to.src, 16), 0);
		CU_ASSERT_EQUAL(s.pkt->tuple.sport, 0);
		CU_ASSERT_TRUE(ipv6 || naive_sum(0, s.frame + 14, 20) == 0xffff);
	}
}

/* An ICMP error and what it quotes, of a connection NATed from inner.t to `other`. */
struct error_case {
	bool ipv6;
	uint8_t type;
	uint8_t proto;
	uint16_t quoted; /* bytes of the quoted L4 and payload; 0: all */
};

static const struct error_case error_cases[] = {
	{false, 3, IPPROTO_TCP, 0},
	{false, 3, IPPROTO_UDP, 0},
	{false, 4, IPPROTO_UDP, 0},
	{false, 11, IPPROTO_TCP, 8},
	{false, 11, IPPROTO_UDP, 8},
	{false, 12, IPPROTO_TCP, 0},
	{false, 3, IPPROTO_ICMP, 0},
	{false, 11, IPPROTO_ICMP, 8},
	{false, 3, IPPROTO_TCP, 19},
	{false, 3, IPPROTO_ESP, 0},
	{true, 1, IPPROTO_UDP, 0},
	{true, 2, IPPROTO_TCP, 0},
	{true, 3, IPPROTO_TCP, 8},
	{true, 4, IPPROTO_ICMPV6, 0},
};

/* What the error and its quote say after translation. */
static void
check_error(const struct sample *s, const struct error_case *c, const struct tuple *other,
	enum nat_manip manip, const struct tuple *inner_was)
{
	const uint8_t *ip = s->frame + 14, *l4 = s->frame + s->pkt->l4_off;
	uint8_t outer = c->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint32_t len = s->len - s->pkt->l4_off, header = c->ipv6 ? 40 : 20;
	const uint8_t *in_ip = l4 + 8, *in_l4 = in_ip + header;
	struct tuple quoted, want = *inner_was;
	uint16_t l3_off, l4_off;

	CU_ASSERT_EQUAL(naive_l4_sum(ip, outer, l4, len), 0xffff);
	CU_ASSERT_TRUE(c->ipv6 || naive_sum(0, ip, 20) == 0xffff);
	CU_ASSERT_TRUE(c->ipv6 || naive_sum(0, in_ip, 20) == 0xffff);
	CU_ASSERT_EQUAL(pkt_parse_quote(s->pkt, &quoted, &l3_off, &l4_off), 0);
	/* The quote's end of the other side, the error's own end of this one. */
	if (manip == NAT_MANIP_SRC) {
		want.dst = other->dst;
		want.dport = c->proto == IPPROTO_TCP || c->proto == IPPROTO_UDP ? other->dport
										: want.dport;
		CU_ASSERT_EQUAL(memcmp(&s->pkt->tuple.src, &other->dst, 16), 0);
	} else {
		want.src = other->src;
		want.sport = other->sport;
		CU_ASSERT_EQUAL(memcmp(&s->pkt->tuple.dst, &other->src, 16), 0);
	}
	if (c->proto == IPPROTO_ICMP || c->proto == IPPROTO_ICMPV6)
		want.sport = other->sport;
	if (c->proto == IPPROTO_ESP)
		want.sport = want.dport = 0;
	CU_ASSERT_TRUE(tuple_equal(&quoted, &want));
	if (c->quoted == 0 && c->proto != IPPROTO_ESP)
		CU_ASSERT_EQUAL(naive_l4_sum(in_ip, c->proto, in_l4, len - 8 - header), 0xffff);
}

static void
test_translate_error(void)
{
	static uint8_t inner[FRAME_MAX];
	static struct sample s;
	uint64_t seed = 13;

	for (unsigned int i = 0; i < RTE_DIM(error_cases) * 200; i++) {
		const struct error_case *c = &error_cases[i % RTE_DIM(error_cases)];
		enum nat_manip manip = i / RTE_DIM(error_cases) & 1 ? NAT_MANIP_SRC : NAT_MANIP_DST;
		struct frame_spec in = {
			.ipv6 = c->ipv6,
			.proto = c->proto,
			.payload = 32,
			.icmp_type = c->ipv6 ? 128 : 8,
			.t = random_tuple(&seed, c->ipv6, c->proto),
		};
		struct frame_spec out = {
			.ipv6 = c->ipv6,
			.proto = c->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			.icmp_type = c->type,
			.quote = inner + FRAME_L2,
		};
		struct tuple other = random_tuple(&seed, c->ipv6, c->proto);
		uint32_t len = frame_build(inner, &in) - FRAME_L2;

		if (c->proto == IPPROTO_ICMP || c->proto == IPPROTO_ICMPV6)
			in.t.dport = other.dport = rte_cpu_to_be_16((uint16_t)(in.icmp_type << 8));
		out.payload = (uint16_t)(c->quoted == 0 ? len : c->quoted + (c->ipv6 ? 40U : 20U));
		out.t = random_tuple(&seed, c->ipv6, out.proto);
		make(&s, &out);
		CU_ASSERT_TRUE_FATAL((s.pkt->flags & PKT_ICMP_ERROR) != 0);
		pkt_translate_error(s.pkt, &other, manip);
		check_error(&s, c, &other, manip, &in.t);
	}
}

/* An error that quotes nothing stays as it is. */
static void
test_no_quote(void)
{
	static struct sample s;
	uint64_t seed = 14;
	struct frame_spec out = {.proto = IPPROTO_ICMP, .icmp_type = 3, .payload = 27};
	struct tuple other = random_tuple(&seed, false, IPPROTO_UDP);

	out.t = random_tuple(&seed, false, IPPROTO_ICMP);
	make(&s, &out);
	pkt_translate_error(s.pkt, &other, NAT_MANIP_SRC);
	CU_ASSERT_EQUAL(memcmp(s.frame, s.before, s.len), 0);
}

static void
test_dec_ttl(void)
{
	static struct sample s;
	uint64_t seed = 15;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < PACKETS; i++) {
		struct frame_spec spec = random_spec(&seed);
		uint32_t at;

		spec.ttl = (uint8_t)(i % 255 + 1);
		at = FRAME_L2 + (spec.ipv6 ? 7 : 8);
		make(&s, &spec);
		pkt_dec_ttl(s.pkt);
		s.before[at]--;
		if (!spec.ipv6)
			seal(s.before + FRAME_L2, 0, NULL, 0);
		wrong += memcmp(s.frame, s.before, s.len) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"translate", test_translate},
		{"a UDP checksum that becomes 0", test_udp_zero},
		{"a message without identifier", test_no_identifier},
		{"a later fragment", test_later_fragment},
		{"translate errors", test_translate_error},
		{"an error without quote", test_no_quote},
		{"TTL", test_dec_ttl},
		CU_TEST_INFO_NULL,
	};

	return unit_run("packet/rewrite", tests);
}
