/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The established path's short look at a frame agrees with the parser: what it
 * takes as plain, the parser takes without a guard, with the same tuple and length.
 */
#include <netinet/in.h>
#include <string.h>

#include "established_parse.h"
#include "frames.h"
#include "unit.h"

#define FRAMES 400000

/* What was seen: a test that meets no plain packets, or only such, says nothing. */
struct tally {
	unsigned int plain[2], guarded, dropped, wrong;
};

static uint32_t
look(const struct rte_mbuf *m, uint64_t mac, bool ipv6, struct tuple *t)
{
	struct flow4_key key = {0, 0};
	uint32_t len;

	if (ipv6) {
		memset(t, 0, sizeof(*t));
		return plain6(m, mac, t);
	}
	len = plain4(m, mac, &key);
	flow4_tuple_of(&key, t);
	return len;
}

static void
compare(const struct rte_mbuf *m, struct pkt *pkt, uint64_t mac, struct tally *tally)
{
	int rc = pkt_parse((struct rte_mbuf *)(uintptr_t)m, pkt);

	tally->dropped += rc != 0;
	tally->guarded += rc == 0 && (pkt->flags & PKT_GUARDS);
	for (unsigned int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct tuple t;
		uint32_t len = look(m, mac, ipv6 != 0, &t);

		if (len == 0)
			continue;
		tally->plain[ipv6]++;
		tally->wrong += rc != 0 || (pkt->flags & PKT_GUARDS) || !(pkt->flags & PKT_L4) ||
				len != pkt->ip_len || !tuple_equal(&t, &pkt->tuple);
	}
}

static struct frame_spec
random_spec(uint64_t *seed)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP};
	uint64_t r = random_next(seed);
	struct frame_spec spec = {
		.ipv6 = r & 1,
		.proto = protos[(r >> 1 & 0xff) % RTE_DIM(protos)],
		.ext = r >> 10 & 15 ? 0 : 1,
		.ttl = r >> 14 & 15 ? 0 : 1,
		.tcp_flags = r >> 18 & 3 ? 0x10 : (uint8_t)(r >> 24),
		.fragment = r >> 20 & 15 ? 0 : (uint16_t)(r >> 32),
		.payload = (uint16_t)(r >> 48 & 63),
	};

	spec.t = random_tuple(seed, spec.ipv6, spec.proto);
	spec.no_check = spec.proto == IPPROTO_UDP && (r >> 54 & 7) == 0 && spec.ext == 0 &&
			spec.fragment == 0;
	return spec;
}

/* Change bits of the headers, cut or pad, and mend the IPv4 sum so that the rest is looked at. */
static uint32_t
mutate(uint8_t *frame, uint32_t len, uint64_t *seed)
{
	uint64_t r = random_next(seed);

	for (unsigned int i = 0; i < (r & 3); i++) {
		uint64_t c = random_next(seed);

		frame[12 + c % 62] = c >> 8 & 1
					     ? (uint8_t)(c >> 16)
					     : frame[12 + c % 62] ^ (uint8_t)(1U << (c >> 16 & 7));
	}
	if ((frame[FRAME_L2] == 0x45) && (r >> 4 & 3))
		seal(frame + FRAME_L2, 0, NULL, 0);
	if ((r >> 8 & 7) == 0)
		return (uint32_t)(r >> 16 & 0xffff) % (len + 1);
	return (r >> 8 & 7) == 1 ? len + (uint32_t)(r >> 16 & 31) : len;
}

static void
test_agree(void)
{
	static uint8_t frame[FRAME_MAX];
	struct tally tally = {0};
	uint64_t seed = 20, mac;
	struct fake fake;

	for (unsigned int i = 0; i < FRAMES; i++) {
		struct frame_spec spec = random_spec(&seed);
		uint32_t len = frame_build(frame, &spec);
		uint64_t word = random_next(&seed) & 15;

		memcpy(&mac, frame, 8);
		mac <<= 16;
		if (i & 1)
			len = mutate(frame, len, &seed);
		fake_mbuf(&fake, frame, len, sizeof(frame));
		if (word == 1)
			fake.m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		if (word == 2)
			fake.m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD;
		compare(&fake.m, pkt_of(&fake.m), mac, &tally);
	}
	CU_ASSERT_EQUAL(tally.wrong, 0);
	CU_ASSERT_TRUE(tally.plain[0] > FRAMES / 20 && tally.plain[1] > FRAMES / 20);
	CU_ASSERT_TRUE(tally.guarded > FRAMES / 20 && tally.dropped > FRAMES / 50);
}

/* Unchanged TCP and UDP without guard is plain: the short look takes what it is for. */
static void
test_takes(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	static uint8_t frame[FRAME_MAX];
	uint64_t seed = 21, mac;
	unsigned int missed = 0, taken = 0;
	struct fake fake;
	struct tuple t;

	for (unsigned int i = 0; i < 4000; i++) {
		struct frame_spec spec = {
			.ipv6 = i & 1, .proto = protos[i >> 1 & 1], .payload = (uint16_t)(i % 200)};

		spec.t = random_tuple(&seed, spec.ipv6, spec.proto);
		fake_mbuf(&fake, frame, frame_build(frame, &spec), sizeof(frame));
		memcpy(&mac, frame, 8);
		mac <<= 16;
		missed += look(&fake.m, mac, spec.ipv6, &t) == 0;
		/* Another's MAC, and a frame in two segments, are not. */
		taken += look(&fake.m, mac ^ 1ULL << 16, spec.ipv6, &t) != 0;
		fake.m.nb_segs = 2;
		taken += look(&fake.m, mac, spec.ipv6, &t) != 0;
	}
	CU_ASSERT_EQUAL(missed, 0);
	CU_ASSERT_EQUAL(taken, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"plain means no guard", test_agree},
		{"plain packets are taken", test_takes},
		CU_TEST_INFO_NULL,
	};

	return unit_run("path/plain", tests);
}
